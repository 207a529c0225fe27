//! The first method of a user (rules F3), and codes that work once however often their seed is stored (C1), at real doors.

use ::vestibule::store::{Channel, NewToken, Refusal, StoreError, TokenKind};
use login::ResolvedUser;
use wire::Secret;

use crate::harness::oath::{self, seed};
use crate::harness::portal_house::PortalHouse;
use crate::harness::web::Web;

/// Carol, whom an activation code let in to make her first method.
async fn enrolling(house: &PortalHouse) -> Web {
    let code = house.code_for("carol").await;
    let mut carol = house.web();
    carol.password("carol", "pw of carol").await;
    carol.get("/sign-in/second").await;
    assert_eq!(carol.post("/sign-in/activation", &[("activation", &code)]).await.location, "/");
    carol
}

/// The secret that the page of the authenticator app shows.
async fn offered(web: &mut Web) -> Vec<u8> {
    let page = web.get("/app").await;
    let shown = page.body.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    data_encoding::BASE32_NOPAD.decode(shown.as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_four_times_at_once_adds_one_token() {
    let house = PortalHouse::opens().await;
    let mut carol = enrolling(&house).await;
    let code = oath::totp(&offered(&mut carol).await);
    let mut forms = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut tab, code) = (carol.clone(), code.clone());
        forms.spawn(async move { tab.post("/app", &[("code", &code)]).await.location });
    }
    let answers = forms.join_all().await;
    assert_eq!(answers.iter().filter(|to| *to == "/?done=method-added").count(), 1, "{answers:?}");
    assert_eq!(house.tokens("carol").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolling_session_ends_with_the_first_method_wherever_that_was_made() {
    for by_command in [false, true] {
        let house = PortalHouse::opens().await;
        let mut thief = enrolling(&house).await;
        let seed = offered(&mut thief).await;
        let later = house.code_for("carol").await;
        let carol = ResolvedUser::new("carol");
        if by_command {
            let now = house.house.server.clock().moment().wall;
            house.store().add_device(&carol, Channel::Webhook, None, now).await.unwrap();
        } else {
            let mut owner = house.web();
            owner.password("carol", "pw of carol").await;
            owner.get("/sign-in/second").await;
            assert_eq!(owner.post("/sign-in/activation", &[("activation", &later)]).await.location, "/");
            let hers = offered(&mut owner).await;
            assert_eq!(owner.post("/app", &[("code", &oath::totp(&hers))]).await.location, "/?done=method-added");
            assert_eq!(owner.get("/").await.status, 200, "who made it goes on");
        }
        let own = house.tokens("carol").await.len();
        let late = thief.post("/app", &[("code", &oath::totp(&seed))]).await;
        assert_ne!(late.location, "/?done=method-added");
        assert_eq!(thief.get("/").await.location, "/sign-in");
        assert_eq!(house.tokens("carol").await.len(), own, "by a command: {by_command}");
        // Nor does a code that waited begin anything any more.
        let mut again = house.web();
        again.password("carol", "pw of carol").await;
        again.get("/sign-in/second").await;
        assert_eq!(again.post("/sign-in/activation", &[("activation", &later)]).await.status, 422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_secret_is_one_token_in_the_portal_and_on_the_host() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    alice.get("/hardware").await;
    let secret = data_encoding::BASE32_NOPAD.encode(&seed("token"));
    // It was used for long elsewhere: whoever has its secret and a code may be anywhere within a thousand.
    let code = oath::hotp(&seed("token"), 731);
    let done = alice.post("/hardware", &[("secret", &secret), ("kind", "hotp"), ("code", &code)]).await;
    assert_eq!(done.location, "/?done=method-added");
    assert_eq!(house.tokens("alice").await[1].counter, 732);
    alice.get("/hardware").await;
    let next = oath::hotp(&seed("token"), 732);
    let again = alice.post("/hardware", &[("secret", &secret), ("kind", "hotp"), ("code", &next)]).await;
    assert_eq!(again.status, 422);
    assert!(again.body.contains("You have this very token already"), "{}", again.body);
    assert_eq!(alice.get("/").await.status, 200, "the session goes on");
    let token = NewToken {
        kind: TokenKind::Totp { period_s: 60 },
        seed: Secret::new(seed("token")),
        digits: 8,
        algorithm: ::vestibule::store::Algorithm::Sha256,
        label: None,
        used: None,
    };
    let now = house.house.server.clock().moment().wall;
    let refused = house.store().add_token(&ResolvedUser::new("alice"), token, now).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::SameSeed(_))), "{refused:?}");
    assert_eq!(house.tokens("alice").await.len(), 2);
}
