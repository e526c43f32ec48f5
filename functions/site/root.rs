//! `GET /`: the name, version and addresses of the studio.

use serde::Serialize;
use shared::Result;
use shared::http::Answer;
use utoipa::ToSchema;

/// The studio.
#[derive(Serialize, ToSchema)]
struct Studio {
    #[schema(example = "AI Chat Studio")]
    name: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Always `running`.
    #[schema(example = "running")]
    status: &'static str,
    endpoints: Endpoints,
}

/// The addresses of the parts of the API.
#[derive(Serialize, ToSchema)]
struct Endpoints {
    #[schema(example = "/api/auth")]
    auth: &'static str,
    #[schema(example = "/api/chat")]
    chat: &'static str,
    #[schema(example = "/api/conversations")]
    conversations: &'static str,
    #[schema(example = "/ws/{user_id}")]
    websocket: &'static str,
    #[schema(example = "/docs")]
    docs: &'static str,
}

/// Read the name and version of the studio
///
/// And the addresses of the parts of the API.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "read_root",
    tag = "studio",
    responses((status = 200, description = "The name, version and addresses of the studio.", body = Studio)),
    security()
)]
pub(super) fn handle() -> Result<Answer> {
    Answer::ok(&Studio {
        name: "AI Chat Studio",
        version: env!("CARGO_PKG_VERSION"),
        status: "running",
        endpoints: Endpoints {
            auth: "/api/auth",
            chat: "/api/chat",
            conversations: "/api/conversations",
            websocket: "/ws/{user_id}",
            docs: "/docs",
        },
    })
}
