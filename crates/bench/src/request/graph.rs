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

/// A delivery of `items` notifications; `padding` bytes are added to the last one's ETag.
#[must_use]
pub(crate) fn delivery(pool: &Arc<Tokens>, items: usize, padding: usize) -> Traffic {
    let mut body = Draft::default().text("{\"value\":[");
    for item in 0..items {
        let comma = if item > 0 { "," } else { "" };
        let filler = if item + 1 == items { "x".repeat(padding) } else { String::new() };
        body = body
            .text(comma)
            .text("{\"subscriptionId\":\"7c1f02aa-95d2-4f5e-9a3c-2b41d9e07f63\",\"subscriptionExpirationDateTime\":\"2030-01-05T18:23:45.9356913+00:00\",\"changeType\":\"created\",\"resource\":\"Users/b6d1c3e5-1f48-4d0c-8a27-93c1d0a5e4f2/Messages/AAMkAGUwNjQ4ZjIxLTQ3Y2YtNDViNy1iNGQ0AQ0")
            .number()
            .text("AA=\",\"resourceData\":{\"@odata.type\":\"#Microsoft.Graph.Message\",\"@odata.id\":\"Users/b6d1c3e5-1f48-4d0c-8a27-93c1d0a5e4f2/Messages/AAMkAGUwNjQ4ZjIxLTQ3Y2YtNDViNy1iNGQ0AQ0AA=\",\"@odata.etag\":\"W/\\\"CQAAABYAAADkrwbs8QdyTq")
            .text(&filler)
            .text("AgAA\\\"\",\"id\":\"AAMkAGUwNjQ4ZjIxLTQ3Y2YtNDViNy1iNGQ0AQ0AA=\"},\"clientState\":\"")
            .token(pool)
            .text("\",\"tenantId\":\"84bd8158-6d4d-4958-8b9f-9d6445542f95\"}");
    }
    body = body.text("]}");
    let head = Draft::default().text(
        "POST /v1/microsoft/graph HTTP/1.1\r\nuser-agent: Microsoft-Graph-Webhooks\r\ncontent-type: application/json; charset=utf-8\r\n",
    );
    Traffic::post(head, &body, Arc::clone(pool), items as u64)
}
