//! Sets that are stored and restored.

use kling_omni::ErrorKind;
use kling_omni::recovery::{KnownEntry, KnownFacts, KnownTasks, UnconfirmedCreate};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::account::{Account, AccountAnswer, Order};
use super::{client_of, create, describe, long_list, lose, refresh};

/// The text in which a program may store a set: a line for each entry, and the facts.
fn stored(known: &KnownTasks) -> (Vec<String>, String) {
    let (entries, facts) = known.entries_from(0);
    let lines = entries
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap());
    (lines.collect(), serde_json::to_string(&facts).unwrap())
}

fn restore(lines: &[String], facts: &str) -> kling_omni::Result<KnownTasks> {
    let entries = lines
        .iter()
        .map(|line| serde_json::from_str::<KnownEntry>(line).unwrap());
    let facts: KnownFacts = serde_json::from_str(facts).unwrap();
    KnownTasks::restore(facts, entries)
}

#[tokio::test]
async fn restored_set_continues_where_it_was_stored() {
    let clock = VirtualClock::new();
    let (account, client, known) = long_list(&clock).await;
    let unconfirmed = lose(&account, AccountAnswer::ResponseLost, &client, &known).await;
    let (lines, facts) = stored(&known);
    assert!(lines.iter().all(|line| !line.contains('\n')));
    let bytes: usize = lines[..10_000].iter().map(|line| line.len() + 1).sum();
    assert!(bytes <= 500_000, "{bytes}");
    assert!(facts.len() < 1_000, "{facts}");

    let client = client_of(&account, &clock).build().unwrap();
    let restored = restore(&lines, &facts).unwrap();
    assert_eq!(restored.len(), known.len());
    account.take_list_requests();
    let json = serde_json::to_string(&unconfirmed).unwrap();
    let unconfirmed: UnconfirmedCreate = serde_json::from_str(&json).unwrap();
    let reconciled = client.reconcile(&unconfirmed).known_tasks(&restored).await;
    let id = account.newest();
    assert_eq!(describe(&reconciled.unwrap()), format!("found {id}"));
    assert_eq!(account.take_list_requests(), 1);
    let (later, _) = restored.entries_from(lines.len());
    assert!(later.iter().any(|entry| entry.is_own() && entry.id() == id));
}

#[tokio::test]
async fn entries_must_be_those_of_the_facts() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::OldestFirst, 5, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    create(&client, &known).await;
    let (lines, facts) = stored(&known);
    assert_eq!(lines.len(), 6);
    let fewer = lines[..5].to_vec();
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    let mut changed = lines.clone();
    changed[2] = changed[3].clone();
    for wrong in [fewer, swapped, changed, Vec::new()] {
        let error = restore(&wrong, &facts).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState);
    }
    let more = [&lines[..], &lines[..1]].concat();
    assert_eq!(restore(&more, &facts).unwrap().len(), 7);
}

#[tokio::test]
async fn create_is_only_compared_with_its_own_set() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::OldestFirst, 5, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    let (older, older_facts) = stored(&known);
    create(&client, &known).await;
    let unconfirmed = lose(&account, AccountAnswer::ResponseLost, &client, &known).await;
    let another = KnownTasks::new();
    refresh(&another, &client).await;
    create(&client, &another).await;
    // The same set, without the last entry before the create, and with another one in its place.
    let shorter = restore(&older, &older_facts).unwrap();
    let diverged = restore(&older, &older_facts).unwrap();
    create(&client, &diverged).await;
    for wrong in [Some(&another), Some(&shorter), Some(&diverged), None] {
        let mut search = client.reconcile(&unconfirmed);
        if let Some(wrong) = wrong {
            search = search.known_tasks(wrong);
            assert!(!wrong.rules_out(&unconfirmed, &account.all()[0]));
        }
        let text = describe(&search.await.unwrap());
        assert!(text.starts_with("NoSnapshot "), "{text}");
    }
}

#[tokio::test]
async fn ids_of_any_text_are_stored() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::OldestFirst, 1, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    let ids = [
        "a b",
        " ",
        "+x - y",
        "-reference z",
        "line\nbreak",
        "\"",
        "ä\u{0}",
    ];
    for id in ids {
        account.next(AccountAnswer::AnsweredWith(id.to_owned()));
        assert_eq!(create(&client, &known).await.id(), id);
    }
    let (lines, facts) = stored(&known);
    assert!(lines.iter().all(|line| !line.contains('\n')));
    let restored = restore(&lines, &facts).unwrap();
    assert!(ids.iter().all(|id| restored.contains(id)));
    for damaged in [
        "\"nowhere x\"",
        "\"reference\"",
        "\"+1 nothing x\"",
        "\"reference \"",
        "7",
    ] {
        assert!(
            serde_json::from_str::<KnownEntry>(damaged).is_err(),
            "{damaged}"
        );
    }
}

#[tokio::test]
async fn damaged_facts_are_refused() {
    let clock = VirtualClock::new();
    let account = Account::start(Order::NewestFirst, 5, 100).await;
    let client = client_of(&account, &clock).build().unwrap();
    let known = KnownTasks::new();
    refresh(&known, &client).await;
    let (_, facts) = stored(&known);
    let begin = facts.find(r#""head":""#).unwrap() + r#""head":""#.len();
    let end = begin + facts[begin..].find('"').unwrap();
    for head in ["1-5", "20000-1", "x", "1-"] {
        let damaged = format!("{}{head}{}", &facts[..begin], &facts[end..]);
        assert!(
            serde_json::from_str::<KnownFacts>(&damaged).is_err(),
            "{head}"
        );
    }
}
