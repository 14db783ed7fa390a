//! The operating points of one test, and the limit that holds at each.

use lastmeter_units::{Quantity, SiUnit};

use super::claim::Claim;
use super::coordinates::{Conditions, Coordinates, POINTS_MAX};
use super::model::{Connection, Evaluate, LimitFigure, Relative, Shape, Subject, Test};
use super::test_plan::TestPlan;

/// All points of a test's sweep for a class.
pub(crate) fn sweep(
    test_plan: &TestPlan,
    test: &Test,
    claim: &Claim,
    class: usize,
) -> Result<Vec<Coordinates>, String> {
    let wanted = points_wanted(test);
    if wanted > POINTS_MAX {
        return Err(format!("{wanted} operating points; at most {POINTS_MAX}"));
    }
    let mut currents = Vec::new();
    for current in &test.current {
        currents.push(Some(current.resolve(test_plan, &claim.ratings(class))?));
    }
    if currents.is_empty() {
        currents.push(None);
    }
    // From the outermost dimension to the innermost: the order in which results are listed.
    let mut all = Vec::new();
    for current in currents {
        for power_factor in &test.power_factor {
            for &export in &test.export {
                all.push(Coordinates {
                    current: current.clone(),
                    power_factor: power_factor.clone(),
                    export,
                    loaded: None,
                    voltage: 1.0,
                    phase_voltages: None,
                    frequency: 1.0,
                    celsius: test_plan.temperature,
                    waveform: 0,
                    reversed: false,
                });
            }
        }
    }
    if test.evaluate == Evaluate::Composite {
        return Ok(all);
    }
    let vary = |all: Vec<Coordinates>, how: &dyn Fn(&Coordinates) -> Vec<Coordinates>| {
        all.iter().flat_map(how).collect::<Vec<Coordinates>>()
    };
    all = vary(all, &|at| {
        test.loaded.iter().map(|&loaded| Coordinates { loaded, ..at.clone() }).collect()
    });
    all = vary(all, &|at| {
        if test.phase_voltages.is_empty() {
            return voltages(test, at);
        }
        let ratios = test.phase_voltages.iter();
        ratios.map(|&three| Coordinates { phase_voltages: Some(three), ..at.clone() }).collect()
    });
    all = vary(all, &|at| frequencies(test, at));
    all = vary(all, &|at| temperatures(test, at));
    all = vary(all, &|at| {
        test.waveform.iter().map(|&waveform| Coordinates { waveform, ..at.clone() }).collect()
    });
    all = vary(all, &|at| {
        test.reversed.iter().map(|&reversed| Coordinates { reversed, ..at.clone() }).collect()
    });
    Ok(all)
}

/// How many points a test's lists multiply to, before any of them is made.
pub(crate) fn points_wanted(test: &Test) -> usize {
    let lists = [
        test.current.len().max(1),
        test.power_factor.len(),
        test.export.len(),
        test.loaded.len().max(1),
        test.voltage.len().max(test.phase_voltages.len()),
        test.frequency.len(),
        test.temperature.len(),
        test.waveform.len(),
        test.reversed.len(),
    ];
    lists.into_iter().fold(1, usize::saturating_mul)
}

fn voltages(test: &Test, at: &Coordinates) -> Vec<Coordinates> {
    test.voltage.iter().map(|&voltage| Coordinates { voltage, ..at.clone() }).collect()
}

fn frequencies(test: &Test, at: &Coordinates) -> Vec<Coordinates> {
    test.frequency.iter().map(|&frequency| Coordinates { frequency, ..at.clone() }).collect()
}

fn temperatures(test: &Test, at: &Coordinates) -> Vec<Coordinates> {
    test.temperature.iter().map(|&celsius| Coordinates { celsius, ..at.clone() }).collect()
}

/// Of a composite: what each influence by itself makes of the point at reference.
pub(crate) fn influences(test: &Test, base: &Coordinates) -> [Vec<Coordinates>; 3] {
    [voltages(test, base), frequencies(test, base), temperatures(test, base)]
}

