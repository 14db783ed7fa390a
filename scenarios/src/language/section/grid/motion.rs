//! From injections to what happens in a network in motion.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use lastmeter_grid::motion::{
    Event, FaultAt, Happening, Options, Protection, Protector, Resolution, step_remark,
};
use lastmeter_grid::network::{NodeId, Wires};
use lastmeter_grid::short_circuit::split;
use lastmeter_grid::transient::{FaultKind, Pole};
use lastmeter_grid::{Complex64, Network};
use lastmeter_params::{Code, Diagnostic, Diagnostics, Span, Values, nearest};
use lastmeter_sim::Streams;
use lastmeter_sim::disturbance::{Change, Disturbance};
use lastmeter_sim::grid::{GridInput, MotionSetup};
use lastmeter_units::SimDuration;

use super::arc::{arc, arcs_end};
use super::inputs::{Elements, grid_kind_of, input, is_into_grid};
use super::interface::know_frequency;
use super::orders::{Order, Ordered, do_not_contradict};
use super::pieces::{Pieces, find, poles, wires_of};
use super::protection::protectors;
use super::recorder;
use super::saturation::saturations;
use super::storm::{self, Drawn};
use crate::language::draft::Row;
use crate::language::names::Names;
use crate::language::section::inject::GridInject;

/// A ramp of a source's voltage goes in steps of this length.
const RAMP_STEP: SimDuration = SimDuration::from_milliseconds(100);

/// Frequencies are measured that far from the rated one (IEC 61000-4-30, 5.1: 42.5 to 57.5 Hz).
const FREQUENCY_SHARE: f64 = 0.15;

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
            out.warn(Diagnostic {
                code: Code::IDLE_KEY,
                message: format!("`{key}` has no effect without {without}"),
                span: values.span_of(key),
                label: "changes nothing here".to_owned(),
                help: Some(help.to_owned()),
            });
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
        out.warn(Diagnostic {
            code: Code::COARSE_STEP,
            message: remark.to_string(),
            span: values.span_of("waveform_step"),
            label: "is played as it is".to_owned(),
            help: Some("write a shorter `waveform_step` if that part is of interest".to_owned()),
        });
    }
}

/// A simulator plays a state each step, whatever it is asked in between.
pub(super) fn fits_a_simulator(
    values: &Values,
    wanted: &MotionSetup,
    (recorders, injections): (&[Row<'_>], &[Row<'_>]),
    out: &mut Diagnostics,
) {
    if wanted.options.resolution == Resolution::Waveforms {
        let message = "a network that a simulator plays has a state each step, and no waveforms";
        let span = values.span_of("resolution");
        out.report(Code::DOES_NOT_FIT, span, message, "expected `phasors`, or `steps`");
    }
    if let Some(first) = recorders.first() {
        let message = "what a simulator plays is not known to recorders ahead";
        out.report(Code::DOES_NOT_FIT, first.span, message, "leave it out");
    }
    let ramps =
        |it: &&Protector| matches!(it.what, Protection::Interface { ramp_s, .. } if ramp_s > 0.0);
    if let Some(ramping) = wanted.protectors.iter().find(ramps) {
        let message =
            format!("`{}` ramps up loads that a simulator gives their powers", ramping.name);
        let span = values.span_of("file");
        out.report(Code::DOES_NOT_FIT, span, message, "leave its `ramp` out");
    }
    if let Some(planned) = planned(injections) {
        let message = "who has a supply is not recorded where a simulator plays the network";
        out.report(Code::DOES_NOT_FIT, planned, message, "leave `planned` out");
    }
    if !wanted.frequency.is_empty() {
        let message = "the frequency of a network that a simulator plays stays as it is";
        out.report(
            Code::DOES_NOT_FIT,
            values.span_of("file"),
            message,
            "leave `grid-frequency` out",
        );
    }
}

