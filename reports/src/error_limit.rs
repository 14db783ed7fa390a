//! What an `accuracy` check was asked to do, and how it counts errors.

use lastmeter_params::{
    Code, Diagnostics, Dimension, Pattern, Value, Values, registered_measurement_help,
};
use lastmeter_record::Observation;
use lastmeter_units::{Formation, MeasurementId, Quantity, SiUnit};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// In percent of the reference.
    Percent(f64),
    /// In the SI unit of a difference of two of the quantity's values.
    Absolute(f64, SiUnit),
}

impl Limit {
    /// The figure in [`Self::unit`].
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Percent(value) | Self::Absolute(value, _) => value,
        }
    }

    /// `%`, or the SI unit.
    pub(crate) fn unit(self) -> String {
        match self {
            Self::Percent(_) => "%".to_owned(),
            Self::Absolute(_, unit) => unit.to_string(),
        }
    }

    /// The spread of a reference in [`Self::unit`], in percent of `whole` where it is relative;
    /// infinite where it is not known.
    pub(crate) fn spread(self, whole: f64, spread: f64) -> f64 {
        let spread = match self {
            Self::Percent(_) if spread == 0.0 => 0.0,
            Self::Percent(_) => 100.0 * spread / whole,
            Self::Absolute(..) => spread,
        };
        if spread.is_nan() { f64::INFINITY } else { spread }
    }

    /// The signed error of a quantity in [`Self::unit`], beyond the [`resolution`] that is free, in
    /// percent of `whole` where it is relative. Exact agreement is no error even where that is
    /// zero; any other difference from zero is infinite in percent.
    fn error(self, whole: f64, quantity: MeasurementId, reference: f64, reported: f64) -> f64 {
        let free = resolution(quantity);
        let error = reported - reference;
        let error = if error.abs() <= free { 0.0 } else { error - free.copysign(error) };
        match self {
            Self::Percent(_) if error == 0.0 => 0.0,
            Self::Percent(_) => 100.0 * error / whole,
            Self::Absolute(..) => error,
        }
    }
}

/// What a quantity cannot distinguish by its nature, in its SI unit: a count of pulses has no
/// fractions. Zero of all others.
pub fn resolution(quantity: MeasurementId) -> f64 {
    match quantity.row().quantity {
        Quantity::ActivePulses | Quantity::ReactivePulses => 1.0,
        _ => 0.0,
    }
}

/// What an accuracy check was asked to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    /// Which devices.
    pub device: Pattern,
    /// Which quantities, as written.
    pub quantity: Pattern,
    /// Which quantities, in the registry's order.
    pub quantities: Vec<MeasurementId>,
    /// What error is allowed.
    pub limit: Limit,
    /// In SI units: values are not judged where reference and report are smaller.
    pub minimum: Option<f64>,
    /// Whether registers are judged by what they counted, not by what they show.
    pub difference: bool,
}

