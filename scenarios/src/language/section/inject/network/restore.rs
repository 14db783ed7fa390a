//! `restore`: what was switched off comes back, or a fault is mended.

use lastmeter_grid::motion::Happening;
use lastmeter_grid::transient::Pole;
use lastmeter_params::{Code, Entry, Field, Kind, nearest};

use super::{NetworkInjection, NetworkKind};
use crate::language::section::grid::{FAULT_PREFIX, MotionBuilder};

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
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
    play,
    ..NetworkKind::PLAIN
};

fn play(motion: &mut MotionBuilder<'_, '_>, it: &NetworkInjection<'_>) -> Option<()> {
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
    // The mistakes of the fault itself were told.
    let (id, begins, at) = (*id, (*begins)?, it.at);
    if begins >= at {
        let message = format!("fault `{name}` is mended at {at}, and begins at {begins}");
        let label = "expected a time after that";
        motion.out.report(Code::OVERLAP, it.values.span_of("at"), message, label);
        return None;
    }
    motion.event(at, Happening::Clear { id });
    Some(())
}
