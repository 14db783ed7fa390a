//! A network that obeys, in virtual time: played to each sync point before devices run ahead to it,
//! with what they did to its switches at the last one.
//!
//! What was played without any order before the run began is what happens up to the first one, so
//! only from there on terminals and switches are renewed. What happened is noted once it is known:
//! an operation at the next sync point, an interruption when it is over.

use std::collections::BTreeSet;

use lastmeter_devices::SupplyFacts;
use lastmeter_language::{Scenario, Source};
use lastmeter_record::{Event, EventKind, GridRecord, field};
use lastmeter_sim::grid::{ObeyingNetwork, SolvedNetwork};
use lastmeter_sim::{MeteringPoint, Streams};
use lastmeter_units::{SimDuration, SimTime};

use crate::run::error::BenchError;
use crate::run::ledger::{Account, NOTICES, SupplyOutages};
use crate::run::plant_notes::{Horizon, interruptions, of_device, operations};
use crate::run::{motion_record, network};

/// A network whose switches devices move.
pub(crate) struct ObeyingPlant<'a> {
    scenario: &'a Scenario,
    network: ObeyingNetwork,
    /// The sources of the scenario that meters are at, with their places in the network: its
    /// sources, then its loads.
    places: Vec<(usize, usize)>,
    /// Those that are switches, with their places in the network.
    switches: Vec<(usize, usize)>,
    /// The meters, with how they live on their supply.
    meters: Vec<(usize, Option<SupplyFacts>)>,
    /// The last order, as people read it.
    last_order: Option<String>,
    /// What is noted already.
    noted: BTreeSet<NoteKey>,
    /// How much was done when it was looked at last, unless there was something to wait for.
    looked_at: Option<usize>,
}

/// What distinguishes a note of the plant from others: its instant and its words.
type NoteKey = (SimTime, [String; 5]);

impl<'a> ObeyingPlant<'a> {
    /// The network of a scenario before its first step, if devices at its switches have it obey.
    pub(crate) fn of(scenario: &'a Scenario) -> Result<Option<Self>, BenchError> {
        let playing = scenario.network_that_obeys().cloned();
        let Some(network) = playing.and_then(ObeyingNetwork::new) else { return Ok(None) };
        let sources = &scenario.plant.sources;
        let first = sources.iter().position(Source::is_of_network).unwrap_or_default();
        let own = sources.iter().enumerate().filter(|(_, source)| source.is_of_network());
        let places = own.filter(|(_, source)| source.terminal().is_some());
        let places = places.map(|(source, _)| (source, source - first)).collect();
        let declared = &network.so_far().network().switches;
        let switch = |name: &str| declared.iter().position(|it| &*it.name == name);
        let switches = sources.iter().enumerate();
        let switches =
            switches.filter_map(|(source, it)| Some((source, switch(it.switch_name()?)?)));
        let switches = switches.collect();
        let is_meter = |index: &usize| sources[scenario.devices[*index].source].is_of_network();
        let meters = (0..scenario.devices.len()).filter(is_meter);
        let facts = |index: usize| scenario.build_device_with(index, None)?.supply();
        let meters = meters.map(|index| (index, facts(index))).collect();
        let (last_order, noted, looked_at) = (None, BTreeSet::new(), None);
        let plant =
            Self { scenario, network, places, switches, meters, last_order, noted, looked_at };
        // An earlier run of the scenario may have left them otherwise.
        if let Some(feeder) = scenario.feeder() {
            plant.renew(feeder)?;
        }
        Ok(Some(plant))
    }

    /// Takes what a device did to its switch at the present instant; whether it is at one.
    pub(crate) fn order(&mut self, at: SimTime, device: usize, is_closed: bool) -> bool {
        let row = &self.scenario.devices[device];
        let own = self.switches.iter().find(|(source, _)| *source == row.source);
        let Some(&(_, switch)) = own else { return false };
        let word = if is_closed { "closed" } else { "open" };
        self.last_order = Some(format!("`setBreaker` {word} of `{}` at {at}", row.name));
        // The switch is there: it was found by its name.
        let _ = self.network.order(switch, is_closed);
        true
    }

