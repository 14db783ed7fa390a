//! Words that the language had before: they stay valid, and are read as those that it has now.

use crate::diagnostic::{Diagnostics, SourceId};
use crate::node::{NodeValue, Table, parse_as_written};

/// Sections, with the name of now.
static SECTIONS: &[(&str, &str)] = &[("suite", "test_plan")];

/// Values of keys of a repeated section: section, key, the value of before and that of now.
static VALUES: &[(&str, &str, &str, &str)] = &[
    ("check", "kind", "suite", "test_plan"),
    ("device", "at", "source:suite", "source:test-plan"),
];

/// Reads a whole TOML text. Mistakes go to `diagnostics`; what could be read comes back, with the
/// words of now for former ones.
pub fn parse_document(text: &str, source: SourceId, diagnostics: &mut Diagnostics) -> Table {
    let mut root = parse_as_written(text, source, diagnostics);
    use_current_words(&mut root);
    root
}

/// The address of a value, which begins with the name of a section, as it is written now.
pub fn current_address(address: &str) -> String {
    let (section, rest) = address.split_at(address.find('.').unwrap_or(address.len()));
    let found = SECTIONS.iter().find(|(former, _)| *former == section);
    format!("{}{rest}", found.map_or(section, |(_, current)| current))
}

/// Puts the words of now in the place of former ones. A section that is there by both names keeps
/// them, and the former one is then reported as unknown.
pub fn use_current_words(root: &mut Table) {
    for (former, current) in SECTIONS {
        if root.get(current).is_none()
            && let Some(entry) = root.entries.iter_mut().find(|entry| entry.key == *former)
        {
            (*current).clone_into(&mut entry.key);
        }
    }
    for (section, key, former, current) in VALUES {
        // Somebody may have a source of their own by the former name of one that comes with a plan.
        if *key == "at" && (root.get("test_plan").is_none() || has_own_source(root, former)) {
            continue;
        }
        let Some(NodeValue::Array(list)) = root.get_mut(section).map(|node| &mut node.value) else {
            continue;
        };
        for node in list {
            let NodeValue::Table(table) = &mut node.value else { continue };
            if table.text(key) == Some(former)
                && let Some(node) = table.get_mut(key)
            {
                node.value = NodeValue::String((*current).to_owned());
            }
        }
    }
}

fn has_own_source(root: &Table, reference: &str) -> bool {
    let Some(NodeValue::Array(list)) = root.get("source").map(|node| &node.value) else {
        return false;
    };
    list.iter().any(|node| match &node.value {
        NodeValue::Table(table) => table.text("name") == reference.strip_prefix("source:"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::{Diagnostics, SourceId, Table, parse_document, quote};

    fn parsed(text: &str) -> Table {
        let mut out = Diagnostics::new();
        let root = parse_document(text, SourceId::FILE, &mut out);
        assert!(out.is_empty(), "{}", quote(text));
        root
    }

    /// Section, key and value of the first table of a repeated section.
    fn first<'a>(root: &'a Table, section: &str, key: &str) -> &'a str {
        match &root.get(section).unwrap().value {
            crate::NodeValue::Array(list) => match &list[0].value {
                crate::NodeValue::Table(table) => table.text(key).unwrap(),
                _ => panic!("no table"),
            },
            _ => panic!("no list"),
        }
    }

    const REST: &str = "\n[[device]]\nat = \"source:suite\"\n[[check]]\nkind = \"suite\"\n";

    #[test]
    fn former_words_are_read_as_those_of_now() {
        let root = parsed(&format!("[suite]\nstandard = \"x\"{REST}"));
        assert!(root.get("suite").is_none() && root.get("test_plan").is_some());
        assert_eq!(first(&root, "device", "at"), "source:test-plan");
        assert_eq!(first(&root, "check", "kind"), "test_plan");
    }

    #[test]
    fn a_source_of_that_name_stays_what_it_is() {
        for before in ["", "[test_plan]\nstandard = \"x\"\n[[source]]\nname = \"suite\""] {
            let root = parsed(&format!("{before}{REST}"));
            assert_eq!(first(&root, "device", "at"), "source:suite", "{before}");
        }
    }

    #[test]
    fn a_section_by_both_names_keeps_both() {
        let root = parsed("[suite]\na = 1\n[test_plan]\na = 2\n");
        assert!(root.get("suite").is_some() && root.get("test_plan").is_some());
    }

    #[test]
    fn an_address_begins_with_the_name_of_now() {
        for (address, current) in [
            ("suite.tests", "test_plan.tests"),
            ("suite", "test_plan"),
            ("suites.a", "suites.a"),
            ("device.suite.at", "device.suite.at"),
        ] {
            assert_eq!(super::current_address(address), current);
        }
    }
}
