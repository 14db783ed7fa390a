//! What goes wrong between a device and its board.

use proptest::prelude::*;

use lastmeter_board::meter_node::Register;
use lastmeter_units::{SimDuration, SimTime};

use super::fake::{Bench, EMULATED, IDEAL, Manner, SLCAN_NODE, START, build};
use crate::board::BoardWay;
use crate::border::{
    BoardFault, BoardInput, BoardPort, DeviceFault, EventKind, Feed, Input, Output,
};

const PARTIAL: &str = "it has not measured all of the time";

fn at(seconds: i64) -> SimTime {
    START + SimDuration::from_milliseconds(1000 * seconds)
}

/// What the record holds of a reading that is not made.
fn left_out(seconds: i64, why: &str) -> String {
    format!("board emulated-meter: no reading at {}: {why}", at(seconds))
}

#[test]
fn a_garbled_frame_is_sent_again_and_nothing_is_taken_twice() {
    let mut clean = Bench::emulated(IDEAL);
    clean.run(2.5);
    let mut bench = Bench::emulated(IDEAL);
    bench.run(0.5);
    for piece in [0.6, 0.7, 1.2] {
        bench.fault(DeviceFault::Board(BoardFault::Noise { frames: 1 }));
        bench.run(piece);
    }
    bench.run(2.5);
    assert_eq!(bench.fake.refused, [2, 2, 2]);
    assert_eq!(bench.notes(EventKind::BoardRetried).len(), 3);
    let detail = "board emulated-meter: it refused a frame with a wrong CRC";
    assert_eq!(bench.notes(EventKind::BoardRetried)[0], detail);
    assert_eq!(bench.fake.pairs, clean.fake.pairs);
    assert_eq!(bench.due(), [1.0, 2.0]);
}

/// The adapter refuses such a line; what is opened again then is asked once more.
#[test]
fn a_garbled_order_of_the_network_is_given_again() {
    let board = (SLCAN_NODE, BoardWay::Hardware);
    let device = build(board, ("cvct-stm32f107", "report_every = \"1 s\""), None).unwrap();
    let mut bench = Bench::of(device);
    bench.fake.own_windows = 5;
    bench.fake.record = vec![0];
    bench.step(Input::Connected);
    bench.fault(DeviceFault::Board(BoardFault::Noise { frames: 1 }));
    bench.pass(1.0);
    bench.pass(2.0);
    assert_eq!((bench.due(), bench.silences), (vec![1.0, 2.0], 0));
    let closed = "board slcan-node: its adapter was closed";
    assert_eq!(bench.notes(EventKind::BoardRetried), [closed]);
}

#[test]
fn a_deaf_board_is_left_alone_until_a_reading_is_due() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.2);
    bench.fake.manner = Manner::IsDeaf;
    let before = bench.sent.len();
    bench.run(1.9);
    assert_eq!(bench.sent.len(), before + 2, "the frame and its repetition");
    assert_eq!((bench.sent[before].clone(), bench.silences), (bench.sent[before + 1].clone(), 2));
    bench.run(3.5);
    // Asked once with each reading that is due, but for the one with which it became silent.
    assert_eq!((bench.sent.len(), bench.silences), (before + 4, 4));
    assert_eq!(bench.notes(EventKind::BoardRetried).len(), 1);
    assert_eq!(bench.notes(EventKind::BoardSilent), ["board emulated-meter: no answer within 3 s"]);
    let taken = bench.fake.pairs.len();
    bench.fake.manner = Manner::Answers;
    bench.run(3.9);
    assert_eq!(bench.fake.pairs.len(), taken, "it is asked with the next reading");
    bench.run(6.5);
    assert_eq!(bench.fake.begins.len(), 2);
    assert_eq!(bench.due(), [1.0, 5.0, 6.0]);
    let late = "no answer within 3 s";
    let expected = [left_out(2, late), left_out(3, late), left_out(4, PARTIAL)];
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), expected);
    let spans = bench.out.iter().filter_map(|output| match output {
        Output::Reading { span, .. } => Some(span.from.as_seconds_f64()),
        _ => None,
    });
    assert_eq!(spans.collect::<Vec<_>>(), [0.0, 4.0, 5.0]);
}

#[test]
fn late_answers_to_samples_are_discarded() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.2);
    bench.fake.manner = Manner::AnswersLate;
    bench.run(1.3);
    bench.release();
    assert_eq!(bench.notes(EventKind::BoardDiscarded).len(), 2);
    bench.run(4.5);
    // It had taken one frame; what came behind it until the next reading was not sent.
    assert_eq!(bench.due(), [1.0, 3.0, 4.0]);
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), [left_out(2, PARTIAL)]);
}

/// The answer to a frame numbered as that to the beginning would be is not taken for it.
#[test]
fn no_frame_of_samples_has_the_number_of_the_beginning() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(3.0);
    let frames = bench.sent.iter().filter(|(port, _)| *port == BoardPort::Stimulus);
    let mut reader = lastmeter_board::cobs::Reader::default();
    let numbers: Vec<u8> = frames
        .flat_map(|(_, bytes)| reader.take(bytes))
        .map(Result::unwrap)
        .filter(|frame| frame[0] == 1)
        .map(|frame| frame[1])
        .collect();
    assert!(numbers.len() > 300);
    assert!(!numbers.contains(&0));
    assert_eq!(numbers[254..257], [255, 1, 2]);
}

