//! The nodes of one network: under which address which of them is, what is known of it, and
//! whether its gateway may speak for it. Documents keep all of it.

use std::collections::BTreeMap;

use lastmeter_fields::NodeContext;
use lastmeter_model::access::{Eui64, Facts as _, PrincipalRef, Target};
use lastmeter_model::document::{Edit, Expect};
use lastmeter_model::entity::{
    Body as _, Device, DeviceStatus, FieldNetwork, Node, NodeConfiguration, NodeState,
};
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_zigbee::payload::NodeEntry;
use serde_json::{Value, json};

use crate::access::{from_hex, hex};
use crate::tenant::Tenant;

/// Nodes of a network.
const NODES_MAX: usize = 1000;
/// What is kept of a node's configuration in a day.
const CONFIGURATIONS_MAX: u32 = 256;
const DAY_NS: i64 = 24 * 3_600_000_000_000;

/// What became of nodes.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// All that there are.
    Table(Vec<NodeEntry>),
    /// It is there, under this address.
    There(NodeEntry),
    /// It has left.
    Left(u64),
}

/// The nodes of one network.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    by_address: BTreeMap<u16, u64>,
    known: BTreeMap<u64, Known>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    is_here: bool,
    address: Option<u16>,
    sleeps: bool,
    state: Vec<u8>,
    /// The version of its program, if an image was installed on it.
    program_version: Option<u32>,
    /// Whether its gateway may speak for it, once that was asked.
    is_carried: Option<bool>,
    /// A day, and what was kept of its configuration in it.
    kept: (i64, u32),
}

/// The hardware id of a node.
pub(super) fn id_of(node: u64) -> Option<HardwareId> {
    HardwareId::new(Eui64(node).to_string()).ok()
}

impl Nodes {
    /// Those of a network, as documents have them.
    pub(super) fn of(tenant: &Tenant, token: &str) -> Self {
        let mut nodes = Self::default();
        for (id, node) in tenant.documents.bodies_with::<Node>("field_network", token) {
            let Ok(Eui64(address)) = id.parse() else { continue };
            let context = node.context.as_ref().and_then(|text| from_hex(text.as_str()));
            let known = Known {
                is_here: node.state == NodeState::Joined,
                address: node.address,
                sleeps: node.sleeps,
                state: context.unwrap_or_default(),
                program_version: node.program_version,
                ..Known::default()
            };
            if let Some(short) = node.address.filter(|_| known.is_here) {
                nodes.by_address.insert(short, address);
            }
            nodes.known.insert(address, known);
        }
        nodes
    }

