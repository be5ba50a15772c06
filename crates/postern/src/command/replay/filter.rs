//! Which quarantined deliveries are judged again?

use postern_core::reason::Reason;
use postern_core::replay::Stored;
use postern_core::service::Service;
use postern_core::time::{Day, UnixMillis};
use postern_edge::clock;

use crate::config::units;

/// The options that leave deliveries out. With any of them the group stays where it is.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only deliveries of this service; the group stays where it is.
    #[arg(long, value_name = "SERVICE", value_parser = service)]
    service: Option<Service>,

    /// Only deliveries that, or an item of which, had this reason; the group stays where it is.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<Reason>,

    /// Only deliveries received since: an instant, a day, or a time ago (2026-11-24T08:00:00Z, 2026-11-24, 2d); the
    /// group stays where it is.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<UnixMillis>,
}

impl Filter {
    /// Whether any is given.
    pub(super) fn is_set(&self) -> bool {
        self.service.is_some() || self.reason.is_some() || self.since.is_some()
    }

    /// Whether a delivery is to be judged.
    pub(super) fn admits(&self, stored: &Stored<'_>) -> bool {
        self.service.is_none_or(|service| service == stored.service)
            && self.reason.is_none_or(|reason| stored.reasons.contains(&reason))
            && self.since.is_none_or(|since| since <= stored.received)
    }
}

fn service(word: &str) -> Result<Service, String> {
    let found = Service::ALL.into_iter().find(|service| service.as_str() == word);
    found.ok_or_else(|| one_of(Service::ALL.map(Service::as_str).as_slice()))
}

fn reason(word: &str) -> Result<Reason, String> {
    Reason::from_word(word).ok_or_else(|| one_of(Reason::ALL.map(Reason::as_str).as_slice()))
}

fn one_of(words: &[&str]) -> String {
    format!("takes one of {}", words.join(", "))
}

fn since(text: &str) -> Result<UnixMillis, String> {
    let day = || Day::parse(text).and_then(|day| UnixMillis::parse(&format!("{day}T00:00:00Z")));
    if let Some(instant) = UnixMillis::parse(text).or_else(day) {
        return Ok(instant);
    }
    let ago = units::duration(text).map_err(
        |_| "takes an instant (2026-11-24T08:00:00Z), a day (2026-11-24) or a time ago (2d, 90m)",
    )?;
    let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    Ok(UnixMillis(clock::now().0.saturating_sub(ago)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_a_day_or_ago() {
        assert_eq!(since("2026-11-24T08:00:00Z"), Ok(UnixMillis(1_795_507_200_000)));
        assert_eq!(since("2026-11-24"), Ok(UnixMillis(1_795_478_400_000)));
        let ago = since("2d").expect("a time ago").0;
        assert!((clock::now().0 - 172_800_000 - ago).abs() < 60_000, "{ago}");
        for bad in ["", "yesterday", "2026-13-24", "-2d"] {
            since(bad).expect_err(bad);
        }
    }

    #[test]
    fn each_option_leaves_out_what_it_says() {
        let stored = || {
            let header = |name: &str| {
                Some(match name {
                    "postern_service" => &b"drive"[..],
                    "postern_reason" => b"no-token",
                    "postern_items" => {
                        br#"[{"index":0,"reason":"no-token"},{"index":1,"reason":"unknown-key"}]"#
                    }
                    "ce_recordedtime" => b"2026-11-24T08:00:00.000Z",
                    "postern_truncated" => b"false",
                    _ => return None,
                })
            };
            Stored::read(header, None).expect("is a record")
        };
        let admits = |filter: Filter| {
            assert!(filter.is_set());
            filter.admits(&stored())
        };
        let none = Filter::default;
        assert!(!none().is_set() && none().admits(&stored()));
        assert!(admits(Filter { service: service("drive").ok(), ..none() }));
        assert!(!admits(Filter { service: service("workspace-events").ok(), ..none() }));
        assert!(admits(Filter { reason: reason("no-token").ok(), ..none() }));
        assert!(admits(Filter { reason: reason("unknown-key").ok(), ..none() }));
        assert!(!admits(Filter { reason: reason("forged-token").ok(), ..none() }));
        assert!(admits(Filter { since: since("2026-11-24").ok(), ..none() }));
        assert!(!admits(Filter { since: since("2026-11-24T08:00:00.001Z").ok(), ..none() }));
        service("imap").expect_err("is none");
        reason("bad").expect_err("is none");
    }
}
