//! Published feeders as they are, and small scripts with what they come to, worked out by hand.

use std::path::{Path, PathBuf};

use num_complex::Complex64;
use proptest::prelude::*;

use super::class::CLASSES;
use super::table::{COMMANDS, Entry, Except, Fate, NOTED_CLASSES, OPTIONS};
use super::{Document, read};
use crate::format::Refusal;
use crate::network::{
    Configuration, LineImpedance, LoadModel, Magnetising, Neutral, ShuntAdmittance, VoltageBand,
    WindingKind, Wire,
};

/// Reads a script of the folder behind `LASTMETER_GRID_DATA`; none if that is not there.
fn feeder(path: &str) -> Option<Result<Document, Refusal>> {
    let Some(data) = std::env::var_os("LASTMETER_GRID_DATA") else {
        println!("SKIPPED: LASTMETER_GRID_DATA does not name the folder of networks");
        return None;
    };
    let main = PathBuf::from(data).join("opendss").join(path);
    let folder = main.parent().map(PathBuf::from).unwrap_or_default();
    let open = |path: &Path| std::fs::read_to_string(path).map_err(|why| why.to_string());
    let text = open(&main).unwrap();
    Some(read(path, &text, &mut |name| open(&folder.join(name))))
}

fn script(text: &str) -> Result<Document, Refusal> {
    read("main.dss", text, &mut |name| match name {
        "codes/one.dss" => Ok("redirect two.dss".to_owned()),
        "codes/two.dss" => Ok("new linecode.short nphases=1 r1=0.5 x1=0.25 c1=0 units=km".into()),
        "loop.dss" => Ok("redirect loop.dss".to_owned()),
        "p.csv" => Ok("0.5\n0.25\n\n1".to_owned()),
        _ => Err("there is no such file".to_owned()),
    })
}

const HEAD: &str = "clear\nset defaultbasefrequency=50\nnew circuit.small basekv=11 pu=1.05 \
                    angle=30 isc3=3000 isc1=2500\n";

fn close(found: Complex64, re: f64, im: f64) {
    let expected = Complex64::new(re, im);
    assert!((found - expected).norm() <= 1e-9 * expected.norm(), "{found} is not {expected}");
}

#[test]
fn published_feeders_are_read_as_they_are() {
    let counts = [
        ("13Bus/IEEE13Nodeckt.dss", (16, 12, 5, 15)),
        ("34Bus/Run_IEEE34Mod1.dss", (37, 32, 8, 68)),
        ("34Bus/Run_IEEE34Mod2.dss", (56, 51, 8, 38)),
        ("LVTestCase/Master.dss", (907, 905, 1, 55)),
    ];
    for (path, expected) in counts {
        let Some(read) = feeder(path) else { return };
        let document = read.unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        let network = &document.network;
        let (nodes, lines) = (network.nodes.len(), network.lines.len());
        let found = (nodes, lines, network.transformers.len(), network.loads.len());
        assert_eq!(found, expected, "{path}");
        assert!(network.nodes.iter().all(|node| node.rated_voltage_v > 0.0));
    }
}

#[test]
fn a_source_has_the_impedance_of_its_short_circuits() {
    let source = script(HEAD).unwrap().network.sources[0].clone();
    assert_eq!(source.voltage_v, 11_550.0);
    let phase = 11_000.0 / 3f64.sqrt();
    assert!((phase / source.z1_ohm.norm() - 3000.0).abs() < 1e-6);
    let one = 3.0 * phase / (source.z1_ohm * 2.0 + source.z0_ohm).norm();
    assert!((one - 2500.0).abs() < 1e-6, "{one}");
    assert!((source.z1_ohm.im / source.z1_ohm.re - 4.0).abs() < 1e-9);
    assert!((source.z0_ohm.im / source.z0_ohm.re - 3.0).abs() < 1e-9);
}

