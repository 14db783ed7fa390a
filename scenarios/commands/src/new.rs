//! `lastmeter new`: a start of one's own, as commented files that run as they are.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use clap::ValueEnum;
use lastmeter_bench::output::{complain, print_out};
use lastmeter_params::is_name;
use lastmeter_reports::ExitCode;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// A scenario with a source, a meter and two checks
    Scenario,
    /// A scenario whose check is a Python program beside it
    Check,
    /// A scenario whose meter is a Python program beside it
    Device,
}

const SCENARIO: &str = include_str!("new/scenario.toml");
const CHECK: &str = include_str!("new/check.toml");
const DEVICE: &str = include_str!("new/device.toml");
const CHECK_PROGRAM: &str = include_str!("../../library/data/external-check.py");
const DEVICE_PROGRAM: &str = include_str!("../../library/data/external-meter.py");

/// Writes what was asked for into the current folder; nothing that is there is overwritten.
pub fn new(what: Template, name: &str) -> ExitCode {
    if !is_name(name) {
        return complain(&format!(
            "`{name}` is not a name: letters, digits, `-`, `_`, `.`, at most 64 characters"
        ));
    }
    let (scenario, program) = match what {
        Template::Scenario => (SCENARIO, None),
        Template::Check => (CHECK, Some(CHECK_PROGRAM)),
        Template::Device => (DEVICE, Some(DEVICE_PROGRAM)),
    };
    let scenario = scenario.replace("NAME", name);
    let file = format!("{name}.toml");
    let files = [(file.as_str(), Some(scenario.as_str())), (&format!("{name}.py"), program)];
    for (file, _) in files.iter().filter(|(_, text)| text.is_some()) {
        if Path::new(file).exists() {
            return complain(&format!("{file} is there already; give another name"));
        }
    }
    for (file, text) in files {
        let Some(text) = text else { continue };
        let written = OpenOptions::new().write(true).create_new(true).open(file);
        if let Err(error) = written.and_then(|mut it| it.write_all(text.as_bytes())) {
            return complain(&format!("{file} cannot be written: {error}"));
        }
        print_out(file);
    }
    print_out(&format!("\nRun it: lastmeter run {file}"));
    ExitCode::Passed
}

#[cfg(test)]
mod tests {
    use lastmeter_language::{LoadOptions, ScenarioFile};

    use super::*;

    #[test]
    fn what_is_written_is_a_scenario_without_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.py"), DEVICE_PROGRAM).unwrap();
        for text in [SCENARIO, CHECK, DEVICE] {
            let path = folder.path().join("own.toml");
            let text = text.replace("NAME", "own");
            let file = ScenarioFile::from_bytes(&path, text.as_bytes()).unwrap();
            let scenario = file.scenario(&LoadOptions::default());
            let scenario = scenario.unwrap_or_else(|failure| panic!("{}", failure.render(false)));
            assert!(scenario.written.warnings.is_empty() && scenario.about.name == "own");
        }
    }
}
