//! A household, the same for a seed: a fridge that goes on and off, a heater by the clock that can
//! be switched, a washing machine every third day, a roof with the sun on it, and the rest.

use lastmeter_model::calendar::Zone;
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimDuration, SimTime};
use lastmeter_wire::flexmeter::MeasurementMessage;

pub(super) const POWER: &str = "electricity.power.active.consumed.total";
pub(super) const SENT: &str = "electricity.power.active.injected.total";
pub(super) const ENERGY: &str = "electricity.energy.active.consumed.total";
pub(super) const SENT_ENERGY: &str = "electricity.energy.active.injected.total";
const VOLTAGE: &str = "electricity.voltage.rms.l1";
const BREAKER: &str = "x.electricity.breaker.closed";
/// The one that can be switched.
pub(super) const SWITCHED: &str = "heater";
/// The longest time over which a power counts as constant.
const STEP: SimDuration = SimDuration::from_seconds(60);

/// A device of the household.
#[derive(Clone, Debug)]
pub(super) struct Appliance {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) room: &'static str,
    pub(super) is_meter: bool,
    /// What it has taken and given, kWh.
    energy_kwh: [f64; 2],
    /// What it takes and gives, kW.
    power_kw: [f64; 2],
}

/// The household at an instant.
pub(super) struct Household {
    seed: u64,
    zone: Zone,
    at: SimTime,
    serial: u64,
    is_on: bool,
    /// When nothing of the meter came.
    silence: (SimTime, SimTime),
    appliances: Vec<Appliance>,
}

impl Household {
    pub(super) fn new(seed: u64, zone: &str, at: SimTime) -> Result<Self, String> {
        let zone = Zone::named(zone).map_err(|error| error.to_string())?;
        let one = |id, name, room| {
            let is_meter = id == "meter";
            let energy_kwh = if is_meter { [4201.3, 812.4] } else { [0.0; 2] };
            Appliance { id, name, room, is_meter, energy_kwh, power_kw: [0.0; 2] }
        };
        let appliances = vec![
            one("meter", "Home meter", "Hall"),
            one("heater", "Heater", "Living room"),
            one("fridge", "Fridge", "Kitchen"),
            one("washer", "Washing machine", "Bath"),
        ];
        // Over noon of the eleventh day.
        let local = zone.local(at + SimDuration::from_seconds(10 * 86_400));
        let midnight = zone.midnight(local.year, local.month, local.day).unwrap_or(at);
        let silence = [11, 13].map(|hour| midnight + SimDuration::from_seconds(hour * 3600 + 60));
        let silence = (silence[0], silence[1]);
        Ok(Self { seed, zone, at, serial: 0, is_on: true, silence, appliances })
    }

    pub(super) fn at(&self) -> SimTime {
        self.at
    }

    pub(super) fn appliances(&self) -> &[Appliance] {
        &self.appliances
    }

    /// Switches the heater.
    pub(super) fn switch(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Goes on for some time.
    pub(super) fn step(&mut self, span: SimDuration) {
        let end = self.at + span;
        while self.at < end {
            let next = SimTime(end.0.min(self.at.0 + STEP.0));
            let hours = next.since(self.at).as_seconds_f64() / 3600.0;
            self.take_powers();
            for appliance in &mut self.appliances {
                for (energy, power) in appliance.energy_kwh.iter_mut().zip(appliance.power_kw) {
                    *energy += power * hours;
                }
            }
            self.at = next;
        }
        self.take_powers();
    }

    /// A number from 0 to 1 for an index, which the seed draws.
    fn drawn(&self, index: u64) -> f64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        let mut z = self.seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }

