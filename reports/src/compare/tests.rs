//! Comparisons of written run folders and baselines.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lastmeter_record::{FORMAT_VERSION, LATENCY_HEADER, RunFacts, RunState};

use super::*;
use crate::evaluate::verdicts_json;
use crate::verdict::{Reason, Verdict};

/// A folder of run folders.
struct Runs(tempfile::TempDir);

impl Runs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn facts(scenario: &str, time: TimeMode) -> RunFacts {
        RunFacts {
            format_version: FORMAT_VERSION,
            state: RunState::Finished,
            scenario: scenario.to_owned(),
            seed: 1,
            time,
            end: "1970-01-01T00:01:00Z".parse().unwrap(),
            ..RunFacts::default()
        }
    }

    /// Writes a run with these checks.
    fn write(&self, name: &str, facts: &RunFacts, verdicts: &[Verdict]) -> PathBuf {
        let dir = self.path(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("run.json"), serde_json::to_vec(facts).unwrap()).unwrap();
        fs::write(dir.join("verdicts.json"), verdicts_json(verdicts)).unwrap();
        fs::write(dir.join("observations.csv"), "device\nmeter\n").unwrap();
        fs::write(dir.join("events.jsonl"), "{}\n").unwrap();
        fs::write(dir.join("scenario.toml"), "format = 1\n").unwrap();
        dir
    }

    fn virtual_run(&self, name: &str, verdicts: &[Verdict]) -> PathBuf {
        self.write(name, &Self::facts("s", TimeMode::Virtual), verdicts)
    }

    /// Writes a run in real time whose messages all take so long.
    fn real_run(&self, name: &str, ms: f64, verdicts: &[Verdict]) -> PathBuf {
        let dir = self.write(name, &Self::facts("s", TimeMode::Real), verdicts);
        let mut text = LATENCY_HEADER.join(",") + "\n";
        for second in 11..60_i64 {
            let intended = second * 1_000_000_000;
            let queryable = intended + (ms * 1e6) as i64;
            writeln!(text, "reading,m/1/{second},{intended},{intended},,,,,,,{queryable},,,,,,9,1")
                .unwrap();
        }
        fs::write(dir.join("latency.csv"), text).unwrap();
        dir
    }

    fn suite(&self, name: &str, runs: &serde_json::Value) -> PathBuf {
        let dir = self.path(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("suite.json"), runs.to_string()).unwrap();
        dir
    }
}

fn verdict(check: &str, status: Status, measured: Option<f64>) -> Verdict {
    let json = serde_json::json!({
        "check": check, "scenario": "s", "status": status, "reason": Reason::of(status),
        "measured": measured, "limit": 2.0, "unit": "%", "n": 9, "bound": null, "at": null,
        "covers": [], "why": "because",
    });
    serde_json::from_value(json).unwrap()
}

fn between(base: &[PathBuf], new: &[PathBuf]) -> Comparison {
    Comparison::of(&Side::read(base).unwrap(), &Side::read(new).unwrap())
}

fn outcomes(comparison: &Comparison) -> Vec<(String, RowOutcome, Option<RowReason>)> {
    let rows = comparison.scenarios.iter().flat_map(|one| &one.rows);
    rows.map(|row| (row.metric.clone(), row.outcome, row.reason)).collect()
}

