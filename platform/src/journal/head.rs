//! The head: how far the journal and the store had come, kept beside both.
//!
//! A journal cannot show by itself that its end was cut off between two records, nor a store that
//! it is an older one than yesterday's. So what was acknowledged is noted in a third file, in the
//! data folder itself: before each acknowledgement, without a sync that the acknowledgement would
//! wait for; the store's thread syncs it once a second. A killed process loses none of it, a power
//! cut at most what was noted in the last second; it never promises more than is durable in the
//! journal.
//!
//! Four records (journal, store, reports of losses, audit), each written in two places in turn, so
//! that one is whole whatever happens to the other. A record, little endian: magic, kind u8, three
//! zero bytes, count u64, three numbers u64, CRC-32C u32 of all before it; the higher count is the
//! newer. Versions before wrote the first three alone: their heads are read, and they read these.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lastmeter_model::audit::ChainHead;
use lastmeter_model::standing::Standing;
use lastmeter_store::files::{self, Identity};
use lastmeter_store::lock;

/// What the records begin with, by their kind; the digit is the version that brought them.
const MAGICS: [[u8; 4]; KINDS] = [*b"LMH1", *b"LMH1", *b"LMH1", *b"LMH2"];
/// Records lie apart, each in a block of its own that disks write whole.
const BLOCK_BYTES: usize = 512;
const NUMBERS: usize = 3;
const RECORD_BYTES: usize = 4 + 4 + 8 + NUMBERS * 8 + 4;
const KINDS: usize = 4;
const FILE_BYTES: usize = KINDS * 2 * BLOCK_BYTES;
/// Of a head without the record of the audit.
const FILE_BYTES_1: usize = 3 * 2 * BLOCK_BYTES;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The last sequence of the journal that had been acknowledged.
    pub(crate) synced: u64,
    /// The last sequence of the journal that the store had.
    pub(crate) committed: u64,
    /// Changes of its own that the platform had stored.
    pub(crate) changes: u64,
    /// Where the driven clock stood, ns since 1970 UTC: where it moves nothing, the store is not
    /// told. 0 if there is none.
    pub(crate) clock_ns: i64,
    /// Losses that had been reported.
    pub(crate) losses: u64,
    /// The audit chain that the store had; that of no rows where it is unknown.
    pub(crate) audit: ChainHead,
}

/// What was found where the head should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Missing,
    /// There is one, and it cannot be trusted.
    Unreadable,
    Facts(Facts),
}

/// Where the bytes of a head go.
pub(crate) trait HeadFile: Send {
    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()>;
    /// What makes durable what has been written so far, to be run without holding the file.
    fn syncing(&mut self) -> io::Result<Syncing>;
}

/// See [`HeadFile::syncing`].
pub(crate) type Syncing = Box<dyn FnOnce() -> io::Result<()>>;

/// The head of a running platform; its writers share it.
pub(crate) struct Head(Mutex<State>);

struct State {
    file: Box<dyn HeadFile>,
    counts: [u64; KINDS],
    numbers: [[u64; NUMBERS]; KINDS],
    /// Something was written since the last sync.
    is_dirty: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Journal,
    Store,
    Losses,
    Audit,
}

pub(crate) fn read(path: &Path) -> io::Result<Found> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(FILE_BYTES as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    Ok(parse(&bytes))
}

pub(super) fn parse(bytes: &[u8]) -> Found {
    let newest = |kind: usize| {
        let place =
            |turn| bytes.get((kind * 2 + turn) * BLOCK_BYTES..).and_then(|b| decode(b, kind));
        [place(0), place(1)].into_iter().flatten().max_by_key(|(count, _)| *count)
    };
    let before = (bytes.len() <= FILE_BYTES_1).then_some((0, [0; NUMBERS]));
    match [newest(0), newest(1), newest(2), newest(3).or(before)] {
        [Some((_, journal)), Some((_, store)), Some((_, losses)), Some((_, audit))] => {
            Found::Facts(Facts {
                synced: journal[0],
                committed: store[0],
                changes: store[1],
                clock_ns: store[2].cast_signed(),
                losses: losses[0],
                audit: ChainHead { count: audit[0], hash: audit[1].to_le_bytes() },
            })
        }
        _ => Found::Unreadable,
    }
}

fn numbers_of(audit: ChainHead) -> [u64; NUMBERS] {
    [audit.count, u64::from_le_bytes(audit.hash), 0]
}

