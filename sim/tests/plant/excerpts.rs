//! Computed waveforms in place of the tones: what is rendered, and what is true of them, against
//! the straight lines written down here once more and integrated cell by cell.

use super::disturbances::{ALL, at, seconds};
use super::*;
use lastmeter_sim::disturbance::{Change, Side};
use lastmeter_sim::plan::OperatingPoint;
use lastmeter_sim::{Excerpt, ExcerptError, Program, TerminalError};
use proptest::prelude::*;
use std::f64::consts::{PI, SQRT_2, TAU};
use std::sync::Arc;

const LAG_RAD: f64 = PI / 6.0;

/// 230 V and 10 A of 50 Hz, the current behind, in one or three phases.
fn points(phases: usize) -> Program {
    let mut point = OperatingPoint::balanced(seconds(1.0), phases, 50.0, 230.0, 10.0);
    point.current_lags_rad = vec![LAG_RAD; phases];
    Program::from_points(&[point]).expect("a program")
}

pub(crate) fn played(mut program: Program, excerpts: Vec<Excerpt>) -> Terminal {
    program.play(excerpts.into_iter().map(Arc::new).collect()).expect("excerpts");
    Terminal::from_program(&program, "test", &Streams::new(1)).expect("a terminal")
}

/// One phase of tones with excerpts.
pub(crate) fn with_excerpts(excerpts: Vec<Excerpt>) -> Terminal {
    played(points(1), excerpts)
}

/// An excerpt of one phase from its instants and their values.
pub(crate) fn excerpt(from_s: f64, at_s: Vec<f64>, values: Vec<(f64, f64)>) -> Excerpt {
    let (u, i): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
    let (voltages_v, currents_a) = (vec![Arc::new(u)], vec![Arc::new(i)]);
    Excerpt { from: seconds(from_s), at_s: Arc::new(at_s), voltages_v, currents_a }
}

/// An excerpt of functions of the time since the scenario's start, every so many seconds.
pub(crate) fn drawn(
    from_s: f64,
    length_s: f64,
    step_s: f64,
    u: impl Fn(f64) -> f64,
    i: impl Fn(f64) -> f64,
) -> Excerpt {
    let steps = (length_s / step_s).round() as usize;
    let at_s: Vec<f64> = (0..=steps).map(|k| k as f64 * length_s / steps as f64).collect();
    let values = at_s.iter().map(|t| (u(from_s + t), i(from_s + t))).collect();
    excerpt(from_s, at_s, values)
}

pub(crate) fn sine_u(t: f64) -> f64 {
    230.0 * SQRT_2 * (TAU * 50.0 * t).sin()
}

pub(crate) fn sine_i(t: f64) -> f64 {
    10.0 * SQRT_2 * (TAU * 50.0 * t - LAG_RAD).sin()
}

/// Where the value of a channel lies at seconds since the excerpt's beginning, looked for from its
/// first line on; not to be asked for on a jump.
fn on_lines(at_s: &[f64], values: &[f64], t: f64) -> f64 {
    for k in 1..at_s.len() {
        if t <= at_s[k] && at_s[k] > at_s[k - 1] {
            let x = (t - at_s[k - 1]) / (at_s[k] - at_s[k - 1]);
            return (1.0 - x) * values[k - 1] + x * values[k];
        }
    }
    panic!("{t} s is not in the excerpt")
}

/// Means of u, i, u^2, i^2 and u i between seconds since the excerpt's beginning: two points of
/// Gauss in each cell of 20 us and less that no instant lies within.
fn cells(excerpt: &Excerpt, from_s: f64, to_s: f64) -> [f64; 5] {
    let mut borders: Vec<f64> =
        excerpt.at_s.iter().copied().filter(|t| *t > from_s && *t < to_s).collect();
    let count = ((to_s - from_s) / 20e-6).ceil() as usize;
    borders.extend((0..=count).map(|k| from_s + (to_s - from_s) * k as f64 / count as f64));
    borders.sort_by(f64::total_cmp);
    let mut sums = [0.0; 5];
    for pair in borders.windows(2) {
        let (middle, half) = (0.5 * (pair[0] + pair[1]), 0.5 * (pair[1] - pair[0]));
        // A cell between two spellings of one instant has no inside.
        if half < 1e-15 {
            continue;
        }
        for point in [-1.0, 1.0] {
            let t = middle + point * half / 3.0_f64.sqrt();
            let u = on_lines(&excerpt.at_s, &excerpt.voltages_v[0], t);
            let i = on_lines(&excerpt.at_s, &excerpt.currents_a[0], t);
            for (sum, value) in sums.iter_mut().zip([u, i, u * u, i * i, u * i]) {
                *sum += value * half;
            }
        }
    }
    sums.map(|sum| sum / (to_s - from_s))
}

