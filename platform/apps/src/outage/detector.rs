//! Outage detection over time: signs of meters in, reports out.
//!
//! A sign counts from the instant at which it comes; dates of meters, whose clocks may be wrong,
//! are compared with dates of the same meter. Between signs nothing changes but at
//! [`Detector::wake_at`].

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_grid::network::Wires;
use lastmeter_units::{SimDuration, SimTime};

use super::Parameters;
use super::areas::Areas;
use super::meters::{Meter, Standing, SwitchedOff, Weights, since};
use super::report::{FoundArea, Outage, Report};
use super::score::{Prior, millionths};

/// What comes of a meter, a place in the list that the detector was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Its last gasp, with the phases that failed if it names them.
    Gasp(Option<Wires>),
    /// Its power-up message.
    PowerUp,
    /// A reading.
    Reading,
    /// An answer to a poll, dated by when that was sent.
    Answer,
    /// A reading that it owed did not come.
    Missing,
    /// It did not answer a poll.
    Unanswered,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Detector {
    pub(super) areas: Areas,
    pub(super) meters: Vec<Meter>,
    pub(super) parameters: Parameters,
    pub(super) weights: Weights,
    pub(super) prior: Prior,
    pub(super) standings: Vec<Standing>,
    /// Who is without supply by the switches; a meter is in one of them at most.
    pub(super) off: Vec<SwitchedOff>,
    /// Those that are not over, by number.
    pub(super) outages: BTreeMap<u32, Outage>,
    /// The number of the next one.
    pub(super) next: u32,
    /// When the window was opened that is open now, or was last.
    pub(super) opened: SimTime,
    /// When it closes, while one is open.
    closes: Option<SimTime>,
    /// How many equipped meters may yet gasp in the open window.
    unknown: usize,
    /// When the report of what has changed is due.
    pub(super) due: Option<SimTime>,
}

impl Detector {
    /// Of meters in a network.
    pub fn new(areas: Areas, meters: Vec<Meter>, parameters: Parameters) -> Self {
        let standings = meters.iter().map(|_| Standing::default()).collect();
        let mut detector = Self {
            areas,
            meters,
            weights: Weights::new(&parameters),
            prior: Prior {
                area: -millionths(parameters.prior.ln()),
                partial: -millionths(parameters.partial.ln()),
            },
            parameters,
            standings,
            off: Vec::new(),
            outages: BTreeMap::new(),
            next: 1,
            opened: SimTime(i64::MIN),
            closes: None,
            unknown: 0,
            due: None,
        };
        detector.place();
        detector
    }

    /// The meters, in the order of their places.
    pub fn meters(&self) -> &[Meter] {
        &self.meters
    }

    /// When [`Self::advance`] has something to do next without any further sign.
    pub fn wake_at(&self) -> Option<SimTime> {
        // What has changed waits for the gasps of an open window.
        self.closes.or(self.due)
    }

    /// Takes a sign of a meter, dated by the meter's clock, that comes now. What it changes
    /// [`Self::advance`] reports.
    pub fn take(&mut self, now: SimTime, meter: usize, sign: Sign, date: SimTime) {
        let was_unknown = self.closes.is_some() && self.is_unknown(meter);
        match sign {
            Sign::Gasp(phases) => self.gasp(now, meter, phases, date),
            Sign::PowerUp => self.power_up(now, meter, date),
            Sign::Reading => self.reading(now, meter, date),
            Sign::Answer => self.heard(now, meter, self.supplied(date)),
            Sign::Missing | Sign::Unanswered => self.silence(now, meter, sign),
        }
        if was_unknown && !self.is_unknown(meter) {
            self.unknown = self.unknown.saturating_sub(1);
        }
        if self.unknown == 0 && self.closes.is_some() {
            self.closes = Some(now);
        }
    }

    /// What is to be reported now.
    pub fn advance(&mut self, now: SimTime) -> Vec<Report> {
        if self.wake_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        (self.closes, self.due) = (None, None);
        self.find(now);
        self.report(now)
    }

