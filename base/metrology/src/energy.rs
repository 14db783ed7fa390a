//! Energy registers in four quadrants.
//!
//! Fed with mean powers and durations: of measurement windows, or of any interval. Sums are
//! compensated (Neumaier), so a register is the integral of what it was given to the last digits
//! after any number of additions.
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

    /// The compensated sum.
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

/// The registers of one phase, or of the net of several.
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

    /// Adds such an interval of several phases: their net, split into import and export.
    pub fn add_net(&mut self, phases: &[Powers], duration_s: f64) {
        let net = phases.iter().fold(Powers::default(), |sum, one| Powers {
            p_w: sum.p_w + one.p_w,
            q_var: sum.q_var + one.q_var,
            s_va: sum.s_va + one.s_va,
        });
        self.add(net, duration_s);
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

    /// Apparent energy in J (VA s).
    pub fn apparent_j(&self) -> f64 {
        self.apparent.value()
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
        let mut before = integral(0.0);
        for k in 1..=12_960_000_u32 {
            let end = f64::from(k) * window;
            let after = integral(end);
            let p_w = 2300.0 * (after - before) / window;
            before = after;
            registers.add(Powers { p_w, q_var: -0.25 * p_w, s_va: 3000.0 }, window);
        }
        let expected = 2300.0 * 30.0 * day;
        let part = |found: f64, due: f64| (found / due - 1.0).abs();
        assert!(part(registers.active_import_j(), expected) < 1e-9);
        assert!(part(registers.reactive_j()[3], 0.25 * expected) < 1e-9);
        assert!(part(registers.apparent_j(), 3000.0 * 30.0 * day) < 1e-12);
        assert_eq!(registers.active_export_j(), 0.0);
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
        assert_eq!(registers.apparent_j(), 4000.0);
    }

    #[test]
    fn several_phases_are_netted() {
        let of = |p_w: f64| Powers { p_w, q_var: 0.0, s_va: p_w.abs() };
        let mut registers = EnergyRegisters::default();
        registers.add_net(&[of(1000.0), of(-400.0), of(100.0)], 1.0);
        assert_eq!(registers.active_import_j(), 700.0);
        assert_eq!(registers.active_export_j(), 0.0);
        assert_eq!(registers.apparent_j(), 1500.0);
    }
}
