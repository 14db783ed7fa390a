//! Candidates: the places from which the misfit rises on every side, and where phasors do not fix
//! the place, others beside them.

use super::feeder::{Feeder, Section};
use super::fit::{Draws, Fitter, Span};
use super::{FaultSearchError, Observation, Options};
use crate::short_circuit::Kind;

/// What remains free after the place and the resistance: six components less two.
const FREEDOM: f64 = 4.0;

/// Candidates beside one another are so far apart, as a share of the longest way: so that there is
/// one within a hundredth of any place between them.
const STEP: f64 = 0.02;

/// As long as a place so far away is worse by less than this, the one half way is within 2.3
/// standard deviations.
const BESIDE_MISFIT: f64 = 22.0;

/// A place where a fault explains what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Index into the network's lines.
    pub line: u32,
    /// Metres from the line's end `from`.
    pub along_m: f64,
    /// Metres from the station along the lines.
    pub distance_m: f64,
    /// What is connected.
    pub kind: Kind,
    /// Resistance of the fault, of each phase to earth or from one phase to the other, ohm.
    pub resistance_ohm: f64,
    /// Squares of what remains over their variances, summed: about 4 where nothing but the stated
    /// noise is wrong.
    pub misfit: f64,
    /// How likely it is among the candidates; all together have 1.
    pub likelihood: f64,
    /// Standard deviation of the distance, metres.
    pub spread_m: f64,
}

/// The lowest misfit along a section.
#[derive(Clone, Copy)]
struct Lowest {
    section: usize,
    share: f64,
    misfit: f64,
    resistance_ohm: f64,
    /// Second derivative of the misfit by the share.
    curvature: f64,
}

/// A model that is wrong by more than the stated noise makes all places less certain.
fn excess(first: &Lowest) -> f64 {
    (first.misfit / FREEDOM).max(1.0)
}

impl Feeder {
    /// The places that explain an observation, the likeliest first; all of the kind that fits best.
    /// Where phasors do not fix a place to a hundredth of the longest way, there are others beside
    /// it, fiftieths of that way apart.
    /// Without any current of a fault there is none.
    ///
    /// # Errors
    /// If phasors are not finite or have no voltage, or the feeder with its loads is singular.
    pub fn search(
        &self,
        observation: &Observation,
        options: &Options,
    ) -> Result<Vec<Candidate>, FaultSearchError> {
        let finite = observation.before.is_finite() && observation.during.is_finite();
        let has_voltage = observation.before.voltage_v.iter().all(|it| it.norm() > 0.0);
        let positive = observation.voltage_sigma_v > 0.0 && observation.current_sigma_a > 0.0;
        if !(finite && has_voltage && positive) {
            return Err(FaultSearchError::Phasors);
        }
        let fitter = Fitter::new(self, observation, options).ok_or(FaultSearchError::Singular)?;
        let mut best: Option<(Kind, Draws, Vec<Lowest>)> = None;
        for &kind in &options.kinds {
            let Some(draws) = Draws::of(kind) else { continue };
            let found = self.lowest_places(&fitter, &draws);
            let is_better = found.first().is_some_and(|it| {
                best.as_ref().and_then(|best| best.2.first()).is_none_or(|b| it.misfit < b.misfit)
            });
            if is_better {
                best = Some((kind, draws, found));
            }
        }
        let Some((kind, draws, mut found)) = best else { return Ok(Vec::new()) };
        let misfit_max = found.first().map_or(0.0, |it| it.misfit + BESIDE_MISFIT * excess(it));
        let lowest: Vec<Lowest> = found.iter().take(options.candidates_max).copied().collect();
        for it in lowest.iter().filter(|it| it.misfit < misfit_max) {
            found.extend(self.beside(it, &fitter, &draws).filter(|it| it.misfit < misfit_max));
        }
        found.sort_by(|a, b| a.misfit.total_cmp(&b.misfit).then(a.section.cmp(&b.section)));
        Ok(self.candidates(kind, &found, options))
    }

