//! A meter on a CAN metering network: a node that a master asks by remote frames.

use lastmeter_board::meter_node::{QUANTITIES, UniqueId};
use lastmeter_can::authentication::Settings;
use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{MeasurementId, Quantity, SimDuration};
use rand::Rng as _;

use super::build::build_with;
use super::fields::{between, count, of_model};
use super::ideal::{DEFAULTS, RECIPE_1PH};
use super::kind::{DeviceKind, Fits};
use crate::border::NodeTask;
use crate::can::port::PortSettings;
use crate::can::seal::{AUTHENTICATION, Authentication, End, GuardParts, device_key, shared_key};
use crate::context::DeviceContext;
use crate::outlet::can::{CanOutlet, CanParts, MemoryParts, SoftwareParts, TaskParts};

/// The largest number of a node: identifiers have five bits for it.
const NODE_MAX: u8 = 31;

const fn time(name: &'static str, default: &'static str, summary: &'static str) -> Field {
    Field::default(name, between(Dimension::Time, 0.0, 10.0), default, summary)
}

const fn period(name: &'static str, default: &'static str, summary: &'static str) -> Field {
    Field::default(name, between(Dimension::Time, 1e-6, 10.0), default, summary)
}

const fn priority(name: &'static str, default: &'static str, summary: &'static str) -> Field {
    Field::default(name, Kind::Integer { min: 1, max: 255 }, default, summary)
}

const NODE: &[Field] = &[
    Field::optional(
        "node",
        Kind::Integer { min: 1, max: 31 },
        "Its number on the bus, the lowest five bits of its identifiers; left out, the number at \
         the end of its name, so that devices made by `count` differ.",
    ),
    Field::optional(
        "unique_id",
        Kind::Text,
        "Its unique id, 24 hexadecimal digits, which its master then knows beforehand; left out, one \
         that is drawn. It announces it at its start, without `authentication`. Two devices may \
         have one `node` if both have a `unique_id`.",
    ),
    Field::default(
        "interrupt_latency",
        between(Dimension::Time, 0.0, 1.0),
        "\"10 us\"",
        "From the end of a frame to the interrupt routine that takes it from the controller.",
    ),
    time("interrupt_service", "\"0 s\"", "What that routine takes for one frame."),
    Field::default(
        "tasks",
        Kind::List(&Kind::Choice(NodeTask::WORDS)),
        "[\"can\", \"measure\", \"server\", \"user-interface\"]",
        "The tasks that its main task enables when it starts. Without `can` it answers nothing; \
         without `measure` it closes no reading.",
    ),
    time("main_service", "\"0 s\"", "What the main task takes to enable or disable a task."),
    Field::default(
        "task_period",
        between(Dimension::Time, 0.0, 10.0),
        "\"0 s\"",
        "How often the task that serves the bus looks at what it has to answer; 0: it is woken.",
    ),
    time("task_service", "\"1 ms\"", "What that task takes for one answer."),
    priority("task_priority", "2", "Its priority; tasks of 1 go before all others."),
    time("measure_service", "\"0 s\"", "What the task that measures takes every `report_every`."),
    priority("measure_priority", "1", "Its priority."),
    period(
        "server_period",
        "\"10 ms\"",
        "How often the task that serves pages looks for requests.",
    ),
    time("server_service", "\"0 s\"", "What that takes."),
    priority("server_priority", "3", "Its priority."),
    period("interface_period", "\"100 ms\"", "How often the display is drawn."),
    time("interface_service", "\"0 s\"", "What that takes."),
    priority("interface_priority", "4", "Its priority."),
    Field::default(
        "memory_byte_time",
        between(Dimension::Time, 1e-6, 1.0),
        "\"5 ms\"",
        "What the write of a byte of its EEPROM takes. A record has 46 bytes.",
    ),
    Field::default(
        "memory_endurance",
        Kind::Integer { min: 1, max: 1_000_000_000 },
        "100000",
        "How often each of its 2,024 cells can be written; records take turns in them.",
    ),
    Field::default(
        "profile_interval",
        between(Dimension::Time, 1.0, 86_400.0),
        "\"15 min\"",
        "Length of the intervals of its power profile, which begin at whole multiples of it by the \
         scenario's clock.",
    ),
    Field::default(
        "profile_clock_offset",
        between(Dimension::Time, -86_400.0, 86_400.0),
        "\"0 s\"",
        "How far ahead the clock is by which these intervals begin and are numbered: its error.",
    ),
    Field::default(
        "switch",
        Kind::Choice(&["none", "closed", "open"]),
        "\"none\"",
        "Its switching unit, and where that stands at the start; a meter that has none does not \
         answer orders to open or close it.",
    ),
    Field::default(
        "transmit_order",
        Kind::Choice(&["identifier", "request"]),
        "\"request\"",
        "Which of several answers goes into arbitration first: that of the lowest identifier, or \
         the oldest.",
    ),
    Field::default(
        "overrun",
        Kind::Choice(&["overwrite", "discard"]),
        "\"discard\"",
        "Which frame is lost if three wait in the controller: the last one of them, or the new one.",
    ),
    AUTHENTICATION,
    Field::optional(
        "key_of",
        Kind::Name,
        "The device whose key it was provisioned with; left out, its own. With another one's key \
         its messages are refused.",
    ),
];

