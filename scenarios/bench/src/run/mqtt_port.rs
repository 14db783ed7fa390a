//! What the MQTT transport adds to a device's messages: the topics they go under.
//!
//! Devices and gateways send to the platform and hear from it; topics are known here only.

use lastmeter_language::tenant_prefix;
use lastmeter_units::{HardwareId, TenantName};
use lastmeter_wire::block::decode_block;
use lastmeter_wire::topics;

/// Under which topics one party publishes, and what it listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttPort {
    tenant: TenantName,
    is_bound: bool,
    /// Whose commands it takes, by topic.
    subscriptions: Vec<(String, HardwareId)>,
}

impl MqttPort {
    /// A port of whoever carries the messages of these devices of a tenant; `is_bound`: each on its
    /// device's own topic.
    pub fn new<'a>(
        tenant: &TenantName,
        is_bound: bool,
        owners: impl Iterator<Item = &'a str>,
    ) -> Self {
        let owners = owners.filter_map(|name| hardware_id(tenant, name));
        let topic = |id: HardwareId| (topics::commands(tenant.as_str(), &id), id);
        Self { tenant: tenant.clone(), is_bound, subscriptions: owners.map(topic).collect() }
    }

    /// What is to be subscribed to.
    pub fn subscriptions(&self) -> Vec<String> {
        self.subscriptions.iter().map(|(topic, _)| topic.clone()).collect()
    }

    /// For whom a message under a topic is; `None`: for nobody here.
    pub fn recipient(&self, topic: &str) -> Option<&HardwareId> {
        self.subscriptions.iter().find(|(own, _)| own == topic).map(|(_, owner)| owner)
    }

    /// Where a message of this owner is published: a block of samples under a topic of its own.
    pub fn topic(&self, owner: &str, payload: &[u8]) -> String {
        let own = hardware_id(&self.tenant, owner).filter(|_| self.is_bound);
        let format = if decode_block(payload).is_ok() { "block" } else { "json" };
        topics::input_of(self.tenant.as_str(), own.as_ref(), format)
    }
}

/// The id of a device of a tenant: every name behind the tenant is one, for names are stricter.
fn hardware_id(tenant: &TenantName, name: &str) -> Option<HardwareId> {
    HardwareId::new(name.strip_prefix(&tenant_prefix(tenant)).unwrap_or(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tenants::prefix_of;

    #[test]
    fn messages_go_under_the_shared_topic_or_their_owners_own() {
        let own = TenantName::default();
        let port = |is_bound| MqttPort::new(&own, is_bound, ["cellar", "heat-1"].into_iter());
        assert_eq!(port(false).topic("heat-1", b"{}"), "default/SiteWhere/input/json");
        assert_eq!(port(true).topic("heat-1", b"{}"), "default/device/heat-1/input/json");
    }

    #[test]
    fn commands_to_all_it_carries_for_are_taken_and_no_others() {
        let names = ["cellar", "heat-1"].into_iter();
        let port = MqttPort::new(&TenantName::default(), true, names);
        let own = ["default/SiteWhere/commands/cellar", "default/SiteWhere/commands/heat-1"];
        assert_eq!(port.subscriptions(), own);
        let for_whom = |topic| port.recipient(topic).map(HardwareId::as_str);
        assert_eq!(own.map(for_whom), [Some("cellar"), Some("heat-1")]);
        assert_eq!(for_whom("default/SiteWhere/commands/heat-2"), None);
        assert_eq!(for_whom("default/SiteWhere/input/json"), None);
    }

    #[test]
    fn a_device_of_another_tenant_speaks_under_that_ones_topics_by_its_own_id() {
        let tenant = TenantName::new("b").unwrap();
        for (is_bound, topic) in
            [(true, "b/device/cellar/input/json"), (false, "b/SiteWhere/input/json")]
        {
            let port = MqttPort::new(&tenant, is_bound, std::iter::once("b.cellar"));
            assert_eq!(port.subscriptions(), ["b/SiteWhere/commands/cellar"]);
            assert_eq!(port.topic("b.cellar", b"{}"), topic);
            let own = port.recipient("b/SiteWhere/commands/cellar").map(HardwareId::as_str);
            assert_eq!(own, Some("cellar"));
            assert_eq!(port.recipient("default/SiteWhere/commands/cellar"), None);
            assert_eq!(prefix_of(topic), "b.");
        }
        assert_eq!(prefix_of("default/SiteWhere/input/json"), "");
        assert_eq!(prefix_of("b/echo/x"), "");
    }
}
