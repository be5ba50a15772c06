//! What does one experiment say in the table, and when has it passed?

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::echo::Echo;
use crate::oracle::{Answer, Audit};

/// The contract's deadline for an answer.
pub(crate) const DEADLINE: Duration = Duration::from_millis(2_500);

/// One line of the table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) experiment: String,
    /// What a number in reliability tables calls it; several rows may share one.
    pub(crate) number: u32,
    /// When the run began that this row is from.
    #[serde(default)]
    pub(crate) run: String,
    /// Gives the same traffic and the same instants again.
    pub(crate) seed: u64,
    /// A peer is shown beside postern; its failing is not postern's.
    pub(crate) peer: bool,
    pub(crate) short: bool,
    pub(crate) seconds: u64,
    pub(crate) requests: usize,
    pub(crate) acknowledged: usize,
    pub(crate) missing: usize,
    pub(crate) spurious: usize,
    pub(crate) mismatched: usize,
    pub(crate) duplicates: u64,
    pub(crate) slowest_ms: u64,
    pub(crate) p99_ms: u64,
    pub(crate) non_2xx: usize,
    /// Requests that got no answer: their connection was cut.
    pub(crate) cut: usize,
    /// Requests that got no answer in the provider's patience.
    pub(crate) silent: usize,
    /// The worst lag of the control echo.
    pub(crate) lag_ms: u64,
    pub(crate) passed: bool,
    /// Figures of this experiment alone.
    pub(crate) notes: Vec<String>,
    /// Why it has not passed.
    pub(crate) faults: Vec<String>,
}

impl Row {
    /// Whether `make faults` may end well.
    pub(crate) fn is_fine(&self) -> bool {
        self.passed || self.peer
    }
}

/// The answers of a span of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Vec<Answer>);

impl Answers {
    pub(crate) fn new(answers: Vec<Answer>) -> Self {
        Self(answers)
    }

    /// Those to requests that were sent and answered within the span.
    pub(crate) fn within(&self, from: Instant, to: Instant) -> Self {
        let inside = |answer: &&Answer| answer.sent >= from && answer.finished <= to;
        Self(self.0.iter().filter(inside).copied().collect())
    }

    /// How many got an answer, whichever.
    pub(crate) fn answered(&self) -> usize {
        self.0.iter().filter(|answer| answer.status().is_some()).count()
    }

    pub(crate) fn with_status(&self, wanted: impl Fn(u16) -> bool) -> usize {
        self.0.iter().filter(|answer| answer.status().is_some_and(&wanted)).count()
    }

    pub(crate) fn good(&self) -> usize {
        self.with_status(|status| (200..300).contains(&status))
    }

    pub(crate) fn non_2xx(&self) -> usize {
        self.with_status(|status| !(200..300).contains(&status))
    }

    /// Requests that reached somebody: all but those for which no connection could be made.
    pub(crate) fn requests(&self) -> usize {
        use postern_sim::Outcome::Refused;
        self.0.iter().filter(|answer| answer.outcome != Refused).count()
    }

    pub(crate) fn refused(&self) -> usize {
        self.0.len() - self.requests()
    }

    pub(crate) fn cut(&self) -> usize {
        use postern_sim::Outcome::Reset;
        self.0.iter().filter(|answer| answer.outcome == Reset).count()
    }

    pub(crate) fn silent(&self) -> usize {
        use postern_sim::Outcome::Timeout;
        self.0.iter().filter(|answer| answer.outcome == Timeout).count()
    }

    pub(crate) fn slowest(&self) -> Duration {
        self.quantile(1.0)
    }

    /// How long the given share of the answers took at most; zero where there is none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let answered = self.0.iter().filter(|answer| answer.status().is_some());
        let mut times: Vec<_> = answered.map(Answer::took).collect();
        times.sort_unstable();
        let place = (share * times.len() as f64).ceil() as usize;
        times
            .get(place.saturating_sub(1).min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }

    /// Answers over the deadline by more than the machine's own lag in the minute before them: how many of each status.
    pub(crate) fn late(&self, echo: &Echo) -> BTreeMap<u16, usize> {
        let late = |answer: &&Answer| {
            answer.took() > DEADLINE && answer.took() > DEADLINE + echo.lag_before(answer.finished)
        };
        let mut by_status = BTreeMap::new();
        for status in self.0.iter().filter(late).filter_map(Answer::status) {
            *by_status.entry(status).or_default() += 1;
        }
        by_status
    }

    /// When the first 2xx came to a request that was sent at `start` or later.
    pub(crate) fn first_2xx_since(&self, start: Instant) -> Option<Instant> {
        let good = |answer: &&Answer| answer.sent >= start && answer.outcome.is_success();
        self.0.iter().filter(good).map(|answer| answer.finished).min()
    }
}

/// Puts a row together: what every experiment must show, whatever else it asks for.
pub(crate) fn row(answers: &Answers, audit: &Audit, echo: &Echo, more: &[String]) -> Row {
    let mut faults = Vec::new();
    let kinds = [
        ("missing", &audit.missing),
        ("spurious", &audit.spurious),
        ("with other contents than were sent", &audit.mismatched),
    ];
    for (what, keys) in kinds {
        if let Some(first) = keys.first() {
            faults.push(format!("{} records {what}, the first one: {first}", keys.len()));
        }
    }
    let late = answers.late(echo);
    if !late.is_empty() {
        let each: Vec<_> =
            late.iter().map(|(status, count)| format!("{count} with {status}")).collect();
        let sum = late.values().sum::<usize>();
        faults.push(format!("{sum} answers over 2.5 s and the machine's lag: {}", each.join(", ")));
    }
    if answers.silent() > 0 {
        faults.push(format!("{} requests without an answer in 10 s", answers.silent()));
    }
    if audit.acknowledged == 0 {
        faults.push("nothing was acknowledged, so nothing was judged".to_owned());
    }
    faults.extend_from_slice(more);
    Row {
        requests: answers.requests(),
        acknowledged: audit.acknowledged,
        missing: audit.missing.len(),
        spurious: audit.spurious.len(),
        mismatched: audit.mismatched.len(),
        duplicates: audit.duplicates,
        slowest_ms: millis(answers.slowest()),
        p99_ms: millis(answers.quantile(0.99)),
        non_2xx: answers.non_2xx(),
        cut: answers.cut(),
        silent: answers.silent(),
        lag_ms: millis(echo.worst()),
        passed: faults.is_empty(),
        faults,
        ..Row::default()
    }
}

/// Whole milliseconds, rounded up: nothing looks faster than it was.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
