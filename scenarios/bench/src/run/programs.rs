//! Devices that are programs of others: started where they are built, asked line by line.

use lastmeter_child::{Child, Program};
use lastmeter_devices::{Device, Exchange, ProgramSpec};
use lastmeter_language::{DeviceRow, Scenario};

use super::error::BenchError;

/// Lines to a program and back.
struct Lines(Child);

impl Exchange for Lines {
    fn ask(&mut self, request: &str) -> Result<String, String> {
        self.0.ask(request).map_err(|failure| failure.to_string())
    }
}

/// Starts the program of a device that is one, and has it begin.
pub(super) fn start(
    scenario: &Scenario,
    row: &DeviceRow,
    device: &mut dyn Device,
) -> Result<(), BenchError> {
    let Some(own) = device.program() else { return Ok(()) };
    let ProgramSpec { file: name, with, within } = own.spec().clone();
    let failed = |why: String| BenchError::device(&row.name, why);
    let text = scenario.written.files.get(&name).cloned();
    let text = text.ok_or_else(|| failed(format!("the text of `{name}` is not known")))?;
    let folder = std::env::current_dir().map_err(|error| failed(error.to_string()))?;
    let program = Program { with, name, text, folder, within };
    let child = Child::start(&program).map_err(|failure| failed(failure.to_string()))?;
    own.connect(Box::new(Lines(child))).map_err(failed)
}
