//! The logins of the demo: three that open both doors, five break-ins that must fail.
//!
//! Each goes through the real UDP port and is judged twice: by what the appliance got, and by the record that the store
//! holds of it. A login that ends otherwise than it must makes the demo fail.

use std::time::Duration;

use login::PhoneAnswer;
use wire::{Code, Secret};

use super::appliance::{Appliance, Heard, Knock};
use super::board::{Of, Recorded, Tone, Who};
use super::house::{DemoError, House};
use super::people::{ALICE, BOB, CAROL, DAVE, ELSEWHERE, ERIN, Person};
use super::phone::tap;
use super::tell::Outcome;

/// A phone rings, and a record is written, within this.
const SOON: Duration = Duration::from_secs(10);
/// How long carol lets her login be held: long enough to be seen.
const CAROL_LOOKS_FOR: Duration = Duration::from_millis(1500);

/// What a login must come to.
struct Must {
    name: &'static str,
    user: &'static str,
    answer: &'static str,
    reason: &'static str,
}

/// Performs them all; true if every one ended as it must.
pub(super) async fn perform(house: &House) -> Result<bool, DemoError> {
    let teller = house.board.teller();
    teller.heading("Three logins that open both doors");
    let opened = [by_challenge(house).await?, by_append(house).await?, by_push(house).await?];
    teller.heading("Five break-ins that fail");
    let shut = [
        with_a_wrong_code(house).await?,
        with_a_code_used_twice(house).await?,
        while_a_login_is_held(house).await?,
        against_a_denial(house).await?,
        with_a_foreign_state(house).await?,
    ];
    Ok(opened.iter().chain(&shut).all(|outcome| outcome.ok))
}

async fn by_challenge(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "challenge", user: "alice", answer: "accept", reason: "accepted" };
    house.board.teller().title(1, "alice is asked for a code (Access-Challenge, TOTP)");
    let since = house.board.last_seq();
    let heard = code_when_asked(house, &house.vpn, &ALICE, ALICE.station).await?;
    judge(house, must, since, heard.as_ref(), true).await
}

async fn by_append(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "append", user: "bob", answer: "accept", reason: "accepted" };
    house.board.teller().title(2, "bob types password and code at once (password,123456)");
    let since = house.board.last_seq();
    let code = house.apps.fresh_code(&BOB).await?;
    let heard = house.vpn.knock(knock(&BOB, BOB.appended(&code), BOB.station, None)).await;
    judge(house, must, since, heard.as_ref(), true).await
}

async fn by_push(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "push", user: "carol", answer: "accept", reason: "accepted" };
    house.board.teller().title(3, "carol's phone rings, and her login is held until she approves");
    let since = house.board.last_seq();
    let held = hold(house, &CAROL);
    let rang = rings(house, &CAROL).await;
    house.clock().wait(CAROL_LOOKS_FOR).await;
    let was_held = rang && !held.is_finished();
    answer(house, &CAROL, PhoneAnswer::Approve).await?;
    let heard = held.await.ok().flatten();
    judge(house, must, since, heard.as_ref(), was_held).await
}

async fn with_a_wrong_code(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "wrong-code", user: "erin", answer: "reject", reason: "wrong_code" };
    house.board.teller().title(4, "a burglar has erin's password and guesses the code");
    let since = house.board.last_seq();
    let mut heard = house.vpn.knock(knock(&ERIN, ERIN.secret(), ELSEWHERE, None)).await;
    // Three tries (rules C3), each under a State of its own.
    for number in 1..=3 {
        let Some(state) = challenge(heard.as_ref()) else { break };
        let code = house.apps.wrong_code(&ERIN, number).await?;
        heard = house.vpn.knock(knock(&ERIN, code, ELSEWHERE, Some(state))).await;
    }
    judge(house, must, since, heard.as_ref(), true).await
}

async fn with_a_code_used_twice(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "code-used-twice", user: "bob", answer: "reject", reason: "spent_code" };
    house.board.teller().title(5, "a burglar saw bob type his code, and uses it again");
    let since = house.board.last_seq();
    let spent = house.apps.spent_code(&BOB).await?;
    let heard = house.vpn.knock(knock(&BOB, BOB.appended(&spent), ELSEWHERE, None)).await;
    judge(house, must, since, heard.as_ref(), true).await
}

async fn while_a_login_is_held(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "wrong-password-while-held", user: "carol", answer: "reject", reason: "primary" };
    house.board.teller().title(6, "a wrong password while carol's own login is held, from where she sits");
    let since = house.board.last_seq();
    let held = hold(house, &CAROL);
    let rang = rings(house, &CAROL).await;
    let wrong = Secret::new("silver-bells-26");
    let heard = house.vpn.knock(knock(&CAROL, wrong, CAROL.station, None)).await;
    let outcome = judge_record(house, must, since, heard.as_ref()).await;
    let undisturbed = rang && !held.is_finished();
    answer(house, &CAROL, PhoneAnswer::Approve).await?;
    let carol = held.await.ok().flatten();
    let in_at_last = Heard::word(carol.as_ref()) == "accept" && accepted_too(house, &CAROL, since).await;
    Ok(finish(house, outcome, undisturbed && in_at_last))
}