#[test]
fn in_virtual_time_each_check_is_compared_by_status_and_value() {
    use Status::{Error, Fail, Inconclusive, Pass, Skipped};
    let runs = Runs::new();
    for (before, after, expected) in [
        ((Pass, Some(1.0)), (Pass, Some(1.0)), (RowOutcome::Equal, None)),
        // Of its tolerances, 1 % and a thousandth of the limit, both have to be exceeded.
        ((Pass, Some(1.0)), (Pass, Some(1.009)), (RowOutcome::Changed, None)),
        ((Pass, Some(0.01)), (Pass, Some(0.0119)), (RowOutcome::Changed, None)),
        ((Pass, Some(1.0)), (Pass, Some(1.011)), (RowOutcome::Worse, Some(RowReason::NearerLimit))),
        ((Pass, Some(1.0)), (Pass, Some(-1.5)), (RowOutcome::Worse, Some(RowReason::NearerLimit))),
        ((Pass, Some(1.0)), (Pass, Some(0.5)), (RowOutcome::Better, None)),
        ((Pass, Some(1.0)), (Fail, Some(2.5)), (RowOutcome::Worse, Some(RowReason::Status))),
        ((Pass, Some(1.0)), (Inconclusive, None), (RowOutcome::Worse, Some(RowReason::Status))),
        ((Fail, Some(3.0)), (Error, None), (RowOutcome::Worse, Some(RowReason::Status))),
        ((Fail, Some(3.0)), (Pass, Some(1.0)), (RowOutcome::Better, None)),
        ((Fail, Some(3.0)), (Fail, Some(4.0)), (RowOutcome::Worse, Some(RowReason::NearerLimit))),
        ((Pass, None), (Pass, Some(1.0)), (RowOutcome::Changed, None)),
        (
            (Pass, Some(1.0)),
            (Skipped, None),
            (RowOutcome::CannotGate, Some(RowReason::NotEvaluated)),
        ),
        ((Skipped, None), (Fail, None), (RowOutcome::Worse, Some(RowReason::Status))),
    ] {
        let one = runs.virtual_run("one", &[verdict("c", before.0, before.1)]);
        let two = runs.virtual_run("two", &[verdict("c", after.0, after.1)]);
        let found = between(&[one], &[two]);
        let (_, outcome, reason) = outcomes(&found)[0].clone();
        assert_eq!((outcome, reason), expected, "{before:?} to {after:?}");
        let code = match expected.0 {
            RowOutcome::Worse => ExitCode::Failed,
            RowOutcome::CannotGate => ExitCode::Inconclusive,
            _ => ExitCode::Passed,
        };
        assert_eq!(found.exit(), code, "{before:?} to {after:?}");
    }
}

#[test]
fn another_limit_is_named() {
    let runs = Runs::new();
    let one = verdict("a", Status::Pass, Some(1.0));
    let wide = Verdict { limit: Some(50.0), ..one.clone() };
    let base = runs.virtual_run("base", &[one]);
    let found = between(&[base], &[runs.virtual_run("wide", &[wide])]);
    let row = ("check a".to_owned(), RowOutcome::Changed, Some(RowReason::OtherLimit));
    assert_eq!(outcomes(&found)[0], row);
}

#[test]
fn a_limit_with_two_sides_is_neared_from_its_middle() {
    let metric = |limit_low| Metric {
        status: Some(Status::Pass),
        limit: Some(12.0),
        limit_low,
        ..Metric::default()
    };
    assert_eq!(metric(Some(8.0)).badness(9.0), Some(1.0));
    assert_eq!(metric(Some(8.0)).badness(11.0), Some(1.0));
    assert_eq!(metric(None).badness(-9.0), Some(9.0));
    assert_eq!(Metric { limit: None, ..metric(None) }.badness(9.0), None);
}

