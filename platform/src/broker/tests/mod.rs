//! The broker against a platform that is a stand-in and clients that are real.
//!
//! The stand-in obeys the first word of a payload: `refuse`, `fail`, `hold`; all else it
//! stores. The clients are the project's own session (MQTT 3.1.1, QoS 1) and, for the rest of the
//! protocol, rumqttc's event loops.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_model::access::{
    Action, Decision, NoFacts, Principal, PrincipalRef, UserName, may_publish, may_subscribe,
};
use lastmeter_model::refusal::RefusalReason;
use lastmeter_units::{HardwareId, SimTime};
use tokio::sync::{Notify, Semaphore};

use super::*;
use crate::gate::GuessLimits;
use crate::port::{Arrival, NotDurable, Presented, Verdict};

mod delivery;
mod echo;
mod lifecycle;
mod listener;
mod protocol;
mod queues;
mod raw;
mod refusal;
mod tenants;
mod tls;

/// No wait of a test takes longer, or the test fails with what it waited for.
const LIMIT: Duration = Duration::from_secs(40);
/// The input topic of the stand-in's tenant.
const INPUT: &str = "default/SiteWhere/input/json";

async fn soon<T>(what: &str, waited_for: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(LIMIT, waited_for).await else {
        panic!("waited {LIMIT:?} for {what}")
    };
    value
}

/// A refusal as the broker reported it: reason, client, topic.
type Refused = (RefusalReason, String, String);

/// What the broker handed over.
#[derive(Default)]
struct ObservedTraffic {
    arrivals: Vec<Arrival>,
    refusals: Vec<Refused>,
    /// Devices that take their commands here.
    listening: Vec<HardwareId>,
    /// Who may not have anything any more.
    without_rights: Vec<PrincipalRef>,
}

/// The platform's stand-in.
struct Platform {
    seen: Mutex<ObservedTraffic>,
    changed: Notify,
    /// A permit lets one held message through.
    gate: Semaphore,
}

impl Platform {
    fn new() -> Arc<Self> {
        let (seen, changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { seen, changed, gate: Semaphore::new(0) })
    }

    fn note(&self, note: impl FnOnce(&mut ObservedTraffic)) {
        note(&mut self.seen.lock().unwrap());
        self.changed.notify_waiters();
    }

    fn look<T>(&self, look: impl FnOnce(&ObservedTraffic) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// Waits until what was seen satisfies a condition.
    async fn until(&self, what: &str, condition: impl Fn(&ObservedTraffic) -> bool) {
        soon(what, async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.look(&condition) {
                    return;
                }
                changed.await;
            }
        })
        .await;
    }

    fn payloads(&self) -> Vec<String> {
        self.look(|seen| seen.arrivals.iter().map(|arrival| text(&arrival.payload)).collect())
    }
}

#[async_trait]
impl IngestPort for Platform {
    async fn accept(&self, _: &TenantName, arrival: Arrival) -> Result<Verdict, NotDurable> {
        let payload = text(&arrival.payload);
        if payload.starts_with("fail") {
            return Err(NotDurable { why: "the disk is full".into() });
        }
        self.note(|seen| seen.arrivals.push(arrival));
        if payload.starts_with("hold") {
            self.gate.acquire().await.unwrap().forget();
        }
        if payload.starts_with("refuse") {
            let reason = RefusalReason::Format("not_json");
            return Ok(Verdict::Refused { reason, detail: "broken".into() });
        }
        Ok(Verdict::Stored)
    }

    async fn refuse(
        &self,
        _: &TenantName,
        refusal: RefusalReason,
        (client_id, topic): (&str, &str),
        detail: &str,
    ) -> Result<(), NotDurable> {
        assert!(!detail.is_empty());
        self.note(|seen| seen.refusals.push((refusal, client_id.into(), topic.into())));
        Ok(())
    }

    fn count(&self, _refusal: RefusalReason) {}

    async fn record(
        &self,
        refusal: RefusalReason,
        device: Option<&str>,
        detail: &str,
    ) -> Result<(), NotDurable> {
        let of = (device.unwrap_or_default(), "");
        self.refuse(&TenantName::default(), refusal, of, detail).await
    }

    async fn identify(&self, presented: Presented<'_>) -> Option<Principal> {
        let Presented { user_name, password, .. } = presented;
        let is_known = ["default", "default/app/viewer", "other"].contains(&user_name);
        let tenant = UserName::parse(user_name).filter(|_| is_known)?.tenant;
        let reference = match password {
            b"token" => PrincipalRef::Bench,
            b"devices" => PrincipalRef::SharedDevices,
            b"own" => UserName::parse(user_name)?.principal,
            _ => return None,
        };
        Some(Principal::of(reference, tenant))
    }

    fn decide(&self, who: &Principal, action: Action, topic: &str) -> Decision {
        if self.look(|seen| seen.without_rights.contains(&who.reference)) {
            return Decision::Hidden;
        }
        match action {
            Action::Read => may_subscribe(who, topic, &NoFacts, SimTime(0)),
            _ => may_publish(who, topic, &NoFacts, SimTime(0)),
        }
    }

    fn listens(&self, _: &TenantName, door: &'static str, device: HardwareId) {
        assert_eq!(door, DOOR);
        self.note(|seen| seen.listening.push(device));
    }
}

fn text(payload: &[u8]) -> String {
    String::from_utf8(payload.to_vec()).unwrap()
}

fn config() -> BrokerConfig {
    BrokerConfig {
        address: ([127, 0, 0, 1], 0).into(),
        plain: true,
        tls: None,
        packet_limit_bytes: 256 * 1024,
        connections: 100_000,
        plain_connections: 100_000,
        unauthenticated: 1024,
        limits: ConnectLimits {
            first_byte: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            bytes: 16 * 1024,
        },
        queues: QueueLimits {
            messages: 10_000,
            bytes: 16 * 1024 * 1024,
            tenant_bytes: 64 * 1024 * 1024,
            all_bytes: 64 * 1024 * 1024,
        },
        gate: Arc::new(Gate::new(GuessLimits::default())),
    }
}

async fn start() -> (Broker, Arc<Platform>) {
    let platform = Platform::new();
    (Broker::start(config(), platform.clone()).await.unwrap(), platform)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn options(broker: &Broker, client: &str) -> SessionOptions {
    SessionOptions::new(&broker.address().to_string(), client, "default", "token")
}

async fn event(events: &mut SessionEvents) -> SessionEvent {
    soon("an event", events.recv()).await.expect("the session ended")
}

async fn open(options: SessionOptions) -> (Session, SessionEvents) {
    let (session, mut events) = Session::open(options);
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    (session, events)
}

async fn publish(session: &Session, message: u64, topic: &str, payload: &str) {
    let payload = Bytes::from(payload.to_owned());
    soon("room in flight", session.publish(message, topic, payload)).await.unwrap();
}

async fn acknowledged(events: &mut SessionEvents, message: u64) {
    assert_eq!(event(events).await, SessionEvent::Acknowledged { message });
}

/// Waits for the connection to come back. rmqtt may refuse it once as unavailable, while it is
/// still clearing the last one of the same client away.
async fn reconnected(events: &mut SessionEvents) {
    loop {
        match event(events).await {
            SessionEvent::Connected => return,
            SessionEvent::Disconnected { reason } => {
                assert!(reason.contains("unavailable"), "{reason}");
            }
            other => panic!("expected Connected, found {other:?}"),
        }
    }
}

async fn disconnected(events: &mut SessionEvents) -> String {
    match event(events).await {
        SessionEvent::Disconnected { reason } => reason,
        other => panic!("expected Disconnected, found {other:?}"),
    }
}
