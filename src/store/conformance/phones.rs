//! From an activation to an active phone (rules F3), and what a phone tells of itself.

use std::sync::Arc;
use std::time::Duration;

use login::{
    Claim, DeviceId, Method, Opens, PhoneAnswer, PromptClaim, PromptClose, PromptId, PromptStatus, ResolvedUser, Wall,
};
use wire::Secret;

use super::super::{
    Answered, Channel, Device, DeviceState, KeyBrought, NewActivation, PhoneKey, Refusal, Seen, Store, StoreError,
    Subscription,
};
use super::{NOW, Site, activation, after, alice, check, claim, limits, phone_key, prompt_id, turning, user};

const CODE: &str = "a code of 60 bits or more";

fn code() -> Secret {
    Secret::new(CODE)
}

/// Alice, with a page that waits for its key and needs a test.
async fn waiting(site: &impl Site) -> (Arc<dyn Store>, DeviceId) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let device = store.begin_activation(activation(CODE), NOW).await.unwrap();
    (store, device)
}

/// Alice, with a page that brought its key and waits for its test.
async fn keyed(site: &impl Site) -> (Arc<dyn Store>, DeviceId) {
    let (store, device) = waiting(site).await;
    assert!(matches!(brings(&store, &device, 1, after(1)).await, KeyBrought::Taken(_)));
    (store, device)
}

/// The same, where she has a phone already.
async fn keyed_beside_another(site: &impl Site) -> (Arc<dyn Store>, DeviceId, DeviceId) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let mine = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    let device = store.begin_activation(activation(CODE), NOW).await.unwrap();
    assert!(matches!(brings(&store, &device, 1, after(1)).await, KeyBrought::Taken(_)));
    (store, device, mine)
}

async fn brings(store: &Arc<dyn Store>, device: &DeviceId, key: u8, at: Wall) -> KeyBrought {
    store.bring_key(device, &code(), phone_key(key), at).await.unwrap()
}

/// A test push for that device alone.
pub(crate) fn test_of(device: &DeviceId, n: u8, at: Wall) -> PromptClaim {
    PromptClaim { only: Some(device.clone()), askers_until: at.plus(Duration::from_secs(120)), ..claim(n, n, at) }
}

async fn claims(store: &Arc<dyn Store>, claim: PromptClaim, at: Wall) -> Claim {
    store.claim_prompt(claim, at, &limits()).await.unwrap()
}

async fn says(store: &Arc<dyn Store>, device: &DeviceId, n: u8, answer: PhoneAnswer, at: Wall) -> Answered {
    store.answer_prompt(prompt_id(n), device, answer, None, at, &limits()).await.unwrap()
}

async fn state(store: &Arc<dyn Store>, device: &DeviceId) -> Option<DeviceState> {
    store.phone(device).await.unwrap().map(|phone| phone.device.state)
}

async fn has_push(store: &Arc<dyn Store>) -> bool {
    store.user_facts(&alice(), None, NOW, &limits()).await.unwrap().methods.contains(&Method::Push)
}

fn is_none<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Refused(Refusal::NoDevice(_))))
}

pub(crate) async fn a_phone_is_active_only_after_its_test_push(site: &impl Site) {
    let (store, device) = waiting(site).await;
    assert_eq!(state(&store, &device).await, Some(DeviceState::Waiting));
    assert!(is_none(store.claim_prompt(test_of(&device, 1, NOW), NOW, &limits()).await), "it has no key yet");
    let KeyBrought::Taken(phone) = brings(&store, &device, 1, after(1)).await else { panic!("the key is not taken") };
    assert_eq!((phone.device.state, &phone.spki), (DeviceState::Keyed, &phone_key(1).spki));
    let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
    assert_eq!((facts.methods.len(), facts.ever_enrolled, facts.chooses_number), (0, false, false));
    assert!(is_none(store.claim_prompt(claim(9, 9, NOW), NOW, &limits()).await), "a login has nobody to ring");
    assert_eq!(claims(&store, test_of(&device, 1, after(2)), after(2)).await, Claim::Claimed { displaced: None });
    let shown = store.prompt_of(&alice(), after(2)).await.unwrap().unwrap();
    assert_eq!((shown.prompt, shown.only.as_ref(), shown.claimed_at), (prompt_id(1), Some(&device), after(2)));
    assert!(
        store.confirm_device(&device, prompt_id(1), turning(&store, 1, after(3)).await, after(3)).await.is_err(),
        "nobody has said yes yet"
    );
    assert_eq!(says(&store, &device, 1, PhoneAnswer::Approve, after(3)).await, Answered::Taken);
    assert_eq!(state(&store, &device).await, Some(DeviceState::Keyed));
    store.confirm_device(&device, prompt_id(1), turning(&store, 2, after(4)).await, after(4)).await.unwrap();
    let store = site.open();
    store.confirm_device(&device, prompt_id(1), turning(&store, 3, after(4)).await, after(4)).await.unwrap();
    assert_eq!(state(&store, &device).await, Some(DeviceState::Active));
    let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
    assert_eq!((facts.methods, facts.ever_enrolled, facts.chooses_number), (vec![Method::Push], true, true));
    assert_eq!(claims(&store, claim(2, 2, after(5)), after(5)).await, Claim::Claimed { displaced: None });
    assert_eq!(says(&store, &device, 2, PhoneAnswer::Approve, after(6)).await, Answered::Taken);
}

