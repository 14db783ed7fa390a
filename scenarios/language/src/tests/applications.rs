//! Applications: what they are given of the network, and whom their alerts are of.

use super::mistakes;

const LOCATED: &str = r#"format = 1

[scenario]
name = "located"
start = 2027-01-18T17:00:00Z
duration = "40 s"

[grid]
file = "../grids/mv-feeder.toml"
step = "10 s"
resolution = "waveforms"

[[device]]
name = "recorder"
at = "source:station"
model = "fault-recorder"
rated_voltage = "11547 V"
rated_current = "200 A"
pickup = "220 A"

[[device]]
name = "meter"
at = "load:customer-01"
model = "stpm34-3ph"
report_every = "10 s"
quantities = ["voltage"]

[[application]]
name = "locator"
kind = "fault-location"
recorder = "recorder"
station = "station"
line_spread = "5 %"

[[check]]
name = "quiet"
kind = "alerts"
device = "locator"
type = "fault.located"
"#;

const NETWORK: &str =
    "[grid]\nfile = \"../grids/mv-feeder.toml\"\nstep = \"10 s\"\nresolution = \"waveforms\"\n";

#[test]
fn the_network_of_an_application_fits_it() {
    assert_eq!(mistakes(LOCATED), Vec::<String>::new());
    let outage =
        ("\"fault-location\"\nrecorder = \"recorder\"\nstation = \"station\"", "\"outage\"");
    for (changes, expected) in [
        (
            vec![("station = \"station\"", "station = \"K9\"")],
            "S018 <\"K9\"> the network has no source, node or line named `K9`",
        ),
        (
            vec![("recorder = \"recorder\"", "recorder = \"meter\"")],
            "S027 <\"meter\"> `meter` is a device of model `stpm34-3ph`, which records no faults",
        ),
        (
            vec![
                (
                    "[[device]]\n",
                    "[[tenant]]\nname = \"north\"\n\n[[device]]\ntenant = \"north\"\n",
                ),
                ("recorder = \"recorder\"", "recorder = \"north.recorder\""),
            ],
            "S027 <\"north.recorder\"> the recorder is one of tenant `north`, whose blocks it cannot see",
        ),
        (vec![outage], "S027 <\"5 %\"> `line_spread` has no effect on `outage`"),
        (
            vec![outage, ("line_spread = \"5 %\"\n", ""), ("mv-feeder", "low-voltage-tt")],
            "S027 <\"outage\"> `outage` is given the network as JSON of power-grid-model, which \
             has no neutral wires, found one at node `busbar`",
        ),
        (
            vec![(NETWORK, "")],
            "S027 <\"fault-location\"> `fault-location` works on the network, and there is none",
        ),
        (
            vec![("device = \"locator\"", "device = \"finder\"")],
            "S018 <\"finder\"> there is no device named `finder`",
        ),
    ] {
        let text = changes.iter().fold(LOCATED.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        // Without their places.
        let found: Vec<String> = mistakes(&text)
            .iter()
            .map(|it| it.split(' ').enumerate().filter(|(at, _)| *at != 1).map(|it| it.1))
            .map(|words| words.collect::<Vec<_>>().join(" "))
            .collect();
        assert!(found.iter().any(|it| it == expected), "{found:#?}");
    }
}

/// A meter of the tenant NAMED and one of `north`, on which an application called `meter` acts.
const TWO_TENANTS: &str = r#"format = 1

[scenario]
name = "two"
start = 2027-01-18T17:00:00Z
duration = "4 s"

[[tenant]]
name = "north"

[[source]]
name = "mains"
kind = "synthetic"
voltage = "230 V"

[[device]]
name = "meter"
tenant = "NAMED"
at = "source:mains"
model = "stpm34-3ph"

[[device]]
name = "own"
tenant = "north"
at = "source:mains"
model = "stpm34-3ph"

[[application]]
name = "meter"
kind = "threshold"
every = "1 s"
of = "north.own"
quantity = "electricity.voltage.rms.l1"
above = "245 V"
device = "north.own"
command = { name = "setReportingPeriod", seconds = "1" }

[[check]]
name = "readings-once"
kind = "no_loss"
"#;

const BUS: &str = r#"
[[network]]
name = "bus"
kind = "rs-485"

[[gateway]]
name = "locator"
model = "concentrator"
on = "network:bus"
"#;

#[test]
fn an_application_shares_its_name_with_nobody() {
    let line = 1 + LOCATED.lines().position(|line| line == "name = \"locator\"").unwrap();
    let observer = format!("{LOCATED}\n[[observer]]\nname = \"locator\"\n");
    for (text, name, noun) in [
        (LOCATED.replacen("name = \"locator\"", "name = \"meter\"", 1), "meter", "a device"),
        (observer, "locator", "an observer"),
        (format!("{LOCATED}{BUS}"), "locator", "a gateway"),
    ] {
        let expected = format!("S017 {line}:8 <\"{name}\"> `{name}` is {noun} too");
        assert!(mistakes(&text).contains(&expected), "{expected}: {:?}", mistakes(&text));
    }
    // In another tenant it is another one.
    assert_eq!(mistakes(&TWO_TENANTS.replace("NAMED", "default")), Vec::<String>::new());
    let taken = ["S017 29:8 <\"meter\"> `north.meter` is a device too"];
    assert_eq!(mistakes(&TWO_TENANTS.replace("NAMED", "north")), taken);
}

/// A check of what applications conclude, in place of that of `LOCATED`.
fn with_check(keys: &str) -> Vec<String> {
    let (before, _) = LOCATED.split_once("[[check]]").unwrap();
    mistakes(&format!("{before}[[check]]\nname = \"own\"\n{keys}\n"))
}

#[test]
fn a_check_of_applications_means_one_of_its_kind() {
    let near = "mean_m = 10\nnear_m = 20";
    for (keys, code, expected) in [
        (format!("kind = \"fault_distance\"\n{near}"), "", ""),
        (format!("kind = \"fault_distance\"\n{near}\napplication = \"loc*\""), "", ""),
        (
            format!("kind = \"fault_distance\"\n{near}\napplication = \"locater\""),
            "S018",
            "there is no application named `locater`",
        ),
        (
            "kind = \"outage_area\"".to_owned(),
            "S030",
            "`outage_area` judges applications of kind `outage`: there is none",
        ),
        ("kind = \"outage_area\"\nf1 = \"0 %\"".to_owned(), "S006", "`f1` is out of range"),
    ] {
        let found = with_check(&keys);
        let is_it = |it: &String| it.starts_with(code) && it.contains(expected);
        assert!(
            found.len() == usize::from(!code.is_empty()) && found.iter().all(is_it),
            "{found:?}"
        );
    }
    // One of another kind, beside one of the right kind.
    let own = "[[check]]\nname = \"own\"\nkind = \"outage_area\"\napplication = \"locator\"\n";
    let finder = "[[application]]\nname = \"finder\"\nkind = \"outage\"\n\n";
    let (before, _) = LOCATED.split_once("[[check]]").unwrap();
    let found = mistakes(&format!("{before}{finder}{own}"));
    let expected = "`locator` is an application of kind `fault-location`";
    assert!(found.iter().any(|it| it.starts_with("S027") && it.contains(expected)), "{found:?}");
    // Two of its kind, of which each would be the other's error.
    let locator = &LOCATED[LOCATED.find("[[application]]").unwrap()..before.len()];
    let second = locator.replacen("\"locator\"", "\"second\"", 1);
    for (application, expected) in [
        (
            "",
            Some(
                "S027 44:8 <\"fault_distance\"> `locator` and `second` would be held for one application",
            ),
        ),
        ("application = \"second\"\n", None),
    ] {
        let own =
            format!("[[check]]\nname = \"own\"\nkind = \"fault_distance\"\n{near}\n{application}");
        let found = mistakes(&format!("{before}{second}{own}"));
        assert_eq!(found.first().map(String::as_str), expected);
    }
}

#[test]
fn one_is_stopped_once_at_a_time_and_a_device_freezes_once() {
    let stop = |at: &str, more: &str| {
        format!(
            "[[inject]]\nat = \"{at}\"\nkind = \"stop_application\"\napplication = \"locator\"\n{more}\n"
        )
    };
    let freeze = |at: &str, device: &str, more: &str| {
        format!("[[inject]]\nat = \"{at}\"\nkind = \"freeze\"\ndevice = \"{device}\"\n{more}\n")
    };
    for (one, other, expected) in [
        (
            stop("1 s", ""),
            stop("2 s", "for = \"1 s\""),
            Some("another `stop_application` befalls the application"),
        ),
        (
            stop("5 s", "for = \"1 s\""),
            stop("1 s", ""),
            Some("another `stop_application` befalls the application"),
        ),
        (stop("1 s", "for = \"1 s\""), stop("2 s", "for = \"1 s\""), None),
        (
            freeze("1 s", "meter", ""),
            freeze("2 s", "meter", "for = \"1 s\""),
            Some("another `freeze` befalls the device"),
        ),
        (freeze("1 s", "meter", ""), freeze("2 s", "recorder", ""), None),
    ] {
        let found = mistakes(&format!("{LOCATED}\n{one}{other}"));
        let is_it =
            |it: &String| it.starts_with("S031") && expected.is_some_and(|text| it.contains(text));
        assert!(
            found.len() == usize::from(expected.is_some()) && found.iter().all(is_it),
            "{found:?}"
        );
    }
}

#[test]
fn a_controller_begins_within_its_range() {
    let (before, behind) = TWO_TENANTS.split_once("above = \"245 V\"\n").unwrap();
    let (_, check) = behind.split_once("\n\n").unwrap();
    let of = |initial: &str| {
        let keys = "target = \"230 V\"\ngain = 1\npoint = \"p\"\nleast = 0\ngreatest = 2\n";
        let text = format!("{before}{keys}initial = {initial}\ndevice = \"north.own\"\n\n{check}");
        mistakes(&text.replace("NAMED", "default").replace("\"threshold\"", "\"controller\""))
    };
    let found = of("5");
    assert!(
        found.iter().any(|it| it.starts_with("S006") && it.contains("`initial` is 5")),
        "{found:?}"
    );
    assert!(!of("1").iter().any(|it| it.contains("initial")), "{:?}", of("1"));
}
