//! What phases have to do with each other on their way to the converters.
//!
//! Two effects of a meter's layout:
//!
//! - *Supply*: all phases feed the supply, and the converters' reference hangs on it. Every channel
//!   is larger by `s (m / m0 - 1)`, where m is the mean of the rectified voltages of all phases,
//!   smoothed over [`SUPPLY_S`], and m0 that of nominal sines: a power by twice that.
//! - *Pickup*: a current channel lies beside the conductor of the next phase's voltage (L1 beside
//!   L2, L2 beside L3, L3 beside L1) and sees `C du/dt` of it. With voltages in positive sequence
//!   each phase's power is larger by `sin(120 deg)` of the picked up current times its voltage, in
//!   negative sequence smaller by as much; reactive power is smaller by `cos(120 deg)` of that.
//!   The slope is the difference of two samples, so it comes half a sample late.
//!
//! Nothing depends on how the samples are cut.

use std::f64::consts::{PI, SQRT_2};

/// Time constant of the supply in seconds.
pub(crate) const SUPPLY_S: f64 = 0.2;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CouplingParameters {
    /// Change of every gain, relative, for a supply that is as much off, relative.
    pub(crate) supply: f64,
    /// Nominal RMS voltage, primary.
    pub(crate) nominal_v: f64,
    /// Capacitance of the pickup in farads: primary amperes over primary volts per second.
    pub(crate) pickup_f: f64,
}

impl CouplingParameters {
    pub(crate) fn is_none(self) -> bool {
        self.supply == 0.0 && self.pickup_f == 0.0
    }
}

/// Coupled phases with the last sample of their voltages.
#[derive(Clone, Debug)]
pub(crate) struct Coupling {
    parameters: CouplingParameters,
    rate_hz: f64,
    last: Option<Vec<f64>>,
    /// The supply over its nominal value.
    charged: f64,
    /// What of the way to a new value it goes within a sample.
    follow: f64,
}

impl Coupling {
    pub(crate) fn new(parameters: CouplingParameters, rate_hz: f64) -> Self {
        let follow = -libm::expm1(-1.0 / (SUPPLY_S * rate_hz));
        Self { parameters, rate_hz, last: None, charged: 1.0, follow }
    }

