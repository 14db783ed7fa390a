//! Tests of `[test_plan]`: what its points become at the terminal, and what does not fit.

use lastmeter_sim::{Netting, ReferenceSpan};
use lastmeter_units::{MeasurementId, SimDuration};

use super::{assert_printed, change, load, mistakes};

const PLAYED: &str = r#"format = 1
[scenario]
name = "class"
[test_plan]
standard = "iec-62053-21-2003"
connection = "direct"
device = "home"
tests = ["error-pf05", "half-wave", "odd-harmonics", "sub-harmonics", "harmonics", "reversed-sequence"]
[[device]]
name = "home"
at = "source:test-plan"
model = "stpm34-3ph"
report_every = "500 ms"
[[check]]
name = "error"
kind = "test_plan"
tests = ["error-*"]
"#;

fn changed(from: &str, to: &str) -> String {
    assert!(PLAYED.contains(from), "{from}");
    PLAYED.replacen(from, to, 1)
}

/// RMS currents and powers of what is played, against the closed forms of each shape: a half wave
/// and a current fired at 90 degrees have half the power of a sine of peak `Ip`, `U Ip/(2 sqrt 2)`
/// (`Irms = Ip/2`); a burst of two cycles in four half that of its sine.
#[test]
fn each_point_is_played_as_planned() {
    let scenario = load(PLAYED).unwrap();
    let plan = scenario.plans.test_plan.as_ref().unwrap();
    assert_eq!(scenario.schedule.duration, plan.duration());
    let terminal = scenario.plant.sources[0].terminal().unwrap();
    let id = |name: &str| MeasurementId::lookup(name).unwrap();
    let current = id("electricity.current.rms.l2");
    let power = id("electricity.power.active.consumed.l2");
    let (mut seen, volts) = (Vec::new(), 230.0);
    for point in &plan.points {
        // Whole bursts: 1.6 s are twenty times four cycles.
        let from = point.measure_from;
        let to = from + SimDuration::from_milliseconds(1600);
        let truth = terminal.truth(ReferenceSpan { from, to, registers_from: from });
        let value = |id| truth.value(id, Netting::Net).unwrap();
        let amperes = point.conditions.currents[1];
        let name = plan.test_plan.waveforms[point.conditions.waveform].name.as_str();
        let factor = point.conditions.lag_rad.cos();
        let (rms, watts) = match name {
            "sine" => (1.0, factor),
            "fifth-harmonic" => (1.16_f64.sqrt(), 1.04),
            "half-wave" | "phase-fired" => (1.0, 0.5_f64.sqrt()),
            "burst" => (0.5_f64.sqrt(), 0.5),
            other => panic!("{other}"),
        };
        let expected = [amperes * rms, volts * amperes * watts];
        for (found, expected) in [value(current), value(power)].into_iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-6, "{name}: {found}, expected {expected}");
        }
        seen.push(name);
    }
    for name in ["sine", "fifth-harmonic", "half-wave", "phase-fired", "burst"] {
        assert!(seen.contains(&name), "{name}");
    }
}

/// A source of the same name would be measured in its place, and an injection would do nothing.
#[test]
fn the_source_of_a_test_plan_is_the_test_plans_alone() {
    let taken = format!("{PLAYED}[[source]]\nname = \"test-plan\"\nkind = \"synthetic\"\n");
    let found = mistakes(&taken);
    assert!(
        found.iter().any(|line| line.contains("is the source that plays `[test_plan]`")),
        "{found:?}"
    );
    let injected = format!(
        "{PLAYED}[[inject]]\nat = \"1 s\"\nkind = \"amplitude\"\nsource = \"test-plan\"\nto = \"50 %\"\n"
    );
    let found = mistakes(&injected);
    assert!(
        found.iter().any(|line| line.contains("nothing can be injected into `test-plan`")),
        "{found:?}"
    );
}

