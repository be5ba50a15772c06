//! How is a server loaded without the load becoming the bottleneck? One thread, keep-alive connections, one request in
//! flight on each.
//!
//! The loop is plain on purpose: epoll, one write and one read a request, nothing allocated. What its thread costs is
//! measured and shown beside every result.

mod connection;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use mio::{Events, Poll};

use crate::clock;
use crate::process;
use crate::request::Traffic;
use connection::Connection;

/// How long the last answers may take once nothing more is sent: above postern's deadline.
const DRAIN: Duration = Duration::from_secs(5);
/// The slowest answer that a histogram tells from others, in nanoseconds.
const SLOWEST: u64 = 60_000_000_000;

/// What to send, where to and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The server.
    pub(crate) address: SocketAddr,
    /// How many requests are in flight at any time.
    pub(crate) connections: usize,
    /// How many more are open and send nothing.
    pub(crate) idle: usize,
    /// Sent and answered, not measured.
    pub(crate) warm_up: Duration,
    /// The measured time.
    pub(crate) duration: Duration,
    /// The requests.
    pub(crate) traffic: Traffic,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    /// 2xx answers of the whole run, the warm-up included: what must be in Kafka.
    pub(crate) accepted: u64,
    /// Every other status.
    pub(crate) others: BTreeMap<u16, u64>,
    /// Answers within the measured time.
    pub(crate) measured: u64,
    /// The measured time.
    pub(crate) elapsed: Duration,
    /// From the first byte written to the last byte read, in nanoseconds, of the measured answers.
    pub(crate) latencies: Histogram<u64>,
    /// CPU time of the loading thread within the measured time.
    pub(crate) cpu: Duration,
}

/// What a watcher of the server notes at the two ends of the measured time.
pub(crate) trait Watch {
    /// The measured time begins.
    fn begin(&mut self) -> anyhow::Result<()>;
    /// It has ended.
    fn end(&mut self) -> anyhow::Result<()>;
}

/// The state of a run.
struct Run<'a> {
    load: &'a Load,
    poll: Poll,
    connections: Vec<Connection>,
    next: u64,
    measuring: bool,
    sending: bool,
    in_flight: usize,
    answers: Answers,
}

/// Loads a server and measures; returns when the last answer is in.
///
/// # Errors
/// When a connection fails or the server closes one, or answers stay away.
pub(crate) fn run(load: &Load, watch: &mut impl Watch) -> anyhow::Result<Answers> {
    let idle = Idle::open(load.address, load.idle)?;
    let mut run = Run::connect(load)?;
    let mut events = Events::with_capacity(1_024);
    run.start()?;
    run.until(&mut events, Instant::now() + load.warm_up)?;

    watch.begin()?;
    let cpu = process::thread_cpu()?;
    let begun = Instant::now();
    run.measuring = true;
    run.until(&mut events, begun + load.duration)?;
    run.measuring = false;
    run.answers.elapsed = begun.elapsed();
    run.answers.cpu = process::thread_cpu()?.saturating_sub(cpu);
    watch.end()?;
    idle.check()?;

    run.sending = false;
    let give_up = Instant::now() + DRAIN;
    while run.in_flight > 0 {
        anyhow::ensure!(
            Instant::now() < give_up,
            "{} of {} requests had no answer within {DRAIN:?}",
            run.in_flight,
            load.connections
        );
        run.turn(&mut events, Duration::from_millis(50))?;
    }
    Ok(run.answers)
}

/// Connections that send nothing.
struct Idle(Vec<TcpStream>);

impl Idle {
    fn open(address: SocketAddr, count: usize) -> anyhow::Result<Self> {
        let mut open = Vec::with_capacity(count);
        for place in 0..count {
            let stream = TcpStream::connect(address).with_context(|| {
                format!(
                    "idle connection {place} of {count}: raise the limit of open files (ulimit -n)"
                )
            })?;
            stream.set_nonblocking(true)?;
            open.push(stream);
        }
        Ok(Self(open))
    }

    /// The server has closed none of them: else they cost it nothing.
    fn check(&self) -> anyhow::Result<()> {
        let open = |stream: &&TcpStream| {
            stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        let open = self.0.iter().filter(open).count();
        anyhow::ensure!(
            open == self.0.len(),
            "{open} of {} idle connections are open",
            self.0.len()
        );
        Ok(())
    }
}

impl<'a> Run<'a> {
    fn connect(load: &'a Load) -> anyhow::Result<Self> {
        let poll = Poll::new().context("no epoll")?;
        let mut connections = Vec::with_capacity(load.connections);
        for token in 0..load.connections {
            let connection = Connection::open(load.address, &load.traffic, token, poll.registry());
            connections.push(connection.with_context(|| {
                format!("connection {token} of {} to {}", load.connections, load.address)
            })?);
        }
        Ok(Self {
            load,
            poll,
            connections,
            next: u64::try_from(clock::now().as_micros()).context("the clock is far off")?,
            measuring: false,
            sending: true,
            in_flight: 0,
            answers: Answers {
                accepted: 0,
                others: BTreeMap::new(),
                measured: 0,
                elapsed: Duration::ZERO,
                latencies: Histogram::new_with_bounds(1_000, SLOWEST, 3)?,
                cpu: Duration::ZERO,
            },
        })
    }

    fn start(&mut self) -> anyhow::Result<()> {
        for connection in &mut self.connections {
            self.load.traffic.renew(&mut connection.request, &mut self.next);
            connection.send()?;
            self.in_flight += 1;
        }
        Ok(())
    }

    fn until(&mut self, events: &mut Events, end: Instant) -> anyhow::Result<()> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(events, left)?;
        }
    }

    fn turn(&mut self, events: &mut Events, timeout: Duration) -> anyhow::Result<()> {
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in events.iter() {
            let connection = &mut self.connections[event.token().0];
            if event.is_writable() && connection.is_sending() {
                connection.go_on()?;
            }
            if !event.is_readable() && !event.is_read_closed() {
                continue;
            }
            let Some(status) = connection.receive().with_context(|| {
                let Answers { accepted, others, .. } = &self.answers;
                format!("after {accepted} answers of 2xx and {others:?} of other status")
            })?
            else {
                continue;
            };
            let latency = connection.sent.elapsed();
            if (200..300).contains(&status) {
                self.answers.accepted += 1;
            } else {
                *self.answers.others.entry(status).or_default() += 1;
            }
            if self.measuring {
                self.answers.measured += 1;
                let nanos = u64::try_from(latency.as_nanos()).unwrap_or(SLOWEST);
                self.answers.latencies.saturating_record(nanos);
            }
            if self.sending {
                self.load.traffic.renew(&mut connection.request, &mut self.next);
                connection.send()?;
            } else {
                self.in_flight -= 1;
            }
        }
        Ok(())
    }
}
