//! The cases of a matrix: their names, values and order, and the messages when there are none.

use std::path::Path;

use proptest::prelude::*;

use super::VALID;
use crate::{Case, LoadOptions, ScenarioFile, Variation};

const DEVICES: &str = "[[device]]\nname = \"home\"";

fn file(matrix: &str) -> ScenarioFile {
    let text = format!("{VALID}\n[matrix]\n{matrix}\n");
    ScenarioFile::from_bytes(Path::new("test.toml"), text.as_bytes()).unwrap()
}

fn cases_with(matrix: &str, vary: &[&str], seeds: Option<&str>, set: &[&str]) -> Vec<Case> {
    let vary: Vec<String> = vary.iter().map(|&text| text.to_owned()).collect();
    let overrides = set.iter().map(|&text| text.to_owned()).collect();
    let options = LoadOptions { overrides, ..LoadOptions::default() };
    let variation = Variation { vary: &vary, seeds, repeat: 1 };
    file(matrix).cases(&options, &variation).unwrap_or_else(|failure| panic!("{failure}"))
}

fn names(matrix: &str) -> Vec<String> {
    cases_with(matrix, &[], None, &[]).into_iter().map(|case| case.name).collect()
}

/// What is wrong with a matrix, when its scenario is read, in the words of its labels.
fn mistakes(matrix: &str) -> Vec<String> {
    let Err(failure) = file(matrix).scenario(&LoadOptions::default()) else { return Vec::new() };
    let found = failure.diagnostics().iter();
    found.map(|it| format!("{}: {}; {}", it.code, it.message, it.label)).collect()
}

#[test]
fn cases_are_each_combination_in_the_order_as_written() {
    let matrix = "vary = { \"source.g.voltage\" = [\"207 V\", \"230 V\"], \
                  \"device.home.report_every\" = [\"5 s\", \"10 s\", \"1 min\"] }";
    assert_eq!(
        names(matrix),
        [
            "voltage=207V+report_every=5s",
            "voltage=207V+report_every=10s",
            "voltage=207V+report_every=1min",
            "voltage=230V+report_every=5s",
            "voltage=230V+report_every=10s",
            "voltage=230V+report_every=1min",
        ]
    );
    let file = file(matrix);
    let cases = file.cases(&LoadOptions::default(), &Variation::default()).unwrap();
    let scenario = file.case(&cases[2], &LoadOptions::default()).unwrap();
    assert_eq!(scenario.about.name, "first/voltage=207V+report_every=1min");
    let resolved = scenario.resolved_toml();
    assert!(
        resolved.contains("voltage = \"207 V\"") && !resolved.contains("[matrix]"),
        "{resolved}"
    );
    assert!(resolved.contains("report_every = \"1 min\""), "{resolved}");
    let changed: Vec<&str> =
        scenario.written.overrides.iter().map(|change| change.address.as_str()).collect();
    assert_eq!(changed, ["source.g.voltage", "device.home.report_every"]);
    // What is written out is the same case.
    let again = super::load(&resolved).unwrap();
    assert_eq!(again.about.name, scenario.about.name);
    assert!(again.same_meaning(&scenario));
    // Each case is another one for whoever compares files.
    let other = file.case(&cases[3], &LoadOptions::default()).unwrap();
    assert_ne!(other.written.hash, scenario.written.hash);
    // The scenario itself is the one that is written.
    let itself = file.scenario(&LoadOptions::default()).unwrap();
    assert_eq!(itself.about.name, "first");
    assert!(itself.resolved_toml().contains("voltage = \"230 V\""));
}

