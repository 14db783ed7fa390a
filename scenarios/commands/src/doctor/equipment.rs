//! What can be plugged in, and programs of others that tests and hardware need. Nothing is opened:
//! opening a serial port resets many boards.

use std::ffi::OsStr;
use std::path::Path;

use lastmeter_bench::floor::text;
use rustix::fs::Access;

use super::finding::{Finding, Section, Topic};

pub(super) fn findings(root: &Path, search_path: Option<&OsStr>) -> Vec<Finding> {
    vec![
        serial_ports(root),
        can_interfaces(root),
        program(search_path, "python3", "it runs the independent evaluation of a run folder"),
        program(search_path, "mosquitto", "it is a foreign broker to run scenarios against"),
    ]
}

/// Entries of a folder that begin with one of some words, in order; none if it is not there.
pub(super) fn names(folder: &Path, beginnings: &[&str]) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| beginnings.iter().any(|beginning| name.starts_with(beginning)))
        .collect();
    names.sort_unstable();
    names
}

fn serial_ports(root: &Path) -> Finding {
    const TOPIC: Topic = Section::Equipment.topic("serial_ports");
    let folder = root.join("dev");
    let ports = names(&folder, &["ttyUSB", "ttyACM"]);
    if ports.is_empty() {
        let advice = "needed only for boards: plug one in and look again";
        return TOPIC.no("none", advice);
    }
    let is_closed = |port: &&String| {
        rustix::fs::access(folder.join(port), Access::READ_OK | Access::WRITE_OK).is_err()
    };
    let closed: Vec<String> = ports.iter().filter(is_closed).cloned().collect();
    let found = ports.join(", ");
    if closed.is_empty() {
        return TOPIC.ok(found);
    }
    let found = format!("{found}; not allowed: {}", closed.join(", "));
    let advice = "add the user to the group of the port, mostly `dialout`, and log in again";
    TOPIC.limited(found, advice)
}

fn can_interfaces(root: &Path) -> Finding {
    const TOPIC: Topic = Section::Equipment.topic("can_interfaces");
    let interfaces = names(&root.join("sys/class/net"), &["can", "vcan", "slcan"]);
    if interfaces.is_empty() {
        let advice = "needed only for boards on a CAN bus: plug in an adapter and look again";
        return TOPIC.no("none", advice);
    }
    let state = |name: &String| {
        let state = text(root, &format!("sys/class/net/{name}/operstate"));
        (name.clone(), state.unwrap_or_else(|| "unknown".to_owned()))
    };
    let states: Vec<(String, String)> = interfaces.iter().map(state).collect();
    let shown: Vec<String> =
        states.iter().map(|(name, state)| format!("{name} ({state})")).collect();
    let shown = shown.join(", ");
    if states.iter().all(|(_, state)| state == "down") {
        let advice = "bring it up: `ip link set can0 up type can bitrate 125000`";
        return TOPIC.limited(shown, advice);
    }
    TOPIC.ok(shown)
}

/// A program on the search path, or where servers are installed.
fn program(search_path: Option<&OsStr>, name: &'static str, what_for: &str) -> Finding {
    let folders = search_path.map(std::env::split_paths).into_iter().flatten();
    let found = folders
        .chain([Path::new("/usr/sbin").to_owned()])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok());
    let topic = Section::Equipment.topic(name);
    match found {
        Some(path) => topic.ok(path.display().to_string()),
        None => topic.no("not found", &format!("install it where it is needed: {what_for}")),
    }
}
