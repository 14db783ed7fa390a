//! Where a meter's readings go: to the platform by themselves, or onto a field network when they
//! are asked for.

pub(crate) mod mbus;
pub(crate) mod records;

use lastmeter_sim::{DeclaredSpan, ReferenceSpan};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_wire::commands::Order;

use crate::answer::CommandFault;
use crate::border::{EventKind, Input, Output};
use crate::model::kind::DeviceContext;
use crate::reporter::{Reporter, ReporterParts, event};
use mbus::MBusOutlet;

/// The way out of a meter.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// It reports by itself.
    Uplink(Box<Reporter>),
    /// It answers on an M-Bus line.
    MBus(Box<MBusOutlet>),
}

impl Outlet {
    /// That of a meter that reports by itself.
    pub(crate) fn uplink(context: &DeviceContext<'_>, obeys_commands: bool) -> Self {
        Self::Uplink(Box::new(Reporter::new(ReporterParts {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            obeys_commands,
        })))
    }

    /// Event time of the scenario's start.
    pub(crate) fn start(&self) -> SimTime {
        match self {
            Self::Uplink(reporter) => reporter.start(),
            Self::MBus(outlet) => outlet.start(),
        }
    }

    /// Whether the application hangs at an instant since the start.
    pub(crate) fn is_frozen(&mut self, at: SimDuration) -> bool {
        match self {
            Self::Uplink(reporter) => reporter.is_frozen(at),
            // Its metrology goes on; it is its answers that stop.
            Self::MBus(_) => false,
        }
    }

    /// Takes a reading of an instant since the start.
    pub(crate) fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        out: &mut Vec<Output>,
    ) {
        match self {
            Self::Uplink(reporter) => reporter.reading(due, span, values, out),
            Self::MBus(outlet) => outlet.reading(due, span, values),
        }
    }

    /// Takes a message from the platform: the invocation and what it orders, if that is to be
    /// carried out and answered.
    pub(crate) fn received(
        &mut self,
        now: SimTime,
        payload: &[u8],
        out: &mut Vec<Output>,
    ) -> Option<(String, Result<Order, String>)> {
        match self {
            Self::Uplink(reporter) => reporter.received(now, payload, out),
            Self::MBus(_) => {
                event(out, EventKind::InputRefused, "a message of the platform, on a line");
                None
            }
        }
    }

    /// Answers a command with what became of it.
    pub(crate) fn answer(
        &mut self,
        now: SimTime,
        invocation: String,
        obeyed: Result<String, String>,
        out: &mut Vec<Output>,
    ) {
        match self {
            Self::Uplink(reporter) => reporter.answer(now, invocation, obeyed, out),
            // It takes no commands.
            Self::MBus(_) => {}
        }
    }

    /// Takes what is about the way out, and not about the metering point.
    pub(crate) fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match (self, input) {
            (Self::Uplink(reporter), Input::Acknowledged { message }) => {
                reporter.acknowledged(message);
            }
            (Self::Uplink(reporter), Input::Connected) => reporter.connected(out),
            (Self::Uplink(reporter), Input::Disconnected) => reporter.disconnected(),
            (Self::Uplink(reporter), Input::Fault(fault)) => reporter.fault(now, &fault, out),
            (Self::Uplink(_), Input::Heard { .. }) => {
                event(out, EventKind::InputRefused, "bytes of a network that it is not on");
            }
            (Self::MBus(outlet), Input::Heard { bytes }) => outlet.heard(now, &bytes, out),
            (Self::MBus(outlet), Input::Fault(fault)) => outlet.fault(&fault, out),
            (Self::MBus(_), _) => {
                event(out, EventKind::InputRefused, "news of a connection, where there is none");
            }
            // A meter has taken what is about its metering point, and what is sent to it.
            (_, _) => {}
        }
    }

    /// Messages that the platform has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        match self {
            Self::Uplink(reporter) => reporter.unacknowledged(),
            Self::MBus(_) => 0,
        }
    }

    /// Why it takes no commands of the platform, if so.
    pub(crate) fn refusal(&self) -> Option<CommandFault> {
        match self {
            Self::Uplink(_) => None,
            Self::MBus(_) => {
                let what = "a meter on a field network takes no commands of the platform";
                Some(CommandFault::refused(None, what.to_owned()))
            }
        }
    }

    /// Its address on the field network, if it is on one.
    pub(crate) fn network_address(&self) -> Option<String> {
        match self {
            Self::Uplink(_) => None,
            Self::MBus(outlet) => Some(outlet.address()),
        }
    }

    /// What it declares of its readings, where it cannot announce what they span.
    pub(crate) fn declared(&self) -> Option<DeclaredSpan> {
        match self {
            Self::Uplink(_) => None,
            Self::MBus(outlet) => Some(outlet.declared()),
        }
    }
}
