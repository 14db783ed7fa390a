//! The command as its caller sees it: what it answers for small networks, and what it refuses.

use std::path::PathBuf;

use lastmeter_bench::output::Format;
use lastmeter_grid::diagram::Colouring;

use lastmeter_grid::short_circuit::Scaling;

use super::{GridOptions, ShortCircuits, Stop, Transients};

/// A home of 2 kW at the end of 0.1 ohm, behind a stiff source.
const FEEDER: &str = "new circuit.small basekv=0.4 mvasc3=1000 mvasc1=1000\n\
    new line.l bus1=sourcebus.1 bus2=home.1 phases=1 r1=0.1 x1=0 c1=0\n\
    new load.h bus1=home.1 phases=1 kv=0.230940107675850 kw=2 kvar=0\n";

/// What is printed, or why not.
fn try_grid(options: &GridOptions) -> Result<String, String> {
    let mut out = Vec::new();
    match super::try_grid(options, &mut out) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(Stop::Refused(message)) => Err(message),
        Err(Stop::Output(error)) => panic!("{error}"),
    }
}

/// No short circuits, and what they are without being stated.
pub(super) fn unfaulted() -> ShortCircuits {
    ShortCircuits {
        faults: Vec::new(),
        fault_sweep: false,
        fault_resistance: 0.0,
        fault_reactance: 0.0,
        loaded: false,
        sources: Scaling::Maximum,
    }
}

fn options(file: PathBuf, format: Format) -> GridOptions {
    GridOptions {
        file,
        asym: false,
        tolerance: 1e-10,
        fixed_taps: false,
        format,
        svg: None,
        color_by: Colouring::Voltage,
        write: None,
        timings: false,
        series: None,
        sc: false,
        short_circuits: unfaulted(),
        transients: unplayed(),
    }
}

/// Nothing is played.
pub(super) fn unplayed() -> Transients {
    Transients {
        play: None,
        events: Vec::new(),
        fuses: Vec::new(),
        step: std::time::Duration::from_micros(50),
        watch: Vec::new(),
        every: None,
        comtrade: None,
    }
}

#[test]
fn a_network_is_printed_as_table_csv_and_json_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.dss");
    std::fs::write(&file, FEEDER).unwrap();
    let mut asked = options(file, Format::Json);
    asked.svg = Some(folder.path().join("small.svg"));
    let json: serde_json::Value = serde_json::from_str(&try_grid(&asked).unwrap()).unwrap();
    let node = &json["data"]["node"][1];
    assert_eq!((node["name"].as_str(), json["type"].as_str()), (Some("home"), Some("asym_output")));
    assert!(node["u"][1].is_null());
    // u (u0 - u) / 0.1 ohm = 2 kW, with u0 of 400 V between lines.
    let u0 = 400.0 / 3f64.sqrt();
    let expected = f64::midpoint(u0, (u0 * u0 - 800.0).sqrt());
    let found = node["u"][0].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
    let losses = json["lastmeter"]["losses_w"].as_f64().unwrap();
    assert!((losses - (2000.0 / expected).powi(2) * 0.1).abs() < 1e-3, "{losses}");
    let picture = std::fs::read_to_string(folder.path().join("small.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains(">home<"));

    asked.format = Format::Csv;
    let csv = try_grid(&asked).unwrap();
    assert!(csv.lines().any(|line| line.starts_with("line,l,from,a,,,,")), "{csv}");
    asked.format = Format::Table;
    let table = try_grid(&asked).unwrap();
    assert!(table.contains("2 nodes, 1 lines, 0 transformers"), "{table}");
}

/// Rated voltages that do not belong together, in every format: the notes report it.
#[test]
fn rated_voltages_that_do_not_belong_together_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let noted = |name: &str, text: &str| -> Vec<String> {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let output = try_grid(&options(file, Format::Json)).unwrap_or_else(|why| panic!("{why}"));
        let json: serde_json::Value = serde_json::from_str(&output).unwrap();
        serde_json::from_value(json["lastmeter"]["notes"].clone()).unwrap()
    };
    assert_eq!(noted("n.dss", FEEDER), [""; 0]);
    // A load of 230 V to earth that is written as one of 400 V.
    let found = noted("n.dss", &FEEDER.replace("kv=0.230940107675850", "kv=0.4"));
    let expected =
        "line 3: load `h`: it is rated for 400 V across each part and has 231 V to earth";
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    let page = include_str!("../../../../docs/networks.md");
    let example = page.split("```toml\n").nth(1).and_then(|it| it.split("```").next()).unwrap();
    let plate = example.replace("voltages = [\"10 kV\"", "voltages = [\"20 kV\"");
    assert_ne!(example, plate);
    let found = noted("n.toml", &plate);
    assert!(found.len() == 1 && found[0].contains("a winding is rated for 20000 V"), "{found:?}");
    let json = r#"{"version":"1.0","type":"input","is_batch":false,"attributes":{},"data":{
        "node":[{"id":1,"u_rated":400}],"source":[{"id":5,"node":1,"status":1,"u_ref":400}],
        "sym_load":[{"id":4,"node":1,"status":1,"type":0,"p_specified":1,"q_specified":0}]}}"#;
    let found = noted("n.json", json);
    let expected = "line 2: source `5`: its voltage is 160000 V, and node `1` is rated for 400 V";
    assert_eq!(found, [expected]);
}