    /// What everything takes now.
    fn take_powers(&mut self) {
        let local = self.zone.local(self.at);
        let minute = i64::from(local.hour) * 60 + i64::from(local.minute);
        let day = (self.at + self.zone.offset(self.at)).0.div_euclid(86_400_000_000_000);
        let drawn =
            |index: u64| self.drawn(day.cast_unsigned().wrapping_mul(64).wrapping_add(index));
        let minutes = self.at.0.div_euclid(60_000_000_000);
        let fridge = if (minutes + (self.drawn(1) * 45.0) as i64).rem_euclid(45) < 18 {
            0.092
        } else {
            0.004
        };
        let is_heated = (330..480).contains(&minute) || (1000..1320).contains(&minute);
        let heater =
            if self.is_on && is_heated && minutes.rem_euclid(15) < 11 { 0.82 } else { 0.0 };
        let begun = minute - 1080;
        let washer = match begun {
            0..20 if day % 3 == 0 => 2.0,
            20..75 if day % 3 == 0 => 0.35,
            _ => 0.0015,
        };
        let cooked = if (1125..1160).contains(&minute) { 0.9 + 0.6 * drawn(2) } else { 0.0 };
        let rest = 0.092 + cooked + if (1020..1380).contains(&minute) { 0.14 } else { 0.02 };
        let height = (std::f64::consts::PI * (minute - 450) as f64 / 540.0).sin();
        let roof =
            if (450..990).contains(&minute) { 1.9 * height * (0.3 + 0.7 * drawn(3)) } else { 0.0 };
        let net = heater + fridge + washer + rest - roof;
        for appliance in &mut self.appliances {
            appliance.power_kw = match appliance.id {
                "heater" => [heater, 0.0],
                "fridge" => [fridge, 0.0],
                "washer" => [washer, 0.0],
                _ => [net.max(0.0), (-net).max(0.0)],
            };
        }
    }

    /// What each device reports now; nothing of the meter while it cannot be reached.
    pub(super) fn readings(&mut self) -> Vec<MeasurementMessage> {
        self.serial += 1;
        let rounded = |value: f64, step: f64| (value / step).round() * step;
        let mut all = Vec::new();
        let is_silent = self.silence.0 <= self.at && self.at < self.silence.1;
        for appliance in self.appliances.iter().filter(|one| !(one.is_meter && is_silent)) {
            let [taken, given] = appliance.energy_kwh.map(|value| rounded(value, 0.001));
            let [power, back] = appliance.power_kw.map(|value| rounded(value, 0.0001));
            let voltage = rounded(229.0 + 2.5 * self.drawn(self.serial), 0.1);
            let mut values = vec![(POWER, power), (ENERGY, taken), (VOLTAGE, voltage)];
            if appliance.is_meter {
                values.extend([(SENT, back), (SENT_ENERGY, given)]);
            }
            if appliance.id == SWITCHED {
                values.push((BREAKER, if self.is_on { 1.0 } else { 0.0 }));
            }
            let values = values
                .into_iter()
                .filter_map(|(name, value)| Some((MeasurementId::lookup(name)?, value)));
            let Ok(id) = HardwareId::new(appliance.id) else { continue };
            let mut message = MeasurementMessage::new(id, values.collect());
            (message.epoch, message.serial) = (Some(Epoch(1)), Some(Serial(self.serial)));
            message.event_date = Some(self.at);
            message.update_state = true;
            all.push(message);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(seed: u64) -> Vec<MeasurementMessage> {
        let from: SimTime = "2027-01-18T00:00:00Z".parse().unwrap();
        let mut household = Household::new(seed, "Europe/Rome", from).unwrap();
        let quarter = SimDuration::from_seconds(900);
        (0..7 * 96)
            .flat_map(|_| {
                household.step(quarter);
                household.readings()
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_household_and_registers_rise() {
        let (first, again, other) = (week(7), week(7), week(8));
        assert_eq!(first, again);
        assert_ne!(first, other);
        let energy = MeasurementId::lookup(ENERGY).unwrap();
        let of = |id: &str| -> Vec<f64> {
            let own = first.iter().filter(|one| one.hardware_id.as_str() == id);
            own.filter_map(|one| Some(one.values.iter().find(|(id, _)| *id == energy)?.1)).collect()
        };
        for id in ["meter", "heater", "fridge", "washer"] {
            assert!(of(id).windows(2).all(|pair| pair[0] <= pair[1]), "{id}");
        }
        // Some 7 kWh a day, of which the heater is the most.
        let used = of("meter").last().unwrap() - 4201.3;
        assert!((20.0..80.0).contains(&used), "{used}");
        assert!(of("heater").last().unwrap() > of("fridge").last().unwrap());
    }
}
