//! The board file: one device, and the ways in which it can be there.
//!
//! ```toml
//! format = 1
//!
//! [board]
//! name = "desk-meter"
//! language = "lines"                     # or "meter-node"
//! span_window = "1 s"
//! span_latest = "200 ms"
//!
//! [hardware]                             # the thing itself
//! line = "tty:/dev/serial/by-id/usb-EXAMPLE-if00"
//! baud = 9600
//!
//! [[request]]                            # what a line means (see `grammar`)
//! send = "READ?\r\n"
//! answer = "U={u}V I={i}A\r\n"
//!
//! [request.field.u]
//! quantity = "electricity.voltage.rms.l1"
//! unit = "V"
//!
//! [request.field.i]
//! quantity = "electricity.current.rms.l1"
//! unit = "A"
//! ```
//!
//! [`Description::parse`] reads one with every mistake at its line.

mod banner;
mod keys;
#[cfg(test)]
mod tests;

use lastmeter_params::{
    Code, Diagnostics, Field, Mistakes, NodeValue, SourceId, Span, Table, Values, nearest,
    parse_document, read_named_table,
};
use lastmeter_units::{MeasurementId, SimDuration};

use crate::grammar::Grammar;
use crate::line::{LINE, LineSpec};
use crate::meter_node;
use keys::{BOARD, EMULATED, HARDWARE, READY};

const FORMAT: i64 = 1;

/// The sections of a file, besides its requests.
const SECTIONS: [(&str, &[Field]); 5] = [
    ("board", BOARD),
    ("ready", READY),
    ("emulated", EMULATED),
    ("hardware", HARDWARE),
    ("line", LINE),
];

lastmeter_units::words! {
    /// What the port of a board speaks.
    pub enum Language {
        /// Lines of text, as its requests describe them.
        Lines = "lines",
        /// Frames of a metering network over SLCAN ([`crate::meter_node`]).
        MeterNode = "meter-node",
    }
}

lastmeter_units::words! {
    /// What a serial port of an emulated board is.
    pub enum PortRole {
        /// The one that it is read by.
        Network = "network",
        /// The one that stands for its converter and its EEPROM ([`crate::stimulus_port`]).
        Stimulus = "bench",
    }
}

/// What a board sends on its port.
#[derive(Clone, Debug, PartialEq)]
pub enum Speech {
    /// Lines of text.
    Lines(Grammar),
    /// Frames of a node of this number.
    MeterNode {
        /// 1 to 31.
        node: u8,
    },
}

/// How a board reports that it has started.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// How long that may take.
    pub within: SimDuration,
    /// The version it has to have.
    pub version: Option<String>,
}

/// A board that QEMU emulates.
#[derive(Clone, Debug, PartialEq)]
pub struct Emulated {
    /// QEMU's name of the machine.
    pub machine: String,
    /// The name of an image that is built here, or the path of one.
    pub firmware: String,
    /// Its serial ports in their order.
    pub ports: Vec<PortRole>,
    /// Whether instructions are counted.
    pub is_deterministic: bool,
}

/// The thing itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardware {
    /// Where its port is, as transports write it.
    pub line: String,
    /// Bits per second on the serial line.
    pub baud: u32,
    /// `none`, `even` or `odd`.
    pub parity: String,
    /// 5 to 8.
    pub data_bits: u8,
    /// 1 or 2.
    pub stop_bits: u8,
    /// Bits per second of the CAN bus behind an SLCAN adapter.
    pub can_bit_rate: u32,
    /// Program and arguments; empty for none.
    pub power_on: Vec<String>,
    /// Program and arguments; empty for none.
    pub power_off: Vec<String>,
    /// The wait after each of both.
    pub power_settle: SimDuration,
    /// Program and arguments; empty for none.
    pub flash: Vec<String>,
    /// The path of the image that is to be in it.
    pub image: Option<String>,
    /// How long a command may take.
    pub command_within: SimDuration,
}

