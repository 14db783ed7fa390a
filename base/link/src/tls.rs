//! TLS between devices and platform: certificates, and what a client has to know.
//!
//! Terms: an *authority* signs certificates, and who trusts it trusts them; an *identity* is a
//! certificate with its private key; a *device certificate* names the device whose key it holds,
//! by its hardware id (see [`Authority::issue_device`]). All of it is PEM text (RFC 7468), as
//! other tools read and write it.
//!
//! On rustls with one provider, ring: TLS 1.3 and 1.2, nothing older. Never here: a session that is
//! resumed (each connection proves its certificates anew), a connection without verification, or
//! trust in the machine's own list of authorities.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

mod authority;
mod words;

pub use authority::{Authority, DEVICE_URN, Validity};
pub(crate) use words::{handshake as handshake_words, later as later_words};

/// A certificate with its private key, both as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by those between it and a self-signed one, if there are any.
    pub certificate_pem: String,
    /// The private key, PKCS #8 where it was made here. A secret.
    pub key_pem: String,
}

impl fmt::Debug for Identity {
    /// Everything but the key, which must not reach a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.certificate_pem.len();
        formatter
            .debug_struct("Identity")
            .field("certificate_bytes", &bytes)
            .finish_non_exhaustive()
    }
}

/// What a client needs to speak TLS with a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// Certificates of the authorities whose servers are trusted; at least one. No others are.
    pub authority_pem: String,
    /// What the client shows if the server asks for a certificate.
    pub identity: Option<Identity>,
    /// The name or IP address that the server's certificate has to carry. Not taken from the
    /// address, because a link may stand between.
    pub server_name: String,
}

/// Why certificates cannot be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A text holds no certificate where one is needed.
    #[error("{what}: expected at least one PEM certificate, found {found}")]
    Certificate {
        /// Which of the PEM texts it is.
        what: &'static str,
        /// What is wrong with it.
        found: String,
    },
    /// A text holds no private key where one is needed.
    #[error("{what}: expected a PEM private key, found {found}")]
    Key {
        /// Which of the PEM texts it is.
        what: &'static str,
        /// What is wrong with it.
        found: String,
    },
    /// Certificate and key do not belong together.
    #[error("the private key is not that of the certificate ({0})")]
    Mismatch(String),
    /// The certificate given for an authority may not sign others.
    #[error("the certificate of {0} is no authority's: it may not sign others")]
    NoAuthority(String),
    /// A name that no certificate can carry.
    #[error("{name:?} cannot stand in a certificate: {why}")]
    Name {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The end of the validity is not after its beginning, or beyond what certificates can hold.
    #[error("a certificate cannot be valid from {not_before_s} s to {not_after_s} s after 1970")]
    Validity {
        /// Beginning of the validity, seconds since 1970.
        not_before_s: u64,
        /// End of the validity, seconds since 1970.
        not_after_s: u64,
    },
    /// The library could not make a key or sign.
    #[error("a certificate could not be made: {0}")]
    Making(String),
}

impl ClientTls {
    /// Trusts one authority and shows no certificate.
    pub fn new(authority_pem: &str, server_name: &str) -> Self {
        Self {
            authority_pem: authority_pem.to_owned(),
            identity: None,
            server_name: server_name.to_owned(),
        }
    }

    /// The same with a certificate to show.
    #[must_use]
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// The settings as rustls takes them.
    ///
    /// # Errors
    /// [`TlsError`], if the PEM texts or the name cannot be used.
    pub fn config(&self) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let name = ServerName::try_from(self.server_name.clone()).map_err(|error| {
            TlsError::Name { name: self.server_name.clone(), why: error.to_string() }
        })?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates("the authority to trust", &self.authority_pem)? {
            roots.add(certificate).map_err(|error| TlsError::Certificate {
                what: "the authority to trust",
                found: error.to_string(),
            })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Making(error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates("the client's certificate", &identity.certificate_pem)?;
                let key = private_key("the client's key", &identity.key_pem)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| TlsError::Mismatch(error.to_string()))?
            }
        };
        config.resumption = rustls::client::Resumption::disabled();
        Ok((Arc::new(config), name))
    }
}

/// The certificates of a PEM text, at least one.
fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(found) if found.is_empty() => {
            Err(TlsError::Certificate { what, found: "none".to_owned() })
        }
        Ok(found) => Ok(found),
        Err(error) => Err(TlsError::Certificate { what, found: error.to_string() }),
    }
}

/// The first private key of a PEM text.
fn private_key(what: &'static str, pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| TlsError::Key { what, found: error.to_string() })
}

#[cfg(test)]
mod tests;
