//! In which form are events written? What configuration says of records, and nothing of a delivery.

use crate::provider::microsoft::Cloud;

/// How CloudEvents lie in Kafka records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ContentMode {
    /// The value is the whole event as one JSON object; the default, as it survives every connector.
    #[default]
    Structured,
    /// The value is the data alone, the attributes are `ce_*` headers.
    Binary,
}

/// How events are written; configuration.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The Microsoft cloud whose hosts stand in fetch URLs.
    pub cloud: Cloud,
    /// How CloudEvents lie in Kafka records.
    pub mode: ContentMode,
    /// The most bytes that Kafka takes as one record: key, value and headers.
    pub max_record: usize,
}

impl Default for Form {
    /// Global cloud, structured mode, and librdkafka's limit of 1,000,000 bytes less room for the record's own frame.
    fn default() -> Self {
        Self { cloud: Cloud::Global, mode: ContentMode::Structured, max_record: 999_000 }
    }
}
