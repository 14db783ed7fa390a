//! Puts a bench for virtual time together: platform, devices, modelled links.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use lastmeter_link::mqtt::{Session, SessionOptions};

use super::calibrator::Calibrator;
use super::platform::DrivenPlatform;
use crate::language::Scenario;
use crate::run::device_setup::device_setup;
use crate::run::error::BenchError;
use crate::run::joining::Ledger;
use crate::run::modelled::{self, ModelledRecord};
use crate::run::mqtt_port::MqttPort;
use crate::run::party::{Party, SoleDevice};
use crate::run::rest::Rest;
use crate::run::run_platform::{StartOptions, UnderTest};
use crate::run::shell::{Shell, ShellParts};

/// What a bench is assembled from, before there is anything to record.
pub(crate) struct Parts<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) shells: Vec<Shell>,
    pub(crate) ledger: Ledger,
    pub(crate) platform: DrivenPlatform,
    /// Counts the acknowledgements of all devices.
    pub(crate) acknowledged: Arc<AtomicU64>,
    /// The latency record, where links or observers are modelled.
    pub(crate) modelled: Option<ModelledRecord>,
    pub(crate) calibrator: Option<Calibrator>,
}

/// Starts the platform and connects the devices to it.
pub(crate) async fn assemble<'a>(
    scenario: &'a Scenario,
    place: &StartOptions<'_>,
) -> Result<Parts<'a>, BenchError> {
    let platform = UnderTest::start(&scenario.platform.choice, place).await?;
    let rest = Rest::new(platform.profile())?;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let records_latency = !scenario.links.is_empty() || !scenario.observers.is_empty();
    let (mut shells, mut ledger) = (Vec::new(), Ledger::default());
    for (index, row) in scenario.devices.iter().enumerate() {
        let setup = device_setup(scenario, index)?;
        ledger.accounts.push(setup.account);
        let port = MqttPort::new(row.is_bound, std::iter::once(row.name.as_str()));
        let options = SessionOptions {
            subscriptions: port.subscriptions(),
            ..platform.session_options(&row.name, platform.broker_address()?)?
        };
        let (session, events) = Session::open(options);
        shells.push(Shell::new(ShellParts {
            party: Party::Device(Box::new(SoleDevice::new(
                index,
                &row.name,
                setup.device,
                setup.feeder,
            ))),
            index,
            via: row.via,
            port,
            session,
            events,
            acknowledged: Arc::clone(&acknowledged),
            uplink: modelled::uplink(scenario, (index, &row.name), row.via, row.acknowledge_limit),
            records_latency,
        }));
    }
    Ok(Parts {
        scenario,
        shells,
        ledger,
        platform: DrivenPlatform::new(platform, rest),
        acknowledged,
        modelled: records_latency.then(|| modelled::record(scenario)),
        calibrator: Calibrator::of(scenario),
    })
}
