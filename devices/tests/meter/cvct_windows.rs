//! The published meter by windows in closed form: held to itself by samples, reading by reading,
//! and to closed formulas of its transducer and its steps.
//!
//! Limits beside samples: 20 ppm and five standard deviations of the rounding of a window's
//! samples, taken as independent (of a cycle's, where it has nearly a whole number of them); where
//! that number is whole both repeat the same roundings, and 1 ppm holds.

use std::collections::BTreeMap;
use std::f64::consts::{PI, SQRT_2};

use crate::support::{Bench, readings, refused_by, values};
use lastmeter_sim::plan::{Harmonic, OperatingPoint};
use lastmeter_sim::{Program, Streams, Terminal};
use lastmeter_units::SimDuration;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

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

fn terminal(points: &[OperatingPoint]) -> Terminal {
    let program = Program::from_points(points).expect("a program");
    Terminal::from_program(&program, "g", &Streams::new(42)).expect("a terminal")
}

fn run(points: &[OperatingPoint], more: &str, fidelity: &str) -> Vec<Reading> {
    let toml = format!("{FIELDS}fidelity = \"{fidelity}\"\n{more}");
    let mut bench = Bench::of("cvct-stm32f107", &toml, terminal(points));
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
    /// Of the distortions.
    thd_part: f64,
}

/// Both repeat the same samples.
const REPEATED: Limits =
    Limits { part: 1e-6, volts: 0.0, amperes: 0.0, hertz: 1e-9, thd_part: 5e-4 };

impl Limits {
    /// Five standard deviations of noise, of rounding too, over so many samples.
    fn of_noise(volts: f64, amperes: f64, samples: f64) -> Self {
        let five = |noise: f64, step: f64| 5.0 * (noise * noise + step * step / 12.0).sqrt();
        let root = samples.sqrt();
        let (volts, amperes) = (five(volts, STEP_V) / root, five(amperes, STEP_A) / root);
        // A sample at the edge of the band about zero, in one of both but not in the other, moves a
        // crossing by a few microseconds of a reading's two seconds.
        // A window that is 50 microseconds off whole cycles loses 0.3 % of order 40 with samples,
        // and nothing in closed form.
        Self { part: 20e-6, volts, amperes, hertz: 3e-4, thd_part: 5e-3 }
    }
}

/// Holds a reading to another; energies are those since the first reading, of so many seconds.
fn compare(
    [a, a_first]: [&Reading; 2],
    [b, b_first]: [&Reading; 2],
    limits: Limits,
    seconds: f64,
) -> Result<(), TestCaseError> {
    let Limits { part, volts, amperes, hertz, thd_part } = limits;
    let (u, i) = (b[U], b[I]);
    let (of_u, of_i) = (part * u + volts, part * i + amperes);
    let kva = 1e-3 * (part * u * i + volts * i + amperes * u);
    let (s, p, n) = (b[S], net(b, "power.active"), b[N]);
    let of_n2 = (2.0 * s + kva) * kva + (2.0 * p.abs() + kva) * kva;
    let relative = of_u / u + of_i / i.max(1e-9);
    // In points: noise in 49 lines, relative to the fundamental, and what images of straight lines
    // leave.
    let distortion = |thd: f64, of: f64, all: f64| {
        let over_first = (1.0 + 0.01 * thd).powi(2) / all.max(1e-9);
        0.005 + thd_part * thd + 200.0 * of * over_first
    };
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

/// Whether a window is there within a millisecond or so of when a reading is due: 11.5 cycles of
/// the lowest frequency after it began at a zero crossing.
fn is_close_run(point: &OperatingPoint) -> bool {
    let cycle_s = 1.0 / point.frequency_hz;
    let first_s = (1.0 - point.voltage_leads_rad[0] / (2.0 * PI)) * cycle_s;
    [2.0, 4.0, 6.0].into_iter().any(|due_s| {
        let windows = (due_s - 11.5 / 0.845 / 50.0 - first_s) / (10.0 * cycle_s);
        (windows - windows.round()).abs() * 10.0 * cycle_s < 1.5e-3
    })
}

// The same cases each time: limits are five standard deviations of roundings, which now and then a
// case exceeds.
proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2027), ..Default::default() })]

    #[test]
    fn readings_are_those_of_samples_where_cycles_have_whole_samples(
        point in load(prop_oneof![Just(50.0), Just(40.0 * 1.25), Just(10_000.0 / 202.0)]),
        more in errors(),
    ) {
        prop_assume!(!is_close_run(&point));
        compare_all(&both(&[point], &more), REPEATED)?;
    }

    #[test]
    fn readings_are_those_of_samples_off_nominal_frequency(
        point in load(49.0..51.0),
        more in errors(),
        clock_ppm in -300.0..300.0,
    ) {
        prop_assume!(!is_close_run(&point));
        let more = format!("{more}clock_error = \"{clock_ppm} ppm\"\n");
        let per_cycle: f64 = 10_000.0 * (1.0 + 1e-6 * clock_ppm) / point.frequency_hz;
        // Nearly whole samples in a cycle: roundings of one cycle are nearly those of the next.
        let is_near_whole = (per_cycle - per_cycle.round()).abs() < 0.05;
        let samples = if is_near_whole { per_cycle } else { 10.0 * per_cycle };
        compare_all(&both(&[point], &more), Limits::of_noise(0.0, 0.0, samples))?;
    }
}

