//! The audit chain: each row of the audit has the hash of the rows before it, so that a changed,
//! removed, swapped or inserted row does not fit, and a count with the last hash, kept elsewhere,
//! shows a tail that is cut off.
//!
//! The hash of a row is `SHA-256(previous || row)`, where the hash before the first row is zero and
//! the row is: its number and instant (8 bytes each, big endian), four texts (who, action,
//! resource, outcome: length in 8 bytes, then UTF-8; in that order), and the hashes of before and
//! after (one byte 0, or 1 and 32 bytes). It has one form only, whatever store keeps the row.
//!
//! There is no secret in it: whoever may write the store *and* the head can write another chain.

use lastmeter_units::SimTime;
use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What somebody did, or was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// When.
    pub at: SimTime,
    /// The principal.
    pub who: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub resource: String,
    /// Hash of the resource before; `None` if there was none.
    pub before: Option<Hash>,
    /// Hash of the resource afterwards; `None` if there is none.
    pub after: Option<Hash>,
    /// How it ended.
    pub outcome: String,
}

/// A chain up to some row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// How many rows it has; also the number of the last.
    pub count: u64,
    /// The hash of the last; zero before the first.
    pub hash: Hash,
}

/// What is kept of a chain apart from the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// How many rows there were.
    pub count: u64,
    /// The first bytes of the last hash.
    pub hash: [u8; 8],
}

/// Where a chain does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A row is missing, or stands in another place.
    #[error("audit row {found} where row {expected} is expected")]
    Number {
        /// The next number.
        expected: u64,
        /// That of the row.
        found: u64,
    },
    /// The row, or what stands before it, is not what was written.
    #[error("audit row {number} does not have the hash of its content and of the rows before it")]
    Hash {
        /// Its number.
        number: u64,
    },
    /// The row that was the last one once is another one now.
    #[error("audit row {number} is not the one that the head was written with")]
    Head {
        /// Its number.
        number: u64,
    },
    /// Fewer rows than there were.
    #[error("the audit ends with row {found}, expected {expected} rows or more")]
    Cut {
        /// How many the head has.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The store counts other rows than it has.
    #[error("the store counts {stated} audit rows, and has {found}")]
    Stated {
        /// How many it counts.
        stated: u64,
        /// How many there are.
        found: u64,
    },
    /// The store keeps another hash of its last row than that row has.
    #[error("audit row {number} does not have the hash that the store keeps of its last row")]
    StatedHash {
        /// Its number.
        number: u64,
    },
}

impl Chain {
    /// Adds a row and gives its hash. Its number is for the caller to take from [`Self::count`].
    pub fn append(&mut self, row: &AuditRow) -> Hash {
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(row.number.to_be_bytes());
        hash.update(row.at.0.to_be_bytes());
        for text in [&row.who, &row.action, &row.resource, &row.outcome] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        for content in [&row.before, &row.after] {
            hash.update([u8::from(content.is_some())]);
            hash.update(content.as_ref().map_or(&[][..], |content| content));
        }
        *self = Self { count: row.number, hash: hash.finalize().into() };
        self.hash
    }

    /// What to keep of it apart from the store.
    pub fn head(&self) -> ChainHead {
        let [a, b, c, d, e, f, g, h, ..] = self.hash;
        ChainHead { count: self.count, hash: [a, b, c, d, e, f, g, h] }
    }
}

/// A chain while it is checked row by row, so that one of any length is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    chain: Chain,
    head: ChainHead,
}

impl Verification {
    /// Of rows from the first one on, with what was kept of them; the default head constrains
    /// nothing.
    pub fn new(head: ChainHead) -> Self {
        Self { chain: Chain::default(), head }
    }

