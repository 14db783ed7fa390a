//! Reading in blocks: the same as reading whole, whatever the length of the blocks, of the gaps and
//! of what the system gives at a time.

use std::fmt::Write as _;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use lastmeter_waveform::comtrade::{self, DataKind, Revision};
use lastmeter_waveform::csv::{self, CsvOptions};
use lastmeter_waveform::{Channel, ChannelKind, DigitalChannel, Gap, Recording, Stream};
use proptest::prelude::*;

use crate::common::{UA, cff, one_and_one, sample};
use crate::dribble::{Dribble, agree, played};

/// A recording with gaps; its samples are small whole numbers, so that writing is exact.
fn recording(channels: usize, samples: usize, gaps: &[(usize, usize, usize)]) -> Recording {
    let channel = |index: usize| Channel {
        name: format!("U{index}"),
        unit: "V".to_owned(),
        kind: ChannelKind::Voltage,
        samples: (0..samples).map(|k| ((k * 37 + index * 11) % 199) as f64 - 99.0).collect(),
        ..Channel::default()
    };
    let digital = DigitalChannel {
        name: "D".to_owned(),
        normal: false,
        states: (0..samples).map(|k| k % 3 == 0).collect(),
    };
    let gap = |&(channel, first, length): &(usize, usize, usize)| Gap {
        channel: channel % channels,
        first_sample: first % samples,
        samples: length,
    };
    Recording {
        rate_hz: 1000.0,
        nominal_hz: Some(50.0),
        channels: (0..channels).map(channel).collect(),
        digital: vec![digital],
        gaps: gaps.iter().map(gap).collect(),
        ..Recording::default()
    }
}

/// The header's only section in two, the first one slower or faster.
fn in_two_sections(cfg: &[u8], samples: usize, first: usize, rate_hz: f64) -> Vec<u8> {
    let text = String::from_utf8(cfg.to_vec()).unwrap();
    let one = format!("\r\n1\r\n1000,{samples}\r\n");
    assert!(text.contains(&one), "{text}");
    let two = format!("\r\n2\r\n{rate_hz},{first}\r\n1000,{samples}\r\n");
    text.replace(&one, &two).into_bytes()
}

