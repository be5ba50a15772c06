//! Which provider service does something belong to?

use std::fmt;

/// A provider service, as named in records, metrics and hook tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Microsoft Graph change notifications.
    Graph,
    /// Google Calendar `web_hook` channels.
    Calendar,
    /// Google Drive `web_hook` channels.
    Drive,
    /// Exchange Web Services push.
    Ews,
    /// Gmail through Pub/Sub.
    Gmail,
    /// Google Workspace Events through Pub/Sub.
    WorkspaceEvents,
}

impl Service {
    /// Every service, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Graph, Self::Calendar, Self::Drive, Self::Ews, Self::Gmail, Self::WorkspaceEvents];
    /// The services whose deliveries carry a hook token.
    pub const HOOKED: [Self; 4] = [Self::Graph, Self::Calendar, Self::Drive, Self::Ews];

    /// The word used in records, metrics, configuration and key derivation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Calendar => "calendar",
            Self::Drive => "drive",
            Self::Ews => "ews",
            Self::Gmail => "gmail",
            Self::WorkspaceEvents => "workspace-events",
        }
    }

    /// The service of that word, if it is one with hook tokens.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::HOOKED.into_iter().find(|service| service.as_str() == word)
    }

    /// How many characters the provider lets the echoed value have: Graph `clientState` 128,
    /// Google `X-Goog-Channel-Token` 256; for EWS the token is a path segment (URL under 2,083).
    /// Pub/Sub echoes nothing.
    #[must_use]
    pub const fn token_limit(self) -> usize {
        match self {
            Self::Graph => 128,
            Self::Calendar | Self::Drive => 256,
            Self::Ews => 1_024,
            Self::Gmail | Self::WorkspaceEvents => 0,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