fn encode(kind: usize, count: u64, numbers: [u64; NUMBERS]) -> [u8; RECORD_BYTES] {
    let mut out = [0; RECORD_BYTES];
    out[..4].copy_from_slice(&MAGICS[kind]);
    out[4] = kind as u8;
    out[8..16].copy_from_slice(&count.to_le_bytes());
    for (place, number) in out[16..16 + NUMBERS * 8].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let sum = crc32c::crc32c(&out[..RECORD_BYTES - 4]);
    out[RECORD_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    out
}

/// The count and the numbers of a record.
fn decode(bytes: &[u8], kind: usize) -> Option<(u64, [u64; NUMBERS])> {
    let (content, sum) = bytes.get(..RECORD_BYTES)?.split_last_chunk::<4>()?;
    let whole = content[..4] == MAGICS[kind] && usize::from(content[4]) == kind;
    if !whole || crc32c::crc32c(content) != u32::from_le_bytes(*sum) {
        return None;
    }
    let words = content[8..].as_chunks::<8>().0;
    let number = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
    Some((number(0), [number(1), number(2), number(3)]))
}

impl Head {
    /// Goes on from what was found, in a file that is written anew.
    pub(crate) fn new(
        facts: Facts,
        open: impl FnOnce(&[u8]) -> io::Result<Box<dyn HeadFile>>,
    ) -> io::Result<Self> {
        let numbers = [
            [facts.synced, 0, 0],
            [facts.committed, facts.changes, facts.clock_ns.cast_unsigned()],
            [facts.losses, 0, 0],
            numbers_of(facts.audit),
        ];
        let mut content = vec![0; FILE_BYTES];
        for (kind, numbers) in numbers.into_iter().enumerate() {
            for turn in 0..2 {
                let at = (kind * 2 + turn) * BLOCK_BYTES;
                content[at..at + RECORD_BYTES].copy_from_slice(&encode(kind, turn as u64, numbers));
            }
        }
        let file = open(&content)?;
        let state = State { file, counts: [1; KINDS], numbers, is_dirty: false };
        Ok(Self(Mutex::new(state)))
    }

    /// In a file of the real file system.
    pub(crate) fn create(path: &Path, facts: Facts) -> io::Result<Self> {
        Self::new(facts, |content| Ok(Box::new(RealHead::create(path, content)?)))
    }

    /// Notes that the journal is durable up to a sequence; to be called before anything is
    /// acknowledged.
    pub(crate) fn journal(&self, synced: u64) -> io::Result<()> {
        lock(&self.0).write(Kind::Journal, [synced, 0, 0])
    }

    /// Notes how far the store has come, and where the driven clock stands.
    pub(crate) fn store(&self, standing: &Standing) -> io::Result<()> {
        let clock_ns = standing.clock_ns.unwrap_or_default().cast_unsigned();
        let numbers = [standing.journal_committed, standing.changes, clock_ns];
        lock(&self.0).write(Kind::Store, numbers)
    }

    /// Notes how far the audit of the store has come.
    pub(crate) fn audit(&self, audit: ChainHead) -> io::Result<()> {
        lock(&self.0).write(Kind::Audit, numbers_of(audit))
    }

    /// Notes how many losses have been reported, durably.
    pub(crate) fn losses(&self, count: u64) -> io::Result<()> {
        lock(&self.0).write(Kind::Losses, [count, 0, 0])?;
        self.sync()
    }

    /// Makes everything noted durable; the journal goes on meanwhile.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.0);
        if !std::mem::take(&mut state.is_dirty) {
            return Ok(());
        }
        let syncing = state.file.syncing();
        drop(state);
        let synced = syncing.and_then(|sync| sync());
        if synced.is_err() {
            lock(&self.0).is_dirty = true;
        }
        synced
    }
}

impl State {
    fn write(&mut self, kind: Kind, numbers: [u64; NUMBERS]) -> io::Result<()> {
        let kind = kind as usize;
        if self.numbers[kind] == numbers {
            return Ok(());
        }
        let count = self.counts[kind] + 1;
        let offset = (kind * 2 + (count % 2) as usize) * BLOCK_BYTES;
        self.file.write_at(offset, &encode(kind, count, numbers))?;
        (self.counts[kind], self.numbers[kind]) = (count, numbers);
        self.is_dirty = true;
        Ok(())
    }
}

struct RealHead {
    path: PathBuf,
    file: Arc<File>,
    identity: Identity,
    content: Vec<u8>,
}

impl RealHead {
    fn create(path: &Path, content: &[u8]) -> io::Result<Self> {
        files::replace(path, content)?;
        let file = File::options().write(true).open(path)?;
        let identity = Identity::of(&file)?;
        let (path, content) = (path.to_owned(), content.to_owned());
        Ok(Self { path, file: Arc::new(file), identity, content })
    }
}

