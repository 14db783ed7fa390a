//! What the MQTT transport adds to a device's messages: the topics they go under.
//!
//! Devices and gateways send to the platform and hear from it; topics are known here only.

use lastmeter_units::HardwareId;
use lastmeter_wire::topics::{self, TENANT};

/// Under which topics one party publishes, and what it listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttPort {
    is_bound: bool,
    /// Whose commands it takes, by topic.
    subscriptions: Vec<(String, HardwareId)>,
}

impl MqttPort {
    /// A port of whoever carries the messages of these devices; `is_bound`: each on its device's
    /// own topic.
    pub fn new<'a>(is_bound: bool, owners: impl Iterator<Item = &'a str>) -> Self {
        // Every name is a hardware id: names are stricter.
        let owners = owners.filter_map(|name| HardwareId::new(name).ok());
        let subscriptions = owners.map(|id| (topics::commands(TENANT, &id), id)).collect();
        Self { is_bound, subscriptions }
    }

    /// What is to be subscribed to.
    pub fn subscriptions(&self) -> Vec<String> {
        self.subscriptions.iter().map(|(topic, _)| topic.clone()).collect()
    }

    /// For whom a message under a topic is; `None`: for nobody here.
    pub fn recipient(&self, topic: &str) -> Option<&HardwareId> {
        self.subscriptions.iter().find(|(own, _)| own == topic).map(|(_, owner)| owner)
    }

    /// Where a message of this owner is published.
    pub fn topic(&self, owner: &str) -> String {
        let own = HardwareId::new(owner).ok().filter(|_| self.is_bound);
        own.map_or_else(|| topics::input(TENANT), |id| topics::device_input(TENANT, &id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_under_the_shared_topic_or_their_owners_own() {
        let port = |is_bound| MqttPort::new(is_bound, ["cellar", "heat-1"].into_iter());
        assert_eq!(port(false).topic("heat-1"), "default/SiteWhere/input/json");
        assert_eq!(port(true).topic("heat-1"), "default/device/heat-1/input/json");
    }

    #[test]
    fn commands_to_all_it_carries_for_are_taken_and_no_others() {
        let port = MqttPort::new(true, ["cellar", "heat-1"].into_iter());
        let own = ["default/SiteWhere/commands/cellar", "default/SiteWhere/commands/heat-1"];
        assert_eq!(port.subscriptions(), own);
        let for_whom = |topic| port.recipient(topic).map(HardwareId::as_str);
        assert_eq!(own.map(for_whom), [Some("cellar"), Some("heat-1")]);
        assert_eq!(for_whom("default/SiteWhere/commands/heat-2"), None);
        assert_eq!(for_whom("default/SiteWhere/input/json"), None);
    }
}
