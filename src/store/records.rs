//! Many records at a time, and how far they have been compared with WeChat's list.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::attribute::{AUTHORIZER_APPID, OFFSET};
use super::item::{appid, integer, number, string};
use super::update::Update;
use super::{Cursor, Record, Store, StoreError};
use crate::wechat::Appid;

/// The most keys that one BatchGetItem takes.
const BATCH: usize = 100;

/// The attributes that comparing needs.
const COMPARED: &str = "authorizer_appid, #status, authorized_at, unauthorized_at, updated_at, #version, \
                        authorizer_refresh_token, permission_set_ids, profile, profile_at, doubted, \
                        refresh_failure";

impl Store {
    /// The records of those of `appids` that have one.
    pub(crate) async fn records(
        &self,
        appids: impl Iterator<Item = &Appid>,
    ) -> Result<HashMap<Appid, Record>, StoreError> {
        // DynamoDB refuses a request that names one key twice.
        let appids: HashSet<&Appid> = appids.collect();
        let mut keys: Vec<_> = appids.into_iter().map(|appid| self.record_key(appid).item).collect();
        let mut records = HashMap::new();
        while !keys.is_empty() {
            let batch = keys.split_off(keys.len().saturating_sub(BATCH));
            let request = KeysAndAttributes::builder()
                .set_keys(Some(batch))
                .projection_expression(COMPARED)
                .expression_attribute_names("#status", "status")
                .expression_attribute_names("#version", "version")
                .consistent_read(true)
                .build()
                .expect("the keys are set");
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.authorizers_table, request)
                .send()
                .await
                .map_err(|error| StoreError::of("read records", &error))?;
            let items = output.responses.unwrap_or_default().remove(&self.authorizers_table);
            for item in items.unwrap_or_default() {
                records.extend(appid(&item, AUTHORIZER_APPID).map(|appid| (appid, Record::read(&item))));
            }
            // What DynamoDB did not get to is asked for again.
            let left = output.unprocessed_keys.unwrap_or_default().remove(&self.authorizers_table);
            keys.extend(left.map(|left| left.keys).unwrap_or_default());
        }
        Ok(records)
    }

    /// A page of the accounts that are authorized according to the table, and where the next page begins.
    pub(crate) async fn authorized(
        &self,
        after: Option<Cursor>,
    ) -> Result<(Vec<Appid>, Option<Cursor>), StoreError> {
        let output = self
            .client
            .scan()
            .table_name(&self.authorizers_table)
            .projection_expression("authorizer_appid")
            .filter_expression("component_appid = :component AND #status = :authorized")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":component", string(self.component_appid.as_str()))
            .expression_attribute_values(":authorized", string("authorized"))
            .set_exclusive_start_key(after.map(Cursor::into_key))
            .send()
            .await
            .map_err(|error| StoreError::of("list records", &error))?;
        let appids = output.items().iter().filter_map(|item| appid(item, AUTHORIZER_APPID)).collect();
        Ok((appids, output.last_evaluated_key.map(Cursor::from_key)))
    }

    /// The offset in WeChat's list from which on it is still to be compared.
    pub(crate) async fn reconciled_up_to(&self) -> Result<usize, StoreError> {
        let item = self.item("read the progress of reconcile", self.platform_key("reconcile")).await?;
        let offset = item.and_then(|item| integer(&item, OFFSET));
        Ok(offset.and_then(|offset| offset.try_into().ok()).unwrap_or_default())
    }

    /// Notes from where on the list is to be compared by the next run.
    pub(crate) async fn put_reconciled_up_to(&self, offset: usize) -> Result<(), StoreError> {
        let update = Update::default().set(OFFSET, number(offset as i64));
        let key = self.platform_key("reconcile");
        self.write("note the progress of reconcile", key, update).await.map(|_| ())
    }
}
