//! `LineCode`: impedances of a line by its length.

use crate::format::dss::value::{Told, Value};

pub(super) const PROPERTIES: &str = "nphases r1 x1 r0 x0 c1 c0 units rmatrix xmatrix cmatrix \
    basefreq -normamps -emergamps -faultrate -pctperm -repair kron rg xg rho neutral b1 b0 \
    -seasons -ratings -linetype like";

/// Impedances by unit of length; capacitances in farads.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Impedances {
    /// How many conductors.
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

    /// The matrices by the six figures.
    pub(super) fn fill(&mut self) {
        let fill = |one: f64, zero: f64| -> Vec<Vec<f64>> {
            let (own, mutual) = ((2.0 * one + zero) / 3.0, (zero - one) / 3.0);
            let row = |i| (0..self.order).map(|j| if i == j { own } else { mutual }).collect();
            (0..self.order).map(row).collect()
        };
        (self.r, self.x, self.c) =
            (fill(self.r1, self.r0), fill(self.x1, self.x0), fill(self.c1, self.c0));
    }

    /// Sets one of the figures that lines and their codes share; whether it is one.
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> Told<bool> {
        let susceptance =
            || -> Told<f64> { Ok(value.number()? * 1e-6 / (std::f64::consts::TAU * self.base_hz)) };
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
            self.symmetric = true;
            self.fill();
        }
        Ok(true)
    }
}

/// A line code.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct LineCode {
    pub(in crate::format::dss) impedances: Impedances,
    /// Its unit of length, metres.
    pub(in crate::format::dss) unit_m: Option<f64>,
    neutral: usize,
}

impl LineCode {
    pub(super) fn new(base_hz: f64) -> Self {
        Self { impedances: Impedances::new(base_hz), unit_m: None, neutral: 3 }
    }

    pub(in crate::format::dss) fn set(&mut self, property: &str, value: Value<'_>) -> Told<()> {
        match property {
            "nphases" => {
                let order = value.whole(1, 4)? as usize;
                if order != self.impedances.order {
                    (self.impedances.order, self.neutral) = (order, order);
                    self.impedances.symmetric = true;
                    self.impedances.fill();
                }
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
            other => {
                if !self.impedances.set(other, value)? {
                    return Err("it is not known here".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Eliminates the neutral conductor, whose voltage is zero all along.
    fn without_neutral(&mut self) -> Told<()> {
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
