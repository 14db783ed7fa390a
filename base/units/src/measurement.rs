//! The registry of measurement identifiers: what a meter may report, and in which unit.
//!
//! Table 2 of the Flexmeter deliverable verbatim, followed by the project's own `x.*` namespace for
//! quantities the table has no name for. The table spells units its own way (`KVA`, `HZ`, `kVAR`);
//! they are kept for reference, shown in the spelling of the SI brochure, and converted to SI base
//! units for the record. A power factor is dimensionless although the table has rad.
//!
//! A quantity knows its [`Domain`] and how its truth over a reading's span is formed
//! ([`Formation`]); its unit stands in its row. Identifiers of quantities that no source of the
//! plant has yet are [`Quantity::Other`]: messages may carry them, and nothing is known of them.

use std::fmt;

/// A phase conductor, the whole of them, or none (a quantity of the network or of no circuit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// First phase, `l1`.
    L1,
    /// Second phase, `l2`.
    L2,
    /// Third phase, `l3`.
    L3,
    /// Sum over the phases, `total`.
    Total,
    /// Not a quantity of a phase.
    None,
}

impl Phase {
    /// The phase conductors in order.
    pub const CONDUCTORS: [Self; 3] = [Self::L1, Self::L2, Self::L3];

    /// The conductor's index 0 to 2; `None` for a total or a quantity without phase.
    pub fn index(self) -> Option<usize> {
        Self::CONDUCTORS.iter().position(|&phase| phase == self)
    }
}

/// Whether energy comes from the network or goes to it; both are reported, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Import: from the network to the customer. Positive power.
    Consumed,
    /// Export: from the customer to the network. Negative power.
    Injected,
}

crate::words! {
    /// The domain that a quantity belongs to, and with it the place where a device is connected.
    pub enum Domain {
        /// Voltages and currents.
        Electricity = "electricity",
        /// Heat that water carries from a flow pipe to a return pipe.
        Heat = "heat",
        /// Drinking water.
        Water = "water",
        /// A room: its air, and what closes it.
        Room = "room",
    }
}

/// How the truth of a quantity follows from what the plant did over the span of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formation {
    /// The mean over the span.
    Mean,
    /// The integral from when the register stood at zero to the end of the span.
    Register,
    /// The value at the end of the span.
    Last,
    /// Of an interval that the reading itself names by a number.
    Interval,
}

/// What is measured, apart from the phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Active power P.
    ActivePower(Direction),
    /// Reactive power Q of the fundamental.
    ReactivePower(Direction),
    /// Apparent power S.
    ApparentPower,
    /// Active energy register.
    ActiveEnergy(Direction),
    /// Reactive energy register.
    ReactiveEnergy(Direction),
    /// Apparent energy register.
    ApparentEnergy,
    /// RMS current.
    CurrentRms,
    /// Phase angle of the current's fundamental.
    CurrentPhase,
    /// Instantaneous value of the current.
    CurrentInstant,
    /// RMS voltage.
    VoltageRms,
    /// Phase angle of the voltage's fundamental.
    VoltagePhase,
    /// Instantaneous value of the voltage.
    VoltageInstant,
    /// Power factor P/S, dimensionless, -1 to 1.
    PowerFactor,
    /// Frequency of the fundamental.
    Frequency,
    /// Total harmonic distortion of the voltage.
    VoltageThd,
    /// Total harmonic distortion of the current.
    CurrentThd,
    /// RMS value of the harmonic sub-group of this order of the voltage, 2 to 50 (IEC 61000-4-7).
    VoltageHarmonic(u8),
    /// RMS value of the harmonic sub-group of this order of the current.
    CurrentHarmonic(u8),
    /// RMS value of all centred interharmonic sub-groups of the voltage below order 50 together
    /// (IEC 61000-4-7): what lies between the orders, but for the bins next to them.
    VoltageInterharmonics,
    /// The same of the current.
    CurrentInterharmonics,
    /// Negative-sequence voltage u2, relative to the positive sequence (IEC 61000-4-30, 5.7).
    VoltageUnbalanceNegative,
    /// Zero-sequence voltage u0, likewise.
    VoltageUnbalanceZero,
    /// Short-term flicker severity Pst of the last whole ten minutes (IEC 61000-4-15).
    FlickerShortTerm,
    /// Non-active power N = sqrt(S^2 - P^2), IEEE 1459.
    NonActivePower,
    /// Pulses of the active-energy output since its register stood at zero.
    ActivePulses,
    /// Pulses of the reactive-energy output.
    ReactivePulses,
    /// Mean active power in an interval of the meter's power profile, consumed less injected.
    ProfilePower,
    /// The number of that interval; the one in which the meter was started is 1.
    ProfileInterval,
    /// RMS current in the neutral, measured beside the line's.
    NeutralCurrentRms,
    /// RMS voltage behind the meter's breaker.
    BreakerVoltageRms,
    /// Whether the meter's breaker is closed: 1 or 0.
    BreakerClosed,
    /// Mean value of the voltage: its direct component.
    VoltageMean,
    /// Mean value of the current: its direct component.
    CurrentMean,
    /// Heat that a circuit has given off: the register of a heat meter (EN 1434-1).
    HeatEnergy,
    /// Thermal power.
    HeatPower,
    /// Volume that has passed a heat meter's flow sensor.
    HeatVolume,
    /// Volume flow at a heat meter's flow sensor.
    HeatVolumeFlow,
    /// Temperature in the flow pipe of a heat circuit.
    FlowTemperature,
    /// Temperature in its return pipe.
    ReturnTemperature,
    /// Volume that has passed a water meter.
    WaterVolume,
    /// Volume flow at a water meter.
    WaterVolumeFlow,
    /// Temperature of a room's air.
    RoomTemperature,
    /// Whether a door or window is open: 1 or 0.
    ContactOpen,
    /// A quantity that nothing of the plant has (gas, blinks, set points).
    Other,
}

