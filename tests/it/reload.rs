//! Do keys, secrets and deny rules change without a restart, and does a faulty change leave everything as it was?

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use postern_sim::{Claims, KeyRing, Service};

use crate::support::config::{Config, quoted};
use crate::support::consumer::{Record, read_all};
use crate::support::kafka::{Kafka, Topics};
use crate::support::process::Postern;
use crate::support::{eventually, graph, hook};

/// postern looks every 5 s; the rest is what a look may take on a busy machine.
const LOOK: Duration = Duration::from_secs(7);
/// A signal asks for a look at once. The next regular one would come 5 s after the last.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Secret files as Kubernetes mounts them: a link to a folder that is replaced as a whole.
struct Mount(PathBuf);

impl Mount {
    fn new(config: &Config) -> Self {
        Self(config.folder().join("mount"))
    }

    /// Puts a new generation of files in the place of the last one.
    fn swap(&self, generation: &str, files: &[(&str, &[u8])]) {
        let folder = self.0.join(generation);
        fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
        let fresh = self.0.join("..data_tmp");
        symlink(generation, &fresh).unwrap();
        fs::rename(fresh, self.0.join("..data")).unwrap();
    }

    /// The path of a file, which never changes.
    fn path(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        if fs::symlink_metadata(&path).is_err() {
            symlink(Path::new("..data").join(name), &path).unwrap();
        }
        path
    }
}

fn token(kid: &str, key: &[u8]) -> String {
    let claims =
        Claims { tenant: "org_acme".into(), user: Some("user_1".into()), ..Claims::default() };
    KeyRing::new([(kid, key)]).unwrap().mint(Service::Graph, &claims).unwrap()
}

/// Posts one notification, which is a 202 whatever postern makes of it.
fn send(edge: &Postern, id: &str, token: &str) {
    let body = graph::notifications(&[id.to_owned()], token);
    assert_eq!(edge.post(graph::PATH, &[], body.as_bytes()).status, 202);
}

fn items(edge: &Postern, outcome: &str) -> f64 {
    edge.metrics().value("postern_notifications_total", &[("outcome", outcome)])
}

/// Posts until the outcome is seen once more; how long it took.
fn seen(edge: &Postern, token: &str, outcome: &str, limit: Duration) -> Duration {
    let (start, before) = (Instant::now(), items(edge, outcome));
    let once_more = || {
        send(edge, "asked-again", token);
        items(edge, outcome) > before
    };
    assert!(eventually(limit, once_more), "not {outcome} in {limit:?}:\n{}", edge.stderr());
    start.elapsed()
}

fn ids(kafka: &Kafka, topic: &str) -> Vec<String> {
    read_all(kafka, topic).iter().map(Record::id).collect()
}

const OLD: &[u8] = &[b'o'; 32];
const NEW: &[u8] = &[b'n'; 48];
const NEWER: &[u8] = &[b'e'; 64];

#[test]
fn a_rotated_key_is_seen_within_five_seconds_and_at_once_when_asked() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics).without("hook_tokens");
    let mount = Mount::new(&config);
    mount.swap("..1", &[("k1", OLD), ("k2", OLD)]);
    let path = |name| quoted(mount.path(name).to_str().unwrap());
    let config = config.set("hook_tokens", "signing", "\"k2\"").set(
        "hook_tokens",
        "keys",
        &format!("{{ k1 = {}, k2 = {} }}", path("k1"), path("k2")),
    );
    let edge = Postern::start(&config);
    let [old, new, newer] = [token("k1", OLD), token("k2", NEW), token("k2", NEWER)];
    send(&edge, "old-1", &old);
    send(&edge, "new-1", &new);
    assert_eq!(ids(kafka, &topics.events), ["old-1"], "k2 is another key yet");

    mount.swap("..2", &[("k1", OLD), ("k2", NEW)]);
    let took = seen(&edge, &new, "published", LOOK);
    println!("a swapped link was seen after {took:?}");
    send(&edge, "old-2", &old);
    assert!(ids(kafka, &topics.events).contains(&"old-2".to_owned()), "k1 verifies as before");

    // The first signal starts the 5 s anew: what is seen soon after the second is seen because of it.
    edge.signal("HUP");
    mount.swap("..3", &[("k1", OLD), ("k2", NEWER)]);
    edge.signal("HUP");
    let took = seen(&edge, &newer, "published", AT_ONCE);
    println!("after a signal it was seen after {took:?}");
    let before = ids(kafka, &topics.events).len();
    send(&edge, "new-2", &new);
    assert_eq!(ids(kafka, &topics.events).len(), before, "the key that is gone proves nothing");

    // What is sealed from now on is sealed with the key that signs.
    let junk = read_all(kafka, &topics.quarantine);
    assert!(junk.iter().all(|record| record.header("postern_kid") == Some("k2")));
}