static FIELDS: [Field; count(NODE)] = of_model(
    NODE,
    &[
        DEFAULTS[0],
        DEFAULTS[1],
        DEFAULTS[2],
        DEFAULTS[3],
        DEFAULTS[4],
        DEFAULTS[5],
        ("fidelity", "\"windows\""),
        ("report_every", "\"1 s\""),
        (
            "quantities",
            "[\"voltage\", \"current\", \"active_power\", \"apparent_power\", \
             \"non_active_power\", \"power_factor\", \"frequency\", \"active_energy\"]",
        ),
        ("totals_only", "true"),
    ],
);

pub(crate) const CAN_METER: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: RECIPE_1PH.phases },
    on: Some("can"),
    entry: Entry {
        name: "can-meter",
        summary: "single-phase meter on a CAN bus, asked by remote frames",
        description: "A node of a CAN metering network. It measures every `report_every` by \
            itself; an order to all nodes closes a reading, which has the next number and what was \
            measured last, and remote frames ask for its registers, eight bytes each. Identifiers \
            are register * 32 + node; `metering-network.dbc` has them all. What its software takes \
            comes on top of the bus: the interrupt, and the task that serves the bus, which waits \
            for those of higher priority. Each reading that it closes is stored in its EEPROM, and so \
            is where its switching unit stands, which an order opens or closes.",
        fields: &FIELDS,
    },
    build: |values, context, diagnostics| {
        let parts = parts(values, context, diagnostics)?;
        let outlet = Box::new(CanOutlet::new(parts));
        build_with(&RECIPE_1PH, values, context, (outlet, is_in_a_register), diagnostics)
    },
    ..DeviceKind::PLAIN
};

/// Whether a register of the network holds a quantity.
fn is_in_a_register(id: MeasurementId) -> bool {
    let quantity = id.row().quantity;
    QUANTITIES.iter().any(|(known, _)| *known == quantity)
        || matches!(
            quantity,
            Quantity::VoltageThd
                | Quantity::CurrentThd
                | Quantity::ProfilePower
                | Quantity::ProfileInterval
        )
}

