//! The set of channels, with channels that do as they are told.

use std::sync::atomic::{AtomicUsize, Ordering};

use login::LoginKey;

use super::*;
use crate::store::DeviceState;
use login::{Asks, Number};

type Answers = fn(&PushHint) -> Result<(), PushFailure>;

struct Told {
    channel: Channel,
    rings: Arc<AtomicUsize>,
    answers: Answers,
}

impl PushChannel for Told {
    fn channel(&self) -> Channel {
        self.channel
    }

    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(async move {
            self.rings.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            (self.answers)(hint)
        })
    }

    fn withdraw<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(async move { (self.answers)(hint) })
    }
}

fn push(webhook: Answers, loopback: Answers) -> (Push, Arc<AtomicUsize>) {
    let rings = Arc::new(AtomicUsize::new(0));
    let told =
        |channel, answers| -> Arc<dyn PushChannel> { Arc::new(Told { channel, rings: Arc::clone(&rings), answers }) };
    let channels = vec![told(Channel::Webhook, webhook), told(Channel::Loopback, loopback)];
    (Push::new("Example Corp", channels), Arc::clone(&rings))
}

fn device(id: &str, channel: Channel) -> Device {
    Device {
        id: DeviceId(id.into()),
        user: ResolvedUser::new("alice"),
        channel,
        label: None,
        added_at: Wall(0),
        state: DeviceState::Active,
        waits_until: None,
        fingerprint: None,
        seen_at: None,
        agent: None,
        unanswered: 0,
        subscription: None,
    }
}

fn both() -> [Device; 2] {
    [device("w", Channel::Webhook), device("l", Channel::Loopback)]
}

fn claim(id: u8) -> PromptClaim {
    PromptClaim {
        prompt: PromptId([id; 16]),
        user: ResolvedUser::new("alice"),
        login: LoginKey::alone([id; 16]),
        ends_at: Wall(120_000),
        askers_until: Wall(30_000),
        station_known: false,
        authentic: true,
        client: ClientName::new("asa"),
        station: None,
        asks: Asks::default(),
        only: None,
        unproven: false,
    }
}

fn at(seconds: u64) -> Moment {
    Moment { tick: Tick(seconds * 1000), wall: Wall(seconds * 1000) }
}

fn rings(_: &PushHint) -> Result<(), PushFailure> {
    Ok(())
}

fn refuses(_: &PushHint) -> Result<(), PushFailure> {
    Err(refused("410"))
}

fn is_away(_: &PushHint) -> Result<(), PushFailure> {
    Err(PushFailure::Unavailable(Unavailable { why: "away".into(), confirmed: true }))
}

fn seems_away(_: &PushHint) -> Result<(), PushFailure> {
    Err(PushFailure::Unavailable(Unavailable::seen("away?")))
}

