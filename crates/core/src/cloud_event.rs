//! How does an event become a Kafka record? CloudEvents 1.0, Kafka protocol binding.

use serde::Serialize;

use crate::batch::{Batch, Topic};
use crate::form::{ContentMode, Form};
use crate::json_writer;
use crate::time::Rfc3339;

/// The longest value of a W3C `traceparent` of version 00.
const TRACEPARENT: usize = 55;

/// Reads a `traceparent` header: version 00, lower-case hex, neither id all zero (W3C Trace Context, section 3.2).
#[must_use]
pub fn traceparent(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == TRACEPARENT)?;
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let named = |part: &str| part.bytes().any(|byte| byte != b'0');
    (parts.next().is_none()
        && version == "00"
        && hex(trace, 32)
        && named(trace)
        && hex(span, 16)
        && named(span)
        && hex(flags, 2))
    .then_some(text)
}

/// One event with its attributes, ready to be written.
pub(crate) struct CloudEvent<'a, D> {
    pub(crate) topic: Topic,
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    pub(crate) r#type: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) time: Rfc3339,
    pub(crate) recorded_time: Rfc3339,
    pub(crate) partition_key: &'a str,
    pub(crate) data_schema: &'static str,
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) data: &'a D,
}

/// The JSON object of structured mode.
#[derive(Serialize)]
struct Structured<'a, D> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: Rfc3339,
    recordedtime: Rfc3339,
    partitionkey: &'a str,
    dataschema: &'static str,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    data: &'a D,
}

const SPEC_VERSION: &str = "1.0";
const JSON: &str = "application/json";

impl<D: Serialize> CloudEvent<'_, D> {
    /// Appends the record; `false`, and nothing is appended, where it is larger than Kafka takes.
    pub(crate) fn write_within(&self, form: &Form, batch: &mut Batch) -> bool {
        self.write(form.mode, batch);
        let fits = batch.last_size() <= form.max_record;
        if !fits {
            batch.abandon();
        }
        fits
    }

    fn write(&self, mode: ContentMode, batch: &mut Batch) {
        batch.begin(self.topic);
        batch.key(self.partition_key.as_bytes());
        let written = match mode {
            ContentMode::Structured => {
                batch.static_header("content-type", "application/cloudevents+json; charset=UTF-8");
                batch.value(|out| json_writer::write(out, &self.structured()))
            }
            ContentMode::Binary => {
                self.binary_headers(batch);
                batch.value(|out| json_writer::write(out, self.data))
            }
        };
        written.expect("events hold text keys only and a Vec takes every write");
        batch.header("postern_id", self.id.as_bytes());
        batch.header("postern_source", self.source.as_bytes());
        batch.header("postern_type", self.r#type.as_bytes());
    }

    fn structured(&self) -> Structured<'_, D> {
        Structured {
            specversion: SPEC_VERSION,
            id: self.id,
            source: self.source,
            r#type: self.r#type,
            subject: self.subject,
            time: self.time,
            recordedtime: self.recorded_time,
            partitionkey: self.partition_key,
            dataschema: self.data_schema,
            datacontenttype: JSON,
            traceparent: self.traceparent,
            data: self.data,
        }
    }

    fn binary_headers(&self, batch: &mut Batch) {
        batch.static_header("ce_specversion", SPEC_VERSION);
        batch.header("ce_id", self.id.as_bytes());
        batch.header("ce_source", self.source.as_bytes());
        batch.header("ce_type", self.r#type.as_bytes());
        if let Some(subject) = self.subject {
            batch.header("ce_subject", subject.as_bytes());
        }
        batch.header("ce_time", self.time.as_str().as_bytes());
        batch.header("ce_recordedtime", self.recorded_time.as_str().as_bytes());
        batch.header("ce_partitionkey", self.partition_key.as_bytes());
        batch.static_header("ce_dataschema", self.data_schema);
        if let Some(traceparent) = self.traceparent {
            batch.header("ce_traceparent", traceparent.as_bytes());
        }
        batch.static_header("content-type", JSON);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_traceparent_is_kept() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(good.as_bytes()), Some(good));
        for bad in [
            "",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(traceparent(bad.as_bytes()), None, "{bad}");
        }
    }
}
