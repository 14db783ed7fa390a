//! One sender at a time for each device, and one queue of devices for each door: no door waits for
//! another one, and what goes to one device keeps its order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lastmeter_store::lock;
use lastmeter_units::HardwareId;
use tokio::sync::OwnedMutexGuard;

use super::Outstanding;

/// Devices whose turns are kept before unused ones are removed.
const UNUSED_MAX: usize = 256;

/// Turns of senders, by device; as many are kept as there are senders.
#[derive(Default)]
pub(crate) struct Turns(Mutex<BTreeMap<HardwareId, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the turn to send to a device.
    pub(crate) async fn of(&self, device: &HardwareId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.0);
            if turns.len() >= UNUSED_MAX {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(device.clone()).or_default())
        };
        turn.lock_owned().await
    }
}

/// A door, and the devices that get something through it.
type Queue = (&'static str, BTreeMap<HardwareId, Outstanding>);

/// Devices that wait for their door; a door is here as long as a task serves it.
#[derive(Default)]
pub(crate) struct Queues(Mutex<BTreeMap<&'static str, BTreeMap<HardwareId, Outstanding>>>);

impl Queues {
    /// Adds devices to the queue of a door; whether a task has to begin with it.
    pub(crate) fn add(&self, (door, devices): Queue) -> bool {
        let mut queues = lock(&self.0);
        let is_new = !queues.contains_key(door);
        let queue = queues.entry(door).or_default();
        for (device, which) in devices {
            let known = queue.entry(device).or_insert(which);
            *known = (*known).max(which);
        }
        is_new
    }

    /// The next device of a door's queue; with `None` the task has ended.
    pub(crate) fn next(&self, door: &'static str) -> Option<(HardwareId, Outstanding)> {
        let mut queues = lock(&self.0);
        let next = queues.get_mut(door).and_then(BTreeMap::pop_first);
        if next.is_none() {
            queues.remove(door);
        }
        next
    }
}
