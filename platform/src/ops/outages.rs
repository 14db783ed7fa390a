//! Outages: what applications report of them, what operators make of them, and which of them
//! somebody has switched on purpose.
//!
//! An outage is the last result of kind `outage` of an application's subject. It is proposed until
//! an operator confirms or rejects it. It is planned if, before its first last gasp, a person had
//! switched the network so that what is reported has no supply.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_model::access::{Action, Kind, Resource, Subject};
use lastmeter_model::document::{Edit, Expect, Transaction};
use lastmeter_model::entity::{Body as _, OutageReview, OutageVerdict};
use lastmeter_model::row::ResultRow;
use lastmeter_store::Page;
use lastmeter_units::{SimDuration, SimTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Caller;
use super::grid::{self, Network, Supply};
use super::results;
use super::topology::{self, When};
use crate::problem::Problem;

/// Versions that a timeline has of anything.
const VERSIONS_MAX: u32 = 200;
/// How far a fault may be from an outage that it does not name.
const FAULT_NEAR: SimDuration = SimDuration(60_000_000_000);

lastmeter_units::words! {
    /// What became of an outage.
    pub(crate) enum OutageState in files {
        Proposed = "proposed",
        Confirmed = "confirmed",
        PartlyRestored = "partly restored",
        Restored = "restored",
        Rejected = "rejected",
        Withdrawn = "withdrawn",
        Planned = "planned",
    }
}

lastmeter_units::words! {
    /// What an application reports of an outage.
    enum Reported in files {
        Detected = "detected",
        PartlyRestored = "partly_restored",
        Restored = "restored",
        Withdrawn = "withdrawn",
    }
}

/// What has failed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "OutageArea")]
pub(crate) struct Area {
    // `load`, `line`, `transformer`, `switch` or `source`.
    pub(crate) element: String,
    pub(crate) name: String,
    #[serde(default)]
    #[schemars(!default)]
    pub(crate) phases: String,
    pub(crate) likelihood: Option<f64>,
}

/// The content of a result of kind `outage`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Content {
    pub(crate) network: String,
    state: Reported,
    pub(crate) areas: Vec<Area>,
    /// Meters that should have been heard. Those of a large outage are counted only, as the others
    /// are.
    #[serde(default)]
    expected: Vec<String>,
    #[serde(default)]
    reported: Vec<String>,
    /// Meters that show that they have supply.
    #[serde(default)]
    pub(crate) contradicted: Vec<String>,
    /// Meters that have been heard since.
    #[serde(default)]
    pub(crate) restored: Vec<String>,
    /// How long lists are that are left out, by their names.
    #[serde(default)]
    left_out: BTreeMap<String, usize>,
    first_gasp: Option<SimTime>,
    last_gasp: Option<SimTime>,
    window_closed: Option<SimTime>,
    pub(crate) since: SimTime,
    pub(crate) until: Option<SimTime>,
}

/// A place where a fault may be.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Candidate {
    pub(crate) line: String,
    /// From the station, along the lines.
    pub(crate) distance_m: f64,
    /// From the first end of the line.
    pub(crate) along_m: f64,
    pub(crate) spread_m: Option<f64>,
    pub(crate) resistance_ohm: Option<f64>,
    pub(crate) likelihood: Option<f64>,
}

/// The content of a result of kind `fault`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fault {
    network: String,
    pub(crate) station: Option<String>,
    pub(crate) at: SimTime,
    #[serde(rename = "loop")]
    pub(crate) phases: Option<String>,
    #[serde(default)]
    pub(crate) candidates: Vec<Candidate>,
    outage: Option<String>,
}

impl Fault {
    /// Whether it is named by what located it as that of an outage, or else was near it in time.
    fn is_of(&self, outage: &Outage) -> bool {
        let apart = apart(self.at, outage.content.since).0.saturating_abs();
        let is_meant = match &self.outage {
            Some(named) => *named == outage.subject,
            None => apart <= FAULT_NEAR.0,
        };
        is_meant && self.network == outage.content.network
    }
}

/// The span from an instant to another: of centuries, in what somebody has made up, the longest.
fn apart(to: SimTime, from: SimTime) -> SimDuration {
    SimDuration(to.0.saturating_sub(from.0))
}

