//! The bits of frames on the wire: reads frames as `candump -L` writes them, one a line, and prints
//! for each the bits from its start to the end of its CRC sequence, stuffed (1 is recessive), and
//! how many it has with its end and the pause behind it.
//!
//! `echo 123#1122 | cargo run -p lastmeter-can --example frame_bits`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::io::BufRead as _;

use lastmeter_can::frame::CanFrame;
use lastmeter_can::wire::{INTERMISSION_BITS, WireBits, frame_bits};

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let frame: CanFrame = line?.trim().parse()?;
        let bits = WireBits::of(&frame);
        let bits = (0..bits.len()).map(|place| if bits.is_recessive(place) { '1' } else { '0' });
        let bits: String = bits.collect();
        println!("{bits} {}", frame_bits(&frame) + INTERMISSION_BITS);
    }
    Ok(())
}
