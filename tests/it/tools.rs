//! Do the short commands keep the contract: token, config, endpoints, help, pipes and exit codes?

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::config::{Config, quoted};
use crate::support::kafka::Kafka;
use crate::support::process::{Finished, Postern, command, finish, postern};
use crate::support::{graph, hook, scratch, spawn};

fn with_key(arguments: &[&str], kid: &str, input: &str) -> Finished {
    let file = scratch::folder("key").join("ring-key");
    fs::write(&file, hook::KEY).unwrap();
    let key = format!("{kid}={}", file.display());
    finish(command(&[&["token"], arguments, &["--key", &key]].concat()), input.as_bytes())
}

/// Contract section 3: options, key id, token.
const VECTORS: &[(&[&str], &str, &str)] = &[
    (&["graph", "--tenant", "org_acme"], "k1", "p1.k1.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w"),
    (
        &[
            "graph",
            "--tenant",
            "org_3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "--user",
            "user_84bd8158-6d4d-4958-8b9f-9d6445542f95",
            "--label",
            "inbox",
        ],
        "k1",
        "p1.k1.AgRvcmdfPyUE4E-JEdOaDAMF6CwzAQQFdXNlcl-EvYFYbU1JWIufnWRFVC-VBwVpbmJveA.aeLoCgB9kD5EyM--A8x8bQ",
    ),
    (
        &["graph", "--tenant", "org_acme", "--subject", "jane.doe@example.com", "--label", "inbox"],
        "k2",
        "p1.k2.AQhvcmdfYWNtZQUUamFuZS5kb2VAZXhhbXBsZS5jb20HBWluYm94.T2Rg0PqPqM6G41TIVxJKAQ",
    ),
    (
        &[
            "graph",
            "--tenant",
            "org_acme",
            "--user",
            "user_123",
            "--label",
            "inbox",
            "--last-day",
            "2026-11-24",
        ],
        "prod-7",
        "p1.prod-7.AQhvcmdfYWNtZQMIdXNlcl8xMjMHBWluYm94CFEt.Xqm5oE1WRFy_kbCBArrqFg",
    ),
    (
        &["drive", "--tenant", "org_acme", "--user", "user_123"],
        "k1",
        "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjM.iKOzYK1DadBJ8xFdNltvYQ",
    ),
    (
        &["ews", "--tenant", "org_bank", "--subject", "räkna@bank.example"],
        "k1",
        "p1.k1.AQhvcmdfYmFuawUTcsOka25hQGJhbmsuZXhhbXBsZQ.mW4TDdtpjnjyvqhnAOY7Zg",
    ),
];

#[test]
fn tokens_are_those_of_the_contract() {
    for (options, kid, token) in VECTORS {
        let minted = with_key(&[&["mint", "--service"], *options].concat(), kid, "");
        assert_eq!((minted.code, minted.stdout), (Some(0), format!("{token}\n")), "{options:?}");
    }
    let read = with_key(&["inspect", VECTORS[2].2], "k2", "");
    assert_eq!(read.code, Some(0));
    let shown: Value = serde_json::from_str(&read.stdout).unwrap();
    let expected = json!({"kid": "k2", "tenant": "org_acme", "user": null, "subject": "jane.doe@example.com",
        "label": "inbox", "lastDay": null, "services": ["graph"]});
    assert_eq!(shown, expected);
}

#[test]
fn tokens_that_do_not_verify_are_a_failure_and_misuse_is_misuse() {
    let good = VECTORS[0].2;
    let forged = format!("{}AAAA", &good[..good.len() - 4]);
    let expired = "2020-01-01";
    let expired =
        with_key(&["mint", "--service", "graph", "--tenant", "t", "--last-day", expired], "k1", "");
    for (token, extra) in [
        (forged.as_str(), &[][..]),
        ("nonsense", &[]),
        (good, &["--service", "drive"]),
        (VECTORS[2].2, &[]),
        (expired.stdout.trim(), &[]),
    ] {
        let read = with_key(&[&["inspect", token], extra].concat(), "k1", "");
        assert_eq!(read.code, Some(1), "{token}: {}{}", read.stdout, read.stderr);
        assert!(!read.stderr.is_empty(), "it says why");
    }
    let long = "x".repeat(120);
    let wrong: &[&[&str]] = &[
        &["mint", "--service", "graph", "--tenant", &long],
        &["mint", "--service", "graph", "--tenant", ""],
        &["mint", "--service", "imap", "--tenant", "t"],
        &["mint", "--service", "graph"],
        &["mint", "--service", "graph", "--tenant", "t", "--last-day", "2026-02-30"],
        &["mint", "--batch", "--tenant", "t"],
        &["inspect"],
    ];
    for arguments in wrong {
        let refused = with_key(arguments, "k1", "");
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{arguments:?}");
    }
    // claims 2 + 120, encoded 163, and p1.k1. and .tag around them
    let told = with_key(wrong[0], "k1", "").stderr;
    assert!(told.contains("192") && told.contains("128"), "no byte count: {told}");
    let nothing = postern(&["token", "mint", "--service", "graph", "--tenant", "t"]);
    assert_eq!(nothing.code, Some(2), "no key anywhere");
    assert!(nothing.stderr.contains("--key"), "{}", nothing.stderr);
}

