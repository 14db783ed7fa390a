//! Sections of different rates, and channels sampled late: against the waveform they were drawn
//! from.

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::io::Cursor;
use std::ops::ControlFlow;

use lastmeter_waveform::comtrade::read;
use lastmeter_waveform::{Recording, Stream};

/// 50.2 Hz with a third, a fifth and a seventh.
fn wave(t: f64) -> f64 {
    let tone = |order: f64, peak: f64, angle: f64| peak * (TAU * 50.2 * order * t + angle).cos();
    tone(1.0, 100.0, 0.4) + tone(3.0, 8.0, 1.0) + tone(5.0, 6.0, -2.0) + tone(7.0, 3.0, 0.2)
}

/// A recording of two channels, the second of which is late by `skew_us`: the header's rates, and
/// the instants of its records.
fn recorded(sections: &[(f64, usize)], skew_us: f64) -> (String, String) {
    let mut rates = format!("{}\n", sections.len());
    let (mut dat, mut at, mut end) = (String::new(), 0.0, 0);
    for &(rate_hz, count) in sections {
        for k in 0..count {
            let t = at + k as f64 / rate_hz;
            let (u, late) = (wave(t), wave(t + skew_us / 1e6));
            let number = end + k + 1;
            let _ = writeln!(dat, "{number},{:.0},{u:.12e},{late:.12e}", t * 1e6);
        }
        at += count as f64 / rate_hz;
        end += count;
        let _ = writeln!(rates, "{rate_hz},{end}");
    }
    let cfg = format!(
        "s,r,1999\n2,2A,0D\n1,UA,A,,V,1,0,0,-1,1,1,1,P\n2,UB,B,,V,1,0,{skew_us},-1,1,1,1,P\n50\n\
         {rates}01/02/2003,04:05:06.000000\n01/02/2003,04:05:06.000000\nASCII\n1\n"
    );
    (cfg, dat)
}

/// The largest deviation from the waveform, as a part of its peak, of a channel between two
/// instants.
fn worst(recording: &Recording, channel: usize, (from_s, to_s): (f64, f64)) -> f64 {
    let samples = (0..).zip(&recording.channels[channel].samples);
    let instants = samples.map(|(k, x)| (f64::from(k) / recording.rate_hz, x));
    let within = instants.filter(|(t, _)| (from_s..=to_s).contains(t));
    within.map(|(t, x)| (x - wave(t)).abs() / 117.0).fold(0.0, f64::max)
}

#[test]
fn sections_of_any_rates_become_the_waveform_at_the_highest() {
    for sections in [
        &[(4000.0, 1200), (10_000.0, 8000), (1000.0, 300)][..],
        &[(1000.0, 401), (4800.0, 2000), (5000.0, 1001), (1000.0, 400)],
        // A fast section shorter than what the interpolation reaches over.
        &[(1200.0, 600), (9600.0, 20), (1200.0, 600)],
    ] {
        let (cfg, dat) = recorded(sections, 0.0);
        let recording = read(cfg.as_bytes(), dat.as_bytes()).unwrap();
        let end_s: f64 = sections.iter().map(|(rate, count)| *count as f64 / rate).sum();
        // Away from the ends, beyond which nothing is known.
        let inside = (0.1, end_s - 0.1);
        let off = worst(&recording, 0, inside);
        assert!(off < 5e-4, "{sections:?}: {off}");
        assert!(worst(&recording, 0, (0.0, end_s)) < 0.2);
        let note = recording.notes.iter().find(|note| note.contains("sections of different rates"));
        let note = note.expect("a note");
        assert!(note.contains("windowed sinc") && note.contains("nothing above"), "{note}");
        // Far from any other section it is as exact as the interpolation is.
        let rate_hz = sections[0].0;
        let off = worst(&recording, 0, (40.0 / rate_hz, sections[0].1 as f64 / rate_hz - 0.07));
        assert!(off < 3e-5, "{sections:?}: {off}");
    }
}

#[test]
fn in_blocks_they_are_the_same_however_far_one_looks_back() {
    for (sections, skew_us) in [
        (&[(4000.0, 1200), (10_000.0, 8000), (1000.0, 300)][..], 0.0),
        (&[(1000.0, 301), (10_000.0, 8000), (1000.0, 300)], 90_000.0),
        (&[(10_000.0, 6000), (1000.0, 5), (4000.0, 2000), (700.0, 9), (10_000.0, 4000)], -2500.0),
    ] {
        let (cfg, dat) = recorded(sections, skew_us);
        let whole = read(cfg.as_bytes(), dat.as_bytes()).unwrap();
        let data = Cursor::new(dat.as_bytes());
        let mut stream = Stream::comtrade(cfg.as_bytes(), data, 300).unwrap();
        let mut played = [Vec::new(), Vec::new()];
        let mut take = |block: &[&[f64]]| {
            played.iter_mut().zip(block).for_each(|(all, more)| all.extend_from_slice(more));
            ControlFlow::Continue(())
        };
        stream.play(&[0, 1], &mut take).unwrap();
        for (played, channel) in played.iter().zip(&whole.channels) {
            assert_eq!(played.len(), channel.samples.len(), "{sections:?}");
            let pairs = played.iter().zip(&channel.samples);
            let differ = pairs.enumerate().find(|(_, (a, b))| a.to_bits() != b.to_bits());
            assert_eq!(differ, None, "{sections:?}");
        }
    }
}

