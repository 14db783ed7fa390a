//! What a calibration finds: from what meter and reference meter reported through the
//! platform to words in the meter's registers, to be sent as commands.
//!
//! It sees what a service tool sees: reported values, answers to commands, the data sheet. The
//! reference values of the record never come here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lastmeter_devices::calibration::{
    Change, Line, Measured, Register, Role, Scale, Step, changes,
};
use lastmeter_devices::full_scale;
use lastmeter_devices::zigbee::CALIBRATION_CHANNELS;
use lastmeter_language::Scenario;
use lastmeter_plans::calibration::{Gatherer, Plan, Procedure, Stage, Subject};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_wire::commands::set_register;
use serde_json::{Map, Value, json};

pub(crate) struct Calibrator {
    pub(super) plan: Arc<Plan>,
    pub(super) start: SimTime,
    /// The meter, as the bench counts its devices.
    pub(super) device: usize,
    pub(super) sheet: &'static [Register],
    scale: Scale,
    reported: Gatherer,
    reference: Gatherer,
    pub(super) steps: VecDeque<(SimDuration, Stage)>,
    /// The values in the registers, as the meter reported.
    pub(super) values: BTreeMap<&'static str, i64>,
    pub(super) has_asked: bool,
    /// Whether commands reach it over the radio: by channels, and nothing can be read.
    pub(super) is_by_radio: bool,
    /// What was sent, until it is known what became of it.
    pub(super) sent: Vec<(Stage, Coefficient)>,
}

/// A coefficient on its way into a register.
pub(super) struct Coefficient {
    pub(super) register: &'static Register,
    pub(super) before: i64,
    pub(super) wanted: f64,
    /// The value it is sent as; `None` if the register cannot hold it.
    pub(super) value: Option<i64>,
    /// What it rests on.
    pub(super) basis: Map<String, Value>,
    /// The command that carries it.
    pub(super) command: Option<u64>,
    pub(super) refusal: String,
}

impl Calibrator {
    /// What a scenario's `[calibration]` asks for; `None` without one.
    pub(crate) fn of(scenario: &Scenario) -> Option<Self> {
        let plan = Arc::clone(scenario.calibration()?);
        let device = scenario.devices.iter().position(|row| row.name == plan.device)?;
        let row = &scenario.devices[device];
        let full = |kind: &str| full_scale(&row.values, kind);
        Some(Self {
            start: scenario.schedule.start,
            device,
            sheet: row.kind.registers?,
            scale: Scale { voltage_v: full("voltage"), current_a: full("current") },
            reported: Gatherer::new(&plan),
            reference: Gatherer::new(&plan),
            steps: plan.steps().into(),
            values: BTreeMap::new(),
            is_by_radio: scenario.is_carried(device),
            has_asked: scenario.is_carried(device),
            sent: Vec::new(),
            plan,
        })
    }

    /// When there is something to do next.
    pub(crate) fn next(&self) -> Option<SimTime> {
        if !self.has_asked {
            // A platform knows a device once it has reported.
            return self.plan.points.first().map(|point| self.start + point.end);
        }
        self.steps.front().map(|(at, _)| self.start + *at)
    }

    /// The command that carries a value to its register, and its parameters. What a channel has
    /// beside it is written once more.
    pub(super) fn command_for(
        &self,
        register: &Register,
        value: i64,
    ) -> (&'static str, BTreeMap<String, String>) {
        let of_name = |(name, value): (&str, String)| (name.to_owned(), value);
        if !self.is_by_radio {
            let parameters = [("register", register.name.to_owned()), ("value", value.to_string())];
            return (set_register::COMMAND.name, parameters.map(of_name).into());
        }
        let all = CALIBRATION_CHANNELS.iter().zip(0..);
        let is_of = |(gain, offset): (&str, &str)| [gain, offset].contains(&register.name);
        let channel = all.filter(|(both, _)| is_of(**both)).map(|(both, channel)| (*both, channel));
        let ((gain, offset), channel) = channel.last().unwrap_or((("", ""), u8::MAX));
        let of = |name: &str| {
            if name == register.name { value } else { self.value(name).unwrap_or_default() }
        };
        let parameters = [
            ("channel", channel.to_string()),
            ("gain", of(gain).to_string()),
            ("offset", of(offset).to_string()),
        ];
        ("calibrate", parameters.map(of_name).into())
    }

    /// The value in a register: as last reported, else the one it starts with.
    fn value(&self, name: &str) -> Option<i64> {
        let register = self.sheet.iter().find(|register| register.name == name)?;
        Some(self.values.get(register.name).copied().unwrap_or(register.reset))
    }

    /// Takes a value that the platform gave back.
    pub(super) fn reported(
        &mut self,
        device: &str,
        (due, id): (SimTime, MeasurementId),
        value: f64,
    ) {
        let due = due - self.start;
        if device == self.plan.device {
            self.reported.value(&self.plan, due, id, value);
        } else if device == self.plan.reference {
            self.reference.value(&self.plan, due, id, value);
        }
    }

