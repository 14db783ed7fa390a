//! Energy registers in four quadrants, and the pulse output of a meter.
//!
//! Fed with mean powers and durations: of measurement windows, or of any interval. Sums are
//! compensated (Neumaier), so a register is the integral of what it was given to the last digits
//! after any number of additions, and pulses are counted off the register, so none is ever lost.
//!
//! Quadrants as in IEC 62053-23, annex C: I imports active and reactive energy, II exports active
//! and imports reactive, III exports both, IV imports active and exports reactive.

/// A sum whose rounding errors are kept beside it (Neumaier).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    sum: f64,
    lost: f64,
}

impl CompensatedSum {
    /// Adds a number; what is no finite number is left out.
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            return;
        }
        let sum = self.sum + x;
        self.lost +=
            if self.sum.abs() >= x.abs() { (self.sum - sum) + x } else { (x - sum) + self.sum };
        self.sum = sum;
    }

    /// The sum.
    pub fn value(&self) -> f64 {
        self.sum + self.lost
    }
}

/// Mean powers over an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Powers {
    /// Active power in W, positive for import.
    pub p_w: f64,
    /// Reactive power in var (of the fundamentals, IEC 62053-24), positive for inductive import.
    pub q_var: f64,
    /// Apparent power in VA.
    pub s_va: f64,
}

/// The registers of one phase, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EnergyRegisters {
    import: CompensatedSum,
    export: CompensatedSum,
    reactive: [CompensatedSum; 4],
    apparent: CompensatedSum,
}

impl EnergyRegisters {
    /// Adds an interval in which all powers keep their sign.
    pub fn add(&mut self, powers: Powers, duration_s: f64) {
        let Powers { p_w, q_var, s_va } = powers;
        let active = if p_w < 0.0 { &mut self.export } else { &mut self.import };
        active.add(p_w.abs() * duration_s);
        let quadrant = match (p_w < 0.0, q_var < 0.0) {
            (false, false) => 0,
            (true, false) => 1,
            (true, true) => 2,
            (false, true) => 3,
        };
        self.reactive[quadrant].add(q_var.abs() * duration_s);
        self.apparent.add(s_va.abs() * duration_s);
    }

    /// Imported active energy in J.
    pub fn active_import_j(&self) -> f64 {
        self.import.value()
    }

    /// Exported active energy in J, never negative.
    pub fn active_export_j(&self) -> f64 {
        self.export.value()
    }

    /// Reactive energy of the quadrants I to IV in J (var s), never negative.
    pub fn reactive_j(&self) -> [f64; 4] {
        self.reactive.map(|register| register.value())
    }

    /// Reactive energy imported (quadrants I and II) in J (var s).
    pub fn reactive_import_j(&self) -> f64 {
        self.reactive[0].value() + self.reactive[1].value()
    }

    /// Reactive energy exported (quadrants III and IV) in J (var s).
    pub fn reactive_export_j(&self) -> f64 {
        self.reactive[2].value() + self.reactive[3].value()
    }

    /// Apparent energy in J (VA s).
    pub fn apparent_j(&self) -> f64 {
        self.apparent.value()
    }
}

/// What the total of several phases is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Netting {
    /// The phases' powers are added, then split into import and export.
    #[default]
    Net,
    /// Each phase is split; the total imports what any phase imports.
    PerPhase,
}

/// Registers of every phase and their total.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyMeter {
    netting: Netting,
    phases: Vec<EnergyRegisters>,
    total: EnergyRegisters,
}

impl EnergyMeter {
    /// All registers at zero.
    pub fn new(phases: usize, netting: Netting) -> Self {
        let phases = vec![EnergyRegisters::default(); phases];
        Self { netting, phases, total: EnergyRegisters::default() }
    }

