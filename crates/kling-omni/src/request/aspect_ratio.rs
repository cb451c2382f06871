//! Shapes of the video to make.

use crate::request::table::choice;

choice! {
    /// Shape of the video to make.
    ///
    /// ```
    /// use kling_omni::request::AspectRatio;
    ///
    /// assert_eq!("9:16".parse::<AspectRatio>()?, AspectRatio::Portrait);
    /// assert_eq!(AspectRatio::Square.to_string(), "1:1");
    /// # Ok::<(), kling_omni::request::UnknownValue>(())
    /// ```
    AspectRatio = "Shape of the video to make." {
        /// `auto`: the shape of the reference video or the start frame.
        Auto,
        /// `16:9`; what the service takes when nothing is set.
        Widescreen,
        /// `9:16`.
        Portrait,
        /// `1:1`.
        Square,
    }
}
