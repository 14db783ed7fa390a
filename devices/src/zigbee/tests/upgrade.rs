//! The client of program images: alone through whatever happens to its frames and its power, and
//! in a node over the radio.

use std::cell::RefCell;
use std::rc::Rc;

use lastmeter_units::{SimDuration, SimTime};
use lastmeter_zigbee::image::{self, ImageError};
use lastmeter_zigbee::network::{ApsFrame, NodeConfig};
use lastmeter_zigbee::zcl::cluster::OTA_UPGRADE;
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::global::{DefaultResponse, command};
use lastmeter_zigbee::zcl::{Direction, Frame, Header, Status};
use proptest::prelude::*;

use super::home::{Home, NODE, seconds};
use crate::zigbee::{
    Application, BLOCK_BYTES, RoomSensor, Upgrade, UpgradeConfig, UpgradeOutcome, ZigbeeNode,
};

const RUNNING: ImageId = ImageId { manufacturer: 0x1234, image_type: 1, version: 6 };
/// Bytes in front of the data of a block.
const BLOCK_HEAD: usize = 17;
const IMAGE: ImageId = ImageId { version: 7, ..RUNNING };

fn file(program: usize) -> Vec<u8> {
    let program: Vec<u8> = (0..program).map(|at| (at * 7 + at / 251) as u8).collect();
    image::file_of(IMAGE, &program)
}

/// A server with one image, and what it was asked.
#[derive(Debug)]
struct Server {
    file: Vec<u8>,
    /// How often each block was asked for.
    asked: Vec<u32>,
    /// How the client ended.
    ended: Option<Status>,
    /// What is answered in place of the next block.
    instead: Option<BlockResponse<'static>>,
}

impl Server {
    fn new(file: Vec<u8>) -> Self {
        let asked = vec![0; file.len().div_ceil(BLOCK_BYTES)];
        Self { file, asked, ended: None, instead: None }
    }

    fn answer(&mut self, payload: &[u8]) -> Vec<u8> {
        let frame = Frame::decode(payload).unwrap();
        let sequence = frame.header.sequence;
        let answer = match Ota::decode(&frame).unwrap() {
            Ota::QueryNextImage { current, .. } if current == IMAGE => {
                Ota::NextImage(Err(Status::NO_IMAGE_AVAILABLE))
            }
            Ota::QueryNextImage { .. } => Ota::NextImage(Ok((IMAGE, self.file.len() as u32))),
            Ota::BlockRequest { image, offset, size_max, .. } => {
                let start = offset as usize;
                assert_eq!((image, start % BLOCK_BYTES), (IMAGE, 0));
                self.asked[start / BLOCK_BYTES] += 1;
                let end = self.file.len().min(start + usize::from(size_max));
                let data = &self.file[start..end];
                let whole = BlockResponse::Data { image, offset, data };
                Ota::BlockResponse(self.instead.take().unwrap_or(whole))
            }
            Ota::UpgradeEnd { status, image } => {
                self.ended = Some(status);
                if status != Status::SUCCESS {
                    return noted(sequence);
                }
                Ota::UpgradeEndResponse { image, now_s: 0, upgrade_at_s: 0 }
            }
            other => panic!("{other:?}"),
        };
        answer.frame(sequence).unwrap()
    }
}

/// A default response to Upgrade End.
fn noted(sequence: u8) -> Vec<u8> {
    let header = Header::global(Direction::ToClient, sequence, command::DEFAULT_RESPONSE);
    let response = DefaultResponse { command: Ota::UPGRADE_END, status: Status::SUCCESS };
    header.with_records(&[response]).unwrap()
}

fn notice() -> Vec<u8> {
    let (manufacturer, image_type) = (Some(IMAGE.manufacturer), Some(IMAGE.image_type));
    let version = Some(IMAGE.version);
    Ota::ImageNotify { jitter: 100, manufacturer, image_type, version }.frame(1).unwrap()
}

fn give(client: &mut Upgrade, now: SimTime, payload: &[u8]) {
    if let Ok(frame) = Frame::decode(payload) {
        client.receive(now, &frame);
    }
}

/// Lets a client and its server talk until nothing moves.
fn talk(client: &mut Upgrade, server: &mut Server, now: SimTime) {
    client.step(now);
    while let Some(payload) = client.transmit() {
        let answer = server.answer(&payload);
        give(client, now, &answer);
    }
}

fn config(window: u8) -> UpgradeConfig {
    UpgradeConfig { window, ..UpgradeConfig::new(RUNNING) }
}

