//! Who may be reached: hosts that whoever runs the platform names. A name never leads to the
//! loopback, to a private network or to what else is not everybody's, whoever answers for it; an
//! address does so where it is named itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::error::OutgoingError;

/// Ports of a host that is named without one.
const USUAL_PORTS: [u16; 2] = [80, 443];

/// A host that may be reached: `hooks.example.org`, `hooks.example.org:8443`, `192.0.2.7:9000` or
/// `[2001:db8::7]:9000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// In lower case, an address of IPv6 without brackets.
    name: String,
    /// Which port; the usual ones without.
    port: Option<u16>,
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is no host; write it as hooks.example.org or hooks.example.org:8443")
        };
        if let Ok(address) = text.parse::<SocketAddr>() {
            let name = address.ip().to_string();
            return Ok(Self { name, port: Some(address.port()) });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { name: address.to_string(), port: None });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || !name.bytes().all(is_part) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }
}

/// The hosts that may be reached.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<Host>);

impl Hosts {
    /// These.
    pub fn new(hosts: Vec<Host>) -> Self {
        Self(hosts)
    }

    /// Whether a host, as it stands in an address, may be reached on a port.
    pub fn has(&self, host: &str, port: u16) -> bool {
        let name = host.trim_matches(['[', ']']).to_ascii_lowercase();
        self.0.iter().any(|one| {
            let is_port =
                one.port.map_or_else(|| USUAL_PORTS.contains(&port), |named| named == port);
            one.name == name && is_port
        })
    }

    /// The address under which a host is reached, looked up once.
    ///
    /// # Errors
    /// If it may not be reached, or has no address now.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, OutgoingError> {
        if !self.has(host, port) {
            return Err(OutgoingError::Refused(format!(
                "{host}:{port} is not one of the hosts that this platform sends to"
            )));
        }
        let bare = host.trim_matches(['[', ']']);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, port));
        }
        let found: Vec<SocketAddr> = look_up(bare, port).await?;
        if let Some(hidden) = found.iter().find(|one| !is_public(one.ip())) {
            return Err(OutgoingError::Refused(format!(
                "{host} leads to {}, which is not everybody's address; name the address itself \
                 among the hosts if that is meant",
                hidden.ip()
            )));
        }
        first(&found, host)
    }
}

/// The first address of a host that is trusted whatever it is.
///
/// # Errors
/// If it has none now.
pub(crate) async fn resolve_trusted(host: &str, port: u16) -> Result<SocketAddr, OutgoingError> {
    let bare = host.trim_matches(['[', ']']);
    first(&look_up(bare, port).await?, host)
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, OutgoingError> {
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(OutgoingError::Failed(format!("{host} could not be looked up: {error}"))),
    }
}

fn first(found: &[SocketAddr], host: &str) -> Result<SocketAddr, OutgoingError> {
    found.first().copied().ok_or_else(|| OutgoingError::Failed(format!("{host} has no address")))
}

/// Whether an address is everybody's: not of the loopback, a link, a private network, a
/// translation or a test (the registries of special-purpose addresses, RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || matches!((a, b, c), (0 | 224.., ..) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99))
        || matches!((a, b), (198, 18 | 19));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Addresses of IPv4 in those of IPv6: NAT64 and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Teredo and others of the protocols themselves, benchmarks, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // What is assigned to be unicast everywhere.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_everybodys_is_known_as_such() {
        for hidden in [
            "127.0.0.1",
            "127.255.255.255",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "100.127.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "fec0::1",
        ] {
            assert!(!is_public(hidden.parse().unwrap()), "{hidden}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "2001:200::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_host_is_named_with_a_port_or_for_the_usual_ones() {
        let named = ["Hooks.example.org", "api.example.org:8443", "127.0.0.1:9000", "[::1]:9000"];
        let hosts = Hosts::new(named.iter().map(|one| one.parse().unwrap()).collect());
        for (host, port) in [
            ("hooks.example.org", 443),
            ("HOOKS.EXAMPLE.ORG", 80),
            ("api.example.org", 8443),
            ("127.0.0.1", 9000),
            ("[::1]", 9000),
            ("::1", 9000),
        ] {
            assert!(hosts.has(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("hooks.example.org", 8080),
            ("api.example.org", 443),
            ("127.0.0.1", 9001),
            ("example.org", 443),
            ("hooks.example.org.evil.net", 443),
            ("", 443),
        ] {
            assert!(!hosts.has(host, port), "{host}:{port}");
        }
        for wrong in ["", "a b", "a:b", "a:70000", "http://a", "user@a", "[::1"] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_name_does_not_lead_to_the_loopback_but_a_named_address_does() {
        let hosts = |named: &str| Hosts::new(vec![named.parse().unwrap()]);
        let found = hosts("localhost:9000").resolve("localhost", 9000).await;
        assert!(matches!(&found, Err(OutgoingError::Refused(why)) if why.contains("everybody's")));
        let found = hosts("127.0.0.1:9000").resolve("127.0.0.1", 9000).await;
        assert_eq!(found.ok(), Some("127.0.0.1:9000".parse().unwrap()));
        let found = hosts("example.org").resolve("127.0.0.1", 80).await;
        assert!(matches!(found, Err(OutgoingError::Refused(_))));
    }
}