/// Fundamental and 5th harmonic through one pole at 1 kHz, by its formula: both channels have it,
/// so what differs are magnitudes, and the phases cancel.
#[test]
fn a_harmonic_meets_the_published_response() {
    let (hz, u, i, lag) = (49.77_f64, 220.0, 8.0, 0.7);
    let (u_part, i_part, angle) = (0.1, 0.4, 1.1);
    let line = |share, angle_rad| vec![Harmonic { order: 5, share, angle_rad }];
    let point = OperatingPoint {
        voltage_harmonics: line(u_part, 0.0),
        current_harmonics: line(i_part, angle),
        ..point(99.0, hz, u, i, lag)
    };
    let pole = "transducer_bandwidth = \"1 kHz\"\n";
    let found = run(&[point], pole, "windows").pop().unwrap();
    // Squares of the magnitudes, and what straight lines between samples leave of a line.
    let square = |order: f64| 1.0 / (1.0 + (order * hz / 1000.0).powi(2));
    let straight = |order: f64| {
        let x = PI * order * hz / 10_000.0;
        (x.sin() / x).powi(4)
    };
    let (first, fifth) = (square(1.0), square(5.0));
    let u_rms = u * (first + u_part * u_part * fifth).sqrt();
    let i_rms = i * (first + i_part * i_part * fifth).sqrt();
    // A harmonic's angle counts from the zero of its own channel's fundamental.
    let lag_of_fifth = 5.0 * lag - angle;
    let p = u * i * (first * lag.cos() + u_part * i_part * fifth * lag_of_fifth.cos());
    let q = u * i * first * lag.sin();
    let s = u_rms * i_rms;
    let thd = |part: f64| 100.0 * part * (fifth * straight(5.0) / first / straight(1.0)).sqrt();
    // Five standard deviations of the rounding of nine windows.
    let root = 18_000_f64.sqrt();
    let (volts, amperes) = (5.0 * STEP_V / root, 5.0 * STEP_A / root);
    let of_s = volts * i_rms + amperes * u_rms;
    for (name, found, expected, limit) in [
        ("U", found[U], u_rms, volts),
        ("I", found[I], i_rms, amperes),
        ("P", 1e3 * net(&found, "power.active"), p, of_s),
        ("Q", 1e3 * net(&found, "power.reactive"), q, of_s),
        ("S", 1e3 * found[S], s, of_s),
        ("N", 1e3 * found[N], (s * s - p * p).sqrt(), 3.0 * of_s),
        ("PF", found[PF], p / s, 2.0 * of_s / s),
        ("f", found[F], hz, 1e-4),
        ("THD U", found[U_THD], thd(u_part), 0.01),
        ("THD I", found[I_THD], thd(i_part), 0.01),
    ] {
        println!("{name}: {found:.6} for {expected:.6}, limit {limit:.6}");
        assert!((found - expected).abs() <= limit, "{name}: {found} for {expected}");
    }
}

