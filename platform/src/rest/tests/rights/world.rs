//! A tenant with a device for each way in which somebody can have to do with one, and what each
//! kind of principal may have of it, in plain words: the rules of access are not asked.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::http::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use lastmeter_model::access::{Cut, PrincipalRef};
use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::document::{
    Answer as Kept, AnswerKey, Document, DocumentKind, Edit, Expect, Key, Transaction, kind_of_name,
};
use lastmeter_model::invocation::{InvocationId, NewInvocation, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{AlertRow, BlockRow, DeviceState, ReadingRow, RefusalRow, ResultRow};
use lastmeter_store::{
    Page, Range, Rows, Series, SeriesQuery, StoreReader, StoreResult, Stretch, Summaries,
    SummaryQuery,
};

use lastmeter_units::HardwareId;

use super::super::super::{Proof, Shared, Stopping, Visitor, no_such_path, routes, with};
use super::super::*;
use super::{Principal, TenantName};
use crate::reader::Reader;
use crate::tests::bytes;
use crate::tests::numbered::{block, result, take};

const AMPERES: &str = "electricity.current.rms.l1";
const SECOND: i64 = 1_000_000_000;
/// A whole hour; then each hour has a reading, an alert and a command of every device.
const BEGIN: i64 = 1_800_000_000 * SECOND;
const HOUR: i64 = 3600 * SECOND;
pub(super) const ERAS: [i64; 3] = [1, 2, 3];

/// Devices by what they are to the user `ann`; all that are granted are `bob`'s, and granted to
/// every principal.
pub(super) const DEVICES: [&str; 14] = [
    "m-home", // hers
    "m-bobs", // his
    "m-left", // hers in the first hour, his since
    "m-came", // his in the first hour, hers since
    "m-open", // nobody's in the first hour, his since, and public
    "m-free", // nobody's
    "m-soon", // granted from later on
    "m-lent", // granted since the second hour
    "m-past", // the same, with history
    "m-over", // granted until a moment ago
    "m-back", // revoked
    "m-hour", // granted by the hour
    "m-volt", // granted, voltages only
    "m-none", // there is no such device
];
pub(super) const ABSENT: &str = "m-none";

/// What an answer can show of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Volts,
    Amperes,
    Alert,
    Command,
    Block,
    Result,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Device,
    Latest,
    Series,
    Hours,
    Export,
    Live,
    Alert,
    Assignment,
    Command,
    Block,
    Result,
}

/// The hours of which a principal may have something of a device.
pub(super) fn eras(who: &str, device: &str, row: Row) -> Vec<i64> {
    let is_now = matches!(row, Row::Latest | Row::Live | Row::Device | Row::Assignment);
    let third_party = ["user", "app"].contains(&who) && row != Row::Assignment;
    let mut eras: Vec<i64> = match (who, device) {
        (_, ABSENT) => vec![],
        ("bench", _) | ("admin", "m-free") | ("user", "m-home") => ERAS.to_vec(),
        ("admin", _) if matches!(row, Row::Command | Row::Device | Row::Assignment) => {
            ERAS.to_vec()
        }
        ("operator" | "admin", _) if row == Row::Result => ERAS.to_vec(),
        ("operator", _) | ("device", "m-home") if row == Row::Device => ERAS.to_vec(),
        ("admin", "m-open") | ("user", "m-left") if !is_now => vec![1],
        ("user", "m-came") => vec![2, 3],
        (_, "m-lent" | "m-volt") if third_party => vec![2, 3],
        (_, "m-hour") if third_party && row == Row::Hours => vec![2, 3],
        (_, "m-past") if third_party => ERAS.to_vec(),
        _ => vec![],
    };
    let is_within = who != "platform" && !who.contains("of b");
    if device == "m-open"
        && is_within
        && ![Row::Command, Row::Live, Row::Assignment, Row::Result].contains(&row)
    {
        eras.extend([2, 3]);
    }
    eras
}

/// Whether a principal is answered at all about a device.
pub(super) fn is_seen(who: &str, device: &str, row: Row) -> bool {
    let is_series = [Row::Series, Row::Export, Row::Block].contains(&row);
    let row = if is_series { Row::Hours } else { row };
    // Every device was nobody's at first.
    if who == "admin" && matches!(row, Row::Hours | Row::Alert) {
        return device != ABSENT;
    }
    !eras(who, device, row).is_empty()
}

