//! Many load cases on one network: side by side in the lanes of vector units, and in threads.
//!
//! What cannot be swept is solved by a matrix that is factored once for all cases, unless loads of
//! constant impedance change it. Each case has the same digits as alone, whatever is solved beside
//! it and however many threads there are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use num_complex::Complex64;

use super::attempt::solve_circuit;
use super::continuation;
use super::failure::Failure;
use super::nodal::Nodal;
use super::options::Options;
use crate::block::Column;
use crate::circuit::{Circuit, Compilation, Part, compile, compile_for_cases};
use crate::network::{Configuration, Load, Network};
use crate::sweep::{Constant, LoadMap, Loads, Outcome, State, Sweep};

/// How many cases are solved side by side.
const LANES: usize = 8;

/// A network prepared for many load cases. Regulators stay where they stand.
#[derive(Clone, Debug)]
pub struct Batch<'a, const N: usize> {
    network: &'a Network,
    fixed: Compilation<N>,
    sweep: Option<Sweep<N>>,
    /// Whether all powers can be changed in the circuit as it is.
    can_change: bool,
    options: Options,
}

/// A circuit whose loads are changed from case to case, with its matrix.
struct Factored<const N: usize> {
    circuit: Circuit<N>,
    nodal: Nodal<N>,
    /// Whether loads are in the matrix.
    has_constant: bool,
}

/// How one thread solves cases.
enum Solver<const N: usize> {
    SideBySide(Box<Lanes<N>>),
    Factored(Box<Factored<N>>),
    Alone,
}

/// One solved load case.
#[derive(Clone, Debug)]
pub struct Case<'a, const N: usize> {
    /// Which one, from 0.
    pub index: usize,
    /// How it came out; none if it took another method than the sweep.
    pub outcome: Option<Outcome>,
    /// By the circuit's nodes: voltages to earth, volts.
    pub voltages: &'a [Column<N>],
}

/// What one thread needs to solve cases side by side, again and again.
struct Lanes<const N: usize> {
    loads: Loads<N, LANES>,
    map: LoadMap,
    state: State<N, LANES>,
    /// Of one lane, volts.
    voltages: Vec<Column<N>>,
}

impl<'a, const N: usize> Batch<'a, N> {
    /// Prepares a network with `N` wires at a node: 1 for the positive sequence alone, 3, or 4 with
    /// a neutral.
    ///
    /// # Errors
    /// If the network cannot be made a circuit.
    pub fn new(network: &'a Network, options: &Options) -> Result<Self, Failure> {
        let fixed = compile_for_cases::<N>(network)?;
        let sweep = Sweep::new(&fixed.circuit, Constant::Injected).ok();
        // What stands in a circuit for a star whose star point is isolated has no power to be set.
        let isolated = |load: &Load| load.configuration == Configuration::StarIsolated;
        let can_change = N == 1 || !network.loads.iter().any(isolated);
        let sweep = sweep.filter(|_| can_change);
        Ok(Self { network, fixed, sweep, can_change, options: *options })
    }

    /// The circuit, by whose numbers the node of a voltage is found.
    pub fn circuit(&self) -> &Circuit<N> {
        &self.fixed.circuit
    }

    /// The loads, in the order in which powers are given.
    pub fn loads(&self) -> &[Load] {
        &self.network.loads
    }

