//! How does one keep-alive connection send a request and take the answer?

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::request::Traffic;

/// The longest answer that is taken: heads and error bodies.
const ANSWER: usize = 16 << 10;

/// A connection with one request in flight at most.
pub(crate) struct Connection {
    stream: TcpStream,
    /// The request; to be renewed between two answers.
    pub(crate) request: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    filled: usize,
    /// When the last request was begun.
    pub(crate) sent: Instant,
}

impl Connection {
    /// Connects and waits for it.
    pub(crate) fn open(
        address: SocketAddr,
        traffic: &Traffic,
        token: usize,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        let request = traffic.buffer();
        let written = request.len();
        Ok(Self {
            stream,
            request,
            written,
            answer: vec![0; ANSWER],
            filled: 0,
            sent: Instant::now(),
        })
    }

    /// A request is on its way out.
    pub(crate) fn is_sending(&self) -> bool {
        self.written < self.request.len()
    }

    /// Begins to send the request.
    pub(crate) fn send(&mut self) -> anyhow::Result<()> {
        self.written = 0;
        self.filled = 0;
        self.sent = Instant::now();
        self.go_on()
    }

    /// Sends what the socket takes now.
    pub(crate) fn go_on(&mut self) -> anyhow::Result<()> {
        while self.is_sending() {
            match self.stream.write(&self.request[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the server takes no more of a request"),
            }
        }
        Ok(())
    }

    /// Reads what has come; the status once the answer is complete.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Option<u16>> {
        loop {
            ensure!(self.filled < self.answer.len(), "an answer is longer than {ANSWER} bytes");
            match self.stream.read(&mut self.answer[self.filled..]) {
                Ok(0) if self.filled == 0 && !self.is_sending() => {
                    bail!("the server closed a connection instead of answering")
                }
                Ok(0) => bail!("the server closed a connection within a request or an answer"),
                Ok(bytes) => self.filled += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("no answer can be read"),
            }
            if let Some(status) = complete(&self.answer[..self.filled])? {
                return Ok(Some(status));
            }
        }
    }
}

/// The status of an answer that is there as a whole.
fn complete(answer: &[u8]) -> anyhow::Result<Option<u16>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(answer).context("no HTTP answer")? else {
        return Ok(None);
    };
    let body = &answer[length..];
    let header = |name: &str| head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
    let whole = if let Some(length) = header("content-length") {
        let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
        body.len() >= length
    } else if header("transfer-encoding").is_some() {
        body.ends_with(b"0\r\n\r\n")
    } else {
        true
    };
    Ok(whole.then_some(head.code).flatten())
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn an_answer_is_complete_with_its_body() {
        let whole = |text: &str| complete(text.as_bytes()).unwrap();
        assert_eq!(whole("HTTP/1.1 204 No Content\r\n\r\n"), Some(204));
        assert_eq!(whole("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"), Some(202));
        assert_eq!(whole("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n"), None);
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nO"), None);
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"), Some(200));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nOK\r\n";
        assert_eq!(whole(chunked), None);
        assert_eq!(whole(&format!("{chunked}0\r\n\r\n")), Some(200));
        assert!(complete(b"SMTP ready\r\n\r\n").is_err());
    }
}
