//! The iron of a transformer against its equation, integrated in steps of a microsecond.

use std::f64::consts::{SQRT_2, TAU};

use num_complex::Complex64;

use super::{OMEGA, add_node, add_source, add_switch, add_transformer, c, phasor};
use crate::network::{Connection, Magnetising, Network, Neutral, NodeId, WindingKind, Wire, Wires};
use crate::transient::nonlinear::Characteristic;
use crate::transient::{
    Action, Arc, FaultKind, Loads, Options, Place, Pole, Saturation, Transient,
};

impl<const N: usize> Transient<N> {
    /// The flux linkage of a transformer's limb at its magnetised winding, per unit of the rated
    /// one; none where no saturation was asked for.
    fn flux_pu(&self, transformer: usize, limb: usize) -> Option<f64> {
        self.bends.iter().find_map(|it| match it.characteristic {
            Characteristic::Core { transformer: own, limb: at, rated_vs }
                if own == transformer && at == limb =>
            {
                Some(it.driver / rated_vs)
            }
            _ => None,
        })
    }
}

const PHASE_V: f64 = 20e3 / 1.732_050_807_568_877_2;
/// Rated, of a phase.
const BASE_OHM: f64 = PHASE_V * PHASE_V / (400e3 / 3.0);
const SOURCE: Complex64 = Complex64::new(5.0, 20.0);
const NO_LOAD_PU: f64 = 0.01;

pub(super) const IRON: Saturation = Saturation {
    transformer: 0,
    knee_pu: 1.15,
    air_core_reactance_pu: 0.3,
    residual_flux_pu: [0.7, -0.3, -0.4],
};

/// A source, a switch, and a transformer without load behind it whose phases are apart.
pub(super) fn network(is_closed: bool, magnetising: Magnetising) -> Network {
    let mut network = Network::new("inrush", 50.0);
    let [top, high] = [add_node(&mut network, 20e3), add_node(&mut network, 20e3)];
    let low = add_node(&mut network, 400.0);
    add_source(&mut network, top, SOURCE, SOURCE);
    add_switch(&mut network, top, high, is_closed);
    let star = WindingKind::Star(Neutral::Earthed(Complex64::ZERO));
    let windings = [(high, star), (low, star)];
    let transformer = add_transformer(&mut network, windings, 0, 400e3, c(0.01, 0.04));
    transformer.magnetising = magnetising;
    network
}

pub(super) fn at_first(y_pu: Complex64) -> Magnetising {
    Magnetising::AtWinding { winding: 0, y_pu, antifloat_pu: 0.0 }
}

fn begin<'a>(network: &Network, saturations: &'a [Saturation], step_s: f64) -> Transient<3> {
    let options: Options<'a> = Options { step_s, loads: Loads::None, saturations };
    Transient::new(network, &options).unwrap()
}

/// Current and flux linkage by what a source's voltage has left of itself in both inductances.
fn on_the_curve(both_vs: f64, residual_vs: f64) -> (f64, f64) {
    let rated_vs = SQRT_2 * PHASE_V / OMEGA;
    let (knee_vs, source_h) = (IRON.knee_pu * rated_vs, SOURCE.im / OMEGA);
    let unsaturated_h = BASE_OHM / NO_LOAD_PU / OMEGA;
    let air_h = IRON.air_core_reactance_pu * BASE_OHM / OMEGA;
    let sign = both_vs.signum();
    let knee_a = (sign * knee_vs - residual_vs) / unsaturated_h;
    let current_a = (both_vs - residual_vs) / (source_h + unsaturated_h);
    if (current_a - knee_a) * sign <= 0.0 {
        return (current_a, residual_vs + unsaturated_h * current_a);
    }
    let beyond_a = (both_vs - sign * knee_vs - source_h * knee_a) / (source_h + air_h);
    (knee_a + beyond_a, sign * knee_vs + air_h * beyond_a)
}

