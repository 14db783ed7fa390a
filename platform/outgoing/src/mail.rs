//! One message to a mail server, by SMTP.

use std::fmt;

use lettre::address::AddressError;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport as _, Tokio1Executor};

use crate::TIME_LIMIT;
use crate::error::OutgoingError;

lastmeter_units::words! {
    /// How the way to a mail server is encrypted.
    pub enum Encryption in files {
        /// From the first byte on.
        Tls = "tls",
        /// Before anything is told.
        StartTls = "starttls",
        /// Not at all, for a server of this machine.
        None = "none",
    }
}

/// A mail server, and as whom it is spoken to.
#[derive(Clone)]
pub struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer").field("from", &self.from.to_string()).finish_non_exhaustive()
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is known by: the same one sent again has the same id.
    pub id: String,
    /// To whom.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// The rest.
    pub text: String,
}

impl MailServer {
    /// A server at `host` and `port`; `from` is whom its messages are from, `user` a name and a
    /// password, `authority_pem` the authority that it is known by in place of the machine's.
    ///
    /// # Errors
    /// If an address or a certificate is none.
    pub fn new(
        (host, port): (&str, u16),
        from: &str,
        (encryption, authority_pem): (Encryption, Option<&str>),
        user: Option<(String, String)>,
    ) -> Result<Self, String> {
        let from: Mailbox = from.parse().map_err(|error: AddressError| error.to_string())?;
        let mut tls = TlsParameters::builder(host.to_owned());
        if let Some(pem) = authority_pem {
            let certificate = Certificate::from_pem(pem.as_bytes());
            tls = tls
                .certificate_store(CertificateStore::None)
                .add_root_certificate(certificate.map_err(|error| error.to_string())?);
        }
        let parameters = || tls.build_rustls().map_err(|error| error.to_string());
        let tls = match encryption {
            Encryption::Tls => Tls::Wrapper(parameters()?),
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(TIME_LIMIT));
        if let Some((name, password)) = user {
            transport = transport.credentials(Credentials::new(name, password));
        }
        Ok(Self { transport: transport.build(), from })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn send(&self, message: Message) -> Result<(), OutgoingError> {
        let Message { id, to, subject, text } = message;
        let refused = |why: &dyn fmt::Display| OutgoingError::Refused(format!("`{to}`: {why}"));
        let mailbox: Mailbox = to.parse().map_err(|error: AddressError| refused(&error))?;
        let built = MessageBuilder::new()
            .from(self.from.clone())
            .to(mailbox)
            .subject(subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(text);
        let built = built.map_err(|error| refused(&error))?;
        let sent = tokio::time::timeout(TIME_LIMIT, self.transport.send(built)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(told(&error)),
            Err(_) => Err(OutgoingError::Failed(format!(
                "the mail server did not answer within {TIME_LIMIT:?}"
            ))),
        }
    }
}

fn told(error: &Error) -> OutgoingError {
    let why = format!("the mail server: {error}");
    if error.is_permanent() { OutgoingError::Refused(why) } else { OutgoingError::Failed(why) }
}

#[cfg(test)]
mod tests;
