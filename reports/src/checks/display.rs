//! `display`: what a device shows on its display is what the platform has of it.

use std::collections::BTreeMap;

use lastmeter_params::{Dimension, Entry, Pattern, parse_quantity};
use lastmeter_units::{MeasurementId, SimTime};

use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::check::selection::DEVICE;
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_text::{append, plural};

/// What rounding may add to half of the last digit.
const ROUNDING: f64 = 1e-6;

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "display",
        summary: "displays show what the platform has, or what it had a reading before",
        description: "Takes what the displays of devices showed when each of their readings was \
            due, and holds it against what came back from the platform: the value has to round to \
            the digits that are shown, or that of the reading before has to. `measured` counts the \
            values that were shown otherwise, `n` all that were compared; the verdict reports how \
            many were a reading older. Values that no display shows, or that did not come back, are \
            not compared.",
        fields: &[DEVICE],
    },
    build: |values, context, _| {
        let device = Pattern::new(values.text("device"));
        Some(Box::new(Displays { context, device, shown: BTreeMap::new(), rows: BTreeMap::new() }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events],
    ..CheckKind::PLAIN
};

/// A series: a device, and a quantity of it.
type Series = (String, MeasurementId);

/// A text on a display: from when on, and what it stands for; `None` for no value.
type Text = (SimTime, Option<Shown>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Shown {
    /// In the SI unit.
    value: f64,
    /// Half of its last digit.
    half_digit: f64,
}

struct Displays {
    context: CheckContext,
    device: Pattern,
    /// In order of time.
    shown: BTreeMap<Series, Vec<Text>>,
    /// When readings were due, and what came back.
    rows: BTreeMap<Series, Vec<(SimTime, f64)>>,
}

/// What a text on a display stands for.
fn read(text: &str) -> Option<Shown> {
    let (value, _) = parse_quantity(text, &DIMENSIONS).ok()?;
    let (number, unit) = text.split_once(' ')?;
    let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let (one, _) = parse_quantity(&format!("1 {unit}"), &DIMENSIONS).ok()?;
    let digit = one / 10_f64.powi(i32::try_from(decimals).ok()?);
    Some(Shown { value, half_digit: 0.5 * digit })
}

/// What displays show.
const DIMENSIONS: [Dimension; 5] = [
    Dimension::Voltage,
    Dimension::Current,
    Dimension::ActivePower,
    Dimension::ActiveEnergy,
    Dimension::Frequency,
];

impl Shown {
    fn is_of(self, value: f64) -> bool {
        (self.value - value).abs() <= self.half_digit * (1.0 + ROUNDING)
    }
}

/// What came of the comparison.
#[derive(Default)]
struct Outcome {
    compared: u64,
    older: u64,
    wrong: u64,
    first: Option<(String, At)>,
}

impl Displays {
    fn compare(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for (series, texts) in &self.shown {
            let rows = self.rows.get(series).map_or(&[][..], Vec::as_slice);
            for (place, (due, value)) in rows.iter().enumerate() {
                let behind = texts.partition_point(|(from, _)| from <= due);
                let Some((_, Some(shown))) = behind.checked_sub(1).map(|at| texts[at]) else {
                    continue;
                };
                outcome.compared += 1;
                let before = place.checked_sub(1).map(|before| rows[before].1);
                if shown.is_of(*value) {
                    continue;
                }
                if before.is_some_and(|before| shown.is_of(before)) {
                    outcome.older += 1;
                    continue;
                }
                outcome.wrong += 1;
                if outcome.first.is_none() {
                    let (device, id) = series;
                    let shown = shown.value;
                    let what = format!(
                        "{device} showed {shown} of {} at {due}, and {value} came back",
                        id.name()
                    );
                    let device = Some(device.clone());
                    let at = At { time: Some(*due), device, ..At::default() };
                    outcome.first = Some((what, at));
                }
            }
        }
        outcome
    }
}

impl Check for Displays {
    fn observation(&mut self, observation: &Observation<'_>) {
        let Some(value) = observation.reported else { return };
        if self.device.matches(observation.device) {
            let series = (observation.device.to_owned(), observation.quantity);
            self.rows.entry(series).or_default().push((observation.event_time, value));
        }
    }

    fn event(&mut self, _line: u64, event: &Event) {
        let device = event.text(field::DEVICE).unwrap_or_default();
        if event.kind != EventKind::Display || !self.device.matches(device) {
            return;
        }
        let shown = event.get(field::SHOWN).and_then(|shown| shown.as_object());
        for (id, text) in shown.into_iter().flatten() {
            let Some(id) = MeasurementId::lookup(id) else { continue };
            let text = text.as_str().and_then(read);
            self.shown.entry((device.to_owned(), id)).or_default().push((event.time, text));
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let Outcome { compared, older, wrong, first } = self.compare();
        let right = compared - wrong;
        let mut why = format!("{right} of {} shown as they came back", plural(compared, "value"));
        append(&mut why, format_args!(", {older} of them a reading older"));
        let reason = match &first {
            Some((what, _)) => {
                append(&mut why, format_args!("; {what}"));
                Reason::NotAsSent
            }
            None if compared == 0 => {
                why = String::from("no display showed anything that came back");
                Reason::NothingToJudge
            }
            None => Reason::WithinLimit,
        };
        let verdict = Verdict {
            measured: Some(wrong as f64),
            limit: Some(0.0),
            n: compared,
            at: first.map(|(_, at)| at),
            ..self.context.verdict(reason, "1", why)
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, check, facts};
    use super::*;
    use lastmeter_record::{RunState, Status};
    use serde_json::json;

    const POWER: &str = "electricity.power.active.consumed.total";

    fn shows(second: i64, text: &str) -> Event {
        Event::new(at(second), "plug", EventKind::Display)
            .with(field::DEVICE, "plug")
            .with(field::SHOWN, json!({ POWER: text }))
    }

    /// The verdict on a display and values of each ten seconds.
    fn judged(texts: &[(i64, &str)], values: &[f64]) -> Verdict {
        let mut check = check("display", "");
        for (line, (second, text)) in (1..).zip(texts) {
            check.event(line, &shows(*second, text));
        }
        for (second, value) in (1..).map(|place| 10 * place).zip(values) {
            check.observation(&Observation {
                device: "plug",
                epoch: None,
                serial: None,
                quantity: MeasurementId::lookup(POWER).unwrap(),
                event_time: at(second),
                reference: None,
                reported: Some(*value),
                span: None,
            });
        }
        check.verdict(&facts(RunState::Finished))
    }

    #[test]
    fn a_display_may_be_one_reading_behind_and_no_more() {
        let texts = [(10, "100.0 W"), (20, "200.1 W"), (30, "--- W"), (40, "300.0 W")];
        let verdict = judged(&texts, &[99.95, 200.15, 1.0, 300.06, 299.95]);
        assert_eq!((verdict.status, verdict.n), (Status::Fail, 4), "{}", verdict.why);
        assert_eq!(verdict.at.unwrap().time, Some(at(40)));
        let verdict = judged(&[(10, "100.0 W"), (30, "200.0 W")], &[100.0, 200.0, 200.04]);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 3), "{}", verdict.why);
        assert!(verdict.why.to_string().contains("1 of them a reading older"), "{}", verdict.why);
        let verdict = judged(&[(10, "100.0 W")], &[100.0, 200.0, 300.0]);
        assert_eq!(verdict.status, Status::Fail);
    }

    #[test]
    fn without_a_display_nothing_is_judged() {
        assert_eq!(judged(&[], &[100.0]).status, Status::Inconclusive);
        assert_eq!(judged(&[(10, "100.0 W")], &[]).status, Status::Inconclusive);
    }

    #[test]
    fn digits_are_those_of_the_text() {
        let of = |text| read(text).map(|shown| (shown.value, shown.half_digit));
        assert_eq!(of("1.250 kWh"), Some((4.5e6, 0.5e-3 * 3.6e6)));
        assert_eq!(of("230 V"), Some((230.0, 0.5)));
        assert_eq!((of("--- W"), of("")), (None, None));
    }
}