/// The first channel sampled later than by the header.
fn with_skew(cfg: &[u8], skew_us: f64) -> Vec<u8> {
    let text = String::from_utf8(cfg.to_vec()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut fields: Vec<String> = lines[2].split(',').map(str::to_owned).collect();
    fields[7] = skew_us.to_string();
    lines[2] = fields.join(",");
    (lines.join("\r\n") + "\r\n").into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn blocks_of_any_length_are_the_recording(
        kind in prop::sample::select(&DataKind::ALL[..]),
        (channels, samples) in (1_usize..5, 2_usize..3000),
        gaps in prop::collection::vec((any::<usize>(), any::<usize>(), 1_usize..700), 0..12),
        sections in prop::option::of((1_usize..3000, 100.0_f64..3000.0)),
        skew_us in prop_oneof![Just(0.0), -3000.0..30_000.0_f64],
        (block, most) in (1_usize..900, 1_usize..5000),
    ) {
        let written = recording(channels, samples, &gaps);
        let mut files = comtrade::write(&written, kind, Revision::R2013).unwrap();
        if let Some((first, rate_hz)) = sections {
            let first = 1 + first % (samples - 1);
            files.cfg = in_two_sections(&files.cfg, samples, first, rate_hz);
        }
        files.cfg = with_skew(&files.cfg, skew_us);
        let whole = comtrade::read(&files.cfg, &files.dat);
        prop_assert!(whole.is_ok());
        agree(&whole, Stream::comtrade(&files.cfg, Dribble::new(&files.dat, most), block));
    }
}

#[test]
fn some_channels_are_read_in_the_order_asked_for_and_as_often_as_wanted() {
    let written = recording(4, 5000, &[(1, 40, 3000)]);
    let cff = cff(&written, DataKind::Binary);
    let whole = comtrade::read_cff(&cff).unwrap();
    let mut stream = Stream::cff(Cursor::new(&cff), 512).unwrap();
    for channels in [&[3, 1][..], &[0], &[], &[1, 1, 9]] {
        let there = channels.iter().filter(|&&index| index < 4);
        let expected: Vec<_> = there.map(|&index| whole.channels[index].samples.clone()).collect();
        let found = played(&mut stream, channels);
        assert_eq!(found[..expected.len()], expected);
    }
    // The gap is the straight line between its ends.
    let line = &played(&mut stream, &[1])[0];
    let (from, to) = (line[39], line[3040]);
    for k in 0..=3001 {
        let expected = from + (to - from) * f64::from(k) / 3001.0;
        assert!((line[39 + k as usize] - expected).abs() < 1e-9, "{k}");
    }
}

#[test]
fn blocks_are_as_long_as_asked_for_and_reading_ends_when_it_is_enough() {
    let files = comtrade::write(&recording(2, 1000, &[]), DataKind::Ascii, Revision::R1999);
    let files = files.unwrap();
    let mut stream = Stream::comtrade(&files.cfg, Cursor::new(&files.dat), 300).unwrap();
    let mut lengths = Vec::new();
    let mut take = |block: &[&[f64]]| {
        lengths.push(block[0].len());
        ControlFlow::Continue(())
    };
    stream.play(&[0, 1], &mut take).unwrap();
    assert_eq!(lengths, [300, 300, 300, 100]);
    let mut count = 0;
    let mut take = |_: &[&[f64]]| {
        count += 1;
        if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    stream.play(&[0], &mut take).unwrap();
    assert_eq!(count, 2);
    let text = "t,Va\n0,1\n1,2\n2,3\n3,4\n";
    let mut stream = Stream::csv(Cursor::new(text), &CsvOptions::default(), 2).unwrap();
    let mut seen = Vec::new();
    let mut take = |block: &[&[f64]]| {
        seen.extend_from_slice(block[0]);
        ControlFlow::Break(())
    };
    stream.play(&[0], &mut take).unwrap();
    assert_eq!(seen, [1.0, 2.0]);
}

#[test]
fn csv_rows_in_blocks_are_the_recording_and_its_errors() {
    let mut text = "# typed\nt_us;Va_kV;Ia\n".to_owned();
    for k in 0..4000 {
        let _ = writeln!(text, "{};{};{}", 200 * k + k % 2, k % 99, f64::from(k) / 8.0);
    }
    let options = CsvOptions::default();
    for (block, most) in [(1, 4096), (1000, 13), (4096, 70_000)] {
        let bytes = text.as_bytes();
        let whole = csv::read(bytes, &options);
        assert_eq!(whole.as_ref().unwrap().samples(), 4000);
        agree(&whole, Stream::csv(Dribble::new(bytes, most), &options, block));
        let broken = text.replace("\n600000;", "\n# here\n\n600000;x");
        let whole = csv::read(broken.as_bytes(), &options);
        let error = whole.as_ref().unwrap_err().to_string();
        assert!(error.starts_with("line 3005, column `Va_kV`: found `x"), "{error}");
        agree(&whole, Stream::csv(Dribble::new(broken.as_bytes(), most), &options, block));
    }
}

#[test]
fn rows_and_lines_without_an_end_are_refused_in_bounded_memory() {
    let options = CsvOptions::default();
    let mut text = b"t,Va\n0,1\n1,\"2".to_vec();
    text.resize(3 << 20, b'x');
    let error = csv::read(&text, &options).unwrap_err().to_string();
    assert!(error.contains("line 3: a row of over a mebibyte begins here"), "{error}");
    agree(&csv::read(&text, &options), Stream::csv(Dribble::new(&text, 60_000), &options, 9));
    let cfg = one_and_one(UA, "1\n1000,3", "ASCII", "1\n");
    let mut dat = b"1,0,1,0\n2,".to_vec();
    dat.resize(18 << 20, b'0');
    let whole = comtrade::read(cfg.as_bytes(), &dat);
    let error = whole.as_ref().unwrap_err().to_string();
    assert!(error.starts_with("line 2 of the .dat is longer than 16 MiB"), "{error}");
    agree(&whole, Stream::comtrade(cfg.as_bytes(), Cursor::new(&dat), 9));
}

/// A source that fails behind so many bytes, always or from its second reading on.
#[derive(Debug)]
struct Failing<'a> {
    inner: Cursor<&'a [u8]>,
    at: u64,
}

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.inner.position() >= self.at {
            return Err(io::Error::other("the disk is gone"));
        }
        let most = buffer.len().min(64);
        self.inner.read(&mut buffer[..most])
    }
}

impl Seek for Failing<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_failing_source_is_an_error_with_the_reason() {
    let files = |kind| comtrade::write(&recording(2, 1000, &[]), kind, Revision::R2013).unwrap();
    let text = format!("t,Va\n{}", "0,1\n".repeat(100));
    for at in [0, 100] {
        for kind in DataKind::ALL {
            let files = files(kind);
            let source = Failing { inner: Cursor::new(&files.dat), at };
            let error = Stream::comtrade(&files.cfg, source, 64).unwrap_err().to_string();
            assert_eq!(error, "the data cannot be read: the disk is gone", "{kind}");
        }
        let source = Failing { inner: Cursor::new(text.as_bytes()), at };
        let error = Stream::csv(source, &CsvOptions::default(), 64).unwrap_err().to_string();
        assert_eq!(error, "the file cannot be read: the disk is gone");
    }
}

#[test]
fn the_sample_recordings_in_blocks_are_the_recordings() {
    let options = CsvOptions::default();
    for name in [
        "comtrade-small/sample_bin",
        "comtrade-small/sample_ascii",
        "comtrade-transformer-60hz/Comtrade1",
        "ieee123-fault/f1_1b274run_6ch",
    ] {
        let Some(cfg) = sample(&format!("{name}.cfg")) else { return };
        let Some(dat) = sample(&format!("{name}.dat")) else { return };
        agree(&comtrade::read(&cfg, &dat), Stream::comtrade(&cfg, Cursor::new(&dat), 1000));
    }
    for name in ["comtrade-small/sample_ascii.cff", "comtrade-small/sample_float32.cff"] {
        let Some(cff) = sample(name) else { return };
        agree(&comtrade::read_cff(&cff), Stream::cff(Cursor::new(&cff), 7));
    }
    let Some(text) = sample("mhkit-3ph-50k/2020224_181521_PowRaw.csv") else { return };
    agree(&csv::read(&text, &options), Stream::csv(Cursor::new(&text), &options, 777));
}
