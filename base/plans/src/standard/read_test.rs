//! Reads one `[[test]]` of a test-plan file: what is swept, and what it is held against.

use std::collections::BTreeMap;

use lastmeter_params::{
    Code, Diagnostics, Dimension, Pattern, Span, Value, Values, nearest, parse_quantity,
};
use lastmeter_units::{MEASUREMENTS, MeasurementId, SiUnit};

use super::current::Expression;
use super::model::{
    Connection, Evaluate, Limit, LimitFigure, PowerFactor, Relative, Subject, Test,
};
use super::read_values::{classes_of, expression, unknown_class};
use super::test_plan::TestPlan;
use super::{coordinates, plan, sweep};

/// A power factor as standards write it, or the angle by which the current lags.
pub(crate) fn power_factor(text: &str) -> Option<PowerFactor> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [degrees, "deg"] = words[..] {
        let degrees = degrees.parse::<f64>().ok().filter(|angle| angle.abs() <= 360.0)?;
        return Some(PowerFactor { text: text.to_owned(), lag_rad: degrees.to_radians() });
    }
    let (is_sine, words) = match words.split_first() {
        Some((&"sin", rest)) => (true, rest),
        _ => (false, &words[..]),
    };
    let (number, side) = match words {
        [number] => (number, ""),
        [number, side @ ("ind" | "cap")] => (number, *side),
        _ => return None,
    };
    let number = number.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number))?;
    let angle = if is_sine { libm::asin(number) } else { libm::acos(number) };
    // Which side is meant has to be stated, unless there is none.
    if side.is_empty() && angle != 0.0 && !(is_sine && number == 1.0) {
        return None;
    }
    Some(PowerFactor { text: text.to_owned(), lag_rad: if side == "cap" { -angle } else { angle } })
}

/// The items of a list of texts, each made into something; what cannot be is reported.
pub(crate) fn each<T>(
    values: &Values,
    key: &str,
    label: &str,
    out: &mut Diagnostics,
    make: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut made = Vec::new();
    for (value, span) in values.list(key) {
        let Value::Text(text) = value else { continue };
        if let Some(one) = make(text) {
            made.push(one);
        } else {
            let message = format!("`{text}` in `{key}` cannot be understood");
            out.report(Code::UNKNOWN_WORD, *span, message, label);
        }
    }
    made
}

/// The waveforms of a test or a sweep, by their places in the test plan.
pub(crate) fn waveforms(
    values: &Values,
    test_plan: &TestPlan,
    out: &mut Diagnostics,
) -> Vec<usize> {
    let names: Vec<&str> = test_plan.waveforms.iter().map(|one| one.name.as_str()).collect();
    let known = format!("expected one of {}", names.join(", "));
    each(values, "waveform", &known, out, |name| names.iter().position(|own| *own == name))
}

/// Reads a `[[test]]` table.
pub(crate) fn read_test(
    values: &Values,
    test_plan: &TestPlan,
    out: &mut Diagnostics,
) -> Option<Test> {
    let mistakes = out.len();
    let evaluate = Evaluate::from_word(values.text("evaluate"))?;
    let subject = subject(values, out);
    let relative = Relative::from_word(values.text("relative_to"))?;
    let currents = currents(values, test_plan, out);
    let factors =
        each(values, "power_factor", "expected `1`, `0.5 ind`, `0.8 cap`", out, power_factor);
    let waveform = waveforms(values, test_plan, out);
    let temperatures = values.list("temperature").iter().filter_map(|(value, _)| match value {
        Value::Integer(celsius) => Some(*celsius as f64),
        _ => None,
    });
    let temperatures: Vec<f64> = temperatures.collect();
    let limits = values.tables("limit").into_iter();
    let limits = limits.filter_map(|row| limit(row, &subject, evaluate, test_plan, &factors, out));
    let limits = limits.collect();
    let phase = |word: &str| ["l1", "l2", "l3"].iter().position(|phase| *phase == word);
    let loaded = values.text_list("loaded").into_iter().map(phase).collect();
    let test = Test {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        evaluate,
        quantity: values.text("quantity").to_owned(),
        relative,
        connections: values
            .text_list("connections")
            .into_iter()
            .filter_map(Connection::from_word)
            .collect(),
        classes: classes_of(values, &test_plan.classes, out),
        three_phases: values.boolean("three_phases"),
        current: currents,
        power_factor: factors,
        export: values.text_list("direction").iter().map(|word| *word == "export").collect(),
        loaded,
        voltage: values.si_list("voltage"),
        phase_voltages: phase_voltages(values, out),
        frequency: values.si_list("frequency"),
        temperature: if temperatures.is_empty() {
            vec![test_plan.temperature]
        } else {
            temperatures
        },
        waveform,
        reversed: values.text_list("sequence").iter().map(|word| *word == "reversed").collect(),
        readings: values.integer_opt("readings").and_then(|count| u32::try_from(count).ok()),
        no_load_constant: numbers_by_class(values, "no_load_constant", test_plan, out),
        pulses: values.si("pulses"),
        expected: values.si_opt("expected"),
        not_played: values.text_opt("not_played").map(str::to_owned),
        limits,
        subject,
    };
    makes_sense(&test, values, out);
    tests_something(&test, test_plan, values, out);
    (out.len() == mistakes).then_some(test)
}

