//! One prompt at a time, claimed, answered and ended once (rules A8, B2, B3, D2).

use std::sync::Arc;

use login::{Claim, DeviceId, PhoneAnswer, PromptClaim, PromptClose, PromptStatus, ResolvedUser, Wall};

use super::super::{Answered, Channel, PromptEnd, Refusal, Store, StoreError, WithdrawnPrompt};
use super::{NOW, Site, after, alice, claim, limits, prompt_id, user};

const OURS: Claim = Claim::Claimed { displaced: None };

async fn alice_with_phone(site: &impl Site) -> (Arc<dyn Store>, DeviceId) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let device = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    (store, device)
}

async fn claims(store: &Arc<dyn Store>, claim: PromptClaim, at: Wall) -> Claim {
    store.claim_prompt(claim, at, &limits()).await.unwrap()
}

async fn says(store: &Arc<dyn Store>, device: &DeviceId, n: u8, answer: PhoneAnswer, at: Wall) -> Answered {
    store.answer_prompt(prompt_id(n), device, answer, None, at, &limits()).await.unwrap()
}

async fn status(store: &Arc<dyn Store>, n: u8, at: Wall) -> PromptStatus {
    store.prompt_status(prompt_id(n), at).await.unwrap()
}

async fn quiet(store: &Arc<dyn Store>, at: Wall) -> Option<Wall> {
    store.user_facts(&alice(), None, at, &limits()).await.unwrap().pushes_quiet_until
}

pub(crate) async fn one_prompt_is_out_at_a_time(site: &impl Site) {
    let (store, _) = alice_with_phone(site).await;
    assert_eq!(claims(&store, claim(1, 1, NOW), NOW).await, OURS);
    assert_eq!(claims(&store, claim(2, 2, after(1)), after(1)).await, Claim::Busy);
    assert_eq!(status(&store, 1, after(1)).await, PromptStatus::Pending);
    assert_eq!(status(&store, 2, after(1)).await, PromptStatus::Ended);
}

pub(crate) async fn the_same_login_joins_its_prompt(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    let joined = Claim::Joined { prompt: prompt_id(1), ends_at: after(120), status: PromptStatus::Pending };
    assert_eq!(claims(&store, claim(2, 1, after(20)), after(20)).await, joined);
    // Its asker waits longer now, so another login is still refused when the first asker is gone.
    assert_eq!(claims(&store, claim(3, 3, after(40)), after(40)).await, Claim::Busy);
    says(&store, &device, 1, PhoneAnswer::Approve, after(41)).await;
    let status = PromptStatus::Approved { device, at: after(41) };
    let joined = Claim::Joined { prompt: prompt_id(1), ends_at: after(120), status };
    // B3: after a crash, too, it joins and nothing is sent again.
    drop(store);
    assert_eq!(claims(&site.open(), claim(4, 1, after(42)), after(42)).await, joined);
}

pub(crate) async fn a_claim_that_is_repeated_is_the_same(site: &impl Site) {
    let (store, _) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    let displacing = Claim::Claimed { displaced: Some(prompt_id(1)) };
    for _ in 0..3 {
        assert_eq!(claims(&store, claim(2, 2, after(28)), after(28)).await, displacing);
    }
    assert_eq!(store.open_prompts(after(28)).await.unwrap().len(), 1);
}

pub(crate) async fn a_prompt_nobody_waits_for_gives_way_and_counts(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    let displaced = claims(&store, claim(2, 2, after(27)), after(27)).await;
    assert_eq!(displaced, Claim::Claimed { displaced: Some(prompt_id(1)) });
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().pushes.unanswered, 1);
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(28)).await, Answered::TooLate);
}

