//! What staff and users did, in the chain of the records (rules F2, F4).

use login::{LoginId, ResolvedUser, Wall};

use super::super::error::StoreError;
use super::super::rows::StoredRecord;
use super::super::web::Act;
use super::super::written;
use super::records;
use super::tx::Tx;

/// Writes one down. The same act of the same time is one act, so that writing may be repeated: its row's id is a keyed hash
/// of it, which is as good as random beside the ids of logins.
pub(super) fn write(tx: Tx<'_>, act: &Act, at: Wall) -> Result<u64, StoreError> {
    let json = written::act_json(act, at)?;
    let [a, b, c, d, e, f, g, h, ..] = tx.seals.keyed("acts", &[json.as_bytes()]);
    let id = LoginId(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    records::append_act(tx, id, act.user.as_str(), &json)
}

/// The latest acts on a user, newest first.
pub(super) fn on(tx: Tx<'_>, user: &ResolvedUser, limit: usize) -> Result<Vec<StoredRecord>, StoreError> {
    records::acts(tx, user, limit)
}
