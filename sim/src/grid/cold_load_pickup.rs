//! Loads that come back otherwise than by their profiles: those that have lost their diversity
//! during an outage (cold-load pickup), and generators that ramp up after a reconnection.
//!
//! Of each part of a load the share `x` of its diversity that is lost goes towards 1 with one time
//! constant while it has no voltage, and back to 0 with another while it has; it draws
//! `1 + (k - 1) x` times its profile. After one outage of the length d that is
//! `1 + (k - 1) (1 - exp(-d / lost)) exp(-t / decay)`.

use lastmeter_grid::motion::{LiveParts, Operation, Segment, SegmentContent};
use lastmeter_grid::network::Network;
use lastmeter_units::SimDuration;

use super::network_timeline::{DynamicNetworkSetup, changed_before};

/// A timeline is followed by pieces of a time constant, or of a ramp, divided by this.
const PIECES: i64 = 40;

/// Of less than this share of a load the pieces are those of the steps.
const LEAST: f64 = 1e-3;

/// What an outage does to a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pickup {
    /// How many times its profile a load draws right after a very long outage.
    pub factor: f64,
    /// The time constant with which diversity is lost without supply.
    pub lost: SimDuration,
    /// The time constant with which it comes back.
    pub decay: SimDuration,
}

fn ratio(time: SimDuration, constant: SimDuration) -> f64 {
    time.as_seconds_f64() / constant.as_seconds_f64()
}

/// A load that may come back otherwise.
#[derive(Clone, Debug)]
struct RecoveringLoad {
    load: usize,
    pickup: Option<Pickup>,
    /// The protection that reconnects it, and how long its power rises then.
    ramp: Option<(Box<str>, SimDuration)>,
    live: LiveParts,
    /// Of each part the share of its diversity that is lost.
    lost: [f64; 3],
    reconnected: Option<SimDuration>,
}

/// All such loads of a network, at an instant.
#[derive(Clone, Debug)]
pub(super) struct LoadRecovery {
    loads: Vec<RecoveringLoad>,
    at: SimDuration,
    /// How many segments and operations were followed.
    segments: usize,
    operations: usize,
}

impl LoadRecovery {
    pub(super) fn new(wanted: &DynamicNetworkSetup) -> Self {
        let mut loads: Vec<RecoveringLoad> = Vec::new();
        let new = |load: usize| RecoveringLoad {
            load,
            pickup: None,
            ramp: None,
            live: [true; 3],
            lost: [0.0; 3],
            reconnected: None,
        };
        for (load, pickup) in wanted.pickups.iter().enumerate() {
            if pickup.is_some() {
                loads.push(RecoveringLoad { pickup: *pickup, ..new(load) });
            }
        }
        for it in &wanted.protectors {
            let (Some(load), ramp_s) = (it.device.load(), it.device.ramp_s()) else { continue };
            if ramp_s <= 0.0 {
                continue;
            }
            let ramp = Some((it.name.clone(), SimDuration((ramp_s * 1e9).round() as i64)));
            match loads.iter_mut().find(|own| own.load == load) {
                Some(own) => own.ramp = ramp,
                None => loads.push(RecoveringLoad { ramp, ..new(load) }),
            }
        }
        Self { loads, at: SimDuration::ZERO, segments: 0, operations: 0 }
    }

    /// Of each load whether it is such.
    pub(super) fn of_loads(&self, count: usize) -> Vec<bool> {
        let mut all = vec![false; count];
        for own in &self.loads {
            all[own.load] = true;
        }
        all
    }

    /// Follows what was played until an instant, from the last segment and operation that were
    /// followed on; `live` is what there is then.
    pub(super) fn follow(
        &mut self,
        (segments, operations): (&[Segment], &[Operation]),
        live: &[LiveParts],
        until: SimDuration,
    ) {
        if self.loads.is_empty() {
            return;
        }
        for operation in &operations[self.operations..] {
            let is_closed = operation.kind == lastmeter_grid::motion::OperationKind::Closed;
            let meant = |own: &&mut RecoveringLoad| {
                own.ramp.as_ref().is_some_and(|(name, _)| *name == operation.element)
            };
            for own in self.loads.iter_mut().filter(meant).filter(|_| is_closed) {
                own.reconnected = Some(SimDuration(operation.at_ns));
            }
        }
        // One may have been replaced by a later one of the same instant.
        for at in self.segments.saturating_sub(1)..segments.len() {
            match &segments[at].what {
                SegmentContent::Steady { supply, .. } => {
                    let from_ns = segments[at].from_ns;
                    let before = &segments[..at];
                    self.advance(SimDuration(changed_before(before, operations, from_ns)));
                    self.take(&supply.parts);
                }
                SegmentContent::Waveforms(waves) => {
                    for supply in &waves.supply {
                        self.advance(SimDuration(supply.from_ns));
                        self.take(&supply.parts);
                    }
                }
            }
        }
        self.advance(SimDuration(changed_before(segments, operations, until.0)));
        self.take(live);
        self.advance(until);
        (self.segments, self.operations) = (segments.len(), operations.len());
    }

