//! MQTT topics of the platform: one place that builds them and takes them apart.
//!
//! `SiteWhere/input/json` and `SiteWhere/commands/{hardwareId}` are those of SiteWhere 1.9, with
//! the tenant in front because one broker serves all tenants. The `device/...` forms are the
//! project's own: they carry the hardware id in the name, so that access control can bind a
//! credential to one device. `echo/...` is the project's own too: what a client publishes on the
//! topic of its name goes to whoever subscribes to it and nowhere else, so that the way through a
//! broker can be measured without storing anything. `rts/...` carries samples of real-time
//! simulators as they come: what an adapter publishes on the topic of its name is passed on in the
//! same way. A hardware id has no `/`, `+`, `#`, so a topic can be taken apart again without
//! ambiguity.

use lastmeter_units::HardwareId;

/// The one tenant of this version, that all devices of a scenario belong to.
pub const TENANT: &str = "default";

/// A topic beside those of inputs (see [`input_name`]) on which somebody may publish or hear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// `{tenant}/SiteWhere/commands/{hardwareId}`: commands to one device.
    Commands {
        /// The tenant.
        tenant: String,
        /// The device that the topic addresses.
        device: HardwareId,
    },
    /// `{tenant}/echo/{clientId}`: forwarded to subscribers and never stored.
    Echo {
        /// The tenant.
        tenant: String,
        /// The MQTT client identifier of the one client that may publish here.
        client: String,
    },
    /// `{tenant}/rts/{adapter}/points` and `.../writes`: samples of a real-time simulator as they
    /// come, and frames for one that is coupled by the broker; forwarded to subscribers and never
    /// stored.
    SimulatorPoints {
        /// The tenant.
        tenant: String,
        /// The MQTT client identifier of the one adapter that may publish here.
        adapter: String,
        /// `points` or `writes`.
        channel: String,
    },
    /// `{tenant}/rts/{adapter}/frames`: frames of a real-time simulator that is coupled by the
    /// broker, for its adapter; forwarded and never stored.
    SimulatorFrames {
        /// The tenant.
        tenant: String,
        /// The adapter that reads them.
        adapter: String,
    },
}

impl Topic {
    /// Takes a topic name apart; `None` if it is none of these.
    pub fn parse(name: &str) -> Option<Self> {
        let levels: Vec<&str> = name.split('/').collect();
        let tenant = || levels.first().filter(|t| is_tenant(t)).map(|&t| t.to_owned());
        let id = |text: &str| HardwareId::new(text).ok();
        Some(match levels[..] {
            [_, "SiteWhere", "commands", device] => {
                Self::Commands { tenant: tenant()?, device: id(device)? }
            }
            [_, "echo", client] if is_level(client) => {
                Self::Echo { tenant: tenant()?, client: client.to_owned() }
            }
            [_, "rts", adapter, channel @ ("points" | "writes")] if is_level(adapter) => {
                let (adapter, channel) = (adapter.to_owned(), channel.to_owned());
                Self::SimulatorPoints { tenant: tenant()?, adapter, channel }
            }
            [_, "rts", adapter, "frames"] if is_level(adapter) => {
                Self::SimulatorFrames { tenant: tenant()?, adapter: adapter.to_owned() }
            }
            _ => return None,
        })
    }
}

/// An input topic, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputName<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The one device that may publish here, on topics that are bound to one.
    pub device: Option<HardwareId>,
    /// The name of the format that is spoken here, such as `json`.
    pub format: &'a str,
}

/// Takes an input topic of any format apart: `{tenant}/SiteWhere/input/{format}` or
/// `{tenant}/device/{hardwareId}/input/{format}`; `None` if it is neither.
pub fn input_name(name: &str) -> Option<InputName<'_>> {
    let (rest, format) = name.rsplit_once('/')?;
    let (tenant, middle) = rest.split_once('/')?;
    let device = match middle.strip_prefix("device/") {
        Some(bound) => Some(HardwareId::new(bound.strip_suffix("/input")?).ok()?),
        None if middle == "SiteWhere/input" => None,
        None => return None,
    };
    (is_tenant(tenant) && is_level(format)).then_some(InputName { tenant, device, format })
}

/// Whether a text can stand as the tenant level: not empty, no wildcard, no control character,
/// and not starting with `$`, which brokers keep for themselves.
pub fn is_tenant(text: &str) -> bool {
    !text.starts_with('$') && is_level(text)
}

/// Whether a text can stand as one level of a topic name.
fn is_level(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| matches!(c, '/' | '+' | '#') || c.is_control())
}

/// Where every device of a tenant may publish.
pub fn input(tenant: &str) -> String {
    input_of(tenant, None, "json")
}

/// Where one device, and no other, may publish.
pub fn device_input(tenant: &str, device: &HardwareId) -> String {
    input_of(tenant, Some(device), "json")
}

/// Where any device of a tenant, or one and no other, may publish in a format.
pub fn input_of(tenant: &str, device: Option<&HardwareId>, format: &str) -> String {
    match device {
        Some(device) => format!("{tenant}/device/{device}/input/{format}"),
        None => format!("{tenant}/SiteWhere/input/{format}"),
    }
}

