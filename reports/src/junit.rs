//! Verdicts as JUnit XML: one test suite per run, one test case per check.
//!
//! The elements and attributes are those of Jenkins' `junit-10.xsd`, with `properties` in
//! `testcase` besides, as pytest and Surefire write them; `tests/conformance/junit.xsd` has it
//! formally. An inconclusive check is a failure of type `inconclusive`: a reader that knows only
//! pass and fail must not take it for a pass. Checks share their run, so the time of each is its
//! share of the run's wall time, and the sum is the run's.

use lastmeter_units::SimTime;

use crate::evaluation::Evaluation;
use crate::verdict::{Reason, Verdict};
use lastmeter_record::{RunFacts, Status};
use lastmeter_text::{Prose, append, escape, exact};

/// The XML of one or several runs.
pub fn of_runs<'a>(name: &str, runs: impl IntoIterator<Item = &'a Evaluation>) -> String {
    let groups: Vec<Group> = runs.into_iter().map(of_run).collect();
    document(name, &groups)
}

/// A `testsuite`.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) timestamp: Option<SimTime>,
    pub(crate) hostname: Option<String>,
    pub(crate) time_s: f64,
    pub(crate) properties: Vec<(&'static str, String)>,
    pub(crate) cases: Vec<Case>,
}

/// A `testcase`.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) classname: String,
    pub(crate) status: Status,
    /// Absent where there is nothing to add.
    pub(crate) why: Option<Prose>,
    /// Where in the record.
    pub(crate) place: Option<String>,
    pub(crate) properties: Vec<(&'static str, String)>,
    /// How it ended in attempts before, where it was no pass.
    pub(crate) attempts: Vec<(Status, Option<Prose>)>,
}

/// The suite of one run.
pub(crate) fn of_run(run: &Evaluation) -> Group {
    let facts = &run.facts;
    let mut properties = vec![
        ("seed", facts.seed.to_string()),
        ("exit_code", run.exit_code().number().to_string()),
        ("reason", run.reason().word().to_owned()),
    ];
    properties.extend(facts.overrides().iter().map(|changed| ("override", changed.to_string())));
    Group {
        name: facts.scenario.clone(),
        timestamp: Some(facts.started),
        hostname: host_of(facts),
        time_s: wall_s(facts),
        properties,
        cases: run.verdicts.iter().map(of_verdict).collect(),
    }
}

/// The machine's name, if it is known.
fn host_of(facts: &RunFacts) -> Option<String> {
    Some(facts.host.get("name")?.as_str()?.to_owned())
}

/// How long a run took on the wall, in seconds; zero of one that has no end, or whose clock was set
/// back.
fn wall_s(facts: &RunFacts) -> f64 {
    let took = facts.ended.map(|ended| (ended - facts.started).as_seconds_f64());
    took.filter(|took| took.is_finite()).unwrap_or(0.0).max(0.0)
}

/// The properties that every case has.
pub(crate) fn status_and_reason(status: Status, reason: Reason) -> Vec<(&'static str, String)> {
    vec![("status", status.word().to_owned()), ("reason", reason.word().to_owned())]
}

fn of_verdict(verdict: &Verdict) -> Case {
    let mut properties = status_and_reason(verdict.status, verdict.reason);
    let optional =
        [("measured", verdict.measured), ("limit", verdict.limit), ("bound", verdict.bound)];
    for (name, value) in optional {
        properties.extend(value.map(|value| (name, exact(value))));
    }
    properties.push(("unit", verdict.unit.clone()));
    properties.push(("n", verdict.n.to_string()));
    if !verdict.covers.is_empty() {
        properties.push(("covers", verdict.covers.join(" ")));
    }
    properties.extend(verdict.qualification.clone().map(|text| ("qualification", text)));
    Case {
        name: verdict.check.clone(),
        classname: verdict.scenario.clone(),
        status: verdict.status,
        why: Some(verdict.why.clone()),
        place: verdict.at.as_ref().map(ToString::to_string),
        properties,
        attempts: Vec::new(),
    }
}

/// How many test cases there are, and how many of them are no pass.
#[derive(Clone, Copy, Default)]
struct Sums {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Sums {
    fn of<'a>(cases: impl Iterator<Item = &'a Case>) -> Self {
        let mut sums = Self::default();
        for case in cases {
            sums.tests += 1;
            match case.status {
                Status::Pass => {}
                Status::Skipped => sums.skipped += 1,
                Status::Inconclusive | Status::Fail => sums.failures += 1,
                Status::Error => sums.errors += 1,
            }
        }
        sums
    }
}

