//! Tests of the check `no_loss`.

use super::super::testing::{at, check, facts, row};
use super::*;
use lastmeter_record::Status;
use lastmeter_record::{DeviceFacts, Evidence, RecordedSpan, RunState};
use lastmeter_units::SimDuration;

const U: &str = "electricity.voltage.rms.l1";

#[test]
fn a_device_that_is_to_fall_silent_misses_exactly_so_many_in_one_stretch() {
    let judge = |missing: &[u64], expected: u64| {
        let keys = format!("silent = [{{ device = \"m\", readings = {expected} }}]");
        let mut check = check("no_loss", &keys);
        for number in 1..=6 {
            let reported = (!missing.contains(&number)).then_some(230.0);
            let row = row("m", number, U, Some(230.0), reported);
            // What the device never made has no number.
            let serial = reported.and(row.serial);
            check.observation(&Observation { serial, epoch: serial.and(row.epoch), ..row });
        }
        check.verdict(&facts(RunState::Finished))
    };
    let good = judge(&[3, 4, 5], 3);
    assert_eq!((good.status, good.measured, good.n), (Status::Pass, Some(0.0), 3));
    assert!(good.why.to_string().contains("m silent for 3 of 3"), "{}", good.why);
    for (missing, wrong) in
        [(&[4, 5, 6][..], 2), (&[2, 3][..], 3), (&[][..], 1), (&[2, 4, 5][..], 3)]
    {
        let verdict = judge(missing, wrong);
        assert_eq!(verdict.status, Status::Fail, "{missing:?}: {}", verdict.why);
    }
}
#[test]
fn readings_that_do_not_get_through_count_where_they_are_to() {
    let judge = |lost: &[u64], expected: u64, or_lost: bool| {
        let keys =
            format!("silent = [{{ device = \"m\", readings = {expected}, or_lost = {or_lost} }}]");
        let mut check = check("no_loss", &keys);
        for number in 1..=8 {
            let is_made = ![4, 5].contains(&number);
            let reported = (is_made && !lost.contains(&number)).then_some(230.0);
            let row = row("m", number, U, Some(230.0), reported);
            let serial = row.serial.filter(|_| is_made);
            check.observation(&Observation { serial, epoch: serial.and(row.epoch), ..row });
        }
        check.verdict(&facts(RunState::Finished))
    };
    let good = judge(&[3], 3, true);
    assert_eq!((good.status, good.measured, good.n), (Status::Pass, Some(0.0), 5));
    for (lost, expected, or_lost, off) in
        [(&[3, 6][..], 3, true, 1.0), (&[], 3, true, 1.0), (&[3], 3, false, 2.0)]
    {
        let verdict = judge(lost, expected, or_lost);
        let found = (verdict.status, verdict.measured);
        assert_eq!(found, (Status::Fail, Some(off)), "{lost:?} {}", verdict.why);
    }
}

/// What was handed over and is not there is lost: as many losses do not make a silence, and a
/// silence does not excuse them.
#[test]
fn a_reading_that_was_handed_over_is_lost_and_never_silent() {
    let judge = |never_made: &[u64], lost: &[u64], in_part: &[u64]| {
        let mut check = check("no_loss", "silent = [{ device = \"m\", readings = 3 }]");
        for number in 1..=8 {
            let is_there = !never_made.contains(&number) && !lost.contains(&number);
            for (quantity, is_left_out) in [(U, false), (F, in_part.contains(&number))] {
                let reported = (is_there && !is_left_out).then_some(1.0);
                let row = row("m", number, quantity, Some(1.0), reported);
                let is_numbered = !never_made.contains(&number) && !in_part.contains(&number);
                let serial = row.serial.filter(|_| is_numbered);
                let zero = SimDuration::ZERO;
                let span = RecordedSpan { from: zero, to: zero, spread: 0.0, way: "direct" };
                let epoch = serial.and(row.epoch);
                check.observation(&Observation { serial, epoch, span: Some(span), ..row });
            }
        }
        check.verdict(&facts(RunState::Finished))
    };
    assert_eq!(judge(&[4, 5, 6], &[], &[]).status, Status::Pass);
    for (never_made, lost, in_part, off, message) in [
        (&[][..], &[4, 5, 6][..], &[][..], 6.0, "missing: m serial 4 "),
        (&[4, 5], &[6], &[], 2.0, "missing: m serial 6 at"),
        (&[4, 5, 6], &[8], &[], 1.0, "missing: m serial 8 at"),
        (&[4, 5], &[], &[6], 2.0, "without electricity.frequency"),
    ] {
        let verdict = judge(never_made, lost, in_part);
        assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(off)), "{lost:?}");
        assert!(verdict.why.to_string().contains(message), "{}", verdict.why);
    }
}

