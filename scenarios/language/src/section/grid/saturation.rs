//! `[[grid.saturation]]`: transformers whose iron saturates.

use lastmeter_grid::Network;
use lastmeter_grid::motion::Resolution;
use lastmeter_grid::network::Magnetising;
use lastmeter_grid::transient::Saturation;
use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind, Values};

use super::pieces::find;
use crate::draft::{Naming, Row, Section};

const fn per_unit(min: f64, max: f64) -> Kind {
    Kind::Quantity { dimension: Dimension::Ratio, min, max }
}

const FLUX: Kind = per_unit(-2.0, 2.0);

pub(crate) static GRID_SATURATION: Section = Section {
    name: "grid.saturation",
    noun: "saturation",
    doc: "Iron of a transformer that saturates, so that energising it has an inrush. Needs \
        `resolution = \"waveforms\"` of `[grid]`. The current of each limb by its flux goes \
        straight up to `knee`, with the no-load current of the network's file, and straight \
        beyond. Waves last until they are steady or for `waveform_longest` of `[grid]`: what is \
        left of an inrush then is dropped. Relays see the fundamental of the last period.",
    fields: &[
        Field::optional("name", Kind::Name, "what overrides call it; else its number"),
        Field::required("transformer", Kind::Text, "the transformer's name in the network's file"),
        Field::default(
            "knee",
            per_unit(0.1, 3.0),
            "1.15",
            "where it bends, relative to the rated peak flux; commonly 1.1 to 1.25",
        ),
        Field::default(
            "air_core_reactance",
            per_unit(1e-3, 10.0),
            "0.3",
            "of the magnetised winding beyond the knee, relative to the rated impedance; commonly \
             0.2 to 0.4 of an outer winding",
        ),
        Field::default(
            "residual_flux",
            Kind::List(&FLUX),
            "[0, 0, 0]",
            "what each limb keeps without a voltage, relative to the rated peak flux; it is there \
             whenever waves begin while the transformer is de-energised",
        ),
    ],
    naming: Naming::Free,
    ..Section::REPEATED
};

/// The iron that has no mistake; the rest is reported.
pub(super) fn saturations(
    rows: &[Row<'_>],
    resolution: Resolution,
    network: &Network,
    out: &mut Diagnostics,
) -> Vec<Saturation> {
    if let Some(first) = rows.first().filter(|_| resolution == Resolution::Phasors) {
        let message = "iron that saturates has no phasors";
        let help = "write `resolution = \"waveforms\"` under `[grid]`".to_owned();
        let label = "not in a network that is played by phasors";
        out.report_with_help(Code::DOES_NOT_FIT, first.span, message, label, Some(help));
        return Vec::new();
    }
    let mut made: Vec<Saturation> = Vec::new();
    for values in rows.iter().filter_map(|row| row.values.as_ref()) {
        let Some(one) = saturation(values, network, out) else { continue };
        if made.iter().any(|it| it.transformer == one.transformer) {
            let message = format!("transformer `{}` saturates twice", values.text("transformer"));
            let span = values.span_of("transformer");
            out.report(Code::DOES_NOT_FIT, span, message, "expected one table for each");
            continue;
        }
        made.push(one);
    }
    made
}

fn saturation(values: &Values, network: &Network, out: &mut Diagnostics) -> Option<Saturation> {
    let (name, span) = (values.text("transformer"), values.span_of("transformer"));
    let names = network.transformers.iter().map(|it| &*it.name);
    let transformer = find(names, ("transformer", name), span, out)?;
    let own = &network.transformers[transformer];
    let (knee_pu, air_core_reactance_pu) = (values.si("knee"), values.si("air_core_reactance"));
    let fluxes = values.si_list("residual_flux");
    let flux_span = values.span_of("residual_flux");
    let limbs = own.windings.first().map_or(3, |it| it.connection.wires.as_slice().len().min(3));
    let limbs = if limbs == 3 { 3 } else { 1 };
    if values.is_written("residual_flux") && fluxes.len() != limbs {
        let message = format!("{} residual fluxes of transformer `{name}`", fluxes.len());
        let label = format!("expected {limbs}, one of each limb");
        out.report(Code::DOES_NOT_FIT, flux_span, message, label);
        return None;
    }
    if let Some(found) = fluxes.iter().find(|it| it.abs() >= knee_pu) {
        let message = format!("a residual flux of {found} lies beyond the knee at {knee_pu}");
        let label = "expected sizes below `knee`";
        out.report(Code::OUT_OF_RANGE, flux_span, message, label);
        return None;
    }
    let (Magnetising::BySequence { y1_pu: y_pu, .. } | Magnetising::AtWinding { y_pu, .. }) =
        own.magnetising;
    if air_core_reactance_pu * -y_pu.im >= 1.0 {
        let most = -1.0 / y_pu.im;
        let message = format!(
            "an air-core reactance of {air_core_reactance_pu} is not below the {most:.3} of the \
             no-load current"
        );
        let label = "expected less: iron beyond its knee takes more current";
        out.report(Code::OUT_OF_RANGE, values.span_of("air_core_reactance"), message, label);
        return None;
    }
    let mut residual_flux_pu = [0.0; 3];
    for (own, written) in residual_flux_pu.iter_mut().zip(fluxes) {
        *own = written;
    }
    Some(Saturation { transformer, knee_pu, air_core_reactance_pu, residual_flux_pu })
}
