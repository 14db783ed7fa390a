//! All figures of one path, for a report: what a check judges, and what it does not.
//!
//! Terms: the *headline* span of a path begins at the intended instant; a *leg* is the stretch
//! between two neighbouring points that messages of the path have stamps of. Figures here are of
//! the whole path, all devices together; a check may be about fewer.

use std::sync::Arc;

use super::expected_rows::ExpectedRows;
use super::hold_up::HoldUps;
use super::judge::{Claim, Judgement};
use super::message::{Limit, Span, Window};
use super::population::Population;
use super::quantile::{Delay, TukeyBox};
use super::requirement::{Requirement, transfer_time_classes};
use super::validity::Validity;
use super::values::{Distribution, Values};
use crate::verdict::Because;
use lastmeter_params::Pattern;
use lastmeter_record::{
    Event, LatencyPath, LatencyRow, Observation, Point, RecordError, RunFacts, RunReader, Status,
};

/// The coverages at which a report judges every class.
pub const COVERAGES: [f64; 3] = [0.97, 0.99, 0.999];

/// Up to so many delays of a leg are kept one by one.
const LEG_EXACT_MAX: usize = 500_000;

/// One class at one coverage.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassRow {
    /// The class.
    pub class: &'static Requirement,
    /// What was counted and which bounds follow.
    pub judged: Judgement,
    /// What holds of it in this run. In virtual time it is about the model, never the platform.
    pub conclusion: Because,
}

/// The figures of a stretch between two points, by nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegFigures {
    /// From where to where.
    pub span: Span,
    /// How many messages passed both points.
    pub n: u64,
    /// Their median, in ns.
    pub p50_ns: Delay,
    /// 99 % of them took at most this, in ns.
    pub p99_ns: Delay,
    /// 99.9 % of them took at most this, in ns.
    pub p999_ns: Delay,
    /// The longest, in ns.
    pub max_ns: Delay,
}

impl LegFigures {
    fn of(span: Span, values: &Values) -> Option<Self> {
        let delays = values.distribution();
        Some(Self {
            span,
            n: delays.n(),
            p50_ns: delays.quantile(0.5)?,
            p99_ns: delays.quantile(0.99)?,
            p999_ns: delays.quantile(0.999)?,
            max_ns: delays.largest()?,
        })
    }
}

/// All figures of one path.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The path as in the record: `reading`, `reading>OBSERVER`, `command`.
    pub path: String,
    /// The messages with their headline span.
    pub population: Population,
    /// Their delays in order.
    pub delays: Distribution,
    /// Tukey's box; absent without messages, and where a quarter of them is lost.
    pub tukey: Option<TukeyBox>,
    /// Every class at every coverage of [`COVERAGES`], the loosest class first.
    pub classes: Vec<ClassRow>,
    /// The legs in the order in which a message passes them.
    pub legs: Vec<LegFigures>,
    /// The same delays from the instant of publishing instead of the intended one.
    pub from_published: Option<LegFigures>,
}

impl Analysis {
    /// The strictest class that passes at a coverage, loosest of all delivery; `None` if none does.
    pub fn strictest(&self, coverage: f64) -> Option<&'static Requirement> {
        let of_coverage = |row: &&ClassRow| row.judged.claim.coverage == coverage;
        let passed = |row: &&ClassRow| row.conclusion.status() == Status::Pass;
        self.classes.iter().rev().filter(of_coverage).find(passed).map(|row| row.class)
    }
}

