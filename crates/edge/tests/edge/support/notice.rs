//! What does Graph send? Deliveries and tokens of our own making.

use postern_core::claims::Claims;
use postern_core::key_ring::KeyRing;
use postern_core::secret::Secret;
use postern_core::service::Service;
use postern_core::time::Day;
use postern_core::trust::{Deny, Trust};
use serde_json::{Value, json};

/// The ring of all tests; the key is that of the contract's vectors.
pub(crate) fn ring() -> KeyRing {
    let key = Secret::from_file_content((0..32).collect());
    KeyRing::new("k1", vec![("k1".to_owned(), key)]).expect("a good key")
}

/// A ring that holds another key under the same name.
fn foreign_ring(kid: &str) -> KeyRing {
    let key = Secret::from_file_content(vec![7; 32]);
    KeyRing::new(kid, vec![(kid.to_owned(), key)]).expect("a good key")
}

/// Trust in the ring alone.
pub(crate) fn trust() -> Trust {
    Trust::new(Some(ring()), Vec::new(), Deny::default())
}

/// Trust in the ring, with `org_gone` denied.
pub(crate) fn trust_that_denies() -> Trust {
    let deny = Deny::new(vec![("org_gone".to_owned(), None)]);
    Trust::new(Some(ring()), Vec::new(), deny)
}

fn claims(tenant: &str) -> Claims {
    Claims { tenant: tenant.to_owned(), user: Some("user_123".to_owned()), ..Claims::default() }
}

/// A good token of a tenant.
pub(crate) fn token(tenant: &str) -> String {
    ring().mint(Service::Graph, &claims(tenant)).expect("it fits")
}

/// A token that another key signed.
pub(crate) fn forged() -> String {
    foreign_ring("k1").mint(Service::Graph, &claims("org_acme")).expect("it fits")
}

/// A token of a key that the ring does not hold.
pub(crate) fn of_unknown_key() -> String {
    foreign_ring("k9").mint(Service::Graph, &claims("org_acme")).expect("it fits")
}

/// A token whose last day is long past.
pub(crate) fn expired() -> String {
    let claims = Claims { last_day: Some(Day(10_000)), ..claims("org_acme") };
    ring().mint(Service::Graph, &claims).expect("it fits")
}

/// An item that echoes a token.
pub(crate) fn item(id: &str, client_state: &str) -> Value {
    json!({
        "id": id,
        "subscriptionId": "0f6d1f3c-98a1-4a6e-8a2e-3f1f6f0a77d1",
        "subscriptionExpirationDateTime": "2031-05-01T10:00:00.1234567+00:00",
        "clientState": client_state,
        "changeType": "created",
        "resource": "Users/6b1d2c3e-0000-4000-8000-00000000aaaa/Messages/AAMk-test-1",
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Message",
            "@odata.etag": "W/\"CQAAABYAAAD\"",
            "id": "AAMk-test-1",
        },
        "tenantId": "5a0c9f52-1111-4222-8333-444455556666",
    })
}

/// A genuine item of `org_acme`.
pub(crate) fn genuine(id: &str) -> Value {
    item(id, &token("org_acme"))
}

/// A genuine item whose connection is denied by [`trust_that_denies`].
pub(crate) fn denied(id: &str) -> Value {
    item(id, &token("org_gone"))
}

/// An item that nothing proves.
pub(crate) fn junk(id: &str) -> Value {
    item(id, "guessed")
}

/// A genuine item that is rich.
pub(crate) fn rich(id: &str) -> Value {
    let mut item = genuine(id);
    item["encryptedContent"] = json!({"data": "AAAA", "dataKey": "BBBB"});
    item
}

/// The body of a delivery.
pub(crate) fn body(items: &[Value]) -> Vec<u8> {
    json!({ "value": items }).to_string().into_bytes()
}

/// The body of a delivery with one genuine item.
pub(crate) fn good(id: &str) -> Vec<u8> {
    body(&[genuine(id)])
}

/// A body in one chunk.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}
