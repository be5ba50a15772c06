//! Which push subscription of Google's is played, and as what does the receiver know it?

use crate::{oidc::Signer, scenario::ScenarioError, text::encode};

/// What messages name where the receiver takes any subscription.
const ANY_SUBSCRIPTION: &str = "projects/postern-sim/subscriptions/push";

/// A push subscription of Google's, as the receiver is configured for it.
#[derive(Clone, Debug)]
pub struct Push {
    /// The `{source}` of the route `/v1/google/pubsub/{source}`.
    pub source: String,
    /// The audience of its tokens.
    pub audience: String,
    /// The service account that its tokens name.
    pub service_account: String,
    /// `projects/P/subscriptions/S`; `None` when the receiver takes any.
    pub subscription: Option<String>,
    /// The tenant that the receiver has for it; `None` when the broker resolves by address. With one,
    /// all mailboxes are that tenant's.
    pub tenant: Option<String>,
    /// Whether messages are wrapped in JSON; else metadata stands in headers.
    pub wrapped: bool,
    /// What is published.
    pub feed: Feed,
    /// Signs the tokens.
    pub signer: Signer,
}

/// What is published to the topic of a push subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    /// Gmail's watch: a mailbox has changed.
    Gmail,
    /// The Workspace Events API: CloudEvents of Drive and others, and of its subscriptions.
    Workspace,
}

impl Push {
    /// What its messages name as their subscription.
    pub(super) fn named_subscription(&self) -> &str {
        self.subscription.as_deref().unwrap_or(ANY_SUBSCRIPTION)
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let fault = |what| Err(ScenarioError::Push { source_name: self.source.clone(), what });
        for (name, text) in [
            ("its source is empty; name the one of the route", &self.source),
            ("its audience is empty; give the receiver's", &self.audience),
            ("its service account is empty; give the receiver's", &self.service_account),
        ] {
            if text.is_empty() {
                return fault(name);
            }
        }
        if self.tenant.as_deref() == Some("") {
            return fault("its tenant is empty; leave it out or fill it");
        }
        let named = self.named_subscription();
        let parts: Vec<_> = named.split('/').collect();
        let well_formed = matches!(parts[..], ["projects", project, "subscriptions", name]
            if !project.is_empty() && !name.is_empty())
            && named.bytes().all(|byte| byte.is_ascii_graphic());
        if well_formed {
            Ok(())
        } else {
            fault("its subscription is not projects/PROJECT/subscriptions/NAME")
        }
    }
}

/// CloudEvents `source` of a subscription's messages.
pub(super) fn event_source(subscription: &str) -> String {
    let parts: Vec<_> = subscription.split('/').map(encode).collect();
    format!("//pubsub.googleapis.com/{}", parts.join("/"))
}
