//! Whatever happens to a scenario's bytes: no panic, and every mistake has a place.

use std::path::Path;

use proptest::prelude::*;

use super::VALID;
use super::links::LINKED;
use crate::{LoadOptions, Scenario};

fn check(bytes: &[u8], options: &LoadOptions) {
    match Scenario::from_bytes(Path::new("test.toml"), bytes, options) {
        Ok(scenario) => {
            let resolved = scenario.resolved_toml();
            let again = Scenario::from_bytes(
                Path::new("test.toml"),
                resolved.as_bytes(),
                &LoadOptions::default(),
            );
            let again = again.unwrap_or_else(|failure| panic!("{failure}\nin\n{resolved}"));
            assert!(again.same_meaning(&scenario), "{resolved}");
        }
        Err(failure) => {
            assert!(!failure.diagnostics().is_empty());
            assert!(!failure.to_string().is_empty());
            assert_eq!(failure.to_json().len(), failure.diagnostics().len());
        }
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((0..VALID.len(), any::<u8>()), 1..6),
    ) {
        let mut bytes = VALID.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        check(&bytes, &LoadOptions::default());
    }

    #[test]
    fn changed_bytes_around_links_never_panic(
        changes in prop::collection::vec((0..LINKED.len(), any::<u8>()), 1..6),
    ) {
        let mut bytes = LINKED.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        check(&bytes, &LoadOptions::default());
    }

    #[test]
    fn swapped_lines_around_links_never_panic(a in 0_usize..90, b in 0_usize..90, cut: bool) {
        let mut lines: Vec<&str> = LINKED.lines().collect();
        let count = lines.len();
        lines.swap(a % count, b % count);
        if cut {
            lines.remove(a % count);
        }
        check(lines.join("\n").as_bytes(), &LoadOptions::default());
    }

    #[test]
    fn removed_and_repeated_pieces_never_panic(
        from in 0..VALID.len(),
        length in 0_usize..200,
        to in 0..VALID.len(),
        repeat: bool,
    ) {
        let bytes = VALID.as_bytes();
        let piece = &bytes[from..(from + length).min(bytes.len())];
        let mut changed = bytes.to_vec();
        if repeat {
            changed.splice(to..to, piece.iter().copied());
        } else {
            changed.drain(from..from + piece.len());
        }
        check(&changed, &LoadOptions::default());
    }

    #[test]
    fn swapped_lines_never_panic(a in 0_usize..48, b in 0_usize..48) {
        let mut lines: Vec<&str> = VALID.lines().collect();
        let count = lines.len();
        lines.swap(a % count, b % count);
        check(lines.join("\n").as_bytes(), &LoadOptions::default());
    }

    #[test]
    fn no_override_makes_loading_panic(
        section in prop::sample::select(
            vec!["scenario", "device", "inject", "source", "check", "link", "floor", "observer"],
        ),
        name in prop::sample::select(vec!["home", "1", "g", "duration", "accuracy-u", "0", ""]),
        key in "[a-z_.0-9]{0,12}",
        value in any::<String>(),
        text in any::<String>(),
    ) {
        let overrides = vec![format!("{section}.{name}.{key}={value}"), text];
        let options = LoadOptions { overrides, ..LoadOptions::default() };
        check(VALID.as_bytes(), &options);
        check(LINKED.as_bytes(), &options);
    }
}
