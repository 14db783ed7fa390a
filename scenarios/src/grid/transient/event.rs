//! What happens on the way, as it is written: `20ms fault ag@NODE 0.5`.

use lastmeter_grid::Complex64;
use lastmeter_grid::network::{Network, NodeId, Wire, Wires};
use lastmeter_grid::short_circuit::{Kind, Location, split};
use lastmeter_grid::transient::{Action, FaultKind, Place, Pole};
use lastmeter_params::nearest;

use crate::grid::faults::{fault, in_any_case, in_shares};

const VERBS: [&str; 5] = ["fault", "clear", "open", "close", "source"];

const FORMS: &str = "expected `TIME fault KIND@PLACE [OHM]`, `TIME clear KIND@PLACE`, \
                     `TIME open SWITCH`, `TIME close SWITCH` or `TIME source NAME SHARE`";

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at_s: f64,
    pub(super) actions: Vec<Action>,
    /// Of a fault that begins its node, and what it is called.
    pub(super) fault: Option<(u32, NodeId, String)>,
}

/// Reads an event; a fault along a line divides it, which is `whole` in the network before.
pub(super) fn read(network: &mut Network, whole: &Network, text: &str) -> Result<Event, String> {
    let wrong = |why: String| format!("--event `{text}`: {why}");
    let words: Vec<&str> = text.split_whitespace().collect();
    // The unit may stand apart.
    let is_verb = |word: &&str| VERBS.contains(word);
    let Some(begin) = words.iter().take(3).position(is_verb) else {
        return Err(wrong(FORMS.to_owned()));
    };
    let (time, words) = words.split_at(begin);
    let time = time.join(" ");
    let [verb, first, ref rest @ ..] = *words else { return Err(wrong(FORMS.to_owned())) };
    // Names have spaces too, and some end with a number.
    let is_place = |words: &[&str]| {
        let text = in_shares(whole, &words.join(" "));
        fault(whole, &text, Complex64::ZERO).is_ok()
    };
    let all = [&[first], rest].concat();
    let has_figure = match (verb, all.split_last()) {
        ("source", _) => true,
        ("fault", Some((last, name))) => {
            !is_place(&all) && (last.parse::<f64>().is_ok() || is_place(name))
        }
        _ => false,
    };
    let figures = if has_figure { rest.len().min(1) } else { 0 };
    let (name, rest) = all.split_at(all.len() - figures);
    let what = &*in_shares(whole, &name.join(" "));
    let at_s = crate::device::length(&time).map_err(|why| wrong(format!("`{time}`: {why}")))?;
    let at_s = at_s.as_secs_f64();
    let figure = |text: &str| {
        let value: Option<f64> = text.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0);
        value.ok_or_else(|| wrong(format!("`{text}` is no number from 0 on")))
    };
    let none = Event { at_s, actions: Vec::new(), fault: None };
    match (verb, rest) {
        ("fault", [] | [_]) => {
            let resistance_ohm = rest.first().map_or(Ok(0.0), |it| figure(it))?;
            let (id, node, kind) = place(network, what).map_err(wrong)?;
            let actions = begun(id, node, kind, resistance_ohm).map_err(wrong)?;
            Ok(Event { actions, fault: Some((id, node, what.to_owned())), ..none })
        }
        ("clear", []) => {
            let (id, ..) = place(network, what).map_err(wrong)?;
            Ok(Event { actions: vec![Action::Clear { id, at_zero: true }], ..none })
        }
        ("open" | "close", []) => {
            let names = || network.switches.iter().map(|it| &*it.name);
            let switch = one_of(names, what, "switch").map_err(wrong)?;
            let pole = Pole::All;
            let action = match verb {
                "open" => Action::Open { switch, pole, at_zero: true },
                _ => Action::Close { switch, pole },
            };
            Ok(Event { actions: vec![action], ..none })
        }
        ("source", [share]) => {
            let names = || network.sources.iter().map(|it| &*it.name);
            let source = one_of(names, what, "source").map_err(wrong)?;
            let share = figure(share)?;
            Ok(Event { actions: vec![Action::SourceVoltage { source, share }], ..none })
        }
        _ => Err(wrong(FORMS.to_owned())),
    }
}

/// The place of a name among these.
pub(super) fn one_of<'a, I: Iterator<Item = &'a str>>(
    names: impl Fn() -> I,
    wanted: &str,
    what: &str,
) -> Result<usize, String> {
    let exact = names().position(|name| name == wanted);
    exact.or_else(|| in_any_case(names(), wanted)).ok_or_else(|| {
        let near = nearest(wanted, names());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("the network has no {what} `{wanted}`{near}")
    })
}

/// The node that an event before has put there.
fn divided(network: &Network, text: &str) -> Option<NodeId> {
    let (line, share) = text.split_once('@')?.1.rsplit_once(':')?;
    network.node(&format!("{line} at {}", share.parse::<f64>().ok()?))
}

/// The node of `KIND@PLACE`, and a number that the same text always has.
fn place(network: &mut Network, text: &str) -> Result<(u32, NodeId, Kind), String> {
    let id = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    // A line that an event before has divided is known by the node that divides it.
    if let Some(node) = divided(network, text) {
        let kind = text.split_once('@').map_or(text, |(kind, _)| kind).parse()?;
        return Ok((id, node, kind));
    }
    let fault = fault(network, text, Complex64::ZERO)?;
    let node = match fault.location {
        Location::Node(node) => node,
        Location::Line { line, share } => {
            let line = line as usize;
            if !(share > 0.0 && share < 1.0) {
                let own = &network.lines[line];
                let end = if share > 0.0 { own.to.node } else { own.from.node };
                return Ok((id, end, fault.kind));
            }
            split(network, line, share)
        }
    };
    Ok((id, node, fault.kind))
}

/// What begins with a fault.
fn begun(id: u32, node: NodeId, kind: Kind, ohm: f64) -> Result<Vec<Action>, String> {
    let fault = |kind: FaultKind, resistance_ohm: f64| Action::Fault {
        id,
        place: Place(node),
        kind,
        resistance_ohm,
    };
    let wires = |all: &[Wire]| all.iter().copied().collect::<Wires>();
    Ok(match kind {
        Kind::ThreePhase => vec![fault(FaultKind::Ground(Wires::ABC), ohm)],
        Kind::SinglePhaseToGround(wire) => vec![fault(FaultKind::Ground(wires(&[wire])), ohm)],
        Kind::TwoPhase(one, other) => vec![fault(FaultKind::Between(wires(&[one, other])), ohm)],
        // With each other, and through the resistance with earth.
        Kind::TwoPhaseToGround(one, other) => vec![
            fault(FaultKind::Between(wires(&[one, other])), 0.0),
            fault(FaultKind::Ground(wires(&[one])), ohm),
        ],
        Kind::OpenConductors(_) => {
            return Err("broken conductors are not played; open a switch instead".to_owned());
        }
    })
}
