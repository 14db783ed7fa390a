//! A slave against the rules of the link layer, request by request.

use lastmeter_mbus::application::{Application, ApplicationError, DATA, RESET, SELECT};
use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::control::Control;
use lastmeter_mbus::frame::{ACKNOWLEDGE, BROADCAST, Frame, SELECTED, TEST_BROADCAST};
use lastmeter_mbus::header::{Identity, Manufacturer, Medium};
use lastmeter_mbus::slave::{Answer, Slave, SlaveConfig, TurnAround};
use lastmeter_units::{SimDuration, SimTime};

use crate::bus::{identity, telegram};

const NOW: SimTime = SimTime(1_000_000_000);

/// A slave at address 5 with three telegrams.
fn slave() -> Slave {
    let config = SlaveConfig::new(5, identity(12_345_678, "PAD", 1, Medium::WATER));
    Slave::new(config, vec![telegram(1, true), telegram(2, true), telegram(3, false)])
}

fn ask(slave: &mut Slave, frame: &Frame<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).expect("it fits");
    slave.receive(NOW, &bytes).map(|answer| answer.bytes)
}

fn short(slave: &mut Slave, control: Control, address: u8) -> Option<Vec<u8>> {
    ask(slave, &Frame::Short { control, address })
}

fn send(slave: &mut Slave, bit: bool, address: u8, user_data: &[u8]) -> Option<Vec<u8>> {
    let control = Control::SendUserData { frame_count: Some(bit) };
    let frame = Frame::with_data(control, address, user_data[0], &user_data[1..]).expect("it fits");
    ask(slave, &frame)
}

fn select(slave: &mut Slave, mask: Identity) -> Option<Vec<u8>> {
    send(slave, true, SELECTED, &[&[SELECT][..], &mask.bytes()].concat())
}

/// Access number and reading of an answer.
fn reading(answer: Option<Vec<u8>>) -> (u8, i64) {
    let bytes = answer.expect("an answer");
    let frame = Frame::decode(&bytes).expect("a frame");
    let Ok(Application::Variable { header, mut records }) = Application::decode(&frame) else {
        panic!("{frame:?}")
    };
    let Some(Ok(lastmeter_mbus::record::Item::Record(record))) = records.next() else {
        panic!("{frame:?}")
    };
    let (access_number, ..) = header.state().expect("a header");
    (access_number, record.value.integer().expect("an integer"))
}

fn error(answer: Option<Vec<u8>>) -> ApplicationError {
    let bytes = answer.expect("an answer");
    let frame = Frame::decode(&bytes).expect("a frame");
    let Ok(Application::Error(error)) = Application::decode(&frame) else { panic!("{frame:?}") };
    error
}