/// The example that comes along, against the figures printed with it.
#[test]
fn the_feeder_of_baran_and_wu_has_its_published_losses() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../grids/baran-wu-33.toml");
    let mut asked = options(file, Format::Json);
    let json: serde_json::Value = serde_json::from_str(&try_grid(&asked).unwrap()).unwrap();
    let losses = json["lastmeter"]["losses_w"].as_f64().unwrap();
    assert!((losses - 202_677.0).abs() < 0.5, "{losses}");
    let nodes = json["data"]["node"].as_array().unwrap();
    let voltages = nodes.iter().map(|node| node["u_pu"][0].as_f64().unwrap());
    let lowest = voltages.fold(f64::INFINITY, f64::min);
    assert!((lowest - 0.9131).abs() < 5e-5, "{lowest}");
    asked.sc = true;
    asked.short_circuits = ShortCircuits {
        faults: vec!["open-a@lin 17:0.5".to_owned()],
        sources: Scaling::Actual,
        loaded: true,
        ..unfaulted()
    };
    let message = try_grid(&asked).unwrap_err();
    assert!(message.ends_with("did you mean `line 17:0.5`?"), "{message}");
}

/// What the page on networks shows can be taken as it stands.
#[test]
fn networks_of_the_documentation_are_solved() {
    let page = include_str!("../../../../docs/networks.md");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("n.toml");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|it| it.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        std::fs::write(&file, example).unwrap();
        let asked = options(file.clone(), Format::Json);
        let output = try_grid(&asked).unwrap_or_else(|why| panic!("{why}\n{example}"));
        let json: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_eq!(json["lastmeter"]["notes"], serde_json::json!([]));
        for node in json["data"]["node"].as_array().unwrap() {
            let voltage = node["u_pu"][0].as_f64().unwrap();
            assert!((0.95..1.05).contains(&voltage), "{node}");
        }
    }
}

