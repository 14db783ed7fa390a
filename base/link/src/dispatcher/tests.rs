//! The shell against a dispatcher that stands on [`PlatformEnd`], and against what is none.

use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::{Content, Down, Numbered, Up};
use lastmeter_zigbee::session::{KnownNetwork, Limits, PlatformEnd, PlatformEvent};
use tokio::net::TcpListener;

use super::*;

const NOW: SimTime = SimTime(1_800_000_000_000_000_000);
const LIMIT: Duration = Duration::from_secs(10);

fn options(address: &str, settings: GatewaySettings) -> DispatcherOptions {
    DispatcherOptions {
        address: address.to_owned(),
        settings,
        clock: Arc::new(|| NOW),
        connect_limit: LIMIT,
        back_off_longest: Duration::from_millis(200),
    }
}

fn settings() -> GatewaySettings {
    GatewaySettings::new(GatewayAddress(7), "home", NetworkKey::new([7; 16]))
}

/// One connection to a dispatcher until it ends: what came, as text.
async fn dispatch(listener: &TcpListener, cut_after: usize) -> Vec<String> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut end = PlatformEnd::new(NOW, Limits::default());
    let (mut bytes, mut to, mut came) = ([0; 1024], Vec::new(), Vec::new());
    while came.len() < cut_after {
        let count = stream.read(&mut bytes).await.unwrap_or_default();
        let (mut is_asked, mut is_open) = (false, false);
        end.receive(NOW, &bytes[..count], &mut to, |event| match event {
            PlatformEvent::Hello { .. } => is_asked = true,
            PlatformEvent::Open => is_open = true,
            PlatformEvent::Packet { up: Up::KeepAlive, .. } => {}
            other => came.push(format!("{other:?}")),
        });
        if is_asked {
            let key = NetworkKey::new([7; 16]);
            let known = KnownNetwork { name: "home", key: &key, delivered: Delivered::default() };
            if let Err(refusal) = end.answer(NOW, Ok(known), &[9; 16], &mut to) {
                came.push(refusal.to_string());
            }
        }
        if is_open {
            end.send(NOW, &Down::Restart, &mut to);
        }
        stream.write_all(&to).await.unwrap();
        to.clear();
        if count == 0 || end.has_ended() {
            break;
        }
    }
    came
}

/// The next event, but for the answer to `keep-alive`.
async fn next(events: &mut mpsc::Receiver<DispatcherEvent>) -> DispatcherEvent {
    let time = DispatcherEvent::Packet { opcode: Down::Time.opcode(), payload: Vec::new() };
    loop {
        let event = tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap();
        if event != time {
            return event;
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again_and_old_packets_stay_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (dispatcher, mut events) = Dispatcher::open(options(&address, settings()));
    let reading = |sequence| {
        let content = Content::Relay { network_type: 0, frame: b"frame" };
        let up = Up::Numbered(Numbered { epoch: 0, sequence, taken_s: 1, content });
        let mut payload = Vec::new();
        up.write(&mut payload);
        (up.opcode(), payload, format!("Packet {{ time_s: 1800000000, up: {up:?} }}"))
    };
    let gateway = async {
        for connection in 1..=2 {
            let delivered = Delivered::default();
            let connected = DispatcherEvent::Connected { connection, delivered };
            assert_eq!(next(&mut events).await, connected);
            let restart =
                DispatcherEvent::Packet { opcode: Down::Restart.opcode(), payload: vec![] };
            assert_eq!(next(&mut events).await, restart);
            if connection == 2 {
                // What is for the connection before does not go over this one.
                let (opcode, payload, _) = reading(1);
                dispatcher.send(1, opcode, payload).await.unwrap();
            }
            let (opcode, payload, _) = reading(connection as u32);
            dispatcher.send(connection, opcode, payload).await.unwrap();
            let lost = next(&mut events).await;
            assert!(
                matches!(lost, DispatcherEvent::Disconnected { refusal: None, .. }),
                "{lost:?}"
            );
        }
    };
    let platform = async {
        for connection in 1..=2 {
            assert_eq!(dispatch(&listener, 1).await, [reading(connection).2]);
        }
    };
    tokio::time::timeout(3 * LIMIT, async { tokio::join!(gateway, platform) }).await.unwrap();
}

#[tokio::test]
async fn what_is_set_up_wrong_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for (settings, refusal, words) in [
        (
            GatewaySettings { network_name: "hone".to_owned(), ..settings() },
            Refusal::WrongName,
            "has another name than `hone` for the network of the gateway 0000000000000007",
        ),
        (
            GatewaySettings { key: NetworkKey::new([8; 16]), ..settings() },
            Refusal::WrongKey,
            "has another key for the network `home`",
        ),
    ] {
        let (_dispatcher, mut events) = Dispatcher::open(options(&address, settings));
        assert_eq!(dispatch(&listener, 1).await, [refusal.to_string()]);
        let lost = next(&mut events).await;
        let DispatcherEvent::Disconnected { refusal: found, reason } = lost else {
            panic!("{lost:?}")
        };
        assert_eq!(found, Some(refusal));
        assert!(reason.contains(words), "{reason}");
    }
    // Nobody there, and somebody who is no dispatcher.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (_dispatcher, mut events) = Dispatcher::open(options(&gone, settings()));
    let lost = format!("{:?}", next(&mut events).await);
    assert!(lost.contains("no connection to the dispatcher at"), "{lost}");
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = web.local_addr().unwrap().to_string();
    let (_dispatcher, mut events) = Dispatcher::open(options(&address, settings()));
    let (mut stream, _) = web.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let lost = format!("{:?}", next(&mut events).await);
    assert!(lost.contains("does not answer as a dispatcher does"), "{lost}");
}
