//! The converter of an emulated board: the front end of its simulated twin, giving codes.

use std::f64::consts::SQRT_2;

use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_sim::Block;

use super::cvct::MIDDLE_V;
use super::group::{Clipped, FrontEnd};
use super::{Sampling, full_scale};

/// What the firmware is built for: 12 bits of 3.6 V, 460 V and 30 A as the largest sines.
const BITS: i64 = 12;
const RANGE_V: f64 = 3.6;
const VOLTAGE_V: f64 = 460.0;
const CURRENT_A: f64 = 30.0;

/// Rates at which its crossings are found: at least so many samples in a cycle, and no more than
/// its ring of samples has room for.
const RATES_HZ: std::ops::RangeInclusive<f64> = 4000.0..=12_500.0;

/// A front end whose samples are codes of a converter.
#[derive(Debug)]
pub(crate) struct BoardConverter {
    front_end: FrontEnd,
    pub(crate) feed_hz: f64,
    rate_hz: f64,
    voltage: Scale,
    current: Scale,
}

/// From a primary value to the code of a converter behind an inverting transducer.
#[derive(Clone, Copy, Debug)]
struct Scale {
    step: f64,
    origin: f64,
    middle: f64,
}

impl Scale {
    fn new(largest: f64, step_v: f64) -> Self {
        let unit = largest * SQRT_2 / MIDDLE_V;
        let middle = (MIDDLE_V / step_v).round();
        Self { step: step_v * unit, origin: (MIDDLE_V - middle * step_v) * unit, middle }
    }

    fn code(self, value: f64) -> u16 {
        let code = self.middle - ((value - self.origin) / self.step).round();
        // Clamped to twelve bits.
        code.clamp(0.0, 4095.0) as u16
    }
}

impl BoardConverter {
    /// The converter of a front end with these fields. `None` where the firmware is built for
    /// another one, which is then in `out`.
    pub(crate) fn new(
        values: &Values,
        (sampling, front_end): (Sampling, FrontEnd),
        out: &mut Diagnostics,
    ) -> Option<Self> {
        let before = out.len();
        let mut refuse = |key: &str, message: String, label: &str| {
            out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
        };
        if values.integer("bits") != BITS {
            let message = format!("a board whose converter has {} bits", values.integer("bits"));
            refuse("bits", message, "expected 12, which its firmware is built for");
        }
        let step_v = values.si("converter_range") * libm::exp2(-(BITS as f64));
        if (values.si("converter_range") - RANGE_V).abs() > 1e-9 {
            let message = "a board whose converter has another range".to_owned();
            refuse("converter_range", message, "expected \"3.6 V\", which its firmware assumes");
        }
        for (kind, built_for) in [("voltage", VOLTAGE_V), ("current", CURRENT_A)] {
            let found = full_scale(values, kind);
            if (found - built_for).abs() > 1e-6 * built_for {
                let message = format!("a board whose largest {kind} is {found}");
                let label = format!("expected {built_for}: nominal value times headroom and ratio");
                refuse(&format!("nominal_{kind}"), message, &label);
            }
        }
        if !RATES_HZ.contains(&sampling.rate_hz) || sampling.rate_hz.fract() != 0.0 {
            let message = format!("a board that samples at {} Hz", sampling.rate_hz);
            refuse("sample_rate", message, "expected whole hertz from 4 kHz to 12.5 kHz");
        }
        (out.len() == before).then(|| Self {
            front_end,
            feed_hz: sampling.feed_hz(),
            rate_hz: sampling.rate_hz,
            voltage: Scale::new(VOLTAGE_V, step_v),
            current: Scale::new(CURRENT_A, step_v),
        })
    }

    /// Samples per 1000 seconds of its converter, the unit that the firmware takes.
    pub(crate) fn rate_mhz(&self) -> u32 {
        // At most 12.5 kHz.
        (self.rate_hz * 1000.0) as u32
    }

    /// Takes samples `from..to` of a block of one phase, and appends the pairs that they complete.
    pub(crate) fn push(
        &mut self,
        block: &Block,
        (from, to): (usize, usize),
        out: &mut Vec<(u16, u16)>,
    ) {
        let mut at = from;
        for change in &block.temperatures {
            if (from..to).contains(&change.sample) {
                self.push_piece(block, (at, change.sample), out);
                at = change.sample;
                // Without registers there is no phase that a temperature could take too far.
                let _ = self.front_end.set_temperature(change.celsius);
            }
        }
        self.push_piece(block, (at, to), out);
    }

    fn push_piece(&mut self, block: &Block, (from, to): (usize, usize), out: &mut Vec<(u16, u16)>) {
        if from >= to {
            return;
        }
        let channels = block.voltages.iter().chain(&block.currents);
        self.front_end.push(channels.map(|samples| &samples[from..to]));
        let (u, i) = (self.front_end.converted(0), self.front_end.converted(1));
        let pairs = u.iter().zip(i);
        out.extend(pairs.map(|(&u, &i)| (self.voltage.code(u), self.current.code(i))));
    }

    /// Channels that begin to be clipped: 0 the voltage, 1 the current.
    pub(crate) fn take_clipped(&mut self) -> Vec<(usize, Clipped)> {
        self.front_end.take_clipped()
    }
}
