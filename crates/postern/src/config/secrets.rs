//! How do secrets come out of their files, and what is said when they do not?
//!
//! A value that should be a path may be the secret itself. So a path is only repeated in a message where its
//! directory exists; else the key path has to do.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use postern_core::key_ring::KeyRing;
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::trust::{Deny, StaticSecret, Trust};

use super::problem::Problem;
use super::settings::{DenyRule, Kafka, SecretFile, Settings};

/// No key or secret is larger; stops a wrong path from filling the memory.
const LARGEST: u64 = 64 << 10;
/// Shortest ring key, in bytes.
const SHORTEST_KEY: usize = 32;

/// Reads a secret file; one trailing newline is removed, nothing else.
///
/// # Errors
/// When it cannot be read, is empty or too large.
pub(crate) fn read(file: &SecretFile) -> Result<Secret, Problem> {
    let problem = |message: &str| {
        let message = format!("{message}{}", shown(&file.path));
        Problem::at(file.key.clone(), file.place.clone(), message)
    };
    let content = content(&file.path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => problem(
            "no such file: create it or correct the path (the value is the path of a file, never the secret itself)",
        ),
        io::ErrorKind::PermissionDenied => {
            problem("the file may not be read: give the user that runs postern read permission")
        }
        io::ErrorKind::IsADirectory => problem("is a directory: name the file in it"),
        io::ErrorKind::InvalidInput => problem("is no regular file"),
        io::ErrorKind::FileTooLarge => problem("the file is larger than 64 KiB: is it the right one?"),
        // The system's words for a name that is too long, a loop of links, a failing disk.
        kind => problem(&format!("the file cannot be read: {kind}")),
    })?;
    let secret = Secret::from_file_content(content);
    if secret.expose().is_empty() {
        return Err(problem("the file is empty: write the secret into it"));
    }
    Ok(secret)
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would block the open: look first.
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut content = Vec::new();
    let length = File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    if length as u64 > LARGEST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content) }
}

/// The path, where its directory shows that it is one.
fn shown(path: &Path) -> String {
    let directory = path.parent().filter(|parent| parent.components().count() > 1);
    match directory {
        Some(directory) if directory.is_dir() => format!(" ({})", path.display()),
        _ => String::new(),
    }
}

/// The content of every file that proves deliveries, each with its fault where it has one.
#[derive(Debug)]
pub(super) struct Contents {
    keys: Vec<Result<Secret, Problem>>,
    static_secrets: Vec<Result<Secret, Problem>>,
}

impl Contents {
    /// Reads them all.
    pub(super) fn read(settings: &Settings) -> Self {
        let keys = settings.hook_tokens.iter().flat_map(|tokens| &tokens.keys);
        Self {
            keys: keys.map(|(_, file)| read(file)).collect(),
            static_secrets: settings.static_secrets.iter().map(|one| read(&one.file)).collect(),
        }
    }

    /// Every one of them, in a fixed order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Result<Secret, Problem>> {
        self.keys.iter().chain(&self.static_secrets)
    }

    /// Builds what decides whether a delivery is genuine.
    ///
    /// # Errors
    /// Every problem with a key or secret.
    pub(super) fn trust(
        &self,
        settings: &Settings,
        deny: &[DenyRule],
    ) -> Result<Trust, Vec<Problem>> {
        let mut problems = Vec::new();
        let ring = self.ring(settings, &mut problems);
        let static_secrets = self.static_secrets(settings, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let rules = deny.iter().map(|rule| (rule.tenant.clone(), rule.user.clone())).collect();
        Ok(Trust::new(ring, static_secrets, Deny::new(rules)))
    }

    fn ring(&self, settings: &Settings, problems: &mut Vec<Problem>) -> Option<KeyRing> {
        let tokens = settings.hook_tokens.as_ref()?;
        let before = problems.len();
        let mut keys = Vec::with_capacity(tokens.keys.len());
        for ((kid, file), content) in tokens.keys.iter().zip(&self.keys) {
            match content {
                Ok(secret) if secret.expose().len() < SHORTEST_KEY => {
                    let message = format!(
                        "the file holds {} bytes, a key has {SHORTEST_KEY} or more: fill it with `openssl \
                         rand -hex 32`{}",
                        secret.expose().len(),
                        shown(&file.path)
                    );
                    problems.push(Problem::at(file.key.clone(), file.place.clone(), message));
                }
                Ok(secret) => keys.push((kid.clone(), secret.clone())),
                Err(problem) => problems.push(problem.clone()),
            }
        }
        if problems.len() > before {
            return None;
        }
        match KeyRing::new(&tokens.signing, keys) {
            Ok(ring) => Some(ring),
            Err(error) => {
                problems.push(Problem::of("hook_tokens", error.to_string()));
                None
            }
        }
    }

    fn static_secrets(
        &self,
        settings: &Settings,
        problems: &mut Vec<Problem>,
    ) -> Vec<StaticSecret> {
        let mut secrets = Vec::with_capacity(settings.static_secrets.len());
        let mut seen: Vec<(Service, &[u8])> = Vec::new();
        for (one, content) in settings.static_secrets.iter().zip(&self.static_secrets) {
            let secret = match content {
                Ok(secret) => secret,
                Err(problem) => {
                    problems.push(problem.clone());
                    continue;
                }
            };
            let fault = if seen.contains(&(one.service, secret.expose())) {
                Some("holds the same secret as another one of this service: whose delivery would it be?".to_owned())
            } else {
                static_fault(one.service, secret)
            };
            if let Some(message) = fault {
                problems.push(Problem::at(one.file.key.clone(), one.file.place.clone(), message));
            }
            seen.push((one.service, secret.expose()));
            let (tenant, user) = (one.tenant.clone(), one.user.clone());
            secrets.push(StaticSecret::new(one.service, secret, tenant, user));
        }
        secrets
    }
}

/// Why a provider could never echo this secret.
fn static_fault(service: Service, secret: &Secret) -> Option<String> {
    let limit = service.token_limit();
    match std::str::from_utf8(secret.expose()) {
        Err(_) => Some("the file holds no UTF-8 text, which a provider could not echo".to_owned()),
        Ok(text) if text.chars().count() > limit => Some(format!(
            "the file holds {} characters, {service} echoes at most {limit}",
            text.chars().count()
        )),
        Ok(_) => None,
    }
}

/// What postern-kafka has to know, secret properties included. `bootstrap_servers` is required by now.
///
/// # Errors
/// Every property file that cannot be read or that librdkafka refuses.
pub(crate) fn load_kafka(
    kafka: &Kafka,
    queue_bytes: usize,
) -> Result<postern_kafka::Settings, Vec<Problem>> {
    let mut properties = kafka.properties.clone();
    let mut problems = Vec::new();
    for (name, file) in &kafka.property_files {
        let problem = |message: String| Problem::at(file.key.clone(), file.place.clone(), message);
        let secret = match read(file) {
            Ok(secret) => secret,
            Err(fault) => {
                problems.push(fault);
                continue;
            }
        };
        let Ok(value) = std::str::from_utf8(secret.expose()) else {
            problems.push(problem("the file holds no UTF-8 text".to_owned()));
            continue;
        };
        match postern_kafka::check_value(name, value) {
            Ok(()) => drop(properties.insert(name.clone(), value.to_owned())),
            Err(error) => problems.push(problem(error.to_string())),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(postern_kafka::Settings {
        bootstrap_servers: kafka.bootstrap_servers.clone().unwrap_or_default(),
        topics: kafka.topics.clone(),
        properties,
        queue_bytes,
    })
}

#[cfg(test)]
mod tests;
