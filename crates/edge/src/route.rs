//! Which route does a request ask for, and may its head pass? No byte of a body is read here.

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, HOST, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Uri};
use postern_core::path::{CALENDAR, DRIVE, GRAPH, PUBSUB, RoutePath};
use postern_core::percent;
use postern_core::provider::google::PubsubSource;
use postern_core::service::Service;
use postern_core::trust::Trust;

use crate::refusal::Refusal;

/// The label of a route in metrics; `other` is everything that is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `/v1/microsoft/graph` and its tenant form.
    Graph,
    /// `/v1/google/pubsub/{source}`.
    Pubsub,
    /// `/v1/google/calendar`.
    Calendar,
    /// `/v1/google/drive`.
    Drive,
    /// Anything else.
    Other,
}

impl Label {
    /// Every label.
    pub const ALL: [Self; 5] =
        [Self::Graph, Self::Pubsub, Self::Calendar, Self::Drive, Self::Other];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Pubsub => "pubsub",
            Self::Calendar => "calendar",
            Self::Drive => "drive",
            Self::Other => "other",
        }
    }
}

/// A route that a request found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint<'r> {
    /// Graph; with the decoded tenant segment where there is one (`Some(None)`: it does not decode).
    Graph {
        /// The tenant segment.
        tenant: Option<Option<String>>,
    },
    /// A configured Pub/Sub source.
    Pubsub(&'r PubsubSource),
    /// Calendar or Drive channels.
    Channel(Service),
}

/// The routes that exist: those that something could verify.
#[derive(Clone, Debug)]
pub struct Routes {
    graph: bool,
    calendar: bool,
    drive: bool,
    sources: Arc<[PubsubSource]>,
}

/// Where a path leads, before anything of it is decoded.
enum Found<'r, 'p> {
    Graph(Option<&'p str>),
    Pubsub(&'r PubsubSource),
    Channel(Service),
}

impl Routes {
    /// The routes that these keys, secrets and sources can verify.
    #[must_use]
    pub fn of(trust: &Trust, sources: Vec<PubsubSource>) -> Self {
        Self {
            graph: trust.covers(Service::Graph),
            calendar: trust.covers(Service::Calendar),
            drive: trust.covers(Service::Drive),
            sources: sources.into(),
        }
    }

    /// Their paths, as `serve` prints them.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        if self.graph {
            paths.extend([GRAPH.to_owned(), format!("{GRAPH}/{{tenant}}")]);
        }
        paths.extend(self.sources.iter().map(|source| format!("{PUBSUB}{}", source.name)));
        paths.extend(self.calendar.then(|| CALENDAR.to_owned()));
        paths.extend(self.drive.then(|| DRIVE.to_owned()));
        paths
    }

    /// The label of a path.
    #[must_use]
    pub fn label(&self, path: &str) -> Label {
        match self.find(path) {
            Some(Found::Graph(_)) => Label::Graph,
            Some(Found::Pubsub(_)) => Label::Pubsub,
            Some(Found::Channel(Service::Calendar)) => Label::Calendar,
            Some(Found::Channel(_)) => Label::Drive,
            None => Label::Other,
        }
    }

    /// Judges a head in the order of the contract: framing, path, method, encoding.
    ///
    /// # Errors
    /// The first of them that is at fault.
    pub fn admit(&self, head: &Parts) -> Result<Endpoint<'_>, Refusal> {
        check_framing(&head.headers, &head.uri)?;
        let found = self.find(head.uri.path()).ok_or(Refusal::Path)?;
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        let identity =
            |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !head.headers.get_all(CONTENT_ENCODING).iter().all(identity) {
            return Err(Refusal::Encoding);
        }
        Ok(match found {
            Found::Graph(segment) => {
                Endpoint::Graph { tenant: segment.map(percent::decode_segment) }
            }
            Found::Pubsub(source) => Endpoint::Pubsub(source),
            Found::Channel(service) => Endpoint::Channel(service),
        })
    }

    fn find<'p>(&self, path: &'p str) -> Option<Found<'_, 'p>> {
        match RoutePath::parse(path)? {
            RoutePath::Graph(segment) => self.graph.then_some(Found::Graph(segment)),
            RoutePath::Pubsub(name) => {
                self.sources.iter().find(|source| source.name == name).map(Found::Pubsub)
            }
            RoutePath::Channel(service) => {
                let exists = if service == Service::Calendar { self.calendar } else { self.drive };
                exists.then_some(Found::Channel(service))
            }
        }
    }
}

