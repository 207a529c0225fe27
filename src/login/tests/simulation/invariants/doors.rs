//! Part A of the rules: who gets in; and F2, what is written down.

use login::answer::{Accept, Reject};
use login::policy::{Join, WhenUnavailable};
use login::prompt::PromptState;
use login::{
    AskerId, LoginId, Means, Method, PhoneAnswer, PromptId, Reason, RecordedAnswer, RecordedFactor, ReleaseCheck,
    TokenId,
};

use super::codes::appended_code;
use super::numbers::{f8_the_law_has_its_number, f8_the_number_chose};
use crate::appliance::person_named;
use crate::network::Ask;
use crate::reference::{Known, finds, split};
use crate::scene::{Law, Person, Says, appliance_of, is_staff, law_says, when_unavailable};
use crate::store::{Happened, PromptRow};
use crate::world::{Check, World};

/// A name whose letters the primary may not tell apart reaches it only where staff added it (A2).
pub(crate) fn a2_letters_are_asked_about_once_added(claimed: &str) -> Check {
    if claimed.is_ascii() || person_named(claimed).is_some_and(|who| who.known) {
        return Ok(());
    }
    Err(("A2", format!("the primary is asked about {claimed}, which nobody added")))
}

/// Both doors: the right password of this very asker, and a factor, or an excuse that the law knows.
pub(crate) fn a1_both_doors(world: &World, asker: AskerId) -> Check {
    let Some((ask, known, who)) = facts(world, asker) else {
        return Err(("A1", format!("an Accept for {asker:?}, who belongs to no login")));
    };
    if ask.state.is_none() && split(ask).0 != who.password {
        return Err(("A1", format!("{} got in with a wrong password", who.name)));
    }
    second_door(world, asker, known, who, known.law, "A1")?;
    // Rules G2: at release the stricter of both laws decides.
    known.law_at_release.map_or(Ok(()), |law| second_door(world, asker, known, who, law, "A6"))
}

/// An Accept leaves once more only where all still stands that let its user in: asked when the request comes, and again when
/// the Accept leaves, because both may change in between (A6).
pub(crate) fn a6_a_repeat_still_stands(world: &World, asker: AskerId) -> Check {
    let Some((_, known, who)) = facts(world, asker) else { return Ok(()) };
    let rows = &world.store.durable;
    let Some(user) = rows.users.get(who.name) else { return Ok(()) };
    let has = |method| match method {
        Method::Push => !user.phones.is_empty(),
        Method::Totp | Method::Hotp => {
            rows.tokens.values().any(|row| row.owner == who.name && row.active && row.method == method)
        }
    };
    if user.barred {
        return Err(("A6", format!("an Accept is repeated for {}, who is barred", who.name)));
    }
    if matches!(known.factor, RecordedFactor::Method(method) if !has(method)) {
        return Err(("A6", format!("an Accept is repeated for {}, whose {:?} is gone", who.name, known.factor)));
    }
    second_door(world, asker, known, who, world.law, "A6")
}

/// What a repeat was told, where something spoke against it all the while (A6).
pub(crate) fn a6_an_accept_is_repeated_as_it_stands(world: &World, asker: AskerId) -> Check {
    match world.reference.asked(asker).repeats {
        Some(true) => a6_a_repeat_still_stands(world, asker),
        Some(false) | None => Ok(()),
    }
}

fn second_door(world: &World, asker: AskerId, known: &Known, who: &Person, law: Law, rule: &'static str) -> Check {
    let first = &world.reference.asked(known.begun_by).packet.ask;
    let says = law_says(law, who, first.client, first.station);
    let login = world.reference.asked(asker).login.unwrap();
    // Rules C4: an appended code opens the door or nothing does, whatever a phone says to another login.
    if says != Says::Excused && appended_code(world, known.begun_by) && !by_code(world, login, who, &Method::ALL) {
        return Err(("C4", format!("{} got in though the appended code was wrong", who.name)));
    }
    let opened = match says {
        Says::Excused => true,
        Says::No => {
            let unknown = first.station.is_none_or(|station| station.parse::<std::net::IpAddr>().is_err());
            let rule = if unknown { "A4" } else { rule };
            return Err((rule, format!("{} got in where {law:?} says no", who.name)));
        }
        Says::Factor(methods) => {
            by_code(world, login, who, methods)
                || (methods.contains(&Method::Push) && by_phone(world, asker, who, law)?)
                || by_bypass(world, login, who, first.client, law)?
        }
        Says::FactorOrOutage => {
            by_phone(world, asker, who, law)?
                || by_bypass(world, login, who, first.client, law)?
                || (world.reference.outages.contains(&known.key) && !is_staff(law, who))
        }
    };
    if opened { Ok(()) } else { Err((rule, format!("{} got in through one door; {law:?} says {says:?}", who.name))) }
}

