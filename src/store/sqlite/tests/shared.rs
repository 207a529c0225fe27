//! One commit for many: how well it is shared, and that one request's trouble is its own.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::Connection;

use super::super::super::conformance::{NOW, Site, rejected, user};
use super::super::super::error::{Refusal, StoreError, Trouble};
use super::super::super::seal::Seals;
use super::super::super::verbs::{Releases, Users};
use super::super::writer::{BATCH_REQUESTS_MAX, Writer};
use super::super::{CommitMeter, SqliteOptions};
use super::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_few_commits() {
    let place = Place::fresh();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let meter = CommitMeter {
        clock: Box::new(|| Duration::ZERO),
        committed: Box::new(move |_, requests| told.lock().unwrap().push(requests)),
    };
    let store = place.try_open(SqliteOptions { meter: Some(meter), ..SqliteOptions::default() }).unwrap();
    // While another process holds the lock, the requests gather.
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writes: Vec<_> = (0..2000)
        .map(|login| {
            let store = store.clone();
            tokio::spawn(async move { store.record(rejected(login)).await.unwrap() })
        })
        .collect();
    tokio::task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    let mut seqs = Vec::new();
    for write in writes {
        seqs.push(write.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=2000).collect::<Vec<_>>());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().sum::<usize>(), 2000);
    assert_eq!(u64::try_from(seen.len()).unwrap(), store.commits());
    assert!(seen.iter().all(|requests| *requests <= BATCH_REQUESTS_MAX));
    assert!(store.commits() < 500, "{} commits for 2,000 requests", store.commits());
}

#[tokio::test]
async fn a_refused_request_takes_nothing_of_its_neighbours_with_it() {
    let place = Place::fresh();
    let store = place.sqlite();
    let names = ["a", "b", "a", "", "c", "b"];
    let results = names.map(|name| {
        let store = store.clone();
        tokio::spawn(async move { store.add_user(user(name), NOW).await })
    });
    let mut refused = 0;
    for result in results {
        match result.await.unwrap() {
            Ok(()) => {}
            Err(StoreError::Refused(Refusal::UserExists(_) | Refusal::Name(_))) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 3);
    assert_eq!(store.list_users(None, 10).await.unwrap().len(), 3);
}

/// A writer over a table of its own.
fn writer(schema: &str) -> (Place, Writer) {
    let place = Place::fresh();
    let db = super::super::open::writing(&place.path(), &SqliteOptions::default()).unwrap();
    db.execute_batch(schema).unwrap();
    let writer = Writer::start(db, Seals::new(&place.key), None).unwrap();
    (place, writer)
}

fn rows(place: &Place) -> i64 {
    Connection::open(place.path()).unwrap().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_failed_commit_refuses_everybody_in_it() {
    // A deferred constraint is found by COMMIT alone.
    let (place, writer) =
        writer("CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED)");
    let error = writer.write(|tx| tx.change("INSERT INTO t VALUES (1, 7)", [])).await.unwrap_err();
    assert!(matches!(error, StoreError::Ours(_)), "{error}");
    assert_eq!(rows(&place), 0);
    writer.write(|tx| tx.change("INSERT INTO t VALUES (2, NULL)", [])).await.unwrap();
    assert_eq!((rows(&place), writer.commits()), (1, 1));
}

#[tokio::test]
async fn a_panic_ends_its_request_and_not_the_store() {
    let (place, writer) = writer("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let error = writer.write(|tx| {
        tx.change("INSERT INTO t VALUES (1)", [])?;
        if tx.db.is_autocommit() { Ok(()) } else { panic!("a mistake of ours") }
    });
    assert!(matches!(error.await.unwrap_err(), StoreError::Ours(_)));
    writer.write(|tx| tx.change("INSERT INTO t VALUES (2)", [])).await.unwrap();
    assert_eq!(rows(&place), 1);
}

#[tokio::test]
async fn a_full_disk_says_so_and_loses_nothing() {
    let (place, writer) = writer("CREATE TABLE t (x BLOB); PRAGMA max_page_count = 20");
    writer.write(|tx| tx.change("INSERT INTO t VALUES (zeroblob(1000))", [])).await.unwrap();
    let error = writer.write(|tx| tx.change("INSERT INTO t VALUES (zeroblob(1000000))", [])).await.unwrap_err();
    assert_eq!(error, StoreError::Unavailable(Trouble::Full));
    writer.write(|tx| tx.change("INSERT INTO t VALUES (zeroblob(1000))", [])).await.unwrap();
    assert_eq!(rows(&place), 2);
}

#[tokio::test]
async fn a_caller_that_went_away_harms_nobody() {
    let (place, writer) = writer("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for id in 0..50 {
        let gone = writer.clone();
        let task =
            tokio::spawn(async move { gone.write(move |tx| tx.change("INSERT INTO t VALUES (?1)", [id])).await });
        tokio::task::yield_now().await;
        task.abort();
    }
    writer.write(|tx| tx.change("INSERT INTO t VALUES (1000)", [])).await.unwrap();
    assert!(rows(&place) >= 1);
}
