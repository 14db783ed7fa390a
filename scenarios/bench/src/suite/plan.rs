//! What a suite runs: the files that are meant, loaded, and those that cannot be.
//!
//! A file that is broken by itself is an error of the suite, and the rest runs. What the command
//! line gets wrong, such as an override of something that one of the files does not have, stops
//! everything before it begins: hours of runs that were not meant help nobody.

use std::path::{Path, PathBuf};

use lastmeter_language::{
    Case, Document, LoadFailure, LoadOptions, PlatformUse, Scenario, ScenarioFile,
};
use lastmeter_record::hexadecimal;
use lastmeter_reports::ExitCode;
use lastmeter_reports::suite::{ATTEMPTS, FILES, PassedOver, Quarantine, Shard};
use lastmeter_text::plural;
use sha2::{Digest as _, Sha256};

use super::controls::{self, ALL, Control};
use super::jobs::is_exclusive;
use super::options::SuiteOptions;
use super::resuming;
use super::selection::{failed_before, in_quarantine, of_those, quarantined};
use crate::filter::Filter;
use crate::out_folder::occupied;
use crate::output::{complain, print_err};
use crate::run::{Console, Profile, chain};
use crate::select::{Selected, select};

/// More cases than so many run only if that is confirmed.
const CASES_UNASKED: usize = 1000;

/// What is to be run, in order.
pub(super) struct Plan {
    pub(super) items: Vec<Item>,
    /// The place of each among those of the whole suite, of which this may be a shard.
    pub(super) places: Vec<usize>,
    /// Of each why it need be no pass, if it is in quarantine.
    pub(super) quarantine: Vec<Option<Quarantine>>,
    /// How many there are in the whole suite.
    pub(super) in_all: usize,
    /// What runs behind them: the controls of the twins among them.
    pub(super) controls: Vec<Control>,
    pub(super) passed_over: Vec<PassedOver>,
    /// SHA-256 of what the whole suite runs: names, files and what changes them.
    pub(super) planned: String,
    /// The addresses over which the index shows the cases, where a file names them.
    pub(super) map: Option<Vec<String>>,
    /// Whether a single file was asked for: its run folder is the result.
    single: bool,
}

/// One file of a suite.
pub(super) enum Item {
    Run(Box<Scenario>),
    Broken(BrokenFile),
}

impl Item {
    /// The scenario, of a file that is one.
    pub(super) fn scenario(&self) -> Option<&Scenario> {
        match self {
            Self::Run(scenario) => Some(scenario),
            Self::Broken(_) => None,
        }
    }

    /// What its shard is found by: of a twin the name of its scenario.
    fn name(&self) -> &str {
        match self {
            Self::Run(scenario) => {
                scenario.expected().map_or(&scenario.about.name, |expect| &expect.twin_scenario)
            }
            Self::Broken(broken) => broken.file.to_str().unwrap_or_default(),
        }
    }

    /// Whether nothing may run beside it.
    pub(super) fn is_exclusive(&self) -> bool {
        matches!(self, Self::Run(scenario) if is_exclusive(scenario))
    }
}

/// A file that is no scenario, or none that can be run.
pub(super) struct BrokenFile {
    pub(super) file: PathBuf,
    pub(super) why: String,
}

impl Plan {
    /// One of these alone, of a suite that has so many.
    pub(super) fn of(items: Vec<Item>, in_all: usize) -> Self {
        Self {
            places: (0..items.len()).collect(),
            planned: planned(&items),
            quarantine: Vec::new(),
            in_all,
            items,
            controls: Vec::new(),
            passed_over: Vec::new(),
            map: None,
            single: false,
        }
    }

    /// What runs at a place, the controls behind all others; of a control it is known of which
    /// twins.
    pub(super) fn case(&self, place: usize) -> (&Item, Option<&[String]>) {
        match place.checked_sub(self.items.len()) {
            None => (&self.items[place], None),
            Some(behind) => (&self.controls[behind].item, Some(&self.controls[behind].of)),
        }
    }

