//! What was measured, as a table for people.

use std::fmt::Write as _;
use std::path::Path;

use lastmeter_metrology::{Analysis, PhaseAnalysis, PhaseValues, PowerTheory};

/// Name in CSV, name and unit in the table, value.
pub(super) type Column = (&'static str, &'static str, fn(&PhaseValues) -> Option<f64>);

pub(super) const COLUMNS: [Column; 13] = [
    ("u_rms_v", "U / V", |v| v.u_rms_v),
    ("i_rms_a", "I / A", |v| v.i_rms_a),
    ("p_w", "P / W", |v| v.p_w),
    ("q1_var", "Q1 / var", |v| v.q1_var),
    ("s_va", "S / VA", |v| v.s_va),
    ("n_var", "N / var", |v| v.n_var),
    ("pf", "PF", |v| v.pf),
    ("thd_u_pct", "THD U, sub-groups / %", |v| v.thd_u_pct),
    ("thd_i_pct", "THD I, sub-groups / %", |v| v.thd_i_pct),
    ("thd_u_harm_pct", "THD U, harmonics / %", |v| v.thd_u_harm_pct),
    ("thd_i_harm_pct", "THD I, harmonics / %", |v| v.thd_i_harm_pct),
    ("q_budeanu_var", "Q, Budeanu / var", |v| v.q_budeanu_var),
    ("displacement_pf", "displacement PF", |v| v.displacement_pf),
];

pub(super) fn as_table(analysis: &Analysis, file: &Path) -> String {
    let mut text = format!(
        "{}\n{} samples/s, {} s, {}, {:.4} Hz\n\n",
        file.display(),
        analysis.rate_hz,
        analysis.duration_s,
        analysis.basis,
        analysis.frequency_hz
    );
    let phases = &analysis.phases;
    let total = &analysis.total;
    let _ = write!(text, "{:24}", "");
    for phase in phases {
        let _ = write!(text, "{:>14}", phase.values.name);
    }
    let _ = writeln!(text, "{:>14}", "total");
    for (name, label, value) in &COLUMNS {
        let total = match *name {
            "p_w" => total.p_w,
            "q1_var" => total.q1_var,
            "s_va" => total.s_va,
            _ => None,
        };
        row(&mut text, label, phases, total, |phase| value(&phase.values));
    }
    let theory = |of: fn(&PowerTheory) -> f64| move |p: &PhaseAnalysis| p.ieee1459.as_ref().map(of);
    if phases.iter().any(|phase| phase.ieee1459.is_some()) {
        row(&mut text, "S1 / VA", phases, None, theory(|t| t.s1_va));
        row(&mut text, "P1 / W", phases, None, theory(|t| t.p1_w));
        row(&mut text, "SN / VA", phases, None, theory(|t| t.sn_va));
        row(&mut text, "DI / var", phases, None, theory(|t| t.di_var));
        row(&mut text, "DV / var", phases, None, theory(|t| t.dv_var));
        row(&mut text, "SH / VA", phases, None, theory(|t| t.sh_va));
        row(&mut text, "DH / var", phases, None, theory(|t| t.dh_var));
    }
    interharmonic_rows(&mut text, phases);
    if let Some(effective) = &total.ieee1459 {
        let _ = writeln!(
            text,
            "{:24}{:>14}   Se1 {}   SeN {}   PF {}",
            "Se, IEEE 1459 / VA",
            shown(Some(effective.se_va)),
            shown(Some(effective.se1_va)),
            shown(Some(effective.sen_va)),
            shown(effective.pf)
        );
    }
    system_rows(&mut text, analysis);
    event_rows(&mut text, analysis);
    weekly_rows(&mut text, analysis);
    for note in &analysis.notes {
        let _ = write!(text, "\nnote: {note}");
    }
    text
}

/// What lies between the orders, all of it together.
fn interharmonic_rows(text: &mut String, phases: &[PhaseAnalysis]) {
    for (label, is_voltage) in [("interharmonics U / V", true), ("interharmonics I / A", false)] {
        let together = |phase: &PhaseAnalysis| {
            let list = if is_voltage { &phase.interharmonics_u } else { &phase.interharmonics_i };
            let list = list.as_ref().filter(|list| !list.is_empty())?;
            Some(list.iter().map(|rms| rms * rms).sum::<f64>().sqrt())
        };
        if phases.iter().any(|phase| together(phase).is_some()) {
            row(text, label, phases, None, together);
        }
    }
}