pub(crate) async fn a_test_push_opens_no_logins_door(site: &impl Site) {
    let (store, device, mine) = keyed_beside_another(site).await;
    for (n, tested) in [(1, &device), (2, &mine)] {
        let at = after(u64::from(n) * 10);
        claims(&store, test_of(tested, n, at), at).await;
        assert_eq!(says(&store, tested, n, PhoneAnswer::Approve, at).await, Answered::Taken);
        let means = login::Means::Prompt { prompt: prompt_id(n), device: tested.clone(), number: None };
        let together = login::ReleaseCheck { together: Some(super::login_key(n)), ..check(means) };
        let outcome = store.release(together, super::accepted(u64::from(n)), at).await.unwrap();
        assert!(matches!(outcome, login::ReleaseOutcome::Refused(_)), "{outcome:?}");
        store.close_prompt(prompt_id(n), PromptClose::Withdrawn, at, &limits()).await.unwrap();
    }
}

pub(crate) async fn a_test_is_approved_by_its_own_device_alone(site: &impl Site) {
    let (store, device, mine) = keyed_beside_another(site).await;
    claims(&store, test_of(&device, 1, NOW), NOW).await;
    let devices = store.list_devices(&alice()).await.unwrap();
    let rung = |claim: &PromptClaim| {
        devices.iter().filter(|one| one.takes(claim)).map(|one| one.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rung(&test_of(&device, 1, NOW)), std::slice::from_ref(&device));
    assert_eq!(rung(&claim(2, 2, NOW)), std::slice::from_ref(&mine));
    assert_eq!(says(&store, &mine, 1, PhoneAnswer::Approve, NOW).await, Answered::NotLike);
    assert_eq!(store.prompt_status(prompt_id(1), NOW).await.unwrap(), PromptStatus::Pending);
    says(&store, &device, 1, PhoneAnswer::Approve, NOW).await;
    // Another device's test proves nothing for this one.
    let other = store.begin_activation(activation("another code"), NOW).await.unwrap();
    store.bring_key(&other, &Secret::new("another code"), phone_key(2), NOW).await.unwrap();
    assert!(store.confirm_device(&other, prompt_id(1), turning(&store, 4, NOW).await, NOW).await.is_err());
    assert!(store.confirm_device(&device, prompt_id(9), turning(&store, 5, NOW).await, NOW).await.is_err());
    assert!(
        store.confirm_device(&device, prompt_id(1), turning(&store, 6, after(121)).await, after(121)).await.is_err(),
        "its time is over"
    );
    store.confirm_device(&device, prompt_id(1), turning(&store, 7, after(1)).await, after(1)).await.unwrap();
}

pub(crate) async fn a_phone_without_its_test_answers_no_login(site: &impl Site) {
    let (store, device, mine) = keyed_beside_another(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    for answer in [PhoneAnswer::Approve, PhoneAnswer::Deny, PhoneAnswer::Fraud] {
        assert!(is_none(store.answer_prompt(prompt_id(1), &device, answer, None, NOW, &limits()).await));
    }
    assert_eq!(says(&store, &mine, 1, PhoneAnswer::Approve, NOW).await, Answered::Taken);
    let means = login::Means::Prompt { prompt: prompt_id(1), device, number: None };
    let outcome = store.release(check(means), super::accepted(1), NOW).await.unwrap();
    assert_eq!(outcome, login::ReleaseOutcome::Refused("method removed".into()));
}

pub(crate) async fn an_unanswered_or_declined_test_makes_nobody_quiet(site: &impl Site) {
    let (store, device, _) = keyed_beside_another(site).await;
    for n in 1..=5 {
        let at = after(u64::from(n) * 200);
        assert_eq!(claims(&store, test_of(&device, n, at), at).await, Claim::Claimed { displaced: None });
        match n {
            5 => assert_eq!(says(&store, &device, n, PhoneAnswer::Deny, at).await, Answered::Taken),
            _ => store.close_prompt(prompt_id(n), PromptClose::Unanswered, at, &limits()).await.unwrap(),
        }
    }
    let pushes = store.show_user(&alice()).await.unwrap().unwrap().pushes;
    assert_eq!(pushes, login::limits::PushCounts::default());
    // A report counts, whoever it comes from.
    claims(&store, test_of(&device, 9, after(2000)), after(2000)).await;
    assert_eq!(says(&store, &device, 9, PhoneAnswer::Fraud, after(2000)).await, Answered::Taken);
    assert_eq!(
        claims(&store, test_of(&device, 10, after(2001)), after(2001)).await,
        Claim::Quiet { until: Wall::NEVER }
    );
}

pub(crate) async fn a_test_of_a_new_phone_forgives_and_minds_no_quiet_time(site: &impl Site) {
    let (store, device, mine) = keyed_beside_another(site).await;
    claims(&store, claim(1, 1, NOW), NOW).await;
    says(&store, &mine, 1, PhoneAnswer::Deny, NOW).await;
    let quiet = store.show_user(&alice()).await.unwrap().unwrap().pushes;
    assert!(matches!(claims(&store, test_of(&mine, 2, after(1)), after(1)).await, Claim::Quiet { .. }));
    assert_eq!(claims(&store, test_of(&device, 3, after(1)), after(1)).await, Claim::Claimed { displaced: None });
    says(&store, &device, 3, PhoneAnswer::Approve, after(2)).await;
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().pushes, quiet);
}

pub(crate) async fn an_activation_that_is_begun_again_is_the_same(site: &impl Site) {
    let (store, device) = waiting(site).await;
    assert_eq!(site.open().begin_activation(activation(CODE), after(1)).await.unwrap(), device);
    assert_eq!(store.list_devices(&alice()).await.unwrap().len(), 1);
}

pub(crate) async fn the_same_key_again_gets_the_same_answer(site: &impl Site) {
    let (store, device) = waiting(site).await;
    let first = brings(&store, &device, 1, after(1)).await;
    assert_eq!(brings(&site.open(), &device, 1, after(2)).await, first);
    claims(&store, test_of(&device, 1, after(3)), after(3)).await;
    says(&store, &device, 1, PhoneAnswer::Approve, after(3)).await;
    store.confirm_device(&device, prompt_id(1), turning(&store, 8, after(4)).await, after(4)).await.unwrap();
    let KeyBrought::Taken(again) = brings(&store, &device, 1, after(5)).await else { panic!("not the same answer") };
    assert_eq!(again.device.state, DeviceState::Active);
    assert_eq!(brings(&store, &device, 1, after(600)).await, KeyBrought::Unknown, "its time is over");
    assert_eq!(state(&store, &device).await, Some(DeviceState::Active));
}

pub(crate) async fn a_second_key_voids_both(site: &impl Site) {
    for confirmed in [false, true] {
        let site = &site.another();
        let (store, device) = keyed(site).await;
        claims(&store, test_of(&device, 1, after(2)), after(2)).await;
        if confirmed {
            says(&store, &device, 1, PhoneAnswer::Approve, after(2)).await;
            store.confirm_device(&device, prompt_id(1), turning(&store, 9, after(2)).await, after(2)).await.unwrap();
            claims(&store, claim(2, 2, after(2)), after(2)).await;
        }
        assert_eq!(brings(&store, &device, 2, after(3)).await, KeyBrought::SecondKey(alice()));
        // The alarm is not lost with an answer.
        assert_eq!(brings(&site.open(), &device, 2, after(3)).await, KeyBrought::SecondKey(alice()));
        assert_eq!(brings(&store, &device, 1, after(4)).await, KeyBrought::Unknown);
        assert_eq!(state(&store, &device).await, None);
        assert!(store.list_devices(&alice()).await.unwrap().is_empty());
        assert!(store.open_prompts(after(4)).await.unwrap().is_empty(), "what was out is withdrawn");
        assert!(!has_push(&store).await);
    }
}

pub(crate) async fn five_wrong_codes_void_an_activation(site: &impl Site) {
    let (store, device) = waiting(site).await;
    let wrong = |n: u32| Secret::new(format!("wrong {n}"));
    for n in 1..5 {
        for _ in 0..2 {
            let brought = store.bring_key(&device, &wrong(n), phone_key(1), after(1)).await.unwrap();
            assert_eq!(brought, KeyBrought::WrongCode { left: 5 - n }, "a repeated one counts once");
        }
    }
    let last = store.bring_key(&device, &wrong(5), phone_key(1), after(1)).await.unwrap();
    assert_eq!(last, KeyBrought::WrongCode { left: 0 });
    assert_eq!(brings(&store, &device, 1, after(1)).await, KeyBrought::Unknown);
    assert!(store.list_devices(&alice()).await.unwrap().is_empty());
}

pub(crate) async fn wrong_codes_take_no_key_from_a_phone_that_has_one(site: &impl Site) {
    let (store, device) = keyed(site).await;
    for n in 0..10 {
        store.bring_key(&device, &Secret::new(format!("wrong {n}")), phone_key(2), after(1)).await.unwrap();
    }
    assert_eq!(store.phone(&device).await.unwrap().unwrap().spki, phone_key(1).spki);
    // But the code is void, so that nobody guesses on.
    assert_eq!(brings(&store, &device, 2, after(2)).await, KeyBrought::Unknown);
}

pub(crate) async fn fifty_keys_at_once_leave_one_or_none(site: &impl Site) {
    let (store, device) = waiting(site).await;
    let mut all = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (store, device) = (Arc::clone(&store), device.clone());
        all.spawn(async move { brings(&store, &device, n, after(1)).await });
    }
    let answers = all.join_all().await;
    let count = |is: fn(&KeyBrought) -> bool| answers.iter().filter(|answer| is(answer)).count();
    assert_eq!(count(|answer| matches!(answer, KeyBrought::Taken(_))), 1);
    assert_eq!(count(|answer| matches!(answer, KeyBrought::SecondKey(_))), 1);
    assert_eq!(count(|answer| matches!(answer, KeyBrought::Unknown)), 48);
    assert_eq!(state(&store, &device).await, None);
}