#[test]
fn the_cause_of_a_missing_reading_stands_in_the_verdict() {
    let mut check = check("no_loss", "");
    check.observation(&row("m", 1, U, Some(230.0), Some(230.0)));
    check.observation(&row("m", 2, U, Some(230.0), None));
    let note = |seconds, what, detail| Event::device(at(seconds), "m", what, detail);
    check.event(1, &note(5, "board_retried", "noise"));
    check.event(2, &note(20, "reading_left_out", "board m: checksum 3F, expected 40"));
    let why = check.verdict(&facts(RunState::Finished)).why.to_string();
    assert!(why.contains("08:00:20.000Z; m: board m: checksum 3F, expected 40"), "{why}");
}

const F: &str = "electricity.frequency";

fn judge(rows: &[Observation<'_>], state: RunState) -> Verdict {
    let mut check = check("no_loss", "");
    for row in rows {
        check.observation(row);
    }
    check.verdict(&facts(state))
}

fn good(device: &str, serial: u64) -> [Observation<'_>; 2] {
    [
        row(device, serial, U, Some(230.0), Some(230.0)),
        row(device, serial, F, Some(50.0), Some(50.0)),
    ]
}

#[test]
fn each_reading_once_is_a_pass_also_when_devices_alternate() {
    let rows: Vec<_> =
        (1..=5).flat_map(|serial| good("a", serial).into_iter().chain(good("b", serial))).collect();
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 10, Some(0.0)));
    assert_eq!(verdict.why.to_string(), "10 of 10 readings, 0 unexpected");
}

#[test]
fn a_reading_of_which_one_value_is_missing_fails_by_name() {
    let mut rows = [good("m", 1), good("m", 2), good("m", 3)].concat();
    rows[3].reported = None;
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 3, Some(1.0)));
    assert_eq!(verdict.limit, Some(0.0));
    let place = verdict.at.as_ref().unwrap();
    assert_eq!((place.device.as_deref(), place.time), (Some("m"), Some(at(20))));
    assert_eq!((place.epoch, place.serial), (Some(1), Some(2)));
    assert!(verdict.why.to_string().contains("2 of 3 readings"), "{}", verdict.why);
    assert!(
        verdict.why.to_string().contains("missing: m serial 2 at 2027-01-15T08:00:20"),
        "{}",
        verdict.why
    );
}

#[test]
fn the_same_reading_under_a_fresh_serial_fails() {
    let mut rows = [good("m", 1), good("m", 2), good("m", 3)].concat();
    for row in &mut rows[4..] {
        row.reference = None;
    }
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 2, Some(1.0)));
    assert!(verdict.why.to_string().contains("unexpected: m serial 3"), "{}", verdict.why);
}

#[test]
fn a_reading_stored_twice_fails_though_it_was_due_once() {
    let mut twice = good("m", 1).to_vec();
    twice.extend(good("m", 1).map(|row| Observation { reference: None, ..row }));
    twice.sort_by_key(|row| row.quantity);
    let verdict = judge(&twice, RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 1, Some(1.0)));
}

#[test]
fn a_device_without_serials_is_not_judged() {
    let mut rows = good("m", 1).to_vec();
    rows.extend(good("x", 1).map(|row| Observation { serial: None, epoch: None, ..row }));
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1));
    assert!(
        verdict.why.to_string().contains("cannot judge 1 device without serial numbers: x"),
        "{}",
        verdict.why
    );
}

/// Of a device with declared spans the bench has joined each by when it was due.
#[test]
fn a_device_that_is_known_by_its_schedule_is_judged_without_serials() {
    let (from, to) = (SimDuration(0), SimDuration(1));
    let span = Some(RecordedSpan { from, to, spread: 0.0, way: "direct" });
    let joined = |row| Observation { serial: None, epoch: None, span, ..row };
    let mut rows: Vec<_> = (1..=3).flat_map(|serial| good("x", serial).map(joined)).collect();
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 3, Some(0.0)));
    for row in &mut rows[2..4] {
        (row.reported, row.span) = (None, None);
    }
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 3, Some(1.0)));
}

#[test]
fn a_reading_the_device_never_made_is_missing_at_its_instant() {
    let mut rows = good("m", 1).to_vec();
    for serial in [2, 3] {
        let never = |row: Observation<'static>| Observation {
            serial: None,
            epoch: None,
            reported: None,
            ..row
        };
        rows.extend(good("m", serial).map(never));
    }
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 3, Some(2.0)));
    assert!(verdict.why.to_string().contains("never made"), "{}", verdict.why);
}

