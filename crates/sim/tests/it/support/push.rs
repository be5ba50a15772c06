//! What does a strict reader of the contract find in a Pub/Sub push? Written for the tests alone.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use postern_sim::{Delivery, Feed, Push, Reason};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    NOW,
    jwt::{Trust, faults},
};

/// What a push says, or why nothing can be made of it.
pub(crate) type Found = Result<Said, Reason>;

/// What a genuine message says.
#[derive(Debug)]
pub(crate) struct Said {
    /// CloudEvents `id`, where Pub/Sub gives one.
    pub(crate) id: Option<String>,
    pub(crate) source: String,
    /// CloudEvents `subject`.
    pub(crate) subject: Option<String>,
    /// The record key, decoded, by parts.
    pub(crate) key: Vec<String>,
    /// Types and what stands behind their id.
    pub(crate) records: Vec<(String, &'static str)>,
    /// The position in a mailbox's history.
    pub(crate) history: Option<u64>,
}

struct Message {
    id: Option<String>,
    subscription: Option<String>,
    data: Vec<u8>,
    attributes: BTreeMap<String, String>,
}

/// The status of the answer, and what is in the message if that is looked at.
pub(crate) fn judge(delivery: &Delivery, push: &Push) -> (u16, Option<Found>) {
    let values: Vec<_> =
        delivery.headers.get_all("authorization").iter().map(|v| v.to_str().unwrap()).collect();
    let (audience, account) = (&push.audience, &push.service_account);
    let trust = Trust { jwks: &push.signer.jwks(), audience, account, now: NOW };
    if !faults(&values, &trust).is_empty() {
        return (401, None);
    }
    let message = if push.wrapped {
        wrapped(&delivery.body)
    } else {
        unwrapped(&delivery.headers, &delivery.body)
    };
    (204, Some(message.and_then(|message| read(&message, push))))
}

fn wrapped(body: &[u8]) -> Result<Message, Reason> {
    let push: Value = serde_json::from_slice(body).map_err(|_| Reason::UnreadableBody)?;
    let message = push["message"].as_object().ok_or(Reason::UnreadableBody)?;
    let text = |name: &str| message.get(name).map(|value| value.as_str().unwrap().to_owned());
    let (camel, snake) = (text("messageId"), text("message_id"));
    if camel.is_some() && snake.is_some() && camel != snake {
        return Err(Reason::UnusableItem);
    }
    assert_eq!(
        camel.is_some() || snake.is_some(),
        message.keys().any(|key| key.starts_with("publish"))
    );
    let data = text("data").unwrap_or_default().replace('-', "+").replace('_', "/");
    let data = STANDARD_NO_PAD.decode(data.trim_end_matches('='));
    let attributes = match &message.get("attributes") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(attributes) => serde_json::from_value((*attributes).clone()).unwrap(),
    };
    Ok(Message {
        id: camel.or(snake),
        subscription: push.get("subscription").map(|name| name.as_str().unwrap().into()),
        data: data.map_err(|_| Reason::UnusableItem)?,
        attributes,
    })
}

