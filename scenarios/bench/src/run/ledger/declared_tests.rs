//! The join by number and by schedule: every way of going wrong.

use lastmeter_sim::{
    ChannelSpectrum, ElectricityFacts, Netting, ReferenceSpan, Spectrum, Streams, Terminal, Tone,
};
use lastmeter_units::MeasurementId;

use super::*;
use crate::run::ledger::{RowSpan, SupplyOutages};

const VOLTAGE: &str = "electricity.voltage.rms.l1";

fn seconds(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

fn at(since_start: i64) -> SimTime {
    SimTime(1_000_000_000_000) + seconds(since_start)
}

/// A voltage every 10 s up to 1000 s, declared to end from 1 s before its instant to 2 s after it.
fn account(identity: Identity) -> Account {
    account_of(identity, false)
}

fn account_of(identity: Identity, answers_others: bool) -> Account {
    let tone = |rms| ChannelSpectrum {
        tones: vec![Tone { frequency_hz: 50.0, rms, phase_rad: 0.0 }],
        ..ChannelSpectrum::default()
    };
    let spectrum =
        Spectrum { fundamental_hz: 50.0, voltages: vec![tone(230.0)], currents: vec![tone(10.0)] };
    let terminal = Terminal::from_spectrum(spectrum, "s", &Streams::new(1)).unwrap();
    Account::open(AccountTerms {
        is_carried: false,
        away: Vec::new(),
        answers_others,
        device: "meter".to_owned(),
        index: 0,
        metering_point: terminal.into(),
        electricity: Some(ElectricityFacts {
            netting: Netting::Net,
            pulse_constant: 1000.0,
            profile: None,
        }),
        quantities: vec![MeasurementId::lookup(VOLTAGE).unwrap()],
        start: at(0),
        period: seconds(10),
        offset: SimDuration::ZERO,
        end: at(1000),
        declared: Some(DeclaredSpan {
            identity,
            window: Some(seconds(5)),
            earliest: seconds(1),
            latest: seconds(2),
            registers_earliest: None,
        }),
        way: None,
        is_closed_here: false,
        darkness: SupplyOutages::default(),
        may_leave_out: false,
    })
}

fn made(serial: u64, instant: i64) -> AnnouncedReading {
    // What it announces is a lie, and nobody asks.
    let span = ReferenceSpan { from: seconds(7), to: seconds(1), registers_from: seconds(3) };
    AnnouncedReading { epoch: Epoch(1), serial: Serial(serial), at: at(instant), span }
}

fn values() -> BTreeMap<String, f64> {
    BTreeMap::from([(VOLTAGE.to_owned(), 231.0)])
}

fn sent(serial: u64, instant: i64) -> SentReading {
    let key = (Epoch(1), Serial(serial));
    SentReading { key, event_time: Some(at(instant)), usable: None, values: values() }
}

fn stored(serial: Option<u64>, instant: i64) -> StoredReading {
    StoredReading {
        device: "meter".to_owned(),
        epoch: serial.map(|_| Epoch(1)),
        serial: serial.map(Serial),
        event_time: at(instant),
        commit_time: None,
        values: values(),
    }
}

/// Serials of rows with a reference and of rows without, `None` for what did not come.
fn summary(rows: &[Row]) -> Vec<(Option<u64>, i64, bool, bool)> {
    let of_row = |row: &Row| {
        let since_start = (row.event_time - at(0)).0 / 1_000_000_000;
        let serial = row.key.1.map(|serial| serial.0);
        (serial, since_start, row.reference.is_some(), row.reported.is_some())
    };
    rows.iter().map(of_row).collect()
}

fn settled(due: u64, stored: u64, unexpected: u64) -> Tally {
    Tally { due, stored, missing: due - stored, unexpected, unknown_values: 0 }
}

/// What becomes of a second number, made between due instants, of which this is stored after the
/// ledger has looked at it.
fn of_a_second_number(instant: i64, looked_at: &[i64], then: &[StoredReading]) -> Tally {
    let mut account = account(Identity::Number);
    let mut rows = Vec::new();
    let mut total = Tally::default();
    account.made(made(1, 10)).unwrap();
    account.sent(sent(1, 10));
    account.stored(stored(Some(1), 10));
    total += account.settle(at(11), &mut rows);
    account.made(made(2, instant)).unwrap();
    account.sent(sent(2, instant));
    for looked_at in looked_at {
        total += account.settle(at(*looked_at), &mut rows);
        assert!(account.is_as_sent(&stored(Some(2), instant)));
    }
    for reading in then {
        account.stored(reading.clone());
    }
    total += account.settle(at(looked_at[looked_at.len() - 1] + 1), &mut rows);
    assert!(account.stored.is_empty() && account.made.is_empty());
    total
}

#[test]
fn a_number_that_was_not_due_may_come_after_it_was_looked_at_but_once_and_as_it_was_sent() {
    // A gateway starts again at 13 s and asks at once; its poll is looked at while it goes on.
    let it = || stored(Some(2), 13);
    for looked_at in [&[13][..], &[13, 14, 15], &[18]] {
        assert_eq!(of_a_second_number(13, looked_at, &[it()]), settled(1, 1, 0), "{looked_at:?}");
    }
    // Over the next due instant too.
    let early = of_a_second_number(19, &[20], &[stored(Some(2), 19)]);
    assert_eq!((early.stored, early.unexpected), (1, 0));
    // Never stored: nobody has waited for it.
    assert_eq!(of_a_second_number(13, &[14], &[]), settled(1, 1, 0));
    // Twice, of other values, of another time, of a number that was never made: strays.
    let altered = StoredReading { values: BTreeMap::from([(VOLTAGE.to_owned(), 1.0)]), ..it() };
    for strays in [vec![it(), it()], vec![altered], vec![stored(Some(2), 18)]] {
        assert_eq!(of_a_second_number(13, &[14], &strays), settled(1, 1, 1), "{strays:?}");
    }
    assert_eq!(of_a_second_number(13, &[14], &[stored(Some(3), 13)]), settled(1, 1, 1));
    // What was sent is not remembered for ever.
    let mut account = account(Identity::Number);
    for serial in 1..=100 {
        account.made(made(serial, 5)).unwrap();
        account.sent(sent(serial, 5));
        account.settle(at(6), &mut Vec::new());
    }
    account.settle(at(16), &mut Vec::new());
    assert_eq!(account.sent.len(), 0);
}

#[test]
fn a_number_serves_the_period_it_falls_in_and_later_ones_are_no_fault() {
    let mut account = account(Identity::Number);
    // At 11 s, and again at 14 s and 17 s; none from 20 s to 30 s; at 30 s.
    for (serial, instant) in [(1, 11), (2, 14), (3, 17), (4, 30)] {
        account.made(made(serial, instant)).unwrap();
        account.sent(sent(serial, instant));
        account.stored(stored(Some(serial), instant));
    }
    let mut rows = Vec::new();
    assert_eq!(account.settle(at(15), &mut rows), settled(1, 1, 0));
    assert_eq!(account.settle(at(29), &mut rows), settled(0, 0, 0), "20 s may still come");
    assert_eq!(account.settle(at(35), &mut rows), settled(2, 1, 0));
    let expected = [(Some(1), 10, true, true), (None, 20, true, false), (Some(4), 30, true, true)];
    assert_eq!(summary(&rows), expected);
    assert_eq!(account.take_never_made(), [(2, at(20))]);
    // The reference is taken over 5 s up to the number's instant, not up to when it was due.
    let span = |row: &Row| row.span.map(|span| (span.from, span.to));
    assert_eq!(span(&rows[0]), Some((seconds(6), seconds(11))));
    assert_eq!(span(&rows[1]), None, "nothing is held against what did not come");
    let RowSpan { spread, .. } = rows[0].span.unwrap();
    assert!(spread < 1e-9, "a steady voltage is the same over all spans: {spread}");
}

/// Declared are 1 s before to 2 s after: an answer of then is looked for about the reading's date.
#[test]
fn of_a_device_that_somebody_else_asks_only_its_answers_are_readings() {
    let answer = |volts: f64| BTreeMap::from([(VOLTAGE.to_owned(), volts)]);
    let other = "other-values";
    for (what, answers, unanswered) in [
        ("asked", vec![(10, 231.0)], None),
        ("asked before the date", vec![(9, 231.0)], None),
        ("asked twice", vec![(9, 230.0), (10, 231.0)], None),
        ("a real of 32 bits", vec![(10, 231.000_01)], None),
        ("never asked", vec![], Some("not-asked")),
        ("asked at another time", vec![(8, 231.0), (13, 231.0)], Some("not-asked")),
        ("another's values", vec![(10, 230.0)], Some(other)),
        ("a poll repeated", vec![(0, 231.0), (10, 230.9)], Some(other)),
    ] {
        for (identity, serial) in [(Identity::Schedule, None), (Identity::Number, Some(1))] {
            let mut account = account_of(identity, true);
            account.made(made(1, 10)).unwrap();
            for (instant, volts) in &answers {
                account.answered(at(*instant), answer(*volts));
            }
            let reading = stored(serial, 10);
            assert_eq!(account.unanswered(&reading), unanswered, "{what}");
            assert_eq!(account.is_as_sent(&reading), unanswered.is_none(), "{what}");
            account.stored(reading);
            let expected = if unanswered.is_none() { settled(1, 1, 0) } else { settled(1, 0, 1) };
            assert_eq!(account.settle(at(21), &mut Vec::new()), expected, "{what}");
        }
    }
    // A value that the device has not, and a device of which nobody knows the answers.
    let mut account = account_of(Identity::Schedule, true);
    account.answered(at(10), answer(231.0));
    let mut reading = stored(None, 10);
    reading.values.insert("electricity.frequency".to_owned(), 50.0);
    assert_eq!(account.unanswered(&reading), Some(other));
    assert_eq!(account_of(Identity::Schedule, false).unanswered(&reading), None);
}

#[test]
fn every_way_of_going_wrong_by_number_is_seen() {
    let altered = |serial| {
        let values = BTreeMap::from([(VOLTAGE.to_owned(), 232.0)]);
        StoredReading { values, ..stored(Some(serial), 10) }
    };
    for (what, given, expected) in [
        ("as sent", vec![stored(Some(1), 10)], settled(1, 1, 0)),
        ("as late as declared", vec![stored(Some(1), 12)], settled(1, 1, 0)),
        ("later", vec![stored(Some(1), 13)], settled(1, 0, 1)),
        ("earlier than declared", vec![stored(Some(1), 8)], settled(1, 0, 1)),
        ("lost", vec![], settled(1, 0, 0)),
        ("altered", vec![altered(1)], settled(1, 0, 1)),
        ("twice", vec![stored(Some(1), 10), stored(Some(1), 10)], settled(1, 1, 1)),
        ("another number", vec![stored(Some(2), 10)], settled(1, 0, 1)),
        ("without a number", vec![stored(None, 10)], settled(1, 0, 1)),
    ] {
        let mut account = account(Identity::Number);
        account.made(made(1, 10)).unwrap();
        account.sent(sent(1, 10));
        for stored in given {
            account.stored(stored);
        }
        assert_eq!(account.settle(at(20), &mut Vec::new()), expected, "{what}");
    }
}

#[test]
fn of_several_numbers_before_the_next_is_due_the_one_that_was_carried_serves() {
    let mut account = account(Identity::Number);
    // A gateway that searches reads it at 11 s and carries nothing; at 14 s it polls.
    for (serial, instant) in [(1, 11), (2, 14)] {
        account.made(made(serial, instant)).unwrap();
    }
    let mut rows = Vec::new();
    assert_eq!(account.settle(at(12), &mut rows), settled(0, 0, 0), "another may come");
    account.sent(sent(2, 14));
    account.stored(stored(Some(2), 14));
    assert_eq!(account.settle(at(15), &mut rows), settled(1, 1, 0));
    assert_eq!(summary(&rows), [(Some(2), 10, true, true)]);
}

#[test]
fn by_schedule_one_reading_in_its_time_is_joined_and_no_number_matters() {
    let mut account = account(Identity::Schedule);
    // Announced under other numbers, and at other instants; not sent as far as the bench sees.
    account.made(made(70, 10)).unwrap();
    for reading in [stored(Some(9), 12), stored(None, 19), stored(Some(9), 25)] {
        account.stored(reading);
    }
    let mut rows = Vec::new();
    assert_eq!(account.settle(at(11), &mut rows), settled(0, 0, 0), "another may come at 12 s");
    assert_eq!(account.settle(at(35), &mut rows), settled(3, 2, 1));
    let expected = [
        (None, 10, true, true),
        (None, 20, true, true),
        (None, 30, true, false),
        (Some(9), 25, false, true),
    ];
    assert_eq!(summary(&rows), expected);
    assert_eq!(rows[0].span.map(|span| (span.from, span.to)), Some((seconds(5), seconds(10))));
    assert_eq!(account.take_never_made(), [(3, at(30))]);
}

/// A duplicate is unexpected, wherever in its time it is and whatever its number; the one that was
/// sent serves, or the one nearest to its instant.
#[test]
fn of_several_that_fit_by_schedule_one_serves_and_the_others_are_unexpected() {
    let late = || stored(Some(2), 11);
    for (what, is_seen, given) in [
        ("the same again", true, [stored(Some(1), 10), stored(Some(1), 10)]),
        ("under a fresh number", true, [stored(Some(1), 10), stored(Some(2), 10)]),
        ("sent twice, none nearer", false, [stored(Some(1), 10), stored(None, 10)]),
        ("the later one first", false, [late(), stored(Some(1), 10)]),
        ("that was not sent", true, [late(), stored(Some(1), 10)]),
    ] {
        let mut account = account(Identity::Schedule);
        if is_seen {
            account.sent(sent(1, 10));
        }
        for reading in given {
            account.stored(reading);
        }
        let mut rows = Vec::new();
        assert_eq!(account.settle(at(19), &mut rows), settled(1, 1, 1), "{what}");
        assert_eq!(summary(&rows)[0], (None, 10, true, true), "{what}");
        let unexpected = summary(&rows)[1];
        assert!(!unexpected.2 && unexpected.3, "{what}: {unexpected:?}");
    }
}

/// What was handed over and is not stored is lost, not silent: it has the number it was sent under.
#[test]
fn a_reading_by_schedule_that_was_sent_and_lost_has_its_number() {
    let mut account = account(Identity::Schedule);
    account.sent(sent(7, 10));
    account.sent(sent(8, 20));
    account.stored(stored(Some(8), 20));
    let mut rows = Vec::new();
    assert_eq!(account.settle(at(39), &mut rows), settled(3, 1, 0));
    let expected = [(Some(7), 10, true, false), (None, 20, true, true), (None, 30, true, false)];
    assert_eq!(summary(&rows), expected);
}

/// What a gateway reads at the very end may come or not; what comes is as good as any other.
#[test]
fn a_carried_reading_at_the_end_is_not_owed_and_not_unexpected() {
    for (given, expected) in [
        (vec![], settled(1, 0, 0)),
        (vec![stored(Some(99), 990)], settled(1, 1, 0)),
        (vec![stored(Some(99), 990), stored(Some(100), 1000)], settled(2, 2, 0)),
        (vec![stored(Some(99), 990), stored(Some(100), 1001)], settled(2, 2, 0)),
        (vec![stored(Some(100), 1000), stored(Some(100), 1000)], settled(2, 1, 1)),
        (vec![stored(Some(99), 990), stored(Some(100), 1003)], settled(1, 1, 1)),
    ] {
        let mut account = account(Identity::Schedule);
        if let Some(declared) = &mut account.declared {
            declared.carried = CARRIED_MAX;
        }
        account.settle(at(980) + seconds(5), &mut Vec::new());
        let what = format!("{given:?}");
        for reading in given {
            account.stored(reading);
        }
        assert_eq!(account.settle(at(1000), &mut Vec::new()), expected, "{what}");
    }
}

#[test]
fn by_schedule_what_was_not_sent_like_this_is_missing_and_unexpected() {
    let other = || BTreeMap::from([(VOLTAGE.to_owned(), 230.0)]);
    for (what, given, expected) in [
        ("as sent", stored(Some(1), 10), settled(1, 1, 0)),
        ("by its event time", stored(None, 10), settled(1, 1, 0)),
        ("altered", StoredReading { values: other(), ..stored(Some(1), 10) }, settled(1, 0, 1)),
        (
            "altered, unnumbered",
            StoredReading { values: other(), ..stored(None, 10) },
            settled(1, 0, 1),
        ),
        ("another instant", stored(Some(1), 11), settled(1, 0, 1)),
    ] {
        let mut account = account(Identity::Schedule);
        account.sent(sent(1, 10));
        assert_eq!(account.is_as_sent(&given), expected.stored == 1, "{what}");
        account.stored(given);
        assert_eq!(account.settle(at(19), &mut Vec::new()), expected, "{what}");
    }
}

#[test]
fn at_the_end_nothing_is_waited_for() {
    // A number for 990 s may come until 1000 s.
    for (identity, settled) in [(Identity::Number, 98), (Identity::Schedule, 99)] {
        let mut account = account(identity);
        let first = account.settle(at(999), &mut Vec::new());
        let last = account.settle(at(1000), &mut Vec::new());
        assert_eq!((first.due, last.due), (settled, 100 - settled), "{identity:?}");
        assert_eq!(first.missing + last.missing, 100);
    }
}
