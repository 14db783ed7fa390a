//! `relay`: a frame of a node behind a gateway, with all that reading it depends on. No device
//! writes it: the door `gateways` does, so it comes through no other.

use lastmeter_fields::{Decoded, FrameRefusal, NETWORK_TYPES, RelayEntry};
use lastmeter_model::access::Eui64;
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_units::{HardwareId, SimTime};

use super::{Format, FormatRefusal, Rules};

/// The member of a reading's metadata that has what of its frame could not be used, and why.
const UNUSABLE: &str = "unusable";
/// The longest text of it, bytes.
const UNUSABLE_BYTES_MAX: usize = 512;

pub(super) const FORMAT: Format = Format {
    name: "relay",
    code: 3,
    content_type: "application/vnd.lastmeter.relay",
    bytes_max: 16 * 1024,
    door: Some("gateways"),
    memory_per_byte: 4,
    read,
};

fn read(payload: &[u8], rules: Rules) -> Result<Vec<Message>, FormatRefusal> {
    let refused = |device: Option<&HardwareId>, refusal: FrameRefusal| FormatRefusal {
        reason: refusal.reason,
        detail: refusal.detail,
        device: device.cloned(),
        holds_sound: false,
    };
    let entry = RelayEntry::decode(payload).map_err(|refusal| refused(None, refusal))?;
    let device = HardwareId::new(Eui64(entry.context.node).to_string())
        .map_err(|error| refused(None, FrameRefusal::malformed(error)))?;
    let decoded = entry
        .kind(NETWORK_TYPES)
        .and_then(|kind| (kind.decode)(&entry.context, entry.frame))
        .map_err(|refusal| refused(Some(&device), refusal))?;
    messages(&entry, &device, decoded, rules).map_err(|refusal| refused(Some(&device), refusal))
}

/// The messages of a frame, at least one.
fn messages(
    entry: &RelayEntry<'_>,
    device: &HardwareId,
    decoded: Decoded,
    rules: Rules,
) -> Result<Vec<Message>, FrameRefusal> {
    let Decoded { measured, unusable, answer, .. } = decoded;
    let unusable = unusable.join("; ");
    let mut messages = Vec::new();
    if measured.is_empty() && !unusable.is_empty() && answer.is_none() {
        return Err(FrameRefusal { reason: "unusable_value", detail: unusable });
    }
    if !measured.is_empty() {
        let is_beyond = |value: f64, row: &lastmeter_units::Measurement| {
            rules.plausible_only && (value * row.si_factor).abs() > row.si_unit.greatest()
        };
        if let Some((id, value)) = measured.iter().find(|(id, value)| is_beyond(*value, id.row())) {
            let detail = format!("{} is {value}, which is beyond all that is believed", id.name());
            return Err(FrameRefusal { reason: "implausible_value", detail });
        }
        let mut message = Message {
            number: Some(entry.number()),
            event: Some(SimTime(i64::from(entry.taken_s) * 1_000_000_000)),
            updates_state: true,
            ..Message::new(device.clone(), MessageBody::Measurements(measured))
        };
        if !unusable.is_empty() {
            let text = lastmeter_model::refusal::shortened(&unusable, UNUSABLE_BYTES_MAX);
            message.metadata.insert(UNUSABLE.to_owned(), text);
        }
        messages.push(message);
    }
    if let (Some(answer), false) = (answer, entry.invocation.is_empty()) {
        let (invocation, response) = (entry.invocation.to_owned(), answer.text);
        let body = MessageBody::Acknowledgement { invocation, response };
        messages.push(Message::new(device.clone(), body));
    }
    if messages.is_empty() {
        let detail = "the frame has neither a value nor an answer".to_owned();
        return Err(FrameRefusal { reason: "no_content", detail });
    }
    Ok(messages)
}
