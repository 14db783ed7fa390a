//! Holds what readers of the code meet to the words of the field: identifiers, names of tests and
//! comments. What users meet is held in `words`.

use super::{files, root};

/// Verbs for which the field has better ones: report, print, list, state, return.
const VERBS: [&str; 6] = ["tell", "tells", "told", "say", "says", "said"];

/// The key of verdicts, and what holds its value.
const KEY: &str = "told";

/// Names of types that do not state what they hold.
const TYPES: [&str; 9] = ["Told", "Said", "Left", "Held", "Given", "Odd", "Wrong", "World", "Law"];

/// Words of a line: letters, digits and underscores.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// What is wrong with a line of Rust.
fn faults(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_comment = line.trim_start().starts_with("//");
    for word in words(line) {
        let holds_verb = word.split('_').any(|part| VERBS.contains(&part));
        if holds_verb && word != KEY && (is_comment || word.contains('_')) {
            found.push(format!("`{word}`; write: report, print, list, state, return"));
        }
    }
    let mut before = "";
    for word in words(line) {
        if ["struct", "enum", "type", "trait"].contains(&before) && TYPES.contains(&word) {
            found.push(format!("`{word}` does not state what it holds"));
        }
        before = word;
    }
    found
}

#[test]
fn names_and_comments_have_the_words_of_the_field() {
    let mut found = Vec::new();
    for path in files(".rs") {
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        // The lists of such words.
        if shown.starts_with("tests/tidy/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let place = format!("{shown}:{}", number + 1);
            found.extend(faults(line).into_iter().map(|fault| format!("{place}: {fault}")));
        }
    }
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn words_are_found_in_names_comments_and_types() {
    assert_eq!(faults("fn what_it_says() {}").len(), 1);
    assert_eq!(faults("    // It says so.").len(), 1);
    assert_eq!(faults("pub enum Told {").len(), 1);
    assert_eq!(faults("let told = essay(\"says\");"), Vec::<String>::new());
}
