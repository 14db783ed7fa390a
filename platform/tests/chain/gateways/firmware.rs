//! An image goes to a node block by block, through cuts of the connection and a restart of the
//! platform, and no block is sent that the node has; a damaged one is refused by the node.

use std::collections::BTreeSet;
use std::time::Duration;

use lastmeter_platform::{ClockSource, Running};
use lastmeter_zigbee::delivery::Outbox;
use lastmeter_zigbee::image;
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::payload::{Content, NodeEntry};
use lastmeter_zigbee::relay::Relay;
use lastmeter_zigbee::zcl::cluster::OTA_UPGRADE;
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::{Frame, Status};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::gateway::{GATEWAY, Gateway, door, entry, framed, now, register, rest, start};
use super::{PLUG, PLUG_ID, refusals};
use crate::common::LIMIT;

const IMAGE: ImageId = ImageId { manufacturer: 0x1234, image_type: 1, version: 7 };
const ADDRESS: u16 = 2;
const BLOCK: usize = 48;
const WINDOW: usize = 64;
/// How long a node waits for an answer; the gateway states times in whole seconds.
const PATIENCE: Duration = Duration::from_millis(1_500);

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An image file of exactly so many bytes.
fn file(bytes: usize) -> Vec<u8> {
    let overhead = image::file_of(IMAGE, &[]).len();
    let program: Vec<u8> = (0..bytes - overhead).map(|at| (at * 7 + at / 251) as u8).collect();
    image::file_of(IMAGE, &program)
}

fn body(token: &str, bytes: &[u8]) -> Value {
    json!({
        "token": token, "name": "Plug 2.1", "manufacturer": IMAGE.manufacturer,
        "imageType": IMAGE.image_type, "fileVersion": IMAGE.version, "data": hex(bytes),
        "sha256": hex(&Sha256::digest(bytes)),
    })
}

async fn transfer(platform: &Running) -> Value {
    rest(platform, "GET", &format!("/api/v1/nodes/{PLUG_ID}/firmware"), None).await.1
}

/// The versions of its program in the plug's history, newest first.
async fn programs(platform: &Running) -> Vec<Value> {
    let path = format!("/api/v1/nodes/{PLUG_ID}/history");
    let history = rest(platform, "GET", &path, None).await.1;
    let versions = history["results"].as_array().unwrap().iter();
    versions.map(|version| version["programVersion"].clone()).collect()
}

async fn begin(platform: &Running, image: &str) -> (u16, Value) {
    let path = format!("/api/v1/nodes/{PLUG_ID}/firmware");
    rest(platform, "POST", &path, Some(json!({ "image": image }))).await
}

/// A node: what it has of the image, and what it has under way.
struct Node {
    bytes: Vec<u8>,
    has: BTreeSet<usize>,
    under_way: BTreeSet<usize>,
    sequence: u8,
    /// Blocks that came although it had them.
    again: usize,
}

impl Node {
    fn new(size: usize) -> Self {
        let (has, under_way) = (BTreeSet::new(), BTreeSet::new());
        Self { bytes: vec![0; size], has, under_way, sequence: 0, again: 0 }
    }

    fn blocks(&self) -> usize {
        self.bytes.len().div_ceil(BLOCK)
    }

    fn send(&mut self, gateway: &mut Gateway, command: Ota<'_>) {
        self.sequence = self.sequence.wrapping_add(1);
        let frame = command.frame(self.sequence).unwrap();
        gateway.relay(&framed(PLUG, ADDRESS, OTA_UPGRADE, &frame));
    }

    /// Asks for what it lacks, as far as requests may be under way.
    fn ask(&mut self, gateway: &mut Gateway) {
        let first = (0..self.blocks()).find(|block| !self.has.contains(block));
        let first = first.unwrap_or(self.blocks());
        for block in first..(first + WINDOW).min(self.blocks()) {
            if !self.has.contains(&block) && self.under_way.insert(block) {
                let (offset, node) = ((block * BLOCK) as u32, None);
                let (image, size_max, min_block_period) = (IMAGE, BLOCK as u8, None);
                let asked = Ota::BlockRequest { image, offset, size_max, node, min_block_period };
                self.send(gateway, asked);
            }
        }
    }

