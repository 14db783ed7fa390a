//! Fuses in switches of a network that is played: `--fuse "SWITCH 63A"`.

use lastmeter_grid::network::{Network, Wire};
use lastmeter_grid::protection::{Curve, Fuse, FuseEvent, GgGates};
use lastmeter_grid::transient::{Action, CurrentPiece, Pole, Transient, TransientError};

use super::event::one_of;

const FORM: &str = "expected `SWITCH RATING`, as in `F1 63A`, and perhaps a position between the \
                    gates from 0 (fastest) to 1";

/// The fuses of a switch, one in each pole.
pub(super) struct Fuses {
    switch: usize,
    name: String,
    poles: Vec<FuseState>,
    /// How often something was switched when it was looked at what the network drives.
    switchings: u64,
}

struct FuseState {
    wire: Wire,
    fuse: Fuse,
    before_a: f64,
    melted_s: Option<f64>,
    cleared_s: Option<f64>,
    /// The RMS current that the network drives as it stands.
    prospective_a: f64,
}

pub(super) struct Operation {
    /// The switch, and the wire of its pole.
    pub(super) name: String,
    /// When its element melted, seconds.
    pub(super) melted_s: f64,
    /// When its arc ended, at a zero of the current; none until the end of what was played.
    pub(super) cleared_s: Option<f64>,
}

/// Reads `SWITCH RATING [POSITION]`.
pub(super) fn read(network: &Network, text: &str) -> Result<Fuses, String> {
    let wrong = |why: &str| format!("--fuse `{text}`: {why}");
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, rating, position) = match words[..] {
        [name, rating] => (name, rating, "0.5"),
        [name, rating, position] => (name, rating, position),
        _ => return Err(wrong(FORM)),
    };
    let names = || network.switches.iter().map(|it| &*it.name);
    let switch = one_of(names, name, "switch").map_err(|why| wrong(&why))?;
    let rated = rating.trim_end_matches(['A', 'a']).parse().ok().and_then(GgGates::of_rating);
    let gates = rated.ok_or_else(|| {
        let known: Vec<String> = GgGates::all().map(|it| it.rated_a.to_string()).collect();
        wrong(&format!("`{rating}` is not a rating of a gG fuse-link here: {} A", known.join(", ")))
    })?;
    let position: f64 = position.parse().map_err(|_| wrong(FORM))?;
    let melting: Curve = gates.melting(position).map_err(|why| wrong(&why.to_string()))?;
    let of = &network.switches[switch];
    let pole = |wire: &Wire| {
        let fuse = Fuse::new(melting.clone(), None).map_err(|why| wrong(&why.to_string()))?;
        let fuse = fuse.with_window(0.5 / network.frequency_hz);
        let fuse = fuse.map_err(|why| wrong(&why.to_string()))?;
        let (melted_s, cleared_s, before_a, prospective_a) = (None, None, 0.0, 0.0);
        Ok(FuseState { wire: *wire, fuse, before_a, melted_s, cleared_s, prospective_a })
    };
    // A neutral conductor, the last of the wires, is not fused.
    let phases = of.from.wires.as_slice().iter().filter(|it| **it != Wire::Neutral);
    let poles = phases.map(pole).collect::<Result<_, String>>()?;
    Ok(Fuses { switch, name: of.name.to_string(), poles, switchings: 0 })
}

/// A switch that has fuses twice.
pub(super) fn repeated(all: &[Fuses]) -> Option<&str> {
    let is_again =
        |(place, it): &(usize, &Fuses)| all[..*place].iter().any(|o| o.switch == it.switch);
    all.iter().enumerate().find(is_again).map(|(_, it)| it.name.as_str())
}

impl Fuses {
    /// Takes the currents of a network before its first step.
    pub(super) fn begin<const N: usize>(
        &mut self,
        transient: &Transient<N>,
    ) -> Result<(), TransientError> {
        for (pole, own) in self.poles.iter_mut().enumerate() {
            own.before_a = transient.switch_current_a(self.switch, pole);
        }
        self.see(transient)
    }

    /// Looks at what the network drives as it stands.
    fn see<const N: usize>(&mut self, transient: &Transient<N>) -> Result<(), TransientError> {
        let steady = transient.steady()?;
        self.switchings = transient.switchings();
        for (pole, own) in self.poles.iter_mut().enumerate() {
            own.prospective_a = transient.switch_phasor_a(&steady, self.switch, pole).norm();
        }
        Ok(())
    }

    /// Looks at a step that ends now; what melts in it is ordered to open at the current's zero.
    pub(super) fn look<const N: usize>(
        &mut self,
        from_s: f64,
        transient: &mut Transient<N>,
    ) -> Result<(), TransientError> {
        let now_s = transient.time_s();
        if self.switchings != transient.switchings() {
            self.see(transient)?;
        }
        let before_a: Vec<f64> = self.poles.iter().map(|it| it.before_a).collect();
        let way = transient.way_a(self.switch, (from_s, &before_a));
        for (pole, own) in self.poles.iter_mut().enumerate() {
            own.before_a = transient.switch_current_a(self.switch, pole);
            if own.melted_s.is_some() {
                if own.cleared_s.is_none() && !transient.is_closed(self.switch, pole) {
                    own.cleared_s = Some(now_s);
                }
                continue;
            }
            let mut begun_s = from_s;
            for CurrentPiece { seconds, from_a, to_a } in &way {
                let ends = (from_a[pole], to_a[pole]);
                let act = own.fuse.step_instantaneous(*seconds, ends, own.prospective_a);
                if let Some(act) = act.filter(|it| it.event == FuseEvent::Melted) {
                    own.melted_s = Some(begun_s + act.after_s);
                    let (switch, pole) = (self.switch, Pole::One(pole));
                    transient.schedule(now_s, Action::Open { switch, pole, at_zero: true })?;
                    break;
                }
                begun_s += seconds;
            }
        }
        Ok(())
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = Operation> + '_ {
        self.poles.iter().filter_map(|own| {
            let name = format!("{}.{}", self.name, own.wire);
            Some(Operation { name, melted_s: own.melted_s?, cleared_s: own.cleared_s })
        })
    }
}
