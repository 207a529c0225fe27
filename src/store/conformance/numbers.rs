//! Number matching (rules F8): a yes brings the number, a wrong one denies, and no prompt asks for less than its login.

use std::sync::Arc;

use login::{Asks, Claim, DeviceId, Number, NumberMatch, PhoneAnswer, PromptClaim, PromptStatus, ReleaseOutcome, Wall};
use wire::Secret;

use super::super::{Answered, Channel, NewActivation, Store, TypedNumber};
use super::{NOW, Site, accepted, activation, after, alice, check, claim, limits, phone_key, prompt_id, user};

/// Alice with two pages on two phones.
async fn alice_with_pages(site: &impl Site) -> (Arc<dyn Store>, DeviceId, DeviceId) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let mut pages = Vec::new();
    for n in 1..=2 {
        let word = format!("code {n}");
        let new = NewActivation { needs_test: false, ..activation(&word) };
        let device = store.begin_activation(new, NOW).await.unwrap();
        store.bring_key(&device, &Secret::new(word), phone_key(n), NOW).await.unwrap();
        pages.push(device);
    }
    let second = pages.remove(1);
    (store, pages.remove(0), second)
}

fn asking(n: u8, login: u8, number: NumberMatch, at: Wall) -> PromptClaim {
    PromptClaim { asks: Asks { number, pin: false }, ..claim(n, login, at) }
}

fn shown(n: u8, login: u8, number: u32, at: Wall) -> PromptClaim {
    asking(n, login, NumberMatch::Shown(Number(number)), at)
}

fn typed(n: u8, login: u8, number: u32, at: Wall) -> PromptClaim {
    asking(n, login, NumberMatch::Typed(Number(number)), at)
}

async fn claims(store: &Arc<dyn Store>, claim: PromptClaim, at: Wall) -> Claim {
    store.claim_prompt(claim, at, &limits()).await.unwrap()
}

async fn chooses(store: &Arc<dyn Store>, device: &DeviceId, number: Option<u32>, at: Wall) -> Answered {
    let number = number.map(Number);
    store.answer_prompt(prompt_id(1), device, PhoneAnswer::Approve, number, at, &limits()).await.unwrap()
}

async fn says(store: &Arc<dyn Store>, device: &DeviceId, answer: PhoneAnswer, at: Wall) -> Answered {
    store.answer_prompt(prompt_id(1), device, answer, None, at, &limits()).await.unwrap()
}

async fn types(store: &Arc<dyn Store>, number: u32, id: u8, at: Wall) -> TypedNumber {
    store.type_number(prompt_id(1), Number(number), [id; 16], at, &limits()).await.unwrap()
}

async fn status(store: &Arc<dyn Store>, at: Wall) -> PromptStatus {
    store.prompt_status(prompt_id(1), at).await.unwrap()
}

pub(crate) async fn a_yes_brings_the_number_that_is_shown(site: &impl Site) {
    let (store, phone, _) = alice_with_pages(site).await;
    claims(&store, shown(1, 1, 42, NOW), NOW).await;
    assert_eq!(store.prompt_of(&alice(), NOW).await.unwrap().unwrap().asks.number, NumberMatch::Shown(Number(42)));
    assert_eq!(chooses(&store, &phone, None, NOW).await, Answered::NotLike);
    assert_eq!(status(&store, NOW).await, PromptStatus::Pending);
    assert_eq!(chooses(&store, &phone, Some(42), after(1)).await, Answered::Taken);
    assert_eq!(chooses(&site.open(), &phone, Some(42), after(2)).await, Answered::Stands(PhoneAnswer::Approve));
    // It is a yes to the screen that shows it, whatever else a release says.
    let release = async |login, number: Option<u32>| {
        let number = number.map(Number);
        let means = login::Means::Prompt { prompt: prompt_id(1), device: phone.clone(), number };
        store.release(check(means), accepted(login), after(3)).await.unwrap()
    };
    let refused = ReleaseOutcome::Refused("prompt ended".into());
    assert_eq!((release(1, None).await, release(2, Some(77)).await), (refused.clone(), refused));
    assert_eq!(release(3, Some(42)).await, ReleaseOutcome::Granted);
}

