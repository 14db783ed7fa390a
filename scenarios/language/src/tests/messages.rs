//! What people who are new write, and whether the messages lead them on.

use super::{VALID, assert_printed, change, changed, load, load_with};
use crate::LoadOptions;

/// Label and help of the only mistake.
fn describe(text: &str) -> (String, String) {
    let failure = load(text).expect_err("a mistake");
    let [found] = failure.diagnostics() else { panic!("{failure}") };
    (found.label.clone(), found.help.clone().unwrap_or_default())
}

const DIP: &str =
    "name = \"skip\"\nat = \"1 min\"\nkind = \"skip_reading\"\ndevice = \"home\"\ncount = 2";

/// The valid scenario with a dip instead of its first injection.
fn with_dip(lines: &str) -> String {
    changed(DIP, &format!("at = \"1 min\"\nkind = \"dip\"\nsource = \"g\"\nfor = \"1 s\"\n{lines}"))
}

#[test]
fn an_angle_without_unit_is_most_likely_in_degrees() {
    let (_, help) = describe(&with_dip("to = \"70 %\"\nstart_phase = \"90\""));
    assert_eq!(help, "write `\"90 deg\"` or `\"90 rad\"`");
}

#[test]
fn a_limit_without_unit_is_offered_those_of_its_quantity_only() {
    let (label, help) = describe(&changed("limit = \"0.5 %\"", "limit = 0.1"));
    assert_eq!(help, "write `\"0.1 %\"` or `\"0.1 V\"`");
    assert_eq!(label, "expected a ratio or a voltage with its unit, as text");
    let (_, help) = describe(&changed("limit = \"0.5 %\"", "limit = \"1 Volt\""));
    assert_eq!(help, "units that fit: %, ppm, V, kV, mV, uV");
    // Of quantities of several units all may be meant.
    let several = VALID.replace("electricity.voltage.rms.*", "electricity.*");
    let (_, help) = describe(&several.replace("limit = \"0.5 %\"", "limit = 0.1"));
    assert_eq!(help.matches(" or ").count(), 11, "{help}");
}

#[test]
fn an_unknown_quantity_is_answered_with_those_that_are_near_or_the_command_that_lists_them() {
    let help = |quantity: &str| describe(&VALID.replace("electricity.voltage.rms.*", quantity)).1;
    assert!(help("electricity.voltage.l1").contains("`electricity.voltage.rms.l1`"));
    assert!(help("electricity.power.active.l1").contains("`electricity.power.active.consumed.l1`"));
    assert!(help("nonsense").contains("`lastmeter list quantities`"));
}

#[test]
fn a_key_that_a_device_does_not_have_is_answered_with_the_command_that_lists_those_it_has() {
    let (_, help) = describe(&changed("report_every", "class = 1\nreport_every"));
    assert!(help.contains("`lastmeter explain stpm34-3ph`"), "{help}");
    assert!(help.contains("`lastmeter accuracy MODEL --test-plan NAME --class CLASS`"), "{help}");
    let (_, help) = describe(&changed("report_every", "colour = 1\nreport_every"));
    assert_eq!(help, "`lastmeter explain stpm34-3ph` lists the keys");
}

#[test]
fn a_date_is_answered_with_how_it_is_written() {
    let written = [
        "\"2027-01-01\"",
        "\"2027-01-18T17:00:00Z\"",
        "\"2027-01-18 17:00\"",
        "\"tomorrow\"",
        "2027-01-01",
        "2027-01-18T17:05:00",
    ];
    let load = |it: &str| (change("", it), load(&changed("2027-01-18T17:00:00Z", it)));
    assert_printed("dates", written.map(load));
}

#[test]
fn other_words_for_a_kind_or_a_key_are_known() {
    let (_, help) = describe(&with_dip("to = \"70 %\"").replace("\"dip\"", "\"sag\""));
    assert_eq!(help, "did you mean `dip`?");
    let (_, help) = describe(&with_dip("depth = \"30 %\""));
    let expected = "did you mean `to`? `to` is what is left of the voltage: a dip by 30 % is \
                    `to = \"70 %\"`";
    assert_eq!(help, expected);
    // It is one mistake: what was meant is not missing as well.
    assert_eq!(load(&with_dip("depth = \"30 %\"")).unwrap_err().diagnostics().len(), 1);
}

