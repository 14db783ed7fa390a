//! The smart plug: a bistable relay, what its energy chip measured as scaled attributes, orders for
//! the chip, and a local display.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::bytes::Reader;
use lastmeter_zigbee::network::NodeConfig;
use lastmeter_zigbee::zcl::cluster::on_off::{self, OnOff, StartUp};
use lastmeter_zigbee::zcl::cluster::ota::ImageId;
use lastmeter_zigbee::zcl::cluster::plug::{CALIBRATION_WRITE, CalibrationWrite, MANUFACTURER};
use lastmeter_zigbee::zcl::cluster::{BASIC, ELECTRICAL_MEASUREMENT, METERING, ON_OFF, PLUG};
use lastmeter_zigbee::zcl::global::command;
use lastmeter_zigbee::zcl::{Attribute, Direction, Frame, Header, Record, Status, Value};

use super::attributes::{Attributes, Reporting, ScalingFault};
use super::node::{Application, ZigbeeNode};
use crate::border::{ScaledQuantity, ScalingChange};

/// Attributes of Metering and Electrical Measurement, by the names of the standard.
mod id {
    pub(super) const DELIVERED: u16 = 0x0000;
    pub(super) const RECEIVED: u16 = 0x0001;
    pub(super) const DEMAND: u16 = 0x0400;
    pub(super) const MULTIPLIER: u16 = 0x0301;
    pub(super) const DIVISOR: u16 = 0x0302;
    pub(super) const FREQUENCY: u16 = 0x0300;
    pub(super) const VOLTAGE: u16 = 0x0505;
    pub(super) const CURRENT: u16 = 0x0508;
    pub(super) const ACTIVE: u16 = 0x050B;
    pub(super) const REACTIVE: u16 = 0x050E;
    pub(super) const APPARENT: u16 = 0x050F;
    pub(super) const POWER_FACTOR: u16 = 0x0510;
    /// Multipliers; the divisor of each follows it.
    pub(super) const OF_FREQUENCY: u16 = 0x0400;
    pub(super) const OF_VOLTAGE: u16 = 0x0600;
    pub(super) const OF_CURRENT: u16 = 0x0602;
    pub(super) const OF_POWER: u16 = 0x0604;
}

/// Of which maker and for which devices the program images are that a plug takes.
pub const PLUG_PROGRAM: ImageId = ImageId { manufacturer: 0x1234, image_type: 1, version: 0 };

/// The energy chip's registers by channel of a calibration: of voltage, current, P, Q, S the gain
/// and the offset; the last one is the delay of the current, which is written as an offset.
pub const CALIBRATION_CHANNELS: [(&str, &str); 6] = [
    ("AVGAIN", "VRMSOS"),
    ("AIGAIN", "AIRMSOS"),
    ("AWGAIN", "AWATTOS"),
    ("AVARGAIN", "AVAROS"),
    ("AVAGAIN", "AVAOS"),
    ("", "PHCALA"),
];

/// What gives numbers their meaning, by cluster.
const SCALES: [(u16, &[u16]); 2] = [
    (METERING, &[0x0300, id::MULTIPLIER, id::DIVISOR]),
    (
        ELECTRICAL_MEASUREMENT,
        &[
            id::OF_FREQUENCY,
            id::OF_FREQUENCY + 1,
            id::OF_VOLTAGE,
            id::OF_VOLTAGE + 1,
            id::OF_CURRENT,
            id::OF_CURRENT + 1,
            id::OF_POWER,
            id::OF_POWER + 1,
        ],
    ),
];

/// Joules of a kilowatt-hour.
const JOULES_PER_KWH: f64 = 3.6e6;

/// A latching relay: a pulse moves its contact, which stays without power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BistableRelay {
    is_closed: bool,
    operations: u64,
}

impl BistableRelay {
    /// A relay whose contact is where it was when it was made.
    pub const fn new(is_closed: bool) -> Self {
        Self { is_closed, operations: 0 }
    }

    /// Whether its contact is closed.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// How often its contact has moved.
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Moves its contact; false if it is there already.
    pub const fn set(&mut self, is_closed: bool) -> bool {
        let moves = self.is_closed != is_closed;
        self.operations += moves as u64;
        self.is_closed = is_closed;
        moves
    }
}

/// What the energy chip measured, means of the time since it was asked last; energies since ever.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each is the quantity of its name")]
pub struct Measured {
    pub voltage_v: Option<f64>,
    pub current_a: Option<f64>,
    pub active_w: Option<f64>,
    pub reactive_var: Option<f64>,
    pub apparent_va: Option<f64>,
    pub power_factor: Option<f64>,
    pub frequency_hz: Option<f64>,
    pub delivered_j: Option<f64>,
    pub received_j: Option<f64>,
}

