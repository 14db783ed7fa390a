//! What lines mean, how they are found among bytes, and how they are written.

use lastmeter_units::MeasurementId;

use super::render::{RenderError, render};
use super::{DESK_METER, grammar, lines_of};
use crate::grammar::{
    Answer, AnswerText, FieldRole, Grammar, LINE_BYTES_MAX, Line, LineReader, Refusal, Request,
    shown_bytes,
};

fn id(name: &str) -> MeasurementId {
    MeasurementId::lookup(name).unwrap()
}

fn desk() -> Request {
    grammar(DESK_METER).requests.remove(0)
}

/// A request with one voltage `u`, further keys of that field, and further fields.
fn voltage(answer: &str, keys: &str, fields: &str) -> Request {
    let text = format!(
        "[[request]]\nanswer = \"{answer}\"\n[request.field.u]\nquantity = \
         \"electricity.voltage.rms.l1\"\nunit = \"V\"\n{keys}\n{fields}"
    );
    grammar(&text).requests.remove(0)
}

#[test]
fn an_answer_is_read_in_si_units() {
    let read = desk().read_line(b"U=230.12 V   I=5.001A P=+1.15e0kW n=17").unwrap();
    let expected = [
        (id("electricity.voltage.rms.l1"), 230.12),
        (id("electricity.current.rms.l1"), 5.001),
        (id("electricity.power.active.consumed.l1"), 1150.0),
    ];
    assert_eq!(read.values, expected);
    assert_eq!((read.sequence, read.texts), (Some(17), Vec::new()));
    // Text behind a number may be the meter's word for a fault.
    for line in ["P=+1.15e0kW n=17 ERROR SENSOR FAULT", "P=+1.15e0kW n=17*", "P=1 ERRkW n=17"] {
        let line = format!("U=230.12 V I=5.001A {line}");
        assert!(desk().read_line(line.as_bytes()).is_err(), "{line}");
    }
    let scaled = voltage("{u}\\n", "scale = 0.1\noffset = -5.0", "");
    let (_, value) = scaled.read_line(b" 2350 ").unwrap().values[0];
    assert!((value - 230.0).abs() < 1e-9, "{value}");
}

#[test]
fn numbers_are_read_as_they_are_declared_and_in_no_other_way() {
    let value = |request: &Request, text: &str| {
        request.read_line(text.as_bytes()).map(|answer| answer.values[0].1)
    };
    let point = voltage("{u}\\n", "", "");
    for (text, expected) in
        [("1", 1.0), ("-1.5", -1.5), ("+.5", 0.5), ("5.", 5.0), ("1E-3", 1e-3), ("1e+2", 100.0)]
    {
        assert_eq!(value(&point, text), Ok(expected), "{text}");
    }
    for text in ["", ".", "-", "1,5", "1.5.2", "1e", "e5", "--1", "1_000", "0x10", "1.15k", "1;2"] {
        let found = value(&point, text);
        assert!(matches!(found, Err(Refusal::NotANumber { .. })), "{text}: {found:?}");
    }
    for text in ["nan", "NaN", "-nan", "inf", "+Inf", "-INFINITY"] {
        let found = value(&point, text);
        assert!(matches!(found, Err(Refusal::NotFinite { .. })), "{text}: {found:?}");
    }
    let large = format!("1{}", "0".repeat(400));
    for text in ["1e999", "-1e309", large.as_str()] {
        let found = value(&point, text);
        assert!(matches!(found, Err(Refusal::Overflow { .. })), "{text}: {found:?}");
    }
    let scaled = voltage("{u}\\n", "scale = 1e300", "");
    assert!(matches!(value(&scaled, "1e300"), Err(Refusal::Overflow { .. })));
    let comma = voltage("{u} V\\n", "decimal = \",\"", "");
    assert_eq!(value(&comma, "230,5 V"), Ok(230.5));
    assert!(matches!(value(&comma, "230.5 V"), Err(Refusal::NotANumber { .. })));
    let hexadecimal = voltage("{u} V\\n", "base = 16\nscale = 0.1", "");
    assert_eq!(value(&hexadecimal, "0x8FC V"), Ok(230.0));
    assert_eq!(value(&hexadecimal, "8fc V"), Ok(230.0));
    for text in ["-1 V", "+1 V", "0x V", "1.5 V", "G V"] {
        assert!(matches!(value(&hexadecimal, text), Err(Refusal::NotANumber { .. })), "{text}");
    }
    for text in ["FFFFFFFFFFFFFFFF V", "FFFFFFFFFFFFFFFFF V"] {
        assert!(matches!(value(&hexadecimal, text), Err(Refusal::Overflow { .. })), "{text}");
    }
}

