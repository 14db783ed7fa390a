//! What a fault finds at its place.

use std::f64::consts::TAU;

use num_complex::Complex64;

use super::play::{Player, turned_rad};
use super::{Event, FaultAt, NetworkAction, is_alive, phases};
use crate::network::{NodeId, Wire};
use crate::transient::FaultKind;

/// Less than this share of the rated voltage has no angle to wait for.
const NO_ANGLE_SHARE: f64 = 1e-3;

/// A place that is dark may be fed at this very instant: it is looked at again so much later.
const RETRY_AFTER_NS: i64 = 2_000_000;

/// What is at the place of a fault that is to begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    id: u32,
    /// The voltage that it shorts, if it has an angle.
    across_v: Option<Complex64>,
    is_dark: bool,
}

impl<const N: usize> Player<'_, N> {
    /// What the faults up to an instant find in a steady state.
    pub(super) fn found(
        &self,
        until_ns: i64,
        voltage_v: impl Fn(NodeId, Wire) -> Complex64,
    ) -> Vec<Site> {
        let events = self.motion.events.iter().take_while(|it| it.at_ns <= until_ns);
        let found = |event: &Event| {
            let NetworkAction::Fault(FaultAt { id, node, kind, .. }) = event.what else {
                return None;
            };
            let (FaultKind::Ground(wires) | FaultKind::Between(wires)) = kind;
            let mut own = wires.iter().map(|wire| voltage_v(node, wire));
            let first_v = own.next().unwrap_or_default();
            let across_v = match kind {
                FaultKind::Ground(_) => first_v,
                FaultKind::Between(_) => first_v - own.next().unwrap_or_default(),
            };
            let network = &self.network;
            let least_v = NO_ANGLE_SHARE * network.nodes[node.index()].rated_voltage_v;
            let has_voltage = |wire| is_alive(network, node, voltage_v(node, wire));
            Some(Site {
                id,
                across_v: Some(across_v).filter(|it| it.norm() > least_v),
                is_dark: !phases(network, node).any(has_voltage),
            })
        };
        events.filter_map(found).collect()
    }

    /// Puts off the faults up to an instant that wait for an angle, by the voltages of the network
    /// as it stands, whose phasors count from `since_ns`; whether there were any.
    pub(super) fn wait_for_angles(&mut self, until_ns: i64, found: &[Site], since_ns: i64) -> bool {
        let frequency_hz = self.network.frequency_hz;
        let mut waited = Vec::new();
        let mut before_ns = None;
        for event in self.motion.events.iter_mut().take_while(|it| it.at_ns <= until_ns) {
            let is_behind = before_ns.replace(event.at_ns) == Some(event.at_ns);
            let NetworkAction::Fault(fault) = &mut event.what else { continue };
            let Some(angle_rad) = fault.angle_rad.take() else { continue };
            let own = found.iter().find(|it| it.id == fault.id);
            let wait_ns = if let Some(across_v) = own.and_then(|it| it.across_v) {
                let at_ns = event.at_ns.max(self.now_ns) - since_ns;
                let at_rad = turned_rad(frequency_hz, at_ns) + across_v.arg();
                let wait_rad = (angle_rad - at_rad).rem_euclid(TAU);
                (wait_rad / TAU / frequency_hz * 1e9).round() as i64
            } else if is_behind {
                fault.angle_rad = Some(angle_rad);
                RETRY_AFTER_NS
            } else {
                continue;
            };
            event.at_ns += wait_ns;
            waited.push((fault.id, wait_ns));
        }
        for event in &mut self.motion.events {
            let NetworkAction::RunOut { id } = event.what else { continue };
            let wait = waited.iter().find(|(own, _)| *own == id);
            event.at_ns += wait.map_or(0, |(_, wait_ns)| *wait_ns);
        }
        self.motion.events.make_contiguous().sort_by_key(|it| it.at_ns);
        !waited.is_empty()
    }

    /// What is to be known of a fault that begins.
    pub(super) fn about(&self, fault: &FaultAt, found: &[Site]) -> String {
        let node = &self.network.nodes[fault.node.index()].name;
        let is_dark = found.iter().any(|it| it.id == fault.id && it.is_dark);
        let dark = if is_dark { ", which is not energised" } else { "" };
        format!("at {node}{dark}")
    }
}
