//! Figures that no element can have.

use num_complex::Complex64;

use crate::network::{
    Fault, Line, LineImpedance, Load, LoadModel, Magnetising, Matrix, Network, Neutral, Regulator,
    Shunt, ShuntAdmittance, Source, Transformer,
};

/// Behind more than this a source is none: voltages and currents would be beyond all digits.
const SOURCE_OHM_MOST: f64 = 1e12;

type FieldResult = Result<(), String>;

/// Reports each element's first value that cannot be.
pub(super) fn check(network: &Network, found: &mut impl FnMut(Fault)) {
    let mut report = |element, name: &str, place, wrong: FieldResult| {
        if let Err(what) = wrong {
            found(Fault::new(element, name, place, what));
        }
    };
    let whole = above_zero("its frequency", network.frequency_hz, "Hz");
    report("network", &network.name, crate::network::Place(0), whole);
    for it in &network.nodes {
        let wires = if it.wires.is_empty() { Err("it has no wires".to_owned()) } else { Ok(()) };
        let wrong = wires.and(above_zero("its rated voltage", it.rated_voltage_v, "V"));
        report("node", &it.name, it.place, wrong);
    }
    for it in &network.lines {
        report("line", &it.name, it.place, line(it));
    }
    for it in &network.transformers {
        report(
            "transformer",
            &it.name,
            it.place,
            transformer(it).and_then(|()| voltages(it, network)),
        );
    }
    for it in &network.regulators {
        report("regulator", &it.name, it.place, regulator(it));
    }
    for it in &network.switches {
        report("switch", &it.name, it.place, rated_current(it.rated_current_a));
    }
    for it in &network.shunts {
        report("shunt", &it.name, it.place, shunt(it));
    }
    for it in &network.sources {
        report("source", &it.name, it.place, source(it));
    }
    for it in &network.loads {
        report("load", &it.name, it.place, load(it));
    }
}

fn finite(what: &str, value: f64) -> FieldResult {
    if value.is_finite() {
        return Ok(());
    }
    Err(format!("{what} is {value}, expected a finite number"))
}

fn finite_complex(what: &str, value: Complex64) -> FieldResult {
    if value.re.is_finite() && value.im.is_finite() {
        return Ok(());
    }
    Err(format!("{what} is {value}, expected finite numbers"))
}

fn above_zero(what: &str, value: f64, unit: &str) -> FieldResult {
    finite(what, value)?;
    if value > 0.0 {
        return Ok(());
    }
    Err(format!("{what} is {value} {unit}, expected more than 0 {unit}"))
}

fn at_least_zero(what: &str, value: f64, unit: &str) -> FieldResult {
    finite(what, value)?;
    if value >= 0.0 {
        return Ok(());
    }
    Err(format!("{what} is {value} {unit}, expected 0 {unit} or more"))
}

/// An impedance that takes up power, or none.
fn passive(what: &str, value: Complex64, unit: &str) -> FieldResult {
    finite_complex(what, value)?;
    at_least_zero(&format!("the real part of {what}"), value.re, unit)
}

fn rated_current(value: Option<f64>) -> FieldResult {
    value.map_or(Ok(()), |value| above_zero("its rated current", value, "A"))
}

fn matrix(what: &str, matrix: &Matrix, unit: &str) -> FieldResult {
    for (k, row) in matrix.rows.iter().enumerate().take(matrix.size.min(4)) {
        for (j, &value) in row.iter().enumerate() {
            finite_complex(&format!("{what} in row {}, column {}", k + 1, j + 1), value)?;
        }
        let own = format!("{what} in row {} of the diagonal", k + 1);
        passive(&own, row[k], unit)?;
    }
    Ok(())
}

