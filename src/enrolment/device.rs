//! A new device for a user, by an admin's hand (rules F3: `device add` on the host needs no test push).

use login::{DeviceId, ResolvedUser, Wall};

use super::token::EnrolmentError;
use crate::store::{Channel, Devices};

/// A device that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Its id, as commands show it.
    pub device: DeviceId,
    /// Where its user goes on; `None` for a channel that needs nothing of the user (webhook, loopback).
    pub url: Option<String>,
}

/// Gives a user a device, durable when this returns. A webhook device is told of logins and proves nothing (rules B4).
///
/// # Errors
/// [`EnrolmentError::Store`]: no such user, too many devices, or the store itself.
pub async fn add_device(
    store: &dyn Devices,
    user: &ResolvedUser,
    channel: Channel,
    label: Option<String>,
    at: Wall,
) -> Result<NewDevice, EnrolmentError> {
    let device = store.add_device(user, channel, label, at).await?;
    let url = match channel {
        // A phone with a key of its own is activated by `Phones::begin_activation`, which makes its address.
        Channel::Webhook | Channel::Loopback | Channel::WebPush | Channel::PrivacyIdea => None,
    };
    Ok(NewDevice { device, url })
}
