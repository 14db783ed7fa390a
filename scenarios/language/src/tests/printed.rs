//! Mistakes as they are printed, held against snapshots; the tests of the bench use it too.

use std::fmt::{Display, Write as _};

/// A change as lines that go and lines that come.
pub(crate) fn change(from: &str, to: &str) -> String {
    let gone = from.lines().flat_map(|line| ["- ", line, "\n"]);
    gone.chain(to.lines().flat_map(|line| ["+ ", line, "\n"])).collect()
}

/// What differs between two texts, as lines that go and lines that come.
pub(crate) fn difference(before: &str, after: &str) -> String {
    let (mut old, mut new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    (old, new) = (old.split_off(head), new.split_off(head));
    while old.last().is_some_and(|last| Some(last) == new.last()) {
        (_, _) = (old.pop(), new.pop());
    }
    change(&old.join("\n"), &new.join("\n"))
}

/// Compares what is printed of the cases of a table with the snapshot of this name: each as its
/// change, then its messages. `INSTA_UPDATE=always` takes over another wording.
pub(crate) fn assert_printed<T, E: Display>(
    name: &str,
    cases: impl IntoIterator<Item = (String, Result<T, E>)>,
) {
    let mut printed = String::new();
    for (change, loaded) in cases {
        let found = loaded.err().map_or_else(|| "no mistake\n".to_owned(), |it| it.to_string());
        writeln!(printed, "{}\n{change}\n{}\n", "=".repeat(80), found.trim_end()).unwrap();
    }
    // Folders of tests have random names of six letters.
    let folders = format!("{}/.tmp", std::env::temp_dir().display());
    let mut parts = printed.split(&folders);
    let first = parts.next().unwrap_or_default().to_owned();
    let printed = parts.fold(first, |all, part| all + &part["123456/".len()..]);
    let printed = printed.replace(concat!(env!("CARGO_MANIFEST_DIR"), "/"), "");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, printed);
    });
}
