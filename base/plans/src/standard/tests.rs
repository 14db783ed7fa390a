//! Tests of reading, unrolling and judging, with figures typed from the standards' tables.

use lastmeter_params::{Code, Diagnostics, SourceId, parse_document, read_text};
use lastmeter_units::SimDuration;

use super::claim::Claim;
use super::fields::PUBLISHED;
use super::model::{Connection, LimitFigure};
use super::plan::{Plan, Skip};
use super::read_published::read_published;
use super::test_plan::TestPlan;
use super::{EMBEDDED, explain_test_plan, test_plan_json_schema};

fn test_plan(name: &str) -> TestPlan {
    let text = super::embedded(name).unwrap();
    TestPlan::read(text).unwrap_or_else(|mistakes| {
        let show = |m: &lastmeter_params::Diagnostic| {
            let line = text[..m.span.start.min(text.len())].matches('\n').count() + 1;
            format!("{name}:{line}: {} {}", m.code, m.message)
        };
        panic!("{}", mistakes.iter().map(show).collect::<Vec<_>>().join("\n"))
    })
}

fn plan(name: &str, class: &str, connection: Connection) -> Plan {
    let test_plan = test_plan(name);
    let class = test_plan.class(class).unwrap();
    let claim = Claim { device: "meter".to_owned(), ..Claim::usual(&test_plan, class, connection) };
    Plan::new(test_plan, claim, SimDuration::from_milliseconds(500)).unwrap()
}

#[test]
fn every_test_plan_that_comes_along_is_sound() {
    for (name, text) in EMBEDDED {
        let test_plan = test_plan(name);
        assert_eq!(test_plan.name, *name);
        assert_eq!(test_plan.text, *text);
        for class in 0..test_plan.classes.len() {
            for &connection in &test_plan.connections {
                let claim = Claim::usual(&test_plan, class, connection);
                let plan =
                    Plan::new(test_plan.clone(), claim, SimDuration::from_seconds(1)).unwrap();
                assert!(!plan.points.is_empty(), "{name}");
                assert!(plan.duration() < SimDuration::from_seconds(1200), "{name}");
            }
        }
        assert!(explain_test_plan(&test_plan).contains("confirmed"));
    }
}

/// A small test plan to break.
const SMALL: &str = r#"format = 1
[test_plan]
name = "small"
title = "A small one"
edition = "1"
classes = ["1", "2"]
default_class = "1"
connections = ["direct"]
[[symbol]]
name = "Itr"
value = "0.1 Ib"
[[test]]
name = "error"
title = "Error"
current = ["Itr", "Ib", "Imax"]
power_factor = ["1", "0.5 ind"]
limit = [
    { values = { "1" = "1.5 %", "2" = "2.5 %" }, below = "Ib", clause = "1", confirmed = true, source = "here" },
    { values = { "1" = "1.0 %", "2" = "2.0 %" }, from = "Ib", clause = "1", confirmed = false, source = "memory" },
]
"#;

#[test]
fn a_users_test_plan_is_read_as_it_is_written() {
    let test_plan = TestPlan::read(SMALL).unwrap();
    assert_eq!(test_plan.confirmation(), (4, 2));
    let claim = Claim::usual(&test_plan, 0, Connection::Direct);
    let plan = Plan::new(test_plan, claim, SimDuration::from_seconds(1)).unwrap();
    // Three currents and two power factors, one second to settle and four to read each.
    assert_eq!((plan.points.len(), plan.duration()), (6, SimDuration::from_seconds(30)));
    let items = &plan.tests[0].items;
    let amperes: Vec<f64> =
        items.iter().map(|i| i.coordinates.current.as_ref().unwrap().1).collect();
    assert_eq!(amperes, [0.5, 0.5, 5.0, 5.0, 60.0, 60.0]);
    let limits: Vec<f64> = items.iter().map(|item| item.figure.value()).collect();
    assert_eq!(limits, [1.5, 1.5, 1.0, 1.0, 1.0, 1.0]);
    let lag = plan.points[1].conditions.lag_rad.to_degrees();
    assert!((lag - 60.0).abs() < 1e-12, "{lag}");
}

