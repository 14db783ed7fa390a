//! How long the disk that results go to takes to make a small write durable: the journal of the
//! embedded platform waits for that before each acknowledgement.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use lastmeter_link::clock::monotonic_ns;
use lastmeter_record::Summary;

use super::finding::{Finding, Section, Topic, ms};

const TOPIC: Topic = Section::Disk.topic("sync");
/// The median up to which latency figures of the embedded platform are comparable.
const GOOD_P50_NS: i64 = 500_000;
/// The median from which the disk is all one measures.
const BAD_P50_NS: i64 = 10_000_000;
/// The size of one write, bytes: a message.
const WRITE_BYTES: usize = 1300;

pub(super) fn measure(folder: &Path, syncs: usize) -> (Option<Summary>, Finding) {
    let folder = existing(folder);
    match try_syncs(&folder, syncs) {
        Ok(mut took_ns) => {
            let summary = Summary::of(&mut took_ns);
            (summary, finding(&folder, summary.unwrap_or_default()))
        }
        Err(error) => {
            let why = format!("{}: {error}", folder.display());
            let advice = "give a folder that can be written to with --out";
            (None, TOPIC.unmeasured(&why, advice))
        }
    }
}

/// The folder, or the one above it that is there already.
fn existing(folder: &Path) -> PathBuf {
    let parts = folder.ancestors().filter(|part| !part.as_os_str().is_empty());
    let mut there = parts.filter(|part| part.is_dir());
    there.next().unwrap_or_else(|| Path::new(".")).to_owned()
}

fn try_syncs(folder: &Path, syncs: usize) -> std::io::Result<Vec<i64>> {
    // Without a name: it is gone however this ends.
    let mut file = tempfile::tempfile_in(folder)?;
    let message = [b'x'; WRITE_BYTES];
    let mut took_ns = Vec::with_capacity(syncs);
    for _ in 0..syncs {
        file.write_all(&message)?;
        let before = monotonic_ns();
        file.sync_data()?;
        took_ns.push(monotonic_ns() - before);
    }
    Ok(took_ns)
}

fn finding(folder: &Path, took: Summary) -> Finding {
    let (p50, p99) = (ms(took.p50_ns), ms(took.p99_ns));
    let found = format!("{}: fdatasync p50 {p50}, p99 {p99}", folder.display());
    let advice = "put the results on a faster disk: each acknowledgement waits for one of these";
    match took.p50_ns {
        p50_ns if p50_ns <= GOOD_P50_NS => TOPIC.ok(found),
        p50_ns if p50_ns < BAD_P50_NS => TOPIC.limited(found, advice),
        _ => TOPIC.no(found, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_tried_where_it_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let (summary, finding) = measure(&folder.path().join("runs/today"), 3);
        assert_eq!(summary.unwrap().n, 3);
        assert!(finding.found.starts_with(&folder.path().display().to_string()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        assert_eq!(existing(Path::new("no/such/folder")), Path::new("."));
        assert_eq!(existing(Path::new("")), Path::new("."));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_unmeasured() {
        let (summary, finding) = measure(Path::new("/proc"), 3);
        assert!(summary.is_none() && finding.unmeasured, "{finding:?}");
    }

    #[test]
    fn a_slow_disk_is_reported() {
        let of = |p50_ns| {
            let took = Summary { p50_ns, ..Summary::default() };
            finding(Path::new("runs"), took).status
        };
        assert_eq!(of(500_000), Status::Ok);
        assert_eq!(of(500_001), Status::Limited);
        assert_eq!(of(10_000_000), Status::No);
    }
}
