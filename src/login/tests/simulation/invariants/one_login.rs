//! Part B of the rules: one login, one prompt, one answer in time.

use login::answer::{Answer, Reject};
use login::policy::Join;
use login::session::Admission;
use login::{AskerId, LoginId, PromptClaim, PromptId, Reason, Tick};

use crate::appliance::passed;
use crate::network::Ask;
use crate::reference::{Asked, Given, Known, finds, same_login};
use crate::scene::appliance_of;
use crate::world::{Check, World};

/// The longest that a prompt lives (B5).
const PROMPT_MS: u64 = 120_000;
/// How long an ended login repeats its answer (B2).
const REPEATS_MS: u64 = 10_000;

/// Each request gets one answer, or none because a newer one took its place (B1, B2).
pub(crate) fn b1_one_answer(world: &World, asker: AskerId) -> Check {
    let asked = world.reference.asked(asker);
    match (&asked.answer, asked.superseded) {
        (None, _) if asked.unchecked => Err(("A10", format!("{asker:?} was left to ask elsewhere, and is answered"))),
        (None, false) => Ok(()),
        (Some(answer), _) => Err(("B1", format!("{asker:?} was answered {answer:?} before"))),
        (None, true) => Err(("B2", format!("{asker:?} was superseded, and is answered"))),
    }
}

/// Only L and P equal join; a bare sender waits beside its equal, and no signed one joins a bare one's (B2, D5).
pub(crate) fn b2_only_the_same_login_joins(world: &World, asker: AskerId, admission: &Admission) -> Check {
    let Admission::Join(login) = admission else { return Ok(()) };
    let Some(known) = world.reference.logins.get(login) else { return Ok(()) };
    let (ask, first) = (ask_of(world, asker), ask_of(world, known.begun_by));
    if !finds(ask, first) {
        return Err(("B2", format!("{ask:?} joins another login, {first:?}")));
    }
    if ask.typed != first.typed {
        return Err(("B2", format!("{ask:?} joins with another credential than {first:?}")));
    }
    Ok(())
}

/// L and P equal to a login that runs: the asker joins it; no primary, no prompt (B2).
pub(crate) fn b2_equal_l_and_p_join(world: &World, asker: AskerId, admission: &Admission) -> Check {
    let ask = ask_of(world, asker);
    if !matches!(admission, Admission::Begin) || ask.state.is_some() {
        return Ok(());
    }
    let runs = |known: &&Known| {
        let first = world.reference.asked(known.begun_by);
        let equal = finds(ask, &first.packet.ask) && ask.typed == first.packet.ask.typed;
        // Rules F8: beside a screen that shows a number a signed asker is shown one of its own.
        let same = equal && first.epoch == world.epoch && (known.shown.is_none() || !ask.authentic);
        same && known.records == 0 && known.releases == 0
    };
    match world.reference.logins.values().find(runs) {
        Some(known) => Err(("B2", format!("{asker:?} begins anew though {:?} has the same L and P", known.begun_by))),
        None => Ok(()),
    }
}

/// A bare request whose equal is held waits: it is not refused beside it (D5).
pub(crate) fn d5_a_bare_reask_is_not_refused_beside_its_equal(
    world: &World,
    asker: AskerId,
    admission: &Admission,
) -> Check {
    let ask = ask_of(world, asker);
    if ask.authentic || ask.state.is_some() || !matches!(admission, Admission::Refuse(_)) {
        return Ok(());
    }
    let held = |known: &&Known| {
        let first = world.reference.asked(known.begun_by);
        finds(ask, &first.packet.ask) && first.epoch == world.epoch && known.records == 0 && known.releases == 0
    };
    match world.reference.logins.values().find(held) {
        Some(known) => Err(("D5", format!("{asker:?} is refused though {:?} is held", known.begun_by))),
        None => Ok(()),
    }
}

