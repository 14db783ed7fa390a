//! What the bench and the machine add by themselves, and how well the bench kept its own rules:
//! the floor before and after the run, the clock, the deadlines, the links.
//!
//! Nothing here is subtracted from a latency; it shows which latencies mean anything.

use serde::Serialize;

use super::words::{duration, nanoseconds};
use crate::latency::Validity;
use crate::render::figure::{Csv, Figure};
use crate::render::page::{Fact, grouped};
use lastmeter_record::{Floor, LinkFacts, LoadSecond, RealTimeFacts, Summary, Wait};
use lastmeter_text::number;

/// A link injects as asked if its release error's p99 is at most this share of the median delay it
/// was to inject (latency rules, 4.2).
const RELEASE_ERROR_SHARE_MAX: f64 = 0.05;

/// What the bench and the machine add to latencies.
#[derive(Serialize)]
pub(super) struct Panel {
    rows: Vec<Row>,
    machine: Vec<MachineRow>,
    notices: Vec<Notice>,
    facts: Vec<Fact>,
    links: Vec<LinkRow>,
    download: Option<String>,
}

/// Durations of one kind at one time.
#[derive(Serialize)]
struct Row {
    what: String,
    when: &'static str,
    n: String,
    p50: String,
    p99: String,
    p999: String,
    max: String,
}

/// What else was going on on the machine.
#[derive(Serialize)]
struct MachineRow {
    what: &'static str,
    before: String,
    after: String,
}

/// What a reader must not overlook: a word of the verdicts for its colour.
#[derive(Serialize)]
struct Notice {
    tone: &'static str,
    text: String,
}

#[derive(Serialize)]
struct LinkRow {
    name: String,
    kind: String,
    connections: String,
    chunks: String,
    bytes: String,
    resets: String,
    injected: String,
    p50: String,
    p99: String,
    accepted: &'static str,
    tone: &'static str,
}

impl Panel {
    /// The panel of a run, and its table as a file.
    pub(super) fn of(
        facts: &RealTimeFacts,
        validity: &Validity,
        figures: &mut Vec<Figure>,
    ) -> Self {
        let floors = [("before", &facts.floor_before), ("after", &facts.floor_after)];
        let mut csv = Csv::new("what,when,n,p50_ms,p99_ms,p99.9_ms,max_ms");
        let mut rows = Vec::new();
        let mut add = |what: &str, when: &'static str, summary: &Summary| {
            let all = [summary.p50_ns, summary.p99_ns, summary.p999_ns, summary.max_ns];
            let numbers = all.map(|ns| nanoseconds(ns) / 1e6);
            csv.line(&[what, when], &[&[summary.n as f64], &numbers[..]].concat());
            let [p50, p99, p999, max] = all.map(|ns| duration(nanoseconds(ns)));
            rows.push(Row {
                what: what.to_owned(),
                when,
                n: grouped(summary.n),
                p50,
                p99,
                p999,
                max,
            });
        };
        for (when, floor) in floors {
            if let Some(floor) = floor {
                add("timer, how late it fires", when, &floor.timer);
            }
        }
        for (when, floor) in floors {
            if let Some(floor) = floor
                && let Some(echo) = &floor.echo
            {
                add(&format!("echo, {}", floor.echo_kind), when, echo);
            }
        }
        for link in &facts.links {
            if let Some(error) = &link.release_error {
                add(&format!("release error of link {}", link.name), "during", error);
            }
        }
        // A run whose checks need no floor has none.
        let download =
            (!rows.is_empty()).then(|| Figure::table("latency-floor", csv.finish()).keep(figures));
        Self {
            rows,
            machine: machine(facts),
            notices: notices(facts, validity),
            facts: list(facts),
            links: facts.links.iter().map(link_row).collect(),
            download,
        }
    }
}

/// One figure of what else was going on.
type Reading = fn(&Floor) -> Option<f64>;

fn machine(facts: &RealTimeFacts) -> Vec<MachineRow> {
    let kinds: [(&str, Reading, &str); 3] = [
        ("load average over 1 min", |floor| floor.load, ""),
        ("processor pressure (PSI, some)", |floor| floor.pressure, " %"),
        ("time stolen by the hypervisor", |floor| floor.steal, " %"),
    ];
    let text = |floor: &Option<Floor>, value: Reading, unit: &str| {
        let value = floor.as_ref().and_then(value);
        value.map_or_else(|| "not known".to_owned(), |value| format!("{}{unit}", number(value)))
    };
    let is_known = facts.floor_before.is_some() || facts.floor_after.is_some();
    let kinds = kinds.into_iter().filter(|_| is_known);
    let rows = kinds.map(|(what, value, unit)| MachineRow {
        what,
        before: text(&facts.floor_before, value, unit),
        after: text(&facts.floor_after, value, unit),
    });
    rows.collect()
}

