//! The tables `[outgoing]` and `[[connection]]`: what the platform itself asks of others outside,
//! and sends to them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lastmeter_model::entity::AssetCategory;
use lastmeter_outgoing::{Encryption, Host, SOURCES, SourceKind};
use lastmeter_units::TenantName;
use serde::Deserialize;

use super::{ConfigError, Pem, TENANT, Token};

/// What the platform may send to. Without it nothing is sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutgoingConfig {
    /// Hosts that webhooks reach: `hooks.example.org` for the ports 80 and 443,
    /// `hooks.example.org:8443`, or an address. A name that leads to the loopback or a private
    /// network is refused; an address that is named here is not.
    pub hosts: Vec<String>,
    /// The authorities by which servers are known, in place of those of the machine.
    pub authority: Option<Pem>,
    /// The mail server.
    pub mail: Option<MailConfig>,
}

/// The mail server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whom messages are from: `meters@example.org`.
    pub from: String,
    /// `tls` from the first byte on, `starttls` before anything is told, or `none`.
    #[serde(default = "starttls")]
    pub encryption: Encryption,
    /// The user that the server asks for, if it does.
    pub user: Option<String>,
    /// A file with that user's password.
    pub password_file: Option<PathBuf>,
}

fn starttls() -> Encryption {
    Encryption::StartTls
}

/// A source outside that is read again and again into documents of a tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// Its name, which what comes of it carries as its origin.
    pub name: String,
    /// Whose documents it makes; default the first tenant's.
    #[serde(default = "first_tenant")]
    pub tenant: TenantName,
    /// `http-json`, `csv` or `postgres`.
    pub kind: String,
    /// How often it is read, in seconds.
    #[serde(default = "hour")]
    pub every_s: u32,
    /// What its rows become.
    pub into: Becomes,
    /// The column of each part of what they become; a part that is not named here has its own name.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Where it is, of `http-json` and `postgres`.
    pub url: Option<Token>,
    /// A file with the token that is shown there, of `http-json`.
    pub token_file: Option<PathBuf>,
    /// Where the list of rows is in the document, of `http-json`: a JSON pointer.
    pub rows: Option<String>,
    /// The file, of `csv`.
    pub file: Option<PathBuf>,
    /// The query, of `postgres`.
    pub query: Option<String>,
    /// A file with the password of the database's user.
    pub password_file: Option<PathBuf>,
    /// The authorities by which the server is known, in place of those of the machine; a database
    /// is spoken to in plain text without.
    pub authority: Option<Pem>,
}

/// What rows become.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Becomes {
    /// The points of a feed: of each row `at` and `value`.
    Feed {
        /// Its token.
        token: String,
        /// Name for people.
        name: String,
        /// `price`, `weather`, `loadForecast` or `alarm`.
        kind: String,
        /// Which quantity.
        quantity: String,
        /// The unit of its values.
        unit: String,
        /// For how long the last value holds, in seconds.
        last_s: u32,
    },
    /// Assets: of each row `token` and `name`.
    Assets {
        /// What they are.
        category: AssetCategory,
    },
}

fn first_tenant() -> TenantName {
    TenantName::new(TENANT).unwrap_or_default()
}

fn hour() -> u32 {
    3600
}

impl OutgoingConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.named().map(drop)
    }

    /// The hosts that may be reached.
    pub(crate) fn named(&self) -> Result<Vec<Host>, ConfigError> {
        let one = |text: &String| {
            let expected = "write it as hooks.example.org or hooks.example.org:8443";
            text.parse::<Host>()
                .map_err(|_| ConfigError::value("outgoing.hosts", format!("`{text}`"), expected))
        };
        self.hosts.iter().map(one).collect()
    }
}

impl ConnectionConfig {
    /// The kind of source.
    pub(crate) fn source_kind(&self) -> Result<&'static SourceKind, ConfigError> {
        let known = SOURCES.iter().find(|kind| kind.name == self.kind);
        let expected = "give `http-json`, `csv` or `postgres`";
        known.ok_or_else(|| ConfigError::value("connection.kind", &self.kind, expected))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let error = |key, found: String, expected| Err(ConfigError::value(key, found, expected));
        if self.name.is_empty() || self.name.len() > 64 {
            return error("connection.name", format!("`{}`", self.name), "give 1 to 64 bytes");
        }
        if self.every_s == 0 {
            return error("connection.every_s", "0".to_owned(), "give at least 1");
        }
        for (name, is_there) in [
            ("url", self.url.is_some()),
            ("file", self.file.is_some()),
            ("query", self.query.is_some()),
        ] {
            if self.source_kind()?.needs.contains(&name) && !is_there {
                let found = format!("missing in the connection `{}`", self.name);
                let expected = "give what this kind of connection reads";
                return error(key_of(name), found, expected);
            }
        }
        Ok(())
    }
}

fn key_of(name: &str) -> &'static str {
    match name {
        "url" => "connection.url",
        "file" => "connection.file",
        _ => "connection.query",
    }
}