#[test]
fn a_late_channel_is_what_it_was_at_the_time_stamps() {
    for rate_hz in [1200.0, 10_000.0] {
        for skew_us in [100.0, 12.5, -40.0, 833.0] {
            let (cfg, dat) = recorded(&[(rate_hz, (0.5 * rate_hz) as usize)], skew_us);
            let recording = read(cfg.as_bytes(), dat.as_bytes()).unwrap();
            assert!((recording.channels[1].skew_s - skew_us / 1e6).abs() < 1e-15);
            let reach_s = 33.0 / rate_hz;
            let off = worst(&recording, 1, (reach_s, 0.5 - reach_s));
            assert!(off < 3e-5, "{rate_hz} {skew_us}: {off}");
            // The other one is as it was, to the last bit the text has.
            assert!(worst(&recording, 0, (0.0, 0.5)) < 1e-12);
            let note = recording.notes.iter().find(|note| note.contains("later than"));
            assert!(note.is_some_and(|note| note.contains("is corrected")), "{note:?}");
        }
    }
    // Both at once.
    let (cfg, dat) = recorded(&[(4000.0, 1200), (10_000.0, 3000)], 100.0);
    let recording = read(cfg.as_bytes(), dat.as_bytes()).unwrap();
    assert!(worst(&recording, 1, (0.05, 0.55)) < 5e-4);
    // What no sampler is late by is left as it is, and noted.
    let (cfg, dat) = recorded(&[(1000.0, 500)], 5e6);
    let recording = read(cfg.as_bytes(), dat.as_bytes()).unwrap();
    assert_eq!(recording.channels[1].skew_s, 0.0);
    assert!((recording.channels[1].samples[7] - wave(5.007)).abs() < 1e-9);
    assert!(recording.notes.iter().any(|note| note.contains("not corrected")));
}

#[test]
fn a_missing_sample_stays_one_gap_and_spoils_nothing_else() {
    let (cfg, dat) = recorded(&[(4000.0, 1200), (10_000.0, 3000)], 60.0);
    let lines: Vec<&str> = dat.lines().collect();
    let mut with_hole = String::new();
    for (k, line) in lines.iter().enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        if k == 2000 {
            let _ = writeln!(with_hole, "{},{},,", fields[0], fields[1]);
        } else {
            let _ = writeln!(with_hole, "{line}");
        }
    }
    let whole = read(cfg.as_bytes(), dat.as_bytes()).unwrap();
    let recording = read(cfg.as_bytes(), with_hole.as_bytes()).unwrap();
    let per_channel = |c: usize| recording.gaps.iter().filter(|gap| gap.channel == c).count();
    assert_eq!((per_channel(0), per_channel(1)), (1, 1), "{:?}", recording.gaps);
    assert!(recording.gaps.iter().all(|gap| gap.samples <= 2), "{:?}", recording.gaps);
    for (found, expected) in recording.channels.iter().zip(&whole.channels) {
        let pairs = found.samples.iter().zip(&expected.samples);
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // Straight lines where the sinc would need it: some tenths of a per cent at 10 kHz.
        assert!(off < 1.0, "{off}");
    }
}

#[test]
fn clipping_is_seen_in_what_was_recorded_and_not_in_what_was_made_of_it() {
    // Late by half a sample, so that the interpolation overshoots the corners.
    let (cfg, dat) = recorded(&[(4000.0, 4000)], 125.0);
    let cut = |field: &str| field.parse::<f64>().map(|x| x.min(90.0)).unwrap();
    let mut clipped = String::new();
    for line in dat.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let (u, late) = (cut(fields[2]), cut(fields[3]));
        let _ = writeln!(clipped, "{},{},{u:.12e},{late:.12e}", fields[0], fields[1]);
    }
    let data = Cursor::new(clipped.as_bytes());
    let mut stream = Stream::comtrade(cfg.as_bytes(), data, 512).unwrap();
    assert!(stream.clipping().is_empty());
    let mut most = f64::NEG_INFINITY;
    let mut take = |block: &[&[f64]]| {
        most = block[0].iter().copied().fold(most, f64::max);
        ControlFlow::Continue(())
    };
    stream.play(&[1], &mut take).unwrap();
    assert!(most > 90.5, "{most}");
    let [levels] = &stream.clipping()[..] else { panic!("one channel") };
    assert_eq!(levels.iter().map(|c| c.level).collect::<Vec<_>>(), [90.0]);
    assert!((49..=51).contains(&levels[0].times), "{levels:?}");
}
