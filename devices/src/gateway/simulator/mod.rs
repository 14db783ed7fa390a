//! The adapter of a real-time simulator: what it sends looks to the platform like a field of
//! meters.
//!
//! A point map maps each point of a frame to a device and a quantity. The adapter reads
//! the frames, reduces what came in a reporting period to one reading per device, and keeps the
//! readings until the platform has them, as every gateway does. It dates them by the simulator's
//! clock where the frames carry one, else by when they arrived.
//!
//! | file | purpose |
//! |---|---|
//! | `machine` | frames up: reporting periods, commands; dating, gathering, reloading, watching |
//! | `raw`, `waveforms` | each n-th sample as it came; periods of waveforms to quantities |
//! | `writing`, `writable` | frames down: when they go and what for; one written point |
//! | `feeding` | what is asked and heard for points that are fed, and when it is stale |
//!
//! Larger than its budget: it carries frames up and down, dates them, and computes quantities of
//! waveforms.

mod feeding;
mod machine;
mod raw;
#[cfg(test)]
mod tests;
mod waveforms;
mod writable;
mod writing;

pub use waveforms::measured_of_waveforms;

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};
use lastmeter_rts::point_map::{Meaning, PointMap};
use lastmeter_rts::{OnExcess, Wire};

use super::kind::{GatewayContext, GatewayKind, OUTBOX_LIMIT, time};
use super::store::Store;
use feeding::Feeds;
use machine::{Adapter, Parts, Reduction};
use raw::{RawForm, RawSamples};
use writing::WriteSettings;

static FIELDS: [Field; 14] = [
    Field::required("map", Kind::Text, "The file with the point map."),
    Field::default(
        "carrier",
        Kind::Choice(&["datagrams", "stream"]),
        "\"datagrams\"",
        "How frames come: each in a datagram, or one after another in a stream of bytes, cut \
         anyhow.",
    ),
    Field::default(
        "report_every",
        time(0.01, 86_400.0),
        "\"1 s\"",
        "From one reading of each device to the next; each is dated by the end of its period, \
         periods begin at whole multiples after the start.",
    ),
    Field::default(
        "reduce",
        Kind::Choice(Reduction::WORDS),
        "\"mean\"",
        "What becomes of the samples of a reporting period: their mean, registers always the last; \
         or the last of each.",
    ),
    Field::default(
        "nominal_frequency",
        Kind::Choice(&["50 Hz", "60 Hz"]),
        "\"50 Hz\"",
        "Of what points of waveforms are: they are measured in windows of ten cycles, or of twelve at \
         60 Hz, and need at least eight samples per cycle.",
    ),
    Field::default(
        "silent_after",
        time(0.01, 86_400.0),
        "\"5 s\"",
        "Without a sample for so long the simulator is reported as silent, by an alert.",
    ),
    OUTBOX_LIMIT,
    Field::default(
        "raw",
        Kind::Choice(RawForm::WORDS),
        "\"none\"",
        "Samples at once beside the readings, on the topic `TENANT/rts/NAME/points` with QoS 0, \
         neither stored nor sent again: as JSON with values in the points' units, or as \
         `villas.binary` with the simulator's words. Values to write are then taken from \
         `TENANT/rts/NAME/set` beside the commands.",
    ),
    Field::default(
        "raw_decimate",
        Kind::Integer { min: 1, max: 1_000_000 },
        "1",
        "Of so many samples one goes out by `raw`.",
    ),
    Field::default(
        "read_only",
        Kind::Boolean,
        "false",
        "Whether nothing at all is written to the simulator; commands are then refused.",
    ),
    Field::default(
        "reflect_within",
        time(0.001, 3600.0),
        "\"2 s\"",
        "How long the simulator has to show what was written, in the point that reflects it.",
    ),
    Field::default(
        "safe_after",
        time(0.0, 86_400.0),
        "\"60 s\"",
        "Without the platform for so long all points get their safe values; `0 s`: never.",
    ),
    Field::optional(
        "write_every",
        time(0.000_1, 3600.0),
        "How often all points are written although none has changed; left out, only on changes \
         and when somebody is there again.",
    ),
    Field::default(
        "on_excess",
        Kind::Choice(OnExcess::WORDS),
        "\"thin\"",
        "What becomes of commands that come faster than the map's card takes frames: `thin` writes \
         the last of them as soon as it may, `refuse` refuses them.",
    ),
];

