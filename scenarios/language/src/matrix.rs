//! The cases of `[matrix]`: what varies with which values, and what each combination is called.
//!
//! Terms: an *axis* is what takes its values independently of the others: one address, or several
//! that are zipped; a *case* is one value of each axis. The last axis turns fastest.

use std::collections::BTreeSet;

use lastmeter_params::{
    Code, Diagnostics, Node, NodeValue, SourceId, Span, Table, TableEntry, current_address,
    nearest, parse_override,
};
use lastmeter_sim::Streams;
use lastmeter_text::plural;
use rand::seq::index;

use super::distribution::{Distribution, number_and_unit, with_unit};
use super::overrides::put;
use super::read::{list_at, table_at};
use super::texts::Texts;

/// Cases of one scenario at most.
const CASES_MAX: usize = 100_000;
/// Longer names of cases are numbers.
const NAME_MAX: usize = 120;
/// Longer values are numbers in the name of a case.
const VALUE_MAX: usize = 16;
const SEED: &str = "scenario.seed";
/// What cases that only repeat one another vary in: no value of the scenario.
pub(crate) const REPEAT: &str = "repeat";

/// What the command line varies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variation<'a> {
    /// Each `ADDRESS=VALUE,VALUE`.
    pub vary: &'a [String],
    /// `FIRST..LAST`, both included.
    pub seeds: Option<&'a str>,
    /// How often each case runs, if that is more than once.
    pub repeat: u16,
}

/// One case of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it is called behind its scenario.
    pub name: String,
    /// What it sets: address and TOML value.
    pub values: Vec<(String, String)>,
}

/// What varies, and what of it is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matrix {
    axes: Vec<Axis>,
    exclude: Vec<Vec<(String, Vec<String>)>>,
    sample: Option<usize>,
    seed: u64,
}

/// Addresses that take their values together.
#[derive(Clone, Debug)]
struct Axis {
    addresses: Vec<String>,
    /// By step, the value of each address, as TOML.
    steps: Vec<Vec<String>>,
}

impl Matrix {
    /// What a table `[matrix]` describes; its mistakes are reported. Addresses are those of `root`.
    pub(crate) fn read(table: &Table, root: &Table, out: &mut Diagnostics) -> Self {
        let mut matrix = Self { seed: seed_of(root), ..Self::default() };
        let vary = table_at(table, "vary").map_or(&[][..], |vary| &vary.entries);
        for entry in vary {
            if let Some(values) = matrix.values(entry, root, out) {
                let steps = values.into_iter().map(|value| vec![value]).collect();
                let addresses = vec![current_address(&entry.key)];
                matrix.axes.push(Axis { addresses, steps });
            }
        }
        for node in list_at(table, "zip") {
            matrix.zip(node, out);
        }
        if let Some(node) = table.get("seeds")
            && let NodeValue::String(text) = &node.value
        {
            matrix.seeds(text, node.span, out);
        }
        for node in list_at(table, "exclude") {
            matrix.exclude(node, out);
        }
        if let Some(NodeValue::Integer(count)) = table.get("sample").map(|node| &node.value) {
            matrix.sample = usize::try_from(*count).ok();
        }
        for node in list_at(table, "map") {
            let NodeValue::String(address) = &node.value else { continue };
            matrix.report_unknown(address, node.span, out);
        }
        if let Err(message) = matrix.count() {
            let span = table.entries.first().map_or(super::draft::FILE_START, |it| it.key_span);
            out.report(Code::BAD_MATRIX, span, message, "too many");
        }
        matrix
    }

