//! `lastmeter boards`: which boards there are, and which serial lines.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use lastmeter_bench::output::{TextFormat, print_err, print_out};
use lastmeter_bench::run::board_held_by;
use lastmeter_board::description::{Description, Speech};
use lastmeter_language::missing_for_firmware;
use lastmeter_language::shipped_boards::SHIPPED;
use lastmeter_link::channel::ChannelAddress;
use lastmeter_reports::ExitCode;
use serde::Serialize;
use serde_json::json;

use super::{BoardsOptions, read};

/// Where serial lines have names that stay.
const STABLE: &str = "/dev/serial/by-id";

/// One board, as it is listed.
#[derive(Serialize)]
struct Listed {
    name: String,
    from: String,
    #[serde(rename = "language")]
    speaks: &'static str,
    ways: Vec<&'static str>,
    line: String,
    state: String,
}

/// Lists the boards and returns the exit code.
pub(super) fn list(options: &BoardsOptions) -> ExitCode {
    let mut boards = Vec::new();
    for shipped in SHIPPED {
        if let Ok(board) = Description::parse(shipped.text) {
            boards.push(listed(&board, "comes with the program"));
        }
    }
    let mut code = ExitCode::Passed;
    for file in &options.files {
        let from = file.display().to_string();
        match read(file) {
            Ok(board) => boards.push(listed(&board, &from)),
            Err(why) => {
                for line in why.lines() {
                    print_err(&format!("error: {from}: {line}"));
                }
                code = ExitCode::BadInput;
            }
        }
    }
    let lines = serial_lines(Path::new("/dev"), Path::new(STABLE));
    match options.format {
        TextFormat::Json => {
            print_out(&json!({ "boards": boards, "serial_lines": lines }).to_string());
        }
        TextFormat::Human => show(&boards, &lines),
    }
    code
}

fn listed(board: &Description, from: &str) -> Listed {
    let emulated = board.emulated.as_ref().map(|_| "emulated");
    let hardware = board.hardware.as_ref().map(|_| "hardware");
    Listed {
        name: board.name.clone(),
        from: from.to_owned(),
        speaks: match board.speech {
            Speech::Lines(_) => "lines",
            Speech::MeterNode { .. } => "meter-node",
        },
        ways: emulated.into_iter().chain(hardware).collect(),
        line: board.hardware.as_ref().map_or(String::new(), |it| it.line.clone()),
        state: state(board),
    }
}

/// Whether a board can be used now, and why not.
fn state(board: &Description) -> String {
    let emulated = board.emulated.as_ref();
    let emulated =
        emulated.map(|it| missing_for_firmware(&it.firmware).unwrap_or_else(|| "free".to_owned()));
    let hardware = board.hardware.as_ref().map(|hardware| {
        if let Some(holder) = board_held_by(&board.name) {
            return format!("in use by {holder}");
        }
        match hardware.line.parse() {
            Ok(ChannelAddress::Tty(path)) => line_state(&path),
            Ok(_) => "not looked at".to_owned(),
            Err(error) => error.to_string(),
        }
    });
    match (emulated, hardware) {
        (Some(emulated), Some(hardware)) => format!("emulated: {emulated}; hardware: {hardware}"),
        (Some(state), None) | (None, Some(state)) => state,
        (None, None) => String::new(),
    }
}

/// Whether a serial line can be used now, and why not.
fn line_state(path: &Path) -> String {
    let flags = rustix::fs::OFlags::NONBLOCK.union(rustix::fs::OFlags::NOCTTY);
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    match opened {
        Ok(file) => match file.try_lock() {
            Ok(()) => "free".to_owned(),
            Err(_) => "in use by another program".to_owned(),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "not usable: it is not plugged in".to_owned()
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            "not usable: this user may not open it (sudo usermod -aG dialout $USER, log in again)"
                .to_owned()
        }
        Err(error) => format!("not usable: {error}"),
    }
}

/// A serial line: by which name it stays, and where that leads.
#[derive(Serialize)]
struct Line {
    name: PathBuf,
    leads_to: PathBuf,
    is_stable: bool,
    state: String,
}

/// The serial lines below folders: those with names that stay, then USB ones without.
fn serial_lines(devices: &Path, stable: &Path) -> Vec<Line> {
    let names = |folder: &Path| -> BTreeSet<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let mut lines = Vec::new();
    let mut known = BTreeSet::new();
    for name in names(stable) {
        let leads_to = std::fs::canonicalize(&name).unwrap_or_else(|_| name.clone());
        known.insert(leads_to.clone());
        let state = line_state(&name);
        lines.push(Line { name, leads_to, is_stable: true, state });
    }
    for name in names(devices) {
        let own = name.file_name().and_then(|own| own.to_str()).unwrap_or_default();
        let is_usb = own.starts_with("ttyUSB") || own.starts_with("ttyACM");
        if is_usb && !known.contains(&name) {
            let state = line_state(&name);
            lines.push(Line { leads_to: name.clone(), name, is_stable: false, state });
        }
    }
    lines
}

fn show(boards: &[Listed], lines: &[Line]) {
    print_out("boards (in `board` of a `[[device]]`)");
    for it in boards {
        let ways = it.ways.join(", ");
        print_out(&format!("  {:18} {:11} {:19} {}", it.name, it.speaks, ways, it.from));
        if !it.line.is_empty() {
            print_out(&format!("  {:18} {}", "", it.line));
        }
        print_out(&format!("  {:18} {}", "", it.state));
    }
    print_out("serial lines");
    if lines.is_empty() {
        print_out("  none is attached to USB");
    }
    for it in lines {
        print_out(&format!("  tty:{}", it.name.display()));
        let remark = if it.is_stable {
            format!("leads to {}", it.leads_to.display())
        } else {
            "its name may change: it has none below /dev/serial/by-id".to_owned()
        };
        print_out(&format!("    {remark}; {}", it.state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_names_that_stay_come_first_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let (devices, stable) = (folder.path().join("dev"), folder.path().join("by-id"));
        std::fs::create_dir_all(&devices).unwrap();
        std::fs::create_dir_all(&stable).unwrap();
        for name in ["ttyUSB0", "ttyUSB1", "ttyS0", "null"] {
            std::fs::write(devices.join(name), "").unwrap();
        }
        let leads_to = std::fs::canonicalize(devices.join("ttyUSB1")).unwrap();
        std::os::unix::fs::symlink(&leads_to, stable.join("usb-EXAMPLE-if00")).unwrap();
        let devices = std::fs::canonicalize(devices).unwrap();
        let lines = serial_lines(&devices, &stable);
        let names: Vec<_> = lines.iter().map(|line| line.name.file_name().unwrap()).collect();
        assert_eq!(names, ["usb-EXAMPLE-if00", "ttyUSB0"]);
        assert_eq!(lines[0].leads_to, leads_to);
        assert!(lines.iter().all(|line| line.state == "free"));
        assert!(line_state(&devices.join("ttyUSB7")).contains("not plugged in"));
    }
}
