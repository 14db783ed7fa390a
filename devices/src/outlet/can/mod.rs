//! The way out of a meter on a CAN metering network: a node that closes a reading when it is
//! ordered to, and answers remote frames with what that reading holds.
//!
//! The controller interrupts at the end of a frame. The interrupt routine takes the frame, closes
//! the reading if that is what it orders, and leaves the answer to the task that serves the bus;
//! the answer goes into a mailbox when that task is done with it. So what a request waits for is
//! the bus twice and the software twice.
//!
//! | file | purpose |
//! |---|---|
//! | `registers` | what a reading holds, as the bytes of answers |

mod registers;

use lastmeter_board::meter_node::Register;
use lastmeter_can::bus::{ErrorState, Happening};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_sim::{DeclaredSpan, Identity, ReferenceSpan};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

use super::{Outlet, event, named};
use crate::border::{DeviceFault, EventKind, ExchangeStage, Input, Output};
use crate::can::port::{Port, PortEvent, PortSettings};
use crate::can::software::{Task, TaskTimes};
use registers::{Closed, data};

/// How far a window may end before the measurement that contains it is made.
const WINDOW_LAG: SimDuration = SimDuration::from_milliseconds(500);

#[derive(Clone, Debug)]
pub(crate) struct CanParts {
    pub(crate) start: SimTime,
    /// 1 to 31.
    pub(crate) node: u8,
    pub(crate) port: PortSettings,
    /// Of the task that serves the bus.
    pub(crate) task: TaskTimes,
    /// How often it measures.
    pub(crate) measure_every: SimDuration,
}

/// The way out of a meter on a CAN bus.
#[derive(Debug)]
pub(crate) struct CanOutlet {
    parts: CanParts,
    port: Port,
    /// The task that serves the bus, with the frames that it has to answer.
    task: Task<CanFrame>,
    newest: Option<(ReferenceSpan, registers::Values)>,
    /// Measurements since a reading was closed.
    measurements: u32,
    closed: Closed,
    frozen_until: Option<SimTime>,
    /// How many answers to orders are still to be left out.
    skip: u32,
    overruns: u64,
}

impl CanOutlet {
    pub(crate) fn new(parts: CanParts) -> Self {
        let node = u16::from(parts.node);
        // Orders for all, and whatever is for this node.
        let orders = Register::Freeze.identifier(0);
        let compact_orders = Register::CompactFreeze.identifier(0);
        let filters = [(orders, 0x7FF), (compact_orders, 0x7FF), (node, 0x01F)];
        Self {
            port: Port::new(parts.port, &filters),
            task: Task::new(parts.task, parts.start),
            newest: None,
            measurements: 0,
            closed: Closed::default(),
            frozen_until: None,
            skip: 0,
            overruns: 0,
            parts,
        }
    }

    /// The interrupt routine takes a frame.
    fn taken(&mut self, now: SimTime, frame: CanFrame, out: &mut Vec<Output>) {
        self.frozen_until = self.frozen_until.filter(|&until| now < until);
        if self.frozen_until.is_some() {
            return;
        }
        let Some((register, node)) =
            u16::try_from(frame.id().value()).ok().and_then(Register::of_identifier)
        else {
            return;
        };
        let is_order = matches!(register, Register::Freeze | Register::CompactFreeze);
        if is_order && !frame.is_remote() {
            if !self.close(now, frame.bytes(), out) {
                return;
            }
            if self.skip > 0 {
                self.skip -= 1;
                return;
            }
        } else if node != self.parts.node || !frame.is_remote() {
            return;
        }
        out.push(Output::Stage { stage: ExchangeStage::Taken, frame });
        self.task.release(now, frame);
    }

