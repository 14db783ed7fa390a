//! Tests of what is concluded about classes, with records made by hand whose errors are known
//! beforehand.

use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration};

use super::assess::TestResult;
use super::assessor::Assessor;
use super::class_line::ClassLine;
use super::folder::Assessed;
use crate::checks::testing::{START, facts};
use lastmeter_params::Pattern;
use lastmeter_plans::standard::{Claim, Connection, Plan, Point, TestPlan, embedded};
use lastmeter_record::{Event, Observation, RunState, Status};

pub(super) const CONSUMED: &str = "electricity.energy.active.consumed.total";
pub(super) const INJECTED: &str = "electricity.energy.active.injected.total";

/// The plan of an embedded test plan for a meter named `meter` that reports every half second.
pub(crate) fn plan(name: &str, class: &str, connection: Connection) -> Plan {
    let test_plan = TestPlan::read(embedded(name).unwrap()).unwrap();
    let class = test_plan.class(class).unwrap();
    let claim = Claim { device: "meter".to_owned(), ..Claim::usual(&test_plan, class, connection) };
    Plan::new(test_plan, claim, SimDuration::from_milliseconds(500)).unwrap()
}

/// What one reading of a point adds to a register, or shows: reference and reported.
pub(super) type Shown<'a> = &'a dyn Fn(&Point, f64) -> Vec<(&'static str, f64, f64)>;

/// Feeds a record: of registers what a reading adds, of other quantities what it shows, given the
/// true energy of the reading.
pub(super) fn fed(plan: &Plan, shown: Shown<'_>) -> Assessor {
    let mut assessor = Assessor::new(plan.clone(), START);
    let mut registers = std::collections::BTreeMap::<&str, (f64, f64)>::new();
    let (mut due, mut serial) = (SimDuration::ZERO, 0);
    while due < plan.duration() {
        due = due + plan.period;
        serial += 1;
        let point = plan.points.iter().find(|point| due <= point.end).unwrap();
        let power = point.conditions.apparent() * point.conditions.lag_rad.cos();
        for (name, reference, reported) in shown(point, power * plan.period.as_seconds_f64()) {
            let register = registers.entry(name).or_default();
            let before = if name.contains(".energy.") { *register } else { (0.0, 0.0) };
            *register = (before.0 + reference, before.1 + reported);
            assessor.observation(&Observation {
                device: "meter",
                epoch: Some(Epoch(1)),
                serial: Some(Serial(serial)),
                quantity: MeasurementId::lookup(name).unwrap(),
                event_time: START + due,
                reference: Some(register.0),
                reported: Some(register.1),
                span: None,
            });
        }
    }
    assessor
}

/// A meter whose import is wrong by so many percent.
pub(super) fn import(percent: f64) -> impl Fn(&Point, f64) -> Vec<(&'static str, f64, f64)> {
    move |_, step| vec![(CONSUMED, step, step * (1.0 + percent / 100.0)), (INJECTED, 0.0, 0.0)]
}

/// A test plan of one class for meters that are connected directly, with these rows.
fn headed(rows: &str) -> String {
    let head = "format = 1\n[test_plan]\nname = \"own\"\ntitle = \"Own\"\nedition = \"1\"\n";
    format!("{head}classes = [\"1\"]\ndefault_class = \"1\"\nconnections = [\"direct\"]\n{rows}")
}

fn selected(name: &str, class: &str, connection: Connection, tests: &[&str]) -> Plan {
    let test_plan = TestPlan::read(embedded(name).unwrap()).unwrap();
    let class = test_plan.class(class).unwrap();
    let claim = Claim {
        device: "meter".to_owned(),
        tests: tests.iter().map(|text| Pattern::new(text)).collect(),
        ..Claim::usual(&test_plan, class, connection)
    };
    Plan::new(test_plan, claim, SimDuration::from_milliseconds(500)).unwrap()
}

fn lines(assessor: &Assessor, state: RunState) -> Vec<ClassLine> {
    let plan = assessor.plan().clone();
    let facts = facts(state);
    let classes = (0..plan.test_plan.classes.len()).map(|class| assessor.assessment(class, &facts));
    Assessed { classes: classes.collect(), plan }.summary()
}

fn line(assessor: &Assessor, state: RunState, class: &str) -> ClassLine {
    let found = lines(assessor, state).into_iter().find(|line| line.class == class);
    found.unwrap()
}

/// The points of class B are not those of class C, whose Imin is lower: 0.9 % means nothing for C.
#[test]
fn a_class_whose_points_were_not_played_is_not_met() {
    let meter = fed(&plan("mid-annex-v", "B", Connection::Direct), &import(0.9));
    let claimed = line(&meter, RunState::Finished, "B");
    assert_eq!(claimed.status, Status::Pass, "{}", claimed.text);
    let other = line(&meter, RunState::Finished, "C");
    assert_ne!(other.status, Status::Pass, "{}", other.text);
    let good = fed(&plan("mid-annex-v", "B", Connection::Direct), &import(0.0));
    let other = line(&good, RunState::Finished, "C");
    assert_eq!(other.status, Status::Inconclusive);
    assert!(other.text.starts_with("partly tested: met in "), "{}", other.text);
    assert!(other.text.contains("not mpe-5-to-30, mpe-minus10-to-40"), "{}", other.text);
}

#[test]
fn a_class_is_met_by_all_of_its_tests_only() {
    let chosen = selected("iec-62053-22-2003", "0.2S", Connection::Transformer, &["error-pf1"]);
    let one = line(&fed(&chosen, &import(0.0)), RunState::Finished, "0.2S");
    assert_eq!(one.status, Status::Inconclusive);
    assert!(one.text.starts_with("partly tested: met in 1 of 20; not "), "{}", one.text);
    let bad = line(&fed(&chosen, &import(0.3)), RunState::Finished, "0.2S");
    assert_eq!(bad.status, Status::Fail, "{}", bad.text);
    assert!(bad.text.contains(" %, limit 0.2 %"), "a limit has its unit: {}", bad.text);
    // Most limits of 0.1S are not known here.
    let whole = fed(&plan("iec-62053-22-2003", "0.1S", Connection::Transformer), &import(0.0));
    let whole = line(&whole, RunState::Finished, "0.1S");
    assert_eq!(whole.status, Status::Inconclusive);
    // A meter that reports frequency alone is none of class A.
    let quality = plan("iec-61000-4-30-a", "A", Connection::Direct);
    let shown = |point: &Point, _: f64| {
        let hertz = point.conditions.frequency;
        vec![("electricity.frequency", hertz, hertz)]
    };
    let alone = line(&fed(&quality, &shown), RunState::Finished, "A");
    assert_eq!(alone.status, Status::Inconclusive);
    assert!(alone.text.starts_with("partly tested"), "{}", alone.text);
}

/// Class 2 of IEC 62053-21 has no test at 0.8 capacitive, which is no gap.
#[test]
fn what_a_standard_does_not_ask_of_a_class_is_no_gap() {
    let plan = plan("iec-62053-21-2003", "2", Connection::Direct);
    let met = line(&fed(&plan, &import(0.0)), RunState::Finished, "2");
    assert_eq!(met.status, Status::Pass, "{}", met.text);
}

#[test]
fn a_class_line_knows_what_the_verdicts_know_of_the_run() {
    let plan = plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    let mut meter = fed(&plan, &import(0.0));
    assert_eq!(line(&meter, RunState::Finished, "0.2S").status, Status::Pass);
    let interrupted = line(&meter, RunState::Interrupted, "0.2S");
    assert_eq!(interrupted.status, Status::Inconclusive);
    assert!(interrupted.text.contains("the run was interrupted"), "{}", interrupted.text);
    meter.event(&Event::device(START, "other", "beyond_range", ""));
    assert_eq!(line(&meter, RunState::Finished, "0.2S").status, Status::Pass);
    meter.event(&Event::device(START, "meter", "beyond_range", ""));
    let beyond = line(&meter, RunState::Finished, "0.2S");
    assert_eq!(beyond.status, Status::Inconclusive);
    assert!(beyond.text.contains("beyond") || beyond.text.contains("exceed"), "{}", beyond.text);
    meter.unreadable("line 7 is no row".to_owned());
    assert_eq!(line(&meter, RunState::Finished, "0.2S").status, Status::Error);
}

/// The test plan has no limit of class 0.1S for most influences: nobody can know.
#[test]
fn a_missing_limit_is_inconclusive() {
    let plan = plan("iec-62053-22-2003", "0.1S", Connection::Transformer);
    let meter = fed(&plan, &import(0.0));
    let assessment = meter.assessment(plan.claim.class, &facts(RunState::Finished));
    let of = |name: &str| {
        let mut tests = assessment.tests.iter();
        tests.find(|test| plan.test_plan.tests[test.test].name == name).unwrap().status
    };
    assert_eq!((of("voltage-pf1"), of("error-pf1")), (Status::Inconclusive, Status::Pass));
}

/// The status of one test for the claimed class.
fn status_of(plan: &Plan, name: &str, shown: Shown<'_>) -> Status {
    let assessment = fed(plan, shown).assessment(plan.claim.class, &facts(RunState::Finished));
    let mut tests = assessment.tests.iter();
    tests.find(|test| plan.test_plan.tests[test.test].name == name).unwrap().status
}

/// Import and export that are both too large by 3 % have the right difference.
#[test]
fn each_direction_has_its_own_register() {
    let plan = plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    let both =
        |_: &Point, step: f64| vec![(CONSUMED, step, 1.03 * step), (INJECTED, 0.0, 0.03 * step)];
    assert_eq!(status_of(&plan, "error-pf1", &both), Status::Fail);
    let back = |_: &Point, step: f64| vec![(CONSUMED, step, step), (INJECTED, 0.0, 0.01 * step)];
    assert_eq!(status_of(&plan, "error-pf1", &back), Status::Fail);
    let little = |_: &Point, step: f64| vec![(CONSUMED, step, step), (INJECTED, 0.0, 1e-3 * step)];
    assert_eq!(status_of(&plan, "error-pf1", &little), Status::Pass);
}

/// A meter that registers too little of what is fed back has a negative error.
#[test]
fn errors_of_export_have_the_sign_of_the_register() {
    let plan = plan("oiml-r46-2012", "B", Connection::Direct);
    let export = |_: &Point, step: f64| match step {
        step if step < 0.0 => vec![(CONSUMED, 0.0, 0.0), (INJECTED, -step, -0.98 * step)],
        step => vec![(CONSUMED, step, step), (INJECTED, 0.0, 0.0)],
    };
    let meter = fed(&plan, &export);
    let assessment = meter.assessment(plan.claim.class, &facts(RunState::Finished));
    let test = |name: &str| {
        let mut tests = assessment.tests.iter();
        tests.find(|test| plan.test_plan.tests[test.test].name == name).unwrap()
    };
    assert_eq!(
        (test("error-pf1").status, test("error-export").status),
        (Status::Pass, Status::Fail)
    );
    let figures = test("error-export").worst().unwrap().figures.as_ref().unwrap();
    assert!((figures.value + 2.0).abs() < 1e-6, "{}", figures.value);
    let import_only = |_: &Point, step: f64| vec![(CONSUMED, step.max(0.0), step.max(0.0))];
    assert_eq!(status_of(&plan, "error-export", &import_only), Status::Inconclusive);
}

#[test]
fn a_quantity_is_needed_in_every_phase_of_the_meter() {
    let plan = plan("iec-61000-4-30-a", "A", Connection::Direct);
    let voltages = |count: usize| {
        move |point: &Point, _: f64| {
            let names = ["l1", "l2", "l3"].map(|phase| match phase {
                "l1" => "electricity.voltage.rms.l1",
                "l2" => "electricity.voltage.rms.l2",
                _ => "electricity.voltage.rms.l3",
            });
            let volts = point.conditions.voltages;
            (0..count).map(|phase| (names[phase], volts[phase], volts[phase])).collect()
        }
    };
    let name = |plan: &Plan| {
        let fits = |test: &&lastmeter_plans::standard::Test| {
            test.quantity.starts_with("electricity.voltage.rms")
        };
        plan.test_plan.tests.iter().find(fits).unwrap().name.clone()
    };
    let name = name(&plan);
    assert_eq!(status_of(&plan, &name, &voltages(3)), Status::Pass);
    assert_eq!(status_of(&plan, &name, &voltages(1)), Status::Inconclusive);
    let phases = |_: &Point, step: f64| {
        let third = step / 3.0;
        vec![("electricity.energy.active.consumed.l1", third, third)]
    };
    let energy = self::plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    assert_eq!(status_of(&energy, "error-pf1", &phases), Status::Inconclusive);
}

#[test]
fn starting_is_not_to_register_many_times_what_there_was() {
    let plan = plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    assert_eq!(status_of(&plan, "starting", &import(30.0)), Status::Pass);
    assert_eq!(status_of(&plan, "starting", &import(900.0)), Status::Fail);
}

/// Power of all phases is a share of Un In times their number.
#[test]
fn a_total_is_a_share_of_all_phases() {
    let rows = r#"[[test]]
name = "power"
title = "Power"
quantity = "electricity.power.active.consumed.total"
relative_to = "nominal"
current = ["Ib"]
limit = [{ values = { "1" = "1 %" }, clause = "1", confirmed = true, source = "here" }]
"#;
    let test_plan = TestPlan::read(&headed(rows)).unwrap();
    let claim =
        Claim { device: "meter".to_owned(), ..Claim::usual(&test_plan, 0, Connection::Direct) };
    let plan = Plan::new(test_plan, claim, SimDuration::from_milliseconds(500)).unwrap();
    // 230 V, 5 A and three phases: 3450 W; 31 W are 0.9 %.
    let shown = |_: &Point, _: f64| {
        vec![("electricity.power.active.consumed.total", 3450.0, 3450.0 + 31.0)]
    };
    assert_eq!(status_of(&plan, "power", &shown), Status::Pass);
    let far = |_: &Point, _: f64| {
        vec![("electricity.power.active.consumed.total", 3450.0, 3450.0 + 36.0)]
    };
    assert_eq!(status_of(&plan, "power", &far), Status::Fail);
}

#[test]
fn a_test_that_tests_nothing_is_refused() {
    let refused = |lines: &str| {
        let text = headed(&format!(
            r#"[[test]]
name = "one"
title = "One"
current = ["Ib"]
limit = [{{ values = {{ "1" = "0.1 %" }}, clause = "1", confirmed = true, source = "x" }}]
{lines}
"#
        ));
        let found = TestPlan::read(&text).err().unwrap_or_default();
        assert!(found.iter().all(|mistake| mistake.span.end <= text.len()));
        found.into_iter().map(|mistake| mistake.message).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(refused("evaluate = \"variation\"\nvoltage = [0.9, 1.1]"), "");
    assert_eq!(refused("evaluate = \"composite\"\nvoltage = [0.9, 1, 1.1]"), "");
    for (lines, message) in [
        ("evaluate = \"variation\"", "the reference itself"),
        ("evaluate = \"variation\"\nvoltage = [0.9, 1]", "the reference itself"),
        ("evaluate = \"temperature_coefficient\"", "temperatures other than"),
        ("evaluate = \"temperature_coefficient\"\ntemperature = [13, 23]", "temperatures other"),
        ("evaluate = \"composite\"", "without any influence"),
        ("evaluate = \"composite\"\nvoltage = [0.9]\nloaded = [\"l1\"]", "is made of voltage"),
        ("evaluate = \"composite\"\nvoltage = [0.9]\nsequence = [\"reversed\"]", "is made of"),
        ("voltage = [0.5, 1.5]\nphase_voltages = [[1, 1, 1]]", "all voltages already"),
        ("quantity = \"electricity.*.rms.l1\"", "of several units"),
    ] {
        let found = refused(lines);
        assert!(found.contains(message), "{lines}: {found}");
    }
}

/// A register of whole watt-hours, read half a second apart: 5 s at 3450 W are 17250 J (ten
/// readings, which the repeatability test asks for), and either end is within half of 3600 J.
/// U = 100 % * sqrt(2) * 2 / sqrt(3) * 1800 J / 17250 J = 17.04 %.
#[test]
fn a_plan_too_short_for_the_registers_last_digit_is_inconclusive() {
    let plan = plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    let whole = |total: f64| 3600.0 * (total / 3600.0).floor();
    let total = std::cell::Cell::new(0.0);
    let coarse = |_: &Point, step: f64| {
        let before = whole(total.get());
        total.set(total.get() + step);
        vec![(CONSUMED, step, whole(total.get()) - before), (INJECTED, 0.0, 0.0)]
    };
    let meter = fed(&plan, &coarse);
    let facts = facts(RunState::Finished);
    let assessment = meter.assessment(plan.claim.class, &facts);
    let is = |name: &str| {
        let fits = |test: &&TestResult| plan.test_plan.tests[test.test].name == name;
        assessment.tests.iter().find(fits).unwrap()
    };
    let nominal = is("error-pf1").items.iter().find(|item| {
        item.planned.coordinates.current.as_ref().is_some_and(|(_, amperes)| *amperes == 5.0)
    });
    let budget = nominal.unwrap().figures.as_ref().unwrap().budget;
    let expected = 100.0 * (2.0_f64 / 3.0).sqrt() * 3600.0 / 17_250.0;
    assert!((budget.register - expected).abs() < 1e-9 * expected, "{budget:?}");
    assert!(budget.expanded() >= expected);
    for name in ["error-pf1", "error-pf05-08", "no-load"] {
        for item in &is(name).items {
            assert_eq!(item.status, Status::Inconclusive, "{name}: {item:?}");
        }
    }
    // 1000 pulses a kWh make no-load tests long, but 3600 J are worth 100 of the claim's pulses.
    let idle = is("no-load").items[0].figures.as_ref().unwrap().budget.register;
    assert!((idle - (2.0_f64 / 3.0).sqrt() * 100.0).abs() < 1e-6, "{idle}");
    // The same error of a register that shows everything is one.
    let fine = fed(&plan, &import(-1.0)).assessment(plan.claim.class, &facts);
    assert_eq!(fine.status(), Some(Status::Fail));
    // A register that stands still is dead, however coarse its digits may be.
    let dead = |_: &Point, step: f64| vec![(CONSUMED, step, 0.0), (INJECTED, 0.0, 0.0)];
    assert_eq!(status_of(&plan, "error-pf1", &dead), Status::Fail);
}

/// One cycle in a thousand: measured for a whole turn, 20.02 s at 50 Hz, however few readings are
/// asked for; without any energy in it nobody can know.
#[test]
fn a_burst_is_measured_as_a_whole() {
    let rows = r#"[[waveform]]
name = "rare"
title = "one cycle in 1001"
shape = "burst"
on = 1
off = 1000
[[test]]
name = "burst"
title = "Burst"
current = ["Ib"]
waveform = ["rare"]
limit = [{ values = { "1" = "1 %" }, clause = "1", confirmed = true, source = "here" }]
"#;
    let test_plan = TestPlan::read(&headed(rows)).unwrap();
    let claim =
        Claim { device: "meter".to_owned(), ..Claim::usual(&test_plan, 0, Connection::Direct) };
    let plan = Plan::new(test_plan, claim, SimDuration::from_milliseconds(500)).unwrap();
    assert_eq!(plan.points[0].readings, 41);
    let nothing = |_: &Point, _: f64| vec![(CONSUMED, 0.0, 0.0), (INJECTED, 0.0, 0.0)];
    assert_eq!(status_of(&plan, "burst", &nothing), Status::Inconclusive);
}