    /// The hardware ids of all.
    pub(super) fn ids(&self) -> impl Iterator<Item = HardwareId> + '_ {
        self.known.keys().filter_map(|node| id_of(*node))
    }

    /// Which node a frame is from, by the addresses that it states; none if the table has another
    /// node there, or nobody.
    pub(super) fn resolve(&self, stated: Option<u64>, address: u16) -> Option<u64> {
        let by_table = self.by_address.get(&address).copied();
        match (stated, by_table) {
            (Some(stated), Some(by_table)) if stated != by_table => None,
            (stated, by_table) => stated.or(by_table),
        }
    }

    /// What is known of a node.
    pub(super) fn context(&self, node: u64, address: u16) -> NodeContext {
        let state = self.known.get(&node).map(|known| known.state.clone()).unwrap_or_default();
        NodeContext { node, address, state }
    }

    /// What is known of a node that is there, and whether it sleeps.
    pub(super) fn there(&self, node: u64) -> Option<(NodeContext, bool)> {
        let known = self.known.get(&node).filter(|known| known.is_here)?;
        Some((self.context(node, known.address?), known.sleeps))
    }

    /// A node was heard under an address; whether that is news.
    pub(super) fn hear(&mut self, node: u64, address: u16) -> bool {
        let known = self.known.get(&node);
        let is_same = known.is_some_and(|known| known.is_here && known.address == Some(address));
        if is_same || (known.is_none() && self.known.len() >= NODES_MAX) {
            return false;
        }
        let sleeps = known.is_some_and(|known| known.sleeps);
        self.put(node, address, sleeps);
        true
    }

    /// What its type has learned of a node.
    pub(super) fn learn(&mut self, node: u64, state: Vec<u8>) {
        if let Some(known) = self.known.get_mut(&node) {
            known.state = state;
        }
    }

    /// A node runs a program of this version from now on.
    pub(super) fn run(&mut self, node: u64, version: u32) {
        if let Some(known) = self.known.get_mut(&node) {
            known.program_version = Some(version);
        }
    }

    /// Takes news; the nodes that are another way now.
    pub(super) fn take(&mut self, news: News) -> Vec<u64> {
        let before: BTreeMap<u64, Known> = self.known.clone();
        match news {
            News::Table(entries) => {
                self.by_address.clear();
                for known in self.known.values_mut() {
                    known.is_here = false;
                }
                for entry in entries {
                    self.put(entry.node.0, entry.address.0, entry.sleeps);
                }
                for known in self.known.values_mut().filter(|known| !known.is_here) {
                    known.address = None;
                }
            }
            News::There(entry) => self.put(entry.node.0, entry.address.0, entry.sleeps),
            News::Left(node) => {
                if let Some(known) = self.known.get_mut(&node) {
                    let address = known.address.take();
                    known.is_here = false;
                    let by_address = &mut self.by_address;
                    if let Some(address) = address
                        && by_address.get(&address) == Some(&node)
                    {
                        by_address.remove(&address);
                    }
                }
            }
        }
        let changed = self.known.iter().filter(|(node, known)| before.get(node) != Some(known));
        changed.map(|(node, _)| *node).collect()
    }

    /// A node is under an address; who was there before is not any more.
    fn put(&mut self, node: u64, address: u16, sleeps: bool) {
        if !self.known.contains_key(&node) && self.known.len() >= NODES_MAX {
            return;
        }
        let known = self.known.entry(node).or_default();
        let former = known.address.replace(address);
        (known.is_here, known.sleeps) = (true, sleeps);
        if let Some(former) = former.filter(|former| *former != address)
            && self.by_address.get(&former) == Some(&node)
        {
            self.by_address.remove(&former);
        }
        if let Some(other) = self.by_address.insert(address, node).filter(|other| *other != node)
            && let Some(other) = self.known.get_mut(&other)
        {
            (other.is_here, other.address) = (false, None);
        }
    }

    /// Whether the gateway may speak for a node, as it was asked first; and what makes it a node
    /// of the network, if it was none.
    pub(super) fn carry(
        &mut self,
        tenant: &Tenant,
        network: (&str, &FieldNetwork),
        node: u64,
    ) -> Carried {
        let Some(known) = self.known.get_mut(&node) else { return Carried::Foreign };
        if known.is_carried == Some(true) {
            return Carried::Known;
        }
        let carried = id_of(node).map_or(Carried::Foreign, |id| carried(tenant, network, &id));
        known.is_carried = Some(!matches!(carried, Carried::Foreign));
        carried
    }

    /// The document of a node, as it is now.
    pub(super) fn edit(&self, token: &str, node: u64) -> Option<Edit> {
        let known = self.known.get(&node)?;
        let state = if known.is_here { NodeState::Joined } else { NodeState::Left };
        let body = json!({
            "fieldNetworkToken": token, "state": state, "address": known.address,
            "sleeps": known.sleeps, "context": hex(&known.state),
            "programVersion": known.program_version,
        });
        Some(edit(Node::kind(), node, body))
    }

    /// What keeps a frame of a node as it is, if there is room for it today.
    pub(super) fn configuration(
        &mut self,
        (token, node): (&str, u64),
        (now, taken): (SimTime, SimTime),
        frame: &[u8],
    ) -> Option<Edit> {
        let (known, today) = (self.known.get_mut(&node)?, now.0.div_euclid(DAY_NS));
        if known.kept.0 != today {
            known.kept = (today, 0);
        }
        known.kept.1 += 1;
        let body = json!({ "fieldNetworkToken": token, "taken": taken, "frame": hex(frame) });
        (known.kept.1 <= CONFIGURATIONS_MAX).then(|| edit(NodeConfiguration::kind(), node, body))
    }
}

fn edit(kind: &'static lastmeter_model::document::DocumentKind, node: u64, body: Value) -> Edit {
    let token = Some(Eui64(node).to_string());
    Edit { kind, token, expect: Expect::Anything, body: Some(body) }
}

/// Whether a gateway may speak for a node.
pub(super) enum Carried {
    /// It is one of its network.
    Known,
    /// It is with these changes.
    New(Vec<Edit>, Vec<Message>),
    /// It is somebody else's.
    Foreign,
}

