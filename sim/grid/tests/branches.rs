//! Solutions are those that loads lead to when they grow from nothing: two nodes by their closed
//! form, random overloaded networks beside a dense continuation by arc length that is written here.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails its test")]

use std::fmt::Write as _;

use lastmeter_grid::flow::{self, Batch, Case as Solved, Failure, Flow, Method, Options, Phases};
use lastmeter_grid::format::toml;
use lastmeter_grid::{Complex64, Network};
use nalgebra::{DMatrix, DVector};

const VOLTS: f64 = 10e3;
/// The source's share of resistance to reactance is 0.1.
const SOURCE_VA: f64 = 50e6;

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    fn below(&mut self, count: usize) -> usize {
        ((self.next() * count as f64) as usize).min(count - 1)
    }
}

fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

/// Lines by their ends, positive-sequence and zero-sequence impedance, ohm; the constant power of
/// each node and phase, VA. The source is at node 0.
struct Case {
    nodes: usize,
    lines: Vec<(usize, usize, Complex64, Complex64)>,
    power_va: Vec<[Complex64; 3]>,
}

impl Case {
    fn random(seed: u64, by_phase: bool) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let nodes = 3 + dice.below(if by_phase { 4 } else { 9 });
        let ratio = [0.1, 0.3, 1.0, 3.0][dice.below(4)];
        let tangent = [0.0, 0.4, -0.3][dice.below(3)];
        let line = |dice: &mut Dice, a, b| {
            let x = dice.between(0.1, 1.5);
            let r = x * ratio * dice.between(0.5, 2.0);
            (a, b, c(r, x), c(3.0 * r, 3.0 * x))
        };
        let mut lines = Vec::new();
        for node in 1..nodes {
            let above = if dice.next() < 0.6 { node - 1 } else { dice.below(node) };
            lines.push(line(&mut dice, above, node));
        }
        for _ in 0..[0, 0, 2][dice.below(3)] {
            let (a, b) = (dice.below(nodes), dice.below(nodes));
            let joined = lines.iter().any(|it| (it.0, it.1) == (a, b) || (it.0, it.1) == (b, a));
            if a != b && !joined {
                lines.push(line(&mut dice, a, b));
            }
        }
        let feeds_in = dice.next() < 0.4;
        let mut power_va = vec![[Complex64::ZERO; 3]; nodes];
        for power in &mut power_va[1..] {
            let sign = if feeds_in && dice.next() < 0.35 { -1.0 } else { 1.0 };
            let all = c(1.0, tangent * dice.between(0.5, 1.5)) * (sign * dice.between(1e4, 1e5));
            *power = [all; 3];
            if by_phase {
                *power = power.map(|it| it * dice.between(0.0, 2.0));
            }
        }
        Self { nodes, lines, power_va }
    }

    fn network(&self, share: f64) -> Network {
        let mut text = format!(
            "format = 1\nvoltage = '{VOLTS} V'\n[[source]]\nnode = 'n0'\n\
             short_circuit_power = '{SOURCE_VA} VA'\n"
        );
        for (node, power) in self.power_va.iter().enumerate() {
            let _ = write!(text, "[[node]]\nname = 'n{node}'\n");
            if node > 0 {
                let [p, q] = [|it: &Complex64| it.re, |it: &Complex64| it.im]
                    .map(|part| power.map(|it| share * part(&it)));
                let list = |it: [f64; 3], unit| {
                    format!("['{:e} {unit}', '{:e} {unit}', '{:e} {unit}']", it[0], it[1], it[2])
                };
                let (p, q) = (list(p, "W"), list(q, "var"));
                let _ = write!(text, "[[load]]\nnode = 'n{node}'\np = {p}\nq = {q}\n");
            }
        }
        for (number, (from, to, one, zero)) in self.lines.iter().enumerate() {
            let _ = write!(
                text,
                "[[line]]\nname = 'l{number}'\nfrom = 'n{from}'\nto = 'n{to}'\nlength = '1 m'\n\
                 r1 = '{:e} ohm/m'\nx1 = '{:e} ohm/m'\nr0 = '{:e} ohm/m'\nx0 = '{:e} ohm/m'\n",
                one.re, one.im, zero.re, zero.im
            );
        }
        toml::read("net.toml", &text).unwrap_or_else(|refusal| panic!("{refusal}"))
    }
}

