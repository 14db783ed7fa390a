//! The way out of a meter on a CAN metering network: a node that closes a reading when it is
//! ordered to, and answers remote frames with what that reading holds.
//!
//! The controller interrupts at the end of a frame. The interrupt routine takes the frame, closes
//! the reading if that is what it orders, and leaves the answer to the task that serves the bus;
//! the answer goes into a mailbox when that task is done with it. So what a request waits for is
//! the bus twice and the software twice, and the tasks of higher priority.
//!
//! A main task disables others and enables them again. Without the one that serves the bus frames
//! are taken and dropped, and no reading is closed. Without the one that measures an order to close
//! a reading is not answered, since what was measured before is not of that reading's time.
//!
//! Without a supply all is lost but what is in the EEPROM. The metering core begins again with the
//! first whole measuring period, from the registers that were stored.
//!
//! | file | purpose |
//! |---|---|
//! | `claim` | its unique id, and who has a number that two nodes have |
//! | `memory` | what is kept in the EEPROM |
//! | `profile` | the mean power of the last interval |
//! | `registers` | what a reading holds, as the bytes of answers |
//! | `switch` | the switching unit |
//! | `tasks` | the processor with its tasks |

mod claim;
mod memory;
mod profile;
mod registers;
mod switch;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use lastmeter_board::meter_node::{Register, UniqueId, VoltageDip, values};
use lastmeter_can::bus::{ErrorState, Happening};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::node::eeprom::NodeRecord;
use lastmeter_sim::{DeclaredSpan, Identity, ReferenceSpan};
use lastmeter_units::{Direction, Epoch, MeasurementId, Quantity, Serial, SimDuration, SimTime};
use lastmeter_wire::flexmeter::fact;

use super::{Outlet, event, named};
use crate::border::{
    DeviceFault, EventKind, ExchangeStage, Input, NodeTask, Output, VoltageEventKind,
};
use crate::can::port::{Offer, Port, PortEvent, PortSettings};
use crate::can::seal::{
    Authentication, Guard, GuardParts, KeptCounters, Opened, is_resync, order_identifiers,
};
use crate::message::Alert;
use claim::Claim;
use memory::Memory;
use profile::Profile;
use registers::{Closed, data};
use switch::SwitchOrder;
use tasks::{Job, NodeSoftware};

pub(crate) use memory::MemoryParts;
pub(crate) use tasks::{SoftwareParts, TaskParts};

/// How far a window may end before the measurement that contains it is made.
const WINDOW_LAG: SimDuration = SimDuration::from_milliseconds(500);

#[derive(Clone, Debug)]
pub(crate) struct CanParts {
    pub(crate) start: SimTime,
    /// 1 to 31.
    pub(crate) node: u8,
    /// Its unique id, if it announces itself.
    pub(crate) unique_id: Option<UniqueId>,
    /// Whether the master knows its unique id beforehand.
    pub(crate) is_known_by_id: bool,
    pub(crate) port: PortSettings,
    pub(crate) software: SoftwareParts,
    pub(crate) memory: MemoryParts,
    /// Whether its switching unit is closed at the start; `None`: it has none.
    pub(crate) is_closed: Option<bool>,
    /// Whether orders of its switching unit are carried out and answered.
    pub(crate) obeys_orders: bool,
    /// How often it measures.
    pub(crate) measure_every: SimDuration,
    /// The length of the intervals of its power profile, and how far ahead the clock of them is.
    pub(crate) profile: (SimDuration, SimDuration),
    pub(crate) guard: GuardParts,
}

/// The data length code of remote frames.
const REMOTE_DLC: u8 = 8;

/// Energy registers, in the order in which they are kept.
const DIRECTIONS: [Direction; 2] = [Direction::Consumed, Direction::Injected];

