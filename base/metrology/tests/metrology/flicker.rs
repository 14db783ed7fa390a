//! Flicker against the figures of IEC 61000-4-15:2010, typed in from its tables.
//!
//! The signals are computed here in closed form: u = sqrt(2) U sin(2 pi f t) (1 + m(t) dV/V / 2),
//! m a sine or a square wave of the modulation frequency.

use lastmeter_metrology::flicker::{FlickerConfig, FlickerMeter, Lamp, long_term};

/// IEC 61000-4-15:2010, tables 1a and 1b: sinusoidal modulation (Hz) and dV/V in per cent for
/// Pinst,max = 1.
const SINUSOIDAL_230: [(f64, f64); 37] = [
    (0.5, 2.325),
    (1.0, 1.397),
    (1.5, 1.067),
    (2.0, 0.879),
    (2.5, 0.747),
    (3.0, 0.645),
    (3.5, 0.564),
    (4.0, 0.497),
    (4.5, 0.442),
    (5.0, 0.396),
    (5.5, 0.357),
    (6.0, 0.325),
    (6.5, 0.3),
    (7.0, 0.28),
    (7.5, 0.265),
    (8.0, 0.256),
    (8.8, 0.25),
    (9.5, 0.254),
    (10.0, 0.261),
    (10.5, 0.271),
    (11.0, 0.283),
    (11.5, 0.298),
    (12.0, 0.314),
    (13.0, 0.351),
    (14.0, 0.393),
    (15.0, 0.438),
    (16.0, 0.486),
    (17.0, 0.537),
    (18.0, 0.59),
    (19.0, 0.646),
    (20.0, 0.704),
    (21.0, 0.764),
    (22.0, 0.828),
    (23.0, 0.894),
    (24.0, 0.964),
    (25.0, 1.037),
    (33.333_333_3, 2.128),
];

/// The same for the 120 V lamp at 60 Hz.
const SINUSOIDAL_120: [(f64, f64); 38] = [
    (0.5, 2.453),
    (1.0, 1.465),
    (1.5, 1.126),
    (2.0, 0.942),
    (2.5, 0.815),
    (3.0, 0.717),
    (3.5, 0.637),
    (4.0, 0.57),
    (4.5, 0.514),
    (5.0, 0.466),
    (5.5, 0.426),
    (6.0, 0.393),
    (6.5, 0.366),
    (7.0, 0.346),
    (7.5, 0.332),
    (8.0, 0.323),
    (8.8, 0.321),
    (9.5, 0.329),
    (10.0, 0.341),
    (10.5, 0.355),
    (11.0, 0.373),
    (11.5, 0.394),
    (12.0, 0.417),
    (13.0, 0.469),
    (14.0, 0.528),
    (15.0, 0.592),
    (16.0, 0.66),
    (17.0, 0.734),
    (18.0, 0.811),
    (19.0, 0.892),
    (20.0, 0.977),
    (21.0, 1.067),
    (22.0, 1.16),
    (23.0, 1.257),
    (24.0, 1.359),
    (25.0, 1.464),
    (33.333_333_3, 2.57),
    (40.0, 4.393),
];

/// IEC 61000-4-15:2010, tables 2a and 2b: rectangular modulation, likewise.
const RECTANGULAR_230: [(f64, f64); 41] = [
    (0.5, 0.509),
    (1.0, 0.467),
    (1.5, 0.429),
    (2.0, 0.398),
    (2.5, 0.37),
    (3.0, 0.352),
    (3.5, 0.342),
    (4.0, 0.332),
    (4.5, 0.312),
    (5.0, 0.291),
    (5.5, 0.268),
    (6.0, 0.248),
    (6.5, 0.231),
    (7.0, 0.216),
    (7.5, 0.207),
    (8.0, 0.199),
    (8.8, 0.196),
    (9.5, 0.199),
    (10.0, 0.203),
    (10.5, 0.212),
    (11.0, 0.222),
    (11.5, 0.233),
    (12.0, 0.245),
    (13.0, 0.272),
    (14.0, 0.308),
    (15.0, 0.341),
    (16.0, 0.376),
    (17.0, 0.411),
    (18.0, 0.446),
    (19.0, 0.497),
    (20.0, 0.553),
    (21.0, 0.585),
    (21.5, 0.592),
    (22.0, 0.612),
    (23.0, 0.68),
    (24.0, 0.743),
    (25.0, 0.764),
    (25.5, 0.806),
    (28.0, 0.915),
    (30.5, 0.847),
    (33.333_333_3, 1.671),
];