impl Spec {
    pub(crate) fn read(values: &Values, diagnostics: &mut Diagnostics) -> Option<Self> {
        let quantity = Pattern::new(values.text("quantity"));
        let quantities: Vec<_> =
            MeasurementId::all().filter(|id| quantity.matches(id.name())).collect();
        if quantities.is_empty() {
            diagnostics.report_with_help(
                Code::UNKNOWN_MEASUREMENT,
                values.span_of("quantity"),
                format!("no measurement identifier fits `{quantity}`"),
                "fits nothing",
                Some(registered_measurement_help(quantity.as_str())),
            );
            return None;
        }
        let (limit, dimension) = quantity_of(values, "limit")?;
        let unit = quantities[0].row().si_unit.of_difference();
        let limit = if dimension == Dimension::Ratio {
            Limit::Percent(in_percent(limit))
        } else {
            Limit::Absolute(limit, unit)
        };
        let mut fits = true;
        for name in ["limit", "minimum"] {
            let Some((_, dimension)) = quantity_of(values, name) else { continue };
            let relative = name == "limit" && dimension == Dimension::Ratio;
            let other = quantities.iter().find(|id| {
                let unit = id.row().si_unit;
                // A share of a temperature, or a smallest one, hangs on where its scale begins.
                let is_scale = unit == SiUnit::DegreeCelsius && (relative || name == "minimum");
                let own = Dimension::of_unit(unit.of_difference());
                is_scale || (own != dimension && !relative)
            });
            if let Some(other) = other {
                fits = false;
                report_dimension(values, name, dimension, *other, diagnostics);
            }
        }
        let difference = values.boolean("difference");
        let is_register = |id: &&MeasurementId| {
            id.row().quantity.formation().is_none_or(|it| it == Formation::Register)
        };
        if let Some(other) = quantities.iter().find(|id| difference && !is_register(id)) {
            let message = format!("{other} is no register, so nothing of it adds up");
            let label = "expected with energies, volumes and counts only";
            diagnostics.report(Code::DOES_NOT_FIT, values.span_of("difference"), message, label);
            return None;
        }
        let minimum = values.si_opt("minimum");
        let device = Pattern::new(values.text("device"));
        fits.then_some(Self { device, quantity, quantities, limit, minimum, difference })
    }

    /// Whether a value is judged. One that is no number is.
    pub(crate) fn judges(&self, reference: f64, reported: f64) -> bool {
        let is_below = |minimum| reference.abs() < minimum && reported.abs() < minimum;
        !self.minimum.is_some_and(is_below)
    }

    /// The signed error of a value that is judged, in the unit of the limit.
    pub(crate) fn error(&self, quantity: MeasurementId, reference: f64, reported: f64) -> f64 {
        let whole = reference.abs().max(self.minimum.unwrap_or(0.0));
        self.limit.error(whole, quantity, reference, reported)
    }

    /// The signed error of a pair in the unit of the limit, unless it is left out.
    pub(crate) fn judged_error(
        &self,
        row: &Observation<'_>,
        reference: f64,
        reported: f64,
    ) -> Option<f64> {
        let judges = self.judges(reference.abs() + row.spread(), reported);
        judges.then(|| self.error(row.quantity, reference, reported))
    }

    /// The spread of a reference that is judged, in the unit of the limit.
    pub(crate) fn spread(&self, reference: f64, spread: f64) -> f64 {
        let whole = reference.abs().max(self.minimum.unwrap_or(0.0));
        self.limit.spread(whole, spread)
    }
}

fn quantity_of(values: &Values, name: &str) -> Option<(f64, Dimension)> {
    match values.get(name)? {
        Value::Quantity { si, dimension, .. } => Some((*si, *dimension)),
        _ => None,
    }
}

fn report_dimension(
    values: &Values,
    name: &str,
    dimension: Dimension,
    quantity: MeasurementId,
    diagnostics: &mut Diagnostics,
) {
    let unit = quantity.row().si_unit;
    let (code, span) = (Code::WRONG_DIMENSION, values.span_of(name));
    if unit == SiUnit::DegreeCelsius && (name == "minimum" || dimension == Dimension::Ratio) {
        let message = format!("`{name}` has no meaning for {quantity}, a temperature in °C");
        let help = match name {
            "minimum" => "leave `minimum` out",
            _ => "write the limit in K, such as `\"0.5 K\"`",
        };
        let label = "depends on where the scale begins";
        return diagnostics.report_with_help(code, span, message, label, Some(help.to_owned()));
    }
    diagnostics.report(
        code,
        span,
        format!("`{name}` is of dimension {dimension}, which {quantity} is not"),
        format!("expected a value in {} here", unit.of_difference()),
    );
}

/// A ratio in percent, without the last bits that the conversion from `0.07 %` and back adds.
fn in_percent(ratio: f64) -> f64 {
    let percent = 100.0 * ratio;
    format!("{percent:.13e}").parse().unwrap_or(percent)
}
