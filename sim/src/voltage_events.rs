//! What a perfect instrument could have seen of voltage events, and when there was no voltage.
//!
//! Instruments judge Urms(1/2): the RMS value over one period, refreshed each half period
//! (IEC 61000-4-30, 3.20, 5.4 and 5.5). Where its half periods lie is a matter of when the
//! instrument's zero crossings come, so a short dip has not one residual voltage but a range of
//! them: here everything is found for [`ALIGNMENTS`] alignments, by the terminal's own truth over
//! each period. A meter is right within that range, widened by what its class allows.
//!
//! An event begins in the middle of the first period beyond its threshold, and ends in the middle
//! of the first one that is back by the hysteresis.

use lastmeter_units::SimDuration;

use crate::Terminal;

/// Alignments within half a period.
pub const ALIGNMENTS: usize = 40;

/// Thresholds of voltage events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventLimits {
    /// A dip is below, volts.
    pub dip_v: f64,
    /// A swell is above, volts.
    pub swell_v: f64,
    /// An interruption is below, volts.
    pub interruption_v: f64,
    /// What it must be back by, volts.
    pub hysteresis_v: f64,
}

lastmeter_units::words! {
    /// What happened to a voltage.
    pub enum TrueEventKind in files {
        /// It was below the dip threshold.
        Dip = "dip",
        /// It was above the swell threshold.
        Swell = "swell",
        /// It was below the interruption threshold; the dip that contains it is an event too.
        Interruption = "interruption",
    }
}

/// An event, over all alignments that see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrueEvent {
    /// What.
    pub kind: TrueEventKind,
    /// Which phase, from 0.
    pub phase: usize,
    /// When it began, in the middle between the next two.
    pub from: SimDuration,
    /// When it began for the alignment that sees it first.
    pub from_earliest: SimDuration,
    /// When it began for the alignment that sees it last.
    pub from_latest: SimDuration,
    /// The shortest that it lasts, seconds.
    pub duration_min_s: f64,
    /// The longest that it lasts, seconds.
    pub duration_max_s: f64,
    /// The lowest residual voltage (of a swell: extreme), volts.
    pub residual_min_v: f64,
    /// The highest likewise, volts.
    pub residual_max_v: f64,
    /// Whether every alignment sees it, as one.
    pub is_certain: bool,
    /// The most that one alignment sees of it: more than one where its voltage comes back to just
    /// the threshold with the hysteresis, which others do not see.
    pub most: usize,
    /// Whether it has ended for all that see it.
    pub is_over: bool,
}

/// A time without voltage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Since when.
    pub from: SimDuration,
    /// Until when; none: not before the end.
    pub to: Option<SimDuration>,
}

/// An event as one alignment sees it.
#[derive(Clone, Copy, Debug)]
struct Event {
    from: f64,
    to: f64,
    extreme_v: f64,
    is_over: bool,
    alignment: usize,
}

/// RMS values over one period, at instants that are a fortieth of half a period apart, wherever
/// they may change.
struct Scan<'a> {
    terminal: &'a Terminal,
    period_s: f64,
    /// Numbers of instants, in order: ranges with both ends.
    ranges: Vec<(u64, u64)>,
}

