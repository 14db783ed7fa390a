//! Alerts of devices that do not answer any more, and of those that answer again.

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::record::MeterState;
use super::store::Store;
use super::{GatewayEventKind as Kind, Out, event, event_about};
use crate::message::Alert;

/// What alerts about a device on a network have in common.
fn facts_of(kind: &str, device: &str, network: usize) -> Vec<(&'static str, String)> {
    vec![
        (fact::KIND, kind.to_owned()),
        (fact::DEVICE, device.to_owned()),
        (fact::NETWORK, network.to_string()),
    ]
}

/// A device has answered; one that was reported as unreachable is reported again. `gateway` with
/// the instant, the device with its network.
pub(super) fn answered(
    store: &mut Store,
    gateway: (&HardwareId, SimTime),
    (id, network): (&HardwareId, usize),
    out: &mut Out,
) {
    let state = store.meter(id);
    if state.unreachable {
        let text = format!("{id} on network {network} answers again");
        event(out, Kind::DeviceReachable, text.clone());
        let about = (id.clone(), MeterState { unreachable: false, ..state });
        let facts = facts_of("reachable", id.as_str(), network);
        let alert = Alert { kind: "device.reachable", level: AlertLevel::Info, text, facts };
        store.put_alert(gateway, alert, about, out);
    }
}

/// A device that is not reported yet has not answered so many polls, for this reason; `name` is
/// what people know it by.
pub(super) fn unreachable(
    store: &mut Store,
    gateway: (&HardwareId, SimTime),
    (id, name, network): (&HardwareId, &str, usize),
    (polls, why): (i64, &str),
    out: &mut Out,
) {
    let state = store.meter(id);
    if state.unreachable {
        return;
    }
    let text = format!("{name} on network {network}: {why} in {polls} polls");
    event_about(out, Some(id.clone()), Kind::DeviceUnreachable, text.clone());
    let about = (id.clone(), MeterState { unreachable: true, ..state });
    let mut facts = facts_of("unreachable", name, network);
    facts.push((fact::POLLS, polls.to_string()));
    let alert = Alert { kind: "device.unreachable", level: AlertLevel::Warning, text, facts };
    store.put_alert(gateway, alert, about, out);
}
