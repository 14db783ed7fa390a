//! Waveforms of a simulator reduced to readings: windows of ten cycles (twelve at 60 Hz) by our own
//! metrology, and their means over the reporting period.

use lastmeter_metrology::{EngineConfig, EngineError, PhaseQuantities, Window, WindowEngine};
use lastmeter_rts::point_map::WaveformChannel;
use lastmeter_units::{MeasurementId, Quantity, SimDuration, SimTime};

/// Ten cycles of 50 Hz, twelve of 60 Hz.
const WINDOW_S: f64 = 0.2;

/// Voltages and currents that a device can have.
const PHASES: usize = 3;

/// What is measured of a device with these channels.
pub fn measured_of_waveforms(channels: &[WaveformChannel]) -> Vec<MeasurementId> {
    use WaveformChannel::{I1, I2, I3, U1, U2, U3};
    let mut names = Vec::new();
    for (phase, (voltage, current)) in (1..).zip([(U1, I1), (U2, I2), (U3, I3)]) {
        let has = |channel| channels.contains(&channel);
        for (side, _) in [("voltage", voltage), ("current", current)].iter().filter(|it| has(it.1))
        {
            names.push(format!("electricity.{side}.rms.l{phase}"));
            if has(U1) {
                names.push(format!("electricity.{side}.phase.l{phase}"));
            }
        }
        if has(voltage) && has(current) {
            for kind in ["active", "reactive"] {
                let way = |way| format!("electricity.power.{kind}.{way}.l{phase}");
                names.extend(["consumed", "injected"].map(way));
            }
            names.push(format!("electricity.powerFactor.l{phase}"));
        }
    }
    if !names.is_empty() {
        names.push("electricity.frequency".to_owned());
    }
    names.iter().filter_map(|name| id(name)).collect()
}

#[derive(Debug)]
pub(super) struct Waveforms {
    config: EngineConfig,
    engine: WindowEngine,
    /// For each voltage and each current, where its point stands among those from the simulator.
    voltages: [Option<usize>; PHASES],
    currents: [Option<usize>; PHASES],
    /// When the sample after the last one was to be taken.
    next: Option<SimTime>,
    sums: Vec<(MeasurementId, f64)>,
    /// Fundamentals against the first voltage, summed as real and imaginary parts.
    phasors: Vec<(MeasurementId, f64, f64)>,
    duration_s: f64,
    /// How often it began again since samples were missing.
    pub(super) breaks: u64,
}

impl Waveforms {
    /// Of points by their places; what is not a voltage or current of a phase is left out.
    ///
    /// # Errors
    /// If there are too few samples per cycle.
    pub(super) fn new(
        points: &[(usize, WaveformChannel)],
        (rate_hz, nominal_hz): (f64, f64),
    ) -> Result<Option<Self>, EngineError> {
        let (mut voltages, mut currents) = ([None; PHASES], [None; PHASES]);
        for (place, channel) in points {
            let (side, phase) = match channel {
                WaveformChannel::U1 => (&mut voltages, 0),
                WaveformChannel::U2 => (&mut voltages, 1),
                WaveformChannel::U3 => (&mut voltages, 2),
                WaveformChannel::I1 => (&mut currents, 0),
                WaveformChannel::I2 => (&mut currents, 1),
                WaveformChannel::I3 => (&mut currents, 2),
                WaveformChannel::In => continue,
            };
            side[phase] = Some(*place);
        }
        let last = (0..PHASES).rfind(|&n| voltages[n].is_some() || currents[n].is_some());
        let Some(last) = last else { return Ok(None) };
        let config = EngineConfig::new(rate_hz, nominal_hz, last + 1);
        let engine = WindowEngine::new(config.clone())?;
        Ok(Some(Self {
            config,
            engine,
            voltages,
            currents,
            next: None,
            sums: Vec::new(),
            phasors: Vec::new(),
            duration_s: 0.0,
            breaks: 0,
        }))
    }

    /// Takes a sample of all points, in SI units where they can be used. A window needs all of its
    /// samples: after one that is missing, or of which a value cannot be used, another one begins.
    pub(super) fn push(&mut self, taken: SimTime, value: impl Fn(usize) -> Option<f64>) {
        let period_ns = 1e9 / self.config.rate_hz;
        let is_next =
            self.next.is_none_or(|next| ((taken - next).0 as f64).abs() < 0.5 * period_ns);
        let read = |places: &[Option<usize>; PHASES]| -> Option<Vec<[f64; 1]>> {
            let channels = places.iter().take(self.config.phases);
            channels.map(|place| place.map_or(Some([0.0]), |place| Some([value(place)?]))).collect()
        };
        let sample = read(&self.voltages).zip(read(&self.currents));
        if !is_next {
            self.begin_anew();
        }
        let Some((voltages, currents)) = sample else { return self.begin_anew() };
        self.next = Some(taken + SimDuration(period_ns.round() as i64));
        // Finite samples of the right number of channels are taken.
        if self.engine.push(&voltages, &currents).is_err() {
            self.begin_anew();
        }
        while let Some(window) = self.engine.pop() {
            self.add(&window);
        }
    }

