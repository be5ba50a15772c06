//! How does a test speak HTTP/1.1 so that it decides each byte and sees each byte?

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer may take: the deadline is 2.5 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// What stands behind it, often nothing.
    pub reason: String,
    /// Names as they were sent.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's first value; names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(have, _): &&(String, String)| have.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| value.as_str())
    }

    /// How often a header occurs.
    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name)).count()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The server said that it will close the connection.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// One connection, kept until it is dropped.
pub struct Connection {
    stream: TcpStream,
    /// Bytes that came after the last answer.
    pending: Vec<u8>,
}

impl Connection {
    /// Connects; an answer may then take 15 s.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, pending: Vec::new() })
    }

    /// Sends exactly these bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that no more bytes will come (FIN), and still reads.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)
    }

    /// Reads the next answer; `UnexpectedEof` when the server closes without one.
    pub fn read_response(&mut self) -> io::Result<Response> {
        loop {
            let head = self.read_head()?;
            let mut response = parse_head(&head)?;
            if (100..200).contains(&response.status) {
                continue;
            }
            response.body = self.read_body(&response)?;
            return Ok(response);
        }
    }

    /// Sends a POST and reads its answer; `Host` and `Content-Length` are added.
    pub fn post(
        &mut self,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        self.send(&request("POST", path_and_query, headers, body))?;
        self.read_response()
    }

    /// Did the server close, with nothing more to read, within `limit`? A reset counts as closed.
    pub fn is_closed(&mut self, limit: Duration) -> bool {
        self.stream.set_read_timeout(Some(limit)).expect("the limit is not zero");
        let mut byte = [0];
        let closed = match self.stream.read(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => is_reset(&error),
        };
        self.stream.set_read_timeout(Some(PATIENCE)).expect("the limit is not zero");
        closed && self.pending.is_empty()
    }

    fn read_head(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.pending, b"\r\n\r\n") {
                return Ok(self.take(end + 4));
            }
            self.read_more()?;
        }
    }

    fn read_body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        if matches!(response.status, 204 | 304) {
            return Ok(Vec::new());
        }
        if let Some(length) = response.header("content-length") {
            let length = length.parse().map_err(|_| malformed("content-length is no number"))?;
            return self.read_exactly(length);
        }
        let encoding = response.header("transfer-encoding");
        if encoding.is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks();
        }
        while self.read_more().is_ok() {}
        Ok(std::mem::take(&mut self.pending))
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match find(&self.pending, b"\r\n") {
                    Some(end) => break end,
                    None => self.read_more()?,
                }
            };
            let line = self.take(end + 2);
            let digits = String::from_utf8_lossy(&line[..end]);
            let length = usize::from_str_radix(digits.trim(), 16)
                .map_err(|_| malformed("a chunk's length is no number"))?;
            let chunk = self.read_exactly(length + 2)?;
            if length == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.pending.len() < length {
            self.read_more()?;
        }
        Ok(self.take(length))
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.pending.extend_from_slice(&chunk[..read]);
                Ok(())
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.pending.split_off(length);
        std::mem::replace(&mut self.pending, rest)
    }
}

/// A request's bytes with `Host` and `Content-Length`.
pub fn request(
    method: &str,
    path_and_query: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path_and_query} HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Length: {}\r\n",
        body.len()
    )
    .into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// One POST on a connection of its own.
pub fn post(
    address: SocketAddr,
    path_and_query: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let answer = Connection::open(address).and_then(|mut c| c.post(path_and_query, headers, body));
    answer.unwrap_or_else(|error| panic!("POST {path_and_query} got no answer: {error}"))
}

/// One GET on a connection of its own.
pub fn get(address: SocketAddr, path_and_query: &str) -> Response {
    try_get(address, path_and_query)
        .unwrap_or_else(|error| panic!("GET {path_and_query} got no answer: {error}"))
}

/// One GET, where the server may be away.
pub fn try_get(address: SocketAddr, path_and_query: &str) -> io::Result<Response> {
    let mut connection = Connection::open(address)?;
    connection.send(&request("GET", path_and_query, &[("Connection", "close")], b""))?;
    connection.read_response()
}

/// Sends exactly these bytes on a connection of its own and reads all answers until the server closes or
/// says nothing for `quiet`; the second value says whether it closed.
pub fn exchange(address: SocketAddr, bytes: &[u8], quiet: Duration) -> (Vec<Response>, bool) {
    let mut connection = Connection::open(address).expect("the server listens");
    // A server that refuses early may close before it has read all: its answer still counts.
    let sent = connection.send(bytes);
    connection.stream.set_read_timeout(Some(quiet)).expect("the limit is not zero");
    let mut responses = Vec::new();
    loop {
        match connection.read_response() {
            Ok(response) => responses.push(response),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof || is_reset(&error) => {
                return (responses, true);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return (responses, sent.is_err());
            }
            Err(error) => panic!("the answer is no HTTP: {error}"),
        }
    }
}

/// The connection was cut rather than closed.
pub fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn parse_head(head: &[u8]) -> io::Result<Response> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("the head is no UTF-8"))?;
    let mut lines = head.split("\r\n");
    let mut status = lines.next().unwrap_or_default().splitn(3, ' ');
    if status.next() != Some("HTTP/1.1") {
        return Err(malformed("the status line does not begin with HTTP/1.1"));
    }
    let code = status.next().and_then(|code| code.parse().ok());
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) =
            line.split_once(':').ok_or_else(|| malformed("a header line has no colon"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Response {
        status: code.ok_or_else(|| malformed("the status is no number"))?,
        reason: status.next().unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
    })
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
