//! Part C of the rules, codes and State, and the counts of D1 and D2 by an arithmetic of their own.

use login::answer::Answer;
use login::event::Effect;
use login::session::Admission;
use login::{AskerId, CodeOutcome, LoginId, PromptClaim, Reason, Wall};

use crate::reference::{Given, split};
use crate::scene::code_of;
use crate::store::{PromptEnd, Typed};
use crate::world::{Check, World};

/// A State is bound to client and name, is spent once, and is unknown after a crash (C3).
pub(crate) fn c3_a_state_is_bound_and_spent_once(world: &World, asker: AskerId, admission: &Admission) -> Check {
    let asked = world.reference.asked(asker);
    let refused = matches!(admission, Admission::Refuse(_));
    if let (Some(why), false) = (asked.doomed, refused) {
        return Err(("C3", format!("{why}, and yet it is taken as {admission:?}")));
    }
    if asked.twin_of.is_some() && matches!(admission, Admission::Resume(_)) {
        return Err(("C3", format!("{asker:?} answers a State that is spent")));
    }
    if asked.packet.ask.state.is_some() && matches!(admission, Admission::Begin | Admission::Join(_)) {
        return Err(("C3", format!("{asker:?} brings a State and is taken as {admission:?}")));
    }
    Ok(())
}

/// What came with a refused State reaches neither primary nor store, and rings nowhere (C3).
pub(crate) fn c3_a_refused_state_reaches_nobody(world: &World, asker: AskerId, out: &[Effect]) -> Check {
    let asks = |effect: &Effect| {
        matches!(
            effect,
            Effect::AskPrimary { .. } | Effect::CheckCode { .. } | Effect::ClaimPrompt { .. } | Effect::Release { .. }
        )
    };
    match world.reference.asked(asker).doomed {
        Some(why) if out.iter().any(asks) => Err(("C3", format!("{why}, and yet {out:?}"))),
        Some(_) | None => Ok(()),
    }
}

/// An unknown, expired, tampered, spent or foreign State is rejected (C3).
pub(crate) fn c3_a_bad_state_is_rejected(world: &World, asker: AskerId, answer: &Answer) -> Check {
    match (world.reference.asked(asker).doomed, answer) {
        (None, _) | (Some(_), Answer::Reject(_)) => Ok(()),
        (Some(why), answer) => Err(("C3", format!("{why}, and yet {:?}", Given::of(answer)))),
    }
}

/// The same answer to the same State gets the same result (C3).
pub(crate) fn c3_twins_get_the_same(world: &World, asker: AskerId, answer: &Answer) -> Check {
    const REMEMBERED_MS: u64 = 9000;
    let Some(first) = world.reference.asked(asker).twin_of else { return Ok(()) };
    let Some((theirs, at)) = world.reference.asked(first).answer else { return Ok(()) };
    let mine = Given::of(answer);
    let superseded = [theirs, mine].contains(&Given::Reject(Reason::Superseded));
    // A challenge whose login has ended since is answered by nobody.
    let over = world.reference.login_of(first).is_none_or(|known| known.records > 0);
    let same = over && theirs == Given::Challenge
        || matches!(
            (theirs, mine),
            (Given::Accept, Given::Accept)
                | (Given::Reject(_), Given::Reject(_))
                | (Given::Challenge, Given::Challenge)
        );
    // An Accept is not repeated to whom something has changed for since (A6).
    let changed = matches!(
        mine,
        Given::Reject(Reason::Blocked | Reason::Changed | Reason::PolicyChanged | Reason::StoreUnavailable)
    );
    let same = same || theirs == Given::Accept && changed;
    // A server that has drained remembers nobody any more (G3).
    if same || superseded || world.engine.draining || world.now.0 > at.0 + REMEMBERED_MS {
        return Ok(());
    }
    Err(("C3", format!("{first:?} got {theirs:?}, its twin {asker:?} gets {mine:?}")))
}

/// The primary sees the first request's password, split once, or the answer to its own question (C4, C3).
pub(crate) fn c4_split_once_and_never_unsplit(
    world: &World,
    login: LoginId,
    typed: &str,
    state: Option<&[u8]>,
) -> Check {
    let Some(known) = world.reference.logins.get(&login) else { return Ok(()) };
    let first = &world.reference.asked(known.begun_by).packet.ask;
    match state {
        Some(state) if known.primary_state.as_deref() == Some(state) => Ok(()),
        Some(_) => Err(("C3", "a State that the primary did not give goes to the primary".to_owned())),
        None if first.state.is_some() => {
            Err(("C3", "an answer to a State goes to the primary as a password".to_owned()))
        }
        None if split(first).0 == typed => Ok(()),
        None => Err(("C4", format!("the primary gets {typed:?} of {:?}", first.typed))),
    }
}

/// Where a code was appended nobody is challenged for another one (C4).
pub(crate) fn c4_a_wrong_appended_code_never_prompts(world: &World, asker: AskerId) -> Check {
    let own = |known: &&crate::reference::Known| appended_code(world, known.begun_by) && known.primary_state.is_none();
    match world.reference.login_of(asker).filter(own) {
        Some(_) => Err(("C4", format!("{asker:?} appended a code and is challenged"))),
        None => Ok(()),
    }
}