fn unwrapped(headers: &HeaderMap, body: &[u8]) -> Result<Message, Reason> {
    // Both feeds publish JSON, so that a body that is none is nothing to them.
    serde_json::from_slice::<Value>(body).map_err(|_| Reason::UnreadableBody)?;
    let one = |name: &str| {
        assert!(headers.get_all(name).iter().count() <= 1, "{name} comes twice");
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let attributes = headers
        .keys()
        .filter(|name| name.as_str().starts_with("ce-") || *name == "content-type")
        .map(|name| (name.to_string(), one(name.as_str()).unwrap()))
        .collect();
    Ok(Message {
        id: one("x-goog-pubsub-message-id"),
        subscription: one("x-goog-pubsub-subscription-name"),
        data: body.to_vec(),
        attributes,
    })
}

fn read(message: &Message, push: &Push) -> Found {
    if let (Some(named), Some(configured)) = (&message.subscription, &push.subscription)
        && named != configured
    {
        return Err(Reason::TenantMismatch);
    }
    let attribute = |name: &str| message.attributes.get(name).map(String::as_str);
    let structured =
        attribute("content-type").is_some_and(|t| t.starts_with("application/cloudevents"));
    let event = structured || message.attributes.keys().any(|name| name.starts_with("ce-"));
    if !event && !push.wrapped && !is_shaped(&message.data) {
        return Err(Reason::UnreadableBody);
    }
    let mut said = if event {
        assert_eq!(push.feed, Feed::Workspace);
        workspace(message, structured, push.tenant.as_deref()).ok_or(Reason::UnusableItem)?
    } else {
        gmail(message, push.tenant.as_deref()).ok_or(Reason::UnusableItem)?
    };
    said.id.clone_from(&message.id);
    said.source = match message.subscription.as_ref().or(push.subscription.as_ref()) {
        Some(name) => format!("//pubsub.googleapis.com/{name}"),
        None => format!("//postern/pubsub/{}", push.source),
    };
    Ok(said)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gmail {
    email_address: String,
    history_id: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    email_address: Option<Value>,
    history_id: Option<Value>,
}

/// Whether the members of a notification come once, and as what they are.
fn is_shaped(data: &[u8]) -> bool {
    let Ok(Shape { email_address, history_id }) = serde_json::from_slice(data) else {
        return false;
    };
    let number = history_id.as_ref().is_some_and(Value::is_number);
    let text = |value: Option<Value>| value.is_none_or(|value| value.is_string());
    text(email_address) && (number || text(history_id))
}

fn gmail(message: &Message, tenant: Option<&str>) -> Option<Said> {
    // A text, so that no number goes through a double.
    let text = std::str::from_utf8(&message.data).ok()?;
    let Gmail { email_address, history_id } = serde_json::from_str(text).ok()?;
    let digits = history_id.get().trim_matches('"');
    let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let history = digits.parse().ok()?;
    if email_address.is_empty() {
        return None;
    }
    let mailbox = email_address.to_lowercase();
    Some(Said {
        id: None,
        source: String::new(),
        key: tenant.into_iter().map(str::to_owned).chain([mailbox]).collect(),
        subject: Some(email_address),
        records: vec![("io.postern.mailbox.changed.v1".into(), "")],
        history: Some(history),
    })
}

fn workspace(message: &Message, structured: bool, tenant: Option<&str>) -> Option<Said> {
    let body: Value = serde_json::from_slice(&message.data).ok()?;
    let get = |name: &str| {
        let attribute = message.attributes.get(&format!("ce-{name}")).cloned();
        if structured { body.get(name)?.as_str().map(str::to_owned) } else { attribute }
    };
    let data = if structured { body.get("data")? } else { &body };
    let (kind, subject, source) = (get("type")?, get("subject")?, get("source")?);
    assert!(get("id").is_some() && get("time").is_some());
    let subscription = source.strip_prefix("//workspaceevents.googleapis.com/subscriptions/")?;
    if let Some(name) = data.pointer("/subscription/name") {
        assert_eq!(*name, format!("subscriptions/{subscription}"));
    }
    let kind = kind.to_lowercase();
    let records = match kind.strip_prefix("google.workspace.events.subscription.v1.") {
        Some(signal) => signal_records(signal, &data["subscription"]),
        None => vec![(format!("io.postern.{}.v1", change(&kind)), "")],
    };
    let thing = subject.rsplit('/').next()?.to_owned();
    if let Some(id) = data.pointer("/file/id") {
        assert_eq!(*id, *thing);
    }
    Some(Said {
        id: None,
        source: String::new(),
        subject: Some(thing),
        key: vec![tenant.unwrap_or(subscription).into()],
        records,
        history: None,
    })
}

fn change(kind: &str) -> &'static str {
    match kind.strip_prefix("google.workspace.drive.file.v3.") {
        Some("created" | "added") => "file.added",
        Some("deleted") => "file.removed",
        Some("trashed") => "file.trashed",
        Some("untrashed") => "file.untrashed",
        Some(_) => "file.updated",
        None => "other.changed",
    }
}

fn signal_records(signal: &str, data: &Value) -> Vec<(String, &'static str)> {
    let resync = ("io.postern.mailbox.resync-required.v1".into(), ".resync");
    let time = data.get("expire_time").or(data.get("expireTime"));
    let reason = data.get("suspension_reason").or(data.get("suspensionReason"));
    let lifecycle = |word| (format!("io.postern.subscription.{word}.v1"), "");
    match signal {
        "suspended" => {
            assert!(reason.is_some_and(Value::is_string));
            vec![lifecycle("suspended"), resync]
        }
        "expired" => {
            assert!(time.is_some_and(Value::is_string));
            vec![lifecycle("expired"), resync]
        }
        "expirationreminder" => {
            assert!(time.is_some_and(Value::is_string));
            vec![lifecycle("expiring")]
        }
        other => panic!("{other} is no signal that is played"),
    }
}

/// The parts of a record key.
pub(crate) fn parts(key: &str) -> Vec<String> {
    key.split('/').map(|part| percent_decode_str(part).decode_utf8().unwrap().into()).collect()
}