/// One quantity of every phase.
fn row(
    text: &mut String,
    label: &str,
    phases: &[PhaseAnalysis],
    total: Option<f64>,
    value: impl Fn(&PhaseAnalysis) -> Option<f64>,
) {
    let _ = write!(text, "{label:24}");
    for phase in phases {
        let _ = write!(text, "{:>14}", shown(value(phase)));
    }
    let _ = writeln!(text, "{:>14}", total.map_or_else(String::new, |value| shown(Some(value))));
}

/// What the system has in common: unbalance, energy, flicker.
fn system_rows(text: &mut String, analysis: &Analysis) {
    let unbalance = &analysis.unbalance;
    for (label, negative, zero) in [
        ("u2, u0 / %", unbalance.u2_pct, unbalance.u0_pct),
        ("i2, i0 / %", unbalance.i2_pct, unbalance.i0_pct),
    ] {
        if negative.is_some() || zero.is_some() {
            let _ = writeln!(text, "{label:24}{:>14}{:>14}", shown(negative), shown(zero));
        }
    }
    if let Some(energy) = &analysis.energy {
        let _ = writeln!(
            text,
            "{:24}{:>14}{:>14}",
            "energy in, out / Wh",
            shown(Some(energy.active_import_wh)),
            shown(Some(energy.active_export_wh))
        );
    }
    for phase in &analysis.phases {
        let Some(flicker) = &phase.flicker else { continue };
        let worst = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::max);
        let _ = writeln!(
            text,
            "{:24}{:>14}{:>14}   over {} and {} values",
            format!("Pst, Plt, worst of {}", phase.values.name),
            shown(worst(&mut flicker.pst.iter().map(|value| value.pst))),
            shown(worst(&mut flicker.plt.iter().map(|value| value.plt))),
            flicker.pst.len(),
            flicker.plt.len()
        );
    }
}

/// Events of voltages and currents, one line each.
fn event_rows(text: &mut String, analysis: &Analysis) {
    let voltage = analysis.events.iter().chain(&analysis.system_events).flatten();
    for event in voltage {
        let _ = writeln!(
            text,
            "{:24}{} at {:.6} s for {:.6} s: {} V, {:.3} %{}",
            "event",
            format_args!("{} of {}", event.kind, event.phase),
            event.start_s,
            event.duration_s,
            shown(Some(event.residual_v)),
            event.residual_pct,
            if event.complete { "" } else { " (goes beyond the recording)" }
        );
    }
    for change in analysis.rapid_changes.iter().flatten() {
        let _ = writeln!(
            text,
            "{:24}rapid change of {} at {:.6} s for {:.6} s: {} V, {} V in the end",
            "event",
            change.phase,
            change.start_s,
            change.duration_s,
            shown(Some(change.largest_v)),
            shown(Some(change.steady_v))
        );
    }
    for event in &analysis.current_events {
        let _ = writeln!(
            text,
            "{:24}current of {} goes away at {:.6} s, sample {}: {} A, then {} A",
            "event",
            event.phase,
            event.start_s,
            event.start_sample,
            shown(Some(event.before_a)),
            shown(Some(event.left_a))
        );
    }
}

/// The weekly verdict, one line per limit and phase.
fn weekly_rows(text: &mut String, analysis: &Analysis) {
    for row in analysis.en50160.iter().flatten() {
        let verdict = serde_json::to_value(row.verdict).unwrap_or_default();
        let quantity = serde_json::to_value(row.quantity).unwrap_or_default();
        let _ = writeln!(
            text,
            "week {} {:24}{:>4} {}..{} for {} %: {} ({} of {} beyond, {} left out, {} missing)",
            row.week + 1,
            quantity.to_string().trim_matches(['"', '{', '}']).replace('"', ""),
            row.phase.as_deref().unwrap_or(""),
            row.low,
            row.high,
            row.share_pct,
            verdict.as_str().unwrap_or_default(),
            row.beyond,
            row.judged,
            row.excluded,
            row.missing
        );
    }
}

/// Seven digits are more than any recording holds.
fn shown(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let magnitude = value.abs();
    let decimals = if magnitude >= 1e5 {
        1
    } else if magnitude >= 1e3 {
        3
    } else if magnitude >= 10.0 {
        4
    } else {
        6
    };
    format!("{value:.decimals$}")
}
