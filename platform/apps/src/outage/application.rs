//! The application `outage`: what it hears, and what it sends.
//!
//! When it is connected it reads its network, the states of the switches, the devices whose
//! metadata name that network and a load of it, its own results, and of each meter what is known
//! last; what comes meanwhile waits. From that it stands where it stood before: what was reported
//! is not reported again, and alerts of the time between are taken as they came.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_grid::network::{Wire, Wires};
use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::fact;
use lastmeter_wire::rest::Answer;
use lastmeter_wire::topics;

use super::areas::Areas;
use super::content::{self, KIND};
use super::polls::{self, Polls};
use super::reading::{Asked, Devices, Last, Reading};
use super::silence::Silence;
use super::{Detector, Parameters, Report, Sign};
use crate::border::{AppInput, AppOutput, Application};
use crate::client::{Client, Number, Past, named};
use crate::kind::{AppContext, ApplicationKind, Need};
use crate::network::{NetworkDocument, SwitchStates};
use crate::platform::{LiveAlert, LiveReading, body};

/// How long it waits at the least before it asks again who is there.
const LOOK: SimDuration = SimDuration::from_seconds(60);
/// Messages of unknown devices that are kept until then, at most.
const UNKNOWN_MAX: usize = 1000;
/// As many of a device's alerts as the platform lists.
const TAKEN_MAX: usize = 10;
/// The fact of an alert that names the result which it announces: `EPOCH/SERIAL`.
const RESULT: &str = "result";

const fn time(name: &'static str, min: f64, default: &'static str, doc: &'static str) -> Field {
    let kind = Kind::Quantity { dimension: Dimension::Time, min, max: 86_400.0 };
    Field::default(name, kind, default, doc)
}

const fn share(name: &'static str, default: &'static str, doc: &'static str) -> Field {
    let kind = Kind::Quantity { dimension: Dimension::Ratio, min: 1e-6, max: 1.0 - 1e-6 };
    Field::default(name, kind, default, doc)
}

/// Finds what is without supply.
pub(crate) const OUTAGE: ApplicationKind = ApplicationKind {
    entry: Entry {
        name: "outage",
        summary: "finds the areas without supply by last gasps, silence and power-up messages",
        description: "Hears the alerts and readings of the meters at its network. A `window` after \
            the first last gasp it reports which elements are out, with the meters that are \
            expected in them and those that reported; readings that come or stay away correct \
            that, power-up messages and readings restore it meter by meter. Of who gasped alone \
            and who is expected without a gasp it polls the first `polls` after each window by \
            the command `readRegister`. A switch that a person opened before its meters gasped is \
            a planned outage, of which no alert is raised.",
        fields: &[
            time("window", 0.1, "\"30 s\"", "from the first last gasp to the first report"),
            time("update", 0.1, "\"5 s\"", "from a later sign to the report of what it changes"),
            time("period", 1.0, "\"15 min\"", "how often meters report at the least"),
            time("grace", 0.1, "\"1 min\"", "by how much a reading may be late"),
            Field::default(
                "polls",
                Kind::Integer { min: 0, max: 10_000 },
                "0",
                "how many meters are polled at most after a window: 0 for none",
            ),
            time("hold_up", 0.05, "\"2 s\"", "how long meters work on when their supply fails"),
            time("answer", 0.1, "\"10 s\"", "within what a poll has to be answered"),
            Field::default("register", Kind::Text, "\"CHV1\"", "what a poll reads of a meter"),
            share("gasp", "\"90 %\"", "how likely a last gasp arrives"),
            share("false_gasp", "\"1 %\"", "how likely a lit meter sends one in a window"),
            share("missed", "\"2 %\"", "how likely a reading of a lit meter stays away"),
            share("restored", "\"90 %\"", "an outage ends when this share of its meters is back"),
        ],
    },
    needs: &[Need::Network { commands: Some("polls") }],
    validate: |_, _| {},
    build: |values, context| Some(Box::new(OutageApplication::new(values, context)?)),
};

