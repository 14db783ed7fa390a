//! The example messages of the Flexmeter deliverable, section 4.5, character by character as
//! printed there.

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{
    AlertLevel, DecodeRules, Limits, ParameterType, ParameterValue, RefusalReason, Request, decode,
    decode_command,
};

// 2016-02-10T17:40:03Z, by `date -u -d @1455126003`.
const EVENT: SimTime = SimTime(1_455_126_003_391_000_000);

fn strict() -> DecodeRules {
    DecodeRules { strict_table2: true, ..DecodeRules::default() }
}

fn device() -> HardwareId {
    HardwareId::new("123-TEST-4567890").expect("a valid id")
}

#[test]
fn the_measurement_example_is_decoded_as_printed() {
    let payload = r#" 
{ 
  "hardwareId" : "123-TEST-4567890", 
     "type" : "DeviceMeasurements", 
     "request" : { 
         "measurements" : {  
          "electricity.power.active.consumed.l1": 87.1, 
          "electricity.power.active.consumed.total" : 170 
        }, 
  "updateState": true, 
      "eventDate" : "2016-02-10T19:40:03.391+02:00"       

} 
 } 
 
"#;
    let Request::Measurements(message) = decode(payload.as_bytes(), &strict()).unwrap() else {
        panic!("another type");
    };
    assert_eq!(message.hardware_id, device());
    let values: Vec<_> = message.values.iter().map(|(id, value)| (id.name(), *value)).collect();
    assert_eq!(
        values,
        [
            ("electricity.power.active.consumed.l1", 87.1),
            ("electricity.power.active.consumed.total", 170.0)
        ]
    );
    assert!(message.update_state);
    assert_eq!(message.event_date, Some(EVENT));
    assert_eq!((message.serial, message.epoch, message.number()), (None, None, None));
}

/// In print the alert's text is broken over two lines; JSON has no line breaks in texts, so the
/// break is the page's, not the message's.
#[test]
fn the_alert_example_is_decoded_with_its_text_on_one_line() {
    let printed = r#"{ 
    "hardwareId": "123-TEST-4567890", 
    "type": "DeviceAlert", 
    "request": { 
        "type": "maximum.power.approaching", 
        "level": "Warning", 
        "message": "Home power is close to max, don’t turn on other   
            appliances", 
        "updateState": true, 
        "eventDate": "2016-02-10T19:40:03.391+02:00", 
        "metadata": {  
            "name1": "value1" 
        } 
    } 
} 
"#;
    let refusal = decode(printed.as_bytes(), &strict()).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::NotJson);
    assert_eq!(refusal.hardware_id, Some(device()));

    let joined = printed.replace("other   \n            appliances", "other appliances");
    let Request::Alert(alert) = decode(joined.as_bytes(), &strict()).unwrap() else {
        panic!("another type");
    };
    assert_eq!(alert.hardware_id, device());
    assert_eq!(alert.alert_type, "maximum.power.approaching");
    assert_eq!(alert.level, AlertLevel::Warning);
    assert_eq!(alert.message, "Home power is close to max, don’t turn on other appliances");
    assert!(alert.update_state);
    assert_eq!(alert.event_date, Some(EVENT));
    assert_eq!(alert.metadata["name1"], "value1");
    assert_eq!((alert.epoch, alert.serial), (None, None));
}

