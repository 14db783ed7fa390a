//! Aggregates: what the households of a zone take together, by the hour and, of larger zones, by
//! the quarter of an hour, so that nobody can be picked out of it.
//!
//! Terms: the *rest* of a published zone is what it has beyond the zones in it that are published
//! next. Whatever is added up and subtracted of published values is a sum of rests, so a zone is
//! published only while every rest is of enough households, none of which takes too much of it.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_model::calendar::{self, Stretch, Width, stretches};
use lastmeter_model::document::Document;
use lastmeter_model::entity::{Assignment, Body as _, Device, TenantSettings, Zone};
use lastmeter_model::series::rollup::{BUCKET, bucket};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use crate::border::{
    Also, Asker, DeviceRows, Input, Output, Query, Rows, Service, ServiceKind, Subject, Task,
    Unanswered,
};

/// The row of [`crate::SERVICES`].
pub(crate) const KIND: ServiceKind = ServiceKind {
    name: "aggregates",
    doc: "adds up the power of the households of each zone that is `statistical`",
    kinds: &[Device::CODE, Assignment::CODE, Zone::CODE, TenantSettings::CODE],
    build: |snapshot| Box::new(Aggregates::of(snapshot)),
};

/// The fewest households of anything that is published of an hour.
pub const HOUSEHOLDS_MIN: usize = 15;
/// The fewest of what is published of a quarter of an hour.
const HOUSEHOLDS_MIN_OF_QUARTERS: usize = 30;
/// The part that one of them takes of a sum at most.
const PART_MAX: f64 = 0.25;
/// How long after its end an hour is closed.
const DELAY: SimDuration = SimDuration::from_seconds(300);
/// What is not closed within that time is not published.
const LATEST: SimDuration = SimDuration::from_seconds(86_400);
/// How often a device reports of which nothing is declared.
const PERIOD: SimDuration = SimDuration::from_seconds(900);
const POWER: &str = "electricity.power.active.consumed.total";
/// The member of a reading's metadata that is the number of households.
pub const MEMBERS: &str = "members";

lastmeter_units::words! {
    /// Over how long a value of an aggregate is a mean.
    pub enum AggregateWidth {
        /// An hour by the local clock.
        Hour = "1h",
        /// A quarter of it.
        Quarter = "15m",
    }
}

lastmeter_units::words! {
    /// What became of a zone in the last hour.
    enum Outcome in files {
        Published = "published",
        NoMembers = "no-members",
        TooFew = "too-few",
        Dominated = "dominated",
        BesideWithheld = "beside-withheld",
        NotAnswered = "not-answered",
    }
}

/// Under which id the values of a zone stand; `None` for a token that is too long for one.
pub fn source(zone: &str, width: AggregateWidth) -> Option<HardwareId> {
    let prefix = match width {
        AggregateWidth::Hour => "$aggregate",
        AggregateWidth::Quarter => "$aggregate15m",
    };
    HardwareId::new(format!("{prefix}-{zone}")).ok()
}

#[derive(Debug, Default)]
struct Aggregates {
    zones: BTreeMap<String, Zone>,
    assignments: BTreeMap<String, Assignment>,
    /// Devices that are behind others, which count there.
    behind: BTreeSet<HardwareId>,
    clock: Option<calendar::Zone>,
    /// The next hour that is to be closed.
    next: Option<Stretch>,
    /// The hour that is being closed.
    asked: Option<Stretch>,
    is_started: bool,
    kept: Kept,
}

/// What no document has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Since when there are statistical zones.
    since: Option<SimTime>,
    /// Until when hours are closed.
    after: Option<SimTime>,
    /// The month that the zones and their members are of.
    month: Option<SimTime>,
    zones: Tree,
    outcomes: BTreeMap<String, Outcome>,
    last: Option<SimTime>,
}

/// Statistical zones.
type Tree = BTreeMap<String, Node>;

/// A statistical zone as it stood on the first of a month.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Node {
    /// The next statistical zone above it.
    parent: Option<String>,
    /// The meters in it and in none of the zones below, each with its household.
    members: BTreeMap<HardwareId, String>,
}

/// The mean powers of a household's meter, by part of an hour, in kW.
type Powers = BTreeMap<HardwareId, Vec<f64>>;

impl Aggregates {
    fn of(snapshot: Option<&[u8]>) -> Self {
        let kept = snapshot.and_then(|bytes| serde_json::from_slice(bytes).ok());
        Self { kept: kept.unwrap_or_default(), ..Self::default() }
    }