const TWICE: &str = "[[symbol]]\nname = \"Itr\"\nclasses = [\"2\"]\nvalue = \"Ib\"\n[[test]]";
const CIRCLE: &str =
    "[[symbol]]\nname = \"B\"\nvalue = \"C\"\n[[symbol]]\nname = \"C\"\nvalue = \"B\"\n[[test]]";
const DEAD: &str = "title = \"Error\"\nvoltage = [0, 1]";

#[test]
fn every_mistake_is_reported_at_its_place() {
    for (found, instead, code, message) in [
        ("title = \"A small one\"", "titel = \"x\"", Code::UNKNOWN_KEY, "unknown key `titel`"),
        ("format = 1", "format = 2", Code::FORMAT_VERSION, "another test plan format"),
        ("default_class = \"1\"", "default_class = \"3\"", Code::UNKNOWN_REFERENCE, "no class `3`"),
        (
            "value = \"0.1 Ib\"",
            "value = \"x Ib\"",
            Code::BAD_NUMBER,
            "`x` in `x Ib` is not a factor",
        ),
        ("[\"Itr\", ", "[\"Itx\", ", Code::UNKNOWN_REFERENCE, "the current `Itx` is undefined"),
        ("\"0.5 ind\"]", "\"0.5\"]", Code::UNKNOWN_WORD, "`0.5` in `power_factor`"),
        (
            "name = \"Itr\"",
            "name = \"Ib\"",
            Code::NAME_TAKEN,
            "`Ib` means the same in every test plan",
        ),
        ("name = \"Itr\"", "name = \"I-tr\"", Code::OUT_OF_RANGE, "`I-tr` cannot be the name"),
        (
            "value = \"0.1 Ib\"",
            "value = \"2 Ix\"",
            Code::UNKNOWN_REFERENCE,
            "the current `Ix` is undefined",
        ),
        (
            "value = \"0.1 Ib\"",
            "value = \"2 Itr\"",
            Code::DOES_NOT_FIT,
            "`Itr` never ends: `Itr` is made of `Itr`",
        ),
        ("[[test]]", TWICE, Code::NAME_TAKEN, "there is already a symbol named `Itr`"),
        ("[[test]]", CIRCLE, Code::DOES_NOT_FIT, "`B` is made of `C`, `C` is made of `B`"),
        (
            "\"1\" = \"1.5 %\"",
            "\"1\" = \"100 %\"",
            Code::BAD_NUMBER,
            "is 100 % off, and would pass",
        ),
        ("\"1\" = \"1.5 %\"", "\"1\" = \"1e300 %\"", Code::BAD_NUMBER, "`1e300 %` is not a limit"),
        ("\"1\" = \"1.5 %\"", "\"1\" = \"nan %\"", Code::BAD_NUMBER, "not a percentage above zero"),
        ("title = \"Error\"", DEAD, Code::DOES_NOT_FIT, "there is no energy to err in"),
        ("\"0.5 ind\"]", "\"0 ind\"]", Code::DOES_NOT_FIT, "no such energy flows"),
        ("\"1\" = \"1.5 %\"", "\"1\" = \"1.5\"", Code::BAD_NUMBER, "not a limit of an energy"),
        ("\"1\" = \"1.5 %\"", "\"1\" = \"-1 %\"", Code::BAD_NUMBER, "not a percentage above zero"),
        ("\"2\" = \"2.5 %\"", "\"3\" = \"2.5 %\"", Code::UNKNOWN_REFERENCE, "no class `3`"),
        ("below = \"Ib\"", "below = \"Itr\"", Code::DOES_NOT_FIT, "no limit for class 1 at Itr"),
        ("from = \"Ib\"", "from = \"Itr\"", Code::DOES_NOT_FIT, "two limits for class 1 at Itr"),
        ("confirmed = true, ", "", Code::MISSING_KEY, "key `confirmed` is missing"),
        ("[[test]]", "[[tests]]", Code::UNKNOWN_KEY, "unknown section or key `tests`"),
        (
            "title = \"Error\"",
            "title = \"Error\"\nquantity = \"active\"",
            Code::UNKNOWN_MEASUREMENT,
            "no measurement",
        ),
    ] {
        assert!(SMALL.contains(found), "{found}");
        let text = SMALL.replacen(found, instead, 1);
        let mistakes = TestPlan::read(&text).unwrap_err();
        let of = |m: &&lastmeter_params::Diagnostic| m.code == code && m.message.contains(message);
        let Some(mistake) = mistakes.iter().find(of) else { panic!("{instead}: {mistakes:?}") };
        assert!(mistake.span.end <= text.len());
    }
    let is_meant = |text: &str| {
        let root = parse_document(text, SourceId::FILE, &mut Diagnostics::new());
        TestPlan::is_meant(&root)
    };
    assert!(is_meant(SMALL) && !is_meant("format = 1\n[scenario]\n"));
}