    /// Plays to a sync point.
    pub(crate) fn play_to(&mut self, until: SimTime) -> Result<(), BenchError> {
        let played = self.network.play_to(until - self.scenario.schedule.start);
        played.map_err(|why| {
            let after = self.last_order.as_ref().map(|order| format!("after {order}: "));
            BenchError::Plant(format!("{}{why}", after.unwrap_or_default()))
        })?;
        if self.last_order.is_some() { self.renew(self.network.so_far()) } else { Ok(()) }
    }

    /// Shows meters and switches what is played.
    fn renew(&self, solved: &SolvedNetwork) -> Result<(), BenchError> {
        let (sources, streams) = (&self.scenario.plant.sources, self.scenario.streams());
        for &(source, place) in &self.places {
            let source = &sources[source];
            let Some(terminal) = source.terminal() else { continue };
            let renewed = solved.renew_terminal(terminal, (place, &source.name), streams);
            renewed.map_err(|why| BenchError::Plant(format!("`{}`: {why}", source.name)))?;
        }
        for &(source, switch) in &self.switches {
            let point = sources[source].metering_point.as_ref();
            if let Some(point) = point.and_then(MeteringPoint::switch) {
                point.renew(solved.switch_states(switch));
            }
        }
        Ok(())
    }

    /// What has happened by now and was not noted yet; the accounts hear when their meters had no
    /// supply. At the end also what goes on still.
    pub(crate) fn news(
        &mut self,
        (now, is_last): (SimTime, bool),
        accounts: &mut [Account],
    ) -> Vec<Event> {
        let (start, solved) = (self.scenario.schedule.start, self.network.so_far());
        let done = solved.operations().len();
        if self.looked_at == Some(done) && !is_last {
            return Vec::new();
        }
        let horizon = Horizon { until: now - start, is_last };
        let mut notes: Vec<(Event, SimDuration)> = Vec::new();
        let mut is_awaiting = false;
        notes.extend(operations(solved, start).map(|it| (it, SimDuration(1))));
        for note in interruptions(solved, (start, now)) {
            let is_over = note.get(field::IS_OVER).and_then(serde_json::Value::as_bool);
            // It ends by something that is done.
            if is_over == Some(true) || is_last {
                notes.push((note, SimDuration::ZERO));
            }
        }
        for (device, supply) in &self.meters {
            // What a gap of its supply came to shows when it has started again.
            let settles = supply.map_or(NOTICES, |it| it.hold_up + it.boot + NOTICES * 2);
            let own = of_device(self.scenario, *device, horizon);
            is_awaiting |= own.iter().any(|it| it.kind == EventKind::Tamper);
            notes.extend(own.into_iter().map(|note| (note, settles)));
            let source = &self.scenario.plant.sources[self.scenario.devices[*device].source];
            accounts[*device].terms.darkness =
                SupplyOutages::of(supply.as_ref(), source.terminal(), horizon.until);
        }
        let mut news = Vec::new();
        for (note, settles) in notes {
            // It is played beyond the present instant too.
            if note.time > now || (note.time + settles > now && !is_last) {
                is_awaiting = true;
            } else if self.noted.insert(key_of(&note)) {
                news.push(note);
            }
        }
        self.looked_at = (!is_awaiting).then_some(done);
        news
    }

    /// The record of all that was played.
    pub(crate) fn record(&self) -> Result<GridRecord, BenchError> {
        let solved = self.network.so_far();
        let schedule = &self.scenario.schedule;
        let mut record = network::record(solved);
        let streams = Streams::new(schedule.seed);
        motion_record::add(&mut record, solved, (schedule.start, streams))
            .map_err(BenchError::Record)?;
        Ok(record)
    }
}

fn key_of(note: &Event) -> NoteKey {
    let names = [field::DEVICE, field::LOAD, field::ELEMENT];
    let whose = names.into_iter().find_map(|name| note.text(name));
    let more = [field::WHAT, field::PHASE, field::NODE].map(|name| note.text(name));
    let words = [Some(note.kind.word()), whose, more[0], more[1], more[2]];
    (note.time, words.map(|text| text.unwrap_or_default().to_owned()))
}