impl HeadFile for RealHead {
    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.content[offset..offset + bytes.len()].copy_from_slice(bytes);
        self.file.write_all_at(bytes, offset as u64)
    }

    /// Somebody may have removed the file meanwhile; then it is made anew.
    fn syncing(&mut self) -> io::Result<Syncing> {
        if Identity::at(&self.path).ok() != Some(self.identity) {
            tracing::warn!(path = %self.path.display(), "the head was removed; it is written again");
            *self = Self::create(&self.path, &self.content)?;
        }
        let file = Arc::clone(&self.file);
        Ok(Box::new(move || file.sync_data()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AUDIT: ChainHead = ChainHead { count: 3, hash: [1, 2, 3, 4, 5, 6, 7, 3] };
    const FACTS: Facts =
        Facts { synced: 9, committed: 7, changes: 5, clock_ns: 4, losses: 3, audit: AUDIT };

    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default.head");
        let head = Head::create(&path, Facts::default()).unwrap();
        for step in 1..=3 {
            head.journal(step * 3).unwrap();
            let standing = Standing {
                journal_committed: step * 2 + 1,
                changes: step + 2,
                clock_ns: Some(step as i64 + 1),
                ..Standing::default()
            };
            head.store(&standing).unwrap();
            head.losses(step).unwrap();
            let hash = [1, 2, 3, 4, 5, 6, 7, step as u8];
            head.audit(ChainHead { count: step, hash }).unwrap();
        }
        (folder, path)
    }

    /// CRC-32C of the first 40 bytes by another implementation.
    #[test]
    fn a_record_has_the_documented_bytes() {
        let record = encode(1, 2, [3, 4, 5]);
        let word = |number: u8| [number, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(record[..8], *b"LMH1\x01\0\0\0");
        assert_eq!(record[8..40], [2, 3, 4, 5].map(word).concat());
        assert_eq!(record[40..], [0x7c, 0x0e, 0x7b, 0xd5]);
        assert_eq!(decode(&record, 1), Some((2, [3, 4, 5])));
        // Whole, and of another kind or another format.
        assert_eq!(decode(&record, 0), None);
        let mut other = record;
        other[3] = b'2';
        let sum = crc32c::crc32c(&other[..40]);
        other[40..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(decode(&other, 1), None);
    }

    #[test]
    fn it_reads_what_was_noted_last_and_goes_on_from_there() {
        let (_folder, path) = written();
        assert_eq!(read(&path).unwrap(), Found::Facts(FACTS));
        let again = Head::create(&path, FACTS).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Facts(FACTS));
        again.journal(10).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Facts(Facts { synced: 10, ..FACTS }));
    }

    #[test]
    fn the_record_of_the_audit_has_its_own_magic_and_bytes() {
        let record = encode(3, 2, numbers_of(AUDIT));
        assert_eq!(record[..8], *b"LMH2\x03\0\0\0");
        assert_eq!(
            record[8..32],
            [2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 3]
        );
    }

    #[test]
    fn a_head_of_before_is_read_without_an_audit_and_one_cut_to_pieces_is_not() {
        let (_folder, path) = written();
        let mut bytes = std::fs::read(&path).unwrap();
        let before = Facts { audit: ChainHead::default(), ..FACTS };
        assert_eq!(parse(&bytes[..FILE_BYTES_1]), Found::Facts(before));
        // A version before reads the first three records of this one.
        assert_eq!(bytes[..4], *b"LMH1");
        bytes[FILE_BYTES_1..].fill(0);
        assert_eq!(parse(&bytes), Found::Unreadable);
    }

    #[test]
    fn without_a_file_or_with_anything_else_there_is_no_head() {
        let (_folder, path) = written();
        assert_eq!(read(&path.with_extension("x")).unwrap(), Found::Missing);
        for content in [Vec::new(), vec![0; FILE_BYTES], vec![7; 9999]] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Unreadable);
        }
    }

    #[test]
    fn a_head_that_was_removed_is_written_anew_with_the_next_sync() {
        let (_folder, path) = written();
        let head = Head::create(&path, FACTS).unwrap();
        std::fs::remove_file(&path).unwrap();
        head.journal(11).unwrap();
        head.sync().unwrap();
        assert_eq!(read(&path).unwrap(), Found::Facts(Facts { synced: 11, ..FACTS }));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_never_makes_it_claim_more(bit in any::<prop::sample::Index>()) {
            let (_folder, path) = written();
            let mut bytes = std::fs::read(&path).unwrap();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Found::Facts(found) = parse(&bytes) else { panic!("one place is enough") };
            // The other place has what was noted before.
            prop_assert!(found.synced == 9 || found.synced == 6);
            prop_assert!([(5, 4), (4, 3)].contains(&(found.changes, found.clock_ns)));
            prop_assert!(found.losses == 3 || found.losses == 2);
            prop_assert!(found.audit == AUDIT || found.audit.count == 2);
        }
    }
}
