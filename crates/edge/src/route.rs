//! Which route does a request ask for, and may its head pass? No byte of a body is read here.

use http::header::{CONTENT_ENCODING, HOST, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Uri};
use postern_core::percent;
use postern_core::service::Service;
use postern_core::trust::Trust;

use crate::refusal::Refusal;

/// The label of a route in metrics; `other` is everything that is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `/v1/microsoft/graph` and its tenant form.
    Graph,
    /// Anything else.
    Other,
}

impl Label {
    /// Every label.
    pub const ALL: [Self; 2] = [Self::Graph, Self::Other];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Other => "other",
        }
    }
}

/// A route that a request found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Graph; with the decoded tenant segment where there is one (`Some(None)`: it does not decode).
    Graph {
        /// The tenant segment.
        tenant: Option<Option<String>>,
    },
}

/// The routes that exist: those that something could verify.
#[derive(Clone, Copy, Debug)]
pub struct Routes {
    graph: bool,
}

const GRAPH: &str = "/v1/microsoft/graph";

impl Routes {
    /// The routes that these keys and secrets can verify.
    #[must_use]
    pub fn of(trust: &Trust) -> Self {
        Self { graph: trust.covers(Service::Graph) }
    }

    /// Their paths, as `serve` prints them.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        if self.graph { vec![GRAPH.to_owned(), format!("{GRAPH}/{{tenant}}")] } else { Vec::new() }
    }

    /// The label of a path.
    #[must_use]
    pub fn label(&self, path: &str) -> Label {
        if self.graph_segment(path).is_some() { Label::Graph } else { Label::Other }
    }

    /// Judges a head in the order of the contract: framing, path, method, encoding.
    ///
    /// # Errors
    /// The first of them that is at fault.
    pub fn admit(&self, head: &Parts) -> Result<Endpoint, Refusal> {
        check_framing(&head.headers, &head.uri)?;
        let segment = self.graph_segment(head.uri.path()).ok_or(Refusal::Path)?;
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        let identity =
            |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !head.headers.get_all(CONTENT_ENCODING).iter().all(identity) {
            return Err(Refusal::Encoding);
        }
        Ok(Endpoint::Graph { tenant: segment.map(percent::decode_segment) })
    }

    /// The tenant segment of a Graph path, as it stands; `None` for any other path.
    fn graph_segment<'p>(&self, path: &'p str) -> Option<Option<&'p str>> {
        let rest = path.strip_prefix(GRAPH).filter(|_| self.graph)?;
        if rest.is_empty() {
            return Some(None);
        }
        let segment = rest.strip_prefix('/')?;
        (!segment.is_empty() && !segment.contains('/')).then_some(Some(segment))
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

    const ALL: Routes = Routes { graph: true };

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
            assert_eq!(ALL.admit(&head(method, uri, &headers)), Err(refusal), "{method} {uri}");
        }
    }

    #[test]
    fn finds_the_tenant_segment() {
        let tenant = |uri: &str| {
            let found =
                ALL.admit(&head("POST", uri, &[("host", "h"), ("transfer-encoding", "Chunked")]));
            found.map(|Endpoint::Graph { tenant }| tenant)
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
        assert_eq!(Routes { graph: false }.label(GRAPH), Label::Other);
    }
}
