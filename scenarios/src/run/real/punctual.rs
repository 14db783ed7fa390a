//! The runtime for what has to be on time, with real-time priority where the machine grants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::run::error::BenchError;

/// Threads that serve devices, observers and proxies.
const THREADS: usize = 2;

/// A runtime for what has to be on time, and the policy its threads got.
pub(crate) struct Punctual {
    runtime: Option<tokio::runtime::Runtime>,
    refused: Arc<std::sync::Mutex<Option<String>>>,
    is_raised: Arc<AtomicBool>,
}

impl Punctual {
    /// Starts the threads; asks for real-time priority unless told not to.
    pub(crate) fn start(real_time_priority: bool) -> Result<Self, BenchError> {
        let refused = Arc::new(std::sync::Mutex::new(None));
        let is_raised = Arc::new(AtomicBool::new(false));
        let (told, raised) = (Arc::clone(&refused), Arc::clone(&is_raised));
        if !real_time_priority {
            *told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                Some("not asked for".to_owned());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("punctual")
            .on_thread_start(move || {
                if !real_time_priority {
                    return;
                }
                match lastmeter_link::priority::raise_this_thread(
                    lastmeter_link::priority::DEFAULT_LEVEL,
                ) {
                    Ok(()) => raised.store(true, Ordering::Relaxed),
                    Err(reason) => {
                        *told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                            Some(reason);
                    }
                }
            })
            .enable_all()
            .build()
            .map_err(|error| BenchError::PlatformStart(format!("the bench's threads: {error}")))?;
        Ok(Self { runtime: Some(runtime), refused, is_raised })
    }

    pub(crate) fn handle(&self) -> tokio::runtime::Handle {
        self.runtime
            .as_ref()
            .map_or_else(tokio::runtime::Handle::current, |runtime| runtime.handle().clone())
    }

    /// The policy that was got, and why not the one that was tried for.
    pub(crate) async fn policy(&self) -> (String, Option<String>) {
        let word = self.handle().spawn(async { lastmeter_link::priority::policy_word() });
        let word = word.await.unwrap_or_else(|_| "unknown".to_owned());
        let refused =
            self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let refused = refused.filter(|_| !self.is_raised.load(Ordering::Relaxed));
        (word, refused)
    }
}

impl Drop for Punctual {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for threads would block the runtime this is dropped in.
            runtime.shutdown_background();
        }
    }
}