    /// Adds what the command line varies; an address that is varied already takes these values.
    pub(crate) fn vary(
        &mut self,
        variation: &Variation<'_>,
        root: &Table,
        texts: &mut Texts,
        out: &mut Diagnostics,
    ) {
        for text in variation.vary {
            let source = texts.add("--vary", text);
            let whole = Span { source, start: 0, end: text.len() };
            let Some((address, _)) = text.split_once('=') else {
                let help = "write for example `--vary source.mains.voltage=\"207 V,230 V\"`";
                let message = "what varies has an address, `=` and values with commas between them";
                out.report_with_help(
                    Code::OVERRIDE_FORM,
                    whole,
                    message,
                    "no `=` here",
                    Some(help.to_owned()),
                );
                continue;
            };
            let key_span = Span { source, start: 0, end: address.len() };
            let node = given(text, address.len() + 1, source);
            let entry = TableEntry { key: address.trim().to_owned(), key_span, node };
            let address = current_address(&entry.key);
            self.drop_axis(&address);
            if let Some(values) = self.values(&entry, root, out) {
                let steps = values.into_iter().map(|value| vec![value]).collect();
                self.axes.push(Axis { addresses: vec![address], steps });
            }
        }
        if let Some(text) = variation.seeds {
            let source = texts.add("--seeds", text);
            let span = Span { source, start: 0, end: text.len() };
            self.drop_axis(SEED);
            self.seeds(text, span, out);
        }
        // What repeats a case is no value of the scenario.
        if variation.repeat > 1 {
            let steps = (1..=variation.repeat).map(|number| vec![number.to_string()]).collect();
            self.axes.push(Axis { addresses: vec![REPEAT.to_owned()], steps });
        }
        if let Err(message) = self.count() {
            out.report(Code::BAD_MATRIX, super::draft::FILE_START, message, "with what is varied");
        }
    }

    /// An address varies no more.
    fn drop_axis(&mut self, address: &str) {
        for axis in &mut self.axes {
            if let Some(place) = axis.addresses.iter().position(|it| it == address) {
                axis.addresses.remove(place);
                axis.steps.iter_mut().for_each(|step| drop(step.remove(place)));
            }
        }
        self.axes.retain(|axis| !axis.addresses.is_empty());
    }

    /// An override, as `ADDRESS=VALUE`, has given an address its value: it varies no more, and what
    /// is excluded with another value of it is not meant any more.
    pub(crate) fn fix(&mut self, change: &str) {
        let Some((address, _)) = change.split_once('=') else { return };
        let value = parse_override(change, address.len() + 1, SourceId::FILE).value.to_toml();
        let address = current_address(address.trim());
        self.drop_axis(&address);
        self.exclude.retain(|table| {
            let mut own = table.iter().filter(|(excluded, _)| *excluded == address);
            own.all(|(_, values)| values.contains(&value))
        });
        for table in &mut self.exclude {
            table.retain(|(excluded, _)| *excluded != address);
        }
        self.exclude.retain(|table| !table.is_empty());
    }

    /// That it leaves no case is a mistake: something else would run in their place.
    pub(crate) fn report_emptiness(&self, out: &mut Diagnostics) {
        if !self.axes.is_empty() && out.is_empty() && self.cases().is_empty() {
            let message = "all cases are excluded";
            out.report(Code::BAD_MATRIX, super::draft::FILE_START, message, "in `[matrix]`");
        }
    }

    /// The values that an entry gives an address; what is wrong with it is reported.
    fn values(
        &self,
        entry: &TableEntry,
        root: &Table,
        out: &mut Diagnostics,
    ) -> Option<Vec<String>> {
        let TableEntry { key, key_span, node } = entry;
        let nodes = match &node.value {
            NodeValue::Array(list) => Ok(list.iter().map(|node| node.value.clone()).collect()),
            NodeValue::Table(table) if table.get("from").is_some() => range(table),
            NodeValue::Table(table) if table.get("draw").is_some() => {
                draws(table, &mut Streams::new(self.seed).stream(&format!("matrix/{key}")))
            }
            NodeValue::Invalid => return None,
            // Dots outside of quotes make tables.
            NodeValue::Table(_) if !key.contains('.') => {
                Err(format!("write the address in quotes: `\"{key}.NAME.KEY\" = [...]`"))
            }
            other => Err(format!(
                "expected a list, or a table with `from` or `draw`, found {}",
                other.describe()
            )),
        };
        let values: Result<Vec<NodeValue>, String> = nodes;
        let values: Vec<NodeValue> = match values {
            Ok(values) => values,
            Err(label) => {
                let message = format!("the values of `{key}` cannot be read");
                out.report(Code::BAD_MATRIX, node.span, message, label);
                return None;
            }
        };
        let Some(first) = values.first() else {
            let message = format!("`{key}` has no value");
            out.report(Code::BAD_MATRIX, node.span, message, "expected one or more");
            return None;
        };
        // That an address is none is reported once, and not with each case.
        let before = out.len();
        let mut with_first = root.clone();
        let first = Node { value: first.clone(), span: node.span };
        put(&mut with_first, (key, *key_span), first, out);
        let texts: Vec<String> = values.iter().map(NodeValue::to_toml).collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = texts.iter().find(|text| !seen.insert(*text)) {
            let message = format!("`{key}` has the value {twice} twice");
            out.report(Code::BAD_MATRIX, node.span, message, "expected each once");
        }
        let address = current_address(key);
        if self.axes.iter().any(|axis| axis.addresses.iter().any(|it| *it == *address)) {
            let message = format!("`{key}` stands here twice");
            out.report(Code::BAD_MATRIX, *key_span, message, "the second time");
        }
        (out.len() == before).then_some(texts)
    }

