//! Writes a gateway's records on a thread of its own, so that a slow disk holds up nothing that is
//! on its way from a line to the broker.
//!
//! Records and what is forgotten are written in the order in which they are given. With the
//! keeper's end all of them are written.

use std::thread::JoinHandle;

use lastmeter_bench::stop::or_never;
use tokio::sync::mpsc;

use super::kept::{KeptError, RecordStore};

/// Most jobs that wait for the disk; then the gateway waits too.
const JOBS_LIMIT: usize = 1000;

enum Job {
    Keep(Vec<(u64, Vec<u8>)>),
    Forget(u64),
}

/// The side from which records are given.
pub(super) struct Keeper {
    jobs: Option<mpsc::Sender<Job>>,
    kept: mpsc::UnboundedReceiver<Result<u64, KeptError>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn start(mut file: RecordStore) -> std::io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel(JOBS_LIMIT);
        let (done, kept) = mpsc::unbounded_channel();
        let write = move || {
            while let Some(job) = waiting.blocking_recv() {
                let written = match job {
                    Job::Keep(records) => {
                        let last = records.last().map(|(number, _)| *number);
                        file.keep(&records).map(|()| last)
                    }
                    Job::Forget(upto) => file.forget(upto).map(|()| None),
                };
                let is_over = written.is_err();
                let heard = written.transpose().map(|kept| done.send(kept));
                // What is not written must not be followed by anything.
                if is_over || heard.is_some_and(|sent| sent.is_err()) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("records".to_owned()).spawn(write)?;
        Ok(Self { jobs: Some(jobs), kept, thread: Some(thread) })
    }

    /// Gives records to be written; [`kept`](Self::kept) returns the number of the last one.
    pub(super) async fn keep(&self, records: Vec<(u64, Vec<u8>)>) {
        self.give(Job::Keep(records)).await;
    }

    /// Forgets records behind those that were given.
    pub(super) async fn forget(&self, upto: u64) {
        self.give(Job::Forget(upto)).await;
    }

    async fn give(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // Where the thread has ended its error waits to be taken.
            let _ = jobs.send(job).await;
        }
    }

    /// The number of a record up to which all are durable now. Cancelling it loses nothing.
    ///
    /// # Errors
    /// If they cannot be written; nothing is any more.
    pub(super) async fn kept(&mut self) -> Result<u64, KeptError> {
        or_never(self.kept.recv().await).await
    }

    /// Waits until a record and all before it are durable.
    ///
    /// # Errors
    /// As of [`kept`](Self::kept).
    pub(super) async fn until(&mut self, number: u64) -> Result<(), KeptError> {
        while self.kept().await? < number {}
        Ok(())
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// If it cannot be.
    pub(super) async fn finish(mut self) -> Result<(), KeptError> {
        self.jobs = None;
        let mut last = Ok(());
        while let Some(kept) = self.kept.recv().await {
            last = last.and(kept.map(|_| ()));
        }
        last
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It ends with its jobs; a panic of it has been printed.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn all_that_was_given_is_written_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let mut keeper = Keeper::start(RecordStore::open(folder.path()).unwrap()).unwrap();
            for number in 1..=50 {
                keeper.keep(vec![(2 * number - 1, vec![1]), (2 * number, vec![2])]).await;
                if number % 2 == 0 {
                    keeper.forget(number).await;
                }
                if number == 3 {
                    assert_eq!(keeper.kept().await.unwrap(), 2);
                    keeper.until(6).await.unwrap();
                }
            }
            keeper.finish().await.unwrap();
        });
        let kept = RecordStore::open(folder.path()).unwrap();
        let expected: Vec<Vec<u8>> = (51..=100).map(|number| vec![2 - number % 2]).collect();
        assert_eq!(kept.records(), expected);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_once_and_the_end() {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let mut kept = RecordStore::open(folder.path()).unwrap();
            kept.break_for_test();
            let mut keeper = Keeper::start(kept).unwrap();
            keeper.keep(vec![(1, vec![1])]).await;
            assert!(keeper.kept().await.is_err());
            keeper.keep(vec![(2, vec![2])]).await;
            keeper.finish().await.unwrap();
        });
        assert!(RecordStore::open(folder.path()).unwrap().records().is_empty());
    }
}