impl<'a> Scan<'a> {
    /// Where steady voltages without an event follow each other, nothing is looked at: over
    /// a period that lies across their border the mean square is between theirs.
    fn new(
        terminal: &'a Terminal,
        until: SimDuration,
        is_harmless: impl Fn(f64) -> bool,
    ) -> Option<Self> {
        let frequency_hz = terminal.fundamental_hz();
        if !(frequency_hz.is_finite() && frequency_hz > 0.0) {
            return None;
        }
        let period_s = 1.0 / frequency_hz;
        let step_s = period_s / (2 * ALIGNMENTS) as f64;
        let number = |at_s: f64| (at_s / step_s).max(0.0);
        let last = number(until.as_seconds_f64()).floor() as u64;
        // The first whole period is looked at by every alignment, so that all know where they are.
        let mut ranges: Vec<(u64, u64)> = vec![(2 * ALIGNMENTS as u64, 3 * ALIGNMENTS as u64)];
        let period = SimDuration::from_seconds_f64(period_s);
        let unsteady = terminal.unsteady(until);
        for (place, &(from, to)) in unsteady.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| unsteady[before].1 + period);
            let after = unsteady.get(place + 1).map(|after| after.0);
            let is_alone = before.is_none_or(|before| before <= from)
                && after.is_none_or(|after| to + period <= after)
                && from == to
                && from >= period;
            let both = [(from - period, from), (from, from + period)];
            let harmless = |(from, to): (SimDuration, SimDuration)| {
                terminal.voltages_rms(from, to).into_iter().all(&is_harmless)
            };
            if is_alone && both.into_iter().all(harmless) {
                continue;
            }
            let first = number(from.as_seconds_f64()).floor() as u64;
            let end = number(to.as_seconds_f64() + period_s).ceil() as u64 + ALIGNMENTS as u64;
            let first = first.max(2 * ALIGNMENTS as u64);
            match ranges.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(end),
                _ => ranges.push((first, end)),
            }
        }
        for range in &mut ranges {
            range.1 = range.1.min(last);
        }
        ranges.retain(|(first, end)| first <= end);
        Some(Self { terminal, period_s, ranges })
    }

    fn at_s(&self, number: u64) -> f64 {
        number as f64 * self.period_s / (2 * ALIGNMENTS) as f64
    }

    /// Instant by instant: its number, and the RMS value of each phase over the period before it.
    fn each(&self, mut look: impl FnMut(u64, &[f64])) {
        let mut values = Vec::new();
        for (first, last) in &self.ranges {
            let period_s = self.period_at_s(self.at_s(*first));
            for number in *first..=*last {
                let to_s = self.at_s(number);
                let from = SimDuration::from_seconds_f64(to_s - period_s);
                let to = SimDuration::from_seconds_f64(to_s);
                values.clear();
                values.extend(self.terminal.voltages_rms(from, to));
                look(number, &values);
            }
        }
    }

    /// The period at an instant: over another length the RMS value of a sine is not its own.
    fn period_at_s(&self, at_s: f64) -> f64 {
        let period_s = 1.0 / self.terminal.frequency_at(SimDuration::from_seconds_f64(at_s));
        // What is looked at begins with the second rated period.
        if period_s > 0.0 && period_s <= 2.0 * self.period_s { period_s } else { self.period_s }
    }
}

/// Whether a value is beyond a threshold, and whether it is back.
fn judged(kind: TrueEventKind, value_v: f64, limits: &EventLimits) -> (bool, bool) {
    let EventLimits { dip_v, swell_v, interruption_v, hysteresis_v } = *limits;
    match kind {
        TrueEventKind::Dip => (value_v < dip_v, value_v >= dip_v + hysteresis_v),
        TrueEventKind::Interruption => {
            (value_v < interruption_v, value_v >= interruption_v + hysteresis_v)
        }
        TrueEventKind::Swell => (value_v > swell_v, value_v <= swell_v - hysteresis_v),
    }
}