/// A jagged waveform: lines of 1 us to 3 ms, every fourth or so followed by a jump.
pub(crate) fn any_jagged() -> impl Strategy<Value = Excerpt> {
    let value = || -400.0..400.0_f64;
    let line = (1.0..3000.0_f64, 0_u8..4, value(), value(), value(), value());
    prop::collection::vec(line, 2..60).prop_map(|lines| {
        let (mut at_s, mut values, mut t) = (vec![0.0], vec![(1.0, 2.0)], 0.0);
        let last = lines.len() - 1;
        for (k, (length_us, jump, u, i, next_u, next_i)) in lines.into_iter().enumerate() {
            t += length_us * 1e-6;
            at_s.push(t);
            values.push((u, i));
            if jump == 0 && k < last {
                at_s.push(t);
                values.push((next_u, next_i));
            }
        }
        excerpt(0.137, at_s, values)
    })
}

#[test]
fn a_sine_every_ten_microseconds_is_the_tone_but_for_its_straight_lines() {
    // Of a sine of angular frequency w, lines between instants d apart have the mean square
    // (2 + cos(w d)) / 3 of it, 1 - (w d)^2 / 6, and the fundamental sinc(w d / 2)^2 of it.
    let step = TAU * 50.0 * 10e-6;
    let (square, fundamental) =
        ((2.0 + step.cos()) / 3.0, ((step / 2.0).sin() / (step / 2.0)).powi(4));
    assert!((1.0 - square) < 1.7e-6 && (1.0 - fundamental) < 1.7e-6);
    let phases = points(3);
    let tones = Terminal::from_program(&phases, "test", &Streams::new(1)).unwrap();
    let turned = |phase: usize, t: f64| t - phase as f64 / 150.0;
    let mut sampled = drawn(0.5, 0.4, 10e-6, sine_u, sine_i);
    for phase in 1..3 {
        let other =
            drawn(0.5, 0.4, 10e-6, |t| sine_u(turned(phase, t)), |t| sine_i(turned(phase, t)));
        sampled.voltages_v.extend(other.voltages_v);
        sampled.currents_a.extend(other.currents_a);
    }
    let found = played(phases, vec![sampled]);
    // By length of excerpt in it over that of the span. Lines begin and end with whole cycles.
    for (from_s, to_s, share) in
        [(0.52, 0.74, 1.0), (0.3, 0.7, 0.5), (0.7, 1.1, 0.5), (0.0, 2.0, 0.2)]
    {
        for (name, factor, power) in [
            ("electricity.voltage.rms.l2", square, 0.5),
            ("electricity.current.rms.l3", square, 0.5),
            ("electricity.power.active.consumed.total", square, 1.0),
            ("electricity.power.reactive.consumed.total", fundamental, 1.0),
            ("electricity.power.apparent.l1", square, 1.0),
            ("electricity.frequency", 1.0, 1.0),
        ] {
            let [a, b] = [&found, &tones].map(|t| value(t, name, span(from_s, to_s)).unwrap());
            let expected = b * (share * factor + 1.0 - share).powf(power);
            assert_close(a, expected, 2e-11 * expected, name);
        }
        for (name, factor) in [
            ("electricity.energy.active.consumed.total", square),
            ("electricity.energy.reactive.consumed.l2", fundamental),
            ("electricity.energy.apparent.l3", square),
        ] {
            let registers = ReferenceSpan { registers_from: seconds(from_s), ..span(from_s, to_s) };
            let [a, b] = [&found, &tones].map(|t| value(t, name, registers).unwrap());
            let expected = b * (share * factor + 1.0 - share);
            assert_close(a, expected, 2e-11 * expected, name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn means_are_those_of_the_lines(
        excerpt in any_jagged(), cuts in prop::collection::vec(0.0..1.0_f64, 2),
    ) {
        let length_s = excerpt.at_s.last().unwrap();
        let terminal = with_excerpts(vec![excerpt.clone()]);
        // Ends of spans are whole nanoseconds.
        let ends = [cuts[0].min(cuts[1]), cuts[0].max(cuts[1])];
        let ends = ends.map(|share| ((share * length_s) * 1e9).floor() / 1e9);
        prop_assume!(ends[1] - ends[0] > 1e-6);
        let [u, i, u2, i2, ui] = cells(&excerpt, ends[0], ends[1]);
        let asked = span(0.137 + ends[0], 0.137 + ends[1]);
        let found = |name: &str| value(&terminal, name, asked).unwrap();
        let close = |name: &str, expected: f64, scale: f64| {
            assert_close(found(name), expected, 1e-11 * scale, name);
        };
        // A span's ends are rounded to the last bit of seconds: 1e-16 of at most 1 s, over 1 us.
        let scale = 400.0 + 1e-7 * 400.0 / (ends[1] - ends[0]);
        close("electricity.voltage.rms.l1", u2.sqrt(), scale);
        close("electricity.current.rms.l1", i2.sqrt(), scale);
        close("x.electricity.voltage.mean.l1", u, scale);
        close("x.electricity.current.mean.l1", i, scale);
        close("electricity.power.active.consumed.l1", ui.max(0.0), scale * 400.0);
        close("electricity.power.active.injected.l1", (-ui).max(0.0), scale * 400.0);
        let registers = ReferenceSpan { registers_from: asked.from, ..asked };
        let net = ["consumed", "injected"].map(|direction| {
            let name = format!("electricity.energy.active.{direction}.l1");
            value(&terminal, &name, registers).unwrap()
        });
        let joules = ui * (ends[1] - ends[0]);
        assert_close(net[0] - net[1], joules, 1e-11 * scale * 400.0, "net");
    }

    /// What is rendered is the line at the sample's instant, the tones outside of it, and no bit of
    /// it depends on the cut.
    #[test]
    fn every_sample_is_on_its_line(
        excerpt in any_jagged(), rate_hz in 1000.0..40_000.0_f64,
        cuts in prop::collection::vec(1_usize..500, 1..30),
    ) {
        let length_s = *excerpt.at_s.last().unwrap();
        let terminal = with_excerpts(vec![excerpt.clone()]);
        let samples = (rate_hz * (0.137 + length_s + 0.01)) as usize;
        let whole = render(&terminal, 0, rate_hz, samples);
        for k in 0..samples {
            let t = k as f64 / rate_hz - 0.137;
            let is_near = |border: f64| (t - border).abs() < 1e-12;
            if excerpt.at_s.iter().any(|border| is_near(*border)) {
                continue;
            }
            let is_in = t > 0.0 && t < length_s;
            let line = |values: &[f64]| on_lines(&excerpt.at_s, values, t);
            let (u, i) = if is_in {
                (line(&excerpt.voltages_v[0]), line(&excerpt.currents_a[0]))
            } else {
                (sine_u(t + 0.137), sine_i(t + 0.137))
            };
            // An instant is rounded by 1e-16 s, and the steepest line is 800 V in 1 us.
            assert_close(whole.voltages[0][k], u, 1e-6, "voltage");
            assert_close(whole.currents[0][k], i, 1e-6, "current");
        }
        let (mut done, mut cuts) = (0, cuts.into_iter().cycle());
        while done < samples {
            let count = cuts.next().unwrap().min(samples - done);
            let part = render(&terminal, done as u64, rate_hz, count);
            prop_assert_eq!(&part.voltages[0][..], &whole.voltages[0][done..done + count]);
            prop_assert_eq!(&part.currents[0][..], &whole.currents[0][done..done + count]);
            done += count;
        }
    }

    /// Whatever may be played can be asked for: at any frequency, of any length, with any values.
    #[test]
    fn nothing_that_is_played_gives_a_panic(
        steps in prop::collection::vec(-15.0..3.0_f64, 2..12),
        hertz in -3.0..12.0_f64,
        scale in -310.0..308.0_f64,
        ends in prop::collection::vec(0_i64..4_000_000_000, 2),
    ) {
        let mut at_s = vec![0.0];
        at_s.extend(steps.iter().scan(0.0, |t, step| {
            *t += 10.0_f64.powf(*step);
            Some(*t)
        }));
        let values = (0..at_s.len()).map(|k| (10.0_f64.powf(scale) * k as f64, 1.0)).collect();
        let odd = excerpt(1.0, at_s, values);
        let point =
            OperatingPoint::balanced(seconds(1.0), 1, 10.0_f64.powf(hertz), 230.0, 10.0);
        let mut program = Program::from_points(&[point]).unwrap();
        let is_played = program.play(vec![Arc::new(odd.clone())]);
        prop_assert_eq!(is_played.is_ok(), odd.check().is_ok());
        let Ok(terminal) = Terminal::from_program(&program, "test", &Streams::new(1)) else {
            return Ok(());
        };
        let (from, to) = (SimDuration(ends[0].min(ends[1])), SimDuration(ends[0].max(ends[1])));
        let asked = ReferenceSpan { from, to, registers_from: from };
        for name in ["power.active.consumed", "power.reactive.injected", "energy.apparent"] {
            let _ = value(&terminal, &format!("electricity.{name}.l1"), asked);
        }
        for rate_hz in [10_000.0, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            let _ = render(&terminal, 9_999, rate_hz, 30);
        }
        for at in [from, to, seconds(1.0), SimDuration(1_000_000_001), SimDuration(i64::MAX)] {
            let stretch = terminal.spectrum_at(at).expect("tones");
            prop_assert!(stretch.until.is_none_or(|until| until > at));
        }
    }

    /// Registers of parts make those of the whole, of all that is consumed less what is injected.
    #[test]
    fn registers_add_up_over_excerpts(
        first in any_jagged(), second in any_jagged(),
        cuts in prop::collection::vec(0_i64..900_000_000, 1..8),
    ) {
        let later = Excerpt { from: first.from + SimDuration(250_000_000), ..second };
        let end = first.from.0 + (first.at_s.last().unwrap() * 1e9) as i64;
        let within = first.from.0..=end;
        let terminal = with_excerpts(vec![first, later]);
        let mut cuts = cuts;
        cuts.extend([0, 900_000_000]);
        cuts.sort_unstable();
        let net = |kind: &str, from: i64, to: i64| {
            let (from, to) = (SimDuration(from), SimDuration(to));
            let span = ReferenceSpan { from, to, registers_from: from };
            let of = |name: String| value(&terminal, &name, span).unwrap();
            if kind == "apparent" {
                return of("electricity.energy.apparent.l1".to_owned());
            }
            let [consumed, injected] = ["consumed", "injected"]
                .map(|direction| of(format!("electricity.energy.{kind}.{direction}.l1")));
            consumed - injected
        };
        for kind in ["active", "reactive", "apparent"] {
            // The apparent energy of tones does not add up over parts of a cycle.
            if kind == "apparent" {
                cuts.extend([*within.start(), *within.end()]);
                cuts.retain(|cut| within.contains(cut));
                cuts.sort_unstable();
            }
            let sum: f64 = cuts.windows(2).map(|pair| net(kind, pair[0], pair[1])).sum();
            let whole = net(kind, cuts[0], cuts[cuts.len() - 1]);
            assert_close(sum, whole, 1e-7, kind);
        }
    }
}

#[test]
fn on_a_jump_and_on_a_border_the_value_is_the_mean_of_both_sides() {
    // From 15 ms, at the peak of a cycle, to 35 ms, at the next trough's opposite.
    let jumps = excerpt(
        0.015,
        vec![0.0, 0.01, 0.01, 0.02],
        vec![(10.0, 1.0), (20.0, 1.0), (60.0, 3.0), (60.0, 5.0)],
    );
    let terminal = with_excerpts(vec![jumps]);
    for rate_hz in [1000.0, 10_000.0, 8000.0, 12_800.0] {
        let block = render(&terminal, 0, rate_hz, (0.05 * rate_hz) as usize);
        let sample = |at_s: f64| (at_s * rate_hz).round() as usize;
        let u = |at_s: f64| block.voltages[0][sample(at_s)];
        assert_close(u(0.015), 0.5 * (sine_u(0.015) + 10.0), 1e-9, "begins");
        assert_close(u(0.020), 15.0, 1e-9, "first line");
        assert_close(u(0.025), 40.0, 1e-9, "jump");
        assert_close(block.currents[0][sample(0.025)], 2.0, 1e-9, "jump");
        assert_close(u(0.030), 60.0, 1e-9, "second line");
        assert_close(u(0.035), 0.5 * (sine_u(0.035) + 60.0), 1e-9, "ends");
        assert_close(u(0.040), sine_u(0.040), 1e-9, "afterwards");
    }
}

#[test]
fn jumps_at_the_very_ends_have_their_inner_side() {
    let at_s = vec![0.0, 0.0, 0.02, 0.02];
    let odd = excerpt(0.1, at_s, vec![(1e6, 1e6), (3.0, 1.0), (5.0, 1.0), (1e6, 1e6)]);
    // Another begins where it ends.
    let next = excerpt(0.12, vec![0.0, 0.02], vec![(9.0, 1.0), (9.0, 1.0)]);
    let terminal = with_excerpts(vec![odd, next]);
    let u = &render(&terminal, 0, 10_000.0, 1500).voltages[0];
    assert_close(u[1000], 0.5 * (sine_u(0.1) + 3.0), 1e-9, "begins");
    assert_close(u[1100], 4.0, 1e-9, "within");
    assert_close(u[1200], 0.5 * (5.0 + 9.0), 1e-9, "one after the other");
    let name = "x.electricity.voltage.mean.l1";
    assert_close(value(&terminal, name, span(0.1, 0.14)).unwrap(), 6.5, 1e-12, "mean");
}

#[test]
fn outside_of_an_excerpt_no_bit_differs() {
    // Noise is part of the tones, and not of what is played in their place.
    let mut point = OperatingPoint::balanced(seconds(1.0), 1, 50.0, 230.0, 10.0);
    point.voltage_noise_v = 0.5;
    let mut program = Program::from_points(&[point]).unwrap();
    program.disturb(at(0.3, Some(0.4), Change::Frequency { to_hz: 49.0, over: seconds(1.0) }));
    let angle = Change::Angle { side: Side::Voltage, phases: ALL, by_rad: 1.0, over: seconds(0.0) };
    program.disturb(at(0.65, None, angle));
    let tones = Terminal::from_program(&program, "test", &Streams::new(1)).unwrap();
    let flat = excerpt(0.5, vec![0.0, 0.2], vec![(1.0, 1.0); 2]);
    let found = played(program, vec![flat]);
    let [a, b] = [&found, &tones].map(|terminal| render(terminal, 0, 9999.0, 20_000));
    let (begin, end) = (5000, 7000);
    assert_eq!(a.voltages[0][..begin], b.voltages[0][..begin]);
    assert_eq!(a.currents[0][..begin], b.currents[0][..begin]);
    assert_eq!(a.voltages[0][end..], b.voltages[0][end..]);
    assert!(a.voltages[0][begin..end - 1].iter().all(|u| *u == 1.0));
    // Its frequency is that of the tones.
    let name = "electricity.frequency";
    for (from_s, to_s) in [(0.55, 0.6), (0.55, 0.69), (0.2, 1.0), (0.68, 0.9)] {
        let [a, b] = [&found, &tones].map(|t| value(t, name, span(from_s, to_s)).unwrap());
        assert_close(a, b, 1e-12, &format!("{from_s} {to_s}"));
    }
    assert_close(value(&found, name, span(0.6, 0.6)).unwrap(), 49.7, 1e-12, "at an instant");
}

#[test]
fn a_computed_waveform_has_no_reference_of_harmonics() {
    let whole = drawn(0.2, 0.2, 1e-4, sine_u, sine_i);
    let terminal = with_excerpts(vec![whole]);
    for name in ["x.electricity.voltage.thd.l1", "electricity.current.phase.l1"] {
        for (from_s, to_s) in [(0.25, 0.3), (0.1, 0.3), (0.3, 0.5)] {
            assert_eq!(value(&terminal, name, span(from_s, to_s)), None, "{name}");
        }
        assert!(value(&terminal, name, span(0.4, 0.5)).is_some(), "{name}");
    }
    let one = drawn(0.2, 0.2, 1e-4, sine_u, sine_i);
    let three = Excerpt {
        voltages_v: vec![one.voltages_v[0].clone(); 3],
        currents_a: vec![one.currents_a[0].clone(); 3],
        ..one
    };
    let terminal = played(points(3), vec![three]);
    let unbalance = |from_s: f64, to_s: f64| {
        value(&terminal, "x.electricity.voltage.unbalance.negative", span(from_s, to_s))
    };
    assert_eq!([unbalance(0.25, 0.3), unbalance(0.0, 0.5)], [None, None]);
    assert_close(unbalance(0.0, 0.2).unwrap(), 0.0, 1e-12, "before");
}

#[test]
fn windows_of_apparent_power_go_through_an_excerpt() {
    // Twice the current for 0.3 s from 0.1 s on: ten cycles of one half each, then of the double.
    let doubled = drawn(0.1, 0.3, 5e-6, sine_u, |t| 2.0 * sine_i(t));
    let terminal = with_excerpts(vec![doubled]);
    let mixed = 2300.0 * (0.5 * (1.0 + 4.0_f64)).sqrt();
    let expected = (mixed + 4600.0 + 2300.0) / 3.0;
    let found = value(&terminal, "electricity.power.apparent.l1", span(0.0, 0.6)).unwrap();
    assert_close(found, expected, 1e-6 * expected, "S");
    // The register takes it cycle by cycle.
    let found = value(&terminal, "electricity.energy.apparent.l1", span(0.0, 0.6)).unwrap();
    assert_close(found, 2300.0 * (0.3 + 2.0 * 0.3), 1e-6 * expected, "energy");
}

#[test]
fn both_directions_are_netted_per_interval() {
    // Power that turns round every 0.4 s, for 2 s; then tones again.
    let sign = |t: f64| if ((t - 1.0) / 0.4).floor() as i64 % 2 == 0 { 1.0 } else { -1.0 };
    let turning = drawn(1.0, 2.0, 1e-5, sine_u, |t| sign(t + 2e-6) * sine_i(t));
    let terminal = with_excerpts(vec![turning]);
    let watts = 2300.0 * LAG_RAD.cos();
    for (name, expected) in [
        ("electricity.energy.active.consumed.l1", watts * (1.0 + 1.2 + 1.0)),
        ("electricity.energy.active.injected.l1", watts * 0.8),
    ] {
        // Where it turns round, one line of 10 us is neither.
        assert_close(value(&terminal, name, span(0.0, 4.0)).unwrap(), expected, 0.1, name);
    }
}

/// A million instants, asked for thousands of times: a walk over all of them would take minutes.
#[test]
fn registers_of_a_day_do_not_walk_through_an_excerpt() {
    let begin_s = 40_000.0;
    let terminal = with_excerpts(vec![drawn(begin_s, 10.0, 10e-6, sine_u, |t| 2.0 * sine_i(t))]);
    let watts = 2300.0 * LAG_RAD.cos();
    for k in 0..2000 {
        let cycles = 20_000 + k * 2160 - k % 7;
        let to_s = f64::from(cycles) / 50.0;
        let doubled_s = (to_s - begin_s).clamp(0.0, 10.0);
        let name = "electricity.energy.active.consumed.l1";
        let found = value(&terminal, name, span(0.0, to_s)).unwrap();
        assert_close(found, watts * (to_s + doubled_s), 2e-6 * watts * 20.0, name);
        let within_s = begin_s + f64::from(k % 490) / 50.0;
        let rms = value(&terminal, "electricity.current.rms.l1", span(within_s, begin_s + 9.9));
        assert_close(rms.unwrap(), 20.0, 2e-5, "current");
    }
}

#[test]
fn what_cannot_be_played_is_refused() {
    let line = |from_s: f64, length_s: f64| {
        Arc::new(excerpt(from_s, vec![0.0, length_s], vec![(1.0, 1.0); 2]))
    };
    let mut program = points(1);
    assert_eq!(program.play(vec![line(0.1, 0.07), line(0.17, 0.1)]), Ok(()));
    let (from, until) = (seconds(0.2), seconds(0.27));
    let overlap = TerminalError::ExcerptsOverlap { from, until };
    assert_eq!(program.play(vec![line(0.2, 0.1)]), Err(overlap));
    let late = program.play(vec![line(0.5, 0.1), line(0.4, 0.01)]).unwrap_err();
    assert_eq!(
        late.to_string(),
        "the excerpt at 400 ms begins before 600 ms, where the one ahead of it ends; play excerpts \
         in order of time, and one at a time"
    );
    let error = ExcerptError::Length(0.0);
    let from = seconds(0.5);
    assert_eq!(program.play(vec![line(0.5, 0.0)]), Err(TerminalError::Excerpt { from, error }));
    let phases = TerminalError::ExcerptPhases { from, found: 1, expected: 3 };
    assert_eq!(points(3).play(vec![line(0.5, 0.1)]), Err(phases));
    // Twenty days are too many cycles to be kept; what was refused is not played.
    assert_eq!(program.play(vec![line(1.0, 1.728e6)]), Ok(()));
    let refused = Terminal::from_program(&program, "test", &Streams::new(1)).unwrap_err();
    let (cycles, most) = (86_400_000.0, 1_000_000);
    assert_eq!(refused, TerminalError::ExcerptCycles { from: seconds(1.0), cycles, most });
}
