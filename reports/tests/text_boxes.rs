//! On a page of 360 pixels no text of a picture with axes is cut, and no two overlap.

#![expect(clippy::unwrap_used, reason = "a test reports by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{TimeMode, file};
use lastmeter_reports::render;
use latency_sample::{CHECKS, LatencySample};
use sample::Sample;

use crate::boxes;
use crate::latency_sample;
use crate::sample;

/// Holds the pictures of a run against their boxes; at least so many have axes.
fn assert_pictures(dir: &Path, charts: usize) {
    let page = fs::read_to_string(render(dir).unwrap()).unwrap();
    // The letters that the boxes have.
    for rule in [
        "svg.chart text { font-size: 15px; }",
        "svg.wide text { font-size: 17px; }",
        "svg.chart text[font-size] { font-size: 11.25px; }",
    ] {
        assert!(page.contains(rule), "{rule}");
    }
    let mut count = 0;
    for entry in fs::read_dir(dir.join(file::FIGURES)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "svg") {
            let svg = fs::read_to_string(&path).unwrap();
            assert_eq!(boxes::faults(&svg), [""; 0], "{}", path.display());
            count += usize::from(svg.contains("class=\"chart"));
        }
    }
    assert!(count >= charts, "{count}");
}

#[test]
fn texts_of_errors_over_time_have_room() {
    for (meters, readings, pictures) in [(1, 60, 7), (12, 400, 7)] {
        let dir = tempfile::tempdir().unwrap();
        let (current_gain_error, disturbed) = (0.01, true);
        let run = Sample { meters, readings, current_gain_error, disturbed, ..Sample::CALM };
        run.write(dir.path()).unwrap();
        assert_pictures(dir.path(), pictures);
    }
}

#[test]
fn texts_of_latency_pictures_have_room() {
    for (devices, messages, time, pictures) in
        [(10, 1_000, TimeMode::Real, 6), (3, 300, TimeMode::Virtual, 6), (1, 1, TimeMode::Real, 4)]
    {
        let dir = tempfile::tempdir().unwrap();
        let run = LatencySample { devices, messages, time, ..LatencySample::WAN };
        run.write(dir.path(), CHECKS).unwrap();
        assert_pictures(dir.path(), pictures);
    }
}
