//! Several runs as one: status, the files on top, cases over two of what varies.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{Override, RunState, Status, file};
use lastmeter_reports::suite::{
    Attempt, AttemptedCheck, Case, CaseValue, Control, Outcome, PassedOver, Suite, SuiteRun, Twin,
};
use lastmeter_reports::{ExitCode, Reason, evaluate, render};

use crate::report::{BAD, HOSTILE};
use crate::sample::Sample;

fn run(root: &Path, folder: &str, sample: &Sample, twin: Option<&str>) -> SuiteRun {
    let dir = root.join(folder);
    sample.write(&dir).unwrap();
    let evaluation = evaluate(&dir).unwrap();
    evaluation.write(&dir).unwrap();
    let twin = twin.map(|check| Twin {
        check: check.to_owned(),
        verdict: Status::Fail,
        reason: None,
        twin_of: format!("first-light/{check}"),
        control: None,
    });
    let scenario = folder.to_owned();
    SuiteRun {
        folder: Some(folder.to_owned()),
        scenario,
        file: Some(format!("{folder}.toml")),
        place: 0,
        case: None,
        twin,
        quarantine: None,
        attempts: Vec::new(),
        outcome: Outcome::Judged(Box::new(evaluation)),
    }
}

#[test]
fn a_suite_is_as_bad_as_its_worst_run_and_twins_are_turned_round() {
    let root = tempfile::tempdir().unwrap();
    let only_current = Sample { current_gain_error: 0.01, ..Sample::CALM };
    let interrupted = Sample { ends: Some(RunState::Interrupted), ..Sample::CALM };
    let good = run(root.path(), "good", &Sample::CALM, None);
    let bad = run(root.path(), "bad", &BAD, None);
    let twin = run(root.path(), "twin", &only_current, Some("current-in-class"));
    let two = run(root.path(), "two", &BAD, Some("current-in-class"));
    let tame = run(root.path(), "tame", &Sample::CALM, Some("current-in-class"));
    let early = run(root.path(), "early", &interrupted, Some("current-in-class"));
    let exits: Vec<u8> =
        [&good, &bad, &twin, &two, &tame, &early].map(|run| run.exit_code().number()).to_vec();
    assert_eq!(exits, [0, 1, 0, 1, 1, 130]);
    assert_eq!((twin.status(), twin.why()), (Status::Pass, None));
    assert_eq!(
        two.why().unwrap().to_string(),
        "`current-in-class` is fail as expected, but `readings-once` is fail"
    );
    let why = tame.why().unwrap().to_string();
    assert!(why.starts_with("`current-in-class` was expected to be fail and is pass"), "{why}");
    let suite = |runs: &[&SuiteRun]| Suite {
        name: "library".to_owned(),
        runs: runs.iter().map(|&run| run.clone()).collect(),
        ..Suite::default()
    };
    assert_eq!(suite(&[&good, &twin]).exit_code(), ExitCode::Passed);
    assert_eq!(suite(&[&good, &bad, &twin]).exit_code(), ExitCode::Failed);
    assert_eq!(suite(&[&bad, &early]).exit_code(), ExitCode::Interrupted);
    assert_eq!(suite(&[]).exit_code(), ExitCode::NothingEvaluated);
}

