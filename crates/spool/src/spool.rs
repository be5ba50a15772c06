//! How does a request get its records onto the disk? Through one thread that syncs for all who wait.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use postern_core::batch::Batch;
use postern_core::time::UnixMillis;
use prometheus::Registry;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::dir::{self, OpenError};
use crate::disk::Directory;
use crate::group::{self, Job};
use crate::log::{self, AppendError, Limits, Prepared, Reader, Shared};
use crate::metrics::Metrics;

/// How many requests may wait for the disk.
const WAITING: usize = 4_096;
/// Freed as a whole: small enough that a full spool frees room soon, large enough that files are rarely created.
const SEGMENT: u64 = 8 << 20;
/// After a failure the disk is left alone for so long; what comes meanwhile is refused at once.
const REST: Duration = Duration::from_millis(500);

/// Who says what time it is.
pub type Clock = fn() -> UnixMillis;

/// Where the spool lies and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A directory of postern's own.
    pub dir: PathBuf,
    /// Bytes on disk.
    pub max_bytes: u64,
    /// Bytes of requests that may wait for the disk.
    pub queue_bytes: usize,
}

/// The spool; clones are the same one. Its directory is locked until the last one is gone.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    jobs: mpsc::Sender<Job>,
    memory: Arc<Semaphore>,
    shared: Arc<Shared<Directory>>,
    clock: Clock,
    thread: Mutex<Option<JoinHandle<()>>>,
    _lock: File,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("held", &self.held()).finish_non_exhaustive()
    }
}

/// What a spool holds that Kafka has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Requests' batches.
    pub entries: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// How long the oldest has been waiting; exact once it was read.
    pub oldest: Option<Duration>,
}

/// The other end of the spool: entries leave it here. There is one.
pub(crate) type Outlet = Reader<Directory>;

impl Spool {
    /// Opens the spool and reads what an earlier life left in it: some seconds for gigabytes.
    ///
    /// # Errors
    /// When the directory is another process's or cannot be used.
    pub fn open(
        settings: &Settings,
        registry: &Registry,
        clock: Clock,
    ) -> Result<(Self, crate::Drain), OpenError> {
        let lock = dir::claim(&settings.dir)?;
        let metrics = Metrics::register(registry)?;
        let limits = Limits {
            bytes: settings.max_bytes,
            segment: SEGMENT.min(settings.max_bytes / 4),
            rest: REST,
        };
        let opened = log::open(Directory::new(&settings.dir), limits, metrics)
            .map_err(|error| OpenError::files(&settings.dir, &error))?;
        let log::Opened { writer, reader, maker, found } = opened;
        let shared = Arc::clone(writer.shared());
        let (jobs, waiting) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || group::work(writer, waiting))
            .map_err(OpenError::Thread)?;
        std::thread::Builder::new()
            .name("spool-files".to_owned())
            .spawn(move || maker.run())
            .map_err(OpenError::Thread)?;
        let spool = Self(Arc::new(Inner {
            jobs,
            memory: Arc::new(Semaphore::new(settings.queue_bytes.min(Semaphore::MAX_PERMITS))),
            shared,
            clock,
            thread: Mutex::new(Some(thread)),
            _lock: lock,
        }));
        let held = spool.held();
        if held.records > 0 || found != log::Found::default() {
            let (records, torn, damaged) = (held.records, found.torn, found.damaged);
            tracing::info!(records, torn, damaged, "the spool holds records of an earlier life");
        }
        let drain = crate::Drain::new(reader, spool.clone());
        Ok((spool, drain))
    }

    /// Returns once the batch is on the disk; it goes to Kafka from there.
    ///
    /// # Errors
    /// Why it is not known to be durable; after `Timeout` it may become so.
    pub async fn append(&self, batch: &Batch, deadline: Instant) -> Result<(), AppendError> {
        let mut payload = Vec::with_capacity(stored_size(batch));
        batch.store(&mut payload);
        let entry = Prepared::new(payload, batch.len(), (self.0.clock)().0)?;
        let size = u32::try_from(entry.size()).map_err(|_| AppendError::TooLarge)?;
        let memory = Arc::clone(&self.0.memory).try_acquire_many_owned(size);
        let memory = memory.map_err(|_| AppendError::Busy)?;
        let (reply, told) = oneshot::channel();
        let job = Job::Append { entry, reply, memory };
        self.0.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Busy,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        })?;
        match tokio::time::timeout_at(deadline.into(), told).await {
            // Dropped here, it wakes others of its group.
            Ok(Ok(told)) => told.outcome,
            Ok(Err(_)) => Err(AppendError::Closed),
            Err(_) => Err(AppendError::Timeout),
        }
    }

    /// What it holds.
    #[must_use]
    pub fn held(&self) -> Held {
        let index = self.0.shared.index();
        let (entries, records) = index.held();
        let now = (self.0.clock)().0;
        let age = |time| Duration::from_millis(u64::try_from(now - time).unwrap_or(0));
        Held { entries, records, bytes: index.bytes(), oldest: index.oldest().map(age) }
    }

    /// Brings the gauges up to date.
    pub fn refresh_metrics(&self) {
        let (held, metrics) = (self.held(), &self.0.shared.metrics);
        metrics.records.set(i64::try_from(held.records).unwrap_or(i64::MAX));
        metrics.bytes.set(i64::try_from(held.bytes).unwrap_or(i64::MAX));
        metrics.oldest.set(held.oldest.map_or(0.0, |age| age.as_secs_f64()));
    }

    /// Ends the writing: what waits for the disk is still written, what comes later is refused. Blocks meanwhile.
    pub fn close(&self) {
        // A full queue means a disk that does not answer: whoever waits will hear no 2xx.
        if self.0.jobs.try_send(Job::Close).is_err() {
            return;
        }
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the spool's thread had panicked");
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<Directory>> {
        &self.0.shared
    }
}

/// About how large the stored form of a batch is, so that its buffer need not grow.
fn stored_size(batch: &Batch) -> usize {
    let part = |bytes: Option<&[u8]>| 4 + bytes.map_or(0, <[u8]>::len);
    let record = |record: postern_core::batch::Record<'_>| {
        let headers = record.headers().map(|(name, value)| 8 + name.len() + value.len());
        8 + part(record.key()) + part(record.value()) + headers.sum::<usize>()
    };
    8 + batch.records().map(record).sum::<usize>()
}
