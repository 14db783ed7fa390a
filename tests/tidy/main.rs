//! Holds what the compiler does not: who may depend on whom, and what every file owes its reader.
//!
//! Reads the tree as text; runs nothing of the project.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

mod budgets;
mod functions;
mod identifiers;
mod maps;
mod names;
mod rooms;
mod words;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A package's name as ARCHITECTURE.md has it in a row of dependencies.
fn short(name: &str) -> &str {
    name.strip_prefix("lastmeter-").unwrap_or(name)
}

/// Which packages of the workspace a package may depend on: the table of ARCHITECTURE.md, in which
/// a row names none but those above it.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| folder | package |")).skip(2);
    let mut above = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, folder, package, _, depends, _] = cells[..] else { panic!("{row}") };
        if folder == "root" {
            break;
        }
        let path = root().join(folder).join("Cargo.toml");
        assert!(path.is_file(), "{folder} has no manifest");
        let lower: BTreeSet<String> = match depends {
            "-" => BTreeSet::new(),
            "all of the above" => above.keys().cloned().collect(),
            list => list.split(", ").map(str::to_owned).collect(),
        };
        for one in &lower {
            assert!(above.contains_key(one), "{package} depends on {one}, which is not above it");
        }
        above.insert(short(package).to_owned(), lower);
    }
    above
}

fn manifest(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn members() -> Vec<PathBuf> {
    let workspace = manifest(&root());
    workspace["workspace"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| root().join(member.as_str().unwrap()))
        .collect()
}

/// The workspace packages in one dependency table, without the common prefix of their names.
fn depends_on(manifest: &Table, section: &str) -> BTreeSet<String> {
    let table = manifest.get(section).and_then(Value::as_table).cloned().unwrap_or_default();
    table.keys().filter_map(|name| name.strip_prefix("lastmeter-")).map(str::to_owned).collect()
}

#[test]
fn packages_depend_only_on_those_below_them() {
    let allowed = allowed();
    let mut seen = BTreeSet::new();
    for folder in members() {
        let manifest = manifest(&folder);
        let name = manifest["package"]["name"].as_str().unwrap();
        let name = short(name);
        let found = depends_on(&manifest, "dependencies");
        let forbidden: Vec<_> = found.difference(&allowed[name]).collect();
        assert!(forbidden.is_empty(), "{name} must not depend on {forbidden:?}");
        // A test may look further, but never may the platform's see the truth.
        let is_of_platform = folder.starts_with(root().join("platform"));
        if is_of_platform || name == "metrology" {
            let tests = depends_on(&manifest, "dev-dependencies");
            for package in ["sim", "devices"] {
                assert!(!tests.contains(package), "not even {name}'s tests may see {package}");
            }
        }
        seen.insert(name.to_owned());
    }
    assert_eq!(seen, allowed.into_keys().collect());
}

/// Every file of the tree that git knows or would take, without what is built.
fn files(extension: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "runs", ".git", "__pycache__"].contains(&name.as_str()) {
                    walk(&path, extension, found);
                }
            } else if name != ".git" && (extension.is_empty() || name.ends_with(extension)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), extension, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no file ends in {extension:?}");
    found
}

/// The sources of the product, each with its code before its tests.
fn product_files() -> Vec<(PathBuf, String)> {
    let is_product = |path: &PathBuf| {
        let inside = path.strip_prefix(root()).unwrap();
        let of_tests = inside.iter().any(|part| {
            let name = part.to_string_lossy();
            let name = name.trim_end_matches(".rs");
            ["tests", "testing", "benches", "examples", "fuzz"].contains(&name)
                || name.ends_with("_tests")
        });
        !of_tests
    };
    let code = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let tests = text.find("\n#[cfg(test)]\nmod ").filter(|at| {
            let line = text[at + 1..].lines().nth(1);
            line.is_some_and(|line| line.ends_with('{'))
        });
        let end = tests.unwrap_or(text.len());
        (path, text[..end].to_owned())
    };
    files(".rs").into_iter().filter(is_product).map(code).collect()
}

