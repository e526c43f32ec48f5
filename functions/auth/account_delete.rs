//! `DELETE /api/auth/me`: deletes the caller's account. It is gone at once; all it owns follows.

use shared::Result;
use shared::accounts::Task;
use shared::http::{Answer, Request};

use super::guess::confirm;
use super::totp_enrol::WithPassword;
use super::{Auth, Done};

pub(super) async fn handle(auth: &Auth, request: &Request) -> Result<Answer> {
    let (caller, _) = auth.person(request).await?;
    let body: WithPassword = request.json()?;
    let user = auth.user(caller.user).await?;
    confirm(auth, &user, body.password).await?;
    // First of all, so that the account cannot be nobody's with nobody to clear it away. The task waits for it.
    auth.handover.hand_over(&Task::DeleteAccount { user: user.id }).await?;
    auth.base.store.begin_departure(&user).await?;
    auth.push.close_where(user.id, |_| true).await?;
    Answer::ok(&Done { message: "The account is deleted" })
}
