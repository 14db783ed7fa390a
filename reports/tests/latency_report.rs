//! The part of the page about latency: figures that can be computed by hand, the same again from
//! the files, and nothing modelled that looks measured.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{
    Deadlines, Floor, LatencyRow, Point, RealTimeFacts, RunEnd, RunState, RunWriter, Summary,
    TimeMode, file,
};
use lastmeter_reports::{evaluate, render};
use lastmeter_units::SimDuration;
use latency_sample::{CHECKS, LatencySample};
use sample::Sample;

use crate::latency_sample;
use crate::sample;

const MS: i64 = 1_000_000;
const HOSTILE: &str = "<script>alert('x')</script>";

/// A run of 20 s with a message each second; what each took in ms, `None` if it was lost.
struct Small<'a> {
    path: &'a str,
    delays_ms: &'a [Option<i64>],
    copies: u32,
    real_time: Option<RealTimeFacts>,
    checks: &'a str,
}

impl Small<'_> {
    fn write(&self, dir: &Path) {
        let mut start = Sample::CALM.start_facts();
        start.facts.end = start.facts.start + SimDuration::from_seconds(20);
        let real = self.real_time.is_some();
        start.facts.time = if real { TimeMode::Real } else { TimeMode::Virtual };
        start.scenario_toml = format!("format = 1\n{}", self.checks);
        let mut writer = RunWriter::create(dir, &start).unwrap();
        writer.record_latency().unwrap();
        for (number, delay_ms) in self.delays_ms.iter().enumerate() {
            let intended = number as i64 * 1_000 * MS;
            let mut points = [None; Point::COUNT];
            points[Point::Intended.index()] = Some(intended);
            points[Point::Published.index()] = Some(intended + MS);
            points[Point::Received.index()] = delay_ms.map(|ms| intended + ms * MS);
            let id = format!("meter/1/{}", number + 1);
            let copies = if delay_ms.is_some() { self.copies } else { 0 };
            let row = LatencyRow { path: self.path, id: &id, points, bytes: 10, copies };
            writer.latency(&row).unwrap();
        }
        if let Some(facts) = &self.real_time {
            writer.set_real_time(facts.clone());
        }
        writer
            .finish(RunEnd {
                state: RunState::Finished,
                cause: None,
                recorded_until: start.facts.end,
                ended: start.facts.end,
                guarantees: Vec::new(),
                more: serde_json::Map::new(),
            })
            .unwrap();
    }

    fn page(&self) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        self.write(dir.path());
        let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
        (dir, html)
    }
}

fn good() -> RealTimeFacts {
    let timer = Summary { n: 2000, p50_ns: 1, p99_ns: 200_000, p999_ns: 1, max_ns: 1 };
    let floor = Floor { timer, echo: Some(timer), ..Floor::default() };
    RealTimeFacts {
        timer: "timerfd".to_owned(),
        policy: "SCHED_FIFO 10".to_owned(),
        deadlines: Deadlines { scheduled: 20, limit_ns: 5 * MS, ..Deadlines::default() },
        waited_until_ns: 60_000 * MS,
        floor_before: Some(floor.clone()),
        floor_after: Some(floor),
        nodelay: true,
        ..RealTimeFacts::default()
    }
}

const NO_WARM_UP: &str = "[[check]]\nname = \"in-class\"\nkind = \"latency\"\n\
    path = \"intended..received\"\nclass = \"TT3\"\ncoverage = \"99 %\"\nwarm_up = \"0 s\"\n";

/// Ten messages: 11 to 18 ms, one of 2 s, one lost; each of the others came twice.
const TEN: [Option<i64>; 10] = [
    Some(13),
    Some(11),
    Some(12),
    Some(2_000),
    Some(14),
    None,
    Some(15),
    Some(16),
    Some(18),
    Some(17),
];