#[test]
fn a_batch_is_minted_whole_or_not_at_all() {
    let good = concat!(
        r#"{"service":"graph","tenant":"org_acme"}"#,
        "\n",
        r#"{"service":"graph","tenant":"org_acme","user":"user_123","label":"inbox"}"#,
        "\n",
        r#"{"service":"drive","tenant":"org_acme","user":"user_123"}"#,
    );
    let minted = with_key(&["mint", "--batch"], "k1", good);
    let tokens: Vec<&str> = minted.stdout.lines().collect();
    assert_eq!(minted.code, Some(0));
    assert_eq!(
        tokens,
        [
            "p1.k1.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w",
            "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjMHBWluYm94.DBFn87hiGKVVWOhR_yGUFg",
            "p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjM.iKOzYK1DadBJ8xFdNltvYQ",
        ]
    );
    for bad in [
        r#"{"service":"graph"}"#,
        r#"{"service":"graph","tenant":"t","last_day":"soon"}"#,
        r#"{"service":"graph","tenant":"t","lastDay":"2031-01-01"}"#,
        "{",
        "",
    ] {
        let refused = with_key(&["mint", "--batch"], "k1", &format!("{good}\n{bad}\n{good}\n"));
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{bad}");
        assert!(refused.stderr.contains("line 4"), "{bad}: {}", refused.stderr);
    }
    let ended = with_key(&["mint", "--batch"], "k1", &format!("{good}\n"));
    assert_eq!(ended.stdout.lines().count(), 3, "a newline at the end is no line");
}

