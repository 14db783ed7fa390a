//! Several tenants and credentials on one broker: whose connection a client ends, what reaches it,
//! and the end of all connections of a tenant.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::raw::{ask, last_words, publish_packet};
use super::*;

const TENANTS: [&str; 2] = ["default", "other"];

fn of(tenant: &str, broker: &Broker, client: &str) -> SessionOptions {
    let username = tenant.to_owned();
    let subscriptions = vec![format!("{tenant}/SiteWhere/commands/{client}")];
    SessionOptions { username, subscriptions, ..options(broker, client) }
}

fn received(topic: &str, payload: &str) -> SessionEvent {
    SessionEvent::Received { topic: topic.into(), payload: payload.to_owned().into() }
}

#[tokio::test]
async fn two_user_names_with_one_identifier_are_two_clients() {
    let (broker, platform) = start().await;
    let mut clients = Vec::new();
    for tenant in TENANTS {
        clients.push((tenant, open(of(tenant, &broker, "meter")).await));
    }
    for round in 0..3 {
        for (tenant, (session, events)) in &mut clients {
            // To one of them only: the next that the other one hears is its own.
            let topic = format!("{tenant}/SiteWhere/commands/meter");
            let payload = format!("{tenant} {round}");
            let reached = broker.publish(&topic, payload.clone().into_bytes()).await.unwrap();
            assert_eq!(reached, 1, "{topic}");
            assert_eq!(event(events).await, received(&topic, &payload));
            publish(session, round, &format!("{tenant}/SiteWhere/input/json"), "own").await;
            acknowledged(events, round).await;
        }
    }
    // An identifier names the same echo topic in each tenant, and only there.
    for (tenant, (session, events)) in &mut clients {
        publish(session, 10, &format!("{tenant}/echo/meter"), "echo").await;
        acknowledged(events, 10).await;
        publish(session, 11, "default/SiteWhere/commands/meter", "forged").await;
        acknowledged(events, 11).await;
    }
    let senders = platform.look(|seen| {
        seen.arrivals.iter().map(|arrival| arrival.sender.clone()).collect::<Vec<_>>()
    });
    assert_eq!(senders, ["meter"; 6]);
    let forged: Refused =
        (RefusalReason::TopicNotAllowed, "meter".into(), "default/SiteWhere/commands/meter".into());
    assert_eq!(platform.look(|seen| seen.refusals.clone()), [forged.clone(), forged]);
    let counters = broker.counters();
    assert_eq!((counters.connected, counters.disconnected), (2, 0));
    assert_eq!(counters.publications_echoed, 2);
    broker.stop().await;
}

#[tokio::test]
async fn two_credentials_of_a_tenant_with_one_identifier_each_get_every_message() {
    let (broker, platform) = start().await;
    let shared = of("default", &broker, "meter");
    let username = "default/app/viewer".to_owned();
    let (_device, mut device) = open(shared.clone()).await;
    let (viewer, mut viewing) = open(SessionOptions { username, ..shared }).await;
    let topic = "default/SiteWhere/commands/meter";
    for payload in ["one", "two"] {
        assert_eq!(broker.publish(topic, payload.into()).await.unwrap(), 2);
        assert_eq!(event(&mut device).await, received(topic, payload));
        assert_eq!(event(&mut viewing).await, received(topic, payload));
    }
    // Its topics are its tenant's.
    publish(&viewer, 1, INPUT, "seen").await;
    acknowledged(&mut viewing, 1).await;
    assert_eq!(platform.look(|seen| seen.arrivals[0].sender.clone()), "meter");
    // One of them goes, and the other one's subscription stays.
    viewer.close().await;
    until("the viewer to be gone", || broker.counters().disconnected == 1).await;
    assert_eq!(broker.publish(topic, "three".into()).await.unwrap(), 1);
    assert_eq!(event(&mut device).await, received(topic, "three"));
    let cut = broker.cut(&TenantName::default()).await;
    assert_eq!(cut, CutLinks { cut: 1, left: 0 });
    broker.stop().await;
}

