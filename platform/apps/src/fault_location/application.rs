//! The application: what it asks of the platform, and what it sends.
//!
//! After each connection it reads the network with its switches, its own earlier results, and the
//! list of its recorder's blocks; blocks without a result are located, so nothing that was recorded
//! while it was away is missed, and nothing is reported twice. When it begins it also reads its
//! last alerts: a result goes before its alert, so at most that of the last result is missing, and
//! is sent then. From then on alerts of the recorder name new blocks. Between a block and its
//! result it waits for what meters report. The number of a result is that of its fault, which makes
//! a repetition harmless.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_grid::fault_search::Options;
use lastmeter_params::{Dimension, Entry, Field, Kind as FieldKind, Values};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};
use lastmeter_wire::rest::Answer;
use lastmeter_wire::topics;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::evidence::{Evidence, Supply, rank};
use super::model::Model;
use super::{Finding, Recording};
use crate::border::{AppInput, AppOutput, Application};
use crate::client::{Client, Notice, Number, Past, encoded, is_lasting, named};
use crate::kind::{AppContext, ApplicationKind, Need};
use crate::network::{NetworkDocument, SwitchStates, place_of};
use crate::platform::{LiveAlert, Page, body};

const TOLERANCE: FieldKind =
    FieldKind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };
const WAIT: FieldKind = FieldKind::Quantity { dimension: Dimension::Time, min: 0.0, max: 3600.0 };

/// Locates faults.
pub(crate) const FAULT_LOCATION: ApplicationKind = ApplicationKind {
    entry: Entry {
        name: "fault-location",
        summary: "locates faults of lines by what a recorder at their station took",
        description: "Takes the blocks of samples that `recorder` sends around faults, and searches \
            the network it was given for the places that explain them best. `wait` after a block \
            is there it reports at most five candidates, ranked also by which meters lost their \
            supply meanwhile.",
        fields: &[
            Field::required("recorder", FieldKind::Name, "the recorder, a device"),
            Field::required(
                "station",
                FieldKind::Text,
                "where the recorder is: a source, a node or a line of the network",
            ),
            Field::default("wait", WAIT, "\"1 s\"", "how long meters may report after a block"),
            Field::default(
                "line_tolerance",
                TOLERANCE,
                "\"5 %\"",
                "the standard deviation of what is known of each line's impedance",
            ),
            Field::default(
                "load_tolerance",
                TOLERANCE,
                "\"10 %\"",
                "the standard deviation of what is known of each load",
            ),
        ],
    },
    needs: &[Need::Network { commands: None }],
    validate: |_, _| {},
    build: |values, context| Some(Box::new(FaultLocation::new(values, context)?)),
};

/// The kind of its results.
const KIND: &str = "fault";
/// What their subjects begin with.
const SUBJECT: &str = "fault-";
/// All its messages are of one run of the counter: their numbers are those of faults.
const EPOCH: u64 = 1;
/// How long it waits before it asks again for a block that is not there yet.
const AGAIN: SimDuration = SimDuration::from_seconds(5);
/// How often it asks for a block that the platform refuses, each time later: for an hour, in which
/// a recorder can have been cut off. Then that is what it reports of it.
const TRIES_MAX: u32 = 39;
/// By how much the clocks of meters and of the recorder differ at most: reports of meters count
/// from so long before the inception until so long behind it and the wait.
const CLOCKS: SimDuration = SimDuration::from_seconds(2);
/// How long reports of meters are kept.
const REPORTS_KEPT: SimDuration = SimDuration::from_seconds(3600);

/// What an answer is for.
enum Asked {
    Network,
    Topology,
    /// A page of the list of blocks.
    Blocks,
    /// A block, and how often it was refused, from 1.
    Block(Number, u32),
    /// The device of this hardware id.
    Device(String),
}

/// A block without a result.
enum Block {
    Asked,
    /// To be asked for again, because it was refused so often or is not there.
    Absent(SimTime, u32),
    /// What it is, or why it is not known; reports of meters may come until then.
    Waiting(SimTime, Result<Recording, String>),
}