    fn begin_anew(&mut self) {
        self.breaks += u64::from(self.next.is_some());
        self.next = None;
        if let Ok(engine) = WindowEngine::new(self.config.clone()) {
            self.engine = engine;
        }
    }

    fn add(&mut self, window: &Window) {
        let mut all = Vec::new();
        for (place, found) in window.phases.iter().enumerate().take(PHASES) {
            let (voltage, current) =
                (self.voltages[place].is_some(), self.currents[place].is_some());
            all.extend(values(place, (voltage, current), found));
        }
        if window.tracked {
            all.extend(id("electricity.frequency").map(|id| (id, window.frequency_hz)));
            self.turn(window);
        }
        for (id, value) in all {
            let value = contribution(id, value) * window.duration_s;
            match self.sums.iter_mut().find(|(other, _)| *other == id) {
                Some((_, sum)) => *sum += value,
                None => self.sums.push((id, value)),
            }
        }
        self.duration_s += window.duration_s;
    }

    /// Adds the fundamentals, turned against the first voltage, if there is one.
    fn turn(&mut self, window: &Window) {
        let first = window.phases.first().filter(|_| self.voltages[0].is_some());
        let Some(reference) = first.map(|phase| phase.u1) else { return };
        for (place, found) in window.phases.iter().enumerate().take(PHASES) {
            for (side, there, phasor) in [
                ("voltage", self.voltages[place], found.u1),
                ("current", self.currents[place], found.i1),
            ] {
                let id = id(&format!("electricity.{side}.phase.l{}", place + 1));
                let Some(id) = id.filter(|_| there.is_some()) else { continue };
                let re = phasor.re * reference.re + phasor.im * reference.im;
                let im = phasor.im * reference.re - phasor.re * reference.im;
                let known = self.phasors.iter().position(|(other, ..)| *other == id);
                let at = known.unwrap_or(self.phasors.len());
                if known.is_none() {
                    self.phasors.push((id, 0.0, 0.0));
                }
                let own = &mut self.phasors[at];
                (own.1, own.2) = (own.1 + re * window.duration_s, own.2 + im * window.duration_s);
            }
        }
    }

    /// Which share of a reporting period lies in whole windows that ended in it: at the ends of
    /// periods one window more or less does not matter.
    pub(super) fn share(&self, every: SimDuration) -> f64 {
        ((self.duration_s + WINDOW_S) / every.as_seconds_f64()).min(1.0)
    }

    /// The values of a reporting period, in SI units: of whole windows that ended in it.
    pub(super) fn take(&mut self) -> Vec<(MeasurementId, f64)> {
        let duration_s = std::mem::take(&mut self.duration_s);
        let sums = std::mem::take(&mut self.sums).into_iter();
        let means = sums.map(|(id, sum)| (id, mean(id, sum / duration_s)));
        let phasors = std::mem::take(&mut self.phasors).into_iter();
        let phasors = phasors.filter(|(_, re, im)| (*re, *im) != (0.0, 0.0));
        means.chain(phasors.map(|(id, re, im)| (id, libm::atan2(im, re)))).collect()
    }
}

fn id(name: &str) -> Option<MeasurementId> {
    MeasurementId::lookup(name)
}

/// Whether a mean is that of squares, as of RMS values (IEC 61000-4-30, 4.5).
fn is_rms(id: MeasurementId) -> bool {
    matches!(id.row().quantity, Quantity::VoltageRms | Quantity::CurrentRms)
}

fn contribution(id: MeasurementId, value: f64) -> f64 {
    if is_rms(id) { value * value } else { value }
}

fn mean(id: MeasurementId, mean: f64) -> f64 {
    if is_rms(id) { mean.sqrt() } else { mean }
}

