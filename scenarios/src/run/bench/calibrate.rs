//! The bench as the one who calibrates: from what meter and reference meter reported through the
//! platform to words in the meter's registers, sent as commands through the platform.
//!
//! It sees what a service tool sees: reported values, answers to commands, the data sheet. The
//! reference values of the record never come here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lastmeter_devices::calibration::{
    Change, Line, Measured, Register, Role, Scale, Step, changes, sheet,
};
use lastmeter_plans::calibration::{Gatherer, Plan, Procedure, Stage, Subject};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use serde_json::{Map, Value, json};

use super::Bench;
use crate::language::Scenario;
use crate::run::error::BenchError;

/// A calibration that is going on.
pub(crate) struct Calibrator {
    plan: Arc<Plan>,
    start: SimTime,
    /// The meter, as the bench counts its devices.
    device: usize,
    sheet: &'static [Register],
    scale: Scale,
    reported: Gatherer,
    reference: Gatherer,
    steps: VecDeque<(SimDuration, Stage)>,
    /// The values in the registers, as the meter told.
    values: BTreeMap<&'static str, i64>,
    has_asked: bool,
}

/// A coefficient on its way into a register.
struct Coefficient {
    register: &'static Register,
    before: i64,
    wanted: f64,
    /// The value it is sent as; `None` if the register cannot hold it.
    value: Option<i64>,
    /// What it rests on.
    basis: Map<String, Value>,
    /// The command that carries it.
    command: Option<u64>,
    refusal: String,
}

impl Calibrator {
    /// What a scenario's `[calibration]` asks for; `None` without one.
    pub(crate) fn of(scenario: &Scenario) -> Option<Self> {
        let plan = Arc::clone(scenario.calibration.as_ref()?);
        let device = scenario.devices.iter().position(|row| row.name == plan.device)?;
        let row = &scenario.devices[device];
        let full = |kind: &str| {
            let si = |name: &str| row.values.si(&format!("{kind}_{name}"));
            row.values.si(&format!("nominal_{kind}")) * si("headroom") * si("ratio")
        };
        Some(Self {
            start: scenario.start,
            device,
            sheet: sheet(row.kind.entry.name)?,
            scale: Scale { voltage_v: full("voltage"), current_a: full("current") },
            reported: Gatherer::new(&plan),
            reference: Gatherer::new(&plan),
            steps: plan.steps().into(),
            values: BTreeMap::new(),
            has_asked: false,
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
    fn coefficients(&mut self, stage: Stage) -> Vec<Coefficient> {
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
            let mut basis = Map::new();
            basis.insert("reported".to_owned(), json!(of(&reported)));
            basis.insert("reference".to_owned(), json!(of(&reference)));
            basis
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

    /// The register of a role, and the value in it: as the meter told, else the one it starts with.
    fn before(&self, role: Role) -> Option<(&'static Register, i64)> {
        let register = self.sheet.iter().find(|register| register.role == role)?;
        Some((register, self.values.get(register.name).copied().unwrap_or(register.reset)))
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

impl Bench {
    /// Does what the calibration asks for at the present instant.
    pub(crate) async fn calibrate(&mut self) -> Result<(), BenchError> {
        let Some(mut calibrator) = self.calibrator.take() else { return Ok(()) };
        let done = self.calibrate_by(&mut calibrator).await;
        self.calibrator = Some(calibrator);
        done
    }

    async fn calibrate_by(&mut self, calibrator: &mut Calibrator) -> Result<(), BenchError> {
        if !calibrator.has_asked {
            calibrator.has_asked = true;
            self.ask_for_registers(calibrator).await?;
        }
        while let Some((_, stage)) =
            calibrator.steps.pop_front_if(|(at, _)| calibrator.start + *at <= self.now)
        {
            let mut found = calibrator.coefficients(stage);
            for coefficient in &mut found {
                let Some(value) = coefficient.value else { continue };
                let parameters = BTreeMap::from([
                    ("register".to_owned(), coefficient.register.name.to_owned()),
                    ("value".to_owned(), value.to_string()),
                ]);
                self.command(calibrator.device, ("setRegister", &parameters), false).await?;
                coefficient.command = Some(self.commands);
            }
            self.come_to_rest().await?;
            self.settle_commands().await?;
            for coefficient in found {
                self.tell(calibrator, stage, coefficient);
            }
        }
        Ok(())
    }

    /// Asks the meter what is in its registers.
    async fn ask_for_registers(&mut self, calibrator: &mut Calibrator) -> Result<(), BenchError> {
        let mut asked = Vec::new();
        for register in calibrator.sheet {
            let name = register.name.to_owned();
            let parameters = BTreeMap::from([("register".to_owned(), name)]);
            self.command(calibrator.device, ("readRegister", &parameters), false).await?;
            asked.push((self.commands, register));
        }
        self.come_to_rest().await?;
        self.settle_commands().await?;
        for (command, register) in asked {
            let answer = self.answers.remove(&command);
            let value = answer.and_then(|answer| register.value_told(&answer));
            calibrator.values.extend(value.map(|value| (register.name, value)));
        }
        Ok(())
    }

    /// Notes what became of a coefficient.
    fn tell(&mut self, calibrator: &mut Calibrator, stage: Stage, found: Coefficient) {
        let Coefficient { register, before, wanted, value, basis, command, refusal } = found;
        let answer = command.and_then(|command| self.answers.remove(&command));
        let response = answer.unwrap_or(refusal);
        if let Some(value) = register.value_told(&response) {
            calibrator.values.insert(register.name, value);
        }
        let after = value.unwrap_or(before);
        let step = match (calibrator.plan.procedure, stage) {
            (Procedure::Static, _) => "line",
            (Procedure::EnergyChip, stage) => stage.word(),
        };
        let mut event = Event::new(self.now, "bench", EventKind::Calibration)
            .with(field::DEVICE, calibrator.plan.device.as_str())
            .with(field::STEP, step)
            .with(field::REGISTER, register.name)
            .with(field::MEANING, register.role.meaning())
            .with(field::UNIT, register.unit.word())
            .with(field::WORD_BEFORE, register.word(before))
            .with(field::BEFORE, register.coefficient(before))
            .with(field::WANTED, wanted)
            .with(field::WORD, value.map(|value| register.word(value)).unwrap_or_default())
            .with(field::AFTER, register.coefficient(after))
            .with(field::RESPONSE, response);
        for (name, value) in basis {
            event = event.with(&name, value);
        }
        self.note(event);
    }

    /// When the calibration has something to do next.
    pub(crate) fn next_calibration(&self) -> Option<SimTime> {
        self.calibrator.as_ref()?.next()
    }
}
