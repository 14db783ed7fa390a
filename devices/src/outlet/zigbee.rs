//! The way out of a smart plug on a ZigBee network: what its meter reads becomes attributes, which
//! are reported as its coordinator has configured; commands over the radio come back as orders.

use std::collections::{BTreeSet, VecDeque};

use chacha20::ChaCha8Rng;
use lastmeter_sim::ReferenceSpan;
use lastmeter_units::{Direction, MeasurementId, Phase, Quantity, SimDuration, SimTime};
use lastmeter_wire::commands::Order;
use lastmeter_zigbee::network::{NodeConfig, NodeEvent};
use lastmeter_zigbee::zcl::cluster::ota::ImageId;
use lastmeter_zigbee::zcl::cluster::plug::CalibrationWrite;
use lastmeter_zigbee::zcl::cluster::{ELECTRICAL_MEASUREMENT, METERING};

use super::node::NodeShell;
use super::{Outlet, event};
use crate::border::{DeviceFault, EventKind, Input, Output, ScaledQuantity, ScalingChange};
use crate::zigbee::{
    BistableRelay, CALIBRATION_CHANNELS, Measured, Plug, PlugOrder, PlugScales, Upgrade,
    UpgradeConfig, UpgradeOutcome, ZigbeeNode,
};

/// What nodes of its network are commanded.
const COMMANDS: [&str; 7] =
    ["on", "off", "toggle", "readAttribute", "writeAttribute", "setReporting", "calibrate"];

#[derive(Debug)]
pub(crate) struct ZigbeeParts {
    pub(crate) start: SimTime,
    pub(crate) config: NodeConfig,
    pub(crate) scales: PlugScales,
    pub(crate) report_every: SimDuration,
    /// Whether the load is connected at the start.
    pub(crate) is_closed: bool,
    pub(crate) has_display: bool,
    /// The program image that it runs, and how it fetches another.
    pub(crate) upgrade: UpgradeConfig,
    /// How far it has counted the frames of its network.
    pub(crate) frame_counter: u32,
    /// For the pauses of its radio.
    pub(crate) stream: ChaCha8Rng,
}

/// The way out of a smart plug.
#[derive(Debug)]
pub(crate) struct ZigbeeOutlet {
    shell: NodeShell<Plug>,
    scales: PlugScales,
    orders: VecDeque<Order>,
    /// Whether its relay is open from the start, which nobody has learnt yet.
    starts_open: bool,
    /// Whether it has reported its multipliers.
    has_announced: bool,
    /// What nobody can read any more.
    unreadable: BTreeSet<ScaledQuantity>,
}

impl ZigbeeOutlet {
    /// A plug that begins to join at the start.
    pub(crate) fn new(parts: ZigbeeParts) -> Self {
        let plug = Plug::new(BistableRelay::new(parts.is_closed), parts.has_display);
        let mut node = ZigbeeNode::plug(parts.config, plug, parts.scales, parts.report_every)
            .with_upgrade(parts.upgrade);
        node.hold_reports(&[METERING, ELECTRICAL_MEASUREMENT]);
        node.radio.go_on_from(parts.frame_counter);
        Self {
            shell: NodeShell::new(node, parts.start, parts.stream),
            scales: parts.scales,
            orders: VecDeque::new(),
            starts_open: !parts.is_closed,
            has_announced: false,
            unreadable: BTreeSet::new(),
        }
    }

    fn is_unreadable(&self, id: MeasurementId) -> bool {
        scaled(id).is_some_and(|of| self.unreadable.contains(&of))
    }

    /// Hands over what the radio sends, and what became of the node.
    fn flush(&mut self, now: SimTime, events: Vec<NodeEvent>, out: &mut Vec<Output>) {
        if NodeShell::<Plug>::record(events, out) {
            self.shell.node.announce_scales(now);
            self.has_announced = true;
        }
        if std::mem::take(&mut self.starts_open) {
            out.push(Output::Switched { is_closed: false });
        }
        while let Some(order) = self.shell.node.application.order() {
            match order {
                PlugOrder::Switched { is_closed } => {
                    let detail = if is_closed { "relay closed" } else { "relay opened" };
                    event(out, EventKind::CommandObeyed, detail);
                    out.push(Output::Switched { is_closed });
                }
                PlugOrder::Calibrate(written) => self.orders.extend(registers(&written)),
            }
        }
        while let Some(outcome) = self.shell.node.upgraded() {
            let (kind, detail) = ended(&outcome);
            let repeated = self.shell.node.upgrade().map_or(0, Upgrade::repeated);
            event(out, kind, &format!("{detail}; {repeated} blocks came twice"));
        }
        self.shell.transmit(now, out);
    }

