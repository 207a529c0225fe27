//! What SQLite says, sorted by blame. Its messages name tables and columns, never values, so they may be shown.

use std::sync::Arc;

use rusqlite::ErrorCode;

use super::super::error::{StoreError, Trouble};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(code) => of_code(code, error.to_string().into()),
            // A value that is not of the form in which we write it: the file is not as we left it.
            None if is_of_the_data(&error) => Self::Damaged(error.to_string().into()),
            None => Self::Ours(error.to_string().into()),
        }
    }
}

/// A COMMIT that failed: an I/O error may have struck before or after the disk had it all, so nobody knows (rules C1).
pub(super) fn of_commit(error: rusqlite::Error) -> StoreError {
    let blamed = StoreError::from(error);
    if let StoreError::Unavailable(Trouble::Disk(why)) = blamed { StoreError::Unknown(why) } else { blamed }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "SQLite's codes are not ours and may grow; what we don't know is our own mistake"
)]
fn of_code(code: ErrorCode, why: Arc<str>) -> StoreError {
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Unavailable(Trouble::Locked),
        ErrorCode::DiskFull => StoreError::Unavailable(Trouble::Full),
        ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::CannotOpen
        | ErrorCode::AuthorizationForStatementDenied => StoreError::Unavailable(Trouble::ReadOnly(why)),
        ErrorCode::SystemIoFailure
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::NoLargeFileSupport
        | ErrorCode::OutOfMemory => StoreError::Unavailable(Trouble::Disk(why)),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged(why),
        _ => StoreError::Ours(why),
    }
}

fn is_of_the_data(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            | Error::InvalidColumnType(..)
    )
}
