//! Are sources read from file and environment alike, and is every faulty value refused by its key?

use super::super::problem::Place;
use super::super::resolve::Need;
use super::super::settings::Settings;
use super::super::source::Source;
use super::super::testing::{resolve, settings as good, with_variables};
use super::*;

const ACCOUNT: &str = "service_account = \"push@project.iam.gserviceaccount.com\"\n";
const URL: &str = "[server]\npublic_url = \"https://hooks.example.com/in/\"\n";

fn shown(text: &str) -> Vec<String> {
    let (_, problems) = resolve(text, &Source::default(), Need::Serve);
    problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
}

/// One problem, with this key and these words, beside the missing cluster; what was written is not repeated.
#[track_caller]
fn refused(text: &str, key: &str, message: &str) {
    let problems = shown(&format!("{text}\n[kafka]\nbootstrap_servers = \"k:9092\"\n"));
    assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
    assert!(problems[0].starts_with(&format!("{key}: ")), "{text}\n{problems:#?}");
    assert!(problems[0].contains(message), "{text}\n{problems:#?}");
    assert!(!problems[0].contains("hush"), "{problems:?}");
}

fn source(settings: Settings) -> PubsubSource {
    let [source] = <[PubsubSource; 1]>::try_from(settings.pubsub).expect("is one source");
    source
}

#[test]
fn defaults_are_those_of_the_manual() {
    assert_eq!(good("").google.jwks_url, "https://www.googleapis.com/oauth2/v3/certs");
    assert_eq!(good("").limits.body.google, 256 << 10);
    assert_eq!(good("").pubsub, []);
    let expected = PubsubSource {
        name: "gmail".to_owned(),
        audience: "https://hooks.example.com/in/v1/google/pubsub/gmail".to_owned(),
        service_account: "push@project.iam.gserviceaccount.com".to_owned(),
        subscription: None,
        wrapped: true,
        tenant: None,
    };
    assert_eq!(source(good(&format!("{URL}[pubsub.gmail]\n{ACCOUNT}"))), expected);
}

#[test]
fn every_key_is_read() {
    let text = format!(
        "[pubsub.a-b_9]\n{ACCOUNT}audience = \"any text\"\nwrapped = false\ntenant = \"org_acme\"\n\
         subscription = \"projects/example.com:p-1/subscriptions/s.t_u~v+w%25\"\n\
         [google]\njwks_url = \"http://127.0.0.1:9000/certs\"\n[limits]\nbody = {{ google = \"1MiB\" }}\n"
    );
    let settings = good(&text);
    assert_eq!(settings.google.jwks_url, "http://127.0.0.1:9000/certs");
    assert_eq!(settings.limits.body.google, 1 << 20);
    let expected = PubsubSource {
        name: "a-b_9".to_owned(),
        audience: "any text".to_owned(),
        service_account: "push@project.iam.gserviceaccount.com".to_owned(),
        subscription: Some("projects/example.com:p-1/subscriptions/s.t_u~v+w%25".to_owned()),
        wrapped: false,
        tenant: Some("org_acme".to_owned()),
    };
    assert_eq!(source(settings), expected);
}

#[test]
fn the_environment_sets_every_scalar_of_a_source_and_wins() {
    let variables = [
        ("POSTERN_PUBSUB__GMAIL__AUDIENCE", "from the environment"),
        ("POSTERN_PUBSUB__GMAIL__WRAPPED", "false"),
        // The file has this one, with an underscore.
        ("POSTERN_PUBSUB__IN_FILE__TENANT", "org_env"),
        // Nothing else names this one.
        ("POSTERN_PUBSUB__ONLY_HERE__SERVICE_ACCOUNT", "push@env.iam.gserviceaccount.com"),
        ("POSTERN_PUBSUB__ONLY_HERE__SUBSCRIPTION", "projects/p/subscriptions/s"),
        ("POSTERN_PUBSUB__ONLY_HERE__WRAPPED", "true"),
        ("POSTERN_GOOGLE__JWKS_URL", "http://localhost:9000/"),
        ("POSTERN_LIMITS__BODY__GOOGLE", "64KiB"),
    ];
    let text = format!(
        "{URL}[pubsub.gmail]\n{ACCOUNT}audience = \"from the file\"\n[pubsub.in_file]\n{ACCOUNT}"
    );
    let (settings, problems) = resolve(&text, &with_variables(&variables), Need::Nothing);
    assert_eq!(problems, []);
    assert_eq!(settings.google.jwks_url, "http://localhost:9000/");
    assert_eq!(settings.limits.body.google, 64 << 10);
    let [gmail, in_file, only_here] = &settings.pubsub[..] else { panic!("{:?}", settings.pubsub) };
    assert_eq!((gmail.name.as_str(), gmail.wrapped), ("gmail", false));
    assert_eq!(gmail.audience, "from the environment");
    assert_eq!((in_file.name.as_str(), in_file.tenant.as_deref()), ("in_file", Some("org_env")));
    assert_eq!((only_here.name.as_str(), only_here.wrapped), ("only-here", true));
    assert_eq!(only_here.audience, "https://hooks.example.com/in/v1/google/pubsub/only-here");
    assert_eq!(only_here.subscription.as_deref(), Some("projects/p/subscriptions/s"));
}

