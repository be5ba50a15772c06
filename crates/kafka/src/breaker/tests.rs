//! Does the breaker open, half-open and close when it should, and only then?

use super::*;

/// A breaker and a clock of its own.
struct Bench {
    breaker: Breaker,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        let start = Instant::now();
        Self { breaker: Breaker::new(Limits::DEFAULT, start), start }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn half_open() -> Self {
        let mut bench = Self::new();
        bench.breaker.unreachable(bench.at(0));
        bench.breaker.reachable(bench.at(10));
        assert_eq!(bench.breaker.state(), Circuit::HalfOpen);
        bench
    }
}

#[test]
fn the_gauge_values_are_those_of_the_contract() {
    assert_eq!([Circuit::Closed as u8, Circuit::HalfOpen as u8, Circuit::Open as u8], [0, 1, 2]);
    for state in [Circuit::Closed, Circuit::HalfOpen, Circuit::Open] {
        assert_eq!(Circuit::from_u8(state as u8), state);
    }
}

#[test]
fn a_stall_opens_it_and_not_a_millisecond_sooner() {
    let mut bench = Bench::new();
    let sent = bench.at(100);
    bench.breaker.waiting(bench.at(1_599), sent);
    assert_eq!(bench.breaker.state(), Circuit::Closed);
    bench.breaker.waiting(bench.at(1_600), sent);
    assert_eq!(bench.breaker.state(), Circuit::Open);
    assert_eq!(bench.breaker.cause(), Some(Cause::Stalled));
    assert_eq!(bench.breaker.admit(bench.at(1_601)), Admission::Refuse);
}

#[test]
fn what_was_outstanding_before_the_closing_does_not_count_as_a_stall() {
    let mut bench = Bench::half_open();
    bench.breaker.acknowledged(bench.at(5_000), bench.at(4_990));
    assert_eq!(bench.breaker.state(), Circuit::Closed);
    bench.breaker.waiting(bench.at(5_001), bench.at(100));
    assert_eq!(bench.breaker.state(), Circuit::Closed);
}

#[test]
fn failures_in_a_row_open_it_and_one_acknowledgement_between_does_not_let_them() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.breaker.failed(bench.at(n * 100), bench.at(n * 100));
    }
    bench.breaker.acknowledged(bench.at(400), bench.at(1));
    for n in 5..9 {
        bench.breaker.failed(bench.at(n * 100), bench.at(n * 100));
        assert_eq!(bench.breaker.state(), Circuit::Closed);
    }
    bench.breaker.failed(bench.at(900), bench.at(900));
    assert_eq!(bench.breaker.state(), Circuit::Open);
    assert_eq!(bench.breaker.cause(), Some(Cause::Failures));
}

#[test]
fn requests_that_give_up_open_it_although_slow_acknowledgements_come() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.breaker.failed(bench.at(1_700 + n * 100), bench.at(n * 100));
        bench.breaker.acknowledged(bench.at(1_750 + n * 100), bench.at(n * 100));
        assert_eq!(bench.breaker.state(), Circuit::Closed);
    }
    bench.breaker.failed(bench.at(2_100), bench.at(400));
    assert_eq!(bench.breaker.state(), Circuit::Open);
    bench.breaker.acknowledged(bench.at(2_150), bench.at(400));
    assert_eq!(bench.breaker.state(), Circuit::Open, "slow is not back");
}

#[test]
fn a_bunch_of_failures_at_one_time_does_not_open_it() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.breaker.failed(bench.at(2_000), bench.at(0));
    }
    assert_eq!(bench.breaker.state(), Circuit::Closed);
    bench.breaker.acknowledged(bench.at(2_005), bench.at(2_000));
    bench.breaker.failed(bench.at(2_300), bench.at(300));
    assert_eq!(bench.breaker.state(), Circuit::Closed);
}

#[test]
fn metadata_half_opens_and_never_closes() {
    let mut bench = Bench::new();
    bench.breaker.reachable(bench.at(1));
    assert_eq!(bench.breaker.state(), Circuit::Closed);
    bench.breaker.fatal(bench.at(2));
    assert_eq!(bench.breaker.cause(), Some(Cause::Fatal));
    for n in 3..100 {
        bench.breaker.reachable(bench.at(n));
        assert_eq!(bench.breaker.state(), Circuit::HalfOpen);
    }
}

