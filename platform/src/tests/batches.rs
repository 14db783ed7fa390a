//! Batches: what becomes of each of their messages, and of the batch if one is wrong.

use lastmeter_model::invocation::InvocationState;
use lastmeter_wire::flexmeter::Element;

use super::*;

#[path = "../../../base/wire/tests/tools/batch.rs"]
mod encoder;

pub(super) const BATCH: &str = "default/SiteWhere/input/jsonbatch";

pub(super) fn batch(messages: &[MeasurementMessage]) -> Vec<u8> {
    let elements: Vec<Element> =
        messages.iter().cloned().map(Request::Measurements).map(Element::Request).collect();
    let mut out = Vec::new();
    encoder::encode_batch(&elements, &mut out);
    out
}

async fn send(core: &Tenant, topic: &str, payload: Vec<u8>) -> Accepted {
    let accepted = take(core, arrival(topic, payload)).await.unwrap();
    core.barrier().await.unwrap();
    accepted
}

fn counted(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn each_message_of_a_batch_is_stored_as_one_of_its_own() {
    let bench = Bench::start(ClockSource::Driven).await;
    let messages: Vec<MeasurementMessage> = (1..=9)
        .map(|n| reading(["a", "b", "c"][n as usize % 3], Some(n), 230.0 + n as f64))
        .collect();
    assert_eq!(send(&bench.core, BATCH, batch(&messages)).await, Accepted::Stored);
    let rows = readings(&bench.core).await;
    for (row, message) in rows.iter().zip(&messages) {
        let (epoch, serial) = message.number().unwrap();
        assert_eq!(row.device.as_str(), message.hardware_id.as_str());
        assert_eq!((row.number, row.values[0].1), (Some((epoch.0, serial.0)), message.values[0].1));
        assert_eq!(Some(row.event), message.event_date);
    }
    assert_eq!((rows.len(), counted(&bench.core.metrics.accepted)), (9, 9));
    // Whole, in part, or one by one: sent again it is what it was.
    assert_eq!(send(&bench.core, BATCH, batch(&messages[3..])).await, Accepted::Stored);
    store(&bench.core, &messages[..3]).await;
    assert_eq!(counted(&bench.core.metrics.repetitions), 9);
    let bench = bench.restart().await;
    assert_eq!(send(&bench.core, BATCH, batch(&messages)).await, Accepted::Stored);
    assert_eq!(readings(&bench.core).await, rows);
    assert!(refusals(&bench.core).await.is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_batch_with_a_broken_message_is_refused_whole_and_kept() {
    let bench = Bench::start(ClockSource::Driven).await;
    let good = String::from_utf8(batch(&[1, 2, 3].map(|n| reading("a", Some(n), 230.0)))).unwrap();
    let broken = good.replacen("\"serial\":\"2\"", "\"serial\":\"0\"", 1);
    assert_ne!(good, broken);
    let accepted = send(&bench.core, BATCH, broken.clone().into_bytes()).await;
    assert_eq!(accepted, Accepted::Refused(RefusalReason::Format("bad_metadata")));
    assert!(readings(&bench.core).await.is_empty());
    let rows = refusals(&bench.core).await;
    assert_eq!((rows.len(), rows[0].reason.as_str()), (1, "bad_metadata"));
    assert!(rows[0].detail.contains("measurements[1]"), "{}", rows[0].detail);
    assert_eq!(rows[0].content.as_deref(), Some(broken.as_bytes()), "the others are not lost");
    // Nothing in this one would be lost.
    send(&bench.core, BATCH, br#"{"hardwareId":"a","measurements":[{}]}"#.to_vec()).await;
    assert_eq!(refusals(&bench.core).await[1].content, None);
    assert_eq!(send(&bench.core, BATCH, good.into_bytes()).await, Accepted::Stored);
    assert_eq!(readings(&bench.core).await.len(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn a_message_that_conflicts_costs_no_other_of_its_batch() {
    let bench = Bench::start(ClockSource::Driven).await;
    store(&bench.core, &[reading("a", Some(2), 230.0)]).await;
    let conflicting = [
        reading("a", Some(1), 1.0),
        reading("a", Some(2), 2.0),
        reading("a", Some(3), 3.0),
        reading("a", Some(3), 3.5),
    ];
    assert_eq!(send(&bench.core, BATCH, batch(&conflicting)).await, Accepted::Stored);
    let stored: Vec<f64> = readings(&bench.core).await.iter().map(|row| row.values[0].1).collect();
    assert_eq!(stored, [230.0, 1.0, 3.0]);
    let rows = refusals(&bench.core).await;
    let places: Vec<&str> = rows.iter().map(|row| &row.detail[..12]).collect();
    assert_eq!(places, ["message 2 of", "message 4 of"]);
    for row in &rows {
        assert_eq!(row.reason, "conflicting_content");
        assert_eq!(row.content.as_deref(), Some(&*batch(&conflicting)));
    }
    assert_eq!(bench.core.metrics.refused()["conflicting_content"], 2);
    bench.stop().await;
}

#[tokio::test]
async fn all_of_a_batch_on_a_bound_topic_has_to_be_of_its_device() {
    let bench = Bench::start(ClockSource::Driven).await;
    let bound = "default/device/a/input/jsonbatch";
    let own = batch(&[reading("a", Some(1), 1.0), reading("a", Some(2), 2.0)]);
    assert_eq!(send(&bench.core, bound, own).await, Accepted::Stored);
    let mixed = batch(&[reading("a", Some(3), 1.0), reading("b", Some(1), 2.0)]);
    let refused = Accepted::Refused(RefusalReason::HardwareIdMismatch);
    assert_eq!(send(&bench.core, bound, mixed).await, refused);
    assert_eq!((readings(&bench.core).await.len(), bench.core.devices.find("b")), (2, None));
    bench.stop().await;
}

#[tokio::test]
async fn a_batch_with_one_device_too_many_is_refused_whole_and_lets_nobody_in() {
    let bench = Bench::start_with(ClockSource::Driven, |config| config.limits.devices = 2).await;
    let payload = batch(&["a", "b", "c"].map(|device| reading(device, Some(1), 1.0)));
    let refused = send(&bench.core, BATCH, payload.clone()).await;
    assert_eq!(refused, Accepted::Refused(RefusalReason::TooManyDevices));
    assert_eq!(refusals(&bench.core).await[0].content.as_deref(), Some(&*payload));
    let two = batch(&["c", "d", "c"].map(|device| reading(device, None, 1.0)));
    assert_eq!(send(&bench.core, BATCH, two).await, Accepted::Stored);
    assert_eq!(bench.core.devices.count(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn a_batch_registers_devices_and_answers_commands() {
    let bench = Bench::start(ClockSource::Driven).await;
    let register = br#"[{"hardwareId":"a","register":true},{"hardwareId":"b","register":true}]"#;
    assert_eq!(send(&bench.core, BATCH, register.to_vec()).await, Accepted::Stored);
    assert_eq!((bench.core.devices.count(), readings(&bench.core).await.len()), (2, 0));
    bench.devices.subscribe(&bench.core, "a");
    let invoked = set_period(&bench.core, "a", "5", 60.0).await;
    assert_eq!(invoked.row.state, InvocationState::Sent);
    let answer = format!(
        r#"[{{"hardwareId":"a","acknowledgements":[{{"originatingEventId":"{}","response":"ok"}}],
        "alerts":[{{"type":"t","level":"Info","message":"m","updateState":true}}]}}]"#,
        invoked.row.id
    );
    assert_eq!(send(&bench.core, BATCH, answer.into_bytes()).await, Accepted::Stored);
    let (id, row) = (invoked.row.id, bench.core.devices.find("a").unwrap().id);
    let answered = bench.core.readers.store().invocation(id).await.unwrap();
    let state = bench.core.readers.store().state(row).await.unwrap();
    assert_eq!(answered.unwrap().row.state, InvocationState::Acknowledged);
    assert_eq!(state.alerts.len(), 1);
    bench.stop().await;
}
