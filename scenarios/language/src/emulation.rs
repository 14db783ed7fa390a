//! What this machine lacks to emulate boards: looked up when a scenario is read, so that one that
//! cannot run here is unavailable before anything starts.

use lastmeter_board::description::Emulated;
use lastmeter_devices::BoardWay;
use lastmeter_link::emulator;

use super::section::board::BoardRow;

/// The compiler, and the package that has it.
const COMPILER: &str = "arm-none-eabi-gcc";
const COMPILER_PACKAGE: &str = "gcc-arm-none-eabi";

/// What a path of an image ends in.
pub const IMAGE_ENDING: &str = ".elf";

/// What of a board is emulated, where that is its way.
pub fn emulated_of(row: &BoardRow) -> Option<&Emulated> {
    row.description.emulated.as_ref().filter(|_| row.way == BoardWay::Emulated)
}

/// What this machine lacks for the boards of a scenario; `None`: nothing.
pub(crate) fn missing_for_boards<'a>(boards: impl Iterator<Item = &'a BoardRow>) -> Option<String> {
    boards.filter_map(emulated_of).find_map(|emulated| missing_for_firmware(&emulated.firmware))
}

/// What this machine lacks to emulate a board with such firmware; `None`: nothing.
pub fn missing_for_firmware(firmware: &str) -> Option<String> {
    let lacks = |program: &str, package: &str| {
        (!emulator::found(program))
            .then(|| format!("NOT RUN: {program} not found (install {package})"))
    };
    let compiler =
        || lacks(COMPILER, COMPILER_PACKAGE).filter(|_| !firmware.ends_with(IMAGE_ENDING));
    lacks(emulator::PROGRAM, emulator::PROGRAM).or_else(compiler)
}
