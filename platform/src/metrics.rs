//! What the platform counts since its start, and the Prometheus text of it.
//!
//! Label sets are closed: reasons come from a closed list, devices are never a label.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use lastmeter_units::HardwareId;

use lastmeter_model::refusal::{RefusalReason, shortened};
use lastmeter_store::lock;

/// The most of what was found in a refusal that is logged, bytes.
const LOGGED_BYTES_MAX: usize = 200;

/// Counters: the field, its name in the text, and what it counts.
macro_rules! counters {
    ($($field:ident $name:literal $help:literal;)+) => {
        /// Counters since the start of the process.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(#[doc = $help] pub(crate) $field: AtomicU64,)+
            /// Devices that sent a number again with other content.
            conflicting: Mutex<BTreeSet<HardwareId>>,
            refused: Mutex<BTreeMap<String, u64>>,
        }

        impl Metrics {
            fn write_counters(&self, out: &mut String) {
                $(write_counter(out, $name, $help, self.$field.load(Ordering::Relaxed));)+
            }
        }
    };
}

counters! {
    accepted "accepted" "messages made durable and acknowledged";
    stored "readings_stored" "readings committed to the store";
    alerts "alerts_stored" "alerts committed to the store";
    repetitions "repetitions" "messages that were already stored";
    without_serial "without_serial" "readings stored without a serial";
    late_acknowledgements "late_acknowledgements" "answers to ended commands";
    commands_sent "commands_sent" "commands handed to a subscriber";
    commits "store_commits" "transactions of the store";
    commit_failures "store_commit_failures" "transactions that failed";
    journal_torn "journal_torn_tails" "torn tails cut at recovery";
    journal_missing "journal_missing" "missing stretches of the journal";
    journal_settled "journal_settled" "unreadable stretches the store has";
    journal_replayed "journal_replayed" "entries replayed at the start";
    damaged_reads "damaged_reads" "queries that met something damaged";
    queries "store_queries" "queries of the store";
    slow_queries "slow_queries" "queries broken off at their deadline";
    inspections "store_inspections" "rounds of looking at all that is stored";
    service_failures "service_failures" "faults in services, which began again";
    services_left_out "services_left_out" "services that failed too often and were left out";
    content_not_kept "content_not_kept" "refusals there was no room for";
}

impl Metrics {
    /// Counts one refusal, with who sent what was refused and what was found. The 1st, 10th, ... of
    /// each reason is in the log: whoever floods the platform does not flood its log.
    pub(crate) fn count_refusal(&self, reason: &str, from: &str, detail: &str) {
        let count = {
            let mut refused = lock(&self.refused);
            let count = refused.entry(reason.to_owned()).or_default();
            *count += 1;
            *count
        };
        if 10_u64.checked_pow(count.ilog10()) == Some(count) {
            let detail = shortened(detail, LOGGED_BYTES_MAX);
            tracing::warn!(reason, count, %from, detail, "refused; all stand at /api/v1/refusals");
        }
    }

    /// Counts the device of a refusal that is a conflict. The first one of each is in the log: its
    /// readings will go on being refused as long as it counts like that.
    pub(crate) fn count_conflict(&self, reason: RefusalReason, device: &HardwareId) {
        if reason == RefusalReason::ConflictingContent
            && lock(&self.conflicting).insert(device.clone())
        {
            tracing::warn!(
                %device,
                "it sends numbers again with other content; they are refused, with their content \
                 in /api/v1/refusals; a device that restarts its count has to change its epoch"
            );
        }
    }

    /// Devices that sent a number again with other content.
    pub(crate) fn conflicting_devices(&self) -> u64 {
        lock(&self.conflicting).len() as u64
    }

    /// Refusals by reason.
    pub(crate) fn refused(&self) -> BTreeMap<String, u64> {
        lock(&self.refused).clone()
    }

    /// The counters as Prometheus text, without what other parts count.
    pub(crate) fn write(&self, out: &mut String) {
        self.write_counters(out);
        head(out, "refused", "messages refused, by reason", "counter");
        for (reason, count) in self.refused() {
            // Writing into memory does not fail.
            let _ = writeln!(out, "lastmeter_refused_total{{reason=\"{reason}\"}} {count}");
        }
    }
}

/// Appends one counter, `lastmeter_{name}_total`.
pub(crate) fn write_counter(out: &mut String, name: &str, help: &str, value: u64) {
    head(out, name, help, "counter");
    // Writing into memory does not fail.
    let _ = writeln!(out, "lastmeter_{name}_total {value}");
}

/// Appends one gauge, `lastmeter_{name}`.
pub(crate) fn write_gauge(out: &mut String, name: &str, help: &str, value: u64) {
    head(out, name, help, "gauge");
    // Writing into memory does not fail.
    let _ = writeln!(out, "lastmeter_{name} {value}");
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let suffix = if kind == "counter" { "_total" } else { "" };
    // Writing into memory does not fail.
    let _ = writeln!(out, "# HELP lastmeter_{name}{suffix} {help}");
    let _ = writeln!(out, "# TYPE lastmeter_{name}{suffix} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_help_type_and_value_of_each_counter() {
        let metrics = Metrics::default();
        metrics.accepted.store(3, Ordering::Relaxed);
        metrics.count_refusal("not_json", "mqtt m", "");
        metrics.count_refusal("not_json", "mqtt m", "");
        let mut text = String::new();
        metrics.write(&mut text);
        assert!(
            text.contains("# TYPE lastmeter_accepted_total counter\nlastmeter_accepted_total 3")
        );
        assert!(text.contains("lastmeter_refused_total{reason=\"not_json\"} 2\n"));
        let heads = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(heads, 21);
    }
}
