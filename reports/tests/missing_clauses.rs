//! What the test plans that come along do not play of their standards: sound, and in the docs.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lastmeter_plans::standard::{EMBEDDED, MissingClause, TestPlan};

const BEGIN: &str = "<!-- Made from base/plans/test_plans by `UPDATE_GOLDEN=1 cargo test -p \
                     lastmeter-reports --test missing_clauses`: begin -->\n";
const END: &str = "<!-- end -->\n";

fn test_plans() -> Vec<TestPlan> {
    let test_plans = EMBEDDED.iter().map(|(_, text)| TestPlan::read(text).unwrap());
    test_plans.filter(|test_plan| !test_plan.tests.is_empty()).collect()
}

/// Of whom a clause is asked, where not of all.
fn asked_of(test_plan: &TestPlan, clause: &MissingClause) -> String {
    let mut of = Vec::new();
    if !clause.classes.is_empty() {
        let names: Vec<&str> =
            clause.classes.iter().map(|class| test_plan.classes[*class].as_str()).collect();
        of.push(format!("class {}", names.join(", ")));
    }
    of.extend(
        clause.connections.iter().map(|connection| format!("{} connection", connection.word())),
    );
    if clause.three_phases {
        of.push("three phases".to_owned());
    }
    if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) }
}

/// The part of docs/test-plans.md.
fn tables() -> String {
    let mut text = String::new();
    for test_plan in test_plans() {
        let _ = writeln!(text, "\n### {}\n", test_plan.name);
        text.push_str("| clause | name | what it asks for | why no test plays it | elsewhere |\n");
        text.push_str("|---|---|---|---|---|\n");
        for clause in &test_plan.missing_clauses {
            let word = if clause.confirmed { "" } else { ", unverified" };
            let _ = writeln!(
                text,
                "| {}{word} | `{}` | {}{} | {} | {} |",
                clause.clause,
                clause.name,
                clause.title,
                asked_of(&test_plan, clause),
                clause.reason,
                clause.elsewhere.as_deref().unwrap_or("-"),
            );
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_docs_have_every_missing_clause_of_every_test_plan() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/test-plans.md");
    let docs = std::fs::read_to_string(path).unwrap();
    let (before, rest) = docs.split_once(BEGIN).unwrap();
    let (made, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", tables())).unwrap();
        return;
    }
    assert!(made == tables(), "docs/test-plans.md is old; run the test with UPDATE_GOLDEN=1");
}

/// No simulated meter can be heated, struck or radiated at, so no standard is played as a whole;
/// and what is declared to be tested elsewhere is.
#[test]
fn every_test_plan_lacks_something_and_names_where_else_it_is_tested() {
    let test_plans = test_plans();
    let tests: BTreeMap<&str, Vec<&str>> = test_plans
        .iter()
        .map(|test_plan| {
            (
                test_plan.name.as_str(),
                test_plan.tests.iter().map(|test| test.name.as_str()).collect(),
            )
        })
        .collect();
    assert_eq!(tests.len(), 10);
    for test_plan in &test_plans {
        let lacks = |name: &str| test_plan.missing_clauses.iter().any(|clause| clause.name == name);
        let has_environment = lacks("environment") || lacks("influences");
        assert!(has_environment && test_plan.missing_clauses.len() > 5, "{}", test_plan.name);
        for clause in &test_plan.missing_clauses {
            let at = format!("{}: {}", test_plan.name, clause.name);
            assert!(!clause.clause.is_empty() && !clause.title.is_empty(), "{at}");
            let Some(elsewhere) = &clause.elsewhere else { continue };
            let words = elsewhere.split([' ', ',']).filter(|word| tests.contains_key(word));
            let named: Vec<&str> = words.collect();
            assert!(
                !named.is_empty() && !named.contains(&test_plan.name.as_str()),
                "{at}: {elsewhere}"
            );
            // A test that it names is one of that test plan.
            if let Some(test) = elsewhere.split('`').nth(1) {
                assert!(tests[named[0]].contains(&test), "{at}: {elsewhere}");
            }
        }
    }
}

/// What the test plans play of single-phase load: wherever it is not missing, a test loads one
/// phase.
#[test]
fn no_test_plan_of_an_energy_forgets_one_phase_loaded() {
    for test_plan in
        test_plans().iter().filter(|test_plan| !test_plan.name.starts_with("iec-61000"))
    {
        let plays = test_plan.tests.iter().any(|test| test.loaded.iter().any(Option::is_some));
        assert!(plays, "{}", test_plan.name);
    }
}
