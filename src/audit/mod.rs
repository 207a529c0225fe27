//! Takes the record of each login to where the site wants it: a file of JSON lines (`[audit] file`).
//!
//! The store writes the record with the release (rules F2); this room only carries. Each sink is fed **at least once**, in
//! order and without a gap: lines are appended and synced first, the sink's cursor in the store moves after. A crash in
//! between writes some lines twice; a reader tells them by `seq`, which no two records share. Each line names its login.
//!
//! It never holds a login up, never changes a record, and never loses one because a disk is full: the feed waits in the store.

mod feeder;
mod file;
mod line;

pub use feeder::{Feeder, SINK};
pub use file::{FileSink, SinkError};
