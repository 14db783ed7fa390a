//! Pictures of what applications concluded on the one-line diagram of the network: the area of an
//! outage beside that without supply, and the candidates of a fault with its true place.

mod areas;
mod drawing;
mod places;
mod plan;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use lastmeter_params::Table;
use lastmeter_record::{Event, RunFacts};
use serde::Serialize;

pub(super) use places::{Located, Place};

use super::missed::{LineFault, MissedOutage};
use crate::render::figure::{Figure, Picture};

/// What is drawn, gathered event by event.
#[derive(Default)]
pub(super) struct Story {
    pub(super) areas: areas::Areas,
    pub(super) places: places::Places,
}

/// The pictures, and what is not drawn, in sentences.
#[derive(Default, Serialize)]
pub(super) struct Pictures {
    pub(super) areas: Vec<Picture>,
    pub(super) places: Vec<Picture>,
    pub(super) area_notes: Vec<String>,
    pub(super) place_notes: Vec<String>,
}

impl Story {
    pub(super) fn take(&mut self, line: u64, event: &Event) {
        self.areas.take(line, event);
        self.places.take(event);
    }

    /// What nobody concluded, of outages and faults that an application is there for.
    pub(super) fn add_missed(&mut self, outages: &[MissedOutage], faults: &[&LineFault]) {
        for outage in outages {
            self.areas.add_missed(outage);
        }
        for fault in faults {
            self.places.add_missed(fault);
        }
    }

    pub(super) fn pictures(
        &self,
        facts: &RunFacts,
        document: &Table,
        figures: &mut Vec<Figure>,
    ) -> Pictures {
        let mut all = Pictures::default();
        match plan::Plan::of(facts, document) {
            Ok(plan) => {
                self.areas.pictures(&plan, facts.start, figures, &mut all);
                self.places.pictures(&plan, facts.start, figures, &mut all);
            }
            Err(why) if self.areas.is_empty() => all.place_notes.push(why),
            Err(why) => all.area_notes.push(why),
        }
        all
    }
}

/// The first so many by an order, as they come, and how many are left out.
fn first<'a, T>(
    all: impl Iterator<Item = &'a T>,
    most: usize,
    order: impl Fn(&T, &T) -> Ordering,
) -> (Vec<&'a T>, usize) {
    let mut all: Vec<(usize, &T)> = all.enumerate().collect();
    all.sort_by(|one, other| order(one.1, other.1));
    let left_out = all.split_off(all.len().min(most)).len();
    all.sort_by_key(|(at, _)| *at);
    (all.into_iter().map(|(_, it)| it).collect(), left_out)
}
