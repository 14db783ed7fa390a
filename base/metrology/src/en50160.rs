//! The weekly verdict of EN 50160:2010 for public low-voltage networks.
//!
//! Every limit is judged per phase and per week, never pooled. A limit for 95 % of a week is kept
//! for certain only if it would be kept whatever the values that are missing had been, and broken
//! for certain as soon as more than 5 % of what counts is beyond it; in between, and with less
//! than half a week judged, there is too little data to judge.
//!
//! A week has 1008 whole intervals of ten minutes. One that was recorded from between two ticks of
//! the clock to between two others has 1007, which are then all of it; their parts at the ends are
//! left out.
//!
//! Values over an interruption are left out of everything, values over a dip or a swell of
//! everything but the voltage: a voltage that is low all week is one long dip, too. What could not
//! be measured for another reason, as a frequency out of the tracker's reach, counts as missing.

use serde::Serialize;

use crate::aggregate::{Aggregate, Frequency, PhaseAggregate, TEN_MINUTES_S};

/// Seconds in a week.
pub const WEEK_S: f64 = 604_800.0;

/// Whole intervals of ten minutes in a week.
pub const TEN_MINUTES_PER_WEEK: u32 = 1008;

/// Least part of a week that must be judged for a verdict.
const JUDGED_PART_MIN: f64 = 0.5;

/// Highest order in the distortion (EN 50160, 4.2.5).
const THD_ORDERS: usize = 40;

/// What a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// RMS voltage over ten minutes, deviation from the declared voltage in per cent of it.
    VoltageDeviationPct,
    /// Frequency over ten seconds, deviation from the nominal one in per cent of it.
    FrequencyDeviationPct,
    /// Distortion to order 40 over ten minutes in per cent of the fundamental.
    ThdPct,
    /// A harmonic (its order) over ten minutes in per cent of the declared voltage.
    HarmonicPct(u32),
    /// Negative-sequence unbalance over ten minutes in per cent.
    UnbalancePct,
    /// Long-term flicker severity over two hours.
    LongTermFlicker,
}

/// A limit, with where it is from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// What it is about.
    pub quantity: Quantity,
    /// Lowest permitted value, in the quantity's unit.
    pub low: f64,
    /// Highest permitted value.
    pub high: f64,
    /// Part of the time it must be kept, 0..=1.
    pub share: f64,
    /// The clause of the standard.
    pub clause: &'static str,
    /// Whether the figure was read in a source, or is from memory.
    pub confirmed: bool,
}

const fn limit(
    quantity: Quantity,
    (low, high): (f64, f64),
    share: f64,
    clause: &'static str,
) -> Limit {
    Limit { quantity, low, high, share, clause, confirmed: true }
}

const fn harmonic(order: u32, high: f64) -> Limit {
    limit(Quantity::HarmonicPct(order), (0.0, high), 0.95, "EN 50160:2010, 4.2.5, table 1")
}

/// The limits for low voltage in interconnected networks.
///
/// Confirmed: makers' manuals and notes on EN 50160 print the same figures. The clause numbers,
/// and the frequency's limit for all of the time, are from memory.
pub const LIMITS: [Limit; 31] = [
    limit(Quantity::VoltageDeviationPct, (-10.0, 10.0), 0.95, "EN 50160:2010, 4.2.2.2"),
    limit(Quantity::VoltageDeviationPct, (-15.0, 10.0), 1.0, "EN 50160:2010, 4.2.2.2"),
    // 99.5 % of a year; judged over each week as if it were one.
    limit(Quantity::FrequencyDeviationPct, (-1.0, 1.0), 0.995, "EN 50160:2010, 4.2.1"),
    Limit {
        confirmed: false,
        ..limit(Quantity::FrequencyDeviationPct, (-6.0, 4.0), 1.0, "EN 50160:2010, 4.2.1")
    },
    limit(Quantity::ThdPct, (0.0, 8.0), 0.95, "EN 50160:2010, 4.2.5"),
    harmonic(2, 2.0),
    harmonic(3, 5.0),
    harmonic(4, 1.0),
    harmonic(5, 6.0),
    harmonic(6, 0.5),
    harmonic(7, 5.0),
    harmonic(8, 0.5),
    harmonic(9, 1.5),
    harmonic(10, 0.5),
    harmonic(11, 3.5),
    harmonic(12, 0.5),
    harmonic(13, 3.0),
    harmonic(14, 0.5),
    harmonic(15, 0.5),
    harmonic(16, 0.5),
    harmonic(17, 2.0),
    harmonic(18, 0.5),
    harmonic(19, 1.5),
    harmonic(20, 0.5),
    harmonic(21, 0.5),
    harmonic(22, 0.5),
    harmonic(23, 1.5),
    harmonic(24, 0.5),
    harmonic(25, 1.5),
    limit(Quantity::UnbalancePct, (0.0, 2.0), 0.95, "EN 50160:2010, 4.2.4"),
    limit(Quantity::LongTermFlicker, (0.0, 1.0), 0.95, "EN 50160:2010, 4.2.3.2"),
];

