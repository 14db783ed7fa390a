//! `Capacitor`: one bank to earth or between phases.

use crate::format::dss::bus::Bus;
use crate::format::dss::table::{
    Entry, RATING, RELIABILITY, UNSUPPORTED, base_frequency, noted, obeyed, obeyed_as, rejected,
    rejected_but, rejected_unless_checked,
};
use crate::format::dss::value::{Value, ValueResult};

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed("Bus1"),
    rejected_unless_checked("Bus2", "only nodes of earth, as `bus.0.0.0`"),
    obeyed_as("Phases", "1 to 3"),
    obeyed("kvar"),
    obeyed("kV"),
    obeyed_as("Conn", "delta of 1 or 3 phases"),
    rejected("CMatrix", "unsupported; give kvar or cuf"),
    obeyed("Cuf"),
    rejected_but("R", &["0"], "an impedance in series is unsupported"),
    rejected_but("XL", &["0"], "an impedance in series is unsupported"),
    rejected_but("Harm", &["0"], "it makes a reactor in series, which is unsupported"),
    rejected_but("NumSteps", &["1"], "banks of several steps are unsupported"),
    obeyed("States"),
    noted("NormAmps", RATING),
    noted("EmergAmps", RATING),
    noted("FaultRate", RELIABILITY),
    noted("pctPerm", RELIABILITY),
    noted("Repair", RELIABILITY),
    base_frequency(),
    obeyed("Enabled"),
    obeyed_as("Like", "not of a delta, which OpenDSS copies with other terminals"),
];

#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Capacitor {
    pub(in crate::format::dss) bus: Bus,
    pub(in crate::format::dss) phases: usize,
    pub(in crate::format::dss) kvar: f64,
    pub(in crate::format::dss) kv: f64,
    pub(in crate::format::dss) delta: bool,
    /// Of each part, if it is given by it.
    pub(in crate::format::dss) farads: Option<f64>,
    pub(in crate::format::dss) on: bool,
    has_second_bus: bool,
}

impl Default for Capacitor {
    fn default() -> Self {
        Self {
            bus: Bus::default(),
            phases: 3,
            kvar: 1200.0,
            kv: 12.47,
            delta: false,
            farads: None,
            on: true,
            has_second_bus: false,
        }
    }
}

impl Capacitor {
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        let one = |value: Value<'_>| match value.numbers()?[..] {
            [one] => Ok(one),
            _ => Err("banks of several steps are unsupported".to_owned()),
        };
        match property {
            "bus1" => self.bus = Bus::read(value.text)?,
            "bus2" => {
                earthed(value)?;
                self.has_second_bus = true;
            }
            "phases" => self.phases = value.whole(1, 3)? as usize,
            "kvar" => (self.kvar, self.farads) = (one(value)?, None),
            "kv" => self.kv = value.positive()?,
            "conn" => self.delta = not_back(self.delta, value.delta()?)?,
            "cuf" => self.farads = Some(one(value)? * 1e-6),
            "states" => self.on = one(value)? != 0.0,
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        Ok(())
    }

    /// Whether its properties fit together, after it was edited.
    pub(super) fn settle(&self) -> ValueResult<()> {
        without_second_bus(self.delta && self.has_second_bus)
    }

    /// This with what `like` copies of another one.
    pub(in crate::format::dss) fn like(&self, other: &Self) -> ValueResult<Self> {
        if self.delta || other.delta {
            return Err(DELTA_LIKE.to_owned());
        }
        let (bus, has_second_bus) = (self.bus.clone(), self.has_second_bus);
        Ok(Self { bus, has_second_bus, ..other.clone() })
    }
}

/// Why `like` is rejected of a delta.
pub(super) const DELTA_LIKE: &str = "of a delta OpenDSS copies other terminals; write it out";

/// That a delta has no second bus: to `OpenDSS` it has one terminal.
pub(super) fn without_second_bus(has_one: bool) -> ValueResult<()> {
    if has_one { Err("a delta has no bus2".to_owned()) } else { Ok(()) }
}

/// Whether it is a delta now; of one that was `OpenDSS` leaves the other terminal open.
pub(super) fn not_back(before: bool, now: bool) -> ValueResult<bool> {
    if before && !now {
        return Err("it was delta before; OpenDSS then leaves its neutral point open".to_owned());
    }
    Ok(now)
}

/// Whether a second bus is earth.
pub(super) fn earthed(value: Value<'_>) -> ValueResult<()> {
    let bus = Bus::read(value.text)?;
    if !bus.nodes.is_empty() && bus.nodes.iter().all(|&node| node == 0) {
        Ok(())
    } else {
        Err(format!("it is {}; only earth, as `bus.0.0.0`, is supported", value.text))
    }
}