#[test]
fn what_is_zipped_goes_together_and_what_is_excluded_is_left_out() {
    let matrix = "vary = { \"source.g.voltage\" = [\"207 V\", \"253 V\"], \
                  \"device.home.nominal_voltage\" = [\"210 V\", \"250 V\"], \
                  \"scenario.duration\" = [\"6 min\", \"7 min\"] }\n\
                  zip = [[\"source.g.voltage\", \"device.home.nominal_voltage\"]]";
    // An axis of several stands behind the others.
    assert_eq!(
        names(matrix),
        [
            "duration=6min+voltage=207V",
            "duration=6min+voltage=253V",
            "duration=7min+voltage=207V",
            "duration=7min+voltage=253V",
        ]
    );
    let case = &cases_with(matrix, &[], None, &[])[1];
    assert_eq!(
        case.values,
        [
            ("scenario.duration".to_owned(), "\"6 min\"".to_owned()),
            ("source.g.voltage".to_owned(), "\"253 V\"".to_owned()),
            ("device.home.nominal_voltage".to_owned(), "\"250 V\"".to_owned()),
        ]
    );
    let excluded = format!(
        "{matrix}\nexclude = [{{ \"scenario.duration\" = \"6 min\", \"source.g.voltage\" = \"207 \
         V\" }}, {{ \"scenario.duration\" = [\"7 min\"], \"source.g.voltage\" = \"253 V\" }}]"
    );
    assert_eq!(names(&excluded), ["duration=6min+voltage=253V", "duration=7min+voltage=207V"]);
}

#[test]
fn what_is_set_keeps_only_the_exclusions_of_its_value() {
    let matrix = "vary = { \"source.g.voltage\" = [\"207 V\", \"230 V\"], \
                  \"device.home.report_every\" = [\"5 s\", \"10 s\"] }\n\
                  exclude = [{ \"source.g.voltage\" = \"207 V\", \"device.home.report_every\" = \
                  \"5 s\" }]";
    let set = |change: &str| {
        let cases = cases_with(matrix, &[], None, &[change]);
        cases.into_iter().map(|case| case.name).collect::<Vec<_>>()
    };
    assert_eq!(set("device.home.report_every=5 s"), ["voltage=230V"]);
    assert_eq!(set("device.home.report_every=10 s"), ["voltage=207V", "voltage=230V"]);
    // That nothing is left is no scenario without a matrix.
    let all = "vary = { \"source.g.voltage\" = [\"207 V\", \"230 V\"] }\n\
               exclude = [{ \"source.g.voltage\" = [\"207 V\", \"230 V\"] }]";
    let failure = file(all).cases(&LoadOptions::default(), &Variation::default()).unwrap_err();
    assert_eq!(failure.diagnostics()[0].message, "all cases are excluded");
}

#[test]
fn a_range_has_its_ends_and_no_remainders_of_sums() {
    let ranged = |text: &str| {
        let of = cases_with(&format!("vary = {{ \"source.g.voltage\" = {text} }}"), &[], None, &[]);
        of.into_iter().map(|case| case.values[0].1.clone()).collect::<Vec<_>>()
    };
    let quoted = |all: &[&str]| all.iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>();
    let by = |rest: &str| ranged(&format!("{{ from = \"229.7 V\", to = \"230.3 V\", {rest} }}"));
    let all = ["229.7 V", "229.8 V", "229.9 V", "230 V", "230.1 V", "230.2 V", "230.3 V"];
    assert_eq!(by("step = \"0.1 V\""), quoted(&all));
    assert_eq!(by("step = \"0.4 V\""), quoted(&["229.7 V", "230.1 V"]));
    assert_eq!(by("count = 4"), quoted(&["229.7 V", "229.9 V", "230.1 V", "230.3 V"]));
    let down = ranged("{ from = \"230 V\", to = \"228 V\", step = \"-1 V\" }");
    assert_eq!(down, quoted(&["230 V", "229 V", "228 V"]));
    let seeds = cases_with("seeds = \"3..5\"", &[], None, &[]);
    assert_eq!(
        seeds.iter().map(|it| &*it.name).collect::<Vec<_>>(),
        ["seed=3", "seed=4", "seed=5"]
    );
}

