//! What is done to each node in each iteration.
//!
//! Written for a number of lanes that is known when compiling, each a load case of its own. No
//! lane ever looks at another one, and nothing is contracted or reordered: a load case has the same
//! digits in one lane as in eight, and on every processor.

#![expect(clippy::inline_always, reason = "only what is inlined is compiled for each vector unit")]

use multiversion::multiversion;

use super::loads::{Extra, Loads};
use super::prepared::{Item, Kind, Phasors, Step, Sweep, nothing};
use crate::block::Block;
use crate::circuit::EARTH;

/// Below this square of a voltage a load draws nothing; it keeps wires that are not there from
/// dividing by zero.
const LEAST_SQUARE: f64 = 1e-200;

/// `x - a y`.
#[inline(always)]
fn minus_product<const N: usize, const W: usize>(
    mut x: Phasors<N, W>,
    a: &Block<N>,
    y: &Phasors<N, W>,
) -> Phasors<N, W> {
    for row in 0..N {
        for column in 0..N {
            let (re, im) = (a[row][column].re, a[row][column].im);
            for lane in 0..W {
                x[row][0][lane] -= re * y[column][0][lane] - im * y[column][1][lane];
                x[row][1][lane] -= re * y[column][1][lane] + im * y[column][0][lane];
            }
        }
    }
    x
}

/// `x - a y` for conductors that are alike: `a` has `own - mutual` on the diagonal and `mutual`
/// everywhere.
#[inline(always)]
fn minus_alike<const N: usize, const W: usize>(
    mut x: Phasors<N, W>,
    a: &[f64; 4],
    y: &Phasors<N, W>,
) -> Phasors<N, W> {
    let [own_re, own_im, re, im] = *a;
    for lane in 0..W {
        let (mut sum_re, mut sum_im) = (0.0, 0.0);
        for wire in 0..N {
            sum_re += y[wire][0][lane];
            sum_im += y[wire][1][lane];
        }
        let all_re = re * sum_re - im * sum_im;
        let all_im = re * sum_im + im * sum_re;
        for wire in 0..N {
            let [y_re, y_im] = [y[wire][0][lane], y[wire][1][lane]];
            x[wire][0][lane] -= own_re * y_re - own_im * y_im + all_re;
            x[wire][1][lane] -= own_re * y_im + own_im * y_re + all_im;
        }
    }
    x
}

/// `-a y`, as `a` is kept with its sign changed.
#[inline(always)]
fn product_of_negative<const N: usize, const W: usize>(
    a: &Block<N>,
    y: &Phasors<N, W>,
) -> Phasors<N, W> {
    minus_product(nothing(), a, y)
}

#[inline(always)]
pub(super) fn add<const N: usize, const W: usize>(x: &mut Phasors<N, W>, y: &Phasors<N, W>) {
    for (x, y) in
        x.as_flattened_mut().as_flattened_mut().iter_mut().zip(y.as_flattened().as_flattened())
    {
        *x += *y;
    }
}

/// The node's new voltages are kept, what its loads draw at them becomes its current, and the
/// largest change is returned.
#[inline(always)]
fn settle<const N: usize, const W: usize>(
    new: &Phasors<N, W>,
    voltage: &mut Phasors<N, W>,
    current: &mut Phasors<N, W>,
    power: &Phasors<N, W>,
    weight: f64,
    worst: &mut [f64; W],
) {
    for wire in 0..N {
        for lane in 0..W {
            let [re, im] = [new[wire][0][lane], new[wire][1][lane]];
            let by_re = re - voltage[wire][0][lane];
            let by_im = im - voltage[wire][1][lane];
            let change = (by_re * by_re + by_im * by_im) * weight;
            worst[lane] = if change > worst[lane] { change } else { worst[lane] };
            let square = re * re + im * im;
            let inverse = 1.0 / if square > LEAST_SQUARE { square } else { LEAST_SQUARE };
            let [p, q] = [power[wire][0][lane], power[wire][1][lane]];
            current[wire][0][lane] = (p * re - q * im) * inverse;
            current[wire][1][lane] = (p * im + q * re) * inverse;
        }
    }
    *voltage = *new;
}