pub(crate) fn currents(
    values: &Values,
    test_plan: &TestPlan,
    out: &mut Diagnostics,
) -> Vec<Expression> {
    let mut made = Vec::new();
    for (value, span) in values.list("current") {
        let Value::Text(text) = value else { continue };
        let Some(current) = expression(text, *span, out) else { continue };
        known_symbols(&current, test_plan, *span, out);
        made.push(current);
    }
    made
}

/// Reports the symbols that nothing explains.
pub(crate) fn known_symbols(
    current: &Expression,
    test_plan: &TestPlan,
    span: Span,
    out: &mut Diagnostics,
) {
    for symbol in current.unknown(test_plan) {
        let message = format!("the current `{symbol}` is undefined");
        let help = Some(format!("add `[[symbol]]` with `name = \"{symbol}\"`"));
        let label = "expected Ib, In, Iref, Imax or a symbol of the test plan";
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, help);
    }
}

fn phase_voltages(values: &Values, out: &mut Diagnostics) -> Vec<[f64; 3]> {
    let mut made = Vec::new();
    for (value, span) in values.list("phase_voltages") {
        let Value::List(list) = value else { continue };
        let ratios: Vec<f64> = list
            .iter()
            .filter_map(|(value, _)| match value {
                Value::Quantity { si, .. } => Some(*si),
                _ => None,
            })
            .collect();
        match <[f64; 3]>::try_from(ratios) {
            Ok(three) => made.push(three),
            Err(found) => {
                let message = format!("`phase_voltages` has {} values for 3 phases", found.len());
                out.report(Code::DOES_NOT_FIT, *span, message, "expected three");
            }
        }
    }
    made
}

fn subject(values: &Values, out: &mut Diagnostics) -> Subject {
    let text = values.text("quantity");
    match text {
        "active_energy" => return Subject::ActiveEnergy,
        "reactive_energy" => return Subject::ReactiveEnergy,
        _ => {}
    }
    let pattern = Pattern::new(text);
    let found: Vec<MeasurementId> =
        MeasurementId::all().filter(|id| pattern.matches(id.name())).collect();
    // The `x.` namespace grows from version to version; a test of tomorrow's is skipped today.
    if found.is_empty() && !text.starts_with("x.") {
        let names = MEASUREMENTS.iter().map(|row| row.name);
        let words = ["active_energy", "reactive_energy"];
        let help = nearest(text, names.chain(words)).map(|near| format!("did you mean `{near}`?"));
        let message = format!("no measurement identifier fits `{text}`");
        let span = values.span_of("quantity");
        out.report_with_help(Code::UNKNOWN_MEASUREMENT, span, message, "fits nothing", help);
    }
    Subject::Each(found)
}

fn numbers_by_class(
    values: &Values,
    key: &str,
    test_plan: &TestPlan,
    out: &mut Diagnostics,
) -> BTreeMap<usize, f64> {
    let mut numbers = BTreeMap::new();
    for (class, text) in values.texts(key) {
        let span = values.span_of(key);
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
        match (test_plan.class(&class), number) {
            (Some(class), Some(number)) => drop(numbers.insert(class, number)),
            (None, _) => unknown_class(span, &class, &test_plan.classes, out),
            (_, None) => {
                let message = format!("`{text}` in `{key}` is not a number above zero");
                out.report(Code::BAD_NUMBER, span, message, "expected a number");
            }
        }
    }
    numbers
}