/// What happens next to the frames and the power of a client.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrive,
    LoseRequest,
    LoseAnswer,
    Twice,
    /// A bit of a block is another, as of a server whose store is damaged.
    Damage(usize),
    PowerLoss,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Arrive),
        2 => Just(Fate::LoseRequest),
        2 => Just(Fate::LoseAnswer),
        2 => Just(Fate::Twice),
        1 => (0..800_usize).prop_map(Fate::Damage),
        1 => Just(Fate::PowerLoss),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_an_image_runs_only_if_it_is_right(
        fates in prop::collection::vec(fate(), 0..200),
        program in 0..1_500_usize,
        window in prop::sample::select(vec![1, 2, 7, 64]),
    ) {
        let (mut server, mut now) = (Server::new(file(program)), seconds(100));
        let mut client = Upgrade::new(config(window));
        let (mut has, mut fates) = (vec![false; server.asked.len()], fates.into_iter());
        let mut asks = 0;
        loop {
            let at = SimTime(now.0);
            if client.progress().is_none() && client.running() == RUNNING {
                give(&mut client, at, &notice());
                has.fill(false);
            }
            client.step(at);
            while let Some(payload) = client.transmit() {
                asks += 1;
                let Ok(asked) = Ota::decode(&Frame::decode(&payload).unwrap()) else { panic!() };
                if let Ota::BlockRequest { offset, .. } = asked {
                    let block = offset as usize / BLOCK_BYTES;
                    prop_assert!(!has[block], "block {block} is there");
                    let first = has.iter().position(|has| !has).unwrap();
                    prop_assert!(block < first + usize::from(window));
                }
                let fate = fates.next().unwrap_or(Fate::Arrive);
                if let Fate::LoseRequest = fate {
                    continue;
                }
                let mut answer = server.answer(&payload);
                match fate {
                    Fate::Damage(bit) if answer.len() > BLOCK_HEAD => {
                        let place = BLOCK_HEAD + bit / 8 % (answer.len() - BLOCK_HEAD);
                        answer[place] ^= 1 << (bit % 8);
                    }
                    Fate::Twice => give(&mut client, at, &answer),
                    Fate::LoseAnswer => continue,
                    Fate::PowerLoss => client.lose_power(),
                    _ => {}
                }
                let before = client.progress();
                give(&mut client, at, &answer);
                let took = matches!(fate, Fate::Twice) || client.progress() != before;
                if let (Ota::BlockRequest { offset, .. }, true) = (asked, took) {
                    has[offset as usize / BLOCK_BYTES] |= client.progress().is_some();
                }
            }
            match client.outcome() {
                Some(UpgradeOutcome::Installed(IMAGE)) => break,
                Some(UpgradeOutcome::Installed(other)) => panic!("{other:?}"),
                _ => {}
            }
            prop_assert!(asks < 20_000);
            now = SimDuration(client.next().map_or(0, |at| at.0).max(now.0 + 1));
        }
        prop_assert_eq!((client.running(), server.ended), (IMAGE, Some(Status::SUCCESS)));
    }
}

#[test]
fn each_block_is_asked_for_once_where_nothing_is_lost() {
    for window in [1, 64] {
        let mut server = Server::new(file(10_000));
        let mut client = Upgrade::new(config(window));
        let now = SimTime(0);
        give(&mut client, now, &notice());
        talk(&mut client, &mut server, now);
        assert!(server.asked.iter().all(|count| *count == 1), "{:?}", server.asked);
        assert_eq!(
            (client.outcome(), client.repeated()),
            (Some(UpgradeOutcome::Installed(IMAGE)), 0)
        );
    }
}

#[test]
fn it_keeps_what_it_has_through_a_loss_of_power_and_asks_less_often_while_nothing_comes() {
    let mut server = Server::new(file(10_000));
    let mut client = Upgrade::new(config(1));
    give(&mut client, SimTime(0), &notice());
    client.step(SimTime(0));
    for _ in 0..100 {
        let payload = client.transmit().unwrap();
        let answer = server.answer(&payload);
        give(&mut client, SimTime(0), &answer);
    }
    assert_eq!(client.progress(), Some((99, 211)));
    // What is under way is lost, and nothing answers: 10, 20, 40, 80 and then each 80 s.
    while client.transmit().is_some() {}
    let mut asked_at = Vec::new();
    while asked_at.len() < 6 {
        let now = client.next().unwrap();
        client.step(now);
        asked_at.push((now - SimTime(0)).as_seconds_f64());
        assert_eq!(client.awake_until(), now + seconds(10), "asleep between them");
        while client.transmit().is_some() {}
    }
    assert_eq!(asked_at, [10., 30., 70., 150., 230., 310.]);
    client.lose_power();
    let now = SimTime(0) + seconds(1_000);
    talk(&mut client, &mut server, now);
    assert_eq!(client.outcome(), Some(UpgradeOutcome::Installed(IMAGE)));
    assert!(server.asked.iter().all(|count| *count == 1), "{:?}", server.asked);
}

