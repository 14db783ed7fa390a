//! Series against the plain power flow of files that have a row's powers written into them.

use std::path::PathBuf;

use super::super::{Format, GridOptions, Stop, try_grid};
use lastmeter_grid::diagram::Colouring;

/// A line of four wires' worth of unlike phases, as JSON of power-grid-model; a load of three parts
/// and a generator.
fn json([p, q]: [[f64; 3]; 2], sun_w: f64) -> String {
    format!(
        r#"{{"version":"1.0","type":"input","is_batch":false,"attributes":{{}},"data":{{
        "node":[{{"id":1,"u_rated":400}},{{"id":2,"u_rated":400}}],
        "line":[{{"id":3,"from_node":1,"to_node":2,"from_status":1,"to_status":1,"r1":0.1,"x1":0.05,
            "c1":0,"tan1":0,"r0":0.3,"x0":0.1,"c0":0,"tan0":0,"i_n":300}}],
        "asym_load":[{{"id":4,"node":2,"status":1,"type":0,"p_specified":{p:?},"q_specified":{q:?}}}],
        "sym_gen":[{{"id":6,"node":2,"status":1,"type":0,"p_specified":{sun_w},"q_specified":0}}],
        "source":[{{"id":5,"node":1,"status":1,"u_ref":1.0,"sk":1e8}}]}}}}"#
    )
}

/// A load in star and one in delta, in our own TOML.
fn toml([p, q]: [[f64; 3]; 2], [between_p, between_q]: [[f64; 3]; 2]) -> String {
    let list = |values: [f64; 3], unit: &str| {
        let values: Vec<String> = values.iter().map(|it| format!("'{it} {unit}'")).collect();
        values.join(", ")
    };
    format!(
        "format = 1\nvoltage = '400 V'\n[[node]]\nname = 'a'\n[[node]]\nname = 'b'\n[[source]]\n\
         node = 'a'\nshort_circuit_power = '100 MVA'\n[[line]]\nname = 'l'\nfrom = 'a'\nto = 'b'\n\
         length = '100 m'\nr1 = '1 ohm/km'\nx1 = '0.5 ohm/km'\n[[load]]\nname = 'h.1'\nnode = 'b'\n\
         p = [{}]\nq = [{}]\n[[load]]\nname = 'd'\nnode = 'b'\nconnection = 'delta'\n\
         p = [{}]\nq = [{}]\n",
        list(p, "W"),
        list(q, "var"),
        list(between_p, "W"),
        list(between_q, "var")
    )
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn options(&self, network: &str, rows: Option<&str>, by_phase: bool) -> GridOptions {
        let is_json = network.starts_with('{');
        let name = if is_json { "n.json" } else { "n.toml" };
        let (file, table) = (self.0.path().join(name), self.0.path().join("rows.csv"));
        std::fs::write(&file, network).unwrap();
        let series: Option<PathBuf> = rows.map(|rows| {
            std::fs::write(&table, rows).unwrap();
            table
        });
        GridOptions {
            file,
            asym: by_phase,
            tolerance: 1e-12,
            fixed_taps: false,
            format: Format::Json,
            svg: None,
            color_by: Colouring::Voltage,
            write: None,
            timings: false,
            series,
            sc: false,
            short_circuits: super::super::tests::unfaulted(),
            transients: super::super::tests::unplayed(),
        }
    }

    fn answer(&self, network: &str, rows: Option<&str>) -> Result<serde_json::Value, String> {
        answer(&self.options(network, rows, true))
    }
}

fn answer(options: &GridOptions) -> Result<serde_json::Value, String> {
    let mut out = Vec::new();
    match try_grid(options, &mut out) {
        Ok(()) => Ok(serde_json::from_slice(&out).unwrap()),
        Err(Stop::Refused(why)) => Err(why),
        Err(Stop::Output(why)) => panic!("{why}"),
    }
}

