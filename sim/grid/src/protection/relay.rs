//! Overcurrent relays.

use super::{Action, Currents, Curve, passes, points};

/// The current that an element measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// That of a phase, from 0.
    Phase(u8),
    /// The residual current 3I0.
    Earth,
}

impl Quantity {
    fn of(self, currents: &Currents) -> f64 {
        match self {
            Self::Phase(phase) => currents.phases_a[usize::from(phase)],
            Self::Earth => currents.residual_a,
        }
    }
}

/// That a relay trips, and by which element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// What the element measures.
    pub quantity: Quantity,
    /// Its stage, from 0, among those of the phases or of the earth current.
    pub stage: usize,
}

/// An overcurrent relay with stages for the phase currents and for the residual current: each an
/// inverse-time curve, or a definite time.
///
/// Each stage has an element per phase. An element integrates `dt / t(I)`, as a disc travels, and
/// trips at one; so a changing current is seen to. It resets at once while its current is not above
/// the pick-up current: it trips once, and again only after that. A fault in three phases makes one
/// trip for each, at one instant.
#[derive(Clone, Debug)]
pub struct Relay {
    pub(super) elements: Vec<Element>,
}

#[derive(Clone, Debug)]
pub(super) struct Element {
    curve: Curve,
    names: Trip,
    /// Of the travel to the trip, from 0 to 1.
    pub(super) share: f64,
    tripped: bool,
}

impl Relay {
    /// A relay of stages for each phase current and for the residual current.
    pub fn new(phase: &[Curve], earth: &[Curve]) -> Self {
        let mut elements = Vec::with_capacity(3 * phase.len() + earth.len());
        let mut add = |quantity, stage: usize, curve: &Curve| {
            let (curve, names) = (curve.clone(), Trip { quantity, stage });
            elements.push(Element { curve, names, share: 0.0, tripped: false });
        };
        for (stage, curve) in phase.iter().enumerate() {
            (0..3).map(Quantity::Phase).for_each(|quantity| add(quantity, stage, curve));
        }
        for (stage, curve) in earth.iter().enumerate() {
            add(Quantity::Earth, stage, curve);
        }
        Self { elements }
    }

    /// Whether a current is above the pick-up current of a stage.
    pub fn is_picked_up(&self, currents: &Currents) -> bool {
        self.elements.iter().any(|it| it.time(currents).is_some())
    }

    /// Forgets all travel.
    pub fn reset(&mut self) {
        for element in &mut self.elements {
            (element.share, element.tripped) = (0.0, false);
        }
    }

    /// The time in seconds to trip at a constant current in amperes, in a phase or, with `earth`,
    /// as residual current; by the fastest stage.
    pub fn operating_time(&self, current_a: f64, earth: bool) -> Option<f64> {
        let measures = move |it: &&Element| (it.names.quantity == Quantity::Earth) == earth;
        let times = self.elements.iter().filter(measures);
        times.filter_map(|it| it.curve.operating_time(current_a)).min_by(f64::total_cmp)
    }

    /// Points of the operating time for drawing, as [`Curve::points`].
    pub fn points(
        &self,
        from_a: f64,
        to_a: f64,
        earth: bool,
    ) -> impl Iterator<Item = (f64, f64)> + '_ {
        let corners = self.elements.iter().flat_map(|it| it.curve.corners_a()).collect();
        points(from_a, to_a, corners, move |current_a| self.operating_time(current_a, earth))
    }

    /// The time in seconds until it trips if the currents stay.
    pub fn due_in(&self, currents: &Currents) -> Option<f64> {
        self.first(currents).map(|(_, due_s)| due_s)
    }

    /// The first element to trip if the currents stay, and when; of several, the first in order.
    fn first(&self, currents: &Currents) -> Option<(usize, f64)> {
        let due = |(at, it): (usize, &Element)| Some((at, it.due_in(currents)?));
        let all = self.elements.iter().enumerate().filter_map(due);
        all.min_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// A step of `dt_s` seconds with constant currents.
    pub fn step(&mut self, dt_s: f64, currents: &Currents) -> Option<Action<Trip>> {
        if !passes(dt_s) {
            return None;
        }
        let first = self.first(currents).filter(|(_, due_s)| *due_s <= dt_s);
        let until_s = first.map_or(dt_s, |(_, due_s)| due_s);
        for element in &mut self.elements {
            element.advance(until_s, currents);
        }
        let (at, after_s) = first?;
        let element = &mut self.elements[at];
        (element.share, element.tripped) = (1.0, true);
        Some(Action { after_s, event: element.names })
    }
}

impl Element {
    fn time(&self, currents: &Currents) -> Option<f64> {
        self.curve.operating_time(self.names.quantity.of(currents))
    }

    fn due_in(&self, currents: &Currents) -> Option<f64> {
        let time = self.time(currents).filter(|_| !self.tripped)?;
        Some((1.0 - self.share).max(0.0) * time)
    }

    fn advance(&mut self, dt_s: f64, currents: &Currents) {
        if dt_s <= 0.0 || self.names.quantity.of(currents).is_nan() {
            return;
        }
        if let Some(time) = self.time(currents) {
            self.share = (self.share + dt_s / time).min(1.0);
        } else {
            (self.share, self.tripped) = (0.0, false);
        }
    }
}