    /// A multiplier is not what it was, and is reported once more.
    fn scale_wrongly(&mut self, now: SimTime, of: ScaledQuantity, what: ScalingChange) {
        self.shell.node.set_scaling(of, what);
        // Who has learnt it once needs it no more.
        if what != ScalingChange::Absent || !self.has_announced {
            self.unreadable.insert(of);
        }
        if self.has_announced {
            self.shell.node.announce_scales(now);
        }
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, now: SimTime, fault: &DeviceFault, out: &mut Vec<Output>) {
        let named = match *fault {
            DeviceFault::DisplaySticks => {
                self.shell.node.application.set_sticking(true);
                Ok("its display sticks".to_owned())
            }
            DeviceFault::Scaling { of, what } => {
                self.scale_wrongly(now, of, what);
                Ok(format!("the multiplier of {} is {}", of.word(), what.word()))
            }
            _ => self.shell.fault(now, fault),
        };
        match named {
            Ok(detail) => event(out, EventKind::FaultBegun, &detail),
            Err(why) => event(out, EventKind::InputRefused, why),
        }
    }
}

/// By whose multiplier a quantity is scaled.
fn scaled(id: MeasurementId) -> Option<ScaledQuantity> {
    Some(match id.row().quantity {
        Quantity::VoltageRms => ScaledQuantity::Voltage,
        Quantity::CurrentRms => ScaledQuantity::Current,
        Quantity::ActivePower(_) | Quantity::ReactivePower(_) | Quantity::ApparentPower => {
            ScaledQuantity::Power
        }
        Quantity::Frequency => ScaledQuantity::Frequency,
        Quantity::ActiveEnergy(_) => ScaledQuantity::Energy,
        _ => return None,
    })
}

/// What became of a program image, for the record.
fn ended(outcome: &UpgradeOutcome) -> (EventKind, String) {
    let named = |ImageId { manufacturer, image_type, version }: &ImageId| {
        format!("version {version} of type 0x{image_type:04X} of manufacturer 0x{manufacturer:04X}")
    };
    match outcome {
        UpgradeOutcome::Installed(image) => (EventKind::ImageInstalled, named(image)),
        UpgradeOutcome::Refused(image, why) => {
            (EventKind::ImageRefused, format!("{}: {why}", named(image)))
        }
        UpgradeOutcome::TooLong(image, bytes) => {
            let detail = format!("{}: {bytes} bytes have no room", named(image));
            (EventKind::ImageRefused, detail)
        }
        UpgradeOutcome::Aborted(image) => {
            (EventKind::ImageRefused, format!("{}: the platform ended it", named(image)))
        }
    }
}

/// The registers that a calibration writes.
fn registers(written: &CalibrationWrite) -> Vec<Order> {
    let Some((gain, offset)) = CALIBRATION_CHANNELS.get(usize::from(written.channel)) else {
        return Vec::new();
    };
    let order = |register: &&str, value: String| {
        let register = (*register).to_owned();
        (!register.is_empty()).then_some(Order::SetRegister { register, value })
    };
    let both = [order(gain, written.gain.to_string()), order(offset, written.offset.to_string())];
    both.into_iter().flatten().collect()
}

/// What a reading has of these quantities, in SI units.
fn measured_of(values: &[(MeasurementId, f64)]) -> Measured {
    let of = |quantity: Quantity| {
        let (id, value) = values.iter().find(|(id, _)| id.row().quantity == quantity)?;
        Some(value * id.row().si_factor)
    };
    // What goes both ways is one number with a sign.
    let signed = |kind: fn(Direction) -> Quantity| {
        Some(of(kind(Direction::Consumed))? - of(kind(Direction::Injected)).unwrap_or(0.0))
    };
    Measured {
        voltage_v: of(Quantity::VoltageRms),
        current_a: of(Quantity::CurrentRms),
        active_w: signed(Quantity::ActivePower),
        reactive_var: signed(Quantity::ReactivePower),
        apparent_va: of(Quantity::ApparentPower),
        power_factor: of(Quantity::PowerFactor),
        frequency_hz: of(Quantity::Frequency),
        delivered_j: of(Quantity::ActiveEnergy(Direction::Consumed)),
        received_j: of(Quantity::ActiveEnergy(Direction::Injected)),
    }
}

