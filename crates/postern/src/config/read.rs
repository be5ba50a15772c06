//! How is a key read, wherever it was set, and what was set that nobody reads?
//!
//! Reading never stops at a fault: it is noted with its key path, and the default takes its place, so that every
//! problem is reported at once. Whoever asks for a key makes it known; [`Reader::finish`] reports the rest.

mod tables;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::problem::{Place, Problem};
use super::raw::{Path, Raw, Value};
use super::source::{Environment, SEPARATOR, Source};
use super::strays;
use super::units;

/// Reads keys from options, environment and file.
pub(crate) struct Reader<'a> {
    source: &'a Source,
    raw: &'a Raw,
    problems: Vec<Problem>,
    known: Known,
}

/// Everything that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Keys that hold a value.
    pub(crate) keys: BTreeSet<Path>,
    /// Tables whose keys are free.
    pub(crate) maps: BTreeSet<Path>,
    /// Sections that hold tables with free names.
    pub(crate) families: BTreeSet<String>,
    /// Lists of tables.
    pub(crate) lists: BTreeSet<String>,
    /// The variables for all of them.
    pub(crate) variables: BTreeSet<String>,
}

/// A value that was set.
#[derive(Clone, Debug)]
pub(crate) struct Found<T = Value> {
    /// Its key path.
    pub(crate) key: String,
    /// Where it was set.
    pub(crate) place: Place,
    /// The value.
    pub(crate) value: T,
}

impl<T> Found<T> {
    /// A problem with this value.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.key.clone(), self.place.clone(), message)
    }

    fn with<U>(self, value: U) -> Found<U> {
        Found { key: self.key, place: self.place, value }
    }
}

impl<'a> Reader<'a> {
    /// Reads from a source whose file says `raw`.
    pub(crate) fn new(source: &'a Source, raw: &'a Raw) -> Self {
        Self { source, raw, problems: Vec::new(), known: Known::default() }
    }

