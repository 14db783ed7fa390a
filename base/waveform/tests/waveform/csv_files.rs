//! CSV recordings typed here: columns, times, units, and located errors.

use std::fmt::Write as _;

use lastmeter_waveform::ChannelKind;
use lastmeter_waveform::csv::{CsvError, CsvOptions, read};

fn selected(voltage: &[&str], current: &[&str]) -> CsvOptions {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    CsvOptions { voltage: owned(voltage), current: owned(current), ..CsvOptions::default() }
}

#[track_caller]
fn refused(text: &str, options: &CsvOptions, parts: &[&str]) -> CsvError {
    let error = read(text.as_bytes(), options).unwrap_err();
    for part in parts {
        assert!(error.to_string().contains(part), "no `{part}` in: {error}");
    }
    error
}

const TYPED: &str = "Time (s),U L1,U L2,I L1,I L2,status\n\
    0.0000,1,2,3,4,x\n\
    0.0001,5,6,7,8,y\n\
    0.0002,9,10,11,12,z\n";

#[test]
fn columns_are_selected_by_exact_name_or_unique_part_in_the_given_order() {
    let recording = read(TYPED.as_bytes(), &selected(&["U L2", "u l1"], &["i l1"])).unwrap();
    let names: Vec<&str> = recording.channels.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["U L2", "U L1", "I L1"]);
    assert_eq!(recording.channels[0].samples, [2.0, 6.0, 10.0]);
    assert_eq!(recording.channels[2].samples, [3.0, 7.0, 11.0]);
    let found: Vec<_> =
        recording.channels.iter().map(|c| (c.kind, c.phase.as_str(), c.unit.as_str())).collect();
    let (v, i) = (ChannelKind::Voltage, ChannelKind::Current);
    assert_eq!(found, [(v, "b", "V"), (v, "a", "V"), (i, "a", "A")]);
    assert_eq!(recording.rate_hz, 10_000.0);
    assert_eq!(recording.start, None);
    assert!(recording.notes.is_empty(), "{:?}", recording.notes);
}

#[test]
fn a_last_line_without_an_end_is_noted() {
    let notes = |text: &str| {
        let recording = read(text.as_bytes(), &CsvOptions::default()).unwrap();
        let found: Vec<String> = recording.damage.into_iter().map(|it| it.note).collect();
        assert_eq!(found, recording.notes);
        found
    };
    let whole = "t,Va,Ia\n0,230,1\n0.001,231,10\n0.002,232,12.5\n";
    for text in [whole, &format!("{whole}\n"), &whole.replace('\n', "\r\n")] {
        assert_eq!(notes(text), [""; 0], "{text:?}");
    }
    let cut = notes(whole.strip_suffix("2.5\n").unwrap());
    assert_eq!(cut.len(), 1);
    assert!(cut[0].starts_with("the last line has no end, so it may be cut, and its last number"));
}

#[test]
fn what_is_ambiguous_or_unknown_lists_the_candidates() {
    refused(TYPED, &selected(&["L1"], &[]), &["`L1` fits several columns: `U L1`, `I L1`"]);
    refused(
        TYPED,
        &selected(&["U L3"], &[]),
        &["no column is called or contains `U L3`", "`U L2`"],
    );
    refused(TYPED, &selected(&["U L1"], &["u l1"]), &["`U L1` was selected twice"]);
    refused(TYPED, &selected(&["time"], &[]), &["`Time (s)` was selected twice"]);
}

#[test]
fn without_a_selection_the_names_decide() {
    let text = "t,Va,Ib,bus_kV,neutral current,speed\n0,1,2,3,4,5\n1,1,2,3,4,5\n";
    let recording = read(text.as_bytes(), &CsvOptions::default()).unwrap();
    let found: Vec<_> =
        recording.channels.iter().map(|c| (c.name.as_str(), c.kind, c.samples[0])).collect();
    let (v, i) = (ChannelKind::Voltage, ChannelKind::Current);
    let expected =
        [("Va", v, 1.0), ("bus_kV", v, 3000.0), ("Ib", i, 2.0), ("neutral current", i, 4.0)];
    assert_eq!(found, expected);
    assert!(recording.notes.iter().any(|n| n.contains("`bus_kV` is scaled by 1000")));
    refused("t,x,y\n0,1,2\n", &CsvOptions::default(), &["no column looks like", "`x`, `y`"]);
}

