//! Meters of text lines as boards.

use lastmeter_units::SimDuration;

use super::fake::{Bench, START, build, values};
use crate::board::BoardWay;
use crate::border::{
    BoardFault, BoardInput, BoardOutput, BoardPort, DeviceFault, EventKind, Input, Output,
};

const ASKED: &str = include_str!("../../../boards/usb-serial-meter.toml");
const BY_ITSELF: &str = include_str!("../../../boards/ser2net-meter.toml");

/// A meter of lines; what it answers is given step by step.
struct Desk {
    bench: Bench,
    out: Vec<Output>,
}

impl Desk {
    fn new(board: &str) -> Self {
        let table = "report_every = \"2 s\"";
        let device = build((board, BoardWay::Hardware), ("ideal-1ph", table), None).unwrap();
        let mut desk = Self { bench: Bench::of(device), out: Vec::new() };
        desk.step(0.0, Input::Connected);
        desk
    }

    /// One input; what was sent to the meter.
    fn step(&mut self, seconds: f64, input: Input) -> Vec<String> {
        let now = START + SimDuration::from_seconds_f64(seconds);
        self.bench.device.step(now, input, &mut self.out);
        self.sent()
    }

    /// The same of the board.
    fn board_step(&mut self, seconds: f64, input: BoardInput) -> Vec<String> {
        let now = START + SimDuration::from_seconds_f64(seconds);
        self.bench.device.board().unwrap().board_step(now, input, &mut self.out);
        self.sent()
    }

    fn sent(&mut self) -> Vec<String> {
        let sent = self.bench.board().take_board_output();
        let lines = sent.into_iter().filter_map(|output| match output {
            BoardOutput::Bytes { bytes, .. } => Some(String::from_utf8_lossy(&bytes).into_owned()),
            BoardOutput::Order(_) => None,
        });
        lines.collect()
    }

    fn sends(&mut self, seconds: f64, line: &str) -> Vec<String> {
        let bytes = line.as_bytes().to_vec();
        self.board_step(seconds, BoardInput::Bytes { port: BoardPort::Network, bytes })
    }

    fn waits(&mut self) -> bool {
        self.bench.board().board_wait().is_some()
    }

    /// The bench with all that came out.
    fn end(mut self) -> Bench {
        assert!(!self.waits());
        self.bench.out = self.out;
        self.bench
    }
}

#[test]
fn a_meter_is_asked_by_its_line_and_its_answer_is_the_reading() {
    let mut desk = Desk::new(ASKED);
    assert!(desk.step(1.0, Input::Passed).is_empty());
    assert_eq!(desk.step(2.0, Input::Passed), ["READ?\r\n"]);
    assert!(desk.waits());
    desk.sends(2.0, "U=230.5 I=1.2");
    assert!(desk.waits());
    desk.sends(2.1, "5 P=288.1 n=17\r\n");
    let bench = desk.end();
    assert_eq!(bench.due(), [2.0]);
    let found = values(&bench.readings()[0]);
    assert!((found["electricity.voltage.rms.l1"] - 230.5).abs() < 1e-9);
    assert!((found["electricity.current.rms.l1"] - 1.25).abs() < 1e-9);
    assert!((found["electricity.power.active.consumed.l1"] - 0.2881).abs() < 1e-9);
}

#[test]
fn a_late_line_is_not_the_next_reading() {
    let mut desk = Desk::new(ASKED);
    assert_eq!(desk.step(2.0, Input::Passed), ["READ?\r\n"]);
    desk.board_step(3.0, BoardInput::Silent);
    assert!(!desk.waits());
    desk.sends(3.5, "U=111 I=1 P=1 n=1\r\n");
    assert_eq!(desk.step(4.0, Input::Passed), ["READ?\r\n"]);
    desk.sends(4.1, "U=222 I=2 P=2 n=2\r\n");
    let bench = desk.end();
    assert_eq!(bench.due(), [4.0]);
    assert!((values(&bench.readings()[0])["electricity.voltage.rms.l1"] - 222.0).abs() < 1e-9);
    let left_out = bench.notes(EventKind::ReadingLeftOut);
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].starts_with("board usb-serial-meter: no reading at "), "{left_out:?}");
    assert!(left_out[0].ends_with("no answer within 500 ms"), "{left_out:?}");
    let late = "board usb-serial-meter: 1 late line(s)";
    assert_eq!(bench.notes(EventKind::BoardDiscarded), [late]);
}

