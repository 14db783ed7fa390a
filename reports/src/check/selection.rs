//! Which messages a check of delays is about, by its common keys.
//!
//! Terms: a *path* is what a row's message did: `reading`, `reading>OBSERVER`, `command` or
//! `exchange`. A check
//! names a span and, where that is not enough, the observer; the path follows.

use lastmeter_params::{Code, Diagnostics, Field, Kind, Pattern, Values};
use lastmeter_record::{LatencyPath, Point};

use super::demand::Demand;
use crate::latency::Span;

/// The key of the devices that a check is about.
pub(crate) const DEVICE: Field = Field::default(
    "device",
    Kind::Pattern,
    "\"*\"",
    "name of the device, a pattern with *, or a list",
);

/// Whose rows a check is about.
#[derive(Clone, Debug)]
pub struct Selection {
    pub(crate) span: Span,
    pub(crate) device: Pattern,
    /// The path of the rows; `None` if it depends on which observers there are.
    pub(crate) path: Option<String>,
    /// Messages due earlier are not judged, if it states so.
    pub(crate) warm_up_ns: Option<i64>,
}

impl Selection {
    /// Reads the common keys.
    pub(crate) fn read(values: &Values, out: &mut Diagnostics) -> Option<Self> {
        let span = match Span::read(values.text("path")) {
            Ok(span) => span,
            Err(why) => {
                let label = "no span of measuring points";
                out.report(Code::CANNOT_MEASURE, values.span_of("path"), why, label);
                return None;
            }
        };
        let has = |points: &[Point]| [span.from, span.to].iter().any(|one| points.contains(one));
        let of_command = match values.text_opt("messages") {
            Some(word) => word == LatencyPath::COMMAND,
            None => has(&[Point::Obeyed]),
        };
        let of_exchange = has(&[Point::Asked, Point::Heard, Point::Answered]);
        if of_exchange && values.text_opt("messages").is_some() {
            let message = "`asked`, `heard` and `answered` are points of exchanges on a bus";
            let label = "expected a path of messages, or no `messages`";
            out.report(Code::DOES_NOT_FIT, values.span_of("messages"), message, label);
            return None;
        }
        let observer = values.text_opt("observer");
        if (of_command || of_exchange) && observer.is_some() {
            let (message, label) =
                ("an observer receives readings", "commands and exchanges are of devices");
            out.report(Code::DOES_NOT_FIT, values.span_of("observer"), message, label);
            return None;
        }
        let at_observer = [Point::Received, Point::ProxyInDown, Point::ProxyOutDown];
        let path = match observer {
            Some(observer) => Some(LatencyPath::Observed(observer).to_string()),
            None if of_exchange => Some(LatencyPath::EXCHANGE.to_owned()),
            None if of_command => Some(LatencyPath::COMMAND.to_owned()),
            None if has(&at_observer) => None,
            None => Some(LatencyPath::READING.to_owned()),
        };
        let device = Pattern::new(values.text("device"));
        let warm_up_ns = values.duration_opt("warm_up").map(|warm_up| warm_up.0);
        Some(Self { span, device, path, warm_up_ns })
    }

    /// What the common keys demand of the bench; each check adds its own.
    pub(crate) fn demand(&self) -> Demand {
        Demand {
            span: self.span,
            of_commands: self.path.as_deref() == Some(LatencyPath::COMMAND),
            messages_min: 1,
            claim: None,
            warm_up_ns: Some(0),
            in_virtual_time: false,
            needs_breakage: false,
        }
    }

    /// Whether rows of this path may be among them.
    pub(crate) fn takes(&self, path: &str) -> bool {
        match &self.path {
            Some(own) => own == path,
            None => path == LatencyPath::READING || LatencyPath::observer_of(path).is_some(),
        }
    }

    /// Which of the paths that there are rows of is judged: the named one, else that of the one
    /// observer there is, else the readings' own. Of several observers one has to be named.
    pub(crate) fn judged_path<'a>(
        &'a self,
        paths: impl Iterator<Item = &'a str>,
    ) -> Result<&'a str, String> {
        if let Some(path) = &self.path {
            return Ok(path);
        }
        let observed = paths.filter_map(|path| Some((path, LatencyPath::observer_of(path)?)));
        let (observed, names): (Vec<&str>, Vec<&str>) = observed.unzip();
        match observed[..] {
            [] => Ok(LatencyPath::READING),
            [one] => Ok(one),
            _ => Err(format!("several observers received them ({}): name one", names.join(", "))),
        }
    }

    /// What is not there, for people.
    pub(crate) fn describe(&self) -> String {
        match self.path.as_deref().and_then(LatencyPath::observer_of) {
            Some(observer) => format!("device {} at observer {observer}", self.device),
            None => format!("device {}", self.device),
        }
    }
}
