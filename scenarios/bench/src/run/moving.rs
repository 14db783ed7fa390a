//! Carries one run out on a bench, in virtual or in real time, and finishes its record however it
//! ends.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lastmeter_devices::{PageAnswer, PageRequest};
use lastmeter_language::{PlatformUse, Scenario};
use lastmeter_record::{Event, RealTimeFacts, RunEnd, RunState, RunWriter, Signal};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, mpsc};

use super::console::Console;
use super::error::{BenchError, chain};
use super::live::Live;
use super::pages::{self, PendingPage};
use super::recording::Recording;
use crate::host::{monotonic, wall_now};
use crate::output::print_err;
use crate::stop::{Stop, ended_by, or_never};

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The run folder.
    pub out: PathBuf,
    /// Longest wall time, and how it was written.
    pub timeout: Option<(Duration, String)>,
    /// The command that repeats the run.
    pub command_line: Vec<String>,
    /// Whether a real-time run asks for real-time priority.
    pub real_time_priority: bool,
    /// Where the pages of its first gateway that answers some are served: at the end until a signal
    /// comes, and all through a schedule in real time.
    pub pages: Option<String>,
    /// How long a real-time run waits for a quieter machine before it begins; `None`: it does not.
    pub wait_quiet: Option<Duration>,
}

/// A bench that stands: it moves through the schedule in virtual or in real time.
pub(crate) trait Bench: Sized {
    /// What it is made of before it stands.
    type Parts;

    /// Puts parts and record together.
    fn stand(parts: Self::Parts, recording: Recording) -> Self;

    /// Moves through the schedule from its beginning to its end.
    async fn run(&mut self, run: &Run<'_>, console: &Console<'_>) -> Result<(), BenchError>;

    /// Event time now.
    fn now(&self) -> SimTime;

    fn recording(&mut self) -> &mut Recording;

    /// Writes all there is: after the end everything, otherwise what was reported.
    fn close_record(&mut self, is_finished: bool) -> Result<(), BenchError>;

    /// Figures of the run, for `run.json` only.
    fn measured(&self, wall: Duration) -> Map<String, Value>;

    /// What a run in real time reports of clocks, timers, links and floor.
    async fn facts(&mut self) -> Option<RealTimeFacts>;

    /// Asks the first gateway that answers pages for one, at the present instant or so long after
    /// the end. What it does after the end beside answering is in no record.
    async fn page(&mut self, after: SimDuration, request: PageRequest) -> Option<PageAnswer>;

    /// Ends connections and a platform of the bench's own in an orderly way.
    async fn close(self) -> (RunWriter, Result<(), BenchError>);
}

/// One run, as it was asked for.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a RunOptions,
    pub(crate) started: Instant,
    /// What browsers ask of its gateways.
    asked: Option<Mutex<mpsc::Receiver<PendingPage>>>,
}

impl Run<'_> {
    /// The next request for a page; never if none are served.
    pub(crate) async fn next_page(&self) -> PendingPage {
        let mut asked = or_never(self.asked.as_ref()).await.lock().await;
        or_never(asked.recv().await).await
    }
}

enum Halt {
    Interrupted(Signal),
    Broken(BenchError),
}