impl Quantity {
    /// The domain it belongs to; `None` of [`Self::Other`].
    pub const fn domain(self) -> Option<Domain> {
        Some(match self {
            Self::HeatEnergy
            | Self::HeatPower
            | Self::HeatVolume
            | Self::HeatVolumeFlow
            | Self::FlowTemperature
            | Self::ReturnTemperature => Domain::Heat,
            Self::WaterVolume | Self::WaterVolumeFlow => Domain::Water,
            Self::RoomTemperature | Self::ContactOpen => Domain::Room,
            Self::Other => return None,
            _ => Domain::Electricity,
        })
    }

    /// How its truth is formed; `None` of [`Self::Other`].
    pub const fn formation(self) -> Option<Formation> {
        Some(match self {
            Self::ActiveEnergy(_)
            | Self::ReactiveEnergy(_)
            | Self::ApparentEnergy
            | Self::ActivePulses
            | Self::ReactivePulses
            | Self::HeatEnergy
            | Self::HeatVolume
            | Self::WaterVolume => Formation::Register,
            Self::CurrentInstant
            | Self::VoltageInstant
            | Self::BreakerClosed
            | Self::FlickerShortTerm
            | Self::FlowTemperature
            | Self::ReturnTemperature
            | Self::RoomTemperature
            | Self::ContactOpen => Formation::Last,
            Self::ProfilePower | Self::ProfileInterval => Formation::Interval,
            Self::Other => return None,
            _ => Formation::Mean,
        })
    }
}

crate::words! {
    /// The unit in which a value stands in the record.
    pub enum SiUnit {
        /// Watt.
        Watt = "W",
        /// Var.
        Var = "var",
        /// Volt-ampere.
        VoltAmpere = "VA",
        /// Joule.
        Joule = "J",
        /// Var-second.
        VarSecond = "var s",
        /// Volt-ampere-second.
        VoltAmpereSecond = "VA s",
        /// Ampere.
        Ampere = "A",
        /// Volt.
        Volt = "V",
        /// Hertz.
        Hertz = "Hz",
        /// Radian.
        Radian = "rad",
        /// Dimensionless.
        One = "1",
        /// Degree Celsius.
        DegreeCelsius = "°C",
        /// Kelvin, of differences of temperatures.
        Kelvin = "K",
        /// Cubic metre.
        CubicMetre = "m3",
        /// Cubic metre per second.
        CubicMetrePerSecond = "m3/s",
        /// Pascal.
        Pascal = "Pa",
    }
}

impl SiUnit {
    /// The greatest amount that is believed of a value in this unit, of either sign: some hundred
    /// times what any network, plant or register on earth has. What is beyond it is no measurement.
    pub const fn greatest(self) -> f64 {
        match self {
            Self::DegreeCelsius | Self::Kelvin | Self::Radian => 1e6,
            Self::Volt | Self::Ampere | Self::Hertz => 1e9,
            Self::Watt | Self::Var | Self::VoltAmpere => 1e15,
            Self::CubicMetrePerSecond | Self::Pascal => 1e12,
            Self::Joule | Self::VarSecond | Self::VoltAmpereSecond => 1e24,
            Self::One | Self::CubicMetre => 1e18,
        }
    }

