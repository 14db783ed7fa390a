//! Whose certificate it is. Pure, and good for bytes of any kind.
//!
//! The name that counts is that of a subject alternative name `urn:lastmeter:device:ID`, with the
//! hardware id percent-encoded (RFC 3986 section 2.1), because it holds any hardware id, or
//! `urn:lastmeter:TENANT:device:ID`, which states the tenant too. Without one it is the subject's
//! common name, which is what certificates of other making have.

use lastmeter_model::access::Secret;
use lastmeter_units::TenantName;
use sha2::{Digest, Sha256};

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// How the names of devices begin.
const URN: &str = "urn:lastmeter:";
/// What stands before the hardware id, behind the tenant if there is one.
const DEVICE: &str = "device:";

/// The certificate of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceCertificate {
    /// The tenant, if its name is of the form that has one.
    pub(crate) tenant: Option<TenantName>,
    /// The device.
    pub(crate) device: String,
    /// SHA-256 of it, hexadecimal.
    pub(crate) fingerprint: String,
}

/// The one device that a certificate (DER) names, or why there is none.
pub(crate) fn device_certificate(der: &[u8]) -> Result<DeviceCertificate, &'static str> {
    let (tenant, device) = named(der)?;
    let fingerprint = Secret(Sha256::digest(der).into()).print();
    Ok(DeviceCertificate { tenant, device, fingerprint })
}

/// The tenant, if the name has one, and the device.
pub(super) fn named(der: &[u8]) -> Result<(Option<TenantName>, String), &'static str> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| "the certificate cannot be read")?;
    let alternatives = certificate
        .subject_alternative_name()
        .map_err(|_| "its alternative names cannot be read")?;
    let mut named =
        alternatives.iter().flat_map(|names| &names.value.general_names).filter_map(|name| {
            match name {
                GeneralName::URI(uri) => of_urn(uri),
                _ => None,
            }
        });
    if let Some((tenant, encoded)) = named.next() {
        if named.next().is_some() {
            return Err("it names more than one device");
        }
        return Ok((tenant, decoded(encoded)?));
    }
    let mut common = certificate.subject().iter_common_name();
    let name = common.next().ok_or("it names no device")?;
    if common.next().is_some() {
        return Err("it has more than one common name");
    }
    match name.as_str() {
        Ok("") | Err(_) => Err("its common name cannot be read"),
        Ok(name) => Ok((None, name.to_owned())),
    }
}

/// The tenant, if there is one, and the encoded device of a name.
fn of_urn(uri: &str) -> Option<(Option<TenantName>, &str)> {
    let rest = uri.strip_prefix(URN)?;
    if let Some(encoded) = rest.strip_prefix(DEVICE) {
        return Some((None, encoded));
    }
    let (tenant, rest) = rest.split_once(':')?;
    Some((Some(TenantName::new(tenant).ok()?), rest.strip_prefix(DEVICE)?))
}

/// Percent-decoding; what is not encoded as it has to be names nobody, rather than somebody else.
fn decoded(encoded: &str) -> Result<String, &'static str> {
    const BROKEN: &str = "its device name is not percent-encoded UTF-8";
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(BROKEN) };
        bytes.push((high * 16 + low) as u8);
    }
    match String::from_utf8(bytes) {
        Ok(name) if !name.is_empty() => Ok(name),
        _ => Err(BROKEN),
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_link::tls::{Authority, DEVICE_URN as WRITTEN};
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    /// A certificate with these common names and URI names; signed by itself, which does not
    /// matter here.
    fn certificate(common: &[&str], uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (at, name) in common.iter().enumerate() {
            // rcgen holds one value per type; the second is written as the type's own number.
            let kind =
                if at == 0 { DnType::CommonName } else { DnType::CustomDnType(vec![2, 5, 4, 3]) };
            params.distinguished_name.push(kind, *name);
        }
        params.subject_alt_names =
            uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_name_is_read_as_it_is_written() {
        assert_eq!(WRITTEN, format!("{URN}{DEVICE}"));
        let authority = Authority::generate("bench").unwrap();
        for id in ["home-1", "123-TEST-4567890", "Zähler 7%", &"x".repeat(128), " ", "%41"] {
            let pem = authority.issue_device(id).unwrap().certificate_pem;
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            assert_eq!(named(&der), Ok((None, id.to_owned())));
        }
    }

    #[test]
    fn the_alternative_name_counts_before_the_common_name() {
        let own = "urn:lastmeter:device:home-1";
        for (common, uris, expected) in [
            (&["home-2"][..], &[own][..], Ok("home-1")),
            (&[], &["https://example.org/", own], Ok("home-1")),
            (&["home-2"], &["https://example.org/home-1"], Ok("home-2")),
            (&["home-2"], &[], Ok("home-2")),
            (&[], &["https://example.org/home-1"], Err("names no device")),
            (&["home-1", "home-2"], &[], Err("more than one common name")),
            (&["home-2"], &[own, own], Err("more than one device")),
            (&["home-2"], &["urn:lastmeter:device:"], Err("percent-encoded")),
            (&["home-2"], &["urn:lastmeter:device:a%"], Err("percent-encoded")),
            (&["home-2"], &["urn:lastmeter:device:a%4"], Err("percent-encoded")),
            (&["home-2"], &["urn:lastmeter:device:%zz"], Err("percent-encoded")),
            (&["home-2"], &["urn:lastmeter:device:%ff"], Err("percent-encoded")),
        ] {
            let found = named(&certificate(common, uris)).map(|(_, device)| device);
            match expected {
                Ok(name) => assert_eq!(found.as_deref(), Ok(name)),
                Err(words) => assert!(found.unwrap_err().contains(words), "{common:?} {uris:?}"),
            }
        }
    }

    #[test]
    fn a_name_may_state_the_tenant() {
        let b = TenantName::new("b").unwrap();
        for (uri, tenant) in [
            ("urn:lastmeter:b:device:home%201", Some(b.clone())),
            ("urn:lastmeter:device:home%201", None),
            ("urn:lastmeter:B:device:home%201", None),
        ] {
            let found = device_certificate(&certificate(&["other"], &[uri])).unwrap();
            let device = if uri.contains(":B:") { "other" } else { "home 1" };
            assert_eq!((found.tenant, &*found.device), (tenant, device), "{uri}");
            assert_eq!(found.fingerprint.len(), 64);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = named(&bytes);
        }

        #[test]
        fn a_certificate_with_wrong_bytes_is_answered(
            changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..20),
            cut in any::<Option<proptest::sample::Index>>(),
        ) {
            let mut bytes = certificate(&["home-2"], &["urn:lastmeter:device:home-1"]);
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let _ = named(&bytes);
        }
    }
}
