//! The broker library's hooks: where each packet meets the platform.
//!
//! Found in the sources of rmqtt 0.24.0 and relied on here; the tests of this module fail if a
//! later version does otherwise:
//! - `session.rs` `_publish`: publish hook, then publish-ACL hook, then routing; PUBACK, PUBREC or
//!   nothing follows. Both hooks are awaited. Only the ACL hook can refuse, so it journals.
//! - `session.rs` `process_last_will`: publish hook and routing, no ACL hook. So wills are judged
//!   at CONNECT and journalled in the publish hook.
//! - `types.rs` `send_publish_ack`: MQTT 3.1.1 gets its PUBACK for a refusal without `disconnect`
//!   too; with `disconnect` the session ends without one.
//! - `session.rs` `_publish`: a refusal is also reported to the dropped-message hook, with nobody
//!   as the receiver.
//! - `session.rs` `deliver`: the expiry hook is asked before each delivery, and what it calls
//!   expired is dropped.
//! - `hook.rs` `DefaultHook`: superusers pass all ACL hooks unasked, so nobody is made one.

use std::sync::Arc;

use async_trait::async_trait;
use lastmeter_model::access::{
    Action, Decision, Principal, PrincipalRef, Scope, UserName, can_hear_live,
};
use lastmeter_model::refusal::RefusalReason;
use lastmeter_units::TenantName;
use rmqtt::codec::v5::{PublishAckReason, SubscribeAckReason};
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::types::{
    AuthResult, ConnectInfo, FromType, Id, LastWill, Publish, PublishAclResult, PublishResult,
    Reason, Subscribe, SubscribeReturn,
};

use super::access;
use super::counters::{Running, count};
use super::links::{Link, Links, Transport, client_id};
use super::tls::Reports;
use crate::gate::{Gate, RejectReason};
use crate::log_throttle::LogThrottle;
use crate::port::{Arrival, IngestPort, NotDurable, Presented, Verdict};
use crate::tls::TlsRefusal;

/// How rmqtt's codecs begin the text of "larger than the limit" (`error.rs`, `DecodeError`).
const TOO_LARGE: &str = "Max size exceeded";

/// Longest topic filter, bytes: a hardware id has at most 128.
const FILTER_LIMIT_BYTES: usize = 512;

/// Characters of a rejected client's identifier that are logged.
const NAME_SHOWN: usize = 128;

/// The handler behind all hooks.
#[derive(Clone)]
pub(super) struct Hooks {
    pub(super) port: Arc<dyn IngestPort>,
    pub(super) counters: Arc<Running>,
    pub(super) links: Arc<Links>,
    pub(super) reports: Arc<Reports>,
    pub(super) gate: Arc<Gate>,
    pub(super) not_durable: Arc<LogThrottle>,
}

impl Hooks {
    /// Puts the handler behind every hook that it serves.
    pub(super) async fn register(self, context: &ServerContext) {
        let register = context.extends.hook_mgr().register();
        for hook in [
            Type::ClientAuthenticate,
            Type::ClientConnected,
            Type::ClientDisconnected,
            Type::ClientSubscribeCheckAcl,
            Type::SessionSubscribed,
            Type::MessagePublish,
            Type::MessagePublishCheckAcl,
            Type::MessageAcked,
            Type::MessageDropped,
            Type::MessageExpiryCheck,
        ] {
            register.add(hook, Box::new(self.clone())).await;
        }
        register.start().await;
    }

    /// Whether what a certificate has proved lets this client connect under its identifier.
    fn has_certified_name(&self, client: &Id, link: &Link) -> bool {
        if Transport::of(client) != Transport::Certified || link.device() == Some(client_id(client))
        {
            return true;
        }
        let from = link.from;
        let name = client_id(client).chars().take(NAME_SHOWN).collect::<String>();
        let detail = format!(
            "{from}, certificate of {:?}: it connects as {name:?}",
            link.device().unwrap_or_default()
        );
        self.reports.report(TlsRefusal::WrongIdentity, link.device().map(str::to_owned), detail);
        false
    }