/// Voltages from parents to children, by the currents found before; then what loads draw.
#[inline(always)]
fn forward<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    (item, at): (&Item, usize),
    loads: &Loads<N, W>,
    (voltages, currents): (&mut [Phasors<N, W>], &mut [Phasors<N, W>]),
    worst: &mut [f64; W],
) {
    let rows = item.rows();
    let from = item.first_matrix as usize;
    let parents = &sweep.parent[rows.clone()];
    let weights = &sweep.weight[rows.clone()];
    let powers = &loads.power[rows.clone()];
    let with = rows.zip(parents).zip(weights.iter().zip(powers));
    // Most parents are the row before: its voltages are at hand, and reading back what was written
    // a moment ago in other pieces would hold everything up.
    let mut last = voltages[item.first as usize - 1];
    match item.kind {
        Kind::Alike => {
            for (((row, &parent), (&weight, power)), z) in with.zip(&sweep.alike[from..]) {
                let above =
                    if parent as usize + 1 == row { last } else { voltages[parent as usize] };
                last = minus_alike(above, z, &currents[row]);
                settle(&last, &mut voltages[row], &mut currents[row], power, weight, worst);
            }
        }
        Kind::Full => {
            for (((row, &parent), (&weight, power)), z) in with.zip(&sweep.full[from..]) {
                let above =
                    if parent as usize + 1 == row { last } else { voltages[parent as usize] };
                last = minus_product(above, z, &currents[row]);
                settle(&last, &mut voltages[row], &mut currents[row], power, weight, worst);
            }
        }
        Kind::General => {
            let matrices = sweep.full[from..].iter().zip(&sweep.slot[from..]);
            for (((row, &parent), (&weight, power)), (z, &slot)) in with.zip(matrices) {
                let mut new = voltages[parent as usize];
                if let Some(through) = sweep.through.get(slot as usize) {
                    new = product_of_negative(&through.voltage, &new);
                }
                let new = minus_product(new, z, &currents[row]);
                settle(&new, &mut voltages[row], &mut currents[row], power, weight, worst);
            }
        }
    }
    for extra in &loads.extras[loads.extras_of(at)] {
        draw(extra, &voltages[extra.row as usize], &mut currents[extra.row as usize]);
    }
    for odd in &loads.odd[loads.odd_of(at)] {
        odd.draw(&voltages[odd.row as usize], &mut currents[odd.row as usize]);
    }
}

/// The voltage at one row by that of its parent and its current.
#[inline(always)]
pub(super) fn tree_voltage<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    step: &Step,
    above: &Phasors<N, W>,
    current: &Phasors<N, W>,
) -> Phasors<N, W> {
    let place = step.place as usize;
    if step.kind == Kind::Alike {
        return minus_alike(*above, &sweep.alike[place], current);
    }
    let through = sweep.through.get(sweep.slot[place] as usize);
    let above = through.map_or(*above, |it| product_of_negative(&it.voltage, above));
    minus_product(above, &sweep.full[place], current)
}

/// The current at the parent by that of one row.
#[inline(always)]
pub(super) fn parent_current<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    step: &Step,
    current: &Phasors<N, W>,
) -> Phasors<N, W> {
    if step.kind == Kind::Alike {
        return *current;
    }
    let through = sweep.through.get(sweep.slot[step.place as usize] as usize);
    through.map_or(*current, |it| product_of_negative(&it.current, current))
}

/// What a part of a load draws that is not a plain constant power to earth.
#[inline(always)]
fn draw<const N: usize, const W: usize>(
    extra: &Extra<W>,
    voltage: &Phasors<N, W>,
    current: &mut Phasors<N, W>,
) {
    let (wire, against) = (usize::from(extra.wire), usize::from(extra.against));
    let mut across = voltage[wire];
    if extra.against != EARTH {
        for lane in 0..W {
            across[0][lane] -= voltage[against][0][lane];
            across[1][lane] -= voltage[against][1][lane];
        }
    }
    let mut drawn = [[0.0; W]; 2];
    for lane in 0..W {
        let [re, im] = [across[0][lane], across[1][lane]];
        let square = re * re + im * im;
        let inverse = 1.0 / if square > LEAST_SQUARE { square } else { LEAST_SQUARE };
        let root = inverse.sqrt();
        let part = |k: usize| {
            extra.power[k][lane] * inverse
                + extra.current[k][lane] * root
                + extra.admittance[k][lane]
        };
        let [g, b] = [part(0), part(1)];
        drawn[0][lane] = g * re - b * im;
        drawn[1][lane] = g * im + b * re;
    }
    for k in 0..2 {
        for lane in 0..W {
            current[wire][k][lane] += drawn[k][lane];
            if extra.against != EARTH {
                current[against][k][lane] -= drawn[k][lane];
            }
        }
    }
}