/// A board.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// How locks, lists and reports refer to it.
    pub name: String,
    /// What it is, in a line.
    pub summary: String,
    /// What its port speaks.
    pub speech: Speech,
    /// How long an answer may take.
    pub answer_within: SimDuration,
    /// What a mean covers; `None`: everything since the reading before.
    pub span_window: Option<SimDuration>,
    /// How long before it was asked for a reading may end.
    pub span_earliest: SimDuration,
    /// How long after it was asked for a reading may end.
    pub span_latest: SimDuration,
    /// How long before it was asked for a register may have stood so, where that differs from
    /// `span_earliest`.
    pub register_earliest: Option<SimDuration>,
    /// How it reports its start.
    pub ready: Ready,
    /// The board as an emulator runs it.
    pub emulated: Option<Emulated>,
    /// The thing itself.
    pub hardware: Option<Hardware>,
    /// What the serial line to the emulated board does to bytes, if anything.
    pub line: Option<LineSpec>,
}

impl Description {
    /// Reads a board file.
    ///
    /// # Errors
    /// All mistakes at once, each with its line.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        let mut out = Diagnostics::new();
        let found = read(text, &mut out);
        found.filter(|_| out.is_empty()).ok_or_else(|| out.located_in(text))
    }

    /// Gives a meter node another number; nothing to a meter of text lines.
    pub fn set_node(&mut self, number: u8) {
        if let Speech::MeterNode { node } = &mut self.speech {
            *node = number;
        }
    }

    /// What its readings hold, in the order in which they are reported.
    pub fn quantities(&self) -> Vec<MeasurementId> {
        match &self.speech {
            Speech::Lines(grammar) => {
                grammar.requests.iter().flat_map(crate::grammar::Request::quantities).collect()
            }
            Speech::MeterNode { .. } => meter_node::QUANTITIES
                .into_iter()
                .flat_map(|(quantity, _)| meter_node::identifiers(quantity))
                .collect(),
        }
    }
}

fn read(text: &str, out: &mut Diagnostics) -> Option<Description> {
    let root = parse_document(text, SourceId::FILE, out);
    check_root(&root, out);
    let [board, ready, emulated, hardware, line] =
        SECTIONS.map(|(name, fields)| section(&root, name, fields, out));
    let board = board?;
    let requests = root.get("request");
    let speech = match Language::from_word(board.text("language"))? {
        Language::Lines => Speech::Lines(Grammar::from_tables(requests, out)?),
        Language::MeterNode => {
            if let Some(node) = requests {
                let message = "a meter node is asked by frames, not by lines";
                let label = "expected only with `language = \"lines\"`";
                out.report(Code::DOES_NOT_FIT, node.span, message, label);
            }
            Speech::MeterNode { node: u8::try_from(board.integer("node")).unwrap_or(1) }
        }
    };
    let is_there = |name: &str| root.get(name).is_some();
    if !is_there("emulated") && !is_there("hardware") {
        let message = "a board that is there in no way";
        let label = "expected `[emulated]`, `[hardware]` or both";
        out.report(Code::MISSING_KEY, Span::default(), message, label);
    }
    // Without `[ready]` its defaults hold, which an empty table yields.
    let ready = ready.or_else(|| {
        let nothing = Table { entries: Vec::new(), incomplete: false };
        read_named_table(&nothing, Span::default(), (None, &[READY]), out)
    })?;
    if let Some(Err(why)) = ready.text_opt("banner").map(banner::check) {
        let label = "expected literal text with `{version}`, `{node}`, `{image}` and `*`";
        out.report(Code::DOES_NOT_FIT, ready.span_of("banner"), why, label);
    }
    let emulated = emulated.as_ref().map(|values| emulated_of(values, &speech, out));
    Some(Description {
        name: board.text("name").to_owned(),
        summary: board.text("summary").to_owned(),
        answer_within: board.duration("answer_within"),
        span_window: board.duration_opt("span_window"),
        span_earliest: board.duration("span_earliest"),
        span_latest: board.duration("span_latest"),
        register_earliest: board.duration_opt("register_earliest"),
        ready: Ready {
            within: ready.duration("within"),
            version: ready.text_opt("version").map(str::to_owned),
        },
        emulated,
        hardware: hardware.as_ref().map(hardware_of),
        line: line.as_ref().map(LineSpec::read),
        speech,
    })
}

