//! What do operators see? `/livez`, `/readyz`, `/metrics` and `/status`, on a listener, thread and runtime of their own,
//! so that they answer while the public side is saturated.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Registry, TextEncoder};
use tokio::sync::Semaphore;

use crate::phase::Life;
use crate::respond::{self, Answer};

/// Connections at a time: probes, a scraper and a person.
const CONNECTIONS: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What the admin listener tells of.
pub struct Admin {
    /// The phase decides readiness.
    pub life: Life,
    /// What `/metrics` writes out.
    pub registry: Registry,
    /// Brings computed gauges up to date before they are written.
    pub refresh: Box<dyn Fn() + Send + Sync>,
    /// The JSON of `/status`.
    pub status: Box<dyn Fn() -> serde_json::Value + Send + Sync>,
}

/// Binds `address` and serves it on a thread of its own until the process ends; returns the bound address.
///
/// # Errors
/// When the address cannot be bound or the thread cannot be started.
pub fn start(address: SocketAddr, admin: Admin) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        runtime.block_on(async move {
            if let Err(error) = serve(listener, Arc::new(admin)).await {
                tracing::error!(error = %error, "the admin listener ended");
            }
        });
    })?;
    Ok(bound)
}

async fn serve(listener: TcpListener, admin: Arc<Admin>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept admin connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                std::future::ready(Ok::<_, Infallible>(admin.answer(&request)))
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(error = %error, "admin connection ended");
            }
            drop(permit);
        });
    }
}

impl Admin {
    fn answer(&self, request: &Request<Incoming>) -> Answer {
        const TEXT: &str = "text/plain; charset=utf-8";
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return respond::admin(None, TEXT, "GET /livez, /readyz, /metrics or /status\n");
        }
        match request.uri().path() {
            "/livez" => respond::admin(Some(true), TEXT, "alive\n"),
            "/readyz" => {
                let phase = self.life.phase().as_str();
                respond::admin(Some(self.life.ready()), TEXT, format!("{phase}\n"))
            }
            "/metrics" => {
                (self.refresh)();
                match TextEncoder::new().encode_to_string(&self.registry.gather()) {
                    Ok(text) => respond::admin(Some(true), prometheus::TEXT_FORMAT, text),
                    Err(error) => respond::admin(Some(false), TEXT, format!("{error}\n")),
                }
            }
            "/status" => {
                respond::admin(Some(true), "application/json", (self.status)().to_string())
            }
            _ => respond::admin(None, TEXT, "GET /livez, /readyz, /metrics or /status\n"),
        }
    }
}
