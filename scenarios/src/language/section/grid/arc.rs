//! Arcs of `node-fault` and `line-fault`.

use lastmeter_grid::motion::Resolution;
use lastmeter_grid::transient::{Arc, FaultKind};
use lastmeter_params::{Code, Diagnostics, Values};

use super::inputs::grid_kind_of;
use crate::language::draft::Row;
use crate::language::section::inject::GridInject;

/// The least resistance behind the voltage of a long arc, ohm: what the transients play.
const LONG_OHM_MIN: f64 = 1e-3;

/// A dynamic arc begins with at most this conductance, siemens.
const SIEMENS_MAX: f64 = 100.0;

/// The arc of a fault, if it has one; `Err` after a mistake, which is reported.
pub(super) fn arc(
    values: &Values,
    kind: FaultKind,
    resolution: Resolution,
    out: &mut Diagnostics,
) -> Result<Option<Arc>, ()> {
    let mut refuse = |key: &str, code, message: String, label: &str| {
        out.report(code, values.span_of(key), message, label);
        Err(())
    };
    let Some(voltage_v) = values.si_opt("arc_voltage") else {
        for key in ["arc_voltage_negative", "arc_time_constant"] {
            if values.si_opt(key).is_some() {
                let message = format!("`{key}` of a fault without an arc");
                return refuse(key, Code::DOES_NOT_FIT, message, "expected `arc_voltage` too");
            }
        }
        return Ok(None);
    };
    let of = "arc_voltage";
    if resolution == Resolution::Phasors {
        let message = "the current of an arc is no sine, and has no phasors".to_owned();
        let label = "expected `resolution = \"waveforms\"` under `[grid]`";
        return refuse(of, Code::DOES_NOT_FIT, message, label);
    }
    if let FaultKind::Between(wires) = kind
        && wires.len() != 2
    {
        let message = "an arc between three conductors".to_owned();
        let label = "expected two of them, or an arc of each to earth";
        return refuse(of, Code::DOES_NOT_FIT, message, label);
    }
    let resistance_ohm = values.si("resistance");
    if let Some(time_constant_s) = values.si_opt("arc_time_constant") {
        let negative = "arc_voltage_negative";
        if values.si_opt(negative).is_some() {
            let message = "an arc with a time constant has one voltage for both halves".to_owned();
            let label = "leave it, or `arc_time_constant`, out";
            return refuse(negative, Code::DOES_NOT_FIT, message, label);
        }
        let initial_siemens = (1.0 / resistance_ohm).min(SIEMENS_MAX);
        let arc = Arc::Dynamic { voltage_v, resistance_ohm, time_constant_s, initial_siemens };
        return Ok(Some(arc));
    }
    if resistance_ohm < LONG_OHM_MIN {
        let message = format!("an arc behind a resistance of {resistance_ohm} ohm");
        let label = "expected a `resistance` of 0.001 ohm or more with it";
        return refuse(of, Code::OUT_OF_RANGE, message, label);
    }
    let negative_v = values.si_opt("arc_voltage_negative").unwrap_or(voltage_v);
    Ok(Some(Arc::Long { positive_v: voltage_v, negative_v, resistance_ohm }))
}

/// Reports arcs that nothing can end: their waves would go on until the end of the scenario.
pub(super) fn arcs_end(
    rows: &[Row<'_>],
    faults: &[(u32, String, Option<lastmeter_units::SimDuration>)],
    (has_protection, frequency_hz): (bool, f64),
    out: &mut Diagnostics,
) {
    let kinds = || rows.iter().filter_map(|row| Some((grid_kind_of(row)?, row)));
    let opens = |(kind, _): (GridInject, _)| {
        use GridInject::{Breaker, Fuse, OpenConductor, Outage};
        matches!(kind, Breaker | Fuse | OpenConductor | Outage)
    };
    if has_protection || kinds().any(opens) {
        return;
    }
    let mended: Vec<&str> = kinds()
        .filter(|(kind, _)| *kind == GridInject::Restore)
        .filter_map(|(_, row)| row.text("into")?.0.strip_prefix("fault:"))
        .collect();
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
