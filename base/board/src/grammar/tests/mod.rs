//! Grammars are read, lines are read, ports are spoken with.

mod exchanges;
mod lines;
mod mistakes;
mod properties;
mod render;

use lastmeter_params::{
    Diagnostics, Field, Kind, Mistakes, SourceId, Span, parse_document, read_table,
};

use super::keys::REQUEST_KEYS;
use super::{Grammar, Line, LineReader};

/// The section of a document that holds a grammar only.
static DOCUMENT: &[Field] = &[Field::optional(
    "request",
    Kind::List(&Kind::Table(REQUEST_KEYS)),
    "what the meter is asked",
)];

/// The meter of the excerpt.
const DESK_METER: &str = r#"
[[request]]
send = "READ?\r\n"
answer = "U={u}V I={i}A P={p}kW n={number}\r\n"
timeout = "500 ms"

[request.field.u]
quantity = "electricity.voltage.rms.l1"
unit = "V"
scale = 1.0
offset = 0.0
least = "0 V"
greatest = "500 V"

[request.field.i]
quantity = "electricity.current.rms.l1"
unit = "A"

[request.field.p]
quantity = "electricity.power.active.consumed.l1"
unit = "kW"

[request.field.number]
role = "sequence"
"#;

/// Reads a document that holds nothing but `[[request]]` tables.
fn parse(text: &str) -> Result<Grammar, Mistakes> {
    let mut out = Diagnostics::new();
    let root = parse_document(text, SourceId::FILE, &mut out);
    let mut others = root.clone();
    others.entries.retain(|entry| entry.key != "request");
    read_table(&others, Span::default(), DOCUMENT, &mut out);
    let is_named = root.get("request").is_some();
    // What a misspelt section was meant to be is not missing as well.
    let grammar = if is_named || out.is_empty() {
        Grammar::from_tables(root.get("request"), &mut out)
    } else {
        None
    };
    grammar.filter(|_| out.is_empty()).ok_or_else(|| out.located_in(text))
}

/// The lines that bytes end.
fn lines_of(reader: &mut LineReader, bytes: &[u8]) -> Vec<Line> {
    bytes.iter().filter_map(|byte| reader.push(*byte)).collect()
}

fn grammar(text: &str) -> Grammar {
    parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

/// The mistakes of a text as they are printed.
fn mistakes(text: &str) -> Vec<String> {
    let error = parse(text).expect_err("there is a mistake");
    error.0.iter().map(ToString::to_string).collect()
}
