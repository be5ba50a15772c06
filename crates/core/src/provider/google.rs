//! Google: Gmail and Workspace Events through Pub/Sub, Calendar and Drive channels.

mod channel;
mod envelope;
mod gmail;
pub mod oidc;
mod pubsub;
mod source;
mod workspace;

pub use channel::KEPT_HEADERS as KEPT_CHANNEL_HEADERS;
pub(crate) use channel::{
    Notice as ChannelNotice, normalize as normalize_channel, verify as verify_channel,
};
pub use pubsub::{KEPT_HEADERS as KEPT_PUBSUB_HEADERS, unread as unread_push};
pub(crate) use pubsub::{Message, normalize as normalize_message, verify as verify_message};
pub use source::PubsubSource;
