//! Finding channels in a recording: by name, by kind, by phase.
//!
//! Terms: a *selector* is a channel's exact name or else a part, in any case, that only one channel
//! contains. A look-up never guesses: what fits twice or not at all is an error with the
//! candidates.

use crate::recording::{Channel, ChannelKind, Recording};
use crate::text::{list, quote};

/// Why a look-up found no channel, or more than one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No name is or contains the selector.
    #[error("no {what} is called or contains {}; there are: {candidates}", quote(selector))]
    Unknown {
        /// What was looked for.
        selector: String,
        /// What was looked at, in words (`channel`, `voltage channel`, `column`).
        what: String,
        /// The names there are, quoted.
        candidates: String,
    },
    /// Several names contain the selector.
    #[error(
        "{} fits several {what}s: {candidates}; give one exact name or a longer part",
        quote(selector)
    )]
    Ambiguous {
        /// What was looked for.
        selector: String,
        /// What was looked at, in words.
        what: String,
        /// The names that fit, quoted.
        candidates: String,
    },
    /// Two selectors lead to the same channel.
    #[error("{} was selected twice; each {what} can be used once", quote(name))]
    Twice {
        /// The name of the channel or column.
        name: String,
        /// What was looked at, in words.
        what: String,
    },
    /// There is no channel of the kind.
    #[error(
        "the recording has no {kind} channel (unit V or A with any prefix); there are: {candidates}"
    )]
    NoneOfKind {
        /// The kind in words.
        kind: &'static str,
        /// The names there are, quoted.
        candidates: String,
    },
    /// The channels of a kind are not one per phase.
    #[error(
        "the {kind} channels are not one per phase: {why}; select them by name out of: {candidates}"
    )]
    NotOnePerPhase {
        /// The kind in words.
        kind: &'static str,
        /// What is missing or there twice.
        why: String,
        /// The names of that kind, quoted.
        candidates: String,
    },
}

/// The index of the one name that a selector means: an exact name, else an exact name in any case,
/// else the one name that contains it in any case.
pub(crate) fn select(names: &[&str], selector: &str, what: &str) -> Result<usize, LookupError> {
    let selector = selector.trim();
    let lower = selector.to_lowercase();
    let rules: [&dyn Fn(&str) -> bool; 3] =
        [&|name| name.trim() == selector, &|name| name.trim().to_lowercase() == lower, &|name| {
            !lower.is_empty() && name.to_lowercase().contains(&lower)
        }];
    for rule in rules {
        let found: Vec<usize> = (0..names.len()).filter(|&index| rule(names[index])).collect();
        match found[..] {
            [] => {}
            [one] => return Ok(one),
            _ => {
                return Err(LookupError::Ambiguous {
                    selector: selector.to_owned(),
                    what: what.to_owned(),
                    candidates: list(found.iter().map(|&index| names[index])),
                });
            }
        }
    }
    Err(LookupError::Unknown {
        selector: selector.to_owned(),
        what: what.to_owned(),
        candidates: list(names.iter().copied()),
    })
}

impl Recording {
    /// The channels of one kind, in the file's order.
    pub fn of_kind(&self, kind: ChannelKind) -> Vec<&Channel> {
        self.channels.iter().filter(|channel| channel.kind == kind).collect()
    }

    /// The channels of `kind` that the selectors mean, in the selectors' order: each is an exact
    /// name, or a part only one of them contains, in any case.
    ///
    /// # Errors
    /// [`LookupError::Unknown`] or [`LookupError::Ambiguous`], listing the candidates;
    /// [`LookupError::Twice`] if two selectors mean one channel.
    pub fn select<S: AsRef<str>>(
        &self,
        kind: ChannelKind,
        selectors: &[S],
    ) -> Result<Vec<&Channel>, LookupError> {
        let channels = self.of_kind(kind);
        let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        let what = format!("{} channel", kind.word());
        let mut chosen: Vec<usize> = Vec::with_capacity(selectors.len());
        for selector in selectors {
            let index = select(&names, selector.as_ref(), &what)?;
            if chosen.contains(&index) {
                return Err(LookupError::Twice { name: names[index].to_owned(), what });
            }
            chosen.push(index);
        }
        Ok(chosen.into_iter().map(|index| channels[index]).collect())
    }

