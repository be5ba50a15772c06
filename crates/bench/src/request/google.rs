//! What does Google send? A Pub/Sub push of Gmail's with a signed bearer token, and messages of a Calendar channel.
//!
//! Sources: Gmail API, "Push notifications"; Google Calendar API, "Push notifications".

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern_sim::{Claims, KeyRing, Service};

use super::{Draft, Tokens, Traffic};

/// A push of a Gmail notification, wrapped, with this bearer token.
#[must_use]
pub(crate) fn gmail(path: &str, bearer: &str, subscription: &str) -> Traffic {
    let data =
        STANDARD.encode(br#"{"emailAddress":"jane.doe@example.com","historyId":9876543210}"#);
    let body = Draft::default()
        .text("{\"message\":{\"data\":\"")
        .text(&data)
        .text("\",\"messageId\":\"")
        .number()
        .text("\",\"message_id\":\"");
    // Both spellings carry the same id, as Google sends them.
    let body = body
        .same_number()
        .text("\",\"publishTime\":\"2026-11-25T13:00:00.749Z\",\"publish_time\":\"2026-11-25T13:00:00.749Z\"},\"subscription\":\"")
        .text(subscription)
        .text("\"}");
    let head = Draft::default()
        .text(&format!("POST {path} HTTP/1.1\r\n"))
        .text("accept: application/json\r\naccept-encoding: gzip, deflate, br\r\nuser-agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)\r\nfrom: noreply@google.com\r\ncontent-type: application/json\r\n")
        .text(&format!("authorization: Bearer {bearer}\r\n"));
    Traffic::post(head, &body, Arc::default(), 1)
}

/// The hook tokens of Calendar channels.
pub(crate) fn calendar_tokens(ring: &KeyRing, connections: u32) -> anyhow::Result<Tokens> {
    let mint = |user: u32| {
        let claims = Claims {
            tenant: format!("org_{:08}", user / 8),
            user: Some(format!("user_{user:08}")),
            ..Claims::default()
        };
        ring.mint(Service::Calendar, &claims)
    };
    Tokens::new((0..connections).map(mint).collect::<Result<Vec<_>, _>>()?)
}

/// A message of a Calendar channel: headers alone.
#[must_use]
pub(crate) fn calendar(pool: &Arc<Tokens>) -> Traffic {
    let head = Draft::default()
        .text("POST /v1/google/calendar HTTP/1.1\r\naccept: application/json\r\naccept-encoding: gzip, deflate, br\r\nuser-agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)\r\nx-goog-channel-id: 4ba78bf0-6a47-11e2-bcfd-0800200c9a77\r\nx-goog-channel-expiration: Tue, 19 Nov 2030 01:13:52 GMT\r\nx-goog-resource-id: ret08u3rv24htgh289g\r\nx-goog-resource-uri: https://www.googleapis.com/calendar/v3/calendars/primary/events\r\nx-goog-resource-state: exists\r\nx-goog-message-number: ")
        .number()
        .text("\r\nx-goog-channel-token: ")
        .token(pool)
        .text("\r\n");
    Traffic::post(head, &Draft::default(), Arc::clone(pool), 1)
}