/// Locates the faults of one station.
struct FaultLocation {
    client: Client<Asked>,
    /// The token of the network that it was given.
    given: String,
    /// Where the recorder is: the name of a source, a node or a line of the model.
    station: String,
    /// The recorder's hardware id.
    recorder: HardwareId,
    /// How long meters may report their supply after a block is there.
    wait: SimDuration,
    options: Options,
    network: Option<NetworkDocument>,
    /// The network with its switches as they stand, or why there is none.
    model: Option<Result<Model, String>>,
    /// Whether it knows what it has reported.
    has_results: bool,
    last_fault: u64,
    /// Blocks that have a result, and others.
    located: BTreeSet<Number>,
    blocks: BTreeMap<Number, Block>,
    /// What meters reported, and of when by their clocks.
    reports: Vec<(String, Supply, SimTime)>,
    /// The networks that they are at, and their loads there.
    loads: BTreeMap<String, Option<(String, String)>>,
    /// Why nothing comes of the recorder.
    hidden: Option<String>,
}

impl FaultLocation {
    /// Not connected yet; none if a name is no hardware id.
    fn new(values: &Values, context: &AppContext) -> Option<Self> {
        let options = Options {
            line_spread: values.si("line_tolerance"),
            load_spread: values.si("load_tolerance"),
            ..Options::default()
        };
        Some(Self {
            client: Client::new(context, KIND)?,
            given: context.network.clone().unwrap_or_default(),
            station: values.text("station").to_owned(),
            recorder: HardwareId::new(context.device(values.text("recorder"))).ok()?,
            wait: values.duration("wait"),
            options,
            network: None,
            model: None,
            has_results: false,
            last_fault: 0,
            located: BTreeSet::new(),
            blocks: BTreeMap::new(),
            reports: Vec::new(),
            loads: BTreeMap::new(),
            hidden: None,
        })
    }

    /// The token of the network of which the application's is what it knows.
    fn network(&self) -> &str {
        self.network.as_ref().map_or(&self.given, NetworkDocument::of)
    }

    fn read(&mut self, out: &mut Vec<AppOutput>) {
        self.client.read_back(out);
        self.client.get(Asked::Network, place_of(&self.given), out);
        self.ask_device(self.recorder.to_string(), out);
        // Answers to what was asked before do not come any more: blocks among them are listed.
        self.blocks.retain(|_, block| matches!(block, Block::Waiting(..)));
        let unknown = self.loads.iter().filter(|(_, load)| load.is_none());
        for device in unknown.map(|it| it.0.clone()).collect::<Vec<_>>() {
            self.ask_device(device, out);
        }
    }

    fn ask_device(&mut self, device: String, out: &mut Vec<AppOutput>) {
        let path = format!("/sitewhere/api/devices/{}", encoded(&device));
        self.client.get(Asked::Device(device), path, out);
    }

    fn list_blocks(&mut self, after: &str, out: &mut Vec<AppOutput>) {
        let (recorder, after) = (encoded(self.recorder.as_str()), encoded(after));
        let path = format!("/api/v1/blocks?device={recorder}&after={after}");
        self.client.get(Asked::Blocks, path, out);
    }

    fn answered(&mut self, now: SimTime, answer: &Answer, out: &mut Vec<AppOutput>) {
        let asked = self.client.answered(now, answer, out);
        if let Some(past) = self.client.take_past() {
            self.resume(past, out);
        }
        if asked.is_some_and(|asked| self.take(now, asked, answer, out).is_none()) {
            self.client.fail(now);
        }
    }