/// Version and names of the sections.
fn check_root(root: &Table, out: &mut Diagnostics) {
    let names = || SECTIONS.iter().map(|(name, _)| *name).chain(["format", "request"]);
    for entry in &root.entries {
        if names().any(|name| name == entry.key) || entry.node.value == NodeValue::Invalid {
            continue;
        }
        let help = nearest(&entry.key, names()).map_or_else(
            || {
                "a board file has `format`, `[board]`, `[ready]`, `[emulated]`, `[hardware]`, \
                `[line]` and `[[request]]`"
                    .to_owned()
            },
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("unknown section `{}`", entry.key);
        let label = "expected a section of a board file";
        out.report_with_help(Code::UNKNOWN_KEY, entry.key_span, message, label, Some(help));
    }
    match root.get("format").map(|node| (&node.value, node.span)) {
        Some((NodeValue::Integer(FORMAT) | NodeValue::Invalid, _)) => {}
        Some((_, span)) => {
            let message = "a board file of another format";
            out.report(Code::OUT_OF_RANGE, span, message, format!("expected {FORMAT}"));
        }
        None => {
            let message = "the version of the file's format is missing";
            let label = format!("expected `format = {FORMAT}`");
            out.report(Code::MISSING_KEY, Span::default(), message, label);
        }
    }
}

/// One section, if it is there and right; `board` has to be there.
fn section(root: &Table, name: &str, fields: &[Field], out: &mut Diagnostics) -> Option<Values> {
    let Some(node) = root.get(name) else {
        if name == "board" {
            let message = "there is no `[board]`";
            out.report(Code::MISSING_KEY, Span::default(), message, "expected a board's name");
        }
        return None;
    };
    match &node.value {
        NodeValue::Table(table) => read_named_table(table, node.span, (None, &[fields]), out),
        NodeValue::Invalid => None,
        other => {
            let message = format!("`{name}` is {}", other.describe());
            out.report(Code::WRONG_KIND, node.span, message, format!("expected `[{name}]`"));
            None
        }
    }
}

fn emulated_of(values: &Values, speech: &Speech, out: &mut Diagnostics) -> Emulated {
    let words = values.text_list("ports");
    let ports: Vec<PortRole> = words.iter().filter_map(|word| PortRole::from_word(word)).collect();
    let count = |role| ports.iter().filter(|&&port| port == role).count();
    if count(PortRole::Network) != 1 || count(PortRole::Stimulus) > 1 {
        let message = format!("ports {}", words.join(", "));
        let label = "expected `network` once and `bench` at most once";
        out.report(Code::DOES_NOT_FIT, values.span_of("ports"), message, label);
    } else if matches!(speech, Speech::MeterNode { .. }) && count(PortRole::Stimulus) == 0 {
        let message = "a meter without a port for its samples";
        let label = "expected `bench` among the ports";
        out.report(Code::DOES_NOT_FIT, values.span_of("ports"), message, label);
    }
    Emulated {
        machine: values.text("machine").to_owned(),
        firmware: values.text("firmware").to_owned(),
        ports,
        is_deterministic: values.boolean("deterministic"),
    }
}

fn hardware_of(values: &Values) -> Hardware {
    let words = |key: &str| values.text_list(key).into_iter().map(str::to_owned).collect();
    // The bounds of the fields are within these types.
    let number = |key: &str| u32::try_from(values.integer(key)).unwrap_or(u32::MAX);
    let small = |key: &str| u8::try_from(values.integer(key)).unwrap_or(u8::MAX);
    Hardware {
        line: values.text("line").to_owned(),
        baud: number("baud"),
        parity: values.text("parity").to_owned(),
        data_bits: small("data_bits"),
        stop_bits: small("stop_bits"),
        can_bit_rate: number("can_bit_rate"),
        power_on: words("power_on"),
        power_off: words("power_off"),
        power_settle: values.duration("power_settle"),
        flash: words("flash"),
        image: values.text_opt("image").map(str::to_owned),
        command_within: values.duration("command_within"),
    }
}
