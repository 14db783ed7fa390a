//! Holds the maps of large rooms: whoever opens one sees what each part is for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{product_files, root};

/// Rooms with more lines of product code have a map.
const LINES_MAX: usize = 2_000;

/// Rooms with a file for each row of a registry, which they do not list again.
const ROWS: [&str; 1] = ["devices/src/model"];

/// The modules that a file declares, without those of tests.
fn modules(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().filter(|line| !line.starts_with(' '));
    lines.filter_map(|line| {
        let (_, name) = line.strip_suffix(';')?.split_once("mod ")?;
        let is_product =
            !name.contains(' ') && !name.starts_with("test") && !name.ends_with("tests");
        is_product.then_some(name)
    })
}

/// The words at the head of a file.
fn head(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().take_while(|line| line.starts_with("//!"));
    lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
}

#[test]
fn each_large_room_begins_with_a_map_of_its_modules() {
    let files: BTreeMap<PathBuf, String> = product_files().into_iter().collect();
    let mut lines: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (path, code) in &files {
        let rooms = path.ancestors().skip(1).take_while(|room| room.iter().any(|it| it == "src"));
        for room in rooms {
            *lines.entry(room.to_owned()).or_default() += code.lines().count();
        }
    }
    let mut faults = Vec::new();
    for room in lines.iter().filter(|(_, lines)| **lines > LINES_MAX).map(|(room, _)| room) {
        if ROWS.iter().any(|rows| room.ends_with(rows)) {
            continue;
        }
        let heads = [room.join("mod.rs"), room.join("lib.rs"), room.with_extension("rs")];
        let Some(path) = heads.into_iter().find(|path| files.contains_key(path)) else {
            continue;
        };
        let code = &files[&path];
        let unnamed: Vec<&str> =
            modules(code).filter(|name| !head(code).any(|word| word == *name)).collect();
        if !unnamed.is_empty() {
            let shown = path.strip_prefix(root()).unwrap().display();
            faults.push(format!("{shown}: its head does not name {}", unnamed.join(", ")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn modules_are_found_in_each_form() {
    let code = "//! a\nmod one;\npub mod two;\npub(crate) mod three;\n#[cfg(test)]\nmod tests;\n\
                mod inline {\n    mod inner;\n}\n";
    assert_eq!(modules(code).collect::<Vec<_>>(), ["one", "two", "three"]);
}
