//! The search for the areas that explain best which meters are in the dark.
//!
//! Each meter brings a weight: the logarithm of how much more likely what came of it (and what did
//! not) is if it is in the dark than if it is lit. An area is an element and phases; below it every
//! meter is in the dark whose phases are all covered. Each area costs a prior. What is found has
//! the largest sum of any choice of areas: for one phase no area is upstream of another.
//!
//! Dynamic programming from the leaves on: of each element and each set of phases that is out above
//! it, the best that can be made of all below. Weights are whole millionths of the natural
//! logarithm, so that equal sums are equal, and ties are settled: to the element farthest upstream,
//! and there to fewer phases. What is out on some phases only ends at a transformer, behind which
//! phases are others.

use lastmeter_grid::network::{Wire, Wires};

use super::areas::{Areas, ElementKind};

/// What is known of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The load that it measures, a place in [`Areas::elements`].
    pub element: u32,
    /// The phases that are all out if it is in the dark.
    pub phases: Wires,
    /// For it being in the dark, millionths of the natural logarithm.
    pub value: i64,
}

/// What an area costs, millionths of the natural logarithm, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prior {
    /// One of all three phases.
    pub area: i64,
    /// What one of fewer phases costs more.
    pub partial: i64,
}

/// What is out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Of each element: the phases that are out.
    pub phases: Vec<Wires>,
    /// The areas, upstream ones first: the element, and the phases that are out from there on.
    pub areas: Vec<(u32, Wires)>,
    /// Of each element at which a phase is out: the farthest area upstream that it is in.
    pub tops: Vec<Option<u32>>,
}

/// A logarithm in millionths.
pub fn millionths(logarithm: f64) -> i64 {
    (logarithm * 1e6).round() as i64
}

/// Sets of phases by number, bit by bit.
const SETS: usize = 8;
const ALL: usize = SETS - 1;

fn number(phases: Wires) -> usize {
    Wire::PHASES.iter().map(|&wire| usize::from(phases.contains(wire)) << wire.index()).sum()
}

fn set(number: usize) -> Wires {
    Wire::PHASES.into_iter().filter(|wire| number >> wire.index() & 1 == 1).collect()
}

/// What of the phases that are out above an element is out at it.
fn passed(kind: ElementKind, above: usize) -> usize {
    if kind == ElementKind::Transformer && above != ALL { 0 } else { above }
}

/// The areas of the largest sum.
pub fn search(areas: &Areas, weights: &[Weight], prior: Prior) -> Cover {
    let elements = areas.elements();
    // Of each element: its own weights by phases, then what is out at it and below.
    let mut own = vec![[0_i64; SETS]; elements.len()];
    for weight in weights {
        let needed = number(weight.phases);
        for (covered, sum) in own[weight.element as usize].iter_mut().enumerate() {
            *sum += if needed != 0 && needed & !covered == 0 { weight.value } else { 0 };
        }
    }
    let mut chosen = vec![[0_u8; SETS]; elements.len()];
    for (at, element) in elements.iter().enumerate().rev() {
        let mut best = [0_i64; SETS];
        for above in 0..SETS {
            let (covered, value) = choose(&own[at], passed(element.kind, above), prior);
            (chosen[at][above], best[above]) = (covered as u8, value);
        }
        if let Some(parent) = element.parent {
            let sums = own[parent as usize].iter_mut().zip(best);
            sums.for_each(|(sum, best)| *sum += best);
        }
    }
    let mut cover = Cover::default();
    for (at, element) in elements.iter().enumerate() {
        let above = element.parent.map_or(0, |parent| number(cover.phases[parent as usize]));
        let covered = usize::from(chosen[at][above]);
        let passed = passed(element.kind, above);
        if covered != passed {
            cover.areas.push((at as u32, set(covered & !passed)));
        }
        let inherited = element.parent.filter(|_| passed != 0);
        let top = inherited.map_or(Some(at as u32), |parent| cover.tops[parent as usize]);
        cover.tops.push(top.filter(|_| covered != 0));
        cover.phases.push(set(covered));
    }
    cover
}

/// Which phases are out at an element of which some are out already, and what that is worth.
fn choose(values: &[i64; SETS], already: usize, prior: Prior) -> (usize, i64) {
    let mut best = (already, values[already]);
    for (covered, value) in values.iter().enumerate() {
        if covered == already || already & !covered != 0 {
            continue;
        }
        let added = (covered & !already).count_ones() as usize;
        let partial = if added == Wire::PHASES.len() { 0 } else { prior.partial };
        let value = value - prior.area - partial;
        let is_simpler = best.0 == already || covered.count_ones() < best.0.count_ones();
        if value > best.1 || (value == best.1 && is_simpler) {
            best = (covered, value);
        }
    }
    best
}
