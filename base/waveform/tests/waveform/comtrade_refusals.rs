//! What is refused, and whether the message states what is wrong, where, and what to do: truncated
//! data, swapped byte order, wrong channel counts, and every field of the header.

use std::fmt::Write as _;

use crate::common::{ASCII, UA, one_and_one, sample, six_and_six};
use lastmeter_waveform::comtrade::{ComtradeError, read};

/// Ten records of one 16-bit and one digital channel.
fn ten_records() -> Vec<u8> {
    let record = |n: u32| {
        let mut record = n.to_le_bytes().to_vec();
        record.extend((1000 * (n - 1)).to_le_bytes());
        record.extend((100 + n as i16).to_le_bytes());
        record.extend([n as u8 & 1, 0]);
        record
    };
    (1..=10).flat_map(record).collect()
}

fn binary_cfg(records: u64) -> String {
    one_and_one(UA, &format!("1\n1000,{records}"), "BINARY", "1\n")
}

#[track_caller]
fn refused(cfg: &str, dat: &[u8], parts: &[&str]) -> ComtradeError {
    let error = read(cfg.as_bytes(), dat).unwrap_err();
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
    error
}

#[test]
fn truncated_binary_data_is_reported_with_its_whole_records() {
    let dat = ten_records();
    assert!(read(binary_cfg(10).as_bytes(), &dat).is_ok());
    let expected = ["truncated", "7 whole records of the 10"];
    refused(&binary_cfg(10), &dat[..7 * 12], &expected);
    let expected = ["truncated", "7 whole records and 5 bytes of another of the 10"];
    refused(&binary_cfg(10), &dat[..7 * 12 + 5], &expected);
    refused(&binary_cfg(10), &dat[..3], &["0 whole records and 3 bytes of another"]);
    refused(&binary_cfg(10), &[], &["0 whole records of the 10"]);
    refused(&binary_cfg(10), &dat[..12], &["1 whole records of the 10"]);
}

#[test]
fn truncated_ascii_data_is_reported_with_its_whole_records() {
    let cfg = one_and_one(UA, "1\n1000,10", "ASCII", "1\n");
    let lines: Vec<String> =
        (1..=10).map(|n| format!("{n},{},{n},0\r\n", 1000 * (n - 1))).collect();
    let lines = lines.concat();
    assert!(read(cfg.as_bytes(), lines.as_bytes()).is_ok());
    let seven: usize = lines.split_inclusive('\n').take(7).map(str::len).sum();
    refused(&cfg, &lines.as_bytes()[..seven], &["7 whole records of the 10"]);
    let cut = &lines.as_bytes()[..seven + 4];
    refused(&cfg, cut, &["7 whole records and 2 of 4 fields of another of the 10"]);
    refused(&cfg, b"", &["0 whole records of the 10"]);
    refused(&cfg, b"1,0", &["0 whole records and 2 of 4 fields of another of the 10"]);
}

#[test]
fn swapped_byte_order_is_named() {
    let dat = ten_records();
    let swapped: Vec<u8> = dat
        .chunks_exact(12)
        .flat_map(|r| [r[3], r[2], r[1], r[0], r[7], r[6], r[5], r[4], r[9], r[8], r[11], r[10]])
        .collect();
    let expected =
        ["swapped byte order", "16777216, 33554432, 50331648", "1, 2, 3", "swap the bytes"];
    let error = refused(&binary_cfg(10), &swapped, &expected);
    assert!(matches!(error, ComtradeError::ByteOrder { .. }));
    // Also where only one record is there, and where the count is wrong at the same time.
    refused(&binary_cfg(1), &swapped[..12], &["swapped byte order", "16777216, and 1 with"]);
    let wide = binary_cfg(10).replace("2,1A,1D", "3,2A,1D").replace(UA, &format!("{UA}\n{UA}"));
    refused(&wide, &swapped, &["swapped byte order"]);
}

