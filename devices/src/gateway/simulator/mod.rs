//! The adapter of a real-time simulator: what it sends looks to the platform like a field of
//! meters.
//!
//! A point map says which device and quantity each point of a frame stands for. The adapter reads
//! the frames, reduces what came in a reporting period to one reading per device, and keeps the
//! readings until the platform has them, as every gateway does. It dates them by the simulator's
//! clock where the frames carry one, else by when they arrived.

mod machine;
#[cfg(test)]
mod tests;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_rts::Wire;
use lastmeter_rts::point_map::PointMap;

use super::kind::{GatewayContext, GatewayKind};
use super::store::Store;
use machine::{Adapter, Parts, Reduction};

const fn time(min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension: Dimension::Time, min, max }
}

static FIELDS: [Field; 6] = [
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
        Kind::Choice(&["mean", "last"]),
        "\"mean\"",
        "What becomes of the samples of a reporting period: their mean, registers always the last; \
         or the last of each.",
    ),
    Field::default(
        "silent_after",
        time(0.01, 86_400.0),
        "\"5 s\"",
        "Without a sample for so long the simulator is reported as silent, by an alert.",
    ),
    Field::default(
        "outbox_limit",
        Kind::Integer { min: 1, max: 10_000_000 },
        "100000",
        "Most messages that wait for the platform; beyond it the oldest is dropped and reported.",
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
            the declared range of their point are left out and counted. Points that are written to \
            the simulator are sent with their initial values whenever somebody is there again.",
        fields: &FIELDS,
    },
    networks: &["stream"],
    files: &["map"],
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
        let limit = usize::try_from(values.integer("outbox_limit")).unwrap_or(1);
        let mut store = Store::new(true, limit);
        let refused_records = store.restore(restored);
        let parts = Parts {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            every: values.duration("report_every"),
            silent_after: values.duration("silent_after"),
            reduction: match values.text("reduce") {
                "last" => Reduction::Last,
                _ => Reduction::Mean,
            },
            map,
            wire,
            store,
            refused_records,
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
