//! The rules, one function each, judged by the reference model and the store's ledger. What breaks first is told with its number.

mod codes;
mod doors;
mod numbers;
mod one_login;
mod shield;

use login::answer::Answer;
use login::event::Effect;
use login::session::Admission;
use login::{AskerId, Attempt, CodeOutcome, LoginId, PromptClaim, PromptId, ReleaseCheck, ReleaseOutcome};

use crate::store::Typed;
use crate::world::{Check, World};

pub(crate) use doors::a6_a_repeat_still_stands as speaks_against_a_repeat;
pub(crate) use one_login::{g3_nobody_waits_after_a_drain as drained, overdue, repeated_from, superseded};
pub(crate) use shield::{
    d7_a_known_station_is_not_held_by_strangers as holds_back,
    d7_only_its_owner_lets_a_held_name_be_asked_about as asks_by_owner,
    d7_the_primary_hears_so_many_and_no_more as asks_primary,
};

/// How the machine routes a request.
pub(crate) fn admitted(world: &World, attempt: &Attempt, admission: &Admission) -> Check {
    codes::c3_a_state_is_bound_and_spent_once(world, attempt.asker.id, admission)?;
    one_login::b2_only_the_same_login_joins(world, attempt.asker.id, admission)?;
    one_login::b2_equal_l_and_p_join(world, attempt.asker.id, admission)?;
    one_login::d5_a_bare_reask_is_not_refused_beside_its_equal(world, attempt.asker.id, admission)?;
    numbers::f8_a_reask_is_an_asking_of_its_own(world, attempt.asker.id, admission)?;
    numbers::f8_no_screen_is_one_too_many(world, attempt.asker.id, admission)?;
    one_login::b2_an_accept_repeats_only_under_connection(world, attempt.asker.id, admission)
}

/// What the machine does at once with a request that it took in.
pub(crate) fn entered(world: &World, asker: AskerId, out: &[Effect]) -> Check {
    codes::c3_a_refused_state_reaches_nobody(world, asker, out)
}

/// What a login wants done.
pub(crate) fn wanted(world: &World, effect: &Effect) -> Check {
    match effect {
        Effect::AskPrimary { login, claimed, password, state, .. } => {
            doors::a2_letters_are_asked_about_once_added(claimed.as_str())?;
            let typed = String::from_utf8_lossy(password.expose());
            doors::a3_empty_is_no_password(&typed, state.is_some())?;
            let state = state.as_ref().map(|(state, _)| &**state);
            codes::c4_split_once_and_never_unsplit(world, *login, &typed, state)
        }
        Effect::Record(record) => doors::f2_one_record(world, record.login),
        Effect::Release { login, check, .. } => {
            doors::a8_who_heard_a_no_asks_for_nothing(world, *login)?;
            numbers::f8_the_chosen_screen_alone_asks_for_its_release(world, *login, check)
        }
        Effect::ReadUser { .. }
        | Effect::CheckCode { .. }
        | Effect::TypeNumber { .. }
        | Effect::ClaimPrompt { .. }
        | Effect::Push { .. }
        | Effect::ExtendPrompt { .. }
        | Effect::ClosePrompt { .. }
        | Effect::Reply { .. }
        | Effect::Supersede(_)
        | Effect::Unchecked(_)
        | Effect::IndexState(_)
        | Effect::Joined { .. }
        | Effect::Accepted(_)
        | Effect::Invite(_)
        | Effect::TellDisplaced(_) => Ok(()),
    }
}

