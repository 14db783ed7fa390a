//! Subscribers of the bench: they receive what the platform's broker passes on, and report when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents};
use lastmeter_units::{Epoch, Serial};
use lastmeter_wire::flexmeter::{DecodeRules, Request, decode};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::recorder::{Observer, digest};
use super::report::Report;
use crate::run::latency_row::Key;
use crate::run::tenants::prefix_of;

/// Which devices there are, by name.
pub(crate) type Devices = Arc<BTreeMap<String, usize>>;

/// The observers of a run, and their connections.
#[derive(Default)]
pub(super) struct Observers {
    pub(super) rows: Vec<Observer>,
    /// Connections of all observers together.
    pub(super) wanted: usize,
    there: BTreeSet<String>,
    pub(super) connections: u64,
    /// Messages that are no reading of the bench.
    pub(super) unreadable: u64,
}

impl Observers {
    pub(super) fn connected(&mut self, connection: String) {
        self.connections += 1;
        self.there.insert(connection);
    }

    pub(super) fn are_all_there(&self) -> bool {
        self.there.len() >= self.wanted
    }
}

/// The reading a payload under a topic is, if it is one of a device of the bench, with the
/// payload's digest.
pub(crate) fn reading_of(topic: &str, payload: &[u8], devices: &Devices) -> Option<(Key, u64)> {
    let Ok(Request::Measurements(message)) = decode(payload, &DecodeRules::default()) else {
        return None;
    };
    let (epoch, serial): (Epoch, Serial) = message.number()?;
    let device = *devices.get(&format!("{}{}", prefix_of(topic), message.hardware_id))?;
    Some(((device, epoch, serial), digest(payload)))
}

/// Serves one connection of an observer until it is asked to end.
pub(crate) async fn observe(
    (observer, connection): (usize, String),
    (session, mut events): (Session, SessionEvents),
    devices: Devices,
    reports: UnboundedSender<Report>,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        let event = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => break,
            event = events.recv() => event,
        };
        let at_ns = monotonic_ns();
        let report = match event {
            None => break,
            Some(SessionEvent::Received { topic, payload }) => {
                let Some((key, digest)) = reading_of(&topic, &payload, &devices) else {
                    // An answer to a command, or something altered beyond reading.
                    let _ = reports.send(Report::Unreadable);
                    continue;
                };
                Report::Received { observer, key, digest, at_ns }
            }
            Some(SessionEvent::Connected) => {
                Report::ObserverConnected { connection: connection.clone() }
            }
            Some(SessionEvent::Disconnected { reason }) => {
                Report::ObserverDisconnected { observer, reason }
            }
            Some(
                SessionEvent::Acknowledged { .. }
                | SessionEvent::Refused { .. }
                | SessionEvent::TakenOver,
            ) => continue,
        };
        if reports.send(report).is_err() {
            break;
        }
    }
    session.close().await;
}
