//! The device directory, in memory: every registered device, and what admission needs of it.
//!
//! [`crate::decide::Decider`] writes here once a batch is committed, with what stands in the rows
//! of devices and invocations; ingest adds what it has admitted and what is still on its way. A
//! device's look-ups never touch a secondary index, so none can lose one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;

use lastmeter_units::{HardwareId, SimTime};

use crate::invocation::InvocationId;
use crate::message::Number;
use crate::row::DeviceRow;
use crate::token::assignment_token;

/// Every registered device, by row, hardware id and assignment.
#[derive(Debug, Default)]
pub struct DeviceDirectory(RwLock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By row, from 1.
    devices: Vec<DeviceRow>,
    by_hardware_id: BTreeMap<HardwareId, i64>,
    by_assignment: BTreeMap<u128, i64>,
    /// What nobody has answered yet.
    open: BTreeMap<HardwareId, BTreeSet<InvocationId>>,
    /// Admitted and not committed yet.
    admitted: BTreeMap<HardwareId, u32>,
    /// The last reading of each device that was admitted since the start.
    newest: BTreeMap<HardwareId, Number>,
}

/// Whether a reading of a number can be a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It goes on where its device stands, so it cannot have been stored.
    New,
    /// It may have been stored by the device of this row.
    Unsure(i64),
}

impl DeviceDirectory {
    /// The devices of a store, in the order of their rows, and its open invocations.
    pub fn fill(&self, devices: Vec<DeviceRow>, open: Vec<(i64, InvocationId)>) {
        let mut inner = self.write();
        for device in devices {
            inner.enter(device);
        }
        for (device, id) in open {
            inner.open_one(device, id, true);
        }
    }

    /// A device that was committed, or whose row has changed.
    pub fn enter(&self, device: DeviceRow) {
        self.write().enter(device);
    }

    /// An invocation was opened or ended.
    pub fn set_open(&self, device: i64, id: InvocationId, is_open: bool) {
        self.write().open_one(device, id, is_open);
    }

    /// The row of a device that is committed.
    pub fn row(&self, hardware_id: &HardwareId) -> Option<i64> {
        self.read().by_hardware_id.get(hardware_id).copied()
    }

    /// A device by its row.
    pub fn device(&self, row: i64) -> Option<DeviceRow> {
        self.read().device(row).cloned()
    }

    /// The hardware id of a row.
    pub fn hardware_id(&self, row: i64) -> Option<HardwareId> {
        self.read().device(row).map(|device| device.hardware_id.clone())
    }

    /// A device by its hardware id.
    pub fn find(&self, hardware_id: &str) -> Option<DeviceRow> {
        let hardware_id = HardwareId::new(hardware_id).ok()?;
        let inner = self.read();
        inner.by_hardware_id.get(&hardware_id).and_then(|row| inner.device(*row)).cloned()
    }

    /// A device by its assignment's token.
    pub fn assigned(&self, token: &str) -> Option<DeviceRow> {
        let inner = self.read();
        let device = inner.by_assignment.get(&digits(token)?).and_then(|row| inner.device(*row))?;
        (device.assignment == token).then(|| device.clone())
    }

    /// A page of devices by hardware id, and how many there are.
    pub fn page(&self, offset: u64, limit: u32) -> (u64, Vec<DeviceRow>) {
        let inner = self.read();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rows = inner.by_hardware_id.values().skip(offset).take(limit as usize);
        let devices = rows.filter_map(|row| inner.device(*row)).cloned().collect();
        (inner.devices.len() as u64, devices)
    }

    /// How many are committed.
    pub fn count(&self) -> usize {
        self.read().devices.len()
    }

    /// Open invocations of one device or of all, by device and id.
    pub fn open(&self, device: Option<&HardwareId>) -> Vec<InvocationId> {
        let inner = self.read();
        match device {
            Some(device) => inner.open.get(device).into_iter().flatten().copied().collect(),
            None => inner.open.values().flatten().copied().collect(),
        }
    }

    /// Whether an invocation of a device is open, or any of its invocations.
    pub fn is_open(&self, device: &HardwareId, id: Option<InvocationId>) -> bool {
        let inner = self.read();
        let open = inner.open.get(device);
        open.is_some_and(|open| id.is_none_or(|id| open.contains(&id)))
    }

    /// Admits a registered device, or a new one if there may be one more; whether it is admitted.
    pub fn admit(&self, hardware_id: &HardwareId, devices_max: usize) -> bool {
        if self.row(hardware_id).is_some() {
            return true;
        }
        let mut inner = self.write();
        let known = inner.devices.len() + inner.admitted.len();
        if let Some(messages) = inner.admitted.get_mut(hardware_id) {
            *messages += 1;
        } else if known >= devices_max {
            return false;
        } else {
            inner.admitted.insert(hardware_id.clone(), 1);
        }
        true
    }

    /// A message of an admitted device did not become durable.
    pub fn withdraw(&self, hardware_id: &HardwareId) {
        let mut inner = self.write();
        if let Some(messages) = inner.admitted.get_mut(hardware_id) {
            *messages -= 1;
            if *messages == 0 {
                inner.admitted.remove(hardware_id);
            }
        }
    }

    /// Whether a reading of this number can have been stored before.
    pub fn freshness(&self, hardware_id: &HardwareId, number: Number) -> Freshness {
        let inner = self.read();
        let Some(row) = inner.by_hardware_id.get(hardware_id) else { return Freshness::New };
        match inner.newest.get(hardware_id) {
            Some((epoch, serial)) if *epoch == number.0 && *serial < number.1 => Freshness::New,
            _ => Freshness::Unsure(*row),
        }
    }

