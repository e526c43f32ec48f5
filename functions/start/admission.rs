//! Authenticating the caller of a request, and counting requests against their limits.

use std::sync::Arc;

use shared::Result;
use shared::auth::{AuthError, Caller, check_allowance};
use shared::domain::{Network, Requester, User};
use shared::http::Request;
use shared::store::Costs;

use super::AppContext;

impl AppContext {
    /// The caller of `request`. A write counts against the user's requests; a request without a valid token counts
    /// against those of its network.
    ///
    /// # Errors
    /// [`shared::error::Code::Unauthenticated`], [`shared::error::Code::RateLimited`].
    pub async fn caller(&self, request: &Request) -> Result<Caller> {
        let (caller, _) = self.admit(request).await?;
        Ok(caller)
    }

    /// The caller of `request`, and their user as read in the last four seconds.
    ///
    /// # Errors
    /// Why the caller is not authenticated, as an [`AuthError`].
    pub async fn admit(&self, request: &Request) -> Result<(Caller, Arc<User>), AuthError> {
        let admitted = match request.bearer() {
            Ok(token) => self.authenticator.admit(token).await,
            Err(error) => Err(AuthError::Failed(error)),
        };
        self.count_admission(request, admitted).await
    }

    /// The caller of `request`, and their user as read for this request: see
    /// [`shared::auth::Authenticator::admit_now`].
    ///
    /// # Errors
    /// Why the caller is not authenticated, as an [`AuthError`].
    pub async fn admit_now(&self, request: &Request) -> Result<(Caller, Arc<User>), AuthError> {
        let admitted = match request.bearer() {
            Ok(token) => self.authenticator.admit_now(token).await,
            Err(error) => Err(AuthError::Failed(error)),
        };
        self.count_admission(request, admitted).await
    }

    /// Counts a write against its user, and a request that was not admitted against its network.
    async fn count_admission(
        &self,
        request: &Request,
        admitted: Result<(Caller, Arc<User>), AuthError>,
    ) -> Result<(Caller, Arc<User>), AuthError> {
        if let Ok((caller, _)) = &admitted {
            Costs::set_user(caller.user);
        }
        match &admitted {
            Ok((caller, _)) if request.is_write() => {
                self.count(request, &Requester::User(caller.user)).await.map_err(AuthError::Failed)?;
            }
            Ok(_) => {}
            Err(_) => self.count_anonymous(request).await.map_err(AuthError::Failed)?,
        }
        admitted
    }

    /// Counts a request of an unauthenticated caller against its network.
    ///
    /// # Errors
    /// [`shared::error::Code::RateLimited`].
    pub async fn count_anonymous(&self, request: &Request) -> Result<()> {
        self.count(request, &Requester::Network(Network::of(request.address()))).await
    }

    /// Counts an unauthenticated connect from this address against its network.
    ///
    /// # Errors
    /// [`shared::error::Code::RateLimited`].
    pub async fn count_anonymous_connect(&self, address: &str) -> Result<()> {
        let allowance = self.limiter.count(&Requester::Network(Network::of(address))).await?;
        allowance.as_ref().map_or(Ok(()), check_allowance)
    }

    async fn count(&self, request: &Request, requester: &Requester) -> Result<()> {
        let Some(allowance) = self.limiter.count(requester).await? else { return Ok(()) };
        request.note_allowance(allowance);
        check_allowance(&allowance)
    }
}