    /// The chain of the rows so far.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// Takes the next row with the hash that is stored with it.
    ///
    /// # Errors
    /// If the row does not fit behind those before it, or is another one than the head was written
    /// with; the chain stays as it was then.
    pub fn row(&mut self, row: &AuditRow, hash: Hash) -> Result<(), ChainError> {
        let (expected, number) = (self.chain.count + 1, row.number);
        if number != expected {
            return Err(ChainError::Number { expected, found: number });
        }
        let mut chain = self.chain;
        if chain.append(row) != hash {
            return Err(ChainError::Hash { number });
        }
        if number == self.head.count && chain.head() != self.head {
            return Err(ChainError::Head { number });
        }
        self.chain = chain;
        Ok(())
    }

    /// There are no more rows. Rows beyond the head are well: a store is ahead of it after a crash.
    ///
    /// # Errors
    /// If a tail is cut off.
    pub fn end(self) -> Result<Chain, ChainError> {
        if self.chain.count < self.head.count {
            return Err(ChainError::Cut { expected: self.head.count, found: self.chain.count });
        }
        Ok(self.chain)
    }

    /// The same, of a store that keeps this of its chain.
    ///
    /// # Errors
    /// If a tail is cut off, or the store keeps another chain than it has.
    pub fn end_as(self, stated: Chain) -> Result<Chain, ChainError> {
        let chain = self.end()?;
        if chain.count != stated.count {
            return Err(ChainError::Stated { stated: stated.count, found: chain.count });
        }
        if chain.hash != stated.hash {
            return Err(ChainError::StatedHash { number: chain.count });
        }
        Ok(chain)
    }
}

