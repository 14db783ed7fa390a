//! The published meter by windows in closed form: held to itself by samples, reading by reading,
//! and to closed formulas of its transducer and its steps.
//!
//! Limits beside samples: 20 ppm and five standard deviations of the rounding of a window's
//! samples, taken as independent; where a cycle has a whole number of samples both repeat the same
//! roundings, and 1 ppm holds.

use std::collections::BTreeMap;
use std::f64::consts::{PI, SQRT_2};

use crate::support::{Bench, readings, values};
use lastmeter_sim::plan::{Harmonic, OperatingPoint};
use lastmeter_sim::{Program, Streams, Terminal};
use lastmeter_units::SimDuration;
use proptest::prelude::*;

const FIELDS: &str = "report_every = \"2 s\"\n\
    quantities = [\"voltage\", \"current\", \"active_power\", \"reactive_power\", \
    \"apparent_power\", \"power_factor\", \"frequency\", \"active_energy\", \"reactive_energy\", \
    \"apparent_energy\", \"thd\", \"non_active_power\", \"phase_angle\"]\n";

/// A start that is over before the first sample but one; that one is off, and by it the first
/// reading, if the first window begins near it.
const NO_START: &str = "transducer_start = \"1 us\"\n";

/// A step of 3.6 V over 4096 codes; 1.5 V are 460 V and 30 A, each times the root of two.
const STEP_V: f64 = 3.6 / 4096.0 / 1.5 * 460.0 * SQRT_2;
const STEP_A: f64 = 3.6 / 4096.0 / 1.5 * 30.0 * SQRT_2;

const SECONDS: f64 = 6.0;

type Reading = BTreeMap<&'static str, f64>;

const U: &str = "electricity.voltage.rms.l1";
const I: &str = "electricity.current.rms.l1";
const S: &str = "electricity.power.apparent.l1";
const F: &str = "electricity.frequency";
const PF: &str = "electricity.powerFactor.l1";
const N: &str = "x.electricity.power.nonactive.l1";
const U_THD: &str = "x.electricity.voltage.thd.l1";
const I_THD: &str = "x.electricity.current.thd.l1";

fn net(reading: &Reading, what: &str) -> f64 {
    let of = |way: &str| reading[format!("electricity.{what}.{way}.l1").as_str()];
    of("consumed") - of("injected")
}

fn point(seconds: f64, hz: f64, u: f64, i: f64, lag: f64) -> OperatingPoint {
    OperatingPoint {
        current_lags_rad: vec![lag],
        ..OperatingPoint::balanced(SimDuration::from_seconds_f64(seconds), 1, hz, u, i)
    }
}

fn run(points: &[OperatingPoint], more: &str, fidelity: &str) -> Vec<Reading> {
    let program = Program::from_points(points).unwrap();
    let terminal = Terminal::from_program(&program, "g", &Streams::new(42)).unwrap();
    let toml = format!("{FIELDS}fidelity = \"{fidelity}\"\n{more}");
    let mut bench = Bench::of("cvct-stm32f107", &toml, terminal);
    readings(&bench.run(SECONDS)).iter().map(values).collect()
}

fn both(points: &[OperatingPoint], more: &str) -> [Vec<Reading>; 2] {
    let sampled = run(points, &format!("{more}{NO_START}"), "samples");
    [sampled, run(points, more, "windows")]
}

/// Limits of voltage and current beyond 20 ppm of them.
#[derive(Clone, Copy)]
struct Limits {
    part: f64,
    volts: f64,
    amperes: f64,
    hertz: f64,
}

/// Both repeat the same samples.
const REPEATED: Limits = Limits { part: 1e-6, volts: 0.0, amperes: 0.0, hertz: 1e-9 };

impl Limits {
    /// Five standard deviations of noise, of rounding too, over the samples of a window.
    fn of_noise(volts: f64, amperes: f64) -> Self {
        let five = |noise: f64, step: f64| 5.0 * (noise * noise + step * step / 12.0).sqrt();
        let root = 2000_f64.sqrt();
        let (volts, amperes) = (five(volts, STEP_V) / root, five(amperes, STEP_A) / root);
        // A sample at the edge of the band about zero, in one of both but not in the other, moves a
        // crossing by a few microseconds of a reading's two seconds.
        Self { part: 20e-6, volts, amperes, hertz: 1e-4 }
    }
}