    /// The unit of the difference of two values in this unit, such as an error.
    #[must_use]
    pub const fn of_difference(self) -> Self {
        match self {
            Self::DegreeCelsius => Self::Kelvin,
            unit => unit,
        }
    }
}

/// One row of the registry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// The identifier as it stands in a message.
    pub name: &'static str,
    /// What is measured.
    pub quantity: Quantity,
    /// The phase, or the sum of all.
    pub phase: Phase,
    /// The unit as the Flexmeter deliverable's Table 2 spells it; our own spelling for `x.*`.
    pub table_unit: &'static str,
    /// The unit of values in messages, as shown to people.
    pub unit: &'static str,
    /// The unit in the record.
    pub si_unit: SiUnit,
    /// Message value times this is the value in [`Self::si_unit`].
    pub si_factor: f64,
}

impl Measurement {
    /// Whether the Flexmeter deliverable's Table 2 lists it; a tenant with `strict_table2` accepts
    /// nothing else.
    pub fn is_table2(&self) -> bool {
        !self.name.starts_with("x.")
    }
}

/// An index into [`MEASUREMENTS`]: cheap to copy and compare, stable within a version only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeasurementId(u16);

impl MeasurementId {
    /// Finds an identifier by its exact name.
    pub fn lookup(name: &str) -> Option<Self> {
        static SLOTS: std::sync::LazyLock<[u16; NAME_SLOTS]> = std::sync::LazyLock::new(|| {
            let mut slots = [u16::MAX; NAME_SLOTS];
            for (row, measurement) in MEASUREMENTS.iter().enumerate() {
                let mut slot = name_slot(measurement.name);
                while slots[slot] != u16::MAX {
                    slot = (slot + 1) % NAME_SLOTS;
                }
                slots[slot] = row as u16;
            }
            slots
        });
        let slots = &*SLOTS;
        let mut slot = name_slot(name);
        while let Some(measurement) = MEASUREMENTS.get(usize::from(slots[slot])) {
            if measurement.name == name {
                return Some(Self(slots[slot]));
            }
            slot = (slot + 1) % NAME_SLOTS;
        }
        None
    }

    /// Finds an identifier by what it measures and where.
    pub fn of(quantity: Quantity, phase: Phase) -> Option<Self> {
        Self::all().find(|id| {
            let row = id.row();
            row.quantity == quantity && row.phase == phase && quantity != Quantity::Other
        })
    }

    /// Every identifier, in the registry's order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..MEASUREMENTS.len() as u16).map(Self)
    }

    /// The registry's row.
    pub fn row(self) -> &'static Measurement {
        &MEASUREMENTS[usize::from(self.0)]
    }

    /// The identifier as it stands in a message.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The row number, for dense tables.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The identifier of a row number; the inverse of [`Self::index`].
    pub fn from_index(index: usize) -> Option<Self> {
        (index < MEASUREMENTS.len()).then_some(Self(index as u16))
    }
}

/// Slots of the table of names: a power of two, several times the number of rows, so that a name
/// is found by its first comparison nearly always. A platform looks up millions per second.
const NAME_SLOTS: usize = 1 << NAME_SLOT_BITS;
const NAME_SLOT_BITS: u32 = 12;
const _: () = assert!(MEASUREMENTS.len() * 4 < NAME_SLOTS);

/// Where to look for a name first, from its length and its last sixteen bytes, in which names
/// differ most.
fn name_slot(name: &str) -> usize {
    // An odd constant near 2^64 divided by the golden ratio spreads the bits upwards.
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let (rest, last) = name.as_bytes().split_at(name.len().saturating_sub(8));
    let before = &rest[rest.len().saturating_sub(8)..];
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let mixed = (word(last).wrapping_mul(SPREAD) ^ word(before)).wrapping_add(name.len() as u64);
    (mixed.wrapping_mul(SPREAD) >> (u64::BITS - NAME_SLOT_BITS)) as usize % NAME_SLOTS
}

impl fmt::Display for MeasurementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! row {
    ($name:expr, $quantity:expr, $phase:ident, $table:literal, $unit:literal, $si:ident, $factor:expr) => {
        Measurement {
            name: $name,
            quantity: $quantity,
            phase: Phase::$phase,
            table_unit: $table,
            unit: $unit,
            si_unit: SiUnit::$si,
            si_factor: $factor,
        }
    };
}

