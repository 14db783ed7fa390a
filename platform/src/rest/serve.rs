//! The HTTP server: a bounded number of connections, a time limit on the head of each request and
//! on each stretch of an answer, and an end that lets requests finish.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::unread::Impatient;

/// Tells a handler that the server is to stop.
#[derive(Clone)]
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Returns when the server is to stop.
    pub(super) async fn wait(&mut self) {
        // An error means that the server is gone, which is a stop too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts serving on an address; port 0 takes a free one. The limit is that of a head, and of
    /// how long a client may leave its answer unread.
    pub(crate) async fn start(
        address: SocketAddr,
        router: Router,
        connections: usize,
        limit: Duration,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limit);
        let router = router.layer(Extension(Stopping(stopping.clone())));
        let turns = Arc::new(Semaphore::new(connections));
        let accepting =
            tokio::spawn(accept(listener, router, http, turns, limit, Stopping(stopping)));
        Ok(Self { address, stop, accepting })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and lets requests that are being served finish, within a limit.
    pub(crate) async fn stop(mut self, limit: Duration) -> bool {
        // An error means that the server has ended already.
        let _ = self.stop.send(true);
        tokio::time::timeout(limit, &mut self.accepting).await.is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    http: http1::Builder,
    turns: Arc<Semaphore>,
    limit: Duration,
    mut stopping: Stopping,
) {
    let mut connections = JoinSet::new();
    loop {
        let turn = Arc::clone(&turns).acquire_owned();
        let accepted = async { (turn.await, listener.accept().await) };
        let (turn, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = stopping.wait() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                // Answers are small and awaited; one that cannot be hurried is still answered.
                let _ = stream.set_nodelay(true);
                let stream = Impatient::new(stream, limit);
                let served = serve(stream, router.clone(), http.clone(), stopping.clone());
                connections.spawn(async move {
                    served.await;
                    drop(turn);
                });
            }
            // Out of descriptors, most often: others must end first.
            Err(error) => {
                tracing::warn!(%error, "a REST connection could not be accepted");
                connections.join_next().await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: Impatient, router: Router, http: http1::Builder, mut stopping: Stopping) {
    let service = TowerToHyperService::new(router);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a REST connection ended early");
    }
}
