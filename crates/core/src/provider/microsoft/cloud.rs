//! Which Microsoft clouds are there, and where does each keep Graph?

/// A Microsoft cloud: each has Graph hosts of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Cloud {
    /// The worldwide cloud.
    #[default]
    Global,
    /// US Government.
    UsGov,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// The cloud of that configuration word, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "global" => Some(Self::Global),
            "usgov" => Some(Self::UsGov),
            "china" => Some(Self::China),
            _ => None,
        }
    }

    /// Where fetchers reach Graph. Source: Microsoft Graph, "National cloud deployments".
    #[must_use]
    pub const fn graph_host(self) -> &'static str {
        match self {
            Self::Global => "graph.microsoft.com",
            Self::UsGov => "graph.microsoft.us",
            Self::China => "microsoftgraph.chinacloudapi.cn",
        }
    }
}
