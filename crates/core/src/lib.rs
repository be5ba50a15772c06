//! What does a delivery mean: is it genuine, and which mailbox events does it carry?
//!
//! Pure functions over bytes and a given time: no I/O, no async runtime, no Kafka. The modules stand in the
//! order in which a notification meets them.

pub mod path;
pub mod percent;
pub mod secret;
pub mod service;
pub mod stored;
pub mod time;

pub mod claims;
pub mod key_ring;
mod proven;
pub mod reason;
pub mod trust;

pub mod delivery;
mod json;
mod json_writer;
pub mod provider;

pub mod batch;
pub mod cloud_event;
pub mod form;
pub mod mailbox_event;
pub mod publish;
pub mod quarantine;
pub mod refused;
pub mod replay;