    /// Takes an answer, and asks for what follows it; none if it cannot be read.
    fn take(
        &mut self,
        now: SimTime,
        asked: Asked,
        answer: &Answer,
        out: &mut Vec<AppOutput>,
    ) -> Option<()> {
        match asked {
            Asked::Network => {
                let document: NetworkDocument = body(answer)?;
                self.client.get(Asked::Topology, document.topology(), out);
                self.network = Some(document);
            }
            Asked::Topology => {
                let (states, document): (SwitchStates, _) = (body(answer)?, self.network.as_ref()?);
                self.model = Some(Model::new(document, &states, &self.station, &self.options));
            }
            Asked::Blocks => {
                let page: Page<Value> = body(answer)?;
                for number in page.results.iter().filter_map(number_of) {
                    self.fetch(number, out);
                }
                if page.more {
                    self.list_blocks(&page.next, out);
                }
            }
            Asked::Block(number, tries) => self.arrived(now, number, tries, answer),
            Asked::Device(device) if device == self.recorder.as_str() => {
                self.hidden = is_lasting(answer.status).then(|| {
                    format!(
                        "it finds no device `{device}`, expected the recorder registered, and a \
                         grant of `read` on `device:{device}`"
                    )
                });
            }
            Asked::Device(device) if answer.status == 200 || is_lasting(answer.status) => {
                self.loads.insert(device, load_of(&answer.body));
            }
            Asked::Device(device) => _ = self.loads.remove(&device),
        }
        Some(())
    }

    /// Takes what it has reported before, sends the alert of the last result if it was not, and
    /// goes on with the list of blocks.
    fn resume(&mut self, past: Past, out: &mut Vec<AppOutput>) {
        let mut last = None;
        for row in past.results {
            let number = row.subject.strip_prefix(SUBJECT).and_then(|it| it.parse().ok());
            if let Some(number) = number.filter(|number| *number > self.last_fault) {
                self.last_fault = number;
                last = Some(row.content.clone());
            }
            if let Some(number) = number_of(&row.content["block"]) {
                self.located.insert(number);
                self.blocks.remove(&number);
            }
        }
        let subject = subject(self.last_fault);
        let is_raised = past.alerts.iter().any(|facts| facts.get("fault") == Some(&subject));
        if let Some(content) = last.filter(|_| !self.has_results && !is_raised) {
            self.raise(&content, out);
        }
        self.has_results = true;
        self.list_blocks("0", out);
    }

    fn fetch(&mut self, number: Number, out: &mut Vec<AppOutput>) {
        if !self.located.contains(&number) && !self.blocks.contains_key(&number) {
            self.ask_block(number, 1, out);
        }
    }

    fn ask_block(&mut self, number: Number, tries: u32, out: &mut Vec<AppOutput>) {
        self.blocks.insert(number, Block::Asked);
        let path = format!("/api/v1/blocks/{}/{}", encoded(self.recorder.as_str()), named(number));
        self.client.get(Asked::Block(number, tries), path, out);
    }

    fn arrived(&mut self, now: SimTime, number: Number, tries: u32, answer: &Answer) {
        let Some(block) = self.blocks.get_mut(&number) else { return };
        *block = match answer.status {
            200 => {
                self.hidden = None;
                let recording = Recording::from_bytes(&answer.body).map_err(|it| it.to_string());
                Block::Waiting(now + self.wait, recording)
            }
            status if tries < TRIES_MAX => {
                // Who has no time or is not there has refused nothing.
                let refused = u32::from(is_lasting(status) || status == 500);
                Block::Absent(now + AGAIN * i64::from(tries), tries + refused)
            }
            status => {
                let why = format!("the platform does not give the block: status {status}");
                Block::Waiting(now, Err(why))
            }
        };
    }

    fn heard(&mut self, payload: &[u8], out: &mut Vec<AppOutput>) {
        let Ok(alert) = serde_json::from_slice::<LiveAlert>(payload) else { return };
        if let Some(network) = self.network.as_ref().filter(|_| alert.kind == "topology.changed") {
            self.client.get(Asked::Topology, network.topology(), out);
        }
        if alert.device == self.recorder.as_str() {
            let block = alert.metadata.get("block").and_then(|it| it.split_once('/'));
            let number = block.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            // Before the earlier results are read the list of blocks is still to come.
            if let Some(number) = number.filter(|_| self.has_results) {
                self.fetch(number, out);
            }
            return;
        }
        let seconds = alert.metadata.get(fact::DURATION_S).and_then(|it| it.parse().ok());
        let lasted = SimDuration::from_seconds_f64(seconds.unwrap_or(0.0));
        let (supply, at) = match alert.metadata.get(fact::KIND).map(String::as_str) {
            Some("last_gasp" | "interruption") => (Supply::Lost, alert.event_time),
            Some("dip") => (Supply::Kept, alert.event_time),
            // It is dated when the supply came back.
            Some("power_up") => {
                (Supply::Lost, SimTime(alert.event_time.0.saturating_sub(lasted.0)))
            }
            _ => return,
        };
        if !self.loads.contains_key(&alert.device) {
            self.loads.insert(alert.device.clone(), None);
            self.ask_device(alert.device.clone(), out);
        }
        self.reports.push((alert.device, supply, at));
    }

