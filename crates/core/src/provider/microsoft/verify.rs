//! Which items of a Graph delivery are genuine?
//!
//! Graph signs nothing: `clientState` is a secret that it echoes in every item, so each item is judged on its own.

use std::sync::Arc;

use super::payload::{self, Item};
use crate::claims::Claims;
use crate::delivery::{Delivery, Items, Rejection, Verified};
use crate::reason::{Reason, Untrusted};
use crate::service::Service;
use crate::trust::{Judgement, Trust};

/// An item whose `clientState` proved its connection.
#[derive(Debug)]
pub(crate) struct Genuine<'b> {
    pub(crate) index: usize,
    pub(super) item: Item<'b>,
    pub(super) claims: Arc<Claims>,
}

/// Reads a delivery and judges its items.
pub(crate) fn verify<'b>(
    delivery: &Delivery<'b>,
    tenant: Option<Option<&str>>,
    trust: &Trust,
) -> Result<Verified<'b>, Rejection> {
    let sent = payload::read(delivery.body, delivery.max_items)?;
    let today = delivery.received.day();
    let items = sent.items.len();
    let (mut genuine, mut untrusted, mut denied) = (Vec::with_capacity(items), Vec::new(), 0);
    for (index, item) in sent.items.into_iter().enumerate() {
        let reason = match trust.judge(Service::Graph, item.client_state.as_deref(), tenant, today)
        {
            Judgement::Denied => {
                denied += 1;
                continue;
            }
            // A clientState does not prove who encrypted the content: nothing of a rich delivery is published.
            _ if sent.rich => Reason::ValidationTokens,
            _ if !item.usable => Reason::UnusableItem,
            Judgement::Untrusted(reason) => reason,
            Judgement::Genuine(claims) => {
                genuine.push(Genuine { index, item, claims });
                continue;
            }
        };
        untrusted.push(Untrusted { index, reason });
    }
    if sent.rich && items == 0 {
        untrusted.push(Untrusted { index: 0, reason: Reason::ValidationTokens });
    }
    Ok(Verified {
        service: Service::Graph,
        items: Items::Graph(genuine),
        untrusted,
        denied,
        total: if sent.rich { items.max(1) } else { items },
        whole: sent.rich.then_some(Reason::ValidationTokens),
        traceparent: delivery.traceparent,
        received: delivery.received,
    })
}
