//! What the household decides, and why.
//!
//! Order of a decision: windows and starts of movable loads, shedding, co-generator, orders.
//!
//! * A movable load is open until its start and from the end of its window on. Starts are looked
//!   for again at the beginning of a slot, after feeds and after changes by the customer, for loads
//!   that have not begun. Demand that cannot be moved is forecast as it is now: net power plus
//!   production less the power of movable loads that are closed. Of each slot renewable power is
//!   deducted as it is forecast; without such a feed, production as it is now. Runs that have begun
//!   are added until their end. A load that no start is found for begins at the last instant at
//!   which it ends in its window, at most a slot late.
//! * Shedding looks at net power of the present poll only; where that is unknown it does nothing.
//! * A co-generator is decided slot by slot; its electricity is in net power as that is measured.
//! * The customer goes first: what was opened by hand stays open, what was closed by hand is not
//!   held open by a plan.

use std::fmt::Write as _;

use lastmeter_household::co_generator::{self, Wanted};
use lastmeter_household::schedule::{self, Binding, Forecast, MovableLoad, SLOTS_MAX, Strategy};
use lastmeter_household::shed::{Action, Limit, LimitSource, Reclosing, SwitchedLoad, Switching};
use lastmeter_household::{Energy, POWER_MAX_W, tariff};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::calendar::{instant, periods};
use super::kept::Run;
use super::machine::{Effect, Household, Load};
use super::record::Decided;
use super::settings::{Movable, Settings, slots_of, window_length};
use super::view::Change;
use crate::message::Alert;

/// Slots of a co-generator that are made up for after a restart.
const SLOTS_MADE_UP: i64 = 192;

impl Load {
    /// The run that may be moved, in the window that holds.
    pub(super) fn movable(&self) -> Option<Movable> {
        let movable = self.settings.movable?;
        let (from, until) = self.window.unwrap_or((movable.from, movable.until));
        Some(Movable { from, until, ..movable })
    }

    /// Whether its switching unit is to be closed, but for shedding.
    fn is_wanted_closed(&self) -> bool {
        self.hand.unwrap_or_else(|| self.is_closed_by_plan())
    }

    /// Whether it is closed where nobody sheds or switches it: one that can be moved, once it has
    /// begun. It stands for the state of a switching unit that was not heard of.
    pub(super) fn is_closed_by_plan(&self) -> bool {
        self.settings.movable.is_none() || self.run.has_begun
    }

    /// The end of its run, if it is under way.
    fn run_end(&self) -> Option<SimTime> {
        let start = self.run.start_ns.filter(|_| self.run.has_begun)?;
        Some(SimTime(start) + self.settings.movable?.run)
    }
}

/// The window that holds at an instant and has room for the run, or else the next one.
fn window(movable: &Movable, now: SimTime, offset: SimDuration) -> (SimTime, SimTime) {
    let length = window_length(movable.from, movable.until);
    let first = instant(periods(now, offset).day - 1, movable.from, offset);
    let days = (0..3).map(|day| first + super::calendar::DAY * day);
    let has_room = |from: &SimTime| *from + length - movable.run >= now;
    let from = days.into_iter().find(has_room).unwrap_or(first);
    (from, from + length)
}

/// Why a start was chosen, in the word of its rule.
const fn reason(binding: Binding, strategy: Strategy) -> &'static str {
    match (binding, strategy) {
        (Binding::WindowBegin | Binding::WindowEnd, _) => "window",
        (Binding::Horizon, _) => "horizon",
        (Binding::Nothing, Strategy::LeastCost) => "price",
        (Binding::Nothing, Strategy::MostOwnEnergy) => "own energy",
        (Binding::Nothing, Strategy::LowestPeak) => "peak",
        (Binding::Nothing, Strategy::ComfortFirst) => "comfort",
    }
}

impl Household {
    pub(super) fn strategy(&self) -> Strategy {
        self.strategy.unwrap_or(self.settings.strategy)
    }