/// A node is carried by a network if it is one of it, or of another network of the same owner, or
/// if nobody knew it before, or if whoever owns the network owns the device.
fn carried(tenant: &Tenant, (token, network): (&str, &FieldNetwork), id: &HardwareId) -> Carried {
    let documents = &tenant.documents;
    let device = documents.body::<Device>(id.as_str());
    let of = device.as_ref().and_then(|device| device.field_network_token.clone());
    let row = tenant.devices.row(id);
    let owner_of = |token: &str| documents.body::<FieldNetwork>(token)?.owner.clone();
    let tenures = tenant.facts().tenures(&Target::Device(id.clone()));
    let now = tenant.clock.now();
    let owner = tenures.iter().find(|tenure| tenure.span.contains(now));
    let owner: Option<PrincipalRef> = owner.and_then(|tenure| tenure.owner.clone());
    let may = match (&device, &of) {
        (_, Some(of)) if of.as_str() == token => return Carried::Known,
        (_, Some(of)) => owner_of(of.as_str()) == network.owner,
        (None, None) if row.is_none() => true,
        _ => network.owner.is_none() || owner == network.owner,
    };
    if !may || (row.is_none() && !tenant.ingest.has_room()) {
        return Carried::Foreign;
    }
    let recognised = || json!({ "status": DeviceStatus::Recognised });
    let found = documents.find(Device::kind(), id.as_str());
    let mut body = found.as_ref().map_or_else(recognised, |found| Value::Object(found.members()));
    body["fieldNetworkToken"] = json!(token);
    body["nodeAddress"] = json!(id.as_str());
    let edit = match &found {
        Some(found) => Edit::of(found, Some(body)),
        None => Edit {
            kind: Device::kind(),
            token: Some(id.to_string()),
            expect: Expect::New,
            body: Some(body),
        },
    };
    let registered = row.is_none().then(|| Message::new(id.clone(), MessageBody::Registration));
    Carried::New(vec![edit], registered.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use lastmeter_zigbee::address::{Eui64, ShortAddress};

    use super::*;

    fn there(node: u64, address: u16) -> NodeEntry {
        NodeEntry { node: Eui64(node), address: ShortAddress(address), sleeps: false }
    }

    #[test]
    fn an_address_that_is_used_again_is_never_its_former_owners() {
        let mut nodes = Nodes::default();
        assert_eq!(nodes.take(News::There(there(1, 10))), [1]);
        assert_eq!(nodes.resolve(None, 10), Some(1));
        // It comes back under another one, and a new node gets the first.
        assert_eq!(nodes.take(News::There(there(1, 11))), [1]);
        assert_eq!((nodes.resolve(None, 10), nodes.resolve(None, 11)), (None, Some(1)));
        assert_eq!(nodes.take(News::There(there(2, 10))), [2]);
        assert_eq!(nodes.resolve(None, 10), Some(2));
        // A gateway that has an older table.
        assert_eq!(nodes.resolve(Some(1), 10), None);
        // An address conflict: the other one is not there any more.
        assert_eq!(nodes.take(News::There(there(3, 10))), [2, 3]);
        assert_eq!(nodes.take(News::There(there(2, 12))), [2]);
        assert_eq!(nodes.take(News::Left(1)), [1]);
        assert_eq!((nodes.resolve(None, 11), nodes.resolve(Some(1), 11)), (None, Some(1)));
        assert_eq!(nodes.take(News::Left(1)), [] as [u64; 0]);
    }

    #[test]
    fn a_table_has_all_nodes() {
        let mut nodes = Nodes::default();
        nodes.take(News::Table(vec![there(1, 10), there(2, 11)]));
        assert_eq!(nodes.take(News::Table(vec![there(1, 10), there(2, 11)])), [] as [u64; 0]);
        assert_eq!(nodes.take(News::Table(vec![there(2, 10)])), [1, 2]);
        assert_eq!((nodes.resolve(None, 10), nodes.resolve(None, 11)), (Some(2), None));
        // One that was heard is there.
        assert!(nodes.hear(1, 12) && !nodes.hear(1, 12));
        assert_eq!(nodes.resolve(None, 12), Some(1));
        for node in 10..2000 {
            nodes.hear(node, node as u16);
        }
        assert_eq!(nodes.known.len(), NODES_MAX);
    }
}
