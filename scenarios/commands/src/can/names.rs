//! What frames carry, by a database of messages.

use std::borrow::Cow;
use std::fs;
use std::io::Read as _;

use lastmeter_can::dbc::metering::metering_network;
use lastmeter_can::dbc::{Database, DecodeError};
use lastmeter_can::frame::CanFrame;
use serde_json::{Map, Value, json};

/// The word for the database that is built in.
const METERING: &str = "metering";
/// The longest file that is read, bytes.
const BYTES_MAX: u64 = 64 << 20;

/// A database, or none.
pub(super) struct Names(Option<Cow<'static, Database>>);

impl Names {
    /// That of a file, or the metering network's own.
    pub(super) fn open(named: Option<&str>) -> Result<Self, String> {
        let Some(path) = named.filter(|path| *path != METERING) else {
            return Ok(Self(named.map(|_| Cow::Borrowed(metering_network()))));
        };
        let fault = |error: std::io::Error| {
            format!("{path}: {error}; give a DBC file, or `{METERING}` for the metering network's")
        };
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(fault)?;
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(format!("{path}: more than {BYTES_MAX} bytes, expected fewer"));
        }
        let read = Database::from_bytes(&bytes).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self(Some(Cow::Owned(read))))
    }

    /// What a frame carries, behind the frame; nothing where it is of no message.
    pub(super) fn text(&self, frame: &CanFrame) -> String {
        let Some((name, values)) = self.of(frame) else { return String::new() };
        let values = match values {
            Ok(values) => values,
            Err(DecodeError::Remote { .. }) => return format!("  {name}?"),
            Err(error) => return format!("  {name}: {error}"),
        };
        let shown = values.iter().map(|value| match value.label {
            Some(label) => format!("{} {label}", value.name),
            None => format!("{} {} {}", value.name, value.value, value.unit).trim_end().to_owned(),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        // Units and names of values are any text.
        format!("  {name}: {}", shown.replace(char::is_control, "?"))
    }

    /// Fields for what a frame carries.
    pub(super) fn add_to(&self, frame: &CanFrame, line: &mut Value) {
        let (Some((name, values)), Some(line)) = (self.of(frame), line.as_object_mut()) else {
            return;
        };
        line.insert("message".to_owned(), name.into());
        match values {
            Ok(values) => {
                let fields = values.iter().map(|value| {
                    let field =
                        json!({ "value": value.value, "unit": value.unit, "label": value.label });
                    (value.name.to_owned(), field)
                });
                line.insert("values".to_owned(), fields.collect::<Map<_, _>>().into());
            }
            Err(DecodeError::Remote { .. }) => {}
            Err(error) => _ = line.insert("fault".to_owned(), error.to_string().into()),
        }
    }

    /// The message that a frame is of, and its values.
    fn of(
        &self,
        frame: &CanFrame,
    ) -> Option<(&str, Result<Vec<lastmeter_can::dbc::Value<'_>>, DecodeError>)> {
        let database = self.0.as_ref()?;
        Some((&database.message(frame.id())?.name, database.decode(frame)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> CanFrame {
        text.parse().unwrap()
    }

    #[test]
    fn frames_of_the_metering_network_have_names() {
        let names = Names::open(Some(METERING)).unwrap();
        let voltage = frame("201#0DB58580004C4B40");
        assert_eq!(names.text(&voltage), "  Node1_VoltageCurrent: Voltage 230 V, Current 5 A");
        assert_eq!(names.text(&frame("201#R8")), "  Node1_VoltageCurrent?");
        assert_eq!(names.text(&frame("7FF#00")), "");
        assert!(names.text(&frame("201#0DB5")).contains("has 2 bytes, expected 8"));
        let mut line = json!({ "frame": voltage.to_string() });
        names.add_to(&voltage, &mut line);
        assert_eq!(line["message"], "Node1_VoltageCurrent");
        assert_eq!(
            line["values"]["Voltage"],
            json!({ "value": 230.0, "unit": "V", "label": null })
        );
        let mut line = json!({});
        names.add_to(&frame("201#0DB5"), &mut line);
        assert!(line["fault"].as_str().unwrap().contains("has 2 bytes"), "{line}");
    }

    #[test]
    fn a_file_that_is_none_is_an_error_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.dbc");
        let open = |path: &std::path::Path| Names::open(path.to_str()).err().unwrap();
        assert!(open(&path).contains("give a DBC file, or `metering`"), "{}", open(&path));
        fs::write(&path, "VERSION \"\"\n\nBO_ 513 A: 9 B\n").unwrap();
        assert!(open(&path).contains("x.dbc: line 3"), "{}", open(&path));
        assert_eq!(Names::open(None).unwrap().text(&frame("201#R8")), "");
    }
}
