//! What the staff look at over all users.

use std::sync::Arc;

use login::{ClientName, Reason, Record, RecordedFactor, ResolvedUser};

use super::super::{Census, RefusalsOf, Store, UsersWho};
use super::{NOW, Site, accepted, after, alice, rejected, user};

fn refused(login: u64, name: &str, client: &str, reason: Reason) -> Record {
    Record {
        user: name.into(),
        client: ClientName::new(client),
        reason,
        vouched: false,
        factor: RecordedFactor::None,
        ..rejected(login)
    }
}

async fn seqs(store: &Arc<dyn Store>, of: &RefusalsOf) -> Vec<u64> {
    let page = store.refusals(of.clone(), None, 100).await.unwrap();
    assert_eq!(page.older, None);
    page.records.iter().map(|record| record.seq).collect()
}

pub(crate) async fn refusals_are_found_by_reason_client_and_name_and_told_in_pages(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let all = [
        refused(1, "alice", "asa", Reason::Primary),
        refused(2, "stranger", "asa", Reason::Primary),
        accepted(3),
        refused(4, "alice", "f5", Reason::Primary),
        refused(5, "alice", "f5", Reason::NoRule),
    ];
    for record in all {
        store.record(record).await.unwrap();
    }
    store
        .write_act(
            super::super::Act {
                by: "helen".into(),
                role: "help_desk".into(),
                what: "block".into(),
                user: alice(),
                reason: Some("lost phone".into()),
                object: None,
                address: None,
            },
            after(1),
        )
        .await
        .unwrap();
    let (reason, client) = (Some("primary".to_owned()), Some("f5".to_owned()));
    let none = RefusalsOf::default();
    assert_eq!(seqs(&store, &none).await, [5, 4, 2, 1], "acts and who was let in are no refusals");
    assert_eq!(seqs(&store, &RefusalsOf { reason: reason.clone(), ..none.clone() }).await, [4, 2, 1]);
    assert_eq!(seqs(&store, &RefusalsOf { client: client.clone(), ..none.clone() }).await, [5, 4]);
    assert_eq!(seqs(&store, &RefusalsOf { reason: reason.clone(), client: client.clone(), ..none.clone() }).await, [4]);
    let named = |name: &str| RefusalsOf { names: vec![name.to_owned()], ..none.clone() };
    assert_eq!(seqs(&store, &named("alice")).await, [5, 4, 1]);
    assert_eq!(seqs(&store, &RefusalsOf { reason, client, ..named("alice") }).await, [4]);
    // Rules F2: an unknown name stands there as a keyed hash; who knows the name finds it.
    assert_eq!(seqs(&store, &named("stranger")).await, [2]);
    assert!(seqs(&store, &named("strange")).await.is_empty());
    for of in [none.clone(), named("alice")] {
        let (mut before, mut paged) = (None, Vec::new());
        loop {
            let page = store.refusals(of.clone(), before, 2).await.unwrap();
            paged.extend(page.records.iter().map(|record| record.seq));
            before = page.older;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(paged, seqs(&store, &of).await);
    }
}

pub(crate) async fn equal_refusals_are_one_with_their_count_before_and_after_the_minute_is_over(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    for login in 1..=3 {
        store.record(refused(login, "alice", "asa", Reason::Primary)).await.unwrap();
    }
    store.record(accepted(9)).await.unwrap();
    let told = async || {
        let page = store.refusals(RefusalsOf::default(), None, 10).await.unwrap();
        page.records.iter().filter(|record| record.json.contains(r#""times":3,"#)).count() == 1
            && page.records.len() == 1
    };
    assert!(told().await);
    store.settle_repeats(after(61)).await.unwrap();
    assert!(told().await);
    let minutes = store.minutes(NOW, after(60)).await.unwrap();
    let sum = |is: bool| minutes.iter().filter(|each| each.accepted == is).map(|each| each.count).sum::<u64>();
    assert_eq!((sum(true), sum(false)), (1, 3));
    assert!(minutes.iter().all(|each| each.minute == "2027-01-15T08:00"), "{minutes:?}");
    assert!(store.minutes(after(60), after(120)).await.unwrap().is_empty());
}

pub(crate) async fn users_are_found_within_their_names_and_by_how_they_stand(site: &impl Site) {
    let store = site.open();
    for name in ["alice", "malik", "bob", "ali"] {
        store.add_user(user(name), NOW).await.unwrap();
    }
    store.add_device(&ResolvedUser::new("malik"), super::super::Channel::Loopback, None, NOW).await.unwrap();
    store.block_user(&ResolvedUser::new("bob"), "left".to_owned()).await.unwrap();
    let found = async |part: &str, who, after: Option<&str>, limit| {
        let after = after.map(ResolvedUser::new);
        let users = store.find_users(part, who, after.as_ref(), limit).await.unwrap();
        users.iter().map(|user| user.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("ali", UsersWho::All, None, 10).await, ["ali", "alice", "malik"]);
    assert_eq!(found("ali", UsersWho::All, None, 1).await, ["ali"]);
    assert_eq!(found("ali", UsersWho::All, Some("ali"), 1).await, ["alice"]);
    assert_eq!(found("%", UsersWho::All, None, 10).await, Vec::<String>::new());
    assert_eq!(found("", UsersWho::NeverEnrolled, None, 10).await, ["ali", "alice", "bob"]);
    assert_eq!(found("", UsersWho::Blocked, None, 10).await, ["bob"]);
    assert_eq!(found("", UsersWho::Silent(1), None, 10).await, Vec::<String>::new());
    assert_eq!(found("", UsersWho::Silent(0), None, 10).await, ["malik"]);
    assert_eq!(store.count_users("ali", UsersWho::All).await.unwrap(), 3);
    assert_eq!(store.count_users("", UsersWho::NeverEnrolled).await.unwrap(), 3);
    let census = store.census(3).await.unwrap();
    assert_eq!(census, Census { users: 4, enrolled: 1, phones: 1, silent: 0 });
}

pub(crate) async fn the_last_login_and_the_codes_that_are_open_are_told(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    assert_eq!(store.last_accept(&alice()).await.unwrap(), None);
    for record in [accepted(1), accepted(2), rejected(3)] {
        store.record(record).await.unwrap();
    }
    assert_eq!(store.last_accept(&alice()).await.unwrap().unwrap().seq, 2);
    assert!(store.open_codes(&alice(), NOW).await.unwrap().is_empty());
    let (purpose, hour) = (super::super::CodePurpose::Enrol, std::time::Duration::from_secs(3600));
    let code = wire::Secret::new("ABCDEFGHJKMN");
    store.issue_code(&alice(), purpose, &code, hour, NOW).await.unwrap();
    assert_eq!(store.open_codes(&alice(), NOW).await.unwrap(), [(purpose, after(3600))]);
    assert!(store.open_codes(&alice(), after(3600)).await.unwrap().is_empty());
}
