//! Where a time axis has its figures: at round times, each at its own place.

use lastmeter_text::number;

/// Units of time with the steps that are round in them.
const STEPS: [(f64, &str, &[f64]); 4] = [
    (1.0, "s", &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0]),
    (60.0, "min", &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0]),
    (3_600.0, "h", &[1.0, 2.0, 3.0, 6.0, 12.0]),
    (86_400.0, "d", &[1.0, 2.0]),
];

/// A place on a time axis, in seconds, and what is written there.
pub type TimeTick = (f64, String);

/// The end of a time axis that can be drawn: from a nanosecond to some millions of years.
pub(crate) fn drawn_end(end_s: f64) -> f64 {
    if end_s > 0.0 { end_s.clamp(1e-9, 1e15) } else { 1.0 }
}

/// The figures of an axis from 0 to `end_s`, at most so many behind the first.
pub fn time_ticks(end_s: f64, most: u32) -> Vec<TimeTick> {
    let end_s = drawn_end(end_s);
    let least = end_s / f64::from(most.max(1));
    let mut round = STEPS
        .iter()
        .flat_map(|(unit, name, steps)| steps.iter().map(move |step| (unit * step, *unit, *name)));
    let known = round.find(|(step, ..)| least > 0.5 && *step >= least * (1.0 - 1e-9));
    let (step, unit, name) = known.unwrap_or_else(|| {
        // Below seconds and beyond days, of powers of ten.
        let (unit, name) = if least < 1.0 { (1.0, "s") } else { (86_400.0, "d") };
        (unit * decade_step(least / unit), unit, name)
    });
    let ticks = (0..=most).map(|place| f64::from(place) * step);
    let ticks = ticks.take_while(|at| *at <= end_s * (1.0 + 1e-9));
    ticks.map(|at| (at, format!("{} {name}", number(at / unit)))).collect()
}

/// The first of 1, 2 and 5 times a power of ten that is not less than a positive number.
pub fn decade_step(least: f64) -> f64 {
    let decade = libm::exp10(libm::floor(libm::log10(least)));
    let steps = [1.0, 2.0, 5.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a label means, in seconds, by itself.
    fn read(label: &str) -> f64 {
        let (figure, unit) = label.split_once(' ').unwrap();
        let unit = match unit {
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            other => panic!("{other}"),
        };
        figure.parse::<f64>().unwrap() * unit
    }

    #[test]
    fn steps_are_those_of_a_clock() {
        for (end_s, most, expected) in [
            (6.0, 5, "0 s, 2 s, 4 s, 6 s"),
            (50.0, 5, "0 s, 10 s, 20 s, 30 s, 40 s, 50 s"),
            (100.0, 4, "0 s, 30 s, 60 s, 90 s"),
            (240.0, 5, "0 min, 1 min, 2 min, 3 min, 4 min"),
            (5_400.0, 6, "0 min, 15 min, 30 min, 45 min, 60 min, 75 min, 90 min"),
            (86_400.0, 6, "0 h, 6 h, 12 h, 18 h, 24 h"),
            (0.31, 4, "0 s, 0.1 s, 0.2 s, 0.3 s"),
            (31.0 * 86_400.0, 5, "0 d, 10 d, 20 d, 30 d"),
        ] {
            let labels: Vec<String> = time_ticks(end_s, most).into_iter().map(|it| it.1).collect();
            assert_eq!(labels.join(", "), expected, "{end_s}");
        }
        for end_s in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300] {
            assert!((1..=7).contains(&time_ticks(end_s, 6).len()), "{end_s}");
        }
    }

    proptest! {
        #[test]
        fn a_tick_stands_where_its_label_reads(exponent in -6.0_f64..8.0, most in 3_u32..9) {
            let end_s = 10.0_f64.powf(exponent);
            let ticks = time_ticks(end_s, most);
            prop_assert!(ticks.len() >= 2 && ticks.len() <= most as usize + 1, "{:?}", ticks);
            let step = ticks[1].0;
            for (place, (at, label)) in ticks.iter().enumerate() {
                prop_assert!((read(label) - at).abs() <= 1e-9 * end_s, "{} at {}", label, at);
                prop_assert!((at - place as f64 * step).abs() <= 1e-9 * end_s);
                prop_assert!(*at <= end_s * (1.0 + 1e-9));
            }
            // None is missing at the end.
            prop_assert!(ticks.len() as f64 * step > end_s * (1.0 - 1e-9) );
        }
    }
}