#[test]
fn a_wrong_channel_count_is_named_with_what_would_fit() {
    let dat = ten_records();
    let wide = binary_cfg(10).replace("2,1A,1D", "3,2A,1D").replace(UA, &format!("{UA}\n{UA}"));
    let expected = [
        "wrong channel count",
        "2 analogue and 1 digital",
        "14 bytes",
        "12 bytes apart",
        "1 analogue and 1 digital as BINARY",
    ];
    let error = refused(&wide, &dat, &expected);
    assert!(matches!(error, ComtradeError::RecordSize { .. }));
    let narrow = binary_cfg(10).replace("2,1A,1D", "1,0A,1D").replace(&format!("{UA}\n"), "");
    refused(&narrow, &dat, &["10 bytes", "12 bytes apart", "1 analogue and 1 digital as BINARY"]);
    // The other kind shows in the same way.
    let float = binary_cfg(10).replace("BINARY", "FLOAT32");
    refused(&float, &dat, &["14 bytes", "12 bytes apart", "1 analogue and 1 digital as BINARY"]);
    // So does a digital word too few.
    let mut digital = String::new();
    for n in 2..=17 {
        let _ = write!(digital, "\n{n},D,,,0");
    }
    let more = binary_cfg(10)
        .replace("2,1A,1D", "18,1A,17D")
        .replace("\n1,D,,,0", &format!("\n1,D,,,0{digital}"));
    refused(&more, &dat, &["wrong channel count", "1 analogue and 1 to 16 digital"]);
    // Data cut off as well does not hide it.
    refused(&wide, &dat[..50], &["wrong channel count", "12 bytes apart"]);
}

#[test]
fn a_wrong_channel_count_of_ascii_data_is_named() {
    let cfg = six_and_six(",1999", "ASCII", 1);
    let fewer =
        cfg.replace("12,6A,6D", "11,5A,6D").replace("6,Ch6,C,,A,1,0,0,-2048,2047,1,1,P\r\n", "");
    let expected = ["wrong channel count", "lines of 13 fields", "have 14", "fits 12 channels"];
    refused(&fewer, ASCII, &expected);
    let cfg = one_and_one(UA, "1\n1000,3", "ASCII", "1\n");
    refused(&cfg, b"1,0,1,2,0\n2,9,1,2,0\n3,9,1,2,0\n", &["wrong channel count", "line 1"]);
    refused(&cfg, b"1,0,1\n2,9,1\n3,9,1\n", &["wrong channel count", "have 3"]);
    refused(
        &cfg,
        b"1,0,1,0\n2,9,1\n3,9,1,0\n",
        &["line 2 of the .dat: found 3 fields, expected 4"],
    );
    refused(&cfg, b"1,0,1,0\n2,9,1,0,7\n3,9,1,0\n", &["line 2 of the .dat: found 5 fields"]);
}

#[test]
fn counts_that_do_not_add_up_or_do_not_fit_the_lines_are_named() {
    let cfg = binary_cfg(10);
    let expected =
        ["line 2", "wrong channel count", "3 channels in total", "1 analogue and 1 digital are 2"];
    refused(&cfg.replace("2,1A,1D", "3,1A,1D"), &[], &expected);
    let expected = [
        "line 4",
        "wrong channel count",
        "5 field(s) where analogue channel 2 of 2 with 13 fields",
        "(2A, 0D)",
    ];
    refused(&cfg.replace("2,1A,1D", "2,2A,0D"), &[], &expected);
    let expected = ["line 3", "13 field(s) where digital channel 1 of 2", "(0A, 2D)"];
    refused(&cfg.replace("2,1A,1D", "2,0A,2D"), &[], &expected);
    refused(&cfg.replace("2,1A,1D", "1,1A,0D"), &[], &["line 4", "the line frequency alone"]);
    refused(&cfg.replace("2,1A,1D", "3,1A,2D"), &[], &["line 5", "digital channel 2 of 2"]);
    refused(&cfg.replace("2,1A,1D", "0,0A,0D"), &[], &["no channels"]);
}

