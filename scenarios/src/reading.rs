//! Scenarios while they are read. Their networks are solved and played then, which may take long:
//! it is told on a terminal, and SIGINT, SIGTERM and a limit of time end it, with the process, as
//! there is no record yet that could be finished.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lastmeter_record::Signal;
use lastmeter_reports::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::output::print_err;
use crate::run::monotonic;

/// So often it is looked how long a file takes.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What takes less is not told.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// A limit of time, and how it was written.
pub(crate) type Limit = Option<(Duration, String)>;

/// Watches over files that are read.
pub(crate) struct Reading {
    now: watch::Sender<Option<PathBuf>>,
    watcher: JoinHandle<()>,
    took: BTreeMap<PathBuf, Duration>,
}

impl Reading {
    /// From now on, within a runtime.
    pub(crate) fn watched(limit: Limit, shows_progress: bool) -> Self {
        let (now, receiver) = watch::channel(None);
        let watcher = tokio::spawn(watch_over(receiver, limit, shows_progress));
        Self { now, watcher, took: BTreeMap::new() }
    }

    /// Reads a file.
    pub(crate) fn read<T>(&mut self, path: &Path, read: impl FnOnce() -> T) -> T {
        let began = monotonic();
        self.now.send_replace(Some(path.to_owned()));
        let done = read();
        self.now.send_replace(None);
        *self.took.entry(path.to_owned()).or_default() += began.elapsed();
        done
    }

    /// All are read; how long each took.
    pub(crate) fn end(mut self) -> BTreeMap<PathBuf, Duration> {
        std::mem::take(&mut self.took)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

async fn watch_over(mut now: watch::Receiver<Option<PathBuf>>, limit: Limit, shows: bool) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Then they end the process by themselves.
        return;
    };
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let (mut since, mut bar) = (monotonic(), ProgressBar::hidden());
    loop {
        let came = tokio::select! {
            biased;
            _ = interrupt.recv() => Some(Signal::Interrupt),
            _ = terminate.recv() => Some(Signal::Terminate),
            changed = now.changed() => {
                bar.finish_and_clear();
                if changed.is_err() {
                    return;
                }
                (since, bar) = (monotonic(), ProgressBar::hidden());
                None
            }
            _ = looks.tick() => None,
        };
        let path = now.borrow().as_ref().map(|it| it.display().to_string());
        let file = path.as_deref().unwrap_or("the scenarios");
        if let Some(signal) = came {
            bar.finish_and_clear();
            let cause = signal.cause();
            let text = format!("{cause} while {file} was read, with its network: nothing was run");
            end(&text, ExitCode::of_signal(signal));
        }
        let elapsed = since.elapsed();
        if path.is_none() {
            continue;
        }
        if let Some((_, written)) = limit.as_ref().filter(|(limit, _)| elapsed > *limit) {
            bar.finish_and_clear();
            let text = format!(
                "error: {file}: to read it, with its network that is played ahead, takes longer \
                 than {written} (--timeout): nothing was run"
            );
            end(&text, ExitCode::Broken);
        }
        if shows && elapsed > TOLD_AFTER && std::io::stderr().is_terminal() {
            if bar.is_hidden() {
                let style = ProgressStyle::with_template("  {spinner} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner());
                bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5))
                    .with_style(style);
            }
            let seconds = elapsed.as_secs();
            bar.set_message(format!("reading {file}, with its network: {seconds} s"));
            bar.tick();
        }
    }
}

#[expect(clippy::exit, reason = "what is read cannot be stopped otherwise, and nothing is written")]
fn end(text: &str, code: ExitCode) -> ! {
    print_err(text);
    std::process::exit(i32::from(code.number()))
}