/// The next reading is due before the meter is to be believed again.
#[test]
fn late_answers_are_waited_for_where_the_next_reading_is_due() {
    let (unnumbered, _) = ASKED.split_once("[request.field.number]").unwrap();
    let mut desk = Desk::new(&unnumbered.replace(" n={number}", ""));
    desk.step(2.0, Input::Passed);
    desk.board_step(2.0, BoardInput::Silent);
    desk.sends(3.99, "?\r\n");
    // Not before it was silent for a while: `settle` of the grammar.
    assert!(desk.step(4.0, Input::Passed).is_empty());
    assert!(desk.waits());
    assert_eq!(desk.board_step(4.1, BoardInput::Silent), ["READ?\r\n"]);
    desk.sends(4.2, "U=222 I=2 P=2\r\n");
    assert_eq!(desk.end().due(), [4.0]);
}

#[test]
fn implausible_and_endless_numbers_make_no_reading() {
    let digits = "9".repeat(400);
    let lines = ["U=501 I=1 P=1 n=1\r\n", "U=nan I=1 P=1 n=1\r\n", "U=230 I=1e999 P=1 n=1\r\n"];
    let long = format!("U=230 I={digits} P=1 n=1\r\n");
    for line in lines.into_iter().chain([long.as_str()]) {
        let mut desk = Desk::new(ASKED);
        desk.step(2.0, Input::Passed);
        desk.sends(2.1, line);
        desk.board_step(3.0, BoardInput::Silent);
        let bench = desk.end();
        assert!(bench.due().is_empty(), "{line}");
        assert_eq!(bench.notes(EventKind::ReadingLeftOut).len(), 1, "{line}");
    }
}

#[test]
fn a_meter_that_sends_by_itself_is_only_listened_to() {
    let mut desk = Desk::new(BY_ITSELF);
    desk.sends(0.5, "0 W\n");
    desk.sends(1.5, "229 V; 1 A; 229 W\n");
    assert!(desk.step(2.0, Input::Passed).is_empty());
    assert!(desk.waits());
    desk.sends(2.5, "230 V; 2 A; 460 W\n");
    assert!(!desk.waits());
    desk.step(4.0, Input::Passed);
    desk.board_step(5.0, BoardInput::Silent);
    let bench = desk.end();
    assert_eq!(bench.due(), [2.0]);
    assert!((values(&bench.readings()[0])["electricity.voltage.rms.l1"] - 230.0).abs() < 1e-9);
    let left_out = bench.notes(EventKind::ReadingLeftOut);
    assert!(left_out[0].ends_with("no line of the meter's own"), "{left_out:?}");
}

/// Such a meter has one port, and no samples; whatever comes elsewhere hangs nothing.
#[test]
fn a_port_that_is_not_there_starts_nothing() {
    let mut desk = Desk::new(ASKED);
    let mut bytes = Vec::new();
    lastmeter_board::cobs::encode(&[0x84, 0], &mut bytes);
    let sent = desk.board_step(1.0, BoardInput::Bytes { port: BoardPort::Stimulus, bytes });
    assert!(sent.is_empty() && !desk.waits());
    desk.step(1.0, Input::Fault(DeviceFault::Board(BoardFault::Noise { frames: 1 })));
    assert_eq!(desk.step(2.0, Input::Passed).len(), 1);
    desk.board_step(3.0, BoardInput::Lost { reason: "unplugged".to_owned() });
    assert!(desk.sends(3.1, "U=230 I=1 P=1 n=1\r\n").is_empty());
    let bench = desk.end();
    assert!(bench.due().is_empty());
    assert_eq!(bench.notes(EventKind::BoardLost), ["board usb-serial-meter: unplugged"]);
}
