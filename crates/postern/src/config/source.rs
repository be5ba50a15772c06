//! Where does a command's configuration come from: file, environment, options?

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::problem::Problem;
use super::raw::Raw;

/// Variables that name a key start with this and hold [`SEPARATOR`] after it.
const PREFIX: &str = "POSTERN_";
/// Stands between the parts of a key path in a variable's name.
pub(crate) const SEPARATOR: &str = "__";
/// No configuration is larger; stops a device file from filling the memory.
const LARGEST_FILE: u64 = 1 << 20;

/// What a command was given to configure itself with. An option wins over the environment, that over the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// `--config` or `POSTERN_CONFIG`.
    pub(crate) file: Option<PathBuf>,
    /// The variables that name keys.
    pub(crate) environment: Environment,
    pub(super) flags: Vec<Flag>,
}

/// An option of the command line that sets a key.
#[derive(Clone, Debug)]
pub(super) struct Flag {
    key: &'static str,
    name: &'static str,
    value: String,
}

/// The variables that name configuration keys, by full name; `None` stands for a value that is not UTF-8.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, Option<String>>,
}

impl Source {
    /// The given file and the process's environment.
    pub(crate) fn from_process(file: Option<PathBuf>) -> Self {
        Self { file, environment: Environment::new(std::env::vars_os()), flags: Vec::new() }
    }

    /// With another file.
    #[must_use]
    pub(crate) fn with_file(mut self, file: Option<PathBuf>) -> Self {
        self.file = file;
        self
    }

    /// With an option that sets a key, where it was given.
    #[must_use]
    pub(crate) fn with_flag(
        mut self,
        key: &'static str,
        name: &'static str,
        value: Option<impl ToString>,
    ) -> Self {
        self.flags.extend(value.map(|value| Flag { key, name, value: value.to_string() }));
        self
    }

    /// With the listeners that `--public` and `--admin` name.
    #[must_use]
    pub(crate) fn with_listeners(
        self,
        public: Option<SocketAddr>,
        admin: Option<SocketAddr>,
    ) -> Self {
        self.with_flag("server.public", "--public", public).with_flag(
            "server.admin",
            "--admin",
            admin,
        )
    }

    /// Whether there is neither a file nor a variable that names a key; options do not count.
    pub(crate) fn is_bare(&self) -> bool {
        self.file.is_none() && self.environment.variables.is_empty()
    }

    /// What an option says of a key, with the option's name.
    pub(crate) fn flag(&self, key: &str) -> Option<(&str, &'static str)> {
        let found = self.flags.iter().find(|flag| flag.key == key)?;
        Some((&found.value, found.name))
    }

    /// Reads the file, where there is one.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML.
    pub(crate) fn raw(&self) -> Result<Raw, Vec<Problem>> {
        let Some(file) = &self.file else { return Ok(Raw::default()) };
        let fault = |message: String| vec![Problem::of("", message)];
        let mut bytes = Vec::new();
        let read = std::fs::File::open(file)
            .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => Err(fault(format!("the file cannot be read: {error}"))),
            Ok(length) if length as u64 > LARGEST_FILE => {
                Err(fault("the file is larger than 1 MiB: is it the right one?".to_owned()))
            }
            Ok(_) => match String::from_utf8(bytes) {
                Ok(text) => Raw::parse(&text),
                Err(_) => Err(fault("the file is not UTF-8 text: is it the right one?".to_owned())),
            },
        }
    }
}

impl Environment {
    /// Keeps what starts with `POSTERN_` and holds `__` after it.
    pub(crate) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.strip_prefix(PREFIX)?.contains(SEPARATOR).then(|| (name, value.into_string().ok()))
        });
        Self { variables: named.collect() }
    }

    /// The name of the variable for a key path; a dash is an underscore in it.
    pub(crate) fn name(key: &str) -> String {
        let name = key.to_ascii_uppercase().replace('-', "_");
        format!("{PREFIX}{}", name.replace('.', SEPARATOR))
    }

    /// A variable's value.
    pub(crate) fn get(&self, name: &str) -> Option<&Option<String>> {
        self.variables.get(name)
    }

    /// Every variable.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Option<String>)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(names: &[&str]) -> Environment {
        Environment::new(names.iter().map(|name| (OsString::from(name), OsString::from("x"))))
    }

    #[test]
    fn only_section_keys_count() {
        let other = ["POSTERN_CONFIG", "POSTERN_LOG", "POSTERN_PORT_8080_TCP", "X_POSTERN_A__B"];
        let bare = Source { environment: environment(&other), ..Source::default() };
        assert!(bare.is_bare());
        let named = environment(&["POSTERN_KAFKA__BOOTSTRAP_SERVERS"]);
        assert!(!Source { environment: named, ..Source::default() }.is_bare());
        assert!(!Source { file: Some("postern.toml".into()), ..Source::default() }.is_bare());
    }

    #[test]
    fn names_of_variables() {
        assert_eq!(Environment::name("limits.body.graph"), "POSTERN_LIMITS__BODY__GRAPH");
        assert_eq!(Environment::name("pubsub.a-b_c.tenant"), "POSTERN_PUBSUB__A_B_C__TENANT");
    }
}