#[test]
fn a_line_takes_its_code_by_its_units() {
    let text = format!(
        "{HEAD}New LineCode.m nphases=2 units=mi rmatrix=[1.609344 | 0.1 3.218688] \
         xmatrix=(1 2 | 2 3) cmatrix=\"10 | -1 20\"\n\
         NEW LINE.a Bus1=sourcebus.1.3 bus2=b.1.3 linec=m Length=500 units=m\n\
         new line.s bus1=SourceBus bus2=c switch=y r1=1e-4 r0=1e-4 x1=0 x0=0 c1=0 c0=0\n\
         new line.d sourcebus d ! by position, all else by default, in thousands of feet\n"
    );
    let network = script(&text).unwrap().network;
    let LineImpedance::Matrix { series_ohm, shunt_s } = &network.lines[0].impedance else {
        panic!("a matrix");
    };
    close(series_ohm.rows[0][0], 0.5, 500.0 / 1609.344);
    close(series_ohm.rows[1][1], 1.0, 1500.0 / 1609.344);
    let siemens = std::f64::consts::TAU * 50.0 * 20e-9 * 500.0 / 1609.344;
    // The code's frequency is that of the circuit.
    close(shunt_s.rows[1][1], 0.0, siemens);
    assert_eq!(network.lines[0].from.wires.as_slice(), [Wire::A, Wire::C]);
    assert_eq!(network.lines[0].length_m, Some(500.0));
    let figures = |at: usize| match &network.lines[at].impedance {
        LineImpedance::Sequence(own) => *own,
        LineImpedance::Matrix { .. } => panic!("by sequence"),
    };
    close(figures(1).z1_ohm, 1e-7, 0.0);
    close(figures(2).z0_ohm, 0.1784, 0.4047);
    close(figures(2).y1_s, 0.0, std::f64::consts::TAU * 50.0 * 3.4e-9);
}

#[test]
fn a_neutral_is_eliminated_from_a_code() {
    let text = format!(
        "{HEAD}new linecode.k nphases=2 rmatrix=[4 | 2 2] xmatrix=[0 | 0 0] cmatrix=[3 | 1 2] \
         kron=y\nnew line.k bus1=sourcebus.1 bus2=k.1 linecode=k length=2"
    );
    let network = script(&text).unwrap().network;
    let LineImpedance::Matrix { series_ohm, .. } = &network.lines[0].impedance else {
        panic!("a matrix");
    };
    // 4 - 2 * 2 / 2, twice.
    assert_eq!(series_ohm.size, 1);
    close(series_ohm.rows[0][0], 4.0, 0.0);
}

#[test]
fn transformers_have_the_phase_shift_of_their_windings() {
    let text = format!(
        "{HEAD}new transformer.t buses=[sourcebus, low] conns=[delta wye] kvs=\"11 0.4\" \
         kvas={{800 800}} xhl=4 %loadloss=1.5 %noloadloss=0.2 %imag=0.5 ppm=0\n\
         ~ wdg=2 tap=(0.00625 -3 * 1 +)\n\
         new transformer.e like=t leadlag=euro buses=(sourcebus low2)\n\
         new transformer.r phases=1 buses=[low.2 reg.2] kvs=[0.23 0.23] kvas=[50 50]\n\
         new regcontrol.r transformer=r winding=2 vreg=122 band=2 ptratio=2 ctprim=70 r=3\n\
         new transformer.o phases=1 buses=[low.1.2 open.1.2] conns=[delta delta] kvs=[0.4 0.4]\n\
         set voltagebases=[11 0.4]\ncalcv\n"
    );
    let network = script(&text).unwrap().network;
    let transformer = &network.transformers[0];
    close(transformer.short_circuit_pu[0], 0.015, 0.04);
    let earth = Neutral::Earthed(Complex64::ZERO);
    assert_eq!(transformer.windings[1].kind, WindingKind::Star(earth));
    assert_eq!(transformer.windings[1].tap.unwrap().position, -3);
    let Magnetising::AtWinding { winding: 1, y_pu, antifloat_pu: floats } = transformer.magnetising
    else {
        panic!("at the second winding");
    };
    close(y_pu, 0.002, -0.005);
    // The higher voltage leads by ANSI: Dyn1; by the way of Europe Dyn11.
    assert_eq!((transformer.clock[0], network.transformers[1].clock[0]), (1, 11));
    assert_eq!(network.regulators[0].wire, Wire::B);
    assert_eq!((network.regulators[0].transformer, network.regulators[0].against), (2, None));
    let open = &network.transformers[3].windings[0];
    assert_eq!((open.kind, open.connection.wires.as_slice().len()), (WindingKind::Delta, 2));
    assert_eq!(network.nodes[1].rated_voltage_v, 400.0);
    let Magnetising::AtWinding { antifloat_pu, .. } = network.transformers[2].magnetising else {
        panic!("at the second winding");
    };
    assert_eq!((floats, antifloat_pu), (0.0, 1e-6));
}