    /// Who a client is, and in which tenant; if it presents what is wrong, it waits for the answer.
    async fn admitted(
        &self,
        connect: &ConnectInfo,
        link: &Link,
    ) -> Option<(Principal, TenantName)> {
        let presented = Presented {
            user_name: connect.username().map_or("", |name| &**name),
            password: connect.password().map_or(&[][..], |password| password),
            certificate: link.certificate.as_ref(),
            from: link.from.ip(),
        };
        if let Some(principal) = self.port.identify(presented).await
            && let Some(tenant) = principal.tenant.clone()
        {
            return Some((principal, tenant));
        }
        count(&self.counters.not_authenticated);
        let client = connect.id();
        let who: String = client_id(client).chars().take(NAME_SHOWN).collect();
        let wait = self.gate.wrong_secret(Transport::of(client).listener(), link.from.ip(), &who);
        // Out of time it is answered; cut off it is not.
        let _ = tokio::time::timeout(wait, link.socket.until_cut()).await;
        None
    }

    async fn authenticate(&self, connect: &ConnectInfo) -> AuthResult {
        let client = connect.id();
        // One that is gone already does nothing here any more.
        let Some(link) = self.links.find(client) else { return AuthResult::NotAuthorized };
        if !self.has_certified_name(client, &link)
            || self.gate.is_shut_for(Transport::of(client).listener(), link.from.ip())
        {
            return AuthResult::NotAuthorized;
        }
        let Some((principal, tenant)) = self.admitted(connect, &link).await else {
            return AuthResult::BadUsernameOrPassword;
        };
        let will = connect.last_will().map(|will| match will {
            LastWill::V3(will) => will.topic.to_string(),
            LastWill::V5(will) => will.topic.to_string(),
        });
        let is_refused = |topic: &String| !self.may_publish(client, &principal, topic);
        if let Some(topic) = will.filter(is_refused) {
            count(&self.counters.wills_refused);
            // Refused with or without the record: nobody waits for it as for a PUBACK.
            let _ = self.refuse_topic(&principal, client, &topic, "the last will").await;
            return AuthResult::NotAuthorized;
        }
        let most = self.port.connections_max(&tenant);
        if self.links.authenticated(&link, (principal, tenant), most) {
            return AuthResult::Allow(false, None);
        }
        self.gate.reject(Transport::of(client).listener(), RejectReason::FullOfTenant);
        AuthResult::NotAuthorized
    }

    /// Who a client is; nobody once its connection is gone.
    fn principal(&self, client: &Id) -> Option<Arc<Principal>> {
        self.links.find(client)?.principal()
    }

    /// The same; of one whose connection is gone the least that its user name can be, for what it
    /// sent before counts.
    fn sender(&self, client: &Id) -> Arc<Principal> {
        self.principal(client).unwrap_or_else(|| {
            let named = UserName::parse(client.username_ref());
            let (tenant, reference) = named.map_or_else(
                || (TenantName::default(), PrincipalRef::SharedDevices),
                |named| (named.tenant, named.principal),
            );
            Arc::new(Principal::of(reference, tenant))
        })
    }

    /// Whether this client may publish here. Who has shown a certificate speaks on no topic that
    /// is bound to another device.
    fn may_publish(&self, client: &Id, who: &Principal, topic: &str) -> bool {
        who.tenant.as_ref().is_some_and(|tenant| access::is_input_of(tenant.as_str(), topic))
            && !is_anothers(client, topic)
            && matches!(self.port.decide(who, Action::Write, topic), Decision::Yes(_))
    }

    /// Whether this client may publish here what is passed on and not stored.
    fn may_echo(&self, client: &Id, who: &Principal, topic: &str) -> bool {
        let is_own =
            |tenant: &TenantName| access::may_echo(tenant.as_str(), client_id(client), topic);
        who.tenant.as_ref().is_some_and(is_own)
            && matches!(self.port.decide(who, Action::Write, topic), Decision::Yes(_))
    }

    /// Whether a principal may use a filter; whoever may have all of its tenant may use every one
    /// below it.
    fn may_subscribe(&self, who: &Principal, filter: &str) -> bool {
        let Some(tenant) = &who.tenant else { return false };
        access::is_below(tenant.as_str(), filter)
            && (self.port.follows(who, filter) || may_have_all(&*self.port, who, tenant))
    }

    async fn refuse_topic(
        &self,
        who: &Principal,
        client: &Id,
        topic: &str,
        what: &str,
    ) -> Result<RefusalReason, NotDurable> {
        let tenant = who.tenant.clone().unwrap_or_default();
        let reason = self.port.refusal(who, topic);
        let why = if reason == RefusalReason::DeviceHasCredential {
            "came with the secret that devices share, for a device with a credential of its own"
        } else if is_anothers(client, topic) {
            "is on a topic bound to another device than the certificate's"
        } else {
            "is neither on an input topic of the client's tenant nor on an echo topic that it may \
             use"
        };
        let detail = format!("{what} {why}");
        self.port.refuse(&tenant, reason, (client_id(client), topic), &detail).await?;
        Ok(reason)
    }

