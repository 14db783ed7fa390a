//! `board` of a `[[device]]`: the boards that devices are, in one of their ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_board::description::Description;
use lastmeter_devices::BoardWay;
use lastmeter_params::{Code, Diagnostics, Field, Kind, nearest};

use super::keys::{AS, EMULATED, HARDWARE, ON};
use super::scenario::is_in_real_time;
use crate::draft::{Draft, Row};
use crate::files::Files;
use crate::shipped_boards::{self, SHIPPED};

/// The key that names a board.
pub(super) const BOARD: Field = Field::optional(
    "board",
    Kind::Text,
    "the board that it is when it is `emulated`, or `hardware` on no network: the path of a board \
     file, or one that comes with the program (see `lastmeter boards`)",
);

/// The key of the line that boards share.
pub(super) const LINE: Field = Field::optional(
    "board_line",
    Kind::Name,
    "of meter nodes: the name of the SLCAN line that it is on; boards on one line all hear what any of \
     them is sent, as on a bus. Left out, it has a line of its own",
);

/// The key of a node's number.
pub(super) const NODE: Field = Field::optional(
    "board_node",
    Kind::Integer { min: 1, max: 31 },
    "of a meter node: its number on the line, instead of the one in the board file",
);

/// What a board file ends in, where it is a path.
const ENDING: &str = ".toml";

/// A board in one of its ways.
#[derive(Clone, Debug)]
pub struct BoardRow {
    /// What its file states.
    pub description: Arc<Description>,
    /// In which way it is there.
    pub way: BoardWay,
    /// The line that it shares with others.
    pub line: Option<String>,
}

/// The boards of a scenario by what `board` calls them.
pub(crate) type Boards = BTreeMap<String, Arc<Description>>;

/// The way in which a table's devices are boards; `None`: in none.
pub(crate) fn way_of(device: &Row<'_>) -> Option<BoardWay> {
    let (way, _) = device.text(AS)?;
    if device.table.get(ON).is_some() || device.table.get(BOARD.name).is_none() {
        return None;
    }
    match way {
        EMULATED => Some(BoardWay::Emulated),
        HARDWARE => Some(BoardWay::Hardware),
        _ => None,
    }
}

