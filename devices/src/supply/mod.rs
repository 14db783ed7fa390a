//! The supply of a meter that lives on the voltage it measures.
//!
//! While the voltage is there the meter is *energised*. When it falls away, a capacitor carries the
//! meter on for its *hold-up*; when that is over, the meter is *dark* until the voltage is back and
//! it has *booted*. A voltage that fails again during the boot leaves it dark, without a hold-up:
//! nothing has charged its capacitor yet. It begins energised.

use lastmeter_units::SimDuration;

mod one_period;

pub(crate) use one_period::{Above, OnePeriod};

use crate::border::SupplyFacts;
use crate::gaussian::Gaussian;
use crate::window::PHASES_MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupplyEvent {
    /// The voltage is gone: the meter runs on its hold-up.
    Failed {
        /// When, since the start.
        at: SimDuration,
    },
    /// The voltage is lower than its comparator allows, and yet enough to live on.
    Alarmed {
        /// When, since the start.
        at: SimDuration,
    },
    /// The voltage came back before the hold-up was over.
    Survived {
        /// When, since the start.
        at: SimDuration,
        /// How long it was away.
        away: SimDuration,
    },
    /// The hold-up is over: the meter does not work.
    WentDark {
        /// From when on, since the start.
        at: SimDuration,
    },
    /// It has booted.
    WorksAgain {
        /// From when on, since the start.
        at: SimDuration,
        /// How long the voltage was away, from when it failed first.
        away: SimDuration,
    },
}

impl SupplyEvent {
    pub(crate) fn at(&self) -> SimDuration {
        match *self {
            Self::Failed { at }
            | Self::Alarmed { at }
            | Self::Survived { at, .. }
            | Self::WentDark { at }
            | Self::WorksAgain { at, .. } => at,
        }
    }
}

/// How it stands with the supply; instants since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Energised,
    OnHoldUp { failed: SimDuration },
    Dark { failed: SimDuration },
    Booting { failed: SimDuration, back: SimDuration },
}

/// The state of a supply, fed with what is seen of the voltage.
#[derive(Clone, Debug)]
pub(crate) struct SupplyState {
    hold_up: SimDuration,
    boot: SimDuration,
    state: State,
    /// Up to when it is settled what events.
    passed: SimDuration,
}

impl SupplyState {
    pub(crate) fn new(hold_up: SimDuration, boot: SimDuration) -> Self {
        Self { hold_up, boot, state: State::Energised, passed: SimDuration::ZERO }
    }

    /// What happens next by itself, and when; `None`: nothing before the voltage changes.
    pub(crate) fn next_change(&self) -> Option<SimDuration> {
        match self.state {
            State::OnHoldUp { failed } => Some(failed + self.hold_up),
            State::Booting { back, .. } => Some(back + self.boot),
            State::Energised | State::Dark { .. } => None,
        }
    }

    pub(crate) fn pass(&mut self, to: SimDuration, events: &mut Vec<SupplyEvent>) {
        if let Some(at) = self.next_change().filter(|at| *at <= to) {
            match self.state {
                State::OnHoldUp { failed } => {
                    self.state = State::Dark { failed };
                    events.push(SupplyEvent::WentDark { at });
                }
                State::Booting { failed, back } => {
                    self.state = State::Energised;
                    events.push(SupplyEvent::WorksAgain { at, away: back - failed });
                }
                State::Energised | State::Dark { .. } => {}
            }
        }
        self.passed = self.passed.max(to);
    }

    /// Whether there is a voltage from an instant on; one before what has passed counts from there.
    pub(crate) fn see(
        &mut self,
        at: SimDuration,
        has_voltage: bool,
        events: &mut Vec<SupplyEvent>,
    ) {
        let at = at.max(self.passed);
        self.pass(at, events);
        match (self.state, has_voltage) {
            (State::Energised, false) => {
                self.state = State::OnHoldUp { failed: at };
                events.push(SupplyEvent::Failed { at });
            }
            (State::OnHoldUp { failed }, true) => {
                self.state = State::Energised;
                events.push(SupplyEvent::Survived { at, away: at - failed });
            }
            (State::Dark { failed }, true) => self.state = State::Booting { failed, back: at },
            (State::Booting { failed, .. }, false) => self.state = State::Dark { failed },
            (State::Energised | State::Booting { .. }, true)
            | (State::OnHoldUp { .. } | State::Dark { .. }, false) => {}
        }
    }