    /// The channels of one kind, one per phase in the order a, b, c: either all three, or the only
    /// one there is. Neutral channels (phase `n`) are left out, and so are channels of no phase
    /// (residual ones) beside three that have one. Exactly three channels that all have no phase
    /// are taken in the file's order.
    ///
    /// # Errors
    /// [`LookupError::NoneOfKind`]; [`LookupError::NotOnePerPhase`] when a phase is missing or
    /// there several times (as in a bay with two windings), with the names to select from.
    pub fn phases(&self, kind: ChannelKind) -> Result<Vec<&Channel>, LookupError> {
        let all = self.of_kind(kind);
        let live: Vec<&Channel> = all.iter().copied().filter(|c| c.phase != "n").collect();
        if live.is_empty() {
            return Err(LookupError::NoneOfKind {
                kind: kind.word(),
                candidates: list(self.channels.iter().map(|channel| channel.name.as_str())),
            });
        }
        let of = |phase: &'static str| {
            live.iter().copied().filter(move |channel| channel.phase == phase)
        };
        let phases = ["a", "b", "c"];
        let known = phases.iter().map(|&phase| of(phase).count()).sum::<usize>();
        if live.len() == 1 || (known == 0 && live.len() == 3) {
            return Ok(live);
        }
        let faults: Vec<String> = phases
            .iter()
            .filter_map(|&phase| match of(phase).count() {
                1 => None,
                0 => Some(format!("phase {phase} has none")),
                several => Some(format!("phase {phase} has {several}")),
            })
            .collect();
        if !faults.is_empty() {
            return Err(LookupError::NotOnePerPhase {
                kind: kind.word(),
                why: faults.join(", "),
                candidates: list(live.iter().map(|channel| channel.name.as_str())),
            });
        }
        Ok(phases.iter().filter_map(|&phase| of(phase).next()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(channels: &[(&str, &str, ChannelKind)]) -> Recording {
        let channel = |&(name, phase, kind): &(&str, &str, ChannelKind)| Channel {
            name: name.to_owned(),
            phase: phase.to_owned(),
            kind,
            ..Channel::default()
        };
        Recording { channels: channels.iter().map(channel).collect(), ..Recording::default() }
    }

    fn names(channels: &[&Channel]) -> Vec<String> {
        channels.iter().map(|channel| channel.name.clone()).collect()
    }

    const V: ChannelKind = ChannelKind::Voltage;
    const I: ChannelKind = ChannelKind::Current;

    #[test]
    fn an_exact_name_wins_over_a_part_and_a_part_must_be_unique() {
        let names = ["MODAQ_Va_V", "MODAQ_Vb_V", "Va", "va2"];
        assert_eq!(select(&names, "Va", "column"), Ok(2));
        assert_eq!(select(&names, "VB", "column"), Ok(1));
        assert_eq!(select(&names, "modaq_va_v", "column"), Ok(0));
        let text = select(&names, "modaq", "column").unwrap_err().to_string();
        assert!(text.contains("`MODAQ_Va_V`, `MODAQ_Vb_V`") && !text.contains("va2"), "{text}");
        let text = select(&names, "Ia", "column").unwrap_err().to_string();
        assert!(text.contains("no column is called or contains `Ia`"), "{text}");
        assert!(matches!(select(&names, "", "column"), Err(LookupError::Unknown { .. })));
    }

    #[test]
    fn phases_come_in_order_whatever_the_order_of_the_file() {
        let bay = recording(&[
            ("IC", "c", I),
            ("VN", "n", V),
            ("VB", "b", V),
            ("VA", "a", V),
            ("IA", "a", I),
            ("VC", "c", V),
        ]);
        assert_eq!(names(&bay.phases(V).unwrap()), ["VA", "VB", "VC"]);
        let text = bay.phases(I).unwrap_err().to_string();
        assert!(text.contains("phase b has none") && text.contains("`IC`, `IA`"), "{text}");
    }

    #[test]
    fn two_windings_are_ambiguous_and_selected_by_name() {
        let bay = recording(&[
            ("HV IR", "a", I),
            ("HV IS", "b", I),
            ("HV IT", "c", I),
            ("LV IR", "a", I),
        ]);
        let text = bay.phases(I).unwrap_err().to_string();
        assert!(text.contains("phase a has 2"), "{text}");
        let chosen = bay.select(I, &["lv ir", "HV IS", "it"]).unwrap();
        assert_eq!(names(&chosen), ["LV IR", "HV IS", "HV IT"]);
        let twice = bay.select(I, &["HV IR", "hv ir"]).unwrap_err();
        assert!(matches!(twice, LookupError::Twice { .. }), "{twice}");
        assert!(matches!(bay.phases(V), Err(LookupError::NoneOfKind { .. })));
    }

    #[test]
    fn a_single_channel_is_one_phase_and_three_without_phase_keep_their_order() {
        assert_eq!(names(&recording(&[("u", "", V)]).phases(V).unwrap()), ["u"]);
        let three = recording(&[("z", "", V), ("y", "", V), ("x", "", V)]);
        assert_eq!(names(&three.phases(V).unwrap()), ["z", "y", "x"]);
    }
}
