//! Loads as the sweep wants them: plain ones in rows, the others in lists.

use std::ops::Range;

use num_complex::Complex64;

use super::prepared::{Constant, Phasors, Sweep, nothing};
use crate::circuit::{Circuit, EARTH, Part, VoltageDependence, rated_across};
use crate::network::{Configuration, Load};

/// What is drawn in each of `W` load cases.
#[derive(Clone, Debug)]
pub struct Loads<const N: usize, const W: usize> {
    /// By row and wire: constant power to earth, conjugated, VA.
    pub(super) power: Vec<Phasors<N, W>>,
    /// By row, everything else that draws in proportion to a power.
    pub(super) extras: Vec<Extra<W>>,
    /// By row, what is left: laws with exponents or bands of voltages, and fixed currents.
    pub(super) odd: Vec<IrregularLoad<N, W>>,
    /// After each item of the sweep: how many of both were seen to.
    until: Vec<[u32; 2]>,
}

/// A constant power, current and admittance side by side, between a wire and another or earth.
#[derive(Clone, Debug)]
pub(super) struct Extra<const W: usize> {
    pub(super) row: u32,
    pub(super) wire: u8,
    pub(super) against: u8,
    /// Conjugated, VA.
    pub(super) power: [[f64; W]; 2],
    /// Conjugated power per volt, A.
    pub(super) current: [[f64; W]; 2],
    /// Siemens.
    pub(super) admittance: [[f64; W]; 2],
}

/// What no formula for all lanes is for.
#[derive(Clone, Debug)]
pub(super) struct IrregularLoad<const N: usize, const W: usize> {
    pub(super) row: u32,
    what: IrregularDraw<N, W>,
}

#[derive(Clone, Debug)]
enum IrregularDraw<const N: usize, const W: usize> {
    /// Draws this, whatever the voltage; amperes.
    Fixed(Box<Phasors<N, W>>),
    /// A part of a load for each lane.
    Parts(Box<[Part; W]>),
}

impl<const N: usize, const W: usize> IrregularLoad<N, W> {
    #[inline]
    pub(super) fn draw(&self, voltage: &Phasors<N, W>, current: &mut Phasors<N, W>) {
        match &self.what {
            IrregularDraw::Fixed(fixed) => {
                for (current, fixed) in current.iter_mut().zip(fixed.iter()) {
                    for (current, fixed) in current.iter_mut().zip(fixed) {
                        for (current, fixed) in current.iter_mut().zip(fixed) {
                            *current += fixed;
                        }
                    }
                }
            }
            IrregularDraw::Parts(parts) => {
                for (lane, part) in parts.iter().enumerate() {
                    let (wire, against) = (usize::from(part.wire), usize::from(part.against));
                    let at = |wire: usize| {
                        Complex64::new(voltage[wire][0][lane], voltage[wire][1][lane])
                    };
                    let earthed = part.against == EARTH;
                    let across = if earthed { at(wire) } else { at(wire) - at(against) };
                    let drawn = part.current(across);
                    current[wire][0][lane] += drawn.re;
                    current[wire][1][lane] += drawn.im;
                    if !earthed {
                        current[against][0][lane] -= drawn.re;
                        current[against][1][lane] -= drawn.im;
                    }
                }
            }
        }
    }
}

/// Where the power of one part of a load goes.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// Constant power from this wire of this row to earth; whether it is the first one there.
    Plain(u32, u8, bool),
    Extra(u32),
    IrregularLoad(u32),
}

/// Which load's figures go where, to change the powers of prepared loads.
#[derive(Clone, Debug)]
pub struct LoadMap {
    /// Index into the network's loads, part of that load, where it goes.
    targets: Vec<(u32, u8, Target)>,
}

/// Between which wires a part is: a wire that has no voltage of its own is earth to whatever is
/// connected to it. None if it is between earth and earth.
fn live_ends<const N: usize>(circuit: &Circuit<N>, part: &Part) -> Option<(u8, u8)> {
    let live = |wire: u8| wire != EARTH && circuit.has_wire(part.node, usize::from(wire));
    match (live(part.wire), live(part.against)) {
        (true, true) => Some((part.wire, part.against)),
        (true, false) => Some((part.wire, EARTH)),
        (false, true) => Some((part.against, EARTH)),
        (false, false) => None,
    }
}

/// Power, current and admittance of a law without bands or exponents: VA, A and siemens by which
/// the voltage is multiplied (divided by its square, its magnitude, by nothing).
fn coefficients(part: &Part) -> Option<[Complex64; 3]> {
    let Some(it) = &part.follows else {
        return figures(&VoltageDependence::Power, part.power_va, 1.0);
    };
    if it.band.is_some() && it.law != VoltageDependence::Impedance {
        return None;
    }
    figures(&it.law, part.power_va, it.rated_voltage_v)
}

