//! Devices that are boards: what a scenario makes of them, and what it refuses.

use lastmeter_devices::BoardWay;

use super::{assert_printed, change, load, mistakes};

const BOARD: &str = r#"format = 1
[scenario]
name = "board"
start = 2027-01-18T17:00:00Z
duration = "10 s"
[[source]]
name = "mains"
kind = "synthetic"
phases = 1
[[device]]
name = "meter"
at = "source:mains"
model = "cvct-stm32f107"
as = "emulated"
board = "emulated-meter"
sample_rate = "5 kHz"
report_every = "1 s"
quantities = ["voltage", "active_power"]
[[check]]
name = "readings-once"
kind = "no_loss"
"#;

#[test]
fn one_line_chooses_the_way() {
    let of = |text: &str| {
        let scenario = load(text).map_err(|failure| failure.to_string()).unwrap();
        let device = scenario.build_device(0).unwrap();
        (scenario.devices[0].board.as_ref().map(|board| board.way), device.declared().is_some())
    };
    assert_eq!(of(BOARD), (Some(BoardWay::Emulated), true), "a board announces nothing");
    assert_eq!(of(&BOARD.replace("\"emulated\"", "\"simulated\"")), (None, false));
}

/// What it is resolved to means the same.
#[test]
fn a_board_survives_being_resolved() {
    let scenario = load(BOARD).map_err(|failure| failure.to_string()).unwrap();
    let again = load(&scenario.resolved_toml()).map_err(|failure| failure.to_string()).unwrap();
    assert!(scenario.same_meaning(&again));
    assert!(scenario.written.files["emulated-meter"].contains("[emulated]"));
}

#[test]
fn what_cannot_be_is_refused_where_it_stands() {
    let with = |from: &str, to: &str| (change(from, to), load(&BOARD.replacen(from, to, 1)));
    let cases = [
        with("board = \"emulated-meter\"\n", ""),
        with("\"emulated-meter\"", "\"emulated-metre\""),
        with("\"emulated\"", "\"hardware\""),
        with("board = \"emul", "on = \"network:x\"\nboard = \"emul"),
        with("\"emulated-meter\"", "\"usb-serial-meter\""),
        with("\"active_power\"", "\"reactive_power\""),
        with("\"5 kHz\"", "\"20 kHz\""),
        with("sample_rate", "bits = 14\nsample_rate"),
        with("cvct-stm32f107", "stpm34-1ph"),
        with("as =", "board_line = \"riser\"\ncount = 2\nas ="),
    ];
    assert_printed("boards", cases);
}

/// Samples for more boards than two would come late.
#[test]
fn real_time_carries_two_emulated_boards() {
    let real = |count: u32| {
        let text = BOARD.replacen("duration =", "time = \"real\"\nduration =", 1);
        text.replacen("5 kHz", "4 kHz", 1).replacen(
            "name = \"meter\"",
            &format!("name = \"meter\"\ncount = {count}"),
            1,
        )
    };
    assert!(load(&real(2)).is_ok());
    let found = mistakes(&real(2).replacen("4 kHz", "5 kHz", 1));
    assert!(found.iter().any(|it| it.contains("5000 samples a second")), "{found:?}");
    let found = mistakes(&real(3));
    assert!(found.iter().any(|it| it.contains("3 emulated boards in real time")), "{found:?}");
}
