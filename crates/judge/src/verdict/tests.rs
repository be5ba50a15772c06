//! Does a row fail where it must?

use postern_sim::Outcome;

use super::*;

fn answer(took: u64, outcome: Outcome) -> Answer {
    let sent = Instant::now();
    Answer { sent, finished: sent + Duration::from_millis(took), outcome }
}

fn status(status: u16) -> Outcome {
    Outcome::Answered { status, as_expected: true }
}

fn audit() -> Audit {
    Audit { acknowledged: 1, ..Audit::default() }
}

#[test]
fn only_a_clean_run_passes() {
    let echo = Echo::start();
    let fine = Answers::new(vec![answer(20, status(202)), answer(2_400, status(503))]);
    assert!(row(&fine, &audit(), &echo, &[]).passed);
    let lost = Audit { missing: vec!["events x".to_owned()], ..audit() };
    assert!(!row(&fine, &lost, &echo, &[]).passed, "missing");
    assert!(!row(&fine, &Audit { spurious: lost.missing.clone(), ..audit() }, &echo, &[]).passed);
    assert!(!row(&fine, &Audit { mismatched: lost.missing, ..audit() }, &echo, &[]).passed);
    assert!(!row(&fine, &Audit::default(), &echo, &[]).passed, "nothing acknowledged");
    assert!(!row(&fine, &audit(), &echo, &["no".to_owned()]).passed, "a finding of its own");
    let silent = Answers::new(vec![answer(10_000, Outcome::Timeout)]);
    assert!(!row(&silent, &audit(), &echo, &[]).passed, "silence");
}

#[test]
fn an_answer_is_late_only_beyond_the_lag_of_the_machine() {
    let echo = Echo::start();
    let lag = millis(echo.worst());
    let late = Answers::new(vec![answer(2_600 + lag + 2_000, status(202))]);
    assert_eq!(late.late(&echo), [(202, 1)].into());
    assert_eq!(Answers::new(vec![answer(2_500, status(202))]).late(&echo), [].into());
}

#[test]
fn quantiles_are_of_answers_alone() {
    let mut all: Vec<_> = (1..=100).map(|took| answer(took, status(202))).collect();
    all.push(answer(9_999, Outcome::Reset));
    let answers = Answers::new(all);
    assert_eq!(answers.quantile(0.99), Duration::from_millis(99));
    assert_eq!(answers.slowest(), Duration::from_millis(100));
    assert_eq!((answers.cut(), answers.refused(), answers.answered()), (1, 0, 100));
    assert_eq!(Answers::default().slowest(), Duration::ZERO);
}
