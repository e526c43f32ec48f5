//! Providers of AI models. A reply arrives as a stream of pieces, whichever provider makes it.

mod anthropic;
mod catalogue;
mod entry;
mod failure;
mod fit;
mod offer;
mod offline;
mod openai;
mod piece;
mod question;
mod reply_text;
mod settings;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::Client;
use reqwest::redirect::Policy;

use crate::tls;

pub use catalogue::Catalogue;
pub use entry::{Capability, Entry, Price, Provider};
pub use failure::{FailureKind, ModelFailure};
pub use fit::{Fitted, fit};
pub use offer::{NotOnOffer, Offer};
pub use offline::Offline;
pub use piece::{Finish, Piece, Pieces};
pub use question::{PromptMessage, Question};
pub use settings::{BaseUrl, ProviderAccount, ProviderKey, Settings};

/// How long it may take to connect to a provider.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The models of all providers. Cloning it is cheap.
#[derive(Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

struct Inner {
    offline: Offline,
    client: Client,
    openai: Option<ProviderAccount>,
    anthropic: Option<ProviderAccount>,
    offer: Offer,
}

impl Models {
    /// The models that `settings` configure.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn connect(settings: Settings) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let Settings { offline_pause, openai, anthropic, offer } = settings;
        let (offline, client) = (Offline::new(offline_pause), build_client()?);
        Ok(Self { inner: Arc::new(Inner { offline, client, openai, anthropic, offer }) })
    }

    /// The models that clients can ask.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.inner.offer
    }

    /// Asks the model that `question` names. Asks the fallback model if that model fails before its first word.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Pieces {
        let Ok(entry) = self.inner.offer.find(&question.model) else {
            let failure = ModelFailure::from(FailureKind::Misconfigured);
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
        transport::retry_policy::first_to_answer([Some(first), fallback].into_iter().flatten().collect())
    }
}

impl Inner {
    /// A function that asks one model each time it is called. The stream begins with the `announced` piece.
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

    /// Sends one request to one model.
    fn ask(&self, entry: &Entry, question: &Question) -> Pieces {
        match (entry.provider, &self.openai, &self.anthropic) {
            (Provider::OpenAi, Some(account), _) => {
                let request = openai::request(&self.client, account, entry, question);
                transport::stream::read(request, openai::Chunks::default(), entry.timeouts())
            }
            (Provider::Anthropic, _, Some(account)) => {
                let request = anthropic::request(&self.client, account, entry, question);
                transport::stream::read(request, anthropic::MessageEvents::default(), entry.timeouts())
            }
            _ => self.offline.ask(question),
        }
    }
}

/// An HTTP client that follows no redirects, retries nothing and uses no proxy.
fn build_client() -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client_config()?)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy();
    Ok(client.build()?)
}
