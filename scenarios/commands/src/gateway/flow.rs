//! What passes through a gateway that runs by itself, counted: pieces taken, how long each waited,
//! what went out as it came, what the kernel lost.

use hdrhistogram::Histogram;
use lastmeter_bench::output::print_err;
use lastmeter_devices::Metric;
use lastmeter_link::channel::DatagramCounts;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::PublicationRefusal;
use serde_json::{Value, json};

/// The longest time that is distinguished, one minute.
const WAIT_MAX_NS: u64 = 60_000_000_000;

/// The counts of one gateway.
pub(super) struct Flow {
    lines: Vec<DatagramCounts>,
    /// From when a piece was read from its line until the gateway had taken it, nanoseconds.
    waits: Histogram<u64>,
    live_sent: u64,
    live_dropped: u64,
    /// Losses of the kernel at the last look, and when they are reported next.
    lost: u64,
    lost_next: u64,
    /// Datagrams of others that were refused, likewise.
    refused: u64,
    refused_next: u64,
    /// Messages that the platform has taken, and those that it has refused with why it refused the
    /// first one.
    messages_taken: u64,
    messages_refused: u64,
    first_refusal: Option<String>,
}

impl Flow {
    pub(super) fn new(lines: Vec<DatagramCounts>) -> Self {
        Self {
            lines,
            waits: Histogram::new_with_bounds(1, WAIT_MAX_NS, 3)
                .expect("the bounds are constants that fit"),
            live_sent: 0,
            live_dropped: 0,
            lost: 0,
            lost_next: 1,
            refused: 0,
            refused_next: 1,
            messages_taken: 0,
            messages_refused: 0,
            first_refusal: None,
        }
    }

    /// A piece that was read at this instant has been taken.
    pub(super) fn taken(&mut self, at_ns: i64) {
        let wait_ns = (monotonic_ns() - at_ns).max(0).unsigned_abs();
        self.waits.saturating_record(wait_ns);
    }

    /// A message that goes out at once was handed over, or not; the 1st, 10th, ... that was not is
    /// reported.
    pub(super) fn live(&mut self, handed_over: Result<(), impl std::fmt::Display>) {
        match handed_over {
            Ok(()) => self.live_sent += 1,
            Err(error) => {
                self.live_dropped += 1;
                let count = self.live_dropped;
                if 10_u64.checked_pow(count.ilog10()) == Some(count) {
                    print_err(&format!("raw sample dropped ({count} so far): {error}"));
                }
            }
        }
    }

    /// The platform has taken a message.
    pub(super) fn acknowledged(&mut self) {
        self.messages_taken += 1;
    }

    /// The platform has refused a message; the 1st, 10th, ... is reported.
    pub(super) fn refused(&mut self, refusal: &PublicationRefusal) {
        let PublicationRefusal { code, why } = refusal;
        let why =
            if why.is_empty() { format!("MQTT reason code {code:#04x}") } else { why.clone() };
        self.messages_refused += 1;
        let count = self.messages_refused;
        if 10_u64.checked_pow(count.ilog10()) == Some(count) {
            print_err(&format!("message_refused: {why} ({count} so far)"));
        }
        self.first_refusal.get_or_insert(why);
    }

    /// How many messages the platform has refused, and why it refused the first; nothing without.
    pub(super) fn refused_messages(&self) -> Option<String> {
        let first = self.first_refusal.as_ref()?;
        let (refused, all) = (self.messages_refused, self.messages_refused + self.messages_taken);
        Some(format!(
            "the platform refused {refused} of {all} messages, the first one as {first}; a lastmeter \
             platform lists them at /api/v1/refusals"
        ))
    }

    /// Reports what the kernel has lost, whenever it is ten times as much.
    pub(super) fn look(&mut self) {
        self.lost = self.lines.iter().map(DatagramCounts::lost).sum();
        if self.lost >= self.lost_next {
            let lost = self.lost;
            print_err(&format!(
                "receive_lost: the kernel had no room for {lost} datagrams so far; raise \
                 net.core.rmem_max, or let the simulator send fewer"
            ));
            self.lost_next = 10_u64.saturating_pow(lost.ilog10() + 1);
        }
        self.refused = self.lines.iter().map(DatagramCounts::refused).sum();
        if self.refused >= self.refused_next {
            let refused = self.refused;
            print_err(&format!(
                "another_sender: {refused} datagrams of others were refused so far; let one \
                 simulator alone send to this port"
            ));
            self.refused_next = 10_u64.saturating_pow(refused.ilog10() + 1);
        }
    }

    /// All counts, for Prometheus.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let mut all = vec![
            Metric::counter("receive_lost_total", "datagrams the kernel lost", self.lost),
            Metric::counter("receive_refused_total", "datagrams of other senders", self.refused),
            Metric::counter("raw_handed_over_total", "samples handed over", self.live_sent),
            Metric::counter("raw_dropped_total", "samples dropped", self.live_dropped),
            Metric::counter("taken_total", "pieces taken from lines", self.waits.len()),
            Metric::counter("messages_taken_total", "messages acknowledged", self.messages_taken),
            Metric::counter("messages_refused_total", "messages refused", self.messages_refused),
        ];
        for (word, share) in [("0.5", 0.5), ("0.99", 0.99), ("0.999", 0.999), ("1", 1.0)] {
            let seconds = self.waits.value_at_quantile(share) as f64 / 1e9;
            let help = "from when a piece was read until it was taken, since the start";
            all.push(Metric::gauge("hand_over_seconds", help, seconds).of("quantile", word));
        }
        all
    }

    /// All counts, for programs.
    pub(super) fn summary(&self) -> Value {
        let quantile = |share: f64| self.waits.value_at_quantile(share) as f64 / 1e9;
        json!({
            "taken": self.waits.len(), "receive_lost": self.lost,
            "receive_refused": self.refused,
            "messages": { "taken": self.messages_taken, "refused": self.messages_refused },
            "raw": { "handed_over": self.live_sent, "dropped": self.live_dropped },
            "hand_over_s": {
                "p50": quantile(0.5), "p99": quantile(0.99), "p999": quantile(0.999),
                "max": self.waits.max() as f64 / 1e9,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_counted_beside_what_goes_out() {
        let mut flow = Flow::new(Vec::new());
        for number in 0..100 {
            flow.live(if number % 4 == 0 { Err("busy") } else { Ok(()) });
        }
        flow.taken(monotonic_ns() - 2_000_000);
        flow.taken(monotonic_ns() + 2_000_000);
        flow.look();
        let summary = flow.summary();
        assert_eq!(summary["raw"], json!({ "handed_over": 75, "dropped": 25 }));
        assert_eq!((&summary["taken"], &summary["receive_lost"]), (&json!(2), &json!(0)));
        flow.acknowledged();
        assert_eq!(flow.refused_messages(), None);
        let refusal = |code, why: &str| PublicationRefusal { code, why: why.to_owned() };
        flow.refused(&refusal(0x83, ""));
        flow.refused(&refusal(0x83, "conflicting_content"));
        let message = flow.refused_messages().unwrap();
        let expected = "refused 2 of 3 messages, the first one as MQTT reason code 0x83;";
        assert!(message.contains(expected), "{message}");
        assert_eq!(flow.summary()["messages"], json!({ "taken": 1, "refused": 2 }));
        let longest = summary["hand_over_s"]["max"].as_f64().unwrap();
        assert!((0.002..1.0).contains(&longest), "{longest}");
    }
}
