//! How is it sent: where to, over how many connections, how fast, for how long?

use std::{str::FromStr, time::Duration};

use http::{HeaderValue, Uri, uri::Scheme};

/// How the traffic is sent. A run ends when `requests` or `duration` is reached, whichever comes
/// first, or when it is stopped.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub target: Target,
    /// Keep-alive connections, each with one request at a time.
    pub connections: usize,
    /// How fast.
    pub pace: Pace,
    /// How many deliveries; retries do not count.
    pub requests: Option<u64>,
    /// For how long new deliveries start.
    pub duration: Option<Duration>,
    /// How long an attempt may take, connecting included. Graph's own is 10 s on retries.
    pub timeout: Duration,
    /// Whether a delivery that failed is sent again.
    pub retry: Option<Retry>,
}

impl Load {
    /// Eight connections, as fast as possible, 10 s a request, no retries, until stopped.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            connections: 8,
            pace: Pace::Closed,
            requests: None,
            duration: None,
            timeout: Duration::from_secs(10),
            retry: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        if !(1..=65_000).contains(&self.connections) {
            return Err(LoadError::Connections(self.connections));
        }
        if let Pace::Open { per_second } = self.pace
            && !(0.001..=1_000_000.0).contains(&per_second)
        {
            return Err(LoadError::Rate(per_second));
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(600) {
            return Err(LoadError::Timeout(self.timeout));
        }
        Ok(())
    }
}

/// How fast deliveries start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Closed loop: a connection sends the next one as soon as the last one is answered.
    Closed,
    /// Open loop: at a rate, however slow the answers are. Latencies count from the moment at which
    /// a delivery was due, so that a receiver that stalls is not spared the ones it held up.
    Open {
        /// Deliveries a second, 0.001 to 1,000,000.
        per_second: f64,
    },
}

/// How often and when a delivery is sent again that got no 2xx (unless that was expected).
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Further attempts after the first one.
    pub attempts: u32,
    /// The wait before the first of them; it doubles every time.
    pub delay: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Retry {
    /// The wait before the attempt with this number; the first retry is number 1.
    pub(crate) fn wait(&self, attempt: u32) -> Duration {
        let doubled = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.delay.saturating_mul(doubled).min(self.longest)
    }
}

/// Where to send: `http://HOST:PORT`.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host without brackets, and port.
    pub(crate) address: (String, u16),
    pub(crate) host_header: HeaderValue,
}

impl Target {
    /// Reads `http://HOST[:PORT]` without a path; the routes are added here.
    ///
    /// # Errors
    /// When it is no URL of that form, https included.
    pub fn parse(url: &str) -> Result<Self, LoadError> {
        let refuse = |what| LoadError::Target { url: url.into(), what };
        let uri = Uri::from_str(url).map_err(|_| refuse("not a URL"))?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) if *scheme == Scheme::HTTPS => {
                return Err(refuse("https is not spoken here; give the plain listener"));
            }
            _ => return Err(refuse("it must begin with http://")),
        }
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it must not hold a user name"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse("it must not have a path; the routes are added to it"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let host_header = HeaderValue::from_str(authority.as_str())
            .map_err(|_| refuse("its host cannot stand in a header"))?;
        Ok(Self { address: (host.into(), authority.port_u16().unwrap_or(80)), host_header })
    }
}

/// Why a load cannot be run.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum LoadError {
    /// The target is not understood.
    #[error("cannot send to {url:?}: {what}; write http://HOST:PORT")]
    Target {
        /// What was given.
        url: String,
        /// What is wrong.
        what: &'static str,
    },
    /// None, or more than one address has ports for.
    #[error("{0} connections; take 1 to 65000")]
    Connections(usize),
    /// A rate that nobody can keep.
    #[error("a rate of {0} a second; take 0.001 to 1000000")]
    Rate(f64),
    /// No time, or no end.
    #[error("a timeout of {0:?}; take more than 0 and at most 600 s")]
    Timeout(Duration),
}
