//! Voltage dips that nodes have seen, as alerts.
//!
//! The number of the last one is kept with its alert, so that an aggregator that starts again does
//! not report it twice.

use lastmeter_board::meter_node::VoltageDip;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use crate::gateway::Out;
use crate::gateway::record::MeterState;
use crate::gateway::store::Store;
use crate::message::Alert;

/// Reports a dip of a node, unless the aggregator has just started and had reported it before.
pub(super) fn report(
    store: &mut Store,
    gateway: (&HardwareId, SimTime),
    node: &HardwareId,
    (dip, is_first): (&VoltageDip, bool),
    out: &mut Out,
) {
    let VoltageDip { number, residual_v, duration_s } = *dip;
    let state = store.meter(node);
    if is_first && state.fingerprint == number {
        return;
    }
    let text = format!("dip {number} at {node}: residual {residual_v:.2} V for {duration_s:.3} s");
    let facts = vec![
        (fact::KIND, "dip".to_owned()),
        (fact::DEVICE, node.to_string()),
        (fact::PHASE, "l1".to_owned()),
        (fact::RESIDUAL_V, residual_v.to_string()),
        (fact::DURATION_S, duration_s.to_string()),
    ];
    let alert = Alert { kind: "voltage.dip", level: AlertLevel::Warning, text, facts };
    store.put_alert(
        gateway,
        alert,
        (node.clone(), MeterState { fingerprint: number, ..state }),
        out,
    );
}

#[cfg(test)]
mod tests {
    use lastmeter_units::Epoch;

    use super::*;

    #[test]
    fn a_dip_that_was_reported_is_not_reported_by_an_aggregator_that_starts_again() {
        let (gateway, node) = (HardwareId::new("g").unwrap(), HardwareId::new("m-1").unwrap());
        let mut store = Store::new(Epoch(1), true, 100);
        let mut count = |number: u32, is_first: bool| {
            let (mut out, at) = (Vec::new(), SimTime(7));
            let dip = VoltageDip { number, residual_v: 161.0, duration_s: 0.2 };
            report(&mut store, (&gateway, at), &node, (&dip, is_first), &mut out);
            out.len()
        };
        // As many as a message takes: it is kept, and sent when that is durable.
        assert_eq!((count(3, true), count(3, true)), (1, 0));
        assert_eq!((count(4, true), count(5, false)), (1, 1));
    }
}