#[test]
fn loads_have_their_power_by_what_was_given_last() {
    let text = format!(
        "{HEAD}new loadshape.s npts=3 sinterval=900 mult=(file=gone.csv)\n\
         new load.a bus1=sourcebus.2 phases=1 kv=6.35 kw=8 pf=0.8 daily=s\n\
         new load.b bus1=sourcebus kv=11 kw=30 kvar=-9 model=5 conn=delta vminpu=.8 vlowpu=.6\n\
         new load.c bus1=sourcebus.3.1 phases=1 kv=11 kva=50 pf=-0.6 conn=delta model=2\n\
         load.a.model=4 cvrwatts=0.8\n\
         new capacitor.c bus1=sourcebus kvar=600 kv=11\nset loadmult=2\n"
    );
    let document = script(&text).unwrap();
    let loads = &document.network.loads;
    close(loads[0].power_va[0], 16e3, 12e3);
    assert_eq!(loads[0].model, LoadModel::Exponential { active: 0.8, reactive: 2.0 });
    // What counts for runs over time is noted, and its file is not opened.
    let noted = |what: &str| document.notes.iter().any(|note| note.contains(what));
    assert!(noted("properties of loadshape: Mult, NPts, SInterval"), "{:?}", document.notes);
    assert!(noted("properties of load: Daily left out"), "{:?}", document.notes);
    close(loads[1].power_va[2], 20e3, -6e3);
    assert_eq!(loads[1].configuration, Configuration::Delta);
    assert_eq!(loads[1].rated_voltage_v, 11_000.0);
    let band = |lowest, turned| Some(VoltageBand { lowest, highest: 1.05, turned });
    assert_eq!((loads[0].band, loads[1].band), (band(0.95, Some(0.5)), band(0.8, Some(0.6))));
    close(loads[2].power_va[0], 60e3, -80e3);
    assert_eq!(loads[2].connection.wires.as_slice(), [Wire::C, Wire::A]);
    assert_eq!(loads[2].band, None);
    let ShuntAdmittance::Parts { y_s, .. } = document.network.shunts[0].admittance else {
        panic!("in parts");
    };
    close(y_s[0], 0.0, 600e3 / 11_000f64.powi(2));
}

/// As `OpenDSS` shows by its names of their buses: `k.1.2`, and `k.0.0` for the other side.
#[test]
fn a_star_of_capacitors_passes_over_further_nodes() {
    for class in ["capacitor", "reactor"] {
        let wires = |keys: &str| {
            let text = format!("{HEAD}new {class}.c bus1=sourcebus{keys} kvar=600 kv=11\n");
            let shunt = script(&text).unwrap().network.shunts.remove(0);
            (shunt.connection.wires.to_string(), shunt.admittance)
        };
        for (keys, same) in [
            (".1.2 phases=1", ".1 phases=1"),
            (".3.4 phases=1", ".3 phases=1"),
            (".1.2.3.4 phases=3", " phases=3"),
            (".2.3.4 phases=2", ".2.3 phases=2"),
        ] {
            assert_eq!(wires(keys), wires(same), "{class} {keys}");
        }
        assert_eq!(wires(".1.2 phases=1 conn=delta").0, "ab");
    }
}

#[test]
fn scripts_call_scripts_and_come_back() {
    let text = format!(
        "{HEAD}/* a comment\n new nonsense */\nredirect codes\\one.dss\n\
         new line.x bus1=sourcebus.1 bus2=x.1 linecode=SHORT length=2 // another\n"
    );
    let network = script(&text).unwrap().network;
    let LineImpedance::Matrix { series_ohm, .. } = &network.lines[0].impedance else {
        panic!("a matrix");
    };
    close(series_ohm.rows[0][0], 1.0, 0.5);
}

