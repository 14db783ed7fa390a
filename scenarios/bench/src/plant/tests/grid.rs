//! `[grid]`: what its keys mean, what devices are made at its loads, and its mistakes.

use crate::plant::take_plant;

use super::{assert_printed, change, load};
use lastmeter_language::{DeviceRow, LoadFailure, LoadOptions, Scenario};

/// A network of three loads; the second one is on phase b, the third has three phases.
const NETWORK: &str = r#"format = 1
voltage = "400 V"
[[node]]
name = "bus"
[[node]]
name = "end"
[[source]]
name = "supply"
node = "bus"
short_circuit_power = "10 MVA"
[[line]]
name = "L1"
from = "bus"
to = "end"
length = "100 m"
r1 = "0.2 ohm/km"
x1 = "0.1 ohm/km"
[[load]]
name = "h1"
node = "end"
wires = "a"
p = "2 kW"
[[load]]
name = "h2"
node = "end"
wires = "b"
p = "1 kW"
[[load]]
name = "shop"
node = "end"
p = "9 kW"
"#;

const SCENARIO: &str = r#"format = 1
[scenario]
name = "feeder"
start = 2027-06-21T11:00:00Z
duration = "10 min"
[grid]
file = "net.toml"
step = "5 min"
[[device]]
name = "home"
at = "load:h*"
model = "ideal-1ph"
report_every = "1 min"
[[device]]
name = "shop"
at = "load:shop"
model = "ideal-3ph"
report_every = "1 min"
[[device]]
name = "all"
at = "source:supply"
model = "ideal-3ph"
report_every = "1 min"
[[check]]
name = "once"
kind = "no_loss"
"#;

/// The scenario with its network played as a whole.
pub(super) fn play_now(scenario: &Scenario) -> Result<Scenario, LoadFailure> {
    let mut scenario = scenario.clone();
    let network = scenario.network_ahead().cloned();
    if let Some(network) = network {
        take_plant(&mut scenario, network.finish())?;
    }
    Ok(scenario)
}

/// A folder with the network and a table, and what a scenario in it comes to.
pub(super) struct Folder(pub(super) tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("net.toml"), NETWORK).unwrap();
        std::fs::write(folder.path().join("p.csv"), "t,h1,h2\n0,1.5,0.25\n300,2.5,x\n").unwrap();
        Self(folder)
    }

    /// The scenario with its network played.
    pub(super) fn load(&self, text: &str) -> Result<Scenario, LoadFailure> {
        self.load_set(text, &[])
    }

    /// With values changed from outside.
    fn load_set(&self, text: &str, overrides: &[&str]) -> Result<Scenario, LoadFailure> {
        play_now(&self.read_set(text, overrides)?)
    }

    /// The scenario as it is read.
    pub(super) fn read(&self, text: &str) -> Result<Scenario, LoadFailure> {
        self.read_set(text, &[])
    }

    fn read_set(&self, text: &str, overrides: &[&str]) -> Result<Scenario, LoadFailure> {
        let path = self.0.path().join("test.toml");
        let overrides = overrides.iter().map(|&text| text.to_owned()).collect();
        let options = LoadOptions { overrides, ..LoadOptions::default() };
        Scenario::from_bytes(&path, text.as_bytes(), &options)
    }

    /// The first mistake: code, what is marked, message.
    pub(super) fn mistake(&self, text: &str) -> String {
        let failure = self.load(text).err().unwrap_or_else(|| panic!("no mistake: {text}"));
        let found = &failure.diagnostics()[0];
        let place = failure.texts().place(found.span);
        let marked = place.line_text.get(place.marked.clone()).unwrap_or("?");
        format!("{} <{marked}> {}", found.code, found.message)
    }
}

pub(super) fn with(more: &str) -> String {
    SCENARIO.replacen("[[device]]", &format!("{more}\n[[device]]"), 1)
}

