//! Scenarios and recordings with mistakes: located, all at once, exit 2.

use std::path::Path;

use crate::bench::{call, recordings};

#[test]
fn five_different_mistakes_are_five_located_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.toml");
    let text = r#"format = 1

[scenario]
name = "broken"
start = 2027-01-18T17:00:00Z
duration = "10 V"
seed = 1

[[source]]
name = "mains"
kind = "syntetic"

[[device]]
name = "meter"
at = "source:main"
model = "stpm34-3ph"
reports_every = "10 s"

[[check]]
name = "voltage"
kind = "accuracy"
quantity = "electricity.voltage.rms.l9"
limit = "0.1 %"
"#;
    std::fs::write(&path, text).unwrap();
    let done = call(&["validate", path.to_str().unwrap()]);
    assert_eq!(done.code, 2, "{done:?}");
    let errors: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("error[")).collect();
    assert_eq!(errors.len(), 5, "{}", done.stderr);
    for (line, word) in [
        (6, "10 V"),
        (11, "synthetic"),
        (15, "mains"),
        (17, "report_every"),
        (22, "electricity.voltage.rms"),
    ] {
        assert!(done.stderr.contains(&format!("broken.toml:{line}:")), "{line}: {}", done.stderr);
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
    let json = call(&["validate", "--format", "json", path.to_str().unwrap()]);
    let rows: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 5, "{}", json.stdout);
    assert!(rows.iter().all(|row| row["line"].is_u64() && row["code"].is_string()), "{rows:?}");
}

#[test]
fn every_error_of_every_file_comes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        std::fs::write(folder.path().join(format!("{name}.toml")), "format = 2\n").unwrap();
    }
    let done = call(&["validate", folder.path().to_str().unwrap()]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("one.toml") && done.stderr.contains("two.toml"), "{done:?}");
}

/// Copies a recording of the transformer, changes it, and measures it.
fn measure_changed(recordings: &Path, change: impl FnOnce(&mut String, &mut Vec<u8>)) -> String {
    let source = recordings.join("comtrade-transformer-60hz");
    let mut cfg = std::fs::read_to_string(source.join("Comtrade1.cfg")).unwrap();
    let mut dat = std::fs::read(source.join("Comtrade1.dat")).unwrap();
    change(&mut cfg, &mut dat);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.cfg");
    std::fs::write(&path, cfg).unwrap();
    std::fs::write(folder.path().join("changed.dat"), dat).unwrap();
    let done = call(&["measure", path.to_str().unwrap(), "--voltage", "HV Bus VR"]);
    assert_eq!(done.code, 2, "{done:?}");
    done.stderr
}

#[test]
fn a_recording_that_is_cut_off_swapped_or_miscounted_is_refused_with_what_is_wrong() {
    let Some(recordings) = recordings("broken recordings") else { return };
    let cut = measure_changed(&recordings, |_, dat| dat.truncate(100_000));
    assert!(cut.contains("whole records") && cut.contains("7200"), "{cut}");
    let swapped = measure_changed(&recordings, |_, dat| {
        // Number, stamp and 23 values of four bytes, then nine words of digital channels.
        for record in dat.chunks_exact_mut(25 * 4 + 9 * 2) {
            let (words, digital) = record.split_at_mut(25 * 4);
            words.chunks_exact_mut(4).for_each(<[u8]>::reverse);
            digital.chunks_exact_mut(2).for_each(<[u8]>::reverse);
        }
    });
    assert!(swapped.contains("byte order"), "{swapped}");
    let miscounted = measure_changed(&recordings, |cfg, _| {
        *cfg = cfg.replacen("163,23A,140D", "163,23A,139D", 1);
    });
    assert!(miscounted.contains("channel"), "{miscounted}");
}

#[test]
fn the_recorded_generator_is_measured_and_exports() {
    let Some(recordings) = recordings("recorded generator") else { return };
    let file = recordings.join("mhkit-3ph-50k/2020224_181521_PowRaw.csv");
    let done = call(&[
        "measure",
        file.to_str().unwrap(),
        "--voltage",
        "Va,Vb,Vc",
        "--current",
        "Ia,Ib,Ic",
        "--format",
        "json",
    ]);
    assert_eq!(done.code, 0, "{done:?}");
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["basis"], "9 cycles");
    assert!(value["total"]["p_w"].as_f64().unwrap() < -400e3, "{value}");
    let phases = value["phases"].as_array().unwrap();
    assert_eq!(phases.len(), 3);
}
