//! Nodes of a home and their gateway in real time, against any dispatcher.

use std::collections::BTreeMap;
use std::time::Duration;

use lastmeter_language::Scenario;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{PublishError, SessionEvent};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_zigbee::session::GatewaySettings;

use super::client_output::{ClientOutput, LinkEvent};
use super::connection::Connection;
use super::device_setup::device_setup;
use super::error::{BenchError, chain};
use super::field::Field;
use super::field_setup::field;
use super::real::Timeline;

/// The longest that nothing is looked at.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// What a gateway keeps durably, by number.
pub type Records = BTreeMap<u64, Vec<u8>>;

/// A home that runs by itself: the first gateway of a scenario with all that is behind it.
pub struct LiveHome {
    field: Field,
    owner: HardwareId,
    start: SimTime,
}

/// Where a home's gateway dials, and as whom.
pub struct Dials {
    /// `host:port` of the dispatcher.
    pub address: String,
    /// What the gateway is set up with.
    pub settings: GatewaySettings,
}

impl LiveHome {
    /// The home of a scenario, whose gateway goes on with what it kept.
    ///
    /// # Errors
    /// If the scenario has no gateway, or something of it cannot be made.
    pub fn new(scenario: &Scenario, kept: Records) -> Result<Self, String> {
        let row = scenario.gateways.first().ok_or("there is no gateway")?;
        let setup = |index| device_setup(scenario, index, None).map(|(setup, _)| Some(setup));
        let setups: Result<Vec<_>, BenchError> = (0..scenario.devices.len()).map(setup).collect();
        let made = setups.and_then(|mut setups| field(scenario, row, &mut setups));
        let mut field = made.map_err(|error| chain(&error))?;
        field.restore(kept);
        let owner = HardwareId::new(&row.name).map_err(|error| error.to_string())?;
        Ok(Self { field, owner, start: scenario.schedule.start })
    }

    /// The names of its nodes, each with its address.
    pub fn nodes(&self) -> Vec<(String, String)> {
        let node = |device: &super::field::FieldDevice| {
            (device.name.clone(), device.device.network_address().unwrap_or_default())
        };
        self.field.devices.iter().map(node).collect()
    }

    /// Lives until the future is ready. `keep` makes durable what the gateway keeps, before what is
    /// numbered by it goes out; `note` takes what happens, in words.
    ///
    /// # Errors
    /// If something cannot be kept, or a device cannot go on.
    pub async fn serve(
        &mut self,
        dials: Dials,
        keep: &mut dyn FnMut(&Records) -> Result<(), String>,
        note: &mut dyn FnMut(String),
        ended: impl Future<Output = ()>,
    ) -> Result<(), String> {
        let Dials { address, settings } = dials;
        let timeline = Timeline { start: self.start, origin_ns: monotonic_ns() };
        let topic = String::new();
        let mut connection = Connection::to_dispatcher(address, settings, topic, self.start);
        let mut ended = std::pin::pin!(ended);
        let mut out = Vec::new();
        loop {
            let now = timeline.now();
            while self.field.now < now {
                self.field.step(now, &mut out);
            }
            connection.set_time(now);
            keep(self.field.kept())?;
            for output in out.drain(..) {
                match output {
                    ClientOutput::Send { message, payload, .. } => {
                        match connection.publish(message, "", payload.into()).await {
                            // The gateway sends it again when there is a connection.
                            Ok(()) | Err(PublishError::NotConnected) => {}
                            Err(error) => return Err(error.to_string()),
                        }
                    }
                    ClientOutput::Note { of, note: what } => note(what.words(&of)),
                    ClientOutput::Failed { of, why } => return Err(format!("`{of}`: {why}")),
                    _ => {}
                }
            }
            let next = self.field.next_event().map_or(IDLE_MAX, |next| {
                Duration::from_nanos((next - timeline.now()).0.max(0).unsigned_abs())
            });
            let event = tokio::select! {
                () = &mut ended => return Ok(()),
                event = tokio::time::timeout(next.min(IDLE_MAX), connection.recv()) => event,
            };
            let Ok(Some(event)) = event else { continue };
            let what = match event {
                SessionEvent::Connected => {
                    note("the dispatcher has taken the connection".to_owned());
                    LinkEvent::Connected
                }
                SessionEvent::Disconnected { reason } => {
                    note(reason);
                    LinkEvent::Disconnected
                }
                SessionEvent::Acknowledged { message } => LinkEvent::Acknowledged { message },
                SessionEvent::Received { payload, .. } => {
                    let owner = self.owner.clone();
                    LinkEvent::Received { owner, payload: payload.to_vec() }
                }
                SessionEvent::Refused { .. } | SessionEvent::TakenOver => continue,
            };
            self.field.on_link_event(what, &mut out);
        }
    }
}
