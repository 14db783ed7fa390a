//! The rules of storing once more, in the simplest form: without batches and without a store, from
//! the first entry to the last.

use std::collections::BTreeMap;

use lastmeter_model::invocation::{InvocationId, NewInvocation};
use lastmeter_model::message::{Message, MessageBody, Number};
use lastmeter_model::work::{Body, Change, Changed, Delivery};
use lastmeter_units::{HardwareId, SimTime};

use super::work::{Job, REFUSED_BYTES};

/// What a store has to hold in the end.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    committed: u64,
    pub(super) devices: Vec<HardwareId>,
    /// Readings and alerts in their order, and when they were received.
    pub(super) readings: Vec<(Message, SimTime)>,
    pub(super) alerts: Vec<(Message, SimTime)>,
    /// Reason and content of refusals, and how long the content was.
    pub(super) refusals: Vec<Refused>,
    refused_bytes: BTreeMap<Option<HardwareId>, u64>,
    pub(super) repetitions: u64,
    /// Device and response of each invocation.
    pub(super) invocations: Vec<(HardwareId, Option<String>)>,
    /// Results and blocks in their order, and when they were received.
    pub(super) results: Vec<(Message, SimTime)>,
    pub(super) blocks: Vec<(Message, SimTime)>,
    /// Content of results and blocks by kind and number.
    others: BTreeMap<(bool, HardwareId, Number), String>,
    /// Content by number.
    numbers: BTreeMap<(HardwareId, Number), String>,
}

/// Reason and content of a refusal, and how long the content was.
pub(super) type Refused = (String, Option<Vec<u8>>, Option<u64>);

impl Ledger {
    pub(super) fn enter(&mut self, job: &Job, changed: &Changed) {
        match job {
            Job::Delivery(delivery) if delivery.sequence > self.committed => {
                self.committed = delivery.sequence;
                self.deliver(delivery);
            }
            Job::Settle(committed, _) => self.committed = self.committed.max(*committed),
            Job::Change(Change::Invoke(asked)) => self.invoke(asked),
            Job::Change(Change::Apply(transaction)) if changed.changed => {
                transaction.invocations.iter().for_each(|asked| self.invoke(asked));
            }
            Job::Delivery(_) | Job::Change(_) => {}
        }
    }

    fn invoke(&mut self, asked: &NewInvocation) {
        let device = usize::try_from(asked.device - 1).ok();
        if let Some(device) = device.and_then(|index| self.devices.get(index)) {
            self.invocations.push((device.clone(), None));
        }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        let messages = match &delivery.body {
            Body::Messages(messages) => messages,
            Body::Refusal(record) => {
                let content = record.content.as_deref();
                return self.refuse(&record.reason, record.device.as_ref(), content);
            }
        };
        for message in messages {
            if let Err(reason) = self.store(message, delivery.received) {
                self.refuse(reason, Some(&message.device), Some(&delivery.content));
            }
        }
    }

    fn store(&mut self, message: &Message, received: SimTime) -> Result<(), &'static str> {
        let is_answer = matches!(message.body, MessageBody::Acknowledgement { .. });
        if !is_answer && !self.devices.contains(&message.device) {
            self.devices.push(message.device.clone());
        }
        match &message.body {
            MessageBody::Registration => {}
            MessageBody::Alert { .. } => self.alerts.push((message.clone(), received)),
            MessageBody::Measurements(_) => {
                let key = message.number.map(|number| (message.device.clone(), number));
                // As text, since 0 and -0 are other content.
                let content = format!("{message:?}");
                match key.as_ref().and_then(|key| self.numbers.get(key)) {
                    Some(stored) if *stored == content => self.repetitions += 1,
                    Some(_) => return Err("conflicting_content"),
                    None => {
                        self.readings.push((message.clone(), received));
                        self.numbers.extend(key.map(|key| (key, content)));
                    }
                }
            }
            MessageBody::Result { .. } | MessageBody::Block { .. } => {
                let is_block = matches!(message.body, MessageBody::Block { .. });
                let number = message.number;
                let key = number.map(|number| (is_block, message.device.clone(), number));
                let event = message.event.filter(|_| !is_block);
                let content = format!("{event:?} {:?}", message.body);
                match key.as_ref().and_then(|key| self.others.get(key)) {
                    Some(stored) if *stored == content => self.repetitions += 1,
                    Some(_) => return Err("conflicting_content"),
                    None => {
                        let list = if is_block { &mut self.blocks } else { &mut self.results };
                        list.push((message.clone(), received));
                        self.others.extend(key.map(|key| (key, content)));
                    }
                }
            }
            MessageBody::Acknowledgement { invocation, response } => {
                let id = invocation.parse::<InvocationId>().map_err(|()| "unknown_invocation")?;
                let index = usize::try_from(id.0 - 1).unwrap();
                let asked = self.invocations.get_mut(index);
                let asked = asked.filter(|(device, _)| *device == message.device);
                let (_, answer) = asked.ok_or("unknown_invocation")?;
                match answer {
                    None => *answer = Some(response.clone()),
                    Some(answer) if answer == response => self.repetitions += 1,
                    Some(_) => return Err("conflicting_content"),
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, reason: &str, device: Option<&HardwareId>, content: Option<&[u8]>) {
        let bytes = content.map(|content| content.len() as u64);
        let of_device = self.refused_bytes.entry(device.cloned()).or_default();
        let after = *of_device + bytes.unwrap_or(0);
        // Those few devices do not fill all of the room.
        let kept = content.filter(|_| after <= REFUSED_BYTES / 16).map(<[u8]>::to_vec);
        if kept.is_some() {
            *of_device = after;
        }
        self.refusals.push((reason.to_owned(), kept, bytes));
    }
}
