//! The bench as the one who calibrates: asks a meter for its registers, and sends what a
//! calibration finds as commands through the platform.

use std::collections::BTreeMap;

use lastmeter_plans::calibration::{Procedure, Stage};
use lastmeter_record::{Event, EventKind, field};
use lastmeter_wire::commands::read_register;

use super::bench::VirtualBench;
use super::calibrator::{Calibrator, Coefficient};
use crate::run::commands::CommandOrder;
use crate::run::error::BenchError;

impl VirtualBench<'_> {
    /// Does what the calibration asks for at the present instant.
    pub(super) async fn calibrate(&mut self) -> Result<(), BenchError> {
        let Some(mut calibrator) = self.parts.calibrator.take() else { return Ok(()) };
        let done = self.calibrate_by(&mut calibrator).await;
        self.parts.calibrator = Some(calibrator);
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
                let (command, parameters) = calibrator.command_for(coefficient.register, value);
                let command = self.order(calibrator, command, &parameters).await?;
                coefficient.command = Some(command);
                if calibrator.is_by_radio {
                    // A later command writes it once more.
                    calibrator.values.insert(coefficient.register.name, value);
                }
            }
            calibrator.sent.extend(found.into_iter().map(|one| (stage, one)));
            self.come_to_rest().await?;
            self.settle_commands().await?;
            self.report_answered(calibrator);
        }
        Ok(())
    }

    /// Notes what became of coefficients whose commands have ended; over the radio an answer takes
    /// its time.
    pub(super) fn note_calibrated(&mut self) {
        if let Some(mut calibrator) = self.parts.calibrator.take() {
            self.report_answered(&mut calibrator);
            self.parts.calibrator = Some(calibrator);
        }
    }

    fn report_answered(&mut self, calibrator: &mut Calibrator) {
        let all = std::mem::take(&mut calibrator.sent).into_iter();
        let is_open = |command: u64| self.commands.get(command).is_some();
        let (open, ended): (Vec<_>, Vec<_>) =
            all.partition(|(_, one)| one.command.is_some_and(is_open));
        calibrator.sent = open;
        for (stage, coefficient) in ended {
            self.report(calibrator, stage, coefficient);
        }
    }

    /// Gives the meter a command; its number.
    async fn order(
        &mut self,
        calibrator: &Calibrator,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<u64, BenchError> {
        let device = calibrator.device;
        self.command(CommandOrder { device, command, parameters, must_be_refused: false }).await
    }

    /// Asks the meter what is in its registers.
    async fn ask_for_registers(&mut self, calibrator: &mut Calibrator) -> Result<(), BenchError> {
        let mut asked = Vec::new();
        for register in calibrator.sheet {
            let name = register.name.to_owned();
            let parameters = BTreeMap::from([("register".to_owned(), name)]);
            let command = self.order(calibrator, read_register::COMMAND.name, &parameters).await?;
            asked.push((command, register));
        }
        self.come_to_rest().await?;
        self.settle_commands().await?;
        for (command, register) in asked {
            let answer = self.commands.take_answer(command);
            let value = answer.and_then(|answer| register.value_reported(&answer));
            calibrator.values.extend(value.map(|value| (register.name, value)));
        }
        Ok(())
    }

    /// Notes what became of a coefficient.
    fn report(&mut self, calibrator: &mut Calibrator, stage: Stage, found: Coefficient) {
        let Coefficient { register, before, wanted, value, basis, command, refusal } = found;
        let answer = command.and_then(|command| self.commands.take_answer(command));
        let response = answer.unwrap_or(refusal);
        if let Some(value) = register.value_reported(&response) {
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
            .with(field::MEANING, register.role.word())
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
        self.recording.note(event);
    }
}
