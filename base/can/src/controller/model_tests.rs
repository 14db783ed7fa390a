//! A controller against naive models: mailboxes that sort bit strings, filters as patterns of
//! characters; and whatever is configured and called.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::tests::frame;

/// What is called.
#[derive(Clone, Copy, Debug)]
enum Call {
    Request(CanFrame),
    /// Of one of the requests made, by its number from the last.
    Abort(usize),
    Begin,
    End(AttemptEnd),
    BusOff(bool),
    Receive(CanFrame),
    Release(FifoNumber),
}

fn fifo_number() -> impl Strategy<Value = FifoNumber> {
    prop::sample::select(vec![FifoNumber::Fifo0, FifoNumber::Fifo1])
}

fn call(frame: impl Strategy<Value = CanFrame> + Clone) -> impl Strategy<Value = Call> {
    let ends = [AttemptEnd::Sent, AttemptEnd::LostArbitration, AttemptEnd::Error];
    prop_oneof![
        4 => frame.clone().prop_map(Call::Request),
        1 => (0_usize..5).prop_map(Call::Abort),
        4 => Just(Call::Begin),
        4 => prop::sample::select(ends.to_vec()).prop_map(Call::End),
        1 => prop::bool::weighted(0.2).prop_map(Call::BusOff),
        6 => frame.prop_map(Call::Receive),
        2 => fifo_number().prop_map(Call::Release),
    ]
}

/// Frames that often have the same identifier, or one that begins alike.
fn alike() -> impl Strategy<Value = CanFrame> + Clone {
    let texts = ["123#1", "123#2", "123#R", "122#", "048C0000#", "048C0000#R", "048F8001#"];
    prop::sample::select(texts.to_vec())
        .prop_map(|text| text.replace("#1", "#01").replace("#2", "#02").parse().unwrap())
}

/// The arbitration field as it goes over the wire (ISO 11898-1), most significant bit first.
fn wire(frame: &CanFrame) -> String {
    let remote = if frame.is_remote() { "1" } else { "0" };
    if frame.id().is_extended() {
        let bits = format!("{:029b}", frame.id().value());
        format!("{}11{}{remote}", &bits[..11], &bits[11..])
    } else {
        format!("{:011b}{remote}0", frame.id().value())
    }
}

/// A request as the naive model keeps it: one of a list in the order of request.
#[derive(Clone, Debug)]
struct Waiting {
    handle: RequestHandle,
    frame: CanFrame,
    mailbox: usize,
    is_sending: bool,
    is_aborted: bool,
}

#[derive(Default)]
struct NaiveMailboxes {
    waiting: Vec<Waiting>,
    ends: Vec<(RequestHandle, TransmitOutcome)>,
    is_bus_off: bool,
}

impl NaiveMailboxes {
    fn pending(&self, order: TransmitOrder) -> Option<Waiting> {
        if self.is_bus_off || self.waiting.iter().any(|it| it.is_sending) {
            return None;
        }
        let mut sorted = self.waiting.clone();
        if order == TransmitOrder::ByIdentifier {
            sorted.sort_by_key(|it| format!("{:0<40}{}", wire(&it.frame), it.mailbox));
        }
        sorted.into_iter().next()
    }

    fn begin(&mut self, order: TransmitOrder) -> Option<CanFrame> {
        let next = self.pending(order)?;
        self.waiting
            .iter_mut()
            .filter(|it| it.handle == next.handle)
            .for_each(|it| it.is_sending = true);
        Some(next.frame)
    }

    fn remove(&mut self, handle: RequestHandle, outcome: TransmitOutcome) {
        self.waiting.retain(|it| it.handle != handle);
        self.ends.push((handle, outcome));
    }

    fn request(&mut self, handle: RequestHandle, frame: CanFrame) {
        let is_free = |number: &usize| self.waiting.iter().all(|it| it.mailbox != *number);
        let mailbox = (0..3).find(is_free).unwrap();
        let (is_sending, is_aborted) = (false, false);
        self.waiting.push(Waiting { handle, frame, mailbox, is_sending, is_aborted });
    }

