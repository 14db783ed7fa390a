//! Writes made-up run folders with a latency record, judged and rendered, for whoever computes
//! their figures again: `sample_latency_run DIR` makes `DIR/short`, `DIR/long` and `DIR/modelled`.
//!
//! With `bounds` in the place of DIR it reads lines `K N` and prints the upper and the lower bound
//! on a share for each, to be compared with another implementation.

use std::io::BufRead;
use std::path::PathBuf;

use lastmeter_record::TimeMode;
use lastmeter_reports::latency::{lower_bound, upper_bound};
use lastmeter_reports::{evaluate, render_evaluated};
use latency_sample::LatencySample;

#[expect(dead_code, reason = "other checks are asked here")]
#[path = "../tests/latency_sample/mod.rs"]
mod latency_sample;
#[expect(dead_code, reason = "its values are not written here")]
#[path = "../tests/sample/mod.rs"]
mod sample;

/// One check for each way in which a verdict on latency can be come by.
const CHECKS: &str = r#"
[[check]]
name = "class"
kind = "latency"
path = "intended..received"
class = "TT2"
coverage = "97 %"
stall = "50 ms"

[[check]]
name = "class-by-name"
kind = "latency"
path = "intended..received"
class = "ed2-P4"
observer = "head-end"

[[check]]
name = "delivery"
kind = "latency"
path = "intended..received"
class = "TT0"
coverage = "99 %"
stall = "20 ms"

[[check]]
name = "trip"
kind = "latency"
path = "intended..received"
class = "TT6"

[[check]]
name = "not-measurable"
kind = "latency"
path = "intended..received"
limit = "2 ms"

[[check]]
name = "profile"
kind = "latency"
path = "intended..queryable"
profile = "outage-report"
stall = "100 ms"

[[check]]
name = "limit"
kind = "latency"
path = "published..received"
limit = "160 ms"
coverage = "70 %"

[[check]]
name = "some-devices"
kind = "latency"
path = "intended..committed"
limit = "150 ms"
coverage = "95 %"
device = "meter-0*"

[[check]]
name = "down-leg"
kind = "latency"
path = "proxy_in_down..proxy_out_down"
limit = "55 ms"
coverage = "90 %"
warm_up = "0 s"

[[check]]
name = "undecided-for-load"
kind = "latency"
path = "proxy_out_up..committed"
limit = "3 ms"
coverage = "98.4 %"
stall = "10 ms"

[[check]]
name = "too-few"
kind = "latency"
path = "intended..received"
limit = "1 s"
coverage = "99.99 %"

[[check]]
name = "commands"
kind = "latency"
path = "intended..obeyed"
limit = "200 ms"
coverage = "80 %"
warm_up = "0 s"

[[check]]
name = "steady"
kind = "jitter"
path = "intended..received"
limit = "300 ms"
coverage = "97 %"
stall = "30 ms"

[[check]]
name = "steady-commands"
kind = "jitter"
path = "intended..acknowledged"
messages = "command"
limit = "20 ms"
coverage = "90 %"
stall = "2 s"
warm_up = "0 s"

[[check]]
name = "recovers"
kind = "recovery"
path = "intended..queryable"
in_time = "400 ms"
longest_outage = "60 s"
recover_within = "30 s"

[[check]]
name = "outages"
kind = "recovery"
path = "intended..received"
in_time = "500 ms"
longest_outage = "1 s"

[[check]]
name = "median"
kind = "published"
path = "intended..received"
statistic = "median"
value = "140 ms"
tolerance = "20 ms"
source = "a figure"

[[check]]
name = "q1"
kind = "published"
path = "intended..received"
statistic = "q1"
value = "110 ms"
tolerance = "10 us"
source = "a figure"

[[check]]
name = "q3"
kind = "published"
path = "intended..received"
statistic = "q3"
value = "150 ms"
tolerance = "20 ms"
source = "a figure"

[[check]]
name = "lower-whisker"
kind = "published"
path = "intended..received"
statistic = "whisker_low"
value = "100 ms"
tolerance = "5 ms"
source = "a figure"

[[check]]
name = "upper-whisker"
kind = "published"
path = "intended..received"
statistic = "whisker_high"
value = "210 ms"
tolerance = "5 ms"
source = "a figure"

[[check]]
name = "share"
kind = "published"
path = "intended..received"
statistic = "share_under"
under = "210 ms"
value = "97 %"
tolerance = "1 %"
source = "a figure"
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = std::env::args().nth(1).ok_or("usage: sample_latency_run DIR|bounds")?;
    if argument == "bounds" {
        return bounds();
    }
    let dir = PathBuf::from(argument);
    let short = LatencySample::WAN;
    // Two devices for 40 minutes: blocks of 60 s.
    let long = LatencySample { devices: 2, messages: 4_800, ..LatencySample::WAN };
    let modelled = LatencySample { time: TimeMode::Virtual, ..LatencySample::WAN };
    for (name, run) in [("short", short), ("long", long), ("modelled", modelled)] {
        let dir = dir.join(name);
        run.write(&dir, CHECKS)?;
        let evaluation = evaluate(&dir)?;
        evaluation.write(&dir)?;
        render_evaluated(&dir, &evaluation)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it answers whoever runs it")]
fn bounds() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (k, n) = line.split_once(' ').ok_or("a line without two numbers")?;
        let (k, n): (f64, f64) = (k.parse()?, n.parse()?);
        println!("{} {}", upper_bound(k, n), lower_bound(k, n));
    }
    Ok(())
}
