//! One place and one kind of fault against what was measured.

use num_complex::Complex64;

use super::feeder::{Feeder, Section, Sweep, transposed};
use super::{Observation, Options};
use crate::block::{Block, add_to, apply, inverse, zero};
use crate::network::{Wire, Wires};
use crate::short_circuit::Kind;

/// The currents of a fault: of each the wire that it leaves and the one that it comes back by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws {
    count: usize,
    columns: [[f64; 3]; 3],
    pub(super) wires: Wires,
}

impl Draws {
    /// None for what is no short circuit between phases and earth.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        let unit = |wire: Wire| std::array::from_fn(|k| f64::from(u8::from(k == wire.index())));
        let with = |columns: &[[f64; 3]], wires: &[Wire]| {
            let mut all = [[0.0; 3]; 3];
            all[..columns.len()].copy_from_slice(columns);
            Self { count: columns.len(), columns: all, wires: wires.iter().copied().collect() }
        };
        let draws = match kind {
            Kind::ThreePhase => with(&Wire::PHASES.map(unit), &Wire::PHASES),
            Kind::SinglePhaseToGround(wire) => with(&[unit(wire)], &[wire]),
            Kind::TwoPhaseToGround(one, other) => with(&[unit(one), unit(other)], &[one, other]),
            Kind::TwoPhase(one, other) => {
                let (from, to): ([f64; 3], [f64; 3]) = (unit(one), unit(other));
                with(&[std::array::from_fn(|k| from[k] - to[k])], &[one, other])
            }
            Kind::OpenConductors(_) => return None,
        };
        (!draws.wires.contains(Wire::Neutral)).then_some(draws)
    }
}

/// How well a place fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// Sum of squares of what remains, each over its variance.
    pub(super) misfit: f64,
    pub(super) resistance_ohm: f64,
}

/// A line between the blocks of its ends.
pub(super) struct Span<'a> {
    transfer: [&'a Block<3>; 2],
    seen: [&'a Block<3>; 2],
    /// What is quadratic in the place, beside what is seen at the ends.
    between: Block<3>,
}

impl Span<'_> {
    /// At a share of the line: the voltages by those of the station, and the impedance, ohm.
    fn at(&self, share: f64) -> (Block<3>, Block<3>) {
        let rest = 1.0 - share;
        let mix = |ends: &[&Block<3>; 2], weights: [f64; 2]| -> Block<3> {
            std::array::from_fn(|i| {
                std::array::from_fn(|j| ends[0][i][j] * weights[0] + ends[1][i][j] * weights[1])
            })
        };
        let mut seen = mix(&self.seen, [rest * rest, share * share]);
        add_to(&mut seen, &self.between.map(|row| row.map(|value| value * (rest * share))));
        (mix(&self.transfer, [rest, share]), seen)
    }
}

/// The voltage that drives a current, of those of the wires.
fn around(volts: &[Complex64; 3], column: &[f64; 3]) -> Complex64 {
    volts.iter().zip(column).map(|(volts, weight)| volts * weight).sum()
}

/// What was measured, with the feeder as it was.
pub(super) struct Fitter {
    sweep: Sweep,
    voltage_v: [Complex64; 3],
    before_v: [Complex64; 3],
    /// Currents that loads do not explain, amperes.
    fault_a: [Complex64; 3],
    voltage_variance: f64,
    /// With what is unknown of the loads.
    current_variance: f64,
    /// Variance of a voltage drop of one volt by what is unknown of the loads.
    drop_variance: f64,
}

impl Fitter {
    pub(super) fn new(feeder: &Feeder, it: &Observation, options: &Options) -> Option<Self> {
        let sweep = feeder.loaded(&it.before)?;
        let drawn_a = apply(&sweep.root, &it.during.voltage_v);
        let before_a = apply(&sweep.root, &it.before.voltage_v);
        let drop_variance = options.load_spread.powi(2) / feeder.loads.max(1) as f64;
        let changed: f64 =
            drawn_a.iter().zip(&before_a).map(|(a, b)| (a.norm() - b.norm()).powi(2)).sum();
        Some(Self {
            voltage_v: it.during.voltage_v,
            before_v: it.before.voltage_v,
            fault_a: std::array::from_fn(|k| it.during.current_a[k] - drawn_a[k]),
            voltage_variance: it.voltage_sigma_v.powi(2),
            current_variance: it.current_sigma_a.powi(2) + drop_variance * changed / 3.0,
            drop_variance,
            sweep,
        })
    }

