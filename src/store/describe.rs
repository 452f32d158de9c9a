//! The tables as DynamoDB describes them, against what the code relies on.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, IndexStatus, KeySchemaElement, KeyType, PointInTimeRecoveryStatus, TableDescription,
    TableStatus, TimeToLiveStatus,
};

use super::{Store, StoreError};

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// The authorizers' records.
    Authorizers,
    /// The service's private state.
    Platform,
    /// The outbox.
    Pushes,
}

/// Keys as [`key`] writes them.
struct Layout {
    key: &'static str,
    /// The index, if the table has one: its name and its key.
    index: Option<(&'static str, &'static str)>,
}

impl Table {
    fn layout(self) -> Layout {
        match self {
            Self::Authorizers => Layout {
                key: "authorizer_appid (S), component_appid (S)",
                index: Some(("refresh-due", "refresh_shard (N), refresh_at (N)")),
            },
            Self::Platform => {
                Layout { key: "pk (S)", index: Some(("pending", "pending (S), pending_at (N)")) }
            }
            Self::Pushes => Layout { key: "digest (S)", index: None },
        }
    }

    /// The attribute by which DynamoDB deletes items; none for the records, which nothing ever deletes.
    pub(crate) fn time_to_live(self) -> Option<&'static str> {
        match self {
            Self::Authorizers => None,
            Self::Platform | Self::Pushes => Some("expires_at"),
        }
    }
}

impl Store {
    /// The table's name.
    pub(crate) fn name(&self, table: Table) -> &str {
        match table {
            Table::Authorizers => &self.authorizers_table,
            Table::Platform => &self.platform_table,
            Table::Pushes => &self.pushes_table,
        }
    }

    /// What of the table and its index is not as the code needs it, in words; empty if all is.
    pub(crate) async fn differences(&self, table: Table) -> Result<Vec<String>, StoreError> {
        let output = self
            .client
            .describe_table()
            .table_name(self.name(table))
            .send()
            .await
            .map_err(|error| StoreError::of("describe the table", &error))?;
        Ok(output.table.map_or_else(
            || vec!["DynamoDB does not describe it".to_owned()],
            |description| differences(&description, &table.layout()),
        ))
    }

    /// The attribute by which DynamoDB deletes the table's items, if it does.
    pub(crate) async fn time_to_live(&self, table: Table) -> Result<Option<String>, StoreError> {
        let output = self
            .client
            .describe_time_to_live()
            .table_name(self.name(table))
            .send()
            .await
            .map_err(|error| StoreError::of("describe the time to live", &error))?;
        let description = output.time_to_live_description.filter(|description| {
            let status = description.time_to_live_status.as_ref();
            matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
        });
        Ok(description.and_then(|description| description.attribute_name))
    }

    /// Whether the table can be restored as it was at any moment of the last weeks.
    pub(crate) async fn has_point_in_time_recovery(&self, table: Table) -> Result<bool, StoreError> {
        let output = self
            .client
            .describe_continuous_backups()
            .table_name(self.name(table))
            .send()
            .await
            .map_err(|error| StoreError::of("describe the backups", &error))?;
        let backups = output.continuous_backups_description;
        let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(status == Some(PointInTimeRecoveryStatus::Enabled))
    }
}

fn differences(description: &TableDescription, expected: &Layout) -> Vec<String> {
    let mut differences = Vec::new();
    let types = description.attribute_definitions();
    // A table that is being updated works as before.
    let usable = [TableStatus::Active, TableStatus::Updating];
    if let Some(status) = description.table_status().filter(|status| !usable.contains(status)) {
        differences.push(format!("the table is {status}"));
    }
    let found = key(description.key_schema(), types);
    if found != expected.key {
        differences.push(format!("its key is {found} and not {}", expected.key));
    }
    let Some((name, index_key)) = expected.index else { return differences };
    let indexes = description.global_secondary_indexes();
    let Some(index) = indexes.iter().find(|index| index.index_name() == Some(name)) else {
        differences.push(format!("it has no index {name}"));
        return differences;
    };
    let usable = [IndexStatus::Active, IndexStatus::Updating];
    if let Some(status) = index.index_status().filter(|status| !usable.contains(status)) {
        differences.push(format!("the index {name} is {status}"));
    }
    let found = key(index.key_schema(), types);
    if found != index_key {
        differences.push(format!("the key of {name} is {found} and not {index_key}"));
    }
    differences
}

/// `pk (S)`: the partition key, then the sort key, with their types.
fn key(schema: &[KeySchemaElement], types: &[AttributeDefinition]) -> String {
    let mut elements: Vec<_> = schema.iter().collect();
    elements.sort_by_key(|element| element.key_type != KeyType::Hash);
    let words = elements.iter().map(|element| {
        let name = &element.attribute_name;
        let defined = types.iter().find(|defined| defined.attribute_name == *name);
        format!("{name} ({})", defined.map_or("?", |defined| defined.attribute_type.as_str()))
    });
    words.collect::<Vec<_>>().join(", ")
}