fn limit(
    values: &Values,
    subject: &Subject,
    evaluate: Evaluate,
    test_plan: &TestPlan,
    factors: &[PowerFactor],
    out: &mut Diagnostics,
) -> Option<Limit> {
    let mistakes = out.len();
    let mut figures = BTreeMap::new();
    let span = values.span_of("values");
    for (class, text) in values.texts("values") {
        let Some(class) = test_plan.class(&class) else {
            unknown_class(span, &class, &test_plan.classes, out);
            continue;
        };
        match figure(&text, subject, evaluate) {
            Ok(figure) => drop(figures.insert(class, figure)),
            Err(message) => out.report(Code::BAD_NUMBER, span, message, "expected a limit"),
        }
    }
    if figures.is_empty() && out.len() == mistakes {
        out.report(Code::OUT_OF_RANGE, span, "a limit for no class", "expected a class");
    }
    let mut current = |key: &str| {
        let text = values.text_opt(key)?;
        let current = expression(text, values.span_of(key), out)?;
        known_symbols(&current, test_plan, values.span_of(key), out);
        Some(current)
    };
    let (from, below) = (current("from"), current("below"));
    for (value, span) in values.list("power_factor") {
        let Value::Text(text) = value else { continue };
        if !factors.iter().any(|factor| factor.text == *text) {
            let message = format!("the test has no power factor `{text}`");
            out.report(Code::UNKNOWN_REFERENCE, *span, message, "not among the test's");
        }
    }
    let edition = values.text_opt("edition").unwrap_or(&test_plan.edition).to_owned();
    (out.len() == mistakes).then(|| Limit {
        values: figures,
        from,
        below,
        power_factor: values.text_list("power_factor").into_iter().map(str::to_owned).collect(),
        clause: values.text("clause").to_owned(),
        edition,
        confirmed: values.boolean("confirmed"),
        source: values.text("source").to_owned(),
    })
}

/// No quantity, in its SI unit, and no count of pulses comes near it.
const FIGURE_MAX: f64 = 1e9;

/// The figure of a limit, in the unit that belongs to it.
pub(crate) fn figure(
    text: &str,
    subject: &Subject,
    evaluate: Evaluate,
) -> Result<LimitFigure, String> {
    let positive = |value: f64| (value.is_finite() && value > 0.0).then_some(value);
    let within = |value: f64, most: f64, why: &str| {
        let refused = || format!("`{}` is not a limit: {why}", text.trim());
        if value < most { Ok(value) } else { Err(refused()) }
    };
    if evaluate == Evaluate::NoLoad {
        let number = text.trim().parse().ok().and_then(positive);
        let wrong = || format!("`{text}` is not a number of pulses above zero");
        let number = number.ok_or_else(wrong)?;
        return within(number, FIGURE_MAX, "so many pulses never come").map(LimitFigure::Absolute);
    }
    if let Some(percent) = text.trim().strip_suffix('%') {
        let number = percent.trim().parse().ok().and_then(positive);
        let number = number.ok_or_else(|| format!("`{text}` is not a percentage above zero"))?;
        let why = "a meter that registers nothing is 100 % off, and would pass";
        return within(number, 100.0, why).map(LimitFigure::Percent);
    }
    let Subject::Each(ids) = subject else {
        return Err(format!("`{text}` is not a limit of an energy; write it in %"));
    };
    let dimension = match ids.first().map(|id| id.row().si_unit) {
        Some(SiUnit::Volt) => Dimension::Voltage,
        Some(SiUnit::Ampere) => Dimension::Current,
        Some(SiUnit::Hertz) => Dimension::Frequency,
        Some(SiUnit::Radian) => Dimension::Angle,
        Some(SiUnit::Watt) => Dimension::ActivePower,
        Some(SiUnit::Var) => Dimension::ReactivePower,
        Some(SiUnit::VoltAmpere) => Dimension::ApparentPower,
        _ => Dimension::Ratio,
    };
    match parse_quantity(text, &[dimension]) {
        Ok((si, _)) if positive(si).is_some() => {
            within(si, FIGURE_MAX, "nothing would be outside of it").map(LimitFigure::Absolute)
        }
        Ok(_) => Err(format!("`{text}` is not a limit above zero")),
        Err(error) => Err(format!("`{text}`: {error}")),
    }
}

