//! What a photovoltaic system delivers under a clear sky.
//!
//! Global irradiance on the horizontal after Haurwitz (1945), with `z` the zenith distance of the
//! sun: `1098 W/m2 cos z exp(-0.057 / cos z)`. The declination after Cooper (1969):
//! `23.45 deg sin(360 deg (284 + n) / 365)` with `n` the day of the year; the hour angle from UTC
//! and the longitude, without the equation of time (at most 16 min).

use std::f64::consts::TAU;

use lastmeter_units::SimTime;

use super::profile::Raster;
use super::standard::date;

/// A system under a clear sky; its panels lie flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClearSky {
    /// What it delivers at 1000 W/m2 (standard test conditions), watts.
    pub peak_w: f64,
    /// What wiring, inverter and warm panels leave of it, as a share.
    pub performance: f64,
    /// North is positive, radians.
    pub latitude_rad: f64,
    /// East is positive, radians.
    pub longitude_rad: f64,
}

const DAY_S: f64 = 86_400.0;

impl ClearSky {
    /// What it delivers in the middle of each step, watts.
    pub fn powers(&self, raster: &Raster) -> Vec<f64> {
        let middle = |step: usize| {
            let half = lastmeter_units::SimDuration(raster.step.0 / 2);
            self.power_w(raster.start + raster.begin(step) + half)
        };
        (0..raster.steps).map(middle).collect()
    }

    fn power_w(&self, at: SimTime) -> f64 {
        self.peak_w * self.performance * self.irradiance(at) / 1000.0
    }

    /// On the horizontal, W/m2.
    fn irradiance(&self, at: SimTime) -> f64 {
        let seconds = at.as_nanoseconds() as f64 / 1e9;
        let (day, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
        let declination = 23.45_f64.to_radians() * libm::sin(TAU * (284.0 + of_year(day)) / 365.0);
        let hour_angle = TAU * (second / DAY_S - 0.5) + self.longitude_rad;
        let cosine = libm::sin(self.latitude_rad) * libm::sin(declination)
            + libm::cos(self.latitude_rad) * libm::cos(declination) * libm::cos(hour_angle);
        if cosine <= 0.0 { 0.0 } else { 1098.0 * cosine * libm::exp(-0.057 / cosine) }
    }
}

/// The day of the year from 1 of a day since 1970.
fn of_year(day: f64) -> f64 {
    f64::from(date(day as i64).day_of_year())
}

#[cfg(test)]
mod tests {
    use lastmeter_units::SimDuration;

    use super::*;

    fn at(text: &str) -> SimTime {
        text.parse().unwrap()
    }

    #[test]
    fn days_of_the_year_are_those_of_the_calendar() {
        for (text, expected) in [
            ("2027-01-01T00:00:00Z", 1.0),
            ("2027-02-28T23:00:00Z", 59.0),
            ("2027-03-01T00:00:00Z", 60.0),
            ("2028-02-29T00:00:00Z", 60.0),
            ("2028-03-01T00:00:00Z", 61.0),
            ("2028-12-31T00:00:00Z", 366.0),
            ("2000-12-31T00:00:00Z", 366.0),
            ("1970-01-01T00:00:00Z", 1.0),
        ] {
            let day = (at(text).as_nanoseconds() as f64 / 1e9 / DAY_S).floor();
            assert!((of_year(day) - expected).abs() < 0.5, "{text}: {}", of_year(day));
        }
    }

    /// With the sun in the zenith the formula gives 1098 exp(-0.057) = 1037.2 W/m2; on 21 March
    /// (n = 80) it stands over latitude 23.45 deg sin(360 deg 364/365) = -0.4 deg.
    #[test]
    fn at_the_equator_an_equinox_noon_is_bright_and_the_night_dark() {
        let sky =
            ClearSky { peak_w: 5000.0, performance: 0.8, latitude_rad: 0.0, longitude_rad: 0.0 };
        assert!((sky.irradiance(at("2027-03-21T12:00:00Z")) - 1037.2).abs() < 0.1);
        assert!((sky.power_w(at("2027-03-21T12:00:00Z")) - 4.0 * 1037.2).abs() < 0.4);
        assert!(sky.power_w(at("2027-03-21T00:00:00Z")).abs() < f64::MIN_POSITIVE);
        // A quarter of the earth further east it is noon six hours earlier.
        let east = ClearSky { longitude_rad: TAU / 4.0, ..sky };
        assert!((east.irradiance(at("2027-03-21T06:00:00Z")) - 1037.2).abs() < 0.1);
    }

    /// At latitude 50 deg the sun stands 50 - 23.45 deg from the zenith at noon of 21 June, and
    /// 50 + 23.45 deg at that of 21 December.
    #[test]
    fn summer_is_brighter_than_winter() {
        let sky = ClearSky {
            peak_w: 1.0,
            performance: 1.0,
            latitude_rad: 50_f64.to_radians(),
            longitude_rad: 0.0,
        };
        for (text, zenith_deg) in [("2027-06-21T12:00:00Z", 26.55), ("2027-12-21T12:00:00Z", 73.45)]
        {
            let cosine = f64::cos(f64::to_radians(zenith_deg));
            let expected = 1098.0 * cosine * f64::exp(-0.057 / cosine);
            assert!((sky.irradiance(at(text)) - expected).abs() < 0.5, "{text}");
        }
        let raster = Raster {
            start: at("2027-06-21T00:00:00Z"),
            step: SimDuration::from_seconds(3600),
            steps: 24,
        };
        let powers = sky.powers(&raster);
        let lit = powers.iter().filter(|p| **p > 0.0).count();
        // Sixteen hours of day at that latitude in June.
        assert!((15..=17).contains(&lit), "{lit}");
    }
}
