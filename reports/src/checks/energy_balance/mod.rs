//! `energy_balance`: the registers of homes and the losses of the network make the substation's
//! register.
//!
//! What is added up came back through the platform, register by register; the losses are those of
//! the network as it is written down (`grid.csv`), so a meter that counts wrong and a line that is
//! not what its data state are both seen. Energy is net: consumed less injected.
//!
//! Larger than its budget: it judges a whole network, and shows where in it energy is missing.

mod section;

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Dimension, Entry, Field, Kind, Pattern};
use lastmeter_units::{Epoch, MeasurementId, SimTime};

use crate::check::demand::BalancedMeters;
use crate::check::kind::{
    Check, CheckContext, CheckKind, RecordTable, Section, beyond_range, finish,
};
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, GridRow, Observation, RunFacts, Status};
use lastmeter_text::{append, number, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "energy_balance",
        summary: "registers of households and losses of the network add up to the substation's register",
        description: "Takes the energy registers that came back through the platform, consumed \
            less injected, of the meters at loads (`homes`) and of those at infeeds \
            (`substation`), and the losses of the network as it is written down, computed with \
            the loads of the plant. Over the whole run up to the last reading, or over each \
            interval of `every`, the substation's energy less the households' and the losses, relative \
            to what the substation counted in both directions, has to be within `limit`. \
            `measured` is the largest in %, `n` the intervals that could be judged. Where a \
            register is missing, or a meter has restarted, an interval is inconclusive, and so is \
            what is left of the run behind the last of them. Where next to nothing flowed a share of \
            it is meaningless: intervals in which neither the substation's registers nor households and \
            losses came to `minimum` are left out, and the verdict reports how many; where all are, \
            it is inconclusive. Registers are taken to begin at zero.",
        fields: &[
            Field::required(
                "substation",
                Kind::Pattern,
                "the device at the infeed: a name, or a pattern with *",
            ),
            Field::default(
                "homes",
                Kind::Pattern,
                "\"*\"",
                "the devices at the loads: a name, or a pattern with *; only those at \
                 `load:` count",
            ),
            Field::required(
                "limit",
                Kind::Quantity { dimension: Dimension::Ratio, min: 1e-9, max: 1.0 },
                "largest difference, relative to the substation's energy",
            ),
            Field::optional(
                "every",
                Kind::Quantity { dimension: Dimension::Time, min: 1.0, max: 315_576_000.0 },
                "judges each interval of this length by itself; left out, the whole run",
            ),
            Field::optional(
                "minimum",
                Kind::Quantity { dimension: Dimension::ActiveEnergy, min: 1.0, max: 1e18 },
                "intervals with less energy are left out, and counted",
            ),
        ],
    },
    build: |values, context, _| {
        Some(Box::new(EnergyBalance {
            context,
            limit: values.si("limit"),
            minimum_j: values.si_opt("minimum").unwrap_or(0.0),
            wanted: BalancedMeters {
                substation: Pattern::new(values.text("substation")),
                homes: Pattern::new(values.text("homes")),
                every: values.duration_opt("every"),
            },
            start: None,
            meters: Vec::new(),
            number_of: BTreeMap::new(),
            losses: Vec::new(),
            beyond_range: BTreeSet::new(),
        }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events, RecordTable::Grid],
    is_limit_of_report: true,
    section: Some(Section { place: 40, make: section::section }),
    takes_readings_as_exact: true,
    ..CheckKind::PLAIN
};

const CONSUMED: &str = "electricity.energy.active.consumed.total";
const INJECTED: &str = "electricity.energy.active.injected.total";

const KWH: f64 = 3.6e6;
/// Where no interval has as much energy as this there is nothing to add up, joules: sources hold up
/// voltages of networks without load with less.
const NOTHING_J: f64 = 1.0;

/// What a meter's registers held at an instant, joules.
#[derive(Clone, Copy, Debug, Default)]
struct Registers {
    epoch: Option<Epoch>,
    consumed: Option<f64>,
    injected: Option<f64>,
}

/// A meter, and its registers at the ends of intervals.
#[derive(Debug)]
struct Meter {
    name: String,
    is_substation: bool,
    registers: BTreeMap<SimTime, Registers>,
}

struct EnergyBalance {
    context: CheckContext,
    limit: f64,
    minimum_j: f64,
    wanted: BalancedMeters,
    /// When the run starts; not known before [`Check::begin`].
    start: Option<SimTime>,
    meters: Vec<Meter>,
    number_of: BTreeMap<String, usize>,
    /// Of each step of the network.
    losses: Vec<GridRow>,
    /// Meters whose converters may not have seen all.
    beyond_range: BTreeSet<String>,
}

/// An interval that could be judged, energies in joules.
#[derive(Clone, Copy, Debug)]
struct Balance {
    from: SimTime,
    to: SimTime,
    substation: f64,
    /// In both directions.
    throughput: f64,
    homes: f64,
    losses: f64,
    /// What did flow, in either direction and in every phase, by the plant's truth: registers of a
    /// meter at rest count its noise.
    flowed: f64,
}

impl Balance {
    fn difference(&self) -> f64 {
        self.substation - self.homes - self.losses
    }

    /// What flowed, as either side has it: a substation that counts nothing does not make an
    /// interval empty in which homes drew something.
    fn energy_j(&self) -> f64 {
        self.throughput.max((self.homes + self.losses).abs())
    }

    /// Relative to what the substation counted. Where that is nothing, a difference is infinite.
    fn share(&self) -> f64 {
        if self.difference().abs() < f64::MIN_POSITIVE {
            return 0.0;
        }
        (self.difference() / self.throughput).abs()
    }
}

/// What an interval lacks.
#[derive(Clone, Copy, Debug)]
enum Gap<'a> {
    /// A register of this meter.
    Energy(&'a str),
    /// Steps of the network.
    Losses,
}

impl Gap<'_> {
    fn describe(self, from: SimTime, to: SimTime) -> String {
        match self {
            Self::Energy(meter) => format!("no energy of `{meter}` from {from} to {to}"),
            Self::Losses => format!("no losses of the network for all of {from} to {to}"),
        }
    }
}

