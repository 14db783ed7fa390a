//! The master of one CAN metering network: orders all nodes to close a reading, then asks each for
//! its registers by remote frames, or by data frames to node 0 that name it.
//!
//! Terms: a *poll* is one round over all nodes; an *order* closes a reading at all of them, and
//! each answers it with the number of its reading; an *ask* is a remote frame that is to be
//! answered. An answer that nobody waits for is late, doubled or of a node that was given up on.
//!
//! Between polls it orders nodes to open or close their switching units, one at a time; each
//! answers with the state and the token of the order, and is repeated like an ask. Messages that
//! are authenticated go to all nodes, as only those have a key of the master; a third byte then
//! names the node.
//!
//! Where messages are authenticated, an order is led by a resynchronisation at the start and after
//! a node has not answered one; a node whose messages were refused is asked for its own before the
//! next order.

use std::collections::VecDeque;

use lastmeter_board::meter_node::{
    ProfileInterval, Register, UniqueId, VoltageDip, compact_voltage_dip, profile_interval, values,
    voltage_dip,
};
use lastmeter_can::authentication::SealError;
use lastmeter_can::bus::Happening;
use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_can::frame::{CanFrame, CanId, DATA_BYTES_MAX};
use lastmeter_can::node::processor::{Release, ServiceTime, Task};
use lastmeter_units::{HardwareId, Quantity, SimDuration, SimTime};

use super::unique_ids::UniqueIds;
use crate::border::ExchangeStage;
use crate::can::port::{Offer, Port, PortEvent, PortSettings};
use crate::can::seal::{Guard, Opened, Refused, resync_request};
use crate::can::software::Software;

/// The data length code of remote frames: of what is answered (docs/decisions.md).
const REMOTE_DLC: u8 = 8;
/// The data bytes of a compact register, without what authenticates them.
const COMPACT_BYTES: usize = 4;
/// What an exchange takes beside the request, as a first guess.
const ANSWER_TIME: SimDuration = SimDuration::from_milliseconds(20);
/// The bits of an identifier that are the node's.
const NODE_BITS: u16 = 0x1F;

/// When and how nodes are asked.
#[derive(Clone, Debug)]
pub(super) struct PollSettings {
    pub(super) start: SimTime,
    pub(super) poll_every: SimDuration,
    /// Whether round follows round, of which only those that begin a period are reported.
    pub(super) is_continuous: bool,
    pub(super) registers: Vec<Register>,
    /// What a poll takes the application before it orders anything.
    pub(super) overhead: SimDuration,
    /// What one request takes from the application to a mailbox.
    pub(super) request: SimDuration,
    pub(super) interrupt_latency: SimDuration,
    /// How many asks are open at once.
    pub(super) at_once: usize,
    /// How long an answer is waited for.
    pub(super) patience: SimDuration,
    pub(super) repetitions: u32,
    pub(super) order: TransmitOrder,
    /// The register that closes a reading.
    pub(super) freeze: Register,
    /// Whether nodes are asked by data frames.
    pub(super) asks_by_data: bool,
    /// Whether messages are authenticated.
    pub(super) is_sealed: bool,
}

/// A node of the network.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: HardwareId,
    pub(super) number: u8,
    /// Its unique id, if that is known beforehand.
    pub(super) unique_id: Option<UniqueId>,
    /// Polls in a row that it has not answered.
    pub(super) failures: i64,
    /// The number of the reading that it has closed in this poll.
    reading: Option<u32>,
    values: Vec<(Quantity, f64)>,
    /// The last interval of its power profile, as of that reading.
    profile: Option<ProfileInterval>,
    /// The number of the dip that it answered with last.
    dip: Option<u32>,
    /// The first half of a dip of two compact registers.
    dip_residual: Vec<u8>,
    /// Asks that are not answered.
    left: usize,
    /// A message under its number was refused since its last one was accepted.
    is_doubted: bool,
}

impl Node {
    pub(super) const fn new(id: HardwareId, number: u8) -> Self {
        Self {
            id,
            number,
            unique_id: None,
            failures: 0,
            reading: None,
            values: Vec::new(),
            profile: None,
            dip: None,
            dip_residual: Vec::new(),
            left: 0,
            is_doubted: false,
        }
    }

