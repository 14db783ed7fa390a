//! `[[observer]]`: a subscriber of the bench, which receives what devices publish.

use lastmeter_params::{Code, Diagnostics, Field, Kind, Value};

use super::link::VIA;
use crate::draft::{Row, Section};
use crate::names::Names;
use crate::references::Via;

pub(crate) static OBSERVER: Section = Section {
    name: "observer",
    noun: "observer",
    doc: "A subscriber of the bench, which receives what devices publish: where a latency path \
        ends in `received`. With `via` it sits behind that link's down leg. In virtual time what \
        it receives is modelled.",
    fields: &[
        Field::required("name", Kind::Name, "what checks refer to"),
        VIA,
        Field::default(
            "devices",
            Kind::Pattern,
            "\"*\"",
            "whose messages it subscribes to: the name of a device, or a pattern with *",
        ),
        Field::default(
            "connections",
            Kind::Choice(&["one", "per-device"]),
            "\"one\"",
            "one: a single subscriber, like a head-end; per-device: one for each device, so that \
             none waits behind another's messages (needs devices with `input_topic = \"bound\"`)",
        ),
    ],
    ..Section::REPEATED
};

/// A subscriber of the bench, which receives what devices publish.
#[derive(Clone)]
pub struct ObserverRow {
    /// The observer's name.
    pub name: String,
    /// The index of the link it is connected through; `None`: straight to the platform.
    pub via: Option<usize>,
    /// The indices of the devices whose messages it subscribes to, in order.
    pub devices: Vec<usize>,
    /// Whether it has a connection for each of them, or one for all.
    pub per_device: bool,
}

/// The devices an observer subscribes to.
pub(crate) fn observed(observer: &Row<'_>, devices: &Names, out: &mut Diagnostics) -> Vec<usize> {
    let (pattern, span) = observer.text("devices").unwrap_or(("*", observer.span));
    devices.fitting(pattern, span, out)
}

/// An observer can have a connection for each device only where each publishes on a topic of its
/// own.
pub(crate) fn report_ambiguous_observer(
    observer: &Row<'_>,
    of: &[usize],
    names: &Names,
    table_of_device: &[usize],
    devices: &[Row<'_>],
    out: &mut Diagnostics,
) {
    let Some(("per-device", span)) = observer.text("connections") else { return };
    let is_bound = Some(&Value::Text("bound".to_owned()));
    let shared = of.iter().copied().find(|&device| {
        let values = table_of_device.get(device).and_then(|&table| devices[table].values.as_ref());
        values.is_some_and(|values| values.get("input_topic") != is_bound)
    });
    let Some(name) = shared.and_then(|device| names.get(device)) else { return };
    let message = format!("`{name}` publishes on a topic that it shares with others");
    let label = "a connection for each device needs a topic for each device";
    let help = "write `input_topic = \"bound\"` in the `[[device]]`, or `connections = \"one\"`";
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
}

pub(crate) fn observer(row: &Row<'_>, via: Via, devices: &[usize]) -> Option<ObserverRow> {
    let values = row.values.clone()?;
    Some(ObserverRow {
        name: values.text("name").to_owned(),
        via: via.ok()?,
        devices: devices.to_vec(),
        per_device: values.text("connections") == "per-device",
    })
}
