//! Numbers with units: the values, and the exact words of each refusal.

use lastmeter_params::{Code, Dimension, QuantityError, parse_quantity};

#[test]
fn quantities_become_si_numbers() {
    for (text, dimension, expected) in [
        ("230 V", Dimension::Voltage, 230.0),
        ("1.5 kV", Dimension::Voltage, 1500.0),
        ("-3mV", Dimension::Voltage, -0.003),
        ("  5 A ", Dimension::Current, 5.0),
        ("0.3 %", Dimension::Ratio, 0.003),
        ("0.07 %", Dimension::Ratio, 0.0007),
        ("20 ppm", Dimension::Ratio, 2e-5),
        ("0.5", Dimension::Ratio, 0.5),
        ("1e3 W", Dimension::ActivePower, 1e3),
        ("+.5e-3 MW", Dimension::ActivePower, 500.0),
        ("50 Hz", Dimension::Frequency, 50.0),
        ("250 µs", Dimension::Time, 250e-6),
        ("30 min", Dimension::Time, 1800.0),
        ("30 minutes", Dimension::Time, 1800.0),
        ("1 h 30 min", Dimension::Time, 5400.0),
        ("1h30min5s", Dimension::Time, 5405.0),
        ("-1 h 30 min", Dimension::Time, -5400.0),
        ("1 d", Dimension::Time, 86_400.0),
        ("180 deg", Dimension::Angle, std::f64::consts::PI),
        ("90°", Dimension::Angle, std::f64::consts::FRAC_PI_2),
        ("1 kWh", Dimension::ActiveEnergy, 3.6e6),
        ("2 kvarh", Dimension::ReactiveEnergy, 7.2e6),
        ("3 VAh", Dimension::ApparentEnergy, 10_800.0),
        ("1 kvar", Dimension::ReactivePower, 1000.0),
        ("1 MVA", Dimension::ApparentPower, 1e6),
        ("70 °C", Dimension::Temperature, 70.0),
        ("-5 degC", Dimension::Temperature, -5.0),
        ("0.5 K", Dimension::TemperatureDifference, 0.5),
        ("20 mK", Dimension::TemperatureDifference, 0.02),
        ("1.5 m3", Dimension::Volume, 1.5),
        ("2m³", Dimension::Volume, 2.0),
        ("10 l", Dimension::Volume, 0.01),
        ("3600 m3/h", Dimension::VolumeFlow, 1.0),
        ("36 l/h", Dimension::VolumeFlow, 0.036 / 3600.0),
        ("6 l/min", Dimension::VolumeFlow, 1e-4),
        ("16 bar", Dimension::Pressure, 1.6e6),
        ("500 mbar", Dimension::Pressure, 50_000.0),
    ] {
        assert_eq!(parse_quantity(text, &[dimension]), Ok((expected, dimension)), "{text}");
    }
}

/// A kelvin is no temperature on its own, and a degree Celsius no difference.
#[test]
fn a_temperature_is_not_a_difference() {
    let expected = "`K` is a unit of temperature difference, not of temperature | units that fit: \
                    °C";
    let (code, text) = refusal("70 K", &[Dimension::Temperature]);
    assert_eq!((code, &*text), (Code::WRONG_DIMENSION, expected));
    let (code, text) = refusal("0.5 °C", &[Dimension::TemperatureDifference]);
    assert_eq!(code, Code::WRONG_DIMENSION, "{text}");
    let (code, text) = refusal("3 m3/d", &[Dimension::VolumeFlow]);
    assert_eq!(code, Code::UNKNOWN_UNIT);
    assert!(text.starts_with("`m3/d` is not a unit"), "{text}");
}

#[test]
fn the_unit_decides_which_of_several_dimensions_is_meant() {
    let limit = [Dimension::Ratio, Dimension::Voltage];
    assert_eq!(parse_quantity("0.5 %", &limit), Ok((0.005, Dimension::Ratio)));
    assert_eq!(parse_quantity("2 V", &limit), Ok((2.0, Dimension::Voltage)));
    let bare = "`0.5` has no unit | write `\"0.5 %\"` or `\"0.5 V\"`";
    assert_eq!(refusal("0.5", &limit), (Code::MISSING_UNIT, bare.to_owned()));
}

/// The message and what to do about it, as an author sees them.
fn refusal(text: &str, dimensions: &[Dimension]) -> (Code, String) {
    let error: QuantityError = parse_quantity(text, dimensions).expect_err(text);
    let help = error.help().map(|help| format!(" | {help}")).unwrap_or_default();
    (error.code(), format!("{error}{help}"))
}

#[test]
fn each_refusal_states_what_was_found_and_what_is_expected() {
    let voltage = &[Dimension::Voltage][..];
    for (text, code, expected) in [
        ("230", Code::MISSING_UNIT, "`230` has no unit | write `\"230 V\"`"),
        (
            "230 A",
            Code::WRONG_DIMENSION,
            "`A` is a unit of current, not of voltage | units that fit: V, kV, mV, uV",
        ),
        ("230 v", Code::UNKNOWN_UNIT, "`v` is not a unit | did you mean `V`?"),
        (
            "230 furlongs",
            Code::UNKNOWN_UNIT,
            "`furlongs` is not a unit | units that fit: V, kV, mV, uV",
        ),
        (
            "a lot",
            Code::BAD_NUMBER,
            "`a lot` is not a number with a unit | write for example `\"230 V\"`",
        ),
        ("", Code::BAD_NUMBER, "`` is not a number with a unit | write for example `\"230 V\"`"),
        (
            "1 000 V",
            Code::BAD_NUMBER,
            "`1 000 V` is not a number with a unit | write for example `\"230 V\"`",
        ),
        (
            "1,5 kV",
            Code::BAD_NUMBER,
            "`1,5 kV` contains a comma | use a decimal point, and no thousands separators",
        ),
        ("1e999 V", Code::BAD_NUMBER, "`1e999 V` is not a finite number"),
        ("nan V", Code::BAD_NUMBER, "`nan V` is not a finite number"),
        ("-inf V", Code::BAD_NUMBER, "`-inf V` is not a finite number"),
        (
            "1 V 2 V",
            Code::BAD_NUMBER,
            "`1 V 2 V` has several parts, and only a time may | write one number with one unit",
        ),
    ] {
        assert_eq!(refusal(text, voltage), (code, expected.to_owned()), "{text}");
    }
    let several = [Dimension::Voltage, Dimension::Current];
    assert_eq!(refusal("3", &several).1, "`3` has no unit | write `\"3 V\"` or `\"3 A\"`");
    assert_eq!(
        refusal("3 s", &several).1,
        "`s` is a unit of time, not of voltage or current \
         | units that fit: V, kV, mV, uV, A, kA, mA, uA"
    );
    assert!(parse_quantity("1 h -30 min", &[Dimension::Time]).is_err());
    assert!(parse_quantity("1 h 30", &[Dimension::Time]).is_err());
}
