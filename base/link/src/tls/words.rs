//! What went wrong with TLS, in words for a person: the library's own name its types.

use std::io;

use rustls::{AlertDescription, CertificateError};

/// Why a handshake with the broker at `address` failed.
pub(crate) fn handshake(error: &io::Error, address: &str) -> String {
    match inner(error) {
        Some(error) => of(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{address} closed the connection during the TLS handshake")
        }
        None => format!("TLS handshake with {address}: {error}"),
    }
}

/// Why a connection ended after its handshake; `None` if the broker just closed it. With TLS 1.3
/// this is also where a broker rejects this client.
pub(crate) fn later(error: &io::Error) -> Option<String> {
    match inner(error) {
        Some(error) => Some(of(error)),
        None if error.kind() == io::ErrorKind::UnexpectedEof => None,
        None => Some(format!("connection lost: {error}")),
    }
}

fn inner(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn of(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => {
            format!("the broker's certificate is not valid: {}", certificate(error))
        }
        rustls::Error::AlertReceived(alert) => {
            format!("the broker refused the TLS connection: {}", refused(*alert))
        }
        rustls::Error::InvalidMessage(found) => {
            format!("the broker does not speak TLS on this port ({found:?})")
        }
        rustls::Error::PeerIncompatible(what) => {
            format!("the broker speaks no TLS that is spoken here: {what:?}")
        }
        error => format!("TLS failed: {error}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => "expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("expired {} s ago", time.as_secs().saturating_sub(not_after.as_secs()))
        }
        CertificateError::NotValidYet => "not valid yet".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            let to_go_s = not_before.as_secs().saturating_sub(time.as_secs());
            format!("not valid yet, but in {to_go_s} s")
        }
        CertificateError::UnknownIssuer => "unknown authority".to_owned(),
        CertificateError::NotValidForName => "not valid for the name asked for".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("not valid for name {}; it has {}", expected.to_str(), presented.join(", "))
        }
        CertificateError::BadSignature => "not signed by the authority that it names".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "not made for servers".to_owned()
        }
        error => error.to_string(),
    }
}

/// What an alert of the broker is about (RFC 8446 section 6.2).
fn refused(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "it wants a certificate".to_owned(),
        AlertDescription::UnknownCA => {
            "it does not know who signed the client's certificate".to_owned()
        }
        AlertDescription::CertificateExpired => "the client's certificate has expired".to_owned(),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError => {
            format!("it does not take the client's certificate ({alert:?})")
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            format!("there is no TLS that both speak ({alert:?})")
        }
        alert => format!("{alert:?}"),
    }
}
