//! A file of the first version, opened by this one.

use login::{PromptStatus, Wall};
use rusqlite::Connection;

use super::super::super::conformance::{NOW, Site, after, alice, claim, limits, prompt_id, user};
use super::super::super::rows::Channel;
use super::super::super::seal::{Place as SealedPlace, Seals};
use super::super::super::verbs::{Devices, Prompts, Users};
use super::super::super::web::DeviceState;
use super::super::schema;
use super::Place;

/// A file as the first version left it: alice, her page on loopback, and a prompt that is out.
fn first_version(place: &Place) {
    let db = Connection::open(place.path()).unwrap();
    schema::make_first(&db);
    let seals = Seals::new(&place.key);
    let meta = "INSERT INTO meta (name, value) VALUES ('key_id', ?1), ('key_check', ?2)";
    db.execute(meta, (seals.key_id().as_bytes(), seals.key_check())).unwrap();
    let row = SealedPlace { table: "users", row: "1", user: "alice", column: "row" };
    let added = user("alice");
    let groups: Vec<&str> = added.groups.iter().map(login::GroupName::as_str).collect();
    let fields = serde_json::to_string(&(&groups, &added.mail, None::<&str>, None::<u64>, false, NOW.0)).unwrap();
    let sql = "INSERT INTO users (name, groups, mail, added_at, mac) VALUES ('alice', ?1, ?2, ?3, ?4)";
    let groups = serde_json::to_string(&groups).unwrap();
    let mac = seals.mac(row, &[fields.as_bytes()]);
    db.execute(sql, (groups, &added.mail, i64::try_from(NOW.0).unwrap(), mac)).unwrap();
    let row = SealedPlace { table: "devices", row: "d-old", user: "alice", column: "row" };
    let mac = seals.mac(row, &[b"loopback", &NOW.0.to_be_bytes()]);
    let device = "INSERT INTO devices (id, user, channel, added_at, mac) VALUES ('d-old', 1, 'loopback', ?1, ?2)";
    db.execute(device, (i64::try_from(NOW.0).unwrap(), mac)).unwrap();
    let prompt = "INSERT INTO prompts (id, user, login, client, station_known, claimed_at, ends_at, askers_until, state) \
                  VALUES (?1, 1, ?2, 'asa', 0, ?3, ?3 + 120000, ?3 + 27000, 'pending')";
    db.execute(prompt, (prompt_id(1).0, [1_u8; 16], i64::try_from(NOW.0).unwrap())).unwrap();
}

#[tokio::test]
async fn phones_of_before_go_on_and_what_was_out_is_withdrawn() {
    let place = Place::fresh();
    first_version(&place);
    let store = place.sqlite();
    let device = store.list_devices(&alice()).await.unwrap().remove(0);
    assert_eq!((&*device.id.0, device.channel, device.state), ("d-old", Channel::Loopback, DeviceState::Active));
    assert_eq!(store.prompt_status(prompt_id(1), after(1)).await.unwrap(), PromptStatus::Ended);
    let late = store.answer_prompt(prompt_id(1), &device.id, login::PhoneAnswer::Approve, None, after(1), &limits());
    assert_eq!(late.await.unwrap(), super::super::super::rows::Answered::TooLate);
    assert!(store.claim_prompt(claim(2, 2, after(2)), after(2), &limits()).await.is_ok());
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().added_at, Wall(NOW.0));
}
