//! What holds for every message and for any bytes at all.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_units::{Epoch, HardwareId, MEASUREMENTS, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{
    AcknowledgeMessage, AlertLevel, AlertMessage, CommandDefinition, CommandMessage, DecodeRules,
    Invocation, Limits, MeasurementMessage, ParameterValue, Request, decode, decode_command,
    encode, encode_command,
};
use proptest::option;
use proptest::prelude::*;

fn hardware_id() -> impl Strategy<Value = HardwareId> {
    "[^/+#\\p{Cc}]{1,32}".prop_map(|text| HardwareId::new(text).expect("no forbidden character"))
}

fn date() -> impl Strategy<Value = Option<SimTime>> {
    option::of(any::<i64>().prop_map(SimTime))
}

fn metadata() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(any::<String>(), any::<String>(), 0..5).prop_map(|mut map| {
        map.remove("serial");
        map.remove("epoch");
        map
    })
}

fn finite() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

prop_compose! {
    fn measurements()(
        hardware_id in hardware_id(),
        rows in prop::collection::vec((0..MEASUREMENTS.len(), finite()), 1..40),
        event_date in date(),
        update_state in any::<bool>(),
        epoch in option::of(any::<u64>().prop_map(Epoch)),
        serial in option::of((1..=u64::MAX).prop_map(Serial)),
        originator in option::of(any::<String>()),
        metadata in metadata(),
    ) -> MeasurementMessage {
        let mut seen = BTreeSet::new();
        let values = rows
            .into_iter()
            .filter(|(row, _)| seen.insert(*row))
            .map(|(row, value)| (MeasurementId::from_index(row).expect("a row"), value))
            .collect();
        MeasurementMessage {
            hardware_id, values, event_date, update_state, epoch, serial, originator, metadata,
        }
    }
}

prop_compose! {
    fn alert()(
        hardware_id in hardware_id(),
        alert_type in ".{1,20}",
        level in prop::sample::select(AlertLevel::ALL.to_vec()),
        message in any::<String>(),
        event_date in date(),
        update_state in any::<bool>(),
        epoch in option::of(any::<u64>().prop_map(Epoch)),
        serial in option::of((1..=u64::MAX).prop_map(Serial)),
        originator in option::of(any::<String>()),
        metadata in metadata(),
    ) -> AlertMessage {
        AlertMessage {
            hardware_id, alert_type, level, message, event_date, update_state, epoch, serial,
            originator, metadata,
        }
    }
}

prop_compose! {
    fn acknowledge()(
        hardware_id in hardware_id(),
        originating_event_id in ".{1,40}",
        response in any::<String>(),
        event_date in date(),
        update_state in any::<bool>(),
        metadata in metadata(),
    ) -> AcknowledgeMessage {
        AcknowledgeMessage {
            hardware_id, originating_event_id, response, event_date, update_state, metadata,
        }
    }
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        3 => measurements().prop_map(Request::Measurements),
        1 => alert().prop_map(Request::Alert),
        1 => acknowledge().prop_map(Request::Acknowledge),
    ]
}

fn parameter() -> impl Strategy<Value = ParameterValue> {
    prop_oneof![
        any::<bool>().prop_map(ParameterValue::Boolean),
        any::<i64>().prop_map(ParameterValue::Integer),
        finite().prop_map(ParameterValue::Number),
        any::<String>().prop_map(ParameterValue::Text),
    ]
}

fn as_encoded(request: &Request) -> Vec<u8> {
    let mut payload = Vec::new();
    encode(request, &mut payload);
    payload
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_to_the_last_bit(request in request()) {
        let payload = as_encoded(&request);
        let decoded = decode(&payload, &DecodeRules::default()).unwrap();
        prop_assert_eq!(&decoded, &request);
        if let (Request::Measurements(sent), Request::Measurements(received)) =
            (&request, &decoded)
        {
            // Equality of numbers does not see the sign of zero.
            for ((_, sent), (_, received)) in sent.values.iter().zip(&received.values) {
                prop_assert_eq!(sent.to_bits(), received.to_bits());
            }
        }
    }

    #[test]
    fn a_message_cut_short_is_never_accepted(request in request(), cut in any::<prop::sample::Index>()) {
        let payload = as_encoded(&request);
        let cut = cut.index(payload.len());
        prop_assert!(decode(&payload[..cut], &DecodeRules::default()).is_err());
    }

    #[test]
    fn a_damaged_message_never_panics(
        request in request(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut payload = as_encoded(&request);
        for (place, byte) in damage {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        if let Err(refusal) = decode(&payload, &DecodeRules::default()) {
            prop_assert!(refusal.detail.len() < 600, "{}", refusal.detail);
        }
        let _ = decode_command(&payload, &Limits::default());
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&payload, &DecodeRules::default()).is_err());
        prop_assert!(decode_command(&payload, &Limits::default()).is_err());
    }

    #[test]
    fn a_command_reaches_the_device_as_it_was_sent(
        name in ".{1,20}",
        id in ".{1,40}",
        parameters in prop::collection::btree_map(any::<String>(), parameter(), 0..5),
        event_date in date(),
    ) {
        let values = parameters.iter().map(|(name, value)| (name.clone(), value.to_string()));
        let message = CommandMessage {
            definition: CommandDefinition { name, ..CommandDefinition::default() },
            invocation: Invocation {
                id,
                event_date,
                parameter_values: values.collect(),
                ..Invocation::default()
            },
            parameters,
        };
        let mut payload = Vec::new();
        encode_command(&message, &mut payload);
        prop_assert_eq!(decode_command(&payload, &Limits::default()).unwrap(), message);
    }
}
