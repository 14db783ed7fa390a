//! The database that the stores of tenants are in, where they are not in the data folder.

use lastmeter_store::{Database, StoreError};
use lastmeter_units::TenantName;

use crate::certificates;
use crate::config::StoreConfig;
use crate::error::PlatformError;

/// Where the store of a tenant is, if it is in a database.
pub(crate) fn of(
    config: &StoreConfig,
    tenant: &TenantName,
) -> Result<Option<Database>, PlatformError> {
    let Some(url) = &config.url else { return Ok(None) };
    let schema = format!("{}{tenant}", config.schema_prefix);
    let mut database = Database::new(url.reveal(), &schema).map_err(StoreError::from)?;
    if let Some(path) = &config.password_file {
        let password = std::fs::read_to_string(path)
            .map_err(PlatformError::io("read the password of the database's user", path))?;
        database = database.with_password(password.trim_end());
    }
    if let Some(authority) = &config.server_authority {
        let client = certificates::load_client("store.server_authority", authority);
        database = database.with_tls(client.map_err(|error| PlatformError::Tls(Box::new(error)))?);
    }
    Ok(Some(database))
}

/// Removes what a tenant that is not open has in a database. It blocks, outside of any runtime.
///
/// # Errors
/// If somebody has it open, or the server does not do so.
pub fn remove_store(config: &StoreConfig, tenant: &TenantName) -> Result<(), PlatformError> {
    match of(config, tenant)? {
        Some(database) => Ok(database.remove()?),
        None => Ok(()),
    }
}
