//! How are instants and days written and read?

use std::fmt;

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};

const MILLIS_A_DAY: i64 = 86_400_000;
/// 0000-01-01: RFC 3339 writes no year before it.
const EARLIEST: i64 = -62_167_219_200_000;
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// An instant of the wall clock, in milliseconds since 1970-01-01 UTC; written as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Reads any RFC 3339 instant (every offset, any number of fraction digits); finer than milliseconds is cut.
    /// `None` for anything else: providers send words such as `NA` where a time should be.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        let millis = instant.as_nanosecond().div_euclid(1_000_000).try_into().ok()?;
        (millis >= EARLIEST).then_some(Self(millis))
    }

    /// The UTC day, counted from 1970-01-01.
    #[must_use]
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(MILLIS_A_DAY))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Rfc3339::of(*self).as_str())
    }
}

/// An instant as text, RFC 3339 in UTC with milliseconds: put together once, however often it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rfc3339([u8; 24]);

impl Rfc3339 {
    /// The text of an instant. Outside the years 0 to 9999 there is none; it is that of the nearest that has one.
    pub(crate) fn of(instant: UnixMillis) -> Self {
        let earliest = instant.0.max(EARLIEST);
        let instant = jiff::Timestamp::from_millisecond(earliest).unwrap_or(jiff::Timestamp::MAX);
        let mut text = [b'0'; 24];
        PRINTER
            .print_timestamp(&instant, jiff::fmt::StdIoWrite(text.as_mut_slice()))
            .expect("every instant of these years has 24 characters");
        Self(text)
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and signs")
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    /// Reads `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 10 {
            return None;
        }
        let date: jiff::civil::Date = text.parse().ok()?;
        let since = date.since(jiff::civil::date(1970, 1, 1)).ok()?;
        Some(Self(i64::from(since.get_days())))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = UnixMillis(self.0.saturating_mul(MILLIS_A_DAY)).to_string();
        f.write_str(instant.split_once('T').map_or(instant.as_str(), |(date, _)| date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_instant_is_one_instant() {
        for text in [
            "2022-01-01T21:42:18.2257768Z",
            "2022-01-02T03:12:18.2257768+05:30",
            "2022-01-01T21:42:18.225+00:00",
        ] {
            let instant = UnixMillis::parse(text).expect(text);
            assert_eq!(instant.to_string(), "2022-01-01T21:42:18.225Z");
        }
        assert_eq!(UnixMillis::parse("NA"), None);
        assert_eq!(UnixMillis::parse("2022-01-01"), None);
        assert_eq!(UnixMillis::parse("-000001-01-01T00:00:00Z"), None);
        assert_eq!(UnixMillis(i64::MAX).to_string().len(), 24);
        assert_eq!(UnixMillis(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
    }

    #[test]
    fn an_instant_of_every_year_has_a_text_of_one_length_that_reads_as_itself() {
        let (year, odd) = (31_556_952_000, 7_919_003);
        for number in 0..9_999 {
            let instant = UnixMillis(EARLIEST + number * year + number % 366 * odd);
            let text = Rfc3339::of(instant);
            assert_eq!(UnixMillis::parse(text.as_str()), Some(instant), "{}", text.as_str());
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(Day::parse("2026-11-24"), Some(Day(0x512D)));
        assert_eq!(Day(0x512D).to_string(), "2026-11-24");
        assert_eq!(Day::parse("2026-13-24"), None);
        assert_eq!(UnixMillis(0).day(), Day(0));
    }
}