    fn clock(&self) -> calendar::Zone {
        self.clock.clone().unwrap_or_else(calendar::Zone::utc)
    }

    fn document(&mut self, document: &Document) {
        let token = document.token.clone();
        let body = (!document.is_deleted).then_some(document.body.as_str());
        match document.kind.code {
            Zone::CODE => put(&mut self.zones, token, body),
            Assignment::CODE => put(&mut self.assignments, token, body),
            Device::CODE => {
                let body = body.and_then(|body| serde_json::from_str::<Device>(body).ok());
                let is_behind = body.is_some_and(|device| device.parent_hardware_id.is_some());
                if let Ok(device) = HardwareId::new(token) {
                    self.behind.remove(&device);
                    self.behind.extend(is_behind.then_some(device));
                }
            }
            _ => {
                let body = body.and_then(|body| serde_json::from_str::<TenantSettings>(body).ok());
                self.clock = body.map(|settings| settings.time_zone);
            }
        }
    }

    fn month(&self, at: SimTime) -> Stretch {
        let next = SimTime(at.0.saturating_add(1));
        let found = stretches(&self.clock(), Width::Month, at, next).next();
        found.unwrap_or(Stretch { from: at, until: next })
    }

    /// The next hour that is to be closed.
    fn hour(&self) -> Option<Stretch> {
        // The first month that begins with them is the first one of which anything is published.
        let first = |since: SimTime| {
            let month = self.month(since);
            if month.from == since { since } else { month.until }
        };
        let after = self.kept.after.or(self.kept.since.map(first))?;
        let until = SimTime(after.0.saturating_add(2 * LATEST.0));
        stretches(&self.clock(), Width::Hour, after, until).find(|hour| hour.from >= after)
    }

    /// The zones and members at an instant.
    fn tree(&self, at: SimTime) -> Tree {
        let is_statistical =
            |token: &String| self.zones.get(token).is_some_and(|it| it.statistical);
        // Zones are in no circle.
        let above = |token: &String| {
            let parent = self.zones.get(token)?.parent_token.as_ref()?;
            Some(parent.to_string())
        };
        let nearest = |first: Option<String>| {
            std::iter::successors(first, above).take(self.zones.len()).find(is_statistical)
        };
        let tokens = self.zones.keys().filter(|token| is_statistical(token));
        let node = |token: &String| Node { parent: nearest(above(token)), ..Node::default() };
        let mut tree: Tree = tokens.map(|token| (token.clone(), node(token))).collect();
        for assignment in self.assignments.values() {
            let device = &assignment.device_hardware_id;
            let first = assignment.zone_token.as_ref().map(ToString::to_string);
            if self.behind.contains(device) || !assignment.span().contains(at) {
                continue;
            }
            if let Some(zone) = nearest(first).and_then(|zone| tree.get_mut(&zone)) {
                let household = assignment.owner().map_or(device.as_str(), |owner| owner.as_str());
                zone.members.insert(device.clone(), household.to_owned());
            }
        }
        tree
    }

    /// Asks for what is needed to close an hour.
    fn ask(&mut self, now: SimTime, out: &mut Vec<Output>) {
        let Some(hour) = self.next else { return };
        if now.since(hour.until) > LATEST {
            self.kept.after = Some(hour.until);
            return;
        }
        let month = self.month(hour.from).from;
        if self.kept.month != Some(month) {
            (self.kept.month, self.kept.zones) = (Some(month), self.tree(month));
        }
        let devices = self.kept.zones.values().flat_map(|node| node.members.keys().cloned());
        let query = Query {
            of: Subject::Devices(devices.collect()),
            by: Asker::Platform,
            quantities: MeasurementId::lookup(POWER).into_iter().collect(),
            within: hour,
            also: Also::default(),
        };
        self.asked = Some(hour);
        out.push(Output::Ask { ask: hour.from.0.unsigned_abs(), query });
    }

