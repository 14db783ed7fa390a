//! Interface protections against their delays, the mean in closed form, and ramps of frequency.

use crate::protection::{
    Interface, InterfaceCause, InterfaceEvent, InterfaceSettings, InterfaceView, VoltageStage,
};

fn settings() -> InterfaceSettings {
    let stage = |threshold_pu, delay_s| VoltageStage { threshold_pu, delay_s };
    InterfaceSettings {
        undervoltage: vec![stage(0.8, 3.0), stage(0.45, 0.3)],
        overvoltage: vec![stage(1.25, 0.1)],
        mean_overvoltage_pu: 1.1,
        frequency_hz: (47.5, 51.5),
        frequency_delay_s: 0.1,
        opening_s: 0.02,
        reconnect_pu: (0.85, 1.1),
        reconnect_hz: (49.5, 50.2),
        reconnect_after_s: 60.0,
    }
}

fn device() -> Interface {
    Interface::new(settings()).unwrap()
}

/// Plays voltages, each for its time, as a network would: until something is due, and on; what is
/// done, in microseconds.
fn play(device: &mut Interface, course: &[(f64, [f64; 3])]) -> Vec<(i64, InterfaceEvent)> {
    let (mut at_ns, mut end_ns, mut is_closed) = (0_i64, 0_i64, true);
    let mut done = Vec::new();
    for (length_s, voltages_pu) in course {
        end_ns += (length_s * 1e9) as i64;
        while at_ns < end_ns {
            let voltages_pu = voltages_pu.to_vec();
            let seen = InterfaceView { at_ns, voltages_pu, is_closed };
            let due_s = device.due_in(&seen).unwrap_or(f64::INFINITY).min(1e9);
            let next_ns = end_ns.min(at_ns + ((due_s * 1e9).ceil() as i64).max(1));
            for act in device.step((next_ns - at_ns) as f64 * 1e-9, &seen) {
                is_closed = match act.event {
                    InterfaceEvent::Opened => false,
                    InterfaceEvent::Closed => true,
                    InterfaceEvent::Tripped(_) => is_closed,
                };
                done.push(((at_ns as f64 * 1e-3 + act.after_s * 1e6).round() as i64, act.event));
            }
            at_ns = next_ns;
        }
    }
    done
}

const RATED: [f64; 3] = [1.0; 3];

fn trip(at_us: i64, cause: InterfaceCause) -> [(i64, InterfaceEvent); 2] {
    [(at_us, InterfaceEvent::Tripped(cause)), (at_us + 20_000, InterfaceEvent::Opened)]
}

#[test]
fn a_stage_trips_after_its_delay_by_the_lowest_or_the_highest_voltage() {
    for (voltages, after_us, cause) in [
        ([1.0, 0.79, 1.0], 3_000_000, InterfaceCause::Undervoltage(0)),
        ([1.0, 1.0, 0.2], 300_000, InterfaceCause::Undervoltage(1)),
        ([1.0, 1.0, 1.3], 100_000, InterfaceCause::Overvoltage(0)),
    ] {
        let found = play(&mut device(), &[(1.0, RATED), (5.0, voltages)]);
        assert_eq!(found, trip(1_000_000 + after_us, cause));
    }
    assert_eq!(play(&mut device(), &[(100.0, [0.8, 1.1, 1.09])]), []);
}

#[test]
fn a_dip_that_ends_before_the_delay_is_forgotten_and_a_deeper_one_counts_for_both_stages() {
    let dip = [0.6, 1.0, 1.0];
    let course = [(2.9, dip), (0.1, RATED), (2.9, dip), (1.0, RATED)];
    assert_eq!(play(&mut device(), &course), []);
    let course = [(2.9, dip), (0.2, [0.3, 1.0, 1.0]), (2.0, dip)];
    let found = play(&mut device(), &course);
    assert_eq!(found, trip(3_000_000, InterfaceCause::Undervoltage(0)));
}

#[test]
fn it_comes_back_when_all_voltages_have_been_good_for_the_whole_time() {
    let low = [0.84, 1.0, 1.0];
    let course =
        [(1.0, [0.1; 3]), (59.0, RATED), (1.0, low), (59.9, RATED), (1.0, low), (70.0, RATED)];
    let found = play(&mut device(), &course);
    let closed = 1_000_000 + 59_000_000 + 1_000_000 + 59_900_000 + 1_000_000 + 60_000_000;
    assert_eq!(found[2..], [(closed, InterfaceEvent::Closed)]);
    // It watches again.
    let mut device = device();
    let course = [(1.0, [0.1; 3]), (61.0, RATED), (1.0, [0.1; 3])];
    assert_eq!(play(&mut device, &course).len(), 5);
}