/// The way out of a meter on a CAN bus.
#[derive(Debug)]
pub(crate) struct CanOutlet {
    parts: CanParts,
    claim: Option<Claim>,
    port: Port,
    software: NodeSoftware,
    memory: Memory,
    /// Where its switching unit stands, if it has one.
    is_closed: Option<bool>,
    /// Whether it is still to be reported that the unit is open from the start.
    is_open_at_start: bool,
    newest: Option<(ReferenceSpan, registers::Values)>,
    /// Measurements since a reading was closed.
    measurements: u32,
    closed: Closed,
    profile: Profile,
    /// The last voltage dip that is over.
    dip: Option<VoltageDip>,
    /// What the core's energy registers have, in J: consumed and injected.
    core_j: [f64; 2],
    /// How much of that the node's registers do not have.
    lost_j: [f64; 2],
    /// The registers to go on from with the first whole measuring period after a loss of supply.
    resumes_from: Option<NodeRecord>,
    /// When its supply is back.
    dark_until: Option<SimTime>,
    /// When the main task is to enable tasks again.
    enables: Vec<(SimTime, NodeTask)>,
    /// What quantities go by in messages.
    names: BTreeMap<Quantity, &'static str>,
    /// What of the closed reading it has answered with, in SI units.
    answered: BTreeMap<String, f64>,
    frozen_until: Option<SimTime>,
    /// Whether it has been reported that readings are not stored.
    is_refusing: bool,
    /// How many answers to orders are still to be left out.
    skip: u32,
    overruns: u64,
    guard: Guard,
    /// What no loss of power takes from it.
    counters: KeptCounters,
}

impl CanOutlet {
    pub(crate) fn new(parts: CanParts) -> Self {
        // Orders for all, and whatever is for this node.
        let orders: &[_] = match parts.guard.authentication {
            Authentication::None => &[Register::Freeze, Register::CompactFreeze, Register::Switch],
            Authentication::Compact => &[Register::CompactFreeze, Register::Switch],
            Authentication::Paper | Authentication::Strong => &[Register::Freeze, Register::Switch],
        };
        let scheme = parts.guard.authentication;
        let orders = orders.iter().flat_map(|it| order_identifiers(scheme, it.identifier(0)));
        let mut filters: Vec<_> = orders.map(|identifier| (identifier, 0x7FF)).collect();
        filters.extend(request_filters(scheme));
        filters.push((u16::from(parts.node), 0x01F));
        let counters = KeptCounters::default();
        Self {
            guard: Guard::new(parts.guard.clone(), &counters),
            counters,
            claim: parts.unique_id.map(|id| Claim::new(id, parts.node, 0, parts.start)),
            port: Port::new(parts.port, &filters),
            software: NodeSoftware::new(parts.software.clone(), parts.start),
            memory: Memory::new(parts.memory, parts.start, parts.is_closed == Some(false)),
            is_closed: parts.is_closed,
            is_open_at_start: parts.is_closed == Some(false),
            newest: None,
            measurements: 0,
            closed: Closed::default(),
            profile: Profile::new(
                parts.profile.0,
                parts.measure_every,
                parts.start + parts.profile.1,
            ),
            dip: None,
            core_j: [0.0; 2],
            lost_j: [0.0; 2],
            resumes_from: None,
            dark_until: None,
            enables: Vec::new(),
            names: BTreeMap::new(),
            answered: BTreeMap::new(),
            frozen_until: None,
            is_refusing: false,
            skip: 0,
            overruns: 0,
            parts,
        }
    }

    /// The interrupt routine takes a frame.
    fn taken(&mut self, now: SimTime, mut frame: CanFrame, out: &mut Vec<Output>) {
        self.frozen_until = self.frozen_until.filter(|&until| now < until);
        if self.frozen_until.is_some() || !self.software.is_enabled(NodeTask::Can) {
            return;
        }
        if is_resync(&frame) && frame.is_remote() {
            return self.software.release(now, Job::Answer(frame));
        }
        let Some((register, node)) =
            u16::try_from(frame.id().value()).ok().and_then(Register::of_identifier)
        else {
            return;
        };
        if let Some(claim) = &mut self.claim {
            let is_claimed = node == self.parts.node && !frame.is_remote();
            if is_claimed && let Some(other) = claim.heard(now, register, frame.bytes()) {
                let detail = format!("node {node} is {other}, with a lower id than its own");
                event(out, EventKind::NumberLost, &detail);
            }
            if !claim.is_settled(now) {
                return;
            }
        }
        let is_order = matches!(register, Register::Freeze | Register::CompactFreeze);
        if is_order && !frame.is_remote() {
            if !self.close(now, frame.bytes(), out) {
                return;
            }
            if self.skip > 0 {
                self.skip -= 1;
                return;
            }
        } else if register == Register::Switch && !frame.is_remote() {
            let (own, scheme) = (self.parts.node, self.parts.guard.authentication);
            let is_order = SwitchOrder::of(frame.bytes()).is_some();
            let is_obeyed = self.parts.obeys_orders && self.is_closed.is_some();
            if !is_order || !is_obeyed || !switch::is_for(&frame, node, own, scheme) {
                return;
            }
        } else if let Some(asked) = self.asked_by_data(register, node, &frame) {
            frame = asked;
        } else if node != self.parts.node || !frame.is_remote() {
            return;
        }
        out.push(Output::Stage { stage: ExchangeStage::Taken, frame });
        self.software.release(now, Job::Answer(frame));
    }