#[test]
fn a_pattern_of_loads_makes_a_device_for_each() {
    let scenario = Folder::new().load(SCENARIO).unwrap();
    let placed = |row: &DeviceRow| (row.name.clone(), scenario.place_of_source(row.source));
    let devices: Vec<_> = scenario.devices.iter().map(placed).collect();
    let expected = [
        ("home-h1", "load:h1"),
        ("home-h2", "load:h2"),
        ("shop", "load:shop"),
        ("all", "source:supply"),
    ];
    let expected = expected.map(|(name, at)| (name.to_owned(), at.to_owned()));
    assert_eq!(devices, expected);
    let feeder = scenario.feeder().unwrap();
    assert_eq!(feeder.steps().len(), 2);
    // What no table is about keeps what the file states.
    let drawn = feeder.steps()[0].loads[2].power_va.iter().map(|part| part.re).sum::<f64>();
    assert!((drawn - 9000.0).abs() < 1e-3);
    assert!(scenario.written.files.contains_key("net.toml"));
}

#[test]
fn profiles_of_one_load_add_up() {
    let more = "[[grid.load]]\nname = \"h1\"\nprofile = \"csv\"\nfile = \"p.csv\"\nunit = \"kW\"\n\
                [[grid.load]]\nname = \"h1\"\nprofile = \"constant\"\n\
                [[grid.load]]\nname = \"h2\"\nprofile = \"solar\"\npeak = \"4 kW\"\n";
    let scenario = Folder::new().load(&with(more)).unwrap();
    let watts = |step: usize, load: usize| {
        scenario.feeder().unwrap().steps()[step].loads[load].power_va[0].re
    };
    assert!((watts(0, 0) - 3500.0).abs() < 1e-3 && (watts(1, 0) - 4500.0).abs() < 1e-3);
    let halved = more.replace("unit = \"kW\"", "unit = \"kW\"\nscale = 0.5");
    let halved = Folder::new().load(&with(&halved)).unwrap();
    let drawn = halved.feeder().unwrap().steps()[0].loads[0].power_va[0].re;
    assert!((drawn - 2750.0).abs() < 1e-3, "{drawn}");
    // Near noon in June at latitude 50: 0.85 of 4 kW times about 0.93.
    assert!((-3400.0..-3000.0).contains(&watts(0, 1)), "{}", watts(0, 1));
    assert!(scenario.written.files.contains_key("p.csv"));
}

#[test]
fn a_scenario_with_a_network_means_the_same_when_resolved() {
    let folder = Folder::new();
    let more = "[[grid.load]]\nname = \"h*\"\nprofile = \"household\"\n\
                [[grid.defect]]\nkind = \"bypass\"\nload = \"h1\"\n";
    let scenario = folder.load(&with(more)).unwrap();
    let resolved = scenario.resolved_toml();
    assert!(resolved.contains("annual_energy = \"3500 kWh\""), "{resolved}");
    let again = folder.load(&resolved).unwrap();
    assert_eq!(again.resolved_toml(), resolved);
    assert_eq!(again.feeder().unwrap().steps(), scenario.feeder().unwrap().steps());
    let other = folder.load(&with(&more.replace("bypass", "wrong-phase\"\nphase = \"b")));
    assert_ne!(other.unwrap().resolved_toml(), resolved);
}

#[test]
fn each_home_draws_from_a_stream_of_its_own() {
    let folder = Folder::new();
    let home = |name: &str| format!("[[grid.load]]\nname = \"{name}\"\nprofile = \"household\"\n");
    let watts = |text: &str, load: usize| {
        folder.load(text).unwrap().feeder().unwrap().steps()[1].loads[load].power_va[0].re
    };
    let (alone, both) = (with(&home("h2")), with(&home("h*")));
    assert!((watts(&alone, 1) - watts(&both, 1)).abs() < 1e-9);
    assert!((watts(&both, 0) - watts(&both, 1)).abs() > 1.0);
}

