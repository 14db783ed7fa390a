//! Mutexes whose holders cannot leave them half changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks such a mutex: a panic elsewhere does not matter.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
