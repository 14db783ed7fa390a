//! Calibration registers with their real widths: what is written is rounded to what a register
//! can hold, and acts on the samples or on the results of the windows.
//!
//! A *value* is what a register's bits mean as a whole number; bits can also be given as such,
//! for instance `0x410000` or, of a sign-magnitude register, `0x8005` for -5.

pub(crate) mod ade7953;
pub(crate) mod plain;
pub(crate) mod stpm3x;

use crate::front_end::Calibration;
use crate::window::{MeasuredWindow, PHASES_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Unsigned,
    TwosComplement,
    /// The topmost bit is the sign.
    SignMagnitude,
}

/// A factor as a function of a register's value: `at_zero + per_unit * value`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Factor {
    pub(crate) at_zero: f64,
    pub(crate) per_unit: f64,
}

/// What a register does. Offsets are given per unit of its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    /// It is kept and can be read.
    Kept,
    VoltageGain(Factor),
    CurrentGain(Factor),
    /// In parts of the full scale.
    VoltageOffset(f64),
    CurrentOffset(f64),
    /// Degrees by which the current comes later, at 50 Hz: a constant time.
    Delay(f64),
    ActiveGain(Factor),
    ReactiveGain(Factor),
    ApparentGain(Factor),
    /// Added to the squares of the RMS values, in parts of the full scale's.
    VoltageSquare(f64),
    CurrentSquare(f64),
    /// Added to the powers, in parts of the full scale's.
    ActiveOffset(f64),
    ReactiveOffset(f64),
    ApparentOffset(f64),
    /// Active power below which nothing is registered: the full scale's over
    /// `(65536 - value) * this`.
    NoLoad(f64),
    /// Read only: full-scale value of the last window's RMS voltage or current.
    VoltageReading(f64),
    CurrentReading(f64),
}

/// One register of a meter chip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Where it is found; empty if it has a name only.
    pub(crate) addresses: &'static [u16],
    pub(crate) bits: u32,
    pub(crate) coding: Coding,
    /// The bits it starts with.
    pub(crate) reset: u32,
    /// The least and the largest value that may be written; `None` if it is read only.
    pub(crate) range: Option<(i64, i64)>,
    /// The phase it acts on, from 0.
    pub(crate) phase: usize,
    pub(crate) effect: Effect,
}

impl Row {
    fn value(&self, bits: u32) -> i64 {
        let sign = 1_u32 << (self.bits - 1);
        match self.coding {
            Coding::TwosComplement if bits & sign != 0 => i64::from(bits) - (1_i64 << self.bits),
            Coding::SignMagnitude if bits & sign != 0 => -i64::from(bits & !sign),
            _ => i64::from(bits),
        }
    }

    /// The bits of a number: those of a negative value, or the number itself as bits.
    fn bits_of(&self, number: i64) -> Option<u32> {
        let all = (1_i64 << self.bits) - 1;
        let half = 1_i64 << (self.bits - 1);
        let bits = match self.coding {
            _ if (0..=all).contains(&number) => number,
            Coding::TwosComplement if (-half..0).contains(&number) => number + all + 1,
            Coding::SignMagnitude if (-half + 1..0).contains(&number) => half - number,
            _ => return None,
        };
        u32::try_from(bits).ok()
    }

    fn shown(&self, bits: u32) -> String {
        let digits = self.bits.div_ceil(4) as usize;
        format!("{} is 0x{bits:0digits$X} ({})", self.name, self.value(bits))
    }
}

/// What the registers of a phase do to the results of its windows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Results {
    active: (f64, f64),
    reactive: (f64, f64),
    apparent: (f64, f64),
    u_square: f64,
    i_square: f64,
}

impl Default for Results {
    fn default() -> Self {
        let none = (1.0, 0.0);
        Self { active: none, reactive: none, apparent: none, u_square: 0.0, i_square: 0.0 }
    }
}

