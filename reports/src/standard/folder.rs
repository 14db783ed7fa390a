//! A run folder's test plan, read and held against every class.

use std::path::Path;

use lastmeter_params::{Diagnostics, SourceId, parse_document};

use super::assess::{Assessment, Item, with_uncertainty};
use super::assessor::Assessor;
use lastmeter_plans::standard::{Plan, plan_of, value_text};
use lastmeter_record::{RecordError, RunReader, changed};

/// What a run shows of its test plan.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// What was played and judged.
    pub plan: Plan,
    /// For each class of the test plan, in its order.
    pub classes: Vec<Assessment>,
}

impl Assessed {
    /// Reads a run folder; `None` if its scenario has no test plan, or none that this version
    /// reads.
    pub fn read(dir: &Path) -> Result<Option<Self>, RecordError> {
        let reader = RunReader::open(dir)?;
        let text = reader.scenario_toml()?;
        let document = parse_document(&text, SourceId::FILE, &mut Diagnostics::new());
        let plan = plan_of(&document, &reader.facts().files, &mut Diagnostics::new());
        plan.map(|plan| Self::of(&reader, plan)).transpose()
    }

    /// Like [`Self::read`], of an open folder and its plan. A record that cannot be read to its
    /// end, or that is not what the run wrote, is in doubt as a whole.
    pub(crate) fn of(reader: &RunReader, plan: Plan) -> Result<Self, RecordError> {
        let (facts, text) = (reader.facts(), reader.scenario_toml()?);
        let mut assessor = Assessor::new(plan, facts.start);
        let reader = reader.hashing();
        let mut events = reader.events()?;
        for event in &mut events {
            match event {
                Ok((_, event)) => assessor.event(&event),
                Err(error) => assessor.unreadable(format!("the record cannot be read: {error}")),
            }
        }
        let mut rows = reader.observations()?;
        let mut count = 0;
        loop {
            match rows.next_row() {
                Ok(Some(row)) => {
                    assessor.observation(&row);
                    count += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    assessor.unreadable(format!("the record cannot be read: {error}"));
                    break;
                }
            }
        }
        if let Some(why) = changed(facts, &text, &[events.found(), rows.found(count)]) {
            assessor.unreadable(why);
        }
        let plan = assessor.plan().clone();
        let classes =
            (0..plan.test_plan.classes.len()).map(|class| assessor.assessment(class, facts));
        Ok(Self { classes: classes.collect(), plan })
    }

    /// The conclusion on the claimed class.
    pub fn claimed(&self) -> &Assessment {
        &self.classes[self.plan.claim.class]
    }

    /// `In, PF 1: 0.31 ± 0.002 %, limit 0.2 %`.
    pub fn describe_item(&self, item: &Item) -> String {
        let place = item.planned.coordinates.describe(&self.plan.test_plan);
        match &item.figures {
            None => format!("{place}: {}", item.why),
            Some(figures) => {
                let limit = value_text(item.planned.figure, &figures.unit);
                format!("{place}: {}, limit {limit}", with_uncertainty(item))
            }
        }
    }
}