fn ten() -> Small<'static> {
    Small {
        path: "reading>head-end",
        delays_ms: &TEN,
        copies: 2,
        real_time: Some(good()),
        checks: NO_WARM_UP,
    }
}

fn table(dir: &Path, name: &str) -> Vec<Vec<String>> {
    let path = dir.join(file::FIGURES).join(format!("{name}.csv"));
    let mut csv = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    csv.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The rows of a table with this in a column, and of those one column.
fn column(rows: &[Vec<String>], where_column: &str, is: &str, wanted: &str) -> Vec<String> {
    let place = |name: &str| rows[0].iter().position(|found| found == name).unwrap();
    let (from, to) = (place(where_column), place(wanted));
    rows[1..].iter().filter(|row| row[from] == is).map(|row| row[to].clone()).collect()
}

/// By hand. In order 11, 12, 13, 14, 15, 16, 17, 18, 2000, infinite: by nearest rank the median is
/// the fifth, p75 the eighth, p90 the ninth, p97 the tenth.
#[test]
fn the_quantiles_are_those_of_the_messages() {
    let (dir, html) = ten().page();
    let rows = table(dir.path(), "latency-quantiles");
    for (percentile, expected) in
        [("0", "11"), ("50", "15"), ("75", "18"), ("90", "2000"), ("97", "inf"), ("100", "inf")]
    {
        assert_eq!(column(&rows, "percentile", percentile, "latency_ms"), [expected]);
    }
    assert_eq!(column(&rows, "percentile", "50", "n"), ["10"]);
    assert_eq!(column(&rows, "percentile", "50", "lost"), ["1"]);
    // scipy: binom.ppf(0.95, 10, 0.5) + 1 is 9; of p90 there is no bound with ten messages.
    assert_eq!(column(&rows, "percentile", "50", "bound_95_ms"), ["2000"]);
    assert_eq!(column(&rows, "percentile", "90", "bound_95_ms"), [""]);
    assert!(html.contains("<dt>messages due</dt><dd>10</dd>"));
    assert!(html.contains("<dt>lost</dt><dd>1 (10 %)</dd>"));
    assert!(html.contains("<dt>duplicates</dt><dd>9 (90 %)</dd>"));
    assert!(html.contains("<dt>longest that came</dt><dd>2000 ms</dd>"));
}

/// By hand. Type 7 of ten values: the quartiles lie at places 2.25 and 6.75 from 0, so they are
/// 13.25 and 17.75 ms; the fences are at 6.5 and 24.5 ms, and the whiskers at 11 and 18 ms.
#[test]
fn the_box_ends_at_data() {
    let (dir, _) = ten().page();
    let rows = table(dir.path(), "latency-box-reading-head-end");
    for (what, expected) in [
        ("whisker_low", "11"),
        ("q1", "13.25"),
        ("median", "15.5"),
        ("q3", "17.75"),
        ("whisker_high", "18"),
        ("outlier", "2000"),
        ("lost", "inf"),
    ] {
        assert_eq!(column(&rows, "what", what, "latency_ms"), [expected], "{what}");
    }
}

#[test]
fn the_classes_count_late_and_lost_messages() {
    let (dir, html) = ten().page();
    let rows = table(dir.path(), "latency-classes");
    for (class, k) in
        [("TT6", "10"), ("TT5", "10"), ("TT4", "2"), ("TT3", "2"), ("TT1", "2"), ("TT0", "1")]
    {
        assert_eq!(column(&rows, "class", class, "k"), [k, k, k], "{class}");
    }
    assert_eq!(column(&rows, "class", "TT4", "share")[0], "0.2");
    assert_eq!(column(&rows, "class", "TT4", "coverage"), ["0.97", "0.99", "0.999"]);
    // 2 of 10 in two episodes are at least 3.7 % (scipy: beta.ppf(0.05, 2, 9)): over 3 %.
    let lower: f64 = column(&rows, "class", "TT4", "lower_95")[0].parse().unwrap();
    assert!((lower - 0.036_771_44).abs() < 1e-7, "{lower}");
    assert_eq!(column(&rows, "class", "TT4", "status"), ["fail", "fail", "fail"]);
    // One of ten lost is at least 1 - 0.95^(1/10) = 0.51 %: over 0.1 %, and not over 1 %.
    let statuses = column(&rows, "class", "TT0", "status");
    assert_eq!(statuses, ["inconclusive", "inconclusive", "fail"]);
    assert!(html.contains("n too small"));
    assert!(html.contains("no GOOSE, Sampled Values or MMS is spoken"));
    assert!(!html.contains("compliant"));
}

/// The share of all messages, lost ones too: nine of ten at the end.
#[test]
fn the_curves_and_the_dots_are_the_messages() {
    let (dir, html) = ten().page();
    let rows = table(dir.path(), "latency-ecdf-reading-head-end");
    assert_eq!(column(&rows, "latency_ms", "14", "share"), ["0.4"]);
    assert_eq!(column(&rows, "latency_ms", "2000", "share"), ["0.9"]);
    let rows = table(dir.path(), "latency-scatter-reading-head-end");
    assert_eq!(column(&rows, "mark", "lost", "time_s"), ["5"]);
    assert_eq!(column(&rows, "mark", "message", "max_ms").len(), 9);
    assert_eq!(column(&rows, "mark", "repeated", "n").len(), 9);
    assert_eq!(column(&rows, "time_s", "3", "max_ms")[0], "2000");
    let rows = table(dir.path(), "latency-legs");
    assert_eq!(column(&rows, "leg", "sender lag", "p99_ms"), ["1"]);
    assert_eq!(column(&rows, "leg", "whole way", "p50_ms"), ["15"]);
    assert_eq!(column(&rows, "leg", "broker", "n"), ["9"]);
    assert!(html.contains("1 lost: the curve ends at 90 %"));
    assert!(html.contains("<span class=\"badge\">latency measured</span>"));
}

#[test]
fn a_declared_limit_stands_out_and_its_check_is_named() {
    let (_dir, html) = ten().page();
    let html = html.replace("&#x2f;", "/");
    assert!(html.contains("<span class=\"status\">fail</span> in-class"), "no chip");
    assert!(html.contains(">99 % coverage</text>"));
    // A wider line where a check declares it.
    assert!(html.contains("stroke-width=\"1.6\" stroke-dasharray=\"6 4\""));
}

/// What is drawn is recorded: a change is looked at before it is accepted.
#[test]
fn the_pictures_of_ten_messages_stay_as_they_are() {
    let (dir, _) = ten().page();
    for name in ["box", "ecdf", "percentiles", "legs", "scatter"] {
        let path = dir.path().join(file::FIGURES);
        let svg = path.join(format!("latency-{name}-reading-head-end.svg"));
        let svg = fs::read_to_string(svg).unwrap().replace("><", ">\n<");
        insta::assert_snapshot!(name, svg);
    }
}

#[test]
fn what_a_model_injected_is_called_modelled_everywhere() {
    let (dir, html) = Small { real_time: None, ..ten() }.page();
    assert!(html.contains("latency modelled</span>") && !html.contains("latency measured"));
    assert!(html.contains("Modelled, not measured."));
    let rows = table(dir.path(), "latency-classes");
    assert!(rows[1..].iter().all(|row| row[4] == "modelled"), "{rows:?}");
    assert!(!html.contains("Timing consistent"));
    let classes = &html[html.find("class=\"classes\"").unwrap()..];
    let classes = &classes[..classes.find("</table>").unwrap()];
    for word in ["pass", "fail", "inconclusive"] {
        assert!(!classes.contains(&format!(">{word}<")), "{word}");
    }
    assert!(!html.contains("What the bench and the machine add"));
}

#[test]
fn a_run_without_latency_has_no_such_part() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert!(!html.contains("<h2>Latency") && !html.contains("latency measured"));
    let figures = fs::read_dir(dir.path().join(file::FIGURES)).unwrap();
    let names = figures.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.filter(|name| name.starts_with("latency")).count() == 0);
}

