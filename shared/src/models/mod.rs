//! The providers of AI models. Each gives a reply as a stream of pieces.

mod anthropic;
mod catalogue;
mod failure;
mod fit;
mod offer;
mod offline;
mod openai;
mod settings;
mod speech;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::Client;
use reqwest::redirect::Policy;

use crate::domain::usage::estimated_tokens;
use crate::domain::{Content, GenerationParams, ModelName, Role, Usage};
use crate::tls;

pub use catalogue::{Capability, Catalogue, Entry, Price, Provider};
pub use failure::{Failure, FailureKind};
pub use fit::{Fitted, fit};
pub use offer::{NotOnOffer, Offer};
pub use offline::Offline;
pub use settings::{Account, ApiKey, BaseUrl, Settings};

/// How long a connection to a provider may take to come about.
const CONNECT: Duration = Duration::from_secs(3);

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The model to ask.
    pub model: ModelName,
    /// The conversation so far, oldest first.
    pub messages: Vec<Said>,
    /// How the reply is generated.
    pub params: GenerationParams,
}

impl Question {
    /// What is said in it. Blank messages, as replies that failed leave them, are none: most providers refuse them.
    pub(super) fn said(&self) -> impl Iterator<Item = &Said> {
        self.messages.iter().filter(|said| !said.content.is_blank())
    }

    /// Roughly how many tokens a model reads.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        self.said().map(|said| estimated_tokens(said.content.as_str())).sum()
    }

    /// The most tokens that this model may write.
    fn max_tokens_of(&self, entry: &Entry) -> u32 {
        entry.max_tokens_of_reply(self.params).min(entry.max_output)
    }

    /// As much of it as this model has room for, and how many messages that leaves out.
    fn fitted_to(&self, entry: &Entry) -> (Self, usize) {
        let Fitted { messages, left_out, params } = fit(self.messages.clone(), entry, self.params);
        (Self { messages, params, ..self.clone() }, left_out)
    }
}

/// One message of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A provider is asked, and may charge for the question from now on.
    Asked,
    /// It refused, or was not reached: what was asked so far is free.
    Refused,
    /// Another model answers than the one that was asked.
    Model {
        /// Which.
        id: ModelName,
        /// How many more of the oldest messages it was not sent, for lack of room.
        left_out: usize,
        /// How many tokens it reads, roughly.
        read: u64,
    },
    /// The next text, never empty: one token, or a few.
    Text {
        /// The text.
        text: String,
        /// How many tokens it is, roughly.
        tokens: u64,
    },
    /// What a model thinks before it answers; no part of the reply.
    Reasoning {
        /// The text.
        text: String,
        /// How many tokens it is, roughly.
        tokens: u64,
    },
    /// What the provider has counted so far.
    Counted(Usage),
    /// Nothing more comes, and why.
    End {
        /// Why.
        finish: Finish,
        /// What the provider has counted, if it counted all of the output.
        usage: Option<Usage>,
    },
    /// Nothing more comes, though something should.
    Failed(Failure),
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model said all it had to say.
    Stop,
    /// The most tokens were reached.
    Length,
    /// The provider's rules forbid the rest.
    Filtered,
}

/// A reply as it comes. The last piece is [`Piece::End`] or [`Piece::Failed`]. Dropping it ends the request.
pub type Pieces = BoxStream<'static, Piece>;

/// All providers. Cloning it is cheap.
#[derive(Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

struct Inner {
    offline: Offline,
    client: Client,
    openai: Option<Account>,
    anthropic: Option<Account>,
    offer: Offer,
}

impl Models {
    /// The models that can be asked with these settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn connect(settings: Settings) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let Settings { offline_pause, openai, anthropic, offer } = settings;
        let offline = Offline::new(offline_pause);
        Ok(Self { inner: Arc::new(Inner { offline, client: client()?, openai, anthropic, offer }) })
    }

    /// Which models there are.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.inner.offer
    }

    /// Asks the model that `question` names; should it not begin, the fallback.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Pieces {
        let Ok(entry) = self.inner.offer.find(&question.model) else {
            let failure = Failure::from(FailureKind::Misconfigured);
            return Box::pin(stream::iter([Piece::Failed(failure)]));
        };
        if entry.provider == Provider::Offline {
            return self.inner.offline.ask(question);
        }
        let fallback = self.inner.offer.fallback_of(&entry);
        let fallback = fallback.map(|entry| {
            let (question, left_out) = question.fitted_to(&entry);
            let model = Piece::Model { id: entry.id.clone(), left_out, read: question.estimated_tokens() };
            self.inner.asking(entry, question, Some(model))
        });
        let first = self.inner.asking(entry, question.clone(), None);
        transport::retry_policy::first_to_begin([Some(first), fallback].into_iter().flatten().collect())
    }
}

impl Inner {
    /// Asks one model whenever it is called. What is `announced` comes before the model's pieces.
    fn asking(
        self: &Arc<Self>,
        entry: Entry,
        question: Question,
        announced: Option<Piece>,
    ) -> impl Fn() -> Pieces + Send + Sync + use<> {
        let inner = Arc::clone(self);
        move || {
            let pieces = inner.ask(&entry, &question);
            Box::pin(stream::iter(announced.clone()).chain(pieces))
        }
    }

    /// Asks one model once.
    fn ask(&self, entry: &Entry, question: &Question) -> Pieces {
        match (entry.provider, &self.openai, &self.anthropic) {
            (Provider::OpenAi, Some(account), _) => {
                let request = openai::request(&self.client, account, entry, question);
                transport::stream::read(request, openai::Chunks::default(), entry.patience())
            }
            (Provider::Anthropic, _, Some(account)) => {
                let request = anthropic::request(&self.client, account, entry, question);
                transport::stream::read(request, anthropic::Messages::default(), entry.patience())
            }
            _ => self.offline.ask(question),
        }
    }
}

/// A client that follows nobody elsewhere.
fn client() -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client_config()?)
        .connect_timeout(CONNECT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy();
    Ok(client.build()?)
}