/// The use of a code by this login is durable (C1).
fn by_code(world: &World, login: LoginId, who: &Person, methods: &[Method]) -> bool {
    let rows = &world.store.durable;
    rows.uses.iter().any(|(by, token, _)| {
        *by == login && rows.tokens.get(token).is_some_and(|row| row.owner == who.name && methods.contains(&row.method))
    })
}

/// A prompt of the very same login, which rang, was approved and released once (A8, B2).
fn by_phone(world: &World, asker: AskerId, who: &Person, law: Law) -> Result<bool, (&'static str, String)> {
    let Some((ask, known, _)) = facts(world, asker) else { return Ok(false) };
    let login = world.reference.asked(asker).login.unwrap();
    let mine = |row: &PromptRow| row.log.contains(&Happened::Released(login));
    let Some((id, row)) = world.store.durable.prompts.iter().find(|(_, row)| mine(row)) else { return Ok(false) };
    a8_no_is_final(*id, row, login, appliance_of(ask.client).join == Join::Connection)?;
    let Some(rung) = world.reference.rung.get(id) else {
        return Err(("A8", format!("{id} never rang, and yet it opened a door")));
    };
    // Who answers a challenge is bound by its State; who asks without one, by L.
    let begun = &world.reference.asked(known.begun_by).packet.ask;
    let ask = if ask.state.is_some() { begun } else { ask };
    if *ask != rung.ask && !finds(ask, &rung.ask) {
        return Err(("B2", format!("{} got in by the prompt of another login", who.name)));
    }
    f8_the_law_has_its_number(*id, row, who, appliance_of(ask.client), law)?;
    f8_the_number_chose(world, asker, *id, row)?;
    Ok(row.user == who.name)
}

/// A bypass of this person for this client, spent by this very login, and nobody's who is staff (F4).
fn by_bypass(
    world: &World,
    login: LoginId,
    who: &Person,
    client: &str,
    law: Law,
) -> Result<bool, (&'static str, String)> {
    let rows = &world.store.durable;
    let Some((id, _, at)) = rows.bypassed.iter().find(|(_, by, _)| *by == login) else { return Ok(false) };
    let Some(row) = rows.bypasses.get(id) else { return Ok(false) };
    if is_staff(law, who) {
        return Err(("F4", format!("{} is staff by {law:?}, and got in by {id:?}", who.name)));
    }
    Ok(row.owner == who.name && row.client.is_none_or(|bound| bound == client) && row.ends_at > *at)
}

/// A bypass is spent by one compare-and-set (F4).
pub(crate) fn f4_a_bypass_opens_one_door_once(world: &World) -> Check {
    let Some(((id, login, _), before)) = world.store.current.bypassed.split_last() else { return Ok(()) };
    match before.iter().find(|(other, ..)| other == id) {
        Some((_, first, _)) => Err(("F4", format!("{id:?} let in {first}, and {login}"))),
        None => Ok(()),
    }
}

/// Once its session has heard a no, a login asks for no release (A8, F5).
pub(crate) fn a8_who_heard_a_no_asks_for_nothing(world: &World, login: LoginId) -> Check {
    match world.reference.logins.get(&login) {
        Some(known) if known.heard_no => Err(("A8", format!("{login} asks for its release after a phone said no"))),
        Some(_) | None => Ok(()),
    }
}