/// Where the first outage is said to be planned.
fn planned(injections: &[Row<'_>]) -> Option<Span> {
    let outages = injections.iter().filter(|row| grid_kind_of(row) == Some(GridInject::Outage));
    let mut values = outages.filter_map(|row| row.values.as_ref());
    values.find(|values| values.boolean("planned")).map(|values| values.span_of("planned"))
}

/// Injections that a network which only steps does not have.
pub(super) fn needs_motion(rows: &[Row<'_>], out: &mut Diagnostics) {
    for row in rows {
        if grid_kind_of(row).is_some_and(|kind| !kind.is_of_steps()) {
            let (kind, span) = row.text("kind").unwrap_or(("", row.span));
            let message = format!("a `{kind}` happens between the steps of the network");
            let help = "write `resolution = \"waveforms\"` (or `\"phasors\"`) under `[grid]`";
            let label = "not in a network that only steps";
            out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
        }
    }
}

/// What is gathered.
struct Builder<'a, 'b> {
    network: &'a mut Network,
    loads: &'a Names,
    pieces: Pieces,
    /// The nodes that divide lines, by line and share.
    divided: BTreeMap<(usize, u64), NodeId>,
    /// Of each injection that is a fault its number, name and beginning; also of those with
    /// mistakes, which are told where they are.
    faults: Vec<(u32, String, Option<SimDuration>)>,
    /// What injections order, as written.
    orders: Vec<Order>,
    /// Of each injection that is a storm what was drawn.
    storms: BTreeMap<usize, Vec<Drawn>>,
    setup: MotionSetup,
    out: &'b mut Diagnostics,
}

/// What happens between steps. The network gets the switches and nodes that this needs.
pub(super) fn motion(
    (values, resolution): (&Values, Resolution),
    (rows, protection, recorders, saturation): (&[Row<'_>], &[Row<'_>], &[Row<'_>], &[Row<'_>]),
    (network, loads, streams): (&mut Network, &Names, Streams),
    out: &mut Diagnostics,
) -> MotionSetup {
    let options = Options {
        resolution,
        step_s: values.si("waveform_step"),
        longest_s: values.si("waveform_longest"),
        saturations: saturations(saturation, resolution, network, out),
        ..Options::default()
    };
    let mut pieces = Pieces::default();
    let protectors = protectors(protection, network, &mut pieces, out);
    let recorders = recorder::recorders(recorders, network, &mut pieces, out);
    let setup = MotionSetup {
        options,
        recorders,
        events: Vec::new(),
        protectors,
        changes: Vec::new(),
        frequency: Vec::new(),
        metered: Vec::new(),
        pickups: Vec::new(),
        planned: Vec::new(),
        dark_at: values.duration_opt("dark_at"),
    };
    let mut builder = Builder {
        network,
        loads,
        pieces,
        divided: BTreeMap::new(),
        faults: faults(rows),
        orders: Vec::new(),
        storms: BTreeMap::new(),
        setup,
        out,
    };
    builder.draw(rows, streams);
    builder.divide(rows);
    for (number, row) in rows.iter().enumerate().filter(|(_, row)| is_into_grid(row)) {
        let (Some(kind), Some(values)) = (grid_kind_of(row), row.values.as_ref()) else { continue };
        builder.take(number, kind, values);
    }
    let ends = (!builder.setup.protectors.is_empty(), builder.network.frequency_hz);
    arcs_end(rows, &builder.faults, ends, builder.out);
    do_not_contradict(&builder.orders, builder.network, builder.out);
    builder.frequency_has_no_faults(rows);
    let MotionSetup { protectors, frequency, .. } = &mut builder.setup;
    know_frequency(protectors, frequency, builder.network.frequency_hz);
    builder.setup
}

/// The faults of injections, by which they may be ended.
fn faults(rows: &[Row<'_>]) -> Vec<(u32, String, Option<SimDuration>)> {
    let fault = |(number, row): (usize, &Row<'_>)| {
        let kind = grid_kind_of(row)?;
        if !matches!(kind, GridInject::NodeFault | GridInject::LineFault) {
            return None;
        }
        let name = row.text("name").map_or_else(|| (number + 1).to_string(), |(it, _)| it.into());
        let at = row.values.as_ref().map(|values| values.duration("at"));
        Some((u32::try_from(number).ok()?, name, at))
    };
    rows.iter().enumerate().filter_map(fault).collect()
}

impl Builder<'_, '_> {
    /// Draws the faults of storms.
    fn draw(&mut self, rows: &[Row<'_>], streams: Streams) {
        for (number, row) in rows.iter().enumerate() {
            let is_storm = grid_kind_of(row) == Some(GridInject::Storm);
            let Some(values) = row.values.as_ref().filter(|_| is_storm) else { continue };
            let drawn = storm::drawn(number, values, (self.network, streams), self.out);
            self.storms.insert(number, drawn);
        }
    }

    /// What was drawn, as events.
    fn storm(&mut self, number: usize, values: &Values) -> Option<()> {
        let repair: SimDuration = values.duration("repair");
        let name = values.text_opt("name").map_or_else(|| (number + 1).to_string(), str::to_owned);
        for (place, drawn) in self.storms.remove(&number)?.into_iter().enumerate() {
            let node = *self.divided.get(&(drawn.line, drawn.share.to_bits()))?;
            // Behind the numbers of all injections.
            let id = u32::try_from((number + 1) * 100_000 + place).ok()?;
            let fault = FaultAt {
                id,
                name: format!("fault:{name}.{}", place + 1).into(),
                node,
                kind: drawn.kind,
                resistance_ohm: drawn.resistance_ohm,
                arc: None,
                angle_rad: None,
                extinguishes_s: drawn.is_temporary.then_some(storm::EXTINGUISHES_S),
            };
            self.setup.events.push(Event { at_ns: drawn.at.0, what: Happening::Fault(fault) });
            let what = Happening::Repair { id };
            self.setup.events.push(Event { at_ns: (drawn.at + repair).0, what });
        }
        Some(())
    }

    /// Puts a node into each line wherever a fault is along it.
    fn divide(&mut self, rows: &[Row<'_>]) {
        let mut wanted: Vec<(usize, f64)> = Vec::new();
        for row in rows.iter().filter(|row| grid_kind_of(row) == Some(GridInject::LineFault)) {
            let place = row.values.as_ref().and_then(|values| self.along(values));
            wanted.extend(place.filter(|(_, share)| *share > 0.0 && *share < 1.0));
        }
        for drawn in self.storms.values().flatten() {
            wanted.push((drawn.line, drawn.share));
        }
        // From the far end on, so that what is left keeps its place.
        wanted.sort_by(|one, other| {
            (one.0, other.1).partial_cmp(&(other.0, one.1)).unwrap_or(std::cmp::Ordering::Equal)
        });
        wanted.dedup();
        let mut left: Option<(usize, f64)> = None;
        for (line, share) in wanted {
            let whole = left.filter(|(own, _)| *own == line).map_or(1.0, |(_, share)| share);
            let node = split(self.network, line, share / whole);
            self.divided.insert((line, share.to_bits()), node);
            left = Some((line, share));
        }
    }

    /// The line of a fault, and its share of the length.
    fn along(&mut self, values: &Values) -> Option<(usize, f64)> {
        let (into, span) = (values.text("into"), values.span_of("into"));
        let Some(name) = into.strip_prefix("line:") else {
            let message = format!("`{into}` is no line");
            let is_called = self.network.lines.iter().any(|it| &*it.name == into);
            let help = is_called.then(|| format!("write `line:{into}`"));
            self.out.report_with_help(Code::BAD_NAME, span, message, "expected `line:NAME`", help);
            return None;
        };
        let line =
            find(self.network.lines.iter().map(|it| &*it.name), ("line", name), span, self.out)?;
        let (position, distance) = (values.si_opt("position"), values.integer_opt("distance_m"));
        let share = match (position, distance) {
            (Some(_), Some(_)) => {
                let message = "both `position` and `distance_m` of one fault";
                let at = values.span_of("distance_m");
                self.out.report(Code::DOES_NOT_FIT, at, message, "expected one of them");
                return None;
            }
            (Some(share), None) => share,
            (None, None) => 0.5,
            (None, Some(distance_m)) => {
                let at = values.span_of("distance_m");
                let Some(length_m) = self.network.lines[line].length_m else {
                    let message = format!("line `{name}` has no length in the network's file");
                    let help = Some("give `position`, its share, instead".to_owned());
                    self.out.report_with_help(Code::DOES_NOT_FIT, at, message, "of what?", help);
                    return None;
                };
                let share = distance_m as f64 / length_m;
                if share > 1.0 {
                    let message = format!("{distance_m} m is beyond the end of line `{name}`");
                    let label = format!("expected at most {length_m} m");
                    self.out.report(Code::OUT_OF_RANGE, at, message, label);
                    return None;
                }
                share
            }
        };
        Some((line, share))
    }

    fn take(&mut self, number: usize, kind: GridInject, values: &Values) -> Option<()> {
        let (into, span) = (values.text_opt("into").unwrap_or(""), values.span_of("into"));
        let at: SimDuration = values.duration("at");
        match kind {
            GridInject::NodeFault => {
                let Some(name) = into.strip_prefix("node:") else {
                    let message = format!("`{into}` is no node");
                    self.out.report(Code::BAD_NAME, span, message, "expected `node:NAME`");
                    return None;
                };
                let names = self.network.nodes.iter().map(|it| &*it.name);
                let node = find(names, ("node", name), span, self.out)?;
                self.fault(number, NodeId(u32::try_from(node).ok()?), values)?;
            }
            GridInject::LineFault => {
                let node = self.node_along(values)?;
                self.fault(number, node, values)?;
            }
            GridInject::Breaker => {
                let is_closed = values.text("state") != super::super::inject::OPEN;
                let switch = self.pieces.switch(into, span, self.network, self.out)?;
                self.switch((at, None), (switch, Pole::All, is_closed), values);
            }
            GridInject::OpenConductor | GridInject::Fuse | GridInject::Outage => {
                self.opened(kind, at, values)?;
            }
            GridInject::Restore => self.restored(at, values)?,
            GridInject::Frequency => self.frequency(at, values),
            GridInject::Storm => self.storm(number, values)?,
            GridInject::GenerationStep => {
                let Some(name) = into.strip_prefix("load:") else {
                    let message = format!("`{into}` is no load or generator");
                    self.out.report(Code::BAD_NAME, span, message, "expected `load:NAME`");
                    return None;
                };
                let load = self.loads.find(name, span, self.out)?;
                let change_va = Complex64::new(-values.si("active_power"), 0.0);
                self.change((at, at), GridInput::LoadStep { load, change_va }, values);
            }
            GridInject::LoadStep | GridInject::SetPoint => {
                let elements = Elements::new(self.network, self.loads);
                let change = input(kind, values, &elements, self.out)?;
                self.change((at, at), change, values);
            }
            GridInject::SourceVoltage => self.source_voltage(at, values)?,
            GridInject::Tap => self.tap(at, values)?,
        }
        Some(())
    }

    /// The node of a fault along a line. Mistakes were told where lines are divided.
    fn node_along(&mut self, values: &Values) -> Option<NodeId> {
        let mut silent = Diagnostics::default();
        std::mem::swap(self.out, &mut silent);
        let place = self.along(values);
        std::mem::swap(self.out, &mut silent);
        let (line, share) = place?;
        let ends = &self.network.lines[line];
        Some(match self.divided.get(&(line, share.to_bits())) {
            Some(node) => *node,
            None if share <= 0.0 => ends.from.node,
            None => ends.to.node,
        })
    }

    /// Something is opened, perhaps for a while.
    fn opened(&mut self, kind: GridInject, at: SimDuration, values: &Values) -> Option<()> {
        let (into, span) = (values.text("into"), values.span_of("into"));
        let switch = self.pieces.switch(into, span, self.network, self.out)?;
        if kind == GridInject::Fuse {
            self.has_fuse(switch, values)?;
        }
        let phases = values.text_opt("phases").unwrap_or("abc");
        let Some(poles) = poles(self.network, switch, phases) else {
            let message = format!("`{into}` does not have all of the phases {phases}");
            let span = values.span_of("phases");
            self.out.report(Code::DOES_NOT_FIT, span, message, "expected those that it has");
            return None;
        };
        if kind == GridInject::Outage && values.boolean("planned") {
            self.setup.planned.push((at, switch));
        }
        for pole in poles {
            let until = values.duration_opt("for").map(|length| at + length);
            self.switch((at, until), (switch, pole, false), values);
        }
        Some(())
    }

    /// A fault is mended, or something is closed again.
    fn restored(&mut self, at: SimDuration, values: &Values) -> Option<()> {
        let (into, span) = (values.text("into"), values.span_of("into"));
        let Some(name) = into.strip_prefix("fault:") else {
            let switch = self.pieces.switch(into, span, self.network, self.out)?;
            self.switch((at, None), (switch, Pole::All, true), values);
            return Some(());
        };
        let Some((id, _, begins)) = self.faults.iter().find(|(_, own, _)| own == name) else {
            let names = self.faults.iter().map(|(_, name, _)| name.as_str());
            let near = nearest(name, names).map(|near| format!("did you mean `fault:{near}`?"));
            let message = format!("no injection is a fault `{name}`");
            let label = "expected the `name` of a fault";
            self.out.report_with_help(Code::BAD_NAME, span, message, label, near);
            return None;
        };
        // The mistakes of the fault itself were told.
        let begins = (*begins)?;
        if begins >= at {
            let message = format!("fault `{name}` is mended at {at}, and begins at {begins}");
            let label = "expected a time after that";
            self.out.report(Code::OVERLAP, values.span_of("at"), message, label);
            return None;
        }
        let what = Happening::Clear { id: *id };
        self.setup.events.push(Event { at_ns: at.0, what });
        Some(())
    }

    /// A switch is opened or closed, and perhaps put back.
    fn switch(
        &mut self,
        (from, until): (SimDuration, Option<SimDuration>),
        (switch, pole, is_closed): (usize, Pole, bool),
        values: &Values,
    ) {
        let mut order = |at: SimDuration, is_closed: bool| {
            let what = if is_closed {
                Happening::Close { switch, pole }
            } else {
                Happening::Open { switch, pole }
            };
            self.setup.events.push(Event { at_ns: at.0, what });
        };
        order(from, is_closed);
        if let Some(until) = until {
            order(until, !is_closed);
        }
        let (to, span) = (until.unwrap_or(from), values.span_of("at"));
        let what = Ordered::Switch { switch, pole, is_closed };
        self.orders.push(Order { from, to, what, span });
    }

    /// A load, a source or a tap changes, perhaps by a ramp of which this is the end.
    fn change(
        &mut self,
        (from, to): (SimDuration, SimDuration),
        input: GridInput,
        values: &Values,
    ) {
        self.setup.changes.push((to, input));
        let (what, span) = (Ordered::Input(input), values.span_of("at"));
        self.orders.push(Order { from, to, what, span });
    }

    /// Whether there is a fuse in a switch.
    fn has_fuse(&mut self, switch: usize, values: &Values) -> Option<()> {
        let all = &self.setup.protectors;
        let mut fuses = all.iter().filter(|it| matches!(it.what, Protection::Fuse { .. }));
        if fuses.clone().any(|it| it.switch == switch) {
            return Some(());
        }
        let message = format!("there is no fuse at `{}`", values.text("into"));
        let label = match fuses.next() {
            None => "expected a `[[grid.protection]]` of kind `fuse-link` there".to_owned(),
            Some(first) => {
                let rest = fuses.map(|it| it.name.to_string());
                let names: Vec<String> =
                    std::iter::once(first.name.to_string()).chain(rest).collect();
                format!("expected where one is: {}", names.join(", "))
            }
        };
        self.out.report(Code::DOES_NOT_FIT, values.span_of("into"), message, label);
        None
    }

    fn fault(&mut self, number: usize, node: NodeId, values: &Values) -> Option<()> {
        let wires: Wires = wires_of(values.text("phases")).into_iter().collect();
        let known = &self.network.nodes[node.index()];
        let to_earth = values.boolean("earth");
        let refuse = |message: String, label: &str, out: &mut Diagnostics| {
            out.report(Code::DOES_NOT_FIT, values.span_of("phases"), message, label);
        };
        if !known.wires.contains_all(wires) {
            let message = format!("node `{}` has the wires {} only", known.name, known.wires);
            refuse(message, "expected phases that it has", self.out);
            return None;
        }
        if !to_earth && wires.len() < 2 {
            let message = "one conductor shorted with nothing".to_owned();
            refuse(message, "expected two or three phases, or `earth = true`", self.out);
            return None;
        }
        let kind = if to_earth { FaultKind::Ground(wires) } else { FaultKind::Between(wires) };
        let arc = arc(values, kind, self.setup.options.resolution, self.out).ok()?;
        let id = u32::try_from(number).ok()?;
        let name = values.text_opt("name").map_or_else(|| (number + 1).to_string(), str::to_owned);
        let at: SimDuration = values.duration("at");
        let fault = FaultAt {
            id,
            name: format!("fault:{name}").into(),
            node,
            kind,
            resistance_ohm: values.si("resistance"),
            arc,
            angle_rad: values.si_opt("angle").map(|angle| angle.rem_euclid(TAU)),
            extinguishes_s: values.si_opt("extinguishes"),
        };
        self.setup.events.push(Event { at_ns: at.0, what: Happening::Fault(fault) });
        if let Some(length) = values.duration_opt("for") {
            let what = Happening::RunOut { id };
            self.setup.events.push(Event { at_ns: (at + length).0, what });
        }
        Some(())
    }

    fn source_voltage(&mut self, at: SimDuration, values: &Values) -> Option<()> {
        let (into, span) = (values.text("into"), values.span_of("into"));
        let Some(name) = into.strip_prefix("source:") else {
            let message = format!("`{into}` is no source");
            self.out.report(Code::BAD_NAME, span, message, "expected `source:NAME`");
            return None;
        };
        let names = self.network.sources.iter().map(|it| &*it.name);
        let source = find(names, ("source", name), span, self.out)?;
        let before = self.setup.changes.iter().filter(|(when, _)| *when <= at);
        let before = before.filter_map(|(when, input)| match input {
            GridInput::SourceVoltage { source: own, voltage_pu } if *own == source => {
                Some((*when, *voltage_pu))
            }
            _ => None,
        });
        let declared = &self.network.sources[source];
        let rated_v = self.network.nodes[declared.node.index()].rated_voltage_v;
        let from = before.max_by_key(|(when, _)| *when);
        let from = from.map_or(declared.voltage_v / rated_v, |(_, voltage_pu)| voltage_pu);
        let (to, over) = (values.si("to"), values.duration("over"));
        let steps = (over.0 / RAMP_STEP.0).max(0);
        for step in 1..=steps {
            let share = step as f64 * RAMP_STEP.0 as f64 / over.0 as f64;
            let voltage_pu = from + (to - from) * share.min(1.0);
            let when = SimDuration(at.0 + step * RAMP_STEP.0);
            self.setup.changes.push((when, GridInput::SourceVoltage { source, voltage_pu }));
        }
        let last = GridInput::SourceVoltage { source, voltage_pu: to };
        self.change((at, at + over), last, values);
        Some(())
    }

    fn tap(&mut self, at: SimDuration, values: &Values) -> Option<()> {
        let (into, span) = (values.text("into"), values.span_of("into"));
        let Some(name) = into.strip_prefix("transformer:") else {
            let message = format!("`{into}` is no transformer");
            self.out.report(Code::BAD_NAME, span, message, "expected `transformer:NAME`");
            return None;
        };
        let names = self.network.transformers.iter().map(|it| &*it.name);
        let transformer = find(names, ("transformer", name), span, self.out)?;
        let windings = &self.network.transformers[transformer].windings;
        let winding = windings.iter().position(|it| it.tap.is_some()).unwrap_or(0);
        let position = i32::try_from(values.integer("position")).ok()?;
        let change = GridInput::Tap { transformer, winding, position };
        if let Err(why) = change.check(self.network) {
            let label = "this tap changer cannot stand there";
            self.out.report(Code::DOES_NOT_FIT, values.span_of("position"), why.to_string(), label);
            return None;
        }
        self.change((at, at), change, values);
        Some(())
    }

    fn frequency(&mut self, at: SimDuration, values: &Values) {
        let (to_hz, over) = (values.si("to"), values.duration("over"));
        let rated_hz = self.network.frequency_hz;
        let swing_hz = values.si_opt("swing").unwrap_or(0.0).abs();
        let farthest_hz = (to_hz - rated_hz).abs() + swing_hz;
        if farthest_hz > FREQUENCY_SHARE * rated_hz {
            let message = format!("the frequency goes {farthest_hz:.1} Hz from {rated_hz} Hz");
            let label =
                format!("expected at most {} %, all that meters measure", 100.0 * FREQUENCY_SHARE);
            self.out.report(Code::OUT_OF_RANGE, values.span_of("to"), message, label);
            return;
        }
        let mut push = |at: SimDuration, to_hz: f64, over: SimDuration| {
            let change = Change::Frequency { to_hz, over };
            self.setup.frequency.push(Disturbance { at, length: None, change });
        };
        push(at, to_hz, over);
        let Some(swing_hz) = values.si_opt("swing") else { return };
        let half = SimDuration(values.duration("period").0 / 2);
        let mut from = at + over;
        for swing in 0..2 * values.integer("swings") {
            let size_hz = swing_hz * 0.5_f64.powi(i32::try_from(swing).unwrap_or(i32::MAX));
            let sign = if swing % 2 == 0 { 1.0 } else { -1.0 };
            push(from, to_hz + sign * size_hz, half);
            from = from + half;
        }
        push(from, to_hz, half);
    }

    /// Waves have the rated frequency.
    fn frequency_has_no_faults(&mut self, rows: &[Row<'_>]) {
        if self.setup.options.resolution == Resolution::Phasors || self.setup.frequency.is_empty() {
            return;
        }
        if self.setup.events.is_empty() && self.setup.protectors.is_empty() {
            return;
        }
        let row = rows.iter().find(|row| grid_kind_of(row) == Some(GridInject::Frequency));
        let span = row.map_or_else(Span::default, |row| row.span);
        let message = "the frequency moves in a network whose faults and switching are waveforms";
        let help = "write `resolution = \"phasors\"` under `[grid]`".to_owned();
        let label = "waveforms have the rated frequency";
        self.out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
    }
}
