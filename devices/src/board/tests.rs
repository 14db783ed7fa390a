//! A board as a device, with a fake one behind it.

mod fake;
mod faults;
mod mistakes;
mod text;

use std::f64::consts::SQRT_2;

use proptest::prelude::*;

use crate::border::{BoardPort, EventKind, Output};
use fake::{Bench, IDEAL, current, values, voltage};

/// The code of a converter of 12 bits and 3.6 V behind the inverting transducer.
fn code(value: f64, peak: f64) -> i32 {
    (4096.0 / 3.6 * (1.5 - 1.5 * value / peak)).round() as i32
}

#[test]
fn a_run_gives_each_sample_once_and_each_reading_in_time() {
    let mut bench = Bench::emulated(IDEAL);
    assert_eq!(bench.fake.record, [1], "a blank EEPROM with the address switches");
    assert_eq!(bench.fake.begins, [10_000_000]);
    bench.run(3.5);
    assert_eq!(bench.due(), [1.0, 2.0, 3.0]);
    let pairs = &bench.fake.pairs;
    assert!((34_700..=35_000).contains(&pairs.len()), "{}", pairs.len());
    let mut equal = 0;
    for (k, &(u, i)) in pairs.iter().enumerate() {
        let t = k as f64 / 10_000.0;
        let off_u = i32::from(u) - code(voltage(t), 460.0 * SQRT_2);
        let off_i = i32::from(i) - code(current(t), 30.0 * SQRT_2);
        // The first samples are those in which its supply comes up.
        assert!(k < 2 || (off_u.abs() <= 1 && off_i.abs() <= 1), "sample {k}: {off_u}, {off_i}");
        equal += usize::from(off_u == 0) + usize::from(off_i == 0);
    }
    assert!(equal > pairs.len() * 2 * 95 / 100, "{equal}");
    assert_eq!(bench.silences, 0);
    for kind in [EventKind::BoardRetried, EventKind::BoardSilent, EventKind::ReadingLeftOut] {
        assert_eq!(bench.notes(kind), [""; 0]);
    }
}

#[test]
fn a_reading_holds_what_the_registers_hold_in_the_units_of_messages() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.1);
    let readings = bench.readings();
    let found = values(&readings[0]);
    let expected = [
        ("electricity.voltage.rms.l1", 230.0),
        ("electricity.current.rms.l1", 5.0),
        ("electricity.power.active.consumed.l1", 0.575),
        ("electricity.power.active.injected.l1", 0.0),
        ("electricity.power.apparent.l1", 1.15),
        ("electricity.frequency", 50.0),
        // 7200 J and 3600 J.
        ("electricity.energy.active.consumed.l1", 0.002),
        ("electricity.energy.active.injected.l1", 0.001),
    ];
    for (name, value) in expected {
        let found = found.get(name).unwrap_or_else(|| panic!("{name} of {found:?}"));
        assert!((found - value).abs() < 1e-9, "{name}: {found}");
    }
}

/// What a device puts out, and what its board got.
fn outcome(lengths: &[usize]) -> (Vec<Output>, Vec<(BoardPort, Vec<u8>)>) {
    let mut bench = Bench::emulated(&IDEAL.replace("1 s", "250 ms"));
    let mut next = lengths.iter().cycle();
    bench.run_in(0.6, || *next.next().unwrap());
    (bench.out, bench.sent)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn how_samples_are_cut_changes_nothing(
        lengths in prop::collection::vec(1_usize..3000, 1..8),
    ) {
        let (out, sent) = outcome(&lengths);
        let (whole_out, whole_sent) = outcome(&[100_000]);
        prop_assert!(out == whole_out, "{out:?}");
        prop_assert!(sent == whole_sent);
    }
}
