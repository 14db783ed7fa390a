//! What the sub-services make of a period. Each is a pure function of what is stored, and states
//! what it lacks; a value that is not known is null, and none is estimated.

use std::collections::BTreeMap;

use lastmeter_model::calendar::{Stretch, Width, Zone, stretches};
use lastmeter_model::entity::{Lack, Missing, ReportInput, ReportKind};
use lastmeter_model::invocation::{InvocationRow, InvocationState};
use lastmeter_model::series::energy::{Energy, Gap, Reading, counted, is_gap, readings};
use lastmeter_model::series::rollup::{Summary, bucket};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use serde_json::{Map, Value, json};

use crate::border::{Also, DeviceRows, Rows};

/// A sub-service.
#[derive(Debug)]
pub struct ReportRow {
    /// Its name.
    pub kind: ReportKind,
    /// What it makes, for people.
    pub doc: &'static str,
    /// The quantities that it looks at; none: all.
    quantities: &'static [&'static str],
    pub(super) also: Also,
    /// Whether it compares with the period before.
    pub(super) with_before: bool,
    pub(super) make: fn(&Period, &Rows) -> Made,
}

/// The content of a report, and what it lacks beside readings.
type Made = (Map<String, Value>, Vec<Missing>);

/// The time that a report is of.
#[derive(Clone, Debug)]
pub(super) struct Period {
    pub(super) within: Stretch,
    pub(super) before: Option<Stretch>,
    pub(super) zone: Zone,
}

const ENERGY: &str = "electricity.energy.active.consumed.total";
const POWER: &str = "electricity.power.active.consumed.total";
/// How often a device reports of which nothing is declared.
const REPORTING_PERIOD: SimDuration = SimDuration::from_seconds(900);
/// How long before the time of a report the last reading may be that it begins with.
const BEFORE: SimDuration = SimDuration::from_seconds(6 * 3600);
/// Entries of a list in a report at most.
const ENTRIES_MAX: usize = 1000;
const NOTHING: Also = Also { alerts: false, commands: false, refusals: false, refused: false };

/// Every sub-service; a new one is a row.
pub static REPORTS: &[ReportRow] = &[
    ReportRow {
        kind: ReportKind::Nilm,
        doc: "what each measured load of a home took, and the rest that none of them explains",
        quantities: &[ENERGY],
        also: NOTHING,
        with_before: false,
        make: loads,
    },
    ReportRow {
        kind: ReportKind::Eadrm,
        doc: "commands of demand response, how they were answered, the power before and after them",
        quantities: &[POWER],
        also: Also { commands: true, ..NOTHING },
        with_before: false,
        make: demand_response,
    },
    ReportRow {
        kind: ReportKind::Lgfa,
        doc: "faults and outages: which devices sent errors, or nothing, and when",
        quantities: &[POWER],
        also: Also { alerts: true, ..NOTHING },
        with_before: false,
        make: faults,
    },
    ReportRow {
        kind: ReportKind::Dra,
        doc: "what schedules asked of devices, and what was followed",
        quantities: &[POWER],
        also: Also { commands: true, ..NOTHING },
        with_before: false,
        make: schedules,
    },
    ReportRow {
        kind: ReportKind::TiE,
        doc: "energy beside the period before, the power that is always on, the highest hour",
        quantities: &[ENERGY],
        also: NOTHING,
        with_before: true,
        make: awareness,
    },
    ReportRow {
        kind: ReportKind::Consumption,
        doc: "energy by day, with gaps as gaps",
        quantities: &[ENERGY],
        also: NOTHING,
        with_before: false,
        make: consumption,
    },
    ReportRow {
        kind: ReportKind::Delivery,
        doc: "readings that came, that were expected, and what was refused",
        quantities: &[],
        also: Also { refusals: true, ..NOTHING },
        with_before: false,
        make: delivery,
    },
];

/// The sub-service of a name.
pub(super) fn row(kind: ReportKind) -> &'static ReportRow {
    REPORTS.iter().find(|row| row.kind == kind).unwrap_or(&REPORTS[0])
}

impl ReportRow {
    pub(super) fn quantities(&self) -> Vec<MeasurementId> {
        self.quantities.iter().filter_map(|name| MeasurementId::lookup(name)).collect()
    }
}

