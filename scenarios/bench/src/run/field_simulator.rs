//! A simulator of our own at the end of a field network, and the readings that an adapter makes of
//! its points.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_devices::endpoint::{Endpoint, EndpointInput, EndpointOutput};
use lastmeter_sim::ReferenceSpan;
use lastmeter_units::{Serial, SimDuration, SimTime};

use super::client_output::ClientOutput;
use super::device_note::DeviceNote;
use super::ledger::{AnnouncedReading, SentReading};
use super::plant_notes::operated;

/// A simulator on a network.
pub(crate) struct FieldSimulator {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    start: SimTime,
    /// How often the adapter reports.
    every: SimDuration,
    /// What befalls it, and when, in order.
    inputs: VecDeque<(SimTime, EndpointInput)>,
    /// Of each device, by its index in the scenario, the last number that was announced.
    announced: BTreeMap<usize, Serial>,
    output: Vec<EndpointOutput>,
}

impl FieldSimulator {
    pub(crate) fn new(
        name: &str,
        endpoint: Endpoint,
        (start, every): (SimTime, SimDuration),
        inputs: VecDeque<(SimTime, EndpointInput)>,
    ) -> Self {
        Self {
            inputs,
            name: name.to_owned(),
            endpoint,
            start,
            every,
            announced: BTreeMap::new(),
            output: Vec::new(),
        }
    }

    /// When it sends its next frame, or something befalls it.
    pub(crate) fn wake_at(&self) -> Option<SimTime> {
        let input = self.inputs.front().map(|(at, _)| *at);
        self.endpoint.wake_at().into_iter().chain(input).min()
    }

    /// Takes an input; gives the frames that it sends.
    pub(crate) fn step(
        &mut self,
        now: SimTime,
        input: EndpointInput,
        out: &mut Vec<ClientOutput>,
    ) -> Vec<Vec<u8>> {
        // What befalls it at an instant does so before the frame of that instant.
        while let Some((at, befalls)) = self.inputs.pop_front_if(|(at, _)| *at <= now) {
            self.endpoint.step(at, befalls, &mut self.output);
        }
        self.endpoint.step(now, input, &mut self.output);
        let mut frames = Vec::new();
        for output in self.output.drain(..) {
            match output {
                EndpointOutput::Frame { bytes, .. } => frames.push(bytes),
                EndpointOutput::Event { kind, detail } => {
                    let note = DeviceNote::new(now, kind.word(), detail);
                    out.push(ClientOutput::Note { of: self.name.clone(), note });
                }
                EndpointOutput::Operated(it) => {
                    out.push(ClientOutput::Event(Box::new(operated(&it, self.start))));
                }
            }
        }
        frames
    }

    /// What the adapter's message of a device announces, if it is a reading that was not sent
    /// before. Number and date are the adapter's; what the reading has to cover is not its choice:
    /// the reporting period that ends at that date.
    pub(crate) fn announced(
        &mut self,
        device: usize,
        sent: &SentReading,
    ) -> Option<AnnouncedReading> {
        let ((epoch, serial), at) = (sent.key, sent.event_time?);
        let last = self.announced.get(&device);
        if last.is_some_and(|last| serial <= *last) {
            return None;
        }
        self.announced.insert(device, serial);
        let to = at - self.start;
        let span = ReferenceSpan { from: to - self.every, to, registers_from: SimDuration::ZERO };
        Some(AnnouncedReading { epoch, serial, at, span })
    }
}
