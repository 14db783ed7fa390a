//! Which devices or quantities a check is about: a name, or a pattern with `*`.

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

/// By device name, something for each device a check is about; remembers the last one asked for,
/// since neighbouring rows of a record are mostly of one device.
#[derive(Debug)]
pub(crate) struct ByDevice<T> {
    pattern: Pattern,
    /// `None`: not one of the check's devices.
    entries: Vec<(String, Option<T>)>,
    numbers: std::collections::BTreeMap<String, usize>,
    last: usize,
}

impl<T: Default> ByDevice<T> {
    pub(crate) fn new(pattern: Pattern) -> Self {
        let (entries, numbers) = (Vec::new(), std::collections::BTreeMap::new());
        Self { pattern, entries, numbers, last: 0 }
    }

    pub(crate) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// What is kept for a device; `None` if the check is not about it.
    pub(crate) fn entry(&mut self, device: &str) -> Option<&mut T> {
        if self.entries.get(self.last).is_none_or(|(name, _)| name != device) {
            self.last = self.numbers.get(device).copied().unwrap_or(self.entries.len());
            if self.last == self.entries.len() {
                let kept = self.pattern.matches(device).then(T::default);
                self.entries.push((device.to_owned(), kept));
                self.numbers.insert(device.to_owned(), self.last);
            }
        }
        self.entries[self.last].1.as_mut()
    }

    /// All that is kept, by device name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.numbers.values().filter_map(|&number| {
            let (name, kept) = &self.entries[number];
            kept.as_ref().map(|kept| (name.as_str(), kept))
        })
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
            assert_eq!(Pattern::new(pattern).is_name(), !pattern.contains('*'), "{pattern}");
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

    #[test]
    fn only_the_devices_that_fit_are_kept() {
        let mut counts = ByDevice::<u32>::new(Pattern::new("m*"));
        for device in ["m1", "x", "m2", "m1", "x"] {
            if let Some(count) = counts.entry(device) {
                *count += 1;
            }
        }
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("m1", &2), ("m2", &1)]);
    }
}