/// Whether a principal may have something.
pub(super) fn is_given(who: &str, device: &str, era: i64, what: What, row: Row) -> bool {
    let is_whole = device != "m-volt" || ["bench", "admin", "operator"].contains(&who);
    let is_of_row = match what {
        What::Command => row == Row::Command && is_whole,
        What::Alert => {
            matches!(row, Row::Latest | Row::Live | Row::Export | Row::Alert) && is_whole
        }
        // A block is given as a whole, and has voltages and currents.
        What::Block => row == Row::Block && is_whole,
        What::Result => row == Row::Result && is_whole,
        What::Amperes => is_whole,
        What::Volts => true,
    };
    is_of_row && eras(who, device, row).contains(&era)
}

/// The text by which something is found in an answer.
pub(super) fn marker(device: &str, era: i64, what: What) -> String {
    let index = DEVICES.iter().position(|one| *one == device).unwrap() as i64;
    let number = 1000 + index * 10 + era;
    match what {
        What::Volts => format!("{number}.0625"),
        What::Amperes => format!("{}.0625", number + 1000),
        What::Alert => format!("alert-{number}."),
        What::Command => format!("command-{number}."),
        What::Block => format!("{}.0625", number + 2000),
        What::Result => format!("result-{number}."),
    }
}

/// A tenant, and the way to its router.
pub(in super::super) struct SampleTenant {
    pub(in super::super) bench: Bench,
    router: axum::Router,
    lookups: Arc<AtomicU64>,
    process: Arc<Process>,
    pub(super) invocations: BTreeMap<(String, i64), InvocationId>,
    /// What the next stream has to have before it counts as quiet.
    pub(super) wanted: Vec<String>,
}

/// Counts what a store is asked for.
struct Counting(Arc<dyn StoreReader>, Arc<AtomicU64>);

