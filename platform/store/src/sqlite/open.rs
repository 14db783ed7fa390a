//! A tenant's file as a row of the stores.

use std::sync::Arc;

use super::{ReadContext, Readers, STORE_FILE, SqliteWriter, load, open_for_writing};
use crate::error::{StoreError, StoreResult};
use crate::files;
use crate::stores::{OpenStore, StorePlace};

/// Opens the file of a place, making it if it is not there.
pub(crate) fn open(place: &StorePlace) -> StoreResult<OpenStore> {
    let folder = &place.folder;
    files::make_folder(folder)
        .map_err(|source| StoreError::File { path: folder.clone(), source })?;
    let path = folder.join(STORE_FILE);
    let mut opened = open_for_writing(&path)?;
    let context = ReadContext {
        quantities: Arc::new(opened.quantities.clone()),
        devices: Arc::clone(&place.devices),
        observer: Arc::clone(&place.observer),
    };
    let expiries = load(&mut opened, &context, (place.tenant.as_str(), &path))?;
    Ok(OpenStore {
        reader: Arc::new(Readers::new(&path, context.clone(), place.deadline)),
        standing: opened.standing,
        writer: Box::new(SqliteWriter::new(opened.connection, context)),
        expiries,
    })
}
