//! How are connections accepted, served and ended? One task a connection.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use postern_core::publish::Publish;
use prometheus::IntGauge;
use socket2::{SockFilter, SockRef};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::pipeline::Edge;
use crate::refusal::Refusal;
use crate::stall::Impatient;
use crate::timer::ConnectionTimer;

/// Connections that may wait for `accept`: a burst of reconnecting senders fits.
const BACKLOG: u32 = 4_096;
/// Connections beyond the cap that are still told 503 before they are closed; what comes on top is closed unheard.
const OVERFLOW: usize = 256;
/// How long such a connection may take for its request.
const OVERFLOW_HEAD: Duration = Duration::from_secs(2);
/// hyper's read buffer at most: the largest head fits, and connections stay cheap.
const BUFFER: usize = 32 << 10;
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// How long connections may take to come about that had begun when the listener was told to stop: some round trips.
const LAST_HANDSHAKES: Duration = Duration::from_millis(100);
/// Waits between failing accepts (no file descriptors left), doubled each time.
const ACCEPT_BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Binds a listener; port 0 is allowed.
///
/// # Errors
/// The operating system's.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts and serves connections until `stop` turns true; then lets none begin, takes those that had begun and closes the
/// listener. Connections live on in tasks of their own.
pub async fn run<P: Publish>(
    listener: TcpListener,
    edge: Arc<Edge<P>>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Room::new(edge.config().connections);
    let end = async {
        // The sender lives as long as the edge: an error means that it is over.
        drop(stop.wait_for(|stop| *stop).await);
        if let Err(error) = begin_no_more(&listener) {
            tracing::debug!(%error, "connections that begin in the last moment may be reset");
        }
        tokio::time::sleep(LAST_HANDSHAKES).await;
    };
    tokio::select! {
        biased;
        () = end => {}
        () = accept(&listener, &room, &edge) => {}
    }
    serve_backlog(listener, &room, &edge);
}

async fn accept<P: Publish>(listener: &TcpListener, room: &Room, edge: &Arc<Edge<P>>) {
    let mut backoff = ACCEPT_BACKOFF.0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                backoff = ACCEPT_BACKOFF.0;
                room.serve(stream, edge);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(error = %error, wait = ?backoff, "cannot accept connections: raise the limit of open files");
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(ACCEPT_BACKOFF.1);
            }
        }
    }
}

/// Lets no new connection begin: their SYN goes unanswered, as if the network had lost it, until nobody listens and it is
/// refused. Those that have begun come about. Without this, one that comes about between the last `accept` and the
/// close would be reset with a request on it.
fn begin_no_more(listener: &TcpListener) -> io::Result<()> {
    // BPF: load a byte, jump where a bit is set, return how much of the packet is kept.
    const LOAD: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const KEEP: u16 = 0x06;
    // RFC 9293, section 3.1: the byte of the TCP header that holds the flags, and the flag.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD, 0, 0, FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(KEEP, 0, 0, 0),
        SockFilter::new(KEEP, 0, 0, u32::MAX),
    ])
}

/// A connection that waits in the backlog when the listener closes would be reset. The system is asked itself: tokio
/// hears of new connections only when its driver has its turn.
fn serve_backlog<P: Publish>(listener: TcpListener, room: &Room, edge: &Arc<Edge<P>>) {
    let Ok(listener) = listener.into_std() else { return };
    for _ in 0..BACKLOG {
        match listener.accept() {
            Ok((stream, _)) => {
                let stream =
                    stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    room.serve(stream, edge);
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => return,
        }
    }
}

/// Errors of the connection that was to be accepted; the listener is fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Room for connections.
struct Room {
    regular: Arc<Semaphore>,
    overflow: Arc<Semaphore>,
}

impl Room {
    fn new(connections: usize) -> Self {
        Self {
            regular: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            overflow: Arc::new(Semaphore::new(OVERFLOW)),
        }
    }

    fn serve<P: Publish>(&self, stream: TcpStream, edge: &Arc<Edge<P>>) {
        // Answers are one small write each; without this the kernel could hold them back.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let edge = Arc::clone(edge);
        if let Ok(permit) = Arc::clone(&self.regular).try_acquire_owned() {
            tokio::spawn(connection(stream, edge, permit));
        } else if let Ok(permit) = Arc::clone(&self.overflow).try_acquire_owned() {
            tokio::spawn(shed(stream, edge, permit));
        } else {
            edge.metrics().refused(Refusal::Overloaded);
        }
    }
}

/// hyper's own defaults have no limit on a slow head without a timer, and buffers of 400 KiB.
fn http(timer: ConnectionTimer, head_timeout: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(timer)
        .header_read_timeout(head_timeout)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER);
    builder
}

async fn connection<P: Publish>(
    stream: TcpStream,
    edge: Arc<Edge<P>>,
    permit: OwnedSemaphorePermit,
) {
    let _open = Open::count(edge.metrics().connections());
    let timer = ConnectionTimer::new();
    let service = service_fn(|request| {
        let (edge, timer) = (&edge, &timer);
        async move { Ok::<_, Infallible>(edge.answer(request, timer).await) }
    });
    let stream = TokioIo::new(Impatient::new(stream, edge.config().deadline));
    let served =
        http(timer.clone(), edge.config().head_timeout).serve_connection(stream, service).await;
    if let Err(error) = served {
        tracing::debug!(error = %error, "connection ended");
    }
    drop(permit);
}

/// Tells a connection beyond the cap so, and ends it.
async fn shed<P: Publish>(stream: TcpStream, edge: Arc<Edge<P>>, permit: OwnedSemaphorePermit) {
    let service =
        service_fn(|request| std::future::ready(Ok::<_, Infallible>(edge.turn_away(&request))));
    let stream = TokioIo::new(Impatient::new(stream, OVERFLOW_HEAD));
    let served =
        http(ConnectionTimer::new(), OVERFLOW_HEAD).serve_connection(stream, service).await;
    if let Err(error) = served {
        tracing::debug!(error = %error, "connection beyond the cap ended");
    }
    drop(permit);
}

/// A connection counted as open; counted out when its task ends, in whatever way.
struct Open<'m>(&'m IntGauge);

impl<'m> Open<'m> {
    fn count(gauge: &'m IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
