//! How is a body read? Capped and timed; the length is checked before a byte is read.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use crate::admission::Permit;
use crate::refusal::Refusal;

/// Refuses a body that is declared larger than `limit`.
///
/// # Errors
/// [`Refusal::TooLarge`].
pub fn check_length(body: &Incoming, limit: usize) -> Result<(), Refusal> {
    if body.size_hint().lower() > limit as u64 { Err(Refusal::TooLarge) } else { Ok(()) }
}

/// Copying so much costs less than a new read buffer.
const COPIED: usize = 16 << 10;

/// Reads a whole body of at most `limit` bytes until `deadline`.
///
/// # Errors
/// Too large, too slow, broken, or more than there is room for.
pub async fn read(
    body: &mut Incoming,
    limit: usize,
    deadline: Instant,
    permit: &mut Permit,
) -> Result<Bytes, Refusal> {
    timeout_at(deadline, gather(body, limit, permit)).await.unwrap_or(Err(Refusal::Timeout))
}

async fn gather(body: &mut Incoming, limit: usize, permit: &mut Permit) -> Result<Bytes, Refusal> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers carry nothing that is read.
        let Ok(data) = frame.map_err(|_| Refusal::Framing)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(Refusal::TooLarge);
        }
        permit.grow(data.len())?;
        if first.is_empty() && rest.is_empty() {
            // Most bodies come in one piece. A small one is copied: it lies in hyper's read buffer, and as long as somebody
            // holds a part of that, hyper needs a new one to listen for the caller hanging up.
            first = if data.len() <= COPIED { Bytes::copy_from_slice(&data) } else { data };
            continue;
        }
        if rest.is_empty() {
            make_room(&mut rest, first.len() + data.len(), declared);
            rest.extend_from_slice(&first);
            first = Bytes::new();
        }
        make_room(&mut rest, data.len(), declared);
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.into() })
}

/// A buffer of so many bytes comes from the kernel, which gives its pages as they are written (`postern/allocator.rs`).
const MAPPED: usize = 128 << 10;

/// Makes room for `more` bytes, so that no memory is taken for bytes that have not come, and a whole body takes no more
/// than its length: a large buffer is as large as was declared at once, a small one doubles up to that.
fn make_room(buffer: &mut Vec<u8>, more: usize, declared: usize) {
    let needed = buffer.len() + more;
    if needed <= buffer.capacity() {
        return;
    }
    if declared >= needed.max(MAPPED) && buffer.try_reserve_exact(declared - buffer.len()).is_ok() {
        return;
    }
    let doubled = (2 * buffer.capacity()).min(declared);
    buffer.reserve_exact(doubled.max(needed) - buffer.len());
}

/// How much of a body that nobody wants is read all the same.
const DISCARDED: usize = 16 << 20;

/// Reads a body and throws it away until `deadline`, 16 MiB at most: a sender that is cut off while it writes sees a reset
/// instead of its answer.
pub async fn discard(mut body: Incoming, deadline: Instant) {
    let all = async {
        let mut left = DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Running out of time ends it like running out of bytes.
    drop(timeout_at(deadline, all).await);
}