impl Period {
    /// The time of which rows are asked for: what was read before is where registers begin, and a
    /// reading at the end closes the period.
    pub(super) fn asked(&self) -> Stretch {
        let first = self.before.map_or(self.within.from, |before| before.from);
        let from = SimTime(first.0.saturating_sub(BEFORE.0));
        Stretch { from, until: SimTime(self.within.until.0.saturating_add(1)) }
    }

    fn days(&self) -> Vec<Stretch> {
        self.parts(Width::Day, self.within)
    }

    fn parts(&self, width: Width, of: Stretch) -> Vec<Stretch> {
        stretches(&self.zone, width, of.from, of.until).collect()
    }

    fn has(&self, at: SimTime) -> bool {
        self.within.from <= at && at < self.within.until
    }
}

fn lack(what: Lack, device: Option<&HardwareId>, count: Option<u64>) -> Missing {
    Missing { what, device: device.cloned(), count }
}

/// A number to the sixth decimal place.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn energy_json(value: Option<f64>) -> Value {
    json!(value.map(rounded))
}

/// The sum, if all parts are known.
fn sum(parts: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    parts.into_iter().try_fold(0.0, |sum, part| Some(sum + part?))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What a report rests on, and what of it is missing, by device.
pub(super) fn inputs(period: &Period, rows: &Rows) -> (Vec<ReportInput>, Vec<Missing>) {
    let length = period.within.until.since(period.within.from);
    let (mut inputs, mut missing) = (Vec::new(), Vec::new());
    for rows in &rows.devices {
        let (readings, first, last) = readings_of(period, rows);
        let expected = rows.reporting_period.map(|of| (length.0 / of.0.max(1)).unsigned_abs());
        let device = rows.device.clone();
        let absent = expected.map(|expected| expected.saturating_sub(readings));
        match absent {
            _ if readings == 0 => missing.push(lack(Lack::NoReadings, Some(&device), expected)),
            Some(absent) if absent > 0 => {
                missing.push(lack(Lack::Readings, Some(&device), Some(absent)));
            }
            Some(_) => {}
            None => missing.push(lack(Lack::ReportingPeriod, Some(&device), None)),
        }
        inputs.push(ReportInput { device, readings, expected, first, last });
    }
    (inputs, missing)
}

/// How many readings of a device there are in the period, the instants of the first and last one.
fn readings_of(period: &Period, rows: &DeviceRows) -> (u64, Option<SimTime>, Option<SimTime>) {
    let of = |summaries: &Vec<Summary>| -> (u64, Option<SimTime>, Option<SimTime>) {
        let within = || summaries.iter().filter(|one| period.has(one.first.0));
        let first = within().next().map(|one| one.first.0);
        let last = within().next_back().map(|one| one.last.0);
        (within().map(|one| one.n).sum(), first, last)
    };
    // A reading has one value of each of its quantities at most.
    rows.summaries.values().map(of).max_by_key(|found| found.0).unwrap_or_default()
}

/// A register of a device within some stretches, which follow each other.
struct Register {
    energy: Energy,
    /// Of each stretch, whether all of it is known.
    is_whole: Vec<bool>,
}

impl Register {
    fn of(rows: &DeviceRows, stretches: &[Stretch]) -> Option<Self> {
        let found = rows.summaries.get(&MeasurementId::lookup(ENERGY)?)?;
        let (from, until) = (stretches.first()?.from, stretches.last()?.until);
        let mut readings: Vec<Reading> = readings(found);
        readings.retain(|(at, _)| *at <= until);
        let begun = readings.partition_point(|(at, _)| *at <= from);
        readings.drain(..begun.saturating_sub(1));
        let period = rows.reporting_period.unwrap_or(REPORTING_PERIOD);
        let energy = counted(&readings, stretches, period);
        let ends = (readings.first()?.0, readings.last()?.0);
        let is_whole = stretches.iter().map(|one| {
            let is_begun = ends.0 <= one.from || !is_gap(ends.0.since(one.from), period);
            let is_ended = one.until <= ends.1 || !is_gap(one.until.since(ends.1), period);
            let is_cut = energy.gaps.iter().any(|gap| gap.from < one.until && one.from < gap.until);
            is_begun && is_ended && !is_cut
        });
        Some(Self { is_whole: is_whole.collect(), energy })
    }

    /// What a stretch took, if all of it is known.
    fn value(&self, index: usize) -> Option<f64> {
        let known = self.energy.counted.get(index)?.value;
        known.filter(|_| self.is_whole.get(index) == Some(&true))
    }

    /// What all stretches took, if that is known: over a gap within them only the sum is.
    fn total(&self, stretches: &[Stretch]) -> Option<f64> {
        let (first, last) = (stretches.first()?, stretches.last()?);
        let is_inside = |from: SimTime, until: SimTime| first.from <= from && until <= last.until;
        let gaps = &self.energy.gaps;
        let is_known = gaps.iter().all(|gap| gap.total.is_some() && is_inside(gap.from, gap.until));
        let is_touched = |index: usize, one: &Stretch| {
            self.is_whole.get(index) == Some(&true)
                || gaps.iter().any(|gap| gap.from < one.until && one.from < gap.until)
        };
        let is_covered = stretches.iter().enumerate().all(|(index, one)| is_touched(index, one));
        self.energy.total.filter(|_| is_known && is_covered)
    }
}

/// The devices that are behind none of the others.
fn mains(rows: &Rows) -> impl Iterator<Item = &DeviceRows> {
    rows.devices.iter().filter(|one| {
        let parent = one.parent.as_ref();
        !rows.devices.iter().any(|other| Some(&other.device) == parent)
    })
}

/// What devices took, where they have a register, and which have none.
fn registers<'a>(
    devices: impl Iterator<Item = &'a DeviceRows>,
    stretches: &[Stretch],
) -> (Vec<(&'a HardwareId, Register)>, Vec<Missing>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for rows in devices {
        match Register::of(rows, stretches) {
            Some(register) => found.push((&rows.device, register)),
            None => missing.push(lack(Lack::NoRegister, Some(&rows.device), None)),
        }
    }
    (found, missing)
}

