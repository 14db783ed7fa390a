//! The page for people: complete, alone, and safe with hostile texts.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{Event, RunState, RunWriter, Status, file};
use lastmeter_reports::{Evaluation, evaluate, render, render_evaluated};
use sample::Sample;

use crate::sample;

pub(crate) const HOSTILE: &str = "<script>alert('x')</script>\"&{{ 7*7 }}";

pub(crate) const BAD: Sample =
    Sample { current_gain_error: 0.01, disturbed: true, readings: 60, ..Sample::CALM };

fn page(sample: &Sample) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    sample.write(dir.path()).unwrap();
    let path = render(dir.path()).unwrap();
    assert_eq!(path, dir.path().join(file::REPORT));
    let text = fs::read_to_string(path).unwrap();
    (dir, text)
}

/// A reading the device never made has no serial number, but a place all the same.
#[test]
fn what_was_never_made_is_shown_where_it_was_due() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RunWriter::create(dir.path(), &Sample::CALM.start_facts()).unwrap();
    let (quantity, value) = sample::quantities()[0];
    for number in 1..=9_u64 {
        let made = number != 5;
        writer.observation(&lastmeter_record::Observation {
            device: "meter",
            epoch: made.then_some(lastmeter_units::Epoch(1)),
            serial: made.then_some(lastmeter_units::Serial(number - u64::from(number > 5))),
            quantity,
            event_time: Sample::start()
                + lastmeter_units::SimDuration::from_seconds(10 * number as i64),
            reference: Some(value),
            reported: made.then_some(value),
            span: None,
        });
    }
    finish(writer);
    let evaluation = evaluate(dir.path()).unwrap();
    let verdict = evaluation.verdicts.iter().find(|v| v.check == "readings-once").unwrap();
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Fail, 9, Some(1.0)));
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    let here = &html[html.find("<tr class=\"here\">").unwrap()..];
    let row = &here[..here.find("</tr>").unwrap()];
    assert!(row.contains("2027-01-18T17:00:50.000Z") && row.contains("missing"), "{row}");
}

/// What a browser would fetch from elsewhere.
fn outside_resources(html: &str) -> Vec<&str> {
    ["src=\"", "href=\"", "url(", "@import"]
        .into_iter()
        .flat_map(|attribute| html.match_indices(attribute))
        .map(|(place, attribute)| &html[place + attribute.len()..])
        .map(|rest| rest.get(..24).unwrap_or(rest))
        .filter(|target| !target.starts_with("data:"))
        .collect()
}

