//! What holds for every token, text and sealed body?

use postern_core::cloud_event;
use postern_core::percent;
use postern_core::provider::microsoft::handshake::{self, Handshake};
use postern_core::quarantine::{self, KeptBody, Quarantined};
use postern_core::reason::{Reason, Untrusted};
use postern_core::service::Service;
use postern_core::time::Day;
use proptest::prelude::*;

use crate::world::{RECEIVED, claims, ring, text};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_minted_verifies_for_its_service_alone(
        tenant in text(), user in proptest::option::of(text()), subject in proptest::option::of(text()),
        label in proptest::option::of(text()), last_day in proptest::option::of(0i64..=65_535),
    ) {
        let all = postern_core::claims::Claims {
            subject, label, last_day: last_day.map(Day), ..claims(&tenant, user.as_deref())
        };
        let ring = ring();
        let minted = ring.mint(Service::Ews, &all);
        // Only what its length byte or the limit cannot hold is refused.
        let longest = [Some(&tenant), all.user.as_ref(), all.subject.as_ref(), all.label.as_ref()]
            .into_iter().flatten().map(String::len).max();
        let Ok(minted) = minted else {
            prop_assert!(longest > Some(200), "{all:?} does not fit");
            return Ok(());
        };
        for service in Service::ALL {
            let read = ring.verify(service, &minted, last_day.map_or(Day(0), Day));
            if service == Service::Ews {
                prop_assert_eq!(read.as_ref(), Ok(&all));
            } else {
                prop_assert_eq!(read, Err(Reason::ForgedToken));
            }
        }
    }

    #[test]
    fn any_text_is_judged_as_token(token in any::<String>(), kid in "[a-z0-9-]{0,9}", rest in "[A-Za-z0-9_.-]{0,80}") {
        let ring = ring();
        for token in [token, format!("p1.{kid}.{rest}")] {
            prop_assert!(ring.verify(Service::Graph, &token, Day(0)).is_err());
            prop_assert!(ring.inspect(&token).is_err());
        }
    }

    #[test]
    fn percent_encoding_goes_there_and_back(text in any::<String>()) {
        let mut encoded = String::new();
        percent::encode_into(&mut encoded, &text);
        prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        prop_assert_eq!(percent::decode_segment(&encoded), Some(text.clone()));
        prop_assert_eq!(percent::decode_form(&encoded), Some(text));
    }

    #[test]
    fn any_query_is_answered_and_nothing_harmful_echoed(query in any::<String>(), token in "[ -~é%+&=]{0,40}") {
        for query in [query, format!("validationToken={token}"), format!("a&validationToken={token}&b")] {
            if let Handshake::Echo(text) = handshake::read(Some(&query)) {
                prop_assert!(!text.is_empty() && text.len() <= 1_024);
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn any_sound_text_comes_back_from_the_handshake(text in "\\PC{1,200}") {
        let mut encoded = String::from("validationToken=");
        percent::encode_into(&mut encoded, &text);
        let expected = if text.len() <= 1_024 && !text.chars().any(char::is_control) {
            Handshake::Echo(text)
        } else {
            Handshake::Refused
        };
        prop_assert_eq!(handshake::read(Some(&encoded)), expected);
    }

    #[test]
    fn any_traceparent_is_whole_or_none(value in proptest::collection::vec(any::<u8>(), 0..70), hex in "[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}") {
        prop_assert_eq!(cloud_event::traceparent(&value), None);
        let text = format!("00-{hex}");
        let zero = hex.starts_with(&"0".repeat(32)) || hex[33..].starts_with(&"0".repeat(16));
        prop_assert_eq!(cloud_event::traceparent(text.as_bytes()).is_some(), !zero);
    }

    #[test]
    fn what_is_sealed_opens_for_its_service_and_key_alone(
        sent in proptest::collection::vec(any::<u8>(), 0..300), path in text(), max in 0usize..400,
        at in any::<proptest::sample::Index>(), bit in 0u8..8,
    ) {
        let items = [Untrusted { index: 0, reason: Reason::NoToken }];
        let delivery = Quarantined {
            service: "graph", items: &items, reason: Reason::NoToken, body: KeptBody::Whole(&sent),
            kept: &[("path", path.as_bytes())], received: RECEIVED, traceparent: None,
        };
        let ring = ring();
        let (first, again) = (delivery.record(Some(&ring), max), delivery.record(Some(&ring), max));
        let header = |batch: &postern_core::batch::Batch, name| {
            let record = batch.records().next().expect("one");
            record.headers().find(|(have, _)| *have == name).map(|(_, value)| value.to_vec())
        };
        prop_assert_eq!(header(&first, "ce_id"), header(&again, "ce_id"), "one id for one delivery");
        let sealed = first.records().next().and_then(|record| record.value()).expect("sealed").to_vec();
        prop_assert_ne!(
            Some(&sealed[..]), again.records().next().and_then(|record| record.value()), "a nonce of its own"
        );
        let opened = quarantine::open(&ring, "k1", "graph", &sealed).expect("it opens");
        prop_assert_eq!(opened.body, &sent[..sent.len().min(max)]);
        prop_assert_eq!(opened.kept, [("path".to_owned(), path.clone().into_bytes())]);
        if sent.len() >= 16 && max >= 16 {
            prop_assert!(!sealed.windows(16).any(|part| part == &sent[..16]), "in the clear");
        }
        let mut changed = sealed.clone();
        let place = at.index(changed.len());
        changed[place] ^= 1 << bit;
        prop_assert!(quarantine::open(&ring, "k1", "graph", &changed).is_err());
        prop_assert!(quarantine::open(&ring, "k1", "drive", &sealed).is_err());
        prop_assert!(quarantine::open(&ring, "k1", "graph", &sealed[..place]).is_err());
    }
}