    /// Whether the meter works at an instant, as far as the voltage is known.
    pub(crate) fn works_at(&self, at: SimDuration) -> bool {
        match self.state {
            State::Energised => true,
            State::OnHoldUp { failed } => at < failed + self.hold_up,
            State::Dark { .. } => false,
            State::Booting { back, .. } => at >= back + self.boot,
        }
    }

    /// Whether it does not work, as far as what has passed is settled.
    pub(crate) fn is_dark(&self) -> bool {
        matches!(self.state, State::Dark { .. } | State::Booting { .. })
    }

    pub(crate) fn is_on_hold_up(&self) -> bool {
        matches!(self.state, State::OnHoldUp { .. })
    }
}

#[derive(Debug)]
pub(crate) struct MessageLoss {
    /// Probability that one message is lost, 0 to 1.
    pub(crate) chance: f64,
    /// What it is drawn from.
    pub(crate) draws: Gaussian,
}

impl MessageLoss {
    pub(crate) fn draw(&mut self) -> bool {
        self.draws.uniform() <= self.chance
    }
}

#[derive(Debug)]
pub(crate) struct LastGasp {
    /// Below this RMS voltage of all phases it is sent, if that is more than what the meter needs.
    pub(crate) below_v: f64,
    pub(crate) loss: MessageLoss,
}

/// The supply of a meter out of the voltages of its phases.
#[derive(Debug)]
pub(crate) struct Supply {
    pub(crate) facts: SupplyFacts,
    pub(crate) state: SupplyState,
    pub(crate) gasp: LastGasp,
    pub(crate) power_up: MessageLoss,
    /// Whether the voltage is below what its comparator allows.
    is_alarmed: bool,
    /// The last RMS voltage of each phase in V; infinite before there is one.
    voltages_v: [f64; PHASES_MAX],
    phases: usize,
    /// When it was dark last: from, and up to when it had booted, if it has.
    dark: Option<(SimDuration, Option<SimDuration>)>,
}

impl Supply {
    pub(crate) fn new(
        facts: SupplyFacts,
        phases: usize,
        gasp: LastGasp,
        power_up: MessageLoss,
    ) -> Self {
        let state = SupplyState::new(facts.hold_up, facts.boot);
        let voltages_v = [f64::INFINITY; PHASES_MAX];
        let phases = phases.min(PHASES_MAX);
        Self { facts, state, gasp, power_up, is_alarmed: false, voltages_v, phases, dark: None }
    }

    pub(crate) fn pass(&mut self, to: SimDuration) -> Vec<SupplyEvent> {
        let mut events = Vec::new();
        self.state.pass(to, &mut events);
        self.note(&events);
        events
    }

    /// The RMS voltages of some phases from an instant on.
    pub(crate) fn see(
        &mut self,
        at: SimDuration,
        voltages_v: impl IntoIterator<Item = (usize, f64)>,
    ) -> Vec<SupplyEvent> {
        for (phase, volts) in voltages_v {
            if let Some(slot) = self.voltages_v.get_mut(phase) {
                *slot = volts;
            }
        }
        let minimum_v = self.facts.minimum_v;
        let is_above = |least_v| self.voltages_v.iter().take(self.phases).any(|u| *u >= least_v);
        let above = [is_above(minimum_v), is_above(self.gasp.below_v)];
        self.turn(at, above)
    }

    /// The voltages below which it has no supply, and below which it sends its last gasp.
    pub(crate) fn levels_v(&self) -> [f64; 2] {
        [self.facts.minimum_v, self.gasp.below_v]
    }

    /// From an instant on any phase is above these levels, or none.
    pub(crate) fn turn(&mut self, at: SimDuration, above: Above) -> Vec<SupplyEvent> {
        let [has_voltage, is_quiet] = above;
        let is_low = !is_quiet;
        let mut events = Vec::new();
        self.state.see(at, has_voltage, &mut events);
        if is_low && has_voltage && !self.is_alarmed && !self.state.is_dark() {
            events.push(SupplyEvent::Alarmed { at });
        }
        self.is_alarmed = is_low;
        self.note(&events);
        events
    }

