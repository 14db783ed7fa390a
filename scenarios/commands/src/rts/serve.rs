//! `lastmeter rts serve`: plays the simulator of a scenario in real time, at the end of a real
//! line, for whatever adapter is at the other end.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lastmeter_bench::host::wall_now;
use lastmeter_bench::output::{complain, print_err, print_out};
use lastmeter_bench::run::{Steps, endpoint_of, inputs_of};
use lastmeter_bench::stop::on_this_thread;
use lastmeter_devices::endpoint::{Endpoint, EndpointInput, EndpointOutput};
use lastmeter_language::{LoadOptions, Scenario};
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::priority;
use lastmeter_link::timer::Timer;
use lastmeter_reports::ExitCode;
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Value, json};

use super::{lateness, line_address, open_line};
use crate::ending::ends;

/// What is played, and where.
#[derive(Clone, Debug, Args)]
pub struct ServeOptions {
    /// The scenario with the `[[simulator]]`
    pub scenario: PathBuf,
    /// Where its adapter is: `udp:HOST:PORT`, `udp-listen:HOST:PORT`, `tcp-listen:HOST:PORT` (as a
    /// GTNET card does) or `tcp:HOST:PORT`
    #[arg(long, value_name = "ADDRESS")]
    pub on: String,
    /// Override a scenario value, as in `grid.step="10 ms"`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// End by itself after so long; else at a signal
    #[arg(long = "for", value_name = "TIME", value_parser = crate::ending::length)]
    pub length: Option<Duration>,
}

/// What became of the schedule.
struct PlayCounts {
    steps: Steps,
    frames: u64,
    unsent: u64,
    received: u64,
}

/// Plays until a signal, or for so long, and returns the exit code.
pub(super) fn serve(options: &ServeOptions) -> ExitCode {
    let load = LoadOptions { overrides: options.overrides.clone(), ..LoadOptions::default() };
    match Scenario::load(&options.scenario, &load.in_environment()) {
        Err(failure) => {
            print_err(&failure.to_string());
            ExitCode::BadInput
        }
        Ok(scenario) => match played(options, &scenario) {
            Ok(played) => {
                print_out(&played.summary().to_string());
                ExitCode::Passed
            }
            Err(message) => complain(&message),
        },
    }
}

fn played(options: &ServeOptions, scenario: &Scenario) -> Result<PlayCounts, String> {
    let (address, is_stream) = line_address(&options.on)?;
    let name = options.scenario.display();
    let row = scenario.simulators.first();
    let row = row.ok_or_else(|| format!("{name}: it has no `[[simulator]]`"))?;
    let start = wall_now() + SimDuration::from_milliseconds(200);
    let endpoint = endpoint_of(scenario, row, is_stream, (start, None))?;
    // Who is refused plays on, later than asked for.
    let priority = priority::raise_this_thread(priority::DEFAULT_LEVEL);
    on_this_thread(async {
        let line = open_line(&address).await?;
        let ready = json!({
            "ready": true, "name": row.name, "line": line.place(),
            "frames_per_second": row.map.simulator.sample_rate,
            "priority": priority.err().unwrap_or_else(priority::policy_word),
        });
        print_out(&ready.to_string());
        let period_s = 1.0 / row.map.simulator.sample_rate;
        let period_ns = SimDuration::from_seconds_f64(period_s).0;
        let inputs = inputs_of(scenario, start);
        let is_heard_first = !matches!(address, ChannelAddress::Udp(_));
        let player = Player { endpoint, line, period_ns, start, inputs, is_heard_first };
        player.play(options.length).await
    })
}

struct Player {
    endpoint: Endpoint,
    line: Channel,
    period_ns: i64,
    start: SimTime,
    /// What befalls the simulator, and when, in order.
    inputs: VecDeque<(SimTime, EndpointInput)>,
    /// Whether the line is up only once somebody has been heard.
    is_heard_first: bool,
}

impl Player {
    async fn play(mut self, length: Option<Duration>) -> Result<PlayCounts, String> {
        let error = |error: std::io::Error| error.to_string();
        let mut timer = Timer::new().map_err(error)?;
        let mut end = std::pin::pin!(ends(length).map_err(error)?);
        let start_ns = monotonic_ns() + (self.start - wall_now()).0;
        let begin = self.start;
        let instant_ns = move |at: SimTime| start_ns + (at - begin).0;
        let start = self.start;
        let now = || start + SimDuration(monotonic_ns() - start_ns);
        let steps = Steps::every(SimDuration(self.period_ns));
        let mut played = PlayCounts { steps, frames: 0, unsent: 0, received: 0 };
        let mut is_up = false;
        loop {
            let Some(wake) = self.endpoint.wake_at() else {
                return Err("the network has no solution any more: the simulator stopped".into());
            };
            tokio::select! {
                biased;
                () = &mut end => return Ok(played),
                waited = timer.until(instant_ns(wake)) => {
                    waited.map_err(error)?;
                    let late_ns = monotonic_ns() - instant_ns(wake);
                    played.steps.served(SimDuration(late_ns));
                    // A frame whose time is over is not made up for.
                    let oldest = wake + SimDuration(late_ns - self.period_ns);
                    played.steps.left_out(self.endpoint.skip_to(oldest));
                    let mut out = Vec::new();
                    let at = self.endpoint.wake_at().unwrap_or(wake);
                    while let Some((_, input)) =
                        self.inputs.pop_front_if(|(befalls, _)| *befalls <= at)
                    {
                        self.endpoint.step(at, input, &mut out);
                    }
                    self.endpoint.step(at, EndpointInput::Wake, &mut out);
                    self.follow(out, is_up, &mut played).await;
                }
                event = self.line.recv() => match event {
                    ChannelEvent::Up => {
                        is_up = true;
                        // A datagram that goes out shows nothing of who takes it.
                        print_err(if self.is_heard_first {
                            "the adapter is there"
                        } else {
                            "the line is open; whether an adapter is there shows when it writes"
                        });
                        self.endpoint.step(now(), EndpointInput::LineUp, &mut Vec::new());
                    }
                    ChannelEvent::Down { reason } => {
                        is_up = false;
                        print_err(&format!("no adapter: {reason}"));
                    }
                    ChannelEvent::Arrived { bytes, .. } => {
                        played.received += 1;
                        let mut out = Vec::new();
                        self.endpoint.step(now(), EndpointInput::Bytes(bytes), &mut out);
                        self.follow(out, is_up, &mut played).await;
                    }
                },
            }
        }
    }

    async fn follow(&self, out: Vec<EndpointOutput>, is_up: bool, played: &mut PlayCounts) {
        for output in out {
            match output {
                EndpointOutput::Frame { bytes, .. } => {
                    if is_up && self.line.send(&bytes).await.is_ok() {
                        played.frames += 1;
                    } else {
                        played.unsent += 1;
                    }
                }
                EndpointOutput::Event { kind, detail } => {
                    print_err(&format!("{}: {detail}", kind.word()));
                }
                EndpointOutput::Operated(it) => {
                    let at_s = it.at_ns as f64 / 1e9;
                    let (element, kind) = (&it.element, it.kind.word());
                    print_err(&format!("{element} {kind} at {at_s:.3} s: {}", it.detail));
                }
            }
        }
    }
}

impl PlayCounts {
    fn summary(&self) -> Value {
        let steps = self.steps.facts();
        json!({
            "frames": self.frames, "unsent": self.unsent, "received": self.received,
            "steps": steps.scheduled, "overruns": steps.missed,
            "lateness_s": lateness(&steps),
        })
    }
}
