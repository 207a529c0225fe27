//! The suite that every store must pass, whatever it is made of.
//!
//! A backend names its [`Site`] in [`every_store_must!`] and runs each check on a fresh one. The checks speak in verbs only,
//! so they say what a store promises and not how it keeps it. A site can be opened again at any time, which stands for a
//! restart, a second process and a second node alike.

pub(crate) mod acts;
pub(crate) mod bypasses;
pub(crate) mod choices;
pub(crate) mod guesses;
pub(crate) mod letters;
pub(crate) mod names;
pub(crate) mod numbers;
pub(crate) mod overview;
pub(crate) mod people;
pub(crate) mod people_codes;
pub(crate) mod phones;
pub(crate) mod pins;
pub(crate) mod prompts;
pub(crate) mod web_sessions;
pub(crate) mod written;

use std::sync::Arc;
use std::time::Duration;

use login::limits::Limits;
use login::{
    Asks, ClientName, GroupName, LoginId, LoginKey, Means, Method, PromptClaim, PromptId, Reason, Record,
    RecordedAnswer, RecordedFactor, ReleaseCheck, ResolvedUser, Station, TokenId, Wall,
};
use wire::Secret;

use super::{
    Algorithm, Channel, GuessCommit, GuessOutcome, Mark, NewActivation, NewToken, NewUser, NewWebSession, PhoneKey,
    SessionTurn, Store, Subscription, TokenKind, TokenUse, WebRealm, WebStep,
};

/// Where a store lives: fresh at first, opened as often as a check wants.
pub(crate) trait Site: Sized {
    /// A site without any users.
    fn fresh() -> Self;
    /// Opens it, perhaps once more.
    fn open(&self) -> Arc<dyn Store>;
    /// Another site, without any users.
    fn another(&self) -> Self {
        Self::fresh()
    }
}

