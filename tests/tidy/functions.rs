//! Holds the functions of the product to their names and their length.

use super::{files, product_files, root};

/// Beginnings of names that ask something, and so are answered.
const ASKING: [&str; 8] = ["is_", "has_", "can_", "needs_", "fits_", "do_", "does_", "are_"];

/// A longer function has a comment that gives a reason.
const LINES_MAX: usize = 45;
/// So many longer functions have none. The number may only fall.
const WITHOUT_COMMENT_MAX: usize = 60;

/// The name behind `fn` in a line that begins a function.
fn name_of(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    Some(&name[..name.find(|c: char| !c.is_alphanumeric() && c != '_')?])
}

/// Whether the signature that begins with this line gives something back.
fn answers(lines: &[&str]) -> bool {
    let end = lines.iter().position(|line| line.ends_with(['{', ';', '}']));
    let signature = lines[..=end.unwrap_or(0)].concat();
    let behind = signature.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.contains("->") || signature.contains(") -> ")
}

#[test]
fn a_function_that_is_named_like_a_question_answers_it() {
    let mut faults = Vec::new();
    for path in files(".rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(name) = name_of(line) else { continue };
            // A test's name is a sentence.
            let is_test = number > 0 && lines[number - 1].contains("test]");
            let asks = ASKING.iter().any(|beginning| name.starts_with(beginning));
            if asks && !is_test && !answers(&lines[number..]) {
                let shown = path.strip_prefix(root()).unwrap().display();
                faults.push(format!("{shown}:{}: `{name}` returns nothing", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "name them for what they do:\n{}", faults.join("\n"));
}

#[test]
fn long_functions_give_reasons() {
    let mut without = Vec::new();
    for (path, code) in product_files() {
        let lines: Vec<&str> = code.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(name) = name_of(line) else { continue };
            let indent = line.len() - line.trim_start().len();
            let close = format!("{}}}", " ".repeat(indent));
            let Some(length) = lines[number..].iter().position(|line| *line == close) else {
                continue;
            };
            let body = &lines[number..=number + length];
            let is_reasoned = body.iter().any(|line| {
                let comment = line.trim_start().starts_with("// ") || line.contains(" // ");
                comment && !line.trim_start().starts_with("///")
            });
            if body.len() > LINES_MAX && !is_reasoned {
                let shown = path.strip_prefix(root()).unwrap().display();
                without.push(format!("{shown}:{}: `{name}`", number + 1));
            }
        }
    }
    assert!(
        without.len() <= WITHOUT_COMMENT_MAX,
        "{} functions above {LINES_MAX} lines have no comment, at most {WITHOUT_COMMENT_MAX} may:\n{}",
        without.len(),
        without.join("\n")
    );
}