    /// The remote frame that a data frame stands for, which asks all nodes for a register, or the
    /// node that its one byte names.
    fn asked_by_data(&self, register: Register, node: u8, frame: &CanFrame) -> Option<CanFrame> {
        let is_for_this = match *frame.bytes() {
            [] => true,
            [number] => number == 0 || number == self.parts.node,
            _ => false,
        };
        if node != 0 || frame.is_remote() || !is_for_this {
            return None;
        }
        let id = CanId::standard(u32::from(register.identifier(self.parts.node))).ok()?;
        CanFrame::remote(id, REMOTE_DLC).ok()
    }

    /// Closes a reading; nothing is closed before something was measured, nor as long as its number
    /// might be given again.
    fn close(&mut self, now: SimTime, order: &[u8], out: &mut Vec<Output>) -> bool {
        let Some((span, values)) = &self.newest else { return false };
        let next = self.memory.next_number(now, u64::from(self.closed.number));
        let Some(number) = next.and_then(|number| u32::try_from(number).ok()) else {
            if !std::mem::replace(&mut self.is_refusing, true) {
                let detail = format!("no reading is closed behind {}", self.closed.number);
                event(out, EventKind::NotStored, &detail);
            }
            return false;
        };
        self.is_refusing = false;
        self.closed = Closed {
            number,
            measurements: std::mem::take(&mut self.measurements),
            token: order.first().copied().unwrap_or(0),
            values: values.clone(),
            profile: self.profile.last(),
            dip: self.dip,
        };
        self.answered.clear();
        let serial = Serial(u64::from(number));
        out.push(Output::Reading { epoch: Epoch(1), serial, at: now, span: *span });
        let [consumed_mj, injected_mj] = DIRECTIONS.map(|direction| {
            let joules = values.get(&Quantity::ActiveEnergy(direction)).copied().unwrap_or(0.0);
            // The cast saturates.
            (joules * 1e3).round() as u64
        });
        let reading = u64::from(number);
        let is_open = self.is_closed == Some(false);
        let record = NodeRecord { consumed_mj, injected_mj, reading, freshness: 0, is_open };
        self.memory.store(now, record);
        true
    }

    /// The answer to what was taken.
    fn answer_of(&self, frame: CanFrame) -> Option<CanFrame> {
        let (register, _) = Register::of_identifier(u16::try_from(frame.id().value()).ok()?)?;
        let id = CanId::standard(u32::from(register.identifier(self.parts.node))).ok()?;
        if register == Register::Switch {
            let order = SwitchOrder::of(frame.bytes()).map(SwitchOrder::answer);
            return CanFrame::data(id, &order.or(self.is_closed.map(switch::state))?).ok();
        }
        let half = self.parts.unique_id.and_then(|id| id.half(register)).map(Vec::from);
        CanFrame::data(id, &half.or_else(|| data(register, &self.closed))?).ok()
    }

    /// Sets the switching unit; whether it was elsewhere.
    fn set_unit(&mut self, is_closed: bool, out: &mut Vec<Output>) -> bool {
        let is_moved = self.is_closed.is_some_and(|before| before != is_closed);
        if is_moved {
            self.is_closed = Some(is_closed);
            out.push(Output::Switched { is_closed });
            event(out, EventKind::SwitchSet, if is_closed { "closed" } else { "open" });
        }
        is_moved
    }

    /// Puts the answer to what was taken behind those that wait for a mailbox.
    fn answer(&mut self, now: SimTime, asked: CanFrame, out: &mut Vec<Output>) {
        let order = Some(asked).filter(|asked| is_of(asked, Register::Switch));
        if let Some(order) = order.and_then(|order| SwitchOrder::of(order.bytes()))
            && self.set_unit(order.is_closed, out)
        {
            self.memory.store_unit(now, !order.is_closed);
        }
        let sealed = match self.answer_of(asked) {
            Some(answer) => {
                self.note_values(&answer, out);
                self.guard.seal(answer).map_err(|error| error.to_string())
            }
            None if is_resync(&asked) => self.guard.resync().map_err(|error| error.to_string()),
            None => Err("this node has no such register".to_owned()),
        };
        match sealed {
            Ok(frames) => frames.into_iter().for_each(|frame| self.port.request(frame)),
            Err(why) => event(out, EventKind::InputRefused, &format!("{asked}: {why}")),
        }
    }

