//! The settings with which the platform starts.
//!
//! Terms: the *data folder* holds one folder per tenant; the *token* is the secret of REST
//! (bearer), the *device token* that of MQTT (password). Unknown keys are refused, so that a
//! misspelt limit is no limit that silently does not hold.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use lastmeter_model::decide::Retention;
use serde::{Deserialize, Serialize};

mod door;
mod outgoing;
mod rest;
mod store;
mod tls;

pub use door::DoorConfig;
pub(crate) use outgoing::MailConfig;
pub use outgoing::{Becomes, ConnectionConfig, OutgoingConfig};
pub use rest::{Network, RestTlsConfig};
pub(crate) use rest::{ServerIdentity, check_reach};
pub use store::StoreConfig;
pub use tls::{Pem, TlsConfig};

/// The one tenant of this version; its data lies in `{data}/default/`.
pub use lastmeter_wire::topics::TENANT;

/// The settings of a platform, in TOML or built in code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The data folder; made if it is not there. One process at a time may use it.
    pub data: PathBuf,
    /// Where MQTT without TLS listens; port 0 takes a free one. Default `127.0.0.1:1883`. It is not
    /// there if `tls.plain` is false; on an address of the loopback it is closed to outsiders.
    #[serde(default = "default_mqtt_address")]
    pub mqtt_address: SocketAddr,
    /// Where REST listens; port 0 takes a free one. Default `127.0.0.1:8080`.
    #[serde(default = "default_rest_address")]
    pub rest_address: SocketAddr,
    /// Which clock every timer of the platform uses.
    #[serde(default)]
    pub clock: ClockSource,
    /// The administrators' secret: bearer token of REST. Without `device_token` it is the password
    /// of MQTT user `default` as well. Without it there are users alone, and at the first start a
    /// user `admin` is made, with a one-time password on standard error.
    #[serde(default)]
    pub token: Option<Token>,
    /// The meters' secret: password of MQTT user `default`. It opens nothing of REST, and `token`
    /// then opens nothing of MQTT.
    #[serde(default)]
    pub device_token: Option<Token>,
    /// Accept the identifiers of the Flexmeter deliverable's Table 2 only, not the `x.*` ones.
    #[serde(default)]
    pub strict_table2: bool,
    /// TLS in front of the broker; without it there is plain MQTT only.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// TLS at `rest_address`; without it REST is plain there, which only the loopback and proxies
    /// get.
    #[serde(default)]
    pub rest_tls: Option<RestTlsConfig>,
    /// Whether a proxy in front of plain HTTP ends TLS: then it may listen beyond the loopback, and
    /// is asked for under any name.
    #[serde(default)]
    pub behind_proxy: bool,
    /// Proxies that are believed in `X-Forwarded-For`, as addresses and networks.
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    /// Where what is committed is kept.
    #[serde(default)]
    pub store: StoreConfig,
    /// Doors beside MQTT, each of a kind of its own.
    #[serde(default, rename = "door")]
    pub doors: Vec<DoorConfig>,
    /// What it may send to others outside.
    #[serde(default)]
    pub outgoing: OutgoingConfig,
    /// Sources outside that it reads.
    #[serde(default, rename = "connection")]
    pub connections: Vec<ConnectionConfig>,
    /// The bounds of everything.
    #[serde(default)]
    pub limits: Limits,
}

/// Where the platform's time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSource {
    /// The machine's clock.
    #[default]
    Wall,
    /// Stands still until `POST /api/v1/clock/advance` moves it.
    Driven,
}

/// A secret that does not show itself in logs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Takes a text as the secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Limits with their defaults, and the least of those of which 0 would be none.
macro_rules! limits {
    ($($(#[$doc:meta])+ $name:ident: $type:ty = $default:expr $(, at least $least:literal)?;)+) => {
        /// The bounds of everything that a sender could make grow.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $($(#[$doc])+ pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// The first that is 0 and may not be.
            fn zero(&self) -> Option<&'static str> {
                $($(if self.$name < $least {
                    return Some(concat!("limits.", stringify!($name)));
                })?)+
                None
            }
        }
    };
}

