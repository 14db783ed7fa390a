//! Devices that run ahead of the bench between two sync points.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;
use tokio::task::JoinSet;

use crate::run::error::BenchError;
use crate::run::shell::Shell;

/// Devices that run ahead to a sync point, each in a task of its own.
pub(super) struct RunAhead {
    tasks: JoinSet<(usize, Shell, Result<(), BenchError>)>,
    names: Vec<(tokio::task::Id, String)>,
    back: BTreeMap<usize, Shell>,
    first_error: Option<BenchError>,
}

impl RunAhead {
    pub(super) fn start(shells: Vec<Shell>, until: SimTime) -> Self {
        let mut tasks = JoinSet::new();
        let mut names = Vec::new();
        for (index, mut shell) in shells.into_iter().enumerate() {
            let name = shell.name().to_owned();
            let task = tasks.spawn(async move {
                let mut result = shell.run_to(until).await;
                if result.is_ok() {
                    result = shell.drained().await;
                }
                (index, shell, result)
            });
            names.push((task.id(), name));
        }
        Self { tasks, names, back: BTreeMap::new(), first_error: None }
    }

    /// Takes in one device that has arrived; false when all have.
    pub(super) async fn next(&mut self) -> bool {
        match self.tasks.join_next().await {
            None => return false,
            Some(Ok((index, shell, result))) => {
                if let Err(error) = result {
                    self.first_error.get_or_insert(error);
                }
                self.back.insert(index, shell);
            }
            Some(Err(error)) => {
                let name = self.names.iter().find(|(id, _)| *id == error.id());
                let device = name.map_or("unknown", |(_, name)| name);
                self.first_error.get_or_insert_with(|| BenchError::broken_device(device, error));
            }
        }
        true
    }

    pub(super) fn finish(self) -> Result<Vec<Shell>, BenchError> {
        match self.first_error {
            Some(error) => Err(error),
            None => Ok(self.back.into_values().collect()),
        }
    }
}
