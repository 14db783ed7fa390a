//! What the signs of all meters amount to: areas searched, outages made of them, reports.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_grid::network::Wires;
use lastmeter_units::SimTime;

use super::detector::Detector;
use super::meters::{Standing, SwitchedOff};
use super::report::{FoundArea, Outage, OutageState, Report};
use super::score::{Cover, Weight, search};

/// Areas with a common one farthest upstream.
#[derive(Debug, Default)]
struct Group {
    areas: Vec<FoundArea>,
    members: BTreeSet<usize>,
}

impl Detector {
    /// Searches the areas, and gives them to outages.
    pub(super) fn find(&mut self, now: SimTime) {
        self.forget(now);
        self.find_off(now);
        if self.is_searching() {
            let cover = search(&self.areas, &self.all_weights(), self.prior);
            let groups = self.groups(&cover);
            self.assign(now, groups);
        }
    }

    /// Drops gasps that nothing has come to for too long.
    fn forget(&mut self, now: SimTime) {
        let limit = now - self.parameters.patience;
        for standing in self.standings.iter_mut().filter(|it| it.outage.is_none()) {
            if standing.gasp.is_some_and(|at| at < limit) {
                standing.clear();
            }
        }
    }

    /// Whether there is anything that areas are searched for.
    fn is_searching(&self) -> bool {
        let is_alone = |it: &Standing| it.outage.is_none() && it.has_sign();
        self.outages.values().any(|it| !it.is_fixed) || self.standings.iter().any(is_alone)
    }

    /// Whether a meter takes part in the search: not if it is in an outage that stays as it is.
    fn is_free(&self, meter: usize) -> bool {
        let outage = self.standings[meter].outage.and_then(|number| self.outages.get(&number));
        outage.is_none_or(|outage| !outage.is_fixed)
    }

    fn weight(&self, meter: usize) -> i64 {
        let is_equipped = self.meters[meter].is_equipped;
        self.standings[meter].weight(is_equipped, self.since(meter), &self.weights)
    }

    fn all_weights(&self) -> Vec<Weight> {
        let mut all = Vec::with_capacity(self.meters.len());
        for meter in (0..self.meters.len()).filter(|&meter| self.is_free(meter)) {
            let Standing { element: Some(element), phases, gasp, .. } = self.standings[meter]
            else {
                continue;
            };
            all.push(Weight { element, phases, value: self.weight(meter) });
            let own = self.own_phases(meter);
            if gasp.is_some() && own != phases {
                // It lives on the others.
                all.push(Weight { element, phases: own, value: self.weights.heard });
            }
        }
        all
    }

    /// Areas that have a common one farthest upstream, each such group with its meters.
    fn groups(&self, cover: &Cover) -> Vec<Group> {
        let mut members: BTreeMap<u32, (BTreeSet<usize>, i64)> = BTreeMap::new();
        let added: BTreeMap<u32, Wires> = cover.areas.iter().copied().collect();
        for meter in (0..self.meters.len()).filter(|&meter| self.is_free(meter)) {
            let Standing { element: Some(element), phases, .. } = self.standings[meter] else {
                continue;
            };
            let covered = cover.phases[element as usize];
            if phases.is_empty() || !covered.contains_all(phases) {
                continue;
            }
            let completes =
                |at: &u32| added.get(at).is_some_and(|added| !added.common(phases).is_empty());
            if let Some(area) = self.areas.upstream(element).find(completes) {
                let (members, sum) = members.entry(area).or_default();
                members.insert(meter);
                *sum += self.weight(meter);
            }
        }
        let mut groups: BTreeMap<u32, Group> = BTreeMap::new();
        for (area, (members, sum)) in members {
            let Some(top) = cover.tops[area as usize] else { continue };
            let element = &self.areas.elements()[area as usize];
            let partial = if added[&area] == Wires::ABC { 0 } else { self.prior.partial };
            let odds = (sum - self.prior.area - partial) as f64 / 1e6;
            let group = groups.entry(top).or_default();
            let has_gasped = |meter: &&usize| self.standings[**meter].gasp.is_some();
            group.areas.push(FoundArea {
                kind: element.kind,
                name: element.name.to_string(),
                phases: added[&area].common(element.phases),
                meters: members.len(),
                gasps: members.iter().filter(has_gasped).count(),
                likelihood: 1.0 / (1.0 + (-odds).exp()),
            });
            group.members.extend(members);
        }
        groups.into_values().collect()
    }

