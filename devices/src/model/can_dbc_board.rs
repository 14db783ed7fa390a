//! A board of somebody else's on a CAN bus: what its signals are called in a DBC file, and which
//! quantities they are.
//!
//! It does nothing by itself: the board is at the other end of a line, and a `can-dbc-reader` makes
//! readings of its frames. Here stands what the bench has to know of it.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};
use lastmeter_sim::{ElectricityFacts, Netting};
use lastmeter_units::{Domain, MeasurementId, Phase, SimDuration, SimTime};

use super::kind::{DeviceKind, Fits};
use crate::answer::CommandFault;
use crate::border::{Device, Feed, Input, Output};
use crate::context::DeviceContext;

const SIGNALS: &str = "signals";
/// Between the signals of an address, and within one.
const SEPARATORS: (char, char) = (';', '=');

static FIELDS: [Field; 1] = [Field::required(
    SIGNALS,
    Kind::Texts,
    "Its signals by message and name, with the measurement identifier that each is: `{ \
     \"Mains.Voltage\" = \"electricity.voltage.rms.l1\" }`.",
)];

pub(crate) const CAN_DBC_BOARD: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: 1 },
    on: Some("can"),
    entry: Entry {
        name: "can-dbc-board",
        summary: "a real board on a CAN bus with identifiers of its own, described by a DBC file",
        description: "A board at the other end of a `line` that sends frames of its own. Its \
            signals are those of the DBC file of the `can-dbc-reader` on the same bus, in the \
            units that stand there. It is not simulated: without a `line` it is silent.",
        fields: &FIELDS,
    },
    build,
    ..DeviceKind::PLAIN
};

/// A signal as an address of a board has it: its message, its name, and what it is.
pub(crate) fn signals_of(address: &str) -> Option<Vec<(&str, &str, MeasurementId)>> {
    let signal = |text| {
        let (path, id): (&str, &str) = str::split_once(text, SEPARATORS.1)?;
        let (message, name) = path.split_once('.')?;
        Some((message, name, MeasurementId::lookup(id)?))
    };
    address.split(SEPARATORS.0).map(signal).collect()
}

fn build(
    values: &Values,
    context: &DeviceContext<'_>,
    out: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    // Names are written into the address, so they hold neither of its separators.
    let signals = values.texts(SIGNALS);
    let mut quantities = Vec::new();
    for (path, name) in &signals {
        let id = MeasurementId::lookup(name);
        let is_here = |id: &MeasurementId| {
            let other_phase = matches!(id.row().phase, Phase::L2 | Phase::L3);
            id.row().quantity.domain() == Some(Domain::Electricity)
                && (context.phases > 1 || !other_phase)
        };
        let is_path = path.split_once('.').is_some_and(|(message, signal)| {
            let is_name = |text: &str| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            is_name(message) && is_name(signal)
        });
        let (message, label) = match id.filter(is_here) {
            _ if !is_path => {
                (format!("`{path}` is not a signal"), "expected `MESSAGE.SIGNAL` of a DBC file")
            }
            None => (
                format!("`{name}` is not an electrical quantity of this terminal"),
                "expected a measurement identifier (`lastmeter list quantities`)",
            ),
            Some(id) if quantities.contains(&id) => {
                (format!("two signals are `{name}`"), "expected each quantity once")
            }
            Some(id) => {
                quantities.push(id);
                continue;
            }
        };
        out.report(Code::DOES_NOT_FIT, values.span_of(SIGNALS), message, label);
        return None;
    }
    if quantities.is_empty() {
        let message = "a board that reports nothing";
        out.report(Code::MISSING_KEY, values.span_of(SIGNALS), message, "needs a signal");
        return None;
    }
    let signals = signals.iter().map(|(path, id)| format!("{path}{}{id}", SEPARATORS.1));
    let address = signals.collect::<Vec<_>>().join(&SEPARATORS.0.to_string());
    Some(Box::new(Board { quantities, address }))
}

#[derive(Debug)]
struct Board {
    quantities: Vec<MeasurementId>,
    address: String,
}

impl Device for Board {
    fn feed(&self) -> Feed {
        Feed::Nothing
    }

    fn quantities(&self) -> &[MeasurementId] {
        &self.quantities
    }

    fn electricity(&self) -> Option<ElectricityFacts> {
        Some(ElectricityFacts { netting: Netting::Net, pulse_constant: 1000.0, profile: None })
    }

    fn network_address(&self) -> Option<String> {
        Some(self.address.clone())
    }

    fn validate_command(&self, _: &str, _: &BTreeMap<String, String>) -> Option<CommandFault> {
        Some(CommandFault::refused(None, "a board behind a reader takes no commands".to_owned()))
    }

    /// As often as its reader reports, which is asked instead.
    fn report_period(&self) -> SimDuration {
        SimDuration::from_seconds(1)
    }

    fn step(&mut self, _: SimTime, _: Input, _: &mut Vec<Output>) {}

    fn unacknowledged(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_signals_and_what_they_are() {
        let found = signals_of("Mains.U=electricity.voltage.rms.l1;Tail.F=electricity.frequency");
        let id = |name| MeasurementId::lookup(name).unwrap();
        let expected = vec![
            ("Mains", "U", id("electricity.voltage.rms.l1")),
            ("Tail", "F", id("electricity.frequency")),
        ];
        assert_eq!(found, Some(expected));
        for wrong in ["", "7", "Mains=electricity.frequency", "Mains.U=speed", "a.b"] {
            assert_eq!(signals_of(wrong), None, "{wrong}");
        }
    }
}