    /// The switches stand otherwise: who is without supply by them alone is in an outage, which is
    /// planned if they were switched on purpose. Who is in another outage stays in it until heard
    /// from.
    pub fn set_areas(&mut self, now: SimTime, areas: Areas, is_on_purpose: bool) {
        let before = std::mem::replace(&mut self.areas, areas);
        self.place();
        for outage in self.outages.values_mut() {
            outage.is_fixed = true;
        }
        for meter in 0..self.meters.len() {
            let Standing { element, outage, .. } = self.standings[meter];
            let was_off = before.load(&self.meters[meter].load).is_none();
            if let (true, Some(_), Some(number)) = (was_off, element, outage) {
                self.restore(now, meter, number);
            }
        }
        for at in self.note_off(&before, is_on_purpose)..self.off.len() {
            let mut members = self.off[at].meters.clone();
            members.retain(|&meter| self.standings[meter].outage.is_none());
            let gasps = members.iter().filter(|&&meter| self.standings[meter].gasp.is_some());
            // Where most have gasped before, the switch has opened by itself.
            self.off[at].is_planned &= !members.is_empty() && 2 * gasps.count() <= members.len();
            if !members.is_empty() {
                self.switch_off(now, self.off[at].clone(), members, self.next);
            }
        }
        self.due = Some(now);
    }

    /// Notes who is without supply now and was in the tree before, by the elements switched off;
    /// the place of the first of these.
    pub(super) fn note_off(&mut self, before: &Areas, is_planned: bool) -> usize {
        for off in &mut self.off {
            off.meters.retain(|&meter| self.standings[meter].element.is_none());
        }
        self.off.retain(|off| !off.meters.is_empty());
        let known = self.off.len();
        let is_live: BTreeSet<_> =
            self.areas.elements().iter().map(|it| (it.kind, it.name.clone())).collect();
        let is_dark = |at: &u32| {
            let element = &before.elements()[*at as usize];
            !is_live.contains(&(element.kind, element.name.clone()))
        };
        let mut tops: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        for (meter, of) in self.meters.iter().enumerate() {
            if let (Some(place), None) = (before.load(&of.load), self.standings[meter].element) {
                let top = before.upstream(place).take_while(is_dark).last();
                tops.entry(top.unwrap_or(place)).or_default().insert(meter);
            }
        }
        for (top, meters) in tops {
            let element = &before.elements()[top as usize];
            let element = (element.kind, element.name.to_string(), element.phases);
            self.off.push(SwitchedOff { element, is_planned, meters });
        }
        self.count_unknown();
        known
    }

    /// Whether a meter may be in the dark, by the tree or although it is switched off.
    fn is_placed(&self, meter: usize) -> bool {
        self.standings[meter].element.is_some()
            || self.off.iter().any(|off| off.meters.contains(&meter))
    }

    /// What was reported before a restart, the last report of each number, oldest first: it is not
    /// reported again.
    pub fn resume(&mut self, reports: Vec<Report>) {
        let places: BTreeMap<_, _> = self.meters.iter().map(|it| it.id.clone()).zip(0..).collect();
        for mut report in reports {
            if report.expected.is_empty() {
                let below = self.below(&report.areas);
                report.expected = below.map(|meter| self.meters[meter].id.clone()).collect();
            }
            self.next = self.next.max(report.number + 1);
            let all = |ids: &[_]| ids.iter().filter_map(|id| places.get(id).copied()).collect();
            let mut outage = Outage {
                is_planned: report.is_planned,
                is_fixed: report.is_planned || !report.restored.is_empty(),
                areas: report.areas.clone(),
                members: all(&report.expected),
                reported: all(&report.reported),
                contradicted: all(&report.contradicted),
                restored: all(&report.restored),
                gasps: report.first_gasp.zip(report.last_gasp),
                found: report.window_closed,
                since: report.since,
                ..Outage::default()
            };
            let (is_final, number) = (report.state.is_final(), report.number);
            let seen = report.until.or(report.last_gasp).unwrap_or(report.window_closed);
            for &meter in &outage.members {
                let standing = &mut self.standings[meter];
                standing.settled = Some(seen + self.parameters.window);
                let is_contradicted = outage.contradicted.contains(&meter);
                if is_final || outage.restored.contains(&meter) {
                    continue;
                }
                standing.outage = Some(number);
                standing.joined = Some((number, report.since));
                standing.gasp = outage.reported.contains(&meter).then_some(report.since);
                standing.gasp_date = standing.gasp.and(report.last_gasp);
                if is_contradicted {
                    standing.mark_lit(report.window_closed.max(report.since) + TICK);
                } else {
                    // As much as it takes to be believed again: it was, by what is not known now.
                    standing.was_judged = true;
                }
            }
            outage.shown = Some(report);
            if !is_final {
                self.outages.insert(number, outage);
            }
        }
    }