/// The sum over registers of a stretch; nothing without any.
fn sum_of(registers: &[(&HardwareId, Register)], index: usize) -> Option<f64> {
    let parts = registers.iter().map(|(_, register)| register.value(index));
    sum(parts).filter(|_| !registers.is_empty())
}

fn total_of(registers: &[(&HardwareId, Register)], stretches: &[Stretch]) -> Option<f64> {
    let parts = registers.iter().map(|(_, register)| register.total(stretches));
    sum(parts).filter(|_| !registers.is_empty())
}

/// Each stretch with what it took.
fn by_stretch(registers: &[(&HardwareId, Register)], stretches: &[Stretch]) -> Vec<Value> {
    let one = |(index, stretch): (usize, &Stretch)| {
        let energy = energy_json(sum_of(registers, index));
        json!({ "from": stretch.from, "until": stretch.until, "energyKwh": energy })
    };
    stretches.iter().enumerate().map(one).collect()
}

fn gap_json(gap: &Gap) -> Value {
    json!({ "from": gap.from, "until": gap.until, "energyKwh": energy_json(gap.total) })
}

/// Consumption.
fn consumption(period: &Period, rows: &Rows) -> Made {
    let days = period.days();
    let (found, missing) = registers(mains(rows), &days);
    let device = |(device, register): &(&HardwareId, Register)| {
        let days: Vec<_> = (0..days.len()).map(|day| energy_json(register.value(day))).collect();
        let gaps: Vec<_> = register.energy.gaps.iter().take(ENTRIES_MAX).map(gap_json).collect();
        let total = energy_json(register.total(&period.days()));
        json!({ "device": device, "energyKwh": total, "days": days, "gaps": gaps })
    };
    let content = json!({
        "energyKwh": energy_json(total_of(&found, &days)),
        "days": by_stretch(&found, &days),
        "devices": found.iter().map(device).collect::<Vec<_>>(),
    });
    (object(content), missing)
}

