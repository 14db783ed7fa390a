//! `node-fault`: conductors at a node are shorted.

use lastmeter_grid::network::NodeId;
use lastmeter_params::{Entry, Field, Kind};

use super::fault::{
    ANGLE, ARC_TIME_CONSTANT, ARC_VOLTAGE, ARC_VOLTAGE_NEGATIVE, EARTH, EXTINGUISHES, FAULT_FOR,
    RESISTANCE, fault,
};
use super::{NetworkKind, PHASES, refuse_kind};
use crate::language::section::grid::find;

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "node-fault",
        summary: "conductors at a node of the network are shorted",
        description: "To earth, or with each other. Needs `resolution` of `[grid]` other than \
            `steps`. Fuses and relays of `[[grid.protection]]` see its currents; what they do is \
            in the record as `operated`.",
        fields: &[
            Field::required("into", Kind::Text, "`node:NAME`"),
            PHASES,
            EARTH,
            RESISTANCE,
            ANGLE,
            FAULT_FOR,
            EXTINGUISHES,
            ARC_VOLTAGE,
            ARC_VOLTAGE_NEGATIVE,
            ARC_TIME_CONSTANT,
        ],
    },
    is_fault: true,
    play: |motion, it| {
        let Some(name) = it.into().0.strip_prefix("node:") else {
            return refuse_kind(it.into(), ("node", "expected `node:NAME`"), motion.out);
        };
        let names = motion.network.nodes.iter().map(|it| &*it.name);
        let node = find(names, ("node", name), it.into().1, motion.out)?;
        fault(motion, NodeId(u32::try_from(node).ok()?), it)
    },
    ..NetworkKind::PLAIN
};