#[test]
fn the_mark_of_an_editor_in_front_is_no_mistake() {
    let text = format!("\u{feff}{HEAD}redirect marked.dss");
    let mut open = |_: &str| Ok("\u{feff}new line.x bus1=sourcebus bus2=x r1=1".to_owned());
    assert_eq!(read("main.dss", &text, &mut open).unwrap().network.lines.len(), 1);
}

#[test]
fn files_are_found_from_the_folder_of_their_script() {
    let mut asked = Vec::new();
    let mut open = |name: &str| {
        asked.push(name.to_owned());
        Ok(match name {
            "/a/b/c.dss" => "redirect ../d.dss\nnew line.x bus1=sourcebus bus2=x geometry=1".into(),
            _ => String::new(),
        })
    };
    let refusal = read("m", &format!("{HEAD}redirect /a/b/c.dss\nredirect .\\e.dss"), &mut open);
    let refusal = refusal.unwrap_err();
    assert_eq!(asked, ["/a/b/c.dss", "/a/d.dss", "e.dss"]);
    assert_eq!((&*refusal.mistakes[0].file, refusal.mistakes[0].line), ("/a/b/c.dss", 2));
    let many = script("new line.a\nnew line.b\nnew load.c bus1=x").unwrap_err();
    assert_eq!((many.mistakes.len(), many.mistakes[0].line), (1, 1));
}

#[test]
fn what_is_not_known_is_refused_by_name_and_line() {
    let cases = [
        ("new generator.g kw=5", "main.dss:4: generator g: unsupported class generator"),
        (
            "new line.x geometry=g",
            "main.dss:4: line x: unsupported property Geometry: give r1, x1, r0, x0 or matrices",
        ),
        ("new line.x colour=red", "main.dss:4: line x: unknown property colour of a line"),
        ("new line.x length=1m", "main.dss:4: line x: Length: \"1m\" is no number"),
        ("new load.x kw=(1 +)", "main.dss:4: load x: kW: \"1 +\" is no number, nor an expression"),
        ("new load.x kw=nan", "main.dss:4: load x: kW: \"nan\" is not finite"),
        ("new load.x model=7", "main.dss:4: load x: Model: model 7 is unsupported (1 to 5 and 8"),
        ("new line.x linecode=y", "main.dss:4: line x: LineCode: there is no linecode \"y\""),
        ("new line.x bus1=a.5", "main.dss:4: line x: Bus1: \"a.5\" has a node 5; here a bus"),
        ("new line.x a.0 b", "main.dss:4: line x: its conductors at a go to nodes 0.2.3"),
        ("new linecode.x rmatrix=[1 | 2]", "main.dss:4: linecode x: RMatrix: 2 rows of 1, 1"),
        ("~ what=1", "main.dss:4: vsource source: unknown property what of a vsource"),
        ("~ bus2=x.1.2.3", "main.dss:4: vsource source: Bus2: it is x.1.2.3; only earth, as"),
        ("~ basefreq=60", "main.dss:4: vsource source: unsupported property BaseFreq: other freq"),
        (
            "new load.x growth=g",
            "main.dss:4: load x: unsupported property Growth: curves of growth",
        ),
        ("new capacitor.x harm=5", "main.dss:4: capacitor x: unsupported property Harm: it makes"),
        ("launch", "main.dss:4: unknown command \"launch\""),
        ("allocateloads", "main.dss:4: unsupported command Allocateloads: it changes the loads'"),
        ("set colour=red", "main.dss:4: set colour: unknown option colour"),
        ("set object=load.x", "main.dss:4: set object: unsupported option object: it decides"),
        ("solve mode=direct", "main.dss:4: set mode: mode \"direct\" is unsupported"),
        ("set defaultbasefreq=60", "main.dss:4: set defaultbasefrequency: the circuit is of 50 Hz"),
        (
            "clear\nset loadmult=2",
            "main.dss:5: set loadmult: there is no circuit yet; set it behind",
        ),
        ("redirect nowhere.dss", "main.dss:4: nowhere.dss: there is no such file"),
        ("redirect loop.dss", "loop.dss:1: scripts call each other 20 deep"),
        ("load.x.kw=1", "main.dss:4: there is no load \"x\""),
        ("new vsource.source", "main.dss:4: vsource source exists already, from line 3"),
        ("new vsource.x", "main.dss:4: vsource x: it has no bus"),
        (
            "new transformer.t buses=[sourcebus b] kvs=[11 .4] maxtap=1.02\n\
             new regcontrol.r transformer=t winding=2",
            "main.dss:5: regcontrol r: maxtap and mintap of its winding are no whole numbers of",
        ),
        (
            "new capacitor.x bus1=b conn=delta enabled=no\n~ bus2=b.0.0.0",
            "main.dss:5: capacitor x: a delta has no bus2",
        ),
        ("new load.x bus1=b conn=sideways", "main.dss:4: load x: Conn: \"sideways\" is neither"),
        (
            "new transformer.s phases=1 windings=3 buses=(sourcebus.1 x.1.0 x.0.2) kvs=(7 .1 .1)",
            "main.dss:4: transformer s: winding 3: x.0.2 begins at earth, as the second half of a \
             centre-tapped winding does: unsupported",
        ),
    ];
    for (line, expected) in cases {
        let refusal = script(&format!("{HEAD}{line}\n")).unwrap_err();
        let found = refusal.mistakes[0].to_string();
        assert!(found.starts_with(expected), "{line}: {found}\nis not\n{expected}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = script(&text);
        let _ = script(&format!("{HEAD}{text}"));
    }

    #[test]
    fn no_words_make_it_panic(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..40)
    ) {
        let _ = script(&format!("{HEAD}{}", words.concat()));
    }
}

