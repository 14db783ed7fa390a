//! What a scenario states of the meter and how it is tested: the section `[test_plan]`.

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Pattern, Values};
use lastmeter_units::SimDuration;

use super::model::Connection;
use super::ratings::Ratings;
use super::test_plan::TestPlan;

/// The name of the source that plays a test plan's operating points: devices write
/// `at = "source:test-plan"`.
pub const TEST_PLAN_SOURCE: &str = "test-plan";

const fn quantity(dimension: Dimension, min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension, min, max }
}

/// Keys of `[test_plan]`.
pub static TEST_PLAN_FIELDS: &[Field] = &[
    Field::required(
        "standard",
        Kind::Text,
        "a built-in test plan (`lastmeter list test-plans`), or the path of a test-plan file",
    ),
    Field::required("device", Kind::Name, "the device under test, `at = \"source:test-plan\"`"),
    Field::optional(
        "class",
        Kind::Text,
        "the class that is claimed; left out, the test plan's default",
    ),
    Field::optional(
        "connection",
        Kind::Choice(Connection::WORDS),
        "how the meter is connected; the test plan's first if left out",
    ),
    Field::default("phases", Kind::Integer { min: 1, max: 3 }, "3", "1 or 3"),
    Field::optional(
        "nominal_voltage",
        quantity(Dimension::Voltage, 1e-3, 1e6),
        "Un; the test plan's if left out, as with the three that follow",
    ),
    Field::optional(
        "nominal_current",
        quantity(Dimension::Current, 1e-6, 1e6),
        "Ib of direct connection, In of a meter at transformers",
    ),
    Field::optional("maximum_current", quantity(Dimension::Current, 1e-6, 1e6), "Imax"),
    Field::optional("frequency", quantity(Dimension::Frequency, 40.0, 70.0), "nominal frequency"),
    Field::default(
        "pulse_constant",
        Kind::Integer { min: 1, max: 1_000_000_000 },
        "100000",
        "pulses per kWh (or kvarh): how long starting and no-load tests last",
    ),
    Field::default(
        "settle",
        quantity(Dimension::Time, 0.5, 86_400.0),
        "\"1 s\"",
        "at each point, time before the readings that count; rounded up to whole readings",
    ),
    Field::default(
        "readings",
        Kind::Integer { min: 3, max: 10_000 },
        "4",
        "readings that count at each point, where the test does not ask for more",
    ),
    Field::default(
        "tests",
        Kind::List(&Kind::Text),
        "[\"*\"]",
        "names of the tests to play, also with *",
    ),
    Field::default(
        "bench_uncertainty",
        quantity(Dimension::Ratio, 0.0, 1.0),
        "\"0 %\"",
        "expanded uncertainty (k = 2) of a real reference, relative; added to what the bench \
         computes of itself",
    ),
];

/// What is claimed of a meter, and how it is tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The device under test.
    pub device: String,
    /// The class, as the test plan's list counts.
    pub class: usize,
    /// How it is connected.
    pub connection: Connection,
    /// 1 or 3.
    pub phases: usize,
    /// Un in volts.
    pub voltage: f64,
    /// Ib or In in amperes.
    pub current: f64,
    /// Imax in amperes.
    pub maximum: f64,
    /// Nominal frequency in hertz.
    pub frequency: f64,
    /// Pulses per kWh or kvarh.
    pub pulse_constant: f64,
    /// Time at each point before the readings that count.
    pub settle: SimDuration,
    /// Readings that count at each point.
    pub readings: u32,
    /// Which tests are played.
    pub tests: Vec<Pattern>,
    /// Expanded uncertainty (k = 2) of a real reference, in percent.
    pub bench_uncertainty: f64,
}

