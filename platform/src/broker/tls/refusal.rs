//! Why the TLS door turned somebody away: the closed list of reasons, each a stable word.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// Why a client did not get through the TLS door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TlsRefusal {
    /// What came first is no TLS: plain MQTT, HTTP, noise.
    NotTls,
    /// The handshake was begun and not ended in time.
    HandshakeTimeout,
    /// Nothing came in time over a connection that was made.
    NoConnect,
    /// No certificate, where one is required.
    NoCertificate,
    /// The certificate is signed by nobody that is trusted here.
    UnknownAuthority,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not begun.
    NotYetValid,
    /// The certificate is broken, or not made for clients, or names no device.
    BadCertificate,
    /// The MQTT client identifier is not the name in the certificate.
    WrongIdentity,
    /// The client said that it does not take the certificate shown here.
    Distrusted,
    /// No version of TLS, or no way to encrypt, that both sides speak.
    Incompatible,
    /// The client broke the protocol in the course of the handshake.
    Malformed,
    /// More connections than `limits.tls_connections`.
    Overloaded,
}

impl TlsRefusal {
    /// All of them, in a fixed order.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 13] = [
        Self::NotTls,
        Self::HandshakeTimeout,
        Self::NoConnect,
        Self::NoCertificate,
        Self::UnknownAuthority,
        Self::Expired,
        Self::NotYetValid,
        Self::BadCertificate,
        Self::WrongIdentity,
        Self::Distrusted,
        Self::Incompatible,
        Self::Malformed,
        Self::Overloaded,
    ];

    /// The stable word for records and counters.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::NotTls => "tls_not_tls",
            Self::HandshakeTimeout => "tls_handshake_timeout",
            Self::NoConnect => "tls_no_connect",
            Self::NoCertificate => "tls_no_certificate",
            Self::UnknownAuthority => "tls_unknown_authority",
            Self::Expired => "tls_expired",
            Self::NotYetValid => "tls_not_yet_valid",
            Self::BadCertificate => "tls_bad_certificate",
            Self::WrongIdentity => "tls_wrong_identity",
            Self::Distrusted => "tls_distrusted",
            Self::Incompatible => "tls_incompatible",
            Self::Malformed => "tls_malformed",
            Self::Overloaded => "tls_overloaded",
        }
    }

    /// Why a handshake failed, and what was found; `None` if the client went away in the midst of
    /// it, which is nobody's refusal.
    pub(in super::super) fn of(error: &io::Error) -> Option<(Self, String)> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        let found = match error {
            Error::NoCertificatesPresented => (Self::NoCertificate, "it showed none".to_owned()),
            Error::InvalidCertificate(error) => of_certificate(error),
            Error::AlertReceived(alert) => of_alert(*alert),
            Error::PeerIncompatible(what) => (Self::Incompatible, format!("{what:?}")),
            other => (Self::Malformed, other.to_string()),
        };
        Some(found)
    }
}

fn of_certificate(error: &CertificateError) -> (TlsRefusal, String) {
    match error {
        CertificateError::Expired => (TlsRefusal::Expired, "it has expired".to_owned()),
        CertificateError::ExpiredContext { time, not_after } => {
            let ago_s = time.as_secs().saturating_sub(not_after.as_secs());
            (TlsRefusal::Expired, format!("it expired {ago_s} s ago"))
        }
        CertificateError::NotValidYet => {
            (TlsRefusal::NotYetValid, "it is not valid yet".to_owned())
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let to_go_s = not_before.as_secs().saturating_sub(time.as_secs());
            (TlsRefusal::NotYetValid, format!("it is not valid yet, but in {to_go_s} s"))
        }
        CertificateError::UnknownIssuer => {
            (TlsRefusal::UnknownAuthority, "who signed it is not trusted here".to_owned())
        }
        // Somebody has made an authority of the same name.
        CertificateError::BadSignature => {
            let found = "the authority that it names has not signed it";
            (TlsRefusal::UnknownAuthority, found.to_owned())
        }
        error => (TlsRefusal::BadCertificate, error.to_string()),
    }
}

/// RFC 8446 section 6.2: which alerts are about a certificate. Only a client can send them here, so
/// they are about the one of this server.
fn of_alert(alert: AlertDescription) -> (TlsRefusal, String) {
    let reason = match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => TlsRefusal::Distrusted,
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            TlsRefusal::Incompatible
        }
        _ => TlsRefusal::Malformed,
    };
    (reason, format!("the client rejected the platform's certificate: {alert:?}"))
}