macro_rules! registry {
    ($( $kind:ident $stem:literal $quantity:expr, $table:literal, $unit:literal, $si:ident, $factor:expr; )*) => {
        /// Every identifier a message may carry: the Flexmeter deliverable's Table 2 in its order,
        /// then `x.*`.
        pub static MEASUREMENTS: &[Measurement] = {
            const ROWS: &[&[Measurement]] = &[$( registry!(@$kind $stem, $quantity, $table, $unit, $si, $factor) ),*];
            const COUNT: usize = {
                let mut count = 0;
                let mut group = 0;
                while group < ROWS.len() {
                    count += ROWS[group].len();
                    group += 1;
                }
                count
            };
            const FLAT: [Measurement; COUNT] = {
                let mut flat = [ROWS[0][0]; COUNT];
                let (mut at, mut group) = (0, 0);
                while group < ROWS.len() {
                    let mut row = 0;
                    while row < ROWS[group].len() {
                        flat[at] = ROWS[group][row];
                        at += 1;
                        row += 1;
                    }
                    group += 1;
                }
                flat
            };
            &FLAT
        };
    };
    (@phases $stem:literal, $quantity:expr, $table:literal, $unit:literal, $si:ident, $factor:expr) => {
        &[
            row!(concat!($stem, ".l1"), $quantity, L1, $table, $unit, $si, $factor),
            row!(concat!($stem, ".l2"), $quantity, L2, $table, $unit, $si, $factor),
            row!(concat!($stem, ".l3"), $quantity, L3, $table, $unit, $si, $factor),
        ]
    };
    (@phases_total $stem:literal, $quantity:expr, $table:literal, $unit:literal, $si:ident, $factor:expr) => {
        &[
            row!(concat!($stem, ".l1"), $quantity, L1, $table, $unit, $si, $factor),
            row!(concat!($stem, ".l2"), $quantity, L2, $table, $unit, $si, $factor),
            row!(concat!($stem, ".l3"), $quantity, L3, $table, $unit, $si, $factor),
            row!(concat!($stem, ".total"), $quantity, Total, $table, $unit, $si, $factor),
        ]
    };
    (@total $stem:literal, $quantity:expr, $table:literal, $unit:literal, $si:ident, $factor:expr) => {
        &[row!(concat!($stem, ".total"), $quantity, Total, $table, $unit, $si, $factor)]
    };
    (@orders $stem:literal, $quantity:expr, $table:literal, $unit:literal, $si:ident, $factor:expr) => {
        registry!(@each_order $stem, $quantity, $table, $unit, $si, $factor,
            2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
            31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50)
    };
    (@each_order $stem:literal, $quantity:expr, $table:literal, $unit:literal, $si:ident, $factor:expr, $($order:literal)*) => {
        &[$(
            row!(concat!($stem, ".", $order, ".l1"), $quantity($order), L1, $table, $unit, $si, $factor),
            row!(concat!($stem, ".", $order, ".l2"), $quantity($order), L2, $table, $unit, $si, $factor),
            row!(concat!($stem, ".", $order, ".l3"), $quantity($order), L3, $table, $unit, $si, $factor),
        )*]
    };
    (@single $stem:literal, $quantity:expr, $table:literal, $unit:literal, $si:ident, $factor:expr) => {
        &[row!($stem, $quantity, None, $table, $unit, $si, $factor)]
    };
}

use Direction::{Consumed, Injected};
use Quantity as Q;

