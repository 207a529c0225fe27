//! One commit for many: how well it is shared, and that one request's trouble is its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use rusqlite::Connection;

use super::super::super::conformance::{NOW, Site, rejected, user};
use super::super::super::error::{Refusal, StoreError, Trouble};
use super::super::super::seal::Seals;
use super::super::super::verbs::{Releases, Users};
use super::super::tx::Tx;
use super::super::writer::{BATCH_REQUESTS_MAX, Writer};
use super::super::{CommitMeter, SqliteOptions};
use super::Place;

/// A request that waits in the writer's queue.
type Queued<T> = Pin<Box<dyn Future<Output = T>>>;

/// A request that holds the writer in its transaction until the gate is dropped.
fn hold(writer: &Writer) -> (Queued<Result<(), StoreError>>, SyncSender<()>) {
    let (gate, closed) = sync_channel::<()>(0);
    let writer = writer.clone();
    let held = async move {
        let wait = move |_: Tx<'_>| closed.recv().map_err(drop).or(Ok(()));
        writer.write(wait).await
    };
    (queued(held), gate)
}

/// The request in the writer's queue, its answer not yet waited for.
fn queued<T>(request: impl Future<Output = T> + 'static) -> Queued<T> {
    // Unconstrained, for tokio lets one task send 128 times only before it yields.
    let mut request: Queued<T> = Box::pin(tokio::task::unconstrained(request));
    assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    request
}

#[tokio::test]
async fn many_writers_share_few_commits() {
    let place = Place::fresh();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let meter = CommitMeter {
        clock: Box::new(|| Duration::ZERO),
        committed: Box::new(move |_, requests| told.lock().unwrap().push(requests)),
    };
    let store = place.try_open(SqliteOptions { meter: Some(meter), ..SqliteOptions::default() }).unwrap();
    let (held, gate) = hold(&store.writer);
    let writes: Vec<_> = (0..2000)
        .map(|login| {
            let store = store.clone();
            queued(async move { store.record(rejected(login)).await.unwrap() })
        })
        .collect();
    drop(gate);
    held.await.unwrap();
    for (write, seq) in writes.into_iter().zip(1..) {
        assert_eq!(write.await, seq);
    }
    assert_eq!(*seen.lock().unwrap(), [BATCH_REQUESTS_MAX, 2001 - BATCH_REQUESTS_MAX]);
    assert_eq!(store.commits(), 2);
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
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED)";
    let (place, writer) = writer(schema);
    let insert = |id: i64, up: Option<i64>| {
        let writer = writer.clone();
        queued(async move { writer.write(move |tx| tx.change("INSERT INTO t VALUES (?1, ?2)", (id, up))).await })
    };
    let (held, gate) = hold(&writer);
    let batch = [insert(1, None), insert(2, Some(7)), insert(3, None)];
    drop(gate);
    assert!(held.await.is_err());
    for request in batch {
        let error = request.await.unwrap_err();
        assert!(matches!(error, StoreError::Ours(_)), "{error}");
    }
    assert_eq!((rows(&place), writer.commits()), (0, 0));
    insert(2, None).await.unwrap();
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