#[test]
fn the_data_of_another_kind_is_named() {
    let cfg = binary_cfg(3);
    let text = b"1,0,1,0\n2,9,1,0\n3,9,1,0\n";
    refused(
        &cfg,
        text,
        &["the .cfg states BINARY data", "lines of text (ASCII data)", "file type"],
    );
    let cfg = cfg.replace("BINARY", "ASCII");
    refused(&cfg, &ten_records(), &["the .cfg states ASCII data", "bytes that are no text"]);
}

#[test]
fn sample_numbers_are_checked_to_the_last() {
    let mut dat = ten_records();
    dat[8 * 12] = 40;
    let recording = read(binary_cfg(10).as_bytes(), &dat);
    let error = recording.unwrap_err().to_string();
    assert!(error.contains("record 10 of the .dat has sample number 10 after 40"), "{error}");
    dat[9 * 12] = 41;
    let notes = read(binary_cfg(10).as_bytes(), &dat).unwrap().notes.join("\n");
    assert!(notes.contains("in 1 place(s), the first at record 9 (8, then 40)"), "{notes}");
    let cfg = one_and_one(UA, "1\n1000,2", "ASCII", "1\n");
    refused(&cfg, b"2,0,1,0\n1,9,1,0\n", &["record 2", "sample number 1 after 2"]);
}

#[test]
fn records_that_are_shifted_are_refused_where_that_begins() {
    let record = |n: u32| {
        let head = [n.to_le_bytes(), (1000 * (n - 1)).to_le_bytes()].concat();
        [head, vec![n as u8, 0, n as u8 & 1, 0]].concat()
    };
    let records = |numbers: std::ops::RangeInclusive<u32>| numbers.flat_map(record);
    let mut dat: Vec<u8> = records(1..=30).chain([7, 7]).chain(records(31..=60)).collect();
    let expected =
        ["record 31 of the .dat has sample number", " after 30, ", "in 30 of 60 records"];
    refused(&binary_cfg(60), &dat, &expected);
    // Without the two bytes it is whole.
    dat.drain(30 * 12..30 * 12 + 2);
    assert!(read(binary_cfg(60).as_bytes(), &dat).unwrap().damage.is_empty());
}

#[test]
fn values_beyond_the_declared_range_are_counted() {
    let text = b"1,0,9,0\n2,1000,-11,0\n3,2000,99999,0\n4,3000,10,1\n5,4000,12,1\n";
    let channel = UA.replace("-32767,32767", "-10,10");
    let cfg = one_and_one(&channel, "1\n1000,5", "ASCII", "1\n");
    let recording = read(cfg.as_bytes(), text).unwrap();
    let note = "channel `UA`: 2 of 5 values are beyond the range of -10 to 10 that the .cfg declares \
                for it, the first at record 2; they are used as they are";
    assert!(recording.notes.iter().any(|it| it == note), "{:?}", recording.notes);
    let damage =
        |it: &lastmeter_waveform::Damage| (it.channel, it.note.as_str()) == (Some(0), note);
    assert!(recording.damage.iter().any(damage));
    // The range is that of raw numbers, whatever they stand for.
    let scaled = channel.replace(",V,1,0,", ",kV,-0.5,3,");
    let cfg = one_and_one(&scaled, "1\n1000,5", "ASCII", "1\n");
    let notes = read(cfg.as_bytes(), text).unwrap().notes;
    assert!(notes.iter().any(|it| it == note), "{notes:?}");
    // In binary data the same, in the second record and in all from there on; no range, no note.
    let of = |range: &str| {
        let cfg = binary_cfg(10).replace("-32767,32767", range);
        read(cfg.as_bytes(), &ten_records()).unwrap().damage
    };
    assert!(of("0,101")[0].note.contains("9 of 10 values are beyond the range of 0 to 101"));
    assert!(of("0,101")[0].note.contains("the first at record 2;"));
    for range in ["101,110", "0,0", "110,101", ","] {
        assert_eq!(of(range), [], "{range}");
    }
}