#[test]
fn a_record_without_a_message_is_reported() {
    let (_dir, html) = Small { delays_ms: &[], ..ten() }.page();
    assert!(html.contains("<h2>Latency") && html.contains("No message was due."));
}

#[test]
fn every_latency_picture_has_its_files_and_their_links() {
    let (dir, html) = ten().page();
    for name in [
        "latency-scatter-reading-head-end.svg",
        "latency-box-reading-head-end.svg",
        "latency-ecdf-reading-head-end.svg",
        "latency-percentiles-reading-head-end.svg",
        "latency-legs-reading-head-end.svg",
    ] {
        for name in [name.to_owned(), name.replace(".svg", ".csv")] {
            assert!(dir.path().join(file::FIGURES).join(&name).exists(), "{name}");
            assert!(html.contains(&format!("download=\"{name}\"")), "{name}");
        }
    }
    for name in ["classes", "quantiles", "legs", "floor"] {
        assert!(html.contains(&format!("download=\"latency-{name}.csv\"")), "{name}");
    }
}

#[test]
fn hostile_names_stay_text() {
    let path = format!("reading>{HOSTILE}");
    let mut facts = good();
    for text in [&mut facts.timer, &mut facts.policy, &mut facts.tls, &mut facts.clock.source] {
        HOSTILE.clone_into(text);
    }
    let small = Small { path: &path, real_time: Some(facts), ..ten() };
    let (dir, html) = small.page();
    assert!(!html.contains("<script") && !html.contains("alert('x')"));
    assert!(html.contains("received by &lt;script&gt;"));
    for entry in fs::read_dir(dir.path().join(file::FIGURES)).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(path.extension().unwrap() == "csv" || !text.contains("<script"), "{path:?}");
    }
}

