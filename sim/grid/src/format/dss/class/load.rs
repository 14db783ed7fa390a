//! `Load`.

use crate::format::dss::Follows;
use crate::format::dss::bus::Bus;
use crate::format::dss::value::{Told, Value};

pub(super) const PROPERTIES: &str = "phases bus1 kv kw pf model yearly daily -duty ~growth conn \
    kvar rneut xneut status -class vminpu vmaxpu -vminnorm -vminemerg ~xfkva ~allocationfactor \
    kva -%mean -%stddev cvrwatts cvrvars ~kwh ~kwhdays ~cfactor -cvrcurve -numcust zipv \
    -%seriesrl -relweight vlowpu -puxharm -xrharm -spectrum -basefreq enabled like";

/// How a load follows the voltage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::format::dss) enum Model {
    Power,
    Impedance,
    Current,
    /// Power constant, reactive power by the square.
    Motor,
    /// By the exponents of conservation voltage reduction.
    Exponents,
    Zip,
}

/// What a load's power is given by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Given {
    ActiveAndFactor,
    ActiveAndReactive,
    ApparentAndFactor,
}

/// A load.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Load {
    pub(in crate::format::dss) phases: usize,
    pub(in crate::format::dss) bus: Bus,
    pub(in crate::format::dss) kv: f64,
    pub(in crate::format::dss) kw: f64,
    pub(in crate::format::dss) kvar: f64,
    kva: f64,
    factor: f64,
    given: Given,
    pub(in crate::format::dss) model: Model,
    pub(in crate::format::dss) delta: bool,
    pub(in crate::format::dss) lowest_pu: f64,
    pub(in crate::format::dss) turned_pu: f64,
    pub(in crate::format::dss) highest_pu: f64,
    pub(in crate::format::dss) exponents: (f64, f64),
    pub(in crate::format::dss) zip: Option<[f64; 6]>,
    /// Whether the load multiplier of the circuit leaves it alone.
    pub(in crate::format::dss) fixed: bool,
    pub(in crate::format::dss) neutral_ohm: (f64, f64),
    pub(in crate::format::dss) follows: Follows,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            phases: 3,
            bus: Bus::default(),
            kv: 12.47,
            kw: 10.0,
            kvar: 5.0,
            kva: 10.0 / 0.88,
            factor: 0.88,
            given: Given::ActiveAndFactor,
            model: Model::Power,
            delta: false,
            lowest_pu: 0.95,
            turned_pu: 0.5,
            highest_pu: 1.05,
            exponents: (1.0, 2.0),
            zip: None,
            fixed: false,
            neutral_ohm: (-1.0, 0.0),
            follows: Follows::default(),
        }
    }
}

impl Load {
    pub(in crate::format::dss) fn set(
        &mut self,
        property: &str,
        value: Value<'_>,
        is_actual: &dyn Fn(&str) -> bool,
    ) -> Told<()> {
        match property {
            "phases" => self.phases = value.whole(1, 3)? as usize,
            "bus1" => self.bus = Bus::read(value.text)?,
            "kv" => self.kv = value.positive()?,
            "kw" => (self.kw, self.given) = (value.number()?, Given::ActiveAndFactor),
            "kvar" => (self.kvar, self.given) = (value.number()?, Given::ActiveAndReactive),
            "kva" => (self.kva, self.given) = (value.number()?, Given::ApparentAndFactor),
            "pf" => {
                self.factor = value.number()?;
                if self.factor == 0.0 || self.factor.abs() > 1.0 {
                    return Err(format!("{} is no power factor", self.factor));
                }
            }
            "model" => self.model = model(value)?,
            "yearly" | "daily" => {
                if is_actual(value.text) {
                    return Err(format!(
                        "{} gives kilowatts (useactual); only factors of the load's own power can \
                         be followed",
                        value.text
                    ));
                }
                let name = Some(value.text.to_ascii_lowercase());
                if property == "daily" {
                    self.follows.yearly = self.follows.yearly.take().or_else(|| name.clone());
                    self.follows.daily = name;
                } else {
                    self.follows.yearly = name;
                }
            }
            "conn" => self.delta = value.delta()?,
            "rneut" => self.neutral_ohm.0 = value.number()?,
            "xneut" => self.neutral_ohm.1 = value.number()?,
            "status" => {
                // "exempt" is left alone in yearly runs only.
                self.fixed = value.text.to_ascii_lowercase().starts_with('f');
            }
            "vminpu" => self.lowest_pu = value.number()?,
            "vlowpu" => self.turned_pu = value.number()?,
            "vmaxpu" => self.highest_pu = value.positive()?,
            "cvrwatts" => self.exponents.0 = value.number()?,
            "cvrvars" => self.exponents.1 = value.number()?,
            "zipv" => {
                let [zp, ip, pp, zq, iq, pq, cut_off] = value.numbers()?[..] else {
                    return Err("seven numbers are expected".to_owned());
                };
                if cut_off > 0.0 {
                    return Err(format!("a cut-off voltage ({cut_off}) is not known here"));
                }
                self.zip = Some([zp, ip, pp, zq, iq, pq]);
            }
            _ => return Err("it is not known here".to_owned()),
        }
        Ok(())
    }

    /// Makes its powers agree, after it was edited.
    pub(in crate::format::dss) fn settle(&mut self) {
        match self.given {
            Given::ActiveAndReactive => {
                self.kva = self.kw.hypot(self.kvar);
                if self.kva > 0.0 {
                    let sign = if self.kw * self.kvar < 0.0 { -1.0 } else { 1.0 };
                    self.factor = self.kw.abs() / self.kva * sign;
                    if self.factor == 0.0 {
                        self.factor = 1.0;
                    }
                }
                return;
            }
            Given::ActiveAndFactor => {}
            Given::ApparentAndFactor => self.kw = self.kva * self.factor.abs(),
        }
        let tangent = (1.0 / (self.factor * self.factor) - 1.0).sqrt();
        self.kvar = self.kw * tangent * self.factor.signum();
        self.kva = self.kw.hypot(self.kvar);
    }
}

fn model(value: Value<'_>) -> Told<Model> {
    match value.whole(1, 8)? {
        1 => Ok(Model::Power),
        2 => Ok(Model::Impedance),
        3 => Ok(Model::Motor),
        4 => Ok(Model::Exponents),
        5 => Ok(Model::Current),
        8 => Ok(Model::Zip),
        other => Err(format!("model {other} is not known here (1 to 5 and 8 are)")),
    }
}
