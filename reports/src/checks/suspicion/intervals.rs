//! The readings of a feeder as powers and voltages, interval by interval.

use std::collections::BTreeMap;

use lastmeter_record::{Observation, RunFacts};
use lastmeter_units::{Epoch, SimTime};

use super::matrix::mean;
use crate::check::BalancedMeters;

const CONSUMED: &str = "electricity.energy.active.consumed.total";
const INJECTED: &str = "electricity.energy.active.injected.total";
const VOLTAGE: &str = "electricity.voltage.rms.";

/// More instants than these are not kept: some two weeks by the minute.
const INSTANTS_MAX: usize = 20_000;

/// What a meter reported at an instant.
#[derive(Clone, Debug, Default)]
struct Reading {
    epoch: Option<Epoch>,
    consumed_j: Option<f64>,
    injected_j: Option<f64>,
    voltage_v: f64,
    phases: u8,
}

impl Reading {
    /// Net energy, joules.
    fn energy_j(&self) -> Option<f64> {
        Some(self.consumed_j? - self.injected_j?).filter(|energy| energy.is_finite())
    }

    /// The mean of its phases.
    fn voltage_v(&self) -> Option<f64> {
        let voltage_v = self.voltage_v / f64::from(self.phases);
        (self.phases > 0 && voltage_v > 0.0 && voltage_v.is_finite()).then_some(voltage_v)
    }
}

/// The readings of all meters of a feeder as they come.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings {
    /// Those at loads first, then those at infeeds.
    meters: Vec<String>,
    homes: usize,
    place_of: BTreeMap<String, usize>,
    at: BTreeMap<SimTime, Vec<Reading>>,
    pub(super) is_too_many: bool,
}

/// A feeder over time: series of the same length.
#[derive(Clone, Debug, Default)]
pub(super) struct Intervals {
    pub(super) homes: Vec<String>,
    /// Of each household what it reported, watts.
    pub(super) power_w: Vec<Vec<f64>>,
    pub(super) voltage_v: Vec<Vec<f64>>,
    /// What all infeeds supplied, watts.
    pub(super) supplied_w: Vec<f64>,
    /// Their voltage, if they report one.
    pub(super) supply_v: Option<Vec<f64>>,
    pub(super) length_s: f64,
    /// How many could not be used: readings are missing, or a meter has restarted.
    pub(super) left_out: usize,
}

impl Intervals {
    pub(super) fn count(&self) -> usize {
        self.supplied_w.len()
    }
}

impl Readings {
    pub(super) fn begin(wanted: &BalancedMeters, facts: &RunFacts) -> Self {
        let is_infeed = |name: &str| wanted.substation.matches(name);
        let is_home = |name: &str, at: &str| wanted.homes.matches(name) && at.starts_with("load:");
        let devices = || facts.devices.iter();
        let homes = devices().filter(|it| is_home(&it.name, &it.at) && !is_infeed(&it.name));
        let mut meters: Vec<String> = homes.map(|it| it.name.clone()).collect();
        let homes = meters.len();
        meters.extend(devices().filter(|it| is_infeed(&it.name)).map(|it| it.name.clone()));
        let named = meters.iter().cloned().enumerate();
        let place_of = named.map(|(place, name)| (name, place)).collect();
        Self { meters, homes, place_of, ..Self::default() }
    }

    pub(super) fn homes(&self) -> &[String] {
        &self.meters[..self.homes]
    }

    pub(super) fn infeeds(&self) -> &[String] {
        &self.meters[self.homes..]
    }

    pub(super) fn has(&self, device: &str) -> bool {
        self.place_of.contains_key(device)
    }

    pub(super) fn observation(&mut self, observation: &Observation<'_>) {
        let name = observation.quantity.name();
        // What came unexpected is not what was due.
        let is_wanted = matches!(name, CONSUMED | INJECTED) || name.starts_with(VOLTAGE);
        let (true, Some(_), Some(reported), Some(&place)) = (
            is_wanted,
            observation.reference,
            observation.reported,
            self.place_of.get(observation.device),
        ) else {
            return;
        };
        if self.at.len() >= INSTANTS_MAX && !self.at.contains_key(&observation.event_time) {
            self.is_too_many = true;
            return;
        }
        let all = self.at.entry(observation.event_time);
        let reading =
            &mut all.or_insert_with(|| vec![Reading::default(); self.meters.len()])[place];
        reading.epoch = observation.epoch;
        match name {
            CONSUMED => reading.consumed_j = Some(reported),
            INJECTED => reading.injected_j = Some(reported),
            _ => {
                reading.voltage_v += reported;
                reading.phases += 1;
            }
        }
    }

    /// What lies between each two instants that follow each other, in intervals of the shortest
    /// length that there is.
    pub(super) fn intervals(&self) -> Intervals {
        let instants: Vec<_> = self.at.iter().collect();
        let pairs = || instants.windows(2).map(|pair| (pair[0], pair[1]));
        let length = pairs().map(|(from, to)| *to.0 - *from.0).min().unwrap_or_default();
        let homes = self.homes().to_vec();
        let empty = vec![Vec::new(); homes.len()];
        let mut found = Intervals {
            homes,
            power_w: empty.clone(),
            voltage_v: empty,
            length_s: length.as_seconds_f64(),
            ..Intervals::default()
        };
        let mut supply_v = Some(Vec::new());
        for (from, to) in pairs() {
            let whole = (*to.0 - *from.0 == length)
                .then(|| self.powers(from.1, to.1, length.as_seconds_f64()));
            let Some((powers, voltages)) = whole.flatten() else {
                found.left_out += 1;
                continue;
            };
            for home in 0..self.homes {
                found.power_w[home].push(powers[home]);
                found.voltage_v[home].push(voltages[home]);
            }
            found.supplied_w.push(powers[self.homes..].iter().sum());
            let supply: Option<Vec<f64>> =
                to.1[self.homes..].iter().map(Reading::voltage_v).collect();
            supply_v = supply_v.zip(supply).map(|(mut all, own): (Vec<f64>, _)| {
                all.push(mean(&own));
                all
            });
        }
        found.supply_v = supply_v;
        found
    }

    /// Of all meters the power, and of households the voltage.
    fn powers(
        &self,
        from: &[Reading],
        to: &[Reading],
        length_s: f64,
    ) -> Option<(Vec<f64>, Vec<f64>)> {
        let power = |(from, to): (&Reading, &Reading)| {
            let is_same = from.epoch == to.epoch;
            Some((to.energy_j()? - from.energy_j()?) / length_s).filter(|_| is_same)
        };
        let powers = from.iter().zip(to).map(power).collect::<Option<Vec<f64>>>()?;
        let voltages = to[..self.homes].iter().map(Reading::voltage_v).collect::<Option<_>>()?;
        Some((powers, voltages))
    }
}