    /// Makes one axis of several.
    fn zip(&mut self, node: &Node, out: &mut Diagnostics) {
        let NodeValue::Array(list) = &node.value else { return };
        let mut together: Option<Axis> = None;
        for item in list {
            let NodeValue::String(address) = &item.value else { continue };
            let address = current_address(address);
            let Some(place) = self.axes.iter().position(|axis| axis.addresses == [&*address])
            else {
                self.report_unknown(&address, item.span, out);
                continue;
            };
            let axis = self.axes.remove(place);
            let Some(so_far) = &mut together else {
                together = Some(axis);
                continue;
            };
            if so_far.steps.len() != axis.steps.len() {
                let (own, other) = (axis.steps.len(), so_far.steps.len());
                let message = format!("`{address}` has {}", plural(own, "value"));
                let label = format!("expected {other}, as `{}` has", so_far.addresses[0]);
                out.report(Code::BAD_MATRIX, item.span, message, label);
                continue;
            }
            so_far.addresses.extend(axis.addresses);
            so_far.steps.iter_mut().zip(axis.steps).for_each(|(step, own)| step.extend(own));
        }
        self.axes.extend(together);
    }

    fn seeds(&mut self, text: &str, span: Span, out: &mut Diagnostics) {
        let number = |text: &str| text.trim().parse::<i64>().ok().filter(|seed| *seed >= 0);
        let ends =
            text.split_once("..").and_then(|(first, last)| Some((number(first)?, number(last)?)));
        let Some((first, last)) = ends.filter(|(first, last)| first <= last) else {
            let message = format!("`{text}` is no range of seeds");
            out.report(Code::BAD_MATRIX, span, message, "expected `FIRST..LAST`, as in `1..20`");
            return;
        };
        if (last - first) as usize >= CASES_MAX {
            let message = format!("there are at most {CASES_MAX} cases");
            out.report(Code::BAD_MATRIX, span, message, "too many seeds");
            return;
        }
        let steps = (first..=last).map(|seed| vec![seed.to_string()]).collect();
        self.axes.push(Axis { addresses: vec![SEED.to_owned()], steps });
    }

    fn exclude(&mut self, node: &Node, out: &mut Diagnostics) {
        let NodeValue::Table(table) = &node.value else { return };
        let mut excluded = Vec::new();
        for TableEntry { key, key_span, node } in &table.entries {
            let known = self.report_unknown(key, *key_span, out);
            let values = match &node.value {
                NodeValue::Array(list) => list.iter().map(|node| node.value.to_toml()).collect(),
                value => vec![value.to_toml()],
            };
            let of = known.unwrap_or_default();
            if let Some(wrong) = values.iter().find(|value| !of.is_empty() && !of.contains(value)) {
                let message = format!("`{key}` never is {wrong}");
                let help = nearest(wrong, of.iter().map(String::as_str));
                let help = help.map(|near| format!("did you mean {near}?"));
                out.report_with_help(
                    Code::BAD_MATRIX,
                    node.span,
                    message,
                    "leaves nothing out",
                    help,
                );
            }
            excluded.push((current_address(key), values));
        }
        if !excluded.is_empty() {
            self.exclude.push(excluded);
        }
    }

