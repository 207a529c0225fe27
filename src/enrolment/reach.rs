//! Whether an admin's code opens anything for a user, as the site is set up (rules F3).
//!
//! The portal asks it before it looks at a code; commands and staff's pages ask it before they issue one, so that nobody is handed a
//! code that no page takes. Pure.

use crate::config::Config;
use crate::store::User;

/// Why no page would take an admin's code of this user; each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeBarred {
    /// Codes are typed in the portal, by users and staff alike.
    #[error(
        "no page takes a code: give [portal] a url. On this host `vestibule token add NAME totp` makes a method without one"
    )]
    NoPortal,
    /// The site anchors first enrolments elsewhere.
    #[error(
        "[portal] first_enrolment does not list \"admin_code\", and this user never had a method: add it there, or let the user \
         enrol as the site has it"
    )]
    NotListed,
}

/// Whether the portal takes an admin's code of this user. First enrolments go by `first_enrolment`; who had a method before ("later
/// methods need a factored session or an admin's code") and staff are helped wherever there is a portal. What users may do
/// *for themselves* bars nobody whom the help desk helps.
///
/// # Errors
/// [`CodeBarred`].
pub fn takes_admin_code(config: &Config, user: &User) -> Result<(), CodeBarred> {
    let portal = config.portal.as_ref().ok_or(CodeBarred::NoPortal)?;
    let is_helped = user.ever_enrolled || config.policy.is_staff(&user.groups);
    if is_helped || portal.first_enrolment.admin_code { Ok(()) } else { Err(CodeBarred::NotListed) }
}