pub(crate) async fn a_wrong_number_that_was_typed_is_a_slip_and_the_second_one_a_denial(site: &impl Site) {
    for (later_s, quiet) in [(599, true), (600, false)] {
        let site = &site.another();
        let (store, phone, other) = alice_with_pages(site).await;
        claims(&store, shown(1, 1, 42, NOW), NOW).await;
        assert_eq!(chooses(&store, &phone, Some(24), NOW).await, Answered::WrongNumber { quiet_until: None });
        assert_eq!(status(&store, after(1)).await, PromptStatus::Denied, "it ends the login all the same");
        for device in [&phone, &other] {
            assert_eq!(chooses(&store, device, Some(42), after(2)).await, Answered::Stands(PhoneAnswer::Deny));
        }
        // The next login rings at once, and an approval in between forgives no slip.
        let second = claims(&store, shown(2, 2, 77, after(3)), after(3)).await;
        assert_eq!(second, Claim::Claimed { displaced: None });
        let says = async |n: u8, number, at| {
            let number = Some(Number(number));
            store.answer_prompt(prompt_id(n), &phone, PhoneAnswer::Approve, number, at, &limits()).await.unwrap()
        };
        assert_eq!(says(2, 77, after(4)).await, Answered::Taken);
        store.close_prompt(prompt_id(2), login::PromptClose::Withdrawn, after(5), &limits()).await.unwrap();
        let at = after(later_s);
        claims(&site.open(), shown(3, 3, 11, at), at).await;
        let until = quiet.then(|| after(later_s + 600));
        assert_eq!(says(3, 12, at).await, Answered::WrongNumber { quiet_until: until });
        let next = claims(&store, shown(4, 4, 13, at), at).await;
        assert_eq!(matches!(next, Claim::Quiet { .. }), quiet, "{next:?}");
    }
}

pub(crate) async fn a_wrong_number_that_was_chosen_denies_and_counts(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let app = store.add_device(&alice(), Channel::PrivacyIdea, None, NOW).await.unwrap();
    claims(&store, shown(1, 1, 42, NOW), NOW).await;
    let quiet_until = Some(after(601));
    assert_eq!(chooses(&store, &app, Some(24), after(1)).await, Answered::WrongNumber { quiet_until });
    assert_eq!(status(&store, after(1)).await, PromptStatus::Denied);
    assert!(matches!(claims(&store, shown(2, 1, 42, after(3)), after(3)).await, Claim::Quiet { .. }));
}

pub(crate) async fn of_fifty_choices_at_once_one_counts(site: &impl Site) {
    let (store, phone, _) = alice_with_pages(site).await;
    claims(&store, shown(1, 1, 42, NOW), NOW).await;
    let mut all = tokio::task::JoinSet::new();
    for number in 10..60 {
        let (store, phone) = (Arc::clone(&store), phone.clone());
        all.spawn(async move { chooses(&store, &phone, Some(number), after(1)).await });
    }
    let answers = all.join_all().await;
    let counts = |answer: &&Answered| matches!(answer, Answered::Taken | Answered::WrongNumber { .. });
    let counted = answers.iter().filter(counts).count();
    assert_eq!(counted, 1, "{answers:?}");
}

pub(crate) async fn each_asking_brings_its_own_number(site: &impl Site) {
    for chosen in [42, 77] {
        let site = &site.another();
        let (store, phone, _) = alice_with_pages(site).await;
        claims(&store, shown(1, 1, 42, NOW), NOW).await;
        for _ in 0..3 {
            let joined = claims(&store, shown(2, 1, 77, after(1)), after(1)).await;
            assert!(matches!(joined, Claim::Joined { status: PromptStatus::Pending, .. }), "{joined:?}");
        }
        assert_eq!(chooses(&store, &phone, Some(chosen), after(2)).await, Answered::Taken);
        // It was chosen for that screen, and opens for no other.
        assert_eq!(claims(&store, shown(3, 1, 11, after(3)), after(3)).await, Claim::Busy);
        let again = claims(&site.open(), shown(4, 1, chosen, after(3)), after(3)).await;
        assert!(matches!(again, Claim::Joined { status: PromptStatus::Approved { .. }, .. }), "{again:?}");
    }
}

pub(crate) async fn the_numbers_of_one_prompt_are_bounded(site: &impl Site) {
    let (store, ..) = alice_with_pages(site).await;
    claims(&store, shown(1, 1, 10, NOW), NOW).await;
    for number in 11..26 {
        assert!(matches!(claims(&store, shown(2, 1, number, NOW), NOW).await, Claim::Joined { .. }));
    }
    assert_eq!(claims(&store, shown(2, 1, 26, NOW), NOW).await, Claim::Busy);
    assert!(matches!(claims(&store, shown(2, 1, 25, NOW), NOW).await, Claim::Joined { .. }));
}

