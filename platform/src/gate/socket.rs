//! A TCP connection that can be ended by somebody else than whoever reads and writes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use rustix::net::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// A connection; clones are the same connection. It is closed when the last of them goes.
#[derive(Clone, Debug)]
pub(crate) struct Socket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stream: TcpStream,
    is_cut: AtomicBool,
    cut: Notify,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // What fails here fails again with the first byte.
        let _ = stream.set_nodelay(true);
        // A client that vanished is noticed even without keep-alive of its own.
        let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
        Self(Arc::new(Inner { stream, is_cut: AtomicBool::new(false), cut: Notify::new() }))
    }

    /// Ends the connection at once: whoever reads it finds its end, whoever writes it an error, and
    /// what the system still held for it is thrown away when it is closed.
    pub(crate) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.cut.notify_waiters();
        // Gone already, if this fails.
        let _ = self.0.stream.set_zero_linger();
        let _ = rustix::net::shutdown(&self.0.stream, Shutdown::Both);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.0.is_cut.load(Ordering::Acquire)
    }

    pub(crate) async fn until_cut(&self) {
        let cut = self.0.cut.notified();
        tokio::pin!(cut);
        // From here on no cut is missed.
        cut.as_mut().enable();
        if !self.is_cut() {
            cut.await;
        }
    }

    /// The first byte of what comes next, without taking it; `None` at the end.
    pub(crate) async fn peek(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        Ok((self.0.stream.peek(&mut first).await? > 0).then_some(first[0]))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = &self.0.stream;
        loop {
            ready!(stream.poll_read_ready(context))?;
            // Without a look at what is not filled: buffers are larger than most messages.
            match stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

/// Writes once there is room.
fn write(
    stream: &TcpStream,
    context: &mut Context<'_>,
    write: impl Fn() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(context))?;
        match write() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            wrote => return Poll::Ready(wrote),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = &self.0.stream;
        write(stream, context, || stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = &self.0.stream;
        write(stream, context, || stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The system has all that was written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match rustix::net::shutdown(&self.0.stream, Shutdown::Write) {
            // Gone already.
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Socket::new(listener.accept().await.unwrap().0), client)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_whole_and_in_order() {
        let (mut socket, mut client) = pair().await;
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let sent = bytes.clone();
        let echo = async {
            let mut read = vec![0; bytes.len()];
            socket.read_exact(&mut read).await.unwrap();
            socket.write_all(&read).await.unwrap();
            socket.shutdown().await.unwrap();
        };
        let ask = async {
            let (mut from, mut to) = client.split();
            let mut back = Vec::new();
            let (sent, read) = tokio::join!(to.write_all(&sent), from.read_to_end(&mut back));
            sent.unwrap();
            read.unwrap();
            back
        };
        let ((), back) =
            tokio::time::timeout(LIMIT, async { tokio::join!(echo, ask) }).await.unwrap();
        assert!(back == bytes);
    }

    #[tokio::test]
    async fn a_cut_wakes_who_reads_and_who_writes() {
        let (socket, client) = pair().await;
        let (mut reading, mut writing) = (socket.clone(), socket.clone());
        let read = tokio::spawn(async move { reading.read_u8().await });
        // The client takes nothing, so this waits.
        let wrote = tokio::spawn(async move { writing.write_all(&vec![0; 64 << 20]).await });
        assert!(!socket.is_cut());
        tokio::task::yield_now().await;
        socket.cut();
        assert!(tokio::time::timeout(LIMIT, read).await.unwrap().unwrap().is_err());
        assert!(tokio::time::timeout(LIMIT, wrote).await.unwrap().unwrap().is_err());
        tokio::time::timeout(LIMIT, socket.until_cut()).await.unwrap();
        drop(client);
    }
}
