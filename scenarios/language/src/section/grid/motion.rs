//! From injections to what happens in a network in motion.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_grid::Network;
use lastmeter_grid::motion::{Event, NetworkAction, Options, Resolution, step_remark};
use lastmeter_grid::network::NodeId;
use lastmeter_grid::short_circuit::split;
use lastmeter_grid::transient::Pole;
use lastmeter_params::{Code, Diagnostics, Span, Value, Values};
use lastmeter_sim::Streams;
use lastmeter_sim::grid::{DynamicNetworkSetup, GridInput};
use lastmeter_units::SimDuration;

use super::injected::{Injected, NetworkInjection, NetworkKind};
use super::inputs::{Elements, FAULT_PREFIX};
use super::orders::{Order, OrderKind, report_contradictions};
use super::pieces::Pieces;
use super::protection::{GRID_PROTECTION, know_frequency, protectors};
use super::recorder::{GRID_RECORDER, recorders};
use super::saturation::{GRID_SATURATION, saturations};
use crate::draft::{Draft, Row, warn};
use crate::names::Names;

/// The words of `resolution`.
pub(super) const STEPS: &str = "steps";
pub(super) const PHASORS: &str = "phasors";
pub(super) const WAVEFORMS: &str = "waveforms";

/// How finely a network is played; none: in steps.
pub(super) fn resolution(values: &Values) -> Option<Resolution> {
    match values.text("resolution") {
        PHASORS => Some(Resolution::Phasors),
        WAVEFORMS => Some(Resolution::Waveforms),
        _ => None,
    }
}

/// Warns of keys about waveforms where none are played, and of the dark area of a network that
/// only steps or that a simulator plays.
pub(super) fn doubt_idle_keys(values: &Values, is_simulated: bool, out: &mut Diagnostics) {
    let resolution = values.text("resolution");
    let is_idle = |key: &str| values.is_written(key) && !values.is_default(key);
    let mut doubt = |key: &str, without: &str, help: &str| {
        if is_idle(key) {
            let message = format!("`{key}` has no effect without {without}");
            let (span, label) = (values.span_of(key), "changes nothing here");
            warn(out, Code::IDLE_KEY, span, message, label, help);
        }
    };
    if resolution != WAVEFORMS {
        let help = "write `resolution = \"waveforms\"`, or leave it out";
        for key in ["waveform_step", "waveform_longest"] {
            doubt(key, "waveforms", help);
        }
    }
    if is_simulated {
        doubt("dark_at", "a network that is played ahead", "leave it out");
    } else if resolution == STEPS {
        let help = "write `resolution = \"phasors\"` (or `\"waveforms\"`), or leave it out";
        doubt("dark_at", "a network in motion", help);
    }
}

/// Warns of a step that is too long for what is fast in the network.
pub(super) fn doubt_step(
    values: &Values,
    resolution: Resolution,
    network: &Network,
    out: &mut Diagnostics,
) {
    let is_of_waves = resolution == Resolution::Waveforms;
    let remark = || step_remark(network, values.si("waveform_step"));
    if let Some(remark) = is_of_waves.then(remark).flatten() {
        let (span, label) = (values.span_of("waveform_step"), "is played as it is");
        let help = "write a shorter `waveform_step` if that part is of interest";
        warn(out, Code::COARSE_STEP, span, remark.to_string(), label, help);
    }
}

