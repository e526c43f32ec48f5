//! `GET /api/models`: lists the models that can be used.

use serde::Serialize;
use shared::Result;
use shared::domain::ModelName;
use shared::http::{Answer, Request};
use shared::models::Entry;
use utoipa::ToSchema;

use super::Chat;

#[derive(Serialize, ToSchema)]
struct ModelList<'a> {
    /// The model that replies if a request names none.
    default: &'a ModelName,
    /// Whether the offline model replies under any other name as well.
    any_name: bool,
    models: Vec<Entry>,
}

/// List models
///
/// Lists the models that can be used, with their abilities and prices.
#[utoipa::path(
    get,
    path = "/api/models",
    operation_id = "list_models",
    tag = "chat",
    responses((status = 200, description = "The models.", body = ModelList<'_>)),
)]
pub(super) async fn handle(chat: &Chat, request: &Request) -> Result<Answer> {
    chat.app.caller(request).await?;
    let offer = chat.models.offer();
    let mut models: Vec<Entry> = offer.entries().cloned().collect();
    let any_name = models.is_empty();
    if any_name {
        models.push(offer.find(offer.default_model())?);
    }
    Answer::ok(&ModelList { default: offer.default_model(), any_name, models })
}
