//! A place of a simulated network that the platform sees as a meter: what it reports are points of
//! a real-time simulator.
//!
//! It does nothing by itself. The simulator sends its values in frames, and an adapter makes
//! readings of them; here stands what the bench has to know of it.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Value, Values};
use lastmeter_sim::{ElectricityFacts, Netting};
use lastmeter_units::{Domain, MeasurementId, SimDuration, SimTime};

use super::kind::{DeviceKind, Fits};
use crate::answer::{CommandFault, understood};
use crate::border::{Device, Feed, Input, Output};
use crate::context::DeviceContext;

const QUANTITIES: &str = "quantities";

static FIELDS: [Field; 1] = [Field::required(
    QUANTITIES,
    Kind::List(&Kind::Text),
    "The measurement identifiers that points of the simulator carry for it.",
)];

pub(crate) const SIMULATOR_METER: DeviceKind = DeviceKind {
    fits: Fits::Simulated,
    on: Some("stream"),
    entry: Entry {
        name: "simulator-meter",
        summary: "what points of a real-time simulator stand for: a load or an infeed as a meter",
        description: "A load or an infeed of the network that a `[[simulator]]` plays. Points of \
            its map carry what is reported; a `simulator-adapter` makes readings of them. It has \
            no errors of its own: what differs from the plant comes from the frames and from the \
            adapter.",
        fields: &FIELDS,
    },
    build,
    ..DeviceKind::PLAIN
};

fn build(values: &Values, _: &DeviceContext<'_>, out: &mut Diagnostics) -> Option<Box<dyn Device>> {
    let mut quantities = Vec::new();
    for (entry, span) in values.list(QUANTITIES) {
        let Value::Text(text) = entry else { continue };
        let id = MeasurementId::lookup(text)
            .filter(|id| id.row().quantity.domain() == Some(Domain::Electricity));
        match id {
            Some(id) if !quantities.contains(&id) => quantities.push(id),
            Some(_) => {
                let message = format!("`{text}` is there twice");
                out.report(Code::DOES_NOT_FIT, *span, message, "expected once");
                return None;
            }
            None => {
                let message = format!("unknown electrical quantity `{text}`");
                let label = "expected a measurement identifier of electricity";
                out.report(Code::UNKNOWN_MEASUREMENT, *span, message, label);
                return None;
            }
        }
    }
    if quantities.is_empty() {
        let message = "a meter that reports nothing";
        out.report(Code::MISSING_KEY, values.span_of(QUANTITIES), message, "needs an identifier");
        return None;
    }
    Some(Box::new(SimulatorMeter { quantities }))
}

#[derive(Debug)]
struct SimulatorMeter {
    quantities: Vec<MeasurementId>,
}

impl Device for SimulatorMeter {
    fn feed(&self) -> Feed {
        Feed::Nothing
    }

    fn quantities(&self) -> &[MeasurementId] {
        &self.quantities
    }

    fn electricity(&self) -> Option<ElectricityFacts> {
        Some(ElectricityFacts { netting: Netting::Net, pulse_constant: 1000.0, profile: None })
    }

    /// Which points it has is the map's affair, and for the adapter to answer.
    fn validate_command(
        &self,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Option<CommandFault> {
        understood(command, parameters).err()
    }

    /// As often as the adapter reports, which is asked instead.
    fn report_period(&self) -> SimDuration {
        SimDuration::from_seconds(1)
    }

    fn step(&mut self, _: SimTime, _: Input, _: &mut Vec<Output>) {}

    fn unacknowledged(&self) -> usize {
        0
    }
}
