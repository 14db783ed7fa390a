//! Whatever is written: no panic, and what was read reads the same again.

use lastmeter_params::{
    Diagnostics, Dimension, SourceId, nearest, parse_document, parse_override, parse_quantity,
};
use proptest::prelude::*;

use crate::reading::read;

const ALL: [Dimension; 12] = [
    Dimension::Ratio,
    Dimension::Time,
    Dimension::Frequency,
    Dimension::Voltage,
    Dimension::Current,
    Dimension::ActivePower,
    Dimension::ReactivePower,
    Dimension::ApparentPower,
    Dimension::ActiveEnergy,
    Dimension::ReactiveEnergy,
    Dimension::ApparentEnergy,
    Dimension::Angle,
];

fn toml_like() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "name = ",
        "voltage",
        "\"230 V\"",
        "=",
        "\n",
        "[[",
        "]]",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        "\"",
        "'''",
        "é",
        "\u{feff}",
        "\r\n",
        "2027-01-18T17:00:00Z",
        "0x",
        "1e999",
        "#",
        "a",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_every_place_is_in_the_text(
        text in prop_oneof![any::<String>(), toml_like()],
    ) {
        if let Err(mistakes) = read(&text) {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                prop_assert!(mistake.span.start <= mistake.span.end);
                prop_assert!(text.get(mistake.span.start..mistake.span.end).is_some());
            }
        }
        let _ = parse_document(&text, SourceId::FILE, &mut Diagnostics::new());
        let _ = parse_override(&text, text.len() / 2, SourceId(1));
        let _ = parse_quantity(&text, &ALL);
        let _ = nearest(&text, ["voltage", ""]);
    }

    #[test]
    fn a_number_with_a_unit_is_its_closest_double(
        mantissa in -1_000_000_000_i64..1_000_000_000,
        decimals in 0_u32..9,
    ) {
        let number = mantissa as f64 / 10_f64.powi(decimals as i32);
        let text = format!("{number} V");
        prop_assert_eq!(parse_quantity(&text, &ALL), Ok((number, Dimension::Voltage)));
        let (kilo, _) = parse_quantity(&format!("{number} kV"), &ALL).unwrap();
        let expected: f64 = format!("{number}e3").parse().unwrap();
        prop_assert_eq!(kilo, expected);
    }

    #[test]
    fn resolved_values_read_the_same_again(
        volts in 0.0..1e6_f64,
        count in 1..i64::MAX,
        strict: bool,
        note in any::<String>(),
        orders in prop::collection::vec(2..=50_i64, 0..5),
    ) {
        let row = |order: &i64| format!("{{ order = {order} }}");
        let rows: Vec<String> = orders.iter().map(row).collect();
        let text = format!(
            "name = \"n\"\nvoltage = \"{volts} V\"\ncount = {count}\nstrict = {strict}\n\
             note = {}\nharmonics = [{}]\n",
            lastmeter_params::quote(&note),
            rows.join(", "),
        );
        let values = read(&text).unwrap();
        prop_assert_eq!(values.text("note"), note);
        let resolved = values.to_toml();
        let again = read(&resolved).unwrap();
        prop_assert!(again.same_values(&values));
        prop_assert_eq!(again.to_toml(), resolved);
    }
}
