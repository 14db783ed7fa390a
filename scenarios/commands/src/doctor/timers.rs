//! How late timers fire: every kind, with normal priority and, where granted, in real time.

use std::time::Duration;

use lastmeter_link::priority;
use lastmeter_link::timer::{TimerKind, probe};
use lastmeter_record::Summary;
use lastmeter_sim::Streams;
use serde::Serialize;

use super::finding::{Finding, Section, ms};

/// The 99th percentile up to which a link's proxy and a schedule are as good as they get.
const GOOD_P99_NS: i64 = 500_000;
/// Up to which they are usable for classes from TT3 on.
const USABLE_P99_NS: i64 = 6_000_000;

/// How one kind of timer fared under one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TimerRow {
    /// `timerfd`, `tokio-sleep`, `clock-nanosleep`.
    pub(super) kind: &'static str,
    /// `SCHED_OTHER`, `SCHED_FIFO 10`.
    pub(super) policy: String,
    /// How late it fired.
    pub(super) late: Summary,
}

/// Probes each kind, all kinds of one policy at once: they sleep nearly all of the time. A policy
/// that is refused has no rows; that is reported with the rights.
pub(super) fn measure(probes: usize, streams: Streams) -> (Vec<TimerRow>, Vec<Finding>) {
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for real_time in [false, true] {
        let threads: Vec<_> = TimerKind::ALL
            .into_iter()
            .map(|kind| {
                let rng = streams.stream(&format!("doctor/{}/{real_time}", kind.word()));
                let measure = move || in_thread(kind, real_time, probes, rng);
                let thread = std::thread::Builder::new().name("doctor-timer".to_owned());
                (kind, thread.spawn(measure))
            })
            .collect();
        for (kind, thread) in threads {
            let measured = match thread.map(std::thread::JoinHandle::join) {
                Ok(Ok(measured)) => measured,
                Ok(Err(_)) => Err("the probe panicked".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match measured {
                Ok(row) => rows.extend(row),
                Err(why) => failures.push((kind, why)),
            }
        }
    }
    let findings = TimerKind::ALL.into_iter().map(|kind| {
        let failure = failures.iter().find(|(failed, _)| *failed == kind);
        finding(kind, &rows, failure.map(|(_, why)| why.as_str()))
    });
    let findings = findings.collect();
    (rows, findings)
}

/// One row; `None` if the policy is refused.
fn in_thread(
    kind: TimerKind,
    real_time: bool,
    probes: usize,
    rng: chacha20::ChaCha8Rng,
) -> Result<Option<TimerRow>, String> {
    if real_time && priority::raise_this_thread(priority::DEFAULT_LEVEL).is_err() {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    // Waits are 12 ms at most; whatever takes ten times as long and 10 s more is no timer.
    let limit = Duration::from_millis(120).saturating_mul(probes as u32) + Duration::from_secs(10);
    let measured =
        runtime.block_on(async { tokio::time::timeout(limit, probe(kind, probes, rng)).await });
    let mut late_ns = match measured {
        Ok(Ok(late_ns)) => late_ns,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("{probes} waits were not over within {limit:?}")),
    };
    let late = Summary::of(&mut late_ns).unwrap_or_default();
    Ok(Some(TimerRow { kind: kind.word(), policy: priority::policy_word(), late }))
}

fn finding(kind: TimerKind, rows: &[TimerRow], failure: Option<&str>) -> Finding {
    let topic = Section::Time.topic(match kind {
        TimerKind::Timerfd => "timer_timerfd",
        TimerKind::TokioSleep => "timer_tokio_sleep",
        TimerKind::ClockNanosleep => "timer_clock_nanosleep",
    });
    if let Some(why) = failure {
        return topic.unmeasured(why, "see the system's message");
    }
    let own: Vec<&TimerRow> = rows.iter().filter(|row| row.kind == kind.word()).collect();
    let shown: Vec<String> = own
        .iter()
        .map(|TimerRow { policy, late, .. }| {
            let (p50, p99, max) = (ms(late.p50_ns), ms(late.p99_ns), ms(late.max_ns));
            format!("{policy} p50 {p50}, p99 {p99}, max {max}")
        })
        .collect();
    let found = shown.join("; ");
    let advice = match kind {
        TimerKind::TokioSleep => "no schedule of the bench uses it; it is here to compare",
        TimerKind::ClockNanosleep => "the bench uses timerfd; it is here to compare",
        TimerKind::Timerfd => "get real-time rights or a quieter machine; late sends are counted",
    };
    match own.iter().map(|row| row.late.p99_ns).min() {
        Some(best) if best <= GOOD_P99_NS => topic.ok(found),
        Some(best) if best <= USABLE_P99_NS => topic.limited(found, advice),
        _ => topic.no(found, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn row(policy: &str, p99_ns: i64) -> TimerRow {
        let late = Summary { n: 10, p50_ns: 50_000, p99_ns, p999_ns: p99_ns, max_ns: p99_ns };
        TimerRow { kind: "timerfd", policy: policy.to_owned(), late }
    }

    #[test]
    fn the_better_policy_counts_and_both_are_shown() {
        let rows = [row("SCHED_OTHER", 4_000_000), row("SCHED_FIFO 10", 100_000)];
        let both = finding(TimerKind::Timerfd, &rows, None);
        assert_eq!(both.status, Status::Ok);
        assert_eq!(
            both.found,
            "SCHED_OTHER p50 0.05 ms, p99 4.00 ms, max 4.00 ms; \
             SCHED_FIFO 10 p50 0.05 ms, p99 0.10 ms, max 0.10 ms"
        );
        let alone = finding(TimerKind::Timerfd, &rows[..1], None);
        assert_eq!(alone.status, Status::Limited);
        let late = finding(TimerKind::Timerfd, &[row("SCHED_OTHER", 7_000_000)], None);
        assert_eq!(late.status, Status::No);
    }

    #[test]
    fn a_timer_that_could_not_be_tried_is_unmeasured() {
        let failed = finding(TimerKind::TokioSleep, &[], Some("no descriptors left"));
        assert!(failed.unmeasured && failed.status == Status::No);
        assert_eq!(failed.found, "no descriptors left");
    }

    #[test]
    fn every_kind_is_measured_with_normal_priority() {
        let (rows, findings) = measure(5, Streams::new(1));
        let kinds: Vec<&str> = rows[..3].iter().map(|row| row.kind).collect();
        assert_eq!(kinds, ["timerfd", "tokio-sleep", "clock-nanosleep"]);
        assert!(rows.iter().all(|row| row.late.n == 5 && row.late.p50_ns <= row.late.max_ns));
        assert!(findings.len() == 3 && findings.iter().all(|finding| !finding.unmeasured));
    }
}