    fn abort(&mut self, handle: RequestHandle) -> bool {
        let Some(it) = self.waiting.iter_mut().find(|it| it.handle == handle) else { return false };
        it.is_aborted = true;
        if !it.is_sending {
            self.remove(handle, TransmitOutcome::Aborted);
        }
        true
    }

    fn end(&mut self, end: AttemptEnd, is_one_shot: bool) {
        let Some(it) = self.waiting.iter_mut().find(|it| it.is_sending) else { return };
        it.is_sending = false;
        let (handle, is_aborted) = (it.handle, it.is_aborted);
        let failed = match end {
            AttemptEnd::Sent => return self.remove(handle, TransmitOutcome::Sent),
            AttemptEnd::LostArbitration => TransmitOutcome::LostArbitration,
            AttemptEnd::Error => TransmitOutcome::Error,
        };
        if is_one_shot {
            self.remove(handle, failed);
        } else if is_aborted {
            self.remove(handle, TransmitOutcome::Aborted);
        }
    }
}

/// A frame's identifier, IDE and RTR in words of 32 and 16 characters, by the names of the bits.
fn characters(frame: &CanFrame, is_wide: bool) -> String {
    let (ide, bits) = if frame.id().is_extended() {
        ('1', format!("{:029b}", frame.id().value()))
    } else {
        ('0', format!("{:011b}{}", frame.id().value(), "0".repeat(18)))
    };
    let rtr = if frame.is_remote() { '1' } else { '0' };
    let (stid, exid) = bits.split_at(11);
    if is_wide {
        format!("{stid}{exid}{ide}{rtr}0")
    } else {
        format!("{stid}{rtr}{ide}{}", &exid[..3])
    }
}

/// The pattern of a filter: '.' where the mask has 0.
fn pattern(identifier: u32, mask: u32, width: usize) -> String {
    let bits = format!("{identifier:0width$b}");
    let masks = format!("{mask:0width$b}");
    bits.chars().zip(masks.chars()).map(|(bit, mask)| if mask == '1' { bit } else { '.' }).collect()
}

/// Tries every rule of priority in turn, and within each every bank.
fn naive_filter(banks: &[FilterBank], frame: &CanFrame) -> Option<(FifoNumber, u8)> {
    for (is_wide, is_list) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut numbers = [0, 0];
        for bank in banks {
            let wide = |identifier, mask| pattern(identifier, mask, 32);
            let narrow = |identifier: u16, mask: u16| pattern(identifier.into(), mask.into(), 16);
            let (of_kind, patterns) = match bank.form {
                FilterForm::Mask32 { identifier, mask } => {
                    ((true, false), vec![wide(identifier, mask)])
                }
                FilterForm::List32(list) => ((true, true), list.map(|it| wide(it, !0)).to_vec()),
                FilterForm::Mask16(list) => {
                    ((false, false), list.map(|it| narrow(it.identifier, it.mask)).to_vec())
                }
                FilterForm::List16(list) => ((false, true), list.map(|it| narrow(it, !0)).to_vec()),
            };
            for pattern in patterns {
                let is_alike = (pattern.chars().zip(characters(frame, is_wide).chars()))
                    .all(|(wanted, bit)| wanted == '.' || wanted == bit);
                if bank.is_active && of_kind == (is_wide, is_list) && is_alike {
                    return Some((bank.fifo, numbers[bank.fifo as usize]));
                }
                numbers[bank.fifo as usize] += 1;
            }
        }
    }
    None
}

