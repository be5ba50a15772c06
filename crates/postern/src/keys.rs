//! Which ring keys does a command use that is no `serve`: those it was given, configured, or of the embedded edge?

use std::path::PathBuf;

use anyhow::Context as _;
use postern_core::key_ring::KeyRing;
use postern_core::secret::Secret;

use crate::config::problem::Place;
use crate::config::settings::SecretFile;
use crate::config::{self, ConfigError, Need, Source, resolve_keys, secrets};
use crate::embedded_state::StateDirectory;
use crate::exit::UsageError;

/// The option that names keys.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct KeyArgs {
    /// A ring key and its file; may be given several times, the first one signs.
    #[arg(long = "key", value_name = "KID=FILE")]
    keys: Vec<String>,
}

/// Ring keys with their ids; at least one.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The id of the one that signs.
    pub(crate) signing: String,
    /// All of them.
    pub(crate) keys: Vec<(String, Secret)>,
}

impl Keys {
    /// The keys of `--key`, else of the configuration, else of the embedded edge that was started last.
    /// `None` where none of these names any.
    ///
    /// # Errors
    /// When keys are named and cannot be had.
    pub(crate) fn find(args: &KeyArgs, source: &Source) -> anyhow::Result<Option<Self>> {
        if !args.keys.is_empty() {
            return Ok(Some(Self::given(&args.keys)?));
        }
        if !source.is_bare() {
            return Ok(Self::configured(source)?);
        }
        match StateDirectory::of_user()?.read()? {
            Some(state) => Self::load(&state.kid, vec![(state.kid.clone(), state.key())]).map(Some),
            None => Ok(None),
        }
    }

    /// As [`Keys::find`], where there must be some.
    ///
    /// # Errors
    /// When there are none, with what to do about it.
    pub(crate) fn required(args: &KeyArgs, source: &Source) -> anyhow::Result<Self> {
        Self::find(args, source)?.ok_or_else(|| {
            let message = if source.is_bare() {
                "no keys: give --key KID=FILE or --config FILE, or start the embedded edge with `postern serve`"
            } else {
                "no keys: give --key KID=FILE, or name them in [hook_tokens] of the configuration"
            };
            UsageError(message.to_owned()).into()
        })
    }

    /// The ring of these keys.
    ///
    /// # Errors
    /// When a key is too short, or an id comes twice.
    pub(crate) fn ring(self) -> anyhow::Result<KeyRing> {
        let ring = KeyRing::new(&self.signing, self.keys);
        ring.map_err(|error| UsageError(error.to_string()).into())
    }

    fn given(options: &[String]) -> anyhow::Result<Self> {
        let mut files = Vec::with_capacity(options.len());
        for option in options {
            // What was given is not repeated: it may be the key itself.
            let (kid, path) = option
                .split_once('=')
                .filter(|(kid, path)| resolve_keys::is_kid(kid) && !path.is_empty())
                .ok_or_else(|| {
                    UsageError("--key takes KID=FILE; a KID is 1 to 8 of a-z 0-9 -".to_owned())
                })?;
            let (key, path) = (format!("key {kid}"), PathBuf::from(path));
            files.push((kid.to_owned(), SecretFile { key, place: Place::Flag("--key"), path }));
        }
        let signing = files[0].0.clone();
        Self::load(&signing, files)
    }

    fn configured(source: &Source) -> Result<Option<Self>, ConfigError> {
        let Some(tokens) = config::load(source, Need::Nothing)?.hook_tokens else {
            return Ok(None);
        };
        let mut keys = Vec::with_capacity(tokens.keys.len());
        let mut problems = Vec::new();
        for (kid, file) in tokens.keys {
            match secrets::read(&file) {
                Ok(secret) => keys.push((kid, secret)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(Some(Self { signing: tokens.signing, keys }))
        } else {
            Err(ConfigError::new(source.file.clone(), problems))
        }
    }

    fn load(signing: &str, files: Vec<(String, SecretFile)>) -> anyhow::Result<Self> {
        let mut keys = Vec::with_capacity(files.len());
        for (kid, file) in files {
            let secret = secrets::read(&file).map_err(|problem| UsageError(problem.to_string()));
            keys.push((kid, secret.context("the keys cannot be had")?));
        }
        Ok(Self { signing: signing.to_owned(), keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn given(options: &[&str]) -> anyhow::Result<KeyRing> {
        let keys = options.iter().map(ToString::to_string).collect();
        Keys::required(&KeyArgs { keys }, &Source::default()).and_then(Keys::ring)
    }

    #[test]
    fn the_first_given_key_signs() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, bytes: usize| {
            let path = directory.path().join(name);
            std::fs::write(&path, vec![b'x'; bytes]).expect("can be written");
            path.display().to_string()
        };
        let (long, short) = (file("long", 32), file("short", 31));
        let ring = given(&[&format!("k2={long}"), &format!("k1={long}")]).expect("two good keys");
        assert_eq!(ring.signing_kid(), "k2");
        for bad in [
            vec![format!("k1={short}")],
            vec![format!("k1={long}"), format!("k1={long}")],
            vec![format!("K1={long}")],
            vec!["hush".to_owned()],
            vec!["k1=hush/hush".to_owned()],
        ] {
            let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
            let error = given(&bad).expect_err("is refused");
            assert_eq!(Exit::of(&error), Some(Exit::Usage), "{error:#}");
            assert!(!format!("{error:#}").contains("hush"), "{error:#}");
        }
    }
}
