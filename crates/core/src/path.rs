//! Which provider route does a path name? The edge asks of a request, a replay of a quarantined delivery.

use crate::service::Service;

/// Graph; a tenant segment may follow.
pub const GRAPH: &str = "/v1/microsoft/graph";
/// Cloud Pub/Sub; the name of a source follows.
pub const PUBSUB: &str = "/v1/google/pubsub/";
/// Calendar channels.
pub const CALENDAR: &str = "/v1/google/calendar";
/// Drive channels.
pub const DRIVE: &str = "/v1/google/drive";

/// A route as its path names it, before anything of it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutePath<'p> {
    /// [`GRAPH`], with its tenant segment where there is one.
    Graph(Option<&'p str>),
    /// [`PUBSUB`] with the name of a source, which may not exist.
    Pubsub(&'p str),
    /// [`CALENDAR`] or [`DRIVE`].
    Channel(Service),
}

impl<'p> RoutePath<'p> {
    /// The route of a path; `None` where it is none's.
    #[must_use]
    pub fn parse(path: &'p str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix(GRAPH) {
            let segment = if rest.is_empty() { None } else { Some(rest.strip_prefix('/')?) };
            let one = segment.is_none_or(|segment| !segment.is_empty() && !segment.contains('/'));
            return one.then_some(Self::Graph(segment));
        }
        if let Some(name) = path.strip_prefix(PUBSUB) {
            return Some(Self::Pubsub(name));
        }
        match path {
            CALENDAR => Some(Self::Channel(Service::Calendar)),
            DRIVE => Some(Self::Channel(Service::Drive)),
            _ => None,
        }
    }
}
