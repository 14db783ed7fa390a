//! What waits for subscribers, bounded in messages and bytes, for each of them and for all.
//!
//! The broker library bounds a subscriber's queue in messages, and not at all while it waits for
//! room in the subscriber's socket. So every message is charged to its subscriber before the
//! library has it, and the charge is part of the message: it is given back when the last copy goes,
//! be that after the acknowledgement, after sending where there is none, or with the session.
//!
//! A subscriber that exceeds its bounds is disconnected. Where those of a tenant exceed the
//! tenant's, the one of them that most waits for is; where all together exceed theirs, the one of
//! the tenant that most waits for. It would lose messages either way, and so it knows. A device
//! gets its commands again when it subscribes again.
//!
//! What is charged is a copy, for a message in the library is a slice of the buffer that its
//! sender's packets were read into, and would keep all of that.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rmqtt::context::ServerContext;
use rmqtt::session::Session;
use rmqtt::shared::{DefaultShared, Entry, Shared};
use rmqtt::types::{
    ForwardedCount, ForwardedRecipients, From as Origin, Id, MsgID, Publish, Reason, SessionStatus,
    SubRelation, SubRelations, SubRelationsMap, SubsSearchParams, SubsSearchResult, To,
};

use super::counters::{Running, count};
use super::links::{Account, Link, Links, TenantAccount};
use crate::gate::Gate;

/// What a message takes beside its texts and its payload, in the library's queues.
const MESSAGE_BYTES: usize = 512;

#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    /// Messages for one subscriber, those not acknowledged included.
    pub(crate) messages: usize,
    /// Bytes for one subscriber.
    pub(crate) bytes: usize,
    /// Bytes for all subscribers of one tenant.
    pub(crate) tenant_bytes: usize,
    pub(crate) all_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excess {
    Messages,
    Bytes,
    TenantBytes,
    AllBytes,
    /// One before; it is about to go.
    Earlier,
}

/// What waits for all subscribers.
pub(super) struct Queues {
    limits: QueueLimits,
    gate: Arc<Gate>,
    counters: Arc<Running>,
    links: Arc<Links>,
}

/// A message's payload with its charge.
struct Charged {
    payload: Bytes,
    bytes: usize,
    account: Arc<Account>,
    tenant: Option<Arc<TenantAccount>>,
    gate: Arc<Gate>,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        let mut owed = self.account.owed();
        owed.messages -= 1;
        owed.bytes -= self.bytes;
        if !owed.is_closed {
            self.gate.tally.unqueued(self.bytes);
            if let Some(tenant) = &self.tenant {
                tenant.unqueued(self.bytes);
            }
        }
    }
}

impl Queues {
    pub(super) fn new(
        limits: QueueLimits,
        gate: Arc<Gate>,
        counters: Arc<Running>,
        links: Arc<Links>,
    ) -> Self {
        Self { limits, gate, counters, links }
    }

    /// The message with its charge, or why the subscriber is disconnected instead.
    fn charge(&self, link: &Link, message: &Publish) -> Result<Publish, Excess> {
        let bytes = MESSAGE_BYTES + size(message);
        let mut owed = link.account.owed();
        let excess = if owed.is_closed {
            Some(Excess::Earlier)
        } else if owed.messages >= self.limits.messages {
            Some(Excess::Messages)
        } else if owed.bytes + bytes > self.limits.bytes {
            Some(Excess::Bytes)
        } else {
            None
        };
        if let Some(excess) = excess {
            return Err(excess);
        }
        owed.messages += 1;
        owed.bytes += bytes;
        let all_bytes = self.gate.tally.queued(bytes);
        // Who subscribes is authenticated, and so of a tenant.
        let tenant = link.tenant().cloned();
        let tenant_bytes = tenant.as_ref().map_or(0, |tenant| tenant.queued(bytes));
        drop(owed);
        let (account, gate) = (Arc::clone(&link.account), Arc::clone(&self.gate));
        let mut charged = message.clone();
        let (payload, of_tenant) = (charged.payload.clone(), tenant.clone());
        let charge = Charged { payload, bytes, account, tenant: of_tenant, gate };
        charged.payload = Bytes::from_owner(charge);
        if all_bytes > self.limits.all_bytes {
            self.relieve(self.links.most_owed_tenant(), Excess::AllBytes);
        } else if tenant_bytes > self.limits.tenant_bytes {
            self.relieve(tenant, Excess::TenantBytes);
        }
        Ok(charged)
    }