#[test]
fn an_invalid_run_reports_why_and_judges_nothing() {
    let mut facts = good();
    facts.deadlines.missed = 3;
    let (_dir, html) = Small { real_time: Some(facts), ..ten() }.page();
    assert!(html.contains("Invalid run, no latency of it is judged: 3 of 20 deadlines missed"));
    assert!(html.contains("No timing class can be judged: invalid run"));
    assert!(!html.contains("Timing consistent"));
}

#[test]
fn a_torn_or_unreadable_record_still_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    ten().write(dir.path());
    fs::write(dir.path().join(file::LATENCY), "path,id\nx").unwrap();
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert!(html.contains("the record cannot be read"));
}

/// The whole of a larger page: several paths, injections, floor, links, published figures.
#[test]
fn a_sample_page_has_all_its_parts_and_is_the_same_again() {
    let dir = tempfile::tempdir().unwrap();
    LatencySample::WAN.write(dir.path(), CHECKS).unwrap();
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    let again = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert!(html == again, "two renderings differ");
    for part in [
        "readings, received by head-end",
        ">commands ",
        "disconnect wan: half-open",
        "Published beside ours",
        "a flexible meter, section 9, figure 21",
        "SCHED_FIFO 10",
        "What the bench and the machine add",
        "flexmeter-wan",
        "as asked",
        "A link is a proxy that ends TCP",
        "Left out by time as warm-up: the first 5 s, 500 messages",
        "Link wan: flexmeter-wan. Observer head-end receives through link wan.",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let evaluation = evaluate(dir.path()).unwrap();
    let median = evaluation.verdicts.iter().find(|verdict| verdict.check == "median").unwrap();
    let measured = &median.told.as_ref().unwrap().measured;
    let ours = measured.strip_prefix("median ").and_then(|rest| rest.split(',').next()).unwrap();
    assert!(html.contains(&format!("<td class=\"number\">{ours}</td>")), "{ours}");
}
