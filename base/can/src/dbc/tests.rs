//! Files, frames and values: places of bits, mistakes by line, and any text.

use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"VERSION "1.0"
NS_ :
	BO_
	CM_
BS_:
BU_: Drive
 Panel
VAL_TABLE_ Gears 0 "neutral" 1 "first" ;
BO_ 291 Motor: 8 Drive
 SG_ Speed : 4|12@0- (0.5,10) [-900|900] "rpm" Panel,Drive // a remark
 SG_ Gear : 40|3@1+ (1,0) [0|0] "" Vector__XXX
BO_ 2147483651 Page: 3 Vector__XXX
 SG_ Number M : 0|8@1+ (1,0) [0|0] "" Panel
 SG_ Warm m1 : 8|16@1- (0.1,0) [0|0] "degC" Panel
 SG_ Wet m2 : 15|8@0+ (1,0) [0|0] "%" Panel
BO_ 3 Real: 8 Drive
 SG_ Short : 0|32@1- (1,0) [0|0] "" Panel
 SG_ Free : 32|32@1- (1,0) [0|0] "" Panel
BO_ 3221225472 VECTOR__INDEPENDENT_SIG_MSG: 0 Vector__XXX
 SG_ Lost : 0|8@1+ (1,0) [0|0] "" Vector__XXX
CM_ "BO_ 7 is \" no
BO_ message";
CM_ BO_ 291 "turns";
CM_ SG_ 291 Speed "how fast";
CM_ SG_ 3221225472 Lost "nowhere";
BA_DEF_ BO_ "Cycle" INT 0 10;
VAL_ 291 Gear Gears ;
VAL_ 2147483651 Number 1 "warm" 2 "wet" ;
VAL_ Environment 0 "off" ;
SIG_VALTYPE_ 3 Short : 1;
SG_MUL_VAL_ 2147483651 Warm Number 1-1, 4-5;
"#;

fn good() -> Database {
    Database::read(GOOD).unwrap()
}

fn shown(database: &Database, frame: &str) -> Vec<(String, f64, Option<String>)> {
    let values = database.decode(&frame.parse().unwrap()).unwrap();
    let one = |v: &Value<'_>| (v.name.to_owned(), v.value, v.label.map(str::to_owned));
    values.iter().map(one).collect()
}

#[test]
fn a_file_has_its_messages_and_their_comments() {
    let database = good();
    let motor = database.message_named("Motor").unwrap();
    assert_eq!((motor.comment.as_str(), motor.sender.as_deref()), ("turns", Some("Drive")));
    let speed = &motor.signals[0];
    assert_eq!((speed.comment.as_str(), speed.range), ("how fast", Some((-900.0, 900.0))));
    assert_eq!(speed.receivers, ["Panel", "Drive"]);
    assert!(motor.signals[1].receivers.is_empty());
    let page = database.message(CanId::extended(3).unwrap()).unwrap();
    assert_eq!((page.name.as_str(), page.sender.as_deref()), ("Page", None));
    assert_eq!(database.message(CanId::standard(3).unwrap()).unwrap().name, "Real");
    assert_eq!(database.messages().count(), 3);
}

/// Bits counted by hand: the raw value -1 is twelve ones from bit 4 of byte 0 downwards, the last 5
/// bits of that byte and the first 7 of the next.
#[test]
fn bits_of_either_byte_order_become_values() {
    let database = good();
    let found = shown(&database, "123#1FFE000000010000");
    assert_eq!(found[0], ("Speed".to_owned(), 9.5, None));
    assert_eq!(found[1], ("Gear".to_owned(), 1.0, Some("first".to_owned())));
    let found = shown(&database, "00000003#019CFF");
    assert_eq!(found[0].2.as_deref(), Some("warm"));
    assert_eq!(found[1..], [("Warm".to_owned(), -10.0, None)]);
    assert_eq!(shown(&database, "00000003#059CFF").len(), 2);
    assert_eq!(shown(&database, "00000003#02FF0099")[1].1, 255.0);
    assert_eq!(shown(&database, "00000003#030000").len(), 1);
    let found = shown(&database, "003#0000C0BFFFFFFFFF");
    assert_eq!((found[0].1, found[1].1), (-1.5, -1.0));
}

#[test]
fn frames_without_values_are_named() {
    let database = good();
    let wrong = |frame: &str| database.decode(&frame.parse().unwrap()).unwrap_err().to_string();
    assert!(wrong("124#00").contains("no message has the identifier 124"));
    assert!(wrong("123#R8").contains("a remote frame for message Motor"));
    assert!(wrong("123#0011").contains("Motor has 2 bytes, expected 8"));
}

