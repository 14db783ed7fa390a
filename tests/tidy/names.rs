//! Holds documents and comments to the tree: a file that one names is there, and so is what a name
//! in backticks stands for.
//!
//! A path is known by its top folder, its ending or a last `/`. It is the tail of a path of the
//! tree; in a document, of one only, unless it leads there from the root or the document. A name
//! with `::`, `_`, `()` or humps is a word of the tree, outside of documents and comments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::words::without_blocks;
use super::{files, root};

/// What is not in the tree: names, and how paths begin.
const ELSEWHERE: [&str; 6] = [
    // What is built, run and found, and folders of a run.
    "target/ runs/ fuzz/corpus/ fuzz/artifacts/ logs/ figures/ waveforms/ boards/meter/",
    // Examples in docs/add/domain.md and docs/grid.md.
    "sim/src/domain/gas/ sim/src/source/gas_supply.rs devices/src/pipe/gas.rs \
     devices/src/model/gas_meter.rs GasState time_min",
    // Linux and its manual pages.
    "Documentation/ linux/ net/core/ CLOCK_BOOTTIME CLOCK_REALTIME SO_RXQ_OVFL TCP_DELACK_MIN \
     TCP_RTO_MAX TCP_RTO_MIN clock_nanosleep dev_valid_name proc_pid_status proc_stat tcp_retries2",
    // Standards and formulas.
    "G_D IeH MAX_MISORDER REQ_UD1 UeH I_x Y_j psi_r psi_s",
    // Libraries.
    "ChaCha8 DefaultHook HdrHistogram PROPTEST_CASES SplitMix64 _publish process_last_will",
    // Other programs.
    "BatchOperation CalcY_Terminal DeviceEventBatch RegControl SciPy mannwhitneyu \
     permutation_test sync_on_start y_link",
];

fn elsewhere() -> impl Iterator<Item = &'static str> {
    ELSEWHERE.iter().flat_map(|names| names.split(' '))
}

fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == ending)
}

/// What the tree has.
#[derive(Default)]
struct Tree {
    /// Its files and folders.
    places: BTreeSet<String>,
    /// The ends of their paths, and how many have each.
    tails: BTreeMap<String, usize>,
    tops: BTreeSet<String>,
    endings: BTreeSet<String>,
    words: BTreeSet<String>,
}

impl Tree {
    fn of<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let mut tree = Self::default();
        for path in paths {
            let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
            tree.places.extend(folders.chain([path]).map(str::to_owned));
            tree.tops.extend(path.split_once('/').map(|(top, _)| top.to_owned()));
            tree.endings.extend(path.rsplit_once('.').map(|(_, ending)| ending.to_owned()));
        }
        for place in &tree.places {
            for at in place.match_indices('/').map(|(at, _)| at + 1).chain([0]) {
                *tree.tails.entry(place[at..].to_owned()).or_default() += 1;
            }
        }
        tree
    }

    fn is_path(&self, word: &str) -> bool {
        let Some((top, name)) = word.split_once('/') else { return false };
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        word.ends_with('/') || self.tops.contains(top) || self.endings.contains(ending)
    }

    /// Whether a path that the text of a file names leads somewhere, as far as it has no
    /// placeholder (`NAME`).
    fn leads(&self, path: &str, of: &str) -> bool {
        let is_given = |part: &&str| {
            let stem = part.split('.').next().unwrap_or_default();
            has_ending(part, "md")
                || stem.len() < 2
                || !stem.chars().all(|c| c.is_ascii_uppercase())
        };
        let parts: Vec<&str> = path.split('/').take_while(is_given).collect();
        let path = parts.join("/");
        let path = path.trim_end_matches('/');
        let folder = of.rsplit_once('/').map_or("", |(folder, _)| folder);
        match self.tails.get(path) {
            None => path.is_empty(),
            Some(1) => true,
            Some(_) if has_ending(of, "rs") || !path.contains('/') => true,
            Some(_) => {
                [path, &format!("{folder}/{path}")].iter().any(|&at| self.places.contains(at))
            }
        }
    }

    /// The words of a name in backticks that the tree does not have.
    fn unknown<'a>(&self, span: &'a str) -> Vec<&'a str> {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = span.find(|c| !is_letter(c) && c != ':').unwrap_or(span.len());
        let (name, behind) = span.split_at(end);
        let is_item = behind.starts_with('(') || name.contains("::");
        if !behind.is_empty() && !behind.starts_with(['(', '<', '!']) {
            return Vec::new();
        }
        let words = name.split("::").filter(|word| !word.is_empty() && word.chars().all(is_letter));
        let is_own = |word: &&str| {
            let mut pairs = word.as_bytes().windows(2);
            let humps = pairs.any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
            word.starts_with(char::is_uppercase) && humps || word.contains('_') || is_item
        };
        // A metric's name has the program before it, and its kind behind.
        let is_word = |word: &&str| {
            let metric = word.trim_start_matches("lastmeter_").trim_end_matches("_total");
            let metric = metric.trim_start_matches("broker_").trim_start_matches("rts_");
            [*word, metric].iter().any(|name| self.words.contains(*name))
        };
        words.filter(is_own).filter(|word| !is_word(word)).collect()
    }
}