/// A simulator plays a state each step, whatever it is asked in between.
pub(super) fn report_unplayable_here(
    (values, wanted): (&Values, &DynamicNetworkSetup),
    injected: &Injected<'_>,
    draft: &Draft<'_>,
    out: &mut Diagnostics,
) {
    let mut refuse = |span: Span, message: &str, label: &str| {
        out.report(Code::DOES_NOT_FIT, span, message, label);
    };
    if wanted.options.resolution == Resolution::Waveforms {
        let message = "a network that a simulator plays has a state each step, and no waveforms";
        refuse(values.span_of("resolution"), message, "expected `phasors`, or `steps`");
    }
    if let Some(first) = draft.rows(&GRID_RECORDER).first() {
        let message = "what a simulator plays is not known to recorders ahead";
        refuse(first.span, message, "leave it out");
    }
    let file = values.span_of("file");
    if let Some(ramping) = wanted.protectors.iter().find(|it| it.device.ramp_s() > 0.0) {
        let name = &ramping.name;
        let message = format!("`{name}` ramps up loads that a simulator gives their powers");
        refuse(file, &message, "leave its `ramp` out");
    }
    if let Some(planned) = planned(injected.rows) {
        let message = "who has a supply is not recorded where a simulator plays the network";
        refuse(planned, message, "leave `planned` out");
    }
    if !wanted.frequency.is_empty() {
        let message = "the frequency of a network that a simulator plays stays as it is";
        refuse(file, message, "leave `grid-frequency` out");
    }
}

/// Where the first outage is marked as planned.
fn planned(injections: &[Row<'_>]) -> Option<Span> {
    let mut values = injections.iter().filter_map(|row| row.values.as_ref());
    let is_planned = |values: &&Arc<Values>| values.get("planned") == Some(&Value::Boolean(true));
    values.find(is_planned).map(|values| values.span_of("planned"))
}

/// Injections that a network which only steps does not have.
pub(super) fn report_injections_between_steps(injected: &Injected<'_>, out: &mut Diagnostics) {
    for row in injected.rows {
        if (injected.kind_of)(row).is_some_and(|kind| kind.step.is_none()) {
            let (kind, span) = row.text("kind").unwrap_or(("", row.span));
            let message = format!("a `{kind}` happens between the steps of the network");
            let help = "write `resolution = \"waveforms\"` (or `\"phasors\"`) under `[grid]`";
            let label = "not in a network that only steps";
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
        }
    }
}

/// A place along a line: the line's index, and the share of its length from the end `from` on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LinePlace {
    pub(crate) line: usize,
    pub(crate) share: f64,
}

impl LinePlace {
    /// What distinguishes it from other places.
    fn key(self) -> (usize, u64) {
        (self.line, self.share.to_bits())
    }
}

pub(crate) struct MotionBuilder<'a, 'b> {
    pub(crate) network: &'a mut Network,
    pub(crate) loads: &'a Names,
    pub(crate) streams: Streams,
    /// Of each injection that is a fault its number, name and beginning; also of those with
    /// mistakes, which are reported where they are.
    pub(crate) faults: Vec<(u32, String, Option<SimDuration>)>,
    /// Where the frequency is made to move first.
    pub(crate) moves_frequency: Option<Span>,
    pub(crate) setup: DynamicNetworkSetup,
    pub(crate) out: &'b mut Diagnostics,
    pieces: Pieces,
    /// Where along lines a node is wanted.
    wanted: Vec<LinePlace>,
    /// The nodes at places along lines.
    nodes: BTreeMap<(usize, u64), NodeId>,
    /// What injections order, as written.
    orders: Vec<Order>,
}

/// What happens between steps. The network gets the switches and nodes that this needs.
pub(super) fn motion(
    (draft, injected): (&Draft<'_>, &Injected<'_>),
    (values, resolution): (&Values, Resolution),
    (network, loads, streams): (&mut Network, &Names, Streams),
    out: &mut Diagnostics,
) -> DynamicNetworkSetup {
    let options = Options {
        resolution,
        step_s: values.si("waveform_step"),
        longest_s: values.si("waveform_longest"),
        saturations: saturations(draft.rows(&GRID_SATURATION), resolution, network, out),
        ..Options::default()
    };
    let mut pieces = Pieces::default();
    let setup = DynamicNetworkSetup {
        options,
        protectors: protectors(draft.rows(&GRID_PROTECTION), network, &mut pieces, out),
        recorders: recorders(draft.rows(&GRID_RECORDER), network, &mut pieces, out),
        dark_at: values.duration_opt("dark_at"),
        ..DynamicNetworkSetup::default()
    };
    let mut builder = MotionBuilder {
        network,
        loads,
        streams,
        faults: faults(injected),
        moves_frequency: None,
        setup,
        out,
        pieces,
        wanted: Vec::new(),
        nodes: BTreeMap::new(),
        orders: Vec::new(),
    };
    builder.play(&injections(injected));
    builder.arcs_end(injected);
    report_contradictions(&builder.orders, builder.network, builder.out);
    builder.frequency_has_no_faults();
    let DynamicNetworkSetup { protectors, frequency, .. } = &mut builder.setup;
    know_frequency(protectors, frequency, builder.network.frequency_hz);
    builder.setup
}

