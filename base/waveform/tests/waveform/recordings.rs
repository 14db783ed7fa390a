//! The sample recordings, compared with numbers computed here from the raw bytes and texts: no
//! function of the package under test takes part in the expected values.

use crate::common::sample;
use lastmeter_waveform::{ChannelKind, comtrade, csv};

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs().max(1e-12)
}

#[test]
fn the_binary_sample_is_its_raw_integers_times_the_multiplier_in_kilovolts() {
    let Some(cfg) = sample("comtrade-small/sample_bin.cfg") else { return };
    let Some(dat) = sample("comtrade-small/sample_bin.dat") else { return };
    let recording = comtrade::read(&cfg, &dat).unwrap();
    let multipliers = [0.000_361_849, 0.000_365_758, 0.000_371_569, 0.000_016_493];
    assert_eq!(recording.samples(), 5);
    for (channel, multiplier) in multipliers.into_iter().enumerate() {
        for sample in 0..5 {
            let at = sample * 18 + 8 + 2 * channel;
            let raw = i16::from_le_bytes([dat[at], dat[at + 1]]);
            let expected = f64::from(raw) * multiplier * 1000.0;
            assert!(close(recording.channels[channel].samples[sample], expected));
        }
    }
    // The first by hand: 0x9E6D is -24,979.
    assert!(close(recording.channels[0].samples[0], -24_979.0 * 0.361_849));
    let phases = recording.phases(ChannelKind::Voltage).unwrap();
    assert_eq!(phases.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["VA", "VB", "VC"]);
    assert_eq!((recording.rate_hz, recording.nominal_hz), (15_360.0, Some(60.0)));
    assert_eq!(recording.start, Some("2017-01-07T15:35:41.958268Z".parse().unwrap()));
    assert_eq!(recording.digital.len(), 16);
    assert!(recording.gaps.is_empty());
}

#[test]
fn the_ascii_sample_is_its_text_times_multiplier_and_transformer_ratio() {
    let Some(cfg) = sample("comtrade-small/sample_ascii.cfg") else { return };
    let Some(dat) = sample("comtrade-small/sample_ascii.dat") else { return };
    let Some(cff) = sample("comtrade-small/sample_ascii.cff") else { return };
    let recording = comtrade::read(&cfg, &dat).unwrap();
    let text = String::from_utf8(dat).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| line.split(',').map(|field| field.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), 40);
    for (index, channel) in recording.channels.iter().enumerate() {
        let value =
            |row: &Vec<f64>| (row[2 + index] * 0.113_891_601_562_5 + 0.056_945_800_781_25) * 933.0;
        let expected: Vec<f64> = rows.iter().map(value).collect();
        assert_eq!(channel.samples.len(), 40);
        assert!(channel.samples.iter().zip(&expected).all(|(&a, &b)| close(a, b)));
    }
    for (index, channel) in recording.digital.iter().enumerate() {
        assert!(channel.states.iter().zip(&rows).all(|(&s, row)| s == (row[6 + index] == 1.0)));
    }
    // 05:55:30.075011 at a zone of -5h30.
    assert_eq!(recording.start, Some("2011-01-12T11:25:30.075011Z".parse().unwrap()));
    assert!(close(recording.duration_s(), 40.0 / 1200.0));
    assert_eq!(comtrade::read_cff(&cff).unwrap(), recording);
}

#[test]
fn the_single_file_sample_is_its_single_precision_numbers() {
    let Some(cff) = sample("comtrade-small/sample_float32.cff") else { return };
    let recording = comtrade::read_cff(&cff).unwrap();
    let data = &cff[cff.len() - 4214..];
    assert_eq!(recording.samples(), 301);
    let value = |record: &[u8]| {
        f64::from(f32::from_le_bytes([record[8], record[9], record[10], record[11]]))
    };
    let values: Vec<f64> = data.chunks_exact(14).map(value).collect();
    let step = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    // Its header states a skew of 1 us, a ten-thousandth of the time between two samples.
    for (value, &found) in values.iter().zip(&recording.channels[0].samples) {
        assert!((found - value).abs() <= 5e-4 * step, "{found} for {value}, step {step}");
    }
    assert!(values != recording.channels[0].samples);
    assert_eq!((recording.rate_hz, recording.nominal_hz), (100.0, None));
    assert_eq!(recording.channels[0].kind, ChannelKind::Other);
    // Its stamps count milliseconds where the format has nanoseconds.
    assert!(recording.notes.iter().any(|note| note.contains("the time stamps span")));
}