    fn close(&mut self, hour: Stretch, rows: Result<&Rows, Unanswered>, out: &mut Vec<Output>) {
        (self.kept.after, self.kept.last) = (Some(hour.until), Some(hour.until));
        let tree = &self.kept.zones;
        let Ok(rows) = rows else {
            let outcome = |zone: &String| (zone.clone(), Outcome::NotAnswered);
            self.kept.outcomes = tree.keys().map(outcome).collect();
            return;
        };
        let present = rows.devices.iter();
        let quarters: Powers = present
            .filter_map(|device| Some((device.device.clone(), powers(device, hour)?)))
            .collect();
        let mean = |powers: &Vec<f64>| vec![powers.iter().sum::<f64>() / powers.len() as f64];
        let hours = quarters.iter().map(|(device, powers)| (device.clone(), mean(powers)));
        let hours: Powers = hours.collect();
        let by_hour = Publication::of(tree, &hours, HOUSEHOLDS_MIN, tree.keys());
        // What is not published of an hour is not published in parts.
        let published = by_hour.published.iter();
        let by_quarter = Publication::of(tree, &quarters, HOUSEHOLDS_MIN_OF_QUARTERS, published);
        by_hour.give(AggregateWidth::Hour, hour.from, out);
        by_quarter.give(AggregateWidth::Quarter, hour.from, out);
        self.kept.outcomes = by_hour.outcomes;
    }
}

fn put<T: serde::de::DeserializeOwned>(
    bodies: &mut BTreeMap<String, T>,
    token: String,
    body: Option<&str>,
) {
    match body.and_then(|body| serde_json::from_str(body).ok()) {
        Some(body) => _ = bodies.insert(token, body),
        None => _ = bodies.remove(&token),
    }
}

/// The mean powers of a device in the quarters of an hour, if it was there in all of them: of the
/// readings that are expected in each, one may be missing.
fn powers(device: &DeviceRows, hour: Stretch) -> Option<Vec<f64>> {
    let period = device.reporting_period.unwrap_or(PERIOD);
    let expected = (BUCKET.0 / period.0.max(1)).saturating_sub(1).max(1).unsigned_abs();
    let found = device.summaries.get(&MeasurementId::lookup(POWER)?)?;
    let starts = (hour.from.0..hour.until.0).step_by(BUCKET.0.unsigned_abs() as usize);
    let power = |start: i64| {
        let quarter = found.iter().find(|one| bucket(one.first.0).0 == start)?;
        (quarter.n >= expected).then(|| quarter.mean())
    };
    starts.map(power).collect()
}

/// What is published of an hour, by zone.
struct Publication<'a> {
    tree: &'a Tree,
    powers: &'a Powers,
    least: usize,
    published: BTreeSet<String>,
    outcomes: BTreeMap<String, Outcome>,
}

impl<'a> Publication<'a> {
    /// Publishes as much as may be of some zones.
    fn of(
        tree: &'a Tree,
        powers: &'a Powers,
        least: usize,
        zones: impl Iterator<Item = &'a String>,
    ) -> Self {
        let (published, outcomes) = (zones.cloned().collect(), BTreeMap::new());
        let mut this = Self { tree, powers, least, published, outcomes };
        for zone in this.published.clone() {
            if this.within(&zone).is_empty() {
                this.withhold(zone, Outcome::NoMembers);
            }
        }
        while let Some((zone, why)) = this.unsafe_zone() {
            match this.smallest_below(&zone) {
                Some(smallest) => this.withhold(smallest, Outcome::BesideWithheld),
                None => this.withhold(zone, why),
            }
        }
        let published = this.published.iter().map(|zone| (zone.clone(), Outcome::Published));
        this.outcomes.extend(published.collect::<Vec<_>>());
        this
    }

    fn withhold(&mut self, zone: String, why: Outcome) {
        self.published.remove(&zone);
        self.outcomes.insert(zone, why);
    }

    /// A zone, and those above it.
    fn around<'b>(&'b self, zone: &'b str) -> impl Iterator<Item = &'b str> {
        let above = |zone: &&'b str| self.tree.get(*zone)?.parent.as_deref();
        std::iter::successors(Some(zone), above).take(self.tree.len())
    }

    /// The next published zone above one, or that itself.
    fn holder(&self, zone: &str) -> Option<&str> {
        let holder = self.around(zone).find(|one| self.published.contains(*one))?;
        self.published.get(holder).map(String::as_str)
    }

    /// The meters that are present in zones that pass a test, each with its household.
    fn meters(&self, is_meant: impl Fn(&str) -> bool) -> Vec<(&str, &[f64])> {
        let nodes = self.tree.iter().filter(|(zone, _)| is_meant(zone));
        let members = nodes.flat_map(|(_, node)| &node.members);
        let present = members.filter_map(|(device, household)| {
            Some((household.as_str(), self.powers.get(device)?.as_slice()))
        });
        present.collect()
    }

    /// All meters of a zone.
    fn within(&self, zone: &str) -> Vec<(&str, &[f64])> {
        self.meters(|one| self.around(one).any(|above| above == zone))
    }

