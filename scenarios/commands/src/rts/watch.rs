//! `lastmeter rts watch`: shows what a simulator sends, by its point map, and writes nothing.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lastmeter_bench::capture::{Capture, Direction};
use lastmeter_bench::output::{TextFormat, complain, print_err, print_out};
use lastmeter_bench::stop::on_this_thread;
use lastmeter_link::channel::{Channel, ChannelAddress, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::timer::Timer;
use lastmeter_reports::ExitCode;
use lastmeter_rts::point_map::{PointDirection, PointMap};
use serde_json::json;

use super::watched::{WatchEvent, Watched};
use super::{line_address, open_line};
use crate::ending::ends;
use crate::grid::printable;

/// The shortest time between two outputs.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// What is watched, and where.
#[derive(Clone, Debug, Args)]
pub struct WatchOptions {
    /// The point map
    pub map: PathBuf,
    /// Where the simulator is: `tcp:HOST:PORT`, `tcp-listen:HOST:PORT`, `udp:HOST:PORT`, or
    /// `udp-listen:HOST:PORT` for datagrams that it sends to a port here
    #[arg(long, value_name = "ADDRESS")]
    pub on: String,
    /// A table for people, redrawn in place on a terminal; or one JSON object per line
    #[arg(long, value_enum, default_value_t = TextFormat::Human)]
    pub format: TextFormat,
    /// End by itself after so long; else at a signal
    #[arg(long = "for", value_name = "TIME", value_parser = crate::ending::length)]
    pub length: Option<Duration>,
    /// How often it is shown, at least 10 ms apart
    #[arg(long, value_name = "TIME", default_value = "1 s", value_parser = crate::ending::length)]
    pub every: Duration,
    /// Keep what comes in a new file that Wireshark opens (pcapng), to be played again by
    /// `lastmeter rts replay`
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// Exit 1 if anything was refused, implausible, out of its range, missing or came again
    #[arg(long)]
    pub strict: bool,
}

/// Watches until a signal, or for so long, and returns the exit code.
pub(super) fn watch(options: &WatchOptions) -> ExitCode {
    match watch_line(options) {
        Ok(faults) if options.strict && !faults.is_empty() => {
            print_err(&format!("failed: {}", faults.join(", ")));
            ExitCode::Failed
        }
        Ok(_) => ExitCode::Passed,
        Err(message) => complain(&message),
    }
}

/// Gives the faults that were seen.
fn watch_line(options: &WatchOptions) -> Result<Vec<String>, String> {
    let period_ns = period_ns(options.every)?;
    let (address, is_stream) = line_address(&options.on)?;
    let map = read_map(options)?;
    let watched = Watched::new(&map, is_stream, monotonic_ns());
    let watched = watched.map_err(|error| format!("{}: {error}", options.map.display()))?;
    on_this_thread(async {
        let line = open_line(&address).await?;
        let capture = options.capture.as_ref().map(|path| Capture::create(path, &address));
        let capture = capture.transpose()?;
        let view = View::new(options.format);
        view.ready(&map, &line);
        let watcher = Watcher { watched, line, address, period_ns, view, capture };
        watcher.run(options.length).await
    })
}

fn period_ns(every: Duration) -> Result<i64, String> {
    let period_ns = i64::try_from(every.as_nanos()).ok();
    period_ns.filter(|_| every >= SHORTEST_PERIOD).ok_or_else(|| {
        let found = every.as_secs_f64();
        format!("--every: found {found} s, expected a time from `10 ms` on, such as `1 s`")
    })
}

fn read_map(options: &WatchOptions) -> Result<PointMap, String> {
    let map = super::read_map(&options.map)?;
    if map.of_direction(PointDirection::FromSimulator).next().is_none() {
        return Err(format!(
            "{}: found no point with `direction = \"from-simulator\"`, expected one or more; \
             without one there is nothing to watch",
            options.map.display()
        ));
    }
    Ok(map)
}

struct Watcher {
    watched: Watched,
    line: Channel,
    address: ChannelAddress,
    period_ns: i64,
    view: View,
    capture: Option<Capture>,
}

impl Watcher {
    async fn run(mut self, length: Option<Duration>) -> Result<Vec<String>, String> {
        let error = |error: std::io::Error| error.to_string();
        let mut timer = Timer::new().map_err(error)?;
        let mut end = std::pin::pin!(ends(length).map_err(error)?);
        let mut next_ns = monotonic_ns() + self.period_ns;
        loop {
            tokio::select! {
                biased;
                () = &mut end => break,
                waited = timer.until(next_ns) => {
                    waited.map_err(error)?;
                    let now_ns = monotonic_ns();
                    // A period that was slept through is not made up for.
                    next_ns = (next_ns + self.period_ns).max(now_ns);
                    self.watched.period_ended(now_ns);
                    self.view.period(&self.watched, now_ns);
                    self.connect_again().await?;
                }
                event = self.line.recv() => {
                    match event {
                        ChannelEvent::Up => self.watched.up(),
                        ChannelEvent::Down { reason } => self.watched.down(reason),
                        ChannelEvent::Arrived { at_ns, bytes } => {
                            if let Some(capture) = &mut self.capture {
                                capture.piece(at_ns, Direction::In, &bytes);
                            }
                            self.watched.arrived(at_ns, &bytes);
                        }
                    }
                    for news in self.watched.take_news() {
                        self.view.news(&news, &self.watched, monotonic_ns());
                    }
                }
            }
        }
        self.view.summary(&self.watched, monotonic_ns());
        Ok(self.watched.faults())
    }

    /// Where the frames of a stream cannot be found any more, a new connection begins with one.
    /// Once a period at most: what is sent may be wrong from its first byte on.
    async fn connect_again(&mut self) -> Result<(), String> {
        // Somebody who connects to a port here has to do so again by themselves.
        if self.watched.is_lost() && self.address.connects_to_streams() {
            self.line = open_line(&self.address).await?;
            self.watched.down("connecting again".to_owned());
        }
        Ok(())
    }
}

enum View {
    /// One object per line.
    Json,
    /// One table after the other.
    Appended,
    /// One table, redrawn in place.
    InPlace(ProgressBar),
}

impl View {
    fn new(format: TextFormat) -> Self {
        match format {
            TextFormat::Json => Self::Json,
            TextFormat::Human if !std::io::stdout().is_terminal() => Self::Appended,
            TextFormat::Human => {
                let style = ProgressStyle::with_template("{msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner());
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
                Self::InPlace(bar.with_style(style))
            }
        }
    }

    fn ready(&self, map: &PointMap, line: &Channel) {
        let simulator = &map.simulator;
        if matches!(self, Self::Json) {
            let ready = json!({
                "ready": true, "name": simulator.name, "line": line.place(),
                "wire_format": simulator.wire_format.word(),
                "sample_rate_hz": simulator.sample_rate,
            });
            print_out(&ready.to_string());
        } else {
            let (format, rate) = (simulator.wire_format, simulator.sample_rate);
            let title = format!("{} on {}: {format}, {rate} Hz", simulator.name, line.place());
            print_out(&printable(&title));
        }
    }

    fn news(&self, news: &WatchEvent, watched: &Watched, at_ns: i64) {
        let WatchEvent { event, detail } = news;
        match self {
            Self::Json => print_out(&json!({ "event": event, "detail": detail }).to_string()),
            Self::Appended => print_out(&printable(&format!("{event}: {detail}"))),
            Self::InPlace(bar) => bar.set_message(watched.as_table(at_ns)),
        }
    }

    fn period(&self, watched: &Watched, at_ns: i64) {
        match self {
            Self::Json => print_out(&watched.as_json(at_ns).to_string()),
            Self::Appended => print_out(&format!("\n{}", watched.as_table(at_ns))),
            Self::InPlace(bar) => bar.set_message(watched.as_table(at_ns)),
        }
    }

    fn summary(&self, watched: &Watched, at_ns: i64) {
        match self {
            Self::Json => {
                let mut summary = watched.as_json(at_ns);
                summary["summary"] = true.into();
                summary["faults"] = watched.faults().into();
                print_out(&summary.to_string());
            }
            Self::Appended => print_out(&format!("\n{}", watched.as_table(at_ns))),
            Self::InPlace(bar) => {
                // All of it stays on the screen, also what is higher than the terminal.
                bar.finish_and_clear();
                print_out(&watched.as_table(at_ns));
            }
        }
    }
}
