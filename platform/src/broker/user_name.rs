//! The user names of MQTT: which tenant a client belongs to, and what it claims to be there.
//!
//! Pure. A claim proves nothing; whether its secret is right is for the port to judge.

use lastmeter_units::{HardwareId, TenantName};

/// Longest name of an application or a user, bytes.
const NAME_BYTES_MAX: usize = 128;
/// Hexadecimal digits of a gateway's identifier (EUI-64).
const EUI64_DIGITS: usize = 16;

/// A user name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserName {
    pub(super) tenant: TenantName,
    pub(super) claim: Claim,
}

/// What a client claims to be within its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// `TENANT`: one of those that have the secret which all devices of the tenant share.
    SharedSecret,
    /// `TENANT/device/ID`.
    Device(HardwareId),
    /// `TENANT/gateway/EUI64`: 16 hexadecimal digits in lower case.
    Gateway(u64),
    /// `TENANT/app/NAME`.
    Application(String),
    /// `TENANT/user/NAME`.
    User(String),
}

impl UserName {
    /// Takes a user name apart; `None` if it has none of the forms. Each claim has one form only,
    /// for client identifiers are scoped by the text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (tenant, claim) = match text.split_once('/') {
            None => (text, Claim::SharedSecret),
            Some((tenant, rest)) => {
                let (kind, name) = rest.split_once('/')?;
                let claim = match kind {
                    "device" => Claim::Device(HardwareId::new(name).ok()?),
                    "gateway" => Claim::Gateway(eui64(name)?),
                    "app" => Claim::Application(plain_name(name)?),
                    "user" => Claim::User(plain_name(name)?),
                    _ => return None,
                };
                (tenant, claim)
            }
        };
        Some(Self { tenant: TenantName::new(tenant).ok()?, claim })
    }
}

/// The tenant of a client that was let in: its user name has one of the forms.
pub(super) fn tenant(user_name: &str) -> TenantName {
    UserName::parse(user_name).map(|name| name.tenant).unwrap_or_default()
}

fn eui64(digits: &str) -> Option<u64> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_whole = digits.len() == EUI64_DIGITS && digits.bytes().all(is_digit);
    u64::from_str_radix(digits, 16).ok().filter(|_| is_whole)
}

/// A name that can be a level of a topic, as all others can.
fn plain_name(name: &str) -> Option<String> {
    let is_plain = |c: char| !matches!(c, '/' | '+' | '#') && !c.is_control();
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    (fits && name.chars().all(is_plain)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use proptest::prelude::*;

    use super::*;

    impl fmt::Display for UserName {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let tenant = &self.tenant;
            match &self.claim {
                Claim::SharedSecret => write!(f, "{tenant}"),
                Claim::Device(id) => write!(f, "{tenant}/device/{id}"),
                Claim::Gateway(eui64) => write!(f, "{tenant}/gateway/{eui64:016x}"),
                Claim::Application(name) => write!(f, "{tenant}/app/{name}"),
                Claim::User(name) => write!(f, "{tenant}/user/{name}"),
            }
        }
    }

    #[test]
    fn each_form_names_its_tenant_and_its_claim() {
        let home = HardwareId::new("home-1").unwrap();
        for (text, expected, claim) in [
            ("default", "default", Claim::SharedSecret),
            ("b/device/home-1", "b", Claim::Device(home)),
            ("b/gateway/00124b0014d5f1a2", "b", Claim::Gateway(0x0012_4b00_14d5_f1a2)),
            ("b/app/outage", "b", Claim::Application("outage".into())),
            ("b/user/Ann Other", "b", Claim::User("Ann Other".into())),
        ] {
            let name = TenantName::new(expected).unwrap();
            assert_eq!(UserName::parse(text), Some(UserName { tenant: name, claim }), "{text}");
            assert_eq!(tenant(text), expected);
        }
    }

    #[test]
    fn no_other_form_is_a_user_name() {
        for text in [
            "",
            "/",
            "Default",
            "default/",
            "default\u{1f}",
            "/device/home-1",
            "b/device",
            "b/device/",
            "b/device/a/b",
            "b/device/a\u{1f}b",
            "b/devices/home-1",
            "b/gateway/00124b0014d5f1a",
            "b/gateway/00124B0014D5F1A2",
            "b/gateway/+0124b0014d5f1a2",
            "b/app/",
            "b/app/a/b",
            "b/user/a#",
            "b/user/\0",
        ] {
            assert_eq!(UserName::parse(text), None, "{text:?}");
        }
        assert_eq!(UserName::parse(&format!("b/user/{}", "x".repeat(NAME_BYTES_MAX + 1))), None);
    }

    proptest! {
        /// So a claim has one user name, and with it one scope of client identifiers.
        #[test]
        fn what_is_a_user_name_is_the_only_one_of_its_claim(
            tenant_name in "[a-b-]{0,3}",
            kind in "(/device|/gateway|/app|/user|/x|)",
            name in "(/[0-9a-fA-F]{15,17}|/\\PC{0,3}|/[\u{1f}a/]{0,2}|)",
        ) {
            let text = format!("{tenant_name}{kind}{name}");
            if let Some(parsed) = UserName::parse(&text) {
                prop_assert_eq!(parsed.to_string(), text.clone());
                prop_assert_eq!(parsed.tenant.as_str(), tenant(&text));
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
