//! What is written reads back: FLOAT32 exactly, integer kinds within half a step, everything else
//! unchanged; spectrum tables exactly.

use lastmeter_units::SimTime;
use lastmeter_waveform::comtrade::{
    DataKind, Origin, Revision, WriteError, Written, read, read_cff, write, write_of,
};
use lastmeter_waveform::spectrum::{self, Line, SpectrumChannel, SpectrumTable};
use lastmeter_waveform::{Channel, ChannelKind, DigitalChannel, Gap, Recording};
use proptest::prelude::*;

use crate::common::cff;

const REVISIONS: [Revision; 3] = [Revision::R1991, Revision::R1999, Revision::R2013];

fn channel(index: usize, samples: Vec<f64>) -> Channel {
    let (unit, kind) = match index % 3 {
        0 => ("V", ChannelKind::Voltage),
        1 => ("A", ChannelKind::Current),
        _ => ("Hz", ChannelKind::Other),
    };
    Channel {
        name: format!("channel {index}"),
        phase: ["a", "b", "c", "n", ""][index % 5].to_owned(),
        unit: unit.to_owned(),
        kind,
        skew_s: 0.0,
        samples,
    }
}

prop_compose! {
    /// Uniform recordings with samples that single precision holds exactly, over many magnitudes.
    fn recordings()(analogue in 1_usize..5, digital in 0_usize..20, length in 2_usize..40)(
        values in prop::collection::vec(prop::collection::vec(
            (-16_777_216_i32..16_777_216, -40_i32..40), length), analogue),
        states in prop::collection::vec(prop::collection::vec(any::<bool>(), length), digital),
        rate_hz in prop_oneof![Just(50_000.0), Just(15_360.0), 0.01_f64..1e6],
        nominal_hz in prop_oneof![Just(None), Just(Some(50.0)), Just(Some(60.0))],
        // Within the years a two-digit date can hold: 1980 to 2079.
        start in 315_532_800_000_000_000_i64..3_471_292_800_000_000_000,
    ) -> Recording {
        let float = |(mantissa, exponent): (i32, i32)| f64::from(mantissa) * 2_f64.powi(exponent);
        Recording {
            start: Some(SimTime(start)),
            rate_hz,
            nominal_hz,
            channels: values.into_iter().enumerate()
                .map(|(k, v)| channel(k, v.into_iter().map(float).collect())).collect(),
            digital: states.into_iter().enumerate().map(|(k, states)| {
                DigitalChannel { name: format!("D {k}"), normal: k % 2 == 1, states }
            }).collect(),
            ..Recording::default()
        }
    }
}

/// The step of an integer kind for a channel: its largest value over the largest raw number; where
/// the channel never crosses zero, half its range instead.
fn step(samples: &[f64], kind: DataKind) -> f64 {
    let largest = match kind {
        DataKind::Ascii => 99_998.0,
        DataKind::Binary => 32_767.0,
        DataKind::Binary32 => 2_147_483_647.0,
        DataKind::Float32 => return 0.0,
    };
    let low = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let high = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low > 0.0 || high < 0.0 { (high - low) / 2.0 / largest } else { high.max(-low) / largest }
}

fn assert_same(written: &Recording, found: &Recording, kind: DataKind, revision: Revision) {
    let unit = if revision == Revision::R2013 { 1 } else { 1000 };
    let start = written.start.map(|start| SimTime(start.0 - start.0.rem_euclid(unit)));
    assert_eq!(
        (found.start, found.rate_hz, found.nominal_hz),
        (start, written.rate_hz, written.nominal_hz)
    );
    assert_eq!(found.digital, written.digital);
    assert_eq!(found.gaps, written.gaps);
    assert_eq!(found.channels.len(), written.channels.len());
    for (from, to) in written.channels.iter().zip(&found.channels) {
        let strip = |c: &Channel| (c.name.clone(), c.phase.clone(), c.unit.clone(), c.kind);
        assert_eq!(strip(from), strip(to));
        let step = step(&from.samples, kind);
        for (&a, &b) in from.samples.iter().zip(&to.samples) {
            // Half a step, and what f64 arithmetic rounds.
            assert!(
                (a - b).abs() <= 0.5 * step * (1.0 + 1e-9) + 4e-16 * a.abs(),
                "{kind}: {a} {b}"
            );
            assert!(kind != DataKind::Float32 || a == b);
        }
    }
}

