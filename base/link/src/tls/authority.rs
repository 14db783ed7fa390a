//! An authority of the bench's own, or a given one: signs certificates of servers and devices.
//!
//! Keys are ECDSA on P-256, the one kind that every TLS library of the last decade takes.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType, date_time_ymd,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Identity, TlsError, certificates};

/// How the name of a device begins in its certificate's URI name: followed by the hardware id, with
/// every byte that is not unreserved (RFC 3986 section 2.3) percent-encoded.
pub const DEVICE_URN: &str = "urn:lastmeter:device:";

/// The most characters of a common name (RFC 5280 appendix A.1, `ub-common-name`).
const COMMON_NAME_CHARACTERS_MAX: usize = 64;
/// `serialNumber`: distinguishes those of the same name (X.520 section 6.2.9).
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];
/// The latest instant that a certificate can hold: 9999-12-31T23:59:59Z, RFC 5280 section 4.1.2.5.
const LATEST_S: u64 = 253_402_300_799;
/// How long an authority is valid whose validity is not given.
const AUTHORITY_VALID: Duration = Duration::from_hours(24 * 3650);
/// How long a certificate is valid whose validity is not given.
const CERTIFICATE_VALID: Duration = Duration::from_hours(24 * 397);
/// How far the clock of who verifies may be behind ours.
const BACKDATED: Duration = Duration::from_hours(1);

/// From when to when a certificate holds, whole seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first second.
    pub not_before_s: u64,
    /// Its last second.
    pub not_after_s: u64,
}

impl Validity {
    /// From an hour ago, for clocks that are behind, to so long from now.
    pub fn from_now(valid: Duration) -> Self {
        let now = since_1970();
        Self {
            not_before_s: now.saturating_sub(BACKDATED).as_secs(),
            not_after_s: now.saturating_add(valid).as_secs().min(LATEST_S),
        }
    }

    /// Over since an hour ago; held for a day.
    pub fn expired() -> Self {
        let end = since_1970().saturating_sub(Duration::from_hours(1));
        let begin = end.saturating_sub(Duration::from_hours(24));
        Self { not_before_s: begin.as_secs(), not_after_s: end.as_secs() }
    }

    /// Beginning an hour from now, for a day.
    pub fn not_yet() -> Self {
        let begin = since_1970() + Duration::from_hours(1);
        let end = begin + Duration::from_hours(24);
        Self { not_before_s: begin.as_secs(), not_after_s: end.as_secs() }
    }
}

/// What certificates are judged against is the wall's clock, whatever clock a scenario drives.
#[expect(clippy::disallowed_methods, reason = "certificates hold by the wall's clock")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A certificate authority: its key and its own certificate.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    /// What a certificate signed here needs beside it to be traced to a self-signed one.
    between_pem: String,
}

