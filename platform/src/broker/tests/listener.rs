//! Connections that never authenticate, that claim a wrong name, or that come where there is no
//! room.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::gate::{GuessLimits, RejectReason};

/// A broker with little patience.
async fn start_with(change: impl FnOnce(&mut BrokerConfig)) -> (Broker, Arc<Gate>) {
    let mut config = config();
    config.limits =
        ConnectLimits { first_byte: millis(300), connect: millis(900), ..config.limits };
    change(&mut config);
    let gate = Arc::clone(&config.gate);
    (Broker::start(config, Platform::new()).await.unwrap(), gate)
}

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

async fn silent(broker: &Broker) -> TcpStream {
    TcpStream::connect(broker.address()).await.unwrap()
}

/// Whether the other side has closed the connection; waits for it.
async fn is_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = soon("the connection to be closed", stream.read_to_end(&mut rest)).await;
    rest
}

/// An honest client gets through.
async fn honest_client_is_served(broker: &Broker, name: &str) {
    let (session, mut events) = open(options(broker, name)).await;
    publish(&session, 1, INPUT, "store").await;
    acknowledged(&mut events, 1).await;
    session.close().await;
}

#[tokio::test]
async fn who_never_speaks_and_who_never_finishes_is_closed_and_counted() {
    let (broker, gate) = start_with(|_| {}).await;
    let nothing = silent(&broker).await;
    let mut half = silent(&broker).await;
    half.write_all(&[0x10, 40, 0, 4, b'M', b'Q']).await.unwrap();
    let mut web = silent(&broker).await;
    web.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut large = silent(&broker).await;
    // A CONNECT of 16 385 bytes: 0x81 0x80 0x01.
    large.write_all(&[0x10, 0x81, 0x80, 0x01]).await.unwrap();
    for stream in [nothing, half, web, large] {
        assert_eq!(is_closed(stream).await, b"");
    }
    let gone = silent(&broker).await;
    drop(gone);
    for reason in [
        RejectReason::Silent,
        RejectReason::Slow,
        RejectReason::NotMqtt,
        RejectReason::TooLarge,
        RejectReason::GaveUp,
    ] {
        until(reason.word(), || gate.tally.count(Listener::Mqtt, reason) == 1).await;
    }
    honest_client_is_served(&broker, "meter").await;
    broker.stop().await;
}

#[tokio::test]
async fn silent_connections_give_way_to_honest_ones() {
    let (broker, gate) = start_with(|config| {
        config.limits.first_byte = LIMIT;
        config.connections = 8;
    })
    .await;
    let (authenticated, mut events) = open(options(&broker, "member")).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(silent(&broker).await);
    }
    honest_client_is_served(&broker, "meter").await;
    // Seven slots were theirs; thirteen and the honest one came beyond that.
    assert!(gate.tally.count(Listener::Mqtt, RejectReason::CrowdedOut) >= 14);
    // The authenticated client kept its slot.
    publish(&authenticated, 1, INPUT, "store").await;
    acknowledged(&mut events, 1).await;
    broker.stop().await;
}

#[tokio::test]
async fn newcomers_are_rejected_and_nobody_is_cut_where_every_slot_is_authenticated() {
    let (broker, gate) = start_with(|config| config.connections = 3).await;
    let mut connected = Vec::new();
    for client in 0..3 {
        connected.push(open(options(&broker, &format!("meter-{client}"))).await);
    }
    assert_eq!(is_closed(silent(&broker).await).await, b"");
    until("the count", || gate.tally.count(Listener::Mqtt, RejectReason::Full) == 1).await;
    for (session, events) in &mut connected {
        publish(session, 1, INPUT, "store").await;
        acknowledged(events, 1).await;
    }
    let (session, _events) = connected.pop().unwrap();
    session.close().await;
    // Its slot is free once the broker has noticed.
    let (_session, mut events) = Session::open(options(&broker, "another"));
    while event(&mut events).await != SessionEvent::Connected {}
    broker.stop().await;
}