/// The same for the 120 V lamp at 60 Hz.
const RECTANGULAR_120: [(f64, f64); 43] = [
    (0.5, 0.598),
    (1.0, 0.548),
    (1.5, 0.503),
    (2.0, 0.469),
    (2.5, 0.439),
    (3.0, 0.419),
    (3.5, 0.408),
    (4.0, 0.394),
    (4.5, 0.373),
    (5.0, 0.348),
    (5.5, 0.324),
    (6.0, 0.302),
    (6.5, 0.283),
    (7.0, 0.269),
    (7.5, 0.258),
    (8.0, 0.253),
    (8.8, 0.252),
    (9.5, 0.258),
    (10.0, 0.266),
    (10.5, 0.278),
    (11.0, 0.292),
    (11.5, 0.308),
    (12.0, 0.324),
    (13.0, 0.367),
    (14.0, 0.411),
    (15.0, 0.457),
    (16.0, 0.509),
    (17.0, 0.575),
    (18.0, 0.626),
    (19.0, 0.688),
    (20.0, 0.746),
    (21.0, 0.815),
    (21.5, 0.837),
    (22.0, 0.851),
    (23.0, 0.946),
    (24.0, 1.067),
    (25.0, 1.088),
    (25.5, 1.072),
    (28.0, 1.383),
    (30.5, 1.602),
    (33.333_333_3, 1.823),
    (37.0, 1.304),
    (40.0, 3.451),
];

/// The same for the 120 V lamp at 50 Hz.
const SINUSOIDAL_120_50: [(f64, f64); 37] = [
    (0.5, 2.453),
    (1.0, 1.465),
    (1.5, 1.126),
    (2.0, 0.942),
    (2.5, 0.815),
    (3.0, 0.717),
    (3.5, 0.637),
    (4.0, 0.57),
    (4.5, 0.514),
    (5.0, 0.466),
    (5.5, 0.426),
    (6.0, 0.393),
    (6.5, 0.366),
    (7.0, 0.346),
    (7.5, 0.332),
    (8.0, 0.323),
    (8.8, 0.321),
    (9.5, 0.329),
    (10.0, 0.341),
    (10.5, 0.355),
    (11.0, 0.373),
    (11.5, 0.394),
    (12.0, 0.417),
    (13.0, 0.469),
    (14.0, 0.528),
    (15.0, 0.592),
    (16.0, 0.66),
    (17.0, 0.734),
    (18.0, 0.811),
    (19.0, 0.892),
    (20.0, 0.978),
    (21.0, 1.068),
    (22.0, 1.162),
    (23.0, 1.261),
    (24.0, 1.365),
    (25.0, 1.476),
    (33.333_333_3, 3.111),
];

/// The same for the 230 V lamp at 60 Hz.
const SINUSOIDAL_230_60: [(f64, f64); 38] = [
    (0.5, 2.325),
    (1.0, 1.397),
    (1.5, 1.067),
    (2.0, 0.879),
    (2.5, 0.747),
    (3.0, 0.645),
    (3.5, 0.564),
    (4.0, 0.497),
    (4.5, 0.442),
    (5.0, 0.396),
    (5.5, 0.357),
    (6.0, 0.325),
    (6.5, 0.3),
    (7.0, 0.28),
    (7.5, 0.265),
    (8.0, 0.256),
    (8.8, 0.25),
    (9.5, 0.254),
    (10.0, 0.261),
    (10.5, 0.271),
    (11.0, 0.283),
    (11.5, 0.298),
    (12.0, 0.314),
    (13.0, 0.351),
    (14.0, 0.393),
    (15.0, 0.438),
    (16.0, 0.486),
    (17.0, 0.537),
    (18.0, 0.59),
    (19.0, 0.645),
    (20.0, 0.703),
    (21.0, 0.764),
    (22.0, 0.826),
    (23.0, 0.892),
    (24.0, 0.959),
    (25.0, 1.029),
    (33.333_333_3, 1.758),
    (40.0, 2.963),
];

/// Rectangular modulation, the 120 V lamp at 50 Hz.
const RECTANGULAR_120_50: [(f64, f64); 41] = [
    (0.5, 0.597),
    (1.0, 0.547),
    (1.5, 0.503),
    (2.0, 0.468),
    (2.5, 0.438),
    (3.0, 0.42),
    (3.5, 0.408),
    (4.0, 0.394),
    (4.5, 0.372),
    (5.0, 0.348),
    (5.5, 0.323),
    (6.0, 0.302),
    (6.5, 0.283),
    (7.0, 0.269),
    (7.5, 0.259),
    (8.0, 0.253),
    (8.8, 0.252),
    (9.5, 0.258),
    (10.0, 0.265),
    (10.5, 0.278),
    (11.0, 0.293),
    (11.5, 0.308),
    (12.0, 0.325),
    (13.0, 0.363),
    (14.0, 0.413),
    (15.0, 0.46),
    (16.0, 0.511),
    (17.0, 0.562),
    (18.0, 0.611),
    (19.0, 0.683),
    (20.0, 0.768),
    (21.0, 0.811),
    (21.5, 0.82),
    (22.0, 0.852),
    (23.0, 0.957),
    (24.0, 1.052),
    (25.0, 1.087),
    (25.5, 1.148),
    (28.0, 1.303),
    (30.5, 1.144),
    (33.333_333_3, 2.443),
];

