//! Where are records safe while Kafka is out of reach? On this machine's disk, until Kafka has acknowledged them.

mod checkpoint;
pub mod disk;
mod index;
mod log;
mod metrics;
mod segment;
