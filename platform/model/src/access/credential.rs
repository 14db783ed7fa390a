//! What clients present: MQTT user names, tokens, certificate names, and how secrets are kept.

use std::fmt;

use lastmeter_units::{HardwareId, TenantName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::principal::{Eui64, PrincipalName, PrincipalRef};

/// An MQTT user name: the tenant, and who in it; the tenant alone is the shared device credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName {
    /// The tenant.
    pub tenant: TenantName,
    /// A device, gateway, application, user, or the shared device credential.
    pub principal: PrincipalRef,
}

impl UserName {
    /// Takes a user name apart; `None` if it has none of the forms.
    pub fn parse(text: &str) -> Option<Self> {
        let mut levels = text.splitn(3, '/');
        let tenant = TenantName::new(levels.next()?).ok()?;
        let principal = match (levels.next(), levels.next()) {
            (None, None) => PrincipalRef::SharedDevices,
            (Some("device"), Some(id)) => PrincipalRef::Device(HardwareId::new(id).ok()?),
            (Some("gateway"), Some(id)) => PrincipalRef::Gateway(id.parse::<Eui64>().ok()?),
            (Some("app"), Some(n)) => PrincipalRef::Application(n.parse::<PrincipalName>().ok()?),
            (Some("user"), Some(n)) => PrincipalRef::User(n.parse::<PrincipalName>().ok()?),
            _ => return None,
        };
        Some(Self { tenant, principal })
    }

    /// The user name as text; `None` for a principal that has none (anonymous, bench, platform).
    pub fn print(&self) -> Option<String> {
        let tenant = &self.tenant;
        Some(match &self.principal {
            PrincipalRef::SharedDevices => tenant.to_string(),
            PrincipalRef::Device(id) => format!("{tenant}/device/{id}"),
            PrincipalRef::Gateway(address) => format!("{tenant}/gateway/{address}"),
            PrincipalRef::Application(name) => format!("{tenant}/app/{name}"),
            PrincipalRef::User(name) => format!("{tenant}/user/{name}"),
            PrincipalRef::Anonymous | PrincipalRef::PlatformAdmin(_) | PrincipalRef::Bench => {
                return None;
            }
        })
    }
}

lastmeter_units::words! {
    /// What a machine-made token is for: the prefix of its text.
    pub enum TokenKind {
        /// An API key of a user or an application.
        ApiKey = "lmk",
        /// A tenant's bench token.
        Bench = "lmb",
        /// An access token of a log-in.
        Access = "lma",
        /// A log-in to pages, which only their cookie presents.
        Page = "lmp",
    }
}

/// 256 random bits, made by the caller; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// The secret of 64 lower-case hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        hex_bytes(text).map(Self)
    }

    /// The secret as text: to be shown once, and neither logged nor kept.
    pub fn print(&self) -> String {
        hex_digits(&self.0)
    }
}

/// A token as a client presents it: `lmk`, the tenant, id and secret in hexadecimal, joined by
/// `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineToken {
    /// What it is for.
    pub kind: TokenKind,
    /// The tenant.
    pub tenant: TenantName,
    /// Finds the kept credential; 16 digits.
    pub id: u64,
    /// Proves it; 64 digits.
    pub secret: Secret,
}

/// The bytes of exactly `N` pairs of lower-case hexadecimal digits.
fn hex_bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn hex_digits(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Bytes as hexadecimal text in documents.
mod hex_text {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::hex_digits(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        super::hex_bytes(text.as_bytes()).ok_or_else(|| {
            let found = text.len();
            D::Error::custom(format!("expected 64 hexadecimal digits, found {found} characters"))
        })
    }
}

impl MachineToken {
    /// Takes a token apart; `None` if it has not exactly this form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        let kind = TokenKind::from_word(parts.next()?)?;
        let tenant = TenantName::new(parts.next()?).ok()?;
        let id = u64::from_be_bytes(hex_bytes(parts.next()?.as_bytes())?);
        let secret = Secret::parse(parts.next()?.as_bytes())?;
        parts.next().is_none().then_some(Self { kind, tenant, id, secret })
    }

    /// The token as text: to be shown once, and neither logged nor kept.
    pub fn print(&self) -> String {
        let secret = self.secret.print();
        format!("{}_{}_{:016x}_{secret}", self.kind, self.tenant, self.id)
    }
}

