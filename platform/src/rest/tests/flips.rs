//! Bits of the store's file flip, one at a time: whatever is served afterwards is what was stored,
//! or an error that is reported; nothing is left out without a word.

use std::fs;
use std::path::Path;

use super::*;
use crate::tenant::Tenant;
use crate::tests::{Accepted, bytes, config, set_period};

/// Bits drawn from the whole file and from the bytes that are not zero, unless
/// `LASTMETER_TEST_FLIPS` names how many of each.
const FLIPS: usize = 40;
const DEVICES: [&str; 3] = ["home-1", "home-2", "home-3"];

/// Every list that is read back by sequence.
const LISTS: [&str; 3] = ["/api/v1/readings", "/api/v1/refusals", "/api/v1/alerts"];

fn message(device: usize, serial: u64) -> lastmeter_wire::flexmeter::MeasurementMessage {
    let mut message = reading(DEVICES[device], Some(serial), 200.0 + serial as f64 / 7.0);
    let other = MeasurementId::lookup("electricity.frequency").unwrap();
    message.values.push((other, 49.9 + device as f64 / 100.0));
    if serial.is_multiple_of(5) {
        message.metadata.insert("note".to_owned(), format!("{device} and {serial}"));
    }
    message
}

/// A store with something in every table.
async fn fill(bench: &Bench) {
    let core = &bench.core;
    core.advance(time(START)).await.unwrap();
    for serial in 1..=60 {
        for device in 0..DEVICES.len() {
            store(core, &[message(device, serial)]).await;
        }
        if serial % 9 == 0 {
            accept(core, b"{".to_vec()).await.unwrap();
            accept(core, bytes(&reading(DEVICES[0], Some(serial), 1.0))).await.unwrap();
            let alert = format!(
                r#"{{"hardwareId":"home-2","type":"DeviceAlert","request":{{"type":"t{serial}",
                "level":"Warning","message":"m","updateState":true}}}}"#
            );
            accept(core, alert.into_bytes()).await.unwrap();
        }
    }
    store(core, &[reading(DEVICES[1], None, 5.0)]).await;
    for (device, seconds) in [(0, "1"), (1, "2"), (0, "3"), (0, "4"), (2, "5")] {
        set_period(core, DEVICES[device], seconds, 1e6).await;
    }
    core.barrier().await.unwrap();
}

/// What is asked for beside the lists.
fn paths() -> Vec<String> {
    let mut paths = vec!["/sitewhere/api/devices".to_owned()];
    for device in DEVICES {
        let token = lastmeter_model::token::assignment_token("default", device);
        let assignment = format!("/sitewhere/api/assignments/{token}");
        let range = |from: &str, to: &str| format!("startDate={from}&endDate={to}");
        let middle = range("2027-01-15T08:00:11Z", "2027-01-15T08:00:42Z");
        paths.push(format!("/sitewhere/api/devices/{device}/assignment"));
        paths.push(format!("{assignment}/measurements?pageSize=1000"));
        paths.push(format!("{assignment}/measurements?pageSize=7&page=3"));
        paths.push(format!("{assignment}/measurements?{middle}"));
        paths.push(format!("{assignment}/measurements/series?pageSize=1000"));
        paths.push(format!("{assignment}/measurements/series?{middle}&pageSize=9&page=2"));
        let series = "electricity.voltage.rms.l1";
        paths.push(format!("/api/v1/series?device={device}&measurementId={series}"));
        paths.push(format!("{assignment}/invocations"));
    }
    paths.extend((1..=5).map(|id| format!("/sitewhere/api/invocations/{id:024x}")));
    paths
}

/// Everything a list gives, page by page, and whether it ended well.
async fn list(served: &Served, path: &str) -> (Vec<Value>, bool) {
    let (mut rows, mut after) = (Vec::new(), 0);
    loop {
        let answer = served.get(&format!("{path}?after={after}&limit=50")).await;
        if answer.status != 200 {
            answer.problem();
            return (rows, false);
        }
        let page = answer.json();
        rows.extend(page["results"].as_array().unwrap().iter().cloned());
        after = page["last"].as_u64().unwrap();
        if page["more"] != true {
            return (rows, true);
        }
    }
}

struct Truth {
    lists: Vec<Vec<Value>>,
    answers: Vec<(String, Value)>,
}

async fn truth(served: &Served) -> Truth {
    let mut truth = Truth { lists: Vec::new(), answers: Vec::new() };
    for path in LISTS {
        let (rows, is_whole) = list(served, path).await;
        assert!(is_whole);
        truth.lists.push(rows);
    }
    for path in paths() {
        let answer = served.ok(&path).await;
        truth.answers.push((path, answer));
    }
    truth
}

/// How a flipped bit showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    NotAtAll,
    AsAnError,
    AtTheStart,
}

