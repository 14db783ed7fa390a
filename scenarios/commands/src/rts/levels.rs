//! Values that distinguish cycles of ping-pong: those of one point, in an order of small steps.

use lastmeter_rts::SignalType;
use lastmeter_rts::point_map::{Point, PointDirection, PointMap};

/// So many values are enough, however wide a range is.
const LEVELS_MAX: u32 = 4096;
/// Neighbouring values of a float differ by this part of the greatest word, far more than 32 bits
/// round it by.
const FLOAT_RESOLUTION: f64 = 1e-5;
/// The part of its steepest change that a point makes at most from one frame to the next.
const STEEPEST_SHARE: f64 = 0.9;

/// A point with the values that it carries: level 0, 1, ... from near the least value of its range
/// on. One cycle has one level; none comes twice in so many cycles as there are levels, and
/// neighbouring cycles are at most two levels apart.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    pub(super) point: Point,
    /// Where it stands among those of its direction.
    pub(super) place: usize,
    /// Of level 0, in the SI unit.
    least: f64,
    /// From one level to the next, in the SI unit.
    step: f64,
    pub(super) count: u32,
}

impl Levels {
    /// The levels of the point of this name; `key` is the option by which it was chosen. At least
    /// so many cycles have to be distinguished.
    ///
    /// # Errors
    /// What was found, and what was expected.
    pub(super) fn of(
        map: &PointMap,
        (key, name): (&str, &str),
        direction: PointDirection,
        needed: u32,
    ) -> Result<Self, String> {
        let found = map.of_direction(direction).enumerate().find(|(_, point)| point.name == name);
        let (place, point) = found.ok_or_else(|| {
            let names: Vec<&str> =
                map.of_direction(direction).map(|point| point.name.as_str()).collect();
            format!("{key}: no point `{name}`; expected one of {}", names.join(", "))
        })?;
        let is_integer = match point.signal_type {
            SignalType::Integer => true,
            SignalType::Float => false,
            SignalType::Boolean | SignalType::Complex => {
                return Err(format!("{key}: point `{name}` is neither a float nor an integer"));
            }
        };
        let range = point.range.filter(|_| point.role().is_none());
        let range = range
            .ok_or_else(|| format!("{key}: point `{name}` has no range to choose values from"))?;
        let ends = [point.to_word(range.least), point.to_word(range.greatest)];
        let word_si = (point.to_si(1.0) - point.to_si(0.0)).abs();
        let resolution = if is_integer {
            word_si
        } else {
            FLOAT_RESOLUTION * ends[0].abs().max(ends[1].abs()) * word_si
        };
        let in_words = |si: f64| if is_integer { (si / word_si).floor() * word_si } else { si };
        let span = range.greatest - range.least;
        let mut step = in_words(span / f64::from(LEVELS_MAX)).max(resolution);
        // What is steeper than the point allows would become a ramp.
        let write = point.write.as_ref();
        if let Some(steepest) = write.and_then(|write| write.greatest_change_per_second) {
            let most = STEEPEST_SHARE * steepest / map.simulator.sample_rate;
            step = step.min(in_words(0.5 * most));
        }
        // An integer begins at a whole word; a float inside of its range, however it is rounded.
        let least = if is_integer {
            let [low, high] = [ends[0].min(ends[1]).ceil(), ends[0].max(ends[1]).floor()];
            point.to_si(low).min(point.to_si(high))
        } else {
            range.least + step
        };
        let greatest = if is_integer { range.greatest } else { range.greatest - step };
        let count = ((greatest - least) / step + 1e-6).floor() + 1.0;
        if step < resolution || count < f64::from(needed.max(2)) {
            return Err(format!(
                "{key}: point `{name}` has too few values within its range and its steepest \
                 change, expected {needed}, one for each cycle of a timeout; choose another \
                 point, a shorter --timeout or a longer --every"
            ));
        }
        let count = count.min(f64::from(LEVELS_MAX)) as u32;
        Ok(Self { point: point.clone(), place, least, step, count })
    }

