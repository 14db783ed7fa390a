//! The signals that end a run, and what each of them means.
//!
//! SIGINT, SIGTERM and SIGHUP each end the run that goes on, whose record is finished and judged as
//! interrupted; the process then exits with 128 and the signal's number. The second signal ends the
//! process at once. Below `nohup` a SIGHUP is ignored.

use lastmeter_record::Signal;
use lastmeter_reports::ExitCode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::watch;

use crate::output::{broken, print_err};

/// What holds the signal that asks for an end, once one came.
pub type Stop = watch::Receiver<Option<Signal>>;

/// Carries runs out on the bench's own threads and returns how they ended.
pub fn block_on(runs: impl Future<Output = ExitCode>) -> ExitCode {
    runtime(1).map_or_else(|exit| exit, |runtime| runtime.block_on(runs))
}

/// The bench's own threads, for so many runs at a time; why there are none is printed.
pub fn runtime(jobs: usize) -> Result<Runtime, ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2 * jobs)
        .thread_name("bench")
        .enable_all()
        .build();
    runtime.map_err(|error| broken(&format!("the runtime did not start: {error}")))
}

/// Does something with sockets and timers on this thread alone.
pub fn on_this_thread<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("the runtime did not start: {error}"))?.block_on(what)
}

/// Listens from now on, within a runtime; holds the first signal that came.
pub fn stop_signal() -> Stop {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            print_err("warning: signals cannot be caught here; Ctrl-C ends without a report");
            std::future::pending::<()>().await;
            return;
        };
        // Below `nohup` a hang-up is ignored; to listen for it would undo that.
        let mut hang_up =
            (!is_hang_up_ignored()).then(|| signal(SignalKind::hangup()).ok()).flatten();
        for time in 0.. {
            let came = tokio::select! {
                () = hung_up(hang_up.as_mut()) => Signal::HangUp,
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
            };
            if time == 0 {
                let word = came.word();
                print_err(&format!("{word}: finishing (a second signal ends at once)"));
                let _ = sender.send(Some(came));
            } else {
                end_at_once(came);
            }
        }
    });
    receiver
}

/// Waits for the end of the terminal, if it is listened for.
async fn hung_up(stream: Option<&mut Stream>) {
    or_never(stream).await.recv().await;
}

/// What is there; where nothing is, this never ends.
pub async fn or_never<T>(value: Option<T>) -> T {
    match value {
        Some(value) => value,
        None => std::future::pending().await,
    }
}

/// Waits for the signal that ends the run.
pub async fn ended_by(stop: &mut Stop) -> Signal {
    let came = stop.wait_for(Option::is_some).await.ok().and_then(|signal| *signal);
    // Without one nobody is left who could send it.
    or_never(came).await
}

/// Whether this process was started with hang-ups ignored, as the kernel reports it.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[expect(clippy::exit, reason = "the user has asked twice; the record so far is on disk")]
fn end_at_once(signal: Signal) -> ! {
    std::process::exit(i32::from(ExitCode::of_signal(signal).number()))
}
