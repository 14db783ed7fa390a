//! Reports: at an hour of the day after each period of a plan it is asked what is stored of the
//! period, and what [`made`] makes of it is kept; where somebody asks for it again, in a new
//! version.

pub(crate) mod made;

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_model::calendar::{Stretch, Zone};
use lastmeter_model::document::Document;
use lastmeter_model::entity::{
    Body as _, Report, ReportFailure, ReportPlan, TenantSettings, Token, report_token,
};
use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};

use crate::border::{
    Asker, Input, Output, Query, Rows, Service, ServiceKind, Subject, Task, Unanswered,
};
use made::{Period, ReportRow, row};

/// The row of [`crate::SERVICES`].
pub(crate) const KIND: ServiceKind = ServiceKind {
    name: "reports",
    doc: "makes what plans want of each period, and again where somebody asks for it",
    kinds: &[ReportPlan::CODE, TenantSettings::CODE],
    build: |snapshot| Box::new(Reports::of(snapshot)),
};

#[derive(Debug, Default)]
struct Reports {
    plans: BTreeMap<String, Planned>,
    zone: Option<Zone>,
    /// Plans by when they are due next.
    due: BTreeSet<(SimTime, String)>,
    /// What was asked, by its number.
    asked: BTreeMap<u64, Asked>,
    asks: u64,
    kept: BTreeMap<String, Done>,
}

#[derive(Debug)]
struct Planned {
    plan: ReportPlan,
    /// The next period that is not made, and when it is.
    next: Option<(Stretch, SimTime)>,
}

/// A report that is being made.
#[derive(Debug)]
struct Asked {
    plan: String,
    period: Period,
    /// The number of the run, if somebody asked for it.
    run: Option<u64>,
}

/// How far a plan has come.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    /// Until when periods are made.
    after: SimTime,
    /// The last run.
    run: u64,
    /// When the last report was made.
    last: Option<SimTime>,
    failure: Option<ReportFailure>,
}

impl Reports {
    fn of(snapshot: Option<&[u8]>) -> Self {
        let kept = snapshot.and_then(|bytes| serde_json::from_slice(bytes).ok());
        Self { kept: kept.unwrap_or_default(), ..Self::default() }
    }

    fn zone(&self) -> Zone {
        self.zone.clone().unwrap_or_else(Zone::utc)
    }

    fn document(&mut self, document: &Document, out: &mut Vec<Output>) {
        if document.kind.code == TenantSettings::CODE {
            let body = serde_json::from_str::<TenantSettings>(&document.body).ok();
            let body = body.filter(|_| !document.is_deleted);
            self.zone = body.map(|settings| settings.time_zone);
            let plans: Vec<_> = self.plans.keys().cloned().collect();
            for token in plans {
                self.plan_next(&token);
            }
            return;
        }
        let token = &document.token;
        self.forget(token);
        let plan = serde_json::from_str::<ReportPlan>(&document.body).ok();
        let Some(plan) = plan.filter(|_| !document.is_deleted) else {
            self.kept.remove(token);
            return;
        };
        let new = Done { after: document.created, run: 0, last: None, failure: None };
        let done = self.kept.entry(token.clone()).or_insert(new);
        let runs: Vec<_> = plan.runs.iter().filter(|run| run.number > done.run).cloned().collect();
        self.plans.insert(token.clone(), Planned { plan, next: None });
        self.plan_next(token);
        for run in runs {
            self.ask(token, run.at, Some(run.number), out);
        }
    }

    /// Forgets a plan that has changed or is gone.
    fn forget(&mut self, token: &str) {
        let before = self.plans.remove(token).and_then(|planned| planned.next);
        if let Some((_, due)) = before {
            self.due.remove(&(due, token.to_owned()));
        }
        self.asked.retain(|_, asked| asked.plan != token);
    }

    /// Finds the next period of a plan.
    fn plan_next(&mut self, token: &str) {
        let zone = self.zone();
        let (Some(planned), Some(done)) = (self.plans.get_mut(token), self.kept.get(token)) else {
            return;
        };
        if let Some((_, due)) = planned.next.take() {
            self.due.remove(&(due, token.to_owned()));
        }
        let plan = &planned.plan;
        if plan.disabled {
            return;
        }
        let Some(period) = plan.period.around(&zone, done.after) else { return };
        let due = zone.hour_of_date(period.until, plan.hour).max(period.until);
        planned.next = Some((period, due));
        self.due.insert((due, token.to_owned()));
    }

