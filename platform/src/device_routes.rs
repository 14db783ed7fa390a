//! Device routes: by which door a device gets its commands.
//!
//! The rule: the door that the device last came through, with a message that was taken, by
//! subscribing to its commands or by asking for them; before it has come at all, the first door.
//! Where that is another door than the first, a document keeps it, so that it holds after a restart
//! Before all of that comes the field network of a device: its gateway carries its commands.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use lastmeter_model::document::{Edit, Expect};
use lastmeter_model::documents::Documents;
use lastmeter_model::entity::{Body as _, Device, DeviceRoute};
use lastmeter_units::HardwareId;
use serde_json::json;

use crate::attention::Attention;

/// A door as the way out to devices.
#[async_trait]
pub(crate) trait Outbound: Send + Sync {
    /// Sends a command; returns how many have taken it, none means that it has to be sent again.
    async fn send(&self, device: &HardwareId, payload: Vec<u8>) -> Result<usize, String>;
    /// Whether devices come for their commands: then sending only notifies who waits for one.
    fn is_polled(&self) -> bool {
        false
    }
    /// Names and values of what it counts, for the metrics.
    fn counters(&self) -> Vec<(String, u64)>;
}

/// The door of gateways.
pub(crate) const GATEWAYS: &str = "gateways";

/// A door that is open, by its name.
type Way = (&'static str, Arc<dyn Outbound>);

/// The doors that are open, and who last came through which.
#[derive(Default)]
pub(crate) struct DeviceRoutes {
    /// In the order in which they were opened.
    doors: RwLock<Vec<Way>>,
    /// Devices that came through another door than their document has, until it has.
    changed: RwLock<BTreeMap<HardwareId, &'static str>>,
    documents: Arc<Documents>,
    attention: Arc<Attention>,
}

impl DeviceRoutes {
    /// No doors yet; routes are kept in these documents.
    pub(crate) fn new(documents: Arc<Documents>, attention: Arc<Attention>) -> Self {
        Self { documents, attention, ..Self::default() }
    }

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
        if self.to(device).is_none_or(|(known, _)| known == door) {
            return;
        }
        let mut changed = self.changed.write().unwrap_or_else(PoisonError::into_inner);
        changed.insert(device.clone(), door);
        self.attention.routes();
    }

    /// The way to a device, if any door is open.
    pub(crate) fn to(&self, device: &HardwareId) -> Option<Way> {
        if let Some(way) = self.by_gateway(device) {
            return Some(way);
        }
        let changed = self.read_changed().get(device).copied();
        let kept = || self.documents.body::<DeviceRoute>(device.as_str());
        let kept = if changed.is_none() { kept() } else { None };
        let name = changed.or(kept.as_ref().map(|route| route.door.as_str()));
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        let own = doors.iter().find(|(door, _)| Some(*door) == name);
        own.or(doors.first()).cloned()
    }

    /// The door of gateways, if it is open and a field network carries the device.
    fn by_gateway(&self, device: &HardwareId) -> Option<Way> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        let way = doors.iter().find(|(door, _)| *door == GATEWAYS).cloned()?;
        let device = self.documents.body::<Device>(device.as_str())?;
        device.field_network_token.is_some().then_some(way)
    }

    /// What keeps the routes that are other ones than before, at most so many.
    pub(crate) fn edits(&self, most: usize) -> Vec<Edit> {
        let changed = self.read_changed();
        let edit = |(device, door): (&HardwareId, &&str)| Edit {
            kind: DeviceRoute::kind(),
            token: Some(device.to_string()),
            expect: Expect::Anything,
            body: Some(json!({ "door": door })),
        };
        changed.iter().take(most).map(edit).collect()
    }

    /// These are kept now.
    pub(crate) fn kept(&self, edits: &[Edit]) {
        let mut changed = self.changed.write().unwrap_or_else(PoisonError::into_inner);
        changed.retain(|device, door| {
            let is_kept = |edit: &Edit| {
                let token = edit.token.as_deref();
                let body = edit.body.as_ref();
                token == Some(device.as_str()) && body.is_some_and(|body| body["door"] == **door)
            };
            !edits.iter().any(is_kept)
        });
    }

    /// What all doors count.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        doors.iter().flat_map(|(_, outbound)| outbound.counters()).collect()
    }

    fn read_changed(&self) -> RwLockReadGuard<'_, BTreeMap<HardwareId, &'static str>> {
        self.changed.read().unwrap_or_else(PoisonError::into_inner)
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
        routes.to(device).map(|(_, way)| way.counters()[0].0.clone())
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
        let edits = routes.edits(9);
        assert_eq!((edits.len(), &edits[0].body), (1, &Some(json!({ "door": "second" }))));
        routes.record_arrival(&a, "third");
        routes.kept(&edits);
        assert_eq!(routes.edits(9).len(), 1, "it has come through another one meanwhile");
        routes.kept(&routes.edits(9));
        assert!(routes.edits(9).is_empty());
        assert_eq!(routes.counters().len(), 3);
    }
}