/// MQTT 5 section 3.14.2.1: 0x8E, session taken over, of DISCONNECT (0xe0).
#[tokio::test]
async fn a_client_ends_the_connection_of_its_own_user_name_only() {
    let (broker, _platform) = start().await;
    for level in [4, 5] {
        let (_first, mut events) = open(of("other", &broker, "meter")).await;
        let (mut first, answer) = ask(&broker, "default", "meter", level).await;
        assert_eq!(answer[1], 0, "accepted");
        let (_second, answer) = ask(&broker, "default", "meter", level).await;
        assert_eq!(answer[1], 0, "accepted");
        let words = last_words(&mut first).await;
        match level {
            4 => assert_eq!(words, b""),
            _ => assert_eq!((words[0], words[2]), (0xe0, 0x8e)),
        }
        let topic = "other/SiteWhere/commands/meter";
        assert_eq!(broker.publish(topic, b"still there".to_vec()).await.unwrap(), 1);
        assert_eq!(event(&mut events).await, received(topic, "still there"));
    }
    broker.stop().await;
}

/// MQTT 5 section 3.2.2.3.7: property 0x12 of CONNACK.
fn assigned(answer: &[u8]) -> Option<String> {
    let at = answer.windows(3).position(|bytes| bytes == [0x12, 0, 32])?;
    Some(text(&answer[at + 3..at + 35]))
}