pub(crate) async fn a_known_station_displaces_an_unknown_one(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    let known = PromptClaim { station_known: true, ..claim(2, 2, after(1)) };
    assert_eq!(claims(&store, known, after(1)).await, Claim::Claimed { displaced: Some(prompt_id(1)) });
    // A known one gives way to nobody.
    let known = PromptClaim { station_known: true, ..claim(3, 3, after(2)) };
    assert_eq!(claims(&store, known.clone(), after(2)).await, Claim::Busy);
    store.close_prompt(prompt_id(2), PromptClose::Withdrawn, after(2), &limits()).await.unwrap();
    // What the person has approved does not give way either.
    claims(&store, claim(4, 4, after(3)), after(3)).await;
    says(&store, &device, 4, PhoneAnswer::Approve, after(3)).await;
    assert_eq!(claims(&store, known, after(4)).await, Claim::Busy);
}

pub(crate) async fn an_expired_prompt_is_closed_when_met(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    assert_eq!(status(&store, 1, after(120)).await, PromptStatus::Ended);
    assert!(store.open_prompts(after(120)).await.unwrap().is_empty());
    // The same login is a new prompt then, and nothing is displaced.
    assert_eq!(claims(&store, claim(2, 1, after(120)), after(120)).await, OURS);
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().pushes.unanswered, 1);
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(121)).await, Answered::TooLate);
}

pub(crate) async fn three_unanswered_make_quiet(site: &impl Site) {
    let (store, _) = alice_with_phone(site).await;
    for n in 0..3_u8 {
        let at = after(u64::from(n) * 200);
        assert_eq!(claims(&store, claim(n, n, at), at).await, OURS);
        store
            .close_prompt(prompt_id(n), PromptClose::Unanswered, after(u64::from(n) * 200 + 120), &limits())
            .await
            .unwrap();
        store
            .close_prompt(prompt_id(n), PromptClose::Unanswered, after(u64::from(n) * 200 + 121), &limits())
            .await
            .unwrap();
    }
    let until = after(520 + 600);
    assert_eq!(claims(&store, claim(9, 9, after(600)), after(600)).await, Claim::Quiet { until });
    assert_eq!(quiet(&store, after(600)).await, Some(until));
    assert_eq!(claims(&store, claim(9, 9, until), until).await, OURS);
}

pub(crate) async fn a_prompt_before_the_password_counts_for_nothing_and_gives_way(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    let unproven = |n: u8, at| PromptClaim { unproven: true, ..claim(n, n, at) };
    for (n, answer) in [(0_u8, None), (1, None), (2, None), (3, Some(PhoneAnswer::Deny))] {
        let at = after(u64::from(n) * 200);
        assert_eq!(claims(&store, unproven(n, at), at).await, OURS, "rules D7: counted elsewhere");
        match answer {
            Some(answer) => assert_eq!(says(&store, &device, n, answer, at).await, Answered::Taken),
            None => store.close_prompt(prompt_id(n), PromptClose::Unanswered, at, &limits()).await.unwrap(),
        }
        assert_eq!(quiet(&store, at).await, None);
    }
    let at = after(1000);
    assert_eq!(claims(&store, unproven(10, at), at).await, OURS);
    assert_eq!(claims(&store, unproven(11, at), at).await, Claim::Busy, "one at a time");
    let displaced = Some(prompt_id(10));
    assert_eq!(claims(&store, claim(12, 12, at), at).await, Claim::Claimed { displaced }, "its password was right");
    assert_eq!(claims(&store, unproven(12 + 1, at), at).await, Claim::Busy, "and nobody's without one takes its place");
    let same = PromptClaim { unproven: true, ..claim(14, 12, at) };
    assert_eq!(claims(&store, same, at).await, Claim::Busy, "nor joins it");
    assert_eq!(status(&store, 12, at).await, PromptStatus::Pending);
}

pub(crate) async fn a_denial_makes_quiet_at_once(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Deny, after(5)).await, Answered::Taken);
    assert_eq!(claims(&store, claim(2, 1, after(6)), after(6)).await, Claim::Quiet { until: after(605) });
    // Once, however often it is said.
    says(&store, &device, 1, PhoneAnswer::Deny, after(7)).await;
    assert_eq!(quiet(&store, after(8)).await, Some(after(605)));
}

