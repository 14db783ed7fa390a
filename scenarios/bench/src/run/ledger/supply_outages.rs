//! When a device owes nothing, since it has no supply: by the plant's voltages and what the device
//! declares of its hold-up, never by what it claims of itself.

use lastmeter_devices::SupplyFacts;
use lastmeter_sim::Terminal;
use lastmeter_sim::voltage_events::{Gap, gaps_of_supply};
use lastmeter_units::SimDuration;

/// So much a device may take to notice that its supply is gone, or back: a few periods. Within that
/// time a reading may be made and need not be.
pub(crate) const NOTICES: SimDuration = SimDuration::from_milliseconds(100);

/// So long it may take after its start until it has a whole window.
const FIRST_WINDOW: SimDuration = SimDuration::from_milliseconds(700);

/// A time in which a device does not work, from an instant since the start to another one, or for
/// ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffSpan {
    pub(crate) from: SimDuration,
    pub(crate) to: Option<SimDuration>,
    /// Whether that is so whatever periods it looks at: the supply may have been back within the
    /// hold-up.
    pub(crate) is_certain: bool,
}

/// When a device does not work, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SupplyOutages {
    pub(crate) spans: Vec<OffSpan>,
}

impl SupplyOutages {
    /// That of a device with these facts at a terminal.
    pub(crate) fn of(
        facts: Option<&SupplyFacts>,
        terminal: Option<&Terminal>,
        until: SimDuration,
    ) -> Self {
        let (Some(facts), Some(terminal)) = (facts, terminal) else { return Self::default() };
        let gaps = gaps_of_supply(terminal, facts.minimum_v, until);
        Self::of_gaps(facts, &gaps)
    }

    pub(crate) fn of_gaps(facts: &SupplyFacts, gaps: &[Gap]) -> Self {
        Self { spans: outages(facts, gaps).into_iter().filter_map(|it| it.dark).collect() }
    }

    /// Whether a reading of an instant is owed. Around the borders only if it was made.
    pub(crate) fn owes(&self, due: SimDuration, is_made: bool) -> bool {
        for &OffSpan { from, to, is_certain } in &self.spans {
            let is_after = to.is_some_and(|to| due > to + FIRST_WINDOW);
            if due < from - NOTICES || is_after {
                continue;
            }
            let is_inside =
                is_certain && due > from + NOTICES && to.is_none_or(|to| due < to - NOTICES);
            return !is_inside && is_made;
        }
        true
    }

    /// Whether all between two readings is a time in which it does not work, but for the windows
    /// at both ends.
    pub(crate) fn lies_between(&self, ended: SimDuration, begins: SimDuration) -> bool {
        self.spans.iter().any(|&OffSpan { from, to, .. }| {
            let Some(to) = to else { return false };
            ended <= from + NOTICES && begins >= to - NOTICES && begins <= to + FIRST_WINDOW
        })
    }
}

/// A gap of supply, and what a device makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) gap: Gap,
    /// Since when and until when it does not work.
    pub(crate) dark: Option<OffSpan>,
    /// Whether it can announce that it is without a supply: it was at work.
    pub(crate) announces_loss: bool,
    /// Whether it comes to work again after it, and can announce that.
    pub(crate) announces_return: bool,
    /// When the voltage was back within it for next to nothing, and gone again: maybe announced.
    pub(crate) flutter: Vec<(SimDuration, SimDuration)>,
}

/// Two periods: what comes back for less may be missed.
const FLUTTER: SimDuration = SimDuration::from_milliseconds(40);

/// When the voltage was back, and gone again.
type Flutter = Vec<(SimDuration, SimDuration)>;

/// Gaps with next to nothing between them are one.
fn without_flutter(gaps: &[Gap]) -> Vec<(Gap, Flutter)> {
    let mut joined: Vec<(Gap, Flutter)> = Vec::new();
    for gap in gaps {
        match joined.last_mut() {
            Some((last, flutter)) if last.to.is_some_and(|to| gap.from - to < FLUTTER) => {
                flutter.extend(last.to.map(|to| (to, gap.from)));
                last.to = gap.to;
            }
            _ => joined.push((*gap, Vec::new())),
        }
    }
    joined
}

