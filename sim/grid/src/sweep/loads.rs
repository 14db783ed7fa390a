//! Loads as the sweep wants them: plain ones in rows, the others in lists.

use std::ops::Range;

use num_complex::Complex64;

use super::kernel::{Phasors, nothing};
use super::{Constant, Sweep};
use crate::circuit::{Circuit, EARTH, Law, Part};
use crate::network::{Configuration, Load, LoadModel};

/// What is drawn in each of `W` load cases.
#[derive(Clone, Debug)]
pub struct Loads<const N: usize, const W: usize> {
    /// By row and wire: constant power to earth, conjugated, VA.
    pub(super) power: Vec<Phasors<N, W>>,
    /// By row, everything else that draws in proportion to a power.
    pub(super) extras: Vec<Extra<W>>,
    /// By row, what is left: laws with exponents or bands of voltages, and fixed currents.
    pub(super) odd: Vec<Odd<N, W>>,
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
pub(super) struct Odd<const N: usize, const W: usize> {
    pub(super) row: u32,
    what: What<N, W>,
}

#[derive(Clone, Debug)]
enum What<const N: usize, const W: usize> {
    /// Draws this, whatever the voltage; amperes.
    Fixed(Box<Phasors<N, W>>),
    /// A part of a load for each lane.
    Parts(Box<[Part; W]>),
}

impl<const N: usize, const W: usize> Odd<N, W> {
    #[inline]
    pub(super) fn draw(&self, voltage: &Phasors<N, W>, current: &mut Phasors<N, W>) {
        match &self.what {
            What::Fixed(fixed) => {
                for (current, fixed) in current.iter_mut().zip(fixed.iter()) {
                    for (current, fixed) in current.iter_mut().zip(fixed) {
                        for (current, fixed) in current.iter_mut().zip(fixed) {
                            *current += fixed;
                        }
                    }
                }
            }
            What::Parts(parts) => {
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
    Odd(u32),
}

/// Which load's figures go where, to change the powers of prepared loads.
#[derive(Clone, Debug)]
pub struct LoadMap {
    /// Index into the network's loads, part of that load, where it goes.
    targets: Vec<(u32, u8, Target)>,
}

/// A wire that has no voltage of its own is earth to whatever is connected to it.
fn on_live_wires<const N: usize>(circuit: &Circuit<N>, part: &Part) -> Option<Part> {
    let live = |wire: u8| wire != EARTH && circuit.has_wire(part.node, usize::from(wire));
    let mut part = part.clone();
    match (live(part.wire), live(part.against)) {
        (true, true) => {}
        (true, false) => part.against = EARTH,
        (false, true) => (part.wire, part.against) = (part.against, EARTH),
        (false, false) => return None,
    }
    Some(part)
}

/// Power, current and admittance of a law without bands or exponents: VA, A and siemens by which
/// the voltage is multiplied (divided by its square, its magnitude, by nothing).
fn coefficients(part: &Part) -> Option<[Complex64; 3]> {
    let zero = Complex64::ZERO;
    let rated = part.rated_voltage_v;
    let [impedance, current, power] = match &part.law {
        _ if part.band.is_some() && !part.is_constant() => return None,
        Law::Power(power) => [zero, zero, *power],
        Law::Current(power) => [zero, *power, zero],
        Law::Impedance(power) => [*power, zero, zero],
        Law::Mixed(mixed) => **mixed,
        Law::Exponential(_) => return None,
    };
    Some([power.conj(), current.conj() / rated, impedance.conj() / (rated * rated)])
}

/// The admittance of a part that can stand in the matrix: from which wire to which, siemens.
pub(super) fn in_matrix<const N: usize>(
    circuit: &Circuit<N>,
    part: &Part,
) -> Option<(u8, u8, Complex64)> {
    let part = on_live_wires(circuit, part)?;
    let [_, _, admittance] = coefficients(&part)?;
    (admittance != Complex64::ZERO).then_some((part.wire, part.against, admittance))
}

impl<const N: usize, const W: usize> Loads<N, W> {
    /// The loads of a circuit, the same in every lane, and where each of their powers is.
    ///
    /// # Panics
    /// If the sweep is one of another circuit.
    pub fn new(circuit: &Circuit<N>, sweep: &Sweep<N>) -> (Self, LoadMap) {
        let mut loads = Self {
            power: vec![nothing(); sweep.parent.len()],
            extras: Vec::new(),
            odd: Vec::new(),
            until: Vec::with_capacity(sweep.items.len()),
        };
        let mut map = LoadMap { targets: Vec::new() };
        for &(row, ref current) in &sweep.injections {
            let fixed = current.map(|current| [[current.re; W], [current.im; W]]);
            loads.odd.push(Odd { row, what: What::Fixed(Box::new(fixed)) });
        }
        for part in &circuit.parts {
            let Some(part) = on_live_wires(circuit, part) else { continue };
            if let Some(target) = loads.add(&part, sweep) {
                map.targets.push((part.load, part.slot, target));
            }
        }
        loads.sort(&mut map, sweep);
        (loads, map)
    }

    fn add(&mut self, part: &Part, sweep: &Sweep<N>) -> Option<Target> {
        let row = sweep.row(part.node);
        let Some(mut figures) = coefficients(part) else {
            let parts = std::array::from_fn(|_| part.clone());
            self.odd.push(Odd { row, what: What::Parts(Box::new(parts)) });
            return Some(Target::Odd(self.odd.len() as u32 - 1));
        };
        if sweep.constant == Constant::InMatrix {
            figures[2] = Complex64::ZERO;
        }
        if part.against == EARTH && matches!(part.law, Law::Power(_)) {
            let power = &mut self.power[row as usize][usize::from(part.wire)];
            for lane in 0..W {
                power[0][lane] += figures[0].re;
                power[1][lane] += figures[0].im;
            }
            return Some(Target::Plain(row, part.wire, true));
        }
        if figures == [Complex64::ZERO; 3] {
            return None;
        }
        let [power, current, admittance] = figures.map(|it| [[it.re; W], [it.im; W]]);
        let (wire, against) = (part.wire, part.against);
        self.extras.push(Extra { row, wire, against, power, current, admittance });
        Some(Target::Extra(self.extras.len() as u32 - 1))
    }

    /// Brings the lists into the order of the rows, and finds out which are in which item.
    fn sort(&mut self, map: &mut LoadMap, sweep: &Sweep<N>) {
        let extras = order_by(&mut self.extras, |it| it.row);
        let odd = order_by(&mut self.odd, |it| it.row);
        let mut taken = vec![[false; N]; sweep.parent.len()];
        for (_, _, target) in &mut map.targets {
            match target {
                Target::Plain(row, wire, first) => {
                    let taken = &mut taken[*row as usize][usize::from(*wire)];
                    *first = !std::mem::replace(taken, true);
                }
                Target::Extra(at) => *at = extras[*at as usize],
                Target::Odd(at) => *at = odd[*at as usize],
            }
        }
        self.extras.shrink_to_fit();
        for item in &sweep.items {
            let end = item.rows().end as u32;
            let extras = self.extras.partition_point(|it| it.row < end);
            let odd = self.odd.partition_point(|it| it.row < end);
            self.until.push([extras as u32, odd as u32]);
        }
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

    /// Other powers in one lane, VA: of each of the network's loads, part by part. How loads follow
    /// the voltage stays as it was. For sweeps with [`Constant::Injected`]; parts of loads that had
    /// no power when this was prepared, and stars whose star point is isolated, keep what they had.
    pub(crate) fn set(
        &mut self,
        lane: usize,
        map: &LoadMap,
        loads: &[Load],
        powers: &[[Complex64; 3]],
    ) {
        for &(load, slot, target) in &map.targets {
            let isolated = loads[load as usize].configuration == Configuration::StarIsolated;
            if N > 1 && isolated {
                continue;
            }
            let powers = &powers[load as usize];
            let power = if N == 1 {
                (powers[0] + powers[1] + powers[2]) / 3.0
            } else {
                powers[usize::from(slot)]
            };
            match target {
                Target::Plain(row, wire, first) => {
                    let [re, im] = &mut self.power[row as usize][usize::from(wire)];
                    let [p, q] = if first { [0.0; 2] } else { [re[lane], im[lane]] };
                    re[lane] = p + power.re;
                    im[lane] = q - power.im;
                }
                Target::Extra(at) => {
                    self.extras[at as usize].set(lane, &loads[load as usize], power, N == 1);
                }
                Target::Odd(at) => {
                    if let What::Parts(parts) = &mut self.odd[at as usize].what {
                        parts[lane].law = crate::circuit::law(loads[load as usize].model, power);
                    }
                }
            }
        }
    }
}

impl<const W: usize> Extra<W> {
    fn set(&mut self, lane: usize, load: &Load, power: Complex64, balanced: bool) {
        let mut rated = load.rated_voltage_v;
        if balanced && load.configuration == Configuration::Delta {
            rated /= 3.0_f64.sqrt();
        }
        let zip = |model: LoadModel| match crate::circuit::law(model, power) {
            Law::Power(power) => [Complex64::ZERO, Complex64::ZERO, power],
            Law::Current(power) => [Complex64::ZERO, power, Complex64::ZERO],
            Law::Impedance(power) => [power, Complex64::ZERO, Complex64::ZERO],
            Law::Mixed(mixed) => *mixed,
            Law::Exponential(_) => [Complex64::ZERO; 3],
        };
        let [impedance, current, power] = zip(load.model);
        let figures = [power.conj(), current.conj() / rated, impedance.conj() / (rated * rated)];
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
