//! Do the commands that need no Kafka keep the contract: `config`, `endpoints`, and the help of all?

use serde_json::{Value, json};

use crate::support::config::Config;
use crate::support::process::postern;

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
fn what_is_wrong_is_said_all_at_once() {
    let wrong = Config::bare().set("kafka", "bootstrap", "\"x\"").set("renew", "every", "\"1h\"");
    let file = wrong.write();
    let refused = postern(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    for named in ["kafka.bootstrap", "kafka.bootstrap_servers", "renew"] {
        assert!(refused.stderr.contains(named), "{named} in {}", refused.stderr);
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
