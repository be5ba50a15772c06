//! Who reads the topics all the time, so that nothing is lost to the audit by retention, and tells the oracle?

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use postern_rig::consumer::Reader;
use postern_rig::kafka::Kafka;

use crate::oracle::Oracle;

/// How long a topic is listened to before the next one's turn.
const TURN: Duration = Duration::from_millis(40);

/// A running auditor.
pub(crate) struct Auditor {
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Auditor {
    /// Reads these topics from their beginning; the broker has to be up.
    pub(crate) fn start(kafka: &Kafka, topics: &[&str], oracle: &Arc<Oracle>) -> Self {
        let mut readers: Vec<_> = topics.iter().map(|topic| Reader::open(kafka, topic)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, oracle) = (Arc::clone(&stop), Arc::clone(oracle));
        let reader = thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                for reader in &mut readers {
                    for record in reader.take(TURN) {
                        oracle.saw(&record);
                    }
                }
            }
            for reader in &mut readers {
                reader.read_to_end();
                for record in reader.take(Duration::ZERO) {
                    oracle.saw(&record);
                }
            }
        });
        Self { stop, reader: Some(reader) }
    }

    /// Reads the topics to their end; the broker has to be up.
    ///
    /// # Errors
    /// What stopped the reading: a record that breaks the contract, or a topic that is not readable to its end.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        self.stop.store(true, Ordering::SeqCst);
        let reader = self.reader.take().expect("only this ends it");
        reader.join().map_err(|panic| said(panic.as_ref()))
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        // An experiment that broke off does not wait for topics that may be out of reach.
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// What a panic said; one line of it.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    text.to_owned()
}
