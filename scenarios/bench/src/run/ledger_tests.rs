//! The join of due, made and stored readings: every way of going wrong, and all its totals.

use lastmeter_sim::plan::OperatingPoint;
use lastmeter_sim::{ChannelSpectrum, Netting, Program, Spectrum, Streams, Terminal, Tone};
use lastmeter_units::HardwareId;
use lastmeter_wire::flexmeter::{MeasurementMessage, encode_measurements};

use super::*;

const VOLTAGE: &str = "electricity.voltage.rms.l1";
const POWER: &str = "electricity.power.active.consumed.l1";
const ENERGY: &str = "electricity.energy.active.consumed.l1";

fn seconds(seconds: i64) -> SimDuration {
    SimDuration::from_seconds(seconds)
}

fn at(since_start: i64) -> SimTime {
    SimTime(1_000_000_000_000) + seconds(since_start)
}

/// 230 V and 10 A, and a reading every 10 s of the voltage.
fn account() -> Account {
    account_of(&[MeasurementId::lookup(VOLTAGE).unwrap()])
}

/// The same with other quantities.
fn account_of(quantities: &[MeasurementId]) -> Account {
    account_at(steady(), quantities)
}

fn steady() -> Terminal {
    let tone = |rms| ChannelSpectrum {
        tones: vec![Tone { frequency_hz: 50.0, rms, phase_rad: 0.0 }],
        ..ChannelSpectrum::default()
    };
    let spectrum =
        Spectrum { fundamental_hz: 50.0, voltages: vec![tone(230.0)], currents: vec![tone(10.0)] };
    Terminal::from_spectrum(spectrum, "s", &Streams::new(1)).unwrap()
}

fn account_at(terminal: Terminal, quantities: &[MeasurementId]) -> Account {
    Account::open(AccountTerms {
        is_carried: false,
        away: Vec::new(),
        answers_others: false,
        device: "meter".to_owned(),
        index: 0,
        metering_point: terminal.into(),
        electricity: Some(ElectricityFacts {
            netting: Netting::Net,
            pulse_constant: 1000.0,
            profile: None,
        }),
        quantities: quantities.to_vec(),
        start: at(0),
        period: seconds(10),
        offset: SimDuration::ZERO,
        end: at(1_000_000),
        declared: None,
        way: None,
        is_closed_here: false,
        darkness: SupplyOutages::default(),
        may_leave_out: false,
    })
}

fn made(serial: u64) -> AnnouncedReading {
    let to = 10 * serial as i64;
    let span = ReferenceSpan {
        from: seconds(to - 10),
        to: seconds(to),
        registers_from: SimDuration::ZERO,
    };
    AnnouncedReading { epoch: Epoch(1), serial: Serial(serial), at: at(to), span }
}

fn stored(serial: u64) -> StoredReading {
    StoredReading {
        device: "meter".to_owned(),
        epoch: Some(Epoch(1)),
        serial: Some(Serial(serial)),
        event_time: at(10 * serial as i64),
        commit_time: None,
        values: BTreeMap::from([(VOLTAGE.to_owned(), 231.0)]),
    }
}

/// Settles three readings that were made and sent, with whatever the platform gives back.
fn settle(given: Vec<StoredReading>) -> (Tally, Vec<Row>) {
    let mut account = account();
    for serial in 1..=3 {
        account.made(made(serial)).unwrap();
        let key = (Epoch(1), Serial(serial));
        account.sent(SentReading {
            key,
            event_time: None,
            usable: None,
            values: stored(serial).values,
        });
    }
    for reading in given {
        account.stored(reading);
    }
    let mut rows = Vec::new();
    let settled = account.settle(at(30), &mut rows);
    (settled, rows)
}

#[test]
fn what_was_due_made_and_stored_stands_side_by_side() {
    let (settled, rows) = settle(vec![stored(3), stored(1), stored(2)]);
    let expected = Tally { due: 3, stored: 3, ..Tally::default() };
    assert_eq!(settled, expected);
    for (row, serial) in rows.iter().zip(1..) {
        assert_eq!(row.key, (Some(Epoch(1)), Some(Serial(serial))));
        assert!((row.reference.unwrap() - 230.0).abs() < 1e-9);
        assert_eq!(row.reported, Some(231.0));
    }
}

