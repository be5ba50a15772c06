//! How often may the same line be logged? librdkafka repeats itself with every reconnect.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The same line at most once in this time.
const WINDOW: Duration = Duration::from_secs(5);
/// So many different lines are told apart; more in one window are dropped.
const LINES: usize = 128;

/// Lets one line of a kind through in each window and counts the others. Lines that differ in digits only (ports,
/// durations, offsets) are one kind.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    lines: Mutex<HashMap<u64, Line>>,
}

#[derive(Debug)]
struct Line {
    logged: Instant,
    suppressed: u64,
}

impl LogLimit {
    /// Whether to log the line now, and how many of its kind were held back since the last one.
    pub(crate) fn admit(&self, now: Instant, facility: &str, text: &str) -> Option<u64> {
        let kind = kind(facility, text);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&kind) {
            if now.saturating_duration_since(line.logged) < WINDOW {
                line.suppressed += 1;
                return None;
            }
            line.logged = now;
            return Some(std::mem::take(&mut line.suppressed));
        }
        if lines.len() >= LINES {
            lines.retain(|_, line| now.saturating_duration_since(line.logged) < WINDOW);
        }
        if lines.len() >= LINES {
            return None;
        }
        lines.insert(kind, Line { logged: now, suppressed: 0 });
        Some(0)
    }
}

fn kind(facility: &str, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(facility.as_bytes());
    let mut in_number = false;
    for byte in text.bytes() {
        let digit = byte.is_ascii_digit();
        if !(digit && in_number) {
            hasher.write_u8(if digit { b'0' } else { byte });
        }
        in_number = digit;
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_once_a_window_with_the_count_of_the_others() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        assert_eq!(limit.admit(start, "FAIL", "connect to :9092 failed after 3ms"), Some(0));
        for n in 0..7 {
            let text = format!("connect to :909{n} failed after {n}2ms");
            assert_eq!(limit.admit(start + WINDOW / 2, "FAIL", &text), None);
        }
        assert_eq!(limit.admit(start, "FAIL", "something else"), Some(0));
        assert_eq!(limit.admit(start, "OTHER", "something else"), Some(0));
        let later = limit.admit(start + WINDOW, "FAIL", "connect to :1 failed after 1ms");
        assert_eq!(later, Some(7));
    }

    #[test]
    fn memory_is_bounded_and_heals() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let word = |n: usize| "x".repeat(n);
        let admitted = (0..1_000).filter(|&n| limit.admit(start, "", &word(n)).is_some()).count();
        assert_eq!(admitted, LINES);
        assert_eq!(limit.admit(start + WINDOW, "", &word(999)), Some(0));
        assert!(limit.lines.lock().unwrap().len() <= LINES);
    }
}
