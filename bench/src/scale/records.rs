//! Records, each like one that `callback` has written.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};

use sandbox::wechat::Account;
use sandbox::{Sandbox, gateway};
use serde_json::{Value, json};

/// What platforms ask for in practice, about.
const PERMISSION_SETS: [i64; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 24, 25, 30, 49];

/// The partitions of the index of due tokens, as `store::REFRESH_SHARDS`.
const SHARDS: u64 = 16;

/// The most that one `BatchWriteItem` takes.
const BATCH: usize = 25;

/// Puts `size` records that became due within the last hour into the table.
pub(crate) async fn fill_with_due(sandbox: &Sandbox, size: usize) -> Result<(), Box<dyn Error>> {
    let (_, record) = granted(sandbox).await?;
    let now = sandbox.clock.now().as_secs();
    put(sandbox, size, |index| {
        let mut record = record.clone();
        let mut hasher = DefaultHasher::new();
        index.hash(&mut hasher);
        // The function's own hash is another one, as even as this.
        record["refresh_shard"] = json!({"N": (hasher.finish() % SHARDS).to_string()});
        record["refresh_at"] = json!({"N": (now - 1 - index as i64 % 3600).to_string()});
        record
    })
    .await
}

/// Lets `size` accounts authorize at WeChat, and puts their records into the table as they should be.
pub(crate) async fn fill_with_authorized(sandbox: &Sandbox, size: usize) -> Result<(), Box<dyn Error>> {
    let (account, record) = granted(sandbox).await?;
    for index in 0..size {
        let appid = sandbox.wechat.add_account(Account { appid: appid(index), ..account.clone() });
        sandbox.wechat.authorize(&appid, &PERMISSION_SETS);
    }
    put(sandbox, size, |_| record.clone()).await
}

fn appid(index: usize) -> String {
    format!("wx{index:016x}")
}

/// Puts the record that `of` makes for each account below `size` into the table.
async fn put(sandbox: &Sandbox, size: usize, of: impl Fn(usize) -> Value) -> Result<(), Box<dyn Error>> {
    let request = |index: usize| {
        let mut record = of(index);
        record["authorizer_appid"] = json!({"S": appid(index)});
        json!({"PutRequest": {"Item": record}})
    };
    // The embedded DynamoDB takes the longer to write the more its stream has, and nobody reads it here.
    let table = &sandbox.dynamodb.authorizers_table;
    let off = json!({"TableName": table, "StreamSpecification": {"StreamEnabled": false}});
    sandbox.dynamodb.call("UpdateTable", off).await;
    let indices: Vec<usize> = (0..size).collect();
    for batch in indices.chunks(BATCH) {
        let puts: Vec<Value> = batch.iter().map(|index| request(*index)).collect();
        let request = json!({"RequestItems": {table: puts}});
        sandbox.dynamodb.call("BatchWriteItem", request).await;
        let done = batch.last().map_or(0, |index| index + 1);
        if done % 1000 == 0 {
            eprint!("\rrecords: {done}/{size}");
        }
    }
    eprintln!("\rrecords: {size}/{size}");
    Ok(())
}

/// Lets `callback` write one record, and takes it out again. With its account.
async fn granted(sandbox: &Sandbox) -> Result<(Account, Value), Box<dyn Error>> {
    let account = Account::official_account("Tea");
    let appid = sandbox.wechat.add_account(account.clone());
    let code = sandbox.wechat.authorize(&appid, &PERMISSION_SETS);
    let answer = sandbox.callback().get(&gateway::redirect(&code)).await;
    if !matches!(answer.status, 200 | 303) {
        return Err(format!("callback should grant, but says {}", answer.status).into());
    }
    let key = json!({
        "authorizer_appid": {"S": appid},
        "component_appid": {"S": sandbox.wechat.component_appid},
    });
    let request = json!({"TableName": sandbox.dynamodb.authorizers_table, "Key": key});
    let record = sandbox.dynamodb.call("GetItem", request).await["Item"].take();
    sandbox.lose_record(&appid).await;
    sandbox.wechat.revoke(&appid);
    Ok((account, record))
}