    pub(super) fn limit(&self, now: SimTime) -> Limit {
        let forecast = self.feeds.renewable_w(now);
        let forecast = forecast.filter(|_| self.settings.is_limited_by_forecast);
        let limit = Limit::of(self.contract_w.unwrap_or(self.settings.contract_w), forecast);
        // Where the price is unknown it limits nothing.
        let dear = self.settings.dear.filter(|(above, _)| {
            let import = tariff::Direction::Import;
            let prices = self.feeds.prices(import);
            let price = prices.and_then(|it| it.over(import, now, now + SimDuration(1)).ok());
            price.is_some_and(|price| price > *above)
        });
        limit.at_price(dear.map(|(_, power_w)| power_w))
    }

    /// Net power in W, if the present poll has it.
    fn net_w(&self) -> Option<i64> {
        let meter = self.meters.get(&self.settings.connection).filter(|meter| meter.is_fresh)?;
        meter.power_w
    }

    /// Production in W, as far as it is measured.
    pub(super) fn production_w(&self) -> Option<i64> {
        let meters = self.settings.production.iter().filter_map(|name| self.meters.get(name));
        meters
            .map(|meter| meter.power_w.map(|power| -power))
            .reduce(|one, next| Some(one? + next?))?
    }

    fn blank(&self, now: SimTime, about: Option<String>) -> Decided {
        Decided {
            about,
            action: "",
            reason: "",
            strategy: self.strategy().word(),
            net_w: self.net_w(),
            limit_w: Some(self.limit(now).power_w),
            planned_for: None,
            detail: String::new(),
        }
    }

    /// Decides what is to be decided by now; shedding only with the values of a poll.
    pub(super) fn decide(&mut self, now: SimTime, is_polled: bool, out: &mut Vec<Effect>) {
        self.windows(now, out);
        // What was to start by now does, before starts are looked for that are still ahead.
        self.begin(now, out);
        let slot = now.0.div_euclid(self.settings.slot.0);
        if (self.must_plan || slot != self.planned_slot) && self.net_known() {
            (self.must_plan, self.planned_slot) = (false, slot);
            self.plan(now, out);
        }
        self.begin(now, out);
        if is_polled && let Some(net_w) = self.net_w() {
            self.shed(now, net_w, out);
        }
        self.co_generate(now, out);
        self.keep(out);
        self.order(out);
    }

    /// Whether net power was ever measured.
    fn net_known(&self) -> bool {
        self.meters.get(&self.settings.connection).is_some_and(|meter| meter.power_w.is_some())
    }

    /// Loads whose window has ended go on to the next one.
    fn windows(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        for place in 0..self.loads.len() {
            let load = &mut self.loads[place];
            let Some(movable) = load.movable() else { continue };
            if now.0 < load.run.until_ns {
                continue;
            }
            let (from, until) = window(&movable, now, self.settings.local_offset);
            let has_run = load.run.has_begun;
            load.run = Run { from_ns: from.0, until_ns: until.0, ..Run::default() };
            load.hand = None;
            self.must_plan = true;
            if let Some(opened) = self.shedding.opened.get_mut(place) {
                *opened = None;
            }
            if has_run {
                let name = self.loads[place].settings.device.clone();
                let detail = format!("{name} opens: its window has ended");
                let blank = self.blank(now, Some(name));
                self.decided(
                    now,
                    Decided { action: "open", reason: "window", detail, ..blank },
                    out,
                );
            }
        }
    }

    /// Looks for starts of all loads that have not begun.
    fn plan(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        let slot = self.settings.slot;
        let first = (now.0 + slot.0 - 1).div_euclid(slot.0);
        let beginning = SimTime(first * slot.0);
        let mut places = Vec::new();
        let mut movable_loads = Vec::new();
        let mut end = beginning;
        for (place, load) in self.loads.iter().enumerate() {
            let Some(movable) = load.settings.movable.filter(|_| !load.run.has_begun) else {
                continue;
            };
            let slots = usize::try_from(slots_of(movable.run, slot)).unwrap_or(0);
            let (from, until) = (SimTime(load.run.from_ns), SimTime(load.run.until_ns));
            end = end.max(until);
            places.push(place);
            movable_loads.push(MovableLoad {
                profile_w: vec![movable.power_w; slots],
                from: from.max(beginning),
                until,
            });
        }
        if places.is_empty() {
            return;
        }
        let count = usize::try_from((end - beginning).0 / slot.0).unwrap_or(0).min(SLOTS_MAX);
        let net_w = self.forecast_net(beginning, count);
        let forecast = Forecast::new(&self.feeds.both_prices(), beginning, slot, &net_w);
        let plan = match forecast.map(|it| schedule::plan(&it, self.strategy(), &movable_loads)) {
            Ok(Ok(plan)) => plan,
            Ok(Err(error)) => return out.push(Effect::Refused(format!("plan: {error}"))),
            Err(error) => return out.push(Effect::Refused(format!("plan: {error}"))),
        };
        for (place, decision) in places.into_iter().zip(plan.decisions) {
            self.planned(now, place, decision, out);
        }
    }

