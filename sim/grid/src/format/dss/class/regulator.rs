//! `RegControl`.

use crate::format::dss::table::{
    Entry, MOMENT, REPORT, UNSUPPORTED, noted, obeyed, obeyed_as, rejected, rejected_but,
    rejected_unless_checked,
};
use crate::format::dss::value::{Value, ValueResult};

const REVERSE: &str = "counts for reversible ones, which are rejected";

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed("Transformer"),
    obeyed_as("Winding", "1 to 3"),
    obeyed("VReg"),
    obeyed("Band"),
    obeyed("PTRatio"),
    obeyed("CTPrim"),
    obeyed("R"),
    obeyed("X"),
    rejected("Bus", "only the winding's own bus is supported"),
    obeyed_as("Delay", "which regulators act first"),
    rejected_but("Reversible", &["no"], "only flow in one direction is supported"),
    noted("RevVReg", REVERSE),
    noted("RevBand", REVERSE),
    noted("RevR", REVERSE),
    noted("RevX", REVERSE),
    noted("TapDelay", MOMENT),
    noted("DebugTrace", REPORT),
    obeyed("MaxTapChange"),
    rejected_but("InverseTime", &["no"], "delays are fixed here"),
    rejected_unless_checked("TapWinding", "only the winding that is measured"),
    rejected_but("VLimit", &["0"], "unsupported"),
    obeyed_as("PTPhase", "1 to 3"),
    noted("RevThreshold", REVERSE),
    noted("RevDelay", REVERSE),
    noted("RevNeutral", REVERSE),
    noted("EventLog", REPORT),
    noted("RemotePTRatio", "counts with bus, which is rejected"),
    obeyed("TapNum"),
    noted("Reset", "resets pending actions"),
    rejected_but("LDC_Z", &["0"], "unsupported; give r and x"),
    noted("Rev_Z", REVERSE),
    rejected_but("Cogen", &["no"], "unsupported"),
    noted("BaseFreq", "without influence"),
    obeyed("Enabled"),
    obeyed("Like"),
];

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
    /// How many taps it moves at once; none if it does not move at all.
    pub(in crate::format::dss) most_taps: u32,
    pub(in crate::format::dss) delay_s: f64,
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
            most_taps: 16,
            delay_s: 15.0,
        }
    }
}

impl Regulator {
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        match property {
            "transformer" => self.transformer = value.text.to_ascii_lowercase(),
            "winding" => self.winding = value.whole(1, 3)?,
            "tapwinding" => {
                value.whole(self.winding, self.winding).map_err(|_| {
                    "only the taps of the winding that is measured are supported".to_owned()
                })?;
            }
            "vreg" => self.set_point_v = value.positive()?,
            "band" => self.band_v = value.positive()?,
            "ptratio" => self.ratio = value.positive()?,
            "ctprim" => self.current_transformer_a = value.positive()?,
            "r" => self.resistive_v = value.number()?,
            "x" => self.reactive_v = value.number()?,
            "maxtapchange" => self.most_taps = value.whole(0, 1000)? as u32,
            "delay" => self.delay_s = value.number()?,
            "ptphase" => {
                self.phase =
                    value.whole(1, 3).map_err(|_| "only one phase, 1 to 3, is supported")? as usize;
            }
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        Ok(())
    }
}