/// Whether a line between these conductors could be built: what one does to another the other does
/// to it, and no currents get power from its resistances. One digit that is wrong seldom is so.
fn takes_up_power(series_ohm: &Matrix) -> FieldResult {
    const ROUNDING: f64 = 1e-6;
    let (size, rows) = (series_ohm.size.min(4), &series_ohm.rows);
    let most = rows.as_flattened().iter().fold(0.0, |most: f64, it| most.max(it.norm()));
    for row in 0..size {
        for column in 0..row {
            let (below, above) = (rows[row][column], rows[column][row]);
            if (below - above).norm() > ROUNDING * most {
                return Err(format!(
                    "its series impedance is {below} ohm in row {}, column {}, and {above} ohm in \
                     row {1}, column {0}; expected the same",
                    row + 1,
                    column + 1
                ));
            }
        }
    }
    // Cholesky's factors of the resistances, a trifle larger than they are.
    let mut factor = [[0.0_f64; 4]; 4];
    for row in 0..size {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| factor[row][k] * factor[column][k]).sum();
            let rest = rows[row][column].re - known;
            if row > column {
                factor[row][column] = rest / factor[column][column];
                continue;
            }
            let square = rest + ROUNDING * most;
            if square < 0.0 {
                return Err(format!(
                    "its resistances would give power to some currents (conductor {} with those \
                     before it); expected mutual ones that are less than those of the conductors",
                    row + 1
                ));
            }
            factor[row][row] = square.sqrt().max(f64::MIN_POSITIVE);
        }
    }
    Ok(())
}

fn line(line: &Line) -> FieldResult {
    if let Some(length) = line.length_m {
        at_least_zero("its length", length, "m")?;
    }
    rated_current(line.rated_current_a)?;
    match &line.impedance {
        LineImpedance::Sequence(it) => {
            passive("its positive-sequence impedance", it.z1_ohm, "ohm")?;
            passive("its zero-sequence impedance", it.z0_ohm, "ohm")?;
            passive("its positive-sequence charging", it.y1_s, "S")?;
            passive("its zero-sequence charging", it.y0_s, "S")
        }
        LineImpedance::Matrix { series_ohm, shunt_s } => {
            matrix("its series impedance", series_ohm, "ohm")?;
            takes_up_power(series_ohm)?;
            matrix("its charging", shunt_s, "S")
        }
    }
}

fn transformer(transformer: &Transformer) -> FieldResult {
    above_zero("its rated power", transformer.rated_power_va, "VA")?;
    if let Some(clock) = transformer.clock.iter().find(|&&clock| clock > 11) {
        return Err(format!("its clock number is {clock}, expected 0 to 11"));
    }
    for &z in &transformer.short_circuit_pu {
        finite_complex("its short-circuit impedance", z)?;
        if z == Complex64::ZERO {
            return Err("its short-circuit impedance is zero, expected one above it".into());
        }
    }
    match transformer.magnetising {
        Magnetising::BySequence { y1_pu, y0_pu } => {
            finite_complex("its magnetising admittance", y1_pu)?;
            finite_complex("its zero-sequence magnetising admittance", y0_pu)?;
        }
        Magnetising::AtWinding { y_pu, .. } => {
            finite_complex("its magnetising admittance", y_pu)?;
        }
    }
    for winding in &transformer.windings {
        above_zero("the rated voltage of a winding", winding.rated_voltage_v, "V")?;
        if let Some(Neutral::Earthed(through) | Neutral::WireThrough(through)) =
            winding.kind.neutral()
        {
            passive("the impedance that earths a neutral point", through, "ohm")?;
        }
        let Some(tap) = winding.tap else { continue };
        finite("the step of its taps", tap.step)?;
        if tap.position < tap.lowest || tap.position > tap.highest {
            return Err(format!(
                "its tap is at position {}, expected {} to {}",
                tap.position, tap.lowest, tap.highest
            ));
        }
        for position in [tap.lowest, tap.highest] {
            let turns = 1.0 + f64::from(position.saturating_sub(tap.neutral)) * tap.step;
            if turns <= 0.0 {
                return Err(format!("at tap position {position} it has no turns left"));
            }
        }
    }
    Ok(())
}