/// The voltages of all nodes and phases, per unit.
fn voltages(data: &serde_json::Value) -> Vec<f64> {
    let nodes = data["node"].as_array().unwrap();
    let all = nodes.iter().flat_map(|node| node["u_pu"].as_array().unwrap());
    all.map(|it| it.as_f64().unwrap()).collect()
}

/// Whether each row of the table leads where the file that has its powers written into it does.
fn same_as_written(folder: &Folder, network: &str, rows: &str, written: &[String]) {
    let series = folder.answer(network, Some(rows)).unwrap_or_else(|why| panic!("{rows}: {why}"));
    let steps = series["data"].as_array().unwrap();
    assert_eq!(steps.len(), written.len(), "{rows}");
    for (step, written) in steps.iter().zip(written) {
        let found = voltages(step);
        let expected = voltages(&folder.answer(written, None).unwrap()["data"]);
        let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-10, "{rows} off {off:e}\n{found:?}\n{expected:?}");
    }
}

const OWN: [[f64; 3]; 2] = [[9000.0, 0.0, 3000.0], [0.0, 4000.0, 0.0]];

#[test]
fn a_table_that_may_be_cut_is_noted() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let options = folder.options(&json(OWN, 0.0), Some("time,4\n0,12000\n60,6000\n"), true);
    let network = super::super::read(&options.file).unwrap().network;
    let file = options.series.unwrap();
    let phases = lastmeter_grid::flow::Phases::All;
    let is_cut = || super::columns::table(&file, &network, phases).unwrap().is_cut;
    assert!(!is_cut());
    std::fs::write(&file, "time,4\n0,12000\n60,60").unwrap();
    assert!(is_cut());
}

#[test]
fn a_whole_is_split_as_the_file_splits_it() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let base = json(OWN, 0.0);
    // The file's own totals change nothing; others keep the split of each.
    let rows = "time,4,4.q_var\n0,12000,4000\n60,6000,-2000\n";
    let half = json([[4500.0, 0.0, 1500.0], [0.0, -2000.0, 0.0]], 0.0);
    same_as_written(&folder, &base, rows, &[base.clone(), half]);
    // With the active power alone every part keeps its power factor.
    let twice = json([[18e3, 0.0, 6e3], [0.0, 8e3, 0.0]], 0.0);
    same_as_written(&folder, &base, "time,4.p_w\n0,24000\n", &[twice]);
    // With the reactive power alone the active one stays.
    let other = json([OWN[0], [0.0, 1000.0, 0.0]], 0.0);
    same_as_written(&folder, &base, "time,4.q_var\n0,1000\n", &[other]);
    // Where the file has no reactive power that is split like the active one, else evenly.
    let like_p = json([OWN[0], [750.0, 0.0, 250.0]], 0.0);
    same_as_written(&folder, &json([OWN[0], [0.0; 3]], 0.0), "time,4.q_var\n0,1000\n", &[like_p]);
    let even = json([[1000.0; 3], [100.0; 3]], 0.0);
    let nothing = json([[0.0; 3]; 2], 0.0);
    same_as_written(&folder, &nothing, "time,4,4.q_var\n0,3000,300\n", &[even]);
    // Reactive power beside no active power has no power factor: it stays.
    let capacitive = json([[0.0; 3], [-100.0, 0.0, 0.0]], 0.0);
    let drawn = json([[1000.0; 3], [-100.0, 0.0, 0.0]], 0.0);
    same_as_written(&folder, &capacitive, "time,4\n0,3000\n", &[drawn]);
}

