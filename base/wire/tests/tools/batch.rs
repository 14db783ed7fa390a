//! Writes batches. Nothing of the product sends any; tests and fuzzers do.

use lastmeter_wire::flexmeter::{Element, MeasurementMessage, Request, encode};

/// The keys of the lists, in the order of their ranks.
const LISTS: [&str; 3] = ["measurements", "alerts", "acknowledgements"];

/// Appends a batch: as few objects as keep the order of the elements.
pub(crate) fn encode_batch(elements: &[Element], out: &mut Vec<u8>) {
    out.push(b'[');
    let mut rest = elements;
    while let Some(first) = rest.first() {
        let envelope = envelope_of(first);
        let mut rank = 0;
        let is_of_it = |element: &&Element| {
            let (before, own) = (rank, rank_of(element));
            rank = own;
            let MeasurementMessage { hardware_id, originator, .. } = envelope_of(element);
            let is_same = hardware_id == envelope.hardware_id
                && (originator == envelope.originator || own == 4);
            is_same && (own > before || (own == before && own > 1))
        };
        let length = rest.iter().take_while(is_of_it).count();
        let (object, behind) = rest.split_at(length.max(1));
        out.extend(encoded_object(object, envelope).bytes());
        rest = behind;
        if !rest.is_empty() {
            out.push(b',');
        }
    }
    out.push(b']');
}

fn encoded_object(elements: &[Element], envelope: MeasurementMessage) -> String {
    let message = encoded(&Request::Measurements(envelope));
    let (head, _) = message.split_once(",\"request\":").expect("a message has a request");
    let mut object = head.replacen(",\"type\":\"DeviceMeasurements\"", "", 1);
    let mut open = 0;
    for element in elements {
        let Element::Request(request) = element else {
            object += ",\"register\":true";
            continue;
        };
        let rank = rank_of(element);
        if rank == open {
            object += ",";
        } else {
            object += if open == 0 { ",\"" } else { "],\"" };
            object += LISTS[rank - 2];
            object += "\":[";
            open = rank;
        }
        let message = encoded(request);
        let (_, body) = message.split_once("\"request\":").expect("a message has a request");
        object += &body[..body.len() - 1];
    }
    object += if open == 0 { "}" } else { "]}" };
    object
}

fn encoded(request: &Request) -> String {
    let mut bytes = Vec::new();
    encode(request, &mut bytes);
    String::from_utf8(bytes).expect("JSON is text")
}

/// Where an element stands within its object, from 1.
fn rank_of(element: &Element) -> usize {
    match element {
        Element::Registration(_) => 1,
        Element::Request(Request::Measurements(_)) => 2,
        Element::Request(Request::Alert(_)) => 3,
        Element::Request(Request::Acknowledge(_)) => 4,
    }
}

/// A message with the device and the originator of an element, and nothing else.
fn envelope_of(element: &Element) -> MeasurementMessage {
    let device = match element {
        Element::Registration(device) => device,
        Element::Request(request) => request.hardware_id(),
    };
    let originator = match element {
        Element::Request(Request::Measurements(message)) => message.originator.clone(),
        Element::Request(Request::Alert(message)) => message.originator.clone(),
        Element::Registration(_) | Element::Request(Request::Acknowledge(_)) => None,
    };
    MeasurementMessage { originator, ..MeasurementMessage::new(device.clone(), Vec::new()) }
}
