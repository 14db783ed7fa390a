//! Tables that do not fit a board.

use super::fake::{EMULATED, SLCAN_NODE, build};
use crate::board::BoardWay;

/// The mistakes of a table: the text that each marks, its message and its label.
fn mistakes(board: &str, way: BoardWay, model: &str, table: &str) -> Vec<String> {
    let Err(found) = build((board, way), (model, table), None) else { return Vec::new() };
    let marked = |start: usize, end: usize| table.get(start..end).unwrap_or("").to_owned();
    let shown = found.iter().map(|it| {
        format!("{} | {} | {}", marked(it.span.start, it.span.end), it.message, it.label)
    });
    shown.collect()
}

#[test]
fn what_the_firmware_is_not_built_for_is_a_mistake_at_its_place() {
    let found = |table: &str| mistakes(EMULATED, BoardWay::Emulated, "cvct-stm32f107", table);
    assert_eq!(found(""), [""; 0]);
    let bits = "bits = 10 | a board whose converter has 10 bits | expected 12, which its firmware \
        is built for";
    let cases = [
        ("bits = 10", bits),
        (
            "converter_range = \"3.3 V\"",
            "\"3.3 V\" | a board whose converter has another range | expected \"3.6 V\", which \
            its firmware assumes",
        ),
        (
            "nominal_voltage = \"120 V\"",
            "\"120 V\" | a board whose largest voltage is 240 | expected 460: nominal value times \
            headroom and ratio",
        ),
        (
            "sample_rate = \"20 kHz\"",
            "\"20 kHz\" | a board that samples at 20000 Hz | expected whole hertz from 4 kHz to \
            12.5 kHz",
        ),
    ];
    for (table, expected) in cases {
        let found = found(table);
        let expected = expected.replace("bits = 10 |", "10 |");
        assert_eq!(found, [expected], "{table}");
    }
}

#[test]
fn a_model_without_a_converter_is_no_emulated_board() {
    let found = mistakes(EMULATED, BoardWay::Emulated, "stpm34-1ph", "");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a `stpm34-1ph` is not what this board emulates"), "{found:?}");
    assert!(mistakes(SLCAN_NODE, BoardWay::Hardware, "stpm34-1ph", "").is_empty());
}

#[test]
fn what_a_board_does_not_measure_is_a_mistake() {
    let table = "quantities = [\"voltage\", \"flicker\"]";
    let found = mistakes(EMULATED, BoardWay::Emulated, "cvct-stm32f107", table);
    let expected = "[\"voltage\", \"flicker\"] | the board `emulated-meter` does not measure \
        `flicker` | expected groups among voltage, current, active_power, apparent_power, \
        non_active_power, power_factor, frequency, active_energy";
    assert_eq!(found, [expected]);
}
