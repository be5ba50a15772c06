//! A server of a few lines that does to each request what the test says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What is done to a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answered with these bytes.
    Answer(String),
    /// Answered, then the connection is closed without a word in the answer.
    AnswerAndClose(String),
    /// The connection is reset.
    Reset,
    /// Never answered.
    Silence,
    /// Answered after a while.
    Late(Duration, String),
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which connection, counted from 0.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The value of a header, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// The server: its port, and what it has seen.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts one that asks `act` what to do with the request of a number.
    pub(crate) async fn start(act: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (act, all) = (Arc::new(act), Arc::clone(&seen));
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, connection, Arc::clone(&act), Arc::clone(&all)));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An answer without a body.
pub(crate) fn status(code: u16) -> String {
    format!("HTTP/1.1 {code} Whatever\r\ncontent-length: 0\r\n\r\n")
}

async fn serve<F: Fn(usize, &Seen) -> Act>(
    mut stream: TcpStream,
    connection: usize,
    act: Arc<F>,
    all: Arc<Mutex<Vec<Seen>>>,
) {
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut stream, &mut buffer, connection).await {
        let number = {
            let mut all = all.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let answer = match act(number, &seen) {
            Act::Answer(answer) => answer,
            Act::AnswerAndClose(answer) => {
                stream.write_all(answer.as_bytes()).await.unwrap();
                return;
            }
            Act::Reset => {
                // Closing with unsent zero linger sends a reset instead of an orderly end.
                stream.set_zero_linger().unwrap();
                return;
            }
            Act::Silence => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            }
            Act::Late(span, answer) => {
                tokio::time::sleep(span).await;
                answer
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let mut seen = Seen { connection, head, body: Vec::new() };
            let length = seen.header("content-length").map_or(0, |value| value.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                seen.body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some(seen);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}