#[test]
fn mistakes_are_reported_with_their_span() {
    let folder = Folder::new();
    let cases = [
        ("net.toml", "nets.toml"),
        ("net.toml", "p.csv"),
        ("load:shop", "load:shops"),
        ("load:h*", "load:x*"),
        ("load:h*", "load:*"),
        ("source:supply", "source:suply"),
        ("name = \"home\"", "name = \"home\"\ncount = 2"),
        ("\"5 min\"", "\"0.5 ms\""),
    ];
    let load = |(from, to): (&str, &str)| {
        assert!(SCENARIO.contains(from), "{from}");
        (change(from, to), folder.load(&SCENARIO.replacen(from, to, 1)))
    };
    assert_printed("networks", cases.map(load));
    // A file that is not there may be one beside it.
    let help = |text: &str| {
        let failure = folder.load(text).err().unwrap();
        failure.diagnostics()[0].help.clone()
    };
    let near = Some("did you mean `net.toml`?".to_owned());
    assert_eq!(help(&SCENARIO.replacen("net.toml", "nett.toml", 1)), near);
    assert_eq!(help(&SCENARIO.replacen("net.toml", "some/nett.toml", 1)), None);
    assert_eq!(help(&SCENARIO.replacen("net.toml", "feeders-of-others.toml", 1)), None);
    std::fs::create_dir(folder.0.path().join("some")).unwrap();
    std::fs::write(folder.0.path().join("some/net.toml"), NETWORK).unwrap();
    let near = Some("did you mean `some/net.toml`?".to_owned());
    assert_eq!(help(&SCENARIO.replacen("net.toml", "some/nett.toml", 1)), near);
    let rows = "[[grid.load]]\nname = \"h1\"\nprofile = \"csv\"\nfile = \"pp.csv\"\n";
    assert_eq!(help(&with(rows)), Some("did you mean `p.csv`?".to_owned()));
}

#[test]
fn mistakes_of_loads_and_defects_are_reported_with_their_span() {
    let folder = Folder::new();
    let cases = [
        "[[grid.load]]\nname = \"h3\"\nprofile = \"constant\"",
        "[[grid.load]]\nname = \"x*\"\nprofile = \"constant\"",
        "[[grid.load]]\nname = \"h1\"\nprofile = \"solars\"",
        "[[grid.load]]\nname = \"h1\"\nprofile = \"csv\"\nfile = \"p.csv\"\nevery = \"1 min\"",
        "[[grid.load]]\nname = \"h2\"\nprofile = \"csv\"\nfile = \"p.csv\"",
        "[[grid.load]]\nname = \"shop\"\nprofile = \"csv\"\nfile = \"p.csv\"",
        "[[grid.defect]]\nkind = \"resistance\"\nline = \"L2\"",
        "[[grid.defect]]\nkind = \"wrong-phase\"\nload = \"h1\"\nphase = \"a\"",
        "[[grid.defect]]\nkind = \"wrong-phase\"\nload = \"shop\"\nphase = \"a\"",
        // 1000 MW on 100 m of cable, in the first of two steps.
        "[[grid.load]]\nname = \"h1\"\nprofile = \"solar\"\npeak = \"1 GW\"",
    ];
    let cases = cases.map(|more| (change("", more), folder.load(&with(more))));
    assert_printed("loads_and_defects", cases);
}

/// Two tables about `h1`, one about all homes, and two defects, the second one without a name.
const TABLES: &str = "[[grid.load]]\nname = \"h*\"\nprofile = \"constant\"\n\
    [[grid.load]]\nname = \"h1\"\nprofile = \"csv\"\nfile = \"p.csv\"\nunit = \"kW\"\n\
    [[grid.load]]\nname = \"h1\"\nprofile = \"solar\"\npeak = \"4 kW\"\n\
    [[grid.load]]\nname = \"h2\"\nprofile = \"solar\"\npeak = \"4 kW\"\n\
    [[grid.defect]]\nname = \"thief\"\nkind = \"bypass\"\nload = \"h1\"\n\
    [[grid.defect]]\nkind = \"bypass\"\nload = \"h2\"\n";

#[test]
fn tables_of_a_network_are_set_by_name_and_by_number() {
    let folder = Folder::new();
    for (address, expected) in [
        ("grid.load.h2.peak=1 kW", "peak = \"1 kW\""),
        ("grid.load.h1.2.peak=1 kW", "peak = \"1 kW\""),
        ("grid.load.h1.1.scale=0.5", "scale = \"0.5\""),
        ("grid.load.2.scale=0.5", "scale = \"0.5\""),
        ("grid.defect.thief.share=20 %", "share = \"20 %\""),
        ("grid.defect.2.share=20 %", "share = \"20 %\""),
        ("grid.step=10 min", "step = \"10 min\""),
    ] {
        let (key, _) = address.split_once('=').unwrap();
        let scenario = folder.load_set(&with(TABLES), &[address]).unwrap_or_else(|failure| {
            panic!("{address}: {failure}");
        });
        let resolved = scenario.resolved_toml();
        assert_eq!(resolved.matches(expected).count(), 1, "{key}: {resolved}");
    }
    // The second table about `h1` is the one that got it, and no other.
    let watts = |overrides: &[&str], load: usize| {
        let scenario = folder.load_set(&with(TABLES), overrides).unwrap();
        scenario.feeder().unwrap().steps()[0].loads[load].power_va[0].re
    };
    let halved = ["grid.load.h1.2.peak=2 kW"];
    let given = watts(&[], 0) - watts(&halved, 0);
    // Half of 4 kW times about 0.79 at that hour, delivered.
    assert!((-1700.0..-1500.0).contains(&given), "{given}");
    assert!((watts(&[], 1) - watts(&halved, 1)).abs() < 1e-6);
}

