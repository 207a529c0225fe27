//! The file: who may read it, under which key it opens, and what is refused before anything is believed.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rusqlite::Connection;

use super::super::super::conformance::{NOW, Site, alice, user};
use super::super::super::error::{KeyError, StoreError, Trouble};
use super::super::super::key::StoreKey;
use super::super::super::verbs::{Stances, Users};
use super::super::{Sqlite, SqliteOptions, open};
use super::Place;

#[tokio::test]
async fn the_file_and_its_companions_are_their_owners_alone() {
    let place = Place::fresh();
    let store = place.sqlite();
    store.add_user(user("alice"), NOW).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(place.directory.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3, "database, WAL and key");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}

#[test]
fn another_key_is_refused_by_its_id() {
    let mut place = Place::fresh();
    drop(place.sqlite());
    let wanted = place.key.id();
    place.key = StoreKey::generate(&place.directory.path().join("another.key")).unwrap();
    let error = place.try_open(SqliteOptions::default()).err().unwrap();
    let expected = KeyError::Wrong { given: place.key.id().into(), wanted: wanted.into() };
    assert_eq!(error, StoreError::Key(expected));
    assert!(error.to_string().contains("set [store] key_file to the right file"), "{error}");
}

#[test]
fn a_file_that_no_longer_names_its_key_is_not_given_a_new_one() {
    let mut place = Place::fresh();
    drop(place.sqlite());
    place.forge("INSERT INTO users (name, groups, added_at, mac) VALUES ('x', '[]', 0, x''); DELETE FROM meta");
    place.key = StoreKey::generate(&place.directory.path().join("another.key")).unwrap();
    assert!(matches!(place.try_open(SqliteOptions::default()).err(), Some(StoreError::Key(KeyError::Wrong { .. }))));
}

#[test]
fn another_programs_database_is_refused_untouched() {
    let place = Place::fresh();
    place.forge("CREATE TABLE theirs (x)");
    let error = place.try_open(SqliteOptions::default()).err().unwrap();
    assert!(error.to_string().contains("another program's database"), "{error}");
    let tables: i64 = Connection::open(place.path())
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_newer_version_is_refused() {
    let place = Place::fresh();
    drop(place.sqlite());
    place.forge("PRAGMA user_version = 99");
    let error = place.try_open(SqliteOptions::default()).err().unwrap();
    assert!(error.to_string().contains("the store has version 99"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_called_damaged() {
    let place = Place::fresh();
    std::fs::write(place.path(), "this is not a database, it is a letter to somebody else".repeat(100)).unwrap();
    let error = place.try_open(SqliteOptions::default()).err().unwrap();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
}

#[test]
fn a_url_is_a_path_and_another_scheme_is_told_without_its_password() {
    let place = Place::fresh();
    let refuse = |url: &str| Sqlite::open(url, &place.key, SqliteOptions::default()).err().unwrap().to_string();
    assert!(!refuse("postgres://vestibule:hunter2@db/vestibule").contains("hunter2"));
    assert!(refuse("sqlite:").contains("names no file"));
    assert!(refuse("/var/lib/vestibule.db").contains("names no file"));
    assert!(refuse("sqlite:/nowhere/at/all.db").contains("/nowhere/at/all.db"));
}

#[test]
fn durability_is_asserted() {
    let place = Place::fresh();
    let db = open::writing(&place.path(), &SqliteOptions::default()).unwrap();
    let asks = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((asks("synchronous"), asks("foreign_keys"), asks("secure_delete")), (2, 1, 1));
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    // A place that can't do WAL is a start error.
    let error = open::writing(std::path::Path::new(":memory:"), &SqliteOptions::default()).map(drop);
    std::fs::remove_file(":memory:").ok();
    assert!(error.is_err());
}

#[tokio::test]
async fn a_locked_store_says_so_and_loses_nothing() {
    let place = Place::fresh();
    let store = place.try_open(SqliteOptions { busy: Duration::ZERO, ..SqliteOptions::default() }).unwrap();
    store.add_user(user("alice"), NOW).await.unwrap();
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.set_password(&alice(), None).await.unwrap_err();
    assert_eq!(error, StoreError::Unavailable(Trouble::Locked));
    // Reading goes on meanwhile.
    assert!(store.show_user(&alice()).await.unwrap().is_some());
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    // Another connection that closes may hold the file for a moment, and this store waits for nobody.
    for _ in 0..1_000 {
        match store.set_password(&alice(), None).await {
            Err(StoreError::Unavailable(Trouble::Locked)) => tokio::task::yield_now().await,
            outcome => return outcome.unwrap(),
        }
    }
    panic!("the store stays locked though nobody holds it");
}

#[test]
fn many_who_open_a_new_file_at_once_all_open_the_same_one() {
    for _ in 0..10 {
        let place = Place::fresh();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| place.sqlite());
            }
        });
    }
}

#[tokio::test]
async fn a_file_that_vanished_under_us_is_an_error_and_no_yes() {
    let place = Place::fresh();
    let store = place.sqlite();
    place.forge("DROP TABLE stances");
    let error = store.stance(&login::ClientName::new("asa")).await.unwrap_err();
    assert!(matches!(error, StoreError::Ours(_)), "{error}");
}
