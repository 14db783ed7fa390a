//! What the concentrator has sent or will send and the platform has not acknowledged, and what it
//! remembers of its meters.
//!
//! A durable store writes before it sends: a message has its record's number, and goes out once the
//! record is durable. Records of acknowledged messages are given up from the oldest on, but not
//! before a record with the state of all meters stands behind them. A volatile one (a planted
//! fault) writes nothing, and loses what it cannot send at once.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{Epoch, HardwareId, Serial, SimTime};

use super::record::{MeterState, Parts, PointState, Record};
use crate::gateway::{GatewayEventKind, GatewayOutput};
use crate::message::Alert;

/// So many acknowledged messages are given up at a time while there is no pause.
const GIVEN_UP_AT_ONCE: u64 = 64;

#[derive(Debug, Clone)]
struct OpenMessage {
    number: u64,
    owner: HardwareId,
    payload: Vec<u8>,
}

/// Open messages and states of meters.
#[derive(Debug, Default)]
pub(super) struct Store {
    epoch: Epoch,
    is_durable: bool,
    /// Most open messages.
    limit: usize,
    open: VecDeque<OpenMessage>,
    meters: BTreeMap<HardwareId, MeterState>,
    /// The serial of the last alert, of the gateway or of a meter.
    last_alert: u64,
    /// What was written to points of a simulator, by their names.
    pub(super) points: Vec<PointState>,
    /// What the gateway's own machines keep.
    parts: Parts,
    last_number: u64,
    kept_upto: u64,
    /// The last record of a state; 0 before the first.
    state_number: u64,
    forgotten_upto: u64,
    /// Messages that were dropped because there were too many.
    dropped: u64,
    is_connected: bool,
}

impl Store {
    pub(super) fn new(epoch: Epoch, is_durable: bool, limit: usize) -> Self {
        Self { epoch, is_durable, limit, ..Self::default() }
    }

    pub(super) fn number(&self, serial: u64) -> (Epoch, Serial) {
        (self.epoch, Serial(serial))
    }

    /// Takes over what was kept before a restart; what cannot be read is listed.
    pub(super) fn restore(&mut self, records: &[Vec<u8>]) -> Vec<String> {
        let mut refused = Vec::new();
        if !self.is_durable {
            return refused;
        }
        for (place, bytes) in records.iter().enumerate() {
            match Record::decode(bytes) {
                Ok(Record::Message { number, owner, about, payload }) => {
                    self.last_number = self.last_number.max(number);
                    self.meters.extend(about);
                    self.open.push_back(OpenMessage { number, owner, payload });
                }
                Ok(Record::Meter { number, id, state }) => {
                    self.last_number = self.last_number.max(number);
                    self.meters.insert(id, state);
                }
                Ok(Record::Part { number, name, bytes }) => {
                    self.last_number = self.last_number.max(number);
                    self.parts.insert(name, bytes);
                }
                Ok(Record::State { number, dropped, meters, points, parts }) => {
                    self.points = points;
                    self.parts.extend(parts);
                    self.last_number = self.last_number.max(number);
                    (self.state_number, self.dropped) = (number, dropped);
                    self.meters.extend(meters);
                }
                Err(error) => refused.push(format!("record {} of those kept: {error}", place + 1)),
            }
        }
        self.open.make_contiguous().sort_by_key(|open| open.number);
        // Numbers of records that cannot be read are not given twice.
        self.last_number = self.last_number.saturating_add(refused.len() as u64);
        self.last_alert = self.meters.values().map(|meter| meter.alert).max().unwrap_or(0);
        self.kept_upto = self.last_number;
        refused
    }

    pub(super) fn meter(&self, id: &HardwareId) -> MeterState {
        self.meters.get(id).copied().unwrap_or_default()
    }

    /// Remembers what no message depends on.
    pub(super) fn remember(&mut self, id: &HardwareId, state: MeterState) {
        self.meters.insert(id.clone(), state);
    }

    /// Remembers durably what no message depends on: what follows in the output follows it.
    pub(super) fn keep_meter(
        &mut self,
        id: &HardwareId,
        state: MeterState,
        out: &mut Vec<GatewayOutput>,
    ) {
        self.remember(id, state);
        if self.is_durable {
            self.last_number = self.last_number.saturating_add(1);
            let number = self.last_number;
            let record = Record::Meter { number, id: id.clone(), state }.encode();
            out.push(GatewayOutput::Keep { number, record });
        }
    }

    /// What a machine of the gateway has kept under its names.
    pub(super) const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Keeps durably what a machine of the gateway has to keep: what follows in the output follows
    /// it.
    pub(super) fn keep_part(&mut self, name: String, bytes: Vec<u8>, out: &mut Vec<GatewayOutput>) {
        self.parts.insert(name.clone(), bytes.clone());
        if self.is_durable {
            self.last_number = self.last_number.saturating_add(1);
            let number = self.last_number;
            let record = Record::Part { number, name, bytes }.encode();
            out.push(GatewayOutput::Keep { number, record });
        }
    }

