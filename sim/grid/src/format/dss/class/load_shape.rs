//! `LoadShape`.

use crate::format::dss::Profile;
use crate::format::dss::lex::Tokens;
use crate::format::dss::table::{Entry, UNSUPPORTED, noted, noted_and_read, rejected};
use crate::format::dss::value::{Value, ValueResult};

const SHAPE: &str = "counts for runs over time; the network is solved once, as it stands";

pub(super) const PROPERTIES: &[Entry] = &[
    noted_and_read("NPts", SHAPE),
    noted_and_read("Interval", SHAPE),
    noted_and_read("Mult", SHAPE),
    rejected("Hour", "steps of different length are unsupported"),
    noted("Mean", "counts for Monte Carlo runs"),
    noted("StdDev", "counts for Monte Carlo runs"),
    noted_and_read("CSVFile", SHAPE),
    rejected("SngFile", "binary files are unsupported"),
    rejected("DblFile", "binary files are unsupported"),
    rejected("Action", "unsupported"),
    noted_and_read("QMult", SHAPE),
    noted_and_read("UseActual", "rejected where a load names such a shape"),
    noted("PMax", SHAPE),
    noted("QMax", SHAPE),
    noted_and_read("SInterval", SHAPE),
    noted_and_read("MInterval", SHAPE),
    noted("PBase", SHAPE),
    noted("QBase", SHAPE),
    noted_and_read("PMult", SHAPE),
    rejected("PQCSVFile", "unsupported; give mult and qmult"),
    noted("MemoryMapping", SHAPE),
    noted("Interpolation", SHAPE),
    noted_and_read("Like", SHAPE),
];

/// A profile.
#[derive(Clone, Debug, Default)]
pub(in crate::format::dss) struct LoadShape {
    points: Option<usize>,
    profile: Profile,
}

/// The most values that a profile may have: a year at one second.
const MOST: i32 = 31_622_400;

impl LoadShape {
    pub(in crate::format::dss) fn set(
        &mut self,
        property: &str,
        value: Value<'_>,
        open: &mut dyn FnMut(&str) -> ValueResult<String>,
    ) -> ValueResult<()> {
        match property {
            "npts" => self.points = Some(value.whole(1, MOST)? as usize),
            "interval" => self.profile.step_s = value.positive()? * 3600.0,
            "minterval" => self.profile.step_s = value.positive()? * 60.0,
            "sinterval" => self.profile.step_s = value.positive()?,
            "mult" | "pmult" => self.profile.active = values(value, open)?,
            "qmult" => self.profile.reactive = Some(values(value, open)?),
            "csvfile" => self.profile.active = column(&open(value.text)?, 1, false)?,
            "useactual" => self.profile.actual = value.truth()?,
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        Ok(())
    }

    /// Whether its values are kilowatts.
    pub(in crate::format::dss) fn is_actual(&self) -> bool {
        self.profile.actual
    }

    /// What it comes to.
    pub(in crate::format::dss) fn profile(&self) -> Profile {
        let mut profile = self.profile.clone();
        if profile.step_s == 0.0 {
            profile.step_s = 3600.0;
        }
        if let Some(points) = self.points {
            profile.active.truncate(points);
            if let Some(reactive) = &mut profile.reactive {
                reactive.truncate(points);
            }
        }
        profile
    }
}

/// Numbers in place, or of a file: `(file=NAME, column=2, header=yes)`.
fn values(
    value: Value<'_>,
    open: &mut dyn FnMut(&str) -> ValueResult<String>,
) -> ValueResult<Vec<f64>> {
    let (mut file, mut number, mut header) = (None, 1, false);
    if !value.text.contains('=') {
        return value.numbers();
    }
    for parameter in Tokens::of_line(value.text) {
        let name = parameter.name.unwrap_or_default().to_ascii_lowercase();
        let value = Value { text: &parameter.value, quoted: parameter.quoted };
        match name.as_str() {
            "file" => file = Some(parameter.value.clone()),
            name if name.starts_with("col") => number = value.whole(1, 10_000)? as usize,
            name if name.starts_with("head") => header = value.truth()?,
            other => return Err(format!("{other:?} is unsupported: only a text file is")),
        }
    }
    column(&open(&file.ok_or("a file is expected")?)?, number, header)
}

/// A column of a text with commas, blanks or tabs.
fn column(text: &str, number: usize, header: bool) -> ValueResult<Vec<f64>> {
    text.lines()
        .enumerate()
        .skip(usize::from(header))
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            let mut fields = Tokens::of_line(line);
            let field =
                fields.nth(number - 1).ok_or(format!("its line {} is too short", at + 1))?;
            let value = Value { text: &field.value, quoted: field.quoted };
            value.number().map_err(|why| format!("its line {}: {why}", at + 1))
        })
        .collect()
}
