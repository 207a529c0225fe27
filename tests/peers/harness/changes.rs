//! The kernel's word that something in a directory was written: a test that waits for a record looks when there is something new
//! to see, and at no other time.

use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::sync::watch;

use super::GENEROUS;

/// A directory whose writes are told, from the moment that this is made.
pub(crate) struct Changes(watch::Receiver<()>);

impl Changes {
    pub(crate) fn of(directory: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
        let written = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(directory, written | AddWatchFlags::IN_DELETE_SELF).unwrap();
        let (written, changes) = watch::channel(());
        // It ends with the next write that nobody waits for any more, the directory's own end at the latest.
        std::thread::spawn(move || while inotify.read_events().is_ok() && written.send(()).is_ok() {});
        Self(changes)
    }

    /// Looks now and after each write until there is something, and fails with `what` if it never comes.
    pub(crate) async fn until<T>(mut self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                self.0.changed().await.unwrap();
            }
        };
        tokio::time::timeout(GENEROUS, looking).await.unwrap_or_else(|_| panic!("this never came: {what}"))
    }
}
