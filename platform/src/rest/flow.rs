//! Answers that are written while they are sent, with a bound on what waits for the client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Bytes of one answer that its client has not taken at most, beside the connection's own.
pub(super) const WAITING_BYTES_MAX: usize = 256 * 1024;

type Chunk = (io::Result<Bytes>, Option<OwnedSemaphorePermit>);

/// The end that writes.
pub(crate) struct Outlet {
    chunks: mpsc::UnboundedSender<Chunk>,
    room: Arc<Semaphore>,
}

/// The end that is sent.
struct Flow(mpsc::UnboundedReceiver<Chunk>);

/// Both ends of an answer.
pub(crate) fn flow() -> (Outlet, Body) {
    let (chunks, waiting) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
    (Outlet { chunks, room }, Body::new(Flow(waiting)))
}

/// The client is gone.
pub(crate) struct Gone;

impl Outlet {
    /// Writes some bytes, once there is room for them.
    pub(crate) async fn write(&self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        let bytes = bytes.into();
        let share = bytes.len().min(WAITING_BYTES_MAX) as u32;
        tokio::select! {
            room = Arc::clone(&self.room).acquire_many_owned(share) => {
                self.chunks.send((Ok(bytes), room.ok())).map_err(|_| Gone)
            }
            () = self.chunks.closed() => Err(Gone),
        }
    }

    /// Writes the last bytes, whether there is room or not.
    pub(super) fn end_with(self, bytes: impl Into<Bytes>) {
        // Who is gone needs no end.
        let _ = self.chunks.send((Ok(bytes.into()), None));
    }

    /// Breaks the answer off, so that it is not taken for a whole one.
    pub(super) fn break_off(self, why: String) {
        let _ = self.chunks.send((Err(io::Error::other(why)), None));
    }

    /// Returns when the client is gone.
    pub(crate) async fn closed(&self) {
        self.chunks.closed().await;
    }
}

impl HttpBody for Flow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        // What is taken makes room.
        self.0.poll_recv(context).map(|chunk| chunk.map(|(bytes, _)| bytes.map(Frame::data)))
    }
}
