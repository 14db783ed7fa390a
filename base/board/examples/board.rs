//! A board file of the repository: what the board measures, and one request with its answer.
//!
//! `cargo run -p lastmeter-board --example board`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_board::description::{Description, Speech};
use lastmeter_board::grammar::Exchange;

fn main() -> Result<(), Box<dyn Error>> {
    let text = include_str!("../../../devices/boards/usb-serial-meter.toml");
    let board = Description::parse(text)?;
    println!("{}: {}", board.name, board.summary);
    for id in board.quantities() {
        println!("  measures {}", id.name());
    }

    let Speech::Lines(grammar) = board.speech else { return Err("not a board of lines".into()) };
    let mut exchange = Exchange::new(grammar);
    let request = exchange.begin(0, 0)?;
    println!("sent {:?}", String::from_utf8_lossy(&request));
    // Times are arguments, in nanoseconds: the answer comes after 20 ms.
    for outcome in exchange.take(b"U=230.12 I=5.001 P=1150.8 n=17\r\n", 20_000_000) {
        println!("{outcome:?}");
    }
    Ok(())
}
