//! Are faulty files named by their key, and never what may be the secret?

use super::super::problem::Place;
use super::super::testing::{Files, settings};
use super::*;

fn load_trust(settings: &Settings) -> Result<Trust, Vec<Problem>> {
    Contents::read(settings).trust(settings, &settings.deny)
}

fn file(path: impl AsRef<Path>) -> SecretFile {
    let path = path.as_ref().to_owned();
    SecretFile { key: "hook_tokens.keys.k1".to_owned(), place: Place::Line(7), path }
}

fn fault(path: impl AsRef<Path>) -> String {
    read(&file(path)).expect_err("is faulty").to_string()
}

#[test]
fn every_fault_says_what_to_do() {
    let files = Files::new();
    std::fs::create_dir(files.path("directory")).expect("can be made");
    for (path, expected) in [
        (files.path("missing"), "no such file"),
        (files.path("directory"), "is a directory"),
        (files.write("empty", "").into(), "is empty"),
        (files.write("newline", "\n").into(), "is empty"),
        (files.write("huge", vec![b'x'; 70_000]).into(), "larger than 64 KiB"),
        ("/dev/null".into(), "no regular file"),
    ] {
        let text = fault(&path);
        assert!(text.starts_with("hook_tokens.keys.k1 (line 7): "), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn only_what_is_surely_a_path_is_repeated() {
    let files = Files::new();
    let missing = files.path("missing");
    assert!(fault(&missing).contains(&missing.display().to_string()));
    let long = "hush".repeat(2_000);
    for secret in ["hush", "/hush", "hush/hush=", "./hush", "/hu/sh", long.as_str()] {
        let text = fault(secret);
        assert!(!text.contains("hush") && !text.contains("/hu"), "{text}");
    }
}

#[test]
fn keys_are_long_and_every_fault_is_reported() {
    let files = Files::new();
    let short = files.write("short", vec![b'x'; 31]);
    // The newline does not count.
    let newline = files.write("newline", [&[b'x'; 31][..], b"\n"].concat());
    let text = format!(
        "[hook_tokens]\nsigning = \"k1\"\nkeys = {{ k1 = {short:?}, k2 = {newline:?}, k3 = \"/no\" }}"
    );
    let problems = load_trust(&settings(&text)).expect_err("are faulty");
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].message.contains("31 bytes"), "{}", problems[0]);
}

#[test]
fn static_secrets_must_be_such_that_a_provider_can_echo_them() {
    let files = Files::new();
    let table = |path: &str| {
        format!("[[static_secret]]\nservice = \"graph\"\nfile = {path:?}\ntenant = \"t\"\n")
    };
    let good = files.write("good", "é".repeat(128));
    let trust = load_trust(&settings(&table(&good))).expect("can be echoed");
    assert!(trust.covers(Service::Graph) && !trust.covers(Service::Drive));
    for (content, expected) in [
        ("x".repeat(129).into_bytes(), "129 characters"),
        (vec![0xff], "no UTF-8"),
        ("é".repeat(128).into_bytes(), "the same secret"),
    ] {
        let other = files.write("other", content);
        let text = [table(&good), table(&other)].concat();
        let problems = load_trust(&settings(&text)).expect_err("is faulty");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].key, "static_secret[1].file");
        assert!(problems[0].message.contains(expected), "{}", problems[0]);
    }
}

#[test]
fn property_files_are_read_and_checked() {
    let files = Files::new();
    let text = |path: &str, name: &str| format!("[kafka.property_files]\n\"{name}\" = {path:?}");
    let good = files.write("good", "hush\n");
    let kafka =
        load_kafka(&settings(&text(&good, "sasl.password")).kafka, 1 << 20).expect("is good");
    assert_eq!(kafka.properties["sasl.password"], "hush");
    for (path, name) in [(good, "linger.ms"), ("/no/hush".to_owned(), "sasl.password")] {
        let problems =
            load_kafka(&settings(&text(&path, name)).kafka, 1 << 20).expect_err("is faulty");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(!problems[0].to_string().contains("hush"), "{}", problems[0]);
    }
}
