//! Applications in the rounds of a sync point: what they ask for and conclude is noted, and they
//! are woken when their time has come.

use lastmeter_units::{SimDuration, SimTime};

use super::bench::VirtualBench;
use crate::run::alerts::AlertsRead;
use crate::run::applications::{Acted, AskedCommand};
use crate::run::commands::CommandOrder;
use crate::run::error::BenchError;
use crate::run::results::StoredResult;

/// How soon after something happens in the plant applications have heard of it.
const ALERT_AFTER: SimDuration = SimDuration::from_seconds(1);

impl VirtualBench<'_> {
    /// When applications hear of what the plant does next: they would at once. What a network that
    /// obeys does next is not known, so they may at any time.
    pub(super) fn alerts_come(&self) -> Option<SimTime> {
        let mut rows = self.parts.scenario.applications.iter();
        if self.parts.plant.is_some() && rows.any(|row| row.network().is_some()) {
            return Some(self.now + ALERT_AFTER);
        }
        if self.parts.applications.is_empty() {
            return None;
        }
        let next = self.recording.next_of_plant(self.now - ALERT_AFTER)?;
        Some(next.max(self.now) + ALERT_AFTER)
    }

    /// Takes note of the commands that applications have asked for: they are held against what
    /// becomes of them, as those of the bench are.
    pub(super) fn note_asked(&mut self) {
        let Acted { commands, news } = self.parts.applications.take_acted();
        for news in news {
            self.parts.ledger.notices.take(news);
        }
        for asked in commands {
            let AskedCommand { device: name, command, parameters, invocation } = &asked;
            let devices = &self.parts.scenario.devices;
            let Some(device) = devices.iter().position(|row| row.name == *name) else { continue };
            let order = CommandOrder { device, command, parameters, must_be_refused: false };
            let at_device = (name.as_str(), self.parts.shells[self.shell_of[device]].received);
            let (_, event) = self.commands.give(self.now, order, at_device, invocation.clone());
            self.recording.note(event);
            self.parts.ledger.notices.asked(name, Some(invocation));
        }
    }

    /// Lets applications act whose time has come.
    pub(super) async fn let_applications_act(&mut self) -> Result<(), BenchError> {
        self.parts.applications.wake(self.now).await?;
        self.applications_acted().await
    }

    /// Takes note of what applications have done, and lets the bench come to rest again.
    pub(super) async fn applications_acted(&mut self) -> Result<(), BenchError> {
        self.note_asked();
        self.come_to_rest().await?;
        self.settle_commands().await
    }

    /// Reads back what they have concluded.
    pub(super) async fn read_results(&mut self) -> Result<(), BenchError> {
        if self.parts.applications.is_empty() {
            return Ok(());
        }
        let results = self.parts.platform.rest.results().await?;
        let alerts = results.iter().map(StoredResult::notice).collect();
        self.parts.ledger.notices.stored(&AlertsRead { alerts, is_newly_absent: false });
        let events =
            results.iter().map(|result| result.event(self.parts.scenario, result.received_time));
        self.recording.events.extend(events);
        Ok(())
    }
}
