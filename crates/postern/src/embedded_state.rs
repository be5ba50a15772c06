//! Where is the embedded edge that was started last?
//!
//! `serve` and `demo` on the embedded Kafka write it to `$XDG_STATE_HOME/postern/embedded.json`; `simulate`, `tail` and
//! `token` read it when they are given nothing else. The last one started owns the file.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_lc_rs::rand;
use postern_core::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::config::problem::Place;
use crate::config::settings::SecretFile;

const FILE: &str = "embedded.json";
/// The id of the one key of an embedded edge.
const KID: &str = "embedded";
/// Random bytes of a fresh key; its file holds them in hexadecimal, so that none is a newline at the end.
const KEY_BYTES: usize = 32;

/// What the other commands have to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EmbeddedState {
    /// The process that runs it.
    pub(crate) pid: u32,
    /// The embedded Kafka, `host:port`.
    pub(crate) bootstrap: String,
    /// The id of the key that signs.
    pub(crate) kid: String,
    /// The file of that key.
    pub(crate) key_file: PathBuf,
    /// Where providers post.
    pub(crate) public: SocketAddr,
    /// Where the admin listener is.
    pub(crate) admin: SocketAddr,
}

/// The directory of the state file.
#[derive(Clone, Debug)]
pub(crate) struct StateDirectory(PathBuf);

/// A key made for one run; its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct FreshKey {
    /// Its id.
    pub(crate) kid: &'static str,
    /// The key.
    pub(crate) secret: Secret,
    /// Where it lies.
    pub(crate) file: PathBuf,
}

/// The state of a running edge; its file goes when this is dropped, unless another edge took it over.
#[derive(Debug)]
pub(crate) struct Published {
    file: PathBuf,
    state: EmbeddedState,
}

impl EmbeddedState {
    /// The file of its key.
    pub(crate) fn key(&self) -> SecretFile {
        let (key, path) = (format!("key {}", self.kid), self.key_file.clone());
        SecretFile { key, place: Place::Flag("embedded edge"), path }
    }
}

impl StateDirectory {
    /// `$XDG_STATE_HOME/postern`, by default `~/.local/state/postern`.
    ///
    /// # Errors
    /// When neither variable names a directory.
    pub(crate) fn of_user() -> anyhow::Result<Self> {
        let absolute = |name| {
            // The base directory specification says that relative paths are to be ignored.
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".local/state")))
            .context(
                "neither XDG_STATE_HOME nor HOME names a directory for the embedded edge's state",
            )?;
        Ok(Self(state.join("postern")))
    }

    /// The state of the embedded edge that was started last and still runs.
    ///
    /// # Errors
    /// When the state file is there and cannot be read.
    pub(crate) fn read(&self) -> anyhow::Result<Option<EmbeddedState>> {
        let file = self.0.join(FILE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        let state: EmbeddedState = serde_json::from_str(&text).with_context(|| {
            format!("{} is no state of an embedded edge: delete it", file.display())
        })?;
        // A killed edge leaves the file behind.
        Ok(runs(state.pid).then_some(state))
    }

    /// Makes a key for this run and writes it to a file of its own.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn fresh_key(&self) -> anyhow::Result<FreshKey> {
        self.create().with_context(|| format!("cannot create {}", self.0.display()))?;
        self.sweep();
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes).ok().context("the system gives no random bytes")?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let file = self.0.join(key_name(std::process::id()));
        replace(&file, text.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))?;
        let secret = Secret::from_file_content(text.into_bytes());
        Ok(FreshKey { kid: KID, secret, file })
    }

    /// Tells the other commands where this edge is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn publish(
        &self,
        key: &FreshKey,
        bootstrap: &str,
        public: SocketAddr,
        admin: SocketAddr,
    ) -> anyhow::Result<Published> {
        let state = EmbeddedState {
            pid: std::process::id(),
            bootstrap: bootstrap.to_owned(),
            kid: key.kid.to_owned(),
            key_file: key.file.clone(),
            public,
            admin,
        };
        let file = self.0.join(FILE);
        let json = serde_json::to_vec_pretty(&state)?;
        replace(&file, &json).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Published { file, state })
    }

    fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Removes the keys of edges that were killed; best effort.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| {
                name.strip_prefix("embedded-")?.strip_suffix(".key")?.parse::<u32>().ok()
            });
            if pid.is_some_and(|pid| !runs(pid)) {
                fs::remove_file(entry.path()).ok();
            }
        }
    }
}

