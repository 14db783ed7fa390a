//! Characters that are hit on the wire beside the closed form, and none that is delivered wrong.

#![expect(clippy::print_stdout, reason = "what was counted is shown to who asks for it")]

#[expect(dead_code, reason = "it is a program of its own, too")]
#[expect(unreachable_pub, reason = "it is a program of its own, too")]
#[path = "../examples/character_errors.rs"]
mod measured;

use measured::{RATES, measure};

/// Standard deviations that a count may be from what is expected: one in 10^9 is farther.
const DEVIATIONS: f64 = 6.1;

fn show_and_judge(characters: u64) {
    println!("rate    read wrongly by  characters      hit  expected  wrong  twice  repeated");
    for rate in RATES {
        for is_of_all in [true, false] {
            let it = measure(rate, is_of_all, characters, 7);
            println!("{rate:e} all: {is_of_all} {it:?}");
            assert!(it.characters >= characters && it.delivered >= characters, "{it:?}");
            let far = (it.hit as f64 - it.expected).abs() / it.variance.sqrt();
            assert!(far < DEVIATIONS, "{far} standard deviations: {it:?}");
            // A character has 8 bits and at most 2 stuff bits.
            let per_bit = it.expected / it.characters as f64 / rate;
            assert!((8.0..9.0).contains(&per_bit), "{per_bit} bits: {it:?}");
            // Whatever all read wrongly the sender sees at once.
            assert_eq!(it.wrong, 0, "{it:?}");
        }
    }
}

#[test]
fn a_hundred_thousand_characters_at_each_rate() {
    show_and_judge(100_000);
}

#[test]
#[ignore = "some minutes: tests/long/can_ten_million.sh"]
fn ten_million_characters_at_each_rate() {
    show_and_judge(10_000_000);
}
