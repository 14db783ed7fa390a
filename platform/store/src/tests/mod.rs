//! Tests that every store has to pass.
//!
//! Each of [`STORES`] is given the same random work, with failing batches and restarts, and has to
//! answer as the one in memory does, whose content keeps the laws of storing.
//!
//! | file | purpose |
//! |---|---|
//! | `memory` | maps, the reference that the others are compared with |
//! | `work` | the work, made at random |
//! | `seen` | everything that a reader answers |
//! | `server` | a PostgreSQL server of a test's own |
//! | `subject` | a store under test: its place, its writer, batches that fail |
//! | `laws` | what holds of the content whatever the work was |
//! | `documents` | what the random work is unlikely to meet of documents |
//! | `rollups` | sums of buckets, and what retention leaves |
//! | `pages` | where pages of large rows end |
//! | `migration` | what an earlier version stored |
//! | `ledger` | the rules of storing once more, without batches and without a store |

mod documents;
mod laws;
mod ledger;
mod migration;
mod pages;
mod rollups;
mod seen;
#[path = "../../tests/postgres/server.rs"]
#[expect(dead_code, reason = "other tests do more with it")]
mod server;
mod subject;
mod work;

use proptest::prelude::*;
use server::{Server, postgres_for_tests};
use subject::Subject;
use work::{Step, steps_with_retention};

use crate::stores::{STORES, StoreKind};

fn with_cases(cases: u32) -> ProptestConfig {
    ProptestConfig::with_cases(cases)
}

/// A store of each kind, new; without PostgreSQL where it is not installed.
fn subjects(server: Option<&Server>) -> Vec<Subject> {
    let is_there = |kind: &&StoreKind| kind.name != "postgres" || server.is_some();
    STORES.iter().filter(is_there).map(|kind| Subject::new(kind, server)).collect()
}

#[test]
fn every_store_answers_alike() {
    let server = postgres_for_tests(false);
    proptest!(with_cases(24), |(steps in steps_with_retention())| {
        let mut subjects = subjects(server.as_ref());
        for (index, step) in steps.iter().enumerate() {
            let outcomes: Vec<_> = subjects.iter_mut().map(|one| one.step(step, index)).collect();
            let answers: Vec<_> = subjects.iter().map(Subject::seen).collect();
            for (other, subject) in subjects.iter().enumerate().skip(1) {
                let names = format!("{} and {}", subjects[0].name(), subject.name());
                prop_assert_eq!(&outcomes[0], &outcomes[other], "outcomes of {}", names);
                for (query, answer) in &answers[0] {
                    let of_other = answers[other].get(query);
                    prop_assert_eq!(Some(answer), of_other, "{} of {}", query, names);
                }
                prop_assert_eq!(answers[0].len(), answers[other].len());
                prop_assert_eq!(subjects[0].expiries(), subject.expiries());
            }
        }
    });
}

#[test]
fn a_failed_batch_changes_nothing() {
    let server = postgres_for_tests(false);
    proptest!(with_cases(24), |(steps in steps_with_retention())| {
        for mut subject in subjects(server.as_ref()) {
            for (index, step) in steps.iter().enumerate() {
                if let Step::Fail(writes, jobs) = step {
                    let before = subject.seen();
                    if subject.try_apply(*writes, jobs, index).is_err() {
                        prop_assert_eq!(&subject.seen(), &before);
                        subject.restart();
                        prop_assert_eq!(&subject.seen(), &before);
                    }
                } else {
                    subject.step(step, index);
                }
            }
        }
    });
}