proptest! {
    #[test]
    fn a_recording_reads_back_in_every_kind_and_revision(recording in recordings()) {
        for revision in REVISIONS {
            for kind in DataKind::ALL {
                let in_2013 = matches!(kind, DataKind::Binary32 | DataKind::Float32);
                match write(&recording, kind, revision) {
                    Err(error) => {
                        prop_assert_eq!(error, WriteError::KindNeeds2013 { kind });
                        prop_assert!(in_2013 && revision != Revision::R2013);
                    }
                    Ok(Written { cfg, dat }) => {
                        prop_assert!(!in_2013 || revision == Revision::R2013);
                        assert_same(&recording, &read(&cfg, &dat).unwrap(), kind, revision);
                    }
                }
            }
        }
    }

    #[test]
    fn a_single_file_reads_back(recording in recordings(), kind in prop::sample::select(&DataKind::ALL[..])) {
        let file = cff(&recording, kind);
        assert_same(&recording, &read_cff(&file).unwrap(), kind, Revision::R2013);
        prop_assert_eq!(file, cff(&recording, kind));
    }

    #[test]
    fn a_spectrum_table_reads_back_exactly(
        fundamental_hz in 1e-3_f64..1e6,
        channels in prop::collection::vec(
            prop::collection::vec((0_u32..4000, any::<f64>(), any::<f64>()), 1..30), 1..7),
    ) {
        let channels = channels.into_iter().enumerate().map(|(index, lines)| {
            let lines: std::collections::BTreeMap<u32, Line> = lines.into_iter().map(|(order, rms, phase)| {
                let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
                // What the text form may carry: at most 1e12, small ones of every size among them.
                let rms = if rms.abs() <= 1e12 { rms } else { finite(rms % 1e12) };
                let rms = if order == 0 { rms } else { rms.abs() };
                // Interharmonics too: orders in steps of a sixteenth.
                (order, Line { order: f64::from(order) / 16.0, rms, phase_deg: finite(phase) })
            }).collect();
            SpectrumChannel {
                name: ["Va", "a,b", "with \"quotes\"", "# not a comment", "\u{fc}", "", "x y"][index].to_owned(),
                unit: ["V", "A"][index % 2].to_owned(),
                phase: ["a", "b", "c", ""][index % 4].to_owned(),
                lines: lines.into_values().collect(),
            }
        }).collect();
        let table = SpectrumTable { fundamental_hz, channels };
        let text = spectrum::write(&table);
        prop_assert_eq!(spectrum::read(&text).unwrap(), table);
    }
}

#[test]
fn gaps_are_written_as_missing_and_come_back() {
    let mut recording = Recording {
        rate_hz: 1000.0,
        channels: vec![channel(0, vec![1.0, 2.0, 3.0, 4.0, 5.0])],
        gaps: vec![Gap { channel: 0, first_sample: 1, samples: 2 }],
        ..Recording::default()
    };
    for kind in DataKind::ALL {
        let Written { cfg, dat } = write(&recording, kind, Revision::R2013).unwrap();
        let found = read(&cfg, &dat).unwrap();
        assert_eq!(found.gaps, recording.gaps, "{kind}");
        assert!((found.channels[0].samples[1] - 2.0).abs() < 1e-3);
        assert_eq!(found.start, Some(SimTime(0)));
    }
    recording.channels[0].samples[3] = f64::NAN;
    let Written { cfg, dat } = write(&recording, DataKind::Binary, Revision::R1999).unwrap();
    assert_eq!(read(&cfg, &dat).unwrap().gaps[0].samples, 3);
}

