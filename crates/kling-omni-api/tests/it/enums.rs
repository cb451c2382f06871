//! The generated enums.

use kling_omni_api::enums::{AspectRatio, OutputDuration, TaskStatus};
use serde_json::{from_value, json, to_value};

#[test]
fn variants_have_readable_names() {
    assert_eq!(OutputDuration::Seconds3.as_str(), "3");
    assert_eq!(AspectRatio::Widescreen.as_str(), "16:9");
    assert_eq!(TaskStatus::InProgress.as_str(), "IN_PROGRESS");
}

#[test]
fn closed_enums_round_trip() {
    assert_eq!(AspectRatio::ALL.len(), AspectRatio::VALUES.len());
    for (ratio, value) in AspectRatio::ALL.iter().zip(AspectRatio::VALUES) {
        assert_eq!(ratio.as_str(), *value);
        assert_eq!(ratio.to_string(), *value);
        assert_eq!(value.parse(), Ok(*ratio));
        assert_eq!(AspectRatio::try_from(*value), Ok(*ratio));
        assert_eq!(to_value(ratio).expect("JSON"), json!(value));
        assert_eq!(
            from_value::<AspectRatio>(json!(value)).expect("a valid value"),
            *ratio
        );
    }
}

#[test]
fn closed_enum_rejects_unknown_values() {
    let error = "4:5".parse::<AspectRatio>().expect_err("an unknown value");
    assert_eq!(error.given(), "4:5");
    assert_eq!(error.allowed(), AspectRatio::VALUES);
    let values = AspectRatio::VALUES.join(", ");
    assert_eq!(error.to_string(), format!("`4:5` is not one of {values}"));
    let error = from_value::<AspectRatio>(json!("4:5")).expect_err("an unknown value");
    assert!(error.to_string().contains(&values), "{error}");
    assert!(from_value::<OutputDuration>(json!(5)).is_err());
}

#[test]
fn open_enum_keeps_unknown_values() {
    for value in TaskStatus::VALUES {
        let status = TaskStatus::from(*value);
        assert!(!matches!(status, TaskStatus::Unknown(_)), "{value}");
        assert_eq!(to_value(&status).expect("JSON"), json!(value));
    }
    for value in ["", "created", "PAUSED", " CREATED", "PÄUSED"] {
        let status = TaskStatus::from(value.to_owned());
        assert_eq!(status, TaskStatus::Unknown(value.to_owned()));
        assert_eq!(status.to_string(), value);
        assert_eq!(value.parse(), Ok(status.clone()));
        assert_eq!(to_value(&status).expect("JSON"), json!(value));
        assert_eq!(
            from_value::<TaskStatus>(json!(value)).expect("a valid value"),
            status
        );
    }
}

#[test]
fn display_respects_width_and_alignment() {
    assert_eq!(
        format!("{:>6}|{:<6}|", AspectRatio::Square, TaskStatus::Failed),
        "   1:1|FAILED|"
    );
    assert_eq!(format!("{:<8}|", TaskStatus::Failed), "FAILED  |");
}
