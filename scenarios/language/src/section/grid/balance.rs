//! What must hold so that an `energy_balance` or `suspicion` check can add up: every load and every
//! feeding point of the network has one meter that reports its registers when they are needed.

use lastmeter_devices::Device;
use lastmeter_params::{Code, Diagnostics, Pattern, Span, Values};
use lastmeter_reports::check::BalancedMeters;
use lastmeter_units::SimDuration;

use super::feed::Grid;
use crate::references::References;

const REGISTERS: [&str; 2] =
    ["electricity.energy.active.consumed.total", "electricity.energy.active.injected.total"];

/// So many places that lack a meter are named.
const NAMES_MAX: usize = 12;

/// A kind of places of the network that need meters.
struct Place {
    what: &'static str,
    /// Which key of the check chooses their meters.
    key: &'static str,
    /// What stands before the colon of `at`.
    address: &'static str,
}

const FEEDING: Place = Place { what: "infeed", key: "substation", address: "source" };
const LOAD: Place = Place { what: "load", key: "homes", address: "load" };

/// Reports what keeps the check from ever ending in a verdict; each cause once.
pub(crate) fn validate_balance(
    (check, meters): (&Values, &BalancedMeters),
    grid: Option<&Grid>,
    references: &References,
    devices: &[Option<Box<dyn Device>>],
    out: &mut Diagnostics,
) {
    let kind_span = check.span_of("kind");
    let Some(grid) = grid else {
        let message = format!("a check `{}` needs a network", check.text("kind"));
        let help = Some("add a `[grid]` with the `file` of one".to_owned());
        let label = "nothing flows here that could add up";
        out.report_with_help(Code::CANNOT_MEASURE, kind_span, message, label, help);
        return;
    };
    if !grid.loads.is_complete {
        return;
    }
    let BalancedMeters { substation, homes, every } = meters;
    let span = check.span_of("substation");
    let homes_span = if check.is_written("homes") { check.span_of("homes") } else { kind_span };
    // The network's places stand behind the other sources: feeding points, then loads.
    let (from, infeeds) = (references.grid_from, grid.sources.len());
    let infeed = |source: usize| source.checked_sub(from).filter(|place| *place < infeeds);
    let feeding = metered(substation, references, infeed);
    let load = |source: usize| source.checked_sub(from + infeeds);
    let load = |source| load(source).filter(|place| *place < grid.loads.len());
    let at_loads = metered(homes, references, load);
    let elsewhere =
        metered(substation, references, |source| infeed(source).is_none().then_some(source));
    if let Some(meter) = elsewhere.first() {
        let (name, _) = &references.devices[meter.device];
        let message = format!("`{substation}` fits `{name}`, which is at no infeed");
        let help = Some("choose the meters at infeeds alone".to_owned());
        let label = "its energy would be counted as the substation's";
        out.report_with_help(Code::CANNOT_MEASURE, span, message, label, help);
        return;
    }
    let every = every.map(|every| (check.span_of("every"), every));
    report_places(&FEEDING, grid.sources.iter().map(String::as_str), &feeding, span, out);
    report_places(&LOAD, grid.loads.iter(), &at_loads, homes_span, out);
    let counted = feeding.iter().chain(&at_loads).filter_map(|meter| {
        let (name, table) = &references.devices[meter.device];
        Some((name.as_str(), devices.get(*table)?.as_ref()?.as_ref()))
    });
    report_in_time(&counted.collect::<Vec<_>>(), every, kind_span, out);
}

/// A device at one of the network's places.
struct Meter {
    device: usize,
    place: usize,
}

/// The devices that a pattern fits and that are at such places.
fn metered(
    pattern: &Pattern,
    references: &References,
    place: impl Fn(usize) -> Option<usize>,
) -> Vec<Meter> {
    let devices = references.devices.iter().zip(&references.source_of_device).enumerate();
    let meter = |(device, ((name, _), source)): (usize, (&(String, usize), &Option<usize>))| {
        let place = place((*source)?)?;
        pattern.matches(name).then_some(Meter { device, place })
    };
    devices.filter_map(meter).collect()
}

/// Every place has one meter; those that have none are reported together, and those with several.
fn report_places<'a>(
    place: &Place,
    names: impl Iterator<Item = &'a str>,
    meters: &[Meter],
    span: Span,
    out: &mut Diagnostics,
) {
    let count = |at: usize| meters.iter().filter(|meter| meter.place == at).count();
    let counts: Vec<(&str, usize)> =
        names.enumerate().map(|(at, name)| (name, count(at))).collect();
    let Place { what, key, address } = place;
    let help = format!(
        "each needs one meter, a device with `at = \"{address}:NAME\"` whose name fits `{key}`: it \
         chooses among meters, and no {what} can be left out"
    );
    for (is_meant, count, label) in [
        ((|count| count == 0) as fn(usize) -> bool, "no meter", "its energy would be missing"),
        (|count| count > 1, "several meters", "counted more than once"),
    ] {
        let found: Vec<(&str, usize)> =
            counts.iter().copied().filter(|it| is_meant(it.1)).collect();
        let message = match found.as_slice() {
            [] => continue,
            [(name, 0)] => format!("{what} `{name}` has no meter that this check counts"),
            [(name, count)] => {
                format!("{what} `{name}` has {count} meters that this check counts")
            }
            several => {
                let shown: Vec<String> =
                    several.iter().take(NAMES_MAX).map(|it| format!("`{}`", it.0)).collect();
                let more = several.len() - shown.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let shown = shown.join(", ");
                format!("{what}s {shown}{more} have {count} that this check counts")
            }
        };
        out.report_with_help(Code::CANNOT_MEASURE, span, message, label, Some(help.clone()));
    }
}

/// All meters report both registers, and do so at the ends of the intervals; of several for which
/// that is not so each cause is reported once.
fn report_in_time(
    meters: &[(&str, &dyn Device)],
    every: Option<(Span, SimDuration)>,
    span: Span,
    out: &mut Diagnostics,
) {
    for register in REGISTERS {
        let lacks = |(_, device): &&(&str, &dyn Device)| {
            device.quantities().iter().all(|id| id.name() != register)
        };
        let lacking: Vec<&str> = meters.iter().filter(lacks).map(|(name, _)| *name).collect();
        let message = match lacking.as_slice() {
            [] => continue,
            [only] => format!("meter `{only}` does not report `{register}`"),
            [first, others @ ..] => {
                let more = others.len();
                format!("meter `{first}` and {more} more do not report `{register}`")
            }
        };
        let label = "needs both registers of each";
        let help = Some("add `active_energy` to their `quantities`".to_owned());
        out.report_with_help(Code::CANNOT_MEASURE, span, message, label, help);
        // Who lacks one lacks the other as a rule.
        return;
    }
    let Some((span, every)) = every else { return };
    let mut periods: Vec<SimDuration> =
        meters.iter().map(|(_, device)| device.report_period()).collect();
    periods.retain(|period| every.0 % period.0.max(1) != 0);
    periods.sort_unstable_by_key(|period| period.0);
    periods.dedup();
    if !periods.is_empty() {
        let message = format!("no reading is due every {every}");
        let periods: Vec<String> = periods.iter().map(ToString::to_string).collect();
        let label = format!("expected a multiple of {}, as meters report", periods.join(" and "));
        out.report(Code::CANNOT_MEASURE, span, message, label);
    }
}
