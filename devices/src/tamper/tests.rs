//! The sensors of tampering by themselves.

use proptest::prelude::*;

use super::*;

const fn ms(milliseconds: i64) -> SimDuration {
    SimDuration::from_milliseconds(milliseconds)
}

fn sensors(debounce: i64, has_battery: bool, kinds: &[TamperKind]) -> Tamper {
    Tamper::new(TamperFacts { kinds: kinds.to_vec(), debounce: ms(debounce), has_battery })
}

const COVER: TamperKind = TamperKind::Cover;

/// What was latched, as milliseconds and whether it begins.
fn taken(tamper: &mut Tamper) -> Vec<(i64, bool)> {
    tamper.take().iter().map(|it| (it.at.0 / 1_000_000, it.begins)).collect()
}

#[test]
fn a_cover_that_is_opened_and_closed_is_two_events() {
    let mut tamper = sensors(500, true, &[COVER]);
    tamper.pass(ms(1000));
    assert!(tamper.tampered(COVER, None, (ms(1000), Some(ms(3000)))));
    tamper.pass(ms(1499));
    assert_eq!(taken(&mut tamper), []);
    tamper.pass(ms(9000));
    assert_eq!(taken(&mut tamper), [(1500, true), (3500, false)]);
    assert_eq!(taken(&mut tamper), []);
    assert!(!tamper.tampered(TamperKind::MagneticField, None, (ms(9000), None)), "no such sensor");
    // To the end; what overlaps is one.
    tamper.tampered(COVER, None, (ms(9000), None));
    tamper.tampered(COVER, None, (ms(9100), Some(ms(9200))));
    tamper.pass(ms(90_000));
    assert_eq!(taken(&mut tamper), [(9500, true)]);
}

#[test]
fn what_does_not_last_for_the_debounce_time_is_none() {
    let mut tamper = sensors(500, true, &[COVER]);
    for (from, until) in [(1000, 1499), (1500, 1999), (5000, 5500)] {
        tamper.tampered(COVER, None, (ms(from), Some(ms(until))));
    }
    // It was closed for 1 ms only, and then open for just as long as it has to be.
    tamper.pass(ms(9000));
    assert_eq!(taken(&mut tamper), [(5500, true), (6000, false)]);
}

#[test]
fn a_battery_latches_in_the_dark_what_is_else_seen_at_the_start() {
    for (has_battery, due) in [
        (true, vec![(3500, true), (4500, false), (6500, true), (9500, false)]),
        (false, vec![(8500, true), (9500, false)]),
    ] {
        let mut tamper = sensors(500, has_battery, &[COVER]);
        tamper.pass(ms(2000));
        tamper.goes_dark();
        tamper.tampered(COVER, None, (ms(3000), Some(ms(4000))));
        tamper.tampered(COVER, None, (ms(6000), Some(ms(9000))));
        tamper.pass(ms(8000));
        tamper.works_again();
        tamper.pass(ms(20_000));
        assert_eq!(taken(&mut tamper), due, "{has_battery}");
    }
    // No battery feeds a sensor of fields, and a change that goes on begins again.
    let mut tamper = sensors(500, true, &[TamperKind::MagneticField]);
    tamper.tampered(TamperKind::MagneticField, None, (ms(1800), Some(ms(9000))));
    tamper.pass(ms(2000));
    tamper.goes_dark();
    tamper.pass(ms(8000));
    tamper.works_again();
    tamper.pass(ms(20_000));
    assert_eq!(taken(&mut tamper), [(8500, true), (9500, false)]);
}

#[test]
fn a_broken_sensor_shows_what_is_not_so() {
    let mut tamper = sensors(500, true, &[COVER]);
    tamper.tampered(COVER, Some(TamperSensorFault::Tampering), (ms(1000), Some(ms(2000))));
    tamper.tampered(COVER, Some(TamperSensorFault::Nothing), (ms(5000), Some(ms(8000))));
    tamper.tampered(COVER, None, (ms(6000), Some(ms(7000))));
    // It is stuck no longer while the cover still is open.
    tamper.tampered(COVER, None, (ms(7500), Some(ms(9000))));
    tamper.pass(ms(20_000));
    let due = [(1500, true), (2500, false), (8500, true), (9500, false)];
    assert_eq!(taken(&mut tamper), due);
}

/// What is detected, millisecond by millisecond.
fn by_milliseconds(
    (debounce, has_battery): (i64, bool),
    open: &[(i64, i64)],
    dark: &[(i64, i64)],
    end: i64,
) -> Vec<(i64, bool)> {
    let within =
        |spans: &[(i64, i64)], at: i64| spans.iter().any(|(from, to)| (*from..*to).contains(&at));
    let (mut state, mut lasted, mut found) = (false, 0, Vec::new());
    for at in 0..=end {
        if lasted == debounce {
            state = !state;
            found.push((at, state));
            lasted = 0;
        }
        let is_read = has_battery || !within(dark, at);
        let differs = is_read && within(open, at) != state;
        lasted = if differs { lasted + 1 } else { 0 };
    }
    found
}

proptest! {
    /// Every change that lasts while it is looked at is reported exactly once, whatever outages
    /// and restarts there are, opening and closing in turn, and however time is cut.
    #[test]
    fn every_opening_is_reported_once_across_outages(
        debounce in 1..400_i64,
        has_battery in any::<bool>(),
        spans in prop::collection::vec((0..900_i64, 1..900_i64), 0..8),
        outages in prop::collection::vec((1..900_i64, 1..900_i64), 0..5),
        cuts in prop::collection::vec(1..8000_i64, 0..12),
    ) {
        let laid_out = |gaps: &[(i64, i64)]| -> Vec<(i64, i64)> {
            let mut at = 0;
            let next = |(gap, length): &(i64, i64)| {
                let from = at + gap;
                at = from + length;
                (from, at)
            };
            gaps.iter().map(next).collect()
        };
        let (open, dark) = (laid_out(&spans), laid_out(&outages));
        let end = 12_000;
        // What happens at an instant: somebody tampers, the supply goes or comes, or time is cut.
        let mut acts: Vec<(i64, u8, i64)> = cuts.iter().map(|cut| (*cut, 0, 0)).collect();
        acts.extend(dark.iter().flat_map(|(from, to)| [(*from, 1, 0), (*to, 2, 0)]));
        acts.extend(open.iter().map(|(from, to)| (*from, 3, *to)));
        acts.sort_unstable();
        let mut tamper = sensors(debounce, has_battery, &[COVER]);
        let mut reported = Vec::new();
        for (at, what, until) in acts {
            tamper.pass(ms(at));
            // As a meter does: it reports when it works.
            if !tamper.is_dark {
                reported.extend(taken(&mut tamper));
            }
            match what {
                1 => tamper.goes_dark(),
                2 => tamper.works_again(),
                3 => _ = tamper.tampered(COVER, None, (ms(at), Some(ms(until)))),
                _ => {}
            }
        }
        tamper.pass(ms(end));
        reported.extend(taken(&mut tamper));
        prop_assert!(reported.iter().enumerate().all(|(n, (_, begins))| *begins == (n % 2 == 0)));
        prop_assert!(reported.is_sorted());
        prop_assert_eq!(
            reported,
            by_milliseconds((debounce, has_battery), &open, &dark, end)
        );
    }
}