/// Where a device hears its commands.
pub fn commands(tenant: &str, device: &HardwareId) -> String {
    format!("{tenant}/SiteWhere/commands/{device}")
}

/// Where the readings of a device come as they are committed.
pub fn live(tenant: &str, device: &HardwareId) -> String {
    format!("{tenant}/live/device/{device}")
}

/// Where the alerts of a tenant come as they are committed.
pub fn live_alerts(tenant: &str) -> String {
    format!("{tenant}/live/alerts")
}

/// Where a client, named by its MQTT client identifier, may publish what shall come back to whoever
/// subscribes to it; `None` if the identifier cannot stand in a topic.
pub fn echo(tenant: &str, client: &str) -> Option<String> {
    is_level(client).then(|| format!("{tenant}/echo/{client}"))
}

/// A channel of an adapter of a real-time simulator beside its messages: `points` for samples as
/// they come, `set` for values to be written as they come; `frames` and `writes` where the
/// simulator is coupled by the broker.
pub fn simulator(tenant: &str, adapter: &HardwareId, channel: &str) -> String {
    format!("{tenant}/rts/{adapter}/{channel}")
}

/// The subscription filters under which everything that devices may send to a tenant arrives.
pub fn input_filters(tenant: &str) -> [String; 3] {
    [
        format!("{tenant}/SiteWhere/input/json"),
        format!("{tenant}/SiteWhere/input/jsonbatch"),
        format!("{tenant}/device/+/input/json"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_built_and_taken_apart_again() {
        let (tenant, device) = ("t1".to_owned(), HardwareId::new("123-TEST-4567890").unwrap());
        let topic = Topic::parse("t1/SiteWhere/commands/123-TEST-4567890");
        assert_eq!(topic, Some(Topic::Commands { tenant: tenant.clone(), device }));
        let (echo_topic, client) = (Topic::parse("t1/echo/probe $1"), "probe $1".to_owned());
        assert_eq!(echo_topic, Some(Topic::Echo { tenant: tenant.clone(), client }));
        let (adapter, channel) = ("rack".to_owned(), "points".to_owned());
        let topic = Topic::parse("t1/rts/rack/points");
        assert_eq!(topic, Some(Topic::SimulatorPoints { tenant, adapter, channel }));
        let home = HardwareId::new("home").unwrap();
        assert_eq!(input("t"), "t/SiteWhere/input/json");
        assert_eq!(device_input("t", &home), "t/device/home/input/json");
        assert_eq!(commands("t", &home), "t/SiteWhere/commands/home");
        let rack = HardwareId::new("rack").unwrap();
        assert_eq!(simulator("t", &rack, "points"), "t/rts/rack/points");
        assert_eq!(echo("t", "probe").as_deref(), Some("t/echo/probe"));
        for client in ["", "a/b", "+", "a#", "a\0"] {
            assert_eq!(echo("t", client), None, "{client:?}");
        }
        assert_eq!(input_filters("t")[2], "t/device/+/input/json");
    }

    #[test]
    fn an_input_topic_names_tenant_device_and_format() {
        let home = HardwareId::new("home").unwrap();
        for (name, device, format) in [
            ("t/SiteWhere/input/json", None, "json"),
            ("t/SiteWhere/input/jsonbatch", None, "jsonbatch"),
            ("t/device/home/input/json", Some(home.clone()), "json"),
            ("t/device/home/input/x", Some(home), "x"),
            ("t/device/input/input/x", HardwareId::new("input").ok(), "x"),
        ] {
            assert_eq!(input_of("t", device.as_ref(), format), name);
            assert_eq!(input_name(name), Some(InputName { tenant: "t", device, format }), "{name}");
        }
        for name in [
            "",
            "t",
            "t/json",
            "t/SiteWhere/json",
            "SiteWhere/input/json",
            "/SiteWhere/input/json",
            "$t/SiteWhere/input/json",
            "t/SiteWhere/input/",
            "t/SiteWhere/input/+",
            "t/SiteWhere/input/json/",
            "t/SiteWhere/commands/home",
            "t/device/input/json",
            "t/device//input/json",
            "t/device/a/b/input/json",
            "t/device/+/input/json",
            "t/device/home/ack",
        ] {
            assert_eq!(input_name(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_no_topic_of_the_platform_is_not_understood() {
        for name in [
            "",
            "/",
            "SiteWhere/commands/a",
            "/SiteWhere/commands/a",
            "$SYS/SiteWhere/commands/a",
            "t/SiteWhere/commands/a/",
            "t/sitewhere/commands/a",
            "t/SiteWhere/input/json",
            "t/SiteWhere/commands/",
            "t/SiteWhere/commands/a/b",
            "t/SiteWhere/commands/+",
            "t/device/home/ack",
            "+/SiteWhere/commands/a",
            "t/echo/",
            "t/echo",
            "t/echo/a/b",
            "t/echo/+",
            "+/echo/a",
            "t/rts/rack/set",
            "t/rts//points",
            "t/rts/+/points",
            "t/rts/rack/points/x",
        ] {
            assert_eq!(Topic::parse(name), None, "{name}");
        }
    }
}
