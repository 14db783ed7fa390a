//! What is played when: the sweep before, the measuring points of the procedure, the sweep after.

use lastmeter_params::{Code, Diagnostics, Dimension, NodeValue, Table, Values, read_table};
use lastmeter_units::{MeasurementId, Phase, Quantity, SimDuration};

use super::fields::CALIBRATION_FIELDS;
use crate::standard::{period_of, si_of_device};

/// More points than these are a slip of the pen.
const POINTS_MAX: usize = 2000;

/// How a meter is calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Procedure {
    /// Gains, phase and offsets, each at one point.
    EnergyChip,
    /// Gain and offset of each channel over levels of direct voltage and current.
    Static,
}

lastmeter_units::words! {
    /// What a point of the plan is for.
    pub enum Stage {
        /// The sweep before.
        Before = "before",
        /// Gains of voltage and current are set from it.
        RmsGains = "rms-gains",
        /// The gain of the active power is set from it.
        ActiveGain = "active-gain",
        /// The phase is set from it.
        Phase = "phase",
        /// The gains of reactive and apparent power are set from it.
        OtherGains = "other-gains",
        /// The offsets are set from it.
        Offsets = "offsets",
        /// The sweep after.
        After = "after",
    }
}

/// What the source carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Conditions {
    /// Sines: RMS values in volts and amperes, lag of the current in radians.
    Sine {
        /// In volts.
        voltage_v: f64,
        /// In amperes.
        current_a: f64,
        /// In radians.
        lag_rad: f64,
    },
    /// Direct voltage and current, as the generator is set: a part of both full scales.
    Direct {
        /// From -1 to 1.
        level: f64,
    },
}

/// A point of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What it is for.
    pub stage: Stage,
    /// What the source carries.
    pub conditions: Conditions,
    /// When it begins, since the start.
    pub start: SimDuration,
    /// From when on readings count.
    pub measure_from: SimDuration,
    /// When it ends.
    pub end: SimDuration,
}

lastmeter_units::words! {
    /// A quantity that is calibrated: what identifiers it is read from, import less export.
    pub enum Subject {
        /// Voltage: RMS, or mean where direct.
        Voltage = "voltage",
        /// Current: RMS, or mean where direct.
        Current = "current",
        /// Active power.
        ActivePower = "active_power",
        /// Reactive power.
        ReactivePower = "reactive_power",
        /// Apparent power.
        ApparentPower = "apparent_power",
    }
}

impl Subject {
    /// The unit of its values.
    pub fn unit(self) -> &'static str {
        ["V", "A", "W", "var", "VA"][self as usize]
    }
}

/// A calibration unrolled into points, each with its instants.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How coefficients follow from what was measured.
    pub procedure: Procedure,
    /// The meter that is calibrated.
    pub device: String,
    /// The reference meter.
    pub reference: String,
    /// Expanded uncertainty (k = 2) that the reference meter states, relative; nothing if it
    /// states none.
    pub reference_uncertainty: Option<f64>,
    /// RMS voltage, or full scale, in volts.
    pub voltage_v: f64,
    /// Current where gains are set, or full scale, in amperes.
    pub current_a: f64,
    /// In hertz.
    pub frequency_hz: f64,
    /// Readings that count at each point.
    pub readings: u32,
    /// How far the generator may be off: of the setting, and of the full scale.
    pub generator: (f64, f64),
    /// What is played, one after another.
    pub points: Vec<Point>,
}

impl Plan {
    /// How long it lasts.
    pub fn duration(&self) -> SimDuration {
        self.points.last().map_or(SimDuration::ZERO, |point| point.end)
    }

    /// When coefficients are computed and written, and from which points: after the points of each
    /// step, and after the sweep before of the static procedure.
    pub fn steps(&self) -> Vec<(SimDuration, Stage)> {
        let is_step = |stage: Stage| match self.procedure {
            Procedure::EnergyChip => !matches!(stage, Stage::Before | Stage::After),
            Procedure::Static => stage == Stage::Before,
        };
        let mut steps: Vec<(SimDuration, Stage)> = Vec::new();
        for point in self.points.iter().filter(|point| is_step(point.stage)) {
            match steps.last_mut().filter(|(_, stage)| *stage == point.stage) {
                Some((end, _)) => *end = point.end,
                None => steps.push((point.end, point.stage)),
            }
        }
        steps
    }

    /// The point whose measuring time a reading lies in that was due at `due`, the one before at
    /// `previous`, both since the start.
    pub fn point_of(&self, previous: SimDuration, due: SimDuration) -> Option<usize> {
        let place = self.points.partition_point(|point| point.end < due);
        self.points.get(place).filter(|point| previous >= point.measure_from)?;
        Some(place)
    }

    /// The identifiers of a subject: those of import and of export.
    pub fn identifiers(&self, subject: Subject) -> (Option<MeasurementId>, Option<MeasurementId>) {
        use lastmeter_units::Direction::{Consumed, Injected};
        let of = |quantity| MeasurementId::of(quantity, Phase::L1);
        let is_direct = self.procedure == Procedure::Static;
        match subject {
            Subject::Voltage if is_direct => (of(Quantity::VoltageMean), None),
            Subject::Current if is_direct => (of(Quantity::CurrentMean), None),
            Subject::Voltage => (of(Quantity::VoltageRms), None),
            Subject::Current => (of(Quantity::CurrentRms), None),
            Subject::ActivePower => {
                (of(Quantity::ActivePower(Consumed)), of(Quantity::ActivePower(Injected)))
            }
            Subject::ReactivePower => {
                (of(Quantity::ReactivePower(Consumed)), of(Quantity::ReactivePower(Injected)))
            }
            Subject::ApparentPower => (of(Quantity::ApparentPower), None),
        }
    }