    /// A reading of this number was admitted.
    pub fn record_newest(&self, hardware_id: &HardwareId, number: Number) {
        let mut inner = self.write();
        match inner.newest.get_mut(hardware_id) {
            Some(newest) if newest.0 == number.0 => newest.1 = newest.1.max(number.1),
            Some(newest) => *newest = number,
            None => {
                inner.newest.insert(hardware_id.clone(), number);
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn device(&self, row: i64) -> Option<&DeviceRow> {
        self.devices.get(usize::try_from(row).ok()?.checked_sub(1)?)
    }

    fn enter(&mut self, device: DeviceRow) {
        self.admitted.remove(&device.hardware_id);
        if let Some(known) =
            usize::try_from(device.id).ok().and_then(|row| self.devices.get_mut(row - 1))
        {
            *known = device;
        } else {
            self.by_hardware_id.insert(device.hardware_id.clone(), device.id);
            if let Some(digits) = digits(&device.assignment) {
                self.by_assignment.insert(digits, device.id);
            }
            self.devices.push(device);
        }
    }

    fn open_one(&mut self, device: i64, id: InvocationId, is_open: bool) {
        let Some(hardware_id) = self.device(device).map(|device| device.hardware_id.clone()) else {
            return;
        };
        let of_device = self.open.entry(hardware_id.clone()).or_default();
        if is_open {
            of_device.insert(id);
        } else {
            of_device.remove(&id);
        }
        if of_device.is_empty() {
            self.open.remove(&hardware_id);
        }
    }
}

/// The number in a token that is shaped like a UUID.
fn digits(token: &str) -> Option<u128> {
    (token.len() == 36).then(|| u128::from_str_radix(&token.replace('-', ""), 16).ok()).flatten()
}

/// A device as it is entered.
pub fn device_row(
    tenant: &str,
    (id, hardware_id): (i64, HardwareId),
    created: SimTime,
    commands: u64,
    last_command: i64,
) -> DeviceRow {
    let assignment = assignment_token(tenant, hardware_id.as_str());
    DeviceRow { id, hardware_id, created, assignment, commands, last_command }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "default";

    fn id(text: &str) -> HardwareId {
        HardwareId::new(text).unwrap()
    }

    fn directory(names: &[&str]) -> DeviceDirectory {
        let directory = DeviceDirectory::default();
        let devices = (1..)
            .zip(names)
            .map(|(row, name)| device_row(TENANT, (row, id(name)), SimTime(0), 0, 0));
        directory.fill(devices.collect(), Vec::new());
        directory
    }

    #[test]
    fn a_device_is_found_by_each_of_its_names() {
        let directory = directory(&["b", "a"]);
        let found = directory.find("a").unwrap();
        assert_eq!((found.id, directory.row(&id("a"))), (2, Some(2)));
        assert_eq!(directory.assigned(&found.assignment), Some(found.clone()));
        assert_eq!(directory.assigned(&found.assignment.to_uppercase()), None);
        assert_eq!(directory.assigned(&found.assignment.replace('-', "")), None);
        assert_eq!(directory.find("c"), None);
        let (count, page) = directory.page(1, 5);
        assert_eq!((count, page[0].hardware_id.as_str(), page.len()), (2, "b", 1));
    }

    #[test]
    fn those_on_their_way_count_for_the_limit_once() {
        let directory = directory(&["a"]);
        for name in ["b", "b", "a"] {
            assert!(directory.admit(&id(name), 2));
        }
        assert!(!directory.admit(&id("c"), 2));
        directory.withdraw(&id("b"));
        assert!(!directory.admit(&id("c"), 2), "one message of b is on its way");
        directory.withdraw(&id("b"));
        assert!(directory.admit(&id("c"), 2));
        directory.enter(device_row(TENANT, (2, id("c")), SimTime(0), 0, 0));
        assert_eq!((directory.admit(&id("c"), 2), directory.admit(&id("b"), 2)), (true, false));
    }

    #[test]
    fn a_number_is_new_where_its_device_goes_on() {
        let directory = directory(&["a"]);
        let a = id("a");
        assert_eq!(directory.freshness(&id("b"), (1, 1)), Freshness::New, "nothing of b is stored");
        assert_eq!(directory.freshness(&a, (1, 9)), Freshness::Unsure(1));
        directory.record_newest(&a, (1, 9));
        directory.record_newest(&a, (1, 7));
        assert_eq!(directory.freshness(&a, (1, 10)), Freshness::New);
        for known in [(1, 9), (1, 1), (2, 10)] {
            assert_eq!(directory.freshness(&a, known), Freshness::Unsure(1), "{known:?}");
        }
        directory.record_newest(&a, (2, 1));
        assert_eq!(directory.freshness(&a, (2, 2)), Freshness::New);
        assert_eq!(directory.freshness(&a, (1, 10)), Freshness::Unsure(1));
    }

    #[test]
    fn open_invocations_come_by_device_and_id() {
        let directory = directory(&["b", "a"]);
        for (device, number) in [(1, 1), (2, 2), (1, 3), (2, 4)] {
            directory.set_open(device, InvocationId(number), true);
        }
        directory.set_open(1, InvocationId(3), false);
        assert_eq!(directory.open(None), [2, 4, 1].map(InvocationId));
        assert_eq!(directory.open(Some(&id("b"))), [InvocationId(1)]);
        let is_open = |id: &str, one: Option<i64>| {
            directory.is_open(&HardwareId::new(id).unwrap(), one.map(InvocationId))
        };
        assert!(is_open("b", None) && is_open("b", Some(1)) && is_open("a", Some(2)));
        assert!(!is_open("b", Some(3)) && !is_open("b", Some(2)) && !is_open("c", None));
        directory.set_open(1, InvocationId(1), false);
        assert!(directory.open(Some(&id("b"))).is_empty());
    }
}