    /// Adds an interval: the mean powers of each phase, in the order of the phases. Phases that
    /// are left out had no power.
    pub fn add(&mut self, powers: &[Powers], duration_s: f64) {
        for (registers, powers) in self.phases.iter_mut().zip(powers) {
            registers.add(*powers, duration_s);
        }
        let counted = &powers[..powers.len().min(self.phases.len())];
        match self.netting {
            Netting::PerPhase => {
                for powers in counted {
                    self.total.add(*powers, duration_s);
                }
            }
            Netting::Net => {
                let net = counted.iter().fold(Powers::default(), |sum, one| Powers {
                    p_w: sum.p_w + one.p_w,
                    q_var: sum.q_var + one.q_var,
                    s_va: sum.s_va + one.s_va,
                });
                self.total.add(net, duration_s);
            }
        }
    }

    /// The registers of each phase.
    pub fn phases(&self) -> &[EnergyRegisters] {
        &self.phases
    }

    /// The total's registers.
    pub fn total(&self) -> &EnergyRegisters {
        &self.total
    }
}

/// Joules in a kilowatt-hour.
const J_PER_KWH: f64 = 3.6e6;

/// A pulse output (LED or S0): one pulse whenever its register passes a whole multiple of the
/// energy of a pulse. The remainder stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PulseOutput {
    energy_per_pulse_j: f64,
    register: CompensatedSum,
    given: u64,
}

impl PulseOutput {
    /// An output with a meter constant in impulses per kWh (or kvarh); `None` unless it is finite
    /// and positive.
    pub fn new(constant_imp_per_kwh: f64) -> Option<Self> {
        let usable = constant_imp_per_kwh.is_finite() && constant_imp_per_kwh > 0.0;
        usable.then(|| Self {
            energy_per_pulse_j: J_PER_KWH / constant_imp_per_kwh,
            register: CompensatedSum::default(),
            given: 0,
        })
    }

    /// Adds an interval of constant power (its magnitude counts) and answers with the instants of
    /// the pulses in it.
    pub fn advance(&mut self, power: f64, start_s: f64, duration_s: f64) -> Pulses {
        let before = self.register.value();
        let magnitude = if power.is_finite() { power.abs() } else { 0.0 };
        self.register.add(magnitude * duration_s.max(0.0));
        let due = (self.register.value() / self.energy_per_pulse_j).floor();
        // Casting saturates; beyond 2^64 pulses nobody counts.
        let due = (due as u64).max(self.given);
        let first_j = (self.given + 1) as f64 * self.energy_per_pulse_j - before;
        let pulses = Pulses {
            next_s: start_s + first_j / magnitude,
            every_s: self.energy_per_pulse_j / magnitude,
            end_s: start_s + duration_s,
            left: due - self.given,
        };
        self.given = due;
        pulses
    }

    /// Energy since the last pulse in J.
    pub fn remainder_j(&self) -> f64 {
        self.register.value() - self.given as f64 * self.energy_per_pulse_j
    }

    /// Pulses given since the beginning.
    pub fn given(&self) -> u64 {
        self.given
    }
}

/// The instants of the pulses of one interval, in seconds, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulses {
    next_s: f64,
    every_s: f64,
    end_s: f64,
    left: u64,
}

impl Iterator for Pulses {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.left = self.left.checked_sub(1)?;
        let instant = self.next_s.min(self.end_s);
        self.next_s += self.every_s;
        Some(instant)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::try_from(self.left).unwrap_or(usize::MAX), usize::try_from(self.left).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_days_of_windows_add_up_to_the_closed_form() {
        // P = 2300 (1 + 0.5 sin(2 pi t / day)) W in windows of 0.2 s: 12 960 000 of them. The
        // mean over a window is exact: the difference of the sine's integral at its two ends.
        let (day, window) = (86_400.0, 0.2);
        let integral = |t: f64| {
            t - 0.5 * day / std::f64::consts::TAU * (std::f64::consts::TAU * t / day).cos()
        };
        let mut registers = EnergyRegisters::default();
        let mut pulses = PulseOutput::new(1000.0).expect("a constant");
        let mut counted = 0_u64;
        let mut before = integral(0.0);
        for k in 1..=12_960_000_u32 {
            let end = f64::from(k) * window;
            let after = integral(end);
            let p_w = 2300.0 * (after - before) / window;
            before = after;
            registers.add(Powers { p_w, q_var: -0.25 * p_w, s_va: 3000.0 }, window);
            counted += pulses.advance(p_w, end - window, window).count() as u64;
        }
        let expected = 2300.0 * 30.0 * day;
        let part = |found: f64, due: f64| (found / due - 1.0).abs();
        assert!(part(registers.active_import_j(), expected) < 1e-9);
        assert!(part(registers.reactive_j()[3], 0.25 * expected) < 1e-9);
        assert!(part(registers.apparent_j(), 3000.0 * 30.0 * day) < 1e-12);
        assert_eq!(registers.active_export_j(), 0.0);
        // 2.3 kW for 720 h are 1656 kWh.
        assert!((counted as i64 - 1_656_000).abs() <= 1, "{counted}");
    }

