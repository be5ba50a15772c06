//! What is a Pub/Sub push subscription, as it is configured?

/// One `[pubsub.<name>]`: the `{source}` of `/v1/google/pubsub/{source}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PubsubSource {
    /// Its name in the route.
    pub name: String,
    /// The audience that its tokens must have, exactly.
    pub audience: String,
    /// The service account that signs its pushes.
    pub service_account: String,
    /// `projects/P/subscriptions/S`; absent: any.
    pub subscription: Option<String>,
    /// Whether the push wraps the message in JSON.
    pub wrapped: bool,
    /// Whose mailboxes it tells of; absent: the broker resolves by address.
    pub tenant: Option<String>,
}