#[test]
fn a_late_answer_to_the_order_is_not_that_to_the_next() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(0.95);
    bench.fake.manner = Manner::AnswersLateOn(BoardPort::Network);
    bench.run(1.5);
    bench.fake.registers.insert(Register::VoltageCurrent, [0; 8]);
    bench.release();
    bench.run(3.5);
    assert_eq!(bench.due(), [3.0]);
    let expected = [left_out(1, "no answer within 3 s"), left_out(2, PARTIAL)];
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), expected);
    assert_eq!(bench.notes(EventKind::BoardDiscarded).len(), 2, "two late answers");
}

#[test]
fn a_reset_in_mid_window_costs_the_reading_under_way() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.33);
    bench.fault(DeviceFault::Board(BoardFault::Reset));
    assert_eq!(bench.fake.record, [b'E'; 64], "what it had given to be kept");
    bench.run(4.5);
    assert_eq!(bench.due(), [1.0, 3.0, 4.0]);
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), [left_out(2, PARTIAL)]);
    assert_eq!(bench.notes(EventKind::BoardRestarted), ["board emulated-meter: it has restarted"]);
    assert_eq!((bench.fake.begins.len(), bench.silences), (2, 0));
}

/// By itself: instead of answering to samples, and instead of closing a reading.
#[test]
fn a_reset_while_an_answer_is_due_hangs_nothing() {
    let mut bench = Bench::emulated(IDEAL);
    bench.fake.resets_at = Some(13_000);
    bench.run(2.5);
    bench.fake.resets_at_freeze = true;
    bench.run(4.5);
    assert_eq!(bench.due(), [1.0, 4.0]);
    let expected = [left_out(2, PARTIAL), left_out(3, "it has restarted")];
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), expected);
    assert_eq!((bench.fake.begins.len(), bench.silences), (3, 0));
}

/// The frame that carries the record may be garbled, too.
#[test]
fn a_garbled_record_is_given_again() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.5);
    bench.fault(DeviceFault::Board(BoardFault::Noise { frames: 1 }));
    bench.fault(DeviceFault::Board(BoardFault::Reset));
    bench.run(3.5);
    assert_eq!(bench.fake.refused, [2]);
    assert_eq!((bench.due(), bench.silences), (vec![1.0, 3.0], 0));
    assert_eq!(bench.board().board_fault(), None);
}

#[test]
fn a_board_that_starts_without_end_is_a_fault() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.1);
    for _ in 0..9 {
        assert_eq!(bench.board().board_fault(), None);
        bench.start();
    }
    let fault = bench.board().board_fault().unwrap();
    assert!(fault.contains("emulated-meter: it has started 8 times"), "{fault}");
}

#[test]
fn a_board_that_hangs_goes_on_at_the_next_reading() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.2);
    bench.fault(DeviceFault::Board(BoardFault::Stop {
        until: at(2) + SimDuration::from_milliseconds(500),
    }));
    bench.run(5.5);
    assert_eq!(bench.due(), [1.0, 4.0, 5.0]);
    assert_eq!(bench.notes(EventKind::ReadingLeftOut).len(), 2);
}

#[test]
fn bytes_lost_once_cost_one_reading() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.2);
    bench.fake.lost = 3;
    bench.run(4.5);
    assert_eq!(bench.due(), [1.0, 3.0, 4.0]);
    assert_eq!(bench.notes(EventKind::BoardDiscarded), ["board emulated-meter: it has lost bytes"]);
}

#[test]
fn samples_are_counted_on_both_sides() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.2);
    // It starts without a word: its counts begin at zero, its adapter is closed.
    bench.fake.start();
    bench.run(4.5);
    assert_eq!(bench.due(), [1.0, 3.0, 4.0]);
    let note = bench.notes(EventKind::BoardDiscarded)[0];
    assert!(note.ends_with("it counts 80 samples, expected 12080"), "{note}");
    assert_eq!(bench.fake.begins.len(), 2);
}

fn fault_of(change: impl Fn(&mut super::fake::Fake)) -> Option<String> {
    let board = (EMULATED, BoardWay::Emulated);
    let device = build(board, ("cvct-stm32f107", IDEAL), Some(0x00C0_FFEE)).unwrap();
    let mut bench = Bench::of(device);
    change(&mut bench.fake);
    bench.step(Input::Passed);
    bench.start();
    bench.run(0.5);
    assert!(bench.fake.pairs.is_empty() || bench.board().board_fault().is_none());
    bench.board().board_fault()
}