    /// It has waited long enough: it asks again for all that it lacks.
    fn lose_patience(&mut self, gateway: &mut Gateway) {
        self.under_way.clear();
        self.ask(gateway);
    }

    fn take(&mut self, gateway: &mut Gateway) {
        for (_, frame) in std::mem::take(&mut gateway.orders) {
            let relay = Relay::decode(&frame).unwrap();
            assert_eq!((relay.eui64.0, relay.cluster), (PLUG, OTA_UPGRADE));
            match Ota::decode(&Frame::decode(relay.frame).unwrap()).unwrap() {
                Ota::BlockResponse(BlockResponse::Data { image, offset, data }) => {
                    assert_eq!((image, offset as usize % BLOCK), (IMAGE, 0));
                    let (start, block) = (offset as usize, offset as usize / BLOCK);
                    self.again += usize::from(!self.has.insert(block));
                    self.under_way.remove(&block);
                    self.bytes[start..start + data.len()].copy_from_slice(data);
                }
                Ota::ImageNotify { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Fetches until it has so many blocks; asks again where nothing comes.
    async fn fetch(&mut self, gateway: &mut Gateway, until: usize) {
        while self.has.len() < until {
            self.ask(gateway);
            gateway.send().await;
            let came = gateway.until(|it| !it.orders.is_empty());
            if tokio::time::timeout(PATIENCE, came).await.is_err() {
                self.lose_patience(gateway);
            }
            self.take(gateway);
        }
    }

    /// Asks one thing; its answer, away from the frame.
    async fn demand(&mut self, gateway: &mut Gateway, command: Ota<'_>) -> Vec<u8> {
        gateway.orders.clear();
        self.send(gateway, command);
        gateway.deliver().await;
        gateway.until(|it| !it.orders.is_empty()).await;
        Relay::decode(&gateway.orders.remove(0).1).unwrap().frame.to_vec()
    }
}

/// A platform with a plug in a network and a connected gateway.
async fn home(folder: &std::path::Path) -> (Running, Gateway, NetworkKey) {
    let platform = start(folder, ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let mut gateway = Gateway::home(door(&platform), &key).await;
    gateway.put(&Content::NodeTable(vec![entry(PLUG, ADDRESS)]));
    gateway.deliver().await;
    (platform, gateway, key)
}

async fn again(platform: &Running, key: &NetworkKey, outbox: Outbox) -> Gateway {
    Gateway::dial(door(platform), (GATEWAY, "Home", key), outbox).await
}

fn query(version: u32) -> Ota<'static> {
    Ota::QueryNextImage { current: ImageId { version, ..IMAGE }, hardware: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_comes_whole_and_nothing_twice_through_cuts_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (platform, mut gateway, key) = home(folder.path()).await;
    let file = file(200_000);
    let (status, made) =
        rest(&platform, "POST", "/api/v1/firmware", Some(body("plug-7", &file))).await;
    assert_eq!((status, &made["size"], &made["data"]), (201, &json!(200_000), &Value::Null));
    let (status, begun) = begin(&platform, "plug-7").await;
    assert_eq!((status, &begun["state"]), (201, &json!("waiting")), "{begun}");
    assert_eq!(begin(&platform, "plug-7").await.1["code"], "transfer_under_way");
    // It is given notice as soon as something comes of its gateway.
    gateway.put(&Content::NodeTable(vec![entry(PLUG, ADDRESS)]));
    gateway.send().await;
    gateway.until(|it| !it.orders.is_empty()).await;
    let notice = gateway.orders.remove(0).1;
    let notice = Relay::decode(&notice).unwrap();
    assert_eq!((notice.cluster, notice.frame[2]), (OTA_UPGRADE, 0));
    let mut node = Node::new(file.len());
    let offer = Ota::NextImage(Ok((IMAGE, 200_000)));
    let answer = node.demand(&mut gateway, query(6)).await;
    assert_eq!(Ota::decode(&Frame::decode(&answer).unwrap()), Ok(offer));
    let (total, begin_at) = (node.blocks(), now());
    assert_eq!(total, 4_167);
    node.fetch(&mut gateway, 900).await;
    // The connection is cut with requests on their way and answers unread; meanwhile the node asks
    // again for all that it lacks, twice.
    node.ask(&mut gateway);
    gateway.send().await;
    let outbox = gateway.outbox;
    drop(gateway.stream);
    gateway = again(&platform, &key, outbox).await;
    for _ in 0..2 {
        node.lose_patience(&mut gateway);
    }
    node.fetch(&mut gateway, 2_000).await;
    // The platform ends with requests at the gateway that it has answered, and such that wait.
    node.lose_patience(&mut gateway);
    gateway.send().await;
    platform.shutdown().await;
    node.lose_patience(&mut gateway);
    let platform = start(folder.path(), ClockSource::Wall).await;
    let before = transfer(&platform).await;
    assert_eq!(before["state"], "sending");
    assert!(before["confirmedBytes"].as_u64().unwrap() > 70_000, "{before}");
    gateway = again(&platform, &key, gateway.outbox).await;
    node.fetch(&mut gateway, 3_100).await;
    let outbox = gateway.outbox;
    drop(gateway.stream);
    gateway = again(&platform, &key, outbox).await;
    node.fetch(&mut gateway, total).await;
    let took_s = (now() - begin_at).as_seconds_f64();
    assert_eq!(node.again, 0, "blocks that the node had were sent again");
    assert_eq!((node.bytes == file, image::check(&node.bytes, IMAGE)), (true, Ok(())));
    let done = Ota::UpgradeEnd { status: Status::SUCCESS, image: IMAGE };
    for _ in 0..2 {
        let answer = node.demand(&mut gateway, done).await;
        let run = Ota::UpgradeEndResponse { image: IMAGE, now_s: 0, upgrade_at_s: 0 };
        assert_eq!(Ota::decode(&Frame::decode(&answer).unwrap()), Ok(run));
    }
    let found = transfer(&platform).await;
    assert_eq!((&found["state"], &found["confirmedBytes"]), (&json!("installed"), &json!(200_000)));
    assert_eq!(found["repeatedBlocks"], 0, "{found}");
    // What it runs is in its history, once.
    assert_eq!(programs(&platform).await, [json!(IMAGE.version), Value::Null]);
    println!("{total} blocks in {took_s:.1} s: {found}");
    // No request is a reading, fills the configuration or is refused.
    let path = format!("/api/v1/nodes/{PLUG_ID}/configuration");
    assert_eq!(rest(&platform, "GET", &path, None).await.0, 404);
    assert!(refusals(&platform, 0).await.is_empty());
    let status = rest(&platform, "GET", "/api/v1/networks/home/status", None).await.1;
    assert_eq!(status["missing"], 0, "{status}");
    // Progress is kept now and then.
    let versions = found["version"].as_u64().unwrap();
    assert!((12..30).contains(&versions), "{found}");
    let answer = node.demand(&mut gateway, query(7)).await;
    assert_eq!(answer[2..], [2, 0x98], "it has what it was to have");
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_image_is_refused_by_the_node_and_a_wrong_hash_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (platform, mut gateway, _) = home(folder.path()).await;
    let mut file = file(2_000);
    let upload = async |body: Value| {
        let (status, answer) = rest(&platform, "POST", "/api/v1/firmware", Some(body)).await;
        (status, answer["field"].clone())
    };
    let mut wrong = body("a", &file);
    wrong["sha256"] = json!("00".repeat(32));
    assert_eq!(upload(wrong).await, (422, json!("sha256")));
    for data in ["", "0", "xy"] {
        let mut wrong = body("a", &file);
        wrong["data"] = json!(data);
        assert_eq!(upload(wrong).await, (422, json!("data")));
    }
    assert_eq!(upload(body("a", &vec![0; 500_001])).await, (422, json!("data")));
    let mut wrong = body("a", &file);
    wrong["imageType"] = json!(70_000);
    assert_eq!(upload(wrong).await, (422, json!("imageType")));
    file[700] ^= 4;
    assert_eq!(upload(body("damaged", &file)).await, (201, Value::Null));
    assert_eq!(upload(body("damaged", &file)).await.0, 409);
    assert_eq!(begin(&platform, "none").await.1["field"], "image");
    assert_eq!(begin(&platform, "damaged").await.0, 201);
    let mut node = Node::new(file.len());
    node.demand(&mut gateway, query(6)).await;
    node.fetch(&mut gateway, node.blocks()).await;
    assert_eq!(image::check(&node.bytes, IMAGE), Err(image::ImageError::Damaged));
    let refused = Ota::UpgradeEnd { status: Status::INVALID_IMAGE, image: IMAGE };
    let answer = node.demand(&mut gateway, refused).await;
    assert_eq!(answer[2..], [0x0B, 6, 0], "a default response");
    let found = transfer(&platform).await;
    assert_eq!((&found["state"], &found["why"]), (&json!("refused"), &json!("invalid image")));
    assert_eq!(programs(&platform).await, [Value::Null], "it runs what it ran");
    // It is given nothing more of it, and another node's image never.
    let asked = |offset, version| {
        let (image, node) = (ImageId { version, ..IMAGE }, None);
        Ota::BlockRequest { image, offset, size_max: 48, node, min_block_period: None }
    };
    let aborted = [5, 0x95];
    assert_eq!(node.demand(&mut gateway, asked(0, 7)).await[2..], aborted);
    assert_eq!(begin(&platform, "damaged").await.0, 201);
    let other = Ota::QueryNextImage { current: ImageId { image_type: 9, ..IMAGE }, hardware: None };
    assert_eq!(node.demand(&mut gateway, other).await[2..], [2, 0x98]);
    let found = transfer(&platform).await;
    assert_eq!(found["state"], "failed");
    assert!(found["why"].as_str().unwrap().contains("type 0x0009"), "{found}");
    // One that is ended gives nothing more.
    assert_eq!(begin(&platform, "damaged").await.0, 201);
    node.demand(&mut gateway, query(6)).await;
    assert_eq!(node.demand(&mut gateway, asked(48, 8)).await[2..], aborted);
    assert_eq!(node.demand(&mut gateway, asked(2_000, 7)).await[2..], aborted);
    assert_eq!(node.demand(&mut gateway, asked(1_968, 7)).await.len(), 17 + 32);
    let path = format!("/api/v1/nodes/{PLUG_ID}/firmware");
    assert_eq!(rest(&platform, "DELETE", &path, None).await.0, 200);
    assert_eq!(node.demand(&mut gateway, asked(48, 7)).await[2..], aborted);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_sleeps_is_given_notice_when_it_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (platform, mut gateway, _) = home(folder.path()).await;
    let sleeper = NodeEntry { sleeps: true, ..entry(PLUG, ADDRESS) };
    gateway.put(&Content::NodeTable(vec![sleeper, entry(9, 3)]));
    gateway.deliver().await;
    let made = rest(&platform, "POST", "/api/v1/firmware", Some(body("a", &file(500)))).await;
    assert_eq!(made.0, 201, "{made:?}");
    assert_eq!(begin(&platform, "a").await.0, 201);
    let silent = async |gateway: &mut Gateway| {
        let came = gateway.until(|it| !it.orders.is_empty());
        tokio::time::timeout(Duration::from_millis(300), came).await.is_err()
    };
    gateway.relay(&super::scale(9, 3));
    gateway.send().await;
    assert!(silent(&mut gateway).await, "another node was heard");
    gateway.relay(&super::scale(PLUG, ADDRESS));
    gateway.send().await;
    let came = gateway.until(|it| !it.orders.is_empty());
    tokio::time::timeout(LIMIT, came).await.unwrap();
    let notice = gateway.orders.remove(0).1;
    assert_eq!(Relay::decode(&notice).unwrap().frame[..4], [0x19, 0, 0, 3]);
    gateway.relay(&super::power(PLUG, ADDRESS, 5));
    gateway.send().await;
    assert!(silent(&mut gateway).await, "it was given notice a moment ago");
    platform.shutdown().await;
}
