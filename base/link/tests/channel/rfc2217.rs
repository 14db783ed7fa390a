//! A serial line at a server of RFC 2217, with a server of its own: bytes from and to the network
//! as they are, typed in from the RFCs.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use lastmeter_link::channel::{Channel, ChannelError};

use super::{every_byte, expect_down, expect_up, open, receive, within};

/// The client offers binary transmission and COM-PORT-OPTION, and asks for binary transmission.
const BEGIN: &[u8] = b"\xff\xfb\x00\xff\xfb\x2c\xff\xfd\x00";
/// The server agrees to both, offers its own COM-PORT-OPTION and an echo.
const AGREE: &[u8] = b"\xff\xfb\x01\xff\xfb\x2c\xff\xfd\x00\xff\xfb\x00\xff\xfd\x2c";
/// No echo; 2400 baud, 8 data bits, even parity, 1 stop bit; purge both buffers.
const SET: &[u8] = b"\xff\xfe\x01\xff\xfd\x2c\
    \xff\xfa\x2c\x01\x00\x00\x09\x60\xff\xf0\xff\xfa\x2c\x02\x08\xff\xf0\
    \xff\xfa\x2c\x03\x03\xff\xf0\xff\xfa\x2c\x04\x01\xff\xf0\xff\xfa\x2c\x0c\x03\xff\xf0";
const CONFIRM_LAST: &[u8] = b"\xff\xfa\x2c\x66\x08\xff\xf0\xff\xfa\x2c\x67\x03\xff\xf0\
    \xff\xfa\x2c\x68\x01\xff\xf0\xff\xfa\x2c\x70\x03\xff\xf0\xff\xfa\x2c\x6b\xb0\xff\xf0";

/// A server's answer that a baud rate is set.
fn confirm_baud(baud: u32) -> Vec<u8> {
    [&b"\xff\xfa\x2c\x65"[..], &escaped(&baud.to_be_bytes()), b"\xff\xf0"].concat()
}

fn escaped(bytes: &[u8]) -> Vec<u8> {
    let each = |&byte: &u8| std::iter::repeat_n(byte, if byte == 255 { 2 } else { 1 });
    bytes.iter().flat_map(each).collect()
}

/// The client sends exactly this.
async fn expect(peer: &mut TcpStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    within(peer.read_exact(&mut got)).await.unwrap();
    assert_eq!(got, expected);
}

async fn listening() -> (TcpListener, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = open(&format!("rfc2217:{}", listener.local_addr().unwrap())).await;
    (listener, channel)
}

/// A client that connects, up to where the baud rate is to be confirmed.
async fn asked(listener: &TcpListener) -> TcpStream {
    let (mut peer, _) = within(listener.accept()).await.unwrap();
    expect(&mut peer, BEGIN).await;
    // What the line sends before it is set is not handed over.
    peer.write_all(&[b"noise", AGREE].concat()).await.unwrap();
    expect(&mut peer, SET).await;
    peer
}