#[test]
fn draws_and_samples_are_those_of_the_seed() {
    let drawn = |seed: &str, count: u32| {
        let text = format!(
            "{VALID}\n[matrix]\nvary = {{ \"device.home.voltage_gain_error\" = {{ draw \
             = \"normal(0 %, 0.3 %)\", count = {count} }} }}\n"
        );
        let text = text.replace("seed = 7", seed);
        let file = ScenarioFile::from_bytes(Path::new("test.toml"), text.as_bytes()).unwrap();
        let cases = file.cases(&LoadOptions::default(), &Variation::default()).unwrap();
        cases.into_iter().map(|case| (case.name, case.values[0].1.clone())).collect::<Vec<_>>()
    };
    let (once, twice, other) = (drawn("seed = 7", 5), drawn("seed = 7", 5), drawn("seed = 8", 5));
    assert_eq!(once, twice);
    assert_ne!(once, other);
    assert_eq!(once[..3], drawn("seed = 7", 3)[..], "more draws are none of others");
    // Such long numbers are no names.
    assert_eq!(once[4].0, "voltage_gain_error=v5");
    let all = "vary = { \"scenario.duration\" = { from = \"6 min\", to = \"9 min\", count = 40 } }\n\
               seeds = \"1..5\"";
    let sampled = names(&format!("{all}\nsample = 20"));
    let whole = names(all);
    assert_eq!((whole.len(), sampled.len()), (200, 20));
    let places: Vec<usize> =
        sampled.iter().map(|name| whole.iter().position(|it| it == name).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(names(&format!("{all}\nsample = 200")), whole);
}

#[test]
fn the_command_line_varies_as_the_file_does_and_fixes_what_it_sets() {
    let matrix = "vary = { \"source.g.voltage\" = [\"207 V\", \"253 V\"] }";
    let of = |vary: &[&str], seeds, set: &[&str]| {
        let cases = cases_with(matrix, vary, seeds, set);
        cases.into_iter().map(|case| case.name).collect::<Vec<_>>()
    };
    assert_eq!(
        of(&["device.home.report_every=5 s, 10 s"], None, &[]),
        [
            "voltage=207V+report_every=5s",
            "voltage=207V+report_every=10s",
            "voltage=253V+report_every=5s",
            "voltage=253V+report_every=10s",
        ]
    );
    assert_eq!(of(&["source.g.voltage=1 V,2 V,3 V"], None, &[]).len(), 3, "in place of the file's");
    assert_eq!(of(&[], Some("1..2"), &[]).len(), 4);
    assert_eq!(of(&[], None, &["source.g.voltage=230 V"]), Vec::<String>::new());
    assert_eq!(of(&[], Some("1..2"), &["source.g.voltage=230 V"]), ["seed=1", "seed=2"]);
    let ranged = r#"source.g.voltage={ from = "1 V", to = "4 V", count = 4 }"#;
    assert_eq!(of(&[ranged], None, &[]).len(), 4);
    let lists = "check.accuracy-u.covers=[\"F-04\", \"C-04\"], [\"F-04\"]";
    let lists = cases_with("", &[lists], None, &[]);
    assert_eq!(lists[0].values[0].1, "[\"F-04\", \"C-04\"]");
    assert_eq!((lists.len(), &*lists[1].name), (2, "covers=_F-04_"));
    let vary = ["source.h.voltage=1 V,2 V".to_owned(), "source.g.voltage".to_owned()];
    let variation = Variation { vary: &vary, seeds: Some("5..4"), repeat: 1 };
    let failure = file("").cases(&LoadOptions::default(), &variation).unwrap_err();
    let codes: Vec<String> =
        failure.diagnostics().iter().map(|it| it.code.code().to_owned()).collect();
    assert_eq!(codes, ["S023", "S024", "S036"], "{failure}");
}

#[test]
fn a_matrix_that_makes_no_sense_is_refused_where_it_does_not() {
    let vary = |of: &str| format!("vary = {{ {of} }}");
    let voltage = "\"source.g.voltage\" = [\"207 V\", \"230 V\"]";
    for (matrix, expected) in [
        (vary("\"source.h.voltage\" = [\"1 V\"]"), "S023: `source.h.voltage` addresses nothing"),
        (vary("\"source.g.voltage\" = []"), "S036: `source.g.voltage` has no value; expected one"),
        (vary("\"source.g.voltage\" = \"230 V\""), "expected a list, or a table with `from`"),
        (vary("\"source.g.voltage\" = [\"1 V\", \"1 V\"]"), "has the value \"1 V\" twice"),
        (vary("source.g.voltage = [\"1 V\"]"), "write the address in quotes: `\"source.NAME.KEY\""),
        (
            vary("\"source.g.voltage\" = { from = \"1 V\", to = \"2 V\" }"),
            "expected `step` or `count`",
        ),
        (
            vary("\"source.g.voltage\" = { from = \"1 V\", to = \"2 A\", count = 2 }"),
            "expected one unit, found `V` and `A`",
        ),
        (
            vary("\"source.g.voltage\" = { from = \"1 V\", to = \"2 V\", step = \"-1 V\" }"),
            "expected steps of -1 that lead from 1 to 2",
        ),
        (
            vary("\"source.g.voltage\" = { draw = \"normal(230 V)\", count = 2 }"),
            "expected `normal(MEAN, DEVIATION)`, found 1 number",
        ),
        (format!("{}\nzip = [[\"source.g.voltage\", \"x\"]]", vary(voltage)), "`x` does not vary"),
        (
            format!(
                "{}\nzip = [[\"source.g.voltage\", \"scenario.duration\"]]",
                vary(&format!("{voltage}, \"scenario.duration\" = [\"6 min\"]"))
            ),
            "`scenario.duration` has 1 value; expected 2, as `source.g.voltage` has",
        ),
        (
            format!("{}\nexclude = [{{ \"source.g.voltage\" = \"208 V\" }}]", vary(voltage)),
            "never is \"208 V\"; leaves nothing out",
        ),
        (format!("{}\nmap = [\"source.g.voltag\"]", vary(voltage)), "`source.g.voltag` does not"),
        ("seeds = \"4\"".to_owned(), "`4` is no range of seeds; expected `FIRST..LAST`"),
        ("seeds = \"1..200000\"".to_owned(), "there are at most 100000 cases; too many seeds"),
        (
            format!("{}\nseeds = \"1..60000\"", vary(voltage)),
            "there are at most 100000 cases, and these are more",
        ),
    ] {
        let found = mistakes(&matrix);
        let [one] = found.as_slice() else { panic!("{matrix}: {found:?}") };
        assert!(one.contains(expected), "{matrix}\n{one}");
    }
}

#[test]
fn a_case_never_names_a_folder_elsewhere() {
    for name in ["../x", "a/b", ".", "", "a b"] {
        let text = VALID.replace("seed = 7", &format!("seed = 7\ncase = \"{name}\""));
        let failure = super::load(&text).expect_err(name);
        assert_eq!(failure.diagnostics()[0].code.code(), "S013", "{name:?}");
    }
    let long = "x".repeat(70);
    let cases = cases_with(
        &format!("vary = {{ \"scenario.title\" = [\"../../{long}\", \"{long}\"] }}"),
        &["source.g.voltage=1 V,2 V"],
        None,
        &[],
    );
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names[..2], ["title=v1+voltage=1V", "title=v1+voltage=2V"]);
}