/// The converter's middle lies a third of a step beside a code. Without a load that is what it
/// shows; a sine within the sixth of a step to the next code changes nothing, and a larger one
/// makes a rectangle.
#[test]
fn small_currents_meet_the_dead_band() {
    let of = |amperes: f64| {
        let found = run(&[point(99.0, 49.77, 230.0, amperes, 0.0)], "", "windows").pop().unwrap();
        (found[I], 1e3 * net(&found, "power.active"))
    };
    for amperes in [0.0, 0.9 * STEP_A / 6.0 / SQRT_2] {
        let (i, p) = of(amperes);
        assert!((i - STEP_A / 3.0).abs() < 1e-6 && p.abs() < 0.1, "{amperes}: {i} A, {p} W");
    }
    for amperes in [0.004, 0.005, 0.007] {
        let (i, p) = of(amperes);
        // For this part of the cycle the code is the next one, two thirds of a step beyond.
        let part = (STEP_A / 6.0 / (amperes * SQRT_2)).acos() / PI;
        let square = STEP_A * STEP_A * ((1.0 - part) + 4.0 * part) / 9.0;
        let fundamental = SQRT_2 / PI * STEP_A * (PI * part).sin();
        println!("{amperes} A: {i} for {}, {p} for {}", square.sqrt(), 230.0 * fundamental);
        assert!((i - square.sqrt()).abs() < 5e-3 * i, "{i} for {}", square.sqrt());
        assert!((p - 230.0 * fundamental).abs() < 5e-3 * p + 0.1, "{p} W");
    }
}

/// Points that change in the middle of windows: both register one energy.
#[test]
fn both_fidelities_register_one_energy_over_changing_loads() {
    let bent = OperatingPoint {
        current_harmonics: vec![Harmonic { order: 3, share: 0.4, angle_rad: 0.3 }],
        ..point(1.17, 49.8, 235.0, 4.0, 0.1)
    };
    let points = [
        point(2.63, 50.0, 230.0, 10.0, 1.0),
        point(0.91, 50.1, 220.0, 0.2, 0.1),
        bent,
        point(99.0, 50.0, 228.0, 3.0, -0.4),
    ];
    let [sampled, closed] = both(&points, "");
    let full_kwh = 2.3 * 4.0 / 3600.0;
    for what in ["active", "apparent"] {
        let energy = |readings: &[Reading]| {
            let register = |reading: &Reading| match what {
                "active" => net(reading, "energy.active"),
                _ => reading["electricity.energy.apparent.l1"],
            };
            register(&readings[2]) - register(&readings[0])
        };
        let (a, b) = (energy(&sampled), energy(&closed));
        println!("{what} energy: {a} for {b} kWh");
        // The window in which the load changes ends with a crossing of either.
        assert!((a - b).abs() < 4e-5 * full_kwh, "{what}: {a} for {b}");
    }
    let (a, b) = (sampled[1][F], closed[1][F]);
    assert!((a - b).abs() < 1e-3, "{a} Hz for {b} Hz");
}

/// Noise is drawn apart: means agree, and so does the spread, that of the frequency too, which the
/// crossings make.
#[test]
fn noise_spreads_readings_alike() {
    // Noise beyond the steps, and noise that moves a small current over some of them.
    for (amperes, noise) in [(5.0, ("2 V", "50 mA")), (0.03, ("150 mV", "5 mA"))] {
        let (of_voltage, of_current) = noise;
        compare_spread(
            amperes,
            &format!("voltage_noise = \"{of_voltage}\"\ncurrent_noise = \"{of_current}\"\n"),
        );
    }
}

