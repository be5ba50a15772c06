//! Which keys and secrets prove a delivery, and in which files are they?

use std::path::PathBuf;

use postern_core::service::Service;

use super::problem::Problem;
use super::raw::Value;
use super::read::{Found, Reader, one_of};
use super::resolve::{missing, name};
use super::settings::{HookTokens, SecretFile, StaticSecret};

/// The services whose routes take a static secret: those that echo a text of the subscriber's choice in a header or body.
const STATIC_SECRET_SERVICES: [Service; 3] = [Service::Graph, Service::Calendar, Service::Drive];

const KID: &str = "a key id is 1 to 8 of a-z 0-9 -";

/// Reads `[hook_tokens]`. One key alone also signs.
pub(super) fn hook_tokens(reader: &mut Reader<'_>) -> Option<HookTokens> {
    let signing = reader.parsed("hook_tokens.signing", |kid| {
        if is_kid(kid) { Ok(kid.to_owned()) } else { Err(KID.to_owned()) }
    });
    let entries = reader.map("hook_tokens.keys", kid_of_variable);
    let given = entries.len();
    let (mut named, mut keys) = (Vec::with_capacity(given), Vec::with_capacity(given));
    for (kid, found) in entries {
        if !is_kid(&kid) {
            // Key and file may have been swapped: the name may be the secret.
            let message = format!("{KID}; the file stands on the other side of the equals sign");
            reader.note(Problem::at("hook_tokens.keys", found.place, message));
            continue;
        }
        named.push(kid.clone());
        keys.extend(secret_file(reader, found).map(|file| (kid, file)));
    }
    if given == 0 {
        if reader.has("hook_tokens") && !reader.is_faulty("hook_tokens.keys") {
            reader.note(Problem::of(
                "hook_tokens.keys",
                "missing: name at least one key and its file",
            ));
        }
        return None;
    }
    // An entry under a name that is none may be the key that is meant.
    if let Some(found) = &signing
        && named.len() == given
        && !named.contains(&found.value)
    {
        reader.note(found.problem("names no key of hook_tokens.keys"));
    }
    let usable = |kid: &String| keys.iter().any(|(known, _)| known == kid);
    let signing = match signing.map(|found| found.value).filter(usable) {
        Some(kid) => kid,
        // Where there is a problem already it never signs; so the faults of the other keys' files are told with it.
        None if keys.len() == 1 || reader.is_faulty("hook_tokens") => keys.first()?.0.clone(),
        None => {
            reader.note(Problem::of("hook_tokens.signing", "missing: say which of the keys signs"));
            return None;
        }
    };
    Some(HookTokens { signing, keys })
}

/// Reads `[[static_secret]]`.
pub(super) fn static_secrets(reader: &mut Reader<'_>) -> Vec<StaticSecret> {
    let mut secrets = Vec::new();
    for at in 0..reader.tables("static_secret") {
        let table = format!("static_secret[{at}]");
        let service = reader.parsed(&format!("{table}.service"), service);
        let file = reader.text(&format!("{table}.file"));
        let file = file.and_then(|found| {
            let value = Value::Text(found.value.clone());
            secret_file(reader, Found { key: found.key, place: found.place, value })
        });
        let tenant = name(reader, &table, "tenant");
        let user = name(reader, &table, "user").map(|user| user.value);
        missing(reader, &table, "service", "whose deliveries carry the secret");
        missing(reader, &table, "file", "that holds the secret");
        missing(reader, &table, "tenant", "that these deliveries belong to");
        if let Some(file) = file {
            // Stand-ins prove nothing, as there is a problem already; so the faults of the file are told with it. Drive takes
            // the longest texts.
            let service = service.map_or(Service::Drive, |service| service.value);
            let tenant = tenant.map(|tenant| tenant.value).unwrap_or_default();
            secrets.push(StaticSecret { service, file, tenant, user });
        }
    }
    secrets
}

fn service(word: &str) -> Result<Service, String> {
    let service = Service::from_word(word).filter(|one| STATIC_SECRET_SERVICES.contains(one));
    service.ok_or_else(|| format!("takes {}", one_of(&STATIC_SECRET_SERVICES)))
}

/// A value that names a file.
pub(super) fn secret_file(reader: &mut Reader<'_>, found: Found) -> Option<SecretFile> {
    match &found.value {
        Value::Text(path) if !path.trim().is_empty() && !path.contains('\0') => {
            Some(SecretFile { key: found.key, place: found.place, path: PathBuf::from(path) })
        }
        _ => {
            reader.note(found.problem("takes the path of a file that holds the secret"));
            None
        }
    }
}

/// A variable cannot hold a dash, and a key id holds no underscore.
fn kid_of_variable(variable_end: &str) -> String {
    variable_end.replace('_', "-")
}

/// Whether a text is a key id.
pub(crate) fn is_kid(text: &str) -> bool {
    (1..=8).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
