//! What goes over the wire? A client that sends exact bytes and reads exact answers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer of a test takes longer than this.
const PATIENCE: Duration = Duration::from_secs(6);

/// A POST of a body with its length.
pub(crate) fn post(target: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = format!(
        "POST {target} HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether it says that its connection ends with it.
    pub(crate) fn closes(&self) -> bool {
        self.all("connection") == ["close"]
    }

    /// Checks what is common to all answers of postern's but the handshake's: the headers of its status and no other,
    /// and no body.
    #[track_caller]
    pub(crate) fn assert_bare(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.body.is_empty(), "{self:?}");
        assert_eq!(self.all("cache-control"), ["no-store"], "{self:?}");
        // RFC 9110, section 8.6: a 204 has no length.
        let length = if status == 204 { vec![] } else { vec!["0"] };
        assert_eq!(self.all("content-length"), length, "{self:?}");
        let challenge = if status == 401 { vec!["Bearer"] } else { vec![] };
        assert_eq!(self.all("www-authenticate"), challenge, "{self:?}");
        assert_eq!(self.all("allow"), if status == 405 { vec!["POST"] } else { vec![] });
        match (status, self.all("retry-after").as_slice()) {
            (503, [seconds]) => {
                let seconds: u32 = seconds.parse().expect("whole seconds");
                assert!((1..=60).contains(&seconds), "{self:?}");
            }
            (_, []) => {}
            other => panic!("Retry-After: {other:?}"),
        }
        let known = [
            "cache-control",
            "content-length",
            "allow",
            "retry-after",
            "connection",
            "date",
            "www-authenticate",
        ];
        for (name, _) in &self.headers {
            let said = known.contains(&name.to_ascii_lowercase().as_str());
            assert!(said, "{name} says more than it should: {self:?}");
        }
    }
}

/// One TCP connection.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the listener accepts");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).await.expect("the connection is open");
        self
    }

    /// Sends bytes as far as the other side takes them.
    pub(crate) async fn send_some(&mut self, bytes: &[u8]) {
        let sent = timeout(PATIENCE, self.stream.write_all(bytes)).await;
        drop(sent.expect("taken or refused, not held up"));
    }

    /// Sends bytes; `false` once the other side has ended the connection.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Ends the sending half.
    pub(crate) async fn finish(&mut self) {
        drop(self.stream.shutdown().await);
    }

    /// Reads the next answer; an interim one is an answer with its own status.
    pub(crate) async fn answer(&mut self) -> Answer {
        timeout(PATIENCE, self.next()).await.expect("an answer in time").expect("an answer")
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await.answer().await
    }

    /// Reads all answers until the other side closes, in an orderly way or not.
    pub(crate) async fn drain(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        let all = async {
            while let Some(answer) = self.next().await {
                answers.push(answer);
            }
        };
        timeout(PATIENCE, all).await.expect("the connection is closed in time");
        answers
    }

    /// Waits until the other side closes; anything that comes before that is a fault.
    pub(crate) async fn assert_closed(&mut self) {
        let answers = self.drain().await;
        assert!(answers.is_empty(), "{answers:?}");
        assert!(self.received.is_empty(), "{:?}", String::from_utf8_lossy(&self.received));
    }

    /// Waits until the other side closes as it should: without a reset, and without another word.
    pub(crate) async fn assert_closed_orderly(&mut self) {
        assert!(self.received.is_empty(), "{:?}", String::from_utf8_lossy(&self.received));
        let read = timeout(PATIENCE, self.stream.read(&mut [0; 64])).await;
        let read = read.expect("the connection is closed in time");
        assert_eq!(read.expect("no reset"), 0, "nothing more is said");
    }

    /// Sends bytes; whether the other side takes them all.
    pub(crate) async fn takes(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(PATIENCE, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Checks that nothing comes and the connection stays open for a while.
    pub(crate) async fn assert_silent(&mut self, time: Duration) {
        assert!(self.received.is_empty(), "{:?}", String::from_utf8_lossy(&self.received));
        let mut byte = [0];
        let read = timeout(time, self.stream.read(&mut byte)).await;
        assert!(read.is_err(), "an open, silent connection, not {read:?}");
    }

    /// The next answer; `None` at the end of the connection.
    async fn next(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.read_more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.received[..head_end].to_vec()).expect("a head is text");
        let mut lines = head.trim_end().split("\r\n");
        let mut first = lines.next().expect("a status line").splitn(3, ' ');
        assert!(first.next().is_some_and(|version| version.starts_with("HTTP/1.")), "{head}");
        let status: u16 = first.next().and_then(|code| code.parse().ok()).expect("a status");
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").expect("a header");
                (name.to_owned(), value.to_owned())
            })
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length: usize = match answer.all("content-length").as_slice() {
            [] => 0,
            [length] => length.parse().expect("a length"),
            many => panic!("{many:?}"),
        };
        while self.received.len() < head_end + length {
            assert!(self.read_more().await, "an answer was cut: {head}");
        }
        self.received.drain(..head_end);
        answer.body = self.received.drain(..length).collect();
        Some(answer)
    }

    /// Reads what is there; `false` at the end, also after a reset.
    async fn read_more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.received).await, Ok(read) if read > 0)
    }
}