#[test]
fn one_probe_is_outstanding_and_its_acknowledgement_closes() {
    let mut bench = Bench::half_open();
    assert_eq!(bench.breaker.admit(bench.at(20)), Admission::Probe);
    for n in 21..270 {
        assert_eq!(bench.breaker.admit(bench.at(n)), Admission::Refuse, "at {n}");
    }
    bench.breaker.acknowledged(bench.at(270), bench.at(20));
    assert_eq!(bench.breaker.state(), Circuit::Closed);
    assert_eq!(bench.breaker.admit(bench.at(271)), Admission::Pass);
}

#[test]
fn a_probe_that_hangs_does_not_hold_back_the_next_for_long() {
    let mut bench = Bench::half_open();
    assert_eq!(bench.breaker.admit(bench.at(20)), Admission::Probe);
    assert_eq!(bench.breaker.admit(bench.at(270)), Admission::Probe);
    bench.breaker.tick(bench.at(1_219));
    assert_eq!(bench.breaker.state(), Circuit::HalfOpen);
    bench.breaker.tick(bench.at(1_220));
    assert_eq!(bench.breaker.state(), Circuit::Open);
    assert_eq!(bench.breaker.cause(), Some(Cause::Probe));
}

#[test]
fn a_failed_probe_opens_and_the_next_keeps_its_distance() {
    let mut bench = Bench::half_open();
    assert_eq!(bench.breaker.admit(bench.at(20)), Admission::Probe);
    bench.breaker.failed(bench.at(25), bench.at(20));
    assert_eq!(bench.breaker.state(), Circuit::Open);
    bench.breaker.reachable(bench.at(30));
    assert_eq!(bench.breaker.admit(bench.at(119)), Admission::Refuse);
    assert_eq!(bench.breaker.admit(bench.at(120)), Admission::Probe);
}

#[test]
fn failures_of_older_records_say_nothing_about_the_present_state() {
    let mut bench = Bench::half_open();
    assert_eq!(bench.breaker.admit(bench.at(20)), Admission::Probe);
    for _ in 0..100 {
        bench.breaker.failed(bench.at(30), bench.at(5));
    }
    assert_eq!(bench.breaker.state(), Circuit::HalfOpen);
    bench.breaker.acknowledged(bench.at(40), bench.at(20));
    for _ in 0..100 {
        bench.breaker.failed(bench.at(50), bench.at(39));
    }
    assert_eq!(bench.breaker.state(), Circuit::Closed);
}

#[test]
fn a_late_acknowledgement_closes_only_while_it_is_fresh() {
    let mut bench = Bench::new();
    bench.breaker.unreachable(bench.at(1_000));
    bench.breaker.acknowledged(bench.at(2_300), bench.at(900));
    assert_eq!(bench.breaker.state(), Circuit::Open, "it took 1.4 s");
    bench.breaker.acknowledged(bench.at(2_301), bench.at(1_101));
    assert_eq!(bench.breaker.state(), Circuit::Closed, "it took 1.2 s");
}

#[test]
fn slow_acknowledgements_do_not_flap() {
    let mut bench = Bench::new();
    // One request at a time, each acknowledged after 1 s, for a minute.
    for n in 0..60 {
        let sent = bench.at(n * 1_000);
        for tick in 0..20 {
            bench.breaker.waiting(sent + Duration::from_millis(tick * 50), sent);
        }
        assert_eq!(bench.breaker.admit(sent), Admission::Pass);
        bench.breaker.acknowledged(sent + Duration::from_secs(1), sent);
    }
    assert_eq!(bench.breaker.state(), Circuit::Closed);

    // And it closes again through a probe that takes as long.
    bench.breaker.unreachable(bench.at(60_000));
    bench.breaker.reachable(bench.at(60_100));
    assert_eq!(bench.breaker.admit(bench.at(60_200)), Admission::Probe);
    bench.breaker.tick(bench.at(61_199));
    bench.breaker.acknowledged(bench.at(61_200), bench.at(60_200));
    assert_eq!(bench.breaker.state(), Circuit::Closed);
}