/// Currents into loads and network as real equations: rows of real parts, then of imaginary ones.
struct Dense {
    y: DMatrix<nalgebra::Complex<f64>>,
    fed: Vec<Complex64>,
    power_va: Vec<Complex64>,
}

impl Dense {
    fn new(case: &Case, phases: usize) -> Self {
        let unknowns = case.nodes * phases;
        let mut y = DMatrix::zeros(unknowns, unknowns);
        let mut join = |a: usize, b: Option<usize>, one: Complex64, zero: Complex64| {
            let (one, zero) = (1.0 / one, 1.0 / zero);
            for i in 0..phases {
                for j in 0..phases {
                    let own = if i == j { (2.0 * one + zero) / 3.0 } else { (zero - one) / 3.0 };
                    let own = if phases == 1 { one } else { own };
                    let own = nalgebra::Complex::new(own.re, own.im);
                    y[(a * phases + i, a * phases + j)] += own;
                    if let Some(b) = b {
                        y[(b * phases + i, b * phases + j)] += own;
                        y[(a * phases + i, b * phases + j)] -= own;
                        y[(b * phases + i, a * phases + j)] -= own;
                    }
                }
            }
        };
        for &(a, b, one, zero) in &case.lines {
            join(a, Some(b), one, zero);
        }
        let x = VOLTS * VOLTS / SOURCE_VA / 1.01_f64.sqrt();
        let source = c(0.1 * x, x);
        join(0, None, source, source);
        let mut fed = vec![Complex64::ZERO; unknowns];
        let turn = c(-0.5, -(0.75_f64.sqrt()));
        for (phase, fed) in fed[..phases].iter_mut().enumerate() {
            *fed = turn.powu(phase as u32) * (VOLTS / 3f64.sqrt()) / source;
        }
        let power_va = case.power_va.iter().flat_map(|it| it[..phases].to_vec()).collect();
        Self { y, fed, power_va }
    }

    /// What is wrong at these voltages and this share, how it changes with them, with the share.
    fn at(&self, x: &DVector<f64>, share: f64) -> (DVector<f64>, DMatrix<f64>, DVector<f64>) {
        let n = self.fed.len();
        let mut matrix = DMatrix::zeros(2 * n, 2 * n);
        let (mut wrong, mut by) = (DVector::zeros(2 * n), DVector::zeros(2 * n));
        for i in 0..n {
            let v = c(x[i], x[n + i]);
            let drawn = (self.power_va[i] / v).conj();
            let mut sum = drawn * share - self.fed[i];
            for k in 0..n {
                let y = c(self.y[(i, k)].re, self.y[(i, k)].im);
                sum += y * c(x[k], x[n + k]);
                matrix[(i, k)] = y.re;
                matrix[(i, n + k)] = -y.im;
                matrix[(n + i, k)] = y.im;
                matrix[(n + i, n + k)] = y.re;
            }
            // The current follows the conjugate of the voltage.
            let slope = -drawn / v.conj() * share;
            matrix[(i, i)] += slope.re;
            matrix[(i, n + i)] += slope.im;
            matrix[(n + i, i)] += slope.im;
            matrix[(n + i, n + i)] -= slope.re;
            (wrong[i], wrong[n + i]) = (sum.re, sum.im);
            (by[i], by[n + i]) = (drawn.re, drawn.im);
        }
        (wrong, matrix, by)
    }

    fn bordered(matrix: &DMatrix<f64>, by: &DVector<f64>, row: &DVector<f64>) -> DMatrix<f64> {
        let n = by.len();
        let mut all = DMatrix::zeros(n + 1, n + 1);
        all.view_mut((0, 0), (n, n)).copy_from(matrix);
        all.view_mut((0, n), (n, 1)).copy_from(by);
        all.view_mut((n, 0), (1, n + 1)).copy_from(&row.transpose());
        all
    }

