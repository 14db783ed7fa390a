//! Why the TLS listener rejected a client: the closed list of reasons, each a stable word.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

lastmeter_units::words! {
    /// Why a client did not get through the TLS listener.
    pub(crate) enum TlsRefusal {
        /// What came first is no TLS: plain MQTT, HTTP, noise.
        NotTls = "tls_not_tls",
        /// The handshake was begun and not ended in time.
        HandshakeTimeout = "tls_handshake_timeout",
        /// Nothing came in time over a connection that was made.
        NoConnect = "tls_no_connect",
        /// No certificate, where one is required.
        NoCertificate = "tls_no_certificate",
        /// The certificate is signed by nobody that is trusted here.
        UnknownAuthority = "tls_unknown_authority",
        /// The certificate's time is over.
        Expired = "tls_expired",
        /// The certificate's time has not begun.
        NotYetValid = "tls_not_yet_valid",
        /// The certificate is broken, or not made for clients, or names no device.
        BadCertificate = "tls_bad_certificate",
        /// The MQTT client identifier is not the name in the certificate.
        WrongIdentity = "tls_wrong_identity",
        /// The client rejected the certificate shown here.
        Distrusted = "tls_distrusted",
        /// No version of TLS, or no way to encrypt, that both sides speak.
        Incompatible = "tls_incompatible",
        /// The client broke the protocol in the course of the handshake.
        Malformed = "tls_malformed",
        /// More connections than `limits.tls_connections`.
        Overloaded = "tls_overloaded",
    }
}

impl TlsRefusal {
    /// Why a handshake failed, and what was found; `None` if the client went away in the midst of
    /// it, which is nobody's refusal.
    pub(super) fn of(error: &io::Error) -> Option<(Self, String)> {
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