#[test]
fn every_way_of_going_wrong_is_seen() {
    let late = StoredReading { event_time: at(21), ..stored(2) };
    let altered =
        StoredReading { values: BTreeMap::from([(VOLTAGE.to_owned(), 231.000_001)]), ..stored(2) };
    let nameless = StoredReading { epoch: None, serial: None, ..stored(2) };
    for (what, given, missing, unexpected) in [
        ("lost", vec![stored(1), stored(3)], 1, 0),
        ("twice", vec![stored(1), stored(2), stored(2), stored(3)], 0, 1),
        ("a fresh serial", vec![stored(1), stored(2), stored(3), stored(4)], 0, 1),
        ("another event time", vec![stored(1), late, stored(3)], 1, 1),
        ("another value", vec![stored(1), altered, stored(3)], 1, 1),
        ("no serial", vec![stored(1), nameless, stored(3)], 1, 1),
    ] {
        let (settled, rows) = settle(given);
        assert_eq!(
            (settled.due, settled.missing, settled.unexpected),
            (3, missing, unexpected),
            "{what}"
        );
        let empty = rows.iter().filter(|row| row.reported.is_none()).count();
        let unasked = rows.iter().filter(|row| row.reference.is_none()).count();
        assert_eq!((empty as u64, unasked as u64), (missing, unexpected), "{what}");
    }
}

#[test]
fn what_comes_back_early_is_kept_for_its_reading() {
    let mut account = account();
    for serial in 1..=3 {
        account.made(made(serial)).unwrap();
        let key = (Epoch(1), Serial(serial));
        account.sent(SentReading {
            key,
            event_time: None,
            usable: None,
            values: stored(serial).values,
        });
        account.stored(stored(serial));
    }
    let mut rows = Vec::new();
    let (first, rest) = (account.settle(at(15), &mut rows), account.settle(at(30), &mut rows));
    assert_eq!((first.stored, first.unexpected), (1, 0));
    assert_eq!((rest.stored, rest.missing, rest.unexpected), (2, 0, 0));
}

#[test]
fn nothing_is_due_after_the_end_however_long_others_lag_behind() {
    let mut account = account();
    account.terms.end = at(30);
    let mut rows = Vec::new();
    let settled = account.settle(at(70), &mut rows);
    assert_eq!((settled.due, settled.missing), (3, 3));
}

#[test]
fn a_device_that_made_nothing_still_owes_its_readings() {
    let mut rows = Vec::new();
    let settled = account().settle(at(30), &mut rows);
    assert_eq!((settled.due, settled.missing), (3, 3));
    assert!(rows.iter().all(|row| row.key == (None, None) && row.reference.is_some()));
}

#[test]
fn a_span_that_does_not_hold_together_is_not_believed() {
    let good = made(2);
    let span = |from, to, registers_from| ReferenceSpan {
        from: seconds(from),
        to: seconds(to),
        registers_from: seconds(registers_from),
    };
    for (what, changed) in [
        ("a gap", span(11, 20, 0)),
        ("an overlap", span(9, 20, 0)),
        ("registers that begin anew", span(10, 20, 10)),
        ("an end long before the reading", span(10, 19, 0)),
        ("an end after the reading", span(10, 21, 0)),
        ("nothing", span(10, 10, 0)),
    ] {
        let mut account = account();
        account.made(made(1)).unwrap();
        assert!(account.made(AnnouncedReading { span: changed, ..good }).is_err(), "{what}");
        account.made(good).unwrap();
    }
}

#[test]
fn each_total_adds_to_its_own() {
    let of = |unit: u64| Tally {
        due: unit,
        stored: 2 * unit,
        missing: 3 * unit,
        unexpected: 4 * unit,
        unknown_values: 5 * unit,
    };
    let mut sum = of(1);
    sum += of(10);
    assert_eq!(sum, of(11));
}

#[test]
fn names_that_nobody_knows_are_counted_and_alter_their_reading() {
    let mut odd = stored(2);
    odd.values.insert("x.nobody.knows".to_owned(), 1.0);
    odd.values.insert("x.nobody.knows.either".to_owned(), 1.0);
    let (settled, rows) = settle(vec![stored(1), odd, stored(3)]);
    let expected = Tally { due: 3, stored: 2, missing: 1, unexpected: 1, unknown_values: 2 };
    assert_eq!(settled, expected);
    // The voltage beside them is recorded, without a reference.
    assert_eq!(rows.iter().filter(|row| row.reference.is_none()).count(), 1);
}