    /// The meters below areas.
    fn below(&self, areas: &[FoundArea]) -> impl Iterator<Item = usize> {
        let is_below = |meter: &usize| {
            let Standing { element: Some(element), phases, .. } = self.standings[*meter] else {
                return false;
            };
            self.areas.upstream(element).any(|at| {
                let element = &self.areas.elements()[at as usize];
                areas.iter().any(|area| {
                    let is_all = area.phases == element.phases || area.phases.contains_all(phases);
                    is_all && area.kind == element.kind && area.name == *element.name
                })
            })
        };
        (0..self.meters.len()).filter(is_below)
    }

    /// Meters whose answer to a poll would decide most: members that did not gasp, and who gasped
    /// alone, who come first; none while a window is open.
    pub fn unsure(&self) -> Vec<usize> {
        if self.closes.is_some() {
            return Vec::new();
        }
        let is_unsure = |(meter, standing): &(usize, &Standing)| match standing.outage {
            Some(number) => self.outages.get(&number).is_some_and(|outage| {
                !outage.is_fixed
                    && !outage.reported.contains(meter)
                    && !outage.contradicted.contains(meter)
            }),
            None => standing.gasp.is_some(),
        };
        let unsure = self.standings.iter().enumerate().filter(is_unsure).map(|(meter, _)| meter);
        let mut unsure: Vec<usize> = unsure.collect();
        unsure.sort_by_key(|&meter| self.standings[meter].outage.is_some());
        unsure
    }

    /// Puts every meter to its place in the tree.
    fn place(&mut self) {
        for (meter, standing) in self.meters.iter().zip(&mut self.standings) {
            standing.element = self.areas.load(&meter.load);
            if let Some(element) = standing.element {
                standing.phases = self.areas.elements()[element as usize].phases;
            }
        }
        self.count_unknown();
    }

    fn count_unknown(&mut self) {
        self.unknown = (0..self.meters.len()).filter(|&meter| self.is_unknown(meter)).count();
    }

    /// Whether a meter may yet gasp in the open window.
    fn is_unknown(&self, meter: usize) -> bool {
        let standing = &self.standings[meter];
        self.meters[meter].is_equipped
            && self.is_placed(meter)
            && standing.gasp.is_none()
            && standing.outage.is_none()
            && standing.heard.is_none_or(|at| at <= self.opened)
    }

    /// From when on signs of a meter count.
    pub(super) fn since(&self, meter: usize) -> SimTime {
        let standing = &self.standings[meter];
        let joined = standing.joined.filter(|joined| self.outages.contains_key(&joined.0));
        standing.gasp.unwrap_or_else(|| joined.map_or(self.opened, |joined| joined.1))
    }

    fn gasp(&mut self, now: SimTime, meter: usize, phases: Option<Wires>, date: SimTime) {
        let standing = &mut self.standings[meter];
        let is_old = standing.settled.is_some_and(|at| now <= at);
        if is_old || standing.gasp_date == Some(date) {
            return;
        }
        standing.gasp_date = Some(date);
        if standing.power_up_date.is_some_and(|up| up > date) {
            return self.late_gasp(now, meter, date);
        }
        let at = self.instant(now, date);
        let standing = &mut self.standings[meter];
        if let Some(outage) = standing.outage.and_then(|number| self.outages.get_mut(&number)) {
            let is_lit = outage.contradicted.contains(&meter);
            if !(outage.is_fixed && is_lit) {
                outage.gasped(meter, at);
                outage.contradicted.remove(&meter);
                standing.gasp = Some(now);
                self.change(now);
                return;
            }
            standing.outage = None;
        }
        standing.clear();
        standing.gasp = Some(now);
        if let (Some(phases), Some(element)) = (phases, standing.element) {
            let own = self.areas.elements()[element as usize].phases;
            let failed = own.common(phases);
            standing.phases = if failed.is_empty() { own } else { failed };
        }
        if self.closes.is_none() && self.is_placed(meter) {
            self.open(now);
        }
    }

    /// A last gasp that comes after the power-up message that ended it.
    fn late_gasp(&mut self, now: SimTime, meter: usize, date: SimTime) {
        let at = self.instant(now, date);
        if let Some(outage) = self.outages.values_mut().find(|it| it.restored.contains(&meter)) {
            outage.gasped(meter, at);
            self.change(now);
        } else if self.standings[meter].has_returned {
            self.standings[meter].gasp = Some(now);
        }
    }

