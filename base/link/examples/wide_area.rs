//! A link that misbehaves, in virtual time: how long a thousand messages take to a platform and
//! back, and how much longer during an impairment. The same seed gives the same nanoseconds.
//!
//! `cargo run -p lastmeter-link --example wide_area`, or `... -- PRESET`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use chacha20::ChaCha8Rng;
use lastmeter_link::impair::{
    IMPAIR_FIELDS, LINK_FIELDS, Leg, LegName, read_impairment, read_link,
};
use lastmeter_params::{Diagnostics, read_text};
use rand::SeedableRng as _;

const MILLISECOND_NS: i64 = 1_000_000;
/// One message each half second, of a reading's size.
const PERIOD_NS: i64 = 500 * MILLISECOND_NS;
const MESSAGE_BYTES: usize = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let preset = std::env::args().nth(1).unwrap_or_else(|| "flexmeter-wan".to_owned());
    let mut mistakes = Diagnostics::new();
    let fields = read_text(&format!("preset = \"{preset}\""), &[LINK_FIELDS])
        .map_err(|found| format!("{found:?}"))?;
    let link = read_link(&fields, &mut mistakes).ok_or("the link has mistakes")?;
    let worse =
        read_text("delay = \"300 ms\"", &[IMPAIR_FIELDS]).map_err(|found| format!("{found:?}"))?;
    let worse = read_impairment(&worse, &mut mistakes).ok_or("the impairment has mistakes")?;

    let random = ChaCha8Rng::seed_from_u64(1);
    let (mut up, mut down) =
        (Leg::new(&link, LegName::Up, &random), Leg::new(&link, LegName::Down, &random));
    for (part, first) in [("as it is", 0), ("impaired", 1000), ("restored", 2000)] {
        match first {
            1000 => up.impair(first * PERIOD_NS, &worse),
            2000 => up.restore(first * PERIOD_NS),
            _ => {}
        }
        let latency_ns = |number: i64| {
            let sent_ns = number * PERIOD_NS;
            let there_ns = up.send_bytes(sent_ns, MESSAGE_BYTES);
            down.send_bytes(there_ns, MESSAGE_BYTES) - sent_ns
        };
        let mut latencies_ns: Vec<i64> = (first..first + 1000).map(latency_ns).collect();
        latencies_ns.sort_unstable();
        let at = |percent: usize| latencies_ns[percent * 10 - 1] as f64 / 1e6;
        println!("{part:9} median {:6.1} ms, 95 % {:6.1} ms", at(50), at(95));
    }
    Ok(())
}
