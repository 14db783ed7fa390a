//! Names, and patterns with `*`.

/// A name in which each `*` stands for any text, also for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<String>,
}

impl Pattern {
    /// Reads a pattern; every text is one.
    pub fn new(text: &str) -> Self {
        let parts = text.split('*').map(str::to_owned).collect();
        Self { text: text.to_owned(), parts }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a plain name.
    pub fn is_name(&self) -> bool {
        self.parts.len() == 1
    }

    /// Whether a name fits.
    pub fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.text == name;
        };
        let inner =
            name.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()));
        let Some(mut rest) = inner else { return false };
        // Taking each part at its first place leaves the most room for those that follow.
        for part in middle {
            match rest.find(part.as_str()) {
                Some(place) => rest = &rest[place + part.len()..],
                None => return false,
            }
        }
        true
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*", "meter", true),
            ("meter", "meter", true),
            ("meter", "meter-1", false),
            ("meter-*", "meter-1", true),
            ("meter-*", "meter", false),
            ("*.l1", "electricity.voltage.rms.l1", true),
            ("*.rms.*", "electricity.voltage.rms.l1", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "ac", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), fits, "{pattern} and {name}");
        }
    }

    /// The textbook recursion, to compare with.
    fn matches_slowly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some(b'*'), _) => {
                matches_slowly(&pattern[1..], name)
                    || (!name.is_empty() && matches_slowly(pattern, &name[1..]))
            }
            (Some(a), Some(b)) if a == b => matches_slowly(&pattern[1..], &name[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_textbook(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let expected = matches_slowly(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Pattern::new(&pattern).matches(&name), expected);
        }
    }
}
