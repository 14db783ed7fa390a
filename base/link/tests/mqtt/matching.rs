//! Property: over any course of losses, every acknowledgement the owner hears is of a message the
//! broker acknowledged, and a re-publishing owner gets each of its messages through.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lastmeter_link::mqtt::{PublishError, Session, SessionEvent, SessionOptions};
use proptest::prelude::*;

use crate::mqtt::fake::{Fake, soon};

/// What the broker does with one connection: how many publications it takes, which of them it
/// acknowledges in which order (picked by these numbers), before it cuts the connection.
#[derive(Clone, Debug)]
struct Course {
    taken: usize,
    acknowledged: Vec<usize>,
}

fn courses() -> impl Strategy<Value = Vec<Course>> {
    let course = (1_usize..12, prop::collection::vec(any::<usize>(), 0..12))
        .prop_map(|(taken, acknowledged)| Course { taken, acknowledged });
    prop::collection::vec(course, 0..8)
}

const MESSAGES: u64 = 20;

/// Runs the broker's courses, then a connection that acknowledges everything. Returns how often
/// each message was acknowledged.
async fn broker(fake: Fake, courses: Vec<Course>) -> BTreeMap<u64, usize> {
    let mut sent = BTreeMap::<u64, usize>::new();
    for course in courses {
        let mut peer = fake.connected().await;
        let mut held = Vec::new();
        let mut picks = course.acknowledged.into_iter();
        for _ in 0..course.taken {
            let Some((0x32, body)) = peer.try_packet().await else { break };
            held.push(crate::mqtt::fake::parse_publish(&body));
            // Every other pick acknowledges something held, the rest hold back.
            if let Some(pick) = picks.next().filter(|pick| pick % 2 == 0) {
                let published = held.remove(pick / 2 % held.len());
                peer.acknowledge(published.id).await;
                *sent
                    .entry(u64::from_be_bytes(published.payload.try_into().unwrap()))
                    .or_default() += 1;
            }
        }
    }
    let mut peer = fake.connected().await;
    while let Some((header, body)) = peer.try_packet().await {
        if header != 0x32 {
            break;
        }
        let published = crate::mqtt::fake::parse_publish(&body);
        peer.acknowledge(published.id).await;
        *sent.entry(u64::from_be_bytes(published.payload.try_into().unwrap())).or_default() += 1;
    }
    sent
}

async fn owner(address: String) -> BTreeMap<u64, usize> {
    let (session, mut events) = Session::open(SessionOptions::new(&address, "c", "u", "p"));
    let mut outbox: BTreeSet<u64> = (0..MESSAGES).collect();
    let mut heard = BTreeMap::<u64, usize>::new();
    while !outbox.is_empty() {
        match soon("an event", events.recv()).await.expect("the session ended") {
            SessionEvent::Connected => {
                for &message in &outbox {
                    let payload = Bytes::from(message.to_be_bytes().to_vec());
                    match session.publish(message, "t", payload).await {
                        Ok(()) => {}
                        Err(PublishError::NotConnected) => break,
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            SessionEvent::Acknowledged { message } => {
                *heard.entry(message).or_default() += 1;
                outbox.remove(&message);
            }
            SessionEvent::Disconnected { .. } => {}
            other => panic!("nothing was subscribed, MQTT 3.1.1 refuses nothing: {other:?}"),
        }
    }
    session.close().await;
    heard
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_acknowledgement_reaches_the_wrong_message(courses in courses()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (sent, heard) = runtime.block_on(async {
            let fake = Fake::listen().await;
            let address = fake.address();
            let broker = tokio::spawn(broker(fake, courses));
            let heard = soon("all acknowledgements", owner(address)).await;
            (soon("the broker", broker).await.unwrap(), heard)
        });
        prop_assert_eq!(heard.keys().copied().collect::<Vec<_>>(), (0..MESSAGES).collect::<Vec<_>>());
        for (message, times) in heard {
            // An acknowledgement may be lost with its connection, so the owner hears at most what
            // was sent.
            prop_assert!(times <= sent.get(&message).copied().unwrap_or(0), "message {}", message);
        }
    }
}