/// Holds what is served against the truth.
async fn compare(served: &Served, truth: &Truth, bit: usize) -> Shown {
    let mut shown = Shown::NotAtAll;
    for (path, expected) in LISTS.iter().zip(&truth.lists) {
        let (rows, is_whole) = list(served, path).await;
        assert_eq!(rows, expected[..rows.len()], "{path} with bit {bit}");
        assert!(!is_whole || rows.len() == expected.len(), "{path} ends early with bit {bit}");
        shown = shown.max(if is_whole { Shown::NotAtAll } else { Shown::AsAnError });
    }
    for (path, expected) in &truth.answers {
        let answer = served.get(path).await;
        if answer.status == 200 {
            assert_eq!(answer.json(), *expected, "{path} with bit {bit}");
        } else {
            assert_eq!(answer.problem(), "damaged_store", "{path} with bit {bit}: {answer:?}");
            shown = Shown::AsAnError;
        }
    }
    shown
}

/// Sends again what has been stored: it must not be stored a second time without a word.
async fn send_again(served: &Served, bit: usize) {
    let core = &served.bench.core;
    let before = core.progress.totals().readings;
    for serial in [1, 30, 60] {
        for device in 0..DEVICES.len() {
            let accepted = accept(core, bytes(&message(device, serial))).await;
            assert!(matches!(accepted, Ok(Accepted::Stored)), "bit {bit}: {accepted:?}");
        }
    }
    // A store that cannot be written any more reports that.
    let stored = tokio::time::timeout(Duration::from_millis(500), core.barrier()).await;
    let is_failing = stored.is_err() && !core.is_ready();
    let is_same = core.progress.totals().readings == before;
    assert!(is_failing || is_same || core.losses.count() > 0, "stored twice with bit {bit}");
}

async fn try_bit(sound: &Path, file: &[u8], truth: &Truth, bit: usize) -> Shown {
    let folder = tempfile::tempdir().unwrap();
    let tenant = folder.path().join("default");
    fs::create_dir(&tenant).unwrap();
    fs::copy(sound.join("default.head"), folder.path().join("default.head")).unwrap();
    let mut bytes = file.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(tenant.join("store.db"), bytes).unwrap();
    let config = config(folder.path(), ClockSource::Driven);
    let Ok(core) = Tenant::start(&config) else { return Shown::AtTheStart };
    let bench = Bench::ready(core, config, folder).await;
    let served = Served::with_limits(bench, 8, LIMIT);
    let shown = compare(&served, truth, bit).await;
    if shown == Shown::AsAnError {
        assert!(served.bench.core.losses.open_ones().0 > 0, "no alarm with bit {bit}");
    }
    send_again(&served, bit).await;
    served.bench.core.health.give_up.store(true, std::sync::atomic::Ordering::Release);
    assert!(served.server.stop(LIMIT).await);
    assert!(served.bench.core.stop(LIMIT).await);
    shown
}

/// Numbers that look random and are the same in each run (splitmix64).
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flipped_bit_of_the_store_serves_a_wrong_value() {
    let named = std::env::var("LASTMETER_TEST_FLIPS").ok();
    let flips = named.map_or(FLIPS, |text| text.parse().expect("a number of bits"));
    let bench = Bench::start(ClockSource::Driven).await;
    fill(&bench).await;
    let bench = bench.restart().await;
    let served = Served::with_limits(bench, 8, LIMIT);
    let truth = truth(&served).await;
    assert_eq!(truth.lists[0].len(), 181);
    assert_eq!(truth.lists[0][6]["values"]["electricity.voltage.rms.l1"], 200.0 + 3.0 / 7.0);
    let Served { bench, server, process, .. } = served;
    drop(process);
    assert!(server.stop(LIMIT).await);
    let folder = bench.folder;
    assert!(bench.core.stop(LIMIT).await);
    drop(bench.core);
    let file = fs::read(folder.path().join("default/store.db")).unwrap();
    assert!(!folder.path().join("default/store.db-wal").exists(), "all is in the one file");

    let used: Vec<usize> = (0..file.len()).filter(|place| file[*place] != 0).collect();
    let mut state = 1;
    let mut shown: BTreeMap<Shown, usize> = BTreeMap::new();
    for _ in 0..flips {
        let anywhere = (draw(&mut state) % (file.len() as u64 * 8)) as usize;
        let place = used[(draw(&mut state) % used.len() as u64) as usize];
        for bit in [anywhere, place * 8 + (draw(&mut state) % 8) as usize] {
            *shown.entry(try_bit(folder.path(), &file, &truth, bit).await).or_default() += 1;
        }
    }
    println!("of {} flips: {shown:?}", 2 * flips);
    assert!(shown[&Shown::AsAnError] > flips / 4, "the flips have to hit something: {shown:?}");
}
