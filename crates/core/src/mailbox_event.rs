//! What does an event say? The data of events and lifecycle events, the same for every provider.

use serde::{Serialize, Serializer};

use crate::claims::Claims;
use crate::percent;
use crate::time::Rfc3339;

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
                serializer.serialize_unit_variant(stringify!($name), *self as u32, self.as_str())
            }
        }
    };
}

words! {
    /// Who runs the mailbox.
    Provider { Microsoft = "microsoft", Google = "google" }
}
words! {
    /// What kind of thing changed.
    Kind {
        Message = "message", Event = "event", Contact = "contact", Task = "task",
        Mailbox = "mailbox", Calendar = "calendar", Drive = "drive", File = "file", Other = "other",
    }
}
words! {
    /// What happened to it.
    Change {
        Created = "created", Updated = "updated", Deleted = "deleted", Changed = "changed",
        Added = "added", Removed = "removed", Trashed = "trashed", Untrashed = "untrashed",
        ResyncRequired = "resync-required", Other = "other",
    }
}
words! {
    /// What is said of a subscription.
    Signal {
        ReauthorizationRequired = "reauthorization-required", Removed = "removed", Missed = "missed",
        Confirmed = "confirmed", Suspended = "suspended", Expired = "expired", Expiring = "expiring",
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
    pub(crate) cursor: Option<Cursor<'a>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_for: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

impl<'a> Credential<'a> {
    /// The connection that a hook token or a static secret names.
    pub(crate) fn of(provider: Provider, claims: &'a Claims) -> Self {
        Self {
            provider,
            tenant_id: Some(&claims.tenant),
            user_id: claims.user.as_deref(),
            credential_for: Some(if claims.user.is_some() { "user" } else { "installation" }),
            subject: claims.subject.as_deref(),
        }
    }

    /// The connection behind a Pub/Sub source: of its tenant at installation level; without one the broker resolves
    /// the address.
    pub(crate) fn of_source(tenant: Option<&'a str>, subject: Option<&'a str>) -> Self {
        let credential_for = tenant.map(|_| "installation");
        Self {
            provider: Provider::Google,
            tenant_id: tenant,
            user_id: None,
            credential_for,
            subject,
        }
    }
}

/// A position in the provider's own sequence.
#[derive(Serialize)]
pub(crate) struct Cursor<'a> {
    pub(crate) kind: &'static str,
    /// Exact, as text.
    pub(crate) value: &'a str,
}

/// The mailbox that the delivery names; an id or an address.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Mailbox<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) address: Option<&'a str>,
}

/// The thing that changed, in the provider's names.
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

impl Default for Resource<'_> {
    /// Nothing known.
    fn default() -> Self {
        Self {
            kind: Kind::Other,
            id: None,
            path: None,
            etag: None,
            collection: None,
            provider_type: None,
        }
    }
}

/// The subscription or channel that told of it.
#[derive(Clone, Copy, Default, Serialize)]
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

/// The record key: `tenant/user`; at installation level `tenant/mailbox` (the mailbox that the delivery names, else the
/// token's subject) or `tenant`; with no tenant the mailbox, else `fallback` (the subscription or channel). Mailboxes in
/// lower case, parts percent-encoded.
pub(crate) fn partition_key(
    tenant: Option<&str>,
    user: Option<&str>,
    mailbox: Option<&str>,
    fallback: &str,
) -> String {
    let mut key = String::with_capacity(64);
    let mailbox = mailbox.map(str::to_lowercase);
    let parts = match (tenant, user, &mailbox) {
        (Some(tenant), Some(user), _) => [Some(tenant), Some(user)],
        (Some(tenant), None, mailbox) => [Some(tenant), mailbox.as_deref()],
        (None, _, Some(mailbox)) => [Some(mailbox.as_str()), None],
        (None, _, None) => [Some(fallback), None],
    };
    for (at, part) in parts.into_iter().flatten().enumerate() {
        if at > 0 {
            key.push('/');
        }
        percent::encode_into(&mut key, part);
    }
    key
}

/// `io.postern.<kind>.<change>.v1`
pub(crate) fn event_type(kind: &str, change: &str) -> String {
    ["io.postern.", kind, ".", change, ".v1"].concat()
}
