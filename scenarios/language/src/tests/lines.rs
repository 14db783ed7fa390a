//! Networks that are real lines: which end is here, and what makes no sense of it.

use lastmeter_link::channel::ChannelAddress;
use lastmeter_units::SimDuration;

use super::{assert_printed, difference, load};
use crate::reported;

const SLAVES: &str = r#"format = 1

[scenario]
name = "slaves"
time = "real"
duration = "1 min"

[[source]]
name = "riser"
kind = "heat-circuit"

[[network]]
name = "line"
kind = "m-bus"
line = "tcp:127.0.0.1:7101"

[[device]]
name = "heat"
at = "source:riser"
model = "m-bus-heat-meter"
as = "hardware"
on = "network:line"
readings = "scheduled"

[[gateway]]
name = "cellar"
model = "m-bus-concentrator"
on = "network:line"
poll_every = "4 s"

[[check]]
name = "once"
kind = "no_loss"
"#;

const GATEWAY: &str = r#"[[gateway]]
name = "cellar"
model = "m-bus-concentrator"
on = "network:line"
poll_every = "4 s"

"#;

/// The same line, read by whoever is at its other end.
fn masters() -> String {
    let text = SLAVES.replacen(GATEWAY, "", 1).replacen("as = \"hardware\"\n", "", 1);
    text.replacen("line = \"tcp:", "poll_every = \"5 s\"\nline = \"tcp:", 1)
}

#[test]
fn a_gateway_reads_what_is_at_the_other_end() {
    let scenario = load(SLAVES).map_err(|failure| failure.to_string()).unwrap();
    let tcp = ChannelAddress::TcpConnect("127.0.0.1:7101".to_owned());
    assert_eq!(scenario.networks[0].line, Some(tcp));
    assert!(scenario.devices[0].is_hardware);
    assert_eq!(scenario.foreign_masters().count(), 0);
    assert_eq!(scenario.way_of(0), "cellar");
}

#[test]
fn whoever_is_at_the_other_end_reads_what_is_here() {
    let scenario = load(&masters()).map_err(|failure| failure.to_string()).unwrap();
    assert!(!scenario.devices[0].is_hardware);
    assert_eq!(scenario.foreign_masters().collect::<Vec<_>>(), [0]);
    assert!(scenario.is_read_elsewhere(0));
    assert_eq!(scenario.poll_period(0), Some(SimDuration::from_seconds(5)));
    assert_eq!(scenario.way_of(0), "line");
}

#[test]
fn hardware_may_report_less_than_its_model() {
    let text = SLAVES.replacen("as =", "reports = [\"heating.temp.*\"]\nas =", 1);
    let scenario = load(&text).map_err(|failure| failure.to_string()).unwrap();
    let device = scenario.build_device(0).unwrap();
    let row = &scenario.devices[0];
    let names: Vec<&str> =
        reported(&row.values, device.quantities()).iter().map(|id| id.name()).collect();
    assert_eq!(names, ["heating.temp.primary.inlet", "heating.temp.primary.outlet"]);
    let all = load(SLAVES).map_err(|failure| failure.to_string()).unwrap();
    let device = all.build_device(0).unwrap();
    assert_eq!(reported(&all.devices[0].values, device.quantities()), device.quantities());
}

#[test]
fn what_cannot_be_is_refused_where_it_stands() {
    let slaves = |from: &str, to: &str| SLAVES.replacen(from, to, 1);
    let texts = [
        slaves("\"tcp:127.0.0.1:7101\"", "\"serial:1\""),
        slaves("time = \"real\"\n", ""),
        slaves("as = \"hardware\"\n", ""),
        slaves("readings = \"scheduled\"\n", ""),
        slaves("readings = \"scheduled\"\n", "readings = \"numbered\"\n"),
        slaves("line = \"tcp:127.0.0.1:7101\"\n", ""),
        slaves("line = \"tcp", "poll_every = \"5 s\"\nline = \"tcp"),
        slaves("as =", "reports = [\"water.*\"]\nas ="),
        slaves("as =", "reports = []\nas ="),
        slaves("readings = \"scheduled\"\n", "reports = [\"heating.power\"]\n"),
        masters().replacen("poll_every = \"5 s\"\n", "", 1),
        slaves("as = \"hardware\"", "as = \"emulated\""),
        slaves("model = \"m-bus-heat-meter\"", "model = \"heat-meter\"").replacen(
            "on = \"network:line\"\n",
            "",
            1,
        ),
        format!("{SLAVES}\n[[inject]]\nkind = \"skip_reading\"\nat = \"1 s\"\ndevice = \"heat\"\n"),
    ];
    assert_printed("lines", texts.map(|text| (difference(SLAVES, &text), load(&text))));
}

