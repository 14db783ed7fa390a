//! From the settings for TLS to what the broker's TLS door is given: reads the PEM files and builds
//! the verifier.
//!
//! TLS 1.3 and 1.2 with one provider, ring. A session is never resumed: each connection proves its
//! certificate anew, so one that has expired in the meantime does not come back.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::broker::{Naming, TlsSettings};
use crate::config::{Config, Pem, TlsConfig};

/// Why the settings for TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsSettingsError {
    /// A file cannot be read.
    #[error("{key}: cannot read {path}")]
    Read {
        key: &'static str,
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// What was read is not what is needed.
    #[error("{key}: expected {expected}, found {found}")]
    Pem { key: &'static str, expected: &'static str, found: String },
    /// Certificate and key do not go together, or cannot be used.
    #[error("tls.certificate and tls.key cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// Reads the certificates; `None` without TLS.
pub(crate) fn load(config: &Config) -> Result<Option<TlsSettings>, TlsSettingsError> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let limits = &config.limits;
    Ok(Some(TlsSettings {
        address: tls.address,
        server: Arc::new(server_config(tls)?),
        handshake_limit: Duration::from_secs(limits.tls_handshake_s),
        handshakes: limits.tls_handshakes,
        connections: limits.tls_connections,
    }))
}

fn server_config(tls: &TlsConfig) -> Result<ServerConfig, TlsSettingsError> {
    let chain = certificates("tls.certificate", &tls.certificate)?;
    // Its clients judge that; whoever runs it should hear of it before they complain.
    if let Some((_, own)) = chain.first().and_then(|der| X509Certificate::from_der(der).ok())
        && !own.validity().is_valid()
    {
        let (from, to) = (own.validity().not_before, own.validity().not_after);
        tracing::warn!(%from, %to, "the certificate of the TLS port is not valid now");
    }
    let text = read("tls.key", &tls.key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsSettingsError::Pem {
        key: "tls.key",
        expected: "a PEM private key",
        found: error.to_string(),
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsSettingsError::Unusable)?;
    let builder = match &tls.client_authority {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let bad = |found: String| TlsSettingsError::Pem {
                key: "tls.client_authority",
                expected: "certificates of authorities",
                found,
            };
            let mut roots = RootCertStore::empty();
            for certificate in certificates("tls.client_authority", authority)? {
                roots.add(certificate).map_err(|error| bad(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if tls.require_client_certificate {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            let verifier = verifier.build().map_err(|error| bad(error.to_string()))?;
            builder.with_client_cert_verifier(Arc::new(Naming(verifier)))
        }
    };
    let mut server = builder.with_single_cert(chain, key).map_err(TlsSettingsError::Unusable)?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(server)
}

fn certificates(
    key: &'static str,
    pem: &Pem,
) -> Result<Vec<CertificateDer<'static>>, TlsSettingsError> {
    let text = read(key, pem)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = match read {
        Ok(certificates) if !certificates.is_empty() => return Ok(certificates),
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(TlsSettingsError::Pem { key, expected: "at least one PEM certificate", found })
}

fn read(key: &'static str, pem: &Pem) -> Result<Vec<u8>, TlsSettingsError> {
    match pem {
        Pem::Text(text) => Ok(text.clone().into_bytes()),
        Pem::File(path) => fs::read(path).map_err(|source| TlsSettingsError::Read {
            key,
            path: path.clone(),
            source,
        }),
    }
}
