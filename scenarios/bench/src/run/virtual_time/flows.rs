//! Topics of committed readings and alerts that feed points of a simulator, in virtual time.
//!
//! What has come for a gateway is handed to it at a sync point, in the order of topics and, on one,
//! in the order in which it was committed. There is such a point whenever one of the devices owes a
//! reading that the topics are of.

use std::collections::BTreeMap;

use bytes::Bytes;
use lastmeter_devices::GatewayInput;
use lastmeter_language::Scenario;
use lastmeter_link::mqtt::Session;
use lastmeter_units::{SimTime, TenantName};

use crate::run::error::BenchError;
use crate::run::flows::{FlowHearer, filters};
use crate::run::hearing::Hearing;
use crate::run::ledger::Account;
use crate::run::run_platform::UnderTest;
use crate::run::shell::Shell;

/// Gateways that hear topics, each with its connection, and of which devices these are.
#[derive(Default)]
pub(crate) struct Flows(Vec<(Hearing, Vec<usize>)>);

impl Flows {
    /// Whether a gateway of the scenario hears any.
    pub(super) fn are_heard(scenario: &Scenario) -> bool {
        scenario.gateways.iter().any(|row| !filters(scenario, row).is_empty())
    }

    /// Registers and connects those of a scenario.
    pub(super) async fn start(
        scenario: &Scenario,
        platform: &UnderTest,
    ) -> Result<Self, BenchError> {
        let mut all = Vec::new();
        for row in &scenario.gateways {
            let hearer = FlowHearer::register((scenario, row), platform).await?;
            let Some(hearer) = hearer else { continue };
            let (tenant, broker) = (TenantName::default(), platform.broker_address()?);
            let of_device = platform.session_options(&tenant, &hearer.client_id, broker)?;
            let session = Session::open(hearer.connect(of_device));
            all.push((hearer.hearing(session).await?, hearer.devices));
        }
        Ok(Self(all))
    }

    /// When one of their devices owes a reading next.
    pub(super) fn next(&self, now: SimTime, accounts: &[Account]) -> Option<SimTime> {
        let due = |device: &usize| {
            let mut schedule = accounts.get(*device)?.schedule.clone();
            schedule.take_until(now);
            Some(schedule.next())
        };
        self.0.iter().flat_map(|(_, devices)| devices).filter_map(due).min()
    }

    /// Takes in how many messages went to each party.
    pub(super) fn went_to(&mut self, parties: &BTreeMap<String, u64>) {
        for (own, _) in &mut self.0 {
            own.sent += parties.get(&format!("app:{}", own.name)).copied().unwrap_or(0);
        }
    }

    /// Hands each gateway what has come for it, unless its link is broken; whether there was any.
    pub(super) async fn deliver(&mut self, shells: &mut [Shell]) -> Result<bool, BenchError> {
        let mut moved = false;
        for (own, _) in &mut self.0 {
            let mut inbox = own.arrived().await?;
            // Alerts of several devices are committed in any order.
            let content = |(topic, payload): &(String, Bytes)| {
                topic.ends_with("/alerts").then(|| payload.clone())
            };
            inbox.sort_by(|one, other| (&one.0, content(one)).cmp(&(&other.0, content(other))));
            let shell = shells.iter_mut().find(|shell| shell.name() == own.name);
            let Some(shell) = shell.filter(|shell| !shell.is_cut()) else { continue };
            moved |= !inbox.is_empty();
            for (topic, payload) in inbox {
                let payload = payload.to_vec();
                shell.hand(GatewayInput::Flow { topic, payload }).await?;
            }
        }
        Ok(moved)
    }
}
