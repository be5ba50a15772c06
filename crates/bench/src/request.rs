//! What does a request of the load look like on the wire, and what differs from one to the next?
//!
//! A request is serialised once; each sending overwrites a few places of fixed width in it, so that ids are distinct
//! and the load costs next to nothing.

pub(crate) mod google;
pub(crate) mod graph;

use std::sync::Arc;

/// Digits of a number that differs every time. Unix microseconds have as many until the year 2286.
const DIGITS: usize = 16;

/// What one kind of traffic consists of.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    bytes: Arc<[u8]>,
    /// Where a number stands, and the how manieth of the request it is.
    numbers: Arc<[(usize, u64)]>,
    tokens: Arc<[usize]>,
    pool: Arc<Tokens>,
    /// Records that postern makes of one request.
    pub(crate) items: u64,
    /// Bytes of the body.
    pub(crate) body: usize,
}

/// Hook tokens of equal length, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    bytes: Vec<u8>,
    width: usize,
}

impl Tokens {
    /// Joins tokens, all as long as the first.
    pub(crate) fn new(tokens: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for token in tokens {
            if all.width == 0 {
                all.width = token.len();
            }
            anyhow::ensure!(token.len() == all.width, "a hook token has another length: {token}");
            all.bytes.extend_from_slice(token.as_bytes());
        }
        Ok(all)
    }

    fn len(&self) -> usize {
        self.bytes.len().checked_div(self.width).unwrap_or(0)
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = index % self.len() * self.width;
        &self.bytes[start..start + self.width]
    }
}

/// A text with places that are filled in later.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    bytes: Vec<u8>,
    numbers: Vec<(usize, u64)>,
    tokens: Vec<usize>,
}

impl Draft {
    /// Appends what stays.
    #[must_use]
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends a place for a distinct number of 16 digits.
    #[must_use]
    pub(crate) fn number(self) -> Self {
        let next = self.numbers.last().map_or(0, |(_, number)| number + 1);
        self.numbered(next)
    }

    /// Appends a place for the number before this one once more.
    #[must_use]
    pub(crate) fn same_number(self) -> Self {
        let same = self.numbers.last().map_or(0, |(_, number)| *number);
        self.numbered(same)
    }

    fn numbered(mut self, number: u64) -> Self {
        self.numbers.push((self.bytes.len(), number));
        self.bytes.extend_from_slice(&[b'0'; DIGITS]);
        self
    }

    /// Appends a place for the next token of the pool.
    #[must_use]
    pub(crate) fn token(mut self, pool: &Tokens) -> Self {
        self.tokens.push(self.bytes.len());
        self.bytes.extend_from_slice(pool.get(0));
        self
    }

    fn append(mut self, other: &Self) -> Self {
        let here = self.bytes.len();
        self.numbers.extend(other.numbers.iter().map(|(at, number)| (here + at, *number)));
        self.tokens.extend(other.tokens.iter().map(|at| here + at));
        self.bytes.extend_from_slice(&other.bytes);
        self
    }
}

impl Traffic {
    /// A POST with this head (without `Host`, `Content-Length` and the empty line) and body.
    #[must_use]
    pub(crate) fn post(head: Draft, body: &Draft, pool: Arc<Tokens>, items: u64) -> Self {
        let length = body.bytes.len();
        let head = head.text(&format!("host: 127.0.0.1\r\ncontent-length: {length}\r\n\r\n"));
        let whole = head.append(body);
        Self {
            bytes: whole.bytes.into(),
            numbers: whole.numbers.into(),
            tokens: whole.tokens.into(),
            pool,
            items,
            body: length,
        }
    }

    /// A copy of the request for one connection to write into.
    #[must_use]
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// Makes a buffer the next request; `next` counts the items of the whole run.
    pub(crate) fn renew(&self, buffer: &mut [u8], next: &mut u64) {
        for (at, number) in self.numbers.iter() {
            write_number(&mut buffer[*at..at + DIGITS], *next + number);
        }
        for (place, at) in self.tokens.iter().enumerate() {
            let token = self.pool.get((*next + place as u64) as usize);
            buffer[*at..at + token.len()].copy_from_slice(token);
        }
        *next += self.items;
    }
}

fn write_number(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewed_requests_differ_in_their_places_alone() {
        let pool = Arc::new(Tokens::new(["aa".to_owned(), "bb".to_owned()]).unwrap());
        let body = Draft::default().text("[").number().text(",").token(&pool).text("]");
        let head = Draft::default().text("POST / HTTP/1.1\r\n");
        let traffic = Traffic::post(head, &body, pool, 1);
        let (mut buffer, mut next) = (traffic.buffer(), 1_790_000_000_000_001);
        for (number, token) in [("1790000000000001", "bb"), ("1790000000000002", "aa")] {
            traffic.renew(&mut buffer, &mut next);
            let text = String::from_utf8(buffer.clone()).unwrap();
            let (_, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(body, format!("[{number},{token}]"));
            assert!(text.contains("content-length: 21\r\n"));
        }
    }
}