    /// Follows the curve of solutions from no load until shares become smaller, and finds the fold;
    /// returns voltages at these shares of it.
    fn fold(&self, shares: &[f64]) -> (f64, Vec<DVector<f64>>) {
        let n = 2 * self.fed.len();
        let mut curve: Vec<DVector<f64>> = Vec::new();
        // Without loads the equations are linear.
        let any = DVector::from_element(n, 1.0);
        let (wrong, matrix, _) = self.at(&any, 0.0);
        let empty = any - matrix.lu().solve(&wrong).unwrap();
        let mut at = empty.push(0.0);
        let mut along = DVector::zeros(n).push(1.0);
        let mut step = 20.0;
        loop {
            curve.push(at.clone());
            let (_, matrix, by) = self.at(&at.rows(0, n).into_owned(), at[n]);
            let unit = DVector::zeros(n).push(1.0);
            along = Self::bordered(&matrix, &by, &along).lu().solve(&unit).unwrap();
            along /= along.norm();
            let next = loop {
                if let Some(next) = self.corrected(&at, &along, step) {
                    break next;
                }
                step *= 0.5;
                assert!(step > 1e-7, "the curve is lost");
            };
            if next[n] < at[n] {
                break;
            }
            (at, step) = (next, (1.5 * step).min(20.0));
        }
        while step > 1e-3 {
            step *= 0.5;
            let next = self.corrected(&at, &along, step).unwrap();
            let (_, matrix, by) = self.at(&next.rows(0, n).into_owned(), next[n]);
            let unit = DVector::zeros(n).push(1.0);
            let onward = Self::bordered(&matrix, &by, &along).lu().solve(&unit).unwrap();
            if onward[n] > 0.0 {
                (at, along) = (next.clone(), &onward / onward.norm());
                curve.push(next);
            }
        }
        let fold = at[n];
        let found = shares.iter().map(|share| {
            let after = curve.partition_point(|it| it[n] < share * fold);
            let (a, b) = (&curve[after - 1], &curve[after]);
            let between = (share * fold - a[n]) / (b[n] - a[n]);
            let mut x = (a + (b - a) * between).rows(0, n).into_owned();
            for _ in 0..20 {
                let (wrong, matrix, _) = self.at(&x, share * fold);
                x -= matrix.lu().solve(&wrong).unwrap();
            }
            x
        });
        (fold, found.collect())
    }

    fn corrected(
        &self,
        at: &DVector<f64>,
        along: &DVector<f64>,
        step: f64,
    ) -> Option<DVector<f64>> {
        let n = at.len() - 1;
        let mut next = at + along * step;
        for _ in 0..6 {
            let (wrong, matrix, by) = self.at(&next.rows(0, n).into_owned(), next[n]);
            let wrong = wrong.push(along.dot(&(&next - at)) - step);
            let change = Self::bordered(&matrix, &by, along).lu().solve(&wrong)?;
            next -= &change;
            if change.norm() < 1e-9 * VOLTS {
                return ((&next - at).norm() < 1.2 * step).then_some(next);
            }
        }
        None
    }
}

const SHARES: [f64; 4] = [0.8, 0.95, 0.99, 0.999];
const BEYOND: [f64; 5] = [1.001, 1.05, 1.1, 1.6, 4.0];

fn off_pu(flow: &Flow, x: &DVector<f64>, phases: usize) -> f64 {
    let n = x.len() / 2;
    let expected = |at: usize| c(x[at], x[n + at]);
    let own = flow.nodes.iter().flat_map(|it| it.voltage_v[..phases].to_vec());
    let off = own.enumerate().map(|(at, v)| (v - expected(at)).norm());
    off.fold(0.0, f64::max) / (VOLTS / 3f64.sqrt())
}

/// A network has the solutions of the curve below its fold, and beyond it none.
fn assert_as_followed(seed: u64, by_phase: bool) {
    let case = &Case::random(seed, by_phase);
    let phases = if by_phase { 3 } else { 1 };
    let (fold, expected) = Dense::new(case, phases).fold(&SHARES);
    let balanced = if by_phase { Phases::All } else { Phases::Balanced };
    for method in [Method::Auto, Method::Sweep, Method::CurrentInjection, Method::Newton] {
        let options = Options { method, phases: balanced, ..Options::default() };
        for (share, x) in SHARES.iter().zip(&expected) {
            let found = flow::solve(&case.network(fold * share), &options);
            let flow =
                found.unwrap_or_else(|failure| panic!("{seed} {method:?} {share}: {failure}"));
            let off = off_pu(&flow, x, phases);
            assert!(off < 1e-5, "{seed} {method:?} at {share} of the most: off by {off} pu");
        }
        for share in BEYOND {
            let found = flow::solve(&case.network(fold * share), &options);
            let Err(Failure::Collapse(it)) = found else {
                panic!("{seed} {method:?} solves {share}: {:?}", found.map(|it| it.nodes))
            };
            assert!(
                (it.share * share - 1.0).abs() < 1e-3,
                "{seed} {method:?} {share}: {}",
                it.share
            );
        }
    }
}

