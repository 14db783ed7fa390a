//! The source `heat-circuit`: temperatures and volume flow of a heated building, step by step.

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use rand::RngExt as _;

use super::{Signal, SourceContext, SourceKind};
use crate::domain::MeteringPoint;
use crate::domain::daily::{Daily, OFF_TIMES, Profile, STEADY, profile, step};
use crate::domain::heat::if97::saturation_pressure_pa;
use crate::domain::heat::{FlowSensor, HeatCircuit, HeatState};
use crate::injection::quantity;

/// Temperatures up to which heat meters are made.
const CELSIUS: Kind = quantity(Dimension::Temperature, 1.0, 200.0);
const DIFFERENCE: Kind = quantity(Dimension::TemperatureDifference, 0.0, 100.0);

static PROFILES: [Profile; 3] = [
    Profile::new(
        "dwelling",
        [
            0.25, 0.25, 0.25, 0.25, 0.35, 0.70, 1.00, 1.00, 0.85, 0.70, 0.60, 0.55, 0.55, 0.50,
            0.50, 0.55, 0.65, 0.80, 0.90, 0.95, 0.90, 0.75, 0.45, 0.30,
        ],
    ),
    Profile::new(
        "office",
        [
            0.10, 0.10, 0.10, 0.10, 0.30, 0.80, 1.00, 1.00, 0.95, 0.85, 0.75, 0.70, 0.65, 0.65,
            0.60, 0.60, 0.55, 0.40, 0.20, 0.10, 0.10, 0.10, 0.10, 0.10,
        ],
    ),
    STEADY,
];

static FIELDS: [Field; 11] = [
    Field::default(
        "profile",
        Kind::Choice(&["dwelling", "office", "steady"]),
        "\"dwelling\"",
        "Daily course of the volume flow, as shares of `peak_flow` by the hour (UTC)",
    ),
    Field::default("flow_temperature", CELSIUS, "\"75 °C\"", "Temperature in the flow pipe"),
    Field::default("return_temperature", CELSIUS, "\"45 °C\"", "Temperature in the return pipe"),
    Field::default(
        "setback",
        DIFFERENCE,
        "\"8 K\"",
        "By how much the flow is cooler when no heat is asked for; in proportion in between",
    ),
    Field::default(
        "temperature_variation",
        DIFFERENCE,
        "\"1 K\"",
        "Half width of what is drawn for each step and added to each temperature",
    ),
    Field::default(
        "peak_flow",
        quantity(Dimension::VolumeFlow, 0.0, 1e3),
        "\"600 l/h\"",
        "Volume flow at the peak of the profile, at the flow sensor",
    ),
    Field::default(
        "flow_variation",
        quantity(Dimension::Ratio, 0.0, 1.0),
        "\"15 %\"",
        "Half width of what is drawn for each step, relative to the volume flow",
    ),
    Field::default(
        "pressure",
        quantity(Dimension::Pressure, 1e5, 1e7),
        "\"16 bar\"",
        "Pressure of the water; heat meters compute for 16 bar",
    ),
    Field::default(
        "flow_sensor",
        Kind::Choice(&["flow", "return"]),
        "\"return\"",
        "The pipe in which the flow sensor of the meter sits",
    ),
    step("\"1 min\""),
    OFF_TIMES,
];

pub(crate) const KIND: SourceKind = SourceKind {
    entry: Entry {
        name: "heat-circuit",
        summary: "heat: flow and return temperature, volume flow, and what follows from them",
        description: "A circuit that heats a building, drawn step by step around a daily course: \
            the volume flow follows `profile`, the flow temperature goes down with it by `setback`. \
            Within a step nothing changes. Thermal power follows from specific enthalpies and \
            volumes of IAPWS-IF97, region 1, as EN 1434-1 defines its heat coefficient. Heat meters \
            are connected to it.",
        fields: &FIELDS,
    },
    build,
};

fn build(
    values: &Values,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Signal> {
    let daily = Daily::read((values, "off"), (context.start, context.duration), diagnostics)?;
    let flow_celsius = values.si("flow_temperature");
    let return_celsius = values.si("return_temperature");
    let (setback_k, variation_k) = (values.si("setback"), values.si("temperature_variation"));
    let coldest_flow = flow_celsius - setback_k - variation_k;
    let pressure_pa = values.si("pressure");
    let mut report = |key: &str, message: String, label: String| {
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
    };
    if coldest_flow <= return_celsius + variation_k {
        let message = format!(
            "the flow can be as cold as {coldest_flow} °C, the return as warm as {} °C",
            return_celsius + variation_k
        );
        let label = "expected a warmer flow, or less `setback` and `temperature_variation`";
        report("flow_temperature", message, label.to_owned());
        return None;
    }
    if return_celsius - variation_k <= 0.0 {
        let message = format!("the return can be as cold as {} °C", return_celsius - variation_k);
        report("return_temperature", message, "expected water that does not freeze".to_owned());
        return None;
    }
    let boiling = saturation_pressure_pa(flow_celsius + variation_k);
    if pressure_pa <= boiling {
        let message = format!("at {} °C water boils", flow_celsius + variation_k);
        let label = format!("expected more than {:.2} bar", boiling / 1e5);
        report("pressure", message, label);
        return None;
    }
    let sensor = match values.text("flow_sensor") {
        "flow" => FlowSensor::Flow,
        _ => FlowSensor::Return,
    };
    let course = profile(&PROFILES, values.text("profile"));
    let (peak, spread) = (values.si("peak_flow"), values.si("flow_variation"));
    let mut draw = context.streams.stream(&format!("source/{}/heat", context.name));
    let mut drawn = || draw.random_range(-1.0..=1.0);
    let steps: Vec<HeatState> = (0..daily.steps)
        .map(|step| {
            let share = course.share(daily.begin(step));
            HeatState {
                flow_celsius: flow_celsius - setback_k * (1.0 - share) + variation_k * drawn(),
                return_celsius: return_celsius + variation_k * drawn(),
                volume_flow_m3_per_s: peak * share * (1.0 + spread * drawn()),
            }
        })
        .collect();
    let states = daily.pieces().into_iter().map(|piece| {
        let state = steps[piece.step];
        let flow = if piece.is_within { 0.0 } else { state.volume_flow_m3_per_s };
        (piece.begin, HeatState { volume_flow_m3_per_s: flow, ..state })
    });
    let circuit = HeatCircuit::new(pressure_pa, sensor, states)?;
    Some(Signal::Pipe(MeteringPoint::Heat(circuit)))
}