/// Where a neutral carries something every format shows it.
#[test]
fn the_neutral_of_a_fault_is_in_the_json_too() {
    let page = include_str!("../../../../docs/networks.md");
    let example = page.split("```toml\n").nth(2).and_then(|it| it.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("n.toml");
    std::fs::write(&file, example).unwrap();
    let mut asked = options(file, Format::Json);
    asked.sc = true;
    asked.short_circuits = ShortCircuits {
        faults: vec!["an@farm".to_owned(), "ag@grid".to_owned()],
        sources: Scaling::Actual,
        loaded: false,
        ..unfaulted()
    };
    let json: serde_json::Value = serde_json::from_str(&try_grid(&asked).unwrap()).unwrap();
    let faults = json["short_circuits"].as_array().unwrap();
    let current = |wire: usize| faults[0]["current_a_rad"][wire][0].as_f64().unwrap();
    assert!(current(0) > 10.0 && (current(3) / current(0) - 1.0).abs() < 1e-9, "{json}");
    assert_eq!(faults[0]["voltage_v_rad"].as_array().unwrap().len(), 4);
    assert_eq!(faults[1]["current_a_rad"].as_array().unwrap().len(), 3);
}

#[test]
fn a_network_that_is_written_as_json_has_the_same_voltages() {
    let folder = tempfile::tempdir().unwrap();
    let toml = "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'a'\n[[node]]\nname = 'b'\n\
        [[source]]\nnode = 'a'\nshort_circuit_power = '10 MVA'\n\
        [[line]]\nname = 'l'\nfrom = 'a'\nto = 'b'\nr1 = '0.5 ohm/km'\nx1 = '0.1 ohm/km'\n\
        length = '100 m'\n[[load]]\nnode = 'b'\nwires = 'c'\np = '3 kW'\n";
    let (file, written) = (folder.path().join("n.toml"), folder.path().join("n.json"));
    std::fs::write(&file, toml).unwrap();
    let mut asked = options(file, Format::Json);
    asked.write = Some(written.clone());
    let read = |text: String| -> serde_json::Value { serde_json::from_str(&text).unwrap() };
    let one = read(try_grid(&asked).unwrap());
    let mut asked = options(written.clone(), Format::Json);
    asked.asym = true;
    let other = read(try_grid(&asked).unwrap());
    for document in [&one, &other] {
        assert_eq!(document["data"]["node"][1]["name"], "b");
    }
    for wire in 0..3 {
        let voltage =
            |of: &serde_json::Value| of["data"]["node"][1]["u_pu"][wire].as_f64().unwrap();
        assert!((voltage(&one) - voltage(&other)).abs() < 1e-9);
    }
    asked.write = Some(written);
    assert!(try_grid(&asked).unwrap_err().contains("name another file"));
}

#[test]
fn invalid_or_unsolvable_networks_are_reported_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.dss");
    let describe = |text: &str| {
        std::fs::write(&file, text).unwrap();
        try_grid(&options(file.clone(), Format::Table)).unwrap_err()
    };
    let shown = file.display().to_string();
    let unknown = describe(&format!("{FEEDER}new pvsystem.p\n"));
    assert!(unknown.starts_with(&format!("error: {shown}:4: pvsystem p: ")), "{unknown}");
    let twice = describe(&format!(
        "{FEEDER}new line.k bus1=sourcebus.1 bus2=home.1 phases=1 r1=-1 x1=0 c1=0\n"
    ));
    assert!(twice.starts_with(&format!("error: {shown}: line 4: line `k`: ")), "{twice}");
    let collapse = describe(&FEEDER.replace("kw=2", "kw=900 vminpu=0.01"));
    assert!(collapse.contains("home"), "{collapse}");
}

/// 231 V behind 0.16 ohm of the source and 0.1 ohm of the line: by division.
#[test]
fn short_circuits_are_calculated_at_nodes_along_lines_and_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stiff.dss");
    let stiff = FEEDER.replace("mvasc3=1000 mvasc1=1000", "mvasc3=1000000 mvasc1=1000000");
    std::fs::write(&file, stiff).unwrap();
    let ask = |faults: &[&str], everywhere: bool, resistance_ohm: f64| {
        let mut asked = options(file.clone(), Format::Csv);
        let faults = faults.iter().map(|&fault| fault.to_owned()).collect();
        let wanted = ShortCircuits {
            faults,
            fault_sweep: everywhere,
            fault_resistance: resistance_ohm,
            sources: Scaling::Actual,
            ..unfaulted()
        };
        asked.sc = true;
        asked.short_circuits = wanted;
        try_grid(&asked)
    };
    let current = |csv: &str, row: &str| -> f64 {
        let line = csv.lines().find(|line| line.starts_with(row)).unwrap();
        line.split(',').nth(3).unwrap().parse().unwrap()
    };
    let u0 = 400.0 / 3f64.sqrt();
    for (fault, row, resistance, ohm) in [
        ("ag@home", "ag,home,a", 0.0, 0.1),
        ("ag@home", "ag,home,a", 0.3, 0.4),
        ("ag@l:0.5", "ag,l:0.5,a", 0.0, 0.05),
    ] {
        let found = current(&ask(&[fault], false, resistance).unwrap(), row);
        assert!((found / (u0 / ohm) - 1.0).abs() < 1e-4, "{fault}: {found}");
    }
    let everywhere = ask(&[], true, 0.0).unwrap();
    assert!((current(&everywhere, "ag,home,a") / (u0 / 0.1) - 1.0).abs() < 1e-4);
    assert!(ask(&[], false, 0.0).unwrap_err().contains("--fault ag@NODE"));
    assert!(ask(&["ag@nowhere"], false, 0.0).unwrap_err().contains("`nowhere` is neither"));
    assert!(ask(&["ag@hom"], false, 0.0).unwrap_err().contains("did you mean `home`?"));
    assert!(!ask(&["ag@l:7"], false, 0.0).unwrap_err().contains("did you mean"));
    assert!(ask(&["xg@home"], false, 0.0).unwrap_err().contains(" fault; expected "));
}

