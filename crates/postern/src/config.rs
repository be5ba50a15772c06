//! What is configured: from file, environment and options to settings, or to every problem at once?
//!
//! [`source`] knows where values come from, [`raw`] what the file says, [`read`] how one value is read,
//! [`resolve`] whether they make sense, [`secrets`] what the files hold, [`reload`] what changes while postern runs.

pub(crate) mod problem;

pub(crate) mod raw;
pub(crate) mod source;

pub(crate) mod mode;

mod read;
mod strays;
pub(crate) mod units;

pub(crate) mod resolve;
pub(crate) mod resolve_google;
pub(crate) mod resolve_kafka;
pub(crate) mod resolve_keys;
pub(crate) mod resolve_spool;
pub(crate) mod settings;

pub(crate) mod reload;
pub(crate) mod secrets;

#[cfg(test)]
pub(crate) mod testing;

use postern_core::trust::Trust;
use postern_kafka::SettingsError;

pub(crate) use problem::{ConfigError, Problem};
pub(crate) use resolve::Need;
pub(crate) use settings::Settings;
pub(crate) use source::Source;

use reload::Reloader;

/// A complete annotated configuration.
pub(crate) const EXAMPLE: &str = include_str!("config/example.toml");

/// What `serve` starts from.
#[derive(Debug)]
pub(crate) struct Serve {
    /// The settings.
    pub(crate) settings: Settings,
    /// Keys, static secrets and deny list as they are now.
    pub(crate) trust: Trust,
    /// Watches them from now on.
    pub(crate) reloader: Reloader,
    /// The cluster, secret properties included.
    pub(crate) kafka: postern_kafka::Settings,
}

/// Reads the settings of a command. Secret files are left alone.
///
/// # Errors
/// Every problem at once.
pub(crate) fn load(source: &Source, need: Need) -> Result<Settings, ConfigError> {
    let (settings, problems) = read_all(source, need)?;
    if problems.is_empty() { Ok(settings) } else { Err(error(source, problems)) }
}

/// Reads everything that `serve` needs on a real cluster: settings, and the content of every secret file.
///
/// # Errors
/// Every problem at once.
pub(crate) fn for_serve(source: &Source) -> Result<Serve, ConfigError> {
    let (settings, mut problems) = read_all(source, Need::Serve)?;
    let started = Reloader::start(source.file.clone(), &settings);
    let kafka = load_kafka(&settings, &problems);
    match (started, kafka) {
        (Ok((reloader, trust)), Ok(kafka)) if problems.is_empty() => {
            Ok(Serve { settings, trust, reloader, kafka })
        }
        (started, kafka) => {
            problems.extend(started.err().into_iter().chain(kafka.err()).flatten());
            Err(error(source, problems))
        }
    }
}

/// Reads what `topics` and `tail` need of a cluster.
///
/// # Errors
/// Every problem at once.
pub(crate) fn for_kafka(
    source: &Source,
) -> Result<(Settings, postern_kafka::Settings), ConfigError> {
    let (settings, mut problems) = read_all(source, Need::Kafka)?;
    match load_kafka(&settings, &problems) {
        Ok(kafka) if problems.is_empty() => Ok((settings, kafka)),
        kafka => {
            problems.extend(kafka.err().into_iter().flatten());
            Err(error(source, problems))
        }
    }
}

/// Puts the cluster's settings together, and asks librdkafka itself whether it could start with them: only it knows which
/// properties go together and whether their certificate and key files are good.
fn load_kafka(
    settings: &Settings,
    problems: &[Problem],
) -> Result<postern_kafka::Settings, Vec<Problem>> {
    let kafka = secrets::load_kafka(&settings.kafka, settings.limits.queue_bytes())?;
    // What was left out because it is faulty would be missing now.
    if !problems.iter().any(|problem| problem.key.starts_with("kafka")) {
        kafka.verify().map_err(|error| vec![refusal(&kafka, &settings.kafka, &error)])?;
    }
    Ok(kafka)
}

/// librdkafka's refusal at the property that it names.
fn refusal(
    kafka: &postern_kafka::Settings,
    configured: &settings::Kafka,
    error: &SettingsError,
) -> Problem {
    let text = error.to_string();
    let named = kafka.properties.keys().filter(|name| text.contains(name.as_str()));
    let named = named.max_by_key(|name| name.len());
    let message = format!("{text}; correct the property or the file that it names");
    match named.map(|name| (name, configured.property_files.get(name))) {
        Some((_, Some(file))) => Problem::at(file.key.clone(), file.place.clone(), message),
        Some((name, None)) => {
            let path = ["kafka", "properties", name.as_str()].map(str::to_owned);
            Problem::of(strays::show(&path), message)
        }
        None => Problem::of("kafka.properties", message),
    }
}

fn read_all(source: &Source, need: Need) -> Result<(Settings, Vec<Problem>), ConfigError> {
    let raw = source.raw().map_err(|problems| error(source, problems))?;
    Ok(resolve::settings(source, &raw, need))
}

fn error(source: &Source, problems: Vec<Problem>) -> ConfigError {
    ConfigError::new(source.file.clone(), problems)
}

#[cfg(test)]
mod tests;
