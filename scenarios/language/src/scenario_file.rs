//! A scenario file that was read: the scenario in it and its must-fail twins, each of which can be
//! resolved by itself.

use std::path::{Path, PathBuf};

use lastmeter_params::{
    Code, Diagnostics, Node, NodeValue, SourceId, Span, Table, parse_document, use_current_words,
};
use lastmeter_record::hexadecimal;
use sha2::{Digest, Sha256};

use super::draft::FILE_START;
use super::failure::LoadFailure;
use super::files::{self, Files};
use super::load::{Document, LoadOptions, instead_of_scenario, keep_time};
use super::matrix::{Case, Matrix, REPEAT, Variation};
use super::overrides::{Changes, apply};
use super::population;
use super::read::{self, list_at, table_at, table_at_mut};
use super::resolve::resolve;
use super::scenario::Scenario;
use super::section::SECTIONS;
use super::section::check::CHECK;
use super::section::grid;
use super::section::matrix::MATRIX;
use super::section::must_fail::MUST_FAIL;
use super::section::source::multiplied;
use super::texts::Texts;
use super::twin::{TwinKind, TwinTable, name_of};

/// A scenario file as it was read.
pub struct ScenarioFile {
    path: PathBuf,
    bytes: Vec<u8>,
    as_written: ScenarioBuilder,
}

impl ScenarioFile {
    /// Reads a file; the failure states why it is not one of a scenario.
    pub fn read(path: &Path) -> Result<Self, LoadFailure> {
        files::read(path).map_or_else(
            |error| {
                let mut diagnostics = Diagnostics::new();
                let message = format!("`{}` cannot be read: {error}", path.display());
                diagnostics.report(Code::FILE_UNREADABLE, FILE_START, message, "this file");
                let texts = Texts::new(path.display().to_string(), "");
                Err(LoadFailure { diagnostics: diagnostics.into_sorted(), texts })
            },
            |bytes| Self::from_bytes(path, &bytes),
        )
    }