/// NILM.
fn loads(period: &Period, rows: &Rows) -> Made {
    let days = period.days();
    let (found, mut missing) = registers(mains(rows), &days);
    let is_main = |one: &DeviceRows| mains(rows).any(|main| main.device == one.device);
    let (loads, more) = registers(rows.devices.iter().filter(|one| !is_main(one)), &days);
    missing.extend(more);
    if loads.is_empty() {
        missing.push(lack(Lack::NoLoads, None, None));
    }
    let metered = total_of(&found, &days);
    let explained = sum(loads.iter().map(|(_, load)| load.total(&days)));
    let rest = metered.zip(explained).map(|(metered, explained)| metered - explained);
    let share = |part: Option<f64>| {
        let share = metered.filter(|metered| *metered > 0.0).zip(part);
        json!(share.map(|(metered, part)| rounded(100.0 * part / metered)))
    };
    let load = |(device, load): &(&HardwareId, Register)| {
        let energy = load.total(&days);
        json!({ "device": device, "energyKwh": energy_json(energy), "percent": share(energy) })
    };
    let content = json!({
        "energyKwh": energy_json(metered),
        "loads": loads.iter().map(load).collect::<Vec<_>>(),
        "unexplainedKwh": energy_json(rest),
        "unexplainedPercent": share(rest),
    });
    (object(content), missing)
}

/// TI.E.
fn awareness(period: &Period, rows: &Rows) -> Made {
    let (days, hours) = (period.days(), period.parts(Width::Hour, period.within));
    let (found, mut missing) = registers(mains(rows), &days);
    let (by_hour, _) = registers(mains(rows), &hours);
    let before = period.before.map(|before| period.parts(Width::Day, before)).unwrap_or_default();
    let (earlier, _) = registers(mains(rows), &before);
    let (now, then) = (total_of(&found, &days), total_of(&earlier, &before));
    if then.is_none() {
        missing.push(lack(Lack::NoPeriodBefore, None, None));
    }
    let known = (0..hours.len()).filter_map(|hour| Some((sum_of(&by_hour, hour)?, hours[hour])));
    let known: Vec<(f64, Stretch)> = known.collect();
    let of_hours = |one: &&(f64, Stretch), other: &&(f64, Stretch)| one.0.total_cmp(&other.0);
    let highest = known.iter().rev().max_by(of_hours).map(|(energy, hour)| {
        json!({ "from": hour.from, "until": hour.until, "energyKwh": rounded(*energy) })
    });
    let least = known.iter().min_by(of_hours).map(|(energy, hour)| {
        energy * 3600.0 / hour.until.since(hour.from).as_seconds_f64().max(1.0)
    });
    let content = json!({
        "energyKwh": energy_json(now),
        "energyBeforeKwh": energy_json(then),
        "differenceKwh": energy_json(now.zip(then).map(|(now, then)| now - then)),
        "days": by_stretch(&found, &days),
        "alwaysOnKw": energy_json(least),
        "highestHour": highest,
    });
    (object(content), missing)
}

/// Commands of the period, oldest first, with the rows of their devices.
fn commands<'a>(
    period: &Period,
    rows: &'a Rows,
    is_meant: impl Fn(&InvocationRow) -> bool,
) -> Vec<(&'a DeviceRows, &'a InvocationRow)> {
    let of = |device: &'a DeviceRows| device.commands.iter().map(move |one| (device, one));
    let all = rows.devices.iter().flat_map(of);
    let meant = all.filter(|(_, one)| period.has(one.asked.created) && is_meant(one));
    let mut meant: Vec<_> = meant.collect();
    meant.sort_by_key(|(device, one)| (one.asked.created, &device.device, one.id));
    meant
}

/// Whether a command was made by a schedule.
fn is_scheduled(command: &InvocationRow) -> bool {
    ["Scheduler", "BatchOperation"].contains(&command.asked.initiator.as_str())
}

fn is_followed(command: &InvocationRow) -> bool {
    command.state == InvocationState::Acknowledged
}

fn command_json(device: &DeviceRows, command: &InvocationRow) -> Map<String, Value> {
    let asked = &command.asked;
    let by = asked.metadata.get("by").unwrap_or(&asked.initiator_id);
    object(json!({
        "device": device.device, "command": asked.command, "parameters": asked.parameters,
        "at": asked.created, "by": by, "state": command.state.word(), "ended": command.ended,
    }))
}

/// The mean power of the quarter of an hour that lies so many after that of an instant.
fn power_beside(device: &DeviceRows, at: SimTime, quarters: i64) -> Value {
    let id = MeasurementId::lookup(POWER);
    let found = id.and_then(|id| device.summaries.get(&id)).map_or(&[][..], Vec::as_slice);
    let length = lastmeter_model::series::rollup::BUCKET.0;
    let start = bucket(at).0.saturating_add(quarters.saturating_mul(length));
    let quarter = found.iter().find(|one| bucket(one.first.0).0 == start);
    energy_json(quarter.map(Summary::mean))
}

