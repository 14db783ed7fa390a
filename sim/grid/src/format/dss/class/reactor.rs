//! `Reactor`: to earth, between phases, or in series.

use crate::format::dss::bus::Bus;
use crate::format::dss::value::{Told, Value};

pub(super) const PROPERTIES: &str = "bus1 bus2 phases kvar kv conn ~rmatrix ~xmatrix ~parallel r \
    x ~rp ~z1 ~z2 ~z0 ~z ~rcurve ~lcurve ~lmh -normamps -emergamps -faultrate -pctperm -repair \
    -basefreq enabled like";

/// A reactor.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Reactor {
    pub(in crate::format::dss) bus: Bus,
    /// The other end; earth if there is none.
    pub(in crate::format::dss) other: Option<Bus>,
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
            phases: 3,
            kvar: 1200.0,
            kv: 12.47,
            delta: false,
            r_ohm: 0.0,
            x_ohm: None,
        }
    }
}

impl Reactor {
    pub(in crate::format::dss) fn set(&mut self, property: &str, value: Value<'_>) -> Told<()> {
        match property {
            "bus1" => self.bus = Bus::read(value.text)?,
            "bus2" => {
                let bus = Bus::read(value.text)?;
                let earth = !bus.nodes.is_empty() && bus.nodes.iter().all(|&node| node == 0);
                self.other = (!earth).then_some(bus);
            }
            "phases" => self.phases = value.whole(1, 3)? as usize,
            "kvar" => (self.kvar, self.x_ohm) = (value.number()?, None),
            "kv" => self.kv = value.positive()?,
            "conn" => self.delta = value.delta()?,
            "r" => self.r_ohm = value.number()?,
            "x" => self.x_ohm = Some(value.number()?),
            _ => return Err("it is not known here".to_owned()),
        }
        Ok(())
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