    /// Like [`Self::read`], with the file's bytes at hand; `path` is for messages, and the files
    /// that the scenario names are looked up beside it.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, LoadFailure> {
        let mut mistakes = Diagnostics::new();
        let text = String::from_utf8_lossy(bytes);
        let texts = Texts::new(path.display().to_string(), text.as_ref());
        if let Err(error) = std::str::from_utf8(bytes) {
            let start = error.valid_up_to();
            let span = Span { source: SourceId::FILE, start, end: start };
            let message = "this is not valid TOML: the text is not UTF-8";
            mistakes.report(Code::SYNTAX, span, message, "this byte is not part of a character");
            return Err(LoadFailure { diagnostics: mistakes.into_sorted(), texts });
        }
        if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            let message = "by its name this is YAML, and scenarios are written in TOML";
            let help =
                "`key: value` becomes `key = \"value\"`, a mapping a table `[name]`, a list of \
                        mappings tables `[[name]]`; `lastmeter explain scenario` has the keys"
                    .to_owned();
            let label = "expected a file whose name ends in .toml";
            mistakes.report_with_help(Code::SYNTAX, FILE_START, message, label, Some(help));
            return Err(LoadFailure { diagnostics: mistakes.into_sorted(), texts });
        }
        let (meant, root) = Document::read(path, &text, &mut mistakes);
        if meant != Document::Scenario {
            return Err(instead_of_scenario(meant, path, &text, texts));
        }
        let as_written = ScenarioBuilder { root, texts, changes: Changes::default(), mistakes };
        Ok(Self { path: path.to_owned(), bytes: bytes.to_vec(), as_written })
    }

    /// The scenario's name, if it can be read.
    pub fn name(&self) -> Option<&str> {
        name_of(&self.as_written.root)
    }

    /// The words to select the scenario and its twins by, as far as they can be read.
    pub fn tags(&self) -> Vec<String> {
        let head = table_at(&self.as_written.root, "scenario");
        let tags = head.map_or(&[][..], |head| list_at(head, "tags"));
        let text = |tag: &Node| match &tag.value {
            NodeValue::String(text) => Some(text.clone()),
            _ => None,
        };
        tags.iter().filter_map(text).collect()
    }

    /// The names of the must-fail twins that it describes, in its order.
    pub fn twins(&self) -> impl Iterator<Item = &str> {
        TwinTable::all(&self.as_written.root).filter_map(TwinTable::name)
    }

    /// The scenario, with changes from outside; on failure all mistakes come back. Its twins are
    /// looked at no further than their tables by themselves.
    pub fn scenario(&self, options: &LoadOptions) -> Result<Scenario, LoadFailure> {
        let mut making = self.as_written.clone();
        making.apply(options, |_| true);
        making.resolved(self, options)
    }

    /// The cases of its matrix, with what else varies; none where nothing does. An override of
    /// what varies gives it its one value.
    pub fn cases(
        &self,
        options: &LoadOptions,
        variation: &Variation<'_>,
    ) -> Result<Vec<Case>, LoadFailure> {
        let ScenarioBuilder { mut root, mut texts, mut mistakes, .. } = self.as_written.clone();
        // What is drawn is drawn by the seed that the command line states.
        let head = table_at_mut(&mut root, "scenario").filter(|_| variation.seeds.is_none());
        if let (Some(head), Some(seed)) = (head, options.seed.and_then(|it| i64::try_from(it).ok()))
        {
            let value = NodeValue::Integer(seed);
            head.set("seed", FILE_START, Node { value, span: FILE_START });
        }
        let empty = Table::default();
        let table = table_at(&root, MATRIX.name).unwrap_or(&empty);
        let mut matrix = Matrix::read(table, &root, &mut mistakes);
        matrix.vary(variation, &root, &mut texts, &mut mistakes);
        for (_, change) in options.changes() {
            matrix.fix(&change);
        }
        matrix.report_emptiness(&mut mistakes);
        if mistakes.is_empty() {
            return Ok(matrix.cases());
        }
        Err(LoadFailure { diagnostics: mistakes.into_sorted(), texts })
    }

    /// One of its cases, with changes from outside.
    pub fn case(&self, case: &Case, options: &LoadOptions) -> Result<Scenario, LoadFailure> {
        let mut making = self.as_written.clone();
        making.root.entries.retain(|entry| entry.key != MATRIX.name);
        if let Some(head) = table_at_mut(&mut making.root, "scenario") {
            let value = NodeValue::String(case.name.clone());
            head.set("case", FILE_START, Node { value, span: FILE_START });
        }
        let origin = format!("case {}", case.name);
        for (address, value) in case.values.iter().filter(|(address, _)| address != REPEAT) {
            making.change((&origin, &format!("{address}={value}")));
        }
        making.apply(options, |_| true);
        let mut scenario = making.resolved(self, options)?;
        scenario.written.values.clone_from(&case.values);
        Ok(scenario)
    }

    /// The two addresses over which its results are shown, if the file names them.
    pub fn map(&self) -> Vec<String> {
        let matrix = table_at(&self.as_written.root, MATRIX.name);
        let text = |node: &Node| match &node.value {
            NodeValue::String(text) => Some(text.clone()),
            _ => None,
        };
        matrix.map_or(&[][..], |matrix| list_at(matrix, "map")).iter().filter_map(text).collect()
    }

    /// The must-fail twin of this name, if it describes one. Changes from outside come after what
    /// its table changes, as those of a twin in a file of its own do; but for those of the tables
    /// `[[must_fail]]` themselves.
    pub fn twin(&self, name: &str, options: &LoadOptions) -> Option<Result<Scenario, LoadFailure>> {
        let (base, mut making) = self.base_of_twins(options);
        let twin = TwinTable::all(&base).find(|twin| twin.name() == Some(name))?;
        making.root = twin.applied(&base, &mut making.mistakes);
        making.apply(options, |address| !is_of_twins(address));
        Some(making.resolved_twin(self, options, (twin, TwinKind::Twin)))
    }

    /// The controls of these twins: each is the scenario with all that the table of a twin changes
    /// but its defect. Twins that have the same one stand beside each other. Of the changes from
    /// outside it has those that do not address the defect.
    pub fn controls<'a>(
        &'a self,
        twins: impl Iterator<Item = &'a str>,
        options: &LoadOptions,
    ) -> Vec<Control<'a>> {
        let (base, making) = self.base_of_twins(options);
        let mut controls: Vec<(String, Control<'a>)> = Vec::new();
        for name in twins {
            let Some(twin) = TwinTable::all(&base).find(|it| it.name() == Some(name)) else {
                continue;
            };
            let mut making = making.clone();
            making.root = twin.control(&base, &mut making.mistakes);
            making.apply_what_fits(options);
            let text = NodeValue::Table(making.root.clone()).to_toml();
            if let Some((_, control)) = controls.iter_mut().find(|(known, _)| *known == text) {
                control.of.push(name);
            } else {
                let scenario = making.resolved_twin(self, options, (twin, TwinKind::Control));
                controls.push((text, Control { of: vec![name], scenario }));
            }
        }
        controls.into_iter().map(|(_, control)| control).collect()
    }

    /// The control of a twin in a file of its own: the scenario as long as the twin is, with no
    /// check that the twin leaves out.
    pub fn control_of(
        &self,
        twin: &Scenario,
        options: &LoadOptions,
    ) -> Result<Scenario, LoadFailure> {
        let mut making = self.as_written.clone();
        making.apply_what_fits(options);
        let schedule = twin.written.single("scenario");
        if let (Some(head), Some(theirs)) = (table_at_mut(&mut making.root, "scenario"), schedule) {
            let mut unread = Diagnostics::new();
            let theirs = parse_document(&theirs.to_toml(), SourceId::FILE, &mut unread);
            for key in ["duration", "start"] {
                if let (Some(own), Some(theirs)) = (head.get_mut(key), theirs.get(key)) {
                    own.value = theirs.value.clone();
                }
            }
        }
        if let Some(NodeValue::Array(checks)) =
            making.root.get_mut(CHECK.name).map(|node| &mut node.value)
        {
            checks.retain(|check| match &check.value {
                NodeValue::Table(check) => {
                    twin.checks.iter().any(|kept| check.text("name") == Some(&kept.name))
                }
                _ => true,
            });
        }
        making.resolved(self, options)
    }

    /// The tables that twins are made of, and what else is needed for that.
    fn base_of_twins(&self, options: &LoadOptions) -> (Table, ScenarioBuilder) {
        let mut making = self.as_written.clone();
        making.apply(options, is_of_twins);
        (std::mem::take(&mut making.root), making)
    }

    /// The scenario and all of its twins. The mistakes of twins come with those of the scenario,
    /// unless that has some itself: a twin has them too.
    pub fn with_twins(
        &self,
        options: &LoadOptions,
    ) -> Result<(Scenario, Vec<Scenario>), Vec<LoadFailure>> {
        let scenario = self.scenario(options).map_err(|failure| vec![failure])?;
        let (mut twins, mut failures) = (Vec::new(), Vec::new());
        for twin in self.twins().filter_map(|name| self.twin(name, options)) {
            match twin {
                Ok(twin) => twins.push(twin),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() { Ok((scenario, twins)) } else { Err(failures) }
    }
}

/// The control of some twins of a file.
pub struct Control<'a> {
    /// The twins that have it.
    pub of: Vec<&'a str>,
    /// The scenario without their defects, or what is wrong with it.
    pub scenario: Result<Scenario, LoadFailure>,
}

