//! Injections into a network in motion that contradict each other: one of them would never be
//! played as it is written.

use lastmeter_grid::Network;
use lastmeter_grid::transient::Pole;
use lastmeter_params::{Code, Diagnostics, Span};
use lastmeter_sim::grid::GridInput;
use lastmeter_units::SimDuration;

use super::inputs::is_same_thing;

/// What an injection orders, from when until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) from: SimDuration,
    /// The end of an outage with its own, or of a ramp; else as it begins.
    pub(super) to: SimDuration,
    pub(super) what: OrderKind,
    /// Where its instant is written.
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum OrderKind {
    Switch { switch: usize, pole: Pole, is_closed: bool },
    Input(GridInput),
}

impl Order {
    /// Whether both are about one thing, and not both can be played: two that are the same can.
    fn contradicts(&self, other: &Self) -> bool {
        let (is_about_it, is_same) = match (self.what, other.what) {
            (
                OrderKind::Switch { switch, pole, is_closed },
                OrderKind::Switch { switch: other, pole: other_pole, is_closed: other_closed },
            ) => {
                let is_any = [pole, other_pole].contains(&Pole::All);
                let is_about_it = switch == other && (is_any || pole == other_pole);
                (is_about_it, is_closed == other_closed)
            }
            (OrderKind::Input(one), OrderKind::Input(other)) => {
                (is_same_thing(&one, &other), one == other)
            }
            _ => (false, false),
        };
        let is_same = is_same && (self.from, self.to) == (other.from, other.to);
        let (after, until) = (self.after_ns().max(other.after_ns()), self.to.min(other.to));
        is_about_it && after < until.0 && !is_same
    }

    /// It sets something after this instant, up to its end: a ramp not yet where it begins.
    fn after_ns(&self) -> i64 {
        let is_ramp = matches!(self.what, OrderKind::Input(_)) && self.to > self.from;
        if is_ramp { self.from.0 } else { self.from.0 - 1 }
    }

    fn word(&self) -> &'static str {
        match self.what {
            OrderKind::Switch { is_closed: true, .. } => "closed",
            OrderKind::Switch { is_closed: false, .. } => "opened",
            OrderKind::Input(_) => "set",
        }
    }

    fn when(&self) -> String {
        if self.to > self.from {
            format!("from {} to {}", self.from, self.to)
        } else {
            format!("at {}", self.from)
        }
    }

    fn element(&self, network: &Network) -> String {
        let (what, name) = match self.what {
            OrderKind::Switch { switch, .. } => return network.switches[switch].name.to_string(),
            OrderKind::Input(input) => match input {
                GridInput::Breaker { .. } => return "a breaker".to_owned(),
                GridInput::LoadStep { load, .. } | GridInput::LoadSetPoint { load, .. } => {
                    ("load", &network.loads[load].name)
                }
                GridInput::SourceVoltage { source, .. } => {
                    ("source", &network.sources[source].name)
                }
                GridInput::Tap { transformer, .. } => {
                    ("transformer", &network.transformers[transformer].name)
                }
            },
        };
        format!("{what}:{name}")
    }
}

/// Reports each order that contradicts one that stands before it in the file.
pub(super) fn report_contradictions(orders: &[Order], network: &Network, out: &mut Diagnostics) {
    for (place, one) in orders.iter().enumerate() {
        let meets = |other: &&Order| one.contradicts(other);
        let Some(other) = orders[..place].iter().find(meets) else { continue };
        let element = one.element(network);
        let message = format!(
            "`{element}` is {} {}, and {} {}",
            other.word(),
            other.when(),
            one.word(),
            one.when()
        );
        let label = "these injections contradict each other";
        let help = "let one begin where the other one ends, or later".to_owned();
        out.report_with_help(Code::OVERLAP, one.span, message, label, Some(help));
    }
}