/// Multiplier and divisor of each quantity: a value is the number on the wire times the first by
/// the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlugScales {
    /// Of voltages in V.
    pub voltage: (u16, u16),
    /// Of currents in A.
    pub current: (u16, u16),
    /// Of powers in W, var and VA.
    pub power: (u16, u16),
    /// Of frequencies in Hz.
    pub frequency: (u16, u16),
    /// Of energies in kWh, and of demand in kW.
    pub energy: (u32, u32),
}

impl Default for PlugScales {
    /// 0.1 V, 1 mA, 125 mW, 10 mHz, 1 mWh: all of them hold 16 A at 253 V.
    fn default() -> Self {
        Self {
            voltage: (1, 10),
            current: (1, 1_000),
            power: (1, 8),
            frequency: (1, 100),
            energy: (1, 1_000_000),
        }
    }
}

/// What a plug orders its chip and its contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlugOrder {
    /// Its contact has moved.
    Switched {
        /// Whether it is closed now.
        is_closed: bool,
    },
    /// Coefficients for a channel of the energy chip.
    Calibrate(CalibrationWrite),
}

/// Texts on a display, by the identifiers of what they show.
pub type Shown = BTreeMap<String, String>;

/// What is on the display of a plug that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Display {
    shown: Shown,
    sticks: bool,
}

/// The smart plug's application.
#[derive(Clone, Debug)]
pub struct Plug {
    relay: BistableRelay,
    measured: Measured,
    orders: VecDeque<PlugOrder>,
    display: Option<Display>,
}

impl Plug {
    /// A plug, with a display or without.
    pub fn new(relay: BistableRelay, has_display: bool) -> Self {
        let display = has_display.then(Display::default);
        Self { relay, measured: Measured::default(), orders: VecDeque::new(), display }
    }

    /// Its attributes, with nothing measured yet; all measured ones are reported every so often.
    pub fn attributes(&self, scales: PlugScales, report_every: SimDuration) -> Attributes {
        let pair = |(multiplier, divisor): (u16, u16)| {
            (Value::U16(Some(multiplier)), Value::U16(Some(divisor)))
        };
        let mut all = Attributes::default()
            .fixed(BASIC, 0x0004, Value::Text(Some(b"lastmeter")))
            .fixed(BASIC, 0x0005, Value::Text(Some(b"smart-plug")))
            .measured(ON_OFF, on_off::ON_OFF)
            .setting((ON_OFF, on_off::START_UP), StartUp::Previous.value(), |number| {
                number.is_none_or(|number| number <= 2)
            })
            .fixed(METERING, 0x0200, Value::Map8(0))
            // Kilowatt-hours in binary, of electricity.
            .fixed(METERING, 0x0300, Value::Enum8(Some(0)))
            .fixed(METERING, 0x0306, Value::Map8(0))
            .fixed(METERING, id::MULTIPLIER, Value::U24(Some(scales.energy.0)))
            .fixed(METERING, id::DIVISOR, Value::U24(Some(scales.energy.1)))
            // Active, reactive and apparent power of phase A.
            .fixed(ELECTRICAL_MEASUREMENT, 0x0000, Value::Map32(0x0F));
        for (id, scale) in [
            (id::OF_FREQUENCY, scales.frequency),
            (id::OF_VOLTAGE, scales.voltage),
            (id::OF_CURRENT, scales.current),
            (id::OF_POWER, scales.power),
        ] {
            let (multiplier, divisor) = pair(scale);
            all = all.fixed(ELECTRICAL_MEASUREMENT, id, multiplier);
            all = all.fixed(ELECTRICAL_MEASUREMENT, id + 1, divisor);
        }
        for id in [id::DELIVERED, id::RECEIVED, id::DEMAND] {
            all = all.measured(METERING, id);
        }
        for id in [
            id::FREQUENCY,
            id::VOLTAGE,
            id::CURRENT,
            id::ACTIVE,
            id::REACTIVE,
            id::APPARENT,
            id::POWER_FACTOR,
        ] {
            all = all.measured(ELECTRICAL_MEASUREMENT, id);
        }
        all.set(ON_OFF, on_off::ON_OFF, Some(self.relay.is_closed.into()));
        let (min, max) = (SimDuration::ZERO, Some(report_every));
        // When it changes only: nothing of it is ever due.
        all.report(ON_OFF, Reporting { min, max: None, change: 0 });
        for cluster in [METERING, ELECTRICAL_MEASUREMENT] {
            // Every so often, however much they change.
            all.report(cluster, Reporting { min, max, change: i64::MAX });
        }
        // It is the active power once more.
        all.leave_unreported(METERING, id::DEMAND);
        all
    }