impl Authority {
    /// A new authority of this name, valid for ten years. A number taken from its key is part of
    /// its name.
    ///
    /// # Errors
    /// [`TlsError`], if the name cannot stand in a certificate or no key could be made.
    pub fn generate(name: &str) -> Result<Self, TlsError> {
        let mut params = params(name, Validity::from_now(AUTHORITY_VALID))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        // Two authorities are two names (RFC 5280 section 4.1.2.4): else who trusts the one would
        // take what the other has signed for a forgery, and report another error.
        let id = params.key_identifier(&key);
        let number = id.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let kind = DnType::CustomDnType(SERIAL_NUMBER.to_vec());
        params.distinguished_name.push(kind, format!("{number:016x}"));
        let certificate_pem = params.self_signed(&key).map_err(making)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { certificate_pem, issuer, between_pem: String::new() })
    }

    /// An authority that is there already: its certificate, followed by those above it up to but
    /// not including a self-signed one, and its private key (PKCS #8).
    ///
    /// # Errors
    /// [`TlsError`], if the texts cannot be read, do not belong together, or are no authority's.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        let what = "the authority's certificate";
        let chain = certificates(what, certificate_pem)?;
        let bad = |found: String| TlsError::Certificate { what, found };
        let (_, own) =
            X509Certificate::from_der(&chain[0]).map_err(|error| bad(error.to_string()))?;
        let key = KeyPair::from_pem(key_pem).map_err(|error| TlsError::Key {
            what: "the authority's key",
            found: format!("{error}; PKCS #8 is read"),
        })?;
        let subject = own.subject().to_string();
        if key.subject_public_key_info() != own.public_key().raw {
            return Err(TlsError::Mismatch(subject));
        }
        if !own.is_ca() {
            return Err(TlsError::NoAuthority(subject));
        }
        let is_self_signed = own.subject().as_raw() == own.issuer().as_raw();
        let between_pem = if is_self_signed { String::new() } else { certificate_pem.to_owned() };
        let issuer =
            Issuer::from_ca_cert_der(&chain[0], key).map_err(|error| bad(error.to_string()))?;
        Ok(Self { certificate_pem: certificate_pem.to_owned(), issuer, between_pem })
    }

    /// Its certificate: what others trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its private key, PKCS #8. A secret: who has it can be any device and any server.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for a server with these names, each a DNS name or an IP address; valid for 397
    /// days.
    ///
    /// # Errors
    /// [`TlsError`], if there is no name or one cannot stand in a certificate.
    pub fn issue_server(&self, names: &[&str]) -> Result<Identity, TlsError> {
        self.issue_server_valid(names, Validity::from_now(CERTIFICATE_VALID))
    }

    /// A certificate for a server, valid for so long.
    ///
    /// # Errors
    /// As [`Authority::issue_server`], and if the validity is none.
    pub fn issue_server_valid(
        &self,
        names: &[&str],
        validity: Validity,
    ) -> Result<Identity, TlsError> {
        let first = names.first().ok_or_else(|| bad_name("", "a server needs at least one"))?;
        let mut params = params(first, validity)?;
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(dns_name(name)?),
            });
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// A certificate for a device, valid for 397 days.
    ///
    /// Its common name is the hardware id, where that has at most 64 characters; its subject
    /// alternative name is [`DEVICE_URN`] with the hardware id, which is the name that counts. It
    /// is good for clients only.
    ///
    /// # Errors
    /// [`TlsError`], if the id is empty or holds control characters.
    pub fn issue_device(&self, hardware_id: &str) -> Result<Identity, TlsError> {
        self.issue_device_valid(hardware_id, Validity::from_now(CERTIFICATE_VALID))
    }

    /// A certificate for a device, valid for so long.
    ///
    /// # Errors
    /// As [`Authority::issue_device`], and if the validity is none.
    pub fn issue_device_valid(
        &self,
        hardware_id: &str,
        validity: Validity,
    ) -> Result<Identity, TlsError> {
        let mut params = params(hardware_id, validity)?;
        let name = format!("{DEVICE_URN}{}", percent_encoded(hardware_id));
        let name = name.try_into().map_err(|_| bad_name(hardware_id, "it is no ASCII"))?;
        params.subject_alt_names.push(SanType::URI(name));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Identity, TlsError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(making)?;
        Ok(Identity {
            certificate_pem: certificate.pem() + &self.between_pem,
            key_pem: key.serialize_pem(),
        })
    }
}

fn params(name: &str, validity: Validity) -> Result<CertificateParams, TlsError> {
    if name.is_empty() {
        return Err(bad_name(name, "it is empty"));
    }
    if name.contains(char::is_control) {
        return Err(bad_name(name, "it holds a control character"));
    }
    let Validity { not_before_s, not_after_s } = validity;
    if not_after_s <= not_before_s || not_after_s > LATEST_S {
        return Err(TlsError::Validity { not_before_s, not_after_s });
    }
    let mut params = CertificateParams::default();
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(not_before_s);
    params.not_after = epoch + Duration::from_secs(not_after_s);
    params.distinguished_name = DistinguishedName::new();
    if name.chars().count() <= COMMON_NAME_CHARACTERS_MAX {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    Ok(params)
}

fn dns_name(name: &str) -> Result<rcgen::string::Ia5String, TlsError> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '*');
    if !name.chars().all(is_host) {
        return Err(bad_name(name, "it is neither a DNS name nor an IP address"));
    }
    name.try_into().map_err(|_| bad_name(name, "it is no ASCII"))
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing into memory does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn new_key() -> Result<KeyPair, TlsError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(making)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn making(error: rcgen::Error) -> TlsError {
    TlsError::Making(error.to_string())
}

fn bad_name(name: &str, why: &str) -> TlsError {
    TlsError::Name { name: name.to_owned(), why: why.to_owned() }
}
