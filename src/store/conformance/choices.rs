//! What a user chose.

use login::{Method, ResolvedUser};

use super::super::UserChoices;
use super::{NOW, Site, alice, limits, user};

pub(crate) async fn what_a_user_chose_comes_back(site: &impl Site) {
    let store = site.open();
    let nobody = ResolvedUser::new("nobody");
    assert_eq!(store.choices(&nobody).await.unwrap(), UserChoices::default());
    assert!(store.prefer_method(&nobody, None).await.is_err() && store.speak(&nobody, None).await.is_err());
    store.add_user(user("alice"), NOW).await.unwrap();
    store.prefer_method(&alice(), Some(Method::Totp)).await.unwrap();
    store.speak(&alice(), Some("de".into())).await.unwrap();
    store.set_mail(&alice(), Some("alice@example.net".into())).await.unwrap();
    let store = site.open();
    let chose = store.choices(&alice()).await.unwrap();
    assert_eq!((chose.method, chose.language.as_deref()), (Some(Method::Totp), Some("de")));
    assert_eq!(chose.mail.as_deref(), Some("alice@example.net"));
    let facts = store.user_facts(&alice(), None, NOW, &limits()).await.unwrap();
    assert_eq!((facts.prefers, facts.language.as_deref()), (Some(Method::Totp), Some("de")));
    store.prefer_method(&alice(), None).await.unwrap();
    store.speak(&alice(), None).await.unwrap();
    store.set_mail(&alice(), None).await.unwrap();
    assert_eq!(store.choices(&alice()).await.unwrap(), UserChoices::default());
}
