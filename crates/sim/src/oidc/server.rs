//! Who serves the key set, and what can be wrong with that?

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// The path of Google's own key set.
const PATH: &str = "/oauth2/v3/certs";
/// The wait after a failure to accept, as when file descriptors have run out.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// How a fetch of the key set is answered. The default is an empty body with status 200, good for an
/// hour and fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetAnswer {
    /// The status.
    pub status: u16,
    /// The body: a JSON Web Key Set, or whatever else is to come.
    pub body: String,
    /// `max-age` of `Cache-Control`, in seconds; `None`: no such header.
    pub max_age: Option<u64>,
    /// `Age`, in seconds: how long the answer has been in a cache; `None`: no such header.
    pub age: Option<u64>,
    /// How long the answer waits.
    pub delay: Duration,
    /// The connection is closed after the delay, without an answer.
    pub broken: bool,
}

impl Default for KeySetAnswer {
    fn default() -> Self {
        Self {
            status: 200,
            body: String::new(),
            max_age: Some(3_600),
            age: None,
            delay: Duration::ZERO,
            broken: false,
        }
    }
}

impl KeySetAnswer {
    /// A good answer with this key set.
    pub fn of(jwks: impl Into<String>) -> Self {
        Self { body: jwks.into(), ..Self::default() }
    }

    /// An answer without a key set, and not to be cached.
    pub fn failing(status: u16) -> Self {
        Self { status, max_age: None, ..Self::default() }
    }
}

/// A key endpoint on a loopback port, until it is dropped.
#[derive(Debug)]
pub struct KeySetServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    answer: Mutex<KeySetAnswer>,
    fetches: AtomicU64,
}

impl KeySetServer {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(jwks: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let answer = Mutex::new(KeySetAnswer::of(jwks));
        let shared = Arc::new(Shared { answer, fetches: AtomicU64::new(0) });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// Where the key set is.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Rotates: from now on this key set, with everything else as it is.
    pub fn publish(&self, jwks: impl Into<String>) {
        self.change(|answer| answer.body = jwks.into());
    }

    /// Answers every fetch from now on like this.
    pub fn answer(&self, with: KeySetAnswer) {
        self.change(|answer| *answer = with);
    }

    /// How many fetches have begun, whatever came of them.
    pub fn fetches(&self) -> u64 {
        self.shared.fetches.load(SeqCst)
    }

    fn change(&self, change: impl FnOnce(&mut KeySetAnswer)) {
        change(&mut self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for KeySetServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Aborted together with this task.
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(ACCEPT_BACKOFF).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| respond(request, Arc::clone(&shared)));
    // What goes wrong here, the client sees.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

/// The answer, or an error, on which hyper closes the connection without one.
async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Broken> {
    if request.method() != Method::GET || request.uri().path() != PATH {
        return Ok(plain(StatusCode::NOT_FOUND, Bytes::new()));
    }
    shared.fetches.fetch_add(1, SeqCst);
    let answer = shared.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    tokio::time::sleep(answer.delay).await;
    if answer.broken {
        return Err(Broken);
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, answer.body.into());
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    headers.insert(header::CONTENT_TYPE, json);
    if let Some(max_age) = answer.max_age {
        // As Google writes it.
        let value = format!("public, max-age={max_age}, must-revalidate, no-transform");
        headers.insert(header::CACHE_CONTROL, value.try_into().expect("letters and digits"));
    }
    if let Some(age) = answer.age {
        headers.insert(header::AGE, age.into());
    }
    Ok(response)
}

fn plain(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("broken on request")]
struct Broken;
