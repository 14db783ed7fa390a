//! How a meter talks to the platform: numbered readings, answers to commands, the outbox, and the
//! faults that befall them.

use lastmeter_sim::ReferenceSpan;
use lastmeter_units::{HardwareId, MeasurementId, Serial, SimDuration, SimTime};
use lastmeter_wire::commands::Order;
use lastmeter_wire::flexmeter::{MeasurementMessage, fact};

use super::{Outlet, event, named};
use crate::answer::{CommandDesk, CommandFault, ERROR_PREFIX, ReceivedCommand};
use crate::border::{DeviceFault, EventKind, Input, Output};
use crate::context::DeviceContext;
use crate::message::{self, Alert, EPOCH};
use crate::outbox::Outbox;

/// An identifier that exists nowhere, for the fault of that name.
const FORGED_IDENTIFIER: &str = "electricity.power.active.consumed.l9";

/// The end of time: what is frozen until then does not thaw.
const FOR_EVER: SimTime = SimTime(i64::MAX);

/// The metadata of a reading that is not of uninterrupted measuring.
const INTERRUPTED: &str = "interrupted";

#[derive(Clone, Debug, Default)]
struct Faults {
    skip: u32,
    renumber: bool,
    frozen_until: Option<SimTime>,
}

/// The part of a meter that talks to the platform.
#[derive(Debug)]
pub(crate) struct Reporter {
    hardware_id: HardwareId,
    start: SimTime,
    /// The node of the network that it is connected to, as it was set up.
    node: Option<String>,
    obeys_commands: bool,
    serial: Serial,
    alerts: u64,
    outbox: Outbox,
    desk: CommandDesk,
    faults: Faults,
    /// Whether the link to the platform is there, seen by a device or not.
    has_link: bool,
    is_dark: bool,
    /// Whether measuring was interrupted since the last reading.
    is_interrupted: bool,
}

impl Reporter {
    /// The way out of a meter that reports by itself.
    pub(crate) fn uplink(context: &DeviceContext<'_>, obeys_commands: bool) -> Box<dyn Outlet> {
        Box::new(Self {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            node: context.node.map(str::to_owned),
            obeys_commands,
            serial: Serial(0),
            alerts: 0,
            outbox: Outbox::default(),
            desk: CommandDesk::default(),
            faults: Faults::default(),
            has_link: false,
            is_dark: false,
            is_interrupted: false,
        })
    }

    fn is_frozen_at(&mut self, at: SimTime) -> bool {
        self.faults.frozen_until = self.faults.frozen_until.filter(|&until| at < until);
        self.faults.frozen_until.is_some()
    }

    fn acknowledge(
        &mut self,
        now: SimTime,
        kind: EventKind,
        invocation: String,
        response: String,
        out: &mut Vec<Output>,
    ) {
        event(out, kind, &format!("{invocation}: {response}"));
        let payload = message::answer(&self.hardware_id, now, invocation, response);
        self.outbox.put(payload, out);
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, now: SimTime, fault: &DeviceFault, out: &mut Vec<Output>) {
        match named(fault) {
            Ok(detail) => event(out, EventKind::FaultBegun, &detail),
            Err(why) => event(out, EventKind::InputRefused, why),
        }
        match *fault {
            DeviceFault::SkipReading { count } => {
                self.faults.skip = self.faults.skip.saturating_add(count);
            }
            DeviceFault::RenumberReading => self.faults.renumber = true,
            DeviceFault::UnknownIdentifier => self.outbox.put(self.forged(now), out),
            DeviceFault::Freeze { until } => {
                self.faults.frozen_until = Some(until.unwrap_or(FOR_EVER));
            }
            _ => {}
        }
    }

    /// A measurement message the encoder cannot write, because there is no such identifier.
    fn forged(&self, now: SimTime) -> Vec<u8> {
        let honest = MeasurementId::from_index(0).into_iter().map(|id| (id, 1.0));
        let message = MeasurementMessage {
            event_date: Some(now),
            update_state: true,
            ..MeasurementMessage::new(self.hardware_id.clone(), honest.collect())
        };
        let payload = message::encoded(&message);
        let name = MeasurementId::from_index(0).map_or("", MeasurementId::name);
        String::from_utf8_lossy(&payload).replace(name, FORGED_IDENTIFIER).into_bytes()
    }
}

