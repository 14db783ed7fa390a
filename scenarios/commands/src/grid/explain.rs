//! What `lastmeter explain` prints of a network's tables and keys: the page of the documentation.

use std::fmt::Write as _;

/// The page that has all tables and keys of a network in our TOML.
const PAGE: &str = include_str!("../../../../docs/networks.md");

/// What is obeyed, noted and rejected of scripts of `OpenDSS`.
const OPENDSS: &str = include_str!("../../../../docs/opendss.md");

/// The page's part on how a network is written; for a table or a key the rows about it, `None`
/// where there is none.
pub(crate) fn explain(name: &str) -> Option<String> {
    let page = PAGE.split("\n## ").next().unwrap_or(PAGE);
    if name == "network" {
        return Some(page.to_owned());
    }
    if name == "opendss" {
        return Some(OPENDSS.to_owned());
    }
    let is_word = |text: &str| {
        !name.is_empty()
            && text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
    };
    // Names stand between backquotes, at every other place.
    let is_about =
        |row: &&str| row.starts_with("| ") && row.split('`').skip(1).step_by(2).any(is_word);
    let mut text = String::new();
    for row in page.lines().filter(is_about) {
        let row = row.trim_matches(['|', ' ']);
        let (table, keys) = row.split_once(" | ").unwrap_or((row, ""));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{table}: {keys}");
    }
    (!text.is_empty()).then(|| {
        format!(
            "{name}, of a network in TOML (in brackets: may be left out)\n\n{text}\n`lastmeter \
             explain network` has an example and all keys.\n"
        )
    })
}

#[cfg(test)]
mod tests {
    use lastmeter_grid::format::toml;

    use super::explain;

    #[test]
    fn every_table_and_key_of_a_network_is_explained() {
        let known = |text: &str| -> Vec<String> {
            let message = toml::read("n.toml", text).unwrap_err().to_string();
            let at =
                message.find("is unknown; expected one of ").unwrap_or_else(|| panic!("{message}"));
            let list = message[at..].lines().next().unwrap();
            let list = list.trim_start_matches("is unknown; expected one of ");
            list.split(", ").map(str::to_owned).collect()
        };
        let head = known("format = 1\nbogus = 1\n");
        let mut keys = 0;
        for table in &head {
            assert!(explain(table).is_some(), "{table} is not on the page");
            if ["format", "name", "frequency", "voltage"].contains(&table.as_str()) {
                continue;
            }
            for key in known(&format!("format = 1\n[[{table}]]\nbogus = 1\n")) {
                assert!(explain(&key).is_some(), "{key} of {table} is not on the page");
                keys += 1;
            }
        }
        assert!(head.len() > 10 && keys > 50, "{} tables, {keys} keys", head.len());
        assert!(explain("opendss").unwrap().contains("| `VMinpu` | obeyed |"));
        assert!(explain("network").unwrap().contains("[[transformer]]"));
        assert!(explain("bogus").is_none() && explain("").is_none());
    }
}
