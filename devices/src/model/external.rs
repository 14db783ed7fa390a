//! Meters that are programs of others.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_sim::{ElectricityFacts, Netting};
use lastmeter_units::MeasurementId;

use super::fields::{between, shared};
use crate::border::{Device, Feed, ProgramSpec};
use crate::context::DeviceContext;
use crate::external::{Begin, External, ExternalParts, VERSION};
use crate::model::kind::{DeviceKind, Fits};
use crate::outlet::reporter::Reporter;

static FIELDS: [Field; 10] = [
    Field::required(
        "program",
        Kind::Text,
        "The program: a file beside the scenario. It is asked by lines of JSON on its standard \
         input, and answers each by one on its standard output (docs/external.md).",
    ),
    Field::default(
        "with",
        Kind::List(&Kind::Text),
        "[\"python3\"]",
        "What runs the program, with its options; empty if it runs by itself.",
    ),
    Field::default(
        "within",
        between(Dimension::Time, 0.01, 600.0),
        "\"5 s\"",
        "How long each answer may take in wall time; one that is late ends the run.",
    ),
    Field::default(
        "settings",
        Kind::Texts,
        "{}",
        "What the program is given of its own at the beginning, as texts.",
    ),
    Field::required(
        "quantities",
        Kind::List(&Kind::Text),
        "What a reading contains: measurement identifiers.",
    ),
    Field::default(
        "feed",
        Kind::Choice(&["spectrum", "samples"]),
        "\"spectrum\"",
        "What it is shown of its terminal: the tones of voltages and currents, or samples.",
    ),
    Field::default(
        "sample_rate",
        between(Dimension::Frequency, 100.0, 100_000.0),
        "\"4 kHz\"",
        "Samples per second and channel, where it is shown samples.",
    ),
    shared("report_every"),
    shared("total"),
    shared("pulse_constant"),
];

pub(crate) const EXTERNAL: DeviceKind = DeviceKind {
    fits: Fits::Electricity { phases: 1 },
    entry: Entry {
        name: "external",
        summary: "a meter of one or three phases that is a program of your own",
        description: "A program, in Python or any other language, that is the meter: it is shown \
            what its terminal carries, asked for a reading whenever one is due, and answers with \
            values in SI units (V, A, W, J, Hz). The bench numbers the readings and sends them as \
            those of any meter. A program that ends, is late, writes what nobody asked for or makes \
            no sense ends the run with an error that names it. `lastmeter new device` writes one to \
            begin with; docs/external.md has the lines.",
        fields: &FIELDS,
    },
    build,
    ..DeviceKind::PLAIN
};

fn build(
    values: &Values,
    context: &DeviceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Box<dyn Device>> {
    let mut quantities = Vec::new();
    let mistakes = diagnostics.len();
    for (name, (_, span)) in
        values.text_list("quantities").into_iter().zip(values.list("quantities"))
    {
        match MeasurementId::lookup(name) {
            Some(id) if quantities.contains(&id) => {
                let message = format!("`{name}` stands here twice");
                diagnostics.report(Code::DOES_NOT_FIT, *span, message, "the second time");
            }
            Some(id) => quantities.push(id),
            None => {
                let message = format!("unknown quantity `{name}`");
                let label = "expected a measurement identifier (`lastmeter list quantities`)";
                diagnostics.report(Code::UNKNOWN_MEASUREMENT, *span, message, label);
            }
        }
    }
    // Each of what does not fit has a message of its own.
    let mut refuse = |field: &str, message: &str, label: &str| {
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of(field), message, label);
    };
    if values.list("quantities").is_empty() {
        refuse(
            "quantities",
            "a reading without quantities would be empty",
            "expected at least one",
        );
    }
    if values.text("feed") == "spectrum" && !context.has_spectrum {
        let message = "a played recording has no spectrum to show";
        refuse("feed", message, "expected \"samples\" with this source");
    }
    if diagnostics.len() > mistakes {
        return None;
    }
    let feed = match values.text("feed") {
        "samples" => Feed::Samples { rate_hz: values.si("sample_rate") },
        _ => Feed::Spectrum,
    };
    let netting = match values.text("total") {
        "per-phase" => Netting::PerPhase,
        _ => Netting::Net,
    };
    let period = values.duration("report_every");
    let owned = |key: &str| values.text_list(key).into_iter().map(str::to_owned).collect();
    let pulse_constant = values.integer("pulse_constant") as f64;
    Some(Box::new(External::new(ExternalParts {
        program: ProgramSpec {
            file: values.text("program").to_owned(),
            with: owned("with"),
            within: std::time::Duration::from_secs_f64(values.si("within")),
        },
        begin: Begin {
            lastmeter: VERSION,
            device: context.name.to_owned(),
            hardware_id: context.hardware_id.to_string(),
            start: context.start.to_string(),
            phases: context.phases,
            report_every_s: period.as_seconds_f64(),
            quantities: quantities.iter().map(|id| id.name()).collect(),
            settings: values.texts("settings"),
        },
        outlet: Reporter::uplink(context, false),
        quantities,
        feed,
        electricity: ElectricityFacts { netting, pulse_constant, profile: None },
        period,
    })))
}
