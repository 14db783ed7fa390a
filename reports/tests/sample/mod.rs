//! Run folders made up for tests, benches and for looking at the report: meters whose errors are
//! small and known, with the disturbances asked for.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_record::{
    DeviceFacts, Event, Evidence, Observation, RecordError, RunEnd, RunFacts, RunStart, RunState,
    RunWriter, TimeMode,
};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

/// What the run is like.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// How many meters.
    pub(crate) meters: u64,
    /// How many readings each of them sends, one every 10 s.
    pub(crate) readings: u64,
    /// Relative error of the current transducers.
    pub(crate) current_gain_error: f64,
    /// Whether a reading is skipped, a command given, an identifier forged.
    pub(crate) disturbed: bool,
    /// How the run ends; `None` leaves it without an end, as a killed process does.
    pub(crate) ends: Option<RunState>,
    /// Put before the number in the meters' names.
    pub(crate) prefix: &'static str,
}

impl Sample {
    /// Ten minutes of one good meter.
    pub(crate) const CALM: Self = Self {
        meters: 1,
        readings: 60,
        current_gain_error: 0.0,
        disturbed: false,
        ends: Some(RunState::Finished),
        prefix: "meter",
    };

    /// The event time of the first sample.
    pub(crate) fn start() -> SimTime {
        "2027-01-18T17:00:00Z".parse().expect("a date")
    }

    fn at(second: u64) -> SimTime {
        Self::start() + SimDuration::from_seconds(second as i64)
    }

    fn end(&self) -> SimTime {
        Self::at(10 * self.readings)
    }

    /// The name of a meter, counted from 1; the only one has no number.
    pub(crate) fn meter(&self, number: u64) -> String {
        if self.meters == 1 {
            self.prefix.to_owned()
        } else {
            format!("{}-{number:02}", self.prefix)
        }
    }

    /// The scenario as resolved.
    pub(crate) fn scenario(&self) -> String {
        let expected =
            if self.disturbed { "{ reason = \"unknown_identifier\", count = 1 }" } else { "" };
        let command = if self.disturbed {
            "[[check]]\nname = \"obeys\"\nkind = \"command_ack\"\ncovers = [\"F-07\"]\n"
        } else {
            ""
        };
        format!(
            r#"format = 1

[scenario]
name = "first-light"
title = "A three-phase generator through the meter and the platform"
tags = ["quick"]
time = "virtual"
start = 2027-01-18T17:00:00Z
duration = "{} s"
seed = 2027

[platform]
use = "embedded"

[[source]]
name = "generator"
kind = "spectrum"
file = "generator.csv"

[[device]]
name = "{}"
at = "source:generator"
model = "stpm34-3ph"
as = "simulated"
fidelity = "samples"
report_every = "10 s"

[[check]]
name = "voltage-in-class"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "0.2 %"
covers = ["C-04"]

[[check]]
name = "current-in-class"
kind = "accuracy"
quantity = "electricity.current.rms.*"
limit = "0.5 %"
covers = ["C-04"]

[[check]]
name = "power-in-class"
kind = "accuracy"
quantity = "electricity.power.active.consumed.*"
limit = "0.5 %"
minimum = "50 W"
covers = ["C-04", "F-02"]

[[check]]
name = "frequency"
kind = "accuracy"
quantity = "electricity.frequency"
limit = "10 mHz"

[[check]]
name = "readings-once"
kind = "no_loss"
covers = ["F-04"]

[[check]]
name = "refusals"
kind = "refused"
expect = [{expected}]
covers = ["F-02"]

{command}"#,
            10 * self.readings,
            self.prefix,
        )
    }

    /// What is known when the run starts.
    pub(crate) fn start_facts(&self) -> RunStart {
        let device = |number| DeviceFacts {
            name: self.meter(number),
            model: "stpm34-3ph".to_owned(),
            evidence: Evidence::Simulated,
            at: "source:generator".to_owned(),
            under_test: true,
            fidelity: Some("samples".to_owned()),
            serial: None,
            firmware: None,
            reports: Vec::new(),
        };
        let facts = RunFacts {
            scenario: "first-light".to_owned(),
            title: "A three-phase generator through the meter and the platform".to_owned(),
            source_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
                .to_owned(),
            seed: 2027,
            time: TimeMode::Virtual,
            start: Self::start(),
            end: self.end(),
            started: Self::start(),
            command_line: [
                "lastmeter",
                "run",
                "scenarios/library/first-light.toml",
                "--seed",
                "2027",
            ]
            .map(str::to_owned)
            .to_vec(),
            overrides: Some(Vec::new()),
            versions: BTreeMap::from([
                ("lastmeter".to_owned(), "0.2.0".to_owned()),
                ("rustc".to_owned(), "1.95.0".to_owned()),
            ]),
            platform: "embedded".to_owned(),
            devices: (1..=self.meters).map(device).collect(),
            host: BTreeMap::from([
                ("name".to_owned(), "bench-01".into()),
                ("processors".to_owned(), 2.into()),
            ]),
            more: serde_json::Map::new(),
            ..RunFacts::default()
        };
        RunStart { scenario_toml: self.scenario(), facts }
    }