#[tokio::test]
async fn a_client_without_an_identifier_is_assigned_one_that_it_can_use() {
    let (broker, platform) = start().await;
    let (mut unnamed, answer) = ask(&broker, "default", "", 4).await;
    assert_eq!(answer, [0, 0], "accepted, with no session present");
    unnamed.write_all(&publish_packet(4, INPUT.as_bytes(), b"x")).await.unwrap();
    platform.until("the arrival", |seen| seen.arrivals.len() == 1).await;
    let name = platform.look(|seen| seen.arrivals[0].sender.clone());
    assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");

    let (mut first, answer) = ask(&broker, "default", "", 5).await;
    let name = assigned(&answer).expect("an assigned identifier");
    assert!(name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    let echo = publish_packet(5, format!("default/echo/{name}").as_bytes(), b"x");
    first.write_all(&echo).await.unwrap();
    let mut puback = [0; 4];
    soon("PUBACK", first.read_exact(&mut puback)).await.unwrap();
    assert_eq!(puback[0], 0x40);
    assert_eq!(broker.counters().publications_echoed, 1);
    let (_another, answer) = ask(&broker, "default", "", 5).await;
    assert_ne!(assigned(&answer), Some(name.clone()));
    let (_other, answer) = ask(&broker, "other", &name, 5).await;
    assert_eq!((answer[1], assigned(&answer)), (0, None));
    assert_eq!(broker.counters().disconnected, 0);
    // It is the client's name now: who connects with it takes the session over.
    let (_again, answer) = ask(&broker, "default", &name, 5).await;
    assert_eq!((answer[1], assigned(&answer)), (0, None));
    let words = last_words(&mut first).await;
    let disconnect = words.iter().position(|&byte| byte == 0xe0).expect("DISCONNECT");
    assert_eq!(words[disconnect + 2], 0x8e);
    broker.stop().await;
}

/// MQTT 3.1.1 section 3.2.2.3: 2, identifier rejected; MQTT 5 section 3.2.2.2: 0x85.
#[tokio::test]
async fn the_bound_on_identifiers_counts_what_the_client_sends() {
    let (broker, _platform) = start().await;
    for (level, refused) in [(4, 2), (5, 0x85)] {
        for (length, expected) in [(CLIENT_ID_LIMIT_BYTES, 0), (CLIENT_ID_LIMIT_BYTES + 1, refused)]
        {
            let (_stream, answer) = ask(&broker, "default", &"x".repeat(length), level).await;
            assert_eq!(answer[1], expected, "{length} bytes, level {level}");
        }
        for identifier in ["default\u{1f}meter", "\u{1f}", "a\u{85}"] {
            let (_stream, answer) = ask(&broker, "other", identifier, level).await;
            assert_eq!(answer[1], refused, "{identifier:?}, level {level}");
        }
    }
    assert_eq!(broker.counters().client_ids_refused, 6);
    broker.stop().await;
}

#[tokio::test]
async fn cutting_a_tenant_ends_all_its_connections_and_no_other() {
    let (broker, platform) = start().await;
    let name = |tenant| TenantName::new(tenant).unwrap();
    let (_kept, mut kept) = open(of("default", &broker, "meter")).await;
    let mut streams = Vec::new();
    for (index, level) in [4, 5, 4, 5].into_iter().enumerate() {
        let (stream, answer) = ask(&broker, "other", &format!("meter-{index}"), level).await;
        assert_eq!(answer[1], 0);
        streams.push(stream);
    }
    // Who is of no tenant yet is not cut either: its first byte is all that came.
    let mut unknown = tokio::net::TcpStream::connect(broker.address()).await.unwrap();
    unknown.write_all(&[0x10]).await.unwrap();
    assert_eq!(broker.cut(&name("nobody")).await, CutLinks { cut: 0, left: 0 });
    let cut = soon("the cut", broker.cut(&name("other"))).await;
    assert_eq!(cut, CutLinks { cut: 4, left: 0 });
    for stream in &mut streams {
        last_words(stream).await;
    }
    assert_eq!(broker.cut(&name("other")).await, CutLinks { cut: 0, left: 0 });
    let topic = "default/SiteWhere/commands/meter";
    assert_eq!(broker.publish(topic, b"x".to_vec()).await.unwrap(), 1);
    assert_eq!(event(&mut kept).await, received(topic, "x"));
    // Whom the port lets in comes back.
    let (again, mut events) = open(of("other", &broker, "meter-0")).await;
    publish(&again, 1, "other/SiteWhere/input/json", "back").await;
    acknowledged(&mut events, 1).await;
    assert_eq!(platform.payloads(), ["back"]);
    broker.stop().await;
}

#[tokio::test]
async fn a_connection_that_the_platform_holds_up_is_left_when_the_cut_ends() {
    let (broker, platform) = start().await;
    let (mut held, _) = ask(&broker, "other", "meter", 4).await;
    held.write_all(&publish_packet(4, b"other/SiteWhere/input/json", b"hold")).await.unwrap();
    platform.until("the held arrival", |seen| seen.arrivals.len() == 1).await;
    let other = TenantName::new("other").unwrap();
    let cut = broker.links.cut(&other, Duration::from_millis(50)).await;
    assert_eq!(cut, CutLinks { cut: 1, left: 1 });
    last_words(&mut held).await;
    platform.gate.add_permits(1);
    until("the connection to be put down", || broker.counters().disconnected == 1).await;
    broker.stop().await;
}

/// The right is asked for again before each delivery, not only at SUBSCRIBE.
#[tokio::test]
async fn who_has_lost_its_right_is_given_nothing_more() {
    let (broker, platform) = start().await;
    let shared =
        SessionOptions { password: "devices".to_owned(), ..of("default", &broker, "meter") };
    let (_device, mut device) = open(shared).await;
    let username = "default/app/viewer".to_owned();
    let (_bench, mut bench) =
        open(SessionOptions { username, ..of("default", &broker, "meter") }).await;
    let topic = "default/SiteWhere/commands/meter";
    assert_eq!(broker.publish(topic, "one".into()).await.unwrap(), 2);
    assert_eq!(event(&mut device).await, received(topic, "one"));
    assert_eq!(event(&mut bench).await, received(topic, "one"));
    platform.note(|seen| seen.without_rights.push(PrincipalRef::SharedDevices));
    assert_eq!(broker.publish(topic, "two".into()).await.unwrap(), 2);
    assert_eq!(event(&mut bench).await, received(topic, "two"));
    until("the delivery to be dropped", || broker.counters().deliveries_dropped == 1).await;
    // It has its right again: nothing of what came in between comes late.
    platform.note(|seen| seen.without_rights.clear());
    broker.publish(topic, "three".into()).await.unwrap();
    assert_eq!(event(&mut device).await, received(topic, "three"));
    broker.stop().await;
}

#[tokio::test]
async fn one_principal_has_so_many_connections_and_leaves_the_others_to_others() {
    let (broker, _platform) = start().await;
    let viewer = |index: usize| SessionOptions {
        username: "default/app/viewer".to_owned(),
        password: "own".to_owned(),
        subscriptions: Vec::new(),
        ..options(&broker, &format!("viewer-{index}"))
    };
    let mut sessions = Vec::new();
    for index in 0..16 {
        sessions.push(open(viewer(index)).await);
    }
    let (_refused, mut events) = Session::open(viewer(16));
    disconnected(&mut events).await;
    // Those who share a secret are not one principal.
    let mut devices = Vec::new();
    for index in 0..17 {
        let name = format!("meter-{index}");
        let password = "devices".to_owned();
        devices.push(open(SessionOptions { password, ..of("default", &broker, &name) }).await);
    }
    let (gone, _) = sessions.pop().unwrap();
    gone.close().await;
    until("one to be gone", || broker.counters().disconnected == 1).await;
    let (_session, mut events) = Session::open(viewer(17));
    reconnected_after_refusal(&mut events).await;
    broker.stop().await;
}

/// Waits for a connection that the place of another one has to become free for.
async fn reconnected_after_refusal(events: &mut SessionEvents) {
    while event(events).await != SessionEvent::Connected {}
}
