//! What happens between the steps of a network that answers: faults, switching, protective devices.

use lastmeter_grid::flow::Flow;
use lastmeter_grid::motion::{
    Event, Motion, MotionError, NetworkAction, Operation, SegmentContent,
};
use lastmeter_grid::network::Network;
use lastmeter_grid::transient::Pole;
use lastmeter_units::SimDuration;

use super::input::{BreakerAt, GridInput};
use super::network_timeline::{DynamicNetworkSetup, play_loads_in_band, probes};
use super::solved_network::Setup;
use super::view::Pair;

/// The motion of a [`super::LiveGrid`], by phasors: what is seen of a step is the state that stands
/// at its end.
#[derive(Debug)]
pub(super) struct LiveMotion {
    motion: Motion,
    /// Loads, sources and taps that change at a time that is known ahead; the next one last.
    changes: Vec<(SimDuration, GridInput)>,
    /// How many operations were taken out.
    taken_out: usize,
}

impl LiveMotion {
    /// Loads keep to their models within the same band as in a network that is played ahead.
    pub(super) fn new(
        setup: &mut Setup,
        wanted: &DynamicNetworkSetup,
    ) -> Result<Self, MotionError> {
        play_loads_in_band(&mut setup.network);
        let mut changes = wanted.changes.clone();
        changes.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let motion = Motion::new(
            &setup.network,
            wanted.options.clone(),
            wanted.events.clone(),
            wanted.protectors.clone(),
            probes(setup, &[]),
        )?;
        Ok(Self { motion, changes, taken_out: 0 })
    }

    /// The next change that holds from an instant on, if there is one.
    pub(super) fn next_change(&mut self, at: SimDuration) -> Option<GridInput> {
        self.changes.pop_if(|(from, _)| *from <= at).map(|(_, input)| input)
    }

    /// Takes an order to a switch; what is no such order is the plant's to take.
    pub(super) fn order(&mut self, network: &Network, at: SimDuration, input: GridInput) -> bool {
        let GridInput::Breaker { at: BreakerAt::Switch(switch), is_closed } = input else {
            return false;
        };
        // Whoever writes all values again has ordered nothing by that.
        let stands = self.motion.poles().get(switch);
        if stands.is_some_and(|poles| poles.iter().all(|it| *it == is_closed)) {
            return true;
        }
        let pole = Pole::All;
        let what = if is_closed {
            NetworkAction::Close { switch, pole }
        } else {
            NetworkAction::Open { switch, pole }
        };
        self.motion.order(network, Event { at_ns: at.0, what }).is_ok()
    }

    pub(super) fn stand(&self, network: &mut Network) {
        self.motion.stand(network);
    }

    /// Plays a step; gives what each probe sees at its end.
    pub(super) fn play(
        &mut self,
        network: &Network,
        flow: &Flow,
        (from, to): (SimDuration, SimDuration),
    ) -> Result<Vec<Vec<Pair>>, MotionError> {
        let (segments, _) = self.motion.play(network, flow, (from.0, to.0))?;
        let states = segments.into_iter().rev().filter_map(|segment| match segment.what {
            SegmentContent::Steady { pairs, .. } => Some(pairs),
            SegmentContent::Waveforms(_) => None,
        });
        Ok(states.into_iter().next().unwrap_or_default())
    }

    /// Whether all poles of a switch are closed.
    pub(super) fn is_closed(&self, switch: usize) -> bool {
        self.motion.poles().get(switch).is_some_and(|poles| poles.iter().all(|closed| *closed))
    }

