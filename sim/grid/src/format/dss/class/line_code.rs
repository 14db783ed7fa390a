//! `LineCode`: impedances of a line by its length.

use crate::format::dss::table::{
    Entry, RATING, RELIABILITY, REPORT, UNSUPPORTED, noted, obeyed, obeyed_as,
};
use crate::format::dss::value::{Value, ValueResult};

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed_as("NPhases", "1 to 4"),
    obeyed("R1"),
    obeyed("X1"),
    obeyed("R0"),
    obeyed("X0"),
    obeyed("C1"),
    obeyed("C0"),
    obeyed("Units"),
    obeyed("RMatrix"),
    obeyed("XMatrix"),
    obeyed("CMatrix"),
    obeyed("BaseFreq"),
    obeyed_as("NormAmps", "of the lines that name it, for their loading"),
    noted("EmergAmps", RATING),
    noted("FaultRate", RELIABILITY),
    noted("PctPerm", RELIABILITY),
    noted("Repair", RELIABILITY),
    obeyed("Kron"),
    obeyed_as("Rg", "with a base frequency other than the circuit's"),
    obeyed_as("Xg", "with a base frequency other than the circuit's"),
    obeyed_as("rho", "with a base frequency other than the circuit's"),
    obeyed_as("Neutral", "0 to 4; for kron"),
    obeyed("B1"),
    obeyed("B0"),
    noted("Seasons", RATING),
    noted("Ratings", RATING),
    noted("LineType", REPORT),
    obeyed_as(
        "Like",
        "of one by symmetrical components without units; OpenDSS copies no matrices and no units",
    ),
];

/// Impedances by unit of length; capacitances in farads.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Impedances {
    pub(in crate::format::dss) order: usize,
    /// Whether the six figures count, not the matrices.
    pub(in crate::format::dss) symmetric: bool,
    pub(in crate::format::dss) r1: f64,
    pub(in crate::format::dss) x1: f64,
    pub(in crate::format::dss) r0: f64,
    pub(in crate::format::dss) x0: f64,
    pub(in crate::format::dss) c1: f64,
    pub(in crate::format::dss) c0: f64,
    pub(in crate::format::dss) r: Vec<Vec<f64>>,
    pub(in crate::format::dss) x: Vec<Vec<f64>>,
    pub(in crate::format::dss) c: Vec<Vec<f64>>,
    /// Earth return: resistance, reactance, resistivity, for other than the base frequency.
    pub(in crate::format::dss) rg: f64,
    pub(in crate::format::dss) xg: f64,
    pub(in crate::format::dss) rho: f64,
    /// At which the reactances hold, hertz.
    pub(in crate::format::dss) base_hz: f64,
}

impl Impedances {
    /// What `OpenDSS` takes where nothing is given: a line in thousands of feet.
    pub(super) fn new(base_hz: f64) -> Self {
        let mut own = Self {
            order: 3,
            symmetric: true,
            r1: 0.0580,
            x1: 0.1206,
            r0: 0.1784,
            x0: 0.4047,
            c1: 3.4e-9,
            c0: 1.6e-9,
            r: Vec::new(),
            x: Vec::new(),
            c: Vec::new(),
            rg: 0.01805,
            xg: 0.155_081,
            rho: 100.0,
            base_hz,
        };
        own.fill();
        own
    }

    /// The same of a line: of a single conductor the zero sequence is the positive one.
    pub(super) fn fill_of_line(&mut self) {
        if self.order == 1 {
            (self.r0, self.x0, self.c0) = (self.r1, self.x1, self.c1);
        }
        self.fill();
    }

    /// The matrices by the six figures.
    fn fill(&mut self) {
        let fill = |one: f64, zero: f64| -> Vec<Vec<f64>> {
            let (own, mutual) = ((2.0 * one + zero) / 3.0, (zero - one) / 3.0);
            let row = |i| (0..self.order).map(|j| if i == j { own } else { mutual }).collect();
            (0..self.order).map(row).collect()
        };
        (self.r, self.x, self.c) =
            (fill(self.r1, self.r0), fill(self.x1, self.x0), fill(self.c1, self.c0));
    }

    /// What a line has of a code.
    pub(super) fn take(&mut self, code: &Self) {
        if code.symmetric {
            *self = code.clone();
            return self.fill_of_line();
        }
        let Self { r1, x1, r0, x0, c1, c0, .. } = *self;
        *self = Self { r1, x1, r0, x0, c1, c0, ..code.clone() };
    }

