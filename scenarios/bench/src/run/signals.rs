//! The signals that a run records: taken from the ledger's rows, and from the plant's truth.

use lastmeter_language::{Scenario, SignalFrom};
use lastmeter_record::{SignalFacts, SignalOrigin, SignalSample};
use lastmeter_sim::{ElectricityFacts, MeteringPoint, Netting, ReferenceSpan};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};

use super::ledger::Row;

/// The signals of a run, and how far each has been recorded.
pub(crate) struct Signals {
    start: SimTime,
    end: SimDuration,
    list: Vec<Signal>,
}

struct Signal {
    name: String,
    quantity: MeasurementId,
    source: Source,
}

/// Where the values of a signal come from.
enum Source {
    /// The rows of this device. With an interval the first of each; the last interval that has one.
    Rows { device: usize, every: Option<SimDuration>, last: Option<i64> },
    /// The truth here over intervals of this length, up to this instant so far.
    Truth { point: MeteringPoint, every: SimDuration, until: SimDuration },
}

/// What `run.json` states of the signals of a scenario.
pub(crate) fn facts(scenario: &Scenario) -> Vec<SignalFacts> {
    let facts = scenario.signals.iter().map(|signal| SignalFacts {
        name: signal.name.clone(),
        quantity: signal.quantity.name().to_owned(),
        from: match signal.from {
            SignalFrom::Device { device, .. } => {
                SignalOrigin::Device(scenario.devices[device].name.clone())
            }
            SignalFrom::Plant { source, .. } => {
                SignalOrigin::Plant(scenario.place_of_source(source))
            }
        },
    });
    facts.collect()
}

impl Signals {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let signals = scenario.signals.iter().filter_map(|signal| {
            let source = match signal.from {
                SignalFrom::Device { device, every } => Source::Rows { device, every, last: None },
                // A plant that is not here is not run.
                SignalFrom::Plant { source, every } => Source::Truth {
                    point: scenario.plant.sources[source].metering_point.clone()?,
                    every,
                    until: SimDuration::ZERO,
                },
            };
            Some(Signal { name: signal.name.clone(), quantity: signal.quantity, source })
        });
        let (start, end) = (scenario.schedule.start, scenario.schedule.duration);
        Self { start, end, list: signals.collect() }
    }

    /// Takes what these rows add to the signals, and the truth up to where the record is complete.
    /// Of a device only what was due counts, and only what came back.
    pub(crate) fn take<E>(
        &mut self,
        rows: &[Row],
        recorded: SimTime,
        mut sample: impl FnMut(&SignalSample<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let recorded = (recorded - self.start).min(self.end);
        for signal in &mut self.list {
            let name = signal.name.as_str();
            let mut hand_over = |time, value| sample(&SignalSample { signal: name, time, value });
            match &mut signal.source {
                Source::Rows { device, every, last } => {
                    let own = rows.iter().filter(|row| {
                        let is_due = row.reference.is_some();
                        is_due && row.device == *device && row.quantity == signal.quantity
                    });
                    for row in own {
                        let Some(value) = row.reported else { continue };
                        let time = row.event_time - self.start;
                        // A value at the end of an interval belongs to it, as a mean over it does.
                        let interval = every.map(|every| (time.0 - 1).div_euclid(every.0.max(1)));
                        if interval.is_some() && interval <= *last {
                            continue;
                        }
                        *last = interval;
                        hand_over(time, value)?;
                    }
                }
                Source::Truth { point, every, until } => {
                    while *until + *every <= recorded {
                        let (from, to) = (*until, *until + *every);
                        let span = ReferenceSpan { from, to, registers_from: SimDuration::ZERO };
                        let truth = point.truth(span, Some(NO_METER));
                        // What the plant cannot know there is no number.
                        hand_over(to, truth.value(signal.quantity).unwrap_or(f64::NAN))?;
                        *until = to;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The truth is that of the place, not of a meter there.
const NO_METER: ElectricityFacts =
    ElectricityFacts { netting: Netting::Net, pulse_constant: 1000.0, profile: None };

#[cfg(test)]
#[path = "signals_tests.rs"]
mod tests;