/// What an alert of a meter is a sign of.
fn sign(kind: &str, metadata: &BTreeMap<String, String>) -> Option<Sign> {
    match kind {
        "supply.failed" => {
            let failed = |of: &String| -> Wires {
                let names = ["l1", "l2", "l3"].into_iter().zip(Wire::PHASES);
                names.filter(|(name, _)| of.contains(name)).map(|it| it.1).collect()
            };
            Some(Sign::Gasp(metadata.get(fact::PHASE).map(failed)))
        }
        "supply.returned" => Some(Sign::PowerUp),
        _ => None,
    }
}

/// It would never find anything.
const NO_METER: &str = "it may read no device whose metadata name its network, as `network`, and a \
                        load of that, as `load`, expected the meters of the network";

struct OutageApplication {
    /// The token of the network that it was given.
    given: String,
    parameters: Parameters,
    client: Client<Asked>,
    /// What is read, and the messages that wait for it.
    reading: Option<Reading>,
    waiting: Vec<(String, Vec<u8>)>,
    /// Messages of devices that are not among the meters; these may have been registered meanwhile.
    unknown: Vec<(String, Vec<u8>)>,
    /// The devices, while they are asked for again, and when they were last.
    looking: Option<Devices>,
    looked: Option<SimTime>,
    network: Option<NetworkDocument>,
    states: SwitchStates,
    detector: Option<Detector>,
    silence: Silence,
    polls: Polls,
    /// The assignments of the meters.
    tokens: Vec<String>,
    places: BTreeMap<String, usize>,
    /// Of each meter the alerts that were taken last: what they are, and their dates.
    taken: Vec<VecDeque<(bool, SimTime)>>,
    /// What was reported last of each outage that is not over.
    reported: BTreeMap<u32, Report>,
    epoch: u64,
    results: u64,
    alerts: u64,
}

impl OutageApplication {
    fn new(values: &Values, context: &AppContext) -> Option<Self> {
        let silence = Silence::new(values.duration("period"), values.duration("grace"));
        let parameters = Parameters {
            window: values.duration("window"),
            update: values.duration("update"),
            hold_up: values.duration("hold_up"),
            gasp: values.si("gasp"),
            false_gasp: values.si("false_gasp"),
            missed: values.si("missed"),
            restored_share: values.si("restored"),
            ..Parameters::default()
        };
        Some(Self {
            given: context.network.clone().unwrap_or_default(),
            parameters,
            client: Client::new(context, KIND)?,
            reading: None,
            waiting: Vec::new(),
            unknown: Vec::new(),
            looking: None,
            looked: None,
            network: None,
            states: SwitchStates::default(),
            detector: None,
            silence,
            polls: Polls::new(values),
            tokens: Vec::new(),
            places: BTreeMap::new(),
            taken: Vec::new(),
            reported: BTreeMap::new(),
            epoch: 1,
            results: 0,
            alerts: 0,
        })
    }

    fn read(&mut self, out: &mut Vec<AppOutput>) {
        // What has come until now is in what is read.
        self.waiting.clear();
        self.looking = None;
        self.reading = Some(Reading::begin(&self.given, &mut self.client, out));
    }

    fn answered(&mut self, now: SimTime, answer: &Answer, out: &mut Vec<AppOutput>) {
        match self.client.answered(now, answer, out) {
            Some(Asked::Poll(meter, at)) => self.polls.given(meter, at, answer),
            Some(Asked::Answer(meter, at)) => {
                if let Some(sign) = polls::outcome(answer) {
                    self.sign(now, meter, sign, at);
                }
            }
            Some(Asked::Devices(page)) if self.looking.is_some() => {
                self.look((page, answer), out);
            }
            asked => {
                if self.take(now, (asked, answer), out).is_none() {
                    self.client.fail(now);
                }
            }
        }
    }

