//! A sensor of a room: temperature, and the contact of a door or window; it sleeps on a battery.

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::network::{ApsFrame, NodeConfig};
use lastmeter_zigbee::zcl::cluster::ias_zone::{
    ALARM_1, STATUS_CHANGE, StatusChange, TYPE_CONTACT,
};
use lastmeter_zigbee::zcl::cluster::{
    BASIC, IAS_ZONE, POWER_CONFIGURATION, TEMPERATURE_MEASUREMENT,
};
use lastmeter_zigbee::zcl::{Direction, Frame, Header, Status, Value};

use super::attributes::{Attributes, Reporting};
use super::node::{Application, ZigbeeNode};

const MEASURED: u16 = 0x0000;
const ZONE_STATUS: u16 = 0x0002;
const BATTERY_HALF_PERCENT: u16 = 0x0021;
/// Zones have a number only once they are enrolled.
const NO_ZONE: u8 = 0xFF;

/// The sensor's application.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoomSensor {
    is_open: bool,
}

impl Application for RoomSensor {
    fn command(&mut self, _: &mut Attributes, _: u16, _: &Frame<'_>) -> Status {
        Status::UNSUPPORTED_CLUSTER_COMMAND
    }

    fn lose_power(&mut self, attributes: &mut Attributes) {
        attributes.forget_measured(|cluster, _| cluster == IAS_ZONE);
    }

    fn restore_power(&mut self, _: &mut Attributes) {}
}

impl ZigbeeNode<RoomSensor> {
    /// A sensor that reports its temperature when it changed by half a kelvin, and every so often.
    pub fn room_sensor(config: NodeConfig, report_every: SimDuration) -> Self {
        let mut attributes = Attributes::default()
            .fixed(BASIC, 0x0004, Value::Text(Some(b"lastmeter")))
            .fixed(BASIC, 0x0005, Value::Text(Some(b"room-sensor")))
            .measured(POWER_CONFIGURATION, BATTERY_HALF_PERCENT)
            .measured(TEMPERATURE_MEASUREMENT, MEASURED)
            .fixed(TEMPERATURE_MEASUREMENT, 0x0001, Value::I16(Some(-4_000)))
            .fixed(TEMPERATURE_MEASUREMENT, 0x0002, Value::I16(Some(8_500)))
            .fixed(IAS_ZONE, 0x0001, Value::Enum16(Some(TYPE_CONTACT)))
            .fixed(IAS_ZONE, ZONE_STATUS, Value::Map16(0));
        let (min, max) = (SimDuration::from_seconds(10), Some(report_every));
        for (cluster, change) in [(POWER_CONFIGURATION, 10), (TEMPERATURE_MEASUREMENT, 50)] {
            attributes.report(cluster, Reporting { min, max, change });
        }
        Self::new(config, attributes, RoomSensor::default())
    }

    /// It measures its temperature; none if its sensor is broken.
    pub fn set_celsius(&mut self, celsius: Option<f64>) {
        let number = celsius.filter(|celsius| celsius.is_finite());
        let number = number.map(|celsius| (100.0 * celsius).round() as i64);
        self.server.attributes.set(TEMPERATURE_MEASUREMENT, MEASURED, number);
    }

    /// It measures what is left in its battery, in percent.
    pub fn set_battery_percent(&mut self, percent: f64) {
        let number = (2.0 * percent).round().clamp(0.0, 200.0) as i64;
        self.server.attributes.set(POWER_CONFIGURATION, BATTERY_HALF_PERCENT, Some(number));
    }

    /// Whether the door is open.
    pub const fn is_open(&self) -> bool {
        self.application.is_open
    }

    /// The door is opened or closed, which it reports at once.
    pub fn set_open(&mut self, now: SimTime, is_open: bool) {
        if std::mem::replace(&mut self.application.is_open, is_open) == is_open {
            return;
        }
        if let Some(frame) = self.zone_status() {
            self.send(now, frame);
        }
    }

    /// The frame that reports whether the door is open, as it also goes out every so often.
    pub fn zone_status(&mut self) -> Option<ApsFrame> {
        let status = if self.is_open() { ALARM_1 } else { 0 };
        self.server.attributes.set(IAS_ZONE, ZONE_STATUS, Some(status.into()));
        let change = StatusChange { status, extended: 0, zone: NO_ZONE, delay_quarter_s: 0 };
        let header = Header::cluster(Direction::ToClient, 0, STATUS_CHANGE);
        self.server.unasked(IAS_ZONE, header, &[change]).ok()
    }
}
