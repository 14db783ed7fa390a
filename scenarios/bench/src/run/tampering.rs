//! What meters have to report of tampering: by the injections, by what is energised and by what the
//! meters declare of their sensors, never by what they claim.

use lastmeter_devices::{Device, DeviceFault, TamperFacts, TamperKind};
use lastmeter_language::{Order, Scenario};
use lastmeter_sim::Terminal;
use lastmeter_units::SimDuration;

use super::ledger::{NOTICES, OffSpan, SupplyOutages};

/// A time, from and up to.
type Span = (SimDuration, SimDuration);

/// What has to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// From when on the meter can see it.
    pub(crate) from: SimDuration,
    /// By how much later it may see it first.
    pub(crate) spread: SimDuration,
    pub(crate) what: &'static str,
    pub(crate) is_certain: bool,
}

/// When sensors of one kind are read.
struct Reading {
    /// When they are for certain.
    surely: Vec<Span>,
    /// When they may be.
    perhaps: Vec<Span>,
    /// Whether it is known when the meter has a supply.
    is_known: bool,
}

pub(crate) fn due(
    scenario: &Scenario,
    index: usize,
    device: &dyn Device,
    terminal: Option<&Terminal>,
) -> impl Iterator<Item = Due> {
    let until = scenario.schedule.duration;
    let mut due = Vec::new();
    if let Some(facts) = device.watched_tamper() {
        let supply = device.supply();
        let darkness = SupplyOutages::of(supply.as_ref(), terminal, until);
        // In a network that is not played ahead nobody knows.
        let is_known = supply.is_none() || terminal.is_some();
        for &kind in &facts.kinds {
            let spans = injected(scenario, index, kind);
            let has_battery = facts.has_battery && kind.is_contact();
            let reading = Reading::of(&darkness, has_battery, (until, is_known));
            due.extend(of_kind(kind, &spans, (&facts, &reading, &darkness), until));
        }
    }
    due.into_iter()
}

/// When somebody tampers with a device in one way, in order; what overlaps or follows at once is
/// one.
fn injected(scenario: &Scenario, index: usize, kind: TamperKind) -> Vec<Span> {
    let (start, end) = (scenario.schedule.start, scenario.schedule.duration);
    let spans = scenario.injections.iter().filter(|it| it.device() == Some(index));
    let spans = spans.flat_map(|injection| {
        injection.begin().into_iter().filter_map(|order| match order {
            Order::Fault { device, fault: DeviceFault::Tamper { what, until } }
                if device == index && what == kind =>
            {
                let until = until.map_or(end, |until| until - start);
                Some((injection.at, until.min(end)))
            }
            _ => None,
        })
    });
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_unstable();
    joined(&spans)
}

fn joined(spans: &[Span]) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for &(from, to) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

impl Reading {
    fn of(off: &SupplyOutages, has_battery: bool, (until, is_known): (SimDuration, bool)) -> Self {
        if has_battery {
            let always = vec![(SimDuration::ZERO, until)];
            return Self { surely: always.clone(), perhaps: always, is_known };
        }
        let spans = &off.spans;
        let wide = spans
            .iter()
            .map(|dark| (dark.from - NOTICES, dark.to.map_or(until, |to| to + NOTICES)));
        let narrow = spans
            .iter()
            .filter(|dark| dark.is_certain)
            .map(|dark| (dark.from + NOTICES, dark.to.map_or(until, |to| to - NOTICES)));
        Self { surely: without(wide, until), perhaps: without(narrow, until), is_known }
    }

    /// From when on a sensor that shows something from an instant to another is read for so long:
    /// at the earliest, at the latest that may be, and at the latest for certain.
    fn seen(
        &self,
        (from, to): Span,
        debounce: SimDuration,
    ) -> Option<(SimDuration, SimDuration, Option<SimDuration>)> {
        let within = |span: &Span| (span.0.max(from), span.1.min(to));
        let lasts = |span: &Span| span.1 - span.0 >= debounce;
        let perhaps: Vec<Span> = self.perhaps.iter().map(within).filter(lasts).collect();
        let (first, last) = (perhaps.first()?, perhaps.last()?);
        // What lasts for just the debounce time may be seen.
        let surely = self.surely.iter().map(within).find(|span| span.1 - span.0 > debounce);
        Some((first.0, last.1 - debounce, surely.map(|span| span.0)))
    }
}

/// The time from the start to an instant that is in no span.
fn without(spans: impl Iterator<Item = Span>, until: SimDuration) -> Vec<Span> {
    let (mut left, mut from) = (Vec::new(), SimDuration::ZERO);
    for (begins, ends) in spans.filter(|(begins, ends)| begins < ends) {
        if begins > from {
            left.push((from, begins));
        }
        from = from.max(ends);
    }
    if from < until {
        left.push((from, until));
    }
    left
}

fn of_kind(
    kind: TamperKind,
    tampered: &[Span],
    (facts, reading, darkness): (&TamperFacts, &Reading, &SupplyOutages),
    until: SimDuration,
) -> Vec<Due> {
    let mut due = Vec::new();
    // What was reported last, if that is certain.
    let mut known = Some(false);
    for (span, begins) in states(tampered, until) {
        if known == Some(begins) {
            continue;
        }
        let Some((from, latest, surely)) = reading.seen(span, facts.debounce) else { continue };
        let to = surely.unwrap_or(latest);
        // The meter has to work after it, before the end.
        let comes = surely.and_then(|surely| sent(darkness, surely + facts.debounce));
        let is_in_time = comes.is_some_and(|at| at + NOTICES <= until);
        let is_certain = known.is_some() && is_in_time && reading.is_known;
        let spread = if reading.is_known { to - from } else { latest - from };
        due.push(Due { from, spread, what: word(kind, begins), is_certain });
        known = surely.map(|_| begins).filter(|_| reading.is_known);
    }
    due
}