/// The events of a terminal up to an instant, in order of their beginning and of phases. One that
/// goes on from the very beginning is none.
#[must_use]
pub fn voltage_events(
    terminal: &Terminal,
    limits: &EventLimits,
    until: SimDuration,
) -> Vec<TrueEvent> {
    let EventLimits { dip_v, swell_v, hysteresis_v, .. } = *limits;
    let is_harmless =
        |value_v: f64| (dip_v + hysteresis_v..=swell_v - hysteresis_v).contains(&value_v);
    let Some(scan) = Scan::new(terminal, until, is_harmless) else { return Vec::new() };
    let phases = terminal.phases();
    let place = |kind: usize, phase: usize, alignment: usize| {
        (kind * phases + phase) * ALIGNMENTS + alignment
    };
    // Since when an event goes on, with its extreme; of one from the beginning not a number.
    let mut open: Vec<Option<(f64, f64)>> = vec![None; place(TrueEventKind::ALL.len(), 0, 0)];
    let mut known = [false; ALIGNMENTS];
    let mut seen: Vec<Vec<Event>> = vec![Vec::new(); TrueEventKind::ALL.len() * phases];
    let half_s = scan.period_s / 2.0;
    scan.each(|number, values| {
        let alignment = (number % ALIGNMENTS as u64) as usize;
        let middle_s = scan.at_s(number) - half_s;
        let is_first = !std::mem::replace(&mut known[alignment], true);
        for (kind_at, kind) in TrueEventKind::ALL.into_iter().enumerate() {
            for (phase, &value_v) in values.iter().enumerate() {
                let (is_beyond, is_back) = judged(kind, value_v, limits);
                let slot = &mut open[place(kind_at, phase, alignment)];
                match slot {
                    None if is_beyond => {
                        *slot = Some((if is_first { f64::NAN } else { middle_s }, value_v));
                    }
                    Some((from, extreme_v)) if is_back => {
                        let (from, extreme_v) = (*from, *extreme_v);
                        if !from.is_nan() {
                            let one =
                                Event { from, to: middle_s, extreme_v, is_over: true, alignment };
                            seen[kind_at * phases + phase].push(one);
                        }
                        *slot = None;
                    }
                    Some((_, extreme_v)) => {
                        *extreme_v = match kind {
                            TrueEventKind::Swell => extreme_v.max(value_v),
                            _ => extreme_v.min(value_v),
                        };
                    }
                    None => {}
                }
            }
        }
    });
    let end_s = until.as_seconds_f64();
    let mut events = Vec::new();
    for (kind_at, kind) in TrueEventKind::ALL.into_iter().enumerate() {
        for phase in 0..phases {
            let mut all = std::mem::take(&mut seen[kind_at * phases + phase]);
            for alignment in 0..ALIGNMENTS {
                let left = open[place(kind_at, phase, alignment)];
                if let Some((from, extreme_v)) = left.filter(|(from, _)| !from.is_nan()) {
                    all.push(Event { from, to: end_s, extreme_v, is_over: false, alignment });
                }
            }
            events.extend(together(all, half_s).iter().map(|list| joined(kind, phase, list)));
        }
    }
    events.sort_by_key(|event| (event.from, event.phase));
    events
}

/// What several alignments see of one event: their times overlap, but for half a period.
fn together(mut all: Vec<Event>, half_s: f64) -> Vec<Vec<Event>> {
    all.sort_by(|one, other| one.from.total_cmp(&other.from));
    let mut lists: Vec<(f64, Vec<Event>)> = Vec::new();
    for one in all {
        match lists.last_mut() {
            Some((until, list)) if one.from <= *until + half_s => {
                *until = until.max(one.to);
                list.push(one);
            }
            _ => lists.push((one.to, vec![one])),
        }
    }
    lists.into_iter().map(|(_, list)| list).collect()
}

fn joined(kind: TrueEventKind, phase: usize, list: &[Event]) -> TrueEvent {
    let fold = |of: fn(&Event) -> f64, pick: fn(f64, f64) -> f64, from: f64| {
        list.iter().map(of).fold(from, pick)
    };
    let (least, most) = (f64::INFINITY, f64::NEG_INFINITY);
    let earliest = fold(|it| it.from, f64::min, least);
    let latest = fold(|it| it.from, f64::max, most);
    let length = |it: &Event| it.to - it.from;
    let mut counts = [0_usize; ALIGNMENTS];
    for it in list {
        counts[it.alignment] += 1;
    }
    TrueEvent {
        kind,
        phase,
        from: SimDuration::from_seconds_f64(f64::midpoint(earliest, latest)),
        from_earliest: SimDuration::from_seconds_f64(earliest),
        from_latest: SimDuration::from_seconds_f64(latest),
        duration_min_s: list.iter().map(length).fold(least, f64::min),
        duration_max_s: list.iter().map(length).fold(most, f64::max),
        residual_min_v: fold(|it| it.extreme_v, f64::min, least),
        residual_max_v: fold(|it| it.extreme_v, f64::max, most),
        is_certain: counts.iter().all(|count| *count == 1),
        most: counts.into_iter().max().unwrap_or(1),
        is_over: list.iter().all(|it| it.is_over),
    }
}

