//! One-time bypasses in the file (rules F4).

use login::{BypassId, Wall};

use super::super::error::StoreError;
use super::tx::Tx;
use super::users::UserRow;

/// Spends it, once.
pub(super) fn spend(_tx: Tx<'_>, _owner: &UserRow, _bypass: &BypassId, _at: Wall) -> Result<bool, StoreError> {
    Ok(false)
}
