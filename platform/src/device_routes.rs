//! Device routes: by which door a device gets its commands.
//!
//! The rule: the door that the device last came through, with a message that was taken, by
//! subscribing to its commands or by asking for them. It is kept in memory: after a restart, and
//! before a device has come at all, its commands go to the first door, where they wait for it like
//! any others. So nothing is lost by it; a device that takes its commands elsewhere shows that as
//! soon as it comes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use lastmeter_units::HardwareId;

/// A door as the way out to devices.
#[async_trait]
pub(crate) trait Outbound: Send + Sync {
    /// Sends a command; returns how many have taken it, none means that it has to be sent again.
    async fn send(&self, device: &HardwareId, payload: Vec<u8>) -> Result<usize, String>;
    /// Names and values of what it counts, for the metrics.
    fn counters(&self) -> Vec<(String, u64)>;
}

/// The doors that are open, and who last came through which.
#[derive(Default)]
pub(crate) struct DeviceRoutes {
    /// By name, in the order in which they were opened.
    doors: RwLock<Vec<(&'static str, Arc<dyn Outbound>)>>,
    /// Devices that last came through another door than the first.
    elsewhere: RwLock<BTreeMap<HardwareId, &'static str>>,
}

impl DeviceRoutes {
    /// A door is open; one of this name that was is not any more.
    pub(crate) fn open(&self, door: &'static str, outbound: Arc<dyn Outbound>) {
        let mut doors = self.doors.write().unwrap_or_else(PoisonError::into_inner);
        match doors.iter_mut().find(|(name, _)| *name == door) {
            Some(known) => known.1 = outbound,
            None => doors.push((door, outbound)),
        }
    }

    /// A device came through a door.
    pub(crate) fn record_arrival(&self, device: &HardwareId, door: &'static str) {
        let is_first = self.first().is_none_or(|first| first == door);
        let known = self.read_elsewhere(device);
        if known.unwrap_or(door) == door && is_first == known.is_none() {
            return;
        }
        let mut elsewhere = self.elsewhere.write().unwrap_or_else(PoisonError::into_inner);
        if is_first {
            elsewhere.remove(device);
        } else {
            elsewhere.insert(device.clone(), door);
        }
    }

    /// The way to a device, if any door is open.
    pub(crate) fn to(&self, device: &HardwareId) -> Option<Arc<dyn Outbound>> {
        let name = self.read_elsewhere(device);
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        let own = doors.iter().find(|(door, _)| Some(*door) == name);
        own.or(doors.first()).map(|(_, outbound)| Arc::clone(outbound))
    }

    /// What all doors count.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        doors.iter().flat_map(|(_, outbound)| outbound.counters()).collect()
    }

    fn first(&self) -> Option<&'static str> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        doors.first().map(|(name, _)| *name)
    }

    fn read_elsewhere(&self, device: &HardwareId) -> Option<&'static str> {
        let elsewhere = self.elsewhere.read().unwrap_or_else(PoisonError::into_inner);
        elsewhere.get(device).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str);

    #[async_trait]
    impl Outbound for Named {
        async fn send(&self, _: &HardwareId, _: Vec<u8>) -> Result<usize, String> {
            Ok(0)
        }

        fn counters(&self) -> Vec<(String, u64)> {
            vec![(self.0.to_owned(), 1)]
        }
    }

    fn way(routes: &DeviceRoutes, device: &HardwareId) -> Option<String> {
        routes.to(device).map(|way| way.counters()[0].0.clone())
    }

    #[test]
    fn a_device_is_reached_by_the_door_it_last_came_through() {
        let routes = DeviceRoutes::default();
        let [a, b] = ["a", "b"].map(|name| HardwareId::new(name).unwrap());
        assert_eq!(way(&routes, &a), None);
        for door in ["first", "second", "third"] {
            routes.open(door, Arc::new(Named(door)));
        }
        assert_eq!(way(&routes, &a).as_deref(), Some("first"), "who has not come yet");
        for door in ["second", "second", "third", "first", "first", "second"] {
            routes.record_arrival(&a, door);
            assert_eq!(
                (way(&routes, &a).as_deref(), way(&routes, &b).as_deref()),
                (Some(door), Some("first"))
            );
        }
        routes.record_arrival(&a, "first");
        assert!(
            routes.elsewhere.read().unwrap().is_empty(),
            "only those who are elsewhere are kept"
        );
        assert_eq!(routes.counters().len(), 3);
    }
}
