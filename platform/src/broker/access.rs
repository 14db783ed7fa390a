//! Which forms of topics there are for clients of a tenant. Who may use which of them is decided
//! behind the port.
//!
//! Pure. The credential that devices share may speak for every device of its tenant, as SiteWhere
//! has it, unless that one has a credential of its own.

use lastmeter_units::{HardwareId, TenantName};
use lastmeter_wire::topics::{InputName, Topic, input_name, is_tenant};

use crate::format;

pub(crate) const DOOR: &str = "mqtt";

/// The tenant and the device whose commands come on this topic, if it is such a topic.
pub(super) fn commanded(topic: &str) -> Option<(TenantName, HardwareId)> {
    match Topic::parse(topic) {
        Some(Topic::Commands { tenant, device }) => {
            TenantName::new(tenant).ok().map(|tenant| (tenant, device))
        }
        _ => None,
    }
}

/// Whether a topic is an input topic of this tenant, on which alone messages are stored. Anything
/// else would let a client forge what other devices believe to come from the platform.
pub(super) fn is_input_of(tenant: &str, topic: &str) -> bool {
    input_name(topic)
        .is_some_and(|name| name.tenant == tenant && format::by_name(name.format).is_some())
}

/// Whether this is the topic on which this client of the tenant may publish what the broker passes
/// on and nobody stores. Another client's would let it disturb what that one measures.
pub(super) fn may_echo(tenant: &str, client: &str, topic: &str) -> bool {
    match Topic::parse(topic) {
        Some(
            Topic::Echo { tenant: t, client: c }
            | Topic::SimulatorPoints { tenant: t, adapter: c, .. },
        ) => t == tenant && c == client,
        // As every client of a tenant may speak for every device of it.
        Some(Topic::SimulatorFrames { tenant: t, .. }) => t == tenant,
        _ => false,
    }
}

/// Whether a topic is bound to no device, or to this one.
pub(super) fn is_free_or_bound_to(device: &str, topic: &str) -> bool {
    match input_name(topic) {
        Some(InputName { device: Some(bound), .. }) => bound.as_str() == device,
        _ => true,
    }
}

/// Whether a filter is below this tenant. The first level must be the tenant itself, so no wildcard
/// can reach another one. Nor may there be control characters in it (MQTT 3.1.1 section 1.5.3).
pub(super) fn is_below(tenant: &str, filter: &str) -> bool {
    is_tenant(tenant)
        && filter.split_once('/').is_some_and(|(first, _)| first == tenant)
        && !filter.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_topics_are_those_of_the_tenant_only() {
        for topic in [
            "default/SiteWhere/input/json",
            "default/SiteWhere/input/jsonbatch",
            "default/device/home-1/input/json",
            "default/device/home-1/input/jsonbatch",
        ] {
            assert!(is_input_of("default", topic), "{topic}");
            assert!(!is_input_of("other", topic), "{topic}");
        }
        for topic in [
            "",
            "default",
            "default/SiteWhere/commands/home-1",
            "default/device/home-1/ack",
            "default/device/home-1/input/xml",
            "default/live/home-1",
            "default/echo/home-1",
            "$SYS/broker",
            "other/SiteWhere/input/json",
        ] {
            assert!(!is_input_of("default", topic), "{topic}");
        }
    }

    #[test]
    fn a_topic_is_bound_to_its_device_whatever_is_spoken_on_it() {
        for format in ["json", "jsonbatch", "xml"] {
            let topic = format!("default/device/home-1/input/{format}");
            assert!(is_free_or_bound_to("home-1", &topic), "{topic}");
            assert!(!is_free_or_bound_to("home-2", &topic), "{topic}");
            let shared = format!("default/SiteWhere/input/{format}");
            assert!(is_free_or_bound_to("home-2", &shared), "{shared}");
        }
    }

    #[test]
    fn only_the_topic_of_one_devices_commands_names_it() {
        let home = HardwareId::new("home").unwrap();
        let expected = Some((TenantName::default(), home));
        assert_eq!(commanded("default/SiteWhere/commands/home"), expected);
        for topic in [
            "default/SiteWhere/commands/+",
            "Other/SiteWhere/commands/home",
            "default/#",
            "default/device/home/input/json",
        ] {
            assert_eq!(commanded(topic), None, "{topic}");
        }
    }

    #[test]
    fn a_client_echoes_on_its_own_topic_only() {
        assert!(may_echo("default", "probe", "default/echo/probe"));
        assert!(may_echo("default", "probe", "default/rts/probe/points"));
        assert!(may_echo("default", "probe", "default/rts/probe/writes"));
        assert!(may_echo("default", "rack", "default/rts/probe/frames"));
        assert!(!may_echo("other", "rack", "default/rts/probe/frames"));
        for topic in [
            "default/echo/other",
            "other/echo/probe",
            "default/echo/probe/x",
            "default/echo",
            "default/rts/other/points",
            "other/rts/probe/points",
            "default/rts/probe/set",
            "default/SiteWhere/input/json",
            "",
        ] {
            assert!(!may_echo("default", "probe", topic), "{topic}");
        }
        // Identifiers that are no level of a topic have no echo topic.
        for (client, topic) in [("", "default/echo/"), ("a/b", "default/echo/a/b")] {
            assert!(!may_echo("default", client, topic), "{topic}");
        }
    }

    #[test]
    fn a_filter_is_below_its_tenant_only() {
        for filter in
            ["default/#", "default/SiteWhere/commands/home-1", "default/echo/x", "default/"]
        {
            assert!(is_below("default", filter), "{filter}");
        }
        for filter in [
            "#",
            "+/SiteWhere/commands/home-1",
            "default",
            "other/#",
            "$share/g/default/#",
            "",
            "default/\0",
            "default/home\u{85}1",
        ] {
            assert!(!is_below("default", filter), "{filter}");
        }
        assert!(!is_below("", "/x"));
        assert!(!is_below("+", "+/x"));
        assert!(!is_below("#", "#/x"));
    }
}
