//! Answers to what is asked over HTTP.

use lastmeter_devices::{Gateway, Metric};
use lastmeter_link::channel::ChannelEvent;
use serde_json::{Map, Value, json};

use super::flow::Flow;
use super::http::Answer;

/// What the names of metrics begin with.
const PREFIX: &str = "lastmeter_rts_";

#[derive(Debug, Default)]
pub(super) struct Presence {
    pub(super) lines: Vec<bool>,
    pub(super) broker: bool,
    /// How often the broker accepted a connection.
    pub(super) connections: u64,
}

impl Presence {
    pub(super) fn on_line(&mut self, line: usize, event: &ChannelEvent) {
        if let Some(is_up) = self.lines.get_mut(line) {
            *is_up = !matches!(event, ChannelEvent::Down { .. });
        }
    }

    pub(super) fn health(&self) -> Answer {
        let is_well = self.broker && self.lines.iter().all(|is_up| *is_up);
        let body = json!({ "ok": is_well, "broker": self.broker, "lines": self.lines });
        Answer::json(if is_well { 200 } else { 503 }, body.to_string())
    }

    fn metrics(&self) -> Vec<Metric> {
        let broker = f64::from(u8::from(self.broker));
        let mut all = vec![
            Metric::gauge("broker_up", "1 while the broker is connected", broker),
            Metric::counter(
                "broker_connections_total",
                "connections that the broker accepted",
                self.connections,
            ),
        ];
        all.extend(self.lines.iter().enumerate().map(|(number, is_up)| {
            let up = f64::from(u8::from(*is_up));
            Metric::gauge("line_up", "1 while somebody is at the line", up)
                .of("line", (number + 1).to_string())
        }));
        all
    }
}

/// Everything that is counted, as Prometheus text.
pub(super) fn metrics(gateway: &dyn Gateway, flow: &Flow, presence: &Presence) -> Answer {
    let mut all = gateway.metrics();
    all.extend(flow.metrics());
    all.extend(presence.metrics());
    if let Some(bytes) = resident_bytes() {
        all.push(Metric::gauge("resident_memory_bytes", "memory of the process", bytes));
    }
    Answer {
        status: 200,
        content_type: "text/plain; version=0.0.4",
        body: Metric::text(PREFIX, &all).into_bytes(),
    }
}

/// What became of frames, or of values to write: the difference of the counts.
pub(super) fn difference(before: &[Metric], after: &[Metric]) -> Answer {
    let grown = |metric: &Metric| {
        let is_same = |other: &&Metric| other.name == metric.name && other.labels == metric.labels;
        metric.value - before.iter().find(is_same).map_or(0.0, |other| other.value)
    };
    let total = |name: &str| {
        let own = after.iter().filter(|metric| metric.name == name);
        own.map(grown).sum::<f64>() as u64
    };
    let mut refused = Map::new();
    for metric in
        after.iter().filter(|metric| metric.name == "refused_total" && grown(metric) > 0.0)
    {
        let reason = metric.labels.first().map_or("", |(_, reason)| reason);
        refused.insert(reason.to_owned(), Value::from(grown(metric) as u64));
    }
    let (taken, refused_all) = (total("samples_total"), total("refused_total"));
    let status = if taken == 0 || refused_all > 0 { 422 } else { 200 };
    Answer::json(status, json!({ "taken": taken, "refused": refused }).to_string())
}

/// Resident memory of this process (Linux, `proc_pid_status(5)`).
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_frame_is_the_difference_of_the_counts() {
        let counts = |samples, remainders| {
            vec![
                Metric::counter("samples_total", "", samples),
                Metric::counter("refused_total", "", remainders).of("reason", "remainder"),
            ]
        };
        let answer = difference(&counts(5, 0)[..1], &counts(6, 0));
        assert_eq!(answer, Answer::json(200, "{\"refused\":{},\"taken\":1}"));
        let answer = difference(&counts(5, 1), &counts(5, 3));
        assert_eq!(answer, Answer::json(422, "{\"refused\":{\"remainder\":2},\"taken\":0}"));
    }

    #[test]
    fn health_names_what_is_missing() {
        let mut presence = Presence { lines: vec![false], broker: true, connections: 1 };
        let missing = "{\"broker\":true,\"lines\":[false],\"ok\":false}";
        assert_eq!(presence.health(), Answer::json(503, missing));
        presence.on_line(0, &ChannelEvent::Up);
        assert_eq!(presence.health().status, 200);
        presence.on_line(0, &ChannelEvent::Down { reason: String::new() });
        assert_eq!(presence.health().status, 503);
    }

    #[test]
    fn the_memory_of_this_process_is_plausible() {
        let bytes = resident_bytes().unwrap();
        assert!((1e6..1e11).contains(&bytes), "{bytes}");
    }
}
