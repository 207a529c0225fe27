//! D6 and D7 by an arithmetic of its own: what the primary was asked, under which name, from where, and what it said.

use login::answer::Reject;
use login::{AskerId, PhoneAnswer, Reason, ResolvedUser};

use crate::reference::Tried;
use crate::scene::REJECTION;
use crate::shield::aloud;
use crate::store::{Happened, PromptRow};
use crate::world::{Check, World};

/// So many wrong passwords of a name may the primary hear from strangers within half an hour; and so many of each known station.
const MOST: usize = 4;
const WINDOW_MS: u64 = 30 * 60 * 1000;

/// No more than four wrong ones within half an hour, counting what is under way (D7).
pub(crate) fn d7_the_primary_hears_so_many_and_no_more(world: &World, next: &Tried) -> Check {
    let before = counting(world, &next.aloud, next.known_at.as_deref(), next.lifts);
    if before < MOST {
        return Ok(());
    }
    Err(("D7", format!("the primary is asked about {:?} ({:?}) after {before} others", next.aloud, next.known_at)))
}

/// A known station counts apart, and strangers' failures never hold it back (D7).
pub(crate) fn d7_a_known_station_is_not_held_by_strangers(
    world: &World,
    claimed: &ResolvedUser,
    known_at: Option<&str>,
    lifts: u64,
) -> Check {
    let own = counting(world, &aloud(claimed), known_at, lifts);
    if own >= MOST {
        return Ok(());
    }
    Err(("D7", format!("{claimed} is held back at {known_at:?} after {own} of its own")))
}

/// A name that is held back is asked about once a phone of its owner's said yes, and not before (D7).
pub(crate) fn d7_only_its_owner_lets_a_held_name_be_asked_about(world: &World, claimed: &ResolvedUser) -> Check {
    let said_yes = |row: &PromptRow| {
        row.unproven && row.user == claimed.as_str() && row.log.contains(&Happened::Said(PhoneAnswer::Approve))
    };
    if world.store.current.prompts.values().any(said_yes) {
        return Ok(());
    }
    Err(("D7", format!("{claimed} is held back, and the primary is asked though no phone said yes")))
}

/// Wrong ones of this life of the server within the half hour, and those of which nobody knows yet.
fn counting(world: &World, name: &str, known_at: Option<&str>, lifts: u64) -> usize {
    let counts = |tried: &&Tried| {
        let same = tried.epoch == world.epoch && tried.aloud == name && tried.known_at.as_deref() == known_at;
        same && tried.lifts >= lifts
            && tried.answered.is_none_or(|(at, wrong)| {
                world.now < at || (wrong && world.now.since(at).as_millis() < u128::from(WINDOW_MS))
            })
    };
    world.reference.tried.iter().filter(counts).count()
}

/// Who is refused after the primary's yes, or without asking it, hears it no sooner than the primary's own no (D6).
pub(crate) fn d6_a_no_after_the_yes_takes_as_long_as_the_primarys(
    world: &World,
    asker: AskerId,
    reject: &Reject,
) -> Check {
    let first_door = matches!(
        reject.reason,
        Reason::Blocked
            | Reason::LookAlike
            | Reason::Rule
            | Reason::NoRule
            | Reason::Undecided
            | Reason::Unenrolled
            | Reason::NameHeld
    );
    let asked = world.reference.asked(asker);
    let known = world.reference.login_of(asker).filter(|known| first_door && !known.challenged);
    let Some(asked_at) = known.and_then(|known| known.asked_at) else { return Ok(()) };
    let due = asked_at.plus(REJECTION).min(asked.until);
    if world.now >= due || world.engine.draining || asked.repeats.is_some() {
        return Ok(());
    }
    Err(("D6", format!("{asker:?} is refused ({:?}) {} ms too soon", reject.reason, due.0 - world.now.0)))
}
