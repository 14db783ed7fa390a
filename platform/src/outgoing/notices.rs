//! Notifications: each is sent when its time comes, at least once, under its token, until the other
//! side has taken it or it is given up. In its owner's quiet hours only what is critical is sent.

use std::collections::BTreeMap;

use lastmeter_model::access::PrincipalRef;
use lastmeter_model::calendar::Zone;
use lastmeter_model::document::{Edit, Expect, Transaction};
use lastmeter_model::entity::{
    Attempt, Body as _, Channel, Notification, NotificationState, TenantSettings, User, quiet_until,
};
use lastmeter_outgoing::{Asked, Message, OutgoingError, Url};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde_json::json;

use super::Outgoing;
use crate::commands::InvokeError;

/// Notifications that are sent side by side.
const AT_ONCE: usize = 16;
/// How long one is kept after it was sent or given up.
const KEPT: SimDuration = SimDuration::from_seconds(30 * 86_400);
/// Of one owner so many are kept.
const KEPT_MAX: usize = 200;
/// So many are removed at once.
const REMOVED_AT_ONCE: usize = 100;
/// Who changes them.
const BY: &str = "outgoing";

/// One that waits.
struct Waiting {
    token: String,
    version: u64,
    body: Notification,
    due: SimTime,
}

impl Outgoing {
    /// Those that wait, by when they are due.
    fn waiting(&self) -> Vec<Waiting> {
        let documents = &self.core.documents;
        let all =
            documents.with_key(Notification::kind(), "state", NotificationState::Waiting.word());
        let one = |document: &lastmeter_model::document::Document| {
            let body: Notification = serde_json::from_str(&document.body).ok()?;
            let (token, version, due) = (document.token.clone(), document.version, body.next?);
            Some(Waiting { token, version, body, due })
        };
        let mut all: Vec<_> = all.iter().filter_map(|document| one(document)).collect();
        all.sort_by(|one, other| (one.due, &one.token).cmp(&(other.due, &other.token)));
        all
    }

    /// When the next notification is due.
    pub(super) fn next_notice(&self) -> Option<SimTime> {
        self.waiting().first().map(|one| one.due)
    }

    /// Sends those that are due, side by side, and keeps what came of it.
    pub(super) async fn send_notices(&self, at: SimTime) -> Result<(), InvokeError> {
        let mut due = self.waiting();
        due.retain(|one| one.due <= at);
        due.truncate(AT_ONCE);
        if due.is_empty() {
            return Ok(());
        }
        let mut sending = tokio::task::JoinSet::new();
        let mut after: BTreeMap<usize, Notification> = BTreeMap::new();
        for (place, one) in due.iter().enumerate() {
            let owner = self.owner(&one.body);
            let quiet = owner.as_ref().and_then(|user| self.quiet_until(user, &one.body, at));
            if quiet.is_some() {
                after.insert(place, Notification { next: quiet, ..one.body.clone() });
                continue;
            }
            let to = one.body.to.as_ref().map(ToString::to_string);
            let to = to.or_else(|| Some(owner?.email.as_ref()?.to_string()));
            let attempt = self.attempt(&one.token, &one.body, to);
            sending.spawn(async move { (place, attempt.await) });
        }
        while let Some(done) = sending.join_next().await {
            let Ok((place, attempt)) = done else { continue };
            if let Attempt::Failed(why) | Attempt::Refused(why) = &attempt {
                tracing::info!(token = due[place].token, why, "a notification was not taken");
            }
            after.insert(place, due[place].body.clone().after(attempt, at));
        }
        let kind = Notification::kind();
        let edit = |(place, body): (usize, Notification)| {
            let Waiting { token, version, .. } = &due[place];
            let expect = Expect::Version(*version);
            let body = serde_json::to_value(body).ok();
            Edit { kind, token: Some(token.clone()), expect, body }
        };
        let edits: Vec<_> = after.into_iter().map(edit).chain(self.old(at)).collect();
        let _changing = self.core.changing.lock().await;
        // Somebody may have removed one meanwhile: the others stand, each by itself.
        for edit in edits {
            let change =
                Transaction { reserve: true, ..Transaction::of(BY.to_owned(), vec![edit]) };
            self.core.dispatcher.apply(change).await?;
        }
        Ok(())
    }