    /// Notes a problem.
    pub(crate) fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Whether a problem was noted in or below a key.
    pub(crate) fn is_faulty(&self, key: &str) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        self.problems.iter().any(|problem| problem.key.strip_prefix(key).is_some_and(below))
    }

    /// Whether anything in a section, or the key itself, was set.
    pub(crate) fn has(&self, key: &str) -> bool {
        let prefix = Environment::name(key);
        let named = |name: &str| {
            name.strip_prefix(&prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
        };
        self.source.flag(key).is_some()
            || self.raw.under(&path(key)).next().is_some()
            || self.raw.under(&path(&format!("{key}[0]"))).next().is_some()
            || self.source.environment.iter().any(|(name, _)| named(name))
    }

    /// Text that is not empty.
    pub(crate) fn text(&mut self, key: &str) -> Option<Found<String>> {
        let found = self.find(key)?;
        let text = match &found.value {
            Value::Text(text) | Value::Date(text) => text.clone(),
            _ => {
                self.note(found.problem("takes text in quotes"));
                return None;
            }
        };
        if text.trim().is_empty() {
            self.note(found.problem("is empty: leave it out, or give it a value"));
            return None;
        }
        Some(found.with(text))
    }

    /// Text that a function understands; its error says what is expected, without the value.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Found<T>> {
        let found = self.text(key)?;
        match parse(&found.value) {
            Ok(value) => Some(found.with(value)),
            Err(expected) => {
                self.note(found.problem(expected));
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(crate) fn number(&mut self, key: &str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let Some(found) = self.find(key) else { return default };
        let number = match (&found.value, &found.place) {
            (Value::Integer(number), _) => number.and_then(|number| u64::try_from(number).ok()),
            // Variables hold text only.
            (Value::Text(text), Place::Variable(_)) => text.trim().parse().ok(),
            _ => None,
        };
        self.bounded(&found, number, &bounds, "a whole number", &u64::to_string).unwrap_or(default)
    }

    /// True or false.
    pub(crate) fn truth(&mut self, key: &str, default: bool) -> bool {
        let Some(found) = self.find(key) else { return default };
        let truth = match (&found.value, &found.place) {
            (Value::Truth(truth), _) => Some(*truth),
            // Variables hold text only.
            (Value::Text(text), Place::Variable(_)) => text.trim().parse().ok(),
            _ => None,
        };
        truth.unwrap_or_else(|| {
            self.note(found.problem("takes true or false, without quotes"));
            default
        })
    }

    /// A duration within bounds.
    pub(crate) fn duration(
        &mut self,
        key: &str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(found) = self.parsed(key, units::duration) else { return default };
        let show = |length: &Duration| units::show_duration(*length);
        let value = found.value;
        self.bounded(&found, Some(value), &bounds, "a duration", &show).unwrap_or(default)
    }

    /// A size in bytes within bounds.
    pub(crate) fn size(&mut self, key: &str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let Some(found) = self.parsed(key, units::size) else { return default };
        let show = |bytes: &u64| units::show_size(*bytes);
        let value = found.value;
        self.bounded(&found, Some(value), &bounds, "a size", &show).unwrap_or(default)
    }

    /// A list of texts; in a variable they are comma-separated.
    pub(crate) fn texts(&mut self, key: &str) -> Vec<Found<String>> {
        let Some(found) = self.find(key) else { return Vec::new() };
        let items = match &found.value {
            Value::List(items) => items.clone(),
            Value::Text(text) if matches!(found.place, Place::Variable(_)) => {
                text.split(',').map(|item| Value::Text(item.trim().to_owned())).collect()
            }
            _ => {
                self.note(found.problem("takes a list of texts, such as [\"first\", \"second\"]"));
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            let item_of =
                Found { key: format!("{key}[{at}]"), place: found.place.clone(), value: () };
            match item {
                Value::Text(text) => texts.push(item_of.with(text)),
                _ => self.note(item_of.problem("takes text in quotes")),
            }
        }
        texts
    }

    /// Every problem, those with what nobody asked for included.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        self.problems.extend(strays::in_file(self.raw, &self.known));
        self.problems.extend(strays::in_environment(&self.source.environment, &self.known));
        self.problems
    }

    /// As [`Reader::finish`], for a reader that asked for one list of tables only.
    pub(crate) fn finish_list(mut self, key: &str) -> Vec<Problem> {
        let strays = strays::in_file(self.raw, &self.known);
        self.problems.extend(strays.into_iter().filter(|stray| {
            stray.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        }));
        self.problems
    }

    /// What was asked for so far.
    #[cfg(test)]
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    fn find(&mut self, key: &str) -> Option<Found> {
        let at = path(key);
        let leaf = self.raw.get(&at);
        self.known.keys.insert(at);
        let variable = (!key.contains('[')).then(|| Environment::name(key));
        self.known.variables.extend(variable.clone());
        let found = |place, value| Some(Found { key: key.to_owned(), place, value });
        if let Some((value, flag)) = self.source.flag(key) {
            return found(Place::Flag(flag), Value::Text(value.to_owned()));
        }
        let set = variable.and_then(|name| {
            let value = self.source.environment.get(&name)?;
            Some((Place::Variable(name), value))
        });
        match (set, leaf) {
            (Some((place, Some(value))), _) => found(place, Value::Text(value.clone())),
            (Some((place, None)), _) => {
                self.note(Problem::at(key, place, NOT_UTF8));
                None
            }
            (None, Some(leaf)) => match leaf.value {
                Value::EmptyTable => {
                    self.note(Problem::at(
                        key,
                        Place::Line(leaf.line),
                        "takes a value, not a table",
                    ));
                    None
                }
                _ => found(Place::Line(leaf.line), leaf.value.clone()),
            },
            (None, None) => None,
        }
    }

    fn bounded<T: PartialOrd, U>(
        &mut self,
        found: &Found<U>,
        value: Option<T>,
        bounds: &RangeInclusive<T>,
        what: &str,
        show: &dyn Fn(&T) -> String,
    ) -> Option<T> {
        let within = value.filter(|value| bounds.contains(value));
        if within.is_none() {
            let (least, most) = (show(bounds.start()), show(bounds.end()));
            self.note(found.problem(format!("takes {what} from {least} to {most}")));
        }
        within
    }
}

const NOT_UTF8: &str = "the variable's value is not UTF-8 text";

/// The path of a dotted key.
fn path(key: &str) -> Path {
    key.split('.').map(str::to_owned).collect()
}

/// Joins what is allowed: `a, b or c`.
pub(crate) fn one_of(words: &[impl Display]) -> String {
    match words {
        [] => String::new(),
        [only] => only.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} or {last}", first.join(", "))
        }
    }
}
