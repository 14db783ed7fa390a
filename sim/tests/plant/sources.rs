//! Sources as a scenario writes them, and the messages of mistakes in them.

use super::*;
use lastmeter_params::{Code, Diagnostic, Diagnostics, read_text};
use lastmeter_sim::{SOURCES, SourceContext};
use lastmeter_units::SimTime;
use std::path::{Path, PathBuf};

/// Builds a source of the text of its table, with files from a function.
fn build_with(
    kind: &str,
    text: &str,
    read_file: &dyn Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<Terminal, Vec<Diagnostic>> {
    let source =
        SOURCES.iter().find(|source| source.entry.name == kind).expect("a registered kind");
    let values = read_text(text, &[source.entry.fields])?;
    let streams = Streams::new(1);
    let duration = SimDuration::from_seconds(60);
    let context =
        SourceContext { name: "g", streams: &streams, start: SimTime(0), duration, read_file };
    let mut diagnostics = Diagnostics::new();
    let signal = (source.build)(&values, &context, &mut diagnostics);
    let point = signal.map(|signal| signal.metering_point("g", &streams).expect("a terminal"));
    let terminal = point.map(|point| point.terminal().expect("electricity").clone());
    match terminal {
        Some(terminal) => {
            assert!(diagnostics.is_empty(), "built although mistaken: {diagnostics:?}");
            Ok(terminal)
        }
        None => Err(diagnostics.into_sorted()),
    }
}

fn build(kind: &str, text: &str) -> Result<Terminal, Vec<Diagnostic>> {
    build_with(kind, text, &|_| Err("no such file".to_owned()))
}

/// Exactly one mistake, of a kind, at a piece of the text, with words in its message.
fn check_mistake(
    found: Result<Terminal, Vec<Diagnostic>>,
    text: &str,
    code: Code,
    at: &str,
    message: &str,
) {
    let mistakes = found.map(|_| ()).expect_err("has to be refused");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let mistake = &mistakes[0];
    assert_eq!(mistake.code, code, "{mistake:?}");
    assert_eq!(&text[mistake.span.start..mistake.span.end], at, "{mistake:?}");
    assert!(mistake.message.contains(message), "{mistake:?}");
}

#[test]
fn the_registry_lists_the_sources() {
    let names: Vec<_> = SOURCES.iter().map(|source| source.entry.name).collect();
    assert_eq!(names, ["synthetic", "recording", "spectrum", "heat-circuit", "water", "room"]);
    for source in SOURCES {
        assert!(!source.entry.summary.is_empty() && !source.entry.description.is_empty());
        assert!(source.entry.fields.iter().all(|field| !field.doc.is_empty()));
    }
}

#[test]
fn a_synthetic_source_is_three_phases_by_default() {
    let terminal = build("synthetic", "").unwrap();
    assert_eq!((terminal.phases(), terminal.fundamental_hz()), (3, 50.0));
    let found = |name: &str| value(&terminal, name, span(0.0, 0.2)).unwrap();
    assert_close(found("electricity.voltage.rms.l3"), 230.0, 1e-9, "U");
    assert_close(found("electricity.power.active.consumed.total"), 6900.0, 1e-8, "P");
    assert_close(found("electricity.voltage.phase.l2").to_degrees(), -120.0, 1e-9, "rotation");
}

#[test]
fn every_phase_carries_the_same_waveform_a_third_of_a_period_later() {
    let terminal = build(
        "synthetic",
        "frequency = \"60 Hz\"\nangle = \"25 deg\"\ncurrent_lag = \"40 deg\"\nvoltage_dc = \"1 V\"\n\
         harmonics = [{ order = 5, voltage = \"2 %\", current = \"10 %\", voltage_phase = \"33 deg\" },\n\
         { order = 3, voltage = \"4 %\", current_phase = \"-5 deg\", current = \"1 %\" }]\n\
         interharmonics = [{ frequency = \"175 Hz\", voltage = \"1 %\" }]\n",
    )
    .unwrap();
    // A third of a period of 60 Hz is 100 samples at 18 kHz.
    let block = render(&terminal, 0, 18_000.0, 500);
    for channels in [&block.voltages, &block.currents] {
        for k in 0..300 {
            assert_close(channels[1][k + 100], channels[0][k], 1e-10, "second phase");
            assert_close(channels[2][k + 200], channels[0][k], 1e-10, "third phase");
        }
    }
    let angle = 25.0_f64.to_radians();
    let interharmonic = 2.3 * (angle * 175.0 / 60.0).cos();
    let fifth = 4.6 * (5.0 * angle + 33.0_f64.to_radians()).cos();
    let expected = 1.0
        + 2.0_f64.sqrt()
            * (230.0 * angle.cos() + 9.2 * (3.0 * angle).cos() + fifth + interharmonic);
    assert_close(block.voltages[0][0], expected, 1e-10, "first sample");
}

#[test]
fn the_power_factor_sets_the_angle_of_the_current() {
    for (text, active, reactive) in [
        ("power_factor = 0.5", 1150.0, 1_991.858_429),
        ("power_factor = \"50 %\"\nreactive = \"capacitive\"", 1150.0, -1_991.858_429),
        ("power_factor = -1", -2300.0, 0.0),
        ("power_factor = -0.5", -1150.0, 1_991.858_429),
        ("current_lag = \"60 deg\"", 1150.0, 1_991.858_429),
        ("current_lag = \"-60 deg\"", 1150.0, -1_991.858_429),
        ("phase_current_lags = [\"60 deg\"]", 1150.0, 1_991.858_429),
    ] {
        let terminal = build("synthetic", &format!("phases = 1\n{text}")).unwrap();
        let signed = |stem: &str| {
            let of =
                |way: &str| value(&terminal, &format!("{stem}.{way}.l1"), span(0.0, 0.2)).unwrap();
            of("consumed") - of("injected")
        };
        assert_close(signed("electricity.power.active"), active, 1e-6, text);
        assert_close(signed("electricity.power.reactive"), reactive, 1e-6, text);
    }
}

#[test]
fn phases_may_differ() {
    let terminal = build(
        "synthetic",
        "phase_voltages = [\"100 V\", \"95 V\", \"105 V\"]\nphase_currents = [\"1 A\", \"0 A\", \"3 A\"]\n\
         harmonics = [{ order = 5, voltage = \"10 %\" }]",
    )
    .unwrap();
    for (name, expected) in [
        ("electricity.voltage.rms.l2", 95.0 * 1.01_f64.sqrt()),
        ("electricity.current.rms.l2", 0.0),
        ("electricity.power.active.consumed.l3", 315.0),
        ("x.electricity.voltage.thd.l3", 0.1),
    ] {
        assert_close(value(&terminal, name, span(0.0, 0.2)).unwrap(), expected, 1e-9, name);
    }
}

#[test]
fn mistakes_in_a_synthetic_source_are_reported_at_their_place() {
    let check = |text: &str, code, at: &str, message: &str| {
        check_mistake(build("synthetic", text), text, code, at, message);
    };
    check("phases = 2", Code::OUT_OF_RANGE, "2", "not 2");
    check("voltage = \"230 A\"", Code::WRONG_DIMENSION, "\"230 A\"", "");
    check("power_factor = 1.2", Code::OUT_OF_RANGE, "1.2", "");
    check(
        "phase_currents = [\"1 A\", \"2 A\"]",
        Code::DOES_NOT_FIT,
        "[\"1 A\", \"2 A\"]",
        "has 2 values, but the source has 3 phases",
    );
    check(
        "power_factor = 0.9\ncurrent_lag = \"3 deg\"",
        Code::DOES_NOT_FIT,
        "0.9",
        "give the same thing twice",
    );
    check(
        "voltage = \"231 V\"\nphase_voltages = [\"1 V\", \"1 V\", \"1 V\"]",
        Code::DOES_NOT_FIT,
        "[\"1 V\", \"1 V\", \"1 V\"]",
        "`phase_voltages` and `voltage`",
    );
    check("reactive = \"capacitive\"", Code::DOES_NOT_FIT, "\"capacitive\"", "which is missing");
    check(
        "harmonics = [{ order = 5 }, { order = 7 }, { order = 5 }]",
        Code::DOES_NOT_FIT,
        "5",
        "harmonic 5 is given twice",
    );
}

const TABLE: &str = "# lastmeter spectrum table, format 1\n# fundamental_hz = 60\n\
    channel,phase,unit,order,rms,phase_deg\n\
    Va,a,V,0,1.5,0\nVa,a,V,1,230,10\nVa,a,V,5,23,0\nIa,a,A,1,10,-50\nIa,a,A,2.5,1,0\n";

#[expect(clippy::unnecessary_wraps, reason = "the form of a function that reads files")]
fn table(_: &str) -> Result<Vec<u8>, String> {
    Ok(TABLE.into())
}

#[test]
fn a_spectrum_table_is_played_with_closed_form_truth() {
    let terminal = build_with("spectrum", "file = \"t.csv\"", &table).unwrap();
    assert_eq!((terminal.phases(), terminal.fundamental_hz()), (1, 60.0));
    let found = |name: &str| value(&terminal, name, span(0.0, 1.0)).unwrap();
    let rms = (230.0_f64.powi(2) + 23.0 * 23.0 + 1.5 * 1.5).sqrt();
    assert_close(found("electricity.voltage.rms.l1"), rms, 1e-9, "U");
    assert_close(found("electricity.power.active.consumed.l1"), 1150.0, 1e-9, "P");
    let first = render(&terminal, 0, 1000.0, 1).voltages[0][0];
    let expected = 1.5 + 2.0_f64.sqrt() * (230.0 * 10.0_f64.to_radians().cos() + 23.0);
    assert_close(first, expected, 1e-10, "first sample");
}

#[test]
fn a_spectrum_table_may_be_scaled_and_moved() {
    let text = "file = \"t.csv\"\nvoltage_scale = 0.5\ncurrent_scale = -1\nfrequency = \"50 Hz\"";
    let terminal = build_with("spectrum", text, &table).unwrap();
    let spectrum = terminal.spectrum_at(SimDuration::ZERO).unwrap().spectrum;
    let frequencies: Vec<f64> = spectrum.currents[0].tones.iter().map(|t| t.frequency_hz).collect();
    assert_eq!((spectrum.fundamental_hz, frequencies), (50.0, vec![50.0, 125.0]));
    assert_eq!(spectrum.voltages[0].dc, 0.75);
    let power = value(&terminal, "electricity.power.active.injected.l1", span(0.0, 1.0)).unwrap();
    assert_close(power, 575.0, 1e-9, "P");
}

#[test]
fn files_that_are_not_there_or_not_right_are_reported_at_the_file() {
    let text = "file = \"t.csv\"";
    let at = "\"t.csv\"";
    for kind in ["recording", "spectrum"] {
        check_mistake(build(kind, text), text, Code::FILE_UNREADABLE, at, "no such file");
        let garbage = |_: &str| Ok(b"\xff\x00nothing".to_vec());
        check_mistake(build_with(kind, text, &garbage), text, Code::FILE_REFUSED, at, "t.csv");
    }
    let other = "file = \"t.wav\"";
    check_mistake(build("recording", other), other, Code::FILE_REFUSED, "\"t.wav\"", "extension");
    let rate = "file = \"t.cfg\"\nrate = \"50 Hz\"";
    check_mistake(
        build("recording", rate),
        rate,
        Code::DOES_NOT_FIT,
        "\"50 Hz\"",
        "belongs to CSV",
    );
    let channels = "file = \"t.csv\"\nvoltage = [\"Vb\"]";
    let found = build_with("spectrum", channels, &table);
    check_mistake(found, channels, Code::DOES_NOT_FIT, "[\"Vb\"]", "Vb");
}

/// What a source warns of at its file.
fn warned(
    kind: &str,
    text: &str,
    read_file: &dyn Fn(&str) -> Result<Vec<u8>, String>,
) -> Vec<String> {
    let source =
        SOURCES.iter().find(|source| source.entry.name == kind).expect("a registered kind");
    let values = read_text(text, &[source.entry.fields]).expect("no mistakes");
    let streams = Streams::new(1);
    let duration = SimDuration::from_seconds(60);
    let context =
        SourceContext { name: "g", streams: &streams, start: SimTime(0), duration, read_file };
    let mut diagnostics = Diagnostics::new();
    assert!((source.build)(&values, &context, &mut diagnostics).is_some(), "{diagnostics:?}");
    let describe = |warning: Diagnostic| {
        assert_eq!(warning.code, Code::DOUBTFUL_FILE);
        let at = &text[warning.span.start..warning.span.end];
        assert!(text.starts_with(&format!("file = {at}")), "{at}");
        warning.message
    };
    diagnostics.take_warnings().into_iter().map(describe).collect()
}

#[test]
fn a_damaged_recording_is_warned_of_at_its_file() {
    // 30 cycles of 50 Hz at 5 kHz.
    let row = |k: u32, stamp: u32| {
        let wave = (f64::from(k) * std::f64::consts::TAU / 100.0).sin();
        format!("{:.6},{},{}\n", f64::from(stamp) / 5000.0, 325.0 * wave, 7.0 * wave)
    };
    let csv = |stamp: &dyn Fn(u32) -> u32| {
        let rows: String = (0..3000).map(|k| row(k, stamp(k))).collect();
        format!("t,Va,Ia\n{rows}")
    };
    let describe = |text: String| {
        let read = move |_: &str| Ok(text.clone().into_bytes());
        warned("recording", "file = \"g.csv\"\nvoltage = [\"Va\"]\ncurrent = [\"Ia\"]", &read)
    };
    let whole = csv(&|k| k);
    assert_eq!(describe(whole.clone()), [""; 0]);
    for (what, text, expected) in [
        ("a gap", csv(&|k| if k < 1500 { k } else { k + 100 }), "by the stamps 100 are missing"),
        ("back", csv(&|k| if k < 1500 { 5000 + k } else { k }), "is -999800 us instead of 200 us"),
        ("still", csv(&|k| if k < 1500 { k } else { k - 1 }), "the worst is 0 us instead of 200"),
        ("cut", whole.trim_end().to_owned(), "the last line has no end, so it may be cut"),
    ] {
        let found = describe(text);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(found[0].starts_with("`g.csv`: ") && found[0].contains(expected), "{found:?}");
    }
    // COMTRADE: a rate that the stamps contradict, numbers that jump, missing samples, a range. Of
    // channels, only those that are played count.
    let cfg = "s,d,1999\n3,3A,0D\n1,Va,A,,V,0.1,0,0,-32767,32767,1,1,P\n\
               2,Ia,A,,A,0.1,0,0,-32767,32767,1,1,P\n3,Vx,B,,V,0.1,0,0,-1,1,1,1,P\n50\n1\n\
               RATE,3000\n01/01/2027,00:00:00.000000\n01/01/2027,00:00:00.000000\nASCII\n1\n";
    let dat = |number: &dyn Fn(u32) -> u32, lost: bool| -> String {
        let row = |k: u32| {
            let wave = (f64::from(k) * std::f64::consts::TAU / 100.0).sin();
            let voltage = if lost && k == 700 { 99_999.0 } else { (3250.0 * wave).round() };
            format!("{},{},{voltage},{},5\n", number(k), k * 200, (70.0 * wave).round())
        };
        (0..3000).map(row).collect()
    };
    let jump = |k: u32| if k < 1500 { k + 1 } else { k + 101 };
    for (rate, range, dat, expected) in [
        ("5000", "32767", dat(&|k| k + 1, false), None),
        ("5100", "32767", dat(&|k| k + 1, false), Some("the time stamps span 0.5998 s, but the")),
        ("5000", "32767", dat(&jump, false), Some("do not count up by one in 1 place(s), the")),
        ("5000", "32767", dat(&|k| k + 1, true), Some("`Va`: 1 of 3000 samples are missing")),
        ("5000", "3249", dat(&|k| k + 1, false), Some("`Va`: 30 of 3000 values are beyond the")),
    ] {
        let cfg = cfg.replace("RATE", rate).replacen("32767,32767", &format!("32767,{range}"), 1);
        let read = |file: &str| Ok(if file == "g.cfg" { &cfg } else { &dat }.clone().into_bytes());
        let text = "file = \"g.cfg\"\nvoltage = [\"Va\"]\ncurrent = [\"Ia\"]";
        let found = warned("recording", text, &read);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{found:?}");
        let is_reported = |expected: &str| found[0].contains(expected);
        assert!(expected.is_none_or(is_reported), "{found:?} lacks {expected:?}");
    }
}

#[test]
fn a_spectrum_table_that_may_be_cut_is_warned_of() {
    let whole = table("t.csv").unwrap();
    let text = "file = \"t.csv\"";
    assert_eq!(warned("spectrum", text, &table), [""; 0]);
    let cut = move |_: &str| Ok(whole.trim_ascii_end().to_vec());
    let found = warned("spectrum", text, &cut);
    assert!(found.len() == 1 && found[0].contains("the last line has no end"), "{found:?}");
}

/// The folder of recordings, or why the test is skipped; a panic where it is required.
fn recordings() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LASTMETER_RECORDINGS") {
        let folder = PathBuf::from(folder);
        if folder.is_dir() {
            return Some(folder);
        }
    }
    let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|tier| matches!(tier.trim(), "all" | "data"));
    assert!(!is_required, "LASTMETER_RECORDINGS names no folder, but data is required");
    #[expect(clippy::print_stdout, reason = "skips are counted from the output")]
    let () = println!("SKIPPED: LASTMETER_RECORDINGS names no folder");
    None
}