/// What a phase has in a window.
fn values(
    place: usize,
    (voltage, current): (bool, bool),
    found: &PhaseQuantities,
) -> Vec<(MeasurementId, f64)> {
    let phase = place + 1;
    let mut all = Vec::new();
    let mut put = |name: String, value: f64| all.extend(id(&name).map(|id| (id, value)));
    if voltage {
        put(format!("electricity.voltage.rms.l{phase}"), found.u_rms_v);
    }
    if current {
        put(format!("electricity.current.rms.l{phase}"), found.i_rms_a);
    }
    if voltage && current {
        for (kind, value) in [("active", found.p_w), ("reactive", found.q1_var)] {
            put(format!("electricity.power.{kind}.consumed.l{phase}"), value.max(0.0));
            put(format!("electricity.power.{kind}.injected.l{phase}"), (-value).max(0.0));
        }
        if found.pf.is_finite() {
            put(format!("electricity.powerFactor.l{phase}"), found.pf);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{PI, TAU};

    use super::*;

    const RATE_HZ: f64 = 1000.0;

    const CHANNELS: [WaveformChannel; 5] = [
        WaveformChannel::U1,
        WaveformChannel::U2,
        WaveformChannel::I1,
        WaveformChannel::I2,
        WaveformChannel::In,
    ];

    /// Two phases of 230 V, the second 120 degrees behind, with 10 A each that lag by 60 degrees.
    fn sample(number: usize) -> [f64; 4] {
        let at = TAU * 50.0 * number as f64 / RATE_HZ;
        let wave = |rms: f64, angle: f64| rms * 2_f64.sqrt() * (at + angle).sin();
        let (second, lag) = (-TAU / 3.0, -PI / 3.0);
        [
            wave(230.0, 0.3),
            wave(230.0, 0.3 + second),
            wave(10.0, 0.3 + lag),
            wave(10.0, 0.3 + second + lag),
        ]
    }

    fn waveforms() -> Waveforms {
        let points: Vec<_> = CHANNELS.into_iter().enumerate().collect();
        Waveforms::new(&points, (RATE_HZ, 50.0)).unwrap().unwrap()
    }

    fn push(waveforms: &mut Waveforms, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let values = sample(number);
            let at = SimTime(1_800_000_000_000_000_000 + number as i64 * 1_000_000);
            waveforms.push(at, |place| values.get(place).copied());
        }
    }

    #[test]
    fn sines_have_the_values_of_their_formulas() {
        let mut waveforms = waveforms();
        push(&mut waveforms, 0..1100);
        let found = waveforms.take();
        for (name, expected) in [
            ("electricity.voltage.rms.l1", 230.0),
            ("electricity.current.rms.l2", 10.0),
            ("electricity.power.active.consumed.l1", 2300.0 * 0.5),
            ("electricity.power.reactive.consumed.l2", 2300.0 * (3.0_f64.sqrt() / 2.0)),
            ("electricity.power.active.injected.l1", 0.0),
            ("electricity.powerFactor.l1", 0.5),
            ("electricity.frequency", 50.0),
            ("electricity.voltage.phase.l1", 0.0),
            ("electricity.voltage.phase.l2", -TAU / 3.0),
            ("electricity.current.phase.l1", -PI / 3.0),
            ("electricity.current.phase.l2", -PI),
        ] {
            let value = found.iter().find(|(id, _)| id.name() == name).unwrap().1;
            let off = if name.ends_with("current.phase.l2") {
                value.abs() - PI
            } else {
                value - expected
            };
            assert!(
                off.abs() <= 1e-6 * expected.abs().max(1.0),
                "{name}: {value}, expected {expected}"
            );
        }
        let mut expected = measured_of_waveforms(&CHANNELS);
        let mut found: Vec<MeasurementId> = found.into_iter().map(|(id, _)| id).collect();
        found.sort_by_key(|id| id.name());
        expected.sort_by_key(|id| id.name());
        assert_eq!(found, expected);
        assert!(measured_of_waveforms(&CHANNELS[4..]).is_empty());
        assert!(waveforms.take().is_empty());
    }

    #[test]
    fn a_window_without_all_its_samples_is_none() {
        let mut waveforms = waveforms();
        push(&mut waveforms, 0..150);
        // One sample is missing, and a later one cannot be used.
        push(&mut waveforms, 151..300);
        waveforms.push(SimTime(1_800_000_000_300_000_000), |_| None);
        push(&mut waveforms, 301..420);
        assert!(waveforms.take().is_empty());
        assert_eq!(waveforms.breaks, 2);
        push(&mut waveforms, 420..600);
        assert!(!waveforms.take().is_empty());
    }

    #[test]
    fn too_few_samples_per_cycle_are_refused() {
        let error = Waveforms::new(&[(0, WaveformChannel::U1)], (100.0, 50.0)).unwrap_err();
        assert!(error.to_string().contains("at least 400 Hz"), "{error}");
        assert!(Waveforms::new(&[(0, WaveformChannel::In)], (100.0, 50.0)).unwrap().is_none());
    }
}
