//! The deployed studio that tests share if `STUDIO_URL` and `STUDIO_WS_URL` name one. Tests with a studio of their
//! own still start a local one.

/// Where a deployed studio is.
#[derive(Clone)]
pub(crate) struct Deployment {
    /// The base address of the HTTP API.
    pub(crate) url: String,
    /// The address of the WebSocket API.
    pub(crate) ws_url: String,
}

impl Deployment {
    /// Where this local studio is.
    pub(super) fn of(studio: &local::Studio) -> Self {
        Self { url: studio.url(), ws_url: studio.ws_url() }
    }
}

/// How the emulator of `.ci/deployed.py` differs from AWS, and the tests that fail for it. Against AWS they run.
const GAPS: [(&str, &[&str]); 5] = [
    (
        "it has none of the limits of size, and takes binary frames",
        &[
            "input::bad_input::a_body_that_is_too_large_is_413",
            "sockets::frames::frames_that_are_too_large_or_binary_close_the_connection",
        ],
    ),
    ("it takes // for /", &["input::bad_input::an_unknown_route_is_the_404_of_the_gateway"]),
    (
        "a body that is no UTF-8 arrives as text",
        &[
            "input::bad_input::a_body_that_is_not_json_is_refused_on_every_route",
            "input::bad_requests::a_body_that_is_not_json_is_refused_wherever_a_body_is_read",
            "conversations::broken_imports::an_entry_that_is_not_json_does_not_stop_the_others",
        ],
    ),
    (
        "it splits a path after it has decoded it",
        &[
            "conversations::texts::ids_with_odd_characters_are_found_in_the_path",
            "chat::turns::a_turn_in_a_new_conversation_creates_it",
        ],
    ),
    (
        "a frame that is no JSON reaches no route",
        &["sockets::frames::an_invalid_frame_is_refused_and_the_connection_stays_open"],
    ),
];

/// The deployed studio, if there is one and the running test can use it.
pub(crate) fn deployment() -> Option<Deployment> {
    let deployment = Deployment { url: setting("STUDIO_URL")?, ws_url: setting("STUDIO_WS_URL")? };
    let gaps: &[_] = if setting("STUDIO_IS_EMULATED").is_some() { &GAPS } else { &[] };
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    if let Some((reason, _)) = gaps.iter().find(|(_, tests)| tests.contains(&test.as_str())) {
        eprintln!("{test} uses a local studio: {reason}");
        return None;
    }
    Some(deployment)
}

fn setting(name: &str) -> Option<String> {
    let (_, value) = std::env::vars().find(|(key, _)| key == name)?;
    Some(value.trim_end_matches('/').to_owned())
}