impl Quantity {
    /// Values of it in a week.
    fn per_week(self) -> u32 {
        match self {
            Quantity::FrequencyDeviationPct => 60_480,
            Quantity::LongTermFlicker => 84,
            _ => TEN_MINUTES_PER_WEEK,
        }
    }

    /// Length of what a value of it is taken over, in s.
    fn interval_s(self) -> f64 {
        WEEK_S / f64::from(self.per_week())
    }

    /// Whether each phase has its own.
    fn per_phase(self) -> bool {
        !matches!(self, Quantity::FrequencyDeviationPct | Quantity::UnbalancePct)
    }
}

/// The verdict on a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// The limit is kept for certain.
    #[serde(rename = "pass")]
    Pass,
    /// Kept, but the limit is from memory.
    #[serde(rename = "pass (limit unconfirmed)")]
    PassUnconfirmed,
    /// The limit is broken for certain.
    #[serde(rename = "fail")]
    Fail,
    /// Neither for certain.
    #[serde(rename = "too little data")]
    TooLittleData,
}

/// One limit, one phase, one week.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeeklyRow {
    /// The week, from 0; the first begins with the first whole interval of ten minutes.
    pub week: u32,
    /// Name of the phase; `None` for what the system has in common.
    pub phase: Option<String>,
    /// The quantity that is limited.
    pub quantity: Quantity,
    /// Lowest permitted value.
    pub low: f64,
    /// Highest permitted value.
    pub high: f64,
    /// Part of the values that must keep the limit, in per cent.
    pub share_pct: f64,
    /// Values that count.
    pub judged: u32,
    /// Of these, those beyond the limit.
    pub beyond: u32,
    /// Values left out: over a dip, a swell or an interruption.
    pub excluded: u32,
    /// Values of the week that were never measured, or could not be.
    pub missing: u32,
    /// The value that is worst, of those that count.
    pub worst: Option<f64>,
    /// Verdict on this limit.
    pub verdict: Verdict,
    /// Where the limit is from.
    pub clause: &'static str,
    /// Whether the limit was read in a source; if not, it is from memory.
    pub limit_confirmed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    judged: u32,
    beyond: u32,
    excluded: u32,
    worst: Option<f64>,
}

impl Tally {
    fn add(&mut self, limit: &Limit, value: Option<f64>, counts: bool) {
        if !counts {
            self.excluded += 1;
            return;
        }
        // What could not be measured is missing: it may have been beyond.
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        self.judged += 1;
        if value < limit.low || value > limit.high {
            self.beyond += 1;
        }
        // How far towards the nearer limit, or beyond it.
        let middle = 0.5 * (limit.low + limit.high);
        let worse = self.worst.is_none_or(|worst| (value - middle).abs() > (worst - middle).abs());
        if worse {
            self.worst = Some(value);
        }
    }

    /// The verdict on a week of so many values.
    fn row(&self, limit: &Limit, (week, whole): (u32, u32), phase: Option<String>) -> WeeklyRow {
        let Tally { judged, beyond, excluded, worst } = *self;
        let missing = whole.saturating_sub(judged + excluded);
        let counted = f64::from(whole.saturating_sub(excluded).max(judged));
        // Half a value below the whole number of permitted ones: counts are whole.
        let permitted = (counted * (1.0 - limit.share) + 1e-6).floor();
        let enough = f64::from(judged) >= JUDGED_PART_MIN * f64::from(whole);
        let verdict = if f64::from(beyond) > permitted {
            Verdict::Fail
        } else if !enough || f64::from(beyond + missing) > permitted {
            Verdict::TooLittleData
        } else if limit.confirmed {
            Verdict::Pass
        } else {
            Verdict::PassUnconfirmed
        };
        WeeklyRow {
            week,
            phase,
            quantity: limit.quantity,
            low: limit.low,
            high: limit.high,
            share_pct: 100.0 * limit.share,
            judged,
            beyond,
            excluded,
            missing,
            worst,
            verdict,
            clause: limit.clause,
            limit_confirmed: limit.confirmed,
        }
    }
}

