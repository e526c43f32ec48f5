//! The start of a turn: checks the request, reserves the cost, and stores the user's message and the pending reply.

use std::sync::Arc;

use super::title_text::title_of;
use crate::clock;
use crate::domain::usage::{Budget, Spending, estimated_tokens};
use crate::domain::{
    Charge, ConversationId, Follows, GenerationParams, Held, MessageId, ModelName, Prompt, ReplyPlace,
    Reservation, Usage, User, UserId,
};
use crate::error::{Code, Error, Result};
use crate::models::{Entry, Offer, Question};
use crate::store::{Granted, Lease, LooseTurn, Raised, Regeneration, StartedTurn, Store, StoredTurn};

/// A request to start a turn.
#[derive(Debug)]
pub struct TurnRequest {
    /// The user's message.
    pub content: Prompt,
    /// The id that the client chose for the user's message.
    pub id: Option<MessageId>,
    /// The conversation in which the turn is stored. `None` for a turn outside of any conversation.
    pub conversation: Option<ConversationId>,
    /// Where the message goes in the conversation.
    pub follows: Follows,
    /// The model to ask. `None` for the conversation's model.
    pub model: Option<ModelName>,
    /// The generation parameters of the reply.
    pub params: GenerationParams,
}

/// A request for another reply to the message that an existing reply answers.
#[derive(Debug)]
pub struct RegenerateRequest {
    /// The conversation.
    pub conversation: ConversationId,
    /// The existing reply.
    pub message: MessageId,
    /// The model to ask. `None` for the model that made the existing reply.
    pub model: Option<ModelName>,
    /// The generation parameters of the new reply.
    pub params: GenerationParams,
}

/// What users may spend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// False while the operator has switched models off.
    pub models_enabled: bool,
    /// The budget of a user whose own record names none.
    pub budget: Budget,
}

/// Starts turns, and accounts for what replies cost. Cloning it is cheap.
#[derive(Clone)]
pub struct Turns {
    store: Store,
    offer: Offer,
    limits: Limits,
}

impl Turns {
    /// Starts turns in `store` with the models of `offer`, within `limits`.
    #[must_use]
    pub fn new(store: Store, offer: Offer, limits: Limits) -> Self {
        Self { store, offer, limits }
    }

    /// Stores a turn and its pending reply, and reserves the cost.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::UnknownModel`], [`Code::ReplyRunning`], [`Code::LimitReached`],
    /// [`Code::TooManyReplies`] or [`Code::ModelsOff`].
    pub async fn start(&self, user: &Arc<User>, request: TurnRequest) -> Result<StartedTurn> {
        if request.id.as_ref().is_some_and(|id| id.number().is_some()) {
            return Err(Error::invalid_field(
                "id",
                "must not have the form of the ids that the server makes",
            ));
        }
        let prompt_tokens = estimated_tokens(request.content.as_str());
        let terms =
            |model: &ModelName, past: u64| self.terms(user, model, past + prompt_tokens, request.params);
        let (store, now) = (&self.store, clock::now());
        let model = request.model.map(|model| self.offer.find(&model)).transpose()?.map(|entry| entry.id);
        let default_model = self.offer.default_model().clone();
        let Some(conversation) = request.conversation else {
            let model = model.unwrap_or(default_model);
            let granted = terms(&model, 0)?;
            let turn = LooseTurn { content: request.content.into(), model };
            // The reply belongs to no conversation, so the number in its id has no meaning.
            let id = MessageId::new(clock::new_ulid(), 0);
            return store.start_loose_turn(user.id, &turn, &granted, id, now).await.map(StartedTurn::New);
        };
        let turn = StoredTurn {
            conversation,
            client_id: request.id,
            follows: request.follows,
            title: title_of(&request.content),
            content: request.content.into(),
            model,
            default_model,
        };
        // Boxed, because the future is large and each handler of a turn would contain it.
        Box::pin(store.start_turn(user.id, &turn, &terms, [clock::new_ulid(), clock::new_ulid()], now)).await
    }

