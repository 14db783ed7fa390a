//! Holds the rooms inside packages apart: the top-level modules of a package do not import each
//! other in a circle.
//!
//! What counts are `crate::` paths in product code; a name that the root of the package exports
//! counts as an import of the room that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{members, product_files, root};

/// Circles that stand, by the folder of the package. None may be added, and one that has become
/// smaller is made smaller here.
const STANDING: [(&str, &[&str]); 0] = [];

/// Rooms, and which others each imports.
type Rooms = BTreeMap<String, BTreeSet<String>>;

/// Code without its comments.
fn without_comments(code: &str) -> String {
    let line = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    code.lines().map(line).collect()
}

/// The items of a `use` tree behind its first `{`: up to the brace that closes it, split at the
/// commas between items.
fn items(tree: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut found) = (0, 0, Vec::new());
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&tree[begin..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&tree[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The word at the head of a text.
fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// What a file takes from its package: the word behind each `crate::`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let behind = &code[at + path.len()..];
        match behind.strip_prefix('{') {
            Some(tree) => found.extend(items(tree).into_iter().map(first_word).map(str::to_owned)),
            None => _ = found.insert(first_word(behind).to_owned()),
        }
    }
    found
}

/// The names that the root of a package exports, each with the room it comes from.
fn exports(root_file: &str) -> BTreeMap<String, String> {
    fn take(tree: &str, room: &str, found: &mut BTreeMap<String, String>) {
        let Some((_, list)) = tree.split_once('{') else {
            let name = tree.rsplit(" as ").next().and_then(|name| name.rsplit("::").next());
            found.insert(name.unwrap_or_default().trim().to_owned(), room.to_owned());
            return;
        };
        for item in items(list) {
            take(item, room, found);
        }
    }
    let mut found = BTreeMap::new();
    for part in root_file.split("use ").skip(1) {
        let tree = part.split(';').next().unwrap_or_default();
        if tree.contains("::") {
            take(tree, first_word(tree), &mut found);
        }
    }
    found
}

/// The rooms of the package in this folder.
fn rooms(package: &Path) -> Rooms {
    let source = package.join("src");
    let (mut taken, mut exported): (Rooms, _) = (Rooms::new(), BTreeMap::new());
    for (path, code) in product_files().into_iter().filter(|(path, _)| path.starts_with(&source)) {
        let code = without_comments(&code);
        let inside = path.strip_prefix(&source).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
        if first == "lib.rs" {
            exported = exports(&code);
        } else {
            let room = first.trim_end_matches(".rs").to_owned();
            taken.entry(room).or_default().extend(imports(&code));
        }
    }
    let names: BTreeSet<String> = taken.keys().cloned().collect();
    for (room, imported) in &mut taken {
        let room_of = |name: &String| -> Option<String> {
            if names.contains(name) { Some(name.clone()) } else { exported.get(name).cloned() }
        };
        let others = imported.iter().filter_map(room_of);
        *imported = others.filter(|other| other != room && names.contains(other)).collect();
    }
    taken
}

/// Every room that can be reached from this one.
fn reached(rooms: &Rooms, from: &str) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(room) = open.pop() {
        open.extend(rooms[&room].iter().filter(|next| found.insert((*next).clone())).cloned());
    }
    found
}

/// The circles, each as the set of its rooms.
fn circles(rooms: &Rooms) -> BTreeSet<BTreeSet<String>> {
    let all: BTreeMap<&String, _> = rooms.keys().map(|room| (room, reached(rooms, room))).collect();
    let of = |room: &String| -> BTreeSet<String> {
        all[room].iter().filter(|other| all[other].contains(room)).cloned().collect()
    };
    rooms.keys().map(of).filter(|circle| circle.len() > 1).collect()
}

#[test]
fn no_rooms_of_a_package_import_each_other_in_a_circle() {
    let mut faults = Vec::new();
    for package in members() {
        let shown = package.strip_prefix(root()).unwrap().display().to_string();
        let found = circles(&rooms(&package));
        let standing = STANDING.iter().find(|(folder, _)| *folder == shown);
        let expected: BTreeSet<BTreeSet<String>> = standing
            .map(|(_, circle)| circle.iter().map(|&room| room.to_owned()).collect())
            .into_iter()
            .collect();
        if found != expected {
            faults.push(format!("{shown}: circles {found:?}, expected {expected:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn imports_are_found_in_trees_and_paths() {
    let code = "use crate::{a::B, c::{d, e}, F};\nfn x() { crate::g::h(); $crate::i() }";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["F", "a", "c", "g"]);
    let exported = exports("pub use a::{B, c::D as E};\npub use f::G;\nuse std;");
    let pairs: Vec<_> = exported.iter().map(|(name, room)| format!("{name} {room}")).collect();
    assert_eq!(pairs, ["B a", "E a", "G f"]);
}
