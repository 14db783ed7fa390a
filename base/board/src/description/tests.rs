//! Board files: what a right one means, and every mistake at its line.

use super::*;

const EMULATED_METER: &str = r#"format = 1
[board]
name = "emulated-meter"
language = "meter-node"
node = 3
span_earliest = "300 ms"
[ready]
banner = "LASTMETER meter {version} node {node} image {image}"
[emulated]
firmware = "meter"
"#;

#[test]
fn an_emulated_meter_is_read() {
    let board = Description::parse(EMULATED_METER).unwrap();
    assert_eq!(board.speech, Speech::MeterNode { node: 3 });
    let emulated = board.emulated.as_ref().unwrap();
    assert_eq!(emulated.ports, [PortRole::Network, PortRole::Stimulus]);
    assert_eq!(emulated.machine, "stm32vldiscovery");
    assert_eq!(board.span_earliest, SimDuration::from_milliseconds(300));
    assert_eq!(board.ready.within, SimDuration::from_seconds(3));
    assert!(board.hardware.is_none());
    assert!(board.quantities().iter().any(|id| id.name() == "electricity.voltage.rms.l1"));
}

#[test]
fn a_meter_of_text_lines_is_read() {
    let board = Description::parse(
        r#"format = 1
[board]
name = "desk"
language = "lines"
[hardware]
line = "tty:/dev/serial/by-id/usb-EXAMPLE-if00"
baud = 9600
power_off = ["usbrelay", "1=0"]
[[request]]
send = "READ?\r\n"
answer = "U={u}V\r\n"
[request.field.u]
quantity = "electricity.voltage.rms.l1"
unit = "V"
"#,
    )
    .unwrap();
    let hardware = board.hardware.as_ref().unwrap();
    assert_eq!((hardware.baud, hardware.parity.as_str()), (9600, "none"));
    assert_eq!(hardware.power_off, ["usbrelay", "1=0"]);
    assert_eq!(board.quantities().len(), 1);
}

/// Every mistake is there at once, with its line.
#[test]
fn all_mistakes_are_reported_with_their_lines() {
    let text = r#"format = 2
[bord]
[board]
name = "a b"
language = "morse"
nodes = 3
[ready]
banner = "{who}"
[emulated]
ports = ["bench", "bench"]
[hardware]
baud = 3
"#;
    let found = Description::parse(text).unwrap_err().0;
    let lines: Vec<usize> = found.iter().map(|mistake| mistake.line).collect();
    for line in [1, 2, 4, 5, 6, 12] {
        assert!(lines.contains(&line), "line {line} in {found:#?}");
    }
    // Of a file without the mistakes of its sections, those of what they mean.
    let text = EMULATED_METER
        .replace("firmware = \"meter\"", "firmware = \"meter\"\nports = [\"bench\", \"bench\"]")
        .replace("{version}", "{who}")
        + "[[request]]\nanswer = \"x{u}\\n\"\n";
    let found = Description::parse(&text).unwrap_err().0;
    let lines: Vec<usize> = found.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [8, 11, 12], "{found:#?}");
}

#[test]
fn a_board_that_is_nowhere_is_refused() {
    let text = EMULATED_METER.replace("[emulated]\nfirmware = \"meter\"\n", "");
    let found = Description::parse(&text).unwrap_err().to_string();
    assert!(found.contains("in no way"), "{found}");
    assert!(Description::parse("").unwrap_err().to_string().contains("[board]"));
}