pub(crate) async fn an_approval_forgets_what_was_unanswered(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    for n in 0..2 {
        claims(&store, claim(n, n, NOW), NOW).await;
        store.close_prompt(prompt_id(n), PromptClose::Unanswered, NOW, &limits()).await.unwrap();
    }
    claims(&store, claim(5, 5, NOW), NOW).await;
    says(&store, &device, 5, PhoneAnswer::Approve, after(1)).await;
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().pushes, login::limits::PushCounts::default());
}

pub(crate) async fn the_first_answer_stands(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(1)).await, Answered::Taken);
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(2)).await, Answered::Stands(PhoneAnswer::Approve));
    assert_eq!(status(&store, 1, after(3)).await, PromptStatus::Approved { device, at: after(1) });
}

pub(crate) async fn a_denial_wins_over_an_approval(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    let tablet = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    claims(&store, claim(1, 1, NOW), NOW).await;
    says(&store, &device, 1, PhoneAnswer::Approve, after(1)).await;
    assert_eq!(says(&store, &tablet, 1, PhoneAnswer::Deny, after(2)).await, Answered::Taken);
    assert_eq!(status(&store, 1, after(2)).await, PromptStatus::Denied);
}

pub(crate) async fn nothing_revives_a_denial(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    says(&store, &device, 1, PhoneAnswer::Deny, after(1)).await;
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(2)).await, Answered::Stands(PhoneAnswer::Deny));
    assert_eq!(store.extend_prompt(prompt_id(1), after(90), after(2)).await.unwrap(), PromptStatus::Denied);
    store.close_prompt(prompt_id(1), PromptClose::Withdrawn, after(2), &limits()).await.unwrap();
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(3)).await, Answered::Stands(PhoneAnswer::Deny));
}

pub(crate) async fn a_fraud_report_bars_the_user(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    says(&store, &device, 1, PhoneAnswer::Deny, after(1)).await;
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Fraud, after(2)).await, Answered::Taken);
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Deny, after(3)).await, Answered::Stands(PhoneAnswer::Fraud));
    let later = after(1_000_000);
    assert_eq!(claims(&store, claim(2, 1, later), later).await, Claim::Quiet { until: Wall::NEVER });
    let facts = store.user_facts(&alice(), None, later, &limits()).await.unwrap();
    assert_eq!(facts.blocked.as_deref(), Some("fraud reported"));
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().fraud_reported, Some(after(2)));
    store.unblock_user(&alice()).await.unwrap();
    assert_eq!(claims(&store, claim(2, 1, later), later).await, OURS);
}

pub(crate) async fn a_hint_never_approves(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let pager = store.add_device(&alice(), Channel::Webhook, None, NOW).await.unwrap();
    claims(&store, claim(1, 1, NOW), NOW).await;
    for answer in [PhoneAnswer::Approve, PhoneAnswer::Deny, PhoneAnswer::Fraud] {
        let error = store.answer_prompt(prompt_id(1), &pager, answer, None, NOW, &limits()).await.unwrap_err();
        assert_eq!(error, StoreError::Refused(Refusal::DeviceCannotAnswer(pager.0.clone())));
    }
    assert_eq!(status(&store, 1, NOW).await, PromptStatus::Pending);
}

pub(crate) async fn only_the_users_own_device_answers(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    store.add_user(user("mallory"), NOW).await.unwrap();
    let foreign = store.add_device(&ResolvedUser::new("mallory"), Channel::Loopback, None, NOW).await.unwrap();
    let removed = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.remove_device(&removed, NOW).await.unwrap();
    claims(&store, claim(1, 1, NOW), NOW).await;
    for stranger in [foreign, removed, DeviceId("d-none".into())] {
        let error =
            store.answer_prompt(prompt_id(1), &stranger, PhoneAnswer::Approve, None, NOW, &limits()).await.unwrap_err();
        assert_eq!(error, StoreError::Refused(Refusal::NoDevice(stranger.0.clone())));
    }
    let error =
        store.answer_prompt(prompt_id(9), &device, PhoneAnswer::Approve, None, NOW, &limits()).await.unwrap_err();
    assert_eq!(error, StoreError::Refused(Refusal::NoPrompt));
}