#[test]
fn values_that_make_no_frame_are_named() {
    let database = good();
    let all = |speed, gear| [("Speed", speed), ("Gear", gear)];
    let wrong = |message: &str, values: &[(&str, f64)]| {
        database.encode(message, values, Rounding::Error).unwrap_err().to_string()
    };
    assert!(wrong("Engine", &[]).contains("unknown message Engine"));
    assert!(
        wrong("Motor", &[("Speed", 0.0)]).contains("signal Gear of message Motor has no value")
    );
    let error = wrong("Motor", &all(900.5, 0.0));
    assert!(
        error.contains("900.5 rpm of signal Speed") && error.contains("-900 to 900"),
        "{error}"
    );
    assert!(wrong("Motor", &all(0.0, 8.0)).contains("out of range, expected 0 to 7"));
    assert!(wrong("Motor", &all(f64::NAN, 0.0)).contains("out of range"));
    let error = wrong("Motor", &all(9.3, 1.0));
    assert!(error.contains("a multiple of 0.5, the nearest is 9.5"), "{error}");
    let rounded = database.encode("Motor", &all(9.3, 1.0), Rounding::Nearest).unwrap();
    assert_eq!(rounded.to_string(), "123#1FFE000000010000");
    let twice = [("Speed", 0.0), ("Gear", 0.0), ("Gear", 1.0)];
    assert!(wrong("Motor", &twice).contains("given twice"));
    let error = wrong("Page", &[("Number", 2.0), ("Wet", 3.0), ("Warm", 1.0)]);
    assert!(error.contains("no signal Warm here, expected Number, Wet"), "{error}");
    let page = database.encode("Page", &[("Warm", -10.0), ("Number", 4.0)], Rounding::Error);
    assert_eq!(page.unwrap().to_string(), "00000003#049CFF");
    let real = database.encode("Real", &[("Short", -1.5), ("Free", -1.0)], Rounding::Error);
    assert_eq!(real.unwrap().to_string(), "003#0000C0BFFFFFFFFF");
}

/// What is put in place of what, the line of the error, and words of it.
const MISTAKES: &[(&str, &str, usize, &str)] = &[
    (
        "BO_ 3 Real",
        "BO_ 291 Real",
        16,
        "message Real has the identifier of message Motor in line 9",
    ),
    ("BO_ 3 Real", "BO_ 3 Motor", 16, "message Motor has the name of message Motor in line 9"),
    ("BO_ 3 Real", "BO_ 2048 Real", 16, "identifier 2048, expected 0 to 2047"),
    ("BO_ 2147483651", "BO_ 2684354560", 12, "message Page has the identifier 2684354560"),
    ("Page: 3", "Page: 12", 12, "12 bytes, expected 0 to 8"),
    ("Page: 3", "Page: 2", 14, "signal Warm of message Page has 16 bits from start bit 8"),
    ("4|12@0-", "4|0@0-", 10, "has 0 bits"),
    ("4|12@0-", "56|12@0-", 10, "12 bits from start bit 56, expected"),
    ("4|12@0-", "4|12@0", 10, "found '0', expected the signal's place"),
    ("40|3@1+", "8|3@1+", 11, "signal Gear of message Motor overlaps signal Speed in line 10"),
    ("SG_ Gear", "SG_ Speed", 11, "a second signal Speed, the first is in line 10"),
    ("(0.5,10)", "(0,10)", 10, "the factor 0"),
    ("(0.5,10)", "(1e999,10)", 10, "found '1e999', expected the factor"),
    ("[-900|900]", "[900|-900]", 10, "the range [900|-900]"),
    ("Number M :", "Number :", 12, "0 multiplexers, expected one"),
    ("Wet m2 :", "Wet M :", 12, "2 multiplexers, expected one"),
    ("Wet m2 :", "Wet m2M :", 15, "a multiplexer below another (signal Wet)"),
    ("VAL_ 291 Gear Gears", "VAL_ 291 Gear Wheels", 27, "value table Wheels"),
    ("SIG_VALTYPE_ 3 Short", "SIG_VALTYPE_ 3 Long", 30, "signal Long of message Real"),
    ("Short : 1;", "Short : 2;", 30, "has 32 bits, expected 64 for type 2"),
    ("INT 0 10;", "INT 0 10", 26, "expected ';' at the end"),
    ("\"off\"", "\"off", 29, "found a text without end"),
    ("BS_:", "zz 1\nBS_:", 5, "found 'zz', expected the keyword of a statement"),
];

#[test]
fn each_mistake_is_named_with_its_line() {
    for (from, to, line, words) in MISTAKES {
        assert!(GOOD.contains(from), "{from}");
        let error = Database::read(&GOOD.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(words), "{from} -> {to}: {error}");
        assert_eq!(error.line, *line, "{from} -> {to}: {error}");
    }
}

