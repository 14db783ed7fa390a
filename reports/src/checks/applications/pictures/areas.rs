//! The area of an outage as an application concluded it, beside who had no supply.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_record::{Event, EventKind, field};
use lastmeter_text::{append, plural};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::Value;

use super::super::missed::MissedOutage;
use super::super::{Concluded, Darkness, Spell, Subject, element, meets};
use super::drawing::{Drawing, Supply};
use super::plan::Plan;
use super::{Pictures, first};
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::clock;

/// More outages than these are in the table only.
const OUTAGES_MAX: usize = 6;

/// A fault may be over so long before the first sign of the outage that it gave cause for.
const CAUSE: SimDuration = SimDuration::from_seconds(10);

/// What was concluded of an outage where it was widest.
struct Widest {
    outage: Subject,
    made: SimTime,
    /// How many meters it was held to have, and whether it was over by then.
    own: usize,
    is_over: bool,
    /// Whether nobody found it.
    is_missed: bool,
    /// Kind, name and phases of each element.
    elements: Vec<[String; 3]>,
    /// Who was held for being without supply, in all outages of the application, and who was.
    held: BTreeSet<String>,
    dark: BTreeSet<String>,
    /// Faults that were there: names and nodes.
    faults: Vec<(String, String)>,
}

/// Outages and supplies, as the record goes by.
#[derive(Default)]
pub(crate) struct Areas {
    pub(crate) dark: Darkness,
    faults: Vec<(String, String, Spell)>,
    held: BTreeMap<Subject, BTreeSet<String>>,
    widest: Vec<Widest>,
}

impl Areas {
    pub(super) fn is_empty(&self) -> bool {
        self.widest.is_empty()
    }

    /// Who has no supply at an instant up to which the record was taken.
    pub(crate) fn dark_at(&self, at: SimTime) -> BTreeSet<String> {
        self.dark.within(at, at)
    }

    /// Whom all outages together hold for being without now.
    pub(crate) fn held_now(&self) -> BTreeSet<String> {
        self.held.values().flatten().cloned().collect()
    }

    pub(super) fn take(&mut self, line: u64, event: &Event) {
        self.dark.take(line, event);
        if event.kind == EventKind::Operated {
            self.operated(event);
        } else if let Some(result) = Concluded::of(event, "outage") {
            self.result(&result);
        }
    }

    fn operated(&mut self, event: &Event) {
        let element = event.text(field::ELEMENT).unwrap_or_default();
        let Some(name) = element.strip_prefix("fault:") else { return };
        match event.text(field::WHAT) {
            Some("ignited") => {
                let node = event.text(field::NODE).unwrap_or_default().to_owned();
                self.faults.push((name.to_owned(), node, (event.time, None)));
            }
            Some("cleared") => {
                let mut own = self.faults.iter_mut();
                if let Some((_, _, spell)) = own.rfind(|(other, ..)| other == name) {
                    spell.1.get_or_insert(event.time);
                }
            }
            _ => {}
        }
    }

    fn result(&mut self, result: &Concluded<'_>) {
        let (outage, is_over, held) = (result.key(), result.is_over(), result.held());
        // Of one that is over when it is first reported, what it has been.
        let expected = || result.texts("expected").map(str::to_owned).collect();
        let own = if is_over { expected() } else { held.clone() };
        self.held.insert(outage.clone(), held);
        let before = self.widest.iter().position(|it| it.outage == outage);
        let is_wider = before.is_none_or(|at| {
            let other = &self.widest[at];
            !is_over && (other.is_over || own.len() > other.own)
        });
        if !is_wider {
            return;
        }
        let time = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        let from: SimTime = time(result.event.text(field::FROM)).unwrap_or(result.made);
        let until = time(result.content("until").and_then(Value::as_str)).unwrap_or(result.made);
        let (since, until) = if is_over { (from, until) } else { (result.made, result.made) };
        let others = self.held.iter().filter(|(key, _)| key.0 == outage.0);
        let widest = Widest {
            made: result.made,
            own: own.len(),
            is_over,
            is_missed: false,
            elements: result.areas(),
            held: others.flat_map(|(_, held)| held.clone()).chain(own).collect(),
            dark: self.dark.within(since, until),
            faults: self.faults_within(SimTime(from.0.saturating_sub(CAUSE.0)), until),
            outage,
        };
        match before {
            Some(at) => self.widest[at] = widest,
            None => self.widest.push(widest),
        }
    }