impl Outlet for Reporter {
    fn start(&self) -> SimTime {
        self.start
    }

    fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        out: &mut Vec<Output>,
    ) {
        let at = self.start + due;
        self.serial.0 += 1;
        out.push(Output::Reading { epoch: EPOCH, serial: self.serial, at, span });
        let mut message = message::reading(&self.hardware_id, at, (EPOCH, self.serial), values);
        if std::mem::take(&mut self.is_interrupted) {
            message.metadata.insert(INTERRUPTED.to_owned(), "true".to_owned());
        }
        if self.faults.skip > 0 {
            self.faults.skip -= 1;
            return;
        }
        self.outbox.put(message::encoded(&message), out);
        if std::mem::take(&mut self.faults.renumber) {
            self.serial.0 += 1;
            message.serial = Some(self.serial);
            self.outbox.put(message::encoded(&message), out);
        }
    }

    fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Acknowledged { message } => self.outbox.acknowledged(message),
            Input::Connected => {
                self.has_link = true;
                if !self.is_dark {
                    self.outbox.connected(out);
                }
            }
            Input::Disconnected => {
                self.has_link = false;
                self.outbox.disconnected();
            }
            Input::Fault(fault) => self.fault(now, &fault, out),
            Input::Heard { .. } => {
                let detail = "bytes from a field network that the meter is not on";
                event(out, EventKind::InputRefused, detail);
            }
            // A meter has taken what is about its metering point, and what is sent to it.
            _ => {}
        }
    }

    fn is_frozen(&mut self, at: SimDuration) -> bool {
        self.is_frozen_at(self.start + at)
    }

    fn sends_alerts(&self) -> bool {
        true
    }

    fn alert(&mut self, at: SimDuration, mut alert: Alert, out: &mut Vec<Output>) {
        let owner = &self.hardware_id;
        self.alerts += 1;
        alert.text = format!("{owner}: {}", alert.text);
        alert.facts.extend(self.node.clone().map(|node| (fact::NODE, node)));
        self.outbox.put(alert.encoded(owner, self.start + at, (EPOCH, self.alerts)), out);
    }

    fn send(&mut self, payload: Vec<u8>, out: &mut Vec<Output>) {
        self.outbox.put(payload, out);
    }

    fn mark_interrupted(&mut self) {
        self.is_interrupted = true;
    }

    fn goes_dark(&mut self) {
        self.is_dark = true;
        self.outbox.paused();
    }

    fn works_again(&mut self, out: &mut Vec<Output>) {
        self.is_dark = false;
        if self.has_link {
            self.outbox.resumed(out);
        }
    }

    fn received(
        &mut self,
        now: SimTime,
        payload: &[u8],
        out: &mut Vec<Output>,
    ) -> Option<(String, Result<Order, String>)> {
        let ignored = if self.is_frozen_at(now) {
            Some("frozen")
        } else {
            (!self.obeys_commands).then_some("obey_commands = false")
        };
        if let Some(why) = ignored {
            event(out, EventKind::CommandIgnored, why);
            return None;
        }
        match self.desk.judge(payload) {
            Err(refusal) => {
                event(out, EventKind::CommandMalformed, &refusal.to_string());
                None
            }
            Ok(ReceivedCommand::Repeated { invocation, response }) => {
                self.acknowledge(now, EventKind::CommandRepeated, invocation, response, out);
                None
            }
            Ok(ReceivedCommand::New { invocation, order }) => Some((invocation, order)),
        }
    }

    fn answer(
        &mut self,
        now: SimTime,
        invocation: String,
        obeyed: Result<String, String>,
        out: &mut Vec<Output>,
    ) {
        let (kind, response) = match obeyed {
            Ok(response) => {
                out.push(Output::Obeyed { invocation: invocation.clone() });
                (EventKind::CommandObeyed, response)
            }
            Err(error) => (EventKind::CommandRefused, format!("{ERROR_PREFIX}{error}")),
        };
        self.desk.answered(&invocation, &response);
        self.acknowledge(now, kind, invocation, response, out);
    }

    fn refusal(&self) -> Option<CommandFault> {
        None
    }

    fn unacknowledged(&self) -> usize {
        self.outbox.open().len()
    }
}