    /// Stores another pending reply to the message that an existing reply answers, and reserves the cost.
    ///
    /// # Errors
    /// As [`Self::start`], or [`Code::NotFound`].
    pub async fn regenerate(&self, user: &Arc<User>, request: RegenerateRequest) -> Result<ReplyPlace> {
        let RegenerateRequest { conversation, message, model, params } = request;
        let terms = |model: &ModelName, past: u64| self.terms(user, model, past, params);
        let wanted = Regeneration { conversation, message, model };
        self.store.start_regeneration(user.id, &wanted, &terms, clock::new_ulid(), clock::now()).await
    }

    /// What `user` may spend in a day.
    #[must_use]
    pub fn budget_of(&self, user: &User) -> Budget {
        let Budget { tokens, micro_dollars, replies } = self.limits.budget;
        Budget {
            tokens: user.own_budget.tokens.or(tokens),
            micro_dollars: user.own_budget.micro_dollars.or(micro_dollars),
            replies,
        }
    }

    /// What is granted to a reply of `model` that reads `input` tokens: the reservation, and the generation parameters
    /// with the model's defaults.
    fn terms(&self, user: &User, model: &ModelName, input: u64, params: GenerationParams) -> Result<Granted> {
        if !self.limits.models_enabled {
            return Err(Error::new(Code::ModelsOff, "Models are switched off at the moment"));
        }
        let params = params.with_max_tokens(self.offer.find(model)?.max_tokens_of_reply(params));
        let most = self.max_cost(model, input, params)?;
        Ok(Granted { reservation: Reservation { most, budget: self.budget_of(user) }, params })
    }

    /// The highest cost of a reply of `model` that reads `input` tokens.
    fn max_cost(&self, model: &ModelName, input: u64, params: GenerationParams) -> Result<Spending> {
        let entry = self.offer.find(model)?;
        let input = input.min(entry.context_window);
        let output = u64::from(entry.max_tokens_of_reply(params).min(entry.max_output));
        let usage = Usage { input, output, ..Usage::default() };
        // The fallback model may answer instead, and may cost more.
        let fallback = self.offer.fallback_of(&entry).map_or(0, |fallback| fallback.price.of(&usage));
        let micro_dollars = entry.price.of(&usage).max(fallback);
        Ok(Spending { tokens: usage.total(), micro_dollars })
    }

    /// Raises the reservation of a stored reply to the highest cost of `question`, which is known only now.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached.
    pub(super) async fn raise(&self, lease: &mut Lease, question: &Question) -> Result<Raised> {
        let most = self.max_cost(&question.model, question.estimated_tokens(), question.params)?;
        if lease.holds(most) {
            return Ok(Raised::Held);
        }
        let Some(user) = self.store.find_user(lease.place.user).await? else { return Ok(Raised::Lost) };
        let wanted = Reservation { most, budget: self.budget_of(&user) };
        self.store.raise_reservation(lease, &wanted, clock::now()).await
    }

    /// Reserves the highest cost of a question whose reply is not stored.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn reserve(&self, user: &Arc<User>, question: &Question) -> Result<Held> {
        let input = question.estimated_tokens();
        let Granted { reservation, .. } = self.terms(user, &question.model, input, question.params)?;
        self.store.reserve(user.id, &reservation, clock::now()).await
    }

    /// Settles a reservation of [`Self::reserve`]: books `charge`, and releases the rest.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached. The reservation then ends with the day.
    pub async fn settle(&self, user: UserId, held: &Held, charge: Option<&Charge>) -> Result<()> {
        self.store.settle(user, held, charge).await
    }
}

/// What `usage` of a model costs. All names that the offline model answers to are booked under its own name.
#[must_use]
pub(super) fn charge_of(offer: &Offer, model: &ModelName, usage: Usage) -> Charge {
    let entry = offer.find(model).ok();
    let micro_dollars = entry.as_ref().map_or(0, |entry| entry.price.of(&usage));
    let model = entry.map_or_else(Entry::offline_name, |entry| entry.ledger_name());
    Charge { model, usage, micro_dollars }
}
