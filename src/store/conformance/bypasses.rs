//! One-time bypasses: of one user, for one client, spent by one release (rules F4).

use std::sync::Arc;
use std::time::Duration;

use login::{BypassId, ClientName, Means, PhoneAnswer, Record, ReleaseCheck, ReleaseOutcome, ResolvedUser};

use super::super::{Channel, NewBypass, Refusal, Store, StoreError};
use super::{NOW, Site, accepted, after, alice, check, claim, limits, prompt_id, user};

fn grant(client: Option<&str>) -> NewBypass {
    NewBypass {
        user: alice(),
        client: client.map(ClientName::new),
        by: "helen".into(),
        reason: "phone at home".into(),
        ends_at: after(3600),
    }
}

async fn alice_with_bypass(site: &impl Site, client: Option<&str>) -> (Arc<dyn Store>, BypassId) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let bypass = store.grant_bypass(grant(client), NOW).await.unwrap();
    (store, bypass)
}

async fn open(store: &Arc<dyn Store>, client: &str) -> Option<BypassId> {
    store.open_bypass(&alice(), &ClientName::new(client), after(1)).await.unwrap()
}

async fn releases(store: &Arc<dyn Store>, bypass: &BypassId, login: u64) -> ReleaseOutcome {
    store.release(check(Means::Bypass(bypass.clone())), accepted(login), after(1)).await.unwrap()
}

fn refused(why: &str) -> ReleaseOutcome {
    ReleaseOutcome::Refused(why.into())
}

pub(crate) async fn a_bypass_is_spent_by_one_release(site: &impl Site) {
    let (store, bypass) = alice_with_bypass(site, Some("asa")).await;
    assert_eq!(open(&store, "asa").await, Some(bypass.clone()));
    assert_eq!(open(&store, "netscaler").await, None);
    assert_eq!(releases(&store, &bypass, 1).await, ReleaseOutcome::Granted);
    assert_eq!(releases(&site.open(), &bypass, 1).await, ReleaseOutcome::Granted, "repeated it is the same release");
    assert_eq!(releases(&store, &bypass, 2).await, refused("bypass ended"));
    assert_eq!(open(&site.open(), "asa").await, None);
    assert!(store.list_bypasses(&alice(), after(1)).await.unwrap().is_empty());
}

pub(crate) async fn of_fifty_releases_by_one_bypass_one_is_granted(site: &impl Site) {
    let (store, bypass) = alice_with_bypass(site, None).await;
    let mut all = tokio::task::JoinSet::new();
    for login in 0..50 {
        let (store, bypass) = (Arc::clone(&store), bypass.clone());
        all.spawn(async move { releases(&store, &bypass, login).await });
    }
    let granted = all.join_all().await.into_iter().filter(|outcome| *outcome == ReleaseOutcome::Granted).count();
    assert_eq!((granted, store.records_after(0, 100).await.unwrap().len()), (1, 1));
}

pub(crate) async fn a_bypass_is_bound_to_user_client_and_time(site: &impl Site) {
    let (store, bypass) = alice_with_bypass(site, Some("asa")).await;
    store.add_user(user("mallory"), NOW).await.unwrap();
    let means = Means::Bypass(bypass.clone());
    let hers = ReleaseCheck { user: ResolvedUser::new("mallory"), ..check(means.clone()) };
    assert_eq!(store.release(hers, accepted(1), after(1)).await.unwrap(), refused("bypass ended"));
    let elsewhere = Record { client: ClientName::new("netscaler"), ..accepted(2) };
    assert_eq!(store.release(check(means.clone()), elsewhere, after(1)).await.unwrap(), refused("bypass ended"));
    assert_eq!(store.release(check(means), accepted(3), after(3600)).await.unwrap(), refused("bypass ended"));
    assert_eq!(store.open_bypass(&alice(), &ClientName::new("asa"), after(3600)).await.unwrap(), None);
    assert_eq!(open(&store, "asa").await, Some(bypass), "none of them has spent it");
    let nobody = NewBypass { user: ResolvedUser::new("nobody"), ..grant(None) };
    assert!(matches!(store.grant_bypass(nobody, NOW).await, Err(StoreError::Refused(Refusal::NoUser(_)))));
}

