//! One account, many spellings (rules A2): look-alikes, pairs that staff told apart, and another name for the same user.

use login::{Claim, Means, Method, PromptClaim, ReleaseOutcome, ResolvedUser};
use wire::Secret;

use super::super::{NewUser, Refusal, StaffName, StoreError};
use super::{
    NOW, Site, accepted, activation, after, alice, alice_with_totp, check, claim, guess, limits, phone_key, totp, used,
    user, version,
};

fn named(name: &str) -> ResolvedUser {
    ResolvedUser::new(name)
}

fn given(spelled: &str, not_the_same_as: &[&str]) -> StaffName {
    StaffName { spelled: spelled.into(), not_the_same_as: not_the_same_as.iter().map(|name| named(name)).collect() }
}

fn by_staff(name: &str, not_the_same_as: &[&str]) -> NewUser {
    NewUser { by_staff: Some(given(name, not_the_same_as)), ..user(name) }
}

pub(crate) async fn a_look_alike_is_told_of_and_is_not_added(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    for name in ["álice", "alıce", "al\u{131}ce"] {
        let facts = store.user_facts(&named(name), None, NOW, &limits()).await.unwrap();
        assert_eq!((facts.known, facts.looks_like), (false, Some(alice())), "{name}");
        let refused = store.add_user(by_staff(name, &[]), NOW).await.unwrap_err();
        let looks_like = Refusal::LooksLike { name: name.into(), other: "alice".into() };
        assert_eq!(refused, StoreError::Refused(looks_like), "{name}");
        assert_eq!(store.show_user(&named(name)).await.unwrap(), None, "{name}");
    }
    assert_eq!(store.user_facts(&alice(), None, NOW, &limits()).await.unwrap().looks_like, None);
}

pub(crate) async fn two_people_whom_staff_told_apart_are_no_look_alikes(site: &impl Site) {
    let store = site.open();
    store.add_user(user("jose"), NOW).await.unwrap();
    store.add_user(by_staff("josé", &["jose"]), NOW).await.unwrap();
    for name in ["jose", "josé"] {
        assert_eq!(store.user_facts(&named(name), None, NOW, &limits()).await.unwrap().looks_like, None, "{name}");
    }
    // A third spelling is nobody's.
    let third = store.user_facts(&named("josè"), None, NOW, &limits()).await.unwrap();
    assert_eq!(third.looks_like, Some(named("jose")));
    let refused = store.add_user(by_staff("josè", &["jose"]), NOW).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::LooksLike { other, .. }) if &*other == "josé"));
    let pairs = store.told_apart().await.unwrap();
    assert_eq!(pairs.len(), 1);
    store.remove_user(&named("jose"), after(1)).await.unwrap();
    assert!(store.told_apart().await.unwrap().is_empty());
}

pub(crate) async fn only_staff_spell_a_name(site: &impl Site) {
    let store = site.open();
    store.add_user(user("jörg"), NOW).await.unwrap();
    let spelled = || async { store.user_facts(&named("jörg"), None, NOW, &limits()).await.unwrap().spelled };
    assert_eq!(spelled().await, None, "somebody came in by it");
    store.rename_user(&named("jörg"), &named("jörg"), given("jörg", &[]), after(1)).await.unwrap();
    assert_eq!(spelled().await.as_deref(), Some("jörg"));
}

pub(crate) async fn a_renamed_user_keeps_what_it_has_and_the_old_name_is_nobodys(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    store.set_password(&alice(), Some(Secret::new("a hash"))).await.unwrap();
    let new = named("alice@example.com");
    store.rename_user(&alice(), &new, given("alice@example.com", &[]), after(1)).await.unwrap();
    let shown = store.show_user(&new).await.unwrap().unwrap();
    assert_eq!((shown.tokens[0].id.clone(), shown.has_password, shown.added_at), (token.clone(), true, NOW));
    let guess = store.read_guess(&new, None, &[Method::Totp], after(2), &limits()).await.unwrap();
    assert_eq!(guess.tokens.len(), 1, "its seed opens under the new name");
    assert_eq!(store.password_hash(&new).await.unwrap().unwrap().expose(), b"a hash");
    assert_eq!(store.show_user(&alice()).await.unwrap(), None);
    // A name that is taken is not given again.
    store.add_user(user("bob"), after(3)).await.unwrap();
    let refused = store.rename_user(&new, &named("bob"), given("bob", &[]), after(4)).await.unwrap_err();
    assert_eq!(refused, StoreError::Refused(Refusal::UserExists("bob".into())));
    let reopened = site.open();
    assert!(reopened.user_facts(&new, None, after(5), &limits()).await.unwrap().known);
}

/// Rules A6, C1, F1: what is sealed or authenticated stands under the new name, what was refused stays refused, and whoever is
/// on the way in under the old name is not let in.
pub(crate) async fn a_renamed_user_keeps_phone_pin_block_and_used_codes_and_a_login_under_the_old_name_ends(
    site: &impl Site,
) {
    let (store, token) = alice_with_totp(site).await;
    store.commit_guess(guess(1, version(&store).await, None, used(&token, 100), NOW), &limits()).await.unwrap();
    let phone = super::super::NewActivation { needs_test: false, ..activation("ours") };
    let phone = store.begin_activation(phone, NOW).await.unwrap();
    store.bring_key(&phone, &Secret::new("ours"), phone_key(2), NOW).await.unwrap();
    store.set_pin(&alice(), Secret::new("$argon2id$"), false, NOW).await.unwrap();
    store.block_user(&alice(), "left".to_owned()).await.unwrap();
    let new = named("alice@example.com");
    store.rename_user(&alice(), &new, given("alice@example.com", &[]), after(1)).await.unwrap();
    let held = store.release(check(Means::Excuse), accepted(7), after(2)).await.unwrap();
    assert!(matches!(held, ReleaseOutcome::Refused(_)), "it was held under the old name: {held:?}");
    let store = site.open();
    let facts = store.user_facts(&new, None, after(2), &limits()).await.unwrap();
    assert!(facts.blocked.is_some() && facts.pin_phones && facts.ever_enrolled, "{facts:?}");
    assert_eq!(store.pin(&new, after(2)).await.unwrap().unwrap().hash.expose(), b"$argon2id$");
    assert_eq!(store.phone(&phone).await.unwrap().unwrap().device.user, new);
    store.unblock_user(&new).await.unwrap();
    let rings = PromptClaim { user: new.clone(), ..claim(1, 1, after(3)) };
    let claimed = store.claim_prompt(rings, after(3), &limits()).await.unwrap();
    assert_eq!(claimed, Claim::Claimed { displaced: None }, "its phone is asked");
    // A code that was used is used, also where its token was removed and is added again.
    let step =
        async || store.read_guess(&new, None, &Method::ALL, after(4), &limits()).await.unwrap().tokens[0].last_step;
    assert_eq!(step().await, Some(100));
    store.remove_token(&token, after(4)).await.unwrap();
    store.add_token(&new, totp(), after(5)).await.unwrap();
    assert_eq!(step().await, Some(100));
}
