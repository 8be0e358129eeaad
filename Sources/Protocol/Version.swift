/// The version of this build, of `convod` and `convo` alike.
package enum Version {
    /// As `--version` and `_convod/server/info` print it.
    package static let text = "0.1.0"
    /// The version of the Agent Client Protocol that is spoken.
    package static let protocolNumber = 1
}
