//! COMTRADE by the byte: every kind and revision on bytes typed from the standard, with the values
//! the standard gives for them; no file of our own making is involved.

use std::fmt::Write as _;

use crate::common::{
    ASCII, BINARY, BINARY32, FLOAT32, RECORD, STATES, UA, one_and_one, six_and_six,
};
use lastmeter_waveform::comtrade::{self, read};
use lastmeter_waveform::{ChannelKind, Recording};

#[track_caller]
fn assert_is_the_record(recording: &Recording) {
    let values: Vec<f64> = recording.channels.iter().map(|c| c.samples[0]).collect();
    assert_eq!(values, RECORD);
    let states: Vec<bool> = recording.digital.iter().map(|c| c.states[0]).collect();
    assert_eq!(states, STATES);
    assert_eq!(recording.samples(), 1);
    assert_eq!(recording.rate_hz, 6000.0);
    assert_eq!(recording.nominal_hz, Some(60.0));
    assert_eq!(recording.start, Some("1995-07-17T14:38:26.687500Z".parse().unwrap()));
    let phases = recording.phases(ChannelKind::Current).unwrap();
    assert_eq!(phases.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Ch4", "Ch5", "Ch6"]);
}

#[test]
fn the_record_of_the_standard_reads_the_same_in_every_kind_and_revision() {
    for (revision, kind, dat) in [
        ("", "ASCII", ASCII),
        ("", "BINARY", &BINARY[..]),
        (",1991", "binary", &BINARY[..]),
        (",1999", "ASCII", ASCII),
        (",1999", "BINARY", &BINARY[..]),
        (",2001", "BINARY", &BINARY[..]),
        (",2013", "ASCII", ASCII),
        (",2013", "BINARY", &BINARY[..]),
        (",2013", "BINARY32", &BINARY32[..]),
        (",2013", "FLOAT32", &FLOAT32[..]),
        (",2013", "float32", &FLOAT32[..]),
    ] {
        let mut cfg = six_and_six(revision, kind, 1);
        if revision == ",1991" {
            cfg = six_and_six("", kind, 1).replacen("518", "518,1991", 1);
        }
        assert_is_the_record(&read(cfg.as_bytes(), dat).unwrap());
        let unix = cfg.replace("\r\n", "\n");
        assert_is_the_record(&read(unix.as_bytes(), dat).unwrap());
        let padded = cfg.replace("\r\n", "  \r\n") + "\x1a";
        assert_is_the_record(&read(padded.as_bytes(), dat).unwrap());
    }
}

#[test]
fn a_single_file_reads_as_the_pair_with_and_without_the_byte_count() {
    let cfg = |kind| six_and_six(",2013", kind, 1);
    let head = |kind, title: &str| {
        format!("--- file type: CFG ---\r\n{}--- file type: INF ---\r\n\r\n{title}\r\n", cfg(kind))
    };
    for (kind, title, dat) in [
        ("ASCII", "--- file type: DAT ASCII ---", ASCII),
        ("BINARY", "--- file type: DAT BINARY: 22 ---", &BINARY[..]),
        ("BINARY", "--- file type: DAT BINARY ---", &BINARY[..]),
        ("BINARY32", "--- file type: DAT BINARY: 34 ---", &BINARY32[..]),
        ("BINARY32", "--- FILE TYPE: DAT BINARY32: 34 ---", &BINARY32[..]),
        ("FLOAT32", "---file type:DAT FLOAT32:34---", &FLOAT32[..]),
    ] {
        let mut file = head(kind, title).into_bytes();
        file.extend(dat);
        assert_is_the_record(&comtrade::read_cff(&file).unwrap());
        // What follows the counted bytes is not data.
        if title.contains("34") || kind == "ASCII" {
            file.extend(b"--- file type: HDR ---\r\nwords\r\n");
            assert_is_the_record(&comtrade::read_cff(&file).unwrap());
        }
    }
}

#[test]
fn single_files_without_their_sections_are_refused_with_the_line() {
    let cfg = six_and_six(",2013", "ASCII", 1);
    for (file, expected) in [
        (String::new(), "ends without a line `--- file type: CFG"),
        (format!("--- file type: CFG ---\n{cfg}"), "ends without a line `--- file type: DAT"),
        ("--- file type: DAT ASCII ---\n".to_owned(), "line 1 of the .cff: the CFG section must"),
        ("--- file type: XYZ ---\n".to_owned(), "line 1 of the .cff: found a section `XYZ`"),
        (
            format!("--- file type: CFG ---\n{cfg}--- file type: DAT MORSE ---\n"),
            "found `DAT` `MORSE`, expected ASCII or BINARY",
        ),
        (
            format!("--- file type: CFG ---\n{cfg}--- file type: DAT BINARY: many ---\n"),
            "expected a number of bytes",
        ),
        (
            format!("--- file type: CFG ---\n{cfg}--- file type: DAT BINARY: 22 ---\n"),
            "the .cfg states ASCII data, but the .dat section is headed `DAT BINARY`",
        ),
    ] {
        let error = comtrade::read_cff(file.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn values_are_scaled_to_si_primary_values() {
    // raw 100, multiplier 0.5, offset 3: 53 in the channel's unit.
    for (unit, ratio, si, value) in [
        ("V", "", "V", 53.0),
        ("kV", "110,0.1,P", "V", 53_000.0),
        ("V", "110,0.1,S", "V", 58_300.0),
        ("V", "110,0.1,s", "V", 58_300.0),
        ("mV", "1,1,P", "V", 0.053),
        ("A", "400,5,S", "A", 4_240.0),
        ("kA", "400,5,S", "A", 4_240_000.0),
        ("mA", "1,1,p", "A", 0.053),
        ("MW", "1,1,P", "W", 53_000_000.0),
        ("deg", "1,1,P", "deg", 53.0),
    ] {
        let ratio = if ratio.is_empty() { "1,1,P" } else { ratio };
        let line = format!("1,X,A,,{unit},0.5,3,0,-32767,32767,{ratio}");
        let cfg = one_and_one(&line, "1\n1000,2", "ASCII", "1\n");
        let recording = read(cfg.as_bytes(), b"1,0,100,0\n2,1000,100,1\n").unwrap();
        let channel = &recording.channels[0];
        assert!((channel.samples[0] / value - 1.0).abs() < 1e-14, "{unit} {ratio}");
        assert_eq!(channel.unit, si);
        assert_eq!(recording.digital[0].states, [false, true]);
    }
}

#[test]
fn digital_channels_are_packed_sixteen_to_a_word_lowest_first() {
    let mut cfg = "s,d,1999\n18,0A,18D\n".to_owned();
    for number in 1..=18 {
        let _ = writeln!(cfg, "{number},D{number},,,{}", u8::from(number == 18));
    }
    cfg += "50\n1\n1000,2\n01/02/2003,04:05:06.0\n01/02/2003,04:05:06.0\nBINARY\n1\n";
    let dat = [
        1, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x80, 0x02, 0x00, // D1, D16, D18
        2, 0, 0, 0, 0xE8, 3, 0, 0, 0x00, 0x01, 0x01, 0x00, // D9, D17
    ];
    let recording = read(cfg.as_bytes(), &dat).unwrap();
    let set = |sample: usize| -> Vec<&str> {
        let set = recording.digital.iter().filter(|c| c.states[sample]);
        set.map(|c| c.name.as_str()).collect()
    };
    assert_eq!(set(0), ["D1", "D16", "D18"]);
    assert_eq!(set(1), ["D9", "D17"]);
    assert!(recording.digital[17].normal && !recording.digital[16].normal);
    assert_eq!(recording.samples(), 2);
}

#[test]
fn missing_values_become_gaps_in_every_kind() {
    let ascii = b"1,0,10,0\n2,1000,99999,0\n3,2000,,0\n4,3000,40,1\n".to_vec();
    let head = |n: u8| vec![n, 0, 0, 0, 0, 0, 0, 0];
    let binary = |values: [&[u8]; 4]| -> Vec<u8> {
        let records = (1..).zip(values).map(|(n, value)| [&head(n), value, &[0, 0]].concat());
        records.collect::<Vec<_>>().concat()
    };
    let b16 = binary([&[10, 0], &[0x00, 0x80], &[0x00, 0x80], &[40, 0]]);
    let missing = [0x00, 0x00, 0x00, 0x80];
    let b32 = binary([&[10, 0, 0, 0], &missing, &missing, &[40, 0, 0, 0]]);
    let (nan, infinity) = (f32::NAN.to_le_bytes(), f32::INFINITY.to_le_bytes());
    let f32s = binary([&10_f32.to_le_bytes(), &nan, &infinity, &40_f32.to_le_bytes()]);
    for (kind, dat) in [("ASCII", ascii), ("BINARY", b16), ("BINARY32", b32), ("FLOAT32", f32s)] {
        let cfg = one_and_one(UA, "1\n1000,4", kind, "1\n");
        let recording = read(cfg.as_bytes(), &dat).unwrap();
        assert_eq!(recording.channels[0].samples, [10.0, 20.0, 30.0, 40.0], "{kind}");
        let gap = recording.gaps[0];
        assert_eq!((gap.channel, gap.first_sample, gap.samples), (0, 1, 2), "{kind}");
        let note = recording.notes.iter().find(|note| note.contains("channel `UA`")).unwrap();
        assert!(note.contains("2 of 4 samples are missing, in 1 gap(s), the first at sample 2"));
    }
}

#[test]
fn without_a_rate_the_time_stamps_give_it() {
    let dat = b"1,0,1,0\n2,250,2,0\n3,500,3,0\n4,750,4,0\n";
    for rates in ["0\n0,4", "1\n0,4", "0"] {
        let cfg = one_and_one(UA, rates, "ASCII", "1\n");
        assert_eq!(read(cfg.as_bytes(), dat).unwrap().rate_hz, 4000.0, "{rates}");
        // timemult 2: the stamps are in units of 2 us.
        let cfg = one_and_one(UA, rates, "ASCII", "2\n");
        assert_eq!(read(cfg.as_bytes(), dat).unwrap().rate_hz, 2000.0, "{rates}");
        // 2013 with nine digits: in nanoseconds.
        let cfg = cfg.replace("1999", "2013").replace("06.000007", "06.000007000") + "0,0\n0,0\n";
        let recording = read(cfg.as_bytes(), dat).unwrap();
        assert_eq!(recording.rate_hz, 2_000_000.0, "{rates}");
        assert_eq!(recording.channels[0].samples, [1.0, 2.0, 3.0, 4.0]);
    }
    let cfg = one_and_one(UA, "0\n0,4", "ASCII", "1\n");
    let jump = b"1,0,1,0\n2,250,2,0\n3,500,3,0\n4,900,4,0\n";
    let notes = read(cfg.as_bytes(), jump).unwrap().notes;
    assert!(notes.iter().any(|n| n.contains("1 of 3 time steps are irregular")), "{notes:?}");
    let absent = b"1,0,1,0\n2,,2,0\n3,500,3,0\n4,900,4,0\n";
    let error = read(cfg.as_bytes(), absent).unwrap_err().to_string();
    assert!(error.contains("record 2 has none"), "{error}");
    let standing = b"1,5,1,0\n2,5,2,0\n3,5,3,0\n4,5,4,0\n";
    let error = read(cfg.as_bytes(), standing).unwrap_err().to_string();
    assert!(error.contains("they do not advance"), "{error}");
}

#[test]
fn time_stamps_that_start_again_from_zero_are_counted_on() {
    // Nanoseconds, 2 s apart: 0, 2e9, 4e9, then 6e9 - 2^32 = 1,705,032,704 = 0x65A0BC00.
    let stamps: [u32; 4] = [0, 2_000_000_000, 4_000_000_000, 0x65A0_BC00];
    let records = (1_u32..).zip(stamps).map(|(n, stamp)| {
        [&n.to_le_bytes()[..], &stamp.to_le_bytes(), &[n as u8, 0, 0, 0]].concat()
    });
    let dat = records.collect::<Vec<_>>().concat();
    let cfg = one_and_one(UA, "0\n0,4", "BINARY", "1\n0,0\n0,0\n");
    let cfg = cfg.replace("1999", "2013").replace("06.000007", "06.000007000");
    let recording = read(cfg.as_bytes(), &dat).unwrap();
    assert_eq!(recording.rate_hz, 0.5);
    assert!(!recording.notes.iter().any(|note| note.contains("irregular")));
}

#[test]
fn sections_of_different_rates_are_joined_at_the_highest() {
    // Three samples at 1 kHz (0, 1, 2 ms), then four at 2 kHz from 3 ms on.
    let cfg = one_and_one(UA, "2\n1000,3\n2000,7", "ASCII", "1\n");
    let dat =
        b"1,0,0,0\n2,1000,10,1\n3,2000,20,0\n4,3000,30,1\n5,3500,35,0\n6,4000,40,0\n7,4500,45,1\n";
    let recording = read(cfg.as_bytes(), dat).unwrap();
    assert_eq!(recording.rate_hz, 2000.0);
    // A straight line stays one: 10 per millisecond.
    assert_eq!(recording.channels[0].samples.len(), 10);
    for (k, sample) in (0..).zip(&recording.channels[0].samples) {
        assert!((sample - 5.0 * f64::from(k)).abs() < 1e-3, "{k}: {sample}");
    }
    let states = [0, 0, 1, 1, 0, 0, 1, 0, 0, 1].map(|state| state == 1);
    assert_eq!(recording.digital[0].states, states);
    assert!(recording.notes.iter().any(|n| n.contains("2 sections of different rates (1000 Hz")));
    // Equal rates are one section.
    let cfg = one_and_one(UA, "2\n1000,3\n1000,7", "ASCII", "1\n");
    assert_eq!(read(cfg.as_bytes(), dat).unwrap().samples(), 7);
}

#[test]
fn zones_clock_quality_and_skew_are_reported() {
    let line = "1,UA,A,,V,1,0,12.5,-32767,32767,1,1,P";
    let cfg = one_and_one(line, "1\n1000,1", "ASCII", "1\n-5h30,-5h30\nB,1\n");
    let recording = read(cfg.replace("1999", "2013").as_bytes(), b"1,0,1,0\n").unwrap();
    assert_eq!(recording.start, Some("2003-02-01T09:35:06.000007Z".parse().unwrap()));
    assert!((recording.channels[0].skew_s - 12.5e-6).abs() < 1e-18);
    let notes = recording.notes.join("\n");
    assert!(notes.contains("not locked to its source (time quality `B`)"), "{notes}");
    assert!(notes.contains("leap second") && notes.contains("12.5 us later"), "{notes}");
    // 1999 has no zone: taken as UTC, and noted.
    let recording = read(cfg.as_bytes(), b"1,0,1,0\n").unwrap();
    assert_eq!(recording.start, Some("2003-02-01T04:05:06.000007Z".parse().unwrap()));
    assert!(recording.notes.iter().any(|note| note.contains("no time zone")));
}

#[test]
fn names_in_latin_1_are_read() {
    let cfg =
        one_and_one("1,Spannung K\u{f6}ln,L2,,\u{b5}V,1,0,0,0,0,1,1,P", "1\n1000,1", "ASCII", "1");
    let latin: Vec<u8> = cfg.chars().map(|c| c as u8).collect();
    for bytes in [latin, cfg.into_bytes()] {
        let recording = read(&bytes, b"1,0,2,0").unwrap();
        let channel = &recording.channels[0];
        assert_eq!((channel.name.as_str(), channel.phase.as_str()), ("Spannung K\u{f6}ln", "b"));
        assert!((channel.samples[0] - 2e-6).abs() < 1e-18);
    }
}
