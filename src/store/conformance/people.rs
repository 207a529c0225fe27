//! Users, tokens, devices, stances, site keys.

use std::time::Duration;

use login::{ClientName, DeviceId, GroupName, Means, Method, Record, ReleaseOutcome, ResolvedUser, TokenId, UserFacts};
use wire::Secret;

use super::super::{
    Channel, CodePurpose, CodeSpent, NewBypass, NewToken, NewUser, NewWebSession, Refusal, Stance, StoreError,
    TokenKind, WebRealm, WebStep,
};
use super::{
    NOW, Site, accepted, activation, after, alice, alice_with_totp, check, hotp, limits, phone_key, totp, user,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn a_user_is_added_once(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let error = store.add_user(user("alice"), NOW).await.unwrap_err();
    assert_eq!(error, StoreError::Refused(Refusal::UserExists("alice".into())));
}

pub(crate) async fn what_is_known_of_a_user_comes_back(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let shown = store.show_user(&alice()).await.unwrap().unwrap();
    assert_eq!(shown.groups, [GroupName::folded("vpn users")]);
    assert_eq!(shown.mail.as_deref(), Some("alice@example.com"));
    assert_eq!((shown.has_password, shown.ever_enrolled, shown.added_at), (false, true, NOW));
    assert_eq!(shown.tokens.len(), 1);
    assert_eq!(shown.tokens[0].id, token);
    assert_eq!(store.show_user(&ResolvedUser::new("bob")).await.unwrap(), None);
    let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
    assert!(facts.known && facts.ever_enrolled);
    assert_eq!((facts.methods, facts.blocked), (vec![Method::Totp], None));
}

pub(crate) async fn an_unknown_user_is_a_fact_and_no_error(site: &impl Site) {
    let store = site.open();
    let nobody = ResolvedUser::new("nobody");
    assert_eq!(store.user_facts(&nobody, None, NOW, &limits()).await.unwrap(), UserFacts::default());
    assert_eq!(store.password_hash(&nobody).await.unwrap(), None);
    assert!(store.list_devices(&nobody).await.unwrap().is_empty());
    assert!(store.list_tokens(&nobody).await.unwrap().is_empty());
    assert!(store.read_guess(&nobody, None, &Method::ALL, NOW, &limits()).await.unwrap().tokens.is_empty());
    let refused = store.add_token(&nobody, totp(), NOW).await.unwrap_err();
    assert_eq!(refused, StoreError::Refused(Refusal::NoUser("nobody".into())));
}

pub(crate) async fn a_password_hash_comes_back_and_can_be_taken_away(site: &impl Site) {
    let store = site.open();
    let hash = Secret::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA");
    store.add_user(NewUser { password_hash: Some(hash.clone()), ..user("alice") }, NOW).await.unwrap();
    assert_eq!(store.password_hash(&alice()).await.unwrap(), Some(hash));
    store.set_password(&alice(), Some(Secret::new("$another"))).await.unwrap();
    assert_eq!(site.open().password_hash(&alice()).await.unwrap(), Some(Secret::new("$another")));
    store.set_password(&alice(), None).await.unwrap();
    assert_eq!(store.password_hash(&alice()).await.unwrap(), None);
}

pub(crate) async fn groups_are_kept_in_order_and_once(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let more = ["admins", "vpn users", "staff", "admins"].map(GroupName::folded).to_vec();
    store.add_groups(&alice(), more).await.unwrap();
    let groups = store.show_user(&alice()).await.unwrap().unwrap().groups;
    assert_eq!(groups, ["admins", "staff", "vpn users"].map(GroupName::folded));
}

pub(crate) async fn a_block_shows_and_ends(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    store.block_user(&alice(), "left the company".into()).await.unwrap();
    let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
    assert_eq!(facts.blocked.as_deref(), Some("left the company"));
    store.unblock_user(&alice()).await.unwrap();
    assert_eq!(store.user_facts(&alice(), None, NOW, &limits()).await.unwrap().blocked, None);
}

pub(crate) async fn a_token_is_renamed_and_still_makes_its_codes(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let token = store.add_token(&alice(), totp(), NOW).await.unwrap();
    store.rename_token(&token, "My Pixel".into()).await.unwrap();
    let read = site.open().read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap();
    assert_eq!(read.tokens[0].token.label.as_deref(), Some("My Pixel"));
    assert_eq!(read.tokens[0].seed, totp().seed);
    store.rename_token(&token, String::new()).await.unwrap();
    assert_eq!(store.list_tokens(&alice()).await.unwrap()[0].label, None);
    store.remove_token(&token, NOW).await.unwrap();
    let error = store.rename_token(&token, "x".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(Refusal::NoToken(_))), "{error}");
}