/// Approved before anything else was said, released once, and nobody said no in between.
fn a8_no_is_final(id: PromptId, row: &PromptRow, login: LoginId, together: bool) -> Check {
    let mut approved = false;
    for happened in &row.log {
        match happened {
            Happened::Said(PhoneAnswer::Approve) => approved = true,
            Happened::Said(PhoneAnswer::Deny | PhoneAnswer::Fraud) => {
                return Err(("A8", format!("{id} was denied, and yet it opened a door")));
            }
            Happened::Ended => return Err(("A8", format!("{id} had ended, and yet it opened a door"))),
            Happened::Released(to) if approved && *to == login => return Ok(()),
            // Rules B2: where each live asker of the one L is answered, one approval lets in several logins.
            Happened::Released(_) if approved && together => {}
            Happened::Released(to) => return Err(("A8", format!("{id} opened a door for {to}, approved: {approved}"))),
        }
    }
    Err(("A8", format!("{id} was never released")))
}

/// The primary said yes, to this login's question, about this user (A2).
pub(crate) fn a2_the_primary_accepted_this_user(world: &World, asker: AskerId, accept: &Accept) -> Check {
    let Some((_, known, who)) = facts(world, asker) else {
        return Err(("A2", format!("an Accept for {asker:?}, who belongs to no login")));
    };
    if known.accepted.as_deref() != Some(who.name) || accept.user().as_str() != who.name {
        let (accepted, got_in) = (&known.accepted, accept.user());
        return Err(("A2", format!("the primary accepted {accepted:?}, {got_in} got in as {}", who.name)));
    }
    Ok(())
}

/// An empty password reaches no primary (A3).
pub(crate) fn a3_empty_is_no_password(typed: &str, answers: bool) -> Check {
    if typed.is_empty() && !answers { Err(("A3", "an empty password for the primary".to_owned())) } else { Ok(()) }
}

/// No Accept without the last look (A6).
pub(crate) fn a6_the_last_look_was_taken(world: &World, asker: AskerId) -> Check {
    match world.reference.login_of(asker) {
        Some(known) if known.releases > 0 => Ok(()),
        Some(_) | None => Err(("A6", format!("an Accept for {asker:?} without the last look"))),
    }
}

/// What the last look must find (A6, A8).
pub(crate) fn a6_all_still_stands(world: &World, login: LoginId, check: &ReleaseCheck) -> Check {
    let rows = &world.store.current;
    let user = rows.users.get(check.user.as_str());
    let stands = match &check.means {
        Means::Token(TokenId(id)) => rows.tokens.get(&**id).is_some_and(|token| token.active),
        Means::Prompt { device, .. } => user.is_some_and(|user| user.phones.contains(device)),
        Means::Bypass(id) => rows.bypasses.get(id).is_some_and(|row| row.owner == check.user.as_str()),
        Means::Excuse => true,
    };
    if user.is_some_and(|user| user.barred) || !stands {
        return Err(("A6", format!("{} was released though blocked or without the method", check.user)));
    }
    let denied = |row: &PromptRow| {
        let no = |said: &Happened| matches!(said, Happened::Said(PhoneAnswer::Deny | PhoneAnswer::Fraud));
        // A no wins until the prompt ended, or until somebody was released by it.
        let while_out = row.log.iter().take_while(|said| matches!(said, Happened::Said(_)));
        while_out.into_iter().any(no) && row.state != PromptState::Unanswered
    };
    if check.open_prompt.and_then(|id| rows.prompts.get(&id)).is_some_and(denied) {
        return Err(("A8", format!("{login} was released though its prompt was denied")));
    }
    Ok(())
}

/// A denial of a prompt that this login waited for ends it, whichever way it would get in (A8).
pub(crate) fn a8_a_denial_ends_the_login(world: &World, login: LoginId) -> Check {
    let Some(known) = world.reference.logins.get(&login) else { return Ok(()) };
    let denied = |row: &PromptRow| {
        let while_out = row.log.iter().take_while(|said| matches!(said, Happened::Said(_)));
        while_out.into_iter().any(|said| *said != Happened::Said(PhoneAnswer::Approve))
    };
    let rows = &world.store.current.prompts;
    match known.prompts.keys().find(|id| rows.get(id).is_some_and(denied)) {
        Some(id) => Err(("A8", format!("{login} was released though {id}, for which it waited, was denied"))),
        None => Ok(()),
    }
}