/// Refuses what a proxy in front could have read in another way: hyper leaves these to its user.
fn check_framing(headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::Host) };
    if uri
        .authority()
        .is_some_and(|own| !own.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    {
        return Err(Refusal::Host);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::Framing),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn routes(exist: bool) -> Routes {
        let source = PubsubSource {
            name: "gmail".to_owned(),
            audience: "https://a.example".to_owned(),
            service_account: "push@p.example".to_owned(),
            subscription: None,
            wrapped: true,
            tenant: None,
        };
        let sources: Vec<_> = exist.then_some(source).into_iter().collect();
        Routes { graph: exist, calendar: exist, drive: exist, sources: sources.into() }
    }

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn the_first_fault_in_the_order_of_the_contract_counts() {
        let host = ("host", "h");
        let gzip = ("content-encoding", "gzip");
        for (method, uri, headers, refusal) in [
            ("GET", "/nowhere", vec![], Refusal::Host),
            ("GET", "/nowhere", vec![host, host], Refusal::Host),
            ("POST", "http://other/v1/microsoft/graph", vec![host], Refusal::Host),
            (
                "GET",
                "/nowhere",
                vec![host, ("transfer-encoding", "identity, chunked")],
                Refusal::Framing,
            ),
            (
                "GET",
                "/nowhere",
                vec![host, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Refusal::Framing,
            ),
            ("GET", "/nowhere", vec![host, gzip], Refusal::Path),
            ("GET", GRAPH, vec![host, gzip], Refusal::Method),
            ("POST", GRAPH, vec![host, gzip], Refusal::Encoding),
            ("POST", GRAPH, vec![host, ("content-encoding", "identity"), gzip], Refusal::Encoding),
        ] {
            assert_eq!(
                routes(true).admit(&head(method, uri, &headers)),
                Err(refusal),
                "{method} {uri}"
            );
        }
    }

    #[test]
    fn finds_the_tenant_segment() {
        let tenant = |uri: &str| {
            let routes = routes(true);
            let head = head("POST", uri, &[("host", "h"), ("transfer-encoding", "Chunked")]);
            match routes.admit(&head) {
                Ok(Endpoint::Graph { tenant }) => Ok(tenant),
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => Err(refusal),
            }
        };
        assert_eq!(tenant("/v1/microsoft/graph?x=/y"), Ok(None));
        assert_eq!(tenant("/v1/microsoft/graph/org%5facme"), Ok(Some(Some("org_acme".to_owned()))));
        assert_eq!(tenant("/v1/microsoft/graph/%zz"), Ok(Some(None)));
        for path in [
            "/v1/microsoft/graph/",
            "/v1/microsoft/graph/a/b",
            "/v1/microsoft/graphs",
            "/v1/microsoft",
        ] {
            assert_eq!(tenant(path), Err(Refusal::Path), "{path}");
        }
    }

    #[test]
    fn only_routes_that_something_verifies_exist() {
        for (path, label) in [
            (GRAPH, Label::Graph),
            ("/v1/google/pubsub/gmail", Label::Pubsub),
            (CALENDAR, Label::Calendar),
            (DRIVE, Label::Drive),
            ("/v1/google/pubsub/other", Label::Other),
            ("/v1/google/pubsub/", Label::Other),
            ("/v1/google/drive/", Label::Other),
            ("/v1/google/Calendar", Label::Other),
        ] {
            assert_eq!(routes(true).label(path), label, "{path}");
            assert_eq!(routes(false).label(path), Label::Other, "{path}");
        }
        assert_eq!(routes(true).paths().len(), 5);
        assert!(routes(false).paths().is_empty());
    }
}