    pub(super) fn span(&self, section: &Section) -> Span<'_> {
        let Sweep { transfer, seen, across, .. } = &self.sweep;
        let (from, to) = (section.from, section.to);
        let (across, back) = (&across[to], transposed(&across[to]));
        Span {
            transfer: [&transfer[from], &transfer[to]],
            seen: [&seen[from], &seen[to]],
            between: std::array::from_fn(|i| {
                std::array::from_fn(|j| across[i][j] + back[i][j] + section.impedance[i][j])
            }),
        }
    }

    /// How well a fault at a share of a line fits; none if no current of it was measured.
    pub(super) fn at(&self, span: &Span<'_>, share: f64, draws: &Draws) -> Option<Fit> {
        let (transfer, seen) = span.at(share);
        let columns = &draws.columns[..draws.count];
        let mut by_current = [[Complex64::ZERO; 3]; 3];
        for (by, column) in by_current.iter_mut().zip(columns) {
            for (row, &weight) in transfer.iter().zip(column).filter(|it| *it.1 != 0.0) {
                by.iter_mut().zip(row).for_each(|(by, value)| *by += value * weight);
            }
        }
        let current_a = self.currents(&by_current[..draws.count])?;
        let size: f64 = current_a.iter().map(Complex64::norm_sqr).sum();
        if size <= 0.0 {
            return None;
        }
        let mut unexplained = self.fault_a;
        let mut into = [Complex64::ZERO; 3];
        for ((by, column), current) in by_current.iter().zip(columns).zip(current_a) {
            for k in 0..3 {
                unexplained[k] -= by[k] * current;
                into[k] += current * column[k];
            }
        }
        let (open_v, drop_v) = (apply(&transfer, &self.voltage_v), apply(&seen, &into));
        let (mut left, mut open, mut along) = ([Complex64::ZERO; 3], 0.0, 0.0);
        for (k, column) in columns.iter().enumerate() {
            let volts = around(&open_v, column);
            open += volts.norm_sqr();
            left[k] = volts - around(&drop_v, column);
            along += (current_a[k].conj() * left[k]).re;
        }
        let resistance_ohm = (along / size).max(0.0);
        let remaining: f64 =
            left.iter().zip(&current_a).map(|(e, i)| (e - i * resistance_ohm).norm_sqr()).sum();
        let variance = self.voltage_variance
            + self.drop_variance * self.dropped(&transfer, draws)
            + self.current_variance * open / size;
        let unexplained: f64 = unexplained.iter().map(Complex64::norm_sqr).sum();
        let misfit = unexplained / self.current_variance + remaining / variance;
        misfit.is_finite().then_some(Fit { misfit, resistance_ohm })
    }

    /// By how many volts, squared, the wires of the fault were below the station's before it.
    fn dropped(&self, transfer: &Block<3>, draws: &Draws) -> f64 {
        let at = apply(transfer, &self.before_v);
        let square = |wire: Wire| {
            let k = wire.index();
            (self.before_v[k] - at[k]).norm_sqr()
        };
        draws.wires.iter().map(square).sum()
    }

    /// The least squares of the fault's currents.
    fn currents(&self, by: &[[Complex64; 3]]) -> Option<[Complex64; 3]> {
        let inner = |a: &[Complex64; 3], b: &[Complex64; 3]| -> Complex64 {
            a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
        };
        let mut current = [Complex64::ZERO; 3];
        if let [by] = by {
            let square = inner(by, by).re;
            current[0] = inner(by, &self.fault_a) / square;
            return (square > 0.0).then_some(current);
        }
        let mut normal: Block<3> = zero();
        let mut right = [Complex64::ZERO; 3];
        for k in 0..3 {
            let Some(row) = by.get(k) else {
                normal[k][k] = Complex64::ONE;
                continue;
            };
            right[k] = inner(row, &self.fault_a);
            for (entry, column) in normal[k].iter_mut().zip(by) {
                *entry = inner(row, column);
            }
        }
        current = apply(&inverse(&normal)?, &right);
        Some(current)
    }
}
