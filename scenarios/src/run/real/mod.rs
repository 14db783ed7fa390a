//! Runs a scenario in real time: every message at its instant, through links that misbehave.
//!
//! Terms: the *schedule* begins at one instant of the monotonic clock, the *origin*; event time
//! runs beside it at the same pace ([`timeline`]). Devices, observers, proxies and the reader are
//! tasks of their own on a runtime whose threads have real-time priority where the machine grants
//! it; each tells what happened, and when, to the one that keeps the record.
//!
//! Nothing here waits for an answer before it sends the next message, and nothing is sent again to
//! make up for one that was late: lateness of the bench is counted and told ([`deadlines`]).

mod acts;
mod alarm;
mod bench;
mod deadlines;
mod floors;
mod grace;
mod links;
mod load;
mod observer;
mod reader;
mod recorder;
mod report;
mod sender;
mod settling;
mod setup;
mod timeline;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lastmeter_record::Event;
use lastmeter_record::{RunState, RunWriter};

pub(crate) use alarm::Alarm;
pub(crate) use recorder::Row;
pub(crate) use report::Report;
pub(crate) use timeline::stagger;

use super::console::Console;
use super::error::{BenchError, chain};
use super::live::Live;
use super::under_test::StartOptions;
use super::{Halt, RunOptions, Stop, ended_by, ending, guarantees, never_stood};
use crate::language::Scenario;
use bench::RealBench;

/// Threads that serve devices, observers and proxies.
const THREADS: usize = 2;

/// A runtime for what has to be on time, and the policy its threads got.
pub(crate) struct Punctual {
    runtime: Option<tokio::runtime::Runtime>,
    refused: Arc<std::sync::Mutex<Option<String>>>,
    is_raised: Arc<AtomicBool>,
}

impl Punctual {
    /// Starts the threads; asks for real-time priority unless told not to.
    pub(crate) fn start(real_time_priority: bool) -> Result<Self, BenchError> {
        let refused = Arc::new(std::sync::Mutex::new(None));
        let is_raised = Arc::new(AtomicBool::new(false));
        let (told, raised) = (Arc::clone(&refused), Arc::clone(&is_raised));
        if !real_time_priority {
            *told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                Some("not asked for".to_owned());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("punctual")
            .on_thread_start(move || {
                if !real_time_priority {
                    return;
                }
                match lastmeter_link::priority::raise_this_thread(
                    lastmeter_link::priority::DEFAULT_LEVEL,
                ) {
                    Ok(()) => raised.store(true, Ordering::Relaxed),
                    Err(reason) => {
                        *told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                            Some(reason);
                    }
                }
            })
            .enable_all()
            .build()
            .map_err(|error| BenchError::PlatformStart(format!("the bench's threads: {error}")))?;
        Ok(Self { runtime: Some(runtime), refused, is_raised })
    }

    pub(crate) fn handle(&self) -> tokio::runtime::Handle {
        self.runtime
            .as_ref()
            .map_or_else(tokio::runtime::Handle::current, |runtime| runtime.handle().clone())
    }

    /// The policy that was got, and why not the one that was tried for.
    pub(crate) async fn policy(&self) -> (String, Option<String>) {
        let word = self.handle().spawn(async { lastmeter_link::priority::policy_word() });
        let word = word.await.unwrap_or_else(|_| "unknown".to_owned());
        let refused =
            self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let refused = refused.filter(|_| !self.is_raised.load(Ordering::Relaxed));
        (word, refused)
    }
}

impl Drop for Punctual {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for threads would block the runtime this is dropped in.
            runtime.shutdown_background();
        }
    }
}

/// Runs a scenario in real time and finishes its record.
///
/// # Errors
/// Only if the record cannot be written; a bench that broke is in the record.
pub(super) async fn run(
    scenario: &Scenario,
    options: &RunOptions,
    console: &mut Console,
    stop: Stop,
    (mut writer, live): (RunWriter, Live),
    place: &StartOptions<'_>,
) -> Result<(), BenchError> {
    let record = |error: &dyn std::error::Error| BenchError::Record(chain(error));
    let started = super::monotonic();
    writer.record_latency().map_err(|e| record(&e))?;
    let punctual = Punctual::start(options.real_time_priority)?;
    let mut stopping = stop.clone();
    let assembled = tokio::select! {
        biased;
        signal = ended_by(&mut stopping) => Err(BenchError::Interrupted(signal)),
        assembled = setup::assemble(scenario, place, &punctual) => assembled,
    };
    let parts = match assembled {
        Ok(parts) => parts,
        Err(error) => {
            return never_stood(writer, &error, scenario.schedule.start).map_err(|e| record(&e));
        }
    };
    let mut bench = RealBench::new(scenario, parts, (writer, live));
    let halt = drive(&mut bench, options, console, stop, started).await.err();
    let (state, cause) = match &halt {
        None => (RunState::Finished, None),
        Some(Halt::Interrupted(signal)) => {
            bench.note(Event::interrupted(bench.now(), signal.cause()));
            (RunState::Interrupted, Some(signal.cause().to_owned()))
        }
        Some(Halt::Broken(error)) => {
            let (state, event) = super::broken(bench.now(), error);
            bench.note(event);
            (state, Some(chain(error)))
        }
    };
    bench.close_record(state == RunState::Finished)?;
    let mut end = ending(state, cause.as_deref(), bench.recorded());
    end.guarantees = guarantees(&scenario.platform.choice);
    end.more = bench.measured(started.elapsed());
    let facts = bench.facts(&punctual).await;
    let (mut writer, stopped) = bench.close().await;
    if let (RunState::Finished, Err(error)) = (state, &stopped) {
        (end.state, end.cause) = (RunState::Error, Some(chain(error)));
    }
    writer.set_real_time(facts);
    if let Some(Halt::Interrupted(signal)) = halt {
        writer.set_signal(signal);
    }
    writer.finish(end).map_err(|e| record(&e))
}

async fn drive(
    bench: &mut RealBench<'_>,
    options: &RunOptions,
    console: &mut Console,
    mut stop: Stop,
    started: Instant,
) -> Result<(), Halt> {
    let whole = async {
        bench.connect().await?;
        bench.measure_floor_before(console, options.wait_quiet).await?;
        bench.run(console, started).await?;
        bench.drain(console).await?;
        bench.measure_floor_after(console).await
    };
    let limit = options.timeout.as_ref().map_or(std::time::Duration::MAX, |(limit, _)| *limit);
    tokio::select! {
        biased;
        signal = ended_by(&mut stop) => Err(Halt::Interrupted(signal)),
        ended = tokio::time::timeout(limit, whole) => ended
            .unwrap_or_else(|_| {
                let written = options.timeout.as_ref().map_or("", |(_, written)| written);
                Err(BenchError::Timeout(written.to_owned()))
            })
            .map_err(Halt::Broken),
    }
}