/// CONNECT of MQTT 3.1.1 or 5 with a password, keep-alive 60 s.
fn connect_packet(level: u8, client: &str, password: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 0xc2, 0, 60];
    if level == 5 {
        body.push(0);
    }
    for text in [client, "default", password] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    let mut packet = vec![0x10, body.len() as u8];
    packet.extend(body);
    packet
}

async fn answer_to(broker: &Broker, packet: &[u8]) -> Vec<u8> {
    let mut stream = silent(broker).await;
    stream.write_all(packet).await.unwrap();
    is_closed(stream).await
}

#[tokio::test]
async fn a_client_identifier_with_control_characters_is_no_identifier() {
    let (broker, _gate) = start_with(|_| {}).await;
    let mut counted = 0;
    for client in ["\0", "meter\0", "me\nter", "\u{7f}", "meter\u{85}", "\u{1b}[31m"] {
        // MQTT 3.1.1 section 3.2.2.3: 2; MQTT 5 section 3.2.2.2: 0x85.
        let answer = answer_to(&broker, &connect_packet(4, client, "token")).await;
        assert_eq!(answer, [0x20, 2, 0, 2], "{client:?}");
        let answer = answer_to(&broker, &connect_packet(5, client, "token")).await;
        assert_eq!((answer[0], answer[3]), (0x20, 0x85), "{client:?}");
        counted += 2;
        assert_eq!(broker.counters().client_ids_refused, counted);
    }
    assert_eq!(broker.counters().connected, 0);
    honest_client_is_served(&broker, "Zähler 7").await;
    broker.stop().await;
}

#[tokio::test]
async fn wrong_passwords_are_answered_ever_later_and_the_right_one_at_once() {
    let (broker, gate) = start_with(|config| {
        let limits = GuessLimits { burst: 3, per_minute: 60, wait: millis(4000) };
        config.gate = Arc::new(Gate::new(limits));
    })
    .await;
    let wrong = connect_packet(4, "guesser", "guess");
    let begun = tokio::time::Instant::now();
    let guess = || async { assert_eq!(answer_to(&broker, &wrong).await, [0x20, 2, 0, 4]) };
    for _ in 0..3 {
        guess().await;
    }
    let at_once = begun.elapsed();
    guess().await;
    guess().await;
    // One second for the fourth, nearly one for the fifth: what time has passed is forgiven.
    assert!(begun.elapsed() >= at_once + millis(1500), "{:?}", begun.elapsed());
    // Twenty at once: all of them wait for their answer, and an honest client for nothing.
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (address, wrong) = (broker.address(), wrong.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(&wrong).await.unwrap();
                is_closed(stream).await
            })
        })
        .collect();
    until("the guesses", || gate.tally.wrong_secrets(Listener::Mqtt) == 25).await;
    honest_client_is_served(&broker, "meter").await;
    let waiting = many.iter().filter(|guess| !guess.is_finished()).count();
    assert!(waiting >= 10, "{waiting} of them waited longer");
    for guess in many {
        assert_eq!(guess.await.unwrap(), [0x20, 2, 0, 4]);
    }
    assert_eq!(broker.counters().not_authenticated, 25);
    broker.stop().await;
}

#[tokio::test]
async fn a_connection_ends_with_its_clients_disconnect() {
    let (broker, _gate) = start_with(|_| {}).await;
    for level in [4, 5] {
        let mut stream = silent(&broker).await;
        // Names of their own: whoever comes back at once may find its last session not over yet.
        let name = format!("meter-{level}");
        stream.write_all(&connect_packet(level, &name, "token")).await.unwrap();
        let mut head = [0; 2];
        soon("CONNACK", stream.read_exact(&mut head)).await.unwrap();
        let mut rest = vec![0; usize::from(head[1])];
        soon("CONNACK", stream.read_exact(&mut rest)).await.unwrap();
        assert_eq!(rest[1], 0);
        stream.write_all(&[0xe0, 0]).await.unwrap();
        // It leaves its end open; the broker does not (section 3.14.4).
        is_closed(stream).await;
    }
    until("both to be gone", || broker.counters().disconnected == 2).await;
    broker.stop().await;
}
