//! What do the tests drive the edge with?

pub(crate) mod gateway;
pub(crate) mod google;
pub(crate) mod notice;
pub(crate) mod recorder;
pub(crate) mod wire;

pub(crate) use gateway::{Gateway, quick};
pub(crate) use recorder::{Plan, Recorder};
pub(crate) use wire::{Answer, Wire, post};

/// The route without a tenant segment.
pub(crate) const GRAPH: &str = "/v1/microsoft/graph";
/// Both forms of the route.
pub(crate) const FORMS: [&str; 2] = [GRAPH, "/v1/microsoft/graph/org_acme"];
