//! Specific volume and enthalpy of liquid water: IAPWS R7-97(2012), the "Industrial Formulation
//! 1997", region 1 (equation 7, table 2), and the pressure above which water is liquid (region 4,
//! equation 30, table 34).
//!
//! It is the formulation that EN 1434-1 takes its heat coefficients from. Region 1 reaches from
//! 273.15 K to 623.15 K, and from saturation to 1000 bar.

/// Specific gas constant of water in J/(kg K), equation 1.
const GAS_CONSTANT: f64 = 461.526;

/// Zero degrees Celsius in kelvins.
const ZERO_CELSIUS_K: f64 = 273.15;

/// Pressure and temperature that make equation 7 dimensionless.
const PRESSURE_PA: f64 = 16.53e6;
const TEMPERATURE_K: f64 = 1386.0;

/// Exponents I and J with the coefficient n of each term of equation 7.
const TERMS: [(i32, i32, f64); 34] = [
    (0, -2, 1.463_297_121_316_7e-1),
    (0, -1, -8.454_818_716_911_4e-1),
    (0, 0, -3.756_360_367_204),
    (0, 1, 3.385_516_916_838_5),
    (0, 2, -9.579_196_338_787_2e-1),
    (0, 3, 1.577_203_851_322_8e-1),
    (0, 4, -1.661_641_719_950_1e-2),
    (0, 5, 8.121_462_998_356_8e-4),
    (1, -9, 2.831_908_012_380_4e-4),
    (1, -7, -6.070_630_156_587_4e-4),
    (1, -1, -1.899_006_821_841_9e-2),
    (1, 0, -3.252_974_877_050_5e-2),
    (1, 1, -2.184_171_717_541_4e-2),
    (1, 3, -5.283_835_796_993e-5),
    (2, -3, -4.718_432_107_326_7e-4),
    (2, 0, -3.000_178_079_302_6e-4),
    (2, 1, 4.766_139_390_698_7e-5),
    (2, 3, -4.414_184_533_084_6e-6),
    (2, 17, -7.269_499_629_759_4e-16),
    (3, -4, -3.167_964_484_505_4e-5),
    (3, 0, -2.827_079_798_531_2e-6),
    (3, 6, -8.520_512_812_010_3e-10),
    (4, -5, -2.242_528_190_8e-6),
    (4, -2, -6.517_122_289_560_1e-7),
    (4, 10, -1.434_172_993_792_4e-13),
    (5, -8, -4.051_699_686_011_7e-7),
    (8, -11, -1.273_430_174_164_1e-9),
    (8, -6, -1.742_487_123_063_4e-10),
    (21, -29, -6.876_213_129_553_1e-19),
    (23, -31, 1.447_830_782_852_1e-20),
    (29, -38, 2.633_578_166_279_5e-23),
    (30, -39, -1.194_762_264_007_1e-23),
    (31, -40, 1.822_809_458_140_4e-24),
    (32, -41, -9.353_708_729_245_8e-26),
];

/// Coefficients of equation 30.
const SATURATION: [f64; 10] = [
    1_167.052_145_276_7,
    -724_213.167_032_06,
    -17.073_846_940_092,
    12_020.824_702_47,
    -3_232_555.032_233_3,
    14.915_108_613_53,
    -4_823.265_736_159_1,
    405_113.405_420_57,
    -0.238_555_575_678_49,
    650.175_348_447_98,
];

/// The state of liquid water at a pressure and a temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Water {
    /// Cubic metres per kilogram.
    pub(crate) specific_volume: f64,
    /// Joules per kilogram.
    pub(crate) specific_enthalpy: f64,
}

/// Liquid water, by equation 7.
pub(crate) fn water(pressure_pa: f64, celsius: f64) -> Water {
    let kelvin = celsius + ZERO_CELSIUS_K;
    let (pi, tau) = (pressure_pa / PRESSURE_PA, TEMPERATURE_K / kelvin);
    let (a, b) = (7.1 - pi, tau - 1.222);
    let (mut by_pi, mut by_tau) = (0.0, 0.0);
    for (i, j, n) in TERMS {
        by_pi -= n * f64::from(i) * power(a, i - 1) * power(b, j);
        by_tau += n * f64::from(j) * power(a, i) * power(b, j - 1);
    }
    Water {
        specific_volume: pi * by_pi * GAS_CONSTANT * kelvin / pressure_pa,
        specific_enthalpy: tau * by_tau * GAS_CONSTANT * kelvin,
    }
}