/// Nor does a phone ring (C4).
pub(crate) fn c4_no_prompt_after_an_appended_code(world: &World, login: LoginId) -> Check {
    match world.reference.logins.get(&login).filter(|known| appended_code(world, known.begun_by)) {
        Some(_) => Err(("C4", format!("{login} appended a code and a phone rings"))),
        None => Ok(()),
    }
}

pub(super) fn appended_code(world: &World, asker: AskerId) -> bool {
    let tail = split(&world.reference.asked(asker).packet.ask).1;
    tail.is_some_and(|tail| tail.bytes().all(|octet| octet.is_ascii_digit()))
}

/// Each step and each counter is used once, only upwards, and the code was its code (C1).
pub(crate) fn c1_a_code_works_once(world: &World, typed: &Typed<'_>, outcome: &CodeOutcome) -> Check {
    let CodeOutcome::Right { token, .. } = outcome else { return Ok(()) };
    let uses = &world.store.current.uses;
    let Some((at, (_, id, moving))) = uses.iter().enumerate().rev().find(|(_, (login, ..))| *login == typed.login)
    else {
        return Err(("C1", format!("{:?} is right without a use", token)));
    };
    if code_of(id, *moving) != typed.code {
        return Err(("C1", format!("{} is not the code of {id} at {moving}", typed.code)));
    }
    let (before, _) = uses.split_at(at);
    match before.iter().find(|(_, other, used)| other == id && used >= moving) {
        Some((login, _, used)) => Err(("C1", format!("{id} is used at {moving}, {login} used it at {used}"))),
        None => Ok(()),
    }
}

/// A repeated identical wrong code of a login counts once (C1).
pub(crate) fn c1_an_identical_wrong_code_counts_once(world: &World, typed: &Typed<'_>) -> Check {
    let same = |(login, code): &&(LoginId, String)| *login == typed.login && code == typed.code;
    let count = world.store.current.failures.iter().filter(same).count();
    if count > 1 { Err(("C1", format!("{} counted {count} times in one login", typed.code))) } else { Ok(()) }
}

/// A login has three tries (C3).
pub(crate) fn c3_three_tries(world: &World, typed: &Typed<'_>) -> Check {
    let rows = &world.store.current;
    let used = rows.uses.iter().filter(|(login, ..)| *login == typed.login).count();
    let failed = rows.failures.iter().filter(|(login, _)| *login == typed.login).count();
    if used + failed > 3 { Err(("C3", format!("{} has {failed} failures and goes on", typed.login))) } else { Ok(()) }
}

/// Codes are looked at, and failures counted, only after the primary accepted this very user (D1).
pub(crate) fn d1_codes_only_after_the_primary(world: &World, typed: &Typed<'_>) -> Check {
    let accepted = world.reference.logins.get(&typed.login).and_then(|known| known.accepted.as_deref());
    if accepted == Some(typed.user) {
        return Ok(());
    }
    Err(("D1", format!("a code of {} is looked at; the primary accepted {accepted:?}", typed.user)))
}

/// Five wrong in a row: a minute, doubling to an hour (D1).
pub(crate) fn d1_a_lock_holds(world: &World, typed: &Typed<'_>, outcome: &CodeOutcome) -> Check {
    if !matches!(outcome, CodeOutcome::Right { .. } | CodeOutcome::Wrong) {
        return Ok(());
    }
    let Some(user) = world.store.current.users.get(typed.user) else { return Ok(()) };
    let Some(((key, _, now), before)) = user.codes.split_last() else { return Ok(()) };
    let own: Vec<_> = before.iter().filter(|(of, ..)| of == key).collect();
    let row = own.iter().rev().take_while(|(_, right, _)| !right).count();
    let pause = 60_000_u64.saturating_mul(1 << row.saturating_sub(5).min(20)).min(3_600_000);
    match own.last().filter(|_| (5..30).contains(&row)) {
        Some((_, _, last)) if now.0 < last.0 + pause => {
            Err(("D1", format!("{} is looked at {row} failures into a pause", typed.user)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Three unanswered or one denial: ten minutes of quiet, doubling to four hours (D2).
pub(crate) fn d2_no_push_in_a_quiet_time(world: &World, claim: &PromptClaim) -> Check {
    let Some(user) = world.store.current.users.get(claim.user.as_str()) else { return Ok(()) };
    let (mut silent, mut quiets, mut until, mut slip) = (0, 0, Wall(0), None::<Wall>);
    for (end, at) in &user.ends {
        silent = match end {
            PromptEnd::Unanswered => silent + 1,
            PromptEnd::Slipped => silent,
            PromptEnd::Approved | PromptEnd::Denied => 0,
        };
        match end {
            PromptEnd::Approved => (quiets, until) = (0, Wall(0)),
            // F8: a slip, unless there was one within ten minutes.
            PromptEnd::Slipped if slip.is_none_or(|before| at.since(before).as_secs() >= 600) => slip = Some(*at),
            PromptEnd::Slipped => {
                until = Wall(at.0 + (600_000_u64 << quiets.min(10)).min(14_400_000));
                (silent, quiets, slip) = (0, quiets + 1, None);
            }
            PromptEnd::Unanswered if silent < 3 => {}
            PromptEnd::Unanswered | PromptEnd::Denied => {
                until = Wall(at.0 + (600_000_u64 << quiets.min(10)).min(14_400_000));
                (silent, quiets) = (0, quiets + 1);
            }
        }
    }
    if world.wall() < until {
        return Err(("D2", format!("{} is to ring, quiet until {until:?}", claim.prompt)));
    }
    Ok(())
}