    /// Takes what it reads, and begins when all is there; none if something cannot be read.
    fn take(
        &mut self,
        now: SimTime,
        (asked, answer): (Option<Asked>, &Answer),
        out: &mut Vec<AppOutput>,
    ) -> Option<()> {
        let Some(mut reading) = self.reading.take() else {
            return asked.map_or(Some(()), |_| self.switched(now, body(answer)?));
        };
        if let Some(asked) = asked {
            reading.take((asked, answer), &mut self.client, out)?;
        }
        if self.client.again().is_some() {
            return Some(());
        }
        if !(reading.is_whole() && self.client.has_past()) {
            self.reading = Some(reading);
            return Some(());
        }
        let past = self.client.take_past()?;
        self.begin(now, reading, past, out)
    }

    /// When the devices are asked for again, because somebody was heard who is none of them.
    fn look_at(&self) -> Option<SimTime> {
        let is_looking = self.looking.is_some() || self.reading.is_some();
        let next = self.looked.map_or(SimTime(i64::MIN), |at| at + LOOK);
        (!is_looking && !self.unknown.is_empty()).then_some(next)
    }

    /// Takes devices that were asked for again; where others are meters now, all is read again.
    fn look(&mut self, answer: (usize, &Answer), out: &mut Vec<AppOutput>) {
        let (Some(mut looking), Some(network)) = (self.looking.take(), &self.network) else {
            return;
        };
        if looking.take(answer, &mut self.client, out).is_none() {
            return;
        }
        if !looking.are_whole {
            self.looking = Some(looking);
            return;
        }
        let (meters, _) = looking.meters(network.of());
        if self.detector.as_ref().is_some_and(|it| it.meters() != meters) {
            self.read(out);
        } else {
            self.unknown.clear();
        }
    }

    /// The switches stand otherwise; none if the network cannot be read.
    fn switched(&mut self, now: SimTime, states: SwitchStates) -> Option<()> {
        let network = self.network.as_ref()?.network(&states).ok()?;
        if let Some(detector) = self.detector.as_mut().filter(|_| states != self.states) {
            detector.set_areas(now, Areas::new(&network), states.is_by_person());
            self.states = states;
        }
        Some(())
    }

    /// Begins, or goes on, with all that was read; none if the network is none.
    fn begin(
        &mut self,
        now: SimTime,
        reading: Reading,
        past: Past,
        out: &mut Vec<AppOutput>,
    ) -> Option<()> {
        let Reading { network, states, meters, last, tokens, .. } = reading;
        let (network, states) = (network?, states?);
        let areas = Areas::new(&network.network(&states).ok()?);
        let normal = Areas::new(&network.network(&SwitchStates::default()).ok()?);
        self.network = Some(network);
        self.tokens = tokens.unwrap_or_default();
        if self.detector.as_ref().is_some_and(|it| it.meters() == meters) {
            self.switched(now, states);
        } else {
            let is_by_person = states.is_by_person();
            self.states = states;
            self.places = meters.iter().map(|it| it.id.to_string()).zip(0..).collect();
            self.silence.forget(meters.len());
            self.polls.forget();
            self.taken = vec![VecDeque::new(); meters.len()];
            let mut detector = Detector::new(areas, meters, self.parameters.clone());
            detector.note_off(&normal, is_by_person);
            self.detector = Some(detector);
            self.resume(now, past, out);
        }
        self.take_last(now, &last, out);
        let mut waiting = std::mem::take(&mut self.unknown);
        waiting.append(&mut self.waiting);
        for (topic, payload) in waiting {
            self.message(now, &topic, &payload, out);
        }
        Some(())
    }

    /// Takes what is known last of meters, in the order in which it came.
    fn take_last(&mut self, now: SimTime, last: &[Last], out: &mut Vec<AppOutput>) {
        let mut signs = Vec::new();
        for (meter, last) in last.iter().enumerate() {
            if let Some(date) = last.reading().filter(|&it| Some(it) > self.silence.last(meter)) {
                signs.push((date.min(now), meter, Sign::Reading, date));
            }
            let alerts = last.latest_alerts.iter().filter_map(|alert| {
                let sign = sign(&alert.kind, &alert.metadata)?;
                Some((alert.received_date.min(now), meter, sign, alert.event_date))
            });
            signs.extend(alerts);
        }
        signs.sort_by_key(|&(at, meter, _, date)| (at, meter, date));
        for (at, meter, sign, date) in signs {
            self.advance(at, out);
            self.sign(at, meter, sign, date);
        }
        self.advance(now, out);
    }