#[test]
fn a_damaged_image_is_refused_and_the_old_one_goes_on() {
    for at in [60, 5_000, 10_070] {
        let mut damaged = file(10_000);
        damaged[at] ^= 0x10;
        let mut server = Server::new(damaged);
        let mut client = Upgrade::new(config(7));
        give(&mut client, SimTime(0), &notice());
        talk(&mut client, &mut server, SimTime(0));
        let refused = client.outcome();
        assert!(matches!(refused, Some(UpgradeOutcome::Refused(IMAGE, _))), "{refused:?}");
        assert_eq!(server.ended, Some(Status::INVALID_IMAGE));
        assert_eq!(client.running(), RUNNING);
    }
    let mut damaged = file(10_000);
    damaged[5_000] ^= 1;
    let mut server = Server::new(damaged);
    let mut client = Upgrade::new(config(7));
    give(&mut client, SimTime(0), &notice());
    talk(&mut client, &mut server, SimTime(0));
    let expected = UpgradeOutcome::Refused(IMAGE, ImageError::Damaged);
    assert_eq!(client.outcome(), Some(expected));
}

#[test]
fn it_does_what_its_server_wants() {
    let small = UpgradeConfig { bytes_max: 1_000, ..config(1) };
    let mut server = Server::new(file(10_000));
    let mut client = Upgrade::new(small);
    give(&mut client, SimTime(0), &notice());
    talk(&mut client, &mut server, SimTime(0));
    let too_long = UpgradeOutcome::TooLong(IMAGE, server.file.len() as u32);
    assert_eq!(client.outcome(), Some(too_long));
    assert_eq!(server.ended, Some(Status::INSUFFICIENT_SPACE));
    // It is put off for 30 s.
    let mut client = Upgrade::new(config(1));
    server.instead = Some(BlockResponse::Wait { now_s: 5, ask_at_s: 35, min_block_period: 0 });
    give(&mut client, SimTime(0), &notice());
    talk(&mut client, &mut server, SimTime(0));
    assert_eq!(
        (client.progress(), client.next()),
        (Some((0, 211)), Some(SimTime(0) + seconds(30)))
    );
    server.instead = Some(BlockResponse::Refused(Status::ABORT));
    talk(&mut client, &mut server, SimTime(0) + seconds(30));
    assert_eq!(client.outcome(), Some(UpgradeOutcome::Aborted(IMAGE)));
    // A whole image that is not wanted any more, and one that runs later.
    for later in [false, true] {
        let mut server = Server::new(file(100));
        let mut client = Upgrade::new(config(64));
        give(&mut client, SimTime(0), &notice());
        client.step(SimTime(0));
        while server.ended.is_none() {
            let answer = server.answer(&client.transmit().unwrap());
            if server.ended.is_none() {
                give(&mut client, SimTime(0), &answer);
            }
        }
        let in_a_minute = Ota::UpgradeEndResponse { image: IMAGE, now_s: 9, upgrade_at_s: 69 };
        let answer = if later { in_a_minute.frame(1).unwrap() } else { noted(1) };
        give(&mut client, SimTime(0), &answer);
        if later {
            assert_eq!((client.outcome(), client.next()), (None, Some(SimTime(0) + seconds(60))));
            talk(&mut client, &mut server, SimTime(0) + seconds(60));
            assert_eq!(client.outcome(), Some(UpgradeOutcome::Installed(IMAGE)));
        } else {
            assert_eq!(client.outcome(), Some(UpgradeOutcome::Aborted(IMAGE)));
        }
    }
    // It asks by itself when it is to, and gives up where nobody answers.
    let daily = UpgradeConfig { query_every: Some(seconds(86_400)), ..config(1) };
    let mut client = Upgrade::new(daily);
    client.step(SimTime(0));
    let mut asked = 0;
    while client.next().unwrap() < SimTime(0) + seconds(2 * 86_400) {
        client.step(client.next().unwrap());
        asked += std::iter::from_fn(|| client.transmit()).count();
    }
    assert_eq!(asked, 7);
}

#[test]
fn a_notice_for_others_is_none() {
    let mut client = Upgrade::new(config(1));
    for (manufacturer, image_type, version) in
        [(0x1235, None, None), (0x1234, Some(2), None), (0x1234, Some(1), Some(6))]
    {
        let manufacturer = Some(manufacturer);
        let notice = Ota::ImageNotify { jitter: 1, manufacturer, image_type, version };
        give(&mut client, SimTime(0), &notice.frame(1).unwrap());
        assert_eq!(client.transmit(), None);
    }
}