#[test]
fn times_are_dates_seconds_or_their_parts_and_a_given_rate_wins() {
    let with = |name: &str, stamps: [&str; 3]| {
        format!("{name},Va\n{},1\n{},2\n{},3\n", stamps[0], stamps[1], stamps[2])
    };
    let day = "2020-02-24";
    for (name, stamps, rate_hz) in [
        ("t", ["0", "0.001", "0.002"].map(str::to_owned), 1000.0),
        ("t", ["5", "5.5", "6.0"].map(str::to_owned), 2.0),
        ("t_ms", ["0", "0.1", "0.2"].map(str::to_owned), 10_000.0),
        ("time [us]", ["0", "20", "40"].map(str::to_owned), 50_000.0),
        ("ns", ["0", "20", "40"].map(str::to_owned), 50_000_000.0),
        ("when", ["00", "01", "02"].map(|s| format!("{day} 18:15:{s}.25")), 1.0),
        ("when", ["00", "10", "20"].map(|s| format!("{day}T18:15:{s}Z")), 0.1),
    ] {
        let options = CsvOptions { time: Some(name.to_owned()), ..CsvOptions::default() };
        let recording = read(with(name, [&stamps[0], &stamps[1], &stamps[2]]).as_bytes(), &options);
        let recording = recording.unwrap();
        assert!((recording.rate_hz / rate_hz - 1.0).abs() < 1e-12, "{name} {stamps:?}");
        assert_eq!(recording.start.is_some(), name == "when");
        let unzoned = recording.notes.iter().any(|note| note.contains("no time zone"));
        assert_eq!(unzoned, stamps[0].ends_with(".25"));
    }
    let given = CsvOptions { rate_hz: Some(123.0), ..CsvOptions::default() };
    assert_eq!(read(b"Va\n1\n2\n", &given).unwrap().rate_hz, 123.0);
    let both = CsvOptions { time: Some("t".to_owned()), ..given.clone() };
    assert_eq!(read(b"t,Va\n0,1\n1,2\n", &both).unwrap().rate_hz, 123.0);
    for rate_hz in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let options = CsvOptions { rate_hz: Some(rate_hz), ..CsvOptions::default() };
        refused(TYPED, &options, &["the rate must be a number of hertz above zero"]);
    }
    refused(
        "Va,Ia\n1,2\n",
        &CsvOptions::default(),
        &["sampling rate is unknown", "--rate", "`Va`, `Ia`"],
    );
    refused(
        "t,Va\n0,1\n",
        &CsvOptions::default(),
        &["time column `t`: one row determines no rate"],
    );
    refused("t,Va\n3,1\n2,1\n1,1\n", &CsvOptions::default(), &["the time does not advance"]);
    let far = "t,Va\n0,1\n99999999999,1\n";
    refused(far, &CsvOptions::default(), &["spans more than 106 days"]);
    let options = CsvOptions { time: Some("Va".to_owned()), ..CsvOptions::default() };
    refused("t,Va\n0,one\n", &options, &["line 2, column `Va`: found `one`, expected a date"]);
}

#[test]
fn steps_that_alternate_are_refused_for_that_reason_and_rounding_is_not() {
    let rows = |steps: [u64; 2], unit_us: u64, count: usize| {
        let mut at = 0;
        let mut text = "t_us,Va\n".to_owned();
        for k in 0..count {
            let _ = writeln!(text, "{},{}", at / unit_us * unit_us, k % 7);
            at += steps[k % 2];
        }
        text
    };
    let whole = ["steps of 100 us and 300 us alternate (from line 2 on)", "--rate", "equal steps"];
    refused(&rows([100, 300], 1, 40), &CsvOptions::default(), &whole);
    refused(&rows([300, 100], 1, 7), &CsvOptions::default(), &whole);
    // Even ones before them: the line where it begins is reported.
    let mut text = rows([200, 200], 1, 11);
    let begun = 11 * 200 - 200;
    for k in 1..40_u64 {
        let _ = writeln!(text, "{},1", begun + 200 * k + 100 * (k % 2));
    }
    refused(&text, &CsvOptions::default(), &["300 us alternate (from line 12 on)"]);
    // Who gives the rate is believed; 65 and 66 us are 15,384 Hz in whole microseconds.
    let given =
        CsvOptions { rate_hz: Some(5000.0), time: Some("t_us".into()), ..CsvOptions::default() };
    assert_eq!(read(rows([100, 300], 1, 40).as_bytes(), &given).unwrap().rate_hz, 5000.0);
    let rounded = read(rows([65, 66], 1, 40).as_bytes(), &CsvOptions::default()).unwrap();
    assert!((rounded.rate_hz - 15_267.0).abs() < 40.0, "{}", rounded.rate_hz);
}

#[test]
fn every_bad_cell_is_located() {
    let options = selected(&["U L1"], &[]);
    for (from, to, expected) in [
        (
            "0.0001,5",
            "0.0001,five",
            "line 3, column `U L1`: found `five`, expected a finite number",
        ),
        ("0.0001,5", "0.0001,NaN", "line 3, column `U L1`: found `NaN`"),
        ("0.0001,5", "0.0001,-inf", "line 3, column `U L1`: found `-inf`"),
        ("0.0001,5", "0.0001,", "line 3, column `U L1`: found ``"),
        ("0.0001", "soon", "line 3, column `Time (s)`: found `soon`, expected a time"),
        (",8,y", ",8", "line 3: found 5 fields, expected 6 as in the header row"),
        (",8,y", ",8,y,", "line 3: found 7 fields, expected 6"),
        ("0.0001,5", "# a word\n\n0.0001,five", "line 5, column `U L1`: found `five`"),
    ] {
        assert!(TYPED.contains(from));
        refused(&TYPED.replacen(from, to, 1), &options, &[expected]);
    }
    // A time that cannot be read is reported where it stands: the column is there.
    let time = CsvOptions::default();
    let comma = "t;Va\n0,0001;1,5\n0,0002;1,6\n";
    refused(comma, &time, &["line 2, column `t`: found `0,0001`", "decimal point", "--rate"]);
    refused("x,Va\nA,1\nB,2\n", &time, &["the sampling rate is unknown"]);
    refused("", &options, &["expected a header row"]);
    refused("1,2,3\n4,5,6\n", &options, &["line 1: expected a header row", "`1,2,3`"]);
    refused("t,U L1\n", &options, &["no row of samples"]);
}

#[test]
fn semicolons_tabs_marks_comments_and_latin_1_are_read() {
    let text = "# a comment\nt;Spannung L1 \u{b5}V\n0;1\n1;2\n";
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let marked = format!("\u{feff}{}", text.replace("# a comment\n", "").replace(';', "\t"));
    for bytes in [text.as_bytes(), &latin, marked.as_bytes()] {
        let recording = read(bytes, &selected(&["spannung"], &[])).unwrap();
        let expected = [1e-6, 2e-6];
        assert!(
            recording.channels[0].samples.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-18)
        );
    }
}
