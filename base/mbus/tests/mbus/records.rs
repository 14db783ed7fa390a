//! Records by hand: values whose bytes follow from the standard's tables.

use lastmeter_mbus::record::{
    Decimal, Function, Item, Modifier, Quantity, Record, RecordError, Records, Unit, Value, Vif,
};

use crate::common::hex;

fn with_record<T>(text: &str, check: impl FnOnce(&Record<'_>) -> T) -> T {
    let bytes = hex(text);
    let mut records = Records::new(&bytes);
    let Some(Ok(Item::Record(record))) = records.next() else { panic!("{text}: no record") };
    assert_eq!(records.next(), None, "{text}");
    check(&record)
}

fn number(text: &str) -> (Quantity, Unit, Option<f64>) {
    with_record(text, |record| (record.quantity(), record.unit(), record.number()))
}

#[test]
fn units_and_powers_of_ten_are_those_of_the_tables() {
    let rows: [(&str, Quantity, Unit, f64); 22] = [
        ("01 00 05", Quantity::Energy, Unit::WattHour, 0.005),
        ("01 07 05", Quantity::Energy, Unit::WattHour, 50_000.0),
        ("01 0F 05", Quantity::Energy, Unit::Joule, 5e7),
        ("01 13 05", Quantity::Volume, Unit::CubicMetre, 0.005),
        ("01 1E 05", Quantity::Mass, Unit::Kilogram, 5000.0),
        ("01 22 05", Quantity::OnTime, Unit::Hour, 5.0),
        ("01 2B 05", Quantity::Power, Unit::Watt, 5.0),
        ("01 37 05", Quantity::Power, Unit::JoulePerHour, 5e7),
        ("01 3B 05", Quantity::VolumeFlow, Unit::CubicMetrePerHour, 0.005),
        ("01 5A FB", Quantity::FlowTemperature, Unit::DegreeCelsius, -0.5),
        ("01 61 05", Quantity::TemperatureDifference, Unit::Kelvin, 0.05),
        ("01 6A 05", Quantity::Pressure, Unit::Bar, 0.5),
        ("01 73 05", Quantity::AveragingDuration, Unit::Day, 5.0),
        ("01 FD 49 05", Quantity::Voltage, Unit::Volt, 5.0),
        ("01 FD 59 05", Quantity::Current, Unit::Ampere, 0.005),
        ("01 FD 1D 05", Quantity::ResponseDelay, Unit::BitTime, 5.0),
        ("01 FB 00 05", Quantity::Energy, Unit::WattHour, 5e5),
        ("01 FB 08 05", Quantity::Energy, Unit::Joule, 5e8),
        ("01 FB 2D 05", Quantity::Frequency, Unit::Hertz, 0.05),
        ("01 FB 1A 05", Quantity::RelativeHumidity, Unit::Percent, 0.5),
        ("01 93 70 05", Quantity::Volume, Unit::CubicMetre, 5e-9),
        ("01 96 7D 05", Quantity::Volume, Unit::CubicMetre, 5000.0),
    ];
    for (text, quantity, unit, value) in rows {
        assert_eq!(number(text), (quantity, unit, Some(value)), "{text}");
    }
    // One and a half cubic metres, and a thousandth more: the constant of an extension.
    with_record("01 95 78 0F", |record| {
        assert_eq!(record.decimal(), Some(Decimal { mantissa: 1501, exponent: -3 }));
    });
    with_record("02 FC 03 48 52 25 74 D4 11", |record| {
        assert_eq!(record.vif, Vif::PlainText(b"HR%"));
        assert_eq!(record.decimal(), Some(Decimal { mantissa: 4564, exponent: -2 }));
    });
}

#[test]
fn values_of_every_coding() {
    let value = |text: &str| with_record(text, |record| record.value.to_string());
    let rows = [
        ("00 13", "no data"),
        ("08 13", "selection for readout"),
        ("01 13 81", "-127"),
        ("03 13 FF FF FF", "-1"),
        ("06 13 01 00 00 00 00 80", "-140737488355327"),
        ("07 13 FF FF FF FF FF FF FF 7F", "9223372036854775807"),
        ("05 5B 00 00 20 C1", "-10"),
        ("09 13 F5", "-5"),
        ("0E 13 21 43 65 87 09 21", "210987654321"),
        ("0B 13 56 D4 12", "invalid 12D456"),
        ("0A 13 FF FF", "invalid FFFF"),
        ("0D FD 10 05 6F 6C 6C 65 48", "Hello"),
        ("0D 13 C2 34 12", "1234"),
        ("0D 13 D2 34 12", "-1234"),
        ("0D 13 D1 F4", "invalid -F4"),
        ("0D 13 E3 01 02 03", "010203"),
        ("0D 13 F4 00 00 80 3F", "1"),
        ("0D 13 F8 00 00 00 00 00 00 F0 BF", "-1"),
        ("02 6C 9F 2C", "2020-12-31"),
        ("04 6D 1E 97 9F 2C", "2020-12-31T23:30 summer time"),
        ("04 6D 9E 17 9F 2C", "2020-12-31T23:30 invalid"),
        ("03 6D 3B 1E 17", "23:30:59"),
        ("06 6D 3B 1E 97 9F 2C 35", "2020-12-31T23:30:59"),
        ("04 FD 70 1E 17 9F 2C", "2020-12-31T23:30"),
        ("02 93 6B 9F 2C", "2020-12-31"),
    ];
    for (text, expected) in rows {
        assert_eq!(value(text), expected, "{text}");
    }
}

/// EN 13757-3, annex A, type B: "a value of 80h (8000h ...) means not valid"; types C and D, which
/// count and hold bits, have no such value. Type G: `FFFFh` is no date, and fields of all ones, or
/// a day 0, stand for every one.
#[test]
fn values_that_are_not_valid_are_no_numbers() {
    let read = |text: &str| with_record(text, |r| (r.value.to_string(), r.number(), r.decimal()));
    for (text, shown) in [
        ("02 5B 00 80", "invalid 8000"),
        ("01 13 80", "invalid 80"),
        ("03 13 00 00 80", "invalid 800000"),
        ("04 2B 00 00 00 80", "invalid 80000000"),
        ("06 13 00 00 00 00 00 80", "invalid 800000000000"),
        ("07 13 00 00 00 00 00 00 00 80", "invalid 8000000000000000"),
        ("02 6C FF FF", "invalid FFFF"),
        ("02 6C 01 20", "invalid 2001"),
        ("04 6D FF FF FF FF", "invalid FFFFT**:** invalid"),
        ("02 6C E0 FC", "****-12-**"),
        ("02 6C 81 2F", "2020-**-01"),
        ("04 6D 3F 1F E0 FC", "****-12-**T**:**"),
        ("03 6D 00 3F 1F", "**:**:00"),
    ] {
        assert_eq!(read(text), (shown.to_owned(), None, None), "{text}");
    }
    // Error flags and a fabrication number.
    for text in ["02 FD 17 00 80", "02 78 00 80"] {
        assert_eq!(read(text).0, "-32768", "{text}");
    }
    assert_eq!(read("02 5B 01 80").1, Some(-32767.0));
}

#[test]
fn extensions_carry_storage_tariff_subunit_and_modifiers() {
    with_record("F4 91 63 FB 82 6A 00 00 00 00", |record| {
        assert_eq!(record.function, Function::DuringError);
        // DIF: storage bit 0; first extension 1, tariff 1; second extension 3, tariff 2, subunit 1.
        assert_eq!(record.storage, 1 | 1 << 1 | 3 << 5);
        assert_eq!((record.tariff, record.subunit), (1 | 2 << 2, 1 << 1));
    });
    with_record("01 93 FC 81 BA 7F 00", |record| {
        let modifiers: Vec<Modifier> = record.vifes.modifiers().collect();
        assert_eq!(
            modifiers,
            [
                Modifier::Extended("at phase L1"),
                Modifier::Reference("uncorrected unit"),
                Modifier::Manufacturer
            ]
        );
    });
    // What a manufacturer's code is followed by has no meaning here.
    with_record("01 FF 7D 05", |record| {
        assert_eq!(record.exponent(), 0);
        assert!(record.is_manufacturer_specific());
    });
    let bytes = hex("2F 2F 01 13 05 2F 1F AA BB");
    let items: Vec<_> = Records::new(&bytes).collect();
    let more = Item::Manufacturer { more_records_follow: true, data: &[0xAA, 0xBB] };
    let volume = Record::new(Vif::Primary(0x13), Value::Integer { bytes: 1, value: 5 });
    assert_eq!(items, [Ok(Item::Record(volume)), Ok(more)]);
}

#[test]
fn ten_extensions_are_read_and_eleven_are_not() {
    let ten = format!("81 {} 01 13 05", "81 ".repeat(9));
    with_record(&ten, |record| assert_eq!(record.storage >> 37, 1));
    let eleven = hex(&format!("81 {} 01 13 05", "81 ".repeat(10)));
    assert_eq!(Records::new(&eleven).last(), Some(Err(RecordError::TooManyDife { at: 11 })));
    with_record(&format!("01 93 {} 21 05", "A1 ".repeat(9)), |record| {
        assert_eq!(record.vifes.codes().count(), 10);
    });
    let eleven = hex(&format!("01 93 {} 21 05", "A1 ".repeat(10)));
    assert_eq!(Records::new(&eleven).last(), Some(Err(RecordError::TooManyVife { at: 12 })));
    let reserved = Records::within(&[0x3F, 0x13], 19).next();
    assert_eq!(reserved, Some(Err(RecordError::ReservedDif { at: 19, found: 0x3F })));
    let reserved = Records::new(&[0x0D, 0x13, 0xFB, 0]).next();
    assert_eq!(reserved, Some(Err(RecordError::ReservedLength { at: 2, found: 0xFB })));
}
