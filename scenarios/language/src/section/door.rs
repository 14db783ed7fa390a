//! `[[door]]`: further ways for devices to reach the platform.

use std::net::SocketAddr;
use std::sync::Arc;

use lastmeter_params::{Code, Diagnostics, Field, Kind};
use lastmeter_platform::{DoorConfig, door_kinds};

use super::platform::PLATFORM;
use crate::draft::{Draft, Part, Row, Section};

pub(crate) static DOOR: Section = Section {
    name: "door",
    noun: "door",
    doc: "A further way for devices to reach the platform, beside MQTT, which is always open. A \
        platform of the bench's own opens it, at a free port unless `address` is given; its log \
        has the address. A device gets its commands by the door it last came through. The \
        devices of a scenario speak MQTT: a door is for other programs.",
    fields: &[
        Field::optional("name", Kind::Name, "what overrides call it"),
        Field::required("kind", Kind::Text, "which kind of door"),
    ],
    kind: Some(("kind", "kind of door")),
    entries: || door_kinds().collect(),
    heading: "doors",
    rules: &[report_repeated_kinds, report_invalid_addresses, report_doors_of_running_platform],
    build: |rows| Some(Arc::new(rows.iter().map(door).collect::<Option<Vec<_>>>()?) as Part),
    ..Section::REPEATED
};

fn report_repeated_kinds(draft: &Draft<'_>, out: &mut Diagnostics) {
    let rows = draft.rows(&DOOR);
    for (index, row) in rows.iter().enumerate() {
        let Some((kind, span)) = row.text("kind") else { continue };
        if rows[..index].iter().any(|other| other.kind == Some(kind)) {
            let message = format!("there is a door of kind `{kind}` already");
            let help = Some("give one of each kind".to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, span, message, "the second one", help);
        }
    }
}

fn report_invalid_addresses(draft: &Draft<'_>, out: &mut Diagnostics) {
    for (address, span) in draft.rows(&DOOR).iter().filter_map(|row| row.text("address")) {
        if address.parse::<SocketAddr>().is_err() {
            let message = format!("`{address}` is not an address");
            let label = "expected an address such as `127.0.0.1:8090`";
            out.report(Code::DOES_NOT_FIT, span, message, label);
        }
    }
}

/// Somebody else's platform has the doors it has.
fn report_doors_of_running_platform(draft: &Draft<'_>, out: &mut Diagnostics) {
    let choice = draft.single(&PLATFORM).and_then(|platform| platform.text("use"));
    let Some((profile, _)) = choice.filter(|(word, _)| !["embedded", "child"].contains(word))
    else {
        return;
    };
    for row in draft.rows(&DOOR) {
        let message = format!("the platform of `{profile}` runs already, with the doors it has");
        let label = "cannot be opened by the bench";
        let help = "leave it out, or write `use = \"embedded\"` or `use = \"child\"`";
        out.report_with_help(Code::DOES_NOT_FIT, row.span, message, label, Some(help.to_owned()));
    }
}

/// A door as the platform's settings have it; where no address is given it takes a free port.
fn door(row: &Row<'_>) -> Option<DoorConfig> {
    let mut keys: toml::Table = row.values.as_ref()?.to_toml().parse().ok()?;
    for key in ["name", "kind"] {
        keys.remove(key);
    }
    keys.entry("address").or_insert_with(|| "127.0.0.1:0".into());
    Some(DoorConfig { kind: row.kind?.to_owned(), keys })
}
