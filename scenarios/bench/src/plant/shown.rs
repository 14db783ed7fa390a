//! What only a solution shows: mistakes and oddities of a scenario whose network is played.

use std::sync::Arc;

use lastmeter_language::{Scenario, Source, report_idle_defects, warn_off_rated_voltage};
use lastmeter_params::{Code, Diagnostics, Value, Values};
use lastmeter_sim::Terminal;
use lastmeter_sim::grid::SolvedNetwork;

/// Defects that change nothing, and operations of elements that never do anything.
pub(super) fn of_network(scenario: &Scenario, feeder: &SolvedNetwork, out: &mut Diagnostics) {
    let defects = scenario.written.all("grid.defect");
    let defects: Vec<&Values> = defects.map(|values| &**values).collect();
    report_idle_defects(&defects, feeder, out);
    let devices = feeder.protectors().iter().map(|it| it.name.to_string());
    let done = feeder.operations().iter().map(|it| it.element.to_string());
    let switches = feeder.network().switches.iter().map(|it| format!("switch:{}", it.name));
    let elements: Vec<String> = devices.chain(done).chain(switches).collect();
    for check in &scenario.checks {
        (check.kind.elements)(&check.values, &elements, out);
    }
}

/// Gives the sources of the network their terminals, where something is connected to them: its
/// feeding points, then its loads.
pub(super) fn give_terminals(
    scenario: &mut Scenario,
    feeder: &SolvedNetwork,
    out: &mut Diagnostics,
) {
    let (sources, loads) = (feeder.network().sources.len(), feeder.network().loads.len());
    let Some(first) = scenario.plant.sources.iter().position(Source::is_of_network) else { return };
    let span = scenario.written.single("grid").map(|values| values.span).unwrap_or_default();
    let streams = scenario.streams();
    let mut used = vec![false; sources + loads];
    for place in scenario.devices.iter().filter_map(|row| row.source.checked_sub(first)) {
        // Behind them there may be others.
        if let Some(used) = used.get_mut(place) {
            *used = true;
        }
    }
    let obeys = scenario.network_that_obeys().is_some();
    let own = scenario.plant.sources[first..].iter_mut().take(sources + loads);
    for (place, source) in own.enumerate() {
        if !used[place] {
            continue;
        }
        let terminal = match place.checked_sub(sources) {
            _ if obeys => feeder.renewable_terminal(place, &source.name, streams),
            None => feeder.source_terminal(place, &source.name, streams),
            Some(load) => feeder.load_terminal(load, &source.name, streams),
        };
        match terminal {
            Ok(terminal) => source.metering_point = Some(terminal.into()),
            Err(error) => {
                let message = format!("no terminal can be built for `{}`: {error}", source.name);
                out.report(Code::DOES_NOT_FIT, span, message, "this network");
            }
        }
    }
}

/// Devices that cannot work on what they are connected to, and those far from their rated voltage.
/// Of devices that one table makes the first stands for all.
pub(super) fn of_devices(scenario: &Scenario, out: &mut Diagnostics) {
    let mut before = None;
    for row in &scenario.devices {
        if before.replace(&row.values).is_some_and(|before| Arc::ptr_eq(before, &row.values)) {
            continue;
        }
        let source = &scenario.plant.sources[row.source];
        let Some(terminal) = source.terminal().filter(|_| source.is_of_network()) else { continue };
        report_missing_spectrum(&row.values, terminal, out);
        warn_off_rated_voltage(&row.values, terminal, out);
    }
}

/// A device that computes from spectra is at a place that has one all the time.
fn report_missing_spectrum(device: &Values, terminal: &Terminal, out: &mut Diagnostics) {
    let is_windows = device.get("fidelity") == Some(&Value::Text("windows".to_owned()));
    if terminal.has_spectrum_throughout() || !is_windows {
        return;
    }
    let message =
        "the network plays waves there, or its frequency drifts: no spectrum to compute from";
    let help = "write `fidelity = \"samples\"`, or where only faults and switching make waves, \
                `resolution = \"phasors\"` under `[grid]`";
    let label = "expected `samples` in this network";
    let span = device.span_of("fidelity");
    out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
}
