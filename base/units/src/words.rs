//! Enumerations whose variants stand for words in files, messages, metrics or tables: each word is
//! written once, beside its variant.

/// Declares such an enumeration, `words! { pub enum Leg { Up = "up", Down = "down", } }`, with
/// `ALL`, `WORDS`, `word()`, `from_word()` and [`Display`](std::fmt::Display). One `in files`,
/// as in `pub enum Leg in files { ... }`, is serialised as its word too.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        #[allow(dead_code, clippy::allow_attributes, reason = "not every word is read back")]
        impl $name {
            /// All of them, in the order of their declaration.
            $vis const ALL: [Self; Self::WORDS.len()] = [$(Self::$variant),+];
            /// The words of all of them, in the same order.
            $vis const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word it stands for.
            $vis const fn word(self) -> &'static str {
                Self::WORDS[self as usize]
            }

            /// The one that stands for a word.
            $vis fn from_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.word() == word)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident in files {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $crate::words! {
            $(#[$meta])*
            #[derive(::serde::Serialize, ::serde::Deserialize)]
            $vis enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant = $word,)+ }
        }
    };
}

#[cfg(test)]
mod tests {
    words! {
        /// A direction.
        enum Direction in files {
            /// Upwards.
            Up = "up",
            /// Downwards.
            Down = "go-down",
        }
    }

    #[test]
    fn a_word_is_the_same_wherever_it_stands() {
        assert_eq!(Direction::ALL.map(Direction::word), Direction::WORDS);
        for direction in Direction::ALL {
            assert_eq!(Direction::from_word(direction.word()), Some(direction));
            assert_eq!(format!("{direction:8}|"), format!("{:8}|", direction.word()));
            let file = serde_json::to_string(&direction).unwrap();
            assert_eq!(file, format!("{:?}", direction.word()));
            assert_eq!(serde_json::from_str::<Direction>(&file).unwrap(), direction);
        }
        assert_eq!(Direction::from_word("Up"), None);
    }
}
