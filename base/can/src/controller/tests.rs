//! Each rule of RM0008 by its clause, on cases worked out by hand.

use super::*;
use crate::frame::CanId;

fn frame(text: &str) -> CanFrame {
    text.parse().unwrap()
}

fn controller(edit: impl FnOnce(&mut ControllerConfiguration)) -> Controller {
    let filter_banks = vec![FilterBank::accept_all(FifoNumber::Fifo0)];
    let mut configuration = ControllerConfiguration { filter_banks, ..Default::default() };
    edit(&mut configuration);
    Controller::new(configuration).unwrap()
}

fn by_request(configuration: &mut ControllerConfiguration) {
    configuration.transmit_order = TransmitOrder::ByRequest;
}

fn attempt(controller: &mut Controller, end: AttemptEnd) -> String {
    let frame = controller.begin_attempt().unwrap();
    assert_eq!(controller.pending(), None, "one attempt at a time");
    controller.end_attempt(end).unwrap();
    frame.to_string()
}

/// What is sent if all attempts succeed.
fn sent(controller: &mut Controller) -> Vec<String> {
    let waiting = MAILBOX_COUNT - controller.empty_mailbox_count();
    (0..waiting).map(|_| attempt(controller, AttemptEnd::Sent)).collect()
}

fn ends(controller: &mut Controller) -> Vec<(RequestHandle, TransmitOutcome)> {
    std::iter::from_fn(|| controller.next_end()).map(|end| (end.handle, end.outcome)).collect()
}

/// 24.7.1, transmit priority; ISO 11898-1 for the arbitration of formats and remote frames.
#[test]
fn requests_are_sent_in_the_order_of_arbitration_or_of_request() {
    // 124 of the base format beats 04900000, whose first 11 bits are 124 too.
    let orders = [
        (["7FF#", "000#", "123#"], ["000#", "123#", "7FF#"]),
        (["123#R8", "123#01", "122#R"], ["122#R", "123#01", "123#R8"]),
        (["04900000#", "124#R", "048FFFFF#"], ["048FFFFF#", "124#R", "04900000#"]),
        (["00000001#R", "00000001#", "00000000#R"], ["00000000#R", "00000001#", "00000001#R"]),
        (["123#03", "123#01", "123#02"], ["123#03", "123#01", "123#02"]),
    ];
    for (requested, expected) in orders {
        let (mut by_identifier, mut fifo) = (controller(|_| ()), controller(by_request));
        for text in requested {
            by_identifier.request(frame(text)).unwrap();
            fifo.request(frame(text)).unwrap();
        }
        assert_eq!(sent(&mut by_identifier), expected);
        assert_eq!(sent(&mut fifo), requested);
    }
}

/// 24.7.1: a mailbox that became empty is the lowest again, and equal identifiers go by its number.
#[test]
fn of_equal_identifiers_the_lower_mailbox_goes_first_also_if_it_was_requested_later() {
    for (edit, expected) in [
        ((|_| ()) as fn(&mut ControllerConfiguration), ["123#03", "123#02"]),
        (by_request, ["123#02", "123#03"]),
    ] {
        let mut controller = controller(edit);
        let first = controller.request(frame("123#01")).unwrap();
        controller.request(frame("123#02")).unwrap();
        assert!(controller.abort(first));
        controller.request(frame("123#03")).unwrap();
        assert_eq!(sent(&mut controller), expected);
    }
}

#[test]
fn a_fourth_request_is_refused_and_its_frame_returned() {
    let mut controller = controller(|_| ());
    let handles = ["001#", "002#", "003#"].map(|text| controller.request(frame(text)).unwrap());
    let refused = controller.request(frame("000#AB")).unwrap_err();
    assert_eq!(refused.frame, frame("000#AB"));
    assert!(refused.to_string().contains("000#AB is in none"));
    assert_eq!(sent(&mut controller), ["001#", "002#", "003#"]);
    assert_eq!(ends(&mut controller), handles.map(|handle| (handle, TransmitOutcome::Sent)));
}

/// 24.7.1: the mailbox with the highest priority is scheduled until the bus is idle.
#[test]
fn a_request_before_the_next_start_of_frame_is_chosen_again() {
    let mut controller = controller(|_| ());
    controller.request(frame("200#")).unwrap();
    assert_eq!(controller.begin_attempt(), Ok(frame("200#")));
    controller.request(frame("100#")).unwrap();
    controller.end_attempt(AttemptEnd::LostArbitration).unwrap();
    assert_eq!(controller.pending(), Some(&frame("100#")));
    controller.request(frame("050#")).unwrap();
    assert_eq!(sent(&mut controller), ["050#", "100#", "200#"]);
}