/// What is expected at instants: current in ampere and flux per unit.
fn integrated(begin_s: f64, angle_rad: f64, residual_pu: f64, at_s: &[f64]) -> Vec<(f64, f64)> {
    let rated_vs = SQRT_2 * PHASE_V / OMEGA;
    let residual_vs = residual_pu * rated_vs;
    let slope = |at: f64, both_vs: f64| {
        let emf = SQRT_2 * PHASE_V * (OMEGA * at + angle_rad).sin();
        emf - SOURCE.re * on_the_curve(both_vs, residual_vs).0
    };
    let (mut now_s, mut both_vs) = (begin_s, residual_vs);
    let mut result = Vec::new();
    for &until_s in at_s {
        let steps = ((until_s - now_s) / 1e-6).ceil().max(1.0);
        let h = (until_s - now_s) / steps;
        for _ in 0..steps as usize {
            let k1 = slope(now_s, both_vs);
            let k2 = slope(now_s + h / 2.0, both_vs + h / 2.0 * k1);
            let k3 = slope(now_s + h / 2.0, both_vs + h / 2.0 * k2);
            let k4 = slope(now_s + h, both_vs + h * k3);
            both_vs += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
            now_s += h;
        }
        let (current_a, flux_vs) = on_the_curve(both_vs, residual_vs);
        result.push((current_a, flux_vs / rated_vs));
    }
    result
}

/// Instants, and of each phase current and flux.
type Inrush = (Vec<f64>, [Vec<(f64, f64)>; 3]);

fn energised(begin_s: f64, step_s: f64) -> Inrush {
    let network = network(false, at_first(c(0.0, -NO_LOAD_PU)));
    let mut transient = begin(&network, &[IRON], step_s);
    transient.schedule(begin_s, Action::Close { switch: 0, pole: Pole::All }).unwrap();
    let mut seen: Inrush = Inrush::default();
    while transient.time_s() < begin_s + 0.1 {
        transient.advance().unwrap();
        if transient.time_s() <= begin_s {
            for limb in 0..3 {
                // Without voltage the iron keeps what it has.
                let kept = transient.flux_pu(0, limb).unwrap() - IRON.residual_flux_pu[limb];
                assert!(kept.abs() < 1e-9, "{kept}");
            }
            continue;
        }
        seen.0.push(transient.time_s());
        for wire in Wire::PHASES {
            let (limb, current_a) = (wire.index(), transient.source_current_a(0, wire));
            seen.1[limb].push((current_a, transient.flux_pu(0, limb).unwrap()));
        }
    }
    seen
}

fn peak(of: &[(f64, f64)]) -> f64 {
    of.iter().map(|it| it.0.abs()).fold(0.0, f64::max)
}

#[test]
fn an_inrush_is_that_of_the_equation() {
    // At a zero of the voltage of a phase, and at others.
    for begin_s in [0.02 - 0.4 / OMEGA, 0.021_234, 0.027_77] {
        let (at_s, found) = energised(begin_s, 50e-6);
        for (limb, found) in found.iter().enumerate() {
            let angle_rad = 0.4 - TAU / 3.0 * limb as f64;
            let expected = integrated(begin_s, angle_rad, IRON.residual_flux_pu[limb], &at_s);
            let (first, largest) = (peak(&found[..400]), peak(&expected[..400]));
            assert!((first - largest).abs() < 1e-3 * largest, "{limb}: {first} {largest}");
            let both = found.iter().zip(&expected);
            let worst = both.fold((0.0_f64, 0.0_f64), |worst, (found, expected)| {
                let off = (found.0 - expected.0).abs() / largest;
                (worst.0.max(off), worst.1.max((found.1 - expected.1).abs()))
            });
            assert!(worst.0 < 1e-3 && worst.1 < 6e-5, "{begin_s} {limb}: {worst:?}");
        }
        if begin_s < 0.02 {
            // The voltage's whole half wave lies on the residual flux.
            assert!(peak(&found[0][..400]) > 60.0, "{}", peak(&found[0][..400]));
            let highest = found[0][..400].iter().map(|it| it.1).fold(0.0, f64::max);
            assert!((1.8..2.7).contains(&highest), "{highest}");
        }
    }
}

