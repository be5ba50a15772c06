//! How does Microsoft Graph post? Change and lifecycle notifications, in batches, and the handshake.
//!
//! Shapes follow Microsoft's documentation of change notifications and captured deliveries; what is
//! expected of each comes from the contract, sections 2.1, 4.1 and 4.3.

mod body;
mod item;
mod subscription;
mod thing;

use std::sync::Arc;

use self::subscription::{Subscription, Subscriptions};
use crate::{
    delivery::{Delivery, Expected, Item, Reason, Verdict},
    hook::KeyRing,
    rng::{Rng, Stream},
    scenario::{Mix, ScenarioError, World},
    text::encode,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header::CONTENT_TYPE};

const PATH: &str = "/v1/microsoft/graph";

/// Microsoft Graph, at work.
#[derive(Debug)]
pub(crate) struct Graph {
    seed: u64,
    today: u16,
    subscriptions: Subscriptions,
    uri: Uri,
    headers: Arc<HeaderMap>,
    handshake_headers: Arc<HeaderMap>,
}

impl Graph {
    pub(crate) fn new(
        seed: u64,
        now: i64,
        ring: KeyRing,
        world: World,
    ) -> Result<Self, ScenarioError> {
        let today = u16::try_from(now / 86_400).map_err(|_| ScenarioError::Now(now))?;
        Ok(Self {
            seed,
            today,
            subscriptions: Subscriptions::new(seed, now, ring, world),
            uri: Uri::from_static(PATH),
            headers: content_type("application/json; charset=utf-8"),
            handshake_headers: content_type("text/plain; charset=utf-8"),
        })
    }

    /// The delivery with this number. All draws come from `rng`.
    pub(crate) fn delivery(&self, mix: &Mix, sequence: u64, rng: &mut Rng) -> Delivery {
        if rng.chance(mix.handshakes) {
            return self.validation(mix, sequence, rng);
        }
        let tenant = rng.chance(mix.tenant_route).then(|| self.subscriptions.any_tenant(rng));
        let rich = rng.chance(mix.rich);
        let count = u64::from(mix.items.end() - mix.items.start() + 1);
        let count = mix.items.start() + rng.below(count) as u32;
        let mut json = String::with_capacity(64 + 1_100 * count as usize);
        let mut items = Vec::with_capacity(count as usize);
        json.push_str("{\"value\":[");
        for place in 0..count {
            if place > 0 {
                json.push(',');
            }
            let at = Place { seed: self.seed, sequence, place };
            items.push(self.item(mix, tenant, rich, at, &mut json, rng));
        }
        json.push(']');
        if rich {
            body::validation_tokens(&mut json, rng);
        } else if rng.chance(mix.odd) {
            json.push_str(",\"validationTokens\":null");
        }
        json.push('}');
        let uri = match tenant {
            Some(tenant) => tenant_uri(&self.subscriptions.tenant_name(tenant)),
            None => self.uri.clone(),
        };
        let mut status = 202;
        let mut body = Bytes::from(json);
        if rng.chance(mix.malformed) {
            body = body::unreadable(&body, rng);
            status = 400;
            items.clear();
        }
        let expected = Expected { status, echo: None, items };
        Delivery::post(sequence, uri, &self.headers, body, expected)
    }

    fn item(
        &self,
        mix: &Mix,
        tenant: Option<u32>,
        rich: bool,
        at: Place,
        json: &mut String,
        rng: &mut Rng,
    ) -> Item {
        let subscription = self.subscriptions.any(tenant, rng);
        let subscription: &Subscription = &subscription;
        let forgery = rng.chance(mix.forged).then(|| mix.forgery(tenant.is_some(), rng));
        let token = match forgery {
            None => Some(subscription.token.to_string()),
            Some(forgery) => self.subscriptions.forge(subscription, forgery, self.today, rng),
        };
        let draft = item::Draft { at, subscription, token: token.as_deref(), rich };
        let written = if rng.chance(mix.unusable) && forgery.is_none() {
            draft.unusable(json, rng)
        } else if rng.chance(mix.lifecycle) {
            draft.lifecycle(mix, json, rng)
        } else {
            draft.change(mix, json, rng)
        };
        let verdict = if rich {
            Verdict::Quarantined(Reason::ValidationTokens)
        } else if let Some(forgery) = forgery {
            Verdict::Quarantined(forgery.reason())
        } else {
            written.verdict
        };
        Item {
            source: Arc::clone(&subscription.source),
            key: written.key,
            partition_key: written.partition_key,
            verdict,
        }
    }

    fn validation(&self, mix: &Mix, sequence: u64, rng: &mut Rng) -> Delivery {
        let request = Rng::new(self.seed, Stream::Handshake, sequence).uuid();
        let token = match rng.below(4) {
            0 => format!("opaque+/={request}+ö {sequence}"),
            _ => format!(
                "Validation: Testing client application reachability for subscription Request-Id: {request}"
            ),
        };
        let path = if rng.chance(mix.tenant_route) {
            let tenant = self.subscriptions.any_tenant(rng);
            tenant_uri(&self.subscriptions.tenant_name(tenant))
        } else {
            self.uri.clone()
        };
        let spelling = if rng.chance(0.5) { Spelling::Form } else { Spelling::Percent };
        let mut delivery = handshake(path.path(), &token, spelling);
        delivery.sequence = sequence;
        delivery.headers = Arc::clone(&self.handshake_headers);
        delivery
    }
}

/// Where an item stands; its id is made of this, so that no two items of one seed share one.
#[derive(Clone, Copy)]
struct Place {
    seed: u64,
    sequence: u64,
    place: u32,
}

impl Place {
    fn id(self) -> String {
        format!("s{:x}-{:x}-{:x}", self.seed, self.sequence, self.place)
    }
}

/// How a handshake's token is written into the query.
#[derive(Clone, Copy, Debug)]
pub enum Spelling {
    /// As captured from Microsoft: spaces as `+`, the rest in lower-case `%xx`.
    Form,
    /// Spaces as `%20`, everything in upper-case `%XX`.
    Percent,
}

/// An endpoint validation: `token` must come back decoded, as text, with status 200.
///
/// # Panics
/// When `path` is not the path of a URL.
pub fn handshake(path: &str, token: &str, spelling: Spelling) -> Delivery {
    let mut uri = format!("{path}?validationToken=");
    match spelling {
        Spelling::Percent => uri.push_str(&encode(token)),
        Spelling::Form => {
            for (place, word) in token.split(' ').enumerate() {
                if place > 0 {
                    uri.push('+');
                }
                lower_escapes(&mut uri, &encode(word));
            }
        }
    }
    let uri = uri.parse().expect("a path and a percent-encoded query");
    let echo = Some(Bytes::copy_from_slice(token.as_bytes()));
    let expected = Expected { status: 200, echo, items: Vec::new() };
    let headers = content_type("text/plain; charset=utf-8");
    Delivery::post(0, uri, &headers, Bytes::new(), expected)
}

/// Appends a percent-encoded text with the digits of its escapes in lower case.
fn lower_escapes(out: &mut String, text: &str) {
    let mut escape = 0;
    for letter in text.chars() {
        if letter == '%' {
            escape = 3;
        }
        out.push(if escape > 0 { letter.to_ascii_lowercase() } else { letter });
        escape -= i32::from(escape > 0);
    }
}

fn content_type(value: &'static str) -> Arc<HeaderMap> {
    Arc::new(HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
}

fn tenant_uri(tenant: &str) -> Uri {
    format!("{PATH}/{}", encode(tenant)).parse().expect("a percent-encoded path")
}