fn stray(kind: &str, device: &str, serial: Option<u64>) -> Event {
    let event = Event::new(at(35), "platform", kind).with("device", device);
    match serial {
        Some(serial) => event.with(field::EPOCH, 1).with("serial", serial),
        None => event,
    }
}

#[test]
fn a_stored_reading_that_is_no_row_is_unexpected_and_named() {
    let foreign = stray("foreign_reading", "ghost", None);
    let valueless = stray("valueless_reading", "m", Some(7));
    let of_foreign = "ghost (not on the bench) at 2027-01-15T08:00:35";
    let of_valueless = "m serial 7 (no known value) at 2027-01-15T08:00:35";
    for (toml, unexpected, messages, place) in [
        ("", 2, vec![of_foreign, of_valueless], Some(("ghost", None, 2))),
        ("device = \"gh*\"", 1, vec![of_foreign], Some(("ghost", None, 2))),
        ("device = \"m\"", 1, vec![of_valueless], Some(("m", Some(7), 3))),
        ("device = \"other\"", 0, vec![], None),
    ] {
        let mut check = check("no_loss", toml);
        let events = [Event::note(at(0), "x"), foreign.clone(), valueless.clone()];
        for (line, event) in (1..).zip(&events) {
            check.event(line, event);
        }
        for row in &good("m", 1) {
            check.observation(row);
        }
        // What was seen and is wrong stays so, however the run ended.
        for state in [RunState::Finished, RunState::Interrupted] {
            let verdict = check.verdict(&facts(state));
            let is_fail = verdict.status == Status::Fail;
            assert_eq!(is_fail, unexpected > 0, "{toml}: {}", verdict.why);
            for message in &messages {
                assert!(
                    verdict.why.to_string().contains(message),
                    "{} lacks {message}",
                    verdict.why
                );
            }
            assert!(verdict.why.to_string().contains(&format!("{unexpected} unexpected")));
            let found = verdict.at.as_ref();
            let found = found.map(|at| (at.device.as_deref().unwrap(), at.serial, at.event));
            assert_eq!(found, place.map(|(device, serial, line)| (device, serial, Some(line))));
            let measured = (unexpected > 0 || verdict.n > 0).then_some(f64::from(unexpected));
            assert_eq!(verdict.measured, measured);
        }
    }
}

#[test]
fn a_value_under_an_identifier_nobody_sent_is_unexpected_and_named() {
    let mut check = check("no_loss", "");
    check.event(4, &stray("unknown_value", "m", Some(1)).with("name", "electricity.luck"));
    for row in &good("m", 1) {
        check.observation(row);
    }
    let verdict = check.verdict(&facts(RunState::Finished));
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(1.0)));
    let message = "m serial 1 (nobody sent its `electricity.luck`) at 2027-01-15T08:00:35";
    assert!(verdict.why.to_string().contains(message), "{}", verdict.why);
    assert_eq!(verdict.at.unwrap().event, Some(4));
}

#[test]
fn a_reading_on_too_few_samples_is_no_reading() {
    let share = |serial, usable: f64| {
        let event = stray("reading_share", "m", Some(serial));
        event.with(field::USABLE, usable)
    };
    for (toml, shares, status, measured) in [
        ("", [0.98, 0.95], Status::Pass, 0.0),
        ("", [0.98, 0.02], Status::Fail, 1.0),
        ("usable = \"99 %\"", [0.98, 0.02], Status::Fail, 2.0),
        ("usable = \"1 %\"", [0.98, 0.02], Status::Pass, 0.0),
    ] {
        let mut check = check("no_loss", toml);
        good("m", 1).iter().chain(&good("m", 2)).for_each(|row| check.observation(row));
        check.event(1, &share(1, shares[0]));
        check.event(2, &share(2, shares[1]));
        let verdict = check.verdict(&facts(RunState::Finished));
        assert_eq!((verdict.status, verdict.measured), (status, Some(measured)), "{toml}");
        if measured == 1.0 {
            let message = "; 1 of 2 readings rest on too few samples; below 95 %: m serial 2 (2 % \
                        usable) at 2027-01-15T08:00:35";
            assert_eq!(verdict.reason, Reason::ReadingsSparse);
            assert!(verdict.why.to_string().contains(message), "{}", verdict.why);
            assert_eq!(verdict.at.unwrap().serial, Some(2));
        }
    }
}

