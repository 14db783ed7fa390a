//! Captured answers of meters against what libmbus makes of them (its normalised XML).
//!
//! Compared are the header and, of each record, function, storage, tariff, subunit, unit and value.
//! Where the two differ on purpose stands in `DIFFERENCES`, with the reason; a difference that is
//! not there fails the test, and so does one that is there and does not occur.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lastmeter_mbus::application::Application;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::record::{Fixed, Function, Item, Quantity, Record, Text, Unit, Value, Vif};

use crate::common::{captured, hex};
use crate::xml::{all, text};

/// Frame, record (or header field), and why ours differs from libmbus' value.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("ELS_Elster-F96-Plus", "record 4 Value", NOT_DECIMAL),
    ("ELS_Elster-F96-Plus", "record 5 Value", NOT_DECIMAL),
    ("abb_f95", "record 2 Value", NOT_DECIMAL),
    ("abb_f95", "record 3 Value", NOT_DECIMAL),
    (
        "REL-Relay-Padpuls2",
        "record 1 Value",
        "the invalid flag is set; libmbus drops the fields, here they are kept beside the flag",
    ),
    ("itron_bm_+m", "record 2 Value", "month 0 of no date; libmbus prints its zeros"),
    (
        "electricity-meter-2",
        "header Manufacturer",
        "code 0 has no letters; libmbus prints the character before A",
    ),
    ("sen_pollutherm", "record 2 Function", RESERVED),
    ("sen_pollutherm", "record 2 StorageNumber", RESERVED),
    ("sen_pollutherm", "record 2 Unit", RESERVED),
    ("sen_pollutherm", "record 2 Quantity", RESERVED),
    ("sen_pollutherm", "record 2 Value", RESERVED),
];

const NOT_DECIMAL: &str = "digits B, D and E are no number; libmbus computes one all the same";
const RESERVED: &str = "a reserved value information code: libmbus drops the record, here it is \
    kept as reserved with its integer";

/// A difference: where, and both sides.
struct Difference {
    place: String,
    ours: String,
    theirs: String,
}

/// What is compared of a record: name of the element and text.
type Fields = Vec<(&'static str, String)>;

/// The factor to SI units as libmbus has them, and its text for the unit.
fn normalised(unit: Unit) -> (f64, &'static str) {
    match unit {
        Unit::Minute => (60.0, "s"),
        Unit::Hour => (3600.0, "s"),
        Unit::Day => (86_400.0, "s"),
        Unit::Month => (2_629_743.83, "s"),
        Unit::Year => (31_556_926.0, "s"),
        Unit::HeatCostUnit => (1.0, "Units for H.C.A."),
        Unit::Currency => (1.0, "Currency units"),
        Unit::Baud => (1.0, "Baud"),
        Unit::BitTime => (1.0, "Bittimes"),
        other => (1.0, other.symbol()),
    }
}

fn unit_text(record: &Record<'_>) -> String {
    match record.quantity() {
        Quantity::Date | Quantity::DateTime | Quantity::PlainText => "-".to_owned(),
        Quantity::Reserved => "Reserved".to_owned(),
        _ => normalised(record.unit()).1.to_owned(),
    }
}

/// libmbus' names of the quantities in the frames.
fn quantity_text(record: &Record<'_>) -> String {
    let name = match record.quantity() {
        Quantity::Date => "Time point (date)",
        Quantity::DateTime => "Time point (date & time)",
        Quantity::FabricationNumber => "Fabrication No",
        Quantity::HeatCostAllocation => "H.C.A.",
        Quantity::PlainText => match record.vif {
            Vif::PlainText(unit) => return Text(unit).to_string(),
            _ => "no text",
        },
        other => other.name(),
    };
    name.to_owned()
}

fn bytes_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

/// A value as libmbus prints it, up to the precision of its numbers.
fn value_text(record: &Record<'_>) -> String {
    match record.value {
        Value::Date(date) => date.to_string(),
        // Seconds and a mark for UTC, whatever the meter meant.
        Value::DateTime(_) => format!("{}:00Z", &record.value.to_string()[..16]),
        Value::DateTimeSecond(_) => format!("{}Z", &record.value.to_string()[..19]),
        Value::Binary(bytes) => bytes_text(&bytes.iter().rev().copied().collect::<Vec<_>>()),
        _ => match record.number() {
            Some(number) => format!("{:.6}", number * normalised(record.unit()).0),
            None => record.value.to_string(),
        },
    }
}

fn function_text(function: Function) -> &'static str {
    match function {
        Function::Instantaneous => "Instantaneous value",
        Function::Maximum => "Maximum value",
        Function::Minimum => "Minimum value",
        Function::DuringError => "Value during error state",
    }
}