/// What the run reports of itself that is no good news.
fn notices(facts: &RealTimeFacts, validity: &Validity) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut add = |tone, text: String| notices.push(Notice { tone, text });
    for invalid in &validity.invalid {
        let why = &invalid.why;
        add("fail", format!("Invalid run, no latency of it is judged: {why}."));
    }
    for flag in &validity.flags {
        add("inconclusive", format!("Flagged: {flag}."));
    }
    if facts.floor_before.is_none() && facts.floor_after.is_none() {
        add("skipped", "The floor was not measured: no latency is judged.".to_owned());
    } else if validity.floor.is_none() {
        let text =
            "The floor was not measured both before and after the run: no latency is judged.";
        add("inconclusive", text.to_owned());
    }
    for link in &facts.links {
        if release_share(link).is_some_and(|share| share > RELEASE_ERROR_SHARE_MAX) {
            let text = format!(
                "Link {} did not inject as asked: its release error's p99 is more than 5 % of the \
                 median delay it was to inject.",
                link.name
            );
            add("inconclusive", text);
        }
    }
    notices
}

/// The release error's p99 as a share of the delay that was to be injected.
fn release_share(link: &LinkFacts) -> Option<f64> {
    let (error, injected_ns) = (link.release_error?, link.injected_p50_ns?);
    (injected_ns > 0).then(|| error.p99_ns as f64 / injected_ns as f64)
}

/// `60 seconds; threads waited for a processor at most: bench 0.2 ms in a second, ...`.
fn load_words(facts: &RealTimeFacts) -> String {
    let Some(load) = &facts.load else {
        return "unknown: the kernel does not report how long threads wait".to_owned();
    };
    let seconds = &load.seconds;
    let longest = |of: fn(&LoadSecond) -> Option<Wait>| {
        let longest_ns = seconds.iter().filter_map(of).map(|wait| wait.total_ns).max();
        longest_ns.map_or_else(|| "not known".to_owned(), |ns| duration(ns as f64))
    };
    let most = |of: fn(&LoadSecond) -> Option<f64>| {
        let most = seconds.iter().filter_map(of).fold(None, |most: Option<f64>, share| {
            Some(most.map_or(share, |most| most.max(share)))
        });
        most.map_or_else(|| "not known".to_owned(), |share| format!("{share:.1} %"))
    };
    format!(
        "longest wait of a thread for a processor in any of {} s: bench {}, platform {}, kernel {}; \
         pressure at most {}, stolen at most {}",
        seconds.len(),
        longest(|second| Some(second.bench)),
        longest(|second| second.platform),
        longest(|second| second.kernel),
        most(|second| second.pressure),
        most(|second| second.steal),
    )
}

fn list(facts: &RealTimeFacts) -> Vec<Fact> {
    let deadlines = &facts.deadlines;
    let yes = |set: bool, yes: &str, no: &str| if set { yes } else { no }.to_owned();
    let policy = |word: &str, refused: &Option<String>| match refused {
        Some(why) => format!("{word} (real-time priority refused: {why})"),
        None => word.to_owned(),
    };
    let of_platform = match &facts.platform_policy {
        Some(word) => policy(word, &facts.platform_policy_refused),
        None => "not known: the platform is not the bench's own".to_owned(),
    };
    let clock = &facts.clock;
    let mut list = vec![
        Fact::new("scheduler policy", policy(&facts.policy, &facts.policy_refused)),
        Fact::new("scheduler policy of the platform", of_platform),
        Fact::new("load during the run", load_words(facts)),
        Fact::new("timer", facts.timer.clone()),
        Fact::new("memory", yes(facts.memory_locked, "locked", "not locked")),
        Fact::new("clock", format!("CLOCK_MONOTONIC, source {}", clock.source)),
        Fact::new(
            "clock checks",
            format!(
                "wall clock moved by {}, suspended for {}",
                duration(clock.wall_step_ns as f64),
                duration(clock.suspended_ns as f64)
            ),
        ),
        Fact::new(
            "deadlines",
            format!(
                "{} scheduled, {} missed (later than {}); late by p50 {}, p99 {}, worst {}",
                grouped(deadlines.scheduled),
                grouped(deadlines.missed),
                duration(deadlines.limit_ns as f64),
                duration(deadlines.p50_ns as f64),
                duration(deadlines.p99_ns as f64),
                duration(deadlines.worst_ns as f64)
            ),
        ),
        Fact::new("waited for the last message until", duration(facts.waited_until_ns as f64)),
        Fact::new("TCP_NODELAY", yes(facts.nodelay, "on", "off: Nagle's algorithm may add 40 ms")),
        Fact::new(
            "TLS",
            match facts.tls.as_str() {
                "none" | "" => "none, plain TCP",
                "server" => "the platform shows a certificate",
                "mutual" => "platform and devices show certificates",
                other => other,
            },
        ),
    ];
    match facts.poll_ns {
        Some(0) => list.push(Fact::new("queryable", "pushed by the platform, no polling")),
        Some(poll_ns) => {
            let text =
                format!("asked every {} or sooner, which adds as much", duration(poll_ns as f64));
            list.push(Fact::new("queryable", text));
        }
        None => {}
    }
    list.retain(|fact| !fact.is_empty());
    list
}