#[test]
fn values_are_recorded_in_si_units_and_those_not_asked_for_without_a_reference() {
    let [voltage, power] = [VOLTAGE, POWER].map(|name| MeasurementId::lookup(name).unwrap());
    for (asked, expected) in [
        (vec![voltage], vec![(voltage, true, Some(231.0)), (power, false, Some(2300.0))]),
        (vec![power], vec![(power, true, Some(2300.0)), (voltage, false, Some(231.0))]),
        (vec![voltage, power], vec![(voltage, true, Some(231.0)), (power, true, Some(2300.0))]),
    ] {
        let mut account = account_of(&asked);
        account.made(made(1)).unwrap();
        let mut reading = stored(1);
        reading.values.insert(POWER.to_owned(), 2.3);
        account.sent(SentReading {
            key: (Epoch(1), Serial(1)),
            event_time: None,
            usable: None,
            values: reading.values.clone(),
        });
        account.stored(reading);
        let mut rows = Vec::new();
        let settled = account.settle(at(10), &mut rows);
        assert_eq!(settled, Tally { due: 1, stored: 1, ..Tally::default() });
        let rows: Vec<_> =
            rows.iter().map(|row| (row.quantity, row.reference.is_some(), row.reported)).collect();
        assert_eq!(rows, expected);
    }
}

#[test]
fn what_a_reading_leaves_out_is_an_empty_row() {
    let [voltage, power] = [VOLTAGE, POWER].map(|name| MeasurementId::lookup(name).unwrap());
    let mut account = account_of(&[voltage, power]);
    account.made(made(1)).unwrap();
    account.sent(SentReading {
        key: (Epoch(1), Serial(1)),
        event_time: None,
        usable: None,
        values: stored(1).values,
    });
    account.stored(stored(1));
    let mut rows = Vec::new();
    account.settle(at(10), &mut rows);
    let reported: Vec<_> = rows.iter().map(|row| row.reported).collect();
    assert_eq!(reported, [Some(231.0), None]);
    assert!((rows[1].reference.unwrap() - 2300.0).abs() < 1e-6);
}

/// 2300 W for 10 s, 20 s, 30 s; a register begins with the scenario.
#[test]
fn a_dead_device_owes_what_its_register_would_have_shown() {
    let energy = MeasurementId::lookup(ENERGY).unwrap();
    let mut rows = Vec::new();
    account_of(&[energy]).settle(at(30), &mut rows);
    let references: Vec<_> = rows.iter().map(|row| row.reference.unwrap()).collect();
    for (reference, expected) in references.iter().zip([23e3, 46e3, 69e3]) {
        assert!((reference - expected).abs() < 1e-6 * expected, "{references:?}");
    }
    let due: Vec<_> = rows.iter().map(|row| row.event_time).collect();
    assert_eq!(due, [at(10), at(20), at(30)]);
}

/// Each period has a voltage of its own, and what was due for it is held to that one alone.
#[test]
fn a_dead_device_owes_each_period_its_own_truth() {
    let points = [230.0, 220.0, 210.0, 200.0]
        .map(|voltage_v| OperatingPoint::balanced(seconds(10), 1, 50.0, voltage_v, 10.0));
    let program = Program::from_points(&points).unwrap();
    let terminal = Terminal::from_program(&program, "s", &Streams::new(1)).unwrap();
    let mut rows = Vec::new();
    account_at(terminal, &[MeasurementId::lookup(VOLTAGE).unwrap()]).settle(at(30), &mut rows);
    let references: Vec<_> = rows.iter().map(|row| row.reference.unwrap()).collect();
    for (reference, expected) in references.iter().zip([230.0, 220.0, 210.0]) {
        assert!((reference - expected).abs() < 1e-6, "{references:?}");
    }
}

#[test]
fn what_was_made_when_nothing_was_due_is_not_waited_for() {
    let mut account = account();
    let off = AnnouncedReading {
        at: at(7),
        span: ReferenceSpan { to: seconds(7), ..made(1).span },
        ..made(1)
    };
    account.made(off).unwrap();
    account.sent(SentReading {
        key: (Epoch(1), Serial(1)),
        event_time: None,
        usable: None,
        values: stored(1).values,
    });
    account.stored(StoredReading { event_time: at(7), ..stored(1) });
    let settled = account.settle(at(7), &mut Vec::new());
    assert_eq!(settled, Tally { unexpected: 1, ..Tally::default() });
    assert!(account.made.is_empty() && account.stored.is_empty());
}

#[test]
fn an_acknowledged_period_makes_more_readings_due() {
    let mut account = account();
    account.change_period(at(10), seconds(5));
    assert_eq!(account.terms.period, seconds(5));
    let mut rows = Vec::new();
    account.settle(at(20), &mut rows);
    let due: Vec<_> = rows.iter().map(|row| row.event_time).collect();
    assert_eq!(due, [at(10), at(15), at(20)]);
}