    /// Solves this many cases in this many threads. `power` gives for a case and a load, by its
    /// number in [`Batch::loads`], the load's power, VA, part by part, as in [`Load::power_va`];
    /// it is asked load by load. `read` takes from a solved case what is wanted. Results are in
    /// the order of the cases.
    pub fn run<R: Send>(
        &self,
        cases: usize,
        threads: usize,
        power: impl Fn(usize, usize) -> [Complex64; 3] + Sync,
        read: impl Fn(Case<'_, N>) -> R + Sync,
    ) -> Vec<Result<R, Failure>> {
        let groups = cases.div_ceil(LANES);
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(groups)));
        let work = || {
            let mut own = Vec::new();
            let mut means = self.means();
            loop {
                let group = next.fetch_add(1, Ordering::Relaxed);
                if group >= groups {
                    break;
                }
                let range = group * LANES..cases.min((group + 1) * LANES);
                let found = match &mut means {
                    Solver::SideBySide(lanes) => self.group(range, lanes, &power, &read),
                    Solver::Factored(it) => {
                        range.map(|case| self.factored(case, it, &power, &read)).collect()
                    }
                    Solver::Alone => range.map(|case| self.alone(case, &power, &read)).collect(),
                };
                own.push((group, found));
            }
            if let Ok(mut results) = results.lock() {
                results.extend(own);
            }
        };
        if threads <= 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads.min(groups.max(1)) {
                    scope.spawn(work);
                }
            });
        }
        let mut results = results.into_inner().unwrap_or_default();
        results.sort_unstable_by_key(|(group, _)| *group);
        results.into_iter().flat_map(|(_, found)| found).collect()
    }

    fn means(&self) -> Solver<N> {
        let circuit = &self.fixed.circuit;
        if let Some(sweep) = &self.sweep {
            let (loads, map) = Loads::with_map(circuit, sweep, &self.network.loads);
            let voltages = Vec::with_capacity(circuit.nodes());
            return Solver::SideBySide(Box::new(Lanes {
                loads,
                map,
                state: sweep.state(),
                voltages,
            }));
        }
        match Nodal::new(circuit) {
            Ok(nodal) if self.can_change => {
                let has_constant = circuit.parts.iter().any(Part::is_constant);
                let circuit = circuit.clone();
                Solver::Factored(Box::new(Factored { circuit, nodal, has_constant }))
            }
            _ => Solver::Alone,
        }
    }

    /// Cases side by side.
    fn group<R>(
        &self,
        cases: std::ops::Range<usize>,
        lanes: &mut Lanes<N>,
        power: &impl Fn(usize, usize) -> [Complex64; 3],
        read: &impl Fn(Case<'_, N>) -> R,
    ) -> Vec<Result<R, Failure>> {
        let Some(sweep) = &self.sweep else { return Vec::new() };
        // Lanes that are left over repeat the last case.
        let of_lane =
            |lane: usize, load: usize| power((cases.start + lane).min(cases.end - 1), load);
        lanes.loads.set(&lanes.map, &self.network.loads, of_lane);
        lanes.state.restart();
        let Lanes { loads, state, voltages, .. } = lanes;
        let mut found: Vec<Option<R>> = cases.clone().map(|_| None).collect();
        let Options { tolerance_pu, most_iterations, .. } = self.options;
        sweep.solve_lanes(loads, state, tolerance_pu, most_iterations, |lane, it, state| {
            let sure = it.converged && continuation::is_sure(it.iterations, &self.options);
            if sure && lane < found.len() {
                voltages.clear();
                voltages.extend(sweep.voltages(state, lane));
                let index = cases.start + lane;
                found[lane] = Some(read(Case { index, outcome: Some(it), voltages }));
            }
        });
        let found = cases.zip(found);
        found.map(|(case, it)| it.map_or_else(|| self.alone(case, power, read), Ok)).collect()
    }

    /// One case by the factored matrix.
    fn factored<R>(
        &self,
        case: usize,
        with: &mut Factored<N>,
        power: &impl Fn(usize, usize) -> [Complex64; 3],
        read: &impl Fn(Case<'_, N>) -> R,
    ) -> Result<R, Failure> {
        let Factored { circuit, nodal, has_constant } = with;
        for part in &mut circuit.parts {
            let of_load = power(case, part.load as usize);
            let own = match N {
                1 => of_load.iter().sum::<Complex64>() / 3.0,
                _ => of_load[usize::from(part.slot)],
            };
            part.set(self.network.loads[part.load as usize].model, own);
        }
        if *has_constant {
            match Nodal::with(nodal.symbolic.clone(), circuit) {
                Ok(again) => *nodal = again,
                Err(_) => return self.alone(case, power, read),
            }
        }
        let start = nodal.without_load();
        let solved = nodal.solve(circuit, start, &self.options);
        let never_sure = *has_constant && continuation::has_negative_impedance(circuit);
        if !solved.converged
            || never_sure
            || !continuation::is_sure(solved.iterations, &self.options)
        {
            return self.alone(case, power, read);
        }
        Ok(read(Case { index: case, outcome: None, voltages: &solved.voltages }))
    }

    /// One case by whatever method is good for it.
    fn alone<R>(
        &self,
        case: usize,
        power: &impl Fn(usize, usize) -> [Complex64; 3],
        read: &impl Fn(Case<'_, N>) -> R,
    ) -> Result<R, Failure> {
        let mut network = self.network.clone();
        for (at, load) in network.loads.iter_mut().enumerate() {
            load.power_va = power(case, at);
        }
        let fixed = compile::<N>(&network)?;
        let solved = solve_circuit(&network, &fixed, &self.options)?;
        Ok(read(Case { index: case, outcome: None, voltages: &solved.voltages }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random::{Figures, Wanted, network};

    fn bits(voltages: &[Column<3>]) -> Vec<u64> {
        let parts = voltages.iter().flatten().flat_map(|it| [it.re, it.im]);
        parts.map(f64::to_bits).collect()
    }

    #[test]
    fn a_case_has_the_same_digits_beside_others_in_any_number_of_threads_and_alone() {
        for ties in [0, 2] {
            let wanted = Wanted { nodes: 60, seed: 5, neutral: false, balanced: false, ties };
            let network = network(wanted);
            let options = Options { tolerance_pu: 1e-10, ..Options::default() };
            let batch = Batch::<3>::new(&network, &options).unwrap();
            assert!(batch.sweep.is_some());
            let powers: Vec<Vec<[Complex64; 3]>> = (0..21)
                .map(|case| {
                    let mut figures = Figures::new(1000 + case);
                    let loads = network.loads.iter();
                    loads.map(|it| it.power_va.map(|it| it * figures.within(0.0, 1.2))).collect()
                })
                .collect();
            let read = |case: Case<'_, 3>| (case.outcome.unwrap().iterations, bits(case.voltages));
            let run = |threads| -> Vec<_> {
                let found = batch.run(21, threads, |case, load| powers[case][load], read);
                found.into_iter().map(Result::unwrap).collect()
            };
            let one = run(1);
            assert_eq!(one.len(), 21);
            assert_ne!(one[0].1, one[1].1);
            assert!(one == run(2) && one == run(5));

            let sweep = batch.sweep.as_ref().unwrap();
            let (mut loads, map) = Loads::<3, 1>::with_map(batch.circuit(), sweep, batch.loads());
            for (case, (iterations, expected)) in one.iter().enumerate() {
                let of_case = &powers[case];
                loads.set(&map, batch.loads(), |_, load| of_case[load]);
                let mut state = sweep.state();
                let outcome = sweep.solve(&loads, &mut state, 1e-10, 60);
                assert_eq!(outcome.iterations, *iterations);
                let voltages: Vec<_> = sweep.voltages(&state, 0).collect();
                assert!(bits(&voltages) == *expected, "case {case}");

                // And what a network that has these loads gives, by the factored matrix.
                let mut alone = network.clone();
                for (load, power) in alone.loads.iter_mut().zip(of_case) {
                    load.power_va = *power;
                }
                let fixed = compile::<3>(&alone).unwrap();
                let injected = super::super::Method::CurrentInjection;
                let options = Options { method: injected, tolerance_pu: 1e-12, ..options };
                let solved = solve_circuit(&alone, &fixed, &options).unwrap();
                for (a, b) in voltages.iter().flatten().zip(solved.voltages.iter().flatten()) {
                    assert!((a - b).norm() < 1e-9 * 10_000.0, "case {case}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_swept_is_solved_case_by_case_as_alone() {
        let wanted = Wanted { nodes: 60, seed: 7, neutral: false, balanced: false, ties: 200 };
        let meshed = network(wanted);
        let mut isolated = network(Wanted { ties: 0, ..wanted });
        for load in isolated.loads.iter_mut().filter(|it| it.connection.wires.as_slice().len() == 3)
        {
            load.configuration = Configuration::StarIsolated;
            (load.model, load.band) = (crate::network::LoadModel::ConstantImpedance, None);
        }
        let mut firm = meshed.clone();
        for load in &mut firm.loads {
            load.model = crate::network::LoadModel::ConstantPower;
        }
        let loops = ["with loads in the matrix", "without"];
        for (network, how) in [(&meshed, loops[0]), (&firm, loops[1]), (&isolated, "isolated")] {
            let options = Options { tolerance_pu: 1e-12, ..Options::default() };
            let batch = Batch::<3>::new(network, &options).unwrap();
            assert!(batch.sweep.is_none());
            match batch.means() {
                Solver::Factored(it) => assert_eq!(it.has_constant, how == loops[0], "{how}"),
                Solver::Alone => assert_eq!(how, "isolated"),
                Solver::SideBySide(_) => panic!("{how}"),
            }
            let power = |case: usize, load: usize| {
                let by = 0.2 + ((7 * load + 3 * case) % 10) as f64 / 10.0;
                network.loads[load].power_va.map(|it| it * by)
            };
            let run = |threads| -> Vec<Vec<Column<3>>> {
                let found = batch.run(11, threads, power, |case| case.voltages.to_vec());
                found.into_iter().map(Result::unwrap).collect()
            };
            let found = run(1);
            assert!(found == run(3) && found[0] != found[1], "{how}");
            for (case, voltages) in found.iter().enumerate() {
                let mut alone = network.clone();
                for (at, load) in alone.loads.iter_mut().enumerate() {
                    load.power_va = power(case, at);
                }
                let circuit = compile::<3>(&alone).unwrap().circuit;
                let start = Nodal::new(&circuit).unwrap().without_load();
                let expected = super::super::newton::solve(&circuit, start, &options);
                assert!(expected.converged);
                for (node, &number) in circuit.node_of.iter().enumerate() {
                    let own = voltages[batch.circuit().node_of[node] as usize];
                    for (a, b) in own.iter().zip(expected.voltages[number as usize]) {
                        assert!((a - b).norm() < 1e-9 * 10_000.0, "{how} {case} {node}: {a} {b}");
                    }
                }
            }
        }
    }

    /// Whether the cases of a random network come out as each does alone.
    fn cases_are_as_alone<const N: usize>(wanted: Wanted, kinds: &mut [usize; 3]) {
        let network = network(wanted);
        let options = Options { tolerance_pu: 1e-12, ..Options::default() };
        let Ok(batch) = Batch::<N>::new(&network, &options) else { return };
        kinds[match batch.means() {
            Solver::SideBySide(_) => 0,
            Solver::Factored(_) => 1,
            Solver::Alone => 2,
        }] += 1;
        let cases = 1 + wanted.seed as usize % 19;
        let power = |case: usize, load: usize| {
            let mut figures = Figures::new(wanted.seed * 1_000_003 + (case * 4099 + load) as u64);
            network.loads[load].power_va.map(|it| match figures.below(5) {
                0 => Complex64::ZERO,
                1 => -it,
                _ => it * figures.within(0.0, 1.5),
            })
        };
        let found = batch.run(cases, 1 + cases % 3, power, |case| case.voltages.to_vec());
        for (case, found) in found.into_iter().enumerate() {
            let mut alone = network.clone();
            for (at, load) in alone.loads.iter_mut().enumerate() {
                load.power_va = power(case, at);
            }
            let fixed = compile::<N>(&alone).unwrap();
            let circuit = &fixed.circuit;
            let start = Nodal::new(circuit).unwrap().without_load();
            let expected = super::super::newton::solve(circuit, start, &options);
            if !expected.converged {
                continue;
            }
            let found = found.unwrap_or_else(|why| panic!("{} {N} {case}: {why}", wanted.seed));
            for (node, &number) in circuit.node_of.iter().enumerate() {
                let own = found[batch.circuit().node_of[node] as usize];
                for (a, b) in own.iter().zip(expected.voltages[number as usize]) {
                    assert!((a - b).norm() < 1e-5, "{} {N} {case} {node}: {a} {b}", wanted.seed);
                }
            }
        }
    }

    #[test]
    fn cases_of_networks_of_all_kinds_come_out_as_newton_finds_them_alone() {
        let mut kinds = [0; 3];
        for seed in 0..120 {
            let ties = [0, 0, 3, 150][seed as usize % 4];
            let nodes = [7, 26, 61][seed as usize % 3];
            let wanted = Wanted { nodes, seed, neutral: false, balanced: false, ties };
            cases_are_as_alone::<3>(wanted, &mut kinds);
            cases_are_as_alone::<4>(Wanted { neutral: true, ..wanted }, &mut kinds);
            cases_are_as_alone::<1>(Wanted { balanced: true, ..wanted }, &mut kinds);
        }
        assert!(kinds[0] > 150 && kinds[1] > 50, "{kinds:?}");
    }

    #[test]
    fn loads_without_power_may_have_some_in_a_case() {
        let wanted = Wanted { nodes: 60, seed: 8, neutral: false, balanced: true, ties: 0 };
        let full = network(wanted);
        let mut empty = full.clone();
        for load in &mut empty.loads {
            load.power_va = [Complex64::ZERO; 3];
        }
        let options = Options { tolerance_pu: 1e-11, ..Options::default() };
        let batch = Batch::<1>::new(&empty, &options).unwrap();
        let found = batch.run(
            3,
            1,
            |case, load| full.loads[load].power_va.map(|it| it * case as f64),
            |case| case.voltages.to_vec(),
        );
        for (case, load) in [(0, &empty), (1, &full)] {
            let fixed = compile::<1>(load).unwrap();
            let method = super::super::Method::CurrentInjection;
            let expected = solve_circuit(load, &fixed, &Options { method, ..options }).unwrap();
            let voltages = found[case].as_ref().unwrap();
            for (a, b) in voltages.iter().flatten().zip(expected.voltages.iter().flatten()) {
                assert!((a - b).norm() < 1e-8 * 10_000.0, "case {case}: {a} {b}");
            }
        }
        let [half, full] = [&found[1], &found[2]].map(|it| it.as_ref().unwrap()[30][0]);
        assert!((half - full).norm() > 1e-4 * full.norm(), "{half} {full}");
    }

    #[test]
    fn a_case_that_has_no_solution_is_reported_and_the_others_are_solved() {
        let wanted = Wanted { nodes: 20, seed: 3, neutral: false, balanced: false, ties: 0 };
        let network = network(wanted);
        let batch = Batch::<3>::new(&network, &Options::default()).unwrap();
        let found = batch.run(
            9,
            2,
            |case, load| {
                let by = if case == 4 { 1e5 } else { 1.0 };
                network.loads[load].power_va.map(|it| it * by)
            },
            |case| case.index,
        );
        for (case, result) in found.iter().enumerate() {
            assert_eq!(result.is_ok(), case != 4, "{case}: {result:?}");
        }
    }
}