#[test]
fn data_that_may_be_cut_in_its_last_number_is_noted() {
    let cfg = one_and_one(UA, "1\n1000,2", "ASCII", "1\n");
    let damage = |dat: &[u8]| read(cfg.as_bytes(), dat).unwrap().damage;
    let cut = damage(b"1,0,1,0\n2,1000,9,1");
    assert_eq!(cut.len(), 1);
    assert!(cut[0].note.starts_with("line 2 of the .dat: the last line has no end, so it may be"));
    for whole in
        ["1,0,1,0\n2,1000,9,1\n", "1,0,1,0\r\n2,1000,9,1\r\n\x1a", "1,0,1,0\n2,1000,9,1\n  "]
    {
        assert_eq!(damage(whole.as_bytes()), [], "{whole:?}");
    }
    assert_eq!(damage(b"1,0,1,0\n2,1000,9,1\x1a"), []);
}

#[test]
fn surplus_data_is_left_out_and_noted() {
    let recording = read(binary_cfg(8).as_bytes(), &ten_records()).unwrap();
    assert_eq!(recording.samples(), 8);
    assert!(recording.notes.iter().any(|n| n.contains("24 bytes follow the 8 records")));
    let cfg = one_and_one(UA, "1\n1000,1", "ASCII", "1\n");
    let recording = read(cfg.as_bytes(), b"1,0,1,0\n2,9,1,0\n\x1a").unwrap();
    assert_eq!(recording.samples(), 1);
    assert!(recording.notes.iter().any(|n| n.contains("1 lines follow the 1 records")));
}

#[test]
fn time_stamps_that_contradict_the_rate_are_noted() {
    let cfg = binary_cfg(10).replace("1000,10", "2000,10");
    let recording = read(cfg.as_bytes(), &ten_records()).unwrap();
    assert_eq!(recording.rate_hz, 2000.0);
    assert!(recording.notes.iter().any(|n| n.contains("the time stamps span 0.009 s")));
    let agreed = read(binary_cfg(10).as_bytes(), &ten_records()).unwrap();
    assert!(!agreed.notes.iter().any(|n| n.contains("time stamps span")), "{:?}", agreed.notes);
}

#[test]
fn every_field_of_the_header_is_located() {
    let cfg = one_and_one(UA, "1\n1000,1", "ASCII", "1\n");
    for (from, to, expected) in [
        ("s,d,1999", "s,d,MMXIII", "line 1 of the .cfg, revision year: found `MMXIII`"),
        ("2,1A,1D", "two,1A,1D", "line 2 of the .cfg, total channels: found `two`"),
        ("2,1A,1D", "2,1B,1D", "line 2 of the .cfg, analogue channels: found `1B`"),
        ("2,1A,1D", "2,1A,-1D", "line 2 of the .cfg, digital channels: found `-1D`"),
        ("V,1,0", "V,one,0", "line 3 of the .cfg, channel multiplier: found `one`"),
        ("V,1,0", "V,nan,0", "line 3 of the .cfg, channel multiplier: found `nan`"),
        ("V,1,0,0", "V,1,zero,0", "line 3 of the .cfg, channel offset: found `zero`"),
        ("V,1,0,0", "V,1,0,?", "line 3 of the .cfg, channel skew: found `?`"),
        (
            "1,1,P",
            "1,1,Q",
            "line 3 of the .cfg, primary/secondary flag: found `Q`, expected P or S",
        ),
        ("1,1,P", "1,1,", "line 3 of the .cfg, primary/secondary flag: found ``"),
        ("1,1,P", "1,0,S", "line 3 of the .cfg, primary and secondary ratio: found `0`"),
        ("1,1,P", "1,,S", "line 3 of the .cfg, secondary ratio: found ``"),
        ("D,,,0", "D,,,2", "line 4 of the .cfg, normal state: found `2`, expected 0 or 1"),
        ("\n50\n", "\nfifty\n", "line 5 of the .cfg, line frequency: found `fifty`"),
        ("\n50\n", "\n-50\n", "line 5 of the .cfg, line frequency: found `-50`"),
        ("\n1\n1000", "\nx\n1000", "line 6 of the .cfg, number of sampling rates: found `x`"),
        ("1000,1", "1 kHz,1", "line 7 of the .cfg, sampling rate: found `1 kHz`"),
        ("1000,1", "-1,1", "line 7 of the .cfg, sampling rate: found `-1`"),
        ("1000,1", "1000,0", "line 7 of the .cfg, last sample number: found `0`"),
        ("1\n1000,1", "2\n1000,3\n1000,3", "line 8 of the .cfg, last sample number: found `3`"),
        ("01/02/2003", "2003-02-01", "line 8 of the .cfg, date and time of the first sample"),
        ("ASCII", "EBCDIC", "line 10 of the .cfg, file type: found `EBCDIC`"),
        ("ASCII\n1", "ASCII\n0", "line 11 of the .cfg, time stamp multiplier: found `0`"),
    ] {
        assert!(cfg.contains(from), "{from}");
        refused(&cfg.replacen(from, to, 1), b"1,0,1,0\n", &[expected]);
    }
    let lines: Vec<&str> = cfg.lines().collect();
    for whole in 0..10 {
        let expected = format!("the .cfg ends before line {}", whole + 1);
        refused(&lines[..whole].join("\n"), b"1,0,1,0\n", &[&expected]);
    }
}

