//! `lastmeter rts replay`: plays again what a capture holds of a simulator.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_bench::capture::{self, Flow, Flows};
use lastmeter_bench::output::{complain, print_err, print_out};
use lastmeter_bench::run::Steps;
use lastmeter_bench::stop::on_this_thread;
use lastmeter_link::channel::{Channel, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::timer::Timer;
use lastmeter_reports::ExitCode;
use lastmeter_units::SimDuration;
use serde_json::{Value, json};

use super::{lateness, line_address, open_line};
use crate::ending::ends;

/// What is played again, and where.
#[derive(Clone, Debug, Args)]
pub struct ReplayOptions {
    /// The capture: pcapng of `--capture`, or pcapng and pcap of tcpdump, dumpcap and Wireshark
    pub capture: PathBuf,
    /// Where it goes: `udp:HOST:PORT`, `udp-listen:HOST:PORT`, `tcp-listen:HOST:PORT` or
    /// `tcp:HOST:PORT`
    #[arg(long, value_name = "ADDRESS")]
    pub on: String,
    /// The port that the simulator sends from, where the capture holds several flows
    #[arg(long, value_name = "PORT")]
    pub from: Option<u16>,
    /// How many times as fast: a number, or `max` without any wait
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    pub speed: Speed,
    /// How often it is played
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub times: u32,
    /// End by itself after so long, whatever is left
    #[arg(long = "for", value_name = "TIME", value_parser = crate::ending::length)]
    pub length: Option<Duration>,
}

/// How fast it is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was captured.
    Times(f64),
    /// As fast as it can be sent.
    Greatest,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Greatest);
    }
    let factor = text.parse().ok().filter(|factor: &f64| *factor > 0.0 && factor.is_finite());
    factor.map(Speed::Times).ok_or_else(|| "expected a number above 0, or `max`".to_owned())
}

/// Plays the recording and returns the exit code.
pub(super) fn replay(options: &ReplayOptions) -> ExitCode {
    match played(options) {
        Ok(true) => ExitCode::Passed,
        Ok(false) => ExitCode::Failed,
        Err(message) => complain(&message),
    }
}

fn played(options: &ReplayOptions) -> Result<bool, String> {
    let (address, _) = line_address(&options.on)?;
    let name = options.capture.display();
    let file =
        std::fs::read(&options.capture).map_err(|error| format!("cannot read {name}: {error}"))?;
    let packets = capture::read(&file);
    let mut faults: Vec<String> = packets.damage.iter().cloned().collect();
    let Flows { flows, gaps } = Flows::of(&packets);
    faults.extend(gaps);
    let wanted = flows.iter().filter(|(flow, _)| options.from.is_none_or(|it| flow.is_from(it)));
    let wanted: Vec<_> = wanted.collect();
    let [(flow, pieces)] = wanted.as_slice() else {
        return Err(choose(
            options,
            &wanted.iter().map(|(flow, of)| (*flow, of.len())).collect::<Vec<_>>(),
            &faults,
        ));
    };
    for fault in &faults {
        print_err(&format!("damaged: {name}: {fault}"));
    }
    let summary = on_this_thread(async {
        let line = open_line(&address).await?;
        let frames = pieces.len();
        print_out(
            &json!({
                "ready": true, "line": line.place(), "flow": flow.to_string(), "pieces": frames,
            })
            .to_string(),
        );
        let player = Player {
            line,
            steps: Steps::every(SimDuration::from_milliseconds(10)),
            sent: 0,
            bytes: 0,
        };
        player.play(options, pieces).await
    })?;
    let (is_whole, mut summary) = summary;
    summary["damage"] = faults.clone().into();
    print_out(&summary.to_string());
    Ok(is_whole && faults.is_empty())
}

/// Why no flow was chosen, and what there is to choose from.
fn choose(options: &ReplayOptions, flows: &[(&Flow, usize)], faults: &[String]) -> String {
    let name = options.capture.display();
    if flows.is_empty() {
        let port = options.from.map(|port| format!(" from port {port}")).unwrap_or_default();
        let faults: Vec<String> = faults.iter().map(|fault| format!("; {fault}")).collect();
        return format!("{name}: found no UDP or TCP with a payload{port}{}", faults.concat());
    }
    let flows = flows.iter().map(|(flow, count)| format!("\n  {flow}: {count} pieces"));
    format!(
        "{name}: found {} flows, expected one; choose by `--from`:{}",
        flows.len(),
        flows.collect::<String>()
    )
}

struct Player {
    line: Channel,
    steps: Steps,
    sent: u64,
    bytes: u64,
}

impl Player {
    async fn play(
        mut self,
        options: &ReplayOptions,
        pieces: &[(u64, Vec<u8>)],
    ) -> Result<(bool, Value), String> {
        let error = |error: std::io::Error| error.to_string();
        let mut timer = Timer::new().map_err(error)?;
        let mut end = std::pin::pin!(ends(options.length).map_err(error)?);
        let mut is_up = false;
        while !is_up {
            tokio::select! {
                () = &mut end => return Ok((false, self.summary(pieces.len(), options.times))),
                event = self.line.recv() => is_up = event == ChannelEvent::Up,
            }
        }
        let begun_ns = monotonic_ns();
        let first = pieces.first().map_or(0, |(at, _)| *at);
        let length = pieces.last().map_or(0, |(at, _)| at.saturating_sub(first));
        'all: for time in 0..options.times {
            for (at, bytes) in pieces {
                let since = at.saturating_sub(first) as f64 + f64::from(time) * length as f64;
                let due_ns = match options.speed {
                    Speed::Times(factor) => begun_ns + (since / factor) as i64,
                    Speed::Greatest => begun_ns,
                };
                loop {
                    tokio::select! {
                        biased;
                        () = &mut end => break 'all,
                        // What comes back is for nobody.
                        event = self.line.recv() => match event {
                            ChannelEvent::Up => is_up = true,
                            ChannelEvent::Down { reason } => {
                                is_up = false;
                                print_err(&format!("nobody is there: {reason}"));
                            }
                            ChannelEvent::Arrived { .. } => {}
                        },
                        waited = timer.until(due_ns) => {
                            waited.map_err(error)?;
                            break;
                        }
                    }
                }
                if let Speed::Times(_) = options.speed {
                    self.steps.served(SimDuration(monotonic_ns() - due_ns));
                }
                if is_up && self.line.send(bytes).await.is_ok() {
                    (self.sent, self.bytes) = (self.sent + 1, self.bytes + bytes.len() as u64);
                }
            }
        }
        let summary = self.summary(pieces.len(), options.times);
        Ok((summary["unsent"] == 0, summary))
    }

    fn summary(&self, pieces: usize, times: u32) -> Value {
        let unsent = pieces as u64 * u64::from(times) - self.sent;
        json!({
            "sent": self.sent, "bytes": self.bytes, "unsent": unsent,
            "lateness_s": lateness(&self.steps.facts()),
        })
    }
}
