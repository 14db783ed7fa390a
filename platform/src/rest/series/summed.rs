//! A page of summaries of whole stretches of a width in a time zone.

use std::collections::BTreeMap;

use lastmeter_model::calendar::{self, Stretch, Width, Zone};
use lastmeter_model::series::rollup::{BUCKET, Summary, bucket};
use lastmeter_store::{Range, StoreResult, SummaryQuery};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};

use super::{Asked, Found, PointJson, Walk, before};
use crate::reader::Reader;

/// Summaries of buckets that are read between two looks at whether a page is full.
const BUCKETS_AT_ONCE: usize = 8192;
/// Such looks for a page, unless one of its summaries takes more.
const LOOKS_MAX: usize = 60;
/// From the first instant of a bucket to its last one.
const LAST: SimDuration = SimDuration(BUCKET.0 - 1);

/// The stretches of a width in a zone.
struct Stretches<'a> {
    zone: &'a Zone,
    width: Width,
    /// That of the last question.
    known: Stretch,
}

impl Stretches<'_> {
    /// The one that an instant lies in.
    fn of(&mut self, at: SimTime) -> Stretch {
        if !(self.known.from <= at && at < self.known.until) {
            let next = SimTime(at.0.saturating_add(1));
            let found = calendar::stretches(self.zone, self.width, at, next).next();
            self.known = found.unwrap_or(Stretch { from: at, until: next });
        }
        self.known
    }
}

/// A page of summaries of whole stretches of a width.
pub(super) async fn summed(
    readers: &Reader,
    asked: &mut Asked,
    zone: &Zone,
    width: Width,
) -> StoreResult<Found> {
    let known = Stretch { from: SimTime(0), until: SimTime(0) };
    let mut stretches = Stretches { zone, width, known };
    asked.range.start = stretches.of(asked.range.start).from;
    asked.range.end = before(stretches.of(asked.range.end).until);
    let (mut found, mut looks) = (Found::of(asked), 0);
    for place in asked.cursor.device..asked.devices.len() {
        let mut walk = asked.walk(readers, place).await?;
        let mut sums = Sums::default();
        let is_by_width = is_by_width(&walk);
        if is_by_width {
            // A page that began within a stretch would give a part of it.
            walk.range.start = stretches.of(walk.range.start).from;
        }
        while !walk.is_done {
            let at = walk.range.start;
            let may_stop = looks >= LOOKS_MAX && (!is_by_width || stretches.of(at).from == at);
            if sums.0.is_empty() && (found.room == 0 || may_stop) {
                found.next = Some(walk.cursor());
                return Ok(found);
            }
            looks += 1;
            more(readers, &mut walk, &mut sums, &mut stretches).await?;
            // What a stretch has is known once its end has been passed.
            let next = (!walk.is_done).then_some(walk.range.start);
            let known = next.map_or(SimTime(i64::MAX), |next| stretches.of(next).from);
            let until = sums.fitting(found.room).min(known);
            let is_cut = until < known || (!walk.is_done && looks >= LOOKS_MAX);
            if walk.is_done || is_cut {
                let is_any = sums.take(until, |id, points| found.add(place, id, points));
                if is_cut && is_any {
                    found.next = Some(format!("{place}.{}", until.0));
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

/// Whether something of the device may be had as summaries of whole stretches only.
fn is_by_width(walk: &Walk) -> bool {
    walk.cut.windows().is_some_and(|windows| windows.iter().any(|one| one.finest.is_some()))
}

/// Adds the next buckets of a walk.
async fn more(
    readers: &Reader,
    walk: &mut Walk,
    sums: &mut Sums,
    stretches: &mut Stretches<'_>,
) -> StoreResult<()> {
    let query = SummaryQuery {
        device: walk.device,
        ids: walk.ids.clone(),
        range: walk.range,
        rows_from: SimTime(i64::MIN),
        limit: BUCKETS_AT_ONCE,
        cut: walk.cut.clone(),
    };
    let answer = readers.summaries(query.clone()).await?;
    for (id, summary) in answer.summaries {
        let Stretch { from, until } = stretches.of(summary.first.0);
        if summary.last.0 < until {
            sums.add(id, from, &summary);
            continue;
        }
        // A change of offset within a bucket: its values are taken one by one.
        let start = bucket(summary.first.0);
        let (range, limit) = (Range { start, end: start + LAST }, usize::MAX);
        let rows_from = SimTime(i64::MAX);
        let one = SummaryQuery { ids: vec![id], range, rows_from, limit, ..query.clone() };
        let mut values = readers.summaries(one).await?.summaries;
        if values.iter().map(|(_, value)| value.n).sum::<u64>() < summary.n {
            // They are not kept any more.
            values = vec![(id, summary)];
        }
        for (id, value) in values {
            sums.add(id, stretches.of(value.first.0).from, &value);
        }
    }
    match answer.next {
        Some(next) => walk.range.start = next,
        None => walk.is_done = true,
    }
    Ok(())
}

/// Summaries by the beginning of their stretch and quantity.
#[derive(Default)]
struct Sums(BTreeMap<(SimTime, usize), (MeasurementId, Summary)>);

impl Sums {
    fn add(&mut self, id: MeasurementId, from: SimTime, summary: &Summary) {
        match self.0.get_mut(&(from, id.index())) {
            Some((_, known)) => known.merge(summary),
            None => drop(self.0.insert((from, id.index()), (id, summary.clone()))),
        }
    }

    /// Until when they fit into so much room; those of one stretch always do.
    fn fitting(&self, room: usize) -> SimTime {
        let Some(((first, _), _)) = self.0.first_key_value() else { return SimTime(i64::MAX) };
        let mut behind = self.0.keys().skip(room).map(|(from, _)| *from);
        behind.find(|from| from != first).unwrap_or(SimTime(i64::MAX))
    }

    /// Gives those that begin before an instant; whether there were any.
    fn take(
        &mut self,
        until: SimTime,
        mut give: impl FnMut(MeasurementId, Vec<PointJson>),
    ) -> bool {
        let behind = self.0.split_off(&(until, 0));
        let taken = std::mem::replace(&mut self.0, behind);
        let is_any = !taken.is_empty();
        let mut by_quantity: BTreeMap<usize, (MeasurementId, Vec<PointJson>)> = BTreeMap::new();
        for ((from, index), (id, sum)) in taken {
            let point = PointJson::Summary(from, sum.n, sum.min, sum.mean(), sum.max);
            by_quantity.entry(index).or_insert((id, Vec::new())).1.push(point);
        }
        for (id, points) in by_quantity.into_values() {
            give(id, points);
        }
        is_any
    }
}