    /// When something is to be done about a block: located only once all that it needs is there.
    fn due(&self, block: &Block) -> Option<SimTime> {
        match block {
            Block::Asked => None,
            Block::Absent(at, _) => Some(*at),
            Block::Waiting(at, _) => (self.model.is_some() && self.has_results).then_some(*at),
        }
    }

    /// Does what is due.
    fn advance(&mut self, now: SimTime, out: &mut Vec<AppOutput>) {
        if self.client.again().is_some_and(|at| at <= now) {
            self.read(out);
        }
        let due = self.blocks.iter().filter(|it| self.due(it.1).is_some_and(|at| at <= now));
        for number in due.map(|it| *it.0).collect::<Vec<_>>() {
            match self.blocks.remove(&number) {
                Some(Block::Absent(_, tries)) => self.ask_block(number, tries, out),
                Some(Block::Waiting(_, recording)) => {
                    self.located.insert(number);
                    self.report(now, number, recording, out);
                }
                _ => {}
            }
        }
        let kept = now - REPORTS_KEPT..=now + REPORTS_KEPT;
        self.reports.retain(|it| kept.contains(&it.2));
    }

    /// Where the fault of a recording is, with the model that it is on, or why that is not known.
    fn located(&self, recording: Result<Recording, String>) -> Result<(Finding, &Model), String> {
        let model = self.model.as_ref().ok_or("no network")?.as_ref().map_err(Clone::clone)?;
        let mut found = model.locator.locate(&recording?).map_err(|it| it.to_string())?;
        let evidence = self.evidence(model, found.at);
        rank(model.locator.feeder(), &mut found.candidates, &evidence);
        Ok((found, model))
    }

    /// Sends the result of a block, and its alert.
    fn report(
        &mut self,
        now: SimTime,
        number: Number,
        recording: Result<Recording, String>,
        out: &mut Vec<AppOutput>,
    ) {
        let (epoch, serial) = number;
        let mut content = json!({
            "network": self.network(),
            "station": self.station,
            "block": {"device": self.recorder, "epoch": epoch, "serial": serial},
        });
        let mut from = recording.as_ref().map_or(now, |it| it.first);
        match self.located(recording) {
            Ok((found, model)) => {
                from = found.at;
                describe(&found, model, &mut content);
            }
            Err(why) => {
                content["candidates"] = json!([]);
                content["reason"] = json!(why);
            }
        }
        self.last_fault += 1;
        let (number, subject) = ((EPOCH, self.last_fault), subject(self.last_fault));
        let members = content.as_object().cloned().unwrap_or_default();
        self.client.conclude(number, subject, (from, None), members, out);
        self.raise(&content, out);
    }

    /// What meters have reported around a fault, by loads. Who reports a dip and a loss lost it.
    fn evidence(&self, model: &Model, at: SimTime) -> Evidence {
        let counts = at - CLOCKS..=at + self.wait + CLOCKS;
        let mut evidence = Evidence::new();
        for (device, supply, _) in self.reports.iter().filter(|it| counts.contains(&it.2)) {
            let load = self.loads.get(device).and_then(Option::as_ref);
            let load = load.filter(|(network, _)| network == self.network());
            if let Some(load) = load.and_then(|(_, load)| model.loads.get(load)) {
                let known = evidence.entry(*load).or_insert(*supply);
                if *supply == Supply::Lost {
                    *known = Supply::Lost;
                }
            }
        }
        evidence
    }