#[test]
fn an_override_of_a_network_that_fits_nothing_or_several_lists_what_would() {
    let folder = Folder::new();
    let cases = [
        "grid.load.h1.peak=1 kW",
        "grid.load.h2.peek=1 kW",
        "grid.load.h1.2.peek=1 kW",
        "grid.defect.tief.share=1 %",
    ];
    let load = |address: &str| (address.to_owned(), folder.load_set(&with(TABLES), &[address]));
    assert_printed("overrides_of_networks", cases.map(load));
    for address in ["grid.load.h1.3.peak=1 kW", "grid.load.9.peak=1 kW", "grid.load.h1=1"] {
        let failure =
            folder.load_set(&with(TABLES), &[address]).err().unwrap_or_else(|| panic!("{address}"));
        assert_eq!(failure.diagnostics()[0].code.code(), "S023", "{address}");
    }
    let failure = folder.load_set(SCENARIO, &["grid.load.h1.scale=2"]).err().unwrap();
    assert_eq!(failure.diagnostics()[0].code.code(), "S023");
}

#[test]
fn defects_without_effect_and_repeated_ones_are_refused() {
    let folder = Folder::new();
    let open = "[[node]]\nname = \"spare\"\n[[line]]\nname = \"L2\"\nfrom = \"end\"\nto = \"spare\"\n\
                length = \"10 m\"\nr1 = \"0.2 ohm/km\"\nx1 = \"0.1 ohm/km\"\n\
                [[load]]\nname = \"h0\"\nnode = \"end\"\nwires = \"c\"\np = \"0 W\"\n";
    std::fs::write(folder.0.path().join("net.toml"), format!("{NETWORK}{open}")).unwrap();
    let defect = |kind: &str, more: &str| format!("[[grid.defect]]\nkind = \"{kind}\"\n{more}\n");
    let bypass = defect("bypass", "load = \"h1\"");
    let line = |more: &str| defect("resistance", &format!("line = \"L1\"\n{more}"));
    for sound in [
        format!("{bypass}{}", defect("wrong-phase", "load = \"h1\"\nphase = \"b\"")),
        format!("{bypass}{}", defect("bypass", "load = \"h2\"")),
        line("factor = 2"),
        line("added = \"1 mΩ\""),
        line("factor = 0"),
    ] {
        assert!(folder.load(&with(&sound)).is_ok(), "{sound}");
    }
    let cases = [
        defect("bypass", "load = \"h1\"\nshare = \"0 %\""),
        line("added = \"0 ohm\""),
        line("factor = 1"),
        line(""),
        format!("{bypass}{bypass}"),
        format!("{}{}", line("factor = 2"), line("factor = 3")),
        defect("resistance", "line = \"L2\"\nadded = \"1 ohm\""),
        defect("bypass", "load = \"h0\""),
        format!(
            "{0}{1}",
            defect("bypass", "load = \"h1\"\nname = \"x\""),
            defect("bypass", "load = \"h2\"\nname = \"x\"")
        ),
    ];
    let cases = cases.map(|more| (change("", &more), folder.load(&with(&more))));
    assert_printed("defects_without_effect", cases);
}

/// All meters lack the registers, or report at other times: one cause, reported once.
#[test]
fn what_all_meters_of_a_balance_lack_is_reported_once() {
    let folder = Folder::new();
    let whole = format!("{SCENARIO}{BALANCE}");
    let cases = [
        ("report_every = \"1 min\"", "report_every = \"1 min\"\nquantities = [\"voltage\"]"),
        ("limit = \"1 %\"", "limit = \"1 %\"\nevery = \"90 s\""),
    ];
    let load = |(from, to): (&str, &str)| (change(from, to), folder.load(&whole.replace(from, to)));
    assert_printed("balances_of_alike_meters", cases.map(load));
}