#[test]
fn a_resolved_test_plan_means_the_same() {
    let scenario = load(PLAYED).unwrap();
    let text = scenario.resolved_toml();
    assert!(
        text.contains("[test_plan]\nstandard = \"iec-62053-21-2003\"")
            && !text.contains("[[source]]")
    );
    assert!(load(&text).unwrap().same_meaning(&scenario), "{text}");
    assert!(scenario.written.files.contains_key("suite:iec-62053-21-2003"));
}

#[test]
fn incompatible_test_plans_are_reported_with_their_span() {
    let cases = [
        ("\"class\"\n", "\"class\"\nduration = \"1 min\"\n"),
        ("device = \"home\"", "device = \"hime\""),
        ("iec-62053-21-2003", "iec-62053-21"),
        ("\"direct\"", "\"direct\"\nclass = \"3\""),
        ("[\"error-pf05\",", "[\"eror-pf05\","),
        ("tests = [\"error-*\"]", "tests = [\"starting\"]"),
        ("report_every", "fidelity = \"windows\"\nreport_every"),
        ("\"iec-62053-21-2003\"", "\"no/such.toml\""),
    ];
    let cases = cases.map(|(from, to)| (change(from, to), load(&changed(from, to))));
    assert_printed("test_plans", cases);
    let other = "[[source]]\nname = \"g\"\nkind = \"synthetic\"\n[[device]]";
    let text = changed("[[device]]", other).replace("source:test-plan", "source:g");
    let found = mistakes(&text);
    assert!(found.len() == 1 && found[0].starts_with("S027"), "{found:?}");
    let without = PLAYED
        .split("[test_plan]")
        .next()
        .unwrap()
        .replace("\"class\"\n", "\"class\"\nduration = \"1 min\"\n")
        + "[[source]]\nname = \"g\"\nkind = \"synthetic\"\n[[device]]\nname = \"home\"\nat = \"source:g\"\nmodel = \"stpm34-3ph\"\n[[check]]\nname = \"c\"\nkind = \"test_plan\"\n";
    let found = mistakes(&without);
    assert!(found.len() == 1 && found[0].contains("needs a `[test_plan]`"), "{found:?}");
}

/// By default the test plan counts 100,000 pulses per kWh, and a meter's nameplate shows 1000.
#[test]
fn a_meter_that_reports_pulses_has_the_constant_that_the_test_plan_counts_by() {
    let pulses = "report_every = \"500 ms\"\nquantities = [\"active_energy\", \"pulses\"]";
    let found = mistakes(&changed("report_every = \"500 ms\"", pulses));
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert!(one.starts_with("S027"), "{one}");
    assert!(
        one.contains("counts 100000 pulses per kWh, the meter's nameplate states 1000"),
        "{one}"
    );
    let same = format!("{pulses}\npulse_constant = 100000");
    assert_eq!(mistakes(&changed("report_every = \"500 ms\"", &same)), Vec::<String>::new());
}

/// The library's own scenario of the publication, and what makes no whole of it.
#[test]
fn each_published_row_is_marked_as_reproduced_or_not() {
    const TABLE: &str = include_str!("../../../library/table-1-sinusoidal.toml");
    let fitted = "rows = [\"voltage\", \"current\", \"frequency\", \"active-power\"]";
    let less = "rows = [\"voltage\", \"current\", \"frequency\"]";
    let more = "rows = [\"voltage\", \"current\", \"frequency\", \"a*-power\"]";
    let cases = [
        ("seed = 2027", "seed = 7"),
        (fitted, less),
        (fitted, more),
        ("within = \"20 %\"\nnot_reproduced", "explained = 2\nnot_reproduced"),
        (
            "within = \"20 %\"\nnot_reproduced",
            "covers = [\"C-09\"]\nwithin = \"20 %\"\nnot_reproduced",
        ),
        ("device = \"meter-24k\"\nwithin", "within"),
    ];
    let cases = cases.map(|(from, to)| {
        assert!(TABLE.contains(from), "{from}");
        (change(from, to), load(&TABLE.replacen(from, to, 1)))
    });
    assert_printed("published_tables", cases);
}
