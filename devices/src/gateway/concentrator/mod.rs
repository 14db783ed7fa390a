//! A concentrator of wired M-Bus: it finds and polls the meters of its lines, and carries their
//! readings on, once each, whatever becomes of the link, the meters and itself.
//!
//! | file | purpose |
//! |---|---|
//! | `machine`, `line` | the concentrator and its store; the master of one line |
//! | `reading`, `unit` | telegrams to quantities; units and powers of ten to SI |
//! | `address` | secondary addresses as a configuration writes them |
//!
//! Larger than its budget: it is the master of its lines, a store, and a translator of units.

mod address;
mod line;
mod machine;
mod reading;
#[cfg(test)]
mod tests;
mod unit;

use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::header::Manufacturer;
use lastmeter_mbus::master::{MasterConfig, Target};
use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};

use super::kind::{GatewayKind, NetworkContext, OUTBOX, OUTBOX_LIMIT, time};
use super::store::Store;
use line::{Line, Meter, Schedule};
use machine::{Concentrator, Parts};
use reading::Planted;

static FIELDS: [Field; 12] = [
    Field::default(
        "poll_every",
        time(1.0, 86_400.0),
        "\"5 min\"",
        "Time between two polls of all meters; the first one is this long after the start.",
    ),
    Field::default(
        "poll_offset",
        time(0.0, 86_400.0),
        "\"0 s\"",
        "How much later each poll begins, less than `poll_every`.",
    ),
    Field::default(
        "search",
        Kind::Choice(&["at_start", "never"]),
        "\"at_start\"",
        "Whether the lines are searched for meters at the start, also for those not configured.",
    ),
    Field::optional(
        "search_again",
        time(60.0, 3.2e7),
        "Time between two further searches; left out, there are none.",
    ),
    Field::default(
        "addressing",
        Kind::Choice(&["secondary", "primary"]),
        "\"secondary\"",
        "How meters are asked; `primary` searches addresses 0 to 250 and takes whose each is from \
         its answer.",
    ),
    Field::default(
        "repetitions",
        Kind::Integer { min: 0, max: 10 },
        "2",
        "How often a request without a valid answer is repeated.",
    ),
    Field::default(
        "patience",
        time(0.0, 60.0),
        "\"0 ms\"",
        "What answers may take beyond 330 bit times and 50 ms, and pauses within one beyond 33 bit \
         times: for converters and sockets on the way.",
    ),
    Field::default(
        "unreachable_after",
        Kind::Integer { min: 1, max: 1000 },
        "1",
        "Polls in a row without an answer after which a meter is reported as unreachable.",
    ),
    OUTBOX,
    OUTBOX_LIMIT,
    Field::default(
        "drop_sign",
        Kind::Boolean,
        "false",
        "A planted error: the sign of binary coded decimals is dropped.",
    ),
    Field::default(
        "vif_exponent",
        Kind::Integer { min: -9, max: 9 },
        "0",
        "A planted error: is added to the power of ten of volumes.",
    ),
];

