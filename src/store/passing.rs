//! What DynamoDB refuses now and would not refuse in a moment.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use serde_json::Value;

/// The refusals that the SDK takes for final: another transaction is writing the item, or the signature is too old,
/// because the process was frozen or the clock was wrong when the request was signed. Each try is signed anew.
const PASSING: [&str; 4] = [
    "InvalidSignatureException",
    "RequestTimeTooSkewed",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Why a part of a cancelled transaction may be tried again.
const PASSING_REASONS: [&str; 3] =
    ["ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"];

/// Has the SDK try again where only the moment was wrong. The request, and with it the token of a transaction, stays the
/// same.
#[derive(Debug)]
pub(super) struct Passing;

impl ClassifyRetry for Passing {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let refusal = context.response().filter(|response| !response.status().is_success());
        let body = refusal.and_then(|response| response.body().bytes());
        match body.and_then(|body| serde_json::from_slice(body).ok()) {
            Some(answer) if is_passing(&answer) => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "passing refusals"
    }
}

fn is_passing(answer: &Value) -> bool {
    let code = answer["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default();
    if code != "TransactionCanceledException" {
        return PASSING.contains(&code);
    }
    // A condition that is not true is an answer, whatever the other parts say.
    let reasons = answer["CancellationReasons"].as_array().into_iter().flatten();
    let codes: Vec<&str> = reasons.filter_map(|reason| reason["Code"].as_str()).collect();
    !codes.contains(&"ConditionalCheckFailed") && codes.iter().any(|code| PASSING_REASONS.contains(code))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_of_the_moment_is_told_from_an_answer() {
        let cancelled = |codes: [&str; 2]| {
            let reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
            json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "CancellationReasons": reasons})
        };
        assert!(is_passing(
            &json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException"})
        ));
        assert!(is_passing(&json!({"__type": "com.amazon.coral.service#InvalidSignatureException"})));
        assert!(is_passing(&cancelled(["None", "TransactionConflict"])));
        assert!(!is_passing(&cancelled(["ConditionalCheckFailed", "TransactionConflict"])));
        assert!(!is_passing(&cancelled(["None", "ValidationError"])));
        assert!(!is_passing(&json!({"__type": "x#ConditionalCheckFailedException"})));
        assert!(!is_passing(&json!([])));
    }
}
