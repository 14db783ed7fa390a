//! From a board file and a device's table to the device.

use lastmeter_board::description::{Description, Speech};
use lastmeter_can::slcan::BitRate;
use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_sim::{DeclaredSpan, Identity};
use lastmeter_units::MeasurementId;

use super::lines::LineProtocol;
use super::meter::{BoardMeter, BoardParts, Expected, Protocol};
use super::node::NodeProtocol;
use crate::border::Device;
use crate::context::DeviceContext;
use crate::model::kind::DeviceKind;
use crate::outlet::reporter::Reporter;
use crate::window::PERIOD_MIN;

/// In which way a board is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardWay {
    /// An emulator runs its firmware.
    Emulated,
    /// The thing itself.
    Hardware,
}

/// What a device that is a board needs to know of it.
#[derive(Clone, Copy, Debug)]
pub struct BoardContext<'a> {
    /// The board file.
    pub description: &'a Description,
    /// In which way it is there.
    pub way: BoardWay,
    /// The CRC-32 of the image that has to be in it; `None`: whichever is.
    pub image: Option<u32>,
}

/// Makes a device of a board, with the fields of the model that stands for it when it is simulated.
/// `None` where these do not fit the board, which is then in `out`.
pub fn board_device(
    kind: &DeviceKind,
    values: &Values,
    context: &DeviceContext<'_>,
    board: &BoardContext<'_>,
    out: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let BoardContext { description, way, image } = *board;
    let converter = match (way, kind.board_converter) {
        (BoardWay::Hardware, _) => None,
        (BoardWay::Emulated, Some(build)) => Some(build(values, context, out)?),
        (BoardWay::Emulated, None) => {
            let message = format!("a `{}` is not what this board emulates", kind.entry.name);
            let label = "expected `model = \"cvct-stm32f107\"`, whose converter the board has";
            out.report(Code::DOES_NOT_FIT, values.span_of("model"), message, label);
            return None;
        }
    };
    let quantities = quantities(values, description, out)?;
    let bit_rate = description.hardware.as_ref().map_or(125_000, |it| it.can_bit_rate);
    let (protocol, node) = match &description.speech {
        Speech::Lines(grammar) => {
            (Protocol::Lines(Box::new(LineProtocol::new(grammar.clone()))), None)
        }
        Speech::MeterNode { node } => {
            let bit_rate = BitRate::from_bits_per_second(bit_rate).unwrap_or(BitRate::S4);
            (Protocol::Node(NodeProtocol::new(*node, bit_rate)), Some(*node))
        }
    };
    let obeys = values.get("obey_commands").is_none() || values.boolean("obey_commands");
    let parts = BoardParts {
        name: description.name.clone(),
        outlet: Reporter::uplink(context, obeys),
        quantities,
        declared: declared(description),
        period: values.duration("report_every").max(PERIOD_MIN),
        converter,
        protocol,
        expected: Expected { node, version: description.ready.version.clone(), image },
        start_within: description.ready.within,
        answer_within: description.answer_within,
    };
    Some(Box::new(BoardMeter::new(parts, node.unwrap_or(1))))
}

/// The declaration of a board's readings: numbered by the bench, which asks for them.
fn declared(description: &Description) -> DeclaredSpan {
    DeclaredSpan {
        identity: Identity::Number,
        window: description.span_window,
        earliest: description.span_earliest,
        latest: description.span_latest,
        registers_earliest: description.register_earliest,
    }
}

/// What a table asks for of what a board measures; `None`, with the mistake in `out`, where it asks
/// for something else.
fn quantities(
    values: &Values,
    description: &Description,
    out: &mut Diagnostics,
) -> Option<Vec<MeasurementId>> {
    let measured = description.quantities();
    let is_node = matches!(description.speech, Speech::MeterNode { .. });
    if values.get("quantities").is_none() {
        return Some(measured);
    }
    let groups = values.text_list("quantities");
    let wanted = crate::reading::identifiers(&groups, is_node && values.boolean("totals_only"), 1);
    let found: Vec<MeasurementId> =
        wanted.iter().copied().filter(|id| measured.contains(id)).collect();
    let lacks = |group: &&&str| {
        let of_group = |id: &MeasurementId| crate::reading::group_of(id.row().quantity);
        !found.iter().any(|id| of_group(id) == Some(**group))
    };
    if values.is_written("quantities")
        && let Some(group) = groups.iter().find(lacks)
    {
        let message = format!("the board `{}` does not measure `{group}`", description.name);
        let mut has: Vec<&str> =
            measured.iter().filter_map(|id| crate::reading::group_of(id.row().quantity)).collect();
        has.dedup();
        let label = format!("expected groups among {}", has.join(", "));
        out.report(Code::DOES_NOT_FIT, values.span_of("quantities"), message, label);
        return None;
    }
    Some(found)
}