#[test]
fn files_are_compared_byte_for_byte_and_checks_by_name() {
    let runs = Runs::new();
    let checks = [verdict("a", Status::Pass, Some(1.0)), verdict("b", Status::Pass, Some(1.0))];
    let one = runs.virtual_run("one", &checks);
    let two = runs.virtual_run("two", &checks);
    assert!(
        between(std::slice::from_ref(&one), std::slice::from_ref(&two)).scenarios[0].is_equal()
    );
    fs::write(two.join("observations.csv"), "device\nmeter\nother\n").unwrap();
    fs::remove_file(two.join("events.jsonl")).unwrap();
    let found = between(std::slice::from_ref(&one), &[two]);
    let differences = [("observations.csv", Some(3)), ("events.jsonl", None)]
        .map(|(file, line)| Difference { file: file.to_owned(), line });
    assert_eq!(found.scenarios[0].differences, differences);
    assert_eq!((found.exit(), found.scenarios[0].is_equal()), (ExitCode::Passed, false));
    // What is gone is worse, what is new is not.
    let less = runs.virtual_run("less", &[verdict("b", Status::Pass, Some(1.0))]);
    let found = between(std::slice::from_ref(&one), std::slice::from_ref(&less));
    assert_eq!(outcomes(&found)[0], ("check a".into(), RowOutcome::Worse, Some(RowReason::Gone)));
    let found = between(&[less], &[one]);
    assert_eq!((found.exit(), found.compared), (ExitCode::Passed, 2));
    assert_eq!(outcomes(&found)[1], ("check a".into(), RowOutcome::New, None));
}

#[test]
fn what_has_no_counterpart_is_named() {
    let runs = Runs::new();
    let checks = [verdict("a", Status::Pass, Some(1.0))];
    let one = runs.virtual_run("one", &checks);
    let write = |name: &str, facts: RunFacts| runs.write(name, &facts, &checks);
    let facts = |name, time| Runs::facts(name, time);
    let seed = write("seed", RunFacts { seed: 2, ..facts("s", TimeMode::Virtual) });
    let real = write("real", facts("s", TimeMode::Real));
    let other = write("other", facts("t", TimeMode::Virtual));
    let reason = |new: &PathBuf| {
        let found = between(std::slice::from_ref(&one), std::slice::from_ref(new));
        (outcomes(&found)[0].2, found.exit(), found.only_new.len())
    };
    assert_eq!(reason(&seed), (Some(RowReason::OtherSeed), ExitCode::Inconclusive, 0));
    assert_eq!(reason(&real), (Some(RowReason::OtherTime), ExitCode::Inconclusive, 0));
    assert_eq!(reason(&other), (Some(RowReason::NoRun), ExitCode::NothingEvaluated, 1));
    // A run that cannot be read outweighs the rest.
    fs::write(seed.join("verdicts.json"), "[\n1]").unwrap();
    let found = between(std::slice::from_ref(&one), &[one.clone(), seed]);
    assert_eq!(found.exit(), ExitCode::Broken);
    assert!(found.broken[0].contains("verdicts.json:2: "), "{:?}", found.broken);
}

#[test]
fn suites_are_compared_run_by_run_and_twins_by_their_status() {
    let runs = Runs::new();
    let suite = |name: &str, measured: f64, twin: &str, broken: &str| {
        runs.virtual_run(&format!("{name}/s"), &[verdict("a", Status::Pass, Some(measured))]);
        runs.suite(
            name,
            &serde_json::json!({ "runs": [
                { "scenario": "s", "folder": "s", "status": "pass" },
                { "scenario": "twin", "folder": "s", "status": twin, "must_fail": {} },
                { "scenario": "gone.toml", "folder": null, "status": broken },
            ]}),
        )
    };
    let base = suite("base", 1.0, "pass", "pass");
    let of = |new: &Path| {
        let found = between(std::slice::from_ref(&base), &[new.to_owned()]);
        let worse = found
            .scenarios
            .iter()
            .filter(|one| one.rows.iter().any(|row| row.outcome == RowOutcome::Worse));
        (worse.map(|one| one.scenario.clone()).collect::<Vec<_>>(), found.exit())
    };
    assert_eq!(of(&suite("same", 1.0, "pass", "pass")), (vec![], ExitCode::Passed));
    let worse = |name: &str| (vec![name.to_owned()], ExitCode::Failed);
    assert_eq!(of(&suite("nearer", 1.5, "pass", "pass")), worse("s"));
    assert_eq!(of(&suite("twin", 1.0, "fail", "pass")), worse("twin"));
    assert_eq!(of(&suite("broken", 1.0, "pass", "error")), worse("gone.toml"));
}