/// Banks whose identifiers are those of the frames that come, with masks of few or many bits.
fn banks() -> impl Strategy<Value = Vec<FilterBank>> {
    let wide = || alike().prop_map(|frame| filter_word_32(frame.id(), frame.is_remote()));
    let narrow = || alike().prop_map(|frame| filter_word_16(frame.id(), frame.is_remote()));
    let form = prop_oneof![
        (wide(), any::<u32>(), any::<u32>()).prop_map(|(identifier, some, more)| {
            FilterForm::Mask32 { identifier, mask: some & more | 4 }
        }),
        [wide(), wide()].prop_map(FilterForm::List32),
        [(narrow(), any::<u16>()), (narrow(), any::<u16>())].prop_map(|list| {
            FilterForm::Mask16(list.map(|(identifier, mask)| Mask16 { identifier, mask: mask | 8 }))
        }),
        [narrow(), narrow(), narrow(), narrow()].prop_map(FilterForm::List16),
    ];
    let bank = (form, fifo_number(), any::<bool>())
        .prop_map(|(form, fifo, is_active)| FilterBank { form, fifo, is_active });
    vec(bank, 0..=FILTER_BANK_COUNT)
}

/// Any words whatever, of few banks or of more than there are.
fn any_banks() -> impl Strategy<Value = Vec<FilterBank>> {
    let mask = |(identifier, mask)| Mask16 { identifier, mask };
    let form = prop_oneof![
        any::<[u32; 2]>().prop_map(|[identifier, mask]| FilterForm::Mask32 { identifier, mask }),
        any::<[u32; 2]>().prop_map(FilterForm::List32),
        any::<[(u16, u16); 2]>().prop_map(move |list| FilterForm::Mask16(list.map(mask))),
        any::<[u16; 4]>().prop_map(FilterForm::List16),
    ];
    let bank = (form, fifo_number()).prop_map(|(form, fifo)| FilterBank::active(form, fifo));
    let bank = bank.boxed();
    prop_oneof![3 => vec(bank.clone(), 0..3), 1 => vec(bank, 12..18)]
}

fn configuration(
    banks: impl Strategy<Value = Vec<FilterBank>>,
) -> impl Strategy<Value = ControllerConfiguration> {
    let orders = vec![TransmitOrder::ByIdentifier, TransmitOrder::ByRequest];
    let policies = vec![OverrunPolicy::OverwriteLast, OverrunPolicy::DiscardNewest];
    let (orders, policies) = (prop::sample::select(orders), prop::sample::select(policies));
    (banks, orders, any::<bool>(), policies).prop_map(|it| ControllerConfiguration {
        filter_banks: it.0,
        transmit_order: it.1,
        is_one_shot: it.2,
        overrun_policy: it.3,
        has_automatic_bus_off_recovery: false,
    })
}

