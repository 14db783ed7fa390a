//! What a class asks for and a run did not test: clauses of the standard that no test of its test
//! plan plays, and tests of the test plan that were skipped.
//!
//! With any of it a class is met *in the tests that the plan has*, and never simply met.

use serde::Serialize;

use super::assess::Assessment;
use lastmeter_plans::standard::Plan;

/// What a pass by a limit from memory is worth.
pub(crate) const UNCONFIRMED: &str = "limit unconfirmed";

/// What a pass by a plan that lacks something of the standard is worth.
pub(crate) const MISSING: &str = "clauses missing";

/// Something that a class asks for, and that was not tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Where in the standard.
    pub clause: String,
    /// A short name: that of the clause in the test plan, or of the test.
    pub name: String,
    /// What it asks for.
    pub title: String,
    /// Why it was not tested.
    pub reason: String,
    /// Where else it is tested, if anywhere.
    pub elsewhere: Option<String>,
    /// Whether the clause was read in a source; else it is from memory.
    pub confirmed: bool,
}

impl Missing {
    /// `no figure of it is known here; tested by test plan mid-annex-v`.
    pub fn why(&self) -> String {
        match &self.elsewhere {
            Some(elsewhere) => format!("{}; tested by {elsewhere}", self.reason),
            None => self.reason.clone(),
        }
    }

    /// `8.2, table 8 (unverified)`.
    pub fn place(&self) -> String {
        let word = if self.confirmed { "" } else { " (unverified)" };
        format!("{}{word}", self.clause)
    }
}

impl Assessment {
    /// What the class asks for and was not tested, the test plan's clauses first.
    pub fn missing(&self, plan: &Plan) -> Vec<Missing> {
        let (test_plan, claim) = (&plan.test_plan, &plan.claim);
        let asked = test_plan
            .missing_clauses
            .iter()
            .filter(|clause| clause.is_asked_of(self.class, claim.connection, claim.phases));
        let clauses = asked.map(|clause| Missing {
            clause: clause.clause.clone(),
            name: clause.name.clone(),
            title: clause.title.clone(),
            reason: clause.reason.clone(),
            elsewhere: clause.elsewhere.clone(),
            confirmed: clause.confirmed,
        });
        let skipped = self.tests.iter().filter_map(|result| {
            let test = &test_plan.tests[result.test];
            let limit = test.limits.first();
            Some(Missing {
                reason: result.skipped.as_ref()?.reason().to_owned(),
                clause: limit.map_or_else(String::new, |limit| limit.clause.clone()),
                name: test.name.clone(),
                title: test.title.clone(),
                elsewhere: None,
                confirmed: limit.is_some_and(|limit| limit.confirmed),
            })
        });
        clauses.chain(skipped).collect()
    }
}

/// `dc-field (8.2, table 8), self-heating (7.3)`.
pub(crate) fn named(missing: &[Missing]) -> String {
    let name = |one: &Missing| match one.clause.as_str() {
        "" => one.name.clone(),
        clause => format!("{} ({clause})", one.name),
    };
    missing.iter().map(name).collect::<Vec<_>>().join(", ")
}