/// Five runs of each side, of a path that takes so long.
fn real_sides(runs: &Runs, factor: f64, failed: usize) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let side = |name: &str, factor: f64, failed: usize| -> Vec<PathBuf> {
        let run = |k: usize| {
            let status = if k < failed { Status::Fail } else { Status::Pass };
            let ms = 10.0 * factor * (1.0 + 0.002 * k as f64);
            runs.real_run(&format!("{name}{k}"), ms, &[verdict("c", status, Some(1.0))])
        };
        (0..6).map(run).collect()
    };
    (side("base", 1.0, 0), side("new", factor, failed))
}

#[test]
fn in_real_time_the_runs_decide() {
    let runs = Runs::new();
    let (base, new) = real_sides(&runs, 1.3, 0);
    let found = between(&base, &new);
    assert_eq!(found.exit(), ExitCode::Failed);
    let row = &found.scenarios[0].rows[1];
    assert_eq!((&*row.metric, row.outcome), ("latency reading p50", RowOutcome::Worse));
    let ratio = row.statistics.as_ref().unwrap().ratio.unwrap().value;
    assert!((ratio - 1.3).abs() < 1e-3, "{ratio}");
    let text = found.to_string();
    assert!(text.contains("  latency reading p50: beyond its tolerance of 10 %"), "{text}");
    assert!(text.contains("6 runs against 6"), "{text}");
    // The check measured the same throughout, and its failures are counted.
    assert_eq!(outcomes(&found)[0], ("check c".into(), RowOutcome::NoChange, None));
    let (base, new) = real_sides(&runs, 1.0, 6);
    let found = between(&base, &new);
    let failed = ("check c failed".into(), RowOutcome::Worse, Some(RowReason::FailsMoreOften));
    assert_eq!((found.exit(), outcomes(&found)[1].clone()), (ExitCode::Failed, failed));
    let (base, new) = real_sides(&runs, 1.0, 1);
    let found = between(&base, &new);
    assert_eq!(found.exit(), ExitCode::Passed, "{found}");
    let found = between(&base[..1], &new[..1]);
    assert_eq!(found.exit(), ExitCode::Inconclusive);
    assert!(found.to_string().contains("1 run against 1; 5 against 5 are needed"), "{found}");
    // What did not run to its end gives no value.
    let facts = RunFacts { state: RunState::Interrupted, ..Runs::facts("s", TimeMode::Real) };
    runs.write("new0", &facts, &[]);
    runs.write("new1", &facts, &[]);
    let found = between(&base, &new);
    assert_eq!((found.exit(), found.scenarios[0].left_out), (ExitCode::Inconclusive, 2));
}

#[test]
fn a_run_that_broke_without_a_record_counts_wherever_it_is() {
    let runs = Runs::new();
    let good = runs.virtual_run("good", &[verdict("c", Status::Pass, Some(1.0))]);
    let broken = |name: &str, scenario: &str| {
        let run = serde_json::json!({ "scenario": scenario, "folder": null, "status": "error" });
        runs.suite(name, &serde_json::json!({ "runs": [run] }))
    };
    let known = broken("known", "s");
    let base = std::slice::from_ref(&good);
    for new in [[good.clone(), known.clone()], [known.clone(), good.clone()]] {
        let found = between(base, &new);
        assert_eq!((found.exit(), found.worse), (ExitCode::Failed, 1), "{found}");
    }
    // A base that broke too hides nothing of its run that did not.
    let found = between(&[good.clone(), known.clone()], &[known]);
    assert_eq!(found.exit(), ExitCode::Failed, "{found}");
    let found = between(base, &[good.clone(), broken("unknown", "s.toml")]);
    assert_eq!((found.exit(), found.broken.len()), (ExitCode::Broken, 1), "{found}");
    // In real time it is one more run of its scenario, whatever its seed.
    let (base, new) = real_sides(&runs, 1.0, 0);
    let case = broken("case", "s/seed=7");
    let one_more = std::slice::from_ref(&case);
    for new in [[one_more, &new].concat(), [&new[..], one_more].concat(), vec![case.clone()]] {
        let found = between(&base, &new);
        assert_eq!((found.exit(), found.worse), (ExitCode::Failed, 1), "{found}");
        assert_eq!((found.scenarios[0].left_out, found.only_new.len()), (1, 0), "{found}");
    }
    let both = between(&[one_more, &base].concat(), &[&new[..], one_more].concat());
    assert_eq!((both.exit(), both.scenarios.len()), (ExitCode::Passed, 1), "{both}");
}