#[test]
fn every_field_of_ascii_data_is_located() {
    let cfg = one_and_one(UA, "1\n1000,2", "ASCII", "1\n");
    for (line, expected) in [
        ("x,9,1,0", "line 2 of the .dat, sample number: found `x`"),
        ("2,-9,1,0", "line 2 of the .dat, time stamp: found `-9`"),
        ("2,9,1e,0", "line 2 of the .dat, channel `UA`: found `1e`"),
        ("2,9,NaN,0", "line 2 of the .dat, channel `UA`: found `NaN`"),
        ("2,9,1,yes", "line 2 of the .dat, digital channel `D`: found `yes`, expected 0 or 1"),
    ] {
        refused(&cfg, format!("1,0,1,0\n{line}\n").as_bytes(), &[expected]);
    }
    let recording = read(cfg.as_bytes(), b" 1 , , 1.5e1 , 1 ,\n2,,-0.5,,\n").unwrap();
    assert_eq!(recording.channels[0].samples, [15.0, -0.5]);
    assert_eq!(recording.digital[0].states, [true, true]);
    assert!(recording.notes.iter().any(|n| n.contains("1 digital values are missing")));
}

#[test]
fn a_real_relay_record_is_refused_when_it_is_damaged() {
    let Some(cfg) = sample("comtrade-transformer-60hz/Comtrade1.cfg") else { return };
    let Some(dat) = sample("comtrade-transformer-60hz/Comtrade1.dat") else { return };
    let cfg = String::from_utf8(cfg).unwrap();
    // 8 + 23 * 4 + 9 * 2 = 118 bytes.
    let expected = ["truncated", "7199 whole records and 100 bytes of another of the 7200"];
    refused(&cfg, &dat[..7199 * 118 + 100], &expected);
    refused(&cfg, &dat[..5000 * 118], &["truncated", "5000 whole records of the 7200"]);
    let swapped: Vec<u8> = dat.chunks_exact(2).flat_map(|b| [b[1], b[0]]).collect();
    assert!(read(cfg.as_bytes(), &swapped).is_err());
    let mut swapped = dat.clone();
    for record in swapped.chunks_exact_mut(118) {
        record[..100].chunks_exact_mut(4).for_each(<[u8]>::reverse);
        record[100..].chunks_exact_mut(2).for_each(<[u8]>::reverse);
    }
    refused(&cfg, &swapped, &["swapped byte order", "1, 2, 3"]);
    let line = cfg.lines().find(|line| line.starts_with("23,")).unwrap();
    let fewer = cfg.replace("163,23A", "162,22A").replace(&format!("{line}\n"), "");
    refused(
        &fewer,
        &dat,
        &["wrong channel count", "118 bytes apart", "23 analogue and 140 digital"],
    );
    refused(&cfg.replace("FLOAT32", "BINARY"), &dat, &["wrong channel count", "23 analogue"]);
}
