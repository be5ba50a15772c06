//! What has a firewall to let through: `postern endpoints`?

use comfy_table::{ContentArrangement, Table, presets};
use ipnet::IpNet;
use postern_core::service::Service;
use serde::Serialize;

use crate::config::{self, Need, Settings, Source};
use crate::exit::Exit;
use crate::output;

/// Prints every public URL with provider, purpose and addresses in both directions.
///
/// Only routes that are live with the configuration; without one, those of the defaults. No network is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern endpoints --config /etc/postern.toml\n  \
                        postern endpoints --config /etc/postern.toml --csv > endpoints.csv")]
pub(crate) struct Args {
    /// Prints a JSON list.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Prints comma-separated values with a header.
    #[arg(long)]
    csv: bool,
}

const COLUMNS: [&str; 7] =
    ["direction", "role", "provider", "purpose", "method", "url", "addresses"];

/// Where Microsoft says from which addresses Graph delivers.
const MICROSOFT_SOURCES: &str = "Microsoft lists the addresses from which Graph delivers as \"Microsoft Graph Change Notifications\" on \
     https://learn.microsoft.com/microsoft-365/enterprise/additional-office365-ip-addresses-and-urls; \
     the list may change without notice, and deliveries from other addresses have been seen.";

/// One thing to let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Endpoint {
    /// `in`: providers reach us; `out`: we reach them.
    direction: &'static str,
    /// Who listens or calls: `serve` or `fetch`.
    role: &'static str,
    provider: &'static str,
    purpose: &'static str,
    method: &'static str,
    url: String,
    /// Ours: where we are reached, where we come from.
    addresses: Vec<String>,
}

/// Prints them.
pub(crate) fn run(args: &Args, source: &Source) -> anyhow::Result<Exit> {
    let settings = config::load(source, Need::Nothing)?;
    let endpoints = list(&settings, source.is_bare());
    if args.json {
        output::line(serde_json::to_string_pretty(&endpoints)?)?;
    } else if args.csv {
        output::text(&csv(&endpoints))?;
    } else {
        output::text(&text(&settings, &endpoints))?;
    }
    for hint in hints(&settings, source.is_bare()) {
        output::note(hint);
    }
    Ok(Exit::Done)
}

/// Every endpoint; with `all` also those that nothing could verify yet.
fn list(settings: &Settings, all: bool) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    if all || settings.covers(Service::Graph) {
        endpoints.extend(graph(settings));
    }
    endpoints
}

fn graph(settings: &Settings) -> [Endpoint; 3] {
    let base = settings
        .server
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", settings.server.public));
    let show = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect();
    let route = |path: &str, purpose| Endpoint {
        direction: "in",
        role: "serve",
        provider: "microsoft",
        purpose,
        method: "POST",
        url: format!("{base}{path}"),
        addresses: show(&settings.endpoints.ingress_addresses),
    };
    [
        route(
            "/v1/microsoft/graph",
            "Graph change and lifecycle notifications, endpoint validation",
        ),
        route(
            "/v1/microsoft/graph/{tenant}",
            "Graph notifications of one tenant, which the hook token must name",
        ),
        Endpoint {
            direction: "out",
            role: "fetch",
            provider: "microsoft",
            purpose: "fetchers read what notifications name",
            method: "GET",
            url: format!("https://{}/v1.0/", settings.cloud.graph_host()),
            addresses: show(&settings.endpoints.egress_addresses),
        },
    ]
}

fn row(endpoint: &Endpoint) -> [String; 7] {
    let Endpoint { direction, role, provider, purpose, method, url, addresses } = endpoint;
    [direction, role, provider, purpose, method, url.as_str(), &addresses.join(" ")]
        .map(str::to_owned)
}

fn text(settings: &Settings, endpoints: &[Endpoint]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(COLUMNS);
    for endpoint in endpoints {
        table
            .add_row(row(endpoint).map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }));
    }
    let changed = settings.endpoints.changed;
    let changed =
        changed.map_or_else(String::new, |date| format!("Our addresses changed last on {date}.\n"));
    format!("{table}\n{changed}{MICROSOFT_SOURCES}\n")
}

/// Comma-separated values as RFC 4180 says; addresses are separated by spaces.
fn csv(endpoints: &[Endpoint]) -> String {
    let mut out = COLUMNS.join(",");
    out.push_str("\r\n");
    for endpoint in endpoints {
        let cells = row(endpoint).map(|cell| {
            if cell.contains([',', '"', '\r', '\n']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell
            }
        });
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// What is missing for the list to be of use.
fn hints(settings: &Settings, bare: bool) -> Vec<&'static str> {
    let mut hints = Vec::new();
    if bare {
        hints.push("no configuration was given: these are the defaults; give --config FILE");
    } else if !settings.covers(Service::Graph) {
        hints.push(
            "no route is live: the configuration has neither [hook_tokens] nor a [[static_secret]]",
        );
    }
    if !bare && settings.server.public_url.is_none() {
        hints.push(
            "server.public_url is not set: the URLs show the listener, not what providers are told",
        );
    }
    if !bare && settings.endpoints.ingress_addresses.is_empty() {
        hints.push("endpoints.ingress_addresses is not set: the addresses that providers reach are not known");
    }
    if !bare && settings.endpoints.egress_addresses.is_empty() {
        hints.push("endpoints.egress_addresses is not set: the addresses that fetchers come from are not known");
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing;

    fn settings(text: &str) -> Settings {
        testing::settings(text)
    }

    const FULL: &str = "[server]\npublic_url = \"https://hooks.example.com/in\"\n[graph]\ncloud = \"usgov\"\n\
        [hook_tokens]\nkeys = { k1 = \"/nowhere/k1\" }\n[endpoints]\n\
        ingress_addresses = [\"203.0.113.10/32\", \"2001:db8::/48\"]\negress_addresses = [\"203.0.113.20\"]\n";

    #[test]
    fn urls_are_public_and_addresses_ours() {
        let endpoints = list(&settings(FULL), false);
        let urls: Vec<_> =
            endpoints.iter().map(|e| (e.direction, e.role, e.url.as_str())).collect();
        assert_eq!(
            urls,
            [
                ("in", "serve", "https://hooks.example.com/in/v1/microsoft/graph"),
                ("in", "serve", "https://hooks.example.com/in/v1/microsoft/graph/{tenant}"),
                ("out", "fetch", "https://graph.microsoft.us/v1.0/"),
            ]
        );
        assert_eq!(endpoints[0].addresses, ["203.0.113.10/32", "2001:db8::/48"]);
        assert_eq!(endpoints[2].addresses, ["203.0.113.20/32"]);
    }

    #[test]
    fn only_live_routes_unless_nothing_is_configured() {
        assert_eq!(list(&settings(""), false), []);
        let urls: Vec<String> = list(&settings(""), true).into_iter().map(|e| e.url).collect();
        assert_eq!(urls[0], "http://127.0.0.1:8080/v1/microsoft/graph");
        let secret =
            "[[static_secret]]\nservice = \"graph\"\nfile = \"/nowhere/s\"\ntenant = \"t\"\n";
        assert_eq!(list(&settings(secret), false).len(), 3);
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
        assert_eq!(lines.len(), 5);
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
    fn the_table_says_where_the_providers_addresses_are() {
        let settings = settings(&format!("{FULL}changed = \"2026-11-01\"\n"));
        let text = text(&settings, &list(&settings, false));
        assert!(text.contains("learn.microsoft.com") && text.contains("2026-11-01"), "{text}");
    }
}