proptest! {
    /// Whatever is written as a matrix: no panic, and cases have names of their own.
    #[test]
    fn cases_have_names_of_their_own(
        voltages in prop::collection::btree_set("[0-9.]{1,4} ?[VmkA%°_/\"]{0,3}", 0..5),
        text in "[a-z ={}\\[\\]\",.0-9%()]{0,40}",
    ) {
        let values: Vec<String> = voltages.iter().map(|it| lastmeter_params::quote(it)).collect();
        for matrix in [
            format!("vary = {{ \"source.g.voltage\" = [{}] }}\nseeds = \"1..3\"", values.join(",")),
            text.clone(),
        ] {
            let text = format!("{VALID}\n[matrix]\n{matrix}\n");
            let Ok(file) = ScenarioFile::from_bytes(Path::new("test.toml"), text.as_bytes()) else {
                continue;
            };
            let vary = [format!("source.g.voltage={text}")];
            let variation = Variation { vary: &vary, seeds: None, repeat: 1 };
            let _ = file.cases(&LoadOptions::default(), &variation);
            if let Ok(cases) = file.cases(&LoadOptions::default(), &Variation::default()) {
                let mut names: Vec<String> = cases.into_iter().map(|case| case.name).collect();
                let count = names.len();
                prop_assert!(names.iter().all(|name| crate::matrix::is_case_name(name)), "{names:?}");
                names.sort();
                names.dedup();
                prop_assert_eq!(names.len(), count);
            }
        }
        prop_assert!(VALID.contains(DEVICES));
    }
}