pub(crate) async fn an_activation_ends_with_its_time_or_its_user(site: &impl Site) {
    let (store, device) = waiting(site).await;
    assert_eq!(brings(&store, &device, 1, after(600)).await, KeyBrought::Unknown);
    store.block_user(&alice(), "left".into()).await.unwrap();
    assert_eq!(brings(&store, &device, 1, after(1)).await, KeyBrought::Unknown);
    store.unblock_user(&alice()).await.unwrap();
    assert!(matches!(brings(&store, &device, 1, after(1)).await, KeyBrought::Taken(_)));
    store.remove_user(&alice(), after(2)).await.unwrap();
    store.add_user(user("alice"), after(3)).await.unwrap();
    assert_eq!(brings(&store, &device, 1, after(4)).await, KeyBrought::Unknown);
    assert_eq!(brings(&store, &DeviceId("d-none".into()), 1, after(4)).await, KeyBrought::Unknown);
}

pub(crate) async fn waiting_devices_are_bounded_and_swept(site: &impl Site) {
    let (store, first) = waiting(site).await;
    // One of the same channel gives way; one of another waits beside it.
    let second = store.begin_activation(activation("second"), NOW).await.unwrap();
    let app =
        NewActivation { channel: Channel::PrivacyIdea, server_key: Some(Secret::new("pkcs8")), ..activation("third") };
    let third = store.begin_activation(app.clone(), NOW).await.unwrap();
    assert_eq!(state(&store, &first).await, None);
    let listed: Vec<DeviceId> = store.list_devices(&alice()).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(listed, [second, third.clone()]);
    assert!(third.0.len() == 20 && third.0.starts_with("VEST"), "a serial that is unique in the world: {third:?}");
    assert_eq!(store.phone(&third).await.unwrap().unwrap().server_key, Some(Secret::new("pkcs8")));
    // Those whose time is over make room.
    let late = NewActivation { devices_max: 1, ..activation("late") };
    let most = NewActivation { devices_max: 2, ..activation("most") };
    store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    let error = store.begin_activation(late, after(601)).await.unwrap_err();
    assert_eq!(error, StoreError::Refused(Refusal::TooMany { what: "devices", most: 1 }));
    store.begin_activation(most, after(601)).await.unwrap();
    assert_eq!(store.list_devices(&alice()).await.unwrap().len(), 2);
    let error = store
        .begin_activation(NewActivation { user: ResolvedUser::new("nobody"), ..activation("nobody's") }, NOW)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused(Refusal::NoUser(_))), "{error}");
}

