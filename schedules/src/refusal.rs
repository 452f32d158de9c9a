//! The answers of faults that answer.

use serde_json::{Value, json};

use crate::fault::{Fault, Side};
use crate::wire::{Reply, Request};

/// What the server of `request` answers in place of its work.
pub fn of(request: &Request, fault: Fault) -> Reply {
    match (request.side, fault) {
        (Side::WeChat, Fault::Refused(errcode)) => errcode_answer(errcode),
        (Side::WeChat, _) => Reply {
            status: 500,
            content_type: "text/html".to_owned(),
            body: b"<html>internal error</html>".to_vec(),
        },
        (Side::DynamoDb, Fault::Throttled) => exception(400, "ProvisionedThroughputExceededException", ""),
        (Side::DynamoDb, Fault::SignatureExpired) => exception(
            400,
            "InvalidSignatureException",
            "Signature expired: 20330518T040000Z is now earlier than 20330518T040500Z",
        ),
        (Side::DynamoDb, Fault::Conflict) => conflict(request),
        (Side::DynamoDb, _) => exception(500, "InternalServerError", ""),
    }
}

/// WeChat's way of failing: status 200 and an errcode.
fn errcode_answer(errcode: i64) -> Reply {
    let address = if errcode == 61004 { " requestIP: 203.0.113.7" } else { "" };
    let errmsg = format!("refused on demand{address} rid: 5a4db0c0-5a4db0c0-5a4db0c0");
    Reply {
        status: 200,
        content_type: "text/plain".to_owned(),
        body: json!({"errcode": errcode, "errmsg": errmsg}).to_string().into_bytes(),
    }
}

/// A transaction says of each of its writes why it was not made, a single write only that it was not.
fn conflict(request: &Request) -> Reply {
    if request.operation != "TransactWriteItems" {
        return exception(400, "TransactionConflictException", "Transaction is ongoing for the item");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let writes = body["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); writes];
    reasons[0] = json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]",
        "CancellationReasons": reasons,
    });
    json_answer(400, &body)
}

fn exception(status: u16, name: &str, message: &str) -> Reply {
    let space = if name == "InvalidSignatureException" {
        "com.amazon.coral.service"
    } else {
        "com.amazonaws.dynamodb.v20120810"
    };
    json_answer(status, &json!({"__type": format!("{space}#{name}"), "message": message}))
}

fn json_answer(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        content_type: "application/x-amz-json-1.0".to_owned(),
        body: body.to_string().into_bytes(),
    }
}
