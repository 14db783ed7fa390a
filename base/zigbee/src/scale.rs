//! From attributes to quantities in SI units.
//!
//! Most numbers of a meter mean nothing without a multiplier and a divisor, which are attributes of
//! their own and may be absent, zero or changed. Each of these is an error and never a number:
//! [`Scales::learn`] takes them, [`Scales::convert`] uses them, and one that changed is used only
//! after [`Scales::accept_changes`]. The standard's default of 1 for an absent one (ZCL 075123,
//! 4.9.2.2.6, unverified) is not applied, as real plugs leave it out and mean another.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::zcl::cluster::{
    ELECTRICAL_MEASUREMENT, METERING, POWER_CONFIGURATION, TEMPERATURE_MEASUREMENT, attribute,
};
use crate::zcl::{Attribute, Type, Value};

/// What an attribute measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the quantity of its name")]
pub enum Quantity {
    EnergyDelivered,
    EnergyReceived,
    /// Mean active power as a meter forms it.
    Demand,
    VoltageRms,
    CurrentRms,
    ActivePower,
    ReactivePower,
    ApparentPower,
    PowerFactor,
    Frequency,
    Temperature,
    BatteryVoltage,
    /// What is left in the battery, of 1.
    BatteryCharge,
}

impl Quantity {
    /// The unit of its values. Temperatures are in degrees Celsius.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::EnergyDelivered | Self::EnergyReceived => "J",
            Self::Demand | Self::ActivePower => "W",
            Self::VoltageRms | Self::BatteryVoltage => "V",
            Self::CurrentRms => "A",
            Self::ReactivePower => "var",
            Self::ApparentPower => "VA",
            Self::PowerFactor | Self::BatteryCharge => "1",
            Self::Frequency => "Hz",
            Self::Temperature => "°C",
        }
    }
}

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaled {
    /// What it is.
    pub quantity: Quantity,
    /// Its value, in the unit of its quantity.
    pub value: f64,
    /// One step of the number on the wire, in the same unit: multiplier / divisor.
    pub resolution: f64,
}

/// Why there is no quantity. The attribute is the one at fault: the multiplier, not what it scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "fields are named as in the messages")]
pub enum ScaleError {
    /// The attribute measures nothing that there is a rule for.
    #[error(
        "attribute 0x{id:04X} of cluster 0x{cluster:04X}: no quantity, expected a measured one"
    )]
    NoQuantity { cluster: u16, id: u16 },
    /// The type is not that of the attribute.
    #[error("attribute 0x{id:04X} of cluster 0x{cluster:04X}: type {found}, expected {expected}")]
    WrongType { cluster: u16, id: u16, found: Type, expected: Type },
    /// The number is beyond what the attribute can be.
    #[error(
        "attribute 0x{id:04X} of cluster 0x{cluster:04X}: {found}, expected at most {limit} either \
         side of 0"
    )]
    OutOfRange { cluster: u16, id: u16, found: i64, limit: i64 },
    /// A multiplier, divisor or unit has not come, or came without a value.
    #[error("{name} (0x{id:04X} of cluster 0x{cluster:04X}) is absent; read it from the node")]
    Absent { cluster: u16, id: u16, name: &'static str },
    /// A multiplier or divisor is 0.
    #[error("{name} (0x{id:04X} of cluster 0x{cluster:04X}) is 0, expected at least 1")]
    Zero { cluster: u16, id: u16, name: &'static str },
    /// It is not what it was, and nobody has accepted that.
    #[error(
        "{name} (0x{id:04X} of cluster 0x{cluster:04X}) changed from {from} to {to}; accept the \
         change if the node is to be trusted"
    )]
    Changed { cluster: u16, id: u16, name: &'static str, from: u32, to: u32 },
    /// The unit is not kWh and kW in binary.
    #[error("UnitofMeasure (0x0300 of cluster 0x0702) is {found}, expected 0 (kWh, binary)")]
    Unit { found: u32 },
}

