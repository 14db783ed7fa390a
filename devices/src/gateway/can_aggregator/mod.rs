//! The data aggregator of CAN metering networks: it polls the meter nodes of its buses and carries
//! their readings on, once each, whatever becomes of the link, the nodes and itself.
//!
//! Larger than its budget: it is the master of its buses, verifies what it hears, and is tested
//! with nodes and an attacker on a bus.
//!
//! | file | purpose |
//! |---|---|
//! | `authentication` | refused messages as events and alerts, counters that are kept |
//! | `dip` | voltage dips as alerts |
//! | `household` | what the household wants as outputs, and when the plant is to settle |
//! | `machine` | the aggregator and its store |
//! | `poll` | the master of one bus: orders, remote frames, answers, patience |
//! | `profile` | intervals of power profiles, once each |
//! | `unique_ids` | who has which number of a bus, and numbers that two nodes have |

mod authentication;
mod dip;
mod household;
mod machine;
mod poll;
mod profile;
#[cfg(test)]
mod tests;
mod unique_ids;

use lastmeter_board::meter_node::{READING, Register, UniqueId};
use lastmeter_can::authentication::Settings as SealSettings;
use lastmeter_can::controller::TransmitOrder;
use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use super::kind::{GatewayContext, GatewayKind, NetworkContext, OUTBOX, OUTBOX_LIMIT, time};
use super::store::Store;
use crate::can::seal::{
    AUTHENTICATION, Authentication, End, Guard, GuardParts, device_key, shared_key,
};
use crate::household::{HOUSEHOLD, Household, Settings};
use crate::reading::{GROUPS, identifiers};
use machine::{Aggregator, Parts};
use poll::{Master, Node, PollSettings};
use unique_ids::UniqueIds;

/// What all nodes answer to an order by two frames each, in bits, with as much again of others.
const ORDER_BITS: i64 = 2 * 2 * 31 * 135;

/// Registers that a node can be asked for, by their words.
const REGISTERS: &[(&str, Register)] = &[
    ("voltage_current", Register::VoltageCurrent),
    ("active_power", Register::ActivePower),
    ("apparent_power", Register::ApparentPower),
    ("factor_frequency", Register::FactorFrequency),
    ("consumed", Register::Consumed),
    ("injected", Register::Injected),
    ("distortion", Register::Distortion),
    ("dip", Register::Dip),
    ("profile", Register::Profile),
    ("compact_active_power", Register::CompactActivePower),
];

const WORDS: [&str; REGISTERS.len()] = {
    let mut words = [""; REGISTERS.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = REGISTERS[at].0;
        at += 1;
    }
    words
};

static FIELDS: [Field; 16] = [
    Field::default(
        "poll_every",
        time(1e-3, 86_400.0),
        "\"1 min\"",
        "Time between two polls of all nodes; the first one is this long after the start. One that \
         is due during another begins after it.",
    ),
    Field::default(
        "continuous",
        Kind::Boolean,
        "false",
        "Whether round follows round without a pause, of which only the first of each `poll_every` \
         is reported; to find out how much a bus carries.",
    ),
    Field::default(
        "registers",
        Kind::List(&Kind::Choice(&WORDS)),
        "[]",
        "What nodes are asked for, in this order; empty: all that the firmware measures. A `dip` that \
         was not reported yet makes an alert, `voltage.dip`; an interval of the power `profile` that \
         was not, its mean power and its number in that reading. `compact_active_power` has 4 bytes, \
         the others 8.",
    ),
    Field::default(
        "requests",
        Kind::Choice(&["remote", "data"]),
        "\"remote\"",
        "Whether nodes are asked by remote frames, or by data frames to node 0 with the number of \
         the node that is asked. Those are authenticated like orders.",
    ),
    Field::default(
        "at_once",
        Kind::Integer { min: 1, max: 31 },
        "1",
        "How many nodes are asked before the first has answered; with more than one, answers \
         compete for the bus.",
    ),
    Field::default(
        "poll_overhead",
        time(0.0, 60.0),
        "\"0 s\"",
        "What a poll takes the software before it orders the first thing.",
    ),
    Field::default(
        "request_time",
        time(0.0, 10.0),
        "\"1 ms\"",
        "What a request takes the software until it is in the controller.",
    ),
    Field::default(
        "interrupt_latency",
        time(0.0, 1.0),
        "\"10 us\"",
        "From the end of a frame to the interrupt routine that takes it from the controller.",
    ),
    Field::default(
        "transmit_order",
        Kind::Choice(&["identifier", "request"]),
        "\"request\"",
        "Which of several requests goes into arbitration first: the lowest identifier, or the \
         oldest.",
    ),
    Field::default(
        "patience",
        time(1e-3, 60.0),
        "\"250 ms\"",
        "How long an answer may take from when its request is in the controller.",
    ),
    Field::default(
        "repetitions",
        Kind::Integer { min: 0, max: 10 },
        "2",
        "How often a request without an answer is repeated.",
    ),
    Field::default(
        "unreachable_after",
        Kind::Integer { min: 1, max: 1000 },
        "1",
        "Polls in a row without an answer after which a node is reported as unreachable.",
    ),
    OUTBOX,
    OUTBOX_LIMIT,
    AUTHENTICATION,
    Field::optional(
        "household",
        Kind::Table(&HOUSEHOLD),
        "The household whose energy it manages: bill, loads, pages; left out, it reads only.",
    ),
];

