//! Subscribers that do not keep up: what waits for them is bounded in messages and bytes, for each
//! and for all, and who exceeds that is disconnected.

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};

use super::*;

const TOPIC: &str = "default/live/x";
const OTHER_TOPIC: &str = "other/live/x";

/// A subscriber that reads only when it is asked to.
async fn subscriber(broker: &Broker, client: &str, qos: QoS) -> (AsyncClient, EventLoop) {
    subscriber_of("default", broker, client, qos).await
}

/// The same in any tenant.
async fn subscriber_of(
    tenant: &str,
    broker: &Broker,
    client: &str,
    qos: QoS,
) -> (AsyncClient, EventLoop) {
    let address = broker.address();
    let mut mqtt = MqttOptions::new(client, (address.ip().to_string(), address.port()));
    mqtt.set_credentials(tenant, "token").set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::builder(mqtt).capacity(10).build();
    client.subscribe(format!("{tenant}/live/#"), qos).await.unwrap();
    while !matches!(
        soon("SUBACK", events.poll()).await.unwrap(),
        Event::Incoming(Packet::SubAck(_))
    ) {}
    (client, events)
}

async fn start_with(queues: QueueLimits) -> (Broker, Arc<Gate>) {
    let config = BrokerConfig { queues, ..config() };
    let gate = Arc::clone(&config.gate);
    (Broker::start(config, Platform::new()).await.unwrap(), gate)
}

/// Reads until the connection ends or so many messages have come; gives their first words.
async fn read(events: &mut EventLoop, most: usize) -> Vec<usize> {
    let mut received = Vec::new();
    while received.len() < most {
        match soon("a message or the end", events.poll()).await {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let text = text(&publish.payload);
                received.push(text.split(' ').next().unwrap().parse().unwrap());
            }
            Ok(_) => {}
            Err(_) => return received,
        }
    }
    received
}

fn payload(number: usize, bytes: usize) -> Vec<u8> {
    let mut payload = format!("{number} ").into_bytes();
    payload.resize(bytes.max(payload.len()), b'x');
    payload
}

const ROOMY: QueueLimits =
    QueueLimits { messages: 10_000, bytes: 16 << 20, tenant_bytes: 64 << 20, all_bytes: 64 << 20 };

#[tokio::test]
async fn a_subscriber_for_which_too_many_messages_wait_is_disconnected() {
    let (broker, gate) = start_with(QueueLimits { messages: 100, ..ROOMY }).await;
    let (_client, mut events) = subscriber(&broker, "slow", QoS::AtLeastOnce).await;
    // It acknowledges nothing now, so everything waits for it.
    for number in 0..100 {
        assert_eq!(broker.publish(TOPIC, payload(number, 10)).await.unwrap(), 1);
    }
    assert_eq!(broker.counters().subscribers_cut_for_messages, 0);
    assert_eq!(broker.publish(TOPIC, payload(100, 10)).await.unwrap(), 0, "the one too many");
    assert_eq!(broker.counters().subscribers_cut_for_messages, 1);
    let received = read(&mut events, 1000).await;
    assert!(received.is_sorted_by(|a, b| a < b) && received.len() <= 100, "{received:?}");
    until("the queue to be gone", || gate.tally.queued_bytes() == 0).await;
    assert_eq!(broker.counters().deliveries_dropped, 1);
    broker.stop().await;
}

#[tokio::test]
async fn acknowledging_makes_room_again() {
    let (broker, gate) = start_with(QueueLimits { messages: 50, ..ROOMY }).await;
    let (_client, mut events) = subscriber(&broker, "quick", QoS::AtLeastOnce).await;
    for round in 0..10 {
        for number in 0..50 {
            let reached = broker.publish(TOPIC, payload(50 * round + number, 10)).await.unwrap();
            assert_eq!(reached, 1);
        }
        let expected: Vec<usize> = (50 * round..50 * (round + 1)).collect();
        assert_eq!(read(&mut events, 50).await, expected);
        // rumqttc acknowledges the last one with its next poll.
        let idle = tokio::time::timeout(Duration::from_millis(50), events.poll());
        drop(idle.await);
        until("the acknowledgements", || gate.tally.queued_bytes() == 0).await;
    }
    assert_eq!(broker.counters().deliveries_acknowledged, 500);
    broker.stop().await;
}

#[tokio::test]
async fn a_subscriber_for_which_too_many_bytes_wait_is_disconnected_whatever_its_quality() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (broker, gate) = start_with(QueueLimits { bytes: 1 << 20, ..ROOMY }).await;
        let (_deaf, _unread) = subscriber(&broker, "deaf", qos).await;
        // What the system takes for a socket is not waiting any more where nothing is to be
        // acknowledged; it is a few MiB.
        let mut most = 0;
        for number in 0..1000 {
            broker.publish(TOPIC, payload(number, 64 * 1024)).await.unwrap();
            most = most.max(gate.tally.queued_bytes());
            if broker.counters().subscribers_cut_for_bytes == 1 {
                break;
            }
        }
        assert_eq!(broker.counters().subscribers_cut_for_bytes, 1, "{qos:?}");
        assert!(most <= 1 << 20, "{most}");
        until("the queue to be gone", || gate.tally.queued_bytes() == 0).await;
        broker.stop().await;
    }
}

