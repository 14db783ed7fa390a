//! What the household's pages and display show.

use std::collections::BTreeMap;

use lastmeter_household::Energy;
use lastmeter_household::co_generator::Reason;
use lastmeter_units::{SimDuration, SimTime};

use super::machine::{Household, Load, Meter};
use super::statistics::Track;
use super::view::{CoGeneratorView, LoadView, View};

/// The tasks of the aggregator's software.
const TASKS: [&str; 4] = ["CAN manage", "Web server", "Measure", "User interface"];

impl Household {
    /// Everything that is shown.
    pub(crate) fn view(&self, now: SimTime) -> View {
        let power = |name: &String| self.meters.get(name).and_then(|meter| meter.power_w);
        let loads = self.loads.iter().enumerate();
        let track = |meter: &Meter| meter.track.as_ref().map(Track::view);
        let whole = self.meters.get(&self.settings.connection).and_then(track);
        View {
            name: self.name.clone(),
            now,
            local_offset: self.settings.local_offset,
            strategy: self.strategy(),
            net_w: power(&self.settings.connection),
            production_w: self.production_w(),
            limit_w: self.limit(now).power_w,
            profile: self.profile(),
            renewable_w: self.feeds.shown_renewables(now),
            prices: self.feeds.shown_prices(now),
            temperature_c: self.feeds.temperature_c(now),
            co_generator: self.unit_view(),
            bill: self.bill.view(&self.settings.currency, self.settings.fixed),
            loads: loads.map(|(place, load)| self.load_view(place, load, now)).collect(),
            whole: whole.unwrap_or_default(),
            decisions: self.decisions.iter().cloned().collect(),
            tasks: TASKS.to_vec(),
            screen: self.screen,
        }
    }

    /// The co-generator, once a slot was decided.
    fn unit_view(&self) -> Option<CoGeneratorView> {
        let (_, heat_w) = self.settings.co_generator?;
        let unit = &self.unit;
        Some(CoGeneratorView {
            is_running: unit.output_w > 0,
            reason: Reason::from_word(&unit.reason)?.word(),
            output_w: unit.output_w,
            heat_w,
            stored: Energy(unit.stored),
            unmet: Energy(unit.unmet),
        })
    }

    /// Mean net power by the intervals of which both registers are known.
    fn profile(&self) -> Vec<(SimTime, i64)> {
        let Some(meter) = self.meters.get(&self.settings.connection) else { return Vec::new() };
        let [taken, fed_in] = [&meter.track, &meter.injected]
            .map(|track| track.as_ref().map(Track::profile).unwrap_or_default());
        let fed_in: BTreeMap<SimTime, i64> = fed_in.into_iter().collect();
        let net = |(at, watts): (SimTime, i64)| Some((at, watts - fed_in.get(&at)?));
        taken.into_iter().filter_map(net).collect()
    }

    fn load_view(&self, place: usize, load: &Load, now: SimTime) -> LoadView {
        let name = &load.settings.device;
        let meter = self.meters.get(name);
        let track = meter.and_then(|meter| meter.track.as_ref());
        let window = |movable: super::settings::Movable| -> (SimDuration, SimDuration) {
            (movable.from, movable.until)
        };
        LoadView {
            name: name.clone(),
            power_w: meter.and_then(|meter| meter.power_w),
            is_closed: Some(load.is_closed.unwrap_or_else(|| load.is_closed_by_plan())),
            is_shed: self.shedding.opened.get(place).is_some_and(Option::is_some),
            priority: load.settings.priority,
            window: load.movable().map(window),
            least_window: load
                .movable()
                .map_or(SimDuration::ZERO, |movable| movable.least_window(self.settings.slot)),
            start: load.run.start_ns.map(SimTime).filter(|start| *start >= now),
            statistics: track.map(Track::view).unwrap_or_default(),
            profile: track.map(Track::profile).unwrap_or_default(),
        }
    }
}