/// Checks rows with their stored hashes, in the order of their numbers from 1, against each other
/// and the head.
///
/// # Errors
/// The first number that does not fit, or a tail that is cut off.
pub fn verify(
    rows: impl IntoIterator<Item = (AuditRow, Hash)>,
    head: ChainHead,
) -> Result<Chain, ChainError> {
    let mut verification = Verification::new(head);
    for (row, hash) in rows {
        verification.row(&row, hash)?;
    }
    verification.end()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Rows = Vec<(AuditRow, Hash)>;

    fn content() -> impl Strategy<Value = AuditRow> {
        let text = || prop_oneof!["[ab]{0,3}", "\\PC{0,12}"];
        let hash = || proptest::option::of(any::<Hash>());
        (any::<i64>(), [text(), text(), text(), text()], hash(), hash()).prop_map(
            |(at, [who, action, resource, outcome], before, after)| AuditRow {
                number: 0,
                at: SimTime(at),
                who,
                action,
                resource,
                before,
                after,
                outcome,
            },
        )
    }

    fn chained(contents: Vec<AuditRow>) -> (Rows, ChainHead) {
        let mut chain = Chain::default();
        let mut rows = Vec::new();
        for mut row in contents {
            row.number = chain.count + 1;
            let hash = chain.append(&row);
            rows.push((row, hash));
        }
        (rows, chain.head())
    }

    fn chains() -> impl Strategy<Value = (Rows, ChainHead)> {
        vec(content(), 1..12).prop_map(chained)
    }

    #[test]
    fn the_bytes_of_a_row_are_as_documented() {
        let mut row = AuditRow {
            number: 1,
            at: SimTime(2),
            who: "ann".into(),
            action: "put".into(),
            resource: "device/é".into(),
            before: None,
            after: Some([9; 32]),
            outcome: String::new(),
        };
        let mut bytes = vec![0; 32];
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        bytes.extend(b"\0\0\0\0\0\0\0\x03ann\0\0\0\0\0\0\0\x03put\0\0\0\0\0\0\0\x09device/");
        bytes.extend("é".as_bytes());
        bytes.extend(b"\0\0\0\0\0\0\0\0\0\x01");
        bytes.extend([9; 32]);
        let mut chain = Chain::default();
        let expected: Hash = Sha256::digest(&bytes).into();
        assert_eq!(chain.append(&row), expected);
        row.number = 2;
        assert_ne!(chain.append(&row), expected);
    }

    proptest! {
        #[test]
        fn a_chain_fits(chain in chains(), ahead in vec(content(), 0..3)) {
            let (mut rows, head) = chain;
            prop_assert_eq!(verify(rows.clone(), head).map(|chain| chain.head()), Ok(head));
            let mut chain = verify(rows.clone(), head).unwrap();
            for mut row in ahead {
                row.number = chain.count + 1;
                let hash = chain.append(&row);
                rows.push((row, hash));
            }
            prop_assert_eq!(verify(rows, head), Ok(chain));
        }

        #[test]
        fn what_the_store_keeps_of_its_chain_has_to_be_that_of_its_rows(
            chain in chains(), more in any::<bool>(), byte in 0..32_usize,
        ) {
            let (rows, head) = chain;
            let mut verification = Verification::new(ChainHead::default());
            for (row, hash) in &rows {
                prop_assert_eq!(verification.row(row, *hash), Ok(()));
            }
            let stated = verification.chain();
            prop_assert_eq!((verification.end_as(stated), stated.head()), (Ok(stated), head));
            let found = stated.count;
            let count = if more { found + 1 } else { found - 1 };
            let error = ChainError::Stated { stated: count, found };
            prop_assert_eq!(verification.end_as(Chain { count, ..stated }), Err(error));
            let mut other = stated;
            other.hash[byte] ^= 1;
            let error = ChainError::StatedHash { number: found };
            prop_assert_eq!(verification.end_as(other), Err(error));
        }

        #[test]
        fn a_changed_row_is_found(
            chain in chains(),
            at in any::<prop::sample::Index>(),
            what in 0..9_u8,
            with_hash: bool,
        ) {
            let (mut rows, head) = chain;
            let at = at.index(rows.len());
            let (row, hash) = &mut rows[at];
            match what {
                0 => row.number += 1,
                1 => row.at.0 ^= 1,
                2 => row.who.push('x'),
                3 => row.action.insert(0, 'x'),
                4 => { row.resource.pop(); row.resource.push('\u{1}'); }
                5 => row.outcome.push('\0'),
                6 => row.before = row.before.is_none().then_some([0; 32]),
                7 => row.after = row.after.is_none().then_some([0; 32]),
                _ => hash[31] ^= 1,
            }
            if with_hash {
                // Whoever changes the row changes its hash as well.
                let mut before = Chain { count: at as u64, hash: [0; 32] };
                before.hash = at.checked_sub(1).map_or([0; 32], |at| rows[at].1);
                let hash = before.append(&rows[at].0);
                let is_as_before = hash == rows[at].1 || what == 8;
                rows[at].1 = hash;
                prop_assume!(!is_as_before);
            }
            let number = at as u64 + 1;
            let error = verify(rows, head).unwrap_err();
            let expected = match error {
                ChainError::Hash { number } | ChainError::Head { number } => number,
                ChainError::Number { expected, .. } | ChainError::Cut { expected, .. } => expected,
                ChainError::Stated { .. } | ChainError::StatedHash { .. } => unreachable!(),
            };
            let last = if with_hash { number + 1 } else { number };
            prop_assert!((number..=last).contains(&expected), "{error}");
        }

        #[test]
        fn removed_swapped_inserted_and_cut_rows_are_found(
            chain in chains(),
            inserted in content(),
            at in any::<prop::sample::Index>(),
            to in any::<prop::sample::Index>(),
            renumber: bool,
        ) {
            let (rows, head) = chain;
            let (at, to) = (at.index(rows.len()), to.index(rows.len()));
            let is_refused = |mut rows: Rows| {
                if renumber {
                    rows.iter_mut().zip(1..).for_each(|((row, _), number)| row.number = number);
                }
                verify(rows, head).is_err()
            };
            let mut removed = rows.clone();
            removed.remove(at);
            prop_assert!(is_refused(removed));
            let mut swapped = rows.clone();
            swapped.swap(at, to);
            prop_assert_eq!(is_refused(swapped), at != to);
            let mut more = rows.clone();
            more.insert(at, (AuditRow { number: at as u64 + 1, ..inserted }, rows[at].1));
            prop_assert!(is_refused(more));
            let error = verify(rows[..at].to_vec(), head).unwrap_err();
            prop_assert_eq!(error, ChainError::Cut { expected: head.count, found: at as u64 });
        }
    }
}
