//! What a tenant sends to others outside, and reads of them: notifications, and connections to
//! sources. What there is to do stands in documents; here is when, and what came of it. Nothing
//! waits for it.
//!
//! | file | purpose |
//! |---|---|
//! | `notices` | notifications, each sent until it is taken or given up |
//! | `connections` | sources, each read again and again into documents |

mod connections;
mod notices;

use std::time::Duration;

use lastmeter_outgoing::{ClientTls, Hosts, MailServer, Url, Web};
use lastmeter_store::lock;
use lastmeter_units::{SimDuration, SimTime};

use crate::certificates;
use crate::commands::InvokeError;
use crate::config::{ClockSource, Config, MailConfig};
use crate::error::PlatformError;
use crate::services::Core;

pub(crate) use connections::{Connection, State};

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// How long nothing is looked at on the wall's clock although nothing is due.
const LOOK_AGAIN: SimDuration = SimDuration::from_seconds(60);

/// What a tenant sends and reads.
pub(crate) struct Outgoing {
    core: Core,
    web: Web,
    mail: Option<MailServer>,
    connections: Vec<Connection>,
    /// Held by who sends: nothing is sent twice at a time.
    sending: tokio::sync::Mutex<()>,
    /// Held by who reads a source.
    reading: tokio::sync::Mutex<()>,
}

impl Outgoing {
    /// That of a tenant, by the settings.
    pub(crate) fn new(config: &Config, core: Core) -> Result<Self, PlatformError> {
        let settings = &config.outgoing;
        let unusable = |error| PlatformError::Tls(Box::new(error));
        let tls = match &settings.authority {
            Some(pem) => certificates::client("outgoing.authority", pem).map_err(unusable)?,
            None => ClientTls::of_machine().map_err(|error| PlatformError::Tls(Box::new(error)))?,
        };
        let mail = settings.mail.as_ref().map(|mail| mail_server(mail, config)).transpose()?;
        let of_tenant = config.connections.iter().filter(|one| one.tenant == core.name);
        let connections = of_tenant.map(|one| Connection::new(one, &tls)).collect::<Result<_, _>>();
        let web = Web::new(Hosts::new(settings.named()?), tls);
        let (sending, reading) = Default::default();
        Ok(Self { core, web, mail, connections: connections?, sending, reading })
    }

    /// Whether a webhook may be at an address.
    pub(crate) fn may_reach(&self, url: &Url) -> bool {
        self.web.may_reach(url)
    }

    /// The sources of the tenant.
    pub(crate) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Reads a source now.
    pub(crate) async fn read(&self, connection: &Connection) -> Result<State, InvokeError> {
        let _alone = self.reading.lock().await;
        self.read_into(connection, self.core.clock.now()).await?;
        Ok(lock(&connection.state).clone())
    }

    /// The next instant, not after one, at which something is to be done.
    pub(crate) fn next(&self, until: SimTime) -> Option<SimTime> {
        let due = self.next_notice().into_iter().chain(self.next_reading(until)).min();
        due.filter(|at| *at <= until)
    }

    /// Does what is due at an instant.
    pub(crate) async fn step(&self, at: SimTime) -> Result<(), InvokeError> {
        self.send(at).await?;
        self.read_due(at).await
    }

    async fn send(&self, at: SimTime) -> Result<(), InvokeError> {
        let _alone = self.sending.lock().await;
        self.send_notices(at).await
    }

    async fn read_due(&self, at: SimTime) -> Result<(), InvokeError> {
        let _alone = self.reading.lock().await;
        self.read_sources(at).await
    }

    /// Does what is due on the wall's clock; on a driven one it never does anything. No message
    /// waits for a source.
    pub(crate) async fn follow(&self) {
        if self.core.clock.source == ClockSource::Driven {
            return std::future::pending().await;
        }
        let next_notice = |until: SimTime| self.next_notice().filter(|at| *at <= until);
        let news = || self.core.dispatcher.attention.outgoing.notified();
        let notices = self.follow_one(news, next_notice, |at| self.send(at));
        let next_reading = |until: SimTime| self.next_reading(until);
        let sources = self.follow_one(std::future::pending, next_reading, |at| self.read_due(at));
        tokio::join!(notices, sources);
    }

    /// Does one kind of things, each when it is due; `news` is when something is there that was
    /// not.
    async fn follow_one<N: Future<Output = ()>, F: Future<Output = Result<(), InvokeError>>>(
        &self,
        news: impl Fn() -> N,
        next: impl Fn(SimTime) -> Option<SimTime>,
        step: impl Fn(SimTime) -> F,
    ) {
        let clock = &self.core.clock;
        loop {
            let now = clock.now();
            let pause = if next(now).is_some() {
                match step(now).await {
                    Ok(()) => continue,
                    Err(InvokeError::Stopped(_)) => return,
                    Err(error) => {
                        tracing::warn!(%error, "what is outside could not be reached");
                        PAUSE
                    }
                }
            } else {
                let wait = next(now + LOOK_AGAIN).map_or(LOOK_AGAIN, |at| at.since(now));
                Duration::from_nanos(wait.0.max(1_000_000).unsigned_abs())
            };
            // Either something is new, or it is time: both are looked at.
            drop(tokio::time::timeout(pause, news()).await);
        }
    }
}

fn mail_server(mail: &MailConfig, config: &Config) -> Result<MailServer, PlatformError> {
    let user = match (&mail.user, &mail.password_file) {
        (Some(user), Some(path)) => Some((user.clone(), secret(path)?)),
        _ => None,
    };
    let authority = &config.outgoing.authority;
    let authority = authority.as_ref().map(|pem| certificates::text("outgoing.authority", pem));
    let authority = authority.transpose().map_err(|error| PlatformError::Tls(Box::new(error)))?;
    let how = (mail.encryption, authority.as_deref());
    let server = MailServer::new((&mail.host, mail.port), &mail.from, how, user);
    server.map_err(|why| {
        let expected = "give a server and an address of mail such as meters@example.org";
        crate::config::ConfigError::value("outgoing.mail", why, expected).into()
    })
}

/// A secret that is in a file.
fn secret(path: &std::path::Path) -> Result<String, PlatformError> {
    let read = std::fs::read_to_string(path);
    Ok(read.map_err(PlatformError::io("read the secret", path))?.trim_end().to_owned())
}

#[cfg(test)]
mod tests;