/// The points of a path, in the order in which a message passes them, and the ends its headline may
/// have, the one that is looked for first first.
pub(crate) fn points_of(path: &str) -> (&'static [Point], &'static [Point]) {
    use Point::{
        Acknowledged, Answered, Asked, Committed, Heard, Intended, Obeyed, ProxyInDown, ProxyInUp,
        ProxyOutDown, ProxyOutUp, Published, Queryable, Received,
    };
    const COMMANDED: [Point; 8] = [
        Intended,
        Published,
        ProxyInDown,
        ProxyOutDown,
        Obeyed,
        ProxyInUp,
        ProxyOutUp,
        Acknowledged,
    ];
    match LatencyPath::of(path) {
        Some(LatencyPath::Command) => (&COMMANDED, &[Acknowledged, Obeyed]),
        Some(LatencyPath::Exchange) => (&[Intended, Asked, Heard, Answered], &[Answered]),
        Some(LatencyPath::Observed(_)) => (
            &[Intended, Published, ProxyInUp, ProxyOutUp, ProxyInDown, ProxyOutDown, Received],
            &[Received],
        ),
        Some(LatencyPath::Reading) | None => (
            &[Intended, Published, ProxyInUp, ProxyOutUp, Committed, Queryable],
            &[Queryable, Committed, Acknowledged],
        ),
    }
}

/// What is gathered of one path in a pass over the record.
struct Gathered {
    path: String,
    /// One population for each end the path may have.
    populations: Vec<Population>,
    /// For each of them, whether a message got there, and the delays since publishing.
    since_published: Vec<(bool, Values)>,
    window: Window,
    legs: Legs,
}

/// The delays between any two neighbouring points that have stamps.
struct Legs {
    points: &'static [Point],
    /// By first and second point, as places in `points`.
    by_pair: std::collections::BTreeMap<(usize, usize), Values>,
}

impl Legs {
    fn row(&mut self, row: &LatencyRow<'_>) {
        let mut last: Option<(usize, i64)> = None;
        for (place, &point) in self.points.iter().enumerate() {
            let Some(at) = row.at(point) else { continue };
            if let Some((before, since)) = last {
                let new = || Values::new(LEG_EXACT_MAX);
                let values = self.by_pair.entry((before, place)).or_insert_with(new);
                values.push(at.saturating_sub(since));
            }
            last = Some((place, at));
        }
    }

    /// The legs most messages passed: from each point to the one that follows it most often.
    fn figures(&self) -> Vec<LegFigures> {
        let mut legs = Vec::new();
        let mut place = 0;
        while let Some((&(_, to), values)) = self
            .by_pair
            .range((place, 0)..(place + 1, 0))
            .max_by_key(|(pair, values)| (values.n(), std::cmp::Reverse(pair.1)))
        {
            let span = Span { from: self.points[place], to: self.points[to] };
            legs.extend(LegFigures::of(span, values));
            place = to;
        }
        legs
    }
}

impl Gathered {
    fn new(path: &str, window: Window, hold_ups: &Arc<HoldUps>) -> Self {
        let limits: Vec<Limit> =
            transfer_time_classes().iter().map(|class| Limit::of(class.limit_ns)).collect();
        let population = |&to: &Point| {
            let span = Span { from: Point::Intended, to };
            Population::new(span, window, &limits).held_up_by(Arc::clone(hold_ups))
        };
        let (points, ends) = points_of(path);
        Self {
            path: path.to_owned(),
            populations: ends.iter().map(population).collect(),
            since_published: vec![(false, Values::new(LEG_EXACT_MAX)); ends.len()],
            window,
            legs: Legs { points, by_pair: std::collections::BTreeMap::new() },
        }
    }

    fn row(&mut self, row: &LatencyRow<'_>) {
        let is_judged = row.at(Point::Intended).is_some_and(|at| self.window.holds(at));
        for (population, since) in self.populations.iter_mut().zip(&mut self.since_published) {
            let to = population.span.to;
            since.0 |= row.at(to).is_some();
            if let Some(delay) = (Span { from: Point::Published, to }).delay(row)
                && is_judged
            {
                since.1.push(delay);
            }
            population.row(row);
        }
        if is_judged {
            self.legs.row(row);
        }
    }