/// Waits for a bench to stand, carries the run out on it and finishes its record.
///
/// # Errors
/// Only if the record cannot be written; a bench that broke is in the record.
pub(crate) async fn carry_out<B: Bench>(
    (scenario, options): (&Scenario, &RunOptions),
    console: &Console<'_>,
    mut stop: Stop,
    (mut writer, live): (RunWriter, Live),
    assembled: impl Future<Output = Result<B::Parts, BenchError>>,
) -> Result<(), BenchError> {
    let start = scenario.schedule.start;
    let (asked, is_served) =
        served(options).await.map_or_else(|no| (None, Err(no)), |it| (it, Ok(())));
    let run = Run { options, started: monotonic(), asked };
    let assembled = tokio::select! {
        biased; // a signal counts, also where the bench is ready by then
        signal = ended_by(&mut stop) => Err(BenchError::Interrupted(signal)),
        assembled = assembled => is_served.and(assembled),
    };
    let parts = match assembled {
        Ok(parts) => parts,
        Err(error) => {
            let mut state = RunState::Error;
            if let BenchError::Interrupted(signal) = error {
                state = RunState::Interrupted;
                writer.set_signal(signal);
            }
            let end = ending(state, Some(&chain(&error)), start);
            return writer.finish(end).map_err(BenchError::record);
        }
    };
    let recording = Recording::new(writer, live, scenario)?;
    let mut bench = B::stand(parts, recording);
    let halt = drive(&mut bench, &run, console, stop.clone()).await.err();
    if halt.is_none() && options.pages.is_some() {
        serve_pages(&mut bench, &run, stop).await;
    }
    let (state, cause, event) = match &halt {
        None => (RunState::Finished, None, None),
        Some(Halt::Interrupted(signal)) => {
            let event = Event::interrupted(bench.now(), signal.cause());
            (RunState::Interrupted, Some(signal.cause().to_owned()), Some(event))
        }
        Some(Halt::Broken(error)) => {
            let (state, event) = broken(bench.now(), error);
            (state, Some(chain(error)), Some(event))
        }
    };
    bench.recording().events.extend(event);
    bench.close_record(state == RunState::Finished)?;
    let mut end = ending(state, cause.as_deref(), bench.recording().recorded);
    end.guarantees = guarantees(&scenario.platform.choice);
    end.more = bench.measured(run.started.elapsed());
    let facts = bench.facts().await;
    let (mut writer, stopped) = Box::pin(bench.close()).await;
    if let (RunState::Finished, Err(error)) = (state, &stopped) {
        (end.state, end.cause) = (RunState::Error, Some(chain(error)));
    }
    if let Some(facts) = facts {
        writer.set_real_time(facts);
    }
    if let Some(Halt::Interrupted(signal)) = halt {
        writer.set_signal(signal);
    }
    writer.finish(end).map_err(BenchError::record)
}

/// Serves pages, if that was asked for, and prints where.
async fn served(
    options: &RunOptions,
) -> Result<Option<Mutex<mpsc::Receiver<PendingPage>>>, BenchError> {
    let Some(at) = &options.pages else { return Ok(None) };
    let (address, asked) = pages::serve(at).await?;
    print_err(&format!("pages of the gateway at http://{address}/"));
    Ok(Some(Mutex::new(asked)))
}

/// Has a bench whose run is over answer for pages until a signal comes.
async fn serve_pages<B: Bench>(bench: &mut B, run: &Run<'_>, mut stop: Stop) {
    print_err("the run is over; its pages are served until Ctrl-C");
    let over = monotonic();
    loop {
        let PendingPage { request, reply } = tokio::select! {
            biased;
            _ = ended_by(&mut stop) => return,
            pending = run.next_page() => pending,
        };
        // Who asked may have gone away.
        let after = i64::try_from(over.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let _ = reply.send(bench.page(SimDuration(after), request).await);
    }
}

async fn drive<B: Bench>(
    bench: &mut B,
    run: &Run<'_>,
    console: &Console<'_>,
    mut stop: Stop,
) -> Result<(), Halt> {
    let timeout = run.options.timeout.as_ref();
    let limit = timeout.map_or(Duration::MAX, |(limit, _)| *limit);
    tokio::select! {
        biased;
        signal = ended_by(&mut stop) => Err(Halt::Interrupted(signal)),
        ended = tokio::time::timeout(limit, bench.run(run, console)) => ended
            .unwrap_or_else(|_| {
                let written = timeout.map_or("", |(_, written)| written);
                Err(BenchError::Timeout(written.to_owned()))
            })
            .map_err(Halt::Broken),
    }
}

/// What an error that ended a run shows of it: what the platform answered is its own doing, and for
/// a check to judge.
fn broken(now: SimTime, error: &BenchError) -> (RunState, Event) {
    if let Some(what) = error.wrong_answer() {
        return (RunState::Stopped, Event::wrong_answer(now, what));
    }
    let text = format!("the bench broke: {}", chain(error));
    (RunState::Error, Event::note(now, &text))
}

/// How a run ended, and up to when its record is complete.
pub(crate) fn ending(state: RunState, cause: Option<&str>, recorded_until: SimTime) -> RunEnd {
    RunEnd {
        state,
        cause: cause.map(str::to_owned),
        recorded_until,
        ended: wall_now(),
        guarantees: Vec::new(),
        more: Map::new(),
    }
}

/// What may be relied on behind the verdicts.
fn guarantees(platform: &PlatformUse) -> Vec<String> {
    let broker = match platform {
        PlatformUse::Embedded | PlatformUse::Child => {
            "a PUBACK follows the fsync of the platform's journal; refusals are durable first too"
        }
        PlatformUse::Profile(_) => {
            "a PUBACK of this platform's broker may mean memory only; what was checked is what \
             REST gave back"
        }
    };
    let outbox = "simulated devices keep their outbox in memory, it survives a lost connection";
    vec![broker.to_owned(), outbox.to_owned()]
}