async fn against_a_denial(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "denied-push", user: "dave", answer: "reject", reason: "denied" };
    house.board.teller().title(7, "a burglar has dave's password; dave's phone rings, and he denies");
    let since = house.board.last_seq();
    let burglar = knock(&DAVE, DAVE.secret(), ELSEWHERE, None);
    let vpn = house.vpn.clone();
    let held = tokio::spawn(async move { vpn.knock(burglar).await });
    let rang = rings(house, &DAVE).await;
    answer(house, &DAVE, PhoneAnswer::Deny).await?;
    let heard = held.await.ok().flatten();
    judge(house, must, since, heard.as_ref(), rang).await
}

async fn with_a_foreign_state(house: &House) -> Result<Outcome, DemoError> {
    let must = Must { name: "foreign-state", user: "erin", answer: "reject", reason: "state_other" };
    house.board.teller().title(8, "erin's State and her right code, sent through another appliance");
    let since = house.board.last_seq();
    let asked = house.vpn.knock(knock(&ERIN, ERIN.secret(), ERIN.station, None)).await;
    let state = challenge(asked.as_ref());
    let code = house.apps.fresh_code(&ERIN).await?;
    let stolen = knock(&ERIN, code.clone(), ERIN.station, state.clone());
    let heard = house.other_vpn.knock(stolen).await;
    let outcome = judge_record(house, must, since, heard.as_ref()).await;
    // Her own appliance still takes that State and that code: the theft spent neither.
    let erin = house.vpn.knock(knock(&ERIN, code, ERIN.station, state.clone())).await;
    let still_hers =
        state.is_some() && Heard::word(erin.as_ref()) == "accept" && accepted_too(house, &ERIN, since).await;
    Ok(finish(house, outcome, still_hers))
}

// --- what the scenes are made of ---------------------------------------------------------------------------

fn knock(person: &Person, password: Secret, station: &'static str, state: Option<Vec<u8>>) -> Knock {
    Knock { user: person.name.to_owned(), password, station, state }
}

fn challenge(heard: Option<&Heard>) -> Option<Vec<u8>> {
    heard.filter(|heard| heard.code == Code::AccessChallenge).and_then(|heard| heard.state.clone())
}

async fn code_when_asked(
    house: &House,
    through: &Appliance,
    person: &Person,
    station: &'static str,
) -> Result<Option<Heard>, DemoError> {
    let heard = through.knock(knock(person, person.secret(), station, None)).await;
    let Some(state) = challenge(heard.as_ref()) else { return Ok(heard) };
    let code = house.apps.fresh_code(person).await?;
    house.board.hop(Who::Phone, Tone::Plain, format!("{} reads the code off the app, and types it", person.name));
    Ok(through.knock(knock(person, code, station, Some(state))).await)
}

/// A login of a person with a phone, while it waits.
fn hold(house: &House, person: &Person) -> tokio::task::JoinHandle<Option<Heard>> {
    let (vpn, knock) = (house.vpn.clone(), knock(person, person.secret(), person.station, None));
    tokio::spawn(async move { vpn.knock(knock).await })
}

async fn rings(house: &House, person: &Person) -> bool {
    soon(house, house.board.wait_for(|board| board.ringing_of(person.name))).await.is_some()
}

async fn answer(house: &House, person: &Person, answer: PhoneAnswer) -> Result<(), DemoError> {
    if let Some((prompt, _)) = house.board.ringing_of(person.name) {
        tap(&house.board, house.server.engine(), prompt, answer).await?;
    }
    Ok(())
}

async fn soon<T>(house: &House, wait: impl Future<Output = T>) -> Option<T> {
    let clock = house.clock();
    tokio::select! {
        done = wait => Some(done),
        () = clock.wait(SOON) => None,
    }
}

async fn judge(house: &House, must: Must, since: u64, heard: Option<&Heard>, and: bool) -> Result<Outcome, DemoError> {
    let outcome = judge_record(house, must, since, heard).await;
    Ok(finish(house, outcome, and))
}

/// The record of this login is the first after it began that has its user and its answer.
async fn judge_record(house: &House, must: Must, since: u64, heard: Option<&Heard>) -> Outcome {
    let answer = Heard::word(heard);
    let find = |recorded: &Recorded| {
        recorded.of() == Of::Login && recorded.text("user") == must.user && recorded.text("answer") == answer
    };
    let recorded = soon(house, house.board.wait_for(|board| board.recorded(since, find))).await;
    let text = |field| recorded.as_ref().map(|recorded| recorded.text(field)).filter(|text| !text.is_empty());
    let owned = |field| text(field).map(str::to_owned);
    Outcome {
        name: must.name,
        user: must.user,
        expected: must.answer,
        answer,
        ok: answer == must.answer && text("reason") == Some(must.reason),
        rule: owned("rule"),
        factor: owned("factor"),
        reason: owned("reason"),
        waited_ms: recorded.as_ref().map_or(0, |recorded| recorded.waited_ms("total")),
        login: owned("login"),
    }
}

/// The victim's own login is on record as accepted.
async fn accepted_too(house: &House, person: &Person, since: u64) -> bool {
    let find = |recorded: &Recorded| recorded.text("user") == person.name && recorded.text("answer") == "accept";
    soon(house, house.board.wait_for(|board| board.recorded(since, find))).await.is_some()
}

fn finish(house: &House, outcome: Outcome, and: bool) -> Outcome {
    let outcome = Outcome { ok: outcome.ok && and, ..outcome };
    house.board.teller().outcome(&outcome);
    outcome
}
