//! Frames of the network as bytes: there and back, one by hand, and whatever else comes.

use proptest::prelude::*;

use crate::address::{Eui64, ShortAddress};
use crate::network::{ApsFrame, Body, JoinStatus, RadioFrame};
use crate::zdp::Capability;

fn status() -> impl Strategy<Value = JoinStatus> {
    prop_oneof![
        any::<u16>().prop_map(|address| JoinStatus::Success(ShortAddress(address))),
        Just(JoinStatus::AtCapacity),
        Just(JoinStatus::Denied),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let data = (any::<(u8, bool, u16, u16, u8, u8)>(), prop::collection::vec(any::<u8>(), 0..90));
    prop_oneof![
        any::<u8>().prop_map(|bits| Body::AssociationRequest(Capability(bits))),
        status().prop_map(Body::AssociationResponse),
        any::<u8>().prop_map(|bits| Body::RejoinRequest(Capability(bits))),
        status().prop_map(Body::RejoinResponse),
        any::<u8>().prop_map(|bits| Body::Announce(Capability(bits))),
        any::<(bool, bool)>().prop_map(|(request, rejoin)| Body::Leave { request, rejoin }),
        any::<u32>().prop_map(|counter| Body::Acknowledge { counter }),
        Just(Body::Poll),
        any::<bool>().prop_map(|pending| Body::PollAnswer { pending }),
        data.prop_map(|(fields, payload)| {
            let (aps_counter, acknowledge, profile, cluster, source, destination) = fields;
            let (source_endpoint, destination_endpoint) = (source, destination);
            let aps = ApsFrame { profile, cluster, source_endpoint, destination_endpoint, payload };
            Body::Data { aps_counter, acknowledge, aps }
        }),
        any::<u8>().prop_map(|aps_counter| Body::DataAcknowledge { aps_counter }),
    ]
}

fn frame() -> impl Strategy<Value = RadioFrame> {
    (any::<(u16, u64, u16, Option<u64>, Option<u32>)>(), body()).prop_map(|(fields, body)| {
        let (source, source_eui, destination, destination_eui, counter) = fields;
        RadioFrame {
            source: ShortAddress(source),
            source_eui: Eui64(source_eui),
            destination: ShortAddress(destination),
            destination_eui: destination_eui.map(Eui64),
            counter,
            body,
        }
    })
}

proptest! {
    #[test]
    fn frame_survives_its_bytes(frame in frame()) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        prop_assert_eq!(RadioFrame::decode(&bytes), Ok(frame.clone()));
        // Each byte less is an error, but of a payload's end.
        let is_data = matches!(frame.body, Body::Data { .. });
        let shorter = RadioFrame::decode(&bytes[..bytes.len() - 1]);
        prop_assert!(shorter.is_err() || is_data);
        bytes.push(0);
        prop_assert!(RadioFrame::decode(&bytes).is_err() || is_data);
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..130)) {
        if let Ok(frame) = RadioFrame::decode(&bytes) {
            let mut again = Vec::new();
            frame.encode(&mut again);
            // A refusal has no address, whatever stood there.
            let is_refused = matches!(
                frame.body,
                Body::AssociationResponse(JoinStatus::AtCapacity | JoinStatus::Denied)
                    | Body::RejoinResponse(JoinStatus::AtCapacity | JoinStatus::Denied)
            );
            prop_assert!(again == bytes || is_refused);
        }
    }
}

#[test]
fn frame_has_the_bytes_of_the_layout() {
    let body = Body::Data {
        aps_counter: 9,
        acknowledge: true,
        aps: ApsFrame {
            profile: 0x0104,
            cluster: 0x0006,
            source_endpoint: 1,
            destination_endpoint: 2,
            payload: vec![0x11, 0x55, 0x00],
        },
    };
    let frame = RadioFrame {
        source: ShortAddress(0x1234),
        source_eui: Eui64(0x0102_0304_0506_0708),
        destination: ShortAddress::COORDINATOR,
        destination_eui: None,
        counter: Some(0x0A0B_0C0D),
        body,
    };
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    let expected = [
        &[0x34, 0x12, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0x02, 0x0D, 0x0C, 0x0B, 0x0A][..],
        &[9, 9, 1, 0x04, 0x01, 0x06, 0x00, 1, 2, 0x11, 0x55, 0x00],
    ]
    .concat();
    assert_eq!(bytes, expected);
}
