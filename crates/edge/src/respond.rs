//! Which status code does each outcome have? The only file of the edge with status codes.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::refusal::Refusal;

/// An answer of the edge.
pub type Answer = Response<Full<Bytes>>;

/// What a request that is taken is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The handshake: this text and nothing else.
    Echo(String),
    /// All that is genuine in the delivery is durable, or there was nothing to make durable.
    Graph,
    /// The same for Google's routes.
    Google,
}

/// The status that the metrics show for a caller that hung up before its answer (nginx's word for it).
pub const HUNG_UP: u16 = 499;

/// Every status that a public answer can have, for the metrics.
pub const STATUSES: [u16; 12] = [200, 202, 204, 400, 401, 404, 405, 408, 413, 415, HUNG_UP, 503];

/// Seconds until a provider may try again: long enough for a broker to elect a leader.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// The answer to a request; `closing` says that its connection ends with it.
#[must_use]
pub fn answer(outcome: Result<Taken, Refusal>, closing: bool) -> Answer {
    let mut response = match outcome {
        Ok(Taken::Echo(token)) => echo(token),
        Ok(Taken::Graph) => bare(StatusCode::ACCEPTED),
        Ok(Taken::Google) => bare(StatusCode::NO_CONTENT),
        Err(refusal) => refused(refusal),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if closing {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn echo(token: String) -> Answer {
    let mut response = Response::new(Full::from(token));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refused(refusal: Refusal) -> Answer {
    let status = match refusal {
        Refusal::Host | Refusal::Framing | Refusal::Unreadable => StatusCode::BAD_REQUEST,
        Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
        Refusal::Path => StatusCode::NOT_FOUND,
        Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::Timeout => StatusCode::REQUEST_TIMEOUT,
        Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Overloaded | Refusal::Draining | Refusal::Undecided => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let mut response = bare(status);
    let headers = response.headers_mut();
    match refusal {
        Refusal::Method => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        Refusal::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Refusal::Overloaded | Refusal::Draining | Refusal::Undecided => {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        // What is left of such a request must not be taken for the next one.
        Refusal::Host | Refusal::Framing | Refusal::Timeout | Refusal::TooLarge => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Refusal::Path | Refusal::Encoding | Refusal::Unreadable => {}
    }
    response
}

fn bare(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// An answer of the admin listener.
#[must_use]
pub fn admin(healthy: Option<bool>, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = match healthy {
        Some(true) => StatusCode::OK,
        Some(false) => StatusCode::SERVICE_UNAVAILABLE,
        None => StatusCode::NOT_FOUND,
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