    /// Gives what was found to the outages that it is of, and makes outages of the rest.
    fn assign(&mut self, now: SimTime, groups: Vec<Group>) {
        let mut into: BTreeMap<u32, u32> = BTreeMap::new();
        let mut owners = Vec::new();
        for group in &groups {
            let of = |meter: &usize| self.standings[*meter].outage;
            let numbers: BTreeSet<u32> =
                group.members.iter().filter_map(of).map(|it| root(&into, it)).collect();
            let owner = numbers.first().copied();
            into.extend(numbers.into_iter().skip(1).filter_map(|it| Some((it, owner?))));
            owners.push(owner);
        }
        let mut gathered: BTreeMap<u32, Group> = BTreeMap::new();
        for (group, owner) in groups.into_iter().zip(owners) {
            let number = owner.map_or(self.next, |owner| root(&into, owner));
            self.next = self.next.max(number + 1);
            let of_number = gathered.entry(number).or_default();
            of_number.areas.extend(group.areas);
            of_number.members.extend(group.members);
        }
        for outage in self.outages.values_mut().filter(|it| !it.is_fixed) {
            for meter in std::mem::take(&mut outage.members) {
                self.standings[meter].outage = None;
            }
        }
        for (number, group) in gathered {
            self.fill(now, number, group);
        }
    }

    /// Makes a group what an outage consists of.
    fn fill(&mut self, now: SimTime, number: u32, group: Group) {
        let Group { areas, members } = group;
        let gasps = members.iter().filter_map(|&meter| self.standings[meter].gasp);
        let since = gasps.min().unwrap_or(self.opened);
        let new = || Outage { found: now, since, ..Outage::default() };
        let mut outage = self.outages.remove(&number).unwrap_or_else(new);
        outage.areas = areas;
        outage.members.clone_from(&members);
        outage.reported.retain(|meter| members.contains(meter));
        outage.contradicted.clear();
        for &meter in &members {
            let standing = &self.standings[meter];
            let joined = match standing.joined {
                Some((before, joined)) if before == number => joined,
                // Who was lit before an outage came to it does not contradict it.
                _ => self.opened.max(outage.since),
            };
            if standing.heard.is_some_and(|at| at > standing.gasp.unwrap_or(joined)) {
                outage.contradicted.insert(meter);
            }
            self.join(meter, (number, &mut outage), joined);
        }
        self.outages.insert(number, outage);
        self.restore_returned(now, number, members);
        self.due = None;
    }

    /// A meter is a member of an outage from an instant on.
    fn join(&mut self, meter: usize, (number, outage): (u32, &mut Outage), at: SimTime) {
        let Standing { gasp, gasp_date, .. } = self.standings[meter];
        if let (Some(gasp), Some(date)) = (gasp, gasp_date) {
            outage.gasped(meter, self.instant(gasp, date));
        }
        let standing = &mut self.standings[meter];
        (standing.outage, standing.joined) = (Some(number), Some((number, at)));
    }

    /// Restores those members of an outage that have returned before it was found.
    fn restore_returned(&mut self, now: SimTime, number: u32, members: BTreeSet<usize>) {
        for meter in members {
            if self.standings[meter].has_returned {
                self.restore(now, meter, number);
            }
        }
    }