/// The registered model.
pub(super) const M_BUS_CONCENTRATOR: GatewayKind = GatewayKind {
    entry: Entry {
        name: "m-bus-concentrator",
        summary: "M-Bus concentrator: searches and polls meters, keeps readings until acknowledged",
        description: "The master of one or more M-Bus lines (EN 13757-2 and -3). It searches each \
            line by secondary address, then polls every meter one after another. A meter that is \
            found and not configured goes by `mbus-` and its secondary address in lower case: \
            identification, manufacturer, version and device type, such as \
            `mbus-12345678-lmt-01-04`. A reading has the meter's access number, carried on beyond \
            255, as its serial, and the instant at which its answer was complete as its date. It \
            is written durably before it is sent. Values that are errors or no numbers are left \
            out and reported; a meter that does not answer is reported by an alert of the \
            concentrator, `device.unreachable`, and `device.reachable` later; error bits of a \
            meter's status by its alert `mbus.status`. Power that an electricity meter reports as \
            negative is injected power.",
        fields: &FIELDS,
    },
    networks: &["m-bus"],
    files: &[],
    live: |_| None,
    flows: |_, _| Vec::new(),
    devices: |_, _| Vec::new(),
    dispatcher: None,
    build: |values, context, restored, diagnostics| {
        let primary = values.text("addressing") == "primary";
        let search_at_start = values.text("search") == "at_start";
        let configured = context.networks.iter().any(|network| !network.devices.is_empty());
        if primary && !search_at_start && configured {
            diagnostics.report(
                Code::DOES_NOT_FIT,
                values.span_of("search"),
                "`search = \"never\"` with `addressing = \"primary\"`, expected `at_start`: \
                 primary addresses are found by a search only",
                "finds no meter",
            );
            return None;
        }
        if values.duration("poll_offset") >= values.duration("poll_every") {
            diagnostics.report(
                Code::DOES_NOT_FIT,
                values.span_of("poll_offset"),
                "a poll would begin after the next one is due",
                "expected less than `poll_every`",
            );
            return None;
        }
        let schedule = Schedule {
            start: context.start,
            poll_every: values.duration("poll_every"),
            poll_offset: values.duration("poll_offset"),
            search_at_start,
            search_every: values.duration_opt("search_again"),
            primary,
        };
        let lines = context.networks.iter().map(|net| line(net, schedule, values, diagnostics));
        let lines = lines.collect::<Option<Vec<_>>>()?;
        let limit = usize::try_from(values.integer("outbox_limit")).unwrap_or(usize::MAX);
        let mut store = Store::new(context.epoch, values.text("outbox") == "durable", limit);
        let refused_records = store.restore(restored);
        let planted = Planted {
            drop_sign: values.boolean("drop_sign"),
            volume_exponent: i16::try_from(values.integer("vif_exponent")).unwrap_or(0),
        };
        Some(Box::new(Concentrator::new(Parts {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            lines,
            store,
            refused_records,
            unreachable_after: values.integer("unreachable_after"),
            planted,
        })))
    },
};

/// One line with the meters configured there.
fn line(
    network: &NetworkContext,
    schedule: Schedule,
    values: &Values,
    diagnostics: &mut Diagnostics,
) -> Option<Line> {
    let rate = network.bits_per_second;
    let Some(baud) = BaudRate::ALL.into_iter().find(|one| one.bits_per_second() == rate) else {
        let rates = BaudRate::ALL.map(|one| one.bits_per_second().to_string()).join(", ");
        let message = format!("a network of {rate} bit/s, expected one of {rates}");
        let label = "cannot be on this network";
        diagnostics.report(Code::DOES_NOT_FIT, values.span, message, label);
        return None;
    };
    let mut meters = Vec::new();
    for (id, text) in &network.devices {
        let Some(identity) = address::parse(text) else {
            let message = format!(
                "`{id}` has the address `{text}`, expected a secondary address such as \
                 `12345678-LMT-01-04`"
            );
            let label = "cannot poll this device";
            diagnostics.report(Code::DOES_NOT_FIT, values.span, message, label);
            return None;
        };
        let target = (!schedule.primary).then_some(Target::Secondary(identity));
        let (hardware_id, identity) = (Some(id.clone()), Some(identity));
        meters.push(Meter { hardware_id, identity, target, failures: 0 });
    }
    let identities = meters.iter().filter_map(|meter| meter.identity);
    let mut manufacturers: Vec<Manufacturer> = identities.map(|one| one.manufacturer).collect();
    manufacturers.sort_unstable();
    manufacturers.dedup();
    let repetitions = u8::try_from(values.integer("repetitions")).unwrap_or(2);
    let patience = values.duration("patience");
    let config =
        MasterConfig { baud, repetitions, patience, manufacturers, ..MasterConfig::default() };
    Some(Line::new(config, schedule, meters))
}