/// Rectangular modulation, the 230 V lamp at 60 Hz.
const RECTANGULAR_230_60: [(f64, f64); 43] = [
    (0.5, 0.51),
    (1.0, 0.468),
    (1.5, 0.429),
    (2.0, 0.399),
    (2.5, 0.371),
    (3.0, 0.351),
    (3.5, 0.342),
    (4.0, 0.331),
    (4.5, 0.313),
    (5.0, 0.291),
    (5.5, 0.269),
    (6.0, 0.249),
    (6.5, 0.231),
    (7.0, 0.217),
    (7.5, 0.206),
    (8.0, 0.2),
    (8.8, 0.196),
    (9.5, 0.199),
    (10.0, 0.203),
    (10.5, 0.212),
    (11.0, 0.222),
    (11.5, 0.233),
    (12.0, 0.244),
    (13.0, 0.275),
    (14.0, 0.306),
    (15.0, 0.338),
    (16.0, 0.376),
    (17.0, 0.42),
    (18.0, 0.457),
    (19.0, 0.498),
    (20.0, 0.537),
    (21.0, 0.584),
    (21.5, 0.6),
    (22.0, 0.611),
    (23.0, 0.678),
    (24.0, 0.753),
    (25.0, 0.778),
    (25.5, 0.768),
    (28.0, 0.962),
    (30.5, 1.105),
    (33.333_333_3, 1.258),
    (37.0, 0.975),
    (40.0, 2.327),
];

/// A row of IEC 61000-4-15:2010, table 5: rectangular modulation, changes per minute and dV/V in
/// per cent for Pst = 1.
struct Row {
    lamp: Lamp,
    nominal_hz: f64,
    points: [(f64, f64); 7],
}

const TABLE_5: [Row; 4] = [
    Row {
        lamp: Lamp::V230,
        nominal_hz: 50.0,
        points: [
            (1.0, 2.715),
            (2.0, 2.191),
            (7.0, 1.450),
            (39.0, 0.894),
            (110.0, 0.722),
            (1620.0, 0.407),
            (4000.0, 2.343),
        ],
    },
    Row {
        lamp: Lamp::V120,
        nominal_hz: 60.0,
        points: [
            (1.0, 3.181),
            (2.0, 2.564),
            (7.0, 1.694),
            (39.0, 1.040),
            (110.0, 0.844),
            (1620.0, 0.548),
            (4800.0, 4.837),
        ],
    },
    Row {
        lamp: Lamp::V230,
        nominal_hz: 60.0,
        points: [
            (1.0, 2.719),
            (2.0, 2.194),
            (7.0, 1.450),
            (39.0, 0.895),
            (110.0, 0.723),
            (1620.0, 0.409),
            (4800.0, 3.263),
        ],
    },
    Row {
        lamp: Lamp::V120,
        nominal_hz: 50.0,
        points: [
            (1.0, 3.178),
            (2.0, 2.561),
            (7.0, 1.694),
            (39.0, 1.045),
            (110.0, 0.844),
            (1620.0, 0.545),
            (4000.0, 3.426),
        ],
    },
];

/// A modulated voltage.
#[derive(Clone, Copy)]
struct Signal {
    nominal_hz: f64,
    modulation_hz: f64,
    depth_pct: f64,
    rectangular: bool,
}

impl Signal {
    fn at(self, t: f64) -> f64 {
        let m = (std::f64::consts::TAU * (self.modulation_hz * t).fract()).sin();
        let m = if self.rectangular { m.signum() } else { m };
        let carrier = (std::f64::consts::TAU * (self.nominal_hz * t).fract()).sin();
        // The scale must not matter.
        325.0 * carrier * (1.0 + 0.005 * self.depth_pct * m)
    }
}

