/// Google's search order for a credential that nobody named (wire.md B6).
package enum ApplicationDefault {
    /// Where the search ended.
    package enum Place: Sendable, Equatable {
        /// A credential file at this path.
        case file(String)
        /// No file: only the metadata server is left.
        case metadataServer
    }

    /// Where the credential is; pure, `isThere` tells whether a file exists.
    ///
    /// A file that `GOOGLE_APPLICATION_CREDENTIALS` names must be there: falling through would use an identity that
    /// nobody asked for.
    package static func search(_ environment: [String: String], home: String, isThere: (String) -> Bool)
        throws(UpstreamFailure) -> Place
    {
        if let named = value("GOOGLE_APPLICATION_CREDENTIALS", environment) {
            guard isThere(named) else {
                throw CredentialFile.failure(named, "that GOOGLE_APPLICATION_CREDENTIALS names is not there")
            }
            return .file(named)
        }
        let file = loginFile(environment, home: home)
        return isThere(file) ? .file(file) : .metadataServer
    }

    /// Where `gcloud auth application-default login` leaves its file.
    package static func loginFile(_ environment: [String: String], home: String) -> String {
        let directory = value("CLOUDSDK_CONFIG", environment) ?? home + "/.config/gcloud"
        return directory + "/application_default_credentials.json"
    }

    /// The metadata server's host, with a port if need be.
    package static func metadataHost(_ environment: [String: String]) -> String {
        value("GCE_METADATA_HOST", environment) ?? value("GCE_METADATA_ROOT", environment)
            ?? "metadata.google.internal"
    }

    /// Whether a metadata server can be counted on, told without asking it.
    ///
    /// `productName` is what `/sys/class/dmi/id/product_name` holds.
    package static func isOnGoogle(_ environment: [String: String], productName: String?) -> Bool {
        let isNamed = ["GCE_METADATA_HOST", "GCE_METADATA_ROOT"].contains { value($0, environment) != nil }
        return isNamed || environment["NO_GCE_CHECK"]?.lowercased() == "true"
            || productName?.hasPrefix("Google") == true
    }

    /// A variable's value; an empty one counts as not set, as it does for Google's own libraries.
    static func value(_ name: String, _ environment: [String: String]) -> String? {
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }
}
