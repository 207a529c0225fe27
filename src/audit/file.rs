//! The file of JSON lines: appended, synced, owner-only, and found again after a rotation.
//!
//! When `append` returns, the lines are on the disk. The file may be renamed or removed at any time by a rotation; the next
//! lines then begin a new one under the old path. A line that a crash cut short is taken off at the next opening, because its
//! record is fed again; where the file may only be appended to, it is ended instead, and a reader skips it.
//!
//! It blocks: callers run it off the async threads. Permissions that an administrator gave an existing file are left alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Records say who logs in from where: nobody but the owner reads them.
const MODE: u32 = 0o600;

/// How far back the last newline is looked for; records are far shorter.
const LINE_OCTETS_MAX: u64 = 1024 * 1024;

/// Why the lines are not on the disk. They stay in the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The file can't be opened.
    #[error("{} can't be opened: {why}; check [audit] file, its directory and their owner. The records wait in the store", .path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: Arc<str>,
    },
    /// It is a directory, a pipe or a device, which can't keep records.
    #[error("{} is no regular file, so it can't keep records; name another in [audit] file. The records wait in the store", .0.display())]
    NotAFile(PathBuf),
    /// The lines can't be written or synced.
    #[error("{} can't be written: {why}; make room on its disk. The records wait in the store", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: Arc<str>,
    },
}

/// A file that takes lines.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
}

/// Device and inode: a rotated file keeps them under its new name, so that the old path is another file or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl FileSink {
    /// A sink at this path; it is opened with the first lines.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Where it writes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines and returns when they are on the disk.
    ///
    /// # Errors
    /// [`SinkError`]; some of the lines may be in the file then, so the caller feeds them again.
    pub fn append(&mut self, lines: &str) -> Result<(), SinkError> {
        let mut open = match self.open.take().filter(|open| Some(open.identity) == identity_at(&self.path)) {
            Some(open) => open,
            None => open(&self.path)?,
        };
        // After a failure the file stays closed, so that the next opening mends a line that was cut short.
        write_durably(&mut open.file, lines).map_err(|e| SinkError::Write { path: self.path.clone(), why: why(&e) })?;
        self.open = Some(open);
        Ok(())
    }
}

fn write_durably(file: &mut File, lines: &str) -> io::Result<()> {
    file.write_all(lines.as_bytes())?;
    file.sync_data()
}

fn open(path: &Path) -> Result<Open, SinkError> {
    let failed = |e: io::Error| SinkError::Open { path: path.to_owned(), why: why(&e) };
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(SinkError::NotAFile(path.to_owned()));
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.len() == 0 {
        sync_directory(path).map_err(failed)?;
    }
    end_last_line(&file, metadata.len()).map_err(failed)?;
    Ok(Open { file, identity: Identity(metadata.dev(), metadata.ino()) })
}

/// A new file is not there after a power loss unless its directory is synced too.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Takes off what follows the last newline.
fn end_last_line(mut file: &File, length: u64) -> io::Result<()> {
    let from = length.saturating_sub(LINE_OCTETS_MAX);
    let mut tail = vec![0; usize::try_from(length - from).unwrap_or(0)];
    file.read_exact_at(&mut tail, from)?;
    let torn = tail.iter().rev().take_while(|octet| **octet != b'\n').count();
    let kept = length.saturating_sub(u64::try_from(torn).unwrap_or(u64::MAX));
    let no_newline_in_reach = torn == tail.len() && from > 0;
    if torn == 0 {
        Ok(())
    } else if no_newline_in_reach || file.set_len(kept).is_err() {
        file.write_all(b"\n")
    } else {
        Ok(())
    }
}

fn identity_at(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|metadata| Identity(metadata.dev(), metadata.ino()))
}

fn why(error: &io::Error) -> Arc<str> {
    error.to_string().into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sink() -> (tempfile::TempDir, FileSink) {
        let directory = tempfile::tempdir().unwrap();
        let sink = FileSink::new(directory.path().join("audit.jsonl"));
        (directory, sink)
    }

    #[test]
    fn the_file_is_made_for_its_owner_alone() {
        let (_directory, mut sink) = sink();
        sink.append("{}\n").unwrap();
        assert_eq!(fs::metadata(sink.path()).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn after_a_rotation_the_lines_go_to_the_new_file() {
        let (directory, mut sink) = sink();
        sink.append("1\n").unwrap();
        let old = directory.path().join("audit.jsonl.1");
        fs::rename(sink.path(), &old).unwrap();
        sink.append("2\n").unwrap();
        fs::remove_file(sink.path()).unwrap();
        sink.append("3\n").unwrap();
        assert_eq!((fs::read_to_string(&old).unwrap(), fs::read_to_string(sink.path()).unwrap()), ("1\n".into(), "3\n".into()));
    }

    #[test]
    fn a_file_that_was_rotated_by_copy_and_truncation_goes_on_at_its_start() {
        let (_directory, mut sink) = sink();
        sink.append("1\n").unwrap();
        File::options().write(true).open(sink.path()).unwrap().set_len(0).unwrap();
        sink.append("2\n").unwrap();
        assert_eq!(fs::read_to_string(sink.path()).unwrap(), "2\n");
    }

    #[test]
    fn a_line_cut_short_is_taken_off_and_whole_ones_stay() {
        for (found, kept) in [("1\n{\"se", "1\n"), ("{\"se", ""), ("1\n2\n", "1\n2\n"), ("", "")] {
            let (_directory, mut sink) = sink();
            fs::write(sink.path(), found).unwrap();
            sink.append("3\n").unwrap();
            assert_eq!(fs::read_to_string(sink.path()).unwrap(), format!("{kept}3\n"));
        }
    }

    #[test]
    fn what_is_no_file_or_can_not_be_opened_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = FileSink::new(directory.path().to_owned()).append("1\n").unwrap_err();
        assert_eq!(error, SinkError::NotAFile(directory.path().to_owned()));
        let error = FileSink::new(directory.path().join("none/audit.jsonl")).append("1\n").unwrap_err();
        assert!(error.to_string().contains("check [audit] file"), "{error}");
    }
}