/// Half way to the home, through 0.2 ohm, beside a home that is the admittance it was: by hand.
#[test]
fn a_short_circuit_with_load_sees_what_the_load_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stiff.dss");
    let stiff = FEEDER.replace("mvasc3=1000 mvasc1=1000", "mvasc3=1e9 mvasc1=1e9");
    std::fs::write(&file, stiff).unwrap();
    let picture = folder.path().join("fault.svg");
    let mut asked = options(file, Format::Csv);
    asked.svg = Some(picture.clone());
    let faults = vec!["ag@l:0.5".to_owned()];
    let wanted = ShortCircuits { faults, fault_resistance: 0.2, loaded: true, ..unfaulted() };
    asked.sc = true;
    asked.short_circuits = wanted.clone();
    let csv = try_grid(&asked).unwrap();
    let u0 = 400.0 / 3f64.sqrt();
    let before = f64::midpoint(u0, (u0 * u0 - 800.0).sqrt());
    let home_ohm = before * before / 2000.0;
    let siemens = 1.0 / 0.05 + 1.0 / 0.2 + 1.0 / (0.05 + home_ohm);
    let expected = u0 / 0.05 / siemens / 0.2;
    let row = csv.lines().find(|line| line.starts_with("ag,l:0.5,a")).unwrap();
    let found: f64 = row.split(',').nth(3).unwrap().parse().unwrap();
    assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    asked.format = Format::Table;
    assert!(try_grid(&asked).unwrap().contains("with loads as the admittances"));
    // Several by themselves are not one picture.
    let faults = vec!["ag@home".to_owned(), "ag@l:0.5".to_owned()];
    asked.sc = true;
    asked.short_circuits = ShortCircuits { faults, ..wanted };
    assert!(try_grid(&asked).unwrap_err().contains("a picture shows one short circuit"));
}

/// u (u0 - u) / 0.1 ohm = P at each row; a row by itself is what the power flow finds.
#[test]
fn loads_follow_a_table_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let (file, rows) = (folder.path().join("small.dss"), folder.path().join("rows.csv"));
    let stiff = FEEDER.replace("mvasc3=1000 mvasc1=1000", "mvasc3=1000000 mvasc1=1000000");
    std::fs::write(&file, stiff).unwrap();
    std::fs::write(&rows, "time,h,h.q_var\n00:00,0,0\n00:01,2000,0\n00:02,-3000,0\n").unwrap();
    let mut asked = options(file.clone(), Format::Csv);
    asked.series = Some(rows.clone());
    let csv = try_grid(&asked).unwrap();
    let found: Vec<Vec<&str>> = csv.lines().skip(1).map(|row| row.split(',').collect()).collect();
    assert_eq!(found.len(), 3);
    let u0 = 400.0 / 3f64.sqrt();
    for (row, p) in found.iter().zip([0.0_f64, 2000.0, -3000.0]) {
        let u = f64::midpoint(u0, (u0 * u0 - 0.4 * p).sqrt());
        let losses: f64 = row[5].parse().unwrap();
        assert!((losses - (p / u).powi(2) * 0.1).abs() < 1e-2, "{row:?}");
        let extreme: f64 = row[if p < 0.0 { 8 } else { 6 }].parse().unwrap();
        assert!((extreme - u / u0).abs() < 1e-5, "{row:?}");
    }
    asked.format = Format::Json;
    let json: serde_json::Value = serde_json::from_str(&try_grid(&asked).unwrap()).unwrap();
    assert_eq!((&json["is_batch"], json["data"].as_array().unwrap().len()), (&true.into(), 3));
    asked.series = None;
    let alone: serde_json::Value = serde_json::from_str(&try_grid(&asked).unwrap()).unwrap();
    assert_eq!(json["data"][1], alone["data"]);
    asked.format = Format::Table;
    asked.series = Some(rows.clone());
    assert!(try_grid(&asked).unwrap().contains("3 steps"));
    // What was solved before a step that cannot be is there.
    std::fs::write(&file, FEEDER.replace("kw=2", "kw=2 vminpu=0.01")).unwrap();
    std::fs::write(&rows, "time,h\nnoon,2000\none,900000\n").unwrap();
    let mut out = Vec::new();
    assert!(super::try_grid(&asked, &mut out).is_err());
    assert!(String::from_utf8(out).unwrap().lines().last().unwrap().starts_with("noon"));
}

