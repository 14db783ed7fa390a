//! Bursts of commands: each is delivered once and in order, with few commits, and no door waits for
//! another.

use std::sync::atomic::Ordering;

use lastmeter_model::invocation::InvocationState;
use tokio::sync::Notify;

use super::advance::invocation;
use super::commands::{ask, with_devices};
use super::*;

const DEVICES: usize = 200;
const EACH: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_delivered_once_in_order_with_few_commits() {
    let names: Vec<String> = (0..DEVICES).map(|n| format!("d{n:03}")).collect();
    let devices: Vec<&str> = names.iter().map(String::as_str).collect();
    let bench = with_devices(ClockSource::Wall, &devices).await;
    for device in &devices {
        bench.devices.subscribe(&bench.core, device);
    }
    let before = bench.core.metrics.commits.load(Ordering::Relaxed);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..EACH {
        for device in &names {
            let (core, device) = (Arc::clone(&bench.core), device.clone());
            senders.spawn(async move {
                let asked = ask(&core, &device, "readRegister", &[("register", "1")]).await;
                assert!(asked.is_ok(), "{asked:?}");
            });
        }
    }
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    let commits = bench.core.metrics.commits.load(Ordering::Relaxed) - before;
    // Each is stored when it is asked for, and again when it is sent.
    let changes = (2 * DEVICES * EACH) as u64;
    assert!(commits <= changes / 10, "{commits} commits of {changes} changes");
    for device in &devices {
        let received = bench.devices.received(device);
        let ids: Vec<_> = received.iter().map(|one| one.invocation.id.clone()).collect();
        assert_eq!(ids.len(), EACH, "{device}");
        assert!(ids.is_sorted(), "{device}: {ids:?}");
    }
    for id in bench.core.devices.open(None) {
        assert_eq!(invocation(&bench, id).await.row.state, InvocationState::Sent);
    }
    bench.stop().await;
}

/// A door that takes nothing until it is let.
#[derive(Default)]
struct Slow(Notify);

#[async_trait]
impl Outbound for Slow {
    async fn send(&self, _: &HardwareId, _: Vec<u8>) -> Result<usize, String> {
        self.0.notified().await;
        Ok(1)
    }

    fn counters(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_slow_door_holds_up_no_other() {
    let bench = with_devices(ClockSource::Wall, &["slow", "quick"]).await;
    let door = Arc::new(Slow::default());
    bench.core.dispatcher.routes.open("slow", Arc::clone(&door) as Arc<dyn Outbound>);
    let [slow, quick] = ["slow", "quick"].map(|id| HardwareId::new(id).unwrap());
    bench.core.dispatcher.routes.record_arrival(&slow, "slow");
    let attending = tokio::spawn({
        let core = Arc::clone(&bench.core);
        async move { core.attend().await }
    });
    let stuck = tokio::spawn({
        let core = Arc::clone(&bench.core);
        async move { ask(&core, "slow", "readRegister", &[("register", "1")]).await }
    });
    let waits = ask(&bench.core, "quick", "readRegister", &[("register", "1")]).await.unwrap();
    assert_eq!(waits.row.state, InvocationState::Pending);
    bench.core.ingest.listens("slow", slow);
    bench.devices.subscribe(&bench.core, quick.as_str());
    let is_sent = async {
        while invocation(&bench, waits.row.id).await.row.state != InvocationState::Sent {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(STOP_LIMIT, is_sent).await.expect("the other door sends");
    assert!(!stuck.is_finished());
    door.0.notify_one();
    let sent = tokio::time::timeout(STOP_LIMIT, stuck).await.expect("it is let");
    assert_eq!(sent.unwrap().unwrap().row.state, InvocationState::Sent);
    attending.abort();
    bench.stop().await;
}