#[test]
fn a_source_lacks_nothing_that_it_needs() {
    refused(&format!("{URL}[pubsub.gmail]"), "pubsub.gmail.service_account", "missing");
    let audience = "pubsub.gmail.audience";
    refused(&format!("[pubsub.gmail]\n{ACCOUNT}"), audience, "or set server.public_url");
    // A faulty one is no missing one.
    refused(&format!("[pubsub.gmail]\n{ACCOUNT}audience = 5"), audience, "takes text");
    let faulty_url = format!("[server]\npublic_url = \"hush\"\n[pubsub.gmail]\n{ACCOUNT}");
    refused(&faulty_url, "server.public_url", "https");
    refused(
        &format!("{URL}[pubsub.gmail]\nservice_account = 5"),
        "pubsub.gmail.service_account",
        "takes text",
    );
    let lines: Vec<_> = resolve("\n[pubsub.gmail]", &Source::default(), Need::Nothing).1;
    assert_eq!(
        lines.iter().filter(|one| one.place == Some(Place::Line(2))).count(),
        2,
        "{lines:?}"
    );
}

#[test]
fn values_are_checked() {
    let table = |line: &str| format!("{URL}[pubsub.gmail]\n{ACCOUNT}{line}");
    let long = "hush".repeat(600);
    for audience in [" hush", "hush ", "hu\\u0007sh", long.as_str()] {
        let text = table(&format!("audience = \"{audience}\""));
        refused(&text, "pubsub.gmail.audience", "takes at most 2048 bytes");
    }
    for subscription in [
        "hush",
        "projects/p/subscriptions/",
        "projects//subscriptions/s",
        "projects/p/topics/s",
        "projects/p/subscriptions/s/t",
        "//pubsub.googleapis.com/projects/p/subscriptions/s",
        "Projects/p/subscriptions/s",
        "projects/p q/subscriptions/s",
    ] {
        let text = table(&format!("subscription = \"{subscription}\""));
        refused(&text, "pubsub.gmail.subscription", "full name of a subscription");
    }
    for wrapped in ["\"true\"", "1", "\"hush\"", "[true]", "{}"] {
        let message = if wrapped == "{}" { "takes a value" } else { "takes true or false" };
        refused(&table(&format!("wrapped = {wrapped}")), "pubsub.gmail.wrapped", message);
    }
    refused(&table("tenant = \"hu\\u0000sh\""), "pubsub.gmail.tenant", "255 bytes");
    refused(&table("tenant = \"\""), "pubsub.gmail.tenant", "is empty");
    refused(&table("audence = \"hush\""), "pubsub.gmail.audence", "did you mean audience?");
    refused(&table("[google]\njwks_url = \"http://hush.example\""), "google.jwks_url", "by https");
    refused(&table("[google]\njwks_url = \"hush\""), "google.jwks_url", "write an https URL");
    let body = "[limits]\nbody = { google = \"65MiB\" }\n";
    refused(&format!("{body}{}", table("")), "limits.body.google", "from 1KiB to 64MiB");
    let body = "[limits]\ninflight_bytes = \"8MiB\"\nbody = { google = \"9MiB\" }\n";
    refused(&format!("{body}{}", table("")), "limits.inflight_bytes", "largest body");
}

#[test]
fn a_service_account_looks_like_an_address() {
    for account in [
        "push@project.iam.gserviceaccount.com",
        "push@project.example.com.iam.gserviceaccount.com",
        "123456789012-compute@developer.gserviceaccount.com",
    ] {
        assert_eq!(service_account(account).as_deref(), Ok(account));
    }
    let long = format!("{}@p.example", "a".repeat(250));
    for account in [
        "push",
        "@project.iam.gserviceaccount.com",
        "push@",
        "push@project",
        "push@.example",
        "push@example.",
        "push@a..b",
        "push@a@b.example",
        "Push@project.iam.gserviceaccount.com",
        "push@project.iam.gserviceaccount.com ",
        "pu sh@project.example",
        "püsh@project.example",
        "serviceAccount:push@project.iam.gserviceaccount.com, other@project.iam.gserviceaccount.com",
        long.as_str(),
    ] {
        assert!(service_account(account).is_err(), "{account}");
    }
}