proptest! {
    /// Whatever the filters are and whatever is received meanwhile; wrong filters are an error.
    #[test]
    fn mailboxes_are_those_of_the_naive_model(
        mut configuration in configuration(any_banks()),
        calls in vec(call(prop_oneof![alike(), frame().boxed()].boxed()), 0..80),
    ) {
        let (order, is_one_shot) = (configuration.transmit_order, configuration.is_one_shot);
        let mut controller = Controller::new(configuration.clone()).or_else(|error| {
            assert!(error.to_string().contains(", expected "), "{error}");
            configuration.filter_banks.clear();
            Controller::new(configuration)
        }).unwrap();
        let (mut naive, mut handles, mut ends) = (NaiveMailboxes::default(), vec![], vec![]);
        for call in calls {
            match call {
                Call::Request(frame) => match controller.request(frame) {
                    Ok(handle) => {
                        naive.request(handle, frame);
                        handles.push(handle);
                    }
                    Err(refused) => {
                        prop_assert_eq!((refused.frame, naive.waiting.len()), (frame, 3));
                    }
                },
                Call::Abort(back) => if let Some(&handle) = handles.iter().rev().nth(back) {
                    prop_assert_eq!(controller.abort(handle), naive.abort(handle));
                },
                Call::Begin => {
                    prop_assert_eq!(controller.begin_attempt().ok(), naive.begin(order));
                }
                Call::End(end) => {
                    let is_sending = naive.waiting.iter().any(|it| it.is_sending);
                    prop_assert_eq!(controller.end_attempt(end).is_ok(), is_sending);
                    naive.end(end, is_one_shot);
                }
                Call::BusOff(is_bus_off) => {
                    controller.set_bus_off(is_bus_off);
                    naive.is_bus_off = is_bus_off;
                }
                Call::Receive(frame) => _ = controller.receive(frame),
                Call::Release(fifo) => _ = controller.fifo_mut(fifo).release(),
            }
            let next = naive.pending(order).map(|it| it.frame);
            prop_assert_eq!(controller.pending(), next.as_ref());
            prop_assert_eq!(controller.empty_mailbox_count(), 3 - naive.waiting.len());
            let new = std::iter::from_fn(|| controller.next_end());
            ends.extend(new.map(|it| (it.handle, it.outcome)));
            prop_assert_eq!(&ends, &naive.ends);
        }
    }

    #[test]
    fn filters_and_fifos_are_those_of_the_naive_model(
        configuration in configuration(banks()),
        calls in vec(call(alike()), 0..40),
    ) {
        let (banks, policy) = (configuration.filter_banks.clone(), configuration.overrun_policy);
        let mut controller = Controller::new(configuration).unwrap();
        let (mut stored, mut lost, mut filtered) = ([vec![], vec![]], [0, 0], 0);
        for call in calls {
            match call {
                Call::Receive(frame) => {
                    controller.receive(frame);
                    let Some((fifo, number)) = naive_filter(&banks, &frame) else {
                        filtered += 1;
                        continue;
                    };
                    let messages = &mut stored[fifo as usize];
                    messages.push((frame, number));
                    if messages.len() == 4 {
                        // The third or the fourth goes.
                        let is_locked = policy == OverrunPolicy::DiscardNewest;
                        messages.remove(if is_locked { 3 } else { 2 });
                        lost[fifo as usize] += 1;
                    }
                }
                Call::Release(fifo) => {
                    let messages = &mut stored[fifo as usize];
                    let expected = (!messages.is_empty()).then(|| messages.remove(0));
                    let released = controller.fifo_mut(fifo).release();
                    prop_assert_eq!(released.map(|it| (it.frame, it.filter_match_index)), expected);
                }
                _ => {}
            }
            for number in [FifoNumber::Fifo0, FifoNumber::Fifo1] {
                let (fifo, messages) = (controller.fifo(number), &stored[number as usize]);
                let output = fifo.output().map(|it| (it.frame, it.filter_match_index));
                prop_assert_eq!(output, messages.first().copied());
                prop_assert_eq!(fifo.pending_count(), messages.len());
                prop_assert_eq!(fifo.overrun_count(), lost[number as usize]);
                prop_assert_eq!(fifo.is_overrun(), lost[number as usize] > 0);
            }
            prop_assert_eq!(controller.filtered_count(), filtered);
        }
    }
}

/// The draws above reach what they are about: each form and both FIFOs take a frame, some frames
/// are filtered, and words that make no filter come as well as such that do.
#[test]
fn the_draws_reach_each_form_both_fifos_and_both_ends_of_a_configuration() {
    let (mut runner, mut reached) = (TestRunner::deterministic(), BTreeMap::new());
    for _ in 0..1000 {
        let (banks, frame) = (banks(), alike()).new_tree(&mut runner).unwrap().current();
        let one = banks.get(..1).unwrap_or_default();
        let form = one.iter().map(|bank| format!("{:?}", bank.form)[..6].to_owned()).collect();
        let fifo = naive_filter(one, &frame).map(|(fifo, _)| fifo);
        *reached.entry((form, format!("{fifo:?}"))).or_insert(0) += 1;
        let filter_banks = any_banks().new_tree(&mut runner).unwrap().current();
        let any = ControllerConfiguration { filter_banks, ..Default::default() };
        let is_taken = Controller::new(any).is_ok().to_string();
        *reached.entry(("any".to_owned(), is_taken)).or_insert(0) += 1;
    }
    reached.remove(&(String::new(), "None".to_owned()));
    // Four forms with both FIFOs and none, and two ends.
    assert!(reached.len() == 14 && reached.values().all(|&n| n >= 10), "{reached:?}");
}
