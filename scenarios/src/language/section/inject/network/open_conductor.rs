//! `open-conductor`: conductors are broken.

use lastmeter_params::{Entry, Field, Kind};

use super::opened::open;
use super::{FOR, NetworkKind, PHASES};

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "open-conductor",
        summary: "conductors of a line or a switch are broken",
        description: "Each at the zero of its current; what is behind them keeps what it gets by \
            the others.",
        fields: &[Field::required("into", Kind::Text, "`line:NAME` or `switch:NAME`"), PHASES, FOR],
    },
    opens: true,
    play: |motion, it| {
        let switch = motion.switch_of(it.into())?;
        open(motion, switch, it)
    },
    ..NetworkKind::PLAIN
};