    /// Removals of those that were sent or given up long ago, and of an owner's that are too many.
    fn old(&self, at: SimTime) -> Vec<Edit> {
        let settled =
            [NotificationState::Sent, NotificationState::Failed].into_iter().flat_map(|state| {
                self.core.documents.bodies_with::<Notification>("state", state.word())
            });
        let mut settled: Vec<_> = settled.collect();
        settled.sort_by_key(|(_, body)| std::cmp::Reverse(body.settled));
        let mut of_owner: BTreeMap<String, usize> = BTreeMap::new();
        let is_old = |(_, body): &(String, std::sync::Arc<Notification>)| {
            let owner = body.owner.as_ref().map(ToString::to_string).unwrap_or_default();
            let count = of_owner.entry(owner).or_default();
            *count += 1;
            *count > KEPT_MAX || body.settled.is_some_and(|end| at.since(end) > KEPT)
        };
        settled.retain(is_old);
        let kind = Notification::kind();
        let remove =
            |(token, _)| Edit { kind, token: Some(token), expect: Expect::Anything, body: None };
        settled.into_iter().rev().take(REMOVED_AT_ONCE).map(remove).collect()
    }

    /// The account of whose it is, as long as it is there.
    fn owner(&self, of: &Notification) -> Option<std::sync::Arc<User>> {
        let Some(PrincipalRef::User(name)) = &of.owner else { return None };
        self.core.documents.body::<User>(&name.to_string()).filter(|user| !user.disabled)
    }

    /// Until when it has to wait, if its owner wants quiet now.
    fn quiet_until(&self, user: &User, of: &Notification, at: SimTime) -> Option<SimTime> {
        if of.level >= AlertLevel::Critical {
            return None;
        }
        let settings = || self.core.documents.bodies::<TenantSettings>().into_iter().next();
        let zone = user.time_zone.clone();
        let zone = zone.or_else(|| settings().map(|(_, settings)| settings.time_zone.clone()));
        quiet_until(user, &zone.unwrap_or_else(Zone::utc), at)
    }

    /// One attempt; it takes at most ten seconds.
    pub(super) fn attempt(
        &self,
        token: &str,
        body: &Notification,
        to: Option<String>,
    ) -> impl Future<Output = Attempt> + Send + 'static {
        let (web, mail) = (self.web.clone(), self.mail.clone());
        let (channel, token) = (body.channel, token.to_owned());
        let (subject, text) = (body.subject.to_string(), body.text.to_string());
        let sent = json!({
            "id": token, "tenant": self.core.name.as_str(), "subject": subject, "text": text,
            "level": body.level.word(), "cause": body.cause, "at": body.at,
        });
        async move {
            let refused = |why: &str| Attempt::Refused(why.to_owned());
            match (channel, to, mail) {
                (Channel::Webhook, Some(to), _) => {
                    let url: Result<Url, String> = to.parse();
                    let Ok(url) = url else { return refused("the address is none of the web") };
                    let asked = Asked {
                        body: Some(("application/json", sent.to_string().into_bytes())),
                        headers: vec![("idempotency-key", token)],
                        ..Asked::default()
                    };
                    match web.send(&url, asked).await.and_then(lastmeter_outgoing::Reply::taken) {
                        Ok(_) => Attempt::Taken,
                        Err(OutgoingError::Refused(why)) => Attempt::Refused(why),
                        Err(OutgoingError::Failed(why)) => Attempt::Failed(why),
                    }
                }
                (Channel::Email, Some(to), Some(mail)) => {
                    match mail.send(Message { id: token, to, subject, text }).await {
                        Ok(()) => Attempt::Taken,
                        Err(OutgoingError::Refused(why)) => Attempt::Refused(why),
                        Err(OutgoingError::Failed(why)) => Attempt::Failed(why),
                    }
                }
                (Channel::Email, Some(_), None) => refused("no mail server is set"),
                (Channel::Email, None, _) => refused("the owner's account has no address of mail"),
                (Channel::Webhook, None, _) => refused("it has no address"),
            }
        }
    }
}