/// Holds a reading to another; energies are those since the first reading, of so many seconds.
fn compare(
    [a, a_first]: [&Reading; 2],
    [b, b_first]: [&Reading; 2],
    limits: Limits,
    seconds: f64,
) -> Result<(), TestCaseError> {
    let Limits { part, volts, amperes, hertz } = limits;
    let (u, i) = (b[U], b[I]);
    let (of_u, of_i) = (part * u + volts, part * i + amperes);
    let kva = 1e-3 * (part * u * i + volts * i + amperes * u);
    let (s, p, n) = (b[S], net(b, "power.active"), b[N]);
    let of_n2 = (2.0 * s + kva) * kva + (2.0 * p.abs() + kva) * kva;
    let relative = of_u / u + of_i / i.max(1e-9);
    // In points: noise in 49 lines, and what images of straight lines leave.
    let distortion =
        |thd: f64, of: f64, all: f64| 0.005 + 5e-4 * thd + 200.0 * of / all.max(1e-9);
    let limit_kwh = kva * seconds / 3600.0;
    let energy = |of: fn(&Reading) -> f64| [of(a) - of(a_first), of(b) - of(b_first)];
    let active = energy(|reading| net(reading, "energy.active"));
    let reactive = energy(|reading| net(reading, "energy.reactive"));
    let apparent = energy(|reading| reading["electricity.energy.apparent.l1"]);
    for (name, a, b, limit) in [
        ("U", a[U], u, of_u),
        ("I", a[I], i, of_i),
        ("P", net(a, "power.active"), p, kva),
        ("Q", net(a, "power.reactive"), net(b, "power.reactive"), kva),
        ("S", a[S], s, kva),
        ("N^2", a[N] * a[N], n * n, of_n2),
        ("PF", a[PF], b[PF], relative),
        ("f", a[F], b[F], hertz),
        ("THD U", a[U_THD], b[U_THD], distortion(b[U_THD], volts, u)),
        ("THD I", a[I_THD], b[I_THD], distortion(b[I_THD], amperes, i)),
        ("active energy", active[0], active[1], limit_kwh),
        ("reactive energy", reactive[0], reactive[1], limit_kwh),
        ("apparent energy", apparent[0], apparent[1], limit_kwh),
    ] {
        prop_assert!((a - b).abs() <= limit, "{name}: {a} for {b}, limit {limit}");
    }
    Ok(())
}

fn compare_all([sampled, closed]: &[Vec<Reading>; 2], limits: Limits) -> Result<(), TestCaseError> {
    prop_assert_eq!((sampled.len(), closed.len()), (3, 3));
    for k in [1, 2] {
        let seconds = 2.0 * k as f64;
        compare([&sampled[k], &sampled[0]], [&closed[k], &closed[0]], limits, seconds)?;
    }
    Ok(())
}

/// Harmonics to an order, of no more than a part, and all together no steeper than the fundamental.
fn lines(part_max: f64, steep_max: f64, order_max: u32) -> impl Strategy<Value = Vec<Harmonic>> {
    let line = (2..=order_max, 0.0..1.0, -PI..PI).prop_map(move |(order, part, angle_rad)| {
        let share = part * part_max.min(steep_max / f64::from(order));
        Harmonic { order, share, angle_rad }
    });
    prop::collection::vec(line, 0..4).prop_map(|mut lines| {
        lines.sort_by_key(|line| line.order);
        lines.dedup_by_key(|line| line.order);
        lines
    })
}

prop_compose! {
    fn load(hertz: impl Strategy<Value = f64>)(
        hz in hertz,
        // Not just below the band about zero: the spoilt first sample may be all that is.
        (u, lead) in (100.0..300.0, 0.0..5.8),
        i in prop_oneof![Just(0.0), 0.002..0.5, 0.5..15.0],
        lag in -PI..PI,
        voltage_harmonics in lines(0.08, 0.3, 25),
        current_harmonics in lines(0.3, 10.0, 40),
    ) -> OperatingPoint {
        OperatingPoint {
            voltage_leads_rad: vec![lead],
            voltage_harmonics,
            current_harmonics,
            ..point(99.0, hz, u, i, lag)
        }
    }
}

prop_compose! {
    fn errors()(
        gains in (-0.01..0.01, -0.01..0.01),
        offset in -0.05..0.05,
        phase in -0.5..0.5,
    ) -> String {
        format!(
            "voltage_gain_error = \"{} %\"\ncurrent_gain_error = \"{} %\"\n\
             current_offset = \"{offset} A\"\nphase_error = \"{phase} deg\"\n",
            gains.0, gains.1
        )
    }
}

proptest! {
    #[test]
    fn readings_are_those_of_samples_where_cycles_have_whole_samples(
        point in load(prop_oneof![Just(50.0), Just(40.0 * 1.25), Just(10_000.0 / 202.0)]),
        more in errors(),
    ) {
        compare_all(&both(&[point], &more), REPEATED)?;
    }

    #[test]
    fn readings_are_those_of_samples_off_nominal_frequency(
        point in load(49.0..51.0),
        more in errors(),
        clock_ppm in -300.0..300.0,
    ) {
        let more = format!("{more}clock_error = \"{clock_ppm} ppm\"\n");
        compare_all(&both(&[point], &more), Limits::of_noise(0.0, 0.0))?;
    }
}