/// Neither lists that multiply to a plan of weeks nor a symbol that names itself are tried out.
#[test]
fn what_would_never_end_is_refused_at_once() {
    let ratios: Vec<String> =
        (0..3000).map(|k| format!("{:.5}", 0.9 + 1e-5 * f64::from(k))).collect();
    let ratios = ratios.join(", ");
    let lists = format!("voltage = [{ratios}]\nfrequency = [{ratios}]\npower_factor =");
    let describe = |text: &str| format!("{:?}", TestPlan::read(text).unwrap_err());
    let many = describe(&SMALL.replacen("power_factor =", &lists, 1));
    assert!(many.contains("54000000 operating points; at most 5000"), "{many}");
    let itself = vec!["Itr"; 60].join(" | ");
    let circle = describe(&SMALL.replacen("0.1 Ib", &itself, 1));
    assert!(circle.contains("60 alternatives; at most 4"), "{circle}");
    assert!(!describe(&SMALL.replacen("0.1 Ib", "Itr | Itr | Itr | Itr", 1)).is_empty());
}

/// A root cause is reported once: what uses a symbol with a mistake is none, nor is one symbol for
/// each of two classes, nor a chain of six.
#[test]
fn nothing_is_reported_that_is_no_mistake_of_its_own() {
    let mistakes = |text: &str| TestPlan::read(text).err().unwrap_or_default().len();
    assert_eq!(mistakes(&SMALL.replacen("0.1 Ib", "x Ib", 1)), 1);
    let both =
        "classes = [\"1\"]\nvalue = \"0.1 Ib\"\n[[symbol]]\nname = \"Itr\"\nclasses = [\"2\"]";
    assert_eq!(mistakes(&SMALL.replacen("value", &format!("{both}\nvalue"), 1)), 0);
    let chain = |links: usize| {
        let row = |k: usize| format!("[[symbol]]\nname = \"S{k}\"\nvalue = \"S{}\"\n", k + 1);
        let rows: String = (1..links).map(row).collect();
        let last = format!("[[symbol]]\nname = \"S{links}\"\nvalue = \"Ib\"\n");
        SMALL
            .replacen("[[test]]", &format!("{rows}{last}[[test]]"), 1)
            .replacen("Itr\",", "S1\",", 1)
    };
    assert_eq!((mistakes(&chain(6)), mistakes(&chain(7))), (0, 1));
    // What is measured in one phase while another is interrupted has a reference.
    let one =
        SMALL.replacen("title = \"Error\"", "title = \"Error\"\nphase_voltages = [[1, 0, 1]]", 1);
    assert_eq!(mistakes(&one), 0);
}

