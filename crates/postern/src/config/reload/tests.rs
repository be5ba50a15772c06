//! Are changes seen by content, once, and does a faulty one leave the old state?

use std::os::unix::fs::symlink;

use postern_core::claims::Claims;
use postern_core::service::Service;
use postern_core::time::Day;
use postern_core::trust::Judgement;

use super::super::testing::{Files, settings};
use super::*;

const KEY_A: [u8; 32] = [b'a'; 32];
const KEY_B: [u8; 32] = [b'b'; 32];

struct Rig {
    files: Files,
    text: String,
    reloader: Reloader,
    first: Trust,
}

fn rig() -> Rig {
    let files = Files::new();
    let key = files.write("k1", KEY_A);
    let text = format!("[hook_tokens]\nkeys = {{ k1 = {key:?} }}\n");
    let file = files.write("postern.toml", &text);
    let (reloader, first) = Reloader::start(Some(file.into()), &settings(&text)).expect("is good");
    Rig { files, text, reloader, first }
}

impl Rig {
    fn write(&self, more: &str) {
        self.files.write("postern.toml", format!("{}{more}", self.text));
    }

    fn changed(&mut self) -> Trust {
        self.reloader.look().expect("changed").unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn faulty(&mut self) -> Vec<Problem> {
        self.reloader.look().expect("changed").expect_err("is faulty")
    }
}

fn token(trust: &Trust) -> String {
    let claims = Claims { tenant: "org_acme".to_owned(), ..Claims::default() };
    trust.ring().expect("has keys").mint(Service::Graph, &claims).expect("fits")
}

fn judge(trust: &Trust, token: &str) -> Judgement {
    trust.judge(Service::Graph, Some(token), None, Day(0))
}

#[test]
fn nothing_changed_is_silence() {
    let mut rig = rig();
    assert!(rig.reloader.look().is_none());
    rig.write("# a comment\n[limits]\nitems = 5\n");
    assert!(rig.reloader.look().is_none(), "the rest needs a restart");
}

#[test]
fn a_denied_tenant_is_denied_and_comes_back() {
    let mut rig = rig();
    let token = token(&rig.first);
    assert!(matches!(judge(&rig.first, &token), Judgement::Genuine(_)));
    rig.write("[[deny]]\ntenant = \"org_acme\"\n");
    assert!(matches!(judge(&rig.changed(), &token), Judgement::Denied));
    assert!(rig.reloader.look().is_none());
    rig.write("");
    assert!(matches!(judge(&rig.changed(), &token), Judgement::Genuine(_)));
}

#[test]
fn a_key_that_was_replaced_is_seen_through_a_symlink() {
    let mut rig = rig();
    let old = token(&rig.first);
    // As Kubernetes does it: the link is swapped for one that points elsewhere.
    let (link, swap) = (rig.files.path("k1"), rig.files.path("swap"));
    std::fs::remove_file(&link).expect("is there");
    symlink(rig.files.write("data-1", KEY_A), &link).expect("can be linked");
    assert!(rig.reloader.look().is_none(), "the content is the same");
    symlink(rig.files.write("data-2", KEY_B), &swap).expect("can be linked");
    std::fs::rename(&swap, &link).expect("can be swapped");
    let trust = rig.changed();
    assert!(matches!(judge(&trust, &old), Judgement::Untrusted(_)));
    assert!(matches!(judge(&trust, &token(&trust)), Judgement::Genuine(_)));
}

#[test]
fn a_faulty_change_is_reported_once_and_healing_is_seen() {
    let mut rig = rig();
    rig.files.write("k1", b"short");
    let problems = rig.faulty();
    assert_eq!(problems[0].key, "hook_tokens.keys.k1");
    assert!(rig.reloader.look().is_none(), "once is enough");
    rig.files.write("k1", KEY_A);
    drop(rig.changed());

    for (fault, key) in [
        ("[[deny]]\nuser = \"u\"\n", "deny[0].tenant"),
        ("[[deny]]\ntenant = \"t\"\nusr = \"u\"\n", "deny[0].usr"),
        ("[deny]\ntenant = \"t\"\n", "deny"),
        ("[[deny\n", ""),
    ] {
        rig.write(fault);
        let problems = rig.faulty();
        assert_eq!(problems[0].key, key, "{problems:?}");
        assert!(rig.reloader.look().is_none(), "{fault}");
    }
    std::fs::remove_file(rig.files.path("postern.toml")).expect("is there");
    assert_eq!(rig.faulty()[0].key, "");
    rig.write("");
    drop(rig.changed());
}

#[test]
fn faults_of_file_and_keys_come_together() {
    let mut rig = rig();
    rig.write("[[deny]]\n");
    rig.files.write("k1", b"");
    assert_eq!(rig.faulty().len(), 2);
}
