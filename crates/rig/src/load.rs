//! How is postern kept busy while things around it die? Threads post genuine notifications at a steady rate.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::{Connection, Response, is_reset};
use super::ledger::Ledger;
use super::{graph, hook};

/// Senders, each with a connection of its own.
const SENDERS: u32 = 8;
/// Each sender opens a fresh connection for every so many-th request, as the provider's many machines do.
const FRESH: u32 = 10;
/// How long a sender waits before it knocks again where nobody listens.
const KNOCK: Duration = Duration::from_millis(5);

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status.
    Status(u16),
    /// A connection that was cut or closed with no answer to what was sent on it.
    Cut,
    /// No answer in the client's patience.
    Silence,
}

impl Outcome {
    /// The sender takes the delivery for arrived.
    pub fn is_2xx(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }
}

/// One request that reached somebody.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// When the request was sent.
    pub sent: Instant,
    /// How long the answer took.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The answer says when to come back.
    pub retry_after: bool,
}

impl Answer {
    /// When the answer came.
    pub fn came(&self) -> Instant {
        self.sent + self.took
    }
}

/// A running load; [`Load::stop`] ends it.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

struct Shared {
    ledger: Ledger,
    target: SocketAddr,
    /// Between two requests of one sender.
    pause: Duration,
    stop: AtomicBool,
    answers: Mutex<Vec<Answer>>,
}

impl Load {
    /// Posts `rate` requests a second of 1 to 3 notifications to the loopback's `port`.
    pub fn start(port: u16, rate: u32) -> Self {
        let shared = Arc::new(Shared {
            ledger: Ledger::new(),
            target: (Ipv4Addr::LOCALHOST, port).into(),
            pause: Duration::from_secs(1) * SENDERS / rate,
            stop: AtomicBool::new(false),
            answers: Mutex::new(Vec::new()),
        });
        let sender = |place| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || Sender::new(place, shared).run())
        };
        Self { senders: (0..SENDERS).map(sender).collect(), shared }
    }

    /// What was sent and acknowledged.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// All answers so far, in no certain order.
    pub fn answers(&self) -> Vec<Answer> {
        self.shared.answers().clone()
    }

    /// When the first 2xx came to a request that was sent at `start` or later.
    pub fn first_2xx_since(&self, start: Instant) -> Option<Instant> {
        let answers = self.shared.answers();
        let later = answers.iter().filter(|answer| answer.sent >= start && answer.outcome.is_2xx());
        later.map(Answer::came).min()
    }

    /// Waits for [`Load::first_2xx_since`]; `None` when it does not come.
    pub fn await_2xx_since(&self, start: Instant, limit: Duration) -> Option<Instant> {
        super::eventually(limit, || self.first_2xx_since(start).is_some());
        self.first_2xx_since(start)
    }

    /// Stops sending and waits for the last answers.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for sender in self.senders.drain(..) {
            sender.join().expect("a sender does not panic");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Where a test has failed the senders still have to end.
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn answers(&self) -> MutexGuard<'_, Vec<Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread of the load.
struct Sender {
    shared: Arc<Shared>,
    place: u32,
    count: u32,
    /// `clientState`s of some connections, so that keys spread over partitions.
    tokens: Vec<String>,
    connection: Option<Connection>,
}

impl Sender {
    fn new(place: u32, shared: Arc<Shared>) -> Self {
        let users = 0..5;
        let token = |user| hook::graph("org_acme", &format!("user_{place}_{user}"), "inbox");
        Self { shared, place, count: 0, tokens: users.map(token).collect(), connection: None }
    }

    fn run(&mut self) {
        // The senders take turns rather than post all at once.
        let mut next = Instant::now() + self.shared.pause * self.place / SENDERS;
        while !self.shared.stop.load(Ordering::SeqCst) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            if self.is_connected() {
                self.send();
                // A late sender does not make up for what it missed.
                next = (next + self.shared.pause).max(Instant::now());
            } else {
                next = Instant::now() + KNOCK;
            }
        }
    }

    /// Connects if need be; nobody listening is no answer and no fault.
    fn is_connected(&mut self) -> bool {
        if self.count.is_multiple_of(FRESH) {
            self.connection = None;
        }
        if self.connection.is_none() {
            match Connection::open(self.shared.target) {
                Ok(connection) => self.connection = Some(connection),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return false,
                Err(error) => self.note(Instant::now(), Err(&error)),
            }
        }
        self.connection.is_some()
    }

    fn send(&mut self) {
        self.count += 1;
        let ids: Vec<_> = (0..self.count % 3 + 1).map(|_| self.shared.ledger.issue()).collect();
        let token = &self.tokens[self.count as usize % self.tokens.len()];
        let body = graph::notifications(&ids, token);
        let connection = self.connection.as_mut().expect("it is connected");
        let sent = Instant::now();
        let headers = [("Content-Type", "application/json; charset=utf-8")];
        let result = connection.post(graph::PATH, &headers, body.as_bytes());
        if let Ok(response) = &result
            && (200..300).contains(&response.status)
        {
            self.shared.ledger.acknowledge(&ids);
        }
        if result.as_ref().map_or(true, Response::closes) {
            self.connection = None;
        }
        self.note(sent, result.as_ref());
    }

    fn note(&self, sent: Instant, result: Result<&Response, &io::Error>) {
        let (outcome, retry_after) = match result {
            Ok(response) => {
                (Outcome::Status(response.status), response.header("retry-after").is_some())
            }
            Err(error) if is_reset(error) || error.kind() == ErrorKind::UnexpectedEof => {
                (Outcome::Cut, false)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                (Outcome::Silence, false)
            }
            Err(error) => panic!("a connection fails in an unknown way: {error}"),
        };
        let answer = Answer { sent, took: sent.elapsed(), outcome, retry_after };
        self.shared.answers().push(answer);
    }
}
