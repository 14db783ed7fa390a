//! Runs scripts: commands, and the objects that they make and edit.

use std::collections::{BTreeMap, BTreeSet};

use super::class::{Class, State};
use super::lex::{Parameter, Tokens};
use super::script_state::{Object, ScriptState};
use super::table::{COMMANDS, Entry, Except, Fate, NOTED_CLASSES, find};
use super::value::{Value, ValueResult};
use super::{Document, build};
use crate::format::{Mistakes, Refusal, unmarked};
use crate::network::Place;

mod options;

/// How deep scripts may call scripts, and how many lines may run in all.
const DEEPEST: usize = 20;
const MOST_LINES: usize = 10_000_000;

/// What is being edited: an object, or something that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Active {
    Nothing,
    Object(usize),
    Idle,
}

struct Runner<'o> {
    state: ScriptState,
    mistakes: Mistakes,
    /// What was left out, by the kind of thing and the reason: their names.
    noted: BTreeMap<(String, &'static str), BTreeSet<&'static str>>,
    active: Active,
    last_property: Option<usize>,
    default_hz: f64,
    files: Vec<String>,
    /// In which the names of files count; empty, or ends in `/`.
    folder: String,
    line: u32,
    lines_run: usize,
    reported_no_circuit: bool,
    open: &'o mut dyn FnMut(&str) -> Result<String, String>,
}