/// 0.9 of the rated voltage, and taps for 5 % of it: their regulator ends below its band. With a
/// set point that they reach nothing is reported, nor where taps stay as they are.
#[test]
fn a_regulator_without_more_taps_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("n.toml");
    let network = "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'high'\nvoltage = '10 kV'\n\
        [[node]]\nname = 'low'\n[[source]]\nnode = 'high'\nvoltage = '9 kV'\n\
        short_circuit_power = '250 MVA'\n[[transformer]]\nname = 'T'\nfrom = 'high'\nto = 'low'\n\
        group = 'Dyn5'\nvoltages = ['10 kV', '400 V']\npower = '400 kVA'\nuk = '4 %'\n\
        tap = { step = '2.5 %', lowest = -2, highest = 2 }\n[[load]]\nnode = 'low'\np = '4 kW'\n\
        [[regulator]]\nname = 'g'\ntransformer = 'T'\nside = 'to'\nset_point = '231 V'\n\
        band = '6 V'\n";
    let mut asked = options(file.clone(), Format::Json);
    let notes = |asked: &GridOptions, text: &str| {
        std::fs::write(&file, text).unwrap();
        let json: serde_json::Value = serde_json::from_str(&try_grid(asked).unwrap()).unwrap();
        json["lastmeter"]["notes"].clone()
    };
    let list = notes(&asked, network);
    let list: Vec<&str> = list.as_array().unwrap().iter().filter_map(|it| it.as_str()).collect();
    assert_eq!(list.len(), 1, "{list:?}");
    // 231 V times 0.9 over 0.95, less some hundredths at the transformer.
    let expected = "regulator g is at the lowest tap -2 of T and sees 218.";
    assert!(list[0].starts_with(expected), "{list:?}");
    assert!(list[0].ends_with(" V, outside of its band of 231 V +- 3 V"), "{list:?}");
    asked.format = Format::Table;
    assert!(try_grid(&asked).unwrap().contains("note: regulator g is at the lowest tap -2 of T"));
    asked.format = Format::Json;
    let reached = network.replace("231 V", "217 V");
    assert_eq!(notes(&asked, &reached), serde_json::json!([]));
    let above = network.replace("231 V", "200 V").replace("'9 kV'", "'10 kV'");
    let list = notes(&asked, &above).to_string();
    assert!(list.contains("is at the highest tap 2 of T and sees 219."), "{list}");
    asked.fixed_taps = true;
    let at_the_end = network.replace("lowest = -2", "position = -2, lowest = -2");
    assert_eq!(notes(&asked, &at_the_end), serde_json::json!([]));
}

#[test]
fn invalid_series_tables_are_reported_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let (file, rows) = (folder.path().join("small.dss"), folder.path().join("rows.csv"));
    // Its power stays constant where voltages are low, so there are some that it cannot have.
    std::fs::write(&file, FEEDER.replace("kw=2", "kw=2 vminpu=0.01")).unwrap();
    let mut asked = options(file, Format::Csv);
    asked.series = Some(rows.clone());
    for (text, expected) in [
        (
            "time,house\n0,1\n",
            "rows.csv`, line 1: `house` is not a load of the network; its loads are h",
        ),
        ("time,h,h.p_w\n0,1,1\n", "`h.p_w` has two columns"),
        (
            "time,h\n0,1\n1,x\n",
            "rows.csv`, line 3, column 2 (`h`): found `x`, expected a number of watts",
        ),
        ("time,h\n0,inf\n", "(`h`): found `inf`"),
        ("time,h\n0,1,2\n", "rows.csv"),
        ("time,h\n", "it has no rows"),
        ("time\n0\n", "it has no column of a load"),
        ("", "rows.csv`: it is empty"),
        ("time,h\nnoon,2000\none,900000\n", "with row 2 (one) of"),
        (
            "h,h.q_var\n2000,0\n",
            "rows.csv`, line 1: the first column is the time of each row, but this",
        ),
        ("h.q_var,h\n0,2000\n", "is called `h.q_var` as a load of the network is; put a column"),
        (
            "time,h\n0,1\n900,1\n900,1\n",
            "rows.csv`, line 4, column 1: the time `900` is not later than `900`",
        ),
        (
            "t,h\n00:15,1\n00:00,1\n",
            "rows.csv`, line 3, column 1: the time `00:00` is not later than `00:15`",
        ),
        (
            "x,h\n2027-01-18 10:00,1\n2027-01-17 11:00,1\n",
            "rows.csv`, line 3, column 1: the time `2027-01-17 11:00` is not later",
        ),
        (
            "time;h\n0;1,5\n",
            "rows.csv`, line 1: its header has 2 fields by semicolons, and none by",
        ),
        ("time\th\n0\t1\n", "rows.csv`, line 1: its header has 2 fields by tabs"),
    ] {
        std::fs::write(&rows, text).unwrap();
        let message = try_grid(&asked).unwrap_err();
        assert!(message.contains(expected), "{text:?}: {message}");
    }
    // Clocks pass midnight, and labels are what they like.
    for text in [
        "time,h\n12:00,1\n23:50,1\n00:00,1\n",
        "x,h\nnoon,1\nnoon,1\n",
        "hour,h\n23,1\n0,1\n",
        "time,h\n18.01.2027 23:00,1\n18.1.2027 23:15,1\n",
    ] {
        std::fs::write(&rows, text).unwrap();
        assert!(try_grid(&asked).is_ok(), "{text:?}");
    }
}