#[test]
fn names_are_those_that_a_route_can_have() {
    let longest = "x".repeat(64);
    for name in ["a", "0", "gmail-eu_2", "_", longest.as_str()] {
        let text = format!("{URL}[pubsub.{name}]\n{ACCOUNT}");
        assert_eq!(source(good(&text)).name, name);
    }
    let too_long = "x".repeat(65);
    for (name, shown) in [
        ("Gmail", "Gmail"),
        ("\"\"", "\"\""),
        ("\"a.b\"", "\"a.b\""),
        ("\"a/b\"", "\"a/b\""),
        ("\"ä\"", "\"ä\""),
        (too_long.as_str(), "…"),
    ] {
        let text = format!("{URL}[pubsub.{name}]\n{ACCOUNT}nonsense = 5");
        refused(&text, &format!("pubsub.{shown}"), "1 to 64 of");
    }
    let twins = format!("{URL}[pubsub.a-b]\n{ACCOUNT}[pubsub.a_b]\n{ACCOUNT}");
    refused(&twins, "pubsub.a_b", "differs from a-b only in");
}

#[test]
fn what_is_no_table_with_a_name_says_how_to_write_it() {
    let write = "write [pubsub.<name>]";
    refused(&format!("[pubsub]\n{ACCOUNT}"), "pubsub.service_account", write);
    refused("pubsub = \"hush\"", "pubsub", write);
    refused("[pubsub]\ngmail = \"hush\"", "pubsub.gmail", write);
    refused(&format!("[[pubsub]]\n{ACCOUNT}"), "pubsub", write);
    refused(
        &format!("[[pubsub.gmail]]\n{ACCOUNT}"),
        "pubsub.gmail[0]",
        "write [pubsub.gmail] once",
    );
    let keys = "[hook_tokens]\nkeys = { k1 = \"/k1\" }\n";
    refused(&format!("{keys}[pubsubs.gmail]\n{ACCOUNT}"), "pubsubs", "did you mean pubsub?");
    good("[pubsub]");
}

#[test]
fn wrong_variables_are_problems_named_by_the_variable() {
    let account = ("POSTERN_PUBSUB__GMAIL__SERVICE_ACCOUNT", "push@p.iam.gserviceaccount.com");
    let long = format!("POSTERN_PUBSUB__{}__AUDIENCE", "X".repeat(65));
    for (name, value, expected) in [
        ("POSTERN_PUBSUB__GMAIL__WRAPPED", "hush", "takes true or false"),
        ("POSTERN_PUBSUB__GMAIL__WRAPPED", "", "takes true or false"),
        ("POSTERN_PUBSUB__GMAIL__AUDENCE", "hush", "did you mean POSTERN_PUBSUB__GMAIL__AUDIENCE?"),
        ("POSTERN_PUBSUB__gmail__TENANT", "hush", "did you mean POSTERN_PUBSUB__GMAIL__TENANT?"),
        ("POSTERN_PUBSUB__TENANT", "hush", "names no key"),
        ("POSTERN_PUBSUB__", "hush", "names no key"),
        (long.as_str(), "hush", "1 to 64 of"),
        ("POSTERN_PUBSUB____TENANT", "hush", "1 to 64 of"),
        ("POSTERN_GOOGLE__JWKS_URL", "http://hush.example/", "by https"),
    ] {
        let (_, problems) = resolve(URL, &with_variables(&[account, (name, value)]), Need::Nothing);
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        let text = problems[0].to_string();
        assert!(text.contains(name) && text.contains(expected) && !text.contains("hush"), "{text}");
    }
}

#[test]
fn a_source_alone_makes_a_route_live() {
    let text = format!("{URL}[kafka]\nbootstrap_servers = \"k:9092\"\n[pubsub.gmail]\n{ACCOUNT}");
    assert_eq!(shown(&text), [""; 0]);
    for service in ["graph", "calendar", "drive"] {
        let text = format!(
            "[kafka]\nbootstrap_servers = \"k:9092\"\n[[static_secret]]\nservice = \"{service}\"\n\
             file = \"/s\"\ntenant = \"t\"\n"
        );
        assert_eq!(shown(&text), [""; 0], "{service}");
    }
    refused("[pubsub]", "hook_tokens", "no route would be live");
}
