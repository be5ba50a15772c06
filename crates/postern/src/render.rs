//! How does a record look to a person, and as JSON?

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use postern_core::batch::Topic;
use postern_core::key_ring::{KeyRing, OpenError};
use postern_core::quarantine;
use postern_kafka::tail::Followed;
use serde_json::{Value, json};

/// Longest part of a text that a line shows; ids of Graph have 150 characters.
const SHOWN: usize = 44;

/// One line for a person. Control characters of strangers are escaped: a terminal obeys them.
pub(crate) fn line(record: &Followed, ring: Option<&KeyRing>) -> String {
    match record.topic {
        Topic::Quarantine => quarantine_line(record, ring),
        Topic::Events | Topic::Lifecycle => event_line(record),
    }
}

fn event_line(record: &Followed) -> String {
    let event = event(record);
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    let kind = text("/type").trim_start_matches("io.postern.").trim_end_matches(".v1");
    let style = if record.topic == Topic::Events { AnsiColor::Green } else { AnsiColor::Yellow };
    let mut out = start(record, style.on_default(), kind, text("/recordedtime"));
    let thing = [text("/data/resource/id"), text("/subject")];
    let thing = thing.into_iter().find(|text| *text != "-").unwrap_or("-");
    let who = shown(&String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()));
    let (service, identity) = (text("/data/service"), text("/data/identity"));
    write!(out, " {service:<9} {who}  {}  {}", shown(thing), shown(identity)).expect(INTO_STRING);
    if let Some(reason) = event.pointer("/data/resync/reason").and_then(Value::as_str) {
        write!(out, "  resync: {}", shown(reason)).expect(INTO_STRING);
    }
    out
}

fn quarantine_line(record: &Followed, ring: Option<&KeyRing>) -> String {
    let header = |name: &str| text_header(record, name);
    let mut out =
        start(record, AnsiColor::Red.on_default(), "quarantined", &header("ce_recordedtime"));
    let (service, reason) = (header("postern_service"), header("postern_reason"));
    write!(out, " {service:<9} {reason}  {} bytes", header("postern_size")).expect(INTO_STRING);
    let items = items(record);
    if let Some(count) = items.as_array().map(Vec::len).filter(|count| *count > 0) {
        write!(out, ", {count} of its items").expect(INTO_STRING);
    }
    match open(record, ring) {
        Opened::Body(body) => {
            write!(out, "  {}", shown(&String::from_utf8_lossy(&body))).expect(INTO_STRING);
        }
        Opened::Nothing(why) => write!(out, "  ({why})").expect(INTO_STRING),
    }
    out
}

const INTO_STRING: &str = "a String takes every write";

fn start(record: &Followed, style: Style, kind: &str, time: &str) -> String {
    // Only the time of day: whoever follows knows the date.
    let time = time.get(11..23).unwrap_or("-");
    format!("{time} {:<10} {style}{:<32}{style:#}", record.topic.as_str(), shown(kind))
}

/// One JSON object a record: where it lies, its key and headers, and its event; a quarantined body where it opens.
pub(crate) fn json(record: &Followed, ring: Option<&KeyRing>) -> Value {
    let headers: serde_json::Map<String, Value> = record
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into()))
        .collect();
    let mut out = json!({
        "topic": record.topic.as_str(),
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned()),
        "headers": headers,
    });
    match record.topic {
        Topic::Events | Topic::Lifecycle => out["event"] = event(record),
        Topic::Quarantine => match open(record, ring) {
            Opened::Body(body) => out["body"] = String::from_utf8_lossy(&body).into(),
            Opened::Nothing(why) => out["sealed"] = why.into(),
        },
    }
    out
}

/// The whole event, put together from the headers in binary mode.
fn event(record: &Followed) -> Value {
    let value = record.value.as_deref().unwrap_or_default();
    let value: Value = serde_json::from_slice(value).unwrap_or(Value::Null);
    if record.header("ce_specversion").is_none() {
        return value;
    }
    let mut event = serde_json::Map::new();
    for (name, value) in &record.headers {
        if let Some(name) = name.strip_prefix("ce_") {
            event.insert(name.to_owned(), String::from_utf8_lossy(value).into());
        }
    }
    event.insert("data".to_owned(), value);
    Value::Object(event)
}

enum Opened {
    Body(Vec<u8>),
    Nothing(&'static str),
}

fn open(record: &Followed, ring: Option<&KeyRing>) -> Opened {
    let Some(value) = &record.value else {
        return Opened::Nothing("nothing kept: no key ring to seal with");
    };
    let Some(ring) = ring else { return Opened::Nothing("sealed; give the keys to open it") };
    let (kid, service) =
        (text_header(record, "postern_kid"), text_header(record, "postern_service"));
    match quarantine::open(ring, &kid, &service, value) {
        Ok(opened) => Opened::Body(opened.body),
        Err(OpenError::UnknownKey) => Opened::Nothing("sealed with a key that the ring lacks"),
        Err(OpenError::Changed) => Opened::Nothing("does not open: changed or cut"),
    }
}

fn items(record: &Followed) -> Value {
    let items = record.header("postern_items").unwrap_or_default();
    serde_json::from_slice(items).unwrap_or(Value::Null)
}

fn text_header(record: &Followed, name: &str) -> String {
    shown(&String::from_utf8_lossy(record.header(name).unwrap_or_default()))
}

/// A text of strangers: escaped, and cut to what fits a line.
fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    // escape_debug also escapes quotes, which need it in no terminal.
    out = out.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(topic: Topic, headers: &[(&str, &str)], value: Option<&str>) -> Followed {
        let headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Followed {
            topic,
            partition: 1,
            offset: 2,
            key: Some(b"org_acme/user_1".to_vec()),
            value: value.map(|value| value.as_bytes().to_vec()),
            headers: headers.collect(),
            timestamp: None,
        }
    }

    const EVENT: &str = r#"{"type":"io.postern.message.created.v1","recordedtime":"2026-11-25T10:11:12.131Z",
        "subject":"s\u001b[2J","data":{"service":"graph","identity":"strong","resource":{"id":null}}}"#;

    #[test]
    fn a_line_says_what_and_obeys_no_stranger() {
        let line = line(&record(Topic::Events, &[], Some(EVENT)), None);
        for part in
            ["10:11:12.131", "message.created", "org_acme/user_1", "graph", "strong", "s\\u{1b}[2J"]
        {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn a_quarantined_record_says_why() {
        let headers = [
            ("postern_service", "graph"),
            ("postern_reason", "no-token"),
            ("postern_size", "12"),
            ("postern_items", r#"[{"index":0,"reason":"no-token"}]"#),
        ];
        let line = line(&record(Topic::Quarantine, &headers, None), None);
        for part in ["quarantined", "no-token", "12 bytes, 1 of its items", "nothing kept"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn binary_mode_is_put_together() {
        let headers =
            [("ce_specversion", "1.0"), ("ce_type", "t"), ("content-type", "application/json")];
        let json = json(&record(Topic::Events, &headers, Some(r#"{"a":1}"#)), None);
        assert_eq!(json["event"]["type"], "t");
        assert_eq!(json["event"]["data"]["a"], 1);
    }
}
