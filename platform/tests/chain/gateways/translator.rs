//! A gateway behind an address translator that lets nothing in and changes its outer address:
//! sessions resume, and each numbered packet is taken once, also what was lost on either way.

use std::net::{Ipv4Addr, SocketAddr};

use lastmeter_platform::ClockSource;
use lastmeter_zigbee::payload::Content;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};

use super::gateway::{GATEWAY, Gateway, door, entry, power, register, rest, scale, start};
use super::{PLUG, PLUG_ID, readings, refusals};

/// Packets of a stretch.
const PACKETS: i16 = 20;

/// What a translator loses before its outer address changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Nothing,
    /// What the gateway sends.
    Up,
    /// What the platform sends.
    Down,
}

/// An address translator: the gateway dials its inner address, the platform sees the outer one,
/// which is 127.0.0.n. Nothing listens there.
struct Translator {
    inner: SocketAddr,
    state: watch::Sender<(u8, Lost)>,
    /// The outer ends of connections, as they were made.
    made: mpsc::UnboundedReceiver<SocketAddr>,
}

impl Translator {
    async fn open(platform: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = listener.local_addr().unwrap();
        let (state, known) = watch::channel((2, Lost::Nothing));
        let (to, made) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((gateway, _)) = listener.accept().await {
                tokio::spawn(translate(gateway, platform, known.clone(), to.clone()));
            }
        });
        Self { inner, state, made }
    }

    /// The next connection comes from the outer address, at which nobody can be reached.
    async fn comes_from_outside(&mut self) {
        let outer = self.made.recv().await.unwrap();
        let address = Ipv4Addr::new(127, 0, 0, self.state.borrow().0);
        assert_eq!(outer.ip(), address);
        let refused = TcpStream::connect(outer).await;
        assert!(refused.is_err(), "the translator lets somebody in");
    }

    fn lose(&self, lost: Lost) {
        self.state.send_modify(|state| state.1 = lost);
    }

    /// Another outer address: what was connected by the one before is cut.
    fn change(&self) {
        self.state.send_modify(|state| *state = (state.0 + 1, Lost::Nothing));
    }
}

/// Carries a connection of the gateway until either end is gone or the outer address changes.
async fn translate(
    mut gateway: TcpStream,
    platform: SocketAddr,
    mut known: watch::Receiver<(u8, Lost)>,
    made: mpsc::UnboundedSender<SocketAddr>,
) {
    let address = known.borrow_and_update().0;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, address), 0).into()).unwrap();
    let mut outer = socket.connect(platform).await.unwrap();
    let _ = made.send(outer.local_addr().unwrap());
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        let (at, lost) = *known.borrow_and_update();
        if at != address {
            return;
        }
        let is_carried = tokio::select! {
            biased;
            changed = known.changed() => changed.is_ok(),
            read = gateway.read(&mut up) => match read {
                Ok(count @ 1..) if lost != Lost::Up => outer.write_all(&up[..count]).await.is_ok(),
                read => matches!(read, Ok(1..)),
            },
            read = outer.read(&mut down) => match read {
                Ok(count @ 1..) if lost != Lost::Down => {
                    gateway.write_all(&down[..count]).await.is_ok()
                }
                read => matches!(read, Ok(1..)),
            },
        };
        if !is_carried {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_resumes_behind_a_translator_whose_outer_address_changes() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let mut translator = Translator::open(door(&platform)).await;
    let mut gateway = Gateway::home(translator.inner, &key).await;
    translator.comes_from_outside().await;
    gateway.put(&Content::NodeTable(vec![entry(PLUG, 10)]));
    gateway.relay(&scale(PLUG, 10));
    let mut sent = 0;
    let mut measure = |gateway: &mut Gateway| {
        for _ in 0..PACKETS {
            sent += 1;
            gateway.relay(&power(PLUG, 10, sent));
        }
        sent
    };
    // Before the first change all of it arrives and is acknowledged.
    measure(&mut gateway);
    gateway.deliver().await;
    // Then what the platform acknowledges is lost, what the gateway sends is lost, and whatever is
    // on its way as the address changes.
    for lost in [Lost::Down, Lost::Up, Lost::Nothing, Lost::Down, Lost::Up, Lost::Nothing] {
        translator.lose(lost);
        let count = measure(&mut gateway);
        gateway.send().await;
        if lost == Lost::Down {
            let arrived = readings(&platform, PLUG_ID, count as usize).await.len();
            assert_eq!(arrived, count as usize);
        }
        translator.change();
        // The gateway sees its connection end, with what was not acknowledged in its outbox.
        gateway.until(|_| false).await;
        assert!(lost == Lost::Nothing || !gateway.outbox.is_empty(), "nothing was lost");
        let as_whom = (GATEWAY, "Home", &key);
        gateway = Gateway::dial(translator.inner, as_whom, gateway.outbox).await;
        assert!(gateway.end.is_open(), "rejected: {:?}", gateway.rejected);
        translator.comes_from_outside().await;
        // What was kept goes first, then what is measured from now on.
        measure(&mut gateway);
        gateway.deliver().await;
    }
    let count = measure(&mut gateway);
    gateway.deliver().await;
    assert_eq!((count, translator.state.borrow().0), (14 * PACKETS, 8));
    let found = readings(&platform, PLUG_ID, count as usize).await;
    let tenths: Vec<i16> = found.iter().map(|it| (it.2 * 1e4).round() as i16).collect();
    assert_eq!(tenths, (1..=count).collect::<Vec<_>>(), "each once, in order");
    assert!(refusals(&platform, 0).await.is_empty());
    let status = rest(&platform, "GET", "/api/v1/networks/home/status", None).await.1;
    assert_eq!((&status["missing"], &status["attempts"]), (&json!(0), &json!([])), "{status}");
    platform.shutdown().await;
}
