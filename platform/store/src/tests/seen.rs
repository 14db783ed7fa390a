//! Everything that a reader answers, as texts that can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use lastmeter_model::access::{Cut, Decision, Pattern, Permit, Quantities, Scope, Window};
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::document::AnswerKey;
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::standing::Totals;
use lastmeter_units::{HardwareId, SimDuration, SimTime};

use super::work::{DEVICES, EPOCHS, INVOCATIONS, PRINCIPALS, SERIALS, TOKENS, kinds, quantities};
use crate::error::StoreResult;
use crate::seam::{Page, Range, SeriesQuery, StoreReader, Stretch, SummaryQuery};

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
    (totals, chain): (Totals, u64),
) -> Seen {
    let mut seen = Questions(Seen::new());
    seen.answer("devices", &Ok(devices.page(0, 1000)));
    seen.answer("open", &Ok(devices.open(None)));
    lists(&mut seen, reader, totals).await;
    documents(&mut seen, reader, chain).await;
    cursors(&mut seen, reader).await;
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

async fn documents(seen: &mut Questions, reader: &dyn StoreReader, chain: u64) {
    for kind in kinds() {
        let all = reader.documents(kind, None, PAGES[0]).await;
        let made = all.iter().flat_map(|(_, documents)| documents.iter());
        let mut tokens: BTreeSet<String> = made.map(|document| document.token.clone()).collect();
        tokens.extend(TOKENS.map(str::to_owned));
        let mut keys = BTreeSet::from([None]);
        if let Ok((_, documents)) = &all {
            for body in documents.iter().map(|one| serde_json::from_str(&one.body).unwrap()) {
                keys.extend((kind.check)(&body).unwrap().into_iter().map(Some));
            }
        }
        for (key, page) in keys.into_iter().flat_map(|key| PAGES.map(|page| (key.clone(), page))) {
            let answer = reader.documents(kind, key.clone(), page).await;
            seen.answer(("documents", kind.name, key, page), &answer);
        }
        for token in tokens {
            for version in [None, Some(0), Some(1), Some(2), Some(u64::MAX)] {
                let answer = reader.document(kind, token.clone(), version).await;
                seen.answer(("document", kind.name, &token, version), &answer);
            }
            for at in [-1, 0, 1, 5].map(SimTime) {
                let answer = reader.document_at(kind, token.clone(), at).await;
                seen.answer(("document at", kind.name, &token, at), &answer);
            }
            for page in PAGES {
                let answer = reader.history(kind, token.clone(), page).await;
                seen.answer(("history", kind.name, &token, page), &answer);
            }
        }
    }
    for (after, limit, more) in [(0, 1000, 0), (1, 2, 0), (0, 1000, 1), (chain, 9, 0)] {
        let stretch = Stretch { after, limit, last: chain + more };
        seen.answer(("audit", stretch), &reader.audit(stretch).await);
    }
    for by in PRINCIPALS {
        for key in ["0", "1", "2", "3"] {
            let key = AnswerKey { by: by.to_owned(), key: key.to_owned() };
            seen.answer(("answer", &key), &reader.answer(key.clone()).await);
        }
    }
}

async fn cursors(seen: &mut Questions, reader: &dyn StoreReader) {
    for name in ["a", "b", "c"] {
        seen.answer(("cursor", name), &reader.cursor(name.to_owned()).await);
    }
}

async fn lists(seen: &mut Questions, reader: &dyn StoreReader, totals: Totals) {
    let Totals { readings, refusals, alerts, results, blocks } = totals;
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
        for after in [0, 1, results] {
            let stretch = Stretch { after, limit, last: results + more };
            seen.answer(("results", stretch), &reader.results(stretch).await);
        }
        for after in [0, 1, blocks] {
            let stretch = Stretch { after, limit, last: blocks + more };
            seen.answer(("blocks", stretch), &reader.blocks(stretch).await);
        }
    }
}

/// What may be given: everything, nothing, some quantities of two spans, and whole roll-ups.
fn cuts() -> [Cut; 4] {
    let device = HardwareId::new("d").unwrap();
    let like = |pattern: &str| Quantities::Like([pattern.parse::<Pattern>().unwrap()].into());
    let window = |from: i64, until: i64, quantities, finest: Option<i64>| Window {
        device: device.clone(),
        from: SimTime(from),
        until: SimTime(until),
        quantities,
        finest: finest.map(SimDuration),
    };
    let name = quantities()[0].name();
    let some = vec![
        window(i64::MIN, 1, Quantities::All, None),
        window(5, 60_000_000_001, like(name), None),
    ];
    let whole = vec![window(0, 60_000_000_000, Quantities::All, Some(60_000_000_000))];
    let of = |windows| {
        let permit = Decision::Yes(Scope::Windows(windows)).permit().unwrap();
        permit.cut_with(&device, |_, span| Some(span))
    };
    [Permit::whole_tenant().cut(&device), Cut::NOTHING, of(some), of(whole)]
}

async fn of_device(seen: &mut Questions, reader: &dyn StoreReader, device: i64) {
    seen.answer(("state", device), &reader.state(device).await);
    seen.answer(("quantities", device), &reader.quantities_of(device).await);
    let of_one_epoch = SERIALS.map(|serial| (EPOCHS[1], serial));
    for number in of_one_epoch.into_iter().chain(EPOCHS.map(|epoch| (epoch, SERIALS[1]))) {
        seen.answer(("number", device, number), &reader.numbered(device, number).await);
        seen.answer(("block", device, number), &reader.block(device, number).await);
    }
    for (page, cut) in PAGES.into_iter().flat_map(|page| cuts().map(|cut| (page, cut))) {
        let invocations = reader.invocations_of(device, page, cut.clone()).await;
        seen.answer(("invocations", device, page, cut), &invocations);
    }
    for (page, cut) in PAGES.into_iter().take(2).flat_map(|page| cuts().map(|cut| (page, cut))) {
        let events = reader.events(device, ALWAYS, page, cut.clone()).await;
        seen.answer(("events", device, page, &cut), &events);
        let (ids, range, after) = (quantities(), ALWAYS, None);
        let query = SeriesQuery { device, ids, range, page, after, cut };
        seen.answer(("series", &query), &reader.series(query.clone()).await);
    }
    let [all, ..] = cuts();
    let quarter = Range { start: SimTime(0), end: SimTime(899_999_999_999) };
    let few = [(RANGES[1], all.clone(), 1000), (quarter, all.clone(), 1000), (ALWAYS, all, 1)];
    for (range, cut, limit) in cuts().map(|cut| (ALWAYS, cut, 1000)).into_iter().chain(few) {
        let (ids, rows_from) = (quantities(), SimTime(if limit == 1 { 0 } else { i64::MIN }));
        let query = SummaryQuery { device, ids, range, rows_from, limit, cut };
        seen.answer(("summaries", &query), &reader.summaries(query.clone()).await);
    }
    for (range, page) in RANGES.into_iter().zip(PAGES).chain(PAGES.map(|page| (ALWAYS, page))) {
        let [cut, ..] = cuts();
        let events = reader.events(device, range, page, cut.clone()).await;
        seen.answer(("events", device, range, page), &events);
        let places = [None, Some((0, 3)), Some((60_000_000_000, 0))];
        for after in places.into_iter().take(if page.offset == 0 { 3 } else { 1 }) {
            let (ids, cut) = (quantities(), cut.clone());
            let query = SeriesQuery { device, ids, range, page, after, cut };
            seen.answer(("series", &query), &reader.series(query.clone()).await);
        }
    }
}
