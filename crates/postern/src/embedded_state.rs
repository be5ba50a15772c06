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
use postern_core::provider::google::PubsubSource;
use postern_core::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::config::problem::Place;
use crate::config::settings::SecretFile;

const FILE: &str = "embedded.json";
/// The id of the one key of an embedded edge.
const KID: &str = "embedded";
/// Random bytes of a fresh key; its file holds them in hexadecimal, so that none is a newline at the end.
const KEY_BYTES: usize = 32;
/// The endings of the files of the ring key and of the key that signs Pub/Sub tokens.
const RING_KEY: &str = "key";
const SIGNING_KEY: &str = "p8";
/// No RSA key is larger, in bytes.
const LARGEST_KEY: u64 = 16 << 10;

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
    /// Where the keys are that Pub/Sub tokens are verified with.
    pub(crate) key_set_url: String,
    /// The file of the private key of one of them: RSA, PKCS#8, DER.
    pub(crate) signing_key_file: PathBuf,
    /// Its id in the key set.
    pub(crate) signing_kid: String,
    /// The Pub/Sub sources.
    pub(crate) pubsub: Vec<PubsubState>,
}

/// A Pub/Sub source of the edge: what a push must be like to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PubsubState {
    /// Its name in the route.
    pub(crate) name: String,
    /// The audience of its tokens.
    pub(crate) audience: String,
    /// Who signs its pushes.
    pub(crate) service_account: String,
    /// `projects/P/subscriptions/S`; `null`: any.
    pub(crate) subscription: Option<String>,
    /// Whose mailboxes it tells of; `null`: the broker resolves by address.
    pub(crate) tenant: Option<String>,
    /// Whether the push wraps the message in JSON.
    pub(crate) wrapped: bool,
}

/// What an edge tells of itself beside its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The embedded Kafka, `host:port`.
    pub(crate) bootstrap: &'a str,
    /// Where providers post.
    pub(crate) public: SocketAddr,
    /// Where the admin listener is.
    pub(crate) admin: SocketAddr,
    /// Where the keys are that Pub/Sub tokens are verified with.
    pub(crate) key_set_url: &'a str,
    /// The private key of one of them, as [`StateDirectory::write_signing_key`] wrote it.
    pub(crate) signing_key: &'a KeyFile,
    /// Its id in the key set.
    pub(crate) signing_kid: &'a str,
    /// The Pub/Sub sources.
    pub(crate) pubsub: &'a [PubsubSource],
}

/// The directory of the state file.
#[derive(Clone, Debug)]
pub(crate) struct StateDirectory(PathBuf);

/// A key file of one run; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct KeyFile(PathBuf);

/// A key made for one run; its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct FreshKey {
    /// Its id.
    pub(crate) kid: &'static str,
    /// The key.
    pub(crate) secret: Secret,
    /// Where it lies.
    pub(crate) file: KeyFile,
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

    /// The private key that signs Pub/Sub tokens: RSA, PKCS#8, DER. It signs for this machine's embedded edge only.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub(crate) fn signing_key(&self) -> anyhow::Result<Vec<u8>> {
        let file = &self.signing_key_file;
        let length = fs::metadata(file).map(|metadata| metadata.len());
        let key = length.and_then(|length| match length {
            0..=LARGEST_KEY => fs::read(file),
            _ => Err(io::ErrorKind::FileTooLarge.into()),
        });
        key.with_context(|| {
            format!("cannot read {}: did the embedded edge end just now?", file.display())
        })
    }
}

impl From<&PubsubSource> for PubsubState {
    fn from(source: &PubsubSource) -> Self {
        let PubsubSource { name, audience, service_account, subscription, wrapped, tenant } =
            source.clone();
        Self { name, audience, service_account, subscription, tenant, wrapped }
    }
}

impl From<PubsubState> for PubsubSource {
    fn from(state: PubsubState) -> Self {
        let PubsubState { name, audience, service_account, subscription, tenant, wrapped } = state;
        Self { name, audience, service_account, subscription, wrapped, tenant }
    }
}

impl KeyFile {
    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.0
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
        let file = self.write_key(RING_KEY, text.as_bytes())?;
        let secret = Secret::from_file_content(text.into_bytes());
        Ok(FreshKey { kid: KID, secret, file })
    }

    /// Writes the private key (RSA, PKCS#8, DER) that signs Pub/Sub tokens in this run, so that `simulate` can sign some.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write_signing_key(&self, pkcs8_der: &[u8]) -> anyhow::Result<KeyFile> {
        self.create().with_context(|| format!("cannot create {}", self.0.display()))?;
        self.write_key(SIGNING_KEY, pkcs8_der)
    }

    /// Tells the other commands where this edge is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn publish(&self, key: &FreshKey, facts: &Facts<'_>) -> anyhow::Result<Published> {
        let state = EmbeddedState {
            pid: std::process::id(),
            bootstrap: facts.bootstrap.to_owned(),
            kid: key.kid.to_owned(),
            key_file: key.file.0.clone(),
            public: facts.public,
            admin: facts.admin,
            key_set_url: facts.key_set_url.to_owned(),
            signing_key_file: facts.signing_key.0.clone(),
            signing_kid: facts.signing_kid.to_owned(),
            pubsub: facts.pubsub.iter().map(PubsubState::from).collect(),
        };
        let file = self.0.join(FILE);
        let json = serde_json::to_vec_pretty(&state)?;
        replace(&file, &json).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Published { file, state })
    }

    fn write_key(&self, extension: &str, content: &[u8]) -> anyhow::Result<KeyFile> {
        let file = self.0.join(key_name(std::process::id(), extension));
        replace(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(KeyFile(file))
    }

    fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Removes the keys of edges that were killed; best effort.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_str().and_then(owner).is_some_and(|pid| !runs(pid)) {
                fs::remove_file(entry.path()).ok();
            }
        }
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
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

fn key_name(pid: u32, extension: &str) -> String {
    format!("embedded-{pid}.{extension}")
}

/// The process whose key file has this name, finished or not.
fn owner(name: &str) -> Option<u32> {
    let (pid, extension) = name.strip_prefix("embedded-")?.split_once('.')?;
    let unfinished = extension.strip_prefix(pid) == Some(".tmp");
    (unfinished || [RING_KEY, SIGNING_KEY].contains(&extension)).then(|| pid.parse().ok())?
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
mod tests;