    /// Remembers such a part, which is kept with the next of [`keep_points`](Self::keep_points).
    pub(super) fn remember_part(&mut self, name: &str, bytes: Vec<u8>) {
        self.parts.insert(name.to_owned(), bytes);
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.open.len()
    }

    /// Numbers an alert and puts it in; its number is remembered with what it is about.
    pub(super) fn put_alert(
        &mut self,
        (owner, now): (&HardwareId, SimTime),
        alert: Alert,
        (about, state): (HardwareId, MeterState),
        out: &mut Vec<GatewayOutput>,
    ) {
        self.last_alert += 1;
        let payload = alert.encoded(owner, now, (self.epoch, self.last_alert));
        let state = MeterState { alert: self.last_alert, ..state };
        self.put(owner, Some((about, state)), payload, out);
    }

    pub(super) fn put(
        &mut self,
        owner: &HardwareId,
        about: Option<(HardwareId, MeterState)>,
        payload: Vec<u8>,
        out: &mut Vec<GatewayOutput>,
    ) {
        self.last_number = self.last_number.saturating_add(1);
        let (number, owner) = (self.last_number, owner.clone());
        self.meters.extend(about.clone());
        let open = OpenMessage { number, owner: owner.clone(), payload };
        if !self.is_durable {
            if self.is_connected {
                out.push(send(&open));
                self.open.push_back(open);
            }
            return;
        }
        let payload = open.payload.clone();
        let record = Record::Message { number, owner, about, payload }.encode();
        out.push(GatewayOutput::Keep { number, record });
        self.open.push_back(open);
        while self.open.len() > self.limit
            && let Some(oldest) = self.open.pop_front()
        {
            self.dropped += 1;
            let (limit, owner, dropped) = (self.limit, oldest.owner, self.dropped);
            let detail = format!(
                "message {} of {owner}: more than {limit} are open; {dropped} dropped so far",
                oldest.number
            );
            let (kind, about) = (GatewayEventKind::MessageDropped, Some(owner));
            out.push(GatewayOutput::Event { kind, about, detail });
        }
    }

    /// Records up to this one are durable: their messages go out.
    pub(super) fn kept(&mut self, number: u64, out: &mut Vec<GatewayOutput>) {
        let before = self.kept_upto;
        self.kept_upto = number.clamp(before, self.last_number.max(before));
        if self.is_connected {
            let now = self.open.iter().filter(|open| open.number > before);
            out.extend(now.take_while(|open| open.number <= self.kept_upto).map(send));
        }
    }

    /// The link is there: everything durable that is open goes out, in order.
    pub(super) fn connected(&mut self, out: &mut Vec<GatewayOutput>) {
        self.is_connected = true;
        out.extend(self.open.iter().take_while(|open| open.number <= self.kept_upto).map(send));
    }

    pub(super) fn disconnected(&mut self) {
        self.is_connected = false;
        if !self.is_durable {
            self.open.clear();
        }
    }

    /// The platform has taken over a message; one that is not open is of no interest.
    pub(super) fn acknowledged(&mut self, message: u64) {
        if let Ok(place) = self.open.binary_search_by_key(&message, |open| open.number) {
            self.open.remove(place);
        }
    }

    /// Gives up records that are no longer needed; in a pause all, otherwise many at a time.
    pub(super) fn settle(&mut self, is_pause: bool, out: &mut Vec<GatewayOutput>) {
        if !self.is_durable || self.state_number > self.kept_upto {
            return;
        }
        let closed_upto =
            self.open.front().map_or(self.last_number, |open| open.number.saturating_sub(1));
        let upto = closed_upto.min(self.state_number.saturating_sub(1));
        if upto > self.forgotten_upto {
            self.forgotten_upto = upto;
            out.push(GatewayOutput::Forget { upto });
        }
        let enough = if is_pause { 1 } else { GIVEN_UP_AT_ONCE };
        if closed_upto >= self.state_number.max(self.forgotten_upto).saturating_add(enough) {
            self.keep_state(out);
        }
    }

    fn keep_state(&mut self, out: &mut Vec<GatewayOutput>) {
        self.last_number = self.last_number.saturating_add(1);
        self.state_number = self.last_number;
        let number = self.state_number;
        let meters = self.meters.iter().map(|(id, state)| (id.clone(), *state)).collect();
        let (dropped, points, parts) = (self.dropped, self.points.clone(), self.parts.clone());
        let record = Record::State { number, dropped, meters, points, parts }.encode();
        out.push(GatewayOutput::Keep { number, record });
    }

    /// Keeps what is written to points, before it is written.
    pub(super) fn keep_points(&mut self, points: Vec<PointState>, out: &mut Vec<GatewayOutput>) {
        self.points = points;
        if self.is_durable {
            self.keep_state(out);
        }
    }
}

fn send(open: &OpenMessage) -> GatewayOutput {
    let OpenMessage { number, owner, payload } = open.clone();
    GatewayOutput::Send { message: number, owner, payload }
}
