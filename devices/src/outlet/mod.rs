//! Where a meter's readings go: to the platform by themselves, or onto a field network, when they
//! are asked for or by themselves.

pub(crate) mod mbus;
pub(crate) mod records;

use lastmeter_sim::{DeclaredSpan, ReferenceSpan};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_wire::commands::Order;

use crate::answer::CommandFault;
use crate::border::{DeviceFault, EventKind, Input, Output};
use crate::context::DeviceContext;
use crate::message::Alert;
use crate::reporter::{Reporter, ReporterParts, event};

/// The way out of a meter onto a field network: one implementation for each protocol, which takes
/// readings, and sends on the network what the protocol asks for.
pub(crate) trait FieldOutlet: std::fmt::Debug + Send {
    /// Event time of the scenario's start.
    fn start(&self) -> SimTime;

    /// Its address, as configurations of gateways write it.
    fn address(&self) -> String;

    /// What it declares of its readings, whose spans no protocol announces.
    fn declared(&self) -> DeclaredSpan;

    /// Takes a reading of an instant since the start; what is sent unasked may be sent now.
    fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        out: &mut Vec<Output>,
    );

    /// Bytes have arrived, the last of them now.
    fn heard(&mut self, now: SimTime, bytes: &[u8], out: &mut Vec<Output>);

    /// A fault begins now.
    fn fault(&mut self, now: SimTime, fault: &DeviceFault, out: &mut Vec<Output>);

    /// Whether it speaks by itself whenever there is a reading, and not only when it is asked.
    fn pushes(&self) -> bool {
        false
    }
}

/// The way out of a meter.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// It reports by itself.
    Uplink(Box<Reporter>),
    /// It is on a field network.
    Field(Box<dyn FieldOutlet>),
}

impl Outlet {
    /// That of a meter that reports by itself.
    pub(crate) fn uplink(context: &DeviceContext<'_>, obeys_commands: bool) -> Self {
        Self::Uplink(Box::new(Reporter::new(ReporterParts {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            node: context.node.map(str::to_owned),
            obeys_commands,
        })))
    }

    /// Event time of the scenario's start.
    pub(crate) fn start(&self) -> SimTime {
        match self {
            Self::Uplink(reporter) => reporter.start(),
            Self::Field(outlet) => outlet.start(),
        }
    }

    /// Whether the application hangs at an instant since the start.
    pub(crate) fn is_frozen(&mut self, at: SimDuration) -> bool {
        match self {
            Self::Uplink(reporter) => reporter.is_frozen(at),
            // One whose answers alone stop goes on measuring.
            Self::Field(_) => false,
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
            Self::Field(outlet) => outlet.reading(due, span, values, out),
        }
    }

    /// Whether it can send alerts.
    pub(crate) fn sends_alerts(&self) -> bool {
        matches!(self, Self::Uplink(_))
    }

    /// The next reading is not of uninterrupted measuring.
    pub(crate) fn mark_interrupted(&mut self) {
        if let Self::Uplink(reporter) = self {
            reporter.mark_interrupted();
        }
    }

    /// Sends an alert of an instant since the start.
    pub(crate) fn alert(&mut self, at: SimDuration, alert: Alert, out: &mut Vec<Output>) {
        if let Self::Uplink(reporter) = self {
            reporter.alert(at, alert, out);
        }
    }

    /// From now on nothing is sent: the meter has no supply.
    pub(crate) fn goes_dark(&mut self) {
        if let Self::Uplink(reporter) = self {
            reporter.goes_dark();
        }
    }

    /// The meter has booted.
    pub(crate) fn works_again(&mut self, out: &mut Vec<Output>) {
        if let Self::Uplink(reporter) = self {
            reporter.works_again(out);
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
            Self::Field(_) => {
                event(
                    out,
                    EventKind::InputRefused,
                    "platform message for a meter on a field network",
                );
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
            Self::Field(_) => {}
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
                event(
                    out,
                    EventKind::InputRefused,
                    "bytes from a field network that the meter is not on",
                );
            }
            (Self::Field(outlet), Input::Heard { bytes }) => outlet.heard(now, &bytes, out),
            (Self::Field(outlet), Input::Fault(fault)) => outlet.fault(now, &fault, out),
            (Self::Field(_), _) => {
                event(
                    out,
                    EventKind::InputRefused,
                    "connection state for a device without an uplink",
                );
            }
            // A meter has taken what is about its metering point, and what is sent to it.
            (_, _) => {}
        }
    }

    /// Messages that the platform has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        match self {
            Self::Uplink(reporter) => reporter.unacknowledged(),
            Self::Field(_) => 0,
        }
    }

    /// Why it takes no commands of the platform, if so.
    pub(crate) fn refusal(&self) -> Option<CommandFault> {
        match self {
            Self::Uplink(_) => None,
            Self::Field(_) => {
                let what = "a meter on a field network takes no commands of the platform";
                Some(CommandFault::refused(None, what.to_owned()))
            }
        }
    }

    /// Its address on the field network, if it is on one.
    pub(crate) fn network_address(&self) -> Option<String> {
        match self {
            Self::Uplink(_) => None,
            Self::Field(outlet) => Some(outlet.address()),
        }
    }

    /// What it declares of its readings, where it cannot announce what they span.
    pub(crate) fn declared(&self) -> Option<DeclaredSpan> {
        match self {
            Self::Uplink(_) => None,
            Self::Field(outlet) => Some(outlet.declared()),
        }
    }

    /// When a meter that speaks by itself on a field network has to be shown its metering point, if
    /// its next reading is due then.
    pub(crate) fn wake_at(&self, next_reading: SimTime) -> Option<SimTime> {
        match self {
            Self::Field(outlet) if outlet.pushes() => Some(next_reading),
            Self::Uplink(_) | Self::Field(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_sim::Identity;

    use super::*;

    /// Speaks by itself, or does not.
    #[derive(Debug)]
    struct Speaker(bool);

    impl FieldOutlet for Speaker {
        fn start(&self) -> SimTime {
            SimTime(0)
        }

        fn address(&self) -> String {
            "7".to_owned()
        }

        fn declared(&self) -> DeclaredSpan {
            let (earliest, latest) = (SimDuration::ZERO, SimDuration::ZERO);
            DeclaredSpan {
                identity: Identity::Schedule,
                window: None,
                earliest,
                latest,
                registers_earliest: None,
            }
        }

        fn reading(
            &mut self,
            _: SimDuration,
            _: ReferenceSpan,
            _: Vec<(MeasurementId, f64)>,
            _: &mut Vec<Output>,
        ) {
        }

        fn heard(&mut self, _: SimTime, _: &[u8], _: &mut Vec<Output>) {}

        fn fault(&mut self, _: SimTime, _: &DeviceFault, _: &mut Vec<Output>) {}

        fn pushes(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn a_meter_that_speaks_by_itself_is_woken_for_its_readings() {
        let next = SimTime(1_000);
        assert_eq!(Outlet::Field(Box::new(Speaker(true))).wake_at(next), Some(next));
        assert_eq!(Outlet::Field(Box::new(Speaker(false))).wake_at(next), None);
    }
}