pub(crate) async fn a_phone_of_the_hosts_making_needs_no_test(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let new = NewActivation { needs_test: false, ..activation(CODE) };
    let device = store.begin_activation(new, NOW).await.unwrap();
    assert!(!has_push(&store).await);
    assert!(
        matches!(brings(&store, &device, 1, after(1)).await, KeyBrought::Taken(phone) if phone.device.state == DeviceState::Active)
    );
    assert!(has_push(&store).await);
}

pub(crate) async fn what_a_phone_brings_comes_back(site: &impl Site) {
    let (store, device) = keyed(site).await;
    let phone = site.open().phone(&device).await.unwrap().unwrap();
    assert_eq!(phone.spki, phone_key(1).spki);
    assert_eq!(phone.device.subscription, phone_key(1).subscription);
    assert_eq!(phone.device.agent.as_deref(), Some("Mozilla/5.0"));
    assert_eq!((phone.device.label.as_deref(), phone.device.seen_at), (Some("alice's page"), Some(after(1))));
    assert_eq!(phone.device.waits_until, Some(after(600)));
    let fingerprint = phone.device.fingerprint.unwrap();
    assert!(fingerprint.len() == 9 && fingerprint.as_bytes()[4] == b'-', "{fingerprint}");
    assert_eq!(store.phone(&DeviceId("d-none".into())).await.unwrap(), None);
    let news = Subscription { endpoint: "https://push.example/2".into(), p256dh: [5; 65], auth: [6; 16] };
    let seen = Seen { subscription: Some(news.clone()), agent: Some("Mozilla/6.0".into()) };
    store.phone_seen(&device, seen, after(9)).await.unwrap();
    store.phone_seen(&device, Seen::default(), after(100)).await.unwrap();
    store.rename_device(&device, "kitchen".into()).await.unwrap();
    let told = site.open().phone(&device).await.unwrap().unwrap().device;
    assert_eq!((told.subscription, told.agent.as_deref()), (Some(news), Some("Mozilla/6.0")));
    assert_eq!((told.seen_at, told.label.as_deref()), (Some(after(100)), Some("kitchen")));
    store.subscription_gone(&device).await.unwrap();
    assert_eq!(store.phone(&device).await.unwrap().unwrap().device.subscription, None);
    store.remove_device(&device, after(101)).await.unwrap();
    assert!(is_none(store.phone_seen(&device, Seen::default(), after(102)).await));
    assert!(is_none(store.rename_device(&device, "x".into()).await));
    assert_eq!(store.phone(&device).await.unwrap(), None);
}

