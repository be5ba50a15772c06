//! Whose fault is a librdkafka error, and what is it called?

use postern_core::publish::PublishError;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

/// What the error means for the request. Only what is wrong with the record itself is the record's; authorization,
/// unknown topics and configuration are an outage like any other.
pub(crate) const fn classify(code: RDKafkaErrorCode) -> PublishError {
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge
        | RDKafkaErrorCode::MessageBatchTooLarge
        | RDKafkaErrorCode::InvalidMessageSize
        | RDKafkaErrorCode::InvalidTimestamp
        | RDKafkaErrorCode::InvalidRecord => PublishError::RecordRefused,
        RDKafkaErrorCode::QueueFull => PublishError::QueueFull,
        _ => PublishError::Failed,
    }
}

/// librdkafka's own name, as `rd_kafka_err2name` prints it: `_MSG_TIMED_OUT`, `TOPIC_AUTHORIZATION_FAILED`.
pub(crate) fn name(code: RDKafkaErrorCode) -> String {
    let Ok(error) = RDKafkaRespErr::try_from(code as i32) else { return format!("{code:?}") };
    let name = format!("{error:?}");
    name.strip_prefix("RD_KAFKA_RESP_ERR_").map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_librdkafka() {
        for (code, expected) in [
            (RDKafkaErrorCode::MessageTimedOut, "_MSG_TIMED_OUT"),
            (RDKafkaErrorCode::QueueFull, "_QUEUE_FULL"),
            (RDKafkaErrorCode::UnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PART"),
            (RDKafkaErrorCode::MessageSizeTooLarge, "MSG_SIZE_TOO_LARGE"),
        ] {
            assert_eq!(name(code), expected);
        }
    }

    #[test]
    fn only_a_fault_of_the_record_is_the_records() {
        for (code, expected) in [
            (RDKafkaErrorCode::MessageSizeTooLarge, PublishError::RecordRefused),
            (RDKafkaErrorCode::InvalidRecord, PublishError::RecordRefused),
            (RDKafkaErrorCode::QueueFull, PublishError::QueueFull),
            (RDKafkaErrorCode::MessageTimedOut, PublishError::Failed),
            (RDKafkaErrorCode::UnknownTopicOrPartition, PublishError::Failed),
            (RDKafkaErrorCode::TopicAuthorizationFailed, PublishError::Failed),
            (RDKafkaErrorCode::InvalidConfig, PublishError::Failed),
            (RDKafkaErrorCode::PurgeQueue, PublishError::Failed),
        ] {
            assert_eq!(classify(code), expected, "{code:?}");
        }
    }
}
