//! Holds the words that users meet to the glossary: phrases that are not used, references that
//! lead nowhere, runs of blanks.
//!
//! What users meet is: string literals of the product (without its tests), the help of the command
//! line, templates of reports, documentation, and what comes with the program as TOML.

use std::path::Path;

use super::{files, root};

/// A phrase that is not used, and what is written instead. One that ends in `*` may go on.
const BANNED: [(&str, &str); 37] = [
    ("tell", "report, print, show, list, describe, state"),
    ("tells", "reports, prints, shows, lists, describes, states"),
    ("told", "reported, printed, shown, listed"),
    ("telling", "reporting"),
    ("say", "report, state"),
    ("says", "reports, states"),
    ("said", "reported, stated"),
    ("not known here", "unknown, unsupported"),
    ("a value too much", "unexpected extra value"),
    ("refused by name", "rejected with its name"),
    ("nothing feeds", "de-energised"),
    ("no source reaches", "de-energised"),
    ("broken wire*", "open conductor"),
    ("broken line*", "open conductor"),
    ("star point*", "neutral point"),
    ("stars of", "wye-connected"),
    ("momentary", "instantaneous"),
    ("direct component*", "DC component"),
    ("crest*", "peak value"),
    ("from memory", "unverified"),
    ("turned away", "rejected"),
    ("turns away", "rejects"),
    ("who may be whom", "identity binding"),
    ("whose certificates*", "CA certificates used to verify"),
    ("the way there and back", "round trip"),
    ("figure", "value (a figure is a picture)"),
    ("figures", "values (a figure is a picture)"),
    ("homes", "households, premises"),
    ("feeding point*", "infeed"),
    ("come to rest", "become quiescent, settle"),
    ("comes to rest", "becomes quiescent, settles"),
    ("at rest", "quiescent, idle"),
    ("for ever", "forever"),
    ("anew", "again"),
    ("thus far", "so far"),
    ("comes along", "is built in"),
    ("come along", "are built in"),
];

/// One piece of text that users meet, and where it stands.
struct Text {
    place: String,
    text: String,
}

/// The literals of a Rust source before its tests, each without the breaks that `\` makes; with
/// `help`, its documentation comments too, which the command line prints.
fn literals(code: &str, help: bool) -> Vec<(usize, String)> {
    let product = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(crate) mod testing {"]
        .iter()
        .filter_map(|mark| code.find(mark))
        .min()
        .map_or(code, |end| &code[..end]);
    let bytes = product.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    let line_of = |at: usize| product[..at].matches('\n').count() + 1;
    while at < bytes.len() {
        let rest = &product[at..];
        let raw_hashes =
            rest.strip_prefix('r').map_or(0, |r| r.len() - r.trim_start_matches('#').len());
        if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            if let Some(comment) = rest[..end].strip_prefix("/// ").filter(|_| help) {
                found.push((line_of(at), comment.to_owned()));
            }
            at += end;
        } else if raw_hashes > 0 && rest[1 + raw_hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(raw_hashes));
            let begin = 2 + raw_hashes;
            let length = rest[begin..].find(&close).unwrap();
            found.push((line_of(at), rest[begin..begin + length].to_owned()));
            at += begin + length + close.len();
        } else if rest.starts_with('"') {
            let mut end = 1;
            while !rest[end..].starts_with('"') {
                end += if rest[end..].starts_with('\\') {
                    2
                } else {
                    rest[end..].chars().next().unwrap().len_utf8()
                };
            }
            // A lint's reason is for those who read the code.
            if !product[..at].ends_with("reason = ") {
                found.push((line_of(at), joined(&rest[1..end])));
            }
            at += end + 1;
        } else if rest.starts_with("'\\") {
            at += 3 + rest[3..].find('\'').unwrap_or(0);
        } else if rest.starts_with("'\"'") {
            at += 3;
        } else {
            at += rest.chars().next().unwrap().len_utf8();
        }
    }
    found
}

/// A literal's text: a break behind `\` takes the blanks that follow with it.
fn joined(literal: &str) -> String {
    let mut parts = literal.split("\\\n");
    let mut text = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| text.push_str(part.trim_start()));
    text.replace("\\n", "\n")
}

