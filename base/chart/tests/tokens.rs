//! The colours of both themes: texts are read, data is told apart by every kind of sight, and the
//! style sheet has what the table has.

#![expect(clippy::unwrap_used, reason = "a test reports by its panic what went wrong")]

use lastmeter_chart::{Colour, STYLE, TOKENS, Token, tokens_css};
use sight::{SIGHTS, contrast, difference, seen};

#[path = "sight/mod.rs"]
mod sight;

const GROUNDS: [&str; 3] = ["paper", "surface", "sunken"];
const TEXTS: [&str; 8] = ["ink", "soft", "faint", "link", "warning", "error", "critical", "good"];
/// What is no text and has to be seen.
const SHAPES: [&str; 12] =
    ["edge", "focus", "grid", "own", "sent", "heat", "water", "gas", "rest", "L1", "L2", "L3"];
/// What stands together in one chart.
const SERIES: [&str; 6] = ["grid", "own", "sent", "heat", "water", "rest"];

type Theme = fn(&Token) -> Colour;
/// Both themes, with the least difference of series in each.
const THEMES: [(&str, Theme, f64); 2] =
    [("light", |token| token.light, 13.5), ("dark", |token| token.dark, 16.5)];

fn token(name: &str) -> &'static Token {
    TOKENS.iter().find(|token| token.name == name).unwrap()
}

#[test]
fn every_token_is_judged() {
    let judged = || GROUNDS.iter().chain(&TEXTS).chain(&SHAPES).chain(&["line", "on-primary"]);
    assert!(TOKENS.iter().all(|token| judged().any(|name| *name == token.name)));
    assert_eq!(TOKENS.len(), judged().count());
}

#[test]
fn texts_and_shapes_have_contrast_on_every_ground() {
    for (theme, of, _) in THEMES {
        for (names, least) in [(&TEXTS[..], 4.5), (&SHAPES[..], 3.0)] {
            let pairs = names.iter().flat_map(|name| GROUNDS.map(|ground| (*name, ground)));
            for (name, ground) in pairs {
                let ratio = contrast(of(token(name)), of(token(ground)));
                assert!(ratio >= least, "{theme}: {name} on {ground}: {ratio:.2}");
            }
        }
        for ground in ["link", "critical"] {
            let ratio = contrast(of(token("on-primary")), of(token(ground)));
            assert!(ratio >= 4.5, "{theme}: text on {ground}: {ratio:.2}");
        }
    }
}

#[test]
fn series_differ_for_every_sight() {
    for (theme, of, least) in THEMES {
        for (sight, matrix) in SIGHTS {
            let lab = |name: &str| seen(&matrix, of(token(name)));
            for (place, one) in SERIES.iter().enumerate() {
                for other in &SERIES[..place] {
                    let found = difference(lab(one), lab(other));
                    assert!(found >= least, "{theme}, {sight}: {one} and {other}: {found:.2}");
                }
            }
        }
    }
}

#[test]
fn contrast_is_that_of_the_wcag() {
    let (black, white) = (Colour(0, 0, 0), Colour(255, 255, 255));
    assert!((contrast(black, white) - 21.0).abs() < 1e-9);
    // The lightest grey that is text on white.
    assert!((contrast(Colour(0x76, 0x76, 0x76), white) - 4.54).abs() < 0.005);
}

/// Pairs of Sharma, Wu and Dalal 2005: across the blue, at grey, and where the mean hue turns.
#[test]
fn differences_are_those_that_were_published() {
    let grey = [50.0, 0.0, 0.0];
    let blue = [50.0, 0.0, -82.7485];
    for (one, other, expected) in [
        ([50.0, 2.6772, -79.7751], blue, 2.0425),
        ([50.0, 3.1571, -77.2803], blue, 2.8615),
        ([50.0, -1.3802, -84.2814], blue, 1.0),
        (grey, [50.0, -1.0, 2.0], 2.3669),
        ([50.0, 2.49, -0.001], [50.0, -2.49, 0.001], 7.1792),
        ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0011], 7.2195),
        ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([50.0, 2.5, 0.0], [56.0, -27.0, -3.0], 31.9030),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ([22.7233, 20.0904, -46.6940], [23.0331, 14.9730, -42.5619], 2.0373),
        ([90.9257, -0.5406, -0.9208], [88.6381, -0.8985, -0.7239], 1.5381),
        ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
    ] {
        for found in [difference(one, other), difference(other, one)] {
            assert!((found - expected).abs() < 1e-4, "{one:?} {other:?}: {found}");
        }
    }
}

#[test]
fn the_sheet_has_each_token_once_in_each_theme() {
    let css = tokens_css();
    for token in TOKENS {
        let declared = |colour| css.matches(&format!("--{}:{colour};", token.name)).count();
        let (light, dark) = (declared(token.light), declared(token.dark));
        assert_eq!((light, dark), if token.light == token.dark { (3, 3) } else { (1, 2) });
    }
    for selector in [
        ":root{color-scheme:light;",
        "(prefers-color-scheme: dark){:root:not([data-theme=light]){color-scheme:dark;",
        ":root[data-theme=dark]{color-scheme:dark;",
        "--info:var(--link);",
    ] {
        assert_eq!(css.matches(selector).count(), 1, "{selector}");
    }
    for text in [&css[..], STYLE] {
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
    assert!(css.len() < 5_000, "{}", css.len());
}