const BUS: &str = r#"format = 1
[scenario]
name = "bus"
description = "Somebody else is the master."
time = "real"
start = 2027-01-18T00:00:00Z
duration = "8 s"
[[source]]
name = "load"
kind = "synthetic"
phases = 1
voltage = "230 V"
current = "3 A"
[[network]]
name = "bus"
kind = "can"
line = "pty:line"
poll_every = "2 s"
[[device]]
name = "node-1"
at = "source:load"
model = "can-meter"
on = "network:bus"
[[check]]
name = "once"
kind = "no_loss"
"#;

#[test]
fn somebody_else_is_the_master_of_a_bus_or_a_gateway_is() {
    let scenario = load(BUS).map_err(|failure| failure.to_string()).unwrap();
    assert!(!scenario.networks[0].carries_bytes());
    assert_eq!(scenario.foreign_masters().collect::<Vec<_>>(), [0]);
    assert!(scenario.is_read_elsewhere(0));
    let gateway = "[[gateway]]\nname = \"a\"\nmodel = \"can-aggregator\"\non = \"network:bus\"\n";
    let both = format!("{BUS}{gateway}").replacen("poll_every = \"2 s\"\n", "", 1);
    let refused = load(&both).map_err(|failure| failure.to_string()).unwrap_err();
    assert!(refused.contains("frames of a CAN bus are no bytes of a line"), "{refused}");
    let simulated = both.replacen("line = \"pty:line\"\n", "", 1);
    let scenario = load(&simulated).map_err(|failure| failure.to_string()).unwrap();
    assert_eq!(scenario.foreign_masters().count(), 0);
}

#[test]
fn a_node_of_a_bus_is_real_by_its_line() {
    let gateway = "[[gateway]]\nname = \"a\"\nmodel = \"can-aggregator\"\non = \"network:bus\"\n";
    let simulated = format!("{BUS}{gateway}").replacen("poll_every = \"2 s\"\n", "", 1).replacen(
        "line = \"pty:line\"\n",
        "",
        1,
    );
    let own = "on = \"network:bus\"\nline = \"tcp:h:1\"\nreadings = \"scheduled\"\n";
    let real = simulated.replacen("on = \"network:bus\"\n", own, 1);
    let scenario = load(&real).map_err(|failure| failure.to_string()).unwrap();
    let tcp = ChannelAddress::TcpConnect("h:1".to_owned());
    assert_eq!((&scenario.devices[0].line, scenario.devices[0].is_hardware), (&Some(tcp), true));
    assert!(scenario.networks[0].line.is_none());
    assert!(scenario.whom_to_wait_for(0).contains("the line of `node-1` (tcp:h:1)"));
    for (text, expected) in [
        (real.replacen("readings = \"scheduled\"\n", "", 1), "announces nothing to the bench"),
        (real.replacen("tcp:h:1", "serial:1", 1), "no address of a line"),
        (real.replacen("time = \"real\"\n", "", 1), "not in virtual time"),
        (real.replacen(gateway, "", 1), "is on no bus here"),
        (slaves_with_own_line(), "expected on a network of kind `can` with a gateway only"),
    ] {
        let refused = load(&text).map_err(|failure| failure.to_string()).unwrap_err();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}

fn slaves_with_own_line() -> String {
    SLAVES.replacen("as = \"hardware\"", "as = \"hardware\"\nline = \"tcp:h:1\"", 1)
}
