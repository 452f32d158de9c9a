//! Where to go on in an index or a table.

use super::item::Item;

/// The key after which the next page begins.
#[derive(Clone, Debug)]
pub(crate) struct Cursor(Item);

impl Cursor {
    pub(super) fn from_key(key: Item) -> Self {
        Self(key)
    }

    pub(super) fn into_key(self) -> Item {
        self.0
    }
}
