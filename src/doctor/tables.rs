//! The tables: that they are there, and what they must have.

use futures_util::future::join_all;

use super::{Check, bounded};
use crate::deadline::Deadline;
use crate::store::{Store, StoreError, Table};

/// A check of each table, of its time to live, and of its backups.
pub(super) async fn checks(store: &Store, deadline: Deadline) -> Vec<Check> {
    let (layouts, lives, backups) = tokio::join!(
        join_all([
            bounded("authorizers_table", deadline, layout("authorizers_table", store, Table::Authorizers)),
            bounded("platform_table", deadline, layout("platform_table", store, Table::Platform)),
            bounded("pushes_table", deadline, layout("pushes_table", store, Table::Pushes)),
        ]),
        bounded("time_to_live", deadline, time_to_live(store)),
        bounded("point_in_time_recovery", deadline, point_in_time_recovery(store)),
    );
    layouts.into_iter().chain([lives, backups]).collect()
}

async fn layout(name: &'static str, store: &Store, table: Table) -> Check {
    let table_name = store.name(table);
    match store.differences(table).await {
        Ok(differences) if differences.is_empty() => {
            Check::good(name, format!("{table_name} is active, with its keys"))
        }
        Ok(differences) => Check::bad(
            name,
            format!("{table_name}: {}", differences.join("; ")),
            "compare the table with the template's: an index is added by a deployment and becomes ACTIVE some \
             minutes later; a key cannot be changed, so such a table is another one's",
        ),
        Err(error) => failed(name, &error),
    }
}

/// The platform's items and the pushes go when they are over; the records never do.
async fn time_to_live(store: &Store) -> Check {
    let name = "time_to_live";
    let mut wrong = Vec::new();
    for table in [Table::Authorizers, Table::Platform, Table::Pushes] {
        match store.time_to_live(table).await {
            Ok(found) if found.as_deref() == table.time_to_live() => {}
            Ok(found) => wrong.push(format!(
                "{} has {} and not {}",
                store.name(table),
                found.as_deref().unwrap_or("none"),
                table.time_to_live().unwrap_or("none")
            )),
            Err(error) => return failed(name, &error),
        }
    }
    if wrong.is_empty() {
        return Check::good(
            name,
            "items of the platform table and of the pushes table are deleted by expires_at, records never",
        );
    }
    let fix = "set the time to live as the template does: expires_at on the platform table and the pushes table; none on \
               the authorizers table, or records are lost";
    Check::bad(name, wrong.join("; "), fix)
}

async fn point_in_time_recovery(store: &Store) -> Check {
    let name = "point_in_time_recovery";
    let mut without = Vec::new();
    for table in [Table::Authorizers, Table::Platform] {
        match store.has_point_in_time_recovery(table).await {
            Ok(true) => {}
            Ok(false) => without.push(store.name(table)),
            // DynamoDB's replacement on a developer's machine has no backups.
            Err(error) if error.code() == "UnknownOperationException" => {
                return Check::good(name, "could not be read: this DynamoDB does not support the call");
            }
            Err(error) => return failed(name, &error),
        }
    }
    if without.is_empty() {
        return Check::good(name, "on for both tables");
    }
    let fix =
        "turn it on, as the template does: if a refresh token is lost, the merchant must authorize again";
    Check::bad(name, format!("off for {}", without.join(" and ")), fix)
}

fn failed(name: &'static str, error: &StoreError) -> Check {
    let fix = match error.code() {
        "AccessDeniedException" => {
            "give the function's role dynamodb:DescribeTable, dynamodb:DescribeTimeToLive and \
             dynamodb:DescribeContinuousBackups on the tables"
        }
        "ResourceNotFoundException" => {
            "check AUTHORIZERS_TABLE, PLATFORM_TABLE, PUSHES_TABLE and the region: the table does not exist"
        }
        _ => "check the network to DynamoDB: a VPC needs a gateway endpoint for it, or a NAT gateway",
    };
    Check::bad(name, error.to_string(), fix)
}