    /// Opens a window: what is known of the silence of others is of before.
    fn open(&mut self, now: SimTime) {
        self.opened = now;
        self.closes = Some(now + self.parameters.window);
        for standing in self.standings.iter_mut().filter(|it| it.outage.is_none()) {
            if standing.gasp.is_none() {
                standing.clear();
            }
        }
        self.count_unknown();
    }

    fn power_up(&mut self, now: SimTime, meter: usize, date: SimTime) {
        let standing = &mut self.standings[meter];
        let is_old = standing.settled.is_some_and(|at| now <= at);
        let is_of_before =
            standing.gasp.is_some() && standing.gasp_date.is_some_and(|it| it > date);
        if is_old || is_of_before || standing.power_up_date == Some(date) {
            return;
        }
        standing.power_up_date = Some(date);
        match standing.outage {
            Some(number) => self.restore(now, meter, number),
            None if standing.has_sign() || self.closes.is_some() && !standing.is_left => {
                standing.has_returned = true;
                self.change(now);
            }
            None => {
                standing.clear();
                standing.mark_lit(now);
            }
        }
    }

    fn reading(&mut self, now: SimTime, meter: usize, date: SimTime) {
        let (limit, supplied) = (self.parameters.window, self.supplied(date));
        let standing = &mut self.standings[meter];
        let has_gasped = standing.gasp.is_some();
        if has_gasped && standing.gasp_date.is_some_and(|gasp| supplied <= gasp) {
            return;
        }
        let dated = standing.dated(date, now, limit);
        self.heard(now, meter, if has_gasped { now } else { self.supplied(dated) });
    }

    /// When a meter had its supply at the latest that works at an instant: it may live on what it
    /// has stored.
    fn supplied(&self, at: SimTime) -> SimTime {
        SimTime(at.0.saturating_sub(self.parameters.hold_up.0))
    }

    /// It had its supply at an instant.
    fn heard(&mut self, now: SimTime, meter: usize, at: SimTime) {
        let since = self.since(meter);
        let own = self.own_phases(meter);
        let standing = &mut self.standings[meter];
        if at <= since {
            standing.heard = standing.heard.max(Some(at));
            return;
        }
        let Some(number) = standing.outage else {
            if !standing.has_returned {
                standing.clear();
                standing.phases = own;
            }
            return standing.mark_lit(at);
        };
        let is_silent = standing.missing > 0 || standing.unanswered > 0;
        let was_dark = standing.gasp.is_some() && is_silent;
        let Some(outage) = self.outages.get_mut(&number) else { return };
        let is_lit = outage.contradicted.contains(&meter);
        if (outage.is_fixed || was_dark) && !is_lit {
            return self.restore(now, meter, number);
        }
        outage.contradicted.insert(meter);
        standing.mark_lit(at);
        self.change(now);
    }

    fn silence(&mut self, now: SimTime, meter: usize, sign: Sign) {
        let is_quiet = self.closes.is_none() && self.outages.is_empty();
        let standing = &mut self.standings[meter];
        if is_quiet && standing.gasp.is_none() && now > self.opened + self.parameters.patience {
            return;
        }
        let count = match sign {
            Sign::Unanswered => &mut standing.unanswered,
            _ => &mut standing.missing,
        };
        *count = count.saturating_add(1);
        self.change(now);
    }

    /// Something has changed that is to be reported soon.
    fn change(&mut self, now: SimTime) {
        self.due.get_or_insert(now + self.parameters.update);
    }

    /// A date of a meter if it can be right, else when the message came.
    pub(super) fn instant(&self, now: SimTime, date: SimTime) -> SimTime {
        if since(now, date).0.abs() <= self.parameters.window.0 { date } else { now }
    }

    pub(super) fn own_phases(&self, meter: usize) -> Wires {
        let standing = &self.standings[meter];
        let own = |element: u32| self.areas.elements()[element as usize].phases;
        standing.element.map_or(standing.phases, own)
    }

    /// A member of an outage is back.
    pub(super) fn restore(&mut self, now: SimTime, meter: usize, number: u32) {
        let own = self.own_phases(meter);
        let standing = &mut self.standings[meter];
        standing.clear();
        standing.mark_lit(now);
        (standing.outage, standing.joined, standing.phases) = (None, None, own);
        if let Some(outage) = self.outages.get_mut(&number) {
            outage.is_fixed = true;
            outage.contradicted.remove(&meter);
            outage.restored.insert(meter);
            outage.returned = Some(now);
        }
        self.change(now);
    }
}

/// The least span of time.
const TICK: SimDuration = SimDuration(1);