fn figures(law: &VoltageDependence, of: Complex64, rated: f64) -> Option<[Complex64; 3]> {
    let zero = Complex64::ZERO;
    let [impedance, current, power] = match law {
        VoltageDependence::Power => [zero, zero, of],
        VoltageDependence::Current => [zero, of, zero],
        VoltageDependence::Impedance => [of, zero, zero],
        VoltageDependence::Mixed(mixed) => *mixed,
        VoltageDependence::Exponential { .. } => return None,
    };
    Some([power.conj(), current.conj() / rated, impedance.conj() / (rated * rated)])
}

/// The admittance of a part that can stand in the matrix: from which wire to which, siemens.
pub(super) fn in_matrix<const N: usize>(
    circuit: &Circuit<N>,
    part: &Part,
) -> Option<(u8, u8, Complex64)> {
    part.follows.as_ref()?;
    let (wire, against) = live_ends(circuit, part)?;
    let [_, _, admittance] = coefficients(part)?;
    (admittance != Complex64::ZERO).then_some((wire, against, admittance))
}

impl<const N: usize, const W: usize> Loads<N, W> {
    /// The loads of a circuit, the same in every lane.
    ///
    /// # Panics
    /// If the sweep is one of another circuit.
    pub fn new(circuit: &Circuit<N>, sweep: &Sweep<N>) -> Self {
        let mut loads = Self::without_parts(sweep);
        for part in &circuit.parts {
            loads.add(circuit, part, sweep);
        }
        loads.sort(sweep);
        loads
    }

    /// The same, and where each power of these loads is.
    ///
    /// # Panics
    /// If the sweep is one of another circuit, or the loads are those of another network.
    pub fn with_map(circuit: &Circuit<N>, sweep: &Sweep<N>, of: &[Load]) -> (Self, LoadMap) {
        let mut loads = Self::without_parts(sweep);
        let mut targets: Vec<(u32, u8, Target)> = Vec::with_capacity(circuit.parts.len());
        for part in &circuit.parts {
            let target = loads.add(circuit, part, sweep);
            // What stands for a star whose star point is isolated has no powers of its own.
            let isolated = of[part.load as usize].configuration == Configuration::StarIsolated;
            let target = target.filter(|_| N == 1 || !isolated);
            targets.extend(target.map(|target| (part.load, part.slot, target)));
        }
        let [extras, odd] = loads.sort(sweep);
        // In the order in which powers are given; what is at one row comes in that order anyway.
        targets.sort_by_key(|&(load, slot, _)| (load, slot));
        let mut taken = vec![[false; N]; sweep.parent.len()];
        for (_, _, target) in &mut targets {
            match target {
                Target::Plain(row, wire, first) => {
                    let taken = &mut taken[*row as usize][usize::from(*wire)];
                    *first = !std::mem::replace(taken, true);
                }
                Target::Extra(at) => *at = extras[*at as usize],
                Target::IrregularLoad(at) => *at = odd[*at as usize],
            }
        }
        (loads, LoadMap { targets })
    }

    /// With nothing but the currents that are always the same.
    fn without_parts(sweep: &Sweep<N>) -> Self {
        let mut loads = Self {
            power: vec![nothing(); sweep.parent.len()],
            extras: Vec::new(),
            odd: Vec::new(),
            until: Vec::with_capacity(sweep.items.len()),
        };
        for &(row, ref current) in &sweep.injections {
            let fixed = current.map(|current| [[current.re; W], [current.im; W]]);
            loads.odd.push(IrregularLoad { row, what: IrregularDraw::Fixed(Box::new(fixed)) });
        }
        loads
    }

    fn add(&mut self, circuit: &Circuit<N>, part: &Part, sweep: &Sweep<N>) -> Option<Target> {
        let (wire, against) = live_ends(circuit, part)?;
        let row = sweep.row(part.node);
        if against == EARTH && part.follows.as_ref().is_none() {
            let power = part.power_va;
            let at = &mut self.power[row as usize][usize::from(wire)];
            for lane in 0..W {
                at[0][lane] += power.re;
                at[1][lane] += -power.im;
            }
            return Some(Target::Plain(row, wire, true));
        }
        let Some(mut figures) = coefficients(part) else {
            let parts = std::array::from_fn(|_| Part { wire, against, ..part.clone() });
            self.odd.push(IrregularLoad { row, what: IrregularDraw::Parts(Box::new(parts)) });
            return Some(Target::IrregularLoad(self.odd.len() as u32 - 1));
        };
        if sweep.constant == Constant::InMatrix {
            figures[2] = Complex64::ZERO;
        }
        if figures == [Complex64::ZERO; 3] {
            return None;
        }
        let [power, current, admittance] = figures.map(|it| [[it.re; W], [it.im; W]]);
        self.extras.push(Extra { row, wire, against, power, current, admittance });
        Some(Target::Extra(self.extras.len() as u32 - 1))
    }