pub(crate) async fn too_late_is_too_late(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(120)).await, Answered::TooLate);
    assert_eq!(
        says(&store, &device, 1, PhoneAnswer::Approve, NOW).await,
        Answered::TooLate,
        "a clock stepped back revives nothing"
    );
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().pushes.unanswered, 1);
    // A report is kept even then.
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Fraud, after(130)).await, Answered::TooLate);
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().fraud_reported, Some(after(130)));
}

pub(crate) async fn an_approval_waits_ten_seconds(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    says(&store, &device, 1, PhoneAnswer::Approve, after(60)).await;
    assert_eq!(claims(&store, claim(2, 2, after(69)), after(69)).await, Claim::Busy);
    let status = PromptStatus::Approved { device: device.clone(), at: after(60) };
    let joined = claims(&store, PromptClaim { askers_until: after(65), ..claim(3, 1, after(69)) }, after(69)).await;
    assert_eq!(joined, Claim::Joined { prompt: prompt_id(1), ends_at: after(120), status });
    // Then it ends, and that is no unanswered push.
    assert_eq!(claims(&store, claim(4, 1, after(70)), after(70)).await, OURS);
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().pushes.unanswered, 0);
    // Whoever holds a State for it keeps it open.
    says(&store, &device, 4, PhoneAnswer::Approve, after(71)).await;
    store.extend_prompt(prompt_id(4), after(150), after(72)).await.unwrap();
    assert!(matches!(claims(&store, claim(5, 1, after(149)), after(149)).await, Claim::Joined { .. }));
}

pub(crate) async fn a_withdrawn_prompt_does_not_count(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    for n in 0..5 {
        claims(&store, claim(n, n, NOW), NOW).await;
        store.close_prompt(prompt_id(n), PromptClose::Withdrawn, NOW, &limits()).await.unwrap();
    }
    assert_eq!(quiet(&store, NOW).await, None);
    assert_eq!(says(&store, &device, 4, PhoneAnswer::Approve, NOW).await, Answered::TooLate);
    store.close_prompt(prompt_id(77), PromptClose::Withdrawn, NOW, &limits()).await.unwrap();
}

pub(crate) async fn a_block_or_removal_withdraws_what_is_out(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    store.block_user(&alice(), "lost laptop".into()).await.unwrap();
    assert_eq!(status(&store, 1, NOW).await, PromptStatus::Ended);
    assert_eq!(claims(&store, claim(2, 1, NOW), NOW).await, Claim::Quiet { until: Wall::NEVER });
    store.unblock_user(&alice()).await.unwrap();
    claims(&store, claim(3, 1, NOW), NOW).await;
    store.remove_device(&device, NOW).await.unwrap();
    assert_eq!(status(&store, 3, NOW).await, PromptStatus::Ended);
    store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    claims(&store, claim(4, 1, NOW), NOW).await;
    store.remove_user(&alice(), NOW).await.unwrap();
    assert_eq!(status(&store, 4, NOW).await, PromptStatus::Ended);
    assert!(store.open_prompts(NOW).await.unwrap().is_empty());
}