registry! {
    phases_total "electricity.power.active.consumed" Q::ActivePower(Consumed), "kW", "kW", Watt, 1e3;
    phases_total "electricity.power.active.injected" Q::ActivePower(Injected), "kW", "kW", Watt, 1e3;
    phases_total "electricity.power.reactive.consumed" Q::ReactivePower(Consumed), "kVAR", "kvar", Var, 1e3;
    phases_total "electricity.power.reactive.injected" Q::ReactivePower(Injected), "kVAR", "kvar", Var, 1e3;
    phases_total "electricity.power.apparent" Q::ApparentPower, "KVA", "kVA", VoltAmpere, 1e3;
    phases_total "electricity.energy.active.consumed" Q::ActiveEnergy(Consumed), "kWh", "kWh", Joule, 3.6e6;
    phases_total "electricity.energy.active.injected" Q::ActiveEnergy(Injected), "kWh", "kWh", Joule, 3.6e6;
    phases_total "electricity.energy.reactive.consumed" Q::ReactiveEnergy(Consumed), "kVARh", "kvarh", VarSecond, 3.6e6;
    phases_total "electricity.energy.reactive.injected" Q::ReactiveEnergy(Injected), "kVARh", "kvarh", VarSecond, 3.6e6;
    phases_total "electricity.energy.apparent" Q::ApparentEnergy, "kVAh", "kVAh", VoltAmpereSecond, 3.6e6;
    phases "electricity.current.rms" Q::CurrentRms, "Arms", "A", Ampere, 1.0;
    phases "electricity.current.phase" Q::CurrentPhase, "rad", "rad", Radian, 1.0;
    phases "electricity.current.instant" Q::CurrentInstant, "A", "A", Ampere, 1.0;
    phases "electricity.voltage.rms" Q::VoltageRms, "Vrms", "V", Volt, 1.0;
    phases "electricity.voltage.phase" Q::VoltagePhase, "rad", "rad", Radian, 1.0;
    phases "electricity.voltage.instant" Q::VoltageInstant, "V", "V", Volt, 1.0;
    phases "electricity.powerFactor" Q::PowerFactor, "rad", "1", One, 1.0;
    single "electricity.frequency" Q::Frequency, "HZ", "Hz", Hertz, 1.0;
    single "electricity.energy.blink" Q::Other, "Wh", "Wh", Joule, 3.6e3;
    single "heating.energy" Q::HeatEnergy, "MWh", "MWh", Joule, 3.6e9;
    single "heating.power" Q::HeatPower, "MW", "MW", Watt, 1e6;
    single "heating.volume" Q::HeatVolume, "m3", "m3", CubicMetre, 1.0;
    single "heating.temp.primary.inlet" Q::FlowTemperature, "°C", "°C", DegreeCelsius, 1.0;
    single "heating.temp.secondary.inlet" Q::Other, "°C", "°C", DegreeCelsius, 1.0;
    single "heating.flowrate" Q::HeatVolumeFlow, "m3/h", "m3/h", CubicMetrePerSecond, 1.0 / 3600.0;
    single "heating.temp.primary.outlet" Q::ReturnTemperature, "°C", "°C", DegreeCelsius, 1.0;
    single "heating.temp.secondary.outlet" Q::Other, "°C", "°C", DegreeCelsius, 1.0;
    single "heating.temp.external" Q::Other, "°C", "°C", DegreeCelsius, 1.0;
    single "heating.set.point" Q::Other, "°C", "°C", DegreeCelsius, 1.0;
    single "heating.time.slot" Q::Other, "#", "1", One, 1.0;
    single "heating.pump.status" Q::Other, "#", "1", One, 1.0;
    single "gas.flowrate" Q::Other, "m3/h", "m3/h", CubicMetrePerSecond, 1.0 / 3600.0;
    single "gas.temperature" Q::Other, "°C", "°C", DegreeCelsius, 1.0;
    single "gas.volume" Q::Other, "m3", "m3", CubicMetre, 1.0;
    single "gas.pressure" Q::Other, "bar", "bar", Pascal, 1e5;
    single "water.flowrate" Q::WaterVolumeFlow, "m3/h", "m3/h", CubicMetrePerSecond, 1.0 / 3600.0;
    single "water.volume" Q::WaterVolume, "m3", "m3", CubicMetre, 1.0;
    single "water.pressure" Q::Other, "bar", "bar", Pascal, 1e5;
    total "x.electricity.powerFactor" Q::PowerFactor, "1", "1", One, 1.0;
    phases_total "x.electricity.power.nonactive" Q::NonActivePower, "kvar", "kvar", Var, 1e3;
    phases "x.electricity.voltage.thd" Q::VoltageThd, "%", "%", One, 0.01;
    phases "x.electricity.current.thd" Q::CurrentThd, "%", "%", One, 0.01;
    single "x.electricity.pulses.active" Q::ActivePulses, "1", "1", One, 1.0;
    single "x.electricity.pulses.reactive" Q::ReactivePulses, "1", "1", One, 1.0;
    single "x.electricity.current.neutral.rms" Q::NeutralCurrentRms, "A", "A", Ampere, 1.0;
    single "x.electricity.breaker.voltage.rms" Q::BreakerVoltageRms, "V", "V", Volt, 1.0;
    single "x.electricity.breaker.closed" Q::BreakerClosed, "1", "1", One, 1.0;
    single "x.room.temperature" Q::RoomTemperature, "°C", "°C", DegreeCelsius, 1.0;
    single "x.contact.open" Q::ContactOpen, "1", "1", One, 1.0;
    single "x.battery.voltage" Q::Other, "V", "V", Volt, 1.0;
    single "x.battery.charge" Q::Other, "1", "1", One, 1.0;
    phases "x.electricity.voltage.mean" Q::VoltageMean, "V", "V", Volt, 1.0;
    phases "x.electricity.current.mean" Q::CurrentMean, "A", "A", Ampere, 1.0;
    single "x.electricity.voltage.unbalance.negative" Q::VoltageUnbalanceNegative, "%", "%", One, 0.01;
    single "x.electricity.voltage.unbalance.zero" Q::VoltageUnbalanceZero, "%", "%", One, 0.01;
    phases "x.electricity.voltage.flicker.pst" Q::FlickerShortTerm, "1", "1", One, 1.0;
    phases "x.electricity.voltage.interharmonics" Q::VoltageInterharmonics, "V", "V", Volt, 1.0;
    phases "x.electricity.current.interharmonics" Q::CurrentInterharmonics, "A", "A", Ampere, 1.0;
    orders "x.electricity.voltage.harmonic" Q::VoltageHarmonic, "V", "V", Volt, 1.0;
    orders "x.electricity.current.harmonic" Q::CurrentHarmonic, "A", "A", Ampere, 1.0;
    single "x.electricity.profile.power" Q::ProfilePower, "kW", "kW", Watt, 1e3;
    single "x.electricity.profile.interval" Q::ProfileInterval, "1", "1", One, 1.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_2_has_its_eighty_two_identifiers_in_its_order() {
        let table2: Vec<_> = MEASUREMENTS.iter().filter(|row| row.is_table2()).collect();
        // Ten quantities in four places, seven in three, twenty-one single: counted by hand.
        assert_eq!(table2.len(), 10 * 4 + 7 * 3 + 21);
        assert_eq!(table2[0].name, "electricity.power.active.consumed.l1");
        assert_eq!(table2.last().unwrap().name, "water.pressure");
    }

    #[test]
    fn every_name_is_found_again_and_no_other() {
        for id in MeasurementId::all() {
            assert_eq!(MeasurementId::lookup(id.name()), Some(id));
            assert_eq!(MeasurementId::from_index(id.index()), Some(id));
        }
        for name in ["", "electricity", "electricity.power.active.consumed.l4", "Water.volume"] {
            assert_eq!(MeasurementId::lookup(name), None, "{name}");
        }
    }

    #[test]
    fn a_quantity_and_its_phase_name_one_identifier() {
        let id = MeasurementId::of(Quantity::VoltageRms, Phase::L2).unwrap();
        assert_eq!(id.name(), "electricity.voltage.rms.l2");
        assert_eq!(MeasurementId::of(Quantity::VoltageRms, Phase::Total), None);
        assert_eq!(MeasurementId::of(Quantity::Other, Phase::None), None);
    }

    #[test]
    fn a_quantity_has_one_domain_one_unit_and_the_name_of_its_domain() {
        for row in MEASUREMENTS {
            let Some(domain) = row.quantity.domain() else { continue };
            assert!(row.quantity.formation().is_some(), "{}", row.name);
            let name = row.name.trim_start_matches("x.");
            let first: &[&str] = match domain {
                Domain::Electricity => &["electricity."],
                Domain::Heat => &["heating."],
                Domain::Water => &["water."],
                Domain::Room => &["room.", "contact."],
            };
            assert!(first.iter().any(|first| name.starts_with(first)), "{}", row.name);
            let units = MEASUREMENTS.iter().filter(|other| other.quantity == row.quantity);
            assert!(units.map(|other| other.si_unit).all(|unit| unit == row.si_unit));
        }
        let id = MeasurementId::of(Quantity::ReturnTemperature, Phase::None).unwrap();
        assert_eq!(id.name(), "heating.temp.primary.outlet");
        assert_eq!(id.row().si_unit.of_difference(), SiUnit::Kelvin);
        assert_eq!(SiUnit::Joule.of_difference(), SiUnit::Joule);
    }

    #[test]
    fn a_kilowatt_hour_is_three_point_six_megajoules() {
        let id = MeasurementId::lookup("electricity.energy.active.injected.total").unwrap();
        assert_eq!((id.row().si_factor, id.row().si_unit), (3.6e6, SiUnit::Joule));
    }
}
