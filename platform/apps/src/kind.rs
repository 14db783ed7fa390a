//! A row of the registry of applications.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Value, Values};
use lastmeter_units::{MeasurementId, SimTime};

use super::border::Application;

/// A kind of application.
#[derive(Clone, Debug)]
pub struct ApplicationKind {
    /// Name, texts and fields.
    pub entry: Entry,
    /// What it has to see and may do; nothing else is granted to it.
    pub needs: &'static [Need],
    /// Reports what of its fields does not fit together.
    pub validate: fn(&Values, &mut Diagnostics),
    /// Makes one of what was read of its fields; `None`: one of its names is no hardware id.
    pub build: fn(&Values, &AppContext) -> Option<Box<dyn Application>>,
}

/// What an application needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Readings of a quantity of one device.
    Reads {
        /// The field that names the device.
        device: &'static str,
        /// The field that names the quantity, a measurement identifier.
        quantity: &'static str,
        /// Fields that are levels of that quantity.
        levels: &'static [&'static str],
    },
    /// Commands to one device, which the field of this name names.
    Commands(&'static str),
    /// The model of an electric network, the states of its switches, and all that devices at it
    /// report.
    Network {
        /// The field that is above 0 where it gives commands to the devices, of a kind that may.
        commands: Option<&'static str>,
    },
}

/// Where an application stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppContext {
    /// The tenant that it is in.
    pub tenant: String,
    /// Its own name, which is that of the device as which it publishes.
    pub name: String,
    /// The instant from which it counts its periods.
    pub start: SimTime,
    /// The hardware ids of devices that have other names in its fields.
    pub devices: BTreeMap<String, String>,
    /// The token of the electric network that it is given.
    pub network: Option<String>,
}

impl ApplicationKind {
    /// Reports what of its fields does not fit together: what it reads is a quantity, and its
    /// levels are of that.
    pub fn check(&self, values: &Values, out: &mut Diagnostics) {
        for need in self.needs {
            if let Need::Reads { quantity, levels, .. } = need {
                check_levels(values, quantity, levels, out);
            }
        }
        (self.validate)(values, out);
    }
}

fn check_levels(values: &Values, quantity: &str, levels: &[&str], out: &mut Diagnostics) {
    let text = values.text(quantity);
    let Some(known) = MeasurementId::lookup(text) else {
        let message = format!("unknown measurement identifier `{text}`");
        let span = values.span_of(quantity);
        out.report(Code::UNKNOWN_MEASUREMENT, span, message, "not in the registry");
        return;
    };
    let unit = known.row().si_unit;
    for key in levels {
        let Some(Value::Quantity { dimension, .. }) = values.get(key) else { continue };
        if *dimension != Dimension::of_unit(unit) {
            let message = format!("`{key}` is of dimension {dimension}, which {text} is not");
            let label = format!("expected a value in {unit} here");
            out.report(Code::WRONG_DIMENSION, values.span_of(key), message, label);
        }
    }
}

impl AppContext {
    /// The hardware id of a device that is named in its fields.
    pub fn device(&self, name: &str) -> String {
        self.devices.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }
}