/// What scripts are made of.
const WORDS: &[&str] = &[
    "new ",
    "\n~ ",
    "\nedit ",
    "\nnew line.a ",
    "\nnew load.b ",
    "\nnew transformer.t ",
    "\n",
    "\nnew linecode.c ",
    "\nnew capacitor.k ",
    "\nnew reactor.r ",
    "\nnew regcontrol.g ",
    "bus1=a.1.2",
    " bus2=b.3.4.0",
    " phases=2",
    " phases=1",
    " windings=3",
    " wdg=3",
    " like=a",
    " tap=(1 2 +)",
    " kv=0",
    " kv=1e300",
    " kw=-1e308",
    " conn=delta",
    " nphases=4",
    " kron=y",
    " rmatrix=[1|2 3]",
    " rmatrix=(1 2 3 4)",
    " linecode=c",
    " length=1e-300",
    " buses=[a.1.2 b",
    " xhl=",
    "=",
    "(",
    "]",
    " | ",
    " transformer=t",
    " winding=2",
    " tapnum=-5",
    " switch=y",
    " units=km",
    "redirect loop.dss",
    "\nsolve",
    "\nset voltagebases=[0 1]",
    " mult=(file=p.csv)",
    " bus=a.0.2",
    " neutral=2",
    " isc1=1e9",
    " x1r1=0",
    " kvar=0",
    " numtaps=0",
    " enabled=no",
    "\nbatchedit load..* ",
    " kva=1e-320",
    " pf=1e-200",
    "\nclear",
    " %r=1e308",
    "\nopen line.a 2",
];

#[test]
fn where_powers_leap_in_opendss_is_noted_once_with_the_first_load() {
    let line = "new line.l bus1=sourcebus bus2=b r1=0.1 x1=0.1 length=1\n";
    let load = |name: &str, more: &str| {
        format!("new load.{name} bus1=b phases=3 kv=11 kw=100 kvar=20 {more}\n")
    };
    let notes = |loads: &[String]| {
        let script = script(&format!("{HEAD}{line}{}", loads.concat()));
        script.unwrap().notes
    };
    let usual = [load("a", "model=1"), load("b", "model=8 zipv=[0.3 0.3 0.4 0.5 0.2 0.3 0]")];
    assert_eq!(notes(&usual), Vec::<String>::new());
    let found = notes(&[
        load("a", "model=4"),
        load("b", "model=3"),
        load("c", "model=1 vminpu=0.3"),
        load("d", "model=8 zipv=[0.6 0.6 0.8 0.5 0.2 0.3 0]"),
        load("e", "model=2 vminpu=0.3"),
    ]);
    let [c, d, a] = ["load c has vlowpu", "load d has shares of zipv", "load a and 1 more: is of"]
        .map(|begin| found.iter().any(|note| note.starts_with(begin)));
    assert!(a && c && d && found.len() == 3, "{found:?}");
}