    /// The dip in an answer, if it is another one than before, and whether none was heard of.
    fn new_dip(&mut self, register: Register, bytes: &[u8]) -> Option<(VoltageDip, bool)> {
        let dip = match register {
            Register::Dip => voltage_dip(bytes),
            Register::CompactDipResidual => {
                self.dip_residual = bytes.to_vec();
                None
            }
            Register::CompactDipDuration => compact_voltage_dip(&self.dip_residual, bytes),
            _ => None,
        }?;
        let before = self.dip.replace(dip.number);
        let is_new = dip.number > 0 && before != Some(dip.number);
        is_new.then_some((dip, before.is_none()))
    }
}

/// What comes of a poll.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Polled {
    /// A node has answered all that it was asked.
    Reading {
        place: usize,
        number: u32,
        /// When its poll was due.
        due: SimTime,
        closed_at: SimTime,
        values: Vec<(Quantity, f64)>,
        profile: Option<ProfileInterval>,
    },
    /// A poll that is reported has ended.
    Ended { due: SimTime },
    /// A switching unit has answered with its state.
    Switched { place: usize, is_closed: bool },
    /// A switching unit has not answered an order.
    NotSwitched { place: usize, is_closed: bool },
    /// A node has answered with a dip that is not the one before: `is_first` if this master has
    /// heard of none yet.
    Dip { place: usize, dip: VoltageDip, is_first: bool },
    /// A node has announced its unique id.
    Announced { number: u8, id: UniqueId },
    /// A node has not answered.
    Silent { place: usize, what: &'static str },
    /// A frame that nobody waits for.
    NotAwaited(CanFrame),
    /// A frame was lost, as the software was too slow for the controller.
    Lost(CanFrame),
    /// A poll that was due then begins after the one before.
    Late(SimTime),
    /// The counter of the last message of a node, to be kept before what follows counts.
    Accepted { place: usize, counter: u64 },
    /// The first counter that the master never reserved, to be kept before what follows is sent.
    Reserved(u64),
    /// A message was refused; its node, if it is one of the network.
    Refused { place: Option<usize>, refused: Refused },
    /// So many were refused that it is an attack.
    Alarm { place: Option<usize>, refused: Refused },
    /// A request could not be sealed.
    NotSealed(SealError),
    /// The software has come to a stage of an exchange.
    Stage(ExchangeStage, CanFrame),
    /// The bus is to be offered this.
    Offer(Option<CanFrame>),
}

/// What is awaited.
#[derive(Clone, Debug)]
struct Ask {
    place: usize,
    register: Register,
    /// What asks for it on the bus, once its request is made.
    frames: Vec<CanFrame>,
    /// When it is given up on.
    until: SimTime,
    /// How often it was repeated.
    repeated: u32,
}

/// An order to a switching unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SwitchOrder {
    place: usize,
    is_closed: bool,
    repeated: u32,
}

/// How far a poll has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// None is under way.
    Idle,
    /// The application prepares it.
    Preparing { until: SimTime },
    /// Nodes are to answer the order.
    Ordered { until: SimTime },
    /// Nodes are asked.
    Asking,
    /// A switching unit is to answer.
    Switching { order: SwitchOrder, until: SimTime },
}

/// The master of one network.
#[derive(Debug)]
pub(super) struct Master {
    pub(super) nodes: Vec<Node>,
    pub(super) ids: UniqueIds,
    settings: PollSettings,
    port: Port,
    guard: Guard,
    /// The software that makes requests of what the application wants.
    requests: Software<CanFrame>,
    phase: Phase,
    token: u8,
    /// The frames of the last order.
    ordered: Vec<CanFrame>,
    closed_at: SimTime,
    open: Vec<Ask>,
    left: VecDeque<(usize, Register, u32)>,
    next_poll: SimTime,
    waiting: Option<SimTime>,
    /// When the poll that is under way was due.
    due: SimTime,
    switches: VecDeque<SwitchOrder>,
    switch_token: u8,
    /// No order to a switching unit goes out before.
    release_at: SimTime,
    /// Whether what comes of this round is reported.
    is_reported: bool,
}

/// The order to close a reading.
fn order(freeze: Register, token: u8) -> Option<CanFrame> {
    CanFrame::data(identifier(freeze, 0)?, &[token]).ok()
}