#[test]
fn the_numbers_of_an_alert_are_read_and_what_is_no_number_is_kept() {
    let alert = |metadata: &str| {
        let payload = format!(
            r#"{{"hardwareId":"a","type":"DeviceAlert","request":{{"type":"t","level":"Info",
            "message":"m","metadata":{metadata}}}}}"#
        );
        let Request::Alert(alert) = decode(payload.as_bytes(), &strict()).unwrap() else {
            panic!("another type");
        };
        let text = |key: &str| alert.metadata.get(key).cloned();
        let numbers = (alert.epoch.map(|it| it.0), alert.serial.map(|it| it.0));
        (numbers, text("serial"), text("epoch"), text("phase"))
    };
    let some = |text: &str| Some(text.to_owned());
    let numbered = alert(r#"{"serial":"7","epoch":"0","phase":"l1"}"#);
    assert_eq!(numbered, ((Some(0), Some(7)), None, None, some("l1")));
    // As any sender may have written it before alerts had numbers.
    for word in ["A-17", "0", "07", "-1", "18446744073709551616", ""] {
        let kept = alert(&format!(r#"{{"serial":"{word}"}}"#));
        assert_eq!(kept, ((None, None), some(word), None, None));
    }
}

#[test]
fn the_acknowledge_example_is_decoded_as_printed() {
    let payload = r#" { 
 "hardwareId": "123-TEST-4567890", 
 "type": "Acknowledge", 
 "request": { 
  "response": "Pinged Me!", 
  "originatingEventId": "56bf72cba76cfa4ff7901e8d", 
  "updateState": false, 
  "eventDate": "2016-02-13T18:15:39.563Z" 
 } 
} 
"#;
    let decoded = decode(payload.as_bytes(), &strict()).unwrap();
    let Request::Acknowledge(answer) = decoded else { panic!("another type") };
    assert_eq!(answer.hardware_id, device());
    assert_eq!(answer.response, "Pinged Me!");
    assert_eq!(answer.originating_event_id, "56bf72cba76cfa4ff7901e8d");
    assert!(!answer.update_state);
    // 2016-02-13T18:15:39Z, by `date -u -d @1455387339`.
    assert_eq!(answer.event_date, Some(SimTime(1_455_387_339_563_000_000)));
}

const COMMAND: &str = r##"{ 

"command": { 
    "command": { 
  "createdDate": "2016-02-13T13:50:12.352-0500", 
  "createdBy": "admin", 
  "updatedDate": null, 
  "updatedBy": null, 
  "deleted": false, 
  "token": "b24ce333-b1a1-4de5-9ca0-cc1d09d697f1", 
  "specificationToken":"964e7613-dab3-4fb3-8919-266a91370884", 
  "namespace": "http://www.test.com", 
  "name": "blinkLed", 
  "description": "Blinks an LED on the device.", 
  "parameters":[ 
   { 
    "name":"color", 
    "type":"String", 
    "required":true 
   }, 
    { 
    "name":"count", 
    "type":"Int32", 
    "required":false 
   }], 
  "metadata":{} 
    }, 
    "invocation": { 
  "id": "56bf7c84a76cfa4ff7901e94", 
  "eventType": "CommandInvocation", 
  "siteToken": "bb105f8d-3150-41f5-b9d1-db04965668d3", 
  "deviceAssignmentToken":"aefecc20-2eb3-41f1-a52e-b5dc17557f67", 
  "assignmentType": "Unassociated", 
  "eventDate": "2016-02-13T13:57:08.274-0500", 
  "receivedDate": "2016-02-13T13:57:08.274-0500", 
  "initiator": "REST", 
  "initiatorId": "admin", 
  "target": "Assignment", 
  "commandToken": "b24ce333-b1a1-4de5-9ca0-cc1d09d697f1", 
  "parameterValues": { 
   "color":"#ff0000", 
   "count":"3" 
  }, 
  "status": "Pending", 
  "metadata": {} 
    }, 
    "parameters": { 
  "color": "#ff0000", 
  "count": 3 
    } 
 } 
} 
"##;

#[test]
fn the_command_example_is_decoded_as_printed() {
    let message = decode_command(COMMAND.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(message.definition.name, "blinkLed");
    assert_eq!(message.definition.namespace, "http://www.test.com");
    assert_eq!(message.definition.updated_by, None);
    assert_eq!(message.definition.parameters.len(), 2);
    assert_eq!(message.definition.parameters[1].kind, ParameterType::Int32);
    assert!(!message.definition.parameters[1].required);
    assert_eq!(message.invocation.id, "56bf7c84a76cfa4ff7901e94");
    assert_eq!(message.invocation.status, "Pending");
    assert_eq!(message.invocation.parameter_values["count"], "3");
    // 2016-02-13T18:57:08Z, by `date -u -d @1455389828`.
    assert_eq!(message.invocation.event_date, Some(SimTime(1_455_389_828_274_000_000)));
    assert_eq!(message.parameters["color"], ParameterValue::Text("#ff0000".to_owned()));
    assert_eq!(message.parameters["count"], ParameterValue::Integer(3));
}

#[test]
fn an_encoded_command_has_the_keys_of_the_example_in_its_order() {
    let message = decode_command(COMMAND.as_bytes(), &Limits::default()).unwrap();
    let mut encoded = Vec::new();
    lastmeter_wire::flexmeter::encode_command(&message, &mut encoded);
    let mut compact: String = COMMAND.split_whitespace().collect();
    // The two places where the spacing of the example is inside a text, and the dates, which are
    // written in UTC.
    compact = compact.replace("BlinksanLEDonthedevice.", "Blinks an LED on the device.");
    compact = compact.replace("2016-02-13T13:50:12.352-0500", "2016-02-13T18:50:12.352Z");
    compact = compact.replace("2016-02-13T13:57:08.274-0500", "2016-02-13T18:57:08.274Z");
    assert_eq!(String::from_utf8(encoded).unwrap(), compact);
}
