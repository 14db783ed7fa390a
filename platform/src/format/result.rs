//! `result`: what an application concludes (`lastmeter_wire::flexmeter::decode_result`). Only
//! applications publish it, each on the topic of its own device.

use lastmeter_model::message::{Message, MessageBody};
use lastmeter_wire::flexmeter::{Limits, ResultMessage, decode_result};
use serde_json::Value;

use super::flexmeter::refused;
use super::{Format, FormatRefusal, Rules};

pub(super) const FORMAT: Format = Format {
    name: "result",
    code: 4,
    content_type: "application/vnd.lastmeter.result+json",
    bytes_max: Limits::BATCH.bytes_max,
    door: None,
    memory_per_byte: 8,
    read,
};

fn read(payload: &[u8], _: Rules) -> Result<Vec<Message>, FormatRefusal> {
    let read = decode_result(payload, &Limits::BATCH).map_err(|refusal| refused(refusal, false))?;
    let ResultMessage { hardware_id, kind, subject, from, until, content, epoch, serial } = read;
    let content = Value::Object(content).to_string();
    let body = MessageBody::Result { kind, subject, until, content };
    let (number, event) = (Some((epoch.0, serial.0)), Some(from));
    Ok(vec![Message { number, event, ..Message::new(hardware_id, body) }])
}