pub(super) fn identifier(register: Register, node: u8) -> Option<CanId> {
    CanId::standard(u32::from(register.identifier(node))).ok()
}

impl Master {
    pub(super) fn new(settings: PollSettings, guard: Guard, nodes: Vec<Node>) -> Self {
        let port = PortSettings {
            order: settings.order,
            overrun: OverrunPolicy::DiscardNewest,
            interrupt_latency: settings.interrupt_latency,
        };
        let service = ServiceTime::Always(settings.request);
        let task = Task::new("requests", 1, Release::Event, service);
        Self {
            nodes,
            ids: UniqueIds::default(),
            // It hears all nodes.
            port: Port::new(port, &[(0, 0)]),
            guard,
            requests: Software::new(vec![task], settings.start),
            phase: Phase::Idle,
            token: 0,
            ordered: Vec::new(),
            closed_at: settings.start,
            open: Vec::new(),
            left: VecDeque::new(),
            next_poll: settings.start + settings.poll_every,
            waiting: None,
            due: settings.start,
            switches: VecDeque::new(),
            switch_token: 0,
            release_at: settings.start,
            is_reported: false,
            settings,
        }
    }

    /// Whether numbers of readings have 24 bits.
    pub(super) fn has_short_numbers(&self) -> bool {
        self.settings.freeze.is_compact()
    }

    /// When the next poll is due.
    pub(super) const fn next_poll(&self) -> SimTime {
        self.next_poll
    }

    /// Whether a poll that is reported is under way.
    pub(super) fn is_polling(&self) -> bool {
        let is_under_way = !matches!(self.phase, Phase::Idle | Phase::Switching { .. });
        self.waiting.is_some() || (is_under_way && self.is_reported)
    }

    /// How long a poll may take that nothing goes wrong in, before any was seen.
    pub(super) fn poll_time(&self) -> SimDuration {
        let settings = &self.settings;
        let asks = (self.nodes.len() * (1 + settings.registers.len())) as i64;
        settings.overhead + settings.patience + (settings.request + ANSWER_TIME) * asks
    }

    /// Orders a node to open or close its switching unit, not before an instant.
    pub(super) fn switch(&mut self, place: usize, is_closed: bool, release_at: SimTime) {
        self.release_at = release_at;
        self.switches.push_back(SwitchOrder { place, is_closed, repeated: 0 });
    }

    /// Takes what happened at its end of the bus.
    pub(super) fn wire(&mut self, now: SimTime, what: Happening, out: &mut Vec<Polled>) {
        if let Some(PortEvent::Overrun(frame)) = self.port.wire(now, what) {
            out.push(Polled::Lost(frame));
        }
        if let Happening::Sent(frame) = what
            && !frame.is_remote()
            && matches!(self.phase, Phase::Ordered { .. })
        {
            self.closed_at = now;
        }
    }

    /// When it has something to do next.
    pub(super) fn wake_at(&self) -> SimTime {
        let phase = match self.phase {
            Phase::Preparing { until }
            | Phase::Ordered { until }
            | Phase::Switching { until, .. } => Some(until),
            Phase::Idle => Some(self.release_at).filter(|_| !self.switches.is_empty()),
            Phase::Asking => None,
        };
        let open = self.open.iter().map(|ask| ask.until);
        let own = self.port.next().into_iter().chain(self.requests.next());
        own.chain(phase).chain(open).fold(self.next_poll, SimTime::min)
    }

    /// Does what is to be done by now.
    pub(super) fn work(&mut self, now: SimTime, out: &mut Vec<Polled>) {
        self.poll_due(now, out);
        if let Some(record) = self.guard.to_keep() {
            out.push(Polled::Reserved(record.first_free));
            self.guard.kept();
        }
        loop {
            if let Some(frame) = self.port.interrupt(now) {
                for opened in self.guard.open(now, frame) {
                    self.opened(opened, out);
                }
            } else if let Some(frame) = self.requests.done(now) {
                self.seal(frame, out);
            } else if !self.advance(now, out) {
                break;
            }
        }
        let requested = self.port.take_requested().into_iter();
        out.extend(requested.map(|frame| {
            let frame = self.asked_by(&frame).unwrap_or(frame);
            Polled::Stage(ExchangeStage::Requested, frame)
        }));
        out.extend(self.port.offer().map(|Offer(frame)| Polled::Offer(frame)));
    }

