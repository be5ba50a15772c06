//! How far does a fixture case come before its body is read? The contract's table of answers, once more.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use postern_core::cloud_event;
use postern_core::delivery::{Delivery, Rejection, Route, Verified};
use postern_core::percent;
use postern_core::provider::google::oidc::{Bearer, KeySet, Verifier};
use postern_core::provider::google::{KEPT_CHANNEL_HEADERS, KEPT_PUBSUB_HEADERS, PubsubSource};
use postern_core::provider::microsoft::handshake::{self, Handshake};
use postern_core::service::Service;
use postern_core::time::UnixMillis;
use postern_core::trust::Trust;

use crate::case::{self, Case, Expected};
use crate::oidc::{self, Signer};

const GRAPH: &str = "/v1/microsoft/graph";
const PUBSUB: &str = "/v1/google/pubsub/";

/// The configured sources, and their issuer with its key.
pub(crate) struct Issuer {
    sources: Vec<PubsubSource>,
    tokens: BTreeMap<String, String>,
    keys: KeySet,
}

impl Issuer {
    pub(crate) fn new(sources: &[case::Source], service_account: &str, now: UnixMillis) -> Self {
        let signer = Signer::generate("5b1c0f77d2e94a38");
        let keys = KeySet::parse(&oidc::jwks([&signer])).expect("a good key");
        let token = |source: &case::Source| {
            let claims = oidc::claims(&source.audience(), service_account, now.0 / 1_000 - 60);
            (source.name.clone(), signer.token(&claims))
        };
        let tokens = sources.iter().map(token).collect();
        let source = |given: &case::Source| PubsubSource {
            name: given.name.clone(),
            audience: given.audience(),
            service_account: service_account.to_owned(),
            subscription: given.subscription.clone(),
            wrapped: given.wrapped,
            tenant: given.tenant.clone(),
        };
        Self { sources: sources.iter().map(source).collect(), tokens, keys }
    }

    /// The sources.
    pub(crate) fn sources(&self) -> &[PubsubSource] {
        &self.sources
    }

    /// The token of a source.
    pub(crate) fn token(&self, source: &str) -> String {
        self.tokens.get(source).unwrap_or_else(|| panic!("no source {source}")).clone()
    }

    fn authenticates(&self, headers: &HeaderMap, source: &PubsubSource, now: UnixMillis) -> bool {
        let values: Vec<_> = headers.get_all("authorization").iter().collect();
        let [one] = values.as_slice() else { return false };
        Bearer::read(one.as_bytes()).is_some_and(|bearer| {
            Verifier::default().verify(bearer, &self.keys, source, now).is_ok()
        })
    }
}

/// A request whose body is wanted.
pub(crate) struct Admitted<'c> {
    case: &'c Case,
    endpoint: Endpoint<'c>,
    headers: HeaderMap,
}

enum Endpoint<'c> {
    /// With the tenant segment: absent, not decodable, or a tenant.
    Graph(Option<Option<String>>),
    Pubsub(&'c PubsubSource),
    Channel(Service),
}

impl<'c> Admitted<'c> {
    /// The request, or what it is answered at once.
    pub(crate) fn of(
        case: &'c Case,
        issuer: &'c Issuer,
        now: UnixMillis,
    ) -> Result<Self, Box<Expected>> {
        assert_eq!(case.request.method, "POST", "{}", case.name);
        let refused = |status, reason| Err(Box::new(refused(status, reason)));
        let (path, query) = case.request.target.split_once('?').unzip();
        let path = path.unwrap_or(&case.request.target);
        let headers = headers(case);
        let endpoint = match path {
            "/v1/google/calendar" => Endpoint::Channel(Service::Calendar),
            "/v1/google/drive" => Endpoint::Channel(Service::Drive),
            path => match (path.strip_prefix(GRAPH), path.strip_prefix(PUBSUB)) {
                (Some(rest), _) => {
                    if let Some(answer) = handshaken(query) {
                        return Err(Box::new(answer));
                    }
                    Endpoint::Graph(rest.strip_prefix('/').map(percent::decode_segment))
                }
                (None, Some(name)) => {
                    let source = issuer.sources.iter().find(|source| source.name == name);
                    let Some(source) = source else { return refused(404, "path") };
                    if !issuer.authenticates(&headers, source, now) {
                        return refused(401, "unauthenticated");
                    }
                    Endpoint::Pubsub(source)
                }
                (None, None) => return refused(404, "path"),
            },
        };
        Ok(Self { case, endpoint, headers })
    }

    pub(crate) fn verify(
        &self,
        trust: &Trust,
        received: UnixMillis,
    ) -> Result<Verified<'_>, Rejection> {
        let headers = &self.headers;
        let route = match &self.endpoint {
            Endpoint::Graph(tenant) => {
                Route::Graph { tenant: tenant.as_ref().map(Option::as_deref) }
            }
            Endpoint::Pubsub(source) => Route::Pubsub { source, headers },
            Endpoint::Channel(service) => Route::Channel { service: *service, headers },
        };
        let (body, traceparent) = (self.case.request.body.as_slice(), self.traceparent());
        Delivery { route, body, traceparent, received, max_items: 2_000 }.verify(trust)
    }

    /// The one valid `traceparent` of the request.
    pub(crate) fn traceparent(&self) -> Option<&str> {
        let mut traces = self.case.request.header("traceparent");
        let trace = traces.next().filter(|_| traces.next().is_none())?;
        cloud_event::traceparent(trace.as_bytes())
    }

    /// The status of an answer that takes the delivery.
    pub(crate) fn taken(&self) -> u16 {
        if matches!(self.endpoint, Endpoint::Graph(_)) { 202 } else { 204 }
    }

    /// What is sealed with a quarantined body: the path, and the headers that are part of the notification.
    pub(crate) fn kept(&self) -> Vec<(&str, &[u8])> {
        let path = self.case.request.target.split('?').next().expect("at least one part");
        let names: &'static [&'static str] = match &self.endpoint {
            Endpoint::Graph(_) => &[],
            Endpoint::Pubsub(_) => &KEPT_PUBSUB_HEADERS,
            Endpoint::Channel(_) => &KEPT_CHANNEL_HEADERS,
        };
        let mut kept = vec![("path", path.as_bytes())];
        for name in names {
            kept.extend(self.headers.get_all(*name).iter().map(|value| (*name, value.as_bytes())));
        }
        kept
    }
}

/// The head as hyper hands it over: names in lower case, values without the spaces around them.
fn headers(case: &Case) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &case.request.headers {
        let name: HeaderName = name.parse().unwrap_or_else(|_| panic!("{}: {name}", case.name));
        let value = value.trim_matches([' ', '\t']);
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    headers
}

fn handshaken(query: Option<&str>) -> Option<Expected> {
    match handshake::read(query) {
        Handshake::Absent => None,
        Handshake::Refused => Some(refused(400, "unreadable")),
        Handshake::Echo(body) => {
            let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let headers = [
                header("content-type", "text/plain; charset=utf-8"),
                header("x-content-type-options", "nosniff"),
            ];
            let headers = headers.into();
            Some(Expected { status: 200, headers, body, ..Expected::default() })
        }
    }
}

/// What is refused with a status.
pub(crate) fn refused(status: u16, reason: &str) -> Expected {
    Expected { status, refused: Some(reason.to_owned()), ..Expected::default() }
}