    /// The decision that the acknowledgement waits for.
    async fn published(&self, sender: &Id, publish: &Publish) -> PublishAclResult {
        let who = self.sender(sender);
        let tenant = &who.tenant.clone().unwrap_or_default();
        if self.may_echo(sender, &who, &publish.topic) {
            count(&self.counters.publications_echoed);
            return PublishAclResult::allow();
        }
        let outcome = if self.may_publish(sender, &who, &publish.topic) {
            self.port.accept(tenant, arrival(&who, sender, publish)).await
        } else {
            self.refuse_topic(&who, sender, &publish.topic, "the publication")
                .await
                .map(|reason| Verdict::Refused { reason, detail: String::new() })
        };
        match outcome {
            Ok(Verdict::Stored) => {
                count(&self.counters.publications_stored);
                PublishAclResult::allow()
            }
            Ok(Verdict::Refused { reason, .. }) => {
                count(&self.counters.publications_refused);
                refused(reason)
            }
            Err(error) => {
                count(&self.counters.publications_failed);
                // Its clients try again at once, all of them.
                if let Some(kept_back) = self.not_durable.admit() {
                    let client = client_id(sender);
                    tracing::warn!(%client, %error, kept_back, "disconnected without PUBACK");
                }
                PublishAclResult::rejected(true, Some(error.to_string().into()))
            }
        }
    }

    /// A will has no sender left to be refused or to wait, so it is only journalled. Its topic was
    /// judged when the client connected.
    async fn will(&self, sender: &Id, publish: &Publish) {
        let (who, tenant) = (self.sender(sender), tenant_of(sender.username_ref()));
        match self.port.accept(&tenant, arrival(&who, sender, publish)).await {
            Ok(Verdict::Stored) => count(&self.counters.wills_stored),
            Ok(Verdict::Refused { .. }) => count(&self.counters.publications_refused),
            Err(error) => {
                count(&self.counters.wills_lost);
                tracing::warn!(client = %client_id(sender), %error, "last will lost");
            }
        }
    }

    fn subscription(&self, client: &Id, subscribe: &Subscribe) -> SubscribeReturn {
        let filter = &subscribe.topic_filter;
        if filter.len() <= FILTER_LIMIT_BYTES
            && self.principal(client).is_some_and(|who| self.may_subscribe(&who, filter))
        {
            return SubscribeReturn::new_success(subscribe.opts.qos(), None);
        }
        count(&self.counters.subscriptions_refused);
        SubscribeReturn::new_failure(SubscribeAckReason::NotAuthorized)
    }

    /// Whether a subscriber may have what has come for it: its rights may have ended since it
    /// subscribed.
    fn may_be_given(&self, client: &Id, publish: &Publish) -> bool {
        self.principal(client)
            .is_some_and(|who| may_be_given(&*self.port, &who, (&publish.topic, &publish.payload)))
    }

    async fn disconnected(&self, client: &Id, reason: &Reason) {
        count(&self.counters.disconnected);
        match cause(reason) {
            Cause::TooLarge(detail) => {
                count(&self.counters.packets_too_large);
                let refusal = RefusalReason::PacketTooLarge;
                let tenant = tenant_of(client.username_ref());
                let client = client_id(client);
                let refused = self.port.refuse(&tenant, refusal, (client, ""), &detail).await;
                if let Err(error) = refused {
                    tracing::warn!(%client, %error, "refusal not recorded");
                }
            }
            Cause::Malformed => count(&self.counters.packets_malformed),
            Cause::Other => {}
        }
    }

