//! Hostile bytes: no input makes a reader panic, none makes it reserve memory that its data does
//! not justify, and reading in blocks reports what reading whole reports. A binary of its own,
//! because the second half watches the process.

mod dribble;

use dribble::{Dribble, agree};
use lastmeter_waveform::csv::CsvOptions;
use lastmeter_waveform::{Recording, Stream, comtrade, csv, spectrum};
use proptest::prelude::*;

/// The largest address space this process ever had, in bytes; nothing where the system does not
/// report it. It counts what was reserved, touched or not.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

fn header(counts: &str, rates: &str, kind: &str) -> String {
    format!(
        "s,d,2013\n{counts}\n1,UA,A,,kV,0.5,1,0,-9,9,10,2,S\n1,D,,,0\n50\n{rates}\n\
         01/02/2003,04:05:06.000007\n01/02/2003,04:05:06.000007\n{kind}\n1\n0,0\n0,0\n"
    )
}

fn data(kind: &str) -> Vec<u8> {
    let record = |n: u32| -> Vec<u8> {
        let head = [n.to_le_bytes(), (1000 * n).to_le_bytes()].concat();
        match kind {
            "ASCII" => format!("{n},{},{},{}\r\n", 1000 * n, 7 * n, n & 1).into_bytes(),
            "BINARY" => [&head[..], &(7 * n as u16).to_le_bytes(), &[n as u8 & 1, 0]].concat(),
            _ => [&head[..], &(n as f32).to_le_bytes(), &[n as u8 & 1, 0]].concat(),
        }
    };
    (1..=20).flat_map(record).collect()
}

const KINDS: [&str; 4] = ["ASCII", "BINARY", "BINARY32", "FLOAT32"];
const CSV: &str = "Time_UTC,Va_V,Vb_kV,Ia_A\n\
    2020-02-24 18:15:21.499998208,1,-2,3e2\n\
    2020-02-24 18:15:21.500018208,4,5.5,-6\n\
    2020-02-24 18:15:21.500038209,7,8,9\n";
const SPECTRUM: &str = "# lastmeter spectrum table, format 1\n# fundamental_hz = 50\n\
    channel,phase,unit,order,rms,phase_deg\nVa,a,V,0,-1,0\nVa,a,V,1,230,0\nIa,a,mA,2.5,16,-30\n";

/// What every recording that comes out must satisfy, and that it is not larger than `most` values.
fn check(recording: &Recording, most: usize) {
    assert!(recording.rate_hz.is_finite() && recording.rate_hz > 0.0);
    let samples = recording.samples();
    assert!(samples > 0);
    assert!(recording.channels.iter().all(|c| c.samples.len() == samples));
    assert!(recording.digital.iter().all(|c| c.states.len() == samples));
    assert!(recording.channels.iter().flat_map(|c| &c.samples).all(|s| s.is_finite()));
    assert!(samples * (recording.channels.len() + recording.digital.len()) <= most);
    assert!(recording.duration_s() > 0.0);
    assert!(recording.notes.iter().all(|note| note.len() < 2000));
}

/// A change to a file.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    Cut(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let words = prop::sample::select(
        &[
            "9999999",
            "-1",
            "1e308",
            "nan",
            ",",
            ",,,,,,",
            "\n",
            "\r\n",
            "0",
            "99999",
            "\u{0}",
            "A",
            "--- file type: DAT BINARY: 99999999999 ---\n",
            "/",
            ":",
            "1e-300",
            "18446744073709551616",
            "31/12/9999",
            "#",
            "\"",
            "\u{fc}",
            "0x",
            "h",
            ".",
        ][..],
    );
    let at = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20));
    let change = prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), 1_usize..30).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), words).prop_map(|(at, word)| Change::Insert(at, word.as_bytes().to_vec())),
        (at(), 1_usize..200).prop_map(|(at, count)| Change::Repeat(at, count)),
        at().prop_map(Change::Cut),
    ];
    prop::collection::vec(change, 0..6)
}

fn apply(changes: &[Change], bytes: &mut Vec<u8>) {
    for change in changes {
        let length = bytes.len().max(1);
        match *change {
            Change::Set(at, byte) => {
                if let Some(place) = bytes.get_mut(at % length) {
                    *place = byte;
                }
            }
            Change::Remove(at, count) => {
                let start = (at % length).min(bytes.len());
                let end = (start + count).min(bytes.len());
                bytes.drain(start..end);
            }
            Change::Insert(at, ref word) => {
                let at = (at % length).min(bytes.len());
                bytes.splice(at..at, word.iter().copied());
            }
            Change::Repeat(at, count) => {
                let start = (at % length).min(bytes.len());
                let end = (start + count).min(bytes.len());
                bytes.extend_from_within(start..end);
            }
            Change::Cut(at) => bytes.truncate(at % length),
        }
    }
}

