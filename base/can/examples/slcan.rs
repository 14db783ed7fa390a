//! A line of an SLCAN adapter to a frame, and a frame to a line; a broken line is named.
//!
//! `cargo run -p lastmeter-can --example slcan`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_can::slcan::{BitRate, Command, Item, Reader};

fn main() -> Result<(), Box<dyn Error>> {
    let rate = BitRate::from_bits_per_second(125_000).ok_or("no such bit rate")?;
    println!("at {} bit/s", rate.bits_per_second());

    let frame = CanFrame::data(CanId::standard(0x123)?, &[0x11, 0x22])?;
    let line = Command::Transmit(frame).encode();
    println!("{frame} is sent as {:?}", String::from_utf8_lossy(&line));

    // What an adapter writes may arrive in any pieces.
    let (mut reader, mut items) = (Reader::default(), Vec::new());
    for piece in [&b"t1232"[..], b"1122\rt12"[..].as_ref(), b"39\r"] {
        reader.bytes(piece, &mut items);
    }
    for item in items {
        match item {
            Item::Frame { frame, .. } => println!("received {frame}"),
            other => println!("not a frame: {other:?}"),
        }
    }
    Ok(())
}
