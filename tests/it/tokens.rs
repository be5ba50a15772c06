//! Does `postern token` mint what the contract says, and tell what does not verify?

use std::fs;

use serde_json::{Value, json};

use crate::support::process::{Finished, command, finish, postern};
use crate::support::{hook, scratch};

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