/// Of those who wait without Message-Authenticator one is answered at the end, and beside a signed login none (D5).
pub(crate) fn d5_one_of_the_bare_is_answered(world: &World, asker: AskerId) -> Check {
    let bare = |asker: AskerId| !ask_of(world, asker).authentic;
    let Some(known) = world.reference.login_of(asker).filter(|_| bare(asker)) else { return Ok(()) };
    if !bare(known.begun_by) && ask_of(world, asker).state.is_none() {
        return Err(("D5", format!("{asker:?} is answered beside {:?}, which is signed", known.begun_by)));
    }
    let now = |other: &&AskerId| matches!(world.reference.asked(**other).answer, Some((Given::Accept | Given::Reject(_), at)) if at == world.now);
    match known.askers.iter().filter(|other| **other != asker && bare(**other)).find(now) {
        Some(other) => Err(("D5", format!("{asker:?} and {other:?} are both answered"))),
        None => Ok(()),
    }
}

/// An Accept is repeated only under `join = "connection"`, for ten seconds, to equal L and P; or to a twin (B2, C3).
pub(crate) fn b2_an_accept_repeats_only_under_connection(
    world: &World,
    asker: AskerId,
    admission: &Admission,
) -> Check {
    let Admission::Repeat(Answer::Accept(_)) = admission else { return Ok(()) };
    let ask = ask_of(world, asker);
    let strict = appliance_of(ask.client).join == Join::Connection;
    if ask.state.is_none() && !strict {
        return Err(("B2", format!("an Accept is repeated to {ask:?} under join = \"station\"")));
    }
    match repeated_from(world, asker) {
        Some(_) => Ok(()),
        None => Err(("B2", format!("an Accept is repeated to {ask:?}, who had none"))),
    }
}

/// The login whose answer is due to this request once more.
pub(crate) fn repeated_from(world: &World, asker: AskerId) -> Option<LoginId> {
    let mine = world.reference.asked(asker);
    if mine.packet.ask.state.is_some() {
        return world.reference.asked(mine.twin_of?).login;
    }
    // L and P are those that the login began with; the answer to its challenge may have come in other letters (C3).
    let equal = |other: &&Asked| {
        let one = &mine.packet.ask;
        other.epoch == mine.epoch && accepted_lately(other, world) && {
            let first = world.reference.logins.get(&other.login.unwrap()).map(|known| ask_of(world, known.begun_by));
            first.is_some_and(|first| same_login(one, first) && first.typed == one.typed)
        }
    };
    world.reference.asked.iter().rev().find(equal).and_then(|other| other.login)
}

fn accepted_lately(other: &Asked, world: &World) -> bool {
    matches!(other.answer, Some((Given::Accept, at)) if other.login.is_some() && !passed(at, world.now, REPEATS_MS + 1))
}

/// The newest asker gets the Accept; under `connection` every live one does (B2).
pub(crate) fn b2_the_newest_gets_the_accept(world: &World, asker: AskerId) -> Check {
    let ask = ask_of(world, asker);
    if appliance_of(ask.client).join == Join::Connection {
        return Ok(());
    }
    let Some(known) = world.reference.login_of(asker) else { return Ok(()) };
    let newer = known.askers.iter().find(|other| {
        let asked = world.reference.asked(**other);
        let waits = !world.reference.waits_aside(**other) && !asked.is_settled();
        waits && world.reference.root(**other) > world.reference.root(asker)
    });
    newer.map_or(Ok(()), |newer| Err(("B2", format!("{asker:?} gets the Accept though {newer:?} is newer"))))
}

/// Under `connection` every live asker of the login is let in (B2).
pub(crate) fn b2_under_connection_nobody_live_is_superseded(world: &World, asker: AskerId, reject: &Reject) -> Check {
    let strict = appliance_of(ask_of(world, asker).client).join == Join::Connection;
    // Where screens show numbers, the number chooses (B2): also where its client asks for none any more, and one that began before
    // still shows its own beside it (G2).
    let numbered =
        |known: &Known| world.reference.logins.values().any(|beside| beside.key == known.key && beside.shown.is_some());
    let same =
        |known: &Known| known.askers.len() > 1 && !numbered(known) && world.reference.asked(asker).twin_of.is_none();
    let elsewhere = world.reference.login_of(asker).is_some_and(same);
    if strict && reject.reason == Reason::Superseded && elsewhere {
        return Err(("B2", format!("{asker:?} is superseded under join = \"connection\"")));
    }
    Ok(())
}