/// A file of a script: read in one pass, and refused where it is no test plan any more.
#[test]
fn twenty_thousand_tests_are_read_at_once() {
    let test = SMALL.split_once("[[test]]").unwrap().1;
    let many = |count: usize| {
        let tests = (0..count).map(|k| {
            format!("[[test]]{}", test.replacen("\"error\"", &format!("\"error-{k}\""), 1))
        });
        format!("{}{}", SMALL.split_once("[[test]]").unwrap().0, tests.collect::<String>())
    };
    assert_eq!(TestPlan::read(&many(10_000)).unwrap().tests.len(), 10_000);
    let describe = |text: &str| format!("{:?}", TestPlan::read(text).unwrap_err());
    assert!(describe(&many(20_000)).contains("more than 100000 points in all tests together"));
    let huge = "#".repeat(super::TEST_PLAN_BYTES_MAX + 1);
    assert!(
        describe(&huge).contains("16777217 bytes long; at most 16777216"),
        "{}",
        describe(&huge)
    );
}

/// Tables 4 and 5 of IEC 62053-22:2003, In = 5 A; and 900 * 10^6 / (k m Un Imax) minutes.
#[test]
fn the_plan_of_class_02s_has_the_tables_figures() {
    let plan = plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    let test = |name: &str| {
        let planned =
            plan.tests.iter().find(|t| plan.test_plan.tests[t.test].name == name).unwrap();
        let row = |item: &super::PlannedItem| {
            let current = item.coordinates.current.as_ref().map_or(0.0, |(_, amperes)| *amperes);
            (current, item.figure)
        };
        planned.items.iter().map(row).collect::<Vec<_>>()
    };
    let percent = |list: &[(f64, f64)]| {
        list.iter().map(|(i, l)| (*i, LimitFigure::Percent(*l))).collect::<Vec<_>>()
    };
    let pf1 =
        [(0.05, 0.4), (0.1, 0.4), (0.25, 0.2), (0.5, 0.2), (1.0, 0.2), (2.5, 0.2), (5.0, 0.2)];
    assert_eq!(test("error-pf1")[..7], percent(&pf1));
    assert_eq!(test("error-pf1")[7], (6.0, LimitFigure::Percent(0.2)));
    let half = [(0.1, 0.5), (0.1, 0.5), (0.25, 0.5), (0.25, 0.5), (0.5, 0.3), (0.5, 0.3)];
    assert_eq!(test("error-pf05-08")[..6], percent(&half));
    assert_eq!(test("reversed-sequence"), percent(&[(0.5, 0.05)]));
    assert_eq!(test("starting"), percent(&[(0.005, 33.3)]));
    let no_load = plan.points.iter().find(|point| point.conditions.apparent() == 0.0).unwrap();
    assert!((no_load.conditions.voltages[0] - 264.5).abs() < 1e-9);
    // 2.173913 min of readings every 0.5 s.
    assert_eq!(no_load.readings, 261);
    for (place, point) in plan.points.iter().enumerate() {
        let earlier = &plan.points[..place];
        assert!(earlier.iter().all(|other| other.conditions != point.conditions), "played once");
        assert_eq!(point.start, earlier.last().map_or(SimDuration::ZERO, |point| point.end));
    }
}

