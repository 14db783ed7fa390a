//! The household as a machine: readings, feeds, pages and switchings in, effects out.
//!
//! Decisions are made when a poll of the nodes has ended, with the values of that poll, and at once
//! after a change by the customer. What has to survive a restart is kept before what depends on it
//! goes out. It knows meters by their names and no network.

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use lastmeter_household::schedule::Strategy;
use lastmeter_household::shed::Shedding;
use lastmeter_household::tariff::{Reading, Register};
use lastmeter_household::{Energy, POWER_MAX_W};
use lastmeter_units::{Direction, Quantity, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};
use lastmeter_wire::rest::{Answer, Request};
use rand::Rng as _;

use super::display::Screen;
use super::feeds::Feeds;
use super::kept::{self, Kept, KeptFeed, KeptLoad, KeptUnit, Run, WHOLE};
use super::record::{Billed, Decided};
use super::settings::{LoadSettings, Settings};
use super::site::{Served, Site};
use super::statistics::Track;
use super::view::{Change, DecisionView};
use crate::border::{PageAnswer, PageRequest};
use crate::message::Alert;

/// Of a bill there is a record at most this often.
const BILLED_EVERY: SimDuration = SimDuration::from_seconds(60);
/// An alert of refused pages comes at most this often.
const ACCESS_EVERY: SimDuration = SimDuration::from_seconds(60);
/// So many decisions are shown.
const SHOWN: usize = 50;
/// The end of compact registers of energy: 2^32 steps of 100 J.
const COMPACT_END: Energy = Energy((1 << 32) * 100_000_000);

/// What a household wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// To be asked of the platform.
    Request(Request),
    /// To be kept durably before what follows, under this name.
    Keep(String, Vec<u8>),
    /// To be sent to the platform, also after an outage.
    Alert(Alert),
    /// The switching unit of a meter is to close or to open.
    Switch { device: String, is_closed: bool },
    /// The answer to a request of a browser.
    Page { number: u64, answer: PageAnswer },
    /// A request of a browser was refused.
    PageRefused(String),
    /// A step of a register is not charged, or not yet.
    Open(String),
    /// What came does not fit, and was not used.
    Refused(String),
    /// For the record of a run.
    Decided(Box<Decided>),
    /// For the record of a run.
    Billed(Box<Billed>),
}

/// A load with its state.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) settings: LoadSettings,
    /// Local times of day that the customer has set.
    pub(super) window: Option<(SimDuration, SimDuration)>,
    pub(super) is_closed: Option<bool>,
    /// What was ordered and is not answered.
    pub(super) ordered: Option<bool>,
    pub(super) hand: Option<bool>,
    pub(super) run: Run,
}

/// A meter.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Active power in W, positive when consumed.
    pub(super) power_w: Option<i64>,
    /// Whether it is of the present poll.
    pub(super) is_fresh: bool,
    /// Of the connection and of loads.
    pub(super) track: Option<Track>,
    /// What the connection feeds in, of which the profile is drawn.
    pub(super) injected: Option<Track>,
}

/// The household.
#[derive(Debug)]
pub(crate) struct Household {
    pub(super) name: String,
    pub(super) settings: Settings,
    /// As the customer has set it.
    pub(super) strategy: Option<Strategy>,
    pub(super) contract_w: Option<i64>,
    pub(super) feeds: Feeds,
    pub(super) bill: super::bill::Ledger,
    billed_at: Option<SimTime>,
    register: Register,
    pub(super) meters: BTreeMap<String, Meter>,
    pub(super) loads: Vec<Load>,
    pub(super) shedding: Shedding,
    /// Whether starts are to be looked for again, and the slot in which they were.
    pub(super) must_plan: bool,
    pub(super) planned_slot: i64,
    pub(super) unit: KeptUnit,
    pub(super) decisions: std::collections::VecDeque<DecisionView>,
    kept: Vec<u8>,
    pub(super) screen: Screen,
    /// Refused pages that no alert has counted, and when the last alert was.
    refusals: u64,
    alerted_at: Option<SimTime>,
    /// The pages, with what their sessions are drawn from; none serve no page.
    pages: Option<(Site, ChaCha8Rng)>,
}

