//! Results of applications as the platform gives them back: an event each, with what the plant
//! knows of the same.
//!
//! A result is held against what its application sent as an alert is, and by the same account.

use lastmeter_grid::network::{Network, NodeId};
use lastmeter_language::{Injection, Scenario};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::{Limits, ResultMessage, decode_result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::alerts::Alert;
use super::notices::Notice;

/// A fault began at most so long before an application dates it, or after.
const DATED_WITHIN: SimDuration = SimDuration::from_seconds(1);

/// A result that the platform has stored.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StoredResult {
    pub(crate) device: String,
    epoch: Option<u64>,
    serial: Option<u64>,
    kind: String,
    subject: String,
    from: SimTime,
    until: Option<SimTime>,
    /// By the platform's clock.
    pub(crate) received_time: SimTime,
    content: Map<String, Value>,
}

/// The notice of a message on a topic of results; `None` of one that cannot be read.
pub(crate) fn sent(payload: &[u8]) -> Option<Notice> {
    let message = decode_result(payload, &Limits::default()).ok()?;
    let ResultMessage { hardware_id, kind, subject, from, until, content, epoch, serial } = message;
    let (device, epoch, serial) = (hardware_id.to_string(), Some(epoch.0), Some(serial.0));
    let received_time = from;
    let stored =
        StoredResult { device, epoch, serial, kind, subject, from, until, received_time, content };
    Some(Notice::Alert(stored.notice()))
}

impl StoredResult {
    /// Whose it is, and its number.
    pub(crate) fn key(&self) -> (String, Option<u64>, Option<u64>) {
        (self.device.clone(), self.epoch, self.serial)
    }

    /// As what it is accounted for: under a name that no device has, since an application numbers
    /// its results and its alerts apart.
    pub(crate) fn notice(&self) -> Alert {
        let Self { device, kind, subject, from, until, content, .. } = self;
        let until = until.map_or_else(|| "open".to_owned(), |until| until.to_string());
        let text = format!("{subject} until {until}: {}", Value::Object(content.clone()));
        let (name, kind) = (format!("{device}/results"), format!("result.{kind}"));
        Alert::of_result((name, kind, text), *from, (self.epoch, self.serial))
    }

    /// What is noted of it, which came at an instant.
    pub(crate) fn event(&self, scenario: &Scenario, at: SimTime) -> Event {
        let mut event = Event::new(at, "platform", EventKind::Result)
            .with(field::DEVICE, self.device.as_str())
            .with(field::RESULT, self.kind.as_str())
            .with(field::SUBJECT, self.subject.as_str())
            .with(field::FROM, self.from.to_string())
            .with(field::CONTENT, self.content.clone());
        if let Some(until) = self.until {
            event = event.with(field::UNTIL, until.to_string());
        }
        let truth = RESULT_TRUTHS.iter().find(|(kind, _)| *kind == self.kind);
        match truth.and_then(|(_, truth)| truth(self, scenario)) {
            Some(truth) => event.with(field::TRUTH, truth),
            None => event,
        }
    }
}

/// What the plant knows of what a result of a kind states.
type Truth = fn(&StoredResult, &Scenario) -> Option<Value>;

/// By the kind of results. What stands in the record anyway, such as who has no supply, checks
/// take from there.
const RESULT_TRUTHS: &[(&str, Truth)] = &[("fault", fault_truth)];