#[test]
fn every_source_file_states_what_it_is_and_keeps_to_its_size() {
    let mut faults = Vec::new();
    for path in files(".rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let shown = path.display();
        if !text.starts_with("//! ") {
            faults.push(format!("{shown}: a `//!` header states what the file is"));
        }
        let lines = text.lines().count();
        if lines > 700 {
            faults.push(format!("{shown}: {lines} lines are more than one room"));
        }
        for (number, line) in text.lines().enumerate() {
            let width = line.chars().count();
            // Code is formatted; comments are not. Links and tables cannot be broken.
            let comment = line.trim_start().starts_with("//");
            if comment && width > 100 && !line.contains("://") && !line.contains('|') {
                faults.push(format!("{shown}:{}: {width} columns", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_large_and_nothing_of_one_machine_is_in_the_tree() {
    for path in files("") {
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() <= 1 << 20, "{}: {} bytes", path.display(), bytes.len());
        let text = String::from_utf8_lossy(&bytes);
        for folder in ["home", "work", "root"] {
            let absolute = format!("/{folder}/");
            for (at, _) in text.match_indices(&absolute) {
                // Within a longer path or a topic it is a name like any other.
                let before = text[..at].chars().next_back();
                let inside = before.is_some_and(|c| c.is_alphanumeric() || "}{<>._-+#".contains(c));
                assert!(inside, "{} names a folder of one machine", path.display());
            }
        }
    }
}

#[test]
fn no_second_tls_library_comes_in() {
    let lock: Table = std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let banned = ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"];
        assert!(!banned.contains(&name), "{name} is banned, see deny.toml");
    }
}

/// A scenario of the library, as it is written.
struct Shipped {
    path: PathBuf,
    text: String,
    table: Table,
}

fn library() -> Vec<Shipped> {
    let folder = root().join("scenarios/library");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let table: Table =
            text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Shipped { path, text, table }
    };
    files(".toml").into_iter().filter(|path| path.starts_with(&folder)).map(read).collect()
}

/// The tables of a section that repeats.
fn tables<'a>(scenario: &'a Table, section: &str) -> impl Iterator<Item = &'a Value> {
    scenario.get(section).and_then(Value::as_array).into_iter().flatten()
}

/// The requirements that a check covers.
fn covered_by(check: &Value) -> impl Iterator<Item = &str> {
    let list = check.get("covers").and_then(Value::as_array).into_iter().flatten();
    list.map(|id| id.as_str().unwrap())
}

#[test]
fn every_shipped_scenario_states_what_it_covers_and_every_twin_what_is_broken() {
    let mut twins = 0;
    let requirements = std::fs::read_to_string(root().join("docs/requirements.md")).unwrap();
    for Shipped { path, text, table } in library() {
        let shown = path.display();
        let own = text.split_once('\n').filter(|(first, _)| first.starts_with("#:schema ../"));
        let (_, own) = own.unwrap_or_else(|| panic!("{shown}: the first line names the schema"));
        assert!(own.starts_with("# "), "{shown}: the second line states what is asked");
        let name = table["scenario"]["name"].as_str();
        assert_eq!(name, path.file_stem().unwrap().to_str(), "{shown}");
        assert!(!table.contains_key("expect"), "{shown}: a twin is a table of its scenario");
        for check in tables(&table, "check") {
            let check_name = check["name"].as_str().unwrap();
            let covers = check.get("covers").is_some();
            // A check may judge no requirement, and what is known to be missed shows nothing of
            // any.
            let is_empty = covers && covered_by(check).next().is_none();
            assert!(!is_empty, "{shown}: check {check_name} covers nothing; leave `covers` out");
            let is_missed = check.get("not_reproduced").is_some();
            assert!(!(covers && is_missed), "{shown}: check {check_name} covers what it misses");
            for id in covered_by(check) {
                let row = format!("| {id} |");
                assert!(requirements.contains(&row), "{shown}: {id} is not in requirements.md");
            }
        }
        for twin in tables(&table, "must_fail") {
            twins += 1;
            let title = twin.get("title").and_then(Value::as_str);
            assert!(title.is_some(), "{shown}: {} does not state what is broken", twin["name"]);
        }
    }
    assert!(twins > 250, "{twins} twins");
}

/// The requirements that checks of the library cover, each with whether a must-fail twin is of one
/// of these checks.
fn covered() -> BTreeMap<String, bool> {
    let mut rows = BTreeMap::new();
    for Shipped { table, .. } in library() {
        let mut of_twins: BTreeSet<&str> = BTreeSet::new();
        for twin in tables(&table, "must_fail") {
            for key in ["check", "mirrors"] {
                of_twins.extend(twin.get(key).and_then(Value::as_str));
            }
        }
        for check in tables(&table, "check") {
            let has_twin = of_twins.contains(check["name"].as_str().unwrap());
            for id in covered_by(check) {
                *rows.entry(id.to_owned()).or_insert(false) |= has_twin;
            }
        }
    }
    rows
}

/// The page of requirements with the last column of its table as the library has it.
fn with_states(page: &str) -> String {
    let covered = covered();
    let mut fresh = String::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let line = match cells[..] {
            ["", id, what, _, ""] if id.starts_with(char::is_uppercase) => {
                let state = match covered.get(id) {
                    None => "no check",
                    Some(false) => "check",
                    Some(true) => "check with twin",
                };
                format!("| {id} | {what} | {state} |")
            }
            _ => line.to_owned(),
        };
        fresh.push_str(&line);
        fresh.push('\n');
    }
    fresh
}

/// `UPDATE_GOLDEN=1` writes the column.
#[test]
fn the_page_of_requirements_states_what_the_library_checks() {
    let path = root().join("docs/requirements.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let fresh = with_states(&page);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, fresh).unwrap();
        return;
    }
    assert!(page == fresh, "docs/requirements.md is old; run the test with UPDATE_GOLDEN=1");
}

#[test]
fn links_within_the_documents_lead_somewhere() {
    for path in files(".md") {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let place = path.parent().unwrap().join(target);
            assert!(place.exists(), "{}: {target} is not there", path.display());
        }
    }
}