    /// Hands a request to the controller, sealed, and keeps with what awaits its answer what went
    /// there.
    fn seal(&mut self, request: CanFrame, out: &mut Vec<Polled>) {
        let frames = match self.guard.seal(request) {
            Ok(frames) => frames,
            Err(error) => return out.push(Polled::NotSealed(error)),
        };
        for &frame in &frames {
            self.port.request(frame);
        }
        let asked = if request.is_remote() { Some(request) } else { self.asked_by(&request) };
        let Some(asked) = asked else {
            self.ordered = frames;
            return;
        };
        let open = self.open.iter().position(|ask| {
            self.remote(ask.place, ask.register).is_some_and(|remote| remote == asked)
        });
        if let Some(place) = open {
            self.open[place].frames = frames;
        }
    }

    fn poll_due(&mut self, now: SimTime, out: &mut Vec<Polled>) {
        while self.next_poll <= now {
            // An order to a switching unit is short, and no poll.
            let is_idle = matches!(self.phase, Phase::Idle | Phase::Switching { .. });
            if !is_idle && !self.settings.is_continuous && self.waiting.is_none() {
                out.push(Polled::Late(self.next_poll));
            }
            self.waiting = Some(self.next_poll);
            self.next_poll += self.settings.poll_every;
        }
    }

    /// Goes from one phase to the next; whether it has.
    fn advance(&mut self, now: SimTime, out: &mut Vec<Polled>) -> bool {
        match self.phase {
            Phase::Idle => {
                let is_due = self.waiting.is_some();
                if !is_due
                    && self.release_at <= now
                    && let Some(order) = self.switches.pop_front()
                {
                    self.switch_token = self.switch_token.wrapping_add(1);
                    self.send_switch(now, order);
                    return true;
                }
                self.due = self.waiting.take().unwrap_or(now);
                let begins = (is_due || self.settings.is_continuous) && !self.nodes.is_empty();
                if begins {
                    self.is_reported = is_due;
                    self.phase = Phase::Preparing { until: now + self.settings.overhead };
                    for frame in self.ids.requests(&self.nodes) {
                        self.requests.release(now, 0, frame);
                    }
                }
                begins
            }
            Phase::Preparing { until } => {
                let is_ready = until <= now;
                if is_ready {
                    self.order(now);
                }
                is_ready
            }
            Phase::Ordered { until } => {
                let is_over = until <= now || self.nodes.iter().all(|node| node.reading.is_some());
                if is_over {
                    // One that did not get out would close a reading that nobody asks for.
                    for frame in std::mem::take(&mut self.ordered) {
                        self.port.withdraw(frame);
                    }
                    self.ask_all(out);
                }
                is_over
            }
            Phase::Asking => self.ask(now, out),
            Phase::Switching { order, until } => {
                let is_over = until <= now;
                if is_over {
                    self.not_switched(now, order, out);
                }
                is_over
            }
        }
    }

    fn send_switch(&mut self, now: SimTime, order: SwitchOrder) {
        let number = self.nodes.get(order.place).map_or(0, |node| node.number);
        let [state, token] = [u8::from(order.is_closed), self.switch_token];
        let (node, data) = if self.settings.is_sealed {
            (0, &[state, token, number][..])
        } else {
            (number, &[state, token][..])
        };
        let frame = identifier(Register::Switch, node).map(|id| CanFrame::data(id, data));
        // Whoever else has its number is not to obey.
        if let Some(Ok(frame)) = frame
            && self.ids.place(&self.nodes, number) == Some(order.place)
        {
            self.requests.release(now, 0, frame);
        }
        let until = now + self.settings.request + self.settings.patience;
        self.phase = Phase::Switching { order, until };
    }

    /// An order to a switching unit was not answered in time: it goes out again, or is given up.
    fn not_switched(&mut self, now: SimTime, order: SwitchOrder, out: &mut Vec<Polled>) {
        for frame in std::mem::take(&mut self.ordered) {
            self.port.withdraw(frame);
        }
        self.guard.resync_ahead();
        if order.repeated < self.settings.repetitions {
            self.send_switch(now, SwitchOrder { repeated: order.repeated + 1, ..order });
        } else {
            self.phase = Phase::Idle;
            let SwitchOrder { place, is_closed, .. } = order;
            out.push(Polled::NotSwitched { place, is_closed });
        }
    }