    /// Why the folders of its runs cannot all be, if they cannot.
    fn clash(&self, out: Option<&Path>) -> Option<String> {
        let scenarios: Vec<&Scenario> = self.scenarios().collect();
        if let Some(message) = name_twice(&scenarios) {
            return Some(message);
        }
        if self.only().is_some() {
            return None;
        }
        let is_own = |name: &str| FILES.contains(&name) || name == ATTEMPTS;
        let own = scenarios.iter().find(|scenario| is_own(&scenario.about.name));
        if let Some(own) = own {
            let (path, name) = (own.written.path.display(), &own.about.name);
            return Some(format!(
                "{path}: a suite has a file of its own named `{name}`, where the run folder of \
                 this scenario would be; rename it (`--set scenario.name=...`)"
            ));
        }
        let out = out?;
        let mut folders = scenarios.iter().map(|scenario| out.join(&scenario.about.name));
        folders.find_map(|folder| occupied(&folder))
    }

    /// Keeps the runs of a shard. Twins of one scenario stay together, with their controls.
    fn keep(&mut self, shard: Shard) {
        let items =
            std::mem::take(&mut self.items).into_iter().zip(std::mem::take(&mut self.places));
        (self.items, self.places) = items.filter(|(item, _)| shard.has(item.name())).unzip();
        self.controls.retain(|control| shard.has(control.item.name()));
        // A part of one run is a suite all the same.
        self.single = false;
    }

    /// The scenario that was asked for alone.
    pub(super) fn only(&self) -> Option<&Scenario> {
        match self.items.as_slice() {
            [Item::Run(scenario)] if self.single => Some(scenario),
            _ => None,
        }
    }

    /// Of each place, then of each control, whether nothing runs beside it.
    pub(super) fn exclusive(&self) -> Vec<bool> {
        let places = 0..self.items.len() + self.controls.len();
        places.map(|place| self.case(place).0.is_exclusive()).collect()
    }

    fn scenarios(&self) -> impl Iterator<Item = &Scenario> {
        self.items.iter().filter_map(|item| match item {
            Item::Run(scenario) => Some(&**scenario),
            Item::Broken(_) => None,
        })
    }
}