    /// Net power in W of each slot without loads that may still be moved, as far as it is known.
    fn forecast_net(&self, beginning: SimTime, count: usize) -> Vec<i64> {
        let slot = self.settings.slot;
        let power = |name: &str| self.meters.get(name).and_then(|meter| meter.power_w).unwrap_or(0);
        let net = power(&self.settings.connection);
        let closed = self.loads.iter().filter(|load| load.settings.movable.is_some());
        let closed = closed.filter(|load| load.is_closed != Some(false));
        let movable: i64 = closed.map(|load| power(&load.settings.device)).sum();
        let has_forecast = self.feeds.has_forecast();
        let production = self.production_w().unwrap_or(0);
        let demand = net - movable + if has_forecast { production } else { 0 };
        let of_slot = |place: usize| {
            let at = beginning + slot * i64::try_from(place).unwrap_or(0);
            let renewable = if has_forecast { self.feeds.renewable_w(at)? } else { 0 };
            let under_way =
                self.loads.iter().filter(|load| load.run_end().is_some_and(|end| end > at));
            let under_way = under_way.filter_map(|load| load.settings.movable);
            let under_way: i64 = under_way.map(|movable| movable.power_w).sum();
            Some((demand - renewable + under_way).clamp(-POWER_MAX_W, POWER_MAX_W))
        };
        (0..count).map_while(of_slot).collect()
    }

    fn planned(
        &mut self,
        now: SimTime,
        place: usize,
        decision: Result<schedule::Decision, schedule::Unplaced>,
        out: &mut Vec<Effect>,
    ) {
        let run = &mut self.loads[place].run;
        let before = (run.start_ns, run.is_waiting);
        run.start_ns = decision.ok().map(|decision| decision.chosen.start.0);
        run.is_waiting = decision.is_err();
        if before == (run.start_ns, run.is_waiting) {
            return;
        }
        let name = self.loads[place].settings.device.clone();
        let blank = self.blank(now, Some(name.clone()));
        let decided = match decision {
            Ok(schedule::Decision { strategy, chosen, alternative, binding }) => {
                let cents = chosen.cost.as_cents_f64();
                let (start, peak_w) = (chosen.start, chosen.peak_w);
                let mut detail = format!(
                    "{name} starts at {start}: by {strategy}, {cents:.2} cents, highest net power \
                     {peak_w} W, limited by {binding}"
                );
                if let Some(other) = alternative {
                    let cents = other.cost.as_cents_f64();
                    let _ = write!(detail, "; at {} {cents:.2} cents", other.start);
                }
                let reason = reason(binding, strategy);
                Decided { action: "start", reason, planned_for: Some(start), detail, ..blank }
            }
            Err(why) => {
                let detail = format!("{name} has no start yet: {why}");
                Decided { action: "wait", reason: why.word(), detail, ..blank }
            }
        };
        self.decided(now, decided, out);
    }

    /// Begins what is to start by now.
    fn begin(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        for place in 0..self.loads.len() {
            let load = &self.loads[place];
            let Some(movable) = load.settings.movable.filter(|_| !load.run.has_begun) else {
                continue;
            };
            let last = load.run.until_ns - movable.run.0;
            let is_last = load.run.start_ns.is_none()
                && (last..=last + self.settings.slot.0).contains(&now.0);
            let is_due = load.run.start_ns.is_some_and(|start| start <= now.0);
            if !is_last && !is_due {
                continue;
            }
            let (reason, why) = if is_due {
                ("plan", "its start has come")
            } else {
                ("window", "it must end in it")
            };
            self.start(now, place, (reason, why), out);
        }
    }