    fn finish(mut self, validity: &Validity, expected: &ExpectedRows, stall_ns: i64) -> Analysis {
        let place = self.since_published.iter().position(|(is_stamped, _)| *is_stamped);
        let place = place.unwrap_or(0);
        let population = self.populations.swap_remove(place);
        let to = population.span.to;
        let since = &self.since_published[place].1;
        let delays = population.distribution();
        // An observer need not subscribe to all devices.
        let is_observed = LatencyPath::observer_of(&self.path).is_some();
        let is_about = |device: &str| !is_observed || population.sender(device).is_some();
        let missing = expected.missing(&self.path, &population, is_about);
        let ordered = population.in_order();
        let mut classes = Vec::new();
        for class in transfer_time_classes() {
            let limit = Limit::of(class.limit_ns);
            for coverage in COVERAGES {
                let claim = Claim { coverage, stall_ns };
                let Some(judged) = ordered.judge(limit, claim) else { continue };
                let conclusion = validity.conclude(&population, limit, &judged);
                let conclusion = match &missing {
                    Some(missing) => missing.outweighs(conclusion, &judged),
                    None => conclusion,
                };
                classes.push(ClassRow { class, judged, conclusion });
            }
        }
        drop(ordered);
        Analysis {
            path: self.path,
            tukey: delays.tukey_box(),
            delays,
            classes,
            legs: self.legs.figures(),
            from_published: LegFigures::of(Span { from: Point::Published, to }, since),
            population,
        }
    }
}

/// The figures of every path of a run, by path; empty if the run does not record latency. The
/// warm-up is the one the run's checks give, `None` for the default, and so is the
/// stall.
pub fn analyse(
    reader: &RunReader,
    warm_up_ns: Option<i64>,
    stall_ns: i64,
) -> Result<Vec<Analysis>, RecordError> {
    let Some(mut rows) = reader.latency()? else { return Ok(Vec::new()) };
    let mut analyst = Analyst::new(reader.facts(), warm_up_ns, stall_ns);
    // In virtual time no class is judged.
    if !analyst.validity().modelled {
        let mut observations = reader.observations()?;
        while let Some(observation) = observations.next_row()? {
            analyst.observation(&observation);
        }
        for event in reader.events()? {
            analyst.event(&event?.1);
        }
    }
    while let Some(row) = rows.next_row()? {
        analyst.row(&row);
    }
    Ok(analyst.finish())
}

/// Gathers the figures of every path in one pass, for those who read the record anyway.
pub struct Analyst {
    window: Window,
    validity: Validity,
    stall_ns: i64,
    expected: ExpectedRows,
    hold_ups: Arc<HoldUps>,
    paths: std::collections::BTreeMap<String, Gathered>,
}

impl Analyst {
    /// For a run; `warm_up_ns` and `stall_ns` as in [`analyse`].
    pub fn new(facts: &RunFacts, warm_up_ns: Option<i64>, stall_ns: i64) -> Self {
        let (window, validity) = (Window::of(facts, warm_up_ns), Validity::of(facts));
        let paths = std::collections::BTreeMap::new();
        let expected = ExpectedRows::new(facts, Pattern::new("*"));
        let hold_ups = facts.real_time.as_ref().map(HoldUps::of).unwrap_or_default();
        Self { window, validity, stall_ns, expected, hold_ups: Arc::new(hold_ups), paths }
    }

    /// What the run reports of itself.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// Takes a value of the record: what was due has to have a latency row.
    pub fn observation(&mut self, observation: &Observation<'_>) {
        self.expected.observation(observation);
    }

    /// Takes an event of the record: each command has to have a latency row.
    pub fn event(&mut self, event: &Event) {
        self.expected.event(event);
    }

    /// Takes a latency row of the record.
    pub fn row(&mut self, row: &LatencyRow<'_>) {
        if !self.paths.contains_key(row.path) {
            let gathered = Gathered::new(row.path, self.window, &self.hold_ups);
            self.paths.insert(row.path.to_owned(), gathered);
        }
        if let Some(gathered) = self.paths.get_mut(row.path) {
            gathered.row(row);
        }
    }

    /// The figures, by path.
    pub fn finish(self) -> Vec<Analysis> {
        let Self { validity, expected, stall_ns, paths, .. } = self;
        paths
            .into_values()
            .map(|gathered| gathered.finish(&validity, &expected, stall_ns))
            .collect()
    }
}

#[cfg(test)]
#[path = "analysis_tests.rs"]
mod tests;