#[tokio::test]
async fn the_line_is_set_at_each_connection_and_carries_every_byte() {
    let (listener, mut channel) = listening().await;
    assert_eq!(channel.place(), format!("rfc2217 {}", listener.local_addr().unwrap()));
    let sent = every_byte();
    for _ in 0..2 {
        let mut peer = asked(&listener).await;
        assert!(matches!(channel.send(&[1]).await, Err(ChannelError::Down { .. })));
        // The first bytes of the line come together with the last answer.
        let last = [&confirm_baud(2400), CONFIRM_LAST, &escaped(&sent)].concat();
        peer.write_all(&last).await.unwrap();
        expect_up(&mut channel).await;
        assert_eq!(receive(&mut channel, sent.len()).await, sent);
        channel.send(&sent).await.unwrap();
        expect(&mut peer, &escaped(&sent)).await;
        // Byte by byte, between a command and its end.
        for byte in [&b"a\xff\xfd\x18\xff\xff"[..], b"b\xff\xf1c"].concat() {
            peer.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(receive(&mut channel, 4).await, b"a\xffbc");
        expect(&mut peer, b"\xff\xfc\x18").await;
        drop(peer);
        assert_eq!(expect_down(&mut channel).await, "closed by the other party");
    }
}

#[tokio::test]
async fn more_than_the_kernel_takes_at_once_is_carried() {
    let (listener, mut channel) = listening().await;
    let mut peer = asked(&listener).await;
    peer.write_all(&[&confirm_baud(2400), CONFIRM_LAST].concat()).await.unwrap();
    expect_up(&mut channel).await;
    let sent: Vec<u8> = (0..=255).rev().cycle().take(8_000_000).collect();
    let expected = escaped(&sent);
    let reader = tokio::spawn(async move {
        expect(&mut peer, &expected).await;
        peer
    });
    channel.send(&sent).await.unwrap();
    within(reader).await.unwrap();
}

#[tokio::test]
async fn a_baud_rate_is_set_behind_what_was_sent_and_another_one_ends_the_connection() {
    let (listener, mut channel) = listening().await;
    let mut peer = asked(&listener).await;
    peer.write_all(&[&confirm_baud(2400), CONFIRM_LAST].concat()).await.unwrap();
    expect_up(&mut channel).await;
    channel.send(b"before").await.unwrap();
    channel.set_baud(65_280).await;
    channel.send(b"behind").await.unwrap();
    expect(&mut peer, b"before\xff\xfa\x2c\x01\x00\x00\xff\xff\x00\xff\xf0behind").await;
    peer.write_all(&[&confirm_baud(65_280)[..], b"x"].concat()).await.unwrap();
    assert_eq!(receive(&mut channel, 1).await, b"x");
    channel.set_baud(9600).await;
    expect(&mut peer, b"\xff\xfa\x2c\x01\x00\x00\x25\x80\xff\xf0").await;
    peer.write_all(&confirm_baud(65_280)).await.unwrap();
    let reason = expect_down(&mut channel).await;
    assert!(reason.contains("set the baud rate 65280 where 9600 was asked for"), "{reason}");
    // The next connection asks for it again.
    drop(peer);
    let (mut peer, _) = within(listener.accept()).await.unwrap();
    expect(&mut peer, BEGIN).await;
    peer.write_all(b"\xff\xfd\x2c").await.unwrap();
    expect(&mut peer, b"\xff\xfa\x2c\x01\x00\x00\x25\x80\xff\xf0").await;
}

#[tokio::test]
async fn a_server_that_sets_something_else_or_has_no_option_is_reported() {
    let (listener, mut channel) = listening().await;
    let mut peer = asked(&listener).await;
    peer.write_all(&confirm_baud(1200)).await.unwrap();
    let reason = expect_down(&mut channel).await;
    assert!(reason.contains("set the baud rate 1200 where 2400 was asked for"), "{reason}");
    let (mut peer, _) = within(listener.accept()).await.unwrap();
    peer.write_all(b"\xff\xfe\x2c").await.unwrap();
    let reason = expect_down(&mut channel).await;
    assert!(reason.ends_with("use tcp: instead"), "{reason}");
    let (mut peer, _) = within(listener.accept()).await.unwrap();
    expect(&mut peer, BEGIN).await;
    peer.shutdown().await.unwrap();
    let reason = expect_down(&mut channel).await;
    assert!(reason.starts_with("the server closed before its agreement to COM"), "{reason}");
    // A port that carries bytes and nothing else.
    let (mut peer, _) = within(listener.accept()).await.unwrap();
    peer.write_all(b"U=230.1V I=5.0A\r\n").await.unwrap();
    let reason = expect_down(&mut channel).await;
    assert!(reason.starts_with("within 3 s the server sent no agreement to COM"), "{reason}");
    assert!(reason.ends_with("use tcp: instead"), "{reason}");
}