    /// The subject and direction (1 import, -1 export) of an identifier.
    pub fn subject_of(&self, id: MeasurementId) -> Option<(Subject, f64)> {
        Subject::ALL.into_iter().find_map(|subject| {
            let (import, export) = self.identifiers(subject);
            match id {
                _ if import == Some(id) => Some((subject, 1.0)),
                _ if export == Some(id) => Some((subject, -1.0)),
                _ => None,
            }
        })
    }

    /// The full scale of a subject in its unit, of the static procedure.
    pub fn full_scale(&self, subject: Subject) -> f64 {
        match subject {
            Subject::Voltage => self.voltage_v,
            Subject::Current => self.current_a,
            _ => f64::NAN,
        }
    }
}

/// The plan of a scenario document; `None` without a `[calibration]`, and after a mistake, which is
/// then reported.
pub fn plan_of(document: &Table, out: &mut Diagnostics) -> Option<Plan> {
    let node = document.get("calibration")?;
    let NodeValue::Table(table) = &node.value else {
        let message = "`calibration` is one table";
        out.report(Code::WRONG_KIND, node.span, message, "expected `[calibration]`");
        return None;
    };
    let values = read_table(table, node.span, CALIBRATION_FIELDS, out)?;
    let period = period_of(document, values.text("device"));
    let reference = values.text("reference");
    let stated = si_of_device(document, reference, "stated_uncertainty", Dimension::Ratio);
    read_plan(&values, period, stated, out)
}

/// The plan that the checked keys of a `[calibration]` make, for a meter that reports every
/// `period` and a reference meter that states an uncertainty; mistakes are reported.
pub fn read_plan(
    values: &Values,
    period: SimDuration,
    stated: Option<f64>,
    out: &mut Diagnostics,
) -> Option<Plan> {
    let procedure = match values.text("procedure") {
        "static" => Procedure::Static,
        _ => Procedure::EnergyChip,
    };
    let mut plan = Plan {
        procedure,
        device: values.text("device").to_owned(),
        reference: values.text("reference").to_owned(),
        reference_uncertainty: stated,
        voltage_v: values.si("voltage"),
        current_a: values.si("current"),
        frequency_hz: values.si("frequency"),
        readings: u32::try_from(values.integer("readings")).unwrap_or(10),
        generator: (values.si("generator_gain"), values.si("generator_offset")),
        points: Vec::new(),
    };
    let mut refuse = |key: &str, message: &str, label: &str| {
        out.report(Code::DOES_NOT_FIT, values.span_of(key), message.to_owned(), label);
    };
    if plan.device == plan.reference {
        refuse("reference", "a meter cannot be its own reference", "expected another device");
        return None;
    }
    let sweep = sweep(&plan, values);
    if sweep.is_empty() {
        let key = if procedure == Procedure::Static { "levels" } else { "currents" };
        refuse(key, "a sweep without points shows nothing", "expected at least one");
        return None;
    }
    // A line through two levels always fits: only a third shows whether it does.
    let distinct = sweep.iter().filter(|point| sweep.iter().filter(|p| p == point).count() == 1);
    if procedure == Procedure::Static && distinct.count() < 3 {
        refuse("levels", "gain and offset need three levels", "expected more");
        return None;
    }
    if 2 * sweep.len() > POINTS_MAX || period.0 <= 0 {
        refuse("procedure", "the plan has too many points, or readings never come", "too long");
        return None;
    }
    let whole = values.duration("settle").0.saturating_add(period.0 - 1) / period.0;
    let settle = whole.max(2);
    let mut all: Vec<(Stage, Conditions)> =
        sweep.iter().map(|conditions| (Stage::Before, *conditions)).collect();
    if procedure == Procedure::EnergyChip {
        all.extend(measuring_points(&plan, values.si("low_current")));
    }
    all.extend(sweep.iter().map(|conditions| (Stage::After, *conditions)));
    let mut start = SimDuration::ZERO;
    for (stage, conditions) in all {
        let measure_from = start + SimDuration(settle * period.0);
        let end = measure_from + SimDuration(i64::from(plan.readings) * period.0);
        plan.points.push(Point { stage, conditions, start, measure_from, end });
        start = end;
    }
    Some(plan)
}

fn sweep(plan: &Plan, values: &Values) -> Vec<Conditions> {
    if plan.procedure == Procedure::Static {
        let levels = values.si_list("levels").into_iter();
        return levels.map(|level| Conditions::Direct { level }).collect();
    }
    let mut points = Vec::new();
    for power_factor in values.si_list("power_factors") {
        for current_a in values.si_list("currents") {
            let lag_rad = libm::acos(power_factor.clamp(-1.0, 1.0));
            points.push(Conditions::Sine { voltage_v: plan.voltage_v, current_a, lag_rad });
        }
    }
    points
}

/// In the order of the chips' application notes.
fn measuring_points(plan: &Plan, low_current_a: f64) -> Vec<(Stage, Conditions)> {
    let (voltage_v, current_a) = (plan.voltage_v, plan.current_a);
    let unity = Conditions::Sine { voltage_v, current_a, lag_rad: 0.0 };
    let half = Conditions::Sine { voltage_v, current_a, lag_rad: std::f64::consts::FRAC_PI_3 };
    let low = Conditions::Sine { voltage_v, current_a: low_current_a, lag_rad: 0.0 };
    vec![
        (Stage::RmsGains, unity),
        (Stage::ActiveGain, unity),
        (Stage::Phase, half),
        (Stage::OtherGains, half),
        (Stage::Offsets, low),
    ]
}
