//! `jsonbatch`: several readings, alerts and answers of one or several devices in one document
//! (`lastmeter_wire::flexmeter::decode_batch`).
//!
//! One that breaks the format refuses the whole document, with its place; the document is kept if
//! anything else in it was right in itself. What shows only where it is stored (a number that was
//! stored with other content, an unknown invocation) refuses that element alone.

use lastmeter_model::message::{Message, MessageBody};
use lastmeter_wire::flexmeter::{BatchRefusal, DecodeRules, Element, Limits, decode_batch};

use super::flexmeter::{message, refused};
use super::{Format, FormatRefusal, Rules};

pub(super) const FORMAT: Format = Format {
    name: "jsonbatch",
    code: 2,
    content_type: "application/vnd.lastmeter.jsonbatch+json",
    bytes_max: Limits::BATCH.bytes_max,
    door: None,
    memory_per_byte: 8,
    read,
};

fn read(payload: &[u8], rules: Rules) -> Result<Vec<Message>, FormatRefusal> {
    let Rules { strict_table2, plausible_only } = rules;
    let rules = DecodeRules { strict_table2, plausible_only, limits: Limits::BATCH };
    let elements = match decode_batch(payload, &rules) {
        Ok(elements) => elements,
        Err(BatchRefusal { refusal, sound }) => return Err(refused(refusal, sound > 0)),
    };
    Ok(elements.into_iter().map(of_element).collect())
}

fn of_element(element: Element) -> Message {
    match element {
        Element::Registration(device) => Message::new(device, MessageBody::Registration),
        Element::Request(request) => message(request),
    }
}
