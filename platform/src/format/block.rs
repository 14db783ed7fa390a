//! `block`: samples of a recorder around an event (`lastmeter_wire::block`).

use lastmeter_model::message::{Message, MessageBody};
use lastmeter_wire::block::{BYTES_MAX, decode_block};

use super::flexmeter::refused;
use super::{Format, FormatRefusal, Rules};

pub(super) const FORMAT: Format = Format {
    name: "block",
    code: 5,
    content_type: "application/vnd.lastmeter.block",
    bytes_max: BYTES_MAX,
    door: None,
    memory_per_byte: 3,
    read,
};

fn read(payload: &[u8], _: Rules) -> Result<Vec<Message>, FormatRefusal> {
    let block = decode_block(payload).map_err(|refusal| refused(refusal, false))?;
    let body = MessageBody::Block {
        channels: block.channels.iter().map(|channel| channel.id).collect(),
        samples: block.samples_per_channel(),
        rate_hz: block.rate_hz,
        content: payload.to_vec(),
    };
    let (number, event) = (Some((block.epoch.0, block.serial.0)), Some(block.first));
    Ok(vec![Message { number, event, ..Message::new(block.hardware_id, body) }])
}