/// Reads the script `text` that is called `file` in messages. Other files that it names are asked
/// of `open`, by their path from the folder of this one, with `/` between folders; it answers with
/// the text or with the reason why not.
///
/// # Errors
/// Every mistake with file and line: what is no command, class or property; what is one, but
/// cannot be expressed here; values that are none; objects that do not exist.
pub fn read(
    file: &str,
    text: &str,
    open: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Document, Refusal> {
    let mut runner = Runner {
        state: ScriptState::default(),
        mistakes: Mistakes::default(),
        noted: BTreeMap::new(),
        active: Active::Nothing,
        last_property: None,
        default_hz: 60.0,
        files: vec![file.to_owned()],
        folder: String::new(),
        line: 0,
        lines_run: 0,
        reported_no_circuit: false,
        open,
    };
    runner.script(unmarked(text));
    let Runner { state, mut mistakes, noted, .. } = runner;
    let mut document = build::network(&state, file, &mut mistakes);
    document.notes.extend(noted.into_iter().map(|((kind, why), names)| {
        let names: Vec<&str> = names.into_iter().collect();
        format!("{kind} {} left out: {why}", names.join(", "))
    }));
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

    fn command(&mut self, line: &str) -> ValueResult<()> {
        let mut tokens = Tokens::of_line(line.strip_prefix('?').map_or(line, |_| "?"));
        // "~" needs no blank behind it.
        if let Some(rest) = line.strip_prefix('~') {
            return self.edit(Tokens::of_line(rest));
        }
        let Some(first) = tokens.next() else { return Ok(()) };
        if let Some(name) = first.name {
            return self.property_of(&name, first.value, first.quoted, tokens);
        }
        if first.value.is_empty() {
            return Ok(());
        }
        let Some((_, command)) = find(COMMANDS, &first.value) else {
            return Err(format!("unknown command {:?}", first.value));
        };
        match command.fate {
            Fate::Obeyed => self.obey(command.name, tokens),
            Fate::Noted => {
                self.note("command", command);
                Ok(())
            }
            Fate::Rejected => Err(rejection("command", command)),
        }
    }

    fn obey(&mut self, command: &str, mut tokens: Tokens<'_>) -> ValueResult<()> {
        match command.to_ascii_lowercase().as_str() {
            "new" => self.new_object(tokens),
            "edit" => self.edit_object(tokens),
            "more" | "m" | "~" => self.edit(tokens),
            "batchedit" => self.batch_edit(tokens),
            "clear" | "clearall" => {
                self.state = ScriptState::default();
                self.active = Active::Nothing;
                Ok(())
            }
            "set" | "solve" => self.options(tokens),
            "redirect" => self.call(tokens, false),
            "compile" => self.call(tokens, true),
            "cd" => {
                let folder = tokens.next().ok_or("the name of a folder is expected")?.value;
                self.change_folder(&folder);
                Ok(())
            }
            "buscoords" => self.positions(tokens),
            "setkvbase" => self.node_base(tokens),
            "enable" | "disable" => {
                let on = command.eq_ignore_ascii_case("enable");
                let at = self.named(tokens.next())?;
                self.state.objects[at].enabled = on;
                Ok(())
            }
            "open" | "close" => {
                let closed = command.eq_ignore_ascii_case("close");
                self.breaker(tokens, closed)
            }
            // Comments, and what is done for every network.
            _ => Ok(()),
        }
    }

    fn note(&mut self, kind: &str, entry: &'static Entry) {
        self.noted.entry((kind.to_owned(), entry.remark)).or_default().insert(entry.name);
    }

    /// `class.name.property=value`, and more of its properties.
    fn property_of(
        &mut self,
        path: &str,
        value: String,
        quoted: bool,
        rest: Tokens<'_>,
    ) -> ValueResult<()> {
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
    fn object(&self, path: &str) -> ValueResult<usize> {
        let (class, name) = path
            .split_once('.')
            .ok_or_else(|| format!("{path:?} is no object: class.name is expected"))?;
        let class = Class::of(class).ok_or_else(|| format!("unsupported class {class:?}"))?;
        self.state.find(class, name).ok_or_else(|| format!("there is no {} {name:?}", class.name()))
    }

    fn named(&self, parameter: Option<Parameter>) -> ValueResult<usize> {
        self.object(&parameter.ok_or("the name of an object is expected")?.value)
    }

    fn new_object(&mut self, mut tokens: Tokens<'_>) -> ValueResult<()> {
        let path = tokens.next().ok_or("the name of an object is expected")?.value;
        let (class, name) = path
            .split_once('.')
            .ok_or_else(|| format!("{path:?} is no object: class.name is expected"))?;
        self.active = Active::Idle;
        if class.eq_ignore_ascii_case("circuit") {
            if self.state.circuit.is_some() {
                return Err("a second circuit; only one is supported".to_owned());
            }
            self.state.circuit = Some(name.to_owned());
            self.state.frequency_hz = self.default_hz;
            let at = self.make(Class::Source, "source");
            if let State::Source(source) = &mut self.state.objects[at].state {
                "sourcebus".clone_into(&mut source.bus.name);
            }
            return self.edit(tokens);
        }
        if let Some(noted) = noted_class(class) {
            self.note("objects of class", noted);
            return Ok(());
        }
        let class =
            Class::of(class).ok_or_else(|| format!("{class} {name}: unsupported class {class}"))?;
        if self.state.circuit.is_none() {
            // Once is enough: all that follows is in the same case.
            self.active = Active::Idle;
            if std::mem::replace(&mut self.reported_no_circuit, true) {
                return Ok(());
            }
            return Err("there is no circuit yet: \"new circuit.NAME\" comes first".to_owned());
        }
        if let Some(other) = self.state.find(class, name) {
            let line = self.state.objects[other].place.0;
            return Err(format!("{} {name} exists already, from line {line}", class.name()));
        }
        self.make(class, name);
        self.edit(tokens)
    }

    fn make(&mut self, class: Class, name: &str) -> usize {
        let at = self.state.objects.len();
        self.state.objects.push(Object {
            class,
            name: name.to_owned(),
            state: State::new(class, self.state.frequency_hz),
            enabled: true,
            place: Place(self.line),
            file: self.files.last().cloned().unwrap_or_default(),
        });
        self.state.index.insert((class, name.to_ascii_lowercase()), at);
        self.active = Active::Object(at);
        self.last_property = None;
        at
    }

    fn edit_object(&mut self, mut tokens: Tokens<'_>) -> ValueResult<()> {
        let path = tokens.next().ok_or("the name of an object is expected")?.value;
        self.active = Active::Idle;
        let class = path.split('.').next().unwrap_or("");
        if noted_class(class).is_some() {
            return Ok(());
        }
        let is_circuit = class.eq_ignore_ascii_case("circuit");
        let path = if is_circuit { "vsource.source".to_owned() } else { path };
        self.active = Active::Object(self.object(&path)?);
        self.last_property = None;
        self.edit(tokens)
    }

    fn batch_edit(&mut self, mut tokens: Tokens<'_>) -> ValueResult<()> {
        let path = tokens.next().ok_or("the name of a class is expected")?.value;
        let (class, pattern) = path.split_once('.').unwrap_or((&path, ""));
        let class = Class::of(class).ok_or_else(|| format!("unsupported class {class:?}"))?;
        let literal = pattern.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if pattern != ".*" && !literal {
            return Err(format!(
                "{pattern:?}: of patterns only \".*\" and plain text are supported"
            ));
        }
        let pattern = pattern.to_ascii_lowercase();
        let parameters: Vec<Parameter> = tokens.collect();
        for at in 0..self.state.objects.len() {
            let object = &self.state.objects[at];
            let fits = pattern == ".*" || object.name.to_ascii_lowercase().contains(&pattern);
            if object.class == class && fits {
                self.active = Active::Object(at);
                self.last_property = None;
                self.set_all(parameters.iter())?;
            }
        }
        Ok(())
    }

    fn edit(&mut self, tokens: Tokens<'_>) -> ValueResult<()> {
        let parameters: Vec<Parameter> = tokens.collect();
        self.set_all(parameters.iter())
    }

    fn set_all<'p>(&mut self, parameters: impl Iterator<Item = &'p Parameter>) -> ValueResult<()> {
        for parameter in parameters {
            self.set(parameter)?;
        }
        if let Active::Object(at) = self.active {
            let object = &mut self.state.objects[at];
            let what = object.state.settle();
            what.map_err(|what| format!("{} {}: {what}", object.class.name(), object.name))?;
        }
        Ok(())
    }

    fn set(&mut self, parameter: &Parameter) -> ValueResult<()> {
        let at = match self.active {
            Active::Idle => return Ok(()),
            Active::Nothing => return Err("there is nothing to edit".to_owned()),
            Active::Object(at) => at,
        };
        let class = self.state.objects[at].class;
        let owner = format!("{} {}", class.name(), self.state.objects[at].name);
        let property =
            self.property(class, parameter).map_err(|what| format!("{owner}: {what}"))?;
        let value = Value { text: &parameter.value, quoted: parameter.quoted };
        let is_harmless = property.is_harmless(value, self.state.frequency_hz);
        if property.fate == Fate::Rejected && !is_harmless && property.except != Except::Checked {
            return Err(format!("{owner}: {}", rejection("property", property)));
        }
        if property.fate == Fate::Noted {
            self.note(&format!("properties of {}:", class.name()), property);
        }
        if !property.is_read || is_harmless {
            return Ok(());
        }
        self.change(at, &property.name.to_ascii_lowercase(), value)
            .map_err(|what| format!("{owner}: {}: {what}", property.name))
    }

    /// The property that is meant: by its name, or as the next one.
    fn property(&mut self, class: Class, parameter: &Parameter) -> ValueResult<&'static Entry> {
        let properties = class.properties();
        if let Some(name) = &parameter.name {
            let found = find(properties, name);
            self.last_property = found.map(|(place, _)| place);
            return found
                .map(|(_, property)| property)
                .ok_or_else(|| format!("unknown property {name} of a {}", class.name()));
        }
        let place = self.last_property.map_or(0, |last| last + 1);
        self.last_property = Some(place);
        properties.get(place).ok_or_else(|| format!("unexpected extra value {:?}", parameter.value))
    }

    fn change(&mut self, at: usize, property: &str, value: Value<'_>) -> ValueResult<()> {
        let class = self.state.objects[at].class;
        match property {
            "enabled" => {
                self.state.objects[at].enabled = value.truth()?;
                return Ok(());
            }
            "like" => {
                let other = self
                    .state
                    .find(class, value.text)
                    .ok_or_else(|| format!("there is no {} {:?}", class.name(), value.text))?;
                let state = self.state.objects[at].state.like(&self.state.objects[other].state)?;
                (self.state.objects[at].state, self.state.objects[at].enabled) = (state, true);
                return Ok(());
            }
            "tapnum" => return self.tap_number(at, value.whole(-1000, 1000)?),
            _ => {}
        }
        let nothing = State::new(Class::Capacitor, 0.0);
        let mut state = std::mem::replace(&mut self.state.objects[at].state, nothing);
        let changed = state.set(property, value, &self.state);
        self.state.objects[at].state = state;
        changed
    }

    /// Moves the taps of a regulator's transformer.
    fn tap_number(&mut self, at: usize, number: i32) -> ValueResult<()> {
        let State::Regulator(regulator) = &self.state.objects[at].state else { return Ok(()) };
        let winding = regulator.winding as usize - 1;
        let found = self.state.find(Class::Transformer, &regulator.transformer);
        if let Some(State::Transformer(transformer)) =
            found.map(|at| &mut self.state.objects[at].state)
            && let Some(side) = transformer.sides.get_mut(winding)
        {
            side.tap = f64::from(number) * side.tap_step()
                + f64::midpoint(side.highest_tap, side.lowest_tap);
            return Ok(());
        }
        Err("its transformer has to be there before".to_owned())
    }

    /// The text of a file that is named from where the script is.
    fn read(&mut self, name: &str) -> ValueResult<(String, String)> {
        let path = join(&self.folder, name);
        let text = (self.open)(&path).map_err(|why| format!("{path}: {why}"))?;
        Ok((path, unmarked(&text).to_owned()))
    }

    /// Files are looked for from there until the script with this command ends.
    fn change_folder(&mut self, name: &str) {
        let path = join(&self.folder, name);
        self.folder = if path.is_empty() || path == "/" { path } else { format!("{path}/") };
    }

    fn call(&mut self, mut tokens: Tokens<'_>, stays: bool) -> ValueResult<()> {
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

    fn positions(&mut self, mut tokens: Tokens<'_>) -> ValueResult<()> {
        let name = tokens.next().ok_or("the name of a file is expected")?.value;
        let (path, text) = self.read(&name)?;
        for (at, line) in text.lines().enumerate() {
            let fields: Vec<Parameter> = Tokens::of_line(line).collect();
            let number = |k: usize| fields.get(k).and_then(|own| own.value.parse::<f64>().ok());
            match (fields.first(), number(1), number(2)) {
                (Some(bus), Some(x), Some(y)) => {
                    self.state.positions.insert(bus.value.to_ascii_lowercase(), (x, y));
                }
                (None, ..) => {}
                // The names of the columns may stand on top.
                _ if at == 0 => {}
                _ => return Err(format!("{path}:{}: a bus and two numbers are expected", at + 1)),
            }
        }
        Ok(())
    }

    fn node_base(&mut self, tokens: Tokens<'_>) -> ValueResult<()> {
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
        self.state.node_bases_kv.insert(bus, kv);
        Ok(())
    }

    /// Opens or closes all conductors at one end of a line.
    fn breaker(&mut self, mut tokens: Tokens<'_>, closed: bool) -> ValueResult<()> {
        let at = self.named(tokens.next())?;
        let terminal = tokens.next().map_or(Ok(1), |parameter| {
            Value { text: &parameter.value, quoted: parameter.quoted }.whole(1, 2)
        })?;
        if let Some(conductor) = tokens.next().filter(|conductor| conductor.value != "0") {
            return Err(format!(
                "conductor {}: only all conductors at once are supported",
                conductor.value
            ));
        }
        match &mut self.state.objects[at].state {
            State::Line(line) => line.closed[terminal as usize - 1] = closed,
            _ => return Err("only lines are opened and closed".to_owned()),
        }
        Ok(())
    }
}

/// The class whose objects are left out, if it is one.
fn noted_class(name: &str) -> Option<&'static Entry> {
    NOTED_CLASSES.iter().find(|class| class.is(name))
}

/// Why something is rejected.
fn rejection(kind: &str, entry: &Entry) -> String {
    match entry.remark {
        "unsupported" => format!("unsupported {kind} {}", entry.name),
        why => format!(
            "unsupported {kind} {}: {}",
            entry.name,
            why.trim_start_matches("unsupported; ")
        ),
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