    fn faults_within(&self, since: SimTime, until: SimTime) -> Vec<(String, String)> {
        let own = self.faults.iter().filter(|(_, _, spell)| meets(spell, since, until));
        own.map(|(name, node, _)| (name.clone(), node.clone())).collect()
    }

    /// Adds an outage that nobody found, which is drawn as it was only.
    pub(super) fn add_missed(&mut self, missed: &MissedOutage) {
        let MissedOutage { since, widest, meters } = missed;
        self.widest.push(Widest {
            outage: ("nobody".to_owned(), "not found".to_owned()),
            made: *widest,
            own: meters.len(),
            is_over: false,
            is_missed: true,
            elements: Vec::new(),
            held: BTreeSet::new(),
            dark: meters.clone(),
            faults: self.faults_within(SimTime(since.0.saturating_sub(CAUSE.0)), *widest),
        });
    }

    /// Draws those with most meters, in order of time.
    pub(super) fn pictures(
        &self,
        plan: &Plan,
        start: SimTime,
        figures: &mut Vec<Figure>,
        all: &mut Pictures,
    ) {
        let by_meters = |one: &Widest, other: &Widest| other.own.cmp(&one.own);
        let (drawn, left_out) = first(self.widest.iter(), OUTAGES_MAX, by_meters);
        for (number, outage) in (1..).zip(drawn) {
            all.areas.extend(pair(plan, outage, (number, start), figures));
        }
        if self.widest.is_empty() {
            return;
        }
        if plan.left_out() > 0 {
            let nodes = plural(plan.left_out(), "node");
            all.area_notes
                .push(format!("{nodes} behind which no load is connected are not drawn."));
        }
        if left_out > 0 {
            let outages = plural(left_out, "outage");
            all.area_notes.push(format!("{outages} with fewer meters are not drawn."));
        }
    }
}

/// Both pictures of an outage; of one that nobody found as it was only.
fn pair(
    plan: &Plan,
    outage: &Widest,
    (number, start): (usize, SimTime),
    figures: &mut Vec<Figure>,
) -> Vec<Picture> {
    let mut csv = Csv::new("meter,load,concluded,without_supply");
    for (meter, load) in &plan.meters {
        let [concluded, without] = [&outage.held, &outage.dark].map(|all| all.contains(meter));
        if concluded || without {
            let figures = [concluded, without].map(|it| f64::from(u8::from(it)));
            csv.line(&[meter, &plan.network.loads[*load].name], &figures);
        }
    }
    let csv = csv.finish();
    let (application, subject) = &outage.outage;
    let at = clock((outage.made - start).as_seconds_f64());
    let names: Vec<String> = outage.elements.iter().map(element).collect();
    let when = if outage.is_over { "reported when it was over" } else { "reported" };
    let mut concluded = format!("{when} at {at}: {}", names.join(", "));
    append(&mut concluded, format_args!("; {} in all", plural(outage.held.len(), "meter")));
    let mut truth = format!("{} without supply", plural(outage.dark.len(), "meter"));
    for (name, node) in &outage.faults {
        let (of, place) = node.rsplit_once(" at ").map_or(("at", &**node), |it| ("on line", it.0));
        append(&mut truth, format_args!("; fault {name} {of} {place}"));
    }
    let mut draw = |is_concluded: bool, [title, name]: [&str; 2], caption: String| {
        let title = format!("{application}, {subject} {title}").trim_end().to_owned();
        let svg = drawn(plan, outage, is_concluded, &title);
        let figure = Figure::drawn(format!("outage-{number}-{name}"), svg, csv.clone());
        Picture::of(figure, title, caption, figures)
    };
    if outage.is_missed {
        let truth = format!("found by no application, at {at}: {truth}");
        return vec![draw(false, ["", "true"], truth)];
    }
    let concluded = draw(true, ["as concluded", "concluded"], concluded);
    vec![concluded, draw(false, ["as it was", "true"], truth)]
}