/// Runs each check of the suite as a test of its own on a fresh site.
macro_rules! every_store_must {
    ($site:ty) => {
        $crate::store::conformance::every_store_must! { @all $site;
            people: a_user_is_added_once, what_is_known_of_a_user_comes_back, an_unknown_user_is_a_fact_and_no_error,
                a_password_hash_comes_back_and_can_be_taken_away, groups_are_kept_in_order_and_once,
                a_block_shows_and_ends, names_that_are_none_are_refused, users_are_listed_in_pages,
                a_removed_user_leaves_nothing_behind, a_removed_user_takes_all_of_it_along, tokens_from_which_no_code_could_come_are_refused,
                a_removed_token_is_gone_for_good, a_token_is_renamed_and_still_makes_its_codes, devices_come_and_go, a_user_has_a_bounded_number_of_methods, of_removed_devices_a_bounded_number_of_rows_is_kept,
                stances_are_learned_and_forgotten, site_keys_are_stable_and_apart;
            names: a_look_alike_is_told_of_and_is_not_added, two_people_whom_staff_told_apart_are_no_look_alikes,
                only_staff_spell_a_name, a_renamed_user_keeps_what_it_has_and_the_old_name_is_nobodys,
                a_renamed_user_keeps_phone_pin_block_and_used_codes_and_a_login_under_the_old_name_ends;
            guesses: a_code_works_once, a_user_has_no_seed_twice, of_fifty_who_add_one_seed_at_once_one_does,
                a_token_that_is_added_again_makes_no_code_new, a_token_begins_where_it_is_said_to_stand,
                a_code_is_used_on_all_its_tokens_or_on_none, a_step_never_goes_back_whatever_the_clock_does, a_counter_never_goes_back,
                of_two_guesses_on_one_version_one_commits, five_hundred_guesses_on_one_version_reveal_one,
                a_repeated_commit_has_no_second_effect,
                a_wrong_code_that_is_repeated_counts_once, a_wrong_code_counts_again_once_it_could_say_something_new,
                alternating_wrong_codes_all_count, a_wrong_code_is_remembered_where_it_counted,
                parallel_repetitions_of_a_wrong_code_count_once, a_guess_is_stale_once_tokens_changed,
                failures_lock_and_a_success_forgives, a_stranger_does_not_lock_a_known_station,
                where_somebody_was_let_in_is_known_and_so_is_its_network,
                a_station_is_known_for_thirty_days, a_locked_station_commits_nothing, an_approved_push_unlocks_codes,
                an_admin_unlocks_codes, lifted_limits_end_no_block, used_codes_outlive_a_restart, stations_are_bounded;
            prompts: one_prompt_is_out_at_a_time, the_same_login_joins_its_prompt, a_claim_that_is_repeated_is_the_same,
                a_prompt_nobody_waits_for_gives_way_and_counts, a_known_station_displaces_an_unknown_one,
                an_expired_prompt_is_closed_when_met, three_unanswered_make_quiet, a_denial_makes_quiet_at_once,
                a_prompt_before_the_password_counts_for_nothing_and_gives_way,
                an_approval_forgets_what_was_unanswered, the_first_answer_stands, a_denial_wins_over_an_approval,
                nothing_revives_a_denial, a_fraud_report_bars_the_user, a_hint_never_approves,
                only_the_users_own_device_answers, too_late_is_too_late, an_approval_waits_ten_seconds,
                a_withdrawn_prompt_does_not_count, a_block_or_removal_withdraws_what_is_out,
                what_was_taken_back_is_told_with_its_block, open_prompts_outlive_a_restart,
                without_a_device_nothing_is_claimed, a_bare_claim_displaces_nobody,
                what_an_answer_led_to_is_known_afterwards, a_prompt_from_before_a_clock_step_is_over,
                a_prompt_stands_where_none_would_ring_in_its_place, an_approval_ends_whoever_is_said_to_wait_for_it,
                an_approval_from_before_a_clock_step_is_over;
            written: a_release_grants_once_and_is_written_down, a_release_that_is_repeated_grants_again,
                a_prompt_is_released_once, a_blocked_user_is_not_released, a_reported_user_is_not_released,
                a_removed_method_is_not_released, a_removed_user_is_not_released,
                a_denial_of_what_is_out_wins_over_a_code, what_is_out_is_withdrawn_by_the_release, an_excuse_needs_no_store,
                a_record_is_written_once_per_login, names_unknown_to_us_are_hashed, sinks_are_fed_from_their_cursor,
                one_approval_lets_in_together_only_its_own_login, the_chain_is_whole, a_record_is_one_json_object,
                equal_refusals_of_a_minute_are_one_record_with_a_count, a_count_ends_with_its_minute;
            phones: a_phone_is_active_only_after_its_test_push, a_test_push_opens_no_logins_door, a_test_is_approved_by_its_own_device_alone, a_phone_without_its_test_answers_no_login, an_unanswered_or_declined_test_makes_nobody_quiet, a_test_of_a_new_phone_forgives_and_minds_no_quiet_time, an_activation_that_is_begun_again_is_the_same, the_same_key_again_gets_the_same_answer, a_second_key_voids_both, five_wrong_codes_void_an_activation, wrong_codes_take_no_key_from_a_phone_that_has_one, fifty_keys_at_once_leave_one_or_none, an_activation_ends_with_its_time_or_its_user, waiting_devices_are_bounded_and_swept, a_phone_of_the_hosts_making_needs_no_test, what_a_phone_brings_comes_back, silent_phones_are_told_once, what_a_phone_can_prove_is_a_fact, what_is_out_is_shown_to_its_own_user;
            numbers: a_yes_brings_the_number_that_is_shown, a_wrong_number_that_was_typed_is_a_slip_and_the_second_one_a_denial, a_wrong_number_that_was_chosen_denies_and_counts, of_fifty_choices_at_once_one_counts, each_asking_brings_its_own_number, the_numbers_of_one_prompt_are_bounded, nobody_joins_a_prompt_that_asks_for_less, a_pin_is_asked_for_on_our_own_page_only, typed_digits_are_shown_after_a_confirmation_and_typed_back, the_third_wrong_number_denies, of_fifty_typed_at_once_three_are_looked_at, the_apps_done_is_no_denial_and_any_other_is, digits_of_a_removed_phone_approve_nothing, digits_end_with_their_prompt;
            pins: a_pin_comes_back_as_it_was_set, a_guess_commits_on_its_version_alone, a_repeated_guess_has_no_second_effect, of_fifty_guesses_on_one_version_one_commits, a_lock_holds_until_it_is_reset;
            people_codes: an_activation_code_works_once, another_mailbox_voids_what_was_mailed_to_the_old_one, of_fifty_who_bring_one_code_one_gets_in, five_wrong_ones_void_a_code, a_newer_code_voids_the_older_and_time_voids_both, a_recovery_code_works_once, of_fifty_who_bring_one_recovery_code_one_gets_in, an_invitation_goes_out_once_a_day;
            bypasses: a_bypass_is_spent_by_one_release, of_fifty_releases_by_one_bypass_one_is_granted, a_bypass_is_bound_to_user_client_and_time, a_newer_bypass_voids_the_older_of_its_client, bypasses_are_bounded, a_block_or_a_report_ends_bypasses, a_denial_of_what_is_out_spends_no_bypass, an_open_bypass_is_a_fact_until_it_is_spent_or_its_time_is_over;
            choices: what_a_user_chose_comes_back;
            web_sessions: a_session_is_found_by_its_id_in_its_realm, a_session_ends_when_idle_and_at_its_end, a_step_up_is_a_new_id, a_new_id_alone_makes_no_factor_fresh_again, of_a_form_that_is_sent_four_times_one_makes_a_token, a_session_that_owes_a_factor_makes_nothing, a_first_method_ends_all_else_that_waits_to_make_one, a_later_method_ends_no_code, a_users_sessions_are_listed_the_last_used_first, sessions_are_closed_one_or_all_but_one, a_block_a_report_or_a_new_password_closes_sessions, sessions_are_bounded_and_a_password_pushes_no_factor_out;
            letters: letters_wait_until_they_are_done;
            overview: refusals_are_found_by_reason_client_and_name_and_told_in_pages, equal_refusals_are_one_with_their_count_before_and_after_the_minute_is_over, users_are_found_within_their_names_and_by_how_they_stand, the_last_login_and_the_codes_that_are_open_are_told;
            acts: acts_stand_in_the_chain_and_apart_from_logins, an_act_on_a_removed_user_is_found_again, a_refusal_after_all_amends_its_record;
        }
    };
    (@all $site:ty; $($concern:ident: $($check:ident),+;)+) => {$(
        mod $concern {
            use super::*;

            $(#[tokio::test]
            async fn $check() {
                $crate::store::conformance::$concern::$check(&<$site as $crate::store::conformance::Site>::fresh()).await;
            })+
        }
    )+};
}
pub(crate) use every_store_must;