/// After the time `x` at `u` the mean square is `1 + x / 600 s (u^2 - 1)`.
#[test]
fn ten_minutes_of_a_voltage_trip_when_their_mean_is_too_high() {
    let high = 1.15_f64;
    let seconds = 600.0 * (1.1_f64.powi(2) - 1.0) / (high.powi(2) - 1.0);
    let course = [(30.0, RATED), (595.0, [1.0, high, 1.0]), (700.0, RATED)];
    let found = play(&mut device(), &course);
    let at_us = ((30.0 + seconds) * 1e6).round() as i64;
    assert_eq!(found[..2], trip(at_us, InterfaceCause::MeanOvervoltage));
    // It stays away until the mean has come down, and the voltage has been good for a minute: the
    // first rated seconds leave the ten minutes after them.
    let closed_us = found[2].0;
    assert_eq!(found[2].1, InterfaceEvent::Closed);
    let below = 30.0 + 595.0 + 600.0 - seconds;
    assert!((closed_us - ((below + 60.0) * 1e6) as i64).abs() <= 1, "{closed_us} {below}");
}

#[test]
fn it_trips_where_a_ramp_of_the_frequency_leaves_its_limits() {
    // Falls with 0.5 Hz/s from 10 s on to 47 Hz, is back in the band at 36.25 s.
    let course = [
        (0, 50.0),
        (10_000_000_000, 50.0),
        (16_000_000_000, 47.0),
        (30_000_000_000, 47.0),
        (40_000_000_000, 51.0),
        (41_000_000_000, 50.0),
    ];
    let mut device = device().with_frequency(&course);
    let found = play(&mut device, &[(200.0, RATED)]);
    assert_eq!(found[..2], trip(15_100_000, InterfaceCause::Underfrequency));
    // Below 50.2 Hz for good from 40.8 s on.
    assert_eq!(found[2..], [(100_800_000, InterfaceEvent::Closed)]);
    let quick = [(0, 50.0), (1_000_000_000, 50.0), (1_000_000_000, 47.0), (1_090_000_000, 50.0)];
    let mut device = self::device().with_frequency(&quick);
    assert_eq!(play(&mut device, &[(5.0, RATED)]), []);
    let high = [(0, 52.0)];
    let mut device = self::device().with_frequency(&high);
    assert_eq!(play(&mut device, &[(5.0, RATED)]), trip(100_000, InterfaceCause::Overfrequency));
}

#[test]
fn somebody_who_opens_its_switch_has_it_stay_open_until_he_closes_it() {
    let mut device = device();
    play(&mut device, &[(1.0, [0.1; 3])]);
    assert!(device.is_open());
    device.hold();
    assert_eq!(play(&mut device, &[(100.0, RATED)]), []);
    device.close();
    assert_eq!(play(&mut device, &[(1.0, [0.1; 3])]).len(), 2);
    // An open switch has nothing to trip.
    let mut device = self::device();
    let seen = InterfaceView { at_ns: 0, voltages_pu: vec![0.0; 3], is_closed: false };
    assert_eq!((device.due_in(&seen), device.step(10.0, &seen)), (None, Vec::new()));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let wrong = |change: fn(&mut InterfaceSettings)| {
        let mut settings = settings();
        change(&mut settings);
        Interface::new(settings).unwrap_err().to_string()
    };
    for (found, expected) in [
        (
            wrong(|it| it.undervoltage[1].threshold_pu = 0.9),
            "threshold of the second stage of undervoltage is 0.9; expected below the first \
             stage's 0.8",
        ),
        (
            wrong(|it| it.undervoltage[1].delay_s = 4.0),
            "delay in s of the second stage of undervoltage is 4; expected at most the first \
             stage's 3",
        ),
        (
            wrong(|it| it.reconnect_pu.0 = 0.7),
            "voltage of a reconnection is 0.7 to 1.1; expected a band within 0.8 to 1.1, where \
             nothing trips",
        ),
        (
            wrong(|it| it.reconnect_hz = (50.0, 50.0)),
            "frequency in Hz of a reconnection is 50 to 50; expected a band within 47.5 to 51.5, \
             where nothing trips",
        ),
        (
            wrong(|it| it.reconnect_after_s = f64::NAN),
            "time in s before a reconnection is NaN; expected a finite value of 0 or more",
        ),
    ] {
        assert_eq!(found, expected);
    }
}