#[test]
fn an_inrush_has_a_second_harmonic_and_decays() {
    let (at_s, found) = energised(0.02 - 0.4 / OMEGA, 50e-6);
    let harmonic = |order: f64, samples: &[(f64, f64)]| {
        let stretched: Vec<_> =
            at_s.iter().zip(samples).map(|(at_s, it)| (at_s * order, it.0)).collect();
        phasor(&stretched[..400]).norm()
    };
    let share = |of: &[(f64, f64)]| harmonic(2.0, of) / harmonic(1.0, of);
    let expected = integrated(0.02 - 0.4 / OMEGA, 0.4, IRON.residual_flux_pu[0], &at_s);
    let (found_share, expected) = (share(&found[0]), share(&expected));
    // Relays restrain commonly at 15 %.
    assert!((0.15..0.7).contains(&found_share), "{found_share}");
    assert!((found_share - expected).abs() < 1e-3, "{found_share} {expected}");
    let (first, last) = (peak(&found[0][..400]), peak(&found[0][1600..]));
    assert!(last < 0.97 * first, "{first} {last}");
}

#[test]
fn energies_of_saturated_iron_add_up() {
    let removed = [50e-6, 25e-6].map(|step_s| {
        let mut network = network(false, at_first(c(0.002, -NO_LOAD_PU)));
        network.transformers[0].windings[0].connection = Connection::abc(NodeId(0));
        network.switches.clear();
        let mut transient = begin(&network, &[IRON], step_s);
        transient.count_energy();
        let mut saturated = 0;
        while transient.time_s() < 0.1 {
            transient.advance().unwrap();
            saturated += u32::from(transient.flux_pu(0, 0).unwrap() > IRON.knee_pu);
        }
        let energy = *transient.energy().unwrap();
        assert!(saturated > 100 && energy.in_j > 100.0, "{saturated} {energy:?}");
        assert!(energy.residual_j().abs() < 1e-7 * energy.in_j, "{energy:?}");
        energy.removed_j / energy.in_j
    });
    assert!((0.0..0.02).contains(&removed[0]), "{removed:?}");
    assert!(removed[1] < 0.6 * removed[0], "{removed:?}");
}

#[test]
fn coupled_iron_and_arcs_together_stay_finite_and_their_energies_add_up() {
    let mut network = network(false, at_first(c(0.002, -NO_LOAD_PU)));
    network.switches.clear();
    let transformer = &mut network.transformers[0];
    transformer.windings[0].connection = Connection::abc(NodeId(0));
    transformer.windings[0].kind = WindingKind::Delta;
    transformer.clock = vec![11];
    let mut transient = begin(&network, &[Saturation { knee_pu: 0.9, ..IRON }], 50e-6);
    transient.count_energy();
    let arc = Arc::Long { positive_v: 60.0, negative_v: 90.0, resistance_ohm: 0.5 };
    let dynamic = Arc::Dynamic {
        voltage_v: 4000.0,
        resistance_ohm: 1.0,
        time_constant_s: 5e-4,
        initial_siemens: 0.1,
    };
    let ground = FaultKind::Ground(Wires::ABC);
    let between = FaultKind::Between(Wires::NONE.with(Wire::A).with(Wire::B));
    for (id, node, kind, arc, begin_s) in
        [(1, 2, ground, arc, 0.013), (2, 2, between, arc, 0.02), (3, 0, ground, dynamic, 0.031)]
    {
        let place = Place(NodeId(node));
        transient.schedule(begin_s, Action::ArcFault { id, place, kind, arc }).unwrap();
        transient.schedule(0.07, Action::Clear { id, at_zero: true }).unwrap();
    }
    while transient.time_s() < 0.15 {
        transient.advance().unwrap();
        let at_node = |node: u32| Wire::PHASES.map(|wire| transient.voltage_v(NodeId(node), wire));
        let seen = at_node(0).into_iter().chain(at_node(2));
        assert!(seen.into_iter().all(|it| it.abs() < 40e3), "{}", transient.time_s());
    }
    assert!(!transient.is_waiting());
    assert!(
        [1, 2, 3].into_iter().all(|id| transient.fault_currents_a(id).iter().all(|it| *it == 0.0))
    );
    let energy = *transient.energy().unwrap();
    assert!(energy.residual_j().abs() < 1e-6 * energy.in_j, "{energy:?}");
    assert!(energy.removed_j.abs() < 0.02 * energy.in_j, "{energy:?}");
}