    /// Asks for what the report of the period of an instant rests on.
    fn ask(&mut self, token: &str, at: SimTime, run: Option<u64>, out: &mut Vec<Output>) {
        let zone = self.zone();
        let Some(planned) = self.plans.get(token) else { return };
        let (plan, row) = (&planned.plan, row(planned.plan.kind));
        let Some(within) = plan.period.around(&zone, at) else { return };
        let before = plan.period.around(&zone, SimTime(within.from.0.saturating_sub(1)));
        let period = Period { within, before: before.filter(|_| row.with_before), zone };
        let by = plan.owner.clone().map_or(Asker::Administrators, Asker::Principal);
        let query = Query {
            of: Subject::Of(plan.subject.clone()),
            by,
            quantities: row.quantities(),
            within: period.asked(),
            also: row.also,
        };
        self.asks += 1;
        self.asked.insert(self.asks, Asked { plan: token.to_owned(), period, run });
        out.push(Output::Ask { ask: self.asks, query });
    }

    fn answer(
        &mut self,
        now: SimTime,
        asked: Asked,
        rows: Result<&Rows, Unanswered>,
        out: &mut Vec<Output>,
    ) {
        let Asked { plan: token, period, run } = asked;
        let (Some(planned), Some(done)) = (self.plans.get(&token), self.kept.get_mut(&token))
        else {
            return;
        };
        let report = report(&token, &planned.plan, &period, (now, rows));
        match run {
            Some(run) => done.run = done.run.max(run),
            None => done.after = period.within.until,
        }
        (done.last, done.failure) = (Some(now), report.as_ref().and_then(|it| it.failure));
        if let Some(body) = report.and_then(|report| serde_json::to_value(report).ok()) {
            let kind = Report::kind();
            let token = report_token(&token, &period.zone, period.within.from);
            out.push(Output::Put { kind, token, body });
        }
        self.plan_next(&token);
    }
}

/// What a plan makes of a period.
fn report(
    token: &str,
    plan: &ReportPlan,
    period: &Period,
    (made, rows): (SimTime, Result<&Rows, Unanswered>),
) -> Option<Report> {
    let Stretch { from, until } = period.within;
    let mut report = Report {
        plan: Token::try_from(token.to_owned()).ok()?,
        name: plan.name.clone(),
        kind: plan.kind,
        subject: plan.subject.clone(),
        owner: plan.owner.clone(),
        from,
        until,
        zone: period.zone.clone(),
        made,
        failure: None,
        inputs: Vec::new(),
        missing: Vec::new(),
        content: serde_json::Map::new(),
        metadata: plan.metadata.clone(),
    };
    match rows {
        Err(Unanswered::TooMuch) => report.failure = Some(ReportFailure::TooMuch),
        Err(Unanswered::TooSlow) => report.failure = Some(ReportFailure::TooSlow),
        Err(Unanswered::Damaged) => report.failure = Some(ReportFailure::Damaged),
        Ok(rows) if rows.devices.is_empty() => report.failure = Some(ReportFailure::NoDevice),
        Ok(rows) => {
            let row: &ReportRow = row(plan.kind);
            (report.inputs, report.missing) = made::inputs(period, rows);
            let (content, missing) = (row.make)(period, rows);
            report.content = content;
            report.missing.extend(missing);
        }
    }
    Some(report)
}

impl Service for Reports {
    fn step(&mut self, now: SimTime, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Document(document) => self.document(document, out),
            Input::Started => {
                let plans = &self.plans;
                self.kept.retain(|token, _| plans.contains_key(token));
            }
            Input::Wake => {
                while let Some((_, token)) = self.due.first().filter(|(at, _)| *at <= now).cloned()
                {
                    let next = self.plans.get(&token).and_then(|planned| planned.next);
                    self.due.pop_first();
                    if let Some((period, _)) = next {
                        self.ask(&token, period.from, None, out);
                    }
                }
            }
            Input::Answer { ask, rows } => {
                if let Some(asked) = self.asked.remove(&ask) {
                    self.answer(now, asked, rows, out);
                }
            }
            Input::Reading { .. } | Input::Alert { .. } => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.plans.is_empty()
    }

    fn takes_rows(&self) -> bool {
        false
    }

    fn wake_at(&self) -> Option<SimTime> {
        self.due.first().map(|(at, _)| *at)
    }

    fn snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(&self.kept).unwrap_or_default()
    }

    fn tasks(&self) -> Vec<Task> {
        let task = |(token, planned): (&String, &Planned)| {
            let done = self.kept.get(token);
            let is_asking = self.asked.values().any(|asked| asked.plan == *token);
            let failure = done.and_then(|done| done.failure);
            let state = match failure {
                _ if is_asking => "asking",
                Some(failure) => failure.word(),
                None => "waiting",
            };
            Task {
                of: (ReportPlan::kind(), token.clone()),
                name: planned.plan.name.to_string(),
                period: planned.plan.period.word(),
                last: done.and_then(|done| done.last),
                next: planned.next.map(|(_, due)| due),
                state,
            }
        };
        self.plans.iter().map(task).collect()
    }
}

#[cfg(test)]
mod tests;
