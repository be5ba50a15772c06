//! How are hook tokens made and read: `postern token`?

mod batch;

use std::io::{self, Read as _};

use clap::{Subcommand, ValueEnum};
use postern_core::claims::Claims;
use postern_core::key_ring::{Inspected, KeyRing};
use postern_core::reason::Reason;
use postern_core::service::Service;
use postern_core::time::Day;
use serde_json::json;

use crate::config::Source;
use crate::exit::{Exit, UsageError};
use crate::keys::{KeyArgs, Keys};
use crate::output;

/// A token is shorter by far; bounds what is read from standard input.
const LONGEST_INPUT: u64 = 64 << 10;

/// Mints and inspects hook tokens.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  postern token mint --service graph --tenant org_acme --user user_123 --label inbox"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Mint(MintArgs),
    Inspect(InspectArgs),
}

/// Mints a token: the value that a provider is told to echo back with every notification.
///
/// Keys come from --key, else from the configuration, else from the embedded edge that was started last.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern token mint --service graph --tenant org_acme --user user_123 --label inbox\n  \
                        postern token mint --service graph --tenant org_acme --key k2=/run/secrets/hook-k2\n  \
                        echo '{\"service\":\"graph\",\"tenant\":\"org_acme\",\"last_day\":\"2026-12-31\"}' | postern token mint --batch"
)]
struct MintArgs {
    /// The service whose provider echoes it.
    #[arg(long, value_name = "SERVICE", required_unless_present = "batch")]
    service: Option<ServiceWord>,

    /// The customer whose connection it is.
    #[arg(long, value_name = "TENANT", required_unless_present = "batch")]
    tenant: Option<String>,

    /// The user who connected [default: none, an installation-level connection].
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// The mailbox, address or id, that an installation-level connection watches.
    #[arg(long, value_name = "MAILBOX")]
    subject: Option<String>,

    /// What the subscription watches, free text.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,

    /// The last UTC day on which it is valid, YYYY-MM-DD [default: it does not expire].
    #[arg(long, value_name = "DATE")]
    last_day: Option<String>,

    /// Reads JSON objects with these option names (last_day) from standard input, one a line, and prints one token a
    /// line; when any line is bad, nothing is printed.
    #[arg(long, conflicts_with_all = ["service", "tenant", "user", "subject", "label", "last_day"])]
    batch: bool,

    #[command(flatten)]
    keys: KeyArgs,
}

/// Verifies a token and prints what it says as JSON; exit 1 when it does not verify.
///
/// Keys come from --key, else from the configuration, else from the embedded edge that was started last.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern token inspect p1.k1.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w\n  \
                        postern token inspect - --service graph < token.txt"
)]
struct InspectArgs {
    /// The token; - reads it from standard input.
    #[arg(value_name = "TOKEN")]
    token: String,

    /// It must verify for this service [default: for any].
    #[arg(long, value_name = "SERVICE")]
    service: Option<ServiceWord>,

    #[command(flatten)]
    keys: KeyArgs,
}

/// A service as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ServiceWord {
    Graph,
    Calendar,
    Drive,
    Ews,
}

impl From<ServiceWord> for Service {
    fn from(word: ServiceWord) -> Self {
        match word {
            ServiceWord::Graph => Self::Graph,
            ServiceWord::Calendar => Self::Calendar,
            ServiceWord::Drive => Self::Drive,
            ServiceWord::Ews => Self::Ews,
        }
    }
}

/// Mints or inspects.
pub(crate) fn run(args: &Args, source: &Source) -> anyhow::Result<Exit> {
    match &args.command {
        TokenCommand::Mint(args) => mint(args, source),
        TokenCommand::Inspect(args) => inspect(args, source),
    }
}

fn mint(args: &MintArgs, source: &Source) -> anyhow::Result<Exit> {
    let ring = Keys::required(&args.keys, source)?.ring()?;
    match (args.service, &args.tenant) {
        (Some(service), Some(tenant)) => {
            let claims = Claims {
                tenant: tenant.clone(),
                user: args.user.clone(),
                subject: args.subject.clone(),
                label: args.label.clone(),
                last_day: args.last_day.as_deref().map(last_day).transpose().map_err(UsageError)?,
            };
            let minted = ring.mint(service.into(), &claims);
            output::line(minted.map_err(|error| UsageError(error.to_string()))?)?;
        }
        _ => output::text(&batch::mint(&ring, io::stdin().lock())?)?,
    }
    Ok(Exit::Done)
}

fn last_day(text: &str) -> Result<Day, String> {
    Day::parse(text)
        .ok_or_else(|| "the last day is no date: write YYYY-MM-DD, such as 2026-12-31".to_owned())
}

fn inspect(args: &InspectArgs, source: &Source) -> anyhow::Result<Exit> {
    let ring = Keys::required(&args.keys, source)?.ring()?;
    let mut token = args.token.clone();
    if token == "-" {
        token.clear();
        io::stdin().lock().take(LONGEST_INPUT).read_to_string(&mut token)?;
    }
    let today = postern_edge::clock::now().day();
    let (inspected, verdict) =
        judge(&ring, token.trim_end_matches(['\n', '\r']), args.service.map(Service::from), today);
    if let Some(inspected) = inspected {
        output::line(show(&inspected))?;
    }
    match verdict {
        Ok(()) => Ok(Exit::Done),
        Err(refusal) => {
            output::note(format_args!("postern: {refusal}"));
            Ok(Exit::Failed)
        }
    }
}

/// What the token says, where a key proves it, and whether it verifies today.
fn judge(
    ring: &KeyRing,
    token: &str,
    service: Option<Service>,
    today: Day,
) -> (Option<Inspected>, Result<(), String>) {
    let mut inspected = match ring.inspect(token) {
        Ok(inspected) => inspected,
        Err(reason) => return (None, Err(explain(reason).to_owned())),
    };
    if let Some(last) = inspected.claims.last_day.filter(|&last| last < today) {
        inspected.services.clear();
        return (Some(inspected), Err(format!("the token has expired: its last day was {last}")));
    }
    match service {
        Some(service) if !inspected.services.contains(&service) => {
            let services: Vec<&str> =
                inspected.services.iter().map(|service| service.as_str()).collect();
            let message = format!(
                "the token does not verify for {service}, only for {}",
                services.join(", ")
            );
            (None, Err(message))
        }
        _ => (Some(inspected), Ok(())),
    }
}

fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::MalformedToken => "this is no hook token: it has the form p1.<kid>.<claims>.<tag>",
        Reason::UnknownKey => "the token was signed with a key that is not among these keys",
        Reason::ForgedToken => {
            "the token does not verify: it was changed, or signed with another key of that id"
        }
        _ => "the token does not verify",
    }
}

fn show(inspected: &Inspected) -> String {
    let Inspected { kid, claims, services } = inspected;
    let services: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
    // Written by hand so that the members keep the order of the manual.
    format!(
        r#"{{"kid":{},"tenant":{},"user":{},"subject":{},"label":{},"lastDay":{},"services":{}}}"#,
        json!(kid),
        json!(claims.tenant),
        json!(claims.user),
        json!(claims.subject),
        json!(claims.label),
        json!(claims.last_day.map(|day| day.to_string())),
        json!(services),
    )
}

#[cfg(test)]
mod tests;