    /// The value of a cycle, in the SI unit.
    pub(super) fn value(&self, cycle: usize) -> f64 {
        let place = (cycle % self.count as usize) as u32;
        // The even ones up, the odd ones down again.
        let rising = self.count.div_ceil(2);
        let level = if place < rising { 2 * place } else { 2 * (self.count - 1 - place) + 1 };
        self.least + f64::from(level) * self.step
    }

    /// The latest of so many cycles that has this value, in the SI unit.
    pub(super) fn latest(&self, si: f64, cycles: usize) -> Option<usize> {
        let level = ((si - self.least) / self.step).round();
        if !(0.0..f64::from(self.count)).contains(&level)
            || (si - self.least - level * self.step).abs() > 0.25 * self.step
        {
            return None;
        }
        let (level, count) = (level as usize, self.count as usize);
        let place = if level.is_multiple_of(2) { level / 2 } else { count - 1 - (level - 1) / 2 };
        let last = cycles.checked_sub(1)?.checked_sub(place)?;
        Some(place + last / count * count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(point: &str, needed: u32) -> Result<Levels, String> {
        let text = format!(
            "format = 1\n[simulator]\nname = \"rack\"\nwire_format = \"villas-json\"\n\
             card = \"none\"\nsample_rate = \"100 Hz\"\n[[point]]\nname = \"p\"\n\
             direction = \"to-simulator\"\n{point}\n"
        );
        let map = PointMap::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        Levels::of(&map, ("--back", "p"), PointDirection::ToSimulator, needed)
    }

    const FLOAT: &str = "type = \"float\"\nunit = \"kW\"\nleast = \"0.1 kW\"\n\
         greatest = \"10 kW\"\ninitial = \"1 kW\"\nsafe_value = \"1 kW\"\n\
         greatest_change_per_second = \"10000 kW\"";
    const TAP: &str = "type = \"integer\"\nleast = -16\ngreatest = 16\ninitial = 0\n\
         safe_value = 0\ngreatest_change_per_second = 10000";
    const SWITCH: &str = "type = \"boolean\"\ninitial = 0\nsafe_value = 0";

    /// As the wire has it, and back.
    fn carried(levels: &Levels, cycle: usize) -> f64 {
        let word = levels.point.to_word(levels.value(cycle));
        let word = match levels.point.signal_type {
            SignalType::Integer => word.round(),
            _ => f64::from(word as f32),
        };
        levels.point.to_si(word)
    }

    #[test]
    fn each_cycle_has_a_value_of_its_own_that_the_wire_carries() {
        let steep = FLOAT.replace("10000 kW", "0.1 kW");
        for (text, count) in [(FLOAT, 4095), (TAP, 33), (&*steep, 4096)] {
            let levels = levels(text, 33).unwrap();
            assert_eq!(levels.count, count, "{text}");
            let range = levels.point.range.unwrap();
            let count = levels.count as usize;
            for cycle in 0..3 * count {
                let si = carried(&levels, cycle);
                assert!((range.least..=range.greatest).contains(&si), "{cycle}: {si}");
                // Cycles of the next round are not there yet.
                assert_eq!(levels.latest(si, cycle + 1), Some(cycle));
                assert_eq!(levels.latest(si, cycle + count), Some(cycle));
                assert_eq!(levels.latest(si, cycle + count + 1), Some(cycle + count));
                let change = (levels.value(cycle + 1) - levels.value(cycle)).abs();
                assert!(change > 0.5 * levels.step && change < 2.5 * levels.step, "{cycle}");
            }
            assert_eq!(levels.latest(levels.value(5), 3), None);
            assert_eq!(levels.latest(levels.value(5) + 0.5 * levels.step, 9), None);
            assert_eq!((levels.latest(f64::NAN, 9), levels.latest(1e300, 9)), (None, None));
        }
        // Not steeper than 100 W in a second, from one frame at 100 Hz to the next.
        assert!(2.0 * levels(&steep, 33).unwrap().step <= 1.0);
    }

    #[test]
    fn points_that_cannot_distinguish_cycles_are_refused() {
        for (text, needed, what) in [
            (TAP.to_owned(), 34, "too few values"),
            (TAP.replace("10000", "100"), 2, "too few values"),
            (SWITCH.to_owned(), 2, "neither a float"),
        ] {
            let error = levels(&text, needed).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }
}