    /// Who gasps behind what was switched off had been fed until then: only now that outage begins,
    /// or goes on. It needs no prior, for that an element is switched off is known.
    fn find_off(&mut self, now: SimTime) {
        for off in self.off.clone() {
            let is_alone = |meter: &&usize| self.standings[**meter].outage.is_none();
            let alone: Vec<usize> = off.meters.iter().filter(is_alone).copied().collect();
            let has_sign = alone.iter().any(|&meter| self.standings[meter].has_sign());
            let sum: i64 = alone.iter().map(|&meter| self.weight(meter)).sum();
            if !has_sign || sum <= 0 {
                continue;
            }
            let is_dark = |meter: &usize| {
                self.standings[*meter].heard.is_none_or(|at| at <= self.since(*meter))
            };
            let members: BTreeSet<usize> = alone.into_iter().filter(is_dark).collect();
            let (kind, name, _) = &off.element;
            let is_same = |outage: &Outage| match &outage.areas[..] {
                [area] => outage.is_fixed && area.kind == *kind && area.name == *name,
                _ => false,
            };
            let same = self.outages.iter().find(|(_, outage)| is_same(outage));
            let number = same.map_or(self.next, |(number, _)| *number);
            self.switch_off(now, off, members.clone(), number);
            self.restore_returned(now, number, members);
        }
    }

    /// Makes an outage of who is without supply by an element that was switched off, or adds them
    /// to one.
    pub(super) fn switch_off(
        &mut self,
        now: SimTime,
        SwitchedOff { element: (kind, name, phases), is_planned, .. }: SwitchedOff,
        members: BTreeSet<usize>,
        number: u32,
    ) {
        let (found, since) = (now, now);
        let new = || Outage { is_planned, is_fixed: true, found, since, ..Outage::default() };
        let mut outage = self.outages.remove(&number).unwrap_or_else(new);
        for &meter in &members {
            self.join(meter, (number, &mut outage), now);
            outage.restored.remove(&meter);
        }
        outage.members.extend(members);
        let (meters, gasps) = (outage.members.len(), outage.reported.len());
        outage.areas = vec![FoundArea { kind, name, phases, meters, gasps, likelihood: 1.0 }];
        self.outages.insert(number, outage);
        self.next = self.next.max(number + 1);
    }

    /// The outages of which there is news; those that are over are dropped.
    pub(super) fn report(&mut self, now: SimTime) -> Vec<Report> {
        let mut news = Vec::new();
        for (number, mut outage) in std::mem::take(&mut self.outages) {
            let report = self.report_of(now, number, &outage);
            let state = report.state;
            let is_news = match &outage.shown {
                Some(shown) => !report.is_like(shown),
                None => state != OutageState::Withdrawn,
            };
            if is_news {
                news.push(report.clone());
                outage.shown = Some(report);
            }
            if !state.is_final() {
                self.outages.insert(number, outage);
                continue;
            }
            for meter in outage.members {
                let standing = &mut self.standings[meter];
                if standing.outage == Some(number) {
                    // Who gasped and is not back yet may be in an outage of its own.
                    standing.outage = None;
                    let is_left = state == OutageState::Restored
                        && !outage.contradicted.contains(&meter)
                        && standing.gasp.is_some();
                    standing.clear();
                    standing.gasp = is_left.then_some(now);
                    standing.is_left = is_left;
                }
            }
        }
        news
    }

    fn report_of(&self, now: SimTime, number: u32, outage: &Outage) -> Report {
        let state = outage.state(self.parameters.restored_share);
        let ids = |of: &BTreeSet<usize>| of.iter().map(|&it| self.meters[it].id.clone()).collect();
        let until = state.is_final().then(|| outage.returned.unwrap_or(now));
        let before = outage.shown.as_ref().filter(|_| outage.members.is_empty());
        Report {
            number,
            state,
            is_planned: outage.is_planned,
            areas: outage.areas.clone(),
            expected: before.map_or_else(|| ids(&outage.members), |it| it.expected.clone()),
            reported: ids(&outage.reported),
            contradicted: ids(&outage.contradicted),
            restored: ids(&outage.restored),
            first_gasp: outage.gasps.map(|(first, _)| first),
            last_gasp: outage.gasps.map(|(_, last)| last),
            window_closed: outage.found,
            since: outage.gasps.map_or(outage.since, |(first, _)| first),
            until,
        }
    }
}

/// The outage that another one became part of.
fn root(into: &BTreeMap<u32, u32>, mut number: u32) -> u32 {
    while let Some(&next) = into.get(&number) {
        number = next;
    }
    number
}