/// The injections into the network that have no mistake so far.
fn injections<'a>(injected: &Injected<'a>) -> Vec<(&'static NetworkKind, NetworkInjection<'a>)> {
    let injection = |(number, row): (usize, &'a Row<'_>)| {
        let (kind, values) = ((injected.kind_of)(row)?, row.values.as_deref()?);
        Some((kind, NetworkInjection { number, at: values.duration("at"), values }))
    };
    injected.rows.iter().enumerate().filter_map(injection).collect()
}

/// The faults of injections, by which they may be ended.
fn faults(injected: &Injected<'_>) -> Vec<(u32, String, Option<SimDuration>)> {
    let fault = |(number, row): (usize, &Row<'_>)| {
        (injected.kind_of)(row).filter(|kind| kind.is_fault)?;
        let name = row.text("name").map_or_else(|| (number + 1).to_string(), |(it, _)| it.into());
        let at = row.values.as_ref().map(|values| values.duration("at"));
        Some((u32::try_from(number).ok()?, name, at))
    };
    injected.rows.iter().enumerate().filter_map(fault).collect()
}

impl MotionBuilder<'_, '_> {
    /// Lets injections happen. Lines are divided wherever that is wanted before any of them does.
    fn play(&mut self, injections: &[(&NetworkKind, NetworkInjection<'_>)]) {
        let prepared = injections.iter().map(|(kind, it)| (kind.prepare)(self, it));
        let prepared: Vec<_> = prepared.collect();
        self.divide();
        for ((kind, it), later) in injections.iter().zip(prepared) {
            match later {
                Some(later) => later(self, it),
                None => (kind.play)(self, it),
            };
        }
    }

    /// Asks for a node at a place along a line.
    pub(crate) fn divide_at(&mut self, place: LinePlace) {
        let ends = &self.network.lines[place.line];
        if place.share <= 0.0 {
            self.nodes.insert(place.key(), ends.from.node);
        } else if place.share >= 1.0 {
            self.nodes.insert(place.key(), ends.to.node);
        } else {
            self.wanted.push(place);
        }
    }

    pub(crate) fn node_at(&self, place: LinePlace) -> Option<NodeId> {
        self.nodes.get(&place.key()).copied()
    }

    /// Puts a node into each line wherever one is wanted.
    fn divide(&mut self) {
        let mut wanted = std::mem::take(&mut self.wanted);
        // From the far end on, so that what is left keeps its place.
        wanted.sort_by(|one, other| {
            (one.line, other.share)
                .partial_cmp(&(other.line, one.share))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        wanted.dedup();
        let mut left: Option<LinePlace> = None;
        for place in wanted {
            let LinePlace { line, share } = place;
            let whole = left.filter(|own| own.line == line).map_or(1.0, |own| own.share);
            let node = split(self.network, line, share / whole);
            self.nodes.insert(place.key(), node);
            left = Some(place);
        }
    }

    /// The switch of an element, put in front of it where it has none.
    pub(crate) fn switch_of(&mut self, (into, span): (&str, Span)) -> Option<usize> {
        self.pieces.switch(into, span, self.network, self.out)
    }

    /// The switch between a transformer's star point and its neutral wire.
    pub(crate) fn star_point_of(&mut self, name: &str, span: Span) -> Option<usize> {
        self.pieces.star_point(name, span, self.network, self.out)
    }

    /// Adds what happens at an instant.
    pub(crate) fn event(&mut self, at: SimDuration, what: NetworkAction) {
        self.setup.events.push(Event { at_ns: at.0, what });
    }

    /// A switch is opened or closed, and perhaps put back.
    pub(crate) fn switch(
        &mut self,
        (from, until): (SimDuration, Option<SimDuration>),
        (switch, pole, is_closed): (usize, Pole, bool),
        values: &Values,
    ) {
        let mut order = |at: SimDuration, is_closed: bool| {
            let what = if is_closed {
                NetworkAction::Close { switch, pole }
            } else {
                NetworkAction::Open { switch, pole }
            };
            self.event(at, what);
        };
        order(from, is_closed);
        if let Some(until) = until {
            order(until, !is_closed);
        }
        let (to, span) = (until.unwrap_or(from), values.span_of("at"));
        let what = OrderKind::Switch { switch, pole, is_closed };
        self.orders.push(Order { from, to, what, span });
    }

    /// A load, a source or a tap changes, perhaps by a ramp of which this is the end.
    pub(crate) fn change(
        &mut self,
        (from, to): (SimDuration, SimDuration),
        input: GridInput,
        values: &Values,
    ) {
        self.setup.changes.push((to, input));
        let (what, span) = (OrderKind::Input(input), values.span_of("at"));
        self.orders.push(Order { from, to, what, span });
    }

    /// A load or a source changes as it does in a network that only steps.
    pub(crate) fn change_by(
        &mut self,
        input: fn(&Values, &Elements<'_>, &mut Diagnostics) -> Option<GridInput>,
        it: &NetworkInjection<'_>,
    ) -> Option<()> {
        let input = input(it.values, &Elements::new(self.network, self.loads), self.out)?;
        self.change((it.at, it.at), input, it.values);
        Some(())
    }

    /// Reports arcs that nothing can end: their waves would go on until the end of the scenario.
    fn arcs_end(&mut self, injected: &Injected<'_>) {
        let rows = injected.rows;
        let opens = |row: &Row<'_>| (injected.kind_of)(row).is_some_and(|kind| kind.opens);
        if !self.setup.protectors.is_empty() || rows.iter().any(opens) {
            return;
        }
        let into = rows.iter().filter_map(|row| row.text("into"));
        let mended: Vec<&str> =
            into.filter_map(|(into, _)| into.strip_prefix(FAULT_PREFIX)).collect();
        for (number, name, _) in &self.faults {
            let row = usize::try_from(*number).ok().and_then(|number| rows.get(number));
            let Some(values) = row.and_then(|row| row.values.as_ref()) else { continue };
            if values.si_opt("arc_voltage").is_none() || mended.contains(&name.as_str()) {
                continue;
            }
            let half_wave_s = 0.5 / self.network.frequency_hz;
            let goes_out = values.si_opt("extinguishes").is_some_and(|it| it < half_wave_s);
            if values.duration_opt("for").is_some() || goes_out {
                continue;
            }
            let message = format!("nothing can end the arc of `fault:{name}`");
            let label = "its waveforms would go on until the end of the scenario";
            let help = "give it a `for`, mend it by `restore`, or protect the network: \
                        `[[grid.protection]]`";
            let (span, help) = (values.span_of("arc_voltage"), Some(help.to_owned()));
            self.out.report_with_help(Code::DOES_NOT_FIT, span, message, label, help);
        }
    }

    /// Waves have the rated frequency.
    fn frequency_has_no_faults(&mut self) {
        let Some(span) = self.moves_frequency else { return };
        if self.setup.options.resolution == Resolution::Phasors {
            return;
        }
        if self.setup.events.is_empty() && self.setup.protectors.is_empty() {
            return;
        }
        let message = "the frequency moves in a network whose faults and switching are waveforms";
        let help = "write `resolution = \"phasors\"` under `[grid]`".to_owned();
        let label = "waveforms have the rated frequency";
        self.out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    }
}
