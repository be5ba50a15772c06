//! Does the real listener keep the contract, byte for byte, whatever is sent to it?
//!
//! Every test has a gateway of its own on port 0, a publisher in memory and raw TCP clients; every test that sees a
//! 2xx looks at what was published.

#[allow(dead_code, reason = "shared with the core's tests, which use all of it")]
#[path = "../../../../tests/fixtures/oidc.rs"]
mod oidc;
mod support;

mod admin;
mod bodies;
mod connections;
mod deadline;
mod drain;
mod framing;
mod google;
mod handshake;
mod heads;
mod hostile;
mod key_sets;
mod limits;
mod mixtures;
mod pubsub;
mod pushes;
mod refusals;
mod routes;
mod smuggling;
mod verdicts;
