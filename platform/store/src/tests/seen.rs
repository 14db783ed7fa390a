//! Everything that a reader answers, as texts that can be compared.

use std::collections::BTreeMap;
use std::fmt::Debug;

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::standing::Totals;
use lastmeter_units::SimTime;

use super::work::{DEVICES, EPOCHS, INVOCATIONS, SERIALS, quantities};
use crate::error::StoreResult;
use crate::seam::{Page, Range, SeriesQuery, StoreReader, Stretch};

/// Answers by their query.
pub(super) type Seen = BTreeMap<String, String>;

const ALWAYS: Range = Range { start: SimTime(i64::MIN), end: SimTime(i64::MAX) };
const RANGES: [Range; 4] = [
    ALWAYS,
    Range { start: SimTime(-1), end: SimTime(60_000_000_000) },
    Range { start: SimTime(0), end: SimTime(0) },
    Range { start: SimTime(1), end: SimTime(0) },
];
const PAGES: [Page; 4] = [
    Page { offset: 0, limit: 1000 },
    Page { offset: 1, limit: 2 },
    Page { offset: 500, limit: 1 },
    Page { offset: 0, limit: 0 },
];

/// What is asked, and what the answer was.
struct Questions(Seen);

impl Questions {
    fn answer<T: Debug>(&mut self, query: impl Debug, answer: &StoreResult<T>) {
        self.0.insert(format!("{query:?}"), format!("{answer:?}"));
    }
}

/// Everything that a store has, asked for in every way.
pub(super) async fn seen(
    reader: &dyn StoreReader,
    devices: &DeviceDirectory,
    totals: Totals,
) -> Seen {
    let mut seen = Questions(Seen::new());
    seen.answer("devices", &Ok(devices.page(0, 1000)));
    seen.answer("open", &Ok(devices.open(None)));
    lists(&mut seen, reader, totals).await;
    let ids = (1..=INVOCATIONS).map(InvocationId);
    let mut known = Vec::new();
    for id in ids {
        let answer = reader.invocation(id).await;
        let is_last = matches!(&answer, Ok(None));
        seen.answer(("invocation", id), &answer);
        if is_last {
            break;
        }
        known.push(id);
    }
    seen.answer("invocations", &reader.invocations(known.clone()).await);
    known.insert(0, InvocationId(INVOCATIONS + 1));
    seen.answer("missing invocation", &reader.invocations(known).await);
    for device in 0..=DEVICES + 1 {
        of_device(&mut seen, reader, device).await;
    }
    seen.0
}

async fn lists(seen: &mut Questions, reader: &dyn StoreReader, totals: Totals) {
    let Totals { readings, refusals, alerts } = totals;
    for (limit, more) in [(1000, 0), (2, 0), (0, 0), (1000, 1)] {
        for after in [0, 1, readings] {
            let stretch = Stretch { after, limit, last: readings + more };
            seen.answer(("readings", stretch), &reader.readings(stretch).await);
        }
        for after in [0, 1, refusals] {
            let stretch = Stretch { after, limit, last: refusals + more };
            seen.answer(("refusals", stretch), &reader.refusals(stretch).await);
        }
        for after in [0, 1, alerts] {
            let stretch = Stretch { after, limit, last: alerts + more };
            seen.answer(("alerts", stretch), &reader.alerts(stretch).await);
        }
    }
}

async fn of_device(seen: &mut Questions, reader: &dyn StoreReader, device: i64) {
    seen.answer(("state", device), &reader.state(device).await);
    seen.answer(("quantities", device), &reader.quantities_of(device).await);
    let of_one_epoch = SERIALS.map(|serial| (EPOCHS[1], serial));
    for number in of_one_epoch.into_iter().chain(EPOCHS.map(|epoch| (epoch, SERIALS[1]))) {
        seen.answer(("number", device, number), &reader.numbered(device, number).await);
    }
    for page in PAGES {
        let invocations = reader.invocations_of(device, page).await;
        seen.answer(("invocations", device, page), &invocations);
    }
    for (range, page) in RANGES.into_iter().zip(PAGES).chain(PAGES.map(|page| (ALWAYS, page))) {
        let events = reader.events(device, range, page).await;
        seen.answer(("events", device, range, page), &events);
        let places = [None, Some((0, 3)), Some((60_000_000_000, 0))];
        for after in places.into_iter().take(if page.offset == 0 { 3 } else { 1 }) {
            let query = SeriesQuery { device, ids: quantities(), range, page, after };
            seen.answer(("series", &query), &reader.series(query.clone()).await);
        }
    }
}
