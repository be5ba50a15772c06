//! What does Gmail publish, and what can be wrong with it?

use serde_json::{Value, json};

use super::{
    envelope::{Message, object},
    pubsub::Account,
};
use crate::{
    delivery::{Reason, Record, Verdict},
    rng::Rng,
    text::encode,
};

static CHANGED: [Record; 1] = [Record::event("io.postern.mailbox.changed.v1")];

/// A mailbox has a new position in its history.
pub(super) fn message(account: &Account<'_>, odd: bool, rng: &mut Rng) -> Message {
    let address = address(account);
    let history = json!(history(rng));
    let history = if rng.chance(0.5) { json!(history.to_string()) } else { history };
    let odd = odd.then(|| rng.below(3));
    let mut written = json!(address).to_string();
    if odd == Some(0) {
        written = written.replacen('@', "\\u0040", 1);
    }
    let mut members = vec![("emailAddress", written), ("historyId", history.to_string())];
    if rng.chance(0.3) {
        members.reverse();
    }
    if odd == Some(1) {
        // The text has what the two alphabets of base64 differ in.
        members.push(("futureMember", r#"{"deep":[null,{}],"text":"~~~???"}"#.into()));
    }
    let mut data = object(&members, rng.chance(0.5));
    if odd == Some(2) {
        data = format!("\n {data}\r\n");
    }
    let lower = address.to_lowercase();
    let key = match account.tenant {
        Some(tenant) => format!("{}/{}", encode(tenant), encode(&lower)),
        None => encode(&lower).into_owned(),
    };
    Message::genuine(data.into(), address, key, &CHANGED)
}

/// A position: as small as one observed, of ten digits, beyond what a double holds, the largest.
fn history(rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0 => u64::MAX,
        1 | 2 => (1 << 53) + 1 + 2 * rng.below(1 << 40),
        3 => 1_000 + rng.below(9_000),
        _ => 1_000_000_000 + rng.below(9_000_000_000),
    }
}

/// The mailbox's address as Gmail writes it: not always in lower case, not always ASCII.
fn address(account: &Account<'_>) -> String {
    let Account { domain, mailbox, nameless, .. } = account;
    // A message that carries no id is found by a mailbox that no other message is about.
    if let Some(unique) = nameless {
        return format!("box{mailbox}+{unique}@t{domain}.example");
    }
    match mailbox % 4 {
        0 => format!("box{mailbox}@t{domain}.example"),
        1 => format!("Jane.Doe{mailbox}@T{domain}.Example"),
        2 => format!("o'neil+{mailbox}@t{domain}.example"),
        _ => format!("räkna{mailbox}@t{domain}.example"),
    }
}

/// JSON that is no notification of Gmail's. Where it is the whole body, a member that comes twice or has another type
/// makes that body unreadable; a member that is missing or says nothing never does.
pub(super) fn unusable(wrapped: bool, rng: &mut Rng) -> (Vec<u8>, Verdict) {
    let of = |address: Value, history: &str| {
        format!(r#"{{"emailAddress":{address},"historyId":{history}}}"#)
    };
    let jane = || json!("jane@t0.example");
    let way = rng.below(11);
    let data = match way {
        0 => r#"{"historyId":1710}"#.into(),
        1 => r#"{"emailAddress":"jane@t0.example"}"#.into(),
        2 => of(json!(""), "1710"),
        3 => of(jane(), "\"abc\""),
        4 => of(jane(), "-1"),
        5 => of(jane(), "1e3"),
        6 => of(jane(), "null"),
        7 => of(jane(), "18446744073709551616"),
        8 => r#"{"emailAddress":"jane@t0.example","historyId":1,"historyId":2}"#.into(),
        9 => of(json!(17), "1710"),
        _ => of(jane(), "true"),
    };
    let unreadable = way >= 8 && !wrapped;
    let reason = if unreadable { Reason::UnreadableBody } else { Reason::UnusableItem };
    (data.into_bytes(), Verdict::Quarantined(reason))
}