/// A FIFO-ordered controller keeps 001 behind 7FF, which loses to every frame 400 of another node.
#[test]
fn a_controller_by_request_shows_priority_inversion_and_one_by_identifier_does_not() {
    let rounds_until_sent = |edit: fn(&mut ControllerConfiguration)| {
        let mut controller = controller(edit);
        controller.request(frame("7FF#")).unwrap();
        let urgent = controller.request(frame("001#")).unwrap();
        (1..=50).find(|_| {
            let offered = controller.begin_attempt().unwrap();
            let wins = offered.id().value() < 0x400;
            let end = if wins { AttemptEnd::Sent } else { AttemptEnd::LostArbitration };
            controller.end_attempt(end).unwrap();
            controller.next_end().is_some_and(|end| end.handle == urgent)
        })
    };
    assert_eq!(rounds_until_sent(|_| ()), Some(1));
    assert_eq!(rounds_until_sent(by_request), None);
}

/// 24.7.1, abort: at once if pending, else at the end of the attempt, which may still succeed.
#[test]
fn an_abort_waits_for_the_attempt_on_the_bus() {
    use TransmitOutcome::{Aborted, Error, LostArbitration, Sent};
    let cases = [
        (false, AttemptEnd::Sent, Sent),
        (false, AttemptEnd::LostArbitration, Aborted),
        (false, AttemptEnd::Error, Aborted),
        (true, AttemptEnd::Sent, Sent),
        (true, AttemptEnd::LostArbitration, LostArbitration),
        (true, AttemptEnd::Error, Error),
    ];
    for (is_one_shot, end, outcome) in cases {
        let mut controller = controller(|it| it.is_one_shot = is_one_shot);
        let sending = controller.request(frame("100#")).unwrap();
        let waiting = controller.request(frame("200#")).unwrap();
        controller.begin_attempt().unwrap();
        assert!(controller.abort(sending) && controller.abort(waiting));
        assert_eq!(ends(&mut controller), [(waiting, Aborted)]);
        assert_eq!(controller.empty_mailbox_count(), 2);
        controller.end_attempt(end).unwrap();
        assert_eq!(ends(&mut controller), [(sending, outcome)]);
        assert_eq!((controller.pending(), controller.empty_mailbox_count()), (None, 3));
        assert!(!controller.abort(sending), "an abort of what has ended has no effect");
    }
}

/// 24.7.1, non-automatic retransmission mode.
#[test]
fn a_failed_attempt_ends_the_request_in_one_shot_mode_only() {
    let outcomes = [
        (AttemptEnd::LostArbitration, TransmitOutcome::LostArbitration),
        (AttemptEnd::Error, TransmitOutcome::Error),
    ];
    for (end, outcome) in outcomes {
        let mut one_shot = controller(|it| it.is_one_shot = true);
        let handle = one_shot.request(frame("100#")).unwrap();
        attempt(&mut one_shot, end);
        assert_eq!(ends(&mut one_shot), [(handle, outcome)]);
        assert_eq!(one_shot.pending(), None);
        let mut again = controller(|_| ());
        again.request(frame("100#")).unwrap();
        attempt(&mut again, end);
        assert_eq!((ends(&mut again), again.pending()), (vec![], Some(&frame("100#"))));
    }
}

/// 24.7.6, bus-off recovery: neither transmits nor receives. The requests stay.
#[test]
fn bus_off_blocks_and_clears_nothing() {
    let mut controller = controller(|it| it.has_automatic_bus_off_recovery = true);
    assert!(controller.configuration().has_automatic_bus_off_recovery);
    controller.request(frame("100#")).unwrap();
    controller.receive(frame("200#"));
    controller.set_bus_off(true);
    assert_eq!(controller.pending(), None);
    assert_eq!(controller.begin_attempt(), Err(AttemptError::BusOff));
    assert_eq!(controller.receive(frame("300#")), Reception::BusOff);
    controller.request(frame("0FF#")).unwrap();
    controller.set_bus_off(false);
    assert_eq!(sent(&mut controller), ["0FF#", "100#"]);
    assert_eq!(controller.fifo(FifoNumber::Fifo0).pending_count(), 1);
}