/// Reads the files of all boards, whatever way is chosen, so that a file is right when it is
/// switched to; every mistake is reported at the key that names it.
pub(crate) fn boards(
    devices: &[Row<'_>],
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Boards {
    let mut boards = Boards::new();
    for row in devices {
        let Some((name, span)) = row.text(BOARD.name) else { continue };
        let Some(text) = text_of(name, files) else {
            let message = format!("there is no board `{name}`");
            let names = SHIPPED.iter().map(|shipped| shipped.name);
            let near = nearest(name, names.clone()).map(|near| format!("did you mean `{near}`?"));
            let all = names.collect::<Vec<_>>().join(", ");
            let help = files.near(name).or(near).unwrap_or_else(|| {
                format!("write the path of a board file, or one of those that are shipped: {all}")
            });
            let label = "expected a board file or a board's name";
            out.report_with_help(Code::FILE_UNREADABLE, span, message, label, Some(help));
            continue;
        };
        match Description::parse(&text) {
            Ok(board) => {
                report_unavailable_way(row, &board, out);
                boards.insert(name.to_owned(), Arc::new(board));
            }
            Err(error) => {
                for mistake in &error.0 {
                    let message = format!("{name}: {mistake}");
                    out.report(Code::FILE_REFUSED, span, message, "the board of this file");
                }
            }
        }
        kept.insert(name.to_owned(), text);
    }
    boards
}

fn text_of(name: &str, files: &Files<'_>) -> Option<String> {
    if !name.ends_with(ENDING)
        && let Some(shipped) = shipped_boards::find(name)
    {
        return Some(shipped.text.to_owned());
    }
    String::from_utf8(files.read(name).ok()?).ok()
}

/// A board is there in the way that is asked for.
fn report_unavailable_way(row: &Row<'_>, board: &Description, out: &mut Diagnostics) {
    let Some((_, span)) = row.text(AS) else { return };
    let missing = match way_of(row) {
        Some(BoardWay::Emulated) if board.emulated.is_none() => "emulated",
        Some(BoardWay::Hardware) if board.hardware.is_none() => "hardware",
        _ => return,
    };
    let message = format!("the board `{}` is not there as `{missing}`", board.name);
    let label = format!("its file has no `[{missing}]`");
    out.report(Code::DOES_NOT_FIT, span, message, label);
}

/// What goes with what: a way that needs a board, a board that a network excludes, the thing itself
/// in its own time.
pub(super) fn validate_ways_of_boards(
    devices: &[Row<'_>],
    draft: &Draft<'_>,
    out: &mut Diagnostics,
) {
    for device in devices {
        let Some((way, span)) = device.text(AS) else { continue };
        let has = |key: &str| device.table.get(key).is_some();
        let (has_board, is_on) = (has(BOARD.name), has(ON));
        let (message, label, help) = match way {
            EMULATED if !has_board => (
                "which board is emulated is not written",
                "needs a `board`",
                "write `board = \"emulated-meter\"`, or the path of a board file",
            ),
            HARDWARE if !is_on && !has_board => (
                "hardware without a board or a network is not available",
                "there is no way to it",
                "write `board = \"FILE.toml\"`, or put it on a `[[network]]` with a `line` that a \
                 `[[gateway]]` reads",
            ),
            _ if has_board && is_on => (
                "a board on a field network is not available in this version",
                "expected a `board` or a network",
                "leave out `on`, or `board`",
            ),
            HARDWARE if has_board && !is_in_real_time(draft) => (
                "hardware takes its own time",
                "expected `time = \"real\"` with it",
                "write `time = \"real\"` under `[scenario]`, or `as = \"simulated\"`",
            ),
            _ => continue,
        };
        let code = match way {
            _ if has_board => Code::DOES_NOT_FIT,
            EMULATED => Code::MISSING_KEY,
            _ => Code::NOT_AVAILABLE,
        };
        out.report_with_help(code, span, message, label, Some(help.to_owned()));
    }
}

/// Samples go to an emulated board a byte at a time, which costs half a processor in real time.
const IN_REAL_TIME_MAX: i64 = 2;

/// The rate in hertz at which samples still reach them in time, measured on two processors.
const IN_REAL_TIME_MAX_HZ: f64 = 4000.0;

/// In real time no more boards get samples than two processors can serve, and no more samples.
pub(super) fn report_unservable_boards(
    devices: &[Row<'_>],
    draft: &Draft<'_>,
    out: &mut Diagnostics,
) {
    let rows = devices.iter();
    let emulated = || rows.clone().filter(|row| way_of(row) == Some(BoardWay::Emulated));
    let count = |row: &Row<'_>| {
        row.values.as_ref().and_then(|values| values.integer_opt("count")).unwrap_or(1)
    };
    let all: i64 = emulated().map(count).sum();
    let last = emulated().next_back().and_then(|row| row.text(AS));
    if let Some((_, span)) = last.filter(|_| all > IN_REAL_TIME_MAX && is_in_real_time(draft)) {
        let message = format!("{all} emulated boards in real time");
        let label = format!("samples reach at most {IN_REAL_TIME_MAX} of them in time");
        let help = "write `time = \"virtual\"`, where there may be any number".to_owned();
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    }
    for values in emulated().filter_map(|row| row.values.as_ref()) {
        let rate_hz = values.si_opt("sample_rate").unwrap_or(0.0);
        if rate_hz > IN_REAL_TIME_MAX_HZ && is_in_real_time(draft) {
            let message = format!("{rate_hz} samples a second for an emulated board in real time");
            let label = "expected at most \"4 kHz\": more do not reach it in time";
            out.report(Code::DOES_NOT_FIT, values.span_of("sample_rate"), message, label);
        }
    }
}

/// On one line each node has a number of its own, and hardware is on its own line by itself.
pub(super) fn report_equal_nodes(devices: &[Row<'_>], out: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for row in devices {
        let (Some(values), Some((line, span))) = (row.values.as_ref(), row.text(LINE.name)) else {
            continue;
        };
        let node = values.integer_opt(NODE.name).unwrap_or(0);
        let count = values.integer_opt("count").unwrap_or(1);
        let (message, label) = if count > 1 || !seen.insert((line.to_owned(), node)) {
            ("two nodes of one number on a line", "expected another `board_node` for each")
        } else if way_of(row) == Some(BoardWay::Hardware) {
            ("a line that hardware shares", "expected with emulated boards only")
        } else {
            continue;
        };
        out.report(Code::DOES_NOT_FIT, span, message, label);
    }
}