/// A value by its identifier, in SI units, as the numbers of the attributes can hold it; `None` of
/// what is not reported, or has no value.
fn transmitted(
    id: MeasurementId,
    measured: &Measured,
    scales: &PlugScales,
) -> Option<(MeasurementId, f64)> {
    let rounded = |value: Option<f64>, multiplier: u32, divisor: u32| {
        let step = f64::from(multiplier) / f64::from(divisor);
        value.filter(|value| value.is_finite()).map(|value| (value / step).round() * step)
    };
    let small = |value, (by, of): (u16, u16)| rounded(value, by.into(), of.into());
    let flow = |value: Option<f64>, way: Direction| {
        let value = small(value, scales.power)?;
        Some(if way == Direction::Consumed { value.max(0.0) } else { (-value).max(0.0) })
    };
    let energy = |joules: Option<f64>| {
        let kwh = rounded(joules.map(|joules| joules / 3.6e6), scales.energy.0, scales.energy.1)?;
        Some(kwh * 3.6e6)
    };
    let value = match id.row().quantity {
        Quantity::VoltageRms => small(measured.voltage_v, scales.voltage),
        Quantity::CurrentRms => small(measured.current_a, scales.current),
        Quantity::ActivePower(way) => flow(measured.active_w, way),
        Quantity::ReactivePower(way) => flow(measured.reactive_var, way),
        Quantity::ApparentPower => small(measured.apparent_va, scales.power),
        Quantity::PowerFactor => rounded(measured.power_factor, 1, 100),
        Quantity::Frequency => small(measured.frequency_hz, scales.frequency),
        Quantity::ActiveEnergy(Direction::Consumed) => energy(measured.delivered_j),
        Quantity::ActiveEnergy(Direction::Injected) => energy(measured.received_j),
        _ => None,
    };
    value.map(|value| (id, value))
}

/// Whether a plug reports a quantity.
pub(crate) fn is_reported(id: MeasurementId) -> bool {
    match id.row().quantity {
        Quantity::VoltageRms
        | Quantity::CurrentRms
        | Quantity::PowerFactor
        | Quantity::Frequency
        | Quantity::ActiveEnergy(_) => true,
        // Of one phase the total is all there is.
        Quantity::ActivePower(_) | Quantity::ReactivePower(_) | Quantity::ApparentPower => {
            id.row().phase == Phase::Total
        }
        _ => false,
    }
}

impl Outlet for ZigbeeOutlet {
    fn start(&self) -> SimTime {
        self.shell.start()
    }

    fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        out: &mut Vec<Output>,
    ) {
        let at = self.start() + due;
        let events = self.shell.pass(at);
        let measured = measured_of(&values);
        if let Some(shown) = self.shell.node.measure(measured) {
            out.push(Output::Shown { values: shown });
        }
        let frames = self.shell.take_frames(at, out);
        if !frames.is_empty() {
            let sent =
                values.iter().filter_map(|&(id, _)| transmitted(id, &measured, &self.scales));
            let sent = sent.map(|(id, value)| {
                let value = if self.is_unreadable(id) { f64::NAN } else { value };
                (id.name().to_owned(), value)
            });
            let values = sent.collect();
            self.shell.report(at, span, values, frames, out);
        }
        self.flush(at, events, out);
    }

    fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        let mut events = self.shell.pass(now);
        match input {
            Input::Heard { bytes } => events.extend(self.shell.hear(now, &bytes)),
            Input::Passed => {}
            Input::Fault(fault) => {
                self.fault(now, &fault, out);
                events.extend(self.shell.pass(now));
            }
            _ => {
                let detail = "connection state for a device without an uplink";
                event(out, EventKind::InputRefused, detail);
            }
        }
        self.flush(now, events, out);
    }

    fn order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    fn commands(&self) -> Option<&'static [&'static str]> {
        Some(&COMMANDS)
    }

    fn network_address(&self) -> Option<String> {
        Some(self.shell.address())
    }

    fn image(&self) -> Option<ImageId> {
        self.shell.node.upgrade().map(Upgrade::running)
    }

    fn awaits_answer(&self) -> bool {
        !self.shell.is_off() && self.shell.node.upgrade().is_some_and(Upgrade::is_under_way)
    }

    fn wake_at(&self, next_reading: SimTime) -> Option<SimTime> {
        self.shell.wake_at(next_reading)
    }

    fn is_frozen(&mut self, at: SimDuration) -> bool {
        let at = self.start() + at;
        self.shell.is_frozen(at)
    }
}