fn reader(folder: &Path) -> impl Fn(&str) -> Result<Vec<u8>, String> {
    move |file| std::fs::read(folder.join(file)).map_err(|error| error.to_string())
}

#[test]
fn a_measured_generator_exports_at_its_own_frequency() {
    let Some(folder) = recordings() else { return };
    let folder = folder.join("mhkit-3ph-50k");
    let text = "file = \"2020224_181521_PowRaw.csv\"";
    let terminal = build_with("recording", text, &reader(&folder)).unwrap();
    assert_close(terminal.fundamental_hz(), 59.96, 0.01, "frequency");
    // Nine cycles of the file itself, summed without any of our code but the reading of numbers.
    let csv = std::fs::read_to_string(folder.join("2020224_181521_PowRaw.csv")).unwrap();
    let rows: Vec<Vec<f64>> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect())
        .take((9.0 * 50_000.0_f64 / 59.96).round() as usize)
        .collect();
    let mean = |of: &dyn Fn(&[f64]) -> f64| {
        rows.iter().map(|row| of(row)).sum::<f64>() / rows.len() as f64
    };
    let long = span(0.0, 600.0);
    for (phase, name) in ["l1", "l2", "l3"].iter().enumerate() {
        let found = |stem: &str| value(&terminal, &format!("{stem}.{name}"), long).unwrap();
        let u = mean(&|row| row[phase] * row[phase]).sqrt();
        let i = mean(&|row| row[phase + 3] * row[phase + 3]).sqrt();
        let p = mean(&|row| row[phase] * row[phase + 3]);
        assert!(p < 0.0 && (7500.0..8500.0).contains(&u), "{u} V, {p} W");
        assert_close(found("electricity.voltage.rms") / u, 1.0, 2e-3, "U");
        assert_close(found("electricity.current.rms") / i, 1.0, 1e-2, "I");
        assert_close(found("electricity.power.active.injected") / -p, 1.0, 1e-2, "P");
    }
}

#[test]
fn a_comtrade_recording_needs_its_channels_named_where_there_are_several_windings() {
    let Some(folder) = recordings() else { return };
    let folder = folder.join("comtrade-transformer-60hz");
    let text = "file = \"Comtrade1.cfg\"";
    let mistakes = build_with("recording", text, &reader(&folder)).map(|_| ()).unwrap_err();
    assert!(mistakes.iter().all(|mistake| mistake.code == Code::DOES_NOT_FIT), "{mistakes:?}");
    let cut = |file: &str| {
        let mut bytes = std::fs::read(folder.join(file)).map_err(|error| error.to_string())?;
        if file != "Comtrade1.cfg" {
            bytes.truncate(bytes.len() - 7);
        }
        Ok(bytes)
    };
    let found = build_with("recording", text, &cut);
    check_mistake(found, text, Code::FILE_REFUSED, "\"Comtrade1.cfg\"", "");
}
