//! The rest of the protocol: QoS 0 and 2, MQTT 5, last wills, retained messages.

use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, PublishOptions, QoS};

use super::*;

fn mqtt_3(broker: &Broker, client: &str) -> MqttOptions {
    let address = broker.address();
    let mut options = MqttOptions::new(client, (address.ip().to_string(), address.port()));
    options.set_credentials("default", "token");
    options
}

fn mqtt_5(broker: &Broker, client: &str) -> rumqttc_v5::MqttOptions {
    let address = broker.address();
    let mut options =
        rumqttc_v5::MqttOptions::new(client, (address.ip().to_string(), address.port()));
    options.set_credentials("default", "token");
    options
}

/// Polls until an incoming packet satisfies the condition.
async fn incoming(events: &mut EventLoop, what: &str, wanted: impl Fn(&Packet) -> bool) -> Packet {
    soon(what, async {
        loop {
            if let Event::Incoming(packet) = events.poll().await.unwrap()
                && wanted(&packet)
            {
                return packet;
            }
        }
    })
    .await
}

/// The same for MQTT 5.
async fn incoming_5(
    events: &mut rumqttc_v5::EventLoop,
    what: &str,
    wanted: impl Fn(&rumqttc_v5::Incoming) -> bool,
) -> rumqttc_v5::Incoming {
    soon(what, async {
        loop {
            if let rumqttc_v5::Event::Incoming(packet) = events.poll().await.unwrap()
                && wanted(&packet)
            {
                return packet;
            }
        }
    })
    .await
}

