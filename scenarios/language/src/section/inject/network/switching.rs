//! What is opened and closed: breakers, conductors, fuses, outages, and what ends them.

use lastmeter_grid::motion::NetworkAction;
use lastmeter_grid::transient::Pole;
use lastmeter_params::{Code, Entry, Field, Kind, Values, nearest};
use lastmeter_sim::grid::{BreakerAt, GridInput};

use super::{ALL_PHASES, BROKEN, FOR, NetworkInjection, NetworkKind, refuse_target};
use crate::section::grid::{FAULT_PREFIX, MotionBuilder, poles};

/// What the name of a breaker begins with.
const BREAKER_PREFIX: &str = "breaker:";

/// The position that interrupts currents.
const OPEN: &str = "open";

pub(super) static BREAKER: NetworkKind = NetworkKind {
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
        let Some(name) = into.strip_prefix(BREAKER_PREFIX) else {
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

pub(super) static OPEN_CONDUCTOR: NetworkKind = NetworkKind {
    entry: Entry {
        name: "open-conductor",
        summary: "conductors of a line or a switch are broken",
        description: "Each at the zero of its current; what is behind them keeps what it gets by \
            the others. With `phases = \"n\"` the neutral is lost: behind it the star of the loads \
            has the potential that their impedances give it, so phases with little load rise and \
            those with much fall; of a transformer it is lost between the neutral point and the \
            neutral wire that begins there. As long as it is lost each load is the impedance that it would \
            be in the step with a neutral.",
        fields: &[
            Field::required(
                "into",
                Kind::Text,
                "`line:NAME` or `switch:NAME`; of a neutral `transformer:NAME` too",
            ),
            BROKEN,
            FOR,
        ],
    },
    opens: true,
    play: |motion, it| open(motion, it).map(drop),
    ..NetworkKind::PLAIN
};

pub(super) static FUSE: NetworkKind = NetworkKind {
    entry: Entry {
        name: "fuse",
        summary: "fuses of a switch are gone, whatever flows",
        description: "As if somebody had taken them out: the poles open at the zeros of their \
            currents. `restore` puts new ones in.",
        fields: &[
            Field::required(
                "into",
                Kind::Text,
                "`switch:NAME`, with a `[[grid.protection]]` of kind `fuse-link` there",
            ),
            ALL_PHASES,
        ],
    },
    opens: true,
    play: |motion, it| {
        let switch = motion.switch_of(it.into())?;
        has_fuse(motion, switch, it)?;
        open(motion, it).map(drop)
    },
    ..NetworkKind::PLAIN
};

fn has_fuse(
    motion: &mut MotionBuilder<'_, '_>,
    switch: usize,
    it: &NetworkInjection<'_>,
) -> Option<()> {
    let all = motion.setup.protectors.iter();
    let fuses: Vec<_> = all.filter(|it| it.device.is_fuse()).collect();
    if fuses.iter().any(|it| it.switch == switch) {
        return Some(());
    }
    let (into, span) = it.into();
    let message = format!("there is no fuse at `{into}`");
    let names: Vec<&str> = fuses.iter().map(|it| &*it.name).collect();
    let label = if names.is_empty() {
        "expected a `[[grid.protection]]` of kind `fuse-link` there".to_owned()
    } else {
        format!("expected where one is: {}", names.join(", "))
    };
    motion.out.report(Code::DOES_NOT_FIT, span, message, label);
    None
}

pub(super) static OUTAGE: NetworkKind = NetworkKind {
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
                 interruption, which checks `reliability` may leave out (IEEE 1366)",
            ),
        ],
    },
    opens: true,
    play: |motion, it| {
        let switch = open(motion, it)?;
        if it.values.boolean("planned") {
            motion.setup.planned.push((it.at, switch));
        }
        Some(())
    },
    ..NetworkKind::PLAIN
};

pub(super) static RESTORE: NetworkKind = NetworkKind {
    entry: Entry {
        name: "restore",
        summary: "what was switched off comes back, or a fault is mended",
        description: "Closes what an `outage`, an `open-conductor`, a fuse or a breaker has \
            opened; a protective device begins again, and fuses are replaced. `fault:NAME` mends \
            the fault of an injection with that name: do that first.",
        fields: &[Field::required(
            "into",
            Kind::Text,
            "`switch:NAME`, `line:NAME`, `transformer:NAME`, `load:NAME`, `source:NAME` or \
             `fault:NAME`",
        )],
    },
    play: restore,
    ..NetworkKind::PLAIN
};

fn restore(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
    let Some(name) = it.into().0.strip_prefix(FAULT_PREFIX) else {
        let switch = motion.switch_of(it.into())?;
        motion.switch((it.at, None), (switch, Pole::All, true), it.values);
        return Some(());
    };
    let Some((id, _, begins)) = motion.faults.iter().find(|(_, own, _)| own == name) else {
        let names = motion.faults.iter().map(|(_, name, _)| name.as_str());
        let near = nearest(name, names).map(|near| format!("did you mean `fault:{near}`?"));
        let message = format!("no injection is a fault `{name}`");
        let label = "expected the `name` of a fault";
        motion.out.report_with_help(Code::BAD_NAME, it.into().1, message, label, near);
        return None;
    };
    // The mistakes of the fault itself were reported.
    let (id, begins, at) = (*id, (*begins)?, it.at);
    if begins >= at {
        let message = format!("fault `{name}` is mended at {at}, and begins at {begins}");
        let label = "expected a time after that";
        motion.out.report(Code::OVERLAP, it.values.span_of("at"), message, label);
        return None;
    }
    motion.event(at, NetworkAction::Clear { id });
    Some(())
}

/// Opens the switch of an element in the phases that are written, or in all, perhaps for a while.
fn open(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<usize> {
    let values = it.values;
    let phases = values.text_opt("phases").unwrap_or("abc");
    let (into, span) = it.into();
    let switch = match into.strip_prefix("transformer:").filter(|_| phases == "n") {
        Some(name) => motion.star_point_of(name, span)?,
        None => motion.switch_of((into, span))?,
    };
    let Some(poles) = poles(motion.network, switch, phases) else {
        let message = format!("`{}` does not have all of the phases {phases}", it.into().0);
        let span = values.span_of("phases");
        motion.out.report(Code::DOES_NOT_FIT, span, message, "expected those that it has");
        return None;
    };
    for pole in poles {
        let until = values.duration_opt("for").map(|length| it.at + length);
        motion.switch((it.at, until), (switch, pole, false), values);
    }
    Some(switch)
}