limits! {
    /// The largest MQTT packet; a larger one ends the connection without PUBACK.
    packet_bytes: u32 = 256 * 1024;
    /// Payload bytes that may be between arrival and commit; more of them wait at the socket.
    in_flight_bytes: u32 = 4 * 1024 * 1024;
    /// Messages that may wait for the journal, and as many again for the store.
    queue_messages: usize = 1024, at least 1;
    /// The most messages that one transaction of the store takes.
    batch_messages: usize = 1000, at least 1;
    /// How long the store waits for a batch to fill, in milliseconds.
    batch_wait_ms: u64 = 5;
    /// A journal segment is closed once it is larger than this.
    segment_bytes: u64 = 8 * 1024 * 1024;
    /// Devices that may register themselves by sending; a message of one more is refused.
    devices: usize = 100_000, at least 1;
    /// A command nobody acknowledged in this time is expired, in seconds.
    command_expiry_s: u32 = 3600, at least 1;
    /// A command that was sent and not acknowledged in this time is sent again, in seconds; 0 is
    /// never.
    command_retry_s: u32 = 0;
    /// Days after which a reading, an alert or a refusal is removed that was received then; 0 is
    /// never. A tenant may have fewer in its settings.
    reading_days: u32 = 0;
    /// Days after which what readings of 15 minutes amount to is removed; 0 is never.
    rollup_days: u32 = 0;
    /// The largest body of a REST request.
    rest_body_bytes: usize = 1024 * 1024, at least 1;
    /// REST connections at a time. Beyond them the oldest that has not shown its token yet is ended
    /// for a newcomer; where there is none, only health and metrics are answered at once.
    rest_connections: usize = 1024, at least 1;
    /// How long a REST client may take for the head of its request, again for its body, and again
    /// for each 64 KiB of the answer, and how long its connection may be idle, in seconds.
    rest_header_s: u64 = 10, at least 1;
    /// TLS connections at a time that have not shown yet who they are; beyond them the oldest is
    /// ended for a newcomer.
    tls_handshakes: usize = 256, at least 1;
    /// How long a TLS handshake may take, and again the CONNECT after it, in seconds.
    tls_handshake_s: u64 = 10, at least 1;
    /// TLS connections at a time; more of them are refused.
    tls_connections: usize = 20_000, at least 1;
    /// How long a query may take, its waits included, in seconds; one that takes longer gets 503.
    query_s: u64 = 10, at least 1;
    /// Content of refused readings that is kept altogether, in bytes.
    refused_content_bytes: u64 = 256 * 1024 * 1024;
    /// How long a message may wait for its turn before the sender is disconnected, in seconds.
    accept_wait_s: u64 = 30, at least 1;
    /// How long stopping may take before what is left is cut off, in seconds.
    shutdown_s: u64 = 10, at least 1;
    /// Connections at a time on all ports; fewer if the system grants fewer open files.
    connections: usize = 100_000, at least 1;
    /// MQTT connections at a time without TLS; more of them are refused.
    mqtt_connections: usize = 100_000, at least 1;
    /// Of these, those that have not shown yet who they are; beyond them the oldest is ended for a
    /// newcomer.
    mqtt_connecting: usize = 1024, at least 1;
    /// How long an MQTT connection without TLS may take for its first byte, in seconds.
    mqtt_first_byte_s: u64 = 5, at least 1;
    /// How long it may take for its whole CONNECT, in seconds.
    mqtt_connect_s: u64 = 10, at least 1;
    /// The largest CONNECT.
    mqtt_connect_bytes: usize = 16 * 1024;
    /// Messages that may wait for one subscriber, those not acknowledged included. A subscriber
    /// beyond this is disconnected.
    subscriber_messages: usize = 10_000, at least 1;
    /// The same in bytes.
    subscriber_bytes: usize = 16 * 1024 * 1024;
    /// Bytes that may wait for all subscribers. Beyond this the one that most waits for is
    /// disconnected.
    subscribers_bytes: usize = 64 * 1024 * 1024;
    /// REST connections of one address at a time.
    rest_peer_connections: usize = 128, at least 1;
    /// REST requests per second of one address beyond the loopback; more of them get 429.
    rest_per_address_s: u32 = 200, at least 1;
    /// REST requests per second with one token but `token`, and four times as many at once.
    rest_per_principal_s: u32 = 50, at least 1;
    /// Wrong secrets of one address that are answered at once.
    wrong_secrets: u32 = 10, at least 1;
    /// Wrong secrets of one address that are answered per minute beyond these.
    wrong_secrets_per_minute: u32 = 60, at least 1;
    /// The longest that the answer to a wrong secret waits, in seconds.
    wrong_secret_wait_s: u64 = 5;
}

