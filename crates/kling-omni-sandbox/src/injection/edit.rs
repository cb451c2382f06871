//! Edits the tasks and upload slots in the JSON of a response.

use bytes::Bytes;
use serde_json::Value;

use crate::fault::Fault;
use crate::results::Results;
use crate::uploads::Uploads;

/// The fields that contain the tasks or the files of a response.
const DATA: &str = "data";
const FILES: &str = "files";

/// Applies a fault to the tasks or upload slots in a body. Returns `None` if the body has none.
pub(super) fn edit_body(
    results: &Results,
    uploads: &Uploads,
    now: u64,
    fault: &Fault,
    body: &[u8],
) -> Option<Bytes> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    if *fault == Fault::HasMore {
        let list = document.as_object_mut()?;
        list.insert("has_more".to_owned(), true.into());
        return serde_json::to_vec(&document).ok().map(Bytes::from);
    }
    let has = |name: &&str| document.get(*name).is_some();
    let wrapper = [DATA, FILES].into_iter().find(has)?;
    match fault {
        Fault::Null(field) if field == wrapper => *document.get_mut(wrapper)? = Value::Null,
        Fault::Missing(field) if field == wrapper => {
            document.as_object_mut()?.remove(wrapper);
        }
        fault => match document.get_mut(wrapper)? {
            Value::Array(all) if matches!(fault, Fault::HideNewest(_)) => {
                let Fault::HideNewest(rows) = fault else {
                    return None;
                };
                all.drain(..usize::try_from(*rows).unwrap_or(usize::MAX).min(all.len()));
            }
            Value::Array(all) => {
                for item in all {
                    edit_item(results, uploads, now, fault, item);
                }
            }
            task => edit_item(results, uploads, now, fault, task),
        },
    }
    serde_json::to_vec(&document).ok().map(Bytes::from)
}

fn edit_item(results: &Results, uploads: &Uploads, now: u64, fault: &Fault, item: &mut Value) {
    let Some(item) = item.as_object_mut() else {
        return;
    };
    let mut sign = |expires| {
        let urls = item.get_mut("generated").and_then(Value::as_array_mut);
        for url in urls.into_iter().flatten() {
            let signed = url.as_str().and_then(|url| results.sign(url, expires));
            *url = signed.into();
        }
    };
    match fault {
        Fault::ExpiredUrl => {
            sign(now);
            if let Some(url) = uploads.expired_url(item) {
                item.insert("upload_url".to_owned(), url.into());
            }
        }
        Fault::FreshUrl => sign(now + results.lifetime().as_secs()),
        Fault::UnknownStatus(name) => {
            item.insert("status".to_owned(), name.as_str().into());
        }
        Fault::Null(field) => {
            item.insert(field.clone(), Value::Null);
        }
        Fault::Missing(field) => {
            item.remove(field);
        }
        Fault::Empty => {
            item.insert("generated".to_owned(), Value::Array(Vec::new()));
        }
        _ => {}
    }
}
