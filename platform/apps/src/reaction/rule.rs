//! What a threshold and a controller decide of a value.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_wire::commands::{find, names};

/// The command by which a point is set.
const SET_POINT: &str = "setPoint";

/// A command: its name and its parameters.
pub(super) type Order = (String, BTreeMap<String, String>);

/// What is done with a value.
pub(super) enum Rule {
    Threshold { below: Option<f64>, above: Option<f64>, order: Order, is_outside: bool },
    Controller { target: f64, gain: f64, point: String, range: (f64, f64), set_point: f64 },
}

impl Rule {
    pub(super) fn threshold(values: &Values) -> Self {
        let mut parameters = values.texts("command");
        let name = parameters.remove("name").unwrap_or_default();
        let (below, above) = (values.si_opt("below"), values.si_opt("above"));
        Self::Threshold { below, above, order: (name, parameters), is_outside: false }
    }

    pub(super) fn controller(values: &Values) -> Self {
        Self::Controller {
            target: values.si("target"),
            gain: values.si("gain"),
            point: values.text("point").to_owned(),
            range: (values.si("least"), values.si("greatest")),
            set_point: values.si("initial"),
        }
    }

    /// The command that it gives.
    pub(super) fn command(&self) -> &str {
        match self {
            Self::Threshold { order: (name, _), .. } => name,
            Self::Controller { .. } => SET_POINT,
        }
    }

    /// Acts on a value.
    pub(super) fn act(&mut self, value: f64) -> Option<Order> {
        let is_beyond = self.is_beyond(value);
        match self {
            Self::Threshold { order, is_outside, .. } => {
                let was_outside = std::mem::replace(is_outside, is_beyond);
                (is_beyond && !was_outside).then(|| order.clone())
            }
            Self::Controller { target, gain, point, range: (least, greatest), set_point } => {
                let next = *set_point + *gain * (*target - value) / *target;
                let next = next.clamp(*least, *greatest);
                // What a 32-bit word cannot distinguish is no change.
                if (next - *set_point).abs() <= 1e-6 * next.abs().max(1.0) {
                    return None;
                }
                *set_point = next;
                let parameters = BTreeMap::from([
                    ("point".to_owned(), point.clone()),
                    ("value".to_owned(), next.to_string()),
                ]);
                Some((SET_POINT.to_owned(), parameters))
            }
        }
    }

    /// A value that nobody acted on, and that another one followed: whoever was back within is
    /// ready to act again, and who left has still to be acted on.
    pub(super) fn passed(&mut self, value: f64) {
        let is_beyond = self.is_beyond(value);
        if let Self::Threshold { is_outside, .. } = self {
            *is_outside &= is_beyond;
        }
    }

    fn is_beyond(&self, value: f64) -> bool {
        let Self::Threshold { below, above, .. } = self else { return false };
        below.is_some_and(|least| value < least) || above.is_some_and(|greatest| value > greatest)
    }

    /// Its last command before a restart.
    pub(super) fn gave(&mut self, parameters: &BTreeMap<String, String>) {
        match self {
            Self::Threshold { is_outside, .. } => *is_outside = true,
            Self::Controller { point, set_point, .. } => {
                let value = parameters.get("value").and_then(|text| text.parse().ok());
                if let Some(value) = value.filter(|_| parameters.get("point") == Some(point)) {
                    *set_point = value;
                }
            }
        }
    }
}

/// A threshold has a level, and a command that there is.
pub(super) fn validate_threshold(values: &Values, out: &mut Diagnostics) {
    if values.get("below").is_none() && values.get("above").is_none() {
        let message = "a threshold without a level";
        let help = Some("write `below` or `above`, or both".to_owned());
        out.report_with_help(Code::MISSING_KEY, values.span, message, "never acts", help);
    }
    let name = values.texts("command").remove("name");
    if name.as_deref().and_then(find).is_none() {
        let message = match name {
            Some(name) => format!("unknown command `{name}`"),
            None => "the command has no name".to_owned(),
        };
        let label = format!("expected one of {}", names());
        out.report(Code::BAD_COMMAND, values.span_of("command"), message, label);
    }
}

/// A controller has a range, within which it begins.
pub(super) fn validate_controller(values: &Values, out: &mut Diagnostics) {
    let [least, initial, greatest] = ["least", "initial", "greatest"].map(|key| values.si(key));
    if least >= greatest {
        let message = "`least` has to be below `greatest`";
        out.report(Code::DOES_NOT_FIT, values.span_of("least"), message, "an empty range");
    } else if !(least..=greatest).contains(&initial) {
        let message = format!("`initial` is {initial}, which it would never set");
        let label = format!("expected {least} to {greatest}");
        out.report(Code::OUT_OF_RANGE, values.span_of("initial"), message, label);
    }
}
