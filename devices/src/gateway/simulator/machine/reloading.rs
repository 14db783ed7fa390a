//! What comes and goes beside readings and commands: samples as they come, set-points as they come,
//! and another point map.

use std::collections::BTreeMap;

use lastmeter_rts::point_map::{Meaning, Plausibility, PointDirection, PointMap, WaveformChannel};
use lastmeter_rts::{Rejection, Sample, Wire};
use lastmeter_units::{HardwareId, SimTime};

use super::gathering::Gathered;
use super::{Adapter, Device, Kind, Out, Slot, event};
use crate::gateway::GatewayOutput;
use crate::gateway::metric::is_power_of_ten;
use crate::gateway::simulator::feeding::Feeds;
use crate::gateway::simulator::raw::{POINTS, RawSamples, set_points};
use crate::gateway::simulator::waveforms::Waveforms;
use crate::gateway::simulator::writable::WriteOutcome;
use crate::gateway::simulator::writing::Writer;

/// What a point map decides.
struct ByMap {
    wire: Wire,
    raw: RawSamples,
    writer: Writer,
    devices: Vec<Device>,
    slots: Vec<Option<Slot>>,
}

impl Adapter {
    /// Hands a sample out as it came, where that is asked for.
    pub(super) fn hand_out(&mut self, taken: SimTime, sample: &Sample, out: &mut Out) {
        match self.parts.raw.payload(taken, sample) {
            None => {}
            Some(Ok(payload)) => out.push(GatewayOutput::Live { channel: POINTS, payload }),
            Some(Err(Rejection { refusal, detail })) => {
                self.unsent_samples += 1;
                let count = self.unsent_samples;
                if is_power_of_ten(count) {
                    let word = refusal.word();
                    let detail = format!("raw sample, {word} ({count} so far): {detail}");
                    event(out, Kind::ValueRefused, detail);
                }
            }
        }
    }

    /// Writes values that came beside commands: all of a message, or none.
    pub(super) fn set(&mut self, now: SimTime, payload: &[u8], out: &mut Out) {
        let mut written = WriteOutcome::default();
        let set = set_points(payload)
            .and_then(|points| Ok((points.len(), self.writer.set(now, &points, &mut written)?)));
        match set {
            Ok((points, ())) => {
                self.sets.written += 1;
                self.sets.is_unkept = true;
                let count = self.sets.written;
                if is_power_of_ten(count) {
                    let detail = format!("{points} by a set-point message ({count} so far)");
                    event(out, Kind::PointWritten, detail);
                }
            }
            Err(why) => {
                self.sets.refused += 1;
                let count = self.sets.refused;
                if is_power_of_ten(count) {
                    let detail = format!("set-point message ({count} so far): {why}");
                    event(out, Kind::CommandRefused, detail);
                }
            }
        }
        self.written(now, written, out);
    }

    /// Takes the point map as it is now: at once, or where a frame has begun to arrive, behind it.
    pub(super) fn read_again(
        &mut self,
        now: SimTime,
        files: &BTreeMap<String, String>,
        out: &mut Out,
    ) -> Result<(), Vec<String>> {
        let file = &self.parts.map_file;
        let text = files.get(file).ok_or_else(|| vec![format!("{file} was not read")])?;
        let map = PointMap::parse(text)
            .map_err(|error| error.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        self.by_map(&map).map_err(|mistake| vec![mistake])?;
        self.next = Some(Box::new(map));
        self.take_next_map(now, out);
        if self.begun.is_some() {
            self.write(now, out);
        }
        self.parts.store.settle(true, out);
        Ok(())
    }

    fn by_map(&self, map: &PointMap) -> Result<ByMap, String> {
        if Feeds::filters(map) != Feeds::filters(&self.parts.map) {
            return Err("other topics than those that are subscribed to: start again".to_owned());
        }
        let wire = Wire::new(map, self.parts.is_stream).map_err(|error| error.to_string())?;
        let (devices, slots) = devices(map, self.parts.nominal_hz)?;
        Ok(ByMap {
            wire: wire.continuing(&self.parts.wire),
            raw: self.parts.raw.of_map(map)?,
            writer: self.writer.of_map(map)?,
            devices,
            slots,
        })
    }

    /// Between two frames: what came by the old map is reported, then the new one holds.
    pub(super) fn take_next_map(&mut self, now: SimTime, out: &mut Out) {
        if !self.parts.wire.is_between_frames() {
            return;
        }
        let Some(map) = self.next.take() else { return };
        let ByMap { wire, raw, writer, devices, slots } = match self.by_map(&map) {
            Ok(by_map) => by_map,
            Err(mistake) => return event(out, Kind::InputRefused, mistake),
        };
        self.report(now + self.ahead, out);
        let mut before = std::mem::replace(&mut self.writer, writer);
        let mut written = WriteOutcome::default();
        self.writer.takes_over(&mut before, &mut written);
        self.written(now, written, out);
        self.feeds = self.feeds.of_map(&map, self.parts.writing.is_read_only);
        (self.parts.map, self.parts.wire, self.parts.raw) = (*map, wire, raw);
        // Its places are those of the other map.
        self.latest = None;
        self.left_out = vec![0; slots.len()];
        (self.devices, self.slots) = (devices, slots);
        self.plausibility = Plausibility::new(&self.parts.map);
        event(out, Kind::FilesRead, format!("{}: it holds from here on", self.parts.map_file));
    }
}

/// The devices that points stand for, and for each point that the simulator sends where its value
/// goes.
///
/// # Errors
/// If a device of the map has a name that is no hardware id.
pub(super) fn devices(
    map: &PointMap,
    nominal_hz: f64,
) -> Result<(Vec<Device>, Vec<Option<Slot>>), String> {
    let (mut devices, mut slots) = (Vec::<Device>::new(), Vec::new());
    let mut channels: Vec<Vec<(usize, WaveformChannel)>> = Vec::new();
    for (at, point) in map.of_direction(PointDirection::FromSimulator).enumerate() {
        let (Meaning::Measured { device, .. } | Meaning::Waveform { device, .. }) = &point.meaning
        else {
            slots.push(None);
            continue;
        };
        let place = devices.iter().position(|other| other.hardware_id.as_str() == device);
        let place = if let Some(place) = place {
            place
        } else {
            let hardware_id = HardwareId::new(device)
                .map_err(|error| format!("line {}: `{device}`: {error}", point.line))?;
            let (values, waveforms, is_sampled) = (Vec::new(), None, false);
            devices.push(Device { hardware_id, values, waveforms, is_sampled });
            channels.push(Vec::new());
            devices.len() - 1
        };
        let quantity = match &point.meaning {
            Meaning::Measured { quantity, .. } => quantity,
            Meaning::Waveform { channel, .. } => {
                channels[place].push((at, *channel));
                slots.push(None);
                continue;
            }
            _ => continue,
        };
        let values = &mut devices[place].values;
        slots.push(Some(Slot { device: place, value: values.len() }));
        values.push(Gathered::new(*quantity));
    }
    let rate_hz = map.simulator.sample_rate;
    for (device, channels) in devices.iter_mut().zip(&channels) {
        let waveforms = Waveforms::new(channels, (rate_hz, nominal_hz));
        device.waveforms = waveforms
            .map_err(|error| format!("waveforms of device `{}`: {error}", device.hardware_id))?;
    }
    Ok((devices, slots))
}
