//! The lines of a table, read one by one, or by a thread of its own ahead of who reads them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Builder;

use csv::StringRecord;

use super::RecordError;
use super::hash::Hashed;
use super::seal::{Found, Torn};

/// A file up to its last line end.
pub(crate) type WholeLines = Take<Hashed<File>>;

/// Opens a file of lines up to its last line end. Also gives the number of bytes behind that.
pub(crate) fn open_lines(path: &Path, hash: bool) -> Result<(WholeLines, u64), RecordError> {
    let mut file = File::open(path).map_err(RecordError::io("read", path))?;
    let (whole, length) = length_of_lines(&mut file).map_err(RecordError::io("read", path))?;
    Ok((Hashed::new(file, hash).take(whole), length - whole))
}

/// The length up to and with the last line end, and the file's length. Leaves the file at 0.
fn length_of_lines(file: &mut File) -> io::Result<(u64, u64)> {
    const BLOCK: u64 = 4096;
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = length;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        if let Some(place) = block.iter().rposition(|&byte| byte == b'\n') {
            end = start + place as u64 + 1;
            break;
        }
        end = start;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok((end, length))
}

/// What is to be compared with the seal.
pub(crate) fn found(
    file: &'static str,
    lines: u64,
    sha256: Option<String>,
    torn_bytes: u64,
) -> Found {
    let torn = (torn_bytes > 0).then_some(Torn { file, bytes: torn_bytes });
    Found { file, lines, sha256, torn }
}

/// A CSV file with a known header, read line by line without keeping any.
pub(crate) struct Rows {
    path: PathBuf,
    file: &'static str,
    lines: Lines,
    record: StringRecord,
    torn_bytes: u64,
}

/// Who reads the file, hashes it and splits its lines.
enum Lines {
    /// Who takes them.
    Here(Splitter),
    /// A thread, ahead.
    Ahead(Box<Ahead>),
}

impl Rows {
    pub(crate) fn open(
        path: &Path,
        file: &'static str,
        header: &'static [&'static str],
        hash: bool,
    ) -> Result<Self, RecordError> {
        let (text, torn_bytes) = open_lines(path, hash)?;
        let csv = csv::ReaderBuilder::new()
            .buffer_capacity(1 << 16)
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        let (mut splitter, mut record) =
            (Splitter { csv: Box::new(csv), header }, StringRecord::new());
        let found =
            splitter.split(&mut record).map_err(|bad| RecordError::malformed(path, 1, bad.what))?;
        // A writer killed at once leaves an empty file: a record without rows.
        if found && record != *header {
            let expected = header.join(",");
            return Err(RecordError::malformed(path, 1, format!("expected `{expected}`")));
        }
        let lines = Lines::Here(splitter);
        Ok(Self { path: path.to_owned(), file, lines, record, torn_bytes })
    }

    /// The same, whose lines are from now on split by a thread ahead of who takes them: of a long
    /// table this is a third of the work.
    pub(crate) fn ahead(self) -> Result<Self, RecordError> {
        let lines = match self.lines {
            Lines::Here(splitter) => {
                let started = Ahead::start(splitter);
                Box::new(started.map_err(RecordError::io("read", &self.path))?)
            }
            Lines::Ahead(ahead) => ahead,
        };
        Ok(Self { lines: Lines::Ahead(lines), ..self })
    }

    /// What is to be compared with the seal, once the last row was read: so many were.
    pub(crate) fn found(&self, lines: u64) -> Found {
        let sha256 = match &self.lines {
            Lines::Here(splitter) => splitter.csv.get_ref().get_ref().so_far(),
            // The last row was not read: no hash, which is equal to no seal.
            Lines::Ahead(_) => None,
        };
        found(self.file, lines, sha256, self.torn_bytes)
    }

    /// Reads the next line; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, RecordError> {
        let split = match &mut self.lines {
            Lines::Here(splitter) => splitter.split(&mut self.record),
            Lines::Ahead(ahead) => ahead.take(&mut self.record),
        };
        let is_line =
            split.map_err(|bad| RecordError::malformed(&self.path, bad.line, bad.what))?;
        if let (false, Lines::Ahead(ahead)) = (is_line, &mut self.lines)
            && let Some(splitter) = ahead.end.take()
        {
            self.lines = Lines::Here(splitter);
        }
        Ok(is_line)
    }

    /// The line read last.
    pub(crate) fn record(&self) -> &StringRecord {
        &self.record
    }

    /// The line just read is not what it should be.
    pub(crate) fn malformed(&self, what: String) -> RecordError {
        let line = self.record.position().map_or(0, csv::Position::line);
        RecordError::malformed(&self.path, line, what)
    }
}