/// Judges week after week; feed it with values in any order within a week.
#[derive(Clone, Debug)]
pub struct WeeklyJudge {
    declared_v: f64,
    nominal_hz: f64,
    names: Vec<String>,
    /// Where the first week begins, in s since the first sample.
    begin_s: f64,
    /// Where the recording ends, likewise, if that is known.
    end_s: Option<f64>,
    /// By week, then by limit, then by phase (one for what is common).
    weeks: Vec<Vec<Vec<Tally>>>,
}

impl WeeklyJudge {
    /// For phases with names, of a declared voltage and a nominal frequency.
    pub fn new(declared_v: f64, nominal_hz: f64, names: &[String]) -> Self {
        Self {
            declared_v,
            nominal_hz,
            names: names.to_vec(),
            begin_s: 0.0,
            end_s: None,
            weeks: Vec::new(),
        }
    }

    /// Sets how long the recording is: one of a week that was cut by its ends between two ticks
    /// has an interval less.
    pub fn ends_at(&mut self, end_s: f64) {
        self.end_s = Some(end_s);
    }

    /// The same with weeks that begin so many seconds after the first sample: with the first
    /// ten-minute tick of the clock, so that a week has its 1008 whole intervals. Values before
    /// that are left out.
    #[must_use]
    pub fn beginning_at(mut self, begin_s: f64) -> Self {
        self.begin_s = begin_s;
        self
    }

    /// The tallies of the week an instant lies in; `None` for what lies in no known week.
    fn week(&mut self, start_s: f64) -> Option<&mut Vec<Vec<Tally>>> {
        let week = ((start_s - self.begin_s) / WEEK_S + 1e-9).floor();
        // Ten years are enough.
        if !(0.0..522.0).contains(&week) {
            return None;
        }
        let week = week as usize;
        let phases = self.names.len();
        let count = |limit: &Limit| if limit.quantity.per_phase() { phases } else { 1 };
        while self.weeks.len() <= week {
            let tallies = LIMITS.iter().map(|limit| vec![Tally::default(); count(limit)]);
            self.weeks.push(tallies.collect());
        }
        self.weeks.get_mut(week)
    }

    /// Takes a ten-minute value.
    pub fn push_ten_minutes(&mut self, aggregate: &Aggregate) {
        let declared_v = self.declared_v;
        let flags = aggregate.flags;
        let clean = !flags.over_event();
        // What is not synchronous has a voltage, but no harmonics and no sequences.
        let synchronous = !flags.unsynchronised;
        let unbalance = aggregate.unbalance_u.and_then(|u| u.negative_pct);
        let three_phase = aggregate.unbalance_u.is_some();
        let Some(tallies) = self.week(aggregate.start_s) else { return };
        for (limit, tallies) in LIMITS.iter().zip(tallies) {
            for (phase, tally) in aggregate.phases.iter().zip(tallies.iter_mut()) {
                match limit.quantity {
                    Quantity::VoltageDeviationPct => {
                        let deviation = 100.0 * (phase.u_rms_v / declared_v - 1.0);
                        tally.add(limit, Some(deviation), !flags.interruption);
                    }
                    Quantity::ThdPct => {
                        tally.add(limit, thd_pct(phase).filter(|_| synchronous), clean);
                    }
                    Quantity::HarmonicPct(order) => {
                        let rms = phase.harmonics_u.get(order as usize - 1);
                        let rms = rms.filter(|_| synchronous);
                        tally.add(limit, rms.map(|rms| 100.0 * rms / declared_v), clean);
                    }
                    _ => {}
                }
            }
            if limit.quantity == Quantity::UnbalancePct && three_phase {
                for tally in tallies {
                    tally.add(limit, unbalance.filter(|_| synchronous), clean);
                }
            }
        }
    }

