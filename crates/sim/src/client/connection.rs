//! What happens on one connection: opening it, one exchange after another, and its end?
//!
//! hyper's connection future is polled by the task that waits for the answer, not by a task of its
//! own: that saves two switches between tasks for each request.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::Outgoing;
use crate::{delivery::Delivery, load::Target};

/// More of an answer's body than this is not read; the contract's answers hold a few bytes.
const MOST_BODY: usize = 64 * 1024;

type Driver = http1::Connection<TokioIo<TcpStream>, Outgoing>;

pub(super) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    /// `None` once it has ended.
    driver: Option<Pin<Box<Driver>>>,
    /// Whether it has been idle, so that the receiver may have closed it meanwhile.
    pub(super) idled: bool,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// Whether the connection may carry another request.
    pub(super) reusable: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// Not a byte of the request was written.
    Unsent,
    /// The connection broke under the request.
    Broken,
}

impl Connection {
    pub(super) async fn open(target: &Target) -> io::Result<Self> {
        let (host, port) = &target.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), idled: false })
    }

    /// Sends a delivery and reads the answer. After an error, or when the future is dropped before
    /// its end, the connection is of no more use.
    pub(super) async fn exchange(
        &mut self,
        delivery: &Delivery,
        target: &Target,
    ) -> Result<Answer, Fault> {
        let request = request(delivery, target);
        let Self { sender, driver, .. } = self;
        let mut work = pin!(async {
            sender.ready().await.map_err(|_| Fault::Unsent)?;
            match sender.try_send_request(request).await {
                Ok(response) => read(response, delivery.slow.is_some()).await,
                Err(error) if error.message().is_some() => Err(Fault::Unsent),
                Err(_) => Err(Fault::Broken),
            }
        });
        poll_fn(|cx| {
            if let Poll::Ready(answer) = work.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            // How it ends, the work is told by hyper; here it only has to be polled no more.
            if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
                *driver = None;
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

fn request(delivery: &Delivery, target: &Target) -> Request<Outgoing> {
    let mut request = Request::new(Outgoing::new(delivery.body.clone(), delivery.slow));
    *request.method_mut() = delivery.method.clone();
    *request.uri_mut() = delivery.uri.clone();
    let headers = request.headers_mut();
    headers.clone_from(&delivery.headers);
    headers.insert(header::HOST, target.host_header.clone());
    if delivery.body.is_empty() {
        // hyper writes no length of nothing; the providers' senders do.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request
}

async fn read(response: http::Response<Incoming>, slow: bool) -> Result<Answer, Fault> {
    let (head, mut body) = response.into_parts();
    let closes = head.version < Version::HTTP_11
        || head.headers.get_all(header::CONNECTION).iter().any(|value| {
            value.to_str().is_ok_and(|value| {
                value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close"))
            })
        });
    // After an early refusal of a trickled body the rest of it is still to come.
    let cut_short = slow && !head.status.is_success();
    let mut reusable = !closes && !cut_short;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| Fault::Broken)?.into_data().unwrap_or_default();
        if bytes.len() + data.len() > MOST_BODY {
            reusable = false;
            break;
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Answer { status: head.status, body: bytes.freeze(), reusable })
}