/// EADRM.
fn demand_response(period: &Period, rows: &Rows) -> Made {
    let is_meant =
        |one: &InvocationRow| !is_scheduled(one) && one.asked.command != "setReportingPeriod";
    let meant = commands(period, rows, is_meant);
    let one = |(device, command): &(&DeviceRows, &InvocationRow)| {
        let mut shown = command_json(device, command);
        for (name, quarters) in [("powerBeforeKw", -1), ("powerAfterKw", 1)] {
            let power = power_beside(device, command.asked.created, quarters);
            shown.insert(name.to_owned(), power);
        }
        shown
    };
    let content = json!({
        "asked": meant.len(),
        "answered": meant.iter().filter(|(_, one)| is_followed(one)).count(),
        "commands": meant.iter().take(ENTRIES_MAX).map(one).collect::<Vec<_>>(),
    });
    (object(content), no_commands(meant.is_empty()))
}

fn no_commands(is_so: bool) -> Vec<Missing> {
    is_so.then(|| lack(Lack::NoCommands, None, None)).into_iter().collect()
}

/// DRA.
fn schedules(period: &Period, rows: &Rows) -> Made {
    let meant = commands(period, rows, is_scheduled);
    let mut by_schedule: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (_, command) in &meant {
        let (given, followed) = by_schedule.entry(&command.asked.initiator_id).or_default();
        *given += 1;
        *followed += usize::from(is_followed(command));
    }
    let schedule = |(name, (given, followed)): (&&str, &(usize, usize))| {
        let members = json!({ "schedule": name, "given": given, "followed": followed });
        object(members)
    };
    let one = |(device, command): &(&DeviceRows, &InvocationRow)| command_json(device, command);
    let content = json!({
        "given": meant.len(),
        "followed": by_schedule.values().map(|(_, followed)| followed).sum::<usize>(),
        "schedules": by_schedule.iter().map(schedule).collect::<Vec<_>>(),
        "commands": meant.iter().take(ENTRIES_MAX).map(one).collect::<Vec<_>>(),
    });
    (object(content), no_commands(meant.is_empty()))
}

/// LGFA.
fn faults(period: &Period, rows: &Rows) -> Made {
    let is_presence = |kind: &str| kind.starts_with("presence.");
    let meant = rows.alerts.iter().filter(|alert| {
        let is_bad = ["Error", "Critical"].contains(&alert.level.as_str());
        period.has(alert.event) && (is_bad || is_presence(&alert.kind))
    });
    let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut events, mut silent) = (Vec::new(), BTreeMap::new());
    for alert in meant {
        *by_type.entry(&alert.kind).or_default() += 1;
        // An alert of the platform names the device that it is about.
        let device = alert.metadata.get("device").map_or(alert.device.as_str(), String::as_str);
        match alert.kind.as_str() {
            "presence.missing" => _ = silent.insert(device, alert.event),
            "presence.present" => _ = silent.remove(device),
            _ => {}
        }
        events.push(json!({
            "device": device, "type": alert.kind, "level": alert.level, "at": alert.event,
        }));
    }
    let silent = silent.into_iter().map(|(device, at)| json!({ "device": device, "from": at }));
    let content = json!({
        "types": by_type,
        "events": events.into_iter().take(ENTRIES_MAX).collect::<Vec<_>>(),
        "silentAtTheEnd": silent.collect::<Vec<_>>(),
    });
    (object(content), Vec::new())
}

/// Delivery.
fn delivery(period: &Period, rows: &Rows) -> Made {
    let (inputs, _) = inputs(period, rows);
    let of = |(input, rows): (&ReportInput, &DeviceRows)| {
        json!({
            "device": input.device, "received": input.readings, "expected": input.expected,
            "missing": input.expected.map(|of| of.saturating_sub(input.readings)),
            "refusals": rows.refusals,
        })
    };
    let expected: Option<u64> = inputs.iter().map(|input| input.expected).sum();
    let content = json!({
        "received": inputs.iter().map(|input| input.readings).sum::<u64>(),
        "expected": expected,
        "refused": rows.devices.iter().flat_map(|one| one.refusals.values()).sum::<u64>(),
        "devices": inputs.iter().zip(&rows.devices).map(of).collect::<Vec<_>>(),
    });
    (object(content), Vec::new())
}
