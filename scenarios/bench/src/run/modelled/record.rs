//! The latency record of a run in virtual time: one row per message, instants by the link's model.

use std::collections::BTreeMap;

use lastmeter_record::{LatencyPath, Point};
use lastmeter_units::SimTime;

use super::downlink::Downlink;
use super::uplink::ReleasedReading;
use crate::run::latency_row::{Key, LatencyRecord};

pub(crate) struct ModelledRecord {
    start: SimTime,
    devices: Vec<String>,
    pub(crate) observers: Vec<Downlink>,
    /// Readings that were made and have not left yet.
    open: BTreeMap<Key, SimTime>,
    pub(crate) rows: Vec<LatencyRecord>,
}

impl ModelledRecord {
    pub(crate) fn new(start: SimTime, devices: Vec<String>, observers: Vec<Downlink>) -> Self {
        Self { start, devices, observers, open: BTreeMap::new(), rows: Vec::new() }
    }

    pub(crate) fn made(&mut self, key: Key, at: SimTime) {
        self.open.insert(key, at);
    }

    /// Readings have reached the platform, of all devices since the last call.
    pub(crate) fn left(&mut self, mut left: Vec<(ReleasedReading, bool)>) {
        // Connections that devices share pass on in the order of arrival.
        left.sort_by_key(|(left, _)| (left.released, left.device, left.key));
        for (left, has_uplink) in left {
            let device = left.device;
            let key = (device, left.key.0, left.key.1);
            let intended = self.open.remove(&key).unwrap_or(left.handed);
            let since_start = |at: SimTime| Some((at - self.start).0);
            let mut points = [None; Point::COUNT];
            points[Point::Intended as usize] = since_start(intended);
            points[Point::Published as usize] = since_start(left.handed);
            if has_uplink {
                points[Point::ProxyInUp as usize] = since_start(left.handed);
                points[Point::ProxyOutUp as usize] = since_start(left.released);
            }
            let id = format!("{}/{}/{}", self.devices[device], left.key.0.0, left.key.1.0);
            let start = self.start;
            let (path, bytes) = (LatencyPath::READING.to_owned(), left.bytes as u32);
            self.rows.push(LatencyRecord { path, id: id.clone(), points, bytes, copies: 1 });
            for observer in &mut self.observers {
                if !observer.covers.get(device).copied().unwrap_or(false) {
                    continue;
                }
                let mut points = points;
                let received = observer.receive(device, left.released, left.bytes);
                let received = received.map(|at| (at - start).0);
                if observer.has_link() {
                    points[Point::ProxyInDown as usize] = Some((left.released - start).0);
                    points[Point::ProxyOutDown as usize] = received;
                }
                points[Point::Received as usize] = received;
                self.rows.push(LatencyRecord {
                    path: LatencyPath::Observed(&observer.name).to_string(),
                    id: id.clone(),
                    points,
                    bytes: left.bytes as u32,
                    copies: u32::from(received.is_some()),
                });
            }
        }
    }

    /// A reading was due and never made.
    pub(crate) fn never_made(&mut self, device: usize, number: u64, due: SimTime) {
        self.lost(device, &format!("{}//{number}", self.devices[device]), due);
    }

    /// What was made and has not left by the end never will.
    pub(crate) fn finish(&mut self) {
        for ((device, epoch, serial), due) in std::mem::take(&mut self.open) {
            let id = format!("{}/{}/{}", self.devices[device], epoch.0, serial.0);
            self.lost(device, &id, due);
        }
    }

    fn lost(&mut self, device: usize, id: &str, due: SimTime) {
        let mut points = [None; Point::COUNT];
        points[Point::Intended as usize] = Some((due - self.start).0);
        let covers = |observer: &&Downlink| observer.covers.get(device).copied().unwrap_or(false);
        let observed = self.observers.iter().filter(covers);
        let observed = observed.map(|observer| LatencyPath::Observed(&observer.name).to_string());
        for path in
            std::iter::once(LatencyPath::READING.to_owned()).chain(observed).collect::<Vec<_>>()
        {
            self.rows.push(LatencyRecord { path, id: id.to_owned(), points, bytes: 0, copies: 0 });
        }
    }
}