/// What is full scale, for registers that count in parts of it: RMS of the largest sines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FullScale {
    pub(crate) voltage_v: f64,
    pub(crate) current_a: f64,
    pub(crate) nominal_hz: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Registers {
    rows: &'static [Row],
    bits: Vec<u32>,
    /// Rows that act on nothing.
    dead: Vec<bool>,
    full_scale: FullScale,
    results: [Results; PHASES_MAX],
    has_results: bool,
    last_rms: (f64, f64),
}

impl Registers {
    /// The registers as they start; those named `dead` act on nothing.
    pub(crate) fn new(rows: &'static [Row], full_scale: FullScale, dead: &[&str]) -> Self {
        let bits = rows.iter().map(|row| row.reset).collect();
        let results = Default::default();
        let last_rms = (0.0, 0.0);
        let dead = rows.iter().map(|row| dead.contains(&row.name)).collect();
        let mut made = Self { rows, bits, dead, full_scale, results, has_results: false, last_rms };
        made.refresh();
        made
    }

    /// Finds a register by its name or its address.
    fn find(&self, wanted: &str) -> Result<usize, String> {
        let address = parse_number(wanted).and_then(|n| u16::try_from(n).ok());
        let found = self.rows.iter().position(|row| {
            row.name.eq_ignore_ascii_case(wanted)
                || address.is_some_and(|address| row.addresses.contains(&address))
        });
        found.ok_or_else(|| {
            let wanted: String = wanted.chars().take(64).collect();
            let some: Vec<_> = self.rows.iter().take(4).map(|row| row.name).collect();
            if some.is_empty() {
                return format!("unknown register `{wanted}`: this device has none");
            }
            format!("unknown register `{wanted}`; there are {}, ...", some.join(", "))
        })
    }

    /// What a register holds, for an answer.
    pub(crate) fn read(&self, wanted: &str) -> Result<String, String> {
        let at = self.find(wanted)?;
        let row = &self.rows[at];
        let reading = |part: f64, full: f64| (part * full).round().clamp(0.0, 16_777_215.0) as u32;
        let bits = match row.effect {
            Effect::VoltageReading(full) => {
                reading(self.last_rms.0 / self.full_scale.voltage_v, full)
            }
            Effect::CurrentReading(full) => {
                reading(self.last_rms.1 / self.full_scale.current_a, full)
            }
            _ => self.bits[at],
        };
        Ok(row.shown(bits))
    }

    /// Writes a register; what it then holds, for an answer, and the phase whose samples it acts
    /// on.
    pub(crate) fn write(&mut self, wanted: &str, number: &str) -> Result<(String, usize), String> {
        let at = self.find(wanted)?;
        let row = &self.rows[at];
        let Some((least, largest)) = row.range else {
            return Err(format!("the register {} is read only", row.name));
        };
        let number: String = number.chars().take(64).collect();
        let wrong = || {
            format!(
                "`{number}` does not fit {}: expected a whole number from {least} to {largest}, \
                 or its {} bits",
                row.name, row.bits
            )
        };
        let bits = parse_number(&number).and_then(|n| row.bits_of(n)).ok_or_else(wrong)?;
        if !(least..=largest).contains(&row.value(bits)) {
            return Err(wrong());
        }
        self.bits[at] = bits;
        self.refresh();
        Ok((row.shown(bits), row.phase))
    }

    /// The bits of a register, to be put back if they cannot be had.
    pub(crate) fn bits(&self) -> Vec<u32> {
        self.bits.clone()
    }

    /// Puts bits back.
    pub(crate) fn restore(&mut self, bits: Vec<u32>) {
        self.bits = bits;
        self.refresh();
    }

    fn of_phase(&self, phase: usize) -> impl Iterator<Item = (Effect, f64)> {
        let rows = self.rows.iter().zip(&self.bits).zip(&self.dead);
        let rows = rows.filter(move |((row, _), is_dead)| row.phase == phase && !**is_dead);
        rows.map(|((row, &bits), _)| (row.effect, row.value(bits) as f64))
    }

