//! Is what the spool took still there, and does it reach Kafka once Kafka answers? On a real directory, with a Kafka
//! that is told what to do.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use postern_core::batch::Batch;
use postern_core::publish::{Circuit, Durable, Publish, PublishError, Redeliver};
use postern_core::time::UnixMillis;
use postern_spool::{
    AppendError, Drain, Held, OpenError, Publisher, Settings, Spool, Until, inspect,
};
use prometheus::Registry;
use tokio::sync::watch;

const MIB: u64 = 1 << 20;

/// A batch of one record, whose key is `name`.
fn batch(name: &str, size: usize) -> Batch {
    let mut stored = vec![1];
    stored.extend_from_slice(&1_u32.to_le_bytes());
    stored.push(0);
    for part in [name.as_bytes(), &vec![b'x'; size]] {
        stored.extend_from_slice(&u32::try_from(part.len()).expect("short").to_le_bytes());
        stored.extend_from_slice(part);
    }
    stored.extend_from_slice(&0_u32.to_le_bytes());
    Batch::from_stored(&stored).expect("a stored batch")
}

fn name(batch: &Batch) -> String {
    let record = batch.records().next().expect("one record");
    String::from_utf8(record.key().expect("a key").to_vec()).expect("text")
}

fn clock() -> UnixMillis {
    UnixMillis(1_800_000_000_000)
}

fn settings(dir: &Path, max_bytes: u64) -> Settings {
    Settings { dir: dir.to_owned(), max_bytes, queue_bytes: 32 << 20 }
}

fn open(dir: &Path, max_bytes: u64) -> (Spool, Drain) {
    Spool::open(&settings(dir, max_bytes), &Registry::new(), clock).expect("opens")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// What Kafka does with what it is handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Take,
    Fail(PublishError),
    Hang,
}

struct Kafka(Mutex<State>);

struct State {
    circuit: Circuit,
    does: Does,
    /// Keys that it refuses for good.
    refuses: BTreeSet<String>,
    /// So many more records come in one request with one that is refused.
    company: usize,
    taken: Vec<String>,
    probes: usize,
    quarantined: Vec<String>,
    quarantines: Does,
}

impl Kafka {
    fn new(circuit: Circuit) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            circuit,
            does: Does::Take,
            refuses: BTreeSet::new(),
            company: 0,
            taken: Vec::new(),
            probes: 0,
            quarantined: Vec::new(),
            quarantines: Does::Take,
        })))
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().expect("no panic holds it"));
    }

    fn get<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.lock().expect("no panic holds it"))
    }

    async fn take(&self, batch: &Batch) -> Result<(), PublishError> {
        let does = self.get(|state| state.does);
        match does {
            Does::Fail(error) => return Err(error),
            Does::Hang => return std::future::pending().await,
            Does::Take => {}
        }
        let mut state = self.0.lock().expect("no panic holds it");
        let in_company = state.company > 0;
        state.company = state.company.saturating_sub(1);
        if in_company || state.refuses.contains(&name(batch)) {
            return Err(PublishError::RecordRefused);
        }
        state.taken.push(name(batch));
        Ok(())
    }
}

impl Redeliver for Kafka {
    fn circuit(&self) -> Circuit {
        self.get(|state| state.circuit)
    }

    async fn probe(&self, batch: &Batch) -> Result<(), PublishError> {
        self.set(|state| state.probes += 1);
        let taken = self.take(batch).await;
        if taken.is_ok() {
            self.set(|state| state.circuit = Circuit::Closed);
        }
        taken
    }

    async fn redeliver(&self, batch: &Batch) -> Result<(), PublishError> {
        self.take(batch).await
    }

    async fn quarantine(&self, record: &Batch) -> Result<(), PublishError> {
        if let Does::Fail(error) = self.get(|state| state.quarantines) {
            return Err(error);
        }
        self.set(|state| state.quarantined.push(name(record)));
        Ok(())
    }
}