    /// Sets one of the figures that lines and their codes share; whether it is one.
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<bool> {
        let susceptance = || -> ValueResult<f64> {
            Ok(value.number()? * 1e-6 / (std::f64::consts::TAU * self.base_hz))
        };
        match property {
            "r1" => self.r1 = value.number()?,
            "x1" => self.x1 = value.number()?,
            "r0" => self.r0 = value.number()?,
            "x0" => self.x0 = value.number()?,
            "c1" => self.c1 = value.number()? * 1e-9,
            "c0" => self.c0 = value.number()? * 1e-9,
            "b1" => self.c1 = susceptance()?,
            "b0" => self.c0 = susceptance()?,
            "rmatrix" => self.r = value.matrix(self.order)?,
            "xmatrix" => self.x = value.matrix(self.order)?,
            "cmatrix" => {
                let nano = value.matrix(self.order)?;
                self.c = nano.iter().map(|row| row.iter().map(|c| c * 1e-9).collect()).collect();
            }
            "rg" => self.rg = value.number()?,
            "xg" => self.xg = value.number()?,
            "rho" => self.rho = value.positive()?,
            _ => return Ok(false),
        }
        if matches!(property, "rmatrix" | "xmatrix" | "cmatrix") {
            self.symmetric = false;
        } else if !matches!(property, "rg" | "xg" | "rho") {
            // The matrices follow behind the command.
            self.symmetric = true;
        }
        Ok(true)
    }
}

#[derive(Clone, Debug)]
pub(in crate::format::dss) struct LineCode {
    pub(in crate::format::dss) impedances: Impedances,
    /// Its unit of length, metres.
    pub(in crate::format::dss) unit_m: Option<f64>,
    pub(in crate::format::dss) rated_current_a: Option<f64>,
    neutral: usize,
}

impl LineCode {
    pub(super) fn new(base_hz: f64) -> Self {
        Self {
            impedances: Impedances::new(base_hz),
            unit_m: None,
            rated_current_a: None,
            neutral: 3,
        }
    }

    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        match property {
            "nphases" => {
                let order = value.whole(1, 4)? as usize;
                if order != self.impedances.order {
                    (self.impedances.order, self.neutral) = (order, order);
                    self.impedances.fill();
                }
                self.impedances.symmetric = true;
            }
            "units" => self.unit_m = value.length_unit()?,
            "basefreq" => {
                self.impedances.base_hz = value.positive()?;
            }
            "neutral" => self.neutral = value.whole(0, 4)? as usize,
            "kron" => {
                if value.truth()? {
                    self.without_neutral()?;
                }
            }
            "normamps" => self.rated_current_a = Some(value.positive()?),
            other => {
                let by_matrices = !self.impedances.symmetric;
                let matrices = self.impedances.clone();
                if !self.impedances.set(other, value)? {
                    return Err(UNSUPPORTED.to_owned());
                }
                if other == "c0" && by_matrices {
                    // To OpenDSS this one figure alone is no reason to leave matrices.
                    self.impedances = Impedances { c0: self.impedances.c0, ..matrices };
                }
            }
        }
        Ok(())
    }

    /// Makes its matrices agree, after it was edited.
    pub(in crate::format::dss) fn settle(&mut self) {
        if self.impedances.symmetric {
            self.impedances.fill();
        }
    }

    /// This with what `like` copies of another one.
    pub(in crate::format::dss) fn like(&self, other: &Self) -> ValueResult<Self> {
        if self.impedances.symmetric && other.impedances.symmetric && other.unit_m.is_none() {
            Ok(Self { unit_m: self.unit_m, ..other.clone() })
        } else {
            Err("OpenDSS copies no matrices and no units; write it out".to_owned())
        }
    }

    /// Eliminates the neutral conductor, whose voltage is zero all along.
    fn without_neutral(&mut self) -> ValueResult<()> {
        let own = &mut self.impedances;
        if own.symmetric || self.neutral == 0 {
            return Ok(());
        }
        let n = self.neutral - 1;
        if own.order < 2 || n >= own.order {
            return Err("there is no such conductor to eliminate".to_owned());
        }
        let z = |i: usize, j: usize| num_complex::Complex64::new(own.r[i][j], own.x[i][j]);
        if z(n, n) == num_complex::Complex64::ZERO {
            return Err("the neutral has no impedance".to_owned());
        }
        let kept: Vec<usize> = (0..own.order).filter(|&i| i != n).collect();
        let reduced = |i: usize, j: usize| z(i, j) - z(i, n) * z(n, j) / z(n, n);
        let each = |value: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            kept.iter().map(|&i| kept.iter().map(|&j| value(i, j)).collect()).collect()
        };
        let (r, x, c) = (
            each(&|i, j| reduced(i, j).re),
            each(&|i, j| reduced(i, j).im),
            each(&|i, j| own.c[i][j]),
        );
        (own.r, own.x, own.c) = (r, x, c);
        own.order -= 1;
        self.neutral = 0;
        Ok(())
    }
}
