//! How is a request's body put on the wire: at once, or trickled out?

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The pieces that a slow body is cut into.
const PIECES: usize = 16;

/// A body of known length.
pub(super) struct Outgoing {
    rest: Bytes,
    /// A trickled body: the size of a piece, and the ticks between them.
    trickle: Option<(usize, Pin<Box<Interval>>)>,
}

impl Outgoing {
    /// The body, over the given time if one is given.
    pub(super) fn new(body: Bytes, slow: Option<Duration>) -> Self {
        let trickle = slow.map(|span| {
            let piece = body.len().div_ceil(PIECES).max(1);
            let pieces = body.len().div_ceil(piece) as u32;
            // The first piece goes at once, the last one when the time is over.
            let gap = span / pieces.saturating_sub(1).max(1);
            let mut ticks = interval(gap.max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            (piece, Box::pin(ticks))
        });
        Self { rest: body, trickle }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece = match &mut self.trickle {
            None => self.rest.len(),
            Some((piece, ticks)) => {
                ready!(ticks.poll_tick(cx));
                *piece
            }
        };
        let piece = piece.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