/// What `lastmeter run` was asked for; what is wrong with it is printed, and gives the exit code.
pub(super) fn plan(options: &SuiteOptions) -> Result<Plan, ExitCode> {
    let selection = select(&options.paths).map_err(|message| complain(&message))?;
    let filters = filters(options).map_err(|message| complain(&message))?;
    let wanted = controls::wanted(options).map_err(|message| complain(&message))?;
    let mut passed_over = selection.passed_over;
    print_left_out(&passed_over);
    let mut loaded = Loaded::default();
    for Selected { path, named } in &selection.files {
        if let Some(over) = (!named).then(|| self::passed_over(path)).flatten() {
            passed_over.push(over);
            continue;
        }
        loaded.load(path, *named, (options, &filters, wanted.as_ref()));
    }
    print_unused("--filter", filters.iter().flat_map(Filter::unused));
    let single = options.paths.len() == 1
        && matches!(selection.files.as_slice(), [Selected { named: true, .. }]);
    loaded.can_go_on(single, options)?;
    // What a filter has left out, or could not be read, may be what a twin mirrors.
    if filters.is_empty() && loaded.broken == 0 {
        loaded.has_no_orphan().map_err(|message| complain(&message))?;
    }
    // A file that was named runs whatever it is; in a folder twins have a call of their own.
    let in_tables: usize = loaded.left_out.iter().map(|(_, twins)| twins).sum();
    let before = loaded.items.len() + in_tables;
    let (items, twins) = loaded.items.into_iter().partition(|(named, item)| match item {
        Item::Broken(_) => true,
        Item::Run(scenario) if options.must_fail => scenario.expected().is_some(),
        Item::Run(scenario) => *named || scenario.expected().is_none(),
    });
    loaded.items = items;
    if loaded.items.is_empty() {
        print_err(&none_selected(options.must_fail, before));
        return Err(ExitCode::NothingEvaluated);
    }
    // Who names a file asks for its scenario.
    let controls = loaded.controls_of_twins(wanted.as_ref(), options)?;
    let unused = wanted.iter().flat_map(Filter::unused);
    print_unused("--controls", unused.filter(|term| *term != ALL));
    if !(options.must_fail || single) {
        passed_over.extend(twins_left_out(&twins, loaded.left_out));
    }
    let items: Vec<Item> = loaded.items.into_iter().map(|(_, item)| item).collect();
    if let Some(message) = unmeant(items.len(), single, options) {
        return Err(complain(&message));
    }
    let items = match &options.rerun_failed {
        None => items,
        Some(before) => failed_before(items, before, options)?,
    };
    let quarantined = quarantined(options).map_err(|message| complain(&message))?;
    let items = in_quarantine(items, quarantined.as_ref(), options)?;
    let controls = of_those(&items, controls);
    let in_all = items.len();
    // Attempts of one run are a suite, and what is excused is so of a suite.
    let single = single && options.retries == 0 && options.quarantine.is_none();
    let mut plan =
        Plan { controls, passed_over, map: loaded.map, single, ..Plan::of(items, in_all) };
    let occupied = match (options.out.as_deref(), options.resume) {
        (Some(out), true) => resuming::other(out, plan.only().is_some()),
        (out, _) => plan.clash(out),
    };
    if let Some(message) = occupied.or_else(|| crowded(&plan, options)) {
        return Err(complain(&message));
    }
    if let Some(shard) = options.shard {
        plan.keep(shard);
    }
    if let Some(all) = quarantined.filter(|_| !options.quarantine_verify) {
        plan.quarantine = plan.items.iter().map(|item| all.of(item.scenario()?)).collect();
    }
    Ok(plan)
}

fn print_unused<'a>(option: &str, terms: impl Iterator<Item = &'a str>) {
    for term in terms {
        print_err(&format!("{option}: nothing here fits `{term}`"));
    }
}

/// Why so many runs are hardly what is meant, if they are not.
fn unmeant(count: usize, single: bool, options: &SuiteOptions) -> Option<String> {
    if options.shard.is_some() && single && count == 1 {
        let message = "--shard: there is one run alone, and no suite that it is a part of";
        return Some(message.to_owned());
    }
    let is_unasked = count > CASES_UNASKED && !options.yes;
    is_unasked.then(|| format!("these are {count} cases; confirm them with `--yes`"))
}

/// SHA-256 of names and hashes, in their order.
fn planned(items: &[Item]) -> String {
    let mut sha = Sha256::new();
    for item in items {
        let hash = item.scenario().map_or("", |scenario| &scenario.written.hash);
        let name = item.scenario().map_or("", |scenario| &scenario.about.name);
        sha.update(format!("{name}\n{hash}\n"));
        for (name, text) in item.scenario().iter().flat_map(|scenario| &scenario.written.files) {
            sha.update(format!("{name}\n{text}\n"));
        }
    }
    hexadecimal(sha)
}

fn filters(options: &SuiteOptions) -> Result<Vec<Filter>, String> {
    let all: Result<Vec<Filter>, _> = options.filters.iter().map(|it| Filter::read(it)).collect();
    all.map_err(|message| format!("--filter: {message}"))
}

/// What the suite is called.
pub(super) fn suite_name(options: &SuiteOptions) -> &'static str {
    if options.must_fail { "must-fail" } else { "suite" }
}