#[test]
fn what_is_rejected_is_named() {
    let text = |line: &[u8]| desk().read_line(line).unwrap_err().to_string();
    assert_eq!(
        text(b"U=501V I=1A P=1kW n=1"),
        "field `u`: `501` is 501 V, outside of the plausible range from 0 V to 500 V"
    );
    assert_eq!(text(b"U=1V I=nanA P=1kW n=1"), "field `i`: `nan` is not a finite number");
    assert_eq!(
        text(b"U=1V I=1A\tP=1W\\ n=1"),
        "the line `U=1V I=1A\\x09P=1W\\\\ n=1` does not have the form `U={u}V I={i}A P={p}kW \
         n={number}\\r\\n`"
    );
    assert_eq!(
        text(b"U=1V\xB0 I"),
        "the line is not valid UTF-8: `U=1V\\xB0 I`; check the baud rate and the parity"
    );
    let sequence = desk().read_line(b"U=1V I=1A P=1kW n=4294967296").unwrap_err();
    assert_eq!(
        sequence.to_string(),
        "field `number`: the sequence number 4294967296 is not below 4294967296"
    );
    for line in [&b"x U=1V I=1A P=1kW n=1"[..], b"U=1VI=1A P=1kW n=1", b"U=1V I=1A P=1kW", b"U="] {
        assert!(matches!(desk().read_line(line), Err(Refusal::OtherForm { .. })));
    }
}

#[test]
fn texts_are_kept_and_a_bad_status_is_rejected() {
    let request = voltage(
        "{at} {v} [{s}] {u} n={n}\\n",
        "",
        "[request.field.at]\nrole = \"time-stamp\"\n[request.field.v]\nrole = \"version\"\n\
         [request.field.s]\nrole = \"status\"\ngood = \"ALL OK\"\n[request.field.n]\n\
         role = \"sequence\"\nbase = 16\nmodulo = 256\n",
    );
    let answer = request.read_line(b"12:00:07 v1.2 [ ALL OK ] 230 n=fF").unwrap();
    let texts: Vec<(&str, FieldRole, &str)> =
        answer.texts.iter().map(|it| (it.field.as_str(), it.role, it.text.as_str())).collect();
    let expected = [
        ("at", FieldRole::TimeStamp, "12:00:07"),
        ("v", FieldRole::Version, "v1.2"),
        ("s", FieldRole::Status, "ALL OK"),
    ];
    assert_eq!(texts, expected);
    assert_eq!(answer.sequence, Some(255));
    let bad = request.read_line(b"12:00:07 v1.2 [E5] 230 n=FF").unwrap_err();
    assert_eq!(bad.to_string(), "field `s`: the status is `E5`, expected `ALL OK`");
    assert_eq!(render(&request, &answer).unwrap(), "12:00:07 v1.2 [ALL OK] 230.000 n=FF\n");
}

#[test]
fn a_gap_is_as_short_as_the_text_behind_it_allows() {
    let fields = "[request.field.a]\nrole = \"node\"\n[request.field.b]\nrole = \"version\"\n";
    let texts = |answer: &str, line: &str| {
        let read = voltage(answer, "", fields).read_line(line.as_bytes()).ok()?;
        Some(read.texts.into_iter().map(|it| it.text).collect::<Vec<_>>().join("|"))
    };
    let found = |text: &str| Some(text.to_owned());
    // The last text ends the line, wherever else it stands.
    assert_eq!(texts("{u} {a}:{b}K\\n", "1 x:yKzKK"), found("x|yKzK"));
    assert_eq!(texts("{u} {a}:{b}K\\n", "1 x:yKz"), None);
    assert_eq!(texts("{u} {a}:{b} *:\\n", "1 x:y:z more:"), found("x|y:z"));
    assert_eq!(texts("{u} * a={a};*b={b}\\n", "1 b=0 a=x; a=7;b=y"), found("x|y"));
}

