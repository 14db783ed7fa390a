//! What the application reads of the platform when it is connected, beside what it has sent itself.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::rest::Answer;
use serde::Deserialize;

use super::Meter;
use crate::border::AppOutput;
use crate::client::{Client, is_lasting};
use crate::network::{NetworkDocument, SwitchStates, place_of};
use crate::platform::{Results, body};

/// Devices on a page.
const PAGE: usize = 1000;
/// Requests for last values at a time.
const AT_ONCE: usize = 16;

/// What a request was for.
pub(super) enum Asked {
    Network,
    States,
    Devices(usize),
    /// The last values and alerts of a meter, by its place.
    Last(usize),
    /// The last reading of one whose state has none.
    Readings(usize),
    /// A poll of a meter at an instant, and what came of it.
    Poll(usize, SimTime),
    Answer(usize, SimTime),
}

/// A device of the platform.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    hardware_id: HardwareId,
    assignment_token: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// An assignment with what is known last of its meter.
#[derive(Deserialize)]
struct WithState {
    state: Option<Last>,
}

/// What is known last of a meter.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Last {
    #[serde(rename = "lastInteractionDate")]
    interaction: Option<SimTime>,
    latest_measurements: Vec<LastValue>,
    /// Newest first.
    pub(super) latest_alerts: Vec<LastAlert>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastValue {
    event_date: SimTime,
}

/// An alert of a meter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastAlert {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) event_date: SimTime,
    pub(super) received_date: SimTime,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
}

impl Last {
    /// The date of its last reading.
    pub(super) fn reading(&self) -> Option<SimTime> {
        self.latest_measurements.iter().map(|value| value.event_date).max()
    }
}

/// The list of devices, page by page.
#[derive(Debug, Default)]
pub(super) struct Devices {
    list: Vec<Device>,
    pub(super) are_whole: bool,
}

impl Devices {
    /// Asks for a page.
    pub(super) fn ask(page: usize, client: &mut Client<Asked>, out: &mut Vec<AppOutput>) {
        let path = format!("/sitewhere/api/devices?page={page}&pageSize={PAGE}");
        client.get(Asked::Devices(page), path, out);
    }

    /// Takes a page, and asks for the one that follows it; none if it cannot be read.
    pub(super) fn take(
        &mut self,
        (page, answer): (usize, &Answer),
        client: &mut Client<Asked>,
        out: &mut Vec<AppOutput>,
    ) -> Option<()> {
        let found: Results<Device> = body(answer)?;
        self.are_whole = found.results.len() < PAGE;
        self.list.extend(found.results);
        if !self.are_whole {
            Self::ask(page + 1, client, out);
        }
        Some(())
    }

    /// The meters at a network, and their assignments.
    pub(super) fn meters(&mut self, network: &str) -> (Vec<Meter>, Vec<String>) {
        let meter = |device: Device| {
            let of = |key: &str| device.metadata.get(key).map(String::as_str);
            let load = of("load").filter(|_| of("network") == Some(network))?.to_owned();
            let is_equipped = of("last_gasp") != Some("false");
            Some((Meter { load, is_equipped, id: device.hardware_id }, device.assignment_token))
        };
        std::mem::take(&mut self.list).into_iter().filter_map(meter).unzip()
    }
}

/// All that is read, as far as it is there.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) network: Option<NetworkDocument>,
    pub(super) states: Option<SwitchStates>,
    devices: Devices,
    /// The meters, by place, and what is known last of them.
    pub(super) meters: Vec<Meter>,
    pub(super) last: Vec<Last>,
    /// Their assignments, once they are known; how many are asked for, and answered.
    pub(super) tokens: Option<Vec<String>>,
    asked: usize,
    answered: usize,
}

impl Reading {
    /// Asks for what can be asked for without knowing anything.
    pub(super) fn begin(
        network: &str,
        client: &mut Client<Asked>,
        out: &mut Vec<AppOutput>,
    ) -> Self {
        client.read_back(out);
        client.get(Asked::Network, place_of(network), out);
        Devices::ask(1, client, out);
        Self::default()
    }

    /// Whether all is there.
    pub(super) fn is_whole(&self) -> bool {
        self.states.is_some() && self.tokens.as_ref().is_some_and(|it| it.len() == self.answered)
    }

    /// Takes an answer, and asks for what can be asked for then; none if it cannot be read.
    pub(super) fn take(
        &mut self,
        (asked, answer): (Asked, &Answer),
        client: &mut Client<Asked>,
        out: &mut Vec<AppOutput>,
    ) -> Option<()> {
        match asked {
            Asked::Network => {
                let document: NetworkDocument = body(answer)?;
                client.get(Asked::States, document.topology(), out);
                self.network = Some(document);
            }
            Asked::States => self.states = Some(body(answer)?),
            Asked::Devices(page) => self.devices.take((page, answer), client, out)?,
            Asked::Last(place) => {
                let last = body::<WithState>(answer)?.state.unwrap_or_default();
                // Readings update the state only if they ask for that.
                if last.reading().is_none() && last.interaction.is_some() {
                    let token = &self.tokens.as_ref()?[place];
                    let path = format!(
                        "/sitewhere/api/assignments/{token}/measurements?page=1&pageSize=1"
                    );
                    client.get(Asked::Readings(place), path, out);
                } else {
                    self.answered += 1;
                }
                self.last[place] = last;
            }
            Asked::Readings(place) => {
                self.answered += 1;
                // Who may not read these goes without them.
                if !is_lasting(answer.status) {
                    let newest: Results<LastValue> = body(answer)?;
                    self.last[place].latest_measurements = newest.results;
                }
            }
            Asked::Poll(..) | Asked::Answer(..) => {}
        }
        self.ask_last(client, out);
        Some(())
    }

    /// Asks for what is known last of meters, once it is known which these are.
    fn ask_last(&mut self, client: &mut Client<Asked>, out: &mut Vec<AppOutput>) {
        let Some(document) = self.network.as_ref().filter(|_| self.devices.are_whole) else {
            return;
        };
        let tokens = self.tokens.get_or_insert_with(|| {
            let (meters, tokens) = self.devices.meters(document.of());
            self.last.resize_with(meters.len(), Last::default);
            self.meters = meters;
            tokens
        });
        while self.asked < tokens.len() && self.asked - self.answered < AT_ONCE {
            let path = format!("/sitewhere/api/assignments/{}", tokens[self.asked]);
            client.get(Asked::Last(self.asked), path, out);
            self.asked += 1;
        }
    }
}