    /// Takes what was reported before; the last result's alert is sent if it was not.
    fn resume(&mut self, now: SimTime, past: Past, out: &mut Vec<AppOutput>) {
        let Past { results, alerts } = past;
        let reported = results
            .into_iter()
            .filter_map(|row| Some((row.number(), content::report(&row.subject, row.content)?)));
        let reported: Vec<(Number, Report)> = reported.collect();
        let newest = reported.iter().map(|it| it.0).max();
        let (mut before, mut last) = (None, BTreeMap::new());
        for (number, report) in reported {
            if Some(number) == newest {
                before = Some((report.clone(), last.get(&report.number).cloned()));
            }
            last.insert(report.number, report);
        }
        let open = last.iter().filter(|(_, report)| !report.state.is_final());
        self.reported = open.map(|(number, report)| (*number, report.clone())).collect();
        if (self.results, self.alerts) == (0, 0) {
            let epochs = alerts.iter().filter_map(|facts| facts.get("epoch")?.parse().ok());
            let epochs = epochs.chain(newest.map(|number| number.0));
            self.epoch = epochs.max().unwrap_or(0_u64).saturating_add(1);
        }
        if let (Some(number), Some((report, before))) = (newest, before) {
            let of = named(number);
            if !alerts.iter().any(|facts| facts.get(RESULT) == Some(&of)) {
                self.alert(now, &report, before.as_ref(), of, out);
            }
        }
        if let Some(detector) = &mut self.detector {
            detector.resume(last.into_values().collect());
        }
    }

    /// Takes a sign of a meter.
    fn sign(&mut self, now: SimTime, meter: usize, sign: Sign, date: SimTime) {
        match sign {
            Sign::Reading => self.silence.heard(now, meter, date),
            Sign::Gasp(_) | Sign::PowerUp => {
                // What was taken before a connection was lost is read again behind it.
                let alert = (sign == Sign::PowerUp, date);
                let taken = &mut self.taken[meter];
                if taken.contains(&alert) {
                    return;
                }
                taken.truncate(TAKEN_MAX - 1);
                taken.push_front(alert);
            }
            Sign::Answer | Sign::Missing | Sign::Unanswered => {}
        }
        if let Some(detector) = &mut self.detector {
            detector.take(now, meter, sign, date);
        }
    }

    fn message(&mut self, now: SimTime, topic: &str, payload: &[u8], out: &mut Vec<AppOutput>) {
        if topic == topics::live_alerts(&self.client.tenant) {
            let Ok(alert) = serde_json::from_slice::<LiveAlert>(payload) else { return };
            let named = alert.metadata.get("network").map(String::as_str);
            let own = self.network.as_ref().filter(|network| Some(network.of()) == named);
            if let Some(network) = own.filter(|_| alert.kind == "topology.changed") {
                self.client.get(Asked::States, network.topology(), out);
            } else if let Some(sign) = sign(&alert.kind, &alert.metadata) {
                match self.places.get(&alert.device) {
                    Some(&meter) => self.sign(now, meter, sign, alert.event_time),
                    None => self.keep_unknown(topic, payload),
                }
            }
        } else if let Some(device) = topic.rsplit('/').next() {
            let Ok(reading) = serde_json::from_slice::<LiveReading>(payload) else { return };
            match self.places.get(device) {
                Some(&meter) => self.sign(now, meter, Sign::Reading, reading.event_time),
                None => self.keep_unknown(topic, payload),
            }
        }
        // Where a reading is missing by now it may be the next message: that is known when woken,
        // behind all that have come.
        if self.silence.wake_at().is_none_or(|at| at > now) {
            self.advance(now, out);
        }
    }

