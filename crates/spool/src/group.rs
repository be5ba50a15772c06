//! How do many requests share a sync, and how do they hear of it? One thread takes all that wait, makes it durable and
//! wakes a few; each of them wakes others while the next group is written already.

use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::disk::Disk;
use crate::log::{AppendError, Prepared, Writer};

/// One write and sync takes no more than this, but for a single larger delivery.
const GROUP_BYTES: u64 = 4 << 20;
const GROUP_ENTRIES: usize = 2_048;
/// So many answers travel with the one that is woken by the thread: waking from outside the runtime is dear, and one
/// task must not have to wake them all.
const WOKEN_TOGETHER: usize = 32;
/// Longest wait for those who were in the group before and come again; a quarter of the last sync where that is less.
const PATIENCE: Duration = Duration::from_micros(500);

/// What became of an entry.
pub(crate) type Outcome = Result<(), AppendError>;

/// An answer, and the others that its receiver passes on by dropping it.
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    _others: Others,
}

/// Answers of the same group. Dropped they are sent, also where the request that they came with was given up.
struct Others(Vec<(oneshot::Sender<Told>, Outcome)>);

impl Drop for Others {
    fn drop(&mut self) {
        for (reply, outcome) in self.0.drain(..) {
            tell(reply, outcome, Self(Vec::new()));
        }
    }
}

fn tell(reply: oneshot::Sender<Told>, outcome: Outcome, others: Others) {
    // Whoever has stopped waiting was answered 503; the record goes out all the same.
    if reply.send(Told { outcome, _others: others }).is_err() {
        tracing::trace!("spooled behind its answer");
    }
}

/// What the thread is asked for.
pub(crate) enum Job {
    Append { entry: Prepared, reply: oneshot::Sender<Told>, memory: OwnedSemaphorePermit },
    Close,
}

/// Who shares the next sync.
#[derive(Default)]
struct Group {
    entries: Vec<Prepared>,
    replies: Vec<oneshot::Sender<Told>>,
    memory: Vec<OwnedSemaphorePermit>,
    bytes: u64,
    /// Nobody comes any more.
    closed: bool,
}

impl Group {
    fn take(&mut self, job: Job) {
        match job {
            Job::Close => self.closed = true,
            // Nobody waits for it any more: it was answered 503.
            Job::Append { reply, .. } if reply.is_closed() => {}
            Job::Append { entry, reply, memory } => {
                self.bytes += entry.size();
                self.entries.push(entry);
                self.replies.push(reply);
                self.memory.push(memory);
            }
        }
    }

    fn takes_more(&self) -> bool {
        !self.closed && self.bytes < GROUP_BYTES && self.entries.len() < GROUP_ENTRIES
    }

    /// Takes all that wait.
    fn fill(&mut self, waiting: &mut mpsc::Receiver<Job>) {
        while self.takes_more()
            && let Ok(job) = waiting.try_recv()
        {
            self.take(job);
        }
    }

    /// Waits for as many as came together before: those who were just woken are on their way, and the first of them
    /// must not go alone while the others wait for two syncs.
    fn gather(&mut self, waiting: &mut mpsc::Receiver<Job>, before: usize, patience: Duration) {
        let began = Instant::now();
        while self.entries.len() < before && self.takes_more() && began.elapsed() < patience {
            std::thread::yield_now();
            self.fill(waiting);
        }
    }

    /// Tells everybody, and is empty then.
    fn tell(&mut self, appended: Result<usize, AppendError>) {
        let outcome = |at| match appended {
            Ok(count) if at < count => Ok(()),
            Ok(_) => Err(AppendError::Full),
            Err(error) => Err(error),
        };
        self.entries.clear();
        self.memory.clear();
        self.bytes = 0;
        let mut replies = self.replies.drain(..).enumerate();
        while let Some((at, reply)) = replies.next() {
            let others = replies.by_ref().take(WOKEN_TOGETHER - 1);
            let others = others.map(|(at, reply)| (reply, outcome(at))).collect();
            tell(reply, outcome(at), Others(others));
        }
    }
}

/// The thread: one group after the other.
pub(crate) fn work<D: Disk>(mut writer: Writer<D>, mut waiting: mpsc::Receiver<Job>) {
    let mut group = Group::default();
    let (mut before, mut took) = (0, Duration::ZERO);
    while !group.closed {
        let Some(job) = waiting.blocking_recv() else { return };
        group.take(job);
        group.fill(&mut waiting);
        group.gather(&mut waiting, before, PATIENCE.min(took / 4));
        before = group.entries.len();
        let began = Instant::now();
        let appended = writer.append(&mut group.entries, began);
        took = began.elapsed();
        group.tell(appended);
    }
    writer.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than two that are woken by the thread.
    const MANY: usize = 2 * WOKEN_TOGETHER + 5;

    fn group() -> (Group, Vec<oneshot::Receiver<Told>>) {
        let mut group = Group::default();
        let mut told = Vec::new();
        for _ in 0..MANY {
            let (reply, receiver) = oneshot::channel();
            group.replies.push(reply);
            told.push(receiver);
        }
        (group, told)
    }

    /// Receives in this order, as tasks do that are woken.
    fn outcomes(told: impl IntoIterator<Item = oneshot::Receiver<Told>>) -> Vec<Outcome> {
        told.into_iter().map(|mut told| told.try_recv().expect("it was told").outcome).collect()
    }

    #[test]
    fn everybody_hears_of_their_own_entry() {
        let (mut group, told) = group();
        group.tell(Ok(MANY - 3));
        let outcomes = outcomes(told);
        assert!(outcomes[..MANY - 3].iter().all(Result::is_ok));
        assert_eq!(outcomes[MANY - 3..], [Err(AppendError::Full); 3]);
        let (mut group, told) = self::group();
        group.tell(Err(AppendError::Failing));
        assert_eq!(self::outcomes(told), [Err(AppendError::Failing); MANY]);
    }

    #[test]
    fn a_request_that_gave_up_keeps_no_other_from_its_answer() {
        // Before it was told, and after, without having looked.
        let (mut group, mut told) = group();
        drop(told.remove(0));
        group.tell(Ok(MANY));
        drop(told.remove(WOKEN_TOGETHER - 1));
        assert_eq!(outcomes(told), [Ok(()); MANY - 2]);
    }
}