/// The rows of a section of the page, field by field.
fn rows_of(page: &str, title: &str) -> Vec<Vec<String>> {
    let heading = format!("\n## {title}\n");
    let section = page.split_once(&heading).map_or("", |(_, rest)| rest);
    let section = section.split_once("\n## ").map_or(section, |(own, _)| own);
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let fields =
        |row: &str| row.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect();
    rows.map(|row| fields(&row.replace("\\|", "\u{1}"))).collect()
}

/// The table as sections of Markdown: each a heading of second rank, with rows of name, fate and
/// remark. What is neither a command, an option, a property nor a class of it is unknown, and
/// rejected too.
fn sections() -> Vec<(String, Vec<[String; 3]>)> {
    let rows = |entries: &[Entry]| entries.iter().map(row).collect();
    let mut sections = vec![
        ("Commands".to_owned(), rows(COMMANDS)),
        ("Options of `set` and `solve`".to_owned(), rows(OPTIONS)),
    ];
    for (_, name, properties) in CLASSES {
        sections.push((format!("Class `{name}`"), rows(properties)));
    }
    sections.push(("Classes that are left out".to_owned(), rows(NOTED_CLASSES)));
    sections
}

fn row(entry: &Entry) -> [String; 3] {
    let fate = match entry.fate {
        Fate::Obeyed => "obeyed",
        Fate::Noted => "noted",
        Fate::Rejected => "rejected",
    };
    let mut remark = entry.remark.to_owned();
    if let Except::Values(values) = entry.except {
        remark = format!("{remark} (`{}` is accepted)", values.join("`, `"));
    }
    [entry.name.to_owned(), fate.to_owned(), remark]
}

/// `UPDATE_GOLDEN=1` writes the page again; the last column is the walk's, which writes it itself.
#[test]
fn the_page_has_every_command_option_and_property_with_its_fate() {
    use std::fmt::Write as _;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/opendss.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut fresh =
        page.split_once("\n## ").map_or(&*page, |(begin, _)| begin).trim_end().to_owned();
    fresh.push('\n');
    for (title, rows) in sections() {
        let before = rows_of(&page, &title);
        let _ = write!(fresh, "\n## {title}\n\n| name | fate | remark | compared with OpenDSS |\n");
        fresh.push_str("|---|---|---|---|\n");
        for [name, fate, remark] in rows {
            let walked = before.iter().find(|row| row[0] == format!("`{name}`"));
            let walked = walked.and_then(|row| row.get(3)).map_or("", String::as_str);
            let walked = walked.replace('\u{1}', "\\|");
            let _ = writeln!(fresh, "| `{name}` | {fate} | {remark} | {walked} |");
            if fate == "obeyed" && std::env::var_os("UPDATE_GOLDEN").is_none() {
                assert!(!walked.is_empty(), "{title}: {name} was compared with nothing");
            }
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, fresh).unwrap();
    } else {
        assert_eq!(page, fresh, "docs/opendss.md differs; UPDATE_GOLDEN=1 writes it");
    }
}

/// Two nodes behind such a transformer once passed zeros to each other, and never ended.
#[test]
fn ratios_out_of_all_proportion_end() {
    let script = "new circuit.c basekv=11\n\
        new transformer.t buses=[sourcebus 1] conns=[delta wye] kvs=[1e308 1e-20] kvas=[9 9]\n\
        new line.l bus1=1 bus2=2 r1=.1 x1=.1 c1=0 c0=0\nset voltagebases=[11]\ncalcvoltagebases\n";
    let _ = read("f", script, &mut |_| Err(String::new()));
}