#[test]
fn why_a_reading_is_none_of_the_meters_answers_is_named() {
    let mut check = check("no_loss", "");
    check.observation(&row("m", 1, U, Some(230.0), None));
    check.observation(&row("m", 1, U, None, Some(460.0)));
    for what in ["not-asked", "other-values"] {
        check.event(1, &stray("not_answered", "m", Some(1)).with(field::WHAT, what));
    }
    let verdict = check.verdict(&facts(RunState::Finished));
    let message = "; not what the meter answered: m serial 1 (was not asked) at \
                2027-01-15T08:00:35.000Z, m serial 1 (answered other values) at ";
    assert!(verdict.why.to_string().contains(message), "{}", verdict.why);
    assert_eq!(verdict.measured, Some(2.0));
}

#[test]
fn of_many_strays_the_first_are_named_and_the_rest_counted() {
    let mut check = check("no_loss", "");
    for line in 1..=9 {
        check.event(line, &stray("foreign_reading", &format!("ghost-{line}"), None));
    }
    let verdict = check.verdict(&facts(RunState::Finished));
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(9.0)));
    assert!(
        verdict.why.to_string().contains("ghost-3") && !verdict.why.to_string().contains("ghost-4")
    );
    assert!(verdict.why.to_string().ends_with("and 6 more"), "{}", verdict.why);
}

/// The facts of a finished run with these devices.
fn with_devices(names: &[&str]) -> RunFacts {
    let device = |name: &&str| DeviceFacts {
        name: (*name).to_owned(),
        model: "stpm34-1ph".to_owned(),
        evidence: Evidence::Simulated,
        at: "source:s".to_owned(),
        under_test: true,
        fidelity: None,
        serial: None,
        firmware: None,
        reports: Vec::new(),
    };
    RunFacts { devices: names.iter().map(device).collect(), ..facts(RunState::Finished) }
}

#[test]
fn a_device_of_which_nothing_was_due_is_not_passed_over() {
    let facts = with_devices(&["m", "mute", "x"]);
    for (toml, lost, status, message) in [
        ("", false, Status::Inconclusive, "1 device without a due reading: mute"),
        ("device = \"m*\"", false, Status::Inconclusive, "without a due reading: mute"),
        ("device = \"m\"", false, Status::Pass, "1 of 1 readings, 0 unexpected"),
        ("device = \"mute\"", false, Status::Inconclusive, "no reading of device mute was due"),
        ("", true, Status::Fail, "without a due reading: mute"),
    ] {
        let mut check = check("no_loss", toml);
        let mut rows = [good("m", 1), good("x", 1)].concat();
        if lost {
            rows[3].reported = None;
        }
        for row in &rows {
            check.observation(row);
        }
        let verdict = check.verdict(&facts);
        assert_eq!(verdict.status, status, "{toml}: {}", verdict.why);
        assert!(verdict.why.to_string().contains(message), "{} lacks {message}", verdict.why);
    }
    // What came from it though nothing was due makes nothing due.
    let mut check = check("no_loss", "");
    let stray = Observation { reference: None, ..good("mute", 1)[0] };
    for row in [good("m", 1).to_vec(), good("x", 1).to_vec(), vec![stray]].concat() {
        check.observation(&row);
    }
    let why = check.verdict(&facts).why.to_string();
    assert!(why.contains("1 unexpected") && why.contains("due reading: mute"), "{why}");
}

#[test]
fn nothing_due_is_inconclusive() {
    let verdict = judge(&[], RunState::Finished);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Inconclusive, 0, None));
}

#[test]
fn what_was_under_way_when_the_run_was_interrupted_is_not_lost() {
    let mut rows = [good("m", 1), good("m", 2)].concat();
    rows[3].reported = None;
    assert_eq!(judge(&rows, RunState::Interrupted).status, Status::Inconclusive);
    rows[3].reference = None;
    assert_eq!(judge(&rows, RunState::Interrupted).status, Status::Fail);
    assert_eq!(judge(&good("m", 1), RunState::Interrupted).status, Status::Inconclusive);
    assert_eq!(judge(&good("m", 1), RunState::Error).status, Status::Error);
}

#[test]
fn of_many_missing_the_first_are_named_and_the_rest_counted() {
    let rows: Vec<_> = (1..=9).map(|serial| row("m", serial, U, Some(230.0), None)).collect();
    let verdict = judge(&rows, RunState::Finished);
    assert_eq!(verdict.measured, Some(9.0));
    assert!(
        verdict.why.to_string().contains("serial 3")
            && !verdict.why.to_string().contains("serial 4")
    );
    assert!(verdict.why.to_string().ends_with("and 6 more"), "{}", verdict.why);
}
