//! TCP both ways and UDP, with another party on plain sockets.

use std::time::Duration;

use lastmeter_link::channel::{Channel, ChannelError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::{event, every_byte, expect_down, expect_up, open, receive, within};

/// Bytes there and back.
async fn echo(channel: &mut Channel, peer: &mut TcpStream) {
    let sent = every_byte();
    channel.send(&sent).await.unwrap();
    let mut got = vec![0; sent.len()];
    within(peer.read_exact(&mut got)).await.unwrap();
    assert_eq!(got, sent);
    peer.write_all(&sent).await.unwrap();
    assert_eq!(receive(channel, sent.len()).await, sent);
}

#[tokio::test]
async fn a_client_connects_again_after_each_loss() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut channel = open(&format!("tcp:{at}")).await;
    assert_eq!(channel.place(), format!("tcp {at}"));
    for _ in 0..2 {
        let (mut peer, _) = within(listener.accept()).await.unwrap();
        expect_up(&mut channel).await;
        echo(&mut channel, &mut peer).await;
        drop(peer);
        assert_eq!(expect_down(&mut channel).await, "closed by the other party");
        let down = ChannelError::Down { place: format!("tcp {at}") };
        assert_eq!(channel.send(&[1]).await, Err(down));
    }
}

#[tokio::test]
async fn a_client_waits_for_a_party_that_comes_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let mut channel = open(&format!("tcp:{at}")).await;
    assert!(expect_down(&mut channel).await.contains("refused"));
    let listener = TcpListener::bind(at).await.unwrap();
    let (mut peer, _) = within(listener.accept()).await.unwrap();
    expect_up(&mut channel).await;
    echo(&mut channel, &mut peer).await;
}

#[tokio::test]
async fn a_listener_serves_one_party_and_counts_the_others() {
    let mut channel = open("tcp-listen:127.0.0.1:0").await;
    let at = channel.place().strip_prefix("tcp-listen ").unwrap().to_owned();
    assert!(matches!(channel.send(&[1]).await, Err(ChannelError::Down { .. })));
    for round in 1..=2 {
        let mut peer = TcpStream::connect(&at).await.unwrap();
        expect_up(&mut channel).await;
        let mut second = TcpStream::connect(&at).await.unwrap();
        // Closed without a byte.
        assert_eq!(within(second.read(&mut [0])).await.unwrap_or(0), 0);
        assert_eq!(channel.rejected(), round);
        echo(&mut channel, &mut peer).await;
        drop(peer);
        expect_down(&mut channel).await;
    }
}

#[tokio::test]
async fn who_does_not_take_events_is_not_read_for_and_loses_nothing() {
    let mut channel = open("tcp-listen:127.0.0.1:0").await;
    let at = channel.place().strip_prefix("tcp-listen ").unwrap().to_owned();
    let mut peer = TcpStream::connect(at).await.unwrap();
    expect_up(&mut channel).await;
    let sent: Vec<u8> = (0..=250).cycle().take(30_000_000).collect();
    let all = sent.clone();
    let writer = tokio::spawn(async move { peer.write_all(&all).await.map(|()| peer) });
    // Sending works although nobody takes what arrives.
    channel.send(&[1]).await.unwrap();
    assert!(!writer.is_finished());
    assert_eq!(receive(&mut channel, sent.len()).await, sent);
    within(writer).await.unwrap().unwrap();
}

#[tokio::test]
async fn datagrams_arrive_as_they_were_sent() {
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut channel = open(&format!("udp:{}", peer.local_addr().unwrap())).await;
    expect_up(&mut channel).await;
    channel.send(&every_byte()).await.unwrap();
    let mut buffer = [0; 2000];
    let (count, from) = within(peer.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(buffer[..count], every_byte());
    peer.send_to(&[], from).await.unwrap();
    for bytes in [&[1, 2, 3][..], &[4]] {
        peer.send_to(bytes, from).await.unwrap();
        assert_eq!(receive(&mut channel, 1).await, bytes);
    }
    // Linux reports the ICMP answer that nobody is there any more with the next call.
    drop(peer);
    channel.send(&[5]).await.unwrap();
    assert!(expect_down(&mut channel).await.contains("refused"));
    expect_up(&mut channel).await;
    drop(channel);
}

#[tokio::test]
async fn one_party_is_served_at_a_port_and_another_one_once_it_is_silent() {
    let mut channel = open("udp-listen:127.0.0.1:0").await;
    let at = channel.place().rsplit(' ').next().unwrap().to_owned();
    let (first, second) = (UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0"));
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert!(channel.send(&[9]).await.is_err(), "nobody is known yet");
    first.send_to(&[1, 2], &at).await.unwrap();
    expect_up(&mut channel).await;
    assert_eq!(receive(&mut channel, 1).await, [1, 2]);
    let mut buffer = [0; 10];
    // The second one is refused, and what is sent goes to the first.
    for byte in [3, 4] {
        second.send_to(&[99], &at).await.unwrap();
        first.send_to(&[byte], &at).await.unwrap();
        assert_eq!(receive(&mut channel, 1).await, [byte]);
        channel.send(&[byte + 10]).await.unwrap();
        assert_eq!(within(first.recv(&mut buffer)).await.unwrap(), 1);
        assert_eq!(buffer[0], byte + 10);
    }
    assert_eq!(channel.datagrams().refused(), 2);
    let never = std::future::pending::<()>();
    let _ = tokio::time::timeout(Duration::from_millis(2100), never).await;
    second.send_to(&[5, 6], &at).await.unwrap();
    assert!(expect_down(&mut channel).await.contains("is silent, and"));
    expect_up(&mut channel).await;
    assert_eq!(receive(&mut channel, 1).await, [5, 6]);
    channel.send(&[7]).await.unwrap();
    assert_eq!(within(second.recv(&mut buffer)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_channel_that_is_dropped_closes_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut channel = open(&format!("tcp:{}", listener.local_addr().unwrap())).await;
    let (mut peer, _) = within(listener.accept()).await.unwrap();
    assert_eq!(event(&mut channel).await, lastmeter_link::channel::ChannelEvent::Up);
    drop(channel);
    assert_eq!(within(peer.read(&mut [0])).await.unwrap(), 0);
}

/// Where nobody takes what arrived nothing more is read, so that the kernel runs out of room.
#[tokio::test]
async fn datagrams_that_the_kernel_loses_are_counted() {
    let mut channel = open("udp-listen:127.0.0.1:0").await;
    let at = channel.place().rsplit(' ').next().unwrap().to_owned();
    let counts = channel.datagrams().clone();
    assert!(counts.buffer_bytes().unwrap() > 100_000, "{counts:?}");
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(&[1], &at).await.unwrap();
    expect_up(&mut channel).await;
    let (datagram, sent) = (vec![7; 60_000], 1000);
    for _ in 1..sent {
        peer.send_to(&datagram, &at).await.unwrap();
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    within(async {
        while counts.lost() == 0 {
            ticks.tick().await;
        }
    })
    .await;
    // What was not lost is there, and nothing more is lost.
    let lost = counts.lost();
    assert!(lost > 0 && lost < sent, "{lost}");
    let mut received = receive(&mut channel, 1).await.len();
    received +=
        receive(&mut channel, 60_000 * usize::try_from(sent - 1 - lost).unwrap()).await.len();
    assert_eq!(received, 1 + 60_000 * usize::try_from(sent - 1 - lost).unwrap());
    assert_eq!(counts.lost(), lost);
}
