//! Writes a made-up run folder and its report, to look at: `sample_report DIR [METERS READINGS]`,
//! or one with a latency record: `sample_report DIR DEVICES MESSAGES latency|modelled`.
//!
//! With `10 8640` it is a day of ten meters: 1.7 million rows; with `100 10000 latency` it has two
//! million latency rows. Prints how long judging and rendering took, and the most memory that was
//! in use.

use std::path::PathBuf;
use std::time::Instant;

use lastmeter_record::TimeMode;
use lastmeter_reports::{evaluate, format_summary, format_verdicts, render_evaluated};
use latency_sample::{CHECKS, LatencySample};

#[path = "../tests/latency_sample/mod.rs"]
mod latency_sample;
#[path = "../tests/sample/mod.rs"]
mod sample;

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
#[expect(clippy::disallowed_methods, reason = "it prints how long it took by the wall clock")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: sample_report DIR [METERS READINGS [latency|modelled]]";
    let dir = PathBuf::from(arguments.next().ok_or(usage)?);
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (meters, readings) = (number(1)?, number(60)?);
    let begin = Instant::now();
    if let Some(word) = arguments.next().as_deref() {
        let time = if word == "latency" { TimeMode::Real } else { TimeMode::Virtual };
        let (devices, messages) = (meters, readings);
        let run = LatencySample { devices, messages, time, ..LatencySample::WAN };
        run.write(&dir, CHECKS)?;
    } else {
        let calm = sample::Sample::CALM;
        let (current_gain_error, disturbed) = (0.01, true);
        sample::Sample { meters, readings, current_gain_error, disturbed, ..calm }.write(&dir)?;
    }
    println!("written   {:>8.3} s  {}", begin.elapsed().as_secs_f64(), peak_memory());
    let begin = Instant::now();
    let evaluation = evaluate(&dir)?;
    evaluation.write(&dir)?;
    println!("judged    {:>8.3} s  {}", begin.elapsed().as_secs_f64(), peak_memory());
    let begin = Instant::now();
    let page = render_evaluated(&dir, &evaluation)?;
    let took = begin.elapsed();
    println!("rendered  {:>8.3} s  {}", took.as_secs_f64(), peak_memory());
    for line in format_verdicts(&evaluation.verdicts) {
        println!("{line}");
    }
    println!("{}", format_summary(evaluation.counts(), took, evaluation.exit_code()));
    println!("         {}", page.display());
    Ok(())
}

/// The most memory this process ever had, as the kernel reports.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "peak memory not known".to_owned(), |peak| format!("peak {}", peak.trim()))
}