/// What all intervals come to.
#[derive(Clone, Debug, Default)]
struct Found {
    judged: Vec<Balance>,
    /// How many hold next to no energy.
    left_out: u64,
    /// How many nobody can judge, and why not the first: while a run goes on that is most of them.
    missing: u64,
    first_missing: Option<String>,
    /// Where the last interval ends.
    until: Option<SimTime>,
}

impl Found {
    fn misses(&mut self, why: impl FnOnce() -> String) {
        self.missing += 1;
        self.first_missing.get_or_insert_with(why);
    }
}

impl Check for EnergyBalance {
    fn balances(&self) -> Option<&BalancedMeters> {
        Some(&self.wanted)
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.start = Some(facts.start);
        for device in &facts.devices {
            let is_substation = self.wanted.substation.matches(&device.name);
            let is_home = self.wanted.homes.matches(&device.name) && device.at.starts_with("load:");
            if is_substation || is_home {
                self.number_of.insert(device.name.clone(), self.meters.len());
                let (name, registers) = (device.name.clone(), BTreeMap::new());
                self.meters.push(Meter { name, is_substation, registers });
            }
        }
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        let name = observation.quantity.name();
        // What came unexpected is not what was due.
        if !matches!(name, CONSUMED | INJECTED) || observation.reference.is_none() {
            return;
        }
        let Some(&number) = self.number_of.get(observation.device) else { return };
        let Some(start) = self.start else { return };
        let (at, registers) = (observation.event_time, &mut self.meters[number].registers);
        match self.wanted.every {
            Some(every) if (at - start).0 % every.0.max(1) != 0 => return,
            Some(_) => {}
            None => match registers.last_key_value() {
                Some((last, _)) if *last > at => return,
                Some((last, _)) if *last < at => registers.clear(),
                _ => {}
            },
        }
        let own = registers.entry(at).or_default();
        own.epoch = observation.epoch;
        let register = if name == CONSUMED { &mut own.consumed } else { &mut own.injected };
        *register = observation.reported;
    }

    fn grid(&mut self, row: &GridRow) {
        self.losses.push(row.clone());
    }

    fn event(&mut self, _line: u64, event: &Event) {
        if event.is_beyond_range()
            && let Some(device) = event.about()
            && self.number_of.contains_key(device)
        {
            self.beyond_range.insert(device.to_owned());
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let mut found = self.found(facts.end);
        if let Some(from) = found.until.filter(|from| *from < facts.end) {
            found.misses(|| format!("no interval ends after {from}, and the run at {}", facts.end));
        }
        let mut verdict = self.describe(&found);
        if verdict.status == Status::Pass && !self.beyond_range.is_empty() {
            verdict.set_reason(Reason::BeyondRange);
            verdict.why = beyond_range(&self.beyond_range, &verdict.why).into();
        }
        finish(Verdict { limit: Some(100.0 * self.limit), ..verdict }, facts)
    }
}

impl EnergyBalance {
    /// The start, and the ends of all intervals up to the run's end, whether or not a register was
    /// due there; without `every` the instant of the last that was due. Nothing where the start is
    /// not known: what counts from somewhere else never ends.
    fn borders(&self, end: SimTime) -> Vec<SimTime> {
        let Some(start) = self.start else { return Vec::new() };
        let mut borders = vec![start];
        if let Some(every) = self.wanted.every.filter(|_| !self.meters.is_empty()) {
            let next = |at: &SimTime| Some(*at + every).filter(|at| *at <= end);
            borders.extend(std::iter::successors(next(&start), next));
        } else {
            let all = self.meters.iter().flat_map(|meter| meter.registers.keys().copied());
            borders.extend(all.max());
        }
        borders
    }

    /// Adds up interval by interval.
    fn found(&self, end: SimTime) -> Found {
        let borders = self.borders(end);
        let mut found = Found { until: borders.last().copied(), ..Found::default() };
        for pair in borders.windows(2) {
            match self.balance(pair[0], pair[1]) {
                Ok(balance) if balance.energy_j() < self.minimum_j => found.left_out += 1,
                Ok(balance) => found.judged.push(balance),
                Err(gap) => found.misses(|| gap.describe(pair[0], pair[1])),
            }
        }
        found
    }

