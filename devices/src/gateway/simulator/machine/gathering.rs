//! What the samples of a reporting period amount to, and how many of them could be used.
//!
//! A sample can be used if it came within its range, in a frame of its own, and can follow the one
//! before: a register never goes back, and nothing changes faster than the point map has it. What
//! cannot be used for that reason is reported as it came; which share of the samples that a period
//! has could be used is stated beside the values.

use lastmeter_units::{MeasurementId, Quantity, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::{Adapter, Device, Kind, Out, Reduction, event};
use crate::gateway::metric::is_power_of_ten;
use crate::gateway::simulator::waveforms::Waveforms;

#[derive(Clone, Copy, Debug)]
pub(super) struct Gathered {
    pub(super) id: MeasurementId,
    sum: f64,
    pub(super) count: u64,
    /// The last sample, also of a period before.
    last: Option<f64>,
    /// How many of them could be used.
    usable: u64,
}

impl Gathered {
    pub(super) const fn new(id: MeasurementId) -> Self {
        Self { id, sum: 0.0, count: 0, last: None, usable: 0 }
    }

    /// Takes a sample, whether it came in a frame of its own, and with the steepest change per
    /// second the time since the sample before. Whether a register went back.
    pub(super) fn take(
        &mut self,
        si: f64,
        is_new: bool,
        steepest: Option<(f64, SimDuration)>,
    ) -> bool {
        let last = self.last.replace(si);
        let change = last.map_or(0.0, |last| si - last);
        let is_back = self.is_register() && change < 0.0;
        let is_steep = steepest
            .is_some_and(|(per_second, since)| change.abs() > per_second * since.as_seconds_f64());
        self.sum += si;
        self.count += 1;
        self.usable += u64::from(is_new && !is_back && !is_steep);
        is_back
    }

    /// Another reporting period begins.
    pub(super) const fn begin_anew(&mut self) {
        (self.sum, self.count, self.usable) = (0.0, 0, 0);
    }

    fn is_register(&self) -> bool {
        matches!(
            self.id.row().quantity,
            Quantity::ActiveEnergy(_)
                | Quantity::HeatEnergy
                | Quantity::HeatVolume
                | Quantity::WaterVolume
        )
    }

    /// What a period with samples comes to.
    pub(super) fn reduced(&self, reduction: Reduction) -> f64 {
        match reduction {
            Reduction::Mean if !self.is_register() => self.sum / self.count as f64,
            _ => self.last.unwrap_or(f64::NAN),
        }
    }
}

impl Device {
    /// Which share of the samples of a period could be used, of the value with the fewest.
    pub(super) fn usable(&self, expected: f64, every: SimDuration) -> f64 {
        let values = self.values.iter().map(|gathered| gathered.usable as f64 / expected);
        let waveforms = self.waveforms.as_ref().map(|waveforms: &Waveforms| waveforms.share(every));
        let share = values.chain(waveforms).fold(1.0, f64::min);
        // As many digits as mean something.
        (share * 1e4).round() / 1e4
    }
}

impl Adapter {
    /// Reports a register that went back; of many the 1st, 10th, 100th, ...
    pub(super) fn gone_back(&mut self, now: SimTime, point: String, out: &mut Out) {
        self.gone_back += 1;
        let count = self.gone_back;
        if is_power_of_ten(count) {
            let text = format!("point `{point}`: a register went back ({count} times so far)");
            event(out, Kind::ValueRefused, text.clone());
            let facts = vec![(fact::POINT, point)];
            self.alert(now, ("simulator.implausible", AlertLevel::Warning, text), facts, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(name: &str) -> Gathered {
        Gathered::new(MeasurementId::lookup(name).unwrap())
    }

    #[test]
    fn what_cannot_follow_the_sample_before_is_counted_and_cannot_be_used() {
        let mut voltage = gathered("electricity.voltage.rms.l1");
        let steepest = Some((500.0, SimDuration::from_milliseconds(20)));
        for (si, is_new, usable) in [
            (230.0, true, 1),
            (239.9, true, 2),
            (229.0, true, 2),
            (229.0, false, 2),
            (229.0, true, 3),
        ] {
            assert!(!voltage.take(si, is_new, steepest));
            assert_eq!(voltage.usable, usable, "{si}");
        }
        assert!(
            (voltage.reduced(Reduction::Mean) - (230.0 + 239.9 + 3.0 * 229.0) / 5.0).abs() < 1e-9
        );
        let mut energy = gathered("electricity.energy.active.consumed.total");
        let went_back = [5.0, 6.0, 6.0, 5.9, 7.0].map(|si| energy.take(si, true, None));
        assert_eq!(went_back, [false, false, false, true, false]);
        assert_eq!((energy.usable, energy.count), (4, 5));
        // The sample before may be of another period.
        energy.begin_anew();
        assert!(energy.take(6.5, true, None) && energy.usable == 0);
    }
}
