//! Simulated devices on a real line that somebody else reads: each answers whatever the line brings
//! it, up to date with its metering point.
//!
//! Answers go as soon as they are ready, whatever the rate of the line; those of several devices to
//! one request overlap. What becomes of a reading after that is the affair of whoever asked.

use std::collections::VecDeque;

use lastmeter_devices::{DeviceFault, Input, Output};
use lastmeter_link::channel::{Channel, ChannelEvent};
use lastmeter_link::clock::monotonic_ns;
use lastmeter_units::{SimDuration, SimTime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::real_line::{RealLine, line_note};
use super::report::Report;
use super::sender::Control;
use super::timeline::Timeline;
use crate::lines::together;
use crate::output::print_err;
use crate::run::device_note::DeviceNote;
use crate::run::error::BenchError;
use crate::run::field::FieldDevice;
use crate::run::ledger::AnnouncedReading;

pub(crate) struct LineSenderParts {
    pub(crate) line: RealLine,
    pub(crate) devices: Vec<FieldDevice>,
    /// Up to and including when the devices are there.
    pub(crate) end: SimTime,
    /// Faults of devices by the event time at which they begin, in order.
    pub(crate) faults: VecDeque<(SimTime, usize, DeviceFault)>,
    pub(crate) reports: UnboundedSender<Report>,
    pub(crate) control: UnboundedReceiver<Control>,
}

/// The devices of a line at work.
pub(crate) struct LineSender {
    parts: LineSenderParts,
    channel: Channel,
    timeline: Option<Timeline>,
    was_up: bool,
    is_finished: bool,
    output: Vec<Output>,
}

impl LineSender {
    /// Opens the line and answers on it until it is asked to close. An error breaks the bench.
    pub(crate) async fn serve(parts: LineSenderParts) -> Result<(), BenchError> {
        let channel = parts.line.open().await?;
        let sender = Self {
            parts,
            channel,
            timeline: None,
            was_up: false,
            is_finished: false,
            output: Vec::new(),
        };
        sender.run().await;
        Ok(())
    }

    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                control = self.parts.control.recv() => match control {
                    Some(Control::Begin(timeline)) => self.timeline = Some(timeline),
                    // Each device's order comes here, and one is enough.
                    Some(Control::Finish) if self.is_finished => {}
                    Some(Control::Finish) => self.finish(),
                    // There is no gateway here.
                    Some(Control::Restart | Control::Answer(_) | Control::Page { .. }) => {}
                    Some(Control::Close) | None => return,
                },
                event = self.channel.recv() => self.take(event).await,
            }
        }
    }

    fn report(&self, report: Report) {
        // Nobody listens any more: the run has ended.
        let _ = self.parts.reports.send(report);
    }

    fn report_of_all(&self, report: impl Fn(usize) -> Report) {
        self.parts.devices.iter().for_each(|device| self.report(report(device.index)));
    }

    fn event_time(&self, at_ns: i64) -> Option<SimTime> {
        let timeline = self.timeline?;
        Some(timeline.event_time(at_ns, SimDuration::ZERO).min(self.parts.end))
    }

    async fn take(&mut self, event: ChannelEvent) {
        let at_ns = monotonic_ns();
        let (what, detail) = match event {
            ChannelEvent::Arrived { at_ns, bytes } => {
                // Before the schedule there is nothing to measure, after it nobody to ask.
                if let Some(at) = self.event_time(at_ns).filter(|at| *at < self.parts.end) {
                    self.heard(at, &bytes).await;
                }
                return;
            }
            ChannelEvent::Up => {
                if !std::mem::replace(&mut self.was_up, true) {
                    let name = &self.parts.line.name;
                    print_err(&format!("network `{name}`: somebody is there"));
                    self.report_of_all(|device| Report::Connected { device, at_ns });
                }
                ("line_up", String::new())
            }
            ChannelEvent::Down { reason } => ("line_down", reason),
        };
        if let Some(at) = self.event_time(at_ns) {
            let of = self.parts.line.name.clone();
            let note = line_note(at, what, &of, &detail);
            self.report(Report::Note { of, note });
        }
    }

    /// Shows a device its metering point up to an instant, with the faults that begin by then.
    fn move_to(&mut self, place: usize, until: SimTime) {
        let FieldDevice { device, feed, index, .. } = &mut self.parts.devices[place];
        let own = self.parts.faults.iter().filter(|(at, of, _)| of == index && *at <= until);
        for (at, _, fault) in own {
            feed.run_to(device.as_mut(), *at, &mut self.output);
            device.step(*at, Input::Fault(fault.clone()), &mut self.output);
        }
        self.parts.faults.retain(|(at, of, _)| of != index || *at > until);
        feed.run_to(device.as_mut(), until, &mut self.output);
    }

    /// What the devices do when these bytes have arrived.
    async fn heard(&mut self, at: SimTime, bytes: &[u8]) {
        let mut answers = Vec::new();
        for place in 0..self.parts.devices.len() {
            self.move_to(place, at);
            let input = Input::Heard { bytes: bytes.to_vec() };
            self.parts.devices[place].device.step(at, input, &mut self.output);
            let answer = self.translate(place, at);
            if !answer.is_empty() {
                answers.push(answer);
            }
        }
        if let Some(answer) = together(&answers) {
            // Why a line is lost is an event of its own.
            let _ = self.channel.send(&answer).await;
        }
    }

    /// Reports what a device has put out; returns what it sends.
    fn translate(&mut self, place: usize, now: SimTime) -> Vec<u8> {
        let FieldDevice { index, name, .. } = &self.parts.devices[place];
        let mut sent = Vec::new();
        for output in std::mem::take(&mut self.output) {
            match output {
                Output::Transmit { bytes, .. } => sent.extend(bytes),
                Output::Reading { epoch, serial, at, span } => {
                    let made = AnnouncedReading { epoch, serial, at, span };
                    self.report(Report::Reading { device: *index, made });
                }
                Output::Event { kind, detail } => {
                    let note = DeviceNote::new(now, kind.word(), detail);
                    self.report(Report::Note { of: name.clone(), note });
                }
                Output::Answered { values } => {
                    self.report(Report::Answered { device: *index, at: now, values });
                }
                // It has no connection to the platform.
                Output::Send { .. }
                | Output::Offer { .. }
                | Output::Stage { .. }
                | Output::Supply { .. }
                | Output::Reported { .. }
                | Output::Shown { .. }
                | Output::Obeyed { .. }
                | Output::Switched { .. }
                | Output::Failed { .. } => {}
            }
        }
        sent
    }

    /// The schedule is over.
    fn finish(&mut self) {
        self.is_finished = true;
        for place in 0..self.parts.devices.len() {
            self.move_to(place, self.parts.end);
            self.translate(place, self.parts.end);
        }
        let at_ns = monotonic_ns();
        self.report_of_all(|device| Report::Idle { device, at_ns });
        self.report_of_all(|_| Report::Finished);
    }
}