/// While the prompt is out, who runs out of time is challenged where the client can show it, not refused (B5).
pub(crate) fn b5_who_can_be_challenged_is(world: &World, asker: AskerId, reject: &Reject) -> Check {
    let can = appliance_of(ask_of(world, asker).client).challenge;
    if reject.reason != Reason::Unanswered || !can || world.stepped {
        return Ok(());
    }
    let Some(known) = world.reference.login_of(asker) else { return Ok(()) };
    let rows = &world.store.current.prompts;
    let out = |id: &&PromptId| rows.get(id).is_some_and(|row| row.state.is_open() && row.ends_at > world.wall());
    match known.prompts.keys().find(out) {
        Some(id) => Err(("B5", format!("{asker:?} is refused though {id} is out and its client can show a challenge"))),
        None => Ok(()),
    }
}

/// A server that stops leaves nobody waiting, but for what the store is asked to release (G3).
pub(crate) fn g3_nobody_waits_after_a_drain(world: &World) -> Check {
    for (id, asked) in world.reference.asked.iter().enumerate().filter(|(_, asked)| asked.epoch == world.epoch) {
        let releasing =
            asked.login.and_then(|login| world.reference.logins.get(&login)).is_some_and(|known| known.releases > 0);
        if !asked.is_settled() && !releasing {
            return Err(("G3", format!("request {id} waits after the drain: {:?}", asked.packet.ask)));
        }
    }
    Ok(())
}

/// Nobody gets a timeout of its own after its deadline (B2, B5).
pub(crate) fn b5_nobody_is_answered_too_late(world: &World, asker: AskerId) -> Check {
    let asked = world.reference.asked(asker);
    let state = &asked.packet.ask.state;
    let has_twin = state.is_some()
        && world.reference.login_of(asker).is_some_and(|known| {
            known.askers.iter().any(|other| *other != asker && ask_of(world, *other).state == *state)
        });
    if world.now > last_moment(world, asker) && !has_twin {
        return Err(("B5", format!("{asker:?} is answered at {:?}, its deadline was {:?}", world.now, asked.until)));
    }
    Ok(())
}

/// A commit that is not settled by the newest asker's deadline is no Accept, whenever somebody notices; a repeat waits for
/// no commit (C1).
pub(crate) fn c1_no_accept_after_the_deadline(world: &World, asker: AskerId) -> Check {
    let (root, repeats) = (world.reference.root(asker), world.reference.asked(asker).repeats.is_some());
    let Some(known) = world.reference.login_of(asker).filter(|_| !repeats) else { return Ok(()) };
    let waits =
        |other: &AskerId| world.reference.root(*other) == root && world.reference.asked(*other).until > world.now;
    if known.askers.iter().any(waits) {
        return Ok(());
    }
    Err(("C1", format!("{asker:?} gets an Accept of which one learns after its deadline")))
}

/// What the store says of a release is awaited, because its record may be durable already (F2): it takes of the margin
/// that lies between our deadline and the client's own, which is at least a second (B5).
fn last_moment(world: &World, asker: AskerId) -> Tick {
    const MARGIN_MS: u64 = 1000;
    let releasing = world.reference.login_of(asker).is_some_and(|known| known.releases > 0);
    Tick(world.reference.asked(asker).until.0 + world.sluggish + if releasing { MARGIN_MS } else { 0 })
}