    /// What a step asks for. All readings up to now have been taken in.
    pub(super) fn coefficients(&mut self, stage: Stage) -> Vec<Coefficient> {
        self.reported.close(&self.plan);
        self.reference.close(&self.plan);
        let points = self.plan.points.iter().enumerate();
        let points = points.filter(|(_, point)| point.stage == stage);
        let places: Vec<usize> = points.map(|(place, _)| place).collect();
        match self.plan.procedure {
            Procedure::Static => self.lines(&places),
            Procedure::EnergyChip => self.at_a_point(stage, &places),
        }
    }

    fn at_a_point(&self, stage: Stage, places: &[usize]) -> Vec<Coefficient> {
        let step = match stage {
            Stage::RmsGains => Step::RmsGains,
            Stage::ActiveGain => Step::ActiveGain,
            Stage::Phase => Step::Phase,
            Stage::OtherGains => Step::OtherGains,
            Stage::Offsets => Step::Offsets,
            Stage::Before | Stage::After => return Vec::new(),
        };
        let means = |gatherer: &Gatherer| {
            let mean = |subject: Subject| {
                let all = places.iter().filter_map(|&place| gatherer.points()[place].get(&subject));
                let all: Vec<f64> = all.flatten().copied().collect();
                all.iter().sum::<f64>() / all.len() as f64
            };
            Measured {
                voltage_v: mean(Subject::Voltage),
                current_a: mean(Subject::Current),
                active_w: mean(Subject::ActivePower),
                reactive_var: mean(Subject::ReactivePower),
                apparent_va: mean(Subject::ApparentPower),
            }
        };
        let (reported, reference) = (means(&self.reported), means(&self.reference));
        let about = (self.scale, self.plan.frequency_hz);
        let found = changes(step, &reported, &reference, about);
        let basis = |role: Role| {
            let of = |measured: &Measured| match role {
                Role::VoltageGain | Role::VoltageOffset => measured.voltage_v,
                Role::CurrentGain | Role::CurrentOffset | Role::CurrentSquare => measured.current_a,
                Role::Delay | Role::ActiveGain | Role::ActiveOffset => measured.active_w,
                Role::ReactiveGain => measured.reactive_var,
                Role::ApparentGain => measured.apparent_va,
            };
            Map::from_iter([
                ("reported".to_owned(), json!(of(&reported))),
                ("reference".to_owned(), json!(of(&reference))),
            ])
        };
        found
            .into_iter()
            .filter_map(|(role, change)| self.coefficient(role, change, basis(role)))
            .collect()
    }

    /// Gain and offset of each channel over all levels: `reference = gain * reported + offset`.
    fn lines(&self, places: &[usize]) -> Vec<Coefficient> {
        let mut found = Vec::new();
        for (subject, gain, offset) in [
            (Subject::Voltage, Role::VoltageGain, Role::VoltageOffset),
            (Subject::Current, Role::CurrentGain, Role::CurrentOffset),
        ] {
            let of = |gatherer: &Gatherer, place: usize| {
                gatherer.points()[place].get(&subject).cloned().unwrap_or_default()
            };
            let pairs = places.iter().flat_map(|&place| {
                of(&self.reported, place).into_iter().zip(of(&self.reference, place))
            });
            let pairs: Vec<(f64, f64)> = pairs.collect();
            let Some(line) = Line::through(&pairs) else { continue };
            // Registers of offsets count in parts of the peak, which is the full scale's.
            let full = match subject {
                Subject::Voltage => self.scale.voltage_v,
                _ => self.scale.current_a,
            } * std::f64::consts::SQRT_2;
            let before =
                self.before(offset).map_or(0.0, |(register, value)| register.coefficient(value));
            let basis = || {
                let text = json!({
                    "line_gain": line.gain, "line_offset": line.offset,
                    "residual": line.residual, "gain_uncertainty": line.gain_uncertainty,
                    "offset_uncertainty": line.offset_uncertainty, "pairs": line.points,
                });
                text.as_object().cloned().unwrap_or_default()
            };
            // What was added before is multiplied too.
            let added = line.gain * before + line.offset / full - before;
            found.extend(self.coefficient(gain, Change::Times(line.gain), basis()));
            found.extend(self.coefficient(offset, Change::Plus(added), basis()));
        }
        found
    }

    /// The register of a role, and the value in it.
    fn before(&self, role: Role) -> Option<(&'static Register, i64)> {
        let register = self.sheet.iter().find(|register| register.role == role)?;
        Some((register, self.value(register.name)?))
    }

    fn coefficient(
        &self,
        role: Role,
        change: Change,
        basis: Map<String, Value>,
    ) -> Option<Coefficient> {
        let (register, before) = self.before(role)?;
        let wanted = change.of(register.coefficient(before));
        let (value, refusal) = match register.value(wanted) {
            Ok(value) => (Some(value), String::new()),
            Err(error) => (None, error.to_string()),
        };
        Some(Coefficient { register, before, wanted, value, basis, command: None, refusal })
    }
}