    /// Its relay.
    pub const fn relay(&self) -> BistableRelay {
        self.relay
    }

    /// What it orders, in order.
    pub fn order(&mut self) -> Option<PlugOrder> {
        self.orders.pop_front()
    }

    /// Its display shows the same from now on, or follows its values again.
    pub fn set_sticking(&mut self, sticks: bool) {
        if let Some(display) = &mut self.display {
            display.sticks = sticks;
        }
    }

    fn switch(&mut self, attributes: &mut Attributes, is_closed: bool) {
        if self.relay.set(is_closed) {
            self.orders.push_back(PlugOrder::Switched { is_closed });
        }
        attributes.set(ON_OFF, on_off::ON_OFF, Some(is_closed.into()));
    }

    fn calibrate(&mut self, payload: &[u8]) -> Status {
        let mut reader = Reader::new(payload);
        let read = CalibrationWrite::take(&mut reader);
        match read.and_then(|read| reader.end("calibration").map(|()| read)) {
            Ok(written) => {
                self.orders.push_back(PlugOrder::Calibrate(written));
                Status::SUCCESS
            }
            Err(_) => Status::MALFORMED_COMMAND,
        }
    }

    /// Takes what was measured, as numbers of the attributes.
    fn measure(&mut self, attributes: &mut Attributes, measured: Measured) {
        self.measured = measured;
        let mut set =
            |cluster: u16, id: u16, (multiplier, divisor): (u16, u16), value: Option<f64>| {
                let scale = |id| attributes.scale(cluster, id).filter(|scale| *scale != 0);
                let number = value.zip(scale(multiplier).zip(scale(divisor)));
                let number =
                    number.map(|(value, (by, of))| (value * of as f64 / by as f64).round());
                let number = number.filter(|number| number.is_finite()).map(|number| number as i64);
                attributes.set(cluster, id, number);
            };
        let power = (id::OF_POWER, id::OF_POWER + 1);
        for (id, scale, value) in [
            (id::FREQUENCY, (id::OF_FREQUENCY, id::OF_FREQUENCY + 1), measured.frequency_hz),
            (id::VOLTAGE, (id::OF_VOLTAGE, id::OF_VOLTAGE + 1), measured.voltage_v),
            (id::CURRENT, (id::OF_CURRENT, id::OF_CURRENT + 1), measured.current_a),
            (id::ACTIVE, power, measured.active_w),
            (id::REACTIVE, power, measured.reactive_var),
            (id::APPARENT, power, measured.apparent_va),
        ] {
            set(ELECTRICAL_MEASUREMENT, id, scale, value);
        }
        let kwh = |joules: Option<f64>| joules.map(|joules| joules / JOULES_PER_KWH);
        for (id, value) in [
            (id::DELIVERED, kwh(measured.delivered_j)),
            (id::RECEIVED, kwh(measured.received_j)),
            (id::DEMAND, measured.active_w.map(|watts| watts / 1e3)),
        ] {
            set(METERING, id, (id::MULTIPLIER, id::DIVISOR), value);
        }
        let percent = measured.power_factor.map(|factor| (100.0 * factor).round() as i64);
        attributes.set(ELECTRICAL_MEASUREMENT, id::POWER_FACTOR, percent);
    }

    /// What its display shows of the values of its attributes, if it has one and that has changed.
    fn draw(&mut self, attributes: &Attributes) -> Option<Shown> {
        let display = self.display.as_mut().filter(|display| !display.sticks)?;
        let value = |cluster: u16, id: u16, multiplier: u16| {
            let scale = |id| attributes.scale(cluster, id).map(|scale| scale as f64);
            let number = attributes.read(cluster, id).ok()?.number()? as f64;
            Some(number * scale(multiplier)? / scale(multiplier + 1)?)
        };
        let part = |value: Option<f64>, digits: usize, unit: &str| match value {
            Some(value) => format!("{value:.digits$} {unit}"),
            None => format!("--- {unit}"),
        };
        let volts = value(ELECTRICAL_MEASUREMENT, id::VOLTAGE, id::OF_VOLTAGE);
        let amperes = value(ELECTRICAL_MEASUREMENT, id::CURRENT, id::OF_CURRENT);
        let watts = value(ELECTRICAL_MEASUREMENT, id::ACTIVE, id::OF_POWER);
        let way = if watts.is_some_and(|watts| watts < 0.0) { "injected" } else { "consumed" };
        let kwh = value(METERING, id::DELIVERED, id::MULTIPLIER);
        let shown = Shown::from([
            ("electricity.voltage.rms.l1".to_owned(), part(volts, 1, "V")),
            ("electricity.current.rms.l1".to_owned(), part(amperes, 3, "A")),
            (format!("electricity.power.active.{way}.total"), part(watts.map(f64::abs), 1, "W")),
            ("electricity.energy.active.consumed.total".to_owned(), part(kwh, 3, "kWh")),
        ]);
        let has_changed = display.shown != shown;
        display.shown.clone_from(&shown);
        has_changed.then_some(shown)
    }
}

