//! How does a socket become an acknowledged batch? The modules stand in the order in which a request meets them.

pub mod clock;
pub mod config;
pub mod phase;

pub mod admission;
mod aside;
pub mod authenticate;
pub mod body;
pub mod budget;
pub mod key_sets;
pub mod listener;
pub mod pipeline;
pub mod refusal;
pub mod respond;
pub mod route;
mod stall;
pub mod timer;

pub mod admin;
pub mod metrics;
