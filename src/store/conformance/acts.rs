//! What staff and users did stands in the chain of the records (rules F2, F4).

use login::{Means, ReleaseOutcome, ResolvedUser};

use super::super::{Act, ChainState};
use super::{NOW, Site, accepted, after, alice, check, rejected, user};

fn act(what: &str) -> Act {
    Act {
        by: "helen".into(),
        role: "help_desk".into(),
        what: what.into(),
        user: alice(),
        reason: Some("lost phone".into()),
        object: Some("d-1".into()),
        address: Some([198, 51, 100, 7].into()),
    }
}

pub(crate) async fn acts_stand_in_the_chain_and_apart_from_logins(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    assert_eq!(store.record(rejected(1)).await.unwrap(), 1);
    assert_eq!(store.write_act(act("remove_device"), after(1)).await.unwrap(), 2);
    assert_eq!(site.open().write_act(act("remove_device"), after(1)).await.unwrap(), 2, "repeated it is the same act");
    assert_eq!(store.write_act(act("remove_device"), after(2)).await.unwrap(), 3);
    assert_eq!(store.record(rejected(2)).await.unwrap(), 4);
    let acts = store.acts_on(&alice(), 10).await.unwrap();
    assert_eq!(acts.iter().map(|act| act.seq).collect::<Vec<_>>(), [3, 2]);
    let value: serde_json::Value = serde_json::from_str(&acts[1].json).unwrap();
    let expected = serde_json::json!({
        "act": "remove_device", "time": "2027-01-15T08:00:01.000Z", "by": "helen", "role": "help_desk", "user": "alice",
        "reason": "lost phone", "object": "d-1", "address": "198.51.100.7",
    });
    assert_eq!(value, expected);
    let logins = store.recent_records(&alice(), 10).await.unwrap();
    assert_eq!(logins.iter().map(|login| login.seq).collect::<Vec<_>>(), [4, 1]);
    assert_eq!(store.acts_on(&alice(), 1).await.unwrap().len(), 1);
    assert!(store.acts_on(&ResolvedUser::new("bob"), 10).await.unwrap().is_empty());
    // Sinks get all of it.
    assert_eq!(store.records_after(0, 10).await.unwrap().len(), 4);
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1, last: 4 });
}

pub(crate) async fn an_act_on_a_removed_user_is_found_again(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    store.remove_user(&alice(), after(1)).await.unwrap();
    store.write_act(act("remove_user"), after(1)).await.unwrap();
    assert_eq!(store.acts_on(&alice(), 10).await.unwrap().len(), 1);
}

pub(crate) async fn a_refusal_after_all_amends_its_record(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let release = || store.release(check(Means::Excuse), accepted(7), after(1));
    assert_eq!(release().await.unwrap(), ReleaseOutcome::Granted);
    assert_eq!(store.record(accepted(7)).await.unwrap(), 1, "the same said again amends nothing");
    store.record(rejected(8)).await.unwrap();
    // The commit was unknown for longer than the client waited, so it got a Reject.
    assert_eq!(store.record(rejected(7)).await.unwrap(), 3);
    assert_eq!(site.open().record(rejected(7)).await.unwrap(), 3);
    let told = site.open().record_of(login::LoginId(7)).await.unwrap().unwrap();
    assert_eq!((told.seq, told.login), (3, login::LoginId(7)));
    let value: serde_json::Value = serde_json::from_str(&told.json).unwrap();
    assert_eq!((value["amends"].as_u64(), value["answer"].as_str()), (Some(1), Some("reject")));
    assert_eq!(value["login"], "0000000000000007");
    // It lets nobody in any more.
    assert_eq!(release().await.unwrap(), ReleaseOutcome::Refused("answered already".into()));
    let recent = store.recent_records(&alice(), 10).await.unwrap();
    assert_eq!(recent.iter().map(|record| (record.seq, record.login.0)).collect::<Vec<_>>(), [(3, 7), (2, 8)]);
    assert_eq!(store.recent_records(&alice(), 1).await.unwrap().len(), 1);
    assert_eq!(store.records_after(0, 10).await.unwrap().len(), 3);
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1, last: 3 });
}
