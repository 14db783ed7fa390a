//! Whose certificate it is. Pure, and good for bytes of any kind.
//!
//! The name that counts is that of a subject alternative name `urn:lastmeter:device:ID`, with the
//! hardware id percent-encoded (RFC 3986 section 2.1), because it holds any hardware id. Without
//! one it is the subject's common name, which is what certificates of other making have.

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// What stands before the hardware id.
const DEVICE_URN: &str = "urn:lastmeter:device:";

/// The one device that a certificate (DER) names, or why there is none.
pub(crate) fn device_name(der: &[u8]) -> Result<String, &'static str> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| "the certificate cannot be read")?;
    let alternatives = certificate
        .subject_alternative_name()
        .map_err(|_| "its alternative names cannot be read")?;
    let mut named =
        alternatives.iter().flat_map(|names| &names.value.general_names).filter_map(|name| {
            match name {
                GeneralName::URI(uri) => uri.strip_prefix(DEVICE_URN),
                _ => None,
            }
        });
    if let Some(encoded) = named.next() {
        if named.next().is_some() {
            return Err("it names more than one device");
        }
        return decoded(encoded);
    }
    let mut common = certificate.subject().iter_common_name();
    let name = common.next().ok_or("it names no device")?;
    if common.next().is_some() {
        return Err("it has more than one common name");
    }
    match name.as_str() {
        Ok("") | Err(_) => Err("its common name cannot be read"),
        Ok(name) => Ok(name.to_owned()),
    }
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
