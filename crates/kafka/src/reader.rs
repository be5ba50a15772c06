//! How does a client read records? What the follower and the backlog have in common.

use postern_core::batch::Topic;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use crate::context::ReaderContext;
use crate::settings::{Settings, SettingsError, TopicNames, describe};

/// A record as it lies in its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Its topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Name and value of each header, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// When the producer sent it, in milliseconds since 1970.
    pub timestamp: Option<i64>,
}

impl Followed {
    /// The value of the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// Copies a record out of librdkafka's memory; `None` where it is of none of the topics.
    pub(crate) fn of(names: &TopicNames, message: &BorrowedMessage<'_>) -> Option<Self> {
        let headers = message.headers().map(|headers| {
            let owned = |(name, value): (&str, Option<&[u8]>)| {
                (name.to_owned(), value.unwrap_or_default().to_vec())
            };
            headers.iter().map(|header| owned((header.key, header.value))).collect()
        });
        Some(Self {
            topic: names.topic(message.topic())?,
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            timestamp: message.timestamp().to_millis(),
        })
    }
}

/// A consumer that commits nothing by itself; does not touch the network. It tells where a partition ends
/// (`PartitionEOF`) when `tell_end` asks for it.
pub(crate) fn open(
    settings: &Settings,
    group: &str,
    tell_end: bool,
) -> Result<BaseConsumer<ReaderContext>, SettingsError> {
    settings.check()?;
    let mut config = settings.client();
    config.set("group.id", group);
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("enable.partition.eof", if tell_end { "true" } else { "false" });
    // When Kafka has dropped the place where we are: go on with the oldest that is left.
    config.set("auto.offset.reset", "earliest");
    config.set("queued.max.messages.kbytes", "16384");
    config.set("fetch.error.backoff.ms", "100");
    // Without a coordinator a commit fails after so long (librdkafka's default: 45 s).
    config.set("session.timeout.ms", "6000");
    config
        .create_with_context(ReaderContext::default())
        .map_err(|error| describe(error, &settings.properties))
}
