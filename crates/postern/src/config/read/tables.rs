//! How are tables read whose names are free: maps, lists, and sections of named tables?

use std::collections::BTreeMap;

use super::super::problem::{Place, Problem};
use super::super::raw::Value;
use super::super::source::{Environment, SEPARATOR};
use super::super::strays;
use super::{Found, NOT_UTF8, Reader, path};

impl Reader<'_> {
    /// The entries of a table whose keys are free. `rename` turns the lower-case end of a variable's name into a key.
    pub(crate) fn map(&mut self, key: &str, rename: fn(&str) -> String) -> Vec<(String, Found)> {
        let section = path(key);
        let mut entries: Vec<(String, Found)> = Vec::new();
        for (at, leaf) in self.raw.under(&section) {
            if *at == section {
                if leaf.value != Value::EmptyTable {
                    let message = "is a table: write its entries as name = value";
                    self.problems.push(Problem::at(key, Place::Line(leaf.line), message));
                }
                continue;
            }
            let (name, place) = (at[section.len()..].join("."), Place::Line(leaf.line));
            let found = Found { key: strays::show(at), place, value: leaf.value.clone() };
            entries.push((name, found));
        }
        self.known.maps.insert(section);
        let prefix = format!("{}{SEPARATOR}", Environment::name(key));
        for (variable, value) in self.source.environment.iter() {
            let Some(end) = variable.strip_prefix(&prefix) else { continue };
            self.known.variables.insert(variable.to_owned());
            let name = rename(&end.to_ascii_lowercase());
            let place = Place::Variable(variable.to_owned());
            let Some(value) = value else {
                self.problems.push(Problem::at(key, place, NOT_UTF8));
                continue;
            };
            let value = Value::Text(value.clone());
            let found = Found { key: format!("{key}.{name}"), place, value };
            entries.retain(|(other, _)| *other != name);
            entries.push((name, found));
        }
        entries
    }

    /// How many tables a list has; table `i` is then read as `key[i]`.
    pub(crate) fn tables(&mut self, key: &str) -> usize {
        self.known.lists.insert(key.to_owned());
        let at = path(key);
        let mut wrong =
            self.raw.under(&at).filter(|(_, leaf)| leaf.value != Value::List(Vec::new()));
        if let Some((_, leaf)) = wrong.next() {
            let message = format!("is a list of tables: write [[{key}]] above each");
            self.problems.push(Problem::at(key, Place::Line(leaf.line), message));
        }
        (0..).take_while(|at| self.raw.under(&[format!("{key}[{at}]")]).next().is_some()).count()
    }

    /// Where a table of a list, or a section, begins.
    pub(crate) fn place(&self, key: &str) -> Option<Place> {
        let lines = self.raw.under(&path(key)).map(|(_, leaf)| leaf.line).min();
        lines.map(Place::Line)
    }

    /// The names of the tables of a section, `[key.<name>]` each, in their order; `check` says what is wrong with a
    /// name. In a variable's name an underscore stands for a dash or an underscore: for that of the file where one
    /// fits, else for a dash.
    pub(crate) fn names(
        &mut self,
        key: &str,
        check: fn(&str) -> Result<(), String>,
    ) -> Vec<String> {
        self.known.families.insert(key.to_owned());
        // By the beginning of their variables, which no two may share.
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (name, line) in self.names_in_file(key) {
            let at = [path(key), vec![name.clone()]].concat();
            let problem = |message| Problem::at(strays::show(&at), Place::Line(line), message);
            let variable = Environment::name(&format!("{key}.{name}"));
            if let Some((list, _)) = name.split_once('[') {
                self.problems.push(problem(format!("is one table: write [{key}.{list}] once")));
            } else if let Err(expected) = check(&name) {
                self.problems.push(problem(expected));
            } else if let Some(other) = names.get(&variable) {
                self.problems.push(problem(format!(
                    "differs from {other} only in - and _, which no variable of the environment could tell apart"
                )));
            } else {
                names.insert(variable, name);
                continue;
            }
            // Its keys are no problems of their own.
            self.known.maps.insert(at);
        }
        self.names_in_environment(key, check, &mut names);
        let mut names: Vec<String> = names.into_values().collect();
        names.sort_unstable();
        names
    }

    /// The names, each with the first line of its table.
    fn names_in_file(&mut self, key: &str) -> BTreeMap<String, usize> {
        let section = path(key);
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        if let Some(place) = self.place(&format!("{key}[0]")) {
            let message = format!("holds tables with names: write [{key}.<name>] above each");
            self.problems.push(Problem::at(key, place, message));
        }
        for (at, leaf) in self.raw.under(&section) {
            let table = leaf.value == Value::EmptyTable;
            match &at[section.len()..] {
                [] if table => {}
                [name, below @ ..] if table || !below.is_empty() => {
                    let line = names.entry(name.clone()).or_insert(leaf.line);
                    *line = leaf.line.min(*line);
                }
                _ => {
                    let message =
                        format!("is no table with a name: write [{key}.<name>] above the keys");
                    self.problems.push(Problem::at(
                        strays::show(at),
                        Place::Line(leaf.line),
                        message,
                    ));
                }
            }
        }
        names
    }

    fn names_in_environment(
        &mut self,
        key: &str,
        check: fn(&str) -> Result<(), String>,
        names: &mut BTreeMap<String, String>,
    ) {
        let prefix = format!("{}{SEPARATOR}", Environment::name(key));
        for (variable, _) in self.source.environment.iter() {
            let rest = variable.strip_prefix(&prefix);
            let Some((name, _)) = rest.and_then(|rest| rest.rsplit_once(SEPARATOR)) else {
                continue;
            };
            if names.contains_key(&variable[..prefix.len() + name.len()]) {
                continue;
            }
            let name = name.to_ascii_lowercase().replace('_', "-");
            match check(&name) {
                Ok(()) => {
                    names.entry(Environment::name(&format!("{key}.{name}"))).or_insert(name);
                }
                Err(expected) => {
                    let place = Place::Variable(variable.to_owned());
                    self.known.variables.insert(variable.to_owned());
                    self.problems.push(Problem::at(key, place, expected));
                }
            }
        }
    }
}