#[test]
fn the_suite_folder_holds_its_four_files() {
    let root = tempfile::tempdir().unwrap();
    let only_current = Sample { current_gain_error: 0.01, ..Sample::CALM };
    let suite = Suite {
        name: "library".to_owned(),
        runs: vec![
            run(root.path(), "good", &Sample::CALM, None),
            run(root.path(), "bad", &BAD, None),
            run(root.path(), "must-fail/current", &only_current, Some("current-in-class")),
            SuiteRun {
                folder: Some("broken".to_owned()),
                scenario: HOSTILE.to_owned(),
                file: None,
                place: 3,
                case: None,
                twin: None,
                quarantine: None,
                attempts: Vec::new(),
                outcome: Outcome::NotRun {
                    exit: ExitCode::Broken,
                    reason: Reason::BenchBroke,
                    why: format!("no port | {HOSTILE}").into(),
                },
            },
        ],
        started: Some(Sample::start()),
        host: Some("bench-01".to_owned()),
        passed_over: vec![PassedOver {
            path: "library/.x.toml".to_owned(),
            why: "a hidden file".into(),
        }],
        in_all: 4,
        ..Suite::default()
    };
    assert_eq!(suite.exit_code(), ExitCode::Broken);
    suite.write(root.path()).unwrap();
    let read = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("suite.json")).unwrap();
    assert_eq!((json["format_version"].as_u64(), json["exit_code"].as_u64()), (Some(1), Some(3)));
    assert_eq!(json["runs"][2]["status"], "pass");
    assert_eq!(json["runs"][2]["must_fail"]["check"], "current-in-class");
    assert_eq!(json["runs"][2]["verdicts"]["fail"], 1);
    let xml = read("junit.xml");
    assert!(xml.contains("tests=\"15\" failures=\"2\" errors=\"1\""), "{xml}");
    assert!(xml.contains("name=\"must fail: current-in-class\"") && !xml.contains("<script"));
    let html = read("index.html").replace("&#x2f;", "/");
    assert!(html.contains("href=\"./must-fail/current/report.html\""));
    assert!(!html.contains("<script") && !html.contains("./broken/"));
    let markdown = read("summary.md");
    assert!(markdown.starts_with("# library: error\n"), "{markdown}");
    assert!(markdown.contains("no port \\| \\<script\\>"), "{markdown}");
    // The word for machines stands last, where no text before it can move it.
    for (row, reason) in markdown.lines().skip(6).zip(["within-limit", "outside-limit"]) {
        assert!(row.ends_with(&format!("| {reason} |")), "{row}");
    }
    assert!(markdown.trim_end().ends_with("| bench-broke |"), "{markdown}");
    let reasons: Vec<&str> = json["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["within-limit", "outside-limit", "within-limit", "bench-broke"]);
    assert_eq!(json["passed_over"][0]["why"], "a hidden file");
}

/// The cells of the map in the index: its rows, each with status, share and number of cases.
fn cells(html: &str) -> Vec<Vec<String>> {
    let table = html.split("<table class=\"heat\">").nth(1).unwrap().split("</table>").next();
    let rows = table.unwrap().split("<tbody>").nth(1).unwrap().split("</tr>");
    let text = |cell: &str| {
        let mut text = String::new();
        let mut is_text = false;
        for c in cell.chars() {
            match c {
                '<' => is_text = false,
                '>' => is_text = true,
                c if is_text => text.push(c),
                _ => {}
            }
        }
        text
    };
    let cells = |row: &str| row.split("<td").skip(1).map(text).collect::<Vec<_>>();
    rows.map(cells).filter(|row: &Vec<String>| !row.is_empty()).collect()
}

