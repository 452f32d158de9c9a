//! What is found of the tables.

use sandbox::Fault;
use serde_json::json;

use crate::scene::{Scene, assert_logged};

#[tokio::test]
async fn a_table_without_its_index_and_its_time_to_live_is_found() {
    let scene = Scene::new().await;
    let table = format!("bare-{}", scene.appid);
    let definition = json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    });
    scene.dynamodb.call("CreateTable", definition).await;
    let report = scene.report(&scene.with("PLATFORM_TABLE", &table)).await;
    report.assert_finds("platform_table", "it has no index pending", "deployment");
    report.assert_finds(
        "time_to_live",
        &format!("{table} has none and not expires_at"),
        "expires_at on the platform table",
    );
    assert_logged(&["\"level\":\"WARN\"", "\"check\":\"platform_table\"", &table]);
}

#[tokio::test]
async fn a_table_that_is_another_ones_is_found() {
    let scene = Scene::new().await;
    let report = scene.report(&scene.with("AUTHORIZERS_TABLE", &scene.dynamodb.platform_table)).await;
    let keys = "its key is pk (S) and not authorizer_appid (S), component_appid (S)";
    report.assert_finds("authorizers_table", keys, "another one's");
    report.assert_finds("authorizers_table", "it has no index refresh-due", "");
    report.assert_finds("time_to_live", "has expires_at and not none", "or records are lost");
}

#[tokio::test]
async fn tables_that_are_not_there_or_may_not_be_described_are_told_apart() {
    let scene = Scene::new().await;
    let report = scene.report(&scene.with("PLATFORM_TABLE", "nowhere")).await;
    report.assert_finds("platform_table", "ResourceNotFoundException", "PLATFORM_TABLE");
    report.assert_finds("ticket", "ResourceNotFoundException", "fix platform_table first");
    report.assert_finds("component_token", "ResourceNotFoundException", "fix platform_table first");
    scene.dynamodb.on("DescribeTable").always(Fault::exception(400, "AccessDeniedException"));
    let report = scene.report(&scene.with_gateway().await).await;
    report.assert_finds("authorizers_table", "AccessDeniedException", "dynamodb:DescribeTable");
    assert_eq!(
        report.failed(),
        ["authorizers_table", "platform_table", "pushes_table"],
        "what they hold is read all the same"
    );
}

#[tokio::test]
async fn tables_without_backups_are_found() {
    let scene = Scene::new().await;
    let backups = |status: &str| {
        Fault::json(json!({"ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status},
        }}))
    };
    let describe = scene.dynamodb.on("DescribeContinuousBackups");
    describe.times(2, backups("ENABLED"));
    describe.times(2, backups("DISABLED"));
    describe.once(Fault::exception(400, "UnknownOperationException"));
    let sandbox = scene.with_gateway().await;
    scene.report(&sandbox).await.assert_ok("point_in_time_recovery", "on for both tables");
    let report = scene.report(&sandbox).await;
    let off = format!("off for {} and {}", scene.dynamodb.authorizers_table, scene.dynamodb.platform_table);
    report.assert_finds("point_in_time_recovery", &off, "turn it on");
    scene.report(&sandbox).await.assert_ok("point_in_time_recovery", "could not be read");
}