/// Files as far as they could be loaded.
#[derive(Default)]
struct Loaded {
    /// With whether each was named itself.
    items: Vec<(bool, Item)>,
    broken: usize,
    /// The controls of twins that tables describe.
    controls: Vec<Control>,
    /// The files of scenarios, where twins in files of their own look for theirs.
    files: Vec<ScenarioFile>,
    /// Files with the number of their must-fail twins, which are left out.
    left_out: Vec<(PathBuf, usize)>,
    /// What is wrong with the command line.
    misasked: usize,
    /// The addresses over which the index shows the cases, where a file names them.
    map: Option<Vec<String>>,
}

impl Loaded {
    /// Loads what is meant of a file: its scenario, and its must-fail twins if they are run.
    fn load(
        &mut self,
        path: &Path,
        named: bool,
        (options, filters, wanted): (&SuiteOptions, &[Filter], Option<&Filter>),
    ) {
        let file = match ScenarioFile::read(path) {
            Ok(file) => file,
            Err(failure) => return self.take(path, named, Err(failure), options, |_| false),
        };
        // What is wrong with the scenario is wrong with each of its twins.
        if self.load_scenario(path, named, &file, (options, filters)).is_none() {
            return;
        }
        let (name, tags) = (file.name().unwrap_or_default(), file.tags());
        let is_meant = |twin: &&str| all_fit(filters, |it| it.fits_twin(name, twin, &tags));
        if !options.must_fail {
            self.left_out.push((path.to_owned(), file.twins().filter(is_meant).count()));
            return;
        }
        let mut sound = Vec::new();
        for twin in file.twins().filter(is_meant) {
            let Some(loaded) = file.twin(twin, &options.load) else {
                let path = path.display();
                print_err(&format!("error: {path}: an override has renamed the twin `{twin}`"));
                self.misasked += 1;
                continue;
            };
            let is_sound =
                |options: &LoadOptions| file.twin(twin, options).is_some_and(|it| it.is_ok());
            sound.extend(loaded.is_ok().then_some(twin));
            self.take(path, named, loaded, options, is_sound);
        }
        let Some(wanted) = wanted else { return };
        sound.retain(|twin| wanted.fits_twin(name, twin, &tags));
        for control in file.controls(sound.into_iter(), &options.load) {
            let of: Vec<String> = control.of.iter().map(|&name| name.to_owned()).collect();
            match control.scenario {
                Ok(scenario) => {
                    self.controls.push(Control { item: Item::Run(Box::new(scenario)), of });
                }
                failed => self.take(path, named, failed, options, |options| {
                    let mut again = file.controls(control.of.iter().copied(), options);
                    again.pop().is_some_and(|again| again.scenario.is_ok())
                }),
            }
        }
        self.files.push(file);
    }

    /// Loads the scenario of a file, or each of its cases that is meant; `None` if it is broken.
    fn load_scenario(
        &mut self,
        path: &Path,
        named: bool,
        file: &ScenarioFile,
        (options, filters): (&SuiteOptions, &[Filter]),
    ) -> Option<()> {
        let is_sound = |options: &LoadOptions| file.scenario(options).is_ok();
        let cases = match file.cases(&options.load, &options.variation()) {
            // Twins are those of the scenario itself.
            Ok(cases) if !options.must_fail => cases,
            Ok(_) => Vec::new(),
            Err(failure) => {
                let is_sound =
                    |_: &LoadOptions| !options.vary.is_empty() || options.seeds.is_some();
                self.take(path, named, Err(failure), options, is_sound);
                return None;
            }
        };
        if cases.is_empty() {
            let plain = LoadOptions::from_environment();
            if filters.is_empty() || is_meant(&file.scenario(&plain), filters) {
                let loaded = file.scenario(&options.load);
                let is_broken = loaded.is_err();
                self.take(path, named, loaded, options, is_sound);
                return (!is_broken).then_some(());
            }
            return Some(());
        }
        // An override need not make sense to what is not meant.
        let plain = file.scenario(&LoadOptions::from_environment());
        let is_meant = |case: &&Case| {
            let fits = |filter: &Filter| {
                plain.as_ref().map_or(true, |scenario| filter.fits_case(scenario, &case.name))
            };
            all_fit(filters, fits)
        };
        let meant: Vec<&Case> = cases.iter().filter(is_meant).collect();
        if meant.is_empty() {
            return Some(());
        }
        // What is wrong with the scenario is wrong with each of its cases.
        let whole = file.scenario(&options.load);
        if whole.is_err() {
            self.take(path, named, whole, options, is_sound);
            return None;
        }
        for case in meant {
            let loaded = file.case(case, &options.load);
            let is_sound = |options: &LoadOptions| file.case(case, options).is_ok();
            self.take(path, named, loaded, options, is_sound);
        }
        self.map = self.map.take().or_else(|| Some(file.map()).filter(|map| !map.is_empty()));
        Some(())
    }