#[test]
fn the_index_shows_cases_over_two_of_what_varies() {
    let root = tempfile::tempdir().unwrap();
    let case = |gain: &str, load: &str, seed: &str, sample: &Sample| {
        let name = format!("gain={gain}+load={load}+seed={seed}");
        let mut run = run(root.path(), &format!("sweep/{name}"), sample, None);
        let values = [("device.m.gain", gain), ("load.a", load), ("scenario.seed", seed)];
        let values = values.map(|(address, value)| CaseValue {
            address: address.to_owned(),
            value: value.to_owned(),
        });
        run.case = Some(Case { scenario: "sweep".to_owned(), name, values: values.to_vec() });
        run
    };
    let only_current = Sample { current_gain_error: 0.01, ..Sample::CALM };
    let mut suite = Suite {
        name: "suite".to_owned(),
        runs: vec![
            case("0", "1", "1", &Sample::CALM),
            case("0", "1", "2", &only_current),
            case("0", "2", "1", &Sample::CALM),
            case("9", "1", "1", &BAD),
        ],
        ..Suite::default()
    };
    suite.write(root.path()).unwrap();
    let html = fs::read_to_string(root.path().join("index.html")).unwrap();
    let map = cells(&html);
    assert_eq!(map.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    // The worst of two seeds, what was not run, and the link to the worst.
    assert!(map[0][0].starts_with("fail") && map[0][0].ends_with("2 cases"), "{map:?}");
    assert!(map[0][1].starts_with("pass") && map[0][1].ends_with('%'), "{map:?}");
    assert!(map[1][0].starts_with("fail") && map[1][1].is_empty(), "{map:?}");
    let href = html.replace("&#x2f;", "/");
    assert!(href.contains("\"./sweep/gain%3D0%2Bload%3D1%2Bseed%3D2/report.html\""), "{href}");
    suite.map = vec!["scenario.seed".to_owned(), "load.a".to_owned()];
    suite.write(root.path()).unwrap();
    let map = cells(&fs::read_to_string(root.path().join("index.html")).unwrap());
    assert!(map[0][0].starts_with("fail") && map[0][1].starts_with("pass"), "{map:?}");
    assert!(map[1][0].starts_with("fail") && map[1][1].is_empty(), "{map:?}");
    let json = fs::read_to_string(root.path().join("suite.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["runs"][1]["case"]["values"][2]["value"], "2");
    // Without cases there is none.
    suite.runs.iter_mut().for_each(|run| run.case = None);
    suite.write(root.path()).unwrap();
    assert!(!fs::read_to_string(root.path().join("index.html")).unwrap().contains("heat\""));
}

/// The word of a run has the run's status, and is the machine's only if nothing else is.
#[test]
fn the_reason_of_a_run_is_that_of_its_worst_verdict() {
    use Reason::{BeyondRange, HostLoad, Modelled, NoFloor, OutsideLimit, WithinLimit};
    let root = tempfile::tempdir().unwrap();
    let mut good = run(root.path(), "good", &Sample::CALM, None);
    let mut reasons = |given: &[Reason]| {
        let Outcome::Judged(evaluation) = &mut good.outcome else { panic!("judged") };
        evaluation.verdicts.truncate(given.len());
        for (verdict, reason) in evaluation.verdicts.iter_mut().zip(given) {
            verdict.set_reason(*reason);
        }
        (good.status(), good.reason())
    };
    for (given, expected) in [
        (&[Modelled, WithinLimit, WithinLimit, Modelled][..], WithinLimit),
        (&[HostLoad, WithinLimit, NoFloor], HostLoad),
        (&[HostLoad, BeyondRange, WithinLimit], BeyondRange),
        (&[HostLoad, OutsideLimit], OutsideLimit),
        (&[Modelled], Modelled),
        (&[], Reason::NothingToJudge),
    ] {
        assert_eq!(reasons(given), (expected.status(), expected), "{given:?}");
    }
    for (ends, expected) in [
        (Some(RunState::Interrupted), Reason::Unfinished),
        (None, Reason::Unfinished),
        (Some(RunState::Error), Reason::BenchBroke),
        (Some(RunState::Skipped), Reason::RunSkipped),
    ] {
        let folder = format!("{ends:?}");
        let early = run(root.path(), &folder, &Sample { ends, ..Sample::CALM }, None);
        assert_eq!((early.status(), early.reason()), (expected.status(), expected), "{folder}");
    }
    fs::write(root.path().join("good/observations.csv"), "x\n").unwrap();
    let unreadable = evaluate(&root.path().join("good")).unwrap();
    assert_eq!(unreadable.reason(), Reason::RecordUnreadable);
}

/// What CI lists beside a test: how long it took, when, where, with what changed.
#[test]
fn junit_states_time_host_and_overrides() {
    let root = tempfile::tempdir().unwrap();
    let mut start = BAD.start_facts();
    start.facts.overrides = Some(vec![Override {
        option: "--set".to_owned(),
        address: "check.frequency.limit".to_owned(),
        value: "\"1 Hz\"".to_owned(),
        was: Some("\"10 mHz\"".to_owned()),
    }]);
    let dir = root.path().join("bad");
    BAD.write_as(&dir, &start).unwrap();
    let evaluation = evaluate(&dir).unwrap();
    evaluation.write(&dir).unwrap();
    let xml = fs::read_to_string(dir.join(file::JUNIT)).unwrap();
    for part in [
        "timestamp=\"2027-01-18T17:00:00.000Z\" time=\"2.340\" hostname=\"bench-01\"",
        "value=\"check.frequency.limit = &quot;1 Hz&quot; (was &quot;10 mHz&quot;)\"",
        // Seven checks share 2.34 s.
        "<testcase name=\"frequency\" classname=\"first-light\" time=\"0.334\">",
        "<property name=\"reason\" value=\"readings-lost\"/>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    let html = fs::read_to_string(render(&dir).unwrap()).unwrap();
    let head = &html[..html.find("<tbody>").unwrap()];
    assert!(head.contains("check.frequency.limit"), "on the first screen");
}

/// What a twin shows is known only with how the same ended without its defect.
#[test]
fn a_twin_is_as_expected_only_if_its_control_passed() {
    let root = tempfile::tempdir().unwrap();
    let only_current = Sample { current_gain_error: 0.01, ..Sample::CALM };
    let twin = run(root.path(), "twin", &only_current, Some("current-in-class"));
    let of = |control: &SuiteRun| {
        let control = Some(Control::of(control));
        let twin_of = twin.twin.clone().map(|twin| Twin { control, ..twin });
        SuiteRun { twin: twin_of, ..twin.clone() }
    };
    let good = run(root.path(), "twin/control", &Sample::CALM, None);
    let bad = run(root.path(), "bad", &BAD, None);
    let ended = |reason: Reason, exit: ExitCode| SuiteRun {
        outcome: Outcome::NotRun { exit, reason, why: "of the control".into() },
        ..good.clone()
    };
    for (control, reason, exit) in [
        (&good, Reason::WithinLimit, ExitCode::Passed),
        (&bad, Reason::NotAsExpected, ExitCode::Failed),
        (
            &ended(Reason::RunSkipped, ExitCode::NothingEvaluated),
            Reason::NotAsExpected,
            ExitCode::Failed,
        ),
        (
            &ended(Reason::BetweenBounds, ExitCode::Inconclusive),
            Reason::NotAsExpected,
            ExitCode::Failed,
        ),
        (
            &ended(Reason::HostLoad, ExitCode::Inconclusive),
            Reason::HostLoad,
            ExitCode::Inconclusive,
        ),
        (&ended(Reason::BenchBroke, ExitCode::Broken), Reason::BenchBroke, ExitCode::Broken),
        (&ended(Reason::NotRun, ExitCode::Terminated), Reason::NotRun, ExitCode::Terminated),
    ] {
        let judged = of(control);
        assert_eq!((judged.reason(), judged.exit_code()), (reason, exit));
        let why = judged.why().map(|why| why.to_string()).unwrap_or_default();
        assert_eq!(exit == ExitCode::Passed, why.is_empty(), "{why}");
        assert!(why.is_empty() || why.contains("`current-in-class` found"), "{why}");
    }
    let suite = Suite { name: "s".to_owned(), runs: vec![of(&good), of(&bad)], ..Suite::default() };
    suite.write(root.path()).unwrap();
    let text = |file: &str| fs::read_to_string(root.path().join(file)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text("suite.json")).unwrap();
    let control = &json["runs"][0]["must_fail"]["control"];
    assert_eq!((&control["status"], &control["folder"]), (&"pass".into(), &"twin/control".into()));
    let xml = text("junit.xml");
    for (name, value) in
        [("control", "pass"), ("control", "fail"), ("control_reason", "within-limit")]
    {
        let property = format!("<property name=\"{name}\" value=\"{value}\"/>");
        assert!(xml.contains(&property), "{property} in {xml}");
    }
    assert!(text("summary.md").contains("| twin (must fail; control pass) | pass |"));
    assert!(text("index.html").contains("control: fail"));
}

#[test]
fn what_passes_after_it_failed_is_green_and_flaky_with_each_attempt() {
    let root = tempfile::tempdir().unwrap();
    let bad = run(root.path(), "attempts/x/1", &BAD, None);
    let failed = bad.judged().unwrap().verdicts.iter().filter(|it| it.status == Status::Fail);
    let attempt = |checks: Vec<AttemptedCheck>, number: usize| Attempt {
        folder: format!("attempts/x/{number}"),
        status: bad.status(),
        reason: bad.reason(),
        why: bad.why(),
        checks,
    };
    let checks = failed.map(|verdict| AttemptedCheck {
        check: verdict.check.clone(),
        status: verdict.status,
        why: verdict.why.clone(),
    });
    let attempts = vec![attempt(checks.collect(), 1)];
    let mut suite = Suite {
        name: "suite".to_owned(),
        runs: vec![SuiteRun { attempts, ..run(root.path(), "x", &Sample::CALM, None) }],
        in_all: 1,
        ..Suite::default()
    };
    suite.write(root.path()).unwrap();
    assert_eq!((suite.exit_code(), suite.runs[0].is_flaky()), (ExitCode::Passed, true));
    let read = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("suite.json")).unwrap();
    assert_eq!(
        (&json["runs"][0]["flaky"], &json["runs"][0]["status"]),
        (&true.into(), &"pass".into())
    );
    let failures = suite.runs[0].attempts[0].checks.len();
    assert!(failures > 0);
    let xml = read("junit.xml");
    assert_eq!(xml.matches("<flakyFailure type=\"fail\" message=\"").count(), failures, "{xml}");
    assert!(
        xml.contains("failures=\"0\"") && xml.contains("name=\"flaky\" value=\"true\""),
        "{xml}"
    );
    assert!(read("summary.md").contains("x (flaky: 2 attempts)"));
    assert!(read("index.html").contains("flaky: 2 attempts"));
    // The same once it is read again.
    let again = Suite::read(root.path()).unwrap();
    again.write(root.path()).unwrap();
    assert_eq!(read("junit.xml"), xml);
    // One that an earlier version wrote has less in it.
    let mut earlier = json.clone();
    earlier.as_object_mut().unwrap().retain(|key, _| !["in_all", "map", "shard"].contains(&&**key));
    let run = earlier["runs"][0].as_object_mut().unwrap();
    run.retain(|key, _| !["place", "case", "attempts", "flaky", "quarantine"].contains(&&**key));
    fs::write(root.path().join("suite.json"), earlier.to_string()).unwrap();
    assert_eq!(Suite::read(root.path()).unwrap().exit_code(), ExitCode::Passed);
    // Without a pass at the end nothing is green.
    suite.runs[0].outcome = bad.outcome.clone();
    suite.write(root.path()).unwrap();
    assert_eq!((suite.exit_code(), suite.runs[0].is_flaky()), (ExitCode::Failed, false));
    assert!(read("junit.xml").contains("<rerunFailure type=\"fail\""), "{}", read("junit.xml"));
    assert!(!read("junit.xml").contains("flakyFailure"));
    // A folder elsewhere is of no suite.
    let text = read("suite.json").replace("attempts/x/1", "../x");
    fs::write(root.path().join("suite.json"), text).unwrap();
    let error = Suite::read(root.path()).unwrap_err().to_string();
    assert!(error.contains("the folder `../x`"), "{error}");
}
