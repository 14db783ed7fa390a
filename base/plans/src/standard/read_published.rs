//! Reads the sweeps of a publication, its figures and its surfaces.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_units::MeasurementId;

use super::model::{Evaluate, Relative, Subject, Test};
use super::published::{Along, Published, Surface};
use super::read_test::{currents, each, figure, power_factor, waveforms};
use super::test_plan::TestPlan;

pub(crate) fn read_sweep(
    values: &Values,
    test_plan: &TestPlan,
    out: &mut Diagnostics,
) -> Option<Test> {
    let mistakes = out.len();
    let waveform = waveforms(values, test_plan, out);
    let label = "expected `1`, `0.5 ind`, `-45 deg`";
    let sweep = Test {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        evaluate: Evaluate::Error,
        quantity: String::new(),
        subject: Subject::Each(Vec::new()),
        relative: Relative::Reading,
        connections: Vec::new(),
        classes: Vec::new(),
        three_phases: false,
        current: currents(values, test_plan, out),
        power_factor: each(values, "power_factor", label, out, power_factor),
        export: vec![false],
        loaded: vec![None],
        voltage: values.si_list("voltage"),
        phase_voltages: Vec::new(),
        frequency: values.si_list("frequency"),
        temperature: vec![test_plan.temperature],
        waveform,
        reversed: vec![false],
        readings: None,
        no_load_constant: BTreeMap::new(),
        pulses: 0.0,
        expected: None,
        not_played: None,
        limits: Vec::new(),
    };
    for key in ["voltage", "frequency", "power_factor", "waveform"] {
        if values.list(key).is_empty() {
            let message = "an empty list makes no operating point";
            out.report(Code::DOES_NOT_FIT, values.span_of(key), message, "expected one or more");
        }
    }
    (out.len() == mistakes).then_some(sweep)
}

pub(crate) fn read_published(values: &Values, out: &mut Diagnostics) -> Option<Published> {
    let text = values.text("quantity");
    let Some(quantity) = MeasurementId::lookup(text) else {
        let message = format!("there is no measurement identifier `{text}`");
        let label = "expected one identifier";
        out.report(Code::UNKNOWN_MEASUREMENT, values.span_of("quantity"), message, label);
        return None;
    };
    let subject = Subject::Each(vec![quantity]);
    let figure = match figure(values.text("figure"), &subject, Evaluate::Error) {
        Ok(figure) => figure,
        Err(message) => {
            out.report(Code::BAD_NUMBER, values.span_of("figure"), message, "expected a value");
            return None;
        }
    };
    Some(Published {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        quantity,
        figure,
        relative: Relative::from_word(values.text("relative_to"))?,
        counts_from: values.si("counts_from"),
        fitted: values.boolean("fitted"),
    })
}

pub(crate) fn read_surface(
    values: &Values,
    test_plan: &TestPlan,
    out: &mut Diagnostics,
) -> Option<Surface> {
    let mut find = |key: &str, names: Vec<&str>| {
        let name = values.text(key);
        let found = names.iter().position(|known| *known == name);
        if found.is_none() {
            let message = format!("the test plan has no {key} `{name}`");
            let label = format!("expected one of {}", names.join(", "));
            out.report(Code::UNKNOWN_REFERENCE, values.span_of(key), message, label);
        }
        found
    };
    let row = find("row", test_plan.published.iter().map(|row| row.name.as_str()).collect());
    let sweep = find("sweep", test_plan.sweeps.iter().map(|sweep| sweep.name.as_str()).collect());
    Some(Surface {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        row: row?,
        sweep: sweep?,
        x: Along::from_word(values.text("x"))?,
        y: Along::from_word(values.text("y"))?,
    })
}
