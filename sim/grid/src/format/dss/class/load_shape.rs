//! `LoadShape`: it counts for runs over time only, but not every load may follow every one.

use crate::format::dss::table::{Entry, UNSUPPORTED, noted, noted_and_read, rejected};
use crate::format::dss::value::{Value, ValueResult};

const SHAPE: &str = "counts for runs over time; the network is solved once, as it stands";

pub(super) const PROPERTIES: &[Entry] = &[
    noted("NPts", SHAPE),
    noted("Interval", SHAPE),
    noted("Mult", SHAPE),
    rejected("Hour", "steps of different length are unsupported"),
    noted("Mean", "counts for Monte Carlo runs"),
    noted("StdDev", "counts for Monte Carlo runs"),
    noted("CSVFile", SHAPE),
    rejected("SngFile", "binary files are unsupported"),
    rejected("DblFile", "binary files are unsupported"),
    rejected("Action", "unsupported"),
    noted("QMult", SHAPE),
    noted_and_read("UseActual", "rejected where a load names such a shape"),
    noted("PMax", SHAPE),
    noted("QMax", SHAPE),
    noted("SInterval", SHAPE),
    noted("MInterval", SHAPE),
    noted("PBase", SHAPE),
    noted("QBase", SHAPE),
    noted("PMult", SHAPE),
    rejected("PQCSVFile", "unsupported; give mult and qmult"),
    noted("MemoryMapping", SHAPE),
    noted("Interpolation", SHAPE),
    noted_and_read("Like", SHAPE),
];

#[derive(Clone, Debug, Default)]
pub(in crate::format::dss) struct LoadShape {
    pub(in crate::format::dss) is_actual: bool,
}

impl LoadShape {
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        match property {
            "useactual" => self.is_actual = value.truth()?,
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        Ok(())
    }
}
