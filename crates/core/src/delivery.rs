//! What is a delivery, before and after it was judged? Unverified and verified are two types.

use http::HeaderMap;

use crate::batch::Batch;
use crate::form::Form;
use crate::provider::google::{self, PubsubSource};
use crate::provider::microsoft;
use crate::quarantine::KeptBody;
use crate::reason::{Reason, Untrusted};
use crate::service::Service;
use crate::time::UnixMillis;
use crate::trust::Trust;

/// A delivery as it was received: nothing in it is proven.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'b> {
    /// Where it came in.
    pub route: Route<'b>,
    /// Its body, whole.
    pub body: &'b [u8],
    /// A valid W3C `traceparent` of the request.
    pub traceparent: Option<&'b str>,
    /// When its head was received.
    pub received: UnixMillis,
    /// How many items it may hold.
    pub max_items: usize,
}

/// The provider route a delivery came in by.
#[derive(Clone, Copy, Debug)]
pub enum Route<'b> {
    /// `/v1/microsoft/graph`, with the decoded tenant segment where there is one (`Some(None)`: it does not decode).
    Graph {
        /// The tenant segment.
        tenant: Option<Option<&'b str>>,
    },
    /// `/v1/google/pubsub/{source}`, after its token was verified.
    Pubsub {
        /// The source that the token was verified for.
        source: &'b PubsubSource,
        /// The request's headers: an unwrapped push has its metadata there.
        headers: &'b HeaderMap,
    },
    /// `/v1/google/calendar` or `/v1/google/drive`.
    Channel {
        /// Calendar or Drive.
        service: Service,
        /// The request's headers: they are the notification.
        headers: &'b HeaderMap,
    },
}

/// A whole delivery is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Broken, or not of the shape that the provider documents.
    #[error("the body is not readable")]
    Unreadable,
    /// More items than allowed.
    #[error("the delivery holds too many items")]
    TooManyItems,
}

/// A delivery whose every item was judged. Only [`Delivery::verify`] makes one, and only this becomes records.
///
/// ```compile_fail
/// # fn f(verified: &postern_core::delivery::Verified<'_>) {}
/// let forged = postern_core::delivery::Verified { items: Default::default() };
/// ```
#[derive(Debug)]
pub struct Verified<'b> {
    pub(crate) service: Service,
    pub(crate) items: Items<'b>,
    pub(crate) untrusted: Vec<Untrusted>,
    pub(crate) denied: usize,
    pub(crate) total: usize,
    pub(crate) whole: Option<Reason>,
    pub(crate) traceparent: Option<&'b str>,
    pub(crate) received: UnixMillis,
}

/// The genuine items, by provider.
#[derive(Debug)]
pub(crate) enum Items<'b> {
    Graph(Vec<microsoft::Genuine<'b>>),
    Pubsub(Option<google::Message<'b>>),
    Channel(Option<google::ChannelNotice<'b>>),
}

impl<'b> Delivery<'b> {
    /// Reads the delivery and judges every item of it.
    ///
    /// # Errors
    /// When the delivery as a whole cannot be read or holds too many items; a single odd item is not an error.
    pub fn verify(&self, trust: &Trust) -> Result<Verified<'b>, Rejection> {
        match self.route {
            Route::Graph { tenant } => microsoft::verify(self, tenant, trust),
            Route::Pubsub { source, headers } => {
                Ok(google::verify_message(self, source, headers, trust))
            }
            Route::Channel { service, headers } => {
                google::verify_channel(self, service, headers, trust)
            }
        }
    }
}

impl Verified<'_> {
    /// The service that it belongs to.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service
    }

    /// How many items the delivery holds; an unreadable whole counts as one.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// How many are genuine.
    #[must_use]
    pub fn genuine(&self) -> usize {
        match &self.items {
            Items::Graph(items) => items.len(),
            Items::Pubsub(message) => usize::from(message.is_some()),
            Items::Channel(notice) => usize::from(notice.is_some()),
        }
    }

    /// Where the genuine items stand in the delivery, from 0.
    #[must_use]
    pub fn genuine_indexes(&self) -> Vec<usize> {
        match &self.items {
            Items::Graph(items) => items.iter().map(|item| item.index).collect(),
            Items::Pubsub(message) => message.iter().map(|_| 0).collect(),
            Items::Channel(notice) => notice.iter().map(|_| 0).collect(),
        }
    }

    /// How many belong to denied connections.
    #[must_use]
    pub fn denied(&self) -> usize {
        self.denied
    }

    /// The items that are not trusted, each with its reason; all of them when the whole body is at fault.
    #[must_use]
    pub fn untrusted(&self) -> &[Untrusted] {
        &self.untrusted
    }

    /// Why the whole body is at fault, if it is.
    #[must_use]
    pub fn whole_body(&self) -> Option<Reason> {
        self.whole
    }

    /// What of the delivery's body may be stored: nothing where an item of it belongs to a denied connection.
    #[must_use]
    pub fn kept_body<'a>(&self, body: &'a [u8]) -> KeptBody<'a> {
        if self.denied > 0 { KeptBody::Withheld(body) } else { KeptBody::Whole(body) }
    }

    /// Forgets every item but those at these positions: what was genuine at receipt is not replayed.
    pub(crate) fn keep_only(&mut self, positions: &[usize]) {
        let kept = |index: usize| positions.contains(&index);
        match &mut self.items {
            Items::Graph(items) => items.retain(|item| kept(item.index)),
            Items::Pubsub(message) => *message = message.take().filter(|_| kept(0)),
            Items::Channel(notice) => *notice = notice.take().filter(|_| kept(0)),
        }
        self.untrusted.retain(|item| kept(item.index));
        self.denied = positions.len().saturating_sub(self.genuine() + self.untrusted.len());
    }

    /// Turns every genuine item into its records. Infallible but for items whose record Kafka could never take:
    /// those come back, to be quarantined.
    #[must_use]
    pub fn normalize(&self, form: &Form) -> (Batch, Vec<Untrusted>) {
        match &self.items {
            Items::Graph(items) => microsoft::normalize(items, self, form),
            Items::Pubsub(message) => google::normalize_message(message.as_ref(), self, form),
            Items::Channel(notice) => google::normalize_channel(notice.as_ref(), self, form),
        }
    }
}