    /// The controls of all twins that run, as far as they are wanted.
    fn controls_of_twins(
        &mut self,
        wanted: Option<&Filter>,
        options: &SuiteOptions,
    ) -> Result<Vec<Control>, ExitCode> {
        let mut controls = std::mem::take(&mut self.controls);
        let Some(wanted) = wanted else { return Ok(controls) };
        let twins = self.items.iter().filter_map(|(_, item)| match item {
            Item::Run(twin) if !twin.written.is_in_table => Some(&**twin),
            _ => None,
        });
        for twin in twins.filter(|twin| twin.expected().is_some() && wanted.fits(twin)) {
            // A file that could not be read may be that of its scenario.
            let control = controls::of_file(twin, &self.files, &options.load);
            match control {
                Ok(control) => controls.push(control),
                Err(_) if self.broken > 0 => {}
                Err(message) => return Err(complain(&message)),
            }
        }
        Ok(controls)
    }

    /// Takes a scenario, or why it could not be loaded.
    fn take(
        &mut self,
        path: &Path,
        named: bool,
        loaded: Result<Scenario, LoadFailure>,
        options: &SuiteOptions,
        is_sound: impl Fn(&LoadOptions) -> bool,
    ) {
        let item = match loaded {
            Ok(scenario) => match bad_profile(&scenario) {
                None => Item::Run(Box::new(scenario)),
                Some(message) => {
                    print_err(&format!("error: {}: {message}", path.display()));
                    if options.load.platform.is_some() {
                        self.misasked += 1;
                        return;
                    }
                    Item::Broken(BrokenFile { file: path.to_owned(), why: message })
                }
            },
            Err(failure) => {
                print_failure(&failure, &Console::new(options.console()));
                if is_fault_of_options(options, is_sound) {
                    self.misasked += failure.diagnostics().len();
                    return;
                }
                Item::Broken(BrokenFile { file: path.to_owned(), why: first_of(&failure) })
            }
        };
        self.broken += usize::from(matches!(item, Item::Broken(_)));
        self.items.push((named, item));
    }

    /// Whether anything is run at all, with these files and this command line.
    fn can_go_on(&self, single: bool, options: &SuiteOptions) -> Result<(), ExitCode> {
        if self.misasked > 0 {
            let mistakes = plural(self.misasked, "error");
            print_err(&format!("{mistakes} in what the command line changes; nothing was run"));
            return Err(ExitCode::BadInput);
        }
        if self.broken == 0 {
            return Ok(());
        }
        let files = plural(self.broken, "broken file");
        if single || options.strict {
            print_err(&format!("{files}; nothing was run"));
            return Err(ExitCode::BadInput);
        }
        let one = if self.broken == 1 { "it is an error" } else { "each is an error" };
        print_err(&format!(
            "{files}: {one} of the suite, and the rest runs (`--strict`: nothing does)"
        ));
        Ok(())
    }