/// Values a reader may make of so many bytes: the joining of sections may make up to 8 million.
const fn most_values(bytes: usize) -> usize {
    8_000_100 + 64 * bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn mutated_comtrade_files_never_panic(
        kind in prop::sample::select(&KINDS[..]),
        rates in prop::sample::select(&["1\n1000,20", "0\n0,20", "2\n1000,7\n3000,20", "0"][..]),
        cfg_changes in changes(),
        dat_changes in changes(),
        (block, most) in (1_usize..40, 1_usize..50),
    ) {
        let mut cfg = header("2,1A,1D", rates, kind).into_bytes();
        let mut dat = data(kind);
        if cfg_changes.is_empty() && dat_changes.is_empty() {
            prop_assert!(comtrade::read(&cfg, &dat).is_ok());
        }
        apply(&cfg_changes, &mut cfg);
        apply(&dat_changes, &mut dat);
        let whole = comtrade::read(&cfg, &dat);
        match &whole {
            Ok(recording) => check(recording, most_values(dat.len())),
            Err(error) => prop_assert!(error.to_string().len() < 1000),
        }
        agree(&whole, Stream::comtrade(&cfg, Dribble::new(&dat, most), block));
    }

    #[test]
    fn mutated_single_files_never_panic(
        kind in prop::sample::select(&KINDS[..]),
        counted in any::<bool>(),
        changes in changes(),
        (block, most) in (1_usize..40, 1_usize..50),
    ) {
        let (cfg, dat) = (header("2,1A,1D", "1\n1000,20", kind), data(kind));
        let count = if counted && kind != "ASCII" { format!(": {}", dat.len()) } else { String::new() };
        let mut file = format!("--- file type: CFG ---\n{cfg}--- file type: DAT {kind}{count} ---\n").into_bytes();
        file.extend(&dat);
        if changes.is_empty() {
            prop_assert!(comtrade::read_cff(&file).is_ok());
        }
        apply(&changes, &mut file);
        let whole = comtrade::read_cff(&file);
        match &whole {
            Ok(recording) => check(recording, most_values(file.len())),
            Err(error) => prop_assert!(error.to_string().len() < 1000),
        }
        agree(&whole, Stream::cff(Dribble::new(&file, most), block));
    }

    #[test]
    fn mutated_csv_and_spectrum_files_never_panic(
        changes in changes(),
        (block, most) in (1_usize..5, 1_usize..50),
    ) {
        let mut text = CSV.as_bytes().to_vec();
        apply(&changes, &mut text);
        for options in [
            CsvOptions::default(),
            CsvOptions { voltage: vec!["va".to_owned()], time: Some("utc".to_owned()), ..CsvOptions::default() },
            CsvOptions { current: vec!["ia".to_owned()], rate_hz: Some(1.0), ..CsvOptions::default() },
        ] {
            let whole = csv::read(&text, &options);
            match &whole {
                Ok(recording) => check(recording, most_values(text.len())),
                Err(error) => prop_assert!(error.to_string().len() < 3000),
            }
            agree(&whole, Stream::csv(Dribble::new(&text, most), &options, block));
        }
        let mut text = SPECTRUM.as_bytes().to_vec();
        apply(&changes, &mut text);
        match spectrum::read(&text) {
            Ok(table) => prop_assert!(table.fundamental_hz > 0.0 && !table.channels.is_empty()),
            Err(error) => prop_assert!(error.to_string().len() < 1000),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(comtrade::read_cff(&bytes).is_err());
        let dribble = || Dribble::new(&bytes, 7);
        agree(&comtrade::read_cff(&bytes), Stream::cff(dribble(), 3));
        agree(&comtrade::read(&bytes, &bytes), Stream::comtrade(&bytes, dribble(), 3));
        for kind in KINDS {
            let cfg = header("2,1A,1D", "1\n1000,20", kind);
            let cfg = cfg.as_bytes();
            agree(&comtrade::read(cfg, &bytes), Stream::comtrade(cfg, dribble(), 3));
        }
        let options = CsvOptions { rate_hz: Some(1.0), ..CsvOptions::default() };
        agree(&csv::read(&bytes, &options), Stream::csv(dribble(), &options, 3));
        prop_assert!(spectrum::read(&bytes).is_err());
    }
}

#[test]
fn headers_that_announce_absurd_sizes_are_errors_not_allocations() {
    let before = peak_bytes();
    for (counts, rates, expected) in [
        ("2,1A,1D", "1\n1000,1000000000000", "20 whole records of the 1000000000000"),
        ("2,1A,1D", "1\n1000,18446744073709551615", "of the 18446744073709551615"),
        ("2,1A,1D", "1\n1000,18446744073709551616", "last sample number"),
        ("2,1A,1D", "999999999999\n1000,20", "line 8 of the .cfg, sampling rate"),
        ("2,1A,1D", "2\n0.000001,10\n1000000000000,20", "split the recording by section first"),
        ("2,1A,1D", "2\n1e-300,10\n1e300,20", "split the recording by section first"),
        ("999999,999999A,0D", "1\n1000,20", "analogue channel 2 of 999999"),
        ("999999,0A,999999D", "1\n1000,20", "digital channel 1 of 999999"),
        ("999999999999,999999999998A,1D", "1\n1000,20", "expected a whole number up to 999999"),
    ] {
        for kind in KINDS {
            let cfg = header(counts, rates, kind);
            let error = comtrade::read(cfg.as_bytes(), &data(kind)).unwrap_err().to_string();
            assert!(error.contains(expected), "{kind}: {error}");
        }
    }
    let cff = format!(
        "--- file type: CFG ---\n{}--- file type: DAT BINARY: 18446744073709551615 ---\n",
        header("2,1A,1D", "1\n1000,1000000000000", "BINARY")
    );
    assert!(comtrade::read_cff(cff.as_bytes()).is_err());
    match (before, peak_bytes()) {
        // The other tests of this binary run beside this one; a terabyte would show all the same.
        (Some(before), Some(after)) => assert!(after - before < 1 << 30, "{before} {after}"),
        _ => println!("SKIPPED: this system does not report the size of a process"),
    }
}
