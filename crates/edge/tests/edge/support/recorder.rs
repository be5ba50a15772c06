//! Who plays Kafka? A publisher in memory that can be told to be slow, away or broken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use postern_core::batch::{Batch, Topic};
use postern_core::publish::{Circuit, Durable, Publish, PublishError};
use serde_json::Value;
use tokio::sync::watch;

/// What a lane does with what it is handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Takes it at once.
    Take,
    /// Takes it after a while.
    Delay(Duration),
    /// Waits until the plan changes, as long as the deadline allows.
    Hold,
    /// Never comes back, whatever the deadline.
    Stuck,
    /// Fails at once.
    Fail(PublishError),
    /// Panics.
    Panic,
    /// Blocks its thread for a while, as nothing should.
    Block(Duration),
}

/// A record as Kafka would hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) topic: Topic,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Stored {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The `CloudEvent` of a structured record.
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(self.value.as_deref().expect("a value")).expect("JSON")
    }

    /// Its `id`.
    pub(crate) fn id(&self) -> String {
        self.event()["id"].as_str().expect("an id").to_owned()
    }
}

/// The publisher; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<State>);

#[derive(Debug)]
struct State {
    events: Lane,
    quarantine: Lane,
    /// Quarantine records that were not waited for are taken unless this says why not.
    unwaited: Mutex<Result<(), PublishError>>,
}

#[derive(Debug)]
struct Lane {
    plan: watch::Sender<Plan>,
    /// How often something was handed over, whatever came of it.
    handed: AtomicUsize,
    stored: Mutex<Vec<Stored>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let lane = || Lane {
            plan: watch::Sender::new(Plan::Take),
            handed: AtomicUsize::new(0),
            stored: Mutex::new(Vec::new()),
        };
        Self(Arc::new(State { events: lane(), quarantine: lane(), unwaited: Mutex::new(Ok(())) }))
    }

    /// What becomes of genuine records from now on; what is held meets the new plan.
    pub(crate) fn plan(&self, plan: Plan) {
        self.0.events.plan.send_replace(plan);
    }

    /// The same for quarantine records that are waited for.
    pub(crate) fn plan_quarantine(&self, plan: Plan) {
        self.0.quarantine.plan.send_replace(plan);
    }

    /// Whether quarantine records that nobody waits for can be queued.
    pub(crate) fn queue_unwaited(&self, result: Result<(), PublishError>) {
        *self.0.unwaited.lock().expect("nothing panics with it") = result;
    }

    /// What is durable in the events and lifecycle topics.
    pub(crate) fn published(&self) -> Vec<Stored> {
        self.0.events.stored.lock().expect("nothing panics with it").clone()
    }

    /// What is durable in the quarantine topic.
    pub(crate) fn quarantined(&self) -> Vec<Stored> {
        self.0.quarantine.stored.lock().expect("nothing panics with it").clone()
    }

    /// The ids of what is published, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.published().iter().map(Stored::id).collect()
    }

    /// How often either lane was handed something: events, quarantine.
    pub(crate) fn handed(&self) -> (usize, usize) {
        let count = |lane: &Lane| lane.handed.load(Ordering::SeqCst);
        (count(&self.0.events), count(&self.0.quarantine))
    }

    /// Waits until so many batches were handed to the events lane.
    pub(crate) async fn handed_over(&self, batches: usize) {
        let seen = async {
            while self.handed().0 < batches {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), seen).await.expect("handed over within 5 s");
    }
}

impl Lane {
    fn store(&self, batch: &Batch) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("headers are text");
        self.stored.lock().expect("nothing panics with it").extend(batch.records().map(|record| {
            Stored {
                topic: record.topic(),
                key: record.key().map(<[u8]>::to_vec),
                value: record.value().map(<[u8]>::to_vec),
                headers: record
                    .headers()
                    .map(|(name, value)| (name.to_owned(), text(value)))
                    .collect(),
            }
        }));
    }

    async fn take(&self, batch: &Batch, deadline: Instant) -> Result<(), PublishError> {
        self.handed.fetch_add(1, Ordering::SeqCst);
        let mut plans = self.plan.subscribe();
        loop {
            let plan = *plans.borrow_and_update();
            match plan {
                Plan::Take => break,
                Plan::Delay(time) => {
                    let due = Instant::now() + time;
                    tokio::time::sleep_until(due.min(deadline).into()).await;
                    if due > deadline {
                        return Err(PublishError::Timeout);
                    }
                    break;
                }
                Plan::Hold => {
                    let changed = tokio::time::timeout_at(deadline.into(), plans.changed()).await;
                    let Ok(changed) = changed else { return Err(PublishError::Timeout) };
                    changed.expect("the recorder lives as long as the edge");
                }
                Plan::Stuck => std::future::pending().await,
                Plan::Fail(error) => return Err(error),
                Plan::Panic => panic!("the publisher was told to panic"),
                Plan::Block(time) => {
                    std::thread::sleep(time);
                    break;
                }
            }
        }
        self.store(batch);
        Ok(())
    }
}

impl Publish for Recorder {
    fn circuit(&self) -> Circuit {
        Circuit::Closed
    }

    async fn publish(&self, batch: &Batch, deadline: Instant) -> Result<Durable, PublishError> {
        self.0.events.take(batch, deadline).await.map(|()| Durable::Kafka)
    }

    async fn quarantine(&self, record: Batch, deadline: Instant) -> Result<(), PublishError> {
        self.0.quarantine.take(&record, deadline).await
    }

    fn quarantine_unwaited(&self, record: Batch) -> Result<(), PublishError> {
        self.0.quarantine.handed.fetch_add(1, Ordering::SeqCst);
        (*self.0.unwaited.lock().expect("nothing panics with it"))?;
        self.0.quarantine.store(&record);
        Ok(())
    }
}
