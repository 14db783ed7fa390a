//! `json`: one message of the Flexmeter data format (Flexmeter deliverable, section 4.5).

use lastmeter_model::message::{EPOCH, Message, MessageBody, SERIAL};
use lastmeter_wire::flexmeter::{self, DecodeRules, Limits, Refusal, Request};

use super::{Format, FormatRefusal, Rules};

pub(super) const FORMAT: Format = Format {
    name: "json",
    code: 1,
    content_type: "application/json",
    bytes_max: Limits::ONE.bytes_max,
    door: None,
    memory_per_byte: 1,
    read,
};

fn read(payload: &[u8], rules: Rules) -> Result<Vec<Message>, FormatRefusal> {
    let Rules { strict_table2, plausible_only } = rules;
    let rules = DecodeRules { strict_table2, plausible_only, limits: Limits::ONE };
    match flexmeter::decode(payload, &rules) {
        Ok(request) => Ok(vec![message(request)]),
        Err(refusal) => Err(refused(refusal, false)),
    }
}

/// What the platform makes of a message of the wire.
pub(super) fn message(request: Request) -> Message {
    match request {
        Request::Measurements(read) => Message {
            number: read.number().map(|(epoch, serial)| (epoch.0, serial.0)),
            event: read.event_date,
            updates_state: read.update_state,
            originator: read.originator,
            metadata: read.metadata,
            ..Message::new(read.hardware_id, MessageBody::Measurements(read.values))
        },
        Request::Alert(read) => {
            let (kind, text) = (read.alert_type, read.message);
            let body = MessageBody::Alert { kind, level: read.level.word(), text };
            let mut metadata = read.metadata;
            // The store recognises no repetition of an alert, and keeps its numbers as texts.
            metadata.extend(read.epoch.map(|epoch| (EPOCH.to_owned(), epoch.to_string())));
            metadata.extend(read.serial.map(|serial| (SERIAL.to_owned(), serial.to_string())));
            Message {
                event: read.event_date,
                updates_state: read.update_state,
                originator: read.originator,
                metadata,
                ..Message::new(read.hardware_id, body)
            }
        }
        Request::Acknowledge(read) => {
            let (invocation, response) = (read.originating_event_id, read.response);
            let body = MessageBody::Acknowledgement { invocation, response };
            Message {
                event: read.event_date,
                updates_state: read.update_state,
                metadata: read.metadata,
                ..Message::new(read.hardware_id, body)
            }
        }
    }
}

/// What the platform makes of a refusal of the wire.
pub(super) fn refused(refusal: Refusal, holds_sound: bool) -> FormatRefusal {
    let Refusal { reason, detail, hardware_id } = refusal;
    FormatRefusal { reason: reason.word(), detail, device: hardware_id, holds_sound }
}