/// Where an approval stands and the session heard of it, nobody is asked anything more (A8, B5).
pub(crate) fn a8_an_approval_is_heard(world: &World, asker: AskerId) -> Check {
    let Some(known) = world.reference.login_of(asker) else { return Ok(()) };
    // A yes with the number of another screen is none to this one (F8).
    let mine = |row: &PromptRow| row.digits.is_none() && row.chosen == known.shown;
    let stands = |id: &PromptId| {
        let approved = |row: &PromptRow| row.state == PromptState::Approved && !row.unproven && mine(row);
        world.store.current.prompts.get(id).is_some_and(approved)
    };
    // A twin gets what the first got, though the phone has spoken since (C3).
    let twin = world.reference.asked(asker).twin_of.is_some();
    match known.prompts.iter().find(|(id, told)| **told && stands(id)) {
        Some((id, _)) if !twin => Err(("A8", format!("{asker:?} is challenged though {id} is approved"))),
        Some(_) | None => Ok(()),
    }
}

/// An appliance that may ask another server hears nothing of a login that nobody could check, and no Reject (A10).
pub(crate) fn a10_nobody_hears_a_no_of_a_login_that_was_not_checked(
    world: &World,
    asker: AskerId,
    reject: &Reject,
) -> Check {
    let ask = &world.reference.asked(asker).packet.ask;
    let away = matches!(reject.reason, Reason::PrimaryUnavailable | Reason::StoreUnavailable);
    let silent = when_unavailable(ask.client) == WhenUnavailable::Silent;
    let Some(known) = world.reference.login_of(asker) else { return Ok(()) };
    let begun = world.reference.asked(known.begun_by).packet.ask.state.is_some() || known.primary_state.is_some();
    if away && silent && known.accepted.is_none() && ask.state.is_none() && !begun {
        return Err(("A10", format!("{asker:?} hears {:?}, and its appliance asks nobody else", reject.reason)));
    }
    Ok(())
}

/// Silence is for logins of which the primary has said nothing, at clients that want it so (A10).
pub(crate) fn a10_only_what_nobody_checked_is_told_nothing(world: &World, asker: AskerId) -> Check {
    let asked = world.reference.asked(asker);
    let Some(known) = world.reference.login_of(asker) else {
        return Err(("A10", format!("{asker:?}, who belongs to no login, is told nothing")));
    };
    // Rules D5: whoever waits aside is waited for by nobody.
    let mut awaited = known.askers.iter().filter(|other| !world.reference.waits_aside(**other));
    let overdue = awaited.all(|other| world.reference.asked(*other).until <= world.now);
    let wish = when_unavailable(asked.packet.ask.client);
    if wish == WhenUnavailable::Silent && known.accepted.is_none() && (known.unasked || overdue) {
        return Ok(());
    }
    let (unasked, accepted) = (known.unasked, &known.accepted);
    Err(("A10", format!("{asker:?} is told nothing: {wish:?}, unasked {unasked}, accepted {accepted:?}")))
}

/// One record for each login, ever (F2).
pub(crate) fn f2_one_record(world: &World, login: LoginId) -> Check {
    let records = world.reference.logins.get(&login).map_or(0, |known| known.records);
    if records > 0 { Err(("F2", format!("a second record of {login}"))) } else { Ok(()) }
}

/// The record is durable before the Accept leaves (F2).
pub(crate) fn f2_the_record_is_durable(world: &World, asker: AskerId) -> Check {
    let login = world.reference.asked(asker).login;
    let durable = login.and_then(|login| world.store.durable.records.get(&login));
    if durable == Some(&RecordedAnswer::Accept) {
        return Ok(());
    }
    Err(("F2", format!("an Accept left for {login:?} while the durable record says {durable:?}")))
}

/// At the end each login of this life is written down (F2); what a crash took is not.
pub(crate) fn f2_each_login_has_its_record(world: &World) -> Check {
    let alive = |known: &Known| world.reference.asked(known.begun_by).epoch == world.epoch;
    for (login, known) in world.reference.logins.iter().filter(|(_, known)| alive(known)) {
        if !world.store.durable.records.contains_key(login) {
            return Err(("F2", format!("{login}, begun by {:?}, has no record", known.begun_by)));
        }
    }
    Ok(())
}

fn facts(world: &World, asker: AskerId) -> Option<(&Ask, &Known, &'static Person)> {
    let ask = &world.reference.asked(asker).packet.ask;
    Some((ask, world.reference.login_of(asker)?, person_named(&ask.user)?))
}
