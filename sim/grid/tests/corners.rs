//! Solutions that loads lead to where loads change from one law to another, and where generators of
//! constant impedance raise voltages: two nodes by their closed forms.

use lastmeter_grid::flow::{self, Failure, Options, Phases};
use lastmeter_grid::format::{dss, toml};
use lastmeter_grid::{Complex64, Network};

fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

/// A load of model 1 of `OpenDSS` behind a line, from a source of next to no impedance.
fn corner(kw: f64, power_factor: f64, lowest: f64, turned: f64) -> Network {
    let text = format!(
        "new circuit.corner basekv=0.4 mvasc3=1e7 mvasc1=1e7\n\
         new line.l bus1=sourcebus bus2=home r1={} x1={} r0={0} x0={1} c1=0 c0=0\n\
         new load.a bus1=home.1 phases=1 kv=0.23094010767585 kw={kw} pf={power_factor} model=1 \
         vminpu={lowest} vlowpu={turned}\n",
        LINE.re, LINE.im
    );
    let mut none = |_: &str| Err("no other file".to_owned());
    let read = dss::read("corner.dss", &text, &mut none);
    read.unwrap_or_else(|refusal| panic!("{refusal}")).network
}

const LINE: Complex64 = Complex64::new(0.2, 0.1);
const VOLTS: f64 = 230.940_107_675_85;

/// The share of the load at which it has this voltage, per unit: `|v + s Z conj(S) law(v) / v| = 1`
/// is a quadratic equation for `s`.
fn share_at(v: f64, power_va: Complex64, lowest: f64, turned: f64) -> Option<f64> {
    // Currents go on a straight line from that of the power at `lowest` to that of the rated
    // impedance at `turned`, and are those of that impedance below. If `turned` is not below
    // `lowest`, they are those of the impedance that draws the power at `lowest`.
    let current = if v >= lowest {
        1.0 / v
    } else if turned >= lowest {
        v / (lowest * lowest)
    } else if v <= turned {
        v
    } else {
        turned + (1.0 / lowest - turned) * (v - turned) / (lowest - turned)
    };
    let drop = LINE * power_va.conj() * current / (VOLTS * VOLTS);
    let (a, b, rest) = (drop.norm_sqr(), 2.0 * v * drop.re, v * v - 1.0);
    let root = b * b - 4.0 * a * rest;
    (root >= 0.0).then(|| (root.sqrt() - b) / (2.0 * a))
}

#[test]
fn where_a_load_turns_into_an_impedance_voltages_go_on() {
    let mut beyond = 0;
    for lowest in [0.55, 0.62, 0.7, 0.8, 0.95] {
        for turned in [0.0, 0.3, 0.5] {
            for kw in [40.0, 77.0, 153.0, 256.0, 600.0] {
                for power_factor in [0.95, 1.0, -0.95] {
                    let reactive = 1.0 / (power_factor * power_factor) - 1.0_f64;
                    let power = c(1.0, reactive.sqrt() * f64::signum(power_factor)) * kw * 1e3;
                    let steps = 200_000;
                    let v = |step: usize| 1.1 - step as f64 / f64::from(steps);
                    let shares = (0..steps as usize)
                        .filter_map(|at| Some((v(at), share_at(v(at), power, lowest, turned)?)));
                    // The share rises all the way down to the whole load: there is one solution.
                    let (mut last, mut expected) = (0.0, 0.0);
                    for (v, share) in shares.filter(|(_, share)| *share > 0.0) {
                        assert!(share > last, "{lowest} {turned} {kw} {power_factor}: {v}");
                        (last, expected) = (share, v);
                        if share >= 1.0 {
                            break;
                        }
                    }
                    let network = corner(kw, power_factor, lowest, turned);
                    let flow = flow::solve(&network, &Options::default()).unwrap_or_else(|why| {
                        panic!("{lowest} {turned} {kw} {power_factor}: {why}")
                    });
                    let found = flow.nodes[1].voltage_v[0].norm() / VOLTS;
                    assert!((found - expected).abs() < 2e-5, "{kw}: {found}, expected {expected}");
                    beyond += usize::from(found < lowest);
                }
            }
        }
    }
    assert!(beyond > 100, "{beyond}");
}

/// Of a load: the largest share before the first fold, and the least behind it down to `lowest`.
fn fold(power_va: Complex64, lowest: f64, turned: f64) -> (f64, f64) {
    let steps = 2_000_000;
    let (mut most, mut least) = (0.0, f64::INFINITY);
    for v in (0..steps).map(|step| 1.1 - f64::from(step) / f64::from(steps)) {
        let share = share_at(v, power_va, lowest, turned).unwrap_or(0.0);
        if share <= 0.0 {
            continue;
        }
        if share > most && least == f64::INFINITY {
            most = share;
        } else if v >= lowest {
            least = share;
        }
    }
    (most, least)
}

