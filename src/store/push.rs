//! The outbox: pushes that the pipe publishes.

use super::attribute::{
    AUTHORIZER_APPID, COMPONENT_APPID, DETAIL_TYPE, DIGEST, EXPIRES_AT, FIELDS, OVERFLOW, RECEIVED_AT,
};
use super::item::{Item, string, time};
use super::update::{Condition, Update};
use super::{Key, Store, StoreError, Table};
use crate::outbox::Entry;
use crate::time::Timestamp;
use crate::wechat::Appid;

impl Store {
    /// Puts a push into the outbox. False if it is there: WeChat sent it again.
    pub(crate) async fn put_push(&self, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        let appid = entry.authorizer_appid.as_ref().map_or("", Appid::as_str);
        let update = Update::default()
            .set(DETAIL_TYPE, string(&entry.detail_type))
            .set(AUTHORIZER_APPID, string(appid))
            .set(COMPONENT_APPID, string(self.component_appid.as_str()))
            .set(FIELDS, string(entry.fields.as_str()))
            .set(OVERFLOW, string(&entry.overflow))
            .set(RECEIVED_AT, time(now))
            .set(EXPIRES_AT, time(now + Entry::LIFE))
            // DynamoDB may keep what has expired for days.
            .when(Condition::absent_or_at_most(EXPIRES_AT, time(now)));
        let digest = format!("{}#{}", self.component_appid, entry.digest);
        let key = Key { table: Table::Pushes, item: Item::from([(DIGEST.to_owned(), string(digest))]) };
        self.write("store a push", key, update).await
    }
}
