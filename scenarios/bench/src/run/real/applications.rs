//! Applications in real time: each is moved by its shell, as a task of the bench or in a process of
//! its own, `lastmeter app`.
//!
//! They begin with the schedule, whose event time they live in. What ends them in its midst is what
//! SIGKILL is: nothing is put in order, the connection breaks off.

mod process;

use lastmeter_apps::shell::{self, ShellEvent, ShellOptions};
use lastmeter_language::Scenario;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_wire::rest::{Answer, Request};
use tempfile::TempDir;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use self::process::Process;
use super::report::Report;
use super::timeline::Timeline;
use super::workers::Workers;
use crate::run::applications::{Running, command, registered};
use crate::run::error::{BenchError, chain};
use crate::run::run_platform::{Profile, UnderTest};

/// The applications of a run.
#[derive(Default)]
pub(super) struct RealApplications {
    all: Vec<Running>,
    /// What kills each of them; nothing while it does not run.
    kills: Vec<Option<oneshot::Sender<()>>>,
    /// Where settings of processes lie, which have secrets in them.
    settings: Option<TempDir>,
    timeline: Option<Timeline>,
}

impl RealApplications {
    /// Registers the applications of a scenario; none runs yet.
    pub(super) async fn register(
        scenario: &Scenario,
        platform: &UnderTest,
    ) -> Result<Self, BenchError> {
        let all = registered(scenario, platform).await?;
        let has_processes = all.iter().any(|one| one.row.is_process);
        let settings = has_processes.then(tempfile::tempdir).transpose();
        let settings = settings.map_err(BenchError::file("cannot make a folder", "settings"))?;
        let kills = all.iter().map(|_| None).collect();
        Ok(Self { all, kills, settings, timeline: None })
    }

    /// Starts all of them, at the beginning of the schedule.
    pub(super) fn begin(
        &mut self,
        timeline: Timeline,
        workers: &mut Workers,
    ) -> Result<(), BenchError> {
        self.timeline = Some(timeline);
        (0..self.all.len()).try_for_each(|application| self.start(application, workers))
    }

    /// Kills one, or starts it again.
    pub(super) fn run(
        &mut self,
        application: usize,
        runs: bool,
        workers: &mut Workers,
    ) -> Result<(), BenchError> {
        if let Some(kill) = self.kills[application].take() {
            // One that has ended has reported why.
            let _ = kill.send(());
        }
        if runs { self.start(application, workers) } else { Ok(()) }
    }

    fn start(&mut self, application: usize, workers: &mut Workers) -> Result<(), BenchError> {
        let (one, Some(timeline)) = (&self.all[application], self.timeline) else { return Ok(()) };
        let (kill, killed) = oneshot::channel();
        self.kills[application] = Some(kill);
        let (reports, mut closing) = (workers.reporter.clone(), workers.closing());
        if let Some(folder) = self.settings.as_ref().filter(|_| one.row.is_process) {
            let process = Process::of(one, folder.path(), timeline)?;
            workers.tasks.spawn(async move {
                tokio::select! {
                    ended = process.run(&reports, closing) => ended,
                    // With its handle it goes, by SIGKILL.
                    _ = killed => Ok(()),
                }
            });
            return Ok(());
        }
        let machine = one.machine()?;
        let profile = Profile { token: one.key.clone(), ..one.profile.clone() };
        let rest = profile.rest_client().map_err(|error| BenchError::Rest(chain(&error)))?;
        let clock = Box::new(move || timeline.now());
        let options = ShellOptions { session: one.connect.clone(), rest, clock };
        let (name, prefix) = (one.row.name.clone(), one.prefix.clone());
        // Not on the punctual threads: what one computes may take long.
        workers.tasks.spawn(async move {
            let end = async { _ = closing.wait_for(|closing| *closing).await };
            let report = |event| {
                if let ShellEvent::Answered { request, answer } = event {
                    report_command(&reports, &prefix, &request, &answer);
                }
            };
            tokio::select! {
                ended = shell::run(machine, options, report, end) => {
                    ended.map_err(|error| BenchError::device(&name, chain(&error)))
                }
                _ = killed => Ok(()),
            }
        });
        Ok(())
    }
}

/// Reports a command, if that is what was asked for.
fn report_command(
    reports: &UnboundedSender<Report>,
    prefix: &str,
    request: &Request,
    answer: &Answer,
) {
    if let Some(command) = command(prefix, request, answer) {
        // Nobody listens any more: the run has ended.
        let _ = reports.send(Report::Commanded { command, at_ns: monotonic_ns() });
    }
}