    /// What was consumed less what was injected, and both together, by one meter.
    fn energy(&self, meter: &Meter, from: SimTime, to: SimTime) -> Option<(f64, f64)> {
        let at = |at: SimTime| {
            let own = meter.registers.get(&at)?;
            Some((own.epoch, own.consumed?, own.injected?))
        };
        let (epoch, consumed, injected) = at(to)?;
        let (before, was_consumed, was_injected) =
            if self.start == Some(from) { (epoch, 0.0, 0.0) } else { at(from)? };
        let (consumed, injected) = (consumed - was_consumed, injected - was_injected);
        let is_whole = epoch == before && consumed.is_finite() && injected.is_finite();
        is_whole.then_some((consumed - injected, consumed + injected))
    }

    fn balance(&self, from: SimTime, to: SimTime) -> Result<Balance, Gap<'_>> {
        let (mut substation, mut throughput, mut homes) = (0.0, 0.0, 0.0);
        for meter in &self.meters {
            let energy = self.energy(meter, from, to);
            let (net, both) = energy.ok_or(Gap::Energy(&meter.name))?;
            if meter.is_substation {
                substation += net;
                throughput += both;
            } else {
                homes += net;
            }
        }
        // Steps follow each other: only those that reach into the interval are looked at, as this
        // is asked again and again while a run goes on.
        let (mut losses, mut flowed, mut covered_j) = (0.0, 0.0, 0.0);
        let first = self.losses.partition_point(|step| step.time + step.length <= from);
        for step in self.losses[first..].iter().take_while(|step| step.time < to) {
            losses += step.energy_j(step.declared_losses.0, from, to);
            flowed += step.energy_j(step.p_w.iter().map(|p_w| p_w.abs()).sum(), from, to);
            covered_j += step.energy_j(1.0, from, to);
        }
        if (covered_j - (to - from).as_seconds_f64()).abs() > 1e-6 {
            return Err(Gap::Losses);
        }
        Ok(Balance { from, to, substation, throughput, homes, losses, flowed })
    }

    fn describe(&self, found: &Found) -> Verdict {
        let Found { judged, missing, left_out, .. } = found;
        let [substations, homes] = [true, false]
            .map(|role| self.meters.iter().filter(|meter| meter.is_substation == role).count());
        let worst = judged.iter().max_by(|a, b| a.share().total_cmp(&b.share()));
        let Some(worst) = worst.filter(|_| substations > 0 && homes > 0) else {
            let why = match found.first_missing.as_deref() {
                _ if substations == 0 => format!("no device fits `{}`", self.wanted.substation),
                _ if homes == 0 => format!("no device at a load fits `{}`", self.wanted.homes),
                Some(first) => format!("nothing could be added up: {first}"),
                None if *left_out > 0 => "in no interval was there more than `minimum`".to_owned(),
                None => "no register was due".to_owned(),
            };
            let reason = match found.first_missing {
                Some(_) => Reason::Incomplete,
                None => Reason::NothingToJudge,
            };
            return self.context.verdict(reason, "%", why);
        };
        let kwh = |joules: f64| number(joules / KWH);
        let mut why = format!(
            "substation {} kWh, {homes} households {} kWh, losses {} kWh: {} kWh unaccounted for",
            kwh(worst.substation),
            kwh(worst.homes),
            kwh(worst.losses),
            kwh(worst.difference()),
        );
        if self.wanted.every.is_some() {
            append(&mut why, format_args!(" from {} to {}", worst.from, worst.to));
            append(&mut why, format_args!(", the worst of {} intervals", judged.len()));
        }
        let most_j = judged.iter().map(|balance| balance.flowed).fold(0.0, f64::max);
        // An interval beyond the limit fails whatever else could not be judged.
        let reason = if worst.share() > self.limit {
            Reason::OutsideLimit
        } else if *missing > 0 {
            Reason::Incomplete
        } else if most_j < NOTHING_J {
            Reason::NothingToJudge
        } else {
            Reason::WithinLimit
        };
        if reason == Reason::NothingToJudge {
            append(&mut why, format_args!("; no energy flowed, so nothing was added up"));
        }
        if *left_out > 0 {
            let intervals = plural(*left_out, "interval");
            append(&mut why, format_args!("; {intervals} below `minimum` not judged"));
        }
        if let Some(first) = &found.first_missing {
            append(&mut why, format_args!("; {missing} could not be judged: {first}"));
        }
        let devices = self.meters.iter().filter(|meter| meter.is_substation);
        let at = At {
            device: devices.map(|meter| meter.name.clone()).next(),
            quantity: MeasurementId::lookup(CONSUMED).map(|id| id.name().to_owned()),
            time: Some(worst.to),
            ..At::default()
        };
        Verdict {
            measured: Some(100.0 * worst.share()),
            n: judged.len() as u64,
            at: Some(at),
            ..self.context.verdict(reason, "%", why)
        }
    }
}

#[cfg(test)]
mod tests;