#[test]
fn the_page_stands_alone() {
    let (_dir, html) = page(&BAD);
    assert_eq!(outside_resources(&html), Vec::<&str>::new());
    assert!(!html.contains("<script") && !html.contains(" style="));
    let html = html.replace("&#x2f;", "/");
    for part in [
        "<!doctype html>",
        "name=\"viewport\"",
        "prefers-color-scheme: dark",
        "@page { size: A4",
        "What needs attention",
        "The bench",
        "Accuracy",
        "Delivery",
        "Requirement coverage",
        "The scenario as resolved",
        "lastmeter run scenarios/library/first-light.toml --seed 2027",
        "observations.csv, SHA-256",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn the_checks_stand_worst_first() {
    let (_dir, html) = page(&BAD);
    let list = &html[html.find("<tbody>").unwrap()..];
    let place = |name: &str| list.find(&format!(">{name}<")).unwrap();
    assert!(place("current-in-class") < place("voltage-in-class"));
    assert!(place("readings-once") < place("voltage-in-class"));
}

#[test]
fn injections_have_their_names_on_the_strip_and_what_is_judged_comes_first() {
    let (_dir, html) = page(&BAD);
    assert!(html.contains(">skip_reading meter</text>"));
    assert!(html.contains("<li>4:00  skip_reading meter</li>"), "listed for a phone");
    let place = |name: &str| html.find(&format!("class=\"title\">{name}<")).unwrap();
    assert!(place("voltage-in-class") < place("electricity.power.apparent"));
    assert!(place("frequency") < place("electricity.power.apparent"));
}

/// Ten readings of registers and a voltage: one of the phases' registers is judged, the others are
/// not; nothing flows back.
fn registers(dir: &Path) -> String {
    let check = |name: &str, quantity: &str, limit: &str| {
        format!(
            "[[check]]\nname = \"{name}\"\nkind = \"accuracy\"\nquantity = \"{quantity}\"\n\
             limit = \"{limit}\"\n"
        )
    };
    let mut start = Sample::CALM.start_facts();
    start.scenario_toml = [
        check("energy", "electricity.energy.active.consumed.total", "0.5 %"),
        check("first", "electricity.energy.active.consumed.l1", "40 kJ"),
        check("back", "electricity.energy.active.injected.total", "1 kJ"),
        check("voltage", "electricity.voltage.rms.l1", "1 mV"),
    ]
    .concat();
    let mut writer = RunWriter::create(dir, &start).unwrap();
    for serial in 1..=10_u32 {
        let joules = 9e6 * f64::from(serial);
        for (name, reference, error) in [
            ("electricity.energy.active.consumed.total", joules, joules * 1e-3),
            ("electricity.energy.active.consumed.l1", joules, 36_000.0),
            ("electricity.energy.active.consumed.l2", joules, 36.0),
            ("electricity.energy.active.injected.total", 0.0, 0.0),
            ("electricity.energy.active.injected.l1", 0.0, 0.0),
            ("electricity.voltage.rms.l1", 230.0, 0.002),
        ] {
            writer.observation(&lastmeter_record::Observation {
                device: "meter",
                epoch: Some(lastmeter_units::Epoch(1)),
                serial: Some(lastmeter_units::Serial(serial.into())),
                quantity: lastmeter_units::MeasurementId::lookup(name).unwrap(),
                event_time: Sample::start()
                    + lastmeter_units::SimDuration::from_seconds(10 * i64::from(serial)),
                reference: Some(reference),
                reported: Some(reference + error),
                span: None,
            });
        }
    }
    finish(writer);
    fs::read_to_string(render(dir).unwrap()).unwrap()
}

/// Ends a run that got to its end.
fn finish(writer: RunWriter) {
    let end = lastmeter_record::RunEnd {
        state: RunState::Finished,
        cause: None,
        recorded_until: Sample::start(),
        ended: Sample::start(),
        guarantees: Vec::new(),
        more: serde_json::Map::new(),
    };
    writer.finish(end).unwrap();
}

#[test]
fn a_judged_series_is_always_in_its_picture_and_what_is_flat_in_none() {
    let dir = tempfile::tempdir().unwrap();
    let html = registers(dir.path());
    let figures = dir.path().join(file::FIGURES);
    let csv = |name: &str| fs::read_to_string(figures.join(format!("{name}.csv"))).unwrap();
    // In percent, in the register's unit, and what is only there to look at: each by itself.
    for (name, quantity, unit) in [
        ("accuracy-energy", "consumed.total", "%"),
        ("accuracy-first", "consumed.l1", "J"),
        ("accuracy-back", "injected.total", "J"),
        ("not-judged-electricity.energy.active.consumed", "", "J"),
    ] {
        let text = csv(name);
        let units: Vec<Vec<&str>> =
            text.lines().skip(1).map(|row| row.split(',').take(2).collect()).collect();
        let expected = |curve: &str, unit: &str| units.contains(&vec![curve, unit]);
        let of = if quantity.is_empty() { "others-" } else { "" };
        assert!(expected(&format!("{of}reported"), "J"), "{name}: {text}");
        assert!(expected(&format!("{of}error"), unit), "{name}: {text}");
        let svg = fs::read_to_string(figures.join(format!("{name}.svg"))).unwrap();
        let data = format!("data-quantity=\"electricity.energy.active.{quantity}\"");
        assert_eq!(svg.contains(&data), !quantity.is_empty(), "{name}");
    }
    let captions: Vec<&str> = html
        .match_indices("<figcaption><span>")
        .map(|(at, start)| html[at + start.len()..].split('<').next().unwrap())
        .filter(|caption| caption.contains("limit") || caption.contains("judged"))
        .collect();
    let register = "electricity.energy.active";
    assert_eq!(
        captions,
        [
            &format!(
                "meter, {register}.consumed.total: limit ±0.5 %, dashed; 0 of 1 device outside"
            ),
            // 40 kJ in hours, as the axis has it.
            &format!(
                "meter, {register}.consumed.l1: limit ±11.11 Wh, dashed; 0 of 1 device outside"
            ),
            &format!(
                "meter, {register}.injected.total: limit ±1 kJ, outside of the picture; 0 of 1 \
                 device outside"
            ),
            "meter, electricity.voltage.rms.l1: limit ±1 mV, dashed; 1 of 1 device outside",
            "not judged by an accuracy check",
        ]
    );
    // Nothing flows there and nobody judges it: no picture, but a note.
    let back = "not-judged-electricity.energy.active.injected";
    assert!(!figures.join(format!("{back}.svg")).exists() && csv(back).lines().count() == 21);
    let html = html.replace("&#x2f;", "/");
    assert_eq!(html.matches("Zero throughout is the error of").count(), 1);
    // What is not judged is folded away behind what is.
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}"));
    let folded = place("<summary>What no accuracy check judges: 2 series, 1 picture</summary>");
    assert!(
        place("limit ±0.5 %, dashed") < folded && folded < place("not judged by an accuracy check")
    );
    assert!(html[..folded].ends_with("<details>"), "closed until somebody asks");
}

#[test]
fn all_figures_of_a_table_are_in_one_unit_and_the_error_stands_first() {
    let dir = tempfile::tempdir().unwrap();
    let html = registers(dir.path());
    let heads: Vec<Vec<&str>> = html
        .split("<thead>")
        .skip(1)
        .map(|rest| rest.split("</thead>").next().unwrap())
        .filter(|head| head.contains("rror"))
        .map(|head| head.split("</th>").map(|th| th.rsplit('>').next().unwrap()).collect())
        .collect();
    // The voltage failed: its rows stand in volts, all of them.
    assert_eq!(heads[0][..3], ["error (V)", "reported (V)", "reference (V)"]);
    let units: Vec<&str> = heads[1..].iter().map(|head| head[2]).collect();
    // Judged: the voltage outside its limit, then registers in each unit; not judged: registers.
    let expected = ["worst error (mV)", "worst error (Wh)", "worst error (%)", "worst error (J)"];
    assert_eq!(units, expected);
    let rows = &html[html.find("worst error (Wh)").unwrap()..];
    let rows = &rows[..rows.find("</table>").unwrap()];
    assert!(!rows.contains("kJ") && !rows.contains("MJ") && !rows.contains(" J"), "{rows}");
    // 36 kJ of 40 kJ; and a register in which nothing flows, in the same unit.
    assert!(
        rows.contains(">10<") && rows.contains(">11.11<") && rows.contains(">0.2778<"),
        "{rows}"
    );
}

#[test]
fn one_device_is_not_several() {
    let (_dir, html) = page(&Sample::CALM);
    assert!(html.contains("1 device, each reading stored that was due"));
    let (_dir, html) = page(&Sample { meters: 2, ..Sample::CALM });
    assert!(html.contains("2 devices, each reading stored that was due"));
}

#[test]
fn every_picture_has_its_files_and_their_links() {
    let (dir, html) = page(&BAD);
    let folder = dir.path().join(file::FIGURES);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    for name in [
        "accuracy-voltage-in-class.csv",
        "accuracy-voltage-in-class.svg",
        "accuracy.csv",
        "bench.svg",
        "timeline.csv",
        "timeline.svg",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    for name in &names {
        assert!(html.contains(&format!("download=\"{name}\"")), "{name}");
        assert!(fs::metadata(folder.join(name)).unwrap().len() > 50, "{name}");
    }
    assert!(!names.iter().any(|name| name.ends_with("partial")));
}

#[test]
fn the_data_of_a_picture_is_what_was_recorded() {
    let (dir, _) = page(&BAD);
    let path = dir.path().join("figures/accuracy-current-in-class.csv");
    let mut csv = csv::Reader::from_path(path).unwrap();
    let (mut n, mut max) = (0, f64::NEG_INFINITY);
    for row in csv.records() {
        let row = row.unwrap();
        if !row[0].ends_with("error") {
            continue;
        }
        n += row[4].parse::<u64>().unwrap();
        max = max.max(row[7].parse().unwrap());
    }
    let evaluation = evaluate(dir.path()).unwrap();
    let verdict = evaluation.verdicts.iter().find(|v| v.check == "current-in-class").unwrap();
    assert_eq!((n, Some(max)), (verdict.n, verdict.measured));
}

/// A phone is 360 pixels wide: no picture has a width that its page cannot shrink.
#[test]
fn every_picture_shrinks_to_a_phone() {
    let (_dir, html) = page(&BAD);
    let body = &html[html.find("<body>").unwrap()..];
    for (at, _) in body.match_indices("<svg ") {
        let head = &body[at..at + body[at..].find('>').unwrap()];
        assert!(head.contains("viewBox=\"0 0 ") || head.contains("width=\"100%\""), "{head}");
    }
    let style = &html[..html.len() - body.len()];
    assert!(style.contains("figure svg { display: block; max-width: 100%; height: auto;"));
    for wide in ["px; }\n  figure.wide", "figure:not(.strip) svg", ".picture {\n  overflow-x"] {
        assert!(!style.contains(wide), "{wide}");
    }
}

#[test]
fn rendering_again_gives_the_same_page() {
    let (dir, first) = page(&BAD);
    render(dir.path()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join(file::REPORT)).unwrap(), first);
}

/// What was just judged is shown as judged: nothing is judged again, and nothing is missing.
#[test]
fn a_run_that_was_just_judged_is_rendered_without_judging_again() {
    let (dir, page) = page(&BAD);
    let mut evaluation = evaluate(dir.path()).unwrap();
    evaluation.write(dir.path()).unwrap();
    let rendered = |evaluation: &Evaluation| {
        fs::remove_dir_all(dir.path().join(file::FIGURES)).unwrap();
        let path = render_evaluated(dir.path(), evaluation).unwrap();
        assert!(dir.path().join(file::FIGURES).join("timeline.svg").exists());
        fs::read_to_string(path).unwrap()
    };
    let first = rendered(&evaluation);
    let hash = "verdicts.json, SHA-256";
    assert!(first.contains(hash) && !page.contains(hash), "it was written in between");
    let again = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert_eq!(first, again);
    evaluation.verdicts[1].why = "written by hand".into();
    assert!(rendered(&evaluation).contains("written by hand"));
}

fn hostile_run(dir: &Path) {
    let sample = Sample { prefix: HOSTILE, ..BAD };
    let mut facts = sample.start_facts();
    facts.scenario_toml = Sample::CALM.scenario();
    HOSTILE.clone_into(&mut facts.facts.title);
    HOSTILE.clone_into(&mut facts.facts.scenario);
    facts.facts.command_line = vec![HOSTILE.to_owned()];
    HOSTILE.clone_into(&mut facts.facts.platform);
    facts.facts.versions.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    facts.facts.host.insert(HOSTILE.to_owned(), HOSTILE.into());
    HOSTILE.clone_into(&mut facts.facts.devices[0].model);
    let mut writer = RunWriter::create(dir, &facts).unwrap();
    let start = Sample::start();
    writer.event(&Event::inject(start, HOSTILE, Some(HOSTILE), HOSTILE));
    writer.event(&Event::refused(start, HOSTILE, Some(HOSTILE), HOSTILE, HOSTILE));
    writer.event(&Event::new(start, HOSTILE, HOSTILE).with(HOSTILE, HOSTILE));
    for serial in 1..4 {
        for (quantity, value) in sample::quantities() {
            writer.observation(&lastmeter_record::Observation {
                device: HOSTILE,
                epoch: None,
                serial: Some(lastmeter_units::Serial(serial)),
                quantity,
                event_time: start,
                reference: Some(value),
                reported: (serial != 2).then_some(2.0 * value),
                span: None,
            });
        }
    }
    writer.sync().unwrap();
}

#[test]
fn hostile_texts_stay_texts() {
    let dir = tempfile::tempdir().unwrap();
    hostile_run(dir.path());
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert!(!html.contains("<script"), "a tag got through");
    assert!(!html.contains("\"&{{ 7*7 }}") && html.contains("&lt;script&gt;"));
    assert!(!html.contains("alert('x')"), "an unescaped quote got through");
    assert_eq!(outside_resources(&html), Vec::<&str>::new());
    evaluate(dir.path()).unwrap().write(dir.path()).unwrap();
    let xml = fs::read_to_string(dir.path().join(file::JUNIT)).unwrap();
    assert!(!xml.contains("<script"));
}

#[test]
fn a_run_without_an_end_is_marked_as_interrupted() {
    for ends in [None, Some(RunState::Interrupted)] {
        let (_dir, html) = page(&Sample { ends, ..BAD });
        assert!(html.contains("class=\"notice inconclusive\""));
        assert!(html.contains("nterrupted"));
        assert!(!html.contains("<span class=\"status\">pass</span>"));
    }
    let (_dir, html) = page(&Sample { ends: Some(RunState::Error), ..Sample::CALM });
    assert!(html.contains("The bench broke: the user pressed Ctrl-C"));
    let (_dir, html) = page(&Sample { ends: Some(RunState::Skipped), ..Sample::CALM });
    assert!(html.contains("The run was skipped: the user pressed Ctrl-C"));
    assert!(!html.contains("<span class=\"status\">pass</span>"));
}

#[test]
fn a_torn_or_unreadable_record_is_shown_up_to_there() {
    let dir = tempfile::tempdir().unwrap();
    Sample { ends: None, ..BAD }.write(dir.path()).unwrap();
    let path = dir.path().join(file::OBSERVATIONS);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert!(html.contains("the last line of observations.csv is torn"));
    fs::write(&path, [&whole[..], b"x,y\n", &whole[60..]].concat()).unwrap();
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert!(html.contains("the record cannot be read") && html.contains("electricity.voltage.rms"));
}

#[test]
fn a_folder_that_lost_a_file_is_still_rendered_and_nothing_passes() {
    for name in [file::OBSERVATIONS, file::EVENTS] {
        let dir = tempfile::tempdir().unwrap();
        Sample::CALM.write(dir.path()).unwrap();
        fs::remove_file(dir.path().join(name)).unwrap();
        assert_eq!(evaluate(dir.path()).unwrap().status(), Status::Error);
        let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
        assert!(html.contains("the record cannot be read: failed to read"));
    }
}

#[test]
fn a_run_that_never_began_can_be_rendered() {
    let dir = tempfile::tempdir().unwrap();
    drop(RunWriter::create(dir.path(), &Sample::CALM.start_facts()).unwrap());
    let html = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    assert!(html.contains("The record has no readings."));
}