#[test]
fn reports_out_of_order_are_errors() {
    let mut controller = controller(|_| ());
    assert_eq!(controller.begin_attempt(), Err(AttemptError::NothingPending));
    assert_eq!(controller.end_attempt(AttemptEnd::Sent), Err(AttemptError::NotOnBus));
    controller.request(frame("100#")).unwrap();
    controller.begin_attempt().unwrap();
    let on_bus = AttemptError::AlreadyOnBus { frame: frame("100#") };
    assert_eq!(controller.begin_attempt(), Err(on_bus));
    assert!(on_bus.to_string().starts_with("100# is on the bus"));
}

/// The software answers a remote frame; 24.7.1 and 24.7.3 know no automatic answer.
#[test]
fn a_remote_frame_is_received_and_not_answered() {
    let mut controller = controller(|_| ());
    assert_eq!(controller.receive(frame("123#R8")), Reception::Stored { fifo: FifoNumber::Fifo0 });
    assert_eq!((controller.pending(), controller.empty_mailbox_count()), (None, 3));
    assert_eq!(controller.fifo(FifoNumber::Fifo0).output().unwrap().frame, frame("123#R8"));
}

/// 24.7.3, overrun, and FOVR in 24.9.2.
#[test]
fn a_fourth_frame_overruns_a_fifo_in_both_policies() {
    for (overrun_policy, lost, kept) in [
        (OverrunPolicy::OverwriteLast, "003#", ["001#", "002#", "004#"]),
        (OverrunPolicy::DiscardNewest, "004#", ["001#", "002#", "003#"]),
    ] {
        let mut controller = controller(|it| it.overrun_policy = overrun_policy);
        let number = FifoNumber::Fifo0;
        for text in ["001#", "002#", "003#"] {
            let stored = Reception::Stored { fifo: number };
            assert_eq!(controller.receive(frame(text)), stored);
        }
        assert!(controller.fifo(number).is_full() && !controller.fifo(number).is_overrun());
        let lost = ReceivedFrame { frame: frame(lost), filter_match_index: 0 };
        let overrun = Reception::Overrun { fifo: number, lost };
        assert_eq!(controller.receive(frame("004#")), overrun);
        let fifo = controller.fifo_mut(number);
        assert_eq!((fifo.overrun_count(), fifo.is_overrun()), (1, true));
        let released: Vec<String> =
            std::iter::from_fn(|| fifo.release()).map(|it| it.frame.to_string()).collect();
        assert_eq!((released, fifo.is_overrun()), (kept.map(str::to_owned).to_vec(), true));
        fifo.clear_overrun();
        assert_eq!((fifo.overrun_count(), fifo.is_overrun(), fifo.output()), (1, false, None));
    }
}

/// 24.7.4, scale: STID 10:0, EXID 17:0, IDE, RTR, 0; and STID 10:0, RTR, IDE, EXID 17:15.
#[test]
fn words_of_filters_are_laid_out_as_in_the_manual() {
    let (short, long) = (CanId::standard(0x555), CanId::extended(0x1555_8001));
    let (short, long) = (short.unwrap(), long.unwrap());
    assert_eq!(filter_word_32(short, false), 0b1010_1010_1010_0000_0000_0000_0000_0000);
    assert_eq!(filter_word_32(short, true), 0b1010_1010_1010_0000_0000_0000_0000_0010);
    assert_eq!(filter_word_32(long, false), 0b1010_1010_1010_1100_0000_0000_0000_1100);
    assert_eq!(filter_word_16(short, false), 0b1010_1010_1010_0000);
    assert_eq!(filter_word_16(short, true), 0b1010_1010_1011_0000);
    assert_eq!(filter_word_16(long, true), 0b1010_1010_1011_1011);
}

/// A bank of a list or a mask, each of its filters for another identifier from `first` on.
fn bank(kind: &str, first: u32, number: u8, is_active: bool) -> FilterBank {
    let id = |at: u32| CanId::standard(first + at).unwrap();
    let (wide, narrow) = (|at| filter_word_32(id(at), false), |at| filter_word_16(id(at), false));
    let mask = |at| Mask16 { identifier: narrow(at), mask: u16::MAX };
    let form = match kind {
        "list32" => FilterForm::List32([0, 1].map(wide)),
        "mask32" => FilterForm::Mask32 { identifier: wide(0), mask: u32::MAX },
        "list16" => FilterForm::List16([0, 1, 2, 3].map(narrow)),
        _ => FilterForm::Mask16([0, 1].map(mask)),
    };
    let fifo = if number == 0 { FifoNumber::Fifo0 } else { FifoNumber::Fifo1 };
    FilterBank { form, fifo, is_active }
}