#[test]
fn another_board_than_the_expected_one_is_refused() {
    assert_eq!(fault_of(|_| ()), None);
    let found = fault_of(|fake| fake.image = 0x1234);
    let image = "board emulated-meter: its image has the CRC-32 00001234, expected 00c0ffee: \
        flash it";
    assert_eq!(found.as_deref(), Some(image));
    let found = fault_of(|fake| fake.version = [2, 7]);
    let version = "board emulated-meter: its firmware is version 2.7, expected 1.0";
    assert_eq!(found.as_deref(), Some(version));
    let found = fault_of(|fake| fake.reported_node = Some(9));
    let node = "board emulated-meter: node 9 answers, expected node 1";
    assert_eq!(found.as_deref(), Some(node));
    let found = fault_of(|fake| fake.manner = Manner::IsDeaf);
    let silent = "board emulated-meter: no answer within 5 s; check its port, its baud rate \
        and its firmware";
    assert_eq!(found.as_deref(), Some(silent));
}

#[test]
fn a_lost_port_is_noted_once_and_nothing_is_sent_to_it() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.2);
    let before = bench.sent.len();
    for _ in 0..3 {
        bench.board_step(BoardInput::Lost { reason: "its port is lost: unplugged".to_owned() });
    }
    bench.run(2.2);
    // What was still on its way.
    bench.start();
    bench.board_step(BoardInput::Silent);
    bench.run(3.2);
    assert_eq!(bench.sent.len(), before);
    let lost = "board emulated-meter: its port is lost: unplugged";
    assert_eq!(bench.notes(EventKind::BoardLost), [lost]);
    let expected = [left_out(2, "it cannot be used"), left_out(3, "it cannot be used")];
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), expected);
    assert_eq!(bench.due(), [1.0]);
}

#[test]
fn registers_that_are_all_ones_make_no_reading() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(1.2);
    let honest = bench.fake.registers.clone();
    for data in bench.fake.registers.values_mut() {
        *data = [0xFF; 8];
    }
    bench.run(2.2);
    for (register, data) in &honest {
        bench.fake.registers.insert(*register, *data);
    }
    bench.run(3.2);
    assert_eq!(bench.due(), [1.0, 3.0]);
    let why = "VoltageRms is 4294.967 in SI units, expected at most 3000";
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), [left_out(2, why)]);
}

/// A node that measures by itself: what it had measured before is of no reading, nor is what
/// another order closed.
#[test]
fn a_node_on_a_desk_is_held_to_its_numbers() {
    let board = (SLCAN_NODE, BoardWay::Hardware);
    let device = build(board, ("cvct-stm32f107", "report_every = \"1 s\""), None).unwrap();
    let mut bench = Bench::of(device);
    bench.fake.own_windows = 5;
    bench.fake.record = vec![0];
    bench.step(Input::Connected);
    assert_eq!(bench.fake.freezes, 1, "what it had measured before");
    bench.pass(1.0);
    bench.fake.manner = Manner::AnswersLate;
    bench.pass(2.0);
    bench.release();
    bench.pass(3.0);
    bench.pass(4.0);
    bench.fake.own_windows = 0;
    bench.pass(5.0);
    bench.fake.own_windows = 5;
    bench.pass(6.0);
    assert_eq!(bench.due(), [1.0, 4.0, 6.0]);
    let named = |line: String| line.replace("emulated-meter", "slcan-node");
    let expected = [
        left_out(2, "no answer within 1 s"),
        left_out(3, PARTIAL),
        left_out(5, "no window since the last reading"),
    ];
    assert_eq!(bench.notes(EventKind::ReadingLeftOut), expected.map(named));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever comes on both ports, with and without an answer that is waited for.
    #[test]
    fn random_bytes_neither_stop_it_nor_make_it_hang(
        pieces in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..200), 1_usize..400),
            1..30,
        ),
        is_deaf in any::<bool>(),
    ) {
        let mut bench = Bench::emulated(&IDEAL.replace("1 s", "250 ms"));
        for (is_network, bytes, samples) in pieces {
            if is_deaf {
                bench.fake.manner = Manner::IsDeaf;
            }
            let port = if is_network { BoardPort::Network } else { BoardPort::Stimulus };
            bench.deliver(vec![(port, bytes)]);
            bench.run_on(samples as f64 / 10_000.0);
        }
    }
}

/// A board that never stops sending is silent.
#[test]
fn bytes_without_end_are_no_answer() {
    let mut bench = Bench::emulated(IDEAL);
    bench.run(0.5);
    bench.fake.manner = Manner::IsDeaf;
    let Feed::Samples { rate_hz } = bench.device.feed() else { panic!("no samples") };
    let block = lastmeter_sim::Block {
        voltages: vec![vec![0.0; 20_000]],
        currents: vec![vec![0.0; 20_000]],
        temperatures: Vec::new(),
    };
    let mut out = Vec::new();
    let input = Input::Samples { first_sample: bench.samples, rate_hz, block };
    bench.device.step(START, input, &mut out);
    assert!(bench.board().board_wait().is_some());
    for port in [BoardPort::Network, BoardPort::Stimulus].into_iter().cycle().take(2000) {
        if bench.board().board_wait().is_none() {
            break;
        }
        let bytes = vec![b'x'; 100];
        bench.board().board_step(START, BoardInput::Bytes { port, bytes }, &mut out);
    }
    assert_eq!(bench.board().board_wait(), None);
}
