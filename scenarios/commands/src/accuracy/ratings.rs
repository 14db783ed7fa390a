//! What a meter is rated for: nominal voltage, nominal and maximum current, frequency.
//!
//! What the user states of the claim (`[test_plan]`, `--set test_plan.…`) goes before what the
//! meter's table states, that before what the test plan's file states, that before the model's
//! defaults. Two of the user's own words that contradict each other are an error.

use lastmeter_language::{Texts, failure};
use lastmeter_params::{
    Code, Diagnostic, Diagnostics, Dimension, NodeValue, SourceId, Span, Table, Values,
    current_address, parse_document, parse_override, parse_quantity, read_table,
};
use lastmeter_plans::standard::{Connection, TestPlan};
use lastmeter_text::number;
use serde_json::{Value, json};

use super::meter::{Meter, Refusal};
use super::options::AccuracyOptions;

/// Above the largest sine of the nominal range there has to be room for peaks, where nobody states
/// what the maximum current is.
const CREST_MARGIN: f64 = 1.25;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    User,
    Meter,
    TestPlan,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Self::User => "as given",
            Self::Meter => "the meter's",
            Self::TestPlan => "the test plan's",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Rating {
    /// In the unit of its dimension.
    si: f64,
    from: Origin,
}

/// What a meter is rated for, and whose word that is.
#[derive(Clone, Debug)]
pub(super) struct Ratings {
    /// By their keys.
    all: [Rating; 4],
    /// What the meter's table has to state instead of what it states.
    pub(super) changed: Vec<(&'static str, String)>,
}

/// A rating's key in `[test_plan]`, in the meter's table and in a test plan's file, and the ratio
/// that the meter sees it through.
struct Key {
    test_plan: &'static str,
    meter: &'static str,
    ratio: Option<&'static str>,
    dimension: Dimension,
    unit: &'static str,
}

const VOLTAGE: Key = Key {
    test_plan: "nominal_voltage",
    meter: "nominal_voltage",
    ratio: Some("voltage_ratio"),
    dimension: Dimension::Voltage,
    unit: "V",
};
const CURRENT: Key = Key {
    test_plan: "nominal_current",
    meter: "nominal_current",
    ratio: Some("current_ratio"),
    dimension: Dimension::Current,
    unit: "A",
};
const MAXIMUM: Key =
    Key { test_plan: "maximum_current", meter: "maximum_current", ratio: None, ..CURRENT };
const FREQUENCY: Key = Key {
    test_plan: "frequency",
    meter: "nominal_frequency",
    ratio: None,
    dimension: Dimension::Frequency,
    unit: "Hz",
};

const KEYS: [&Key; 4] = [&VOLTAGE, &CURRENT, &MAXIMUM, &FREQUENCY];

/// What the user wrote, and where.
struct UserRating {
    si: f64,
    texts: Texts,
    span: Span,
}

/// The ratings of a meter for a test plan.
pub(super) fn ratings(
    options: &AccuracyOptions,
    test_plan: &TestPlan,
    connection: Connection,
    meter: &Meter,
) -> Result<Ratings, Refusal> {
    let book = RatingSources::open(options, test_plan, meter);
    let (base, maximum) = match connection {
        Connection::Direct => ("base_current", "maximum_current"),
        Connection::Transformer => ("transformer_current", "transformer_maximum"),
    };
    let (of_test_plan, maximum_of_test_plan) = test_plan.currents[connection as usize];
    let mut changed = Vec::new();
    let voltage =
        book.rating(&VOLTAGE, ("nominal_voltage", test_plan.nominal_voltage), &mut changed)?;
    let current = book.rating(&CURRENT, (base, of_test_plan), &mut changed)?;
    let frequency = book.rating(&FREQUENCY, ("frequency", test_plan.frequency), &mut changed)?;
    let scaled = maximum_of_test_plan / of_test_plan * current.si;
    let range = book.of_meter("current_headroom", Dimension::Ratio).map(|headroom| {
        // The range is that of the nominal current that the meter ends up with.
        headroom * current.si
    });
    let maximum = match (book.of_user(&MAXIMUM), range) {
        (Some(given), Some(range)) if given.si > range => {
            let message =
                format!("Imax {} A is beyond what the meter can measure", number(given.si));
            return Err(contradiction(
                given,
                message,
                format!("expected at most {} A", number(range)),
            ));
        }
        (Some(given), _) => Rating { si: given.si, from: Origin::User },
        (None, Some(range)) if scaled > range / CREST_MARGIN && !book.test_plan_states(maximum) => {
            Rating { si: (range / CREST_MARGIN).max(current.si), from: Origin::Meter }
        }
        (None, _) => Rating { si: scaled, from: Origin::TestPlan },
    };
    Ok(Ratings { all: [voltage, current, maximum, frequency], changed })
}

impl Ratings {
    /// The lines of `[test_plan]`.
    pub(super) fn lines(&self) -> String {
        let line = |(key, rating): (&Key, &Rating)| {
            format!("{} = \"{} {}\"\n", key.test_plan, rating.si, key.unit)
        };
        KEYS.into_iter().zip(&self.all).map(line).collect()
    }

    /// Whose word voltage, current, maximum and frequency are.
    pub(super) fn origins(&self) -> [&'static str; 4] {
        self.all.map(|one| one.from.word())
    }

    /// The same for programs.
    pub(super) fn document(&self) -> Value {
        let [voltage, current, maximum, frequency] = self.all.map(|one| match one.from {
            Origin::User => "given",
            Origin::Meter => "meter",
            Origin::TestPlan => "suite",
        });
        json!({
            "nominal_voltage_v": voltage, "nominal_current_a": current,
            "maximum_current_a": maximum, "frequency_hz": frequency,
        })
    }
}

/// Where ratings are looked up.
struct RatingSources<'a> {
    options: &'a AccuracyOptions,
    meter: &'a Meter,
    /// The meter's table, or that of its model without a word.
    table: Option<Values>,
    /// What the test plan's file states in its head.
    head: Table,
}

