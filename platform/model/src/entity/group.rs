//! Groups of devices.

use std::collections::BTreeSet;

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    About, Body, Fault, Key, Metadata, Name, Text, Token, at_most, bodies, ensure, keys,
};
use crate::access::{Kind, Span, Target};

pub(super) const KINDS: &[DocumentKind] = &[DocumentKind::of::<Group>("group", Kind::Group)];

bodies! {
    /// Devices, and groups of them.
    document Group {
        /// Name for people.
        name: Name,
        /// What it is.
        description: Option<Text>,
        /// What it is for.
        #[serde(default)]
        roles: BTreeSet<Name>,
        /// What belongs to it, and when.
        #[serde(default, deserialize_with = "at_most::<_, _, 10_000>")]
        members: Vec<Member>,
        /// Whether aggregates of it are published.
        #[serde(default)]
        statistical: bool,
    }

    /// What belongs to a group.
    struct Member {
        /// The device or group.
        of: MemberReference,
        /// The first instant.
        from: SimTime,
        /// The first instant after it.
        until: Option<SimTime>,
    }
}

/// A device or a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberReference {
    /// A device.
    Device(HardwareId),
    /// Another group.
    Group(Token),
}

impl Member {
    /// When it belongs to the group.
    pub fn span(&self) -> Span {
        Span { from: self.from, until: self.until.unwrap_or(Span::ALWAYS.until) }
    }
}

impl Body for Group {
    const CODE: u8 = 8;

    fn validate(&self) -> Result<(), Fault> {
        for (index, member) in self.members.iter().enumerate() {
            let is_order = member.until.is_none_or(|until| member.from < until);
            ensure(is_order, format!("members[{index}].until"), "an instant after `from`")?;
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        let of = |pick: fn(&MemberReference) -> Option<&str>| -> BTreeSet<&str> {
            self.members.iter().filter_map(|member| pick(&member.of)).collect()
        };
        let devices = of(|member| match member {
            MemberReference::Device(id) => Some(id.as_str()),
            MemberReference::Group(_) => None,
        });
        let groups = of(|member| match member {
            MemberReference::Group(token) => Some(token.as_str()),
            MemberReference::Device(_) => None,
        });
        [keys("role", &self.roles), keys("device", devices), keys("group", groups)].concat()
    }

    fn about(&self, token: &str) -> About {
        About::of(Some(Target::Group(token.to_owned())))
    }
}
