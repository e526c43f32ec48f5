//! `GET /`: what this is, and where its parts are.

use serde_json::json;
use shared::Result;
use shared::http::Answer;

pub(super) fn handle() -> Result<Answer> {
    Answer::ok(&json!({
        "name": "AI Chat Studio",
        "version": env!("CARGO_PKG_VERSION"),
        "status": "running",
        "endpoints": {
            "auth": "/api/auth",
            "chat": "/api/chat",
            "conversations": "/api/conversations",
            "websocket": "/ws/{user_id}",
            "docs": "/docs",
        },
    }))
}