#[tokio::test]
async fn one_device_that_rings_is_enough() {
    for other in [rings, refuses, is_away] {
        let (push, count) = push(other, rings);
        let rung = push.ring(&claim(1), at(0), &both()).await.unwrap();
        assert!(rung.devices.contains(&DeviceId("l".into())));
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test]
async fn a_prompt_rings_once_whoever_asks_again() {
    let (push, count) = push(rings, rings);
    assert!(push.ring(&claim(1), at(0), &both()).await.is_ok());
    assert!(matches!(push.ring(&claim(1), at(299), &both()).await, Err(PushFailure::Refused(_))));
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert!(push.ring(&claim(2), at(299), &both()).await.is_ok());
}

#[tokio::test]
async fn what_was_rung_is_forgotten_after_no_prompt_can_be_open() {
    let (push, _) = push(rings, rings);
    for id in 0..=255 {
        assert!(push.ring(&claim(id), at(u64::from(id) * 300), &both()).await.is_ok());
    }
    assert_eq!(push.rung.lock().unwrap().order.len(), 1);
    assert_eq!(push.rung.lock().unwrap().known.len(), 1);
}

#[tokio::test]
async fn an_outage_is_confirmed_only_if_every_channel_says_so() {
    for (webhook, loopback, confirmed) in
        [(is_away as Answers, is_away as Answers, true), (is_away, seems_away, false), (seems_away, is_away, false)]
    {
        let (push, _) = push(webhook, loopback);
        let failure = push.ring(&claim(1), at(0), &both()).await.unwrap_err();
        assert!(matches!(failure, PushFailure::Unavailable(Unavailable { confirmed: said, .. }) if said == confirmed));
    }
}

#[tokio::test]
async fn a_refusal_beside_an_outage_is_no_outage() {
    let (push, _) = push(refuses, is_away);
    assert_eq!(push.ring(&claim(1), at(0), &both()).await, Err(refused("410")));
}

#[tokio::test]
async fn a_user_without_a_device_of_these_channels_is_a_refusal() {
    let (push, _) = push(rings, rings);
    assert!(matches!(push.ring(&claim(1), at(0), &[]).await, Err(PushFailure::Refused(_))));
}

#[tokio::test]
async fn a_withdrawal_is_told_to_every_device() {
    let (push, _) = push(refuses, rings);
    assert_eq!(push.withdraw(&claim(1), at(0), &both()).await, [refused("410")]);
}

fn channels() -> Push {
    let told =
        |channel| -> Arc<dyn PushChannel> { Arc::new(Told { channel, rings: Arc::default(), answers: |_| Ok(()) }) };
    Push::new("Example Corp", Channel::ALL.map(told).to_vec())
}

fn phones() -> Vec<Device> {
    let app = |id, agent: &str| Device { agent: Some(agent.into()), ..device(id, Channel::PrivacyIdea) };
    vec![
        device("hook", Channel::Webhook),
        device("demo", Channel::Loopback),
        device("page", Channel::WebPush),
        app("4.3", "privacyIDEA-App/4.3.2 android/14"),
        app("4.4", "privacyIDEA-App / ios 4.4.0"),
        app("4.7", "privacyIDEA-App/4.7.0 ios/18"),
        device("mute", Channel::PrivacyIdea),
        Device { state: DeviceState::Keyed, ..device("keyed", Channel::WebPush) },
        Device { state: DeviceState::Waiting, ..device("waiting", Channel::WebPush) },
    ]
}

async fn rung(claim: PromptClaim) -> Vec<String> {
    let rung = channels().ring(&claim, Moment::default(), &phones()).await.map(|rung| rung.devices).unwrap_or_default();
    rung.iter().map(|device| device.0.to_string()).collect()
}

#[tokio::test]
async fn a_prompt_goes_only_to_phones_that_can_prove_what_it_asks() {
    let asks = |number, pin| PromptClaim { asks: Asks { number, pin }, ..claim(1) };
    let (shown, typed) = (NumberMatch::Shown(Number(42)), NumberMatch::Typed(Number(4711)));
    assert_eq!(rung(claim(1)).await, ["hook", "demo", "page", "4.3", "4.4", "4.7", "mute"]);
    assert_eq!(rung(asks(shown, false)).await, ["hook", "page", "4.4", "4.7"]);
    assert_eq!(rung(asks(typed, false)).await, ["hook", "page", "4.7"]);
    assert_eq!(rung(asks(NumberMatch::Off, true)).await, ["hook", "page"]);
    assert_eq!(rung(asks(typed, true)).await, ["hook", "page"]);
}

#[tokio::test]
async fn a_test_push_goes_to_its_one_phone_which_need_not_be_active() {
    let only = |id: &str| PromptClaim { only: Some(DeviceId(id.into())), ..claim(1) };
    assert_eq!(rung(only("keyed")).await, ["keyed"]);
    assert_eq!(rung(only("page")).await, ["page"]);
    assert_eq!(rung(only("nobody's")).await, Vec::<String>::new());
}