/// The registered model.
pub(super) const CAN_AGGREGATOR: GatewayKind = GatewayKind {
    entry: Entry {
        name: "can-aggregator",
        summary: "data aggregator of a CAN metering network: polls meter nodes by remote frames",
        description: "The master of one or more CAN buses. At each poll it orders all nodes to close \
            a reading, then asks each for its registers by remote frames. A reading has the number \
            that its node gave it, and the instant at which the order was out as its date. It is \
            written durably before it is sent. A node that does not answer is repeated, then \
            reported by an alert, `device.unreachable`, and `device.reachable` later; answers that \
            nobody waits for are counted and noted. Power that a node reports as negative is \
            injected power. With `authentication`, messages that are not genuine or not new are \
            refused, counted by reason and noted; 16 of one identifier in a minute make an alert, \
            `can.authentication`. Counters are kept with the outbox, and keys come from the \
            scenario's random streams. By the compact scheme energies have steps of 100 J. With \
            `household` it decides after each poll which loads are opened and closed, by orders to \
            the switching units of their nodes, makes the bill of the registers at the connection, \
            and serves pages.",
        fields: &FIELDS,
    },
    networks: &["can"],
    files: &[],
    live: |_| None,
    flows: |_, _| Vec::new(),
    devices: |_, _| Vec::new(),
    dispatcher: None,
    build: |values, context, restored, diagnostics| {
        let authentication = Authentication::of(values, diagnostics)?;
        let is_durable = values.text("outbox") == "durable";
        if authentication != Authentication::None && !is_durable {
            let message = "`authentication` with a volatile outbox: counters that are not kept \
                           would be used again after a restart";
            let (span, label) = (values.span_of("outbox"), "keeps no counters");
            diagnostics.report(Code::DOES_NOT_FIT, span, message.to_owned(), label);
            return None;
        }
        let has_two_frames =
            matches!(authentication, Authentication::Paper | Authentication::Strong);
        if has_two_frames && values.text_list("registers").contains(&"compact_active_power") {
            let message = format!(
                "compact registers with the authentication `{authentication}`: their identifiers \
                 are those of its second frames"
            );
            let (span, label) = (values.span_of("registers"), "expected registers of 8 bytes");
            diagnostics.report(Code::DOES_NOT_FIT, span, message, label);
            return None;
        }
        let limit = usize::try_from(values.integer("outbox_limit")).unwrap_or(usize::MAX);
        let mut store = Store::new(context.epoch, is_durable, limit);
        let refused_records = store.restore(restored);
        let settings = settings(values, authentication, context.start);
        let mut masters = Vec::new();
        for (place, network) in context.networks.iter().enumerate() {
            let nodes = nodes(values, authentication, &network.devices, diagnostics)?;
            let kept = authentication::kept(&store, &context.hardware_id, &nodes);
            let guard = Guard::new(guard(authentication, context, network, &nodes), &kept);
            let mut master = Master::new(settings.clone(), guard, nodes);
            let ids = store.parts().get(&unique_ids::part(place));
            master.ids = UniqueIds::kept(ids.map_or(&[], Vec::as_slice));
            masters.push(master);
        }
        let is_compact = settings.freeze.is_compact();
        let household = match values.table_opt("household") {
            None => None,
            Some(table) => {
                let settings = household_settings((values, table), &masters, diagnostics)?;
                let begins = (context.start, is_compact);
                let household = Household::new(context.name, settings, begins, store.parts());
                // One that starts again must not draw the sessions that it has forgotten.
                let name = format!("pages/{}/{}", context.name, context.start);
                Some(household.with_pages(context.streams.stream(&name)))
            }
        };
        let ids = identifiers(GROUPS, true, 1).into_iter();
        Some(Box::new(Aggregator::new(Parts {
            hardware_id: context.hardware_id.clone(),
            start: context.start,
            masters,
            store,
            refused_records,
            unreachable_after: values.integer("unreachable_after"),
            household,
            identifiers: ids.map(|id| (id.row().quantity, id)).collect(),
        })))
    },
};

