//! The table `[store]`: where what is committed is kept.

use std::path::PathBuf;

use lastmeter_store::{Database, STORES, StoreKind};
use serde::Deserialize;

use super::{ConfigError, Pem, Token};

/// The store of each tenant: all of it of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite`, a file in the data folder, or `postgres`, a schema of a database.
    pub kind: String,
    /// The database, for `postgres` only: `postgresql://USER@HOST:PORT/DATABASE` or
    /// `host=HOST user=USER dbname=DATABASE`.
    pub url: Option<Token>,
    /// What the names of its schemas begin with, before those of the tenants.
    pub schema_prefix: String,
    /// A file with the password of the database's user, if it has one.
    pub password_file: Option<PathBuf>,
    /// The authorities by which the database's server is known. With them it is spoken to over TLS
    /// alone, by the name in `url`; without, in plain text.
    pub server_authority: Option<Pem>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        let kind = "sqlite".to_owned();
        let schema_prefix = "t_".to_owned();
        Self { kind, url: None, schema_prefix, password_file: None, server_authority: None }
    }
}

impl StoreConfig {
    /// Schemas of the database of an address that has all it takes.
    pub fn postgres(url: impl Into<String>) -> Self {
        Self { kind: "postgres".to_owned(), url: Some(Token::new(url)), ..Self::default() }
    }

    /// The kind of store.
    pub(crate) fn kind(&self) -> Result<&'static StoreKind, ConfigError> {
        let known = STORES.iter().find(|kind| kind.name == self.kind);
        known.ok_or_else(|| {
            ConfigError::value("store.kind", &self.kind, "give `sqlite` or `postgres`")
        })
    }

    /// Refuses settings that contradict each other.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let error = |key, found: &str, expected| Err(ConfigError::value(key, found, expected));
        let is_file = self.kind()?.name == "sqlite";
        let of_database = self.password_file.is_some() || self.server_authority.is_some();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let prefix = &self.schema_prefix;
        if prefix.len() > 30 || !prefix.bytes().all(is_plain) {
            return error("store.schema_prefix", prefix, "give at most 30 letters, digits and `_`");
        }
        match &self.url {
            None if !is_file => error("store.url", "missing", "name the database"),
            None if of_database => error("store.url", "missing", "name the database of the keys"),
            Some(_) if is_file => {
                error("store.url", "given", "leave it out, or set `store.kind = \"postgres\"`")
            }
            Some(url) => match Database::new(url.reveal(), prefix) {
                Ok(_) => Ok(()),
                Err(_) => error(
                    "store.url",
                    "not an address",
                    "write it as postgresql://USER@HOST:PORT/DATABASE",
                ),
            },
            None => Ok(()),
        }
    }
}
