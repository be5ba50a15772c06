//! How late is this machine itself? A control echo beside the experiment: a few bytes over the loopback, again and again.
//!
//! An answer that is late by no more than the echo was in the same minute is the machine's fault, not postern's.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two echoes.
const PAUSE: Duration = Duration::from_millis(5);
/// An experiment's answers are judged by the worst echo of so long before them.
const MINUTE: Duration = Duration::from_secs(60);

/// A running echo; it ends with the value.
pub(crate) struct Echo {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    start: Instant,
    /// The worst lag of each second since the start.
    seconds: Mutex<Vec<Duration>>,
}

impl Echo {
    /// Starts an echo server and its one client.
    pub(crate) fn start() -> Self {
        let server = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let address = server.local_addr().expect("it is bound");
        thread::spawn(move || {
            let Ok((mut stream, _)) = server.accept() else { return };
            let mut bytes = [0; 8];
            while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
        });
        let stream = TcpStream::connect(address).expect("the echo listens");
        stream.set_nodelay(true).expect("a socket of the loopback takes options");
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            start: Instant::now(),
            seconds: Mutex::default(),
        });
        let echo = Arc::clone(&shared);
        let sender = thread::spawn(move || echo.run(stream));
        Self { shared, sender: Some(sender) }
    }

    /// The worst lag in the minute before `end`.
    pub(crate) fn lag_before(&self, end: Instant) -> Duration {
        let seconds = self.shared.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let last = second(end.saturating_duration_since(self.shared.start)) + 1;
        let first = last.saturating_sub(second(MINUTE));
        let minute = seconds.iter().skip(first).take(last - first);
        minute.max().copied().unwrap_or_default()
    }

    /// The worst lag of all.
    pub(crate) fn worst(&self) -> Duration {
        let seconds = self.shared.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.iter().max().copied().unwrap_or_default()
    }
}

fn second(span: Duration) -> usize {
    usize::try_from(span.as_secs()).expect("no experiment lasts for ages")
}

impl Shared {
    fn run(&self, mut stream: TcpStream) {
        let mut due = Instant::now() + PAUSE;
        while !self.stop.load(Ordering::Relaxed) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut bytes = [7; 8];
            let echoed = stream.write_all(&bytes).and_then(|()| stream.read_exact(&mut bytes));
            echoed.expect("the echo answers as long as this process lives");
            let now = Instant::now();
            self.note(now, now.saturating_duration_since(due));
            due = now + PAUSE;
        }
    }

    /// From the moment at which the echo was due to the moment at which it was back.
    fn note(&self, now: Instant, lag: Duration) {
        let place = second(now.saturating_duration_since(self.start));
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.len() <= place {
            seconds.resize(place + 1, Duration::ZERO);
        }
        seconds[place] = seconds[place].max(lag);
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            drop(sender.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_measures_and_forgets_what_is_older_than_a_minute() {
        let echo = Echo::start();
        assert!(postern_rig::eventually(Duration::from_secs(5), || echo.worst() > Duration::ZERO));
        let lag = Duration::from_secs(9);
        echo.shared.note(echo.shared.start + Duration::from_secs(100), lag);
        let at = |seconds| echo.lag_before(echo.shared.start + Duration::from_secs(seconds));
        assert_eq!((at(100), at(159)), (lag, lag));
        assert!(at(99) < lag && at(161) < lag);
    }
}
