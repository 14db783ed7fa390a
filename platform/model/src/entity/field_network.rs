//! Field networks behind gateways, the numbers of their gateways, and their nodes.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, SimTime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DocumentKind;
use super::body::{
    About, Body, Context, Fault, Frame, Key, Metadata, Name, Text, Token, bodies, ensure, keys,
};
use super::boundary::Location;
use crate::access::{Eui64, Kind, PrincipalRef, Target};

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<FieldNetwork>("field_network", Kind::FieldNetwork),
    DocumentKind::of::<GatewayNumber>("gateway_number", Kind::Settings),
    DocumentKind::of::<Node>("node", Kind::Device),
    DocumentKind {
        is_resident: false,
        ..DocumentKind::of::<NodeConfiguration>("node_configuration", Kind::Configuration)
    },
];

/// Members of a field network that nobody but the platform writes.
pub(super) const OWN_MEMBERS: &[&str] =
    &["gatewayNumber", "state", "sealedKey", "keyCheck", "keyMade"];

/// The largest number of a gateway: with it an epoch is a signed number of 64 bits.
pub const GATEWAY_NUMBER_MAX: u32 = (1 << 31) - 1;

/// The longest options of a network as JSON, bytes.
const OPTIONS_BYTES_MAX: usize = 4096;

lastmeter_units::words! {
    /// How far a field network has come.
    pub enum NetworkState in files {
        /// It has a key, and its gateway was not there with it.
        Registered = "registered",
        /// Its gateway has shown its key.
        Active = "active",
    }
}

lastmeter_units::words! {
    /// Whether a node is in its network.
    pub enum NodeState in files {
        /// It has joined.
        Joined = "joined",
        /// It has left, or its address is another node's now.
        Left = "left",
    }
}

bodies! {
    /// A network of nodes behind a gateway that dials in.
    document FieldNetwork {
        /// What its nodes speak: a type of networks.
        #[serde(rename = "type")]
        network_type: Name,
        /// Name for people; the gateway shows it when it connects.
        name: Name,
        /// What is to be known of it.
        description: Option<Text>,
        /// Where it is.
        location: Option<Location>,
        /// The address of its gateway.
        gateway_address: Eui64,
        /// Options by name, as its type has them.
        #[serde(default)]
        options: NetworkOptions,
        /// Whose it is; the tenant's, if left out.
        owner: Option<PrincipalRef>,
        /// The number of its gateway, which no other ever has.
        gateway_number: u32,
        /// How far it has come.
        state: NetworkState,
        /// Its key, sealed; none if it was taken over from elsewhere.
        sealed_key: Option<Text>,
        /// Four characters by which people recognise the key.
        key_check: Option<Name>,
        /// When the key was made.
        key_made: Option<SimTime>,
    }

    /// The number of a gateway is the document's token, so that none is given twice.
    struct GatewayNumber {
        /// The address of the gateway.
        gateway_address: Eui64,
    }

    /// A node as its coordinator knows it; the document's token is its hardware id.
    struct Node {
        /// The network that carries it.
        field_network_token: Token,
        /// Whether it is there.
        state: NodeState,
        /// Its address in the network, while it is there.
        address: Option<u16>,
        /// Whether it sleeps, and gets what is for it when it wakes.
        #[serde(default)]
        sleeps: bool,
        /// What reading its frames depends on, as hexadecimal digits.
        context: Option<Context>,
        /// The version of the program that it runs, once an image was installed on it.
        program_version: Option<u32>,
    }

    /// What a node sent that configures or describes it, byte for byte; each is a version. The
    /// document's token is its hardware id.
    struct NodeConfiguration {
        /// The network that carried it.
        field_network_token: Token,
        /// When its gateway took it in.
        taken: SimTime,
        /// The frame, as hexadecimal digits.
        frame: Frame,
    }
}

/// Options of a network, at most 4 KiB of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Value>")]
pub struct NetworkOptions(pub BTreeMap<String, Value>);

impl TryFrom<BTreeMap<String, Value>> for NetworkOptions {
    type Error = &'static str;

    fn try_from(options: BTreeMap<String, Value>) -> Result<Self, Self::Error> {
        let bytes = serde_json::to_string(&options).map_or(usize::MAX, |text| text.len());
        if bytes <= OPTIONS_BYTES_MAX {
            Ok(Self(options))
        } else {
            Err("expected at most 4096 bytes of options")
        }
    }
}

impl Body for FieldNetwork {
    const CODE: u8 = 31;

    fn validate(&self) -> Result<(), Fault> {
        let is_number = (1..=GATEWAY_NUMBER_MAX).contains(&self.gateway_number);
        ensure(is_number, "gatewayNumber", "a number from 1 to 2147483647")?;
        let is_user = matches!(self.owner, None | Some(PrincipalRef::User(_)));
        ensure(is_user, "owner", "a user, such as `user:ann`")
    }

    fn keys(&self) -> Vec<Key> {
        [
            keys("gateway", [self.gateway_address]),
            keys("owner", &self.owner),
            keys("state", [self.state]),
        ]
        .concat()
    }

    fn about(&self, token: &str) -> About {
        let subject = Some(Target::FieldNetwork(token.to_owned()));
        About { owner: self.owner.clone(), ..About::of(subject) }
    }
}

impl Body for GatewayNumber {
    const CODE: u8 = 32;
}

impl Body for Node {
    const CODE: u8 = 33;

    fn keys(&self) -> Vec<Key> {
        keys("field_network", [&self.field_network_token])
    }

    fn about(&self, token: &str) -> About {
        About::of(HardwareId::new(token).ok().map(Target::Device))
    }
}

impl Body for NodeConfiguration {
    const CODE: u8 = 34;

    fn about(&self, token: &str) -> About {
        About::of(HardwareId::new(token).ok().map(Target::Device))
    }
}
