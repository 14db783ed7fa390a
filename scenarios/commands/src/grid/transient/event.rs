//! What happens on the way, as it is written: `20ms fault ag@NODE 0.5`.

use lastmeter_grid::Complex64;
use lastmeter_grid::motion::{Piece, cut};
use lastmeter_grid::network::{Network, NodeId, Wire, Wires};
use lastmeter_grid::short_circuit::{Kind, Location, split};
use lastmeter_grid::transient::{Action, FaultKind, Place, Pole};
use lastmeter_params::nearest;

use crate::grid::faults::{fault, in_any_case, in_shares};

const VERBS: [&str; 5] = ["fault", "clear", "open", "close", "source"];

const FORMS: &str = "expected `TIME fault KIND@PLACE [OHM]`, `TIME clear KIND@PLACE`, \
                     `TIME open NAME [WIRES]`, `TIME close NAME [WIRES]` or \
                     `TIME source NAME SHARE`";

/// A current in a sum: its number, its place and its sign.
pub(super) type Share = (u32, usize, f64);

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at_s: f64,
    pub(super) actions: Vec<Action>,
    pub(super) fault: Option<FaultStart>,
}

#[derive(Clone, Debug)]
pub(super) struct FaultStart {
    pub(super) id: u32,
    pub(super) node: NodeId,
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// The number of what connects two wires that are shorted with earth, beside that of the fault.
pub(super) const fn to_earth(id: u32) -> u32 {
    id ^ 1
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
    let at_s = crate::ending::length(&time).map_err(|why| wrong(format!("`{time}`: {why}")))?;
    let at_s = at_s.as_secs_f64();
    let figure = |text: &str| {
        let value: Option<f64> = text.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0);
        value.ok_or_else(|| wrong(format!("`{text}` is not a number from 0 on")))
    };
    let none = Event { at_s, actions: Vec::new(), fault: None };
    match (verb, rest) {
        ("fault", [] | [_]) => {
            let resistance_ohm = rest.first().map_or(Ok(0.0), |it| figure(it))?;
            let (id, node, kind) = place(network, what).map_err(wrong)?;
            let begun = FaultStart { id, node, kind, text: what.to_owned() };
            let actions = begun.actions(network, resistance_ohm).map_err(wrong)?;
            Ok(Event { actions, fault: Some(begun), ..none })
        }
        ("clear", []) => {
            let (id, ..) = place(network, what).map_err(wrong)?;
            let clear = |id: u32| Action::Clear { id, at_zero: true };
            Ok(Event { actions: vec![clear(id), clear(to_earth(id))], ..none })
        }
        ("open" | "close", []) => {
            let (switch, poles) = opened(network, what).map_err(wrong)?;
            let action = |pole: Pole| match verb {
                "open" => Action::Open { switch, pole, at_zero: true },
                _ => Action::Close { switch, pole },
            };
            Ok(Event { actions: poles.into_iter().map(action).collect(), ..none })
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

/// The switch of `NAME [WIRES]`, and the poles that are meant: a line, and the star point of a
/// transformer whose neutral is meant, get one where they have none.
fn opened(network: &mut Network, text: &str) -> Result<(usize, Vec<Pole>), String> {
    let switch_called =
        |network: &Network, name: &str| network.switches.iter().position(|it| &*it.name == name);
    let wires = |text: &str| -> Option<Vec<Wire>> {
        let wire =
            |letter: char| Wire::ALL.into_iter().find(|it| it.to_string().starts_with(letter));
        text.chars().map(wire).collect()
    };
    let whole = (text, None);
    let apart = || {
        let (name, letters) = text.rsplit_once(' ')?;
        Some((name, Some(wires(letters)?)))
    };
    let is_known = |network: &Network| {
        let lines = network.lines.iter().any(|it| &*it.name == text);
        lines || switch_called(network, text).is_some()
    };
    let (name, wanted) = if is_known(network) { whole } else { apart().unwrap_or(whole) };
    let of_neutral = wanted.as_deref() == Some(&[Wire::Neutral]);
    let transformer = network.transformers.iter().position(|it| &*it.name == name && of_neutral);
    let switch = if let Some(at) = transformer {
        let neutral = format!("{name} neutral");
        let found = switch_called(network, &neutral);
        let found = found.or_else(|| cut(network, Piece::StarPoint(at)));
        found.ok_or_else(|| format!("no neutral wire begins at transformer `{name}`"))?
    } else {
        let switches = network.switches.len();
        let lines = || network.lines.iter().map(|it| &*it.name);
        let names = || network.switches.iter().map(|it| &*it.name).chain(lines());
        let place = one_of(names, name, "switch or line")?;
        if place < switches {
            place
        } else {
            let cut_off = cut(network, Piece::Line(place - switches));
            cut_off.ok_or_else(|| format!("the network has no switch or line `{name}`"))?
        }
    };
    let Some(wanted) = wanted else { return Ok((switch, vec![Pole::All])) };
    let own = network.switches[switch].from.wires;
    let pole = |wire: &Wire| own.as_slice().iter().position(|it| it == wire).map(Pole::One);
    let poles: Option<Vec<Pole>> = wanted.iter().map(pole).collect();
    let poles = poles.ok_or_else(|| format!("`{name}` has the wires {} only", own.set()))?;
    Ok((switch, poles))
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

impl FaultStart {
    /// What begins with it.
    fn actions(&self, network: &Network, ohm: f64) -> Result<Vec<Action>, String> {
        let place = Place(self.node);
        let fault = |id: u32, kind: FaultKind, resistance_ohm: f64| Action::Fault {
            id,
            place,
            kind,
            resistance_ohm,
        };
        let (id, own) = (self.id, self.wires());
        let known = &network.nodes[self.node.index()];
        if !known.wires.contains_all(own) {
            return Err(format!("node `{}` has the wires {} only", known.name, known.wires));
        }
        Ok(match self.kind {
            Kind::ThreePhase | Kind::SinglePhaseToGround(Wire::A | Wire::B | Wire::C) => {
                vec![fault(id, FaultKind::Ground(own), ohm)]
            }
            Kind::TwoPhase(..) => vec![fault(id, FaultKind::Between(own), ohm)],
            // With each other, and through the resistance with earth.
            Kind::TwoPhaseToGround(one, _) if one != Wire::Neutral => vec![
                fault(id, FaultKind::Between(own), 0.0),
                fault(to_earth(id), FaultKind::Ground(Wires::NONE.with(one)), ohm),
            ],
            Kind::SinglePhaseToGround(_) | Kind::TwoPhaseToGround(..) => {
                return Err("a neutral wire to earth is not played; expected a phase".to_owned());
            }
            Kind::OpenConductors(_) => {
                return Err("broken conductors are not played; `open` them instead".to_owned());
            }
        })
    }

    /// The wires that it connects.
    pub(super) fn wires(&self) -> Wires {
        match self.kind {
            Kind::ThreePhase => Wires::ABC,
            Kind::SinglePhaseToGround(wire) => Wires::NONE.with(wire),
            Kind::TwoPhase(one, other) | Kind::TwoPhaseToGround(one, other) => {
                Wires::NONE.with(one).with(other)
            }
            Kind::OpenConductors(wires) => wires,
        }
    }

    /// The currents out of its wires, and into earth where that is more than one of them: each a
    /// name, and a sum of currents by their numbers, places and signs.
    pub(super) fn currents(&self) -> Vec<(String, [Share; 3])> {
        const NONE: Share = (0, 0, 0.0);
        let (id, earth) = (self.id, (to_earth(self.id), 0, 1.0));
        let (between, back) = ((id, 0, 1.0), (id, 0, -1.0));
        let each = |place: usize| (id, place, 1.0);
        let own: Vec<Wire> = self.wires().iter().collect();
        let sums = match self.kind {
            Kind::TwoPhase(..) => vec![[between, NONE, NONE], [back, NONE, NONE]],
            // The first wire is the one that earth is connected to, unless they are written in
            // another order.
            Kind::TwoPhaseToGround(one, _) if own.first() == Some(&one) => {
                vec![[between, earth, NONE], [back, NONE, NONE], [earth, NONE, NONE]]
            }
            Kind::TwoPhaseToGround(..) => {
                vec![[between, NONE, NONE], [back, earth, NONE], [earth, NONE, NONE]]
            }
            Kind::ThreePhase => vec![
                [each(0), NONE, NONE],
                [each(1), NONE, NONE],
                [each(2), NONE, NONE],
                [each(0), each(1), each(2)],
            ],
            _ => vec![[each(0), NONE, NONE]],
        };
        let names = own.iter().map(ToString::to_string).chain(["g".to_owned()]);
        names.zip(sums).collect()
    }
}