#[test]
fn lines_are_found_in_bytes_of_any_segmentation() {
    let whole = |text: &[u8]| Line::Whole(text.to_vec());
    for end in [&b"\r\n"[..], b"\n", b"\r", b";"] {
        let bytes = [b"a\xFF", end, b"", end, b"bc", end, b"d"].concat();
        let mut reader = LineReader::new(end);
        let expected = [whole(b"a\xFF"), whole(b""), whole(b"bc")];
        assert_eq!(lines_of(&mut reader, &bytes), expected);
        assert!(reader.is_within_line());
    }
    let mut reader = LineReader::new(b"\r");
    assert_eq!(lines_of(&mut reader, b"a\r\n"), [whole(b"a")]);
    assert!(!reader.is_within_line());
}

#[test]
fn a_line_that_is_too_long_is_rejected_up_to_its_end() {
    for end in [&b"\r\n"[..], b"\n"] {
        for (length, is_too_long) in
            [(LINE_BYTES_MAX, false), (LINE_BYTES_MAX + 1, true), (LINE_BYTES_MAX * 3, true)]
        {
            let mut reader = LineReader::new(end);
            let long = vec![b'x'; length];
            let found = lines_of(&mut reader, &[&long[..], end, b"next", end].concat());
            let first = if is_too_long { Line::TooLong } else { Line::Whole(long) };
            assert_eq!(found, [first, Line::Whole(b"next".to_vec())], "{length}");
        }
    }
}

#[test]
fn shown_bytes_can_be_had_back() {
    assert_eq!(shown_bytes("5 °C\\\r".as_bytes()), "5 °C\\\\\\x0D");
    assert_eq!(shown_bytes(b"\xC2\xB0\xB0\x00"), "°\\xB0\\x00");
}

#[test]
fn a_simulated_meter_writes_what_is_read_back() {
    let request = desk();
    let mut answer = request.read_line(b"U=230.1234V I=-0.0001A P=1.15kW n=17").unwrap();
    assert_eq!(render(&request, &answer).unwrap(), "U=230.123V I=0.000A P=1.150kW n=17\r\n");
    answer.values.remove(1);
    let missing = render(&request, &answer).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "no value is given for `electricity.current.rms.l1` of field `i`"
    );
    let node = voltage("{node}: {u}\\n", "base = 16", "[request.field.node]\nrole = \"node\"\n");
    let text = |text: &str| {
        let (field, role) = ("node".to_owned(), FieldRole::Node);
        AnswerText { field, role, text: text.to_owned() }
    };
    let of = |si: f64, node: &str| Answer {
        values: vec![(id("electricity.voltage.rms.l1"), si)],
        sequence: None,
        texts: vec![text(node)],
    };
    assert_eq!(render(&node, &of(255.4, "m 1")).unwrap(), "m 1: FF\n");
    assert_eq!(render(&node, &Answer { texts: vec![], ..of(0.0, "") }).unwrap(), "-: 0\n");
    for bad in ["a: b", "a\nb", " a"] {
        let found = render(&node, &of(1.0, bad));
        assert!(matches!(found, Err(RenderError::NotReadable { .. })), "{bad}: {found:?}");
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        let found = render(&node, &of(bad, "m"));
        assert!(matches!(found, Err(RenderError::NotWritable { .. })), "{bad}: {found:?}");
    }
}

#[test]
fn a_line_may_end_in_another_character() {
    let text = "[[request]]\nanswer = \"\\u0002{u}\\u0003\"\n[request.field.u]\n\
                quantity = \"electricity.voltage.rms.l1\"\nunit = \"mV\"\n";
    let Grammar { requests, line_end } = grammar(text);
    assert_eq!(line_end, b"\x03");
    assert_eq!(requests[0].read_line(b"\x021500").unwrap().values[0].1, 1.5);
}