    /// Acts on the next samples of all phases, which have one length.
    pub(crate) fn process<'a>(
        &mut self,
        voltages: &mut [&'a mut [f64]],
        currents: &mut [&'a mut [f64]],
    ) {
        let phases = voltages.len();
        let samples = voltages.first().map_or(0, |samples| samples.len());
        let CouplingParameters { supply, nominal_v, pickup_f } = self.parameters;
        // The mean of a rectified sine is 2 sqrt(2) / pi of its RMS value.
        let nominal = phases as f64 * nominal_v * 2.0 * SQRT_2 / PI;
        for k in 0..samples {
            let now = |phase: usize| voltages[phase % phases][k];
            let last = self.last.get_or_insert_with(|| (0..phases).map(now).collect());
            for (n, current) in currents.iter_mut().enumerate() {
                let slope = (now(n + 1) - last[(n + 1) % phases]) * self.rate_hz;
                current[k] += pickup_f * slope;
            }
            let rectified: f64 = (0..phases).map(|phase| now(phase).abs()).sum();
            for (last, voltage) in last.iter_mut().zip(voltages.iter()) {
                *last = voltage[k];
            }
            if supply == 0.0 {
                continue;
            }
            self.charged += self.follow * (rectified / nominal - self.charged);
            let gain = 1.0 + supply * (self.charged - 1.0);
            for channels in [&mut *voltages, &mut *currents] {
                for channel in channels {
                    channel[k] *= gain;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{SQRT_2, TAU};

    const RATE_HZ: f64 = 10_000.0;

    /// Ten cycles of 50 Hz of three phases, each with its RMS value and angle in degrees.
    fn phases(of: [(f64, f64); 3]) -> Vec<Vec<f64>> {
        let wave = |(rms, degrees): (f64, f64)| {
            let sample = |k: i32| {
                SQRT_2 * rms * (TAU * 50.0 * f64::from(k) / RATE_HZ + degrees.to_radians()).cos()
            };
            (0..2000).map(sample).collect()
        };
        of.map(wave).into()
    }

    fn run(parameters: CouplingParameters, u: &mut [Vec<f64>], i: &mut [Vec<f64>], cut: usize) {
        let mut coupling = Coupling::new(parameters, RATE_HZ);
        let ends = (0..2000).step_by(cut).map(|from| from..(from + cut).min(2000));
        for range in ends {
            let part = |channel| {
                let channel: &mut Vec<f64> = channel;
                &mut channel[range.clone()]
            };
            let mut u: Vec<_> = u.iter_mut().map(part).collect();
            let mut i: Vec<_> = i.iter_mut().map(part).collect();
            coupling.process(&mut u, &mut i);
        }
    }

    fn process(coupling: &mut Coupling, u: &mut [Vec<f64>], i: &mut [Vec<f64>]) {
        let mut u: Vec<_> = u.iter_mut().map(|channel| &mut channel[..]).collect();
        let mut i: Vec<_> = i.iter_mut().map(|channel| &mut channel[..]).collect();
        coupling.process(&mut u, &mut i);
    }

    fn mean_product(a: &[f64], b: &[f64]) -> f64 {
        let products = a.iter().zip(b).skip(200).map(|(a, b)| a * b);
        products.sum::<f64>() / (a.len() - 200) as f64
    }

    /// One phase of three is a supply of a third, and 80 % of the voltage one of 80 %.
    #[test]
    fn every_channel_follows_the_supply() {
        let parameters =
            CouplingParameters { supply: 0.03, nominal_v: 230.0, ..CouplingParameters::default() };
        for (rms, supply) in [([230.0; 3], 1.0), ([184.0; 3], 0.8), ([0.0, 230.0, 0.0], 1.0 / 3.0)]
        {
            let of = |n: usize, degrees| (rms[n], degrees);
            let mut u = phases([of(0, 0.0), of(1, -120.0), of(2, 120.0)]);
            let mut i = phases([(5.0, 0.0), (4.0, 10.0), (0.0, 0.0)]);
            let mut coupling = Coupling::new(parameters, RATE_HZ);
            for _ in 0..20 {
                // Each time the same ten cycles: the supply settles over four seconds.
                let (mut u, mut i) = (u.clone(), i.clone());
                process(&mut coupling, &mut u, &mut i);
            }
            process(&mut coupling, &mut u, &mut i);
            let expected = 1.0 + 0.03 * (supply - 1.0);
            for (channel, rms) in u.iter().chain(&i).zip([rms, [5.0, 4.0, 0.0]].concat()) {
                let found = mean_product(channel, channel).sqrt();
                // What is left of the rectified voltage's ripple.
                assert!((found - rms * expected).abs() <= 5e-5 * rms, "{found} for {rms}");
            }
        }
    }

    /// 2 mA at 230 V: 0.46 VA, of which sin(120 deg) turns its sign with the sequence.
    #[test]
    fn a_pickup_registers_power_of_the_sign_of_the_sequence() {
        let pickup_f = 2e-3 / (230.0 * TAU * 50.0);
        let pickup = CouplingParameters { pickup_f, ..CouplingParameters::default() };
        for (degrees, sign) in [(-120.0, 1.0), (120.0, -1.0)] {
            let mut u = phases([(230.0, 0.0), (230.0, degrees), (230.0, -degrees)]);
            let mut i = vec![vec![0.0; 2000]; 3];
            run(pickup, &mut u, &mut i, 2000);
            for (u, i) in u.iter().zip(&i) {
                // Half a sample late is 0.9 degrees, and the chord a little shorter than the arc.
                let half_rad = TAU * 50.0 / RATE_HZ / 2.0;
                let angle = 90.0_f64.to_radians() - half_rad - sign * 120.0_f64.to_radians();
                let expected = 0.46 * angle.cos() * half_rad.sin() / half_rad;
                let found = mean_product(u, i);
                assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
                assert!((found - sign * 0.46 * 0.866).abs() < 0.01, "{found}");
            }
        }
    }

    #[test]
    fn the_cut_does_not_matter() {
        let both = CouplingParameters { supply: 0.1, nominal_v: 230.0, pickup_f: 1e-7 };
        let unequal = [(230.0, 3.0), (100.0, -90.0), (50.0, 200.0)];
        let made = |cut: usize| {
            let (mut u, mut i) = (phases(unequal), phases([(5.0, 0.0), (1.0, 0.0), (0.0, 0.0)]));
            run(both, &mut u, &mut i, cut);
            (u, i)
        };
        let whole = made(2000);
        for cut in [1, 7, 640] {
            assert!(made(cut) == whole, "cut into {cut}");
        }
    }
}