#[test]
fn the_relay_record_of_a_transformer_bay_is_read_whole() {
    let Some(cfg) = sample("comtrade-transformer-60hz/Comtrade1.cfg") else { return };
    let Some(dat) = sample("comtrade-transformer-60hz/Comtrade1.dat") else { return };
    let recording = comtrade::read(&cfg, &dat).unwrap();
    assert_eq!((recording.channels.len(), recording.digital.len()), (23, 140));
    assert_eq!((recording.rate_hz, recording.samples()), (1200.0, 7200));
    assert!(close(recording.duration_s(), 6.0));
    for (k, record) in dat.chunks_exact(118).enumerate() {
        for (channel, bytes) in record[8..100].chunks_exact(4).enumerate() {
            let value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            assert_eq!(recording.channels[channel].samples[k], f64::from(value));
        }
        let mut bits = record[100..].iter().flat_map(|byte| (0..8).map(move |b| byte >> b & 1));
        assert!(recording.digital.iter().all(|c| Some(u8::from(c.states[k])) == bits.next()));
    }
    // 09:19:53.156666511 nine hours east of Greenwich.
    assert_eq!(recording.start, Some("2023-07-27T00:19:53.156666511Z".parse().unwrap()));
    // Neutral (VN) and residual (3U0) voltages stand beside the three phases R, S, T.
    let volts = recording.phases(ChannelKind::Voltage).unwrap();
    let names: Vec<&str> = volts.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["HV Bus VR", "HV Bus VS", "HV Bus VT"]);
    assert_eq!(recording.select(ChannelKind::Voltage, &["vr", "vs", "vt"]).unwrap(), volts);
    let error = recording.phases(ChannelKind::Current).unwrap_err().to_string();
    assert!(error.contains("phase a has 2"), "{error}");
    assert!(!recording.notes.iter().any(|note| note.contains("time stamps span")));
}

#[test]
fn the_simulated_feeder_fault_is_read_in_phase_order() {
    let Some(cfg) = sample("ieee123-fault/f1_1b274run_6ch.cfg") else { return };
    let Some(dat) = sample("ieee123-fault/f1_1b274run_6ch.dat") else { return };
    let recording = comtrade::read(&cfg, &dat).unwrap();
    assert_eq!((recording.rate_hz, recording.samples()), (100_000.0, 40_001));
    let volts = recording.phases(ChannelKind::Voltage).unwrap();
    let amperes = recording.phases(ChannelKind::Current).unwrap();
    for (index, channel) in volts.iter().chain(&amperes).enumerate() {
        for (k, record) in dat.chunks_exact(32).enumerate() {
            let at = 8 + 4 * index;
            let bytes = [record[at], record[at + 1], record[at + 2], record[at + 3]];
            assert_eq!(channel.samples[k], f64::from(f32::from_le_bytes(bytes)));
        }
    }
}

#[test]
fn the_measured_generator_is_read_with_its_one_irregular_step() {
    let Some(bytes) = sample("mhkit-3ph-50k/2020224_181521_PowRaw.csv") else { return };
    let options = csv::CsvOptions {
        voltage: ["Va", "Vb", "Vc"].map(str::to_owned).to_vec(),
        current: ["ia", "ib", "ic"].map(str::to_owned).to_vec(),
        ..csv::CsvOptions::default()
    };
    let recording = csv::read(&bytes, &options).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|l| l.split(',').collect()).collect();
    assert_eq!((rows.len(), recording.samples()), (8000, 8000));
    let phases = [ChannelKind::Voltage, ChannelKind::Current].map(|k| recording.phases(k).unwrap());
    for (index, channel) in phases.iter().flatten().enumerate() {
        let expected = rows.iter().map(|row| row[1 + index].parse::<f64>().unwrap());
        assert!(channel.samples.iter().copied().eq(expected));
    }
    // Nanoseconds after 18:15:21, from the text.
    let stamps: Vec<i64> = rows
        .iter()
        .map(|row| row[0].strip_prefix("2020-02-24 18:15:21.").unwrap().parse().unwrap())
        .collect();
    let steps: Vec<i64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut sorted = steps.clone();
    sorted.sort_unstable();
    let regular: Vec<i64> =
        steps.iter().copied().filter(|s| (20_000..=20_001).contains(s)).collect();
    assert_eq!(regular.len(), 7998);
    let mean = regular.iter().sum::<i64>() as f64 / 7998.0;
    assert!((recording.rate_hz - 1e9 / mean).abs() < 1e-6, "{}", recording.rate_hz);
    assert!((recording.rate_hz * sorted[4000] as f64 / 1e9 - 1.0).abs() < 30e-6);
    let place = steps.iter().position(|&step| step == 17_756).unwrap() + 1;
    let note = recording.notes.iter().find(|note| note.contains("irregular")).unwrap();
    assert!(note.contains("1 of 7999 time steps are irregular; the worst is 17.756 us"), "{note}");
    assert!(note.contains(&format!("between samples {place} and {}", place + 1)), "{note}");
    assert_eq!(recording.start, Some("2020-02-24T18:15:21.499998208Z".parse().unwrap()));
    // The names alone lead to the same, and the time column is found by itself.
    assert_eq!(csv::read(&bytes, &csv::CsvOptions::default()).unwrap(), recording);
}
