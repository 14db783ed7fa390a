//! The resident documents, in memory: those of the kinds that are needed at any moment.
//!
//! [`crate::decide::Decider`] writes here once a batch is committed. Removed ones are not here.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::document::{Document, DocumentKind, Key};
use crate::entity::Body;

/// The current version of every resident document.
#[derive(Debug, Default)]
pub struct Documents {
    inner: RwLock<Inner>,
    epoch: AtomicU64,
    followed: Mutex<Followed>,
}

/// What has changed since somebody looked who follows some kinds.
#[derive(Debug, Default)]
struct Followed {
    kinds: BTreeSet<u8>,
    changed: BTreeMap<(u8, String), Arc<Document>>,
}

/// A document, the keys under which it is found, and its body once somebody has read it.
#[derive(Debug)]
struct Indexed {
    document: Arc<Document>,
    keys: Vec<Key>,
    body: OnceLock<Option<Arc<dyn Any + Send + Sync>>>,
}

/// A document's token and its body.
pub type Named<T> = (String, Arc<T>);

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
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        for (document, keys) in resident {
            let document = Arc::new(document);
            if followed.kinds.contains(&document.kind.code) {
                let place = (document.kind.code, document.token.clone());
                followed.changed.insert(place, Arc::clone(&document));
            }
            inner.enter(document, keys);
        }
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Follows documents of kinds from now on: all that there are, by kind and token.
    pub fn follow(&self, kinds: impl IntoIterator<Item = u8>) -> Vec<Arc<Document>> {
        let inner = self.read();
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        *followed = Followed { kinds: kinds.into_iter().collect(), changed: BTreeMap::new() };
        let of_kind = |kind: &u8| inner.documents.get(kind).into_iter().flat_map(BTreeMap::values);
        let all = followed.kinds.iter().flat_map(of_kind);
        all.map(|one| Arc::clone(&one.document)).collect()
    }

    /// The documents of the kinds that are followed that have changed since then, in their last
    /// versions; removed ones are among them.
    pub fn take_changed(&self) -> Vec<Arc<Document>> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut followed.changed).into_values().collect()
    }

    /// Moves with each change.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// A document.
    pub fn find(&self, kind: &DocumentKind, token: &str) -> Option<Arc<Document>> {
        let inner = self.read();
        inner.documents.get(&kind.code)?.get(token).map(|one| Arc::clone(&one.document))
    }

    /// The body of a document; each is read once a version.
    pub fn body<T: Body>(&self, token: &str) -> Option<Arc<T>> {
        self.read().documents.get(&T::CODE)?.get(token)?.body()
    }

    /// The bodies of documents with a value of a key, by token.
    pub fn bodies_with<T: Body>(&self, name: &str, value: &str) -> Vec<Named<T>> {
        let inner = self.read();
        let tokens = inner.tokens(T::CODE, name, value);
        let of_kind = inner.documents.get(&T::CODE);
        let one = |token: &String| Some((token.clone(), of_kind?.get(token)?.body()?));
        tokens.filter_map(one).collect()
    }

    /// The bodies of all documents of a kind, by token.
    pub fn bodies<T: Body>(&self) -> Vec<Named<T>> {
        let inner = self.read();
        let of_kind = inner.documents.get(&T::CODE).into_iter().flatten();
        of_kind.filter_map(|(token, one)| Some((token.clone(), one.body()?))).collect()
    }

    /// Documents of a kind with a value of a key, by token.
    pub fn with_key(&self, kind: &DocumentKind, name: &str, value: &str) -> Vec<Arc<Document>> {
        let inner = self.read();
        let of_kind = inner.documents.get(&kind.code);
        let one = |token: &String| of_kind?.get(token).map(|one| Arc::clone(&one.document));
        inner.tokens(kind.code, name, value).filter_map(one).collect()
    }

    /// All documents of a kind, by token.
    pub fn all(&self, kind: &DocumentKind) -> Vec<Arc<Document>> {
        let inner = self.read();
        let of_kind = inner.documents.get(&kind.code).into_iter().flat_map(BTreeMap::values);
        of_kind.map(|one| Arc::clone(&one.document)).collect()
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

impl Indexed {
    fn body<T: Body>(&self) -> Option<Arc<T>> {
        let read = || {
            let body: T = serde_json::from_str(&self.document.body).ok()?;
            Some(Arc::new(body) as Arc<dyn Any + Send + Sync>)
        };
        self.body.get_or_init(read).clone()?.downcast().ok()
    }
}

impl Inner {
    fn tokens<'a>(
        &'a self,
        code: u8,
        name: &'a str,
        value: &str,
    ) -> impl Iterator<Item = &'a String> + use<'a> {
        let tokens = self.keys.get(&(code, name)).and_then(|values| values.get(value));
        tokens.into_iter().flatten()
    }

    fn enter(&mut self, document: Arc<Document>, keys: Vec<Key>) {
        let (code, token) = (document.kind.code, document.token.clone());
        let of_kind = self.documents.entry(code).or_default();
        if let Some(before) = of_kind.remove(&token) {
            for Key { name, value } in before.keys {
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
        of_kind.insert(token, Indexed { document, keys, body: OnceLock::new() });
    }
}