pub(crate) async fn silent_phones_are_told_once(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let mut phones = Vec::new();
    for (n, channel) in [(1, Channel::WebPush), (2, Channel::PrivacyIdea)] {
        let word = format!("code {n}");
        let new = NewActivation { channel, needs_test: false, ..activation(&word) };
        let device = store.begin_activation(new, NOW).await.unwrap();
        store.bring_key(&device, &Secret::new(word), phone_key(n), NOW).await.unwrap();
        phones.push(device);
    }
    for n in 0..3_u8 {
        let at = after(u64::from(n) * 10_000 + 1);
        assert!(store.take_silent(3).await.unwrap().is_empty());
        claims(&store, claim(n, n, at), at).await;
        // The second one is there to look, though its owner does not answer.
        store.phone_seen(&phones[1], Seen::default(), at.plus(Duration::from_secs(1))).await.unwrap();
        store
            .close_prompt(prompt_id(n), PromptClose::Unanswered, at.plus(Duration::from_secs(120)), &limits())
            .await
            .unwrap();
    }
    let silent: Vec<Device> = store.take_silent(3).await.unwrap();
    assert_eq!(silent.iter().map(|device| (&device.id, device.unanswered)).collect::<Vec<_>>(), [(&phones[0], 3)]);
    assert!(site.open().take_silent(3).await.unwrap().is_empty(), "told once");
    store.phone_seen(&phones[0], Seen::default(), after(90_000)).await.unwrap();
    assert_eq!(store.phone(&phones[0]).await.unwrap().unwrap().device.unanswered, 0);
}

