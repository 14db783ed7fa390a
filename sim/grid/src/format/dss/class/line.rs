//! `Line`: also what serves as a switch.

use super::LineCode;
use super::line_code::Impedances;
use crate::format::dss::bus::Bus;
use crate::format::dss::script_state::ScriptState;
use crate::format::dss::table::{
    Entry, RATING, RELIABILITY, REPORT, UNSUPPORTED, base_frequency, noted, obeyed, obeyed_as,
    rejected,
};
use crate::format::dss::value::{Value, ValueResult, units_in};

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed("Bus1"),
    obeyed("Bus2"),
    obeyed("LineCode"),
    obeyed("Length"),
    obeyed_as("Phases", "1 to 4"),
    obeyed("R1"),
    obeyed("X1"),
    obeyed("R0"),
    obeyed("X0"),
    obeyed("C1"),
    obeyed("C0"),
    obeyed("RMatrix"),
    obeyed("XMatrix"),
    obeyed("CMatrix"),
    obeyed("Switch"),
    obeyed_as("Rg", "with a linecode of another base frequency"),
    obeyed_as("Xg", "with a linecode of another base frequency"),
    obeyed_as("rho", "with a linecode of another base frequency"),
    rejected("Geometry", "unsupported; give r1, x1, r0, x0 or matrices"),
    obeyed("Units"),
    rejected("Spacing", "unsupported; give r1, x1, r0, x0 or matrices"),
    rejected("Wires", "unsupported; give r1, x1, r0, x0 or matrices"),
    noted("EarthModel", "counts for line geometries, which are rejected"),
    rejected("CNCables", "unsupported; give r1, x1, r0, x0 or matrices"),
    rejected("TSCables", "unsupported; give r1, x1, r0, x0 or matrices"),
    obeyed("B1"),
    obeyed("B0"),
    noted("Seasons", RATING),
    noted("Ratings", RATING),
    noted("LineType", REPORT),
    obeyed_as("NormAmps", "for its loading"),
    noted("EmergAmps", RATING),
    noted("FaultRate", RELIABILITY),
    noted("pctPerm", RELIABILITY),
    noted("Repair", RELIABILITY),
    base_frequency(),
    obeyed("Enabled"),
    rejected("Like", "what OpenDSS copies depends on what was solved before; write the line out"),
];

/// Why matrices are rejected behind figures by symmetrical components.
const BOTH: &str = "it has r1, x1, r0, x0, c1, c0 or switch before it, and which of them count \
                    depends for OpenDSS on when it is solved; give one of them";

#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Line {
    pub(in crate::format::dss) buses: [Bus; 2],
    pub(in crate::format::dss) impedances: Impedances,
    length: f64,
    /// The unit of its length and that of its code, metres.
    unit_m: Option<f64>,
    code_unit_m: Option<f64>,
    has_code: bool,
    /// How many units of length make one of the impedances' unit.
    conversion: f64,
    capacitance_given: bool,
    figures_changed: bool,
    pub(in crate::format::dss) rated_current_a: Option<f64>,
    /// Whether all conductors at its two ends are closed.
    pub(in crate::format::dss) closed: [bool; 2],
}

impl Line {
    pub(super) fn new(base_hz: f64) -> Self {
        Self {
            buses: [Bus::default(), Bus::default()],
            impedances: Impedances::new(base_hz),
            length: 1.0,
            unit_m: None,
            code_unit_m: None,
            has_code: false,
            conversion: 1.0,
            capacitance_given: false,
            figures_changed: false,
            rated_current_a: None,
            closed: [true; 2],
        }
    }

    pub(super) fn set(
        &mut self,
        property: &str,
        value: Value<'_>,
        state: &ScriptState,
    ) -> ValueResult<()> {
        match property {
            "bus1" => self.buses[0] = Bus::read(value.text)?,
            "bus2" => self.buses[1] = Bus::read(value.text)?,
            "linecode" => {
                let code = state
                    .line_code(value.text)
                    .ok_or_else(|| format!("there is no linecode {:?}", value.text))?;
                if self.figures_changed && !code.impedances.symmetric {
                    return Err(BOTH.to_owned());
                }
                self.take(&code);
            }
            "length" => self.length = value.number()?,
            "phases" => {
                let order = value.whole(1, 4)? as usize;
                if order != self.impedances.order {
                    if !self.impedances.symmetric {
                        return Err(format!(
                            "it has matrices of {} conductors already",
                            self.impedances.order
                        ));
                    }
                    self.impedances.order = order;
                    self.impedances.fill_of_line();
                    // OpenDSS then takes default capacitances for what they are by any unit.
                    self.figures_changed = false;
                }
            }
            "switch" => {
                if value.truth()? {
                    self.becomes_switch();
                }
            }
            "units" => {
                let unit = value.length_unit()?;
                self.conversion = if self.has_code {
                    units_in(self.code_unit_m, unit)
                } else {
                    self.conversion * units_in(self.unit_m, unit)
                };
                self.unit_m = unit;
            }
            "normamps" => self.rated_current_a = Some(value.positive()?),
            other => {
                if !self.impedances.set(other, value)? {
                    return Err(UNSUPPORTED.to_owned());
                }
                if matches!(other, "c1" | "c0" | "cmatrix" | "b1" | "b0") {
                    self.capacitance_given = true;
                }
                if self.figures_changed && !self.impedances.symmetric {
                    return Err(BOTH.to_owned());
                }
                if !matches!(other, "rg" | "xg" | "rho") {
                    // Impedances that are given are by the length's own unit.
                    self.figures_changed = self.impedances.symmetric;
                    (self.has_code, self.conversion, self.unit_m) = (false, 1.0, None);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, code: &LineCode) {
        self.impedances.take(&code.impedances);
        self.rated_current_a = code.rated_current_a.or(self.rated_current_a);
        self.code_unit_m = code.unit_m;
        self.has_code = true;
        self.conversion = units_in(code.unit_m, self.unit_m);
        self.figures_changed = false;
    }

    fn becomes_switch(&mut self) {
        let own = &mut self.impedances;
        (own.r1, own.x1, own.r0, own.x0) = (1.0, 1.0, 1.0, 1.0);
        (own.c1, own.c0) = (1.1e-9, 1.0e-9);
        own.symmetric = true;
        own.fill_of_line();
        self.length = 0.001;
        (self.has_code, self.conversion, self.unit_m) = (false, 1.0, None);
        self.figures_changed = true;
    }

    /// Its impedances, and by what they are to be multiplied.
    pub(in crate::format::dss) fn total(&self) -> (Impedances, f64) {
        let mut own = self.impedances.clone();
        if self.figures_changed && !self.capacitance_given {
            // The default capacitance is by 1000 feet.
            let thousands = units_in(Some(304.8), self.unit_m);
            own.c1 /= thousands;
            own.c0 /= thousands;
        }
        if own.symmetric {
            own.fill_of_line();
        }
        (own, self.length / self.conversion)
    }

    /// Its length in metres, where its unit is known.
    pub(in crate::format::dss) fn length_m(&self) -> Option<f64> {
        self.unit_m
            .or(if self.has_code { self.code_unit_m } else { None })
            .map(|unit| unit * self.length)
    }
}