/// How the number of an attribute becomes a value.
#[derive(Clone, Copy)]
enum Factor {
    /// Always divided by this.
    Fixed { divisor: u32, limit: i64 },
    /// By two attributes of its cluster, and by a constant to come to the SI unit.
    Attributes { multiplier: u16, divisor: u16, to_si: u32 },
}

/// Cluster, attribute, what it measures, and how.
type Rule = (u16, u16, Quantity, Factor);

const NO_LIMIT: i64 = i64::MAX;
const UNIT_OF_MEASURE: u16 = 0x0300;

const fn fixed(cluster: u16, id: u16, quantity: Quantity, divisor: u32, limit: i64) -> Rule {
    (cluster, id, quantity, Factor::Fixed { divisor, limit })
}

const fn metering(id: u16, quantity: Quantity, to_si: u32) -> Rule {
    (METERING, id, quantity, Factor::Attributes { multiplier: 0x0301, divisor: 0x0302, to_si })
}

/// Multiplier and divisor of this cluster stand side by side.
const fn electrical(id: u16, quantity: Quantity, multiplier: u16) -> Rule {
    let divisor = multiplier + 1;
    (ELECTRICAL_MEASUREMENT, id, quantity, Factor::Attributes { multiplier, divisor, to_si: 1 })
}

// There is none for TotalActivePower, as W and kW are both met: it would be a wrong number.
const RULES: [Rule; 14] = [
    metering(0x0000, Quantity::EnergyDelivered, 3_600_000),
    metering(0x0001, Quantity::EnergyReceived, 3_600_000),
    metering(0x0400, Quantity::Demand, 1000),
    fixed(METERING, 0x0006, Quantity::PowerFactor, 100, 100),
    electrical(0x0300, Quantity::Frequency, 0x0400),
    electrical(0x0505, Quantity::VoltageRms, 0x0600),
    electrical(0x0508, Quantity::CurrentRms, 0x0602),
    electrical(0x050B, Quantity::ActivePower, 0x0604),
    electrical(0x050E, Quantity::ReactivePower, 0x0604),
    electrical(0x050F, Quantity::ApparentPower, 0x0604),
    fixed(ELECTRICAL_MEASUREMENT, 0x0510, Quantity::PowerFactor, 100, 100),
    fixed(TEMPERATURE_MEASUREMENT, 0x0000, Quantity::Temperature, 100, NO_LIMIT),
    fixed(POWER_CONFIGURATION, 0x0020, Quantity::BatteryVoltage, 10, NO_LIMIT),
    fixed(POWER_CONFIGURATION, 0x0021, Quantity::BatteryCharge, 200, 200),
];

/// What is known of a multiplier, divisor or unit.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// What is used.
    accepted: Option<u32>,
    /// What came last.
    latest: Option<u32>,
}

/// The multipliers, divisors and units of one endpoint of a node.
#[derive(Debug, Clone, Default)]
pub struct Scales {
    known: BTreeMap<(u16, u16), Known>,
}

/// Whether the attribute is a multiplier, a divisor or a unit.
fn is_scale(cluster: u16, id: u16) -> bool {
    let of_rule = |&(of, _, _, factor): &Rule| {
        matches!(factor, Factor::Attributes { multiplier, divisor, .. }
            if of == cluster && (multiplier == id || divisor == id))
    };
    (cluster, id) == (METERING, UNIT_OF_MEASURE) || RULES.iter().any(of_rule)
}

/// The number of a value of the attribute's type.
fn number(cluster: u16, id: u16, value: &Value<'_>) -> Result<Option<i64>, ScaleError> {
    let row = attribute(cluster, id).ok_or(ScaleError::NoQuantity { cluster, id })?;
    let (found, expected) = (value.kind(), row.kind);
    if found != expected {
        return Err(ScaleError::WrongType { cluster, id, found, expected });
    }
    Ok(value.number())
}

