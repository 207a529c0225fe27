//! F8: a number ties a phone to one screen, and is never left out where it is asked for.

use login::answer::{Answer, Challenge};
use login::policy::{Join, NumberWish};
use login::session::Admission;
use login::{AskerId, LoginId, Means, NumberMatch, PromptClaim, PromptId, Reason, ReleaseCheck, StateHash};

use crate::engine::number_shown;
use crate::reference::{Known, same_login};
use crate::scene::{Appliance, Law, Person, appliance_of, needs_number, needs_pin, person_of, wishes};
use crate::store::PromptRow;
use crate::world::{Check, World};

/// A yes with a number lets in the login whose screen shows it, and nobody who was not shown it; digits let in the login
/// that typed them; a yes without one lets in nobody whose screen shows one (F8, B2).
pub(crate) fn f8_the_number_chose(world: &World, asker: AskerId, id: PromptId, row: &PromptRow) -> Check {
    let asked = world.reference.asked(asker);
    let (Some(login), Some(known)) = (asked.login, world.reference.login_of(asker)) else { return Ok(()) };
    if row.digits.is_some() {
        let typed = row.typed.iter().any(|(by, _, right)| *by == login && *right);
        return if typed { Ok(()) } else { Err(("F8", format!("{login} got in by {id} and typed no digits of it"))) };
    }
    if row.chosen != known.shown {
        return Err((
            "F8",
            format!("{login} shows {:?}, its phone chose {:?}", digits(known.shown), digits(row.chosen)),
        ));
    }
    let its_own = |state: &Vec<u8>| {
        world.reference.states.get(&StateHash::of(state)).is_some_and(|issued| issued.login == Some(login))
    };
    // Rules B2: under `connection` each live asker of the one login is let in, and the Accept is repeated.
    let strict = appliance_of(asked.packet.ask.client).join == Join::Connection;
    if row.chosen.is_none() || strict || asked.packet.ask.state.as_ref().is_some_and(its_own) {
        return Ok(());
    }
    Err(("F8", format!("{asker:?} was shown no number, and got in by that of another screen")))
}

/// The store compares the number once more at the release; the machine asks for it by the right one alone (F8).
pub(crate) fn f8_the_chosen_screen_alone_asks_for_its_release(
    world: &World,
    login: LoginId,
    check: &ReleaseCheck,
) -> Check {
    let Means::Prompt { prompt, number, .. } = &check.means else { return Ok(()) };
    match world.store.current.prompts.get(prompt) {
        Some(row) if row.chosen != *number => Err((
            "F8",
            format!("{login} asks to be let in by {:?}, the phone chose {:?}", digits(*number), digits(row.chosen)),
        )),
        Some(_) | None => Ok(()),
    }
}

fn digits(number: Option<login::Number>) -> Option<u32> {
    number.map(|number| number.0)
}

/// What the law demands of a push is what the prompt asked for (F8, G2).
pub(crate) fn f8_the_law_has_its_number(
    id: PromptId,
    row: &PromptRow,
    who: &Person,
    client: &'static Appliance,
    law: Law,
) -> Check {
    let wished = client.challenge && wishes(law, client) != NumberWish::Off;
    if (wished || needs_number(law, who)) && row.chosen.is_none() && row.digits.is_none() {
        return Err(("F8", format!("{} got in by {id} without a number, which {law:?} requires", who.name)));
    }
    if needs_pin(law) && !row.pin {
        return Err(("B4", format!("{} got in by {id} without a PIN, which {law:?} requires", who.name)));
    }
    Ok(())
}

/// A phone rings for what the law and the client wish, or not at all; and only if it can prove that (F8, B4).
pub(crate) fn f8_nothing_is_downgraded(world: &World, claim: &PromptClaim, login: LoginId) -> Check {
    // Rules D7: it opens the way to the primary; whether it is a factor is judged at the release.
    let Some(known) = world.reference.logins.get(&login).filter(|_| !claim.unproven) else { return Ok(()) };
    let (Some(who), client) = (person_of(claim.user.as_str()), appliance_of(claim.client.as_str())) else {
        return Ok(());
    };
    let shows = wishes(known.law, client) == NumberWish::Shown;
    let wanted = match (client.number, needs_number(known.law, who)) {
        (_, true) if !client.challenge => {
            return Err(("F8", format!("{} rings where nobody can show a number", who.name)));
        }
        (NumberWish::Typed, _) => NumberWish::Typed,
        (NumberWish::Shown | NumberWish::Off, required) if required || shows => NumberWish::Shown,
        (NumberWish::Shown | NumberWish::Off, _) => NumberWish::Off,
    };
    let asked = match claim.asks.number {
        NumberMatch::Off => NumberWish::Off,
        NumberMatch::Shown(_) => NumberWish::Shown,
        NumberMatch::Typed(_) => NumberWish::Typed,
    };
    if asked != wanted || claim.asks.pin != needs_pin(known.law) {
        return Err(("F8", format!("{} rings for {:?}, {wanted:?} is wished for", who.name, claim.asks)));
    }
    let proves_number = match asked {
        NumberWish::Off => true,
        NumberWish::Shown => who.chooses_number,
        NumberWish::Typed => who.types_number,
    };
    if !proves_number || (claim.asks.pin && !who.pin_phones) {
        return Err(("B4", format!("a phone of {} rings that can't prove what is asked", who.name)));
    }
    Ok(())
}