/// A sensor that takes images, and its server behind the coordinator, which notes when it was asked
/// for blocks.
fn home(node: NodeConfig, file: Vec<u8>, window: u8) -> (Home<RoomSensor>, Rc<RefCell<Server>>) {
    let sensor = ZigbeeNode::room_sensor(node, seconds(600)).with_upgrade(config(window));
    let mut home = Home::new(sensor);
    let server = Rc::new(RefCell::new(Server::new(file)));
    let of_home = Rc::clone(&server);
    home.server = Some(Box::new(move |_, aps: &ApsFrame| {
        let is_its = aps.cluster == OTA_UPGRADE && aps.payload[0] & 3 == 1;
        is_its.then(|| of_home.borrow_mut().answer(&aps.payload))
    }));
    (home, server)
}

/// Runs until the node has an outcome, for so long at most.
fn outcome<A: Application>(home: &mut Home<A>, most: SimDuration) -> Option<UpgradeOutcome> {
    let end = home.now + most;
    loop {
        let outcome = home.node.upgraded();
        if outcome.is_some() || home.now >= end {
            return outcome;
        }
        home.run(seconds(1));
    }
}

#[test]
fn two_hundred_kilobytes_reach_a_sleeping_node_within_the_hour_and_it_sleeps_again() {
    for (window, lost_percent, bytes, blocks) in [
        (1, 0, 200_000, 4_167),
        (64, 0, 200_000, 4_167),
        (1, 10, 20_000, 417),
        (64, 10, 20_000, 417),
    ] {
        let program = bytes - image::file_of(IMAGE, &[]).len();
        let (mut home, server) = home(NodeConfig::sleepy(NODE, seconds(5)), file(program), window);
        home.run(seconds(20));
        home.lost_percent = lost_percent;
        let begin = home.now;
        home.ask(OTA_UPGRADE, notice());
        assert_eq!(home.read_file_version(), Some(6));
        home.run(seconds(20));
        let (has, all) = home.node.upgrade().unwrap().progress().unwrap();
        assert!(has > if lost_percent > 0 { 5 } else { 100 }, "{has} of {all}");
        for _ in 0..40 {
            home.run(SimDuration::from_milliseconds(250));
            assert!(home.node.radio.is_awake(home.now) || lost_percent > 0);
        }
        let found = outcome(&mut home, seconds(3_600));
        assert_eq!(found, Some(UpgradeOutcome::Installed(IMAGE)), "{window} {lost_percent}");
        let took = home.now - begin;
        println!(
            "{bytes} bytes, window {window}, {lost_percent} % lost: {} s",
            took.as_seconds_f64().round()
        );
        let asked: u32 = server.borrow().asked.iter().sum();
        assert!(asked >= blocks && (lost_percent > 0 || asked == blocks), "{asked}");
        if lost_percent == 0 {
            assert_eq!(home.node.upgrade().unwrap().repeated(), 0);
        }
        home.lost_percent = 0;
        home.run(seconds(60));
        assert_eq!(home.read_file_version(), Some(7));
        let mut is_asleep = || {
            home.run(SimDuration::from_milliseconds(250));
            !home.node.radio.is_awake(home.now)
        };
        let asleep = (0..40).filter(|_| is_asleep()).count();
        assert!(asleep > 20, "it sleeps again: {asleep} of 40");
    }
}

#[test]
fn a_node_goes_on_where_it_was_after_a_loss_of_power_and_a_rejoin() {
    let (mut home, server) = home(NodeConfig::listening(NODE), file(20_000), 1);
    home.ask(OTA_UPGRADE, notice());
    // Its coordinator is silent from some block on.
    let own = home.server.take();
    home.run(seconds(30));
    home.server = own;
    home.run(seconds(1));
    let before = home.node.upgrade().unwrap().progress();
    home.node.lose_power();
    assert_eq!(home.node.next(), None);
    home.run(seconds(600));
    home.node.restore_power(home.now);
    assert_eq!(home.node.upgrade().unwrap().progress(), before);
    let found = outcome(&mut home, seconds(600));
    assert_eq!(found, Some(UpgradeOutcome::Installed(IMAGE)));
    assert_eq!(home.node.upgrade().unwrap().repeated(), 0);
    assert_eq!(server.borrow().asked.iter().sum::<u32>(), 419);
}

impl Home<RoomSensor> {
    fn read_file_version(&self) -> Option<i64> {
        self.node.server.attributes.read(OTA_UPGRADE, 2).unwrap().number()
    }
}