pub(crate) async fn what_a_phone_can_prove_is_a_fact(site: &impl Site) {
    for (agent, chooses, types) in [
        ("privacyIDEA-App/4.8.0 android/14.1.0", true, true),
        ("privacyIDEA-App / android 4.7.0", true, true),
        ("privacyIDEA-App/4.10.2 ios/18.0", true, true),
        ("privacyIDEA-App/4.6.9 android/14.1.0", true, false),
        ("privacyIDEA-App / android 4.4.0", true, false),
        ("privacyIDEA-App/4.3.9 android/14.1.0", false, false),
        ("privacyIDEA-App/4.8 android/14.1.0", true, true),
        ("privacyIDEA-App/x android/14.1.0", false, false),
        ("privacyIDEA-App/4.99999.0 android/14.1.0", false, false),
        ("privacyIDEA-App", false, false),
        ("Mozilla/5.0 privacyIDEA-App/4.8.0", false, false),
    ] {
        let site = &site.another();
        let store = site.open();
        store.add_user(user("alice"), NOW).await.unwrap();
        let new = NewActivation { channel: Channel::PrivacyIdea, needs_test: false, ..activation(CODE) };
        let device = store.begin_activation(new, NOW).await.unwrap();
        store.bring_key(&device, &code(), PhoneKey { agent: Some(agent.into()), ..phone_key(1) }, NOW).await.unwrap();
        store.set_pin(&alice(), Secret::new("$argon2id$"), false, NOW).await.unwrap();
        let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
        assert_eq!((facts.chooses_number, facts.types_number, facts.pin_phones), (chooses, types, false), "{agent}");
        assert_eq!(facts.must_open, Some(Opens::App));
        let new = NewActivation { needs_test: false, ..activation("ours") };
        let ours = store.begin_activation(new, NOW).await.unwrap();
        store.bring_key(&ours, &Secret::new("ours"), phone_key(2), NOW).await.unwrap();
        let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
        assert_eq!((facts.chooses_number, facts.types_number), (true, true), "our page proves both");
        assert_eq!((facts.pin_phones, facts.must_open), (true, None));
        store.subscription_gone(&ours).await.unwrap();
        let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
        assert_eq!(facts.must_open, Some(Opens::Page));
        store.reset_pin(&alice()).await.unwrap();
        assert!(!store.user_facts(&alice(), None, NOW, &limits()).await.unwrap().pin_phones);
    }
}

pub(crate) async fn what_is_out_is_shown_to_its_own_user(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    store.add_user(user("mallory"), NOW).await.unwrap();
    store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    assert_eq!(store.prompt_of(&alice(), NOW).await.unwrap(), None);
    claims(&store, claim(1, 1, NOW), NOW).await;
    let shown = store.prompt_of(&alice(), after(1)).await.unwrap().unwrap();
    assert_eq!((shown.prompt, shown.user, shown.only), (PromptId([1; 16]), alice(), None));
    assert_eq!((shown.claimed_at, shown.station), (NOW, Some(super::home())));
    assert_eq!(store.prompt_of(&ResolvedUser::new("mallory"), after(1)).await.unwrap(), None);
    assert_eq!(store.prompt_of(&ResolvedUser::new("nobody"), after(1)).await.unwrap(), None);
    assert_eq!(store.prompt_of(&alice(), after(120)).await.unwrap(), None);
}
