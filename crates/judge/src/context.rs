//! What is an experiment given?

/// An experiment's own seed, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// The experiment's name.
    pub(crate) name: &'static str,
    pub(crate) seed: u64,
    /// The form that is part of `make test`.
    pub(crate) short: bool,
}

impl Context {
    /// One of two sizes: of the full form, or of the short one.
    pub(crate) fn size<T>(&self, full: T, short: T) -> T {
        if self.short { short } else { full }
    }
}