/// The fault that a result is about, and how far each of its candidates is from that along the
/// network, metres.
fn fault_truth(result: &StoredResult, scenario: &Scenario) -> Option<Value> {
    let (injection, at) = scenario
        .injections
        .iter()
        .filter(|injection| injection.kind_name() == "line-fault")
        .map(|injection| (injection, scenario.schedule.start + injection.at))
        .filter(|(injection, at)| {
            // It may have been switched on again while it lasts.
            let until = injection.values.duration_opt("for").map(|lasts| *at + lasts);
            let is_over = until.is_some_and(|until| result.from - until > DATED_WITHIN);
            *at - result.from <= DATED_WITHIN && !is_over
        })
        .min_by_key(|(_, at)| (result.from - *at).0.abs())?;
    let network = scenario.declared_network()?;
    let place = true_place(injection, network)?;
    let station = result.content.get("station").and_then(Value::as_str);
    let station = station.and_then(|name| station_node(network, name));
    let candidates = result.content.get("candidates").and_then(Value::as_array);
    let deviations = candidates.into_iter().flatten().map(|candidate| {
        let line = candidate.get("line").and_then(Value::as_str)?;
        let along_m = candidate.get("along_m").and_then(Value::as_f64)?;
        let line = network.lines.iter().position(|it| &*it.name == line)?;
        place.distance_m(network, LinePoint { line, along_m })
    });
    Some(json!({
        "line": network.lines[place.line].name,
        "along_m": place.along_m,
        "distance_m": station.and_then(|node| place.distances_m(network).get(node.index()).copied()),
        "earth": injection.values.boolean("earth"),
        "phases": injection.values.text("phases"),
        "resistance_ohm": injection.values.si("resistance"),
        "at": at,
        "deviations_m": deviations.collect::<Vec<_>>(),
    }))
}

/// The node of a station, which results name by a source, a node or a line that begins there.
fn station_node(network: &Network, name: &str) -> Option<NodeId> {
    let source = network.sources.iter().find(|it| &*it.name == name).map(|it| it.node);
    let line = || network.lines.iter().find(|it| &*it.name == name).map(|it| it.from.node);
    source.or_else(|| network.node(name)).or_else(line)
}

/// A point on a line, metres from its first end.
#[derive(Clone, Copy)]
struct LinePoint {
    line: usize,
    along_m: f64,
}

fn true_place(injection: &Injection, network: &Network) -> Option<LinePoint> {
    let values = &injection.values;
    let name = values.text("into").strip_prefix("line:")?;
    let line = network.lines.iter().position(|it| &*it.name == name)?;
    let length_m = network.lines[line].length_m?;
    let along_m = match values.integer_opt("distance_m") {
        Some(distance_m) => distance_m as f64,
        None => values.si_opt("position").unwrap_or(0.5) * length_m,
    };
    Some(LinePoint { line, along_m })
}

impl LinePoint {
    /// To another point, along the shortest way.
    fn distance_m(self, network: &Network, to: Self) -> Option<f64> {
        if self.line == to.line {
            return Some((self.along_m - to.along_m).abs());
        }
        let distances = self.distances_m(network);
        let line = &network.lines[to.line];
        let by_from = distances[line.from.node.index()] + to.along_m;
        let by_to = distances[line.to.node.index()] + line.length_m? - to.along_m;
        Some(by_from.min(by_to)).filter(|distance| distance.is_finite())
    }

    /// To each node; infinite where no way leads.
    fn distances_m(self, network: &Network) -> Vec<f64> {
        let mut distances = vec![f64::INFINITY; network.nodes.len()];
        let own = &network.lines[self.line];
        distances[own.from.node.index()] = self.along_m;
        distances[own.to.node.index()] = own.length_m.unwrap_or(f64::INFINITY) - self.along_m;
        let lines = network.lines.iter().enumerate().filter(|(index, _)| *index != self.line);
        let lines = lines.filter(|(_, it)| it.from_closed && it.to_closed);
        let lines = lines.filter_map(|(_, it)| Some((it.from.node, it.to.node, it.length_m?)));
        let switches = network.switches.iter().filter(|it| it.closed);
        let switches = switches.map(|it| (it.from.node, it.to.node, 0.0));
        let edges: Vec<_> = lines.chain(switches).collect();
        // Each round goes one edge further (Bellman and Ford); networks are trees, or nearly so.
        for _ in 0..network.nodes.len() {
            let mut moved = false;
            for &(one, other, length_m) in &edges {
                for (from, to) in [(one, other), (other, one)] {
                    let by_it = distances[from.index()] + length_m;
                    if by_it < distances[to.index()] {
                        distances[to.index()] = by_it;
                        moved = true;
                    }
                }
            }
            if !moved {
                break;
            }
        }
        distances
    }
}