    #[test]
    fn a_plain_sum_would_not_do() {
        // The compensated sum of a million tenths is exact; the plain one is not.
        let (mut plain, mut sum) = (0.0, CompensatedSum::default());
        for _ in 0..1_000_000 {
            plain += 0.1;
            sum.add(0.1);
        }
        assert_eq!(sum.value(), 100_000.0);
        assert!(plain != 100_000.0);
    }

    #[test]
    fn each_quadrant_has_its_own_register() {
        let mut registers = EnergyRegisters::default();
        for (p, q) in [(100.0, 10.0), (-200.0, 20.0), (-300.0, -30.0), (400.0, -40.0)] {
            registers.add(Powers { p_w: p, q_var: q, s_va: 500.0 }, 2.0);
        }
        assert_eq!(registers.active_import_j(), 1000.0);
        assert_eq!(registers.active_export_j(), 1000.0);
        assert_eq!(registers.reactive_j(), [20.0, 40.0, 60.0, 80.0]);
        assert_eq!((registers.reactive_import_j(), registers.reactive_export_j()), (60.0, 140.0));
        assert_eq!(registers.apparent_j(), 4000.0);
    }

    #[test]
    fn the_total_is_netted_or_not() {
        let of = |p_w: f64| Powers { p_w, q_var: 0.0, s_va: p_w.abs() };
        let powers = [of(1000.0), of(-400.0), of(100.0)];
        for (netting, import, export) in
            [(Netting::Net, 700.0, 0.0), (Netting::PerPhase, 1100.0, 400.0)]
        {
            let mut meter = EnergyMeter::new(3, netting);
            meter.add(&powers, 1.0);
            assert_eq!(meter.total().active_import_j(), import);
            assert_eq!(meter.total().active_export_j(), export);
            assert_eq!(meter.total().apparent_j(), 1500.0);
            assert_eq!(meter.phases()[1].active_export_j(), 400.0);
        }
    }

    #[test]
    fn pulses_come_at_their_instants_and_the_remainder_stays() {
        // 1000 imp/kWh: 3600 J each. 1 kW gives one every 3.6 s.
        let mut output = PulseOutput::new(1000.0).expect("a constant");
        let first: Vec<f64> = output.advance(1000.0, 100.0, 10.0).collect();
        assert_eq!(first.len(), 2);
        assert!((first[0] - 103.6).abs() < 1e-9 && (first[1] - 107.2).abs() < 1e-9);
        assert!((output.remainder_j() - 2800.0).abs() < 1e-9);
        let second: Vec<f64> = output.advance(2000.0, 110.0, 0.5).collect();
        assert!(second.len() == 1 && (second[0] - 110.4).abs() < 1e-9, "{second:?}");
        assert_eq!(output.advance(0.0, 110.5, 1e6).count(), 0);
        assert_eq!(output.advance(f64::NAN, 0.0, 1.0).count(), 0);
        assert_eq!(output.given(), 3);
        assert!(PulseOutput::new(0.0).is_none() && PulseOutput::new(f64::NAN).is_none());
    }
}
