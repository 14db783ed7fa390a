//! Tests of the registry of checks, and of what holds of every verdict.

pub(crate) mod testing;

use self::testing::facts;
use super::*;
use crate::check::CHECK_FIELDS;
use crate::check::kind::{CheckContext, finish};
use crate::verdict::Reason;
use lastmeter_record::{RunState, Status};

#[test]
fn each_kind_is_named_once_and_documented() {
    let mut names: Vec<_> = CHECKS.iter().map(|kind| kind.entry.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len());
    assert!(CHECKS.iter().filter_map(|kind| kind.former_name).all(|name| !names.contains(&name)));
    for kind in CHECKS {
        assert!(kind.entry.description.len() > kind.entry.summary.len());
        assert!(kind.entry.fields.iter().all(|field| !field.doc.is_empty()));
        let common = |name| CHECK_FIELDS.iter().any(|field| field.name == name);
        assert!(!kind.entry.fields.iter().any(|field| common(field.name)));
    }
}

#[test]
fn only_a_finished_run_passes_anything() {
    let context = CheckContext { name: "c".to_owned(), ..CheckContext::default() };
    for (state, expected) in [
        (RunState::Finished, Status::ALL.map(|status| status)),
        (RunState::Interrupted, worst_with(Status::Inconclusive)),
        (RunState::Running, worst_with(Status::Inconclusive)),
        (RunState::Error, worst_with(Status::Error)),
    ] {
        let statuses = Status::ALL.map(|status| {
            finish(context.verdict(Reason::of(status), "1", "fine"), &facts(state)).status
        });
        assert_eq!(statuses, expected, "{state:?}");
    }
}

fn worst_with(other: Status) -> [Status; 5] {
    Status::ALL.map(|status| status.max(other))
}

#[test]
fn what_is_no_number_is_not_written_as_one() {
    let context = CheckContext { name: "c".to_owned(), ..CheckContext::default() };
    let mut verdict = context.verdict(Reason::OutsideLimit, "%", "x");
    verdict.measured = Some(f64::INFINITY);
    verdict.bound = Some(f64::NAN);
    let finished = finish(verdict, &facts(RunState::Finished));
    assert_eq!((finished.measured, finished.bound), (None, None));
}