macro_rules! counted {
    ($($name:ident($($given:ident: $kind:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl StoreReader for Counting {
            $(async fn $name(&self, $($given: $kind),*) -> StoreResult<$answer> {
                self.1.fetch_add(1, Ordering::SeqCst);
                self.0.$name($($given),*).await
            })+
        }
    };
}

counted! {
    readings(stretch: Stretch) -> Rows<ReadingRow>;
    refusals(stretch: Stretch) -> Rows<RefusalRow>;
    alerts(stretch: Stretch) -> Rows<AlertRow>;
    results(stretch: Stretch) -> Rows<ResultRow>;
    blocks(stretch: Stretch) -> Rows<BlockRow>;
    block(device: i64, number: Number) -> Option<BlockRow>;
    numbered(device: i64, number: Number) -> Option<ReadingRow>;
    state(device: i64) -> DeviceState;
    quantities_of(device: i64) -> Vec<MeasurementId>;
    invocation(id: InvocationId) -> Option<StoredInvocation>;
    invocations(ids: Vec<InvocationId>) -> Vec<StoredInvocation>;
    invocations_of(device: i64, page: Page, cut: Cut) -> (u64, Vec<StoredInvocation>);
    series(query: SeriesQuery) -> Vec<Series>;
    summaries(query: SummaryQuery) -> Summaries;
    events(device: i64, range: Range, page: Page, cut: Cut) -> (u64, Vec<ReadingRow>);
    document(kind: &'static DocumentKind, token: String, version: Option<u64>) -> Option<Document>;
    document_at(kind: &'static DocumentKind, token: String, at: SimTime) -> Option<Document>;
    documents(kind: &'static DocumentKind, key: Option<Key>, page: Page) -> (u64, Vec<Document>);
    history(kind: &'static DocumentKind, token: String, page: Page) -> (u64, Vec<Document>);
    audit(stretch: Stretch) -> Rows<(AuditRow, Hash)>;
    answer(key: AnswerKey) -> Option<Kept>;
    cursor(name: String) -> Option<Vec<u8>>;
}

/// A whole answer, and how often the store was asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Answered {
    pub(in super::super) status: u16,
    pub(super) headers: String,
    pub(in super::super) body: String,
    pub(super) lookups: u64,
}

impl SampleTenant {
    pub(in super::super) fn start(mut bench: Bench) -> Self {
        let lookups = Arc::new(AtomicU64::new(0));
        let core = Arc::get_mut(&mut bench.core).unwrap();
        let store = core.readers.shared();
        core.readers = Reader::new(Arc::new(Counting(store, Arc::clone(&lookups))));
        let gate = Arc::new(Gate::new(GuessLimits::default()));
        let limits = &bench.config.limits;
        let settings = Settings::of(limits, Listener::Rest, limits.rest_connections, &gate);
        let process = bench.process();
        let shared = Shared::of(&process, &bench.config, &settings);
        let router = routes::router(false)
            .fallback(async |uri: axum::http::Uri| no_such_path(&uri))
            .layer(Extension(Stopping::never()))
            .with_state(shared);
        Self { bench, router, lookups, process, invocations: BTreeMap::new(), wanted: Vec::new() }
    }

    /// One with everything in it.
    pub(super) async fn full(principals: &[(&'static str, Principal)]) -> Self {
        let mut world = Self::start(Bench::start(ClockSource::Driven).await);
        for era in ERAS {
            let at = SimTime(BEGIN + (era - 1) * HOUR + 600 * SECOND);
            world.bench.core.advance(at).await.unwrap();
            for device in DEVICES.into_iter().filter(|device| *device != ABSENT) {
                world.measured(device, era, at).await;
            }
            world.bench.core.barrier().await.unwrap();
            for device in DEVICES.into_iter().filter(|device| *device != ABSENT) {
                let id = world.asked(device, &marker(device, era, What::Command)).await;
                world.invocations.insert((device.to_owned(), era), id);
            }
        }
        world.bench.core.advance(now()).await.unwrap();
        world.owned().await;
        for (_, who) in principals {
            world.granted(&who.reference).await;
        }
        world
    }

    pub(in super::super) async fn stop(self) {
        assert!(self.process.stop().await);
    }

    async fn measured(&self, device: &str, era: i64, at: SimTime) {
        let value = |what| marker(device, era, what).parse().unwrap();
        let mut message = reading(device, Some(era as u64), value(What::Volts));
        message.values.push((MeasurementId::lookup(AMPERES).unwrap(), value(What::Amperes)));
        message.event_date = Some(at);
        accept(&self.bench.core, bytes(&message)).await.unwrap();
        let text = marker(device, era, What::Alert);
        let alert = json!({
            "type": "over", "level": "Warning", "message": text, "updateState": true,
            "eventDate": at,
        });
        let alert = json!({ "hardwareId": device, "type": "DeviceAlert", "request": alert });
        accept(&self.bench.core, alert.to_string().into()).await.unwrap();
        let rate_hz = marker(device, era, What::Block).parse().unwrap();
        let id = HardwareId::new(device).unwrap();
        let block = block(&id, (1, era as u64), (at, rate_hz));
        take(&self.bench.core, (&id, "block"), block).await.unwrap();
        let content = json!({ "note": marker(device, era, What::Result) });
        let result = result(&id, (1, era as u64), (at, "outage"), &content);
        take(&self.bench.core, (&id, "result"), result).await.unwrap();
    }

    async fn asked(&self, device: &str, initiator: &str) -> InvocationId {
        let core = &self.bench.core;
        let (created, expires) = core.dispatcher.lifetime(1e7);
        let device = core.devices.find(device).unwrap();
        let asked = NewInvocation {
            device: device.id,
            command: "setReportingPeriod".to_owned(),
            parameters: BTreeMap::from([("seconds".to_owned(), "5".to_owned())]),
            initiator: "REST".to_owned(),
            initiator_id: initiator.to_owned(),
            metadata: BTreeMap::new(),
            created,
            expires,
        };
        core.dispatcher.invoke(&device.hardware_id, asked).await.unwrap().row.id
    }

    /// Puts a document.
    pub(super) async fn put(&self, kind: &str, token: &str, body: Value) {
        let kind = kind_of_name(kind).unwrap();
        (kind.check)(&body).unwrap();
        let (token, body) = (Some(token.to_owned()), Some(body));
        let edit = Edit { kind, token, expect: Expect::Anything, body };
        let transaction =
            Transaction { by: "bench".to_owned(), edits: vec![edit], ..Transaction::default() };
        let changed = self.bench.core.apply(transaction).await.unwrap();
        assert_eq!((changed.conflict, changed.limit), (None, None));
    }

    pub(super) async fn assign(&self, device: &str, person: &str, from: i64, until: Option<i64>) {
        let body = json!({
            "deviceHardwareId": device, "assetId": person,
            "status": if until.is_some() { "released" } else { "active" },
            "activeDate": SimTime(from), "releasedDate": until.map(SimTime),
        });
        self.put("assignment", &format!("{device}-{person}"), body).await;
    }

    async fn owned(&self) {
        for name in ["ann", "bob"] {
            let body = json!({ "category": "person", "name": name, "user": name });
            self.put("asset", name, body).await;
        }
        let (before, change) = (BEGIN - HOUR, BEGIN + HOUR);
        for device in DEVICES {
            match device {
                "m-home" => self.assign(device, "ann", before, None).await,
                "m-left" => {
                    self.assign(device, "ann", before, Some(change)).await;
                    self.assign(device, "bob", change, None).await;
                }
                "m-came" => {
                    self.assign(device, "bob", before, Some(change)).await;
                    self.assign(device, "ann", change, None).await;
                }
                "m-open" => self.assign(device, "bob", change, None).await,
                "m-free" | ABSENT => {}
                _ => self.assign(device, "bob", before, None).await,
            }
        }
        self.put("device", "m-open", json!({ "status": "registered", "visibility": "public" }))
            .await;
    }

    async fn granted(&self, to: &PrincipalRef) {
        let later = now().0 + 10 * HOUR;
        for device in &DEVICES[6..13] {
            let mut grant = json!({
                "to": to, "on": format!("device:{device}"), "actions": ["read"],
                "quantities": ["*"], "from": SimTime(BEGIN + HOUR), "until": SimTime(later),
                "by": "user:bob",
            });
            match *device {
                "m-soon" => grant["from"] = json!(SimTime(now().0 + HOUR)),
                "m-past" => grant["with_history"] = json!(true),
                "m-over" => grant["until"] = json!(now()),
                "m-back" => grant["revoked"] = json!(now()),
                "m-hour" => grant["finest"] = json!(HOUR),
                "m-volt" => grant["quantities"] = json!(["electricity.voltage.*"]),
                _ => {}
            }
            self.put("grant", &grant_token(device, to), grant).await;
        }
    }

    /// Sends a request as a principal.
    pub(in super::super) async fn ask(
        &self,
        who: &Principal,
        method: &str,
        path: &str,
    ) -> Answered {
        self.ask_with(who, (method, path), &[], "{}").await
    }

    pub(super) async fn ask_with(
        &self,
        who: &Principal,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answered {
        let tenant = Arc::clone(&self.bench.core);
        let mut request = Request::builder().method(method).uri(path);
        if method != "GET" {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if method == "GET" { Body::empty() } else { Body::from(body.to_owned()) };
        let mut request = request.body(body).unwrap();
        let (who, proof) = ([who.clone()].into(), Proof::Settings);
        let visitor = Visitor { tenant, who, proof };
        request = with(visitor, request);
        let before = self.lookups.load(Ordering::SeqCst);
        let answer = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let (head, mut body) = answer.into_parts();
        let line = |(name, value)| format!("{name}: {value:?}\n");
        let headers: String = head.headers.iter().map(line).collect();
        let is_live = headers.contains("event-stream");
        let mut text = Vec::new();
        // A stream has no end: it has given everything once it is quiet for a while.
        let quiet = if is_live { Duration::from_millis(20) } else { LIMIT };
        let is_wanted = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            self.wanted.iter().all(|one| text.contains(one))
        };
        for waited in 0.. {
            let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx));
            match tokio::time::timeout(quiet, frame).await {
                Ok(Some(frame)) => text.extend(frame.unwrap().into_data().unwrap()),
                Ok(None) => break,
                Err(_elapsed) if is_live && (waited >= 1000 || is_wanted(&text)) => break,
                Err(_elapsed) if is_live => {}
                Err(elapsed) => panic!("{method} {path} is not answered: {elapsed}"),
            }
        }
        Answered {
            status: head.status.as_u16(),
            headers,
            // Samples are no text.
            body: String::from_utf8_lossy(&text).into_owned(),
            lookups: self.lookups.load(Ordering::SeqCst) - before,
        }
    }
}

/// The instant at which everything is asked: the third hour is over.
pub(super) fn now() -> SimTime {
    SimTime(BEGIN + 3 * HOUR)
}

pub(super) fn grant_token(device: &str, to: &PrincipalRef) -> String {
    format!("g-{device}-{}", to.to_string().replace([':', '@'], "-"))
}

/// A principal of the tenant `default`, or of another.
pub(super) fn of_tenant(who: &Principal, tenant: &str) -> Principal {
    Principal { tenant: Some(TenantName::new(tenant).unwrap()), ..who.clone() }
}