    /// Takes a ten-second frequency.
    pub fn push_frequency(&mut self, value: &Frequency) {
        let nominal_hz = self.nominal_hz;
        let Some(tallies) = self.week(value.start_s) else { return };
        for (limit, tallies) in LIMITS.iter().zip(tallies) {
            if limit.quantity == Quantity::FrequencyDeviationPct {
                let measured = value.frequency_hz.filter(|_| !value.flagged);
                let deviation = measured.map(|hz| 100.0 * (hz / nominal_hz - 1.0));
                for tally in tallies {
                    tally.add(limit, deviation, !value.over_event);
                }
            }
        }
    }

    /// Takes a phase's long-term flicker severity over two hours from an instant on.
    pub fn push_long_term(&mut self, phase: usize, start_s: f64, plt: f64, flagged: bool) {
        let Some(tallies) = self.week(start_s) else { return };
        for (limit, tallies) in LIMITS.iter().zip(tallies) {
            if let Some(tally) = tallies.get_mut(phase)
                && limit.quantity == Quantity::LongTermFlicker
            {
                tally.add(limit, Some(plt), !flagged);
            }
        }
    }

    /// Whole intervals of a quantity in a week.
    fn whole(&self, quantity: Quantity, week: usize) -> u32 {
        let Some(end_s) = self.end_s else { return quantity.per_week() };
        let recorded_s = end_s - self.begin_s - WEEK_S * week as f64;
        if recorded_s + TEN_MINUTES_S > WEEK_S + 1e-3 && recorded_s < WEEK_S {
            return (recorded_s / quantity.interval_s() + 1e-6).floor() as u32;
        }
        quantity.per_week()
    }

    /// The verdicts, week by week, limit by limit, phase by phase.
    pub fn rows(&self) -> Vec<WeeklyRow> {
        let mut rows = Vec::new();
        for (week, tallies) in self.weeks.iter().enumerate() {
            for (limit, tallies) in LIMITS.iter().zip(tallies) {
                for (phase, tally) in tallies.iter().enumerate() {
                    let name = self.names.get(phase).filter(|_| limit.quantity.per_phase());
                    let whole = self.whole(limit.quantity, week);
                    rows.push(tally.row(limit, (week as u32, whole), name.cloned()));
                }
            }
        }
        rows
    }
}