#[tokio::test]
async fn every_quality_of_service_of_mqtt_3_is_journalled_once() {
    let (broker, platform) = start().await;
    let (client, mut events) = AsyncClient::builder(mqtt_3(&broker, "meter")).capacity(10).build();
    client.publish(INPUT, "qos 0", PublishOptions::at_most_once()).await.unwrap();
    client.publish(INPUT, "qos 2", PublishOptions::exactly_once()).await.unwrap();
    incoming(&mut events, "PUBCOMP", |packet| matches!(packet, Packet::PubComp(_))).await;
    client.publish(INPUT, "refuse qos 2", PublishOptions::exactly_once()).await.unwrap();
    incoming(&mut events, "PUBCOMP", |packet| matches!(packet, Packet::PubComp(_))).await;
    client.publish(INPUT, "qos 1", PublishOptions::at_least_once()).await.unwrap();
    incoming(&mut events, "PUBACK", |packet| matches!(packet, Packet::PubAck(_))).await;
    assert_eq!(platform.payloads(), ["qos 0", "qos 2", "refuse qos 2", "qos 1"]);
    // Nothing can be answered to a QoS 0 sender, so one that cannot be kept ends the connection
    // too.
    client.publish(INPUT, "fail", PublishOptions::at_most_once()).await.unwrap();
    soon("the end of the connection", async { while events.poll().await.is_ok() {} }).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_hundred_qos_2_messages_at_once_fit_into_the_window() {
    let (broker, platform) = start().await;
    let (client, mut events) = AsyncClient::builder(mqtt_3(&broker, "meter")).capacity(200).build();
    for n in 0..100 {
        client.publish(INPUT, n.to_string(), PublishOptions::exactly_once()).await.unwrap();
    }
    for _ in 0..100 {
        incoming(&mut events, "PUBCOMP", |packet| matches!(packet, Packet::PubComp(_))).await;
    }
    let expected: Vec<String> = (0..100).map(|n: u32| n.to_string()).collect();
    assert_eq!(platform.payloads(), expected);
    broker.stop().await;
}

#[tokio::test]
async fn mqtt_5_senders_get_the_reason() {
    use rumqttc_v5::mqttbytes::v5::{PubAckReason, PubRecReason};
    use rumqttc_v5::{Incoming, PublishOptions};
    let (broker, platform) = start().await;
    let (client, mut events) =
        rumqttc_v5::AsyncClient::builder(mqtt_5(&broker, "meter")).capacity(10).build();
    // Success is answered as plainly as it can be: PUBACK of MQTT 5 section 3.4.2.1.
    for (topic, payload, expected, why) in [
        (INPUT, "store", PubAckReason::Success, None),
        (INPUT, "refuse", PubAckReason::ImplementationSpecificError, Some("not_json")),
        ("default/x", "x", PubAckReason::NotAuthorized, Some("topic_not_allowed")),
    ] {
        client.publish(topic, payload, PublishOptions::at_least_once()).await.unwrap();
        let packet =
            incoming_5(&mut events, "PUBACK", |packet| matches!(packet, Incoming::PubAck(_))).await;
        let Incoming::PubAck(answer) = packet else { unreachable!() };
        assert_eq!(answer.reason, expected);
        let reason = answer.properties.and_then(|properties| properties.reason_string);
        assert_eq!(reason.as_deref(), why);
    }
    client.publish(INPUT, "refuse qos 2", PublishOptions::exactly_once()).await.unwrap();
    let packet =
        incoming_5(&mut events, "PUBREC", |packet| matches!(packet, Incoming::PubRec(_))).await;
    let Incoming::PubRec(answer) = packet else { unreachable!() };
    assert_eq!(answer.reason, PubRecReason::ImplementationSpecificError);
    assert_eq!(platform.payloads(), ["store", "refuse", "refuse qos 2"]);
    broker.stop().await;
}

#[tokio::test]
async fn mqtt_5_gets_qos_2_through_once_and_hears_of_a_failure_by_disconnect() {
    use rumqttc_v5::{Incoming, PublishOptions};
    let (broker, platform) = start().await;
    let (client, mut events) =
        rumqttc_v5::AsyncClient::builder(mqtt_5(&broker, "meter")).capacity(10).build();
    client.publish(INPUT, "qos 2", PublishOptions::exactly_once()).await.unwrap();
    incoming_5(&mut events, "PUBCOMP", |packet| matches!(packet, Incoming::PubComp(_))).await;
    client.publish(INPUT, "fail", PublishOptions::at_least_once()).await.unwrap();
    let lost = soon("the end of the connection", async {
        loop {
            match events.poll().await {
                Ok(rumqttc_v5::Event::Incoming(Incoming::PubAck(_))) => panic!("acknowledged"),
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    })
    .await;
    assert!(!lost.is_empty());
    assert_eq!(platform.payloads(), ["qos 2"]);
    assert_eq!(broker.counters().publications_failed, 1);
    broker.stop().await;
}

/// MQTT 5, section 3.14.2.1: 0x8E, session taken over.
#[tokio::test]
async fn mqtt_5_clients_get_session_taken_over() {
    use rumqttc_v5::mqttbytes::v5::DisconnectReasonCode;
    use rumqttc_v5::{ConnectionError, Incoming, StateError};
    let (broker, _platform) = start().await;
    let connect = || rumqttc_v5::AsyncClient::builder(mqtt_5(&broker, "bridge")).build();
    let (_first, mut first) = connect();
    incoming_5(&mut first, "CONNACK", |packet| matches!(packet, Incoming::ConnAck(_))).await;
    let (_second, mut second) = connect();
    incoming_5(&mut second, "CONNACK", |packet| matches!(packet, Incoming::ConnAck(_))).await;
    let lost = soon("the end of the first connection", async {
        loop {
            if let Err(error) = first.poll().await {
                return error;
            }
        }
    })
    .await;
    let ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) = lost else {
        panic!("{lost}")
    };
    assert_eq!(reason_code, DisconnectReasonCode::SessionTakenOver);
    broker.stop().await;
}

#[tokio::test]
async fn mqtt_5_clients_get_the_packet_limit_and_keep_to_it() {
    use rumqttc_v5::PublishOptions;
    let config = BrokerConfig { packet_limit_bytes: 1000, ..config() };
    let platform = Platform::new();
    let broker = Broker::start(config, platform.clone()).await.unwrap();
    let (client, mut events) =
        rumqttc_v5::AsyncClient::builder(mqtt_5(&broker, "meter")).capacity(10).build();
    client.publish(INPUT, "x".repeat(2000), PublishOptions::at_least_once()).await.unwrap();
    let refused = soon("the client's own refusal", async {
        loop {
            if let Err(error) = events.poll().await {
                return error.to_string();
            }
        }
    })
    .await;
    assert!(refused.contains("maximum packet size"), "{refused}");
    assert!(platform.look(|seen| seen.refusals.is_empty() && seen.arrivals.is_empty()));
    broker.stop().await;
}

fn will(topic: &str, message: &str) -> LastWill {
    LastWill::new(topic, message, QoS::AtLeastOnce, false)
}

async fn connect(options: MqttOptions) -> (AsyncClient, EventLoop) {
    let (client, mut events) = AsyncClient::builder(options).capacity(10).build();
    incoming(&mut events, "CONNACK", |packet| matches!(packet, Packet::ConnAck(_))).await;
    (client, events)
}

#[tokio::test]
async fn a_last_will_is_journalled_when_the_connection_breaks_and_not_when_it_is_closed() {
    let (broker, platform) = start().await;
    let mut options = mqtt_3(&broker, "broken");
    options.set_last_will(will(INPUT, "the will of the broken"));
    let (_client, events) = connect(options).await;
    drop(events);
    platform.until("the will", |seen| !seen.arrivals.is_empty()).await;

    let mut options = mqtt_3(&broker, "closed");
    options.set_last_will(will(INPUT, "the will of the closed"));
    let (client, mut events) = connect(options).await;
    client.disconnect().await.unwrap();
    // The broker library leaves it to the client to close.
    while soon("DISCONNECT to leave", events.poll()).await.unwrap()
        != Event::Outgoing(rumqttc::Outgoing::Disconnect)
    {}
    drop(events);
    soon("the broker to notice", async {
        while broker.counters().disconnected < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(platform.payloads(), ["the will of the broken"]);
    assert_eq!(platform.look(|seen| seen.arrivals[0].sender.clone()), "broken");
    assert_eq!(broker.counters().wills_stored, 1);
    broker.stop().await;
}

#[tokio::test]
async fn a_last_will_for_somebody_elses_topic_keeps_its_owner_out() {
    let (broker, platform) = start().await;
    // A will is for the platform to keep, so it may not be an echo either.
    let topics = ["default/SiteWhere/commands/home-1", "default/echo/forger"];
    for topic in topics {
        let mut options = mqtt_3(&broker, "forger");
        options.set_last_will(will(topic, "open the switch"));
        let (_client, mut events) = AsyncClient::builder(options).capacity(10).build();
        let refused = soon("CONNACK", events.poll()).await;
        let Err(rumqttc::ConnectionError::ConnectionRefused(code)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(code, rumqttc::ConnectReturnCode::NotAuthorized);
    }
    let expected =
        topics.map(|topic| (RefusalReason::TopicNotAllowed, "forger".into(), topic.into()));
    assert_eq!(platform.look(|seen| seen.refusals.clone()), expected);
    assert_eq!(broker.counters().wills_refused, 2);
    assert!(platform.payloads().is_empty());
    broker.stop().await;
}

#[tokio::test]
async fn a_last_will_that_cannot_be_kept_is_counted_as_lost() {
    let (broker, _platform) = start().await;
    let mut options = mqtt_3(&broker, "broken");
    options.set_last_will(will(INPUT, "fail"));
    let (_client, events) = connect(options).await;
    drop(events);
    soon("the count", async {
        while broker.counters().wills_lost == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    broker.stop().await;
}

#[tokio::test]
async fn a_retained_message_is_journalled_and_not_retained() {
    let (broker, platform) = start().await;
    let (client, mut events) = connect(mqtt_3(&broker, "meter")).await;
    client.publish(INPUT, "retain me", PublishOptions::at_least_once().retained()).await.unwrap();
    incoming(&mut events, "PUBACK", |packet| matches!(packet, Packet::PubAck(_))).await;
    assert_eq!(platform.payloads(), ["retain me"]);
    let subscriptions = vec![INPUT.to_owned()];
    let (_watcher, mut watching) =
        open(SessionOptions { subscriptions, ..options(&broker, "watcher") }).await;
    client.publish(INPUT, "afterwards", PublishOptions::at_least_once()).await.unwrap();
    incoming(&mut events, "PUBACK", |packet| matches!(packet, Packet::PubAck(_))).await;
    // Were it retained, it would come first.
    let expected = SessionEvent::Received { topic: INPUT.into(), payload: "afterwards".into() };
    assert_eq!(event(&mut watching).await, expected);
    broker.stop().await;
}