    /// Disconnects whom most waits for in a tenant.
    fn relieve(&self, tenant: Option<Arc<TenantAccount>>, excess: Excess) {
        if let Some(link) = tenant.and_then(|tenant| self.links.most_owed(&tenant)) {
            self.disconnect(&link, excess);
        }
    }

    fn disconnect(&self, link: &Link, excess: Excess) {
        let mut owed = link.account.owed();
        if owed.is_closed {
            return;
        }
        owed.is_closed = true;
        self.gate.tally.unqueued(owed.bytes);
        if let Some(tenant) = link.tenant() {
            tenant.unqueued(owed.bytes);
        }
        let (messages, bytes) = (owed.messages, owed.bytes);
        drop(owed);
        link.socket.cut();
        let (counter, reason) = match excess {
            Excess::Messages => (&self.counters.subscribers_cut_for_messages, "messages"),
            Excess::Bytes => (&self.counters.subscribers_cut_for_bytes, "bytes"),
            Excess::TenantBytes => {
                (&self.counters.subscribers_cut_for_tenant_bytes, "bytes of the tenant's")
            }
            Excess::AllBytes | Excess::Earlier => {
                (&self.counters.subscribers_cut_for_all_bytes, "bytes of all subscribers")
            }
        };
        count(counter);
        self.gate.note_cut(link.from, reason, messages, bytes);
    }
}

/// Bytes of everything in a message that its sender can make long.
fn size(message: &Publish) -> usize {
    let properties = message.properties.as_ref().map_or(0, |properties| {
        let user: usize = properties
            .user_properties
            .iter()
            .map(|(key, value)| key.len() + value.len() + 64)
            .sum();
        let text = |text: Option<usize>| text.unwrap_or(0);
        user + text(properties.correlation_data.as_ref().map(Bytes::len))
            + text(properties.content_type.as_ref().map(|text| text.len()))
            + text(properties.response_topic.as_ref().map(|text| text.len()))
    });
    message.topic.len() + message.payload.len() + properties
}

/// A copy that shares no buffer with what was read.
fn detached(message: &Publish) -> Publish {
    let copied = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    let mut copy = message.clone();
    copy.topic = String::from(&*message.topic).into();
    copy.payload = copied(&message.payload);
    if let Some(properties) = &mut copy.properties {
        properties.correlation_data = properties.correlation_data.as_ref().map(copied);
        for text in [&mut properties.content_type, &mut properties.response_topic] {
            *text = text.as_ref().map(|text| String::from(&**text).into());
        }
        for (key, value) in &mut properties.user_properties {
            *key = String::from(&**key).into();
            *value = String::from(&**value).into();
        }
    }
    copy
}

/// The library's way to subscribers, with the bounds before it.
pub(super) struct Bounded {
    inner: DefaultShared,
    context: ServerContext,
    queues: Queues,
}

type Undelivered = Vec<(To, Origin, Publish, Reason)>;

impl Bounded {
    pub(super) fn new(context: &ServerContext, queues: Queues) -> Self {
        let inner = DefaultShared::new(Some(context.clone()));
        Self { inner, context: context.clone(), queues }
    }

    /// Sends a message to one subscriber.
    async fn forward(
        &self,
        from: &Origin,
        message: &Publish,
        relation: SubRelation,
    ) -> Result<ForwardedRecipients, (ForwardedRecipients, Undelivered)> {
        let charged = if let Some((_, to)) = self.inner.tx(&relation.1) {
            match self.queues.links.find(&to) {
                Some(link) => self.queues.charge(&link, message).map_err(|excess| {
                    count(&self.queues.counters.deliveries_dropped);
                    self.queues.disconnect(&link, excess);
                    (to, Reason::MessageQueueFull)
                }),
                None => Err((to, Reason::from_static("the client has disconnected"))),
            }
        } else {
            let to = Id::from(0, relation.1.clone());
            Err((to, Reason::from_static("the client has disconnected")))
        };
        match charged {
            Ok(charged) => {
                self.inner.forwards_to(from.clone(), &charged, vec![relation], None).await
            }
            Err((to, reason)) => {
                Err((Vec::new(), vec![(to, from.clone(), message.clone(), reason)]))
            }
        }
    }

    async fn subscribers(&self, from: &Origin, message: &Publish) -> SubRelations {
        let router = self.context.extends.router().await;
        match router.matches(from.id.clone(), &message.topic).await {
            Ok(mut by_node) => by_node.remove(&self.context.node.id()).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "subscribers could not be looked up");
                SubRelations::new()
            }
        }
    }
}

