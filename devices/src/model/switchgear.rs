//! A switch and a recloser of the network, which are ordered over the platform.

use lastmeter_params::{Dimension, Entry, Field};

use super::fields::between;
use super::kind::{DeviceKind, Fits};
use super::pipe::that_report;
use crate::outlet::reporter::Reporter;
use crate::switchgear::Switchgear;

static FIELDS: [Field; 3] = that_report([Field::default(
    "answer_after",
    between(Dimension::Time, 0.02, 60.0),
    "\"200 ms\"",
    "From an order until it is answered by what is read back of the contact then: longer than the \
     contact takes to move.",
)]);

/// A switch of any kind.
pub(crate) const SWITCH: DeviceKind = DeviceKind {
    fits: Fits::Switch,
    entry: Entry {
        name: "switch",
        summary: "a switch or breaker of the network that `setBreaker` opens and closes",
        description: "The drive of a switch of the network (`at = \"switch:NAME\"`), which has to \
            be in motion (`resolution` of `[grid]`). It obeys `setBreaker`: the contact moves in \
            the network that is played, with all that follows from it. Readings have \
            `x.electricity.breaker.closed` as it is read back, 1 where all poles are closed. A \
            command is answered `answer_after` it by what stands then, with an error where that \
            is not what was ordered. What moves the switch without an order, such as a relay or a \
            crew, is an alert: `switch.opened`, `switch.closed`.",
        fields: &FIELDS,
    },
    build: |values, context, _| {
        let outlet = Reporter::uplink(context, values.boolean("obey_commands"));
        let (every, after) = (values.duration("report_every"), values.duration("answer_after"));
        Some(Box::new(Switchgear::new(outlet, every, after)))
    },
    ..DeviceKind::PLAIN
};

/// A switch with a recloser in it.
pub(crate) const RECLOSER: DeviceKind = DeviceKind {
    entry: Entry {
        name: "recloser",
        summary: "a recloser of the network: trips by itself, and `setBreaker` opens and closes it",
        description: "A `switch` with a recloser in it (`[[grid.protection]]` of that kind at the \
            same switch), which trips, recloses and locks out by its own settings. Each of these \
            is an alert: `switch.opened`, `switch.closed` and, at level Warning, \
            `switch.locked_out`. `setBreaker` with `open` ends its sequence: what it has opened it \
            does not close again; `closed` makes it begin afresh.",
        fields: &FIELDS,
    },
    ..SWITCH
};