impl<'a> RatingSources<'a> {
    fn open(options: &'a AccuracyOptions, test_plan: &TestPlan, meter: &'a Meter) -> Self {
        let file = parse_document(&test_plan.text, SourceId::FILE, &mut Diagnostics::new());
        let head = match file.get("test_plan").map(|node| &node.value) {
            Some(NodeValue::Table(head)) => head.clone(),
            _ => Table::default(),
        };
        let defaults = || {
            let span = Span { source: SourceId::FILE, start: 0, end: 0 };
            let fields = meter.kind.entry.fields;
            read_table(&Table::default(), span, fields, &mut Diagnostics::new())
        };
        let table = meter.values.as_deref().cloned().or_else(defaults);
        Self { options, meter, table, head }
    }

    /// One rating; where the user's word is another than the meter's default, the meter's table has
    /// to be changed.
    fn rating(
        &self,
        key: &Key,
        (in_file, of_test_plan): (&str, f64),
        changed: &mut Vec<(&'static str, String)>,
    ) -> Result<Rating, Refusal> {
        let ratio = key.ratio.and_then(|ratio| self.of_meter(ratio, Dimension::Ratio));
        let ratio = ratio.unwrap_or(1.0);
        let of_meter = self.of_meter(key.meter, key.dimension).map(|si| si * ratio);
        let differs = |si: f64| of_meter.is_none_or(|of_meter| (si - of_meter).abs() > 1e-9 * si);
        let mut change = |si: f64| {
            if differs(si) {
                changed.push((key.meter, format!("{} {}", si / ratio, key.unit)));
            }
        };
        if let Some(given) = self.of_user(key) {
            if differs(given.si) && self.meter_states(key.meter) {
                let describe = |si: f64| format!("{} {}", number(si), key.unit);
                let (given_si, meters) = (describe(given.si), describe(of_meter.unwrap_or(0.0)));
                let message =
                    format!("`{}` is {given_si}, and the meter's is {meters}", key.test_plan);
                let label = format!("expected {meters}, or another meter");
                return Err(contradiction(given, message, label));
            }
            change(given.si);
            return Ok(Rating { si: given.si, from: Origin::User });
        }
        match of_meter {
            Some(si) if self.meter_states(key.meter) || !self.test_plan_states(in_file) => {
                Ok(Rating { si, from: Origin::Meter })
            }
            _ => {
                change(of_test_plan);
                Ok(Rating { si: of_test_plan, from: Origin::TestPlan })
            }
        }
    }

    /// What the user states in `[test_plan]`.
    fn of_user(&self, key: &Key) -> Option<UserRating> {
        let address = format!("test_plan.{}", key.test_plan);
        let set = self.options.set.iter().rev().find_map(|text| {
            let (si, span) = overridden(text, &address, key.dimension)?;
            Some(UserRating { si, span, texts: Texts::new("--set", text.as_str()) })
        });
        set.or_else(|| {
            let (values, texts) = self.meter.claim.as_ref()?;
            let si = values.si_opt(key.test_plan)?;
            Some(UserRating { si, span: values.span_of(key.test_plan), texts: texts.clone() })
        })
    }

    /// Which addresses of overrides mean a key of the meter's table.
    fn addresses(&self, key: &str) -> [String; 3] {
        let name = &self.meter.name;
        [format!("meter.{key}"), format!("device.{name}.{key}"), format!("device.1.{key}")]
    }

    fn set_for_meter(&self, key: &str, dimension: Dimension) -> Option<f64> {
        let addresses = self.addresses(key);
        self.options
            .set
            .iter()
            .rev()
            .find_map(|text| {
                addresses.iter().find_map(|address| overridden(text, address, dimension))
            })
            .map(|(si, _)| si)
    }

    /// What the meter's table comes to.
    fn of_meter(&self, key: &str, dimension: Dimension) -> Option<f64> {
        let table = || {
            let values = self.table.as_ref()?;
            values.get(key)?;
            values.si_opt(key)
        };
        self.set_for_meter(key, dimension).or_else(table)
    }

    /// Whether that is somebody's word, and not the model's default.
    fn meter_states(&self, key: &str) -> bool {
        let addresses = self.addresses(key);
        let is_set = self.options.set.iter().any(|text| {
            let address = text.split_once('=').map_or("", |(address, _)| address.trim());
            addresses.iter().any(|one| one == address)
        });
        let written = self.meter.values.as_ref();
        is_set || written.is_some_and(|values| values.get(key).is_some() && !values.is_default(key))
    }

    fn test_plan_states(&self, key: &str) -> bool {
        self.head.get(key).is_some()
    }
}

/// The number that an override gives an address, and where it stands.
fn overridden(text: &str, address: &str, dimension: Dimension) -> Option<(f64, Span)> {
    let (found, _) = text.split_once('=')?;
    if current_address(found.trim()) != address {
        return None;
    }
    let node = parse_override(text, found.len() + 1, SourceId::FILE);
    let si = match &node.value {
        NodeValue::String(text) => parse_quantity(text, &[dimension]).ok()?.0,
        NodeValue::Integer(number) => *number as f64,
        NodeValue::Float(number) => *number,
        _ => return None,
    };
    Some((si, node.span))
}

fn contradiction(given: UserRating, message: String, label: String) -> Refusal {
    let UserRating { texts, span, .. } = given;
    let help = Some("remove one of them".to_owned());
    let code = Code::DOES_NOT_FIT;
    Refusal::Failure(failure(vec![Diagnostic { code, message, span, label, help }], texts))
}
