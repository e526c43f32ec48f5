//! The most common passwords: those of the 500 most common ones that are long enough to be allowed, in lower case.

const WELL_KNOWN: &str = "\
    password 12345678 123456789 baseball football qwertyuiop 1234567890 superman 1qaz2wsx trustno1 sunshine iloveyou \
    computer starwars princess 11111111 corvette 1234qwer internet samantha q1w2e3r4t5 maverick whatever mercedes \
    steelers qwer1234 hardcore q1w2e3r4 midnight bigdaddy marlboro password1 1q2w3e4r cocacola jordan23 asdfasdf \
    12344321 liverpoo qwerty123 passw0rd abcd1234 slipknot scorpion startrek asdfghjkl redskins qazwsxedc liverpool \
    butthead dolphins qwertyui shithead metallic mountain elephant rush2112 1q2w3e4r5t creative garfield bullshit \
    asdfghjk 1qazxsw2 airborne brooklyn godzilla 4815162342 darkness blink182 platinum 01012011 11223344 lifehack \
    12qwaszx snowball nintendo pakistan redwings explorer guinness lasvegas 789456123 christin asdf1234 babygirl \
    michigan carolina alexande dickhead minecraft metallica snickers paradise 147258369 lacrosse bollocks poohbear \
    qweasdzxc einstein drowssap spitfire maryjane champion svetlana westside security zaq12wsx 123456789a 1232323q \
    scarface qwerty12 stargate";

/// Whether `password` is one of the most common ones, in any case.
pub(super) fn is_well_known(password: &str) -> bool {
    let lower = password.to_lowercase();
    WELL_KNOWN.split_ascii_whitespace().any(|known| known == lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_recognised_in_any_case() {
        assert_eq!(WELL_KNOWN.split_ascii_whitespace().count(), 111);
        assert!(WELL_KNOWN.split_ascii_whitespace().all(|known| known.len() >= 8 && is_well_known(known)));
        assert!(is_well_known("PassWord") && is_well_known("stargate"));
        for good in ["password123", "", " password", "correct horse battery staple"] {
            assert!(!is_well_known(good), "{good}");
        }
    }
}
