//! The frames of one message in each scheme, as a log of `candump -L`, for other programs to check.
//!
//! `cargo run -p lastmeter-can --example authentication -- KEY ID COUNTER DATA`, all hexadecimal:
//! the master key (32 digits; the shared key of the paper's scheme), an identifier of data, the
//! counter (the sync code of the paper's scheme), and up to 8 data bytes, of which the compact
//! scheme takes up to 4. Without arguments it shows one message.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use lastmeter_can::authentication::paper::{KeyPlace, PaperScheme};
use lastmeter_can::authentication::{Direction, Scheme, SecretKey, Sender, SenderRecord};
use lastmeter_can::frame::CanFrame;

fn show(title: &str, frames: &[CanFrame]) {
    println!("# {title}");
    for frame in frames {
        println!("(0.000000) can0 {frame}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        arguments = ["000102030405060708090a0b0c0d0e0f", "223", "1", "00000000000f4240"]
            .map(str::to_owned)
            .to_vec();
    }
    let [key, id, counter, data] = &arguments[..] else {
        return Err("expected KEY ID COUNTER DATA, or nothing".into());
    };
    let key: SecretKey = key.parse()?;
    let counter = u64::from_str_radix(counter, 16)?;
    // A frame's text has identifier and data.
    let plain: CanFrame = format!("{id}#{data}").parse()?;
    let (id, data) = (plain.id(), plain.bytes());
    let sync = u32::try_from(counter).unwrap_or(u32::MAX);
    let written = PaperScheme::as_written(key.clone());
    show("as written, key last, 4 bytes of the tag", &written.seal(id, data, sync)?);
    let first = PaperScheme::variant(key.clone(), KeyPlace::First, 32);
    show("variant, key first, whole tag", &first.seal(id, data, sync)?);
    let node = (id.value() & 31) as u8;
    let node_key = key.node_key(node);
    for scheme in Scheme::ALL {
        let taken = &data[..data.len().min(scheme.data_bytes_max())];
        for direction in Direction::ALL {
            let start = || {
                let record = SenderRecord { first_free: counter };
                let mut sender = Sender::new(scheme, node, direction, &node_key, record);
                sender.reserve(1, |_| Ok::<_, Box<dyn Error>>(())).map(|()| sender)
            };
            show(&format!("{scheme}, {direction}"), &start()?.seal(id, taken)?);
            if scheme == Scheme::Strong {
                show(&format!("resync, {direction}"), &start()?.resync()?);
            }
        }
    }
    Ok(())
}