/// Notes contradictions between a test's keys.
fn makes_sense(test: &Test, values: &Values, out: &mut Diagnostics) {
    let mut refuse = |key: &str, message: &str, label: &str| {
        out.report(Code::DOES_NOT_FIT, values.span_of(key), message.to_owned(), label.to_owned());
    };
    let is_energy = !matches!(test.subject, Subject::Each(_));
    match test.evaluate {
        Evaluate::NoLoad if !test.current.is_empty() => {
            refuse("current", "a no-load test has no current", "leave it out");
        }
        Evaluate::Starting | Evaluate::Repeatability if test.current.is_empty() => {
            refuse("current", "without current there is nothing to register", "expected one");
        }
        _ => {}
    }
    if matches!(test.evaluate, Evaluate::NoLoad | Evaluate::Starting) && !is_energy {
        refuse("quantity", "starting and no-load tests are about energy", "expected an energy");
    }
    let is_number = match &test.subject {
        Subject::Each(ids) => ids.iter().all(|id| id.row().si_unit == SiUnit::One),
        Subject::ActiveEnergy | Subject::ReactiveEnergy => false,
    };
    if test.expected.is_some() && !is_number {
        refuse("expected", "what this quantity has to be follows from the plant", "leave it out");
    }
    if test.evaluate == Evaluate::NoLoad && test.no_load_constant.is_empty() {
        refuse("no_load_constant", "how long the test lasts is missing", "expected constants");
    }
    if test.current.is_empty() && is_energy && test.evaluate != Evaluate::NoLoad {
        refuse("current", "an error of energy needs a current", "expected one");
    }
    for key in ["voltage", "frequency", "loaded", "direction", "power_factor", "sequence"] {
        if values.list(key).is_empty() {
            refuse(key, "an empty list makes no operating point", "expected one value or more");
        }
    }
    if values.list("limit").is_empty() {
        refuse("limit", "a test without limits judges nothing", "expected `[[test.limit]]`");
    }
}

/// Refuses what would pass whatever the meter does, and keys that would be ignored.
fn tests_something(test: &Test, test_plan: &TestPlan, values: &Values, out: &mut Diagnostics) {
    let mut refuse = |key: &str, message: &str, label: &str| {
        out.report(Code::DOES_NOT_FIT, values.span_of(key), message.to_owned(), label.to_owned());
    };
    let is_reference = |celsius: &f64| *celsius == test_plan.temperature;
    if !test.phase_voltages.is_empty() && test.voltage != [1.0] {
        refuse("voltage", "`phase_voltages` has all voltages already", "would be ignored");
    }
    let voltages_include_reference = match test.phase_voltages.as_slice() {
        [] => test.voltage.contains(&1.0),
        list => list.contains(&[1.0; 3]),
    };
    let includes_reference = voltages_include_reference
        && test.loaded.contains(&None)
        && test.frequency.contains(&1.0)
        && test.temperature.iter().any(is_reference)
        && test.waveform.contains(&0)
        && test.reversed.contains(&false);
    match test.evaluate {
        Evaluate::Variation if includes_reference => {
            let message = "one of the points is the reference itself: nothing varies";
            refuse("evaluate", message, "expected an influence without its reference value");
        }
        Evaluate::TemperatureCoefficient if test.temperature.iter().any(is_reference) => {
            let message = "a coefficient needs temperatures other than the reference";
            refuse("temperature", message, "expected such as [13, 33]");
        }
        Evaluate::Composite => {
            let sweeps = [
                ("loaded", test.loaded == [None]),
                ("waveform", test.waveform == [0]),
                ("sequence", test.reversed == [false]),
                ("phase_voltages", test.phase_voltages.is_empty()),
            ];
            for (key, _) in sweeps.iter().filter(|(_, is_usual)| !is_usual) {
                let message = "a composite is made of voltage, frequency and temperature only";
                refuse(key, message, "would be ignored");
            }
            let is_nothing = test.voltage == [1.0]
                && test.frequency == [1.0]
                && test.temperature.iter().all(is_reference);
            if is_nothing {
                let message = "a composite without any influence is the error itself";
                refuse("evaluate", message, "expected voltage, frequency or temperature");
            }
        }
        _ => {}
    }
    if let Subject::Each(ids) = &test.subject {
        let unit = ids.first().map(|id| id.row().si_unit);
        if ids.iter().any(|id| Some(id.row().si_unit) != unit) {
            let message = "quantities of several units have no limit in common";
            refuse("quantity", message, "expected quantities of one unit");
        }
    }
}

/// Every point of every test has exactly one limit for each class the test is for, whatever the
/// connection; reported at the test.
pub(crate) fn report_missing_limits(test_plan: &TestPlan, tests: &[Values], out: &mut Diagnostics) {
    let mut wanted = 0_usize;
    for (test, values) in test_plan.tests.iter().zip(tests) {
        wanted = wanted.saturating_add(sweep::points_wanted(test).min(coordinates::POINTS_MAX));
        if wanted > plan::ITEMS_MAX {
            let message = format!("more than {} points in all tests together", plan::ITEMS_MAX);
            let label = "up to this test";
            out.report(Code::DOES_NOT_FIT, values.span_of("name"), message, label);
            return;
        }
        if let Err(message) = sweep::has_limits(test_plan, test) {
            let label = "of this test";
            out.report(Code::DOES_NOT_FIT, values.span_of("name"), message, label);
        }
    }
}
