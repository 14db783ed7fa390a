//! `fidelity = "samples"`: every sample goes through the front end and the metrology engine.

use lastmeter_metrology::{EngineConfig, EngineError, WindowEngine};
use lastmeter_sim::{Block, Streams};

use crate::front_end::{Channel, ChannelState};
use crate::gaussian::Gaussian;
use crate::window::{MeasuredPhase, MeasuredWindow, PHASES_MAX};

/// One channel with its memory, its noise and its converted samples.
#[derive(Debug)]
struct Converter {
    channel: Channel,
    state: ChannelState,
    noise: Gaussian,
    converted: Vec<f64>,
}

/// Front end and engine of one meter.
#[derive(Debug)]
pub(crate) struct Sampled {
    phases: usize,
    /// Voltages, then currents.
    converters: Vec<Converter>,
    /// Whether all channels are held back by a sample, so that some can be shifted in phase.
    is_delayed: bool,
    engine: WindowEngine,
}

impl Sampled {
    /// A chain whose noise streams are named after the device.
    pub(crate) fn new(
        voltage: Channel,
        current: Channel,
        config: EngineConfig,
        device: &str,
        streams: Streams,
    ) -> Result<Self, EngineError> {
        let phases = config.phases;
        let converter = |kind: &str, phase: usize, channel: Channel| Converter {
            channel,
            state: ChannelState::default(),
            noise: Gaussian::new(streams.stream(&format!("device/{device}/{kind}/{phase}/noise"))),
            converted: Vec::new(),
        };
        let voltages = (0..phases).map(|phase| converter("voltage", phase, voltage));
        let currents = (0..phases).map(|phase| converter("current", phase, current));
        Ok(Self {
            phases,
            converters: voltages.chain(currents).collect(),
            is_delayed: voltage.shifts_phase() || current.shifts_phase(),
            engine: WindowEngine::new(config)?,
        })
    }

    /// Whether a block has the right channels, all of one length; the length.
    pub(crate) fn samples_in(&self, block: &Block) -> Option<usize> {
        let samples = block.voltages.first()?.len();
        let fits = |channels: &[Vec<f64>]| {
            channels.len() == self.phases && channels.iter().all(|c| c.len() == samples)
        };
        (fits(&block.voltages) && fits(&block.currents)).then_some(samples)
    }

    /// Takes samples `from..to` of a block that fits.
    pub(crate) fn push(
        &mut self,
        block: &Block,
        from: usize,
        to: usize,
    ) -> Result<(), EngineError> {
        let channels = block.voltages.iter().chain(&block.currents);
        for (converter, samples) in self.converters.iter_mut().zip(channels) {
            converter.converted.clear();
            converter.channel.convert(
                &mut converter.state,
                &mut converter.noise,
                &samples[from..to],
                self.is_delayed,
                &mut converter.converted,
            );
        }
        let (voltages, currents) = self.converters.split_at(self.phases);
        let voltages: Vec<&[f64]> = voltages.iter().map(|c| c.converted.as_slice()).collect();
        let currents: Vec<&[f64]> = currents.iter().map(|c| c.converted.as_slice()).collect();
        self.engine.push(&voltages, &currents)
    }

    /// Whether a sample has ever reached the end of a converter's range.
    pub(crate) fn has_clipped(&self) -> bool {
        self.converters.iter().any(|converter| converter.state.has_clipped)
    }

    /// The next complete window.
    pub(crate) fn pop(&mut self) -> Option<MeasuredWindow> {
        let window = self.engine.pop()?;
        let mut phases = [MeasuredPhase::default(); PHASES_MAX];
        for (phase, found) in phases.iter_mut().zip(&window.phases) {
            *phase = MeasuredPhase {
                u_rms_v: found.u_rms_v,
                i_rms_a: found.i_rms_a,
                p_w: found.p_w,
                q1_var: found.q1_var,
                s_va: found.s_va,
            };
        }
        Some(MeasuredWindow {
            from_s: window.start_s,
            duration_s: window.duration_s,
            frequency_hz: window.frequency_hz,
            phases,
        })
    }
}