/// Whether an address is of the tables `[[must_fail]]` themselves.
fn is_of_twins(address: &str) -> bool {
    address.strip_prefix(MUST_FAIL.name).is_some_and(|rest| rest.starts_with('.'))
}

/// A scenario on its way from the tables of a file.
#[derive(Clone)]
struct ScenarioBuilder {
    root: Table,
    texts: Texts,
    changes: Changes,
    /// What was found so far, at first while the text was read.
    mistakes: Diagnostics,
}

impl ScenarioBuilder {
    /// Makes the changes from outside whose addresses are meant.
    fn apply(&mut self, options: &LoadOptions, is_meant: impl Fn(&str) -> bool) {
        for (option, change) in options.changes() {
            if is_meant(change.trim_start()) {
                self.change((option, &change));
            }
        }
    }

    /// Makes those that address something: in a control nothing of a defect is there.
    fn apply_what_fits(&mut self, options: &LoadOptions) {
        for (option, change) in options.changes() {
            let before = self.clone();
            if !is_of_twins(change.trim_start()) {
                self.change((option, &change));
            }
            if self.mistakes.len() > before.mistakes.len() {
                *self = before;
            }
        }
    }

    fn change(&mut self, (option, change): (&str, &str)) {
        if option == "--time" {
            keep_time(&mut self.root, FILE_START);
        }
        let (texts, changes) = (&mut self.texts, &mut self.changes);
        apply(&mut self.root, (option, change), texts, changes, &mut self.mistakes);
    }