fn parts(
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<CanParts> {
    let own = values.integer_opt("node").and_then(|it| u8::try_from(it).ok());
    let Some(node) = own.or_else(|| trailing_number(context.name)) else {
        let message = format!(
            "`{}` has no `node`, and no number from 1 to {NODE_MAX} at the end of its name",
            context.name
        );
        let label = "has no number on the bus";
        diagnostics.report(Code::DOES_NOT_FIT, values.span, message, label);
        return None;
    };
    let key_of = values.text_opt("key_of").unwrap_or(context.name);
    let authentication = Authentication::of(values, diagnostics)?;
    let unique_id = unique_id(values, context, diagnostics)?;
    if authentication != Authentication::None && values.text_opt("unique_id").is_some() {
        let message = "a node whose messages are authenticated does not announce its id".to_owned();
        let label = "expected without `authentication` only";
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of("unique_id"), message, label);
        return None;
    }
    Some(CanParts {
        start: context.start,
        node,
        unique_id: Some(unique_id).filter(|_| authentication == Authentication::None),
        is_known_by_id: values.text_opt("unique_id").is_some(),
        port: PortSettings {
            order: match values.text("transmit_order") {
                "identifier" => TransmitOrder::ByIdentifier,
                _ => TransmitOrder::ByRequest,
            },
            overrun: match values.text("overrun") {
                "overwrite" => OverrunPolicy::OverwriteLast,
                _ => OverrunPolicy::DiscardNewest,
            },
            // That of its processor.
            interrupt_latency: SimDuration::ZERO,
        },
        software: software(values),
        memory: MemoryParts {
            byte_time: values.duration("memory_byte_time"),
            endurance: u64::try_from(values.integer("memory_endurance")).unwrap_or(1),
        },
        is_closed: match values.text("switch") {
            "closed" => Some(true),
            "open" => Some(false),
            _ => None,
        },
        obeys_orders: values.boolean("obey_commands"),
        measure_every: values.duration("report_every"),
        profile: (values.duration("profile_interval"), values.duration("profile_clock_offset")),
        guard: GuardParts {
            authentication,
            end: End::Slave(node, device_key(*context.streams, key_of, node)),
            shared: shared_key(*context.streams),
            pair_limit: Settings::default().pair_limit,
        },
    })
}

/// Its unique id, given or drawn; `None` if it is none, which is then in the diagnostics.
fn unique_id(
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<UniqueId> {
    let Some(given) = values.text_opt("unique_id") else {
        let mut bytes = [0; 12];
        let name = format!("device/{}/unique-id", context.name);
        context.streams.stream(&name).fill_bytes(&mut bytes);
        return Some(UniqueId::from_bytes(bytes));
    };
    let id = UniqueId::from_hex(given);
    if id.is_none() {
        let message = format!("`{given}` is no unique id, expected 24 hexadecimal digits");
        let span = values.span_of("unique_id");
        diagnostics.report(Code::DOES_NOT_FIT, span, message, "has not 96 bits");
    }
    id
}

fn software(values: &Values) -> SoftwareParts {
    let tasks = NodeTask::ALL.map(|task| {
        let (word, period) = match task {
            NodeTask::Can => ("task", "task_period"),
            // A reading of the core gives it its jobs.
            NodeTask::Measure => ("measure", "report_every"),
            NodeTask::Server => ("server", "server_period"),
            NodeTask::UserInterface => ("interface", "interface_period"),
        };
        let priority = values.integer(&format!("{word}_priority"));
        TaskParts {
            period: values.duration(period),
            priority: u8::try_from(priority).unwrap_or(u8::MAX),
            service: values.duration(&format!("{word}_service")),
        }
    });
    let enabled = values.text_list("tasks");
    SoftwareParts {
        interrupt_latency: values.duration("interrupt_latency"),
        interrupt_service: values.duration("interrupt_service"),
        main_service: values.duration("main_service"),
        tasks,
        enabled: enabled.into_iter().filter_map(NodeTask::from_word).collect(),
    }
}

/// The number at the end of a name, if it is one of a node.
fn trailing_number(name: &str) -> Option<u8> {
    let digits = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    name[digits.len()..].parse().ok().filter(|node| (1..=NODE_MAX).contains(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_at_the_end_of_a_name_is_its_node() {
        for (name, node) in [
            ("meter-07", Some(7)),
            ("m31", Some(31)),
            ("m32", None),
            ("m-0", None),
            ("kitchen", None),
            ("12", Some(12)),
            ("m-99999999999", None),
        ] {
            assert_eq!(trailing_number(name), node, "{name}");
        }
    }
}