fn record_fields(item: &Item<'_>) -> Fields {
    match item {
        Item::Record(record) => {
            vec![
                ("Function", function_text(record.function).to_owned()),
                ("StorageNumber", record.storage.to_string()),
                ("Tariff", record.tariff.to_string()),
                ("Device", record.subunit.to_string()),
                ("Unit", unit_text(record)),
                ("Value", value_text(record)),
                ("Quantity", quantity_text(record)),
            ]
        }
        Item::Manufacturer { more_records_follow, data } => {
            let function =
                if *more_records_follow { "More records follow" } else { "Manufacturer specific" };
            vec![("Function", function.to_owned()), ("Value", bytes_text(data))]
        }
        Item::GlobalReadout => vec![("Function", "Global readout".to_owned())],
    }
}

/// libmbus names units of fixed structures with their powers of ten, and leaves values as they are.
fn fixed_unit_text(fixed: &Fixed, counter: usize) -> String {
    let meaning = fixed.meaning(counter);
    let (unit, exponent) = (meaning.unit.symbol(), meaning.exponent);
    match meaning.unit {
        Unit::Historic => "reserved but historic".to_owned(),
        _ => match exponent {
            0 => unit.to_owned(),
            3 => format!("k{unit}"),
            _ => format!("10^{exponent} {unit}"),
        },
    }
}

fn fixed_fields(fixed: &Fixed, counter: usize) -> Fields {
    let stored = if fixed.status.is_stored() { "Stored value" } else { "Actual value" };
    vec![
        ("Function", stored.to_owned()),
        ("Unit", fixed_unit_text(fixed, counter)),
        ("Value", fixed.counters[counter].to_string()),
    ]
}

/// libmbus' names of device types.
fn medium_text(medium: u8) -> &'static str {
    match medium {
        0x00 => "Other",
        0x02 => "Electricity",
        0x03 => "Gas",
        0x04 => "Heat: Outlet",
        0x07 => "Water",
        0x0D => "Heat / Cooling load meter",
        0x0E => "Bus/System",
        0x16 => "Cold water",
        _ => "not in the frames",
    }
}

/// Whether two texts are the same, or the same number.
fn agree(ours: &str, theirs: &str) -> bool {
    let numbers = ours.trim().parse::<f64>().ok().zip(theirs.trim().parse::<f64>().ok());
    // Six places are printed; libmbus multiplies by inexact powers of ten.
    let near = |(ours, theirs): (f64, f64)| (ours - theirs).abs() <= 2e-6 + 1e-12 * ours.abs();
    ours.trim() == theirs.trim() || numbers.is_some_and(near)
}

