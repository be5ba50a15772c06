//! What has a firewall to let through: `postern endpoints`?

mod list;

use comfy_table::{ContentArrangement, Table, presets};

use crate::config::{self, Need, Settings, Source};
use crate::exit::Exit;
use crate::output;
use list::{Endpoint, list};

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
    for hint in hints(&settings, &endpoints, source.is_bare()) {
        output::note(hint);
    }
    Ok(Exit::Done)
}

fn row(endpoint: &Endpoint) -> [String; 7] {
    let Endpoint { direction, role, provider, purpose, method, url, addresses } = endpoint;
    [direction, role, provider, purpose.as_str(), method, url.as_str(), &addresses.join(" ")]
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
    let mut text = format!("{table}\n");
    if let Some(date) = settings.endpoints.changed {
        text.push_str(&format!("Our addresses changed last on {date}.\n"));
    }
    for (provider, sources) in list::SOURCES {
        if endpoints.iter().any(|endpoint| endpoint.provider == provider) {
            text.push_str(sources);
            text.push('\n');
        }
    }
    text
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
fn hints(settings: &Settings, endpoints: &[Endpoint], bare: bool) -> Vec<&'static str> {
    let mut hints = Vec::new();
    if bare {
        hints.push("no configuration was given: these are the defaults; give --config FILE");
    } else if endpoints.is_empty() {
        hints.push(
            "no route is live: the configuration has neither [hook_tokens] nor a [[static_secret]] nor a [pubsub.<name>]",
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
        hints.push("endpoints.egress_addresses is not set: the addresses that postern and fetchers come from are not known");
    }
    hints
}

#[cfg(test)]
mod tests;