    fn take(&mut self, live: &[LiveParts]) {
        for own in &mut self.loads {
            own.live = live.get(own.load).copied().unwrap_or([true; 3]);
        }
    }

    fn advance(&mut self, until: SimDuration) {
        let length = until - self.at;
        if length.0 <= 0 {
            return;
        }
        for own in &mut self.loads {
            let Some(pickup) = own.pickup else { continue };
            for (lost, is_live) in own.lost.iter_mut().zip(own.live) {
                *lost = if is_live {
                    *lost * libm::exp(-ratio(length, pickup.decay))
                } else {
                    1.0 - (1.0 - *lost) * libm::exp(-ratio(length, pickup.lost))
                };
            }
        }
        self.at = until;
    }

    /// The end of the piece that begins at an instant: at most a later one.
    pub(super) fn piece(&self, from: SimDuration, to: SimDuration) -> SimDuration {
        let each = self.loads.iter().filter_map(|own| own.piece(from));
        each.fold(to, |first, it| first.min(from + it))
    }

    /// Gives loads the mean of what they draw over a piece, as far as it is not what their profiles
    /// give; those without voltage what they would draw if they came back at its beginning.
    pub(super) fn scale(&self, network: &mut Network, (from, to): (SimDuration, SimDuration)) {
        for own in &self.loads {
            let Some(load) = network.loads.get_mut(own.load) else { continue };
            let ramp = own.ramp_share(from, to);
            for (part, power_va) in load.power_va.iter_mut().enumerate() {
                // What is delivered has no diversity.
                let pickup = if power_va.re > 0.0 { own.factor(part, to - from) } else { 1.0 };
                *power_va *= pickup * ramp;
            }
        }
    }
}

impl RecoveringLoad {
    /// The length of a piece over which its power is nearly the same, while it goes on changing.
    fn piece(&self, from: SimDuration) -> Option<SimDuration> {
        let part = |length: SimDuration| SimDuration((length.0 / PIECES).max(1));
        let pickup = self.pickup.filter(|pickup| {
            let most = self.lost.iter().zip(self.live).filter(|it| it.1).map(|it| *it.0);
            most.fold(0.0, f64::max) * (pickup.factor - 1.0).abs() > LEAST
        });
        let ramp = self.ramp.as_ref().map(|(_, length)| *length);
        let rises = |length: &SimDuration| self.reconnected.is_some_and(|it| from < it + *length);
        let pickup = pickup.map(|it| part(it.decay));
        pickup.into_iter().chain(ramp.filter(rises).map(part)).min()
    }

    /// The mean over a piece that begins now.
    fn factor(&self, part: usize, length: SimDuration) -> f64 {
        let Some(pickup) = self.pickup else { return 1.0 };
        let (lost, over) = (self.lost[part.min(2)], ratio(length, pickup.decay));
        let mean =
            if self.live[part.min(2)] && over > 0.0 { -libm::expm1(-over) / over } else { 1.0 };
        1.0 + (pickup.factor - 1.0) * lost * mean
    }

    /// The mean share of its power that a ramp leaves over a piece.
    fn ramp_share(&self, from: SimDuration, to: SimDuration) -> f64 {
        let (Some((_, length)), Some(begun)) = (&self.ramp, self.reconnected) else { return 1.0 };
        // The integral of the share since the ramp began, in lengths of it.
        let integral = |at: SimDuration| match ratio(at - begun, *length).max(0.0) {
            share @ ..1.0 => 0.5 * share * share,
            share => share - 0.5,
        };
        let over = ratio(to - from, *length);
        if over > 0.0 { ((integral(to) - integral(from)) / over).min(1.0) } else { 1.0 }
    }
}
