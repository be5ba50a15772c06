//! What does an event say? The data of events and lifecycle events, the same for every provider.

use serde::{Serialize, Serializer};

use crate::claims::Claims;
use crate::cloud_event::Rfc3339;
use crate::percent;

/// `dataschema` of the events topic.
pub(crate) const EVENT_SCHEMA: &str = "urn:postern:mailbox-event:v1";
/// `dataschema` of the lifecycle topic.
pub(crate) const LIFECYCLE_SCHEMA: &str = "urn:postern:lifecycle:v1";

/// A closed set of words, each written as its word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),* }

        impl $name {
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// Who runs the mailbox.
    Provider { Microsoft = "microsoft" }
}
words! {
    /// What kind of thing changed.
    Kind {
        Message = "message", Event = "event", Contact = "contact", Task = "task",
        Mailbox = "mailbox", Other = "other",
    }
}
words! {
    /// What happened to it.
    Change {
        Created = "created", Updated = "updated", Deleted = "deleted",
        ResyncRequired = "resync-required", Other = "other",
    }
}
words! {
    /// What is said of a subscription.
    Signal {
        ReauthorizationRequired = "reauthorization-required", Removed = "removed", Missed = "missed",
        Other = "other",
    }
}
words! {
    /// Whether `source` and `id` tell two equal changes apart.
    Identity { Strong = "strong", Weak = "weak" }
}

/// Data of an event; every member is always written, `null` when not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MailboxEvent<'a> {
    pub(crate) provider: Provider,
    pub(crate) service: &'static str,
    pub(crate) credential: Credential<'a>,
    pub(crate) mailbox: Mailbox<'a>,
    pub(crate) resource: Resource<'a>,
    pub(crate) change: Change,
    pub(crate) provider_change: Option<&'a str>,
    pub(crate) changed: Option<&'a [&'a str]>,
    pub(crate) subscription: Subscription<'a>,
    pub(crate) cursor: Option<()>,
    pub(crate) fetch: Option<Fetch<'a>>,
    pub(crate) identity: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resync: Option<Resync>,
}

/// Data of a lifecycle event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleEvent<'a> {
    pub(crate) provider: Provider,
    pub(crate) service: &'static str,
    pub(crate) credential: Credential<'a>,
    pub(crate) subscription: Subscription<'a>,
    pub(crate) signal: Signal,
    pub(crate) provider_signal: &'a str,
    pub(crate) identity: Identity,
}

/// Exactly what a fetcher hands to the credential broker; unknown members are absent. Never a token.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credential<'a> {
    provider: Provider,
    tenant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    credential_for: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

impl<'a> Credential<'a> {
    pub(crate) fn of(provider: Provider, claims: &'a Claims) -> Self {
        Self {
            provider,
            tenant_id: &claims.tenant,
            user_id: claims.user.as_deref(),
            credential_for: if claims.user.is_some() { "user" } else { "installation" },
            subject: claims.subject.as_deref(),
        }
    }
}

/// The mailbox that the delivery names; an id or an address.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Mailbox<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) address: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) etag: Option<&'a str>,
    pub(crate) collection: Option<&'static str>,
    pub(crate) provider_type: Option<&'a str>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription<'a> {
    pub(crate) id: &'a str,
    pub(crate) label: Option<&'a str>,
    pub(crate) expires_at: Option<Rfc3339>,
    pub(crate) provider_tenant_id: Option<&'a str>,
}

/// What to GET next.
#[derive(Serialize)]
pub(crate) struct Fetch<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) headers: NoHeaders,
}

/// An empty JSON object: no fetch of this provider needs a header.
#[derive(Serialize)]
pub(crate) struct NoHeaders {}

/// Why everything has to be read again.
#[derive(Serialize)]
pub(crate) struct Resync {
    pub(crate) reason: &'static str,
    pub(crate) since: Option<()>,
}

/// The record key of a connection: `tenant/user`; at installation level `tenant/mailbox` (the mailbox that the
/// delivery names, else the token's subject) or `tenant`. Mailboxes in lower case, parts percent-encoded.
pub(crate) fn partition_key(claims: &Claims, mailbox: Mailbox<'_>) -> String {
    let mut key = String::with_capacity(64);
    percent::encode_into(&mut key, &claims.tenant);
    let named = mailbox.id.or(mailbox.address).or(claims.subject.as_deref());
    if let Some(user) = &claims.user {
        key.push('/');
        percent::encode_into(&mut key, user);
    } else if let Some(mailbox) = named {
        key.push('/');
        percent::encode_into(&mut key, &mailbox.to_lowercase());
    }
    key
}

/// `io.postern.<kind>.<change>.v1`
pub(crate) fn event_type(kind: &str, change: &str) -> String {
    ["io.postern.", kind, ".", change, ".v1"].concat()
}