#[test]
fn a_load_that_no_source_reaches_is_refused() {
    let folder = Folder::new();
    let open = NETWORK.replace("length = \"100 m\"", "length = \"100 m\"\nopen = \"from\"");
    std::fs::write(folder.0.path().join("net.toml"), open).unwrap();
    let found = folder.mistake(SCENARIO);
    assert!(found.contains("its island is de-energised and has 3 loads"), "{found}");
}

#[test]
fn the_network_of_the_library_loads() {
    let text = SCENARIO.replace("net.toml", "../grids/lv-feeder-55.toml");
    let text = text.replace("load:h*", "load:0*").replace("load:shop", "source:supply");
    let scenario = load(&text).unwrap();
    assert_eq!(scenario.devices[0].name, "home-01");
    assert_eq!(scenario.devices.len(), 9 + 2);
}

/// The check that adds up all meters of [`SCENARIO`].
const BALANCE: &str = "[[check]]\nname = \"sum\"\nkind = \"energy_balance\"\nsubstation = \"all\"\n\
                       limit = \"1 %\"\n";

#[test]
fn a_balance_that_cannot_add_up_is_reported_before_the_run() {
    let folder = Folder::new();
    let whole = format!("{SCENARIO}{BALANCE}");
    assert!(folder.load(&whole).is_ok());
    let cases = [
        ("load:h*", "load:h1"),
        ("substation = \"all\"", "substation = \"h*\""),
        ("limit = \"1 %\"", "limit = \"1 %\"\nhomes = \"home-*\""),
        ("limit = \"1 %\"", "limit = \"1 %\"\nevery = \"90 s\""),
        ("report_every = \"1 min\"", "report_every = \"1 min\"\nquantities = [\"voltage\"]"),
    ];
    let load = |(from, to): (&str, &str)| {
        assert!(whole.contains(from), "{from}");
        (change(from, to), folder.load(&whole.replacen(from, to, 1)))
    };
    assert_printed("balances", cases.map(load));
    let twice = whole.replacen(
        "[[check]]",
        "[[device]]\nname = \"too\"\nat = \"load:h1\"\n\
        model = \"ideal-1ph\"\nreport_every = \"1 min\"\n[[check]]",
        1,
    );
    assert!(folder.mistake(&twice).contains("load `h1` has 2 meters"));
    // All that lack one are reported at once, and what `homes` can do and cannot.
    let all = whole.replacen("limit = \"1 %\"", "limit = \"1 %\"\nhomes = \"h*1\"", 1);
    let failure = folder.load(&all).err().unwrap();
    let found: Vec<_> = failure.diagnostics().iter().map(|it| (&*it.message, &it.help)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "loads `h2`, `shop` have no meter that this check counts");
    let help = found[0].1.as_deref().unwrap();
    assert!(
        help.contains("whose name fits `homes`: it chooses among meters, and no load"),
        "{help}"
    );
}

#[test]
fn networks_of_other_formats_feed_meters_and_are_kept_with_the_files_they_name() {
    let folder = Folder::new();
    let write = |name: &str, text: &str| std::fs::write(folder.0.path().join(name), text).unwrap();
    write("codes.dss", "new linecode.c nphases=3 r1=0.2 x1=0.1 r0=0.2 x0=0.1 c1=0 c0=0 units=km\n");
    write(
        "net.dss",
        "new circuit.supply basekv=0.4 mvasc3=10 mvasc1=10\nredirect codes.dss\n\
         new line.l1 bus1=sourcebus bus2=end linecode=c length=0.1 units=km\n\
         new load.h1 bus1=end.1 phases=1 kv=0.231 kw=2 kvar=0\n\
         new load.h2 bus1=end.2 phases=1 kv=0.231 kw=1 kvar=0\n\
         new load.shop bus1=end phases=3 conn=wye kv=0.4 kw=9 kvar=0\n",
    );
    let text = SCENARIO.replace("net.toml", "net.dss").replace("source:supply", "source:source");
    let text = text.replace("[[check]]", "[[check]]\ncovers = []");
    let scenario = folder.load(&text).unwrap_or_else(|failure| {
        panic!("{:?}", failure.diagnostics().iter().map(|it| &it.message).collect::<Vec<_>>())
    });
    assert_eq!(scenario.devices[1].name, "home-h2");
    let kept: Vec<&String> = scenario.written.files.keys().collect();
    assert_eq!(kept, ["codes.dss", "net.dss"]);
    // As the same network in our own words.
    let own = folder.load(SCENARIO).unwrap();
    let end = |scenario: &Scenario| {
        let step = &scenario.feeder().unwrap().steps()[0];
        step.loads.iter().map(|load| load.current_a[0].norm()).collect::<Vec<_>>()
    };
    for (dss, toml) in end(&scenario).iter().zip(end(&own)) {
        assert!((dss / toml - 1.0).abs() < 0.01, "{dss} A and {toml} A");
    }
}