    /// Takes the answer of a switching unit.
    fn switched(&mut self, place: usize, frame: CanFrame, out: &mut Vec<Polled>) {
        let is_awaited = match (self.phase, frame.bytes()) {
            (Phase::Switching { order, .. }, [0 | 1, token, ..]) => {
                order.place == place && *token == self.switch_token
            }
            _ => false,
        };
        if !is_awaited {
            return out.push(Polled::NotAwaited(frame));
        }
        self.phase = Phase::Idle;
        let is_closed = frame.bytes().first() == Some(&1);
        out.push(Polled::Switched { place, is_closed });
    }

    /// Orders all nodes to close a reading.
    fn order(&mut self, now: SimTime) {
        self.token = self.token.wrapping_add(1);
        let mut requests = 1;
        for node in &mut self.nodes {
            node.reading = None;
            node.values.clear();
            node.profile = None;
            if std::mem::take(&mut node.is_doubted)
                && let Some(request) = resync_request(node.number)
            {
                self.requests.release(now, 0, request);
                requests += 1;
            }
        }
        if let Some(frame) = order(self.settings.freeze, self.token) {
            self.requests.release(now, 0, frame);
        }
        let until = now + self.settings.request * requests + self.settings.patience;
        self.phase = Phase::Ordered { until };
    }

    /// What is to be asked of those that have closed a reading.
    fn ask_all(&mut self, out: &mut Vec<Polled>) {
        for (place, node) in self.nodes.iter_mut().enumerate() {
            if node.reading.is_none() {
                if self.is_reported {
                    out.push(Polled::Silent { place, what: "no answer to an order" });
                }
                self.guard.resync_ahead();
                continue;
            }
            node.left = self.settings.registers.len();
            let asks = self.settings.registers.iter().map(|&register| (place, register, 0));
            self.left.extend(asks);
        }
        self.phase = Phase::Asking;
    }

    /// Asks as much as may be open at once, gives up on what takes too long; whether anything was
    /// done.
    fn ask(&mut self, now: SimTime, out: &mut Vec<Polled>) -> bool {
        if let Some(at) = self.open.iter().position(|ask| ask.until <= now) {
            let Ask { place, register, frames, repeated, .. } = self.open.remove(at);
            // One that did not get out would be answered when nobody waits for it.
            for frame in frames {
                self.port.withdraw(frame);
            }
            if self.settings.asks_by_data {
                self.guard.resync_ahead();
            }
            if repeated < self.settings.repetitions {
                self.left.push_front((place, register, repeated + 1));
            } else {
                // What it would be asked besides would take as long.
                self.left.retain(|(other, ..)| *other != place);
                self.open.retain(|ask| ask.place != place);
                if self.is_reported {
                    out.push(Polled::Silent { place, what: "no answer" });
                }
            }
            return true;
        }
        if self.open.len() < self.settings.at_once
            && let Some((place, register, repeated)) = self.left.pop_front()
        {
            if let Some(frame) = self.remote(place, register) {
                out.push(Polled::Stage(ExchangeStage::Asked, frame));
            }
            if let Some(frame) = self.request(place, register) {
                self.requests.release(now, 0, frame);
            }
            // Its request may have to wait for the one before.
            let waits = self.settings.request.0.saturating_mul(1 + self.open.len() as i64);
            let until = now + SimDuration(waits) + self.settings.patience;
            self.open.push(Ask { place, register, frames: Vec::new(), until, repeated });
            return true;
        }
        if self.open.is_empty() && self.left.is_empty() {
            self.phase = Phase::Idle;
            if self.is_reported {
                out.push(Polled::Ended { due: self.due });
            }
            return self.waiting.is_some() || self.settings.is_continuous;
        }
        false
    }

    /// Takes what came of a frame.
    fn opened(&mut self, opened: Opened, out: &mut Vec<Polled>) {
        let place_of = |number| self.nodes.iter().position(|node| node.number == number);
        match opened {
            Opened::Frame(frame) => self.taken(frame, out),
            Opened::Accepted(record) => {
                if let Some(place) = place_of(record.node) {
                    self.nodes[place].is_doubted = false;
                    out.push(Polled::Accepted { place, counter: record.last });
                }
            }
            Opened::Refused(refused) => {
                let place = place_of(refused.node());
                if let Some(place) = place {
                    self.nodes[place].is_doubted |= refused.reason.is_failure();
                }
                out.push(Polled::Refused { place, refused });
            }
            Opened::Alarm(refused) => {
                out.push(Polled::Alarm { place: place_of(refused.node()), refused });
            }
        }
    }