/// The one limit that holds at a point for a class: its row and its figure.
pub(crate) fn limit_of(
    test_plan: &TestPlan,
    test: &Test,
    claim: &Claim,
    class: usize,
    at: &Coordinates,
) -> Result<(usize, LimitFigure), String> {
    let ratings = claim.ratings(class);
    let mut found = None;
    for (row, limit) in test.limits.iter().enumerate() {
        let Some(figure) = limit.values.get(&class) else { continue };
        let factors = &limit.power_factor;
        if !factors.is_empty() && !factors.contains(&at.power_factor.text) {
            continue;
        }
        if let Some((_, amperes)) = &at.current {
            // A current that is written another way than the bound may differ in its last bits.
            let slack = 1e-9 * amperes;
            if let Some(from) = &limit.from
                && *amperes < from.resolve(test_plan, &ratings)?.1 - slack
            {
                continue;
            }
            if let Some(below) = &limit.below
                && *amperes >= below.resolve(test_plan, &ratings)?.1 - slack
            {
                continue;
            }
        }
        if found.is_some() {
            return Err(format!(
                "two limits for class {} at {}",
                test_plan.classes[class],
                describe(at)
            ));
        }
        found = Some((row, *figure));
    }
    found.ok_or_else(|| {
        format!("no limit for class {} at {}", test_plan.classes[class], describe(at))
    })
}

fn describe(at: &Coordinates) -> String {
    let current = at.current.as_ref().map_or("no current", |(text, _)| text.as_str());
    format!("{current}, power factor {}", at.power_factor.text)
}

/// Why there is nothing to err in at a point, if the plan shows it already: what is held against a
/// share of the reference needs one above zero.
fn nothing_to_err_in(
    test_plan: &TestPlan,
    test: &Test,
    figure: LimitFigure,
    conditions: &Conditions,
) -> Option<&'static str> {
    let is_share = matches!(figure, LimitFigure::Percent(_));
    let is_left_out = test.not_played.is_some() || test.expected.is_some();
    if test.evaluate == Evaluate::NoLoad || is_left_out || !is_share {
        return None;
    }
    let has_voltage = conditions.voltages.iter().any(|volts| *volts != 0.0);
    let has_current = conditions.currents.iter().any(|amperes| *amperes != 0.0);
    let no_power = "without voltage and current together there is no energy to err in";
    let waveform = &test_plan.waveforms[conditions.waveform];
    let is_sine = waveform.shape == Shape::Sine
        && (waveform.voltage.is_empty() || waveform.current.is_empty());
    let share = match &test.subject {
        Subject::ActiveEnergy => conditions.lag_rad.cos(),
        Subject::ReactiveEnergy => conditions.lag_rad.sin(),
        Subject::Each(_) => 1.0,
    };
    match &test.subject {
        Subject::ActiveEnergy | Subject::ReactiveEnergy => {
            if conditions.apparent() == 0.0 {
                return Some(no_power);
            }
            // The cosine of a right angle is 6e-17 here.
            let is_none = is_sine && share.abs() < 1e-9;
            is_none.then_some("at this power factor no such energy flows that could be wrong")
        }
        Subject::Each(_) if test.relative != Relative::Reading => None,
        Subject::Each(ids) => {
            let row = ids.first()?.row();
            match (row.quantity, row.si_unit) {
                (Quantity::VoltageRms, _) if !has_voltage => {
                    Some("without voltage there is none to take a share of")
                }
                (Quantity::CurrentRms, _) if !has_current => {
                    Some("without current there is none to take a share of")
                }
                (_, SiUnit::Watt | SiUnit::Var | SiUnit::VoltAmpere)
                    if conditions.apparent() == 0.0 =>
                {
                    Some(no_power)
                }
                _ => None,
            }
        }
    }
}

/// Whether every point of a test has one limit, for each of its classes and connections.
pub(crate) fn has_limits(test_plan: &TestPlan, test: &Test) -> Result<(), String> {
    let connections = test_plan.connections.iter().copied();
    let connections: Vec<Connection> = connections
        .filter(|one| test.connections.is_empty() || test.connections.contains(one))
        .collect();
    for class in 0..test_plan.classes.len() {
        if !test.limits.iter().any(|limit| limit.values.contains_key(&class)) {
            continue;
        }
        if test.evaluate == Evaluate::NoLoad && !test.no_load_constant.contains_key(&class) {
            return Err(format!("no no_load_constant for class {}", test_plan.classes[class]));
        }
        for &connection in &connections {
            let claim = Claim::usual(test_plan, class, connection);
            for coordinates in sweep(test_plan, test, &claim, class)? {
                let (_, figure) = limit_of(test_plan, test, &claim, class, &coordinates)?;
                let base = coordinates.at_reference(test_plan.temperature);
                let of_composite = match test.evaluate {
                    Evaluate::Composite => influences(test, &base).concat(),
                    _ => Vec::new(),
                };
                for at in std::iter::once(&coordinates).chain(&of_composite) {
                    let conditions = at.conditions(&claim);
                    if let Some(why) = nothing_to_err_in(test_plan, test, figure, &conditions) {
                        return Err(format!("{}: {why}", at.describe(test_plan)));
                    }
                }
            }
        }
    }
    Ok(())
}