/// The times in which nobody tampers, and in which somebody does, in order.
fn states(tampered: &[Span], until: SimDuration) -> Vec<(Span, bool)> {
    let mut states = Vec::new();
    let mut from = SimDuration::ZERO;
    for &(begins, ends) in tampered {
        states.push(((from, begins), false));
        states.push(((begins, ends), true));
        from = ends;
    }
    states.push(((from, until), false));
    states
}

/// When a meter that has detected something at an instant can send it at the latest.
fn sent(darkness: &SupplyOutages, at: SimDuration) -> Option<SimDuration> {
    let is_in =
        |dark: &&OffSpan| at >= dark.from - NOTICES && dark.to.is_none_or(|to| at <= to + NOTICES);
    match darkness.spans.iter().find(is_in) {
        Some(dark) => dark.to.map(|to| to + NOTICES),
        None => Some(at),
    }
}

const fn word(kind: TamperKind, begins: bool) -> &'static str {
    match (kind, begins) {
        (TamperKind::Cover, true) => "cover_opened",
        (TamperKind::Cover, false) => "cover_closed",
        (TamperKind::TerminalCover, true) => "terminal_cover_opened",
        (TamperKind::TerminalCover, false) => "terminal_cover_closed",
        (TamperKind::MagneticField, true) => "field_began",
        (TamperKind::MagneticField, false) => "field_ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_devices::SupplyFacts;
    use lastmeter_sim::voltage_events::Gap;

    const fn ms(milliseconds: i64) -> SimDuration {
        SimDuration::from_milliseconds(milliseconds)
    }

    const END: SimDuration = ms(60_000);

    /// Dark from 20.5 s to 32 s, and perhaps from 45 s to 47 s, if the boot takes 2 s.
    fn darkness() -> SupplyOutages {
        let facts = SupplyFacts {
            hold_up: ms(500),
            boot: ms(2000),
            minimum_v: 115.0,
            gasps: true,
            reports: true,
        };
        let gap = |from, to| Gap { from: ms(from), to: Some(ms(to)) };
        SupplyOutages::of_gaps(&facts, &[gap(20_000, 30_000), gap(44_500, 45_000)])
    }

    /// From when on, by how much later, whether it begins, and whether it is certain.
    fn found(spans: &[(i64, i64)], has_battery: bool) -> Vec<(i64, i64, bool, bool)> {
        let spans: Vec<Span> = spans.iter().map(|(from, to)| (ms(*from), ms(*to))).collect();
        let (kinds, darkness) = (vec![TamperKind::Cover], darkness());
        let facts = TamperFacts { kinds, debounce: ms(1000), has_battery };
        let reading = Reading::of(&darkness, has_battery, (END, true));
        let due = of_kind(TamperKind::Cover, &joined(&spans), (&facts, &reading, &darkness), END);
        let of = |it: Due| {
            let begins = it.what == "cover_opened";
            (it.from.0 / 1_000_000, it.spread.0 / 1_000_000, begins, it.is_certain)
        };
        due.into_iter().map(of).collect()
    }

    #[test]
    fn what_lasts_while_it_is_read_is_due_twice() {
        let open_shut = [(10_000, 0, true, true), (12_000, 0, false, true)];
        assert_eq!(found(&[(10_000, 12_000)], false), open_shut);
        assert_eq!(found(&[(10_000, 11_000), (10_500, 12_000)], false), open_shut);
        assert_eq!(found(&[(10_000, 10_999)], true), [], "shorter than the debounce time");
        let (just, shut) = ((10_000, 0, true, false), (11_000, 0, false, false));
        assert_eq!(found(&[(10_000, 11_000)], true), [just, shut]);
        // What cannot be detected, or sent, before the end.
        assert_eq!(found(&[(59_050, 60_000)], true), []);
        assert_eq!(found(&[(58_950, 60_000)], true), [(58_950, 0, true, false)]);
    }

    #[test]
    fn in_the_dark_a_battery_decides() {
        let dark = [(25_000, 28_000)];
        let latched = [(25_000, 0, true, true), (28_000, 0, false, true)];
        assert_eq!(found(&dark, true), latched);
        assert_eq!(found(&dark, false), []);
        // What is still so at the start is seen then.
        let at_start = [(31_900, 200, true, true), (40_000, 0, false, true)];
        assert_eq!(found(&[(25_000, 40_000)], false), at_start);
        // Detected before it is dark, over in it.
        let before = [(15_000, 0, true, true), (31_900, 200, false, true)];
        assert_eq!(found(&[(15_000, 25_000)], false), before);
        // Detected as it goes dark, or at its start.
        let about = [(19_500, 12_600, true, true), (40_000, 0, false, true)];
        assert_eq!(found(&[(19_500, 40_000)], false), about);
        // Perhaps it is dark then.
        let perhaps = [(44_950, 550, true, false), (46_500, 600, false, false)];
        assert_eq!(found(&[(44_950, 46_500)], false), perhaps);
    }
}
