//! How HTTP is reached from outside: certificates of its own, and proxies in front.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::Deserialize;

use super::{ConfigError, Pem};

/// TLS 1.3 and 1.2 at `rest_address`, in place of plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestTlsConfig {
    /// The server's certificate, followed by those between it and its authority's.
    pub certificate: Pem,
    /// The server's private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: Pem,
}

impl RestTlsConfig {
    /// What the server shows.
    pub(crate) fn identity(&self) -> ServerIdentity<'_> {
        let names = ["rest_tls.certificate", "rest_tls.key"];
        ServerIdentity { certificate: &self.certificate, key: &self.key, names }
    }
}

/// What a server shows its clients.
#[derive(Clone, Copy)]
pub(crate) struct ServerIdentity<'a> {
    pub(crate) certificate: &'a Pem,
    pub(crate) key: &'a Pem,
    /// The settings that these are.
    pub(crate) names: [&'static str; 2],
}

/// An address, or all that begin alike: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    /// How many bits are the same in all.
    bits: u32,
}

impl Network {
    /// Whether an address is one of them. An address of IPv4 in IPv6's form is one of IPv4.
    pub fn has(&self, address: IpAddr) -> bool {
        let shift = |width: u32| width - self.bits;
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                u64::from(u32::from(own) ^ u32::from(other)) >> shift(32) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (u128::from(own) ^ u128::from(other)).checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no network; write it as 10.0.0.0/8 or 192.0.2.7");
        let (address, bits) = text.split_once('/').unzip();
        let address: IpAddr = address.unwrap_or(text).parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
        if bits > width { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Refuses plain HTTP on an address that others reach, unless a proxy is declared.
pub(crate) fn check_reach(
    key: &'static str,
    address: SocketAddr,
    has_tls: bool,
    behind_proxy: bool,
) -> Result<(), ConfigError> {
    if address.ip().to_canonical().is_loopback() || has_tls || behind_proxy {
        return Ok(());
    }
    let expected = "give it a certificate and a key, or an address of the loopback, or set \
                    `behind_proxy = true` where a proxy in front ends TLS";
    let found = format!("{address}, which others reach, without TLS");
    Err(ConfigError::value(key, found, expected))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_alike() {
        for (of, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.128/25", "::ffff:192.0.2.129", "192.0.2.127"),
            ("0.0.0.0/0", "203.0.113.1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(network(of).has(inside.parse().unwrap()), "{of} {inside}");
            assert!(!network(of).has(outside.parse().unwrap()), "{of} {outside}");
        }
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "ten", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_longer_prefix_never_has_more(own: u32, other: u32, bits in 1..=32_u32) {
            let at = |bits| Network { address: IpAddr::V4(own.into()), bits };
            let other = IpAddr::V4(other.into());
            prop_assert!(!at(bits).has(other) || at(bits - 1).has(other));
            prop_assert!(at(bits).has(IpAddr::V4(own.into())));
        }
    }

    #[test]
    fn plain_rest_beyond_the_loopback_is_refused_unless_a_proxy_is_declared() {
        let config =
            |more: &str| Config::from_toml(&format!("data = \"d\"\ntoken = \"t\"\n{more}"));
        let everywhere = "rest_address = \"0.0.0.0:8080\"\n";
        let refused = config(everywhere).unwrap_err().to_string();
        assert!(
            refused.starts_with("rest_address is 0.0.0.0:8080, which others reach"),
            "{refused}"
        );
        assert!(refused.contains("behind_proxy = true"), "{refused}");
        assert!(config("rest_address = \"[::1]:8080\"").is_ok());
        assert!(config(&format!("{everywhere}behind_proxy = true")).is_ok());
        let tls = "[rest_tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"";
        assert!(config(&format!("{everywhere}{tls}")).is_ok());
        let proxies = config("trusted_proxies = [\"10.0.0.0/8\", \"::1\"]").unwrap();
        assert_eq!(proxies.trusted_proxies, [network("10.0.0.0/8"), network("::1")]);
        assert!(config("trusted_proxies = [\"everybody\"]").is_err());
    }
}