#[test]
fn the_example_is_a_configuration_that_passes() {
    let example = postern(&["config", "example"]);
    assert_eq!(example.code, Some(0));
    let config = Config::bare();
    let secrets = ["kafka-password", "hook-k1", "hook-k2", "legacy-client-state"];
    let mut text = example.stdout.clone();
    for name in secrets {
        let path = config.file(name, format!("{name} {}", "x".repeat(32)).as_bytes());
        let placeholder = format!("/run/secrets/{name}");
        assert!(text.contains(&placeholder), "{placeholder} is not in the example");
        text = text.replace(&placeholder, path.to_str().unwrap());
    }
    let file = config.file("example.toml", text.as_bytes());
    let checked = postern(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(checked.stdout.contains("no problems"), "{}", checked.stdout);
    // As it is printed its secrets do not exist: each is a problem, at its place.
    let file = config.file("printed.toml", example.stdout.as_bytes());
    let checked = postern(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(checked.code, Some(2));
    for key in
        ["sasl.password", "hook_tokens.keys.k1", "hook_tokens.keys.k2", "static_secret[0].file"]
    {
        assert!(checked.stderr.contains(key), "{key} in {}", checked.stderr);
    }
    // The sections of later versions are unknown, not ignored.
    for later in ["[tls]\ncertificate = \"/x\"", "[renew]\nenabled = true"] {
        let file = config.file("later.toml", format!("{text}\n{later}\n").as_bytes());
        let checked = postern(&["config", "check", file.to_str().unwrap()]);
        assert_eq!(checked.code, Some(2), "{later}");
    }
}

#[test]
fn endpoints_are_the_same_in_each_form() {
    let config = Config::bare()
        .ring()
        .set("server", "public_url", "\"https://hooks.example.com\"")
        .set("endpoints", "ingress_addresses", "[\"203.0.113.10/32\"]")
        .set("endpoints", "egress_addresses", "[\"203.0.113.20/32\"]")
        .set("endpoints", "changed", "\"2026-11-01\"");
    let file = config.write();
    let run = |form: &[&str]| {
        let done = postern(&[&["endpoints", "--config", file.to_str().unwrap()], form].concat());
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        done.stdout
    };
    let (text, list, csv) = (run(&[]), run(&["--json"]), run(&["--csv"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    let list = list.as_array().unwrap();
    let mut rows = csv.lines();
    let columns = "direction,role,provider,purpose,method,url,addresses";
    assert_eq!(rows.next(), Some(columns));
    assert_eq!(rows.count(), list.len());
    let mut urls = Vec::new();
    for endpoint in list {
        let mut members: Vec<&str> =
            endpoint.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected: Vec<&str> = columns.split(',').collect();
        members.sort_unstable();
        expected.sort_unstable();
        assert_eq!(members, expected);
        let (direction, role) =
            (endpoint["direction"].as_str().unwrap(), endpoint["role"].as_str().unwrap());
        assert!(
            ["in", "out"].contains(&direction) && ["serve", "fetch"].contains(&role),
            "{endpoint}"
        );
        let ours = if direction == "in" { "203.0.113.10/32" } else { "203.0.113.20/32" };
        assert_eq!(endpoint["addresses"], json!([ours]));
        let url = endpoint["url"].as_str().unwrap();
        assert!(text.contains(url) && csv.contains(url), "{url} in all forms");
        urls.push(url);
    }
    for route in ["/v1/microsoft/graph", "/v1/google/calendar", "/v1/google/drive"] {
        assert!(urls.contains(&format!("https://hooks.example.com{route}").as_str()), "{urls:?}");
    }
    assert!(text.contains("2026-11-01"), "{text}");
    assert!(!urls.iter().any(|url| url.contains("exchange")), "EWS is not built");
}

#[test]
fn each_command_has_help_with_an_example_and_none_is_there_too_early() {
    let commands: &[&[&str]] = &[
        &["serve"],
        &["demo"],
        &["simulate"],
        &["tail"],
        &["token"],
        &["token", "mint"],
        &["token", "inspect"],
        &["endpoints"],
        &["topics"],
        &["topics", "plan"],
        &["topics", "create"],
        &["config"],
        &["config", "example"],
        &["config", "check"],
    ];
    for command in commands {
        let help = postern(&[command, &["--help"][..]].concat());
        assert_eq!(help.code, Some(0), "{command:?}");
        let example = format!("postern {}", command.join(" "));
        assert!(help.stdout.contains("Example"), "{command:?}:\n{}", help.stdout);
        let last = help.stdout.rfind("Example").unwrap();
        assert!(help.stdout[last..].contains(&example), "no example of it: {}", help.stdout);
    }
    for later in ["renew", "decrypt", "doctor"] {
        assert_eq!(postern(&[later]).code, Some(2), "{later}");
    }
    assert_eq!(postern(&[]).code, Some(2));
    assert_eq!(postern(&["serve", "--no-such-option"]).code, Some(2));
    assert_eq!(postern(&["--version"]).code, Some(0));
}

/// A configuration, its file, and a topic with this many events.
fn events(count: usize) -> (Config, String) {
    let kafka = Kafka::shared();
    let config = Config::new(kafka, &kafka.new_topics());
    let edge = Postern::start(&config);
    let ids: Vec<String> = (0..count).map(|place| format!("piped-{place}")).collect();
    let body = graph::notifications(&ids, &hook::graph("org_acme", "user_123", "inbox"));
    assert_eq!(edge.post(graph::PATH, &[], body.as_bytes()).status, 202);
    let file = config.write().to_str().unwrap().to_owned();
    (config, file)
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let (_config, file) = events(200);
    // tail would go on for ever; its reader takes one line.
    let script = r#""$0" tail --config "$1" --topic events --from-beginning --json | head -n 1; exit "${PIPESTATUS[0]}""#;
    let mut shell = spawn::command("bash");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_postern"), &file]);
    let ended = finish(shell, b"");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 1);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
    // A full disk is one.
    let mut shell = spawn::command("bash");
    shell.args(["-c", r#""$0" config example > /dev/full"#, env!("CARGO_BIN_EXE_postern")]);
    let ended = finish(shell, b"");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let (_config, file) = events(1);
    let tail = ["tail", "--config", &file, "--topic", "events", "--from-beginning", "--max", "1"];
    assert!(!postern(&tail).stdout.contains('\u{1b}'), "colours in a pipe");
    let on_a_terminal = |no_color: Option<&str>| {
        let line = format!("{} {}", quoted(env!("CARGO_BIN_EXE_postern")), tail.join(" "));
        let mut script: Command = spawn::command("script");
        script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
        script.envs(no_color.map(|value| ("NO_COLOR", value)));
        let done = finish(script, b"");
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
        assert!(done.stdout.contains("message.created"), "{}", done.stdout);
        done.stdout.contains('\u{1b}')
    };
    assert!(on_a_terminal(None), "no colours on a terminal");
    assert!(!on_a_terminal(Some("1")), "colours in spite of NO_COLOR");
}
