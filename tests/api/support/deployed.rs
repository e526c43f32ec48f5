//! A deployed studio in the place of local ones: `STUDIO_URL` and `STUDIO_WS_URL` say where it is. Tests that need more than
//! a client sees keep their local studio, each with its reason.
use std::hash::{BuildHasher as _, RandomState};

/// Where a deployed studio is.
#[derive(Clone)]
pub(crate) struct Deployment {
    /// The base address of the HTTP API.
    pub(crate) url: String,
    /// The address of the WebSocket API.
    pub(crate) ws_url: String,
}

/// Tests (or modules of them) that need a local studio, and why.
const LOCAL: [(&str, &[&str]); 2] = [
    (
        "it lets something go wrong, or looks into the functions",
        &[
            "conversations::any_size::what_an_import_cannot_finish_in_time_goes_on_with_the_same_request",
            "faults::interrupted_writes::",
            "chat::unstored::nothing_of_a_chat_is_stored",
            "accounts::account_deletion::",
            "faults::outages::",
            "accounts::mails::",
            "faults::matrix::",
            "faults::random_operations::",
            "chat::resume::a_long_reply_whose_worker_dies_keeps_its_parts_and_every_connection_is_told",
            "chat::resume::a_reply_that_has_a_dead_worker_and_no_destination_is_ended_by_a_resume",
            "chat::resume::a_connection_that_missed_something_gets_all_there_is_and_the_end",
            "limits::spending::a_reply_that_nobody_makes_any_more_gives_its_place_to_the_next",
            "chat::stop::a_reply_that_nobody_has_begun_is_stopped_at_once",
            "limits::turn_budget::",
            "accounts::api_keys::a_deleted_key_is_refused_within_seconds_and_its_connections_are_closed",
            "accounts::api_keys::a_key_that_is_over_is_refused",
            "accounts::api_keys::of_many_keys_made_at_once_no_more_are_made_than_a_user_may_have",
            "faults::leftovers::",
            "accounts::passwords::",
            "accounts::profile::a_ticket_",
            "sockets::limits::a_ping_costs_no_look_at_the_database",
            "sockets::limits::a_connection_that_takes_longer_is_closed_by_its_own_frame_or_by_one_for_it",
            "sockets::limits::a_connection_whose_token_ended_gets_nothing_and_has_a_minute_for_another_one",
            "faults::repair::",
            "conversations::small_changes::a_lost_answer_of_any_change_does_it_once",
            "sockets::frames::a_connect_with_a_",
            "sockets::frames::an_auth_frame_gives_the_connection_to_its_user",
            "faults::two_devices::",
        ],
    ),
    (
        "it uses fixed names and addresses, or counts all that is there",
        &[
            "accounts::registration::a_registration_or_login_that_breaks_a_rule_is_422_and_names_the_field",
            "accounts::registration::a_taken_username_or_email_is_refused_however_it_is_spelled",
            "accounts::registration::an_unknown_user_and_a_wrong_password_get_the_same_answer",
            "accounts::registration::of_forty_registrations_at_once_with_one_name_or_email_exactly_one_wins",
            "accounts::registration::the_password_of_the_old_documents_works",
            "accounts::registration::whoever_registers_can_log_in_and_read_their_profile",
            "input::bad_input::unknown_fields_are_ignored",
            "deployment::emulator::",
            "deployment::events::",
            "security::guesses::",
            "accounts::api_keys::a_key_is_shown_once_and_taken_wherever_a_token_is",
            "accounts::profile::",
            "accounts::sessions::",
            "sockets::frames::a_connection_can_renew_its_token_but_not_change_its_user",
            "sockets::frames::a_connection_that_closes_is_told_to_the_users_other_connections_only",
            "conversations::statistics::health_counts_users_conversations_and_connections",
            "accounts::second_factor::",
        ],
    ),
];

/// What the emulator of `.ci/deployed.py` does otherwise than AWS, and the tests that see it. Against AWS they run.
const GAPS: [(&str, &[&str]); 5] = [
    (
        "it has none of the limits of size, and takes binary frames",
        &[
            "input::bad_input::a_body_that_is_too_large_is_413",
            "sockets::frames::frames_that_are_too_large_or_binary_close_the_connection",
        ],
    ),
    ("it takes // for /", &["input::bad_input::a_route_that_is_not_there_is_the_gateways_404"]),
    (
        "a body that is no UTF-8 arrives as text",
        &[
            "input::bad_input::what_is_no_json_is_refused_on_every_route",
            "input::bad_requests::what_is_no_json_is_refused_wherever_a_body_is_read",
        ],
    ),
    (
        "it splits a path after it has decoded it",
        &[
            "conversations::storage::ids_with_odd_characters_are_found_in_the_path",
            "chat::turns::a_turn_in_a_new_conversation_creates_it",
        ],
    ),
    (
        "a frame that is no JSON reaches no route",
        &["sockets::frames::a_frame_that_makes_no_sense_is_an_error_and_the_connection_lives_on"],
    ),
];

/// The deployed studio, when there is one and the running test can use it.
pub(crate) fn deployment() -> Option<Deployment> {
    let deployment = Deployment { url: setting("STUDIO_URL")?, ws_url: setting("STUDIO_WS_URL")? };
    let gaps: &[_] = if setting("STUDIO_IS_EMULATED").is_some() { &GAPS } else { &[] };
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let is_named = |(_, tests): &&(&str, &[&str])| tests.iter().any(|name| test.starts_with(name));
    if let Some((reason, _)) = LOCAL.iter().chain(gaps).find(is_named) {
        eprintln!("{test} uses a local studio: {reason}");
        return None;
    }
    Some(deployment)
}

/// A name that nobody has in a studio which other tests use too.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{:08x}", RandomState::new().hash_one(name) >> 32)
}

fn setting(name: &str) -> Option<String> {
    let (_, value) = std::env::vars().find(|(key, _)| key == name)?;
    Some(value.trim_end_matches('/').to_owned())
}