#[async_trait]
impl Shared for Bounded {
    async fn forwards(
        &self,
        message_id: Option<MsgID>,
        from: Origin,
        message: Publish,
    ) -> Result<ForwardedCount, (ForwardedCount, Undelivered)> {
        let subscribers = self.subscribers(&from, &message).await;
        match self.forwards_to(from, &message, subscribers, message_id).await {
            Ok(reached) => Ok(reached.len()),
            Err((reached, undelivered)) => Err((reached.len(), undelivered)),
        }
    }

    async fn forwards_to(
        &self,
        from: Origin,
        message: &Publish,
        relations: SubRelations,
        _message_id: Option<MsgID>,
    ) -> Result<ForwardedRecipients, (ForwardedRecipients, Undelivered)> {
        let (mut reached, mut undelivered) = (ForwardedRecipients::new(), Undelivered::new());
        if relations.is_empty() {
            return Ok(reached);
        }
        let message = detached(message);
        for relation in relations {
            match self.forward(&from, &message, relation).await {
                Ok(recipients) => reached.extend(recipients),
                Err((recipients, failed)) => {
                    reached.extend(recipients);
                    undelivered.extend(failed);
                }
            }
        }
        if undelivered.is_empty() { Ok(reached) } else { Err((reached, undelivered)) }
    }

    async fn forwards_and_get_shareds(
        &self,
        from: Origin,
        message: Publish,
    ) -> Result<(SubRelationsMap, ForwardedRecipients), (ForwardedRecipients, Undelivered)> {
        // Shared subscriptions are off.
        let subscribers = self.subscribers(&from, &message).await;
        let reached = self.forwards_to(from, &message, subscribers, None).await?;
        Ok((SubRelationsMap::default(), reached))
    }

    fn entry(&self, id: Id) -> Box<dyn Entry> {
        self.inner.entry(id)
    }

    fn exist(&self, client_id: &str) -> bool {
        self.inner.exist(client_id)
    }

    fn iter(&self) -> Box<dyn Iterator<Item = Box<dyn Entry>> + Sync + Send + '_> {
        self.inner.iter()
    }

    fn random_session(&self) -> Option<Session> {
        self.inner.random_session()
    }

    async fn session_status(&self, client_id: &str) -> Option<SessionStatus> {
        self.inner.session_status(client_id).await
    }

    async fn client_states_count(&self) -> usize {
        self.inner.client_states_count().await
    }

    fn sessions_count(&self) -> usize {
        self.inner.sessions_count()
    }

    async fn query_subscriptions(&self, search: &SubsSearchParams) -> Vec<SubsSearchResult> {
        self.inner.query_subscriptions(search).await
    }

    async fn subscriptions_count(&self) -> usize {
        self.inner.subscriptions_count().await
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use rmqtt::codec::types::Publish as Packet;
    use rmqtt::codec::v5::PublishProperties;
    use rmqtt::types::QoS;

    use super::*;

    /// A message as it comes out of the codec: slices of one buffer.
    fn read_from(buffer: &Bytes) -> Publish {
        let text = |from: usize, to: usize| buffer.slice(from..to).try_into().unwrap();
        let properties = PublishProperties {
            topic_alias: None,
            correlation_data: Some(buffer.slice(20..30)),
            message_expiry_interval: NonZeroU32::new(5),
            content_type: Some(text(30, 33)),
            user_properties: vec![(text(33, 35), text(35, 39))],
            is_utf8_payload: true,
            response_topic: Some(text(39, 44)),
            subscription_ids: Vec::new(),
        };
        Publish::from(Packet {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: text(0, 10),
            packet_id: None,
            payload: buffer.slice(10..20),
            properties: Some(properties),
        })
    }

    /// A small message must not keep the large packets in memory that came with it.
    #[test]
    fn what_waits_shares_no_buffer_with_what_was_read() {
        let buffer = Bytes::from(vec![b'x'; 100]);
        let message = read_from(&buffer);
        let copy = detached(&message);
        assert_eq!(format!("{copy:?}"), format!("{message:?}"));
        assert_eq!(copy.payload, message.payload);
        assert!(!buffer.is_unique());
        drop(message);
        assert!(buffer.is_unique(), "only the copy is left");
        assert_eq!(copy.properties.as_ref().unwrap().content_type.as_deref(), Some("xxx"));
    }

    #[test]
    fn everything_that_a_sender_can_make_long_is_charged() {
        let buffer = Bytes::from(vec![b'x'; 100]);
        // Topic, payload, correlation, type, response: 10 + 10 + 10 + 3 + 5; a property of 2 + 4
        // with what it takes beside.
        assert_eq!(size(&read_from(&buffer)), 38 + 6 + 64);
    }
}