pub(crate) async fn names_that_are_none_are_refused(site: &impl Site) {
    let store = site.open();
    for name in ["", "a\nb", &"x".repeat(254)] {
        let error = store.add_user(user(name), NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(Refusal::Name(_))), "{error}");
    }
}

pub(crate) async fn users_are_listed_in_pages(site: &impl Site) {
    let store = site.open();
    for name in ["carol", "alice", "bob"] {
        store.add_user(user(name), NOW).await.unwrap();
    }
    let first = store.list_users(None, 2).await.unwrap();
    assert_eq!(first.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
    let second = store.list_users(Some(&first[1].name), 2).await.unwrap();
    assert_eq!(second.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["carol"]);
}

pub(crate) async fn a_removed_user_leaves_nothing_behind(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    store.remove_user(&alice(), after(1)).await.unwrap();
    assert_eq!(store.user_facts(&alice(), None, NOW, &limits()).await.unwrap(), UserFacts::default());
    assert_eq!(store.show_user(&alice()).await.unwrap(), None);
    assert!(store.list_users(None, 10).await.unwrap().is_empty());
    assert_eq!(
        store.remove_token(&token, NOW).await.unwrap_err(),
        StoreError::Refused(Refusal::NoToken(token.0.clone()))
    );
    store.add_user(user("alice"), after(2)).await.unwrap();
    let again = store.user_facts(&alice(), None, after(2), &limits()).await.unwrap();
    assert_eq!((again.known, again.ever_enrolled, again.methods.len()), (true, false, 0));
}

pub(crate) async fn a_removed_user_takes_all_of_it_along(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let phone = store.begin_activation(activation("code"), NOW).await.unwrap();
    store.bring_key(&phone, &Secret::new("code"), phone_key(1), NOW).await.unwrap();
    store.set_pin(&alice(), Secret::new("$argon2id$"), false, NOW).await.unwrap();
    store.issue_code(&alice(), CodePurpose::Enrol, &Secret::new("enrol"), DAY, NOW).await.unwrap();
    store.set_recovery_codes(&alice(), vec![Secret::new("recovery")], NOW).await.unwrap();
    store.speak(&alice(), Some("de".into())).await.unwrap();
    store.prefer_method(&alice(), Some(Method::Totp)).await.unwrap();
    assert!(store.invite(&alice(), NOW).await.unwrap());
    let session = NewWebSession {
        id: [1; 32],
        user: alice(),
        realm: WebRealm::Portal,
        step: WebStep::Full,
        address: [203, 0, 113, 9].into(),
        agent: None,
        ends_at: NOW.plus(DAY),
    };
    store.open_web_session(session, NOW).await.unwrap();
    let (by, reason) = ("helen".into(), "phone at home".into());
    let grant = NewBypass { user: alice(), client: None, by, reason, ends_at: NOW.plus(DAY) };
    let bypass = store.grant_bypass(grant, NOW).await.unwrap();
    store.remove_user(&alice(), after(1)).await.unwrap();
    for again in [false, true] {
        if again {
            store.add_user(user("alice"), after(2)).await.unwrap();
        }
        assert_eq!(store.phone(&phone).await.unwrap(), None);
        assert_eq!(store.pin(&alice(), NOW).await.unwrap(), None);
        let spent = store.spend_code(&alice(), CodePurpose::Enrol, &Secret::new("enrol"), [1; 16], NOW).await.unwrap();
        assert_eq!(spent, CodeSpent::Wrong);
        assert!(!store.spend_recovery_code(&alice(), &Secret::new("recovery"), [2; 16], NOW).await.unwrap());
        let chose = store.choices(&alice()).await.unwrap();
        assert_eq!((chose.method, chose.language), (None, None));
        assert_eq!(store.web_session(&[1; 32], WebRealm::Portal, DAY, after(2)).await.unwrap(), None);
        assert!(store.list_bypasses(&alice(), after(2)).await.unwrap().is_empty());
        let later = Record { time: after(3), ..accepted(u64::from(again)) };
        let outcome = store.release(check(Means::Bypass(bypass.clone())), later, after(3)).await.unwrap();
        assert!(matches!(outcome, ReleaseOutcome::Refused(_)), "{outcome:?}");
    }
    assert!(store.invite(&alice(), after(3)).await.unwrap());
}

pub(crate) async fn tokens_from_which_no_code_could_come_are_refused(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    for useless in [
        NewToken { digits: 7, ..totp() },
        NewToken { kind: TokenKind::Totp { period_s: 0 }, ..totp() },
        NewToken { kind: TokenKind::Totp { period_s: 31 }, ..totp() },
        NewToken { seed: Secret::new("short"), ..totp() },
        NewToken { seed: Secret::new([0; 129]), ..totp() },
    ] {
        let error = store.add_token(&alice(), useless, NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(Refusal::Token(_))), "{error}");
    }
    assert!(!store.user_facts(&alice(), None, NOW, &limits()).await.unwrap().ever_enrolled);
}

