//! The beginning of a turn, wherever it comes from: what is asked for is checked, its cost reserved, and all of it stored.

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

/// What a user wishes for.
#[derive(Debug)]
pub struct Wish {
    /// What the user says.
    pub content: Prompt,
    /// The id that the client made for it.
    pub id: Option<MessageId>,
    /// Where the turn is stored; nowhere without it.
    pub conversation: Option<ConversationId>,
    /// Where it goes in the conversation.
    pub follows: Follows,
    /// The model to ask.
    pub model: Option<ModelName>,
    /// How the reply is generated.
    pub params: GenerationParams,
}

/// Another reply that a user wishes for, beside one that is there.
#[derive(Debug)]
pub struct Again {
    /// Where the reply stands.
    pub conversation: ConversationId,
    /// The reply that is there.
    pub message: MessageId,
    /// The model to ask; without one, the one that made the reply.
    pub model: Option<ModelName>,
    /// How the new reply is generated.
    pub params: GenerationParams,
}

/// What users may spend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whether models are asked at all.
    pub models_enabled: bool,
    /// What each user may spend, unless the user's own item says otherwise.
    pub budget: Budget,
}

/// Begins turns.
#[derive(Clone)]
pub struct Turns {
    store: Store,
    offer: Offer,
    limits: Limits,
}

impl Turns {
    /// Over these.
    #[must_use]
    pub fn new(store: Store, offer: Offer, limits: Limits) -> Self {
        Self { store, offer, limits }
    }

    /// Stores a turn with the place of its reply.
    ///
    /// # Errors
    /// What is wrong with the wish; [`Code::ReplyRunning`]; [`Code::LimitReached`] and [`Code::TooManyReplies`];
    /// [`Code::ModelsOff`].
    pub async fn start(&self, user: &Arc<User>, wish: Wish) -> Result<StartedTurn> {
        if wish.id.as_ref().is_some_and(|id| id.number().is_some()) {
            return Err(Error::invalid_field(
                "id",
                "must not have the form of the ids that the server makes",
            ));
        }
        let said = estimated_tokens(wish.content.as_str());
        let terms = |model: &ModelName, past: u64| self.terms(user, model, past + said, wish.params);
        let (store, now) = (&self.store, clock::now());
        let model = wish.model.map(|model| self.offer.find(&model)).transpose()?.map(|entry| entry.id);
        let default_model = self.offer.default_model().clone();
        let Some(conversation) = wish.conversation else {
            let model = model.unwrap_or(default_model);
            let granted = terms(&model, 0)?;
            let turn = LooseTurn { content: wish.content.into(), model };
            // It belongs to no conversation, so its number means nothing.
            let id = MessageId::new(clock::new_ulid(), 0);
            return store.start_loose_turn(user.id, &turn, &granted, id, now).await.map(StartedTurn::New);
        };
        let turn = StoredTurn {
            conversation,
            client_id: wish.id,
            follows: wish.follows,
            title: title_of(&wish.content),
            content: wish.content.into(),
            model,
            default_model,
        };
        store.start_turn(user.id, &turn, &terms, [clock::new_ulid(), clock::new_ulid()], now).await
    }

    /// Stores the place of another reply beside one that is there.
    ///
    /// # Errors
    /// As [`Self::start`]; [`Code::NotFound`].
    pub async fn regenerate(&self, user: &Arc<User>, again: Again) -> Result<ReplyPlace> {
        let Again { conversation, message, model, params } = again;
        let terms = |model: &ModelName, past: u64| self.terms(user, model, past, params);
        let wanted = Regeneration { conversation, message, model };
        self.store.start_regeneration(user.id, &wanted, &terms, clock::new_ulid(), clock::now()).await
    }

    /// What user `user` may spend in a day.
    #[must_use]
    pub fn budget_of(&self, user: &User) -> Budget {
        let Budget { tokens, micro_dollars, replies } = self.limits.budget;
        Budget {
            tokens: user.own_budget.tokens.or(tokens),
            micro_dollars: user.own_budget.micro_dollars.or(micro_dollars),
            replies,
        }
    }

    /// What a reply of this model to so many tokens may use, and how long it may become.
    fn terms(&self, user: &User, model: &ModelName, read: u64, params: GenerationParams) -> Result<Granted> {
        if !self.limits.models_enabled {
            return Err(Error::new(Code::ModelsOff, "Models are switched off at the moment"));
        }
        let params = params.with_max_tokens(self.offer.find(model)?.max_tokens_of_reply(params));
        let most = self.most(model, read, params)?;
        Ok(Granted { reservation: Reservation { most, budget: self.budget_of(user) }, params })
    }

    /// What a reply of this model to so many tokens uses at most.
    fn most(&self, model: &ModelName, read: u64, params: GenerationParams) -> Result<Spending> {
        let entry = self.offer.find(model)?;
        let input = read.min(entry.context_window);
        let output = u64::from(entry.max_tokens_of_reply(params).min(entry.max_output));
        let usage = Usage { input, output, ..Usage::default() };
        // Whichever of the two answers in the end.
        let fallback = self.offer.fallback_of(&entry).map_or(0, |fallback| fallback.price.of(&usage));
        let micro_dollars = entry.price.of(&usage).max(fallback);
        Ok(Spending { tokens: usage.total(), micro_dollars })
    }

    /// Sees to it that what a stored question takes is reserved, now that it is known in full.
    ///
    /// # Errors
    /// When DynamoDB is out of reach.
    pub(super) async fn raise(&self, lease: &mut Lease, question: &Question) -> Result<Raised> {
        let most = self.most(&question.model, question.estimated_tokens(), question.params)?;
        if lease.holds(most) {
            return Ok(Raised::Held);
        }
        let Some(user) = self.store.find_user(lease.place.user).await? else { return Ok(Raised::Lost) };
        let wanted = Reservation { most, budget: self.budget_of(&user) };
        self.store.raise_reservation(lease, &wanted, clock::now()).await
    }

    /// Reserves for a question whose reply is stored nowhere.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn reserve(&self, user: &Arc<User>, question: &Question) -> Result<Held> {
        let read = question.estimated_tokens();
        let Granted { reservation, .. } = self.terms(user, &question.model, read, question.params)?;
        self.store.reserve(user.id, &reservation, clock::now()).await
    }

    /// Settles what was reserved by [`Self::reserve`].
    ///
    /// # Errors
    /// When DynamoDB is out of reach; the reservation then comes back with the day's end.
    pub async fn settle(&self, user: UserId, held: &Held, charge: Option<&Charge>) -> Result<()> {
        self.store.settle(user, held, charge).await
    }
}

/// What `usage` of a model comes to. All names that the offline model answers to are booked on it.
#[must_use]
pub(super) fn charge(offer: &Offer, model: &ModelName, usage: Usage) -> Charge {
    let entry = offer.find(model).ok();
    let micro_dollars = entry.as_ref().map_or(0, |entry| entry.price.of(&usage));
    let model = entry.map_or_else(Entry::offline_name, |entry| entry.ledger_name());
    Charge { model, usage, micro_dollars }
}
