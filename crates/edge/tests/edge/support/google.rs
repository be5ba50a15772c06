//! What does Google send? An issuer, sources of our own, pushes and channel notifications.

use std::time::Duration;

use postern_core::claims::Claims;
use postern_core::provider::google::PubsubSource;
use postern_core::provider::google::oidc::KeySet;
use postern_core::service::Service;
use postern_edge::authenticate::Pubsub;
use postern_edge::clock;
use postern_edge::config::Config;
use postern_edge::key_sets::KeySets;

use super::notice::{ring, trust_that_denies};
use super::{Gateway, quick};
use crate::oidc::{Signer, claims, jwks};

pub(crate) const ACCOUNT: &str = "pusher@post-office-7.iam.gserviceaccount.com";
/// `{"emailAddress":"jane@example.com","historyId":1710}`
pub(crate) const BODY: &str = r#"{"message":{"data":"eyJlbWFpbEFkZHJlc3MiOiJqYW5lQGV4YW1wbGUuY29tIiwiaGlzdG9yeUlkIjoxNzEwfQ==","messageId":"2070"}}"#;

/// A source that takes every subscription.
pub(crate) fn source(name: &str) -> PubsubSource {
    PubsubSource {
        name: name.to_owned(),
        audience: format!("https://hooks.example.com/v1/google/pubsub/{name}"),
        service_account: ACCOUNT.to_owned(),
        subscription: None,
        wrapped: true,
        tenant: None,
    }
}

/// The sources of most tests: `gmail`, `raw` (unwrapped) and `gone`, whose tenant is denied.
pub(crate) fn sources() -> Vec<PubsubSource> {
    let gone = PubsubSource { tenant: Some("org_gone".to_owned()), ..source("gone") };
    vec![source("gmail"), PubsubSource { wrapped: false, ..source("raw") }, gone]
}

pub(crate) fn key_set<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> KeySet {
    KeySet::parse(&jwks(signers)).expect("good keys")
}

/// Lets so much time pass for postern: whatever it keeps is that much older.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A gateway whose issuer is known.
pub(crate) struct Issued {
    pub(crate) gateway: Gateway,
    pub(crate) signer: Signer,
    pub(crate) keys: KeySets,
}

impl Issued {
    pub(crate) async fn start() -> Self {
        Self::with(quick()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let issued = Self::cold(config).await;
        issued.keys.store(key_set([&issued.signer]));
        issued
    }

    /// Before any key set has come.
    pub(crate) async fn cold(config: Config) -> Self {
        let keys = KeySets::default();
        let pubsub = Pubsub::new(sources(), keys.clone());
        let gateway = Gateway::with_pubsub(config, trust_that_denies(), pubsub).await;
        Self { gateway, signer: Signer::generate("a"), keys }
    }

    /// The head of a genuine push to a source, up to its last header.
    pub(crate) fn head(&self, name: &str) -> String {
        head(name, &format!("Bearer {}", token(&self.signer, name)))
    }

    /// A genuine push with a body.
    pub(crate) fn push(&self, name: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        with_body(&self.head(name), body)
    }
}

/// A genuine token of a source.
pub(crate) fn token(signer: &Signer, name: &str) -> String {
    signer.token(&claims(&source(name).audience, ACCOUNT, clock::now().0 / 1_000))
}

/// A head with that authorization, up to its last header.
pub(crate) fn head(name: &str, authorization: &str) -> String {
    format!(
        "POST /v1/google/pubsub/{name} HTTP/1.1\r\nHost: hooks.example.com\r\n\
         Content-Type: application/json\r\nAuthorization: {authorization}\r\n"
    )
}

/// A head and a body of that length.
pub(crate) fn with_body(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// A channel token of `org_acme`.
pub(crate) fn channel_token(service: Service) -> String {
    let user = Some("user_123".to_owned());
    let claims = Claims { tenant: "org_acme".to_owned(), user, ..Claims::default() };
    ring().mint(service, &claims).expect("it fits")
}

/// The head of a genuine notification of a channel, up to its last header.
pub(crate) fn notification(service: Service, number: u64) -> String {
    let token = channel_token(service);
    format!(
        "POST /v1/google/{service} HTTP/1.1\r\nHost: hooks.example.com\r\n\
         Content-Type: application/json; utf-8\r\nX-Goog-Channel-ID: channel-1\r\n\
         X-Goog-Channel-Token: {token}\r\nX-Goog-Resource-ID: res-1\r\n\
         X-Goog-Resource-State: exists\r\nX-Goog-Message-Number: {number}\r\n"
    )
}