    /// Takes what came of a frame.
    fn opened(&mut self, now: SimTime, opened: Opened, out: &mut Vec<Output>) {
        match opened {
            Opened::Frame(frame) => self.taken(now, frame, out),
            Opened::Accepted(record) => {
                self.counters.last.insert(record.node, record.last);
            }
            Opened::Refused(refused) => {
                if refused.is_noted() {
                    event(out, EventKind::InputRefused, &refused.to_string());
                }
            }
            // It has nobody to report it to; the master hears the same.
            Opened::Alarm(_) => {}
        }
    }

    /// Reports with what it has answered, where an answer has values.
    fn note_values(&mut self, answer: &CanFrame, out: &mut Vec<Output>) {
        let register = u16::try_from(answer.id().value()).ok().and_then(Register::of_identifier);
        let Some((register, _)) = register else { return };
        let before = self.answered.len();
        for (quantity, value) in values(register, answer.bytes()) {
            if let Some(&name) = self.names.get(&quantity) {
                self.answered.insert(name.to_owned(), value);
            }
        }
        if self.answered.len() > before {
            out.push(Output::Answered { values: self.answered.clone() });
        }
    }

    /// What its software does by now, and what the bus is offered then.
    fn work(&mut self, now: SimTime, out: &mut Vec<Output>) {
        if std::mem::take(&mut self.is_open_at_start) {
            out.push(Output::Switched { is_closed: false });
        }
        self.return_supply(now, out);
        if let Some(record) = self.guard.to_keep() {
            self.counters.sender = record;
            self.guard.kept();
        }
        while let Some(at) = self.enables.iter().position(|(at, _)| *at <= now) {
            let (_, task) = self.enables.remove(at);
            self.software.release(now, Job::Switch(task, true));
        }
        if let Some(frame) = self.claim.as_mut().and_then(|claim| claim.due(now)) {
            self.port.request(frame);
        }
        loop {
            while self.port.is_raised(now) {
                self.software.release(now, Job::Interrupt);
            }
            let Some(job) = self.software.done(now) else { break };
            self.finish(now, job, out);
        }
        self.offer(out);
    }

    /// What has got into a mailbox, and what the bus is offered.
    fn offer(&mut self, out: &mut Vec<Output>) {
        let stage = ExchangeStage::Requested;
        let requested = self.port.take_requested().into_iter();
        out.extend(requested.map(|frame| Output::Stage { stage, frame }));
        out.extend(self.port.offer().map(|Offer(frame)| Output::Offer { frame }));
    }

    /// A job is done.
    fn finish(&mut self, now: SimTime, job: Job, out: &mut Vec<Output>) {
        match job {
            Job::Interrupt => {
                let Some(frame) = self.port.take() else { return };
                for opened in self.guard.open(now, frame) {
                    self.opened(now, opened, out);
                }
            }
            Job::Switch(task, is_on) => {
                self.software.enable(now, task, is_on);
                if task == NodeTask::Measure {
                    (self.newest, self.measurements) = (None, 0);
                }
                let detail = format!("{task}: {}", if is_on { "enabled" } else { "disabled" });
                event(out, EventKind::TaskSwitched, &detail);
            }
            Job::Answer(asked) => self.answer(now, asked, out),
            Job::Measured(span, values) => self.measured(span, values),
        }
    }

    fn measured(&mut self, span: ReferenceSpan, values: registers::Values) {
        self.measurements = self.measurements.saturating_add(1);
        let energy = |direction| values.get(&Quantity::ActiveEnergy(direction)).copied();
        if let Some(consumed) = energy(Direction::Consumed) {
            let net = consumed - energy(Direction::Injected).unwrap_or(0.0);
            let at = self.parts.start + self.parts.profile.1 + span.to;
            self.profile.take(at, net);
        }
        self.newest = Some((span, values));
    }

    /// It has no supply until an instant: what is not in the EEPROM is lost.
    fn lose_supply(&mut self, now: SimTime, until: SimTime, out: &mut Vec<Output>) {
        self.memory.power_loss(now);
        self.port.reset();
        self.software.stop(now);
        (self.newest, self.measurements, self.closed) = (None, 0, Closed::default());
        (self.skip, self.is_refusing, self.dip) = (0, false, None);
        self.profile.forget();
        (self.frozen_until, self.resumes_from, self.dark_until) = (None, None, Some(until));
        self.enables.clear();
        out.push(Output::Supply { is_on: false });
        event(out, EventKind::Dark, &format!("from {now} on"));
    }