/// A whole power, by squaring: the same on every machine, and much faster than `pow`.
fn power(base: f64, exponent: i32) -> f64 {
    let (mut result, mut square, mut left) = (1.0, base, exponent.unsigned_abs());
    while left > 0 {
        if left & 1 == 1 {
            result *= square;
        }
        square *= square;
        left >>= 1;
    }
    if exponent < 0 { 1.0 / result } else { result }
}

/// The pressure in pascals at which water of a temperature boils, by equation 30.
pub(crate) fn saturation_pressure_pa(celsius: f64) -> f64 {
    let n = SATURATION;
    let kelvin = celsius + ZERO_CELSIUS_K;
    let theta = kelvin + n[8] / (kelvin - n[9]);
    let a = theta * theta + n[0] * theta + n[1];
    let b = n[2] * theta * theta + n[3] * theta + n[4];
    let c = n[5] * theta * theta + n[6] * theta + n[7];
    let root = 2.0 * c / (-b + (b * b - 4.0 * a * c).sqrt());
    1e6 * power(root, 4)
}

/// Joules that a cubic metre at the flow sensor gives off between flow and return: the heat
/// coefficient of EN 1434-1, `k = (h_flow - h_return) / (v (T_flow - T_return))` with the specific
/// volume `v` where the flow sensor sits, times the difference of the temperatures.
pub(crate) fn heat_per_volume(
    pressure_pa: f64,
    flow_celsius: f64,
    return_celsius: f64,
    sensor_celsius: f64,
) -> f64 {
    let enthalpy = |celsius| water(pressure_pa, celsius).specific_enthalpy;
    (enthalpy(flow_celsius) - enthalpy(return_celsius))
        / water(pressure_pa, sensor_celsius).specific_volume
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(found: f64, expected: f64, digits: i32) {
        let tolerance = 0.5 * 10_f64.powi(1 - digits) * expected.abs();
        assert!((found - expected).abs() <= tolerance, "{found} for {expected}");
    }

    /// IAPWS R7-97(2012), table 5: temperature, pressure, specific volume and enthalpy.
    #[test]
    fn region_1_agrees_with_the_verification_table() {
        for (kelvin, mpa, volume, enthalpy) in [
            (300.0, 3.0, 0.100_215_168e-2, 0.115_331_273e3),
            (300.0, 80.0, 0.971_180_894e-3, 0.184_142_828e3),
            (500.0, 3.0, 0.120_241_800e-2, 0.975_542_239e3),
        ] {
            let found = water(1e6 * mpa, kelvin - ZERO_CELSIUS_K);
            agrees(found.specific_volume, volume, 9);
            agrees(found.specific_enthalpy / 1e3, enthalpy, 9);
        }
    }

    /// IAPWS R7-97(2012), table 35: temperature and pressure.
    #[test]
    fn saturation_agrees_with_the_verification_table() {
        for (kelvin, mpa) in
            [(300.0, 0.353_658_941e-2), (500.0, 0.263_889_776e1), (600.0, 0.123_443_146e2)]
        {
            agrees(saturation_pressure_pa(kelvin - ZERO_CELSIUS_K) / 1e6, mpa, 9);
        }
    }

    /// Computed with the Python package iapws 1.5.5, in kWh/(m3 K): bar, flow, return, sensor.
    #[test]
    fn heat_coefficients_agree_with_another_implementation() {
        for (bar, flow, back, sensor, expected) in [
            (16.0, 70.0, 40.0, 40.0, 1.152_370_534_426_0),
            (16.0, 70.0, 40.0, 70.0, 1.135_609_506_738_9),
            (6.0, 85.0, 35.0, 35.0, 1.155_507_624_490_4),
            (16.0, 150.0, 60.0, 60.0, 1.155_324_007_854_7),
            (16.0, 43.0, 40.0, 40.0, 1.151_443_505_437_0),
            (10.0, 110.0, 70.0, 110.0, 1.111_090_159_577_6),
        ] {
            let found = heat_per_volume(1e5 * bar, flow, back, sensor) / (flow - back) / 3.6e6;
            assert!((found / expected - 1.0).abs() < 1e-10, "{found} for {expected}");
        }
    }
}