    /// A twin of a check that none of the scenarios beside it has is refused; without any beside
    /// it, who knows.
    fn has_no_orphan(&self) -> Result<(), String> {
        let scenarios = || {
            self.items.iter().filter_map(|(_, item)| match item {
                Item::Run(scenario) => Some(scenario),
                Item::Broken(_) => None,
            })
        };
        let originals = || scenarios().filter(|scenario| scenario.expected().is_none());
        if originals().next().is_none() {
            return Ok(());
        }
        for twin in scenarios() {
            let Some(expect) = twin.expected() else { continue };
            let has_check = |scenario: &Scenario| {
                scenario.about.name.split('/').next() == Some(&*expect.twin_scenario)
                    && scenario.checks.iter().any(|check| check.name == expect.twin_check)
            };
            if !originals().any(|scenario| has_check(scenario)) {
                return Err(format!(
                    "{}: it is the twin of {}/{}, which is not among the scenarios given",
                    twin.written.path.display(),
                    expect.twin_scenario,
                    expect.twin_check
                ));
            }
        }
        Ok(())
    }
}

/// What is wrong with the file that states where a scenario's platform runs.
fn bad_profile(scenario: &Scenario) -> Option<String> {
    let PlatformUse::Profile(file) = &scenario.platform.choice else { return None };
    Profile::read(file).err().map(|error| chain(&error))
}

/// Why several runs cannot follow one another on a platform of somebody else's, if they cannot:
/// each has to find it empty.
fn crowded(plan: &Plan, options: &SuiteOptions) -> Option<String> {
    let controls = plan.controls.iter().map(|control| &control.item);
    let profile = |item: &Item| match &item.scenario()?.platform.choice {
        PlatformUse::Profile(file) => Some(file.clone()),
        _ => None,
    };
    let named: Vec<PathBuf> = plan.items.iter().chain(controls).filter_map(profile).collect();
    let is_lasting = |file: &&PathBuf| Profile::read(file).is_ok_and(|own| !own.is_renewed());
    let file = named.iter().find(is_lasting)?;
    let count = named.iter().filter(|own| *own == file).count();
    let runs = count * (1 + usize::from(options.retries));
    (runs > 1).then(|| {
        format!(
            "{}: {} would follow one another on this platform, and each has to find it empty; write \
             `tenant_per_run = true` into it, with an administrator's token, or `reset = [PROGRAM, \
             ...]` that empties it",
            file.display(),
            plural(runs, "run")
        )
    })
}

/// Whether what cannot be loaded could be without what the command line changes.
fn is_fault_of_options(options: &SuiteOptions, is_sound: impl Fn(&LoadOptions) -> bool) -> bool {
    let plain =
        LoadOptions { recordings: options.load.recordings.clone(), ..LoadOptions::default() };
    let varies = !options.vary.is_empty() || options.seeds.is_some();
    (plain != options.load || varies) && is_sound(&plain)
}

/// The first mistake in a few words, and how many more there are.
pub(super) fn first_of(failure: &LoadFailure) -> String {
    let Some(first) = failure.diagnostics().first() else { return String::new() };
    let line = failure.texts().place(first.span).line;
    let more = match failure.diagnostics().len() {
        1 => String::new(),
        count => format!("; and {}", plural(count - 1, "more error")),
    };
    format!("{} (line {line}, {}){more}", first.message, first.code)
}

pub(super) fn print_failure(failure: &LoadFailure, console: &Console<'_>) {
    let options = console.options;
    if options.json {
        failure.to_json().iter().for_each(|value| console.line(&value.to_string()));
    } else {
        console.error(&failure.render(options.color));
    }
}

/// Why nothing runs, of so many scenarios that no filter has left out.
fn none_selected(must_fail: bool, count: usize) -> String {
    match (must_fail, count) {
        (true, 0) => {
            "no must-fail twin was selected; `--filter SCENARIO/*` takes all of a scenario"
                .to_owned()
        }
        (true, _) => {
            "no must-fail twin was selected; they are tables `[[must_fail]]`, or scenarios with \
             `[expect]`"
                .to_owned()
        }
        (false, 0) => "no scenario was selected".to_owned(),
        (false, twins) => format!(
            "no scenario was selected; there is {}, which `--must-fail` runs",
            plural(twins, "must-fail twin")
        ),
    }
}