/// At its deadline each request is answered, unless a newer one took its place (B5).
pub(crate) fn overdue(world: &World, asker: AskerId) -> Check {
    let asked = world.reference.asked(asker);
    let settled = asked.is_settled() || world.reference.is_superseded(asker);
    if settled || asked.epoch != world.epoch || world.now <= last_moment(world, asker) {
        return Ok(());
    }
    Err(("B5", format!("{asker:?} has no answer at its deadline: {:?}", asked.packet.ask)))
}

/// Only who is not the newest gets nothing (B2).
pub(crate) fn superseded(world: &World, asker: AskerId) -> Check {
    b1_one_answer(world, asker)?;
    if world.reference.is_superseded(asker) {
        return Ok(());
    }
    Err(("B5", format!("{asker:?} is the newest asker, and gets nothing")))
}

/// The claim is durable before the phone rings, and it rings once, over crashes too (B3).
pub(crate) fn b3_claimed_before_it_rings_and_rings_once(world: &World, claim: &PromptClaim) -> Check {
    if !world.store.durable.prompts.contains_key(&claim.prompt) {
        return Err(("B3", format!("{} rings before its claim is durable", claim.prompt)));
    }
    if world.reference.rung.contains_key(&claim.prompt) {
        return Err(("B3", format!("{} rings twice", claim.prompt)));
    }
    Ok(())
}

/// One prompt of a user at a time, so one for each L (B2, B3, D2).
pub(crate) fn b2_one_prompt_of_a_user(world: &World, claim: &PromptClaim) -> Check {
    let rows = &world.store.current.prompts;
    let open = world.reference.rung.keys().find(|id| {
        rows.get(id).is_some_and(|row| row.user == claim.user.as_str() && row.state.is_open() && **id != claim.prompt)
    });
    open.map_or(Ok(()), |open| Err(("B3", format!("{} rings while {open} is out", claim.prompt))))
}

/// A prompt's end is absolute (B5).
pub(crate) fn b5_a_prompt_ends(world: &World, claim: &PromptClaim) -> Check {
    let latest = world.wall().0 + PROMPT_MS;
    if !world.stepped && claim.ends_at.0 > latest {
        return Err(("B5", format!("{} ends at {:?}, later than {latest}", claim.prompt, claim.ends_at)));
    }
    Ok(())
}

/// A yes that is nobody's, or whose State nobody answers, is not waited for: prompts end, whoever goes on asking (B5, A8).
pub(crate) fn b5_an_approval_of_no_screen_ends(world: &World, asker: AskerId) -> Check {
    const WAITS_MAX: std::time::Duration = std::time::Duration::from_millis(PROMPT_MS + REPEATS_MS);
    let Some(known) = world.reference.login_of(asker) else { return Ok(()) };
    let rows = &world.store.current.prompts;
    let forgotten = |(id, told): &(&PromptId, &bool)| {
        **told
            && world.engine.holds(**id)
            && rows.get(id).is_some_and(|row| row.chosen.is_some() && world.wall() > row.answered_at.plus(WAITS_MAX))
    };
    match known.prompts.iter().find(forgotten).filter(|_| !world.stepped) {
        Some((id, _)) => Err(("B5", format!("{asker:?} is challenged beside {id}, which was approved long ago"))),
        None => Ok(()),
    }
}

/// Each request that this life took in got its answer, or was superseded (B5, E6).
pub(crate) fn nobody_is_left_without_an_answer(world: &World) -> Check {
    for (id, asked) in world.reference.asked.iter().enumerate().filter(|(_, asked)| asked.epoch == world.epoch) {
        if !asked.is_settled() {
            return Err(("E6", format!("request {id} was never answered nor superseded: {:?}", asked.packet.ask)));
        }
    }
    Ok(())
}

/// All sessions are gone at the end (G1).
pub(crate) fn no_session_is_left(world: &World) -> Check {
    let left = world.engine.sessions.len();
    if left > 0 { Err(("G1", format!("{left} sessions are left: {:?}", world.engine.sessions))) } else { Ok(()) }
}

fn ask_of(world: &World, asker: AskerId) -> &Ask {
    &world.reference.asked(asker).packet.ask
}
