//! `Capacitor`: one bank to earth or between phases.

use crate::format::dss::bus::Bus;
use crate::format::dss::value::{Told, Value};

pub(super) const PROPERTIES: &str = "bus1 bus2 phases kvar kv conn ~cmatrix cuf r xl -harm \
    numsteps states -normamps -emergamps -faultrate -pctperm -repair -basefreq enabled like";

/// A capacitor.
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
        }
    }
}

impl Capacitor {
    pub(in crate::format::dss) fn set(&mut self, property: &str, value: Value<'_>) -> Told<()> {
        let one = |value: Value<'_>| match value.numbers()?[..] {
            [one] => Ok(one),
            _ => Err("only banks of one step are known here".to_owned()),
        };
        match property {
            "bus1" => self.bus = Bus::read(value.text)?,
            "bus2" => earthed(value)?,
            "phases" => self.phases = value.whole(1, 3)? as usize,
            "kvar" => (self.kvar, self.farads) = (one(value)?, None),
            "kv" => self.kv = value.positive()?,
            "conn" => self.delta = value.delta()?,
            "cuf" => self.farads = Some(one(value)? * 1e-6),
            "r" | "xl" => {
                if one(value)? != 0.0 {
                    return Err("an impedance in series is not known here".to_owned());
                }
            }
            "numsteps" => {
                value.whole(1, 1).map_err(|_| "only banks of one step are known here")?;
            }
            "states" => self.on = one(value)? != 0.0,
            _ => return Err("it is not known here".to_owned()),
        }
        Ok(())
    }
}

/// Whether a second bus is earth.
pub(super) fn earthed(value: Value<'_>) -> Told<()> {
    let bus = Bus::read(value.text)?;
    if !bus.nodes.is_empty() && bus.nodes.iter().all(|&node| node == 0) {
        Ok(())
    } else {
        Err(format!("it leads to {}; here its other side is earth", value.text))
    }
}