/// What an operator made of it, who and when.
#[derive(Clone, Debug)]
pub(crate) struct Review {
    pub(crate) verdict: OutageVerdict,
    pub(crate) by: String,
    pub(crate) at: SimTime,
}

/// The switching that explains it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) by: String,
    pub(crate) cause: Option<String>,
    pub(crate) version: u64,
}

/// An outage.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) token: String,
    /// By which its application knows it.
    subject: String,
    pub(crate) state: OutageState,
    pub(crate) content: Content,
    /// Expected meters whose last gasp was heard.
    pub(crate) heard: usize,
    /// How many meters are expected, restored and contradicted, listed or not.
    pub(crate) meters: [usize; 3],
    pub(crate) review: Option<Review>,
    pub(crate) planned: Option<Planned>,
    pub(crate) faults: Vec<Fault>,
}

/// The outages of a tenant.
pub(crate) struct Outages {
    /// The last one first.
    pub(crate) all: Vec<Outage>,
    /// Results of applications that are not of the form of an outage.
    pub(crate) unreadable: usize,
}

// Something that happened to an outage.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OutageEvent")]
pub(crate) struct Happening {
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) at: SimTime,
    pub(crate) text: String,
    pub(crate) by: Option<String>,
}

/// An outage with its history.
pub(crate) struct History {
    pub(crate) outage: Outage,
    pub(crate) timeline: Vec<Happening>,
    /// Minutes that connections were without supply, all of them together, up to now.
    pub(crate) minutes_lost: f64,
    /// How many connections that were.
    pub(crate) interrupted: usize,
}

impl Outage {
    /// Whether it takes supply from somebody.
    pub(crate) fn is_open(&self) -> bool {
        self.needs_somebody() || self.state == OutageState::Planned
    }

    /// Whether it is one of those that somebody has to look at.
    pub(crate) fn needs_somebody(&self) -> bool {
        use OutageState::{Confirmed, PartlyRestored, Proposed};
        matches!(self.state, Proposed | Confirmed | PartlyRestored)
    }

    fn of(row: &ResultRow, review: Option<Review>) -> Option<Self> {
        let token = results::token(row)?;
        let content: Content = serde_json::from_str(&row.content).ok()?;
        // One of before is of another outage that had this number.
        let review = review.filter(|review| review.at >= content.since);
        let verdict = review.as_ref().map(|review| review.verdict);
        let state = match (content.state, verdict) {
            (_, Some(OutageVerdict::Rejected)) => OutageState::Rejected,
            (Reported::Withdrawn, _) => OutageState::Withdrawn,
            (Reported::Restored, _) => OutageState::Restored,
            (Reported::PartlyRestored, _) => OutageState::PartlyRestored,
            (Reported::Detected, Some(OutageVerdict::Confirmed)) => OutageState::Confirmed,
            (Reported::Detected, None) => OutageState::Proposed,
        };
        let count = |name, ids: &[String]| content.left_out.get(name).map_or(ids.len(), |it| *it);
        let meters = [
            count("expected", &content.expected),
            count("restored", &content.restored),
            count("contradicted", &content.contradicted),
        ];
        let heard = if content.left_out.is_empty() {
            let reported: BTreeSet<&String> = content.reported.iter().collect();
            content.expected.iter().filter(|id| reported.contains(id)).count()
        } else {
            count("reported", &content.reported).min(meters[0])
        };
        let (subject, planned, faults) = (row.subject.clone(), None, Vec::new());
        Some(Self { token, subject, state, content, heard, meters, review, planned, faults })
    }
}