#[test]
fn events_are_at_places_whose_names_have_spaces_and_in_metres() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("street.toml");
    let text = "format = 1\nvoltage = \"400 V\"\n[[node]]\nname = \"bus\"\n[[node]]\n\
         name = \"house 7\"\n[[source]]\nname = \"the supply\"\nnode = \"bus\"\n\
         short_circuit_power = \"10 MVA\"\n[[line]]\nname = \"branch cable\"\nfrom = \"bus\"\n\
         to = \"house 7\"\nlength = \"120 m\"\nr1 = \"0.2 ohm/km\"\nx1 = \"0.1 ohm/km\"\n";
    std::fs::write(&file, text).unwrap();
    let played = |events: &[&str]| {
        let mut asked = options(file.clone(), Format::Csv);
        asked.transients.play = Some(std::time::Duration::from_millis(60));
        asked.transients.events = events.iter().map(|it| (*it).to_owned()).collect();
        asked.transients.watch = vec!["house 7".to_owned()];
        try_grid(&asked)
    };
    let share = played(&["15ms fault bg@branch cable:0.25 0.1", "40ms clear bg@branch cable:0.25"]);
    let share = share.unwrap();
    let metres = ["15ms fault bg@branch cable:30m 0.1", "40ms clear bg@branch cable:30m"];
    assert_eq!(played(&metres).unwrap(), share);
    assert_ne!(played(&["15ms fault bg@branch cable:30m"]).unwrap(), share);
    let house = played(&["15ms fault bg@house 7"]).unwrap();
    assert_eq!(played(&["15ms fault bg@house 7 0"]).unwrap(), house);
    played(&["15ms source the supply 0.9"]).unwrap();
    let wrong = played(&["15ms fault bg@house 8"]).unwrap_err();
    assert!(wrong.contains("did you mean `house 7`?"), "{wrong}");
    let wrong = played(&["15ms fault bg@house 7 x"]).unwrap_err();
    assert!(wrong.contains("`x` is not a number from 0 on"), "{wrong}");
}

/// A street of four wires with an electrode at its transformer.
const STREET: &str = r#"format = 1
voltage = "400 V"
node = [
    { name = "grid", voltage = "10 kV" },
    { name = "bus", wires = "abcn" },
    { name = "home", wires = "abcn" },
]
source = [{ name = "supply", node = "grid", short_circuit_power = "250 MVA" }]
line = [{ name = "main", from = "bus", to = "home", length = "200 m",
          r1 = "0.2 ohm/km", x1 = "0.08 ohm/km", c1 = "3000 nF/km" }]
load = [{ name = "home", node = "home", p = ["6 kW", "1 kW", "2 kW"], model = "impedance" }]
[[transformer]]
name = "T1"
from = "grid"
to = "bus"
group = "Dyn5"
voltages = ["10 kV", "400 V"]
power = "250 kVA"
uk = "4 %"
neutral_resistance = "2 ohm"
"#;

