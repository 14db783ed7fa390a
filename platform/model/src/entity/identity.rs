//! Users, applications, what they prove themselves by, and grants.

use std::collections::BTreeSet;

use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    About, Body, Fault, Fingerprint, Key, Metadata, Name, Text, bodies, ensure, keys,
};
use crate::access::{Grant, KEY_THINGS_MAX, KeyScope, Kind, PrincipalRef, Role, SecretHash};
use crate::calendar::Zone;
use crate::schedule::TimeOfDay;

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<User>("user", Kind::User),
    DocumentKind::of::<Credential>("credential", Kind::Credential),
    DocumentKind::of::<Grant>("grant", Kind::Grant),
    DocumentKind::of::<Application>("application", Kind::Application),
];

bodies! {
    /// A user; the document's token is the name.
    document User {
        /// What the user may do.
        roles: BTreeSet<Role>,
        /// Full name.
        full_name: Option<Name>,
        /// Address of electronic mail.
        email: Option<Name>,
        /// Telephone number.
        phone: Option<Name>,
        /// Language of pages and messages.
        language: Option<Name>,
        /// Time zone of pages.
        time_zone: Option<Zone>,
        /// From when on only what is critical is sent to the user, by the clock of `timeZone`.
        quiet_from: Option<TimeOfDay>,
        /// Until when; on the next day where that is not later.
        quiet_until: Option<TimeOfDay>,
        /// Whether the user cannot log in.
        #[serde(default)]
        disabled: bool,
        /// The password.
        password_hash: Option<SecretHash>,
        /// A code that replaces the password once.
        reset_code: Option<OneTimeCode>,
    }

    /// A code that an administrator gives for one log-in.
    struct OneTimeCode {
        /// The code.
        hash: SecretHash,
        /// The first instant at which it is worth nothing, by the wall clock.
        until: SimTime,
    }

    /// What somebody or something proves itself by.
    document Credential {
        /// The device, gateway, application or user that it proves.
        of: PrincipalRef,
        /// Name for people.
        name: Option<Name>,
        /// What is presented.
        proof: Proof,
        /// What an API key leaves of its owner's rights.
        scope: Option<KeyScope>,
        /// The first instant at which it is worth nothing, by the wall clock.
        until: Option<SimTime>,
        /// When it was revoked.
        revoked: Option<SimTime>,
    }

    /// An application; the document's token is the name.
    document Application {
        /// What it is.
        description: Option<Text>,
        /// Whether it cannot log in.
        #[serde(default)]
        disabled: bool,
    }
}

/// What a credential proves itself by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// A secret.
    Secret(SecretHash),
    /// A certificate: SHA-256 of it.
    Certificate(Fingerprint),
}

/// Checks the form of what a person's secret is kept as.
fn validate_hash(hash: &SecretHash, field: &str) -> Result<(), Fault> {
    let is_form = match hash {
        SecretHash::Sha256(_) => true,
        SecretHash::Argon2id(text) => text.starts_with("$argon2id$") && text.len() <= 256,
    };
    ensure(is_form, field, "a text of argon2id of at most 256 bytes")
}

impl Body for User {
    const CODE: u8 = 11;

    fn validate(&self) -> Result<(), Fault> {
        let is_slow = !matches!(self.password_hash, Some(SecretHash::Sha256(_)));
        ensure(is_slow, "passwordHash", "argon2id, since people choose passwords")?;
        let is_both = self.quiet_from.is_some() == self.quiet_until.is_some();
        ensure(is_both, "quietUntil", "a time of day with `quietFrom`, or neither")?;
        self.password_hash.iter().try_for_each(|hash| validate_hash(hash, "passwordHash"))?;
        self.reset_code.iter().try_for_each(|code| validate_hash(&code.hash, "resetCode.hash"))
    }

    fn keys(&self) -> Vec<Key> {
        keys("role", &self.roles)
    }
}

impl Body for Credential {
    const CODE: u8 = 12;

    fn validate(&self) -> Result<(), Fault> {
        use PrincipalRef::{Application, Device, Gateway, User};
        let is_fit = matches!(self.of, Application(_) | Device(_) | Gateway(_) | User(_));
        ensure(is_fit, "of", "a device, gateway, application or user")?;
        let is_key = self.scope.is_none() || matches!(self.of, Application(_) | User(_));
        ensure(is_key, "scope", "none, since only users and applications have API keys")?;
        let things = self.scope.as_ref().and_then(|scope| scope.on.as_ref());
        let is_short = things.is_none_or(|things| things.len() <= KEY_THINGS_MAX);
        ensure(is_short, "scope.on", &format!("a list of at most {KEY_THINGS_MAX}"))?;
        match &self.proof {
            Proof::Secret(hash) => validate_hash(hash, "proof.secret"),
            Proof::Certificate(_) => Ok(()),
        }
    }

    fn keys(&self) -> Vec<Key> {
        let fingerprint = match &self.proof {
            Proof::Secret(_) => None,
            Proof::Certificate(fingerprint) => Some(fingerprint),
        };
        [keys("of", [&self.of]), keys("fingerprint", fingerprint)].concat()
    }
}

impl Body for Grant {
    const CODE: u8 = 13;

    fn validate(&self) -> Result<(), Fault> {
        ensure(self.from < self.until, "until", "an instant after `from`")?;
        let is_short = self.purpose.as_ref().is_none_or(|purpose| purpose.len() <= 1024);
        ensure(is_short, "purpose", "a text of at most 1024 bytes")?;
        ensure(self.quantities.len() <= 256, "quantities", "a list of at most 256")
    }

    fn keys(&self) -> Vec<Key> {
        [keys("to", [&self.to]), keys("on", [&self.on]), keys("by", [&self.by])].concat()
    }

    fn about(&self, _: &str) -> About {
        let owner = self.purpose.is_none().then(|| self.by.clone());
        About { subject: Some(self.on.clone()), owner, to: Some(self.to.clone()) }
    }
}

impl Body for Application {
    const CODE: u8 = 14;
}