impl Scales {
    /// Takes an attribute if it is a multiplier, a divisor or a unit: whether it is one. What is
    /// wrong with it is an error here, and of each value that it would scale.
    pub fn learn(&mut self, cluster: u16, attribute: &Attribute<'_>) -> Result<bool, ScaleError> {
        if !is_scale(cluster, attribute.id) {
            return Ok(false);
        }
        let number = number(cluster, attribute.id, &attribute.value)?;
        let known = self.known.entry((cluster, attribute.id)).or_default();
        known.latest = number.and_then(|number| number.try_into().ok());
        let is_unit = attribute.id == UNIT_OF_MEASURE && cluster == METERING;
        if known.accepted.is_none() {
            known.accepted = known.latest.filter(|&latest| latest != 0 || is_unit);
        }
        if is_unit {
            self.unit()?;
        } else {
            self.scale(cluster, attribute.id)?;
        }
        Ok(true)
    }

    /// From now on uses what came last, where it can be used: how many have changed.
    pub fn accept_changes(&mut self) -> usize {
        let mut count = 0;
        for (&(cluster, id), known) in &mut self.known {
            let usable = known
                .latest
                .is_some_and(|latest| latest != 0 || (cluster, id) == (METERING, UNIT_OF_MEASURE));
            if usable && known.accepted != known.latest {
                known.accepted = known.latest;
                count += 1;
            }
        }
        count
    }

    /// What an attribute measures; `None` if the node has no value.
    pub fn convert(
        &self,
        cluster: u16,
        attribute: &Attribute<'_>,
    ) -> Result<Option<Scaled>, ScaleError> {
        let id = attribute.id;
        let rule = RULES.iter().find(|rule| (rule.0, rule.1) == (cluster, id));
        let &(_, _, quantity, factor) = rule.ok_or(ScaleError::NoQuantity { cluster, id })?;
        let Some(raw) = number(cluster, id, &attribute.value)? else { return Ok(None) };
        let (multiplier, divisor) = match factor {
            Factor::Fixed { limit, .. } if raw.abs() > limit => {
                return Err(ScaleError::OutOfRange { cluster, id, found: raw, limit });
            }
            Factor::Fixed { divisor, .. } => (1, divisor),
            Factor::Attributes { multiplier, divisor, to_si } => {
                if cluster == METERING {
                    self.unit()?;
                }
                let multiplier = self.scale(cluster, multiplier)?;
                (i128::from(multiplier) * i128::from(to_si), self.scale(cluster, divisor)?)
            }
        };
        // 48 bits by 24 by 22: exact until the one division.
        let value = (i128::from(raw) * multiplier) as f64 / f64::from(divisor);
        let resolution = multiplier as f64 / f64::from(divisor);
        Ok(Some(Scaled { quantity, value, resolution }))
    }

    /// What a multiplier, divisor or unit is, if it came and is what it was.
    fn settled(&self, cluster: u16, id: u16) -> Result<u32, ScaleError> {
        let name = attribute(cluster, id).map_or("attribute", |row| row.name);
        let known = self.known.get(&(cluster, id)).copied().unwrap_or_default();
        match (known.accepted, known.latest) {
            (_, None) => Err(ScaleError::Absent { cluster, id, name }),
            (Some(from), Some(to)) if from != to && to != 0 => {
                Err(ScaleError::Changed { cluster, id, name, from, to })
            }
            (_, Some(latest)) => Ok(latest),
        }
    }

    fn scale(&self, cluster: u16, id: u16) -> Result<u32, ScaleError> {
        match self.settled(cluster, id)? {
            0 => {
                let name = attribute(cluster, id).map_or("attribute", |row| row.name);
                Err(ScaleError::Zero { cluster, id, name })
            }
            found => Ok(found),
        }
    }

    fn unit(&self) -> Result<(), ScaleError> {
        match self.settled(METERING, UNIT_OF_MEASURE)? {
            0 => Ok(()),
            found => Err(ScaleError::Unit { found }),
        }
    }
}
