//! `Reactor`: to earth, between phases, or in series.

use super::capacitor::{DELTA_LIKE, not_back, without_second_bus};
use crate::format::dss::bus::Bus;
use crate::format::dss::table::{
    Entry, RATING, RELIABILITY, UNSUPPORTED, base_frequency, noted, obeyed, obeyed_as, rejected,
    rejected_but,
};
use crate::format::dss::value::{Value, ValueResult};

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed("Bus1"),
    obeyed("Bus2"),
    obeyed_as("Phases", "1 to 3"),
    obeyed("kvar"),
    obeyed("kV"),
    obeyed_as("Conn", "delta of 1 or 3 phases"),
    rejected("RMatrix", "unsupported; give r and x"),
    rejected("XMatrix", "unsupported; give r and x"),
    rejected_but("Parallel", &["no"], "unsupported"),
    obeyed("R"),
    obeyed("X"),
    rejected_but("Rp", &["0"], "a resistance in parallel is unsupported"),
    rejected("Z1", "unsupported; give r and x"),
    rejected("Z2", "unsupported; give r and x"),
    rejected("Z0", "unsupported; give r and x"),
    rejected("Z", "unsupported; give r and x"),
    rejected("RCurve", "unsupported"),
    rejected("LCurve", "unsupported"),
    rejected("LmH", "unsupported; give x"),
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
pub(in crate::format::dss) struct Reactor {
    pub(in crate::format::dss) bus: Bus,
    /// The other end; earth if there is none.
    pub(in crate::format::dss) other: Option<Bus>,
    has_second_bus: bool,
    pub(in crate::format::dss) phases: usize,
    kvar: f64,
    kv: f64,
    pub(in crate::format::dss) delta: bool,
    r_ohm: f64,
    x_ohm: Option<f64>,
}

impl Default for Reactor {
    fn default() -> Self {
        Self {
            bus: Bus::default(),
            other: None,
            has_second_bus: false,
            phases: 3,
            kvar: 100.0,
            kv: 12.47,
            delta: false,
            r_ohm: 0.0,
            x_ohm: None,
        }
    }
}

impl Reactor {
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        match property {
            "bus1" => self.bus = Bus::read(value.text)?,
            "bus2" => {
                let bus = Bus::read(value.text)?;
                let earth = !bus.nodes.is_empty() && bus.nodes.iter().all(|&node| node == 0);
                self.other = (!earth).then_some(bus);
                self.has_second_bus = true;
            }
            "phases" => self.phases = value.whole(1, 3)? as usize,
            "kvar" => (self.kvar, self.x_ohm) = (value.number()?, None),
            "kv" => self.kv = value.positive()?,
            "conn" => self.delta = not_back(self.delta, value.delta()?)?,
            "r" => self.r_ohm = value.number()?,
            "x" => self.x_ohm = Some(value.number()?),
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
        let (bus, second) = (self.bus.clone(), self.other.clone());
        let has_second_bus = self.has_second_bus;
        Ok(Self { bus, other: second, has_second_bus, ..other.clone() })
    }

    /// Resistance and reactance of each part, ohm.
    pub(in crate::format::dss) fn impedance_ohm(&self) -> (f64, f64) {
        let x = self.x_ohm.unwrap_or_else(|| {
            let kv = if self.delta || self.phases == 1 { self.kv } else { self.kv / 3f64.sqrt() };
            kv * kv * 1000.0 / (self.kvar / self.phases as f64)
        });
        (self.r_ohm, x)
    }
}