impl Limits {
    /// For how long everything is kept.
    pub(crate) fn retention(&self) -> Retention {
        let days = |days: u32| (days > 0).then_some(days);
        Retention::of(days(self.reading_days), days(self.rollup_days))
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is no TOML, or has a key or a type that does not belong there.
    #[error("read the platform's settings")]
    Syntax(#[source] toml::de::Error),
    /// A value that cannot work.
    #[error("{key} is {found}; {expected}")]
    Value {
        /// The key in the settings.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
}

impl ConfigError {
    /// A key with what stands there and what may.
    pub(crate) fn value(
        key: &'static str,
        found: impl Into<String>,
        expected: &'static str,
    ) -> Self {
        Self::Value { key, found: found.into(), expected }
    }
}

fn default_mqtt_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1883))
}

fn default_rest_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))
}

impl Config {
    /// Settings for a platform inside another program: loopback, free ports, the given clock.
    pub fn embedded(data: &Path, token: Token, clock: ClockSource) -> Self {
        let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            data: data.to_owned(),
            mqtt_address: free_port,
            rest_address: free_port,
            clock,
            token: Some(token),
            device_token: None,
            strict_table2: false,
            tls: None,
            rest_tls: None,
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            store: StoreConfig::default(),
            doors: Vec::new(),
            outgoing: OutgoingConfig::default(),
            connections: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Reads settings from TOML and checks them.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(ConfigError::Syntax)?;
        config.check()?;
        Ok(config)
    }

    /// The password of MQTT that devices share, if there is one.
    pub fn device_secret(&self) -> Option<&Token> {
        self.device_token.as_ref().or(self.token.as_ref())
    }

    /// Refuses secrets that are none.
    fn check_secrets(&self) -> Result<(), ConfigError> {
        let error = |key, found, expected| Err(ConfigError::value(key, found, expected));
        let own = self.device_token.as_ref();
        if self.token.as_ref().is_some_and(|token| token.reveal().is_empty()) {
            return error("token", "empty", "give at least one character, or leave it out");
        }
        if own.is_some_and(|own| own.reveal().is_empty()) {
            return error("device_token", "empty", "give at least one character, or leave it out");
        }
        if own.is_some() && own == self.token.as_ref() {
            return error("device_token", "the same as token", "give another one, or leave it out");
        }
        Ok(())
    }