#[test]
fn each_new_run_has_to_have_a_check() {
    let runs = Runs::new();
    let checks = [verdict("a", Status::Pass, Some(1.0)), verdict("b", Status::Pass, Some(1.0))];
    let one = runs.virtual_run("one", &checks);
    let less = runs.virtual_run("less", &checks[1..]);
    let found = between(std::slice::from_ref(&one), &[one.clone(), less]);
    assert_eq!(outcomes(&found)[0], ("check a".into(), RowOutcome::Worse, Some(RowReason::Gone)));
    assert_eq!((found.exit(), found.worse), (ExitCode::Failed, 1), "{found}");
    let (base, mut new) = real_sides(&runs, 1.0, 0);
    new.push(runs.real_run("without", 10.0, &[]));
    let found = between(&base, &new);
    assert_eq!(outcomes(&found)[0], ("check c".into(), RowOutcome::Worse, Some(RowReason::Gone)));
}

#[test]
fn in_real_time_what_breaks_more_often_is_worse() {
    let runs = Runs::new();
    let (base, new) = real_sides(&runs, 1.0, 0);
    for (state, outcome, code) in [
        (RunState::Error, RowOutcome::Worse, ExitCode::Failed),
        (RunState::Stopped, RowOutcome::Worse, ExitCode::Failed),
        (RunState::Running, RowOutcome::Worse, ExitCode::Failed),
        (RunState::Interrupted, RowOutcome::CannotGate, ExitCode::Inconclusive),
    ] {
        let facts = RunFacts { state, ..Runs::facts("s", TimeMode::Real) };
        let more = [runs.write("more", &facts, &[])];
        let found = between(&base, &[&new[..], &more].concat());
        let row = ("run".to_owned(), outcome, Some(RowReason::LeftOut));
        assert_eq!((found.exit(), outcomes(&found).pop()), (code, Some(row)), "{found}");
        let same = between(&[&base[..], &more].concat(), &[&new[..], &more].concat());
        assert_eq!(same.exit(), ExitCode::Passed, "{same}");
    }
}

#[test]
fn a_baseline_stands_for_the_runs_it_was_written_from() {
    let runs = Runs::new();
    let (base, new) = real_sides(&runs, 1.3, 0);
    let virtual_base = runs.write(
        "virtual",
        &Runs::facts("v", TimeMode::Virtual),
        &[verdict("a", Status::Pass, Some(1.0)), verdict("b", Status::Skipped, None)],
    );
    let all = [base, vec![virtual_base.clone()]].concat();
    let text = baseline_of(&Side::read(&all).unwrap()).unwrap();
    let file = runs.path("baseline.toml");
    fs::write(&file, &text).unwrap();
    let by_runs = between(&all, &new);
    let by_file = between(std::slice::from_ref(&file), &new);
    assert_eq!(by_file.scenarios[0].rows, by_runs.scenarios[0].rows);
    assert_eq!(by_file.exit(), ExitCode::Failed);
    let same = between(std::slice::from_ref(&file), &all);
    assert_eq!((same.exit(), same.cannot_gate), (ExitCode::Passed, 0), "{same}");
    // Its tolerances count.
    let loose = text.replace("relative_percent = 10.0", "relative_percent = 40.0");
    let loose = loose.replace("relative_percent = 25.0", "relative_percent = 40.0");
    fs::write(&file, loose).unwrap();
    assert_eq!(between(std::slice::from_ref(&file), &new).worse, 0);
    let strict = text.replace("absolute = 0.002", "absolute = 0.6");
    fs::write(&file, strict).unwrap();
    let nearer = runs.write(
        "nearer",
        &Runs::facts("v", TimeMode::Virtual),
        &[verdict("a", Status::Pass, Some(1.5)), verdict("b", Status::Skipped, None)],
    );
    assert_eq!(between(&[file], std::slice::from_ref(&nearer)).worse, 0);
    assert_eq!(between(&[virtual_base], &[nearer]).worse, 1);
}

