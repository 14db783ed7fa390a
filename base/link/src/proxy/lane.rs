//! A lane: its listener, its connections, and what breaks them.
//!
//! Each connection is one task, which ends with the connection, with a breakage, or with the proxy.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::meter::lock;
use super::pump::{Cut, Pump, with_scratch};
use super::shared::{Control, Lane};
use crate::clock::monotonic_ns;
use crate::impair::{Breakage, LegName};

/// How long the platform may take to accept a connection.
const UPSTREAM_LIMIT: Duration = Duration::from_secs(5);
/// How long a closed end is read on, so that its kernel sends FIN and not RST.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// How often a connection that is not alive yet is looked after.
const WAIT_STEP: Duration = Duration::from_secs(1);
/// How long nothing is accepted after the process had no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the proxy is gone.
pub(super) async fn serve(
    lane: Arc<Lane>,
    listener: TcpListener,
    mut control: watch::Receiver<Control>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            changed = control.changed() => if changed.is_err() { break },
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((near, _)) => {
                    lane.shared.meter.count(|report| &mut report.connections);
                    connections.spawn(carry(Arc::clone(&lane), near, control.clone()));
                }
                // Out of file descriptors, or the connection is gone already.
                Err(_) => {
                    let _ = timeout(ACCEPT_PAUSE, control.changed()).await;
                }
            },
        }
    }
    connections.shutdown().await;
}

/// The life of one connection.
async fn carry(lane: Arc<Lane>, mut near: TcpStream, mut control: watch::Receiver<Control>) {
    let meter = &lane.shared.meter;
    if !becomes_alive(&near, &mut control).await {
        let broken = control.borrow().broken;
        match broken {
            Some(Breakage::Reset) => reset(&near),
            Some(Breakage::Close) => close(&mut near).await,
            _ => return,
        }
        meter.count(|report| &mut report.broken);
        return;
    }
    let cuts = control.borrow_and_update().cuts;
    let connecting = timeout(UPSTREAM_LIMIT, TcpStream::connect(lane.shared.upstream)).await;
    let Ok(Ok(mut far)) = connecting else {
        meter.count(|report| &mut report.upstream_refused);
        reset(&near);
        return;
    };
    let nodelay = lane.shared.spec.nodelay;
    let _ = near.set_nodelay(nodelay).and_then(|()| far.set_nodelay(nodelay));
    let now_ns = monotonic_ns();
    for leg in &lane.legs {
        lock(leg).reconnected(now_ns);
    }
    let for_pumps = control.clone();
    let ended = tokio::select! {
        biased;
        how = cut(&mut control, cuts) => how.map_or(Ended::Over, Ended::Broken),
        ended = pump(&lane, &mut near, &mut far, &for_pumps) => ended,
    };
    match ended {
        Ended::Over => {}
        Ended::Reset => {
            meter.count(|report| &mut report.resets);
            reset(&near);
            reset(&far);
        }
        Ended::Broken(how) => {
            meter.count(|report| &mut report.broken);
            break_by(how, &mut near, &mut far, &mut control).await;
        }
    }
}

enum Ended {
    /// In good order, or with the proxy.
    Over,
    /// One of its ends reset it, or it cannot be carried.
    Reset,
    Broken(Breakage),
}

/// Carries both directions until both have ended, or one was reset.
async fn pump(
    lane: &Lane,
    near: &mut TcpStream,
    far: &mut TcpStream,
    control: &watch::Receiver<Control>,
) -> Ended {
    let (near_is_dead, far_is_dead) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let (near_read, near_write) = near.split();
    let (far_read, far_write) = far.split();
    let make = |leg, from, to| Pump::new(lane, leg, from, to, control.clone());
    let up = make(LegName::Up, (near_read, near_is_dead), (far_write, far_is_dead));
    let down = make(LegName::Down, (far_read, far_is_dead), (near_write, near_is_dead));
    let (Ok(up), Ok(down)) = (up, down) else { return Ended::Reset };
    match tokio::try_join!(up.run(), down.run()) {
        Ok(((), ())) | Err(Cut::Gone) => Ended::Over,
        Err(Cut::Reset) => Ended::Reset,
    }
}

/// Waits while a new connection must not live. `false` if it never will, or nobody wants it.
async fn becomes_alive(near: &TcpStream, control: &mut watch::Receiver<Control>) -> bool {
    loop {
        match control.borrow_and_update().broken {
            None | Some(Breakage::Stall) => return true,
            Some(Breakage::Reset | Breakage::Close) => return false,
            Some(Breakage::HalfOpen) => {}
        }
        if let Ok(Err(_)) = timeout(WAIT_STEP, control.changed()).await {
            return false;
        }
        // A client that gave up has never been there, as far as the platform may know.
        let ready = timeout(Duration::ZERO, near.ready(Interest::READABLE)).await;
        if matches!(ready, Ok(Ok(ready)) if ready.is_read_closed()) {
            return false;
        }
    }
}

/// Waits for connections to be cut, and returns how; `None` if the proxy is gone.
async fn cut(control: &mut watch::Receiver<Control>, cuts: u64) -> Option<Breakage> {
    loop {
        let now = *control.borrow_and_update();
        if now.cuts != cuts {
            return Some(now.cut_by);
        }
        control.changed().await.ok()?;
    }
}

async fn break_by(
    how: Breakage,
    near: &mut TcpStream,
    far: &mut TcpStream,
    control: &mut watch::Receiver<Control>,
) {
    match how {
        Breakage::Reset => {
            reset(near);
            reset(far);
        }
        Breakage::Close => {
            tokio::join!(close(near), close(far));
        }
        Breakage::HalfOpen => {
            // Neither end hears of it: each is read until it ends by itself, and both sockets stay.
            let both = async { tokio::join!(swallow(near), swallow(far)) };
            tokio::select! {
                _ = both => {}
                () = gone(control) => {}
            }
        }
        Breakage::Stall => {}
    }
}

/// Waits until the proxy is gone.
async fn gone(control: &mut watch::Receiver<Control>) {
    while control.changed().await.is_ok() {}
}

/// Makes the drop of a socket a reset.
fn reset(stream: &TcpStream) {
    // Fails on a socket that is gone only, which needs no reset.
    let _ = stream.set_zero_linger();
}

/// Ends a connection in good order: a socket that is dropped with bytes unread would reset it.
async fn close(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let _ = timeout(CLOSE_LIMIT, swallow(stream)).await;
}

/// Reads until nothing comes any more.
async fn swallow(stream: &TcpStream) {
    while stream.readable().await.is_ok() {
        match with_scratch(|buffer| stream.try_read(buffer)) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}
