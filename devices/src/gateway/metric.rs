//! What a gateway counts, for whoever watches it.

use std::fmt::Write as _;

/// Whether the count is one of 1, 10, 100, ...: only these are reported, so that a flood of events
/// is not a flood of lines.
pub(super) fn is_power_of_ten(count: u64) -> bool {
    count > 0 && 10_u64.checked_pow(count.ilog10()) == Some(count)
}

lastmeter_units::words! {
    /// What becomes of a value over time.
    pub enum MetricKind {
        /// It only grows, from the start of the process on.
        Counter = "counter",
        /// It is what is so now.
        Gauge = "gauge",
    }
}

/// One value at this instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name, in the words of Prometheus: `samples_total`, `outbox_messages`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub help: &'static str,
    /// What becomes of it.
    pub kind: MetricKind,
    /// Label and its value; values with the same name have the same labels.
    pub labels: Vec<(&'static str, String)>,
    /// The value, in the unit that `name` ends with.
    pub value: f64,
}

impl Metric {
    /// A value that only grows.
    pub const fn counter(name: &'static str, help: &'static str, count: u64) -> Self {
        Self { name, help, kind: MetricKind::Counter, labels: Vec::new(), value: count as f64 }
    }

    /// A present value.
    pub const fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: MetricKind::Gauge, labels: Vec::new(), value }
    }

    /// The same with a label.
    #[must_use]
    pub fn of(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }

    /// Metrics in the text format of Prometheus, version 0.0.4; those of one name have to stand
    /// together. All names get the prefix.
    pub fn text(prefix: &str, metrics: &[Self]) -> String {
        let mut text = String::new();
        let mut last = "";
        for metric in metrics {
            let name = metric.name;
            // Writing to a String cannot fail.
            if name != last {
                let (kind, help) = (metric.kind, metric.help);
                let _ =
                    write!(text, "# HELP {prefix}{name} {help}\n# TYPE {prefix}{name} {kind}\n");
                last = name;
            }
            let labels = metric.labels.iter().map(|(label, value)| {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                format!("{label}=\"{value}\"")
            });
            let labels = labels.collect::<Vec<_>>().join(",");
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(text, "{prefix}{name}{labels} {}", metric.value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_prometheus() {
        let metrics = [
            Metric::counter("samples_total", "samples that were read", 3),
            Metric::counter("refused_total", "frames, by reason", 2).of("reason", "remainder"),
            Metric::counter("refused_total", "frames, by reason", 1).of("reason", "a\"b\\c\n"),
            Metric::gauge("outbox_messages", "messages that wait", 0.5),
        ];
        let expected = "# HELP x_samples_total samples that were read\n\
                        # TYPE x_samples_total counter\n\
                        x_samples_total 3\n\
                        # HELP x_refused_total frames, by reason\n\
                        # TYPE x_refused_total counter\n\
                        x_refused_total{reason=\"remainder\"} 2\n\
                        x_refused_total{reason=\"a\\\"b\\\\c\\n\"} 1\n\
                        # HELP x_outbox_messages messages that wait\n\
                        # TYPE x_outbox_messages gauge\n\
                        x_outbox_messages 0.5\n";
        assert_eq!(Metric::text("x_", &metrics), expected);
    }
}