/// What may be a path, anywhere in a line; with a `/` at its end in backticks only.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_./-~<>{}$*`".contains(c);
    line.split(move |c| !is_part(c)).filter_map(|word| {
        let word = word.strip_suffix('.').unwrap_or(word);
        let path = word.trim_matches('`');
        let is_whole = !path.ends_with('/') || word.len() == path.len() + 2;
        let is_own = !path.starts_with(['/', '.', '-']) && !path.contains(|c| "<{~$*`".contains(c));
        (is_whole && is_own).then_some(path)
    })
}

/// What stands in backticks, which pair within a paragraph.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
}

/// What a document states, or the comments of code that documentation is made of.
fn stated(path: &str, text: &str) -> String {
    let comment = |line: &str| {
        let line = line.trim_start();
        let text = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"));
        text.unwrap_or_default().trim().to_owned() + "\n"
    };
    match path.rsplit_once('.') {
        Some((_, "rs")) => text.lines().map(comment).collect(),
        Some((_, "md")) if path != "CHANGELOG.md" => text.to_owned(),
        _ => String::new(),
    }
}

#[test]
fn files_and_items_that_texts_name_are_there() {
    let read = |path: std::path::PathBuf| {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        (path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text)
    };
    let all: Vec<(String, String)> = files("").into_iter().map(read).collect();
    let mut tree = Tree::of(all.iter().map(|(path, _)| path.as_str()));
    for (path, text) in &all {
        if !has_ending(path, "md") && !path.ends_with("tidy/names.rs") {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let words =
                code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
            tree.words.extend(words.map(str::to_owned));
        }
    }
    let texts = all.iter().map(|(path, text)| (path, stated(path, text)));
    let (texts, mut faults): (Vec<_>, _) = (texts.collect(), Vec::new());
    for (file, text) in &texts {
        for (number, line) in (1..).zip(text.lines()) {
            let astray = paths(line).filter(|path| tree.is_path(path) && !tree.leads(path, file));
            let own = astray.filter(|path| !elsewhere().any(|begin| path.starts_with(begin)));
            faults.extend(own.map(|path| format!("{file}:{number}: {path} is not there")));
        }
        let text = without_blocks(text);
        let unknown = spans(&text).flat_map(|span| tree.unknown(span));
        let own = unknown.filter(|name| !elsewhere().any(|other| other == *name));
        faults.extend(own.map(|name| format!("{file}: the tree has no `{name}`")));
    }
    let texts = texts.iter().filter(|(file, _)| !file.ends_with("tidy/names.rs"));
    let is_named = |name: &&str| texts.clone().any(|(_, text)| text.contains(*name));
    let idle = elsewhere().filter(|name| !is_named(name));
    faults.extend(idle.map(|name| format!("ELSEWHERE: nobody names {name}")));
    assert!(faults.is_empty(), "{} places:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn what_is_there_is_known_from_what_is_not() {
    let files = ["Cargo.toml", "a/Cargo.toml", "a/src/lib.rs", "a/src/b/mod.rs", "c/mod.rs"];
    let mut tree = Tree::of(files.into_iter());
    tree.words.extend(["Known", "of_it"].map(str::to_owned));
    let line = "See `a/src/b/`, a/src/NAME.rs, c/gone.rs. `x/...`, </a/b.rs>, `a/out/`.";
    let found: Vec<&str> = paths(line).filter(|word| tree.is_path(word)).collect();
    assert_eq!(found, ["a/src/b/", "a/src/NAME.rs", "c/gone.rs", "a/out/"]);
    let astray: Vec<&str> = found.into_iter().filter(|path| !tree.leads(path, "d.md")).collect();
    assert_eq!(astray, ["c/gone.rs", "a/out/"]);
    let leads = [("b/mod.rs", "d.md"), ("b/mod.rs", "a/src/lib.rs"), ("a/gone/NAME", "d.md")];
    assert_eq!(leads.map(|(path, of)| tree.leads(path, of)), [true, true, false]);
    let text = "`Known::of_it`, `Known::not`,\n`OfOld<T>` `of_old` `plain` `old()`\n\n`Known`";
    let unknown: Vec<&str> = spans(text).flat_map(|span| tree.unknown(span)).collect();
    assert_eq!(unknown, ["not", "OfOld", "of_old", "old"]);
}
