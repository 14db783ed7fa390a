//! The resident documents, in memory: those of the kinds that are needed at any moment.
//!
//! [`crate::decide::Decider`] writes here once a batch is committed. Removed ones are not here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::document::{Document, DocumentKind, Key};

/// The current version of every resident document.
#[derive(Debug, Default)]
pub struct Documents {
    inner: RwLock<Inner>,
    epoch: AtomicU64,
}

/// A document and the keys under which it is found.
type Indexed = (Arc<Document>, Vec<Key>);

#[derive(Debug, Default)]
struct Inner {
    /// By kind and token.
    documents: BTreeMap<u8, BTreeMap<String, Indexed>>,
    /// Tokens by kind, name and value of a key.
    keys: BTreeMap<(u8, &'static str), BTreeMap<String, BTreeSet<String>>>,
}

impl Documents {
    /// Takes over documents that were committed, with their keys. Those of kinds that are not
    /// resident are left out.
    pub fn enter(&self, documents: Vec<(Document, Vec<Key>)>) {
        let mut resident =
            documents.into_iter().filter(|(document, _)| document.kind.is_resident).peekable();
        if resident.peek().is_none() {
            return;
        }
        let mut inner = self.write();
        for (document, keys) in resident {
            inner.enter(document, keys);
        }
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Moves with each change.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// A document.
    pub fn find(&self, kind: &DocumentKind, token: &str) -> Option<Arc<Document>> {
        let inner = self.read();
        inner.documents.get(&kind.code)?.get(token).map(|(document, _)| Arc::clone(document))
    }

    /// Documents of a kind with a value of a key, by token.
    pub fn with_key(&self, kind: &DocumentKind, name: &str, value: &str) -> Vec<Arc<Document>> {
        let inner = self.read();
        let tokens = inner.keys.get(&(kind.code, name)).and_then(|values| values.get(value));
        let of_kind = inner.documents.get(&kind.code);
        let one = |token: &String| of_kind?.get(token).map(|(document, _)| Arc::clone(document));
        tokens.into_iter().flatten().filter_map(one).collect()
    }

    /// All documents of a kind, by token.
    pub fn all(&self, kind: &DocumentKind) -> Vec<Arc<Document>> {
        let inner = self.read();
        let of_kind = inner.documents.get(&kind.code).into_iter().flat_map(BTreeMap::values);
        of_kind.map(|(document, _)| Arc::clone(document)).collect()
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: &DocumentKind) -> usize {
        self.read().documents.get(&kind.code).map_or(0, BTreeMap::len)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn enter(&mut self, document: Document, keys: Vec<Key>) {
        let (code, token) = (document.kind.code, document.token.clone());
        let of_kind = self.documents.entry(code).or_default();
        if let Some((_, before)) = of_kind.remove(&token) {
            for Key { name, value } in before {
                let Some(values) = self.keys.get_mut(&(code, name)) else { continue };
                if let Some(tokens) = values.get_mut(&value) {
                    tokens.remove(&token);
                    if tokens.is_empty() {
                        values.remove(&value);
                    }
                }
            }
        }
        if document.is_deleted {
            return;
        }
        for Key { name, value } in keys.iter().cloned() {
            let values = self.keys.entry((code, name)).or_default();
            values.entry(value).or_default().insert(token.clone());
        }
        of_kind.insert(token, (Arc::new(document), keys));
    }
}