/// Splits lines into fields.
struct Splitter {
    csv: Box<csv::Reader<WholeLines>>,
    header: &'static [&'static str],
}

/// A line that cannot be split, and why.
struct Unsplit {
    line: u64,
    what: String,
}

impl Splitter {
    /// Splits the next line; false at the end.
    fn split(&mut self, record: &mut StringRecord) -> Result<bool, Unsplit> {
        self.csv.read_record(record).map_err(|error| match error.kind() {
            csv::ErrorKind::Utf8 { pos, err } => Unsplit {
                line: pos.as_ref().map_or(0, csv::Position::line),
                what: format!(
                    "{} is not UTF-8",
                    self.header.get(err.field()).unwrap_or(&"a field")
                ),
            },
            _ => Unsplit { line: self.csv.position().line(), what: error.to_string() },
        })
    }
}

/// Lines that a thread splits ahead, in their order.
struct Ahead {
    full: Receiver<Batch>,
    /// Batches whose lines were taken, to be filled again: no allocation per line.
    taken: Sender<Batch>,
    batch: Batch,
    /// The line of the batch that is next.
    next: usize,
    /// What has split all lines, once they were taken.
    end: Option<Splitter>,
}

/// Lines in a batch: few enough to stay in a processor's own memory.
const BATCH_LINES: usize = 256;
/// Batches that wait to be taken.
const BATCHES: usize = 4;

/// Some lines of a table.
#[derive(Default)]
struct Batch {
    records: Vec<StringRecord>,
    /// So many of them were filled.
    count: usize,
    /// What is behind them, unless another batch is.
    behind: Option<Result<Splitter, Unsplit>>,
}

impl Ahead {
    fn start(splitter: Splitter) -> io::Result<Self> {
        let (to_full, full) = sync_channel(BATCHES);
        let (taken, to_fill) = channel();
        let work = move || split_all(splitter, &to_full, &to_fill);
        Builder::new().name("record-lines".to_owned()).spawn(work)?;
        Ok(Self { full, taken, batch: Batch::default(), next: 0, end: None })
    }

    /// Takes the next line; false at the end.
    fn take(&mut self, record: &mut StringRecord) -> Result<bool, Unsplit> {
        while self.next == self.batch.count {
            match self.batch.behind.take() {
                Some(Ok(splitter)) => {
                    self.end = Some(splitter);
                    return Ok(false);
                }
                Some(Err(unsplit)) => return Err(unsplit),
                None => {}
            }
            let ended = |_| Unsplit { line: 0, what: "what split its lines has ended".to_owned() };
            let batch = self.full.recv().map_err(ended)?;
            // Nobody fills it again once all lines were split.
            let _ = self.taken.send(std::mem::replace(&mut self.batch, batch));
            self.next = 0;
        }
        std::mem::swap(record, &mut self.batch.records[self.next]);
        self.next += 1;
        Ok(true)
    }
}