/// Two screens of one prompt show different numbers under different States (F8).
pub(crate) fn f8_each_asking_has_its_own_number_and_state(world: &World, asker: AskerId, answer: &Answer) -> Check {
    let (Some(number), Answer::Challenge(Challenge::Ours { state, .. })) = (number_shown(answer), answer) else {
        return Ok(());
    };
    let (Some(login), Some(known)) = (world.reference.asked(asker).login, world.reference.login_of(asker)) else {
        return Ok(());
    };
    let root = world.reference.root(asker);
    let issued = world.reference.states.get(&StateHash::of(state));
    if issued.is_some_and(|issued| world.reference.root(issued.by) != root) {
        return Err(("F8", format!("{asker:?} is shown a number under the State of another asking")));
    }
    let beside = world.reference.logins.iter().find(|(other, known_too)| {
        let alive = world.reference.asked(known_too.begun_by).epoch == world.epoch;
        let together = known.prompts.keys().any(|id| known_too.prompts.contains_key(id));
        **other != login && alive && together && known_too.shown == Some(number)
    });
    match beside {
        Some((other, _)) => Err(("F8", format!("{login} and {other} show the same number"))),
        None => Ok(()),
    }
}

/// Who asks again beside a screen that shows a number goes its own way (F8).
pub(crate) fn f8_a_reask_is_an_asking_of_its_own(world: &World, asker: AskerId, admission: &Admission) -> Check {
    let Admission::Join(login) = admission else { return Ok(()) };
    match world.reference.logins.get(login) {
        // Rules D5: a bare one waits, and is shown nothing.
        Some(_) if !world.reference.asked(asker).packet.ask.authentic => Ok(()),
        Some(known) if known.shown.is_some() && known.records == 0 && known.releases == 0 => {
            Err(("F8", format!("a re-ask joins {login}, which shows a number")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Who asks beside screens of the very same login is shown one more, however many there are (F8, B2).
pub(crate) fn f8_no_screen_is_one_too_many(world: &World, asker: AskerId, admission: &Admission) -> Check {
    if !matches!(admission, Admission::Refuse(Reason::Overload)) {
        return Ok(());
    }
    let ask = &world.reference.asked(asker).packet.ask;
    let screen = |known: &&Known| {
        let first = world.reference.asked(known.begun_by);
        let equal = same_login(ask, &first.packet.ask) && ask.typed == first.packet.ask.typed;
        equal && first.epoch == world.epoch && known.shown.is_some() && known.records == 0 && known.releases == 0
    };
    match world.reference.logins.values().find(screen) {
        Some(known) => Err(("F8", format!("{asker:?} is one too many beside the screen of {:?}", known.begun_by))),
        None => Ok(()),
    }
}

/// Digits are looked at three times at most, for somebody whom the primary accepted (F8, D1).
pub(crate) fn f8_digits_are_looked_at_thrice_and_after_the_primary(
    world: &World,
    login: LoginId,
    prompt: PromptId,
) -> Check {
    const WRONG_MAX: usize = 3;
    let Some(row) = world.store.current.prompts.get(&prompt) else { return Ok(()) };
    let accepted = world.reference.logins.get(&login).and_then(|known| known.accepted.as_deref());
    if accepted != Some(row.user.as_str()) {
        return Err(("D1", format!("digits for {} are looked at; the primary accepted {accepted:?}", row.user)));
    }
    if row.typed.iter().filter(|(_, _, right)| !right).count() > WRONG_MAX {
        return Err(("F8", format!("a fourth wrong number for {prompt} is looked at")));
    }
    Ok(())
}

/// Identical wrong digits of one login count once (C1).
pub(crate) fn c1_identical_wrong_digits_count_once(world: &World, prompt: PromptId) -> Check {
    let Some(row) = world.store.current.prompts.get(&prompt) else { return Ok(()) };
    let Some((last, before)) = row.typed.split_last() else { return Ok(()) };
    if !last.2 && before.contains(last) {
        return Err(("C1", format!("{} counts the same wrong digits twice for {prompt}", last.0)));
    }
    Ok(())
}
