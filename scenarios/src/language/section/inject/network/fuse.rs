//! `fuse`: fuses are gone, whatever flows.

use lastmeter_params::{Code, Entry, Field, Kind};

use super::opened::open;
use super::{ALL_PHASES, NetworkInjection, NetworkKind};
use crate::language::section::grid::MotionBuilder;

/// The registered kind.
pub(in super::super) static KIND: NetworkKind = NetworkKind {
    entry: Entry {
        name: "fuse",
        summary: "fuses of a switch are gone, whatever flows",
        description: "As if somebody had taken them out: the poles open at the zeros of their \
            currents. `restore` puts new ones in.",
        fields: &[Field::required("into", Kind::Text, "`switch:NAME`"), ALL_PHASES],
    },
    opens: true,
    play: |motion, it| {
        let switch = motion.switch_of(it.into())?;
        has_fuse(motion, switch, it)?;
        open(motion, switch, it)
    },
    ..NetworkKind::PLAIN
};

/// Whether there is a fuse in a switch.
fn has_fuse(
    motion: &mut MotionBuilder<'_, '_>,
    switch: usize,
    it: &NetworkInjection<'_>,
) -> Option<()> {
    let all = &motion.setup.protectors;
    let mut fuses = all.iter().filter(|it| it.device.is_fuse());
    if fuses.clone().any(|it| it.switch == switch) {
        return Some(());
    }
    let (into, span) = it.into();
    let message = format!("there is no fuse at `{into}`");
    let label = match fuses.next() {
        None => "expected a `[[grid.protection]]` of kind `fuse-link` there".to_owned(),
        Some(first) => {
            let rest = fuses.map(|it| it.name.to_string());
            let names: Vec<String> = std::iter::once(first.name.to_string()).chain(rest).collect();
            format!("expected where one is: {}", names.join(", "))
        }
    };
    motion.out.report(Code::DOES_NOT_FIT, span, message, label);
    None
}