/// An answer leaves.
pub(crate) fn leaves(world: &World, asker: AskerId, answer: &Answer) -> Check {
    one_login::b1_one_answer(world, asker)?;
    one_login::d5_one_of_the_bare_is_answered(world, asker)?;
    codes::c3_a_bad_state_is_rejected(world, asker, answer)?;
    match answer {
        Answer::Accept(accept) => {
            doors::a2_the_primary_accepted_this_user(world, asker, accept)?;
            doors::a6_the_last_look_was_taken(world, asker)?;
            doors::a1_both_doors(world, asker)?;
            doors::f2_the_record_is_durable(world, asker)?;
            doors::a6_an_accept_is_repeated_as_it_stands(world, asker)?;
            one_login::c1_no_accept_after_the_deadline(world, asker)?;
            one_login::b2_the_newest_gets_the_accept(world, asker)?;
        }
        Answer::Challenge(_) => {
            codes::c4_a_wrong_appended_code_never_prompts(world, asker)?;
            doors::a8_an_approval_is_heard(world, asker)?;
            numbers::f8_each_asking_has_its_own_number_and_state(world, asker, answer)?;
            one_login::b5_an_approval_of_no_screen_ends(world, asker)?;
        }
        Answer::Reject(reject) => {
            shield::d6_a_no_after_the_yes_takes_as_long_as_the_primarys(world, asker, reject)?;
            one_login::b2_under_connection_nobody_live_is_superseded(world, asker, reject)?;
            one_login::b5_who_can_be_challenged_is(world, asker, reject)?;
            doors::a10_nobody_hears_a_no_of_a_login_that_was_not_checked(world, asker, reject)?;
        }
    }
    one_login::b5_nobody_is_answered_too_late(world, asker)?;
    codes::c3_twins_get_the_same(world, asker, answer)
}

/// A request is told nothing, because nobody could check its login.
pub(crate) fn unchecked(world: &World, asker: AskerId) -> Check {
    one_login::b1_one_answer(world, asker)?;
    doors::a10_only_what_nobody_checked_is_told_nothing(world, asker)
}

/// A phone rings.
pub(crate) fn rings(world: &World, claim: &PromptClaim, login: LoginId) -> Check {
    one_login::b3_claimed_before_it_rings_and_rings_once(world, claim)?;
    one_login::b2_one_prompt_of_a_user(world, claim)?;
    numbers::f8_nothing_is_downgraded(world, claim, login)?;
    codes::c4_no_prompt_after_an_appended_code(world, login)
}

/// Digits were looked at.
pub(crate) fn typed(world: &World, login: LoginId, prompt: PromptId) -> Check {
    numbers::f8_digits_are_looked_at_thrice_and_after_the_primary(world, login, prompt)?;
    numbers::c1_identical_wrong_digits_count_once(world, prompt)
}

/// The store claimed a prompt.
pub(crate) fn claimed(world: &World, claim: &PromptClaim) -> Check {
    one_login::b5_a_prompt_ends(world, claim)?;
    codes::d2_no_push_in_a_quiet_time(world, claim)
}

/// A code is about to be looked at.
pub(crate) fn guesses(world: &World, typed: &Typed<'_>) -> Check {
    codes::c3_three_tries(world, typed)?;
    codes::d1_codes_only_after_the_primary(world, typed)
}

/// A code was looked at.
pub(crate) fn guessed(world: &World, typed: &Typed<'_>, outcome: &CodeOutcome) -> Check {
    codes::c1_a_code_works_once(world, typed, outcome)?;
    codes::c1_an_identical_wrong_code_counts_once(world, typed)?;
    codes::d1_a_lock_holds(world, typed, outcome)
}

/// The store granted a release, or not.
pub(crate) fn releases(world: &World, login: LoginId, check: &ReleaseCheck, outcome: &ReleaseOutcome) -> Check {
    if *outcome != ReleaseOutcome::Granted {
        return Ok(());
    }
    doors::a6_all_still_stands(world, login, check)?;
    doors::f4_a_bypass_opens_one_door_once(world)?;
    doors::a8_a_denial_ends_the_login(world, login)
}

/// Nothing more will happen.
pub(crate) fn at_the_end(world: &World) -> Check {
    one_login::nobody_is_left_without_an_answer(world)?;
    one_login::no_session_is_left(world)?;
    doors::f2_each_login_has_its_record(world)
}