    /// Refuses settings that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        const TWO_PACKETS: &str = "give at least 2 * packet_bytes";
        let limits = &self.limits;
        self.check_secrets()?;
        let packet = u64::from(limits.packet_bytes);
        let connect = limits.mqtt_connect_bytes as u64;
        let subscriber = limits.subscriber_bytes as u64;
        let all = limits.subscribers_bytes as u64;
        let bounds = [
            ("limits.packet_bytes", packet, 1024, "give at least 1024"),
            ("limits.in_flight_bytes", limits.in_flight_bytes.into(), 2 * packet, TWO_PACKETS),
            ("limits.segment_bytes", limits.segment_bytes, 4096, "give at least 4096"),
            ("limits.mqtt_connect_bytes", connect, 1024, "give at least 1024"),
            ("limits.subscriber_bytes", subscriber, 2 * packet, TWO_PACKETS),
            ("limits.subscribers_bytes", all, subscriber, "give at least subscriber_bytes"),
        ];
        let too_small = bounds.into_iter().find(|(_, found, least, _)| found < least);
        if let Some((key, found, _, expected)) = too_small {
            return Err(ConfigError::value(key, found.to_string(), expected));
        }
        if let Some(tls) = &self.tls {
            tls.check()?;
        }
        self.store.check()?;
        self.outgoing.check()?;
        self.connections.iter().try_for_each(ConnectionConfig::check)?;
        check_reach("rest_address", self.rest_address, self.rest_tls.is_some(), self.behind_proxy)?;
        let zero = limits.zero();
        zero.map_or(Ok(()), |key| Err(ConfigError::value(key, "0", "give at least 1")))
    }

    #[cfg(test)]
    pub(crate) fn tenant_folder(&self) -> PathBuf {
        self.data.join(TENANT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let config = Config::from_toml("data = \"d\"\ntoken = \"t\"").unwrap();
        assert_eq!(config.mqtt_address.to_string(), "127.0.0.1:1883");
        assert_eq!(config.rest_address.to_string(), "127.0.0.1:8080");
        assert_eq!(config.clock, ClockSource::Wall);
        assert_eq!(config.limits.packet_bytes, 262_144);
        assert_eq!(config.tenant_folder(), PathBuf::from("d/default"));
    }

    #[test]
    fn a_misspelt_key_and_an_impossible_value_are_refused() {
        for (text, word) in [
            ("data = \"d\"\ntoken = \"t\"\nclok = \"wall\"", "clok"),
            ("data = \"d\"\ntoken = \"t\"\n[limits]\npacket_byte = 1", "packet_byte"),
            ("data = \"d\"\ntoken = \"\"", "token"),
            ("data = \"d\"\ntoken = \"t\"\n[limits]\npacket_bytes = 1", "packet_bytes"),
            ("data = \"d\"\ntoken = \"t\"\n[limits]\nin_flight_bytes = 1", "in_flight_bytes"),
            ("data = \"d\"\ntoken = \"t\"\n[limits]\nqueue_messages = 0", "queue_messages"),
            ("data = \"d\"\ntoken = \"t\"\ndevice_token = \"\"", "device_token"),
            ("data = \"d\"\ntoken = \"t\"\ndevice_token = \"t\"", "the same as token"),
            ("data = \"d\"\ntoken = \"t\"\n[limits]\nsubscriber_bytes = 1", "subscriber_bytes"),
            ("data = \"d\"\ntoken = \"t\"\n[limits]\nsubscribers_bytes = 1", "subscribers_bytes"),
            ("data = \"d\"\ntoken = \"t\"\n[limits]\nmqtt_connecting = 0", "mqtt_connecting"),
            ("data = \"d\"\ntoken = \"t\"\n[store]\nkind = \"memory\"", "`sqlite` or `postgres`"),
            ("data = \"d\"\ntoken = \"t\"\n[store]\nkind = \"postgres\"", "name the database"),
            ("data = \"d\"\ntoken = \"t\"\n[store]\nurl = \"host=h\"", "store.kind"),
            ("data = \"d\"\ntoken = \"t\"\n[store]\npassword_file = \"f\"", "store.url"),
            (
                "data = \"d\"\ntoken = \"t\"\n[store]\nkind = \"postgres\"\nurl = \"none\"",
                "postgresql://",
            ),
        ] {
            let error = Config::from_toml(text).unwrap_err();
            let shown = match &error {
                ConfigError::Syntax(source) => source.to_string(),
                ConfigError::Value { .. } => error.to_string(),
            };
            assert!(shown.contains(word), "{shown}");
        }
    }

    #[test]
    fn the_secrets_do_not_show_themselves() {
        let text = "data = \"d\"\ntoken = \"s3cret\"\ndevice_token = \"s3crets\"";
        let config = Config::from_toml(text).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn the_meters_password_is_their_own_secret_where_there_is_one() {
        let config = |text: &str| Config::from_toml(text).unwrap();
        let one = config("data = \"d\"\ntoken = \"t\"");
        assert_eq!(one.device_secret().map(Token::reveal), Some("t"));
        let two = config("data = \"d\"\ntoken = \"t\"\ndevice_token = \"m\"");
        let secrets = [two.device_secret(), two.token.as_ref()].map(|one| one.map(Token::reveal));
        assert_eq!(secrets, [Some("m"), Some("t")]);
    }
}