impl Application for Plug {
    fn command(&mut self, attributes: &mut Attributes, cluster: u16, frame: &Frame<'_>) -> Status {
        let header = frame.header;
        match (cluster, header.manufacturer, header.command) {
            (ON_OFF, None, _) => {
                let is_closed = match OnOff::of(frame) {
                    Some(OnOff::Off) => false,
                    Some(OnOff::On) => true,
                    Some(OnOff::Toggle) => !self.relay.is_closed,
                    None => return Status::UNSUPPORTED_CLUSTER_COMMAND,
                };
                self.switch(attributes, is_closed);
                Status::SUCCESS
            }
            (PLUG, Some(MANUFACTURER), CALIBRATION_WRITE) => self.calibrate(frame.payload),
            (_, Some(_), _) => Status::UNSUPPORTED_MANUFACTURER_CLUSTER_COMMAND,
            _ => Status::UNSUPPORTED_CLUSTER_COMMAND,
        }
    }

    /// The contact stays where it is, and energies and settings are kept; what was measured is not.
    fn lose_power(&mut self, attributes: &mut Attributes) {
        let (delivered_j, received_j) = (self.measured.delivered_j, self.measured.received_j);
        self.measured = Measured { delivered_j, received_j, ..Measured::default() };
        attributes.forget_measured(|cluster, id| {
            cluster == ON_OFF || cluster == METERING && id != id::DEMAND
        });
        if let Some(display) = &mut self.display {
            display.shown.clear();
        }
    }

    fn restore_power(&mut self, attributes: &mut Attributes) {
        let start_up = attributes.read(ON_OFF, on_off::START_UP).ok().and_then(StartUp::of);
        match start_up {
            Some(StartUp::Off) => self.switch(attributes, false),
            Some(StartUp::On) => self.switch(attributes, true),
            Some(StartUp::Toggle) => self.switch(attributes, !self.relay.is_closed),
            Some(StartUp::Previous) | None => {}
        }
    }
}

impl ZigbeeNode<Plug> {
    /// A plug as a node.
    pub fn plug(
        config: NodeConfig,
        plug: Plug,
        scales: PlugScales,
        report_every: SimDuration,
    ) -> Self {
        let attributes = plug.attributes(scales, report_every);
        Self::new(config, attributes, plug)
    }

    /// Reports its unit, multipliers and divisors, without which nobody can read its numbers.
    pub fn announce_scales(&mut self, now: SimTime) {
        for (cluster, ids) in SCALES {
            let read = |&id: &u16| {
                let value = self.server.attributes.read(cluster, id).ok()?;
                Some(Attribute { id, value })
            };
            let records: Vec<Attribute<'_>> = ids.iter().filter_map(read).collect();
            let header = Header::global(Direction::ToClient, 0, command::REPORT);
            if let Ok(frame) = self.server.unasked(cluster, header, &records) {
                self.send(now, frame);
            }
        }
    }

    /// The multiplier of a quantity is not what it was from now on.
    pub fn set_scaling(&mut self, of: ScaledQuantity, what: ScalingChange) {
        let (cluster, id) = match of {
            ScaledQuantity::Voltage => (ELECTRICAL_MEASUREMENT, id::OF_VOLTAGE),
            ScaledQuantity::Current => (ELECTRICAL_MEASUREMENT, id::OF_CURRENT),
            ScaledQuantity::Power => (ELECTRICAL_MEASUREMENT, id::OF_POWER),
            ScaledQuantity::Frequency => (ELECTRICAL_MEASUREMENT, id::OF_FREQUENCY),
            ScaledQuantity::Energy => (METERING, id::MULTIPLIER),
        };
        let attributes = &mut self.server.attributes;
        let before = attributes.scale(cluster, id).and_then(|scale| u32::try_from(scale).ok());
        attributes.set_fault(
            cluster,
            id,
            Some(match what {
                ScalingChange::Absent => ScalingFault::Absent,
                ScalingChange::Zero => ScalingFault::Zero,
                ScalingChange::Changed => ScalingFault::Changed(5 * before.unwrap_or(1)),
            }),
        );
    }

    /// Takes what its energy chip has measured up to now; what its display shows then, if that is
    /// something else than before. Without power it measures nothing.
    pub fn measure(&mut self, measured: Measured) -> Option<Shown> {
        if !self.has_power() {
            return None;
        }
        self.application.measure(&mut self.server.attributes, measured);
        self.application.draw(&self.server.attributes)
    }
}