#[test]
fn a_broken_baseline_is_reported_with_its_line() {
    let runs = Runs::new();
    let text = "format = 1\n\n[[scenario]]\nname = \"s\"\ntime = \"virtual\"\nseed = 1\n\n\
                [[scenario.metric]]\nname = \"check a\"\nstatus = \"pass\"\nvalue = 1.0\n\
                relative_percent = 1.0\nabsolute = 0.5\n";
    let file = runs.path("b.toml");
    let read = |text: &str| {
        fs::write(&file, text).unwrap();
        Side::read(std::slice::from_ref(&file)).map_err(|error| error.to_string())
    };
    assert_eq!(read(text).unwrap().groups[0].metrics[0].values, [1.0]);
    let again = text[text.find("[[scenario]]").unwrap()..].to_owned();
    for (from, to, expected) in [
        ("format = 1", "format = 2", "b.toml:1: `format` is 2; expected 1"),
        ("format = 1\n", "", "b.toml:1: missing field `format`"),
        ("virtual", "sometimes", "b.toml:5: unknown variant `sometimes`, expected `virtual` or"),
        ("value = 1.0", "value = \"x\"", "b.toml:11: invalid type: string \"x\", expected f64"),
        ("value = 1.0", "value = nan", "b.toml:11: `value` is nan; expected a number"),
        ("value = 1.0", "runs = [nan]", "b.toml:11: `runs` has a nan; expected numbers"),
        ("= 0.5", "= -0.5", "b.toml:13: `absolute` is -0.5; expected a number of 0 or more"),
        ("t = 1.0", "t = inf", "b.toml:12: `relative_percent` is inf; expected a number of 0"),
        ("absolute", "absolut", "b.toml:13: unknown field `absolut`, expected one of"),
        ("absolute = 0.5\n", "", "b.toml:8: missing field `absolute`"),
        ("seed = 1", "seed = -1", "b.toml:6: invalid value: integer `-1`, expected u64"),
        ("value = 1.0", "value = ", "b.toml:11: "),
    ] {
        let wrong = text.replacen(from, to, 1);
        let error = read(&wrong).unwrap_err();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
    let error = read(&(text.to_owned() + &again)).unwrap_err();
    assert!(error.contains("b.toml:15: the scenario `s` is there twice"), "{error}");
    let metric = text[text.find("[[scenario.metric]]").unwrap()..].to_owned();
    let error = read(&(text.to_owned() + &metric)).unwrap_err();
    assert!(error.contains("b.toml:15: the metric `check a` is there twice"), "{error}");
}

#[test]
fn what_has_no_runs_is_named() {
    let runs = Runs::new();
    fs::write(runs.path("notes.txt"), "").unwrap();
    fs::create_dir(runs.path("empty")).unwrap();
    for (name, expected) in [
        ("empty", "a folder without runs; expected a run folder (run.json)"),
        ("nowhere", "not found"),
        ("notes.txt", "a file of another kind"),
    ] {
        let error = Side::read(&[runs.path(name)]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
}