/// Distortion to order 40 out of the sub-groups; `None` if the sampling rate leaves some out.
fn thd_pct(phase: &PhaseAggregate) -> Option<f64> {
    let (first, rest) = phase.harmonics_u.get(..THD_ORDERS)?.split_first()?;
    let squares: f64 = rest.iter().map(|rms| rms * rms).sum();
    (*first > 0.0).then(|| 100.0 * squares.sqrt() / first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flagging::Flags;
    use crate::unbalance::Unbalance;

    /// A ten-minute value of three phases with the given voltages and a distortion.
    fn ten_minutes(k: u32, u: [f64; 3], h5_pct: f64, flags: Flags) -> Aggregate {
        let phase = |u: f64| {
            let mut harmonics_u = vec![0.0; 50];
            harmonics_u[0] = u;
            harmonics_u[4] = 230.0 * 0.01 * h5_pct;
            PhaseAggregate { u_rms_v: u, harmonics_u, ..PhaseAggregate::default() }
        };
        Aggregate {
            start_s: 600.0 * f64::from(k),
            duration_s: 600.0,
            count: 3000,
            flags,
            phases: u.map(phase).to_vec(),
            unbalance_u: Some(Unbalance { negative_pct: Some(0.5), zero_pct: Some(0.1) }),
            unbalance_i: None,
        }
    }

    fn judge() -> WeeklyJudge {
        WeeklyJudge::new(230.0, 50.0, &["a", "b", "c"].map(str::to_owned))
    }

    fn row<'a>(
        rows: &'a [WeeklyRow],
        quantity: Quantity,
        share: f64,
        phase: &str,
    ) -> &'a WeeklyRow {
        rows.iter()
            .find(|row| {
                row.quantity == quantity
                    && row.share_pct == share
                    && row.phase.as_deref().unwrap_or("") == phase
            })
            .expect("a row")
    }

    #[test]
    fn one_bad_phase_fails_and_pooling_would_have_passed_it() {
        // 5 % of 1008 are 50.4 values. Phase b is low in 51 of them, c in 50: of all 3024 values
        // that is 3.3 %.
        let mut judge = judge();
        for k in 0..1008 {
            let b = if k < 51 { 206.0 } else { 230.0 };
            let c = if k < 50 { 206.0 } else { 230.0 };
            judge.push_ten_minutes(&ten_minutes(k, [230.0, b, c], 5.9, Flags::default()));
        }
        let rows = judge.rows();
        let of = |phase| row(&rows, Quantity::VoltageDeviationPct, 95.0, phase);
        assert_eq!(of("a").verdict, Verdict::Pass);
        assert_eq!((of("b").verdict, of("b").beyond), (Verdict::Fail, 51));
        assert_eq!((of("c").verdict, of("c").beyond), (Verdict::Pass, 50));
        assert!((of("b").worst.expect("values") + 10.434_782_6).abs() < 1e-6);
        // 206 V is within -15 %.
        assert_eq!(row(&rows, Quantity::VoltageDeviationPct, 100.0, "b").verdict, Verdict::Pass);
        assert_eq!(row(&rows, Quantity::HarmonicPct(5), 95.0, "a").verdict, Verdict::Pass);
        assert_eq!(row(&rows, Quantity::UnbalancePct, 95.0, "").verdict, Verdict::Pass);
    }

    #[test]
    fn each_limit_fails_beyond_itself() {
        let mut judge = judge();
        for k in 0..1008 {
            judge.push_ten_minutes(&ten_minutes(k, [253.1, 195.4, 230.0], 8.01, Flags::default()));
        }
        for k in 0..60_480 {
            let frequency_hz = Some(if k < 310 { 49.49 } else { 50.0 });
            let start_s = 10.0 * f64::from(k);
            judge.push_frequency(&Frequency {
                start_s,
                frequency_hz,
                flagged: false,
                over_event: false,
            });
        }
        for k in 0..84 {
            judge.push_long_term(0, 7200.0 * f64::from(k), 1.01, false);
            judge.push_long_term(1, 7200.0 * f64::from(k), 0.99, false);
        }
        let rows = judge.rows();
        let verdict = |quantity, share, phase| row(&rows, quantity, share, phase).verdict;
        assert_eq!(verdict(Quantity::VoltageDeviationPct, 95.0, "a"), Verdict::Fail);
        assert_eq!(verdict(Quantity::VoltageDeviationPct, 100.0, "b"), Verdict::Fail);
        assert_eq!(verdict(Quantity::HarmonicPct(5), 95.0, "c"), Verdict::Fail);
        assert_eq!(verdict(Quantity::ThdPct, 95.0, "c"), Verdict::Fail);
        // 0.5 % of 60480 are 302.4.
        assert_eq!(verdict(Quantity::FrequencyDeviationPct, 99.5, ""), Verdict::Fail);
        let all = Quantity::FrequencyDeviationPct;
        assert_eq!(verdict(all, 100.0, ""), Verdict::PassUnconfirmed);
        assert_eq!(verdict(Quantity::LongTermFlicker, 95.0, "a"), Verdict::Fail);
        assert_eq!(verdict(Quantity::LongTermFlicker, 95.0, "b"), Verdict::Pass);
        assert_eq!(verdict(Quantity::LongTermFlicker, 95.0, "c"), Verdict::TooLittleData);
    }

    #[test]
    fn too_little_data_is_reported_and_not_passed() {
        let mut judge = judge();
        for k in 0..950 {
            judge.push_ten_minutes(&ten_minutes(k, [230.0; 3], 1.0, Flags::default()));
        }
        // 58 of 1008 are missing: they could all have been beyond.
        let rows = judge.rows();
        let voltage = row(&rows, Quantity::VoltageDeviationPct, 95.0, "a");
        assert_eq!((voltage.missing, voltage.verdict), (58, Verdict::TooLittleData));
        // Eight more, and they could not.
        for k in 950..958 {
            judge.push_ten_minutes(&ten_minutes(k, [230.0; 3], 1.0, Flags::default()));
        }
        let rows = judge.rows();
        assert_eq!(row(&rows, Quantity::VoltageDeviationPct, 95.0, "a").verdict, Verdict::Pass);
        let all = row(&rows, Quantity::VoltageDeviationPct, 100.0, "a");
        assert_eq!(all.verdict, Verdict::TooLittleData);
    }

    #[test]
    fn flagged_values_do_not_count_but_a_week_long_dip_fails() {
        let dip = Flags { dip: true, ..Flags::default() };
        let mut judge = judge();
        for k in 0..1008 {
            judge.push_ten_minutes(&ten_minutes(k, [190.0; 3], 20.0, dip));
        }
        let rows = judge.rows();
        assert_eq!(row(&rows, Quantity::VoltageDeviationPct, 95.0, "a").verdict, Verdict::Fail);
        let thd = row(&rows, Quantity::ThdPct, 95.0, "a");
        assert_eq!((thd.excluded, thd.verdict), (1008, Verdict::TooLittleData));
    }

    #[test]
    fn a_frequency_that_could_not_be_tracked_is_missing_and_not_excluded() {
        let week = |lost: u32, over_event: bool| {
            let mut judge = judge();
            for k in 0..60_480 {
                let flagged = k < lost;
                let frequency_hz = Some(50.0).filter(|_| !flagged);
                let start_s = 10.0 * f64::from(k);
                let over_event = flagged && over_event;
                judge.push_frequency(&Frequency { start_s, frequency_hz, flagged, over_event });
            }
            let rows = judge.rows();
            let row = row(&rows, Quantity::FrequencyDeviationPct, 99.5, "");
            (row.verdict, row.missing, row.excluded)
        };
        // 0.5 % of 60480 are 302.4: as many may be unknown.
        assert_eq!(week(302, false), (Verdict::Pass, 302, 0));
        assert_eq!(week(303, false), (Verdict::TooLittleData, 303, 0));
        assert_eq!(week(303, true), (Verdict::Pass, 0, 303));
    }

    #[test]
    fn what_is_not_synchronous_has_a_voltage_only() {
        let unsynchronised = Flags { unsynchronised: true, ..Flags::default() };
        let mut judge = judge();
        for k in 0..1008 {
            judge.push_ten_minutes(&ten_minutes(k, [230.0; 3], 1.0, unsynchronised));
        }
        let rows = judge.rows();
        let of = |quantity, phase| {
            let row = row(&rows, quantity, 95.0, phase);
            (row.verdict, row.missing)
        };
        assert_eq!(of(Quantity::VoltageDeviationPct, "a"), (Verdict::Pass, 0));
        assert_eq!(of(Quantity::ThdPct, "a"), (Verdict::TooLittleData, 1008));
        assert_eq!(of(Quantity::HarmonicPct(3), "a"), (Verdict::TooLittleData, 1008));
        assert_eq!(of(Quantity::UnbalancePct, ""), (Verdict::TooLittleData, 1008));
    }

    #[test]
    fn a_distortion_without_all_its_orders_is_none() {
        for (orders, verdict) in [(9, Verdict::TooLittleData), (39, Verdict::TooLittleData)]
            .into_iter()
            .chain([(40, Verdict::Pass), (50, Verdict::Pass)])
        {
            let mut judge = judge();
            for k in 0..1008 {
                let mut value = ten_minutes(k, [230.0; 3], 1.0, Flags::default());
                for phase in &mut value.phases {
                    phase.harmonics_u.truncate(orders);
                }
                judge.push_ten_minutes(&value);
            }
            let rows = judge.rows();
            assert_eq!(row(&rows, Quantity::ThdPct, 95.0, "a").verdict, verdict, "{orders}");
            // A harmonic that is there is judged.
            let fifth = row(&rows, Quantity::HarmonicPct(5), 95.0, "a");
            assert_eq!(fifth.verdict, Verdict::Pass);
        }
    }

    #[test]
    fn weeks_are_judged_one_by_one() {
        let mut judge = judge();
        for k in 0..2016 {
            let u = if k < 60 { 200.0 } else { 230.0 };
            judge.push_ten_minutes(&ten_minutes(k, [u; 3], 1.0, Flags::default()));
        }
        let rows = judge.rows();
        let of = |week| {
            let rows: Vec<_> = rows.iter().filter(|row| row.week == week).cloned().collect();
            row(&rows, Quantity::VoltageDeviationPct, 95.0, "a").verdict
        };
        assert_eq!((of(0), of(1)), (Verdict::Fail, Verdict::Pass));
    }
}
