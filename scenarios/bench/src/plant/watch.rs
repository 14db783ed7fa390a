//! The plant step while somebody waits: it may take long, so a terminal shows how far it is, and
//! signals and a limit of time end it. Nothing is written before it is over.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lastmeter_language::Scenario;
use lastmeter_sim::grid::{NetworkFailure, Playing, SolvedNetwork};
use lastmeter_units::SimDuration;
use tokio::sync::oneshot;

use super::{NotPlayed, take_plant};
use crate::host::monotonic;
use crate::stop::{Stop, ended_by};

/// So often it is looked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What takes less is not shown.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// A limit of time, and how it was written.
pub(crate) type Limit = Option<(Duration, String)>;

/// Who waits for a plant that is played.
pub struct Watch<'a> {
    /// What may end it.
    pub stop: &'a Stop,
    /// How long it may take.
    pub limit: &'a Limit,
    /// Whether a bar on standard error shows how far it is.
    pub shows_progress: bool,
}

/// What the thread that plays and the one that waits have in common.
#[derive(Default)]
struct Shared {
    /// Nanoseconds since the start.
    played_until: AtomicI64,
    is_given_up: AtomicBool,
}

/// Plays the network of a scenario, unless it is played; the scenario with its plant.
pub async fn play(scenario: &Scenario, watch: &Watch<'_>) -> Result<Scenario, NotPlayed> {
    let mut scenario = scenario.clone();
    let network = scenario.network_ahead().filter(|_| scenario.feeder().is_none());
    let Some(network) = network else { return Ok(scenario) };
    let (network, length) = (network.clone(), network.raster().length());
    let shared = Arc::new(Shared::default());
    let (sender, played) = oneshot::channel();
    let of_thread = Arc::clone(&shared);
    let thread = std::thread::spawn(move || _ = sender.send(whole(network, &of_thread)));
    let waited = wait(played, (&scenario, length), &shared, watch).await;
    shared.is_given_up.store(true, Ordering::Relaxed);
    let Ok(played) = waited? else {
        // It sends at its end, unless it panics.
        let panic = thread.join().err().unwrap_or_else(|| Box::new("the plant step ended"));
        std::panic::resume_unwind(panic);
    };
    take_plant(&mut scenario, played).map_err(|failure| NotPlayed::Broken(Box::new(failure)))?;
    Ok(scenario)
}

/// Plays piece by piece, until it is over or nobody waits any more.
fn whole(mut network: Playing, shared: &Shared) -> Result<SolvedNetwork, NetworkFailure> {
    while !network.is_over() && !shared.is_given_up.load(Ordering::Relaxed) {
        network.play_until(network.played_until() + SimDuration(1))?;
        shared.played_until.store(network.played_until().0, Ordering::Relaxed);
    }
    network.finish()
}

type PlayResult = Result<SolvedNetwork, NetworkFailure>;

async fn wait(
    mut played: oneshot::Receiver<PlayResult>,
    (scenario, length): (&Scenario, SimDuration),
    shared: &Shared,
    watch: &Watch<'_>,
) -> Result<Result<PlayResult, oneshot::error::RecvError>, NotPlayed> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let (since, mut bar) = (monotonic(), ProgressBar::hidden());
    let mut stop = watch.stop.clone();
    let ended = loop {
        tokio::select! {
            biased;
            played = &mut played => break Ok(played),
            signal = ended_by(&mut stop) => break Err(NotPlayed::Interrupted(signal)),
            _ = looks.tick() => {}
        }
        let limit = watch.limit.as_ref().filter(|(limit, _)| since.elapsed() > *limit);
        if let Some((_, written)) = limit {
            break Err(NotPlayed::TooLong(written.clone()));
        }
        if watch.shows_progress {
            let share = shared.played_until.load(Ordering::Relaxed) as f64 / length.0 as f64;
            show(&mut bar, scenario, (since, share));
        }
    };
    bar.finish_and_clear();
    ended
}

fn show(bar: &mut ProgressBar, scenario: &Scenario, (since, share): (Instant, f64)) {
    let elapsed = since.elapsed();
    if elapsed < SHOWN_AFTER || !std::io::stderr().is_terminal() {
        return;
    }
    if bar.is_hidden() {
        let style = ProgressStyle::with_template("  {spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        *bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5))
            .with_style(style);
    }
    let (file, seconds) = (scenario.written.path.display(), elapsed.as_secs());
    let percent = (100.0 * share).floor();
    bar.set_message(format!("playing the network of {file}: {percent} %, {seconds} s"));
    bar.tick();
}