pub(crate) async fn a_removed_token_is_gone_for_good(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    store.add_token(&alice(), hotp(), NOW).await.unwrap();
    store.remove_token(&token, after(1)).await.unwrap();
    let guess = store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap();
    assert_eq!(guess.tokens.len(), 1);
    assert_eq!(guess.tokens[0].token.kind, TokenKind::Hotp);
    assert_eq!(guess.tokens[0].seed, hotp().seed);
    assert!(store.remove_token(&token, after(2)).await.is_err());
    assert!(store.remove_token(&TokenId("t-none".into()), after(2)).await.is_err());
    let last = store.list_tokens(&alice()).await.unwrap().remove(0);
    store.remove_token(&last.id, after(3)).await.unwrap();
    // A5: a user whose last method was removed is not unenrolled.
    let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
    assert_eq!((facts.methods.len(), facts.ever_enrolled), (0, true));
}

pub(crate) async fn devices_come_and_go(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let device = store.add_device(&alice(), Channel::Webhook, Some("pager".into()), NOW).await.unwrap();
    let listed = store.list_devices(&alice()).await.unwrap();
    assert_eq!((listed.len(), listed[0].id.clone(), listed[0].channel), (1, device.clone(), Channel::Webhook));
    assert_eq!(listed[0].label.as_deref(), Some("pager"));
    // B4: a device that is only told counts as enrolled.
    assert_eq!(store.user_facts(&alice(), None, NOW, &limits()).await.unwrap().methods, [Method::Push]);
    store.remove_device(&device, after(1)).await.unwrap();
    assert!(store.list_devices(&alice()).await.unwrap().is_empty());
    assert!(store.remove_device(&device, after(1)).await.is_err());
    assert!(store.remove_device(&DeviceId("d-none".into()), after(1)).await.is_err());
    let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
    assert_eq!((facts.methods.len(), facts.ever_enrolled), (0, true));
}

pub(crate) async fn a_user_has_a_bounded_number_of_methods(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    for n in 0..20_u8 {
        let token = NewToken { seed: Secret::new([n, 1].repeat(10)), ..totp() };
        store.add_token(&alice(), token, NOW).await.unwrap();
        store.add_device(&alice(), Channel::Webhook, None, NOW).await.unwrap();
    }
    let token = store.add_token(&alice(), totp(), NOW).await.unwrap_err();
    let device = store.add_device(&alice(), Channel::Webhook, None, NOW).await.unwrap_err();
    assert_eq!(token, StoreError::Refused(Refusal::TooMany { what: "tokens", most: 20 }));
    assert_eq!(device, StoreError::Refused(Refusal::TooMany { what: "devices", most: 20 }));
}

pub(crate) async fn stances_are_learned_and_forgotten(site: &impl Site) {
    let store = site.open();
    let asa = ClientName::new("asa");
    assert_eq!(store.stance(&asa).await.unwrap(), None);
    store.learn_stance(&asa, NOW).await.unwrap();
    store.learn_stance(&asa, after(60)).await.unwrap();
    assert_eq!(site.open().stance(&asa).await.unwrap(), Some(Stance { learned_at: NOW }));
    assert!(store.forget_stance(&asa).await.unwrap());
    assert!(!store.forget_stance(&asa).await.unwrap());
    assert_eq!(store.stance(&asa).await.unwrap(), None);
}

pub(crate) async fn site_keys_are_stable_and_apart(site: &impl Site) {
    let store = site.open();
    assert_eq!(store.site_key("login"), site.open().site_key("login"));
    assert_ne!(store.site_key("login"), store.site_key("proof"));
}
