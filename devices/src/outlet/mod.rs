//! Where a meter's readings go: to the platform by themselves, or onto a field network, when they
//! are asked for or by themselves.
//!
//! | file | purpose |
//! |---|---|
//! | `reporter` | to the platform |
//! | `mbus`, `records` | onto an M-Bus line, and what telegrams hold |
//! | `can` | onto a CAN bus |
//! | `zigbee`, `node` | onto a radio network, and what nodes there share |

pub(crate) mod can;
pub(crate) mod mbus;
pub(crate) mod node;
pub(crate) mod records;
pub(crate) mod reporter;
pub(crate) mod zigbee;

use lastmeter_sim::{DeclaredSpan, ReferenceSpan};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_wire::commands::Order;
use lastmeter_zigbee::zcl::cluster::ota::ImageId;

use crate::answer::CommandFault;
use crate::border::{DeviceFault, EventKind, Input, Output};
use crate::message::Alert;

/// The way out of a meter: one implementation for the platform, and one for each protocol of a
/// field network. What is given here is a meter on a field network that only answers.
pub(crate) trait Outlet: std::fmt::Debug + Send {
    /// Event time of the scenario's start.
    fn start(&self) -> SimTime;

    /// Takes a reading of an instant since the start; what is sent unasked may be sent now.
    fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        out: &mut Vec<Output>,
    );

    /// Takes what is about the way out, and not about the metering point: bytes, faults, and the
    /// link to the platform.
    fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>);

    /// Its address on the field network, as configurations of gateways write it; `None`: it is on
    /// none.
    fn network_address(&self) -> Option<String> {
        None
    }

    /// The program image that it runs, if it takes others from the platform.
    fn image(&self) -> Option<ImageId> {
        None
    }

    /// Whether it waits for what the platform answers to a request of its own.
    fn awaits_answer(&self) -> bool {
        false
    }

    /// What it declares of its readings, where it cannot announce what they span.
    fn declared(&self) -> Option<DeclaredSpan> {
        None
    }

    /// When a meter that sends by itself on a field network has to be shown its metering point, if
    /// its next reading is due then.
    fn wake_at(&self, _next_reading: SimTime) -> Option<SimTime> {
        None
    }

    /// Whether the application hangs at an instant since the start. One whose answers alone stop
    /// goes on measuring.
    fn is_frozen(&mut self, _at: SimDuration) -> bool {
        false
    }

    fn sends_alerts(&self) -> bool {
        false
    }

    /// Whether it keeps the voltage dips that it is given as alerts, for whoever asks for them.
    fn keeps_dips(&self) -> bool {
        false
    }

    /// Sends an alert of an instant since the start, its text behind the device's name.
    fn alert(&mut self, _at: SimDuration, _alert: Alert, _out: &mut Vec<Output>) {}

    /// Sends something else that is encoded, such as a block of samples.
    fn send(&mut self, _payload: Vec<u8>, _out: &mut Vec<Output>) {}

    /// The next reading is not of uninterrupted measuring.
    fn mark_interrupted(&mut self) {}

    /// From now on nothing is sent: the device has no supply. What the platform takes over in the
    /// meantime of what was sent before counts as taken over.
    fn goes_dark(&mut self) {}

    /// The device has booted: what is open, and not on its way since before, is sent.
    fn works_again(&mut self, _out: &mut Vec<Output>) {}

    /// Takes a message from the platform: the invocation and what it orders, if that is to be
    /// carried out and then [answered](Self::answer).
    fn received(
        &mut self,
        _now: SimTime,
        _payload: &[u8],
        out: &mut Vec<Output>,
    ) -> Option<(String, Result<Order, String>)> {
        event(out, EventKind::InputRefused, "platform message for a meter on a field network");
        None
    }

    /// Answers a command with what became of it.
    fn answer(
        &mut self,
        _now: SimTime,
        _invocation: String,
        _obeyed: Result<String, String>,
        _out: &mut Vec<Output>,
    ) {
    }

    /// What was ordered over the field network, to be carried out by the meter; nobody is answered.
    fn order(&mut self) -> Option<Order> {
        None
    }

    /// The commands of its network, which the platform makes frames of; `None`: it takes the
    /// platform's own, if any.
    fn commands(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// Why it takes no commands of the platform, if so.
    fn refusal(&self) -> Option<CommandFault> {
        let what = "a meter on a field network takes no commands of the platform";
        Some(CommandFault::refused(None, what.to_owned()))
    }

    fn unacknowledged(&self) -> usize {
        0
    }
}

pub(crate) fn event(out: &mut Vec<Output>, kind: EventKind, detail: &str) {
    out.push(Output::Event { kind, detail: detail.to_owned() });
}

/// A fault as the record names it; the error is why no way out of a meter plays it.
pub(crate) fn named(fault: &DeviceFault) -> Result<String, &'static str> {
    Ok(match fault {
        DeviceFault::SkipReading { count } => format!("skip_reading: {count}"),
        DeviceFault::RenumberReading => "renumber_reading".to_owned(),
        DeviceFault::UnknownIdentifier => "unknown_identifier".to_owned(),
        DeviceFault::Freeze { until: None } => "freeze".to_owned(),
        DeviceFault::Freeze { until: Some(until) } => format!("freeze until {until}"),
        DeviceFault::FalseGasp => {
            return Err("a last gasp of a device that has a supply of its own");
        }
        DeviceFault::DisplaySticks => return Err("a display for a device that has none"),
        DeviceFault::Scaling { .. } => {
            return Err("a multiplier for a device that is no node of a radio network");
        }
        DeviceFault::NodeTask { .. } | DeviceFault::NodePowerLoss { .. } => {
            return Err("a fault of a CAN node for a device that is none");
        }
        DeviceFault::ContactSticks => return Err("a contact for a device that has none"),
        DeviceFault::SwitchSticks { .. } => return Err("a switch for a device that is none"),
        DeviceFault::Away { .. } => return Err("leaving a network for a device that is no node"),
        DeviceFault::Board(_) => return Err("board fault for a device that is not a board"),
        DeviceFault::Tamper { .. } | DeviceFault::TamperSensor { .. } => {
            return Err("tampering with a device that has no sensor for it");
        }
    })
}