/// What gaps, in order, make of a device.
pub(crate) fn outages(facts: &SupplyFacts, gaps: &[Gap]) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    for (gap, flutter) in without_flutter(gaps) {
        // One that comes while it starts finds it without anything to hold out with.
        let works_from = outages.last().and_then(|last| last.dark?.to);
        let was_starting = works_from.is_some_and(|from| gap.from < from);
        if let Some(last) = outages.last_mut().filter(|_| was_starting) {
            last.announces_return = false;
        }
        let from = if was_starting { gap.from } else { gap.from + facts.hold_up };
        let is_long = was_starting || gap.to.is_none_or(|to| to >= from + NOTICES);
        let is_certain = is_long && flutter.is_empty();
        // What is back about then may have been noticed in time, or not.
        let dark = match gap.to {
            Some(to) if !was_starting && to + NOTICES <= from => None,
            to => Some(OffSpan { from, to: to.map(|to| to.max(from) + facts.boot), is_certain }),
        };
        let announces_loss = !was_starting;
        let announces_return = true;
        outages.push(Outage { gap, dark, announces_loss, announces_return, flutter });
    }
    outages
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> SimDuration {
        SimDuration::from_milliseconds(ms)
    }

    fn darkness() -> SupplyOutages {
        let facts = SupplyFacts {
            hold_up: ms(500),
            boot: ms(2000),
            minimum_v: 115.0,
            gasps: true,
            reports: true,
        };
        let gaps = [
            Gap { from: ms(10_000), to: Some(ms(10_300)) },
            Gap { from: ms(20_000), to: Some(ms(30_000)) },
            Gap { from: ms(50_000), to: None },
        ];
        SupplyOutages::of_gaps(&facts, &gaps)
    }

    #[test]
    fn nothing_is_owed_without_supply_and_all_else_is() {
        let darkness = darkness();
        // A gap within the hold-up is none.
        for at in [9_000, 10_400, 20_000, 20_300, 33_000, 50_300] {
            assert!(darkness.owes(ms(at), false), "{at}");
        }
        for at in [20_700, 25_000, 31_800, 51_000, 90_000] {
            assert!(!darkness.owes(ms(at), false), "{at}");
            assert!(
                !darkness.owes(ms(at), true),
                "{at}: one that is made all the same is too many"
            );
        }
        // About the borders what is made counts.
        for at in [20_500, 32_050, 32_600] {
            assert!(darkness.owes(ms(at), true), "{at}");
            assert!(!darkness.owes(ms(at), false), "{at}");
        }
    }

    #[test]
    fn a_supply_that_is_back_as_the_hold_up_ends_may_have_been_noticed_in_time() {
        let facts = SupplyFacts {
            hold_up: ms(500),
            boot: ms(2000),
            minimum_v: 115.0,
            gasps: true,
            reports: true,
        };
        for (to, is_certain) in [(10_450, false), (10_590, false), (10_600, true)] {
            let darkness =
                SupplyOutages::of_gaps(&facts, &[Gap { from: ms(10_000), to: Some(ms(to)) }]);
            for at in [10_700, 11_000, 12_000] {
                assert!(!darkness.owes(ms(at), false), "{to} {at}");
                assert_eq!(darkness.owes(ms(at), true), !is_certain, "{to} {at}");
            }
        }
        // Back for a moment within it: who notices holds out for longer.
        let gaps = [(10_000, 10_300), (10_320, 11_000)];
        let gaps = gaps.map(|(from, to)| Gap { from: ms(from), to: Some(ms(to)) });
        assert!(SupplyOutages::of_gaps(&facts, &gaps).owes(ms(11_500), true));
    }

    #[test]
    fn a_reading_may_begin_anew_after_the_dark_only() {
        let darkness = darkness();
        assert!(darkness.lies_between(ms(20_400), ms(32_100)));
        assert!(!darkness.lies_between(ms(20_400), ms(31_000)), "it cannot have booted");
        assert!(!darkness.lies_between(ms(20_400), ms(40_000)), "it has left time out");
        assert!(!darkness.lies_between(ms(10_000), ms(10_300)));
    }

    #[test]
    fn a_supply_lost_while_a_device_starts_is_announced_by_nobody() {
        let facts = SupplyFacts {
            hold_up: ms(500),
            boot: ms(2000),
            minimum_v: 115.0,
            gasps: true,
            reports: true,
        };
        let gap = |from, to| Gap { from: ms(from), to: Some(ms(to)) };
        let found = outages(&facts, &[gap(10_000, 20_000), gap(21_000, 30_000)]);
        assert_eq!((found[0].announces_loss, found[0].announces_return), (true, false));
        assert_eq!((found[1].announces_loss, found[1].announces_return), (false, true));
        let dark = found[1].dark.unwrap();
        assert_eq!((dark.from, dark.to), (ms(21_000), Some(ms(32_000))));
    }
}
