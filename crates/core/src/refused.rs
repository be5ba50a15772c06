//! What becomes of a record that Kafka refuses for good, long after its delivery was answered? Quarantine.

use serde::Deserialize;

use crate::batch::{Batch, Record};
use crate::key_ring::KeyRing;
use crate::quarantine::{KeptBody, Quarantined};
use crate::reason::Reason;
use crate::service::Service;
use crate::time::UnixMillis;

/// What is read of a value in either mode: structured has the data as a member, binary is the data.
#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    service: Option<&'a str>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(borrow)]
    recordedtime: Option<&'a str>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    service: Option<&'a str>,
}

/// The quarantine record of an event or lifecycle record: its value cut at `max_body`, its key and headers sealed with
/// it, reason `too-large`. `None` when the record is none of this crate's, so that nobody could tell whose it is.
#[must_use]
pub fn quarantined(record: Record<'_>, ring: Option<&KeyRing>, max_body: usize) -> Option<Batch> {
    let value = record.value()?;
    let read: Value<'_> = serde_json::from_slice(value).ok()?;
    let word = read.service.or_else(|| read.data?.service)?;
    let service = Service::ALL.into_iter().find(|service| service.as_str() == word)?;
    let header = |wanted| record.headers().find(|(name, _)| *name == wanted);
    let time = header("ce_recordedtime").and_then(|(_, value)| std::str::from_utf8(value).ok());
    let received = UnixMillis::parse(time.or(read.recordedtime)?)?;
    let mut kept: Vec<(&str, &[u8])> = record.headers().collect();
    kept.push(("topic", record.topic().as_str().as_bytes()));
    if let Some(key) = record.key() {
        kept.push(("key", key));
    }
    let quarantined = Quarantined {
        service: service.as_str(),
        items: &[],
        reason: Reason::TooLarge,
        body: KeptBody::Whole(value),
        kept: &kept,
        received,
        traceparent: None,
    };
    Some(quarantined.record(ring, max_body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Topic;
    use crate::quarantine::open;
    use crate::secret::Secret;

    fn ring() -> KeyRing {
        let key = Secret::from_file_content((0..32).collect());
        KeyRing::new("k1", vec![("k1".to_owned(), key)]).expect("a good key")
    }

    fn record(value: &str, recorded: Option<&str>) -> Batch {
        let mut batch = Batch::new();
        batch.begin(Topic::Events);
        batch.key(b"org_acme/user_1");
        if let Some(time) = recorded {
            batch.header("ce_recordedtime", time.as_bytes());
        }
        let Ok(()) = batch.value(|out| {
            out.extend_from_slice(value.as_bytes());
            Ok::<(), std::convert::Infallible>(())
        });
        batch
    }

    fn put_aside(batch: &Batch, max_body: usize) -> Option<Batch> {
        quarantined(batch.records().next().expect("one"), Some(&ring()), max_body)
    }

    #[test]
    fn a_record_of_either_mode_is_sealed_with_its_key() {
        let time = "2026-11-24T10:00:00.000Z";
        let structured = format!(r#"{{"recordedtime":"{time}","data":{{"service":"gmail"}}}}"#);
        let binary = r#"{"service":"gmail","x":"\u00e9"}"#;
        for (value, recorded) in [(structured.as_str(), None), (binary, Some(time))] {
            let batch = put_aside(&record(value, recorded), 10).expect("one of ours");
            let record = batch.records().next().expect("one");
            let header = |wanted| {
                let found = record.headers().find(|(name, _)| *name == wanted);
                String::from_utf8(found.expect("is there").1.to_vec()).expect("text")
            };
            assert_eq!(record.topic(), Topic::Quarantine);
            assert_eq!(header("postern_service"), "gmail");
            assert_eq!(header("postern_reason"), "too-large");
            assert_eq!(header("postern_items"), "[]");
            assert_eq!(header("postern_truncated"), "true");
            assert_eq!(header("ce_time"), time);
            let opened = open(&ring(), "k1", "gmail", record.value().expect("sealed"));
            let opened = opened.expect("opens");
            assert_eq!(opened.body, &value.as_bytes()[..10]);
            assert!(opened.kept.contains(&("key".to_owned(), b"org_acme/user_1".to_vec())));
        }
    }

    #[test]
    fn what_is_none_of_ours_is_not_guessed() {
        let time = Some("2026-11-24T10:00:00.000Z");
        for value in ["", "[]", "{}", r#"{"service":"fax"}"#, r#"{"data":{}}"#] {
            assert!(put_aside(&record(value, time), 10).is_none(), "{value}");
        }
        assert!(put_aside(&record(r#"{"service":"graph"}"#, None), 10).is_none(), "no time");
    }
}
