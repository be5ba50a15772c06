//! How is a new segment there before it is needed? A file made off the path of requests, with its name durable.
//!
//! Beginning a segment on the path costs two syncs, the file's and the directory's; on a slow disk the second is too
//! much for a request's time. A ready file costs its first group the file's sync only.
//!
//! Its name was made earlier than its first entry, so the number in it is a lower bound: greater than the number in
//! the name of every segment that was begun before, and not greater than that of its first entry. A file that was
//! overtaken while it was made, because a segment had to be begun without it, is not used.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Shared;
use crate::disk::Disk;
use crate::metrics::Op;
use crate::segment::Name;

/// An empty file and its name.
pub(crate) type Made<F> = (Name, F);

/// Where the writer finds the file that was made ready.
#[derive(Debug)]
pub(super) struct Ready<F> {
    made: Option<Made<F>>,
    /// The number in the name of the segment that was begun last.
    begun: u64,
    /// No more are wanted.
    closed: bool,
}

impl<F> Default for Ready<F> {
    fn default() -> Self {
        Self { made: None, begun: 0, closed: false }
    }
}

impl<D: Disk> Shared<D> {
    /// Locked for moments, never across I/O.
    fn ready(&self) -> MutexGuard<'_, Ready<D::File>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer begins a segment: in the ready file, where there is one; else in one that it creates with the name
    /// `own`.
    pub(super) fn begun(&self, own: Name) -> Option<Made<D::File>> {
        let mut ready = self.ready();
        let made = ready.made.take();
        ready.begun = made.as_ref().map_or(own.first, |(name, _)| name.first);
        self.wanted.notify_one();
        made
    }

    /// No more files are wanted; returns the one that is there.
    pub(super) fn end_ready(&self) -> Option<Made<D::File>> {
        let mut ready = self.ready();
        ready.closed = true;
        self.wanted.notify_one();
        ready.made.take()
    }
}

/// Makes files ready; there is one.
pub(crate) struct Maker<D: Disk> {
    shared: Arc<Shared<D>>,
    /// A file that is of no use and that could not be removed: there is at most one.
    useless: Option<Name>,
}

impl<D: Disk> Maker<D> {
    pub(super) const fn new(shared: Arc<Shared<D>>) -> Self {
        Self { shared, useless: None }
    }

    /// Makes files as they are wanted, until the writer is gone. Where the disk refuses, the writer does without
    /// meanwhile.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut failing = false;
        loop {
            let made = self.make();
            if let Err(error) = &made
                && !failing
            {
                tracing::warn!(%error, "the spool's next file cannot be made ready: tried again");
            }
            failing = made.is_err();
            let idle = |ready: &mut Ready<D::File>| !ready.closed && ready.made.is_some();
            let ready = shared.ready();
            let closed = if failing {
                let waited = shared.wanted.wait_timeout(ready, shared.limits.rest);
                waited.unwrap_or_else(PoisonError::into_inner).0.closed
            } else {
                let waited = shared.wanted.wait_while(ready, idle);
                waited.unwrap_or_else(PoisonError::into_inner).closed
            };
            if closed {
                return;
            }
        }
    }

    /// Makes a file ready unless there is one.
    pub(crate) fn make(&mut self) -> io::Result<()> {
        match self.create()? {
            Some(made) => self.finish(made),
            None => Ok(()),
        }
    }

    /// The first half: a file that may be gone after a power cut.
    pub(super) fn create(&mut self) -> io::Result<Option<Made<D::File>>> {
        {
            let ready = self.shared.ready();
            if ready.made.is_some() || ready.closed {
                return Ok(None);
            }
        }
        self.remove_useless()?;
        let name = Name::new(self.shared.index().next);
        match self.shared.disk.create(&name.to_string()) {
            Ok(file) => Ok(Some((name, file))),
            Err(error) => {
                self.shared.metrics.failed(Op::Create);
                // It may be there nevertheless.
                self.useless = Some(name);
                Err(error)
            }
        }
    }

    /// The second half: nobody gets the file before its name is durable.
    pub(super) fn finish(&mut self, made: Made<D::File>) -> io::Result<()> {
        let name = made.0;
        if let Err(error) = self.shared.disk.sync_dir() {
            self.shared.metrics.failed(Op::Sync);
            self.useless = Some(name);
            drop(self.remove_useless());
            return Err(error);
        }
        let mut ready = self.shared.ready();
        if ready.closed {
            // As after a crash: the next start removes it.
            return Ok(());
        }
        if name.first > ready.begun {
            ready.made = Some(made);
            return Ok(());
        }
        drop(ready);
        self.useless = Some(name);
        self.remove_useless()
    }

    fn remove_useless(&mut self) -> io::Result<()> {
        let Some(name) = self.useless else { return Ok(()) };
        match self.shared.disk.remove(&name.to_string()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.shared.metrics.failed(Op::Remove);
                Err(error)
            }
            _ => {
                self.useless = None;
                Ok(())
            }
        }
    }
}