    fn note(&mut self, events: &[SupplyEvent]) {
        for it in events {
            match *it {
                SupplyEvent::WentDark { at } => self.dark = Some((at, None)),
                SupplyEvent::WorksAgain { at, .. } => {
                    self.dark = self.dark.map(|(from, _)| (from, Some(at)));
                }
                SupplyEvent::Failed { .. }
                | SupplyEvent::Alarmed { .. }
                | SupplyEvent::Survived { .. } => {}
            }
        }
    }

    /// Whether it worked all the time between two instants that the voltage is known of.
    pub(crate) fn worked_over(&self, from: SimDuration, to: SimDuration) -> bool {
        match self.dark {
            None => true,
            Some((dark, None)) => to <= dark,
            Some((_, Some(works))) => from >= works,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(milliseconds: i64) -> SimDuration {
        SimDuration::from_milliseconds(milliseconds)
    }

    /// What happens up to an instant with these changes of the voltage.
    fn run(hold_up: i64, boot: i64, changes: &[(i64, bool)], end: i64) -> Vec<SupplyEvent> {
        let mut state = SupplyState::new(ms(hold_up), ms(boot));
        let mut events = Vec::new();
        for &(at, has_voltage) in changes {
            state.see(ms(at), has_voltage, &mut events);
        }
        state.pass(ms(end), &mut events);
        events
    }

    #[test]
    fn a_hold_up_longer_than_the_outage_carries_the_meter_through() {
        let found = run(500, 2000, &[(1000, false), (1499, true)], 9000);
        let due = [
            SupplyEvent::Failed { at: ms(1000) },
            SupplyEvent::Survived { at: ms(1499), away: ms(499) },
        ];
        assert_eq!(found, due);
        // Back at the very instant at which it went dark is too late.
        let found = run(500, 2000, &[(1000, false), (1500, true)], 9000);
        let due = [
            SupplyEvent::Failed { at: ms(1000) },
            SupplyEvent::WentDark { at: ms(1500) },
            SupplyEvent::WorksAgain { at: ms(3500), away: ms(500) },
        ];
        assert_eq!(found, due);
    }

    #[test]
    fn repeated_outages_during_the_boot_are_one_darkness() {
        let changes =
            [(1000, false), (3000, true), (4999, false), (6000, true), (7000, false), (8000, true)];
        let found = run(500, 2000, &changes, 20_000);
        let due = [
            SupplyEvent::Failed { at: ms(1000) },
            SupplyEvent::WentDark { at: ms(1500) },
            SupplyEvent::WorksAgain { at: ms(10_000), away: ms(7000) },
        ];
        assert_eq!(found, due);
    }

    fn no_loss() -> MessageLoss {
        let draws = Gaussian::new(lastmeter_sim::Streams::new(1).stream("t"));
        MessageLoss { chance: 0.0, draws }
    }

    #[test]
    fn one_phase_is_enough_to_live_on() {
        let facts = SupplyFacts {
            hold_up: ms(100),
            boot: ms(100),
            minimum_v: 115.0,
            gasps: true,
            reports: true,
        };
        let gasp = LastGasp { below_v: 0.0, loss: no_loss() };
        let mut supply = Supply::new(facts, 3, gasp, no_loss());
        assert_eq!(supply.see(ms(10), [(0, 0.0), (1, 115.0)]), []);
        assert_eq!(supply.see(ms(20), [(1, 114.9)]), []);
        assert_eq!(supply.see(ms(30), [(2, 0.0)]), [SupplyEvent::Failed { at: ms(30) }]);
        assert_eq!(supply.pass(ms(130)), [SupplyEvent::WentDark { at: ms(130) }]);
        assert!(supply.worked_over(ms(0), ms(130)) && !supply.worked_over(ms(0), ms(131)));
        assert_eq!(supply.see(ms(200), [(0, 230.0)]), []);
        let again = SupplyEvent::WorksAgain { at: ms(300), away: ms(170) };
        assert_eq!(supply.pass(ms(300)), [again]);
        assert!(supply.worked_over(ms(300), ms(400)) && !supply.worked_over(ms(299), ms(400)));
        let mut is_any_lost = || supply.gasp.loss.draw() || supply.power_up.draw();
        assert!((0..1000).all(|_| !is_any_lost()), "a chance of nothing");
    }

    #[test]
    fn a_comparator_above_what_is_needed_raises_one_alarm_in_each_dip() {
        let facts = SupplyFacts {
            hold_up: ms(100),
            boot: ms(100),
            minimum_v: 115.0,
            gasps: true,
            reports: true,
        };
        let gasp = LastGasp { below_v: 184.0, loss: no_loss() };
        let mut supply = Supply::new(facts, 2, gasp, no_loss());
        assert_eq!(supply.see(ms(10), [(0, 100.0), (1, 184.0)]), []);
        assert_eq!(supply.see(ms(20), [(1, 183.9)]), [SupplyEvent::Alarmed { at: ms(20) }]);
        assert_eq!(supply.see(ms(30), [(1, 120.0)]), []);
        assert_eq!(supply.see(ms(40), [(1, 230.0)]), []);
        assert_eq!(supply.see(ms(50), [(1, 150.0)]), [SupplyEvent::Alarmed { at: ms(50) }]);
        assert_eq!(supply.see(ms(60), [(1, 0.0)]), [SupplyEvent::Failed { at: ms(60) }]);
    }

    proptest! {
        /// Failures and returns alternate, darkness lies between them, each in its time, and what
        /// is asked about an instant agrees with what events.
        #[test]
        fn what_happens_is_in_order_and_agrees_with_what_works(
            hold_up in 1..3000_i64,
            boot in 1..3000_i64,
            steps in prop::collection::vec((0..2500_i64, any::<bool>()), 0..40),
        ) {
            let mut state = SupplyState::new(ms(hold_up), ms(boot));
            let (mut at, mut is_dark, mut is_failed) = (0, false, false);
            let mut last = SimDuration::ZERO;
            let mut sights = steps.into_iter().map(|(gap, has)| (gap, Some(has)));
            let tail = (hold_up + boot, None);
            for (gap, has_voltage) in sights.by_ref().chain([tail]) {
                at += gap;
                let mut events = Vec::new();
                let expected_dark = !state.works_at(ms(at));
                match has_voltage {
                    Some(has) => state.see(ms(at), has, &mut events),
                    None => state.pass(ms(at), &mut events),
                }
                for it in events {
                    let when = match it {
                        SupplyEvent::Alarmed { .. } => unreachable!("the state has no comparator"),
                        SupplyEvent::Failed { at } => {
                            prop_assert!(!is_failed && !is_dark);
                            is_failed = true;
                            at
                        }
                        SupplyEvent::WentDark { at } => {
                            prop_assert!(is_failed && !is_dark);
                            prop_assert_eq!(at, last + ms(hold_up));
                            is_dark = true;
                            at
                        }
                        SupplyEvent::Survived { at, away } => {
                            prop_assert!(is_failed && !is_dark && away < ms(hold_up));
                            is_failed = false;
                            at
                        }
                        SupplyEvent::WorksAgain { at, away } => {
                            prop_assert!(is_dark && away >= ms(hold_up));
                            (is_failed, is_dark) = (false, false);
                            at
                        }
                    };
                    prop_assert!(when >= last && when <= ms(at));
                    last = when;
                }
                prop_assert_eq!(is_dark, expected_dark);
                prop_assert_eq!(state.works_at(ms(at)), !is_dark);
            }
        }

        /// How often time is asked to pass changes nothing.
        #[test]
        fn pieces_of_time_do_not_matter(
            steps in prop::collection::vec((0..900_i64, any::<bool>()), 0..30),
            piece in 1..400_i64,
        ) {
            let mut changes = Vec::new();
            let mut at = 0;
            for (gap, has) in steps {
                at += gap;
                changes.push((at, has));
            }
            let whole = run(300, 500, &changes, at + 1000);
            let (mut state, mut events, mut now) =
                (SupplyState::new(ms(300), ms(500)), Vec::new(), 0);
            for (at, has) in changes {
                while now + piece < at {
                    now += piece;
                    state.pass(ms(now), &mut events);
                }
                state.see(ms(at), has, &mut events);
            }
            state.pass(ms(at + 1000), &mut events);
            prop_assert_eq!(events, whole);
        }
    }
}
