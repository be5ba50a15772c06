//! Is everything listed that a firewall has to let through, and nothing else?

use super::*;
use crate::config::testing;

fn settings(text: &str) -> Settings {
    testing::settings(text)
}

const FULL: &str = "[server]\npublic_url = \"https://hooks.example.com/in\"\n[graph]\ncloud = \"usgov\"\n\
    [hook_tokens]\nkeys = { k1 = \"/nowhere/k1\" }\n[endpoints]\n\
    ingress_addresses = [\"203.0.113.10/32\", \"2001:db8::/48\"]\negress_addresses = [\"203.0.113.20\"]\n";

/// Direction, role and URL of each.
fn rows(endpoints: &[Endpoint]) -> Vec<(&str, &str, &str)> {
    endpoints.iter().map(|e| (e.direction, e.role, e.url.as_str())).collect()
}

const SOURCES: &str = "[pubsub.gmail]\nservice_account = \"push@p.iam.gserviceaccount.com\"\n\
    [pubsub.files_eu]\nservice_account = \"push@p.iam.gserviceaccount.com\"\n";

#[test]
fn urls_are_public_and_addresses_ours() {
    let endpoints = list(&settings(&format!("{FULL}{SOURCES}")), false);
    assert_eq!(
        rows(&endpoints),
        [
            ("in", "serve", "https://hooks.example.com/in/v1/microsoft/graph"),
            ("in", "serve", "https://hooks.example.com/in/v1/microsoft/graph/{tenant}"),
            ("out", "fetch", "https://graph.microsoft.us/v1.0/"),
            ("in", "serve", "https://hooks.example.com/in/v1/google/pubsub/files_eu"),
            ("in", "serve", "https://hooks.example.com/in/v1/google/pubsub/gmail"),
            ("in", "serve", "https://hooks.example.com/in/v1/google/calendar"),
            ("in", "serve", "https://hooks.example.com/in/v1/google/drive"),
            ("out", "serve", "https://www.googleapis.com/oauth2/v3/certs"),
            ("out", "fetch", "https://gmail.googleapis.com/"),
            ("out", "fetch", "https://www.googleapis.com/"),
        ]
    );
    for endpoint in &endpoints {
        let incoming = endpoint.direction == "in";
        let expected: &[&str] =
            if incoming { &["203.0.113.10/32", "2001:db8::/48"] } else { &["203.0.113.20/32"] };
        assert_eq!(endpoint.addresses, expected, "{}", endpoint.url);
        assert_eq!(endpoint.method, if incoming { "POST" } else { "GET" }, "{}", endpoint.url);
        let provider = if endpoint.url.contains("google") { "google" } else { "microsoft" };
        assert_eq!(endpoint.provider, provider, "{}", endpoint.url);
    }
}

#[test]
fn only_live_routes_unless_nothing_is_configured() {
    assert_eq!(list(&settings(""), false), []);
    let urls: Vec<String> = list(&settings(""), true).into_iter().map(|e| e.url).collect();
    assert_eq!(urls[0], "http://127.0.0.1:8080/v1/microsoft/graph");
    assert!(urls.iter().any(|url| url == "http://127.0.0.1:8080/v1/google/pubsub/{source}"));
    assert_eq!(urls.len(), 9);

    let secret = |service: &str| {
        let text = format!(
            "[[static_secret]]\nservice = \"{service}\"\nfile = \"/nowhere/s\"\ntenant = \"t\"\n"
        );
        list(&settings(&text), false)
    };
    assert_eq!(secret("graph").len(), 3);
    for service in ["calendar", "drive"] {
        assert_eq!(
            rows(&secret(service)),
            [
                ("in", "serve", format!("http://127.0.0.1:8080/v1/google/{service}").as_str()),
                ("out", "fetch", "https://www.googleapis.com/"),
            ]
        );
    }
    let keys = "[google]\njwks_url = \"https://proxy.example/keys\"\n";
    let public = "[server]\npublic_url = \"https://hooks.example.com\"\n";
    let only_pubsub = list(&settings(&format!("{public}{keys}{SOURCES}")), false);
    assert_eq!(
        rows(&only_pubsub),
        [
            ("in", "serve", "https://hooks.example.com/v1/google/pubsub/files_eu"),
            ("in", "serve", "https://hooks.example.com/v1/google/pubsub/gmail"),
            ("out", "serve", "https://proxy.example/keys"),
            ("out", "fetch", "https://gmail.googleapis.com/"),
            ("out", "fetch", "https://www.googleapis.com/"),
        ]
    );
}

#[test]
fn csv_quotes_where_it_must() {
    let csv = csv(&list(&settings(FULL), false));
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "direction,role,provider,purpose,method,url,addresses");
    assert_eq!(
        lines[1],
        "in,serve,microsoft,\"Graph change and lifecycle notifications, endpoint validation\",POST,\
         https://hooks.example.com/in/v1/microsoft/graph,203.0.113.10/32 2001:db8::/48"
    );
    assert_eq!(lines.len(), 8);
}

#[test]
fn the_json_members_are_the_columns_in_their_order() {
    let json = serde_json::to_string(&list(&settings(FULL), false)[2]).expect("is JSON");
    assert_eq!(
        json,
        r#"{"direction":"out","role":"fetch","provider":"microsoft","purpose":"fetchers read what notifications name","method":"GET","url":"https://graph.microsoft.us/v1.0/","addresses":["203.0.113.20/32"]}"#
    );
}

#[test]
fn the_table_says_where_the_addresses_of_the_providers_listed_are() {
    let shown = |text_of: &str| {
        let settings = settings(text_of);
        text(&settings, &list(&settings, false))
    };
    let both = shown(&format!("{FULL}changed = \"2026-11-01\"\n"));
    assert!(both.contains("learn.microsoft.com") && both.contains("2026-11-01"), "{both}");
    assert!(both.contains("ipranges/goog.json minus") && both.contains("cloud.json"), "{both}");
    assert!(both.contains("rely on the token"), "{both}");
    let secret = |service: &str| {
        format!("[[static_secret]]\nservice = {service:?}\nfile = \"/s\"\ntenant = \"t\"\n")
    };
    let graph = shown(&secret("graph"));
    assert!(graph.contains("learn.microsoft.com") && !graph.contains("goog.json"), "{graph}");
    let drive = shown(&secret("drive"));
    assert!(!drive.contains("learn.microsoft.com") && drive.contains("goog.json"), "{drive}");
}

#[test]
fn hints_say_what_is_missing() {
    let of = |text: &str| {
        let settings = settings(text);
        hints(&settings, &list(&settings, false), false).join("\n")
    };
    let none = of("");
    for key in ["[pubsub.<name>]", "public_url", "ingress_addresses", "egress_addresses"] {
        assert!(none.contains(key), "{key}: {none}");
    }
    assert_eq!(of(FULL), "");
    let pubsub = of(&format!("[server]\npublic_url = \"https://hooks.example.com\"\n{SOURCES}"));
    assert!(!pubsub.contains("no route is live"), "{pubsub}");
}