    /// Keeps what comes of a device that is not among the meters.
    fn keep_unknown(&mut self, topic: &str, payload: &[u8]) {
        if self.detector.is_some() && self.unknown.len() < UNKNOWN_MAX {
            self.unknown.push((topic.to_owned(), payload.to_vec()));
        }
    }

    /// Reports what is due until an instant.
    fn advance(&mut self, now: SimTime, out: &mut Vec<AppOutput>) {
        while let Some(detector) = &mut self.detector {
            let silent = self.silence.wake_at().filter(|&at| at <= now);
            let due = detector.wake_at().filter(|&at| at <= now);
            if let (Some(at), true) = (silent, due.is_none_or(|due| silent <= Some(due))) {
                if let Some(meter) = self.silence.missing(now) {
                    detector.take(at, meter, Sign::Missing, at);
                }
            } else if let Some(at) = due {
                for report in detector.advance(at) {
                    self.publish(now, report, out);
                }
            } else {
                return;
            }
        }
    }

    /// Polls, but not while it goes through what has come before: only an answer of now counts.
    fn poll(&mut self, now: SimTime, out: &mut Vec<AppOutput>) {
        if let Some(detector) = &self.detector {
            self.polls.advance(now, (detector, &self.tokens), &mut self.client, out);
        }
    }

    /// Sends a report as a result, and its alert.
    fn publish(&mut self, now: SimTime, report: Report, out: &mut Vec<AppOutput>) {
        self.results += 1;
        let number = (self.epoch, self.results);
        let span = (report.since, report.until.map(|until| until.max(report.since)));
        let network = self.network.as_ref().map_or("", NetworkDocument::of);
        let content = content::content(network, &report);
        self.client.conclude(number, content::subject(report.number), span, content, out);
        let before = self.reported.remove(&report.number);
        self.alert(now, &report, before.as_ref(), named(number), out);
        if !report.state.is_final() {
            self.reported.insert(report.number, report);
        }
    }

    /// Raises the alert of a result, if it is to have one.
    fn alert(
        &mut self,
        now: SimTime,
        report: &Report,
        before: Option<&Report>,
        result: String,
        out: &mut Vec<AppOutput>,
    ) {
        let Some(mut notice) = content::alert(report, before) else { return };
        notice.facts.push((RESULT, result));
        self.alerts += 1;
        self.client.raise((self.epoch, self.alerts), Some(now), notice, out);
    }
}

impl Application for OutageApplication {
    fn step(&mut self, now: SimTime, input: AppInput, out: &mut Vec<AppOutput>) {
        match input {
            AppInput::Connected => self.read(out),
            AppInput::Wake => {
                if self.client.again().is_some_and(|at| at <= now) {
                    self.read(out);
                }
                self.advance(now, out);
            }
            AppInput::Message { topic, payload } => {
                if self.reading.is_some() {
                    self.waiting.push((topic, payload));
                } else {
                    self.message(now, &topic, &payload, out);
                }
            }
            AppInput::Answer(answer) => {
                let is_beginning = self.reading.is_some();
                self.answered(now, &answer, out);
                // Else it is woken, behind the messages that have come by now.
                if is_beginning {
                    self.advance(now, out);
                }
            }
        }
        if self.look_at().is_some_and(|at| at <= now) {
            self.looked = Some(now);
            self.looking = Some(Devices::default());
            Devices::ask(1, &mut self.client, out);
        }
        self.poll(now, out);
    }

    fn wake_at(&self) -> Option<SimTime> {
        let detector = self.detector.as_ref();
        let due = detector.and_then(|detector| {
            let own = [detector.wake_at(), self.silence.wake_at(), self.polls.wake_at()];
            own.into_iter().flatten().min()
        });
        [due, self.client.again(), self.look_at()].into_iter().flatten().min()
    }

    fn trouble(&self) -> Option<&str> {
        let knows_none = self.detector.is_some() && self.places.is_empty();
        self.client.trouble().or(knows_none.then_some(NO_METER))
    }

    fn subscriptions(&self) -> Vec<String> {
        let tenant = &self.client.tenant;
        vec![topics::live_alerts(tenant), format!("{tenant}/live/device/+")]
    }
}
