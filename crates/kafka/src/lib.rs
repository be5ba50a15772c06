//! How do records become durable in Kafka, and how are they read back? The only crate that names rdkafka.
//!
//! A request's way: [`Producer`] asks its lane, the lane asks the breaker, hands every record to librdkafka with one
//! shared acknowledgement, and waits for that, for the breaker's opening or for the request's deadline. librdkafka's
//! callbacks complete the acknowledgement and feed the breaker; a watcher thread beside each lane looks for stalls,
//! asks for metadata while Kafka is away and replaces a producer that died.
//!
//! What may fail without harm, and what may not: an acknowledgement that is lost costs a 503 and a duplicate; a 2xx
//! without an acknowledgement does not exist, because nothing but librdkafka's delivery callback settles a record.

mod settings;

mod ack;
mod context;
mod failure;
mod lane;
mod polled;
mod producer;
mod redelivery;

pub mod breaker;
mod health;
mod progress;
mod watch;

mod log_limit;
mod metrics;

mod reader;

pub mod backlog;
pub mod embedded;
pub mod tail;
pub mod topics;

pub use producer::{Contact, Producer, StartError};
pub use redelivery::Redelivery;
pub use settings::{
    FIXED_PROPERTIES, Settings, SettingsError, TopicNames, check_property, check_value,
};
