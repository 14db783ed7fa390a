//! What the aggregator makes of the authentication on its buses: refused messages are noted, an
//! attack makes an alert, counters are kept.
//!
//! Of a node the counter of its last message is kept with what else is remembered of it; that of
//! the aggregator's own orders is kept under its own id, one for all of its networks.

use lastmeter_can::authentication::SenderRecord;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::poll::Node;
use crate::can::seal::{KeptCounters, Refused};
use crate::gateway::record::MeterState;
use crate::gateway::store::Store;
use crate::gateway::{GatewayEventKind as Kind, Out, event_about};
use crate::message::Alert;

/// What was kept of the counters of a network.
pub(super) fn kept(store: &Store, own: &HardwareId, nodes: &[Node]) -> KeptCounters {
    let first_free = store.meter(own).counter.max(SenderRecord::default().first_free);
    let last = nodes.iter().map(|node| (node.number, store.meter(&node.id).counter));
    KeptCounters { sender: SenderRecord { first_free }, last: last.collect() }
}

/// Keeps a counter if it is larger than the one that is kept: that of a node's last message, or the
/// first one that the gateway never reserved.
pub(super) fn keep(store: &mut Store, id: &HardwareId, counter: u64, out: &mut Out) {
    let before = store.meter(id);
    if counter > before.counter {
        store.keep_meter(id, MeterState { counter, ..before }, out);
    }
}

/// A message of a network was refused; `id` is that of its node, if there is one.
pub(super) fn refused(network: usize, id: Option<&HardwareId>, refused: &Refused, out: &mut Out) {
    if refused.is_noted() {
        let detail = format!("network {network}: {refused}");
        event_about(out, id.cloned(), Kind::MessageRefused, detail);
    }
}

/// So many messages of a network were refused that it is an attack. `gateway` with the instant.
pub(super) fn alarm(
    store: &mut Store,
    gateway: (&HardwareId, SimTime),
    (network, id): (usize, Option<&HardwareId>),
    refused: &Refused,
    out: &mut Out,
) {
    let text = format!("network {network}: {refused}");
    event_about(out, id.cloned(), Kind::AuthenticationAlarm, text.clone());
    let mut facts = vec![
        (fact::KIND, "refused".to_owned()),
        (fact::NETWORK, network.to_string()),
        (fact::NODE, refused.node().to_string()),
        (fact::REASON, refused.reason.word().to_owned()),
        (fact::COUNT, refused.count.to_string()),
    ];
    facts.extend(id.map(|id| (fact::DEVICE, id.as_str().to_owned())));
    let alert = Alert { kind: "can.authentication", level: AlertLevel::Critical, text, facts };
    let about = id.unwrap_or(gateway.0).clone();
    let state = store.meter(&about);
    store.put_alert(gateway, alert, (about, state), out);
}

#[cfg(test)]
#[path = "authentication_tests.rs"]
mod tests;
