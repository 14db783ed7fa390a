//! Reads boards of others on CAN buses by a DBC file: frames that they send by themselves or are
//! asked for by remote frames, to readings of the quantities that the scenario assigns to signals.
//!
//! | file | purpose |
//! |---|---|
//! | `machine` | the reader: newest values of each board, readings at each poll |

mod machine;
#[cfg(test)]
mod tests;

use lastmeter_can::dbc::{Database, Message};
use lastmeter_can::frame::CanFrame;
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values, parse_quantity};
use lastmeter_units::{HardwareId, MeasurementId};

use super::kind::{GatewayContext, GatewayKind, NetworkContext, OUTBOX, OUTBOX_LIMIT, time};
use super::store::Store;
use crate::model::can_dbc_board::signals_of;
use machine::{Assigned, Board, Bus, Parts, Reader};

const DATABASE: &str = "database";
const ASK: &str = "ask";

static FIELDS: [Field; 6] = [
    Field::required(
        DATABASE,
        Kind::Text,
        "The DBC file of the messages on its buses, beside the scenario.",
    ),
    Field::default(
        "poll_every",
        time(1e-3, 86_400.0),
        "\"1 min\"",
        "Time between two readings of each board; the first one is this long after the start. A \
         reading has the newest value that each signal had since the one before.",
    ),
    Field::default(
        ASK,
        Kind::List(&Kind::Text),
        "[]",
        "Messages of the DBC file that are asked for by remote frames at each poll; others are \
         taken as they come.",
    ),
    Field::default(
        "patience",
        time(1e-3, 60.0),
        "\"250 ms\"",
        "How long after a poll that asks its readings are made.",
    ),
    OUTBOX,
    OUTBOX_LIMIT,
];

/// The registered model.
pub(super) const CAN_DBC_READER: GatewayKind = GatewayKind {
    entry: Entry {
        name: "can-dbc-reader",
        summary: "reads boards with identifiers of their own on CAN buses, by a DBC file",
        description: "Decodes the frames of `can-dbc-board`s by a DBC file. Values are in the units \
            that the file states, or in the SI unit where it states none. Each poll makes a reading \
            of each board with what has come since the one before; its date is the poll's instant, \
            and the reader numbers it. A board of which nothing came is reported by an alert, \
            `device.unreachable`. Messages have identifiers of 11 bits.",
        fields: &FIELDS,
    },
    networks: &["can"],
    files: &[DATABASE],
    live: |_| None,
    flows: |_, _| Vec::new(),
    devices: |_, _| Vec::new(),
    dispatcher: None,
    build: |values, context, restored, diagnostics| {
        let database = database(values, context, diagnostics)?;
        let limit = usize::try_from(values.integer("outbox_limit")).unwrap_or(usize::MAX);
        let mut store = Store::new(context.epoch, values.text("outbox") == "durable", limit);
        let refused_records = store.restore(restored);
        let asked = asked(values, &database, diagnostics)?;
        let mut buses = Vec::new();
        for network in &context.networks {
            let boards = boards(values, &database, network, diagnostics)?;
            buses.push(Bus::new(boards, asked.clone()));
        }
        Some(Box::new(Reader::new(Parts {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            poll_every: values.duration("poll_every"),
            patience: values.duration("patience"),
            database,
            buses,
            store,
            refused_records,
        })))
    },
};

fn database(
    values: &Values,
    context: &GatewayContext<'_>,
    out: &mut Diagnostics,
) -> Option<Database> {
    let (name, span) = (values.text(DATABASE), values.span_of(DATABASE));
    let Some(text) = context.files.get(name) else {
        let message = format!("the DBC file `{name}` was not read");
        out.report(Code::FILE_UNREADABLE, span, message, "expected a file");
        return None;
    };
    match Database::read(text) {
        Ok(database) => Some(database),
        Err(error) => {
            let message = format!("{name}: {error}");
            out.report(Code::FILE_REFUSED, span, message, "the DBC file");
            None
        }
    }
}

/// A message that can be on the bus.
fn message<'a>(database: &'a Database, name: &str) -> Result<&'a Message, String> {
    match database.message_named(name) {
        None => Err(format!("the DBC file has no message `{name}`")),
        Some(message) if message.id.is_extended() => {
            Err(format!("message `{name}` has an identifier of 29 bits"))
        }
        Some(message) => Ok(message),
    }
}

fn asked(values: &Values, database: &Database, out: &mut Diagnostics) -> Option<Vec<CanFrame>> {
    let mut frames = Vec::new();
    for (name, (_, span)) in values.text_list(ASK).into_iter().zip(values.list(ASK)) {
        match message(database, name) {
            Ok(message) => frames.push(CanFrame::remote(message.id, message.dlc).ok()?),
            Err(why) => {
                out.report(Code::UNKNOWN_REFERENCE, *span, why, "expected a message of 11 bits");
                return None;
            }
        }
    }
    Some(frames)
}

/// The boards of a network; `None` if the database has not what they send, which is then in the
/// diagnostics.
fn boards(
    values: &Values,
    database: &Database,
    network: &NetworkContext,
    out: &mut Diagnostics,
) -> Option<Vec<Board>> {
    let board = |(id, address): &(HardwareId, String)| {
        let signals = signals_of(address).ok_or_else(|| {
            format!("`{id}` is a node of a metering network, not a `can-dbc-board`")
        })?;
        let assigned = |(of, name, to): (&str, &str, MeasurementId)| {
            let of = message(database, of)?;
            let found = of.signals.iter().find(|signal| signal.name == name);
            let signal =
                found.ok_or_else(|| format!("message `{}` has no signal `{name}`", of.name))?;
            let unit_factor = unit_factor(&signal.unit, to)?;
            Ok(Assigned { message: of.id, signal: name.to_owned(), to, unit_factor })
        };
        let signals = signals.into_iter().map(assigned).collect::<Result<_, String>>()?;
        Ok(Board::new(id.clone(), signals))
    };
    let boards = network.devices.iter().map(board).collect::<Result<_, String>>();
    let why = match boards {
        Ok(boards) => return Some(boards),
        Err(why) => why,
    };
    let label = "expected what the `signals` of its boards name";
    out.report(Code::DOES_NOT_FIT, values.span_of(DATABASE), why, label);
    None
}

/// A value in a unit as a DBC file writes it, times this, is the value in a message's unit.
fn unit_factor(unit: &str, id: MeasurementId) -> Result<f64, String> {
    let row = id.row();
    if unit.is_empty() {
        return Ok(1.0 / row.si_factor);
    }
    let dimension = Dimension::of_unit(row.si_unit);
    let (si, _) = parse_quantity(&format!("1 {unit}"), &[dimension])
        .map_err(|_| format!("`{unit}` is not a unit of {}", row.name))?;
    Ok(si / row.si_factor)
}
