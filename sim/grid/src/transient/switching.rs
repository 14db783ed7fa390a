//! What happens on the way: switches that open and close, faults that begin and end.

use super::Transient;
use super::compile::TransientError;
use super::elements::{Conductance, Taps};
use super::nonlinear::{Arc, Checked, FROM_ZERO, value};
use crate::block::Column;
use crate::network::{NodeId, Wire, Wires};

/// Instants that are closer than this share of a step are the same one.
const SAME: f64 = 1e-6;

/// A smaller current ends at once where its zero is waited for, amperes.
const CHOPPED_A: f64 = 1e-3;

/// What a fault without resistance has, ohm: no current distinguishes it from zero.
const FAULT_OHM_MIN: f64 = 1e-9;

/// And between conductors at least this share of what their node has for a step: beside a larger
/// conductance the matrix would lose the digits of what is between them and earth.
const FAULT_SHARE_MIN: f64 = 1e-9;

/// Which of an element's conductors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pole {
    /// All of them.
    All,
    /// One, from 0, in the order of the element's wires.
    One(usize),
}

/// What a fault connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Each of these wires to earth.
    Ground(Wires),
    /// These wires with each other, and not with earth: two, of which one may be the neutral, or
    /// three phases in star.
    Between(Wires),
}

/// Where a fault is. One along a line is at the node that divides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub NodeId);

/// What happens at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// A switch opens: each pole at the next zero of its current, or at once, which cuts the
    /// current off.
    Open {
        /// Index into the network's switches.
        switch: usize,
        /// Which poles.
        pole: Pole,
        /// Whether it waits for the current's zero.
        at_zero: bool,
    },
    /// A switch closes.
    Close {
        /// Index into the network's switches.
        switch: usize,
        /// Which poles.
        pole: Pole,
    },
    /// A fault begins.
    Fault {
        /// What it is called by when it ends.
        id: u32,
        /// Where.
        place: Place,
        /// What it connects.
        kind: FaultKind,
        /// Of each wire, or from one wire to the other, ohm.
        resistance_ohm: f64,
    },
    /// A fault with an arc begins. What begins at the same instant as something else that is
    /// switched is solved together with it.
    ArcFault {
        /// What it is called by when it ends.
        id: u32,
        /// Where.
        place: Place,
        /// What it connects: any phases to earth, each with an arc of its own, or two phases.
        kind: FaultKind,
        /// What burns there, positive from a wire to earth or to the next wire.
        arc: Arc,
    },
    /// A fault ends: each of its currents at its next zero, as an arc does, or at once.
    Clear {
        /// The fault.
        id: u32,
        /// Whether it waits for the current's zero.
        at_zero: bool,
    },
    /// The voltage behind the impedance of a source.
    SourceVoltage {
        /// Index into the network's sources.
        source: usize,
        /// As a share of what it is described with.
        share: f64,
    },
}

/// A piece of what an advance came by, in which currents go straight.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentPiece {
    /// How long it is.
    pub seconds: f64,
    /// The currents of a switch's poles at its beginning, amperes.
    pub from_a: Vec<f64>,
    /// And at its end.
    pub to_a: Vec<f64>,
}

/// The conductances of a switch.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoleAt {
    pub(super) first: usize,
    pub(super) count: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Switching {
    /// Of each switch.
    pub(super) poles: Vec<PoleAt>,
    faults: Vec<(u32, PoleAt)>,
    /// In the order of their instants.
    queue: Vec<(f64, Action)>,
    /// Conductances that wait for the zero of their current.
    opening: Vec<usize>,
    /// Those of them whose zero came while something else was damped.
    overdue: Vec<usize>,
    /// Conductances that were switched since the matrix was factored.
    pub(super) changed: Vec<usize>,
    /// Whether what is solved is noted in `way`.
    pub(super) notes: bool,
    /// Where the last advance came by, if something was switched in it.
    pub(super) way: Vec<Instant>,
}

/// An instant within an advance.
#[derive(Clone, Debug)]
pub(super) struct Instant {
    time_s: f64,
    /// Whether damping led there, by its current at the end.
    is_damped: bool,
    /// Of all poles of switches, in order.
    poles_a: Vec<f64>,
}

/// What an instant before a step was like.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot<const N: usize> {
    pub(super) time_s: f64,
    voltage_v: Vec<Column<N, f64>>,
    series_a: Vec<Column<N, f64>>,
    coils_a: Vec<f64>,
    /// What drives a branch that bends, and its current.
    pub(super) bends: Vec<(f64, f64)>,
    #[cfg(test)]
    pub(super) counted: Option<super::tests::energy::EnergyCount<N>>,
}

