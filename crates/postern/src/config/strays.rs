//! What was set that nobody reads, and what may have been meant?

use std::collections::BTreeSet;

use super::problem::{Place, Problem};
use super::raw::{Path, Raw, Value};
use super::read::Known;
use super::source::Environment;

/// From this likeness (0 to 1) on, a known name is suggested for an unknown one.
const ALIKE: f64 = 0.6;
/// Variables share their prefix, which makes any two alike.
const ALIKE_VARIABLES: f64 = 0.8;
/// No key is longer; what is may be a secret in the wrong place and is not repeated.
const LONGEST_NAME: usize = 48;

/// Every key of the file that is unknown or has the wrong form, each section once.
pub(crate) fn in_file(raw: &Raw, known: &Known) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for (path, leaf) in raw.iter() {
        if let Some((at, message)) = judge(path, &leaf.value, known)
            && seen.insert(at.clone())
        {
            problems.push(Problem::at(show(&at), Place::Line(leaf.line), message));
        }
    }
    problems
}

/// Every variable that names no key.
pub(crate) fn in_environment(environment: &Environment, known: &Known) -> Vec<Problem> {
    let unknown = environment.iter().filter(|(name, _)| !known.variables.contains(*name));
    let problem = |name: &str| {
        let near = nearest(name, ALIKE_VARIABLES, known.variables.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        let message = format!("this variable names no key of the configuration{hint}");
        Problem::at("", Place::Variable(name.to_owned()), message)
    };
    unknown.map(|(name, _)| problem(name)).collect()
}

/// The path that is at fault and what is wrong with it.
fn judge(path: &Path, value: &Value, known: &Known) -> Option<(Path, String)> {
    let empty = *value == Value::EmptyTable;
    if known.keys.contains(path) {
        return None;
    }
    // Whoever reads a table of free names, a list or a section of named tables judges its form.
    let top = path.first().map_or("", String::as_str);
    if known.maps.iter().any(|map| path.starts_with(map)) || known.lists.contains(top) {
        return None;
    }
    let family = list_of(top).unwrap_or(top);
    if known.families.contains(family) && (path.len() <= 2 || family != top) {
        return None;
    }
    if empty && path.len() == 1 && list_of(top).is_some_and(|list| known.lists.contains(list)) {
        return None;
    }
    if known.is_section(path) {
        let message = "is a section: write its keys below it, each with a value".to_owned();
        return (!empty).then(|| (path.clone(), message));
    }
    if let Some(key) = known.keys.iter().find(|key| path.starts_with(key)) {
        return Some((key.clone(), "takes a value, not a table".to_owned()));
    }
    if let Some(section) = list_of(top).map(|name| vec![name.to_owned()])
        && known.is_section(&section)
    {
        return Some((section, format!("is one section: write [{}] once", list_of(top)?)));
    }
    Some(unknown(path, empty, known))
}

fn unknown(path: &Path, empty: bool, known: &Known) -> (Path, String) {
    let depth = (1..=path.len()).find(|&depth| !known.is_section(&path[..depth]));
    let at = path[..depth.unwrap_or(path.len())].to_vec();
    let table = at.len() < path.len() || empty;
    let what = if table { "unknown section" } else { "unknown key" };
    let hint =
        suggestion(&at, known).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    (at, format!("{what}{hint}"))
}

/// A sibling with a similar name, else a key of that very name in another section.
fn suggestion(at: &[String], known: &Known) -> Option<String> {
    let (name, parent) = at.split_last()?;
    let paths = || known.keys.iter().chain(&known.maps);
    let siblings = paths().filter(|path| path.starts_with(parent) && path.len() > parent.len());
    let siblings = siblings.map(|path| path[parent.len()].as_str());
    let lists = known.lists.iter().chain(&known.families).map(String::as_str);
    let lists = lists.filter(|_| parent.is_empty());
    let siblings: Vec<&str> = siblings.chain(lists).filter(|name| !name.contains('[')).collect();
    if let Some(near) = nearest(name, ALIKE, siblings.into_iter()) {
        return Some(near.to_owned());
    }
    paths().find(|path| path.last() == Some(name)).map(|path| show(path))
}

fn nearest<'n>(name: &str, alike: f64, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let scored = names.map(|other| (strsim::normalized_damerau_levenshtein(name, other), other));
    let best = scored.filter(|(score, _)| *score >= alike);
    best.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, other)| other)
}

/// The name of the list that a segment such as `deny[1]` belongs to.
fn list_of(segment: &str) -> Option<&str> {
    segment.strip_suffix(']')?.rsplit_once('[').map(|(list, _)| list)
}

impl Known {
    /// Whether something known lies below this path.
    fn is_section(&self, path: &[String]) -> bool {
        let below = |known: &Path| known.len() > path.len() && known.starts_with(path);
        self.keys.iter().any(below) || self.maps.iter().any(below)
    }
}

/// A path as one writes it; a name that is no plain word is quoted, one that can be no key at all is left out.
pub(crate) fn show(path: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '[' | ']');
    let segment = |name: &String| match name {
        name if name.len() > LONGEST_NAME || name.chars().any(char::is_control) => "…".to_owned(),
        name if !name.is_empty() && name.chars().all(plain) => name.clone(),
        name => format!("{name:?}"),
    };
    path.iter().map(segment).collect::<Vec<_>>().join(".")
}
