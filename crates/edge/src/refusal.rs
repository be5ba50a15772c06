//! Why is a request not taken? One closed set; the word is the metric label and the log field.

/// A request that is not taken. What each is answered: [`crate::respond`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No route of ours.
    Path,
    /// A route of ours, but not POST.
    Method,
    /// No `Host`, or two, or another than the request's own address.
    Host,
    /// A framing that two readers could read in two ways, or a broken body.
    Framing,
    /// An encoded body.
    Encoding,
    /// A body that is too large, or too many items.
    TooLarge,
    /// The body did not come in time.
    Timeout,
    /// Not of the documented shape.
    Unreadable,
    /// A push without a token that authenticates its source.
    Unauthenticated,
    /// More than the edge takes at a time.
    Overloaded,
    /// The edge is about to stop.
    Draining,
    /// Not known to be durable in time.
    Undecided,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 12] = [
        Self::Path,
        Self::Method,
        Self::Host,
        Self::Framing,
        Self::Encoding,
        Self::TooLarge,
        Self::Timeout,
        Self::Unreadable,
        Self::Unauthenticated,
        Self::Overloaded,
        Self::Draining,
        Self::Undecided,
    ];

    /// The label of `postern_refused_total`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Method => "method",
            Self::Host => "host",
            Self::Framing => "framing",
            Self::Encoding => "encoding",
            Self::TooLarge => "too-large",
            Self::Timeout => "timeout",
            Self::Unreadable => "unreadable",
            Self::Unauthenticated => "unauthenticated",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::Undecided => "undecided",
        }
    }
}