fn check_phases<const N: usize>(
    kind: FaultKind,
    possible: std::ops::RangeInclusive<usize>,
    expected: &'static str,
) -> Checked {
    let (FaultKind::Ground(wires) | FaultKind::Between(wires)) = kind;
    // To the neutral wire goes one phase.
    let is_to_neutral = N > 3 && matches!(kind, FaultKind::Between(_)) && wires.len() == 2;
    let fits = is_to_neutral || !wires.contains(Wire::Neutral);
    let is_good = possible.contains(&wires.len()) && fits;
    value("a fault's number of phases", wires.len() as f64, is_good, expected)
}

impl<const N: usize> Transient<N> {
    /// Orders an action; one of the past happens at once. Those of one instant happen in the order
    /// in which they were given.
    ///
    /// # Errors
    /// If its element is not there, or a figure is none that it can have; nothing is changed then.
    pub fn schedule(&mut self, at_s: f64, action: Action) -> Result<(), TransientError> {
        value("an instant in s", at_s, at_s.is_finite(), "a finite one")?;
        self.check(&action)?;
        let queue = &mut self.switching.queue;
        let place = queue.partition_point(|(other, _)| *other <= at_s);
        queue.insert(place, (at_s, action));
        Ok(())
    }

    /// Does actions at once, whatever flows: what comes next is [`Self::begin`]. What was ordered
    /// and has not happened yet is forgotten.
    ///
    /// # Errors
    /// As [`Self::schedule`]; nothing is changed then.
    pub fn set(&mut self, actions: &[Action]) -> Result<(), TransientError> {
        for action in actions {
            self.check(action)?;
        }
        for action in actions {
            match *action {
                Action::Open { switch, pole, .. } => {
                    self.act(Action::Open { switch, pole, at_zero: false });
                }
                Action::Clear { id, .. } => self.act(Action::Clear { id, at_zero: false }),
                other => self.act(other),
            }
        }
        let Switching { queue, opening, overdue, .. } = &mut self.switching;
        queue.clear();
        opening.clear();
        overdue.clear();
        Ok(())
    }

