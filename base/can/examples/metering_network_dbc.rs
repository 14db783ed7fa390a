//! Writes the database of the metering network: the rows below, once for each node.
//!
//! `cargo run -p lastmeter-can --example metering_network_dbc > base/can/metering-network.dbc`

#![allow(clippy::print_stdout, reason = "an example shows what it made")]

use std::fmt::Write as _;

/// Nodes 1 to this.
const NODES: u32 = 31;
/// The register that closes a reading, in both layouts.
const FREEZE: [(u32, &str); 2] = [(0x01, "Freeze"), (0x02, "CompactFreeze")];

/// The register of the switching unit, whose messages have two bytes, and three if they are to all.
const SWITCH: u32 = 0x03;
/// The node that an order to all switching units is for, or 0 for all of them.
const SWITCHED: Field = Field("Node", 2, 1, U, 0, "");

/// A value of a register: big endian, from a byte on, unsigned or signed, times a power of ten.
struct Field(&'static str, u32, u32, Sign, i32, &'static str);

#[derive(Clone, Copy, PartialEq)]
enum Sign {
    U,
    I,
}
use Sign::{I, U};

/// Number, name, what it is, values.
struct Row(u32, &'static str, &'static str, &'static [Field]);

/// As `lastmeter_board::meter_node::Register` has them.
const ROWS: &[Row] = &[
    Row(
        0x01,
        "Freeze",
        "Answer to the order that closes a reading. The order is a data frame with the token alone.",
        &[
            Field("Number", 0, 4, U, 0, ""),
            Field("Windows", 4, 3, U, 0, ""),
            Field("Token", 7, 1, U, 0, ""),
        ],
    ),
    Row(
        0x02,
        "CompactFreeze",
        "Order that closes a reading, with the number 0, and its answer.",
        &[Field("Token", 0, 1, U, 0, ""), Field("Number", 1, 3, U, 0, "")],
    ),
    Row(
        SWITCH,
        "Switch",
        "Order to a switching unit, 1 to close it, and its answer with the state and the same token.",
        &[Field("State", 0, 1, U, 0, ""), Field("Token", 1, 1, U, 0, "")],
    ),
    Row(
        0x10,
        "VoltageCurrent",
        "RMS values.",
        &[Field("Voltage", 0, 4, U, -6, "V"), Field("Current", 4, 4, U, -6, "A")],
    ),
    Row(0x11, "ActivePower", "Positive when consumed.", &[Field("ActivePower", 0, 8, I, -6, "W")]),
    Row(
        0x12,
        "ApparentPower",
        "Apparent and non-active power.",
        &[Field("ApparentPower", 0, 4, U, -3, "VA"), Field("NonActivePower", 4, 4, U, -3, "var")],
    ),
    Row(
        0x13,
        "FactorFrequency",
        "Power factor and frequency.",
        &[Field("PowerFactor", 0, 4, I, -6, ""), Field("Frequency", 4, 4, U, -6, "Hz")],
    ),
    Row(0x14, "Consumed", "Register.", &[Field("ConsumedEnergy", 0, 8, U, -3, "J")]),
    Row(0x15, "Injected", "Register.", &[Field("InjectedEnergy", 0, 8, U, -3, "J")]),
    Row(
        0x16,
        "Number",
        "The reading's number, and how many of its windows were not synchronised.",
        &[Field("Number", 0, 4, U, 0, ""), Field("Unsynchronised", 4, 4, U, 0, "")],
    ),
    Row(
        0x17,
        "Profile",
        "The last interval of the power profile, numbered from 1.",
        &[Field("Number", 0, 4, U, 0, ""), Field("MeanPower", 4, 4, I, -3, "W")],
    ),
    Row(
        0x18,
        "Status",
        "Counters since the start, but for the restarts.",
        &[
            Field("FailedSelfTests", 0, 2, U, 0, ""),
            Field("Restarts", 2, 2, U, 0, ""),
            Field("RefusedFrames", 4, 2, U, 0, ""),
            Field("LostBytes", 6, 2, U, 0, ""),
        ],
    ),
    Row(
        0x19,
        "Version",
        "Version of the program, node, CRC-32 of the image.",
        &[
            Field("Major", 0, 1, U, 0, ""),
            Field("Minor", 1, 1, U, 0, ""),
            Field("Node", 2, 1, U, 0, ""),
            Field("ImageCrc", 4, 4, U, 0, ""),
        ],
    ),
    Row(
        0x1A,
        "Calibration",
        "Order and answer: a calibration register and its value. The order that only asks has one \
         byte.",
        &[
            Field("Number", 0, 1, U, 0, ""),
            Field("Refused", 1, 1, U, 0, ""),
            Field("Value", 4, 4, I, 0, ""),
        ],
    ),
    Row(
        0x1B,
        "Distortion",
        "Total harmonic distortion, relative to the fundamental.",
        &[Field("VoltageDistortion", 0, 4, U, -6, ""), Field("CurrentDistortion", 4, 4, U, -6, "")],
    ),
    Row(
        0x1C,
        "Dip",
        "The last voltage dip that is over, numbered from 1 (0: none yet): residual voltage, \
         duration.",
        &[
            Field("Number", 0, 2, U, 0, ""),
            Field("ResidualVoltage", 2, 3, U, -3, "V"),
            Field("Duration", 5, 3, U, -3, "s"),
        ],
    ),
    Row(
        0x1D,
        "UniqueIdLow",
        "Bits 63 to 0 of the unique id of the node.",
        &[Field("UniqueIdLow", 0, 8, U, 0, "")],
    ),
    Row(
        0x1F,
        "UniqueIdHigh",
        "Bits 95 to 32 of the unique id of the node, announced before the other half.",
        &[Field("UniqueIdHigh", 0, 8, U, 0, "")],
    ),
    Row(0x20, "CompactVoltage", "RMS value.", &[Field("Voltage", 0, 4, U, -6, "V")]),
    Row(0x21, "CompactCurrent", "RMS value.", &[Field("Current", 0, 4, U, -6, "A")]),
    Row(
        0x22,
        "CompactActivePower",
        "Positive when consumed.",
        &[Field("ActivePower", 0, 4, I, -3, "W")],
    ),
    Row(0x23, "CompactApparentPower", "", &[Field("ApparentPower", 0, 4, U, -3, "VA")]),
    Row(0x24, "CompactNonActivePower", "", &[Field("NonActivePower", 0, 4, U, -3, "var")]),
    Row(0x25, "CompactFactor", "", &[Field("PowerFactor", 0, 4, I, -6, "")]),
    Row(0x26, "CompactFrequency", "", &[Field("Frequency", 0, 4, U, -6, "Hz")]),
    Row(
        0x27,
        "CompactConsumed",
        "Register, which begins again at 0 after 429 GJ (119 MWh).",
        &[Field("ConsumedEnergy", 0, 4, U, 2, "J")],
    ),
    Row(
        0x28,
        "CompactInjected",
        "Register, which begins again at 0 after 429 GJ (119 MWh).",
        &[Field("InjectedEnergy", 0, 4, U, 2, "J")],
    ),
    Row(
        0x29,
        "CompactVoltageDistortion",
        "Total harmonic distortion, relative to the fundamental.",
        &[Field("VoltageDistortion", 0, 4, U, -6, "")],
    ),
    Row(
        0x2A,
        "CompactCurrentDistortion",
        "Total harmonic distortion, relative to the fundamental.",
        &[Field("CurrentDistortion", 0, 4, U, -6, "")],
    ),
    Row(
        0x2B,
        "CompactDipResidual",
        "Of the last voltage dip: the low 8 bits of its number, residual voltage.",
        &[Field("Number", 0, 1, U, 0, ""), Field("ResidualVoltage", 1, 3, U, -3, "V")],
    ),
    Row(
        0x2C,
        "CompactDipDuration",
        "Of the last voltage dip: the low 8 bits of its number, duration.",
        &[Field("Number", 0, 1, U, 0, ""), Field("Duration", 1, 3, U, -3, "s")],
    ),
    Row(
        0x2D,
        "CompactProfile",
        "The last interval of the power profile: the low 8 bits of its number, mean power.",
        &[Field("Number", 0, 1, U, 0, ""), Field("MeanPower", 1, 3, I, -1, "W")],
    ),
    Row(
        0x2E,
        "CompactNumber",
        "The low 16 bits of the reading's number, and how many of its windows were not \
         synchronised.",
        &[Field("Number", 0, 2, U, 0, ""), Field("Unsynchronised", 2, 2, U, 0, "")],
    ),
];

/// What stands behind the data of a compact frame.
const AUTHENTICATION: [Field; 2] =
    [Field("Freshness", 4, 1, U, 0, ""), Field("Tag", 5, 3, U, 0, "")];

/// Register, signal, names of its values.
const LABELS: [(u32, &str, &str); 4] = [
    (SWITCH, "State", "0 \"open\" 1 \"closed\""),
    (
        0x18,
        "FailedSelfTests",
        "0 \"none\" 1 \"memory\" 2 \"arithmetic\" 3 \"memory, arithmetic\" 4 \"EEPROM\" 5 \"memory, \
         EEPROM\" 6 \"arithmetic, EEPROM\" 7 \"memory, arithmetic, EEPROM\"",
    ),
    (
        0x1A,
        "Number",
        "0 \"voltage gain\" 1 \"current gain\" 2 \"voltage offset\" 3 \"current offset\" 4 \"interval \
         of the power profile in seconds\"",
    ),
    (0x1A, "Refused", "0 \"taken\" 1 \"refused\""),
];

const COMMENT: &str = "Metering network of Lastmeter. Identifiers are register * 32 + node, nodes \
    1 to 31, and 0 for all of them; a master asks by remote frames with the data length code 8. \
    Messages of each node are the same; comments are at those of node 1. Each reading is of what \
    the last Freeze closed. The registers 0x20 to 0x2E and 0x02 are the layout of frames with \
    authentication in themselves: 4 bytes of data, 1 byte of freshness (the low 8 bits of a \
    counter), 3 bytes of tag.";

/// A whole number times a power of ten, without rounding.
fn decimal(number: i128, exponent: i32) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let digits = number.unsigned_abs().to_string();
    if exponent >= 0 {
        let zeros = if number == 0 { 0 } else { exponent as usize };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    let places = exponent.unsigned_abs() as usize;
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

fn signal(field: &Field, receiver: &str) -> String {
    let Field(name, byte, bytes, sign, exponent, unit) = *field;
    let (start, length) = (byte * 8 + 7, bytes * 8);
    let (least, most) = match sign {
        U => (0, (1_i128 << length) - 1),
        I => (-(1_i128 << (length - 1)), (1_i128 << (length - 1)) - 1),
    };
    let mark = if sign == U { '+' } else { '-' };
    let (least, most) = (decimal(least, exponent), decimal(most, exponent));
    let factor = decimal(1, exponent);
    format!(
        " SG_ {name} : {start}|{length}@0{mark} ({factor},0) [{least}|{most}] \"{unit}\" {receiver}\n"
    )
}

/// A message with its signals.
fn message(id: u32, name: &str, sender: &str, receiver: &str, row: &Row) -> String {
    let bytes = if row.0 == SWITCH { 2 } else { 8 };
    let mut text = format!("BO_ {id} {name}: {bytes} {sender}\n");
    let authentication = if row.1.starts_with("Compact") { &AUTHENTICATION[..] } else { &[] };
    for field in row.3.iter().chain(authentication) {
        text += &signal(field, receiver);
    }
    text + "\n"
}

/// The file.
pub fn text() -> String {
    let names: Vec<String> = (1..=NODES).map(|node| format!("Node{node}")).collect();
    let mut text =
        format!("VERSION \"1\"\n\nNS_ :\n\nBS_:\n\nBU_: Aggregator {}\n\n", names.join(" "));
    let (mut comments, mut labels) = (format!("CM_ \"{COMMENT}\";\n"), String::new());
    // The orders to all nodes, which nobody answers.
    let token = signal(&Field("Token", 0, 1, U, 0, ""), &names.join(","));
    let [(plain, plain_name), (compact, _)] = FREEZE;
    _ = writeln!(text, "BO_ {} All_{plain_name}: 1 Aggregator\n{token}", plain * 32);
    for row in ROWS {
        let &Row(register, name, comment, _) = row;
        if register == compact {
            let receivers = names.join(",");
            text += &message(register * 32, &format!("All_{name}"), "Aggregator", &receivers, row);
        }
        if register == SWITCH {
            _ = writeln!(text, "BO_ {} All_{name}: 3 Aggregator", register * 32);
            let fields = row.3.iter().chain([&SWITCHED]);
            fields.for_each(|field| text += &signal(field, &names.join(",")));
            text.push('\n');
        }
        for (node, sender) in (1..).zip(&names) {
            let id = register * 32 + node;
            text += &message(id, &format!("{sender}_{name}"), sender, "Aggregator", row);
            for (_, signal, values) in LABELS.iter().filter(|(of, ..)| *of == register) {
                _ = writeln!(labels, "VAL_ {id} {signal} {values} ;");
            }
        }
        if !comment.is_empty() {
            _ = writeln!(comments, "CM_ BO_ {} \"{comment}\";", register * 32 + 1);
        }
    }
    text + &comments + &labels
}

fn main() {
    print!("{}", text());
}
