//! Why was something not trusted? The closed set of quarantine reasons.

/// Why an item, or a whole delivery, is not trusted: the word in `postern_reason`, in `postern_items` and in the
/// label of `postern_quarantined_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The provider echoed no token, or an empty one.
    NoToken,
    /// What it echoed is neither a hook token nor a static secret.
    MalformedToken,
    /// The token names a key that the ring does not hold.
    UnknownKey,
    /// The token's tag does not verify.
    ForgedToken,
    /// The token's last day has passed.
    ExpiredToken,
    /// The token belongs to another tenant than the route.
    TenantMismatch,
    /// A rich notification whose origin cannot be proven.
    ValidationTokens,
    /// Encrypted content that does not open.
    Undecryptable,
    /// An item that no event can be made of.
    UnusableItem,
    /// A whole body that cannot be read.
    UnreadableBody,
    /// Larger than a record or a body may be.
    TooLarge,
}

impl Reason {
    /// Every reason, in the order of the contract.
    pub const ALL: [Self; 11] = [
        Self::NoToken,
        Self::MalformedToken,
        Self::UnknownKey,
        Self::ForgedToken,
        Self::ExpiredToken,
        Self::TenantMismatch,
        Self::ValidationTokens,
        Self::Undecryptable,
        Self::UnusableItem,
        Self::UnreadableBody,
        Self::TooLarge,
    ];

    /// The word in headers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::MalformedToken => "malformed-token",
            Self::UnknownKey => "unknown-key",
            Self::ForgedToken => "forged-token",
            Self::ExpiredToken => "expired-token",
            Self::TenantMismatch => "tenant-mismatch",
            Self::ValidationTokens => "validation-tokens",
            Self::Undecryptable => "undecryptable",
            Self::UnusableItem => "unusable-item",
            Self::UnreadableBody => "unreadable-body",
            Self::TooLarge => "too-large",
        }
    }

    /// The reason of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// One thing of a delivery that is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// Position in the delivery, from 0.
    pub index: usize,
    /// Why.
    pub reason: Reason,
}
