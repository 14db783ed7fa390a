//! The tasks of a run in real time, and how they report.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lastmeter_link::priority::DEFAULT_LEVEL;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::report::Report;
use crate::run::alarm::Alarm;
use crate::run::error::BenchError;
use crate::run::own_runtime::OwnRuntime;

/// Everything that runs beside the one that keeps the record.
pub(super) struct Workers {
    pub(super) alarm: Alarm,
    pub(super) reports: UnboundedReceiver<Report>,
    /// For tasks that are started later.
    pub(super) reporter: UnboundedSender<Report>,
    pub(super) tasks: JoinSet<Result<(), BenchError>>,
    closing: watch::Sender<bool>,
    /// Whether the platform's readings are polled for, which makes their latency coarser.
    pub(super) polls: Arc<AtomicBool>,
    /// For what has to be on time, with real-time priority where the machine grants it.
    pub(super) punctual: OwnRuntime,
}

impl Workers {
    /// None at work yet but the timer.
    pub(super) fn start(real_time_priority: bool) -> Result<Self, BenchError> {
        let level = real_time_priority.then_some(DEFAULT_LEVEL);
        let punctual = OwnRuntime::start("punctual", level)
            .map_err(|error| BenchError::PlatformStart(format!("the bench's threads: {error}")))?;
        let (reporter, reports) = unbounded_channel();
        let (alarm, alarm_task) = {
            let _within = punctual.handle().enter();
            Alarm::start().map_err(BenchError::file("cannot make a timer", "timerfd"))?
        };
        let mut workers = Self {
            alarm,
            reports,
            reporter,
            tasks: JoinSet::new(),
            closing: watch::channel(false).0,
            polls: Arc::new(AtomicBool::new(false)),
            punctual,
        };
        workers.spawn(async move {
            match alarm_task.await {
                Ok(error) => Err(BenchError::file("cannot wait with", "timerfd")(error)),
                Err(error) => Err(BenchError::Record(format!("the bench's timer: {error}"))),
            }
        });
        Ok(workers)
    }

    pub(super) fn spawn(
        &mut self,
        task: impl Future<Output = Result<(), BenchError>> + Send + 'static,
    ) {
        self.tasks.spawn_on(task, &self.punctual.handle());
    }

    /// Becomes true when everybody is to end.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Ends all tasks, in an orderly way if they can.
    pub(super) async fn close(&mut self) {
        self.closing.send_replace(true);
        // The alarm's own task has no end: it goes with the others.
        let ended =
            async { while self.tasks.len() > 1 && self.tasks.join_next().await.is_some() {} };
        // Tasks that wait for a command's answer never end by themselves.
        let _ = tokio::time::timeout(Duration::from_secs(5), ended).await;
        self.tasks.shutdown().await;
    }
}

/// A task that ends before the end has broken, or its platform has.
pub(super) fn ended_early(
    ended: Option<Result<Result<(), BenchError>, JoinError>>,
) -> Result<(), BenchError> {
    match ended {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => Err(BenchError::broken_device("unknown", error)),
    }
}
