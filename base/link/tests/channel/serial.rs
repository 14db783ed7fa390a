//! Pseudo-terminals and serial lines: a line that is the other side of a pseudo-terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use lastmeter_link::channel::{Channel, ChannelAddress, ChannelError, ChannelSettings};
use tokio::task::spawn_blocking;

use super::{every_byte, expect_down, expect_up, open, receive, within};

/// The name of the other side.
fn other_side(channel: &Channel) -> PathBuf {
    let name = channel.place().strip_prefix("pty ").unwrap();
    PathBuf::from(name.split(' ').next().unwrap())
}

/// Opens the other side as another program would, which the channel has set to raw mode.
fn open_side(path: &Path) -> File {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::empty()).unwrap())
}

/// Reads so many bytes; a blocking read apart from the test's own thread.
async fn read_exactly(mut side: File, count: usize) -> (File, Vec<u8>) {
    let read = spawn_blocking(move || {
        let mut bytes = vec![0; count];
        side.read_exact(&mut bytes).unwrap();
        (side, bytes)
    });
    within(read).await.unwrap()
}

#[tokio::test]
async fn a_pseudo_terminal_outlives_the_programs_that_open_it() {
    let mut channel = open("pty").await;
    let path = other_side(&channel);
    let down = ChannelError::Down { place: channel.place().to_owned() };
    assert_eq!(channel.send(&[1]).await, Err(down.clone()));
    for _ in 0..3 {
        let side = open_side(&path);
        expect_up(&mut channel).await;
        channel.send(&every_byte()).await.unwrap();
        let (mut side, bytes) = read_exactly(side, 1500).await;
        assert_eq!(bytes, every_byte());
        side.write_all(&every_byte()).unwrap();
        assert_eq!(receive(&mut channel, 1500).await, every_byte());
        // The last words of a program that ends are heard.
        side.write_all(&[7, 8]).unwrap();
        drop(side);
        assert_eq!(receive(&mut channel, 2).await, [7, 8]);
        assert_eq!(expect_down(&mut channel).await, "no program has the other side open");
        assert_eq!(channel.send(&[1]).await, Err(down.clone()));
    }
}

#[tokio::test]
async fn a_link_leads_to_the_other_side_while_the_channel_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("line");
    // Left behind by a program that was killed.
    std::os::unix::fs::symlink("/nowhere", &link).unwrap();
    let address = ChannelAddress::Pty(Some(link.clone()));
    let mut channel = Channel::open(&address, ChannelSettings::M_BUS).await.unwrap();
    assert_eq!(std::fs::read_link(&link).unwrap(), other_side(&channel));
    assert!(channel.place().ends_with(&format!("({})", link.display())));
    let side = open_side(&link);
    expect_up(&mut channel).await;
    channel.send(&[9]).await.unwrap();
    assert_eq!(read_exactly(side, 1).await.1, [9]);
    drop(channel);
    let gone = async {
        while link.is_symlink() {
            tokio::task::yield_now().await;
        }
    };
    within(gone).await;
}

#[tokio::test]
async fn a_line_and_a_pseudo_terminal_carry_every_byte_both_ways() {
    let mut far = open("pty").await;
    let address = format!("tty:{}", other_side(&far).display());
    let mut near = open(&address).await;
    expect_up(&mut near).await;
    expect_up(&mut far).await;
    near.send(&every_byte()).await.unwrap();
    assert_eq!(receive(&mut far, 1500).await, every_byte());
    near.set_baud(9600).await;
    far.set_baud(9600).await;
    far.send(&every_byte()).await.unwrap();
    assert_eq!(receive(&mut near, 1500).await, every_byte());
    near.send(&[1]).await.unwrap();
    assert_eq!(receive(&mut far, 1).await, [1]);
    let speed = rustix::termios::tcgetattr(open_side(&other_side(&far))).unwrap();
    assert_eq!(speed.output_speed(), 9600);
    // The one program ends, and another one comes.
    drop(near);
    expect_down(&mut far).await;
    let mut near = open(&address).await;
    expect_up(&mut near).await;
    expect_up(&mut far).await;
    near.send(&[2]).await.unwrap();
    assert_eq!(receive(&mut far, 1).await, [2]);
}

#[tokio::test]
async fn a_line_that_vanishes_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("line");
    let address = ChannelAddress::Pty(Some(link.clone()));
    let far = Channel::open(&address, ChannelSettings::M_BUS).await.unwrap();
    let tty = ChannelAddress::Tty(link.clone());
    let mut near = Channel::open(&tty, ChannelSettings::M_BUS).await.unwrap();
    expect_up(&mut near).await;
    drop(far);
    expect_down(&mut near).await;
    let down = near.send(&[1]).await;
    assert!(matches!(down, Err(ChannelError::Down { .. })), "{down:?}");
    let mut far = Channel::open(&address, ChannelSettings::M_BUS).await.unwrap();
    while near.send(&[3]).await.is_err() {
        let _ = within(near.recv()).await;
    }
    expect_up(&mut far).await;
    assert_eq!(receive(&mut far, 1).await, [3]);
}

#[tokio::test]
async fn what_a_program_left_unread_is_not_for_the_next_one() {
    let mut channel = open("pty").await;
    let path = other_side(&channel);
    let side = open_side(&path);
    expect_up(&mut channel).await;
    channel.send(b"for the first").await.unwrap();
    drop(side);
    expect_down(&mut channel).await;
    let side = open_side(&path);
    expect_up(&mut channel).await;
    channel.send(b"for the second").await.unwrap();
    assert_eq!(read_exactly(side, 14).await.1, b"for the second");
}

#[tokio::test]
async fn what_is_sent_as_soon_as_a_program_has_gone_is_an_error() {
    let mut channel = open("pty").await;
    let path = other_side(&channel);
    // Which of both the channel notices first is left to chance.
    for _ in 0..20 {
        let side = open_side(&path);
        expect_up(&mut channel).await;
        drop(side);
        assert!(channel.send(&[1]).await.is_err());
        expect_down(&mut channel).await;
    }
}