const fn read(bit: bool) -> Control {
    Control::RequestUserData2 { frame_count: Some(bit) }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands for an answer, of which there may be none")]
fn acknowledged() -> Option<Vec<u8>> {
    Some(vec![ACKNOWLEDGE])
}

#[test]
fn the_frame_count_bit_moves_on_or_repeats() {
    let mut slave = slave();
    assert_eq!(short(&mut slave, Control::SendReset, 5), acknowledged());
    assert_eq!(reading(short(&mut slave, read(true), 5)), (0, 1));
    assert_eq!(reading(short(&mut slave, read(true), 5)), (0, 1), "repeated as it was");
    assert_eq!(reading(short(&mut slave, read(false), 5)), (1, 2));
    assert_eq!(reading(short(&mut slave, read(true), 5)), (2, 3));
    assert_eq!(reading(short(&mut slave, read(false), 5)), (3, 1), "from the first again");
    // Without the valid bit each request is a new one.
    let uncounted = Control::RequestUserData2 { frame_count: None };
    assert_eq!(reading(short(&mut slave, uncounted, 5)), (4, 2));
    assert_eq!(reading(short(&mut slave, uncounted, 5)), (5, 3));
    // After an initialisation any bit is new, and the first telegram comes first.
    assert_eq!(short(&mut slave, Control::SendReset, 5), acknowledged());
    assert_eq!(reading(short(&mut slave, read(false), 5)), (6, 1));
}

#[test]
fn addresses_have_their_rules() {
    let mut slave = slave();
    for address in [0, 4, 6, 251, 252, SELECTED] {
        assert_eq!(short(&mut slave, Control::SendReset, address), None, "{address}");
    }
    assert_eq!(short(&mut slave, Control::SendReset, TEST_BROADCAST), acknowledged());
    assert_eq!(reading(short(&mut slave, read(true), TEST_BROADCAST)), (0, 1));
    // 255 is obeyed and not answered.
    assert_eq!(send(&mut slave, true, BROADCAST, &[DATA, 0x01, 0x7A, 200]), None);
    assert_eq!(slave.config().address, 200);
    assert_eq!(short(&mut slave, Control::SendReset, 5), None);
    assert_eq!(short(&mut slave, Control::SendReset, 200), acknowledged());
    // No slave has 251 or above.
    assert_eq!(send(&mut slave, true, 200, &[DATA, 0x01, 0x7A, 251]), acknowledged());
    assert_eq!(slave.config().address, 200);
    // An answer is no request, and a damaged frame is none.
    let answer = Frame::Short { control: Control::RESPONSE, address: 200 };
    assert_eq!(ask(&mut slave, &answer), None);
    assert_eq!(slave.receive(NOW, &[0x10, 0x40, 200, 0x41, 0x16]), None);
}

#[test]
fn a_selection_ends_with_another_or_an_initialisation() {
    let mut slave = slave();
    let own = slave.config().identity;
    assert_eq!(select(&mut slave, own), acknowledged());
    assert_eq!(reading(short(&mut slave, read(true), SELECTED)), (0, 1));
    assert_eq!(reading(short(&mut slave, read(false), SELECTED)), (1, 2));
    // A selection begins again: the same bit is new, and the first telegram comes first.
    assert_eq!(select(&mut slave, own), acknowledged());
    assert_eq!(reading(short(&mut slave, read(false), SELECTED)), (2, 1));
    // Its own bit by each way of addressing.
    assert_eq!(reading(short(&mut slave, read(false), 5)), (3, 2));
    let other = Identity { version: 2, ..own };
    assert_eq!(select(&mut slave, other), None);
    assert_eq!(short(&mut slave, read(true), SELECTED), None);
    for mask in [
        Identity::ANY,
        Identity { medium: Medium::ANY, version: 0xFF, ..own },
        Identity { manufacturer: Manufacturer::ANY, ..own },
        Identity { identification: own.identification.with_digit(3, 0xF), ..own },
    ] {
        assert_eq!(select(&mut slave, mask), acknowledged(), "{mask}");
    }
    assert_eq!(short(&mut slave, Control::SendReset, SELECTED), acknowledged());
    assert!(!slave.is_selected());
    assert_eq!(short(&mut slave, read(true), SELECTED), None);
}

#[test]
fn data_is_acknowledged_and_what_is_wrong_with_it_is_reported_next() {
    let mut slave = slave();
    assert_eq!(reading(short(&mut slave, read(true), 5)), (0, 1));
    assert_eq!(send(&mut slave, true, 5, &[RESET]), acknowledged());
    assert_eq!(reading(short(&mut slave, read(false), 5)), (1, 1), "from the first again");
    assert_eq!(send(&mut slave, false, 5, &[0x60]), acknowledged());
    let reported = error(short(&mut slave, read(true), 5));
    assert_eq!(reported, ApplicationError::UnimplementedControlInformation);
    let repeated = error(short(&mut slave, read(true), 5));
    assert_eq!(repeated, ApplicationError::UnimplementedControlInformation);
    assert_eq!(reading(short(&mut slave, read(false), 5)), (2, 2));
    assert_eq!(send(&mut slave, true, 5, &[DATA, 0x0C, 0x79, 0x78]), acknowledged());
    let reported = error(short(&mut slave, read(true), 5));
    assert_eq!(reported, ApplicationError::PrematureEndOfRecord);
    // The whole secondary address, as in the frames of libmbus.
    let whole = [DATA, 0x07, 0x79, 0x04, 0x03, 0x02, 0x01, 0x24, 0x40, 0x01, 0x04];
    assert_eq!(send(&mut slave, false, 5, &whole), acknowledged());
    assert_eq!(slave.config().identity, identity(1_020_304, "PAD", 1, Medium::HEAT_OUTLET));
    // The same bit again: acknowledged, and not obeyed a second time.
    assert_eq!(send(&mut slave, false, 5, &[DATA, 0x01, 0x7A, 9]), acknowledged());
    assert_eq!(slave.config().address, 5);
}

#[test]
fn a_request_of_class_1_is_acknowledged_without_alarms() {
    let class_1 = Control::RequestUserData1 { frame_count: Some(true) };
    assert_eq!(short(&mut slave(), class_1, 5), acknowledged());
}

#[test]
fn the_acknowledgement_of_a_switch_goes_at_the_rate_before() {
    let mut slave = slave();
    let mut bytes = Vec::new();
    let control = Control::SendUserData { frame_count: Some(true) };
    let information = BaudRate::Baud9600.control_information();
    let frame = Frame::Control { control, address: 5, information };
    frame.encode(&mut bytes).expect("it fits");
    let at = NOW + BaudRate::Baud2400.bits(33);
    let expected = Answer { at, baud: BaudRate::Baud2400, bytes: vec![ACKNOWLEDGE] };
    assert_eq!(slave.receive(NOW, &bytes), Some(expected));
    assert_eq!(slave.config().baud, BaudRate::Baud9600);
}

#[test]
fn an_answer_begins_after_the_turn_around() {
    let more = SimDuration::from_milliseconds(50);
    let turn_around = TurnAround { bits: 330, more };
    let config = SlaveConfig { turn_around, ..SlaveConfig::new(5, Identity::default()) };
    let mut slave = Slave::new(config, Vec::new());
    let answer = slave.receive(NOW, &[0x10, 0x40, 0x05, 0x45, 0x16]).expect("an answer");
    // 330 bit times at 2400 baud are 137.5 ms.
    assert_eq!(answer.at.since(NOW), SimDuration(187_500_000));
}
