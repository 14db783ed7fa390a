//! A bench for one meter: a terminal, the meter, and a platform that takes everything over.

use std::collections::BTreeMap;

use lastmeter_devices::{DEVICES, Device, DeviceContext, Feed, Input, Output};
use lastmeter_params::{Diagnostic, Diagnostics, read_text};
use lastmeter_sim::{Block, ChannelSpectrum, Spectrum, Streams, Terminal, Tone};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, MeasurementMessage, Request, decode};

/// 2027-01-18T17:00:00Z.
pub(crate) const START: SimTime = SimTime(1_800_291_600_000_000_000);

/// Why a three-phase STPM34 meter is not made.
pub(crate) fn refused(toml: &str, phases: usize, has_spectrum: bool) -> Vec<Diagnostic> {
    refused_by("stpm34-3ph", toml, phases, has_spectrum)
}

/// Why a meter of a model is not made.
pub(crate) fn refused_by(
    model: &str,
    toml: &str,
    phases: usize,
    has_spectrum: bool,
) -> Vec<Diagnostic> {
    match build(model, toml, phases, has_spectrum) {
        Ok(_) => panic!("accepted: {toml}"),
        Err(diagnostics) => diagnostics,
    }
}

/// A meter of a model called `home` with these fields.
pub(crate) fn meter(model: &str, toml: &str, phases: usize) -> Box<dyn Device> {
    build(model, toml, phases, true).unwrap_or_else(|diagnostics| panic!("{diagnostics:?}"))
}

fn build(
    model: &str,
    toml: &str,
    phases: usize,
    has_spectrum: bool,
) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    let kind = DEVICES.iter().find(|kind| kind.entry.name == model).expect("registered");
    let values = read_text(toml, &[kind.entry.fields])?;
    let streams = Streams::new(42);
    let context = DeviceContext {
        name: "home",
        hardware_id: HardwareId::new("home").expect("a valid id"),
        start: START,
        node: None,
        streams: &streams,
        phases,
        has_spectrum,
    };
    let mut diagnostics = Diagnostics::new();
    let device = (kind.build)(&values, &context, &mut diagnostics);
    let diagnostics = diagnostics.into_sorted();
    match device {
        Some(device) if diagnostics.is_empty() => Ok(device),
        _ => Err(diagnostics),
    }
}

/// One phase: RMS voltage, its phase, RMS current, the angle by which the current lags.
pub(crate) type Phase = (f64, f64, f64, f64);

/// Sines in one phase or three.
pub(crate) fn sines<const N: usize>(fundamental_hz: f64, phases: [Phase; N]) -> Terminal {
    let channel = |rms: f64, phase_rad: f64| ChannelSpectrum {
        dc: 0.0,
        tones: vec![Tone { frequency_hz: fundamental_hz, rms, phase_rad }],
        noise_rms: 0.0,
    };
    let spectrum = Spectrum {
        fundamental_hz,
        voltages: phases.iter().map(|&(u, angle, _, _)| channel(u, angle)).collect(),
        currents: phases.iter().map(|&(_, angle, i, lag)| channel(i, angle - lag)).collect(),
    };
    Terminal::from_spectrum(spectrum, "g", &Streams::new(42)).expect("a terminal")
}

/// Three equal phases of 230 V and 10 A, lagging by 60 degrees, at 50 Hz.
pub(crate) fn balanced() -> Terminal {
    let third = std::f64::consts::TAU / 3.0;
    let lag = 60_f64.to_radians();
    sines(50.0, [0.0, -third, third].map(|angle| (230.0, angle, 10.0, lag)))
}

/// A meter on its terminal.
pub(crate) struct Bench {
    pub(crate) device: Box<dyn Device>,
    pub(crate) terminal: Terminal,
    /// How far the terminal's data has been handed over.
    pub(crate) until: SimDuration,
    /// Whether what is published is acknowledged at once.
    pub(crate) acknowledges: bool,
    samples: u64,
}

impl Bench {
    /// A three-phase STPM34 meter that is connected.
    pub(crate) fn new(toml: &str, terminal: Terminal) -> Self {
        Self::of("stpm34-3ph", toml, terminal)
    }

    /// A meter of a model that is connected.
    pub(crate) fn of(model: &str, toml: &str, terminal: Terminal) -> Self {
        let mut bench = Self {
            device: meter(model, toml, terminal.phases()),
            terminal,
            until: SimDuration::ZERO,
            acknowledges: true,
            samples: 0,
        };
        assert!(bench.step(Input::Connected).is_empty());
        bench
    }

    /// Hands one input over at the instant reached.
    pub(crate) fn step(&mut self, input: Input) -> Vec<Output> {
        let (mut out, now) = (Vec::new(), START + self.until);
        self.device.step(now, input, &mut out);
        if self.acknowledges {
            for output in &out {
                if let Output::Send { message, .. } = output {
                    let mut nothing = Vec::new();
                    let acknowledged = Input::Acknowledged { message: *message };
                    self.device.step(now, acknowledged, &mut nothing);
                    assert!(nothing.is_empty());
                }
            }
        }
        out
    }

    /// Lets the scenario run on for a time, in pieces of at most `piece_s` seconds.
    pub(crate) fn run_in_pieces(&mut self, seconds: f64, piece_s: f64) -> Vec<Output> {
        let end = self.until + SimDuration::from_seconds_f64(seconds);
        let mut out = Vec::new();
        while self.until < end {
            let from = self.until;
            self.until = end.min(from + SimDuration::from_seconds_f64(piece_s));
            let input = match self.device.feed() {
                Feed::Spectrum => {
                    let stretch = self.terminal.spectrum_at(from).expect("a spectrum");
                    let until = stretch.until.map_or(self.until, |over| over.min(self.until));
                    self.until = until;
                    Input::Spectrum { until, spectrum: stretch.spectrum, celsius: 23.0 }
                }
                Feed::Samples { rate_hz } => {
                    let upto = (self.until.as_seconds_f64() * rate_hz - 1e-6).ceil() as u64;
                    let (first_sample, mut block) = (self.samples, Block::default());
                    let samples = (upto - first_sample) as usize;
                    self.terminal.render(first_sample, rate_hz, samples, &mut block);
                    self.samples = upto;
                    Input::Samples { first_sample, rate_hz, block }
                }
                Feed::Pipe | Feed::Nothing | Feed::Clock => {
                    panic!("an electricity meter at no terminal")
                }
            };
            out.extend(self.step(input));
        }
        out
    }

    /// Lets the scenario run on for a time.
    pub(crate) fn run(&mut self, seconds: f64) -> Vec<Output> {
        self.run_in_pieces(seconds, 1.0)
    }
}

/// The messages published, decoded as the platform does.
pub(crate) fn requests(out: &[Output]) -> Vec<Request> {
    let rules = DecodeRules::default();
    let published = out.iter().filter_map(|output| match output {
        Output::Send { payload, .. } => Some(payload),
        _ => None,
    });
    published
        .map(|payload| decode(payload, &rules).unwrap_or_else(|refusal| panic!("{refusal}")))
        .collect()
}

/// The readings published.
pub(crate) fn readings(out: &[Output]) -> Vec<MeasurementMessage> {
    let readings = requests(out).into_iter().filter_map(|request| match request {
        Request::Measurements(message) => Some(message),
        _ => None,
    });
    readings.collect()
}

/// The values of a reading by identifier, in the units of messages.
pub(crate) fn values(reading: &MeasurementMessage) -> BTreeMap<&'static str, f64> {
    reading.values.iter().map(|&(id, value)| (MeasurementId::name(id), value)).collect()
}