    fn return_supply(&mut self, now: SimTime, out: &mut Vec<Output>) {
        if self.dark_until.take_if(|until| *until <= now).is_none() {
            return;
        }
        let record = self.memory.restart(now);
        self.guard.restart(&self.counters);
        if let Some(claim) = &mut self.claim {
            claim.restart(now);
        }
        self.closed.number = u32::try_from(record.reading).unwrap_or(u32::MAX);
        self.resumes_from = Some(record);
        self.set_unit(!record.is_open, out);
        self.software.restart(now);
        out.push(Output::Supply { is_on: true });
        let NodeRecord { reading, consumed_mj, injected_mj, .. } = record;
        let detail = format!(
            "from {now} on, with readings behind {reading}, {consumed_mj} mJ consumed and \
             {injected_mj} mJ injected"
        );
        event(out, EventKind::WorksAgain, &detail);
    }

    /// Makes the core's registers of a measurement the node's; whether it is a whole one.
    fn follow_core(&mut self, values: &mut registers::Values) -> bool {
        for (place, direction) in DIRECTIONS.into_iter().enumerate() {
            if let Some(joules) = values.get_mut(&Quantity::ActiveEnergy(direction)) {
                self.core_j[place] = *joules;
                *joules = (*joules - self.lost_j[place]).max(0.0);
            }
        }
        if self.dark_until.is_some() {
            return false;
        }
        // What it measured before its supply was back is in this one, and not in the next.
        let Some(record) = self.resumes_from.take() else { return true };
        let kept_mj = [record.consumed_mj, record.injected_mj];
        self.lost_j =
            std::array::from_fn(|place| self.core_j[place] - kept_mj[place] as f64 * 1e-3);
        false
    }

    fn wire(&mut self, now: SimTime, what: Happening, out: &mut Vec<Output>) {
        if let Some(PortEvent::Overrun(frame)) = self.port.wire(now, what) {
            self.overruns += 1;
            if self.overruns.is_power_of_two() {
                let detail = format!("{frame} is lost, {} so far", self.overruns);
                event(out, EventKind::FrameLost, &detail);
            }
        }
        self.follow_claim(now, what);
        if let Happening::State(state) = what {
            let detail = match state {
                ErrorState::Active => "error-active",
                ErrorState::Passive => "error-passive",
                ErrorState::BusOff => "bus-off",
            };
            event(out, EventKind::BusState, detail);
        }
    }

    /// What became of a frame of its own may be about its announcement.
    fn follow_claim(&mut self, now: SimTime, what: Happening) {
        let Some(claim) = &mut self.claim else { return };
        match what {
            Happening::Sent(frame) => {
                claim.sent(now, frame).into_iter().for_each(|frame| self.port.request(frame));
            }
            Happening::Error { is_sender: true, .. } => {
                claim.destroyed(now).into_iter().for_each(|frame| self.port.withdraw(frame));
            }
            _ => {}
        }
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, now: SimTime, fault: &DeviceFault, out: &mut Vec<Output>) {
        let named = match fault {
            DeviceFault::RenumberReading | DeviceFault::UnknownIdentifier => {
                Err("a meter that is asked has no identifiers, and numbers its readings once")
            }
            DeviceFault::NodeTask { task, .. } => Ok(format!("node_task: {task}")),
            DeviceFault::NodePowerLoss { until } => Ok(format!("node_power_loss until {until}")),
            _ => named(fault),
        };
        match named {
            Ok(detail) => event(out, EventKind::FaultBegun, &detail),
            Err(why) => event(out, EventKind::InputRefused, why),
        }
        match *fault {
            DeviceFault::SkipReading { count } => self.skip = self.skip.saturating_add(count),
            DeviceFault::Freeze { until } => {
                self.frozen_until = Some(until.unwrap_or(SimTime(i64::MAX)));
                self.software.drop_answers(now);
            }
            DeviceFault::NodeTask { task, until } => {
                self.software.release(now, Job::Switch(task, false));
                self.enables.extend(until.map(|until| (until, task)));
            }
            DeviceFault::NodePowerLoss { until } => {
                let until = self.dark_until.map_or(until, |other| other.max(until));
                self.lose_supply(now, until, out);
            }
            _ => {}
        }
    }
}