/// RMS values over the last period by channel.
fn played(events: &[&str]) -> Result<std::collections::BTreeMap<String, f64>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("street.toml");
    std::fs::write(&file, STREET).unwrap();
    let mut asked = options(file, Format::Json);
    asked.transients.play = Some(std::time::Duration::from_millis(120));
    asked.transients.events = events.iter().map(|it| (*it).to_owned()).collect();
    asked.transients.watch = ["home", "main"].map(str::to_owned).into();
    let text = try_grid(&asked)?;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rms = |it: &serde_json::Value| {
        let all = it["values"].as_array().unwrap();
        let last = all[all.len() - 400..].iter().map(|it| it.as_f64().unwrap().powi(2));
        (it["name"].as_str().unwrap().to_owned(), (last.sum::<f64>() / 400.0).sqrt())
    };
    Ok(json["channels"].as_array().unwrap().iter().map(rms).collect())
}

#[test]
fn currents_of_a_fault_are_those_of_its_wires_and_of_earth() {
    let close = |one: f64, other: f64| assert!((one / other - 1.0).abs() < 0.01, "{one} {other}");
    let found = played(&["20ms fault bcg@home 0.5"]).unwrap();
    let [b, c, earth] = ["b", "c", "g"].map(|it| found[&format!("fault.bcg@home.{it}")]);
    assert!(b > 1000.0 && c > 1000.0 && b < found["main.i.b"] * 1.01, "{found:?}");
    // Both phases have one voltage there, which drives the current of earth through 0.5 ohm.
    close(earth * 0.5, found["home.v.b"]);
    close(earth * 0.5, found["home.v.c"]);
    let cleared = played(&["20ms fault bcg@home 0.5", "60ms clear bcg@home"]).unwrap();
    assert!(["b", "c", "g"].iter().all(|it| cleared[&format!("fault.bcg@home.{it}")] == 0.0));
    let neutral = played(&["20ms fault an@home 0.1"]).unwrap();
    close(neutral["fault.an@home.a"], neutral["fault.an@home.n"]);
    assert!(!neutral.contains_key("fault.an@home.g"));
    // `abc` is each phase to earth here, and of `abg` both lead there through one resistance.
    let three = played(&["20ms fault abc@home 1"]).unwrap();
    close(three["fault.abc@home.a"], three["home.v.a"]);
    for (event, expected) in [
        ("20ms fault ng@home", "a neutral wire to earth is not played; expected a phase"),
        ("20ms fault an@grid", "node `grid` has the wires abc only"),
    ] {
        let message = played(&[event]).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_neutral_is_lost_in_a_line_and_at_the_transformer() {
    let across = |found: &std::collections::BTreeMap<String, f64>| found["home.v.n"];
    let whole = played(&[]).unwrap();
    assert!(across(&whole) < 5.0, "{whole:?}");
    // The load is the only one, so both are the same to it; 2 ohm carry what charging there is.
    for event in ["20ms open main n", "20ms open T1 n"] {
        let lost = played(&[event]).unwrap();
        assert!(across(&lost) > 80.0, "{event}: {lost:?}");
        let closes = format!("60ms close{}", event.strip_prefix("20ms open").unwrap());
        assert!(across(&played(&[event, &closes]).unwrap()) < 5.0, "{closes}");
    }
    for (event, expected) in [
        ("20ms open T1 a", "the network has no switch or line `T1`"),
        ("20ms open mian n", "did you mean `main`?"),
    ] {
        let message = played(&[event]).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_step_that_is_too_long_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("street.toml");
    // Half of 10.5 uF behind 0.28 ohm swings with 430 us: below the 50th harmonic.
    std::fs::write(&file, STREET.replace("200 m", "3.5 km")).unwrap();
    let mut read = super::read(&file).unwrap();
    let mut asked = options(file, Format::Csv);
    let length = std::time::Duration::from_millis(40);
    let mut notes = |step_us: u64, event: &str| {
        asked.transients.step = std::time::Duration::from_micros(step_us);
        asked.transients.events = vec![event.to_owned()];
        let before = read.notes.len();
        super::transient::answer(&mut read, &asked, length, &super::Options::default()).unwrap();
        read.notes[before..].to_vec()
    };
    let list = notes(50, "10ms fault ab@home");
    assert!(list.len() == 1 && list[0].starts_with("W005: a step of 50.000 us"), "{list:?}");
    assert_eq!(notes(1, "10ms fault ab@home"), Vec::<String>::new());
}