    /// A twin, or its control; mistakes are shown in its table.
    fn resolved_twin(
        self,
        file: &ScenarioFile,
        options: &LoadOptions,
        (twin, made): (TwinTable<'_>, TwinKind),
    ) -> Result<Scenario, LoadFailure> {
        match self.resolved(file, options) {
            Ok(mut scenario) if made == TwinKind::Twin => {
                let mut sha = Sha256::new();
                sha.update(&scenario.written.hash);
                sha.update(twin.name().unwrap_or_default());
                scenario.written.hash = hexadecimal(sha);
                scenario.written.is_in_table = true;
                Ok(scenario)
            }
            Ok(scenario) => Ok(scenario),
            Err(LoadFailure { diagnostics, texts }) => {
                let line_of = |span| texts.place(span).line;
                let located = diagnostics.into_iter().map(|it| twin.located(made, it, line_of));
                let mut diagnostics: Vec<_> = located.collect();
                diagnostics.sort_by_key(|mistake| mistake.span);
                Err(LoadFailure { diagnostics, texts })
            }
        }
    }

    fn resolved(
        mut self,
        file: &ScenarioFile,
        options: &LoadOptions,
    ) -> Result<Scenario, LoadFailure> {
        use_current_words(&mut self.root);
        multiplied(&mut self.root);
        let files = Files::beside(&file.path, options.recordings.as_deref());
        let places = |root: &Table| grid::places(root, &files);
        population::expand(&mut self.root, places, &mut self.mistakes);
        let draft = read::draft(&self.root, SECTIONS, &mut self.mistakes);
        let scenario = resolve(&draft, &file.path, &files, &mut self.mistakes);
        match scenario {
            Some(mut scenario) if self.mistakes.is_empty() => {
                scenario.written.hash = hash(&file.bytes, &self.texts);
                scenario.written.texts = self.texts;
                scenario.written.overrides = self.changes.into_overrides();
                scenario.written.warnings = self.mistakes.take_warnings();
                Ok(scenario)
            }
            _ => Err(LoadFailure { diagnostics: self.mistakes.into_sorted(), texts: self.texts }),
        }
    }
}

/// SHA-256 of the file and the overrides, each with its length before it.
fn hash(bytes: &[u8], texts: &Texts) -> String {
    let mut sha = Sha256::new();
    let mut add = |part: &[u8]| {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    };
    add(bytes);
    texts.overrides().for_each(|text| add(text.as_bytes()));
    hexadecimal(sha)
}

impl Scenario {
    /// Loads a scenario file, with changes from outside; on failure all mistakes come back.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, LoadFailure> {
        ScenarioFile::read(path)?.scenario(options)
    }

    /// Like [`Self::load`], with the file's bytes at hand; `path` is for messages, and the files
    /// that the scenario names are looked up beside it.
    pub fn from_bytes(
        path: &Path,
        bytes: &[u8],
        options: &LoadOptions,
    ) -> Result<Self, LoadFailure> {
        ScenarioFile::from_bytes(path, bytes)?.scenario(options)
    }
}
