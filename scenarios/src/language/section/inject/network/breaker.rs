//! `breaker`: a breaker opens or closes.

use lastmeter_grid::transient::Pole;
use lastmeter_params::{Entry, Field, Kind, Values};
use lastmeter_sim::grid::{BreakerAt, GridInput};

use super::{NetworkKind, refuse_target};

/// What the name of a breaker begins with.
const PREFIX: &str = "breaker:";

/// The position that interrupts currents.
const OPEN: &str = "open";

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "breaker",
        summary: "a breaker of the network opens or closes",
        description: "A switch of the network of `[grid]`, or a line at both of its ends. It holds \
            from the first step of `[grid]` that begins at `at` or after it, until another \
            injection about the same breaker. Meters of what is de-energised see no voltage, loads \
            there draw nothing.",
        fields: &[
            Field::required(
                "into",
                Kind::Text,
                "`breaker:NAME`, a switch of the network or a line",
            ),
            Field::required("state", Kind::Choice(&[OPEN, "closed"]), "its position from then on"),
        ],
    },
    opens: true,
    step: Some(|values, elements, out| {
        let (into, span) = (values.text("into"), values.span_of("into"));
        let Some(name) = into.strip_prefix(PREFIX) else {
            return refuse_target((into, span), "`breaker:NAME`", out);
        };
        elements.breakers.find(name, span, out)?;
        let at = BreakerAt::named(elements.network, name)?;
        Some(GridInput::Breaker { at, is_closed: is_closed(values) })
    }),
    play: |motion, it| {
        let switch = motion.switch_of(it.into())?;
        motion.switch((it.at, None), (switch, Pole::All, is_closed(it.values)), it.values);
        Some(())
    },
    ..NetworkKind::PLAIN
};

fn is_closed(values: &Values) -> bool {
    values.text("state") != OPEN
}