    /// Brings the lists into the order of the rows, and finds out which are in which item. Returns
    /// where the members of both lists went.
    fn sort(&mut self, sweep: &Sweep<N>) -> [Vec<u32>; 2] {
        let went = [order_by(&mut self.extras, |it| it.row), order_by(&mut self.odd, |it| it.row)];
        self.extras.shrink_to_fit();
        for item in &sweep.items {
            let end = item.rows().end as u32;
            let extras = self.extras.partition_point(|it| it.row < end);
            let odd = self.odd.partition_point(|it| it.row < end);
            self.until.push([extras as u32, odd as u32]);
        }
        went
    }

    fn range(&self, item: usize, list: usize) -> Range<usize> {
        let from = if item == 0 { 0 } else { self.until[item - 1][list] };
        from as usize..self.until[item][list] as usize
    }

    pub(super) fn extras_of(&self, item: usize) -> Range<usize> {
        self.range(item, 0)
    }

    pub(super) fn odd_of(&self, item: usize) -> Range<usize> {
        self.range(item, 1)
    }

    /// Other powers in each lane, VA: of a lane and one of the network's loads, part by part. How
    /// loads follow the voltage stays as it was. For sweeps with [`Constant::Injected`]; parts of
    /// loads that had no power when this was prepared, and stars whose star point is isolated, keep
    /// what they had.
    pub(crate) fn set(
        &mut self,
        map: &LoadMap,
        loads: &[Load],
        power: impl Fn(usize, usize) -> [Complex64; 3],
    ) {
        for &(load, slot, target) in &map.targets {
            let part = of_part::<N, W>(|lane| power(lane, load as usize), slot);
            self.set_part(target, &loads[load as usize], part);
        }
    }

    #[inline]
    fn set_part(&mut self, target: Target, load: &Load, [p, q]: [[f64; W]; 2]) {
        if let Target::Plain(row, wire, first) = target {
            let [re, im] = &mut self.power[row as usize][usize::from(wire)];
            if first {
                (*re, *im) = ([0.0; W], [0.0; W]);
            }
            for lane in 0..W {
                re[lane] += p[lane];
                im[lane] -= q[lane];
            }
            return;
        }
        for lane in 0..W {
            self.set_rarer(lane, target, load, Complex64::new(p[lane], q[lane]));
        }
    }

    fn set_rarer(&mut self, lane: usize, target: Target, load: &Load, power: Complex64) {
        match target {
            Target::Plain(..) => {}
            Target::Extra(at) => self.extras[at as usize].set(lane, load, power, N == 1),
            Target::IrregularLoad(at) => {
                if let IrregularDraw::Parts(parts) = &mut self.odd[at as usize].what {
                    parts[lane].set(load.model, power);
                }
            }
        }
    }
}

/// Active and reactive power of a part of a load in each lane; of the positive sequence, which
/// stands for one wire, a third of all.
#[inline]
fn of_part<const N: usize, const W: usize>(
    power: impl Fn(usize) -> [Complex64; 3],
    slot: u8,
) -> [[f64; W]; 2] {
    let (mut p, mut q) = ([0.0; W], [0.0; W]);
    for lane in 0..W {
        let powers = power(lane);
        let slot = usize::from(slot);
        let power = if N == 1 { powers[0] + powers[1] + powers[2] } else { powers[slot] };
        (p[lane], q[lane]) = (power.re, power.im);
    }
    if N == 1 {
        // Apart from the loop above, which no vector unit can do.
        for lane in 0..W {
            p[lane] /= 3.0;
            q[lane] /= 3.0;
        }
    }
    [p, q]
}

impl<const W: usize> Extra<W> {
    fn set(&mut self, lane: usize, load: &Load, power: Complex64, balanced: bool) {
        let law = crate::circuit::law(load.model, power);
        let figures = figures(&law, power, rated_across(load, balanced));
        let figures = figures.unwrap_or([Complex64::ZERO; 3]);
        let into = [&mut self.power, &mut self.current, &mut self.admittance];
        for (into, figure) in into.into_iter().zip(figures) {
            into[0][lane] = figure.re;
            into[1][lane] = figure.im;
        }
    }
}

/// Orders a list, equals as they were; returns where each of its members went.
fn order_by<T: Clone>(list: &mut Vec<T>, key: impl Fn(&T) -> u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..list.len() as u32).collect();
    order.sort_by_key(|&at| (key(&list[at as usize]), at));
    *list = order.iter().map(|&at| list[at as usize].clone()).collect();
    let mut went = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        went[old as usize] = new as u32;
    }
    went
}