/// Twins that a call for scenarios leaves out: those in files of their own, and those of the files
/// of scenarios; their number is printed.
fn twins_left_out(twins: &[(bool, Item)], in_tables: Vec<(PathBuf, usize)>) -> Vec<PassedOver> {
    let files = twins.iter().filter_map(|(_, item)| match item {
        Item::Run(twin) => Some((twin.written.path.clone(), 0)),
        Item::Broken(_) => None,
    });
    let all: Vec<(PathBuf, usize)> =
        files.chain(in_tables.into_iter().filter(|(_, twins)| *twins > 0)).collect();
    let count: usize = all.iter().map(|(_, twins)| (*twins).max(1)).sum();
    let is_first_in_table = all.first().is_some_and(|(_, twins)| *twins > 0);
    let over = all.into_iter().map(|(path, twins)| PassedOver {
        path: path.display().to_string(),
        why: match twins {
            0 => "a must-fail twin, which `--must-fail` runs".into(),
            1 => "its must-fail twin, which `--must-fail` runs".into(),
            twins => format!("its {twins} must-fail twins, which `--must-fail` runs").into(),
        },
    });
    let over: Vec<PassedOver> = over.collect();
    match &over[..] {
        [] => {}
        [PassedOver { path, why }] => print_err(&format!("{path}: {why}, passed over")),
        [PassedOver { path, .. }, ..] => print_err(&format!(
            "{}, passed over: `--must-fail` runs them; the first is {}{path}",
            plural(count, "must-fail twin"),
            if is_first_in_table { "in " } else { "" }
        )),
    }
    over
}

/// Prints what was left out.
pub fn print_left_out(left_out: &[PassedOver]) {
    for PassedOver { path, why } in left_out {
        print_err(&format!("{path}: {why}, passed over"));
    }
}

/// Whether a file of a folder lies beside its scenarios and is none; its name is printed.
pub fn passed_over(path: &Path) -> Option<PassedOver> {
    let what = match Document::of_file(path) {
        Document::Scenario => return None,
        Document::TestPlan => "a test plan, and no scenario",
        Document::Network => "a network, and no scenario",
    };
    let over = PassedOver { path: path.display().to_string(), why: what.into() };
    print_left_out(std::slice::from_ref(&over));
    Some(over)
}

/// Whether all filters fit a scenario as it is written: an override need not make sense to those
/// that are not meant. What cannot be loaded is not passed over.
fn is_meant(as_written: &Result<Scenario, LoadFailure>, filters: &[Filter]) -> bool {
    let scenario = as_written.as_ref();
    scenario.map_or(true, |scenario| all_fit(filters, |filter| filter.fits(scenario)))
}

/// Whether all filters fit; each is asked, so that what fits nothing is known.
fn all_fit(filters: &[Filter], fits: impl Fn(&Filter) -> bool) -> bool {
    filters.iter().filter(|filter| fits(filter)).count() == filters.len()
}

fn name_twice(scenarios: &[&Scenario]) -> Option<String> {
    for (index, scenario) in scenarios.iter().enumerate() {
        let other = scenarios[..index].iter().find(|other| other.about.name == scenario.about.name);
        if let Some(other) = other {
            let name = &scenario.about.name;
            let in_tables = other.written.is_in_table && scenario.written.is_in_table;
            let what = if in_tables { "have a twin each named" } else { "are both named" };
            return Some(format!(
                "{} and {} {what} `{name}`; their results would overwrite each other",
                other.written.path.display(),
                scenario.written.path.display(),
            ));
        }
    }
    None
}