    /// What was done since this was asked last.
    pub(super) fn news(&mut self) -> Vec<Operation> {
        let all = self.motion.operations();
        let news = all[self.taken_out..].to_vec();
        self.taken_out = all.len();
        news
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_grid::motion::{
        FaultAt, OperationKind, Options, Protector, RelayBreaker, Resolution,
    };
    use lastmeter_grid::network::{NodeId, Wire};
    use lastmeter_grid::protection::{Curve, Relay};
    use lastmeter_grid::transient::FaultKind;
    use lastmeter_units::SimTime;

    use super::*;
    use crate::grid::live_tests::now;
    use crate::grid::tests::network;
    use crate::grid::{LiveGrid, Raster, SolvedNetwork};

    const STEP: SimDuration = SimDuration::from_milliseconds(10);

    /// A stiff source, a switch, a line of 0.5 ohm in each phase and a load of 53 ohm to earth.
    fn network() -> Network {
        let load = network::three_phase_load("home", "model = \"impedance\"\n");
        network::network(1_000_000, true, Some([0.5, 0.0]), &load)
    }

    fn setup(steps: usize) -> Setup {
        let network = network();
        let raster = Raster { start: SimTime(0), step: STEP, steps };
        let powers = vec![None; network.loads.len()];
        let (defects, changes) = (Vec::new(), Vec::new());
        Setup { network, frequency_hz: 50.0, raster, powers, defects, changes }
    }

    fn wanted(events: Vec<Event>) -> DynamicNetworkSetup {
        let relay = Relay::new(&[Curve::definite(100.0, 0.2).unwrap()], &[]);
        let device = Box::new(RelayBreaker::new(relay, 0.03));
        DynamicNetworkSetup {
            options: Options { resolution: Resolution::Phasors, ..Options::default() },
            events,
            protectors: vec![Protector { name: "relay:cb".into(), switch: 0, device }],
            changes: Vec::new(),
            frequency: Vec::new(),
            recorders: Vec::new(),
            metered: Vec::new(),
            pickups: Vec::new(),
            planned: Vec::new(),
            dark_at: None,
        }
    }

    fn fault(at_ns: i64) -> Event {
        let fault = FaultAt {
            id: 1,
            name: "fault:f".into(),
            node: NodeId(2),
            kind: FaultKind::Ground(Wire::PHASES.into_iter().collect()),
            resistance_ohm: 0.5,
            arc: None,
            angle_rad: None,
            extinguishes_s: Some(0.05),
        };
        Event { at_ns, what: NetworkAction::Fault(fault) }
    }

    #[test]
    fn a_fault_is_seen_a_relay_opens_in_its_time_and_an_order_closes_again() {
        let mut grid = LiveGrid::in_motion(setup(100), &wanted(vec![fault(50_000_000)])).unwrap();
        let home = grid.live_load(0).unwrap();
        let mut seen = Vec::new();
        let mut news = Vec::new();
        for step in 0..80 {
            if step == 60 {
                grid.apply(GridInput::Breaker { at: BreakerAt::Switch(0), is_closed: true })
                    .unwrap();
            }
            grid.step().unwrap();
            seen.push(now(&grid, &home, "electricity.voltage.rms.l1"));
            news.extend(grid.news().into_iter().map(|it| (it.at_ns, it.element, it.kind)));
        }
        // 53.3 ohm behind 0.5 ohm, and half the voltage at a fault of 0.5 ohm behind as many.
        let source_v = 400.0 / 3f64.sqrt();
        let load_ohm = 160_000.0 / 3000.0;
        let whole = source_v * load_ohm / (load_ohm + 0.5);
        let both = 1.0 / (2.0 + 1.0 / load_ohm);
        let half = source_v * both / (both + 0.5);
        for (step, volts) in seen.iter().enumerate() {
            let expected = match step {
                0..5 | 60.. => whole,
                5..28 => half,
                _ => 0.0,
            };
            assert!((volts - expected).abs() < 1e-4 * whole, "{step}: {volts}, not {expected}");
        }
        let operations: Vec<_> =
            news.iter().map(|(at, who, kind)| (*at / 1000, &**who, *kind)).collect();
        assert_eq!(
            operations,
            [
                (50_000, "fault:f", OperationKind::Ignited),
                (250_000, "relay:cb", OperationKind::Tripped),
                (280_000, "relay:cb", OperationKind::Opened),
                (330_000, "fault:f", OperationKind::Cleared),
                (600_000, "switch:cb", OperationKind::Closed),
            ]
        );
        assert!(grid.is_closed(BreakerAt::Switch(0)));
    }

    /// What is known ahead does the same as in a network that is played as a whole.
    #[test]
    fn it_does_what_a_feeder_does() {
        let close =
            Event { at_ns: 600_000_000, what: NetworkAction::Close { switch: 0, pole: Pole::All } };
        let wanted = wanted(vec![fault(53_000_000), close]);
        let feeder = SolvedNetwork::play(setup(80), &wanted).unwrap();
        let mut grid = LiveGrid::in_motion(setup(80), &wanted).unwrap();
        let mut news = Vec::new();
        for step in 0..80 {
            assert_eq!(grid.step().unwrap(), &feeder.steps()[step], "{step}");
            news.extend(grid.news());
        }
        assert_eq!(news, feeder.operations());
    }
}