pub(crate) async fn what_was_taken_back_is_told_with_its_block(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    let withdrawn = async |n| store.withdrawn_prompts(vec![prompt_id(n)]).await.unwrap();
    claims(&store, claim(1, 1, NOW), NOW).await;
    assert!(withdrawn(1).await.is_empty(), "it is out");
    store.block_user(&alice(), "lost laptop".into()).await.unwrap();
    let blocked = WithdrawnPrompt { prompt: prompt_id(1), blocked: Some("lost laptop".into()) };
    assert_eq!(withdrawn(1).await, [blocked]);
    store.unblock_user(&alice()).await.unwrap();
    claims(&store, claim(2, 1, NOW), NOW).await;
    assert_eq!(says(&store, &device, 2, PhoneAnswer::Deny, NOW).await, Answered::Taken);
    assert!(withdrawn(2).await.is_empty(), "a denial is the phone's own, and its login learns of it otherwise");
    store.unblock_user(&alice()).await.unwrap();
    claims(&store, claim(3, 1, NOW), NOW).await;
    store.remove_device(&device, NOW).await.unwrap();
    let taken = |n| [WithdrawnPrompt { prompt: prompt_id(n), blocked: None }];
    assert_eq!(withdrawn(3).await, taken(3));
    store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    claims(&store, claim(4, 1, NOW), NOW).await;
    store.remove_user(&alice(), NOW).await.unwrap();
    assert_eq!(withdrawn(4).await, taken(4), "it went with its user");
}

pub(crate) async fn open_prompts_outlive_a_restart(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    drop(store);
    let store = site.open();
    let open = store.open_prompts(after(1)).await.unwrap().remove(0);
    assert_eq!((open.prompt, open.user, open.status), (prompt_id(1), alice(), PromptStatus::Pending));
    assert_eq!((open.ends_at, open.askers_until), (after(120), after(27)));
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(2)).await, Answered::Taken);
    let open = store.open_prompts(after(3)).await.unwrap().remove(0);
    assert_eq!(open.status, PromptStatus::Approved { device, at: after(2) });
    assert!(store.open_prompts(after(60)).await.unwrap().is_empty());
}

pub(crate) async fn without_a_device_nothing_is_claimed(site: &impl Site) {
    let store = site.open();
    assert!(store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.is_err());
    store.add_user(user("alice"), NOW).await.unwrap();
    let error = store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(Refusal::NoDevice(_))), "{error}");
    assert!(store.open_prompts(NOW).await.unwrap().is_empty());
}

/// Rules D5: it may begin a login, and never ends another's.
pub(crate) async fn a_bare_claim_displaces_nobody(site: &impl Site) {
    let (store, _) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    let bare = PromptClaim { authentic: false, station_known: true, ..claim(2, 2, after(28)) };
    assert_eq!(claims(&store, bare.clone(), after(28)).await, Claim::Busy, "though nobody waits for the other");
    assert_eq!(status(&store, 1, after(28)).await, PromptStatus::Pending);
    // One whose time is over is nobody's any more.
    let later = PromptClaim { ends_at: after(240), askers_until: after(150), ..bare };
    assert_eq!(claims(&store, later, after(120)).await, OURS);
    // A signed one displaces the bare one's as any other's.
    let signed = claim(3, 3, after(150));
    assert_eq!(claims(&store, signed, after(150)).await, Claim::Claimed { displaced: Some(prompt_id(2)) });
}

/// What a phone tells its owner of an answer.
pub(crate) async fn what_an_answer_led_to_is_known_afterwards(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    let end = async |n: u8, at| store.prompt_end(prompt_id(n), at).await.unwrap();
    assert_eq!(end(1, NOW).await, PromptEnd::Over, "nobody knows it");
    claims(&store, claim(1, 1, NOW), NOW).await;
    assert_eq!((end(1, NOW).await, end(1, after(120)).await), (PromptEnd::Open, PromptEnd::Over));
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(1)).await, Answered::Taken);
    assert_eq!((end(1, after(1)).await, end(1, after(60)).await), (PromptEnd::Open, PromptEnd::Over));
    store.close_prompt(prompt_id(1), PromptClose::Used, after(2), &limits()).await.unwrap();
    assert_eq!(end(1, after(2)).await, PromptEnd::LetIn);
    claims(&store, claim(2, 2, after(3)), after(3)).await;
    store.close_prompt(prompt_id(2), PromptClose::Withdrawn, after(3), &limits()).await.unwrap();
    assert_eq!(end(2, after(3)).await, PromptEnd::Over);
    claims(&store, claim(3, 3, after(4)), after(4)).await;
    store.close_prompt(prompt_id(3), PromptClose::Used, after(4), &limits()).await.unwrap();
    assert_eq!(end(3, after(4)).await, PromptEnd::Over, "there was no yes to use");
    claims(&store, claim(4, 4, after(5)), after(5)).await;
    assert_eq!(says(&store, &device, 4, PhoneAnswer::Deny, after(5)).await, Answered::Taken);
    assert_eq!(end(4, after(5)).await, PromptEnd::Refused);
}

