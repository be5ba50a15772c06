//! Who runs librdkafka's callbacks? A thread that looks for deliveries: at once while there are few, in steps while
//! there are many.
//!
//! rust-rdkafka's own polling thread is woken for every answer of every broker, and wakes the waiting tasks for each. At
//! thousands of answers a second most of that is switching between threads: one look for many costs less, and while
//! nobody waits for its queue librdkafka has nobody to wake.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::context::Context;

/// With so many records outstanding deliveries are looked for in steps.
const MANY: usize = 64;
/// The step: adds half of it to an acknowledgement on the average, where it takes some milliseconds anyway.
const STEP: Duration = Duration::from_micros(500);
/// How long the thread waits for the queue otherwise, until it looks how much is outstanding.
const LOOK: Duration = Duration::from_millis(100);

/// A producer whose callbacks run on a thread of its own. Dropping it purges what is outstanding, and blocks.
pub(crate) struct Polled {
    producer: Arc<BaseProducer<Context>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no producer.
pub(crate) enum NotPolled {
    /// librdkafka's reason.
    Kafka(KafkaError),
    /// The system gives no thread.
    Thread(std::io::Error),
}

impl Polled {
    pub(crate) fn start(config: &ClientConfig, context: Context) -> Result<Self, NotPolled> {
        let producer = config.create_with_context(context).map_err(NotPolled::Kafka)?;
        let producer: Arc<BaseProducer<Context>> = Arc::new(producer);
        let stop = Arc::new(AtomicBool::new(false));
        let run = {
            let (producer, stop) = (Arc::clone(&producer), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Acquire) {
                    look(&producer);
                }
            }
        };
        let thread = thread::Builder::new().name("kafka-deliveries".to_owned()).spawn(run);
        Ok(Self { producer, stop, thread: Some(thread.map_err(NotPolled::Thread)?) })
    }
}

fn look(producer: &BaseProducer<Context>) {
    let context = producer.client().context();
    if context.health.progress.outstanding() < MANY {
        return producer.poll(LOOK);
    }
    thread::sleep(STEP);
    loop {
        let before = context.deliveries.load(Ordering::Relaxed);
        // One event a call; the deliveries of one answer are one event.
        producer.poll(Duration::ZERO);
        if context.deliveries.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

impl Deref for Polled {
    type Target = BaseProducer<Context>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A callback that panicked has ended the thread, and said so.
            drop(thread.join());
        }
    }
}
