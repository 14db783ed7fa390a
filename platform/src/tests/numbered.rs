//! Results of applications and blocks of samples: stored once by their number whatever is sent
//! again and whenever the platform stops, and read back in the order of commit as they were sent.

use lastmeter_wire::block::{Block, Channel, encode_block};
use lastmeter_wire::flexmeter::{ResultMessage, encode_result};
use serde_json::Value;

use super::*;

/// A block of a voltage and a current that rise; the rate names it.
pub(crate) fn block(
    device: &HardwareId,
    (epoch, serial): (u64, u64),
    (first, rate_hz): (SimTime, f64),
) -> Vec<u8> {
    let channel = |name: &str, step: i16| Channel {
        id: MeasurementId::lookup(name).unwrap(),
        scale: 0.25,
        samples: (0..640).map(|at| at * step).collect(),
    };
    encode_block(&Block {
        hardware_id: device.clone(),
        epoch: Epoch(epoch),
        serial: Serial(serial),
        first,
        rate_hz,
        channels: vec![
            channel("electricity.voltage.instant.l1", 3),
            channel("electricity.current.instant.l1", -7),
        ],
    })
    .unwrap()
}

/// A result about `outage-1`.
pub(crate) fn result(
    device: &HardwareId,
    (epoch, serial): (u64, u64),
    (from, kind): (SimTime, &str),
    content: &Value,
) -> Vec<u8> {
    let mut out = Vec::new();
    let message = ResultMessage {
        hardware_id: device.clone(),
        kind: kind.to_owned(),
        subject: "outage-1".to_owned(),
        from,
        until: None,
        content: content.as_object().unwrap().clone(),
        epoch: Epoch(epoch),
        serial: Serial(serial),
    };
    encode_result(&message, &mut out);
    out
}

/// Takes a payload on the topic of a device and a format.
pub(crate) async fn take(
    core: &Tenant,
    (device, format): (&HardwareId, &str),
    payload: Vec<u8>,
) -> Result<Accepted, IngestError> {
    let topic = format!("default/device/{device}/input/{format}");
    super::take(core, arrival(&topic, payload)).await
}

const AT: SimTime = SimTime(1_800_000_000_000_000_000);

fn all(last: u64) -> Stretch {
    Stretch { after: 0, limit: 1000, last }
}

/// Numbers and contents that the store has, of results and of blocks.
async fn stored(core: &Tenant) -> [Vec<(u64, u64, Vec<u8>)>; 2] {
    core.barrier().await.unwrap();
    let (store, totals) = (core.readers.store(), core.progress.totals());
    let results = store.results(all(totals.results)).await.unwrap().rows.into_iter();
    let blocks = store.blocks(all(totals.blocks)).await.unwrap().rows.into_iter();
    let of = |number: Option<(u64, u64)>, content| {
        let (epoch, serial) = number.unwrap();
        (epoch, serial, content)
    };
    [
        results.map(|row| of(row.number, row.content.into_bytes())).collect(),
        blocks.map(|row| of(row.number, row.content)).collect(),
    ]
}

#[tokio::test]
async fn a_number_is_stored_once_and_other_content_under_it_is_refused() {
    let mut bench = Bench::start(ClockSource::Driven).await;
    let app = HardwareId::new("outage").unwrap();
    let (one, other) = (serde_json::json!({ "a": 1 }), serde_json::json!({ "a": 2 }));
    let first = result(&app, (1, 1), (AT, "outage"), &one);
    let samples = block(&app, (1, 1), (AT, 1600.0));
    // A reading, a result and a block of one number are three things.
    store(&bench.core, &[reading("outage", Some(1), 1.0)]).await;
    for again in 0..3 {
        for (format, payload) in [("result", &first), ("block", &samples)] {
            let taken = take(&bench.core, (&app, format), payload.clone()).await.unwrap();
            assert_eq!(taken, Accepted::Stored, "{format}, turn {again}");
        }
        if again == 1 {
            bench = bench.restart().await;
        }
    }
    let kept = [vec![(1, 1, one.to_string().into_bytes())], vec![(1, 1, samples.clone())]];
    assert_eq!(stored(&bench.core).await, kept);
    assert_eq!(refusals(&bench.core).await.len(), 0);
    let wrong = result(&app, (1, 1), (AT, "outage"), &other);
    take(&bench.core, (&app, "result"), wrong.clone()).await.unwrap();
    let faster = block(&app, (1, 1), (AT, 3200.0));
    take(&bench.core, (&app, "block"), faster.clone()).await.unwrap();
    assert_eq!(stored(&bench.core).await, kept);
    let refused = refusals(&bench.core).await;
    let found: Vec<_> = refused.iter().map(|row| (&*row.reason, row.content.clone())).collect();
    let reason = "conflicting_content";
    assert_eq!(found, [(reason, Some(wrong)), (reason, Some(faster))]);
    bench.stop().await;
}

#[tokio::test]
async fn what_breaks_its_form_or_names_another_device_is_refused() {
    let bench = Bench::start(ClockSource::Driven).await;
    let (app, other) = (HardwareId::new("a").unwrap(), HardwareId::new("b").unwrap());
    let content = serde_json::json!({});
    for (format, payload, reason) in [
        ("result", b"{}".to_vec(), RefusalReason::Format("missing_field")),
        ("result", result(&other, (1, 1), (AT, "x"), &content), RefusalReason::HardwareIdMismatch),
        ("result", result(&app, (1, 1), (AT, "X"), &content), RefusalReason::Format("bad_result")),
        ("block", b"LMSB".to_vec(), RefusalReason::Format("bad_block")),
        ("block", vec![0; 300 * 1024], RefusalReason::Format("too_large")),
        ("block", block(&other, (1, 1), (AT, 50.0)), RefusalReason::HardwareIdMismatch),
        ("block", block(&app, (u64::MAX, 1), (AT, 50.0)), RefusalReason::Format("bad_metadata")),
    ] {
        let taken = take(&bench.core, (&app, format), payload).await.unwrap();
        assert_eq!(taken, Accepted::Refused(reason), "{format}");
    }
    assert_eq!(stored(&bench.core).await, [vec![], vec![]]);
    bench.stop().await;
}

/// The long run (`tests/long`) has a thousand, beside other traffic.
#[tokio::test]
async fn fifty_blocks_at_once_are_all_stored() {
    let bench = Bench::start(ClockSource::Driven).await;
    let devices: Vec<_> =
        (0..50).map(|one| HardwareId::new(format!("recorder-{one}")).unwrap()).collect();
    let sent: Vec<_> =
        devices.iter().map(|device| (device, block(device, (1, 1), (AT, 1600.0)))).collect();
    let mut taken = tokio::task::JoinSet::new();
    for (device, payload) in sent.clone() {
        let (core, device) = (Arc::clone(&bench.core), device.clone());
        taken.spawn(async move { take(&core, (&device, "block"), payload).await });
    }
    for taken in taken.join_all().await {
        assert_eq!(taken.unwrap(), Accepted::Stored);
    }
    bench.core.barrier().await.unwrap();
    let totals = bench.core.progress.totals();
    let rows = bench.core.readers.store().blocks(all(totals.blocks)).await.unwrap().rows;
    assert_eq!(rows.len(), 50);
    let found: BTreeMap<_, _> = rows.iter().map(|row| (&row.device, &row.content)).collect();
    assert!(sent.iter().all(|(device, payload)| found[device] == payload));
    bench.stop().await;
}