#[test]
fn sources_of_their_own_stand_beside_a_network_into_which_nothing_is_injected() {
    let folder = Folder::new();
    let source = "[[source]]\nname = \"lab\"\nkind = \"synthetic\"\nphases = 1\n\
                  [[device]]\nname = \"bench\"\nat = \"source:lab\"\nmodel = \"ideal-1ph\"\n";
    let scenario = folder.load(&with(source)).unwrap();
    let bench = scenario.devices.iter().find(|row| row.name == "bench").unwrap();
    assert_eq!(scenario.place_of_source(bench.source), "source:lab");
    let volts = |source: usize| {
        let terminal = scenario.plant.sources[source].terminal().unwrap();
        let stretch = terminal.spectrum_at(lastmeter_units::SimDuration::ZERO).unwrap();
        stretch.spectrum.voltages[0].tones[0].rms
    };
    // The laboratory's own 230 V, and at the load what the line leaves of 231 V.
    assert!((volts(bench.source) - 230.0).abs() < 1e-9);
    assert!((225.0..230.9).contains(&volts(scenario.devices[1].source)));
    let inject = |source: &str| {
        let table = "[[source]]\nname = \"lab\"\nkind = \"synthetic\"\n";
        format!(
            "[[inject]]\nat = \"1 min\"\nkind = \"angle\"\nsource = \"{source}\"\n\
             of = \"current\"\nby = \"180 deg\"\n{table}"
        )
    };
    assert!(folder.load(&with(&inject("lab"))).is_ok());
    let found = folder.mistake(&with(&inject("supply")));
    assert!(found.contains("nothing can be injected into `supply`"), "{found}");
    let taken = source.replace("lab", "supply");
    assert!(folder.mistake(&with(&taken)).contains("`supply` is a source of the network too"));
}

/// The IEEE European low-voltage test feeder, 906 buses and 55 homes, where its files are.
#[test]
fn a_published_feeder_takes_meters_at_all_its_homes() {
    let Some(data) = std::env::var_os("LASTMETER_GRID_DATA") else {
        println!("SKIPPED: LASTMETER_GRID_DATA does not name the folder of networks");
        return;
    };
    let file = std::path::Path::new(&data).join("opendss/LVTestCase/Master.dss");
    let text = SCENARIO.replace("net.toml", &file.display().to_string());
    let text = text.replace("load:h*", "load:*").replace("source:supply", "source:source");
    let (before, rest) = text.split_once("[[device]]\nname = \"shop\"").unwrap();
    let text = format!("{before}[[device]]{}{BALANCE}", rest.split_once("[[device]]").unwrap().1);
    let household = "[[grid.load]]\nname = \"*\"\nprofile = \"household\"\n[[device]]";
    let scenario = Folder::new().load(&text.replacen("[[device]]", household, 1)).unwrap();
    assert_eq!(scenario.devices.len(), 55 + 1);
    let feeder = scenario.feeder().unwrap();
    assert!(feeder.network().nodes.len() > 900);
    for step in feeder.steps() {
        let delivered: f64 = step.sources.iter().map(|source| source.total_va().re).sum();
        let drawn: f64 = step.loads.iter().flat_map(|load| load.power_va).map(|part| part.re).sum();
        assert!((delivered - drawn - step.losses_va.re).abs() < 1e-3 * drawn, "{step:?}");
        assert!(drawn > 5e3 && step.losses_va.re > 0.0);
    }
}