/// All text that users meet.
fn texts() -> Vec<Text> {
    let mut all = Vec::new();
    let here = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    let mut take = |path: &Path, texts: Vec<(usize, String)>| {
        let shown = here(path);
        let placed = |(line, text)| Text { place: format!("{shown}:{line}"), text };
        all.extend(texts.into_iter().map(placed));
    };
    let lines = |text: &str| (1..).zip(text.lines().map(str::to_owned)).collect::<Vec<_>>();
    for path in files(".rs") {
        let shown = here(&path);
        let of_tests = ["tests/", "benches/", "examples/", "fuzz/"]
            .iter()
            .any(|folder| shown.starts_with(folder) || shown.contains(&format!("/{folder}")));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if of_tests || name.ends_with("tests") || name == "testing" {
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        take(&path, literals(&code, shown == "src/arguments.rs"));
    }
    for path in files(".html") {
        take(&path, lines(&std::fs::read_to_string(&path).unwrap()));
    }
    for path in files(".md") {
        let text = std::fs::read_to_string(&path).unwrap();
        // The glossary explains words by others.
        if !path.ends_with("docs/glossary.md") {
            take(&path, lines(&without_blocks(&text)));
        }
    }
    for path in files(".toml") {
        let shown = here(&path);
        if ["scenarios/", "base/plans/test_plans", "reports/"]
            .iter()
            .any(|of| shown.starts_with(of))
        {
            take(&path, lines(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    all
}

/// A document with the lines of its code blocks empty.
pub(super) fn without_blocks(text: &str) -> String {
    let mut inside = false;
    let line = |line: &str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if inside || fence { "\n".to_owned() } else { format!("{line}\n") }
    };
    text.lines().map(line).collect()
}

/// Prose alone: without code in backticks, placeholders, tags and quoted keys and names.
fn prose(text: &str) -> String {
    let (mut kept, mut until) = (String::new(), None);
    for c in text.chars() {
        match until {
            Some(end) if c == end => until = None,
            Some(_) => {}
            None => match c {
                '`' => until = Some('`'),
                '{' => until = Some('}'),
                '<' => until = Some('>'),
                _ => kept.push(c),
            },
        }
    }
    // The interface is no rest.
    kept.replace("REST", "").to_lowercase()
}

/// Whether a phrase stands in a text as words of its own. A word before a number, `=`, `/` or `-`,
/// or behind `_` or `.`, is a name.
fn holds(text: &str, phrase: &str) -> bool {
    let (phrase, open) = phrase.strip_suffix('*').map_or((phrase, false), |short| (short, true));
    text.match_indices(phrase).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = &text[at + phrase.len()..];
        let next = behind.chars().next();
        let is_name = behind.trim_start().starts_with('=')
            || behind.trim_start().starts_with(|c: char| c.is_ascii_digit())
            || behind.starts_with(['/', '-', '_', '.'])
                && !behind.starts_with(". ")
                && behind != ".";
        let starts = !before.is_some_and(|c| c.is_alphanumeric() || "_.\"-/".contains(c));
        let ends = open || !next.is_some_and(char::is_alphanumeric);
        starts && ends && !is_name
    })
}

#[test]
fn users_meet_the_words_of_the_field() {
    let mut faults = Vec::new();
    for Text { place, text } in texts() {
        // A single word is a key or a name.
        if !text.trim().contains(' ') {
            continue;
        }
        let prose = prose(&text);
        for (phrase, instead) in BANNED {
            if holds(&prose, phrase) {
                faults.push(format!("{place}: `{phrase}`; write: {instead}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} places:\n{}", faults.len(), faults.join("\n"));
}

/// Numbers of decisions, requirements' seeds and rules that only other documents define.
#[test]
fn nothing_is_cited_that_is_not_in_the_tree() {
    let mut faults = Vec::new();
    for path in files("") {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if path.ends_with("Cargo.lock") || path.ends_with("tidy/words.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let word_ends = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric());
            let digits = |at: usize, count: usize| {
                let found: Vec<char> =
                    line[at..].chars().take_while(char::is_ascii_digit).collect();
                found.len() == count
            };
            let cited = ["R-", "D-"].iter().any(|mark| {
                line.match_indices(mark).any(|(at, _)| word_ends(at) && digits(at + 2, 2))
            }) || line
                .match_indices("seed 0")
                .any(|(at, _)| word_ends(at) && digits(at + 5, 3));
            if cited {
                faults.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_sentence_has_a_run_of_blanks() {
    let mut faults = Vec::new();
    for Text { place, text } in texts().into_iter().filter(|text| text.place.contains(".rs:")) {
        for line in text.lines() {
            let chars: Vec<char> = line.chars().collect();
            let run = chars.windows(4).any(|four| {
                let word = |c: char| c.is_lowercase();
                (word(four[0]) || ",;.:".contains(four[0]))
                    && four[1] == ' '
                    && four[2] == ' '
                    && word(four[3])
            });
            if run {
                faults.push(format!("{place}: {line}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
