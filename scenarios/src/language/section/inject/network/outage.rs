//! `outage`: something is switched off.

use lastmeter_params::{Entry, Field, Kind};

use super::opened::open;
use super::{FOR, NetworkKind};

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "outage",
        summary: "something of the network is switched off",
        description: "A switch, a line, a transformer, a load or a source is cut off in all \
            phases: a planned outage, or one that nobody explains. Whatever is fed through it \
            alone is dark; what is due of a meter there that lives on its supply (`hold_up`) is no \
            loss.",
        fields: &[
            Field::required(
                "into",
                Kind::Text,
                "`switch:NAME`, `line:NAME`, `transformer:NAME`, `load:NAME` or `source:NAME`",
            ),
            FOR,
            Field::default(
                "planned",
                Kind::Boolean,
                "false",
                "whether it was announced to customers: what begins by that alone is a planned \
                 interruption, which checks `unserved` may leave out (IEEE 1366)",
            ),
        ],
    },
    opens: true,
    play: |motion, it| {
        let switch = motion.switch_of(it.into())?;
        open(motion, switch, it)?;
        if it.values.boolean("planned") {
            motion.setup.planned.push((it.at, switch));
        }
        Some(())
    },
    ..NetworkKind::PLAIN
};
