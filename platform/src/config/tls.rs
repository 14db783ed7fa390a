//! The table `[tls]`: certificates, and who may connect with which.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;

/// TLS 1.3 and 1.2 in front of the MQTT broker, on a port of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Where MQTT over TLS listens; port 0 takes a free one. Default `127.0.0.1:8883`.
    #[serde(default = "default_address")]
    pub address: SocketAddr,
    /// The server's certificate, followed by those between it and its authority's.
    pub certificate: Pem,
    /// The server's private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: Pem,
    /// The authorities whose device certificates are taken. Without any, none is asked for.
    #[serde(default)]
    pub client_authority: Option<Pem>,
    /// Whether a client without certificate is refused; otherwise user name and password do.
    #[serde(default)]
    pub require_client_certificate: bool,
    /// Whether MQTT without TLS is there as well, at `mqtt_address`. Default yes.
    #[serde(default = "yes")]
    pub plain: bool,
}

/// A PEM text, or the file that holds it: in TOML what begins with `-----BEGIN` is the text itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Pem {
    /// The file, relative to the working directory.
    File(PathBuf),
    /// The text.
    Text(String),
}

impl From<String> for Pem {
    fn from(text: String) -> Self {
        if text.trim_start().starts_with("-----BEGIN") {
            Self::Text(text)
        } else {
            Self::File(text.into())
        }
    }
}

impl fmt::Debug for Pem {
    /// Never the text, which may be a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text(***)"),
        }
    }
}

fn default_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8883))
}

fn yes() -> bool {
    true
}

impl TlsConfig {
    /// TLS on a free port of the loopback, for a platform inside another program: clients need no
    /// certificate, and plain MQTT is there as well.
    pub fn embedded(certificate_pem: &str, key_pem: &str) -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate: Pem::Text(certificate_pem.to_owned()),
            key: Pem::Text(key_pem.to_owned()),
            client_authority: None,
            require_client_certificate: false,
            plain: true,
        }
    }

    /// Refuses settings that contradict each other.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.require_client_certificate && self.client_authority.is_none() {
            let found = "true without tls.client_authority";
            let expected = "name the CA certificates used to verify clients";
            return Err(ConfigError::value("tls.require_client_certificate", found, expected));
        }
        Ok(())
    }
}
