//! Aspect ratios.

use crate::request::table::choice;

choice! {
    /// The aspect ratio of the video.
    ///
    /// ```
    /// use kling_omni::request::AspectRatio;
    ///
    /// assert_eq!("9:16".parse::<AspectRatio>()?, AspectRatio::Portrait);
    /// assert_eq!(AspectRatio::Square.to_string(), "1:1");
    /// # Ok::<(), kling_omni::request::UnknownValue>(())
    /// ```
    AspectRatio = "Aspect ratio of the video." {
        /// `auto`: the aspect ratio of the reference video or the start frame.
        Auto,
        /// `16:9`, the default of the service.
        Widescreen,
        /// `9:16`.
        Portrait,
        /// `1:1`.
        Square,
    }
}
