//! What Envoy is told.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::value::Kind as ValueKind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use envoy_types::pb::google::rpc::Status as RpcStatus;
use threatinsight::{Decision, Verdict};
use threatinsight_access_denied as access_denied;
use tonic::Code;

pub(crate) fn answer(decision: &Decision<'_>, generation: u64) -> CheckResponse {
    let (code, response) = match decision.verdict {
        Verdict::Allow | Verdict::Log => {
            let passed = OkHttpResponse::default();
            (Code::Ok, HttpResponse::OkResponse(passed))
        }
        Verdict::Block => (
            Code::PermissionDenied,
            HttpResponse::DeniedResponse(denied()),
        ),
    };
    CheckResponse {
        status: Some(RpcStatus {
            code: code.into(),
            ..RpcStatus::default()
        }),
        dynamic_metadata: Some(metadata(decision, generation)),
        http_response: Some(response),
    }
}

fn denied() -> DeniedHttpResponse {
    DeniedHttpResponse {
        status: Some(HttpStatus {
            code: access_denied::STATUS.into(),
        }),
        headers: vec![
            header("content-type", access_denied::CONTENT_TYPE),
            header("cache-control", access_denied::CACHE_CONTROL),
        ],
        body: access_denied::body(),
    }
}

fn header(key: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: key.to_owned(),
            value: value.to_owned(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

fn metadata(decision: &Decision<'_>, generation: u64) -> Struct {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the only number of a Struct is a double; generations are far below 2^53"
    )]
    let generation = ValueKind::NumberValue(generation as f64);
    let mut fields = vec![
        (
            "verdict",
            ValueKind::StringValue(decision.verdict.to_string()),
        ),
        (
            "reason",
            ValueKind::StringValue(decision.reason().to_string()),
        ),
        ("generation", generation),
    ];
    if let Some(threat) = &decision.threat {
        let names: Vec<&str> = threat.feeds().collect();
        fields.push(("feed", ValueKind::StringValue(names.join(", "))));
    }
    let fields = fields.into_iter();
    Struct {
        fields: fields
            .map(|(name, kind)| (name.to_owned(), Value { kind: Some(kind) }))
            .collect(),
    }
}