fn compare_spread(amperes: f64, more: &str) {
    let all = ["samples", "windows"].map(|fidelity| {
        let terminal = terminal(&[point(99.0, 50.0, 230.0, amperes, 0.8)]);
        let toml = FIELDS.replace("2 s", "0.25 s");
        let toml = format!("{toml}fidelity = \"{fidelity}\"\n{more}");
        let mut bench = Bench::of("cvct-stm32f107", &toml, terminal);
        let all: Vec<_> = readings(&bench.run(600.0)).iter().map(values).collect();
        all.into_iter().skip(2).collect::<Vec<_>>()
    });
    for key in [U, I, F, S, PF] {
        let [(mean, spread), (of_closed, spread_of_closed)] = all.each_ref().map(|readings| {
            let n = readings.len() as f64;
            let mean = readings.iter().map(|r| r[key]).sum::<f64>() / n;
            let square = readings.iter().map(|r| (r[key] - mean).powi(2)).sum::<f64>() / n;
            (mean, square.sqrt())
        });
        let n = all[0].len() as f64;
        assert!((mean - of_closed).abs() < 5.0 * spread * (2.0 / n).sqrt(), "{key}");
        // The logarithm of a ratio of standard deviations spreads by the root of 1/n.
        assert!((spread / spread_of_closed).ln().abs() < 5.0 / n.sqrt(), "{key}");
    }
}

#[test]
fn what_no_closed_form_has_is_refused() {
    for (toml, words) in [
        ("transducer_start = \"1 ms\"", "leave `transducer_start` off"),
        ("recursions = \"as-printed\"", "the recursions as printed"),
        ("window_samples = 256\nquantities = [\"thd\"]", "another number of points"),
    ] {
        let toml = format!("fidelity = \"windows\"\n{toml}");
        let found = refused_by("cvct-stm32f107", &toml, 1, true);
        assert!(found.iter().any(|it| format!("{it:?}").contains(words)), "{found:?}");
    }
    // Written out, the default is what it is without the line.
    let written = "transducer_start = \"5 ms\"\n";
    assert_eq!(run(&[point(99.0, 50.0, 230.0, 1.0, 0.0)], written, "windows").len(), 3);
}

/// A voltage that harmonics bend about its zero moves crossings by tens of microseconds, so that
/// windows are no whole cycles: a current that is largest there gains or loses by it, window by
/// window as with samples.
#[test]
fn windows_that_are_no_whole_cycles_are_those_of_samples() {
    let line = |order, share, angle_rad| Harmonic { order, share, angle_rad };
    let bent = OperatingPoint {
        voltage_harmonics: vec![line(15, 0.04, -2.0), line(16, 0.042, -1.6), line(17, 0.03, -2.4)],
        ..point(99.0, 49.3, 230.0, 15.0, PI / 2.0)
    };
    let [sampled, closed] = [NO_START, ""].map(|start| {
        let fidelity = if start.is_empty() { "windows" } else { "samples" };
        let fields = FIELDS.replace("2 s", "0.25 s");
        let toml = format!("{fields}fidelity = \"{fidelity}\"\n{start}");
        let mut bench = Bench::of("cvct-stm32f107", &toml, terminal(std::slice::from_ref(&bent)));
        readings(&bench.run(30.0)).iter().skip(4).map(values).collect::<Vec<_>>()
    });
    assert_eq!(sampled.len(), closed.len());
    let largest = |of: &dyn Fn(usize) -> f64| (0..closed.len()).map(of).fold(0.0, f64::max);
    let moved_hz = largest(&|k| (closed[k][F] - 49.3).abs());
    let off_hz = largest(&|k| (closed[k][F] - sampled[k][F]).abs());
    let moved_a = largest(&|k| (closed[k][I] - 15.0).abs());
    let off_a = largest(&|k| (closed[k][I] - sampled[k][I]).abs());
    println!("frequency moved by {moved_hz} Hz, off {off_hz}; current by {moved_a} A, off {off_a}");
    assert!(moved_hz > 5e-3 && off_hz < 1e-3 * moved_hz, "{moved_hz} {off_hz}");
    assert!(off_a < 1.2e-3, "{off_a}");
}
