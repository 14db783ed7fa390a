//! Which devices something may be sent to: those that have subscribed, that were heard, or for
//! which there is something new. Whatever else is open waits, and is not read.

use std::collections::BTreeSet;
use std::sync::Mutex;

use lastmeter_store::lock;
use lastmeter_units::HardwareId;
use tokio::sync::Notify;

/// What to look at.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Devices that have just subscribed to their commands.
    pub(crate) subscribed: BTreeSet<HardwareId>,
    /// Devices with a mailbox that were heard, and those with commands that nobody has sent yet.
    pub(crate) heard: BTreeSet<HardwareId>,
    /// Whether batches may go on.
    pub(crate) batches: bool,
    /// Whether devices came through another door than before.
    pub(crate) routes: bool,
}

/// What to look at, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    waiting: Mutex<Waiting>,
    changed: Notify,
    /// Documents have changed.
    pub(crate) documents: Notify,
    /// There is something to send to others outside.
    pub(crate) outgoing: Notify,
    /// On a driven clock all but subscriptions wait for the next advance.
    is_driven: bool,
}

impl Attention {
    /// Of a tenant on this clock.
    pub(crate) fn new(is_driven: bool) -> Self {
        Self { is_driven, ..Self::default() }
    }

    /// Waits until there is something, and takes it.
    pub(crate) async fn take(&self) -> Waiting {
        loop {
            let taken = if self.is_driven {
                let subscribed = std::mem::take(&mut lock(&self.waiting).subscribed);
                Waiting { subscribed, ..Waiting::default() }
            } else {
                self.take_now()
            };
            let Waiting { subscribed, heard, batches, routes } = &taken;
            if !subscribed.is_empty() || !heard.is_empty() || *batches || *routes {
                return taken;
            }
            self.changed.notified().await;
        }
    }

    /// Takes all that there is.
    pub(crate) fn take_now(&self) -> Waiting {
        std::mem::take(&mut *lock(&self.waiting))
    }

    /// Takes whether batches may go on.
    pub(crate) fn take_batches(&self) -> bool {
        std::mem::take(&mut lock(&self.waiting).batches)
    }

    /// A device has subscribed to its commands.
    pub(crate) fn subscribed(&self, device: HardwareId) {
        self.change(|waiting| _ = waiting.subscribed.insert(device));
    }

    /// A device with a mailbox was heard, or there is something for a device.
    pub(crate) fn heard(&self, device: HardwareId) {
        self.change(|waiting| _ = waiting.heard.insert(device));
    }

    /// Batches may go on.
    pub(crate) fn batches(&self) {
        self.change(|waiting| waiting.batches = true);
    }

    /// A device came through another door than before.
    pub(crate) fn routes(&self) {
        self.change(|waiting| waiting.routes = true);
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut lock(&self.waiting));
        self.changed.notify_one();
    }
}
