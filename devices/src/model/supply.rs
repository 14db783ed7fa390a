//! The supply of a meter and the voltage events it reports, out of its fields.

use lastmeter_metrology::events::EventConfig;
use lastmeter_params::{Code, Diagnostics, Values};

use crate::border::{SupplyFacts, VoltageEventKind};
use crate::context::DeviceContext;
use crate::gaussian::Gaussian;
use crate::outlet::Outlet;
use crate::supply::{LastGasp, MessageLoss, Supply};
use crate::voltage_events::VoltageEvents;

/// What makes sense with `hold_up` only.
const OF_SUPPLY: [&str; 7] = [
    "boot",
    "supply_minimum",
    "last_gasp",
    "power_up",
    "last_gasp_lost",
    "power_up_lost",
    "last_gasp_below",
];

/// What makes sense with `events` only.
const OF_EVENTS: [&str; 4] =
    ["dip_threshold", "swell_threshold", "interruption_threshold", "event_hysteresis"];

pub(super) fn check(values: &Values, outlet: &dyn Outlet, diagnostics: &mut Diagnostics) {
    let mut refuse = |field: &str, message: String, label: &str| {
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of(field), message, label);
    };
    let is_self_supplied = values.duration_opt("hold_up").is_none();
    let events = values.text_list("events");
    for (owner, fields, is_absent) in [
        ("hold_up", &OF_SUPPLY[..], is_self_supplied),
        ("events", &OF_EVENTS[..], events.is_empty()),
    ] {
        let idle = |field: &&str| values.is_written(field) && !values.is_default(field);
        for field in fields.iter().filter(|field| is_absent && idle(field)) {
            let message = format!("`{field}` has no effect without `{owner}`");
            refuse(field, message, &format!("expected `{owner}` with it"));
        }
        let is_dips = owner == "events" && events.iter().all(|it| *it == "dip");
        let is_kept = is_dips && outlet.keeps_dips();
        if !is_absent && !outlet.sends_alerts() && !is_kept {
            let message = "a meter on a field network sends no alerts".to_owned();
            refuse(owner, message, "expected a meter that reports to the platform itself");
        }
    }
    if values.si("last_gasp_lost") > 0.0 && !values.boolean("last_gasp") {
        let message = "loss of the last gasp needs a last gasp".to_owned();
        refuse("last_gasp_lost", message, "expected `last_gasp = true` with it");
    }
    if values.si("power_up_lost") > 0.0 && !values.boolean("power_up") {
        let message = "loss of the power-up message needs a power-up message".to_owned();
        refuse("power_up_lost", message, "expected `power_up = true` with it");
    }
    if let Some(below) = values.si_opt("last_gasp_below") {
        if !values.boolean("last_gasp") {
            let message = "a threshold of the last gasp needs a last gasp".to_owned();
            refuse("last_gasp_below", message, "expected `last_gasp = true` with it");
        } else if below < values.si("supply_minimum") {
            let message = "the meter would be without a supply before it notices".to_owned();
            refuse("last_gasp_below", message, "expected `supply_minimum` or more");
        }
    }
    if events.is_empty() {
        return;
    }
    if values.text("fidelity") == "windows" {
        let message = "windows in closed form have no half-cycle values".to_owned();
        refuse("events", message, "expected `fidelity = \"samples\"` with it");
    }
    if let Some(twice) = events.iter().enumerate().find(|(n, it)| events[..*n].contains(it)) {
        refuse("events", format!("`{}` is there twice", twice.1), "expected once");
    }
    // An event ends beyond its threshold by the hysteresis (IEC 61000-4-30, 5.4 and 5.5): where
    // these bands overlap, one voltage would end an event and go on with it.
    let [dip, swell, interruption, hysteresis] = OF_EVENTS.map(|field| values.si(field));
    if interruption + hysteresis > dip {
        let message = format!(
            "an interruption would end at {:.4} % of the nominal voltage, above the dip at {:.4} %",
            100.0 * (interruption + hysteresis),
            100.0 * dip
        );
        refuse("interruption_threshold", message, "expected less than `dip_threshold`");
    }
    if dip + hysteresis >= swell - hysteresis {
        let message = format!(
            "a dip would end at {:.4} % of the nominal voltage, a swell at {:.4} %",
            100.0 * (dip + hysteresis),
            100.0 * (swell - hysteresis)
        );
        refuse("event_hysteresis", message, "expected dips to end below where swells end");
    }
}

/// The nominal voltage of a phase in V, primary.
fn nominal_v(values: &Values) -> f64 {
    values.si("nominal_voltage") * values.si("voltage_ratio")
}

/// How it lives on the voltage it measures, if it does.
pub(super) fn supply(
    values: &Values,
    context: &DeviceContext<'_>,
    phases: usize,
) -> Option<Supply> {
    let facts = SupplyFacts {
        hold_up: values.duration_opt("hold_up")?,
        boot: values.duration("boot"),
        minimum_v: values.si("supply_minimum") * nominal_v(values),
        gasps: values.boolean("last_gasp"),
        reports: values.boolean("power_up"),
    };
    let loss = |message: &str| MessageLoss {
        chance: values.si(&format!("{message}_lost")),
        draws: Gaussian::new(context.streams.stream(&format!("device/{}/{message}", context.name))),
    };
    let gasp = LastGasp {
        below_v: values.si_opt("last_gasp_below").unwrap_or(0.0) * nominal_v(values),
        loss: loss("last_gasp"),
    };
    Some(Supply::new(facts, phases, gasp, loss("power_up")))
}

pub(super) fn events(values: &Values, phases: usize) -> Option<VoltageEvents> {
    let words = values.text_list("events");
    let kinds: Vec<_> = words.into_iter().filter_map(VoltageEventKind::from_word).collect();
    if kinds.is_empty() {
        return None;
    }
    let config = EventConfig {
        dip: values.si("dip_threshold"),
        swell: values.si("swell_threshold"),
        interruption: values.si("interruption_threshold"),
        hysteresis: values.si("event_hysteresis"),
        ..EventConfig::new(phases, nominal_v(values))
    };
    Some(VoltageEvents::new(config, kinds, values.si("sample_rate")))
}