/// Currents from children to parents.
#[inline(always)]
fn backward<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    item: &Item,
    currents: &mut [Phasors<N, W>],
) {
    let rows = item.rows();
    let parents = &sweep.parent[rows.clone()];
    if item.kind == Kind::General {
        let from = item.first_matrix as usize;
        let slots = &sweep.slot[from..from + rows.len()];
        for ((row, &parent), &slot) in rows.zip(parents).zip(slots).rev() {
            let mut drawn = currents[row];
            if let Some(through) = sweep.through.get(slot as usize) {
                drawn = product_of_negative(&through.current, &drawn);
            }
            add(&mut currents[parent as usize], &drawn);
        }
        return;
    }
    // What is handed to the row before is at hand when that row's turn comes, and is the last that
    // is added to it in any case.
    let mut handed: Option<Phasors<N, W>> = None;
    for (row, &parent) in rows.zip(parents).rev() {
        let mut drawn = currents[row];
        if let Some(handed) = &handed {
            add(&mut drawn, handed);
            currents[row] = drawn;
        }
        handed = None;
        if parent as usize + 1 == row {
            handed = Some(drawn);
        } else {
            add(&mut currents[parent as usize], &drawn);
        }
    }
    if let Some(handed) = &handed {
        add(&mut currents[item.first as usize - 1], handed);
    }
}

/// One iteration: all voltages by all currents, and all currents by these voltages. Returns the
/// square of the largest change of a voltage, per unit of its rated one, in each lane.
///
/// Whole branches of the tree that fit a processor's cache are swept forward and backward at once,
/// so that memory is read once in each iteration and not twice.
#[multiversion(targets = "simd")]
pub(super) fn iterate<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    loads: &Loads<N, W>,
    voltages: &mut [Phasors<N, W>],
    currents: &mut [Phasors<N, W>],
) -> [f64; W] {
    let mut worst = [0.0; W];
    for source in &mut currents[..sweep.emf.len()] {
        *source = nothing();
    }
    for (at, item) in sweep.items.iter().enumerate() {
        forward(sweep, (item, at), loads, (&mut *voltages, &mut *currents), &mut worst);
        if !item.trunk {
            backward(sweep, item, currents);
        }
    }
    for item in sweep.items.iter().rev().filter(|item| item.trunk) {
        backward(sweep, item, currents);
    }
    worst
}

/// What the loads of each row draw at the voltages as they are.
#[multiversion(targets = "simd")]
pub(super) fn draw_own<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    loads: &Loads<N, W>,
    voltages: &mut [Phasors<N, W>],
    currents: &mut [Phasors<N, W>],
) {
    let mut worst = [0.0; W];
    let sources = sweep.emf.len();
    currents[..sources].fill(nothing());
    for row in sources..voltages.len() {
        let new = voltages[row];
        settle(&new, &mut voltages[row], &mut currents[row], &loads.power[row], 1.0, &mut worst);
    }
    for extra in &loads.extras {
        draw(extra, &voltages[extra.row as usize], &mut currents[extra.row as usize]);
    }
    for odd in &loads.odd {
        odd.draw(&voltages[odd.row as usize], &mut currents[odd.row as usize]);
    }
}

/// Currents by the voltages as they are, for loads that have changed.
pub(super) fn draw_all<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    loads: &Loads<N, W>,
    voltages: &mut [Phasors<N, W>],
    currents: &mut [Phasors<N, W>],
) {
    draw_own(sweep, loads, voltages, currents);
    for item in sweep.items.iter().rev() {
        backward(sweep, item, currents);
    }
}
