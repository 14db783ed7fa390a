//! Threads of a platform in this process, beside those of the bench.

use lastmeter_link::priority::{DEFAULT_LEVEL, policy_word, raise_this_thread};
use tokio::runtime::Handle;

/// The real-time priority of a platform of the bench's own: just below that of the bench, which has
/// to stamp what the platform does when it is done.
pub(super) const PLATFORM_LEVEL: u8 = DEFAULT_LEVEL - 1;

/// Under what threads run, and why not under what was tried for.
pub type Policy = (String, Option<String>);

/// Threads of one kind beside others, as those of a platform; they may be dropped inside another
/// runtime.
///
/// Dropping a runtime blocks until its tasks have ended, which another runtime forbids.
pub struct OwnRuntime {
    runtime: Option<tokio::runtime::Runtime>,
    /// The real-time priority that its threads ask for, if any.
    level: Option<u8>,
}

impl OwnRuntime {
    /// Starts two threads of this name, which ask for a real-time priority if they are to have one.
    pub fn start(name: &str, level: Option<u8>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(name)
            .on_thread_start(move || {
                if let Some(level) = level {
                    // What it is refused is asked for once more, for the record.
                    let _ = raise_this_thread(level);
                }
            })
            .enable_all()
            .build()?;
        Ok(Self { runtime: Some(runtime), level })
    }

    /// What spawns tasks on it.
    pub fn handle(&self) -> Handle {
        self.runtime.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }

    /// What its threads run under, and why not under what was tried for.
    pub async fn policy(&self) -> Policy {
        let level = self.level;
        let policy = self.handle().spawn(async move { policy_of_this_thread(level) });
        policy.await.unwrap_or_else(|_| ("unknown".to_owned(), None))
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Asks for a platform's real-time priority, and returns what this thread runs under.
pub fn own_policy() -> Policy {
    policy_of_this_thread(Some(PLATFORM_LEVEL))
}

/// Asks for a real-time priority if there is to be one, and returns what this thread runs under.
fn policy_of_this_thread(level: Option<u8>) -> Policy {
    let refused = match level {
        Some(level) => raise_this_thread(level).err(),
        None => Some("not asked for".to_owned()),
    };
    (policy_word(), refused)
}