/// The registered model.
pub(super) const SIMULATOR_ADAPTER: GatewayKind = GatewayKind {
    entry: Entry {
        name: "simulator-adapter",
        summary: "real-time simulator: its points become readings of devices",
        description: "Reads the frames of a real-time simulator (GTNET-SKT, AsyncIP, VILLASnode) by \
            a point map, and sends one reading per device and reporting period to the platform, \
            with the units of the platform's identifiers. A reading is written durably before it \
            is sent. Frames that cannot be read are counted by their reason and never half read; \
            a simulator that falls silent, or whose values do not fit the map, is reported by an \
            alert of the adapter (`simulator.silent`, `simulator.implausible`). Values outside of \
            the declared range of their point are left out and counted. Commands write the points \
            that the map gives them, within its limits; a command is acknowledged when the \
            simulator reflects it. A point with `from` is written by what a device, a topic or \
            a path of REST has for it, within the same limits; a value that is refused, and a \
            source that has none for `stale_after`, are reported (`simulator.feed_refused`, \
            `simulator.feed_stale`, then `simulator.feed_back`). What was written last is written again whenever somebody is \
            there again, also after a restart.",
        fields: &FIELDS,
    },
    networks: &["stream"],
    files: &["map"],
    devices: devices_of_map,
    live: |values| (values.text("raw") != RawForm::None.word()).then_some(raw::SET),
    flows: |values, files| map_of(values, files).map_or_else(Vec::new, |map| Feeds::filters(&map)),
    dispatcher: None,
    build: |values, context, restored, out| {
        let map = read_map(values, context, out)?;
        let wire = match Wire::new(&map, values.text("carrier") == "stream") {
            Ok(wire) => wire,
            Err(error) => {
                let message = error.to_string();
                out.report(Code::DOES_NOT_FIT, values.span_of("carrier"), message, "no frames");
                return None;
            }
        };
        let form = RawForm::from_word(values.text("raw")).unwrap_or(RawForm::None);
        let decimate = u64::try_from(values.integer("raw_decimate")).unwrap_or(1);
        let raw = match RawSamples::new(form, decimate, &map) {
            Ok(raw) => raw,
            Err(message) => {
                out.report(Code::DOES_NOT_FIT, values.span_of("raw"), message, "cannot carry it");
                return None;
            }
        };
        let limit = usize::try_from(values.integer("outbox_limit")).unwrap_or(1);
        let mut store = Store::new(context.epoch, true, limit);
        let refused_records = store.restore(restored);
        let parts = Parts {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            every: values.duration("report_every"),
            silent_after: values.duration("silent_after"),
            nominal_hz: if values.text("nominal_frequency") == "60 Hz" { 60.0 } else { 50.0 },
            reduction: Reduction::from_word(values.text("reduce")).unwrap_or(Reduction::Mean),
            map_file: values.text("map").to_owned(),
            is_stream: values.text("carrier") == "stream",
            map,
            wire,
            raw,
            store,
            refused_records,
            writing: WriteSettings {
                is_read_only: values.boolean("read_only"),
                reflect_within: values.duration("reflect_within"),
                safe_after: Some(values.duration("safe_after")).filter(|after| after.0 > 0),
                every: values.duration_opt("write_every"),
                on_excess: OnExcess::from_word(values.text("on_excess")).unwrap_or(OnExcess::Thin),
            },
        };
        match Adapter::new(parts) {
            Ok(adapter) => Some(Box::new(adapter)),
            Err(message) => {
                out.report(Code::DOES_NOT_FIT, values.span_of("map"), message, "no hardware id");
                None
            }
        }
    },
};

/// The point map among the files, if it has no mistake.
fn map_of(values: &Values, files: &BTreeMap<String, String>) -> Option<PointMap> {
    PointMap::parse(files.get(values.text("map"))?).ok()
}

/// The devices that points stand for or are written for, each once.
fn devices_of_map(values: &Values, files: &BTreeMap<String, String>) -> Vec<String> {
    let points = map_of(values, files).map_or_else(Vec::new, |map| map.points);
    let named = points.into_iter().filter_map(|point| match point.meaning {
        Meaning::Measured { device, .. } | Meaning::Waveform { device, .. } => Some(device),
        Meaning::Status(_) | Meaning::Raw => Some(point.write?.commanded?.device),
    });
    let all: BTreeSet<String> = named.collect();
    all.into_iter().collect()
}

/// The point map, with each of its mistakes.
fn read_map(
    values: &Values,
    context: &GatewayContext<'_>,
    out: &mut Diagnostics,
) -> Option<PointMap> {
    let (name, span) = (values.text("map"), values.span_of("map"));
    let Some(text) = context.files.get(name) else {
        let message = format!("the point map `{name}` was not read");
        out.report(Code::FILE_UNREADABLE, span, message, "expected a file");
        return None;
    };
    match PointMap::parse(text) {
        Ok(map) => Some(map),
        Err(error) => {
            for mistake in &error.0 {
                out.report(Code::DOES_NOT_FIT, span, mistake.to_string(), "in the point map");
            }
            None
        }
    }
}