    /// Sends the alert of the last result, if it has a place.
    fn raise(&self, content: &Value, out: &mut Vec<AppOutput>) {
        let Some(first) = content["candidates"].get(0) else { return };
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let number = |name: &str| first[name].as_f64().unwrap_or_default();
        let block = number_of(&content["block"]).unwrap_or_default();
        let (line, distance_m) = (text(&first["line"]), number("distance_m"));
        let facts = vec![
            ("fault", subject(self.last_fault)),
            ("network", text(&content["network"])),
            ("station", text(&content["station"])),
            ("block", named(block)),
            ("loop", text(&content["loop"])),
            ("line", line.clone()),
            ("distance_m", format!("{distance_m:.1}")),
            ("resistance_ohm", format!("{:.2}", number("resistance_ohm"))),
            ("likelihood", format!("{:.3}", number("likelihood"))),
            ("candidates", content["candidates"].as_array().map_or(0, Vec::len).to_string()),
        ];
        let notice = Notice {
            kind: "fault.located",
            level: AlertLevel::Critical,
            text: format!("fault located {distance_m:.0} m away on {line}"),
            facts,
        };
        let at = SimTime::deserialize(&content["at"]).ok();
        self.client.raise((EPOCH, self.last_fault), at, notice, out);
    }
}

impl Application for FaultLocation {
    fn step(&mut self, now: SimTime, input: AppInput, out: &mut Vec<AppOutput>) {
        match input {
            AppInput::Connected => self.read(out),
            AppInput::Wake => {}
            AppInput::Message { payload, .. } => self.heard(&payload, out),
            AppInput::Answer(answer) => self.answered(now, &answer, out),
        }
        self.advance(now, out);
    }

    fn subscriptions(&self) -> Vec<String> {
        vec![topics::live_alerts(&self.client.tenant)]
    }

    fn wake_at(&self) -> Option<SimTime> {
        let due = self.blocks.values().filter_map(|block| self.due(block));
        due.chain(self.client.again()).min()
    }

    fn trouble(&self) -> Option<&str> {
        let of_model = || self.model.as_ref()?.as_ref().err().map(String::as_str);
        self.client.trouble().or(self.hidden.as_deref()).or_else(of_model)
    }
}

/// What is found, as the content of a result.
fn describe(found: &Finding, model: &Model, content: &mut Value) {
    let round = |value: f64, by: f64| (value * by).round() / by;
    let candidates: Vec<Value> = found
        .candidates
        .iter()
        .map(|it| {
            json!({
                "line": model.line_name(it.line),
                "distance_m": round(it.distance_m, 10.0),
                "along_m": round(it.along_m, 10.0),
                "resistance_ohm": round(it.resistance_ohm, 1e3),
                "likelihood": round(it.likelihood, 1e4),
                "spread_m": round(it.spread_m, 10.0),
            })
        })
        .collect();
    content["at"] = json!(found.at);
    content["loop"] = json!(found.kind.to_string().to_uppercase());
    content["candidates"] = json!(candidates);
    let formulas = [
        ("reactance_m", found.formulas.reactance_m),
        ("takagi_m", found.formulas.takagi_m),
        ("modified_takagi_m", found.formulas.modified_takagi_m),
    ];
    for (name, metres) in formulas {
        if let Some(metres) = metres {
            content[name] = json!(round(metres, 10.0));
        }
    }
}

/// What the results and alerts of a fault are about.
fn subject(fault: u64) -> String {
    format!("{SUBJECT}{fault}")
}

/// The number of a block in a document that has one.
fn number_of(row: &Value) -> Option<Number> {
    Some((row["epoch"].as_u64()?, row["serial"].as_u64()?))
}

/// The network that a device is at, and the load of it that it measures.
fn load_of(body: &[u8]) -> Option<(String, String)> {
    let device: Value = serde_json::from_slice(body).ok()?;
    let of = |name: &str| device["metadata"][name].as_str().map(str::to_owned);
    Some((of("network")?, of("load")?))
}