    fn start(
        &mut self,
        now: SimTime,
        place: usize,
        (reason, why): (&'static str, &str),
        out: &mut Vec<Effect>,
    ) {
        let load = &mut self.loads[place];
        load.run.has_begun = true;
        load.run.start_ns = Some(now.0);
        let name = load.settings.device.clone();
        let detail = format!("{name} closes: {why}");
        let blank = self.blank(now, Some(name));
        self.decided(now, Decided { action: "close", reason, detail, ..blank }, out);
    }

    /// Opens loads above the limit, closes them again below it.
    fn shed(&mut self, now: SimTime, net_w: i64, out: &mut Vec<Effect>) {
        let switched = |load: &Load| {
            let meter = self.meters.get(&load.settings.device).filter(|meter| meter.is_fresh);
            let power_w = meter.and_then(|meter| meter.power_w).unwrap_or(0).max(0);
            let is_closed = load.is_wanted_closed() && load.is_closed != Some(false);
            let is_allowed = load.settings.is_sheddable && is_closed;
            SwitchedLoad { priority: load.settings.priority, power_w, is_allowed }
        };
        let loads: Vec<SwitchedLoad> = self.loads.iter().map(switched).collect();
        let Settings { hysteresis_w, open_at_least, .. } = self.settings;
        let reclosing = Reclosing { hysteresis_w, open_at_least };
        let limit = self.limit(now);
        for switching in self.shedding.step(now, net_w, limit, &loads, reclosing) {
            self.note_switching(now, switching, out);
        }
    }

    fn note_switching(&mut self, now: SimTime, switching: Switching, out: &mut Vec<Effect>) {
        let Switching { load, action, net_w, limit, power_w, expected_w, uncovered_w, .. } =
            switching;
        let name = self.loads[load].settings.device.clone();
        let (limit_w, source) = (limit.power_w, limit.source);
        let mut detail = format!(
            "{name} of {power_w} W: {action} at {net_w} W with a limit of {limit_w} W by {source}; \
             {expected_w} W expected"
        );
        if uncovered_w > 0 {
            let _ = write!(detail, ", {uncovered_w} W above it");
        }
        let (kind, level) = match action {
            Action::Open => ("household.shed", AlertLevel::Warning),
            Action::Close => ("household.restored", AlertLevel::Info),
        };
        let facts = vec![
            (fact::KIND, action.word().to_owned()),
            (fact::DEVICE, name.clone()),
            (fact::REASON, source.word().to_owned()),
        ];
        let blank = self.blank(now, Some(name));
        let decided = Decided {
            action: action.word(),
            reason: match source {
                LimitSource::Contract => "limit",
                other => other.word(),
            },
            net_w: Some(net_w),
            limit_w: Some(limit_w),
            detail: detail.clone(),
            ..blank
        };
        self.decided(now, decided, out);
        self.keep(out);
        out.push(Effect::Alert(Alert { kind, level, text: detail, facts }));
    }

    /// Decides each slot that has begun for the co-generator.
    fn co_generate(&mut self, now: SimTime, out: &mut Vec<Effect>) {
        let Some((unit, heat_w)) = self.settings.co_generator else { return };
        let slot = self.settings.slot;
        let present = now.0.div_euclid(slot.0) * slot.0;
        let first = self.unit.until_ns.max(present - SLOTS_MADE_UP * slot.0);
        let mut from = if self.unit.until_ns == 0 { present } else { first };
        while from <= present {
            let (begin, end) = (SimTime(from), SimTime(from) + slot);
            let import = tariff::Direction::Import;
            let prices = self.feeds.prices(import);
            let price = prices.and_then(|prices| prices.over(import, begin, end).ok());
            let step = unit.step(Energy(self.unit.stored), Wanted { slot, heat_w, price });
            self.unit.stored = step.stored.0;
            self.unit.unmet += step.unmet.0;
            self.unit.until_ns = end.0;
            from = end.0;
            self.unit_step(now, slot, &step, out);
        }
    }

    fn unit_step(
        &mut self,
        now: SimTime,
        slot: SimDuration,
        step: &co_generator::Slot,
        out: &mut Vec<Effect>,
    ) {
        let microseconds = i128::from(slot.0 / 1000).max(1);
        let output_w = step.electricity.0.checked_div(microseconds);
        self.unit.output_w = output_w.and_then(|it| i64::try_from(it).ok()).unwrap_or(i64::MAX);
        let before = self.unit.reason.clone();
        step.reason.word().clone_into(&mut self.unit.reason);
        if before == self.unit.reason {
            return;
        }
        let output_w = self.unit.output_w;
        let is_running = output_w > 0;
        let action = if is_running { "run" } else { "stop" };
        let reason = step.reason.word();
        let detail = format!("co-generator: {action} at {output_w} W, {reason}");
        let blank = self.blank(now, Some("co-generator".to_owned()));
        self.decided(now, Decided { action, reason, detail, ..blank }, out);
    }

    /// Orders what is not as it is to be.
    fn order(&mut self, out: &mut Vec<Effect>) {
        for (place, load) in self.loads.iter_mut().enumerate() {
            let is_shed = self.shedding.opened.get(place).is_some_and(Option::is_some);
            let is_closed = load.is_wanted_closed() && !is_shed;
            // A switching unit that was never heard of is closed, as it is made.
            if load.ordered.is_none() && load.is_closed.unwrap_or(true) != is_closed {
                load.ordered = Some(is_closed);
                out.push(Effect::Switch { device: load.settings.device.clone(), is_closed });
            }
        }
    }

    /// Takes a change by the customer.
    pub(super) fn change(&mut self, now: SimTime, change: &Change, out: &mut Vec<Effect>) {
        let (load, action) = match change {
            // What the display shows is no decision.
            Change::Screen(_) => return self.apply(now, change, None),
            Change::Strategy(_) => (None, "strategy"),
            Change::Contract(_) => (None, "contract"),
            Change::Switch { load, is_closed } => {
                (Some(load), if *is_closed { "close" } else { "open" })
            }
            Change::Window { load, .. } => (Some(load), "window"),
            Change::StartNow { load } => (Some(load), "start"),
        };
        let place =
            load.and_then(|name| self.loads.iter().position(|load| load.settings.device == *name));
        if load.is_some() && place.is_none() {
            return out.push(Effect::Refused(format!("a change of no load: {change:?}")));
        }
        let detail = match change {
            Change::Strategy(strategy) => format!("the customer selects {strategy}"),
            Change::Contract(power_w) => format!("the customer sets the contract to {power_w} W"),
            _ => format!("the customer orders of {}: {action}", load.map_or("", String::as_str)),
        };
        let mut decided = self.blank(now, load.cloned());
        self.apply(now, change, place);
        (decided.action, decided.reason, decided.detail) = (action, "customer", detail);
        decided.strategy = self.strategy().word();
        self.decided(now, decided, out);
        self.keep(out);
    }

    fn apply(&mut self, now: SimTime, change: &Change, place: Option<usize>) {
        match *change {
            Change::Strategy(strategy) => {
                self.strategy = Some(strategy);
                self.must_plan = true;
            }
            Change::Screen(screen) => self.screen = screen,
            Change::Contract(power_w) => self.contract_w = Some(power_w.clamp(0, POWER_MAX_W)),
            Change::Switch { is_closed, .. } => {
                let Some(place) = place else { return };
                self.forget_shed(place);
                let load = &mut self.loads[place];
                // What is closed anyway needs no hand.
                let holds = !is_closed || load.settings.movable.is_some();
                load.hand = holds.then_some(is_closed);
            }
            Change::Window { from, until, .. } => {
                let Some(load) = place.map(|place| &mut self.loads[place]) else { return };
                load.window = Some((from, until));
                if let Some(movable) = load.movable().filter(|_| !load.run.has_begun) {
                    let (from, until) = window(&movable, now, self.settings.local_offset);
                    load.run = Run { from_ns: from.0, until_ns: until.0, ..Run::default() };
                }
                self.must_plan = true;
            }
            Change::StartNow { .. } => {
                let Some(place) = place else { return };
                self.forget_shed(place);
                let load = &mut self.loads[place];
                load.hand = None;
                if load.settings.movable.is_some() {
                    (load.run.has_begun, load.run.start_ns) = (true, Some(now.0));
                }
            }
        }
    }

    fn forget_shed(&mut self, place: usize) {
        if let Some(opened) = self.shedding.opened.get_mut(place) {
            *opened = None;
        }
    }
}
