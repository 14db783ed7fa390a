//! Arcs of faults that nothing ends.

use lastmeter_params::{Code, Diagnostics};
use lastmeter_units::SimDuration;

use super::inputs::{FAULT_PREFIX, network_kind_of};
use crate::language::draft::Row;

/// Reports arcs that nothing can end: their waves would go on until the end of the scenario.
pub(super) fn arcs_end(
    rows: &[Row<'_>],
    faults: &[(u32, String, Option<SimDuration>)],
    (has_protection, frequency_hz): (bool, f64),
    out: &mut Diagnostics,
) {
    let opens = |row: &Row<'_>| network_kind_of(row).is_some_and(|kind| kind.opens);
    if has_protection || rows.iter().any(opens) {
        return;
    }
    let into = rows.iter().filter_map(|row| row.text("into"));
    let mended: Vec<&str> = into.filter_map(|(into, _)| into.strip_prefix(FAULT_PREFIX)).collect();
    for (number, name, _) in faults {
        let row = usize::try_from(*number).ok().and_then(|number| rows.get(number));
        let Some(values) = row.and_then(|row| row.values.as_ref()) else { continue };
        if values.si_opt("arc_voltage").is_none() || mended.contains(&name.as_str()) {
            continue;
        }
        let goes_out = values.si_opt("extinguishes").is_some_and(|it| it < 0.5 / frequency_hz);
        if values.duration_opt("for").is_some() || goes_out {
            continue;
        }
        let message = format!("nothing can end the arc of `fault:{name}`");
        let label = "its waveforms would go on until the end of the scenario";
        let help = "give it a `for`, mend it by `restore`, or protect the network: \
                    `[[grid.protection]]`"
            .to_owned();
        let span = values.span_of("arc_voltage");
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    }
}
