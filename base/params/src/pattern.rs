//! Names, and patterns with `*`.

/// Names, and texts in which each `*` stands for any text, also for none: `home-*`, or several with
/// commas between them. What a part fits behind `!` is left out: `home-*, !home-12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<PatternPart>,
}

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternPart {
    /// The text, without `!`.
    pub text: String,
    /// Whether what it fits is left out.
    pub leaves_out: bool,
    /// What stands between its stars.
    between: Vec<String>,
}

impl PatternPart {
    fn new(text: &str) -> Self {
        let (leaves_out, text) = text.strip_prefix('!').map_or((false, text), |it| (true, it));
        let between = text.split('*').map(str::to_owned).collect();
        Self { text: text.to_owned(), leaves_out, between }
    }

    /// Whether it is a plain name.
    pub fn is_name(&self) -> bool {
        self.between.len() == 1
    }

    /// Whether a name fits, left out or not.
    pub fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.between.as_slice() else {
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

impl Pattern {
    /// Reads a pattern; every text is one.
    pub fn new(text: &str) -> Self {
        let parts = text.split(',').map(|part| PatternPart::new(part.trim())).collect();
        Self { text: text.to_owned(), parts }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parts, in their order.
    pub fn parts(&self) -> &[PatternPart] {
        &self.parts
    }

    /// Whether it is a plain name.
    pub fn is_name(&self) -> bool {
        matches!(self.parts.as_slice(), [only] if only.is_name() && !only.leaves_out)
    }

    /// Whether a name fits: one of the parts, or all are there to leave something out, and none of
    /// those leaves it out.
    pub fn matches(&self, name: &str) -> bool {
        let mut takes = self.parts.iter().filter(|part| !part.leaves_out).peekable();
        let is_taken = takes.peek().is_none() || takes.any(|part| part.matches(name));
        is_taken && !self.parts.iter().any(|part| part.leaves_out && part.matches(name))
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
            ("a, b-*", "a", true),
            ("a, b-*", "b-7", true),
            ("a, b-*", "c", false),
            ("b-*, !b-7", "b-7", false),
            ("!b-7,b-*", "b-8", true),
            ("!b-7", "b-7", false),
            ("!b-7", "c", true),
            ("b-*, !*-7, !b-8", "b-8", false),
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
