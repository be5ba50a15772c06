//! Can a request be smuggled past whatever stands in front? Every spelling of both framings, in both orders.

use crate::support::notice::{chunked, good};
use crate::support::{Gateway, post};

/// Spellings of `Transfer-Encoding`: header lines, and whether a strict reader takes them for one `chunked`.
const CODINGS: [(&str, bool); 24] = [
    ("Transfer-Encoding: chunked\r\n", true),
    ("transfer-encoding: CHUNKED\r\n", true),
    ("Transfer-Encoding:chunked\r\n", true),
    ("Transfer-Encoding: \t chunked\t \r\n", true),
    ("Transfer-Encoding : chunked\r\n", false),
    ("Transfer-Encoding\t: chunked\r\n", false),
    (" Transfer-Encoding: chunked\r\n", false),
    ("Transfer-Encoding: xchunked\r\n", false),
    ("Transfer-Encoding: chunkedx\r\n", false),
    ("Transfer-Encoding: chunked\x0b\r\n", false),
    ("Transfer-Encoding: \x0bchunked\r\n", false),
    ("Transfer-Encoding: chunked\x0c\r\n", false),
    ("Transfer-Encoding:\u{a0}chunked\r\n", false),
    ("Transfer-Encoding:\r\n chunked\r\n", false),
    ("Transfer-Encoding: chunked, chunked\r\n", false),
    ("Transfer-Encoding: chunked, identity\r\n", false),
    ("Transfer-Encoding: identity, chunked\r\n", false),
    ("Transfer-Encoding: chunked,\r\n", false),
    ("Transfer-Encoding: 'chunked'\r\n", false),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", false),
    ("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", false),
    ("Transfer-Encoding: chunk\r\n ed\r\n", false),
    ("X: y\rTransfer-Encoding: chunked\r\n", false),
    ("Transfer-Encoding: chu\0nked\r\n", false),
];

/// Spellings of `Content-Length`; `{}` is a number.
const LENGTHS: [&str; 12] = [
    "Content-Length: {}\r\n",
    "content-length:{}\r\n",
    "Content-Length:   {}  \r\n",
    "Content-Length : {}\r\n",
    "Content-Length: +{}\r\n",
    "Content-Length: 0{}\r\n",
    "Content-Length: {}\r\nContent-Length: {}\r\n",
    "Content-Length: {}\r\nContent-Length: 0\r\n",
    "Content-Length: {}, {}\r\n",
    "Content-Length:\r\n {}\r\n",
    "Content-Length: {}\x0b\r\n",
    "Content_Length: {}\r\n",
];

/// 24 codings times 12 lengths, in both orders: 576 requests. A reader by length takes all that is sent for one body;
/// a reader by chunks sees a second request behind the first. The second must never be answered where both framings
/// are given, and no first one that leaves a doubt is acknowledged but by a single answer.
#[tokio::test]
async fn no_mixture_of_the_two_framings_gets_a_second_request_served() {
    let gateway = Gateway::start().await;
    let second = post("/v1/microsoft/graph?validationToken=second", "");
    let body = [chunked(&good("n-1")), second].concat();
    let mut taken = 0;
    for (coding, strict) in CODINGS {
        for length in LENGTHS {
            let length = length.replace("{}", &body.len().to_string());
            let real = !length.starts_with("Content_");
            for headers in [[coding, length.as_str()].concat(), [length.as_str(), coding].concat()]
            {
                let head = format!("POST /v1/microsoft/graph HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
                let mut wire = gateway.connect().await;
                wire.send_some(&[head.as_bytes(), &body].concat()).await;
                wire.finish().await;
                let answers = wire.drain().await;
                let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
                match statuses.as_slice() {
                    [400] => {}
                    // Read by chunks, one `chunked`: a single answer, and the end.
                    [202] if strict && real => taken += 1,
                    // No length at all but a lookalike: the second request is one.
                    [202, 200] if strict && !real => taken += 1,
                    _ => panic!("{headers:?}: {answers:?}"),
                }
                assert_eq!(gateway.kafka.published().len(), taken, "{headers:?}");
            }
        }
    }
    assert!(taken > 8, "the strict spellings are taken");
    assert_eq!(gateway.kafka.quarantined(), []);
    gateway.assert_settled().await;
}