#[tokio::test]
async fn where_all_together_are_too_many_the_one_most_waits_for_goes() {
    let bytes = 4 << 20;
    let (broker, gate) = start_with(QueueLimits { bytes, all_bytes: 5 << 20, ..ROOMY }).await;
    let (_one, mut greedy) = subscriber(&broker, "greedy", QoS::AtLeastOnce).await;
    for number in 0..50 {
        assert_eq!(broker.publish(TOPIC, payload(number, 64 * 1024)).await.unwrap(), 1);
    }
    // Three MiB wait for it. The others come later and have less.
    let (_two, mut modest) = subscriber(&broker, "modest", QoS::AtLeastOnce).await;
    let (_three, mut humble) = subscriber(&broker, "humble", QoS::AtLeastOnce).await;
    let mut numbers = Vec::new();
    while broker.counters().subscribers_cut_for_all_bytes == 0 {
        numbers.push(50 + numbers.len());
        assert!(numbers.len() < 50, "never cut");
        broker.publish(TOPIC, payload(49 + numbers.len(), 64 * 1024)).await.unwrap();
    }
    assert_eq!(broker.counters().subscribers_cut_for_bytes, 0);
    assert!(read(&mut greedy, 1000).await.len() < 50 + numbers.len(), "it was cut");
    for spared in [&mut modest, &mut humble] {
        assert_eq!(read(spared, numbers.len()).await, numbers);
    }
    drop((modest, humble));
    until("the queues to be gone", || gate.tally.queued_bytes() == 0).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_any_more_is_given_back() {
    let (broker, gate) = start_with(ROOMY).await;
    for round in 0..3 {
        let (client, events) = subscriber(&broker, "brief", QoS::AtLeastOnce).await;
        for number in 0..20 {
            broker.publish(TOPIC, payload(number, 1000)).await.unwrap();
        }
        assert!(gate.tally.queued_bytes() > 20 * 1000, "round {round}");
        drop((client, events));
        until("the queue to be gone", || gate.tally.queued_bytes() == 0).await;
    }
    let counters = broker.counters();
    assert_eq!(counters.subscribers_cut_for_bytes + counters.subscribers_cut_for_messages, 0);
    broker.stop().await;
}

/// Both tenants have a reader for which 1 MiB waits; then the other one is flooded, with a second
/// reader that takes nothing. Returns the counters at its end and which messages the reader of the
/// first tenant got.
async fn flooded(limits: QueueLimits) -> (BrokerCounters, Vec<usize>) {
    let (broker, gate) = start_with(limits).await;
    let (_quiet, mut quiet) = subscriber(&broker, "reader", QoS::AtLeastOnce).await;
    let (_one, one) = subscriber_of("other", &broker, "reader", QoS::AtLeastOnce).await;
    for number in 0..16 {
        assert_eq!(broker.publish(TOPIC, payload(number, 64 * 1024)).await.unwrap(), 1);
        assert_eq!(broker.publish(OTHER_TOPIC, payload(number, 64 * 1024)).await.unwrap(), 1);
    }
    let (_two, two) = subscriber_of("other", &broker, "second", QoS::AtLeastOnce).await;
    for number in 16..200 {
        broker.publish(OTHER_TOPIC, payload(number, 64 * 1024)).await.unwrap();
    }
    let counters = broker.counters();
    let received = read(&mut quiet, 16).await;
    drop((one, two, quiet));
    until("the queues to be gone", || gate.tally.queued_bytes() == 0).await;
    broker.stop().await;
    (counters, received)
}

#[tokio::test]
async fn where_too_much_waits_for_a_tenant_its_own_most_owed_goes() {
    let bytes = 64 << 20;
    let (counters, received) = flooded(QueueLimits { bytes, tenant_bytes: 3 << 20, ..ROOMY }).await;
    assert_eq!(counters.subscribers_cut_for_tenant_bytes, 2, "both of the flooded tenant");
    assert_eq!(counters.subscribers_cut_for_all_bytes, 0);
    assert_eq!(received, (0..16).collect::<Vec<_>>());
}

#[tokio::test]
async fn where_all_together_are_too_many_the_tenant_that_most_waits_for_bears_it() {
    let (bytes, tenant_bytes) = (64 << 20, 64 << 20);
    let limits = QueueLimits { bytes, tenant_bytes, all_bytes: 4 << 20, ..ROOMY };
    let (counters, received) = flooded(limits).await;
    assert_eq!(counters.subscribers_cut_for_all_bytes, 2, "both of the flooded tenant");
    assert_eq!(counters.subscribers_cut_for_tenant_bytes, 0);
    assert_eq!(received, (0..16).collect::<Vec<_>>());
}

/// What is given back is given back to the tenant as well: a reader that keeps up is never cut.
#[tokio::test]
async fn a_tenant_whose_readers_keep_up_never_exceeds_its_bound() {
    let (broker, gate) = start_with(QueueLimits { tenant_bytes: 1 << 20, ..ROOMY }).await;
    let (_client, mut events) = subscriber(&broker, "quick", QoS::AtMostOnce).await;
    for number in 0..100 {
        assert_eq!(broker.publish(TOPIC, payload(number, 64 * 1024)).await.unwrap(), 1);
        assert_eq!(read(&mut events, 1).await, [number]);
        until("the queue to be gone", || gate.tally.queued_bytes() == 0).await;
    }
    assert_eq!(broker.counters().subscribers_cut_for_tenant_bytes, 0);
    broker.stop().await;
}