#[test]
fn half_the_step_comes_closer() {
    let begin_s = 0.021_234;
    let errors = [100e-6, 50e-6, 25e-6].map(|step_s| {
        let (at_s, found) = energised(begin_s, step_s);
        let expected = integrated(begin_s, 0.4, IRON.residual_flux_pu[0], &at_s);
        let off = found[0].iter().zip(&expected).map(|(one, other)| (one.0 - other.0).abs());
        off.fold(0.0, f64::max) / peak(&expected)
    });
    assert!(errors[1] < errors[0] / 2.5 && errors[2] < errors[1] / 2.5, "{errors:?}");
}

#[test]
fn iron_that_is_never_saturated_changes_no_bit() {
    for magnetising in [
        at_first(c(0.002, -NO_LOAD_PU)),
        Magnetising::BySequence { y1_pu: c(0.002, -0.01), y0_pu: c(0.002, -0.01) },
    ] {
        let network = network(true, magnetising);
        let never = Saturation { residual_flux_pu: [0.0; 3], ..IRON };
        let [mut linear, mut iron] =
            [&[][..], &[never][..]].map(|saturations| begin(&network, saturations, 50e-6));
        assert!(linear.flux_pu(0, 0).is_none());
        let mut highest = 0.0_f64;
        for _ in 0..1000 {
            linear.advance().unwrap();
            iron.advance().unwrap();
            for wire in Wire::PHASES {
                let of = |it: &Transient<3>| it.source_current_a(0, wire).to_bits();
                assert_eq!(of(&linear), of(&iron), "{wire:?}");
            }
            highest = highest.max(iron.flux_pu(0, 1).unwrap());
        }
        assert!((highest - 1.0).abs() < 2e-3, "{highest}");
        assert_eq!(linear.factored(), iron.factored());
    }
}

#[test]
fn magnetising_at_both_windings_saturates_as_at_one() {
    let y_pu = c(0.0, -NO_LOAD_PU);
    let both = Magnetising::BySequence { y1_pu: y_pu, y0_pu: y_pu };
    let peaks = [at_first(y_pu), both].map(|magnetising| {
        let mut network = network(false, magnetising);
        // Nearly nothing between both windings.
        network.transformers[0].short_circuit_pu = vec![c(0.0, 1e-4)];
        let mut transient = begin(&network, &[IRON], 50e-6);
        transient.schedule(0.02, Action::Close { switch: 0, pole: Pole::All }).unwrap();
        let mut peak = 0.0_f64;
        while transient.time_s() < 0.04 {
            transient.advance().unwrap();
            peak = peak.max(transient.source_current_a(0, Wire::A).abs());
        }
        peak
    });
    assert!((peaks[0] - peaks[1]).abs() < 1e-3 * peaks[0], "{peaks:?}");
}

#[test]
fn iron_that_cannot_be_is_refused() {
    let network = network(true, at_first(c(0.0, -NO_LOAD_PU)));
    for (saturation, expected) in [
        (Saturation { transformer: 1, ..IRON }, "there is no transformer 1: the network has 1"),
        (Saturation { knee_pu: 0.0, ..IRON }, "a knee per unit of the rated flux of 0: expected"),
        (Saturation { knee_pu: f64::NAN, ..IRON }, "a knee per unit of the rated flux of NaN"),
        (Saturation { air_core_reactance_pu: -0.1, ..IRON }, "air-core reactance per unit of -0.1"),
        (Saturation { air_core_reactance_pu: 100.0, ..IRON }, "less than that of magnetising"),
        (Saturation { residual_flux_pu: [0.0, -1.2, 0.0], ..IRON }, "of a size less than the knee"),
        (Saturation { residual_flux_pu: [f64::NAN; 3], ..IRON }, "rated flux of NaN"),
    ] {
        let options = Options { step_s: 50e-6, loads: Loads::None, saturations: &[saturation] };
        let found = Transient::<3>::new(&network, &options).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
    let options = Options { step_s: 50e-6, loads: Loads::None, saturations: &[IRON, IRON] };
    let found = Transient::<3>::new(&network, &options).unwrap_err().to_string();
    assert!(found.contains("two saturations"), "{found}");
}
