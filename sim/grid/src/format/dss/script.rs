//! Runs scripts: commands, and the objects that they make and edit.

use std::collections::{BTreeMap, BTreeSet};

use super::class::{Class, LineCode, Role, State};
use super::lex::{Parameter, Tokens};
use super::value::{Told, Value};
use super::{Document, build};
use crate::format::{Mistakes, Refusal, unmarked};
use crate::network::Place;

/// How deep scripts may call scripts, and how many lines may run in all.
const DEEPEST: usize = 20;
const MOST_LINES: usize = 10_000_000;

/// Has no influence on the steady state of one moment.
const IDLE_COMMANDS: &str = "show plot export save help interpolate get dump visualize summary \
    reset sample closedi close_di totals losses powers currents voltages fileedit formedit panel \
    about buildy init makebuslist classes userclasses cd set_di cvrtloadshapes quit select";
const IDLE_CLASSES: &str = "energymeter monitor sensor spectrum tcc_curve growthshape tshape \
    priceshape xycurve";
const IDLE_OPTIONS: &str = "mode maxcontroliter maxiterations tolerance datapath voltagebases \
    algorithm hour sec time h stepsize number random trapezoidal normvminpu normvmaxpu \
    emergvminpu emergvmaxpu overloadreport voltexceptionreport demandinterval diverbose casename \
    markercode nodewidth log recorder markswitches switchmarkercode daisysize marktransformers \
    transmarkercode transmarkersize markcapacitors markregulators markpvsystems markstorage \
    capmarkercode regmarkercode capmarkersize regmarkersize showexport editor genmult \
    defaultdaily defaultyearly loadshapeclass earthmodel querylog registryupdate minIterations \
    zonelock allowduplicates terminal bus tracecontrol keeplist reduceoption miniterations \
    %mean %stddev %normal %growth class object element type year";

/// An object and where it was made.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) class: Class,
    pub(super) name: String,
    pub(super) state: State,
    pub(super) enabled: bool,
    pub(super) place: Place,
    /// The file of that place.
    pub(super) file: String,
}

/// What the scripts have made so far.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) circuit: Option<String>,
    pub(super) frequency_hz: f64,
    pub(super) objects: Vec<Object>,
    index: BTreeMap<(Class, String), usize>,
    pub(super) voltage_bases_kv: Vec<f64>,
    pub(super) node_bases_kv: BTreeMap<String, f64>,
    pub(super) positions: BTreeMap<String, (f64, f64)>,
    pub(super) load_factor: f64,
    pub(super) controlled: bool,
}

impl World {
    pub(super) fn find(&self, class: Class, name: &str) -> Option<usize> {
        self.index.get(&(class, name.to_ascii_lowercase())).copied()
    }

    fn line_code(&self, name: &str) -> Option<LineCode> {
        match &self.objects[self.find(Class::LineCode, name)?].state {
            State::LineCode(code) => Some(code.clone()),
            _ => None,
        }
    }

    /// Whether a load shape gives kilowatts.
    fn is_actual(&self, name: &str) -> bool {
        self.find(Class::LoadShape, name).is_some_and(|at| match &self.objects[at].state {
            State::LoadShape(shape) => shape.is_actual(),
            _ => false,
        })
    }
}

/// What is being edited: an object, or something that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Active {
    Nothing,
    Object(usize),
    Idle,
}

struct Runner<'o> {
    world: World,
    mistakes: Mistakes,
    idle: BTreeSet<String>,
    active: Active,
    last_property: Option<usize>,
    default_hz: f64,
    files: Vec<String>,
    /// In which the names of files count; empty, or ends in `/`.
    folder: String,
    line: u32,
    lines_run: usize,
    told_no_circuit: bool,
    open: &'o mut dyn FnMut(&str) -> Result<String, String>,
}

