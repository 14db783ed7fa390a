//! Homes: what the catalogue states, what flows, and what breakers cut off.

use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use proptest::prelude::*;

use super::{APPLIANCES, Appliance, Breaker, HomeContext, HomesBuilder, Socket, SwitchedOn};
use crate::spectrum::{ChannelSpectrum, Spectrum, Tone};
use crate::terminal::{Block, Terminal};
use crate::truth::ReferenceSpan;
use crate::{Netting, Streams};

const ALWAYS: SwitchedOn = SwitchedOn { from: None, until: None };

fn s(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

fn mains(phases: usize, volts: f64) -> Terminal {
    let tone = |phase: usize| Tone {
        frequency_hz: 50.0,
        rms: volts,
        phase_rad: 0.4 - std::f64::consts::TAU / 3.0 * phase as f64,
    };
    let third = |phase: usize| Tone { frequency_hz: 150.0, rms: 0.02 * volts, ..tone(phase) };
    let voltage = |phase: usize| ChannelSpectrum {
        tones: vec![tone(phase), third(phase)],
        ..ChannelSpectrum::default()
    };
    let spectrum = Spectrum {
        fundamental_hz: 50.0,
        voltages: (0..phases).map(voltage).collect(),
        currents: vec![ChannelSpectrum::default(); phases],
    };
    Terminal::from_spectrum(spectrum, "mains", &Streams::new(1)).unwrap()
}

fn start() -> SimTime {
    "2027-06-21T09:00:00Z".parse().unwrap()
}

/// The taps of one home: its feed-in, its sockets, the supply.
fn home(
    supply: &Terminal,
    seed: u64,
    hours: i64,
    sockets: &[(&str, usize, Vec<SwitchedOn>)],
) -> Vec<(Terminal, Breaker)> {
    home_of(supply, seed, (hours, false), sockets)
}

/// The same, whose appliances may begin with their supply.
fn home_of(
    supply: &Terminal,
    seed: u64,
    (hours, begins_with_supply): (i64, bool),
    sockets: &[(&str, usize, Vec<SwitchedOn>)],
) -> Vec<(Terminal, Breaker)> {
    let streams = Streams::new(seed);
    let context = HomeContext { streams: &streams, start: start(), duration: s(3600 * hours) };
    let mut builder = HomesBuilder::new(supply, "mains", context).expect("tones");
    let socket = |(name, phase, on): &(&'static str, usize, Vec<SwitchedOn>)| Socket {
        name,
        phase: *phase,
        appliance: Appliance::named(name).expect("in the catalogue"),
        on: on.clone(),
        begins_with_supply,
    };
    let sockets: Vec<Socket<'_>> = sockets
        .iter()
        .map(|it| {
            let name = APPLIANCES.iter().find(|name| **name == it.0).expect("a name");
            socket(&(name, it.1, it.2.clone()))
        })
        .collect();
    builder.home("flat", &sockets).unwrap();
    builder.finish().unwrap()
}

fn value(terminal: &Terminal, name: &str, from: SimDuration, to: SimDuration) -> f64 {
    let id = MeasurementId::lookup(name).expect("a registered name");
    let span = ReferenceSpan { from, to, registers_from: from };
    terminal.reference(id, span, Netting::Net).expect("a reference value")
}

/// Consumed less injected.
fn net(terminal: &Terminal, what: &str, from: SimDuration, to: SimDuration) -> f64 {
    let of = |way: &str| value(terminal, &format!("electricity.{what}.{way}.total"), from, to);
    of("consumed") - of("injected")
}

#[test]
fn the_catalogue_is_the_list_and_makes_sense() {
    let names: Vec<&str> = Appliance::all().iter().map(|it| &*it.name).collect();
    assert_eq!(names, APPLIANCES);
    for it in Appliance::all() {
        assert!(it.basis.contains("chosen") && !it.summary.is_empty(), "{}", it.name);
        assert!(it.states.iter().all(|state| (state.power_w > 0.0) != it.sun.is_some()));
        assert_eq!(it.sun.is_some(), it.start.is_empty() && it.cycle.is_empty(), "{}", it.name);
    }
}

#[test]
fn an_appliance_takes_what_its_data_state() {
    // At the rated voltage, from what the file has of the heater: 820 W, 10 % more for 2 s.
    let supply = mains(1, 230.0);
    let on = SwitchedOn { from: Some(s(100)), until: Some(s(160)) };
    let taps = home(&supply, 7, 1, &[("heater", 0, vec![on])]);
    let heater = &taps[1].0;
    let rush = 0.1 * 820.0 * 2.0 * (1.0 - f64::exp(-5.0));
    let energy = net(heater, "energy.active", s(0), s(200));
    let expected = 820.0 * 60.0 + rush;
    assert!((energy / expected - 1.0).abs() < 1e-9, "{energy} J, expected {expected} J");
    assert!(net(heater, "power.active", s(20), s(40)).abs() < 1e-9, "not switched on yet");
    // The steady third is no part of a sine's power, and a resistance at 115 V takes a quarter.
    let taps = home(&mains(1, 115.0), 7, 1, &[("heater", 0, vec![on])]);
    let quarter = net(&taps[1].0, "power.active", s(120), s(140));
    assert!((quarter / 205.0 - 1.0).abs() < 1e-9, "{quarter}");
    // 63 W at a displacement factor of 0.97, leading; at two thirds of the voltage no less.
    for volts in [230.0, 153.0] {
        let taps = home(&mains(1, volts), 7, 1, &[("led-lamp", 0, vec![ALWAYS])]);
        let power = net(&taps[1].0, "power.reactive", s(120), s(140));
        let expected = -9.0 * f64::tan(f64::acos(0.96));
        assert!((power / expected - 1.0).abs() < 1e-9, "{power}, expected {expected}");
    }
}

#[test]
fn the_truth_is_that_of_the_rendered_samples() {
    let supply = mains(1, 231.0);
    let sockets = [("television", 0, vec![ALWAYS]), ("photovoltaics", 0, vec![ALWAYS])];
    let taps = home(&supply, 3, 1, &sockets);
    for (terminal, _) in &taps {
        let (rate_hz, mut block) = (12_800.0, Block::default());
        terminal.render(0, rate_hz, 12_800 * 2, &mut block);
        let (u, i) = (&block.voltages[0], &block.currents[0]);
        let mean = u.iter().zip(i).map(|(u, i)| u * i).sum::<f64>() / u.len() as f64;
        let truth = net(terminal, "power.active", s(0), s(2));
        assert!((mean - truth).abs() < 1e-6 * truth.abs(), "{mean} W, {truth} W");
    }
    let fed_back = net(&taps[2].0, "power.active", s(0), s(60));
    assert!(fed_back < -500.0, "{fed_back} W on a June morning");
}

#[test]
fn an_open_breaker_takes_its_load_from_home_and_supply() {
    let supply = mains(1, 230.0);
    let sockets = [("heater", 0, vec![ALWAYS]), ("fridge", 0, vec![ALWAYS])];
    let taps = home(&supply, 11, 3, &sockets);
    let [feed_in, heater, fridge, total] = [0, 1, 2, 3].map(|tap| &taps[tap].0);
    let power = |tap: &Terminal, from, to| net(tap, "power.active", s(from), s(to));
    let before = [feed_in, heater, fridge, total].map(|tap| power(tap, 0, 3600));
    let later = power(fridge, 3600, 7200);
    let whole = net(heater, "energy.active", s(0), s(3 * 3600));
    taps[1].1.switch(s(3600), false);
    assert_eq!([feed_in, heater, fridge, total].map(|tap| power(tap, 0, 3600)), before);
    assert!(power(heater, 3600, 7200).abs() < f64::MIN_POSITIVE);
    assert_eq!(power(fridge, 3600, 7200).to_bits(), later.to_bits());
    for tap in [feed_in, total] {
        let found = power(tap, 3600, 7200);
        assert!((found / later - 1.0).abs() < 1e-12, "{found} W, expected {later} W");
    }
    let register = net(heater, "energy.active", s(0), s(3 * 3600));
    assert!((register / (before[1] * 3600.0) - 1.0).abs() < 1e-12, "what it counted until then");
    // The home's own breaker cuts off all that is in it; closed again, all is as it was.
    taps[0].1.switch(s(7200), false);
    assert!(power(fridge, 7200, 7300).abs() + power(total, 7200, 7300).abs() < f64::MIN_POSITIVE);
    taps[0].1.switch(s(7300), true);
    assert!(power(fridge, 7300, 10_800) > 0.0 && power(heater, 7300, 10_800).abs() < 1e-9);
    taps[0].1.reset();
    assert_eq!(net(heater, "energy.active", s(0), s(3 * 3600)).to_bits(), whole.to_bits());
}

#[test]
fn a_breaker_is_followed_day_by_day() {
    let supply = mains(1, 230.0);
    let sockets = [("fridge", 0, vec![ALWAYS]), ("television", 0, vec![ALWAYS])];
    let (taps, other) = (home(&supply, 5, 96, &sockets), home(&supply, 5, 96, &sockets));
    let (from, to) = (s(3600 * 30), s(3600 * 96));
    taps[1].1.switch(s(3600 * 30), false);
    taps[1].1.follow(to);
    let energy = |tap: &Terminal, from, to| net(tap, "energy.active", from, to);
    assert!(energy(&taps[1].0, from, to).abs() < f64::MIN_POSITIVE);
    let left = energy(&taps[0].0, from, to);
    let television = energy(&other[2].0, from, to);
    assert!((left / television - 1.0).abs() < 1e-12, "{left} J, expected {television} J");
    let whole = energy(&taps[0].0, s(0), to);
    let expected = energy(&other[0].0, s(0), from) + television;
    assert!((whole / expected - 1.0).abs() < 1e-12, "{whole} J, expected {expected} J");
    // Closed and opened again within what is laid ahead, and for another run from the beginning on.
    taps[1].1.switch(s(3600 * 40), true);
    taps[1].1.switch(s(3600 * 41), false);
    taps[1].1.follow(to);
    let found = energy(&taps[1].0, s(0), to);
    let hours = |from: i64, to: i64| energy(&other[1].0, s(3600 * from), s(3600 * to));
    assert!((found / (hours(0, 30) + hours(40, 41)) - 1.0).abs() < 1e-12, "{found} J");
    taps[2].1.reset();
    assert_eq!(energy(&taps[0].0, s(0), to).to_bits(), energy(&other[0].0, s(0), to).to_bits());
}

#[test]
fn seeds_make_other_courses_and_the_same_again() {
    let supply = mains(1, 230.0);
    let energy = |seed: u64| {
        let taps = home(&supply, seed, 3, &[("fridge", 0, vec![ALWAYS])]);
        net(&taps[1].0, "energy.active", s(0), s(3 * 3600)).to_bits()
    };
    assert_eq!(energy(1), energy(1));
    assert_ne!(energy(1), energy(2));
}

/// Where a washing machine begins at `began` that is switched on at 1 h, with a breaker that acts
/// so, what it takes is bit by bit that of one that is switched on at `began`.
fn begins_at(began: i64, acts: &[(usize, i64, bool)]) {
    let supply = mains(1, 230.0);
    let on = |at: i64| vec![SwitchedOn { from: Some(s(at)), until: None }];
    let sockets = |at| [("washing-machine", 0, on(at)), ("fridge", 0, vec![ALWAYS])];
    let taps = home_of(&supply, 3, (9, true), &sockets(3600));
    let other = home(&supply, 3, 9, &sockets(began));
    for &(tap, at, is_closed) in acts {
        taps[tap].1.switch(s(at), is_closed);
    }
    let mut taken = 0.0;
    for minute in 0..9 * 60 {
        let span = (s(60 * minute), s(60 * minute + 60));
        for what in ["power.active", "energy.reactive"] {
            let [found, expected] =
                [&taps, &other].map(|it| net(&it[1].0, what, span.0, span.1).to_bits());
            assert_eq!(found, expected, "{what} in minute {minute} of {acts:?}");
        }
        taken += net(&taps[1].0, "power.active", span.0, span.1);
    }
    assert!(taken / 60.0 > 200.0, "{taken} W min");
    taps[1].1.reset();
    let first = home(&supply, 3, 9, &sockets(3600));
    let energy = |it: &[(Terminal, Breaker)]| net(&it[0].0, "energy.active", s(0), s(9 * 3600));
    assert_eq!(energy(&taps).to_bits(), energy(&first).to_bits(), "for another run");
}

#[test]
fn what_begins_with_its_supply_has_the_course_of_one_that_is_switched_on_then() {
    begins_at(3600, &[]);
    begins_at(3600, &[(1, 0, false), (1, 3600, true)]);
    begins_at(7517, &[(1, 0, false), (1, 7517, true)]);
    begins_at(8000, &[(1, 900, false), (1, 1000, true), (1, 3600, false), (1, 8000, true)]);
    // Behind two breakers it has its supply once both are closed.
    begins_at(9001, &[(1, 0, false), (0, 4000, false), (1, 5000, true), (0, 9001, true)]);
}

#[test]
fn what_waited_in_vain_is_over_with_the_next_time() {
    let supply = mains(1, 230.0);
    let daily = |hours: &[i64]| {
        let on = |hour: &i64| SwitchedOn {
            from: Some(s(3600 * hour)),
            until: Some(s(3600 * hour + 1800)),
        };
        vec![("heater", 0, hours.iter().map(on).collect::<Vec<_>>())]
    };
    let taps = home_of(&supply, 1, (30, true), &daily(&[1, 5, 9, 20]));
    taps[1].1.switch(s(0), false);
    taps[1].1.switch(s(3600 * 6), true);
    taps[1].1.follow(s(3600 * 30));
    // Half an hour from 6 h on for the second, then as planned; the first is over.
    let other = home(&supply, 1, 30, &daily(&[6, 9, 20]));
    for hour in 0..30 {
        let energy = |it: &[(Terminal, Breaker)]| {
            net(&it[1].0, "energy.active", s(3600 * hour), s(3600 * hour + 3600))
        };
        assert!((energy(&taps) - energy(&other)).abs() < 1e-6, "hour {hour}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Of any appliances at any phases, with any of them cut off, a home is their sum.
    #[test]
    fn a_home_is_the_sum_of_its_sockets(
        seed in any::<u64>(),
        volts in 180.0..250.0_f64,
        wanted in prop::collection::vec((0..APPLIANCES.len(), 0..3_usize, any::<bool>()), 1..13),
        opened in prop::collection::vec((0..13_usize, 0..10_800_i64, any::<bool>()), 0..6),
        cut in (0..5400_i64, 5401..10_800_i64),
    ) {
        let supply = mains(3, volts);
        let from = |late: bool| if late { Some(s(600)) } else { Some(s(0)) };
        let on = |late| vec![SwitchedOn { from: from(late), until: None }];
        let sockets: Vec<_> =
            wanted.iter().map(|&(load, phase, late)| (APPLIANCES[load], phase, on(late))).collect();
        let taps = home(&supply, seed, 3, &sockets);
        let mut opened = opened;
        opened.sort_by_key(|(_, at, _)| *at);
        for (tap, at, is_closed) in opened {
            taps[tap % (wanted.len() + 1)].1.switch(s(at), is_closed);
        }
        let (from, to) = (s(cut.0), s(cut.1));
        for what in ["energy.active", "energy.reactive", "power.active"] {
            let of: Vec<f64> =
                taps[1..=wanted.len()].iter().map(|(tap, _)| net(tap, what, from, to)).collect();
            let (sum, size) = (of.iter().sum::<f64>(), of.iter().map(|it| it.abs()).sum::<f64>());
            for tap in [&taps[0].0, &taps[wanted.len() + 1].0] {
                let found = net(tap, what, from, to);
                prop_assert!((found - sum).abs() <= 1e-12 * size, "{what}: {found}, {sum}");
            }
        }
    }
}
