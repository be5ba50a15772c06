//! Which configuration file does a test give to `postern`?

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::kafka::{Kafka, Topics};
use super::{hook, scratch};

/// A configuration file that is put together section by section, in a folder of its own.
pub struct Config {
    folder: PathBuf,
    sections: Vec<(String, Vec<(String, String)>)>,
    tail: String,
}

impl Config {
    /// Listeners on port 0 and nothing else.
    pub fn bare() -> Self {
        let config =
            Self { folder: scratch::folder("postern"), sections: Vec::new(), tail: String::new() };
        config.set("server", "public", "\"127.0.0.1:0\"").set("server", "admin", "\"127.0.0.1:0\"")
    }

    /// What most tests use: this broker, these topics, the key ring of [`hook`], and a drain that does not linger.
    pub fn new(kafka: &Kafka, topics: &Topics) -> Self {
        let mut config = Self::bare()
            .set("shutdown", "linger", "\"0s\"")
            .set("shutdown", "grace", "\"200ms\"")
            .kafka(&kafka.bootstrap(), topics);
        for (name, value) in kafka.client_properties() {
            config = config.set("kafka.properties", &quoted(name), &quoted(&value));
        }
        if let Some(file) = kafka.password_file() {
            config = config.set("kafka.property_files", "\"sasl.password\"", &quoted(&path(&file)));
        }
        config.ring()
    }

    /// Bootstrap addresses and topic names.
    pub fn kafka(self, bootstrap: &str, topics: &Topics) -> Self {
        let names = format!(
            "{{ events = {}, lifecycle = {}, quarantine = {} }}",
            quoted(&topics.events),
            quoted(&topics.lifecycle),
            quoted(&topics.quarantine)
        );
        self.set("kafka", "bootstrap_servers", &quoted(bootstrap)).set("kafka", "topics", &names)
    }

    /// The key ring that [`hook`] signs with.
    pub fn ring(self) -> Self {
        let key = self.file("hook-key", &hook::KEY);
        let keys = format!("{{ {} = {} }}", hook::KID, quoted(&path(&key)));
        self.set("hook_tokens", "signing", &quoted(hook::KID)).set("hook_tokens", "keys", &keys)
    }

    /// Sets a key; the value is TOML (`"\"2.5s\""`, `"100"`). The last one wins.
    pub fn set(mut self, section: &str, key: &str, value: &str) -> Self {
        let place = self.sections.iter().position(|(name, _)| name == section);
        let place = place.unwrap_or_else(|| {
            self.sections.push((section.to_owned(), Vec::new()));
            self.sections.len() - 1
        });
        let keys = &mut self.sections[place].1;
        keys.retain(|(name, _)| name != key);
        keys.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Takes a section out.
    pub fn without(mut self, section: &str) -> Self {
        self.sections.retain(|(name, _)| name != section);
        self
    }

    /// Adds whole tables at the end, such as `[[deny]]`.
    pub fn append(mut self, toml: &str) -> Self {
        self.tail.push_str(toml);
        self.tail.push('\n');
        self
    }

    /// Fixes the ports, for servers that come back at the same place.
    pub fn ports(self, public: u16, admin: u16) -> Self {
        self.set("server", "public", &format!("\"127.0.0.1:{public}\"")).set(
            "server",
            "admin",
            &format!("\"127.0.0.1:{admin}\""),
        )
    }

    /// Writes a file, such as a key or a secret, into the configuration's folder.
    pub fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let file = self.folder.join(name);
        fs::write(&file, contents).expect("the folder is writable");
        file
    }

    /// Where the files of this configuration are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.sections {
            writeln!(text, "[{section}]").expect("a String takes any text");
            for (key, value) in keys {
                writeln!(text, "{key} = {value}").expect("a String takes any text");
            }
        }
        text + &self.tail
    }

    /// Writes the file, over the last one if there was one.
    pub fn write(&self) -> PathBuf {
        self.file("postern.toml", self.text().as_bytes())
    }
}

fn path(file: &Path) -> String {
    file.to_str().expect("the target directory has a plain name").to_owned()
}

/// A TOML string.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
