//! Which Pub/Sub subscriptions push to postern, and where are the keys that sign their tokens?

use postern_core::provider::google::PubsubSource;

use super::problem::Problem;
use super::read::Reader;
use super::resolve::{missing, name};
use super::settings::Google;
use super::units;

/// What stands before a source's name in its route.
pub(crate) const PUBSUB_ROUTE: &str = "/v1/google/pubsub/";
/// Where Google publishes the keys. Source: Google's own client libraries.
const KEY_SET: &str = "https://www.googleapis.com/oauth2/v3/certs";
const LONGEST_SOURCE: usize = 64;
/// No audience is longer: Google's default is the URL that it pushes to.
const LONGEST_AUDIENCE: usize = 2_048;
/// RFC 5321, section 4.5.3.1.3, less the brackets.
const LONGEST_ADDRESS: usize = 254;

/// Reads `[pubsub.<name>]`, in the order of the names.
pub(super) fn pubsub(reader: &mut Reader<'_>, public_url: Option<&str>) -> Vec<PubsubSource> {
    let names = reader.names("pubsub", source_name);
    names.into_iter().filter_map(|name| source(reader, name, public_url)).collect()
}

/// Reads `[google]`.
pub(super) fn google(reader: &mut Reader<'_>) -> Google {
    let url = reader.parsed("google.jwks_url", units::key_set_url);
    Google { jwks_url: url.map_or_else(|| KEY_SET.to_owned(), |found| found.value) }
}

fn source(
    reader: &mut Reader<'_>,
    source: String,
    public_url: Option<&str>,
) -> Option<PubsubSource> {
    let table = format!("pubsub.{source}");
    let audience = audience(reader, &table, &source, public_url);
    let service_account = reader.parsed(&format!("{table}.service_account"), service_account);
    missing(reader, &table, "service_account", "that signs the pushes of this source");
    let subscription = reader.parsed(&format!("{table}.subscription"), subscription);
    let wrapped = reader.truth(&format!("{table}.wrapped"), true);
    let tenant = name(reader, &table, "tenant");
    Some(PubsubSource {
        name: source,
        audience: audience?,
        service_account: service_account?.value,
        subscription: subscription.map(|found| found.value),
        wrapped,
        tenant: tenant.map(|found| found.value),
    })
}

/// The audience of a source's tokens: as configured, else the URL that Google pushes to, as Google's own default is.
fn audience(
    reader: &mut Reader<'_>,
    table: &str,
    source: &str,
    public_url: Option<&str>,
) -> Option<String> {
    let key = format!("{table}.audience");
    if let Some(found) = reader.parsed(&key, audience_text) {
        return Some(found.value);
    }
    if reader.has(&key) {
        return None;
    }
    // A faulty URL is a problem of its own.
    if public_url.is_none() && !reader.is_faulty("server.public_url") {
        let place = reader.place(table);
        let message = "missing: name the audience of the push subscription, or set server.public_url: its push URL is \
                       the default";
        reader.note(Problem { key, place, message: message.to_owned() });
        return None;
    }
    Some(format!("{}{PUBSUB_ROUTE}{source}", public_url.unwrap_or_default()))
}

fn source_name(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if (1..=LONGEST_SOURCE).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(())
    } else {
        Err("the name of a source is 1 to 64 of a-z 0-9 - _".to_owned())
    }
}

/// Tokens must have it exactly: a blank at an end would refuse them all.
fn audience_text(text: &str) -> Result<String, String> {
    if text.len() > LONGEST_AUDIENCE || text.chars().any(char::is_control) || text.trim() != text {
        let message =
            "takes at most 2048 bytes without control characters and without blanks at either end";
        return Err(message.to_owned());
    }
    Ok(text.to_owned())
}

/// Tokens must have it exactly, and Google writes it in lower case.
fn service_account(text: &str) -> Result<String, String> {
    let allowed = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        !text.is_empty() && text.bytes().all(|byte| plain(byte) && byte != b'@')
    };
    let dotted = |domain: &str| domain.contains('.') && !domain.split('.').any(str::is_empty);
    match text.split_once('@') {
        Some((local, domain))
            if text.len() <= LONGEST_ADDRESS
                && allowed(local)
                && allowed(domain)
                && dotted(domain) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("takes the address of a service account in lower case, such as \
                  \"push@project.iam.gserviceaccount.com\""
            .to_owned()),
    }
}

/// Project ids may have a domain before a colon; subscription ids hold what Pub/Sub allows them.
fn subscription(text: &str) -> Result<String, String> {
    let project = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte);
    let part = |text: &str, allowed: &dyn Fn(u8) -> bool| {
        (1..=255).contains(&text.len()) && text.bytes().all(allowed)
    };
    match text.split('/').collect::<Vec<_>>()[..] {
        ["projects", of, "subscriptions", name] if part(of, &project) && part(name, &id) => {
            Ok(text.to_owned())
        }
        _ => Err("takes the full name of a subscription, such as \
                  \"projects/my-project/subscriptions/gmail-push\""
            .to_owned()),
    }
}

#[cfg(test)]
mod tests;