/// The XML of these suites.
pub(crate) fn document(name: &str, groups: &[Group]) -> String {
    let Sums { tests, failures, errors, .. } =
        Sums::of(groups.iter().flat_map(|group| &group.cases));
    let time_s: f64 = groups.iter().map(|group| group.time_s).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    append(
        &mut xml,
        format_args!(
            "<testsuites name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" \
             errors=\"{errors}\" time=\"{time_s:.3}\">\n",
            attribute(name)
        ),
    );
    for group in groups {
        add_group(&mut xml, group);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn add_group(xml: &mut String, group: &Group) {
    let Sums { tests, failures, errors, skipped } = Sums::of(group.cases.iter());
    append(
        xml,
        format_args!(
            "    <testsuite name=\"{}\" tests=\"{tests}\" skipped=\"{skipped}\" \
             failures=\"{failures}\" errors=\"{errors}\"",
            attribute(&group.name)
        ),
    );
    if let Some(timestamp) = group.timestamp {
        append(xml, format_args!(" timestamp=\"{timestamp}\""));
    }
    append(xml, format_args!(" time=\"{:.3}\"", group.time_s));
    if let Some(hostname) = &group.hostname {
        append(xml, format_args!(" hostname=\"{}\"", attribute(hostname)));
    }
    xml.push_str(">\n");
    add_properties(xml, &group.properties, "        ");
    let share_s = group.time_s / group.cases.len().max(1) as f64;
    for case in &group.cases {
        add_case(xml, case, share_s);
    }
    xml.push_str("    </testsuite>\n");
}

fn add_properties(xml: &mut String, properties: &[(&str, String)], indent: &str) {
    if properties.is_empty() {
        return;
    }
    append(xml, format_args!("{indent}<properties>\n"));
    for (name, value) in properties {
        let value = attribute(value);
        append(xml, format_args!("{indent}    <property name=\"{name}\" value=\"{value}\"/>\n"));
    }
    append(xml, format_args!("{indent}</properties>\n"));
}

fn add_case(xml: &mut String, case: &Case, time_s: f64) {
    let indent = "            ";
    append(
        xml,
        format_args!(
            "        <testcase name=\"{}\" classname=\"{}\" time=\"{time_s:.3}\">\n",
            attribute(&case.name),
            attribute(&case.classname)
        ),
    );
    add_properties(xml, &case.properties, indent);
    let why = case.why.as_ref().map(ToString::to_string).unwrap_or_default();
    let tag = match case.status {
        Status::Pass => None,
        Status::Skipped => Some("skipped"),
        Status::Inconclusive | Status::Fail => Some("failure"),
        Status::Error => Some("error"),
    };
    let again = if tag.is_none() { "flaky" } else { "rerun" };
    let attempts = case.attempts.iter().map(|(status, why)| {
        let kind = if *status == Status::Error { "Error" } else { "Failure" };
        let message = attribute(&why.as_ref().map(ToString::to_string).unwrap_or_default());
        format!("{indent}<{again}{kind} type=\"{status}\" message=\"{message}\"/>\n")
    });
    let attempts: String = attempts.collect();
    match tag {
        Some(tag) => {
            let (word, message) = (case.status.word(), attribute(&why));
            append(xml, format_args!("{indent}<{tag} type=\"{word}\" message=\"{message}\""));
            match &case.place {
                Some(place) => append(xml, format_args!(">{}</{tag}>\n", escape(place))),
                None => xml.push_str("/>\n"),
            }
        }
        None if !why.is_empty() => {
            append(xml, format_args!("{indent}<system-out>{}</system-out>\n", escape(&why)));
        }
        None => {}
    }
    xml.push_str(&attempts);
    xml.push_str("        </testcase>\n");
}

/// Text as it may stand in an attribute, where a reader would make spaces of line breaks.
fn attribute(text: &str) -> String {
    escape(text).replace('\n', "&#10;").replace('\r', "&#13;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_place() {
        assert_eq!(escape("a<b>&\"'c"), "a&lt;b&gt;&amp;&quot;&apos;c");
        assert_eq!(attribute("a\nb\tc\r"), "a&#10;b&#9;c&#13;");
        assert_eq!(
            escape("\u{1b}[31m\0\u{ffff}\u{1f600}"),
            "\u{fffd}[31m\u{fffd}\u{fffd}\u{1f600}"
        );
    }

    fn case(status: Status) -> Case {
        Case {
            name: "c".to_owned(),
            classname: "s".to_owned(),
            status,
            why: None,
            place: None,
            properties: Vec::new(),
            attempts: Vec::new(),
        }
    }

    #[test]
    fn every_case_is_counted_where_readers_look_for_it_and_times_add_up() {
        let group = |cases: Vec<Case>, time_s: f64| Group {
            name: "g".to_owned(),
            timestamp: None,
            hostname: None,
            time_s,
            properties: Vec::new(),
            cases,
        };
        let all: Vec<Case> = Status::ALL.into_iter().map(case).collect();
        let groups = [group(all, 10.0), group(vec![case(Status::Pass)], 0.25), group(vec![], 1.0)];
        let xml = document("n", &groups);
        let head = r#"<testsuites name="n" tests="6" failures="2" errors="1" time="11.250">"#;
        assert!(xml.contains(head), "{xml}");
        let first = r#"<testsuite name="g" tests="5" skipped="1" failures="2" errors="1" time="10"#;
        assert!(xml.contains(first), "{xml}");
        let sum: f64 = xml
            .match_indices("<testcase ")
            .map(|(at, _)| {
                let (_, rest) = xml[at..].split_once("time=\"").unwrap();
                rest.split('"').next().unwrap().parse::<f64>().unwrap()
            })
            .sum();
        assert!((sum - 10.25).abs() < 1e-9, "{sum}");
    }
}