/// The checks' now.
pub(crate) const NOW: Wall = Wall(1_800_000_000_000);

pub(crate) fn after(seconds: u64) -> Wall {
    NOW.plus(Duration::from_secs(seconds))
}

pub(crate) fn limits() -> Limits {
    Limits::default()
}

pub(crate) fn alice() -> ResolvedUser {
    ResolvedUser::new("alice")
}

pub(crate) fn home() -> Station {
    Station::new(b"203.0.113.9")
}

pub(crate) fn elsewhere() -> Station {
    Station::new(b"198.51.100.7")
}

pub(crate) fn user(name: &str) -> NewUser {
    NewUser {
        name: ResolvedUser::new(name),
        groups: vec![GroupName::folded("VPN Users")],
        mail: Some(format!("{name}@example.com")),
        password_hash: None,
        by_staff: None,
    }
}

pub(crate) fn totp() -> NewToken {
    NewToken {
        kind: TokenKind::Totp { period_s: 30 },
        seed: Secret::new(*b"12345678901234567890"),
        digits: 6,
        algorithm: Algorithm::Sha1,
        label: None,
        used: None,
    }
}

pub(crate) fn hotp() -> NewToken {
    NewToken { kind: TokenKind::Hotp, seed: Secret::new(*b"09876543210987654321"), ..totp() }
}

/// A session of alice's in full, and how it is to go on.
pub(crate) async fn turning(store: &Arc<dyn Store>, n: u8, at: Wall) -> SessionTurn {
    let session = NewWebSession {
        id: [n; 32],
        user: alice(),
        realm: WebRealm::Portal,
        step: WebStep::Full,
        address: [203, 0, 113, 9].into(),
        agent: None,
        ends_at: at.plus(Duration::from_secs(3600)),
    };
    store.open_web_session(session, at).await.unwrap();
    SessionTurn { old: [n; 32], new: [n + 100; 32], factored_at: None }
}