/// Splits all lines, as long as somebody takes them.
fn split_all(mut splitter: Splitter, full: &SyncSender<Batch>, taken: &Receiver<Batch>) {
    loop {
        let mut batch = taken.try_recv().unwrap_or_default();
        batch.records.resize_with(BATCH_LINES, StringRecord::new);
        batch.count = 0;
        while batch.count < BATCH_LINES && batch.behind.is_none() {
            match splitter.split(&mut batch.records[batch.count]) {
                Ok(true) => batch.count += 1,
                Ok(false) => break,
                Err(unsplit) => batch.behind = Some(Err(unsplit)),
            }
        }
        if batch.count < BATCH_LINES {
            batch.behind.get_or_insert(Ok(splitter));
            let _ = full.send(batch);
            return;
        }
        if full.send(batch).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: [&str; 2] = ["device", "value"];

    /// All lines with their places, and what is found at the end.
    fn read(mut rows: Rows) -> (Vec<(u64, StringRecord)>, Found) {
        let mut lines = Vec::new();
        while rows.advance().unwrap() {
            let record = rows.record().clone();
            lines.push((record.position().unwrap().line(), record));
        }
        assert!(!rows.advance().unwrap());
        let found = rows.found(lines.len() as u64);
        (lines, found)
    }

    fn open(text: impl AsRef<[u8]>, hash: bool) -> (tempfile::TempDir, Rows) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let rows = Rows::open(&path, "table.csv", &HEADER, hash).unwrap();
        (dir, rows)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Around the sizes of batches too, with lines over several lines and torn ones.
        #[test]
        fn a_thread_ahead_splits_the_same_lines(
            count in prop_oneof![0..4_usize, 254..259_usize, 1020..1030_usize, 0..3000_usize],
            seed in 0..1000_usize,
            is_torn: bool,
            hash: bool,
        ) {
            let mut text = "device,value\n".to_owned();
            for line in 0..count {
                let line = match (line * 7 + seed) % 5 {
                    0 => format!("\"m\n{line}\",{seed}\n"),
                    1 => format!("only-{line}\n"),
                    _ => format!("m-{line},{}\n", line * seed),
                };
                text.push_str(&line);
            }
            if is_torn {
                text.push_str("m-9,");
            }
            let (_here, here) = open(&text, hash);
            let (_there, there) = open(&text, hash);
            let (lines, found) = read(here);
            prop_assert_eq!(lines.len(), count);
            prop_assert_eq!(found.sha256.is_some(), hash);
            prop_assert_eq!(found.torn.map(|torn| torn.bytes), is_torn.then_some(4));
            prop_assert_eq!(read(there.ahead().unwrap()), (lines, found));
        }
    }

    #[test]
    fn before_the_last_line_there_is_no_hash() {
        let (_dir, rows) = open("device,value\na,1\n", true);
        let mut rows = rows.ahead().unwrap();
        assert!(rows.advance().unwrap());
        assert_eq!(rows.found(1).sha256, None);
        assert!(!rows.advance().unwrap());
        assert!(rows.found(1).sha256.is_some());
    }

    #[test]
    fn what_is_not_utf_8_is_named_with_its_line_and_all_before_it_is_read() {
        for count in [0, 3, BATCH_LINES - 1, BATCH_LINES, BATCH_LINES + 1] {
            let mut text = format!("device,value\n{}", "a,1\n".repeat(count)).into_bytes();
            text.extend_from_slice(b"a,\xff\na,1\n");
            let (_here, here) = open(&text, true);
            let (_there, there) = open(&text, true);
            for mut rows in [here, there.ahead().unwrap()] {
                for _ in 0..count {
                    assert!(rows.advance().unwrap());
                }
                let error = rows.advance().unwrap_err().to_string();
                let expected = format!("table.csv:{}: value is not UTF-8", count + 2);
                assert!(error.ends_with(&expected), "{error}");
            }
        }
    }

    #[test]
    fn who_takes_no_more_lines_stops_the_thread() {
        let text = format!("device,value\n{}", "a,1\n".repeat(20 * BATCH_LINES));
        let (_dir, rows) = open(&text, true);
        let mut rows = rows.ahead().unwrap();
        assert!(rows.advance().unwrap());
        let Lines::Ahead(ahead) = rows.lines else { panic!("it is ahead") };
        let Ahead { full, taken, .. } = *ahead;
        drop(taken);
        // What waits is at most what may wait, and one that was being sent.
        let waiting = full.try_iter().count();
        assert!(waiting <= BATCHES + 1, "{waiting}");
    }
}