/// The nodes of a network; `None` if they are none of it, which is then in the diagnostics.
fn nodes(
    values: &Values,
    authentication: Authentication,
    devices: &[(HardwareId, String)],
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::new();
    for (id, address) in devices {
        let (number, scheme) = address.split_once(' ').unwrap_or((address, "none"));
        let number = number.parse().ok()?;
        let unique_id = UniqueId::from_hex(scheme);
        let scheme = if unique_id.is_some() { "none" } else { scheme };
        if scheme != authentication.word() {
            let message = format!(
                "`{id}` has the authentication `{scheme}`, and its gateway `{authentication}`: \
                 neither would accept the other's messages"
            );
            let label = "expected the `authentication` of its devices";
            diagnostics.report(Code::DOES_NOT_FIT, values.span, message, label);
            return None;
        }
        let is_same = |other: &&Node| {
            let ids = unique_id.zip(other.unique_id);
            other.number == number && ids.is_none_or(|(own, other)| own == other)
        };
        if let Some(other) = nodes.iter().find(is_same) {
            let message = format!(
                "`{id}` is node {number}, as is `{}`: two nodes with one identifier garble each \
                 other, unless each has a `unique_id` of its own",
                other.id
            );
            let label = "expected a `node` of its own for each device";
            diagnostics.report(Code::DOES_NOT_FIT, values.span, message, label);
            return None;
        }
        let mut node = Node::new(id.clone(), number);
        node.unique_id = unique_id;
        nodes.push(node);
    }
    Some(nodes)
}

/// What a household is set up with; `None` if it does not fit, which is then in the diagnostics.
fn household_settings(
    (values, table): (&Values, &Values),
    masters: &[Master],
    diagnostics: &mut Diagnostics,
) -> Option<Settings> {
    let nodes = masters.iter().flat_map(|master| &master.nodes);
    let meters: Vec<&str> = nodes.map(|node| node.id.as_str()).collect();
    let settings = Settings::of(table, &meters, diagnostics);
    let asked = values.text_list("registers");
    let left_out = ["active_power", "consumed", "injected"].into_iter();
    let mut left_out = left_out.filter(|word| !asked.is_empty() && !asked.contains(word));
    if let Some(word) = left_out.next() {
        let message = format!("a household without the register `{word}` of its meters");
        let label = "expected `active_power`, `consumed` and `injected` in it";
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of("registers"), message, label);
        return None;
    }
    settings
}

fn guard(
    authentication: Authentication,
    context: &GatewayContext<'_>,
    network: &NetworkContext,
    nodes: &[Node],
) -> GuardParts {
    let key =
        |node: &Node| (node.number, device_key(*context.streams, node.id.as_str(), node.number));
    let order_ns = ORDER_BITS * 1_000_000_000 / i64::from(network.bits_per_second.max(1));
    GuardParts {
        authentication,
        end: End::Master(nodes.iter().map(key).collect()),
        shared: shared_key(*context.streams),
        pair_limit: SimDuration(order_ns).max(SealSettings::default().pair_limit),
    }
}

/// A register in the layout of the compact scheme.
const fn compact(register: Register) -> &'static [Register] {
    match register {
        Register::VoltageCurrent => &[Register::CompactVoltage, Register::CompactCurrent],
        Register::ActivePower | Register::CompactActivePower => &[Register::CompactActivePower],
        Register::ApparentPower => {
            &[Register::CompactApparentPower, Register::CompactNonActivePower]
        }
        Register::FactorFrequency => &[Register::CompactFactor, Register::CompactFrequency],
        Register::Consumed => &[Register::CompactConsumed],
        Register::Injected => &[Register::CompactInjected],
        Register::Distortion => {
            &[Register::CompactVoltageDistortion, Register::CompactCurrentDistortion]
        }
        Register::Dip => &[Register::CompactDipResidual, Register::CompactDipDuration],
        Register::Profile => &[Register::CompactProfile],
        _ => &[],
    }
}

fn settings(values: &Values, authentication: Authentication, start: SimTime) -> PollSettings {
    let asked = values.text_list("registers");
    let register = |word: &&str| REGISTERS.iter().find(|row| row.0 == *word).map(|row| row.1);
    let mut registers: Vec<Register> = asked.iter().filter_map(register).collect();
    if registers.is_empty() {
        registers.extend(READING);
    }
    let mut freeze = Register::Freeze;
    if authentication == Authentication::Compact {
        registers = registers.into_iter().flat_map(compact).copied().collect();
        freeze = Register::CompactFreeze;
    }
    PollSettings {
        start,
        poll_every: values.duration("poll_every"),
        is_continuous: values.boolean("continuous"),
        registers,
        freeze,
        asks_by_data: values.text("requests") == "data",
        is_sealed: authentication != Authentication::None,
        overhead: values.duration("poll_overhead"),
        request: values.duration("request_time"),
        interrupt_latency: values.duration("interrupt_latency"),
        at_once: usize::try_from(values.integer("at_once")).unwrap_or(1),
        patience: values.duration("patience"),
        repetitions: u32::try_from(values.integer("repetitions")).unwrap_or(0),
        order: match values.text("transmit_order") {
            "identifier" => TransmitOrder::ByIdentifier,
            _ => TransmitOrder::ByRequest,
        },
    }
}
