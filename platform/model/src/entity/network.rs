//! Electric networks and the states of their switches.

use std::collections::BTreeSet;

use lastmeter_units::SimTime;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{
    About, Body, Fault, Key, Metadata, Name, Text, Token, at_most, bodies, ensure, keys,
};
use crate::access::{Kind, PrincipalRef, Target};

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind {
        is_resident: false,
        ..DocumentKind::of::<ElectricNetwork>("electric_network", Kind::ElectricNetwork)
    },
    DocumentKind::of::<Topology>("topology", Kind::Topology),
];

/// The longest text of a model.
const MODEL_BYTES_MAX: usize = 1024 * 1024;

bodies! {
    /// An electric network.
    document ElectricNetwork {
        /// Name for people.
        name: Name,
        /// The JSON of power-grid-model, byte for byte.
        model: String,
        /// Its switches, in the order of the topology's states.
        #[serde(default, deserialize_with = "at_most::<_, _, 10_000>")]
        switches: Vec<Switch>,
    }

    /// A switch of an electric network.
    struct Switch {
        /// Its id in the model.
        id: i64,
        /// The zone that it belongs to.
        zone_token: Option<Token>,
        /// Whether it is closed in the normal state.
        normal: bool,
        /// Whether it is operated remotely.
        #[serde(default)]
        remote: bool,
    }

    /// The states of a network's switches; the document's token is that of the network, its
    /// versions are the history.
    document Topology {
        /// Whether each switch is closed.
        #[serde(deserialize_with = "at_most::<_, _, 10_000>")]
        states: Vec<bool>,
        /// Since when.
        from: SimTime,
        /// Who changed it.
        by: PrincipalRef,
        /// Why.
        cause: Option<Text>,
    }
}

impl Body for ElectricNetwork {
    const CODE: u8 = 9;

    fn validate(&self) -> Result<(), Fault> {
        let is_json = self.model.len() <= MODEL_BYTES_MAX
            && serde_json::from_str::<IgnoredAny>(&self.model).is_ok();
        ensure(is_json, "model", "a JSON text of at most 1 MiB")?;
        let mut ids = BTreeSet::new();
        for (index, switch) in self.switches.iter().enumerate() {
            let field = format!("switches[{index}].id");
            ensure(ids.insert(switch.id), field, "an id that no other switch has")?;
        }
        Ok(())
    }

    fn keys(&self) -> Vec<Key> {
        let zones = self.switches.iter().filter_map(|switch| switch.zone_token.as_ref());
        keys("zone", zones.collect::<BTreeSet<_>>())
    }

    fn about(&self, token: &str) -> About {
        About::of(Some(Target::ElectricNetwork(token.to_owned())))
    }
}

impl Body for Topology {
    const CODE: u8 = 10;

    fn about(&self, token: &str) -> About {
        About::of(Some(Target::ElectricNetwork(token.to_owned())))
    }
}
