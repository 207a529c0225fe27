//! The user's own pages: methods, phones, codes, PIN, recent logins; and the first method of all.
//!
//! What `users_may` switches off is not on a page, and its route answers 403 and says who helps. A method is made, renamed or
//! removed only by somebody who proved a factor within ten minutes, or whose first enrolment has its trust anchor and who has
//! no method yet (rules F3). Every change is written down, mailed to its user, gives the session another id and ends the user's
//! others. No GET changes anything, nothing needs a script, and no secret stands in an address but the phone's activation, behind
//! its `#`. It decides nothing about a login and keeps nothing but, for ten minutes, what a phone that is being activated must read.
//!
//! Read in this order: `room` (what handlers share, and who may), `home`, then one file a task: `app`, `hardware`, `phones`,
//! `testing`, `tokens`, `remove`, `pin`, `password`, `recovery`, `choose`, `logins` with their `words`.

mod app;
mod choose;
mod hardware;
mod home;
mod logins;
mod password;
mod phones;
mod pin;
mod recovery;
mod remove;
mod room;
mod testing;
mod tokens;
mod waiting;
mod words;

use std::sync::Arc;

use axum::Router;

use crate::engine::{Clock, Engine};
use crate::hashing::Hasher;
use crate::sign_in::{ConfigHandle, SignIn, guarded, routes};
use crate::store::{Store, WebRealm};
use crate::web::quick;

use room::Portal;

/// What the portal is made of.
#[derive(Clone)]
pub struct PortalParts {
    /// What lasts.
    pub store: Arc<dyn Store>,
    /// Rings phones.
    pub engine: Engine,
    /// The configuration in force, read anew for each request.
    pub config: ConfigHandle,
    /// The doors, the portal's own: what is tried here keeps no staff out.
    pub sign_in: SignIn,
    /// The house's clock.
    pub clock: Clock,
    /// Hashes PINs beside the threads that serve.
    pub hasher: Hasher,
}

/// The portal's pages, its sign-in and its files, for the root of its address. Bodies and times are bounded; headers are the
/// door's.
pub fn router(parts: PortalParts) -> Router {
    let sign_in = parts.sign_in.clone();
    let portal = Portal::new(parts);
    let pages = Router::new()
        .merge(home::routes())
        .merge(app::routes())
        .merge(hardware::routes())
        .merge(phones::routes())
        .merge(testing::routes())
        .merge(remove::routes())
        .merge(tokens::routes())
        .merge(pin::routes())
        .merge(password::routes())
        .merge(recovery::routes())
        .merge(choose::routes())
        .merge(logins::routes())
        .fallback(home::nowhere)
        .with_state(portal.clone());
    quick(guarded(pages, portal.desk()).merge(routes(sign_in, WebRealm::Portal)))
}
