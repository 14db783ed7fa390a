//! The JSON Schema states of a field what reading checks.

use lastmeter_params::schema;
use serde_json::json;

use crate::reading::{COMMON, OWN};

#[test]
fn a_table_of_fields_becomes_an_object_without_other_keys() {
    let schema = schema::object(&[COMMON, OWN]);
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["required"], json!(["name"]));
    assert_eq!(schema["additionalProperties"], false);
    let properties = &schema["properties"];
    assert_eq!(properties["name"]["description"], "What others call it.");
    assert_eq!(properties["mode"]["enum"], json!(["samples", "windows"]));
    assert_eq!(properties["every"]["default"], "10 s");
    let count = json!({
        "type": ["integer", "string"], "pattern": r"^[a-z]+\(.*\)$",
        "minimum": 1, "default": 1, "description": "How many.",
    });
    assert_eq!(properties["count"], count);
    assert_eq!(properties["phases"]["default"], json!([0, 0.5]));
    assert_eq!(properties["start"]["format"], "date-time");
    assert_eq!(properties["harmonics"]["items"]["required"], json!(["order"]));
    let number = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?";
    let units = "V|kV|mV|uV|µV|μV";
    let expected = format!(r"^(\s*{number}\s*({units})\s*|[a-z]+\(.*\))$");
    assert_eq!(properties["voltage"]["pattern"], expected);
}