    /// Closes a reading; nothing is closed before something was measured.
    fn close(&mut self, now: SimTime, order: &[u8], out: &mut Vec<Output>) -> bool {
        let Some((span, values)) = &self.newest else { return false };
        self.closed = Closed {
            number: self.closed.number.wrapping_add(1),
            measurements: std::mem::take(&mut self.measurements),
            token: order.first().copied().unwrap_or(0),
            values: values.clone(),
        };
        let serial = Serial(u64::from(self.closed.number));
        out.push(Output::Reading { epoch: Epoch(1), serial, at: now, span: *span });
        true
    }

    /// The answer to what was taken.
    fn answer_of(&self, frame: CanFrame) -> Option<CanFrame> {
        let (register, _) = Register::of_identifier(u16::try_from(frame.id().value()).ok()?)?;
        let id = CanId::standard(u32::from(register.identifier(self.parts.node))).ok()?;
        CanFrame::data(id, &data(register, &self.closed)?).ok()
    }

    /// What its software does by now, and what the bus is offered then.
    fn work(&mut self, now: SimTime, out: &mut Vec<Output>) {
        loop {
            if let Some(frame) = self.port.interrupt(now) {
                self.taken(now, frame, out);
            } else if let Some(asked) = self.task.done(now) {
                match self.answer_of(asked) {
                    Some(answer) => self.port.request(answer),
                    None => {
                        let detail = format!("{asked}: this node has no such register");
                        event(out, EventKind::InputRefused, &detail);
                    }
                }
            } else {
                break;
            }
        }
        self.offer(out);
    }

    /// What has got into a mailbox, and what the bus is offered.
    fn offer(&mut self, out: &mut Vec<Output>) {
        let stage = ExchangeStage::Requested;
        let requested = self.port.take_requested().into_iter();
        out.extend(requested.map(|frame| Output::Stage { stage, frame }));
        out.extend(self.port.offer().map(|frame| Output::Offer { frame }));
    }

    fn wire(&mut self, now: SimTime, what: Happening, out: &mut Vec<Output>) {
        if let Some(PortEvent::Overrun(frame)) = self.port.wire(now, what) {
            self.overruns += 1;
            if self.overruns.is_power_of_two() {
                let detail = format!("{frame} is lost, {} so far", self.overruns);
                event(out, EventKind::FrameLost, &detail);
            }
        }
        if let Happening::State(state) = what {
            let detail = match state {
                ErrorState::Active => "error-active",
                ErrorState::Passive => "error-passive",
                ErrorState::BusOff => "bus-off",
            };
            event(out, EventKind::BusState, detail);
        }
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, now: SimTime, fault: &DeviceFault, out: &mut Vec<Output>) {
        let named = match fault {
            DeviceFault::RenumberReading | DeviceFault::UnknownIdentifier => {
                Err("a meter that is asked has no identifiers, and numbers its readings once")
            }
            _ => named(fault),
        };
        match *fault {
            DeviceFault::SkipReading { count } => self.skip = self.skip.saturating_add(count),
            DeviceFault::Freeze { until } => {
                self.frozen_until = Some(until.unwrap_or(SimTime(i64::MAX)));
                self.task.reset(now);
            }
            _ => {}
        }
        match named {
            Ok(detail) => event(out, EventKind::FaultBegun, &detail),
            Err(why) => event(out, EventKind::InputRefused, why),
        }
    }
}

impl Outlet for CanOutlet {
    fn start(&self) -> SimTime {
        self.parts.start
    }

    fn reading(
        &mut self,
        _: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        _: &mut Vec<Output>,
    ) {
        let si = |(id, value): (MeasurementId, f64)| {
            let row = id.row();
            (row.quantity, value * row.si_factor)
        };
        self.measurements = self.measurements.saturating_add(1);
        self.newest = Some((span, values.into_iter().map(si).collect()));
    }

    fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
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

    fn network_address(&self) -> Option<String> {
        Some(self.parts.node.to_string())
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

    fn wake_at(&self, _: SimTime) -> Option<SimTime> {
        let next = self.port.next().into_iter().chain(self.task.next()).min();
        // It may be asked at any time.
        Some(next.unwrap_or(SimTime(i64::MAX)))
    }
}