    /// What asks a node for a register.
    fn remote(&self, place: usize, register: Register) -> Option<CanFrame> {
        let node = self.nodes.get(place).map_or(0, |node| node.number);
        CanFrame::remote(identifier(register, node)?, REMOTE_DLC).ok()
    }

    /// The frame that asks a node for a register.
    fn request(&self, place: usize, register: Register) -> Option<CanFrame> {
        if !self.settings.asks_by_data {
            return self.remote(place, register);
        }
        let node = self.nodes.get(place)?.number;
        CanFrame::data(identifier(register, 0)?, &[node]).ok()
    }

    /// What a data frame asks for, sealed or not: as the remote frame that would.
    fn asked_by(&self, frame: &CanFrame) -> Option<CanFrame> {
        let (register, 0) = Register::of_identifier(u16::try_from(frame.id().value()).ok()?)?
        else {
            return None;
        };
        let number = *frame.bytes().first()?;
        let is_asked = |ask: &&Ask| {
            let node = self.nodes.get(ask.place);
            ask.register == register && node.is_some_and(|node| node.number == number)
        };
        let ask = self.open.iter().find(is_asked).filter(|_| self.settings.asks_by_data)?;
        self.remote(ask.place, register)
    }

    /// The interrupt routine takes a frame.
    fn taken(&mut self, frame: CanFrame, out: &mut Vec<Polled>) {
        let identifier = u16::try_from(frame.id().value()).unwrap_or(u16::MAX);
        let number = (identifier & NODE_BITS) as u8;
        let place = self.ids.place(&self.nodes, number);
        let register = Register::of_identifier(identifier).map(|(register, _)| register);
        if let Some(register @ (Register::UniqueIdHigh | Register::UniqueIdLow)) = register {
            let id = self.ids.join(number, register, frame.bytes());
            return out.extend(id.map(|id| Polled::Announced { number, id }));
        }
        let (Some(place), Some(register), false) = (place, register, frame.is_remote()) else {
            return out.push(Polled::NotAwaited(frame));
        };
        if register == Register::Switch {
            return self.switched(place, frame, out);
        }
        let node = &mut self.nodes[place];
        if register == self.settings.freeze {
            let is_awaited = matches!(self.phase, Phase::Ordered { .. }) && node.reading.is_none();
            let closed = match *frame.bytes() {
                [n3, n2, n1, n0, _, _, _, token] => Some((token, [n3, n2, n1, n0])),
                [token, n2, n1, n0] => Some((token, [0, n2, n1, n0])),
                _ => None,
            };
            match closed.filter(|(token, _)| *token == self.token && is_awaited) {
                Some((_, number)) => node.reading = Some(u32::from_be_bytes(number)),
                None => out.push(Polled::NotAwaited(frame)),
            }
            return;
        }
        let open = self.open.iter().position(|ask| (ask.place, ask.register) == (place, register));
        // What is shorter is nobody's answer.
        let whole = if register.is_compact() { COMPACT_BYTES } else { DATA_BYTES_MAX };
        let Some(open) = open.filter(|_| frame.bytes().len() == whole) else {
            return out.push(Polled::NotAwaited(frame));
        };
        out.push(Polled::Stage(ExchangeStage::Taken, frame));
        self.open.remove(open);
        node.values.extend(values(register, frame.bytes()));
        node.profile = profile_interval(register, frame.bytes()).or(node.profile);
        if let Some((dip, is_first)) = node.new_dip(register, frame.bytes()) {
            out.push(Polled::Dip { place, dip, is_first });
        }
        node.left = node.left.saturating_sub(1);
        if node.left == 0
            && self.is_reported
            && let Some(number) = node.reading
        {
            let (closed_at, values) = (self.closed_at, std::mem::take(&mut node.values));
            let (due, profile) = (self.due, node.profile);
            out.push(Polled::Reading { place, number, due, closed_at, values, profile });
        }
    }
}
