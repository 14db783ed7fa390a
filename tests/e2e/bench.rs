//! What the tests share: the program, a scratch folder, and looks into run folders.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use serde_json::Value;

use crate::postgres_server::{Server, postgres_for_tests};

/// The program under test.
pub(crate) fn lastmeter() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastmeter"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("NO_COLOR", "1");
    command
}

/// A scenario of the library.
pub(crate) fn library(name: &str) -> String {
    format!("scenarios/library/{name}.toml")
}

/// A copy of the library without its scenarios in real time, which take their time and must not
/// share the processor; they have tests of their own.
pub(crate) fn virtual_library(folder: &Path) -> String {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let (path, target) = (entry.path(), to.join(entry.file_name()));
            if path.is_file() {
                std::fs::copy(path, target).unwrap();
            } else if entry.file_name() != "real-time" {
                copy(&path, &target);
            }
        }
    }
    let to = folder.join("library");
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    copy(&scenarios.join("library"), &to);
    // The networks, point maps and boards that its scenarios name lie beside it.
    copy(&scenarios.join("grids"), &folder.join("grids"));
    copy(&scenarios.join("points"), &folder.join("points"));
    copy(&scenarios.join("boards"), &folder.join("boards"));
    to.to_str().unwrap().to_owned()
}

/// What a finished program left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the program to its end.
pub(crate) fn call(arguments: &[&str]) -> Done {
    lastmeter().args(arguments).output().unwrap().into()
}

/// Runs a scenario into a folder of its own.
pub(crate) fn run(scenario: &str, out: &Path, more: &[&str]) -> Done {
    let out = out.to_str().unwrap();
    call(&[&["run", scenario, "--out", out], more].concat())
}

/// The PostgreSQL database of runs: the one that the environment names, else one of its own.
pub(crate) struct DatabaseOfRuns(Option<Server>);

impl DatabaseOfRuns {
    pub(crate) fn start() -> Self {
        let is_named = std::env::var_os("LASTMETER_POSTGRES").is_some();
        Self(if is_named { None } else { postgres_for_tests(false) })
    }

    pub(crate) fn known_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        match &self.0 {
            Some(server) => command.env("LASTMETER_POSTGRES", server.connection()),
            None => command,
        }
    }
}

/// A JSON file of a run folder.
pub(crate) fn json(folder: &Path, file: &str) -> Value {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The verdict of one check.
pub(crate) fn verdict(folder: &Path, check: &str) -> Value {
    let all = json(folder, "verdicts.json");
    let found = all.as_array().unwrap().iter().find(|verdict| verdict["check"] == check);
    found.unwrap_or_else(|| panic!("no check {check} in {all}")).clone()
}

/// The three files that repeats of a run must have in common.
pub(crate) const COMPARED: [&str; 3] = ["observations.csv", "events.jsonl", "verdicts.json"];

/// Where the recordings are; without them the test prints why it is skipped, and ends.
pub(crate) fn recordings(test: &str) -> Option<PathBuf> {
    data(test, "LASTMETER_RECORDINGS", "recordings")
}

/// Where the captured frames are; without them the test prints why it is skipped, and ends.
pub(crate) fn captured_frames(test: &str) -> Option<PathBuf> {
    data(test, "LASTMETER_FRAMES", "captured frames")
}

fn data(test: &str, variable: &str, what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
        return Some(folder);
    }
    let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|tier| tier == "all" || tier == "data"),
        "{variable} names no folder, but LASTMETER_REQUIRE is {required}"
    );
    // The line the test command counts.
    println!("SKIPPED: {test}: {variable} names no folder with {what}");
    None
}

/// Whether boards can be emulated here; without what that takes the test prints why it is skipped.
pub(crate) fn emulated(test: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &str| std::env::split_paths(&paths).any(|path| path.join(program).is_file());
    let wanted =
        [("qemu-system-arm", "qemu-system-arm"), ("arm-none-eabi-gcc", "gcc-arm-none-eabi")];
    let Some((program, package)) = wanted.into_iter().find(|(program, _)| !is_there(program))
    else {
        return true;
    };
    let why = format!("{program} not found (install {package})");
    let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|tier| tier == "all" || tier == "emulated"),
        "NOT RUN: {test}: {why}, but LASTMETER_REQUIRE is {required}"
    );
    println!("SKIPPED: {test}: {why}");
    false
}

/// The JSON in the first line that a program writes.
pub(crate) fn first_line(child: &mut Child) -> Value {
    let mut line = Vec::new();
    let stdout = child.stdout.as_mut().unwrap();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        line.extend(byte);
    }
    serde_json::from_slice(&line).unwrap()
}

/// Sends a signal; the shell's own `kill`, because not every machine has the program.
pub(crate) fn signal(child: &Child, name: &str) {
    let line = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}
