//! Whose is the directory? Ours alone: created or narrowed to mode 0700, and locked against a second process.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::log::LogError;

const LOCK: &str = "lock";

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused something about the directory.
    #[error("spool.dir {}: {what}: {error}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Another process has it.
    #[error("spool.dir {}: process {holder} uses it; each postern needs a spool directory of its own", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// What the lock file says.
        holder: String,
    },
    /// Its files cannot be used.
    #[error("spool.dir {}: {reason}", dir.display())]
    Files {
        /// The directory.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system gives no thread.
    #[error("no thread for the spool: {0}")]
    Thread(io::Error),
    /// The metrics are registered already.
    #[error("the spool's metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl OpenError {
    pub(crate) fn files(dir: &Path, error: &LogError) -> Self {
        Self::Files { dir: dir.to_owned(), reason: error.to_string() }
    }
}

/// Makes the directory ours; the lock lives as long as what is returned.
pub(crate) fn claim(dir: &Path) -> Result<File, OpenError> {
    let io = |what| move |error| OpenError::Io { dir: dir.to_owned(), what, error };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io("it cannot be created"))?;
    narrow(dir).map_err(io("others may read it, and its mode cannot be set to 0700 (name a directory that belongs to postern's user)"))?;
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock = options.open(dir.join(LOCK)).map_err(io("its lock file cannot be opened"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::Locked { dir: dir.to_owned(), holder: holder(&mut lock) });
        }
        Err(TryLockError::Error(error)) => return Err(io("it cannot be locked")(error)),
    }
    // For the message above; on a full disk it stays empty.
    drop(lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())));
    Ok(lock)
}

fn narrow(dir: &Path) -> io::Result<()> {
    let mode = fs::metadata(dir)?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { fs::set_permissions(dir, Permissions::from_mode(0o700)) }
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.read_to_string(&mut text).is_ok();
    let known = read && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if known { text } else { "(unknown)".to_owned() }
}

/// Whether some process holds the lock now.
pub(crate) fn is_locked(dir: &Path) -> bool {
    let lock = File::open(dir.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