impl Drop for FreshKey {
    fn drop(&mut self) {
        fs::remove_file(&self.file).ok();
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let current = fs::read(&self.file).ok();
        let current = current.and_then(|json| serde_json::from_slice(&json).ok());
        if current.is_some_and(|current: EmbeddedState| current == self.state) {
            fs::remove_file(&self.file).ok();
        }
    }
}

fn key_name(pid: u32) -> String {
    format!("embedded-{pid}.key")
}

/// Whether a process runs; `true` where that cannot be told.
fn runs(pid: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

/// Writes a file that only its owner may read, so that readers see the old content or the new.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = file.with_extension(format!("{}.tmp", std::process::id()));
    fs::remove_file(&fresh).ok();
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    out.write_all(content)?;
    drop(out);
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn directory() -> (tempfile::TempDir, StateDirectory) {
        let root = tempfile::tempdir().expect("a directory");
        let state = StateDirectory(root.path().join("state/postern"));
        (root, state)
    }

    fn listeners() -> (SocketAddr, SocketAddr) {
        (SocketAddr::from(([127, 0, 0, 1], 8080)), SocketAddr::from(([127, 0, 0, 1], 9464)))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("exists").permissions().mode() & 0o777
    }

    #[test]
    fn is_private_and_goes_with_its_owner() {
        let (_root, state) = directory();
        assert_eq!(state.read().expect("nothing there"), None);
        let key = state.fresh_key().expect("a key");
        let (public, admin) = listeners();
        let published = state.publish(&key, "127.0.0.1:9092", public, admin).expect("published");
        assert_eq!(mode(&state.0), 0o700);
        assert_eq!(mode(&state.0.join(FILE)), 0o600);
        assert_eq!(mode(&key.file), 0o600);

        let read = state.read().expect("readable").expect("is there");
        assert_eq!(read, published.state);
        let secret = crate::config::secrets::read(&read.key()).expect("is there");
        assert_eq!(secret.expose(), key.secret.expose());
        assert!(secret.expose().len() >= 32);

        drop(published);
        drop(key);
        assert_eq!(fs::read_dir(&state.0).expect("exists").count(), 0);
    }

    #[test]
    fn the_last_one_started_owns_it() {
        let (_root, state) = directory();
        let key = state.fresh_key().expect("a key");
        let (public, admin) = listeners();
        let first = state.publish(&key, "127.0.0.1:1", public, admin).expect("published");
        let second = state.publish(&key, "127.0.0.1:2", public, admin).expect("published");
        drop(first);
        let read = state.read().expect("readable").expect("is there");
        assert_eq!(read.bootstrap, "127.0.0.1:2");
        drop(second);
        assert_eq!(state.read().expect("nothing there"), None);
    }

    #[test]
    fn what_a_killed_edge_left_is_ignored_and_swept() {
        let (_root, state) = directory();
        let key = state.fresh_key().expect("a key");
        let (public, admin) = listeners();
        let mut published = state.publish(&key, "127.0.0.1:1", public, admin).expect("published");
        // No process has this id: it is above the largest that Linux gives.
        published.state.pid = u32::MAX;
        let json = serde_json::to_vec(&published.state).expect("is JSON");
        replace(&published.file, &json).expect("can be written");
        assert_eq!(state.read().expect("readable"), None);

        let left = state.0.join(key_name(u32::MAX));
        replace(&left, b"left behind").expect("can be written");
        let _again = state.fresh_key().expect("a key");
        assert!(!left.exists());
    }

    #[test]
    fn nonsense_is_named() {
        let (_root, state) = directory();
        state.create().expect("can be created");
        fs::write(state.0.join(FILE), "{").expect("can be written");
        let error = state.read().expect_err("is nonsense");
        assert!(format!("{error:#}").contains("delete it"), "{error:#}");
    }
}