/// The outages of the tenant. A network that was loaded already is not again.
///
/// # Errors
/// 404 for who may not read all results.
pub(crate) async fn all(caller: &Caller, loaded: Option<&Network>) -> Result<Outages, Problem> {
    grid::require(caller)?;
    let rows = results::last(caller, results::OUTAGE).await?;
    let review = |row: &ResultRow| review_of(caller, &results::token(row)?);
    let mut all: Vec<Outage> = rows.iter().filter_map(|row| Outage::of(row, review(row))).collect();
    let unreadable = rows.len() - all.len();
    let faults = results::last(caller, results::FAULT).await?;
    let faults = faults.iter().filter_map(|row| serde_json::from_str(&row.content).ok());
    let faults: Vec<Fault> = faults.collect();
    let mut networks: BTreeMap<String, Option<Network>> = BTreeMap::new();
    for outage in &mut all {
        outage.faults = faults.iter().filter(|fault| fault.is_of(outage)).cloned().collect();
        if !matches!(outage.state, OutageState::Proposed | OutageState::PartlyRestored) {
            continue;
        }
        let token = &outage.content.network;
        let mut network = loaded.filter(|network| network.token == *token);
        if network.is_none() {
            if !networks.contains_key(token) {
                networks.insert(token.clone(), grid::load(caller, token).await.ok());
            }
            network = networks.get(token).and_then(Option::as_ref);
        }
        if let Some(network) = network {
            outage.planned = planned(caller, network, &outage.content).await?;
        }
        if outage.planned.is_some() {
            outage.state = OutageState::Planned;
        }
    }
    all.sort_by(|one, other| {
        (other.content.since, &one.token).cmp(&(one.content.since, &other.token))
    });
    Ok(Outages { all, unreadable })
}

/// What an operator made of an outage.
fn review_of(caller: &Caller, token: &str) -> Option<Review> {
    let document = caller.tenant.documents.find(OutageReview::kind(), token)?;
    let body: OutageReview = serde_json::from_str(&document.body).ok()?;
    Some(Review { verdict: body.verdict, by: document.by.clone(), at: document.changed })
}

/// The switching by a person that left all that an outage is about without supply before it.
async fn planned(
    caller: &Caller,
    network: &Network,
    outage: &Content,
) -> Result<Option<Planned>, Problem> {
    let before = outage.first_gasp.unwrap_or(outage.since);
    let switches = topology::states(caller, &network.token, When::At(before)).await?;
    let Some(by) = switches.by.clone().filter(|by| by.starts_with("user:")) else {
        return Ok(None);
    };
    let closed = grid::closed(caller, network, &switches).await?;
    let states = network.model.states(&closed, &[]);
    let is_dark = |area: &Area| {
        let at = network.model.find(&area.element, &area.name);
        at.is_some_and(|at| states[at].supply() == Supply::No)
    };
    let is_planned = !outage.areas.is_empty() && outage.areas.iter().all(is_dark);
    let planned = Planned { by, cause: switches.cause.clone(), version: switches.version };
    Ok(is_planned.then_some(planned))
}

/// An outage with its history.
///
/// # Errors
/// 404 if there is none with this token, or it is hidden.
pub(crate) async fn one(caller: &Caller, token: &str) -> Result<History, Problem> {
    let known = all(caller, None).await?.all;
    let outage = known.into_iter().find(|outage| outage.token == token);
    let unknown = || Problem::not_found("unknown_outage", format!("there is no outage `{token}`"));
    let outage = outage.ok_or_else(unknown)?;
    let rows = results::history(caller, results::OUTAGE, token).await?;
    let versions: Vec<(SimTime, Outage)> =
        rows.iter().filter_map(|row| Some((row.received, Outage::of(row, None)?))).collect();
    let timeline = timeline(caller, &outage, &versions).await?;
    let (minutes_lost, interrupted) = lost(&outage, &versions, caller.tenant.clock.now());
    Ok(History { outage, timeline, minutes_lost, interrupted })
}

/// Minutes lost by all connections together, and how many they are. A meter has supply again when
/// the first result lists it as restored. What is no outage loses nothing.
fn lost(outage: &Outage, versions: &[(SimTime, Outage)], now: SimTime) -> (f64, usize) {
    if matches!(outage.state, OutageState::Rejected | OutageState::Withdrawn) {
        return (0.0, 0);
    }
    let Content { expected, contradicted, since, until, .. } = &outage.content;
    let mut again: BTreeMap<&String, SimTime> = BTreeMap::new();
    for (at, version) in versions {
        for id in &version.content.restored {
            again.entry(id).or_insert(*at);
        }
    }
    let minutes_until = |at: Option<SimTime>| {
        apart(at.or(*until).unwrap_or(now), *since).as_seconds_f64().max(0.0) / 60.0
    };
    let [count, _, lit] = outage.meters;
    if expected.len() < count {
        // Who of them is back when is not known.
        let count = count.saturating_sub(lit);
        return (count as f64 * minutes_until(None), count);
    }
    let lit: BTreeSet<&String> = contradicted.iter().collect();
    let interrupted = expected.iter().filter(|id| !lit.contains(id));
    let minutes = interrupted.clone().map(|id| minutes_until(again.get(id).copied()));
    (minutes.sum(), interrupted.count())
}