#[test]
fn an_unannounced_reading_keeps_its_number_and_is_reported_once() {
    let mut account = account();
    for serial in [1, 3] {
        let span = made(serial).span;
        // The third covers the second's time, too.
        let from = if serial == 3 { seconds(10) } else { span.from };
        account
            .made(AnnouncedReading { span: ReferenceSpan { from, ..span }, ..made(serial) })
            .unwrap();
    }
    account.settle(at(30), &mut Vec::new());
    assert_eq!(account.take_never_made(), [(2, at(20))]);
    assert_eq!(account.take_never_made(), []);
    account.settle(at(50), &mut Vec::new());
    assert_eq!(account.take_never_made(), [(4, at(40)), (5, at(50))]);
}

#[test]
fn only_what_left_the_device_is_as_sent() {
    let mut account = account();
    account.made(made(1)).unwrap();
    assert!(!account.is_as_sent(&stored(1)), "nothing was sent yet");
    account.sent(SentReading {
        key: (Epoch(1), Serial(1)),
        event_time: None,
        usable: None,
        values: stored(1).values,
    });
    assert!(account.is_as_sent(&stored(1)));
    let values = BTreeMap::from([(VOLTAGE.to_owned(), 230.0)]);
    for (what, other) in [
        ("another value", StoredReading { values, ..stored(1) }),
        ("another instant", StoredReading { event_time: at(11), ..stored(1) }),
        ("another epoch", StoredReading { epoch: Some(Epoch(2)), ..stored(1) }),
        ("another serial", StoredReading { event_time: at(10), ..stored(2) }),
        ("no epoch", StoredReading { epoch: None, ..stored(1) }),
        ("no serial", StoredReading { serial: None, ..stored(1) }),
    ] {
        assert!(!account.is_as_sent(&other), "{what}");
    }
    // Sent, but never made, as a replay is.
    account.sent(SentReading {
        key: (Epoch(1), Serial(2)),
        event_time: None,
        usable: None,
        values: stored(2).values,
    });
    assert!(!account.is_as_sent(&stored(2)));
}

/// A first window may be half a second late, and an end half a second early, no more.
#[test]
fn spans_may_begin_and_end_within_the_lag() {
    let span = |from_ms, to_ms, registers_ms| {
        let [from, to, registers_from] =
            [from_ms, to_ms, registers_ms].map(SimDuration::from_milliseconds);
        AnnouncedReading { span: ReferenceSpan { from, to, registers_from }, ..made(1) }
    };
    for (what, first, is_good) in [
        ("from the start to the instant", span(0, 10_000, 0), true),
        ("from half a second on", span(500, 10_000, 500), true),
        ("from later on", span(501, 10_000, 501), false),
        ("from before the start", span(-1, 10_000, -1), false),
        ("registers from elsewhere", span(100, 10_000, 0), false),
        ("to half a second before", span(0, 9_500, 0), true),
        ("to earlier", span(0, 9_499, 0), false),
        ("to later than the instant", span(0, 10_001, 0), false),
    ] {
        assert_eq!(account().made(first).is_ok(), is_good, "{what}");
    }
}

#[test]
fn readings_go_to_their_accounts_and_what_belongs_to_none_is_an_event() {
    let foreign = StoredReading { device: "stranger".to_owned(), ..stored(1) };
    let valueless = StoredReading { values: BTreeMap::new(), ..stored(3) };
    let mut odd = stored(2);
    odd.values.insert("x.nobody.knows".to_owned(), 1.0);
    let mut accounts = [account()];
    let mut events = Vec::new();
    take_readings(vec![foreign, valueless, odd, stored(1)], &mut accounts, at(40), &mut events);
    let serials: Vec<_> = accounts[0].stored.iter().map(|stored| stored.serial).collect();
    assert_eq!(serials, [Some(Serial(1)), Some(Serial(2))]);
    let found: Vec<_> = events
        .iter()
        .map(|event| {
            let of = |name| event.get(name).map(ToString::to_string).unwrap_or_default();
            (event.time, event.kind.to_string(), of("device"), of("serial"), of("name"))
        })
        .collect();
    let expected = [
        ("unknown_value", "meter", "2", "x.nobody.knows"),
        ("valueless_reading", "meter", "3", ""),
        ("foreign_reading", "stranger", "1", ""),
    ];
    let quoted = |text: &str| if text.is_empty() { String::new() } else { format!("\"{text}\"") };
    let expected = expected.map(|(kind, device, serial, name)| {
        (at(40), kind.to_owned(), quoted(device), serial.to_owned(), quoted(name))
    });
    assert_eq!(found, expected);
}

