//! How is postern kept busy while things around it die? Threads post genuine notifications at a steady rate.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::{self, Connection};
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
    Cut(Cut),
    /// No answer in the client's patience.
    Silence,
}

impl Outcome {
    /// The sender takes the delivery for arrived.
    pub fn is_2xx(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }
}

/// How a connection was cut, for the message of a test that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// What the sender was doing.
    pub step: Step,
    /// `UnexpectedEof` where the server closed in good order.
    pub error: ErrorKind,
    /// How many requests were answered on this connection before.
    pub earlier: u32,
    /// How old the connection was when the request was sent.
    pub age: Duration,
}

/// What a sender was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection was cut before the sender knew that it had one; a refused one is no answer and no fault.
    Connect,
    /// Sending the request.
    Write,
    /// Waiting for the answer.
    Read,
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
    connection: Option<Kept>,
}

/// A connection that a sender keeps.
struct Kept {
    connection: Connection,
    opened: Instant,
    answers: u32,
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
            let opened = Instant::now();
            match Connection::open(self.shared.target) {
                Ok(connection) => self.connection = Some(Kept { connection, opened, answers: 0 }),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return false,
                Err(error) => {
                    let outcome = failed(&error, Step::Connect, 0, Duration::ZERO);
                    self.note(opened, outcome, false);
                }
            }
        }
        self.connection.is_some()
    }

    fn send(&mut self) {
        self.count += 1;
        let ids: Vec<_> = (0..self.count % 3 + 1).map(|_| self.shared.ledger.issue()).collect();
        let token = &self.tokens[self.count as usize % self.tokens.len()];
        let body = graph::notifications(&ids, token);
        let headers = [("Content-Type", "application/json; charset=utf-8")];
        let bytes = client::request("POST", graph::PATH, &headers, body.as_bytes());
        let kept = self.connection.as_mut().expect("it is connected");
        let sent = Instant::now();
        let (earlier, age) = (kept.answers, sent - kept.opened);
        let answer = match kept.connection.send(&bytes) {
            Ok(()) => kept.connection.read_response().map_err(|error| (error, Step::Read)),
            Err(error) => Err((error, Step::Write)),
        };
        kept.answers += 1;
        match answer {
            Ok(response) => {
                if (200..300).contains(&response.status) {
                    self.shared.ledger.acknowledge(&ids);
                }
                if response.closes() {
                    self.connection = None;
                }
                let retry_after = response.header("retry-after").is_some();
                self.note(sent, Outcome::Status(response.status), retry_after);
            }
            Err((error, step)) => {
                self.connection = None;
                self.note(sent, failed(&error, step, earlier, age), false);
            }
        }
    }

    fn note(&self, sent: Instant, outcome: Outcome, retry_after: bool) {
        let answer = Answer { sent, took: sent.elapsed(), outcome, retry_after };
        self.shared.answers().push(answer);
    }
}

/// What an error of a connection means to its sender.
fn failed(error: &io::Error, step: Step, earlier: u32, age: Duration) -> Outcome {
    match error.kind() {
        error @ (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof) => {
            Outcome::Cut(Cut { step, error, earlier, age })
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Outcome::Silence,
        _ => panic!("a connection fails in an unknown way at {step:?}: {error}"),
    }
}