pub(crate) async fn nobody_joins_a_prompt_that_asks_for_less(site: &impl Site) {
    let pin = Asks { pin: true, ..Asks::default() };
    let less = [
        (claim(1, 1, NOW), shown(2, 1, 42, NOW)),
        (claim(1, 1, NOW), typed(2, 1, 123_456, NOW)),
        (shown(1, 1, 42, NOW), typed(2, 1, 123_456, NOW)),
        (typed(1, 1, 123_456, NOW), shown(2, 1, 42, NOW)),
        (shown(1, 1, 42, NOW), PromptClaim { asks: pin, ..claim(2, 1, NOW) }),
        // Nor by a yes that is meant for the screen of another (B2).
        (shown(1, 1, 42, NOW), claim(2, 1, NOW)),
        (typed(1, 1, 123_456, NOW), claim(2, 1, NOW)),
    ];
    for (first, second) in less {
        let site = &site.another();
        let (store, ..) = alice_with_pages(site).await;
        claims(&store, first, NOW).await;
        assert_eq!(claims(&store, second.clone(), NOW).await, Claim::Busy, "{second:?}");
    }
}

pub(crate) async fn a_pin_is_asked_for_on_our_own_page_only(site: &impl Site) {
    let (store, page, _) = alice_with_pages(site).await;
    let loopback = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    let asks = Asks { pin: true, ..Asks::default() };
    claims(&store, PromptClaim { asks, ..claim(1, 1, NOW) }, NOW).await;
    assert!(store.prompt_of(&alice(), NOW).await.unwrap().unwrap().asks.pin);
    assert_eq!(chooses(&store, &loopback, None, NOW).await, Answered::NotLike);
    assert_eq!(chooses(&store, &page, None, NOW).await, Answered::Taken);
}

pub(crate) async fn typed_digits_are_shown_after_a_confirmation_and_typed_back(site: &impl Site) {
    let (store, phone, other) = alice_with_pages(site).await;
    claims(&store, typed(1, 1, 123_456, NOW), NOW).await;
    let asks = store.prompt_of(&alice(), NOW).await.unwrap().unwrap().asks;
    assert_eq!(asks.number, NumberMatch::Typed(Number(0)), "the digits are told by a confirmation alone");
    assert_eq!(types(&store, 123_456, 1, after(1)).await, TypedNumber::NotAsked, "no phone has shown them yet");
    // A yes alone approves nothing.
    assert_eq!(chooses(&store, &phone, None, after(1)).await, Answered::NotLike);
    assert_eq!(chooses(&store, &phone, Some(123_456), after(1)).await, Answered::NotLike);
    for _ in 0..2 {
        let digits = store.reveal_number(prompt_id(1), &phone, after(2)).await.unwrap();
        assert_eq!(digits, Some(Number(123_456)));
    }
    assert_eq!(types(&store, 654_321, 2, after(3)).await, TypedNumber::Wrong);
    let right = TypedNumber::Right { device: phone.clone() };
    assert_eq!(types(&store, 123_456, 3, after(4)).await, right);
    assert_eq!(status(&store, after(4)).await, PromptStatus::Approved { device: phone.clone(), at: after(4) });
    assert_eq!(types(&site.open(), 123_456, 3, after(5)).await, right, "repeated it says what it said");
    assert_eq!(types(&store, 654_321, 2, after(5)).await, TypedNumber::Wrong);
    assert_eq!(types(&store, 123_456, 4, after(5)).await, TypedNumber::NotAsked);
    assert_eq!(store.reveal_number(prompt_id(1), &other, after(5)).await.unwrap(), None);
    let means = login::Means::Prompt { prompt: prompt_id(1), device: phone, number: None };
    assert_eq!(store.release(check(means), accepted(1), after(6)).await.unwrap(), ReleaseOutcome::Granted);
}

pub(crate) async fn the_third_wrong_number_denies(site: &impl Site) {
    let (store, phone, _) = alice_with_pages(site).await;
    claims(&store, typed(1, 1, 123_456, NOW), NOW).await;
    store.reveal_number(prompt_id(1), &phone, NOW).await.unwrap();
    for (id, outcome) in [(1, TypedNumber::Wrong), (2, TypedNumber::Wrong), (2, TypedNumber::Wrong)] {
        assert_eq!(types(&store, 1, id, after(1)).await, outcome);
    }
    assert_eq!(types(&site.open(), 1, 3, after(1)).await, TypedNumber::Denied);
    assert_eq!(types(&store, 1, 3, after(1)).await, TypedNumber::Denied);
    assert_eq!(types(&store, 123_456, 4, after(1)).await, TypedNumber::NotAsked);
    assert_eq!(status(&store, after(1)).await, PromptStatus::Denied);
    assert!(matches!(claims(&store, claim(2, 2, after(2)), after(2)).await, Claim::Quiet { .. }), "it counts (D2)");
}

