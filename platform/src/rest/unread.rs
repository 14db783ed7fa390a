//! A connection that is cut when its client does not take what it asked for.
//!
//! Connections are few (`limits.rest_connections`), and an answer that nobody reads would hold one
//! for ever. The client has a limit of time for each [`STRETCH_BYTES`] of an answer, so that a slow
//! but honest one gets a long answer whole, and one that takes a byte now and then does not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::visit::Visit;
use crate::gate::Socket;

/// What has to be taken within the limit, bytes.
pub(super) const STRETCH_BYTES: usize = 64 * 1024;

/// A TCP connection with a limit on how long what is written may wait.
pub(super) struct Impatient {
    stream: Socket,
    visit: Visit,
    patience: Patience,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// How long the client has kept the server waiting. Pure.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    /// When the present stretch began to wait.
    since: Option<Instant>,
    taken: usize,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, since: None, taken: 0 }
    }

    /// The client took some of what was offered.
    fn took(&mut self, taken: usize, offered: usize) {
        self.taken += taken;
        if taken == offered || self.taken >= STRETCH_BYTES {
            (self.since, self.taken) = (None, 0);
        }
    }

    /// The client takes nothing now; until when it has to.
    fn waits(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.limit
    }
}

impl Impatient {
    pub(super) fn new(stream: Socket, limit: Duration, visit: Visit) -> Self {
        Self { stream, visit, patience: Patience::new(limit), alarm: None }
    }

    /// What a write came to, with the time it may take.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
        offered: usize,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(wrote) = wrote {
            if let Ok(taken) = wrote {
                self.patience.took(taken, offered);
            }
            return Poll::Ready(wrote);
        }
        // A transport's timer stays on the machine's clock.
        let now = Instant::now();
        let until = self.patience.waits(now);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() != until {
            alarm.as_mut().reset(until);
        }
        ready!(alarm.as_mut().poll(context));
        let limit_s = self.patience.limit.as_secs_f64();
        let why = format!("the client did not take {STRETCH_BYTES} bytes within {limit_s} s");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.visit.mark_read();
        }
        read
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, wrote, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = slices.iter().map(|slice| slice.len()).sum();
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, wrote, offered)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The socket keeps nothing back, so there is nothing to wait for.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_begins_anew_with_each_stretch_and_not_with_each_byte() {
        const LIMIT: Duration = Duration::from_secs(10);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::new(LIMIT);
        assert_eq!(patience.waits(at(0)), at(10));
        assert_eq!(patience.waits(at(3)), at(10));
        patience.took(1, 1_000_000);
        assert_eq!(patience.waits(at(4)), at(10), "a byte is no stretch");
        patience.took(STRETCH_BYTES - 2, 1_000_000);
        assert_eq!(patience.waits(at(5)), at(10));
        patience.took(1, 900_000);
        assert_eq!(patience.waits(at(6)), at(16), "a stretch in pieces is one");
        patience.took(5, 5);
        assert_eq!(patience.waits(at(7)), at(17), "all that there was");
        patience.took(STRETCH_BYTES, 900_000);
        assert_eq!(patience.waits(at(8)), at(18));
    }
}