/// 24.7.4, filter match index: the example of figure 230, whose numbers are copied.
#[test]
fn filters_are_numbered_per_fifo_as_in_the_example_of_the_manual() {
    // Kind, FIFO, first number, and how many; an inactive bank has none that matches.
    let example: [(&str, u8, u8, u32); FILTER_BANK_COUNT] = [
        ("list32", 0, 0, 2),
        ("mask32", 0, 2, 1),
        ("mask16", 1, 0, 2),
        ("list16", 0, 3, 4),
        ("list32", 1, 2, 2),
        ("list32", 0, 7, 0),
        ("mask16", 0, 9, 2),
        ("mask16", 1, 4, 0),
        ("mask16", 1, 6, 2),
        ("list32", 0, 11, 2),
        ("list16", 1, 8, 0),
        ("list32", 1, 12, 2),
        ("mask32", 1, 14, 1),
        ("mask32", 0, 13, 1),
    ];
    let first = |number: usize| 0x100 + 0x10 * number as u32;
    let banks = example.iter().enumerate();
    let filter_banks: Vec<_> =
        banks.map(|(at, &(kind, fifo, _, count))| bank(kind, first(at), fifo, count > 0)).collect();
    let mut controller = controller(|it| it.filter_banks = filter_banks);
    for (at, (_, number, index, count)) in example.into_iter().enumerate() {
        let fifo = if number == 0 { FifoNumber::Fifo0 } else { FifoNumber::Fifo1 };
        for filter in 0..4 {
            let frame = frame(&format!("{:03X}#", first(at) + filter));
            let reception = controller.receive(frame);
            let released = controller.fifo_mut(fifo).release().map(|it| it.filter_match_index);
            let is_accepted = filter < count;
            let expected =
                if is_accepted { Reception::Stored { fifo } } else { Reception::Filtered };
            assert_eq!(reception, expected, "bank {at}, filter {filter}");
            assert_eq!(released, is_accepted.then_some(index + filter as u8));
        }
    }
    assert_eq!(controller.filtered_count(), 14 * 4 - 21);
}

/// 24.7.4, filter priority rules: of two banks for one identifier, wherever they stand.
#[test]
fn a_wide_filter_goes_before_a_narrow_one_a_list_before_a_mask_then_the_lower_number() {
    let kinds = ["list32", "mask32", "list16", "mask16"];
    for (rank, kind) in kinds.iter().enumerate() {
        for (other_rank, other) in kinds.iter().enumerate() {
            let banks = vec![bank(kind, 0x100, 0, true), bank(other, 0x100, 1, true)];
            let mut controller = controller(|it| it.filter_banks = banks);
            let fifo = if rank <= other_rank { FifoNumber::Fifo0 } else { FifoNumber::Fifo1 };
            let stored = Reception::Stored { fifo };
            assert_eq!(controller.receive(frame("100#")), stored, "{kind} before {other}");
        }
    }
}

#[test]
fn what_cannot_be_configured_is_named() {
    let error = |form| {
        let filter_banks = vec![FilterBank::default(), FilterBank { form, ..Default::default() }];
        let configuration = ControllerConfiguration { filter_banks, ..Default::default() };
        Controller::new(configuration).unwrap_err().to_string()
    };
    let reserved = error(FilterForm::List32([0, 0x123]));
    assert!(
        reserved.starts_with("filter bank 1, filter 1: bit 0 of the 32-bit identifier 00000123")
    );
    let without_ide = error(FilterForm::List16([0, 0, 0x2467, 0]));
    assert!(
        without_ide.starts_with("filter bank 1, filter 2: the identifier 2467 with the mask FFFF")
    );
    let banks = vec![FilterBank::default(); 15];
    let too_many = ControllerConfiguration { filter_banks: banks, ..Default::default() };
    let error = Controller::new(too_many).unwrap_err();
    assert_eq!(error, ConfigurationError::FilterBankCount { found: 15 });
    assert!(error.to_string().starts_with("15 filter banks, expected at most 14"));
}
