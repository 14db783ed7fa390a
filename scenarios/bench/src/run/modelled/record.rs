//! The latency record of a run in virtual time: one row per message, instants by the link's model.

use std::collections::BTreeMap;

use lastmeter_record::{LatencyPath, Point};
use lastmeter_units::SimTime;

use super::downlink::Downlink;
use super::uplink::ReleasedReading;
use crate::run::exchanges::BusExchange;
use crate::run::latency_row::{Key, LatencyRecord};

pub(crate) struct ModelledRecord {
    start: SimTime,
    devices: Vec<String>,
    /// Of each device, whether its messages are modelled or somebody waits for them. A gateway that
    /// carries frames unread sends packets, whose way is not modelled.
    has: Vec<bool>,
    pub(crate) observers: Vec<Downlink>,
    /// Readings that were made and have not left yet.
    open: BTreeMap<Key, SimTime>,
    pub(crate) rows: Vec<LatencyRecord>,
    /// How many exchanges there were, by device and identifier.
    exchanges: BTreeMap<(usize, u32), u64>,
}

impl ModelledRecord {
    /// Of these devices; with each, whether its messages pass modelled links.
    pub(crate) fn new(
        start: SimTime,
        devices: Vec<(String, bool)>,
        observers: Vec<Downlink>,
    ) -> Self {
        let covers = |device| observers.iter().any(|it| it.covers.get(device) == Some(&true));
        let has =
            |(device, (_, is_modelled)): (usize, &(String, bool))| *is_modelled || covers(device);
        let has = devices.iter().enumerate().map(has).collect();
        let devices = devices.into_iter().map(|(name, _)| name).collect();
        Self {
            start,
            devices,
            has,
            observers,
            open: BTreeMap::new(),
            rows: Vec::new(),
            exchanges: BTreeMap::new(),
        }
    }

    /// Whether a device's readings have rows.
    pub(crate) fn has(&self, device: usize) -> bool {
        self.has.get(device).copied().unwrap_or(false)
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

    /// What was asked of a device on a bus is over.
    pub(crate) fn exchanged(&mut self, device: usize, identifier: u32, exchange: &BusExchange) {
        let count = self.exchanges.entry((device, identifier)).or_default();
        *count += 1;
        self.rows.push(LatencyRecord {
            path: LatencyPath::Exchange.to_string(),
            id: format!("{}//{identifier:03X}.{count}", self.devices[device]),
            points: exchange.points(self.start),
            bytes: exchange.answer_bytes(),
            copies: u32::from(exchange.is_answered()),
        });
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

#[cfg(test)]
mod tests {
    use lastmeter_units::{Epoch, Serial};

    use super::*;

    #[test]
    fn what_no_model_knows_has_rows_only_where_somebody_waits_for_it() {
        let devices = || vec![("meter".to_owned(), true), ("plug".to_owned(), false)];
        let observer = |covers: Vec<bool>| Downlink {
            name: "page".to_owned(),
            via: None,
            covers,
            legs: Vec::new(),
            outages: Vec::new(),
        };
        let start = SimTime(0);
        for (observers, expected) in [
            (vec![], [true, false]),
            (vec![observer(vec![true, false])], [true, false]),
            (vec![observer(vec![true, true])], [true, true]),
        ] {
            let mut record = ModelledRecord::new(start, devices(), observers);
            assert_eq!([0, 1].map(|device| record.has(device)), expected);
            record.made((0, Epoch(1), Serial(1)), start);
            record.finish();
            assert_eq!(record.rows[0].id, "meter/1/1");
        }
    }
}