#[test]
fn parts_have_columns_of_their_own() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let base = json(OWN, 500.0);
    let rows = "time,4.p_w.a,4.p_w.b,4.p_w.c,4.q_var.a,4.q_var.b,4.q_var.c,6.p_w.b\n\
                0,1000,2000,-3000,100,-200,300,4000\n";
    let written = json([[1000.0, 2000.0, -3000.0], [100.0, -200.0, 300.0]], 0.0);
    // The generator delivers 4 kW on b, and a third of 500 W on the others.
    let written = written.replace("\"sym_gen\"", "\"asym_gen\"").replace(
        "\"p_specified\":0,\"q_specified\":0",
        "\"p_specified\":[166.66666666666666,4000,166.66666666666666],\"q_specified\":[0,0,0]",
    );
    same_as_written(&folder, &base, rows, &[written]);
    // A part keeps its power factor; parts without a column stay as they are.
    let one = json([[18e3, 0.0, 3000.0], [0.0, 4000.0, 0.0]], 500.0);
    same_as_written(&folder, &base, "time,4.p_w.a\n0,18000\n", &[one]);
    let scaled = json([[1500.0, 1000.0, 1000.0], [300.0, 200.0, 100.0]], 0.0);
    let described = json([[1000.0; 3], [200.0, 200.0, 100.0]], 0.0);
    same_as_written(&folder, &described, "time,4.p_w.a\n0,1500\n", &[scaled]);
    // A whole of one kind beside parts of the other.
    let mixed = json([[1000.0, 2000.0, 0.0], [0.0, 400.0, 0.0]], 0.0);
    let rows = "time,4.p_w.a,4.p_w.b,4.p_w.c,4.q_var\n0,1000,2000,0,400\n";
    same_as_written(&folder, &json(OWN, 0.0), rows, &[mixed]);
}

#[test]
fn our_own_networks_and_deltas_are_split_likewise() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let between = [[600.0, 0.0, 300.0], [0.0, 200.0, 100.0]];
    let base = toml(OWN, between);
    let rows = "time,h.1,h.1.q_var,d,d.q_var\n0,12000,4000,900,300\n1,6000,2000,1800,-600\n";
    let half = [[4500.0, 0.0, 1500.0], [0.0, 2000.0, 0.0]];
    let twice = [[1200.0, 0.0, 600.0], [0.0, -400.0, -200.0]];
    same_as_written(&folder, &base, rows, &[base.clone(), toml(half, twice)]);
    let rows = "time,d.p_w.ab,d.p_w.bc,d.q_var.ca,h.1.p_w.b\n0,100,200,50,1000\n";
    let parts = [[100.0, 200.0, 300.0], [0.0, 200.0, 50.0]];
    // In `bc` there was no power factor to keep, in `ca` the reactive power has its column.
    let home = [[9000.0, 1000.0, 3000.0], OWN[1]];
    same_as_written(&folder, &base, rows, &[toml(home, parts)]);
}

#[test]
fn columns_that_cannot_be_followed_are_rejected() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let base = json(OWN, 0.0);
    for (head, expected) in [
        (
            "time,4.p_w.d",
            "rows.csv`, line 1: `4.p_w.d`: load `4` has no part `d`; its parts are a, b, c",
        ),
        (
            "time,4,4.p_w.a",
            "rows.csv`, line 1: `4.p_w.a`: another column gives the same power of load `4`",
        ),
        ("time,4.p_w.a,4.p_w.a", "rows.csv`, line 1: `4.p_w.a` has two columns"),
        (
            "time,4.p.a",
            "rows.csv`, line 1: `4.p.a` is not a load of the network; its loads are 6, 4",
        ),
    ] {
        let values = vec!["0"; head.split(',').count()].join(",");
        let why = folder.answer(&base, Some(&format!("{head}\n{values}\n"))).unwrap_err();
        assert!(why.contains(expected), "{head}: {why}");
    }
    let opposite = json([[1000.0, -1000.0, 0.0], [0.0; 3]], 0.0);
    let why = folder.answer(&opposite, Some("time,4\n0,10\n")).unwrap_err();
    assert!(why.contains("the powers of load `4` add up to nothing over its parts"), "{why}");
    let rows = Some("time,4.p_w.a\n0,10\n");
    let why = answer(&folder.options(&base, rows, false)).unwrap_err();
    assert!(why.contains("solved by its positive sequence") && why.contains("--asym"), "{why}");
}