/// The live path of the same Kafka.
struct Live(Arc<Kafka>);

impl Publish for Live {
    fn circuit(&self) -> Circuit {
        Redeliver::circuit(&*self.0)
    }

    async fn publish(&self, batch: &Batch, deadline: Instant) -> Result<Durable, PublishError> {
        let taken = tokio::time::timeout_at(deadline.into(), self.0.take(batch)).await;
        taken.unwrap_or(Err(PublishError::Timeout)).map(|()| Durable::Kafka)
    }

    async fn quarantine(&self, record: Batch, _: Instant) -> Result<(), PublishError> {
        Redeliver::quarantine(&*self.0, &record).await
    }

    fn quarantine_unwaited(&self, _: Batch) -> Result<(), PublishError> {
        Ok(())
    }
}

/// Runs a drain until the spool is empty.
async fn empty(drain: Drain, kafka: &Arc<Kafka>) {
    let (_stop, told) = watch::channel(false);
    let refused = |record: postern_core::batch::Record<'_>| {
        let key = String::from_utf8(record.key()?.to_vec()).ok()?;
        (key != "alien").then(|| batch(&key, 1))
    };
    let run = drain.run(Arc::clone(kafka), Box::new(refused), Until::Empty(told));
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("it becomes empty");
}

async fn fill(spool: &Spool, names: std::ops::Range<usize>) {
    for name in names {
        spool.append(&batch(&name.to_string(), 300), soon()).await.expect("there is room");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_handed_over_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("deep/spool");
    let (spool, drain) = open(&path, 100 * MIB);
    let mode = std::fs::metadata(&path).expect("created").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    fill(&spool, 0..300).await;
    let bytes = spool.held().bytes;
    assert_eq!((spool.held().entries, spool.held().records), (300, 300));
    let found = inspect(&path).expect("readable while it is used");
    // The one that is made ready for later does not count.
    assert_eq!((found.locked, found.segments), (true, 1));
    assert_eq!((found.records, found.bytes), (300, bytes));
    drop((spool, drain));

    let (spool, drain) = open(&path, 100 * MIB);
    let age = Some(Duration::ZERO);
    assert_eq!(spool.held(), Held { entries: 300, records: 300, bytes, oldest: age });
    let kafka = Kafka::new(Circuit::Closed);
    empty(drain, &kafka).await;
    let mut taken = kafka.get(|state| state.taken.clone());
    taken.sort_by_key(|name| name.parse::<usize>().expect("a number"));
    assert_eq!(taken, (0..300).map(|name| name.to_string()).collect::<Vec<_>>());
    assert_eq!(spool.held(), Held { entries: 0, records: 0, bytes: 0, oldest: None });
    spool.close();
    assert_eq!(spool.append(&batch("late", 1), soon()).await, Err(AppendError::Closed));
    drop(spool);
    let found = inspect(&path).expect("readable");
    assert_eq!((found.locked, found.segments, found.records), (false, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_who_has_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    let second = Spool::open(&settings(dir.path(), MIB), &Registry::new(), clock);
    let Err(OpenError::Locked { holder, .. }) = second else { panic!("{second:?}") };
    assert_eq!(holder, std::process::id().to_string());
    drop((spool, drain));
    open(dir.path(), MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_refuses_and_takes_again_when_it_was_emptied() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    let mut taken = 0;
    let refused = loop {
        match spool.append(&batch("a", 40_000), soon()).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((refused, taken), (AppendError::Full, 26));
    assert!(spool.held().bytes <= MIB);
    let kafka = Kafka::new(Circuit::Closed);
    empty(drain, &kafka).await;
    assert_eq!(kafka.get(|state| state.taken.len()), 26);
    spool.append(&batch("b", 40_000), soon()).await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_a_sync() {
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::new();
    let (spool, _drain) =
        Spool::open(&settings(dir.path(), 100 * MIB), &registry, clock).expect("opens");
    let mut requests = tokio::task::JoinSet::new();
    for name in 0..2_000 {
        let spool = spool.clone();
        requests.spawn(async move { spool.append(&batch(&name.to_string(), 500), soon()).await });
    }
    while let Some(appended) = requests.join_next().await {
        appended.expect("no panic").expect("there is room");
    }
    let families = registry.gather();
    let family = families
        .iter()
        .find(|family| family.name() == "postern_spool_fsync_duration_seconds")
        .expect("registered");
    let syncs = family.get_metric()[0].get_histogram().get_sample_count();
    assert!((1..1_000).contains(&syncs), "{syncs} syncs for 2000 requests");
    assert_eq!(spool.held().records, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_first_then_the_spool_at_once_while_it_is_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, _drain) = open(dir.path(), MIB);
    let kafka = Kafka::new(Circuit::Closed);
    let publisher = Publisher::new(Live(Arc::clone(&kafka)), Some(spool.clone()));
    assert_eq!(publisher.publish(&batch("a", 1), soon()).await, Ok(Durable::Kafka));
    assert_eq!(spool.held().records, 0);

    kafka.set(|state| state.does = Does::Fail(PublishError::Unavailable));
    assert_eq!(publisher.publish(&batch("b", 1), soon()).await, Ok(Durable::Spool));
    kafka.set(|state| state.does = Does::Hang);
    let deadline = Instant::now() + Duration::from_secs(1);
    assert_eq!(publisher.publish(&batch("c", 1), deadline).await, Ok(Durable::Spool));
    assert!(Instant::now() < deadline, "its share of the time was kept for the spool");
    for circuit in [Circuit::Open, Circuit::HalfOpen] {
        kafka.set(|state| state.circuit = circuit);
        let began = Instant::now();
        assert_eq!(publisher.publish(&batch("d", 1), soon()).await, Ok(Durable::Spool));
        assert!(began.elapsed() < Duration::from_secs(1), "Kafka was not waited for");
    }
    assert_eq!(spool.held().records, 4);

    // What Kafka can never take does not go round by way of the disk.
    kafka.set(|state| {
        (state.circuit, state.does) = (Circuit::Closed, Does::Take);
        state.refuses.insert("e".to_owned());
    });
    let refused = publisher.publish(&batch("e", 1), soon()).await;
    assert_eq!(refused, Err(PublishError::RecordRefused));
    assert_eq!(spool.held().records, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_entry_is_the_probe_and_an_open_breaker_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    fill(&spool, 0..10).await;
    let kafka = Kafka::new(Circuit::Open);
    let emptied = tokio::spawn({
        let kafka = Arc::clone(&kafka);
        async move { empty(drain, &kafka).await }
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(kafka.get(|state| (state.probes, state.taken.len())), (0, 0), "open: nothing");

    kafka.set(|state| {
        state.circuit = Circuit::HalfOpen;
        state.does = Does::Fail(PublishError::Unavailable);
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    kafka.set(|state| state.does = Does::Take);
    let closed = Instant::now();
    emptied.await.expect("no panic");
    assert!(closed.elapsed() > Duration::from_millis(900), "the live path had Kafka first");
    let taken = kafka.get(|state| state.taken.clone());
    assert_eq!(taken[0], "0", "the oldest was the probe");
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 10);
    assert_eq!(taken.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_tried_again_until_kafka_takes_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    fill(&spool, 0..50).await;
    let kafka = Kafka::new(Circuit::Closed);
    kafka.set(|state| state.does = Does::Fail(PublishError::Failed));
    let emptied = tokio::spawn({
        let kafka = Arc::clone(&kafka);
        async move { empty(drain, &kafka).await }
    });
    tokio::time::sleep(Duration::from_millis(1_800)).await;
    assert_eq!(spool.held().records, 50, "nothing leaves before its acknowledgement");
    kafka.set(|state| state.does = Does::Take);
    emptied.await.expect("no panic");
    assert_eq!(kafka.get(|state| state.taken.len()), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_never_takes_is_quarantined_or_set_aside() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    for name in ["good", "big", "alien"] {
        spool.append(&batch(name, 10), soon()).await.expect("there is room");
    }
    // A probe that is refused for good must not block the breaker for ever.
    let kafka = Kafka::new(Circuit::HalfOpen);
    kafka.set(|state| state.refuses = ["big", "alien", "good"].map(str::to_owned).into());
    let emptied = tokio::spawn({
        let kafka = Arc::clone(&kafka);
        async move { empty(drain, &kafka).await }
    });
    emptied.await.expect("no panic");
    assert_eq!(kafka.get(|state| state.quarantined.clone()), ["good", "big"]);
    let aside = inspect(dir.path()).expect("readable").set_aside;
    assert_eq!(aside.len(), 1, "{aside:?}");
    let kept = std::fs::read(dir.path().join(&aside[0])).expect("readable");
    assert_eq!(name(&Batch::from_stored(&kept).expect("whole")), "alien");
    assert_eq!(spool.held().records, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_set_aside_and_costs_its_own_entry_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    fill(&spool, 0..5).await;
    drop((spool, drain));
    let files = std::fs::read_dir(dir.path()).expect("readable");
    let segment = files
        .map(|file| file.expect("readable").path())
        .filter(|path| path.to_string_lossy().contains("segment-"))
        .find(|path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0))
        .expect("one segment, and one made ready");
    let mut bytes = std::fs::read(&segment).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let end = bytes.len() - 3;
    std::fs::write(&segment, &bytes[..end]).expect("writable");

    let (spool, drain) = open(dir.path(), MIB);
    let kafka = Kafka::new(Circuit::Closed);
    empty(drain, &kafka).await;
    let mut taken = kafka.get(|state| state.taken.clone());
    // Entries are handed over side by side.
    taken.sort_unstable();
    assert_eq!(taken, ["0", "1", "3"], "one damaged, one torn");
    assert_eq!(spool.held().records, 0);
    let aside = inspect(dir.path()).expect("readable").set_aside;
    assert_eq!(aside.len(), 1, "{aside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neighbours_of_a_record_that_is_too_large_are_tried_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    fill(&spool, 0..20).await;
    // As a broker does it: whatever came in one request with the seventh is refused.
    let kafka = Kafka::new(Circuit::Closed);
    kafka.set(|state| {
        state.refuses.insert("7".to_owned());
        state.company = 20;
    });
    empty(drain, &kafka).await;
    let mut taken = kafka.get(|state| state.taken.clone());
    taken.sort_by_key(|name| name.parse::<usize>().expect("a number"));
    let others: Vec<_> = (0..20).filter(|at| *at != 7).map(|at| at.to_string()).collect();
    assert_eq!(
        (taken, kafka.get(|state| state.quarantined.clone())),
        (others, vec!["7".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_stays_until_it_could_be_set_aside() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, drain) = open(dir.path(), MIB);
    spool.append(&batch("alien", 10), soon()).await.expect("there is room");
    // Nothing can be written under that name: it is a directory that is not empty.
    let place = dir.path().join(format!("refused-{:020}-0", 1));
    std::fs::create_dir_all(place.join("in-the-way")).expect("writable");
    let kafka = Kafka::new(Circuit::Closed);
    kafka.set(|state| state.refuses = ["alien".to_owned()].into());
    let emptied = tokio::spawn({
        let kafka = Arc::clone(&kafka);
        async move { empty(drain, &kafka).await }
    });
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(spool.held().records, 1, "acknowledged, and safe nowhere else");
    std::fs::remove_dir_all(&place).expect("removable");
    emptied.await.expect("no panic");
    let kept = std::fs::read(&place).expect("set aside");
    assert_eq!(name(&Batch::from_stored(&kept).expect("whole")), "alien");
    assert_eq!(spool.held().records, 0);
}