#[test]
fn long_recordings_get_a_time_multiplier() {
    // 2,000 samples at 0.1 Hz: 20,000 s are more microseconds than 32 bits hold.
    let recording = Recording {
        rate_hz: 0.1,
        channels: vec![channel(0, (0..2000).map(f64::from).collect())],
        ..Recording::default()
    };
    let Written { cfg, dat } = write(&recording, DataKind::Binary, Revision::R1999).unwrap();
    assert!(String::from_utf8(cfg.clone()).unwrap().ends_with("BINARY\r\n10\r\n"));
    assert_eq!(&dat[10 + 4..10 + 8], &1_000_000_u32.to_le_bytes());
    let notes = read(&cfg, &dat).unwrap().notes;
    assert!(!notes.iter().any(|note| note.contains("time stamps span")), "{notes:?}");
    // 1991 has none: stamps that do not fit are marked as missing.
    let Written { cfg, dat } = write(&recording, DataKind::Binary, Revision::R1991).unwrap();
    assert_eq!(&dat[1999 * 10 + 4..1999 * 10 + 8], &[0xFF; 4]);
    assert_eq!(read(&cfg, &dat).unwrap().samples(), 2000);
}

#[test]
fn unwritable_recordings_are_rejected_with_the_reason() {
    let two = |lengths: [usize; 2]| Recording {
        rate_hz: 1000.0,
        channels: lengths.iter().enumerate().map(|(k, &n)| channel(k, vec![1.0; n])).collect(),
        ..Recording::default()
    };
    for (recording, kind, expected) in [
        (Recording::default(), DataKind::Ascii, "the recording has no channels"),
        (two([0, 0]), DataKind::Ascii, "the recording has no samples"),
        (two([3, 2]), DataKind::Ascii, "channel `channel 1` has 2 samples where the others have 3"),
        (Recording { rate_hz: 0.0, ..two([1, 1]) }, DataKind::Ascii, "found 0"),
        (
            Recording { channels: vec![channel(0, vec![1e300])], ..two([1, 1]) },
            DataKind::Float32,
            "`channel 0` has samples beyond the range of FLOAT32",
        ),
    ] {
        let error = write(&recording, kind, Revision::R2013).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Names that would break the lines are made harmless.
    let mut odd = two([2, 2]);
    odd.channels[0].name = "a,b\nc".to_owned();
    let Written { cfg, dat } = write(&odd, DataKind::Binary, Revision::R1999).unwrap();
    assert_eq!(read(&cfg, &dat).unwrap().channels[0].name, "a b c");
}

#[test]
fn a_header_holds_the_station_and_the_range_of_values() {
    let start = SimTime(1_800_000_000_000_100_000);
    let recording = Recording {
        start: Some(start),
        rate_hz: 10_000.0,
        nominal_hz: Some(50.0),
        channels: vec![channel(0, vec![0.1, -3.25, 7.3]), channel(1, vec![2.0; 3])],
        ..Recording::default()
    };
    let trigger = Some(SimTime(start.0 + 123_456));
    let origin = Origin { station: "Mill street, east", device: "branch", trigger };
    let written = write_of(&recording, &origin, DataKind::Float32, Revision::R2013).unwrap();
    let text = String::from_utf8(written.cfg.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Mill street  east,branch,2013");
    assert!(lines[2].ends_with(",0,-3.25,7.300000190734863,1,1,P"), "{}", lines[2]);
    assert!(lines[3].ends_with(",0,2.0,2.0,1,1,P"), "{}", lines[3]);
    assert_eq!(lines[4], "50");
    // The trigger is later, with as many digits as the first sample, which determine the unit of
    // stamps.
    let [first, second] = [lines[7], lines[8]];
    assert!(first.ends_with(".000100") && second.ends_with(".000223"), "{first} {second}");
    let read = read(&written.cfg, &written.dat).unwrap();
    assert_eq!((read.start, read.nominal_hz), (Some(start), Some(50.0)));
    assert!(read.damage.is_empty() && read.notes.is_empty(), "{:?}", read.notes);
}