/// How many times a winding's voltage may be its node's: a single phase's is 1.7 times off, and no
/// grid is run at four times its voltage.
const MOST_OFF: f64 = 4.0;

/// Windings belong to their nodes; those that are interchanged do not.
fn voltages(transformer: &Transformer, network: &Network) -> FieldResult {
    for winding in &transformer.windings {
        let Some(node) = network.nodes.get(winding.connection.node.index()) else { continue };
        let (own, rated) = (winding.rated_voltage_v, node.rated_voltage_v);
        if rated > 0.0 && !(1.0 / MOST_OFF..=MOST_OFF).contains(&(own / rated)) {
            return Err(format!(
                "a winding of {own} V is at node `{}` of {rated} V, expected about that voltage: \
                 its windings may be in the wrong order",
                node.name
            ));
        }
    }
    Ok(())
}

fn regulator(regulator: &Regulator) -> FieldResult {
    above_zero("the voltage transformer's ratio", regulator.voltage_transformer_ratio, "V/V")?;
    above_zero("its set point", regulator.set_point_v, "V")?;
    above_zero("its bandwidth", regulator.bandwidth_v, "V")?;
    if let Some(drop) = regulator.compensation {
        above_zero("the current transformer's rating", drop.current_transformer_a, "A")?;
        finite("its resistive setting", drop.resistive_v)?;
        finite("its reactive setting", drop.reactive_v)?;
    }
    Ok(())
}

fn shunt(shunt: &Shunt) -> FieldResult {
    match shunt.admittance {
        ShuntAdmittance::Sequence { y1_s, y0_s } => {
            finite_complex("its admittance", y1_s)?;
            finite_complex("its zero-sequence admittance", y0_s)
        }
        ShuntAdmittance::Parts { y_s, .. } => {
            y_s.into_iter().try_for_each(|y| finite_complex("its admittance", y))
        }
    }
}

fn source(source: &Source) -> FieldResult {
    above_zero("its voltage", source.voltage_v, "V")?;
    finite("its angle", source.angle_rad)?;
    passive("its positive-sequence impedance", source.z1_ohm, "ohm")?;
    // Short-circuit powers that do not fit together make it negative, as scripts of OpenDSS may.
    finite_complex("its zero-sequence impedance", source.z0_ohm)?;
    let largest = source.z1_ohm.norm().max(source.z0_ohm.norm());
    if largest > SOURCE_OHM_MOST {
        return Err(format!(
            "its impedance is {largest:e} ohm, expected {SOURCE_OHM_MOST:e} ohm at most: look at its \
             short-circuit power"
        ));
    }
    Ok(())
}

fn load(load: &Load) -> FieldResult {
    for power in load.power_va {
        finite_complex("its power", power)?;
    }
    above_zero("its rated voltage", load.rated_voltage_v, "V")?;
    match load.model {
        LoadModel::Exponential { active, reactive } => {
            finite("the exponent of its active power", active)?;
            finite("the exponent of its reactive power", reactive)?;
        }
        LoadModel::Zip { active, reactive } => {
            for share in
                [active, reactive].into_iter().flat_map(|it| [it.impedance, it.current, it.power])
            {
                finite("a share of its power", share)?;
            }
        }
        _ => {}
    }
    if let Some(band) = load.band {
        at_least_zero("the lowest voltage of its band", band.lowest, "of the rated one")?;
        finite("the highest voltage of its band", band.highest)?;
        if band.lowest > band.highest {
            return Err(format!(
                "its band of voltages begins at {} and ends at {} of the rated one",
                band.lowest, band.highest
            ));
        }
        if let Some(turned) = band.turned
            && !(0.0..band.lowest).contains(&turned)
        {
            return Err(format!(
                "below its band of voltages it turns into an impedance at {turned} of the rated \
                 one, expected 0 or more and less than {}, where the band begins",
                band.lowest
            ));
        }
    }
    Ok(())
}