/// A signal's bits, most significant first, as byte and bit, walked one by one.
fn walked(start: u32, length: u32, is_intel: bool) -> Option<Vec<(usize, u32)>> {
    let (mut byte, mut bit) = ((start / 8) as usize, start % 8);
    let mut bits = Vec::new();
    for _ in 0..length {
        if byte > 7 {
            return None;
        }
        bits.push((byte, bit));
        (byte, bit) = match (is_intel, bit) {
            (true, 7) => (byte + 1, 0),
            (true, _) => (byte, bit + 1),
            (false, 0) => (byte + 1, 7),
            (false, _) => (byte, bit - 1),
        };
    }
    if is_intel {
        bits.reverse();
    }
    Some(bits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// Of any place: fits or not, value, and the frame again, each as the walk has it.
    #[test]
    fn places_are_those_of_a_walk_bit_by_bit(
        start in 0u32..64,
        length in 1u32..=64,
        (is_intel, is_signed) in (any::<bool>(), any::<bool>()),
        bytes in any::<[u8; 8]>(),
    ) {
        let (order, sign) = (u8::from(is_intel), if is_signed { '-' } else { '+' });
        let text = format!(
            "BO_ 1 A: 8 B\n SG_ S : {start}|{length}@{order}{sign} (1,0) [0|0] \"\" C\n"
        );
        let database = Database::read(&text);
        let bits = walked(start, length, is_intel);
        prop_assert_eq!(database.is_ok(), bits.is_some());
        let (Ok(database), Some(bits)) = (database, bits) else { return Ok(()) };
        let mut raw = 0_i128;
        for (number, (byte, bit)) in bits.iter().enumerate() {
            let one = i128::from(bytes[*byte] >> bit & 1);
            let is_sign = is_signed && number == 0;
            raw += if is_sign { -one } else { one } << (bits.len() - 1 - number);
        }
        let frame = CanFrame::data(CanId::standard(1).unwrap(), &bytes).unwrap();
        let value = database.decode(&frame).unwrap()[0];
        prop_assert_eq!((value.raw, value.value), (Some(raw), raw as f64));
        if raw.unsigned_abs() < 1 << 53 {
            let again = database.encode("A", &[("S", value.value)], Rounding::Error).unwrap();
            prop_assert_eq!(database.decode(&again).unwrap()[0].raw, Some(raw));
            let mut rest = [0; 8];
            rest.copy_from_slice(again.bytes());
            for (byte, bit) in bits {
                rest[byte] &= !(1 << bit);
            }
            prop_assert_eq!(rest, [0; 8]);
        }
    }

    /// Any text, and the good one with pieces changed: an error or a database, never a panic.
    #[test]
    fn no_text_and_no_frame_makes_it_panic(
        any_text in any::<String>(),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, WORDS), 0..3),
        numbers in prop::collection::vec((any::<prop::sample::Index>(), NUMBERS), 0..6),
        lost in prop::collection::vec(0usize..40, 0..5),
        whole in any::<bool>(),
        (id, bytes) in (0u32..0x800, prop::collection::vec(any::<u8>(), 0..=8)),
        number in any::<f64>(),
    ) {
        _ = Database::read(&any_text);
        _ = Database::from_bytes(&bytes);
        let definitions = GOOD.split("CM_ ").next().unwrap();
        let base = if whole { GOOD } else { definitions };
        let lines = base.lines().enumerate().filter(|(number, _)| !lost.contains(number));
        let mut text: String = lines.flat_map(|(_, line)| [line, "\n"]).collect();
        for (at, number) in numbers {
            let digits: Vec<_> = text.match_indices(char::is_numeric).map(|(at, _)| at).collect();
            let at = *at.get(&digits);
            text.replace_range(at..=at, &number);
        }
        for (at, length, word) in pieces {
            let at = at.index(text.len());
            text.replace_range(at..(at + length).min(text.len()), &word);
        }
        let Ok(database) = Database::read(&text) else { return Ok(()) };
        let all: Vec<_> = database.messages().map(|m| m.id).collect();
        for id in all.into_iter().chain(CanId::standard(id)) {
            let frame = CanFrame::data(id, &bytes).unwrap();
            _ = database.decode(&frame);
            let Some(message) = database.message(id) else { continue };
            let values: Vec<_> = message.signals.iter().map(|s| (&*s.name, number)).collect();
            for rounding in [Rounding::Nearest, Rounding::Error] {
                _ = database.encode(&message.name, &values, rounding);
            }
        }
    }
}

const NUMBERS: &str = "0|1|7|8|32|63|64|65|65535";
const WORDS: &str = "[0-9mM@|+,:; \"\n.eA_-]{0,6}";