/// Rules B5: its end is absolute, and a clock that is stepped back prolongs nothing.
pub(crate) async fn a_prompt_from_before_a_clock_step_is_over(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    let later = after(3600);
    claims(&store, claim(1, 1, later), later).await;
    assert_eq!(status(&store, 1, later).await, PromptStatus::Pending);
    assert_eq!(status(&store, 1, NOW).await, PromptStatus::Ended);
    assert!(store.open_prompts(NOW).await.unwrap().is_empty());
    assert_eq!(store.prompt_of(&alice(), NOW).await.unwrap(), None);
    assert_eq!(claims(&store, claim(2, 2, NOW), NOW).await, OURS);
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, NOW).await, Answered::TooLate);
    // The same for the phone's answer, should it be the first to notice.
    let another = site.another();
    let store = another.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let device = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    claims(&store, claim(1, 1, later), later).await;
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, NOW).await, Answered::TooLate);
    assert_eq!(status(&store, 1, later).await, PromptStatus::Ended);
}

/// Rules B2, D2: a prompt gives way only to one that rings.
pub(crate) async fn a_prompt_stands_where_none_would_ring_in_its_place(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    for n in 0..2 {
        claims(&store, claim(n, n, NOW), NOW).await;
        store.close_prompt(prompt_id(n), PromptClose::Unanswered, NOW, &limits()).await.unwrap();
    }
    assert_eq!(claims(&store, claim(3, 3, NOW), NOW).await, OURS);
    // Were it displaced, it would be the third unanswered one.
    let known = PromptClaim { station_known: true, ..claim(4, 4, after(1)) };
    assert_eq!(claims(&store, known.clone(), after(1)).await, Claim::Quiet { until: after(601) });
    assert_eq!(status(&store, 3, after(1)).await, PromptStatus::Pending);
    assert_eq!(quiet(&store, after(1)).await, None, "nothing was counted");
    assert_eq!(claims(&store, claim(5, 5, after(27)), after(27)).await, Claim::Quiet { until: after(627) });
    // It counts, and nobody waits for it by then (A8).
    assert_eq!(says(&store, &device, 3, PhoneAnswer::Approve, after(28)).await, Answered::Late);
}

/// Rules A8: whatever is promised to it, a yes does not outlive its prompt and the State of one challenge.
pub(crate) async fn an_approval_ends_whoever_is_said_to_wait_for_it(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    says(&store, &device, 1, PhoneAnswer::Approve, after(1)).await;
    store.extend_prompt(prompt_id(1), after(100_000), after(2)).await.unwrap();
    assert!(matches!(claims(&store, claim(2, 1, after(240)), after(240)).await, Claim::Joined { .. }));
    assert!(store.open_prompts(after(241)).await.unwrap().is_empty());
    assert_eq!(claims(&store, claim(3, 1, after(241)), after(241)).await, OURS);
}

/// Rules A8: as with a prompt that nobody answered, a clock that is stepped back prolongs nothing.
pub(crate) async fn an_approval_from_before_a_clock_step_is_over(site: &impl Site) {
    let (store, device) = alice_with_phone(site).await;
    let later = after(3600);
    claims(&store, claim(1, 1, later), later).await;
    says(&store, &device, 1, PhoneAnswer::Approve, later).await;
    assert!(store.open_prompts(NOW).await.unwrap().is_empty());
    assert_eq!(claims(&store, claim(2, 1, NOW), NOW).await, OURS);
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, NOW).await, Answered::TooLate);
}