pub(super) fn run(
    file: &str,
    text: &str,
    open: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Document, Refusal> {
    let mut runner = Runner {
        world: World { controlled: true, load_factor: 1.0, ..World::default() },
        mistakes: Mistakes::default(),
        idle: BTreeSet::new(),
        active: Active::Nothing,
        last_property: None,
        default_hz: 60.0,
        files: vec![file.to_owned()],
        folder: String::new(),
        line: 0,
        lines_run: 0,
        told_no_circuit: false,
        open,
    };
    runner.script(unmarked(text));
    let Runner { world, mut mistakes, idle, .. } = runner;
    let mut document = build::network(&world, file, &mut mistakes);
    document.notes.extend(idle.into_iter().map(|what| format!("{what} left out")));
    mistakes.or(document)
}

impl Runner<'_> {
    fn refuse(&mut self, what: impl Into<String>) {
        let file = self.files.last().map_or("", String::as_str);
        self.mistakes.add(file, self.line, what);
    }

    fn script(&mut self, text: &str) {
        let mut in_comment = false;
        for (number, line) in text.lines().enumerate() {
            self.line = number as u32 + 1;
            self.lines_run += 1;
            if self.lines_run == MOST_LINES {
                return self.refuse(format!(
                    "more than {MOST_LINES} lines: do scripts call each \
                    other?"
                ));
            }
            if self.lines_run > MOST_LINES {
                return;
            }
            let line = line.trim();
            in_comment |= line.starts_with("/*");
            if in_comment {
                in_comment = !line.contains("*/");
            } else if let Err(what) = self.command(line) {
                self.refuse(what);
            }
        }
    }

    fn command(&mut self, line: &str) -> Told<()> {
        let mut tokens = Tokens::of_line(line.strip_prefix('?').map_or(line, |_| "get"));
        // "~" needs no blank behind it.
        if let Some(rest) = line.strip_prefix('~') {
            return self.edit(Tokens::of_line(rest));
        }
        let Some(first) = tokens.next() else { return Ok(()) };
        if let Some(name) = first.name {
            return self.property_of(&name, first.value, first.quoted, tokens);
        }
        match first.value.to_ascii_lowercase().as_str() {
            "new" => self.new_object(tokens),
            "edit" => self.edit_object(tokens),
            "more" | "m" => self.edit(tokens),
            "batchedit" => self.batch_edit(tokens),
            "clear" | "clearall" => {
                self.world = World { controlled: true, load_factor: 1.0, ..World::default() };
                self.active = Active::Nothing;
                Ok(())
            }
            "set" => self.options(tokens),
            "redirect" => self.call(tokens, false),
            "compile" => self.call(tokens, true),
            "calcvoltagebases" | "calcv" | "solve" => Ok(()),
            "buscoords" => self.positions(tokens),
            "setkvbase" => self.node_base(tokens),
            "enable" | "disable" => {
                let on = first.value.eq_ignore_ascii_case("enable");
                let at = self.named(tokens.next())?;
                self.world.objects[at].enabled = on;
                Ok(())
            }
            "open" | "close" => {
                let closed = first.value.eq_ignore_ascii_case("close");
                self.breaker(tokens, closed)
            }
            command if IDLE_COMMANDS.split_ascii_whitespace().any(|idle| idle == command) => {
                self.idle.insert(format!("the command {command}"));
                Ok(())
            }
            "//" | "" => Ok(()),
            other => Err(format!("{other:?} is no command that is known here")),
        }
    }

    /// `class.name.property=value`, and more of its properties.
    fn property_of(
        &mut self,
        path: &str,
        value: String,
        quoted: bool,
        rest: Tokens<'_>,
    ) -> Told<()> {
        let Some((object, property)) = path.rsplit_once('.') else {
            return Err(format!("{path:?} is neither a command nor a property of an object"));
        };
        self.active = Active::Object(self.object(object)?);
        self.last_property = None;
        let first = Parameter { name: Some(property.to_owned()), value, quoted };
        self.set(&first)?;
        self.edit(rest)
    }

    /// The object `class.name`.
    fn object(&self, path: &str) -> Told<usize> {
        let (class, name) = path
            .split_once('.')
            .ok_or_else(|| format!("{path:?} is no object: class.name is expected"))?;
        let class = Class::of(class).ok_or_else(|| format!("{class:?} is no class known here"))?;
        self.world.find(class, name).ok_or_else(|| format!("there is no {} {name:?}", class.name()))
    }

    fn named(&self, parameter: Option<Parameter>) -> Told<usize> {
        self.object(&parameter.ok_or("the name of an object is expected")?.value)
    }

    fn new_object(&mut self, mut tokens: Tokens<'_>) -> Told<()> {
        let path = tokens.next().ok_or("the name of an object is expected")?.value;
        let (class, name) = path
            .split_once('.')
            .ok_or_else(|| format!("{path:?} is no object: class.name is expected"))?;
        self.active = Active::Idle;
        if class.eq_ignore_ascii_case("circuit") {
            if self.world.circuit.is_some() {
                return Err("a second circuit; only one is known here".to_owned());
            }
            self.world.circuit = Some(name.to_owned());
            self.world.frequency_hz = self.default_hz;
            self.make(Class::Source, "source");
            return self.edit(tokens);
        }
        let lower = class.to_ascii_lowercase();
        if IDLE_CLASSES.split_ascii_whitespace().any(|idle| idle == lower) {
            self.idle.insert(format!("objects of class {lower}"));
            return Ok(());
        }
        let class = Class::of(class)
            .ok_or_else(|| format!("{class} {name}: the class {class} is not known here"))?;
        if self.world.circuit.is_none() {
            // Once is enough: all that follows is in the same case.
            self.active = Active::Idle;
            if std::mem::replace(&mut self.told_no_circuit, true) {
                return Ok(());
            }
            return Err("there is no circuit yet: \"new circuit.NAME\" comes first".to_owned());
        }
        if let Some(other) = self.world.find(class, name) {
            let line = self.world.objects[other].place.0;
            return Err(format!("{} {name} exists already, from line {line}", class.name()));
        }
        self.make(class, name);
        self.edit(tokens)
    }

    fn make(&mut self, class: Class, name: &str) {
        let at = self.world.objects.len();
        self.world.objects.push(Object {
            class,
            name: name.to_owned(),
            state: State::new(class, self.world.frequency_hz),
            enabled: true,
            place: Place(self.line),
            file: self.files.last().cloned().unwrap_or_default(),
        });
        self.world.index.insert((class, name.to_ascii_lowercase()), at);
        self.active = Active::Object(at);
        self.last_property = None;
    }

    fn edit_object(&mut self, mut tokens: Tokens<'_>) -> Told<()> {
        let path = tokens.next().ok_or("the name of an object is expected")?.value;
        self.active = Active::Idle;
        let class = path.split('.').next().unwrap_or("").to_ascii_lowercase();
        if IDLE_CLASSES.split_ascii_whitespace().any(|idle| idle == class) {
            return Ok(());
        }
        let path = if class == "circuit" { "vsource.source".to_owned() } else { path };
        self.active = Active::Object(self.object(&path)?);
        self.last_property = None;
        self.edit(tokens)
    }

    fn batch_edit(&mut self, mut tokens: Tokens<'_>) -> Told<()> {
        let path = tokens.next().ok_or("the name of a class is expected")?.value;
        let (class, pattern) = path.split_once('.').unwrap_or((&path, ""));
        let class = Class::of(class).ok_or_else(|| format!("{class:?} is no class known here"))?;
        let literal = pattern.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if pattern != ".*" && !literal {
            return Err(format!("{pattern:?}: of patterns only \".*\" and plain text are known"));
        }
        let pattern = pattern.to_ascii_lowercase();
        let parameters: Vec<Parameter> = tokens.collect();
        for at in 0..self.world.objects.len() {
            let object = &self.world.objects[at];
            let fits = pattern == ".*" || object.name.to_ascii_lowercase().contains(&pattern);
            if object.class == class && fits {
                self.active = Active::Object(at);
                self.last_property = None;
                self.set_all(parameters.iter())?;
            }
        }
        Ok(())
    }

    fn edit(&mut self, tokens: Tokens<'_>) -> Told<()> {
        let parameters: Vec<Parameter> = tokens.collect();
        self.set_all(parameters.iter())
    }

    fn set_all<'p>(&mut self, parameters: impl Iterator<Item = &'p Parameter>) -> Told<()> {
        for parameter in parameters {
            self.set(parameter)?;
        }
        if let Active::Object(at) = self.active
            && let State::Load(load) = &mut self.world.objects[at].state
        {
            load.settle();
        }
        Ok(())
    }

    /// Sets one property of what is being edited.
    fn set(&mut self, parameter: &Parameter) -> Told<()> {
        let at = match self.active {
            Active::Idle => return Ok(()),
            Active::Nothing => return Err("there is nothing to edit".to_owned()),
            Active::Object(at) => at,
        };
        let class = self.world.objects[at].class;
        let owner = format!("{} {}", class.name(), self.world.objects[at].name);
        let property = if let Some(name) = &parameter.name {
            let found = class.property(name);
            self.last_property = found.map(|(place, _)| place);
            found.map(|(_, property)| property).ok_or_else(|| {
                format!(
                    "{owner}: {name} is no \
                property of a {}",
                    class.name()
                )
            })?
        } else {
            let place = self.last_property.map_or(0, |last| last + 1);
            self.last_property = Some(place);
            class
                .property_at(place)
                .ok_or_else(|| format!("{owner}: {:?} is a value too much", parameter.value))?
        };
        match property.role {
            Role::Idle => return Ok(()),
            Role::Unknown => {
                return Err(format!("{owner}: the property {} is not known here", property.name));
            }
            Role::Used => {}
        }
        let value = Value { text: &parameter.value, quoted: parameter.quoted };
        self.change(at, property.name, value)
            .map_err(|what| format!("{owner}: {}: {what}", property.name))
    }

    fn change(&mut self, at: usize, property: &str, value: Value<'_>) -> Told<()> {
        let class = self.world.objects[at].class;
        match property {
            "enabled" => {
                self.world.objects[at].enabled = value.truth()?;
                return Ok(());
            }
            "like" => {
                let other = self
                    .world
                    .find(class, value.text)
                    .ok_or_else(|| format!("there is no {} {:?}", class.name(), value.text))?;
                self.world.objects[at].state = self.world.objects[other].state.clone();
                return Ok(());
            }
            "tapnum" => return self.tap_number(at, value.whole(-1000, 1000)?),
            _ => {}
        }
        let nothing = State::new(Class::Capacitor, 0.0);
        let mut state = std::mem::replace(&mut self.world.objects[at].state, nothing);
        let changed = match &mut state {
            State::Source(own) => own.set(property, value),
            State::LineCode(own) => own.set(property, value),
            State::LoadShape(own) => {
                own.set(property, value, &mut |name| self.read(name).map(|(_, text)| text))
            }
            State::Line(own) => own.set(property, value, &|name| self.world.line_code(name)),
            State::Transformer(own) => own.set(property, value),
            State::Regulator(own) => own.set(property, value),
            State::Capacitor(own) => own.set(property, value),
            State::Reactor(own) => own.set(property, value),
            State::Load(own) => own.set(property, value, &|name| self.world.is_actual(name)),
        };
        self.world.objects[at].state = state;
        changed
    }

    /// Moves the taps of a regulator's transformer.
    fn tap_number(&mut self, at: usize, number: i32) -> Told<()> {
        let State::Regulator(regulator) = &self.world.objects[at].state else { return Ok(()) };
        let winding = regulator.winding as usize - 1;
        let found = self.world.find(Class::Transformer, &regulator.transformer);
        if let Some(State::Transformer(transformer)) =
            found.map(|at| &mut self.world.objects[at].state)
            && let Some(side) = transformer.sides.get_mut(winding)
        {
            side.tap = f64::from(number) * side.tap_step()
                + f64::midpoint(side.highest_tap, side.lowest_tap);
            return Ok(());
        }
        Err("its transformer has to be there before".to_owned())
    }

    fn options(&mut self, tokens: Tokens<'_>) -> Told<()> {
        for parameter in tokens {
            let Some(name) = &parameter.name else {
                return Err(format!("set {:?}: name=value is expected", parameter.value));
            };
            let name = name.to_ascii_lowercase();
            let value = Value { text: &parameter.value, quoted: parameter.quoted };
            self.option(&name, value).map_err(|what| format!("set {name}: {what}"))?;
        }
        Ok(())
    }

    fn option(&mut self, name: &str, value: Value<'_>) -> Told<()> {
        match name {
            "defaultbasefrequency" => self.default_hz = value.positive()?,
            "frequency" | "basefrequency" => {
                if value.positive()? != self.world.frequency_hz {
                    return Err(format!(
                        "the circuit is of {} Hz; set DefaultBaseFrequency before it",
                        self.world.frequency_hz
                    ));
                }
            }
            "voltagebases" => self.world.voltage_bases_kv = value.numbers()?,
            "loadmult" => self.world.load_factor = value.number()?,
            "controlmode" => {
                self.world.controlled = !value.text.to_ascii_lowercase().starts_with("off");
            }
            "loadmodel" if value.text.to_ascii_lowercase().starts_with('p') => {}
            _ => {
                let known = |option: &str| option == name;
                let begins = |option: &str| name.len() > 3 && option.starts_with(name);
                let mut options = IDLE_OPTIONS.split_ascii_whitespace();
                if !options.clone().any(known) && !options.any(begins) {
                    return Err("the option is not known here".to_owned());
                }
                if !matches!(name, "mode" | "number" | "stepsize" | "h" | "time" | "hour") {
                    return Ok(());
                }
                self.idle.insert(format!("set {name}"));
            }
        }
        Ok(())
    }

    /// The text of a file that is named from where the script is.
    fn read(&mut self, name: &str) -> Told<(String, String)> {
        let path = join(&self.folder, name);
        let text = (self.open)(&path).map_err(|why| format!("{path}: {why}"))?;
        Ok((path, unmarked(&text).to_owned()))
    }

    fn call(&mut self, mut tokens: Tokens<'_>, stays: bool) -> Told<()> {
        let name = tokens.next().ok_or("the name of a file is expected")?.value;
        if self.files.len() >= DEEPEST {
            return Err(format!("scripts call each other {DEEPEST} deep"));
        }
        let (path, text) = self.read(&name)?;
        let inside = path.rsplit_once('/').map_or(String::new(), |(own, _)| format!("{own}/"));
        let (line, before) = (self.line, std::mem::replace(&mut self.folder, inside.clone()));
        self.files.push(path);
        self.script(&text);
        self.files.pop();
        self.line = line;
        self.folder = if stays { inside } else { before };
        Ok(())
    }

    fn positions(&mut self, mut tokens: Tokens<'_>) -> Told<()> {
        let name = tokens.next().ok_or("the name of a file is expected")?.value;
        let (path, text) = self.read(&name)?;
        for (at, line) in text.lines().enumerate() {
            let fields: Vec<Parameter> = Tokens::of_line(line).collect();
            let number = |k: usize| fields.get(k).and_then(|own| own.value.parse::<f64>().ok());
            match (fields.first(), number(1), number(2)) {
                (Some(bus), Some(x), Some(y)) => {
                    self.world.positions.insert(bus.value.to_ascii_lowercase(), (x, y));
                }
                (None, ..) => {}
                // The names of the columns may stand on top.
                _ if at == 0 => {}
                _ => return Err(format!("{path}:{}: a bus and two numbers are expected", at + 1)),
            }
        }
        Ok(())
    }

    fn node_base(&mut self, tokens: Tokens<'_>) -> Told<()> {
        let (mut bus, mut kv) = (None, None);
        for (place, parameter) in tokens.enumerate() {
            let value = Value { text: &parameter.value, quoted: parameter.quoted };
            let name = parameter.name.as_deref().map(str::to_ascii_lowercase);
            match (name.as_deref(), place) {
                (Some("bus"), _) | (None, 0) => bus = Some(parameter.value.to_ascii_lowercase()),
                (Some("kvll"), _) | (None, 1) => kv = Some(value.positive()?),
                (Some("kvln"), _) => kv = Some(value.positive()? * 3f64.sqrt()),
                _ => return Err(format!("{:?} is not expected", parameter.value)),
            }
        }
        let (bus, kv) = bus.zip(kv).ok_or("bus= and kvll= are expected")?;
        self.world.node_bases_kv.insert(bus, kv);
        Ok(())
    }

    /// Opens or closes all conductors at one end of a line.
    fn breaker(&mut self, mut tokens: Tokens<'_>, closed: bool) -> Told<()> {
        let at = self.named(tokens.next())?;
        let terminal = tokens.next().map_or(Ok(1), |parameter| {
            Value { text: &parameter.value, quoted: parameter.quoted }.whole(1, 2)
        })?;
        if let Some(conductor) = tokens.next().filter(|conductor| conductor.value != "0") {
            return Err(format!(
                "conductor {}: only all conductors at once are known here",
                conductor.value
            ));
        }
        match &mut self.world.objects[at].state {
            State::Line(line) => line.closed[terminal as usize - 1] = closed,
            _ => return Err("only lines are opened and closed here".to_owned()),
        }
        Ok(())
    }
}

/// A path from a folder, without `.` and with `..` worked out where that can be.
fn join(folder: &str, name: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let name = name.replace('\\', "/");
    let name = name.trim();
    let absolute = name.starts_with('/') || folder.starts_with('/');
    if name.starts_with('/') {
        parts.clear();
    }
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|&last| last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}
