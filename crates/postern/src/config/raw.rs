//! What does the configuration file say, and on which line?
//!
//! The first of two stages: the file as it was written, flat, without defaults and without any judgement.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::problem::{Place, Problem};

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Text.
    Text(String),
    /// A whole number; `None` when it does not fit 64 bits.
    Integer(Option<i64>),
    /// A number with a fraction, as it was written.
    Float(String),
    /// True or false.
    Truth(bool),
    /// A date or time, as it was written.
    Date(String),
    /// A list of values that are no tables.
    List(Vec<Value>),
    /// A table without keys: it may be a whole section that nobody knows.
    EmptyTable,
    /// A table inside a list of other values.
    Misplaced,
}

/// A value and the line on which its key stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leaf {
    /// The value.
    pub(crate) value: Value,
    /// The line, counted from 1.
    pub(crate) line: usize,
}

/// The names from the top to a value; the second table of a list is `deny[1]`.
pub(crate) type Path = Vec<String>;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Raw {
    leaves: BTreeMap<Path, Leaf>,
}

impl Raw {
    /// Reads TOML.
    ///
    /// # Errors
    /// Every syntax error, with its line and without the text of the line.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let lines = Lines { text };
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| lines.problem(error)).collect());
        }
        let mut raw = Self::default();
        raw.table(&mut Vec::new(), table.get_ref(), &lines, 1);
        Ok(raw)
    }

    /// The value of a path.
    pub(crate) fn get(&self, path: &[String]) -> Option<&Leaf> {
        self.leaves.get(path)
    }

    /// Every value in and below a path.
    pub(crate) fn under<'a>(
        &'a self,
        path: &'a [String],
    ) -> impl Iterator<Item = (&'a Path, &'a Leaf)> {
        self.leaves.range(path.to_vec()..).take_while(move |(at, _)| at.starts_with(path))
    }

    /// Every value of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, &Leaf)> {
        self.leaves.iter()
    }

    fn table(&mut self, path: &mut Path, table: &DeTable<'_>, lines: &Lines<'_>, line: usize) {
        if table.is_empty() && !path.is_empty() {
            self.leaves.insert(path.clone(), Leaf { value: Value::EmptyTable, line });
        }
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            self.value(path, value, lines, lines.number(key.span().start));
            path.pop();
        }
    }

    fn value(
        &mut self,
        path: &mut Path,
        value: &Spanned<DeValue<'_>>,
        lines: &Lines<'_>,
        line: usize,
    ) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(path, table, lines, line),
            DeValue::Array(array) if is_tables(array) => {
                let name = path.pop().expect("a value has a key");
                for (at, element) in array.iter().enumerate() {
                    path.push(format!("{name}[{at}]"));
                    self.value(path, element, lines, lines.number(element.span().start));
                    path.pop();
                }
                path.push(name);
            }
            other => {
                self.leaves.insert(path.clone(), Leaf { value: scalar(other), line });
            }
        }
    }
}

fn is_tables(array: &DeArray<'_>) -> bool {
    !array.is_empty() && array.iter().all(|element| element.get_ref().is_table())
}

fn scalar(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
        }
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Value::Truth(*truth),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(array) => {
            Value::List(array.iter().map(|element| scalar(element.get_ref())).collect())
        }
        DeValue::Table(_) => Value::Misplaced,
    }
}

/// Turns places in the text into line numbers.
struct Lines<'a> {
    text: &'a str,
}

impl Lines<'_> {
    fn number(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }

    fn problem(&self, error: &toml::de::Error) -> Problem {
        let message = format!("not TOML: {}", error.message());
        match error.span() {
            Some(span) => Problem::at("", Place::Line(self.number(span.start)), message),
            None => Problem::of("", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Path {
        dotted.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn flattens_with_lines() {
        let raw = Raw::parse(
            "[server]\npublic = \"a\"\n\n[kafka]\ntopics = { events = \"e\" }\n\
             [[deny]]\ntenant = \"t\"\n[[deny]]\n[spool]\n",
        )
        .expect("is TOML");
        let line = |at: &str| raw.get(&path(at)).map(|leaf| leaf.line);
        assert_eq!(line("server/public"), Some(2));
        assert_eq!(line("kafka/topics/events"), Some(5));
        assert_eq!(line("deny[0]/tenant"), Some(7));
        assert_eq!(raw.get(&path("deny[1]")).map(|leaf| &leaf.value), Some(&Value::EmptyTable));
        assert_eq!(raw.get(&path("spool")).map(|leaf| &leaf.value), Some(&Value::EmptyTable));
    }

    #[test]
    fn every_syntax_error_has_a_line_and_quotes_nothing() {
        let problems =
            Raw::parse("a = hush\n[x]\nb = 1\nb = 2\nc = \"hush").expect_err("is broken");
        assert!(problems.len() >= 3, "{problems:?}");
        for problem in problems {
            assert!(matches!(problem.place, Some(Place::Line(_))), "{problem}");
            assert!(!problem.to_string().contains("hush"), "{problem}");
        }
    }

    #[test]
    fn numbers_of_every_spelling() {
        let raw = Raw::parse("a = 0x10\nb = 1_000\nc = 99999999999999999999\nd = 2026-11-01\n")
            .expect("is TOML");
        let value = |at: &str| raw.get(&path(at)).map(|leaf| leaf.value.clone());
        assert_eq!(value("a"), Some(Value::Integer(Some(16))));
        assert_eq!(value("b"), Some(Value::Integer(Some(1000))));
        assert_eq!(value("c"), Some(Value::Integer(None)));
        assert_eq!(value("d"), Some(Value::Date("2026-11-01".to_owned())));
    }
}
