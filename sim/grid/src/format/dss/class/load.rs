//! `Load`.

use crate::format::dss::bus::Bus;
use crate::format::dss::script_state::ScriptState;
use crate::format::dss::table::{
    Entry, HARMONICS, MOMENT, RATING, RELIABILITY, REPORT, UNSUPPORTED, noted, noted_and_read,
    obeyed, obeyed_as, rejected,
};
use crate::format::dss::value::{Value, ValueResult};

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed_as("Phases", "1 to 3"),
    obeyed_as("Bus1", "a neutral point at earth or at node 4"),
    obeyed("kV"),
    obeyed("kW"),
    obeyed("PF"),
    obeyed_as("Model", "1 to 5 and 8"),
    noted_and_read("Yearly", MOMENT),
    noted_and_read("Daily", MOMENT),
    noted_and_read("Duty", MOMENT),
    rejected("Growth", "curves of growth are unsupported; set %growth"),
    obeyed_as("Conn", "delta of 1 or 3 phases"),
    obeyed("kvar"),
    noted_and_read(
        "RNeut",
        "without influence where the neutral point is earth; at node 4 it is rejected",
    ),
    noted(
        "XNeut",
        "without influence where the neutral point is earth; at node 4 rneut is rejected",
    ),
    obeyed("Status"),
    noted("Class", REPORT),
    obeyed("VMinpu"),
    obeyed("VMaxpu"),
    noted("VMinNorm", RATING),
    noted("VMinEmerg", RATING),
    rejected("XfkVA", "allocated loads are unsupported; give kW and kvar"),
    rejected("AllocationFactor", "allocated loads are unsupported; give kW and kvar"),
    obeyed("kVA"),
    noted("%Mean", "counts for Monte Carlo runs"),
    noted("%StdDev", "counts for Monte Carlo runs"),
    obeyed_as("CVRWatts", "for model 4"),
    obeyed_as("CVRVars", "for model 4"),
    rejected("kWh", "allocated loads are unsupported; give kW and kvar"),
    rejected("kWhDays", "allocated loads are unsupported; give kW and kvar"),
    rejected("CFactor", "allocated loads are unsupported; give kW and kvar"),
    noted("CVRCurve", MOMENT),
    noted("NumCust", RELIABILITY),
    obeyed_as("ZIPV", "for model 8; without a cut-off voltage"),
    noted("%SeriesRL", HARMONICS),
    noted("RelWeight", RELIABILITY),
    obeyed("VLowpu"),
    noted("puXHarm", HARMONICS),
    noted("XRHarm", HARMONICS),
    noted("Spectrum", HARMONICS),
    noted("BaseFreq", "powers are those at any frequency"),
    obeyed("Enabled"),
    obeyed_as("Like", "not of a delta, whose third phase OpenDSS copies to earth"),
];

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

#[derive(Clone, Copy, Debug, PartialEq)]
enum PowerSpecification {
    ActiveAndFactor,
    ActiveAndReactive,
    ApparentAndFactor,
}

#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Load {
    pub(in crate::format::dss) phases: usize,
    pub(in crate::format::dss) bus: Bus,
    pub(in crate::format::dss) kv: f64,
    pub(in crate::format::dss) kw: f64,
    pub(in crate::format::dss) kvar: f64,
    kva: f64,
    factor: f64,
    given: PowerSpecification,
    pub(in crate::format::dss) model: Model,
    pub(in crate::format::dss) delta: bool,
    pub(in crate::format::dss) lowest_pu: f64,
    pub(in crate::format::dss) turned_pu: f64,
    pub(in crate::format::dss) highest_pu: f64,
    pub(in crate::format::dss) exponents: (f64, f64),
    pub(in crate::format::dss) zip: Option<[f64; 6]>,
    /// Whether the load multiplier of the circuit leaves it alone.
    pub(in crate::format::dss) fixed: bool,
    pub(in crate::format::dss) neutral_ohm: f64,
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
            given: PowerSpecification::ActiveAndFactor,
            model: Model::Power,
            delta: false,
            lowest_pu: 0.95,
            turned_pu: 0.5,
            highest_pu: 1.05,
            exponents: (1.0, 2.0),
            zip: None,
            fixed: false,
            neutral_ohm: -1.0,
        }
    }
}

