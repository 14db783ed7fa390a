//! `kind = "interface-protection"` of `[[grid.protection]]`: inverters that trip and return.

use lastmeter_grid::motion::{InterfaceProtection, Protector};
use lastmeter_grid::protection::{Interface, InterfaceSettings, SettingError, VoltageStage};
use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_sim::disturbance::{Change, Disturbance};

use super::{Place, ProtectionKind, SECONDS};

const PER_UNIT: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 100.0 };
const HERTZ: Kind = Kind::Quantity { dimension: Dimension::Frequency, min: 1.0, max: 1000.0 };

pub(super) static INTERFACE: ProtectionKind = ProtectionKind {
    entry: Entry {
        name: "interface-protection",
        summary: "disconnects a generator by voltage and frequency, and reconnects it",
        description: "At `load:NAME`, a generator or a load, in a switch in front of it. It looks at the \
        RMS values of the phasor voltages on the network side of that switch, across each part of \
        the load, per rated voltage: at the lowest for undervoltage, at the highest for \
        overvoltage, and at the mean of each over ten minutes (before the start they were the rated \
        voltage); at the frequency where `grid-frequency` moves it. A stage trips once its \
        condition has held for its time without a break, and forgets it at once; `opening` later \
        the switch opens. It closes after `reconnect_after` with all voltages and the frequency in \
        their bands. Thresholds and times are those of VDE-AR-N 4105, what a reconnection takes \
        that of EN 50549-1 (unverified). A threshold out of reach (0, or 100 for overvoltage) \
        turns a stage off. What an injection opened stays open until one closes it.",
        fields: &[
            Field::default("undervoltage", PER_UNIT, "\"80 %\"", "U<, of the rated voltage"),
            Field::default("undervoltage_time", SECONDS, "\"3 s\"", "after which U< trips"),
            Field::default("undervoltage_2", PER_UNIT, "\"45 %\"", "U<<"),
            Field::default("undervoltage_2_time", SECONDS, "\"0.3 s\"", "after which U<< trips"),
            Field::optional("overvoltage", PER_UNIT, "a further stage, below `overvoltage_2`"),
            Field::default(
                "overvoltage_time",
                SECONDS,
                "\"60 s\"",
                "after which `overvoltage` trips",
            ),
            Field::default(
                "overvoltage_mean",
                PER_UNIT,
                "\"110 %\"",
                "U>: trips at once if the RMS voltage over ten minutes is above",
            ),
            Field::default("overvoltage_2", PER_UNIT, "\"125 %\"", "U>>"),
            Field::default("overvoltage_2_time", SECONDS, "\"0.1 s\"", "after which U>> trips"),
            Field::optional(
                "underfrequency",
                HERTZ,
                "f<; left out, 95 % of the rated frequency (47.5 Hz)",
            ),
            Field::optional(
                "overfrequency",
                HERTZ,
                "f>; left out, 103 % of the rated frequency (51.5 Hz)",
            ),
            Field::default("frequency_time", SECONDS, "\"0.1 s\"", "after which f< and f> trip"),
            Field::default("opening", SECONDS, "\"0 s\"", "from the trip until the switch opens"),
            Field::default(
                "reconnect_from",
                PER_UNIT,
                "\"85 %\"",
                "lowest voltage to reconnect at",
            ),
            Field::default(
                "reconnect_to",
                PER_UNIT,
                "\"110 %\"",
                "highest voltage to reconnect at",
            ),
            Field::optional(
                "reconnect_from_frequency",
                HERTZ,
                "left out, 99 % of the rated frequency (49.5 Hz)",
            ),
            Field::optional(
                "reconnect_to_frequency",
                HERTZ,
                "left out, 100.4 % of the rated frequency (50.2 Hz)",
            ),
            Field::default(
                "reconnect_after",
                SECONDS,
                "\"60 s\"",
                "for how long the network is good",
            ),
            Field::default(
                "ramp",
                SECONDS,
                "\"0 s\"",
                "in which its power rises from nothing after a reconnection, along a straight line; \
             `\"10 min\"` is 10 % per minute",
            ),
        ],
    },
    places: &["load:"],
    help: Some("an interface protection is in front of what it disconnects"),
    idle: |_| None,
    build: |values, place| Ok(Box::new(interface(values, place)?)),
};