fn link_row(link: &LinkFacts) -> LinkRow {
    let error = link.release_error;
    let figure =
        |value: Option<i64>| value.map_or_else(String::new, |ns| duration(nanoseconds(ns)));
    let (accepted, tone) = match release_share(link) {
        Some(share) if share <= RELEASE_ERROR_SHARE_MAX => ("as asked", "pass"),
        Some(_) => ("not as asked", "inconclusive"),
        None => ("", ""),
    };
    LinkRow {
        name: link.name.clone(),
        kind: link.kind.clone(),
        connections: grouped(link.connections),
        chunks: grouped(link.chunks),
        bytes: grouped(link.bytes),
        resets: grouped(link.resets),
        injected: figure(link.injected_p50_ns),
        p50: figure(error.map(|error| error.p50_ns)),
        p99: figure(error.map(|error| error.p99_ns)),
        accepted,
        tone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::FloorBound;

    fn summary(p50_us: i64, p99_us: i64) -> Summary {
        let (p50_ns, p99_ns) = (p50_us * 1_000, p99_us * 1_000);
        Summary { n: 2_000, p50_ns, p99_ns, p999_ns: p99_ns * 2, max_ns: i64::MAX }
    }

    fn facts(after_us: i64) -> RealTimeFacts {
        let floor = |p99_us| Floor { timer: summary(50, p99_us), ..Floor::default() };
        RealTimeFacts {
            floor_before: Some(floor(100)),
            floor_after: Some(floor(after_us)),
            ..RealTimeFacts::default()
        }
    }

    #[test]
    fn what_a_run_reports_against_itself_is_shown() {
        let texts = |facts: &RealTimeFacts, validity: &Validity| -> Vec<(&str, String)> {
            let notices = notices(facts, validity);
            notices.into_iter().map(|notice| (notice.tone, notice.text)).collect()
        };
        let floor = Some(FloorBound { p50_ns: 1, p99_ns: 2 });
        let good = Validity { floor, ..Validity::default() };
        assert_eq!(texts(&facts(100), &good), []);
        let bad = Validity {
            invalid: vec![crate::verdict::Because::new(
                crate::verdict::Reason::ClockChanged,
                "the wall clock was set by 2 s",
            )],
            flags: vec!["disturbed".to_owned()],
            ..Validity::default()
        };
        let found = texts(&facts(100), &bad);
        assert_eq!(
            found.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(),
            ["fail", "inconclusive", "inconclusive"]
        );
        assert!(found[0].1.ends_with("the wall clock was set by 2 s."));
    }

    #[test]
    fn a_run_without_a_floor_states_so_and_shows_no_machine_beside_it() {
        let none = RealTimeFacts::default();
        let notices = notices(&none, &Validity::default());
        assert_eq!(notices.iter().map(|one| one.tone).collect::<Vec<_>>(), ["skipped"]);
        assert!(machine(&none).is_empty());
        assert_eq!(machine(&facts(100)).len(), 3);
    }

    #[test]
    fn a_link_is_held_to_a_twentieth_of_what_it_injects() {
        let with = |p99_us| LinkFacts {
            injected_p50_ns: Some(100_000_000),
            release_error: Some(summary(50, p99_us)),
            ..LinkFacts::default()
        };
        assert_eq!(link_row(&with(5_000)).accepted, "as asked");
        assert_eq!(link_row(&with(5_001)).accepted, "not as asked");
        assert_eq!(link_row(&LinkFacts::default()).accepted, "");
    }

    #[test]
    fn the_table_has_the_figures_as_they_were_recorded() {
        let mut figures = Vec::new();
        let panel = Panel::of(&facts(200), &Validity::default(), &mut figures);
        assert_eq!(panel.rows.len(), 2);
        assert_eq!(
            (panel.rows[0].p999.as_str(), panel.rows[0].max.as_str()),
            ("0.2 ms", "infinite")
        );
        assert_eq!(
            figures[0].csv.as_deref().unwrap(),
            "what,when,n,p50_ms,p99_ms,p99.9_ms,max_ms\n\
             \"timer, how late it fires\",before,2000,0.05,0.1,0.2,inf\n\
             \"timer, how late it fires\",after,2000,0.05,0.2,0.4,inf\n"
        );
    }
}