/// Identifiers, and the bits of them that count, under which the master asks by data frames: node 0
/// of the registers 0x10 to 0x1F, of the compact ones, and of what closes a message of the former.
fn request_filters(scheme: Authentication) -> impl Iterator<Item = (u16, u16)> {
    let begins: &[u16] = match scheme {
        Authentication::None => &[0x200, 0x400],
        Authentication::Compact => &[0x400],
        Authentication::Paper | Authentication::Strong => &[0x200, 0x600],
    };
    begins.iter().map(|&begin| (begin, 0x61F))
}

/// Whether a frame has the identifier of a register, whatever its node.
fn is_of(frame: &CanFrame, register: Register) -> bool {
    let found = u16::try_from(frame.id().value()).ok().and_then(Register::of_identifier);
    found.is_some_and(|(found, _)| found == register)
}

impl Outlet for CanOutlet {
    fn start(&self) -> SimTime {
        self.parts.start
    }

    fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        _: &mut Vec<Output>,
    ) {
        if self.names.is_empty() {
            self.names.extend(values.iter().map(|(id, _)| (id.row().quantity, id.name())));
        }
        let si = |(id, value): (MeasurementId, f64)| {
            let row = id.row();
            (row.quantity, value * row.si_factor)
        };
        let mut values = values.into_iter().map(si).collect();
        if !self.follow_core(&mut values) || !self.software.is_enabled(NodeTask::Measure) {
            return;
        }
        if self.software.has_to_measure() {
            self.software.release(self.parts.start + due, Job::Measured(span, values));
        } else {
            self.measured(span, values);
        }
    }

    fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            // What happens on the bus it does not notice without a supply.
            Input::Wire { .. } if self.dark_until.is_some_and(|until| now < until) => {}
            // Its interrupt routine runs when it is woken: by then it has seen its metering point.
            Input::Wire { what } => {
                self.wire(now, what, out);
                return self.offer(out);
            }
            Input::Fault(fault) => self.fault(now, &fault, out),
            Input::Passed => {}
            _ => {
                let detail = "bytes or a connection for a meter on a CAN bus";
                event(out, EventKind::InputRefused, detail);
            }
        }
        self.work(now, out);
    }

    fn keeps_dips(&self) -> bool {
        true
    }

    /// A dip that is over is numbered, for whoever asks.
    fn alert(&mut self, _: SimDuration, alert: Alert, _: &mut Vec<Output>) {
        let fact = |name| {
            let fact = alert.facts.iter().find(|(other, _)| *other == name);
            fact.and_then(|(_, text)| text.parse::<f64>().ok())
        };
        if alert.kind == VoltageEventKind::Dip.alert_type()
            && self.dark_until.is_none()
            && let (Some(residual_v), Some(duration_s)) =
                (fact(fact::RESIDUAL_V), fact(fact::DURATION_S))
        {
            let number = self.dip.map_or(1, |dip| dip.number + 1);
            self.dip = Some(VoltageDip { number, residual_v, duration_s });
        }
    }

    fn works_again(&mut self, _: &mut Vec<Output>) {
        self.guard.restart(&self.counters);
    }

    fn network_address(&self) -> Option<String> {
        let (node, scheme) = (self.parts.node, self.parts.guard.authentication);
        Some(match (scheme, self.parts.unique_id.filter(|_| self.parts.is_known_by_id)) {
            (Authentication::None, None) => node.to_string(),
            (Authentication::None, Some(id)) => format!("{node} {id}"),
            _ => format!("{node} {scheme}"),
        })
    }

    /// A value is as old as the last measurement.
    fn declared(&self) -> Option<DeclaredSpan> {
        Some(DeclaredSpan {
            identity: Identity::Number,
            window: Some(self.parts.measure_every),
            earliest: self.parts.measure_every + WINDOW_LAG,
            latest: SimDuration::ZERO,
            registers_earliest: None,
        })
    }

    fn wake_at(&self, next_reading: SimTime) -> Option<SimTime> {
        if self.is_open_at_start {
            return Some(self.parts.start);
        }
        if let Some(until) = self.dark_until {
            return Some(until);
        }
        let enables = self.enables.iter().map(|(at, _)| *at);
        let measures = self.software.has_to_measure().then_some(next_reading);
        let own = self.port.next().into_iter().chain(self.software.next());
        let own = own.chain(self.claim.as_ref().and_then(Claim::next));
        // It may be asked at any time.
        Some(own.chain(enables).chain(measures).min().unwrap_or(SimTime(i64::MAX)))
    }
}
