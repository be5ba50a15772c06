//! Do all mixtures of items, in every state of Kafka and of the quarantine, come out as the contract says?

use postern_core::publish::PublishError;
use postern_edge::config::Config;
use serde_json::Value;

use crate::support::notice::{body, denied, genuine, junk, rich, trust_that_denies};
use crate::support::{GRAPH, Gateway, Plan, post, quick};

/// One mixture and one state of the world.
#[derive(Clone, Copy, Debug)]
struct Case {
    genuine: u64,
    junk: u64,
    denied: u64,
    rich: bool,
    events: Option<PublishError>,
    quarantine: Option<PublishError>,
    spent: bool,
}

/// What the contract says of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    status: u16,
    published: u64,
    quarantined: u64,
    dropped: u64,
    failed: u64,
    /// Batches that were handed to either lane.
    handed: (usize, usize),
}

impl Case {
    fn items(&self) -> Vec<Value> {
        let mut items: Vec<Value> = Vec::new();
        items.extend((0..self.junk).map(|index| junk(&format!("junk-{index}"))));
        items.extend((0..self.genuine).map(|index| match (self.rich, index) {
            (true, 0) => rich("rich-0"),
            _ => genuine(&format!("good-{index}")),
        }));
        items.extend((0..self.denied).map(|index| denied(&format!("gone-{index}"))));
        items
    }

    /// Contract 2.1 and the last paragraphs of 4.2, written down once more.
    fn expected(&self) -> Expected {
        let (genuine, untrusted) =
            if self.rich { (0, self.genuine + self.junk) } else { (self.genuine, self.junk) };
        let mut expected = Expected { status: 202, ..Expected::default() };
        if genuine > 0 {
            expected.handed.0 = 1;
            if self.events.is_some() {
                return Expected { status: 503, failed: genuine + untrusted, ..expected };
            }
            expected.published = genuine;
        }
        if untrusted == 0 {
            return expected;
        }
        let waits = genuine == 0 && self.denied == 0;
        if !self.spent {
            expected.handed.1 = 1;
        }
        match (self.spent || self.quarantine.is_some(), waits) {
            (false, _) => expected.quarantined = untrusted,
            (true, true) => {
                expected.status = 503;
                expected.failed = untrusted;
            }
            (true, false) => expected.dropped = untrusted,
        }
        expected
    }

    async fn check(&self) {
        let config = Config { quarantine_records: if self.spent { 1 } else { 100 }, ..quick() };
        let gateway = Gateway::with(config, trust_that_denies()).await;
        let mut spent = 0;
        if self.spent {
            gateway.ask(post(GRAPH, body(&[junk("first")]))).await.assert_bare(202);
            spent = 1;
        }
        gateway.kafka.plan(self.events.map_or(Plan::Take, Plan::Fail));
        gateway.kafka.plan_quarantine(self.quarantine.map_or(Plan::Take, Plan::Fail));
        gateway.kafka.queue_unwaited(self.quarantine.map_or(Ok(()), Err));
        let answer = gateway.ask(post(GRAPH, body(&self.items()))).await;
        answer.assert_bare(answer.status);

        let counted = gateway.counted();
        let count = |outcome: &str| {
            counted.get(&format!("notifications {outcome} graph")).copied().unwrap_or(0)
        };
        let (events, quarantine) = gateway.kafka.handed();
        let seen = Expected {
            status: answer.status,
            published: count("published"),
            quarantined: count("quarantined") - spent,
            dropped: count("dropped"),
            failed: count("failed"),
            handed: (events, quarantine - usize::from(self.spent)),
        };
        assert_eq!(seen, self.expected(), "{self:?}");
        assert_eq!(count("denied"), self.denied, "{self:?}");
        let reasons: u64 = counted
            .iter()
            .filter(|(name, _)| name.starts_with("quarantined "))
            .map(|(_, n)| n)
            .sum();
        assert_eq!(reasons, count("quarantined"), "{self:?}");
        let ids = gateway.kafka.ids();
        let expected: Vec<String> = (0..seen.published).map(|n| format!("good-{n}")).collect();
        assert_eq!(ids, expected, "{self:?}");
        let records = gateway.kafka.quarantined().len() as u64 - spent;
        assert_eq!(records, u64::from(seen.quarantined > 0), "one record a delivery: {self:?}");
        gateway.assert_settled().await;
    }
}

#[tokio::test]
async fn every_mixture_in_every_state_of_kafka() {
    let lanes = [None, Some(PublishError::Unavailable), Some(PublishError::QueueFull)];
    let mut checked = 0;
    for mixture in 0..54_u64 {
        let rich = mixture >= 27;
        let (genuine, junk, denied) = (mixture % 3, mixture / 3 % 3, mixture / 9 % 3);
        if rich && genuine == 0 {
            continue;
        }
        for events in lanes {
            for quarantine in lanes {
                for spent in [false, true] {
                    let case = Case { genuine, junk, denied, rich, events, quarantine, spent };
                    case.check().await;
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, (27 + 18) * 18);
}