    /// What the registers do to the samples of a phase: voltage and current.
    pub(crate) fn calibration(&self, phase: usize) -> (Calibration, Calibration) {
        let (mut u, mut i) = (Calibration::default(), Calibration::default());
        for (effect, value) in self.of_phase(phase) {
            match effect {
                Effect::VoltageGain(factor) => u.gain *= factor.at_zero + factor.per_unit * value,
                Effect::CurrentGain(factor) => i.gain *= factor.at_zero + factor.per_unit * value,
                Effect::VoltageOffset(unit) => u.offset += unit * value,
                Effect::CurrentOffset(unit) => i.offset += unit * value,
                Effect::Delay(degrees) => {
                    let at_50_hz = (degrees * value).to_radians();
                    i.lead_rad -= at_50_hz * self.full_scale.nominal_hz / 50.0;
                }
                _ => {}
            }
        }
        (u, i)
    }

    fn refresh(&mut self) {
        for phase in 0..PHASES_MAX {
            let mut results = Results::default();
            let times = |pair: &mut (f64, f64), factor: Factor, value: f64| {
                pair.0 *= factor.at_zero + factor.per_unit * value;
            };
            for (effect, value) in self.of_phase(phase) {
                match effect {
                    Effect::ActiveGain(factor) => times(&mut results.active, factor, value),
                    Effect::ReactiveGain(factor) => times(&mut results.reactive, factor, value),
                    Effect::ApparentGain(factor) => times(&mut results.apparent, factor, value),
                    Effect::VoltageSquare(unit) => results.u_square += unit * value,
                    Effect::CurrentSquare(unit) => results.i_square += unit * value,
                    Effect::ActiveOffset(unit) => results.active.1 += unit * value,
                    Effect::ReactiveOffset(unit) => results.reactive.1 += unit * value,
                    Effect::ApparentOffset(unit) => results.apparent.1 += unit * value,
                    _ => {}
                }
            }
            self.results[phase] = results;
        }
        self.has_results = self.results.iter().any(|results| *results != Results::default());
    }

    /// Lets the registers act on the results of a window.
    pub(crate) fn apply(&mut self, window: &mut MeasuredWindow) {
        self.last_rms = (window.phases[0].u_rms_v, window.phases[0].i_rms_a);
        if !self.has_results {
            return;
        }
        let (u_full, i_full) = (self.full_scale.voltage_v, self.full_scale.current_a);
        let power = u_full * i_full;
        for (phase, results) in window.phases.iter_mut().zip(&self.results) {
            let square =
                |rms: f64, part: f64, full: f64| (rms * rms + part * full * full).max(0.0).sqrt();
            if results.u_square != 0.0 {
                phase.u_rms_v = square(phase.u_rms_v, results.u_square, u_full);
            }
            if results.i_square != 0.0 {
                phase.i_rms_a = square(phase.i_rms_a, results.i_square, i_full);
            }
            phase.p_w = results.active.0 * phase.p_w + results.active.1 * power;
            phase.q1_var = results.reactive.0 * phase.q1_var + results.reactive.1 * power;
            let s_va = phase.u_rms_v * phase.i_rms_a;
            phase.s_va = (results.apparent.0 * s_va + results.apparent.1 * power).max(0.0);
        }
    }

    /// The active power below which nothing is registered, if a register holds it.
    pub(crate) fn no_load_w(&self) -> Option<f64> {
        let power = self.full_scale.voltage_v * self.full_scale.current_a;
        self.of_phase(0).find_map(|(effect, value)| match effect {
            Effect::NoLoad(part) if value < 65_536.0 => Some(power / ((65_536.0 - value) * part)),
            _ => None,
        })
    }
}

/// A whole number, decimal or hexadecimal.
fn parse_number(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        // Numbers of a message are written with decimals where the sender's language wants them.
        None => text.strip_suffix(".0").unwrap_or(text).parse().ok(),
    }
}

#[cfg(test)]
mod tests;