    /// Writes the whole folder.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), RecordError> {
        self.write_as(dir, &self.start_facts())
    }

    /// Writes the whole folder with other facts.
    pub(crate) fn write_as(&self, dir: &Path, start: &RunStart) -> Result<(), RecordError> {
        let mut writer = RunWriter::create(dir, start)?;
        let quantities = quantities();
        for serial in 1..=self.readings {
            for number in 1..=self.meters {
                self.reading(&mut writer, &quantities, number, serial);
            }
            self.events(&mut writer, serial);
            if serial % 6 == 0 {
                writer.sync()?;
            }
        }
        let Some(state) = self.ends else { return writer.sync() };
        writer.finish(RunEnd {
            state,
            cause: (state != RunState::Finished).then(|| "the user pressed Ctrl-C".to_owned()),
            recorded_until: self.end(),
            ended: Self::start() + SimDuration::from_milliseconds(2_340),
            guarantees: vec!["acknowledged means journalled and synced to disk".to_owned()],
            more: serde_json::Map::new(),
        })
    }

    fn reading(
        &self,
        writer: &mut RunWriter,
        quantities: &[(MeasurementId, f64)],
        number: u64,
        serial: u64,
    ) {
        let device = self.meter(number);
        let skipped = self.disturbed && number == 1 && serial == self.readings * 2 / 5;
        for (place, &(quantity, nominal)) in quantities.iter().enumerate() {
            // A slow wander of the truth, and an error that looks like noise but is none.
            let turn = serial as f64 / self.readings as f64 * 2.0 + place as f64 / 6.0;
            // The frequency of a network neither wanders nor errs as much as the rest.
            let name = quantity.name();
            let scale = if name == "electricity.frequency" { 0.02 } else { 1.0 };
            let reference = nominal * (1.0 + scale * 0.01 * wave(turn));
            let dither = ((serial * 7919 + place as u64 * 104_729 + number * 31) % 1009) as f64;
            let noise = (dither / 504.5 - 1.0) * 2e-4;
            let gain = if name.contains("current.rms") { self.current_gain_error } else { 0.0 };
            let reported = reference * (1.0 + scale * (noise + 3e-4 * wave(turn + 0.25)) + gain);
            writer.observation(&Observation {
                device: &device,
                epoch: Some(Epoch(1)),
                serial: Some(Serial(serial)),
                quantity,
                event_time: Self::at(10 * serial),
                reference: Some(reference),
                reported: (!skipped).then_some(reported),
                span: None,
            });
        }
    }

    fn events(&self, writer: &mut RunWriter, serial: u64) {
        let (now, meter) = (Self::at(10 * serial), self.meter(1));
        let place = |share: u64| self.disturbed && serial == self.readings * share / 10;
        if place(4) {
            writer.event(&Event::inject(now, "skip_reading", Some(&meter), "1 reading"));
        }
        if place(5) {
            writer.event(&Event::command(now, 1, &meter, "setReportingPeriod"));
            writer.event(&Event::acknowledged(now, 1, &meter, "10 s"));
        }
        if place(7) {
            let until = now + SimDuration::from_seconds(60);
            let inject =
                Event::inject(now, "unknown_identifier", Some(&meter), "one value renamed");
            writer.event(&inject.with("until", until.to_string()));
            writer.event(&Event::refused(
                now,
                "unknown_identifier",
                Some(&meter),
                "default/SiteWhere/input/json",
                "electricity.voltage.rms.l9",
            ));
        }
    }
}

/// Like a sine of this many turns, of parabolas: the same bits on every machine.
fn wave(turns: f64) -> f64 {
    let part = turns.fract();
    if part < 0.5 { 16.0 * part * (0.5 - part) } else { -16.0 * (part - 0.5) * (1.0 - part) }
}

/// Twenty quantities with their nominal values in SI units.
pub(crate) fn quantities() -> Vec<(MeasurementId, f64)> {
    let stems = [
        ("electricity.power.active.consumed", 1380.0, "l1 l2 l3 total"),
        ("electricity.power.reactive.consumed", 420.0, "l1 l2 l3"),
        ("electricity.power.apparent", 1443.0, "l1 l2 l3"),
        ("electricity.current.rms", 6.27, "l1 l2 l3"),
        ("electricity.voltage.rms", 230.0, "l1 l2 l3"),
        ("electricity.powerFactor", 0.957, "l1 l2 l3"),
    ];
    let mut list: Vec<(MeasurementId, f64)> = stems
        .iter()
        .flat_map(|(stem, value, phases)| {
            phases.split(' ').map(move |phase| (format!("{stem}.{phase}"), *value))
        })
        .chain([("electricity.frequency".to_owned(), 50.0)])
        .map(|(name, value)| (MeasurementId::lookup(&name).expect("in the registry"), value))
        .collect();
    list.sort_by_key(|(id, _)| *id);
    list
}