#[test]
fn a_message_is_read_as_it_was_sent_and_only_if_it_is_numbered() {
    let device = HardwareId::new("meter").unwrap();
    let values = vec![(MeasurementId::lookup(VOLTAGE).unwrap(), 231.0)];
    let mut message = MeasurementMessage::new(device, values);
    let mut payload = Vec::new();
    encode_measurements(&message, &mut payload);
    assert_eq!(SentReading::read(&payload), None);
    assert_eq!(SentReading::read(b"{"), None);
    (message.epoch, message.serial) = (Some(Epoch(7)), Some(Serial(3)));
    payload.clear();
    encode_measurements(&message, &mut payload);
    let sent = SentReading::read(&payload).unwrap();
    assert_eq!(sent.key, (Epoch(7), Serial(3)));
    assert_eq!(sent.values, BTreeMap::from([(VOLTAGE.to_owned(), 231.0)]));
}

#[test]
fn what_a_gateway_carries_has_its_way_in_the_record() {
    let mut account = account();
    account.terms.way = Some("cellar".to_owned());
    for serial in [1, 2] {
        account.made(made(serial)).unwrap();
        account.sent(SentReading {
            key: (Epoch(1), Serial(serial)),
            event_time: None,
            usable: None,
            values: stored(serial).values,
        });
    }
    account.stored(stored(1));
    let mut rows = Vec::new();
    account.settle(at(20), &mut rows);
    let spans: Vec<_> =
        rows.iter().map(|row| row.observation("meter", account.way()).span).collect();
    let (from, to) = (seconds(0), seconds(10));
    let way = "cellar";
    assert_eq!(spans, [Some(RecordedSpan { from, to, spread: 0.0, way }), None]);
}

#[test]
fn a_row_goes_to_the_record_as_it_is() {
    let (_, rows) = settle(vec![stored(1)]);
    let observation = rows[0].observation("meter", "direct");
    assert_eq!(
        (observation.device, observation.epoch, observation.serial, observation.event_time),
        ("meter", Some(Epoch(1)), Some(Serial(1)), at(10))
    );
    assert_eq!((observation.reference, observation.reported), (rows[0].reference, Some(231.0)));
}

/// By hand: 10 A for 12 s, then 5 A at 230 V; intervals of 10 s begin with the run.
#[test]
fn a_mean_power_is_judged_by_the_interval_that_its_reading_names() {
    let [number, power] = ["interval", "power"]
        .map(|name| MeasurementId::lookup(&format!("x.electricity.profile.{name}")).unwrap());
    let points = [(12, 10.0), (28, 5.0)]
        .map(|(long, amperes)| OperatingPoint::balanced(seconds(long), 1, 50.0, 230.0, amperes));
    let program = Program::from_points(&points).unwrap();
    let terminal = Terminal::from_program(&program, "s", &Streams::new(1)).unwrap();
    let mut account = account_at(terminal, &[number, power]);
    let profile = lastmeter_sim::ProfileIntervals { length: seconds(10), start: at(0) };
    let facts = account.terms.electricity.unwrap();
    account.terms.electricity = Some(ElectricityFacts { profile: Some(profile), ..facts });
    // The second reading has none; the third names the second interval, in kW; the fourth one that
    // is not over.
    for (serial, named) in [(1, Some(1.0)), (2, None), (3, Some(2.0)), (4, Some(5.0))] {
        let values = named.map(|named| {
            BTreeMap::from([(number.name().to_owned(), named), (power.name().to_owned(), 1.5)])
        });
        let values = values.unwrap_or_default();
        account.made(made(serial)).unwrap();
        let key = (Epoch(1), Serial(serial));
        account.sent(SentReading { key, event_time: None, usable: None, values: values.clone() });
        account.stored(StoredReading { values, ..stored(serial) });
    }
    let mut rows = Vec::new();
    assert_eq!(account.settle(at(40), &mut rows).stored, 4);
    let of = |id| rows.iter().filter(move |row| row.quantity == id);
    let numbers: Vec<_> = of(number).map(|row| (row.reference, row.reported)).collect();
    assert_eq!(numbers, [(Some(1.0), Some(1.0)), (Some(3.0), Some(2.0)), (Some(4.0), Some(5.0))]);
    let powers: Vec<f64> = of(power).filter_map(|row| row.reference).collect();
    assert!((powers[0] - 2300.0).abs() < 1e-6 && (powers[1] - 1380.0).abs() < 1e-6, "{powers:?}");
    assert!(powers[2].is_nan() && powers.len() == 3, "{powers:?}");
    assert!(of(power).all(|row| row.reported == Some(1500.0)));
}
