//! Transformers and what moves their taps.

use num_complex::Complex64;

use super::Builder;
use crate::format::dss::class::{Class, Regulator, Side, State, Transformer};
use crate::format::dss::script_state::Object;
use crate::format::dss::value::ValueResult;
use crate::network::{
    self, LineDropCompensation, Magnetising, Neutral, Pace, TapChanger, Winding, WindingKind, Wire,
};

impl Builder<'_> {
    pub(super) fn transformer(&mut self, object: &Object, own: &Transformer) -> ValueResult<()> {
        if own.phases == 2 {
            return Err("two phases are unsupported".to_owned());
        }
        let mut windings = Vec::new();
        for (number, side) in own.sides.iter().enumerate() {
            let winding = self.winding(object, own.phases, side);
            windings.push(winding.map_err(|what| format!("winding {}: {what}", number + 1))?);
        }
        let rated_power_va = own.sides[0].kva * 1000.0;
        let r = |k: usize| own.sides[k].resistance_pu;
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let short_circuit_pu = pairs
            .iter()
            .zip(own.reactances_pu)
            .filter(|((_, other), _)| *other < windings.len())
            .map(|(&(one, other), x)| Complex64::new(r(one) + r(other), x))
            .collect();
        self.network.transformers.push(network::Transformer {
            name: object.name.as_str().into(),
            clock: (1..windings.len()).map(|k| clock(own, k)).collect(),
            closed: vec![true; windings.len()],
            windings,
            rated_power_va,
            short_circuit_pu,
            magnetising: Magnetising::AtWinding {
                winding: 1,
                y_pu: Complex64::new(own.no_load_loss_pu, -own.magnetising_pu),
                antifloat_pu: own.antifloat,
            },
            place: object.place,
        });
        Ok(())
    }

    fn winding(&mut self, object: &Object, phases: usize, side: &Side) -> ValueResult<Winding> {
        let mut nodes = side.bus.conductors(phases, phases + 1);
        let end = nodes.pop().unwrap_or(0);
        if phases == 1 && nodes[0] == 0 && end != 0 {
            return Err(format!(
                "{}.0.{end} begins at earth, as the second half of a centre-tapped winding does: \
                 unsupported",
                side.bus.name
            ));
        }
        let star_point = match end {
            0 => Neutral::Earthed(Complex64::ZERO),
            4 if side.neutral_ohm < 0.0 => Neutral::Wire,
            4 => {
                return Err("an impedance (rneut) besides a neutral wire is unsupported".into());
            }
            end if phases == 3 && !side.delta => {
                return Err(format!("its neutral point is at node {end}"));
            }
            _ => Neutral::Wire,
        };
        let kind = match (phases, side.delta) {
            (3, true) => WindingKind::Delta,
            (3, false) => WindingKind::Star(star_point),
            _ if end == 0 => WindingKind::Star(star_point),
            _ if end == 4 => WindingKind::Star(Neutral::Wire),
            _ => {
                nodes.push(end);
                WindingKind::Delta
            }
        };
        let connection = self.connect(&side.bus, &nodes, object.place)?;
        if kind == WindingKind::Star(Neutral::Wire) {
            let own = &mut self.network.nodes[connection.node.index()].wires;
            *own = own.with(Wire::Neutral);
        }
        Ok(Winding { connection, kind, rated_voltage_v: side.kv * 1000.0, tap: taps(side) })
    }

    pub(super) fn regulator(&mut self, object: &Object, own: &Regulator) -> ValueResult<()> {
        let at = self
            .transformer_at(&own.transformer)
            .ok_or_else(|| format!("there is no transformer {:?}", own.transformer))?;
        let winding = own.winding as usize - 1;
        let place = object.place;
        let transformer = &self.network.transformers[at];
        let side = transformer.windings.get(winding).ok_or("its winding does not exist")?;
        let wires = side.connection.wires.as_slice();
        let phases =
            if side.kind == WindingKind::Delta && wires.len() == 2 { 1 } else { wires.len() };
        let phase = if own.phase > phases { 0 } else { own.phase - 1 };
        let against = match side.kind {
            WindingKind::Delta => Some(wires[(phase + 1) % wires.len()]),
            WindingKind::Star(Neutral::Wire) => Some(Wire::Neutral),
            _ => None,
        };
        let compensated = own.resistive_v != 0.0 || own.reactive_v != 0.0;
        let enabled = own.most_taps > 0 && self.state.controlled;
        if enabled && side.tap.is_none_or(|tap| tap.lowest == tap.highest) {
            return Err("the tap of its winding stands between two positions".to_owned());
        }
        if enabled && !self.has_whole_taps(&own.transformer, winding) {
            return Err(
                "maxtap and mintap of its winding are no whole numbers of taps away from 1; \
                        OpenDSS then ends between two of them: unsupported"
                    .to_owned(),
            );
        }
        self.network.regulators.push(network::Regulator {
            name: object.name.as_str().into(),
            transformer: at as u32,
            winding: winding as u8,
            node: side.connection.node,
            wire: wires[phase],
            against,
            voltage_transformer_ratio: own.ratio,
            set_point_v: own.set_point_v,
            bandwidth_v: own.band_v,
            compensation: compensated.then_some(LineDropCompensation {
                current_transformer_a: own.current_transformer_a,
                resistive_v: own.resistive_v,
                reactive_v: own.reactive_v,
            }),
            pace: Pace::Towards { most: own.most_taps, delay_s: own.delay_s },
            enabled,
            place,
        });
        Ok(())
    }

    /// Whether the ends of a winding's taps are taps as those between them are.
    fn has_whole_taps(&self, transformer: &str, winding: usize) -> bool {
        let found = self.state.find(Class::Transformer, transformer);
        let Some(State::Transformer(own)) = found.map(|at| &self.state.objects[at].state) else {
            return false;
        };
        own.sides.get(winding).is_some_and(|side| {
            let whole = |tap: f64| {
                let taps = (tap - 1.0) / side.tap_step();
                (taps - taps.round()).abs() <= 1e-6
            };
            whole(side.highest_tap) && whole(side.lowest_tap)
        })
    }
}

/// By how many twelfths of a turn the phases of a further winding lag those of the first. The side
/// of the higher voltage leads by 30 degrees (ANSI), or follows; the first two windings decide.
fn clock(own: &Transformer, further: usize) -> u8 {
    let [first, second] = [&own.sides[0], &own.sides[1]];
    let other = &own.sides[further];
    if own.phases != 3 || first.delta == other.delta {
        return 0;
    }
    // Whether deltas go from each phase to the next one; otherwise to the one before.
    let forward = first.delta == second.delta || {
        let high = if first.kv >= second.kv { first } else { second };
        high.delta == own.leads
    };
    // A delta that goes forward leads its star.
    if first.delta == forward { 11 } else { 1 }
}

/// The position nearest to a tap, or a fixed one if it stands between two.
fn taps(side: &Side) -> Option<TapChanger> {
    let step = side.tap_step();
    let position = ((side.tap - 1.0) / step).round();
    let close = (1.0 + position * step - side.tap).abs() <= 1e-9;
    if step > 0.0 && close && position.abs() < 1e6 {
        let count = |tap: f64| ((tap - 1.0) / step).round() as i32;
        let (lowest, highest) = (count(side.lowest_tap), count(side.highest_tap));
        let position = position as i32;
        return Some(TapChanger { step, position, neutral: 0, lowest, highest });
    }
    (side.tap != 1.0).then_some(TapChanger {
        step: side.tap - 1.0,
        position: 1,
        neutral: 0,
        lowest: 1,
        highest: 1,
    })
}