    fn dropped(&self, to: Option<&Id>, reason: &Reason) {
        // Without a receiver it is a refusal, which is counted where it is decided.
        if to.is_none() {
            return;
        }
        match reason {
            // Counted where it is decided (see `queues`).
            Reason::MessageQueueFull => {}
            Reason::MessageExpiration => count(&self.counters.deliveries_dropped),
            _ => count(&self.counters.deliveries_abandoned),
        }
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the library's trait leaves it out, and async_trait needs the same"
)]
#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, _so_far: Option<HookResult>) -> ReturnType {
        let result = match parameter {
            Parameter::MessagePublishCheckAcl(session, publish) => {
                Some(HookResult::PublishAclResult(self.published(&session.id, publish).await))
            }
            Parameter::MessagePublish(_, from, publish) => {
                if matches!(from.typ(), FromType::LastWill) {
                    self.will(&from.id, publish).await;
                }
                None
            }
            Parameter::ClientAuthenticate(connect) => {
                Some(HookResult::AuthResult(self.authenticate(connect).await))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                Some(HookResult::SubscribeAclResult(self.subscription(&session.id, subscribe)))
            }
            Parameter::SessionSubscribed(session, subscribe) => {
                if can_hear_live(&subscribe.topic_filter)
                    && let Some(link) = self.links.find(&session.id)
                {
                    link.listens_live(&subscribe.topic_filter, client_id(&session.id));
                }
                if let Some((tenant, device)) = access::commanded(&subscribe.topic_filter) {
                    self.port.listens(&tenant, access::DOOR, device);
                }
                None
            }
            Parameter::ClientConnected(_) => {
                count(&self.counters.connected);
                None
            }
            Parameter::ClientDisconnected(session, reason) => {
                self.disconnected(&session.id, reason).await;
                None
            }
            Parameter::MessageAcked(..) => {
                count(&self.counters.deliveries_acknowledged);
                None
            }
            Parameter::MessageExpiryCheck(session, _, publish) => {
                let is_over = !self.may_be_given(&session.id, publish);
                is_over.then_some(HookResult::MessageExpiry)
            }
            Parameter::MessageDropped(to, _, _, reason) => {
                self.dropped(to.as_ref(), reason);
                None
            }
            _ => None,
        };
        (true, result)
    }
}

/// Whether a principal may have a message that has come for it.
pub(super) fn may_be_given(
    port: &dyn IngestPort,
    who: &Principal,
    (topic, payload): (&str, &[u8]),
) -> bool {
    let Some(tenant) = &who.tenant else { return false };
    access::is_below(tenant.as_str(), topic)
        && (port.hears(who, topic, payload) || may_have_all(port, who, tenant))
}

fn may_have_all(port: &dyn IngestPort, who: &Principal, tenant: &TenantName) -> bool {
    port.decide(who, Action::Read, &format!("{tenant}/#")) == Decision::Yes(Scope::All)
}

/// The tenant of a client that was let in.
fn tenant_of(user_name: &str) -> TenantName {
    UserName::parse(user_name).map(|user| user.tenant).unwrap_or_default()
}

/// Whether the topic is bound to another device than the client's certificate names.
fn is_anothers(client: &Id, topic: &str) -> bool {
    Transport::of(client) == Transport::Certified
        && !access::is_free_or_bound_to(client_id(client), topic)
}

fn arrival(who: &Principal, sender: &Id, publish: &Publish) -> Arrival {
    Arrival {
        is_shared: who.reference == PrincipalRef::SharedDevices,
        door: access::DOOR,
        sender: client_id(sender).to_owned(),
        topic: publish.topic.to_string(),
        payload: publish.payload.clone(),
    }
}

/// Refused but acknowledged. MQTT 5 table 3.4.2.1: 0x87 not authorised; 0x83 valid, but the
/// receiver is not willing to accept it.
fn refused(reason: RefusalReason) -> PublishAclResult {
    let code = if reason == RefusalReason::TopicNotAllowed {
        PublishAckReason::NotAuthorized
    } else {
        PublishAckReason::ImplementationSpecificError
    };
    PublishAclResult(PublishResult::reason_code(code, Some(reason.word().into()), false))
}

/// Why a connection ended, as far as it is a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Cause {
    TooLarge(String),
    Malformed,
    Other,
}

/// rmqtt turns decoding errors into `Reason::Error` with their text (`types.rs`, `From<Error> for
/// Reason`); what a client states itself arrives as other variants, so it cannot forge these.
fn cause(reason: &Reason) -> Cause {
    match reason {
        Reason::Reasons(several) => {
            several.iter().map(cause).find(|cause| *cause != Cause::Other).unwrap_or(Cause::Other)
        }
        Reason::Error(text) if text.starts_with(TOO_LARGE) => Cause::TooLarge(text.to_string()),
        Reason::Error(text) if MALFORMED.contains(&&**text) => Cause::Malformed,
        Reason::ProtocolError(_) => Cause::Malformed,
        _ => Cause::Other,
    }
}

/// Texts of the other variants of rmqtt-codec's `DecodeError` that a peer can cause.
const MALFORMED: &[&str] = &[
    "Invalid protocol",
    "Invalid length",
    "Malformed packet",
    "Unsupported packet type",
    "Packet id is required",
    "Invalid topic filter",
    "Invalid topic name",
    "utf8 error",
];