impl Household {
    /// One that begins, with what it kept under its names. Registers in compact layout begin again.
    pub(crate) fn new(
        name: &str,
        settings: Settings,
        (start, is_compact): (SimTime, bool),
        parts: &BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let kept: Kept = parts.get(WHOLE).and_then(|bytes| kept::decode(bytes)).unwrap_or_default();
        // Statistics are of loads and of the connection, whose profile is of both directions.
        let tracked = settings.loads.iter().map(|load| &load.device).chain([&settings.connection]);
        let track = |part: String| {
            let part = parts.get(&part).and_then(|bytes| kept::decode(bytes));
            Some(Track::new(part.unwrap_or_default()))
        };
        let meter = |name: &String| {
            let injected = (*name == settings.connection).then(|| track(kept::of_injected(name)));
            let (track, injected) = (track(kept::of_meter(name)), injected.flatten());
            (name.clone(), Meter { track, injected, ..Meter::default() })
        };
        let mut meters: BTreeMap<String, Meter> = tracked.map(meter).collect();
        for name in &settings.production {
            meters.entry(name.clone()).or_default();
        }
        let was = |name: &str| kept.loads.iter().find(|load| load.name == name).cloned();
        let of_kept: Vec<KeptLoad> =
            settings.loads.iter().map(|load| was(&load.device).unwrap_or_default()).collect();
        let shed = |load: &KeptLoad| {
            let (at, power_w) = load.shed?;
            Some(lastmeter_household::shed::Opened { at: SimTime(at), power_w })
        };
        let shedding = Shedding { opened: of_kept.iter().map(shed).collect() };
        let load = |(settings, kept): (&LoadSettings, KeptLoad)| Load {
            settings: settings.clone(),
            window: kept.window_ns.map(|(from, until)| (SimDuration(from), SimDuration(until))),
            is_closed: kept.is_closed,
            ordered: None,
            hand: kept.hand,
            run: kept.run,
        };
        let feeds = parts.get(kept::FEEDS).and_then(|bytes| kept::decode(bytes));
        let feeds: Vec<KeptFeed> = feeds.unwrap_or_default();
        Self {
            name: name.to_owned(),
            strategy: kept.strategy.as_deref().and_then(Strategy::from_word),
            contract_w: kept.contract_w,
            feeds: Feeds::new(&settings.feeds, &settings.currency, start).with_kept(&feeds),
            bill: kept.bill,
            billed_at: None,
            register: Register {
                wraps_at: is_compact.then_some(COMPACT_END),
                power_max_w: POWER_MAX_W,
            },
            meters,
            loads: settings.loads.iter().zip(of_kept).map(load).collect(),
            shedding,
            must_plan: true,
            planned_slot: i64::MIN,
            unit: kept.unit,
            decisions: std::collections::VecDeque::new(),
            kept: parts.get(WHOLE).cloned().unwrap_or_default(),
            screen: Screen::Start,
            refusals: 0,
            alerted_at: None,
            pages: None,
            settings,
        }
    }

    /// With its pages, whose sessions are drawn from this stream.
    pub(crate) fn with_pages(self, draws: ChaCha8Rng) -> Self {
        Self { pages: Some((Site::new(&self.settings.access), draws)), ..self }
    }

    /// When it wants [`Self::work`] next.
    pub(crate) fn wake_at(&self) -> Option<SimTime> {
        let access = self.alerted_at.filter(|_| self.refusals > 0).map(|at| at + ACCESS_EVERY);
        self.feeds.wake_at().into_iter().chain(access).min()
    }

    /// Whether there is anything that it could switch.
    pub(crate) fn has_loads(&self) -> bool {
        !self.loads.is_empty()
    }

    /// Asks for feeds that are due, and reports refused pages that no alert has counted.
    pub(crate) fn work(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        out.extend(self.feeds.due(now).into_iter().map(Effect::Request));
        self.alert_access(now, "several", out);
    }

    /// Takes an answer of the platform.
    pub(crate) fn answer(&mut self, now: SimTime, answer: &Answer, out: &mut Vec<Effect>) {
        match self.feeds.answer(now, answer) {
            Ok(is_other) => {
                self.must_plan |= is_other;
                if is_other {
                    let feeds = &self.feeds;
                    let kept = kept::encode(&feeds.kept());
                    out.push(Effect::Keep(kept::FEEDS.to_owned(), kept));
                    self.bill.charge_open(|direction| feeds.prices(direction));
                    self.keep(out);
                }
            }
            Err(why) => out.push(Effect::Refused(why)),
        }
    }

    /// Takes a reading of a meter, in SI units, that counts at an instant.
    pub(crate) fn reading(
        &mut self,
        at: SimTime,
        name: &str,
        values: &[(Quantity, f64)],
        out: &mut Vec<Effect>,
    ) {
        let value = |quantity: Quantity| {
            values.iter().find(|value| value.0 == quantity).map(|value| value.1)
        };
        let directions = [Direction::Consumed, Direction::Injected];
        let powers = directions.map(|direction| value(Quantity::ActivePower(direction)));
        // Registers count whole mJ, or steps of 100 J.
        let energy = |joules: f64| Energy((joules * 1e3).round() as i128 * 1000);
        let energies =
            directions.map(|direction| value(Quantity::ActiveEnergy(direction)).map(energy));
        let Some(meter) = self.meters.get_mut(name) else { return };
        if let [Some(consumed), Some(injected)] = powers {
            meter.power_w = Some((consumed - injected).round() as i64);
            meter.is_fresh = true;
        }
        if let (Some(track), [Some(consumed), _]) = (&mut meter.track, energies)
            && track.reading(at, consumed, self.settings.local_offset)
        {
            out.push(Effect::Keep(kept::of_meter(name), kept::encode(track.kept())));
        }
        if let (Some(track), [_, Some(injected)]) = (&mut meter.injected, energies)
            && track.reading(at, injected, self.settings.local_offset)
        {
            out.push(Effect::Keep(kept::of_injected(name), kept::encode(track.kept())));
        }
        if name == self.settings.connection
            && let [Some(import), Some(export)] = energies
        {
            self.bill_reading(Reading { at, import, export }, out);
        }
    }

