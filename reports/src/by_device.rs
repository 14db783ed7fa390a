//! What is kept of each device that a check is about.

use lastmeter_params::Pattern;

/// By device name, something for each device a check is about; remembers the last one asked for,
/// since neighbouring rows of a record are mostly of one device.
#[derive(Clone, Debug)]
pub(crate) struct ByDevice<T> {
    pub(crate) pattern: Pattern,
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
    use super::*;

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
