//! Tokens as CSS, and the words of pictures as these tokens.

use lastmeter_text::append;

use crate::colour::Colour;
use crate::palette::{PARTS, WORDS};
use crate::tokens::{SYNONYMS, TOKENS, Token};

/// The tokens as properties of CSS, and what gives the colours of charts the theme of the page.
///
/// Of a dark theme paper knows nothing: it is for screens.
#[must_use]
pub fn tokens_css() -> String {
    let mut css = String::from(":root{color-scheme:light;");
    properties(&mut css, |token| token.light);
    for (name, of) in SYNONYMS {
        append(&mut css, format_args!("--{name}:var(--{});", of.name));
    }
    css.push_str(
        "}\n@media screen and (prefers-color-scheme: dark){\
         :root:not([data-theme=light]){color-scheme:dark;",
    );
    properties(&mut css, |token| token.dark);
    css.push_str("}}\n@media screen{:root[data-theme=dark]{color-scheme:dark;");
    properties(&mut css, |token| token.dark);
    css.push_str("}}\n");
    for token in WORDS {
        let (name, word) = (token.name, token.light);
        append(
            &mut css,
            format_args!(
                "svg [fill=\"{word}\"]{{fill:var(--{name})}}\
                 svg [stroke=\"{word}\"]{{stroke:var(--{name})}}\n"
            ),
        );
    }
    for (place, token) in PARTS.iter().enumerate() {
        append(&mut css, format_args!(".part{place}{{--series:var(--{})}}", token.name));
    }
    css.push('\n');
    css
}

fn properties(css: &mut String, of: impl Fn(&Token) -> Colour) {
    for token in TOKENS {
        append(css, format_args!("--{}:{};", token.name, of(token)));
    }
}