    fn bill_reading(&mut self, reading: Reading, out: &mut Vec<Effect>) {
        let feeds = &self.feeds;
        let remarks = self.bill.reading(reading, &self.register, |way| feeds.prices(way));
        out.extend(remarks.into_iter().map(Effect::Open));
        self.keep(out);
        let is_due = self.billed_at.is_none_or(|at| reading.at - at >= BILLED_EVERY);
        let billed = self.bill.billed(&self.settings.currency, self.settings.fixed);
        if is_due && let Some(billed) = billed {
            self.billed_at = Some(reading.at);
            out.push(Effect::Billed(Box::new(billed)));
        }
    }

    /// A poll has ended: decides by its values.
    pub(crate) fn polled(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        self.decide(now, true, out);
        self.meters.values_mut().for_each(|meter| meter.is_fresh = false);
    }

    /// A switching unit has answered with its state; `None`: it has not answered.
    pub(crate) fn switched(&mut self, name: &str, state: Option<bool>, out: &mut Vec<Effect>) {
        if let Some(load) = self.loads.iter_mut().find(|load| load.settings.device == name) {
            load.ordered = None;
            load.is_closed = state.or(load.is_closed);
        }
        self.keep(out);
    }

    /// Answers a request of a browser.
    pub(crate) fn page(
        &mut self,
        now: SimTime,
        (number, request): (u64, &PageRequest),
        out: &mut Vec<Effect>,
    ) {
        let view = self.view(now);
        let Some((site, draws)) = &mut self.pages else {
            return out.push(Effect::Page { number, answer: PageAnswer::nothing() });
        };
        let mut draw = || draws.next_u64();
        let Served { answer, change, refused } = site.answer(now, request, &view, &mut draw);
        if let Some(refused) = refused {
            self.refusals += 1;
            let path = request.path.split('?').next().unwrap_or_default();
            let detail = format!("{} {path}: {refused}", request.method);
            out.push(Effect::PageRefused(detail));
            self.alert_access(now, refused.word(), out);
        }
        if let Some(change) = change {
            self.change(now, &change, out);
            // Nothing is decided by what the display shows.
            if !matches!(change, Change::Screen(_)) {
                self.decide(now, false, out);
            }
        }
        out.push(Effect::Page { number, answer });
    }

    fn alert_access(&mut self, now: SimTime, reason: &str, out: &mut Vec<Effect>) {
        let is_due = self.alerted_at.is_none_or(|at| now - at >= ACCESS_EVERY);
        if self.refusals == 0 || !is_due {
            return;
        }
        let count = std::mem::take(&mut self.refusals);
        self.alerted_at = Some(now);
        out.push(Effect::Alert(Alert {
            kind: "household.access",
            level: AlertLevel::Critical,
            text: format!("{count} requests of pages refused, the last one: {reason}"),
            facts: vec![
                (fact::KIND, "refused".to_owned()),
                (fact::REASON, reason.to_owned()),
                (fact::COUNT, count.to_string()),
            ],
        }));
    }

    /// Keeps the whole, if it is another than the one that is kept.
    pub(super) fn keep(&mut self, out: &mut Vec<Effect>) {
        let load = |(place, load): (usize, &Load)| KeptLoad {
            name: load.settings.device.clone(),
            window_ns: load.window.map(|(from, until)| (from.0, until.0)),
            shed: self.shedding.opened.get(place).and_then(|opened| {
                let opened = (*opened)?;
                Some((opened.at.0, opened.power_w))
            }),
            is_closed: load.is_closed,
            hand: load.hand,
            run: load.run,
        };
        let bytes = kept::encode(&Kept {
            strategy: self.strategy.map(|strategy| strategy.word().to_owned()),
            contract_w: self.contract_w,
            bill: self.bill.clone(),
            loads: self.loads.iter().enumerate().map(load).collect(),
            unit: self.unit.clone(),
        });
        if bytes != self.kept {
            self.kept.clone_from(&bytes);
            out.push(Effect::Keep(WHOLE.to_owned(), bytes));
        }
    }

    /// Notes a decision for the record and for the pages.
    pub(super) fn decided(&mut self, now: SimTime, decided: Decided, out: &mut Vec<Effect>) {
        self.decisions.push_front(DecisionView {
            at: now,
            about: decided.about.clone().unwrap_or_else(|| self.name.clone()),
            action: decided.action,
            why: decided.detail.clone(),
        });
        self.decisions.truncate(SHOWN);
        out.push(Effect::Decided(Box::new(decided)));
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