#[test]
fn who_writes_percent_is_answered_in_percent() {
    let cases = [
        ("report_every", "voltage_gain_error = \"60 %\"\nreport_every"),
        ("report_every", "voltage_gain_error = 0.6\nreport_every"),
        ("report_every", "voltage_gain_error = \"600000 ppm\"\nreport_every"),
        ("report_every", "phase_error = \"3 mrad\"\nskew = \"2000 us\"\nreport_every"),
        ("\"10 min\"", "\"4000 d\""),
    ];
    let cases = cases.map(|(from, to)| (change(from, to), load(&changed(from, to))));
    assert_printed("ranges_in_percent", cases);
}

#[test]
fn a_limit_that_no_meter_can_miss_is_no_limit() {
    for (limit, is_one) in [
        ("99.9 %", true),
        ("100 %", false),
        ("1000000 %", false),
        ("1000000 ppm", false),
        ("500 V", true),
    ] {
        let found = load(&changed("\"0.5 %\"", &format!("\"{limit}\"")));
        assert_eq!(found.is_ok(), is_one, "{limit}");
        if let Err(failure) = found {
            let [found] = failure.diagnostics() else { panic!("{failure}") };
            assert!(
                found.message.ends_with("a meter that reports nothing would pass"),
                "{failure}"
            );
        }
    }
}

/// Code, place and message of each warning.
fn warnings(text: &str, overrides: &[&str]) -> Vec<String> {
    let overrides = overrides.iter().map(|&text| text.to_owned()).collect();
    let scenario = load_with(text, &LoadOptions { overrides, ..LoadOptions::default() }).unwrap();
    let texts = scenario.written.texts;
    let found = scenario.written.warnings.iter().map(|warning| {
        let place = texts.place(warning.span);
        let marked = place.line_text.get(place.marked.clone()).unwrap_or("?");
        format!("{} {}:{} <{marked}> {}", warning.code, place.line, place.column, warning.message)
    });
    found.collect()
}

#[test]
fn what_is_odd_is_warned_of_and_is_no_mistake() {
    assert_eq!(warnings(VALID, &[]), Vec::<String>::new());
    let nobody = "format = 1\n[scenario]\nname = \"n\"\nduration = \"1 s\"\n[[source]]\n\
                  name = \"g\"\nkind = \"synthetic\"\n[[check]]\nname = \"c\"\nkind = \"no_loss\"\n";
    assert_eq!(
        warnings(nobody, &[]),
        ["W001 2:1 <[scenario]> the scenario has no device, so nothing is measured or reported"]
    );
    let device = "[[device]]\nname = \"home\"\nat = \"source:g\"\nmodel = \"ideal-3ph\"\n";
    let short = nobody.replace("[[check]]", &format!("{device}[[check]]"));
    assert_eq!(
        warnings(&short, &[]),
        ["W002 8:1 <[[device]]> `home` reports every 10 s, and the scenario lasts 1 s"]
    );
    assert_eq!(
        warnings(&short, &["device.home.report_every=2 s"]),
        ["W002 1:26 <2 s> `home` reports every 2 s, and the scenario lasts 1 s"]
    );
    assert_eq!(warnings(&short, &["device.home.report_every=1 s"]), Vec::<String>::new());
    assert_eq!(
        warnings(VALID, &["source.g.voltage=500 V"]),
        ["W003 22:6 <\"source:g\"> `home` is at 500 V, and rated for 230 V"]
    );
    let near = ["source.g.voltage=264 V"];
    assert_eq!(warnings(VALID, &near), Vec::<String>::new());
    let transformed = ["source.g.voltage=11 kV", "device.home.voltage_ratio=47.8"];
    assert_eq!(warnings(VALID, &transformed), Vec::<String>::new());
    let scenario = load(&changed("\"230 V\"", "\"500 V\"")).unwrap();
    assert!(scenario.render_warnings(false).starts_with("warning[W003]: `home` is at 500 V"));
    assert_eq!(scenario.warnings_json()[0]["severity"], "warning");
}

/// Every code that warns is met above, or where files are read.
#[test]
fn every_warning_is_one_that_a_scenario_can_meet() {
    let codes = lastmeter_params::CODES.iter().filter(|code| code.is_warning());
    let codes: Vec<&str> = codes.map(|code| code.code()).collect();
    assert_eq!(
        codes,
        ["W001", "W002", "W003", "W004", "W005", "W006", "W007", "W008", "W009", "W010"]
    );
}