#[test]
fn overloaded_networks_are_solved_up_to_where_voltages_collapse_and_not_beyond() {
    for seed in 0..60 {
        assert_as_followed(seed, false);
    }
    for seed in 0..40 {
        assert_as_followed(seed, true);
    }
}

/// Whether each case of a batch is what the curve of solutions has at its share.
fn cases_are_as_followed<const N: usize>(case: &Case) {
    let (fold, expected) = Dense::new(case, N).fold(&SHARES);
    let network = case.network(fold);
    let batch = Batch::<N>::new(&network, &Options::default()).unwrap();
    let shares: Vec<f64> = SHARES.into_iter().chain(BEYOND).collect();
    let power = |at: usize, load: usize| network.loads[load].power_va.map(|it| it * shares[at]);
    let read = |it: Solved<'_, N>| {
        // What took the sweep more is looked at closely, and no longer the sweep's.
        assert!(it.outcome.is_none_or(|it| it.iterations < 20), "{N}: {:?}", it.outcome);
        it.voltages.to_vec()
    };
    let found = batch.run(shares.len(), 1, power, read);
    let numbers = &batch.circuit().node_of;
    for (at, (found, share)) in found.into_iter().zip(&shares).enumerate() {
        let Some(x) = expected.get(at) else {
            let Err(Failure::Collapse(it)) = found else { panic!("{N}: solves {share}") };
            assert!((it.share * share - 1.0).abs() < 1e-3, "{N}: {share}: {}", it.share);
            continue;
        };
        let voltages = found.unwrap();
        for (k, own) in (0..case.nodes).flat_map(|it| voltages[numbers[it] as usize]).enumerate() {
            let off = own - c(x[k], x[N * case.nodes + k]);
            assert!(off.norm() < 1e-5 * VOLTS, "{N}: at {share}: {off}");
        }
    }
}

/// Swept, factored, and by phase.
#[test]
fn cases_of_a_batch_are_those_that_loads_lead_to() {
    for seed in [3, 5, 11, 12, 17] {
        let mut case = Case::random(seed, false);
        cases_are_as_followed::<1>(&case);
        // So many loops that nothing is swept.
        let far = case.nodes - 1;
        case.lines.extend((0..far - 1).map(|node| (node, far, c(2.0, 3.0), c(6.0, 9.0))));
        cases_are_as_followed::<1>(&case);
        cases_are_as_followed::<3>(&Case::random(seed, true));
    }
}

/// With `Z` between a source `E` and a load `S` per phase and `s = Z conj(S) / E^2`, the voltage
/// is `E (1/2 + sqrt(1/4 - Re s - (Im s)^2) - j Im s)`. The most is where the root is zero.
#[test]
fn two_nodes_have_the_voltage_of_their_closed_form_up_to_the_most() {
    for (z, angle) in [(1.0, 0.3), (3.0, -0.4), (0.2, 1.2), (1.0, -1.0), (5.0, 2.6), (0.5, -2.5)] {
        let x = VOLTS * VOLTS / SOURCE_VA / 1.01_f64.sqrt();
        let (line, e) = (c(z, 2.0), VOLTS / 3f64.sqrt());
        let unit = (line + c(0.1 * x, x)) * Complex64::from_polar(1.0, -angle) / (e * e);
        let most = 0.5 / (unit.norm() + unit.re);
        let power = |share: f64| [Complex64::from_polar(most * share, angle); 3];
        let case = |share| Case {
            nodes: 2,
            lines: vec![(0, 1, line, line)],
            power_va: vec![[Complex64::ZERO; 3], power(share)],
        };
        for share in [0.5, 0.9, 0.99, 0.9999] {
            let s = unit * most * share;
            let u = c(0.5 + (0.25 - s.re - s.im * s.im).sqrt(), -s.im);
            for phases in [Phases::Balanced, Phases::All] {
                let options = Options { phases, ..Options::default() };
                let flow = flow::solve(&case(share).network(1.0), &options).unwrap();
                let off = (flow.nodes[1].voltage_v[0] / e - u).norm();
                assert!(off < 1e-5, "{angle} {share}: {off}");
            }
        }
        for share in [1.0001, 1.01, 1.1] {
            let found = flow::solve(&case(share).network(1.0), &Options::default());
            let Err(Failure::Collapse(it)) = found else { panic!("{angle} solves {share}") };
            assert!((it.share * share - 1.0).abs() < 1e-3, "{}", it.share);
        }
    }
}
