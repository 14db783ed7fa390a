//! The link in real time: a TCP proxy that delays, holds and breaks what passes through it.
//!
//! Terms: a *lane* is a loopback listener of one *owner* (a device, an observer), who connects to
//! it in the place of the platform; it has a leg up and a leg down, see [`crate::impair`], which
//! outlive its connections. A *chunk* is what was read from a socket at once. A *release* is a
//! chunk's handing over to the other side's kernel, intended at the instant its leg determines; the
//! *release error* is how much later it really happened, and the evidence that the link was as
//! asked for.
//!
//! Memory is bounded: where too much of a leg is on its way, its socket is not read any more, as a
//! full window would do. The proxy ends TCP: the kernels on both sides see loopback, so that
//! congestion control and the like of a real link do not happen, and a connection is made without
//! the link's round trip.
//!
//! Everything runs in the runtime in which [`Proxy::lane`] is called, and ends when the proxy is
//! dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chacha20::ChaCha8Rng;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock::monotonic_ns;
use crate::impair::{Breakage, Impairment, Leg, LinkSpec};

mod framer;
mod lane;
mod meter;
mod pump;
mod shared;

use meter::{Meter, lock};
pub use meter::{ProxyReport, Spread};
pub use shared::LinkRecord;
use shared::{Control, Lane, Shared};

/// How long [`Proxy::stop`] waits for the tasks to end, which have nothing left to wait for.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What a proxy needs to know.
pub struct ProxyOptions<'a> {
    /// The link's name, a part of its streams' names.
    pub name: &'a str,
    /// Where the platform listens.
    pub upstream: SocketAddr,
    /// What the link does.
    pub spec: LinkSpec,
    /// The random stream of a name; each leg asks for `link/NAME/OWNER/up` or `.../down`.
    pub stream: Box<dyn Fn(&str) -> ChaCha8Rng + Send + Sync>,
    /// Where each release, and each MQTT PUBLISH of a plain stream, is reported.
    pub records: Option<UnboundedSender<LinkRecord>>,
}

/// A link in real time. See the module's documentation.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

/// The lanes, and what those to come begin with.
#[derive(Debug, Default)]
struct State {
    lanes: BTreeMap<String, OpenLane>,
    impairment: Option<Impairment>,
    broken: Option<Breakage>,
}

#[derive(Debug)]
struct OpenLane {
    address: SocketAddr,
    lane: Arc<Lane>,
    /// Its drop ends the lane's tasks.
    control: watch::Sender<Control>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A link without lanes.
    pub fn new(options: ProxyOptions<'_>) -> Self {
        Self {
            state: Mutex::default(),
            shared: Arc::new(Shared {
                name: options.name.to_owned(),
                upstream: options.upstream,
                spec: options.spec,
                stream: options.stream,
                records: options.records,
                meter: Meter::new(),
            }),
        }
    }

    /// The address an owner connects to; the same for the same owner. The lane's tasks run in the
    /// runtime this is called in.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn lane(&self, owner: &str) -> io::Result<SocketAddr> {
        if let Some(open) = lock(&self.state).lanes.get(owner) {
            return Ok(open.address);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let lane = Arc::new(Lane::new(owner, Arc::clone(&self.shared)));
        let mut state = lock(&self.state);
        if let Some(open) = state.lanes.get(owner) {
            // Somebody else was quicker; nobody knows of this listener yet.
            return Ok(open.address);
        }
        if let Some(change) = &state.impairment {
            each_leg(&lane, |leg| leg.impair(monotonic_ns(), change));
        }
        let (control, receiver) = watch::channel(Control::new(state.broken));
        let task = tokio::spawn(lane::serve(Arc::clone(&lane), listener, receiver));
        state.lanes.insert(owner.to_owned(), OpenLane { address, lane, control, task });
        Ok(address)
    }

    /// Puts an impairment on all lanes, those to come included, in the place of one that is there.
    /// What is on its way keeps its instant of release.
    pub fn impair(&self, change: &Impairment) {
        self.all(|state| state.impairment = Some(*change), |open| open.impair(change));
    }

    /// Puts an impairment on one lane; `false` if there is none of that owner.
    pub fn impair_lane(&self, owner: &str, change: &Impairment) -> bool {
        self.one(owner, |open| open.impair(change))
    }

    /// Takes the impairments of all lanes away.
    pub fn restore(&self) {
        self.all(|state| state.impairment = None, OpenLane::restore);
    }

    /// Takes the impairment of one lane away; `false` if there is none of that owner.
    pub fn restore_lane(&self, owner: &str) -> bool {
        self.one(owner, OpenLane::restore)
    }

    /// Breaks all lanes, those to come included, until [`Self::mend`]. Connections are cut even if
    /// the link is mended at once.
    pub fn break_link(&self, how: Breakage) {
        self.all(|state| state.broken = Some(how), |open| open.break_by(how));
    }

    /// Breaks one lane; `false` if there is none of that owner.
    pub fn break_lane(&self, owner: &str, how: Breakage) -> bool {
        self.one(owner, |open| open.break_by(how))
    }

    /// Mends all lanes.
    pub fn mend(&self) {
        self.all(|state| state.broken = None, OpenLane::mend);
    }

    /// Mends one lane; `false` if there is none of that owner.
    pub fn mend_lane(&self, owner: &str) -> bool {
        self.one(owner, OpenLane::mend)
    }

    fn all(&self, change: impl FnOnce(&mut State), change_lane: impl Fn(&OpenLane)) {
        let mut state = lock(&self.state);
        change(&mut state);
        state.lanes.values().for_each(change_lane);
    }

    fn one(&self, owner: &str, change: impl FnOnce(&OpenLane)) -> bool {
        lock(&self.state).lanes.get(owner).map(change).is_some()
    }

    /// What the proxy has seen so far.
    pub fn report(&self) -> ProxyReport {
        let mut report = self.shared.meter.report();
        let state = lock(&self.state);
        report.lanes = state.lanes.len() as u64;
        for open in state.lanes.values() {
            for (sum, leg) in report.flipped_bytes.iter_mut().zip(&open.lane.legs) {
                *sum += lock(leg).flipped_bytes();
            }
        }
        report
    }

    /// Ends all lanes and connections, which drops what is on its way, and waits until they are
    /// gone.
    pub async fn stop(self) {
        let lanes = std::mem::take(&mut lock(&self.state).lanes);
        let tasks: Vec<_> = lanes.into_values().map(|open| open.task).collect();
        for task in tasks {
            // A task that ends late ends by itself, and one that panicked has ended.
            let _ = timeout(STOP_LIMIT, task).await;
        }
    }
}

impl OpenLane {
    fn impair(&self, change: &Impairment) {
        each_leg(&self.lane, |leg| leg.impair(monotonic_ns(), change));
    }

    fn restore(&self) {
        each_leg(&self.lane, |leg| leg.restore(monotonic_ns()));
    }

    fn break_by(&self, how: Breakage) {
        self.control.send_modify(|control| control.break_by(how));
    }

    fn mend(&self) {
        self.control.send_modify(|control| control.mend(monotonic_ns()));
    }
}

fn each_leg(lane: &Lane, change: impl Fn(&mut Leg)) {
    for leg in &lane.legs {
        change(&mut lock(leg));
    }
}