/// How a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretHash {
    /// Of a secret made by a machine from 256 random bits; 64 hexadecimal digits in documents.
    Sha256(#[serde(with = "hex_text")] [u8; 32]),
    /// Of a secret chosen by a person: argon2id in its text form; the shell makes and verifies it.
    Argon2id(String),
}

impl SecretHash {
    /// How a machine-made secret is kept.
    pub fn of_machine(secret: &Secret) -> Self {
        Self::Sha256(Sha256::digest(secret.0).into())
    }
}

/// The name of a device in its certificate.
pub fn urn_of_device(tenant: &TenantName, device: &HardwareId) -> String {
    format!("urn:lastmeter:{tenant}:device:{device}")
}

/// The tenant and device that a certificate's `urn:lastmeter:TENANT:device:ID` names.
pub fn device_of_urn(urn: &str) -> Option<(TenantName, HardwareId)> {
    let (tenant, id) = urn.strip_prefix("urn:lastmeter:")?.split_once(":device:")?;
    Some((TenantName::new(tenant).ok()?, HardwareId::new(id).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn references() -> impl Strategy<Value = PrincipalRef> {
        let name = || "[A-Za-z0-9._@-]{1,64}".prop_map(|text| text.parse().unwrap());
        let device = "[^/+#\\p{Cc}]{1,30}".prop_map(|text| HardwareId::new(text).unwrap());
        prop_oneof![
            Just(PrincipalRef::Anonymous),
            Just(PrincipalRef::SharedDevices),
            Just(PrincipalRef::Bench),
            name().prop_map(PrincipalRef::User),
            name().prop_map(PrincipalRef::PlatformAdmin),
            name().prop_map(PrincipalRef::Application),
            device.prop_map(PrincipalRef::Device),
            any::<u64>().prop_map(|address| PrincipalRef::Gateway(Eui64(address))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_read_is_printed_again(
            user in "([a-z0-9-]{1,6})(/(device|gateway|app|user|x)/[a-f0-9/+]{1,17})?|.*",
            token in "lm[kbax]_[a-z-]{1,5}_[0-9a-f]{16}_[0-9a-fA]{64}_?|.*",
            principal in "(user|platform|device|gateway|app|x):[a-f0-9@:]{1,17}|.*",
            urn in "urn:lastmeter:[a-z0-9-]{1,5}:device:[a-z:/]{1,9}|.*",
        ) {
            if let Some(read) = UserName::parse(&user) {
                prop_assert_eq!(read.print(), Some(user));
            }
            if let Some(read) = MachineToken::parse(&token) {
                prop_assert_eq!(read.print(), token);
            }
            if let Ok(read) = principal.parse::<PrincipalRef>() {
                prop_assert_eq!(read.to_string(), principal);
            }
            if let Some((tenant, device)) = device_of_urn(&urn) {
                prop_assert_eq!(urn_of_device(&tenant, &device), urn);
            }
        }

        #[test]
        fn what_is_printed_is_read_again(
            id: u64, secret: [u8; 32], principal in references(), device in "[^/+#\\p{Cc}]{1,30}",
        ) {
            let tenant = TenantName::default();
            for kind in TokenKind::ALL {
                let tenant = tenant.clone();
                let token = MachineToken { kind, tenant, id, secret: Secret(secret) };
                prop_assert_eq!(MachineToken::parse(&token.print()), Some(token));
            }
            prop_assert_eq!(principal.to_string().parse(), Ok(principal.clone()));
            let document = serde_json::to_string(&principal).unwrap();
            prop_assert_eq!(serde_json::from_str::<PrincipalRef>(&document).unwrap(), principal.clone());
            let name = UserName { tenant: tenant.clone(), principal };
            if let Some(text) = name.print() {
                prop_assert_eq!(UserName::parse(&text), Some(name));
            }
            let device = HardwareId::new(device).unwrap();
            let urn = urn_of_device(&tenant, &device);
            prop_assert_eq!(device_of_urn(&urn), Some((tenant, device)));
        }
    }

    #[test]
    fn a_hash_is_text_in_documents() {
        let hash = SecretHash::of_machine(&Secret([0; 32]));
        // Of 32 zero bytes, by sha256sum.
        let text =
            r#"{"sha256":"66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"}"#;
        assert_eq!(serde_json::to_string(&hash).unwrap(), text);
        assert_eq!(serde_json::from_str::<SecretHash>(text).unwrap(), hash);
        let error = serde_json::from_str::<SecretHash>(r#"{"sha256":"66"}"#).unwrap_err();
        assert!(error.to_string().contains("expected 64 hexadecimal digits"), "{error}");
    }
}