pub(crate) async fn a_newer_bypass_voids_the_older_of_its_client(site: &impl Site) {
    let (store, first) = alice_with_bypass(site, Some("asa")).await;
    let any = store.grant_bypass(grant(None), after(1)).await.unwrap();
    let second = store.grant_bypass(grant(Some("asa")), after(1)).await.unwrap();
    assert_eq!(releases(&store, &first, 1).await, refused("bypass ended"));
    assert_eq!(open(&store, "asa").await, Some(second.clone()), "one that names the client is spent first");
    assert_eq!(open(&store, "netscaler").await, Some(any.clone()));
    let listed = store.list_bypasses(&alice(), after(1)).await.unwrap();
    assert_eq!(listed.iter().map(|bypass| bypass.id.clone()).collect::<Vec<_>>(), [any.clone(), second]);
    assert_eq!((&listed[0].grant, listed[0].granted_at), (&grant(None), after(1)));
    for _ in 0..2 {
        store.revoke_bypass(&any, after(2)).await.unwrap();
    }
    assert_eq!(open(&store, "netscaler").await, None);
}

pub(crate) async fn bypasses_are_bounded(site: &impl Site) {
    let (store, _) = alice_with_bypass(site, None).await;
    for n in 1..20 {
        store.grant_bypass(grant(Some(&format!("client-{n}"))), NOW).await.unwrap();
    }
    let error = store.grant_bypass(grant(Some("one-more")), NOW).await.unwrap_err();
    assert_eq!(error, StoreError::Refused(Refusal::TooMany { what: "bypasses", most: 20 }));
    store.grant_bypass(grant(Some("one-more")), after(3600)).await.unwrap();
}

pub(crate) async fn a_block_or_a_report_ends_bypasses(site: &impl Site) {
    let (store, bypass) = alice_with_bypass(site, None).await;
    store.block_user(&alice(), "left".into()).await.unwrap();
    assert_eq!(releases(&store, &bypass, 1).await, refused("blocked"));
    store.unblock_user(&alice()).await.unwrap();
    assert_eq!(releases(&store, &bypass, 2).await, refused("bypass ended"));
    let bypass = store.grant_bypass(grant(None), NOW).await.unwrap();
    let phone = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    store.answer_prompt(prompt_id(1), &phone, PhoneAnswer::Fraud, None, NOW, &limits()).await.unwrap();
    store.unblock_user(&alice()).await.unwrap();
    assert_eq!(releases(&store, &bypass, 3).await, refused("bypass ended"));
}

pub(crate) async fn a_denial_of_what_is_out_spends_no_bypass(site: &impl Site) {
    let (store, bypass) = alice_with_bypass(site, None).await;
    let phone = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    store.answer_prompt(prompt_id(1), &phone, PhoneAnswer::Deny, None, NOW, &limits()).await.unwrap();
    let denied = ReleaseCheck { open_prompt: Some(prompt_id(1)), ..check(Means::Bypass(bypass.clone())) };
    assert_eq!(store.release(denied, accepted(1), after(1)).await.unwrap(), refused("denied"));
    assert_eq!(open(&store, "asa").await, Some(bypass));
    assert_eq!(
        store.open_bypass(&alice(), &ClientName::new("asa"), after(1).plus(Duration::from_secs(7200))).await.unwrap(),
        None
    );
}

pub(crate) async fn an_open_bypass_is_a_fact_until_it_is_spent_or_its_time_is_over(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let has = async |at| store.user_facts(&alice(), None, at, &limits()).await.unwrap().has_bypass;
    assert!(!has(NOW).await);
    let bypass = store.grant_bypass(grant(Some("asa")), NOW).await.unwrap();
    assert!(has(after(1)).await, "whatever the client that asks");
    assert!(!has(after(3600)).await);
    assert_eq!(releases(&store, &bypass, 1).await, ReleaseOutcome::Granted);
    assert!(!has(after(1)).await);
}