/// What an answer states, in libmbus' terms: fields of the header and of each record.
fn ours(bytes: &[u8]) -> Result<(Fields, Vec<Fields>), String> {
    let frame = Frame::decode(bytes).map_err(|error| error.to_string())?;
    match Application::decode(&frame).map_err(|error| error.to_string())? {
        Application::Variable { header, records } => {
            let identity = *header.identity().ok_or("a long header is expected")?;
            let (access_number, status, signature) = header.state().ok_or("a header")?;
            let head = vec![
                ("Id", format!("{:X}", identity.identification.0)),
                ("Manufacturer", identity.manufacturer.to_string()),
                ("Version", identity.version.to_string()),
                ("Medium", medium_text(identity.medium.0).to_owned()),
                ("AccessNumber", access_number.to_string()),
                ("Status", format!("{:02X}", status.0)),
                ("Signature", format!("{signature:04X}")),
            ];
            let items: Result<Vec<_>, _> = records.collect();
            let items = items.map_err(|error| error.to_string())?;
            Ok((head, items.iter().map(record_fields).collect()))
        }
        Application::Fixed { fixed, .. } => {
            let head = vec![
                ("Id", fixed.identification.to_string()),
                ("Medium", fixed.medium_name().to_owned()),
                ("AccessNumber", fixed.access_number.to_string()),
                ("Status", format!("{:02X}", fixed.status.0)),
            ];
            Ok((head, vec![fixed_fields(&fixed, 0), fixed_fields(&fixed, 1)]))
        }
        other => Err(format!("{other:?}")),
    }
}

fn compare(fields: &Fields, xml: &str, place: &str, found: &mut Vec<Difference>) {
    for (name, ours) in fields {
        let theirs = match text(xml, name) {
            Some(theirs) => theirs,
            // They are left out where the record has no DIFE.
            None if ["Tariff", "Device"].contains(name) => continue,
            None => "absent".to_owned(),
        };
        let same = agree(ours, &theirs)
            || ["Medium", "Quantity"].contains(name) && ours.eq_ignore_ascii_case(&theirs);
        if !same {
            let place = format!("{place} {name}");
            found.push(Difference { place, ours: ours.clone(), theirs });
        }
    }
}

/// Every difference of one answer.
fn differences(bytes: &[u8], xml: &str) -> Vec<Difference> {
    let (head, records) = match ours(bytes) {
        Ok(read) => read,
        Err(error) => {
            let (place, theirs) = ("frame".to_owned(), "decoded".to_owned());
            return vec![Difference { place, ours: error, theirs }];
        }
    };
    let mut found = Vec::new();
    compare(&head, &all(xml, "SlaveInformation").concat(), "header", &mut found);
    let theirs = all(xml, "DataRecord");
    if theirs.len() != records.len() {
        let (ours, theirs) = (records.len().to_string(), theirs.len().to_string());
        found.push(Difference { place: "records".to_owned(), ours, theirs });
    }
    for (number, (fields, xml)) in records.iter().zip(theirs).enumerate() {
        compare(fields, xml, &format!("record {number}"), &mut found);
    }
    found
}

#[test]
fn captured_answers_state_what_libmbus_reads() {
    let Some(files) = captured("mbus") else { return };
    let (mut frames, mut compared, mut faults) = (0, 0, String::new());
    let mut expected: BTreeSet<_> =
        DIFFERENCES.iter().map(|(frame, place, _)| format!("{frame}, {place}")).collect();
    for (name, text) in &files {
        let Some(stem) = name.strip_suffix(".hex") else { continue };
        let xml = files.get(&format!("{stem}.norm.xml")).expect("each frame has its XML");
        frames += 1;
        compared += all(xml, "DataRecord").len();
        for Difference { place, ours, theirs } in differences(&hex(text), xml) {
            if !expected.remove(&format!("{stem}, {place}")) {
                let _ = writeln!(faults, "{stem}, {place}: {ours:?}, libmbus has {theirs:?}");
            }
        }
    }
    for place in expected {
        let _ = writeln!(faults, "{place}: a difference that is gone");
    }
    assert!(faults.is_empty(), "\n{faults}");
    assert!(frames >= 40, "only {frames} frames");
    let listed = DIFFERENCES.len();
    println!("{frames} frames, {compared} records agree with libmbus but for {listed} values");
}