fn denying(config: &Config, rules: &str) {
    fs::write(config.folder().join("postern.toml"), format!("{}{rules}\n", config.text())).unwrap();
}

#[test]
fn a_deny_rule_of_one_user_comes_and_goes() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let edge = Postern::start(&config);
    let [one, other] = ["user_9", "user_8"].map(|user| hook::graph("org_gone", user, "inbox"));
    send(&edge, "before", &one);
    denying(&config, "[[deny]]\ntenant = \"org_gone\"\nuser = \"user_9\"");
    edge.signal("HUP");
    seen(&edge, &one, "denied", LOOK);
    let stored = read_all(kafka, &topics.events).len();
    send(&edge, "denied", &one);
    send(&edge, "of-another-user", &other);
    assert_eq!(ids(kafka, &topics.events).len(), stored + 1);
    assert!(ids(kafka, &topics.events).contains(&"of-another-user".to_owned()));
    assert!(read_all(kafka, &topics.quarantine).is_empty(), "nothing denied is stored");
    denying(&config, "");
    edge.signal("HUP");
    seen(&edge, &one, "published", LOOK);
}

/// A change that is faulty: told with its key path, and without effect.
fn check_faulty(edge: &Postern, kafka: &Kafka, topics: &Topics, key: &str) {
    edge.signal("HUP");
    let told = || edge.stderr().lines().any(|line| line.contains(key) && line.contains("ERROR"));
    assert!(eventually(LOOK, told), "{key} is not told:\n{}", edge.stderr());
    let (good, denied) =
        (hook::graph("org_acme", "user_1", "inbox"), hook::graph("org_gone", "user_1", "inbox"));
    let before = ids(kafka, &topics.events).len();
    send(edge, key, &good);
    send(edge, "still-denied", &denied);
    let now = ids(kafka, &topics.events);
    assert_eq!(now.len(), before + 1, "{now:?}");
    assert!(read_all(kafka, &topics.quarantine).is_empty());
}

#[test]
fn a_faulty_change_is_told_and_leaves_the_old_state() {
    let kafka = Kafka::shared();
    let topics = kafka.new_topics();
    let config = Config::new(kafka, &topics);
    let config = config.append("[[deny]]\ntenant = \"org_gone\"");
    let edge = Postern::start(&config);
    let key = config.folder().join("hook-key");
    fs::write(&key, b"short-and-secret").unwrap();
    check_faulty(&edge, kafka, &topics, "hook_tokens.keys.k1");
    fs::remove_file(&key).unwrap();
    check_faulty(&edge, kafka, &topics, "no such file");
    fs::write(&key, hook::KEY).unwrap();
    denying(&config, "[[deny]]\ntenant = \"org_acme\"\nuzer = \"user_1\"");
    check_faulty(&edge, kafka, &topics, "deny[1].uzer");
    denying(&config, "[[deny]]\nuser = \"user_1\"");
    check_faulty(&edge, kafka, &topics, "deny[1].tenant");
    denying(&config, "[[deny]\ntenant = \"org_acme\"");
    check_faulty(&edge, kafka, &topics, "line ");
    assert!(!edge.stderr().contains("short-and-secret"), "the log tells the key");
    // And what is mended takes effect.
    denying(&config, "[[deny]]\ntenant = \"org_acme\"");
    edge.signal("HUP");
    seen(&edge, &hook::graph("org_acme", "user_1", "inbox"), "denied", LOOK);
}
