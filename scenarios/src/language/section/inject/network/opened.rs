//! What is opened, perhaps for a while.

use lastmeter_params::Code;

use super::NetworkInjection;
use crate::language::section::grid::{MotionBuilder, poles};

/// Opens a switch in the phases that are written, or in all; what has no such is reported.
pub(super) fn open(
    motion: &mut MotionBuilder<'_, '_>,
    switch: usize,
    it: &NetworkInjection<'_>,
) -> Option<()> {
    let values = it.values;
    let phases = values.text_opt("phases").unwrap_or("abc");
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
    Some(())
}