    /// Places at some steps from a place along the lines, towards the station and away from it.
    fn beside<'a>(
        &'a self,
        it: &'a Lowest,
        fitter: &'a Fitter,
        draws: &'a Draws,
    ) -> impl Iterator<Item = Lowest> + 'a {
        let own = &self.sections[it.section];
        let here_m = self.distance_m[own.from] + it.share * own.length_m;
        let longest_m = self.distance_m.iter().copied().fold(0.0, f64::max);
        let all = [-2.0, -1.0, 1.0, 2.0].map(|steps| here_m + steps * STEP * longest_m);
        all.into_iter().flat_map(move |metres| {
            let at = move |(section, there): (usize, &Section)| {
                let share = (metres - self.distance_m[there.from]) / there.length_m;
                let is_on_a_way = || {
                    self.way_to(there.to).contains(&own.to)
                        || self.way_to(own.to).contains(&there.to)
                };
                if !(share > 0.0 && share <= 1.0 && is_on_a_way()) {
                    return None;
                }
                let fit = fitter.at(&fitter.span(there), share, draws)?;
                let (misfit, resistance_ohm) = (fit.misfit, fit.resistance_ohm);
                let scale = there.length_m / own.length_m;
                let curvature = it.curvature * scale * scale;
                Some(Lowest { section, share, misfit, resistance_ohm, curvature })
            };
            self.sections.iter().enumerate().filter_map(at)
        })
    }

    /// The places from which the misfit rises on every side, the lowest first.
    fn lowest_places(&self, fitter: &Fitter, draws: &Draws) -> Vec<Lowest> {
        // Of each node the lowest of the sections that meet there.
        let mut of_node: Vec<Option<(f64, usize)>> = vec![None; self.parent.len()];
        let mut found = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            if !section.wires.contains_all(draws.wires) {
                continue;
            }
            let span = fitter.span(section);
            let Some(lowest) = lowest_of(fitter, &span, draws, index) else { continue };
            for node in [section.from, section.to] {
                let own = (lowest.misfit, index);
                let is_lower = of_node[node].is_none_or(|it| own < it);
                if is_lower {
                    of_node[node] = Some(own);
                }
            }
            found.push(lowest);
        }
        found.retain(|it| {
            let section = &self.sections[it.section];
            let at = |node: usize| of_node[node].is_none_or(|lowest| lowest.1 == it.section);
            (it.share > 0.0 || at(section.from)) && (it.share < 1.0 || at(section.to))
        });
        found.sort_by(|a, b| a.misfit.total_cmp(&b.misfit).then(a.section.cmp(&b.section)));
        found
    }

    fn candidates(&self, kind: Kind, found: &[Lowest], options: &Options) -> Vec<Candidate> {
        let Some(first) = found.first() else { return Vec::new() };
        let excess = excess(first);
        let mut candidates: Vec<(usize, Candidate)> = Vec::new();
        for it in found {
            let section = &self.sections[it.section];
            let offset_m = it.share * section.length_m;
            let along_m = if section.is_reversed { section.length_m - offset_m } else { offset_m };
            let by_noise_m = section.length_m * (2.0 * excess / it.curvature).sqrt();
            let by_lines_m = options.line_spread * self.root_of_squares(section, offset_m);
            let candidate = Candidate {
                line: section.line,
                along_m,
                distance_m: self.distance_m[section.from] + offset_m,
                kind,
                resistance_ohm: it.resistance_ohm,
                misfit: it.misfit,
                likelihood: (-0.5 * (it.misfit - first.misfit) / excess).exp(),
                spread_m: by_noise_m.hypot(by_lines_m),
            };
            // Of places between which phasors do not decide one stands for all within a step.
            let longest_m = self.distance_m.iter().copied().fold(0.0, f64::max);
            let step_m = by_noise_m.min(0.9 * STEP * longest_m);
            let is_near = |(other, better): &(usize, Candidate)| {
                self.apart_m((*other, better.distance_m), (section.to, candidate.distance_m))
                    < step_m
            };
            if !candidates.iter().any(is_near) {
                candidates.push((section.to, candidate));
            }
            if candidates.len() >= options.candidates_max {
                break;
            }
        }
        let mut candidates: Vec<Candidate> = candidates.into_iter().map(|it| it.1).collect();
        let sum: f64 = candidates.iter().map(|it| it.likelihood).sum();
        for it in &mut candidates {
            it.likelihood /= sum;
        }
        candidates
    }

    /// The root of the summed squares of the lengths from the station to a place, metres: lines
    /// that are wrong each by itself make distances wrong by so many times their share.
    fn root_of_squares(&self, section: &Section, offset_m: f64) -> f64 {
        let steps = self.way_to(section.from);
        let lengths = steps.windows(2).map(|it| self.distance_m[it[0]] - self.distance_m[it[1]]);
        lengths.chain([offset_m]).map(|metres| metres * metres).sum::<f64>().sqrt()
    }

    /// Metres along the lines between two places, each with the far node of its section and its
    /// distance from the station.
    fn apart_m(&self, one: (usize, f64), other: (usize, f64)) -> f64 {
        let (ways, others) = (self.way_to(one.0), self.way_to(other.0));
        let fork = ways.iter().rev().zip(others.iter().rev()).take_while(|(a, b)| a == b).last();
        let fork_m = fork.map_or(0.0, |(node, _)| self.distance_m[*node]);
        let common_m = if one.0 == other.0 { f64::INFINITY } else { fork_m };
        let common_m = common_m.min(one.1).min(other.1);
        (one.1 - common_m) + (other.1 - common_m)
    }
}

/// The lowest misfit along a line: of the parabola through three places, which become closer.
fn lowest_of(fitter: &Fitter, span: &Span<'_>, draws: &Draws, section: usize) -> Option<Lowest> {
    let (mut share, mut half, mut curvature) = (0.5f64, 0.5, 0.0);
    for round in 0..5 {
        let middle = share.clamp(half, 1.0 - half);
        let at = |share: f64| fitter.at(span, share, draws).map(|it| it.misfit);
        let [low, mid, high] = [at(middle - half)?, at(middle)?, at(middle + half)?];
        curvature = (low - 2.0 * mid + high) / (half * half);
        let slope = (high - low) / (2.0 * half);
        let next = if curvature > 0.0 {
            middle - slope / curvature
        } else if low < high {
            0.0
        } else {
            1.0
        };
        share = next.clamp(0.0, 1.0);
        // What is lowest at an end, far from rising again, is not looked at more closely.
        if round == 0 && !(-1.0..=2.0).contains(&next) {
            break;
        }
        half *= 0.1;
    }
    let fit = fitter.at(span, share, draws)?;
    let (misfit, resistance_ohm) = (fit.misfit, fit.resistance_ohm);
    Some(Lowest { section, share, misfit, resistance_ohm, curvature })
}
