//! The household in the aggregator: its readings in, what it wants as outputs of the gateway, and
//! when the plant is to have followed.
//!
//! The plant follows a switching unit when everything is settled, and whoever moves the bench asks
//! for the next such instant when it has come to one. So instants are named ahead: one after each
//! poll, at its due time plus what the last one took (a quarter more, and 20 ms). Decisions of
//! a poll are made when it has ended, and its orders leave right behind that instant. While orders
//! are open, or a poll takes longer than that, another one comes every 100 ms; so a load is
//! off in the plant at most that long after its node has answered. Orders by hand leave at once.

use lastmeter_units::{SimDuration, SimTime};

use super::machine::Parts;
use super::poll::Master;
use crate::gateway::{GatewayEventKind as Kind, GatewayOutput, Out, event, event_about};
use crate::household::Effect;

/// How far apart instants are while orders are open.
const OPEN_EVERY: SimDuration = SimDuration::from_milliseconds(100);
/// So long before such an instant the next one is looked for, and behind it orders leave.
const BESIDE: SimDuration = SimDuration::from_milliseconds(1);
/// A reading that is closed within that of its due time counts at it.
const ON_TIME: SimDuration = SimDuration::from_seconds(1);

/// When the plant is to settle.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// The next instant; `None`: nothing is ever switched.
    at: Option<SimTime>,
    /// What the last poll took.
    last_poll: Option<SimDuration>,
    /// Orders that are not answered.
    open: usize,
}

impl Settling {
    pub(super) const fn at(&self) -> Option<SimTime> {
        self.at
    }

    /// When the next instant is to be looked for.
    pub(super) fn wake_at(&self) -> Option<SimTime> {
        self.at.map(|at| at - BESIDE)
    }

    /// Looks for the next instant, if the one before is at hand.
    pub(super) fn look(&mut self, now: SimTime, masters: &[Master]) {
        if self.at.is_some_and(|at| now < at - BESIDE) {
            return;
        }
        let after_poll = || {
            let first = || masters.iter().map(Master::poll_time).max().unwrap_or_default();
            let time = self.last_poll.unwrap_or_else(first);
            let due = masters.iter().map(Master::next_poll).min()?;
            Some(due + SimDuration(time.0 / 4 * 5) + BESIDE * 20)
        };
        self.at = if self.open > 0 || masters.iter().any(Master::is_polling) {
            Some(self.at.unwrap_or(now).max(now) + OPEN_EVERY)
        } else {
            after_poll().map(|at| at.max(now + BESIDE * 2))
        };
    }

    /// One more order is open; when it may leave.
    fn release_at(&mut self, now: SimTime, is_at_once: bool) -> SimTime {
        self.open += 1;
        let soon = now + OPEN_EVERY;
        if is_at_once {
            self.at = Some(self.at.map_or(soon, |at| at.min(soon)));
            return now;
        }
        self.at.map_or(now, |at| at + BESIDE).max(now)
    }
}

/// When a reading counts: at the due time of its poll, if it was closed soon after it.
pub(super) fn counts_at(due: SimTime, closed_at: SimTime) -> SimTime {
    if closed_at - due <= ON_TIME { due } else { closed_at }
}

/// A poll of a network has ended; when all have, the household decides.
pub(super) fn ended(
    parts: &mut Parts,
    settling: &mut Settling,
    (now, due): (SimTime, SimTime),
    out: &mut Out,
) {
    settling.last_poll = Some(now - due);
    let mut effects = Vec::new();
    if let Some(household) = &mut parts.household {
        household.polled(now, &mut effects);
    }
    apply(parts, settling, (now, false), effects, out);
}

/// A switching unit has answered with its state, or not at all.
pub(super) fn switched(
    parts: &mut Parts,
    settling: &mut Settling,
    now: SimTime,
    (network, place, state): (usize, usize, Option<bool>),
    out: &mut Out,
) {
    settling.open = settling.open.saturating_sub(1);
    let node = parts.masters.get(network).and_then(|master| master.nodes.get(place));
    let Some(id) = node.map(|node| node.id.clone()) else { return };
    if state.is_none() {
        let detail = format!("{id}: no answer to an order of its switching unit");
        event_about(out, Some(id.clone()), Kind::SwitchUnanswered, detail);
    }
    let mut effects = Vec::new();
    if let Some(household) = &mut parts.household {
        household.switched(id.as_str(), state, &mut effects);
    }
    apply(parts, settling, (now, false), effects, out);
}

/// Does what the household wants; orders by hand leave at once.
pub(super) fn apply(
    parts: &mut Parts,
    settling: &mut Settling,
    (now, is_at_once): (SimTime, bool),
    effects: Vec<Effect>,
    out: &mut Out,
) {
    let Parts { hardware_id, masters, store, .. } = parts;
    for effect in effects {
        match effect {
            Effect::Request(request) => out.push(GatewayOutput::Request(request)),
            Effect::Keep(name, bytes) => store.keep_part(name, bytes, out),
            Effect::Alert(alert) => {
                let about = (hardware_id.clone(), store.meter(hardware_id));
                store.put_alert((hardware_id, now), alert, about, out);
            }
            Effect::Switch { device, is_closed } => {
                let place = masters.iter().enumerate().find_map(|(network, master)| {
                    let mut nodes = master.nodes.iter();
                    Some((network, nodes.position(|node| node.id.as_str() == device)?))
                });
                let Some((network, place)) = place else { continue };
                let release_at = settling.release_at(now, is_at_once);
                if let Some(master) = masters.get_mut(network) {
                    master.switch(place, is_closed, release_at);
                }
            }
            Effect::Page { number, answer } => out.push(GatewayOutput::Page { number, answer }),
            Effect::PageRefused(detail) => event(out, Kind::PageRefused, detail),
            Effect::Open(detail) => event(out, Kind::StepOpen, detail),
            Effect::Refused(detail) => event(out, Kind::InputRefused, detail),
            Effect::Decided(decided) => out.push(GatewayOutput::Decided(decided)),
            Effect::Billed(billed) => out.push(GatewayOutput::Billed(billed)),
        }
    }
}

#[cfg(test)]
#[path = "household_tests.rs"]
mod tests;
