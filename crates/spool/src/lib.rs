//! Where are records safe while Kafka is out of reach? On this machine's disk, until Kafka has acknowledged them.
//!
//! [`Publisher`] decides, [`Spool`] writes, [`Drain`] hands over; `log` is the part that must never forget.

mod checkpoint;
mod dir;
mod disk;
mod drain;
mod group;
mod index;
mod inspect;
mod log;
mod metrics;
mod publisher;
mod segment;
mod spool;

pub use dir::OpenError;
pub use drain::{Drain, Refused, Until};
pub use inspect::{InspectError, Inspected, inspect};
pub use log::AppendError;
pub use publisher::Publisher;
pub use spool::{Clock, Held, Settings, Spool};