    /// The values of an address that varies; one that does not is reported.
    fn report_unknown(
        &self,
        address: &str,
        span: Span,
        out: &mut Diagnostics,
    ) -> Option<Vec<String>> {
        let address = current_address(address);
        for axis in &self.axes {
            if let Some(place) = axis.addresses.iter().position(|it| *it == *address) {
                return Some(axis.steps.iter().map(|step| step[place].clone()).collect());
            }
        }
        let all = self.axes.iter().flat_map(|axis| &axis.addresses).map(String::as_str);
        let help = nearest(&address, all).map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{address}` does not vary");
        out.report_with_help(
            Code::BAD_MATRIX,
            span,
            message,
            "expected an address of `vary`",
            help,
        );
        None
    }

    /// How many combinations there are, unless that are too many.
    fn count(&self) -> Result<usize, String> {
        let product = self.axes.iter().try_fold(1_usize, |product, axis| {
            product.checked_mul(axis.steps.len()).filter(|product| *product <= CASES_MAX)
        });
        product.ok_or_else(|| format!("there are at most {CASES_MAX} cases, and these are more"))
    }

    /// The cases, in the order of the values as written.
    pub(crate) fn cases(&self) -> Vec<Case> {
        if self.axes.is_empty() {
            return Vec::new();
        }
        let count = self.count().unwrap_or(0);
        let labels = self.labels();
        let mut cases: Vec<Case> = Vec::new();
        for number in 0..count {
            let (mut left, mut values, mut names) = (number, Vec::new(), Vec::new());
            for (axis, (label, words)) in self.axes.iter().zip(&labels).rev() {
                let step = left % axis.steps.len();
                left /= axis.steps.len();
                let own = axis.addresses.iter().cloned().zip(axis.steps[step].iter().cloned());
                values.extend(own.rev());
                names.push(format!("{label}={}", words[step]));
            }
            values.reverse();
            names.reverse();
            let name = names.join("+");
            if !self.is_excluded(&values) {
                let is_short = name.len() <= NAME_MAX;
                let name = if is_short { name } else { format!("case-{}", number + 1) };
                cases.push(Case { name, values });
            }
        }
        if let Some(sample) = self.sample.filter(|sample| *sample < cases.len()) {
            let mut random = Streams::new(self.seed).stream("matrix/sample");
            let mut places = index::sample(&mut random, cases.len(), sample).into_vec();
            places.sort_unstable();
            cases = places.into_iter().map(|place| cases[place].clone()).collect();
        }
        cases
    }

    fn is_excluded(&self, values: &[(String, String)]) -> bool {
        let has = |(address, of): &(String, Vec<String>)| {
            values.iter().any(|(own, value)| own == address && of.contains(value))
        };
        self.exclude.iter().any(|table| table.iter().all(has))
    }

    /// What each axis, and each step of it, is called in the names of cases.
    fn labels(&self) -> Vec<(String, Vec<String>)> {
        let last =
            |axis: &Axis| axis.addresses[0].rsplit('.').next().unwrap_or_default().to_owned();
        let all: Vec<String> = self.axes.iter().map(last).collect();
        let label = |axis: &Axis, last: &String| {
            let is_alone = all.iter().filter(|other| *other == last).count() == 1;
            let label = if is_alone { last } else { &axis.addresses[0] };
            let words: Vec<String> = axis.steps.iter().map(|step| word(&step[0])).collect();
            let alone: BTreeSet<&String> = words.iter().collect();
            let is_short = |word: &String| !word.is_empty() && word.len() <= VALUE_MAX;
            let words = if alone.len() == words.len() && words.iter().all(is_short) {
                words
            } else {
                (1..=words.len()).map(|number| format!("v{number}")).collect()
            };
            (word(label), words)
        };
        self.axes.iter().zip(&all).map(|(axis, last)| label(axis, last)).collect()
    }
}

pub(crate) fn seed_of(root: &Table) -> u64 {
    match table_at(root, "scenario").and_then(|head| head.get("seed")).map(|node| &node.value) {
        Some(NodeValue::Integer(seed)) => seed.cast_unsigned(),
        _ => 1,
    }
}

/// A value as a word of a name that may be a folder's.
fn word(value: &str) -> String {
    let mut word = String::new();
    for c in value.chars() {
        match c {
            ' ' | '"' => {}
            '%' => word.push_str("pct"),
            '°' => word.push_str("deg"),
            'µ' | 'μ' => word.push('u'),
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') => word.push(c),
            _ => word.push('_'),
        }
    }
    word
}

/// Whether a text may be the name of a case, and so of a folder.
pub(crate) fn is_case_name(text: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '=' | '+');
    !text.is_empty() && text.len() <= NAME_MAX && !text.starts_with('.') && text.chars().all(is_fit)
}

/// Values of the command line: a TOML list or table, or texts with commas between them.
fn given(text: &str, from: usize, source: SourceId) -> Node {
    let rest = text.get(from..).unwrap_or_default();
    let whole = parse_override(text, from, source);
    if matches!(whole.value, NodeValue::Array(_) | NodeValue::Table(_)) {
        return whole;
    }
    let (mut values, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_i32, false);
    let ends = rest.char_indices().chain([(rest.len(), ',')]);
    for (at, c) in ends {
        match c {
            '"' => quoted = !quoted,
            '[' | '(' | '{' if !quoted => depth += 1,
            ']' | ')' | '}' if !quoted => depth -= 1,
            ',' if at == rest.len() || (depth <= 0 && !quoted) => {
                values.push(parse_override(&text[..from + at], from + start, source));
                start = at + 1;
            }
            _ => {}
        }
    }
    Node { value: NodeValue::Array(values), span: whole.span }
}

/// The numbers of `{ from, to, step }` or `{ from, to, count }`.
fn range(table: &Table) -> Result<Vec<NodeValue>, String> {
    let keys: Vec<&str> = table.entries.iter().map(|entry| entry.key.as_str()).collect();
    if let Some(other) = keys.iter().find(|key| !["from", "to", "step", "count"].contains(key)) {
        return Err(format!("expected `from`, `to` and `step` or `count`, found `{other}`"));
    }
    let (from, unit) = measure(table, "from")?;
    let (to, _) = measure(table, "to")?;
    let units = ["from", "to", "step"].into_iter().filter_map(|key| measure(table, key).ok());
    if let Some((_, other)) = units.clone().find(|(_, own)| *own != unit) {
        return Err(format!("expected one unit, found `{unit}` and `{other}`"));
    }
    let count = match (table.get("step"), table.get("count").map(|node| &node.value)) {
        (Some(_), None) => {
            let (step, _) = measure(table, "step")?;
            let steps = (to - from) / step;
            if !steps.is_finite() || steps < 0.0 || steps > CASES_MAX as f64 {
                return Err(format!("expected steps of {step} that lead from {from} to {to}"));
            }
            // The last one may be off by what a sum of decimal numbers is.
            let count = (steps + 1e-9).floor() as usize + 1;
            return Ok((0..count).map(|n| number(from + n as f64 * step, &unit)).collect());
        }
        (None, Some(NodeValue::Integer(count))) if (2..=CASES_MAX as i64).contains(count) => *count,
        (None, Some(_)) => return Err("expected a `count` of 2 or more".to_owned()),
        _ => return Err("expected `step` or `count`".to_owned()),
    };
    let at = |n: i64| from + (to - from) * n as f64 / (count - 1) as f64;
    Ok((0..count).map(|n| number(at(n), &unit)).collect())
}

fn measure(table: &Table, key: &str) -> Result<(f64, String), String> {
    let node = table.get(key).ok_or_else(|| format!("expected `{key}`"))?;
    match &node.value {
        NodeValue::Integer(number) => Ok((*number as f64, String::new())),
        NodeValue::Float(number) if number.is_finite() => Ok((*number, String::new())),
        NodeValue::String(text) => number_and_unit(text)
            .map(|(number, unit)| (number, unit.to_owned()))
            .ok_or_else(|| format!("expected a number with its unit, found `{text}`")),
        other => Err(format!("expected a number with its unit, found {}", other.describe())),
    }
}

/// A number without what the sum of decimal numbers adds to it.
fn number(value: f64, unit: &str) -> NodeValue {
    let value: f64 = format!("{value:.11e}").parse().unwrap_or(value);
    if !unit.is_empty() {
        return NodeValue::String(with_unit(value, unit));
    }
    if value.fract() == 0.0 && value.abs() < 1e15 {
        NodeValue::Integer(value as i64)
    } else {
        NodeValue::Float(value)
    }
}

/// The values of `{ draw, count }`.
fn draws(table: &Table, random: &mut impl rand::Rng) -> Result<Vec<NodeValue>, String> {
    let Some(NodeValue::String(text)) = table.get("draw").map(|node| &node.value) else {
        return Err("expected a distribution as text".to_owned());
    };
    let distribution = Distribution::read(text)?;
    let count = match table.get("count").map(|node| &node.value) {
        Some(NodeValue::Integer(count)) if (1..=CASES_MAX as i64).contains(count) => *count,
        _ => return Err("expected a `count` of 1 or more".to_owned()),
    };
    let drawn = (0..count).map(|_| distribution.drawn(random));
    Ok(drawn.map(|text| parse_override(&text, 0, SourceId::FILE).value).collect())
}
