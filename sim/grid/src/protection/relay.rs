//! Overcurrent relays.

use super::{Action, Currents, Curve, SettingError, not_negative, passes, points};

/// How an element resets while its current is not above the pick-up current.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reset {
    /// At once.
    Instantaneous,
    /// After this time in seconds in a row; until then it keeps what it has. It is to be shorter
    /// than the dead time of reclosing, else the next fault trips at once.
    After(f64),
    /// As a disc that travels back, by the curve's reset time.
    Inverse,
}

/// One stage of a relay: an inverse-time curve, or a definite time.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    curve: Curve,
    reset: Reset,
}

impl Stage {
    /// A stage with its curve and reset.
    ///
    /// # Errors
    /// If a reset time is negative, or the curve has none for an inverse reset.
    pub fn new(curve: Curve, reset: Reset) -> Result<Self, SettingError> {
        match reset {
            Reset::After(time_s) => not_negative("reset time in s", time_s)?,
            Reset::Inverse if curve.reset_time(0.0).is_none() => {
                let expected = "a curve with a reset time (IEEE C37.112, or own constants)";
                return Err(SettingError::new(
                    "curve of an inverse reset",
                    &"without one",
                    expected,
                ));
            }
            Reset::Instantaneous | Reset::Inverse => {}
        }
        Ok(Self { curve, reset })
    }
}

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

/// An overcurrent relay with stages for the phase currents and for the residual current.
///
/// Each stage has an element per phase. An element integrates `dt / t(I)`, as a disc travels, and
/// trips at one; so a changing current is seen to. It trips once, and again only after its current
/// was below the pick-up current. A fault in three phases makes one trip for each, at one instant.
#[derive(Clone, Debug)]
pub struct Relay {
    elements: Vec<Element>,
}

#[derive(Clone, Debug)]
struct Element {
    stage: Stage,
    names: Trip,
    /// Of the travel to the trip, from 0 to 1.
    share: f64,
    below_s: f64,
    tripped: bool,
}

impl Relay {
    /// A relay of stages for each phase current and for the residual current.
    pub fn new(phase: &[Stage], earth: &[Stage]) -> Self {
        let element = |stage: &Stage, names| {
            let stage = stage.clone();
            Element { stage, names, share: 0.0, below_s: 0.0, tripped: false }
        };
        let mut elements = Vec::with_capacity(3 * phase.len() + earth.len());
        for (number, stage) in phase.iter().enumerate() {
            for quantity in (0..3).map(Quantity::Phase) {
                elements.push(element(stage, Trip { quantity, stage: number }));
            }
        }
        for (number, stage) in earth.iter().enumerate() {
            elements.push(element(stage, Trip { quantity: Quantity::Earth, stage: number }));
        }
        Self { elements }
    }

    /// Whether a current is above the pick-up current of a stage.
    pub fn is_picked_up(&self, currents: &Currents) -> bool {
        self.elements.iter().any(|it| it.time(currents).is_some())
    }

    /// The furthest travel of its elements, from 0 to 1 (tripped).
    pub fn share(&self) -> f64 {
        self.elements.iter().fold(0.0, |most, it| it.share.max(most))
    }

    /// Forgets all travel.
    pub fn reset(&mut self) {
        for element in &mut self.elements {
            (element.share, element.below_s, element.tripped) = (0.0, 0.0, false);
        }
    }

    /// The time in seconds to trip at a constant current in amperes, in a phase or, with `earth`,
    /// as residual current; by the fastest stage.
    pub fn operating_time(&self, current_a: f64, earth: bool) -> Option<f64> {
        let measures = move |it: &&Element| (it.names.quantity == Quantity::Earth) == earth;
        let times = self.elements.iter().filter(measures);
        times.filter_map(|it| it.stage.curve.operating_time(current_a)).min_by(f64::total_cmp)
    }

    /// Points of the operating time for drawing, as [`Curve::points`].
    pub fn points(
        &self,
        from_a: f64,
        to_a: f64,
        earth: bool,
    ) -> impl Iterator<Item = (f64, f64)> + '_ {
        let corners = self.elements.iter().flat_map(|it| it.stage.curve.corners_a()).collect();
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
        self.stage.curve.operating_time(self.names.quantity.of(currents))
    }

    fn due_in(&self, currents: &Currents) -> Option<f64> {
        let time = self.time(currents).filter(|_| !self.tripped)?;
        Some((1.0 - self.share).max(0.0) * time)
    }

    fn advance(&mut self, dt_s: f64, currents: &Currents) {
        let current = self.names.quantity.of(currents);
        if dt_s <= 0.0 || current.is_nan() {
            return;
        }
        if let Some(time) = self.time(currents) {
            self.below_s = 0.0;
            self.share = (self.share + dt_s / time).min(1.0);
            return;
        }
        self.tripped = false;
        self.below_s += dt_s;
        match self.stage.reset {
            Reset::Instantaneous => self.share = 0.0,
            Reset::After(time_s) if self.below_s >= time_s => self.share = 0.0,
            Reset::After(_) => {}
            Reset::Inverse => {
                let time = self.stage.curve.reset_time(current);
                self.share = (self.share - time.map_or(0.0, |time| dt_s / time)).max(0.0);
            }
        }
    }
}
