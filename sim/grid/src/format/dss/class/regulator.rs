//! `RegControl`.

use crate::format::dss::value::{Told, Value};

pub(super) const PROPERTIES: &str = "transformer winding vreg band ptratio ctprim r x ~bus -delay \
    reversible -revvreg -revband -revr -revx -tapdelay -debugtrace maxtapchange -inversetime \
    tapwinding vlimit ptphase -revthreshold -revdelay -revneutral -eventlog -remoteptratio tapnum \
    -reset ldc_z -rev_z cogen -basefreq enabled like";

/// The control of a transformer's taps.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Regulator {
    pub(in crate::format::dss) transformer: String,
    /// From 1.
    pub(in crate::format::dss) winding: i32,
    pub(in crate::format::dss) set_point_v: f64,
    pub(in crate::format::dss) band_v: f64,
    pub(in crate::format::dss) ratio: f64,
    pub(in crate::format::dss) current_transformer_a: f64,
    pub(in crate::format::dss) resistive_v: f64,
    pub(in crate::format::dss) reactive_v: f64,
    pub(in crate::format::dss) phase: usize,
    /// Whether it moves at all.
    pub(in crate::format::dss) moves: bool,
}

impl Default for Regulator {
    fn default() -> Self {
        Self {
            transformer: String::new(),
            winding: 1,
            set_point_v: 120.0,
            band_v: 3.0,
            ratio: 60.0,
            current_transformer_a: 300.0,
            resistive_v: 0.0,
            reactive_v: 0.0,
            phase: 1,
            moves: true,
        }
    }
}

impl Regulator {
    pub(in crate::format::dss) fn set(&mut self, property: &str, value: Value<'_>) -> Told<()> {
        match property {
            "transformer" => self.transformer = value.text.to_ascii_lowercase(),
            "winding" => self.winding = value.whole(1, 3)?,
            "tapwinding" => {
                value.whole(self.winding, self.winding).map_err(|_| {
                    "only taps of the winding that is measured are known here".to_owned()
                })?;
            }
            "vreg" => self.set_point_v = value.positive()?,
            "band" => self.band_v = value.positive()?,
            "ptratio" => self.ratio = value.positive()?,
            "ctprim" => self.current_transformer_a = value.positive()?,
            "r" => self.resistive_v = value.number()?,
            "x" => self.reactive_v = value.number()?,
            "maxtapchange" => self.moves = value.whole(0, 1000)? > 0,
            "ptphase" => {
                self.phase =
                    value.whole(1, 3).map_err(|_| "only one phase, 1 to 3, is known here")?
                        as usize;
            }
            "reversible" | "cogen" => {
                if value.truth()? {
                    return Err("it is not known here".to_owned());
                }
            }
            "vlimit" | "ldc_z" => {
                if value.number()? != 0.0 {
                    return Err("it is not known here".to_owned());
                }
            }
            _ => return Err("it is not known here".to_owned()),
        }
        Ok(())
    }
}
