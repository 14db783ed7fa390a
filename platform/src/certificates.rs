//! From the settings for TLS to what a port shows and asks for: reads the PEM files and builds the
//! verifier.
//!
//! TLS 1.3 and 1.2 with one provider, ring. A session is never resumed: each connection proves its
//! certificate anew, so one that has expired in the meantime does not come back.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_outgoing::ClientTls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::{Config, Pem, ServerIdentity};
use crate::tls::{Naming, Settings};

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
    #[error("{certificate} and {key} cannot be used: {source}")]
    Unusable {
        certificate: &'static str,
        key: &'static str,
        #[source]
        source: rustls::Error,
    },
}

/// Whose certificates a port asks for.
struct Clients<'a> {
    authority: &'a Pem,
    is_required: bool,
}

/// Reads the certificates of MQTT's port; `None` without TLS.
pub(crate) fn load(config: &Config) -> Result<Option<Settings>, TlsSettingsError> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let limits = &config.limits;
    let shown = ServerIdentity {
        certificate: &tls.certificate,
        key: &tls.key,
        names: ["tls.certificate", "tls.key"],
    };
    let (authority, is_required) = (tls.client_authority.as_ref(), tls.require_client_certificate);
    let clients = authority.map(|authority| Clients { authority, is_required });
    Ok(Some(Settings {
        address: tls.address,
        server: Arc::new(server_config(shown, clients.as_ref())?),
        handshake_limit: Duration::from_secs(limits.tls_handshake_s),
        handshakes: limits.tls_handshakes,
        connections: limits.tls_connections,
    }))
}

/// What a port for HTTP/1.1 shows; it asks nobody for a certificate.
pub(crate) fn load_http(shown: ServerIdentity<'_>) -> Result<ServerConfig, TlsSettingsError> {
    let mut server = server_config(shown, None)?;
    // Nobody who wants to speak something else is let in (RFC 7301, 3.2).
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

fn server_config(
    shown: ServerIdentity<'_>,
    clients: Option<&Clients<'_>>,
) -> Result<ServerConfig, TlsSettingsError> {
    let [certificate_name, key_name] = shown.names;
    let unusable = |source| TlsSettingsError::Unusable {
        certificate: certificate_name,
        key: key_name,
        source,
    };
    let chain = certificates(certificate_name, shown.certificate)?;
    // Its clients judge that; whoever runs it should hear of it before they complain.
    if let Some((_, own)) = chain.first().and_then(|der| X509Certificate::from_der(der).ok())
        && !own.validity().is_valid()
    {
        let (from, to) = (own.validity().not_before, own.validity().not_after);
        tracing::warn!(%from, %to, setting = certificate_name, "the certificate is not valid now");
    }
    let text = read(key_name, shown.key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsSettingsError::Pem {
        key: key_name,
        expected: "a PEM private key",
        found: error.to_string(),
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(Clients { authority, is_required }) => {
            let key = "tls.client_authority";
            let roots = authorities(key, authority)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if *is_required { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier.build().map_err(|error| no_authority(key, &error))?;
            builder.with_client_cert_verifier(Arc::new(Naming(verifier)))
        }
    };
    let mut server = builder.with_single_cert(chain, key).map_err(unusable)?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(server)
}

/// How a server is known that somebody else runs.
pub(crate) fn load_client(
    key: &'static str,
    authority: &Pem,
) -> Result<ClientConfig, TlsSettingsError> {
    let roots = authorities(key, authority)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| no_authority(key, &error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The same for what is asked over the web.
pub(crate) fn client(key: &'static str, authority: &Pem) -> Result<ClientTls, TlsSettingsError> {
    let found = ClientTls::trusting(certificates(key, authority)?);
    found.map_err(|error| no_authority(key, &error))
}

/// The text of one or several.
pub(crate) fn text(key: &'static str, pem: &Pem) -> Result<String, TlsSettingsError> {
    Ok(String::from_utf8_lossy(&read(key, pem)?).into_owned())
}

fn no_authority(key: &'static str, found: &dyn std::fmt::Display) -> TlsSettingsError {
    TlsSettingsError::Pem { key, expected: "certificates of authorities", found: found.to_string() }
}

fn authorities(key: &'static str, pem: &Pem) -> Result<RootCertStore, TlsSettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(key, pem)? {
        roots.add(certificate).map_err(|error| no_authority(key, &error))?;
    }
    Ok(roots)
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