#[test]
fn a_collapse_before_a_corner_is_one_however_shallow() {
    let (mut shallow, mut beside) = (0, 0);
    for power_factor in [0.95, 1.0, -0.95, -0.9] {
        let reactive = 1.0 / (power_factor * power_factor) - 1.0_f64;
        let power = c(1.0, reactive.sqrt() * f64::signum(power_factor)) * 50e3;
        // Of a constant power: where its fold is does not depend on how large it is.
        let along = (LINE * power.conj()).re / (LINE * power.conj()).norm();
        let bottom = (1.0 / (2.0 + 2.0 * along)).sqrt();
        for below in [0.7, 0.9, 0.95, 0.98, 0.99, 0.995, 1.005, 1.03] {
            let lowest = bottom * below;
            for turned in [0.0, 0.3, lowest] {
                let (most, least) = fold(power, lowest, turned);
                let kw = |share: f64| corner(50.0 * share, power_factor, lowest, turned);
                let solve = |share: f64| flow::solve(&kw(share), &Options::default());
                if below > 1.0 {
                    // The corner comes before the fold: there is none.
                    for over in [0.99, 1.0, 1.01, 1.1] {
                        let at_corner = share_at(lowest, power, lowest, turned).unwrap() * over;
                        assert!(solve(at_corner).is_ok(), "{power_factor} {below} {turned} {over}");
                        beside += 1;
                    }
                    continue;
                }
                assert!(solve(0.999 * most).is_ok(), "{power_factor} {below} {turned}");
                for over in [1.001, 1.003, 1.01, 1.02, 1.04, 1.06, 1.1, 1.3, 2.0] {
                    let what = format!("{power_factor} {below} {turned} {over}");
                    match solve(over * most) {
                        Err(Failure::Collapse(it)) => {
                            let off = (it.share * over - 1.0).abs();
                            assert!(off < 1e-4, "{what}: {}", it.share);
                        }
                        Err(why) => panic!("{what}: {why}"),
                        Ok(flow) => {
                            let v = flow.nodes[1].voltage_v[0].norm() / VOLTS;
                            panic!("{what}: {v} behind a collapse at {most} of {least}");
                        }
                    }
                    shallow += usize::from(least > 0.999 * most);
                }
            }
        }
    }
    assert!(shallow > 100 && beside > 50, "{shallow} {beside}");
}

const KILOVOLTS: f64 = 10.0;
/// From the source to the node, ohm; the source has next to none.
const FAR: Complex64 = Complex64::new(40.0, 12.0);

fn raised(generator_mw: f64, load_mw: f64) -> Network {
    let text = format!(
        "format = 1\nvoltage = '{KILOVOLTS} kV'\nnode = [{{ name = 'a' }}, {{ name = 'b' }}]\n\
         source = [{{ node = 'a', short_circuit_power = '1e9 MVA' }}]\n\
         line = [{{ name = 'l', from = 'a', to = 'b', length = '1 km', r1 = '{} ohm/km', \
         x1 = '{} ohm/km' }}]\n\
         load = [{{ name = 'load', node = 'b', p = '{load_mw} MW' }}]\n\
         generator = [{{ name = 'generator', node = 'b', p = '{generator_mw} MW', \
         model = 'impedance' }}]\n",
        FAR.re, FAR.im
    );
    toml::read("raised.toml", &text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// What a generator of the conductance `-s g` leaves of the source for a load `s S`: with
/// `D = 1 - s g Z` there is a solution while `E^2 >= 2 s (|Z S D| + Re(Z conj(S D)))`.
#[test]
fn generators_of_constant_impedance_lead_no_further_than_to_where_voltages_collapse() {
    let square = KILOVOLTS * KILOVOLTS;
    let (mut collapsed, mut solved) = (0, 0);
    for generator in [0.3, 1.0, 2.0, 3.0, 5.0, 8.0] {
        for load in [0.1, 0.4, 1.1, 2.3, 5.7] {
            let turned = |s: f64| c(1.0, 0.0) - FAR * (s * generator / square);
            let needed = |s: f64| {
                let of_load = FAR * load * turned(s).conj();
                2.0 * s * ((FAR * load * turned(s)).norm() + of_load.re)
            };
            let shares = (1..=1_000_000).map(|at| f64::from(at) / 1e6);
            let most = shares.into_iter().find(|&s| needed(s) > square);
            for phases in [Phases::Balanced, Phases::All] {
                let options = Options { phases, ..Options::default() };
                match (flow::solve(&raised(generator, load), &options), most) {
                    (Ok(flow), None) => {
                        // What is left is a source behind an impedance, and a constant power.
                        let (e, z) = (KILOVOLTS / turned(1.0), FAR / turned(1.0));
                        let half = e.norm_sqr() / 2.0 - z.re * load;
                        let high = half + (half * half - z.norm_sqr() * load * load).sqrt();
                        let found = flow.nodes[1].voltage_v[0].norm() * 3f64.sqrt() / 1e3;
                        let off = (found / high.sqrt() - 1.0).abs();
                        assert!(off < 1e-5, "{generator} {load}: {found}, not {}", high.sqrt());
                        solved += 1;
                    }
                    (Err(Failure::Collapse(it)), Some(most)) => {
                        let off = (it.share / most - 1.0).abs();
                        assert!(off < 1e-3, "{generator} {load}: {} {most}", it.share);
                        collapsed += 1;
                    }
                    (found, most) => {
                        let found = found.map(|it| it.nodes[1].voltage_v[0].norm());
                        panic!("{generator} {load}: {found:?}, expected {most:?}");
                    }
                }
            }
        }
    }
    assert!(solved > 10 && collapsed > 10, "{solved} {collapsed}");
}