/// One of both pictures: as concluded, or as it was.
fn drawn(plan: &Plan, outage: &Widest, is_concluded: bool, title: &str) -> String {
    let mut drawing = Drawing::new(plan, &plan.depth, title);
    let (mut own, mut other) = (&outage.held, &outage.dark);
    if is_concluded {
        for own in &outage.elements {
            if let Some(ends) = plan.ends(&own[0], &own[1]) {
                drawing.halo(ends, &element(own));
            }
        }
    } else {
        (own, other) = (other, own);
    }
    let supplies = supplies(plan, own);
    drawing.tree(|node| supplies[node]);
    let mut at_node: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
    for (meter, load) in &plan.meters {
        at_node.entry(plan.node_of(*load)).or_default().push(meter);
    }
    for (node, meters) in at_node {
        let dark = meters.iter().filter(|it| own.contains(**it));
        let dark: Vec<&str> = dark.map(|it| it.as_str()).collect();
        let title = match dark.len() {
            0 => plural(meters.len(), "meter"),
            count => format!("{count} without supply of {}: {}", meters.len(), dark.join(", ")),
        };
        let is_odd = meters.iter().any(|it| own.contains(*it) != other.contains(*it));
        drawing.load(node, (!dark.is_empty(), is_odd), &title);
    }
    for (name, node) in outage.faults.iter().filter(|_| !is_concluded) {
        if let Some(place) = fault_place(plan, &drawing, node) {
            drawing.flash(place, name);
        }
    }
    drawing.legend();
    drawing.finish()
}

/// Where a node of the plant is: one of the network, or one that divides a line.
fn fault_place(plan: &Plan, drawing: &Drawing<'_>, node: &str) -> Option<(f64, f64)> {
    if let Some(own) = plan.network.node(node) {
        return drawing.place(own.index());
    }
    let (line, share) = node.rsplit_once(" at ")?;
    drawing.on_line(plan.ends("line", line)?, share.parse().ok()?)
}

/// How each node and what it hangs by is supplied, given the meters that are not: a phase is
/// without where all metered loads behind that have it are, and where nothing behind is metered
/// it is as what is before.
pub(super) fn supplies(plan: &Plan, dark: &BTreeSet<String>) -> Vec<Supply> {
    let count = plan.network.nodes.len();
    let (mut metered, mut without) = (vec![[0_u32; 3]; count], vec![[0_u32; 3]; count]);
    for (meter, load) in &plan.meters {
        let node = plan.node_of(*load);
        for (phase, has) in plan.phases(*load).into_iter().enumerate() {
            metered[node][phase] += u32::from(has);
            without[node][phase] += u32::from(has && dark.contains(meter));
        }
    }
    for &at in plan.tree.order.iter().rev() {
        let Some(parent) = plan.tree.parents[at] else { continue };
        for phase in 0..3 {
            metered[parent][phase] += metered[at][phase];
            without[parent][phase] += without[at][phase];
        }
    }
    let mut supplies = vec![Supply::Whole; count];
    for &at in &plan.tree.order {
        let has = |phase: &usize| metered[at][*phase] > 0;
        let phases = (0..3).filter(has).count();
        let lost = (0..3).filter(has).filter(|it| without[at][*it] == metered[at][*it]).count();
        supplies[at] = match lost {
            0 if phases == 0 => plan.tree.parents[at].map_or(Supply::Whole, |it| supplies[it]),
            0 => Supply::Whole,
            _ if lost == phases => Supply::None,
            _ => Supply::Partly,
        };
    }
    supplies
}