    /// The lowest zone whose rest may not be known, and why.
    fn unsafe_zone(&self) -> Option<(String, Outcome)> {
        let why = |zone: &String| {
            let rest = self.meters(|one| self.holder(one) == Some(zone.as_str()));
            Some((zone.clone(), danger(&rest, self.least)?))
        };
        let found = self.published.iter().filter_map(why);
        found.max_by_key(|(zone, _)| self.around(zone).count())
    }

    /// The smallest of the zones that are published next below one.
    fn smallest_below(&self, zone: &str) -> Option<String> {
        let is_next = |one: &&String| {
            let above = self.tree.get(*one).and_then(|node| node.parent.as_deref());
            one.as_str() != zone && above.and_then(|above| self.holder(above)) == Some(zone)
        };
        let below = self.published.iter().filter(is_next);
        below.min_by_key(|one| (households(&self.within(one)).len(), *one)).cloned()
    }

    /// Gives the sums of what is published.
    fn give(&self, width: AggregateWidth, from: SimTime, out: &mut Vec<Output>) {
        for zone in &self.published {
            let (Some(source), Some(id)) = (source(zone, width), MeasurementId::lookup(POWER))
            else {
                continue;
            };
            let meters = self.within(zone);
            let members = households(&meters).len().to_string();
            let parts = meters.first().map_or(0, |(_, powers)| powers.len());
            for part in 0..parts {
                let sum = meters.iter().filter_map(|(_, powers)| powers.get(part)).sum::<f64>();
                out.push(Output::Reading {
                    source: source.clone(),
                    at: from + SimDuration(BUCKET.0.saturating_mul(part as i64)),
                    values: vec![(id, sum)],
                    metadata: [(MEMBERS.to_owned(), members.clone())].into(),
                });
            }
        }
    }
}

/// By household, the sums of its meters.
fn households<'a>(meters: &[(&'a str, &[f64])]) -> BTreeMap<&'a str, Vec<f64>> {
    let mut sums: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (household, powers) in meters {
        let sum = sums.entry(household).or_insert_with(|| vec![0.0; powers.len()]);
        for (sum, power) in sum.iter_mut().zip(*powers) {
            *sum += power;
        }
    }
    sums
}

/// Why the sum of some meters may not be known; that of none may.
fn danger(meters: &[(&str, &[f64])], least: usize) -> Option<Outcome> {
    let households = households(meters);
    let parts = households.values().next()?.len();
    if households.len() < least {
        return Some(Outcome::TooFew);
    }
    let is_dominated = |part: usize| {
        let of_part = || households.values().filter_map(|powers| powers.get(part).copied());
        of_part().fold(0.0, f64::max) > PART_MAX * of_part().sum::<f64>()
    };
    (0..parts).any(is_dominated).then_some(Outcome::Dominated)
}

impl Service for Aggregates {
    fn step(&mut self, now: SimTime, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Document(document) => self.document(document),
            Input::Started => self.is_started = true,
            Input::Wake => self.ask(now, out),
            Input::Answer { ask, rows } => {
                if let Some(hour) = self.asked.take_if(|hour| hour.from.0.unsigned_abs() == ask) {
                    self.close(hour, rows, out);
                }
            }
            Input::Reading { .. } | Input::Alert { .. } => return,
        }
        if self.is_started && !self.is_idle() && self.kept.since.is_none() {
            self.kept.since = Some(now);
        }
        self.next = self.hour().filter(|_| !self.is_idle());
    }

    fn is_idle(&self) -> bool {
        !self.zones.values().any(|zone| zone.statistical)
    }

    fn takes_rows(&self) -> bool {
        false
    }

    fn wake_at(&self) -> Option<SimTime> {
        let hour = self.next.filter(|_| self.asked.is_none())?;
        Some(hour.until + DELAY)
    }

    fn snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(&self.kept).unwrap_or_default()
    }

    fn tasks(&self) -> Vec<Task> {
        let next = self.wake_at();
        let statistical = self.zones.iter().filter(|(_, zone)| zone.statistical);
        let task = |(token, zone): (&String, &Zone)| Task {
            of: (Zone::kind(), token.clone()),
            name: zone.name.to_string(),
            period: AggregateWidth::Hour.word(),
            last: self.kept.last,
            next,
            state: self.kept.outcomes.get(token).map_or("waiting", |outcome| outcome.word()),
        };
        statistical.map(task).collect()
    }
}

#[cfg(test)]
mod tests;
