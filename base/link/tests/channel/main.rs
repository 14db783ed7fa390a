//! Channels to another party: what is sent and received through each transport, and how each goes
//! on after a loss.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::time::Duration;

use lastmeter_link::channel::{Channel, ChannelEvent, ChannelSettings};
use tokio::time::timeout;

mod address;
mod serial;
mod sockets;

/// No wait of these tests is longer.
const LIMIT: Duration = Duration::from_secs(10);

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(LIMIT, what).await.unwrap()
}

async fn open(address: &str) -> Channel {
    Channel::open(&address.parse().unwrap(), ChannelSettings::M_BUS).await.unwrap()
}

async fn event(channel: &mut Channel) -> ChannelEvent {
    within(channel.recv()).await
}

async fn expect_up(channel: &mut Channel) {
    assert_eq!(event(channel).await, ChannelEvent::Up, "{}", channel.place());
}

async fn expect_down(channel: &mut Channel) -> String {
    match event(channel).await {
        ChannelEvent::Down { reason } => reason,
        other => panic!("{}: {other:?}", channel.place()),
    }
}

/// So many bytes, in however many pieces.
async fn receive(channel: &mut Channel, count: usize) -> Vec<u8> {
    let (mut all, mut last_ns) = (Vec::new(), 0);
    while all.len() < count {
        let ChannelEvent::Arrived { at_ns, bytes } = event(channel).await else {
            panic!("{} after {} of {count} bytes", channel.place(), all.len());
        };
        assert!(at_ns >= last_ns && !bytes.is_empty());
        last_ns = at_ns;
        all.extend(bytes);
    }
    all
}

/// Every byte there is, several times over.
fn every_byte() -> Vec<u8> {
    (0..=255).cycle().take(1500).collect()
}