/// An activation of a page of alice's, with that code; it waits for ten minutes and needs a test.
pub(crate) fn activation(code: &str) -> NewActivation {
    NewActivation {
        user: alice(),
        channel: Channel::WebPush,
        label: None,
        code: Secret::new(code),
        server_key: None,
        lasts: Duration::from_secs(600),
        needs_test: true,
        devices_max: 20,
    }
}

/// The key of phone `n`.
pub(crate) fn phone_key(n: u8) -> PhoneKey {
    let subscription =
        Subscription { endpoint: format!("https://push.example/{n}/").into(), p256dh: [n; 65], auth: [n; 16] };
    PhoneKey {
        spki: vec![n; 91],
        subscription: Some(subscription),
        agent: Some("Mozilla/5.0".into()),
        label: Some("alice's page".into()),
    }
}

/// A site with alice and one TOTP token of hers.
pub(crate) async fn alice_with_totp(site: &impl Site) -> (Arc<dyn Store>, TokenId) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let token = store.add_token(&alice(), totp(), NOW).await.unwrap();
    (store, token)
}

/// The version of alice's factors.
pub(crate) async fn version(store: &Arc<dyn Store>) -> u64 {
    store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap().version
}

/// A guess of alice's at `at`, from `station`, under an id of its own.
pub(crate) fn guess(id: u64, version: u64, station: Option<Station>, outcome: GuessOutcome, at: Wall) -> GuessCommit {
    let mut guess_id = [0; 16];
    guess_id[..8].copy_from_slice(&id.to_be_bytes());
    GuessCommit { guess_id, user: alice(), version, station, outcome, at }
}

/// The wrong code number `n`, tried on alice's tokens as they stand.
pub(crate) async fn wrong(store: &Arc<dyn Store>, n: u64) -> GuessOutcome {
    let read = store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap();
    GuessOutcome::Wrong(store.wrong_code(&alice(), &Secret::new(format!("wrong code {n}")), &read.tokens))
}

pub(crate) fn used(token: &TokenId, step: u64) -> GuessOutcome {
    GuessOutcome::Used(vec![TokenUse { token: token.clone(), mark: Mark::Totp { step, drift_steps: 0 } }])
}

pub(crate) fn login_key(n: u8) -> LoginKey {
    LoginKey([n; 16])
}

pub(crate) fn prompt_id(n: u8) -> PromptId {
    PromptId([n; 16])
}

/// Alice's claim of prompt `n` for login `login`, made at `at`: two minutes long, its asker waits for 27 seconds.
pub(crate) fn claim(n: u8, login: u8, at: Wall) -> PromptClaim {
    PromptClaim {
        prompt: prompt_id(n),
        user: alice(),
        login: login_key(login),
        ends_at: at.plus(Duration::from_secs(120)),
        askers_until: at.plus(Duration::from_secs(27)),
        station_known: false,
        authentic: true,
        client: ClientName::new("asa"),
        station: Some(home()),
        asks: Asks::default(),
        only: None,
        unproven: false,
    }
}

/// The record of an accepted login of alice's.
pub(crate) fn accepted(login: u64) -> Record {
    Record {
        login: LoginId(login),
        time: NOW,
        client: ClientName::new("asa"),
        user: "alice".into(),
        vouched: true,
        station: Some(home()),
        rule: None,
        tried: Arc::new([]),
        primary: None,
        factor: RecordedFactor::Method(Method::Totp),
        answer: RecordedAnswer::Accept,
        reason: Reason::Accepted,
        detail: None,
        askers: 1,
        waited: Duration::from_millis(1500),
        waited_primary: Duration::from_millis(40),
        waited_factor: Duration::from_millis(1400),
    }
}

pub(crate) fn rejected(login: u64) -> Record {
    Record { answer: RecordedAnswer::Reject, reason: Reason::WrongCode, ..accepted(login) }
}

pub(crate) fn check(means: Means) -> ReleaseCheck {
    ReleaseCheck { user: alice(), means, open_prompt: None, together: None }
}