impl Claim {
    /// Reads the section's checked keys against a test plan; what does not fit is reported.
    pub fn read(values: &Values, test_plan: &TestPlan, out: &mut Diagnostics) -> Option<Self> {
        let mistakes = out.len();
        // All mistakes are reported before the claim is given up.
        let mut refuse = |key: &str, code: Code, message: String, label: String| {
            out.report(code, values.span_of(key), message, label);
        };
        let class = values.text_opt("class").unwrap_or(&test_plan.classes[test_plan.default_class]);
        let index = test_plan.class(class);
        if index.is_none() {
            let message = format!("{} has no class `{class}`", test_plan.name);
            let label = format!("expected one of {}", test_plan.classes.join(", "));
            refuse("class", Code::UNKNOWN_REFERENCE, message, label);
        }
        let connection = values.text_opt("connection").and_then(Connection::from_word);
        let connection = connection.unwrap_or(test_plan.connections[0]);
        if !test_plan.connections.contains(&connection) {
            let message = format!("{} is not for {} connection", test_plan.name, connection.word());
            let label = format!("expected {}", test_plan.connections[0].word());
            refuse("connection", Code::DOES_NOT_FIT, message, label);
        }
        let phases = values.integer("phases");
        if phases == 2 {
            let message = "a meter has one phase or three, not 2".to_owned();
            refuse("phases", Code::OUT_OF_RANGE, message, "expected 1 or 3".to_owned());
        }
        let (nominal, maximum) = test_plan.currents[connection as usize];
        let current = values.si_opt("nominal_current").unwrap_or(nominal);
        let maximum = values.si_opt("maximum_current").unwrap_or(maximum / nominal * current);
        if maximum < current {
            let message = format!("Imax {maximum} A is below the nominal current {current} A");
            let label = "expected more than `nominal_current`".to_owned();
            refuse("maximum_current", Code::DOES_NOT_FIT, message, label);
        }
        let tests: Vec<Pattern> = values.text_list("tests").into_iter().map(Pattern::new).collect();
        for pattern in &tests {
            let is_known = test_plan.tests.iter().any(|test| pattern.matches(&test.name));
            if !is_known && !test_plan.tests.is_empty() {
                let names: Vec<&str> =
                    test_plan.tests.iter().map(|test| test.name.as_str()).collect();
                let message = format!("{} has no test `{pattern}`", test_plan.name);
                let label = format!("there are {}", names.join(", "));
                refuse("tests", Code::UNKNOWN_REFERENCE, message, label);
            }
        }
        let claim = Self {
            device: values.text("device").to_owned(),
            class: index.unwrap_or(test_plan.default_class),
            connection,
            phases: phases as usize,
            voltage: values.si_opt("nominal_voltage").unwrap_or(test_plan.nominal_voltage),
            current,
            maximum,
            frequency: values.si_opt("frequency").unwrap_or(test_plan.frequency),
            pulse_constant: values.integer("pulse_constant") as f64,
            settle: values.duration("settle"),
            readings: u32::try_from(values.integer("readings")).unwrap_or(4),
            tests,
            bench_uncertainty: 100.0 * values.si("bench_uncertainty"),
        };
        (out.len() == mistakes).then_some(claim)
    }

    /// The claim of a scenario without one, for looking at a test plan.
    pub fn usual(test_plan: &TestPlan, class: usize, connection: Connection) -> Self {
        let (current, maximum) = test_plan.currents[connection as usize];
        Self {
            device: String::new(),
            class,
            connection,
            phases: 3,
            voltage: test_plan.nominal_voltage,
            current,
            maximum,
            frequency: test_plan.frequency,
            pulse_constant: 1e5,
            settle: SimDuration::from_seconds(1),
            readings: 4,
            tests: vec![Pattern::new("*")],
            bench_uncertainty: 0.0,
        }
    }

    /// What symbols of currents stand for, for a class.
    pub(crate) fn ratings(&self, class: usize) -> Ratings {
        let Self { connection, current, maximum, .. } = *self;
        Ratings { connection, class, nominal: current, maximum }
    }
}