/// When no phase of a terminal has a voltage of at least so many volts over one period.
#[must_use]
pub fn gaps_of_supply(terminal: &Terminal, minimum_v: f64, until: SimDuration) -> Vec<Gap> {
    let scan = Scan::new(terminal, until, |value_v| value_v >= minimum_v);
    let Some(scan) = scan else { return Vec::new() };
    let mut gaps: Vec<Gap> = Vec::new();
    scan.each(|number, values| {
        let at = SimDuration::from_seconds_f64(scan.at_s(number));
        let is_alive = values.iter().any(|value_v| *value_v >= minimum_v);
        match gaps.last_mut().filter(|gap| gap.to.is_none()) {
            Some(gap) => gap.to = is_alive.then_some(at),
            None if !is_alive => gaps.push(Gap { from: at, to: None }),
            None => {}
        }
    });
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disturbance::{Change, Disturbance, Phases};
    use crate::plan::OperatingPoint;
    use crate::{Program, Streams};

    const LIMITS: EventLimits =
        EventLimits { dip_v: 207.0, swell_v: 253.0, interruption_v: 11.5, hysteresis_v: 4.6 };

    /// One phase of 230 V, on another level for a while.
    fn terminal(level: f64, at_ms: f64, length_ms: f64) -> Terminal {
        let ms = |ms: f64| SimDuration((ms * 1e6) as i64);
        let point = OperatingPoint::balanced(ms(10_000.0), 1, 50.0, 230.0, 5.0);
        let mut program = Program::from_points(&[point]).unwrap();
        let (factors, jumps_rad) = ([level; 3], [0.0; 3]);
        let change = Change::Level { factors, jumps_rad, point: None };
        program.disturb(Disturbance { at: ms(at_ms), length: Some(ms(length_ms)), change });
        let _ = Phases::ALL;
        Terminal::from_program(&program, "t", &Streams::new(1)).unwrap()
    }

    fn end() -> SimDuration {
        SimDuration::from_seconds(10)
    }

    #[test]
    fn a_dip_of_many_periods_has_its_level_and_its_length() {
        for at_ms in [1000.0, 1003.7, 1015.2] {
            let events = voltage_events(&terminal(0.6, at_ms, 200.0), &LIMITS, end());
            let [dip] = events[..] else { panic!("{events:?}") };
            assert_eq!((dip.kind, dip.phase), (TrueEventKind::Dip, 0));
            assert!(dip.is_certain && dip.is_over);
            assert!((dip.residual_min_v - 138.0).abs() < 1e-6, "{}", dip.residual_min_v);
            assert!((dip.residual_max_v - 138.0).abs() < 1e-6, "{}", dip.residual_max_v);
            assert!(dip.duration_min_s <= 0.2 && dip.duration_max_s >= 0.2, "{dip:?}");
            assert!(dip.duration_max_s - dip.duration_min_s < 0.0101, "{dip:?}");
            let from_s = dip.from.as_seconds_f64();
            assert!((from_s - at_ms * 1e-3).abs() < 0.011, "{from_s}");
        }
    }

    #[test]
    fn a_dip_of_less_than_a_period_has_a_range() {
        // Of 10 ms: a period with all of it has the mean of both squares, so every residual is
        // at least that; a period that lies across its beginning has more.
        let events = voltage_events(&terminal(0.0, 1000.0, 10.0), &LIMITS, end());
        let [dip] = events[..] else { panic!("{events:?}") };
        let least_v = 230.0 * 0.5_f64.sqrt();
        assert!((dip.residual_min_v - least_v).abs() < 1e-6, "{dip:?}");
        assert!((dip.residual_max_v - least_v).abs() < 1e-6, "{dip:?}");
        // Of 5 ms from the zero crossing on: a quarter of the square is gone from the periods that
        // contain it, and there always is one.
        let events = voltage_events(&terminal(0.0, 1000.0, 5.0), &LIMITS, end());
        let [dip] = events[..] else { panic!("{events:?}") };
        assert!((dip.residual_min_v - 230.0 * 0.75_f64.sqrt()).abs() < 1e-6, "{dip:?}");
        // What every alignment sees, over in half a period or one and a half.
        assert!(dip.is_certain && dip.duration_min_s >= 0.009 && dip.duration_max_s < 0.0201);
    }

    #[test]
    fn a_dip_that_begins_at_the_threshold_begins_when_an_alignment_sees_it() {
        // A notch of 3 ms where the voltage falls to just the threshold: who has all of it in
        // a period without what was before sees a dip at once, the others 0.2 s later.
        let part = |ms: i64, volts: f64| {
            OperatingPoint::balanced(SimDuration(ms * 1_000_000), 1, 50.0, volts, 5.0)
        };
        let parts = [
            part(1000, 230.0),
            part(3, 40.0),
            part(197, 207.1),
            part(100, 138.0),
            part(8700, 230.0),
        ];
        let program = Program::from_points(&parts).unwrap();
        let terminal = Terminal::from_program(&program, "t", &Streams::new(1)).unwrap();
        let events = voltage_events(&terminal, &LIMITS, end());
        let [dip] = events[..] else { panic!("{events:?}") };
        assert!(dip.is_certain, "{dip:?}");
        let (earliest_s, latest_s) =
            (dip.from_earliest.as_seconds_f64(), dip.from_latest.as_seconds_f64());
        assert!((0.995..1.02).contains(&earliest_s), "{dip:?}");
        assert!((1.19..1.22).contains(&latest_s), "{dip:?}");
        assert!(dip.duration_max_s - dip.duration_min_s > 0.15, "{dip:?}");
    }

    #[test]
    fn an_interruption_lies_in_a_dip_and_is_a_gap_of_supply() {
        let terminal = terminal(0.01, 2000.0, 500.0);
        let events = voltage_events(&terminal, &LIMITS, end());
        let kinds: Vec<_> = events.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [TrueEventKind::Dip, TrueEventKind::Interruption]);
        let gaps = gaps_of_supply(&terminal, 115.0, end());
        let [gap] = gaps[..] else { panic!("{gaps:?}") };
        // The RMS over a period falls below half when three quarters of it are gone.
        let (from_s, to_s) = (gap.from.as_seconds_f64(), gap.to.unwrap().as_seconds_f64());
        assert!((2.010..2.0201).contains(&from_s), "{from_s}");
        assert!((2.5..2.5101).contains(&to_s), "{to_s}");
        let swell = voltage_events(&self::terminal(1.2, 50.0, 100.0), &LIMITS, end());
        assert_eq!(swell.len(), 1);
        assert!((swell[0].residual_max_v - 276.0).abs() < 1e-6);
        let none = voltage_events(&self::terminal(0.95, 50.0, 100.0), &LIMITS, end());
        assert_eq!(none, []);
    }

    #[test]
    fn what_goes_on_at_either_end_is_reported_as_such() {
        // From the beginning on: no event. Beyond the end: one that is not over.
        assert_eq!(voltage_events(&terminal(0.5, 0.0, 100.0), &LIMITS, end()), []);
        let events = voltage_events(&terminal(0.5, 9900.0, 1e6), &LIMITS, end());
        let [dip] = events[..] else { panic!("{events:?}") };
        assert!(!dip.is_over);
        let gaps = gaps_of_supply(&terminal(0.1, 9900.0, 1e6), 115.0, end());
        assert!(matches!(gaps[..], [Gap { to: None, .. }]));
    }

    #[test]
    fn a_day_of_steps_is_looked_at_quickly() {
        let minute = SimDuration::from_seconds(60);
        let point =
            |step: i32| OperatingPoint::balanced(minute, 3, 50.0, 225.0 + f64::from(step % 7), 5.0);
        let points: Vec<_> = (0..1440).map(point).collect();
        let program = Program::from_points(&points).unwrap();
        let terminal = Terminal::from_program(&program, "t", &Streams::new(1)).unwrap();
        let end = SimDuration::from_seconds(86_400);
        assert_eq!(voltage_events(&terminal, &LIMITS, end), []);
        assert_eq!(gaps_of_supply(&terminal, 115.0, end), []);
    }
}