/// MID annex V: Imin <= 0.5 Itr direct and 0.2 Itr at transformers (class B), In = 20 Itr.
#[test]
fn symbols_follow_class_and_connection() {
    for (connection, imin, itr) in
        [(Connection::Direct, 0.25, 0.5), (Connection::Transformer, 0.05, 0.25)]
    {
        let plan = plan("mid-annex-v", "B", connection);
        let items = &plan.tests[0].items;
        let amperes = |place: usize| items[place].coordinates.current.as_ref().unwrap().1;
        assert!((amperes(0) - imin).abs() < 1e-12 && (amperes(3) - itr).abs() < 1e-12);
        // At reference, and with each of voltage, frequency and temperature by itself.
        assert_eq!(items[0].against.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
    }
}

#[test]
fn what_does_not_fit_the_claim_is_skipped_with_its_reason() {
    let test_plan = test_plan("iec-62053-21-2003");
    let claim = Claim { phases: 1, ..Claim::usual(&test_plan, 0, Connection::Transformer) };
    let plan = Plan::new(test_plan, claim, SimDuration::from_seconds(1)).unwrap();
    let reason = |name: &str| {
        let test = plan.tests.iter().find(|t| plan.test_plan.tests[t.test].name == name).unwrap();
        test.skipped.as_ref().map_or("", Skip::reason).to_owned()
    };
    assert_eq!(reason("single-phase-pf1"), "needs three phases");
    assert_eq!(reason("half-wave"), "for direct connection only");
    assert_eq!(reason("error-pf1"), "");
    let harmonics = self::plan("iec-61000-4-30-a", "A", Connection::Direct);
    let dips = harmonics.tests.iter().filter(|test| test.skipped.is_some()).count();
    assert!(dips >= 2, "{dips}");
}

#[test]
fn the_schema_knows_every_section() {
    let schema = test_plan_json_schema();
    for name in ["test_plan", "symbol", "waveform", "test", "not_simulated"] {
        assert!(schema["properties"][name].is_object(), "{name}");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/test_plans/schema.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == text, "test_plans/schema.json is old; run the test with UPDATE_GOLDEN=1");
}

/// What the publication states to have varied, and that each set of harmonics is 8 % together.
#[test]
fn the_published_test_sets_are_those_of_the_publication() {
    let plan = |name: &str| plan(name, "published", Connection::Direct);
    let sinusoidal = plan("paper-table-1-sinusoidal");
    let span = |values: &dyn Fn(&super::Point) -> f64, plan: &Plan| {
        let values: Vec<f64> = plan.points.iter().map(values).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        (low, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    };
    let (low, high) = span(&|point| point.conditions.frequency, &sinusoidal);
    assert!((low - 42.5).abs() < 1e-9 && (high - 57.5).abs() < 1e-9);
    assert_eq!(span(&|point| point.conditions.voltages[0], &sinusoidal), (115.0, 230.0));
    assert_eq!(span(&|point| point.conditions.currents[0], &sinusoidal), (0.0, 15.0));
    let (low, high) = span(&|point| point.conditions.lag_rad.to_degrees(), &sinusoidal);
    assert!((low + 45.0).abs() < 1e-9 && (high - 90.0).abs() < 1e-9);
    let other = plan("paper-table-1-nonsinusoidal");
    for waveform in &other.test_plan.waveforms[1..] {
        for components in [&waveform.voltage, &waveform.current] {
            assert_eq!(components.len(), 5);
            assert!(components.iter().all(|one| (3.0..=39.0).contains(&one.order)));
            let square: f64 = components.iter().map(|one| one.share * one.share).sum();
            assert!((square.sqrt() - 0.08).abs() < 1e-9, "{}", waveform.name);
        }
    }
    // The two sweeps share the points at 50 Hz and 45 degrees, which are played once.
    assert_eq!(other.swept.len(), 9 * 2 * (7 + 7));
    assert_eq!(other.points.len(), 9 * 2 * (7 + 6));
}

/// What a row that is missed is explained by is the scenario's to state.
#[test]
fn a_published_row_has_no_explanation_of_its_own() {
    const ROW: &str =
        "name = \"s\"\ntitle = \"S\"\nquantity = \"electricity.frequency\"\nfigure = \"1 %\"\n";
    let values = read_text(ROW, &[PUBLISHED]).unwrap();
    assert!(read_published(&values, &mut Diagnostics::new()).is_some());
    for key in ["explanation = \"because\"", "explained_ratio = 0.4"] {
        let found = read_text(&format!("{ROW}{key}"), &[PUBLISHED]).unwrap_err();
        assert_eq!(found[0].code, Code::UNKNOWN_KEY);
        assert!(found[0].help.as_ref().unwrap().contains("not_reproduced"), "{found:?}");
    }
}