/// Pst and Pinst,max of the first ten minutes after settling.
fn measured(lamp: Lamp, signal: Signal, rate_hz: f64) -> (f64, f64) {
    let config = FlickerConfig { rate_hz, nominal_hz: signal.nominal_hz, lamp };
    let mut meter = FlickerMeter::new(config).expect("a good rate");
    let mut sample = 0.0;
    loop {
        let piece: Vec<f64> = (0..4096)
            .map(|_| {
                sample += 1.0;
                signal.at((sample - 1.0) / rate_hz)
            })
            .collect();
        meter.push(&piece);
        if let Some(found) = meter.pop() {
            assert_eq!(found.start_s, 120.0);
            return (found.pst, found.pinst_max);
        }
        assert!(sample < 760.0 * rate_hz, "no Pst after twelve minutes");
    }
}

/// Pinst,max over some seconds once the filters have settled, without waiting for a whole Pst.
fn sensation(lamp: Lamp, signal: Signal, rate_hz: f64) -> f64 {
    let config = FlickerConfig { rate_hz, nominal_hz: signal.nominal_hz, lamp };
    let mut meter = FlickerMeter::new(config).expect("a good rate");
    let samples = |from_s: f64, to_s: f64| -> Vec<f64> {
        let range = (from_s * rate_hz) as u64..(to_s * rate_hz) as u64;
        range.map(|k| signal.at(k as f64 / rate_hz)).collect()
    };
    meter.push(&samples(0.0, 40.0));
    meter.forget_largest();
    meter.push(&samples(40.0, 60.0));
    meter.largest()
}

#[test]
fn table_5_gives_a_severity_of_one() {
    // A rate of every kind: interpolated, as it is, averaged; in step with the grid and not. The
    // fast modulations need a fast rate, or the samples' own idea of where the steps are counts.
    let rates = [4000.0, 2000.0, 7812.5, 6400.0, 3200.0, 10_000.0];
    let mut worst = 0.0_f64;
    for (r, row) in TABLE_5.iter().enumerate() {
        for (k, (changes, depth_pct)) in row.points.into_iter().enumerate() {
            let modulation_hz = changes / 120.0;
            let nominal_hz = row.nominal_hz;
            let signal = Signal { nominal_hz, modulation_hz, depth_pct, rectangular: true };
            let rate_hz = if changes > 1000.0 { 12_800.0 } else { rates[(k + 2 * r) % 6] };
            let (pst, _) = measured(row.lamp, signal, rate_hz);
            let lamp = row.lamp;
            assert!((pst - 1.0).abs() < 0.01, "{lamp:?} {nominal_hz} Hz {changes}/min: {pst}");
            worst = worst.max((pst - 1.0).abs());
        }
    }
    println!("table 5: 28 points, worst Pst error {:.3} %", 100.0 * worst);
}

#[test]
fn tables_1_and_2_give_a_sensation_of_one() {
    let (mut worst, mut points) = (0.0_f64, 0);
    for (lamp, nominal_hz, rectangular, table) in [
        (Lamp::V230, 50.0, false, &SINUSOIDAL_230[..]),
        (Lamp::V120, 60.0, false, &SINUSOIDAL_120[..]),
        (Lamp::V120, 50.0, false, &SINUSOIDAL_120_50[..]),
        (Lamp::V230, 60.0, false, &SINUSOIDAL_230_60[..]),
        (Lamp::V120, 50.0, true, &RECTANGULAR_120_50[..]),
        (Lamp::V230, 60.0, true, &RECTANGULAR_230_60[..]),
        (Lamp::V230, 50.0, true, &RECTANGULAR_230[..]),
        (Lamp::V120, 60.0, true, &RECTANGULAR_120[..]),
    ] {
        for (k, (modulation_hz, depth_pct)) in table.iter().copied().enumerate() {
            let signal = Signal { nominal_hz, modulation_hz, depth_pct, rectangular };
            let rate_hz = if modulation_hz > 25.0 { 12_800.0 } else { [4000.0, 7812.5][k % 2] };
            let pinst = sensation(lamp, signal, rate_hz);
            let what = if rectangular { "rectangular" } else { "sinusoidal" };
            assert!(
                (pinst - 1.0).abs() < 0.03,
                "{lamp:?} {nominal_hz} Hz, {what} {modulation_hz} Hz: {pinst}"
            );
            worst = worst.max((pinst - 1.0).abs());
            points += 1;
        }
    }
    println!("tables 1 and 2: {points} points, worst Pinst,max error {:.3} %", 100.0 * worst);
}

#[test]
fn twelve_values_make_a_long_term_severity() {
    let mut pst = [1.0; 12];
    assert_eq!(long_term(&pst), Some(1.0));
    pst[3] = 2.0;
    // (11 + 8) / 12, by hand.
    assert!((long_term(&pst).expect("twelve") - 1.165_5).abs() < 1e-4);
    assert_eq!(long_term(&pst[..11]), None);
}
