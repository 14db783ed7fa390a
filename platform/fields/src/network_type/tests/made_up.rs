//! A small protocol that nobody speaks: what a new type of field networks needs.
//!
//! Big endian: node u64, network address u16, kind u8 (`t` a temperature in 0.01 °C, `b` blink or
//! its answer), then what the kind has.

use lastmeter_params::Entry;
use lastmeter_units::MeasurementId;

use super::super::{
    Answer, CommandRow, Declared, Decoded, FrameRefusal, Frames, NetworkType, NodeContext, Order,
    Origin,
};

pub(super) const MADE_UP: NetworkType = NetworkType {
    entry: Entry { name: "made-up", summary: "", description: "", fields: &[] },
    code: 99,
    yields: &[Declared {
        id: "x.room.temperature",
        is_counter: false,
        resolution: 0.01,
        accuracy_percent: 1.0,
    }],
    commands: &[CommandRow { name: "blink", description: "Blinks", parameters: &[] }],
    origin: |frame| {
        let (node, address, ..) = parts(frame)?;
        Ok(Origin { node: Some(node), address, signal: 255 })
    },
    learn: |_, _| None,
    accept: None,
    decode,
    encode,
    supply: None,
    settings: |_| Vec::new(),
};

pub(super) fn frame(node: u64, address: u16, kind: u8, content: &[u8]) -> Vec<u8> {
    [&node.to_be_bytes()[..], &address.to_be_bytes(), &[kind], content].concat()
}

fn parts(frame: &[u8]) -> Result<(u64, u16, u8, &[u8]), FrameRefusal> {
    let short = || FrameRefusal::malformed(format!("{} bytes, expected 11", frame.len()));
    let (node, rest) = frame.split_first_chunk().ok_or_else(short)?;
    let (address, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (kind, content) = rest.split_first().ok_or_else(short)?;
    Ok((u64::from_be_bytes(*node), u16::from_be_bytes(*address), *kind, content))
}

fn decode(_: &NodeContext, frame: &[u8]) -> Result<Decoded, FrameRefusal> {
    let mut decoded = Decoded::default();
    match parts(frame)? {
        (_, _, b't', [high, low]) => {
            let value = f64::from(i16::from_be_bytes([*high, *low])) / 100.0;
            decoded
                .measured
                .extend(MeasurementId::lookup("x.room.temperature").map(|it| (it, value)));
        }
        (_, _, b'b', [sequence]) => {
            decoded.answer = Some(Answer { sequence: *sequence, text: "blinked".to_owned() });
        }
        _ => return Err(FrameRefusal::malformed("expected `t` or `b`")),
    }
    Ok(decoded)
}

fn encode(context: &NodeContext, order: &Order<'_>) -> Result<Frames, String> {
    match order.command {
        "blink" => Ok(vec![frame(context.node, context.address, b'b', &[order.sequence])]),
        other => Err(format!("there is no command `{other}`")),
    }
}
