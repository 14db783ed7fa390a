//! Commands on their way to nodes: a command becomes frames of its network's type, its answer is
//! found by the number that these carry.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use lastmeter_fields::{NodeContext, Order, by_name};
use lastmeter_model::access::Eui64;
use lastmeter_model::documents::Documents;
use lastmeter_model::entity::{Device, FieldNetwork, Node};
use lastmeter_units::{HardwareId, TenantName};
use lastmeter_wire::flexmeter::{CommandMessage, Limits, ParameterValue, decode_command};

use super::{Shared, ToConnection};
use crate::access::from_hex;
use crate::device_routes::Outbound;
use crate::tenant::Tenant;

/// Orders whose answer is waited for at a connection.
const PENDING_MAX: usize = 256;

/// The door as the way out to nodes of a tenant; it does not keep the door open.
pub(super) struct Orders {
    tenant: TenantName,
    documents: Arc<Documents>,
    shared: Weak<Shared>,
}

/// An order for a node, on its way.
#[derive(Debug)]
pub(super) struct SentOrder {
    pub(super) order: u64,
    pub(super) node: u64,
    /// What its answer repeats.
    pub(super) sequence: u8,
    pub(super) invocation: String,
    pub(super) network_type: u8,
    pub(super) frames: Vec<Vec<u8>>,
}

impl Orders {
    pub(super) fn of(tenant: &Tenant, shared: &Arc<Shared>) -> Self {
        let (documents, shared) = (Arc::clone(&tenant.documents), Arc::downgrade(shared));
        Self { tenant: tenant.name.clone(), documents, shared }
    }

    /// The order that a command is for its node, and the network that carries it.
    fn order(
        &self,
        device: &HardwareId,
        payload: &[u8],
        number: u64,
    ) -> Result<Option<(String, SentOrder)>, String> {
        let found = self.documents.body::<Device>(device.as_str());
        let token = found.as_ref().and_then(|device| device.field_network_token.as_ref());
        let Some(token) = token.map(|token| token.as_str().to_owned()) else { return Ok(None) };
        let Some(network) = self.documents.body::<FieldNetwork>(&token) else { return Ok(None) };
        let Some(node) = self.documents.body::<Node>(device.as_str()) else { return Ok(None) };
        let Some(address) = node.address else { return Ok(None) };
        let kind = network.network_type.as_str();
        let kind = by_name(kind).ok_or_else(|| format!("there is no network type `{kind}`"))?;
        let Eui64(eui64) = device.as_str().parse().map_err(|error| format!("{error}"))?;
        let read = decode_command(payload, &Limits::ONE).map_err(|refusal| refusal.detail)?;
        let CommandMessage { definition, invocation, parameters } = read;
        let text = |value: ParameterValue| match value.as_number() {
            Some(number) => number.to_string(),
            None => match value {
                ParameterValue::Text(text) => text,
                other => format!("{other:?}"),
            },
        };
        let arguments = parameters.into_iter().map(|(name, value)| (name, text(value))).collect();
        let state = node.context.as_ref().and_then(|text| from_hex(text.as_str()));
        let context = NodeContext { node: eui64, address, state: state.unwrap_or_default() };
        // 0 is what nodes begin with by themselves.
        let sequence = (number % 255) as u8 + 1;
        let order = Order { command: &definition.name, arguments: &arguments, sequence };
        let frames = (kind.encode)(&context, &order)?;
        let sent = SentOrder {
            order: number,
            node: eui64,
            sequence,
            invocation: invocation.id,
            network_type: kind.code,
            frames,
        };
        Ok(Some((token, sent)))
    }
}

#[async_trait]
impl Outbound for Orders {
    async fn send(&self, device: &HardwareId, payload: Vec<u8>) -> Result<usize, String> {
        let Some(shared) = self.shared.upgrade() else { return Ok(0) };
        let Some((token, order)) = self.order(device, &payload, shared.counters.number())? else {
            return Ok(0);
        };
        let Some(link) = shared.link(&self.tenant, &token) else { return Ok(0) };
        let is_taken = link.try_send(ToConnection::Order(order)).is_ok();
        shared.counters.orders.fetch_add(u64::from(is_taken), Ordering::Relaxed);
        Ok(usize::from(is_taken))
    }

    fn counters(&self) -> Vec<(String, u64)> {
        self.shared.upgrade().map(|shared| shared.counters.list()).unwrap_or_default()
    }
}

/// Orders of one connection whose answer is waited for, oldest first.
#[derive(Debug, Default)]
pub(super) struct Pending(VecDeque<Waiting>);

#[derive(Debug)]
struct Waiting {
    order: u64,
    node: u64,
    sequence: u8,
    invocation: String,
}

impl Pending {
    /// An order was sent.
    pub(super) fn sent(&mut self, order: &SentOrder) {
        let SentOrder { order, node, sequence, invocation, .. } = order;
        self.0.retain(|it| (it.node, it.sequence) != (*node, *sequence));
        let invocation = invocation.clone();
        self.0.push_back(Waiting { order: *order, node: *node, sequence: *sequence, invocation });
        if self.0.len() > PENDING_MAX {
            self.0.pop_front();
        }
    }

    /// Whether an answer of a node is waited for: the invocation.
    pub(super) fn invocation(&self, node: u64, sequence: u8) -> Option<&str> {
        let found = self.0.iter().rev().find(|it| (it.node, it.sequence) == (node, sequence));
        found.map(|it| it.invocation.as_str())
    }

    /// An answer of a node has come.
    pub(super) fn answered(&mut self, node: u64, sequence: u8) {
        self.0.retain(|it| (it.node, it.sequence) != (node, sequence));
    }

    /// An order will not be answered: its invocation.
    pub(super) fn failed(&mut self, order: u64) -> Option<String> {
        let place = self.0.iter().position(|it| it.order == order)?;
        self.0.remove(place).map(|it| it.invocation)
    }
}