pub(crate) async fn of_fifty_typed_at_once_three_are_looked_at(site: &impl Site) {
    let (store, phone, _) = alice_with_pages(site).await;
    claims(&store, typed(1, 1, 123_456, NOW), NOW).await;
    store.reveal_number(prompt_id(1), &phone, NOW).await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    for id in 0..50 {
        let store = Arc::clone(&store);
        all.spawn(async move { types(&store, u32::from(id), id, after(1)).await });
    }
    let answers = all.join_all().await;
    let told = |outcome: &TypedNumber| answers.iter().filter(|answer| *answer == outcome).count();
    assert_eq!((told(&TypedNumber::Wrong), told(&TypedNumber::Denied), told(&TypedNumber::NotAsked)), (2, 1, 47));
}

pub(crate) async fn the_apps_done_is_no_denial_and_any_other_is(site: &impl Site) {
    use PhoneAnswer::{Approve, Deny, Fraud};
    let begin = async |site: &_| {
        let (store, phone, other) = alice_with_pages(site).await;
        claims(&store, typed(1, 1, 123_456, NOW), NOW).await;
        store.reveal_number(prompt_id(1), &phone, NOW).await.unwrap();
        (store, phone, other)
    };
    let sites: [_; 4] = std::array::from_fn(|_| site.another());
    // F5: before the digits are typed, and after.
    let (store, phone, _) = begin(&sites[0]).await;
    assert_eq!(says(&store, &phone, Deny, after(1)).await, Answered::NotLike);
    assert_eq!(status(&store, after(1)).await, PromptStatus::Pending);
    types(&store, 123_456, 1, after(2)).await;
    assert_eq!(says(&store, &phone, Deny, after(3)).await, Answered::Stands(Approve));
    assert!(matches!(status(&store, after(3)).await, PromptStatus::Approved { .. }));
    // Another device's, one with a reason, and a report win.
    let (store, _, other) = begin(&sites[1]).await;
    assert_eq!(says(&store, &other, Deny, after(1)).await, Answered::Taken);
    let (store, phone, _) = begin(&sites[2]).await;
    store.unreveal_number(prompt_id(1), &phone).await.unwrap();
    assert_eq!(types(&store, 123_456, 1, after(1)).await, TypedNumber::NotAsked);
    assert_eq!(says(&store, &phone, Deny, after(1)).await, Answered::Taken);
    let (store, phone, _) = begin(&sites[3]).await;
    types(&store, 123_456, 1, after(1)).await;
    assert_eq!(says(&store, &phone, Fraud, after(2)).await, Answered::Taken);
    assert_eq!(status(&store, after(2)).await, PromptStatus::Reported);
}

pub(crate) async fn digits_of_a_removed_phone_approve_nothing(site: &impl Site) {
    let (store, phone, other) = alice_with_pages(site).await;
    claims(&store, typed(1, 1, 123_456, NOW), NOW).await;
    store.reveal_number(prompt_id(1), &phone, NOW).await.unwrap();
    store.remove_device(&phone, after(1)).await.unwrap();
    assert_eq!(types(&store, 123_456, 1, after(2)).await, TypedNumber::NotAsked);
    assert_eq!(store.reveal_number(prompt_id(1), &other, after(2)).await.unwrap(), None);
    assert!(store.reveal_number(prompt_id(9), &other, after(2)).await.unwrap().is_none());
    assert_eq!(
        store.type_number(prompt_id(9), Number(1), [9; 16], NOW, &limits()).await.unwrap(),
        TypedNumber::NotAsked
    );
}

pub(crate) async fn digits_end_with_their_prompt(site: &impl Site) {
    let (store, phone, _) = alice_with_pages(site).await;
    claims(&store, typed(1, 1, 123_456, NOW), NOW).await;
    store.reveal_number(prompt_id(1), &phone, NOW).await.unwrap();
    assert_eq!(types(&store, 123_456, 1, after(120)).await, TypedNumber::NotAsked);
    assert_eq!(store.reveal_number(prompt_id(1), &phone, after(120)).await.unwrap(), None);
}
