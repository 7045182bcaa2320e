import Glibc

/// The few lines that a person or a program is meant to read, apart from the log.
enum StandardOutput {
    /// Written at once: whoever waits for `ready` may be reading a pipe.
    static func print(_ text: String) {
        Swift.print(text)
        fflush(nil)
    }
}