fn interface(values: &Values, place: &Place) -> Result<InterfaceProtection, SettingError> {
    let rated_hz = place.frequency_hz;
    let stage = |key: &str, time: &str| VoltageStage {
        threshold_pu: values.si(key),
        delay_s: values.si(time),
    };
    let first = values.si_opt("overvoltage").map(|_| stage("overvoltage", "overvoltage_time"));
    let second = stage("overvoltage_2", "overvoltage_2_time");
    let hertz = |key: &str, share: f64| values.si_opt(key).unwrap_or(share * rated_hz);
    let settings = InterfaceSettings {
        // Nothing is below 0, so a stage there is none that another could contradict.
        undervoltage: [
            stage("undervoltage", "undervoltage_time"),
            stage("undervoltage_2", "undervoltage_2_time"),
        ]
        .into_iter()
        .filter(|it| it.threshold_pu > 0.0)
        .collect(),
        overvoltage: first.into_iter().chain([second]).collect(),
        mean_overvoltage_pu: values.si("overvoltage_mean"),
        frequency_hz: (hertz("underfrequency", 0.95), hertz("overfrequency", 1.03)),
        frequency_delay_s: values.si("frequency_time"),
        opening_s: values.si("opening"),
        reconnect_pu: (values.si("reconnect_from"), values.si("reconnect_to")),
        reconnect_hz: (
            hertz("reconnect_from_frequency", 0.99),
            hertz("reconnect_to_frequency", 1.004),
        ),
        reconnect_after_s: values.si("reconnect_after"),
    };
    Ok(InterfaceProtection::new(Interface::new(settings)?, place.load, values.si("ramp")))
}

/// Gives protective devices the frequency as it will go.
pub(in crate::section::grid) fn know_frequency(
    protectors: &mut [Protector],
    frequency: &[Disturbance],
    rated_hz: f64,
) {
    let course = course(frequency, rated_hz);
    for it in protectors {
        it.device.know_frequency(&course);
    }
}

/// The frequency from point to point, nanoseconds and hertz: what is set last holds, and a ramp
/// that another interrupts is left where it is.
fn course(frequency: &[Disturbance], rated_hz: f64) -> Vec<(i64, f64)> {
    let mut changes: Vec<(i64, i64, f64)> = frequency
        .iter()
        .filter_map(|it| match it.change {
            Change::Frequency { to_hz, over } => Some((it.at.0, it.at.0 + over.0, to_hz)),
            _ => None,
        })
        .collect();
    changes.sort_by_key(|it| it.0);
    let mut points = vec![(0, rated_hz)];
    // The ramp that is under way, from its beginning to its end.
    let mut ramp = ((0, rated_hz), (0, rated_hz));
    for (from_ns, to_ns, to_hz) in changes {
        let ((begun_ns, begun_hz), (end_ns, end_hz)) = ramp;
        let now_hz = if from_ns < end_ns {
            let share = (from_ns - begun_ns) as f64 / (end_ns - begun_ns) as f64;
            begun_hz + (end_hz - begun_hz) * share
        } else {
            end_hz
        };
        points.retain(|(at_ns, _)| *at_ns <= from_ns);
        points.extend([(from_ns, now_hz), (to_ns, to_hz)]);
        ramp = ((from_ns, now_hz), (to_ns, to_hz));
    }
    points
}

#[cfg(test)]
mod tests {
    use lastmeter_units::SimDuration;

    use super::*;

    #[test]
    fn a_ramp_that_another_interrupts_is_left_where_it_is() {
        let change = |at_s: i64, to_hz: f64, over_s: i64| Disturbance {
            at: SimDuration::from_seconds(at_s),
            length: None,
            change: Change::Frequency { to_hz, over: SimDuration::from_seconds(over_s) },
        };
        let found = course(&[change(20, 51.0, 0), change(10, 49.0, 4), change(12, 50.5, 2)], 50.0);
        let seconds: Vec<(i64, f64)> =
            found.iter().map(|(at_ns, hz)| (at_ns / 1_000_000_000, *hz)).collect();
        let expected = [(0, 50.0), (10, 50.0), (12, 49.5), (14, 50.5), (20, 50.5), (20, 51.0)];
        assert_eq!(seconds, expected);
        assert_eq!(course(&[], 50.0), [(0, 50.0)]);
    }
}