/// What happened, in its order.
async fn timeline(
    caller: &Caller,
    outage: &Outage,
    versions: &[(SimTime, Outage)],
) -> Result<Vec<Happening>, Problem> {
    let mut all = Vec::new();
    let mut add = |at: Option<SimTime>, text: String, by: Option<String>| {
        all.extend(at.map(|at| Happening { at, text, by }));
    };
    let content = &outage.content;
    add(content.first_gasp, "last gasps begin".to_owned(), None);
    if let (Some(first), Some(last)) = (content.first_gasp, content.last_gasp) {
        let seconds = apart(last, first).as_seconds_f64();
        let text = format!("last gasps end, {} heard in {seconds:.1} s", outage.heard);
        add(Some(last), text, None);
    }
    add(content.window_closed, "no further last gasp is waited for".to_owned(), None);
    let mut before = None;
    for (at, version) in versions {
        let text = match version.state {
            OutageState::PartlyRestored | OutageState::Restored => {
                let [of, again, _] = version.meters;
                format!("{}, supply again at {again} of {of}", version.state)
            }
            OutageState::Withdrawn => "withdrawn by the application".to_owned(),
            _ => format!("detected, {} of {} heard", version.heard, version.meters[0]),
        };
        if before.as_ref() != Some(&text) {
            add(Some(*at), text.clone(), None);
            before = Some(text);
        }
    }
    for fault in &outage.faults {
        add(Some(fault.at), "fault".to_owned(), None);
    }
    let page = Page { offset: 0, limit: VERSIONS_MAX };
    let readers = caller.tenant.readers.permitted();
    let kind = OutageReview::kind();
    let (_, reviews) = readers.history(kind, outage.token.clone(), page).await?;
    for review in reviews {
        if let Ok(body) = serde_json::from_str::<OutageReview>(&review.body) {
            add(Some(review.changed), body.verdict.word().to_owned(), Some(review.by));
        }
    }
    // What was switched while it went on; a network that is gone has no history.
    let switched = topology::history(caller, &content.network, page).await;
    let (first, last) = (SimTime(content.since.0.saturating_sub(FAULT_NEAR.0)), content.until);
    for version in switched.map(|found| found.1).unwrap_or_default() {
        let from = version.from.filter(|from| *from >= first && last.is_none_or(|it| *from <= it));
        let cause = version.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        add(from, format!("switches in version {}{cause}", version.version), version.by);
    }
    all.sort_by_key(|one| one.at);
    Ok(all)
}

/// Notes what an operator makes of an outage; the same again changes nothing.
///
/// # Errors
/// 403 or 404 for who may not, or if there is none; 409 if others do so at the same time.
pub(crate) async fn review(
    caller: &Caller,
    token: &str,
    verdict: OutageVerdict,
) -> Result<History, Problem> {
    let known = one(caller, token).await?;
    let on = Resource::new(Kind::NetworkAlarm, &caller.tenant.name, Subject::Nothing);
    caller.require(Action::Acknowledge, &on, Problem::nothing)?;
    if known.outage.review.as_ref().is_some_and(|review| review.verdict == verdict) {
        return Ok(known);
    }
    let _alone = caller.tenant.changing.lock().await;
    let (kind, token) = (OutageReview::kind(), token.to_owned());
    let before = caller.tenant.documents.find(kind, &token);
    let expect = before.map_or(Expect::New, |document| Expect::Version(document.version));
    // Which outage of this number it is about: a later one is reviewed by itself.
    let since = known.outage.content.since.to_string();
    let body = json!({ "verdict": verdict, "metadata": { "since": since } });
    (kind.check)(&body)?;
    let edits = vec![Edit { kind, token: Some(token.clone()), expect, body: Some(body) }];
    let changed = caller.apply(Transaction::of(caller.name(), edits)).await?;
    if changed.conflict.is_some() {
        let detail = "others changed it meanwhile; send it again";
        return Err(Problem::conflict("version_conflict", detail));
    }
    one(caller, &token).await
}
