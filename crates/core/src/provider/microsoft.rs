//! Microsoft Graph change notifications: handshake, shape, proof and meaning.

mod cloud;
pub mod handshake;
mod normalize;
mod payload;
mod resource;
mod verify;

pub use cloud::Cloud;
pub(crate) use normalize::normalize;
pub(crate) use verify::{Genuine, verify};