impl Load {
    pub(super) fn set(
        &mut self,
        property: &str,
        value: Value<'_>,
        state: &ScriptState,
    ) -> ValueResult<()> {
        match property {
            "phases" => self.phases = value.whole(1, 3)? as usize,
            "bus1" => self.bus = Bus::read(value.text)?,
            "kv" => self.kv = value.positive()?,
            "kw" => (self.kw, self.given) = (value.number()?, PowerSpecification::ActiveAndFactor),
            "kvar" => {
                (self.kvar, self.given) = (value.number()?, PowerSpecification::ActiveAndReactive);
            }
            "kva" => {
                (self.kva, self.given) = (value.number()?, PowerSpecification::ApparentAndFactor);
            }
            "pf" => {
                self.factor = value.number()?;
                if self.factor == 0.0 || self.factor.abs() > 1.0 {
                    return Err(format!("{} is no power factor", self.factor));
                }
            }
            "model" => self.model = model(value)?,
            "yearly" | "daily" | "duty" => {
                if state.is_actual(value.text) {
                    return Err(format!(
                        "{} gives kilowatts (useactual); only factors of the load's own power can \
                         be followed",
                        value.text
                    ));
                }
            }
            "conn" => self.delta = value.delta()?,
            "rneut" => self.neutral_ohm = value.number()?,
            "status" => {
                self.fixed = match value.text.trim().bytes().next().map(|b| b.to_ascii_lowercase())
                {
                    Some(b'v') => false,
                    // Fixed and exempt are the same for a power flow of one moment.
                    Some(b'f' | b'e') => true,
                    _ => {
                        let what = "variable, fixed or exempt is expected";
                        return Err(format!("{:?}: {what}", value.text));
                    }
                };
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
                    return Err(format!("a cut-off voltage ({cut_off}) is unsupported"));
                }
                self.zip = Some([zp, ip, pp, zq, iq, pq]);
            }
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        Ok(())
    }

    /// This with what `like` copies of another one.
    pub(in crate::format::dss) fn like(&self, other: &Self) -> ValueResult<Self> {
        if self.delta || other.delta {
            return Err("of a delta OpenDSS copies other terminals; write it out".to_owned());
        }
        Ok(Self { bus: self.bus.clone(), ..other.clone() })
    }

    /// Makes its powers agree, after it was edited.
    pub(in crate::format::dss) fn settle(&mut self) {
        match self.given {
            PowerSpecification::ActiveAndReactive => {
                self.kva = self.kw.hypot(self.kvar);
                if self.kva > 0.0 {
                    let sign = if self.kw * self.kvar < 0.0 { -1.0 } else { 1.0 };
                    self.factor = self.kw / self.kva * sign;
                    if self.factor == 0.0 {
                        self.factor = 1.0;
                    }
                }
                return;
            }
            PowerSpecification::ActiveAndFactor => {}
            PowerSpecification::ApparentAndFactor => self.kw = self.kva * self.factor.abs(),
        }
        let tangent = (1.0 / (self.factor * self.factor) - 1.0).sqrt();
        self.kvar = self.kw * tangent * self.factor.signum();
        self.kva = self.kw.hypot(self.kvar);
    }
}

fn model(value: Value<'_>) -> ValueResult<Model> {
    match value.whole(1, 8)? {
        1 => Ok(Model::Power),
        2 => Ok(Model::Impedance),
        3 => Ok(Model::Motor),
        4 => Ok(Model::Exponents),
        5 => Ok(Model::Current),
        8 => Ok(Model::Zip),
        other => Err(format!("model {other} is unsupported (1 to 5 and 8 are supported)")),
    }
}
