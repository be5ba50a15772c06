//! What does Microsoft Graph send? One POST with one or more Outlook change notifications.
//!
//! Source: Microsoft Graph, "Receive change notifications through webhooks".

use std::sync::Arc;

use postern_sim::{Claims, KeyRing, Service};

use super::{Draft, Tokens, Traffic};

/// The hook tokens of `connections` users, each of a tenant of its own or sharing one with others.
pub(crate) fn tokens(ring: &KeyRing, connections: u32, tenants: u32) -> anyhow::Result<Tokens> {
    let mint = |user: u32| {
        let claims = Claims {
            tenant: format!("org_{:08}", user % tenants),
            user: Some(format!("user_{user:08}")),
            label: Some("inbox".to_owned()),
            ..Claims::default()
        };
        ring.mint(Service::Graph, &claims)
    };
    Tokens::new((0..connections).map(mint).collect::<Result<Vec<_>, _>>()?)
}

/// A delivery of `items` Outlook notifications.
#[must_use]
pub(crate) fn delivery(pool: &Arc<Tokens>, items: usize) -> Traffic {
    let mut body = Draft::default().text("{\"value\":[");
    for place in 0..items {
        body = item(body.text(if place > 0 { "," } else { "" }), pool);
    }
    post(&body.text("]}"), pool, items)
}

/// A delivery of one item whose body has this many bytes, as near as it can: a small item, or an Outlook
/// notification and a top-level member that nobody reads.
///
/// # Errors
/// When not even the smallest item fits.
pub(crate) fn sized(pool: &Arc<Tokens>, bytes: usize) -> anyhow::Result<Traffic> {
    let full = delivery(pool, 1).body;
    let framed = |filler: &str, full: bool| {
        let start = format!("{{\"@odata.context\":\"{filler}\",\"value\":[");
        let body = Draft::default().text(&start);
        let body = if full { item(body, pool) } else { small_item(body, pool) };
        post(&body.text("]}"), pool, 1)
    };
    let roomy = bytes > full + 32;
    let frame = framed("", roomy).body;
    anyhow::ensure!(bytes >= frame, "no item fits into {bytes} bytes; {frame} do");
    Ok(framed(&"x".repeat(bytes - frame), roomy))
}

/// What Outlook sends of a new message, as long as in the field.
fn item(body: Draft, pool: &Arc<Tokens>) -> Draft {
    body.text(
        "{\"subscriptionId\":\"7c1f02aa-95d2-4f5e-9a3c-2b41d9e07f63\",\
         \"subscriptionExpirationDateTime\":\"2030-01-05T18:23:45.9356913+00:00\",\
         \"changeType\":\"created\",\
         \"resource\":\"Users/b6d1c3e5-1f48-4d0c-8a27-93c1d0a5e4f2/Messages/AAMkAGUwNjQ4ZjIxLTQ3Y2Yt",
    )
    .number()
    .text(
        "AA=\",\"resourceData\":{\"@odata.type\":\"#Microsoft.Graph.Message\",\
         \"@odata.id\":\"Users/b6d1c3e5-1f48-4d0c-8a27-93c1d0a5e4f2/Messages/AAMkAGUwNjQ4ZjIxLTQ3Y2Yt",
    )
    .same_number()
    .text("AA=\",\"@odata.etag\":\"W/\\\"CQAAABYAAADkrwbs8QdyTqAgAA\\\"\",\"id\":\"AAMkAGUwNjQ4ZjIxLTQ3Y2Yt")
    .same_number()
    .text("AA=\"},\"clientState\":\"")
    .token(pool)
    .text("\",\"tenantId\":\"84bd8158-6d4d-4958-8b9f-9d6445542f95\"}")
}

/// The least that an item has.
fn small_item(body: Draft, pool: &Arc<Tokens>) -> Draft {
    body.text("{\"subscriptionId\":\"7c1f02aa-95d2-4f5e-9a3c-2b41d9e07f63\",\"changeType\":\"created\",\"resource\":\"Me/Messages/")
        .number()
        .text("\",\"clientState\":\"")
        .token(pool)
        .text("\"}")
}

fn post(body: &Draft, pool: &Arc<Tokens>, items: usize) -> Traffic {
    let head = Draft::default().text(
        "POST /v1/microsoft/graph HTTP/1.1\r\nuser-agent: Microsoft-Graph-Webhooks\r\n\
         content-type: application/json; charset=utf-8\r\n",
    );
    Traffic::post(head, body, Arc::clone(pool), items as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_size_that_was_asked_for() {
        let ring = KeyRing::new([("k1", &[7; 32][..])]).unwrap();
        let pool = Arc::new(tokens(&ring, 4, 2).unwrap());
        for bytes in [300, 1_024, 4 << 20] {
            assert_eq!(sized(&pool, bytes).unwrap().body, bytes);
        }
        assert!(sized(&pool, 100).is_err());
    }
}