    /// Whether anything is ordered that has not happened yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let Switching { queue, opening, .. } = &self.switching;
        !queue.is_empty() || !opening.is_empty() || self.is_arc_ending()
    }

    /// Whether a pole of a switch is closed.
    #[must_use]
    pub fn is_closed(&self, switch: usize, pole: usize) -> bool {
        self.pole_at(switch, pole).is_some_and(|it| self.conductances[it].is_closed)
    }

    /// The current through a pole of a switch from its end `from`, amperes.
    #[must_use]
    pub fn switch_current_a(&self, switch: usize, pole: usize) -> f64 {
        self.pole_at(switch, pole).map_or(0.0, |it| self.current_of(it))
    }

    /// The currents of a switch's poles on the way of the last advance, piece by piece: how long
    /// one is in seconds, and from what to what each current goes along a straight line. Where
    /// something was switched there are several, as currents may jump there.
    #[must_use]
    pub fn way_a(&self, switch: usize, (from_s, from_a): (f64, &[f64])) -> Vec<CurrentPiece> {
        let Some(PoleAt { first, count }) = self.switching.poles.get(switch).copied() else {
            return Vec::new();
        };
        let last = Instant {
            time_s: self.time_s,
            is_damped: false,
            poles_a: self.poles_now(first..first + count),
        };
        let mut before = (from_s, from_a.to_vec());
        let noted = self.switching.way.iter().map(|it| (it, first..first + count));
        let mut passed = Vec::new();
        for (it, own) in noted.chain([(&last, 0..count)]) {
            let seconds = it.time_s - before.0;
            let to_a = it.poles_a.get(own).unwrap_or_default().to_vec();
            // Damping draws what flows at its end.
            let from_a = if it.is_damped { to_a.clone() } else { before.1 };
            before = (it.time_s, to_a.clone());
            if seconds > 0.0 {
                passed.push(CurrentPiece { seconds, from_a, to_a });
            }
        }
        passed
    }

    fn poles_now(&self, conductances: std::ops::Range<usize>) -> Vec<f64> {
        conductances.map(|it| self.current_of(it)).collect()
    }

    /// Notes an instant on the way of an advance in which something is switched.
    pub(super) fn note(&mut self, is_damped: bool) {
        if self.switching.notes {
            // The poles of all switches come first, one behind the other.
            let last = self.switching.poles.last().map_or(0, |it| it.first + it.count);
            let first = self.switching.poles.first().map_or(0, |it| it.first);
            let mut poles_a = vec![0.0; first];
            poles_a.extend(self.poles_now(first..last));
            self.switching.way.push(Instant { time_s: self.time_s, is_damped, poles_a });
        }
    }

    /// The currents of a fault, amperes: of each of its wires to earth, or from each to the next.
    #[must_use]
    pub fn fault_currents_a(&self, id: u32) -> Vec<f64> {
        self.fault_at(id).map(|it| self.current_of(it)).collect()
    }

    /// Whether a fault conducts anywhere.
    #[must_use]
    pub fn burns(&self, id: u32) -> bool {
        self.fault_at(id).any(|it| {
            let own = &self.conductances[it];
            own.bend.map_or(own.is_closed, |bend| self.bends[bend].burns(own))
        })
    }

    /// The conductances of a fault, the last that began under its number.
    pub(super) fn fault_at(&self, id: u32) -> std::ops::Range<usize> {
        let found = self.switching.faults.iter().rev().find(|(own, _)| *own == id);
        found.map_or(0..0, |(_, at)| at.first..at.first + at.count)
    }

    pub(super) fn pole_at(&self, switch: usize, pole: usize) -> Option<usize> {
        let at = self.switching.poles.get(switch).filter(|it| pole < it.count)?;
        Some(at.first + pole)
    }

    fn current_of(&self, conductance: usize) -> f64 {
        let it = &self.conductances[conductance];
        if let Some(bend) = it.bend {
            return self.bends[bend].current_a;
        }
        if it.is_closed { it.siemens * it.taps.across(&self.voltage_v) } else { 0.0 }
    }

    fn check(&self, action: &Action) -> Result<(), TransientError> {
        let place = |what, place, count| {
            if place < count { Ok(()) } else { Err(TransientError::Place { what, place, count }) }
        };
        match *action {
            Action::Open { switch, pole, .. } | Action::Close { switch, pole } => {
                place("switch", switch, self.switching.poles.len())?;
                let poles = self.switching.poles[switch].count;
                if let Pole::One(pole) = pole { place("pole", pole, poles) } else { Ok(()) }
            }
            Action::ArcFault { place: Place(node), kind, arc, .. } => {
                place("node", node.index(), self.names.nodes.len())?;
                let (least, most) = if let FaultKind::Between(_) = kind { (2, 2) } else { (1, 3) };
                check_phases::<N>(kind, least..=most, "1 to 3 to earth, or 2 between, for an arc")?;
                arc.check()
            }
            Action::Fault { place: Place(node), kind, resistance_ohm: found, .. } => {
                place("node", node.index(), self.names.nodes.len())?;
                let least = if matches!(kind, FaultKind::Between(_)) { 2 } else { 1 };
                check_phases::<N>(kind, least..=3, "1 to 3 to earth, 2 or 3 between")?;
                let is_good = found.is_finite() && found >= 0.0;
                value("a fault's resistance in ohm", found, is_good, FROM_ZERO)
            }
            Action::SourceVoltage { source, share: found } => {
                let count = self.sources.iter().map(|it| it.source + 1).max().unwrap_or(0);
                place("source", source, count)?;
                let is_good = found.is_finite() && found >= 0.0;
                value("a source's voltage as a share", found, is_good, FROM_ZERO)
            }
            Action::Clear { .. } => Ok(()),
        }
    }

    /// Whether something may happen until an instant.
    pub(super) fn is_watched(&self, until_s: f64) -> bool {
        let Switching { queue, opening, .. } = &self.switching;
        !opening.is_empty() || queue.first().is_some_and(|(at_s, _)| *at_s <= until_s)
    }

    /// A step in which something may happen.
    pub(super) fn advance_with_switching(&mut self, until_s: f64) -> Result<(), TransientError> {
        let from_s = self.time_s;
        let is_due = self.switching.queue.first().is_some_and(|(at_s, _)| *at_s <= from_s);
        if is_due || !self.switching.overdue.is_empty() {
            // It is due where the step begins: nothing has to be found.
            return self.switch_now();
        }
        let before = self.snapshot();
        self.step(until_s)?;
        let zeros = self.zeros(&before);
        let zero = zeros.iter().map(|(share, _)| *share).reduce(f64::min);
        // It may be longer, to the end of a damping.
        let length_s = self.time_s - from_s;
        let due =
            self.switching.queue.first().map(|(at_s, _)| ((at_s - from_s) / length_s).max(0.0));
        let due = due.filter(|share| *share <= 1.0);
        let Some(share) = zero.into_iter().chain(due).reduce(f64::min) else {
            self.spare = Some(before);
            return Ok(());
        };
        self.go_back(&before, share, from_s + share * length_s);
        self.spare = Some(before);
        self.switching.notes = true;
        self.note(false);
        for (_, conductance) in zeros.into_iter().filter(|(at, _)| *at <= share + SAME) {
            self.switched(conductance, false);
            self.switching.opening.retain(|other| *other != conductance);
        }
        self.switch_now()
    }

    /// Does what is due now, and goes on to the end of the damping.
    fn switch_now(&mut self) -> Result<(), TransientError> {
        for conductance in std::mem::take(&mut self.switching.overdue) {
            self.switched(conductance, false);
            self.switching.opening.retain(|other| *other != conductance);
        }
        let now_s = self.time_s + SAME * self.step_s;
        while self.switching.queue.first().is_some_and(|(at_s, _)| *at_s <= now_s) {
            let (_, action) = self.switching.queue.remove(0);
            self.act(action);
        }
        self.switchings += 1;
        self.refactor_after_switching()?;
        let first = self.across_opening();
        self.switching.notes = true;
        for _ in 0..self.damped_steps {
            self.damp()?;
        }
        self.switching.notes = false;
        let both = first.into_iter().zip(self.across_opening());
        let passed =
            both.zip(&self.switching.opening).filter(|((first, last), _)| first * last < 0.0);
        self.switching.overdue = passed.map(|(_, conductance)| *conductance).collect();
        Ok(())
    }

    /// Factors again what was switched since.
    pub(super) fn refactor_after_switching(&mut self) -> Result<(), TransientError> {
        let changed = std::mem::take(&mut self.switching.changed);
        self.refactor_changed(&changed)
    }

    /// As it is now, in the room of one that is not needed any more, if there is such.
    pub(super) fn snapshot(&mut self) -> Snapshot<N> {
        let mut it = self.spare.take().unwrap_or_default();
        it.time_s = self.time_s;
        it.voltage_v.clone_from(&self.voltage_v);
        it.series_a.clear();
        it.series_a.extend(self.series.iter().map(|it| it.current_a));
        it.coils_a.clear();
        it.coils_a.extend(self.coils.iter().map(|it| it.current_a));
        it.bends.clear();
        it.bends.extend(self.bends.iter().map(|it| (it.driver, it.current_a)));
        #[cfg(test)]
        {
            it.counted = self.counted();
        }
        it
    }

    /// The voltages across what waits for its zero, of the sign of its current.
    fn across_opening(&self) -> Vec<f64> {
        let opening = self.switching.opening.iter();
        opening.map(|it| self.conductances[*it].taps.across(&self.voltage_v)).collect()
    }

    /// Which of the currents that are waited for have their zero in the step, as a share of it.
    fn zeros(&self, before: &Snapshot<N>) -> Vec<(f64, usize)> {
        let zero = |&conductance: &usize| {
            let taps = &self.conductances[conductance].taps;
            let (first, last) = (taps.across(&before.voltage_v), taps.across(&self.voltage_v));
            let share = if first == last { 0.0 } else { first / (first - last) };
            // What is next to nothing, as a trapped charge leaves it, is chopped off at the end.
            let is_chopped = (self.conductances[conductance].siemens * last).abs() < CHOPPED_A;
            if first * last <= 0.0 {
                Some((share, conductance))
            } else {
                is_chopped.then_some((1.0, conductance))
            }
        };
        self.switching.opening.iter().filter_map(zero).collect()
    }

    /// Back to an instant between the beginning of a step and its end.
    pub(super) fn go_back(&mut self, before: &Snapshot<N>, share: f64, at_s: f64) {
        let at = |first: f64, last: f64| first + (last - first) * share;
        let between = |first: &Column<N, f64>, last: &Column<N, f64>| -> Column<N, f64> {
            std::array::from_fn(|k| at(first[k], last[k]))
        };
        for (now, before) in self.voltage_v.iter_mut().zip(&before.voltage_v) {
            *now = between(before, now);
        }
        for (now, before) in self.series.iter_mut().zip(&before.series_a) {
            now.current_a = between(before, &now.current_a);
        }
        for (now, before) in self.coils.iter_mut().zip(&before.coils_a) {
            now.current_a = at(*before, now.current_a);
        }
        for (now, before) in self.bends.iter_mut().zip(&before.bends) {
            now.driver = at(before.0, now.driver);
            now.current_a = at(before.1, now.current_a);
        }
        self.time_s = at_s;
        #[cfg(test)]
        self.book_part(before);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Open { switch, pole, at_zero } => {
                for conductance in self.chosen(switch, pole) {
                    self.open(conductance, at_zero);
                }
            }
            Action::Close { switch, pole } => {
                for conductance in self.chosen(switch, pole) {
                    self.switched(conductance, true);
                    self.switching.opening.retain(|other| *other != conductance);
                }
            }
            Action::Fault { id, place, kind, resistance_ohm } => {
                self.begin_fault(id, place, kind, resistance_ohm.max(FAULT_OHM_MIN));
            }
            Action::ArcFault { id, place, kind, arc } => self.begin_arc_fault(id, place, kind, arc),
            Action::Clear { id, at_zero } => {
                let of = self.switching.faults.iter().filter(|(own, _)| *own == id);
                let all: Vec<usize> =
                    of.flat_map(|(_, at)| at.first..at.first + at.count).collect();
                for conductance in all {
                    self.open(conductance, at_zero);
                }
            }
            Action::SourceVoltage { source, share } => {
                for it in self.sources.iter_mut().filter(|it| it.source == source) {
                    it.share = share;
                }
            }
        }
    }

    fn chosen(&self, switch: usize, pole: Pole) -> std::ops::Range<usize> {
        let PoleAt { first, count } = self.switching.poles[switch];
        match pole {
            Pole::All => first..first + count,
            Pole::One(pole) => first + pole..first + pole + 1,
        }
    }

    fn open(&mut self, conductance: usize, at_zero: bool) {
        if self.end_arc(conductance, at_zero) {
            return;
        }
        if !self.conductances[conductance].is_closed {
            return;
        }
        if at_zero {
            if !self.switching.opening.contains(&conductance) {
                self.switching.opening.push(conductance);
            }
        } else {
            self.switched(conductance, false);
        }
    }

    pub(super) fn switched(&mut self, conductance: usize, is_closed: bool) {
        self.conductances[conductance].is_closed = is_closed;
        self.switching.changed.push(conductance);
    }

    fn begin_fault(&mut self, id: u32, Place(node): Place, kind: FaultKind, resistance_ohm: f64) {
        let first = self.conductances.len();
        let (FaultKind::Ground(own) | FaultKind::Between(own)) = kind;
        let own = own.iter().map(|wire| self.siemens_at(node.0, wire.index()));
        let least_ohm = FAULT_SHARE_MIN / own.fold(0.0, f64::max);
        let mut add = |from: Wire, to: Option<Wire>, resistance_ohm: f64| {
            let taps = Taps::between((node.0, from.index()), to.map(|it| (node.0, it.index())));
            let siemens = 1.0 / resistance_ohm;
            self.switched.push(self.conductances.len());
            self.conductances.push(Conductance::switched(taps, siemens, true));
        };
        match kind {
            FaultKind::Ground(wires) => {
                wires.iter().for_each(|wire| add(wire, None, resistance_ohm));
            }
            FaultKind::Between(wires) => {
                let wires: Vec<Wire> = wires.iter().collect();
                // A star of three is a delta of three times its resistance.
                let pairs = if wires.len() == 2 { 1 } else { 3 };
                let resistance_ohm = resistance_ohm.max(least_ohm) * pairs as f64;
                for pair in 0..pairs {
                    add(wires[pair], Some(wires[(pair + 1) % wires.len()]), resistance_ohm);
                }
            }
        }
        self.call_fault(id, first);
    }

    /// What a step sees at a wire of a node, siemens: of all that is connected to it there.
    fn siemens_at(&self, node: u32, wire: usize) -> f64 {
        let fixed = self.fixed.diagonal(&self.symbolic, node)[wire][wire];
        let switched = self.switched.iter().map(|at| &self.conductances[*at]);
        let turns = switched
            .filter(|it| it.is_closed)
            .map(|it| it.siemens * it.taps.turns_at(node, wire).powi(2));
        turns.fold(fixed, |sum, siemens| sum + siemens)
    }

    fn begin_arc_fault(&mut self, id: u32, Place(node): Place, kind: FaultKind, arc: Arc) {
        let first = self.conductances.len();
        match kind {
            FaultKind::Ground(wires) => {
                for wire in wires.iter() {
                    self.begin_arc(Taps::between((node.0, wire.index()), None), arc);
                }
            }
            FaultKind::Between(wires) => {
                let mut at = wires.iter().map(|wire| (node.0, wire.index()));
                if let Some(from) = at.next() {
                    self.begin_arc(Taps::between(from, at.next()), arc);
                }
            }
        }
        self.call_fault(id, first);
    }

    /// What was added since is the fault of this name.
    fn call_fault(&mut self, id: u32, first: usize) {
        let count = self.conductances.len() - first;
        self.switching.changed.extend(first..first + count);
        self.switching.faults.push((id, PoleAt { first, count }));
    }
}
